"""Small sound files of every kind that the toolkit reads: what the harness damages.

Everything is made here, from the synthetic sample and from numbers; nothing is anyone's picture.
"""

from __future__ import annotations

import io
import json
import shutil
import sqlite3
from contextlib import closing
from importlib.resources import files
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from scipy.io import savemat

from efld_dlib.datasets.w300 import read_w300
from efld_dlib.models.dat import write_dat
from efld_dlib.models.efld import efld_bytes
from efld_dlib.models.quantised import quantise
from efld_dlib.prepare.build import PrepareOptions, build_training_xml
from efld_dlib.prepare.rarity import Weighting
from efld_dlib.xml.write import write_xml
from tests.datasets.test_aflw import Aflw
from tests.datasets.test_cfp import PROFILE
from tests.models.small_models import random_predictor
from tools.make_sample import make_sample
from tools.sample.folder import Plan, write_pts

from .odd_pictures import write_odd_pictures

FACES = 4
PICTURE_SIDE = 120
_TEXTURE = np.random.default_rng(3).integers(60, 200, (PICTURE_SIDE, PICTURE_SIDE), np.uint8)


def small_picture() -> np.ndarray:
    """Something to encode, RGB, with smooth parts, so that its files have structure."""
    smooth = cv2.GaussianBlur(_TEXTURE, (0, 0), 4)
    return np.dstack([smooth, np.roll(smooth, 20, 0), np.roll(smooth, 30, 1)])


def encoded(suffix: str) -> bytes:
    """The small picture in a format that OpenCV writes, or (gif) Pillow."""
    if suffix == ".gif":
        stream = io.BytesIO()
        frames = [Image.fromarray(np.roll(small_picture(), 9 * i, 1)) for i in range(3)]
        frames[0].save(stream, "GIF", save_all=True, append_images=frames[1:])
        return stream.getvalue()
    good, data = cv2.imencode(suffix, small_picture())
    assert good
    return bytes(data.tobytes())


def make_samples(folder: Path) -> Path:
    """Write all of them into a new folder.

    ``pictures/`` with ``odd/``; ``videos/``; ``w300/`` with ``Bounding Boxes``; ``training/`` as
    `prepare` writes it and ``faces.xml``; ``aflw/``, ``aflw19/``, ``aflw2000/``, ``cofw/``,
    ``wflw/``, ``merl/``, ``synthetics/``, ``ytf/``, ``cfp/``; ``models/`` with small.dat,
    small.efld, full.dat (68 points) with the report beside it, and full.efld; ``networks/``.
    """
    folder.mkdir(parents=True)
    (folder / "pictures").mkdir()
    for suffix in (".jpg", ".png", ".bmp", ".tiff", ".webp", ".gif", ".ppm"):
        (folder / "pictures" / f"p{suffix}").write_bytes(encoded(suffix))
    write_odd_pictures(folder / "pictures" / "odd", small_picture())
    _video(folder / "videos")
    make_sample(folder / "tree", Plan(faces=8, test_faces=2, seed=5), jobs=1)
    _w300(folder)
    options = PrepareOptions(variants=1, augmentation=(), weighting=Weighting("none"))
    build_training_xml(read_w300(folder / "w300"), folder / "training", options, jobs=1)
    write_xml(folder / "faces.xml", read_w300(folder / "w300"))
    _aflw(folder / "aflw")
    _mats(folder)
    _texts(folder)
    (folder / "models").mkdir()
    write_dat(random_predictor(), folder / "models" / "small.dat")
    full = random_predictor(points=68)
    for name, predictor, metadata in (
        ("small", random_predictor(), {}),
        ("full", full, {"licence": "x"}),
    ):
        data = efld_bytes({"a": quantise(predictor, 1e-3)}, metadata)
        (folder / "models" / f"{name}.efld").write_bytes(data)
    write_dat(full, folder / "models" / "full.dat")
    size = (folder / "models" / "full.dat").stat().st_size
    report = {"bytes": size, "preset": "x", "nme": {"train": 0.1}, "licence": "y"}
    (folder / "models" / "full.json").write_text(json.dumps(report))
    shutil.copytree(Path(str(files("efld_dlib.data") / "network")), folder / "networks")
    (folder / "options.txt").write_text(
        "36-45/30-48,angle:36-45,eye_distance\neyes,mouth,17-30\nrotate,occlude:0.3\n"
        "nu=0.05\n2.1MB\nfast\n"
    )
    return folder


def _video(folder: Path) -> None:
    folder.mkdir()
    size = PICTURE_SIDE, PICTURE_SIDE
    writer = cv2.VideoWriter(str(folder / "v.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, size)
    assert writer.isOpened()
    for step in range(6):
        writer.write(np.roll(small_picture(), 3 * step, 1))
    writer.release()


def _w300(folder: Path) -> None:
    root = folder / "w300"
    chosen = sorted((folder / "tree").rglob("*.pts"))[:FACES]
    (root / "Bounding Boxes").mkdir(parents=True)
    for number, pts in enumerate(chosen):
        for path in pts.parent.glob(f"{pts.stem}.*"):
            shutil.copy(path, root / f"face{number}{path.suffix}")
    shutil.rmtree(folder / "tree")
    entries = np.empty((1, FACES), dtype=object)
    corners = np.array([20.0, 20.0, 90.0, 90.0])
    entries[0, :] = [
        {"imgName": f"face{number}.jpg", "bb_detector": corners, "bb_ground_truth": corners}
        for number in range(FACES)
    ]
    savemat(root / "Bounding Boxes" / "bounding_boxes_w300.mat", {"bounding_boxes": entries})


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _aflw(root: Path) -> None:
    database = Aflw(root)
    for face in range(1, 4):
        name = f"0/image0000{face}.jpg"
        database.face(face, np.arange(42.0).reshape(21, 2) + 10 * face, name, touch=False)
        database.insert("facerect", (face, 5, 5, 60, 60, 1))
        database.insert("facepose", (face, 0.1, 0.2, 0.3, 1))
        database.insert("facemetadata", (face, "f", 0, 1, 0, 1))
        (root / "data" / "flickr" / name).write_bytes(encoded(".jpg"))
    with closing(sqlite3.connect(database.file)) as connection:
        connection.execute("VACUUM")


def _mats(folder: Path) -> None:
    count = 4
    names = np.empty((count, 1), dtype=object)
    names[:, 0] = [f"0/image0000{i}.jpg" for i in range(count)]
    for picture in names[:, 0]:
        path = folder / "aflw19" / "flickr" / picture
        _made(path.parent)
        path.write_bytes(encoded(".jpg"))
    savemat(
        folder / "aflw19" / "AFLWinfo_release.mat",
        {
            "bbox": np.array([[10, 59, 20, 89]] * count, float),
            "data": np.arange(38.0 * count).reshape(count, 38),
            "mask_new": np.ones((count, 19), np.uint8),
            "nameList": names,
            "ra": np.array([[3, 2, 1, 4]], float),
        },
    )
    points = np.arange(136.0).reshape(68, 2) + 1
    _made(folder / "aflw2000")
    for number in range(3):
        savemat(
            folder / "aflw2000" / f"image0000{number}.mat",
            {
                "pt3d_68": np.vstack([points.T, np.zeros(68)]) + number,
                "pt2d": np.arange(42.0).reshape(2, 21),
                "Pose_Para": np.full((1, 7), 0.1),
            },
            do_compression=number == 1,
        )
        (folder / "aflw2000" / f"image0000{number}.jpg").write_bytes(encoded(".jpg"))
    _made(folder / "cofw")
    for number in (1, 2, 3):
        savemat(
            folder / "cofw" / f"{number}_points.mat",
            {"Points": points + number, "Occ": np.zeros((1, 68))},
            format="4" if number == 2 else "5",
        )
        (folder / "cofw" / f"{number}.png").write_bytes(encoded(".png"))
    savemat(folder / "cofw" / "cofw68_test_bboxes.mat", {"bboxes": np.full((3, 4), 50.0)})


def _texts(folder: Path) -> None:
    points = np.arange(136.0).reshape(68, 2)
    _made(folder / "merl")
    for number in range(3):
        write_pts(folder / "merl" / f"image0000{number}.pts", points + number)
        (folder / "merl" / f"image0000{number}.jpg").write_bytes(encoded(".jpg"))
    _made(folder / "wflw" / "WFLW_images" / "0--Parade")
    lines = []
    for number in range(3):
        name = f"0--Parade/a b {number}.jpg"
        (folder / "wflw" / "WFLW_images" / name).write_bytes(encoded(".jpg"))
        numbers = [*np.arange(196.0) + number, 5, 5, 90, 90, 0, 0, 0, 0, 0, 0]
        lines.append(" ".join(f"{value:g}" for value in numbers) + f" {name}")
    (folder / "wflw" / "list_98pt_rect_attr_train.txt").write_text("\n".join(lines) + "\n")
    _made(folder / "synthetics")
    for number in range(3):
        rows = np.arange(140.0).reshape(70, 2) + number
        text = "".join(f"{x} {y}\n" for x, y in rows)
        (folder / "synthetics" / f"00000{number}_ldmks.txt").write_text(text)
        (folder / "synthetics" / f"00000{number}.png").write_bytes(encoded(".png"))
    header = "," + ",".join(map(str, range(136)))
    for part in ("training", "test"):
        _made(folder / "ytf" / part)
        lines = [header]
        for number in range(3):
            name = f"A_Person_{number}0.jpg"
            (folder / "ytf" / part / name).write_bytes(encoded(".jpg"))
            lines.append(name + "".join(f",{value:.2f}" for value in points.ravel() + number))
        (folder / "ytf" / f"{part}_frames_keypoints.csv").write_text("\n".join(lines) + "\n")
    for number in range(3):
        person = f"00{number}/profile"
        text = "".join(f"{x},{y}\n" for x, y in PROFILE + number)
        (_made(folder / "cfp" / "Fiducials" / person) / "01.txt").write_text(text)
        (_made(folder / "cfp" / "Images" / person) / "01.jpg").write_bytes(encoded(".jpg"))
