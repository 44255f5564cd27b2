"""Options of the commands that find faces: what finds them, and what is said of them."""

from __future__ import annotations

from pathlib import Path

import click

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
    default="auto",
    show_default=True,
    help="How often the picture is doubled for the detector; auto doubles where it finds nothing.",
)
detector_option = click.option(
    "--detector",
    "detector_name",
    default="fast",
    show_default=True,
    help="fast finds faces of any yaw; thorough also those turned in the picture, upside down too; "
    "dlib is its frontal detector; also lbp, yunet=FILE.onnx, dlib-cnn=FILE.dat.",
)
min_score_option = click.option(
    "--min-score",
    "--threshold",
    "min_score",
    default=0.0,
    show_default=True,
    help="Lowest score of the detector that counts.",
)
min_face_option = click.option(
    "--min-face",
    metavar="SIZE",
    help="Width of the smallest face that is wanted, in pixels or as 10% of the picture's shorter "
    "side: the larger, the faster. Landmarks come from the full picture all the same.",
)
views_option = click.option(
    "--views",
    help="Only these sub-detectors of fast and thorough, comma separated, for less time: front, "
    "half-left, half-right, profile-left, profile-right [default: all].",
)
quality_option = click.option(
    "--quality",
    type=click.Choice(["fast", "balanced", "best"]),
    default="balanced",
    show_default=True,
    help="Of the landmarks: fast takes half of the time, best six times as long.",
)
