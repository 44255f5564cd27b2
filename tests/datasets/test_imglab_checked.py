"""dlib XML as a source: its pictures must be there, and its scheme the one that is asked for."""

from __future__ import annotations

import numpy as np
import pytest

from efld_dlib.boxes import Box
from efld_dlib.errors import DataError, Problems
from efld_dlib.records import FaceAnnotation, ImageRecord
from efld_dlib.xml.imglab import read_imglab_checked, scheme_comment, write_imglab


@pytest.fixture
def xml(tmp_path):
    def write(scheme="21", comment=""):
        size = int(scheme)
        points = np.arange(2.0 * size).reshape(size, 2)
        face = FaceAnnotation(points, Box(0, 0, 50, 50), scheme, copies=2)
        records = [ImageRecord(tmp_path / f"{name}.jpg", (face,)) for name in ("a", "gone")]
        (tmp_path / "a.jpg").touch()
        write_imglab(tmp_path / "faces.xml", records, comment=comment)
        return tmp_path / "faces.xml"

    return write


def test_missing_pictures_are_problems(xml):
    problems, counts = Problems(), []
    (record,) = read_imglab_checked(xml(), "21", problems, counts)
    assert record.path.name == "a.jpg"
    assert record.faces[0].copies == 2
    assert "faces.xml: names a picture that is not there: " in str(problems.errors[0])
    assert str(counts[0]) == "faces.xml: 1 faces"
    with pytest.raises(DataError, match=r"gone\.jpg"):
        list(read_imglab_checked(xml(), "21"))


@pytest.mark.parametrize("scheme", ["21", "19", "98", "68"])
def test_a_stated_scheme_must_be_the_wanted_one(xml, scheme):
    path = xml(scheme, scheme_comment(scheme))
    assert len(list(read_imglab_checked(path, scheme, Problems()))) == 1
    other = "68" if scheme != "68" else "21"
    with pytest.raises(DataError, match=f"has landmarks of scheme {scheme}, not {other}"):
        list(read_imglab_checked(path, other))


def test_missing_file(tmp_path):
    with pytest.raises(DataError, match=r"gone\.xml"):
        list(read_imglab_checked(tmp_path / "gone.xml"))
