"""Copies of faces to measure detectors on."""

import resource

import numpy as np
import pytest

from efld_dlib.datasets.w300 import read_w300
from efld_dlib.detection.frame import default_box_map
from efld_dlib.errors import DataError, OutputError
from efld_dlib.images import read_image
from efld_dlib.pose import estimate_pose
from efld_dlib.prepare.copies import face_copies


@pytest.fixture(scope="module")
def records(sample):
    return list(read_w300(sample, "helen/testset"))


def test_copies_show_each_face_at_the_width_asked_for(records, tmp_path):
    copies = face_copies(records, tmp_path, 40)
    assert len(copies) == 10
    for copy in copies:
        (face,) = copy.faces
        box = default_box_map().predict(face.points)
        assert box.width == pytest.approx(40, rel=0.03)
        assert read_image(copy.path).shape[:2] == (120, 120)
        assert np.allclose(box.center, 59.5, atol=1.5)


def test_copies_are_turned_to_the_yaw_asked_for(records, tmp_path):
    copies = face_copies(records, tmp_path, 120, 30.0)
    yaws = [abs(estimate_pose(face.points).yaw) for copy in copies for face in copy.faces]
    assert yaws
    assert np.abs(np.array(yaws) - 30).max() < 6


def test_faces_that_cannot_be_turned_so_far_are_told_of(records, tmp_path):
    with pytest.raises(DataError, match="no face could be copied"):
        face_copies([r for r in records if abs(yaw_of(r)) < 20], tmp_path, 120, 85.0)


def test_a_full_disk_is_said_as_such(records, tmp_path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        with pytest.raises(OutputError, match="File too large"):
            face_copies(records[:1], tmp_path, 40)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def yaw_of(record):
    return estimate_pose(record.faces[0].points).yaw
