"""Work spread over processes gives what one process gives."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from efld_dlib import backend
from efld_dlib.errors import DataError, EfldError, OptionError
from efld_dlib.parallel import available_cores, parallel_map, progress, resolve_jobs


def square(number: int) -> tuple[int, int]:
    """The square, and the process that took it."""
    return number * number, os.getpid()


def first_is_last(task: tuple[int, Path]) -> int:
    """The task's number; number 0 waits until number 1 is done."""
    number, folder = task
    deadline = time.monotonic() + 30
    while number == 0 and not (folder / "1").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    (folder / str(number)).touch()
    return number


def refuse_seven(number: int) -> int:
    if number == 7:
        raise DataError("seven.jpg", "is seven", 7)
    return number


def test_the_number_of_jobs_changes_nothing():
    one = list(parallel_map(square, list(range(20)), jobs=1))
    two = list(parallel_map(square, list(range(20)), jobs=2, chunk=3))
    assert [value for value, _ in one] == [n * n for n in range(20)]
    assert [value for value, _ in two] == [n * n for n in range(20)]
    assert {process for _, process in one} == {os.getpid()}
    assert os.getpid() not in {process for _, process in two}


def test_order_is_kept_when_a_later_item_is_done_first(tmp_path):
    tasks = [(number, tmp_path) for number in range(4)]
    assert list(parallel_map(first_is_last, tasks, jobs=2, chunk=1)) == [0, 1, 2, 3]


def test_nothing_to_do():
    assert list(parallel_map(square, [], jobs=4)) == []


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_error_arrives_whole_from_another_process(jobs):
    with pytest.raises(DataError) as caught:
        list(parallel_map(refuse_seven, list(range(10)), jobs, chunk=2))
    assert str(caught.value) == "seven.jpg, line 7: is seven"
    assert caught.value.line == 7


def test_jobs_default_to_the_cores_that_may_be_used():
    assert resolve_jobs(3) == 3
    assert resolve_jobs(None) == available_cores() >= 1


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs Linux")
def test_cores_that_are_barred_do_not_count():
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert available_cores() == 1
    finally:
        os.sched_setaffinity(0, allowed)


@pytest.mark.parametrize("jobs", [0, -1])
def test_bad_jobs_are_named(jobs):
    with pytest.raises(OptionError, match=f"not {jobs}") as caught:
        resolve_jobs(jobs)
    assert isinstance(caught.value, EfldError)


def test_progress_hands_everything_on_and_is_silent_off_a_terminal(capsys):
    assert list(progress(iter("abc"), 3, "letters")) == ["a", "b", "c"]
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")


def die(number):
    os._exit(3)


def test_a_worker_that_dies_is_an_error_and_no_hang():
    with pytest.raises(EfldError, match="worker process died"):
        list(parallel_map(die, [1, 2, 3], 2, chunk=1))


def interrupted(number):
    os.kill(os.getpid(), signal.SIGINT)
    return number


def test_ctrl_c_does_not_reach_the_workers():
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    assert list(parallel_map(interrupted, [1, 2, 3], 2, 1)) == [1, 2, 3]
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before


def test_ctrl_c_while_dlib_starts_is_no_missing_package(monkeypatch):
    def import_module(name):
        raise ImportError("initialization failed") from KeyboardInterrupt()

    monkeypatch.setattr(backend, "importlib", SimpleNamespace(import_module=import_module))
    with pytest.raises(KeyboardInterrupt):
        backend.load_dlib()
