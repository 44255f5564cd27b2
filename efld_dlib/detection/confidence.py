"""How likely it is that landmarks are right: dlib's predictors themselves say nothing of it.

Where they are right, the landmark network sees a face at the place at which they were looked for,
and its own rough landmarks lie near them. How much of each makes which confidence was fitted on
held-out faces (`tools/fit_confidence.py`).
"""

from __future__ import annotations

import json
from functools import lru_cache
from importlib.resources import files

import numpy as np

from ..boxes import FloatArray, Pose
from .landmark_network import BOX, Look

CONFIDENCE_FILE = "confidence.json"

FAILURE = 0.08
"""NME by the distance of the outer eye corners above which landmarks count as a failure."""

EVIDENCE = ("score", "apart", "yaw")
"""What `evidence` gives."""


def confidence(look: Look, points: FloatArray, pose: Pose) -> float:
    """Probability that landmarks are no failure, from 0 to 1; 0 if they have no pose.

    Parameters
    ----------
    look : Look
        At the place at which the landmarks were looked for.
    points : array, shape (68, 2)
        Predicted landmarks in pixels of the image.
    pose : Pose
        Theirs.
    """
    if not np.isfinite(pose).all():
        return 0.0
    weights, bias = _weights()
    seen = evidence(look, points, pose)
    return float(1 / (1 + np.exp(-np.clip(seen @ weights + bias, -30, 30))))


def evidence(look: Look, points: FloatArray, pose: Pose) -> FloatArray:
    """What speaks for landmarks, shape (3,), in the order of `EVIDENCE`.

    The network's score; the mean distance of its landmarks from `points`, in widths of the box that
    it looked at; the size of the yaw in degrees.
    """
    apart = (look.crop.from_photograph(look.points) - look.crop.from_photograph(points)) / BOX
    distance = float(np.hypot(*apart.T).mean())
    return np.array([look.score, distance, abs(pose.yaw)])


@lru_cache(maxsize=1)
def _weights() -> tuple[FloatArray, float]:
    text = files("efld_dlib.data").joinpath(CONFIDENCE_FILE).read_text(encoding="utf-8")
    data = json.loads(text)
    return np.array([data["weights"][name] for name in EVIDENCE]), float(data["bias"])
