import numpy as np
import pytest

from efld_dlib import FaceLandmarker, FaceTracker, TrackOptions
from efld_dlib.boxes import Box, Pose
from efld_dlib.detection.detectors import Detection
from efld_dlib.detection.framing import default_box_map
from efld_dlib.errors import DataError, OptionError
from efld_dlib.face import Face
from efld_dlib.video.tracker import associate
from tests.video.videos import clip, shifts

EMPTY = np.full((360, 480, 3), 128, np.uint8)


@pytest.fixture(scope="module")
def landmarker():
    return FaceLandmarker()


class Counting:
    """A detector that counts how often it is asked, and can be made blind."""

    def __init__(self, detector):
        self.detector, self.calls = detector, 0

    def __call__(self, gray):
        self.calls += 1
        return self.detector(gray)


@pytest.fixture
def counted(landmarker):
    return FaceLandmarker(landmarker.predictor, Counting(landmarker.detector), network=True)


def test_a_face_is_followed_without_the_detector(counted, astronaut):
    tracker = FaceTracker(counted, TrackOptions(detect_every=8))
    frames = clip(astronaut, 20)
    found = [tracker(frame, "rgb") for frame in frames]
    assert [[face.id for face in faces] for faces in found] == [[1]] * 20
    # Frames 0, 8 and 16.
    assert counted.detector.calls == tracker.detections == 3
    points = np.array([faces[0].points for faces in found])
    still = points - shifts(20)[:, np.newaxis]
    eyes = np.linalg.norm(points[0, 36] - points[0, 45])
    assert np.linalg.norm(still - still.mean(axis=0), axis=2).mean() < 0.04 * eyes
    detected = counted.detect(frames[13], "rgb")[0]
    assert np.linalg.norm(detected.points - points[13], axis=1).mean() < 0.04 * eyes
    assert found[13][0].box.overlap(detected.box) > 0.8
    assert found[13][0].score == found[13][0].confidence > 0.5


def test_with_all_faces_that_are_wanted_nothing_is_searched(counted, astronaut):
    tracker = FaceTracker(counted, TrackOptions(detect_every=2, max_faces=1))
    for frame in clip(astronaut, 8):
        assert len(tracker(frame, "rgb")) == 1
    assert counted.detector.calls == 1


def test_a_face_that_goes_is_lost_and_comes_back_with_its_id(counted, astronaut):
    tracker = FaceTracker(counted, TrackOptions(patience=5))
    (frame,) = clip(astronaut, 1)
    for _ in range(3):
        (before,) = tracker(frame, "rgb")
    assert [tracker(EMPTY, "rgb") for _ in range(3)] == [[]] * 3
    (after,) = tracker(frame, "rgb")
    assert after.id == before.id == 1
    # Longer than the patience: another one, for all that is known.
    for _ in range(7):
        assert tracker(EMPTY, "rgb") == []
    later = [tracker(frame, "rgb") for _ in range(9)]
    assert [face.id for face in later[-1]] == [2]


def test_an_empty_video_is_searched_less_and_less_often(counted):
    tracker = FaceTracker(counted)
    for _ in range(24):
        assert tracker(EMPTY, "rgb") == []
    # Frames 0, 2, 6, 14, 22: after 1, 2, 4 and then 8 frames, the first at once.
    assert counted.detector.calls == 5


def test_two_faces_keep_their_ids_when_one_leaves(landmarker, astronaut):
    face = astronaut[40:240, 120:320]
    both = np.hstack([face, face[:, ::-1]])
    one = np.hstack([np.full_like(face, 128), face[:, ::-1]])
    tracker = FaceTracker(landmarker)
    for _ in range(3):
        first, second = tracker(both, "rgb")
    assert {first.id, second.id} == {1, 2}
    right = max((first, second), key=lambda each: each.box.left)
    (left_over,) = tracker(one, "rgb")
    assert left_over.id == right.id
    again = tracker(both, "rgb")
    assert {each.id for each in again} == {1, 2}
    assert max(again, key=lambda each: each.box.left).id == right.id


def test_without_the_network_the_detector_looks_in_every_frame(landmarker, astronaut):
    plain = FaceLandmarker(landmarker.predictor, Counting(landmarker.detector))
    tracker = FaceTracker(plain)
    found = [tracker(frame, "rgb") for frame in clip(astronaut, 5)]
    assert [[face.id for face in faces] for faces in found] == [[1]] * 5
    assert plain.detector.calls == 5


def test_a_frame_of_another_size_begins_anew(counted, astronaut):
    tracker = FaceTracker(counted)
    tracker(astronaut, "rgb")
    (face,) = tracker(np.ascontiguousarray(astronaut[:400, :400]), "rgb")
    assert (face.id, counted.detector.calls) == (2, 2)


def test_colour_orders_and_files_are_the_same_face(landmarker, astronaut):
    one, two = FaceTracker(landmarker), FaceTracker(landmarker)
    (rgb,) = one(astronaut, "rgb")
    (bgr,) = two(np.ascontiguousarray(astronaut[:, :, ::-1]), "bgr")
    np.testing.assert_allclose(rgb.points, bgr.points, atol=1e-3)
    with pytest.raises(DataError, match="cannot be read"):
        one("/no/such/picture.jpg")


@pytest.mark.parametrize(
    "wrong",
    [{"detect_every": 0}, {"max_faces": 0}, {"patience": -1}],
    ids=lambda each: next(iter(each)),
)
def test_options_out_of_range(wrong):
    with pytest.raises(OptionError, match=next(iter(wrong))):
        TrackOptions(**wrong)


def test_boxes_are_paired_for_the_best_sum():
    # The first known box overlaps both, the second only the first found one.
    known = [Box(0, 0, 10, 10), Box(-6, 0, 10, 10)]
    found = [Box(-1, 0, 10, 10), Box(3, 0, 10, 10), Box(100, 0, 10, 10)]
    assert associate(known, found) == {0: 1, 1: 0}
    assert associate([], found) == {}


class Scripted:
    """A landmarker that finds two faces beside each other, then both in one place."""

    follows = True

    def __init__(self):
        self.place = None

    def detector(self, gray):
        return [Detection(Box(left, 100, 100, 100), 0.9) for left in (100, 160)]

    def face_at(self, gray, detection, exact=False):
        box = self.place or detection.box
        shape = default_box_map().mean_shape
        framed = default_box_map().predict(shape)
        points = (shape - framed.center) * (box.width / framed.width) + box.center
        return Face(box, detection.score, points, Pose(0, 0, 0), 0.9)


@pytest.mark.parametrize(("left", "stays"), [(120, 1), (145, 2)])
def test_of_two_faces_in_one_place_the_one_that_moved_less_stays(left, stays):
    landmarker = Scripted()
    tracker = FaceTracker(landmarker)
    assert [face.id for face in tracker(EMPTY, "rgb")] == [1, 2]
    landmarker.place = Box(left, 100, 100, 100)
    assert [face.id for face in tracker(EMPTY, "rgb")] == [stays]
