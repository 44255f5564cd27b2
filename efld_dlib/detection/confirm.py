"""The second step of the detector: the verifier looks at the places that the windows propose."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .detectors import Detection
from .scales import Scales
from .suppression import same_face
from .verifier import YAW_UNIT, Candidate, Verifier, moved, wrapped

SURE = 5.0
"""Score from which the verifier needs no second look at a place."""

KNOWN = 8.0
"""Score from which further places on the same face are not looked at."""


def confirm(
    verifier: Verifier, scales: Scales, candidates: Sequence[Candidate], least: float
) -> list[Detection]:
    """What the verifier says of the candidates, each moved to where it sees the face.

    Windows of several sizes and views respond to one face. The first of them is looked at, and the
    others only where the verifier does not take it for a face.

    Parameters
    ----------
    verifier : Verifier
    scales : Scales
        The picture.
    candidates : sequence of Candidate
        The most promising first.
    least : float
        A candidate of which the verifier says no more than this is dropped.
    """
    leaders: list[Candidate] = []
    others: list[Candidate] = []
    for candidate in candidates:
        known = any(same_face(candidate.box, leader.box) for leader in leaders)
        (others if known else leaders).append(candidate)
    found = _look_twice(verifier, scales, leaders, least)
    known_faces = [each.box for each in found if each.score > KNOWN]
    rest = [each for each in others if not any(same_face(each.box, box) for box in known_faces)]
    return found + _look_twice(verifier, scales, rest, least)


def _look_twice(
    verifier: Verifier, scales: Scales, candidates: Sequence[Candidate], least: float
) -> list[Detection]:
    """Look at the candidates, and again at where a face seems to be of which it is not sure yet."""
    found: list[Detection] = []
    likely: list[Candidate] = []
    for candidate, output in zip(candidates, verifier.look(scales, candidates), strict=True):
        if output[0] > SURE:
            found.append(_seen(candidate, output))
        elif output[0] > least:
            likely.append(moved(candidate, output))
    for candidate, output in zip(likely, verifier.look(scales, likely), strict=True):
        if output[0] > least:
            found.append(_seen(candidate, output))
    return found


def _seen(candidate: Candidate, output: NDArray[np.floating]) -> Detection:
    box, roll = moved(candidate, output)
    return Detection(box, float(output[0]), wrapped(roll), seen_yaw(output))


def seen_yaw(output: NDArray[np.floating]) -> float:
    """The yaw in degrees that the verifier's output tells."""
    return float(np.clip(output[5] * YAW_UNIT, -90, 90))
