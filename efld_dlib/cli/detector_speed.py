"""``efld-dlib detector speed``: the whole pipeline against dlib's detector and a predictor file."""

from __future__ import annotations

import re
from pathlib import Path

import click

from ..errors import OptionError, Problems
from .detection_options import min_face_option, model_option
from .options import (
    every_option,
    finish,
    open_all,
    sources_argument,
    strict_option,
    subset_option,
    warn,
)

_OWN_SIZE = "own"
_TEXTURES = 30


@click.command()
@sources_argument
@subset_option
@click.option(
    "--dat",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="The predictor that runs after dlib's detector, e.g. its stock file of 68 points.",
)
@model_option
@min_face_option
@click.option(
    "--size",
    default="640x480",
    show_default=True,
    help=f"Frames into which the pictures are fitted, or '{_OWN_SIZE}': as they are.",
)
@every_option
@click.option(
    "--faceless/--no-faceless", default=True, help="Also frames without a face [default: on]."
)
@strict_option
@click.pass_context
def speed(
    ctx: click.Context,
    sources: tuple[Path, ...],
    subset: str,
    dat: Path,
    model: Path | None,
    min_face: str | None,
    size: str,
    every: int,
    faceless: bool,
    strict: bool,
) -> None:
    """Frame rate and missed faces of our pipeline on SOURCES, against dlib's frontal detector and
    a predictor file.

    SOURCES are given as for `efld-dlib prepare`. The machine should be idle. Frames without a face
    are scikit-image's own pictures and textures.

    \b
    Examples:
      efld-dlib detector speed 300w/ --subset helen/testset --min-face 120 \\
          --dat shape_predictor_68_face_landmarks.dat
      efld-dlib detector speed 300w/ --subset helen/testset --size own --dat stock.dat
    """
    from itertools import chain

    from ..evaluation.detection.faceless import bundled_pictures, textures
    from ..evaluation.machine import one_thread
    from ..evaluation.speed import (
        Pipeline,
        dlib_pipeline,
        fitted,
        frames_of,
        own_pipeline,
        run_speed,
        speed_table,
    )
    from ..evaluation.tables import as_markdown
    from ..render import to_rgb

    frame_size = _frame_size(size)
    problems = Problems(strict, warn)
    records = open_all(sources, subset, problems)
    pipelines: dict[str, Pipeline] = {
        f"dlib + {dat.name}": dlib_pipeline(dat, 0),
        f"dlib, doubling where it finds nothing, + {dat.name}": dlib_pipeline(dat, "auto"),
    }
    for quality in ("balanced", "fast"):
        pipelines[f"efld_dlib, {quality}"] = own_pipeline(model, quality)
        if min_face is not None:
            name = f"efld_dlib, {quality}, --min-face {min_face}"
            pipelines[name] = own_pipeline(model, quality, min_face)
    empty = [*bundled_pictures(), *textures(_TEXTURES)] if faceless else []
    frames = chain(
        frames_of(records[::every], frame_size, problems),
        (fitted(to_rgb(picture), (), frame_size) for picture in empty),
    )
    with one_thread():
        run = run_speed(pipelines, frames)
    title = f"{', '.join(map(str, sources))} ({subset}), {size}"
    click.echo(as_markdown(speed_table(run, title)))
    finish(ctx, problems)


def _frame_size(text: str) -> tuple[int, int] | None:
    """Width and height, or None for pictures as they are."""
    if text == _OWN_SIZE:
        return None
    match = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", text)
    if match is None:
        raise OptionError(f"--size must be as 640x480, or '{_OWN_SIZE}', not '{text}'")
    return int(match[1]), int(match[2])
