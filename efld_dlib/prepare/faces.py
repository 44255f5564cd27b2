"""The faces to train on: every annotated face with the box that the run-time detector gives it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..boxes import Box
from ..datasets.split import group_of
from ..detection.detectors import Detection, FrontalDetector
from ..detection.matching import match_detections
from ..errors import DataError, EfldError, OptionError, Problems
from ..files import appending, write_text
from ..images import read_image, to_gray
from ..landmarks import SCHEMES
from ..parallel import parallel_map, progress
from ..records import FaceAnnotation, ImageRecord
from .boxes import BoxReport, assign_boxes
from .scatter import BoxModel, fit_box_model

CACHE = "detections.jsonl"
"""File in the output folder that keeps what the detector found, by the pictures' content: finding
faces takes longer than all the rest, and its result hangs on nothing else."""


@dataclass(frozen=True)
class TrainingFace:
    """One annotated face on its way from photograph to crop."""

    path: Path
    photograph: str
    annotation: FaceAnnotation


@dataclass(frozen=True)
class _Found:
    """What the detector found in a picture with this content."""

    digest: str
    detections: list[Detection]


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
        found.extend(match_detections(record.faces, outcome.detections))
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
) -> list[_Found | EfldError]:
    contents = [_content(record.path) for record in records]
    known: dict[str, _Found | EfldError] = dict(_read_cache(cache))
    unknown = {
        digest: record.path
        for digest, record in zip(contents, records, strict=True)
        if isinstance(digest, str) and digest not in known
    }
    cache.parent.mkdir(parents=True, exist_ok=True)
    with appending(cache) as journal:
        results = parallel_map(_detect, list(unknown.values()), jobs)
        shown = progress(results, len(unknown), "detecting", show_progress)
        for digest, detections in zip(unknown, shown, strict=True):
            if isinstance(detections, EfldError):
                known[digest] = detections
            else:
                found = known[digest] = _Found(digest, detections)
                journal.write(_line(found))
                journal.flush()
    outcomes = [known[content] if isinstance(content, str) else content for content in contents]
    # In the order of the digests and without what is no longer asked for: the same pictures give
    # the same file.
    kept = {outcome.digest: outcome for outcome in outcomes if isinstance(outcome, _Found)}
    write_text(cache, "".join(_line(kept[digest]) for digest in sorted(kept)))
    return outcomes


def _content(path: Path) -> str | EfldError:
    """Digest of a file's bytes."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        return DataError(path, f"cannot be read ({error.strerror})")


def _detect(path: Path) -> list[Detection] | EfldError:
    try:
        return FrontalDetector()(to_gray(read_image(path)))
    except DataError as error:
        return error


def _line(found: _Found) -> str:
    boxes = [[*detection.box, detection.score] for detection in found.detections]
    return json.dumps({"sha256": found.digest, "boxes": boxes}) + "\n"


def _read_cache(cache: Path) -> dict[str, _Found]:
    """What the cache holds; a line cut short by an interruption is passed over."""
    if not cache.is_file():
        return {}
    known = {}
    for line in cache.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            entry: dict[str, Any] = json.loads(line)
            found = [Detection(Box(*row[:4]), row[4]) for row in entry["boxes"]]
            known[entry["sha256"]] = _Found(entry["sha256"], found)
        except (ValueError, KeyError, TypeError, IndexError, RecursionError):
            continue
    return known
