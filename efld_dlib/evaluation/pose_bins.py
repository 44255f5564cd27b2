"""Errors by head pose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..boxes import BoolArray, FloatArray
from .statistics import Bootstrap, Figure


@dataclass(frozen=True)
class PoseBin:
    """Faces of which an angle or its size lies in [low, high) degrees; 0 yaw, 1 pitch, 2 roll."""

    name: str
    angle: int
    low: float
    high: float
    absolute: bool = True

    def members(self, poses: FloatArray) -> BoolArray:
        """Which faces it holds; `poses` has shape (faces, 3). An unknown pose is in no bin."""
        angle = np.abs(poses[:, self.angle]) if self.absolute else poses[:, self.angle]
        return np.asarray((angle >= self.low) & (angle < self.high))


POSE_BINS = (
    PoseBin("|yaw| 0-15", 0, 0, 15),
    PoseBin("|yaw| 15-30", 0, 15, 30),
    PoseBin("|yaw| 30-45", 0, 30, 45),
    PoseBin("|yaw| 45 and more", 0, 45, np.inf),
    PoseBin("|roll| 0-15", 2, 0, 15),
    PoseBin("|roll| 15-30", 2, 15, 30),
    PoseBin("|roll| 30 and more", 2, 30, np.inf),
    PoseBin("pitch below -15 (down)", 1, -np.inf, -15, absolute=False),
    PoseBin("pitch -15 to 15", 1, -15, 15, absolute=False),
    PoseBin("pitch 15 and more (up)", 1, 15, np.inf, absolute=False),
)


@dataclass(frozen=True)
class PoseFigures:
    """Error of the faces in a pose bin: by the chosen normaliser, and by the box, which stays
    large where a turned head brings the eyes together.
    """

    name: str
    faces: int
    missed: int
    nme: Figure
    box: Figure


def pose_figures(
    errors: dict[str, FloatArray],
    found: BoolArray,
    poses: FloatArray,
    bootstrap: Bootstrap,
    by: str,
) -> list[PoseFigures]:
    """Figures of every bin that holds a face, and of the faces whose pose is unknown.

    Parameters
    ----------
    errors : dict of str to array, shape (faces,)
        Errors of all faces by normaliser.
    found : array of bool, shape (faces,)
        Which of them the detector found.
    poses : array, shape (faces, 3)
        Yaw, pitch and roll in degrees.
    bootstrap : Bootstrap
    by : str
        The chosen normaliser.
    """
    groups = [(each.name, each.members(poses)) for each in POSE_BINS]
    groups.append(("pose unknown", np.asarray(~np.isfinite(poses).all(axis=1))))
    return [
        PoseFigures(
            name,
            int(inside.sum()),
            int((inside & ~found).sum()),
            bootstrap.mean(np.where(inside, errors[by], np.nan)),
            bootstrap.mean(np.where(inside, errors["box"], np.nan)),
        )
        for name, inside in groups
        if inside.any()
    ]
