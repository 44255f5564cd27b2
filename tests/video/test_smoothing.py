import numpy as np
import pytest

from efld_dlib import Box, FaceLandmarker, FaceSmoother, Smoothing, TrackedFace
from efld_dlib.errors import OptionError
from efld_dlib.pose import estimate_pose, mean_face_3d
from efld_dlib.video.smoothing import OneEuroFilter


def face(points, number=1):
    box = Box(*points.min(axis=0), 100.0, 100.0)
    return TrackedFace(box=box, score=1.0, points=points, pose=estimate_pose(points), id=number)


POINTS = mean_face_3d()[:, :2] * 60 + 200


def test_values_worked_out_by_hand():
    # One second a step, cutoffs 1/(2 pi) at rest: shares are 1/2; the speed's share too.
    cutoff = 1 / (2 * np.pi)
    smooth = OneEuroFilter(Smoothing(cutoff, 0.0, cutoff))
    values = [smooth(t, np.array([[x, 0.0]]), 1.0)[0, 0] for t, x in enumerate([0, 8, 8, 8])]
    assert values == pytest.approx([0, 4, 6, 7])
    # With beta: speed 1/2 * 8 = 4, so the cutoff is (1 + 4)/(2 pi) and the share 5/6.
    smooth = OneEuroFilter(Smoothing(cutoff, cutoff, cutoff))
    smooth(0.0, np.zeros((1, 2)), 1.0)
    assert smooth(1.0, np.array([[8.0, 0.0]]), 1.0)[0, 0] == pytest.approx(8 * 5 / 6)


def test_noise_at_rest_goes_and_motion_is_followed():
    rng = np.random.default_rng(0)
    smoother, rough, steady = FaceSmoother(), [], []
    for frame in range(60):
        noisy = POINTS + rng.normal(0, 1, POINTS.shape)
        rough.append(noisy)
        (seen,) = smoother(frame / 30, [face(noisy)])
        steady.append(seen.points)
    assert np.std(steady[10:], axis=0).mean() < 0.6 * np.std(rough[10:], axis=0).mean()
    moving = FaceSmoother()
    for frame in range(60):
        (seen,) = moving(frame / 30, [face(POINTS + [6.0 * frame, 0])])
    behind = POINTS[:, 0] + 6.0 * 59 - seen.points[:, 0]
    # Less than half a frame's way.
    assert 0 <= behind.mean() < 3


def test_size_does_not_matter():
    small, large = OneEuroFilter(Smoothing()), OneEuroFilter(Smoothing())
    for frame in range(9):
        points = POINTS + [frame**2, 0]
        one, three = small(frame / 30, points, 100.0), large(frame / 30, 3 * points, 300.0)
    np.testing.assert_allclose(three, 3 * one)


def test_faces_are_smoothed_each_for_itself_and_begin_anew_after_a_gap():
    smoother = FaceSmoother()
    smoother(0.0, [face(POINTS), face(POINTS + 300, 2)])
    one, two = smoother(0.03, [face(POINTS), face(POINTS + 300, 2)])
    np.testing.assert_allclose(two.points, one.points + 300)
    (late,) = smoother(5.0, [face(POINTS + 90)])
    np.testing.assert_array_equal(late.points, POINTS + 90)


def test_a_time_that_stands_still_changes_nothing():
    smooth = OneEuroFilter(Smoothing())
    first = smooth(1.0, POINTS, 100.0)
    np.testing.assert_array_equal(smooth(1.0, POINTS + 5, 100.0), first)


def test_settings_out_of_range():
    with pytest.raises(OptionError, match="cutoffs"):
        Smoothing(min_cutoff=0)


def test_track_smooths_only_when_asked(astronaut):
    landmarker = FaceLandmarker()
    rng = np.random.default_rng(1)
    frames = [
        np.clip(astronaut + rng.normal(0, 6, astronaut.shape), 0, 255).astype(np.uint8)
        for _ in range(8)
    ]
    paths = {
        smooth: np.array([f[0].points for _, f in landmarker.track(frames, smooth=smooth)])
        for smooth in (False, True)
    }
    spread = {key: np.std(points[3:], axis=0).mean() for key, points in paths.items()}
    assert 0 < spread[True] < 0.7 * spread[False]
