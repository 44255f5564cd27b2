import csv
import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from click.testing import CliRunner

from efld_dlib.cli.main import cli
from efld_dlib.cli.video import parse_source
from efld_dlib.video.reader import VideoReader
from efld_dlib.video.writer import open_video
from tests.video.videos import clip


def run(*arguments, code=0):
    result = CliRunner().invoke(cli, ["video", *map(str, arguments)])
    assert result.exit_code == code, result.output
    if result.exception is not None:
        assert isinstance(result.exception, SystemExit)
    return result


@pytest.fixture(scope="module")
def movie(astronaut_pixels, tmp_path_factory):
    path = tmp_path_factory.mktemp("video") / "a.mp4"
    with open_video(path, 25.0) as writer:
        for number, frame in enumerate(clip(astronaut_pixels, 12)):
            writer.write(frame[:, :, ::-1], number / 25)
    return path


def test_it_helps():
    assert "efld-dlib video talk.mp4 -o talk-landmarks.mp4" in run("--help").stdout


def test_everything_that_is_written(movie, tmp_path):
    video, table, lines = tmp_path / "o.mp4", tmp_path / "o.csv", tmp_path / "o.jsonl"
    # What moves here is one face, and no false alarm beside it is wanted.
    outputs = ("-o", video, "-o", table, "-o", lines)
    result = run(movie, *outputs, "--features", "36-48")
    assert result.stdout == ""
    assert "12 frames at" in result.stderr
    assert "1 face; the detector ran 1 times" in result.stderr
    rows = list(csv.DictReader(table.read_text().splitlines()))
    entries = [json.loads(line) for line in lines.read_text().splitlines()]
    assert [row["frame"] for row in rows] == [str(n) for n in range(12)]
    assert {row["face_id"] for row in rows} == {"1"}
    assert float(rows[5]["timestamp"]) == pytest.approx(0.2, abs=1e-3)
    (face,) = entries[5]["faces"]
    assert (entries[5]["frame"], face["face_id"]) == (5, 1)
    assert face["points"][30] == [float(rows[5]["x_30"]), float(rows[5]["y_30"])]
    assert face["features"] == {"d_36_48": float(rows[5]["d_36_48"])}
    with VideoReader(video) as drawn, VideoReader(movie) as plain:
        pairs = list(zip(drawn, plain, strict=True))
    # Landmarks are drawn where they were found: there the two pictures differ most.
    x, y = (round(float(rows[3][f"{axis}_30"])) for axis in "xy")
    difference = np.abs(pairs[3][0].rgb.astype(int) - pairs[3][1].rgb).sum(axis=2)
    assert difference[y - 1 : y + 2, x - 1 : x + 2].max() > 5 * difference.mean() + 60


def test_what_is_measured_is_raw_unless_smoothing_is_asked_for(movie):
    raw, steady, plain = (
        np.array(
            [
                json.loads(line)["faces"][0]["points"]
                for line in run(movie, "--format", "jsonl", *more).stdout.splitlines()
            ]
        )
        for more in ([], ["--smooth"], ["--no-smooth"])
    )
    np.testing.assert_array_equal(raw, plain)
    np.testing.assert_array_equal(raw[0], steady[0])
    assert np.abs(raw[-1] - steady[-1]).max() > 0.1


def test_a_few_frames_only(movie):
    assert len(run(movie, "--format", "jsonl", "--max-frames", 3).stdout.splitlines()) == 3


def test_errors(movie, tmp_path):
    for arguments, complaint in (
        (["none.mp4"], "none.mp4: does not exist"),
        ([movie, "-o", "x.gif"], "'x.gif' is no video that can be written"),
        ([movie, "-o", movie], "is to be read"),
        ([movie, "-o", "a.csv", "-o", "./a.csv"], "two outputs have the same name"),
        ([movie, "--detector", "eyes"], "unknown detector 'eyes'"),
        (["99999999999"], "camera 99999999999: cannot be opened"),
    ):
        assert complaint in run(*arguments, code=2).stderr


def test_a_source_that_is_cut_short(astronaut, tmp_path):
    path = tmp_path / "c.avi"
    with open_video(path, 25.0) as writer:
        for frame in clip(astronaut, 20):
            writer.write(frame[:, :, ::-1], 0)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert "of the 20 frames that it announces" in run(path, "--format", "jsonl", code=1).stderr


def test_the_number_of_a_camera_or_a_file_of_that_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert parse_source("0") == 0
    (tmp_path / "0").write_text("")
    assert parse_source("0") == "0"


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_keeps_what_was_written(astronaut, tmp_path, number):
    source, video, lines = tmp_path / "s.avi", tmp_path / "o.mp4", tmp_path / "o.jsonl"
    with open_video(source, 25.0) as writer:
        for frame in clip(astronaut, 15) * 40:
            writer.write(frame[:, :, ::-1], 0)
    process = subprocess.Popen(
        [sys.executable, "-m", "efld_dlib", "video", source, "-o", video, "-o", lines],
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        if any(path.stat().st_size > 9000 for path in tmp_path.glob(".o-*.jsonl")):
            break
        time.sleep(0.02)
    process.send_signal(number)
    _, message = process.communicate(timeout=60)
    assert process.returncode == 130, message
    assert "Stopped; what was written until then is kept." in message
    entries = [json.loads(line) for line in lines.read_text().splitlines()]
    with VideoReader(video) as reader:
        assert 0 < len(list(reader)) == len(entries) < 600
    assert not list(tmp_path.glob(".*"))
