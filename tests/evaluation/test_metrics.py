import numpy as np
import pytest
from sklearn.metrics import auc as sklearn_auc

from efld_dlib.evaluation.metrics import (
    area_shares,
    failures,
    mean_given,
    normalised_mean_errors,
    point_errors,
)


def three_faces():
    """Truth with eyes 100 px apart; predictions off by (3, 4), by nothing, and by (0, 10) px."""
    truth = np.zeros((3, 68, 2))
    truth[:, 45] = [100, 0]
    predicted = truth + np.array([[3, 4], [0, 0], [0, 10]])[:, None, :]
    return predicted, truth


def test_errors_of_three_faces_worked_out_by_hand():
    predicted, truth = three_faces()
    assert point_errors(predicted, truth)[0].tolist() == [5.0] * 68
    assert normalised_mean_errors(predicted, truth).tolist() == [0.05, 0.0, 0.1]


def test_landmarks_without_truth_are_left_out_of_the_mean():
    predicted, truth = three_faces()
    predicted[0, :30] += 1000
    truth[0, :30] = np.nan
    assert normalised_mean_errors(predicted, truth)[0] == pytest.approx(0.05)


def test_a_face_that_cannot_be_normalised_is_nan_without_a_warning():
    predicted, truth = three_faces()
    truth[0, 45] = truth[0, 36]
    truth[1, 36] = np.nan
    truth[2] = np.nan
    assert np.isnan(normalised_mean_errors(predicted, truth)).all()


def test_area_and_failures_by_hand():
    errors = np.array([0.0, 0.04, 0.08, 0.2, np.inf])
    # Each face adds the part of the threshold above its error: 1 + 0.5 + 0 + 0 + 0.
    assert mean_given(area_shares(errors, 0.08)) == pytest.approx(1.5 / 5)
    # 0.08 itself is not above the threshold; the missed face is a failure.
    assert mean_given(failures(errors, 0.08)) == pytest.approx(2 / 5)


def test_area_agrees_with_numerical_integration():
    errors = np.abs(np.random.default_rng(0).normal(0.04, 0.03, 200))
    grid = np.linspace(0, 0.08, 20001)
    curve = (errors[:, None] <= grid).mean(axis=0)
    assert mean_given(area_shares(errors, 0.08)) == pytest.approx(
        sklearn_auc(grid, curve) / 0.08, abs=1e-4
    )


def test_no_faces_give_nan_and_unmeasured_ones_are_left_out():
    for measure in (area_shares, failures):
        assert np.isnan(mean_given(measure(np.array([]))))
        assert mean_given(measure(np.array([0.0, np.inf, np.nan]))) == 0.5
