"""How likely it is that landmarks are no failure: dlib's predictors themselves say nothing of it.

The detector's verifier looks once more at the box that the landmarks ask for. Where they are right,
it sees a face there, and sees it framed as it should be; where they went astray, it wants the box
elsewhere. How much of each makes which confidence was fitted on held-out faces
(`tools/fit_confidence.py`).
"""

from __future__ import annotations

import json
from functools import lru_cache
from importlib.resources import files

import numpy as np

from ..annotation import FloatArray, Pose
from ..images import Image
from .pose_detector import own_verifier
from .prediction import framed, is_usable
from .verifier import Candidate

CONFIDENCE_FILE = "confidence.json"

FAILURE = 0.08
"""NME by the distance of the outer eye corners above which landmarks count as a failure."""

EVIDENCE = ("score", "shift", "growth", "turn", "yaw")
"""What `evidence` gives."""


def confidence(gray: Image, points: FloatArray, pose: Pose) -> float:
    """Probability that landmarks are no failure, from 0 to 1.

    Parameters
    ----------
    gray : array of uint8, shape (height, width)
        The photograph.
    points : array, shape (68, 2)
        Predicted landmarks, in its pixels.
    pose : Pose
        Theirs.

    Returns
    -------
    float
        0 where the landmarks make up no face at all.
    """
    seen = evidence(gray, points, pose)
    if seen is None:
        return 0.0
    weights, bias = _weights()
    return float(1 / (1 + np.exp(-np.clip(seen @ weights + bias, -30, 30))))


def evidence(gray: Image, points: FloatArray, pose: Pose) -> FloatArray | None:
    """What the verifier says of the box that landmarks ask for, shape (5,).

    Its score; how far and by what factor it would move the box, and by how many degrees it would
    turn it, without their signs; and the size of the yaw in degrees. None where the landmarks ask
    for no box.
    """
    if not np.isfinite(pose.roll):
        return None
    box = framed(points, pose.roll)
    if not is_usable(box):
        return None
    output = own_verifier().look(gray, [Candidate(box, pose.roll)])[0].astype(np.float64)
    score, x, y, growth, turn = output[:5]
    return np.array([score, np.hypot(x, y), abs(growth), abs(turn), abs(pose.yaw)])


@lru_cache(maxsize=1)
def _weights() -> tuple[FloatArray, float]:
    text = files("efld_dlib.data").joinpath(CONFIDENCE_FILE).read_text(encoding="utf-8")
    data = json.loads(text)
    return np.array([data["weights"][name] for name in EVIDENCE]), float(data["bias"])
