"""The parts that a PNG consists of, and what of them is kept from OpenCV.

Source: PNG specification, third edition (W3C), 5.3 (chunk layout) and 11.3.4 (animation).
"""

from __future__ import annotations

from collections.abc import Iterator

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_ANIMATION = (b"acTL", b"fcTL", b"fdAT")
_AROUND = 12  # bytes of a part besides its content: length, kind and checksum


def lacking_part(data: bytes) -> int:
    """Bytes that the last part of a PNG states, if it is not all there; else 0."""
    for _, start, end in _parts(data):
        if end > len(data):
            return end - start - _AROUND
    return 0


def still_png(data: bytes) -> bytes:
    """An animated PNG without its animation; other data as they are.

    What is left is the picture that programs show which know no animated PNG. OpenCV 4.11 and 4.12
    crash on damaged ones.
    """
    parts = list(_parts(data))
    if not any(kind in _ANIMATION for kind, _, _ in parts):
        return data
    return _SIGNATURE + b"".join(
        data[start:end] for kind, start, end in parts if kind not in _ANIMATION
    )


def _parts(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and end of each up to IEND; the last may end beyond the data, its kind too."""
    start = len(_SIGNATURE) if data.startswith(_SIGNATURE) else len(data)
    while start + 4 <= len(data):
        end = start + _AROUND + int.from_bytes(data[start : start + 4], "big")
        kind = data[start + 4 : start + 8]
        yield kind, start, end
        if kind == b"IEND":
            return
        start = end
