"""``detect --min-face``, as a user calls it."""

from __future__ import annotations

import csv

import cv2
import pytest
from click.testing import CliRunner

from efld_dlib.cli.main import cli


def run(*arguments, code=0):
    result = CliRunner().invoke(cli, list(map(str, arguments)))
    assert result.exit_code == code, result.output
    return result


@pytest.fixture
def photo(tmp_path, astronaut):
    path = tmp_path / "photo.png"
    cv2.imwrite(str(path), astronaut[..., ::-1])
    return path


def test_detect_looks_for_the_faces_that_are_asked_for(photo, tiny_model):
    def count(*options):
        result = CliRunner().invoke(
            cli, ["detect", str(photo), "-m", str(tiny_model), "--format", "csv", *options]
        )
        assert result.exit_code == 0, result.output
        rows = csv.DictReader(result.stdout.splitlines())
        return sum(row["status"] == "face" for row in rows)

    assert count("--min-face", "80") == 1
    assert count("--min-face", "200", "--detector", "dlib") == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--min-face", "big"), "not 'big'"),
        (
            ("--min-face", "90", "--detector", "dlib=1"),
            "upsample and min_face both say",
        ),
        (("--detector", "dlib=often"), "unknown detector 'dlib=often'"),
        (("--detector", "dlib=9"), "upsample must be 'auto' or between 0 and 4, not 9"),
        (("--min-score", "1", "--detector", "lbp"), "take a lowest score, not 'lbp'"),
    ],
)
def test_options_that_make_no_sense_are_named(photo, options, message):
    assert message in run("detect", photo, *options, code=2).output
