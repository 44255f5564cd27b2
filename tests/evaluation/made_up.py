"""Evaluations made by hand, for tests that need no model."""

from pathlib import Path

from efld_dlib.evaluation.evaluate import Evaluation, FaceResult
from efld_dlib.pose import mean_face_3d

FACE = mean_face_3d()[:, :2] * 100 + 150
"""A frontal face with outer eye corners 100 px apart."""


def shifted(distance, start=0, stop=68):
    """The face with some landmarks `distance` px too far right."""
    points = FACE.copy()
    points[start:stop, 0] += distance
    return points


def made_up(predictions, name="a", paths=None, truths=None):
    """The evaluation of faces whose truth is `FACE`, with these predictions (None = missed)."""
    truths = truths or [FACE] * len(predictions)
    paths = paths or [Path(f"{index}.png") for index in range(len(predictions))]
    results = [
        FaceResult(Path(path), truth, predicted)
        for path, truth, predicted in zip(paths, truths, predictions, strict=True)
    ]
    return Evaluation(results, name=name)


def table_cells(output, title):
    """The cells of a table by the first one, header included."""
    part = output.split(f"### {title}", 1)[1].split("###")[0]
    lines = [line for line in part.replace("\\|", "").splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {first: rest for first, *rest in cells}
