"""``efld-dlib train``: training data to a shape predictor."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..training.options import DEFAULT_PRESET, PRESETS, change_options, find_preset
from .options import NumberRange, jobs_option

if TYPE_CHECKING:
    from ..training.trainer import TrainingResult

_PRESET_HELP = "; ".join(f"{name}: {preset.purpose}" for name, preset in PRESETS.items())


@click.command()
@click.argument("data", default="training_xml", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    default="build/efld.dat",
    show_default=True,
    type=click.Path(path_type=Path),
    help="The .dat to write; a .json with all about it goes beside it.",
)
@click.option(
    "--preset",
    default=DEFAULT_PRESET,
    show_default=True,
    type=click.Choice(list(PRESETS)),
    help=f"Set of trainer options. {_PRESET_HELP}.",
)
@click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="NAME=VALUE",
    help="Change one of dlib's options, e.g. nu=0.05; may be repeated.",
)
@click.option(
    "--validation",
    type=click.Path(path_type=Path),
    help="XML of held-out faces [default: validation.xml in the folder DATA].",
)
@click.option(
    "--refit",
    "ridge",
    type=NumberRange(min=0),
    metavar="RIDGE",
    help="Fit the leaves of each cascade anew, all trees together; a larger number changes less, "
    "0 nothing [default: as the preset says].",
)
@click.option(
    "--slim/--no-slim",
    default=None,
    help="Write short mantissas: a third fewer bytes [default: as the preset says].",
)
@click.option(
    "--licence",
    help="Of the model, for 'efld-dlib model info' [default: that of its training data].",
)
@click.option("--force", is_flag=True, help="Train even if the free memory seems too small.")
@jobs_option
def train(
    data: Path,
    output: Path,
    preset: str,
    assignments: tuple[str, ...],
    validation: Path | None,
    ridge: float | None,
    slim: bool | None,
    licence: str | None,
    force: bool,
    jobs: int | None,
) -> None:
    """Train a shape predictor with dlib's trainer.

    DATA is a folder that `efld-dlib prepare` wrote [default: training_xml], or a dlib XML file.
    Ctrl-C stops at once and leaves an earlier model untouched.

    \b
    Examples:
      efld-dlib train
      efld-dlib train training_xml -o build/small.dat --preset small
      efld-dlib train faces.xml -o faces.dat --set nu=0.05 --set cascade_depth=15
      efld-dlib train --preset nano --refit 0.2 -o nano.dat
    """
    from tqdm import tqdm

    from ..prepare.build import TRAIN_XML, VALIDATION_XML
    from ..training.refit import RefitOptions
    from ..training.trainer import DATA_LICENCE
    from ..training.trainer import train as run_training

    chosen = find_preset(preset)
    options = change_options(chosen.options, assignments)
    ridge = chosen.ridge if ridge is None else ridge
    if jobs is not None and not any(a.startswith("num_threads") for a in assignments):
        options = change_options(options, [f"num_threads={jobs}"])
    xml = data
    if data.is_dir():
        xml = data / TRAIN_XML
        held_out = data / VALIDATION_XML
        if validation is None and held_out.is_file() and _has_faces(held_out):
            validation = held_out
    trees = options.cascade_depth * options.num_trees_per_cascade_level
    click.echo(
        f"Training {options.cascade_depth} cascades of {options.num_trees_per_cascade_level} trees "
        f"({trees} in all) on {xml}",
        err=True,
    )
    with tqdm(
        total=100,
        desc="training",
        unit="%",
        file=sys.stderr,
        disable=not sys.stderr.isatty(),
        bar_format="{l_bar}{bar}| {elapsed}<{remaining}",
    ) as bar:

        def show(fraction: float) -> None:
            bar.update(max(0.0, 100 * fraction - bar.n))

        result = run_training(
            xml,
            output,
            options,
            validation,
            refit=RefitOptions(ridge) if ridge else None,
            slim_file=chosen.slim if slim is None else slim,
            preset=preset,
            licence=DATA_LICENCE if licence is None else licence,
            force=force,
            jobs=jobs,
            on_progress=show,
        )
    click.echo(_summary(result))


def _has_faces(xml: Path) -> bool:
    from ..xml.imglab import read_imglab

    return any(record.faces for record in read_imglab(xml))


def _summary(result: TrainingResult) -> str:
    lines = [
        f"{result.model}: {result.bytes / 1e6:.1f} MB, trained on {result.faces} faces in "
        f"{result.seconds:.0f} s"
    ]
    for name, value in (("training", result.train_nme), ("validation", result.validation_nme)):
        if value is not None:
            lines.append(f"{name} NME (inter-ocular) {100 * value:.2f} %")
    return "\n".join(lines)
