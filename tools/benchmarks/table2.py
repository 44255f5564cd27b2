"""The paper's Table 2 with measured numbers: accuracy, efficiency and compressibility."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from efld_dlib.cli.model import named_file, split_name
from efld_dlib.cli.options import finish, jobs_option, open_records, strict_option, warn
from efld_dlib.errors import OptionError, Problems
from efld_dlib.tables import DASH, Table, for_json, number

from .load import LZMA_PRESET
from .measure import Benchmark, Row, size_name
from .results import output_option, tell

if TYPE_CHECKING:
    from .peers.base import Method


BUSY_LOAD = 0.5
"""Load average at the start above which timings are not to be quoted."""

PAPER = {
    "Accuracy": "High (state of the art)",
    "Efficiency": "Very High (140 fps on Qualcomm ARM 845)",
    "Compressibility": "High (2.1 MB)",
}
"""The paper's own columns and its words on its own network (Table 2)."""


def table_of(result: Benchmark) -> Table:
    """The figures, a row a method; what the paper says stands below with the notes."""
    header = (
        *("method", "points", "NME %", "missed", "faces/s", "ratio"),
        *(f"frames/s {size_name(size)}" for size in result.options.sizes),
        *("load ms", "peak MB", "file MB", "lzma MB"),
    )
    names, notes = _names(result)
    rows = [(name, *_cells(row, result)) for name, row in zip(names, result.rows, strict=True)]
    said = "\n".join(_footnotes(result, notes))
    return Table(f"Table 2, measured: {result.data}", header, rows, said)


def _cells(row: Row, result: Benchmark) -> list[str]:
    partial = row.common < 68
    nme = number(100 * row.nme)
    peak = row.load.peak
    return [
        f"{row.common} of {row.points}" if partial else str(row.points),
        f"{nme} ({number(100 * row.reference_nme)})" if partial else nme,
        str(row.missed),
        _three_digits(row.faces_per_second),
        number(row.ratios["faces_per_second"]),
        *(_three_digits(row.frames_per_second[size]) for size in result.options.sizes),
        number(1000 * row.load.seconds, 0),
        DASH if peak is None else number(peak / 1e6, 0),
        _three_digits(row.size.plain / 1e6),
        _three_digits(row.size.compressed / 1e6),
    ]


def _three_digits(value: float) -> str:
    """A figure with three digits that count."""
    small = math.isfinite(value) and value > 0
    return number(value, max(0, 2 - math.floor(math.log10(value))) if small else 0)


def _names(result: Benchmark) -> tuple[list[str], list[str]]:
    """Names of the rows with the numbers of their notes, and the notes."""
    notes: list[str] = []
    names: list[str] = []
    for row in result.rows:
        notes += [mark for mark in row.marks if mark not in notes]
        numbers = [f"[{notes.index(mark) + 1}]" for mark in row.marks]
        names.append(" ".join([row.name, "".join(numbers)]).rstrip())
    return names, notes


def _footnotes(result: Benchmark, notes: Sequence[str]) -> list[str]:
    machine = result.machine
    load = machine["load_at_start"]
    base = ""
    if result.base_memory is not None:
        base = f" ({result.base_memory / 1e6:.0f} MB are there without a model)"
    core = ", held to one core" if result.one_core else ""
    lines = [f"[{number}] {note}" for number, note in enumerate(notes, 1)]
    lines += [f"No row: {line}" for line in result.left_out]
    lines += [
        "The paper says of its own network: "
        + "; ".join(f"{column.lower()} {words}" for column, words in PAPER.items())
        + ".",
        "NME: mean error of the faces found, by the distance of the outer eye corners; "
        f"{result.data}, {result.faces} faces. All methods get the boxes of dlib's detector, which "
        f"misses {result.not_detected} of them.",
        f"Speeds: one thread{core}; medians of turns, methods one after the other. Faces: the "
        "landmarks alone; ratio: to the first method. Frames: detector and landmarks, one face in "
        "the frame.",
        f"Load: time to the first face. Peak memory: of that process{base}. lzma: preset "
        f"{LZMA_PRESET}; the landmark model's files alone.",
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
        "paper": {"name": "EFLD, as the paper claims", **PAPER},
        "data": {
            "name": result.data,
            "faces": result.faces,
            "not_detected": result.not_detected,
            "normaliser": "inter-ocular",
        },
        "rows": [for_json(_row_dict(row)) for row in result.rows],
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
    return {
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


@click.command()
@click.argument("models", nargs=-1, metavar="[MODEL]...")
@click.argument("data", type=click.Path(path_type=Path))
@click.option(
    "--subset",
    default="test-full",
    show_default=True,
    help="Of a 300-W tree: test-common, test-challenging, test-full, or a folder in it such as "
    "helen/testset.",
)
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Measure on N faces only.")
@click.option(
    "--dat",
    "dats",
    multiple=True,
    metavar="NAME=PATH",
    help="A shape predictor of others, with 68 or dlib's 5 points, run as a plain dlib program "
    "runs it. May be repeated.",
)
@click.option(
    "--onnx",
    "networks",
    multiple=True,
    metavar="NAME=PATH[,KEY=VALUE...]",
    help="A landmark network for OpenCV's dnn, as PFLD and MobileNet are exported: a face of "
    "side=112 pixels and channels=rgb (or bgr), float 0 to 1, cut out margin=1.1 times as large as "
    "its box; 68 or 98 x and y as fractions of it. May be repeated.",
)
@click.option(
    "--peers",
    default="all",
    show_default=True,
    metavar="NAMES",
    help="Programs to compare with, where they are installed: all, none, or of face_recognition, "
    "mediapipe, face-alignment, comma separated.",
)
@click.option(
    "--trained-on-test",
    "seen",
    multiple=True,
    metavar="NAME",
    help="Mark this row: it was trained on this test set. May be repeated; dlib's stock files and "
    "the peers are known.",
)
@click.option("--quick", is_flag=True, help="Fewer turns: a first look, not for quoting.")
@output_option
@jobs_option
@strict_option
@click.pass_context
def table2(
    ctx: click.Context,
    models: tuple[str, ...],
    data: Path,
    subset: str,
    limit: int | None,
    dats: tuple[str, ...],
    networks: tuple[str, ...],
    peers: str,
    seen: tuple[str, ...],
    quick: bool,
    output: Path | None,
    jobs: int | None,
    strict: bool,
) -> None:
    """Measure MODELs against what one would otherwise use, on the faces of DATA: the paper's
    Table 2, with numbers.

    MODEL is a file, or NAME=FILE; without one, it is the one that comes with the package. The
    first row is what the others are compared with. DATA is a 300-W tree, a folder with .pts files,
    a dlib XML file, or NAME:PATH of another data set, as for `efld-dlib evaluate`.

    \b
    Accuracy         error of the faces found, and faces missed
    Efficiency       landmarks alone and the whole pipeline on one thread, load time, memory
    Compressibility  the model's bytes, and compressed

    The machine should be idle. Methods take turns, so that a slow moment meets all of them.

    \b
    Examples:
      python -m tools.benchmarks table2 build/efld.dat 300w/ --subset helen/testset
      python -m tools.benchmarks table2 build/*.dat 300w/ --dat stock=68_face_landmarks.dat
      python -m tools.benchmarks table2 300w/ --onnx pfld=pfld.onnx,channels=bgr -o t2.json
    """
    from .measure import FULL, QUICK
    from .measure import benchmark as run

    methods, missing = _methods(models, dats, networks, peers)
    problems = Problems(strict, warn)
    result = run(
        methods,
        open_records(data, subset, problems),
        QUICK if quick else FULL,
        data=_label(data, subset),
        test_set=_test_set(data),
        trained_on_test=seen,
        limit=limit,
        jobs=jobs,
        problems=problems,
        left_out=missing,
        say=lambda message: click.echo(message, err=True),
        show_progress=True,
    )
    tell([table_of(result)], output, as_dict(result))
    finish(ctx, problems)


def _methods(
    models: tuple[str, ...], dats: tuple[str, ...], networks: tuple[str, ...], peers: str
) -> tuple[list[Method], list[str]]:
    """What is to be measured, and a line about each peer that is not installed."""
    from efld_dlib.models.loading import resolve_model

    from .peers.dlib_file import DlibFile, ToolkitModel
    from .peers.onnx import OnnxNetwork
    from .peers.registry import choose_peers

    methods: list[Method] = [
        ToolkitModel.open(*_model(text)) for text in models or (f"package={resolve_model()}",)
    ]
    for text in dats:
        name, path = _named("--dat", text)
        methods.append(DlibFile.open(name, Path(path)))
    methods += [OnnxNetwork.parse(*_named("--onnx", text)) for text in networks]
    if peers == "none":
        return methods, []
    chosen, missing = choose_peers(None if peers == "all" else peers.split(","))
    return methods + chosen, missing


def _model(text: str) -> tuple[str, Path]:
    """Name and path of a MODEL, which is called as its file unless it says otherwise."""
    name, path = named_file(text)
    return name or path.name, path


def _named(option: str, text: str) -> tuple[str, str]:
    parts = split_name(text)
    if parts is None:
        raise OptionError(f"{option} needs NAME=PATH, not '{text}'")
    return parts


def _label(data: Path, subset: str) -> str:
    """What DATA is called in the table: no path, which is nobody else's business."""
    return f"{data.name}, {subset}" if _is_w300(data) else data.name


def _is_w300(data: Path) -> bool:
    return data.is_dir() or str(data).startswith("300w:")


def _test_set(data: Path) -> str:
    """Whether DATA is 300-W, on which well-known models were trained: its name, or ""."""
    readme = data / "README.txt"
    # The toolkit's own sample is laid out as 300-W and says in its first line what it is.
    if readme.is_file() and readme.read_text("utf-8", "replace").startswith("Synthetic"):
        return ""
    return "300-W" if _is_w300(data) else ""
