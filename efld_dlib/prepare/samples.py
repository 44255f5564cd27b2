"""The faces to train on: every annotated face with the box that the run-time detector gives it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from ..boxes import Box
from ..datasets.split import group_of
from ..detection.detectors import Detection, FrontalDetector
from ..detection.framing import match_detections
from ..errors import DataError, EfldError, OptionError, Problems
from ..files import sha256
from ..images import read_image, to_gray
from ..journal import open_journal
from ..landmarks import SCHEMES
from ..parallel import parallel_map, progress
from ..records import ImageRecord
from .boxes import BoxModel, assign_boxes

CACHE = "detections.sqlite"
"""File in the output folder that keeps what the detector found, by the pictures' content: finding
faces takes longer than all the rest, and its result hangs on nothing else."""

Framing = Literal["detector", "refined"]
"""How crops are framed: ``detector`` by the run-time detector's box, as for a plain dlib program;
``refined`` upright in the box that the landmarks ask for, but off by as much as the place is at
which the landmark network looked before."""


def boxed_faces(
    records: Sequence[ImageRecord], cache: Path, jobs: int, problems: Problems, show_progress: bool
) -> tuple[list[ImageRecord], dict[str, int], BoxModel]:
    """The faces that can be used, with their boxes; where these came from; their scatter.

    Each face has a record of its own, whose photograph is what a split must keep together.

    Parameters
    ----------
    records : sequence of ImageRecord
    cache : Path
        File of what was detected earlier; it is added to as pictures are done, so that an
        interrupted run goes on from there.
    jobs : int
    problems : Problems
        Takes the pictures that cannot be read.
    show_progress : bool

    Raises
    ------
    OptionError
        A face has not 68 landmarks.
    """
    for record in records:
        for face in record.faces:
            if len(face.points) != SCHEMES["68"].size:
                raise OptionError(
                    f"{record.path}: has {len(face.points)} landmarks; training data needs the 68"
                )
    alone: list[ImageRecord] = []
    found: list[Box | None] = []
    for record, outcome in zip(
        records, _detect_all(records, cache, jobs, show_progress), strict=True
    ):
        if isinstance(outcome, EfldError):
            problems.add(outcome)
            continue
        group = group_of(record)
        alone.extend(ImageRecord(record.path, (face,), group) for face in record.faces)
        found.extend(match_detections(record.faces, outcome))
    boxes, counts, model = assign_boxes([record.faces[0] for record in alone], found)
    usable = [
        replace(record, faces=(replace(record.faces[0], box=box),))
        for record, box in zip(alone, boxes, strict=True)
        if box is not None
    ]
    return usable, counts, model


def _detect_all(
    records: Sequence[ImageRecord], cache: Path, jobs: int, show_progress: bool
) -> list[list[Detection] | EfldError]:
    contents = [_content(record.path) for record in records]
    found: dict[str, list[Detection] | EfldError] = {}
    paths = {
        content: record.path
        for content, record in zip(contents, records, strict=True)
        if isinstance(content, str)
    }
    with open_journal(cache, discard=True) as journal:
        for content in paths:
            if (rows := journal.get(content)) is not None:
                found[content] = [Detection(Box(*box), score) for *box, score in rows]
        unknown = {content: path for content, path in paths.items() if content not in found}
        results = parallel_map(_detect, list(unknown.values()), jobs)
        shown = progress(results, len(unknown), "detecting", show_progress)
        for content, outcome in zip(unknown, shown, strict=True):
            found[content] = outcome
            if not isinstance(outcome, EfldError):
                journal.add(content, [[*each.box, each.score] for each in outcome])
        # Without what is no longer asked for.
        journal.keep(key for key in paths if not isinstance(found[key], EfldError))
    return [found[each] if isinstance(each, str) else each for each in contents]


def _content(path: Path) -> str | EfldError:
    try:
        return sha256(path)
    except DataError as error:
        return error


def _detect(path: Path) -> list[Detection] | EfldError:
    try:
        return FrontalDetector()(to_gray(read_image(path)))
    except DataError as error:
        return error
