"""dlib's variable-length whole numbers, many million at a time.

A number is one control byte (its low seven bits: how many bytes follow, 1 to 3 in a shape
predictor; its top bit: negative) and those bytes, the lowest first. Where a number begins is known
only once the one before it is read. `decode` nevertheless works on whole arrays: the data is cut
into rows, all rows are scanned side by side from each of the four states in which one may begin
(0 to 3 bytes of a number still to come), and the rows are then chained.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ModelFormatError
from ..files import atomic_path
from .predictor import Float32Array, IndexArray, Predictor, check_predictor

Bytes = NDArray[np.uint8]
Integers = NDArray[np.int32]

LONGEST = 3
_ROW = 1000
_BLOCK = 1 << 20
# By number of bytes that follow the control byte: the bits of them in a 32-bit word, and which
# bytes of control byte and number are written.
_BITS = np.array([0, 0xFF, 0xFFFF, 0xFFFFFF], dtype=np.uint32)
_KEPT = np.array([[i <= length for i in range(4)] for length in range(4)]).view(np.uint32)[:, 0]


def decode_numbers(data: bytes) -> Integers:
    """All numbers in `data`, which must end with the last byte of one.

    Raises
    ------
    ValueError
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
            raise ValueError(f"byte {position + int(begins[wrong[0]])} begins no number")
        values = (words[begins + (position + 1)] & _BITS[length]).astype(np.int32)
        np.negative(values, out=values, where=control > 0x7F)
        parts.append(values)
        position += len(block)
    if state:
        raise ValueError("ends within a number")
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


def encode_numbers(numbers: ArrayLike) -> bytes:
    """The bytes of `numbers`, each below 2**24 in size, in their order."""
    flat = np.ascontiguousarray(numbers, dtype=np.int32).ravel()
    size = np.abs(flat)
    length = (size > 0xFF).astype(np.uint8)
    length += size > 0xFFFF
    length += 1
    kept = _KEPT[length].view(np.bool_)
    return number_words(flat, length).astype("<u4", copy=False).view(np.uint8)[kept].tobytes()


def number_words(numbers: Integers, length: NDArray[np.uint8] | np.uint8) -> NDArray[np.uint32]:
    """Control byte and three bytes of each number, as one word of 32 bits; dlib reads `length`."""
    words: NDArray[np.uint32] = np.abs(numbers).view(np.uint32) << np.uint32(8)
    words |= length
    words |= (numbers < 0).view(np.uint8) << np.uint8(7)
    return words


_EXPONENTS = 255
_POWERS = 2.0 ** np.arange(-_EXPONENTS, _EXPONENTS + 1)


def parse_dat(data: bytes, source: str | Path = "<bytes>") -> Predictor:
    """The shape predictor in the bytes of a `.dat` file; `source` names it in errors.

    Raises
    ------
    ModelFormatError
        The data is damaged, or its trees are not all of one size.
    """
    # Looked at first, so that a large file of another kind costs nothing.
    if len(data) < 3 or data[:2] != b"\x01\x01" or not data[2] & 0x80:
        raise ModelFormatError(source, "is not a dlib shape predictor (it begins otherwise)")
    try:
        numbers = decode_numbers(data)
    except ValueError as error:
        raise ModelFormatError(source, f"is damaged: {error}") from error
    predictor = _Reader(numbers, source).predictor()
    check_predictor(predictor, source)
    return predictor


class _Reader:
    """Takes the numbers of a file apart, and believes none before it was checked."""

    def __init__(self, numbers: Integers, source: str | Path) -> None:
        self.numbers = numbers
        self.source = source
        self.position = 0

    def predictor(self) -> Predictor:
        rows = -int(self.take(3, "the mean shape")[1])
        if rows < 2 or rows % 2 or self.numbers[2] != -1:
            self.fail(f"the mean shape is announced as {rows} by {-int(self.numbers[2])} numbers")
        mean = self.floats(self.take(2 * rows, "the mean shape"))
        cascades, trees, splits = (int(n) for n in self.take(3, "the trees"))
        self.position -= 3
        if cascades < 1:
            self.fail(f"announces {cascades} cascades")
        if trees < 1 or splits < 1:
            self.fail(f"announces {trees} trees of {splits} splits")
        size = 1 + 4 * splits + 1 + (splits + 1) * (2 + 2 * rows)
        forest = self.lists(cascades, size, "trees").reshape(cascades, trees, size)
        self.same(forest[:, :, 0], splits, "splits in a tree")
        split = forest[:, :, 1 : 1 + 4 * splits].reshape(cascades, trees, splits, 4)
        self.same(forest[:, :, 1 + 4 * splits], splits + 1, "leaves in a tree")
        leaf = forest[:, :, 2 + 4 * splits :].reshape(cascades, trees, splits + 1, 2 + 2 * rows)
        self.same(leaf[..., 0], -rows, "length of a leaf")
        self.same(leaf[..., 1], -1, "width of a leaf")
        anchors = self.lists(cascades, 1, "anchors")
        deltas = self.lists(cascades, 4, "deltas")
        pool = anchors.shape[1]
        if pool < 1 or deltas.shape[1] != 4 * pool:
            self.fail(f"has {pool} anchors, and {deltas.shape[1] // 4} deltas")
        left = len(self.numbers) - self.position
        if left:
            self.fail(f"goes on for {left} numbers after its end")
        return Predictor(
            mean_shape=mean.reshape(-1, 2),
            first=split[..., 0].copy(),
            second=split[..., 1].copy(),
            thresholds=self.floats(split[..., 2:])[..., 0],
            leaves=self.leaves(leaf),
            anchors=anchors.copy(),
            deltas=self.floats(deltas).reshape(cascades, pool, 2),
        )

    def take(self, count: int, part: str) -> Integers:
        """The next `count` numbers, which are of `part`."""
        left = len(self.numbers) - self.position
        if count > left:
            self.fail(f"ends within {part}, of which {count} numbers are announced and {left} left")
        self.position += count
        return self.numbers[self.position - count : self.position]

    def lists(self, cascades: int, width: int, part: str) -> Integers:
        """One list for each cascade, of equal length, with `width` numbers to an entry."""
        announced, length = (int(n) for n in self.take(2, f"the {part}"))
        self.position -= 1
        if announced != cascades or length < 0:
            self.fail(f"announces {announced} lists of {length} {part} for {cascades} cascades")
        table = self.take(cascades * (1 + width * length), f"the {part}")
        table = table.reshape(cascades, 1 + width * length)
        self.same(table[:, 0], length, part)
        return table[:, 1:]

    def leaves(self, leaf: Integers) -> Float32Array:
        """Values of all leaves, one cascade after the other to save memory."""
        rows = leaf.shape[3] // 2 - 1
        values = np.empty((*leaf.shape[:3], rows), dtype=np.float32)
        for cascade, into in zip(leaf, values, strict=True):
            into[...] = self.floats(cascade[..., 2:])
        return values

    def floats(self, pairs: Integers) -> Float32Array:
        """Floats of (…, 2n) mantissas and exponents, shape (…, n)."""
        exponents = pairs[..., 1::2]
        if exponents.size and not (
            exponents.min() >= -_EXPONENTS and exponents.max() <= _EXPONENTS
        ):
            self.fail("has a number whose exponent is out of range, infinite or not a number")
        with np.errstate(over="ignore", under="ignore"):
            return (pairs[..., 0::2] * _POWERS[exponents + _EXPONENTS]).astype(np.float32)

    def same(self, found: Integers, expected: int, part: str) -> None:
        other = np.argwhere(found != expected)
        if len(other):
            place = ", ".join(str(index) for index in other[0])
            value = int(found[tuple(other[0])])
            self.fail(f"{part}: {value} at [{place}] and {expected} before; they must be the same")

    def fail(self, problem: str) -> None:
        raise ModelFormatError(self.source, problem)


def write_dat(predictor: Predictor, path: str | Path) -> int:
    """Write `predictor` as dlib would, whole or not at all; returns the number of bytes."""
    data = dat_bytes(predictor)
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)
    return len(data)


def dat_bytes(predictor: Predictor) -> bytes:
    """`predictor` as dlib itself would write it: what dlib wrote comes out byte by byte.

    Raises
    ------
    ModelFormatError
        A number is not finite, or an index out of range.
    """
    check_predictor(predictor, "<predictor>")
    forests = (encode_numbers(_forest(predictor, each)) for each in range(predictor.cascades))
    return assembled(
        predictor.mean_shape, predictor.trees, forests, predictor.anchors, predictor.deltas
    )


def assembled(
    mean_shape: Float32Array,
    trees: int,
    forests: Iterable[bytes | memoryview],
    anchors: IndexArray,
    deltas: Float32Array,
) -> bytes:
    """The bytes of a `.dat` from its arrays and the bytes of each cascade's `trees` trees."""
    cascades = encode_numbers([len(anchors)])
    parts: list[bytes | memoryview] = [encode_numbers([1, -mean_shape.size, -1])]
    parts += [encode_numbers(_pairs(mean_shape)), cascades]
    for forest in forests:
        parts += [encode_numbers([trees]), forest]
    parts.append(cascades)
    parts += [encode_numbers([len(each), *each]) for each in anchors]
    parts.append(cascades)
    for each in deltas:
        parts += [encode_numbers([len(each)]), encode_numbers(_pairs(each))]
    return b"".join(parts)


def _forest(predictor: Predictor, cascade: int) -> Integers:
    """The numbers of a cascade's trees, shape (trees, numbers of a tree)."""
    trees, splits, rows = predictor.trees, predictor.splits, 2 * predictor.points
    pixels = np.stack([predictor.first[cascade], predictor.second[cascade]], axis=-1)
    split = np.concatenate([pixels, _pairs(predictor.thresholds[cascade][..., None])], axis=-1)
    size = np.broadcast_to(np.array([-rows, -1], dtype=np.int32), (trees, splits + 1, 2))
    leaf = np.concatenate([size, _pairs(predictor.leaves[cascade])], axis=-1)
    splits_of, leaves_of = (np.full(trees, n, dtype=np.int32) for n in (splits, splits + 1))
    parts = (splits_of, split, leaves_of, leaf)
    return np.concatenate([part.reshape(trees, -1) for part in parts], axis=1)


def _pairs(values: Float32Array) -> Integers:
    """Mantissa and exponent of each number, as dlib writes them: shape (…, n) to (…, 2n)."""
    values = np.ascontiguousarray(values)
    fraction, exponent = np.frexp(values)
    mantissa: NDArray[np.int32] = np.ldexp(fraction, 24).astype(np.int32)
    exponent -= 24
    for _ in range(2):
        short = ((mantissa & 0xFF) == 0) & (mantissa != 0)
        np.right_shift(mantissa, 8, out=mantissa, where=short)
        np.add(exponent, 8, out=exponent, where=short)
    # dlib shifts a zero eight times, each time for one more byte that is zero.
    exponent[mantissa == 0] = 8 * 8 - 24
    pairs = np.stack([mantissa, exponent], axis=-1)
    return pairs.reshape(*values.shape[:-1], -1)
