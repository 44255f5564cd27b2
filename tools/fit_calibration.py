"""Fit how a detector's boxes lie to those of dlib's frontal detector, on training faces.

``python -m tools.fit_calibration 300W_TREE lbp`` (or ``yunet=FILE.onnx``, ``dlib-cnn=FILE.dat``)
adds a line to `efld_dlib/data/box_calibration.csv`, or replaces the detector's.
"""

from __future__ import annotations

import csv
from pathlib import Path

import click

from efld_dlib.datasets.w300 import read_w300
from efld_dlib.detection.detectors import FrontalDetector
from efld_dlib.detection.framing import match_detections
from efld_dlib.detection.registry import (
    TABLE,
    DlibCnnDetector,
    LbpDetector,
    YunetDetector,
    fit_calibration,
)
from efld_dlib.files import write_text
from efld_dlib.images import read_image, to_gray

TARGET = Path(__file__).resolve().parent.parent / "efld_dlib" / "data" / TABLE


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
        makers = {
            "lbp": LbpDetector,
            "yunet": lambda file=file: YunetDetector(file),
            "dlib-cnn": lambda file=file: DlibCnnDetector(file),
        }
        if name not in makers:
            raise click.UsageError(f"unknown detector '{name}'; choose from {', '.join(makers)}")
        detector, dlibs, boxes, wanted = makers[name](), FrontalDetector(), [], []
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
