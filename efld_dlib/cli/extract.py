"""``efld-dlib extract``: folders of images, however many, to a table of features."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import click

from ..errors import EfldError, OptionError
from . import options as common

# More of them scroll everything else away; the table has them all.
_MOST_WARNINGS = 20


@click.command()
@click.argument("inputs", nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    required=True,
    type=common.PATH,
    help="Table to write: .csv, .jsonl or .parquet.",
)
@common.jobs_option
@click.option(
    "--resume/--restart",
    default=None,
    help="Continue where an interrupted run of the same work stopped, or throw away what it has "
    "done [default: refuse to start].",
)
@click.option(
    "--cluster",
    metavar="tcp://HOST:PORT",
    help="Address of a Dask scheduler whose workers do the work instead of local processes.",
)
@common.detection_options
@common.strict_option
@click.pass_context
def extract(
    ctx: click.Context,
    /,
    inputs: tuple[str, ...],
    output: Path,
    jobs: int | None,
    resume: bool | None,
    cluster: str | None,
    strict: bool,
    **options: Any,
) -> None:
    """Write the faces of INPUTS into one table: files, folders, globs, or @FILE with a list.

    The table has one row per face, in the order of the inputs (folders and globs sorted), whatever
    the number of processes. An image without a face has a row that says so, and so has one that
    cannot be used; the exit code is then 1. An interrupted run continues with --resume, and ends in
    the same file as one that was not interrupted.

    \b
    Examples:
      efld-dlib extract photos/ -o features.csv
      efld-dlib extract photos/ -o features.csv --resume
      efld-dlib extract @list.txt -o features.parquet --jobs 8 --features 36-45/30-48
      efld-dlib extract /shared/photos -o features.jsonl --cluster tcp://host:8786
    """
    from ..extraction.run import Earlier
    from ..extraction.run import extract as run
    from ..extraction.settings import ExtractSettings

    names = _names(inputs)
    choices: dict[bool | None, Earlier] = {None: "refuse", True: "resume", False: "restart"}
    try:
        summary = run(
            names,
            output,
            ExtractSettings(**options),
            jobs=jobs,
            cluster=cluster,
            earlier=choices[resume],
            strict=strict,
            report=_first_warnings(),
            show_progress=True,
        )
    except KeyboardInterrupt:
        click.echo("\nInterrupted; --resume continues.", err=True)
        ctx.exit(130)
    before = f", {summary.continued} of them before" if summary.continued else ""
    click.echo(
        f"{output}: {common.counted(summary.faces, 'face')} in "
        f"{common.counted(summary.pictures, 'picture')}{before}; "
        f"{summary.errors} could not be used",
        err=True,
    )
    if summary.errors:
        ctx.exit(1)


def _names(inputs: tuple[str, ...]) -> list[str]:
    """The images in the order in which they are named."""
    names: list[str] = []
    for given in inputs:
        if given == common.STDIN:
            raise OptionError("a picture on stdin is for `efld-dlib detect`")
        names += (
            common.read_list(given[1:]) if given.startswith("@") else common.list_inputs((given,))
        )
    return names


def _first_warnings() -> Callable[[EfldError], None]:
    """What warns of the first images that cannot be used, without breaking the progress bar."""
    from tqdm import tqdm

    numbers = count()

    def report(error: EfldError) -> None:
        number = next(numbers)
        if number <= _MOST_WARNINGS:
            further = "further pictures that cannot be used are only in the table"
            with tqdm.external_write_mode():
                common.warn(str(error) if number < _MOST_WARNINGS else further)

    return report
