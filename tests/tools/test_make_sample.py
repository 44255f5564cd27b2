import csv

import cv2
import dlib
import numpy as np
import pytest
from click.testing import CliRunner

from efld_dlib.boxes import Pose
from efld_dlib.datasets.w300 import read_w300
from efld_dlib.errors import DataError
from efld_dlib.landmarks import mirror_points
from efld_dlib.pose import estimate_pose
from tools.make_sample import main, make_sample
from tools.sample.folder import Plan
from tools.sample.recipe import Expression, Recipe, Shot
from tools.sample.scene import picture, points_of

PLAN = Plan(faces=12, test_faces=4, seed=3)
LID_PAIRS = ([37, 38, 43, 44], [41, 40, 47, 46])  # upper, lower


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made") / "sample"
    assert make_sample(folder, PLAN, jobs=2)
    return folder


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def table_of_poses(folder):
    with open(folder / "pose.csv", newline="") as file:
        return {
            row["file"]: Pose(float(row["yaw"]), float(row["pitch"]), float(row["roll"]))
            for row in csv.DictReader(file)
        }


def records(folder):
    return [*read_w300(folder, "train"), *read_w300(folder, "helen/testset")]


# The folder


def test_the_300w_reader_reads_it(sample):
    assert len(list(read_w300(sample, "train"))) == PLAN.faces
    assert len(list(read_w300(sample, "test-common"))) == PLAN.test_faces
    # Every face is a photograph of its own, whatever the reader makes of the names.
    assert len({record.photograph for record in records(sample)}) == 16


def test_landmarks_lie_inside_the_picture_and_on_a_face_of_useful_size(sample):
    for record in records(sample):
        height, width = cv2.imread(str(record.path)).shape[:2]
        assert 320 <= min(width, height) <= max(width, height) <= 480
        points = record.faces[0].points
        assert points.shape == (68, 2)
        assert (points >= 0).all()
        assert (points <= (width - 1, height - 1)).all()
        assert 110 <= np.ptp(points, axis=0).max() <= 260


def test_pts_count_from_one_under_300w_header(sample):
    lines = (sample / "afw" / "face0001.pts").read_text().splitlines()
    assert lines[:3] == ["version: 1", "n_points: 68", "{"]
    assert lines[-1] == "}"
    first = [float(word) for word in lines[3].split()]
    record = next(read_w300(sample, "afw"))
    assert first == pytest.approx(record.faces[0].points[0] + 1)


def test_pose_table_names_every_picture_and_agrees_with_the_landmarks(sample):
    poses = table_of_poses(sample)
    found = {record.path.relative_to(sample).as_posix(): record for record in records(sample)}
    assert poses.keys() == found.keys()
    # The pose of an average face that fits the points: not exact, but it has the signs and size.
    errors = [np.subtract(estimate_pose(found[f].faces[0].points), poses[f]) for f in poses]
    assert np.abs(errors).mean() < 7


def test_same_seed_gives_same_bytes_whatever_the_number_of_jobs(tmp_path):
    plan = Plan(faces=5, test_faces=1)
    for jobs in (1, 2):
        make_sample(tmp_path / str(jobs), plan, jobs=jobs)
    assert contents(tmp_path / "1") == contents(tmp_path / "2")


def test_other_seed_gives_other_faces(tmp_path):
    made = []
    for seed in (1, 2):
        make_sample(tmp_path / str(seed), Plan(faces=1, test_faces=0, seed=seed), jobs=1)
        made.append(contents(tmp_path / str(seed)))
    assert made[0].keys() == made[1].keys()
    assert all(made[0][name] != made[1][name] for name in made[0])


def test_the_command_leaves_a_complete_sample_alone_and_replaces_another(tmp_path):
    def run(seed):
        options = ["--faces", "2", "--test-faces", "1", "--seed", seed, "-j", "1"]
        return CliRunner().invoke(main, ["-o", str(tmp_path / "sample"), *options])

    assert run("1").exit_code == 0
    before = contents(tmp_path / "sample")
    again = run("1")
    assert (again.exit_code, "already there" in again.output) == (0, True)
    assert contents(tmp_path / "sample") == before
    assert run("2").exit_code == 0
    assert contents(tmp_path / "sample") != before
    assert [path.name for path in tmp_path.iterdir()] == ["sample"]


def test_a_sample_with_a_missing_file_is_made_anew(tmp_path):
    plan = Plan(faces=1, test_faces=1)
    make_sample(tmp_path / "sample", plan, jobs=1)
    before = contents(tmp_path / "sample")
    next((tmp_path / "sample").rglob("*.pts")).unlink()
    assert make_sample(tmp_path / "sample", plan, jobs=1)
    assert contents(tmp_path / "sample") == before


def test_a_folder_with_something_else_is_not_touched(tmp_path):
    (tmp_path / "thesis.txt").write_text("do not lose me")
    with pytest.raises(DataError, match="holds no sample"):
        make_sample(tmp_path, Plan(faces=1, test_faces=0), jobs=1)
    result = CliRunner().invoke(main, ["-o", str(tmp_path), "--faces", "1"])
    assert result.exit_code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


# The faces


def test_the_neutral_frontal_face_is_its_own_mirror_image():
    points = points_of(Recipe(shot=Shot(width=401, centre=(200.0, 190.0))))
    assert points == pytest.approx(mirror_points(points, 401), abs=1e-6)


@pytest.mark.parametrize(
    ("pose", "axis", "sign"),
    [
        (Pose(25, 0, 0), 0, 1),
        (Pose(-25, 0, 0), 0, -1),
        (Pose(0, 15, 0), 1, -1),
        (Pose(0, -15, 0), 1, 1),
    ],
)
def test_the_nose_moves_where_the_head_turns(pose, axis, sign):
    def nose(recipe):
        points = points_of(recipe)
        return (points[30] - points[[36, 45]].mean(axis=0))[axis]

    assert sign * (nose(Recipe(pose)) - nose(Recipe())) > 5


def test_positive_roll_turns_the_picture_clockwise():
    recipe = Recipe(Pose(0, 0, 20))
    left, right = points_of(recipe)[[36, 45]]
    assert np.degrees(np.arctan2(*(right - left)[::-1])) == pytest.approx(20, abs=1e-6)


def test_the_far_jaw_keeps_to_the_outside_of_a_turned_face():
    points = points_of(Recipe(Pose(45, 0, 0)))
    far_cheek = points[12:17, 0].max()
    assert far_cheek >= points[[45, 54], 0].max()


def test_expression_moves_lips_and_lids():
    def gaps(expression):
        points = points_of(Recipe(expression=expression))
        lids = points[LID_PAIRS[1], 1] - points[LID_PAIRS[0], 1]
        return points[66, 1] - points[62, 1], lids

    mouth, lids = gaps(Expression())
    assert 0 < mouth < 2
    assert (lids > 5).all()
    assert gaps(Expression(mouth_open=20))[0] > 15
    shut = gaps(Expression(left_eye_closed=1, right_eye_closed=1))[1]
    assert (shut >= 0).all()
    assert (shut < 1).all()


def test_lips_are_painted_where_their_landmarks_are():
    recipe = Recipe(expression=Expression(mouth_open=15))
    pixels = picture(np.random.default_rng(0), recipe).astype(float)
    points = points_of(recipe)

    def redness(place):
        x, y = np.rint(place).astype(int)
        red, green, _ = pixels[y - 1 : y + 2, x - 1 : x + 2].mean(axis=(0, 1))
        return red / green

    lower_lip = points[[57, 66]].mean(axis=0)
    chin = points[57] + (points[8] - points[57]) * 0.4
    assert redness(lower_lip) > redness(chin) + 0.2
    open_mouth = points[66] + (points[62] - points[66]) * 0.2
    x, y = np.rint(open_mouth).astype(int)
    assert pixels[y, x].mean() < pixels[np.rint(chin[1]).astype(int), x].mean() * 0.7


def test_dlib_finds_the_near_frontal_faces(sample):
    detector = dlib.get_frontal_face_detector()
    poses = table_of_poses(sample)
    found = []
    for record in records(sample):
        pose = poses[record.path.relative_to(sample).as_posix()]
        if abs(pose.yaw) < 25 and abs(pose.pitch) < 20 and abs(pose.roll) < 15:
            gray = cv2.imread(str(record.path), cv2.IMREAD_GRAYSCALE)
            middle = dlib.point(*(int(value) for value in record.faces[0].points.mean(axis=0)))
            found.append(any(box.contains(middle) for box in detector(gray, 0)))
    assert len(found) >= 6
    assert np.mean(found) >= 0.8


def test_another_programs_readme_is_left_alone(tmp_path):
    (tmp_path / "README.txt").write_bytes("grüße".encode("latin-1"))
    with pytest.raises(DataError, match="holds no sample"):
        make_sample(tmp_path, PLAN)
