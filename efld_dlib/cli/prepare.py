"""``efld-dlib prepare``: annotated pictures to training data."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import Problems
from .options import finish, jobs_option, open_records, strict_option, subset_option, warn

if TYPE_CHECKING:
    from ..datasets.w300 import FolderCount


@click.command()
@click.argument("sources", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    default="training_xml",
    show_default=True,
    type=click.Path(path_type=Path),
    help="Folder for train.xml, validation.xml and the crops.",
)
@subset_option
@click.option("--seed", default=1, show_default=True, help="Seed of all chance.")
@click.option(
    "--validation",
    default=0.1,
    show_default=True,
    help="Fraction of the photographs held out.",
)
@click.option("--mirror/--no-mirror", default=True, help="Add mirror images [default: on].")
@click.option("--face-size", default=200, show_default=True, help="Face width in the crops, px.")
@jobs_option
@strict_option
@click.pass_context
def prepare(
    ctx: click.Context,
    sources: tuple[Path, ...],
    output: Path,
    subset: str,
    seed: int,
    validation: float,
    mirror: bool,
    face_size: int,
    jobs: int | None,
    strict: bool,
) -> None:
    r"""Make training_xml/ of SOURCES: 300-W trees, folders with .pts files, or dlib XML files.

    Finds each face with the run-time detector, cuts gray crops of one face size, mirrors them, and
    holds out a part by photograph. The same seed gives the same files.

    \b
    Examples:
      efld-dlib prepare 300w/
      efld-dlib prepare 300w/ --subset afw -o /tmp/afw_xml --seed 7
    """
    from ..prepare.build import PrepareOptions, build_training_xml

    options = PrepareOptions(face_size=face_size, mirror=mirror, validation=validation, seed=seed)
    problems = Problems(strict, warn)
    counts: list[FolderCount] = []
    records = list(
        chain.from_iterable(open_records(source, subset, problems, counts) for source in sources)
    )
    for count in counts:
        click.echo(str(count), err=True)
    report = build_training_xml(records, output, options, jobs, problems, show_progress=True)
    click.echo(str(report))
    finish(ctx, problems)
