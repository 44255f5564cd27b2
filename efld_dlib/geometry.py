"""Distances, ratios and angles of landmarks, and the feature vector that is made of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import chain
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from .boxes import FloatArray
from .errors import OptionError
from .landmarks import (
    FACE_68,
    GROUPS_68,
    LEFT_EYE_OUTER,
    LEFT_MOUTH_CORNER,
    NOSE_TIP,
    RIGHT_EYE_OUTER,
    RIGHT_MOUTH_CORNER,
    Line,
    Scheme,
    correspondence,
)

# One face gives a scalar, several give an array; typed as Any because both compute alike.
Values: TypeAlias = Any

Kind = Literal["distance", "ratio", "angle", "angle_between"]


def line(start: int | tuple[int, ...], end: int | tuple[int, ...]) -> Line:
    """Line between two landmarks, or between the means of several."""
    return (
        start if isinstance(start, tuple) else (start,),
        end if isinstance(end, tuple) else (end,),
    )


EYE_LINE = line(LEFT_EYE_OUTER, RIGHT_EYE_OUTER)
MOUTH_LINE = line(LEFT_MOUTH_CORNER, RIGHT_MOUTH_CORNER)
NOSE_MOUTH_LINE = line(NOSE_TIP, (LEFT_MOUTH_CORNER, RIGHT_MOUTH_CORNER))


def as_faces(points: ArrayLike, lines: Iterable[Line] = ()) -> FloatArray:
    """`points` as float64, after making sure that they have the shape (..., n, 2), and an n for
    which there are all landmarks of `lines`.
    """
    faces = np.asarray(points, dtype=np.float64)
    last = max(chain.from_iterable(chain.from_iterable(lines)), default=0)
    if faces.ndim < 2 or faces.shape[-1] != 2 or faces.shape[-2] <= last:
        least = f"n of {last + 1} or more" if last else "any n"
        raise ValueError(f"points must have shape (..., n, 2), {least}, not {faces.shape}")
    return faces


def _end(faces: FloatArray, group: tuple[int, ...]) -> Values:
    if len(group) == 1:
        return faces[..., group[0], :]
    return faces[..., list(group), :].mean(axis=-2)


@np.errstate(all="ignore")
def _vector(faces: FloatArray, along: Line) -> FloatArray:
    """From a line's start to its end, shape (..., 2)."""
    start, end = (_end(faces, group) for group in along)
    # Adding zero makes -0 to 0, which keeps angles off -180.
    return np.asarray(end - start + 0.0)


def _mean_length(faces: FloatArray, lines: Sequence[Line]) -> Values:
    """Mean length in pixels of some lines of each face, shape (...)."""
    vectors = [_vector(faces, along) for along in lines]
    lengths = [np.hypot(vector[..., 0], vector[..., 1]) for vector in vectors]
    return sum(lengths[1:], lengths[0]) / len(lengths)


@np.errstate(all="ignore")
def measured(
    points: ArrayLike, kind: Kind, first: Sequence[Line], second: Sequence[Line] = ()
) -> Values:
    """What a `Feature` of these values measures, shape (...): pixels, a ratio or degrees."""
    faces = as_faces(points, (*first, *second))
    if kind == "distance":
        return _mean_length(faces, first)
    if kind == "ratio":
        divisor = _mean_length(faces, second)
        return _mean_length(faces, first) / np.where(divisor > 0, divisor, np.nan)[()]
    along = _vector(faces, first[0])
    x, y = along[..., 0], along[..., 1]
    if kind == "angle_between":
        other = _vector(faces, second[0])
        # How far the other line goes along the first one, and beside it.
        x, y = x * other[..., 0] + y * other[..., 1], abs(x * other[..., 1] - y * other[..., 0])
    return np.where((x == 0) & (y == 0), np.nan, np.degrees(np.arctan2(y, x)))[()]


def distance(points: ArrayLike, i: int, j: int) -> Values:
    """Distance d_ij of two landmarks in pixels: the paper's eq. (1).

    Parameters
    ----------
    points : array, shape (..., n, 2)
        Landmarks in pixels.
    i, j : int
        Landmarks, counted from 0.

    Returns
    -------
    float64 or array, shape (...)

    Raises
    ------
    ValueError
        When `points` has another shape; so do all functions here that take points.

    Examples
    --------
    >>> points = np.full((68, 2), np.nan)
    >>> points[36], points[45] = (10, 20), (40, 60)
    >>> float(distance(points, 36, 45))
    50.0
    >>> faces = np.stack([points, 2 * points])
    >>> distance(faces, 36, 45).tolist()
    [50.0, 100.0]
    """
    return measured(points, "distance", [line(i, j)])


def ratio(points: ArrayLike, i: int, j: int, k: int, l: int) -> Values:  # noqa: E741
    """Ratio r_ij,kl = d_ij / d_kl: the general form in the paper's section 3.4.

    Parameters
    ----------
    points : array, shape (..., n, 2)
        Landmarks in pixels.
    i, j, k, l : int
        Landmarks, counted from 0, named as in the paper.

    Returns
    -------
    float64 or array, shape (...)
        Without unit; NaN where landmarks k and l coincide.

    Examples
    --------
    >>> points = np.zeros((68, 2))
    >>> points[45], points[48] = (60, 0), (0, 40)
    >>> float(ratio(points, 36, 45, 30, 48))
    1.5
    """
    return measured(points, "ratio", [line(i, j)], [line(k, l)])


def eye_distance(points: ArrayLike) -> Values:
    """Distance d_eye of the outer eye corners in pixels, shape (...): the paper's eq. (3)."""
    return measured(points, "distance", [EYE_LINE])


def nose_mouth_distance(points: ArrayLike) -> Values:
    """Distance d_nose_mouth from the nose tip to the middle of the mouth corners: eq. (4).

    Parameters
    ----------
    points : array, shape (..., n, 2)
        Landmarks in pixels.

    Returns
    -------
    float64 or array, shape (...)
        Pixels.
    """
    return measured(points, "distance", [NOSE_MOUTH_LINE])


def eye_nose_mouth_ratio(points: ArrayLike) -> Values:
    """Ratio d_eye / d_nose_mouth, shape (...), the same at any size of the face: eq. (2)."""
    return measured(points, "ratio", [EYE_LINE], [NOSE_MOUTH_LINE])


def angle(points: ArrayLike, i: int, j: int) -> Values:
    """Direction of the line from landmark i to landmark j in the picture.

    Parameters
    ----------
    points : array, shape (..., n, 2)
        Landmarks in pixels.
    i, j : int
        Landmarks, counted from 0.

    Returns
    -------
    float64 or array, shape (...)
        Degrees in (-180, 180], 0 along the picture's x axis. y points down, so a positive angle is
        clockwise as one sees it: 90 is straight down, and the line of the eyes of a frontal face
        has the angle of its roll. NaN where the landmarks coincide.

    Examples
    --------
    >>> points = np.zeros((68, 2))
    >>> points[45], points[8] = (50, 0), (0, 50)
    >>> float(angle(points, 36, 45)), float(angle(points, 27, 8))
    (0.0, 90.0)
    """
    return measured(points, "angle", [line(i, j)])


def angle_between(points: ArrayLike, i: int, j: int, k: int, l: int) -> Values:  # noqa: E741
    """Angle between the directions i to j and k to l.

    Parameters
    ----------
    points : array, shape (..., n, 2)
        Landmarks in pixels.
    i, j, k, l : int
        Landmarks, counted from 0.

    Returns
    -------
    float64 or array, shape (...)
        Degrees in [0, 180], without a sign: 0 for the same direction, 180 for opposite ones. NaN
        where one of the pairs coincides.

    Examples
    --------
    >>> points = np.zeros((68, 2))
    >>> points[45], points[8] = (50, 0), (0, 50)
    >>> float(angle_between(points, 36, 45, 27, 8))
    90.0
    """
    return measured(points, "angle_between", [line(i, j)], [line(k, l)])


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
    """

    name: str
    kind: Kind
    first: tuple[Line, ...]
    second: tuple[Line, ...] = ()

    def measure(self, points: ArrayLike) -> Values:
        """Value for each face of `points` (..., 68, 2): pixels, a ratio or degrees."""
        return measured(points, self.kind, self.first, self.second)


def _ratio(name: str, *above: Line, below: Line = EYE_LINE) -> Feature:
    return Feature(name, "ratio", above, (below,))


_LEFT_EYE, _RIGHT_EYE = GROUPS_68["left_eye"], GROUPS_68["right_eye"]
_LEFT_BROW, _RIGHT_BROW = GROUPS_68["left_brow"], GROUPS_68["right_brow"]
_FACE_HEIGHT = line(27, 8)

# The default feature vector. Only the first two depend on the size of the face in the picture.
FEATURES: tuple[Feature, ...] = (
    # Equations (3) and (4) of the paper in pixels, and (2), which is (3) over (4).
    Feature("eye_distance", "distance", (EYE_LINE,)),
    Feature("nose_mouth_distance", "distance", (NOSE_MOUTH_LINE,)),
    Feature("eye_nose_mouth_ratio", "ratio", (EYE_LINE,), (NOSE_MOUTH_LINE,)),
    # Eye aspect ratio of each eye, small when it is closed (Soukupova and Cech 2016).
    _ratio("left_eye_aspect", line(37, 41), line(38, 40), below=line(36, 39)),
    _ratio("right_eye_aspect", line(43, 47), line(44, 46), below=line(42, 45)),
    # Opening of the inner lips over their width, 0 when the mouth is closed.
    _ratio("mouth_aspect", line(61, 67), line(62, 66), line(63, 65), below=line(60, 64)),
    # Height of the outer lips over the width of the mouth.
    _ratio("lip_aspect", line(50, 58), line(51, 57), line(52, 56), below=MOUTH_LINE),
    # Over the eye distance: mouth corners (smile, pucker), brow to eye, inner brow ends (frown),
    # inner eye corners, nose root to nose base, nose wings.
    _ratio("mouth_width", MOUTH_LINE),
    _ratio("left_brow_raise", line(_LEFT_BROW, _LEFT_EYE)),
    _ratio("right_brow_raise", line(_RIGHT_BROW, _RIGHT_EYE)),
    _ratio("brow_gap", line(21, 22)),
    _ratio("eye_gap", line(39, 42)),
    _ratio("nose_length", line(27, 33)),
    _ratio("nose_width", line(31, 35)),
    # Over nose root to chin: the face's width, and lower lip to chin.
    _ratio("face_aspect", line(0, 16), below=_FACE_HEIGHT),
    _ratio("chin_height", line(57, 8), below=_FACE_HEIGHT),
    # Nose tip to the left over to the right outer eye corner: 1 in a frontal face.
    _ratio("nose_balance", line(LEFT_EYE_OUTER, NOSE_TIP), below=line(RIGHT_EYE_OUTER, NOSE_TIP)),
    # Directions of the lines of eyes and mouth, and the angle between the two, in degrees.
    Feature("eye_line_angle", "angle", (EYE_LINE,)),
    Feature("mouth_line_angle", "angle", (MOUTH_LINE,)),
    Feature("eye_mouth_angle", "angle_between", (EYE_LINE,), (MOUTH_LINE,)),
)


@cache
def default_features(scheme: Scheme = FACE_68) -> tuple[Feature, ...]:
    """The `FEATURES` whose landmarks a scheme has, told by the scheme's own indices.

    Examples
    --------
    >>> from efld_dlib.landmarks import SCHEMES
    >>> eyes = SCHEMES["68"].select(range(36, 48))
    >>> feature_names(default_features(eyes))
    ('eye_distance', 'left_eye_aspect', 'right_eye_aspect', 'eye_gap', 'eye_line_angle')
    """
    if scheme == FACE_68:
        return FEATURES
    pairs = correspondence(scheme, FACE_68) or {}
    own = {there: here for here, there in pairs.items()}
    return tuple(
        replace(
            feature, first=_renumbered(feature.first, own), second=_renumbered(feature.second, own)
        )
        for feature in FEATURES
        if own.keys() >= set(chain.from_iterable(chain(*feature.first, *feature.second)))
    )


def _renumbered(lines: Sequence[Line], own: Mapping[int, int]) -> tuple[Line, ...]:
    return tuple((tuple(own[i] for i in start), tuple(own[i] for i in end)) for start, end in lines)


def feature_names(features: Sequence[Feature] = FEATURES) -> tuple[str, ...]:
    """Names of the columns that `features` gives."""
    return tuple(feature.name for feature in features)


def features(points: ArrayLike, features: Sequence[Feature] = FEATURES) -> FloatArray:
    """Feature vector of one face or of many.

    Parameters
    ----------
    points : array, shape (..., n, 2)
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


_ALLOWED = (
    "allowed are, separated by commas: 'default', a distance '{0}-{1}', a ratio '{0}-{1}/{2}-{3}', "
    "an angle 'angle:{0}-{1}' or 'angle:{0}-{1}/{2}-{3}'"
)
_EXAMPLES = ("36", "45", "30", "48")


@cache
def parse_features(text: str, scheme: Scheme = FACE_68) -> tuple[Feature, ...]:
    """Features that a user asks for.

    Parameters
    ----------
    text : str
        Separated by commas: the name of a default feature, ``default`` for all of them, and pairs
        of landmarks by name: ``36-45`` is a distance in pixels (named ``d_36_45``),
        ``36-45/30-48`` a ratio (``r_36_45_30_48``), ``angle:36-45`` a direction (``a_36_45``) and
        ``angle:36-45/48-54`` the angle between two (``a_36_45_48_54``).
    scheme : Scheme
        Of the landmarks.

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
    >>> leaf = Scheme("leaf", ("base", "left", "right", "tip"))
    >>> feature_names(parse_features("left-right/base-tip", leaf))
    ('r_left_right_base_tip',)
    """
    items = (_parse_item(item.strip(), scheme) for item in text.split(","))
    return tuple(dict.fromkeys(chain.from_iterable(items)))


def _parse_item(item: str, scheme: Scheme) -> tuple[Feature, ...]:
    known = default_features(scheme)
    if item == "default":
        return known
    if named := tuple(feature for feature in known if feature.name == item):
        return named
    angle = item.startswith("angle:")
    texts = item.removeprefix("angle:").split("/")
    pairs = [pair for text in texts if (pair := _parse_pair(text, scheme))]
    if len(pairs) != len(texts) or len(pairs) > 2:
        four = _EXAMPLES if scheme == FACE_68 else (*scheme.labels, *"abcd")[:4]
        names = ", and the names " + ", ".join(feature_names(known)) if known else ""
        raise OptionError(
            f"feature '{item}' is not known; {_ALLOWED.format(*four)}{names}; {scheme.range}"
        )
    if any(i == j for i, j in pairs):
        raise OptionError(f"feature '{item}': a pair needs two different landmarks")
    kind: Kind
    if angle:
        letter, kind = "a", "angle" if len(pairs) == 1 else "angle_between"
    else:
        letter, kind = ("d", "distance") if len(pairs) == 1 else ("r", "ratio")
    lines = tuple(line(i, j) for i, j in pairs)
    labels = (scheme.labels[i] for i in chain.from_iterable(pairs))
    return (Feature("_".join([letter, *labels]), kind, lines[:1], lines[1:]),)


def _parse_pair(text: str, scheme: Scheme) -> tuple[int, int] | None:
    """The landmarks of ``a-b``, whose names may have hyphens too."""
    for at in (place for place, sign in enumerate(text) if sign == "-"):
        first, second = scheme.index(text[:at]), scheme.index(text[at + 1 :])
        if first is not None and second is not None:
            return first, second
    return None
