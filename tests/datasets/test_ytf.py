"""YTF's lists of frames."""

from __future__ import annotations

import numpy as np
import pytest

from efld_dlib.datasets.registry import DATASETS
from efld_dlib.datasets.split import choose_photographs
from efld_dlib.datasets.ytf import read_ytf
from efld_dlib.errors import DataError, OptionError, Problems

HEADER = "," + ",".join(str(number) for number in range(136)) + "\n"


def line(name, start=0.0, count=136):
    return name + "".join(f",{value + start:.2f}" for value in range(count)) + "\n"


@pytest.fixture
def ytf(tmp_path):
    def write(training=(), test=(), header=HEADER):
        for part, lines in (("training", training), ("test", test)):
            (tmp_path / part).mkdir(exist_ok=True)
            (tmp_path / f"{part}_frames_keypoints.csv").write_text(header + "".join(lines))
            for text in lines:
                if "/" not in text and not text.startswith("Gone"):
                    (tmp_path / part / text.split(",")[0]).touch()
        return tmp_path

    return write


def test_both_folders_and_what_the_names_say(ytf):
    root = ytf(
        [line("Ann_van_Dam-Li_21.jpg"), line("Bo_00.jpg", -3)], [line("Ann_van_Dam-Li_21.jpg", 5)]
    )
    counts = []
    records = list(read_ytf(root, counts=counts))
    assert [str(record.path.relative_to(root)) for record in records] == [
        "training/Ann_van_Dam-Li_21.jpg",
        "training/Bo_00.jpg",
        "test/Ann_van_Dam-Li_21.jpg",
    ]
    assert [record.photograph for record in records] == [
        *("ytf/Ann_van_Dam-Li", "ytf/Bo", "ytf/Ann_van_Dam-Li")
    ]
    face = records[2].faces[0]
    # Counted from 0 as they stand.
    assert face.points[[0, 67]].tolist() == [[5, 6], [139, 140]]
    assert (face.scheme.name, face.box) == ("68", None)
    assert face.attributes == {"person": "Ann_van_Dam-Li", "video": "2", "frame": "1"}
    assert records[1].faces[0].points[0].tolist() == [-3, -2]
    assert [str(count) for count in counts] == ["YTF training: 2 faces", "YTF test: 1 faces"]


@pytest.mark.parametrize(
    ("subset", "folders"), [("train", {"training"}), ("test", {"test"}), ("all", None)]
)
def test_subsets(ytf, subset, folders):
    root = ytf([line("Ann_00.jpg")], [line("Ann_01.jpg")])
    found = {record.path.parent.name for record in read_ytf(root, subset)}
    assert found == (folders or {"training", "test"})


def test_a_list_without_its_header_loses_no_face(ytf):
    assert len(list(read_ytf(ytf([line("Ann_00.jpg")], header="")))) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (line("Ann_01.jpg", count=135), "expected a name and 136 numbers, found 135 numbers"),
        (line("Ann_01.jpg", count=137), "found 137 numbers"),
        (line("Ann_01.jpg").replace("7.00", "x"), "expected a number .*'x'"),
        (line("Ann_01.jpg").replace(",7.00", ",nan"), "number that is not finite"),
        (line("Gone_01.jpg"), r"its picture 'Gone_01\.jpg' is not there"),
        (line("Ann1.jpg"), r"expected a name such as Some_Person_01\.jpg, found 'Ann1\.jpg'"),
        (line("../Ann_01.jpg"), "expected a name such as"),
    ],
)
def test_bad_lines(ytf, text, said):
    root = ytf([line("Ann_00.jpg"), text], [line("Bo_00.jpg")])
    problems = Problems()
    assert len(list(read_ytf(root, problems=problems))) == 2
    (error,) = problems.errors
    assert "training_frames_keypoints.csv" in str(error)
    assert "line 3: " in str(error)
    with pytest.raises(DataError, match=said):
        list(read_ytf(root))


def test_missing_lists_and_subsets(ytf):
    root = ytf([line("Ann_00.jpg")])
    (root / "test_frames_keypoints.csv").unlink()
    assert len(list(read_ytf(root, "train"))) == 1
    for subset in ("all", "test"):
        with pytest.raises(DataError, match=r"has no test_frames_keypoints\.csv"):
            next(read_ytf(root, subset))
    with pytest.raises(OptionError, match="subset of YTF must be train or test or all, not 'full'"):
        DATASETS["ytf"].records(root, subset="full")
    (root / "training_frames_keypoints.csv").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(DataError, match="is not a text file"):
        list(read_ytf(root, "train"))
    with pytest.raises(DataError, match="is not a folder"):
        list(read_ytf(root / "gone"))


@pytest.mark.data
def test_the_real_frames(data_root):
    root = data_root / "ytf"
    if not root.is_dir():
        pytest.skip(f"needs the real data: {root} is no folder (set EFLD_DATA)")
    counts = []
    records = list(read_ytf(root, counts=counts))
    assert [count.found for count in counts] == [2957, 659]
    persons = {record.faces[0].attributes["person"] for record in records}
    assert len(persons) == 297
    assert {record.photograph for record in records} == {f"ytf/{person}" for person in persons}
    held_out = choose_photographs(
        [record.photograph for record in records], 0.1, np.random.default_rng(1)
    )
    parts = ([], [])
    for record in records:
        parts[record.photograph in held_out].append(record.faces[0].attributes["person"])
    assert not set(parts[0]) & set(parts[1])
    assert len(set(parts[1])) == 30
    points = np.array([record.faces[0].points for record in records])
    assert np.isfinite(points).all()
    # Left eye left of the right one, eyes over the mouth, in nearly all.
    assert (points[:, 36, 0] < points[:, 45, 0]).mean() > 0.99
    assert (points[:, 36:48, 1].mean(1) < points[:, 48:, 1].mean(1)).mean() > 0.99
