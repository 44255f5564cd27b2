"""Labels found by the content of the images, and the consensus that they come from."""

import shutil

import numpy as np
import pytest

from efld_dlib.datasets.w300 import read_w300
from efld_dlib.errors import DataError
from efld_dlib.prepare.labels import digest, read_labels, relabelled
from tools.label_consensus import MeshMap, consensus, mesh_of, write_labels

RNG = np.random.default_rng(0)


def test_labels_come_back_to_an_eighth_of_a_pixel(tmp_path):
    points = RNG.uniform(0, 300, (68, 2))
    points[3] = np.nan
    labels = {(b"12345678", 0): points, (b"abcdefgh", 1): None}
    assert write_labels(labels, "made up", tmp_path / "l.xz") < 2000
    again = read_labels(tmp_path / "l.xz")
    assert list(again) == list(labels)
    assert again[b"12345678", 0] == pytest.approx(points, abs=1 / 16, nan_ok=True)
    assert again[b"abcdefgh", 1] is None


@pytest.mark.parametrize("data", [b"", b"no labels", "cut"])
def test_damaged_files_are_refused(tmp_path, data):
    path = tmp_path / "l.xz"
    if data == "cut":
        write_labels({(b"12345678", 0): np.zeros((68, 2))}, "", path)
        data = path.read_bytes()[:-20]
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"l\.xz: is not a file of labels"):
        read_labels(path)


def test_faces_are_known_by_their_image_wherever_it_lies(sample, tmp_path):
    records = list(read_w300(sample, "helen/testset"))[:3]
    moved = shutil.copy(records[0].path, tmp_path / "other.png")
    assert digest(records[0].path) == digest(moved)
    wanted = records[0].faces[0].points + 5
    labels = {(digest(moved), 0): wanted, (digest(records[1].path), 0): None}
    changed = relabelled(records, labels)
    assert [record.path for record in changed] == [records[0].path, records[2].path]
    assert np.array_equal(changed[0].faces[0].points, wanted)
    assert changed[1] == records[2]


def test_labels_that_agree_outvote_one_that_does_not():
    one = RNG.uniform(0, 100, (68, 2))
    near, far = one + RNG.normal(0, 1, (68, 2)), one + RNG.normal(0, 30, (68, 2))
    assert consensus([one, near, far]) == pytest.approx((one + near) / 2)
    assert consensus([one, far]) is None
    half = near.copy()
    half[30:] = np.nan
    said = consensus([one, half])
    assert said[:30] == pytest.approx((one + near)[:30] / 2)
    assert said[30:] == pytest.approx(one[30:])


def test_a_mesh_is_mapped_whatever_its_place_size_and_turn():
    base = RNG.normal(0, 1, (478, 3))
    base[33], base[263] = (-1, 0, 0), (1, 0, 0)
    meshes = [base + RNG.normal(0, 0.05, base.shape) for _ in range(60)]
    mapped = MeshMap.fit(meshes, [mesh[100:168, :2] for mesh in meshes])
    new = base + RNG.normal(0, 0.05, base.shape)
    cosine, sine = 40 * np.cos(0.4), 40 * np.sin(0.4)
    turned = np.column_stack(
        [new[:, :2] @ [[cosine, sine], [-sine, cosine]] + [200, 90], 40 * new[:, 2]]
    )
    assert mapped(turned) == pytest.approx(turned[100:168, :2], abs=8)


def test_the_mesh_of_the_face_in_the_box_is_taken():
    def look(image):
        middle, corner = np.zeros((478, 3)), np.zeros((478, 3))
        middle[:, :2], corner[:, :2] = 159.5, 300
        return [corner, middle] if image.max() else []

    image = np.full((200, 300, 3), 255, np.uint8)
    places = mesh_of(image, (120.0, 80.0), 50.0, look)
    assert places[:, :2] == pytest.approx(np.full((478, 2), (120.0, 80.0)))
    assert mesh_of(image * 0, (120.0, 80.0), 50.0, look) is None
