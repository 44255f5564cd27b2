import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import dlib
import numpy as np
import pytest
from click.testing import CliRunner

import efld_dlib
from efld_dlib.cli.main import cli
from efld_dlib.errors import DataError, OptionError, TrainingError
from efld_dlib.evaluation.evaluate import evaluate
from efld_dlib.models.loading import load_arrays
from efld_dlib.training import options, trainer
from efld_dlib.training.options import (
    TrainingOptions,
    available_memory,
    preset_options,
    training_memory,
)
from efld_dlib.xml.read import read_xml
from efld_dlib.xml.write import write_xml

QUICK = TrainingOptions(
    cascade_depth=3, num_trees_per_cascade_level=10, oversampling_amount=3, num_threads=1
)
ENDLESS = "num_trees_per_cascade_level=100000"


def test_report_beside_the_model_says_how_it_was_made(training_data, tmp_path):
    seen = []
    result = trainer.train(
        training_data / "train.xml",
        tmp_path / "m.dat",
        QUICK,
        training_data / "validation.xml",
        on_progress=seen.append,
        jobs=1,
    )
    report = json.loads((tmp_path / "m.json").read_text())
    assert report["options"]["num_trees_per_cascade_level"] == 10
    assert report["options"]["num_threads"] == 1
    assert report["preset"] is None
    assert (report["refit"], report["slim"]) == (None, False)
    assert report["bytes"] == (tmp_path / "m.dat").stat().st_size
    assert report["versions"]["dlib"] == dlib.__version__
    assert len(report["data"]["sha256"]) == 64
    assert report["licence"].startswith("that of its training data")
    assert report["nme"]["validation"] == result.validation_nme
    again = evaluate(tmp_path / "m.dat", read_xml(training_data / "validation.xml"), "file", 1)
    assert result.validation_nme == pytest.approx(again.nme)
    assert 0 < result.train_nme < result.validation_nme
    assert seen[-1] == 1.0
    assert set(os.listdir(tmp_path)) == {"m.dat", "m.json"}


def test_a_preset_trains_as_the_command_does(training_data, tmp_path):
    quick = {"num_trees_per_cascade_level": 4, "cascade_depth": 2}
    ours, theirs = tmp_path / "a.dat", tmp_path / "b.dat"
    result = efld_dlib.train(training_data, ours, preset="nano", jobs=1, **quick)
    words = [f"--set={name}={value}" for name, value in quick.items()]
    command = ["train", str(training_data), "-o", str(theirs), "--preset", "nano", "-j1", *words]
    assert CliRunner().invoke(cli, command).exit_code == 0
    assert ours.read_bytes() == theirs.read_bytes()
    reports = [json.loads(path.with_suffix(".json").read_text()) for path in (ours, theirs)]
    for report in reports:
        assert report.pop("seconds") >= 0
        assert report.pop("model")
    assert reports[0] == reports[1]
    assert (reports[0]["preset"], reports[0]["slim"]) == ("nano", True)
    assert reports[0]["refit"]["ridge"] == 0.15
    assert result.validation_nme is not None  # validation.xml of the folder

    plain = tmp_path / "plain.dat"
    options = replace(preset_options("nano"), **quick)
    efld_dlib.train(training_data, plain, options, jobs=1)
    assert plain.stat().st_size > ours.stat().st_size
    report = json.loads(plain.with_suffix(".json").read_text())
    assert (report["preset"], report["slim"], report["refit"]) == (None, False, None)


def test_what_a_preset_adds_can_be_refused(training_data, tmp_path):
    quick = {"num_trees_per_cascade_level": 2, "cascade_depth": 1, "measure": False, "jobs": 1}
    path = tmp_path / "m.dat"
    trainer.train(training_data, path, preset="nano", refit=0, slim_file=False, **quick)
    report = json.loads(path.with_suffix(".json").read_text())
    assert (report["refit"], report["slim"], report["preset"]) == (None, False, "nano")
    trainer.train(training_data, path, refit=0.3, **quick)
    report = json.loads(path.with_suffix(".json").read_text())
    assert (report["refit"]["ridge"], report["preset"]) == (0.3, "standard")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"preset": "huge"}, "no preset 'huge'; choose from nano"),
        ({"options": "nano"}, "a preset by its name as preset='nano'"),
        ({"options": QUICK, "preset": "nano"}, "TrainingOptions, or a preset"),
        ({"trees": 5}, "no option 'trees'; it has cascade_depth"),
        ({"refit": 1e-7}, "the ridge must be between"),
        ({"refit": float("nan")}, "the ridge must be between"),
        ({"nu": "much"}, "nu takes a number, not 'much'"),
    ],
    ids=str,
)
def test_wrong_options_say_what_to_give(training_data, tmp_path, arguments, words):
    with pytest.raises(OptionError, match=words):
        trainer.train(training_data, tmp_path / "m.dat", **arguments)
    assert not os.listdir(tmp_path)


def test_same_seed_same_model(training_data, tmp_path):
    models = []
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        options = TrainingOptions(2, 3, 5, oversampling_amount=2, random_seed=seed)
        trainer.train(training_data / "train.xml", tmp_path / f"{name}.dat", options, jobs=1)
        models.append((tmp_path / f"{name}.dat").read_bytes())
    assert models[0] == models[1]
    assert models[0] != models[2]


def test_more_trees_fit_better(training_data, tmp_path):
    errors = [
        trainer.train(
            training_data / "train.xml",
            tmp_path / f"{trees}.dat",
            TrainingOptions(5, 4, trees, oversampling_amount=5),
            jobs=1,
        ).train_nme
        for trees in (2, 40)
    ]
    assert errors[1] < 0.8 * errors[0]


def test_dlibs_own_measure_agrees(training_data, tiny_model):
    # dlib's test_shape_predictor gives the mean distance in pixels of the crops.
    xml = training_data / "validation.xml"
    outcome = evaluate(tiny_model, read_xml(xml), "file", 1)
    pixels = np.mean(
        [np.linalg.norm(r.predicted - r.truth, axis=1).mean() for r in outcome.results]
    )
    assert dlib.test_shape_predictor(str(xml), str(tiny_model)) == pytest.approx(pixels, rel=1e-3)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("<dataset><images></images></dataset>", "no face"),
        (
            "<dataset><images><image file='gone.jpg'><box top='1' left='1' width='9' height='9'>"
            "<part name='00' x='1' y='1'/></box></image></images></dataset>",
            r"gone\.jpg",
        ),
        ("<dataset><images><image file='x.jpg'>", "well-formed"),
    ],
)
def test_bad_training_data_is_refused_before_dlib_runs(tmp_path, content, words):
    xml = tmp_path / "bad.xml"
    xml.write_text(content)
    with pytest.raises(DataError, match=words) as caught:
        trainer.train(xml, tmp_path / "m.dat", QUICK)
    assert "bad.xml" in str(caught.value)
    assert not (tmp_path / "m.dat").exists()


def test_names_that_dlib_cannot_open_are_refused(training_data, tmp_path):
    data = shutil.copytree(training_data, tmp_path / "data")
    record = next(read_xml(data / "train.xml"))
    record.path.rename(record.path.with_name("salt & pepper.jpg"))
    text = (data / "train.xml").read_text()
    (data / "train.xml").write_text(text.replace(record.path.name, "salt &amp; pepper.jpg"))
    with pytest.raises(DataError, match=r"dlib cannot open.*salt & pepper"):
        trainer.train(data / "train.xml", tmp_path / "m.dat", QUICK)


def test_a_landmark_that_no_face_has_is_left_out(training_data, tmp_path):
    data = shutil.copytree(training_data, tmp_path / "data")
    xml = data / "train.xml"
    lines = [line for line in xml.read_text().splitlines() if "name='07'" not in line]
    xml.write_text("\n".join(lines))
    result = trainer.train(xml, tmp_path / "m.dat", QUICK, jobs=1)
    assert result.scheme.points == tuple(f"{i:02d}" for i in range(68) if i != 7)
    assert load_arrays(result.model).points == 67
    assert result.train_nme < 0.25


def test_faces_to_measure_on_may_lack_landmarks(training_data, tmp_path):
    record = next(read_xml(training_data / "validation.xml"))
    (face,) = record.faces
    for name, landmark in (("jaw", 7), ("eye", 36)):
        points = np.where(np.arange(68)[:, None] == landmark, np.nan, face.points)
        lacking = replace(record, faces=(replace(face, points=points),))
        xml, model = tmp_path / f"{name}.xml", tmp_path / f"{name}.dat"
        write_xml(xml, [lacking])
        result = trainer.train(
            training_data / "train.xml", model, QUICK, xml, measure=False, jobs=1
        )
        # Without an eye corner there is no distance to measure by; null, since JSON has no NaN.
        assert (result.validation_nme is None) == (name == "eye")
        text = model.with_suffix(".json").read_text()
        report = json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} in JSON"))
        assert report["nme"] == {"train": None, "validation": result.validation_nme}


def test_dlibs_own_refusal_is_passed_on(training_data, tmp_path):
    data = shutil.copytree(training_data, tmp_path / "data")
    records = list(read_xml(data / "train.xml"))
    damaged = records[3].path
    damaged.write_bytes(damaged.read_bytes()[:300])
    old = tmp_path / "models" / "m.dat"
    old.parent.mkdir()
    old.write_bytes(b"the model before")
    with pytest.raises(TrainingError, match=r"could not train on .*train\.xml"):
        trainer.train(data / "train.xml", old, QUICK, jobs=1)
    assert old.read_bytes() == b"the model before"
    assert os.listdir(old.parent) == ["m.dat"]


def test_memory_that_will_not_do_is_said_beforehand(training_data, tmp_path, monkeypatch):
    monkeypatch.setattr(options, "available_memory", lambda: 50 * 2**20)
    with pytest.raises(TrainingError, match="oversampling_amount"):
        trainer.train(training_data / "train.xml", tmp_path / "m.dat", QUICK)
    result = trainer.train(training_data / "train.xml", tmp_path / "m.dat", QUICK, force=True)
    assert result.bytes > 1000


def test_memory_estimate_grows_with_samples(training_data):
    records = list(read_xml(training_data / "train.xml"))
    standard, large = (
        training_memory(records, len(records), preset_options(name))
        for name in ("standard", "large")
    )
    assert large > standard > 50 * 2**20
    assert available_memory() is None or available_memory() > 2**20


@pytest.mark.skipif(os.name != "posix", reason="signals as on POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interruption_stops_at_once_and_keeps_the_old_model(training_data, tmp_path, number):
    model = tmp_path / "m.dat"
    model.write_bytes(b"the model before")
    command = [sys.executable, "-m", "efld_dlib", "train", str(training_data), "-o", str(model)]
    process = subprocess.Popen(
        [*command, "--set", ENDLESS],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        # Where the tests run in the background, the shell has Ctrl-C ignored by all below it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        worker = wait_for_worker(process)
        process.send_signal(number)
        started = time.monotonic()
        _, said = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 130
    assert time.monotonic() - started < 5
    assert "Traceback" not in said
    assert model.read_bytes() == b"the model before"
    assert os.listdir(tmp_path) == ["m.dat"]
    assert not is_running(worker)


def wait_for_worker(process):
    """Process id of the child that trains, once it is there."""
    children = f"/proc/{process.pid}/task/{process.pid}/children"
    if not os.path.exists(children):
        pytest.skip("no /proc to look for the child in")
    for _ in range(200):
        with open(children) as file:
            for child in file.read().split():
                with open(f"/proc/{child}/cmdline") as command:
                    if "efld_dlib.training.worker" in command.read():
                        time.sleep(0.5)
                        return int(child)
        time.sleep(0.1)
    raise AssertionError("the trainer did not start")


def is_running(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().split()[2] != "Z"
    except FileNotFoundError:
        return False
