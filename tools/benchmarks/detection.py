"""Time of detection, images turned in their plane, and head pose."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import click
import cv2
import numpy as np

from efld_dlib.boxes import FloatArray
from efld_dlib.cli.network import (
    choose_detectors,
    measured_sources,
    min_score_option,
    networks_option,
    no_face_option,
    own_detector,
    run_by_turns,
)
from efld_dlib.cli.options import (
    FRACTION,
    SEED,
    NumberRange,
    every_option,
    finish,
    list_inputs,
    strict_option,
    warn,
)
from efld_dlib.detection.detectors import Detector, FrontalDetector
from efld_dlib.detection.network_detector import DEFAULT_SCORE
from efld_dlib.errors import DataError, Problems
from efld_dlib.evaluation.detection import (
    OTHERS,
    TIMES,
    ImageRun,
    InputImage,
    annotated_images,
    by_source,
    faceless_images,
    figures,
    summarise,
)
from efld_dlib.images import Image, read_image, to_gray
from efld_dlib.landmarker import FaceLandmarker
from efld_dlib.tables import Table, number, share

from .poses import pose_errors, pose_table
from .results import output_option, tell

FRAME = (640, 480)
"""Width and height in pixels of the frames of ``speed``."""

SPEED_VARIANTS = (
    ("fast", "fast", None),
    ("fast, --min-face 40", "fast", "40"),
    ("fast, --min-face 120", "fast", "120"),
    ("thorough", "thorough", None),
)
"""Name, mode and smallest face of the toolkit's detectors that ``speed`` measures."""

sources_argument = click.argument(
    "sources", nargs=-1, required=True, type=click.Path(path_type=Path)
)
subset_option = click.option("--subset", help="As of `efld-dlib network evaluate`.")
held_out_option = click.option(
    "--held-out", type=FRACTION, default=0.0, help="As of `efld-dlib network evaluate`."
)
seed_option = click.option("--seed", type=SEED, default=1, show_default=True, help="Random seed.")


@click.command()
@click.argument("images", nargs=-1, required=True)
@no_face_option
@min_score_option
@networks_option
@every_option
@output_option
@strict_option
@click.pass_context
def speed(
    ctx: click.Context,
    images: tuple[str, ...],
    faceless: Path | None,
    min_score: float | None,
    networks: Path | None,
    every: int,
    output: Path | None,
    strict: bool,
) -> None:
    """Time of detection in IMAGES, each fitted into 640x480 pixels, on one core.

    IMAGES are files, folders or globs. By turns run dlib's frontal detector on the frame as it is,
    and ours with several smallest faces. The machine should be idle.

    \b
    Examples:
      python -m tools.benchmarks speed 300w/helen/testset/ --faceless faceless/
      python -m tools.benchmarks speed photos/ --every 5 -o speed.json
    """
    detectors: dict[str, Detector] = {"dlib": FrontalDetector(0)}
    for label, mode, min_face in SPEED_VARIANTS:
        detectors[label] = own_detector(mode, min_score, min_face, networks)
    names, problems = list(detectors), Problems(strict, warn)
    paths = list_inputs(images)[::every]
    runs = run_by_turns(detectors, _frames(paths, faceless, problems), "frames")
    if not runs:
        raise DataError(" ".join(images), "has no image that can be read")
    width, height = FRAME
    table = speed_table(runs, names, f"Detection alone at {width}x{height}")
    found = {source: figures(some, names) for source, some in by_source(runs).items()}
    tell([table], output, {"min_score": min_score or DEFAULT_SCORE, "every": every, **found})
    finish(ctx, problems)


def _frames(
    paths: Sequence[str], faceless: Path | None, problems: Problems
) -> Iterator[InputImage]:
    """The images, then those without a face, fitted into frames."""
    for path in paths:
        try:
            gray = to_gray(read_image(path))
        except DataError as error:
            problems.add(error)
            continue
        yield InputImage("given", path, fitted(gray, FRAME))
    if faceless is not None:
        for image in faceless_images(faceless, None, 0, problems):
            yield replace(image, source="without a face", gray=fitted(image.gray, FRAME))


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


@click.command()
@sources_argument
@subset_option
@held_out_option
@seed_option
@click.option(
    "--by",
    "step",
    type=NumberRange(1, 180),
    default=15.0,
    show_default=True,
    metavar="DEGREES",
    help="Angle between the turns, all the way round.",
)
@click.option("--detectors", default="fast,thorough", show_default=True, help="Comma separated.")
@networks_option
@every_option
@output_option
@strict_option
@click.pass_context
def turns(
    ctx: click.Context,
    sources: tuple[Path, ...],
    subset: str | None,
    held_out: float,
    seed: int,
    step: float,
    detectors: str,
    networks: Path | None,
    every: int,
    output: Path | None,
    strict: bool,
) -> None:
    """Faces of SOURCES found when each image is turned in its plane.

    \b
    Examples:
      python -m tools.benchmarks turns 300w/ --subset helen/testset --every 6
    """
    chosen, problems = choose_detectors(detectors, None, networks), Problems(strict, warn)
    records = measured_sources(sources, subset, held_out, seed, every, problems)
    images = (
        turned_image(image, angle)
        for image in annotated_images(records, problems)
        for angle in angles(step)
    )
    runs = run_by_turns(chosen, images, "turned faces")
    names = list(chosen)
    found = [
        {"turn": turn, **figures(some, names), "classes": []}
        for turn, some in by_turn(runs).items()
    ]
    tell([turn_table(runs, names)], output, {"every": every, "turns": found})
    finish(ctx, problems)


@click.command()
@sources_argument
@subset_option
@held_out_option
@seed_option
@networks_option
@every_option
@output_option
@strict_option
@click.pass_context
def poses(
    ctx: click.Context,
    sources: tuple[Path, ...],
    subset: str | None,
    held_out: float,
    seed: int,
    networks: Path | None,
    every: int,
    output: Path | None,
    strict: bool,
) -> None:
    """Error of the head pose on SOURCES: of the face network, and of the landmarks.

    \b
    Examples:
      python -m tools.benchmarks poses aflw2000:aflw2000/
      python -m tools.benchmarks poses 300w/ ytf:ytf/ --held-out 0.1
    """
    problems = Problems(strict, warn)
    records = measured_sources(sources, subset, held_out, seed, every, problems)
    detector = own_detector("fast", None, None, networks)
    landmarker = FaceLandmarker(detector=detector)
    errors = pose_errors(detector, landmarker, annotated_images(records, problems))
    tell([pose_table(errors)], output)
    finish(ctx, problems)


def angles(step: float) -> list[float]:
    """The multiples of a step above -180 and up to 180 degrees."""
    most = int(180 / step)
    found = [step * turn for turn in range(-most, most + 1)]
    return [angle for angle in found if angle > -180]


def turned_image(image: InputImage, degrees: float) -> InputImage:
    """The image turned clockwise, with the landmarks of its faces; the angle is its source."""
    if not degrees:
        return replace(image, source="0")
    gray, matrix = turned(image.gray, degrees)
    faces = [
        replace(face, points=face.points @ matrix[:, :2].T + matrix[:, 2], box=None, pose=None)
        for face in image.faces
    ]
    return replace(image, source=f"{degrees:g}", gray=gray, faces=faces)


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


def by_turn(runs: Iterable[ImageRun]) -> dict[float, list[ImageRun]]:
    """The runs at each angle, in the order of the angles."""
    return dict(sorted((float(angle), some) for angle, some in by_source(runs).items()))


def turn_table(runs: Sequence[ImageRun], names: Sequence[str]) -> Table:
    """What each detector found in images that were turned, by the angle."""
    rows = []
    for turn, some in by_turn(runs).items():
        each = [summarise(some, name, names[0]) for name in names]
        rows.append(
            (
                f"{turn:g}",
                *(share(one.faces - one.missed, one.faces) for one in each),
                *(str(one.others) for one in each),
                *(number(one.ms_median, 1) for one in each),
            )
        )
    faces = len([face for run in runs for face in run.faces]) // max(len(rows), 1)
    header = (
        "turned by",
        *(f"found, {name}" for name in names),
        *(f"others, {name}" for name in names),
        *(f"ms, {name}" for name in names),
    )
    note = f"Degrees clockwise; found in per cent of {faces} faces.\n{OTHERS}\n{TIMES}"
    return Table("Images turned in their plane", header, tuple(rows), note)


def speed_table(runs: Sequence[ImageRun], names: Sequence[str], title: str) -> Table:
    """Median time and frame rate of each detector, by source."""
    sources = by_source(runs)
    header = ["detector"]
    for source, some in sources.items():
        header += [f"ms, {source} ({len(some)})", f"frame rate, {source}"]
    rows = []
    for name in names:
        cells = [name]
        for some in sources.values():
            each = summarise(some, name, names[0])
            cells += [number(each.ms_median, 1), number(each.rate)]
        rows.append(tuple(cells))
    return Table(title, tuple(header), tuple(rows), TIMES)
