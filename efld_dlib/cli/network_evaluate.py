"""``efld-dlib network evaluate`` and ``speed``: how well and how fast detectors find faces."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import DataError, OptionError, Problems
from .options import (
    FRACTION,
    SEED,
    NumberRange,
    every_option,
    finish,
    list_inputs,
    measured_records,
    strict_option,
    warn,
)

if TYPE_CHECKING:
    from ..detection.detectors import Detector
    from ..evaluation.detection.measure import ImageRun, InputImage
    from ..evaluation.tables import Table
    from ..records import ImageRecord

FRAME = (640, 480)
"""Width and height in pixels of the frames of ``speed``."""

SPEED_VARIANTS = (
    ("fast", "fast", None),
    ("fast, --min-face 40", "fast", "40"),
    ("fast, --min-face 120", "fast", "120"),
    ("thorough", "thorough", None),
)
"""Name, mode and smallest face of the toolkit's detectors that ``speed`` measures."""

_FILE = click.Path(path_type=Path, dir_okay=False)
_FOLDER = click.Path(path_type=Path, file_okay=False)

_min_score_option = click.option(
    "--min-score",
    type=NumberRange(0, 1, min_open=True, max_open=True),
    help="Lowest score of a face for fast and thorough [default: 0.5].",
)
_min_face_option = click.option(
    "--min-face",
    metavar="SIZE",
    help="Width of the smallest face for fast and thorough, as for `detect`: in pixels or as 10% "
    "of the image's shorter side [default: 20 pixels or a sixtieth of the longer side].",
)
_networks_option = click.option(
    "--networks",
    type=_FOLDER,
    help="Folder with the networks of fast and thorough, as `network train` writes it [default: "
    "those that come with the package].",
)
_faceless_option = click.option(
    "--faceless", type=_FOLDER, help="Folder of images without a face, to count false alarms."
)
_json_option = click.option("--json", "json_file", type=_FILE, help="Write all figures.")


@click.command()
@click.argument("sources", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--subset",
    help="Part of the data to measure: of a 300-W tree train, test-common, test-challenging, "
    "test-full, or a folder in it such as helen/testset [default: the test part; with --held-out "
    "the training part].",
)
@click.option(
    "--held-out",
    type=FRACTION,
    default=0.0,
    show_default=True,
    help="Measure only the persons and photographs that `network train` holds out with the same "
    "fraction and seed; 0 measures all.",
)
@click.option(
    "--seed",
    type=SEED,
    default=1,
    show_default=True,
    help="Random seed of the split, the folds and the groups.",
)
@click.option(
    "--detectors",
    default="dlib,fast,thorough",
    show_default=True,
    help="Detectors, comma separated; the first is what the others' speed is compared with.",
)
@_min_score_option
@_min_face_option
@_networks_option
@click.option(
    "--turns",
    type=NumberRange(1, 180),
    metavar="DEGREES",
    help="Angle between the turns by which each image is turned in its plane, all the way round.",
)
@_faceless_option
@click.option(
    "--fold",
    type=click.IntRange(1, 5),
    help="Fifth of the --faceless images to measure [default: all].",
)
@click.option(
    "--groups",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Number of group images to compose of the measured faces.",
)
@click.option(
    "--poses", is_flag=True, help="Measure the head pose too, of the network and of the landmarks."
)
@click.option("--groups-dir", type=_FOLDER, help="Folder for the group images, to look at.")
@every_option
@_json_option
@strict_option
@click.pass_context
def evaluate(
    ctx: click.Context,
    sources: tuple[Path, ...],
    subset: str | None,
    held_out: float,
    seed: int,
    detectors: str,
    min_score: float | None,
    min_face: str | None,
    networks: Path | None,
    turns: float | None,
    faceless: Path | None,
    fold: int | None,
    groups: int,
    poses: bool,
    groups_dir: Path | None,
    every: int,
    json_file: Path | None,
    strict: bool,
) -> None:
    """Measure which faces of SOURCES detectors find, their false alarms and their time.

    SOURCES are given as for `efld-dlib prepare`. They may be left out with --faceless. The
    detectors run by turns on each image, in one thread. --min-score, --min-face and --networks are
    those of fast and thorough; the other detectors run as they are.

    \b
    Examples:
      efld-dlib network evaluate 300w/ --subset helen/testset
      efld-dlib network evaluate 300w/ merl-rav:aflw/ ytf:ytf/ cfp:cfp/ --held-out 0.1 --groups 40
      efld-dlib network evaluate 300w/ --detectors fast,thorough --turns 15 --json turns.json
      efld-dlib network evaluate --faceless faceless/ --fold 2 --networks net/
    """
    from ..detection.network_detector import DEFAULT_SCORE
    from ..evaluation.detection import pictures, table
    from ..evaluation.detection.summary import SIZES

    _require(sources, faceless, fold, groups, poses, groups_dir)
    chosen = _detectors(detectors, min_score, min_face, networks)
    names = list(chosen)
    problems = Problems(strict, warn)
    measured = _measured(sources, subset, held_out, seed, problems)
    records = {label: some[::every] for label, some in measured.items()}
    if sources and not any(record.faces for some in records.values() for record in some):
        raise DataError(" ".join(map(str, sources)), "has no face to measure")
    found: dict[str, Any] = {}
    if sources:
        angles = [0.0] if turns is None else _angles(turns)
        images = (
            image
            for label, some in records.items()
            for image in pictures.annotated_images(some, label, angles, problems)
        )
        runs = _run(chosen, images, sum(map(len, records.values())) * len(angles), "faces")
        found |= _tell_faces(runs, names, turns is not None)
    if poses:
        detector = _own_detector("fast", min_score, min_face, networks)
        found["poses"] = _tell_poses(detector, records, problems)
    if faceless is not None:
        runs = _run(chosen, pictures.faceless_images(faceless, fold, seed, problems), None, "empty")
        _echo(table.alarm_table(runs, names))
        found["faceless"] = table.figures(runs, names)
    if groups:
        runs = _run(chosen, _groups(records, groups, seed, groups_dir), groups, "groups")
        title = f"Faces found in {groups} group images, in per cent"
        _echo(table.recall_table(runs, names, title, [SIZES]), table.time_table(runs, names))
        found["groups"] = table.figures(runs, names)
    if json_file is not None:
        options = {
            "sources": list(records),
            "held_out": held_out,
            "seed": seed,
            "every": every,
            "min_score": DEFAULT_SCORE if min_score is None else min_score,
            "min_face": min_face,
            "networks": None if networks is None else networks.name,
            "fold": fold,
        }
        _write(json_file, options, found)
    finish(ctx, problems)


def _require(
    sources: Sequence[Path],
    faceless: Path | None,
    fold: int | None,
    groups: int,
    poses: bool,
    groups_dir: Path | None,
) -> None:
    """Refuse, with an `OptionError`, options that lack what they are about."""
    if not sources and faceless is None:
        raise OptionError("nothing to measure: name SOURCES or --faceless")
    if not sources and groups:
        raise OptionError("--groups composes images of the faces of SOURCES: name some")
    if fold is not None and faceless is None:
        raise OptionError("--fold is a part of the images of --faceless: give both")
    if not sources and poses:
        raise OptionError("--poses needs faces whose pose is known: name SOURCES")
    if groups_dir is not None and not groups:
        raise OptionError("--groups-dir is the folder of the images of --groups: give both")


def _tell_faces(runs: Sequence[ImageRun], names: Sequence[str], with_turns: bool) -> dict[str, Any]:
    """Print the tables of annotated faces; their figures."""
    from ..evaluation.detection import table

    upright = [run for run in runs if not run.turn]
    _echo(
        table.source_table(upright, names),
        table.recall_table(upright, names),
        table.time_table(upright, names),
    )
    sources = table.by_source(upright)
    found: dict[str, Any] = {
        "all": table.figures(upright, names),
        "sources": {label: table.figures(some, names) for label, some in sources.items()},
    }
    if with_turns:
        _echo(table.turn_table(runs, names))
        found["turns"] = [
            {"turn": turn, **table.figures(some, names, ())}
            for turn, some in table.by_turn(runs).items()
        ]
    return found


def _tell_poses(
    detector: Detector, records: Mapping[str, Sequence[ImageRecord]], problems: Problems
) -> dict[str, list[float]]:
    """Print the errors of the head pose; their means by source."""
    from typing import cast

    from ..detection.network_detector import NetworkDetector
    from ..evaluation.detection.pictures import annotated_images
    from ..evaluation.detection.poses import pose_errors, pose_table
    from ..landmarker import FaceLandmarker

    images = (
        image
        for label, some in records.items()
        for image in annotated_images(some, label, [0.0], problems)
    )
    landmarker = FaceLandmarker(detector=detector)
    errors = pose_errors(cast(NetworkDetector, detector), landmarker, images)
    _echo(pose_table(errors))
    return {source: each.mean(axis=0).tolist() for source, each in errors.items()}


def _angles(step: float) -> list[float]:
    """The multiples of a step above -180 and up to 180 degrees."""
    most = int(180 / step)
    angles = [step * number for number in range(-most, most + 1)]
    return [angle for angle in angles if angle > -180]


def _measured(
    sources: Sequence[Path], subset: str | None, held_out: float, seed: int, problems: Problems
) -> dict[str, list[ImageRecord]]:
    """The annotated images of each source, by what to call it in the tables."""
    chosen: dict[str, list[ImageRecord]] = {}
    for source in sources:
        records, full = measured_records(source, subset, held_out, seed, problems)
        short = full.replace(str(source), source.name or str(source), 1)
        chosen[full if short in chosen else short] = records
    return chosen


def _detectors(
    text: str, min_score: float | None, min_face: str | None, networks: Path | None
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
        if name in OWN:
            detectors[label] = _own_detector(name, min_score, min_face, networks)
        else:
            detectors[label] = make_detector(name)
    return detectors


def _own_detector(
    mode: str, min_score: float | None, min_face: str | None, networks: Path | None
) -> Detector:
    from typing import cast

    from ..detection.network import DETECTOR_FILE, Network
    from ..detection.network_detector import Mode, NetworkDetector

    detector = NetworkDetector(cast(Mode, mode), min_score, min_face, networks)
    if networks is None:
        # A network of its own: it keeps its nets for a few sizes of images only, and detectors
        # that run by turns would take them from each other.
        detector.network = Network(DETECTOR_FILE)
    return detector


def _run(
    detectors: Mapping[str, Detector], images: Iterator[InputImage], total: int | None, title: str
) -> list[ImageRun]:
    from ..evaluation.detection.measure import run_detectors
    from ..evaluation.machine import one_thread
    from ..parallel import progress

    with one_thread():
        return run_detectors(detectors, progress(images, total, title))


def _groups(
    records: Mapping[str, Sequence[ImageRecord]], count: int, seed: int, folder: Path | None
) -> Iterator[InputImage]:
    from ..drawing import write_image
    from ..evaluation.detection.groups import compose_groups

    every_record = [record for some in records.values() for record in some]
    for image in compose_groups(every_record, count, seed):
        if folder is not None:
            write_image(folder / f"{image.name}.png", image.gray)
        yield image


def _echo(*tables: Table) -> None:
    from ..evaluation.tables import as_markdown

    for each in tables:
        click.echo(as_markdown(each))


def _write(target: Path, options: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    from ..evaluation.machine import describe_machine, versions
    from ..files import write_json

    head = {"options": options, "machine": describe_machine(), "versions": versions()}
    write_json(target, {**head, **found})


@click.command()
@click.argument("images", nargs=-1, required=True)
@_faceless_option
@_min_score_option
@_networks_option
@every_option
@_json_option
@strict_option
@click.pass_context
def speed(
    ctx: click.Context,
    images: tuple[str, ...],
    faceless: Path | None,
    min_score: float | None,
    networks: Path | None,
    every: int,
    json_file: Path | None,
    strict: bool,
) -> None:
    """Time of detection in IMAGES, each fitted into 640x480 pixels, on one core.

    IMAGES are files, folders or globs. By turns run dlib's frontal detector on the frame as it is,
    and ours with several smallest faces. The machine should be idle.

    \b
    Examples:
      efld-dlib network speed 300w/helen/testset/ --faceless faceless/
      efld-dlib network speed photos/ --every 5 --json speed.json
    """
    from ..detection.detectors import FrontalDetector
    from ..detection.network_detector import DEFAULT_SCORE
    from ..evaluation.detection.table import by_source, figures, speed_table

    detectors: dict[str, Detector] = {"dlib": FrontalDetector(0)}
    for label, mode, min_face in SPEED_VARIANTS:
        detectors[label] = _own_detector(mode, min_score, min_face, networks)
    names, problems = list(detectors), Problems(strict, warn)
    paths = list_inputs(images)[::every]
    runs = _run(detectors, _frames(paths, faceless, problems), None, "frames")
    if not runs:
        raise DataError(" ".join(images), "has no image that can be read")
    width, height = FRAME
    _echo(speed_table(runs, names, f"Detection alone at {width}x{height}"))
    if json_file is not None:
        found = {source: figures(some, names, ()) for source, some in by_source(runs).items()}
        options = {"min_score": min_score or DEFAULT_SCORE, "every": every}
        _write(json_file, options, found)
    finish(ctx, problems)


def _frames(
    paths: Sequence[str], faceless: Path | None, problems: Problems
) -> Iterator[InputImage]:
    """The images, then those without a face, fitted into frames."""
    from dataclasses import replace

    from ..evaluation.detection.measure import InputImage
    from ..evaluation.detection.pictures import faceless_images, fitted
    from ..images import read_image, to_gray

    for path in paths:
        try:
            gray = to_gray(read_image(path))
        except DataError as error:
            problems.add(error)
            continue
        yield InputImage("given", path, fitted(gray, FRAME))
    if faceless is not None:
        for image in faceless_images(faceless, None, 0, problems):
            yield replace(image, source="without a face", gray=fitted(image.gray, FRAME))
