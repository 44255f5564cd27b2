"""``efld-dlib model``: what is in a model file, and making it smaller or one of dlib's."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import DataError, ModelFormatError, OptionError, printable
from . import options as common

if TYPE_CHECKING:
    from ..models.efld import CompactModel
    from ..records import ImageRecord


MODEL_SUFFIXES = (".dat", ".efld")

_NAMED = re.compile(r"([^=/\\]+)=(.+)", re.DOTALL)


def split_arguments(arguments: Iterable[str]) -> tuple[dict[str, Path], list[Path]]:
    """Models by name, and everything else.

    Parameters
    ----------
    arguments : iterable of str
        A file ending in one of `MODEL_SUFFIXES`, also as ``NAME=FILE``, is a model.

    Raises
    ------
    OptionError
        Two models have one name.
    """
    models, others = [], []
    for argument in arguments:
        if Path(argument).suffix.lower() in MODEL_SUFFIXES and not Path(argument).is_dir():
            models.append(named_file(argument))
        else:
            others.append(Path(argument))
    # A stem names a model that has no name, or its whole path where two stems are the same.
    stems = [name or path.stem for name, path in models]
    named: dict[str, Path] = {}
    for (name, path), stem in zip(models, stems, strict=True):
        chosen = name or (stem if stems.count(stem) == 1 else str(path))
        if chosen in named:
            raise OptionError(f"two models are called '{chosen}': name them as NAME=FILE.dat")
        named[chosen] = path
    return named, others


def models_or_package(models: dict[str, Path]) -> dict[str, Path]:
    """The models, or where none is given the one that comes with the package."""
    from ..models.loading import resolve_model

    return models or {"package": resolve_model()}


def split_name(text: str) -> tuple[str, str] | None:
    """The parts of ``NAME=PATH``, whose name has no slash; None for any other text."""
    match = _NAMED.fullmatch(text)
    return None if match is None else (match[1], match[2])


def named_file(argument: str) -> tuple[str, Path]:
    """The name that was given, or an empty one, and the file."""
    parts = split_name(argument)
    # A file that is there may have a sign of equality in its name.
    if parts is not None and not Path(argument).exists():
        return parts[0], Path(parts[1])
    return "", Path(argument)


_SIZE = re.compile(r"([\d.]+) *([kM]?)B?")
_UNITS = {"": 1, "k": 1000, "M": 1_000_000}
_RUNS = 1500

_input = click.argument("file", type=common.PATH, required=False)


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
@common.output_option
@click.option(
    "--max-bytes",
    default="2.1MB",
    help="Largest size that the file may have: 2100000, 900kB, 2.1MB.",
)
@click.option(
    "--validation",
    type=common.PATH,
    help="dlib XML of faces with boxes: their error chooses between the ways to round.",
)
@click.option(
    "--max-loss",
    type=common.NumberRange(min=0),
    metavar="PERCENT",
    help="Largest rise of the error on the validation faces, in per cent of the whole model's: the "
    "file is made as small as this allows.",
)
@click.option(
    "--usage",
    type=common.PATH,
    help="dlib XML of faces that tell which leaves matter, such as those trained on "
    "[default: the validation faces].",
)
@click.option(
    "--step",
    type=common.NumberRange(min=1e-6, max=1e-2),
    help="Rounding step, in units of the face box, instead of a search (--max-bytes still holds).",
)
@click.option(
    "--cascades",
    type=common.POSITIVE,
    help="Number of first cascades to keep: in a small file fewer trees are better than coarse "
    "ones [default: all].",
)
@click.option("--licence", help="Licence of the model, for its metadata [default: as FILE says].")
@click.option("--role", default="predictor", help="Name of the predictor within the file.")
@click.option(
    "--with",
    "beside",
    type=common.PATH,
    metavar="FILE.efld",
    help="Another .efld whose predictors are kept too, before the new one; --max-bytes is for all.",
)
def compress(
    file: Path | None,
    output: Path,
    max_bytes: str,
    validation: Path | None,
    max_loss: float | None,
    usage: Path | None,
    step: float | None,
    cascades: int | None,
    licence: str | None,
    role: str,
    beside: Path | None,
) -> None:
    """Write a model as an .efld of a certain size.

    Trees and thresholds stay exactly as they are; the corrections in the leaves are rounded, those
    that few faces reach more coarsely. Give faces with --validation: without any, all leaves count
    alike, and the file is about twice as large for the same error. What the training report
    (FILE's name with .json) says goes into the metadata.

    FILE may be an .efld too, and is the package's model if it is left out. Its predictor of that
    --role is rounded already: without --step and faces its numbers stay as they are, so that
    --cascades makes a small model of it at once.

    \b
    Examples:
      efld-dlib model compress --role refined --cascades 4 --max-bytes 350kB -o light.efld
      efld-dlib model compress build/efld.dat -o efld.efld --validation training_xml/validation.xml
      efld-dlib model compress build/efld.dat -o tiny.efld --max-bytes 500kB --usage faces.xml
      efld-dlib model compress refined.dat --role refined --with plain.efld -o both.efld
    """
    import numpy as np

    from ..files import read_input
    from ..models.compress import Search, leaf_usage
    from ..models.efld import efld_bytes, is_efld, parse_efld
    from ..models.loading import load_arrays, resolve_model, scheme_of
    from ..xml.read import read_xml

    file = resolve_model(file)
    kept = None if beside is None else parse_efld(read_input(beside, ModelFormatError), beside)
    if kept is not None and role in kept.predictors:
        raise OptionError(f"{beside} has a predictor '{role}' already; give the new one a --role")
    limit = _bytes(max_bytes) - (0 if beside is None else beside.stat().st_size)
    if max_loss is not None and validation is None:
        raise OptionError("--max-loss needs --validation to measure the loss on")
    original = read_input(file, ModelFormatError)
    rounded = parse_efld(original, file) if is_efld(original) else None
    own = role if rounded is not None and role in rounded.predictors else None
    predictor = load_arrays(file, own)
    metadata = _metadata(file, licence, own)
    metadata["scheme"] = scheme_of(metadata, predictor.points, file).state()
    if rounded is not None and step is None and validation is None and usage is None:
        data = efld_bytes({role: rounded.quantised(own).first_cascades(cascades)}, metadata)
        _write_compressed(output, data, limit, kept)
        click.echo(f"{output}: {len(data)} bytes")
        return
    if cascades is not None:
        predictor = predictor.first_cascades(cascades)
    faces = None if validation is None else list(read_xml(validation))
    users = faces if usage is None else list(read_xml(usage))
    rng = np.random.default_rng(1)
    reached = None if users is None else leaf_usage(predictor, users, _RUNS, rng)
    measure, whole = None, None
    if faces is not None:
        measure = _measure(faces)
        whole = measure(original)
        click.echo(f"the whole model: NME {100 * whole:.3f} %", err=True)
    search = Search(predictor, reached, measure, metadata, role, partial(click.echo, err=True))
    allowed = None if max_loss is None or whole is None else whole * (1 + max_loss / 100)
    try:
        best = search.best(limit, allowed) if step is None else search.trial(step)
    except OptionError as error:
        raise OptionError(f"{file}: {error}") from error
    _write_compressed(output, best.data, limit, kept)
    click.echo(f"{output}: {best}" + ("" if kept is None else f", with {beside}"))
    if whole is not None:
        loss = 100 * (best.error / whole - 1)
        click.echo(f"NME of the whole model {100 * whole:.3f} %, so {loss:+.2f} % of it")
        if max_loss is not None and loss > max_loss:
            click.echo(f"Warning: --max-loss cannot be kept in {limit} bytes.", err=True)


def _write_compressed(output: Path, data: bytes, limit: int, kept: CompactModel | None) -> None:
    """Write an `.efld`, behind the predictors and with the metadata of the one that is `kept`."""
    from ..files import atomic_path
    from ..models.efld import efld_bytes, parse_efld

    if len(data) > limit:
        raise OptionError(f"it takes {len(data)} bytes of {limit}")
    if kept is not None:
        new = parse_efld(data)
        metadata = {**kept.metadata, **dict.fromkeys(new.predictors, new.metadata)}
        data = efld_bytes({**kept.predictors, **new.predictors}, metadata)
    with atomic_path(output) as temporary:
        temporary.write_bytes(data)


def _bytes(text: str) -> int:
    match = _SIZE.fullmatch(text.strip())
    try:
        return int(float(match[1]) * _UNITS[match[2]]) if match else int(text)
    except (ValueError, OverflowError):
        raise OptionError(
            f"a size is written as 2100000, 900kB or 2.1MB, and not as {text!r}"
        ) from None


def _measure(faces: list[ImageRecord]) -> Callable[[bytes], float]:
    """The error of a model file's bytes on `faces`, from their own boxes."""
    from ..evaluation.evaluate import evaluate

    def error(data: bytes) -> float:
        with tempfile.TemporaryDirectory(prefix="efld-model-") as folder:
            path = Path(folder) / "candidate"
            path.write_bytes(data)
            return evaluate(path, faces, boxes="file", jobs=1).nme

    return error


def _metadata(file: Path, licence: str | None, role: str | None) -> dict[str, Any]:
    """What is known of a predictor, and what the options say of it."""
    from ..models.information import metadata_of

    metadata = dict(metadata_of(file))
    if licence is not None:
        metadata["licence"] = licence
    own = metadata.get(role) if role is not None else None
    if isinstance(own, dict):
        # That of a predictor which is not the first of its file.
        return own | {name: metadata[name] for name in ("licence", "scheme") if metadata.get(name)}
    return metadata


@model.command()
@_input
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def info(file: Path | None, as_json: bool) -> None:
    """Say what is in a model file: landmarks, trees, where its bytes go, licence.

    Without FILE it is the model of the package.

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
    lines += ["bytes by part:"] if found["part_bytes"] else []
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
@common.output_option
@click.option("--role", help="Name of the predictor in an .efld [default: the first].")
@click.option(
    "--points",
    help="Landmarks to keep: names, numbers, ranges and parts, as in eyes,mouth or 36-47,30 "
    "[default: all].",
)
@click.option(
    "--slim",
    "is_slim",
    is_flag=True,
    help="Round corrections to within 0.4 %, for a file a third smaller.",
)
def expand(
    file: Path | None, output: Path, role: str | None, points: str | None, is_slim: bool
) -> None:
    """Write a predictor as a .dat that any dlib program loads.

    The .dat predicts exactly what FILE, an .efld or .dat, does here. Without FILE it is the
    package's model, which is for non-commercial research only. A .json beside it says what its
    landmarks are, so that the other commands know.

    With --points it predicts only some of the landmarks. A predictor goes by the landmarks that it
    keeps, so few of them are found less reliably than all: without the jaw the error grows by a
    tenth, of eyes and mouth alone by a third. A predictor trained on these landmarks, or the whole
    one, is better where its size does not matter.

    \b
    Examples:
      efld-dlib model expand -o efld.dat
      efld-dlib model expand faces.efld -o faces.dat
      efld-dlib model expand build/efld.dat -o eyes.dat --points eyes --slim
    """
    from ..files import write_json
    from ..models.dat import write_dat
    from ..models.information import metadata_of
    from ..models.loading import load_arrays, resolve_model, scheme_of
    from ..models.subset import parse_points, select_points, slim

    predictor = load_arrays(file, role)
    metadata: dict[str, Any] = {}
    # Before writing, which may replace the model. A report that cannot be read is no reason not to.
    with suppress(DataError):
        metadata = metadata_of(resolve_model(file))
    scheme = scheme_of(metadata, predictor.points, resolve_model(file))
    if points is not None:
        kept = parse_points(points, scheme)
        click.echo(f"landmarks {' '.join(scheme.labels[place] for place in kept)}", err=True)
        predictor, scheme = select_points(predictor, kept), scheme.select(kept)
    size = write_dat(slim(predictor) if is_slim else predictor, output)
    click.echo(f"{output}: {size} bytes", err=True)
    licence = metadata.get("licence")
    about = {"model": output.name, "bytes": size, "licence": licence, "scheme": scheme.state()}
    write_json(output.with_suffix(".json"), about)
    if licence:
        click.echo(f"licence: {printable(str(licence))}", err=True)
