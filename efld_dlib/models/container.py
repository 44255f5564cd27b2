"""The outer form of an `.efld` file: header, packed arrays and checksum (docs/efld-format.md).

Nothing in here knows what the arrays mean; `compact` does.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelFormatError

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


@dataclass(frozen=True)
class Content:
    """What a file says of itself, and its packed arrays.

    Parameters
    ----------
    header : dict
        The JSON object at its head.
    arrays : memoryview
        The packed arrays, back to back.
    source : str
        The file, for error messages.
    """

    header: dict[str, Any]
    arrays: memoryview
    source: str


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


def split(data: bytes, source: str | Path) -> Content:
    """Take the bytes of a file apart, after making sure that they are whole.

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
    return Content(header, memoryview(data)[end:-_CHECKSUM], str(source))
