"""What dlib makes of the files of images, which it reads otherwise than OpenCV does."""

from __future__ import annotations

import os
import re
import struct
from dataclasses import dataclass
from pathlib import Path

from ..backend import load_dlib
from ..files import read_bytes
from ..images import too_large

_JPEG = b"\xff\xd8\xff"
# First bytes of formats that OpenCV reads; a usual dlib does not.
_FOREIGN = {
    "TIFF": rb"II[*+]\0|MM\0[*+]",
    "WebP": rb"RIFF....WEBP",
    "GIF": rb"GIF8",
    "JPEG 2000": rb"\0\0\0\x0cjP",
    "PGM": rb"P[25]",
    "PPM": rb"P[36]",
}
_READABLE = (_JPEG, b"\x89PNG", b"BM")
_ORIENTATION = 0x0112


@dataclass(frozen=True)
class PictureState:
    """What dlib makes of a picture.

    Parameters
    ----------
    width, height : int
        Pixels as dlib reads it; 0 where it cannot.
    kind, problem : str
        A kind of `xml.check.KINDS` and what is wrong; empty where nothing is.
    """

    width: int = 0
    height: int = 0
    kind: str = ""
    problem: str = ""


def picture_state(path: Path) -> PictureState:
    """Read a picture with dlib and say what is wrong with it.

    dlib knows JPEG, PNG and BMP, goes by the first bytes and not the suffix, ignores the EXIF tag
    that turns a photograph upright, and fills the rest of a JPEG cut short with gray.
    """
    try:
        data = read_bytes(path)
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: a NUL in the name
        return PictureState(kind="picture-missing", problem="does not exist")
    except IsADirectoryError:
        return PictureState(kind="picture-missing", problem="is a folder")
    except OSError as error:
        return PictureState(kind="picture-damaged", problem=f"cannot be read ({error.strerror})")
    if not data:
        return PictureState(kind="picture-damaged", problem="is empty")
    for name, signature in _FOREIGN.items():
        if re.match(signature, data, re.DOTALL):
            # A dlib compiled with libgif or libwebp reads two of them; what PyPI has does not.
            return PictureState(kind="picture-format", problem=f"is {name}, which dlib cannot read")
    if data.startswith(_JPEG) and data.rfind(b"\xff\xd9") < data.rfind(b"\xff\xda"):
        return PictureState(kind="picture-damaged", problem="is cut short")
    if problem := too_large(data):
        return PictureState(kind="picture-damaged", problem=problem)
    try:
        # As bytes, since a name that is not UTF-8 cannot be passed as text.
        height, width = load_dlib().load_grayscale_image(os.fsencode(path)).shape
    except RuntimeError as error:
        if not data.startswith(_READABLE):
            return PictureState(kind="picture-format", problem="is no picture that dlib knows")
        reason = (str(error).strip().splitlines() or ["no reason given"])[0]
        return PictureState(kind="picture-damaged", problem=f"is damaged ({reason})")
    if data.startswith(_JPEG) and exif_orientation(data) not in (0, 1):
        problem = "is turned upright by an EXIF tag, which dlib ignores"
        return PictureState(width, height, "picture-turned", problem)
    return PictureState(width, height)


def exif_orientation(data: bytes) -> int:
    """EXIF's orientation of a JPEG: 1 is upright, 2 to 8 are not; 0 where it is not told."""
    place = data.find(b"Exif\0\0", 0, 1 << 16)
    if place < 0:
        return 0
    tiff = data[place + 6 : place + 6 + (1 << 16)]
    order = "<" if tiff[:2] == b"II" else ">"
    try:
        (first,) = struct.unpack_from(order + "I", tiff, 4)
        (count,) = struct.unpack_from(order + "H", tiff, first)
        for entry in range(first + 2, first + 2 + 12 * count, 12):
            tag, value = struct.unpack_from(order + "H6xH", tiff, entry)
            if tag == _ORIENTATION:
                return int(value) if value in range(1, 9) else 0
    except struct.error:
        pass
    return 0
