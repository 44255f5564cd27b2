"""``efld-dlib detect``: photographs to landmarks, pose and features."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from ..errors import DataError, OptionError, Problems
from .options import (
    STDIN,
    counted,
    detection_options,
    finish,
    list_inputs,
    model_option,
    strict_option,
    warn,
)

if TYPE_CHECKING:
    from ..detection.prediction import Quality
    from ..face import Face
    from ..images import Image
    from ..landmarker import FaceLandmarker

_FORMATS = ("json", "jsonl", "csv")


@click.command()
@click.argument("images", nargs=-1, required=True)
@model_option
@click.option(
    "-o", "--output", default="-", help="File for the result; - is stdout.", show_default=True
)
@click.option(
    "--format",
    "kind",
    type=click.Choice(_FORMATS),
    help="Of the result [default: by the suffix of -o, else json].",
)
@click.option(
    "--annotate",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Also write each picture with its faces drawn to DIR.",
)
@detection_options
@strict_option
@click.pass_context
def detect(
    ctx: click.Context,
    images: tuple[str, ...],
    model: Path | None,
    output: str,
    kind: str | None,
    annotate: Path | None,
    feature_text: str,
    detector_name: str,
    min_score: float | None,
    min_face: str | None,
    quality: Quality,
    point_confidence: bool,
    strict: bool,
) -> None:
    """Find faces in IMAGES: files, folders, globs, or - for a picture on stdin.

    Gives for each face its box, 68 points in pixels of the upright photograph, head pose in
    degrees, and the paper's distances and ratios.

    \b
    Examples:
      efld-dlib detect photo.jpg
      efld-dlib detect photos/ -o faces.csv --annotate annotated/
      efld-dlib detect "album/*.jpg" --format jsonl | head
      efld-dlib detect portraits/ --min-face 20% --quality fast --format jsonl
      cat photo.jpg | efld-dlib detect - --features 36-45/30-48
    """
    from ..detection.registry import make_detector
    from ..geometry import parse_features
    from ..landmarker import FaceLandmarker
    from ..writers import open_sink

    chosen = parse_features(feature_text)
    names = list_inputs(images)
    # One picture is not a bulk run: what is wrong with it is the whole answer.
    problems = Problems(strict or len(names) == 1, warn)
    detector = make_detector(detector_name, min_score, min_face)
    landmarker = FaceLandmarker(model, detector, quality=quality, point_confidence=point_confidence)
    drawings = _Drawings(annotate) if annotate is not None else None
    found = 0
    with _open_output(output) as stream:
        sink = open_sink(kind or _format_of(output), stream, chosen, point_confidence)
        for name in _with_progress(names):
            try:
                faces = _detect_one(landmarker, name, drawings)
            except DataError as error:
                problems.add(error)
                sink.error(name, error.problem)
                continue
            found += len(faces)
            sink.faces(name, faces)
        sink.close()
    click.echo(counted(found, "face") + " in " + counted(len(names), "picture"), err=True)
    finish(ctx, problems)


def _detect_one(landmarker: FaceLandmarker, name: str, drawings: _Drawings | None) -> list[Face]:
    from ..images import read_image

    if name == STDIN:
        try:
            image = read_image(sys.stdin.buffer.read())
        except DataError as error:
            raise DataError("<stdin>", error.problem) from error
    else:
        image = read_image(name)
    try:
        faces = landmarker.detect(image, "rgb")
    except MemoryError as error:
        raise DataError(name, "needs more memory than there is") from error
    if drawings is not None:
        drawings.write(name, image, faces)
    return faces


class _Drawings:
    """Writes annotated pictures into a folder under names that do not collide."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.used: set[str] = set()

    def write(self, name: str, image: Image, faces: list[Face]) -> None:
        from ..drawing import draw_face, to_rgb, write_image

        drawn = to_rgb(image)
        for face in faces:
            draw_face(drawn, face.points, face.box, face.pose)
        target = self.folder / self._free_name(name)
        write_image(target, drawn)
        click.echo(f"annotated picture: {target}", err=True)

    def _free_name(self, name: str) -> str:
        # Never the picture's own name: DIR may be the folder that it lies in.
        stem = "stdin" if name == STDIN else Path(name).stem
        candidate, number = f"{stem}-landmarks.jpg", 2
        while candidate in self.used:
            candidate, number = f"{stem}-landmarks-{number}.jpg", number + 1
        self.used.add(candidate)
        return candidate


@contextlib.contextmanager
def _open_output(output: str) -> Iterator[TextIO]:
    from ..files import atomic_path

    if output == "-":
        yield sys.stdout
        sys.stdout.flush()
        return
    with (
        atomic_path(output) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        yield file
        file.flush()


def _format_of(output: str) -> str:
    suffix = Path(output).suffix.lower().lstrip(".")
    if output == "-" or not suffix:
        return "json"
    if suffix not in _FORMATS:
        raise OptionError(
            f"the format of '{output}' is not clear from its name: say --format "
            f"{', '.join(_FORMATS[:-1])} or {_FORMATS[-1]}"
        )
    return suffix


def _with_progress(names: list[str]) -> Iterator[str]:
    from ..parallel import progress

    # With one picture a bar says nothing.
    yield from progress(names, len(names), "detecting", show=len(names) > 1)
