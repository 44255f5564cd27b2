"""Contact sheets of annotated faces, as a picture or as a page."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import cv2
import numpy as np

from .boxes import Box
from .errors import DataError
from .files import write_text
from .images import Image
from .records import FaceAnnotation
from .render import contact_sheet, draw_face, to_rgb, write_image

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
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    # Averaging over a pixel of the tile first keeps large photographs from sparkling; one that is
    # larger than the photograph would take minutes.
    step = min(round(1 / scale), max(image.shape[:2]))
    smooth = cv2.blur(image, (step, step)) if scale < 0.5 else image
    tile = to_rgb(cast(Image, cv2.warpAffine(smooth, matrix, (size, size))))
    box = face.box and Box(
        *(scale * np.array(face.box[:2]) + shift), *(scale * np.array(face.box[2:]))
    )
    draw_face(tile, face.points * scale + shift, box)
    return tile


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
        As in `render.contact_sheet`; a page breaks its rows by the window's width.
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
    write_text(target, _PAGE.format(title=_escaped(title), figures=figures, size=size))


def require_sheet_suffix(target: Path) -> None:
    """Fail early, with a `DataError`, where `write_sheet` would fail late."""
    suffix = target.suffix.lower()
    if suffix not in HTML_SUFFIXES and not (suffix and cv2.haveImageWriter(f"sheet{suffix}")):
        raise DataError(target, "ends neither in .html nor in the suffix of a picture (.png, .jpg)")


def _figure(tile: Image, caption: str) -> str:
    good, data = cv2.imencode(".jpg", cv2.cvtColor(to_rgb(tile), cv2.COLOR_RGB2BGR))
    assert good
    text = base64.b64encode(data.tobytes()).decode("ascii")
    height, width = tile.shape[:2]
    return (
        f'<figure><img width="{width}" height="{height}" alt="{_escaped(caption)}" '
        f'src="data:image/jpeg;base64,{text}"><figcaption>{_escaped(caption)}</figcaption></figure>'
    )


def _escaped(text: str) -> str:
    # A name that is no text at all (bytes of another encoding) is shown with question marks.
    return html.escape(text.encode("utf-8", "replace").decode("utf-8"))
