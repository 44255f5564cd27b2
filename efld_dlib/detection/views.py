"""The views of a face that the sub-detectors are made for."""

from __future__ import annotations

from typing import NamedTuple


class View(NamedTuple):
    """A range of yaw.

    Parameters
    ----------
    name : str
        Also the name of the sub-detector's file.
    least, most : float
        Degrees, with the signs of `efld_dlib.pose`.
    """

    name: str
    least: float
    most: float


VIEWS = (
    View("front", -25.0, 25.0),
    View("half-left", -55.0, -25.0),
    View("half-right", 25.0, 55.0),
    View("profile-left", -90.0, -55.0),
    View("profile-right", 55.0, 90.0),
)

MAX_ROLL = 20.0
"""Degrees either way by which a face may be turned in the picture for every sub-detector."""
