"""Faces drawn on images, and contact sheets of them."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from itertools import chain, pairwise
from pathlib import Path
from typing import cast

import cv2
import numpy as np
from numpy.typing import ArrayLike

from .boxes import Box, FloatArray, Pose, annotated
from .errors import DataError
from .files import atomic_path, write_text
from .images import Image
from .records import FaceAnnotation

POINT_COLOUR = (40, 230, 90)
BOX_COLOUR = (255, 190, 40)

# Sub-pixel drawing: OpenCV takes coordinates in units of 1/2**SHIFT pixel.
_SHIFT = 4
# Further from the picture than this, in pixels, OpenCV's coordinates overflow.
_FAR = 1e8


def draw_face(
    image: Image,
    points: FloatArray,
    box: Box | None = None,
    pose: Pose | None = None,
    colour: tuple[int, int, int] = POINT_COLOUR,
    name: str = "",
    edges: Sequence[Sequence[int]] = (),
) -> None:
    """Draw a face's landmarks, its box and its pose on a picture, in place.

    Parameters
    ----------
    image : array of uint8, shape (height, width, 3)
        RGB.
    points : array, shape (n, 2)
        Landmarks in pixels; NaN ones are left out.
    box : Box, optional
        Left out where it is not finite.
    pose : Pose, optional
        Written above the box, in degrees.
    colour : tuple of int
        RGB of the landmarks.
    name : str
        Written before the pose.
    edges : sequence of sequence of int
        Lines to draw, each through these landmarks in turn.
    """
    given = _near(points[annotated(points)])
    extent = float(np.ptp(given, axis=0).max()) if len(given) else 0.0
    if box is not None and np.isfinite(box).all():
        left, top, right, bottom = _near((box.left, box.top, box.right, box.bottom)).tolist()
        box = Box(left, top, right - left + 1, bottom - top + 1)
        extent = box.width
    else:
        box = None
    # Lines and letters of a face that is larger than the picture would cover it.
    extent = min(extent, max(image.shape[:2]))
    if box is not None:
        corner = (round(box.left), round(box.top))
        opposite = (round(box.right), round(box.bottom))
        cv2.rectangle(image, corner, opposite, BOX_COLOUR, max(1, round(extent / 200)), cv2.LINE_AA)
    radius = max(1.2, extent / 110)
    for start, end in chain.from_iterable(map(pairwise, edges)):
        if annotated(points[[start, end]]).all():
            here, there = np.rint(_near(points[[start, end]]) * 2**_SHIFT).astype(int).tolist()
            thickness = max(1, round(radius / 2))
            cv2.line(image, here, there, colour, thickness, cv2.LINE_AA, _SHIFT)
    for x, y in given:
        center = (round(x * 2**_SHIFT), round(y * 2**_SHIFT))
        cv2.circle(image, center, round(radius * 2**_SHIFT), colour, -1, cv2.LINE_AA, _SHIFT)
    words = [name] if name else []
    if pose is not None and np.isfinite(pose).all():
        words.append(f"yaw {pose.yaw:.0f} pitch {pose.pitch:.0f} roll {pose.roll:.0f}")
    if box is not None and words:
        _caption(image, box, " ".join(words), extent)


def _near(coordinates: ArrayLike) -> FloatArray:
    return np.clip(np.asarray(coordinates, dtype=np.float64), -_FAR, _FAR)


def _caption(image: Image, box: Box, text: str, extent: float) -> None:
    """Write `text` on a dark strip over the upper edge of `box`."""
    scale = max(0.35, extent / 420)
    (width, height), below = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
    left, bottom = round(box.left), max(height + below, round(box.top) - 1)
    cv2.rectangle(image, (left, bottom - height - below), (left + width, bottom), (0, 0, 0), -1)
    place = (left, bottom - below)
    cv2.putText(image, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale, BOX_COLOUR, 1, cv2.LINE_AA)


def to_rgb(image: Image) -> Image:
    """An RGB copy of a gray or RGB picture, to draw on."""
    if image.ndim == 2:
        return cast(Image, cv2.cvtColor(image, cv2.COLOR_GRAY2RGB))
    return image.copy()


def write_image(target: str | Path, image: Image) -> None:
    """Write an RGB or gray picture in the format that the suffix names, whole or not at all.

    Raises
    ------
    DataError
        The suffix names no format that OpenCV writes, the format holds no picture of this size,
        or the file cannot be written.
    """
    pixels = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    try:
        good, data = cv2.imencode(Path(target).suffix, pixels)
    except cv2.error:
        good = False
    if not good:
        problem = "its suffix names no picture format"
        if cv2.haveImageWriter(f"picture{Path(target).suffix}"):
            height, width = image.shape[:2]
            problem = f"its format holds no picture of {width} x {height} pixels"
        raise DataError(target, f"cannot be written: {problem}")
    with atomic_path(target) as temporary:
        temporary.write_bytes(data.tobytes())


def contact_sheet(
    tiles: Sequence[Image], captions: Sequence[str], columns: int = 8, size: int = 180
) -> Image:
    """Many pictures on one, row by row, each with a line of text under it.

    Parameters
    ----------
    tiles : sequence of array of uint8
        RGB or gray pictures of any size; each is fitted into a square.
    captions : sequence of str
        One a tile; cut to the tile's width. What is not ASCII becomes "?".
    columns : int
        Tiles in a row, at most.
    size : int
        Side of the square, in pixels of the sheet.

    Returns
    -------
    array of uint8, shape (rows * (size + strip), columns * size, 3)
        RGB.

    Raises
    ------
    ValueError
        There is no tile, or not as many captions as tiles.
    """
    if not tiles or len(tiles) != len(captions):
        raise ValueError(f"{len(tiles)} tiles and {len(captions)} captions make no sheet")
    columns = min(columns, len(tiles))
    rows = -(-len(tiles) // columns)
    scale = max(0.35, size / 500)
    strip = round(40 * scale)
    sheet = np.full((rows * (size + strip), columns * size, 3), 24, np.uint8)
    for number, (tile, caption) in enumerate(zip(tiles, captions, strict=True)):
        top, left = number // columns * (size + strip), number % columns * size
        fitted = _fit(tile, size)
        height, width = fitted.shape[:2]
        y, x = top + (size - height) // 2, left + (size - width) // 2
        sheet[y : y + height, x : x + width] = fitted
        text = _cut(caption.encode("ascii", "replace").decode(), size - 6, scale)
        place = (left + 3, top + size + round(0.7 * strip))
        cv2.putText(
            sheet, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale, (225, 225, 225), 1, cv2.LINE_AA
        )
    return sheet


def _fit(image: Image, size: int) -> Image:
    """The picture in RGB, with `size` as its longer side."""
    scale = size / max(image.shape[:2])
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return cast(Image, cv2.resize(to_rgb(image), (width, height), interpolation=how))


def _cut(text: str, width: int, scale: float) -> str:
    """As much of the end of `text` as fits into `width` pixels: names differ at their ends."""
    for part in (text, *(f"..{text[start:]}" for start in range(1, len(text)))):
        (needed, _), _ = cv2.getTextSize(part, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
        if needed <= width:
            return part
    return ".."


HTML_SUFFIXES = (".html", ".htm")

MARGIN = 0.12
"""Picture kept around the box and the landmarks, as a fraction of the longer side of both."""

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
body {{ background: #181818; color: #ddd; font: 13px sans-serif; margin: 16px; }}
figure {{ display: inline-block; margin: 4px; width: {size}px; vertical-align: top; }}
figcaption {{ overflow-wrap: anywhere; }}
img {{ display: block; }}
</style></head><body><h1>{title}</h1>
{figures}
</body></html>
"""


def face_tile(image: Image, face: FaceAnnotation, size: int = 180) -> Image:
    """A square of `size` pixels with one face, its box and its landmarks.

    Parameters
    ----------
    image : array of uint8, shape (height, width) or (height, width, 3)
        The picture, gray or RGB; what lies outside it is black.
    face : FaceAnnotation
        In pixels of the picture, with a box or a landmark.
    size : int
        Side of the tile, in its own pixels.

    Returns
    -------
    array of uint8, shape (size, size, 3)
        RGB.
    """
    boxes = [
        box for box in (face.box, Box.around(face.points) if face.given.any() else None) if box
    ]
    left, top = (min(box[axis] for box in boxes) for axis in (0, 1))
    right, bottom = max(box.right for box in boxes), max(box.bottom for box in boxes)
    side = max(right - left, bottom - top) * (1 + 2 * MARGIN) + 1
    scale = size / side
    shift = (size - 1) / 2 - scale * np.array([(left + right) / 2, (top + bottom) / 2])
    tile = cut_out(image, scale, shift, size)
    box = face.box and Box(
        *(scale * np.array(face.box[:2]) + shift), *(scale * np.array(face.box[2:]))
    )
    draw_face(tile, face.points * scale + shift, box, edges=face.scheme.edges)
    return tile


def cut_out(image: Image, scale: float, shift: FloatArray, size: int) -> Image:
    """A square of an image as an RGB tile of `size` pixels; what lies outside the image is black.

    Parameters
    ----------
    image : array of uint8, shape (height, width) or (height, width, 3)
    scale : float
    shift : array, shape (2,)
        The pixel (x, y) of the image goes to ``scale * (x, y) + shift`` in the tile.
    size : int
    """
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    # Averaging over a pixel of the tile first keeps large photographs from sparkling; one that is
    # larger than the photograph would take minutes.
    step = min(round(1 / scale), max(image.shape[:2]))
    smooth = cv2.blur(image, (step, step)) if scale < 0.5 else image
    return to_rgb(cast(Image, cv2.warpAffine(smooth, matrix, (size, size))))


def write_sheet(
    target: str | Path,
    tiles: Sequence[Image],
    captions: Sequence[str],
    title: str = "",
    columns: int = 8,
    size: int = 180,
) -> None:
    """Write a contact sheet.

    Parameters
    ----------
    target : path
        ``.html`` makes a page that needs no other file; any picture's suffix makes a picture.
    tiles, captions, columns, size
        As in `contact_sheet`; a page breaks its rows by the window's width.
    title : str
        Of the page.

    Raises
    ------
    DataError
        The suffix names no format, or the file cannot be written.
    """
    target = Path(target)
    require_sheet_suffix(target)
    if target.suffix.lower() not in HTML_SUFFIXES:
        write_image(target, contact_sheet(tiles, captions, columns, size))
        return
    figures = "\n".join(map(_figure, tiles, captions))
    write_text(target, _PAGE.format(title=escaped(title), figures=figures, size=size))


def require_sheet_suffix(target: Path) -> None:
    """Fail early, with a `DataError`, where `write_sheet` would fail late."""
    suffix = target.suffix.lower()
    if suffix not in HTML_SUFFIXES and not (suffix and cv2.haveImageWriter(f"sheet{suffix}")):
        raise DataError(target, "ends neither in .html nor in the suffix of a picture (.png, .jpg)")


def _figure(tile: Image, caption: str) -> str:
    height, width = tile.shape[:2]
    return (
        f'<figure><img width="{width}" height="{height}" alt="{escaped(caption)}" '
        f'src="{jpeg_address(tile)}"><figcaption>{escaped(caption)}</figcaption></figure>'
    )


def jpeg_address(image: Image) -> str:
    """A gray or RGB image as an address for HTML that holds the image itself."""
    good, data = cv2.imencode(".jpg", cv2.cvtColor(to_rgb(image), cv2.COLOR_RGB2BGR))
    assert good
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode("ascii")


def escaped(text: str) -> str:
    """Text that is safe in HTML, within an attribute too."""
    return html.escape(readable(text))


def readable(text: str) -> str:
    """A name that can be written: what is no text (bytes of another encoding) becomes "?"."""
    return text.encode("utf-8", "replace").decode("utf-8")
