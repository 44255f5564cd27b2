"""Places around one at which landmarks went astray.

A hat, a beard or a shadow can hold a detection and the start at a part of a face. From a place
beside it the start finds the face.
"""

from __future__ import annotations

from itertools import product

import numpy as np

from ..images import Image
from .frame import square_box
from .pose_detector import own_verifier
from .scales import Scales
from .start import load_start, settled
from .verifier import Candidate

ASTRAY = 0.15
"""Confidence below which landmarks are looked for around the place of a detection, too."""

FOUND = 0.65
"""Confidence from which those take their place. Of 3,900 faces of 300-W and AFLW it is so for 3:
errors of 98 and 72 % of the eyes' distance became 4 and 47 %, and one of 3 % became 13 %."""

# Over the width of the box, factors of it, and degrees.
_SHIFTS = (-0.25, 0.0, 0.25)
_GROWTHS = (0.8, 1.0, 1.25)
_TURNS = (-15.0, 0.0, 15.0)

# How many of those places are kept, and how often the start looks from each.
_PLACES, _STARTS = 6, 3


def places_around(gray: Image, place: Candidate) -> list[Candidate]:
    """Where a face may be that is not quite at a place: the verifier's choice, the likeliest first.

    Parameters
    ----------
    gray : array of uint8, shape (height, width)
        The photograph.
    place : Candidate
    """
    scales, start = Scales(gray), load_start()
    box, roll = place
    x, y = box.center
    around = [
        Candidate(
            square_box(x + right * box.width, y + down * box.width, growth * box.width), roll + turn
        )
        for right, down, growth, turn in product(_SHIFTS, _SHIFTS, _GROWTHS, _TURNS)
    ]
    scores = own_verifier().look(scales, around)[:, 0]
    likeliest = np.argsort(-scores, kind="stable")[:_PLACES]
    return [settled(start, scales, around[number], _STARTS) for number in likeliest]
