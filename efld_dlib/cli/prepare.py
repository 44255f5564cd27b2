"""``efld-dlib prepare``: annotated images to training data."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import Any

import click

from ..errors import Problems
from . import options as common


@click.command()
@common.sources_argument
@click.option(
    "-o",
    "--output",
    default="training_xml",
    type=common.PATH,
    help="Folder for train.xml, validation.xml and the crops.",
)
@common.subset_option
@common.seed_option
@click.option(
    "--validation", default=0.1, help="Fraction of the persons and photographs that is held out."
)
@click.option("--mirror/--no-mirror", default=True, help="Use mirror images too.")
@click.option(
    "--variants",
    default=4,
    help="Number of samples of a face of weight 1: the face itself, then augmented ones, every "
    "other one mirrored.",
)
@click.option(
    "--augment",
    "augmentation",
    default="default",
    help="Preset (none, default, rotate, scatter, occlude, photometric, turn, paper, all) or steps "
    "(turn, rotate, scatter, occlude, tone, degrade), each with an optional probability: "
    "rotate,occlude:0.3.",
)
@click.option(
    "--weights",
    "weighting",
    default="pose-density",
    metavar="KIND[,gamma=N][,cap=N]",
    help="Kind of rarity that gives faces more samples: pose-density (rare poses), classes (rare "
    "classes) or none. gamma is the exponent of the rarity (0.5 if not given), cap the largest "
    "weight (4 if not given).",
)
@click.option("--budget", type=int, help="Total number of training samples, shared by weight.")
@click.option(
    "--preview",
    type=common.PATH,
    metavar="SHEET.png",
    help="Contact sheet of what the augmentations do to some of the faces; nothing else is made.",
)
@click.option(
    "--framing",
    type=click.Choice(["detector", "refined"]),
    default="detector",
    help="Framing of the crops: by the detector's box, for any dlib program; or upright about the "
    "box that the landmarks ask for, for the predictor that runs after the landmark network.",
)
@common.scheme_option
@click.option(
    "--detector",
    type=common.FILE,
    metavar="FILE.svm",
    help="Detector of `train --detector` that frames things which are no faces, as it will when "
    "they are looked for [default: the boxes of the data].",
)
@common.labels_option
@click.option(
    "--emphasis",
    type=click.IntRange(1, 100),
    default=1,
    help="Number of samples of a face of the first source for each one of a face of the others.",
)
@common.jobs_option
@common.collects_problems
def prepare(
    sources: tuple[Path, ...],
    output: Path,
    subset: str,
    augmentation: str,
    weighting: str,
    preview: Path | None,
    scheme: str | None,
    detector: Path | None,
    labels: Path | None,
    emphasis: int,
    jobs: int | None,
    problems: Problems,
    **settings: Any,
) -> None:
    """Make training_xml/ of SOURCES: 300-W trees, folders with .pts files, dlib XML files, or any
    other data set as NAME:PATH, with a name that `efld-dlib xml convert --help` lists.

    Finds each face with the run-time detector (things that are no faces have boxes), cuts gray
    crops of one face size, augments them, gives rare faces more samples, and holds out a part by
    person and photograph. The same seed gives the same files; an interrupted run continues where it
    stopped.

    \b
    Examples:
      efld-dlib prepare 300w/
      efld-dlib prepare 300w/ merl-rav:aflw/
      efld-dlib prepare 300w/ --augment all --preview sheet.png
      efld-dlib prepare 300w/ merl-rav:aflw/ --labels tools/labels/consensus.xz --emphasis 5
      efld-dlib prepare 300w/ merl-rav:aflw/ --weights pose-density,cap=4 --budget 20000
      efld-dlib prepare leaves.xml --detector leaves.svm
    """
    from ..datasets.base import FolderCount
    from ..prepare.augment import parse_augmentation
    from ..prepare.build import PrepareOptions, build_training_xml, write_preview
    from ..prepare.labels import read_labels, relabelled
    from ..prepare.rarity import parse_weighting, repeated

    steps, weights = parse_augmentation(augmentation), parse_weighting(weighting)
    options = PrepareOptions(augmentation=steps, weighting=weights, **settings)
    counts: list[FolderCount] = []
    parts = [
        list(common.open_records(source, subset, problems, counts, scheme)) for source in sources
    ]
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
        return
    report = build_training_xml(
        records, output, options, jobs, problems, show_progress=True, detector=detector
    )
    click.echo(report)
