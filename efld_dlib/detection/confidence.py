"""How likely it is that landmarks are right: dlib's predictors themselves say nothing of it.

The landmark network looks once more at the box that the landmarks ask for. Where they are right, it
sees a face there, framed as it should be, and its own rough landmarks lie near them. How much of
each makes which confidence was fitted on held-out faces (`tools/fit_confidence.py`).
"""

from __future__ import annotations

import json
from functools import lru_cache
from importlib.resources import files

import numpy as np

from ..annotation import FloatArray, Pose
from ..images import Image
from .frame import Place, framed, is_usable
from .landmark_network import LandmarkNetwork

CONFIDENCE_FILE = "confidence.json"

FAILURE = 0.08
"""NME by the distance of the outer eye corners above which landmarks count as a failure."""

EVIDENCE = ("score", "apart", "moved", "yaw")
"""What `evidence` gives."""


def confidence(seen: FloatArray | None) -> float:
    """Probability that landmarks are no failure, from 0 to 1, by their `evidence`; 0 without any.

    Parameters
    ----------
    seen : array, shape (4,), optional
    """
    if seen is None:
        return 0.0
    weights, bias = _weights()
    return float(1 / (1 + np.exp(-np.clip(seen @ weights + bias, -30, 30))))


def evidence(
    network: LandmarkNetwork, gray: Image, points: FloatArray, pose: Pose
) -> FloatArray | None:
    """What the landmark network says of the box that landmarks ask for, shape (4,).

    Parameters
    ----------
    network : LandmarkNetwork
    gray : array of uint8, shape (height, width)
    points : array, shape (68, 2)
        Predicted landmarks in its pixels.
    pose : Pose
        Theirs.

    Returns
    -------
    array or None
        The network's score; the mean distance of its landmarks from `points`, and that of their
        means, both in widths of the box; the size of the yaw in degrees. None if the landmarks ask
        for no box.
    """
    if not np.isfinite(pose.roll):
        return None
    box = framed(points, pose.roll)
    if not is_usable(box):
        return None
    look = network.look(gray, Place(box, pose.roll))
    apart = (look.points - points) / box.width
    distance = float(np.hypot(*apart.T).mean())
    return np.array([look.score, distance, float(np.hypot(*apart.mean(axis=0))), abs(pose.yaw)])


@lru_cache(maxsize=1)
def _weights() -> tuple[FloatArray, float]:
    text = files("efld_dlib.data").joinpath(CONFIDENCE_FILE).read_text(encoding="utf-8")
    data = json.loads(text)
    return np.array([data["weights"][name] for name in EVIDENCE]), float(data["bias"])
