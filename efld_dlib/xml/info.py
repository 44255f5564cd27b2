"""What a dlib XML file holds: counts, boxes, landmarks and the poses of its faces."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from ..boxes import Box, FloatArray, annotated
from ..landmarks import FACE_68, Scheme
from ..parallel import parallel_map, progress, resolve_jobs
from ..pose import estimate_poses, has_pose, mean_face_3d, rotation_matrix, scheme_poses
from ..records import ImageRecord, convert_points
from ..shapes import mean_shape, similarity
from .image_state import PictureState, picture_state

# Edges of the bins in degrees; one more bin at each end takes the rest.
POSE_BINS = {
    "yaw": tuple(range(-90, 91, 15)),
    "pitch": tuple(range(-60, 61, 10)),
    "roll": tuple(range(-90, 91, 15)),
}

_BAR = 40


class Statistics(NamedTuple):
    """Five numbers of a sample; NaN for an empty one."""

    minimum: float
    median: float
    maximum: float
    mean: float
    deviation: float

    @classmethod
    def of(cls, values: FloatArray) -> Statistics:
        """Statistics of the finite ones of `values`, shape (n,).

        Examples
        --------
        >>> sample = Statistics.of(np.array([1.0, 2.0, 6.0, np.nan]))
        >>> sample.minimum, sample.median, sample.maximum, sample.mean
        (1.0, 2.0, 6.0, 3.0)
        """
        values = values[np.isfinite(values)]
        if not len(values):
            return cls(*[float("nan")] * 5)
        numbers = values.min(), np.median(values), values.max(), values.mean(), values.std()
        return cls(*(float(number) for number in numbers))


@dataclass(frozen=True)
class Bin:
    """A bin of a histogram, from `low` to below `high`; one is None at an open end.

    Examples
    --------
    >>> Bin(-15, 0, count=8).label, Bin(90, None, count=1).label
    ('-15 to 0', '90 and more')
    """

    low: int | None
    high: int | None
    count: int

    @property
    def label(self) -> str:
        """The bin in words."""
        if self.low is None:
            return f"below {self.high}"
        return f"{self.low} and more" if self.high is None else f"{self.low} to {self.high}"


@dataclass
class XmlInfo:
    """Contents of an XML file.

    Parameters
    ----------
    pictures, empty_pictures : int
        Entries, and those of them without a face.
    faces, boxes : int
        Different faces, and boxes with their copies.
    scheme : str
        Which landmarks the faces have; empty for a scheme of the file's own.
    landmarks : int
        Number of landmarks of the scheme.
    full_faces : int
        Faces that have all landmarks.
    lacking : dict of str to int
        For each landmark that some face lacks, the number of such faces.
    box_width, box_height, box_aspect : Statistics
        Pixels of the pictures, and width by height; each face counted once.
    unreadable_pictures, reaching_out, outside : int or None
        Pictures that dlib cannot read, and faces whose box reaches over the picture's edge or lies
        wholly outside; None where the pictures were not opened.
    pose : dict of str to Statistics
        Degrees, from the landmarks; empty for a scheme that tells no pose.
    pose_bins : dict of str to list of Bin
    pose_unknown : int
        Faces whose landmarks do not determine a pose.
    """

    pictures: int = 0
    empty_pictures: int = 0
    faces: int = 0
    boxes: int = 0
    scheme: str = "68"
    landmarks: int = 68
    full_faces: int = 0
    lacking: dict[str, int] = field(default_factory=dict)
    box_width: Statistics = field(default_factory=lambda: Statistics.of(np.empty(0)))
    box_height: Statistics = field(default_factory=lambda: Statistics.of(np.empty(0)))
    box_aspect: Statistics = field(default_factory=lambda: Statistics.of(np.empty(0)))
    unreadable_pictures: int | None = None
    reaching_out: int | None = None
    outside: int | None = None
    pose: dict[str, Statistics] = field(default_factory=dict)
    pose_bins: dict[str, list[Bin]] = field(default_factory=dict)
    pose_unknown: int = 0


def describe(
    records: Iterable[ImageRecord],
    scheme: Scheme = FACE_68,
    pictures: bool = True,
    jobs: int | None = None,
    show_progress: bool = False,
) -> XmlInfo:
    """Count and measure what records hold.

    Parameters
    ----------
    records : iterable of ImageRecord
    scheme : Scheme
        That of their landmarks.
    pictures : bool
        Open each picture to see whether its boxes lie in it.
    jobs : int, optional
        Processes to read pictures with; by default one a core.
    show_progress : bool
        Progress bar on stderr.

    Returns
    -------
    XmlInfo
    """
    kept = list(progress(records, None, "entries", show_progress))
    faces = [face for record in kept for face in record.faces]
    empty, boxes = sum(not record.faces for record in kept), sum(face.copies for face in faces)
    info = XmlInfo(len(kept), empty, len(faces), boxes, scheme.name, scheme.size)
    points = np.array([face.points for face in faces]).reshape(-1, scheme.size, 2)
    given = annotated(points)
    info.full_faces = int(given.all(axis=1).sum())
    absent = (~given).sum(axis=0)
    info.lacking = {scheme.points[i]: int(absent[i]) for i in np.flatnonzero(absent)}
    sides = np.array([face.box[2:] for face in faces if face.box is not None]).reshape(-1, 2)
    info.box_width, info.box_height = (Statistics.of(side) for side in sides.T)
    info.box_aspect = Statistics.of(sides[:, 0] / sides[:, 1])
    if has_pose(scheme):
        _describe_pose(info, scheme_poses(points, scheme))
    if pictures:
        paths = [record.path for record in kept]
        states = parallel_map(picture_state, paths, resolve_jobs(jobs))
        _describe_places(info, kept, progress(states, len(paths), "pictures", show_progress))
    return info


def _describe_pose(info: XmlInfo, poses: FloatArray) -> None:
    info.pose_unknown = int(np.isnan(poses).any(axis=1).sum())
    for column, (name, edges) in enumerate(POSE_BINS.items()):
        values = poses[:, column]
        info.pose[name] = Statistics.of(values)
        counts, _ = np.histogram(values[np.isfinite(values)], [-np.inf, *edges, np.inf])
        info.pose_bins[name] = [
            Bin(low, high, int(count))
            for low, high, count in zip((None, *edges), (*edges, None), counts, strict=True)
        ]


def _describe_places(
    info: XmlInfo, records: list[ImageRecord], states: Iterable[PictureState]
) -> None:
    info.unreadable_pictures = info.reaching_out = info.outside = 0
    for record, state in zip(records, states, strict=True):
        if not state.width:
            info.unreadable_pictures += 1
            continue
        whole = Box(0, 0, state.width, state.height)
        for box in (face.box for face in record.faces if face.box is not None):
            info.outside += whole.overlap(box) == 0
            info.reaching_out += (
                box.left < 0 or box.top < 0 or box.right > whole.right or box.bottom > whole.bottom
            )


def info_text(info: XmlInfo) -> str:
    """The contents as lines for people."""
    rows: list[tuple[str, Any]] = [
        ("pictures", info.pictures),
        ("  without a face", info.empty_pictures),
        ("faces", info.faces),
        ("boxes, with copies", info.boxes),
        (f"faces with all {info.landmarks} landmarks", info.full_faces),
    ]
    if info.reaching_out is not None:
        rows += [
            ("boxes over the picture's edge", info.reaching_out),
            ("  wholly outside", info.outside),
            ("pictures dlib cannot read", info.unreadable_pictures),
        ]
    lines = [f"{name:<32}{value:>9,}" for name, value in rows]
    always = [name for name, count in info.lacking.items() if count == info.faces]
    if always:
        lines.append(f"in no face: {', '.join(always)}")
    partly = [f"{name} ({count})" for name, count in info.lacking.items() if count < info.faces]
    if partly:
        lines.append(f"lacking in some faces: {', '.join(partly)}")
    lines += ["", f"{'':<16}{'min':>9}{'median':>9}{'max':>9}{'mean':>9}{'s.d.':>9}"]
    measured = [("box width", info.box_width, 0), ("box height", info.box_height, 0)]
    measured += [("width / height", info.box_aspect, 2)]
    measured += [(name, values, 1) for name, values in info.pose.items()]
    for name, values, digits in measured:
        lines.append(f"{name:<16}" + "".join(f"{number:>9.{digits}f}" for number in values))
    for name, bins in info.pose_bins.items():
        lines += ["", f"{name}, degrees"] + _bars(bins)
    if info.pose_unknown:
        lines += ["", f"{info.pose_unknown} faces have too few landmarks to tell the pose"]
    return "\n".join(lines)


def _bars(bins: list[Bin]) -> list[str]:
    most = max((bin_.count for bin_ in bins), default=0) or 1
    filled = [index for index, bin_ in enumerate(bins) if bin_.count]
    shown = bins[filled[0] : filled[-1] + 1] if filled else []
    return [
        f"  {bin_.label:>14} {bin_.count:>7} {'#' * -(-bin_.count * _BAR // most)}".rstrip()
        for bin_ in shown
    ]


# No annotated face looks further away than this; mirrored labels look like the back of a head.
_MAX_YAW = 100.0


def implausibility(points: FloatArray, scheme: Scheme = FACE_68) -> FloatArray:
    """Distance of shapes from the mean one: of faces, from the mean face in their own pose.

    The mean face in three dimensions is turned into each face's pose, laid over it with the best
    shift, turn and scale in the picture, and compared landmark by landmark. What is left is an
    open mouth or a grimace in a good annotation, and much more where points are off or swapped.
    Other things are compared with their own mean in the picture.

    Parameters
    ----------
    points : array, shape (m, n, 2)
        NaN = not annotated.
    scheme : Scheme

    Returns
    -------
    array, shape (m,)
        Root mean square distance by the face's own spread (that of its points about their middle);
        NaN with fewer than three landmarks, infinite where they are all in one place.
    """
    on_face = convert_points(points, scheme, FACE_68)
    if on_face is None:
        mean = mean_shape(points)
        return np.array([_distance(shape, mean) for shape in points])
    poses = np.nan_to_num(estimate_poses(on_face), nan=0.0)
    poses[:, 0] = np.clip(poses[:, 0], -_MAX_YAW, _MAX_YAW)
    model = mean_face_3d()
    turned = ((model @ rotation_matrix(tuple(pose)).T)[:, :2] for pose in poses)
    return np.array([_distance(*pair) for pair in zip(on_face, turned, strict=True)])


def _distance(shape: FloatArray, model: FloatArray) -> float:
    given = annotated(shape) & annotated(model)
    if given.sum() < 3:
        return float("nan")
    here = shape[given]
    spread = float(np.linalg.norm(here - here.mean(axis=0)))
    if spread < 1e-6:  # pixels; no more than rounding errors
        return float("inf")
    return float(np.linalg.norm(here - similarity(model[given], here, model[given]))) / spread
