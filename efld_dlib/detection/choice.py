"""Detectors by the names that the command line has for them."""

from __future__ import annotations

from pathlib import Path

from ..errors import OptionError
from .detectors import Detector, FrontalDetector, Upsample
from .pose_detector import PoseDetector

OWN = ("fast", "thorough")
DETECTORS = (*OWN, "dlib")


def make_detector(
    name: str,
    upsample: Upsample = "auto",
    min_score: float = 0.0,
    folder: Path | None = None,
) -> Detector:
    """The detector of a name.

    Parameters
    ----------
    name : str
        One of `DETECTORS`.
    upsample : int or "auto"
    min_score : float
        Lowest score that counts.
    folder : path, optional
        Files of ``fast`` and ``thorough``.

    Raises
    ------
    OptionError
        There is no such detector.
    """
    if name == "fast":
        return PoseDetector("fast", min_score, upsample, folder)
    if name == "thorough":
        return PoseDetector("thorough", min_score, upsample, folder)
    if name == "dlib":
        return FrontalDetector(upsample, min_score)
    raise OptionError(f"'{name}' is no detector; there are {', '.join(DETECTORS)}")
