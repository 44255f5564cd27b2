"""Tables of text, and three ways to write them: for a terminal, in Markdown, in HTML."""

from __future__ import annotations

import html
import math
from dataclasses import dataclass

from .bootstrap import Figure
from .figures import Comparison, ModelFigures, Study
from .metrics import FAILURE_THRESHOLD, NORMALISERS, REGIONS, THRESHOLDS

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


BOXES_SAID = {
    "detector": "boxes from the detector",
    "pipeline": "the whole pipeline",
    "ground-truth": "boxes from the true landmarks",
    "file": "boxes from the data",
}


def headline(study: Study) -> str:
    """One line on what was measured: ``helen/testset: 330 faces, boxes from …; 5 missed``."""
    return f"{study.data}: {summary(study)}"


def summary(study: Study) -> str:
    """The line without the name of the data."""
    first = study.models[0]
    faces = f"{first.faces} face{'s' if first.faces != 1 else ''}"
    missed = f"{first.missed} missed ({100 * first.missed / first.faces:.1f} %)"
    text = f"{faces}, {BOXES_SAID[study.boxes]}; {missed}"
    if first.unmeasured:
        text += f"; {first.unmeasured} without the true landmarks that {study.by} needs"
    return text


def study_tables(study: Study) -> list[Table]:
    """Error, AUC and failures, regions, poses, and the comparison where there is one."""
    tables = [_errors(study), _curve(study), _regions(study), _poses(study)]
    return [*tables, _comparisons(study)] if study.comparisons else tables


def _name(model: ModelFigures) -> str:
    return f"{model.name} (!)" if model.remark else model.name


def _megabytes(model: ModelFigures) -> str:
    if model.path is None or not model.path.is_file():
        return number(math.nan)
    return number(model.path.stat().st_size / 1e6, 1)


def _errors(study: Study) -> Table:
    remarks = [f"(!) {model.name}: {model.remark}." for model in study.models if model.remark]
    return Table(
        "Error: NME of the found faces in %, with 95 % intervals",
        ("model", "MB", *NORMALISERS, "median", "90th perc."),
        tuple(
            (
                _name(model),
                _megabytes(model),
                *(percent(model.nme[by]) for by in NORMALISERS),
                percent(model.median, interval=False),
                percent(model.percentile90, interval=False),
            )
            for model in study.models
        ),
        " ".join([f"Median and 90th percentile are of the {study.by} error.", *remarks]),
    )


def _curve(study: Study) -> Table:
    missed = study.models[0].missed
    return Table(
        f"AUC and failure rate of all faces, {study.by}",
        (
            "model",
            *(f"AUC {limit:.2f}" for limit in THRESHOLDS),
            *(f"% over {100 * limit:.0f} %" for limit in THRESHOLDS),
        ),
        tuple(
            (
                _name(model),
                *(with_interval(_shown(model.auc, limit), 3) for limit in THRESHOLDS),
                *(percent(_shown(model.failures, limit), digits=1) for limit in THRESHOLDS),
            )
            for model in study.models
        ),
        f"{missed} missed face{'s count as failures' if missed != 1 else ' counts as a failure'}.",
    )


def _shown(figures: dict[float, Figure], limit: float) -> Figure:
    """A figure, with its interval only at the usual threshold, so that the table stays narrow."""
    figure = figures[limit]
    return figure if limit == FAILURE_THRESHOLD else Figure(figure.value)


def _regions(study: Study) -> Table:
    return Table(
        f"NME by region in %, {study.by}",
        ("model", *REGIONS),
        tuple(
            (_name(model), *(percent(figure) for figure in model.regions.values()))
            for model in study.models
        ),
    )


def _poses(study: Study) -> Table:
    several = len(study.models) > 1
    columns: list[str] = []
    for model in study.models:
        prefix = f"{_name(model)} " if several else ""
        columns += [f"{prefix}{study.by}", f"{prefix}box"]
    if study.by == "box":
        columns = columns[::2]
    rows = []
    for index, group in enumerate(study.models[0].poses):
        cells = []
        for model in study.models:
            figures = model.poses[index]
            cells.append(percent(figures.nme, interval=not several))
            if study.by != "box":
                cells.append(percent(figures.box, interval=not several))
        rows.append((group.name, str(group.faces), str(group.missed), *cells))
    return Table(
        "NME by head pose (degrees) in %",
        ("pose", "faces", "missed", *columns),
        tuple(rows),
        "The pose is the data set's own, or fitted to the true landmarks.",
    )


def _comparisons(study: Study) -> Table:
    return Table(
        f"Paired comparison, difference of the {study.by} NME in percentage points",
        ("models", "faces", "difference", "second better on", "verdict"),
        tuple(
            (
                f"{each.second} minus {each.first}",
                str(each.faces),
                with_interval(each.difference, 3, 100),
                f"{number(100 * each.better, 0)} %",
                verdict(each),
            )
            for each in study.comparisons
        ),
        "On the faces that both were run on; below 0 the one named first is better.",
    )


def verdict(comparison: Comparison) -> str:
    """Whether the interval of a difference leaves zero out, in words."""
    value, low, high = comparison.difference
    if not (math.isfinite(low) and math.isfinite(high)):
        return "too few faces"
    if low <= 0 <= high:
        return "no clear difference"
    return f"{comparison.second if value < 0 else comparison.first} better"
