"""Faces from frame to frame: each is looked for where its last landmarks say that it must be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Protocol

import numpy as np
from scipy.optimize import linear_sum_assignment

from ..boxes import Box, RotatedBox
from ..detection.detectors import Detection, Detector
from ..detection.framing import framed, square_box
from ..detection.network import MAX_COVER, MAX_OVERLAP
from ..errors import OptionError
from ..face import Face, TrackedFace
from ..images import ColorOrder, Image, ImageSource, read_image, to_gray
from ..landmarks import FACE_68
from .reader import frame_of

LONGEST_WAIT = 8
"""Frames after which a picture in which nothing was found is searched again, at most."""

ASSOCIATION_OVERLAP = 0.2
"""Least intersection over union of a lost face's last box and of that in which it is found."""

# Between two frames: how far a face's box grows or shrinks, and its overlap with the old one.
_MAX_GROWTH = 1.5
_LEAST_OVERLAP = 0.2
# Narrower boxes hold too few pixels to follow a face.
_LEAST_WIDTH = 16.0


@dataclass(frozen=True)
class TrackOptions:
    """How faces are followed.

    Parameters
    ----------
    detect_every : int
        Frames after which the detector looks for new faces while all known ones are followed.
    max_faces : int, optional
        Most faces at a time, the surest; while there are so many, nothing is searched.
    keep_confidence : float
        A followed face is lost if its confidence falls below this.
    patience : int
        Frames for which a lost face keeps its id.

    Raises
    ------
    OptionError
        A number is out of range.
    """

    detect_every: int = 30
    max_faces: int | None = None
    keep_confidence: float = 0.2
    patience: int = 15

    def __post_init__(self) -> None:
        if self.detect_every < 1:
            raise OptionError(f"detect_every must be at least 1 frame, not {self.detect_every}")
        if self.max_faces is not None and self.max_faces < 1:
            raise OptionError(f"max_faces must be at least 1, not {self.max_faces}")
        if self.patience < 0:
            raise OptionError(f"patience must not be negative, but is {self.patience}")


class Landmarker(Protocol):
    """What finds faces and their landmarks: `efld_dlib.FaceLandmarker`."""

    @property
    def detector(self) -> Detector: ...

    @property
    def follows(self) -> bool: ...

    def face_at(self, gray: Image, detection: Detection, exact: bool = False) -> Face: ...


@dataclass
class _Track:
    """What is remembered of a face: where it was, how it moves, for how long it is lost."""

    id: int
    place: RotatedBox
    velocity: tuple[float, float] = (0.0, 0.0)
    missed: int = 0

    @property
    def expected(self) -> RotatedBox:
        """Where the face must be in the next frame, if it moves on as it did."""
        x, y = self.place.box.center
        moved = square_box(x + self.velocity[0], y + self.velocity[1], self.place.box.width)
        return RotatedBox(moved, self.place.roll)

    def move(self, place: RotatedBox, known: bool) -> None:
        """Take over where the face is now."""
        shift = np.subtract(place.box.center, self.place.box.center)
        # After a gap nobody knows how fast the face is.
        self.velocity = (float(shift[0]), float(shift[1])) if known else (0.0, 0.0)
        self.place, self.missed = place, 0

    def lose(self) -> None:
        self.velocity, self.missed = (0.0, 0.0), self.missed + 1


class FaceTracker:
    """Follows the faces of a video, one frame after the other.

    Where a face was tells where its landmarks are looked for, which takes a fraction of the time of
    the detector. The detector runs in the first frame, every `TrackOptions.detect_every` frames,
    and when a face is lost; where it finds nothing, again after 1, 2, 4 and then every
    `LONGEST_WAIT` frames.

    Parameters
    ----------
    landmarker : Landmarker
        Such as a `FaceLandmarker`.
    options : TrackOptions, optional

    Attributes
    ----------
    detections : int
        How often the detector ran.

    Examples
    --------
    >>> import numpy as np
    >>> import skimage.data
    >>> from efld_dlib import FaceLandmarker, FaceTracker
    >>> tracker = FaceTracker(FaceLandmarker(quality="fast"))
    >>> picture = skimage.data.astronaut()
    >>> for shift in (0, 3, 6):
    ...     for face in tracker(np.roll(picture, shift, axis=1), "rgb"):
    ...         print(face.id, face.points.shape)
    1 (68, 2)
    1 (68, 2)
    1 (68, 2)
    >>> tracker.detections
    1
    """

    def __init__(self, landmarker: Landmarker, options: TrackOptions | None = None) -> None:
        self.landmarker = landmarker
        self.options = options if options is not None else TrackOptions()
        self.detections = 0
        self._ids = count(1)
        self._tracks: list[_Track] = []
        self._shape: tuple[int, ...] = ()
        self._since_detection, self._wait = 0, 1

    def __call__(self, image: ImageSource, color: ColorOrder | None = None) -> list[TrackedFace]:
        """The faces of the next frame, in the order of their ids.

        Parameters
        ----------
        image : path, bytes or array
            As in `efld_dlib.images.read_image`.
        color : {"rgb", "bgr", "gray"}, optional
            Channel order of an array.

        Raises
        ------
        DataError, OptionError
            As `read_image`.
        """
        if isinstance(image, np.ndarray):
            return self.update(frame_of(image, color).gray)
        return self.update(to_gray(read_image(image, color)))

    def update(self, gray: Image) -> list[TrackedFace]:
        """The faces of the next frame, which is gray, in the order of their ids."""
        if gray.shape != self._shape:
            # Places of a frame of another size mean nothing here.
            self._tracks, self._shape, self._wait = [], gray.shape, 1
        faces = self._follow(gray)
        self._since_detection += 1
        if self._detection_is_due(len(faces)):
            faces += self._detect(gray, faces)
        self._tracks = [each for each in self._tracks if each.missed <= self.options.patience]
        return sorted(faces, key=lambda face: face.id)

    def _follow(self, gray: Image) -> list[TrackedFace]:
        """Those of the known faces that are where they are expected; the others are lost."""
        # The faces that are there, each with its place and how far that is the expected one.
        there: list[tuple[_Track, Face, RotatedBox, float]] = []
        # Without the network nothing says whether a face is still there: the detector looks in
        # every frame.
        for track in self._tracks if self.landmarker.follows else ():
            expected = track.expected
            face = self.landmarker.face_at(gray, Detection(expected.box, 0.0, expected.roll), True)
            place = _wanted(face, expected)
            held = _holds(expected, face, place, gray.shape)
            if held and face.confidence >= self.options.keep_confidence:
                there.append((track, face, place, place.box.overlap(expected.box)))
        # Where one face hides another, both are found at the one in front: the other has jumped.
        there.sort(key=lambda each: -each[-1])
        faces: list[TrackedFace] = []
        for track, face, place, _ in there:
            if not any(same_face(place.box, other.box) for other in faces):
                track.move(place, known=not track.missed)
                faces.append(TrackedFace.of(face, track.id, box=place.box, score=face.confidence))
        followed = {face.id for face in faces}
        for track in self._tracks:
            if track.id not in followed:
                track.lose()
        return faces

    def _detection_is_due(self, followed: int) -> bool:
        if self.options.max_faces is not None and followed >= self.options.max_faces:
            return False
        every = self.options.detect_every
        if followed and followed == len(self._tracks):
            return self._since_detection >= every
        just_lost = any(track.missed == 1 for track in self._tracks)
        return just_lost or self._since_detection >= min(self._wait, every)

    def _detect(self, gray: Image, followed: Sequence[TrackedFace]) -> list[TrackedFace]:
        """What the detector finds beside the faces that are followed: new ones, and lost ones."""
        self.detections += 1
        self._since_detection = 0
        lost = [track for track in self._tracks if track.missed]
        taken = [face.box for face in followed]
        found: list[tuple[Detection, Face, RotatedBox]] = []
        for detection in self.landmarker.detector(gray):
            if len(taken) == self.options.max_faces:
                break
            face = self.landmarker.face_at(gray, detection)
            place = _wanted(face, RotatedBox(detection.box, detection.roll))
            if not any(same_face(place.box, other) for other in taken):
                found.append((detection, face, place))
                taken.append(place.box)
        # What is not there is searched for less and less often.
        self._wait = 1 if found else min(2 * self._wait, LONGEST_WAIT)
        pairs = associate([track.place.box for track in lost], [place.box for *_, place in found])
        faces = []
        for number, (detection, face, place) in enumerate(found):
            if number in pairs:
                track = lost[pairs[number]]
            else:
                track = _Track(next(self._ids), place)
                self._tracks.append(track)
            track.move(place, known=False)
            faces.append(TrackedFace.of(face, track.id, box=place.box, score=detection.score))
        return faces


def _wanted(face: Face, place: RotatedBox) -> RotatedBox:
    """The place that landmarks ask for; the one they come from if they ask for none."""
    if face.scheme != FACE_68:
        return place
    box = framed(face.points, face.pose.roll)
    if np.isfinite(box).all() and box.width >= _LEAST_WIDTH:
        return RotatedBox(box, face.pose.roll)
    return place


def _holds(expected: RotatedBox, face: Face, place: RotatedBox, shape: tuple[int, ...]) -> bool:
    """Whether landmarks are those of the face that was expected: it neither jumps nor leaves."""
    growth = place.box.width / expected.box.width
    x, y = place.box.center
    return (
        bool(np.isfinite(face.pose).all())
        and 1 / _MAX_GROWTH < growth < _MAX_GROWTH
        and place.box.overlap(expected.box) > _LEAST_OVERLAP
        and -0.5 <= x <= shape[1] - 0.5
        and -0.5 <= y <= shape[0] - 0.5
    )


def associate(known: Sequence[Box], found: Sequence[Box]) -> dict[int, int]:
    """The pairs of boxes whose intersections over unions have the largest sum.

    Returns
    -------
    dict
        Number of a found box -> number of the known one; pairs below `ASSOCIATION_OVERLAP` are left
        out.

    Examples
    --------
    >>> known = [Box(0, 0, 50, 50), Box(200, 0, 50, 50)]
    >>> associate(known, [Box(205, 0, 50, 50), Box(400, 0, 50, 50)])
    {0: 1}
    """
    if not (known and found):
        return {}
    overlaps = [[old.overlap(new) for new in found] for old in known]
    rows, columns = linear_sum_assignment(overlaps, maximize=True)
    return {
        int(new): int(old)
        for old, new in zip(rows, columns, strict=True)
        if overlaps[old][new] >= ASSOCIATION_OVERLAP
    }


def same_face(box: Box, other: Box) -> bool:
    """Whether two boxes overlap so far that they are of one face."""
    overlap = box.overlap(other)
    smaller = min(box.width * box.height, other.width * other.height)
    union = (box.width * box.height + other.width * other.height) / (1 + overlap)
    return overlap > MAX_OVERLAP or overlap * union > MAX_COVER * smaller
