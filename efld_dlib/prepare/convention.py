"""Landmarks of one data set brought to the convention of another.

Data sets that share a scheme do not label alike: where along the jaw its landmarks lie, say, is a
habit of those who set them. A predictor that learns from two sets at once blurs both habits. So a
predictor trained on the first set looks at the faces of the other; what it sees otherwise on the
average, as a linear function of yaw and of the shape's main modes, is the difference of the habits,
and is added to the other set's landmarks. Strongly turned faces keep theirs: of those the first
set has too few for its habit to be known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from ..boxes import FloatArray
from ..detection.framing import default_box_map, framed
from ..detection.prediction import predict_points
from ..errors import DataError, EfldError, Problems
from ..images import read_image, to_gray
from ..models.forest import DlibPredictor
from ..models.loading import load_predictor, predictor_size, require_68_points
from ..parallel import parallel_map, progress
from ..pose import estimate_pose
from ..records import FaceAnnotation, ImageRecord

MODES = 8
"""Main modes of the shape that the difference may depend on."""

KEPT_YAW = (15.0, 30.0)
"""Degrees of yaw up to which landmarks are moved wholly, and from which they are not moved."""

_YAW_UNIT = 45.0
# Keeps the coefficients of rarely given landmarks small.
_RIDGE = 5.0
_MIN_FACES = 50


@dataclass(frozen=True)
class _Seen:
    """A face in its own frame, and what the predictor makes of it, both (68, 2), and its yaw."""

    shape: FloatArray
    predicted: FloatArray
    given: FloatArray
    yaw: float


def conform_records(
    records: Sequence[ImageRecord],
    model: Path,
    jobs: int,
    problems: Problems,
    show_progress: bool = False,
) -> list[ImageRecord]:
    """The records with their landmarks in the convention that `model` has learnt.

    Parameters
    ----------
    records : sequence of ImageRecord
        Pictures with 68 landmarks, all of one data set; absent landmarks stay absent.
    model : Path
        A 68-point predictor trained on the other data set.
    jobs : int
        Number of processes; it does not change the result.
    problems : Problems
        Takes the pictures that cannot be read; they are left out.
    show_progress : bool

    Raises
    ------
    ModelFormatError
        The model cannot be used.
    DataError
        There are too few faces to tell a habit from chance.
    """
    # Said once, and not of every picture.
    require_68_points(predictor_size(load_predictor(model)), model)
    look = partial(_look, model=model)
    shown = progress(
        parallel_map(look, list(records), jobs), len(records), "comparing", show_progress
    )
    usable: list[tuple[ImageRecord, list[_Seen]]] = []
    for record, outcome in zip(records, shown, strict=True):
        if isinstance(outcome, EfldError):
            problems.add(outcome)
        else:
            usable.append((record, outcome))
    seen = [face for _, faces in usable for face in faces]
    if len(seen) < _MIN_FACES:
        raise DataError(model, f"there are {len(seen)} faces to compare, and {_MIN_FACES} needed")
    modes = np.linalg.svd(_flat(seen), full_matrices=False)[2][:MODES]
    weights = _fit(seen, modes)
    return [
        replace(
            record,
            faces=tuple(
                _moved(face, one, modes, weights)
                for face, one in zip(record.faces, faces, strict=True)
            ),
        )
        for record, faces in usable
    ]


def _look(record: ImageRecord, model: Path) -> list[_Seen] | EfldError:
    try:
        gray = to_gray(read_image(record.path))
        predictor = _predictor(model, model.stat().st_mtime_ns)
    except DataError as error:
        return error
    faces = []
    for face in record.faces:
        points = default_box_map().complete(face.points)
        pose = estimate_pose(points)
        roll = pose.roll if np.isfinite(pose.roll) else 0.0
        predicted = predict_points(predictor, gray, framed(points, roll), roll=roll)
        shape, frame = _own_frame(points)
        yaw = pose.yaw if np.isfinite(pose.yaw) else 90.0
        faces.append(_Seen(shape, _into(frame, predicted), _into(frame, face.points), yaw))
    return faces


@lru_cache(maxsize=1)
def _predictor(model: Path, changed: int) -> DlibPredictor:
    """The predictor in this process; `changed` tells a file that was written anew."""
    return DlibPredictor(load_predictor(model))


def _own_frame(points: FloatArray) -> tuple[FloatArray, tuple[complex, complex]]:
    """Points about their centroid on the mean shape's axes, and the way there."""
    mean = default_box_map().mean_shape @ [1, 1j]
    places = points @ [1, 1j]
    middle = complex(places.mean())
    turn = complex(np.vdot(mean, places - middle) / np.vdot(mean, mean).real)
    return _into((middle, turn), points), (middle, turn)


def _into(frame: tuple[complex, complex], points: FloatArray) -> FloatArray:
    places = (points @ [1, 1j] - frame[0]) / frame[1]
    return np.column_stack([places.real, places.imag])


def _out_of(frame: tuple[complex, complex], points: FloatArray) -> FloatArray:
    places = (points @ [1, 1j]) * frame[1] + frame[0]
    return np.column_stack([places.real, places.imag])


def _flat(seen: Sequence[_Seen]) -> FloatArray:
    """Deviations from the mean shape, shape (faces, 136)."""
    mean = default_box_map().mean_shape
    return np.array([(face.shape - mean).ravel() for face in seen])


def _terms(face: _Seen, modes: FloatArray) -> FloatArray:
    yaw = face.yaw / _YAW_UNIT
    return np.concatenate([[1.0, yaw, abs(yaw)], (_flat([face]) @ modes.T)[0]])


def _fit(seen: Sequence[_Seen], modes: FloatArray) -> FloatArray:
    """Weights of `_terms` for each coordinate, shape (terms, 136)."""
    terms = np.array([_terms(face, modes) for face in seen])
    wanted = np.array([(face.predicted - face.given).ravel() for face in seen])
    weights = np.zeros((terms.shape[1], wanted.shape[1]))
    for column, values in enumerate(wanted.T):
        known = np.isfinite(values)
        own = terms[known]
        normal = own.T @ own + _RIDGE * np.eye(own.shape[1])
        weights[:, column] = np.linalg.solve(normal, own.T @ values[known])
    return weights


def _moved(
    face: FaceAnnotation, seen: _Seen, modes: FloatArray, weights: FloatArray
) -> FaceAnnotation:
    low, high = KEPT_YAW
    share = float(np.clip((high - abs(seen.yaw)) / (high - low), 0, 1))
    _, frame = _own_frame(default_box_map().complete(face.points))
    shift = (_terms(seen, modes) @ weights).reshape(-1, 2)
    return replace(face, points=_out_of(frame, seen.given + share * shift))
