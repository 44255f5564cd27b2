"""What a check of dlib's XML can find, and its report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import DataError
from ..landmarks import SCHEMES, part_name

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
