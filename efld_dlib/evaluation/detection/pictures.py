"""The images that detectors are measured on: with annotated faces, or without a face."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import cv2
import numpy as np

from ...boxes import FloatArray
from ...datasets.split import fold_of
from ...errors import DataError, Problems
from ...images import IMAGE_SUFFIXES, Image, read_image, to_gray
from ...records import ImageRecord
from .measure import InputImage, traits_of

FACELESS = "faceless"
"""Source of the images of `faceless_images`."""


def annotated_images(
    records: Iterable[ImageRecord], source: str, turns: Sequence[float], problems: Problems
) -> Iterator[InputImage]:
    """Images with annotated faces, each at every angle of `turns`, in degrees clockwise.

    Those that cannot be read are reported to `problems`.
    """
    for record in records:
        try:
            gray = to_gray(read_image(record.path))
        except DataError as error:
            problems.add(error)
            continue
        faces = [face for face in record.faces if face.given.any()]
        name = "/".join(record.path.parts[-3:])
        upright = InputImage(source, name, gray, faces, traits_of(gray, faces))
        for turn in turns:
            yield turned_image(upright, turn) if turn else upright


def turned_image(image: InputImage, degrees: float) -> InputImage:
    """The image turned clockwise, with the landmarks of its faces; their traits stay."""
    gray, matrix = turned(image.gray, degrees)
    faces = [
        replace(face, points=face.points @ matrix[:, :2].T + matrix[:, 2], box=None, pose=None)
        for face in image.faces
    ]
    return replace(image, gray=gray, faces=faces, turn=degrees)


def turned(gray: Image, degrees: float) -> tuple[Image, FloatArray]:
    """The whole image turned clockwise, and the map into it, shape (2, 3).

    The image grows as far as it must; what is new in it repeats the pixels of the border.
    """
    height, width = gray.shape
    angle = np.radians(degrees)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    # A hair less, or rounding errors would make a quarter turn a pixel larger.
    size = np.ceil(np.abs(rotation) @ [width, height] - 1e-6).astype(int)
    shift = (size - 1) / 2 - rotation @ [(width - 1) / 2, (height - 1) / 2]
    matrix = np.column_stack([rotation, shift])
    result = cv2.warpAffine(
        gray,
        matrix,
        (int(size[0]), int(size[1])),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return cast(Image, result), matrix


def faceless_images(
    folder: Path, fold: int | None, seed: int, problems: Problems
) -> Iterator[InputImage]:
    """The images in a folder and in those below it; none of them shows a face.

    Parameters
    ----------
    folder : Path
    fold, seed
        Only the images of this fifth, see `datasets.split.fold_of`.
    problems : Problems
        Takes those that cannot be read.

    Raises
    ------
    DataError
        There is no image.
    """
    names = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*"))}
    chosen = {
        name: path
        for name, path in names.items()
        if path.suffix.lower() in IMAGE_SUFFIXES and fold in (None, fold_of(name, seed))
    }
    if not chosen:
        part = "" if fold is None else f" in fold {fold}"
        raise DataError(folder, f"holds no image{part}")
    for name, path in chosen.items():
        try:
            gray = to_gray(read_image(path))
        except DataError as error:
            problems.add(error)
            continue
        yield InputImage(FACELESS, name, gray)


def fitted(gray: Image, size: tuple[int, int]) -> Image:
    """An image scaled to fit into a frame of (width, height) pixels, black around it."""
    height, width = gray.shape
    scale = min(size[0] / width, size[1] / height)
    inside = max(1, round(width * scale)), max(1, round(height * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    left, top = (size[0] - inside[0]) // 2, (size[1] - inside[1]) // 2
    frame = np.zeros((size[1], size[0]), np.uint8)
    frame[top : top + inside[1], left : left + inside[0]] = cv2.resize(
        gray, inside, interpolation=how
    )
    return frame
