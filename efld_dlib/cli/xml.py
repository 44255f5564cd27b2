"""``efld-dlib xml``: data sets to dlib's XML."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import DataError, Problems
from .options import finish, strict_option, subset_option, warn

if TYPE_CHECKING:
    from ..datasets.w300 import FolderCount


@click.group()
def xml() -> None:
    """Turn a data set's annotations into the XML that dlib trains on."""


@xml.command("300w")
@click.argument("root", type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="XML file.")
@subset_option
@strict_option
@click.pass_context
def w300(ctx: click.Context, root: Path, output: Path, subset: str, strict: bool) -> None:
    r"""Convert 300-W, or any folder of pictures with .pts files beside them.

    Boxes are the tight boxes of the landmarks; `efld-dlib prepare` finds the detector's.

    \b
    Examples:
      efld-dlib xml 300w 300w/ -o train.xml
      efld-dlib xml 300w 300w/ --subset helen/testset -o helen-test.xml
    """
    from ..datasets.imglab import write_imglab
    from ..datasets.w300 import read_w300

    problems = Problems(strict, warn)
    counts: list[FolderCount] = []
    records = read_w300(root, subset, problems, counts)
    first = next(records, None)
    if first is None:
        raise DataError(root, "has no usable .pts file with a picture beside it")

    boxes = write_imglab(output, chain([first], records), f"300-W {subset}")
    for count in counts:
        click.echo(str(count), err=True)
    click.echo(f"{output}: {boxes} faces", err=True)
    finish(ctx, problems)
