"""AFLW-19's one big `.mat`."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.io import savemat

from efld_dlib.boxes import Box
from efld_dlib.datasets import aflw19
from efld_dlib.datasets.aflw19 import read_aflw19
from efld_dlib.datasets.registry import DATASETS
from efld_dlib.errors import DataError, OptionError, Problems

NAMES = ["0/image00002.jpg", "2/image 7.jpg", "0/image00002.jpg", "3/image00009.jpg", "0/x.jpg"]


@pytest.fixture
def release(tmp_path, monkeypatch):
    """Five faces, of which the first three of the permutation are for training."""
    monkeypatch.setattr(aflw19, "TRAIN_FACES", 3)

    def write(**changes):
        count = len(NAMES)
        x = np.arange(19.0)[None] + 100 * np.arange(count)[:, None]
        mask = np.ones((count, 19), np.uint8)
        mask[3, 4] = 0
        names = np.empty((count, 1), dtype=object)
        names[:, 0] = NAMES
        variables = {
            "bbox": np.array([[10, 59, 20, 89]] * count, float),
            "data": np.hstack([x, x + 0.5]),
            "mask_new": mask,
            "nameList": names,
            "ra": np.array([[3, 2, 1, 5, 4]], float),
        } | changes
        savemat(
            tmp_path / "AFLWinfo_release.mat",
            {k: v for k, v in variables.items() if v is not None},
        )
        return tmp_path

    for name in NAMES:
        (tmp_path / "data" / "flickr" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / "flickr" / name).touch()
    return write


def test_train_faces_in_the_order_of_the_permutation(release):
    counts = []
    records = list(read_aflw19(release(), counts=counts))
    assert [(r.path.name, len(r.faces)) for r in records] == [
        ("image00002.jpg", 2),
        ("image 7.jpg", 1),
    ]
    first = records[0].faces[0]  # the third of the file
    assert first.points[:2].tolist() == [[200, 200.5], [201, 201.5]]
    # left, right, top, bottom
    assert (first.scheme.name, first.box) == ("19", Box(10, 20, 50, 70))
    assert not first.occluded.any()
    assert records[0].photograph == "aflw/image00002"
    assert str(counts[0]) == "AFLW-19 train: 3 faces of the official 20000"


def test_test_faces_and_the_frontal_ones(release):
    root = release()
    everyone = list(read_aflw19(root, "test"))
    assert [record.path.name for record in everyone] == ["x.jpg", "image00009.jpg"]
    assert np.flatnonzero(everyone[1].faces[0].occluded).tolist() == [4]
    assert [record.path.name for record in read_aflw19(root, "test-frontal")] == ["x.jpg"]
    with pytest.raises(
        OptionError, match="subset of AFLW-19 must be train or test or test-frontal, not 'dev'"
    ):
        DATASETS["aflw19"].records(root, subset="dev")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"ra": np.array([[1, 2, 3, 4, 4]])}, "'ra' is not a permutation of 1 to 5"),
        ({"ra": np.array([[0, 1, 2, 3, 4]])}, "'ra' is not a permutation of 1 to 5"),
        ({"data": np.zeros((5, 42))}, "variable 'data' is 5 x 42, not 5 x 38"),
        ({"bbox": np.zeros((4, 4))}, "variable 'bbox' is 4 x 4, not 5 x 4"),
        ({"mask_new": None}, "has no variable 'mask_new'"),
    ],
)
def test_tables_that_do_not_fit(release, changes, said):
    root = release(**changes)
    with pytest.raises(DataError, match=rf"AFLWinfo_release\.mat: .*{said}"):
        list(read_aflw19(root))


def test_missing_pictures_and_boxes_of_no_size(release):
    root = release(bbox=np.array([[50, 10, 20, 89]] * 5, float))
    (root / "data" / "flickr" / "2" / "image 7.jpg").unlink()
    problems = Problems()
    (record,) = read_aflw19(root, problems=problems)
    assert record.faces[0].box is None
    assert "AFLWinfo_release.mat: face 2: its picture '2/image 7.jpg' is not there" in str(
        problems.errors[0]
    )
    with pytest.raises(DataError, match=r"has no AFLWinfo_release\.mat"):
        list(read_aflw19(root / "data"))
