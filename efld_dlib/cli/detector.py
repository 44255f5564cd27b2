"""``efld-dlib detector``: measuring, training and describing face detectors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import OptionError, Problems
from .detector_speed import speed
from .detector_train import train
from .options import (
    FRACTION,
    SEED,
    NumberRange,
    every_option,
    finish,
    open_all,
    sources_argument,
    strict_option,
    subset_option,
    warn,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..annotation import ImageRecord
    from ..detection.detectors import Detector
    from ..images import Image

TEXTURES = 60
"""Of the pictures without a face; tests want fewer."""

_folder = click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="The detector's files [default: those that come with the toolkit].",
)


@click.group()
def detector() -> None:
    """The toolkit's own face detector, and how it compares with dlib's.

    \b
    Examples:
      efld-dlib detector evaluate 300w/ --subset helen/testset
      efld-dlib detector train 300w/ merl-rav:aflw/ -o detector/
      efld-dlib detector info
    """


@detector.command()
@sources_argument
@subset_option
@click.option(
    "--held-out",
    type=FRACTION,
    default=0.0,
    show_default=True,
    help="Measure only on this fraction of the photographs: those that `prepare` and `detector "
    "train` hold out of the same SOURCES with the same number and seed.",
)
@click.option("--seed", type=SEED, default=1, show_default=True, help="Of what is held out.")
@click.option(
    "--detectors",
    default="dlib,fast,thorough",
    show_default=True,
    help="Which, comma separated; the first is what the others' speed is compared with.",
)
@click.option("--min-score", default=0.0, show_default=True, help="Lowest score that counts.")
@click.option(
    "--turns",
    type=NumberRange(min=1),
    help="Also turn each picture in its plane, by every so many degrees from -90 to 90.",
)
@click.option(
    "--yaw",
    type=NumberRange(0, 85),
    help="Measure on copies of the faces that a 3-D warp has turned to so many degrees of yaw.",
)
@click.option(
    "--face-width",
    type=click.IntRange(16, 1000),
    help="Measure on copies of the faces of this width in pixels [with --yaw: 120].",
)
@every_option
@click.option(
    "-m", "--model", type=click.Path(path_type=Path), help="Measure this predictor's error too."
)
@click.option("--faceless/--no-faceless", default=True, help="Count false alarms [default: on].")
@_folder
@strict_option
@click.pass_context
def evaluate(
    ctx: click.Context,
    sources: tuple[Path, ...],
    subset: str,
    held_out: float,
    seed: int,
    detectors: str,
    min_score: float,
    turns: float | None,
    yaw: float | None,
    face_width: int | None,
    every: int,
    model: Path | None,
    faceless: bool,
    folder: Path | None,
    strict: bool,
) -> None:
    """Recall by yaw, roll and size, false alarms and time of face detectors on SOURCES.

    SOURCES are given as for `efld-dlib prepare`. The pictures without a face are scikit-image's
    own, textures, and what of SOURCES' pictures holds no face.

    \b
    Examples:
      efld-dlib detector evaluate 300w/ --subset helen/testset
      efld-dlib detector evaluate 300w/ merl-rav:aflw/ --held-out 0.1 --no-faceless
      efld-dlib detector evaluate 300w/ --subset helen/testset --turns 15 -m build/efld.dat
      efld-dlib detector evaluate 300w/ --subset helen/testset --yaw 60 --no-faceless
    """
    from tempfile import TemporaryDirectory

    import cv2
    import numpy as np

    from ..evaluation.detection.measure import run_detectors
    from ..evaluation.detection.table import recall_table, turn_table
    from ..evaluation.tables import as_markdown
    from ..models.loading import load_predictor, require_68_points
    from ..prepare.copies import face_copies

    cv2.setNumThreads(1)
    problems = Problems(strict, warn)
    records = open_all(sources, subset, problems)
    if held_out:
        records = _held_out(records, held_out, seed)
    records = records[::every]
    chosen = _detectors(detectors, min_score, folder)
    predictor = None if model is None else load_predictor(model)
    if model is not None:
        require_68_points(predictor, model)
    title = ", ".join(map(str, sources))
    angles = [0.0] if turns is None else np.arange(-90, 90 + turns / 2, turns).tolist()
    with TemporaryDirectory() as made:
        measured = records
        if yaw is not None or face_width is not None:
            measured = face_copies(records, Path(made), face_width or 120, yaw, problems)
            title += f", copies of {face_width or 120} px"
            title += "" if yaw is None else f" turned to a yaw of {yaw:g} degrees"
        run = run_detectors(chosen, measured, angles, predictor, problems)
    names = list(chosen)
    if turns is None:
        click.echo(as_markdown(recall_table(run, names, title)))
    if turns is not None or model is not None:
        click.echo(as_markdown(turn_table(run, names, f"{title}, turned")))
    if faceless:
        _echo_alarms(chosen, records, folder)
    finish(ctx, problems)


def _held_out(records: list[ImageRecord], fraction: float, seed: int) -> list[ImageRecord]:
    import numpy as np

    from ..datasets.split import choose_photographs

    names = [record.photograph or record.path.name for record in records]
    chosen = choose_photographs(names, fraction, np.random.default_rng(seed))
    return [record for record, name in zip(records, names, strict=True) if name in chosen]


def _detectors(names: str, min_score: float, folder: Path | None) -> dict[str, Detector]:
    from ..detection.choice import make_detector

    listed = [name.strip() for name in names.split(",") if name.strip()]
    if not listed:
        raise OptionError("--detectors names none")
    return {name: make_detector(name, min_score=min_score, folder=folder) for name in listed}


def _echo_alarms(
    detectors: Mapping[str, Detector], records: Sequence[ImageRecord], folder: Path | None
) -> None:
    from ..detection.choice import OWN
    from ..evaluation.detection.faceless import bundled_pictures, textures
    from ..evaluation.detection.measure import false_alarms
    from ..evaluation.detection.table import alarm_table
    from ..evaluation.tables import as_markdown

    groups: dict[str, list[Image]] = {
        "scikit-image's": bundled_pictures(),
        "textures": textures(TEXTURES),
        "parts of these pictures": _parts(records),
    }
    alarms = {label: false_alarms(detectors, pictures) for label, pictures in groups.items()}
    size = _size(folder)
    sizes = {name: size if name in OWN else None for name in detectors}
    click.echo(as_markdown(alarm_table(alarms, list(detectors), sizes)))


def _parts(records: Sequence[ImageRecord]) -> list[Image]:
    from ..detection.detectors import FrontalDetector
    from ..errors import DataError
    from ..evaluation.detection.faceless import faceless_crops
    from ..images import read_image, to_gray

    crops: list[Image] = []
    # People whom nobody annotated; what dlib takes for one by mistake is lost for the count.
    careful = FrontalDetector(1, -0.1)
    for record in records:
        try:
            gray = to_gray(read_image(record.path))
        except DataError:
            continue
        crops += faceless_crops(record, gray, [found.box for found in careful(gray)])
    return crops


def _size(folder: Path | None) -> int:
    from ..training.detector.build import describe_detector

    return int(str(describe_detector(folder or _own_folder())["bytes"]))


def _own_folder() -> Path:
    from importlib.resources import files

    from ..detection.windows import FOLDER

    return Path(str(files("efld_dlib.data").joinpath(FOLDER)))


@detector.command()
@_folder
def info(folder: Path | None) -> None:
    """Say what a detector consists of, and how it was trained.

    \b
    Examples:
      efld-dlib detector info
      efld-dlib detector info --folder detector/
    """
    from ..training.detector.build import describe_detector

    click.echo(json.dumps(describe_detector(folder or _own_folder()), indent=2))


for command in (speed, train):
    detector.add_command(command)
