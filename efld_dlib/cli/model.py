"""``efld-dlib model``: looking at predictor files, and making other ones of them."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from ..errors import DataError, OptionError, Problems, printable
from .model_compress import compress
from .options import finish, jobs_option, open_records, strict_option, subset_option, warn

if TYPE_CHECKING:
    from ..models.predictor import Predictor

_file = click.Path(path_type=Path)
_input = click.argument("file", type=_file, required=False)
_output = click.option("-o", "--output", required=True, type=_file, help="File to write.")
_role = click.option("--role", help="Of the predictors in an .efld [default: its first].")


@click.group()
def model() -> None:
    """Model files: dlib's .dat, and .efld, which holds the same in a twentieth of the space.

    Every command of the toolkit takes either. Where FILE may be left out, the model of the package
    stands for it.

    \b
    Examples:
      efld-dlib model info
      efld-dlib model compress build/efld.dat -o build/efld.efld
      efld-dlib model expand build/efld.efld -o for_plain_dlib.dat
    """


@model.command()
@_input
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def info(file: Path | None, as_json: bool) -> None:
    """Say what is in a model file: landmarks, trees, where its bytes go, licence.

    Without FILE, in the model of the package.

    \b
    Examples:
      efld-dlib model info
      efld-dlib model info build/efld.dat --json
    """
    from ..models.information import describe
    from ..models.loading import DEFAULT_MODEL

    found = describe(file or DEFAULT_MODEL)
    click.echo(json.dumps(found, indent=2) if as_json else _text(found))


def _text(found: dict[str, Any]) -> str:
    lines = [f"{found['file']}: {found['format']}, {found['bytes']} bytes"]
    for role, sizes in found["predictors"].items():
        lines.append(f"{role}: " + ", ".join(f"{name} {value}" for name, value in sizes.items()))
    lines.append("bytes by part:")
    lines += [f"  {name:14}{size:>10}" for name, size in found["part_bytes"].items()]
    lines.append(f"licence: {printable(str(found['licence'] or 'not stated'))}")
    if found["metadata"]:
        lines.append("metadata:")
        lines += [
            printable(f"  {name}: {value if isinstance(value, str) else json.dumps(value)}")
            for name, value in found["metadata"].items()
        ]
    return "\n".join(lines)


@model.command()
@_input
@_output
@_role
def expand(file: Path | None, output: Path, role: str | None) -> None:
    """Write the predictor of an .efld as a .dat that any dlib program loads.

    It predicts exactly what the .efld does here. Without FILE, that of the package's model, which
    is for non-commercial research only.

    \b
    Examples:
      efld-dlib model expand -o efld.dat
      efld-dlib model expand faces.efld -o faces.dat
    """
    from ..models.loading import load_arrays

    _write(output, load_arrays(file, role), file)


@model.command()
@_input
@_output
@_role
def slim(file: Path | None, output: Path, role: str | None) -> None:
    """Write a .dat that is a third smaller and that any dlib program loads.

    Corrections are rounded to within 0.4 %; the decisions of the trees stay as they are.

    \b
    Examples:
      efld-dlib model slim build/efld.dat -o small.dat
    """
    from ..models.loading import load_arrays
    from ..models.subset import slim as run

    _write(output, run(load_arrays(file, role)), file)


@model.command()
@_input
@_output
@click.option(
    "--points",
    required=True,
    help="Landmarks to keep: numbers, ranges and parts of the face, as in eyes,mouth or 36-47,30.",
)
@_role
def subset(file: Path | None, output: Path, points: str, role: str | None) -> None:
    """Write a .dat that predicts only some of the landmarks, numbered anew from 0.

    It finds its way by the landmarks it keeps, so that few of them are found less surely than all:
    without the jaw the error grows by a tenth, of eyes and mouth alone by a third. A predictor
    trained on these landmarks, or the whole one, is better where its size does not matter.

    \b
    Examples:
      efld-dlib model subset build/efld.dat -o eyes.dat --points eyes
      efld-dlib model subset build/efld.dat -o inner.dat --points 17-67
    """
    from ..models.loading import load_arrays
    from ..models.subset import parse_points, select_points

    whole = load_arrays(file, role)
    kept = parse_points(points, whole.points)
    click.echo(f"landmarks {' '.join(map(str, kept))}", err=True)
    _write(output, select_points(whole, kept), file)


@model.command()
@click.argument("a", type=_file)
@click.argument("b", type=_file)
@click.argument("data", type=_file)
@subset_option
@click.option(
    "--boxes",
    type=click.Choice(["detector", "file"]),
    default="detector",
    show_default=True,
    help="Start from what the detector finds, or from the boxes in an XML.",
)
@jobs_option
@strict_option
@click.pass_context
def compare(
    ctx: click.Context,
    a: Path,
    b: Path,
    data: Path,
    subset: str,
    boxes: Literal["detector", "file"],
    jobs: int | None,
    strict: bool,
) -> None:
    """Measure the models A and B on DATA, which is given as for `efld-dlib evaluate`.

    \b
    Examples:
      efld-dlib model compare build/efld.dat small.efld 300w/ --subset helen/testset
      efld-dlib model compare a.dat b.dat training_xml/validation.xml --boxes file
    """
    import numpy as np

    from ..evaluation.metrics import point_errors
    from ..evaluation.protocol import evaluate

    problems = Problems(strict, warn)
    records = list(open_records(data, subset, problems))
    outcomes = [
        evaluate(name, records, boxes, jobs, problems, show_progress=True) for name in (a, b)
    ]
    for name, outcome in zip((a, b), outcomes, strict=True):
        click.echo(
            f"{name}: {name.stat().st_size} bytes, NME {100 * outcome.nme:.3f} %, failures "
            f"{100 * outcome.failures:.1f} %, faces {outcome.faces}, missed {outcome.missed}"
        )
    first, second = outcomes
    pairs = [
        (one.predicted, other.predicted)
        for one, other in zip(first.results, second.results, strict=True)
        if one.predicted is not None and other.predicted is not None
    ]
    if not pairs:
        raise OptionError("no face was found by both, so there is nothing to compare")
    apart = point_errors(np.array([one for one, _ in pairs]), np.array([two for _, two in pairs]))
    click.echo(
        f"B's NME is {100 * (second.nme / first.nme - 1):+.2f} % of A's; their landmarks lie "
        f"{apart.mean():.2f} pixels apart on average, {apart.max():.1f} at most"
    )
    finish(ctx, problems)


def _write(output: Path, predictor: Predictor, file: Path | None) -> None:
    """Write a .dat, which can hold no licence, and say that of the model it was made of."""
    from ..models.dat import write_dat
    from ..models.information import metadata_of
    from ..models.loading import resolve_model

    licence = None
    # Before writing, which may replace the model. A report that cannot be read is no reason not to.
    with suppress(DataError):
        licence = metadata_of(resolve_model(file)).get("licence")
    click.echo(f"{output}: {write_dat(predictor, output)} bytes", err=True)
    if licence:
        click.echo(f"licence: {printable(str(licence))}", err=True)


model.add_command(compress)
