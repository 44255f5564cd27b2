"""300-W trees and plain folders of pictures with `.pts` files."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from efld_dlib.datasets.base import FolderCount
from efld_dlib.datasets.w300 import PARTS, SUBSETS, read_w300, subset_folders
from efld_dlib.errors import DataError, OptionError, Problems
from efld_dlib.images import read_image
from tools.sample.folder import write_pts


def add_face(folder: Path, stem: str, picture: str | None = ".jpg", start: float = 5.0) -> None:
    """A `.pts` file of 68 points from (start, start) on, and an empty file as its picture."""
    folder.mkdir(parents=True, exist_ok=True)
    write_pts(folder / f"{stem}.pts", np.arange(136.0).reshape(68, 2) + start)
    if picture is not None:
        (folder / f"{stem}{picture}").touch()


def names(records) -> list[str]:
    return [record.path.name for record in records]


@pytest.fixture
def tree(tmp_path) -> Path:
    for folder in PARTS:
        for number in (1, 2):
            add_face(tmp_path / folder.folder, f"{folder.folder.replace('/', '-')}_{number}")
    return tmp_path


# --- subsets ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("subset", "folders"),
    [
        ("train", ["afw", "helen/trainset", "lfpw/trainset"]),
        ("test-common", ["helen/testset", "lfpw/testset"]),
        ("test-challenging", ["ibug"]),
        ("test-full", ["helen/testset", "lfpw/testset", "ibug"]),
        ("afw", ["afw"]),
        ("helen/testset", ["helen/testset"]),
        ("lfpw", ["lfpw/testset", "lfpw/trainset"]),
    ],
)
def test_subsets(tree, subset, folders):
    read = [record.path.parent.relative_to(tree).as_posix() for record in read_w300(tree, subset)]
    assert Counter(read) == dict.fromkeys(folders, 2)


def test_official_counts():
    def total(subset):
        return sum(part.official for part in SUBSETS[subset])

    assert {part.folder: part.official for part in PARTS} == {
        "afw": 337,
        "helen/trainset": 2000,
        "helen/testset": 330,
        "lfpw/trainset": 811,
        "lfpw/testset": 224,
        "ibug": 135,
    }
    assert total("train") == 3148
    assert total("test-common") == 554
    assert total("test-challenging") == 135
    assert total("test-full") == 689


@pytest.mark.parametrize("present", [["afw"], ["lfpw/trainset"], ["helen/trainset", "afw"]])
def test_any_of_the_folders_will_do(tmp_path, present):
    for folder in present:
        add_face(tmp_path / folder, "1")
    counts: list[FolderCount] = []
    assert len(list(read_w300(tmp_path, "train", counts=counts))) == len(present)
    assert sorted(count.folder for count in counts) == sorted(present)


def test_a_tree_without_the_subset_says_what_it_looked_for(tmp_path):
    add_face(tmp_path / "helen" / "testset", "1")
    # A test set is never taken for training data.
    with pytest.raises(DataError, match="none of the folders of subset 'train'") as caught:
        list(read_w300(tmp_path, "train"))
    assert "helen/trainset" in str(caught.value)
    with pytest.raises(DataError, match="ibug"):
        list(read_w300(tmp_path, "test-challenging"))


def test_unknown_subset_and_missing_root(tree):
    with pytest.raises(OptionError, match="'trian' is neither a subset"):
        list(read_w300(tree, "trian"))
    with pytest.raises(DataError, match="nowhere: is not a folder"):
        list(read_w300(tree / "nowhere"))
    with pytest.raises(DataError, match="is not a folder"):
        subset_folders(tree / "afw" / "afw_1.pts")


def test_counts_tell_found_from_official(tree):
    counts: list[FolderCount] = []
    list(read_w300(tree, "train", counts=counts))
    assert [str(count) for count in counts] == [
        "afw: 2 faces of the official 337",
        "helen/trainset: 2 faces of the official 2000",
        "lfpw/trainset: 2 faces of the official 811",
    ]
    assert str(FolderCount("ibug", 135, 135)) == "ibug: 135 faces"
    assert str(FolderCount("mine", 3, None)) == "mine: 3 faces"


# --- pictures and their annotations -------------------------------------------------------------


def test_a_plain_folder_is_read_with_its_subfolders_in_order(tmp_path):
    add_face(tmp_path, "b")
    add_face(tmp_path, "a")
    add_face(tmp_path / "more", "c")
    (tmp_path / "notes.txt").write_text("nothing")
    (tmp_path / "picture without points.jpg").touch()
    counts: list[FolderCount] = []
    records = list(read_w300(tmp_path, counts=counts))
    assert names(records) == ["a.jpg", "b.jpg", "c.jpg"]
    assert [count.found for count in counts] == [3]


def test_a_record_has_one_face_of_68_points_counted_from_0(tmp_path):
    add_face(tmp_path, "a", start=7.25)
    (record,) = read_w300(tmp_path)
    assert record.path == tmp_path / "a.jpg"
    (face,) = record.faces
    np.testing.assert_allclose(face.points, np.arange(136.0).reshape(68, 2) + 7.25, atol=1e-6)
    assert (face.box, face.scheme.name, face.copies) == (None, "68", 1)


@pytest.mark.parametrize(
    ("stem", "suffix"),
    [
        ("image", ".png"),
        ("image", ".JPG"),
        ("image", ".Jpg"),
        ("image", ".jpeg"),
        ("image", ".bmp"),
        ("my holiday 1", ".jpg"),
        ("party [2019] (x)", ".Png"),
        ("[ab]*?", ".Jpg"),
        ("v1.2.final", ".jpg"),
        ("Übung 東京", ".PNG"),
    ],
)
def test_names_and_suffixes_of_pictures(tmp_path, stem, suffix):
    add_face(tmp_path, stem, suffix)
    (tmp_path / "a.Jpg").touch()  # what "[ab]*?" must not take for its own
    (record,) = read_w300(tmp_path)
    assert record.path.name == stem + suffix


def test_upper_case_pts(tmp_path):
    add_face(tmp_path, "a")
    os.rename(tmp_path / "a.pts", tmp_path / "a.PTS")
    assert names(read_w300(tmp_path)) == ["a.jpg"]


def test_missing_picture_is_a_problem_of_its_pts(tmp_path):
    add_face(tmp_path, "alone", picture=None)
    (tmp_path / "alone.txt").touch()
    with pytest.raises(DataError, match=r"alone\.pts: has no picture beside it"):
        list(read_w300(tmp_path))


def test_bad_files_are_collected_and_the_rest_is_read(tmp_path):
    for stem in ("a", "b_short", "c_words", "e"):
        add_face(tmp_path, stem)
    add_face(tmp_path, "d_alone", picture=None)
    short = tmp_path / "b_short.pts"
    short.write_text("".join(short.read_text().splitlines(keepends=True)[:-2]) + "}\n")
    (tmp_path / "c_words.pts").write_text("1 2\n3 four\n")
    problems, counts = Problems(), []
    assert names(read_w300(tmp_path, problems=problems, counts=counts)) == ["a.jpg", "e.jpg"]
    assert [str(error) for error in problems.errors] == [
        f"{tmp_path / 'b_short.pts'}, line 70: expected 68 points, found 67",
        f"{tmp_path / 'c_words.pts'}, line 2: expected two numbers, found '3 four'",
        f"{tmp_path / 'd_alone.pts'}: has no picture beside it",
    ]
    assert [count.found for count in counts] == [2]


def test_the_first_bad_file_stops_a_run_without_problems(tmp_path):
    add_face(tmp_path, "a")
    (tmp_path / "b.pts").write_text("")
    records = read_w300(tmp_path)
    assert next(records).path.name == "a.jpg"
    with pytest.raises(DataError, match=r"b\.pts"):
        next(records)


# --- photographs --------------------------------------------------------------------------------


def photographs(root: Path, subset: str = "train") -> dict[str, str]:
    return {record.path.stem: record.photograph for record in read_w300(root, subset)}


def test_faces_of_one_photograph_stand_together_in_afw_and_helen(tmp_path):
    for folder in ("afw", "helen/trainset"):
        for stem in ("134212_1", "134212_2", "134213_1"):
            add_face(tmp_path / folder, stem)
        found = photographs(tmp_path, folder)
        assert found["134212_1"] == found["134212_2"] != found["134213_1"]


def test_numbers_mean_nothing_of_the_kind_elsewhere(tmp_path):
    for folder in ("lfpw/trainset", "ibug", "home/helen/pictures"):
        for stem in ("image_0001", "image_0002"):
            add_face(tmp_path / folder, stem)
        found = photographs(tmp_path, folder)
        assert found["image_0001"] != found["image_0002"]


def test_equal_names_of_two_folders_are_two_photographs(tmp_path):
    add_face(tmp_path / "afw", "1_1")
    add_face(tmp_path / "helen" / "trainset", "1_1")
    assert len({record.photograph for record in read_w300(tmp_path)}) == 2


def test_grouping_when_the_folder_itself_is_given(tmp_path, monkeypatch):
    add_face(tmp_path / "afw", "9_1")
    add_face(tmp_path / "afw", "9_2")
    found = photographs(tmp_path / "afw")
    assert found["9_1"] == found["9_2"]
    monkeypatch.chdir(tmp_path / "afw")
    found = photographs(Path())
    assert found["9_1"] == found["9_2"]


# --- the real data ------------------------------------------------------------------------------


@pytest.mark.data
def test_the_real_tree(data_root):
    counts: list[FolderCount] = []
    records = list(read_w300(data_root / "300w", "train", counts=counts))
    assert [(count.folder, count.found) for count in counts] == [
        ("afw", 337),
        ("helen/trainset", 870),
        ("lfpw/trainset", 805),
    ]
    by_stem = {record.path.stem: record for record in records}
    assert by_stem["134212_1"].photograph == by_stem["134212_2"].photograph
    lfpw = [record for record in records if "lfpw" in record.path.parts]
    assert len({record.photograph for record in lfpw}) == 805
    for record in records:
        assert np.isfinite(record.faces[0].points).all()


@pytest.mark.data
def test_the_real_test_set(data_root):
    records = list(read_w300(data_root / "300w", "test-common"))
    assert len(records) == 330
    # Landmarks lie within their picture; those of the jaw may be guessed to lie just outside.
    for record in records[::30]:
        height, width = read_image(record.path).shape[:2]
        inner = record.faces[0].points[17:]
        assert (inner >= 0).all()
        assert (inner < (width, height)).all()


def test_an_absolute_folder_elsewhere_is_no_subset(tree, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    with pytest.raises(OptionError, match="nor a folder below"):
        list(read_w300(tree, str(elsewhere)))
    assert len(list(read_w300(tree, str(tree / "afw")))) == 2


def test_the_folder_one_stands_in_has_its_name(tmp_path, monkeypatch):
    add_face(tmp_path / "faces", "a")
    monkeypatch.chdir(tmp_path / "faces")
    counts = []
    list(read_w300(".", counts=counts))
    assert str(counts[0]) == "faces: 1 faces"
