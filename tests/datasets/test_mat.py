"""MATLAB files: whatever is wrong with one is a `DataError` that names it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.io import savemat

from efld_dlib.datasets.mat import MatFile
from efld_dlib.errors import DataError


@pytest.fixture
def mat(tmp_path):
    def write(**variables):
        path = tmp_path / "a b.mat"
        savemat(path, variables)
        return path

    return write


def test_numbers_of_every_type_come_as_floats(mat):
    read = MatFile(mat(a=np.array([[1, 2, 3]], np.uint8), b=np.array([[True, False]]), c=2.5))
    assert read.numbers("a", (1, 3)).tolist() == [[1.0, 2.0, 3.0]]
    assert read.numbers("b", (2, 2), (1, 2)).tolist() == [[1.0, 0.0]]
    assert read.numbers("c", (None, 1)).tolist() == [[2.5]]


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"other": 1, "more": 2}, "has no variable 'x', only: other, more"),
        ({"x": np.zeros((3, 68))}, "variable 'x' is 3 x 68, not n x 2 or 2 x 21"),
        ({"x": np.full((2, 2), np.nan)}, "holds a number that is not finite"),
        ({"x": "text"}, "variable 'x' is not of numbers"),
        ({"x": {"a": 1}}, "variable 'x' is not of numbers"),
        ({"x": np.array([[1 + 2j, 3]])}, "variable 'x' is not of numbers"),
    ],
)
def test_wrong_variables(mat, variables, said):
    with pytest.raises(DataError, match=r"a b\.mat: ") as caught:
        MatFile(mat(**variables)).numbers("x", (None, 2), (2, 21))
    assert said in str(caught.value)


def test_cells_of_text(mat):
    names = np.array([["0/one.jpg"], [" 2/two three.jpg"]], dtype=object)
    assert MatFile(mat(names=names)).strings("names") == ["0/one.jpg", "2/two three.jpg"]
    mixed = np.array([["one"], [7.0]], dtype=object)
    with pytest.raises(DataError, match="cell 2 of 'names' is not text"):
        MatFile(mat(names=mixed)).strings("names")


def test_missing_foreign_and_new_files(tmp_path):
    with pytest.raises(DataError, match=r"gone\.mat: cannot be read"):
        MatFile(tmp_path / "gone.mat")
    with pytest.raises(DataError, match="cannot be read"):
        MatFile(tmp_path)
    for content in (b"", b"MATLAB", b"\x00" * 300, b"no such file at all " * 50):
        (tmp_path / "x.mat").write_bytes(content)
        with pytest.raises(DataError, match=r"x\.mat: is not a usable \.mat file"):
            MatFile(tmp_path / "x.mat")
    head = b"MATLAB 7.3 MAT-file, Platform: GLNXA64, HDF5 schema 1.00 .".ljust(124)
    (tmp_path / "new.mat").write_bytes(head + b"\x00\x02IM" + b"\x89HDF\r\n\x1a\n" + bytes(400))
    with pytest.raises(DataError, match=r"MATLAB 7\.3"):
        MatFile(tmp_path / "new.mat")


@pytest.mark.parametrize("compressed", [False, True])
def test_damaged_files_never_raise_anything_else(tmp_path, compressed):
    whole = tmp_path / "whole.mat"
    savemat(
        whole,
        {"a": np.arange(60.0).reshape(3, 20), "s": np.array(["x", "y"], dtype=object)},
        do_compression=compressed,
    )
    data = whole.read_bytes()
    rng = np.random.default_rng(3)
    damaged = tmp_path / "damaged.mat"
    refused = 0
    for number in range(150):
        if number < 50:
            content = data[: int(rng.integers(len(data)))]
        else:
            bytes_ = bytearray(data)
            for place in rng.integers(124, len(data), 4):
                bytes_[place] = int(rng.integers(256))
            content = bytes(bytes_)
        damaged.write_bytes(content)
        try:
            MatFile(damaged).numbers("a", (3, 20))
        except DataError:
            refused += 1
    assert refused > 50


def test_a_file_that_unpacks_to_too_much(tmp_path, monkeypatch):
    path = tmp_path / "bomb.mat"
    savemat(path, {"x": np.zeros((1000, 1000))}, do_compression=True)
    assert path.stat().st_size < 20_000
    assert MatFile(path).numbers("x", (1000, 1000)).sum() == 0
    monkeypatch.setattr("efld_dlib.datasets.mat._LARGEST", 1 << 20)
    with pytest.raises(DataError, match="unpacks to more than is read"):
        MatFile(path)
