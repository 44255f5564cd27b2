import json

import numpy as np
import pytest
from click.testing import CliRunner

from efld_dlib import Box, FaceAnnotation, FaceLandmarker, ImageRecord
from efld_dlib.datasets.w300 import read_w300
from efld_dlib.drawing import write_image
from efld_dlib.errors import DataError, OptionError, Problems
from tools.benchmarks.__main__ import benchmarks
from tools.benchmarks.clips import REST, make_clip, usable_records
from tools.benchmarks.video import (
    VideoFigures,
    jitter,
    lag,
    nearest_face,
    nme_ratio,
    run_video_benchmark,
)
from tools.sample.folder import write_pts


@pytest.fixture(scope="module")
def record(astronaut_pixels, tmp_path_factory):
    path = tmp_path_factory.mktemp("face") / "astronaut.png"
    # Without the model of a space shuttle.
    pixels = np.ascontiguousarray(astronaut_pixels[:, :390])
    write_image(path, pixels)
    (face,) = FaceLandmarker().landmarks(pixels, [Box(179, 83, 88, 88)], "rgb")
    return ImageRecord(path, (FaceAnnotation(face.points),))


def test_truth_moves_with_the_picture(record):
    clip = make_clip(record, REST + 40, 160, np.random.default_rng(0))
    assert clip.frames[0].shape == (480, 640, 3)
    np.testing.assert_array_equal(clip.truth[0], clip.truth[REST - 1])
    # The noise differs, and nothing else does.
    first, second = (clip.frames[n].astype(int) for n in (0, 1))
    assert 2 < np.std(first - second) < 6
    assert max(np.ptp(clip.truth[0], axis=0)) + 1 == pytest.approx(160, abs=1.5)
    # A detector that knows nothing of the motion finds the points where the truth says.
    landmarker = FaceLandmarker()
    for number in (0, REST + 12, REST + 39):
        (face,) = landmarker.detect(clip.frames[number], "bgr")
        eyes = np.linalg.norm(clip.truth[number, 36] - clip.truth[number, 45])
        errors = np.linalg.norm(face.points - clip.truth[number], axis=1)
        assert errors.mean() < 0.05 * eyes
    assert np.linalg.norm(clip.truth[-1, 30] - clip.truth[0, 30]) > 50


def test_a_large_photograph_is_averaged_down(record):
    clip = make_clip(record, 1, 60, np.random.default_rng(0))
    assert max(np.ptp(clip.truth[0], axis=0)) == pytest.approx(59, abs=1.5)


def test_pictures_that_can_be_used(record):
    hidden = record.faces[0].points.copy()
    hidden[3] = np.nan
    two = ImageRecord(record.path, record.faces * 2)
    part = ImageRecord(record.path, (FaceAnnotation(hidden),))
    rng = np.random.default_rng(0)
    assert usable_records([two, part, record], rng) == [record]
    with pytest.raises(DataError, match="no face with all 68"):
        usable_records([two, part], rng)


def test_jitter_by_hand():
    # Two landmarks for four frames: one stands, the other goes to and fro by 2 px.
    points = np.zeros((4, 2, 2))
    points[:, 1, 0] = [0, 4, 0, 4]
    assert jitter(points) == pytest.approx(np.sqrt(2))
    points[2] = np.nan
    assert np.isfinite(jitter(points))
    assert np.isnan(jitter(np.full((3, 2, 2), np.nan)))


@pytest.mark.parametrize("delay", [0.0, 0.5, 2.25, -1.0])
def test_a_known_lag_is_found(delay):
    times = np.arange(60)

    def path(at):
        return np.column_stack([50 * np.sin(at / 6), 20 * np.cos(at / 9)])

    late = path(times - delay) + np.random.default_rng(0).normal(0, 0.3, (60, 2))
    assert lag(late, path(times)) == pytest.approx(delay, abs=0.08)
    late[20:30] = np.nan
    assert lag(late, path(times)) == pytest.approx(delay, abs=0.08)
    assert np.isnan(lag(np.full((60, 2), np.nan), path(times)))


def test_the_face_that_is_meant(record):
    truth = record.faces[0].points
    np.testing.assert_array_equal(nearest_face([truth + 90, truth + 2], truth), truth + 2)
    assert np.isnan(nearest_face([truth + 300], truth)).all()
    assert np.isnan(nearest_face([], truth)).all()


def test_the_ratio_of_errors_is_of_common_frames():
    mine = [np.array([0.02, np.nan, 0.04])]
    theirs = [np.array([0.01, 0.5, 0.02])]
    assert nme_ratio(mine, theirs) == pytest.approx(2)
    assert np.isnan(nme_ratio([np.array([np.nan])], [np.array([0.1])]))


class Truth:
    """A method that answers what it is told, two frames late."""

    name = "late"

    def __init__(self, truth):
        self.truth = truth

    def run(self, frames):
        return [[self.truth[max(0, frame.number - 2)]] for frame in frames]


def test_the_benchmark_finds_what_was_put_in(record, tmp_path):
    clip = make_clip(record, REST + 20, 150, np.random.default_rng(0))
    gone = ImageRecord(tmp_path / "gone.png", record.faces)
    problems = Problems()
    result = run_video_benchmark(
        [Truth(clip.truth)],
        ["late"],
        FaceLandmarker(),
        [record, gone],
        2,
        REST + 20,
        problems=problems,
    )
    (figures,) = result.figures
    assert isinstance(figures, VideoFigures)
    assert (result.clips, result.left_out, len(problems.errors)) == (["astronaut"], 0, 1)
    assert figures.jitters[0] == pytest.approx(0, abs=1e-9)
    assert figures.lags[0] == pytest.approx(2, abs=0.05)
    assert (figures.errors[0][:REST] == 0).all()
    assert figures.decoding[0] > 0
    assert figures.processor_decoding[0] > 0


def test_the_command_prints_its_table(record, tmp_path):
    folder = tmp_path / "faces"
    folder.mkdir()
    (folder / "a.png").write_bytes(record.path.read_bytes())
    write_pts(folder / "a.pts", record.faces[0].points)
    assert len(list(read_w300(folder))) == 1
    arguments = [str(folder), "--subset", "train", "--clips", "1", "--frames", "75"]
    target = tmp_path / "t.json"
    result = CliRunner().invoke(benchmarks, ["video", *arguments, "-o", str(target)])
    assert result.exit_code == 0, result.output
    (table,) = json.loads(target.read_text())["tables"]
    rows = [row[0] for row in table["rows"]]
    assert rows == [
        "tracking",
        "tracking, smoothed",
        "detecting every frame",
        "dlib's detector and predictor",
    ]
    assert "1 clips of 75 frames, 640 x 480" in result.stdout
    assert str(tmp_path) not in result.stdout
    assert result.stdout.startswith(f"### {table['title']}")


def test_a_seed_that_numpy_does_not_take_is_refused(record):
    with pytest.raises(OptionError, match="seed must not be negative"):
        run_video_benchmark([], [], FaceLandmarker(), [record], seed=-1)
