"""``detect --min-face``, as a user calls it."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from efld_dlib.cli.main import cli


def detect(*arguments, code=0):
    result = CliRunner().invoke(cli, ["detect", *map(str, arguments)])
    assert result.exit_code == code, result.output
    return result


def faces(*arguments):
    return json.loads(detect(*arguments).stdout)["images"][0]["faces"]


@pytest.mark.parametrize("size", ["80", "15%"])
def test_a_face_of_the_size_wanted_is_found_with_the_same_landmarks(astronaut_file, size):
    (usual,) = faces(astronaut_file)
    (found,) = faces(astronaut_file, "--min-face", size)
    off = [abs(a - b) for p, q in zip(usual["points"], found["points"], strict=True)
           for a, b in zip(p, q, strict=True)]  # fmt: skip
    assert sum(off) / len(off) < 2.0


def test_smaller_faces_than_wanted_are_not_looked_for(astronaut_file):
    # The face is 88 pixels wide.
    assert all(each["box"]["width"] > 180 for each in faces(astronaut_file, "--min-face", "250"))


@pytest.mark.parametrize("size", ["0", "-3", "200%", "large"])
def test_an_impossible_size_is_refused(astronaut_file, size):
    assert "Error" in detect(astronaut_file, f"--min-face={size}", code=2).output
