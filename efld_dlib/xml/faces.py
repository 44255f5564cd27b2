"""Whether the entry of one face in dlib's XML is right, and its landmarks can be a face's."""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np

from ..backend import load_dlib
from ..boxes import Box, FloatArray, annotated
from ..files import read_bytes
from ..landmarks import SCHEMES, part_name
from ..picture_size import too_large
from .stream import Element

Complain = Callable[[str, int, str], None]
"""Takes a kind of `xml.check.KINDS`, a line, and what is wrong with the face."""

PART_FAR = 1.0
"""How far outside its box a landmark may lie, in sides of the box. (dlib warns from 100.)"""

SIZE_RATIO = 3.0
"""How much larger or smaller than the spread of its landmarks a box may be, side by side."""

ONE_PLACE = 0.05
"""Landmarks that reach no further than this fraction of the box's side are in one place."""

SWAPPED = 0.25
"""How far, in heights of the face from eyes to mouth, a pair must stand the wrong way round to
count as swapped; in a profile a pair stands at one place, and may be a little off it either way."""

# What dlib takes, and is within a C long everywhere. It also takes 0x1f; other readers do not.
_WHOLE = re.compile(r"[+-]?[0-9]{1,9}")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_DIGITS = re.compile(r"[0-9]+")
_NUMBERS = ("angle", "age", "pose", "detection_score")
_SWITCHES = ("difficult", "truncated", "occluded", "ignore")


@dataclass(frozen=True)
class FaceEntry:
    """A face's entry as far as it can be made out.

    Parameters
    ----------
    names : frozenset of str
        Names of its parts.
    box : Box or None
        None where it is wrong.
    ignored : bool
    """

    names: frozenset[str]
    box: Box | None
    ignored: bool


def check_face(element: Element, scheme: str, complain: Complain) -> FaceEntry:
    """Check one ``<box>``, and return what is known of it."""
    box = _checked_box(element, complain)
    for name in _NUMBERS:
        value = element.attributes.get(name)
        if value is not None and not _NUMBER.fullmatch(value):
            complain("attribute", element.line, f"{name} is {value[:40]!r}, not a number")
    for name in _SWITCHES:
        value = element.attributes.get(name)
        if value is not None and value.lower() not in ("0", "1", "true", "false"):
            complain("attribute", element.line, f"{name} is {value[:40]!r}, not 0 or 1")
    gender = element.attributes.get("gender", "unknown")
    if gender not in ("male", "female", "unknown"):
        complain("attribute", element.line, f"gender is {gender[:40]!r}, which stops dlib")

    places = _checked_parts(element, complain)
    ignored = element.attributes.get("ignore", "").lower() in ("1", "true")
    if not ignored:
        _check_names(list(places), scheme, element.line, complain)
        if not places:
            complain("no-parts", element.line, "has no landmark: dlib learns nothing from it")
        elif box is not None:
            for kind, problem in geometry_problems(_points(places, scheme), box, scheme):
                complain(kind, element.line, problem)
    return FaceEntry(frozenset(places), box, ignored)


def _checked_box(element: Element, complain: Complain) -> Box | None:
    values = [_whole(element, key, complain) for key in ("left", "top", "width", "height")]
    left, top, width, height = values
    if left is None or top is None or width is None or height is None:
        return None
    if width < 2 or height < 2:
        # dlib maps the corners' distances, one less than the sides, to 1.
        complain("box-size", element.line, f"box of {width} x {height} pixels has no area for dlib")
        return None
    return Box(left, top, width, height)


def _whole(element: Element, key: str, complain: Complain) -> int | None:
    value = element.attributes.get(key)
    if value is not None and _WHOLE.fullmatch(value):
        return int(value)
    found = "is missing" if value is None else f"is {value[:40]!r}, not a whole number of pixels"
    what = "box" if element.tag == "box" else f"part {element.attributes.get('name', '?')[:40]!r}"
    complain("attribute", element.line, f"{key} of {what} {found}")
    return None


def _checked_parts(element: Element, complain: Complain) -> dict[str, tuple[float, float]]:
    places: dict[str, tuple[float, float]] = {}
    for part in element.each("part"):
        name = part.attributes.get("name")
        x, y = (_whole(part, key, complain) for key in ("x", "y"))
        if name is None:
            complain("attribute", part.line, "a part has no name")
        elif name in places:
            complain("part-twice", part.line, f"part {name!r} stands twice in the box")
        else:
            places[name] = (np.nan, np.nan) if x is None or y is None else (float(x), float(y))
    return places


def _check_names(names: list[str], scheme: str, line: int, complain: Complain) -> None:
    size = SCHEMES[scheme].size
    known = {part_name(i) for i in range(size)}
    odd = [name for name in names if name not in known]
    padded = [name for name in odd if (number := part_number(name)) is not None and number < size]
    if padded:
        first = padded[0]
        complain(
            "part-name",
            line,
            f"dlib sorts part names as strings: {listing(padded)} must have two digits "
            f"({part_name(part_number(first) or 0)!r} for {first[:40]!r})",
        )
    unknown = [name for name in odd if name not in padded]
    if unknown:
        complain(
            "part-name",
            line,
            f"unknown part {listing(unknown)}; {scheme} points are 00 to {part_name(size - 1)}",
        )


def part_number(name: str) -> int | None:
    """The number that a part's name is, with or without leading zeros, or None."""
    digits = name.lstrip("0")
    # Python makes no number of thousands of digits.
    return int(digits or "0") if _DIGITS.fullmatch(name) and len(digits) < 10 else None


def listing(names: Sequence[str], most: int = 5) -> str:
    """A few names, and how many more there are."""
    shown = ", ".join(repr(name[:40]) for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def index_ranges(indices: Sequence[int]) -> str:
    """Sorted part numbers in short.

    Examples
    --------
    >>> index_ranges([0, 1, 2, 30])
    '00-02, 30'
    """
    runs = [list(run) for _, run in groupby(enumerate(indices), lambda pair: pair[1] - pair[0])]
    ends = [(run[0][1], run[-1][1]) for run in runs]
    return ", ".join(part_name(a) if a == b else f"{part_name(a)}-{part_name(b)}" for a, b in ends)


def _points(places: dict[str, tuple[float, float]], scheme: str) -> FloatArray:
    points: FloatArray = np.full((SCHEMES[scheme].size, 2), np.nan)
    for index in range(len(points)):
        if part_name(index) in places:
            points[index] = places[part_name(index)]
    return points


def geometry_problems(points: FloatArray, box: Box, scheme: str = "68") -> list[tuple[str, str]]:
    """What is implausible in a face's landmarks and box.

    Parameters
    ----------
    points : array, shape (n, 2)
        Pixels of the picture; NaN = not annotated.
    box : Box
    scheme : str

    Returns
    -------
    list of (kind, problem)
        The kinds are those of `xml.check.KINDS`.
    """
    given = points[annotated(points)]
    side = max(box.width, box.height)
    if len(given) >= 3 and float(np.ptp(given, axis=0).max()) < ONE_PLACE * side:
        return [("one-place", f"all {len(given)} parts are in one place")]
    found: list[tuple[str, str]] = []
    if 2 * len(given) >= len(points):
        found += _box_problems(given, box)
    if not found:
        found += _far_parts(points, box)
    swapped = swapped_groups(points, scheme)
    if swapped:
        found.append(("swapped", f"left and right are swapped: {', '.join(swapped)}"))
    return found


def _box_problems(given: FloatArray, box: Box) -> list[tuple[str, str]]:
    # Medians and percentiles, so that one part far away is not taken for the box's fault.
    x, y = np.median(given, axis=0)
    if not (box.left <= x <= box.right and box.top <= y <= box.bottom):
        return [("box-far", f"the middle of its parts, ({x:.0f}, {y:.0f}), is outside its box")]
    extent = np.percentile(given, 95, axis=0) - np.percentile(given, 5, axis=0) + 1
    ratio = float(np.sqrt(box.width * box.height / extent.prod()))
    if not 1 / SIZE_RATIO <= ratio <= SIZE_RATIO:
        return [("box-far", f"its box is {ratio:.2g} times the size of the face in it")]
    return []


def _far_parts(points: FloatArray, box: Box) -> list[tuple[str, str]]:
    low = np.array([box.left, box.top])
    high = np.array([box.right, box.bottom])
    outside = np.maximum(low - points, points - high).max(axis=1)
    far = np.flatnonzero(outside > PART_FAR * max(box.width, box.height))
    if not len(far):
        return []
    distance = float(np.nanmax(outside))
    names = index_ranges([int(i) for i in far])
    return [("part-far", f"{names} up to {distance:.0f} pixels outside the box")]


def swapped_groups(points: FloatArray, scheme: str = "68") -> list[str]:
    """Pairs of the face whose left and right are the wrong way round for its up direction.

    In a picture, eyes, brows and mouth of an upright face run from its left to its right, and so
    they do, turned along, in a face lying on its side or its head.

    Parameters
    ----------
    points : array, shape (n, 2)
        Pixels of the picture; NaN = not annotated.
    scheme : str

    Returns
    -------
    list of str
        Of "eyes", "brows" and "mouth".
    """
    groups = SCHEMES[scheme].groups
    middle = {name: _middle(points, group) for name, group in groups.items()}
    down = middle["mouth"] - (middle["left_eye"] + middle["right_eye"]) / 2
    height = float(down @ down)
    corner = groups["mouth"][0]
    pairs = {
        "eyes": middle["right_eye"] - middle["left_eye"],
        "brows": middle["right_brow"] - middle["left_brow"],
        "mouth": points[SCHEMES[scheme].mirror[corner]] - points[corner],
    }
    return [
        name
        for name, along in pairs.items()
        if height > 0 and along[0] * down[1] - along[1] * down[0] < -SWAPPED * height
    ]


def _middle(points: FloatArray, group: Sequence[int]) -> FloatArray:
    given = points[list(group)]
    given = given[annotated(given)]
    middle: FloatArray = given.mean(axis=0) if len(given) else np.full(2, np.nan)
    return middle


_JPEG = b"\xff\xd8\xff"
# Signatures of formats that OpenCV reads; a usual dlib does not.
_FOREIGN = (
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"RIFF", "WebP"),
    (b"GIF8", "GIF"),
    (b"\0\0\0\x0cjP", "JPEG 2000"),
    (b"P2", "PGM"),
    (b"P3", "PPM"),
    (b"P5", "PGM"),
    (b"P6", "PPM"),
)
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
    for signature, name in _FOREIGN:
        if data.startswith(signature) and (name != "WebP" or data[8:12] == b"WEBP"):
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
        return PictureState(kind="picture-damaged", problem=f"is damaged ({_first_line(error)})")
    if data.startswith(_JPEG) and exif_orientation(data) not in (0, 1):
        problem = "is turned upright by an EXIF tag, which dlib ignores"
        return PictureState(width, height, "picture-turned", problem)
    return PictureState(width, height)


def _first_line(error: RuntimeError) -> str:
    return (str(error).strip().splitlines() or ["no reason given"])[0]


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
        return 0
    return 0
