"""300-W's official boxes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.io import savemat

from efld_dlib.boxes import Box
from efld_dlib.datasets.w300 import read_w300
from efld_dlib.errors import DataError
from tools.sample.folder import write_pts


@pytest.fixture
def tree(tmp_path):
    for folder, stem in (("afw", "1_1"), ("afw", "1_2"), ("helen/testset", "30_1")):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        write_pts(tmp_path / folder / f"{stem}.pts", np.arange(136.0).reshape(68, 2))
        (tmp_path / folder / f"{stem}.jpg").touch()
    return tmp_path


def entry(name, detector=(11.0, 21.5, 60.0, 81.5), truth=(1.0, 1.0, 9.0, 9.0)):
    return {"imgName": name, "bb_detector": np.array(detector), "bb_ground_truth": np.array(truth)}


def write(path, *entries, cell=True):
    path.parent.mkdir(exist_ok=True)
    if cell:  # as the official files have it: a cell array of structs
        boxes = np.empty((1, len(entries)), dtype=object)
        boxes[0, :] = entries
    else:
        fields = list(entries[0])
        boxes = np.empty((1, len(entries)), dtype=[(field, object) for field in fields])
        for place, one in enumerate(entries):
            boxes[0, place] = tuple(one[field] for field in fields)
    savemat(path, {"bounding_boxes": boxes})


@pytest.mark.parametrize("cell", [True, False], ids=["cells", "struct array"])
@pytest.mark.parametrize("folder", ["Bounding Boxes", "bounding_boxes"])
def test_boxes_are_found_in_the_tree(tree, folder, cell):
    write(
        tree / folder / "bounding_boxes_afw.mat",
        entry("1_1.png"),
        entry(" 1_2.jpg", detector=()),
        cell=cell,
    )
    counts = []
    first, second, third = read_w300(tree, "afw", counts=counts), None, None
    first, second = first
    (third,) = read_w300(tree, "helen/testset")
    # Both corners belong to the box, and pixel 1 is our 0.
    assert first.faces[0].box == Box(10, 20.5, 50, 61)
    assert second.faces[0].box == Box(0, 0, 9, 9)
    assert third.faces[0].box is None
    assert str(counts[0]) == "afw: 2 faces of the official 337; 2 official boxes"


def test_boxes_from_another_folder(tree, tmp_path):
    write(tmp_path / "elsewhere" / "bounding_boxes_helen_testset.mat", entry("30_1.jpg"))
    (record,) = read_w300(tree, "helen/testset", boxes_mat=tmp_path / "elsewhere")
    assert record.faces[0].box == Box(10, 20.5, 50, 61)
    (record,) = read_w300(tree, "helen/testset")
    assert record.faces[0].box is None
    with pytest.raises(DataError, match="gone: is not a folder"):
        list(read_w300(tree, "afw", boxes_mat=tmp_path / "gone"))


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ([entry("a.jpg"), {"imgName": 7, "bb_detector": 1}], "entry 2 has no imgName"),
        ([entry("a.jpg", (5, 5, 2, 2), (1, 2, 3))], "entry 1, a.jpg: has no box"),
        ([entry("a.jpg", (np.nan,) * 4, (np.inf,) * 4)], "entry 1, a.jpg: has no box"),
    ],
)
def test_wrong_entries(tree, entries, said):
    write(tree / "Bounding Boxes" / "bounding_boxes_afw.mat", *entries)
    with pytest.raises(DataError, match=rf"bounding_boxes_afw\.mat: {said}"):
        list(read_w300(tree, "afw"))


def test_a_file_without_the_variable(tree):
    (tree / "Bounding Boxes").mkdir()
    savemat(tree / "Bounding Boxes" / "bounding_boxes_afw.mat", {"boxes": 1})
    with pytest.raises(DataError, match="has no variable 'bounding_boxes', only: boxes"):
        list(read_w300(tree, "afw"))
