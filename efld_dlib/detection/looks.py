"""What our detector looks for in a picture, one search after the other."""

from __future__ import annotations

from dataclasses import dataclass

from .smallest import SMALLEST_FACE

BORDER = 0.3
"""Border that a look adds on each side, as a fraction of the picture's shorter side."""

UPRIGHT = 30.0
"""Degrees of roll up to which a face counts as upright."""


@dataclass(frozen=True)
class Look:
    """One search of a picture.

    Parameters
    ----------
    upsample : float
        The smallest face is `SMALLEST_FACE` over 2 to this power.
    threshold : float
        Lowest score of a window that the verifier is shown.
    turns : tuple of float
        Rolls in degrees of the faces that are looked for; the sub-detectors see `views.MAX_ROLL`
        either way of each.
    limit : int
        How many windows of each turn the verifier is shown at first. While it takes some of them
        for faces, it is shown further ones.
    persistent : bool
        Show it further ones also while it has found nothing.
    doubt : float
        Taken off the score. The more places a look tries, the surer it must be of each;
        chosen so that at a score of 0 false alarms are about as many as of dlib's detector.
    turned_doubt : float
        Taken off the score of a face that is turned by more than `UPRIGHT` degrees: such are rare.
    border : bool
        Look at the picture with `BORDER` around it, for large faces that its edge cuts: such as are
        at least as wide as that border.
    united : bool
        Use the sub-detectors as `windows.load_united` gives them: faster, and with fewer places.
    """

    upsample: float
    threshold: float
    turns: tuple[float, ...] = (0.0,)
    limit: int = 12
    doubt: float = 0.75
    turned_doubt: float = 0.0
    border: bool = False
    united: bool = False
    persistent: bool = False

    def doubt_of(self, roll: float) -> float:
        """What is taken off the score of a face of that roll."""
        return self.doubt + (self.turned_doubt if abs(roll) > UPRIGHT else 0.0)

    def smallest(self, picture: tuple[int, ...]) -> float:
        """Width in pixels of the smallest face in a picture of that shape."""
        width = SMALLEST_FACE / 2**self.upsample
        return max(width, BORDER * min(picture)) if self.border else width


FIRST_LOOK = Look(0.0, -0.9, persistent=True)
CUT_FACES = Look(0.0, -0.9, border=True)
FURTHER_LOOKS = (
    CUT_FACES,
    Look(1.0, -0.9, (0.0,), 30, 1.4),
    Look(0.5, -0.9, (-40.0, 40.0), 20, 1.1),
)
"""In a picture in which nothing was found so far."""

ALL_TURNS = tuple(float(turn) for turn in range(-180, 180, 30))
THOROUGH_LOOKS = (
    Look(0.0, -0.9, ALL_TURNS, 12, 1.3, 1.9),
    CUT_FACES,
    Look(1.0, -0.9, ALL_TURNS, 20, 1.4, 1.9),
)

WINDOW_ROOM = 1.2
"""A window finds faces a little smaller than itself: so many times the smallest face that is
wanted may be the smallest window."""

MOST_WINDOWS = 60
"""Of each turn the verifier is shown no more, in a crowd or where it finds nothing."""
