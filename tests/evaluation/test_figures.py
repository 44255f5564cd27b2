import numpy as np
import pytest
from made_up import FACE, made_up, shifted

from efld_dlib.boxes import Pose
from efld_dlib.errors import OptionError
from efld_dlib.evaluation.evaluate import Evaluation, FaceResult
from efld_dlib.evaluation.figures import headline, study, study_tables, verdict
from efld_dlib.records import FaceAnnotation
from efld_dlib.tables import as_text


def three_faces(name="a"):
    """Eyes 100 px apart: off by 2 px, by 17 px in the jaw (a quarter of the points), missed."""
    return made_up([shifted(2), shifted(17, 0, 17), None], name)


def test_three_faces_worked_out_by_hand():
    (model,) = study("hand", "detector", [three_faces()]).models
    # 17 px on 17 of 68 landmarks is 4.25 px a landmark.
    assert (model.faces, model.missed, model.unmeasured) == (3, 1, 0)
    assert model.nme["inter-ocular"].value == pytest.approx((0.02 + 0.0425) / 2)
    pupils = np.linalg.norm(FACE[36:42].mean(axis=0) - FACE[42:48].mean(axis=0))
    assert model.nme["inter-pupil"].value == pytest.approx((2 + 4.25) / 2 / pupils)
    size = np.sqrt(np.prod(FACE.max(axis=0) - FACE.min(axis=0)))
    assert model.nme["box"].value == pytest.approx((2 + 4.25) / 2 / size)
    assert model.median.value == pytest.approx(0.03125)
    assert model.percentile_90.value == pytest.approx(0.02 + 0.9 * 0.0225)
    assert model.auc[0.08].value == pytest.approx((0.75 + 0.46875 + 0) / 3)
    assert model.auc[0.10].value == pytest.approx((0.8 + 0.575 + 0) / 3)
    assert {limit: each.value for limit, each in model.failure_rate.items()} == pytest.approx(
        {0.07: 1 / 3, 0.08: 1 / 3, 0.10: 1 / 3}
    )
    regions = {name: figure.value for name, figure in model.regions.items()}
    assert regions.pop("jaw") == pytest.approx((0.02 + 0.17) / 2)
    assert regions == pytest.approx(dict.fromkeys(("brows", "nose", "eyes", "mouth"), 0.01))
    assert model.landmarks[[0, 30]] == pytest.approx([0.095, 0.01])


def test_a_failure_is_above_the_threshold():
    (model,) = study("x", "file", [made_up([shifted(7.5), shifted(9), shifted(11)])]).models
    assert [model.failure_rate[limit].value for limit in (0.07, 0.08, 0.10)] == pytest.approx(
        [1, 2 / 3, 1 / 3]
    )


def test_faces_without_what_the_normaliser_needs_are_said():
    blind = FACE.copy()
    blind[36] = np.nan
    outcome = made_up([shifted(2), shifted(4)], truths=[FACE, blind])
    by_eyes, by_box = (study("x", "detector", [outcome], by) for by in ("inter-ocular", "box"))
    assert by_eyes.models[0].unmeasured == 1
    assert by_eyes.models[0].nme["inter-ocular"].value == pytest.approx(0.02)
    assert "1 without the true landmarks that inter-ocular needs" in headline(by_eyes)
    assert by_box.models[0].unmeasured == 0
    assert "without" not in headline(by_box)


def test_pose_bins_count_every_face():
    poses = [Pose(0, 0, 0), Pose(-50, 0, 0), Pose(20, -20, 16), Pose(20, 30, -40)]
    results = [
        FaceResult(f"{i}", FACE, None if i == 1 else shifted(i), None, FaceAnnotation(FACE, pose=p))
        for i, p in enumerate(poses)
    ]
    lost = np.full((68, 2), np.nan)
    lost[36] = 1
    results.append(FaceResult("lost", lost, lost))
    (model,) = study("x", "detector", [Evaluation(results)]).models
    bins = {each.name: (each.faces, each.missed, each.nme.value) for each in model.poses}
    assert bins["|yaw| 0-15"] == (1, 0, 0)
    assert bins["|yaw| 15-30"] == (2, 0, pytest.approx(0.025))
    assert bins["|yaw| 45 and more"][:2] == (1, 1)
    assert np.isnan(bins["|yaw| 45 and more"][2])
    assert bins["|roll| 30 and more"] == (1, 0, pytest.approx(0.03))
    assert bins["pitch below -15 (down)"] == (1, 0, pytest.approx(0.02))
    assert bins["pose unknown"][:2] == (1, 0)
    assert sum(count for name, (count, *_) in bins.items() if "yaw" in name or "pose" in name) == 5


def test_models_are_compared_on_the_faces_that_both_found():
    first = made_up([shifted(2), shifted(4), None, shifted(50)], "first")
    second = made_up([shifted(1), shifted(2), shifted(3), None], "second")
    (pair,) = study("x", "detector", [first, second]).comparisons
    assert (pair.faces, pair.second_better) == (2, 1)
    assert pair.difference.value == pytest.approx(-0.015)
    assert verdict(pair) == "second better"


def test_a_difference_that_may_be_chance_is_no_difference():
    rng = np.random.default_rng(0)
    first, second = (made_up([shifted(e) for e in rng.uniform(1, 9, 30)], n) for n in "ab")
    assert verdict(study("x", "file", [first, second]).comparisons[0]) == "no clear difference"
    alone = study("x", "file", [made_up([shifted(1)]), made_up([shifted(2)], "b")])
    assert verdict(alone.comparisons[0]) == "too few faces"


def test_the_tables_say_it_all():
    text = "\n".join(
        map(as_text, study_tables(study("x", "detector", [three_faces(), three_faces("b")])))
    )
    assert "3.12 [2.00, 4.25]" in text
    assert "1 missed face counts as a failure." in text
    assert "b minus a" in text
    for word in ("jaw", "mouth", "|yaw| 0-15", "AUC 0.07", "% over 10 %", "90th"):
        assert word in text


def test_only_missed_faces_make_tables_of_dashes():
    lost = study("x", "detector", [made_up([None, None])])
    text = "\n".join(map(as_text, study_tables(lost)))
    assert "nan" not in text
    assert "100.0 [100.0, 100.0]" in text


def test_there_is_no_other_normaliser():
    with pytest.raises(OptionError, match="'nose' is no normaliser"):
        study("x", "file", [three_faces()], "nose")
