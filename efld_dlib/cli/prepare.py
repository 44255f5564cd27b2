"""``efld-dlib prepare``: annotated pictures to training data."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import Problems
from ..prepare.augment import AUGMENTATIONS, DEFAULT_AUGMENTATION, parse_augmentation
from ..prepare.augment import PRESETS as AUGMENTATION_PRESETS
from ..prepare.rarity import WEIGHTINGS, Weighting, parse_weighting, repeated
from .options import (
    finish,
    jobs_option,
    labels_option,
    open_records,
    sources_argument,
    strict_option,
    subset_option,
    warn,
)

if TYPE_CHECKING:
    from ..datasets.base import FolderCount
    from ..prepare.samples import Framing


@click.command()
@sources_argument
@click.option(
    "-o",
    "--output",
    default="training_xml",
    show_default=True,
    type=click.Path(path_type=Path),
    help="Folder for train.xml, validation.xml and the crops.",
)
@subset_option
@click.option("--seed", default=1, show_default=True, help="Seed of all chance.")
@click.option(
    "--validation",
    default=0.1,
    show_default=True,
    help="Fraction of the photographs held out.",
)
@click.option("--mirror/--no-mirror", default=True, help="Use mirror images too [default: on].")
@click.option(
    "--variants",
    default=4,
    show_default=True,
    help="Samples of a face of weight 1: itself, then augmented ones, by turns mirrored.",
)
@click.option(
    "--augment",
    "augmentation",
    default=DEFAULT_AUGMENTATION,
    show_default=True,
    help=f"A preset ({', '.join(AUGMENTATION_PRESETS)}) or steps ({', '.join(AUGMENTATIONS)}), "
    "each with an optional probability: rotate,occlude:0.3.",
)
@click.option(
    "--weights",
    "weighting",
    default=Weighting.kind,
    show_default=True,
    metavar="KIND[,gamma=N][,cap=N]",
    help=f"Give faces of rare poses, or of rare classes, more samples: {', '.join(WEIGHTINGS)}. "
    f"gamma is the exponent of the rarity [default: {Weighting.gamma:g}], cap the largest weight "
    f"[default: {Weighting.cap:g}].",
)
@click.option("--budget", type=int, help="Total of training samples, shared by weight.")
@click.option(
    "--preview",
    type=click.Path(path_type=Path),
    metavar="SHEET.png",
    help="Only draw what the augmentations do to some of the faces.",
)
@click.option(
    "--framing",
    type=click.Choice(["detector", "refined"]),
    default="detector",
    show_default=True,
    help="Of the crops: by the detector's box, for any dlib program; or upright about the box that "
    "the landmarks ask for, for the predictor that runs after the landmark network.",
)
@labels_option
@click.option(
    "--emphasis",
    type=click.IntRange(1, 100),
    default=1,
    show_default=True,
    help="Samples of a face of the first source, as a multiple of those of a face of the others.",
)
@jobs_option
@strict_option
@click.pass_context
def prepare(
    ctx: click.Context,
    sources: tuple[Path, ...],
    output: Path,
    subset: str,
    seed: int,
    validation: float,
    mirror: bool,
    variants: int,
    augmentation: str,
    weighting: str,
    budget: int | None,
    preview: Path | None,
    framing: Framing,
    labels: Path | None,
    emphasis: int,
    jobs: int | None,
    strict: bool,
) -> None:
    """Make training_xml/ of SOURCES: 300-W trees, folders with .pts files, dlib XML files, or any
    other data set as NAME:PATH, with a name that `efld-dlib xml convert --help` lists.

    Finds each face with the run-time detector, cuts gray crops of one face size, augments them,
    gives rare faces more samples, and holds out a part by photograph. The same seed gives the same
    files; a run that was interrupted goes on where it was.

    \b
    Examples:
      efld-dlib prepare 300w/
      efld-dlib prepare 300w/ merl-rav:aflw/
      efld-dlib prepare 300w/ --augment all --preview sheet.png
      efld-dlib prepare 300w/ merl-rav:aflw/ --labels tools/labels/consensus.xz --emphasis 5
      efld-dlib prepare 300w/ merl-rav:aflw/ --weights pose-density,cap=4 --budget 20000
    """
    from ..prepare.build import PrepareOptions, build_training_xml, write_preview
    from ..prepare.labels import read_labels, relabelled

    options = PrepareOptions(
        mirror=mirror,
        variants=variants,
        augmentation=parse_augmentation(augmentation),
        weighting=parse_weighting(weighting),
        budget=budget,
        validation=validation,
        framing=framing,
        seed=seed,
    )
    problems = Problems(strict, warn)
    counts: list[FolderCount] = []
    parts = [list(open_records(source, subset, problems, counts)) for source in sources]
    for count in counts:
        click.echo(str(count), err=True)
    if labels is not None:
        known = read_labels(labels)
        parts = [relabelled(part, known) for part in parts]
    parts[0] = [repeated(record, emphasis) for record in parts[0]]
    records = list(chain.from_iterable(parts))
    if preview is not None:
        write_preview(records, preview, options, jobs, problems)
        click.echo(f"{preview}: faces and what the augmentations make of them")
        finish(ctx, problems)
        return
    report = build_training_xml(records, output, options, jobs, problems, show_progress=True)
    click.echo(str(report))
    finish(ctx, problems)
