"""``efld-dlib table3``: errors on 300-W and AFLW-19 beside published ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import OptionError, Problems
from .evaluate import boxes_option, resamples_option
from .model import models_or_package, split_arguments
from .options import finish, jobs_option, strict_option, warn

if TYPE_CHECKING:
    from ..evaluation.evaluate import Boxes

_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command()
@click.argument("arguments", nargs=-1, metavar="[MODEL]...")
@click.option("--data", type=_FOLDER, help="A 300-W tree.")
@click.option("--aflw", type=_FOLDER, help="Folder with AFLWinfo_release.mat and AFLW's pictures.")
@boxes_option("detector")
@resamples_option
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File to write [default: the standard output].",
)
@jobs_option
@strict_option
@click.pass_context
def table3(
    ctx: click.Context,
    arguments: tuple[str, ...],
    data: Path | None,
    aflw: Path | None,
    boxes: Boxes,
    resamples: int,
    output: Path | None,
    jobs: int | None,
    strict: bool,
) -> None:
    """Print the paper's Table 3 in Markdown: errors of MODELs on the test faces of 300-W and
    AFLW-19, and the published figures of other methods.

    A MODEL is a file ending in .dat or .efld; NAME=FILE gives it a name, and without one the model
    of the package is measured. A subset is reported under its official name only if all its faces
    are there, and figures with different normalisers stand in different tables.

    \b
    Examples:
      efld-dlib table3 build/efld.dat --data 300w/
      efld-dlib table3 new=new.dat old=old.dat --data 300w/ --aflw aflw19/ -o table3.md
    """
    from ..evaluation.evaluate import check_models
    from ..evaluation.table3 import table3_300w, table3_aflw
    from ..evaluation.tables import as_markdown
    from ..files import write_text

    models, others = split_arguments(arguments)
    if others:
        raise OptionError(f"{others[0]} is no model (.dat or .efld); data is given with --data")
    if data is None and aflw is None:
        raise OptionError("no data is given: say --data 300W_ROOT, --aflw ROOT or both")
    models = models_or_package(models)
    check_models(models.values())
    problems = Problems(strict, warn)
    tables = []
    if data is not None:
        tables += table3_300w(models, data, boxes, jobs, problems, True, resamples)
    if aflw is not None:
        tables.append(table3_aflw(models, aflw, boxes, jobs, problems, True, resamples))
    text = "\n".join(map(as_markdown, tables))
    if output is None:
        click.echo(text, nl=False)
    else:
        write_text(output, text)
    finish(ctx, problems)
