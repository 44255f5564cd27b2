"""CFP's profiles."""

from __future__ import annotations

import numpy as np
import pytest

from efld_dlib.datasets.cfp import read_cfp, side_of
from efld_dlib.errors import DataError, Problems
from efld_dlib.landmarks import mirror_points

# A face that looks to the right, 120 pixels wide: jaw from the ear to the chin, brow, eye, bridge
# and tip of the nose, nostril, mouth.
PROFILE = np.array(
    [
        *((10, 40), (11, 50), (13, 60), (17, 70), (24, 80), (34, 90), (50, 99), (68, 106)),
        *((84, 108), (56, 20), (72, 16), (86, 22)),
        *((60, 34), (67, 30), (74, 30), (79, 35), (74, 38), (67, 38)),
        *((92, 34), (97, 42), (103, 50), (108, 58), (96, 66), (91, 66), (86, 62)),
        *((76, 80), (96, 76), (90, 81), (94, 88), (90, 83)),
    ],
    float,
)
WIDTH = 120
GIVEN = {*range(9), 17, 19, 21, *range(36, 42), *range(27, 34), 48, 51, 57, 62, 66}


@pytest.fixture
def cfp(tmp_path):
    def write(points=PROFILE, person="007", number="01", level="train", view="profile"):
        text = points if isinstance(points, str) else "".join(f"{x},{y}\n" for x, y in points)
        file = tmp_path / "Fiducials" / person / view / f"{number}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        if level is not None:
            picture = tmp_path / "Images" / level / person / view / f"{number}.jpg"
            picture.parent.mkdir(parents=True, exist_ok=True)
            picture.touch()
        return tmp_path

    return write


def mirrored(points):
    return np.column_stack([WIDTH - 1 - points[:, 0], points[:, 1]])


def test_a_face_that_looks_to_the_right(cfp):
    root = cfp()
    counts = []
    (record,) = read_cfp(root.parent, counts=counts)
    assert record.path == root / "Images" / "train" / "007" / "profile" / "01.jpg"
    assert record.photograph == "cfp/007"
    face = record.faces[0]
    assert (face.scheme.name, face.box) == ("68", None)
    assert face.attributes == {"person": "007", "side": "right"}
    assert set(np.flatnonzero(face.given)) == GIVEN
    # The chin; the outer eye corner; the tip of the nose; its middle and its wing; the mouth.
    for index, place in ((8, 8), (36, 12), (30, 21), (33, 22), (31, 24), (48, 25), (62, 27)):
        assert face.points[index].tolist() == PROFILE[place].tolist()
    assert str(counts[0]) == "CFP: 1 faces"


def test_a_face_that_looks_to_the_left_is_the_mirror_image(cfp):
    root = cfp()
    cfp(mirrored(PROFILE), number="02")
    right, left = (record.faces[0] for record in read_cfp(root))
    assert left.attributes["side"] == "left"
    np.testing.assert_array_equal(left.points, mirror_points(right.points, WIDTH))


@pytest.mark.parametrize("degrees", [-80, -45, 45, 80, 180])
def test_a_tilted_head_keeps_its_side(degrees):
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    assert side_of(PROFILE @ turn) == "right"
    assert side_of(mirrored(PROFILE) @ turn) == "left"


def test_pictures_with_and_without_a_level_and_other_views(cfp):
    root = cfp(level="test")
    cfp(person="008", level="")
    cfp(person="009", level="train")
    cfp("a frontal file", person="009", view="frontal", level="train")
    (root / "Fiducials" / "README.txt").write_text("not landmarks")
    records = list(read_cfp(root))
    assert [record.path.relative_to(root / "Images").as_posix() for record in records] == [
        *("test/007/profile/01.jpg", "008/profile/01.jpg", "train/009/profile/01.jpg")
    ]


def test_files_that_cannot_be_used(cfp):
    root = cfp(PROFILE[:29])
    cfp("".join(f"{x},{y}\n" for x, y in PROFILE).replace("84.0,108.0", "84.0"), number="02")
    cfp("".join(f"{x},{y}\n" for x, y in PROFILE).replace("84.0", "x"), number="03")
    cfp("".join(f"{x},{y}\n" for x, y in PROFILE).replace("84.0", "inf"), number="04")
    cfp("".join(f"{x} {y}\n" for x, y in PROFILE), number="05")
    cfp(number="06", level=None)
    cfp(np.full((30, 2), 5.0), number="07")
    cfp(np.arange(60.0).reshape(30, 2), number="08")
    cfp(number="09")
    problems = Problems()
    assert [record.path.stem for record in read_cfp(root, problems=problems)] == ["09"]
    start = f"{root}/Fiducials/007/profile/"
    assert [str(error).removeprefix(start) for error in problems.errors] == [
        "01.txt, line 29: expected 30 points, found 29",
        "02.txt, line 9: expected two numbers, found '84.0'",
        "03.txt, line 9: expected two numbers, found 'x,108.0'",
        "04.txt, line 9: coordinate is not finite: 'inf,108.0'",
        "05.txt, line 1: expected two numbers, found '10.0 40.0'",
        f"06.txt: has no picture 007/profile/06.jpg in {root}/Images, or its train or test",
        "07.txt: has landmarks that do not tell to which side the face looks",
        "08.txt: has landmarks that do not tell to which side the face looks",
    ]
    with pytest.raises(DataError, match=r"01\.txt, line 29"):
        list(read_cfp(root))
    with pytest.raises(DataError, match="is not a folder"):
        list(read_cfp(root / "gone"))


@pytest.mark.data
def test_the_real_profiles(data_root):
    root = data_root / "cfp"
    if not root.is_dir():
        pytest.skip(f"needs the real data: {root} is no folder (set EFLD_DATA)")
    counts = []
    records = list(read_cfp(root, counts=counts))
    assert counts[0].found == len(records) == 1520
    persons = [record.photograph for record in records]
    assert len(set(persons)) == 380
    assert all(persons.count(person) == 4 for person in set(persons))
    sides = [record.faces[0].attributes["side"] for record in records]
    assert (sides.count("right"), sides.count("left")) == (740, 780)
    for record, side in zip(records, sides, strict=True):
        assert record.path.parent.parent.name == record.faces[0].attributes["person"]
        points = record.faces[0].points
        # The plain rule: the nose is further that way than the ear.
        ear = points[0 if side == "right" else 16, 0]
        assert (points[30, 0] > ear) == (side == "right")
