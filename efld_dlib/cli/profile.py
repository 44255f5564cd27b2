"""``efld-dlib profile``: where the time of a picture goes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .options import counted, min_face_option, model_option

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..landmarker import FaceLandmarker

_FRAME = (640, 480)
_FRAMES = 60


@click.command()
@click.argument("images", nargs=-1)
@model_option
@min_face_option
@click.option(
    "--repeats",
    default=20,
    show_default=True,
    type=click.IntRange(min=1),
    help="Rounds, of which the first is not counted.",
)
def profile(
    images: tuple[str, ...], model: Path | None, min_face: str | None, repeats: int
) -> None:
    """Where the time goes from a picture's file to its faces, features and drawing.

    IMAGES are given as for `efld-dlib detect`; without them it is a frame of 640x480 with one
    face, and beside it the frames of a video in which that face is followed. With --min-face
    further columns show what it and `--quality fast` change.

    \b
    Examples:
      efld-dlib profile
      efld-dlib profile --min-face 120
      efld-dlib profile photos/ --repeats 3
    """
    from ..evaluation.machine import one_thread
    from ..evaluation.profile import profile as run
    from ..evaluation.tables import as_markdown
    from ..landmarker import FaceLandmarker

    contents = _contents(images)
    columns = {"default": FaceLandmarker(model)}
    if min_face is not None:
        columns[f"--min-face {min_face}"] = FaceLandmarker(model, min_face=min_face)
        columns["and --quality fast"] = FaceLandmarker(model, quality="fast", min_face=min_face)
    runs = {
        column: [_one_run(landmarker, data) for data in contents]
        for column, landmarker in columns.items()
    }
    if not images:
        runs["video"] = _video_runs(columns["default"], contents[0])
    what = counted(len(contents), "picture") if images else f"a frame of {_FRAME[0]}x{_FRAME[1]}"
    with one_thread():
        table = run(runs, repeats, title=f"Where the time goes, {what}")
    click.echo(as_markdown(table))


def _contents(images: tuple[str, ...]) -> list[bytes]:
    """The files' bytes: the disk is not what is to be measured."""
    import cv2

    from ..errors import DataError
    from ..evaluation.benchmark_faces import one_face_frame
    from .options import list_inputs

    if not images:
        frame, _ = one_face_frame(*_FRAME)
        return [cv2.imencode(".jpg", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))[1].tobytes()]
    contents = []
    for name in list_inputs(images):
        try:
            contents.append(Path(name).read_bytes())
        except OSError as error:
            raise DataError(name, f"cannot be read ({error.strerror})") from error
    return contents


def _video_runs(landmarker: FaceLandmarker, data: bytes) -> list[Callable[[], object]]:
    """One for each frame of a video, in which the picture moves to and fro."""
    from functools import partial

    import numpy as np

    from ..images import read_image
    from ..video.tracker import FaceTracker

    image, tracker = read_image(data), FaceTracker(landmarker)
    return [
        partial(tracker, np.roll(image, abs(15 - number % 30), axis=1), "rgb")
        for number in range(_FRAMES)
    ]


def _one_run(landmarker: FaceLandmarker, data: bytes) -> Callable[[], object]:
    from .. import drawing as render
    from .. import images

    def run() -> None:
        image = images.read_image(data)
        faces = landmarker.detect(image, "rgb")
        drawn = render.to_rgb(image)
        for face in faces:
            face.features()
            render.draw_face(drawn, face.points, face.box, face.pose)

    return run
