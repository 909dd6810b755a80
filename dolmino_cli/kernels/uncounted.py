"""How a step of a kernel is compiled: without counting references to arrays.

Numba counts them with an atomic step wherever an array is handed on, in the midst of loops too, which can double their time.
A function that only reads and fills arrays it is given needs none.
"""

from __future__ import annotations

import numba

uncounted = numba.njit(nogil=True, _nrt=False)
