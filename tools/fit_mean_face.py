"""Make the mean 3-D face that `efld_dlib.pose` fits, and measure the pose it gives.

AFLW2000-3D gives 68 landmarks in three dimensions and the head's rotation with each picture. Every
face is turned back to pose 0, brought to unit size, and the faces are averaged and made
symmetric. The program prints the error of the pose when each face is left out of its own mean.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat

from efld_dlib.errors import DataError, EfldError
from efld_dlib.files import write_text
from efld_dlib.landmarks import LEFT_EYE_OUTER, RIGHT_EYE_OUTER, SCHEMES
from efld_dlib.pose import (
    FITTED_LANDMARKS,
    MEAN_FACE_FILE,
    estimate_poses,
    pose_from_aflw2000,
    rotation_matrix,
)
from efld_dlib.tables import Table, as_text, number

FloatArray = NDArray[np.float64]

PROJECT = Path(__file__).resolve().parent.parent
DEFAULT_OUTPUT = PROJECT / "efld_dlib" / "data" / MEAN_FACE_FILE
NEAR_FRONTAL = 60.0  # degrees of yaw up to which the summary counts a face

HEADER = """\
# Mean face in three dimensions: x, y, z of the 68 landmarks, one a line, as in landmarks.py.
# Unit: distance of the outer eye corners (36, 45). Origin: the middle between them.
# Axes: x to the picture's right, y down, z away from the viewer; mirror-symmetric about x = 0.
# Source: {count} faces of AFLW2000-3D (Zhu et al., CVPR 2016), turned to pose 0 and averaged.
# Made by tools/fit_mean_face.py; do not edit by hand.
"""


class Samples(NamedTuple):
    """What AFLW2000-3D says of n faces, in the axes of `efld_dlib.pose`."""

    names: list[str]
    points: FloatArray  # (n, 68, 3), pixels
    rotations: FloatArray  # (n, 3, 3)
    poses: FloatArray  # (n, 3), degrees


def read_samples(folder: Path) -> Samples:
    """Read every ``.mat`` file of AFLW2000-3D in `folder`."""
    files = sorted(folder.glob("*.mat"))
    if len(files) < 2:
        raise DataError(folder, "holds fewer than two .mat files of AFLW2000-3D")
    points, poses = [], []
    for file in files:
        content = loadmat(file)
        try:
            face = content["pt3d_68"].T.astype(np.float64)
            pose_para = content["Pose_Para"]
        except KeyError as error:
            raise DataError(file, f"has no {error}") from error
        # Theirs is z towards the viewer.
        points.append(face * (1.0, 1.0, -1.0))
        poses.append(pose_from_aflw2000(pose_para))
    names = [file.stem for file in files]
    rotations = np.array([rotation_matrix(pose) for pose in poses])
    return Samples(names, np.array(points), rotations, np.array(poses))


def unturned(samples: Samples) -> FloatArray:
    """Faces at pose 0, shape (n, 68, 3), centred and scaled by the landmarks off the jaw."""
    # points = pose-0 face @ R.T, and R.T is R's inverse.
    faces = np.einsum("nkc,ncd->nkd", samples.points, samples.rotations)
    faces -= faces[:, FITTED_LANDMARKS].mean(axis=1, keepdims=True)
    sizes = np.linalg.norm(faces[:, FITTED_LANDMARKS], axis=(1, 2), keepdims=True)
    return np.asarray(faces / sizes)


def mean_face(faces: FloatArray) -> FloatArray:
    """Symmetric mean of faces (n, 68, 3), in the unit and with the origin of `mean_face_3d`."""
    mean = faces.mean(axis=0)
    mirrored = mean[list(SCHEMES["68"].mirror)] * (-1.0, 1.0, 1.0)
    symmetric = (mean + mirrored) / 2
    left, right = symmetric[LEFT_EYE_OUTER], symmetric[RIGHT_EYE_OUTER]
    return np.asarray((symmetric - (left + right) / 2) / np.linalg.norm(right - left))


def left_out_errors(samples: Samples) -> FloatArray:
    """Pose errors in degrees, shape (n, 3): each face against the mean of the others."""
    faces = unturned(samples)
    errors = []
    for index, points in enumerate(samples.points):
        others = mean_face(np.delete(faces, index, axis=0))
        found = estimate_poses(points[np.newaxis, :, :2], others)[0]
        errors.append((found - samples.poses[index] + 180.0) % 360.0 - 180.0)
    return np.array(errors)


def report(samples: Samples, errors: FloatArray) -> str:
    """Table of the errors, one face a line, and their means."""
    rows = [
        (name, *(number(value, 1) for value in (*pose, *error)))
        for name, pose, error in zip(samples.names, samples.poses, errors, strict=True)
    ]
    angles = ("yaw", "pitch", "roll")
    lines = []
    near = np.abs(samples.poses[:, 0]) < NEAR_FRONTAL
    for label, chosen in ((f"|yaw| < {NEAR_FRONTAL:.0f}", near), ("all", np.ones_like(near))):
        mean = np.abs(errors[chosen]).mean(axis=0)
        lines.append(
            f"mean absolute error, {label} ({chosen.sum()} faces): "
            + ", ".join(f"{n} {v:.2f}" for n, v in zip(angles, mean, strict=True))
        )
    header = ("face", *angles, *(f"error of {angle}" for angle in angles))
    return as_text(Table("Pose in degrees", header, rows, "\n".join(lines)))


def face_file(face: FloatArray, count: int) -> str:
    """Give the data file's text."""
    # Adding zero turns -0 into 0.
    rows = (",".join(f"{value:.6f}" for value in row) for row in np.round(face, 6) + 0.0)
    return HEADER.format(count=count) + "\n".join(rows) + "\n"


def default_data() -> Path:
    """``$EFLD_DATA``, else ``../shared/data`` beside the project."""
    return Path(os.environ.get("EFLD_DATA") or PROJECT.parent / "shared" / "data")


@click.command(help=__doc__)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Folder that holds aflw2000/. [default: $EFLD_DATA, then ../shared/data]",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help=f"File to write. [default: efld_dlib/data/{MEAN_FACE_FILE} of the project]",
)
@click.option("--check", is_flag=True, help="Only print the errors, write nothing.")
def main(data: Path | None, output: Path | None, check: bool) -> None:
    """Run the program."""
    try:
        samples = read_samples((data or default_data()) / "aflw2000")
        click.echo(report(samples, left_out_errors(samples)))
        if not check:
            target = output or DEFAULT_OUTPUT
            face = mean_face(unturned(samples))
            write_text(target, face_file(face, len(samples.names)))
            click.echo(f"written: {target}", err=True)
    except EfldError as error:
        click.echo(f"error: {error}", err=True)
        raise SystemExit(2) from error


if __name__ == "__main__":
    main()
