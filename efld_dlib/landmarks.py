"""Landmark schemes: how many points each has, what they are, and the maps between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from .boxes import FloatArray
from .records import FaceAnnotation

# The five named points of the paper's Table 1.
LEFT_EYE_OUTER = 36
RIGHT_EYE_OUTER = 45
NOSE_TIP = 30
LEFT_MOUTH_CORNER = 48
RIGHT_MOUTH_CORNER = 54

FIVE_POINTS = (LEFT_EYE_OUTER, RIGHT_EYE_OUTER, NOSE_TIP, LEFT_MOUTH_CORNER, RIGHT_MOUTH_CORNER)

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

# AFLW's landmarks without the ears, ids 13 and 17, as Zhu et al. annotated them anew
# ("Unconstrained Face Alignment via Cascaded Compositional Learning", CVPR 2016).
AFLW_21_TO_19: dict[int, int] = {
    old: new for new, old in enumerate(index for index in range(21) if index not in (12, 16))
}
GROUPS_19: dict[str, tuple[int, ...]] = {
    part: tuple(AFLW_21_TO_19[index] for index in group)
    for part, group in GROUPS_21.items()
    if part != "ears"
}
_MIRROR_19 = tuple(AFLW_21_TO_19[_MIRROR_21[index]] for index in AFLW_21_TO_19)

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
    mirror : tuple of int
        For each landmark, the index of its mirror partner.
    groups : dict of str to tuple of int
        Parts of the face by name.
    """

    mirror: tuple[int, ...]
    groups: dict[str, tuple[int, ...]]

    @property
    def size(self) -> int:
        """Number of landmarks."""
        return len(self.mirror)


SCHEMES: dict[str, Scheme] = {
    "68": Scheme(_MIRROR_68, GROUPS_68),
    "21": Scheme(_MIRROR_21, GROUPS_21),
    "19": Scheme(_MIRROR_19, GROUPS_19),
    "98": Scheme(_MIRROR_98, GROUPS_98),
}
"""By what data sets and options call them."""


def mirror_points(points: FloatArray, width: float, scheme: str = "68") -> FloatArray:
    """Landmarks of a face in the mirror image of its picture.

    Parameters
    ----------
    points : array, shape (..., n, 2)
        Landmarks in pixels of a picture `width` pixels wide.
    width : float
        Width of the picture in pixels.
    scheme : str
        The points' scheme.

    Returns
    -------
    array, shape (..., n, 2)
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
    mirrored = points[..., list(SCHEMES[scheme].mirror), :]
    mirrored[..., 0] = width - 1 - mirrored[..., 0]
    return mirrored


def part_name(index: int) -> str:
    """Name of a landmark in dlib's XML, where parts are sorted as strings."""
    return f"{index:02d}"


# AFLW's 21 landmarks that 300-W has too: corners and middles of the brows, eye corners, wings and
# tip of the nose, mouth corners, chin. 300-W has no centre of an eye or of the mouth, and no ear.
# On the 16 faces of AFLW2000-3D at hand, which give both, the pairs lie a median of 2 to 4 % of
# the face's size apart, and each is the nearest that there is.
AFLW_21_TO_68: dict[int, int] = {
    **{0: 17, 1: 19, 2: 21, 3: 22, 4: 24, 5: 26},
    **{6: 36, 8: 39, 9: 42, 11: 45},
    **{13: 31, 14: 30, 15: 35},
    **{17: 48, 19: 54, 20: 8},
}

# The map in common use with WFLW (HRNet, AdaptiveWing and their users): every other point of the
# jaw, the upper edges of the brows, six of each eye's eight points, nose and mouth whole.
WFLW_98_TO_68: dict[int, int] = {
    **{2 * i: i for i in range(17)},
    **{33 + i: 17 + i for i in range(5)},
    **{42 + i: 22 + i for i in range(5)},
    **{51 + i: 27 + i for i in range(9)},
    **{60: 36, 61: 37, 63: 38, 64: 39, 65: 40, 67: 41},
    **{68: 42, 69: 43, 71: 44, 72: 45, 73: 46, 75: 47},
    **{76 + i: 48 + i for i in range(20)},
}

# What the two have in common: all of AFLW-19 but the centres of the eyes and of the mouth.
AFLW_19_TO_68: dict[int, int] = {
    AFLW_21_TO_19[old]: new for old, new in AFLW_21_TO_68.items() if old in AFLW_21_TO_19
}

MAPS: dict[tuple[str, str], Mapping[int, int]] = {
    ("21", "68"): AFLW_21_TO_68,
    ("21", "19"): AFLW_21_TO_19,
    ("19", "68"): AFLW_19_TO_68,
    ("98", "68"): WFLW_98_TO_68,
}
"""From (scheme, other scheme) to: index in the scheme -> index in the other."""


def convert_face(face: FaceAnnotation, scheme: str) -> FaceAnnotation:
    """The face with the landmarks of another scheme.

    Parameters
    ----------
    face : FaceAnnotation
        A face whose scheme has a map to `scheme` in `MAPS`, or is `scheme` itself.
    scheme : str
        A key of `SCHEMES`.

    Returns
    -------
    FaceAnnotation
        Landmarks that the face's own scheme lacks are NaN, and not marked as occluded.

    Raises
    ------
    ValueError
        There is no such map.

    Examples
    --------
    AFLW has the corners of the eyes, and nothing between them:

    >>> face = FaceAnnotation(np.arange(42.0).reshape(21, 2), scheme="21")
    >>> convert_face(face, "68").points[[36, 37, 39]].tolist()
    [[12.0, 13.0], [nan, nan], [16.0, 17.0]]
    """
    if scheme == face.scheme:
        return face
    if (face.scheme, scheme) not in MAPS:
        raise ValueError(f"no map from {face.scheme} to {scheme} landmarks")
    pairs = MAPS[face.scheme, scheme]
    old, new = list(pairs.keys()), list(pairs.values())
    points = np.full((SCHEMES[scheme].size, 2), np.nan)
    points[new] = face.points[old]
    occluded = None
    if face.occluded is not None:
        occluded = np.zeros(len(points), bool)
        occluded[new] = face.occluded[old]
    return replace(face, points=points, occluded=occluded, scheme=scheme)
