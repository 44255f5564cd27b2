"""The benchmark's result as a table on the terminal, as Markdown and as JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from .benchmark_load import LZMA_PRESET
from .benchmark_result import Benchmark, Row
from .benchmark_rows import size_name
from .machine import BUSY_LOAD

PAPER_ROW = "EFLD, as the paper claims"
PAPER = {
    "Accuracy": "High (state of the art)",
    "Efficiency": "Very High (140 fps on Qualcomm ARM 845)",
    "Compressibility": "High (2.1 MB)",
}
"""The paper's own columns and its words on its own network (Table 2)."""


def _columns(result: Benchmark) -> list[tuple[str, str, str]]:
    """Group (a column of the paper's), heading on the terminal, and heading in Markdown."""
    frames = [size_name(size) for size in result.options.sizes]
    return [
        ("", "points", "points"),
        ("Accuracy", "NME %", "NME %"),
        ("Accuracy", "missed", "missed faces"),
        ("Efficiency", "faces/s", "landmarks: faces/s"),
        ("Efficiency", "ratio", "ratio to the first"),
        *(("Efficiency", name, f"pipeline: frames/s {name}") for name in frames),
        ("Efficiency", "load ms", "load ms"),
        ("Efficiency", "peak MB", "peak memory MB"),
        ("Compressibility", "file MB", "file MB"),
        ("Compressibility", "lzma MB", "lzma MB"),
    ]


def _cells(row: Row, result: Benchmark) -> list[str]:
    partial = row.common < 68
    nme = _number(100 * row.nme, 2)
    peak = row.load.peak
    return [
        f"{row.common} of {row.points}" if partial else str(row.points),
        f"{nme} ({_number(100 * row.reference_nme, 2)})" if partial else nme,
        str(row.missed),
        _number(row.faces_per_second),
        _number(row.ratios["faces_per_second"], 2),
        *(_number(row.frames_per_second[size]) for size in result.options.sizes),
        _number(1000 * row.load.seconds, 0),
        "-" if peak is None else _number(peak / 1e6, 0),
        _number(row.size.plain / 1e6),
        _number(row.size.compressed / 1e6),
    ]


def _number(value: float, digits: int | None = None) -> str:
    """A figure; without `digits`, with three that count."""
    if not math.isfinite(value):
        return "-"
    if digits is None:
        digits = max(0, 2 - math.floor(math.log10(value))) if value > 0 else 0
    return f"{value:.{digits}f}"


def _names(result: Benchmark) -> tuple[list[str], list[str]]:
    """Names of the rows with the numbers of their notes, and the notes."""
    notes: list[str] = []
    names: list[str] = []
    for row in result.rows:
        notes += [mark for mark in row.marks if mark not in notes]
        numbers = [f"[{notes.index(mark) + 1}]" for mark in row.marks]
        names.append(" ".join([row.name, "".join(numbers)]).rstrip())
    return names, notes


def as_text(result: Benchmark) -> str:
    """The table for a terminal, with the paper's columns above the measured ones."""
    columns = _columns(result)
    names, notes = _names(result)
    cells = [_cells(row, result) for row in result.rows]
    widths = [
        max(len(heading), *(len(line[index]) for line in cells))
        for index, (_, heading, _) in enumerate(columns)
    ]
    first = max(map(len, (PAPER_ROW, *names)))
    groups = list(dict.fromkeys(group for group, _, _ in columns))
    for group in groups:
        # A column of the paper's has to hold its words.
        inside = [index for index, column in enumerate(columns) if column[0] == group]
        room = sum(widths[index] for index in inside) + 2 * (len(inside) - 1)
        widths[inside[0]] += max(0, len(PAPER.get(group, "")) - room, len(group) - room)

    def line(name: str, values: Sequence[str]) -> str:
        parts: list[str] = []
        for group in groups:
            inside = [index for index, column in enumerate(columns) if column[0] == group]
            parts.append("  ".join(values[index].rjust(widths[index]) for index in inside))
        return f"{name:<{first}}  " + " | ".join(parts)

    def spread(name: str, words: dict[str, str]) -> str:
        parts: list[str] = []
        for group in groups:
            inside = [index for index, column in enumerate(columns) if column[0] == group]
            room = sum(widths[index] for index in inside) + 2 * (len(inside) - 1)
            parts.append(words.get(group, "").ljust(room))
        return (f"{name:<{first}}  " + " | ".join(parts)).rstrip()

    headings = line("", [heading for _, heading, _ in columns])
    lines = [
        spread("", {group: group for group in groups}),
        headings,
        "-" * len(headings),
        spread(PAPER_ROW, PAPER),
        *(line(name, values) for name, values in zip(names, cells, strict=True)),
        "",
        *_footnotes(result, notes),
    ]
    return "\n".join(lines)


def as_markdown(result: Benchmark) -> str:
    """The table in Markdown, for a README."""
    columns = _columns(result)
    names, notes = _names(result)
    headings = ["", *(f"{group}: {long}" if group else long for group, _, long in columns)]
    claims: list[str] = []
    for index, (group, _, _) in enumerate(columns):
        begins = index == 0 or columns[index - 1][0] != group
        claims.append(PAPER.get(group, "") if begins else "")
    body = [[PAPER_ROW, *claims]]
    body += [[name, *_cells(row, result)] for name, row in zip(names, result.rows, strict=True)]
    lines = [headings, ["---", *["---:"] * len(columns)], *body]
    table = ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]
    return "\n".join([*table, "", *(f"- {note}" for note in _footnotes(result, notes))]) + "\n"


def _footnotes(result: Benchmark, notes: Sequence[str]) -> list[str]:
    machine = result.machine
    load = machine["load_at_start"]
    base = "" if result.base_memory is None else f", of which {result.base_memory / 1e6:.0f} MB "
    core = ", held to one core" if result.one_core else ""
    lines = [f"[{number}] {note}" for number, note in enumerate(notes, 1)]
    lines += [f"No row: {line}" for line in result.left_out]
    lines += [
        "NME: mean error of the faces found, by the distance of the outer eye corners; "
        f"{result.data}, {result.faces} faces, of which dlib's detector, whose boxes all share, "
        f"misses {result.not_detected}.",
        f"Speeds: one thread{core}; medians of turns, methods one after the other. Pipeline: "
        "detector and landmarks, one face in the frame.",
        "Load: until the first face is answered. Peak memory: of that process"
        + (base + "are there without a model" if base else "")
        + f". lzma: preset {LZMA_PRESET}; the landmark model's files alone.",
        f"Machine: {machine['cpu']}, {machine['cores']} cores, {machine['system']}. "
        + ", ".join(f"{name} {version}" for name, version in result.versions.items())
        + ".",
    ]
    if isinstance(load, float) and load > BUSY_LOAD:
        lines.append(
            f"WARNING: the machine was busy when this began (load {load}): do not quote the speeds."
        )
    return lines


def as_dict(result: Benchmark) -> dict[str, Any]:
    """Everything that was measured, for JSON; errors are fractions, sizes bytes, times seconds."""
    return {
        "table": "Table 2, measured",
        "paper": {"name": PAPER_ROW, **PAPER},
        "data": {
            "name": result.data,
            "faces": result.faces,
            "not_detected": result.not_detected,
            "normaliser": "inter-ocular",
        },
        "rows": [_row_dict(row) for row in result.rows],
        "no_row": list(result.left_out),
        "base_memory_bytes": result.base_memory,
        "held_to_one_core": result.one_core,
        "lzma_preset": LZMA_PRESET,
        "options": {
            **asdict(result.options),
            "sizes": [size_name(size) for size in result.options.sizes],
        },
        "machine": result.machine,
        "versions": result.versions,
    }


def _row_dict(row: Row) -> dict[str, Any]:
    values: dict[str, Any] = {
        "name": row.name,
        "points": row.points,
        "points_compared": row.common,
        "nme": row.nme,
        "first_row_nme_on_the_same": row.reference_nme,
        "missed": row.missed,
        "faces_per_second": row.faces_per_second,
        "frames_per_second": {size_name(s): rate for s, rate in row.frames_per_second.items()},
        "faces_in_frame": {size_name(s): count for s, count in row.faces_in_frame.items()},
        "load_seconds": row.load.seconds,
        "peak_memory_bytes": row.load.peak,
        "file_bytes": row.size.plain,
        "lzma_bytes": row.size.compressed,
        "ratios_to_the_first": row.ratios,
        "marks": list(row.marks),
    }
    return {name: _finite(value) for name, value in values.items()}


def _finite(value: Any) -> Any:
    """JSON has no NaN."""
    if isinstance(value, dict):
        return {name: _finite(inner) for name, inner in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
