"""What a check of dlib's XML can find, and its report."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..backend import load_dlib
from ..boxes import Box
from ..errors import DataError
from ..landmarks import SCHEMES, part_name
from ..parallel import parallel_map, progress, resolve_jobs
from .faces import FaceEntry, check_face, index_ranges, part_number, picture_state
from .stream import Element, XmlStream, require_scheme, stated_scheme

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


@dataclass(frozen=True)
class Finding:
    """One problem, of a kind of `KINDS`."""

    kind: str
    error: DataError

    @property
    def line(self) -> int:
        """Line in the file, counted from 1; 0 where it is not known."""
        return self.error.line or 0


@dataclass
class CheckReport:
    """What `check_imglab` found.

    Parameters
    ----------
    source : Path
    scheme : str
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
    scheme: str = "68"
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
    seen: Counter[str] = Counter()
    kept = []
    for finding in findings:
        seen[finding.kind] += 1
        if seen[finding.kind] <= most:
            kept.append(finding)
    return kept


def differing_parts(report: CheckReport) -> str:
    """In words, how many faces lack landmarks; empty where none does."""
    full = frozenset(part_name(i) for i in range(SCHEMES[report.scheme].size))
    lacking = sum(count for names, count in report.part_sets.items() if not full <= names)
    if not lacking:
        return ""
    total = report.faces
    return f"{lacking} of {total} faces lack some landmarks, which dlib allows"


@dataclass(frozen=True)
class _Picture:
    """A picture to look at, and the boxes that must lie in it."""

    name: str
    path: Path
    line: int
    boxes: tuple[tuple[int, int, Box], ...]
    """Of each: its line, its number in the picture, itself."""


def check_imglab(
    source: str | Path,
    scheme: str | None = None,
    pictures: bool = True,
    jobs: int | None = None,
    show_progress: bool = False,
) -> CheckReport:
    """Check a dlib XML file to its end.

    Parameters
    ----------
    source : path
        The XML. It is untrusted.
    scheme : str, optional
        Which landmarks the parts name; by default what the file itself says, else "68".
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
    scheme = scheme or stated_scheme(source)
    require_scheme(scheme)
    run = _Check(Path(source), scheme)
    run.read(show_progress)
    if run.report.fatal is None:
        run.check_whole()
    if pictures:
        run.check_pictures(resolve_jobs(jobs), show_progress)
    run.report.findings.sort(key=lambda finding: finding.line)
    return run.report


class _Check:
    """A check under way."""

    def __init__(self, source: Path, scheme: str) -> None:
        self.report = CheckReport(source, scheme)
        self._scheme = scheme
        self._stream = XmlStream(source, self._complain)
        self._pictures: list[_Picture] = []
        self._listed: dict[str, int] = {}
        self._ignored_names: set[str] = set()
        # The root counts as climbed over only where it cannot be told from the root itself.
        self._depth = len(source.resolve().parent.parts) - 1

    def read(self, show_progress: bool) -> None:
        try:
            images = progress(self._stream.images(), None, "entries", show_progress)
            for image in images:
                self._check_image(image)
        except DataError as error:
            self.report.fatal = error

    def _complain(self, kind: str, line: int, problem: str) -> None:
        self.report.findings.append(Finding(kind, DataError(self.report.source, problem, line)))

    def _check_image(self, image: Element) -> None:
        self.report.pictures += 1
        name = self._stream.file_name(image)
        shown = name or "a picture without a name"
        for key in ("width", "height"):
            value = image.attributes.get(key, "0")
            if not (value.isascii() and value.isdigit()):
                problem = f"{key} of {shown} is {value[:40]!r}, not a whole number"
                self._complain("attribute", image.line, problem)
        boxes = list(image.each("box"))
        if not boxes:
            self._complain("no-box", image.line, f"{shown} has no box, so it is loaded for nothing")
        usable: list[tuple[int, int, Box]] = []
        for number, box in enumerate(boxes, start=1):
            entry = self._check_box(box, number, shown)
            if entry.box is not None and not entry.ignored:
                usable.append((box.line, number, entry.box))
        if self._check_name(name, image.line):
            path = self.report.source.parent / str(name)
            self._pictures.append(_Picture(str(name), path, image.line, tuple(usable)))

    def _check_box(self, box: Element, number: int, picture: str) -> FaceEntry:
        def complain(kind: str, line: int, problem: str) -> None:
            self._complain(kind, line, f"face {number} of {picture}: {problem}")

        entry = check_face(box, self._scheme, complain)
        if entry.ignored:
            self.report.ignored += 1
            self._ignored_names |= entry.names
        else:
            self.report.faces += 1
            self.report.part_sets[entry.names] += 1
        return entry

    def _check_name(self, name: str | None, line: int) -> bool:
        """Whether `name` names a picture that has not been looked for yet."""
        if not name:
            self._complain("path", line, "<image> has no file")
            return False
        problem = self._path_problem(name)
        if problem:
            self._complain("path", line, f"{name}: {problem}")
        key = os.path.normpath(name)
        if key in self._listed:
            first = self._listed[key]
            self._complain("listed-twice", line, f"{name} is listed already in line {first}")
            return False
        self._listed[key] = line
        return True

    def _path_problem(self, name: str) -> str:
        if name.startswith("/") or name[1:3] in (":\\", ":/"):
            return "an absolute path holds on one machine only"
        if "\\" in name:
            return "backslashes part folders on Windows only"
        if any(sign in name for sign in "&<>"):
            return "dlib cannot read a name with & < or > from XML"
        climbs = os.path.normpath(name).split(os.sep).count("..")
        if climbs > self._depth:
            return f"climbs {climbs} folders up, and there are {self._depth}"
        return ""

    def check_whole(self) -> None:
        """What can be said only of all faces together."""
        if self._stream.stopped:
            return
        line = self._stream.root_line
        names: set[str] = set().union(*self.report.part_sets) if self.report.part_sets else set()
        if not names:
            self._complain("no-face", line, "has no face to train on")
            return
        numbers = {part_number(name) for name in names}
        size = SCHEMES[self._scheme].size
        absent = [i for i in range(size) if i not in numbers]
        if absent:
            self._complain(
                "part-absent",
                line,
                f"no face has {index_ranges(absent)}: dlib would number the {len(names)} parts "
                f"there are from 0, so that they are not the {self._scheme} points",
            )
        only_ignored = sorted(self._ignored_names - names)
        if only_ignored:
            problem = f"{', '.join(only_ignored)} only in ignored boxes, at which dlib stops"
            self._complain("part-absent", line, problem)

    def check_pictures(self, jobs: int, show_progress: bool) -> None:
        load_dlib()
        paths = [picture.path for picture in self._pictures]
        states = parallel_map(picture_state, paths, jobs)
        with_bar = progress(states, len(paths), "pictures", show_progress)
        for picture, state in zip(self._pictures, with_bar, strict=True):
            if state.kind:
                self._complain(state.kind, picture.line, f"{picture.name} {state.problem}")
            if state.width:
                self._check_places(picture, state.width, state.height)

    def _check_places(self, picture: _Picture, width: int, height: int) -> None:
        for line, number, box in picture.boxes:
            if box.left >= width or box.top >= height or box.right < 0 or box.bottom < 0:
                problem = f"its box is wholly outside the picture of {width} x {height} pixels"
                self._complain("box-outside", line, f"face {number} of {picture.name}: {problem}")
