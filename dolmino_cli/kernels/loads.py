"""Numbers of several bytes from any place of a buffer of bytes: what NumPy indexing in a kernel cannot say.

They must lie within the buffer: no bound is checked, save by `load_head` and `load_tail`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import llvmlite.ir
import numba
import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic


def loader(kind: llvmlite.ir.Type, finish: str = "") -> Callable[..., Any]:
    """Code that loads a `kind` from `data[at]` on, whatever its alignment; `finish` names a last step of the builder."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = cgutils.create_struct_proxy(signature.args[0])(context, builder, arguments[0])
        place = builder.gep(data.data, [arguments[1]])
        loaded = builder.load(builder.bitcast(place, kind.as_pointer()))
        loaded.align = 1
        return getattr(builder, finish)(loaded) if finish else loaded

    return generate


def is_place(data: Any, at: Any) -> bool:
    """Whether these types are a buffer of bytes and a place in it."""
    return isinstance(data, types.Array) and data.dtype == types.uint8 and at == types.int64


@intrinsic  # type: ignore[untyped-decorator]
def load_u64(typing_context: Any, data: np.ndarray, at: int) -> Any:
    """The 8 bytes from `data[at]` on as a little-endian number (uint64)."""
    return (types.uint64(data, at), loader(llvmlite.ir.IntType(64))) if is_place(data, at) else None


@intrinsic  # type: ignore[untyped-decorator]
def load_u64_swapped(typing_context: Any, data: np.ndarray, at: int) -> Any:
    """As `load_u64`, big-endian."""
    return (types.uint64(data, at), loader(llvmlite.ir.IntType(64), "bswap")) if is_place(data, at) else None


@intrinsic  # type: ignore[untyped-decorator]
def load_f32(typing_context: Any, data: np.ndarray, at: int) -> Any:
    """The 4 bytes from `data[at]` on as a float32."""
    return (types.float32(data, at), loader(llvmlite.ir.FloatType())) if is_place(data, at) else None


@intrinsic  # type: ignore[untyped-decorator]
def prefetch(typing_context: Any, data: np.ndarray, at: int) -> Any:
    """Ask for the cache line of `data[at]`, to be read soon."""
    if not is_place(data, at):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = cgutils.create_struct_proxy(signature.args[0])(context, builder, arguments[0])
        place = builder.gep(data.data, [arguments[1]])
        number = llvmlite.ir.IntType(32)
        kind = llvmlite.ir.FunctionType(llvmlite.ir.VoidType(), [place.type, number, number, number])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
        builder.call(function, [place, number(0), number(3), number(1)])  # to read, into all caches, data
        return context.get_dummy_value()

    return types.void(data, at), generate


@numba.njit(inline="always")
def load_head(data: np.ndarray, start: int) -> np.uint64:
    """The 8 bytes from `start` on as a little-endian number, 0 for those beyond the buffer."""
    head = np.uint64(0)
    if start + 8 <= len(data):
        head = load_u64(data, np.int64(start))
    else:
        for i in range(len(data) - start):
            head |= np.uint64(data[start + i]) << np.uint64(8 * i)
    return head


@numba.njit(inline="always")
def load_tail(data: np.ndarray, stop: int) -> np.uint64:
    """The 8 bytes before `stop` as a big-endian number, 0 for those before the buffer."""
    tail = np.uint64(0)
    if stop >= 8:
        tail = load_u64_swapped(data, np.int64(stop - 8))
    else:
        for at in range(stop):
            tail = tail << np.uint64(8) | np.uint64(data[at])
    return tail
