"""Faces that were found, as plain values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from .boxes import Box, FloatArray, Pose
from .geometry import FEATURES, Feature, feature_names, features


@dataclass(frozen=True)
class Face:
    """A face that was found.

    Parameters
    ----------
    box : Box
        The detector's rectangle, in pixels of the upright photograph.
    score : float
        The detector's score; NaN where the caller gave the box.
    points : array, shape (68, 2)
        Landmarks in pixels of the photograph, with fractions; those of a turned head were predicted
        in a picture turned upright.
    pose : Pose
        Yaw, pitch and roll in degrees (signs: `efld_dlib.pose`).
    confidence : float
        How likely it is, from 0 to 1, that the landmarks are right: `confidence.confidence`. NaN
        if it was not computed.
    point_confidence : array of shape (68,), optional
        How likely it is, from 0 to 1, that each landmark is right and visible
        (`point_confidence`); None if it was not asked for.
    """

    box: Box
    score: float
    points: FloatArray
    pose: Pose
    confidence: float = float("nan")
    point_confidence: FloatArray | None = None

    def features(self, chosen: Sequence[Feature] = FEATURES) -> dict[str, float]:
        """The paper's distances, ratios and angles of this face, by name.

        Parameters
        ----------
        chosen : sequence of Feature
            Such as `efld_dlib.parse_features` gives.

        Returns
        -------
        dict of str to float
            Distances in pixels, angles in degrees; NaN where one cannot be said.

        Examples
        --------
        >>> import numpy as np
        >>> from efld_dlib import Box, Face, Pose, parse_features
        >>> points = np.zeros((68, 2))
        >>> points[45] = 30, 40
        >>> face = Face(Box(0, 0, 60, 60), 1.0, points, Pose(0, 0, 0))
        >>> face.features(parse_features("36-45"))
        {'d_36_45': 50.0}
        """
        values = features(self.points, chosen)
        return dict(zip(feature_names(chosen), map(float, values), strict=True))


@dataclass(frozen=True)
class TrackedFace(Face):
    """A face in a frame of a video.

    It is a `Face`, whose `box` is the frame that its landmarks ask for. The score is the
    detector's in the frames in which that found it, else the confidence.

    Parameters
    ----------
    id : int
        Counted from 1; the same face keeps it from frame to frame.
    """

    id: int = field(kw_only=True)

    @classmethod
    def of(cls, face: Face, number: int, **changes: Any) -> TrackedFace:
        """`face` with that id, and what else is changed of it."""
        values = {each.name: getattr(face, each.name) for each in fields(Face)}
        return cls(**{**values, **changes}, id=number)
