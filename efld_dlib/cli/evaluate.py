"""``efld-dlib evaluate``: the error of a model on annotated faces."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from ..errors import Problems
from .options import finish, jobs_option, open_records, strict_option, subset_option, warn


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("data", type=click.Path(path_type=Path))
@subset_option
@click.option(
    "--boxes",
    type=click.Choice(["detector", "file"]),
    default="detector",
    show_default=True,
    help="Start from what the detector finds, or from the boxes in an XML.",
)
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the figures.")
@jobs_option
@strict_option
@click.pass_context
def evaluate(
    ctx: click.Context,
    model: Path,
    data: Path,
    subset: str,
    boxes: Literal["detector", "file"],
    json_file: Path | None,
    jobs: int | None,
    strict: bool,
) -> None:
    r"""Measure MODEL on DATA: a dlib XML file, a 300-W tree, or a folder with .pts files.

    Prints the normalised mean error (NME) by the distance of the outer eye corners, AUC and failure
    rate at 0.08, and how many faces the detector missed.

    \b
    Examples:
      efld-dlib evaluate build/efld.dat 300w/ --subset helen/testset
      efld-dlib evaluate build/efld.dat training_xml/validation.xml --boxes file
    """
    from ..evaluation.protocol import evaluate as run
    from ..files import write_json

    problems = Problems(strict, warn)
    records = open_records(data, subset, problems)
    outcome = run(model, records, boxes, jobs, problems, show_progress=True)
    click.echo(str(outcome))
    if json_file is not None:
        write_json(
            json_file,
            {
                "model": str(model),
                "data": str(data),
                "boxes": boxes,
                "faces": outcome.faces,
                "missed": outcome.missed,
                "nme_inter_ocular": outcome.nme,
                "auc_0.08": outcome.auc,
                "failure_rate_0.08": outcome.failures,
            },
        )
    finish(ctx, problems)
