"""Files of the form `.efld`: header, packed arrays and checksum (docs/efld-format.md)."""

from __future__ import annotations

import hashlib
import json
import lzma
import math
import struct
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelFormatError, OptionError
from .predictor import Float32Array, IndexArray
from .quantised import MANTISSA, Quantised

MAGIC = b"\x89EFLD\r\n\x1a"
VERSION = 1
# Magic, version, length of the JSON header, length of the whole file.
_HEAD = struct.Struct("<8sIIQ")
_CHECKSUM = 32
_LONGEST_HEADER = 1 << 20
# A literal's bits depend on the bytes before it neither by position nor by value here.
_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 6, "lc": 0, "lp": 0, "pb": 0}]
_MEMORY = 64 << 20
_PART = 1 << 16
_SIGNED = {np.uint16: np.int16, np.uint32: np.int32}


def pack_integers(values: NDArray[np.integer]) -> bytes:
    """Whole numbers as byte planes, packed with xz.

    Negative ones alternate with positive ones (0, -1, 1, -2, …), then come the lowest bytes of all
    numbers, the next higher bytes of all, and so on as far as there is one that is not zero.
    """
    wide = values.astype(np.int64).ravel()
    folded = ((wide << 1) ^ (wide >> 63)).astype("<u4")
    planes = 1 + int(np.searchsorted([1 << 8, 1 << 16, 1 << 24], folded.max(), side="right"))
    table = folded.view(np.uint8).reshape(-1, 4)[:, :planes]
    return pack_bytes(np.ascontiguousarray(table.T).tobytes())


def unpack_integers(data: memoryview, count: int, what: str) -> NDArray[np.signedinteger[Any]]:
    """The `count` numbers that `pack_integers` packed.

    Raises
    ------
    ValueError
        `data` is damaged, or holds another number of them; the message names `what`.
    """
    raw = np.frombuffer(unpack_bytes(data, 4 * count, what), dtype=np.uint8)
    if not 1 <= len(raw) // count <= 4 or len(raw) % count:
        raise ValueError(f"{what}: {len(raw)} bytes are no {count} numbers")
    planes = raw.reshape(-1, count)
    # Half the work where two bytes hold the numbers.
    kind = np.uint16 if len(planes) < 3 else np.uint32
    signed = _SIGNED[kind]
    values = np.empty(count, signed)
    # By parts, so that what is in between takes no memory.
    for start in range(0, count, _PART):
        part = slice(start, start + _PART)
        folded: NDArray[np.unsignedinteger[Any]] = planes[0][part].astype(kind)
        for place, plane in enumerate(planes[1:], start=1):
            folded |= plane[part].astype(kind) << kind(8 * place)
        # 0, 1, 2, 3, … stand for 0, -1, 1, -2, …
        values[part] = (folded >> kind(1)).view(signed)
        values[part] ^= -(folded & kind(1)).view(signed)
    return values


def pack_bytes(data: bytes) -> bytes:
    """`data` as a small .xz file."""
    return lzma.compress(data, lzma.FORMAT_XZ, check=lzma.CHECK_NONE, filters=_FILTERS)


def unpack_bytes(data: memoryview, limit: int, what: str) -> bytes:
    """What `pack_bytes` packed, unless it is more than `limit` bytes."""
    unpacker = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MEMORY)
    try:
        unpacked = unpacker.decompress(data, limit + 1)
    except lzma.LZMAError as error:
        raise ValueError(f"{what}: {error}") from error
    if len(unpacked) > limit or not unpacker.eof or unpacker.unused_data:
        raise ValueError(f"{what}: the packed data is of another length than announced")
    return unpacked


def join(header: Mapping[str, Any], arrays: bytes) -> bytes:
    """The bytes of a file."""
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    length = _HEAD.size + len(text) + len(arrays) + _CHECKSUM
    body = _HEAD.pack(MAGIC, VERSION, len(text), length) + text + arrays
    return body + hashlib.sha256(body).digest()


def split(data: bytes, source: str | Path) -> tuple[dict[str, Any], memoryview]:
    """Take the bytes of a file apart, after making sure that they are whole.

    Returns
    -------
    header : dict
        The JSON object at its head.
    arrays : memoryview
        The packed arrays, back to back.

    Raises
    ------
    ModelFormatError
        Names `source` and what is wrong.
    """
    if len(data) < _HEAD.size + _CHECKSUM or data[: len(MAGIC)] != MAGIC:
        raise ModelFormatError(source, "is not an .efld file (it begins otherwise)")
    _, version, header_length, length = _HEAD.unpack_from(data)
    if version != VERSION:
        raise ModelFormatError(
            source, f"is of format version {version}; this program reads {VERSION}"
        )
    if length != len(data):
        raise ModelFormatError(source, f"has {len(data)} bytes, and {length} are announced")
    if hashlib.sha256(memoryview(data)[:-_CHECKSUM]).digest() != data[-_CHECKSUM:]:
        raise ModelFormatError(source, "is damaged (its checksum is another)")
    end = _HEAD.size + header_length
    if header_length > _LONGEST_HEADER or end > len(data) - _CHECKSUM:
        raise ModelFormatError(source, f"announces a header of {header_length} bytes")
    try:
        header = json.loads(data[_HEAD.size : end])
    except (ValueError, RecursionError) as error:
        raise ModelFormatError(source, "has a header that is not JSON") from error
    if not isinstance(header, dict):
        raise ModelFormatError(source, "has a header that is no JSON object")
    return header, memoryview(data)[end:-_CHECKSUM]


MOST_EXPANSION = 400
"""A file may not announce more bytes of leaves than so many times its own."""

# Beyond this many units of 2**delta_exponent no distance is taken; and how many pixels' distances
# are in memory at a time.
_FAR = 1 << 20
_NEAR_ROWS = 128
_SIZES = ("points", "cascades", "trees", "splits", "pool", "components")
_EXPONENTS = ("delta_exponent", "leaf_exponent")
_ARRAYS = ("anchors", "deltas", "first", "rank", "thresholds", "classes", "basis", "coefficients")


def pack_arrays(quantised: Quantised) -> tuple[dict[str, int], dict[str, bytes]]:
    """The sizes and exponents that a header states of a predictor, and its arrays, packed."""
    cascades, trees, splits = quantised.first.shape
    pool, components = quantised.anchors.shape[1], len(quantised.basis)
    sizes = (len(quantised.mean_shape), cascades, trees, splits, pool, components)
    numbers = dict(zip(_SIZES, sizes, strict=True))
    numbers |= {"delta_exponent": quantised.delta_exponent, "leaf_exponent": quantised.exponent}
    ranks = np.empty_like(quantised.second)
    neighbours = _neighbours(
        quantised.mean_shape, quantised.anchors, quantised.deltas, quantised.delta_exponent
    )
    for cascade, near in enumerate(neighbours):
        place = np.argsort(near, axis=1)
        ranks[cascade] = place[quantised.first[cascade], quantised.second[cascade]]
    return numbers, {
        "mean_shape": pack_bytes(quantised.mean_shape.astype("<f4").tobytes()),
        **{
            name: pack_integers(ranks if name == "rank" else getattr(quantised, name))
            for name in _ARRAYS
        },
    }


def _neighbours(
    mean_shape: Float32Array, anchors: IndexArray, deltas: IndexArray, delta_exponent: int
) -> Iterator[IndexArray]:
    """For each cascade and pixel of its pool, the pixels by their distance, itself the first.

    A split compares pixels near each other, so the second one is a small number in this order.
    Distances are those of whole numbers, so that they are the same on every machine.
    """
    scaled = np.rint(mean_shape.astype(np.float64) * 2.0**-delta_exponent)
    mean = np.clip(scaled, -_FAR, _FAR).astype(np.int64)
    pool = anchors.shape[1]
    bits = pool.bit_length()
    for places in mean[anchors] + np.clip(deltas, -_FAR, _FAR):
        x, y = places.T
        table = np.empty((pool, pool), dtype=np.int32)
        for start in range(0, pool, _NEAR_ROWS):
            rows = slice(start, start + _NEAR_ROWS)
            keys = (x[rows, None] - x) ** 2 + (y[rows, None] - y) ** 2
            keys[np.arange(len(keys)), np.arange(start, start + len(keys))] = -1
            # Equally far ones in the order of their numbers. Sorting is faster than `argsort`.
            keys <<= bits
            keys += np.arange(pool)
            keys.sort(axis=1)
            table[rows] = keys & ((1 << bits) - 1)
        yield table


def unpack_arrays(
    entry: Mapping[str, Any], parts: Mapping[str, memoryview], file_bytes: int
) -> Quantised:
    """The predictor of a header's `entry`, whose packed arrays are `parts`.

    Raises
    ------
    ValueError, KeyError, TypeError
        Something is missing, damaged, or out of proportion to a file of `file_bytes`.
    """
    points, cascades, trees, splits, pool, components = _sizes(entry, file_bytes)
    split, leaves = (cascades, trees, splits), trees * (splits + 1)
    number = 1 - MANTISSA, MANTISSA, np.int32
    # By name: shape, lowest number, what all are below, kind.
    forms: dict[str, tuple[tuple[int, ...], int, int, type[np.integer]]] = {
        "first": (split, 0, pool, np.int32),
        "rank": (split, 0, pool, np.int32),
        "thresholds": (split, *number),
        "anchors": ((cascades, pool), 0, points, np.int32),
        "deltas": ((cascades, pool, 2), *number),
        "classes": ((cascades, trees, splits + 1), 0, 32, np.uint8),
        "basis": ((components, 2 * points), *number),
        "coefficients": ((cascades, components, leaves), -(1 << 15), 1 << 15, np.int16),
    }

    def unpacked(name: str) -> NDArray[Any]:
        shape, lowest, below, kind = forms[name]
        values = unpack_integers(parts[name], math.prod(shape), name)
        if values.min() < lowest or values.max() >= below:
            raise ValueError(f"{name} has a number outside {lowest} to {below - 1}")
        return values.reshape(shape).astype(kind, copy=False)

    with ThreadPoolExecutor(1) as thread:
        # Most of the work is in this one, and unpacking lets the other thread run.
        coefficients = thread.submit(unpacked, "coefficients")
        mean = np.frombuffer(unpack_bytes(parts["mean_shape"], 8 * points, "mean_shape"), "<f4")
        if len(mean) != 2 * points or not np.isfinite(mean).all():
            raise ValueError("the mean shape is cut short, or has a number that is not finite")
        mean_shape, exponent = mean.reshape(points, 2).astype(np.float32), entry["delta_exponent"]
        arrays = {name: unpacked(name) for name in forms if name != "coefficients"}
        # In the file a second pixel is its rank among the neighbours of the first.
        arrays["second"] = arrays.pop("rank")
        neighbours = _neighbours(mean_shape, arrays["anchors"], arrays["deltas"], exponent)
        for near, first, second in zip(neighbours, arrays["first"], arrays["second"], strict=True):
            second[...] = near[first, second]
    quantised = Quantised(
        mean_shape=mean_shape,
        coefficients=coefficients.result(),
        delta_exponent=exponent,
        exponent=entry["leaf_exponent"],
        **arrays,
    )
    if not quantised.fits():
        raise ValueError("has leaves out of range")
    return quantised


def _sizes(entry: Mapping[str, Any], file_bytes: int) -> tuple[int, ...]:
    """The announced sizes, in the order of `_SIZES`, unless they are out of all proportion."""
    sizes = tuple(entry[name] for name in _SIZES)
    for name, size in zip(_SIZES, sizes, strict=True):
        if type(size) is not int or not 1 <= size <= MANTISSA:
            raise ValueError(f"{size!r} {name} are announced")
    for name in _EXPONENTS:
        if type(entry[name]) is not int or not -100 <= entry[name] <= 0:
            raise ValueError(f"{name} is {entry[name]!r}")
    points, cascades, trees, splits, pool, components = sizes
    leaves = cascades * trees * (splits + 1)
    largest = max(leaves * 2 * points, leaves * components, cascades * pool * 2, pool * pool)
    if 4 * largest > MOST_EXPANSION * file_bytes:
        raise ValueError(
            f"{cascades} cascades of {trees} trees are announced in {file_bytes} bytes"
        )
    return sizes


def choose_role(role: str | None, roles: Collection[str]) -> str:
    """`role`, or the first one; an `OptionError` lists the roles if it is none of them."""
    if role is None:
        return next(iter(roles))
    if role not in roles:
        raise OptionError(f"there is no predictor '{role}', but {', '.join(roles)}")
    return role


@dataclass(frozen=True, eq=False)
class CompactModel:
    """What an `.efld` file holds.

    Parameters
    ----------
    predictors : dict of str to Quantised
        By role, in the order of the file; the first is what `load_predictor` gives.
    metadata : dict
        Whatever is known of the model: scheme, training options, data, licence, error. JSON values.
    part_bytes : dict of str to int
        Where the file's bytes go, by name of the array, all predictors together.
    """

    predictors: dict[str, Quantised]
    metadata: dict[str, Any]
    part_bytes: dict[str, int]

    def quantised(self, role: str | None = None) -> Quantised:
        """The predictor of `role`, or the first one; an `OptionError` lists the roles."""
        return self.predictors[choose_role(role, self.predictors)]


def is_efld(data: bytes) -> bool:
    """Whether `data` begins as an `.efld` file does."""
    return data[: len(MAGIC)] == MAGIC


def efld_bytes(predictors: Mapping[str, Quantised], metadata: Mapping[str, Any]) -> bytes:
    """The bytes of an `.efld` file.

    Parameters
    ----------
    predictors : mapping of str to Quantised
        By role; the first is the one that programs use which know of no roles.
    metadata : mapping
        JSON values.

    Raises
    ------
    OptionError
        There is no predictor, or the metadata cannot be written as JSON.
    """
    if not predictors:
        raise OptionError("a file needs a predictor to hold")
    entries: list[dict[str, Any]] = []
    packed: list[bytes] = []
    for role, quantised in predictors.items():
        numbers, arrays = pack_arrays(quantised)
        lengths = [[name, len(array)] for name, array in arrays.items()]
        entries.append({"role": role, **numbers, "arrays": lengths})
        packed += arrays.values()
    try:
        return join({"metadata": dict(metadata), "predictors": entries}, b"".join(packed))
    except (TypeError, ValueError) as error:
        raise OptionError(f"the metadata cannot be written as JSON ({error})") from error


def parse_efld(
    data: bytes,
    source: str | Path = "<bytes>",
    choose: Callable[[Collection[str]], str] | None = None,
) -> CompactModel:
    """The content of the bytes of an `.efld` file; `source` names it in errors.

    Parameters
    ----------
    data : bytes
    source : path
    choose : callable, optional
        Given the roles in the file, the one predictor to unpack, which takes time; all of them
        without it.

    Raises
    ------
    ModelFormatError
        The data is damaged, or of a later version.
    """
    header, arrays = split(data, source)
    metadata, entries = header.get("metadata"), header.get("predictors")
    if not isinstance(metadata, dict) or not isinstance(entries, list) or not entries:
        raise ModelFormatError(source, "has a header without metadata or predictors")
    found: dict[str, tuple[dict[str, Any], dict[str, memoryview]]] = {}
    part_bytes: Counter[str] = Counter()
    position = 0
    try:
        for entry in entries:
            role = entry["role"]
            if not isinstance(role, str) or role in found:
                raise ValueError(f"the role {role!r} is no name, or there twice")
            parts: dict[str, memoryview] = {}
            for name, length in entry["arrays"]:
                if type(length) is not int or not 0 <= length <= len(arrays) - position:
                    raise ValueError(f"{name} of {length!r} bytes is announced")
                parts[str(name)] = arrays[position : position + length]
                part_bytes[str(name)] += length
                position += length
            found[role] = entry, parts
        chosen = found if choose is None else [choose(found)]
        predictors = {role: unpack_arrays(*found[role], len(data)) for role in chosen}
    except (KeyError, TypeError, ValueError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise ModelFormatError(source, f"has a damaged predictor ({reason})") from error
    if position != len(arrays):
        raise ModelFormatError(source, "has data that belongs to no predictor")
    return CompactModel(predictors, metadata, part_bytes)
