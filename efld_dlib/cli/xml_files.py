"""``efld-dlib xml info`` and ``check``: what a dlib XML file holds, and what is wrong in it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import Problems
from .options import counted, finish, jobs_option, warn

if TYPE_CHECKING:
    from ..xml.check import CheckReport

xml_argument = click.argument("file", type=click.Path(path_type=Path))
scheme_option = click.option(
    "--scheme",
    help="Landmarks that the parts name: 68, 21 and so on [default: what the file says, else 68].",
)
pictures_option = click.option(
    "--pictures/--no-pictures",
    default=True,
    show_default=True,
    help="Open the pictures too, to see whether dlib reads them and the boxes lie in them.",
)


@click.command("info")
@xml_argument
@click.option("--json", "target", type=click.Path(path_type=Path), help="Write it as JSON too.")
@scheme_option
@pictures_option
@jobs_option
@click.pass_context
def info(
    ctx: click.Context,
    file: Path,
    target: Path | None,
    scheme: str | None,
    pictures: bool,
    jobs: int | None,
) -> None:
    """Count the pictures, faces, boxes, landmarks and poses in dlib's XML.

    Poses are those of the landmarks, in degrees: yaw > 0 to the picture's right, pitch > 0 up,
    roll > 0 clockwise. Equal boxes of a picture are copies of one face; statistics count it once.

    \b
    Examples:
      efld-dlib xml info training_xml/train.xml
      efld-dlib xml info train.xml --no-pictures --json train-info.json
    """
    from ..files import write_json
    from ..xml.imglab import read_imglab
    from ..xml.info import describe, info_text
    from ..xml.stream import stated_scheme

    problems = Problems(report=warn)
    scheme = _known_scheme(scheme or stated_scheme(file))
    records = read_imglab(file, scheme, problems)
    contents = describe(records, scheme, pictures, jobs, show_progress=True)
    click.echo(f"{file}\n{info_text(contents)}")
    if target is not None:
        write_json(target, {"file": str(file), **_without_nan(asdict(contents))})
    finish(ctx, problems)


def _known_scheme(scheme: str) -> str:
    from ..errors import OptionError
    from ..landmarks import SCHEMES

    if scheme not in SCHEMES:
        raise OptionError(f"there is no scheme '{scheme}'; choose {', '.join(SCHEMES)}")
    return scheme


def _without_nan(value: object) -> dict[str, object]:
    """A dictionary with null for NaN, which JSON does not know, at any depth."""

    def clean(part: object) -> object:
        if isinstance(part, dict):
            return {key: clean(inner) for key, inner in part.items()}
        if isinstance(part, list):
            return [clean(inner) for inner in part]
        return None if part != part else part

    cleaned = clean(value)
    assert isinstance(cleaned, dict)
    return cleaned


@click.command("check")
@xml_argument
@scheme_option
@pictures_option
@click.option(
    "--most",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="Problems of one kind to print; all are counted.",
)
@jobs_option
@click.pass_context
def check(
    ctx: click.Context, file: Path, scheme: str | None, pictures: bool, most: int, jobs: int | None
) -> None:
    """Find what dlib's trainer would stop at, or silently learn wrong.

    Looks at the XML as dlib's own parser takes it, at boxes and landmarks (sizes, places, left and
    right, names that sort wrongly), at paths, and reads each picture with dlib. Goes on after a
    problem. Problems go to stdout, one a line, the count to stderr.

    Exit code: 0 if nothing is wrong, 1 if something is, 2 if the file is not XML at all.

    \b
    Examples:
      efld-dlib xml check training_xml/train.xml
      efld-dlib xml check train.xml --no-pictures --most 1000 > problems.txt
    """
    from ..xml.check import by_kind, check_imglab

    report = check_imglab(file, scheme, pictures, jobs, show_progress=True)
    for finding in by_kind(report.findings, most):
        click.echo(finding.error)
    if report.fatal is not None:
        raise report.fatal
    _summarise(report, most)
    if report.findings:
        ctx.exit(1)


def _summarise(report: CheckReport, most: int) -> None:
    from ..xml.check import KINDS, differing_parts

    for kind, count in report.kinds.most_common():
        hidden = f" ({count - most} not shown)" if count > most else ""
        click.echo(f"{count:>7}  {KINDS[kind]}{hidden}", err=True)
    if report.ignored:
        click.echo(f"Note: {report.ignored} boxes are ignored, as they ask to be.", err=True)
    differing = differing_parts(report)
    if differing:
        click.echo(f"Note: {differing}.", err=True)
    total = len(report.findings)
    found = counted(total, "problem") if total else "no problem"
    where = f"{report.pictures} pictures with {report.faces} faces"
    click.echo(f"{report.source}: {found} in {where}", err=True)
