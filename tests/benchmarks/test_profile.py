"""Where the time goes: steps that are timed, each without those inside it."""

from __future__ import annotations

import numpy as np
import pytest
from click.testing import CliRunner

from efld_dlib import FaceLandmarker, landmarker
from tools.benchmarks import profile as profiling
from tools.benchmarks.__main__ import benchmarks
from tools.benchmarks.profile import Clock, Step, profile, watched


def test_a_step_is_timed_without_those_inside_it(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(profiling.time, "thread_time", lambda: now[0])
    clock = Clock()
    with clock.timed("outer"):
        now[0] += 1.0
        for _ in range(2):
            with clock.timed("inner"):
                now[0] += 10.0
    assert clock.seconds == {"outer": 1.0, "inner": 20.0}
    assert clock.calls == {"outer": 1, "inner": 2}


def test_functions_are_as_before_after_a_block_that_fails():
    original = landmarker.to_gray
    clock = Clock()

    def fails():
        with watched(clock, [Step("gray", landmarker, "to_gray")]):
            landmarker.to_gray(np.zeros((2, 2), np.uint8))
            assert clock.calls == {"gray": 1}
            raise KeyError

    with pytest.raises(KeyError):
        fails()
    assert landmarker.to_gray is original


def test_every_step_of_a_picture_is_in_the_table(astronaut, tiny_model):
    detect = FaceLandmarker(tiny_model).detect
    table = profile({"one": [lambda: detect(astronaut, "rgb")]}, repeats=2)
    rows = {row[0]: row[1:] for row in table.rows}
    for label in ("gray", "detector: network", "landmark network", "landmarks", "pose"):
        assert float(rows[label][0]) >= 1
        assert float(rows[label][1]) > 0
    assert rows["drawing"] == ("-", "-")
    parts = sum(float(row[2]) for row in table.rows[:-1] if row[2] != "-")
    assert float(rows["all"][1]) == pytest.approx(parts, abs=0.1)


def run(*arguments, code=0):
    result = CliRunner().invoke(benchmarks, list(map(str, arguments)))
    assert result.exit_code == code, result.output
    return result


def test_profile_names_the_steps(astronaut_file, tiny_model):
    options = ("-m", tiny_model, "--repeats", 1)
    output = run("profile", astronaut_file, *options, "--min-face", 80).output
    header = next(line for line in output.splitlines() if line.startswith("| step"))
    assert header.count("calls,") == 3
    for step in ("reading", "features", "drawing"):
        cells = next(line for line in output.splitlines() if line.startswith(f"| {step}"))
        assert float(cells.split("|")[3]) > 0
    assert "640x480" in run("profile", *options).output
    assert "none.jpg: cannot be read" in run("profile", "none.jpg", *options, code=2).output
