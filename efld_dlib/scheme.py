"""Landmark schemes: what the points are called, how they group, and what a mirror makes of them.

"Left" and "right" are sides of the *picture*, as in the paper's Table 1: landmark 36, the left
eye's outer corner, is the one further left in a picture of an upright face.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# The five named points of the paper's Table 1.
LEFT_EYE_OUTER = 36
RIGHT_EYE_OUTER = 45
NOSE_TIP = 30
LEFT_MOUTH_CORNER = 48
RIGHT_MOUTH_CORNER = 54

FIVE_POINTS: dict[str, int] = {
    "left_eye_outer": LEFT_EYE_OUTER,
    "right_eye_outer": RIGHT_EYE_OUTER,
    "nose_tip": NOSE_TIP,
    "left_mouth_corner": LEFT_MOUTH_CORNER,
    "right_mouth_corner": RIGHT_MOUTH_CORNER,
}

GROUPS_68: dict[str, tuple[int, ...]] = {
    "jaw": tuple(range(17)),
    "left_brow": tuple(range(17, 22)),
    "right_brow": tuple(range(22, 27)),
    "nose": tuple(range(27, 36)),
    "left_eye": tuple(range(36, 42)),
    "right_eye": tuple(range(42, 48)),
    "mouth": tuple(range(48, 68)),
}

# Index of the landmark that takes this one's place in the mirror image.
_MIRROR_68 = (
    *range(16, -1, -1),
    *range(26, 16, -1),
    *range(27, 31),
    *range(35, 30, -1),
    *(45, 44, 43, 42, 47, 46),
    *(39, 38, 37, 36, 41, 40),
    *range(54, 47, -1),
    *range(59, 54, -1),
    *range(64, 59, -1),
    *(67, 66, 65),
)

# AFLW's landmarks in the order of its feature ids 1 to 21 (Köstinger et al., 2011).
NAMES_21 = (
    *("LeftBrowLeftCorner", "LeftBrowCenter", "LeftBrowRightCorner"),
    *("RightBrowLeftCorner", "RightBrowCenter", "RightBrowRightCorner"),
    *("LeftEyeLeftCorner", "LeftEyeCenter", "LeftEyeRightCorner"),
    *("RightEyeLeftCorner", "RightEyeCenter", "RightEyeRightCorner"),
    *("LeftEar", "NoseLeft", "NoseCenter", "NoseRight", "RightEar"),
    *("MouthLeftCorner", "MouthCenter", "MouthRightCorner", "ChinCenter"),
)

GROUPS_21: dict[str, tuple[int, ...]] = {
    "left_brow": (0, 1, 2),
    "right_brow": (3, 4, 5),
    "left_eye": (6, 7, 8),
    "right_eye": (9, 10, 11),
    "ears": (12, 16),
    "nose": (13, 14, 15),
    "mouth": (17, 18, 19),
    "chin": (20,),
}
_MIRROR_21 = (5, 4, 3, 2, 1, 0, 11, 10, 9, 8, 7, 6, 16, 15, 14, 13, 12, 19, 18, 17, 20)

# AFLW's landmarks without the ears, as Zhu et al. (CVPR 2016) annotated them anew.
GROUPS_19: dict[str, tuple[int, ...]] = {
    "left_brow": (0, 1, 2),
    "right_brow": (3, 4, 5),
    "left_eye": (6, 7, 8),
    "right_eye": (9, 10, 11),
    "nose": (12, 13, 14),
    "mouth": (15, 16, 17),
    "chin": (18,),
}
_MIRROR_19 = (5, 4, 3, 2, 1, 0, 11, 10, 9, 8, 7, 6, 14, 13, 12, 17, 16, 15, 18)

# WFLW's landmarks (Wu et al., CVPR 2018); 96 and 97 are the pupils.
GROUPS_98: dict[str, tuple[int, ...]] = {
    "jaw": tuple(range(33)),
    "left_brow": tuple(range(33, 42)),
    "right_brow": tuple(range(42, 51)),
    "nose": tuple(range(51, 60)),
    "left_eye": (*range(60, 68), 96),
    "right_eye": (*range(68, 76), 97),
    "mouth": tuple(range(76, 96)),
}
_MIRROR_98 = (
    *range(32, -1, -1),
    *(46, 45, 44, 43, 42, 50, 49, 48, 47),
    *(37, 36, 35, 34, 33, 41, 40, 39, 38),
    *range(51, 55),
    *range(59, 54, -1),
    *(72, 71, 70, 69, 68, 75, 74, 73),
    *(64, 63, 62, 61, 60, 67, 66, 65),
    *range(82, 75, -1),
    *range(87, 82, -1),
    *range(92, 87, -1),
    *(95, 94, 93),
    *(97, 96),
)


@dataclass(frozen=True)
class Scheme:
    """A set of landmarks.

    Parameters
    ----------
    name : str
        What data sets and options call it.
    mirror : tuple of int
        For each landmark, the index of its mirror partner.
    groups : dict of str to tuple of int
        Parts of the face by name.
    """

    name: str
    mirror: tuple[int, ...]
    groups: dict[str, tuple[int, ...]]

    @property
    def size(self) -> int:
        """Number of landmarks."""
        return len(self.mirror)


SCHEMES: dict[str, Scheme] = {
    "68": Scheme("68", _MIRROR_68, GROUPS_68),
    "21": Scheme("21", _MIRROR_21, GROUPS_21),
    "19": Scheme("19", _MIRROR_19, GROUPS_19),
    "98": Scheme("98", _MIRROR_98, GROUPS_98),
}


def mirror_points(
    points: NDArray[np.float64], width: float, scheme: str = "68"
) -> NDArray[np.float64]:
    """Landmarks of a face in the mirror image of its picture.

    Parameters
    ----------
    points : array, shape (n, 2)
        Landmarks in pixels of a picture `width` pixels wide.
    width : float
        Width of the picture in pixels.
    scheme : str
        The points' scheme.

    Returns
    -------
    array, shape (n, 2)
        x becomes ``width - 1 - x``, and each landmark takes its partner's place; doing it twice
        gives the points back.

    Examples
    --------
    The left eye's outer corner becomes the right one's:

    >>> points = np.zeros((68, 2))
    >>> points[LEFT_EYE_OUTER] = 30, 40
    >>> mirror_points(points, width=100)[RIGHT_EYE_OUTER].tolist()
    [69.0, 40.0]
    """
    mirrored: NDArray[np.float64] = points[list(SCHEMES[scheme].mirror)].copy()
    mirrored[:, 0] = width - 1 - mirrored[:, 0]
    return mirrored


def part_name(index: int) -> str:
    """Name of a landmark in dlib's XML, where parts are sorted as strings."""
    return f"{index:02d}"
