"""The sample on disk: 300-W's folders, pictures and `.pts` files, and a table of the poses."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

import cv2
import numpy as np

from efld_dlib.boxes import FloatArray, Pose
from efld_dlib.errors import DataError
from efld_dlib.files import write_text
from efld_dlib.parallel import parallel_map

from .layout import mean_controls
from .recipe import Recipe, random_recipe
from .scene import picture, points_of

# To be raised when the same parameters give other pictures than before.
VERSION = 1

TEST_FOLDER = "helen/testset"
# 300-W's training folders, and the share of the faces that each one gets, about as in 300-W.
TRAINING_FOLDERS = (("afw", 0.1), ("helen/trainset", 0.65), ("lfpw/trainset", 0.25))

README = "README.txt"
POSES = "pose.csv"
TITLE = "Synthetic faces"

README_TEXT = """\
{title}

Every picture here is synthetic: a head modelled and painted by a program. No photograph and no
person is in it. Made by efld_dlib's

    python -m tools.make_sample --faces {faces} --test-faces {test_faces} --seed {seed}

(generator version {version}). Folders and .pts files are laid out as in 300-W; the 68 landmarks are
exact projections of the modelled head. pose.csv gives each head's yaw, pitch and roll in degrees:
yaw > 0 nose to the picture's right, pitch > 0 looking up, roll > 0 head turned clockwise.
"""

MARGIN = 3.0  # pixels that every landmark keeps from the picture's edge


@dataclass(frozen=True)
class Plan:
    """What a sample is made from; the same plan gives the same bytes with the same OpenCV."""

    faces: int = 300
    test_faces: int = 60
    seed: int = 1

    def files(self) -> list[str]:
        """Every face's file, without suffix, below the sample's folder."""
        counts = [round(share * self.faces) for _, share in TRAINING_FOLDERS]
        counts[1] += self.faces - sum(counts)
        folders = [folder for folder, _ in TRAINING_FOLDERS]
        # No underscore before the number: in AFW's and HELEN's names it numbers the faces of one
        # photograph.
        return [
            f"{folder}/face{number:04d}"
            for folder, count in zip(
                [*folders, TEST_FOLDER], [*counts, self.test_faces], strict=True
            )
            for number in range(1, count + 1)
        ]

    def readme(self) -> str:
        """Text of the sample's README; it tells samples of other plans or versions apart."""
        return README_TEXT.format(title=TITLE, version=VERSION, **asdict(self))


@dataclass(frozen=True)
class _Task:
    target: Path  # without suffix
    rng: np.random.Generator


def is_complete(folder: Path, plan: Plan) -> bool:
    """Whether `folder` already holds the sample of `plan`."""
    readme = folder / README
    if not readme.is_file() or readme.read_text("utf-8", "replace") != plan.readme():
        return False
    wanted = [folder / f"{file}{suffix}" for file in plan.files() for suffix in (".jpg", ".pts")]
    return all(path.is_file() for path in [*wanted, folder / POSES])


def make_folder(
    folder: Path,
    plan: Plan,
    jobs: int = 1,
    watch: Callable[[Iterable[Pose]], Iterable[Pose]] = iter,
) -> None:
    """Write the sample of `plan`; an older sample in `folder` is replaced.

    Parameters
    ----------
    folder : path
        Where it goes; it appears there whole or not at all.
    plan : Plan
        What to make.
    jobs : int
        Number of processes; the result does not depend on it.
    watch : callable
        Wraps the faces as they are made, for a progress bar.

    Raises
    ------
    DataError
        `folder` exists and is not a sample, or cannot be written.
    """
    _refuse_foreign(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as name:
            fresh = Path(name) / "new"
            _fill(fresh, plan, jobs, watch)
            if folder.exists():
                folder.rename(Path(name) / "old")
            fresh.rename(folder)
    except OSError as error:
        raise DataError(folder, f"cannot be written ({error.strerror})") from error


def _refuse_foreign(folder: Path) -> None:
    """Raise if `folder` holds something that this program has not made."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise DataError(folder, "is a file, not a folder to write into")
    readme = folder / README
    ours = readme.is_file() and readme.read_text("utf-8", "replace").startswith(f"{TITLE}\n")
    if not ours and any(folder.iterdir()):
        raise DataError(folder, "is not empty and holds no sample; choose another folder")


def _fill(
    folder: Path, plan: Plan, jobs: int, watch: Callable[[Iterable[Pose]], Iterable[Pose]]
) -> None:
    files = plan.files()
    for parent in {PurePosixPath(file).parent for file in files}:
        (folder / parent).mkdir(parents=True)
    # Each face has a generator of its own, so that no process waits for another's chance.
    generators = np.random.default_rng(plan.seed).spawn(len(files))
    tasks = [_Task(folder / file, rng) for file, rng in zip(files, generators, strict=True)]
    poses = watch(parallel_map(_make_face, tasks, jobs, chunk=4))
    rows = [
        f"{file}.jpg,{pose.yaw:.4f},{pose.pitch:.4f},{pose.roll:.4f}\n"
        for file, pose in zip(files, poses, strict=True)
    ]
    folder.mkdir(exist_ok=True)
    write_text(folder / POSES, "file,yaw,pitch,roll\n" + "".join(rows))
    write_text(folder / README, plan.readme())


def _make_face(task: _Task) -> Pose:
    """Write one picture and its landmarks; the head's pose."""
    recipe, points = next(_whole_faces(task.rng))
    pixels = picture(task.rng, recipe)
    quality = [cv2.IMWRITE_JPEG_QUALITY, recipe.shot.quality]
    ok, jpeg = cv2.imencode(".jpg", np.ascontiguousarray(pixels[..., ::-1]), quality)
    if not ok:
        raise DataError(task.target, "OpenCV cannot encode JPEG")
    task.target.with_suffix(".jpg").write_bytes(jpeg.tobytes())
    write_pts(task.target.with_suffix(".pts"), points)
    return recipe.pose


def write_pts(path: str | Path, points: FloatArray) -> None:
    """Write landmarks as `.pts`, which counts from 1.

    Parameters
    ----------
    path : path
        The new file.
    points : array, shape (n, 2)
        In pixels counted from 0, all of them given: the format has nothing for one that is not.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    rows = "".join(f"{x:.6f} {y:.6f}\n" for x, y in points + 1.0)
    write_text(path, f"version: 1\nn_points: {len(points)}\n{{\n{rows}}}\n")


def _whole_faces(rng: np.random.Generator) -> Iterator[tuple[Recipe, FloatArray]]:
    """Random faces of which no landmark falls outside the picture."""
    n_controls = len(mean_controls())
    while True:
        recipe = random_recipe(rng, n_controls)
        points = points_of(recipe)
        last = np.array([recipe.shot.width, recipe.shot.height]) - 1
        if (points >= MARGIN).all() and (points <= last - MARGIN).all():
            yield recipe, points
