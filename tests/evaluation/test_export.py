import csv
import json

import dlib
import numpy as np
import pytest
from made_up import FACE, made_up, shifted

from efld_dlib.evaluation.evaluate import evaluate
from efld_dlib.evaluation.export import write_faces, write_figures
from efld_dlib.evaluation.figures import study
from efld_dlib.xml.read import read_xml


def test_json_has_plain_numbers_and_no_nan(tmp_path):
    lost = np.full((68, 2), np.nan)
    outcomes = [made_up([shifted(2), None, lost], name, None, [FACE, FACE, lost]) for name in "ab"]
    write_figures(tmp_path / "f.json", [study("set", "detector", outcomes)])
    text = (tmp_path / "f.json").read_text()
    assert "NaN" not in text
    assert "Infinity" not in text
    (data,) = json.loads(text)["data"]
    assert (data["data"], data["faces"], data["missed"]) == ("set", 3, 1)
    model = data["models"][0]
    assert model["nme"]["inter-ocular"] == {"value": 0.02, "low": None, "high": None}
    assert model["failure_rate"]["0.08"]["value"] == 0.5
    assert model["unmeasured"] == 1
    assert len(model["landmarks"]) == 68
    assert data["comparisons"][0]["faces"] == 1


def test_csv_has_a_row_a_face_and_model(tmp_path):
    outcomes = [
        made_up([shifted(2), None, shifted(17, 0, 17)], name, ["p.png", "p.png", "q.png"])
        for name in "ab"
    ]
    write_faces(tmp_path / "f.csv", [study("set", "detector", outcomes)])
    with (tmp_path / "f.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(r["model"], r["file"], r["face"], r["found"]) for r in rows] == [
        (model, *face)
        for model in "ab"
        for face in (("p.png", "0", "1"), ("p.png", "1", "0"), ("q.png", "0", "1"))
    ]
    assert float(rows[0]["error_px"]) == pytest.approx(2)
    assert float(rows[2]["nme_jaw"]) == pytest.approx(0.17)
    assert float(rows[2]["nme_inter_ocular"]) == pytest.approx(0.0425)
    assert rows[1]["nme_box"] == rows[1]["error_px"] == rows[0]["left"] == ""
    assert abs(float(rows[0]["yaw"])) < 1


def test_pixels_are_those_of_dlibs_own_measure(training_data, tiny_model, tmp_path):
    xml = training_data / "validation.xml"
    outcome = evaluate(tiny_model, read_xml(xml), "file", 1)
    write_faces(tmp_path / "f.csv", [study("set", "file", [outcome])])
    with (tmp_path / "f.csv").open() as file:
        pixels = np.mean([float(row["error_px"]) for row in csv.DictReader(file)])
    assert dlib.test_shape_predictor(str(xml), str(tiny_model)) == pytest.approx(pixels, rel=1e-3)
