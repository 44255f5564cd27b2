import json
import shutil

import pytest
from click.testing import CliRunner

from tools.benchmarks import measure
from tools.benchmarks.__main__ import benchmarks
from tools.benchmarks.measure import BenchmarkOptions
from tools.benchmarks.table2 import _label, _model, _test_set

SHORT = BenchmarkOptions(((320, 240),), 1, 1, 1, frame_repeats=1)


def run(*arguments, code=0):
    result = CliRunner().invoke(benchmarks, ["table2", *map(str, arguments)])
    assert result.exit_code == code, result.output
    if result.exception is not None:
        assert isinstance(result.exception, SystemExit)
    return result


def test_it_helps():
    assert "python -m tools.benchmarks table2 build/efld.dat" in run("--help").stdout


def test_a_table_and_its_files(tiny_model, sample, tmp_path, monkeypatch):
    monkeypatch.setattr(measure, "QUICK", SHORT)
    stock = shutil.copy(tiny_model, tmp_path / "shape_predictor_68_face_landmarks.dat")
    result = run(
        *(tiny_model, sample, "--subset", "helen/testset", "--limit", 3, "--quick", "-j", 1),
        *("--peers", "none", "--dat", f"stock={stock}", "--trained-on-test", "tiny.dat"),
        *("-o", tmp_path / "out" / "t.json"),
    )
    assert result.stdout.startswith(f"### Table 2, measured: {sample.name}, helen/testset")
    assert "High (state of the art)" in result.stdout
    # Progress is no part of the output.
    assert "landmarks of 3 faces" in result.stderr
    assert "landmarks of 3 faces" not in result.stdout
    written = json.loads((tmp_path / "out" / "t.json").read_text())
    first, second = written["rows"]
    assert (first["name"], second["name"]) == ("tiny.dat", "stock")
    assert first["marks"] == ["trained on this test set"]
    # The sample is laid out as 300-W, but nobody was trained on it.
    assert second["marks"] == ["trained on all of 300-W"]
    assert written["data"]["faces"] == 3
    assert written["data"]["name"] == f"{sample.name}, helen/testset"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--dat", "nameless"], "--dat needs NAME=PATH, not 'nameless'"),
        (["--dat", "x=/no/such.dat"], "no such model file"),
        (["--onnx", "x=/no/such.onnx"], "no such model file"),
        (["--peers", "openface"], "there is no peer 'openface'"),
        (["--peers", "none", "--trained-on-test", "x"], "no method 'x' to mark"),
        (["--limit", "0"], "0 is not in the range"),
    ],
)
def test_wrong_options_are_said(tiny_model, sample, arguments, complaint):
    assert complaint in run(tiny_model, sample, *arguments, code=2).stderr


def test_two_models_of_one_file_name_need_names(tiny_model, sample, tmp_path):
    other = shutil.copy(tiny_model, tmp_path / tiny_model.name)
    result = run(tiny_model, other, sample, "--peers", "none", code=2)
    assert "two methods are called 'tiny.dat'" in result.stderr


def test_without_a_model_it_is_the_one_of_the_package(sample):
    lines = run(sample, "--peers", "none", "--limit", "2").stdout.splitlines()
    assert any(line.startswith("| package ") for line in lines)


def test_a_model_may_have_a_name(tmp_path):
    assert _model("new=build/efld.dat")[0] == "new"
    assert _model("build/efld.dat")[0] == "efld.dat"
    odd = tmp_path / "a=b.dat"
    odd.touch()
    assert _model(str(odd))[0] == "a=b.dat"


def test_which_data_are_300w(sample, tmp_path):
    assert _test_set(tmp_path) == "300-W"
    assert _test_set(sample) == ""
    assert _test_set(tmp_path / "train.xml") == ""
    assert _label(tmp_path, "helen/testset") == f"{tmp_path.name}, helen/testset"
    assert _label(tmp_path / "train.xml", "train") == "train.xml"
