"""``efld-dlib train``: training data to a shape predictor."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import OptionError
from ..training.options import (
    DEFAULT_PRESET,
    PRESETS,
    convert_value,
    find_preset,
    override_options,
)
from . import options as common

if TYPE_CHECKING:
    from ..landmarks import Scheme
    from ..training.options import TrainingOptions
    from ..training.trainer import TrainingResult

_PRESET_HELP = "; ".join(f"{name}: {preset.purpose}" for name, preset in PRESETS.items())


@click.command()
@click.argument("data", default="training_xml", type=common.PATH)
@click.option(
    "-o",
    "--output",
    type=common.PATH,
    help="Model to write (.dat, or .svm for a --detector); a .json with all about it goes beside "
    "it [default: build/efld.dat].",
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
@common.scheme_option
@click.option(
    "--points",
    help="Train only these landmarks: names, numbers, ranges and parts, as in eyes,mouth or "
    "36-47,30 [default: all that the data has].",
)
@click.option(
    "--licence",
    help="Licence of the model, for 'efld-dlib model info' [default: that of its training data].",
)
@click.option(
    "--detector",
    "wants_detector",
    is_flag=True,
    help="Train a detector of the things in the boxes instead (FILE.svm, for `detect --detector`); "
    "--set takes C, epsilon, upsample_limit and dlib's other options of it.",
)
@click.option(
    "--search",
    "minutes",
    type=common.NumberRange(0, min_open=True),
    metavar="MINUTES",
    help="Search so long for better options of dlib's trainer first, in a model of the same size: "
    "on reduced runs, by the error of photographs held out for that. OUTPUT.search.json keeps the "
    "trials, and an interrupted search continues.",
)
@click.option("--force", is_flag=True, help="Train even if the free memory seems too small.")
@common.jobs_option
def train(
    data: Path,
    output: Path | None,
    preset: str,
    assignments: tuple[str, ...],
    validation: Path | None,
    scheme: str | None,
    points: str | None,
    licence: str | None,
    wants_detector: bool,
    minutes: float | None,
    force: bool,
    jobs: int | None,
) -> None:
    """Train a shape predictor with dlib's trainer.

    DATA is a folder that `efld-dlib prepare` wrote [default: training_xml], or a dlib XML file of
    anything with points in boxes. A .json beside the model says what its landmarks are.
    Ctrl-C stops the training at once and leaves an earlier model untouched.

    \b
    Examples:
      efld-dlib train
      efld-dlib train training_xml -o build/small.dat --preset small
      efld-dlib train faces.xml -o faces.dat --set nu=0.05 --set cascade_depth=15
      efld-dlib train --preset nano --set refit=0.2 -o nano.dat
      efld-dlib train --points eyes -o eyes.dat
      efld-dlib train leaves.xml -o leaves.dat --preset small
      efld-dlib train leaves.xml -o leaves.svm --detector
      efld-dlib train --preset nano --search 30 -o tuned.dat
    """
    from ..landmarks import find_scheme

    known = None if scheme is None else find_scheme(scheme)
    overrides: dict[str, Any] = dict(map(common.split_setting, assignments))
    if wants_detector:
        if minutes is not None or points is not None:
            raise OptionError("--search and --points are for predictors, not for a --detector")
        _train_detector(data, output, validation, known, overrides)
        return
    from ..training.trainer import train as run_training

    output = output or Path("build/efld.dat")
    refit = convert_value("refit", overrides.pop("refit", None), float)
    slim = convert_value("slim", overrides.pop("slim", None), bool)
    options = override_options(find_preset(preset).options, overrides)
    if minutes is not None:
        from ..training.search import search_options

        kept = output.with_suffix(".search.json")
        found = search_options(
            *(data, options, minutes, kept),
            scheme=known,
            points=points,
            jobs=jobs,
            say=partial(click.echo, err=True),
        )
        click.echo(f"{found}\n{_changes(options, found.options)}")
        options = found.options
    trees = options.cascade_depth * options.num_trees_per_cascade_level
    click.echo(
        f"Training {options.cascade_depth} cascades of {options.num_trees_per_cascade_level} trees "
        f"({trees} in all) on {data}",
        err=True,
    )
    with _bar() as show:
        result = run_training(
            data,
            output,
            validation=validation,
            preset=preset,
            refit=refit,
            slim_file=slim,
            licence=licence,
            scheme=known,
            points=points,
            force=force,
            jobs=jobs,
            on_progress=show,
            **asdict(options),
        )
    click.echo(_summary(result))


@contextmanager
def _bar() -> Iterator[Callable[[float], None]]:
    """A progress bar for a training, moved to the fraction that is done."""
    from tqdm import tqdm

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

        yield show


def _train_detector(
    data: Path,
    output: Path | None,
    validation: Path | None,
    scheme: Scheme | None,
    overrides: dict[str, Any],
) -> None:
    from ..detection.registry import OBJECT_SUFFIX
    from ..training.detector import train_detector

    output = output or Path("build/detector.svm")
    if output.suffix != OBJECT_SUFFIX:
        raise OptionError(f"a detector is written to a file ending in .svm, not to {output}")
    with _bar() as show:
        result = train_detector(
            data, output, validation=validation, scheme=scheme, on_progress=show, **overrides
        )
    windows = ", ".join(f"{width} x {height}" for width, height in result.windows)
    click.echo(
        f"{', '.join(map(str, result.files))}: trained on {result.trained} things, with windows of "
        f"{windows} pixels\n"
        f"held out: {result.found} of {result.things} things found, {result.others} false alarms, "
        f"with scores from {result.threshold:g}"
    )


def _changes(before: TrainingOptions, after: TrainingOptions) -> str:
    """The options that differ, as --set takes them."""
    pairs = zip(asdict(before).items(), asdict(after).items(), strict=True)
    lines = [
        f"  --set {name}={new:.6g}   (before: {old:g})"
        for (name, old), (_, new) in pairs
        if name not in ("num_threads", "random_seed") and not math.isclose(old, new, rel_tol=1e-6)
    ]
    return "\n".join(lines or ["  the options stay as they are"])


def _summary(result: TrainingResult) -> str:
    lines = [
        f"{result.model}: {result.bytes / 1e6:.1f} MB, trained on {result.faces} faces in "
        f"{result.seconds:.0f} s"
    ]
    for name, value in (("training", result.train_nme), ("validation", result.validation_nme)):
        if value is not None:
            lines.append(f"{name} NME ({result.normaliser}) {100 * value:.2f} %")
    return "\n".join(lines)
