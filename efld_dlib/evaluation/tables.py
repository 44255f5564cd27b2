"""Tables of text, and three ways to write them: for a terminal, in Markdown, in HTML."""

from __future__ import annotations

import html
import math
from dataclasses import dataclass

from .statistics import Figure

DASH = "-"


@dataclass(frozen=True)
class Table:
    """Rows of text below a header; the first column names the row, the others hold numbers.

    Parameters
    ----------
    title : str
    header : tuple of str
    rows : tuple of tuple of str
    note : str
        What to know of the numbers, written below them; each line for itself.
    """

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


def number(value: float, digits: int = 2) -> str:
    """A number, or a dash for NaN."""
    return f"{value:.{digits}f}" if math.isfinite(value) else DASH


def with_interval(figure: Figure, digits: int = 2, factor: float = 1.0) -> str:
    """A figure with its interval; without one, the value alone.

    Examples
    --------
    >>> with_interval(Figure(0.0403, 0.0385, 0.0422), factor=100)
    '4.03 [3.85, 4.22]'
    >>> with_interval(Figure(4.03))
    '4.03'
    """
    text = number(factor * figure.value, digits)
    if not math.isfinite(figure.low):
        return text
    return f"{text} [{number(factor * figure.low, digits)}, {number(factor * figure.high, digits)}]"


def percent(figure: Figure, interval: bool = True, digits: int = 2) -> str:
    """A fraction in per cent."""
    return with_interval(figure if interval else Figure(figure.value), digits, 100)


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
    lines = [table.header, *table.rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(table.header))]

    def line(cells: tuple[str, ...]) -> str:
        first, *others = (
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        return "  ".join([first, *others]).rstrip()

    rule = "  ".join("-" * width for width in widths)
    text = [table.title, line(table.header), rule, *map(line, table.rows)]
    return "\n".join([*text, *([table.note] if table.note else [])])


def as_markdown(table: Table, level: int = 3) -> str:
    """In Markdown, below a heading of that level."""

    def line(cells: tuple[str, ...]) -> str:
        return "| " + " | ".join(map(_markdown_cell, cells)) + " |"

    ruler = "|---|" + "---:|" * (len(table.header) - 1)
    text = [f"{'#' * level} {table.title}", "", line(table.header), ruler, *map(line, table.rows)]
    notes = table.note.splitlines()
    if len(notes) > 1:
        notes = [f"- {note}" for note in notes]
    return "\n".join([*text, *(["", *notes] if notes else []), ""])


def _markdown_cell(cell: str) -> str:
    # A bracket could begin a link, and a bar would end the cell.
    for sign in "\\|<*_`":
        cell = cell.replace(sign, f"\\{sign}")
    return cell.replace("\n", " ")


def as_html(table: Table) -> str:
    """As an HTML figure; all text is escaped."""
    head = "".join(f'<th scope="col">{escaped(cell)}</th>' for cell in table.header)
    body = "".join(
        "<tr>"
        + f'<th scope="row">{escaped(row[0])}</th>'
        + "".join(f"<td>{escaped(cell)}</td>" for cell in row[1:])
        + "</tr>\n"
        for row in table.rows
    )
    note = "".join(f'<p class="note">{escaped(line)}</p>' for line in table.note.splitlines())
    return (
        f'<div class="table"><h3>{escaped(table.title)}</h3><div class="scroll"><table>'
        f"<thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table></div>{note}</div>"
    )


def escaped(text: str) -> str:
    """Text that is safe in HTML, within an attribute too.

    A name that is no text at all (bytes of another encoding) is shown with question marks.
    """
    return html.escape(text.encode("utf-8", "replace").decode("utf-8"), quote=True)
