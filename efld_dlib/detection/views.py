"""The views of a face that the sub-detectors are made for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..errors import OptionError


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


def choose_views(names: Sequence[str] | None) -> tuple[int, ...]:
    """Places in `VIEWS` of the views of those names; of all for None.

    Raises
    ------
    OptionError
        There is no such view, or none is named.

    Examples
    --------
    >>> choose_views(["profile-left", "front"])
    (0, 3)
    """
    known = [view.name for view in VIEWS]
    if names is None:
        return tuple(range(len(VIEWS)))
    for name in names:
        if name not in known:
            raise OptionError(f"'{name}' is no view of a face; there are {', '.join(known)}")
    if not names:
        raise OptionError(f"at least one view is needed of {', '.join(known)}")
    return tuple(place for place, name in enumerate(known) if name in names)


def split_views(text: str | None) -> list[str] | None:
    """Names of sub-detectors out of a text with commas; None stays None.

    Examples
    --------
    >>> split_views("front, half-left")
    ['front', 'half-left']
    """
    return None if text is None else [name.strip() for name in text.split(",")]
