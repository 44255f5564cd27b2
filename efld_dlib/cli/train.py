"""``efld-dlib train``: training data to a shape predictor."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..training.options import (
    DEFAULT_PRESET,
    PRESETS,
    convert_value,
    find_preset,
    override_options,
)
from . import options as common

if TYPE_CHECKING:
    from ..training.trainer import TrainingResult

_PRESET_HELP = "; ".join(f"{name}: {preset.purpose}" for name, preset in PRESETS.items())


@click.command()
@click.argument("data", default="training_xml", type=common.PATH)
@click.option(
    "-o",
    "--output",
    default="build/efld.dat",
    type=common.PATH,
    help="Model to write (.dat); a .json with all about it goes beside it.",
)
@click.option(
    "--preset",
    default=DEFAULT_PRESET,
    type=click.Choice(list(PRESETS)),
    help=f"Set of trainer options. {_PRESET_HELP}.",
)
@click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="NAME=VALUE",
    help="Another value for one of dlib's options, e.g. nu=0.05. refit=RIDGE fits the leaves of "
    "each cascade again, all trees together (a larger number changes less, 0 nothing); slim=true "
    "writes short mantissas, a third fewer bytes [default: as the preset says]. May be repeated.",
)
@click.option(
    "--validation",
    type=common.PATH,
    help="XML file of held-out faces [default: validation.xml in the folder DATA].",
)
@click.option(
    "--licence",
    help="Licence of the model, for 'efld-dlib model info' [default: that of its training data].",
)
@click.option("--force", is_flag=True, help="Train even if the free memory seems too small.")
@common.jobs_option
def train(
    data: Path,
    output: Path,
    preset: str,
    assignments: tuple[str, ...],
    validation: Path | None,
    licence: str | None,
    force: bool,
    jobs: int | None,
) -> None:
    """Train a shape predictor with dlib's trainer.

    DATA is a folder that `efld-dlib prepare` wrote [default: training_xml], or a dlib XML file.
    Ctrl-C stops the training at once and leaves an earlier model untouched.

    \b
    Examples:
      efld-dlib train
      efld-dlib train training_xml -o build/small.dat --preset small
      efld-dlib train faces.xml -o faces.dat --set nu=0.05 --set cascade_depth=15
      efld-dlib train --preset nano --set refit=0.2 -o nano.dat
    """
    from tqdm import tqdm

    from ..training.trainer import train as run_training

    overrides: dict[str, Any] = dict(map(common.split_setting, assignments))
    refit = convert_value("refit", overrides.pop("refit", None), float)
    slim = convert_value("slim", overrides.pop("slim", None), bool)
    options = override_options(find_preset(preset).options, overrides)
    trees = options.cascade_depth * options.num_trees_per_cascade_level
    click.echo(
        f"Training {options.cascade_depth} cascades of {options.num_trees_per_cascade_level} trees "
        f"({trees} in all) on {data}",
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
            data,
            output,
            validation=validation,
            preset=preset,
            refit=refit,
            slim_file=slim,
            licence=licence,
            force=force,
            jobs=jobs,
            on_progress=show,
            **overrides,
        )
    click.echo(_summary(result))


def _summary(result: TrainingResult) -> str:
    lines = [
        f"{result.model}: {result.bytes / 1e6:.1f} MB, trained on {result.faces} faces in "
        f"{result.seconds:.0f} s"
    ]
    for name, value in (("training", result.train_nme), ("validation", result.validation_nme)):
        if value is not None:
            lines.append(f"{name} NME (inter-ocular) {100 * value:.2f} %")
    return "\n".join(lines)
