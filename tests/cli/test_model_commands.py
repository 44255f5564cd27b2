import hashlib
import json
import shutil

import dlib
import numpy as np
import pytest
from click.testing import CliRunner

from efld_dlib import FaceLandmarker
from efld_dlib.cli.main import cli
from efld_dlib.evaluation.evaluate import evaluate
from efld_dlib.models.loading import load_arrays
from efld_dlib.xml.read import read_xml


def run(*arguments, code=0):
    result = CliRunner().invoke(cli, ["model", *map(str, arguments)])
    assert result.exit_code == code, result.output
    if result.exception is not None:
        assert isinstance(result.exception, SystemExit)
    return result


@pytest.fixture(scope="module")
def validation(training_data):
    return training_data / "validation.xml"


@pytest.fixture(scope="module")
def small(tiny_model, validation, tmp_path_factory):
    """The tiny model as an .efld of at most 60 kB."""
    path = tmp_path_factory.mktemp("small") / "small.efld"
    result = run(
        *("compress", tiny_model, "-o", path, "--max-bytes", "60kB"),
        *("--validation", validation, "--licence", "only a test"),
    )
    assert path.stat().st_size <= 60_000
    assert f"{path.stat().st_size} bytes" in result.stdout
    return path


def predict(path, training_data):
    image = dlib.load_grayscale_image(str(next(training_data.glob("crops-*/*.jpg"))))
    parts = dlib.shape_predictor(str(path))(image, dlib.rectangle(80, 80, 279, 279)).parts()
    return np.array([(part.x, part.y) for part in parts])


@pytest.mark.parametrize("command", ["", "info", "compress", "expand"])
def test_every_command_helps_with_an_example(command):
    text = run(*command.split(), "--help").stdout
    assert f"efld-dlib model {command}".strip() in text
    assert "Examples:" in text


def test_info_of_a_dat(tiny_model):
    found = json.loads(run("info", tiny_model, "--json").stdout)
    sizes = found["predictors"]["predictor"]
    assert (sizes["points"], sizes["cascades"], sizes["trees"], sizes["depth"]) == (68, 5, 20, 3)
    assert sizes["leaves"] == 5 * 20 * 8
    assert found["bytes"] == sizes["dat_bytes"] == tiny_model.stat().st_size
    text = run("info", tiny_model).stdout
    assert "points 68, cascades 5, trees 20, depth 3" in text
    # What the report beside it says, which training wrote.
    assert found["licence"].startswith("that of its training data")
    assert f"licence: {found['licence']}" in text
    assert found["metadata"]["options"]["num_trees_per_cascade_level"] == 20


def test_odd_text_of_strangers_is_json_all_the_same(small, tmp_path):
    data = small.read_bytes()[:-32].replace(b'"only a test"', b'"\\ud800 a te"')
    (tmp_path / "odd.efld").write_bytes(data + hashlib.sha256(data).digest())
    found = json.loads(run("info", tmp_path / "odd.efld", "--json").stdout)
    assert found["licence"] == "\ud800 a te"
    assert "licence: \\ud800 a te" in run("info", tmp_path / "odd.efld").stdout


@pytest.mark.parametrize("report", [None, "{", "[]", '{"bytes": 1, "licence": "another\'s"}'])
def test_info_of_a_dat_without_a_report_on_it(tiny_model, tmp_path, report):
    shutil.copy(tiny_model, tmp_path / "m.dat")
    if report is not None:
        (tmp_path / "m.json").write_text(report)
    assert "licence: not stated" in run("info", tmp_path / "m.dat").stdout


def test_what_is_made_of_a_model_has_its_licence(small, tiny_model, tmp_path):
    for options in ([], ["--slim"], ["--points", "eyes"]):
        result = run("expand", *options, small, "-o", tmp_path / "m.dat")
        assert "licence: only a test" in result.stderr
    # Also where it takes the model's place; a report that is no JSON only leaves it out.
    shutil.copy(tiny_model, tmp_path / "m.dat")
    shutil.copy(tiny_model.with_suffix(".json"), tmp_path / "m.json")
    model = tmp_path / "m.dat"
    said = run("expand", "--slim", model, "-o", model).stderr
    assert "licence: that of its training data" in said
    (tmp_path / "m.json").write_text("{")
    assert "licence" not in run("expand", "--slim", model, "-o", model).stderr


def test_info_of_an_efld_tells_where_it_comes_from(small, tiny_model):
    found = json.loads(run("info", small, "--json").stdout)
    assert found["format"] == "efld"
    assert found["licence"] == "only a test"
    assert found["metadata"]["scheme"] == "68"
    # What the training report beside the .dat says.
    assert found["metadata"]["options"]["num_trees_per_cascade_level"] == 20
    assert found["bytes"] == sum(found["part_bytes"].values())
    dat = found["predictors"]["predictor"]["dat_bytes"]
    assert 0.6 * tiny_model.stat().st_size < dat <= tiny_model.stat().st_size
    text = run("info", small).stdout
    assert "coefficients" in text
    assert "licence: only a test" in text


def test_expand_gives_plain_dlib_what_the_toolkit_predicts(small, tmp_path, validation):
    run("expand", small, "-o", tmp_path / "whole.dat")
    expanded, packed = (
        [face.predicted for face in evaluate(path, read_xml(validation), "file", jobs=1).results]
        for path in (tmp_path / "whole.dat", small)
    )
    assert np.array_equal(expanded, packed)
    again = json.loads(run("info", tmp_path / "whole.dat", "--json").stdout)
    assert again["predictors"]["predictor"]["trees"] == 20


def test_without_a_file_it_is_the_model_of_the_package(tmp_path, astronaut_pixels):
    assert "licence: non-commercial research only" in run("info").stdout
    run("expand", "-o", tmp_path / "efld.dat")
    predictor = dlib.shape_predictor(str(tmp_path / "efld.dat"))
    (box,) = dlib.get_frontal_face_detector()(astronaut_pixels, 0)
    nose = predictor(astronaut_pixels, box).part(30)
    # Where it is in scikit-image's photograph of Eileen Collins.
    assert abs(nose.x - 220) < 12
    assert abs(nose.y - 120) < 15
    run("expand", "-o", tmp_path / "eyes.dat", "--points", "eyes")
    assert dlib.shape_predictor(str(tmp_path / "eyes.dat"))(astronaut_pixels, box).num_parts == 12


def test_slim_and_subset_load_in_plain_dlib(tiny_model, small, training_data, tmp_path):
    whole = predict(tiny_model, training_data)
    run("expand", "--slim", tiny_model, "-o", tmp_path / "slim.dat")
    assert (tmp_path / "slim.dat").stat().st_size < 0.72 * tiny_model.stat().st_size
    assert np.median(np.abs(predict(tmp_path / "slim.dat", training_data) - whole)) < 5
    result = run("expand", small, "-o", tmp_path / "eyes.dat", "--points", "eyes,30")
    assert "landmarks 30 36 37" in result.stderr
    assert predict(tmp_path / "eyes.dat", training_data).shape == (13, 2)
    assert load_arrays(tmp_path / "eyes.dat").points == 13


def test_without_faces_all_leaves_count_alike(tiny_model, tmp_path):
    copy = tmp_path / "alone.dat"
    shutil.copy(tiny_model, copy)
    result = run("compress", copy, "-o", tmp_path / "a.efld", "--max-bytes", "1MB", "--role", "x")
    assert "NME" not in result.stdout
    found = json.loads(run("info", tmp_path / "a.efld", "--json").stdout)
    assert list(found["predictors"]) == ["x"]
    assert found["metadata"] == {"scheme": "68"}
    run("expand", tmp_path / "a.efld", "-o", tmp_path / "b.dat", "--role", "x")
    whole, back = load_arrays(copy), load_arrays(tmp_path / "b.dat")
    assert np.abs(whole.leaves - back.leaves).max() < 1e-4


def test_the_smallest_file_of_a_certain_error(tiny_model, validation, tmp_path):
    out = tmp_path / "loss.efld"
    result = run("compress", tiny_model, "-o", out, "--validation", validation, "--max-loss", 3)
    loss = float(result.stdout.split("so ")[1].split()[0])
    assert loss <= 3
    assert out.stat().st_size < tiny_model.stat().st_size / 10


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["info", "gone.dat"], "gone.dat: cannot be read"),
        (["expand", "gone.efld", "-o", "x.dat"], "there is no such model file"),
        (["compress", "MODEL", "-o", "x.efld", "--max-bytes", "2 GB"], "not as '2 GB'"),
        (["compress", "MODEL", "-o", "x.efld", "--max-bytes", "1.2.3MB"], "not as '1.2.3MB'"),
        (["compress", "MODEL", "-o", "x.efld", "--max-loss", "1"], "needs --validation"),
        (["compress", "MODEL", "-o", "x.efld", "--max-bytes", "5kB"], "does not fit in 5000 bytes"),
        (["expand", "MODEL", "-o", "x.dat", "--points", "ears"], "'ears' is no landmark"),
        (["expand", "SMALL", "-o", "x.dat", "--role", "b"], "no predictor 'b', but predictor"),
    ],
)
def test_errors_are_one_line(arguments, problem, tiny_model, small, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = [{"MODEL": tiny_model, "SMALL": small}.get(word, word) for word in arguments]
    result = run(*given, code=2)
    assert problem in result.stderr.splitlines()[-1]
    assert not list(tmp_path.glob("x.*"))


def test_a_report_that_is_no_json_is_said(tiny_model, tmp_path):
    shutil.copy(tiny_model, tmp_path / "m.dat")
    (tmp_path / "m.json").write_text("{")
    result = run("compress", tmp_path / "m.dat", "-o", tmp_path / "m.efld", code=2)
    assert "m.json: is no JSON" in result.stderr


def test_compressing_the_first_cascades_only(tiny_model, tmp_path):
    out = tmp_path / "first.efld"
    run("compress", tiny_model, "-o", out, "--max-bytes", "60kB", "--cascades", 2)
    assert "points 68, cascades 2, trees 20, depth 3" in run("info", out).stdout
    run("compress", tiny_model, "-o", tmp_path / "all.efld", "--max-bytes", "60kB")
    # It predicts what the whole model predicts after so many cascades.
    first, whole = (load_arrays(path) for path in (out, tiny_model))
    np.testing.assert_array_equal(first.first, whole.first[:2])
    np.testing.assert_allclose(first.leaves, whole.leaves[:2], atol=1e-3)


def test_a_light_model_is_cut_off_the_packages(tmp_path, astronaut):
    out = tmp_path / "light.efld"
    run("compress", "--role", "refined", "--cascades", 4, "--max-bytes", "350kB", "-o", out)
    assert out.stat().st_size <= 350_000
    told = run("info", out).stdout
    assert "refined: points 68, cascades 4, trees 300" in told
    assert "preset: refined" in told
    assert "licence: non-commercial research only" in told
    (light,), (whole,) = (
        FaceLandmarker(out).detect(astronaut, "rgb"),
        FaceLandmarker().detect(astronaut, "rgb"),
    )
    eyes = np.linalg.norm(whole.points[36] - whole.points[45])
    assert np.linalg.norm(light.points - whole.points, axis=1).mean() < 0.03 * eyes
    result = run("compress", "--role", "refined", "--max-bytes", "350kB", "-o", out, code=2)
    assert "bytes of 350000" in result.stderr
