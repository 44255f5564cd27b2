"""`training_xml/`: gray crops of one face size and the XML that dlib's trainer reads.

The same records, options and seed give the same files, byte for byte.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np

from ..annotation import Box, FaceAnnotation, ImageRecord
from ..datasets.imglab import write_imglab
from ..detection.detectors import Detection, FrontalDetector
from ..detection.matching import match_detections
from ..errors import DataError, EfldError, OptionError, Problems
from ..files import atomic_path, write_json
from ..images import FACE_SIZE, canonical_crop, read_image, to_gray
from ..parallel import parallel_map, progress, resolve_jobs
from ..scheme import mirror_points
from .boxes import BoxReport, assign_boxes

TRAIN_XML = "train.xml"
VALIDATION_XML = "validation.xml"
REPORT = "prepare.json"


@dataclass(frozen=True)
class PrepareOptions:
    """What `build_training_xml` makes of the records.

    Parameters
    ----------
    face_size : int
        Width of the face box in the crops, in pixels.
    mirror : bool
        Add the mirror image of every training face (never of a validation face).
    validation : float
        Fraction of the photographs held out, from 0 up to but not including 1.
    seed : int
        Seed of all chance.
    jpeg_quality : int
        Of the crops, 1 to 100.
    """

    face_size: int = FACE_SIZE
    mirror: bool = True
    validation: float = 0.1
    seed: int = 1
    jpeg_quality: int = 95

    def __post_init__(self) -> None:
        if not 0 <= self.validation < 1:
            raise OptionError(f"validation must be from 0 to below 1, not {self.validation}")
        if not 40 <= self.face_size <= 1000:
            raise OptionError(f"face size must be 40 to 1000 pixels, not {self.face_size}")
        if not 1 <= self.jpeg_quality <= 100:
            raise OptionError(f"JPEG quality must be 1 to 100, not {self.jpeg_quality}")


@dataclass(frozen=True)
class PrepareReport:
    """What `build_training_xml` wrote.

    Parameters
    ----------
    folder : Path
        Where `TRAIN_XML`, `VALIDATION_XML` and the crops lie.
    boxes : BoxReport
        Where the boxes came from.
    train_faces, validation_faces : int
        Faces in each part; the training part counts mirror images and copies.
    photographs, validation_photographs : int
        Photographs in all, and held out.
    """

    folder: Path
    boxes: BoxReport
    train_faces: int
    validation_faces: int
    photographs: int
    validation_photographs: int

    def __str__(self) -> str:
        return (
            f"{self.boxes}\n{self.folder}: {self.train_faces} training faces (mirror images and "
            f"copies counted), {self.validation_faces} validation faces "
            f"({self.validation_photographs} of {self.photographs} photographs held out)"
        )


@dataclass(frozen=True)
class _Face:
    """One training face on its way from photograph to crop."""

    path: Path
    photograph: str
    annotation: FaceAnnotation


@dataclass(frozen=True)
class _CropTask:
    face: _Face
    target: Path
    mirror: bool
    face_size: int
    jpeg_quality: int


def build_training_xml(
    records: Iterable[ImageRecord],
    output: str | Path,
    options: PrepareOptions | None = None,
    jobs: int | None = None,
    problems: Problems | None = None,
    show_progress: bool = False,
) -> PrepareReport:
    """Make training and validation data of annotated pictures.

    Parameters
    ----------
    records : iterable of ImageRecord
        Pictures with 68-point annotations.
    output : path
        Folder to write to; its earlier content stays valid until the new XML is whole.
    options : PrepareOptions, optional
    jobs : int, optional
        Number of processes; by default one a core. It does not change the result.
    problems : Problems, optional
        Takes the pictures that cannot be used; without it the first one raises.
    show_progress : bool
        Progress bars on stderr.

    Returns
    -------
    PrepareReport

    Raises
    ------
    DataError
        No face is left to train on; or a bad picture, in a run without `problems`.
    """
    options = options or PrepareOptions()
    problems = problems if problems is not None else Problems(strict=True)
    jobs = resolve_jobs(jobs)
    folder = Path(output)
    faces, box_report = _boxed_faces(list(records), jobs, problems, show_progress)
    if not faces:
        raise DataError(folder, "no usable face to train on was given")
    rng = np.random.default_rng(options.seed)
    held_out = choose_photographs([face.photograph for face in faces], options.validation, rng)

    crops = folder / f"crops-{_digest(faces, options)}"
    tasks = list(_crop_tasks(faces, held_out, crops, options))
    crops.mkdir(parents=True, exist_ok=True)
    written = progress(parallel_map(_write_crop, tasks, jobs), len(tasks), "crops", show_progress)
    parts: dict[bool, list[ImageRecord]] = {True: [], False: []}
    for task, record in zip(tasks, written, strict=True):
        parts[task.face.photograph in held_out].append(record)
    train_faces = write_imglab(folder / TRAIN_XML, parts[False], "efld_dlib training faces")
    validation_faces = write_imglab(
        folder / VALIDATION_XML, parts[True], "efld_dlib held-out faces"
    )
    _remove_other_crops(folder, crops)
    report = PrepareReport(
        folder,
        box_report,
        train_faces,
        validation_faces,
        len({face.photograph for face in faces}),
        len(held_out),
    )
    write_json(
        folder / REPORT,
        {"options": asdict(options), **{k: v for k, v in asdict(report).items() if k != "folder"}},
    )
    return report


def choose_photographs(names: Iterable[str], fraction: float, rng: np.random.Generator) -> set[str]:
    """A random `fraction` of the different `names`, rounded; the order given does not matter."""
    unique = sorted(set(names))
    return {unique[i] for i in rng.permutation(len(unique))[: round(fraction * len(unique))]}


def _boxed_faces(
    records: list[ImageRecord], jobs: int, problems: Problems, show_progress: bool
) -> tuple[list[_Face], BoxReport]:
    """The faces that can be used, each with its box, and where the boxes came from."""
    detected = progress(
        parallel_map(_detect, [record.path for record in records], jobs),
        len(records),
        "detecting",
        show_progress,
    )
    faces: list[_Face] = []
    found: list[Box | None] = []
    for record, detections in zip(records, detected, strict=True):
        if isinstance(detections, EfldError):
            problems.add(detections)
            continue
        faces.extend(_Face(record.path, record.photograph, face) for face in record.faces)
        found.extend(match_detections(record.faces, detections))
    boxes, report = assign_boxes([face.annotation for face in faces], found)
    return [
        _Face(face.path, face.photograph, _with_box(face.annotation, box))
        for face, box in zip(faces, boxes, strict=True)
        if box is not None
    ], report


def _with_box(face: FaceAnnotation, box: Box) -> FaceAnnotation:
    return FaceAnnotation(face.points, box, face.scheme, face.pose, face.occluded, face.copies)


def _detect(path: Path) -> list[Detection] | EfldError:
    try:
        return FrontalDetector()(to_gray(read_image(path)))
    except DataError as error:
        return error


def _digest(faces: Sequence[_Face], options: PrepareOptions) -> str:
    """Short name of what the crops are made from."""
    digest = hashlib.sha256(json.dumps(asdict(options), sort_keys=True).encode())
    for face in faces:
        digest.update(face.path.name.encode("utf-8", "surrogateescape"))
        digest.update(face.annotation.points.tobytes())
        digest.update(np.array(face.annotation.box).tobytes())
    return digest.hexdigest()[:12]


def _crop_tasks(
    faces: Sequence[_Face], held_out: set[str], crops: Path, options: PrepareOptions
) -> Iterable[_CropTask]:
    for number, face in enumerate(faces):
        name = f"{number:06d}-{re.sub(r'[^A-Za-z0-9_-]', '_', face.path.stem)[:60]}"
        mirrors = (False, True) if options.mirror and face.photograph not in held_out else (False,)
        for mirror in mirrors:
            target = crops / f"{name}{'-mirror' if mirror else ''}.jpg"
            yield _CropTask(face, target, mirror, options.face_size, options.jpeg_quality)


def _write_crop(task: _CropTask) -> ImageRecord:
    """Write one crop, and return it with its annotation in its own pixels."""
    face = task.face.annotation
    assert face.box is not None
    crop = canonical_crop(to_gray(read_image(task.face.path)), face.box, task.face_size)
    points, image = crop.from_photograph(face.points), crop.image
    if task.mirror:
        # The box lies in the middle of the crop, so its mirror image is itself.
        points = mirror_points(points, image.shape[1], face.scheme)
        image = np.ascontiguousarray(image[:, ::-1])
    with atomic_path(task.target) as temporary:
        if not cv2.imwrite(str(temporary), image, [cv2.IMWRITE_JPEG_QUALITY, task.jpeg_quality]):
            raise DataError(task.target, "cannot be written")
    annotation = FaceAnnotation(points, crop.box, face.scheme, copies=face.copies)
    return ImageRecord(task.target, (annotation,), task.face.photograph)


def _remove_other_crops(folder: Path, keep: Path) -> None:
    """Remove crops of earlier runs, to which no XML points any more."""
    for old in folder.glob("crops-*"):
        if old != keep:
            shutil.rmtree(old, ignore_errors=True)
