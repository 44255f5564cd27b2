"""WFLW's lists."""

from __future__ import annotations

import numpy as np
import pytest

from efld_dlib.boxes import Box
from efld_dlib.datasets.registry import DATASETS
from efld_dlib.datasets.wflw import read_wflw
from efld_dlib.errors import DataError, OptionError, Problems


def line(name, start=0.0, rect="10 20 59 89", attributes="1 0 0 1 0 0", count=196):
    coordinates = " ".join(f"{value + start:.6f}" for value in range(count))
    return f"{coordinates} {rect} {attributes} {name}\n"


@pytest.fixture
def wflw(tmp_path):
    folder = tmp_path / "WFLW_annotations" / "list_98pt_rect_attr_train_test"
    folder.mkdir(parents=True)

    def write(*lines, subset="train", pictures=("1--Handshaking/a 1.jpg", "2--Demo/b.jpg")):
        (folder / f"list_98pt_rect_attr_{subset}.txt").write_text("".join(lines))
        for picture in pictures:
            path = tmp_path / "WFLW_images" / picture
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return tmp_path

    return write


def test_faces_boxes_attributes_and_names_with_spaces(wflw):
    root = wflw(
        line("1--Handshaking/a 1.jpg"),
        line("2--Demo/b.jpg", 3, rect="-5 -6 4 3"),
        line("1--Handshaking/a 1.jpg", 7, rect="9 9 2 2"),
        "\n",
        line("2--Demo/b.jpg", 3),
    )
    counts = []
    records = list(read_wflw(root, counts=counts))
    assert [(r.path.name, len(r.faces)) for r in records] == [("a 1.jpg", 2), ("b.jpg", 1)]
    first, second = records[0].faces
    assert first.points[1].tolist() == [2, 3]
    assert (first.scheme.name, first.box, second.box) == ("98", Box(10, 20, 50, 70), None)
    assert records[1].faces[0].box == Box(-5, -6, 10, 10)
    assert first.attributes == {
        **{"pose": "1", "expression": "0", "illumination": "0"},
        **{"make-up": "1", "occlusion": "0", "blur": "0"},
    }
    assert str(counts[0]) == (
        "WFLW train: 3 faces of the official 7500; 1 left out that came twice"
    )


def test_68_of_the_98(wflw):
    (record,) = read_wflw(wflw(line("2--Demo/b.jpg"), subset="test"), "test", "68")
    face = record.faces[0]
    assert (face.scheme.name, face.points.shape) == ("68", (68, 2))
    assert face.given.all()
    assert face.points[36].tolist() == [120, 121]  # WFLW's 60
    assert face.attributes["make-up"] == "1"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (line("2--Demo/b.jpg", count=194), "expected 206 numbers and a name, found 205 words"),
        (line("2--Demo/b.jpg", rect="1 2 three 4"), "expected a number .*'three'"),
        (line("2--Demo/b.jpg", rect="1 2 nan 4"), "number that is not finite"),
        (line("gone.jpg"), r"line 2: its picture 'gone\.jpg' is not there"),
        (line("../../secret.jpg"), "is not there"),
    ],
)
def test_bad_lines(wflw, text, said):
    root = wflw(line("1--Handshaking/a 1.jpg"), text)
    problems = Problems()
    assert len(list(read_wflw(root, problems=problems))) == 1
    (error,) = problems.errors
    assert "line 2" in str(error)
    with pytest.raises(DataError, match=said):
        list(read_wflw(root))


def test_missing_lists_and_subsets(wflw):
    root = wflw(line("2--Demo/b.jpg"))
    with pytest.raises(DataError, match=r"has no list_98pt_rect_attr_test\.txt"):
        list(read_wflw(root, "test"))
    with pytest.raises(OptionError, match="subset of WFLW must be train or test, not 'full'"):
        DATASETS["wflw"].records(root, subset="full")
    (path,) = root.rglob("*.txt")
    path.write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(DataError, match="is not a text file"):
        list(read_wflw(root))


def test_pictures_in_another_folder(wflw, tmp_path):
    root = wflw(line("2--Demo/b.jpg"), pictures=())
    elsewhere = tmp_path / "flat"
    elsewhere.mkdir()
    (elsewhere / "b.png").touch()
    (record,) = read_wflw(root, pictures=elsewhere)
    assert record.path == elsewhere / "b.png"
    assert np.isfinite(record.faces[0].points).all()
