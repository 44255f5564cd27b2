"""How likely it is that landmarks are right: dlib's predictors themselves say nothing of it.

Where they are right, the landmark network sees a face at the place at which they were looked for,
and its own rough landmarks lie near them. How much of each makes which confidence was fitted on
held-out faces (`tools/fit_confidence.py`).
"""

from __future__ import annotations

import json
from functools import lru_cache
from importlib.resources import files
from typing import NamedTuple

import numpy as np

from ..boxes import FloatArray, Pose
from ..images import Image
from .framing import default_box_map
from .network import BOX, OWN_NETWORKS, Look

CONFIDENCE_FILE = "confidence.json"

EVIDENCE = ("score", "apart", "yaw")
"""What `evidence` gives."""


def confidence(look: Look, points: FloatArray, pose: Pose) -> float:
    """Probability that landmarks are no failure, from 0 to 1; 0 if they have no pose.

    A failure has an NME above 8 % of the distance of the outer eye corners.

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
    return float(_probability(seen @ weights + bias))


def _probability(logit: FloatArray) -> FloatArray:
    probability: FloatArray = 1 / (1 + np.exp(-np.clip(logit, -30, 30)))
    return probability


def evidence(look: Look, points: FloatArray, pose: Pose) -> FloatArray:
    """What speaks for landmarks, shape (3,), in the order of `EVIDENCE`.

    The network's score; the mean distance of its landmarks from `points`, in widths of the box that
    it looked at; the size of the yaw in degrees.
    """
    return np.array([look.score, _distances(look, points).mean(), abs(pose.yaw)])


def _distances(look: Look, points: FloatArray) -> FloatArray:
    """Of each landmark from the network's, shape (68,), in widths of the box that it looked at."""
    apart = look.crop.from_photograph(look.points) - look.crop.from_photograph(points)
    distances: FloatArray = np.hypot(*apart.T) / BOX
    return distances


@lru_cache(maxsize=1)
def _weights() -> tuple[FloatArray, float]:
    text = files("efld_dlib.data").joinpath(CONFIDENCE_FILE).read_text(encoding="utf-8")
    data = json.loads(text)
    return np.array([data["weights"][name] for name in EVIDENCE]), float(data["bias"])


POINT_CONFIDENCE_FILE = "experts.npz"

REACH = 5
"""Pixels of the network's crop that an expert sees on each side of its landmark."""

PARTS = (slice(0, 17), slice(17, 27), slice(27, 36), slice(36, 48), slice(48, 68))
"""Jaw, brows, nose, eyes and mouth."""

# Neighbours are weighed by their distance in the mean face, in units of its RMS radius.
_NEAR, _FAR, _NEAR_DISTANCES = 0.3, 0.8, 0.4
# Added to a patch's deviation, so that noise is not drawn out of an even one; and to distances
# before their logarithm is taken, in widths of the box.
_LEAST_DEVIATION, _LEAST_DISTANCE = 4.0, 0.003
_YAW_UNIT = 30.0

_ROWS, _COLUMNS = (each.ravel() for each in np.mgrid[-REACH : REACH + 1, -REACH : REACH + 1])


class Experts(NamedTuple):
    """What `tools/fit_point_confidence.py` fits.

    Parameters
    ----------
    patches : array, shape (68, pixels of a patch + 1)
        Weights of what `patches` gives.
    offsets : array, shape (68,)
    weights : array, shape (5, 8)
        For each of `PARTS`, of what `point_evidence` gives; the last one stands alone.
    """

    patches: FloatArray
    offsets: FloatArray
    weights: FloatArray


def point_confidence(look: Look, points: FloatArray, pose: Pose) -> FloatArray:
    """Probability that each landmark is visible and at most 4 % of its face's box width off.

    Parameters
    ----------
    look : Look
        At the place at which the landmarks were looked for.
    points : array, shape (68, 2)
        Predicted landmarks in pixels of the image.
    pose : Pose
        Theirs; without one nothing is sure.

    Returns
    -------
    array, shape (68,)
        From 0 to 1.
    """
    if not np.isfinite(pose).all():
        return np.zeros(len(points))
    known = _experts()
    seen = point_evidence(look, points, pose, known)
    logits = np.empty(len(points))
    for part, weights in zip(PARTS, known.weights, strict=True):
        logits[part] = seen[part] @ weights[:-1] + weights[-1]
    return _probability(logits)


def point_evidence(look: Look, points: FloatArray, pose: Pose, known: Experts) -> FloatArray:
    """What speaks for each landmark, shape (68, 7).

    Its expert's opinion, the near and the far neighbours' experts', the logarithm of the distance
    to the network's landmark, the neighbours' such logarithms, the network's score, and the size of
    the yaw.
    """
    expert = (patches(look.crop.image, look.crop.from_photograph(points)) * known.patches).sum(1)
    expert += known.offsets
    distances = np.log(_distances(look, points) + _LEAST_DISTANCE)
    near, far, near_distances = _neighbours()
    rest = np.tile([look.score, abs(pose.yaw) / _YAW_UNIT], (len(points), 1))
    return np.column_stack(
        [expert, near @ expert, far @ expert, distances, near_distances @ distances, rest]
    )


def patches(crop: Image, places: FloatArray) -> FloatArray:
    """The normalised patch about each place of a crop, and the logarithm of its deviation."""
    height, width = crop.shape
    border = REACH + 2
    padded = np.pad(crop, border, mode="edge")
    columns, rows = np.rint(places).astype(np.intp).T
    columns = np.clip(columns, -2, width + 1) + border
    rows = np.clip(rows, -2, height + 1) + border
    values = padded[rows[:, None] + _ROWS, columns[:, None] + _COLUMNS].astype(np.float64)
    values -= values.mean(axis=1, keepdims=True)
    deviation = np.sqrt((values**2).mean(axis=1, keepdims=True))
    return np.hstack([values / (deviation + _LEAST_DEVIATION), np.log(deviation + 1)])


@lru_cache(maxsize=1)
def _experts() -> Experts:
    with np.load(OWN_NETWORKS / POINT_CONFIDENCE_FILE, allow_pickle=False) as file:
        whole = file["patches"].astype(np.float64) * file["steps"][:, None]
        return Experts(whole, file["offsets"].astype(np.float64), file["weights"].astype(float))


@lru_cache(maxsize=1)
def _neighbours() -> FloatArray:
    """Weights of the other landmarks for each: near, far, and for distances, shape (3, 68, 68)."""
    mean = default_box_map().mean_shape
    apart = np.linalg.norm(mean[:, None] - mean, axis=2)
    widths = np.array([_NEAR, _FAR, _NEAR_DISTANCES])[:, None, None]
    weights: FloatArray = np.exp(-((apart / widths) ** 2) / 2) * (1 - np.eye(len(mean)))
    weights /= weights.sum(axis=2, keepdims=True)
    return weights
