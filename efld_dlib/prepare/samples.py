"""The faces to train on: every annotated face with the box that the run-time detector gives it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from ..boxes import Box, FloatArray
from ..crops import canonical_crop
from ..datasets.split import group_of
from ..detection.detectors import Detection, FrontalDetector
from ..detection.framing import default_box_map, framed, match_detections
from ..errors import DataError, EfldError, OptionError, OutputError, Problems
from ..files import atomic_path, sha256
from ..images import Image, read_image, to_gray
from ..journal import Journal, open_journal
from ..landmarks import SCHEMES, mirror_points
from ..parallel import parallel_map, progress
from ..pose import estimate_pose
from ..records import FaceAnnotation, ImageRecord
from .augment import Step, augment, require_box
from .boxes import BoxModel, BoxReport, apply_deviation, assign_boxes, fit_box_model

CACHE = "detections.sqlite"
"""File in the output folder that keeps what the detector found, by the pictures' content: finding
faces takes longer than all the rest, and its result hangs on nothing else."""

JOURNAL = "journal.sqlite"
"""File among the crops that says which of them are done, while they are made."""


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


WIDE_CONTEXT = 0.9
"""Picture around the box, as a fraction of its width, on which augmentations work: enough that a
turned and shifted face still has its surroundings."""

Framing = Literal["detector", "refined"]
"""How crops are framed: ``detector`` by the run-time detector's box, as for a plain dlib program;
``refined`` upright in the box that the landmarks ask for, but off by as much as the place is at
which the landmark network looked before."""

# Standard deviations of the box's centre (fractions of its width), of the logarithm of its width,
# and of the roll in degrees. On held-out faces of four data sets the landmark network's place is
# off by 0.008 to 0.019, 0.020 to 0.039 and 1.0 to 2.2 degrees.
_OFF = (0.015, 0.026, 2.0)


@dataclass(frozen=True)
class Sample:
    """One crop to be made of a face.

    Parameters
    ----------
    number : int
        Counts the samples of the face.
    mirror : bool
        Whether it shows the mirror image.
    augmented : bool
        Whether the augmentations apply; the first samples of a face are as it is.
    """

    number: int
    mirror: bool
    augmented: bool


@dataclass(frozen=True)
class CropJob:
    """All samples of one face, and how to make them.

    Parameters
    ----------
    face : TrainingFace
    index : int
        Number of the face among all; with the seed it determines all chance.
    samples : tuple of Sample
    folder : Path
        Where the crops go.
    seed, face_size, jpeg_quality : int
    steps : tuple of Step
    boxes : BoxModel
    framing : {"detector", "refined"}
    """

    face: TrainingFace
    index: int
    samples: tuple[Sample, ...]
    folder: Path
    seed: int
    face_size: int
    jpeg_quality: int
    steps: tuple[Step, ...]
    boxes: BoxModel
    framing: Framing = "detector"


def plan_samples(count: int, mirror: bool, augmented: bool) -> tuple[Sample, ...]:
    """The samples of a face that gets `count` of them.

    The first is the face as it is; further ones are augmented, and mirrored by turns. Without
    augmentation and mirror images they are repeated.

    Examples
    --------
    >>> for sample in plan_samples(3, mirror=True, augmented=True):
    ...     print(sample)
    Sample(number=0, mirror=False, augmented=False)
    Sample(number=1, mirror=True, augmented=True)
    Sample(number=2, mirror=False, augmented=True)
    """
    return tuple(
        Sample(number, mirror and number % 2 == 1, augmented and number > 0)
        for number in range(count)
    )


def make_samples(job: CropJob) -> list[ImageRecord]:
    """Write the crops of one face, and return them with their annotations in their own pixels."""
    gray = to_gray(read_image(job.face.path))
    return [_make(job, sample, gray) for sample in job.samples]


def _make(job: CropJob, sample: Sample, gray: Image) -> ImageRecord:
    image, face = sample_crop(job, sample, gray)
    stem = re.sub(r"[^A-Za-z0-9_-]", "_", job.face.path.stem)[:60]
    target = job.folder / f"{job.index:06d}-{stem}-{sample.number}.jpg"
    with atomic_path(target) as temporary:
        if not cv2.imwrite(str(temporary), image, [cv2.IMWRITE_JPEG_QUALITY, job.jpeg_quality]):
            raise OutputError(target, "cannot be written")
    return ImageRecord(target, (replace(face, copies=1),), job.face.photograph)


def sample_crop(job: CropJob, sample: Sample, gray: Image) -> tuple[Image, FaceAnnotation]:
    """Pixels of a sample and its annotation in them.

    Parameters
    ----------
    job : CropJob
    sample : Sample
    gray : array of uint8, shape (height, width)
        The face's photograph.

    Returns
    -------
    image : array of uint8, shape (side, side)
    face : FaceAnnotation
        Its box lies in the middle of the crop.
    """
    face = job.face.annotation
    if sample.augmented:
        rng = np.random.default_rng([job.seed, job.index, sample.number])
        wide = canonical_crop(gray, require_box(face), job.face_size, WIDE_CONTEXT)
        moved = replace(face, points=wide.from_photograph(face.points), box=wide.box)
        gray, face = augment(wide.image, moved, rng, job.steps, job.boxes)
    box, roll = require_box(face), 0.0
    if job.framing != "detector":
        box, roll = _about_the_landmarks(face.points, job, sample)
    crop = canonical_crop(gray, box, job.face_size, roll=roll)
    image, face = crop.image, replace(face, points=crop.from_photograph(face.points), box=crop.box)
    return _mirror(image, face) if sample.mirror else (image, face)


def _about_the_landmarks(points: FloatArray, job: CropJob, sample: Sample) -> tuple[Box, float]:
    """About the box that landmarks ask for, and their roll."""
    place, size, turn = _OFF
    rng = np.random.default_rng([job.seed, job.index, sample.number, 1])
    seen = estimate_pose(points).roll
    roll = (seen if np.isfinite(seen) else 0.0) + float(rng.normal(0, turn))
    box = framed(default_box_map().complete(points), roll)
    return apply_deviation(box, rng.normal(0, (place, place, size))), roll


def _mirror(image: Image, face: FaceAnnotation) -> tuple[Image, FaceAnnotation]:
    """The mirror image; the box lies in the middle of the crop and so is its own."""
    points: FloatArray = mirror_points(face.points, image.shape[1], face.scheme)
    occluded = face.occluded
    if occluded is not None:
        occluded = occluded[list(SCHEMES[face.scheme].mirror)]
    return np.ascontiguousarray(image[:, ::-1]), replace(face, points=points, occluded=occluded)


def crop_jobs(
    faces: Sequence[TrainingFace],
    counts: Sequence[int],
    mirror: bool,
    template: CropJob,
) -> Iterator[CropJob]:
    """A job for each face with the wanted number of samples; a face with none is left out."""
    for index, (face, count) in enumerate(zip(faces, counts, strict=True)):
        samples = plan_samples(count, mirror, bool(template.steps))
        if samples:
            yield replace(template, face=face, index=index, samples=samples)


def resumable_samples(
    jobs: Sequence[CropJob], folder: Path, processes: int, show_progress: bool
) -> Iterator[list[ImageRecord]]:
    """Samples of each job, in order; those that an earlier run made are not made again.

    Parameters
    ----------
    jobs : sequence of CropJob
        The same ones as in the run that is continued; the folder's name vouches for that.
    folder : Path
        Where the crops go.
    processes : int
    show_progress : bool

    Yields
    ------
    list of ImageRecord
    """
    with open_journal(folder / JOURNAL, discard=True) as journal:
        kept = {job.index for job in jobs if _kept_samples(journal, job)}
        rest = [job for job in jobs if job.index not in kept]
        made = iter(
            progress(parallel_map(make_samples, rest, processes), len(rest), "crops", show_progress)
        )
        for job in jobs:
            if job.index in kept:
                yield _kept_samples(journal, job)
            else:
                records = next(made)
                journal.add(job.index, [_entry(record) for record in records])
                yield records


def _entry(record: ImageRecord) -> list[object]:
    """What cannot be told from the job: name, box and landmarks."""
    (face,) = record.faces
    points = [None if np.isnan(value) else value for value in face.points.ravel()]
    return [record.path.name, face.box, points]


def _kept_samples(journal: Journal, job: CropJob) -> list[ImageRecord]:
    """The samples that an earlier run made; none if a crop is missing."""
    records = [
        ImageRecord(
            job.folder / name,
            (FaceAnnotation(np.array(points, dtype=np.float64).reshape(-1, 2), Box(*box)),),
            job.face.photograph,
        )
        for name, box, points in journal.get(job.index) or ()
    ]
    return records if all(record.path.is_file() for record in records) else []
