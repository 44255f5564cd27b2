"""Fit how a detector's boxes lie to those of dlib's frontal detector, on training faces.

``python -m tools.fit_calibration 300W_TREE lbp`` (or ``yunet=FILE.onnx``, ``dlib-cnn=FILE.dat``)
adds a line to `efld_dlib/data/box_calibration.csv`, or replaces the detector's.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np

from efld_dlib.boxes import Box
from efld_dlib.datasets.w300 import read_w300
from efld_dlib.detection.detectors import FrontalDetector
from efld_dlib.detection.framing import match_detections
from efld_dlib.detection.registry import (
    OTHERS,
    TABLE,
    BoxCalibration,
)
from efld_dlib.errors import DataError
from efld_dlib.files import write_text
from efld_dlib.images import read_image, to_gray

TARGET = Path(__file__).resolve().parent.parent / "efld_dlib" / "data" / TABLE


MIN_PAIRS = 10


def fit_calibration(boxes: Sequence[Box], wanted: Sequence[Box]) -> BoxCalibration:
    """The calibration that takes a detector's `boxes` to those `wanted`, by medians.

    Parameters
    ----------
    boxes, wanted : sequence of Box
        Of the same faces in the same order; the latter square.

    Raises
    ------
    DataError
        There are fewer than `MIN_PAIRS` pairs.
    """
    if len(boxes) < MIN_PAIRS:
        raise DataError("<boxes>", f"{len(boxes)} pairs of boxes are too few to fit a calibration")
    rows = []
    for box, target in zip(boxes, wanted, strict=True):
        size = (box.width * box.height) ** 0.5
        rows.append((*(np.subtract(target.center, box.center) / size), target.width / size))
    x, y, scale = np.median(rows, axis=0)
    return BoxCalibration(float(x), float(y), float(scale))


@click.command()
@click.argument("root", type=click.Path(path_type=Path, exists=True))
@click.argument("detectors", nargs=-1, required=True)
@click.option("--every", default=10, show_default=True, help="Use only every Nth image.")
def main(root: Path, detectors: tuple[str, ...], every: int) -> None:
    """Fit DETECTORS on the 300-W tree ROOT."""
    known = {}
    if TARGET.is_file():
        rows = csv.DictReader(TARGET.read_text(encoding="utf-8").splitlines())
        known = {row["detector"]: row for row in rows}
    for text in detectors:
        name, _, file = text.partition("=")
        if name not in OTHERS:
            raise click.UsageError(f"unknown detector '{name}'; choose from {', '.join(OTHERS)}")
        detector, dlibs, boxes, wanted = OTHERS[name](file), FrontalDetector(), [], []
        for record in list(read_w300(root))[::every]:
            gray = to_gray(read_image(record.path))
            (box,) = match_detections(record.faces, detector(gray))
            (target,) = match_detections(record.faces, dlibs(gray))
            if box is not None and target is not None:
                boxes.append(box)
                wanted.append(target)
        fitted = fit_calibration(boxes, wanted)
        known[name] = {
            "detector": name,
            "x": f"{fitted.x:.4f}",
            "y": f"{fitted.y:.4f}",
            "scale": f"{fitted.scale:.4f}",
            "faces": str(len(boxes)),
        }
        click.echo(f"{name}: {known[name]}")
    lines = [
        "detector,x,y,scale,faces",
        *(",".join(known[name].values()) for name in sorted(known)),
    ]
    write_text(TARGET, "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
