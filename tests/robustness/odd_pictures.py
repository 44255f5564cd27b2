"""Pictures of kinds that one does not think of, sound ones and such as claim to be: every one is a
file that a program somewhere writes, or that somebody made to do harm.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

_ORIENTATION = 0x0112


def write_odd_pictures(folder: Path, pixels: np.ndarray) -> None:
    """Write each kind of `pixels`, RGB, as a file of its own."""
    folder.mkdir()
    for name, data in _all_kinds(Image.fromarray(pixels)):
        (folder / name).write_bytes(data)


def _all_kinds(picture: Image.Image) -> Iterator[tuple[str, bytes]]:
    deep = Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257)
    turned = [np.roll(np.asarray(picture), 9 * step, 1) for step in (1, 2)]
    more = {"save_all": True, "append_images": [Image.fromarray(each) for each in turned]}
    yield "cmyk.jpg", _saved(picture.convert("CMYK"), "JPEG")
    yield "progressive.jpg", _saved(picture, "JPEG", progressive=True)
    yield "gray.jpg", _saved(picture.convert("L"), "JPEG")
    yield "gray-alpha.png", _saved(picture.convert("LA"), "PNG")
    yield "alpha.png", _saved(picture.convert("RGBA"), "PNG")
    yield "alpha.webp", _saved(picture.convert("RGBA"), "WEBP")
    yield "palette.png", _saved(picture.convert("P"), "PNG", transparency=3)
    yield "bits.png", _saved(picture.convert("1"), "PNG")
    yield "deep.png", _saved(deep, "PNG")
    yield "deep.tiff", _saved(deep, "TIFF")
    yield "floats.tiff", _saved(picture.convert("F"), "TIFF")
    yield "cmyk.tiff", _saved(picture.convert("CMYK"), "TIFF", compression="tiff_lzw")
    yield "pages.tiff", _saved(picture, "TIFF", **more)
    yield "animated.gif", _saved(picture, "GIF", **more)
    yield "animated.png", _saved(picture, "PNG", **more)
    yield "animated.webp", _saved(picture, "WEBP", **more)
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[_ORIENTATION] = orientation
        yield f"exif{orientation}.jpg", _saved(picture, "JPEG", exif=exif.tobytes())
    for kind, suffix in (("JPEG", "jpg"), ("PNG", "png"), ("WEBP", "webp"), ("TIFF", "tiff")):
        yield f"one-pixel.{suffix}", _saved(picture.resize((1, 1)), kind)
    yield "line.png", _saved(picture.resize((4000, 1)), "PNG")
    yield "column.png", _saved(picture.resize((1, 4000)), "PNG")
    yield "png-called.jpg", _saved(picture, "PNG")
    yield "jpeg-called.png", _saved(picture, "JPEG")
    yield "text-called.jpg", b"version: 1\nn_points: 68\n{\n"
    yield "empty.jpg", b""
    yield "bomb.png", _huge_png(20_000, 20_000)
    yield "bomb-of-bombs.png", _huge_png(2**31 - 1, 2**31 - 1)
    yield "just-too-large.png", _huge_png(11_600, 11_600)
    yield "bomb.jpg", _claiming(_saved(picture, "JPEG"), 65_500, 65_500)


def _saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def _huge_png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes(4 << 20), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows)


def _claiming(jpeg: bytes, width: int, height: int) -> bytes:
    """The JPEG with another size in its first frame header."""
    at = jpeg.index(b"\xff\xc0") + 5
    return jpeg[:at] + struct.pack(">HH", height, width) + jpeg[at + 4 :]
