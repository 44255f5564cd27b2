"""MERL-RAV and the visibility that it writes with signs."""

from __future__ import annotations

import numpy as np
import pytest

from efld_dlib.datasets.merl_rav import decode_visibility, read_merl_rav
from efld_dlib.datasets.registry import DATASETS
from efld_dlib.errors import DataError, OptionError, Problems


def write(path, rows):
    body = "".join(f"{x} {y}\n" for x, y in rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"version: 1\nn_points:  68\n{{\n{body}}}")


ROWS = np.arange(136.0).reshape(68, 2) + 10
ROWS[5] = -ROWS[5]  # hidden by something
ROWS[9] = -1, -1  # hidden by the face


def test_visibility():
    rows = np.array(
        [
            *([5.5, 7], [-5.5, -7], [-1, -1]),
            # Just outside the picture and seen; just outside and hidden.
            *([-3.8, 99], [0.8, -78], [60, -2], [-90, 2.5]),
            *([0, 50], [-1, 30]),
        ]
    )
    points, hidden = decode_visibility(rows)
    assert hidden.tolist() == [False, True, True, False, True, False, True, False, False]
    np.testing.assert_allclose(
        points,
        [
            *([4.5, 6], [4.5, 6], [np.nan, np.nan]),
            *([-4.8, 98], [-1.8, 77], [59, -3], [89, -3.5]),
            *([-1, 49], [-2, 29]),
        ],
    )


@pytest.mark.parametrize(("hidden", "missing"), [("keep", [9]), ("drop", [5, 9])])
def test_hidden_landmarks(tmp_path, hidden, missing):
    write(tmp_path / "left" / "trainset" / "0001-image00019.pts", ROWS)
    (tmp_path / "left" / "trainset" / "0001-image00019.JPG").touch()
    (record,) = read_merl_rav(tmp_path, hidden)
    face = record.faces[0]
    assert np.flatnonzero(~face.given).tolist() == missing
    assert np.flatnonzero(face.occluded).tolist() == [5, 9]
    assert record.photograph == "aflw/image00019"


def test_labels_apart_from_aflws_pictures(tmp_path):
    labels, pictures = tmp_path / "labels", tmp_path / "aflw" / "flickr"
    for stem, shift in (("image18859", 0), ("image18859_1", 40), ("image18859_2", 40)):
        write(labels / "frontal" / f"{stem}.pts", np.where(ROWS > 0, ROWS + shift, ROWS))
    (pictures / "2").mkdir(parents=True)
    (pictures / "2" / "image18859.jpg").touch()
    with pytest.raises(DataError, match="has no picture beside it"):
        list(read_merl_rav(labels))
    counts = []
    records = list(read_merl_rav(labels, pictures=pictures, counts=counts))
    assert [record.path.name for record in records] == ["image18859.jpg"] * 2
    assert {record.photograph for record in records} == {"aflw/image18859"}
    assert str(counts[0]) == "MERL-RAV: 2 faces; 1 left out that came twice"
    (pictures / "2" / "image18859.jpg").unlink()
    with pytest.raises(DataError, match=r"image18859\.pts: .*'image18859' is not there"):
        list(read_merl_rav(labels, pictures=pictures))


def test_bad_files_are_named(tmp_path):
    write(tmp_path / "image00001.pts", ROWS[:60])
    write(tmp_path / "image00002.pts", np.full((68, 2), -1))
    (tmp_path / "image00003.pts").write_bytes(b"\xff\xfe\x00")
    for number in (1, 2, 3):
        (tmp_path / f"image0000{number}.jpg").touch()
    problems = Problems()
    assert not list(read_merl_rav(tmp_path, problems=problems))
    said = [str(error) for error in problems.errors]
    assert "image00001.pts, line 63: expected 68 points, found 60" in said[0]
    assert "image00002.jpg: has a face without a landmark" in said[1]
    assert "image00003.pts: is not a text file" in said[2]


def test_another_word_for_hidden_landmarks(tmp_path):
    with pytest.raises(OptionError, match="hidden of MERL-RAV must be keep or drop, not 'remove'"):
        DATASETS["merl-rav"].records(tmp_path, hidden="remove")


@pytest.mark.data
def test_the_real_faces(data_root):
    counts = []
    records = list(read_merl_rav(data_root / "aflw", counts=counts))
    assert counts[0].found == 1871
    given = np.array([record.faces[0].given for record in records])
    hidden = np.array([record.faces[0].occluded for record in records])
    assert (~given).sum() == 2611  # lines "-1 -1" in the files, by grep
    assert not (~given & ~hidden).any()
    points = np.array([record.faces[0].points for record in records])
    # The crops hold the faces: a wrongly read sign would throw a landmark far out.
    assert np.nanmin(points) > -60
    assert np.nanmax(points) < 210
    groups = {record.photograph for record in records}
    assert all(len(name) == len("aflw/image00000") for name in groups)


@pytest.mark.data
def test_the_original_files(data_root, tmp_path):
    labels = data_root / "formats" / "merl_rav"
    for pts in labels.glob("*.pts"):
        (tmp_path / f"{pts.stem.partition('_')[0]}.jpg").touch()
    records = list(read_merl_rav(labels, pictures=tmp_path))
    assert [record.photograph[-10:] for record in records] == [
        *("image00019", "image09304", "image10153", "image18859"),
    ]
    first = records[0].faces[0]
    assert first.points[0] == pytest.approx([265.72294282144355, 79.69554352353188])
    assert first.occluded[0]
    assert not first.occluded[2]
    assert not records[1].faces[0].given[0]
