"""Control points of the mean head: the 68 landmarks and what lies between and behind them.

Millimetres; the origin is the middle between the outer eye corners, x to the picture's right,
y down, z away from the viewer as in `efld_dlib.pose`. The tables are written by hand for one half
of the face, with the depth towards the viewer ("forward"), and are mirrored here. They are rough
proportions of an adult, measured from no data set.
"""

from __future__ import annotations

import numpy as np

from efld_dlib.boxes import FloatArray
from efld_dlib.landmarks import SCHEMES

# Landmark: x, y, forward. The picture's left half and the middle line, eyes open, mouth just shut.
_HALF_LANDMARKS: dict[int, tuple[float, float, float]] = {
    **{0: (-72, 3, -70), 1: (-71, 22, -67), 2: (-69, 42, -61), 3: (-65, 61, -52)},
    **{4: (-57.5, 79, -39), 5: (-46.5, 94, -23), 6: (-33, 106, -7), 7: (-17.5, 114, 5)},
    8: (0, 117, 9),
    **{17: (-58, -15, -8), 18: (-49, -23, 4), 19: (-38, -26.5, 12), 20: (-26, -25, 18)},
    21: (-14.5, -20.5, 21),
    **{27: (0, -3, 22), 28: (0, 9.5, 30), 29: (0, 22, 39), 30: (0, 34.5, 45)},
    **{31: (-14, 43, 20), 32: (-7.5, 45.5, 26), 33: (0, 47, 29)},
    **{36: (-45, 1, -2), 37: (-38.5, -4.5, 5), 38: (-28.5, -5, 7), 39: (-20, 2, 4)},
    **{40: (-28, 4.5, 6), 41: (-37.5, 4.5, 4)},
    **{48: (-26, 68.5, 12), 49: (-16, 63.5, 22), 50: (-6, 61, 27.5), 51: (0, 62.5, 28.5)},
    **{57: (0, 78.5, 25), 58: (-8, 77.8, 24), 59: (-17.5, 74.5, 18.5)},
    **{60: (-23, 68.6, 13.5), 61: (-9, 68, 24), 62: (0, 68.5, 25.5)},
    **{66: (0, 69.1, 25.2), 67: (-9, 68.7, 23.6)},
}

# Further points that give the surface its relief: x, y, forward, and how much of the lower jaw's
# turning each one shares.
_HALF_RELIEF: tuple[tuple[float, float, float, float], ...] = (
    # forehead, temples, glabella
    *((0, -75, 10, 0), (-38, -72, -3, 0), (0, -46, 22, 0), (-30, -48, 14, 0)),
    *((-56, -40, -13, 0), (-66, -18, -32, 0), (-71, -15, -65, 0), (0, -20, 23, 0)),
    # brow ridge, lid fold, inner and outer socket, under the eye
    *((-52, -13, 0, 0), (-36, -16, 13, 0), (-22, -14, 15, 0), (-33, -10, 7.5, 0)),
    *((-14, 3, 11, 0), (-52, 4, -8, 0), (-31, 13, 5.5, 0), (-45, 12, 1, 0)),
    # sides of the nose, its wings and tip
    *((-7, 0, 17, 0), (-8.5, 12, 22, 0), (-10, 24, 28, 0), (-16.5, 36.5, 24, 0)),
    *((-8, 35, 40, 0), (0, 42, 41, 0), (-19, 41, 15, 0), (-18, 24, 15, 0)),
    # cheeks and the fold from nose to mouth
    *((-34, 30, 12, 0), (-50, 20, 0, 0), (-60, 12, -17, 0), (-64, 30, -30, 0)),
    *((-52, 42, -6, 0.05), (-36, 50, 9, 0.05), (-23, 53, 15, 0), (-56, 58, -22, 0.25)),
    *((-38, 70, 2, 0.4), (-46, 80, -15, 0.6), (-30, 62, 10, 0.15)),
    # round the mouth, chin
    *((0, 54, 27, 0), (-14, 56, 21.5, 0), (-28, 78, 9, 0.75), (0, 88, 19, 1.0)),
    *((-13, 88, 15, 1.0), (0, 102, 20, 1.0), (-14, 103, 15, 1.0), (-27, 94, 8, 0.9)),
    # underside of the jaw, throat
    *((0, 113, -22, 0.6), (-32, 100, -38, 0.4), (-53, 76, -58, 0.2), (0, 104, -55, 0.2)),
    (-66, 40, -75, 0.1),
)

# How much of the lower jaw's turning the landmarks of the left half share.
_HALF_JAW_SHARE: dict[int, float] = {
    **{1: 0.02, 2: 0.06, 3: 0.15, 4: 0.4, 5: 0.7, 6: 0.9, 7: 1.0, 8: 1.0},
    **{48: 0.42, 57: 1.0, 58: 1.0, 59: 0.85, 60: 0.45, 66: 1.0, 67: 1.0, 61: 0, 62: 0, 50: 0},
}

HEAD_CENTRE = np.array([0.0, -5.0, 75.0])  # mm, in the middle of the skull
SKULL_RADII = np.array([77.0, 106.0, 97.0])  # mm
JAW_JOINT = np.array([0.0, 12.0, 62.0])  # mm, a point of the axis that the jaw turns about

MIRROR = np.array(SCHEMES["68"].mirror)


def mean_controls() -> FloatArray:
    """Control points of the mean head, shape (n, 3) in mm; the first 68 are the landmarks."""
    return np.concatenate([_landmarks(), _both_halves()[:, :3], _skull()])


def jaw_shares() -> FloatArray:
    """Share of the lower jaw's turning for each control point, shape (n,), 0 to 1."""
    shares = np.zeros(68)
    for index, share in _HALF_JAW_SHARE.items():
        shares[[index, MIRROR[index]]] = share
    return np.concatenate([shares, _both_halves()[:, 3], np.zeros(len(_skull()))])


def _landmarks() -> FloatArray:
    points = np.zeros((68, 3))
    for index, (x, y, forward) in _HALF_LANDMARKS.items():
        points[MIRROR[index]] = -x, y, -forward
        points[index] = x, y, -forward
    return points


def _both_halves() -> FloatArray:
    """The relief's points on both sides, shape (n, 4): x, y, z, jaw share."""
    rows = []
    for x, y, forward, share in _HALF_RELIEF:
        rows.append((x, y, -forward, share))
        if x:
            rows.append((-x, y, -forward, share))
    return np.array(rows, dtype=np.float64)


def _skull() -> FloatArray:
    """Points of an ellipsoid where no face is: top, back and the sides behind the ears."""
    rows = [(0.0, -90.0)]
    rows += [(azimuth, -60.0) for azimuth in range(-180, 180, 45)]
    rows += [(azimuth, -25.0) for azimuth in (-180, -145, -110, 110, 145)]
    rows += [(azimuth, 10.0) for azimuth in (-180, -145, -115, 115, 145)]
    rows += [(azimuth, 50.0) for azimuth in (-180, -140, -110, 110, 140)]
    return HEAD_CENTRE + SKULL_RADII * directions(*np.array(rows).T)


def directions(azimuth: FloatArray, elevation: FloatArray) -> FloatArray:
    """Unit vectors, shape (..., 3).

    Parameters
    ----------
    azimuth : array
        Degrees from the viewer's direction towards the picture's right.
    elevation : array
        Degrees downwards from the horizontal.
    """
    across, down = np.radians(azimuth), np.radians(elevation)
    return np.stack(
        [np.cos(down) * np.sin(across), np.sin(down), -np.cos(down) * np.cos(across)], axis=-1
    )


def angles(vectors: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Azimuth and elevation of vectors, shape (..., 3), in degrees: `directions` undone."""
    x, y, z = np.moveaxis(vectors, -1, 0)
    return np.degrees(np.arctan2(x, -z)), np.degrees(np.arctan2(y, np.hypot(x, z)))
