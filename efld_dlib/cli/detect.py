"""``efld-dlib detect``: images to landmarks, pose and features."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import nullcontext
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import DataError, OptionError, Problems
from . import options as common

if TYPE_CHECKING:
    from ..face import Face
    from ..images import Image
    from ..landmarker import FaceLandmarker

_FORMATS = ("json", "jsonl", "csv")


@click.command()
@click.argument("images", nargs=-1, required=True)
@click.option("-o", "--output", default="-", help="File for the result; - is stdout.")
@click.option(
    "--format",
    "kind",
    type=click.Choice(_FORMATS),
    help="Format of the result [default: by the suffix of -o, else json].",
)
@click.option(
    "--annotate",
    type=common.FOLDER,
    metavar="DIR",
    help="Folder for copies of the images with the faces drawn on them.",
)
@common.detection_options
@common.collects_problems
def detect(
    images: tuple[str, ...],
    output: str,
    kind: str | None,
    annotate: Path | None,
    problems: Problems,
    **options: Any,
) -> None:
    """Find faces in IMAGES: files, folders, globs, or - for an image on stdin.

    Gives for each face its box, 68 points in pixels of the upright image, head pose in degrees, and
    the paper's distances and ratios.

    \b
    Examples:
      efld-dlib detect photo.jpg
      efld-dlib detect photos/ -o faces.csv --annotate annotated/
      efld-dlib detect "album/*.jpg" --format jsonl | head
      efld-dlib detect portraits/ --min-face 20% --quality fast --format jsonl
      cat photo.jpg | efld-dlib detect - --features 36-45/30-48
    """
    from ..extraction.settings import ExtractSettings
    from ..files import atomic_text
    from ..parallel import progress
    from ..writers import open_sink

    settings = ExtractSettings(**options)
    names = common.list_inputs(images)
    # One image is not a bulk run: what is wrong with it is the whole answer.
    problems.strict |= len(names) == 1
    landmarker = settings.landmarker()
    scheme, chosen = landmarker.scheme, settings.chosen(landmarker.scheme)
    kind = kind or _format_of(output)
    found, drawn = 0, set[str]()
    with nullcontext(sys.stdout) if output == "-" else atomic_text(output) as stream:
        sink = open_sink(kind, stream, chosen, settings.point_confidence, scheme)
        for name in progress(names, len(names), "detecting", show=len(names) > 1):
            try:
                image, faces = _detect_one(landmarker, name)
                if annotate is not None:
                    _draw(annotate, name, image, faces, drawn)
            except DataError as error:
                problems.add(error)
                sink.error(name, error.problem)
                continue
            found += len(faces)
            sink.faces(name, faces)
        sink.close()
        stream.flush()
    click.echo(
        common.counted(found, "face") + " in " + common.counted(len(names), "picture"), err=True
    )


def _detect_one(landmarker: FaceLandmarker, name: str) -> tuple[Image, list[Face]]:
    from ..images import read_image

    try:
        image = read_image(sys.stdin.buffer.read() if name == common.STDIN else name)
    except DataError as error:
        if name == common.STDIN:
            raise DataError("<stdin>", error.problem) from error
        raise
    try:
        return image, landmarker.detect(image, "rgb")
    except MemoryError as error:
        raise DataError(name, "needs more memory than there is") from error


def _draw(folder: Path, name: str, image: Image, faces: Sequence[Face], used: set[str]) -> None:
    """Write the image with its faces drawn under a name that is not `used` yet."""
    from ..drawing import draw_face, to_rgb, write_image

    drawn = to_rgb(image)
    for face in faces:
        draw_face(drawn, face.points, face.box, face.pose, edges=face.scheme.edges)
    # Never the image's own name: the folder may be the one that it lies in.
    stem = f"{'stdin' if name == common.STDIN else Path(name).stem}-landmarks"
    numbered = (f"{stem}-{number}" for number in count(2))
    stem = stem if stem not in used else next(each for each in numbered if each not in used)
    used.add(stem)
    write_image(folder / f"{stem}.jpg", drawn)
    click.echo(f"annotated picture: {folder / stem}.jpg", err=True)


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
