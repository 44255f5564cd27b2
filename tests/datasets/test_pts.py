"""The `.pts` format."""

from __future__ import annotations

import numpy as np
import pytest

from efld_dlib.datasets.pts import read_pts
from efld_dlib.errors import DataError
from efld_dlib.landmarks import numbered_scheme
from tools.sample.folder import write_pts

BODY = "".join(f"{i + 1}.5 {100 + i}\n" for i in range(68))
HEADED = f"version: 1\nn_points:  68\n{{\n{BODY}}}\n"


@pytest.fixture
def pts(tmp_path):
    def write(content: str | bytes):
        path = tmp_path / "face.pts"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.mark.parametrize(
    "text",
    [
        HEADED,
        BODY,
        HEADED.replace("\n", "\r\n"),
        "version: 1\nn_points: 68\n\n{\n" + BODY.replace(" ", "\t ") + "\n}",
        HEADED.replace("\n", " \n"),
    ],
    ids=["header", "no header", "Windows line ends", "tabs and empty lines", "trailing spaces"],
)
def test_points_count_from_0(pts, text):
    points = read_pts(pts(text))
    assert points.shape == (68, 2)
    assert points.dtype == np.float64
    # The file's (1, 1) is the centre of the top left pixel.
    assert points[0].tolist() == [0.5, 99]
    assert points[67].tolist() == [67.5, 166]


def test_other_numbers_of_points(pts):
    assert read_pts(pts("1 1\n2.5 3e1\n"), numbered_scheme(2)).tolist() == [[0, 0], [1.5, 29]]


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("9.5 108", "abc", 12, "expected two numbers, found 'abc'"),
        ("9.5 108", "9.5", 12, "expected two numbers, found '9.5'"),
        ("9.5 108", "9.5 108 1", 12, "expected two numbers, found '9.5 108 1'"),
        ("9.5 108", "9,5 108", 12, "expected two numbers, found '9,5 108'"),
        ("9.5 108", "nan 108", 12, "not finite"),
        ("9.5 108", "inf 108", 12, "not finite"),
        ("9.5 108", "9.5 -1e308", 12, "is no place in a picture: '9.5 -1e308'"),
        ("68.5 167\n", "", 70, "expected 68 points, found 67"),
        ("68.5 167\n", "68.5 167\n1 1\n", 72, "expected 68 points, found 69"),
    ],
)
def test_a_wrong_line_is_named(pts, old, new, line, said):
    assert HEADED.count(f"\n{old}") == 1
    path = pts(HEADED.replace(f"\n{old}", f"\n{new}"))
    with pytest.raises(DataError) as caught:
        read_pts(path)
    assert caught.value.line == line
    assert str(caught.value).startswith(f"{path}, line {line}: ")
    assert said in str(caught.value)


def test_an_empty_a_missing_and_a_binary_file(pts, tmp_path):
    with pytest.raises(DataError, match=r"face\.pts: expected 68 points, found 0"):
        read_pts(pts(""))
    with pytest.raises(DataError, match=r"none\.pts: cannot be read"):
        read_pts(tmp_path / "none.pts")
    with pytest.raises(DataError, match=r"face\.pts: is not a text file"):
        read_pts(pts(b"\x89PNG\r\n\xff\xfe\x00"))


def test_written_points_come_back_and_count_from_1(tmp_path):
    points = np.random.default_rng(5).uniform(-20, 4000, (68, 2))
    points[0] = (0, 9)
    write_pts(tmp_path / "out.pts", points)
    np.testing.assert_allclose(read_pts(tmp_path / "out.pts"), points, atol=1e-6)
    lines = (tmp_path / "out.pts").read_text().splitlines()
    assert lines[:3] == ["version: 1", "n_points: 68", "{"]
    assert [float(word) for word in lines[3].split()] == [1, 10]
    assert lines[-1] == "}"


@pytest.mark.data
def test_a_file_of_the_real_data(data_root):
    points = read_pts(data_root / "300w" / "afw" / "134212_1.pts")
    # The file's first line of coordinates: 365.189915 229.034461
    np.testing.assert_allclose(points[0], [364.189915, 228.034461], atol=1e-9)
    assert points.shape == (68, 2)
