"""64 bytes of a buffer at a time, as 64 bits that say which of them are wanted."""

from __future__ import annotations

from typing import Any

import llvmlite.ir
import numpy as np
from numba import types
from numba.extending import intrinsic

from dolmino_cli.kernels.loads import is_place, loader

BLOCK = 64


@intrinsic  # type: ignore[untyped-decorator]
def bytes_in(typing_context: Any, data: np.ndarray, at: int, lowest: int, number: int) -> Any:
    """Bit i (uint64): whether `data[at + i]` is one of the `number` bytes from `lowest` (both uint8) on.

    The 64 bytes must lie within the buffer: no bound is checked.
    """
    if not is_place(data, at):
        return None
    bits, number_of = llvmlite.ir.IntType(64), llvmlite.ir.IntType(32)
    block = llvmlite.ir.VectorType(llvmlite.ir.IntType(8), BLOCK)
    load = loader(block)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def everywhere(value: Any) -> Any:
            first = builder.insert_element(llvmlite.ir.Constant(block, llvmlite.ir.Undefined), value, number_of(0))
            zeros = llvmlite.ir.Constant(llvmlite.ir.VectorType(number_of, BLOCK), [0] * BLOCK)
            return builder.shuffle_vector(first, llvmlite.ir.Constant(block, llvmlite.ir.Undefined), zeros)

        above = builder.sub(load(context, builder, signature, arguments), everywhere(arguments[2]))
        return builder.bitcast(builder.icmp_unsigned("<", above, everywhere(arguments[3])), bits)

    return types.uint64(data, at, types.uint8, types.uint8), generate


@intrinsic  # type: ignore[untyped-decorator]
def lowest_bit(typing_context: Any, mask: np.uint64) -> Any:
    """The place (int64) of the lowest bit of a `mask` that is not 0."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], llvmlite.ir.IntType(1)(1))

    return types.int64(types.uint64), generate
