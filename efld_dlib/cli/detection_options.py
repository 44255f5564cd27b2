"""Options of the commands that find faces: what finds them, and what is said of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from ..detection.detectors import Upsample

Command = TypeVar("Command", bound=Callable[..., Any])

QUALITIES = click.Choice(["fast", "balanced", "best"])


def _times(ctx: click.Context, parameter: click.Parameter, value: str) -> Upsample:
    return "auto" if value == "auto" else int(value)


model_option = click.option(
    "-m",
    "--model",
    type=click.Path(path_type=Path),
    help="A 68-point model, .dat or .efld [default: the one that comes with the package].",
)
features_option = click.option(
    "--features",
    "feature_text",
    default="default",
    show_default=True,
    help="Features, comma separated: names, pairs (36-45), ratios (36-45/30-48), angles "
    "(angle:36-45).",
)
upsample_option = click.option(
    "--upsample",
    type=click.Choice(["auto", "0", "1", "2"]),
    callback=_times,
    default="auto",
    show_default=True,
    help="How often dlib's detector doubles the image; auto doubles it if nothing was found.",
)
detector_option = click.option(
    "--detector",
    "detector_name",
    default="fast",
    show_default=True,
    help="fast finds faces of any yaw; thorough also faces turned in the image, upside down too; "
    "dlib is its frontal detector; also lbp, yunet=FILE.onnx, dlib-cnn=FILE.dat.",
)
min_score_option = click.option(
    "--min-score",
    "--threshold",
    "min_score",
    type=float,
    help="Lowest score of a face: between 0 and 1 for fast and thorough [default: 0.5, among "
    "three or more sure faces 0.3], on its own scale for dlib [default: 0].",
)
min_face_option = click.option(
    "--min-face",
    metavar="SIZE",
    help="Width of the smallest face that is wanted, in pixels (12 or more) or as 10% of the "
    "image's shorter side: the larger, the faster. Landmarks come from the full image all the same "
    "[default: 20 pixels or a sixtieth of the longer side, whichever is larger].",
)
quality_option = click.option(
    "--quality",
    type=QUALITIES,
    default="balanced",
    show_default=True,
    help="Landmark quality: fast takes a third of the time, best four times as long.",
)
point_confidence_option = click.option(
    "--point-confidence",
    is_flag=True,
    help="Also say how likely it is that each landmark is right and visible: point_confidence in "
    "JSON, columns c_0 to c_67 in tables.",
)
detect_every_option = click.option(
    "--detect-every",
    type=click.IntRange(min=1),
    default=30,
    show_default=True,
    metavar="N",
    help="Frames after which new faces are looked for, while all known ones are followed.",
)


def detection_options(command: Command) -> Command:
    """All of them but the model, in the order of the help."""
    options = (
        features_option,
        upsample_option,
        detector_option,
        min_score_option,
        min_face_option,
        quality_option,
        point_confidence_option,
    )
    for option in reversed(options):
        command = option(command)
    return command
