"""Tables of text, and three ways to write them: for a terminal, in Markdown, in HTML."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .drawing import escaped

DASH = "-"


@dataclass(frozen=True)
class Table:
    """Rows of text below a header; the first column names the row, the others hold numbers.

    Parameters
    ----------
    title : str
    header : sequence of str
    rows : sequence of sequence of str
    note : str
        What to know of the numbers, written below them; each line for itself.
    """

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""


def number(value: float, digits: int = 2) -> str:
    """A number, or a dash for NaN."""
    return f"{value:.{digits}f}" if math.isfinite(value) else DASH


def share(count: int, total: int, digits: int = 1) -> str:
    """A part of a total in per cent."""
    return number(100 * count / total if total else math.nan, digits)


def span(low: float, high: float) -> str:
    """The values from `low` to below `high`.

    Examples
    --------
    >>> span(15, 30), span(30, math.inf)
    ('15-30', '30 and more')
    """
    return f"{low:g} and more" if math.isinf(high) else f"{low:g}-{high:g}"


def for_json(value: Any, digits: int | None = None) -> Any:
    """Figures as JSON has them: records become mappings, and what is not finite None.

    Parameters
    ----------
    value : object
        Data classes, named tuples, mappings, sequences, arrays and plain values.
    digits : int, optional
        Decimals to which numbers are rounded.

    Examples
    --------
    >>> for_json({"auc": {0.08: 0.50031}, "nme": math.nan, "faces": (3, 4)}, 3)
    {'auc': {'0.08': 0.5}, 'nme': None, 'faces': [3, 4]}
    """
    if isinstance(value, float):
        value = value if digits is None else round(float(value), digits)
        return value if math.isfinite(value) else None
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, np.ndarray):
        value = value.tolist()
    elif hasattr(value, "_asdict"):
        value = value._asdict()
    elif is_dataclass(value):
        value = vars(value)
    if isinstance(value, Mapping):
        return {
            f"{key:.2f}" if isinstance(key, float) else key: for_json(each, digits)
            for key, each in value.items()
        }
    if isinstance(value, list | tuple):
        return [for_json(each, digits) for each in value]
    return value


def as_text(table: Table) -> str:
    """For a terminal: columns as wide as they must be, numbers to the right.

    Examples
    --------
    >>> print(as_text(Table("Error", ("model", "NME %"), (("small", "5.1"), ("large", "4.25")))))
    Error
    model  NME %
    -----  -----
    small    5.1
    large   4.25
    """
    widths = [max(map(len, column)) for column in zip(table.header, *table.rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        others = map(str.rjust, cells[1:], widths[1:])
        return "  ".join([cells[0].ljust(widths[0]), *others]).rstrip()

    rule = "  ".join("-" * width for width in widths)
    text = [table.title, line(table.header), rule, *map(line, table.rows)]
    return "\n".join([*text, *([table.note] if table.note else [])])


def as_markdown(table: Table) -> str:
    """In Markdown, below a heading of the third level."""

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(map(_markdown_cell, cells)) + " |"

    ruler = "|---|" + "---:|" * (len(table.header) - 1)
    text = [f"### {table.title}", "", line(table.header), ruler, *map(line, table.rows)]
    notes = table.note.splitlines()
    if len(notes) > 1:
        notes = [f"- {note}" for note in notes]
    return "\n".join([*text, *(["", *notes] if notes else []), ""])


def _markdown_cell(cell: str) -> str:
    # A bracket could begin a link, and a bar would end the cell.
    return re.sub(r"([\\|<*_`])", r"\\\1", cell).replace("\n", " ")


def as_html(table: Table) -> str:
    """As an HTML figure; all text is escaped."""
    head = "".join(f'<th scope="col">{escaped(cell)}</th>' for cell in table.header)
    body = "".join(
        f'<tr><th scope="row">{escaped(first)}</th>'
        + "".join(f"<td>{escaped(cell)}</td>" for cell in others)
        + "</tr>\n"
        for first, *others in table.rows
    )
    note = "".join(f'<p class="note">{escaped(line)}</p>' for line in table.note.splitlines())
    return (
        f'<div class="table"><h3>{escaped(table.title)}</h3><div class="scroll"><table>'
        f"<thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table></div>{note}</div>"
    )
