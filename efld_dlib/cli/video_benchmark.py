"""``efld-dlib video-benchmark``: speed, error, jitter and lag of landmarks in video."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import Problems
from .options import (
    SEED,
    describe_source,
    detect_every_option,
    finish,
    model_option,
    open_records,
    quality_option,
    strict_option,
    warn,
)

if TYPE_CHECKING:
    from ..detection.prediction import Quality


@click.command("video-benchmark")
@click.argument("data", type=click.Path(path_type=Path))
@click.option(
    "--subset",
    default="helen/testset",
    show_default=True,
    help="Of a 300-W tree: train, test-common, test-full, or a folder in it.",
)
@model_option
@quality_option
@detect_every_option
@click.option(
    "--clips",
    type=click.IntRange(min=1),
    default=8,
    show_default=True,
    metavar="N",
    help="How many clips are made.",
)
@click.option(
    "--frames",
    type=click.IntRange(min=75),
    default=240,
    show_default=True,
    metavar="N",
    help="Frames of each clip.",
)
@click.option("--seed", type=SEED, default=0, show_default=True, help="Of the clips.")
@click.option(
    "--markdown", type=click.Path(path_type=Path), metavar="FILE", help="Write the table."
)
@strict_option
@click.pass_context
def video_benchmark(
    ctx: click.Context,
    data: Path,
    subset: str,
    model: Path | None,
    quality: Quality,
    detect_every: int,
    clips: int,
    frames: int,
    seed: int,
    markdown: Path | None,
    strict: bool,
) -> None:
    """Measure how fast, exact and steady landmarks of videos are.

    Clips are made of the photographs of DATA, as of `efld-dlib evaluate`: their faces rest, and
    then are shifted, zoomed and turned, so that it is known where each landmark is in each frame.
    Following the faces is compared with detecting them in every frame, and with dlib's own detector
    and predictor.

    \b
    Examples:
      efld-dlib video-benchmark 300w/
      efld-dlib video-benchmark 300w/ --subset helen/trainset --clips 3 --frames 120
    """
    from ..evaluation.tables import as_markdown, as_text
    from ..evaluation.video_benchmark import run_video_benchmark
    from ..evaluation.video_methods import Detecting, PlainDlib, Tracking, VideoMethod
    from ..evaluation.video_table import video_table
    from ..files import write_text
    from ..landmarker import FaceLandmarker
    from ..video.tracker import TrackOptions

    problems = Problems(strict, warn)
    landmarker, options = FaceLandmarker(model, quality=quality), TrackOptions(detect_every)
    following = [Tracking(landmarker, options), Tracking(landmarker, options, smooth=True)]
    detecting = Detecting(landmarker)
    methods: list[VideoMethod] = [*following, detecting, PlainDlib(model)]
    result = run_video_benchmark(
        methods,
        [method.name for method in following],
        landmarker,
        open_records(data, subset, problems),
        clips,
        frames,
        seed,
        problems,
        show_progress=True,
    )
    # No path: it is nobody else's business.
    label = describe_source(data, subset).removeprefix(f"{data.parent}/")
    table = video_table(result, detecting.name, label)
    click.echo(as_text(table))
    if markdown is not None:
        write_text(markdown, as_markdown(table))
    finish(ctx, problems)
