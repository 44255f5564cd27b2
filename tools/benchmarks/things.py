"""A predictor of things that are no faces: drawn leaves, against their mean shape and more data."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click
import numpy as np

from efld_dlib.boxes import FloatArray
from efld_dlib.evaluation.evaluate import evaluate
from efld_dlib.evaluation.metrics import normalised_mean_errors
from efld_dlib.landmarks import Scheme
from efld_dlib.models.loading import load_arrays
from efld_dlib.prepare.build import PrepareOptions, build_training_xml
from efld_dlib.records import ImageRecord
from efld_dlib.tables import Table, number
from efld_dlib.training.trainer import train
from efld_dlib.xml.read import read_xml
from tools.make_leaves import make_leaves

from .results import output_option, tell


def mean_shape_error(mean: FloatArray, records: list[ImageRecord], scheme: Scheme) -> float:
    """Error of a shape in units of the box, laid into the boxes of things."""
    truth = np.array([face.points for record in records for face in record.faces])
    boxes = np.array([face.box for record in records for face in record.faces])
    laid = boxes[:, None, :2] + mean * (boxes[:, None, 2:] - 1)
    return float(np.nanmean(normalised_mean_errors(laid, truth, scheme=scheme)))


@click.command()
@click.option("--leaves", type=click.IntRange(min=20), default=200, show_default=True)
@click.option("--test", type=click.IntRange(min=10), default=200, show_default=True)
@click.option("--preset", default="standard", show_default=True)
@output_option
def things(leaves: int, test: int, preset: str, output: Path | None) -> None:
    """Measure predictors of drawn leaves, which start from the boxes of the data."""
    rows: list[tuple[str, str, str]] = []
    with tempfile.TemporaryDirectory(prefix="efld-benchmark-") as name:
        folder = Path(name)
        make_leaves(folder, 2 * leaves, test)
        records = list(read_xml(folder / "test.xml"))
        drawn = list(read_xml(folder / "train.xml"))
        for count in (leaves, 2 * leaves):
            data, model = folder / str(count), folder / f"{count}.dat"
            options = PrepareOptions(validation=0.0)
            build_training_xml(drawn[:count], data, options)
            scheme = train(data, model, preset=preset, measure=False).scheme
            if not rows:
                mean = load_arrays(model).mean_shape.astype(np.float64)
                alone = mean_shape_error(mean, records, scheme)
                rows.append(
                    (f"the mean shape of {count} leaves alone", number(100 * alone), "1.00")
                )
            error = evaluate(model, records, "file").nme
            rows.append((f"trained on {count} leaves", number(100 * error), number(error / alone)))
    header = ("predictor", "NME by base to tip, %", "of the mean shape's")
    note = f"{test} further leaves, from the boxes of the data; preset {preset}."
    tell([Table("Eight points of drawn leaves", header, rows, note)], output)
