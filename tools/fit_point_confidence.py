"""Fit the confidence of each single landmark, and measure it on faces that it was not fitted on.

    python -m tools.fit_point_confidence 300w/ merl-rav:aflw/ ytf:ytf/ cfp:cfp/ \
        --labels tools/labels/consensus.xz

The experts learn from the training faces: patches about landmarks against patches beside them and
patches under drawn masks, glasses and hands. How their opinions are weighed is fitted on the faces
that `prepare` and `network train` hold out, as they are, covered in the same ways, and in boxes off
their place, where landmarks go astray. What is printed comes from five folds by image.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tqdm import tqdm

from efld_dlib import FaceLandmarker
from efld_dlib.boxes import FloatArray, RotatedBox
from efld_dlib.cli.options import open_records, sources_argument, warn
from efld_dlib.crops import canonical_crop
from efld_dlib.datasets.split import group_of, is_held_out
from efld_dlib.detection.confidence import (
    PARTS,
    POINT_CONFIDENCE_FILE,
    Experts,
    patches,
    point_evidence,
)
from efld_dlib.detection.framing import default_box_map, framed, is_usable, match_detections
from efld_dlib.detection.network import BOX, CROP
from efld_dlib.errors import Problems
from efld_dlib.images import Image, read_image, to_gray
from efld_dlib.pose import estimate_pose
from efld_dlib.prepare.boxes import apply_deviation
from efld_dlib.prepare.labels import read_labels, relabelled
from efld_dlib.records import FaceAnnotation, ImageRecord
from tools.covers import COVERS, cover

TARGET = Path(__file__).resolve().parent.parent / "efld_dlib/data/network" / POINT_CONFIDENCE_FILE

HELD_OUT, SEED = 0.1, 1
MOST_FACES = 6000
"""Of the training faces, drawn by chance."""

WRONG = 0.04
"""Error of a landmark, in widths of the face's box, above which it counts as wrong. That is about
8 % of the distance of the outer eye corners."""

RIDGE = 0.05
# Patches about landmarks that are right lie off by this, those of wrong ones by that, in widths of
# the box.
_RIGHT, _BESIDE = 0.012, (0.06, 0.22)
# Of the box's centre and size, and of the roll in degrees, for landmarks that go astray.
_ASTRAY, _ASTRAY_ROLL = 0.15, 9.0


@dataclass(frozen=True)
class Run:
    """Landmarks that the pipeline predicted, and the truth.

    Parameters
    ----------
    kind : str
        What was done to the face: "none", "astray", or one of `COVERS`.
    image : int
        Number of the image.
    evidence : array, shape (68, 7)
    error : array, shape (68,)
        In widths of the box; NaN where the truth is unknown.
    hidden : array of bool, shape (68,)
        By the cover, or as the data set says.
    flagged : bool
        Whether the data set says which landmarks are hidden.
    """

    kind: str
    image: int
    evidence: FloatArray
    error: FloatArray
    hidden: FloatArray
    flagged: bool


def fit_experts(records: Sequence[ImageRecord], rng: np.random.Generator) -> Experts:
    """The experts, not yet weighed."""
    seen: list[FloatArray] = []
    right: list[FloatArray] = []
    for gray, points, hidden in _shown(records, rng):
        known = np.isfinite(points).all(axis=1)
        whole = default_box_map().complete(points)
        about = whole + rng.normal(0, _RIGHT * BOX, whole.shape)
        angles, away = rng.uniform(0, 2 * np.pi, 68), BOX * rng.uniform(*_BESIDE, 68)
        beside = whole + away[:, None] * np.column_stack([np.cos(angles), np.sin(angles)])
        covered, under = cover(gray, whole, str(rng.choice([*COVERS, "hand"])), rng)
        good = np.where(known & ~hidden, 1.0, np.nan)
        seen += [patches(gray, about), patches(gray, beside), patches(covered, about)]
        right += [good, 0 * good, np.where(under, 0.0, good)]
    inputs, wanted = np.stack(seen, axis=1), np.stack(right, axis=1)
    fitted = [_expert(*each) for each in zip(inputs, wanted, strict=True)]
    weights, offsets = (np.array(each) for each in zip(*fitted, strict=True))
    return Experts(weights, offsets, np.zeros((len(PARTS), 8)))


def _shown(
    records: Sequence[ImageRecord], rng: np.random.Generator
) -> Iterator[tuple[Image, FloatArray, FloatArray]]:
    """Crops as the network sees them, their landmarks, and which are hidden."""
    for number in tqdm(rng.permutation(len(records))[:MOST_FACES], desc="training faces"):
        gray = to_gray(read_image(records[number].path))
        for face in records[number].faces:
            whole = default_box_map().complete(face.points)
            roll = estimate_pose(whole).roll
            if not np.isfinite(roll) or not is_usable(framed(whole, roll)):
                continue
            context = (CROP - BOX) / 2 / BOX
            crop = canonical_crop(gray, framed(whole, roll), BOX, context, roll)
            yield crop.image, crop.from_photograph(face.points), _hidden(face)


def _hidden(face: FaceAnnotation) -> FloatArray:
    return np.zeros(68, np.bool_) if face.occluded is None else face.occluded


def _expert(inputs: FloatArray, wanted: FloatArray) -> tuple[FloatArray, float]:
    """Least squares to 1 and 0, both classes of one weight; its opinions have deviation 1."""
    known = np.isfinite(wanted)
    inputs, right = inputs[known], wanted[known] > 0
    weight = np.where(right, 0.5 / right.mean(), 0.5 / (1 - right.mean()))
    mean = np.average(inputs, axis=0, weights=weight)
    centred = inputs - mean
    scaled = centred * weight[:, None] / len(centred)
    normal = scaled.T @ centred + RIDGE * np.eye(inputs.shape[1])
    weights: FloatArray = np.linalg.solve(normal, scaled.T @ (2.0 * right - 1))
    weights /= (centred @ weights).std()
    return weights, -float(mean @ weights)


def runs(records: Sequence[ImageRecord], known: Experts, rng: np.random.Generator) -> Iterator[Run]:
    """What the pipeline makes of the faces of images."""
    landmarker = FaceLandmarker()
    for number, record in enumerate(tqdm(records, desc="held-out faces")):
        gray = to_gray(read_image(record.path))
        found = landmarker.detector(gray)
        boxes = match_detections(record.faces, found)
        for face, box in zip(record.faces, boxes, strict=True):
            if box is None:
                continue
            hit = next(each for each in found if each.box == box)
            for kind in ("none", "astray", *COVERS):
                place, image, hidden = RotatedBox(box, hit.roll), gray, _hidden(face)
                if kind == "astray":
                    turn = hit.roll + float(rng.normal(0, _ASTRAY_ROLL))
                    place = RotatedBox(apply_deviation(box, rng.normal(0, _ASTRAY, 3)), turn)
                elif kind != "none":
                    whole = default_box_map().complete(face.points)
                    image, under = cover(gray, whole, kind, rng)
                    hidden = hidden | under
                look = landmarker.network.look(image, place)
                points = landmarker.stage.predict(image, look.start or place, look)
                pose = estimate_pose(points)
                if not np.isfinite(pose).all():
                    continue
                apart = look.crop.from_photograph(points) - look.crop.from_photograph(face.points)
                evident = point_evidence(look, points, pose, known)
                error = np.hypot(*apart.T) / BOX
                yield Run(kind, number, evident, error, hidden, face.occluded is not None)


def fit_weights(seen: Sequence[Run]) -> FloatArray:
    """Weights of the evidence for each part of the face, shape (5, 8)."""
    out = []
    for part in PARTS:
        inputs, good = _of_part(seen, part)
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
        model.fit(inputs, good)
        weights = model[1].coef_[0] / model[0].scale_
        out.append([*weights, model[1].intercept_[0] - weights @ model[0].mean_])
    return np.array(out)


def _of_part(seen: Sequence[Run], part: slice) -> tuple[FloatArray, FloatArray]:
    known = [np.isfinite(run.error[part]) for run in seen]
    inputs = [run.evidence[part][k] for run, k in zip(seen, known, strict=True)]
    good = [_good(run)[part][k] for run, k in zip(seen, known, strict=True)]
    return np.concatenate(inputs), np.concatenate(good)


def _good(run: Run) -> FloatArray:
    good: FloatArray = (run.error <= WRONG) & ~run.hidden
    return good


def _said(run: Run, weights: FloatArray) -> FloatArray:
    logits = [run.evidence[p] @ w[:-1] + w[-1] for p, w in zip(PARTS, weights, strict=True)]
    said: FloatArray = 1 / (1 + np.exp(-np.concatenate(logits)))
    return said


def report(seen: Sequence[Run]) -> None:
    """Print how well the confidence tells landmarks apart, on images that it was not fitted on."""
    images = np.array([run.image for run in seen])
    said: list[FloatArray] = [np.empty(0)] * len(seen)
    for train, test in GroupKFold(5).split(images, groups=images):
        weights = fit_weights([seen[number] for number in train])
        for number in test:
            said[number] = _said(seen[number], weights)
    known = np.array([np.isfinite(run.error) for run in seen])
    kinds = np.array([run.kind for run in seen])[:, None] + np.array([""] * 68)
    hidden = np.array([run.hidden for run in seen])
    good, values = np.array([_good(run) for run in seen]), np.array(said)
    flagged = np.array([run.flagged for run in seen])[:, None] & (kinds == "none")
    for name, which, wanted in (
        ("right and visible, all runs", known, good),
        ("right, faces as they are", known & (kinds == "none") & ~hidden, good),
        ("right, boxes off their place", known & (kinds == "astray") & ~hidden, good),
        *((f"visible, drawn {kind}", known & (kinds == kind), ~hidden) for kind in COVERS),
        ("visible, as AFLW's labels say", known & flagged, ~hidden),
    ):
        area = roc_auc_score(wanted[which], values[which])
        share = wanted[which].mean()
        print(f"{name:32s} {which.sum():7d} landmarks, {share:6.1%} of them so; AUC {area:.3f}")
    print("confidence said, and part that is right and visible:")
    for low in np.arange(0, 1, 0.1):
        which = known & (values >= low) & (values < low + 0.1)
        means = values[which].mean(), good[which].mean()
        print(f"  {low:.1f} to {low + 0.1:.1f}: {means[0]:.2f} {means[1]:.2f}")


@click.command()
@sources_argument
@click.option("--labels", required=True, type=click.Path(path_type=Path, exists=True))
def main(sources: tuple[Path, ...], labels: Path) -> None:
    """Fit on the faces of SOURCES and write the package's file."""
    problems, known = Problems(False, warn), read_labels(labels)
    records = [
        record
        for source in sources
        for record in relabelled(list(open_records(source, "train", problems)), known)
    ]
    held = [record for record in records if is_held_out(group_of(record), HELD_OUT, SEED)]
    rest = [record for record in records if not is_held_out(group_of(record), HELD_OUT, SEED)]
    rng = np.random.default_rng(SEED)
    experts = fit_experts(rest, rng)
    seen = list(runs(held, experts, rng))
    report(seen)
    steps = np.abs(experts.patches).max(axis=1) / 127
    np.savez_compressed(
        TARGET,
        patches=np.rint(experts.patches / steps[:, None]).astype(np.int8),
        steps=steps.astype(np.float32),
        offsets=experts.offsets.astype(np.float32),
        weights=fit_weights(seen).astype(np.float32),
    )
    print(f"{TARGET.name}: {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main()
