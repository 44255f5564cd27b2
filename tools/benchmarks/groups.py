"""Group images, composed of annotated faces on grounds that no network was trained on."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, cast

import click
import cv2
import numpy as np
from numpy.typing import NDArray

from efld_dlib.boxes import Box
from efld_dlib.cli.network import measured_sources
from efld_dlib.cli.options import finish, strict_option, warn
from efld_dlib.crops import canonical_crop
from efld_dlib.detection.framing import true_box
from efld_dlib.drawing import write_image
from efld_dlib.errors import DataError, Problems
from efld_dlib.evaluation.detection import InputImage, traits_of
from efld_dlib.images import Image, read_image, to_gray
from efld_dlib.parallel import progress
from efld_dlib.pose import face_poses
from efld_dlib.records import FaceAnnotation, ImageRecord
from efld_dlib.xml.write import write_xml

from .detection import held_out_option, seed_option, sources_argument, subset_option
from .grounds import bundled_pictures, textures

GROUPS = "groups"
"""Source of the images of `compose_groups`."""

FEWEST, MOST = 4, 60
"""Faces in an image."""

SMALLEST, LARGEST = 24.0, 260.0
"""Width of the faces' boxes in pixels."""

SPREAD = 1.2
"""Faces of one image are up to this many times larger and smaller than its usual face."""

MAX_ENLARGEMENT = 2.0
"""Faces that would have to be enlarged further are not used."""

MAX_PIXELS = 5_000_000
"""Of an image: large faces come in smaller groups."""

LEAST_SIDES = 320, 240
"""Width and height of the smallest image."""

# Cells, one for each face, in widths of the largest face's box: width and height.
_CELL = (1.7, 2.3), (2.0, 2.6)
# What is pasted, in widths of the box: an oval, and how far its border reaches in and out.
_HALF_WIDTH, _HALF_HEIGHT, _RAISED = 0.74, 0.86, 0.04
_SOFT = 0.03
_CONTEXT = 0.5

_TEXTURES = 20
_LEAST_GROUND = 100


class _Candidate(NamedTuple):
    record: ImageRecord
    face: FaceAnnotation
    box: Box


def compose_groups(records: Iterable[ImageRecord], count: int, seed: int) -> Iterator[InputImage]:
    """Group images at random.

    Each shows `FEWEST` to `MOST` faces of similar size that do not overlap, with soft borders.
    Image number n is the same for every `count`. Faces whose image cannot be read are left out.

    Parameters
    ----------
    records : iterable of ImageRecord
        With the 68 landmarks.
    count : int
    seed : int

    Raises
    ------
    DataError
        No face is large enough.
    """
    candidates = _candidates(records)
    if not any(each.box.width * MAX_ENLARGEMENT >= SMALLEST for each in candidates):
        raise DataError("<faces>", f"none is at least {SMALLEST / MAX_ENLARGEMENT:g} pixels wide")
    grounds = [each for each in bundled_pictures() if min(each.shape) >= _LEAST_GROUND]
    grounds += textures(_TEXTURES, seed)
    for number in range(count):
        rng = np.random.default_rng((seed, number))
        image, faces = _compose(candidates, grounds, rng)
        traits = traits_of(image, faces)
        yield InputImage(GROUPS, f"group-{number + 1:03d}", image, faces, traits)


def _candidates(records: Iterable[ImageRecord]) -> list[_Candidate]:
    found = []
    for record in records:
        for face, pose in zip(record.faces, face_poses(record.faces), strict=True):
            box = true_box(face, float(pose[2]))
            if box is not None:
                found.append(_Candidate(record, face, box))
    return found


def _compose(
    candidates: Sequence[_Candidate], grounds: Sequence[Image], rng: np.random.Generator
) -> tuple[Image, list[FaceAnnotation]]:
    largest = max(each.box.width for each in candidates) * MAX_ENLARGEMENT
    usual = _log_uniform(rng, SMALLEST, max(SMALLEST, min(LARGEST, largest)))
    usable = [each for each in candidates if each.box.width * MAX_ENLARGEMENT >= usual]
    cell = [usual * SPREAD * rng.uniform(*limits) for limits in _CELL]
    number = min(
        round(_log_uniform(rng, FEWEST, MOST)), max(FEWEST, int(MAX_PIXELS / math.prod(cell)))
    )
    columns = math.ceil(math.sqrt(number * 4 / 3 * cell[1] / cell[0]))
    rows = math.ceil(number / columns)
    width = max(LEAST_SIDES[0], math.ceil(columns * cell[0]))
    height = max(LEAST_SIDES[1], math.ceil(rows * cell[1]))
    image = _covering(grounds[int(rng.integers(len(grounds)))], width, height, rng)
    chosen = rng.choice(len(usable), number, replace=len(usable) < number)
    places = rng.choice(rows * columns, number, replace=False)
    faces = []
    for each, place in zip(chosen, places, strict=True):
        row, column = divmod(int(place), columns)
        room = Box(column * width / columns, row * height / rows, width / columns, height / rows)
        size = usual * SPREAD ** rng.uniform(-1, 1)
        face = _paste(image, usable[each], round(min(max(size, SMALLEST), LARGEST)), room, rng)
        if face is not None:
            faces.append(face)
    return image, faces


def _paste(
    image: Image, candidate: _Candidate, size: int, room: Box, rng: np.random.Generator
) -> FaceAnnotation | None:
    """Paste a face somewhere in its room, its box `size` pixels wide; where its landmarks are."""
    try:
        gray = to_gray(read_image(candidate.record.path))
    except DataError:
        return None
    crop = canonical_crop(gray, candidate.box, size, _CONTEXT)
    inside = canonical_crop(np.full_like(gray, 255), candidate.box, size, _CONTEXT).image
    mask = _oval(inside, size)
    side = len(mask)
    corner = []
    for start, length, reach in (
        (room.left, room.width, (_HALF_WIDTH + 3 * _SOFT) * size),
        (room.top, room.height, (_HALF_HEIGHT + _RAISED + 3 * _SOFT) * size),
    ):
        middle = start + rng.uniform(reach, max(reach, length - reach))
        corner.append(round(middle - (side - 1) / 2))
    _blend(image, crop.image, mask, corner)
    points = crop.from_photograph(candidate.face.points) + corner
    return FaceAnnotation(points)


def _oval(inside: Image, size: int) -> NDArray[np.float32]:
    """How opaque the parts of a crop are, 0 to 1: an oval of what is `inside` its image."""
    side = len(inside)
    mask = np.zeros_like(inside)
    middle = (side - 1) / 2
    axes = (2 * _HALF_WIDTH * size, 2 * _HALF_HEIGHT * size)
    cv2.ellipse(mask, ((middle, middle - _RAISED * size), axes, 0.0), 255, -1)
    mask = np.minimum(mask, inside)
    soft = max(0.7, _SOFT * size)
    # Of a border that is blurred, half lies outside.
    reach = 2 * math.ceil(1.5 * soft) + 1
    mask = np.asarray(cv2.erode(mask, np.ones((reach, reach), np.uint8)), np.uint8)
    blurred = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), soft)
    return np.asarray(blurred / 255, np.float32)


def _blend(image: Image, over: Image, mask: NDArray[np.float32], corner: Sequence[int]) -> None:
    """Lay `over` on the image with its top left pixel at `corner`; what reaches out is cut off."""
    left, top = corner
    height, width = image.shape
    x0, y0 = max(0, left), max(0, top)
    x1, y1 = min(width, left + over.shape[1]), min(height, top + over.shape[0])
    part = (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))
    below = image[y0:y1, x0:x1]
    share = mask[part]
    below[:] = np.rint(below + share * (over[part].astype(np.float32) - below))


def _covering(ground: Image, width: int, height: int, rng: np.random.Generator) -> Image:
    """A part of a ground, scaled as little as possible so that it fills an image of that size."""
    rows, columns = ground.shape
    scale = max(width / columns, height / rows)
    size = max(width, round(columns * scale)), max(height, round(rows * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    large = cast(Image, cv2.resize(ground, size, interpolation=how))
    left = int(rng.integers(size[0] - width + 1))
    top = int(rng.integers(size[1] - height + 1))
    return large[top : top + height, left : left + width].copy()


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(math.exp(rng.uniform(math.log(low), math.log(high))))


@click.command("groups")
@sources_argument
@subset_option
@held_out_option
@seed_option
@click.option("-n", "count", type=click.IntRange(min=1), default=40, show_default=True)
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="The XML to write."
)
@strict_option
@click.pass_context
def groups_command(
    ctx: click.Context,
    sources: tuple[Path, ...],
    subset: str | None,
    held_out: float,
    seed: int,
    count: int,
    output: Path,
    strict: bool,
) -> None:
    """Compose group images of the faces of SOURCES, and an XML with their landmarks.

    \b
    Examples:
      python -m tools.benchmarks groups 300w/ ytf:ytf/ --held-out 0.1 -o build/groups/groups.xml
      efld-dlib network evaluate build/groups/groups.xml
    """
    problems = Problems(strict, warn)
    sets = measured_sources(sources, subset, held_out, seed, 1, problems)
    records = [record for some in sets.values() for record in some]
    composed = []
    for image in progress(compose_groups(records, count, seed), count, "groups", True):
        path = output.parent / f"{image.name}.png"
        write_image(path, image.gray)
        faces = (replace(face, box=Box.around(face.points)) for face in image.faces)
        composed.append(ImageRecord(path, tuple(faces)))
    write_xml(output, composed)
    finish(ctx, problems)
