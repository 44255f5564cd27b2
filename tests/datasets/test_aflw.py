"""AFLW from a database of its documented schema, with the faults that the set is known for."""

from __future__ import annotations

import math
import sqlite3
from contextlib import closing

import numpy as np
import pytest

from efld_dlib.boxes import Box, Pose
from efld_dlib.datasets.aflw import PoseCheck, pose_from_aflw, read_aflw
from efld_dlib.datasets.aflw2000 import read_aflw2000
from efld_dlib.errors import DataError, Problems
from efld_dlib.landmarks import AFLW_21_TO_68
from efld_dlib.pose import mean_face_3d, rotation_matrix

SCHEMA = """
CREATE TABLE faces (face_id INTEGER, file_id TEXT, db_id TEXT);
CREATE TABLE faceimages (image_id INTEGER, db_id TEXT, file_id TEXT, filepath TEXT, bw INTEGER,
                         width INTEGER, height INTEGER);
CREATE TABLE facepose (face_id INTEGER, roll FLOAT, pitch FLOAT, yaw FLOAT, annot_type_id INTEGER);
CREATE TABLE facerect (face_id INTEGER, x INTEGER, y INTEGER, w INTEGER, h INTEGER,
                       annot_type_id INTEGER);
CREATE TABLE faceellipse (face_id INTEGER, x FLOAT, y FLOAT, ra FLOAT, rb FLOAT, theta FLOAT,
                          annot_type_id INTEGER, upsidedown INTEGER);
CREATE TABLE facemetadata (face_id INTEGER, sex TEXT, occluded INTEGER, glasses INTEGER,
                           bw INTEGER, annot_type_id INTEGER);
CREATE TABLE featurecoords (face_id INTEGER, feature_id INTEGER, x FLOAT, y FLOAT,
                            annot_type_id INTEGER);
"""


def points_at(x: float, y: float) -> np.ndarray:
    return np.arange(42.0).reshape(21, 2) + [x, y]


class Aflw:
    """Writes ``aflw.sqlite`` and empty pictures."""

    def __init__(self, root):
        self.root = root
        (root / "data" / "flickr" / "0").mkdir(parents=True)
        self.file = root / "data" / "aflw.sqlite"
        self.run(SCHEMA)

    def run(self, script: str) -> None:
        with closing(sqlite3.connect(self.file)) as connection:
            connection.executescript(script)

    def insert(self, table: str, *rows) -> None:
        with closing(sqlite3.connect(self.file)) as connection:
            for row in rows:
                marks = ", ".join("?" * len(row))
                connection.execute(f"INSERT INTO {table} VALUES ({marks})", row)
            connection.commit()

    def face(self, face_id, points, picture="0/image00002.jpg", size=(500, 400), touch=True):
        self.insert("faces", (face_id, picture, "flickr"))
        self.insert("faceimages", (face_id, "flickr", picture, picture, 0, *size))
        self.insert(
            "featurecoords",
            *((face_id, i + 1, x, y, 1) for i, (x, y) in enumerate(points) if not math.isnan(x)),
        )
        if touch:
            (self.root / "data" / "flickr" / picture).touch()

    def read(self, **options):
        return list(read_aflw(self.root, **options))


@pytest.fixture
def aflw(tmp_path):
    return Aflw(tmp_path / "my aflw #1?")


def test_a_face_with_everything(aflw):
    points = points_at(100, 80)
    points[[7, 12]] = np.nan
    aflw.face(39341, points)
    aflw.insert("facerect", (39341, 90, 70, 60, 62, 1))
    aflw.insert("facepose", (39341, 0.1, 0.2, 0.3, 1))
    aflw.insert("facemetadata", (39341, "f", 0, 1, None, 1))
    (record,) = aflw.read()
    assert record.path == aflw.root / "data" / "flickr" / "0" / "image00002.jpg"
    assert record.photograph == "aflw/image00002"
    (face,) = record.faces
    assert (face.scheme.name, face.box) == ("21", Box(90, 70, 60, 62))
    np.testing.assert_array_equal(face.points, points)
    assert face.attributes == {"sex": "f", "occluded": "0", "glasses": "1"}
    assert face.pose == pytest.approx(np.degrees([-0.3, 0.2, -0.1]))


def test_only_corresponding_landmarks_in_68(aflw):
    aflw.face(1, points_at(10, 20))
    (record,) = aflw.read(scheme="68")
    face = record.faces[0]
    assert (face.scheme.name, int(face.given.sum())) == ("68", 16)
    assert face.points[36].tolist() == points_at(10, 20)[6].tolist()
    assert aflw.read(scheme="19")[0].faces[0].points.shape == (19, 2)


def test_faces_of_one_picture_come_together_and_doubles_once(aflw):
    aflw.face(1, points_at(10, 20), "0/image00003.jpg")
    aflw.face(2, points_at(10, 20), "0/image00002.jpg")
    aflw.face(3, points_at(200, 20), "0/image00003.jpg")
    aflw.face(4, points_at(10, 20), "0/image00003.jpg")  # face 1 again
    aflw.insert("faces", (3, "0/image00003.jpg", "flickr"))
    counts = []
    records = aflw.read(counts=counts)
    assert [(r.path.name, len(r.faces)) for r in records] == [
        ("image00002.jpg", 1),
        ("image00003.jpg", 2),
    ]
    assert str(counts[0]) == "AFLW: 3 faces of the official 24386; 1 left out that came twice"


@pytest.mark.parametrize(
    ("rects", "ellipses", "expected"),
    [
        ([], [], None),
        ([(0, 0, 0, 0)], [], None),
        ([(10, 20, 50, 60), (5, 15, 100, 90), (10, 20, 50, 60)], [], Box(5, 15, 100, 90)),
        ([(-20, -10, 100, 100)], [], Box(-20, -10, 100, 100)),  # reaches over the edge
        ([(600, 10, 100, 100), (10, 20, 50, 60)], [], Box(10, 20, 50, 60)),  # beside the picture
        ([(None, None, 3, 4), ("a", 1, 2, 3)], [], None),
        ([(9, 9, -5, 60)], [(100, 80, 30, 20, 0.0)], Box(70, 60, 60, 40)),
        ([], [(100, 80, 30, 20, math.pi / 2)], Box(80, 50, 40, 60)),
        ([], [(None, 80, 30, 20, 0.0)], None),
    ],
)
def test_boxes(aflw, rects, ellipses, expected):
    aflw.face(7, points_at(20, 30))
    aflw.insert("facerect", *((7, *rect, 1) for rect in rects))
    aflw.insert("faceellipse", *((7, *ellipse, 1, 0) for ellipse in ellipses))
    box = aflw.read()[0].faces[0].box
    assert box == (None if expected is None else pytest.approx(expected))


def test_landmark_numbers_in_a_column_of_floats(aflw):
    columns = "face_id, feature_id REAL, x, y, annot_type_id"
    aflw.run(f"DROP TABLE featurecoords; CREATE TABLE featurecoords ({columns})")
    aflw.face(1, points_at(10, 20))
    np.testing.assert_array_equal(aflw.read()[0].faces[0].points, points_at(10, 20))


def test_bad_faces_are_named_and_the_rest_is_read(aflw):
    aflw.face(1, points_at(10, 20), "0/image00001.jpg")
    aflw.face(2, points_at(10, 20), "0/image00002.jpg", touch=False)
    aflw.face(3, np.full((21, 2), np.nan), "0/image00003.jpg")
    aflw.face(4, np.full((21, 2), -1.0), "0/image00004.jpg")
    aflw.face(5, points_at(10, 20), "0/image00005.jpg")
    aflw.insert("featurecoords", (5, 22, 1.0, 1.0, 1))
    aflw.face(6, points_at(10, 20), "0/image00006.jpg")
    aflw.insert("featurecoords", (6, 3, "wide", 1.0, 1))
    aflw.insert("faces", (7, "lost", "flickr"))
    problems = Problems()
    assert [r.path.stem for r in aflw.read(problems=problems)] == ["image00001"]
    said = sorted(str(error).removeprefix(f"{aflw.file}: ") for error in problems.errors)
    assert said == [
        "face 2: its picture '0/image00002.jpg' is not there",
        "face 3: has no landmark of scheme 21",
        "face 4: has no landmark of scheme 21",
        "face 5: feature 22 at (1.0, 1.0) is not one of 1 to 21 with two coordinates",
        "face 6: feature 3 at ('wide', 1.0) is not one of 1 to 21 with two coordinates",
        "face 7: has no picture in faceimages",
    ]
    with pytest.raises(DataError, match="face 2"):
        aflw.read()


def test_pictures_elsewhere_with_other_suffixes_and_names(aflw, tmp_path):
    elsewhere = tmp_path / "my pictures" / "all"
    elsewhere.mkdir(parents=True)
    aflw.face(1, points_at(1, 2), "0/image 00001.jpg", touch=False)
    (elsewhere / "image 00001.PNG").touch()
    (record,) = aflw.read(pictures=elsewhere.parent)
    assert record.path == elsewhere / "image 00001.PNG"
    (elsewhere.parent / "image 00001.jpg").touch()
    with pytest.raises(DataError, match=r"there are 2 pictures '0/image 00001\.jpg'"):
        aflw.read(pictures=elsewhere.parent)
    with pytest.raises(DataError, match="gone: is not a folder"):
        aflw.read(pictures=tmp_path / "gone")


def test_what_is_no_database(aflw, tmp_path):
    with pytest.raises(DataError, match=r"has no aflw\.sqlite"):
        list(read_aflw(tmp_path))
    with pytest.raises(DataError, match="nowhere: is not a folder"):
        list(read_aflw(tmp_path / "nowhere"))
    aflw.run("ALTER TABLE facepose RENAME COLUMN yaw TO turn")
    with pytest.raises(DataError, match="no such column: yaw"):
        aflw.read()
    aflw.run("DROP TABLE facepose")
    with pytest.raises(DataError, match="no such table: facepose"):
        aflw.read()
    aflw.run(
        "PRAGMA writable_schema = on;"
        "UPDATE sqlite_master SET sql = 'CREATE TABLE (', name = CAST(X'66d4' AS TEXT)"
        " WHERE name = 'faceellipse'"
    )
    with pytest.raises(DataError, match=r"is not AFLW's database \((malformed .*f\ufffd|damaged)"):
        aflw.read()
    aflw.file.write_bytes(b"this is no database" * 100)
    with pytest.raises(DataError, match=r"aflw\.sqlite: is not AFLW's database \(file is not"):
        aflw.read()


def test_the_database_is_only_read(aflw):
    aflw.face(1, points_at(1, 2))
    before = aflw.file.read_bytes()
    aflw.read()
    assert aflw.file.read_bytes() == before
    assert [path.name for path in aflw.file.parent.iterdir() if path.is_file()] == ["aflw.sqlite"]


# --- pose ---------------------------------------------------------------------------------------


def test_pose_signs_and_angles_beyond_half_a_turn():
    # Theirs: nose to the picture's left, looking up, turned counter-clockwise.
    assert pose_from_aflw(0.2, 0.1, 0.5) == pytest.approx(np.degrees([-0.5, 0.1, -0.2]))
    turned = pose_from_aflw(0.2 + 2 * math.pi, 0.1 - 2 * math.pi, 0.5)
    assert turned == pytest.approx(np.degrees([-0.5, 0.1, -0.2]))


def turned_face(pose: Pose) -> np.ndarray:
    """AFLW's landmarks of the mean face in that pose."""
    flat = (mean_face_3d() @ rotation_matrix(pose).T)[:, :2] * 100 + 200
    points = np.full((21, 2), np.nan)
    points[list(AFLW_21_TO_68)] = flat[list(AFLW_21_TO_68.values())]
    return points


@pytest.mark.parametrize(
    ("yaw_sign", "roll_sign", "said"),
    [
        (-1, -1, ""),
        (1, -1, "; yaw contradicts the landmarks in 12 of 12 clearly turned faces"),
        (-1, 1, "; roll contradicts the landmarks in 12 of 12 clearly turned faces"),
    ],
)
def test_poses_that_contradict_the_landmarks_are_told(aflw, yaw_sign, roll_sign, said):
    rng = np.random.default_rng(4)
    for number in range(12):
        side = 1 if number % 2 else -1
        pose = Pose(side * rng.uniform(18, 40), rng.uniform(-15, 15), -side * rng.uniform(18, 40))
        aflw.face(number, turned_face(pose), f"0/image{number:05d}.jpg")
        yaw, pitch, roll = np.radians(pose)
        aflw.insert("facepose", (number, roll_sign * roll, pitch, yaw_sign * yaw, 1))
    counts = []
    records = aflw.read(counts=counts)
    assert str(counts[0]) == f"AFLW: 12 faces of the official 24386{said}"
    if not said:
        assert records[11].faces[0].pose == pytest.approx(pose)


@pytest.mark.data
def test_a_database_of_real_faces(aflw, data_root, monkeypatch):
    """AFLW2000-3D's faces with poses by its authors: the landmarks must agree with our signs."""
    monkeypatch.setattr("efld_dlib.datasets.aflw.MIN_FACES", 3)
    source = list(read_aflw2000(data_root / "aflw2000", "21"))
    for number, record in enumerate(source):
        face = record.faces[0]
        aflw.face(number, face.points, f"0/{record.path.name}", (450, 450))
        yaw, pitch, roll = np.radians(face.pose)
        aflw.insert("facepose", (number, -roll, pitch, -yaw, 1))
    counts = []
    records = aflw.read(counts=counts)
    assert str(counts[0]) == "AFLW: 16 faces of the official 24386"
    for got, expected in zip(records, source, strict=True):
        np.testing.assert_allclose(got.faces[0].points, expected.faces[0].points)
        assert got.faces[0].pose == pytest.approx(expected.faces[0].pose)
        assert got.photograph == expected.photograph
    opposite = PoseCheck()
    for record in source:
        pose = record.faces[0].pose
        opposite.add(record.faces[0].points, Pose(-pose.yaw, pose.pitch, pose.roll))
    assert "yaw contradicts" in opposite.note()


def test_values_of_other_types(aflw):
    aflw.face(1, points_at(10, 10))
    aflw.run("UPDATE faceimages SET filepath = x'ff00'")
    with pytest.raises(DataError, match=r"face 1: its picture's name is no text"):
        aflw.read()
    aflw.run("UPDATE faceimages SET filepath = printf('%.*c', 5000, 'a')")
    with pytest.raises(DataError, match=r"face 1: its picture 'aaa.* is not there"):
        aflw.read()


@pytest.mark.parametrize(
    "table",
    [
        "CREATE VIEW faces AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
        "SELECT i AS face_id, 'x' AS file_id FROM n",
        "CREATE VIRTUAL TABLE faces USING fts3(face_id, file_id)",
    ],
)
def test_a_program_in_place_of_a_table_is_not_run(aflw, table):
    aflw.run(f"DROP TABLE faces; {table}")
    with pytest.raises(DataError, match="no such table: faces"):
        aflw.read()


def test_a_landmark_numbered_in_a_column_without_a_type(aflw):
    aflw.run(
        "DROP TABLE featurecoords; "
        "CREATE TABLE featurecoords (face_id, feature_id FLOAT, x, y, annot_type_id)"
    )
    aflw.face(1, points_at(10, 20))
    np.testing.assert_array_equal(aflw.read()[0].faces[0].points, points_at(10, 20))


def test_a_rectangle_of_damaged_numbers_is_passed_over(aflw):
    aflw.face(1, points_at(10, 20))
    aflw.insert("facerect", (1, 0, 0, 10**12, 10**12, 1), (1, 5, 6, 70, 80, 1))
    assert aflw.read()[0].faces[0].box == Box(5, 6, 70, 80)
