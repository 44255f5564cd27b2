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
from .errors import ModelFormatError, OptionError
from .face import Face, TrackedFace
from .images import ColorOrder, Image, ImageSource, read_image, to_gray
from .landmarks import FACE_68, Scheme
from .models.forest import DlibPredictor
from .models.loading import load_refined, resolve_model, scheme_of
from .pose import scheme_pose

if TYPE_CHECKING:
    from .video.reader import Frame, VideoSource
    from .video.tracker import TrackOptions


class FaceLandmarker:
    """Finds faces and their landmarks, pose and features; or other things, with their points.

    Parameters
    ----------
    model : path or dlib.shape_predictor, optional
        A predictor; by default `efld_dlib.models.loading.DEFAULT_MODEL`, of the 68 landmarks.
    detector : Detector, optional
        What finds the boxes; by default `NetworkDetector` in its fast mode, if the model's
        landmarks are those of a face. Other things have no detector unless it is given.
    face_size : int
        Width in pixels to which a face box is scaled before the predictor sees it; at least 1.
    quality : {"fast", "balanced", "best"}
        How much time is spent on the landmarks, see `detection.prediction.Quality`.
    min_face : float or str, optional
        Width of the smallest face that is wanted, in pixels or as ``"10%"`` of the picture's
        shorter side, for the detector of the toolkit: the larger, the faster. Landmarks are
        predicted in the full picture all the same. A `detector` of one's own has its own.
    min_score : float, optional
        Lowest score of a face that counts, for the detector of the toolkit.
    network : bool, optional
        Whether the toolkit's landmark network says where exactly a face is before the predictor
        sees it, and how likely its landmarks are right. By default it does of a face, unless both
        model and detector are the caller's: the network was trained on pictures that may be used
        for non-commercial research only. Without it the predictor starts from the detector's box,
        and there is no confidence.
    point_confidence : bool
        Whether each landmark gets a confidence of its own, which takes about 0.4 ms a face.
    scheme : Scheme, optional
        What the model's landmarks are; by default what the model says, or the `.json` beside it.

    Raises
    ------
    ModelFormatError
        The model is missing, is no shape predictor, or gives another number of landmarks than its
        scheme has.
    OptionError
        There is no such quality, the face size or the smallest face is out of range, or the latter
        is given beside a detector; or landmarks are to have a confidence without the network, or
        others than the 68.

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
        min_score: float | None = None,
        network: bool | None = None,
        point_confidence: bool = False,
        scheme: Scheme | None = None,
    ) -> None:
        for name, value in (("min_face", min_face), ("min_score", min_score)):
            if detector is not None and value is not None:
                raise OptionError(
                    f"{name} is for the toolkit's own detector: give it or a detector"
                )
        if model is None or isinstance(model, (str, Path)):
            path = resolve_model(model)
            cascades = FAST_CASCADES if quality == "fast" else None
            predictor, stated = load_refined(path, cascades)
            name = str(path)
        else:
            name = "<predictor>"
            predictor = model if hasattr(model, "predict") else DlibPredictor(model)
            stated = scheme_of({}, predictor.points, name)
        if scheme is None:
            scheme = stated
        elif scheme.size != predictor.points:
            problem = f"predicts {predictor.points} landmarks, and {scheme.title} has {scheme.size}"
            raise ModelFormatError(name, problem)
        if network and not scheme.face:
            raise OptionError("the landmark network is for faces, which these points are not of")
        if not scheme.face and (min_face is not None or min_score is not None):
            raise OptionError(
                "min_face and min_score are for a detector: name one for these things"
            )
        if detector is None:
            detector = (
                NetworkDetector(min_score=min_score, min_face=min_face)
                if scheme.face
                else _NoDetector(name)
            )
        if network is None:
            network = scheme.face and (model is None or isinstance(detector, NetworkDetector))
        if point_confidence and not (network and scheme == FACE_68):
            raise OptionError(
                "a confidence of each landmark needs the landmark network, and the 68 landmarks"
            )
        # What is read from a file is read again, rather than copied, by who unpickles this.
        kept = model if isinstance(model, (str, Path)) or model is None else predictor
        self._made_with = (
            *(kept, detector, face_size, quality, None, None, network, point_confidence, scheme),
        )
        self.predictor = predictor
        self.scheme = scheme
        self.detector: Detector = detector
        self.network = LandmarkNetwork() if network else None
        self.point_confidence = point_confidence
        self.stage = LandmarkStage(predictor, quality, face_size, scheme)

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
            as dlib's frontal detector frames a face, or as those that the model was trained on.

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
        box, score, scheme = detection.box, detection.score, self.scheme
        look = None if self.network is None else self.network.look(gray, place)
        start = place if exact or look is None or look.start is None else look.start
        points = self.stage.predict(gray, start, look)
        pose = scheme_pose(points, scheme)
        if look is None or scheme != FACE_68:
            return Face(box, score, points, pose, scheme=scheme)
        sure = confidence(look, points, pose)
        each = point_confidence(look, points, pose) if self.point_confidence else None
        return Face(box, score, points, pose, sure, each)

    @property
    def follows(self) -> bool:
        """Whether it tells how sure a face's landmarks are, so that a face can be followed."""
        return self.network is not None and self.scheme == FACE_68


class _NoDetector:
    """What is asked for things that nobody has a detector for."""

    def __init__(self, model: str) -> None:
        self.model = model

    def __call__(self, gray: Image) -> list[Detection]:
        raise no_detector(self.model)


def no_detector(model: str) -> OptionError:
    """What to say of a model that was given none and whose points are not known as a face's."""
    return OptionError(
        f"{model} has points that are not known as a face's, so that no detector is known "
        "for them: name one (--detector things.svm; fast, if it is faces), or give the boxes"
    )
