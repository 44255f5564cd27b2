"""What the weighting made of the training faces: `report.md` and a histogram of their poses."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..boxes import FloatArray
from ..drawing import write_image
from ..files import write_text
from ..images import Image
from ..pose import face_poses
from ..records import FaceAnnotation
from ..tables import Table, as_markdown, number
from .rarity import Weighting, class_members, effective_sample_size

REPORT_TEXT = "report.md"
HISTOGRAM = "poses.png"

# Of the columns of a pose. Absolute yaw and roll, signed pitch: a face and its mirror image are
# equally likely.
BINS: dict[str, tuple[float, ...]] = {
    "|yaw|": (0, 10, 20, 30, 45, 60, 90),
    "pitch": (-90, -30, -20, -10, 0, 10, 20, 30, 90),
    "|roll|": (0, 5, 10, 15, 30, 45, 90, 180),
}


def write_rarity_report(
    folder: Path,
    faces: Sequence[FaceAnnotation],
    weights: FloatArray,
    counts: NDArray[np.int64],
    weighting: Weighting,
) -> float:
    """Write `REPORT_TEXT` and `HISTOGRAM` into `folder`.

    Parameters
    ----------
    folder : Path
    faces : sequence of FaceAnnotation
        The training faces.
    weights, counts : array, shape (faces,)
        Weight and number of samples of each.
    weighting : Weighting
        Where the weights come from.

    Returns
    -------
    float
        The effective sample size in faces.
    """
    poses = face_poses(faces)
    effective = effective_sample_size(weights)
    rows, panels = [], []
    for (name, edges), values in zip(BINS.items(), poses.T, strict=True):
        binned = values if name == "pitch" else np.abs(values)
        # A face of unknown pose is in no bin.
        before, after = (
            np.histogram(binned, edges, weights=each)[0] for each in (np.ones(len(faces)), counts)
        )
        panels.append(_panel(name, before, after))
        for (low, high), count, samples in zip(pairwise(edges), before, after, strict=True):
            rows.append((f"{name} {low:g} to {high:g}", float(count), float(samples)))
    for name, inside in class_members(faces).items():
        rows.append((f"class {name}", float(inside.sum()), float(counts[inside].sum())))
    unknown = int((~np.isfinite(poses).all(axis=1)).sum())
    table = Table(
        "Faces and samples",
        ("degrees", "faces", "samples", "samples a face"),
        [
            (name, f"{count:.0f}", f"{samples:.0f}", number(samples / count if count else np.nan))
            for name, count, samples in rows
        ],
        f"{unknown} faces have too few landmarks to tell their pose; they weigh 1.",
    )
    lines = [
        "# Training samples by rarity",
        "",
        f"Weighting `{weighting.kind}`, gamma {weighting.gamma:g}, cap {weighting.cap:g}: "
        f"{len(faces)} faces became {counts.sum()} samples. Weights run from {weights.min():.2f} "
        f"to {weights.max():.2f}; the effective sample size is {effective:.0f} faces "
        "((sum w)² / sum w²).",
        "",
        f"![poses before and after]({HISTOGRAM})",
        "",
        as_markdown(table),
    ]
    write_text(folder / REPORT_TEXT, "\n".join(lines))
    write_image(folder / HISTOGRAM, np.vstack(panels))
    return effective


def _panel(name: str, before: NDArray[Any], after: NDArray[Any]) -> Image:
    """Bars of the share of faces (gray) and of samples (green) by bin."""
    width, height, floor = 720, 200, 160
    panel = np.full((height, width, 3), 255, np.uint8)
    shares = [bars / max(bars.sum(), 1) for bars in (before, after)]
    tallest = max(float(np.max(shares)), 1e-9)
    step = (width - 80) // len(before)
    font = cv2.FONT_HERSHEY_SIMPLEX
    for i in range(len(before)):
        left = 70 + i * step
        for k, (share, colour) in enumerate(
            zip(shares, ((170, 170, 170), (40, 160, 80)), strict=True)
        ):
            top = floor - round(130 * float(share[i]) / tallest)
            bar = left + k * step // 3
            cv2.rectangle(panel, (bar, top), (bar + step // 3 - 2, floor), colour, -1)
        edges = BINS[name]
        label = f"{edges[i]:g} to {edges[i + 1]:g}"
        cv2.putText(panel, label, (left, floor + 18), font, 0.38, (0, 0, 0), 1, cv2.LINE_AA)
    cv2.putText(panel, name, (8, 100), font, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
    key = "gray: faces, green: samples"
    cv2.putText(panel, key, (width - 210, 18), font, 0.4, (90, 90, 90), 1, cv2.LINE_AA)
    return panel
