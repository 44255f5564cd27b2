"""Checking dlib's XML to its end: what dlib would stop at, or silently learn wrong."""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count, groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..backend import load_dlib
from ..boxes import Box, FloatArray, annotated
from ..errors import DataError
from ..landmarks import FACE_68, Scheme, read_scheme
from ..parallel import parallel_map, progress, resolve_jobs
from .image_state import picture_state
from .read import (
    BOX_SIDES,
    Element,
    Report,
    XmlStream,
    parts,
    points_of,
    stated_scheme,
    xml_scheme,
)

KINDS = {
    "encoding": "a byte order mark, or UTF-16",
    "doctype": "a DOCTYPE, or entities",
    "root": "another root than <dataset>",
    "misplaced": "an element where dlib does not look for it",
    "escape": "an attribute with &…;, which dlib does not decode",
    "attribute": "an attribute missing, or not the number it must be",
    "path": "no picture named; an absolute path, a path above the root, backslashes, & < >",
    "listed-twice": "one picture in two entries",
    "no-box": "a picture without a box",
    "box-size": "a box without area",
    "box-outside": "a box wholly outside its picture",
    "box-far": "a box off its parts, or of quite another size",
    "no-parts": "a face without a landmark",
    "part-twice": "a part twice in one box",
    "part-name": "a part that is unknown, or that sorts wrongly ('5' for '05')",
    "part-far": "a part far outside its box",
    "one-place": "all parts in one place",
    "swapped": "left and right swapped",
    "part-absent": "a part that no face has: dlib would number the others on",
    "no-face": "nothing to train on",
    "picture-missing": "a picture that does not exist",
    "picture-format": "a picture in a format that dlib cannot read",
    "picture-damaged": "an empty, damaged or cut picture",
    "picture-turned": "a picture that an EXIF tag turns, which dlib ignores",
}

PART_FAR = 1.0
"""How far outside its box a landmark may lie, in sides of the box. (dlib warns from 100.)"""

SIZE_RATIO = 3.0
"""How much larger or smaller than the spread of its landmarks a box may be, side by side."""

_LEAST_PARTS = 5

ONE_PLACE = 0.05
"""Landmarks that reach no further than this fraction of the box's side are in one place."""

SWAPPED = 0.25
"""How far, in heights of the face from eyes to mouth, a pair must stand the wrong way round to
count as swapped; in a profile a pair stands at one place, and may be a little off it either way."""

# What dlib takes for the attributes of a box that it can do without, and what anything else is.
_OPTIONAL = {
    **dict.fromkeys(
        ("angle", "age", "pose", "detection_score"),
        (re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"), "not a number"),
    ),
    **dict.fromkeys(
        ("difficult", "truncated", "occluded", "ignore"),
        (re.compile("0|1|true|false", re.ASCII | re.IGNORECASE), "not 0 or 1"),
    ),
    "gender": (re.compile("male|female|unknown"), "which stops dlib"),
}
_DIGITS = re.compile(r"[0-9]+")


@dataclass(frozen=True)
class Finding:
    """One problem, of a kind of `KINDS`."""

    kind: str
    error: DataError


@dataclass
class CheckReport:
    """What `check_xml` found.

    Parameters
    ----------
    source : Path
    scheme : Scheme
    findings : list of Finding
        In the order of the file's lines.
    pictures, faces, ignored : int
        Entries read; `faces` counts boxes that are not ignored.
    part_sets : Counter of frozenset of str
        How many faces have just these parts. More than one set is allowed.
    fatal : DataError, optional
        Why the file could not be read to its end.
    """

    source: Path
    scheme: Scheme = FACE_68
    findings: list[Finding] = field(default_factory=list)
    pictures: int = 0
    faces: int = 0
    ignored: int = 0
    part_sets: Counter[frozenset[str]] = field(default_factory=Counter)
    fatal: DataError | None = None

    @property
    def kinds(self) -> Counter[str]:
        """Number of findings of each kind."""
        return Counter(finding.kind for finding in self.findings)


def by_kind(findings: Sequence[Finding], most: int) -> list[Finding]:
    """The first `most` findings of each kind, in their order."""
    numbers: dict[str, count[int]] = defaultdict(count)
    return [finding for finding in findings if next(numbers[finding.kind]) < most]


def differing_parts(report: CheckReport) -> str:
    """In words, how many faces lack landmarks; empty where none does."""
    size = report.scheme.size
    lacking = sum(count for names, count in report.part_sets.items() if len(names) < size)
    if not lacking:
        return ""
    return f"{lacking} of {report.faces} faces lack some landmarks, which dlib allows"


class _Picture(NamedTuple):
    """A picture to look at, and the boxes that must lie in it, with their lines and numbers."""

    name: str
    line: int
    boxes: tuple[tuple[int, int, Box], ...]


def check_xml(
    source: str | Path,
    scheme: Scheme | str | None = None,
    pictures: bool = True,
    jobs: int | None = None,
    show_progress: bool = False,
) -> CheckReport:
    """Check a dlib XML file to its end.

    Parameters
    ----------
    source : path
        The XML. It is untrusted.
    scheme : Scheme or str, optional
        Which landmarks the parts name; by default what the file says, see `xml.read.xml_scheme`.
    pictures : bool
        Open the pictures too.
    jobs : int, optional
        Processes to read pictures with; by default one a core.
    show_progress : bool
        Progress bar on stderr.

    Returns
    -------
    CheckReport
        Its `fatal` says why a file could not be read to its end; that is not raised.

    Raises
    ------
    OptionError
        There is no such scheme.
    """
    if isinstance(scheme, str):
        scheme = read_scheme(scheme)
    known = scheme or stated_scheme(source)
    run = _Check(Path(source), known or xml_scheme(source), inferred=known is None)
    run.read(show_progress)
    if pictures:
        run.check_pictures(resolve_jobs(jobs), show_progress)
    run.report.findings.sort(key=lambda finding: finding.error.line or 0)
    return run.report


class _Check:
    """A check under way."""

    def __init__(self, source: Path, scheme: Scheme, inferred: bool) -> None:
        self.report = CheckReport(source, scheme)
        self._inferred = inferred
        self._stream = XmlStream(source, self._complain)
        self._pictures: list[_Picture] = []
        self._listed: dict[str, int] = {}
        self._ignored_names: set[str] = set()
        # The root counts as climbed over only where it cannot be told from the root itself.
        self._depth = len(source.resolve().parent.parts) - 1

    def read(self, show_progress: bool) -> None:
        try:
            for image in progress(self._stream.images(), None, "entries", show_progress):
                self._check_image(image)
        except DataError as error:
            self.report.fatal = error
        else:
            self._check_whole()

    def _complain(self, kind: str, line: int, problem: str) -> None:
        self.report.findings.append(Finding(kind, DataError(self.report.source, problem, line)))

    def _check_image(self, image: Element) -> None:
        self.report.pictures += 1
        name = self._stream.file_name(image)
        shown = name or "a picture without a name"
        for key in ("width", "height"):
            value = image.attributes.get(key, "0")
            if not _DIGITS.fullmatch(value):
                problem = f"{key} of {shown} is {value[:40]!r}, not a whole number"
                self._complain("attribute", image.line, problem)
        boxes = list(image.each("box"))
        if not boxes:
            self._complain("no-box", image.line, f"{shown} has no box, so it is loaded for nothing")
        usable = []
        for number, element in enumerate(boxes, start=1):
            box = self._check_face(element, f"face {number} of {shown}")
            if box is not None:
                usable.append((element.line, number, box))
        if not name:
            self._complain("path", image.line, "<image> has no file")
        elif self._check_name(name, image.line):
            self._pictures.append(_Picture(name, image.line, tuple(usable)))

    def _check_face(self, element: Element, face: str) -> Box | None:
        """The face's box, if it is right and not ignored."""

        def complain(kind: str, line: int, problem: str) -> None:
            self._complain(kind, line, f"{face}: {problem}")

        box = _checked_box(element, complain)
        places = {name: place for _, name, place in parts(element, complain)}
        if element.ignored:
            self.report.ignored += 1
            self._ignored_names |= places.keys()
            return None
        self.report.faces += 1
        self.report.part_sets[frozenset(places)] += 1
        scheme = self.report.scheme
        _check_names(list(places), scheme, element.line, complain)
        if not places:
            complain("no-parts", element.line, "has no landmark: dlib learns nothing from it")
        elif box is not None:
            for kind, problem in geometry_problems(points_of(places, scheme), box, scheme):
                complain(kind, element.line, problem)
        return box

    def _check_name(self, name: str, line: int) -> bool:
        """Whether `name` names a picture that has not been looked for yet."""
        key = os.path.normpath(name)
        climbs = key.split(os.sep).count("..")
        problem = ""
        if name.startswith("/") or name[1:3] in (":\\", ":/"):
            problem = "an absolute path holds on one machine only"
        elif "\\" in name:
            problem = "backslashes part folders on Windows only"
        elif any(sign in name for sign in "&<>"):
            problem = "dlib cannot read a name with & < or > from XML"
        elif climbs > self._depth:
            problem = f"climbs {climbs} folders up, and there are {self._depth}"
        if problem:
            self._complain("path", line, f"{name}: {problem}")
        if key in self._listed:
            first = self._listed[key]
            self._complain("listed-twice", line, f"{name} is listed already in line {first}")
            return False
        self._listed[key] = line
        return True

    def _check_whole(self) -> None:
        """What can be said only of all faces together."""
        line = self._stream.root_line
        names: set[str] = set().union(*self.report.part_sets)
        if self._stream.stopped:
            return
        if not names:
            self._complain("no-face", line, "has no face to train on")
            return
        scheme = self.report.scheme
        present = {scheme.index(name) for name in names}
        absent = [i for i in range(scheme.size) if i not in present]
        if absent and self._inferred:
            self.report.scheme = scheme.select([i for i in range(scheme.size) if i in present])
        elif absent:
            self._complain(
                "part-absent",
                line,
                f"no face has {point_ranges(scheme, absent)}: a predictor would have the "
                f"{len(names)} points there are, and not those of {scheme.title}",
            )
        if only_ignored := sorted(self._ignored_names - names):
            problem = f"{', '.join(only_ignored)} only in ignored boxes, at which dlib stops"
            self._complain("part-absent", line, problem)

    def check_pictures(self, jobs: int, show_progress: bool) -> None:
        load_dlib()
        paths = [self.report.source.parent / picture.name for picture in self._pictures]
        states = parallel_map(picture_state, paths, jobs)
        with_bar = progress(states, len(paths), "pictures", show_progress)
        for picture, state in zip(self._pictures, with_bar, strict=True):
            if state.kind:
                self._complain(state.kind, picture.line, f"{picture.name} {state.problem}")
            width, height = state.width, state.height
            for line, number, box in picture.boxes if width else ():
                if box.left >= width or box.top >= height or box.right < 0 or box.bottom < 0:
                    face = f"face {number} of {picture.name}"
                    outside = f"wholly outside the picture of {width} x {height} pixels"
                    self._complain("box-outside", line, f"{face}: its box is {outside}")


def _checked_box(element: Element, complain: Report) -> Box | None:
    box = Box(*element.pixels(BOX_SIDES, complain))
    whole = bool(np.isfinite(box).all())
    if whole and min(box.width, box.height) < 2:
        whole = False
        # dlib maps the corners' distances, one less than the sides, to 1.
        sides = f"{box.width} x {box.height}"
        complain("box-size", element.line, f"box of {sides} pixels has no area for dlib")
    for name, (taken, problem) in _OPTIONAL.items():
        value = element.attributes.get(name)
        if value is not None and not taken.fullmatch(value):
            complain("attribute", element.line, f"{name} is {value[:40]!r}, {problem}")
    return box if whole else None


def _check_names(names: list[str], scheme: Scheme, line: int, complain: Report) -> None:
    unknown = [name for name in names if scheme.index(name) is None]
    known = [name for name in names if name not in unknown]
    places: dict[int | None, str] = {}
    for name in known:
        first = places.setdefault(scheme.index(name), name)
        if first != name:
            complain("part-twice", line, f"{first!r} and {name!r} are the same part")
    # Numbers of other digits do no harm as long as the strings sort as the numbers do.
    if scheme.numbered and sorted(known) != sorted(known, key=int):
        digits = max(map(len, scheme.points))
        odd = [name for name in known if len(name) != digits]
        right = f"'{int(odd[0]):0{digits}d}' for {odd[0]!r}"
        problem = f"{listing(odd)} must have {digits} digits ({right})"
        complain("part-name", line, f"dlib sorts part names as strings: {problem}")
    if unknown:
        problem = f"unknown part {listing(unknown)}; {scheme.range}"
        complain("part-name", line, problem)


def listing(names: Sequence[str], most: int = 5) -> str:
    """A few names, and how many more there are."""
    shown = ", ".join(repr(name[:40]) for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def point_ranges(scheme: Scheme, places: Sequence[int]) -> str:
    """Landmarks in short, given in ascending order.

    Examples
    --------
    >>> point_ranges(FACE_68, [0, 1, 2, 30])
    '00-02, 30'
    """
    names = scheme.points
    runs = [list(run) for _, run in groupby(enumerate(places), lambda pair: pair[1] - pair[0])]
    ends = [(run[0][1], run[-1][1]) for run in runs]
    return ", ".join(names[a] if a == b else f"{names[a]}-{names[b]}" for a, b in ends)


def geometry_problems(
    points: FloatArray, box: Box, scheme: Scheme = FACE_68
) -> list[tuple[str, str]]:
    """What is implausible in a face's landmarks and box.

    Parameters
    ----------
    points : array, shape (n, 2)
        Pixels of the picture; NaN = not annotated.
    box : Box
    scheme : Scheme

    Returns
    -------
    list of (kind, problem)
        The kinds are those of `xml.check.KINDS`.
    """
    given = points[annotated(points)]
    side = max(box.width, box.height)
    if len(given) >= 3 and float(np.ptp(given, axis=0).max()) < ONE_PLACE * side:
        return [("one-place", f"all {len(given)} parts are in one place")]
    # A few points say little of the size of a thing.
    enough = 2 * len(given) >= len(points) and len(given) >= _LEAST_PARTS
    problem = _box_problem(given, box) if enough else ""
    found = [("box-far", problem)] if problem else _far_parts(points, box, scheme)
    swapped = swapped_groups(points, scheme)
    if swapped:
        found.append(("swapped", f"left and right are swapped: {', '.join(swapped)}"))
    return found


def _box_problem(given: FloatArray, box: Box) -> str:
    # Medians and percentiles, so that one part far away is not taken for the box's fault.
    x, y = np.median(given, axis=0)
    if not (box.left <= x <= box.right and box.top <= y <= box.bottom):
        return f"the middle of its parts, ({x:.0f}, {y:.0f}), is outside its box"
    extent = np.percentile(given, 95, axis=0) - np.percentile(given, 5, axis=0) + 1
    ratio = float(np.sqrt(box.width * box.height / extent.prod()))
    wrong = not 1 / SIZE_RATIO <= ratio <= SIZE_RATIO
    return f"its box is {ratio:.2g} times the size of the face in it" if wrong else ""


def _far_parts(points: FloatArray, box: Box, scheme: Scheme) -> list[tuple[str, str]]:
    corners = box[:2], (box.right, box.bottom)
    outside = np.maximum(corners[0] - points, points - corners[1]).max(axis=1)
    far = np.flatnonzero(outside > PART_FAR * max(box.width, box.height)).tolist()
    if not far:
        return []
    distance = f"up to {np.nanmax(outside):.0f} pixels outside the box"
    return [("part-far", f"{point_ranges(scheme, far)} {distance}")]


def swapped_groups(points: FloatArray, scheme: Scheme = FACE_68) -> list[str]:
    """Pairs of the face whose left and right are the wrong way round for its up direction.

    In a picture, eyes, brows and mouth of an upright face run from its left to its right, and so
    they do, turned along, in a face lying on its side or its head.

    Parameters
    ----------
    points : array, shape (n, 2)
        Pixels of the picture; NaN = not annotated.
    scheme : Scheme
        Nothing can be said of one without eyes and mouth.

    Returns
    -------
    list of str
        Of "eyes", "brows" and "mouth".
    """
    groups = scheme.groups
    if scheme.mirror is None or not groups.keys() >= {"left_eye", "right_eye", "mouth"}:
        return []
    middle = dict.fromkeys(("left_brow", "right_brow"), np.full(2, np.nan))
    for name, group in groups.items():
        given = points[list(group)]
        given = given[annotated(given)]
        middle[name] = given.mean(axis=0) if len(given) else np.full(2, np.nan)
    down = middle["mouth"] - (middle["left_eye"] + middle["right_eye"]) / 2
    height = float(down @ down)
    corner = groups["mouth"][0]
    pairs = {
        "eyes": middle["right_eye"] - middle["left_eye"],
        "brows": middle["right_brow"] - middle["left_brow"],
        "mouth": points[scheme.mirror[corner]] - points[corner],
    }
    return [
        name
        for name, along in pairs.items()
        if height > 0 and along[0] * down[1] - along[1] * down[0] < -SWAPPED * height
    ]
