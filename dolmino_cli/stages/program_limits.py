"""How large a program and its values may be, looked at before the work is done.

The largest of 5,075 programs that were kept, answers of seven models, have 4,045 bytes (most of them comments), 82 steps,
expressions 9 deep, and brackets 3 deep.
"""

from __future__ import annotations

SOURCE_BYTES = 4096
"""UTF-8 bytes of the function; the time and memory of Python's parser are bounded by them."""

DOCUMENT_CHARACTERS = 5 << 18
"""Of the whole text, which is searched for a function: 15 ms at the most."""

PROBLEM_CHARACTERS = 4 * SOURCE_BYTES
"""Of a problem that a docstring is compared with; the docstring of a longer one stays."""

BRACKETS = 32
"""Brackets within one another, wherever they stand; Python's own limit is 200."""

DEPTH = 64
"""Expressions within one another: `a + b + c` are two, `-x` is one."""

STEPS = 1000
"""Expressions in the program. Nothing is evaluated twice, so that these are its steps."""

INTEGER_BITS = 128
"""Of any integer: numbers of 38 digits."""

TUPLE_VALUES = 8
"""Numbers in a tuple."""
