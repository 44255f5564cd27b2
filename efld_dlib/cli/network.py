"""``efld-dlib network``: training and measuring the networks that find faces."""

from __future__ import annotations

from pathlib import Path

import click

from ..errors import MissingDependencyError, Problems
from .network_evaluate import evaluate, speed
from .options import (
    FRACTION,
    SEED,
    data_set_of,
    finish,
    jobs_option,
    labels_option,
    open_all,
    sources_argument,
    strict_option,
    subset_option,
    warn,
)

COMPLETE_BY_HAND = ("300w", "wflw", "cofw68")
"""Data sets whose 68 landmarks were all set by hand."""

FOLDER = click.Path(path_type=Path, file_okay=False)
faceless_option = click.option(
    "--faceless",
    type=FOLDER,
    required=True,
    help="Folder of pictures without a face.",
)
held_out_option = click.option(
    "--held-out",
    type=FRACTION,
    default=0.1,
    show_default=True,
    help="Fraction of the persons and photographs that is kept for measuring.",
)
split_option = click.option(
    "--seed", type=SEED, default=1, show_default=True, help="Random seed, also of the split."
)


@click.group()
def network() -> None:
    """The light networks that find faces and say roughly where their landmarks lie.

    \b
    Examples:
      efld-dlib network train 300w/ merl-rav:aflw/ ytf:ytf/ cfp:cfp/ --faceless faceless/ -o net/
    """


@network.command()
@sources_argument
@subset_option
@faceless_option
@click.option("-o", "--output", required=True, type=FOLDER, help="Folder for the two networks.")
@click.option(
    "--work",
    type=FOLDER,
    default=Path("build/network"),
    show_default=True,
    help="Folder for checkpoints. An interrupted training goes on from there.",
)
@click.option(
    "--steps",
    type=click.IntRange(min=100),
    default=10000,
    show_default=True,
    help="Iterations of the network that finds faces.",
)
@click.option(
    "--batch", type=click.IntRange(min=2), default=32, show_default=True, help="Scenes in each."
)
@click.option(
    "--landmark-steps",
    type=click.IntRange(min=100),
    default=25000,
    show_default=True,
    help="Iterations of the network that says where landmarks lie.",
)
@click.option(
    "--landmark-batch",
    type=click.IntRange(min=2),
    default=64,
    show_default=True,
    help="Crops in each.",
)
@click.option(
    "--fold",
    type=click.IntRange(1, 5),
    help="Leave this fifth of the images without a face out, to measure on them with "
    "`network evaluate --fold`.",
)
@labels_option
@held_out_option
@split_option
@jobs_option
@strict_option
@click.pass_context
def train(
    ctx: click.Context,
    sources: tuple[Path, ...],
    subset: str,
    faceless: Path,
    output: Path,
    work: Path,
    steps: int,
    batch: int,
    landmark_steps: int,
    landmark_batch: int,
    fold: int | None,
    labels: Path | None,
    held_out: float,
    seed: int,
    jobs: int | None,
    strict: bool,
) -> None:
    """Train both networks on the faces of SOURCES, given as for `efld-dlib prepare`.

    --labels is for the network that says where landmarks lie; the other one needs boxes only.

    It needs PyTorch: pip install "efld-dlib[network]". With the default options and 9,000 faces it
    takes about 120 minutes on two cores. Ctrl-C is safe: the same command goes on from the last
    checkpoint.

    \b
    Examples:
      efld-dlib network train 300w/ merl-rav:aflw/ ytf:ytf/ cfp:cfp/ --faceless faceless/ -o net/
      efld-dlib network train own.xml --faceless faceless/ -o net/ --steps 3000
    """
    try:
        from ..network.run import NetworkOptions, train_networks
    except ImportError as error:
        raise MissingDependencyError(
            f'training a network needs PyTorch: pip install "efld-dlib[network]" ({error})'
        ) from error
    from ..network.fitting import FitOptions
    from ..parallel import resolve_jobs
    from ..prepare.labels import read_labels

    problems = Problems(strict, warn)
    # Sets with points by hand first: the number of their records tells which they are.
    by_hand = [source for source in sources if data_set_of(source) in COMPLETE_BY_HAND]
    records = open_all(by_hand, subset, problems)
    trusted = len(records)
    records += open_all([source for source in sources if source not in by_hand], subset, problems)
    options = NetworkOptions(
        FitOptions(steps, batch, seed=seed),
        FitOptions(landmark_steps, landmark_batch, decay=1e-3, seed=seed),
        held_out,
        fold,
        None if labels is None else read_labels(labels),
    )
    train_networks(records, faceless, output, work, options, resolve_jobs(jobs), problems, trusted)
    finish(ctx, problems)


for command in (evaluate, speed):
    network.add_command(command)
