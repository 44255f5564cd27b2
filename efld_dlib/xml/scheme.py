"""A scheme for the points of an XML: their names as a TOML file, with mirror pairs to confirm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from ..boxes import Box, FloatArray, annotated
from ..drawing import BOX_COLOUR, POINT_COLOUR, write_image
from ..errors import DataError, OptionError
from ..files import write_text
from ..images import Image
from ..landmarks import SCHEMES, Scheme
from ..records import ImageRecord
from ..shapes import mean_shape, mirror_partners

SYMMETRIC = 0.25
"""Mean distance of the points from their partners' mirrored places, by the size of the shape, above
which the thing is not symmetric, and no pairs are proposed."""

_SIDE, _BORDER = 800, 110


def proposed_scheme(
    records: Sequence[ImageRecord], name: str, source: str | Path = "<records>"
) -> tuple[Scheme, FloatArray, float]:
    """A scheme for the points of annotated images, with the mirror pairs that their form suggests.

    Parameters
    ----------
    records : sequence of ImageRecord
    name : str
        What to call the scheme, unless the data says.
    source : path
        What to call the data in an error.

    Returns
    -------
    scheme : Scheme
        Without mirror pairs where the thing is not symmetric.
    shape : array, shape (n, 2)
        The points' mean shape (`shapes.mean_shape`).
    off : float
        How far it is from its mirror image, see `SYMMETRIC`.

    Raises
    ------
    DataError
        There is no shape with two points, or no place is known of one.
    """
    faces = [face for record in records for face in record.faces if face.given.sum() > 1]
    if not faces:
        raise DataError(source, "has nothing with two points in it")
    scheme = faces[0].scheme
    shape = mean_shape(np.array([face.points for face in faces]))
    if absent := [
        name for name, given in zip(scheme.points, annotated(shape), strict=True) if not given
    ]:
        raise DataError(source, f"has the point '{absent[0]}' of {scheme.title} nowhere")
    partners, off = mirror_partners(shape)
    mirror = scheme.mirror or (partners if off <= SYMMETRIC else None)
    return replace(scheme, name=scheme.name or name, mirror=mirror), shape, off


def scheme_text(scheme: Scheme, confirmed: bool) -> str:
    """A scheme as TOML; its mirror pairs are comments unless they are `confirmed`."""
    pairs = _pairs(scheme)
    lines = [
        f"name = {_quoted(scheme.name)}",
        "# In the order in which a predictor gives them.",
        "points = [",
        *(f"    {_quoted(name)}," for name in scheme.points),
        "]",
        "",
    ]
    if pairs is None:
        lines += [
            "# Nothing is mirrored: no mirror pairs are known, e.g.",
            '# mirror = [["a", "b"]]',
        ]
    else:
        said = "Points that take each other's place in a mirror image; all others keep theirs."
        mark = "" if confirmed else "# "
        if not confirmed:
            said += (
                " Proposed\n# from the mean shape: look at the picture, correct and uncomment them."
            )
        lines += [f"# {said}", f"{mark}mirror = ["]
        lines += [f"{mark}    [{_quoted(one)}, {_quoted(other)}]," for one, other in pairs]
        lines += [f"{mark}]"]
    ends = _listed(scheme, (0, scheme.size - 1))
    line, groups = scheme.normaliser, scheme.groups
    lines += [
        "",
        "# What errors are divided by: the distance of two points; without it, the shape's size.",
        f"normaliser = [{', '.join(_listed(scheme, end) for end in line)}]"
        if line
        else f"# normaliser = {ends}",
        "# Lines to draw, each through its points.",
        f"edges = [{', '.join(_listed(scheme, edge) for edge in scheme.edges)}]"
        if scheme.edges
        else f"# edges = [{ends}]",
        "# Whether these are points of a face, which the toolkit's own detectors find.",
        f"face = {str(scheme.face).lower()}",
        "",
        "# Parts by name, for `Face.part` and for the error by region.",
        "[groups]" if groups else "# [groups]",
        *(f"{_quoted(name)} = {_listed(scheme, group)}" for name, group in groups.items()),
        *([] if groups else [f"# outline = {ends}"]),
    ]
    if scheme.positions:
        lines += ["", "[positions]"]
        lines += [
            f"{_quoted(name)} = {list(place)}"
            for name, place in zip(scheme.points, scheme.positions, strict=True)
        ]
    return "\n".join(lines) + "\n"


def _pairs(scheme: Scheme) -> list[tuple[str, str]] | None:
    if scheme.mirror is None:
        return None
    return [
        (scheme.points[one], scheme.points[other])
        for one, other in enumerate(scheme.mirror)
        if one < other
    ]


def _listed(scheme: Scheme, places: Sequence[int]) -> str:
    return f"[{', '.join(_quoted(scheme.points[place]) for place in places)}]"


def _quoted(text: str) -> str:
    # What TOML would take for an escape; quotes and line ends are in no name.
    return '"' + text.replace("\\", "\\\\") + '"'


def draw_scheme(scheme: Scheme, shape: FloatArray) -> Image:
    """The mean shape with the names of its points, and a line between those of each mirror pair.

    Returns
    -------
    array of uint8, shape (800, 800, 3)
        RGB.
    """
    box = Box.around(shape)
    scale = (_SIDE - 2 * _BORDER) / max(box.width - 1, box.height - 1, 1e-6)
    places = (shape - np.mean([shape.min(axis=0), shape.max(axis=0)], axis=0)) * scale + _SIDE / 2
    image = np.full((_SIDE, _SIDE, 3), 30, np.uint8)
    spots = [(round(x), round(y)) for x, y in places.tolist()]
    for one, other in enumerate(scheme.mirror or ()):
        if one < other:
            cv2.line(image, spots[one], spots[other], BOX_COLOUR, 1, cv2.LINE_AA)
    for name, (x, y) in zip(scheme.points, spots, strict=True):
        cv2.circle(image, (x, y), 5, POINT_COLOUR, -1, cv2.LINE_AA)
        text = name.encode("ascii", "replace").decode()
        place = (x + 8, y - 6)
        cv2.putText(image, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, (235,) * 3, 1, cv2.LINE_AA)
    return image


def write_scheme(
    records: Sequence[ImageRecord],
    target: Path,
    picture: Path,
    confirmed: bool,
    source: str | Path = "<records>",
) -> tuple[Scheme, float]:
    """Write a scheme as TOML, and a picture of its points beside it; see `proposed_scheme`.

    Raises
    ------
    OptionError
        The target does not end in ``.toml``, or the points are of a scheme of the toolkit's.
    """
    if target.suffix != ".toml":
        raise OptionError(f"a scheme is written to a file ending in .toml, not to {target}")
    scheme, shape, off = proposed_scheme(records, target.stem, source)
    if scheme.name in SCHEMES:
        raise OptionError(
            f"scheme {scheme.name} comes with the toolkit: say --scheme {scheme.name}, or give "
            f"another name than {target}"
        )
    known = any(face.scheme.mirror is not None for record in records for face in record.faces)
    write_text(target, scheme_text(scheme, confirmed or known))
    write_image(picture, draw_scheme(scheme, shape))
    return scheme, off
