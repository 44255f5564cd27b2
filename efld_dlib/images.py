"""Reading images, whatever their format."""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, cast, runtime_checkable

import cv2
import numpy as np
from numpy.typing import NDArray

from .errors import DataError, OptionError
from .files import read_input

Image = NDArray[np.uint8]
ColorOrder = Literal["rgb", "bgr", "gray"]


@runtime_checkable
class Readable(Protocol):
    """A file opened in binary mode."""

    def read(self) -> bytes: ...


@runtime_checkable
class PillowImage(Protocol):
    """An image of Pillow, which need not be installed."""

    mode: str

    def convert(self, mode: str) -> Any: ...


ImageSource = str | os.PathLike[str] | bytes | Readable | PillowImage | NDArray[np.generic]
"""Whatever `read_image` reads an image from."""

MAX_PIXELS = 1 << 27
"""Largest image that is read: 134 million pixels, 13,400 x 10,000. It takes a gigabyte. The package
gives OpenCV the same limit (`OPENCV_IO_MAX_IMAGE_PIXELS`) if it is imported before OpenCV is."""

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".pgm", ".ppm")


def read_image(source: ImageSource, color: ColorOrder | None = None) -> Image:
    """An image as 8-bit RGB or gray, turned upright.

    Parameters
    ----------
    source : path, bytes, file, array or Pillow image
        A file by its path, its bytes, or opened in binary mode (anything with ``read``); or pixels
        of shape (height, width), (height, width, 1), (…, 3) or (…, 4). Arrays are unsigned whole
        numbers of 8 or 16 bit, floats between 0 and 1, or truth values. Pillow's images are taken
        as they stand; `PIL.ImageOps.exif_transpose` turns one upright.
    color : {"rgb", "bgr", "gray"}, optional
        Order of an array's channels; it cannot be guessed, so it is required for arrays of more
        than one channel. dlib, scikit-image and Pillow give RGB, OpenCV gives BGR. A fourth
        channel (alpha) is dropped.

    Returns
    -------
    array of uint8, shape (height, width) for gray input arrays, else (height, width, 3) in RGB

    Raises
    ------
    DataError
        The file is missing, empty, no picture, or one of more than `MAX_PIXELS`; the array has
        another shape, type or range.
    OptionError
        `source` is none of these; the colour order of an array is not stated, or is not one of the
        three.

    Examples
    --------
    >>> read_image(np.array([[0.0, 1.0]])).tolist()
    [[0, 255]]
    >>> read_image(np.array([[[255, 0, 0]]], np.uint8), "bgr").tolist()
    [[[0, 0, 255]]]
    """
    if isinstance(source, np.ndarray):
        return _from_array(source, color)
    if isinstance(source, bytes | bytearray | memoryview):
        return _decode(bytes(source), "<bytes>")
    if isinstance(source, str | os.PathLike):
        return _decode(read_input(Path(source), pipes=True), Path(source))
    if isinstance(source, Readable):
        return _from_file(source)
    if isinstance(source, PillowImage):
        return _from_pillow(source, color)
    raise OptionError(
        "an image is given as a path, the bytes of a file, an open file, an array or a Pillow "
        f"image, not as {type(source).__name__}"
    )


def _from_file(file: Readable) -> Image:
    name = str(getattr(file, "name", "<file>"))
    data: object
    try:
        data = file.read()
    except UnicodeDecodeError:
        data = ""
    except (OSError, ValueError) as error:  # a closed file gives a ValueError
        raise DataError(name, f"cannot be read ({error})") from error
    if not isinstance(data, bytes):
        raise OptionError(f"{name} gives {type(data).__name__}: open it in binary mode, 'rb'")
    return _decode(data, name)


def _from_pillow(image: PillowImage, color: ColorOrder | None) -> Image:
    # Converted to RGB, pixels of more than 8 bit would be clipped and not scaled.
    deep = image.mode.startswith(("I", "F"))
    try:
        pixels = np.asarray(image if deep else image.convert("RGB"))
    except (OSError, ValueError) as error:  # Pillow decodes only now
        raise DataError("<Pillow image>", f"cannot be read ({error})") from error
    return _from_array(pixels, color if deep else "rgb")


def _decode(data: bytes, name: str | Path) -> Image:
    if not data:
        raise DataError(name, "is empty")
    if problem := too_large(data):
        raise DataError(name, problem)
    try:
        # IMREAD_COLOR also turns the picture upright by its EXIF tag, and reduces it to 8 bit.
        decoded = cv2.imdecode(np.frombuffer(_still_png(data), np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        if "MAX_IMAGE" in error.err:
            raise DataError(name, f"is too large; {_MORE_PIXELS}") from error
        raise DataError(name, f"is not a picture that can be read ({error.err})") from error
    if decoded is None:
        raise DataError(name, "is not a picture, or a damaged one")
    if decoded.size > 3 * MAX_PIXELS:  # OpenCV was imported before the package
        raise DataError(name, f"is too large; {_MORE_PIXELS}")
    return cast(Image, cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB))


_MORE_PIXELS = f"more than {MAX_PIXELS // 10**6} million pixels are not read"
_PNG, _JPEG, _BMP = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"BM"

# OpenCV 4.11 takes memory for all that a part of a PNG states before it reads it. Of a picture that
# is cut short less than this is lacking.
_MOST_LACKING = 1 << 26


def too_large(data: bytes) -> str | None:
    """What to say of the bytes of a picture that would unpack to too much; None of another.

    It is told by the size that the head of a JPEG, PNG or BMP states: dlib, which reads these, has
    no limit. Of other formats OpenCV refuses what is larger than `MAX_PIXELS`. A PNG is too large
    also if one of its parts states far more bytes than there are.
    """
    for _, start, end in _png_parts(data):
        stated = end - start - _AROUND_PART
        if end > len(data) and stated > _MOST_LACKING:
            return f"states a part of {stated} bytes, of which it has not that many"
    try:
        width, height = _stated_size(data)
    except struct.error:  # its head is cut short
        return None
    if width * height <= MAX_PIXELS:
        return None
    return f"states {width} x {height} pixels; {_MORE_PIXELS}"


def _stated_size(data: bytes) -> tuple[int, int]:
    """Width and height that the head of a JPEG, PNG or BMP states; 0 for other data."""
    width = height = 0
    if data.startswith(_PNG):
        width, height = struct.unpack_from(">II", data, 16)
    elif data.startswith(_BMP):
        (head,) = struct.unpack_from("<I", data, 14)
        width, height = struct.unpack_from("<HH" if head == 12 else "<ii", data, 18)  # 12: OS/2
    elif data.startswith(_JPEG):
        # A reader takes the largest frame for its buffers' sake, and a file may hold several.
        width, height = max(_jpeg_frames(data), key=math.prod, default=(0, 0))
    return abs(width), abs(height)


# Markers of a JPEG that begin a frame, and those without a length; of the former some are tables.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ALONE = frozenset((0x00, 0x01, *range(0xD0, 0xD9)))
_SCAN = 0xDA


def _jpeg_frames(data: bytes) -> Iterator[tuple[int, int]]:
    """Width and height of each frame before the first scan."""
    position = 2
    while 0 <= (position := data.find(b"\xff", position)) < len(data) - 9:
        kind = data[position + 1]
        if kind == _SCAN:
            return
        if kind in _FRAMES:
            height, width = struct.unpack_from(">HH", data, position + 5)
            yield width, height
        if kind == 0xFF:
            position += 1
        elif kind in _ALONE:
            position += 2
        else:
            position += 2 + max(2, int.from_bytes(data[position + 2 : position + 4], "big"))


# PNG specification, third edition (W3C), 5.3 (chunk layout) and 11.3.4 (animation).
_ANIMATION = (b"acTL", b"fcTL", b"fdAT")
_AROUND_PART = 12  # bytes besides its content: length, kind and checksum


def _still_png(data: bytes) -> bytes:
    """An animated PNG without its animation; other data as they are.

    What is left is the picture that programs show which know no animated PNG. OpenCV 4.11 and 4.12
    crash on damaged ones.
    """
    parts = list(_png_parts(data))
    if not any(kind in _ANIMATION for kind, _, _ in parts):
        return data
    still = (data[start:end] for kind, start, end in parts if kind not in _ANIMATION)
    return b"".join([_PNG, *still])


def _png_parts(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and end of each up to IEND; the last may end beyond the data, its kind too."""
    start = len(_PNG) if data.startswith(_PNG) else len(data)
    while start + 4 <= len(data):
        end = start + _AROUND_PART + int.from_bytes(data[start : start + 4], "big")
        kind = data[start + 4 : start + 8]
        yield kind, start, end
        if kind == b"IEND":
            return
        start = end


def _from_array(pixels: NDArray[np.generic], color: ColorOrder | None) -> Image:
    if color not in (None, "rgb", "bgr", "gray"):
        raise OptionError(f"color must be 'rgb', 'bgr' or 'gray', not {color!r}")
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    if pixels.size == 0 or pixels.ndim not in (2, 3) or pixels.shape[2:] not in ((), (3,), (4,)):
        raise DataError(
            "<array>", f"shape {pixels.shape} is not (height, width) or (height, width, 3 or 4)"
        )
    image = _eight_bit(pixels)
    if image.ndim == 2:
        return image
    if color not in ("rgb", "bgr"):
        raise OptionError("an array with colours needs color='rgb' or color='bgr'")
    if color == "bgr":
        how = cv2.COLOR_BGR2RGB if image.shape[2] == 3 else cv2.COLOR_BGRA2RGB
        return cast(Image, cv2.cvtColor(image, how))
    return np.ascontiguousarray(image[:, :, :3])


def _eight_bit(pixels: NDArray[np.generic]) -> Image:
    if pixels.dtype == np.uint8:
        return np.ascontiguousarray(pixels.astype(np.uint8, copy=False))
    if pixels.dtype.kind == "u" and pixels.dtype.itemsize == 2:  # of either byte order
        return (pixels.astype(np.uint32) // 257).astype(np.uint8)
    if pixels.dtype == np.bool_:
        return pixels.astype(np.uint8) * np.uint8(255)
    if np.issubdtype(pixels.dtype, np.floating):
        values = pixels.astype(np.float64)
        if not (np.isfinite(values).all() and values.min() >= 0 and values.max() <= 1):
            raise DataError("<array>", "float pixels must lie between 0 and 1")
        return np.rint(values * 255).astype(np.uint8)
    raise DataError(
        "<array>", f"pixels of type {pixels.dtype} are not unsigned 8 bit, 16 bit or float"
    )


def to_gray(image: Image) -> Image:
    """The 8-bit gray picture of an RGB or gray one, with the usual luma weights."""
    if image.ndim == 2:
        return image
    return cast(Image, cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))


def reduced(gray: Image, scales: Sequence[float]) -> list[tuple[Image, tuple[float, float]]]:
    """An image at several sizes, each with the width and height of its pixels in those of `gray`.

    Each is made of the one before it, which finds the same faces and takes less time.

    Parameters
    ----------
    gray : array of uint8, shape (height, width)
    scales : sequence of float
        Falling; above 1 the image is enlarged.
    """
    sizes = []
    small = gray
    for scale in scales:
        rows, columns = (max(1, round(side * scale)) for side in gray.shape)
        if small.shape != (rows, columns):
            how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
            small = cast(Image, cv2.resize(small, (columns, rows), interpolation=how))
        sizes.append((small, (gray.shape[1] / columns, gray.shape[0] / rows)))
    return sizes
