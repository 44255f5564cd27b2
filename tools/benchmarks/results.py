"""What was measured, as data files, and the tables of the documents that are made of them.

A benchmark's ``-o docs/results/NAME.json`` keeps its tables with the date, the machine and the
versions. In a document, the lines between ``<!-- table: NAME N -->`` and ``<!-- end of table -->``
are the file's table number N, and ``python -m tools.benchmarks documents`` writes them.
"""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Any

import click

from efld_dlib.errors import DataError
from efld_dlib.evaluation.machine import describe_machine, versions
from efld_dlib.files import write_json, write_text
from efld_dlib.tables import Table, as_markdown

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "docs" / "results"

output_option = click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.json",
    help="File for the result, such as docs/results/speed.json; `documents` makes tables of it.",
)

_PLACE = re.compile(
    r"(<!-- table: (?P<name>[\w-]+) (?P<number>\d+) -->\n).*?(<!-- end of table -->)", re.DOTALL
)


def tell(
    tables: Sequence[Table], output: Path | None, facts: Mapping[str, Any] = MappingProxyType({})
) -> None:
    """Print tables in Markdown and, if there is an output, keep them in it.

    Parameters
    ----------
    tables : sequence of Table
    output : Path, optional
        The JSON file.
    facts : mapping
        What else is kept; also in place of today's date, this machine and the versions.
    """
    for table in tables:
        click.echo(as_markdown(table))
    if output is None:
        return
    result = {
        "date": datetime.date.today().isoformat(),
        "machine": describe_machine(),
        "versions": versions(),
        **facts,
        "tables": [asdict(table) for table in tables],
    }
    write_json(output, result)


def filled(text: str, results: Path = RESULTS) -> str:
    """A document's text with the tables of the results in their places.

    Raises
    ------
    DataError
        A result is missing, or has no table of that number.
    """

    def table(match: re.Match[str]) -> str:
        file, number = results / f"{match['name']}.json", int(match["number"])
        try:
            result: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
            found = Table(**result["tables"][number - 1])
        except (OSError, ValueError, LookupError) as error:
            raise DataError(file, f"has no table {number} ({error})") from error
        body = as_markdown(found).partition("\n\n")[2]
        return f"{match[1]}\n{body}\n{match[4]}"

    return _PLACE.sub(table, text)


@click.command()
@click.option("--check", is_flag=True, help="Only say which documents are out of date.")
def documents(check: bool) -> None:
    """Write the tables of README.md and docs/ that are made of docs/results.

    \b
    Examples:
      python -m tools.benchmarks speed 300w/helen/testset/ -o docs/results/speed.json
      python -m tools.benchmarks documents
    """
    stale = []
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))):
        old = path.read_text(encoding="utf-8")
        new = filled(old)
        if new != old:
            stale.append(path.relative_to(ROOT).as_posix())
            if not check:
                write_text(path, new)
    click.echo("\n".join(stale) or "every table is as its result says")
    if check and stale:
        raise click.exceptions.Exit(1)
