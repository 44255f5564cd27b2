"""The feature vector: named distances, ratios and angles, and those that a user asks for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from .boxes import FloatArray
from .errors import OptionError
from .geometry import (
    EYE_LINE,
    MOUTH_LINE,
    NOSE_MOUTH_LINE,
    Line,
    Values,
    as_faces,
    line,
    line_angle,
    line_ratio,
    lines_angle,
    mean_length,
)
from .scheme import GROUPS_68, LEFT_EYE_OUTER, NOSE_TIP, RIGHT_EYE_OUTER, SCHEMES

Kind = Literal["distance", "ratio", "angle", "angle_between"]

SIZE = SCHEMES["68"].size


@dataclass(frozen=True)
class Feature:
    """One entry of the feature vector.

    Parameters
    ----------
    name : str
        Name of its column.
    kind : {"distance", "ratio", "angle", "angle_between"}
        What is measured; a ratio divides the mean length of lines by the mean length of others.
    first : tuple of Line
        The line or lines to measure; for a ratio those above the line.
    second : tuple of Line
        For a ratio the lines below, for "angle_between" the other line, else empty.
    description : str
        What it says of the face, and its source.
    """

    name: str
    kind: Kind
    first: tuple[Line, ...]
    second: tuple[Line, ...] = ()
    description: str = ""

    @property
    def scale_invariant(self) -> bool:
        """Whether the size of the face in the picture leaves it as it is."""
        return self.kind != "distance"

    @property
    def rotation_invariant(self) -> bool:
        """Whether turning the picture leaves it as it is."""
        return self.kind != "angle"

    def measure(self, points: ArrayLike) -> Values:
        """Value for each face of `points` (..., 68, 2): pixels, a ratio or degrees."""
        faces = as_faces(points)
        if self.kind == "distance":
            return mean_length(faces, self.first)
        if self.kind == "ratio":
            return line_ratio(faces, self.first, self.second)
        if self.kind == "angle":
            return line_angle(faces, self.first[0])
        return lines_angle(faces, self.first[0], self.second[0])


def _ratio_to_eyes(name: str, measured: Line, description: str) -> Feature:
    return Feature(name, "ratio", (measured,), (EYE_LINE,), description)


def _opening(name: str, heights: Sequence[Line], width: Line, description: str) -> Feature:
    return Feature(name, "ratio", tuple(heights), (width,), description)


_LEFT_EYE, _RIGHT_EYE = GROUPS_68["left_eye"], GROUPS_68["right_eye"]
_LEFT_BROW, _RIGHT_BROW = GROUPS_68["left_brow"], GROUPS_68["right_brow"]
_FACE_HEIGHT = line(27, 8)
_BLINK = "eye aspect ratio of the {} eye, small when it is closed (Soukupova and Cech 2016)"

# The default feature vector. Only the first two depend on the size of the face in the picture.
FEATURES: tuple[Feature, ...] = (
    Feature("eye_distance", "distance", (EYE_LINE,), (), "eq. (3): outer eye corners, pixels"),
    Feature(
        "nose_mouth_distance", "distance", (NOSE_MOUTH_LINE,), (), "eq. (4): nose to mouth, pixels"
    ),
    Feature("eye_nose_mouth_ratio", "ratio", (EYE_LINE,), (NOSE_MOUTH_LINE,), "eq. (2): (3) / (4)"),
    _opening("left_eye_aspect", (line(37, 41), line(38, 40)), line(36, 39), _BLINK.format("left")),
    _opening(
        "right_eye_aspect", (line(43, 47), line(44, 46)), line(42, 45), _BLINK.format("right")
    ),
    _opening(
        "mouth_aspect",
        (line(61, 67), line(62, 66), line(63, 65)),
        line(60, 64),
        "opening of the inner lips over their width, 0 when the mouth is closed",
    ),
    _opening(
        "lip_aspect",
        (line(50, 58), line(51, 57), line(52, 56)),
        MOUTH_LINE,
        "height of the outer lips over the width of the mouth",
    ),
    _ratio_to_eyes("mouth_width", MOUTH_LINE, "mouth corners over eye distance: smile, pucker"),
    _ratio_to_eyes("left_brow_raise", line(_LEFT_BROW, _LEFT_EYE), "brow to eye over eye distance"),
    _ratio_to_eyes(
        "right_brow_raise", line(_RIGHT_BROW, _RIGHT_EYE), "brow to eye over eye distance"
    ),
    _ratio_to_eyes("brow_gap", line(21, 22), "inner brow ends over eye distance: frown"),
    _ratio_to_eyes("eye_gap", line(39, 42), "inner eye corners over eye distance"),
    _ratio_to_eyes("nose_length", line(27, 33), "nose root to nose base over eye distance"),
    _ratio_to_eyes("nose_width", line(31, 35), "nose wings over eye distance"),
    _opening("face_aspect", (line(0, 16),), _FACE_HEIGHT, "face width over nose root to chin"),
    _opening(
        "chin_height", (line(57, 8),), _FACE_HEIGHT, "lower lip to chin over nose root to chin"
    ),
    Feature(
        "nose_balance",
        "ratio",
        (line(LEFT_EYE_OUTER, NOSE_TIP),),
        (line(RIGHT_EYE_OUTER, NOSE_TIP),),
        "nose tip to the left over to the right outer eye corner: 1 in a frontal face",
    ),
    Feature("eye_line_angle", "angle", (EYE_LINE,), (), "direction of the eyes' line, degrees"),
    Feature("mouth_line_angle", "angle", (MOUTH_LINE,), (), "direction of the mouth, degrees"),
    Feature(
        "eye_mouth_angle",
        "angle_between",
        (EYE_LINE,),
        (MOUTH_LINE,),
        "between the lines of eyes and mouth, degrees",
    ),
)


def feature_names(features: Sequence[Feature] = FEATURES) -> tuple[str, ...]:
    """Names of the columns that `features` gives."""
    return tuple(feature.name for feature in features)


def features(points: ArrayLike, features: Sequence[Feature] = FEATURES) -> FloatArray:
    """Feature vector of one face or of many.

    Parameters
    ----------
    points : array, shape (..., 68, 2)
        Landmarks in pixels.
    features : sequence of Feature
        What to measure, F of them.

    Returns
    -------
    array of float64, shape (..., F)
        Pixels, ratios and degrees in the order of `features`; NaN where one cannot be said.

    Raises
    ------
    ValueError
        When `points` has another shape.

    Examples
    --------
    A face of which the five points of the paper's Table 1 are known, and three features of it:

    >>> points = np.full((68, 2), np.nan)
    >>> points[[36, 45, 30, 48, 54]] = [[30, 40], [90, 40], [60, 70], [45, 100], [75, 100]]
    >>> chosen = parse_features("eye_distance,eye_nose_mouth_ratio,30-48")
    >>> features(points, chosen).round(3).tolist()
    [60.0, 2.0, 33.541]
    """
    faces = as_faces(points)
    vector = np.empty((*faces.shape[:-2], len(features)))
    for index, feature in enumerate(features):
        vector[..., index] = feature.measure(faces)
    return vector


_PAIRS = re.compile(r"(angle:)?([0-9]{1,9})-([0-9]{1,9})(?:/([0-9]{1,9})-([0-9]{1,9}))?")
_ALLOWED = (
    "allowed are, separated by commas: 'default', a distance '36-45', a ratio '36-45/30-48', "
    "an angle 'angle:36-45' or 'angle:36-45/48-54', and the names "
)


def parse_features(text: str) -> tuple[Feature, ...]:
    """Features that a user asks for.

    Parameters
    ----------
    text : str
        Separated by commas: the name of a default feature, ``default`` for all of them, and pairs
        of landmarks: ``36-45`` is a distance in pixels (named ``d_36_45``), ``36-45/30-48`` a ratio
        (``r_36_45_30_48``), ``angle:36-45`` a direction (``a_36_45``) and ``angle:36-45/48-54``
        the angle between two (``a_36_45_48_54``).

    Returns
    -------
    tuple of Feature
        In the order given; one that is given twice is taken once.

    Raises
    ------
    OptionError
        When an item is none of these; the message quotes it and says what is allowed.

    Examples
    --------
    >>> feature_names(parse_features("mouth_aspect,36-45,36-45/30-48,angle:36-45/48-54"))
    ('mouth_aspect', 'd_36_45', 'r_36_45_30_48', 'a_36_45_48_54')
    """
    chosen: dict[Feature, None] = {}
    for item in text.split(","):
        chosen.update(dict.fromkeys(_parse_item(item.strip())))
    return tuple(chosen)


def _parse_item(item: str) -> tuple[Feature, ...]:
    if item == "default":
        return FEATURES
    named = tuple(feature for feature in FEATURES if feature.name == item)
    if named:
        return named
    match = _PAIRS.fullmatch(item)
    if match is None:
        raise OptionError(f"feature '{item}' is not known; {_ALLOWED}{', '.join(feature_names())}")
    indices = [int(number) for number in match.groups()[1:] if number is not None]
    pairs = list(zip(indices[::2], indices[1::2], strict=True))
    for i, j in pairs:
        if max(i, j) >= SIZE:
            raise OptionError(f"feature '{item}': landmarks go from 0 to {SIZE - 1}")
        if i == j:
            raise OptionError(f"feature '{item}': a pair needs two different landmarks")
    kind: Kind
    if match[1]:
        letter, kind = "a", "angle" if len(pairs) == 1 else "angle_between"
    else:
        letter, kind = ("d", "distance") if len(pairs) == 1 else ("r", "ratio")
    lines = tuple(line(i, j) for i, j in pairs)
    return (Feature("_".join([letter, *map(str, indices)]), kind, lines[:1], lines[1:]),)
