"""AFLW's head pose in the toolkit's convention, and a check of it against the landmarks.

AFLW's documents give `facepose` as roll, pitch and yaw in radians, found by POSIT on a mean 3-D
face, but neither signs nor order. Assumed here, from how the pose is used along with AFLW2000-3D's
(Ruiz et al., "Fine-Grained Head Pose Estimation Without Keypoints", CVPRW 2018, whose loader takes
AFLW's yaw and pitch as they stand and turns the sign of its roll):

- yaw > 0 when the nose points to the picture's left: the toolkit's yaw is its negative,
- pitch > 0 when the face looks up: taken as it is,
- roll > 0 when the head is turned counter-clockwise in the picture: taken as its negative,
- roll is applied last, in the plane of the picture, as in `efld_dlib.pose`.

Angles of more than half a turn occur in the database and are brought back. Because the signs are
an assumption, every run compares them with where the landmarks lie and says so when they disagree.
"""

from __future__ import annotations

import math

from ..boxes import FloatArray, Pose
from ..pose import pose_of_rotation, rotation_matrix

# Indices of AFLW's landmarks: outer eye corners, tip of the nose, mouth corners.
_EYES = (6, 11)
_NOSE = 14
_MOUTH = (17, 19)

CLEARLY_TURNED = 15.0
"""Degrees from which an angle's sign must show in the landmarks."""

MIN_FACES = 10
"""With fewer clearly turned faces than this, nothing is said of their signs."""


def pose_from_aflw(roll: float, pitch: float, yaw: float) -> Pose:
    """Pose in degrees from `facepose`'s radians."""
    return pose_of_rotation(
        rotation_matrix(Pose(math.degrees(-yaw), math.degrees(pitch), math.degrees(-roll)))
    )


class PoseCheck:
    """Counts in how many clearly turned faces the landmarks say the same of the turn's side."""

    def __init__(self) -> None:
        self._agreeing = {"yaw": 0, "roll": 0}
        self._turned = {"yaw": 0, "roll": 0}

    def add(self, points: FloatArray, pose: Pose) -> None:
        """Note one face.

        Parameters
        ----------
        points : array, shape (21, 2)
            AFLW's landmarks; a face is passed over if the eyes, nose or mouth are not all given.
        pose : Pose
            In the toolkit's convention.
        """
        eyes, mouth = points[list(_EYES)], points[list(_MOUTH)]
        right = eyes[1] - eyes[0]
        off_middle = points[_NOSE] - (eyes.mean(axis=0) + mouth.mean(axis=0)) / 2
        seen = {
            "yaw": float(off_middle @ right),
            "roll": math.atan2(float(right[1]), float(right[0])),
        }
        if not all(map(math.isfinite, seen.values())):
            return
        for angle, side in seen.items():
            stated = getattr(pose, angle)
            if CLEARLY_TURNED <= abs(stated) <= 90:
                self._turned[angle] += 1
                self._agreeing[angle] += side * stated > 0

    def note(self) -> str:
        """A warning, or nothing where the signs agree in most faces."""
        return "; ".join(
            f"{angle} contradicts the landmarks in {turned - self._agreeing[angle]} of {turned} "
            "clearly turned faces"
            for angle, turned in self._turned.items()
            if turned >= MIN_FACES and self._agreeing[angle] < turned / 2
        )
