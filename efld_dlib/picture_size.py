"""The size that a picture's first bytes promise, so that nothing is unpacked that is too large.

A few kilobytes can promise, and unpack to, gigabytes.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterable, Iterator

from .png import lacking_part

MAX_PIXELS = 1 << 27
"""Largest picture that is read: 134 million pixels, 13,400 x 10,000. It takes a gigabyte."""

MORE_PIXELS = f"more than {MAX_PIXELS // 10**6} million pixels are not read"

Size = tuple[int, int]

# OpenCV 4.11 takes memory for all that a part states before it reads it. Of a picture that is cut
# short less than this is lacking.
_MOST_LACKING = 1 << 26

# One space at a time: a repeated run of them takes ages where no number follows. For OpenCV any one
# character ends a number, CR or LF a comment, and a plus may stand before a number of a PFM.
_SPACE = rb"(?:\s|#[^\r\n]*[\r\n])*\+?0*"
_NETPBM = re.compile(
    rb"P[1-6Ff]" + _SPACE + rb"(\d{1,9})(?!\d)." + _SPACE + rb"(\d{1,9})", re.DOTALL
)
_PAM = re.compile(rb"\n[^\S\n]*(WIDTH|HEIGHT)[^\S\n]+\+?0*(\d{1,9})")
_RADIANCE = re.compile(rb"\n\n-Y\s*\+?0*(\d{1,9})\s*\+X\s*\+?0*(\d{1,9})")
# What states a size, and the bytes that do: one that is cut short, or that overlaps the next, must
# not hide the others.
_ISPE = re.compile(rb"ispe\0{4}(?=(.{8}))", re.DOTALL)
# The first two markers of a JPEG 2000 codestream, the second of which has the size.
_CODESTREAM = b"\xff\x4f\xff\x51"
_SIZ = re.compile(_CODESTREAM + rb"(?=.{4}(.{16}))", re.DOTALL)
# Start-of-frame segments of a JPEG; the gaps are tables.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ALONE = frozenset((0x01, *range(0xD0, 0xD9)))


def stated_size(data: bytes) -> Size | None:
    """Width and height in pixels that a picture's bytes state.

    Parameters
    ----------
    data : bytes
        A whole file.

    Returns
    -------
    tuple of int, or None
        None where the format is another than JPEG, PNG, BMP, GIF, TIFF (also BigTIFF), WebP, AVIF,
        JPEG 2000, PGM, PPM, PBM, PFM, PAM, Radiance HDR or Sun raster, or the bytes are damaged.

    Examples
    --------
    >>> stated_size(b"P5 640 480 255 ")
    (640, 480)
    """
    for signature, size in _FORMATS:
        if data.startswith(signature):
            try:
                return size(data)
            except (struct.error, OverflowError):
                return None
    return None


def too_large(data: bytes) -> str | None:
    """What to say of a picture that states more than `MAX_PIXELS`; None of another.

    So it does of a PNG with a part that states more bytes than there are, by a lot.
    """
    if (stated := lacking_part(data)) > _MOST_LACKING:
        return f"states a part of {stated} bytes, of which it has not that many"
    size = stated_size(data)
    if size is None or size[0] * size[1] <= MAX_PIXELS:
        return None
    return f"states {size[0]} x {size[1]} pixels; {MORE_PIXELS}"


def _largest(sizes: Iterable[Size]) -> Size | None:
    return max(sizes, key=lambda size: size[0] * size[1], default=None)


def _png(data: bytes) -> Size | None:
    width, height = struct.unpack_from(">II", data, 16)
    return width, height


def _bmp(data: bytes) -> Size | None:
    if struct.unpack_from("<I", data, 14)[0] == 12:  # the header of OS/2
        width, height = struct.unpack_from("<HH", data, 18)
    else:
        width, height = struct.unpack_from("<ii", data, 18)
    return abs(width), abs(height)


def _gif(data: bytes) -> Size | None:
    width, height = struct.unpack_from("<HH", data, 6)
    return width, height


def _jpeg(data: bytes) -> Size | None:
    # A reader takes the largest frame for its buffers' sake, and a file may hold several.
    return _largest(_frames(data))


def _frames(data: bytes) -> Iterator[Size]:
    position = 2
    while 0 <= (position := data.find(b"\xff", position)) < len(data) - 9:
        kind = data[position + 1]
        if kind in _ALONE or kind in (0x00, 0xFF):
            position += 1 if kind == 0xFF else 2
            continue
        if kind in _FRAMES:
            height, width = struct.unpack_from(">HH", data, position + 5)
            yield width, height
        if kind == 0xDA:
            return
        position += 2 + max(2, int.from_bytes(data[position + 2 : position + 4], "big"))


def _webp(data: bytes) -> Size | None:
    if data[8:12] != b"WEBP":  # sound and video begin with RIFF too
        return None
    kind = data[12:16]
    if kind == b"VP8X":
        width = int.from_bytes(data[24:27], "little") + 1
        return width, int.from_bytes(data[27:30], "little") + 1
    if kind == b"VP8L":
        bits = struct.unpack_from("<I", data, 21)[0]
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    width, height = struct.unpack_from("<HH", data, 26)
    return width & 0x3FFF, height & 0x3FFF


def _tiff(data: bytes) -> Size | None:
    order = "<" if data[:2] == b"II" else ">"
    first = struct.unpack_from(order + "I", data, 4)[0]
    count = struct.unpack_from(order + "H", data, first)[0]
    return _tiff_sides(data, order, range(first + 2, first + 2 + 12 * count, 12), 8)


def _big_tiff(data: bytes) -> Size | None:
    order = "<" if data[:2] == b"II" else ">"
    first = struct.unpack_from(order + "Q", data, 8)[0]
    # No more than a plain TIFF can have: a count of 64 bits could keep us reading for minutes.
    count = min(struct.unpack_from(order + "Q", data, first)[0], 0xFFFF)
    return _tiff_sides(data, order, range(first + 8, first + 8 + 20 * count, 20), 12)


def _tiff_sides(data: bytes, order: str, entries: range, value: int) -> Size:
    """Width and height in a directory whose entries begin there, their values `value` further."""
    sides = {256: 0, 257: 0}
    for place in entries:
        tag, kind = struct.unpack_from(order + "HH", data, place)
        if tag in sides:
            form = {3: "H", 16: "Q"}.get(kind, "I")
            sides[tag] = struct.unpack_from(order + form, data, place + value)[0]
    return sides[256], sides[257]


def _avif(data: bytes) -> Size | None:
    if data[4:8] != b"ftyp":
        return None
    # A picture may be put together of several, each with its size; the whole is the largest.
    return _largest(struct.unpack(">II", place[1]) for place in _ISPE.finditer(data))


def _jpeg_2000(data: bytes) -> Size | None:
    # Which of several codestreams is the picture is said by the boxes around them.
    areas = (struct.unpack(">4I", place[1]) for place in _SIZ.finditer(data))
    return _largest((right - left, bottom - top) for right, bottom, left, top in areas)


def _sun(data: bytes) -> Size | None:
    width, height = struct.unpack_from(">II", data, 4)
    return width, height


def _radiance(data: bytes) -> Size | None:
    match = _RADIANCE.search(data, 0, 1 << 16)
    return (int(match[2]), int(match[1])) if match else None


def _pam(data: bytes) -> Size | None:
    head = data.partition(b"\nENDHDR")[0]
    sides = {match[1]: int(match[2]) for match in _PAM.finditer(head)}
    return sides.get(b"WIDTH", 0), sides.get(b"HEIGHT", 0)


def _netpbm(data: bytes) -> Size | None:
    # A megabyte holds any comment; gigabytes of spaces would take minutes.
    match = _NETPBM.match(data, 0, 1 << 20)
    return (int(match[1]), int(match[2])) if match else None


_FORMATS: tuple[tuple[bytes, Callable[[bytes], Size | None]], ...] = (
    (b"\xff\xd8\xff", _jpeg),
    (b"\x89PNG", _png),
    (b"BM", _bmp),
    (b"GIF8", _gif),
    (b"RIFF", _webp),
    (b"II*\0", _tiff),
    (b"MM\0*", _tiff),
    (b"II+\0", _big_tiff),
    (b"MM\0+", _big_tiff),
    (b"\0\0\0\x0cjP", _jpeg_2000),
    (_CODESTREAM, _jpeg_2000),
    (b"\0\0\0", _avif),
    (b"\x59\xa6\x6a\x95", _sun),
    (b"#?R", _radiance),
    (b"P7", _pam),
    (b"P", _netpbm),
)
