"""Fit what `efld_dlib.detection.confidence` makes of its evidence, on held-out training faces.

    python -m tools.fit_confidence ../shared/data

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
from efld_dlib.annotation import ImageRecord
from efld_dlib.datasets.merl_rav import read_merl_rav
from efld_dlib.datasets.split import choose_photographs
from efld_dlib.datasets.w300 import read_w300
from efld_dlib.detection.confidence import CONFIDENCE_FILE, EVIDENCE, FAILURE, evidence
from efld_dlib.detection.frame import Place
from efld_dlib.detection.matching import match_detections
from efld_dlib.files import write_json
from efld_dlib.geometry import eye_distance
from efld_dlib.images import read_image, to_gray
from efld_dlib.pose import estimate_pose
from efld_dlib.prepare.scatter import apply_deviation

TARGET = Path(__file__).resolve().parent.parent / "efld_dlib" / "data" / CONFIDENCE_FILE
SHIFTS = (0.0, 0.08, 0.16, 0.24)


@click.command()
@click.argument("data", type=click.Path(path_type=Path, exists=True))
@click.option("--seed", default=1, show_default=True)
def main(data: Path, seed: int) -> None:
    """Fit the confidence on the held-out faces of DATA, which has 300w/ and aflw/."""
    records = [*read_w300(data / "300w", "train"), *read_merl_rav(data / "aflw")]
    names = [record.photograph or record.path.name for record in records for _ in record.faces]
    held_out = choose_photographs(names, 0.1, np.random.default_rng(seed))
    held = [each for each in records if (each.photograph or each.path.name) in held_out]
    seen, failed, groups, upright = _runs(held, np.random.default_rng(seed))
    model = make_pipeline(StandardScaler(), LogisticRegression())
    folds = GroupKFold(5)
    guessed = cross_val_predict(
        model, seen, ~failed, groups=groups, cv=folds, method="predict_proba"
    )[:, 1]
    for name, part in (("all runs", failed >= 0), ("in the detector's boxes", upright)):
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
    seen, failed, groups, upright = [], [], [], []
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
                place = Place(moved, hit.roll + float(rng.normal(0, 60 * shift)))
                points = landmarker.stage(gray, place if shift else Place(hit.box, hit.roll))
                known = face.given
                error = np.linalg.norm(points[known] - face.points[known], axis=1).mean()
                evident = evidence(landmarker.network, gray, points, estimate_pose(points))
                if evident is None:
                    continue
                seen.append(evident)
                failed.append(error / distance > FAILURE)
                groups.append(number)
                upright.append(shift == 0.0)
    return np.array(seen), np.array(failed), np.array(groups), np.array(upright)


if __name__ == "__main__":
    main()
