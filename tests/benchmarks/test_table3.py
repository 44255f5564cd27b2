from pathlib import Path

import numpy as np
import pytest

from efld_dlib.datasets.w300 import HELEN_TEST, IBUG, LFPW_TEST
from efld_dlib.errors import DataError
from efld_dlib.evaluation import figures
from efld_dlib.evaluation.evaluate import Evaluation, FaceResult
from efld_dlib.evaluation.metrics import NORMALISERS
from efld_dlib.records import FaceAnnotation
from tests.evaluation.made_up import FACE, shifted
from tools.benchmarks import table3
from tools.benchmarks.table3 import published, table3_300w, table3_aflw, visible_box_errors

MODELS = {"mine": Path("mine.dat")}


def pretend(monkeypatch, faces):
    """300-W test folders with so many faces each, all found but the first, all 2 px off."""

    def evaluate_models(models, records, boxes, jobs, problems, show_progress, source):
        count = next(n for part, n in faces.items() if source.endswith(part.folder))
        results = [FaceResult(Path("x"), FACE, shifted(2) if i else None) for i in range(count)]
        return [Evaluation(results, path, name) for name, path in models.items()]

    monkeypatch.setattr(table3, "evaluate_models", evaluate_models)


@pytest.fixture
def tree(tmp_path):
    def make(*parts):
        for part in parts:
            (tmp_path / part.folder).mkdir(parents=True)
        return tmp_path

    return make


def column(table, title):
    place = table.header.index(title)
    return {row[0]: row[place] for row in table.rows}


def test_a_whole_test_set_has_all_official_columns(monkeypatch, tree):
    parts = (HELEN_TEST, LFPW_TEST, IBUG)
    pretend(monkeypatch, {part: part.official for part in parts})
    by_eyes, by_pupils = table3_300w(MODELS, tree(*parts), resamples=50)
    assert by_eyes.header[1:] == (
        *("common (554)", "challenging (135)", "full (689)"),
        *("HELEN test (330)", "LFPW test (224)"),
    )
    full = column(by_eyes, "full (689)")
    assert full["mine, measured here"] == "2.00 [2.00, 2.00], 3 missed"
    assert full["PFLD 0.25X [1]"] == "3.45"
    assert "missing" not in by_eyes.note
    # A method is named in the table of its own normaliser only.
    assert column(by_pupils, "full (689)")["CFSS [1]"] == "5.76"
    assert not any("CFSS" in row[0] for row in by_eyes.rows)
    assert not any("PFLD" in row[0] for row in by_pupils.rows)


def test_an_incomplete_test_set_is_named_as_what_it_is(monkeypatch, tree):
    pretend(monkeypatch, {HELEN_TEST: 330, IBUG: 100})
    table, _ = table3_300w(MODELS, tree(HELEN_TEST, IBUG), resamples=0)
    assert column(table, "HELEN test (330)")["mine, measured here"] == "2.00, 1 missed"
    for missing in ("common (554)", "challenging (135)", "full (689)"):
        assert column(table, missing)["mine, measured here"] == "-"
    own = column(table, "iBUG (100 of 135)")
    assert own["mine, measured here"] == "2.00, 1 missed"
    assert {value for name, value in own.items() if not name.startswith("mine")} == {"-"}
    assert "LFPW test (224) is missing: no figure for common and full." in table.note
    assert "iBUG (135) has 100 faces: no figure for challenging and full." in table.note


def test_a_tree_without_test_folders_is_refused(tmp_path):
    with pytest.raises(DataError, match="helen/testset"):
        table3_300w(MODELS, tmp_path)


def test_the_stock_file_is_marked(monkeypatch, tree, tmp_path):
    stock = tmp_path / "stock.dat"
    stock.write_bytes(b"123")
    monkeypatch.setattr(figures, "STOCK_BYTES", 3)
    pretend(monkeypatch, {HELEN_TEST: 330})
    table, _ = table3_300w({"stock": stock}, tree(HELEN_TEST), resamples=0)
    assert table.rows[0][0] == "stock, measured here (trained on these faces)"


def test_published_figures_say_where_they_are_from():
    assert {each.normaliser for each in published()} <= set(NORMALISERS)
    assert all(each.source and each.nme_percent > 0 for each in published())
    keys = [(each.method, each.data, each.subset, each.normaliser) for each in published()]
    assert len(set(keys)) == len(keys)


def aflw_face(size=100.0):
    """19 points in a square of that size, one of them hidden and far away."""
    points = np.random.default_rng(0).uniform(0, size, (19, 2))
    points[0], points[1], points[2] = [0, 0], [size, size], [5000, 0]
    hidden = np.zeros(19, bool)
    hidden[2] = True
    return FaceAnnotation(points, scheme="19", occluded=hidden)


def test_aflw_errors_are_by_the_visible_landmarks():
    face = aflw_face()
    truth = np.full((68, 2), np.nan)
    truth[:16] = 50
    near = FaceResult(Path("x"), truth, np.full((68, 2), 50.0) + [3, 4], None, face)
    missed = FaceResult(Path("x"), truth, None, None, face)
    nothing = FaceResult(Path("x"), truth * np.nan, near.predicted, None, face)
    errors = visible_box_errors([near, missed, nothing])
    np.testing.assert_array_equal(errors, [0.05, np.inf, np.nan])


def test_aflw_stands_beside_published_figures_only_when_whole(monkeypatch):
    monkeypatch.setattr(table3.aflw19, "read_aflw19", lambda root, subset, problems: [])

    def measure(count):
        results = [FaceResult(Path("x"), FACE, shifted(2), None, None)] * count
        monkeypatch.setattr(
            table3, "evaluate_models", lambda models, *rest: [Evaluation(results, "m.dat", "mine")]
        )
        return table3_aflw(MODELS, Path("aflw"), resamples=0)

    whole, part = measure(4386), measure(10)
    assert column(whole, "AFLW-19 test (4386)")["SAN [1]"] == "1.91"
    assert whole.header == ("method", "AFLW-19 test (4386)")
    assert part.header == ("method", "AFLW-19 test (10 of 4386)", "AFLW-19 test (4386)")
    assert column(part, "AFLW-19 test (10 of 4386)")["SAN [1]"] == "-"
    assert "16 of the 19" in whole.note
