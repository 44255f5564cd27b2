"""Fit what `efld_dlib.detection.confidence` makes of its evidence, on held-out training faces.

    python -m tools.fit_confidence 300w/ merl-rav:aflw/ ytf:ytf/

Besides the detector's boxes, boxes off their place are tried, so that there are failures enough to
learn from. It prints, for faces that it was not fitted on, how well the confidence tells failures
from the rest: the area under the curve of hits against false alarms.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tqdm import tqdm

from efld_dlib import FaceLandmarker
from efld_dlib.boxes import RotatedBox
from efld_dlib.cli.options import measured_records, sources_argument, warn
from efld_dlib.detection.confidence import CONFIDENCE_FILE, EVIDENCE, evidence
from efld_dlib.detection.framing import match_detections
from efld_dlib.errors import Problems
from efld_dlib.files import write_json
from efld_dlib.geometry import eye_distance
from efld_dlib.images import read_image, to_gray
from efld_dlib.pose import estimate_pose
from efld_dlib.prepare.boxes import apply_deviation
from efld_dlib.records import ImageRecord

TARGET = Path(__file__).resolve().parent.parent / "efld_dlib" / "data" / CONFIDENCE_FILE
HELD_OUT, SEED = 0.1, 1
FAILURE = 0.08
"""NME by the distance of the outer eye corners above which landmarks count as a failure."""

SHIFTS = (0.0, 0.08, 0.16, 0.24)
ASTRAY = 0.15


@click.command()
@sources_argument
def main(sources: tuple[Path, ...]) -> None:
    """Fit the confidence on the faces of SOURCES that `prepare` and `network train` hold out."""
    problems = Problems(False, warn)
    held = [r for s in sources for r in measured_records(s, None, HELD_OUT, SEED, problems)[0]]
    seen, failed, groups, kinds = _runs(held, np.random.default_rng(SEED))
    model = make_pipeline(StandardScaler(), LogisticRegression())
    folds = GroupKFold(5)
    guessed = cross_val_predict(
        model, seen, ~failed, groups=groups, cv=folds, method="predict_proba"
    )[:, 1]
    for name, part in (
        ("all runs", kinds != "drawn"),
        ("in the detector's boxes", kinds == "found"),
        ("landmarks drawn astray", kinds == "drawn"),
    ):
        area = roc_auc_score(~failed[part], guessed[part])
        print(f"{name}: {part.sum()}, {failed[part].sum()} of them failures; AUC {area:.3f}")
    model.fit(seen, ~failed)
    scaler, line = model[0], model[1]
    weights = line.coef_[0] / scaler.scale_
    bias = float(line.intercept_[0] - weights @ scaler.mean_)
    rounded = {name: round(float(value), 5) for name, value in zip(EVIDENCE, weights, strict=True)}
    write_json(TARGET, {"weights": rounded, "bias": round(bias, 5)})
    print(f"{TARGET.name}: {rounded}, bias {bias:.3f}")


def _runs(records: list[ImageRecord], rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    landmarker = FaceLandmarker()
    seen, failed, groups, kinds = [], [], [], []
    for number, record in enumerate(tqdm(records)):
        gray = to_gray(read_image(record.path))
        found = landmarker.detector(gray)
        boxes = match_detections(record.faces, found)
        for face, box in zip(record.faces, boxes, strict=True):
            hit = next((each for each in found if each.box == box), None)
            # An AFLW face that hides its eye corners has no such distance.
            distance = eye_distance(face.points)
            if hit is None or not np.isfinite(distance) or distance < 1:
                continue
            for shift in SHIFTS:
                moved = apply_deviation(hit.box, rng.normal(0, shift, 3))
                place = RotatedBox(moved, hit.roll + float(rng.normal(0, 60 * shift)))
                place = place if shift else RotatedBox(hit.box, hit.roll)
                look = landmarker.network.look(gray, place)
                points = landmarker.stage.predict(gray, look.start or place, look)
                # Landmarks that go astray where the network sees a face are rare, but not good.
                middle = points.mean(axis=0)
                moved = middle + rng.normal(0, ASTRAY, 2) * hit.box.width
                astray = moved + (points - middle) * np.exp(rng.normal(0, 2 * ASTRAY))
                for each in (points, astray):
                    pose = estimate_pose(each)
                    if not np.isfinite(pose).all():
                        continue
                    known = face.given
                    error = np.linalg.norm(each[known] - face.points[known], axis=1).mean()
                    seen.append(evidence(look, each, pose))
                    failed.append(error / distance > FAILURE)
                    groups.append(number)
                    kinds.append("drawn" if each is astray else "moved" if shift else "found")
    return np.array(seen), np.array(failed), np.array(groups), np.array(kinds)


if __name__ == "__main__":
    main()
