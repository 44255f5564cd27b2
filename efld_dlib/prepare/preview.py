"""A sheet of pictures that shows what the augmentations do."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..drawing import contact_sheet, draw_face, to_rgb, write_image
from ..errors import DataError, Problems
from ..images import Image, read_image, to_gray
from ..parallel import resolve_jobs
from ..records import FaceAnnotation, ImageRecord
from .augment import AUGMENTATIONS, Step
from .build import PrepareOptions
from .faces import CACHE, boxed_faces
from .samples import CropJob, Sample, sample_crop

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
    for row, face in enumerate(faces[:FACES]):
        gray = to_gray(read_image(face.path))
        job = CropJob(
            face=face,
            index=row,
            samples=(),
            folder=Path(),
            seed=options.seed,
            face_size=options.face_size,
            jpeg_quality=options.jpeg_quality,
            steps=options.augmentation,
            boxes=boxes,
            framing=options.framing,
        )
        for number, (name, steps) in enumerate(columns):
            sample = Sample(number, mirror=False, augmented=bool(steps))
            tiles.append(_drawn(*sample_crop(replace(job, steps=steps), sample, gray)))
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
