"""Options and small services that several commands share.

The command modules import the parts of the toolkit that pull in OpenCV and dlib inside their
functions, so that ``--help`` answers at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import DataError, Problems

if TYPE_CHECKING:
    from ..annotation import ImageRecord
    from ..datasets.w300 import FolderCount

jobs_option = click.option(
    "-j", "--jobs", type=click.IntRange(min=1), help="Number of processes [default: one a core]."
)
strict_option = click.option(
    "--strict", is_flag=True, help="Stop at the first bad input instead of skipping it."
)
subset_option = click.option(
    "--subset",
    default="train",
    show_default=True,
    help="Of a 300-W tree: train, test-common, test-challenging, test-full, or a folder in it "
    "such as helen/testset.",
)


def warn(message: str) -> None:
    """A message on stderr about an input that is skipped."""
    click.echo(f"Warning: {message}", err=True)


def finish(ctx: click.Context, problems: Problems) -> None:
    """Say how many inputs were skipped, and end with exit code 1 if any was."""
    if problems.errors:
        count = len(problems.errors)
        click.echo(f"{count} input{'s' if count != 1 else ''} could not be used.", err=True)
        ctx.exit(1)


def open_records(
    source: Path, subset: str, problems: Problems, counts: list[FolderCount] | None = None
) -> Iterator[ImageRecord]:
    """Annotated pictures of `source`: a 300-W tree, a folder of `.pts`, or dlib XML."""
    from ..datasets.imglab import read_imglab
    from ..datasets.w300 import read_w300

    if source.is_dir():
        return read_w300(source, subset, problems, counts)
    if source.suffix.lower() == ".xml":
        return read_imglab(source, problems=problems)
    if not source.exists():
        raise DataError(source, "does not exist")
    raise DataError(source, "is neither a folder nor an .xml file")
