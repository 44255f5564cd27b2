"""The faces to train on: every annotated face with the box that the run-time detector gives it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
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
from ..records import FaceAnnotation, ImageRecord
from .boxes import BoxModel, BoxReport, assign_boxes, fit_box_model

CACHE = "detections.sqlite"
"""File in the output folder that keeps what the detector found, by the pictures' content: finding
faces takes longer than all the rest, and its result hangs on nothing else."""

Framing = Literal["detector", "refined"]
"""How crops are framed: ``detector`` by the run-time detector's box, as for a plain dlib program;
``refined`` upright in the box that the landmarks ask for, but off by as much as the place is at
which the landmark network looked before."""


@dataclass(frozen=True)
class TrainingFace:
    """One annotated face on its way from photograph to crop."""

    path: Path
    photograph: str
    annotation: FaceAnnotation


def boxed_faces(
    records: Sequence[ImageRecord],
    cache: Path,
    jobs: int,
    problems: Problems,
    show_progress: bool,
) -> tuple[list[TrainingFace], BoxReport, BoxModel]:
    """The faces that can be used, each with its box; where the boxes came from; their scatter.

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
    faces: list[TrainingFace] = []
    found: list[Box | None] = []
    for record, outcome in zip(
        records, _detect_all(records, cache, jobs, show_progress), strict=True
    ):
        if isinstance(outcome, EfldError):
            problems.add(outcome)
            continue
        group = group_of(record)
        faces.extend(TrainingFace(record.path, group, face) for face in record.faces)
        found.extend(match_detections(record.faces, outcome))
    boxes, report, frame = assign_boxes([face.annotation for face in faces], found)
    matched = [
        (face.annotation.points, box)
        for face, box, chosen in zip(faces, found, boxes, strict=True)
        if box is not None and box == chosen and face.annotation.given.all()
    ]
    model = fit_box_model(frame, [points for points, _ in matched], [box for _, box in matched])
    usable = [
        replace(face, annotation=replace(face.annotation, box=box))
        for face, box in zip(faces, boxes, strict=True)
        if box is not None
    ]
    return usable, report, model


def _detect_all(
    records: Sequence[ImageRecord], cache: Path, jobs: int, show_progress: bool
) -> list[list[Detection] | EfldError]:
    contents = [_content(record.path) for record in records]
    known: dict[str, list[Detection] | EfldError] = {}
    unknown: dict[str, Path] = {}
    with open_journal(cache, discard=True) as journal:
        for content, record in zip(contents, records, strict=True):
            if isinstance(content, str):
                rows = journal.get(content)
                if rows is None:
                    unknown[content] = record.path
                else:
                    known[content] = [Detection(Box(*box), score) for *box, score in rows]
        results = parallel_map(_detect, list(unknown.values()), jobs)
        shown = progress(results, len(unknown), "detecting", show_progress)
        for content, found in zip(unknown, shown, strict=True):
            known[content] = found
            if not isinstance(found, EfldError):
                journal.add(content, [[*each.box, each.score] for each in found])
        # Without what is no longer asked for.
        journal.keep(key for key, found in known.items() if not isinstance(found, EfldError))
    return [known[content] if isinstance(content, str) else content for content in contents]


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
