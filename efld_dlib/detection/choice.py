"""Detectors by the names that the command line has for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast, get_args

from ..errors import OptionError
from .detectors import Detector, FrontalDetector, Upsample
from .network_detector import Mode, NetworkDetector
from .others import CalibratedDetector, DlibCnnDetector, LbpDetector, YunetDetector, calibration

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
    min_score: float | None = None,
    min_face: float | str | None = None,
) -> Detector:
    """The detector of a name.

    Parameters
    ----------
    name : str
        One of `DETECTORS`. The boxes of ``lbp``, ``yunet`` and ``dlib-cnn`` are calibrated.
    upsample : int or "auto"
        How often ``dlib`` doubles the image.
    min_score : float, optional
        Lowest score that counts, of ``fast``, ``thorough`` (0 to 1) and ``dlib``.
    min_face : float or str, optional
        Smallest face of ``fast``, ``thorough`` and ``dlib``, as `MinFace.parse` takes it.

    Raises
    ------
    OptionError
        Unknown detector, unsupported option, or no calibration for its boxes.
    DataError
        A file of the detector is missing; a `ModelFormatError` if it is damaged.

    Examples
    --------
    >>> make_detector("dlib", upsample=1)
    FrontalDetector(upsample=1, threshold=0.0, min_face=None)
    """
    if name == "dlib":
        return FrontalDetector(upsample, 0.0 if min_score is None else min_score, min_face)
    if upsample != "auto":
        raise OptionError(f"only dlib takes an upsampling, not '{name}': use a smallest face")
    if name in OWN:
        return NetworkDetector(cast(Mode, name), min_score, min_face)
    kind, _, file = name.partition("=")
    given = {"a smallest face": min_face is not None, "a lowest score": min_score is not None}
    for option, is_given in given.items():
        if kind in _OTHERS and is_given:
            raise OptionError(f"{', '.join((*OWN, 'dlib'))} take {option}, not '{name}'")
    if kind in _OTHERS and bool(file) == (kind != "lbp"):
        return CalibratedDetector(_OTHERS[kind](file), calibration(kind))
    raise OptionError(f"unknown detector '{name}'; choose from {', '.join(DETECTORS)}")


def is_own(detector: Detector) -> bool:
    """Whether it is the toolkit's, whose networks saw pictures that are for research alone."""
    return isinstance(detector, NetworkDetector)
