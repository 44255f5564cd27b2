"""``efld-dlib network``: training and measuring the networks that find faces."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from ..errors import DataError, MissingDependencyError, OptionError, Problems
from . import options as common

if TYPE_CHECKING:
    from ..detection.detectors import Detector
    from ..detection.network_detector import Mode, NetworkDetector
    from ..evaluation.detection import ImageRun, InputImage
    from ..records import ImageRecord


min_score_option = click.option(
    "--min-score",
    type=common.NumberRange(0, 1, min_open=True, max_open=True),
    help="Lowest score of a face for fast and thorough [default: 0.5].",
)
networks_option = click.option(
    "--networks",
    type=common.FOLDER,
    help="Folder with the networks of fast and thorough, as `network train` writes it [default: "
    "the networks of the package].",
)
no_face_option = click.option(
    "--faceless", type=common.FOLDER, help="Folder of images without a face, to count false alarms."
)


@click.group()
def network() -> None:
    """The light networks that find faces and say roughly where their landmarks lie.

    \b
    Examples:
      efld-dlib network train 300w/ merl-rav:aflw/ ytf:ytf/ cfp:cfp/ --faceless faceless/ -o net/
    """


@network.command()
@click.argument("sources", nargs=-1, type=common.PATH)
@common.measured_subset_option
@common.measured_part_option
@common.seed_option
@click.option(
    "--detectors",
    default="dlib,fast,thorough",
    help="Detectors, comma separated; the first is what the others' speed is compared with.",
)
@min_score_option
@networks_option
@no_face_option
@click.option(
    "--fold", type=common.FOLD, help="Fifth of the --faceless images to measure [default: all]."
)
@common.every_option
@common.json_option
@common.collects_problems
def evaluate(
    sources: tuple[Path, ...],
    subset: str | None,
    held_out: float,
    seed: int,
    detectors: str,
    min_score: float | None,
    networks: Path | None,
    faceless: Path | None,
    fold: int | None,
    every: int,
    json_file: Path | None,
    problems: Problems,
) -> None:
    """Measure which faces of SOURCES detectors find, their false alarms and their time.

    SOURCES are given as for `efld-dlib prepare`. They may be left out with --faceless. The
    detectors run by turns on each image, in one thread. --min-score and --networks are those of
    fast and thorough; the other detectors run as they are. --held-out and --fold go by the seed.

    \b
    Examples:
      efld-dlib network evaluate 300w/ --subset helen/testset
      efld-dlib network evaluate 300w/ merl-rav:aflw/ ytf:ytf/ cfp:cfp/ --held-out 0.1
      efld-dlib network evaluate --faceless faceless/ --fold 2 --networks net/
    """
    from ..detection.network_detector import DEFAULT_SCORE
    from ..evaluation import detection as tables
    from ..evaluation.machine import describe_machine, versions
    from ..files import write_json
    from ..tables import as_markdown

    if not sources and faceless is None:
        raise OptionError("nothing to measure: name SOURCES or --faceless")
    if fold is not None and faceless is None:
        raise OptionError("--fold is a part of the images of --faceless: give both")
    chosen = choose_detectors(detectors, min_score, networks)
    names = list(chosen)
    records = measured_sources(sources, subset, held_out, seed, every, problems)
    found: dict[str, Any] = {}
    if sources:
        total = sum(map(len, records.values()))
        runs = run_by_turns(chosen, tables.annotated_images(records, problems), "faces", total)
        for make_table in (tables.source_table, tables.recall_table, tables.time_table):
            click.echo(as_markdown(make_table(runs, names)))
        found["all"] = tables.figures(runs, names)
        found["sources"] = {
            label: tables.figures(some, names) for label, some in tables.by_source(runs).items()
        }
    if faceless is not None:
        runs = run_by_turns(chosen, tables.faceless_images(faceless, fold, seed, problems), "empty")
        click.echo(as_markdown(tables.alarm_table(runs, names)))
        found["faceless"] = tables.figures(runs, names)
    if json_file is not None:
        options = {
            "sources": list(records),
            "held_out": held_out,
            "seed": seed,
            "every": every,
            "min_score": DEFAULT_SCORE if min_score is None else min_score,
            "networks": None if networks is None else networks.name,
            "fold": fold,
        }
        head = {"options": options, "machine": describe_machine(), "versions": versions()}
        write_json(json_file, {**head, **found})


def measured_sources(
    sources: Sequence[Path],
    subset: str | None,
    held_out: float,
    seed: int,
    every: int,
    problems: Problems,
) -> dict[str, list[ImageRecord]]:
    """The annotated images of each source, by what to call it in the tables.

    Raises
    ------
    DataError
        There are sources, and no face in them.
    """
    chosen: dict[str, list[ImageRecord]] = {}
    for source in sources:
        records, full = common.measured_records(source, subset, held_out, seed, problems)
        short = full.replace(str(source), source.name or str(source), 1)
        chosen[full if short in chosen else short] = records[::every]
    if sources and not any(record.faces for some in chosen.values() for record in some):
        raise DataError(" ".join(map(str, sources)), "has no face to measure")
    return chosen


def choose_detectors(
    text: str, min_score: float | None, networks: Path | None
) -> dict[str, Detector]:
    """The detectors that --detectors names, by what to call them in the tables."""
    from ..detection.registry import OWN, make_detector

    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise OptionError("--detectors names no detector")
    detectors: dict[str, Detector] = {}
    for name in names:
        kind = name.partition("=")[0]
        label = name if kind in detectors else kind
        if label in detectors:
            raise OptionError(f"--detectors names '{label}' twice")
        own = name in OWN
        detectors[label] = (
            own_detector(name, min_score, None, networks) if own else make_detector(name)
        )
    return detectors


def own_detector(
    mode: str, min_score: float | None, min_face: str | None, networks: Path | None
) -> NetworkDetector:
    """The toolkit's detector, with a network that no other detector uses."""
    from ..detection.network import Network
    from ..detection.network_detector import NetworkDetector

    detector = NetworkDetector(cast("Mode", mode), min_score, min_face, networks)
    # A network of its own: it keeps its nets for a few sizes of images only, and detectors that run
    # by turns would take them from each other.
    detector.network = Network(detector.network.source)
    return detector


def run_by_turns(
    detectors: Mapping[str, Detector],
    images: Iterator[InputImage],
    title: str,
    total: int | None = None,
) -> list[ImageRun]:
    """Run detectors in one thread, with a progress bar of that title."""
    from ..evaluation.detection import run_detectors
    from ..evaluation.machine import one_thread
    from ..parallel import progress

    with one_thread():
        return run_detectors(detectors, progress(images, total, title))


COMPLETE_BY_HAND = ("300w", "wflw", "cofw68")
"""Data sets whose 68 landmarks were all set by hand."""


@network.command()
@common.sources_argument
@common.subset_option
@click.option(
    "--faceless", type=common.FOLDER, required=True, help="Folder of images without a face."
)
@click.option(
    "-o", "--output", required=True, type=common.FOLDER, help="Folder for the two networks."
)
@click.option(
    "--work",
    type=common.FOLDER,
    default=Path("build/network"),
    help="Folder for checkpoints, from which an interrupted training continues.",
)
@click.option(
    "--steps",
    type=click.IntRange(min=100),
    default=10000,
    help="Number of iterations of the network that finds faces.",
)
@click.option(
    "--batch", type=click.IntRange(min=2), default=32, help="Number of scenes per iteration."
)
@click.option(
    "--landmark-steps",
    type=click.IntRange(min=100),
    default=25000,
    help="Number of iterations of the network that says where landmarks lie.",
)
@click.option(
    "--landmark-batch",
    type=click.IntRange(min=2),
    default=64,
    help="Number of crops per iteration of that network.",
)
@click.option(
    "--fold",
    type=common.FOLD,
    help="Fifth of the images without a face to leave out, so that `network evaluate --fold` can "
    "measure on them.",
)
@common.labels_option
@click.option(
    "--held-out",
    type=common.FRACTION,
    default=0.1,
    help="Fraction of the persons and photographs that is kept for measuring.",
)
@common.seed_option
@common.jobs_option
@common.collects_problems
def train(
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
    problems: Problems,
) -> None:
    """Train both networks on the faces of SOURCES, given as for `efld-dlib prepare`.

    --labels is for the network that says where landmarks lie; the other one needs boxes only.

    The training needs PyTorch: pip install "efld-dlib[network]". With the default options and 9,000
    faces it takes about 120 minutes on two cores. Ctrl-C is safe: the same command continues from
    the last checkpoint.

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
    from ..datasets.registry import find_dataset
    from ..network.fitting import FitOptions
    from ..parallel import resolve_jobs
    from ..prepare.labels import read_labels

    by_hand = [each for each in sources if find_dataset(each)[0].name in COMPLETE_BY_HAND]
    others = [each for each in sources if each not in by_hand]
    # Sets with points by hand first: the number of their records tells which they are.
    records = [record for each in by_hand for record in common.open_records(each, subset, problems)]
    trusted = len(records)
    records += [record for each in others for record in common.open_records(each, subset, problems)]
    options = NetworkOptions(
        FitOptions(steps, batch, seed=seed),
        FitOptions(landmark_steps, landmark_batch, decay=1e-3, seed=seed),
        held_out,
        fold,
        None if labels is None else read_labels(labels),
    )
    train_networks(records, faceless, output, work, options, resolve_jobs(jobs), problems, trusted)
