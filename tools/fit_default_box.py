"""Measure the mean frame of dlib's frontal detector on 300-W's training faces.

``python -m tools.fit_default_box 300W_TREE`` writes `efld_dlib/data/default_box.json`, which stands
in where too few training faces are found by the detector to fit a map of their own.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np

from efld_dlib.datasets.w300 import read_w300
from efld_dlib.detection.detectors import FrontalDetector
from efld_dlib.detection.framing import match_detections, normalise
from efld_dlib.files import write_json
from efld_dlib.images import read_image, to_gray
from efld_dlib.landmarks import mirror_points
from efld_dlib.parallel import available_cores, parallel_map

TARGET = Path(__file__).resolve().parent.parent / "efld_dlib" / "data" / "default_box.json"


def frame(record):  # type: ignore[no-untyped-def]
    """Normalised landmarks of a record's face, and its box's centre and width in their units."""
    gray = to_gray(read_image(record.path))
    (box,) = match_detections(record.faces, FrontalDetector()(gray))
    if box is None:
        return None
    shape, center, size = normalise(record.faces[0].points)
    return shape, (*(np.subtract(box.center, center) / size), box.width / size)


@click.command()
@click.argument("root", type=click.Path(path_type=Path, exists=True))
def main(root: Path) -> None:
    """Measure on the 300-W tree ROOT."""
    frames = [f for f in parallel_map(frame, list(read_w300(root)), available_cores()) if f]
    mean_shape = np.mean([shape for shape, _ in frames], axis=0)
    # A face and its mirror image are equally likely; so the mean shape is made symmetric.
    mean_shape = (mean_shape + mirror_points(mean_shape, 1.0)) / 2
    x, y, width = np.mean([place for _, place in frames], axis=0)
    write_json(
        TARGET,
        {
            "comment": f"mean of {len(frames)} 300-W training faces that dlib's frontal detector "
            "finds; units: RMS distance of the landmarks from their centroid",
            "center": [0.0, round(float(y), 4)],
            "width": round(float(width), 4),
            "mean_shape": np.round(mean_shape, 4).tolist(),
        },
    )
    click.echo(f"{TARGET.name}: {len(frames)} faces, x {x:.4f} (taken as 0), y {y:.4f}")


if __name__ == "__main__":
    main()
