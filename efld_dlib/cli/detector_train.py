"""``efld-dlib detector train``: annotated pictures to a face detector of one's own."""

from __future__ import annotations

from pathlib import Path

import click

from ..errors import Problems
from .options import (
    FRACTION,
    SEED,
    finish,
    jobs_option,
    open_all,
    sources_argument,
    strict_option,
    subset_option,
    warn,
)


@click.command()
@sources_argument
@subset_option
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the detector's files.",
)
@click.option("--seed", type=SEED, default=1, show_default=True, help="Seed of all chance.")
@click.option(
    "--validation",
    type=FRACTION,
    default=0.1,
    show_default=True,
    help="Fraction of the photographs held out.",
)
@click.option(
    "--cache",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File that keeps what dlib's detector finds [default: detections.jsonl in OUTPUT].",
)
@click.option(
    "--rounds",
    type=click.IntRange(min=0),
    default=2,
    show_default=True,
    help="Rounds of learning from mistakes.",
)
@jobs_option
@strict_option
@click.pass_context
def train(
    ctx: click.Context,
    sources: tuple[Path, ...],
    subset: str,
    output: Path,
    seed: int,
    validation: float,
    cache: Path | None,
    rounds: int,
    jobs: int | None,
    strict: bool,
) -> None:
    """Train a face detector on SOURCES, which are given as for `efld-dlib prepare`.

    dlib trains a sub-detector for each range of yaw, and a small network that verifies what they
    find is fitted to faces, to what is beside them, and to the sub-detectors' own mistakes.

    \b
    Examples:
      efld-dlib detector train 300w/ merl-rav:aflw/ -o detector/
    """
    from dataclasses import replace

    from ..prepare.faces import CACHE
    from ..training.detector.build import DetectorOptions, train_detector

    problems = Problems(strict, warn)
    records = open_all(sources, subset, problems)
    options = DetectorOptions(rounds=rounds, validation=validation, seed=seed)
    options = replace(
        options,
        windows=replace(options.windows, seed=seed),
        samples=replace(options.samples, seed=seed),
        network=replace(options.network, seed=seed),
        mining=replace(options.mining, seed=seed),
    )
    cache = cache or output / CACHE
    train_detector(records, output, cache, options, jobs, problems, click.echo)
    finish(ctx, problems)
