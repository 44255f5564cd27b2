import sys
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
from made_up import made_up, shifted
from sklearn.metrics import auc as sklearn_auc

from efld_dlib.errors import MissingDependencyError
from efld_dlib.evaluation.charts import ced_curve, plot_ced
from efld_dlib.evaluation.figures import study
from efld_dlib.evaluation.metrics import area_shares


def test_the_curve_is_the_share_of_faces_at_each_error():
    errors, share = ced_curve(np.array([0.05, 0.02, np.inf, 0.3, np.nan]), 0.1)
    assert errors.tolist() == [0, 0.02, 0.05, 0.1]
    assert share.tolist() == [0, 0.25, 0.5, 0.5]


@pytest.mark.parametrize("limit", [0.07, 0.08, 0.10])
def test_its_area_by_scikit_learn_is_the_auc(limit):
    sample = np.append(np.abs(np.random.default_rng(0).normal(0.05, 0.03, 300)), np.inf)
    errors, share = ced_curve(sample, limit)
    # Each step is drawn as a corner, since scikit-learn joins points by straight lines.
    corners = np.repeat(errors, 2)[1:]
    assert sklearn_auc(corners, np.repeat(share, 2)[:-1]) / limit == pytest.approx(
        area_shares(sample, limit).mean(), abs=1e-12
    )


def a_study(name="a"):
    return study("data $x$", "file", [made_up([shifted(1), shifted(3), None], name)])


def test_plots_are_pictures(tmp_path):
    plot_ced(tmp_path / "ced.png", [a_study(), a_study("_b$\N{CJK UNIFIED IDEOGRAPH-4E00}")])
    assert cv2.imread(str(tmp_path / "ced.png")).std() > 5
    for name in ("one.svg", "two.svg"):
        plot_ced(tmp_path / name, [a_study("-->\x1b<script>")])
    drawn = (tmp_path / "one.svg").read_bytes()
    assert drawn == (tmp_path / "two.svg").read_bytes()
    assert b"<script" not in drawn
    assert ElementTree.fromstring(drawn).tag.endswith("svg")


def test_what_cannot_be_drawn_is_said_beforehand(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingDependencyError, match=r"pip install \"efld-dlib\[plot\]\""):
        plot_ced(tmp_path / "ced.png", [a_study()])
    assert not list(tmp_path.iterdir())
