"""``efld-dlib model compress``."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import ModelFormatError, OptionError
from .options import SEED, NumberRange

if TYPE_CHECKING:
    from ..models.efld import CompactModel
    from ..records import ImageRecord

_file = click.Path(path_type=Path)
_SIZE = re.compile(r"([\d.]+) *([kM]?)B?")
_UNITS = {"": 1, "k": 1000, "M": 1_000_000}
_RUNS = 1500


@click.command()
@click.argument("file", type=_file, required=False)
@click.option("-o", "--output", required=True, type=_file, help="The .efld to write.")
@click.option(
    "--max-bytes",
    default="2.1MB",
    show_default=True,
    help="Size that the file may have: 2100000, 900kB, 2.1MB.",
)
@click.option(
    "--validation",
    type=_file,
    help="dlib XML of faces with boxes: their error chooses between the ways to round.",
)
@click.option(
    "--max-loss",
    type=NumberRange(min=0),
    metavar="PERCENT",
    help="Rather the smallest file whose error on the validation faces is at most so much above "
    "the whole model's, in per cent of it.",
)
@click.option(
    "--usage",
    type=_file,
    help="dlib XML of faces that tell which leaves matter, such as those trained on "
    "[default: the validation faces].",
)
@click.option(
    "--step",
    type=NumberRange(min=1e-6, max=1e-2),
    help="Round by this, in units of the face box, and search no more (--max-bytes still holds).",
)
@click.option(
    "--cascades",
    type=click.IntRange(min=1),
    help="Only so many first cascades: in a small file fewer trees are better than coarse ones "
    "[default: all].",
)
@click.option("--licence", help="Of the model, for its metadata [default: as FILE says].")
@click.option("--scheme", help="Of the landmarks, for its metadata [default: by their number].")
@click.option("--role", default="predictor", show_default=True, help="Name within the file.")
@click.option(
    "--with",
    "beside",
    type=_file,
    metavar="FILE.efld",
    help="Keep the predictors of this file too, before the new one; --max-bytes is for all.",
)
@click.option("--seed", type=SEED, default=1, show_default=True, help="Seed of all chance.")
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
    scheme: str | None,
    role: str,
    beside: Path | None,
    seed: int,
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
    from ..models.efld import efld_bytes, is_efld, read_efld
    from ..models.loading import load_arrays, resolve_model
    from ..xml.imglab import read_imglab

    file = resolve_model(file)
    kept = None if beside is None else read_efld(beside)
    if kept is not None and role in kept.predictors:
        raise OptionError(f"{beside} has a predictor '{role}' already; give the new one a --role")
    limit = _bytes(max_bytes) - (0 if beside is None else beside.stat().st_size)
    if max_loss is not None and validation is None:
        raise OptionError("--max-loss needs --validation to measure the loss on")
    rounded = read_efld(file) if is_efld(read_input(file, ModelFormatError)) else None
    own = role if rounded is not None and role in rounded.predictors else None
    predictor = load_arrays(file, own)
    metadata = _metadata(file, predictor.points, licence, scheme)
    beside_first = None if rounded is None or own is None else rounded.metadata.get(own)
    if isinstance(beside_first, dict):
        for_all = {name: metadata[name] for name in ("licence", "scheme") if metadata.get(name)}
        metadata = beside_first | for_all
    if rounded is not None and step is None and validation is None and usage is None:
        data = efld_bytes({role: rounded.quantised(own).first_cascades(cascades)}, metadata)
        _write(output, data, limit, kept)
        click.echo(f"{output}: {len(data)} bytes")
        return
    if cascades is not None:
        predictor = predictor.first_cascades(cascades)
    faces = None if validation is None else list(read_imglab(validation))
    users = faces if usage is None else list(read_imglab(usage))
    rng = np.random.default_rng(seed)
    reached = None if users is None else leaf_usage(predictor, users, _RUNS, rng)
    measure, whole = None, None
    if faces is not None:
        measure = _measure(faces)
        whole = measure(file.read_bytes())
        click.echo(f"the whole model: NME {100 * whole:.3f} %", err=True)
    search = Search(
        predictor,
        reached,
        measure,
        metadata,
        role,
        lambda trial: click.echo(str(trial), err=True),
    )
    allowed = None if max_loss is None or whole is None else whole * (1 + max_loss / 100)
    try:
        best = search.best(limit, allowed) if step is None else search.trial(step, None)
    except OptionError as error:
        raise OptionError(f"{file}: {error}") from error
    _write(output, best.data, limit, kept)
    click.echo(f"{output}: {best}" + ("" if kept is None else f", with {beside}"))
    if whole is not None and best.error is not None:
        loss = 100 * (best.error / whole - 1)
        click.echo(f"NME of the whole model {100 * whole:.3f} %, so {loss:+.2f} % of it")
        if max_loss is not None and loss > max_loss:
            click.echo(f"Warning: --max-loss cannot be kept in {limit} bytes.", err=True)


def _write(output: Path, data: bytes, limit: int, kept: CompactModel | None) -> None:
    from ..files import atomic_path

    if len(data) > limit:
        raise OptionError(f"it takes {len(data)} bytes of {limit}")
    with atomic_path(output) as temporary:
        temporary.write_bytes(data if kept is None else _joined(kept, data))


def _joined(kept: CompactModel, data: bytes) -> bytes:
    """An `.efld` with the predictors and what is known of two."""
    from ..models.efld import efld_bytes, parse_efld

    new = parse_efld(data)
    metadata = {**kept.metadata, **dict.fromkeys(new.predictors, new.metadata)}
    return efld_bytes({**kept.predictors, **new.predictors}, metadata)


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
    from ..evaluation.protocol import evaluate

    def error(data: bytes) -> float:
        with tempfile.TemporaryDirectory(prefix="efld-model-") as folder:
            path = Path(folder) / "candidate"
            path.write_bytes(data)
            return evaluate(path, faces, boxes="file", jobs=1).nme

    return error


def _metadata(file: Path, points: int, licence: str | None, scheme: str | None) -> dict[str, Any]:
    """What is known of the model, and what the options say of it."""
    from ..landmarks import SCHEMES
    from ..models.information import metadata_of

    metadata = dict(metadata_of(file))
    known = [name for name, own in SCHEMES.items() if own.size == points]
    if scheme is not None or known:
        metadata["scheme"] = scheme if scheme is not None else known[0]
    if licence is not None:
        metadata["licence"] = licence
    return metadata
