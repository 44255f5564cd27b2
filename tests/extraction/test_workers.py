"""Worker processes: order, bounded memory, and what happens when one dies."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from made_up_outcomes import CHOSEN, face

from efld_dlib.errors import EfldError, ModelFormatError
from efld_dlib.extraction.workers import MOST_DEATHS, Task, Workers
from efld_dlib.landmarks import FACE_68


class Landmarker:
    """Does what the name of the picture says."""

    scheme = FACE_68

    def detect(self, path):
        name = Path(path).name
        if name == "out-of-memory":
            raise MemoryError
        if name == "unthought-of":
            raise ZeroDivisionError("by zero")
        if name == "deadly" or (name == "deadly-once" and not Path(f"{path}.seen").exists()):
            Path(f"{path}.seen").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if name == "slow":
            time.sleep(0.5)
        return [face(os.getpid() % 1000)]


@dataclass(frozen=True)
class Settings:
    """Stands in for `ExtractSettings`."""

    fault: str = ""

    def chosen(self, scheme):
        return CHOSEN

    def landmarker(self):
        if self.fault == "deadly":
            os._exit(7)
        if self.fault:
            raise ModelFormatError(self.fault, "there is no such model file")
        return Landmarker()


def outcomes(names, folder, jobs=2, settings=Settings()):
    tasks = [Task(number, str(folder / name)) for number, name in enumerate(names)]
    return list(Workers(settings, jobs)(tasks))


def test_order_is_kept_and_each_process_has_its_share(tmp_path):
    found = outcomes(["slow", *(f"{n}.jpg" for n in range(40))], tmp_path)
    assert [each.number for each in found] == list(range(41))
    # The made-up face's box begins at the number of the process.
    assert len({each.faces[0][0] for each in found}) == 2
    assert all(each.error is None and each.size == -1 for each in found)


def test_no_more_is_taken_than_may_be_ahead_of_a_slow_picture(tmp_path):
    taken = []

    def tasks():
        for number in range(1000):
            taken.append(number)
            yield Task(number, str(tmp_path / ("slow" if number == 0 else f"{number}.jpg")))

    workers = Workers(Settings(), 2)(tasks())
    assert next(workers).number == 0
    assert len(taken) == 2 * 32
    workers.close()


def test_a_picture_whose_process_dies_is_tried_again_and_then_given_up(tmp_path):
    names = ["a.jpg", "deadly-once", "b.jpg", "deadly", *(f"{n}.jpg" for n in range(10))]
    found = outcomes(names, tmp_path)
    assert [each.number for each in found] == list(range(len(names)))
    assert [n for n, each in zip(names, found, strict=True) if each.error] == ["deadly"]
    assert "killed by signal 9" in found[3].error
    assert all(len(each.faces) == (n != "deadly") for n, each in zip(names, found, strict=True))


def test_what_goes_wrong_within_a_picture_is_its_error(tmp_path):
    found = outcomes(["out-of-memory", "unthought-of", "a.jpg"], tmp_path, jobs=1)
    assert found[0].error == "needs more memory than there is"
    assert found[1].error == "failed (ZeroDivisionError: by zero)"
    assert found[2].error is None


def test_a_model_that_cannot_be_loaded_is_the_error_of_the_run(tmp_path):
    with pytest.raises(ModelFormatError, match=r"gone.dat: there is no such model file"):
        outcomes(["a.jpg"], tmp_path, settings=Settings("gone.dat"))


def test_processes_that_die_whatever_they_do_end_the_run(tmp_path, monkeypatch):
    monkeypatch.setattr("efld_dlib.extraction.workers.MOST_DEATHS", 2)
    with pytest.raises(EfldError, match=r"3 worker processes died .*exit code 7.*memory"):
        outcomes(["a.jpg"], tmp_path, jobs=1, settings=Settings("deadly"))
    assert MOST_DEATHS >= 2
