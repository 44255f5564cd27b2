"""dlib's variable-length whole numbers, many million at a time.

A number is one control byte (its low seven bits: how many bytes follow, 1 to 3 in a shape
predictor; its top bit: negative) and those bytes, the lowest first. Where a number begins is known
only once the one before it is read. `decode` nevertheless works on whole arrays: the data is cut
into rows, all rows are scanned side by side from each of the four states in which one may begin
(0 to 3 bytes of a number still to come), and the rows are then chained.
"""

from __future__ import annotations

import math
from typing import cast

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Integers = NDArray[np.int32]

LONGEST = 3
_ROW = 1000
_BLOCK = 1 << 20
# By number of bytes that follow the control byte: the bits of them in a 32-bit word, and which
# bytes of control byte and number are written.
_BITS = np.array([0, 0xFF, 0xFFFF, 0xFFFFFF], dtype=np.uint32)
_KEPT = np.array([[i <= length for i in range(4)] for length in range(4)]).view(np.uint32)[:, 0]


class VarintError(ValueError):
    """Bytes that are no sequence of such numbers; the message says where."""


def decode(data: bytes) -> Integers:
    """All numbers in `data`, which must end with the last byte of one.

    Raises
    ------
    VarintError
        A control byte is impossible, or the last number is not complete.
    """
    # A number may reach over a block's end, and is picked up there as a word of four bytes.
    raw = np.zeros(len(data) + 4, dtype=np.uint8)
    raw[: len(data)] = np.frombuffer(data, dtype=np.uint8)
    words = cast(
        NDArray[np.uint32], np.ndarray(len(data) + 1, dtype="<u4", buffer=raw, strides=(1,))
    )
    parts: list[Integers] = []
    state, position = 0, 0
    while position < len(data):
        block = raw[position : min(position + _BLOCK, len(data))]
        begins, state = _scan(block, state)
        control = block[begins]
        length = control & 0x7F
        wrong = np.flatnonzero((length == 0) | (length > LONGEST))
        if len(wrong):
            raise VarintError(f"byte {position + int(begins[wrong[0]])} begins no number")
        values = (words[begins + (position + 1)] & _BITS[length]).astype(np.int32)
        np.negative(values, out=values, where=control > 0x7F)
        parts.append(values)
        position += len(block)
    if state:
        raise VarintError("ends within a number")
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.int32)


def _scan(block: Bytes, state: int) -> tuple[NDArray[np.intp], int]:
    """Where numbers begin in `block`, and how many bytes of the last one lie behind its end.

    `state` is how many bytes of an earlier number it starts with.
    """
    row = min(_ROW, 1 + math.isqrt(len(block)))
    rows = -(-len(block) // row)
    padded = np.zeros(rows * row, dtype=np.uint8)
    padded[: len(block)] = np.minimum(block & 0x7F, LONGEST) + 1
    columns = np.ascontiguousarray(padded.reshape(rows, row).T)
    states = np.repeat(np.arange(LONGEST + 1, dtype=np.uint8)[:, None], rows, axis=1)
    for column in columns:
        states += (states == 0) * column
        states -= 1
    entries = np.empty(rows, dtype=np.uint8)
    entering = state
    for index, leaving in enumerate(states.T.tolist()):
        entries[index] = entering
        entering = leaving[entering]
    begins = np.empty(columns.shape, dtype=np.bool_)
    for column, begin in zip(columns, begins, strict=True):
        np.equal(entries, 0, out=begin)
        entries += begin * column
        entries -= 1
    positions = np.flatnonzero(np.ascontiguousarray(begins.T).ravel()[: len(block)])
    if not len(positions):
        return positions, state - len(block)
    last = int(positions[-1])
    return positions, last + int(padded[last]) - len(block)


def encode(numbers: NDArray[np.integer]) -> bytes:
    """The bytes of `numbers`, each below 2**24 in size, in their order."""
    numbers = np.ascontiguousarray(numbers, dtype=np.int32).ravel()
    size = np.abs(numbers).view(np.uint32)
    length = (size > 0xFF).astype(np.uint8)
    length += size > 0xFFFF
    length += 1
    words = size << np.uint32(8)
    words |= length
    words |= (numbers < 0).view(np.uint8) << np.uint8(7)
    kept = _KEPT[length].view(np.bool_)
    return words.astype("<u4", copy=False).view(np.uint8)[kept].tobytes()
