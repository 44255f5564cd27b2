"""COFW-68."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from scipy.io import savemat

from efld_dlib.boxes import Box
from efld_dlib.datasets.cofw68 import read_cofw68
from efld_dlib.errors import DataError, Problems


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "COFW68_Data"
    (root / "test_annotations").mkdir(parents=True)
    (root / "images").mkdir()
    for number in (1, 2, 10):
        points = np.arange(136.0).reshape(68, 2) + number
        occluded = np.zeros((1, 68), np.uint8)
        occluded[0, number] = 1
        savemat(
            root / "test_annotations" / f"{number}_points.mat", {"Points": points, "Occ": occluded}
        )
    for name in ("1.png", "02.JPG", "0010.jpg"):
        (root / "images" / name).touch()
    boxes = np.full((10, 4), 5, np.int16)
    boxes[1] = 64, 9, 120, 116
    boxes[9] = 0
    savemat(root / "cofw68_test_bboxes.mat", {"bboxes": boxes})
    return root


def test_faces_in_the_order_of_their_numbers(folder):
    counts = []
    records = list(read_cofw68(folder.parent, counts=counts))
    assert [record.path.name for record in records] == ["1.png", "02.JPG", "0010.jpg"]
    face = records[1].faces[0]
    assert face.points[0].tolist() == [1, 2]  # the file's 2, 3, counted from 1
    assert face.box == Box(63, 8, 120, 116)
    assert np.flatnonzero(face.occluded).tolist() == [2]
    assert records[2].faces[0].box is None
    assert str(counts[0]) == "COFW-68: 3 faces of the official 507"


def test_pictures_that_are_missing(folder, tmp_path):
    (folder / "images" / "02.JPG").unlink()
    problems = Problems()
    assert len(list(read_cofw68(folder, problems=problems))) == 2
    assert "2_points.mat: has no picture 2.png" in str(problems.errors[0])
    shutil.rmtree(folder / "images")
    (folder / "COFW_test_color.mat").write_bytes(b"MATLAB 7.3 MAT-file")
    with pytest.raises(DataError, match=r"COFW68_Data: has no pictures named 1\.png .*MATLAB 7\.3"):
        list(read_cofw68(folder))


def test_bad_files(folder):
    savemat(folder / "test_annotations" / "2_points.mat", {"Points": np.zeros((29, 2)), "Occ": 1})
    savemat(folder / "test_annotations" / "11_points.mat", {"Points": np.ones((68, 2)), "Occ": 1})
    problems = Problems()
    assert len(list(read_cofw68(folder, problems=problems))) == 2
    said = [str(error) for error in problems.errors]
    assert "2_points.mat: variable 'Points' is 29 x 2, not 68 x 2" in said[0]
    assert "11_points.mat: variable 'Occ' is 1 x 1, not 1 x 68 or 68 x 1" in said[1]
    (folder / "cofw68_test_bboxes.mat").unlink()
    with pytest.raises(DataError, match=r"has no cofw68_test_bboxes\.mat"):
        list(read_cofw68(folder))


@pytest.mark.data
def test_the_original_files(data_root, tmp_path):
    for number in (1, 2, 10, 100):
        (tmp_path / f"{number}.png").touch()
    records = list(read_cofw68(data_root / "formats" / "cofw68", pictures=tmp_path))
    assert [record.path.stem for record in records] == ["1", "2", "10", "100"]
    for record in records:
        face = record.faces[0]
        # The detector's box and the landmarks, two files, are of one face.
        assert face.box.overlap(Box.around(face.points)) > 0.5
        assert 0 < face.occluded.sum() < 68
    assert records[0].faces[0].points[0] == pytest.approx([57.00626102, 30.04355995])
