import numpy as np
import pytest
from scipy import stats

from efld_dlib.errors import OptionError
from efld_dlib.evaluation.bootstrap import Bootstrap

ERRORS = np.abs(np.random.default_rng(3).normal(0.04, 0.02, 150))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (lambda b: b.mean(ERRORS), np.mean),
        (lambda b: b.quantile(ERRORS, 0.5), np.median),
        (lambda b: b.quantile(ERRORS, 0.9), lambda x, axis: np.quantile(x, 0.9, axis=axis)),
    ],
    ids=["mean", "median", "90th percentile"],
)
def test_intervals_agree_with_scipys(ours, theirs):
    value, low, high = ours(Bootstrap(len(ERRORS), 4000))
    expected = stats.bootstrap(
        (ERRORS,), theirs, n_resamples=4000, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    assert value == pytest.approx(theirs(ERRORS, axis=0))
    assert (low, high) == pytest.approx(tuple(expected), abs=0.0008)
    assert low < value < high


def test_the_interval_of_a_mean_has_the_width_that_theory_gives():
    _, low, high = Bootstrap(len(ERRORS), 4000).mean(ERRORS)
    assert high - low == pytest.approx(2 * 1.96 * stats.sem(ERRORS), rel=0.08)


def test_missed_and_unmeasured_faces_are_in_no_mean():
    mixed = np.array([0.1, np.inf, 0.3, np.nan])
    bootstrap = Bootstrap(4, 500)
    for figure in (bootstrap.mean(mixed), bootstrap.quantile(mixed, 0.5)):
        assert figure.value == pytest.approx(0.2)
        assert (figure.low, figure.high) == pytest.approx((0.1, 0.3))


def test_the_seed_decides():
    figures = [Bootstrap(150, 200, seed).mean(ERRORS) for seed in (1, 1, 2)]
    assert figures[0] == figures[1]
    assert figures[0] != figures[2]


def test_too_little_to_draw_from_gives_no_interval():
    assert np.isnan(Bootstrap(3).mean(np.full(3, np.nan))).all()
    for values, resamples in ((np.array([0.1]), 100), (ERRORS, 0)):
        bootstrap = Bootstrap(len(values), resamples)
        for figure in (bootstrap.mean(values), bootstrap.quantile(values, 0.5)):
            assert np.isfinite(figure.value)
            assert np.isnan([figure.low, figure.high]).all()


def test_bad_options_are_refused():
    with pytest.raises(OptionError, match="not -1"):
        Bootstrap(3, -1)
