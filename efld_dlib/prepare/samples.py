"""The faces to train on: every annotated face with the box that the run-time detector gives it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

from ..boxes import Box
from ..datasets.split import group_of
from ..detection.detectors import Detection, Detector, FrontalDetector
from ..detection.framing import match_detections
from ..detection.registry import ObjectDetector
from ..errors import DataError, EfldError, OptionError, Problems
from ..files import sha256
from ..images import read_image, to_gray
from ..journal import open_journal
from ..landmarks import FACE_68, correspondence
from ..parallel import parallel_map, progress
from ..records import ImageRecord, convert_face
from .boxes import BoxModel, assign_boxes, detected_boxes, own_boxes, own_model

CACHE = "detections.sqlite"
"""File in the output folder that keeps what the detector found, by the pictures' content: finding
faces takes longer than all the rest, and its result hangs on nothing else."""

Framing = Literal["detector", "refined"]
"""How crops are framed: ``detector`` by the run-time detector's box, as for a plain dlib program;
``refined`` upright in the box that the landmarks ask for, but off by as much as the place is at
which the landmark network looked before."""


def boxed_faces(
    records: Sequence[ImageRecord],
    cache: Path,
    jobs: int,
    problems: Problems,
    show_progress: bool,
    detector: Path | None = None,
) -> tuple[list[ImageRecord], dict[str, int], BoxModel]:
    """The faces that can be used, with their boxes; where these came from; their scatter.

    Each face has a record of its own, whose photograph is what a split must keep together. Things
    whose points are not known as a face's keep the boxes of the data, or get those of a detector.

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
    detector : Path, optional
        The ``.svm`` that is to find the things.

    Raises
    ------
    OptionError
        The faces are of different schemes, or `detector` is given for faces.
    """
    scheme = next((face.scheme for record in records for face in record.faces), FACE_68)
    for record in records:
        for face in record.faces:
            if face.scheme != scheme:
                raise OptionError(
                    f"{record.path}: has landmarks of {face.scheme.title}, and others before have "
                    f"those of {scheme.title}: give --scheme, or prepare them apart"
                )
    on_faces = scheme.face and correspondence(scheme, FACE_68) is not None
    alone: list[ImageRecord] = []
    found: list[Box | None] = []
    if on_faces and detector is not None:
        raise OptionError("faces are framed by the run-time detector: leave --detector out")
    outcomes: Sequence[list[Detection] | EfldError] = [[]] * len(records)
    if on_faces:
        outcomes = _detect_all(records, cache, jobs, show_progress)
    elif detector is not None:
        paths = [record.path for record in records]
        search = partial(_detect, ObjectDetector(detector))
        found_all = parallel_map(search, paths, jobs)
        outcomes = list(progress(found_all, len(paths), "detecting", show_progress))
    for record, outcome in zip(records, outcomes, strict=True):
        if isinstance(outcome, EfldError):
            problems.add(outcome)
            continue
        group = group_of(record)
        alone.extend(ImageRecord(record.path, (face,), group) for face in record.faces)
        found.extend(match_detections(record.faces, outcome))
    faces = [record.faces[0] for record in alone]
    if on_faces:
        known = [convert_face(face, FACE_68) for face in faces]
        boxes, counts, model = assign_boxes(known, found)
        if scheme != FACE_68:
            model = own_model([face.points for face in faces], boxes)
    elif detector is not None:
        boxes, counts, model = detected_boxes(faces, found)
    else:
        boxes, counts, model = own_boxes(faces)
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
        search = partial(_detect, FrontalDetector())
        results = parallel_map(search, list(unknown.values()), jobs)
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


def _detect(detector: Detector, path: Path) -> list[Detection] | EfldError:
    try:
        return detector(to_gray(read_image(path)))
    except DataError as error:
        return error
