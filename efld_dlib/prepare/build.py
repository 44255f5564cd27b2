"""`training_xml/`: gray crops of one face size and the XML that dlib's trainer reads.

The same records, options and seed give the same files, byte for byte, whatever the number of
processes; a run that was interrupted goes on where it was.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from ..boxes import Box, FloatArray
from ..crops import FACE_SIZE, canonical_crop
from ..datasets.split import held_out_groups
from ..detection.framing import default_box_map, framed, square_box
from ..drawing import contact_sheet, draw_face, to_rgb, write_image
from ..errors import DataError, OptionError, OutputError, Problems
from ..files import atomic_path, write_json
from ..images import Image, read_image, to_gray
from ..journal import Journal, open_journal
from ..landmarks import FACE_68, Scheme, mirror_points
from ..parallel import parallel_map, progress, resolve_jobs
from ..pose import estimate_pose, has_pose
from ..records import FaceAnnotation, ImageRecord
from ..xml.write import write_xml
from .augment import (
    AUGMENTATIONS,
    DEFAULT_AUGMENTATION,
    Step,
    augment,
    parse_augmentation,
    require_box,
)
from .boxes import BoxModel, apply_deviation, of_form
from .rarity import Weighting, copies_for_weights, weigh
from .report import write_rarity_report
from .samples import CACHE, Framing, boxed_faces

JOURNAL = "journal.sqlite"
"""File among the crops that says which of them are done, while they are made."""

RUNNING = "running.sqlite"
"""File in the folder that is there, and locked, while a run writes to it."""

TRAIN_XML = "train.xml"
VALIDATION_XML = "validation.xml"
REPORT = "prepare.json"

WIDE_CONTEXT = 0.9
"""Picture around the box, as a fraction of its width, on which augmentations work: enough that a
turned and shifted face still has its surroundings."""

# Standard deviations of the box's centre (fractions of its width), of the logarithm of its width,
# and of the roll in degrees. On held-out faces of four data sets the landmark network's place is
# off by 0.008 to 0.019, 0.020 to 0.039 and 1.0 to 2.2 degrees.
_OFF = (0.015, 0.026, 2.0)


@dataclass(frozen=True)
class PrepareOptions:
    """What `build_training_xml` makes of the records.

    Parameters
    ----------
    face_size : int
        Width of the face box in the crops, in pixels.
    mirror : bool
        Whether mirror images of the training faces (never of the validation faces) are used.
    variants : int
        Samples of a training face of weight 1: itself, then augmented ones, every other of them
        mirrored.
    augmentation : tuple of Step
        What is done to the augmented ones.
    weighting : Weighting
        How rarity multiplies a face's samples.
    budget : int, optional
        Total of training samples; without it the weights times the variants add up freely.
    validation : float
        Fraction of the photographs held out, from 0 up to but not including 1.
    framing : {"detector", "refined"}
        Of the crops: `samples.Framing`.
    seed : int
        Seed of all chance.
    jpeg_quality : int
        Of the crops, 1 to 100.
    """

    face_size: int = FACE_SIZE
    mirror: bool = True
    variants: int = 4
    augmentation: tuple[Step, ...] = parse_augmentation(DEFAULT_AUGMENTATION)
    weighting: Weighting = field(default_factory=Weighting)
    budget: int | None = None
    validation: float = 0.1
    framing: Framing = "detector"
    seed: int = 1
    jpeg_quality: int = 95

    def __post_init__(self) -> None:
        if not 0 <= self.validation < 1:
            raise OptionError(f"validation must be from 0 to below 1, not {self.validation}")
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise OptionError(f"{name} must be from {low} to {high}, not {value}")
        if self.framing not in get_args(Framing):
            known = " or ".join(get_args(Framing))
            raise OptionError(f"the framing must be {known}, not '{self.framing}'")


_RANGES: dict[str, tuple[int, float]] = {
    "face_size": (40, 1000),
    "jpeg_quality": (1, 100),
    "variants": (1, 1000),
    "budget": (1, math.inf),
    "seed": (0, math.inf),
}


@dataclass(frozen=True)
class PrepareReport:
    """What `build_training_xml` wrote.

    Parameters
    ----------
    folder : Path
        Where `TRAIN_XML`, `VALIDATION_XML` and the crops lie.
    boxes : dict
        Number of faces by where their box came from: "matched" with the detector's, "predicted"
        because it missed the face, "replaced" because its box sat wrongly, or "rejected". Things
        that are no faces: "given" by the data, or drawn "around" the points.
    train_faces, train_samples : int
        Annotated faces to train on, and the crops made of them.
    validation_faces : int
        Faces held out.
    photographs, validation_photographs : int
        Photographs in all, and held out.
    effective_faces : float
        Number of equally weighted faces that would tell as much (Kish's effective sample size).
    notes : tuple of str
        What the points do not allow.
    """

    folder: Path
    boxes: dict[str, int]
    train_faces: int
    train_samples: int
    validation_faces: int
    photographs: int
    validation_photographs: int
    effective_faces: float
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        faces = (
            "boxes: {matched} matched with the detector, {predicted} predicted from landmarks "
            "(detector missed the face), {replaced} predicted (detector's box sat wrongly), "
            "{rejected} faces rejected\n"
        )
        things = "boxes: {given} from the data, {around} drawn around the points\n"
        return (
            (faces if "matched" in self.boxes else things).format(**self.boxes)
            + "".join(f"{note}\n" for note in self.notes)
            + f"{self.folder}: {self.train_samples} training samples of "
            f"{self.train_faces} faces, {self.validation_faces} validation faces "
            f"({self.validation_photographs} of {self.photographs} photographs held out)"
        )


def build_training_xml(
    records: Iterable[ImageRecord],
    output: str | Path,
    options: PrepareOptions | None = None,
    jobs: int | None = None,
    problems: Problems | None = None,
    show_progress: bool = False,
    detections: Path | None = None,
    detector: Path | None = None,
) -> PrepareReport:
    """Make training and validation data of annotated pictures.

    Parameters
    ----------
    records : iterable of ImageRecord
        Annotated pictures, all of one scheme; absent landmarks are allowed.
    output : path
        Folder to write to; its earlier content stays valid until the new XML is whole.
    options : PrepareOptions, optional
    jobs : int, optional
        Number of processes; by default one a core. It does not change the result.
    problems : Problems, optional
        Takes the pictures that cannot be used; without it the first one raises.
    show_progress : bool
        Progress bars on stderr.
    detections : path, optional
        File that keeps what the detector finds; by default one in `output`. Builds that share it
        search a picture only once.
    detector : path, optional
        A detector of things that are no faces (``.svm``), whose boxes they get; by default they
        keep those of the data.

    Returns
    -------
    PrepareReport

    Raises
    ------
    DataError
        No face is left to train on; all are held out; another run is writing to `output`; or a bad
        picture, in a run without `problems`.
    OptionError
        The faces are of different schemes, or of one that cannot be framed as asked.
    """
    options = options or PrepareOptions()
    problems = problems if problems is not None else Problems(strict=True)
    jobs, folder = resolve_jobs(jobs), Path(output)
    with open_journal(folder / RUNNING, discard=True):
        faces, box_counts, boxes = boxed_faces(
            list(records), detections or folder / CACHE, jobs, problems, show_progress, detector
        )
        scheme = faces[0].faces[0].scheme if faces else FACE_68
        if scheme != FACE_68 and options.framing != "detector":
            raise OptionError(f"framing '{options.framing}' is for the 68 landmarks only")
        held_out = held_out_groups(
            [record.photograph for record in faces], options.validation, options.seed
        )
        is_held_out = np.array([record.photograph in held_out for record in faces])
        if is_held_out.all():
            raise DataError(folder, "no usable face to train on was given that is not held out")
        training = [record.faces[0] for record in faces if record.photograph not in held_out]
        weights = weigh(training, options.weighting) * [face.copies for face in training]
        training_counts = _sample_counts(weights, options)
        counts = np.ones(len(faces), dtype=np.int64)
        counts[~is_held_out] = training_counts

        crops = folder / f"crops-{_digest(faces, counts, boxes, options)}"
        crop_list = [
            CropJob(record, index, count, crops, options, boxes)
            for index, (record, count) in enumerate(zip(faces, counts.tolist(), strict=True))
            if count
        ]
        validation: list[ImageRecord] = []

        def training_records() -> Iterator[ImageRecord]:
            # Written as they come, since hundreds of thousands take much memory.
            samples = _resumable_samples(crop_list, crops, jobs, show_progress)
            for job, made in zip(crop_list, samples, strict=True):
                if job.record.photograph in held_out:
                    validation.extend(made)
                else:
                    yield from made

        train_samples = write_xml(
            folder / TRAIN_XML, training_records(), "efld_dlib training faces"
        )
        write_xml(folder / VALIDATION_XML, validation, "efld_dlib held-out faces")
        for old in folder.glob("crops-*"):  # of earlier runs, to which no XML points any more
            if old != crops:
                shutil.rmtree(old, ignore_errors=True)
        report = PrepareReport(
            folder=folder,
            boxes=box_counts,
            train_faces=len(training),
            train_samples=train_samples,
            validation_faces=int(is_held_out.sum()),
            photographs=len({record.photograph for record in faces}),
            validation_photographs=len(held_out),
            effective_faces=write_rarity_report(
                folder, training, weights, training_counts, options.weighting
            ),
            notes=tuple(_notes(scheme, options)),
        )
        summary = {key: value for key, value in asdict(report).items() if key != "folder"}
        write_json(folder / REPORT, {"options": asdict(options), **summary})
        return report


def _notes(scheme: Scheme, options: PrepareOptions) -> Iterator[str]:
    """What is left out because of the scheme."""
    if options.mirror and scheme.mirror is None:
        yield (
            f"no mirror images: {scheme.title} names no mirror pairs (`efld-dlib xml scheme` "
            "proposes them)"
        )
    if options.weighting.kind != "none" and not has_pose(scheme):
        yield f"no weights: {scheme.title} tells no pose"


def _sample_counts(weights: FloatArray, options: PrepareOptions) -> NDArray[np.int64]:
    """Number of samples of each training face."""
    if options.budget is not None:
        wanted = weights * options.budget / weights.sum()
    else:
        wanted = weights * options.variants
    return copies_for_weights(wanted, np.random.default_rng(options.seed))


def _digest(
    faces: Sequence[ImageRecord],
    counts: NDArray[np.int64],
    boxes: BoxModel,
    options: PrepareOptions,
) -> str:
    """Short name of what the crops are made from."""
    digest = hashlib.sha256(json.dumps(asdict(options), sort_keys=True).encode())
    for array in (counts, boxes.frame.weights, boxes.covariance):
        digest.update(np.ascontiguousarray(array).tobytes())
    for record in faces:
        digest.update(record.path.name.encode("utf-8", "surrogateescape"))
        digest.update(record.faces[0].points.tobytes())
        digest.update(np.array(record.faces[0].box).tobytes())
    return digest.hexdigest()[:12]


@dataclass(frozen=True)
class CropJob:
    """All samples of one face, and how to make them.

    Parameters
    ----------
    record : ImageRecord
        Of that face alone.
    index : int
        Number of the face among all; with the seed it determines all chance.
    samples : int
        How many. The first is the face as it is; further ones are augmented, and mirrored by turns.
        Without augmentation and mirror images they are repeated.
    folder : Path
        Where the crops go.
    options : PrepareOptions
    boxes : BoxModel
    """

    record: ImageRecord
    index: int
    samples: int
    folder: Path
    options: PrepareOptions
    boxes: BoxModel


def make_samples(job: CropJob) -> list[ImageRecord]:
    """Write the crops of one face, and return them with their annotations in their own pixels."""
    gray = to_gray(read_image(job.record.path))
    return [_make(job, number, gray) for number in range(job.samples)]


def _make(job: CropJob, number: int, gray: Image) -> ImageRecord:
    options = job.options
    image, face = _crop(job, number, gray, options.augmentation if number else ())
    if options.mirror and face.scheme.mirror is not None and number % 2:
        # The box lies in the middle of the crop, and so is its own mirror image.
        image = np.ascontiguousarray(image[:, ::-1])
        face = replace(face, points=mirror_points(face.points, image.shape[1], face.scheme))
    stem = re.sub(r"[^A-Za-z0-9_-]", "_", job.record.path.stem)[:60]
    target = job.folder / f"{job.index:06d}-{stem}-{number}.jpg"
    with atomic_path(target) as temporary:
        if not cv2.imwrite(str(temporary), image, [cv2.IMWRITE_JPEG_QUALITY, options.jpeg_quality]):
            raise OutputError(target, "cannot be written")
    return ImageRecord(
        target, (FaceAnnotation(face.points, face.box, face.scheme),), job.record.photograph
    )


def _crop(
    job: CropJob, number: int, gray: Image, steps: tuple[Step, ...]
) -> tuple[Image, FaceAnnotation]:
    """Pixels of a sample, shape (side, side), and its annotation, the box in their middle."""
    face, options = job.record.faces[0], job.options
    if steps:
        rng = np.random.default_rng([options.seed, job.index, number])
        box = require_box(face)
        longer = max(box.width, box.height)
        seen = box if face.scheme.face else square_box(*box.center, longer)
        wide = canonical_crop(gray, seen, options.face_size, WIDE_CONTEXT)
        inside = wide.box
        if not face.scheme.face:
            width = inside.width * box.width / longer
            inside = of_form(square_box(*inside.center, width), box)
        moved = replace(face, points=wide.from_photograph(face.points), box=inside)
        gray, face = augment(wide.image, moved, rng, steps, job.boxes)
    box, roll = require_box(face), 0.0
    if options.framing != "detector":
        box, roll = _about_the_landmarks(face.points, job, number)
    crop = canonical_crop(gray, box, options.face_size, roll=roll, square=face.scheme.face)
    return crop.image, replace(face, points=crop.from_photograph(face.points), box=crop.box)


def _about_the_landmarks(points: FloatArray, job: CropJob, number: int) -> tuple[Box, float]:
    """About the box that landmarks ask for, and their roll."""
    place, size, turn = _OFF
    rng = np.random.default_rng([job.options.seed, job.index, number, 1])
    seen = estimate_pose(points).roll
    roll = (seen if np.isfinite(seen) else 0.0) + float(rng.normal(0, turn))
    box = framed(default_box_map().complete(points), roll)
    return apply_deviation(box, rng.normal(0, (place, place, size))), roll


def _resumable_samples(
    jobs: Sequence[CropJob], folder: Path, processes: int, show_progress: bool
) -> Iterator[list[ImageRecord]]:
    """Samples of each job, in order; those that an earlier run made are not made again.

    The jobs are those of the run that is continued: the folder's name vouches for that.
    """
    with open_journal(folder / JOURNAL, discard=True) as journal:
        kept = {job.index for job in jobs if _kept_samples(journal, job)}
        rest = [job for job in jobs if job.index not in kept]
        results = parallel_map(make_samples, rest, processes)
        made = iter(progress(results, len(rest), "crops", show_progress))
        for job in jobs:
            if job.index in kept:
                yield _kept_samples(journal, job)
            else:
                records = next(made)
                # What cannot be told from the job: name, box and landmarks.
                made_of = [(record.path.name, record.faces[0]) for record in records]
                journal.add(
                    job.index, [(name, face.box, face.points.tolist()) for name, face in made_of]
                )
                yield records


def _kept_samples(journal: Journal, job: CropJob) -> list[ImageRecord]:
    """The samples that an earlier run made; none if a crop is missing."""
    records = [
        ImageRecord(
            job.folder / name,
            (FaceAnnotation(np.array(points), Box(*box), job.record.faces[0].scheme),),
            job.record.photograph,
        )
        for name, box, points in journal.get(job.index) or ()
    ]
    return records if all(record.path.is_file() for record in records) else []


FACES = 6
DRAWS = 3
"""Times that the chosen steps are drawn for each face, after each single augmentation."""


def write_preview(
    records: Sequence[ImageRecord],
    target: Path,
    options: PrepareOptions,
    jobs: int | None = None,
    problems: Problems | None = None,
) -> None:
    """Write a sheet: a row a face; as it is, under each augmentation, under the chosen steps.

    The crops are framed as `options` say.

    Parameters
    ----------
    records : sequence of ImageRecord
        A few of them are picked with the options' seed.
    target : Path
        Picture to write.
    options : PrepareOptions
    jobs : int, optional
    problems : Problems, optional
        Takes the pictures that cannot be used; without it the first one raises.

    Raises
    ------
    DataError
        There is no usable face, or the picture cannot be written.
    """
    problems = problems if problems is not None else Problems(strict=True)
    rng = np.random.default_rng(options.seed)
    picked = [records[i] for i in sorted(rng.permutation(len(records))[:FACES])]
    with tempfile.TemporaryDirectory() as folder:
        faces, _, boxes = boxed_faces(
            picked, Path(folder) / CACHE, resolve_jobs(jobs), problems, show_progress=False
        )
    if not faces:
        raise DataError(target, "no usable face to show was given")
    columns: list[tuple[str, tuple[Step, ...]]] = [("as it is", ())]
    columns += [(name, (Step(name, 1.0),)) for name in AUGMENTATIONS]
    columns += [(f"chosen steps {i + 1}", options.augmentation) for i in range(DRAWS)]
    tiles, captions = [], []
    for row, record in enumerate(faces[:FACES]):
        gray = to_gray(read_image(record.path))
        job = CropJob(record, row, 1, Path(), options, boxes)
        for number, (name, steps) in enumerate(columns):
            tiles.append(_drawn(*_crop(job, number, gray, steps)))
            captions.append(name)
    write_image(target, contact_sheet(tiles, captions, len(columns), 220))


def _drawn(image: Image, face: FaceAnnotation) -> Image:
    """The crop with its box and landmarks, those that are occluded in red."""
    drawn = to_rgb(image)
    hidden = np.zeros(len(face.points), bool) if face.occluded is None else face.occluded
    seen, covered = (np.where(mask[:, None], face.points, np.nan) for mask in (~hidden, hidden))
    draw_face(drawn, covered, colour=(255, 60, 60))
    draw_face(drawn, seen, face.box)
    return drawn
