"""Faces that were found, as plain values.

What draws or cuts out a face imports OpenCV or dlib when it is called, and not before.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from .boxes import Box, FloatArray, Pose, annotated
from .errors import DataError, OptionError
from .geometry import Feature, default_features, feature_names, features
from .landmarks import FACE_68, Scheme
from .pose import has_pose
from .records import ByValue, FaceAnnotation, convert_points

if TYPE_CHECKING:
    from .images import Image, ImageSource

CROP_SIZE = 150
"""Side of an aligned crop in pixels, as that of `dlib.get_face_chip`."""

CROP_CONTEXT = 0.25
"""Image kept around a face on each side of its crop, as a fraction of its box's width: enough for
the whole chin and, above, for the forehead."""

LARGEST_CROP = 4096  # OpenCV warps into none above 32,767 pixels


@dataclass(frozen=True, eq=False, repr=False)
class Face(ByValue):
    """A face that was found.

    Faces are equal if all their values are, NaN to NaN; as they hold arrays, they have no hash.
    In a notebook, a face is shown as a drawing of its landmarks.

    Parameters
    ----------
    box : Box
        The detector's rectangle, in pixels of the upright image.
    score : float
        The detector's score; NaN where the caller gave the box.
    points : array of float64, shape (n, 2)
        x and y of the landmarks of `scheme` in pixels of the image, with fractions; those of a
        turned head were predicted in an image turned upright.
    pose : Pose
        Yaw, pitch and roll in degrees (signs: `efld_dlib.pose`).
    confidence : float
        How likely it is, from 0 to 1, that the landmarks are right: `confidence.confidence`. NaN
        if it was not computed.
    point_confidence : array of shape (68,), optional
        How likely it is, from 0 to 1, that each landmark is right and visible
        (`point_confidence`); None if it was not asked for.
    scheme : Scheme
        What the landmarks are; by default the 68 of 300-W. Only these have a confidence, and only
        those of a scheme that tells it have a pose.

    Examples
    --------
    >>> face = Face(Box(0, 0, 60, 60), 0.9, np.arange(136.0).reshape(68, 2), Pose(0, 5, -1))
    >>> face
    Face(box=(0, 0, 60, 60), score=0.90, confidence=nan, pose=(0, 5, -1))
    >>> face.part("left_eye")[0].tolist()  # landmark 36
    [72.0, 73.0]
    >>> list(face.to_dict())
    ['box', 'score', 'confidence', 'pose', 'points', 'features']
    """

    box: Box
    score: float
    points: FloatArray
    pose: Pose
    confidence: float = float("nan")
    point_confidence: FloatArray | None = None
    scheme: Scheme = FACE_68

    def features(self, chosen: Sequence[Feature] | None = None) -> dict[str, float]:
        """The paper's distances, ratios and angles of this face, by name.

        Parameters
        ----------
        chosen : sequence of Feature, optional
            Such as `efld_dlib.parse_features` gives; by default
            `efld_dlib.geometry.default_features`.

        Returns
        -------
        dict of str to float
            Distances in pixels, angles in degrees; NaN where it is not defined.

        Examples
        --------
        >>> from efld_dlib import parse_features
        >>> points = np.zeros((68, 2))
        >>> points[45] = 30, 40
        >>> face = Face(Box(0, 0, 60, 60), 1.0, points, Pose(0, 0, 0))
        >>> face.features(parse_features("36-45"))
        {'d_36_45': 50.0}
        """
        chosen = default_features(self.scheme) if chosen is None else chosen
        values = features(self.points, chosen)
        return dict(zip(feature_names(chosen), map(float, values), strict=True))

    def __repr__(self) -> str:
        # Adding zero makes -0 to 0.
        box, pose = (
            ", ".join(f"{np.round(value) + 0.0:.0f}" for value in values)
            for values in (self.box, self.pose)
        )
        sure = f"score={self.score:.2f}, confidence={self.confidence:.2f}"
        return f"{type(self).__name__}(box=({box}), {sure}, pose=({pose}))"

    def part(self, name: str) -> FloatArray:
        """The landmarks of one part of the face.

        Parameters
        ----------
        name : str
            A group of the scheme: of the 68 landmarks ``jaw``, ``left_brow``, ``right_brow``,
            ``nose``, ``left_eye``, ``right_eye`` or ``mouth``. Left is the image's left, as
            everywhere in this package: ``left_eye`` is landmarks 36 to 41. imutils'
            `FACIAL_LANDMARKS_IDXS` goes by the subject, and calls these ``right_eye``.

        Returns
        -------
        array of float64, shape (k, 2)
            A copy, in pixels of the image, in the order of the landmarks.

        Raises
        ------
        OptionError
            Unknown part; the message lists the names.
        """
        groups = self.scheme.groups
        if name not in groups:
            raise OptionError(f"unknown part {name!r}; choose from {', '.join(groups) or 'none'}")
        return self.points[list(groups[name])]

    def to_dict(self, features: Sequence[Feature] | None = None) -> dict[str, Any]:
        """The face in plain types for JSON, as ``efld-dlib detect`` writes it.

        Parameters
        ----------
        features : sequence of Feature, optional
            Such as `efld_dlib.parse_features` gives; by default
            `efld_dlib.geometry.default_features`.

        Returns
        -------
        dict
            ``box``, ``score``, ``confidence`` of the 68 landmarks, ``pose`` where the scheme tells
            one, ``points``, ``point_confidence`` if the face has it, and ``features``. Pixels and
            degrees, rounded; None stands for NaN. The points are a list, or by name if the names
            are not the numbers from 0.
        """
        sure = self.point_confidence
        each = {} if sure is None else {"point_confidence": [rounded(value, 3) for value in sure]}
        values = self.features(features)
        points = [[rounded(x), rounded(y)] for x, y in self.points]
        pose = {key: rounded(value) for key, value in self.pose._asdict().items()}
        return {
            "box": {key: rounded(value) for key, value in self.box._asdict().items()},
            "score": rounded(self.score, 4),
            **({"confidence": rounded(self.confidence, 4)} if self.scheme == FACE_68 else {}),
            **({"pose": pose} if has_pose(self.scheme) else {}),
            "points": points
            if self.scheme.counted
            else dict(zip(self.scheme.labels, points, strict=True)),
            **each,
            "features": {key: rounded(value, 5) for key, value in values.items()},
        }

    def to_dlib(self) -> Any:
        """The face as a `dlib.full_object_detection`, in whole pixels.

        dlib's own functions take it, such as `dlib.get_face_chip`.

        Raises
        ------
        DataError
            The box or a landmark is not finite, which dlib cannot express.
        MissingDependencyError
            dlib is not installed.
        """
        from .backend import load_dlib

        dlib = load_dlib()
        if not (np.isfinite(self.box).all() and annotated(self.points).all()):
            raise DataError("<face>", "its box or a landmark is not finite: dlib has no such face")
        sides = map(round, (self.box.left, self.box.top, self.box.right, self.box.bottom))
        points = [dlib.point(round(x), round(y)) for x, y in self.points.tolist()]
        return dlib.full_object_detection(dlib.rectangle(*sides), points)

    def crop(self, image: ImageSource, size: int = CROP_SIZE) -> Image:
        """A square with the face upright in its middle, at the same scale for every face.

        Parameters
        ----------
        image : path, bytes, file, array or Pillow image
            The image that the face was found in, as in `efld_dlib.read_image`. The channels of an
            array keep their order.
        size : int
            Side of the square in its own pixels, 1 to 4096.

        Returns
        -------
        array of uint8, shape (size, size) for a gray array, else (size, size, 3)
            Framed by the landmarks, and turned back by the roll. Outside the image it is black.

        Raises
        ------
        DataError, OptionError
            As `efld_dlib.read_image`; or the size is out of range, or the face has neither enough
            landmarks nor a box.
        """
        from .crops import canonical_crop
        from .detection.framing import true_box
        from .images import read_image

        if not isinstance(size, int) or not 1 <= size <= LARGEST_CROP:
            raise OptionError(f"the size must be 1 to {LARGEST_CROP} whole pixels, not {size!r}")
        roll = self.pose.roll if math.isfinite(self.pose.roll) else 0.0
        on_face = convert_points(self.points, self.scheme, FACE_68)
        box = None if on_face is None else true_box(FaceAnnotation(on_face), roll)
        box = box or self.box
        border = round(size * CROP_CONTEXT / (1 + 2 * CROP_CONTEXT))
        inner = size - 2 * border
        return canonical_crop(read_image(image, "rgb"), box, inner, border / inner, roll).image

    def draw(self, image: ImageSource) -> Image:
        """A copy of an image with the landmarks, the box and the pose drawn on it.

        Parameters
        ----------
        image : path, bytes, file, array or Pillow image
            As in `crop`, with the same errors; an array with colours is taken for RGB.

        Returns
        -------
        array of uint8, shape (height, width, 3)
            RGB.
        """
        from .drawing import draw_face, to_rgb
        from .images import read_image

        drawn = to_rgb(read_image(image, "rgb"))
        name = f"#{self.id}" if isinstance(self, TrackedFace) else ""
        draw_face(drawn, self.points, self.box, self.pose, name=name, edges=self.scheme.edges)
        return drawn

    def _repr_html_(self) -> str:
        """What a notebook shows: the landmarks as an SVG, and the line of `repr` below it."""
        text = f"<code>{html.escape(repr(self))}</code>"
        given = self.points[annotated(self.points)]
        if not len(given):
            return text
        left, top, width, height = Box.around(given)
        dot = max(width, height) / 80
        view = f"{left - dot:.2f} {top - dot:.2f} {width + 2 * dot:.2f} {height + 2 * dot:.2f}"
        dots = "".join(f'<circle cx="{x:.2f}" cy="{y:.2f}" r="{dot:.2f}"/>' for x, y in given)
        return f'<svg viewBox="{view}" height="160" fill="currentColor">{dots}</svg><br>{text}'


@dataclass(frozen=True, eq=False, repr=False)
class TrackedFace(Face):
    """A face in a frame of a video.

    Its `box` follows from its landmarks. Its score is the detector's in the frames that the
    detector searched, else the confidence.

    Parameters
    ----------
    id : int
        Counted from 1; the same face keeps it from frame to frame.
    """

    id: int = field(kw_only=True)

    @classmethod
    def of(cls, face: Face, number: int, **changes: Any) -> TrackedFace:
        """`face` with that id, and what else is changed of it."""
        return cls(**{**vars(face), **changes, "id": number})

    def __repr__(self) -> str:
        return super().__repr__().replace("(", f"(id={self.id}, ", 1)

    def to_dict(self, features: Sequence[Feature] | None = None) -> dict[str, Any]:
        """As `Face.to_dict`, with the id as ``face_id``, as ``efld-dlib video`` writes it."""
        return {"face_id": self.id, **super().to_dict(features)}


def rounded(value: float, digits: int = 2) -> float | None:
    """A number for a file; None in place of NaN and infinity, which JSON lacks."""
    return round(float(value), digits) if math.isfinite(value) else None
