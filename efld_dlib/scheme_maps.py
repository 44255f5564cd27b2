"""Which landmarks of one scheme are the same places of the face in another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from .records import FaceAnnotation
from .scheme import SCHEMES

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

# Zhu et al., "Unconstrained Face Alignment via Cascaded Compositional Learning", CVPR 2016: all
# but the ears, ids 13 and 17.
AFLW_21_TO_19: dict[int, int] = {
    old: new for new, old in enumerate(index for index in range(21) if index not in (12, 16))
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

# FaceSynthetics (Wood et al., ICCV 2021): 300-W's 68 landmarks, then the two pupils.
SYNTHETICS_70_TO_68: dict[int, int] = {i: i for i in range(68)}

# What the two have in common: all of AFLW-19 but the centres of the eyes and of the mouth.
AFLW_19_TO_68: dict[int, int] = {
    AFLW_21_TO_19[old]: new for old, new in AFLW_21_TO_68.items() if old in AFLW_21_TO_19
}

MAPS: dict[tuple[str, str], Mapping[int, int]] = {
    ("21", "68"): AFLW_21_TO_68,
    ("21", "19"): AFLW_21_TO_19,
    ("19", "68"): AFLW_19_TO_68,
    ("98", "68"): WFLW_98_TO_68,
    ("70", "68"): SYNTHETICS_70_TO_68,
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
