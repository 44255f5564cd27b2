"""How far the head pose that the face network says is from the true one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from efld_dlib.boxes import FloatArray
from efld_dlib.detection.framing import match_detections
from efld_dlib.detection.network_detector import NetworkDetector, as_detections
from efld_dlib.evaluation.detection import InputImage
from efld_dlib.landmarker import FaceLandmarker
from efld_dlib.pose import face_poses
from efld_dlib.tables import Table, number

ANGLES = ("yaw", "pitch", "roll")


def pose_errors(
    detector: NetworkDetector, landmarker: FaceLandmarker, images: Iterable[InputImage]
) -> dict[str, FloatArray]:
    """Errors in degrees of the faces found, by the source of their image.

    Parameters
    ----------
    detector : NetworkDetector
    landmarker : FaceLandmarker
        Says the pose of the landmarks in the same boxes.
    images : iterable of InputImage
        The true pose is the data set's own, or that of its landmarks. Faces half hidden by the
        head are left out: the pose of their landmarks is not known well.

    Returns
    -------
    dict of str to array, shape (faces, 6)
        Sizes of the errors of yaw, pitch and roll: of the network, then of the landmarks.
    """
    errors: dict[str, list[FloatArray]] = {}
    for image in images:
        found = detector.find(image.gray)
        detections = as_detections(found)
        boxes = match_detections(image.faces, detections)
        true_poses = face_poses(image.faces)
        for true, box, traits in zip(true_poses, boxes, image.traits, strict=True):
            if box is None or traits.half or not np.isfinite(true).all():
                continue
            index = next(i for i, each in enumerate(detections) if each.box is box)
            face = landmarker.face_at(image.gray, detections[index])
            said = np.array([found.poses[index], face.pose])
            apart = np.abs((said - true + 180) % 360 - 180)
            errors.setdefault(image.source, []).append(apart.ravel())
    return {source: np.array(rows) for source, rows in errors.items()}


def pose_table(errors: Mapping[str, FloatArray]) -> Table:
    """Mean errors by source."""
    rows = [
        (source, str(len(each)), *(number(value, 1) for value in np.nanmean(each, axis=0)))
        for source, each in errors.items()
    ]
    header: Sequence[str] = (
        *("faces", "number"),
        *(f"{angle}, network" for angle in ANGLES),
        *(f"{angle}, landmarks" for angle in ANGLES),
    )
    note = "Mean error in degrees of the faces found; half hidden faces are left out."
    return Table("Head pose", tuple(header), tuple(rows), note)
