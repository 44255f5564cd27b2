import json
import math
import os
import platform
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from efld_dlib.boxes import Box
from efld_dlib.datasets.w300 import read_w300
from efld_dlib.detection.detectors import FrontalDetector
from efld_dlib.errors import DataError, EfldError, OptionError, Problems
from efld_dlib.evaluation.machine import one_thread
from efld_dlib.images import to_gray
from efld_dlib.records import FaceAnnotation, ImageRecord
from efld_dlib.tables import as_markdown, as_text
from tools.benchmarks.faces import BenchmarkFace, find_faces, one_face_frame
from tools.benchmarks.load import Load, LoadError, Size, measure_load, measure_size
from tools.benchmarks.measure import Benchmark, BenchmarkOptions, Entry, benchmark, make_rows
from tools.benchmarks.peers.base import Method, Runner
from tools.benchmarks.peers.dlib_file import DlibFile, ToolkitModel
from tools.benchmarks.table2 import as_dict, table_of
from tools.benchmarks.timing import Pass, in_turn, median, paired_ratio, run_faces, run_frames

SHORT = BenchmarkOptions(((320, 240),), 1, 1, 1, block=3, frame_repeats=1)


@dataclass(frozen=True)
class Broken(Method):
    """A peer that ends the program where it should load."""

    name: str = "broken"
    end: str = "politely"

    def files(self):
        return []

    def load(self):
        if self.end == "politely":
            raise SystemExit("models are missing")
        os._exit(3)


@dataclass
class Noting(Runner):
    """Notes its calls in a list that all share."""

    name: str
    calls: list = field(default_factory=list)

    def landmarks(self, picture, box):
        if box.left == 13:
            raise KeyError("thirteen")
        self.calls.append(self.name)
        return np.full((68, 2), box.left)

    def count_faces(self, rgb):
        self.calls.append((self.name, rgb.shape[1]))
        return 1


def gray_faces(folder, boxes):
    cv2.imwrite(str(folder / "gray.png"), np.full((50, 50), 99, np.uint8))
    return [BenchmarkFace(folder / "gray.png", np.zeros((68, 2)), box) for box in boxes]


def test_methods_take_turns_over_blocks(tmp_path):
    calls = []
    runners = [(Noting(name, calls), Pass(name)) for name in "AB"]
    boxes = [Box(1, 1, 9, 9), None, Box(2, 1, 9, 9), Box(3, 1, 9, 9)]
    run_faces(runners, gray_faces(tmp_path, boxes), block=3, rounds=2, show_progress=False)
    # Two boxes in the first block, one in the second; each begins with another method in turn.
    assert "".join(calls) == "AABB" + "BBAA" + "AB" + "BA"
    for _, log in runners:
        assert [None if p is None else p[0, 0] for p in log.points] == [1, None, 2, 3]
        assert len(log.seconds) == 4
    assert in_turn("ABC", 4) == ["B", "C", "A"]


def test_a_block_without_any_box_is_all_missed(tmp_path):
    log = Pass("A")
    run_faces([(Noting("A"), log)], gray_faces(tmp_path, [None, None]), 2, 3, False)
    assert log.points == [None, None]
    assert log.seconds == []


def test_what_a_method_raises_on_a_face_names_the_method(tmp_path):
    with pytest.raises(EfldError, match="A failed on a face: 'thirteen'"):
        run_faces([(Noting("A"), Pass("A"))], gray_faces(tmp_path, [Box(13, 1, 9, 9)]), 1, 1, False)


def test_frames_are_run_in_turn_and_a_slow_one_once():
    calls = []
    runners = [(Noting(name, calls), Pass(name)) for name in "AB"]
    frames = [np.zeros((4, width, 3), np.uint8) for width in (6, 8)]
    run_frames(runners, frames, repeats=5, seconds=0, rounds=2, show_progress=False)
    # The first time at a size is the warming up.
    first = [("A", 6)] * 2 + [("B", 6)] * 2 + [("A", 8)] * 2 + [("B", 8)] * 2
    assert calls == first + [("B", 6), ("A", 6), ("B", 8), ("A", 8)]
    log = runners[0][1]
    assert set(log.frames) == {(6, 4), (8, 4)}
    assert all(len(rates) == 2 for rates in log.frames.values())
    assert log.faces_in_frame == {(6, 4): 1, (8, 4): 1}


def test_ratios_are_taken_turn_by_turn():
    # The machine is ten times slower in the last turn: the ratio does not notice.
    assert paired_ratio([2, 4, 40], [1, 2, 20]) == 2
    assert median([1, 5, 100]) == 5
    assert math.isnan(median([]))


@pytest.mark.parametrize("size", [(320, 240), (640, 480), (1280, 720)])
def test_the_frame_has_one_real_face_where_it_says(size):
    frame, box = one_face_frame(*size)
    assert frame.shape == (size[1], size[0], 3)
    (found,) = FrontalDetector(upsample=0)(to_gray(frame))
    assert found.box.overlap(box) > 0.7
    assert abs(box.center[0] - size[0] / 2) < 1
    assert box.height == pytest.approx(0.45 * size[1])


def test_frames_that_the_photograph_cannot_fill_are_refused():
    with pytest.raises(OptionError, match="no one-face frame of 3000 x 240"):
        one_face_frame(3000, 240)


def test_a_limit_takes_faces_from_all_over_the_set(sample, tmp_path):
    records = list(read_w300(sample, "helen/testset"))
    assert len(records) == 10
    faces = find_faces(records, limit=5, jobs=1)
    assert [face.path for face in faces] == [record.path for record in records[::2]]
    gone = ImageRecord(tmp_path / "gone.jpg", (FaceAnnotation(np.zeros((68, 2))),))
    problems = Problems()
    assert len(find_faces([gone, records[0]], jobs=1, problems=problems)) == 1
    assert "gone.jpg" in str(problems.errors[0])
    with pytest.raises(DataError, match="no annotated face"):
        find_faces([], jobs=1)
    with pytest.raises(OptionError, match="at least 1 face, not 0"):
        find_faces(records, limit=0)


def test_a_crash_while_loading_is_a_line_and_not_the_end():
    frame, box = one_face_frame(320, 240)
    with pytest.raises(LoadError, match="ended without an answer"):
        measure_load(Broken(end="at once"), frame, box)


def test_sizes_are_of_all_files(tmp_path):
    (tmp_path / "a").write_bytes(bytes(100_000))
    (tmp_path / "b").write_bytes(b"x" * 50)
    size = measure_size([tmp_path / "a", tmp_path / "b"])
    assert size.plain == 100_050
    assert size.compressed < 1000


def test_one_thread_is_given_back():
    before = os.environ.get("OMP_NUM_THREADS"), cv2.getNumThreads()
    with one_thread() as one_core:
        assert os.environ["OMP_NUM_THREADS"] == "1"
        assert cv2.getNumThreads() == 1
        if one_core:
            assert len(os.sched_getaffinity(0)) == 1
    assert (os.environ.get("OMP_NUM_THREADS"), cv2.getNumThreads()) == before


@dataclass(frozen=True)
class Listed(Method):
    """A method of which only the description is used."""

    name: str
    path: Path
    size: int = 68
    common: tuple = tuple(range(68))
    trained_on: str = ""

    def files(self):
        return [self.path]

    def load(self):
        raise NotImplementedError


def worked_out_rows(tmp_path, **options):
    """Three faces with eyes 100 px apart; A is 2, 4 and 6 px off, 10 px more at the nose's tip.

    B has only the tip of the nose, 3 px off, and misses the last face.
    """
    (tmp_path / "file").write_bytes(bytes(1000))
    truth = np.zeros((68, 2))
    truth[45] = [100, 0]
    faces = [BenchmarkFace(Path("x"), truth, Box(0, 0, 9, 9))] * 3
    a = Entry(Listed("A", tmp_path / "file"))
    b = Entry(Listed("B", tmp_path / "file", 468, (30,), "300-W"))
    for shift in (2, 4, 6):
        points = truth + [shift, 0]
        points[30, 0] += 10
        a.log.points.append(points)
    only = np.full((68, 2), np.nan)
    only[30] = [0, 3]
    b.log.points = [only, only, None]
    a.log.seconds, b.log.seconds = [0.01, 0.02, 0.03], [0.02, 0.04, 0.06]
    for entry, rates in ((a, [20.0, 10.0]), (b, [40.0, 20.0])):
        entry.log.frames = {(320, 240): rates}
        entry.loads = [Load(0.5, 3000), Load(0.1, 1000), Load(0.3, 2000)]
    a.log.faces_in_frame, b.log.faces_in_frame = {(320, 240): 1}, {(320, 240): 0}
    return make_rows([a, b], faces, **{"test_set": "300-W", **options})


def test_figures_worked_out_by_hand(tmp_path):
    a, b = worked_out_rows(tmp_path)
    assert a.nme == pytest.approx((2 + 4 + 6) / 3 / 100 + 10 / 68 / 100)
    assert (a.missed, b.missed) == (0, 1)
    # On the nose's tip of the two faces that B found: A is 12 and 14 px off.
    assert (b.nme, b.reference_nme) == (pytest.approx(0.03), pytest.approx(0.13))
    assert (a.faces_per_second, b.faces_per_second) == (50, 25)
    assert a.frames_per_second == {(320, 240): 15}
    assert a.load == Load(0.3, 2000)
    assert a.size.plain == 1000
    assert set(a.ratios.values()) == {1.0}
    assert b.ratios["faces_per_second"] == 0.5
    assert b.ratios["frames_per_second_320x240"] == 2
    assert b.ratios["nme"] == pytest.approx(3 / 13)


def test_what_has_to_be_said_of_a_row(tmp_path):
    a, b = worked_out_rows(tmp_path)
    assert a.marks == ()
    assert b.marks[0] == "trained on this test set"
    assert "other point definitions: compared on the 1 of the 68" in b.marks[1]
    assert b.marks[2] == "found 0 faces in the one-face frame of 320x240"
    a, b = worked_out_rows(tmp_path, test_set="COFW", trained_on_test=["A"])
    assert a.marks == ("trained on this test set",)
    assert b.marks[0] == "trained on all of 300-W"


def result_of(rows, **changes):
    machine = {"cpu": "a processor", "cores": 2, "system": "Linux", "load_at_start": 0.1}
    result = Benchmark(
        rows, ("peer: not installed: pip install peer",), "faces", 3, 0, 1_000_000, True, machine,
        {"python": "3.11"}, SHORT,
    )  # fmt: skip
    return replace(result, **changes)


def test_the_table_sets_the_paper_beside_the_figures(tmp_path):
    table = table_of(result_of(worked_out_rows(tmp_path)))
    a, b = (dict(zip(table.header, row, strict=True)) for row in table.rows)
    lzma = a.pop("lzma MB")
    assert 0 < float(lzma) < 0.001
    assert a == {
        **{"method": "A", "points": "68", "NME %": "4.15", "missed": "0", "faces/s": "50.0"},
        **{"ratio": "1.00", "frames/s 320x240": "15.0", "load ms": "300", "peak MB": "0"},
        "file MB": "0.00100",
    }
    assert (b["method"], b["points"], b["NME %"]) == ("B [1][2][3]", "1 of 468", "3.00 (13.00)")
    notes = table.note.splitlines()
    assert "No row: peer: not installed: pip install peer" in notes
    assert (
        "The paper says of its own network: accuracy High (state of the art); efficiency Very High "
        "(140 fps on Qualcomm ARM 845); compressibility High (2.1 MB)."
    ) in notes
    assert "WARNING" not in table.note
    machine = {"cpu": "c", "cores": 2, "system": "s", "load_at_start": 4.4}
    busy = result_of(worked_out_rows(tmp_path), machine=machine)
    assert "WARNING: the machine was busy when this began (load 4.4)" in table_of(busy).note


def test_the_table_is_written_for_a_terminal_and_in_markdown(tmp_path):
    table = table_of(result_of(worked_out_rows(tmp_path)))
    text = as_text(table).splitlines()
    assert text[0] == "Table 2, measured: faces"
    # The columns stand under each other.
    assert len({len(line) for line in text[1:5]}) == 1
    lines = [line for line in as_markdown(table).splitlines() if line.startswith("|")]
    assert len(lines) == 4
    assert len({line.count("|") for line in lines}) == 1


def test_json_has_no_nan(tmp_path):
    a, b = worked_out_rows(tmp_path)
    result = result_of((a, replace(b, nme=math.nan, ratios={**b.ratios, "nme": math.nan})))
    written = json.loads(json.dumps(as_dict(result), allow_nan=False))
    assert written["rows"][1]["nme"] is None
    assert written["rows"][1]["ratios_to_the_first"]["nme"] is None
    assert written["rows"][0]["frames_per_second"] == {"320x240": 15}
    assert table_of(result).rows[1][2] == "- (13.00)"


def test_the_whole_benchmark_on_the_sample(tiny_model, sample):
    said = []
    methods = [ToolkitModel.open("ours", tiny_model), Broken(), DlibFile.open("dlib", tiny_model)]
    records = read_w300(sample, "helen/testset")
    result = benchmark(
        methods, records, SHORT, "sample", limit=4, jobs=1, left_out=["x: gone"], say=said.append
    )
    assert [row.name for row in result.rows] == ["ours", "dlib"]
    assert result.left_out == ("x: gone", "broken: left out: SystemExit: models are missing")
    assert result.left_out[1] in said
    ours, plain = result.rows
    assert result.faces == 4
    assert ours.missed == plain.missed == result.not_detected
    assert 0 < ours.nme < 0.25
    assert ours.size.plain == tiny_model.stat().st_size > ours.size.compressed > 0
    assert ours.faces_in_frame == {(320, 240): 1}
    assert ours.load.seconds > 0
    if ours.load.peak is not None:
        assert ours.load.peak > result.base_memory * 0.9 > 10_000_000
    assert {"python", "numpy", "opencv", "dlib", "efld_dlib"} <= set(result.versions)
    assert platform.node() not in json.dumps(as_dict(result))
    assert str(tiny_model.parent) not in json.dumps(as_dict(result)) + as_text(table_of(result))


def test_methods_need_names_of_their_own(tiny_model, sample):
    method = ToolkitModel.open("ours", tiny_model)
    with pytest.raises(OptionError, match="two methods are called 'ours'"):
        benchmark([method, method], [])
    with pytest.raises(OptionError, match="no method to measure"):
        benchmark([], [])
    with pytest.raises(OptionError, match="no method 'them' to mark; there are ours"):
        benchmark([method], [], trained_on_test=["them"])
    assert Size(1, 2).plain == 1
