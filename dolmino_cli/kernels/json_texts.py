"""JSON strings as they are written -> the texts that they stand for, in UTF-8, without a Python object per text."""

from __future__ import annotations

from typing import Any

import llvmlite.ir
import numba
import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from dolmino_cli.kernels.loads import is_place
from dolmino_cli.kernels.unicode import encode

BLOCK_BYTES = 32
"""How many bytes are looked at at a time; as many must stand behind the strings."""

_QUOTE, _BACKSLASH, _U = ord('"'), ord("\\"), ord("u")
_BLOCK = llvmlite.ir.VectorType(llvmlite.ir.IntType(8), BLOCK_BYTES)
# What stands behind a backslash -> its byte: \" \\ \/ are themselves.
_ESCAPED = np.arange(256, dtype=np.uint8)
_ESCAPED[np.frombuffer(b"bfnrt", np.uint8)] = np.frombuffer(b"\b\f\n\r\t", np.uint8)


def _block(context: Any, builder: Any, kind: Any, data: Any, at: Any) -> Any:
    """Where the block from `data[at]` on lies, as a vector."""
    start = cgutils.create_struct_proxy(kind)(context, builder, data).data
    return builder.bitcast(builder.gep(start, [at]), _BLOCK.as_pointer())


@intrinsic  # type: ignore[untyped-decorator]
def _plain_bytes(typing_context: Any, data: np.ndarray, at: int) -> Any:
    """How many bytes of the block from `data[at]` on stand before its first quote or backslash; 32 where it has none."""
    if not is_place(data, at):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        block = builder.load(_block(context, builder, signature.args[0], *arguments), align=1)
        alike = [llvmlite.ir.Constant(_BLOCK, [byte] * BLOCK_BYTES) for byte in (_QUOTE, _BACKSLASH)]
        quotes, backslashes = (builder.icmp_unsigned("==", block, byte) for byte in alike)
        bits = builder.bitcast(builder.or_(quotes, backslashes), llvmlite.ir.IntType(BLOCK_BYTES))
        found = builder.cttz(bits, llvmlite.ir.Constant(llvmlite.ir.IntType(1), 0))
        return builder.zext(found, llvmlite.ir.IntType(64))

    return types.int64(data, at), generate


@intrinsic  # type: ignore[untyped-decorator]
def _copy_block(typing_context: Any, target: np.ndarray, to: int, data: np.ndarray, at: int) -> Any:
    """Write the block from `data[at]` on to `target[to]`."""
    if not (is_place(target, to) and is_place(data, at)):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        block = builder.load(_block(context, builder, signature.args[2], *arguments[2:]), align=1)
        builder.store(block, _block(context, builder, signature.args[0], *arguments[:2]), align=1)
        return context.get_dummy_value()

    return types.void(target, to, data, at), generate


@numba.njit(inline="always")
def _four_digits(data: np.ndarray, at: int) -> int:
    """The number that four hexadecimal digits are."""
    number = 0
    for i in range(at, at + 4):
        digit = int(data[i])
        number = number << 4 | (digit - 48 if digit < 65 else (digit | 32) - 87)
    return number


@numba.njit("Tuple((u1[::1], i8[::1], i8[::1]))(Array(u1, 1, 'C', readonly=True), i8, i8)", cache=True, nogil=True)
def json_texts(strings: np.ndarray, size: int, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(texts in UTF-8, their offsets, the strings' ends): text i, `texts[offsets[i] : offsets[i + 1]]`, is what the string
    `strings[ends[i - 1] : ends[i]]` stands for, the first beginning at 0.

    `strings` (uint8): `size` bytes, and 32 more of any kind. They are UTF-8, and JSON values with nothing between them; whoever
    knows them to be valid JSON, and `count` in number, learns here whether all are strings: there are no offsets where not.
    """
    texts = np.empty(size + BLOCK_BYTES, np.uint8)
    offsets, ends = np.zeros(count + 1, np.int64), np.empty(count, np.int64)
    at, length = np.int64(0), np.int64(0)
    for string in range(count):
        if at >= size or strings[at] != _QUOTE:
            return texts, np.empty(0, np.int64), ends
        at += 1
        while True:
            plain = _plain_bytes(strings, at)
            _copy_block(texts, length, strings, at)
            at += plain
            length += plain
            if plain == BLOCK_BYTES:
                continue
            if strings[at] == _QUOTE:
                break
            escaped = strings[at + 1]
            if escaped != _U:
                texts[length] = _ESCAPED[escaped]
                at, length = at + 2, length + 1
                continue
            code = _four_digits(strings, at + 2)
            at += 6
            if 0xD800 <= code < 0xDC00:  # half of a pair
                code = 0x10000 + ((code - 0xD800) << 10) + _four_digits(strings, at + 2) - 0xDC00
                at += 6
            length = encode(code, texts, length)
        at += 1
        offsets[string + 1], ends[string] = length, at
    return texts, offsets if at == size else np.empty(0, np.int64), ends
