"""``efld-dlib detect``: photographs to landmarks, pose and features."""

from __future__ import annotations

import contextlib
import glob
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from ..errors import DataError, OptionError, Problems
from .options import finish, min_face_option, strict_option, warn

if TYPE_CHECKING:
    from ..detection.detectors import Upsample
    from ..detection.landmark_stage import Quality
    from ..detection.landmarker import Face, FaceLandmarker
    from ..images import Image

_FORMATS = ("json", "jsonl", "csv")
_STDIN = "-"


@click.command()
@click.argument("images", nargs=-1, required=True)
@click.option(
    "-m",
    "--model",
    type=click.Path(path_type=Path),
    help="A 68-point model, .dat or .efld [default: the one that comes with the package].",
)
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
@click.option(
    "--features",
    "feature_text",
    default="default",
    show_default=True,
    help="Features, comma separated: names, pairs (36-45), ratios (36-45/30-48), angles "
    "(angle:36-45).",
)
@click.option(
    "--upsample",
    type=click.Choice(["auto", "0", "1", "2"]),
    default="auto",
    show_default=True,
    help="How often the picture is doubled for the detector; auto doubles where it finds nothing.",
)
@click.option(
    "--detector",
    "detector_name",
    default="fast",
    show_default=True,
    help="fast finds faces of any yaw; thorough also those turned in the picture, upside down too; "
    "dlib is its frontal detector; also lbp, yunet=FILE.onnx, dlib-cnn=FILE.dat.",
)
@click.option(
    "--min-score",
    "--threshold",
    "min_score",
    default=0.0,
    show_default=True,
    help="Lowest score of the detector that counts.",
)
@min_face_option
@click.option(
    "--views",
    help="Only these sub-detectors of fast and thorough, comma separated, for less time: front, "
    "half-left, half-right, profile-left, profile-right [default: all].",
)
@click.option(
    "--quality",
    type=click.Choice(["fast", "balanced", "best"]),
    default="balanced",
    show_default=True,
    help="Of the landmarks: fast takes half of the time, best three times as long.",
)
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
    upsample: str,
    detector_name: str,
    min_score: float,
    min_face: str | None,
    views: str | None,
    quality: Quality,
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
    from ..detection.choice import make_detector
    from ..detection.landmarker import FaceLandmarker
    from ..detection.sinks import open_sink
    from ..feature_vector import parse_features

    chosen = parse_features(feature_text)
    names = list_inputs(images)
    # One picture is not a bulk run: what is wrong with it is the whole answer.
    problems = Problems(strict or len(names) == 1, warn)
    times: Upsample = "auto" if upsample == "auto" else int(upsample)
    chosen_views = None if views is None else [view.strip() for view in views.split(",")]
    detector = make_detector(detector_name, times, min_score, min_face=min_face, views=chosen_views)
    landmarker = FaceLandmarker(model, detector, quality=quality)
    drawings = _Drawings(annotate) if annotate is not None else None
    found = 0
    with _open_output(output) as stream:
        sink = open_sink(kind or _format_of(output), stream, chosen)
        for name in _with_progress(names):
            try:
                faces = _detect_one(landmarker, name, drawings)
            except DataError as error:
                problems.add(error)
                sink.error(name, str(error))
                continue
            found += len(faces)
            sink.faces(name, faces)
        sink.close()
    click.echo(_count(found, "face") + " in " + _count(len(names), "picture"), err=True)
    finish(ctx, problems)


def list_inputs(images: tuple[str, ...]) -> list[str]:
    """The pictures that the arguments name: files as they stand, folders and globs spread out.

    Raises
    ------
    DataError
        A folder or a glob has no picture.
    """
    from imutils import paths

    from ..images import IMAGE_SUFFIXES

    names: list[str] = []
    for image in images:
        path = Path(image)
        if image == _STDIN or path.is_file():
            names.append(image)
        elif path.is_dir():
            inside = sorted(paths.list_files(image, validExts=IMAGE_SUFFIXES))
            if not inside:
                raise DataError(image, "is a folder without a picture")
            names.extend(inside)
        elif glob.has_magic(image):
            matches = sorted(
                name for name in glob.glob(image, recursive=True) if Path(name).is_file()
            )
            if not matches:
                raise DataError(image, "no file matches")
            names.extend(matches)
        else:
            # Missing: reported in its turn, like every other picture that cannot be read.
            names.append(image)
    return names


def _detect_one(landmarker: FaceLandmarker, name: str, drawings: _Drawings | None) -> list[Face]:
    from ..images import read_image

    if name == _STDIN:
        try:
            image = read_image(sys.stdin.buffer.read())
        except DataError as error:
            raise DataError("<stdin>", error.problem) from error
    else:
        image = read_image(name)
    faces = landmarker.detect(image, "rgb")
    if drawings is not None:
        drawings.write(name, image, faces)
    return faces


class _Drawings:
    """Writes annotated pictures into a folder under names that do not collide."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.used: set[str] = set()

    def write(self, name: str, image: Image, faces: list[Face]) -> None:
        from ..render import draw_face, to_rgb, write_image

        drawn = to_rgb(image)
        for face in faces:
            draw_face(drawn, face.points, face.box, face.pose)
        target = self.folder / self._free_name(name)
        write_image(target, drawn)
        click.echo(f"annotated picture: {target}", err=True)

    def _free_name(self, name: str) -> str:
        # Never the picture's own name: DIR may be the folder that it lies in.
        stem = "stdin" if name == _STDIN else Path(name).stem
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


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
