"""AFLW2000-3D."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from scipy.io import savemat

from efld_dlib.datasets.aflw2000 import read_aflw2000
from efld_dlib.datasets.registry import DATASETS
from efld_dlib.errors import DataError, OptionError, Problems
from efld_dlib.images import read_image
from efld_dlib.pose import estimate_pose


@pytest.fixture
def folder(tmp_path):
    def write(stem="image00002", picture=".jpg", **changes):
        variables = {
            "pt3d_68": np.arange(204.0, dtype=np.float32).reshape(3, 68),
            "pt2d": np.arange(42.0).reshape(2, 21) + 100,
            "Pose_Para": np.array([[0.1, -0.2, 0.05, 1, 2, 3, 4]], np.float32),
        } | changes
        savemat(tmp_path / f"{stem}.mat", {k: v for k, v in variables.items() if v is not None})
        if picture:
            (tmp_path / f"{stem}{picture}").touch()
        return tmp_path

    return write


def test_68_points_counted_from_0(folder):
    (record,) = read_aflw2000(folder())
    face = record.faces[0]
    assert (record.path.name, record.photograph) == ("image00002.jpg", "aflw/image00002")
    assert face.points[:2].tolist() == [[-1, 67], [0, 68]]
    assert face.points.dtype == np.float64
    assert (face.scheme.name, face.box) == ("68", None)


def test_landmarks_of_21_that_are_not_visible(folder):
    pt2d = np.arange(42.0).reshape(2, 21) + 100
    pt2d[:, 12] = -1, 452  # as the set has it in pictures of 450 pixels
    pt2d[:, 16] = -1, -1
    pt2d[:, 3] = -0.5, 7  # outside the picture, but there
    (record,) = read_aflw2000(folder(pt2d=pt2d), "21")
    face = record.faces[0]
    assert np.flatnonzero(~face.given).tolist() == [12, 16]
    assert face.points[3].tolist() == [-1.5, 6]
    assert (face.scheme.name, len(face.points)) == ("21", 21)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"pt3d_68": None}, "has no variable 'pt3d_68'"),
        ({"pt3d_68": np.zeros((68, 3))}, "variable 'pt3d_68' is 68 x 3, not 3 x 68"),
        ({"Pose_Para": np.zeros((1, 2))}, "variable 'Pose_Para' is 1 x 2, not 1 x 7"),
        ({"picture": ""}, "has no picture beside it"),
    ],
)
def test_bad_files(folder, changes, said):
    root = folder("image00001")
    folder("image00002", **changes)
    problems, counts = Problems(), []
    assert len(list(read_aflw2000(root, problems=problems, counts=counts))) == 1
    (error,) = problems.errors
    assert str(error).startswith(f"{root / 'image00002.mat'}: {said}")
    assert str(counts[0]) == "AFLW2000-3D: 1 faces of the official 2000"


def test_upper_case_and_the_archives_own_matlab_files(folder):
    root = folder(picture=".JPG")
    (root / "image00002.mat").rename(root / "image00002.MAT")
    (root / "Code").mkdir()
    (root / "Code" / "Model_Shape.mat").write_bytes(b"not a face")
    assert [record.path.name for record in read_aflw2000(root)] == ["image00002.JPG"]
    with pytest.raises(DataError, match="is not a folder"):
        list(read_aflw2000(root / "gone"))


@pytest.mark.data
def test_the_real_faces(data_root, tmp_path):
    records = list(read_aflw2000(data_root / "aflw2000"))
    assert len(records) == 16
    errors = []
    for record in records:
        height, width = read_image(record.path).shape[:2]
        points, pose = record.faces[0].points, record.faces[0].pose
        assert ((points > -20) & (points < [width + 20, height + 20])).all()
        if abs(pose.yaw) < 60:
            errors.append(abs(np.subtract(estimate_pose(points), pose)))
    # Landmarks and pose of a face, read independently, say the same.
    assert (np.mean(errors, axis=0) < 5).all()
    for suffix in (".mat", ".jpg"):
        shutil.copy(
            data_root / "aflw2000" / f"image00050{suffix}", tmp_path / f"image00050{suffix}"
        )
    data = (tmp_path / "image00050.mat").read_bytes()
    for size in range(0, len(data), 997):
        (tmp_path / "image00050.mat").write_bytes(data[:size])
        with pytest.raises(DataError, match=r"image00050\.mat"):
            list(read_aflw2000(tmp_path))


def test_a_scheme_that_the_set_has_not(folder):
    with pytest.raises(OptionError, match="no landmarks of scheme 98, only of 68 or 21"):
        DATASETS["aflw2000"].records(folder(), "98")
