"""Copies of annotated faces, turned out of the picture's plane or made small, to measure on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from ..annotation import ImageRecord, Pose
from ..detection.frame import default_box_map
from ..errors import DataError, Problems
from ..images import canonical_crop, read_image, to_gray
from ..pose import estimate_pose
from ..render import write_image
from .turn import MAX_YAW_CHANGE, turn_face

CONTEXT = 1.0
"""Picture around the face's box in a copy, as a fraction of its width."""

_MAX_YAW = 85.0


def face_copies(
    records: Iterable[ImageRecord],
    folder: Path,
    width: int,
    yaw: float | None = None,
    problems: Problems | None = None,
) -> list[ImageRecord]:
    """A picture of each face alone, in which its box has a given width.

    Parameters
    ----------
    records : iterable of ImageRecord
        Pictures with 68 landmarks.
    folder : Path
        Where the pictures are written.
    width : int
        Of the face's box in the copies, in pixels.
    yaw : float, optional
        Yaw in degrees to which each face is turned by a 3-D warp, to the side to which it looks;
        faces that would have to be turned by more than `turn.MAX_YAW_CHANGE`, or back, are left
        out. Without it the faces stay as they are.
    problems : Problems, optional
        Takes the pictures that cannot be used; without it the first one raises.

    Raises
    ------
    DataError
        No copy could be made.
    """
    problems = problems if problems is not None else Problems(strict=True)
    copies: list[ImageRecord] = []
    for number, record in enumerate(records):
        with problems.skipping():
            copies += _copies_of(record, number, folder, width, yaw)
    if not copies:
        raise DataError(folder, "no face could be copied in this way")
    return copies


def _copies_of(
    record: ImageRecord, number: int, folder: Path, width: int, yaw: float | None
) -> list[ImageRecord]:
    gray = to_gray(read_image(record.path))
    copies = []
    for index, face in enumerate(record.faces):
        box = default_box_map().predict(face.points)
        border = round(CONTEXT * box.width)
        # The edge is drawn out, so that no black border tells where the face is.
        wide = cv2.copyMakeBorder(gray, *(4 * (border,)), cv2.BORDER_REPLICATE).astype(np.uint8)
        crop = canonical_crop(
            wide, box._replace(left=box.left + border, top=box.top + border), width, CONTEXT
        )
        image, points = crop.image, crop.from_photograph(face.points + border)
        pose = estimate_pose(points)
        if yaw is not None:
            change = (yaw if pose.yaw >= 0 else -yaw) - pose.yaw
            if not abs(change) <= MAX_YAW_CHANGE or change * pose.yaw < 0:
                continue
            image, points = turn_face(image, points, change, 0.0, max_yaw=_MAX_YAW)
            pose = Pose(pose.yaw + change, pose.pitch, pose.roll)
        target = folder / f"{number:05d}-{index}.png"
        write_image(target, image)
        copy = replace(face, points=points, box=None, pose=pose, occluded=None)
        copies.append(ImageRecord(target, (copy,), record.photograph))
    return copies
