"""The pipeline: picture, detector, canonical crop, shape predictor, `Face`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .boxes import BoxLike, RotatedBox, to_boxes
from .detection.confidence import confidence, point_confidence
from .detection.detectors import Detection, Detector
from .detection.network import LandmarkNetwork
from .detection.network_detector import NetworkDetector
from .detection.prediction import FAST_CASCADES, LANDMARK_SIZE, LandmarkStage, Quality
from .errors import OptionError
from .face import Face, TrackedFace
from .images import ColorOrder, Image, ImageSource, read_image, to_gray
from .models.forest import DlibPredictor
from .models.loading import load_refined, require_68_points, resolve_model
from .pose import estimate_pose

if TYPE_CHECKING:
    from .video.reader import Frame, VideoSource
    from .video.tracker import TrackOptions


class FaceLandmarker:
    """Finds faces and their 68 landmarks, pose and features.

    Parameters
    ----------
    model : path or dlib.shape_predictor, optional
        A 68-point predictor; by default `efld_dlib.models.loading.DEFAULT_MODEL`.
    detector : Detector, optional
        What finds the boxes; by default `NetworkDetector` in its fast mode.
    face_size : int
        Width in pixels to which a face box is scaled before the predictor sees it; at least 1.
    quality : {"fast", "balanced", "best"}
        How much time is spent on the landmarks, see `detection.prediction.Quality`.
    min_face : float or str, optional
        Width of the smallest face that is wanted, in pixels or as ``"10%"`` of the picture's
        shorter side, for the detector of the toolkit: the larger, the faster. Landmarks are
        predicted in the full picture all the same. A `detector` of one's own has its own.
    network : bool, optional
        Whether the toolkit's landmark network says where exactly a face is before the predictor
        sees it, and how likely its landmarks are right. By default it does, unless both model and
        detector are the caller's: the network was trained on pictures that may be used for
        non-commercial research only. Without it the predictor starts from the detector's box, and
        there is no confidence.
    point_confidence : bool
        Whether each landmark gets a confidence of its own, which takes about 0.4 ms a face.

    Raises
    ------
    ModelFormatError
        The model is missing, is no shape predictor, or gives another number of landmarks.
    OptionError
        There is no such quality, the face size or the smallest face is out of range, or the latter
        is given beside a detector; or landmarks are to have a confidence without the network.

    Examples
    --------
    >>> import skimage.data
    >>> from efld_dlib import FaceLandmarker
    >>> faces = FaceLandmarker().detect(skimage.data.astronaut(), "rgb")
    >>> len(faces), faces[0].points.shape
    (1, (68, 2))
    >>> faces[0].points[30].round(-1).tolist()  # the nose tip, to ten pixels
    [220.0, 130.0]

    A model and a picture of one's own:

    >>> faces = FaceLandmarker("build/efld.dat").detect("photo.jpg")  # doctest: +SKIP
    """

    def __init__(
        self,
        model: str | Path | Any | None = None,
        detector: Detector | None = None,
        face_size: int = LANDMARK_SIZE,
        quality: Quality = "balanced",
        min_face: float | str | None = None,
        network: bool | None = None,
        point_confidence: bool = False,
    ) -> None:
        if detector is None:
            detector = NetworkDetector(min_face=min_face)
        elif min_face is not None:
            raise OptionError("min_face is for the toolkit's own detector: give it or a detector")
        if network is None:
            network = model is None or isinstance(detector, NetworkDetector)
        if point_confidence and not network:
            raise OptionError("a confidence of each landmark needs the landmark network")
        if model is None or isinstance(model, (str, Path)):
            path = resolve_model(model)
            cascades = FAST_CASCADES if quality == "fast" else None
            predictor, name = load_refined(path, cascades), str(path)
        else:
            name = "<predictor>"
            predictor = model if hasattr(model, "predict") else DlibPredictor(model)
        require_68_points(predictor.points, name)
        # What is read from a file is read again, rather than copied, by who unpickles this.
        kept = model if isinstance(model, (str, Path)) or model is None else predictor
        self._made_with = (kept, detector, face_size, quality, None, network, point_confidence)
        self.predictor = predictor
        self.detector: Detector = detector
        self.network = LandmarkNetwork() if network else None
        self.point_confidence = point_confidence
        self.stage = LandmarkStage(predictor, quality, face_size)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self._made_with

    def detect(self, image: ImageSource, color: ColorOrder | None = None) -> list[Face]:
        """All faces of an image, the surest first.

        Parameters
        ----------
        image : path, bytes, file, array or Pillow image
            As in `efld_dlib.read_image`; the EXIF orientation of a file is honoured.
        color : {"rgb", "bgr", "gray"}, optional
            Channel order of an array.

        Returns
        -------
        list of Face
            Points and boxes are in pixels of the upright image.

        Raises
        ------
        DataError, OptionError
            As `efld_dlib.read_image`.
        """
        gray = to_gray(read_image(image, color))
        return [self.face_at(gray, detection) for detection in self.detector(gray)]

    def landmarks(
        self, image: ImageSource, boxes: Iterable[BoxLike], color: ColorOrder | None = None
    ) -> list[Face]:
        """The faces in boxes that the caller knows, in their order.

        Parameters
        ----------
        image, color
            As of `detect`.
        boxes : sequence of Box, dlib.rectangle or (left, top, width, height)
            In pixels of the upright image; an array of shape (n, 4) will do. They should be framed
            as dlib's frontal detector frames a face.

        Returns
        -------
        list of Face
            Their scores are NaN.

        Raises
        ------
        DataError, OptionError
            As `efld_dlib.read_image`; also if a box is empty, not finite, or no box at all.
        """
        listed = to_boxes(boxes)
        gray = to_gray(read_image(image, color))
        return [self.face_at(gray, Detection(box, float("nan"))) for box in listed]

    def track(
        self,
        source: VideoSource,
        options: TrackOptions | None = None,
        *,
        smooth: bool = False,
        color: ColorOrder = "rgb",
        fps: float = 30.0,
    ) -> Iterator[tuple[Frame, list[TrackedFace]]]:
        """The frames of a video, each with its faces, which keep their ids.

        Parameters
        ----------
        source : path, URL, int or iterable of arrays
            A video file, a stream, the number of a camera, or frames.
        options : TrackOptions, optional
            How often the detector runs, and how many faces are followed.
        smooth : bool
            Whether the landmarks are smoothed for display (`video.smoothing`), which makes
            them come later.
        color, fps
            Channel order and frames a second of `source` where it is an iterable of arrays.

        Raises
        ------
        DataError
            When the first frame is asked for: the source is missing or damaged, or a video without
            a frame. Later: an array is no picture.
        OptionError
            `color` or `fps` is invalid.

        Examples
        --------
        >>> for frame, faces in FaceLandmarker().track("video.mp4"):  # doctest: +SKIP
        ...     print(frame.number, frame.time, [face.id for face in faces])
        """
        from .video.reader import read_frames
        from .video.smoothing import FaceSmoother
        from .video.tracker import FaceTracker

        tracker = FaceTracker(self, options)
        smoother = FaceSmoother() if smooth else None
        for frame in read_frames(source, color, fps):
            faces = tracker.update(frame.gray)
            yield frame, faces if smoother is None else smoother(frame.time, faces)

    def face_at(self, gray: Image, detection: Detection, exact: bool = False) -> Face:
        """The face that a detector found in a gray image; its box is that of `detection`.

        Parameters
        ----------
        gray : array of uint8, shape (height, width)
        detection : Detection
        exact : bool
            Whether its place is known so well that the landmark network need not move it.

        Raises
        ------
        DataError
            The box is empty or not finite.
        """
        place = RotatedBox(detection.box, detection.roll)
        if self.network is None:
            points = self.stage.predict(gray, place)
            return Face(detection.box, detection.score, points, estimate_pose(points))
        look = self.network.look(gray, place)
        points = self.stage.predict(gray, place if exact else look.start or place, look)
        pose = estimate_pose(points)
        sure = confidence(look, points, pose)
        each = point_confidence(look, points, pose) if self.point_confidence else None
        return Face(detection.box, detection.score, points, pose, sure, each)
