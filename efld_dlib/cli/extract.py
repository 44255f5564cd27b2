"""``efld-dlib extract``: folders of pictures, however many, to a table of features."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import EfldError, OptionError
from .options import (
    STDIN,
    counted,
    detection_options,
    jobs_option,
    list_inputs,
    model_option,
    read_list,
    strict_option,
    warn,
)

if TYPE_CHECKING:
    from ..detection.prediction import Quality
    from ..extraction.run import Earlier

# More of them scroll everything else away; the table has them all.
_MOST_WARNINGS = 20


@click.command()
@click.argument("inputs", nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    help="Table to write: .csv, .jsonl or .parquet.",
)
@jobs_option
@click.option(
    "--resume/--restart",
    default=None,
    help="Continue where an interrupted run of the same work stopped, or throw away what it has "
    "done [default: refuse to start].",
)
@click.option(
    "--cluster",
    metavar="tcp://HOST:PORT",
    help="A Dask scheduler, whose workers do the work instead of processes here.",
)
@model_option
@detection_options
@strict_option
@click.pass_context
def extract(
    ctx: click.Context,
    inputs: tuple[str, ...],
    output: Path,
    jobs: int | None,
    resume: bool | None,
    cluster: str | None,
    model: Path | None,
    feature_text: str,
    detector_name: str,
    min_score: float | None,
    min_face: str | None,
    quality: Quality,
    point_confidence: bool,
    strict: bool,
) -> None:
    """Write the faces of INPUTS into one table: files, folders, globs, or @FILE with a list.

    One row a face, in the order of the inputs (folders and globs sorted), whatever the number of
    processes. A picture without a face has a row that says so, and so has one that cannot be used;
    the exit code is then 1. A run that was interrupted goes on with --resume, and ends in the
    same file as one that was not.

    \b
    Examples:
      efld-dlib extract photos/ -o features.csv
      efld-dlib extract photos/ -o features.csv --resume
      efld-dlib extract @list.txt -o features.parquet --jobs 8 --features 36-45/30-48
      efld-dlib extract /shared/photos -o features.jsonl --cluster tcp://host:8786
    """
    from ..extraction.run import extract as run
    from ..extraction.settings import ExtractSettings

    names = _names(inputs)
    settings = ExtractSettings(
        model=None if model is None else str(model),
        features=feature_text,
        detector=detector_name,
        min_score=min_score,
        quality=quality,
        min_face=min_face,
        point_confidence=point_confidence,
    )
    earlier: Earlier = "refuse"
    if resume is not None:
        earlier = "resume" if resume else "restart"
    try:
        summary = run(
            names,
            output,
            settings,
            jobs=jobs,
            cluster=cluster,
            earlier=earlier,
            strict=strict,
            report=_Warnings(),
            show_progress=True,
        )
    except KeyboardInterrupt:
        click.echo("\nInterrupted; --resume continues.", err=True)
        ctx.exit(130)
    before = f", {summary.continued} of them before" if summary.continued else ""
    click.echo(
        f"{output}: {counted(summary.faces, 'face')} in "
        f"{counted(summary.pictures, 'picture')}{before}; "
        f"{summary.errors} could not be used",
        err=True,
    )
    if summary.errors:
        ctx.exit(1)


def _names(inputs: tuple[str, ...]) -> list[str]:
    """The images in the order in which they are named."""
    names: list[str] = []
    for given in inputs:
        if given == STDIN:
            raise OptionError("a picture on stdin is for `efld-dlib detect`")
        names += read_list(given[1:]) if given.startswith("@") else list_inputs((given,))
    return names


class _Warnings:
    """Warns of the first pictures that cannot be used, without breaking the progress bar."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, error: EfldError) -> None:
        from tqdm import tqdm

        self.count += 1
        if self.count > _MOST_WARNINGS + 1:
            return
        with tqdm.external_write_mode():
            if self.count > _MOST_WARNINGS:
                warn("further pictures that cannot be used are only in the table")
            else:
                warn(str(error))
