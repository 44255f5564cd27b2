import struct

import cv2
import numpy as np
import pytest

from efld_dlib import FaceLandmarker
from efld_dlib.errors import DataError, EfldError, OptionError
from efld_dlib.images import to_gray
from efld_dlib.video.reader import VideoReader, frame_of, read_frames
from efld_dlib.video.writer import CODECS, VideoWriter, Window, open_video
from tests.video.videos import clip


def write(path, frames, fps=25.0):
    with open_video(path, fps) as writer:
        for number, frame in enumerate(frames):
            writer.write(frame[:, :, ::-1], number / fps)
    return path


@pytest.fixture(scope="module")
def movie(astronaut_pixels, tmp_path_factory):
    return write(tmp_path_factory.mktemp("video") / "a.mp4", clip(astronaut_pixels, 12))


def test_what_is_written_can_be_read(movie, astronaut):
    with VideoReader(movie) as reader:
        frames = list(reader)
        assert (reader.fps, reader.total, reader.live, reader.cut_short) == (25, 12, False, False)
    assert [frame.number for frame in frames] == list(range(12))
    assert [frame.time for frame in frames] == pytest.approx([n / 25 for n in range(12)], abs=1e-3)
    wanted = clip(astronaut, 12)[7]
    assert np.abs(frames[7].rgb.astype(int) - wanted).mean() < 8
    assert frames[7].gray.shape == wanted.shape[:2]


def test_a_path_and_arrays_give_the_same_faces(movie, tmp_path):
    landmarker = FaceLandmarker()
    with VideoReader(movie) as reader:
        arrays = [frame.rgb for frame in reader][:4]
    from_file = list(landmarker.track(movie))
    from_arrays = list(landmarker.track(arrays, fps=25))
    assert len(from_file) == 12
    for (frame, (one,)), (other, (two,)) in zip(from_file, from_arrays, strict=False):
        assert (frame.number, one.id, two.id) == (other.number, 1, 1)
        np.testing.assert_array_equal(one.points, two.points)


@pytest.mark.parametrize("color", ["rgb", "bgr", "gray"])
def test_a_frame_in_every_colour_order(astronaut, color):
    pixels = {"rgb": astronaut, "bgr": astronaut[:, :, ::-1], "gray": to_gray(astronaut)}[color]
    frame = frame_of(np.ascontiguousarray(pixels), color)
    np.testing.assert_array_equal(frame.gray, to_gray(astronaut))
    if color != "gray":
        np.testing.assert_array_equal(frame.rgb, astronaut)
    else:
        assert frame.rgb.shape == astronaut.shape


def test_sources_that_are_none(tmp_path, movie):
    damaged, empty = tmp_path / "bad.mp4", tmp_path / "empty.mp4"
    damaged.write_bytes(b"no video" * 100)
    empty.write_bytes(b"")
    for source, complaint in (
        (tmp_path / "none.mp4", "does not exist"),
        (tmp_path, "is a folder"),
        (empty, "is empty"),
        (damaged, "is no video that can be read"),
        (97, "camera 97: cannot be opened"),
    ):
        with pytest.raises(DataError, match=complaint):
            VideoReader(source)
    with pytest.raises(OptionError, match="frames a second"):
        next(read_frames([np.zeros((9, 9), np.uint8)], fps=0))


def test_a_file_that_is_cut_short_says_so(astronaut, tmp_path):
    whole = write(tmp_path / "w.avi", clip(astronaut, 20)).read_bytes()
    cut = tmp_path / "c.avi"
    cut.write_bytes(whole[: len(whole) // 2])
    with VideoReader(cut) as reader:
        assert 0 < len(list(reader)) < 15
        assert reader.cut_short


@pytest.mark.parametrize("scale", [1, 1 << 30])
def test_a_rate_that_no_video_has_counts_as_unknown(astronaut, tmp_path, scale):
    path = write(tmp_path / "r.avi", clip(astronaut, 3))
    damaged = bytearray(path.read_bytes())
    # "strh", its size, 20 bytes, then scale and rate: the rate is rate / scale.
    at = damaged.index(b"strh") + 28
    damaged[at : at + 8] = struct.pack("<II", scale, 1 << 20)
    path.write_bytes(damaged)
    with VideoReader(path) as reader:
        frames = list(reader)
    assert (len(frames), reader.fps) == (3, 30.0)
    # The damaged rate would be refused here.
    write(tmp_path / "again.avi", [frame.rgb for frame in frames], reader.fps)


def test_a_camera_keeps_its_time(monkeypatch, tmp_path, astronaut):
    class Camera:
        def __init__(self, number):
            self.left = 3

        def isOpened(self):  # noqa: N802
            return True

        def get(self, what):
            return -1.0

        def read(self):
            self.left -= 1
            return self.left >= 0, to_gray(astronaut)

        def release(self):
            self.left = 0

    monkeypatch.setattr(cv2, "VideoCapture", Camera)
    clock = iter([50.0, 50.5, 50.5])
    monkeypatch.setattr("efld_dlib.video.reader.time.monotonic", lambda: next(clock))
    with VideoReader(0) as reader:
        frames = list(reader)
    assert (reader.live, reader.fps, reader.total) == (True, 30.0, None)
    assert frames[0].pixels.shape == astronaut.shape
    assert frames[1].time == pytest.approx(0.5)
    # Time never stands still.
    assert 0.5 < frames[2].time < 0.51


def test_frames_of_a_camera_are_repeated_to_keep_the_time(tmp_path):
    path = tmp_path / "c.avi"
    with open_video(path, 10.0, paced=True) as writer:
        for seconds in (0.0, 0.02, 0.5):
            writer.write(np.full((48, 64, 3), int(200 * seconds), np.uint8), seconds)
    with VideoReader(path) as reader:
        assert [round(frame.gray.mean() / 50) for frame in reader] == [0, 2, 2, 2, 2, 2]


def test_what_cannot_be_written(tmp_path):
    with pytest.raises(OptionError, match=r"x\.gif"), open_video(tmp_path / "x.gif", 25):
        pass
    with pytest.raises(DataError, match="no frame"), open_video(tmp_path / "x.mp4", 25):
        pass
    small, large = np.zeros((48, 64, 3), np.uint8), np.zeros((96, 64, 3), np.uint8)

    def write_both():
        with open_video(tmp_path / "x.mp4", 25) as out:
            out.write(small, 0)
            out.write(large, 1)

    with pytest.raises(DataError, match="does not fit"):
        write_both()
    assert list(tmp_path.iterdir()) == []


def test_an_encoder_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.setitem(CODECS, ".mp4", "zzzz")
    writer = VideoWriter(tmp_path / "x.mp4", tmp_path / "x.mp4", 25.0)
    with pytest.raises(DataError, match=r"no encoder zzzz for 64 x 48"):
        writer.write(np.zeros((48, 64, 3), np.uint8), 0)


def test_a_window(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    with pytest.raises(EfldError, match="no screen"):
        Window()
    monkeypatch.setenv("DISPLAY", ":0")
    shown, keys = [], iter([-1, ord("q")])
    monkeypatch.setattr(cv2, "imshow", lambda _, picture: shown.append(picture.shape))
    monkeypatch.setattr(cv2, "waitKey", lambda _: next(keys))
    monkeypatch.setattr(cv2, "getWindowProperty", lambda *_: 1.0)
    monkeypatch.setattr(cv2, "destroyAllWindows", shown.clear)
    window, picture = Window(), np.zeros((4, 6, 3), np.uint8)
    assert window.show(picture)
    assert not window.show(picture)
    assert shown == [(4, 6, 3)] * 2
    window.close()

    def headless(*_):
        raise cv2.error("The function is not implemented")

    monkeypatch.setattr(cv2, "imshow", headless)
    monkeypatch.setattr(cv2, "destroyAllWindows", headless)
    with pytest.raises(EfldError, match="cannot show windows"):
        window.show(picture)
    # It is closed whatever happened, and must not take the place of what is said of it.
    window.close()
