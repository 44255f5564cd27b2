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
from .landmark_network import BOX, LandmarkNetwork, Look

CONFIDENCE_FILE = "confidence.json"

FAILURE = 0.08
"""NME by the distance of the outer eye corners above which landmarks count as a failure."""

EVIDENCE = ("score", "apart", "moved", "yaw")
"""What `evidence` gives."""


def confidence(look: Look | None, points: FloatArray, pose: Pose) -> float:
    """Probability that landmarks are no failure, from 0 to 1; 0 if they ask for no box.

    Parameters
    ----------
    look : Look, optional
        What `look_again` gives.
    points : array, shape (68, 2)
        Predicted landmarks in pixels of the image.
    pose : Pose
        Theirs.
    """
    if look is None:
        return 0.0
    weights, bias = _weights()
    seen = evidence(look, points, pose)
    return float(1 / (1 + np.exp(-np.clip(seen @ weights + bias, -30, 30))))


def look_again(
    network: LandmarkNetwork, gray: Image, points: FloatArray, pose: Pose
) -> Look | None:
    """What the landmark network says of the box that landmarks ask for; None if they ask for none.

    Parameters
    ----------
    network : LandmarkNetwork
    gray : array of uint8, shape (height, width)
    points : array, shape (68, 2)
        Predicted landmarks in its pixels.
    pose : Pose
        Theirs.
    """
    if not np.isfinite(pose.roll):
        return None
    box = framed(points, pose.roll)
    if not is_usable(box):
        return None
    return network.look(gray, Place(box, pose.roll))


def evidence(look: Look, points: FloatArray, pose: Pose) -> FloatArray:
    """What speaks for landmarks, shape (4,), in the order of `EVIDENCE`.

    The network's score; the mean distance of its landmarks from `points`, and that of their means,
    both in widths of the box; the size of the yaw in degrees.
    """
    apart = (look.crop.from_photograph(look.points) - look.crop.from_photograph(points)) / BOX
    distance = float(np.hypot(*apart.T).mean())
    return np.array([look.score, distance, float(np.hypot(*apart.mean(axis=0))), abs(pose.yaw)])


@lru_cache(maxsize=1)
def _weights() -> tuple[FloatArray, float]:
    text = files("efld_dlib.data").joinpath(CONFIDENCE_FILE).read_text(encoding="utf-8")
    data = json.loads(text)
    return np.array([data["weights"][name] for name in EVIDENCE]), float(data["bias"])
