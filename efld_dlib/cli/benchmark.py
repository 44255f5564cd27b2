"""``efld-dlib benchmark``: the paper's Table 2 with measured numbers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import OptionError, Problems
from .model import named_file, split_name
from .options import finish, jobs_option, open_records, strict_option, warn

if TYPE_CHECKING:
    from ..evaluation.peers.base import Method


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
@click.option(
    "--markdown", type=click.Path(path_type=Path), metavar="FILE", help="Write the table."
)
@click.option(
    "--json",
    "json_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write all figures.",
)
@jobs_option
@strict_option
@click.pass_context
def benchmark(
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
    markdown: Path | None,
    json_file: Path | None,
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
      efld-dlib benchmark build/efld.dat 300w/ --subset helen/testset
      efld-dlib benchmark build/*.dat 300w/ --dat stock=shape_predictor_68_face_landmarks.dat
      efld-dlib benchmark build/efld.dat 300w/ --onnx pfld=pfld.onnx,channels=bgr --markdown t2.md
    """
    from ..evaluation.benchmark import benchmark as run
    from ..evaluation.benchmark_result import FULL, QUICK
    from ..evaluation.benchmark_table import as_dict, as_markdown, as_text
    from ..files import write_json, write_text

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
    click.echo(as_text(result))
    if markdown is not None:
        write_text(markdown, as_markdown(result))
    if json_file is not None:
        write_json(json_file, as_dict(result))
    finish(ctx, problems)


def _methods(
    models: tuple[str, ...], dats: tuple[str, ...], networks: tuple[str, ...], peers: str
) -> tuple[list[Method], list[str]]:
    """What is to be measured, and a line about each peer that is not installed."""
    from ..evaluation.peers.dlib_file import DlibFile, ToolkitModel
    from ..evaluation.peers.onnx import OnnxNetwork
    from ..evaluation.peers.table import choose_peers
    from ..models.loading import resolve_model

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
