"""Detectors by the names that the command line has for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast, get_args

from ..errors import OptionError
from .calibration import CalibratedDetector, calibration
from .detectors import Detector, FrontalDetector, Upsample
from .others import DlibCnnDetector, LbpDetector, YunetDetector
from .pose_detector import Mode, PoseDetector

OWN: tuple[str, ...] = get_args(Mode)
DETECTORS = (*OWN, "dlib", "lbp", "yunet=FILE.onnx", "dlib-cnn=FILE.dat")

_OTHERS: dict[str, Callable[[str], Detector]] = {
    "lbp": lambda _: LbpDetector(),
    "yunet": YunetDetector,
    "dlib-cnn": DlibCnnDetector,
}


def make_detector(
    name: str,
    upsample: Upsample = "auto",
    min_score: float = 0.0,
    folder: Path | None = None,
    min_face: float | str | None = None,
    views: Sequence[str] | None = None,
) -> Detector:
    """The detector of a name.

    Parameters
    ----------
    name : str
        One of `DETECTORS`. The boxes of ``lbp``, ``yunet`` and ``dlib-cnn`` are calibrated.
    upsample : int or "auto"
        Of ``fast``, ``thorough`` and ``dlib``.
    min_score : float
        Lowest score that counts, of ``fast``, ``thorough`` and ``dlib``.
    folder : path, optional
        Files of ``fast`` and ``thorough``.
    min_face : float or str, optional
        Smallest face of ``fast``, ``thorough`` and ``dlib``, as `smallest.MinFace.parse` takes it.
    views : sequence of str, optional
        Sub-detectors of ``fast`` and ``thorough``.

    Raises
    ------
    OptionError
        There is no such detector, it has not this option, or there is no calibration of its boxes.
    DataError
        A file of the detector is missing; a `ModelFormatError` where it is damaged.

    Examples
    --------
    >>> make_detector("dlib", upsample=1)
    FrontalDetector(upsample=1, threshold=0.0, min_face=None)
    """
    if views is not None and name not in OWN:
        raise OptionError(f"only {' and '.join(OWN)} have views, not '{name}'")
    if name in OWN:
        return PoseDetector(cast(Mode, name), min_score, upsample, folder, min_face, views)
    if name == "dlib":
        return FrontalDetector(upsample, min_score, min_face)
    kind, _, file = name.partition("=")
    given = {
        "a smallest face": min_face is not None,
        "an upsampling": upsample != "auto",
        "a lowest score": min_score != 0,
    }
    for option, is_given in given.items():
        if kind in _OTHERS and is_given:
            raise OptionError(f"{', '.join((*OWN, 'dlib'))} take {option}, not '{name}'")
    if kind in _OTHERS and bool(file) == (kind != "lbp"):
        return CalibratedDetector(_OTHERS[kind](file), calibration(kind))
    raise OptionError(f"'{name}' is no detector; there are {', '.join(DETECTORS)}")
