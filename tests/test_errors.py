"""Errors that name the file, and their collector."""

from __future__ import annotations

import copy
import pickle

import pytest

from efld_dlib import errors
from efld_dlib.errors import DataError, EfldError, ModelFormatError, OptionError, Problems


def test_message_names_file_and_line():
    assert str(DataError("a/b.pts", "is empty")) == "a/b.pts: is empty"
    assert str(DataError("b.pts", "expected a number", 9)) == "b.pts, line 9: expected a number"


@pytest.mark.parametrize("kind", [DataError, ModelFormatError])
@pytest.mark.parametrize("line", [None, 12])
def test_survives_the_way_between_processes(kind, line):
    error = kind("a.pts", "is wrong", line)
    for back in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(back) is kind
        assert (back.source, back.problem, back.line) == ("a.pts", "is wrong", line)
        assert str(back) == str(error)


@pytest.mark.parametrize("kind", [OptionError, errors.MissingDependencyError, errors.TrainingError])
def test_every_kind_is_of_the_family_and_survives_too(kind):
    back = pickle.loads(pickle.dumps(kind("jobs must be 1")))
    assert type(back) is kind
    assert isinstance(back, EfldError)
    assert str(back) == "jobs must be 1"


def read(name: str) -> str:
    if name.startswith("bad"):
        raise DataError(name, "is bad")
    return name


def read_all(names, problems):
    good = []
    for name in names:
        with problems.skipping():
            good.append(read(name))
    return good


def test_a_collecting_run_goes_on_and_counts():
    reported = []
    problems = Problems(report=reported.append)
    assert len(problems) == 0
    assert read_all(["a", "bad1", "b", "bad2"], problems) == ["a", "b"]
    assert len(problems) == 2
    assert reported == ["bad1: is bad", "bad2: is bad"]
    assert [str(error) for error in problems.errors] == reported


def test_a_strict_run_stops_at_the_first():
    reported = []
    problems = Problems(strict=True, report=reported.append)
    with pytest.raises(DataError, match="bad1"):
        read_all(["a", "bad1", "bad2"], problems)
    assert reported == []
    assert len(problems) == 0


def test_a_fault_of_the_program_is_never_collected():
    problems = Problems()
    with pytest.raises(ZeroDivisionError), problems.skipping():
        _ = 1 / 0
    assert len(problems) == 0


def test_a_message_is_one_line_of_bounded_length_that_steers_no_terminal():
    name = "a\nError: b\x1b]0;title\x07\u202egpj.exe"
    assert str(DataError(name, "is bad")) == (r"a\nError: b\x1b]0;title\x07\u202egpj.exe: is bad")
    assert str(DataError("é 顔.jpg", "is bad")) == "é 顔.jpg: is bad"
    long = str(OptionError("there is no preset '" + "a" * 100_000 + "'; choose small"))
    assert len(long) <= errors.LONGEST_MESSAGE + 5
    assert long.startswith("there is no preset 'aaa")
    assert long.endswith("aaa'; choose small")
    many = str(OptionError("x" * 1000 + " is not known; there are " + "some, " * 1000))
    assert "x is not known; there are some" in many
    assert len(many) <= errors.LONGEST_MESSAGE + 5


def test_a_message_is_of_bounded_length_whatever_is_in_it():
    for text in ("x" * 10_000, "a b " * 10_000, "\0 " * 10_000, "\0" * 10_000):
        assert len(str(DataError("f.mat", text))) <= errors.LONGEST_MESSAGE
