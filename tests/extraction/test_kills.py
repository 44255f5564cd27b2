"""The program killed at random moments, and continued until it is done."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from efld_dlib.extraction.run import journal_path
from tools.benchmarks.extract import pictures_done

KILLS = 20

pytestmark = pytest.mark.skipif(not hasattr(os, "killpg"), reason="needs process groups")


@pytest.fixture(scope="module")
def folder(astronaut_pixels, tmp_path_factory):
    """Pictures with a face, without one, and one that is none.

    They take longer than the journal waits for its next commit, also on a fast machine.
    """
    folder = tmp_path_factory.mktemp("photos")
    face = cv2.resize(astronaut_pixels[40:220, 130:310, ::-1], None, fx=3, fy=3)
    for number in range(36):
        turned = np.rot90(face) if number % 5 == 4 else face
        cv2.imwrite(str(folder / f"{number:02}.png"), np.roll(turned, number // 2, axis=1))
    (folder / "17.png").write_bytes(b"no picture")
    return folder


def command(folder, model, target, *options):
    return [
        *(sys.executable, "-m", "efld_dlib", "extract", str(folder), "-o", str(target)),
        *("-m", str(model), "--detector", "dlib", "--quality", "fast", *options),
    ]


def start(words):
    # A group of its own, so that its workers can be killed with it.
    return subprocess.Popen(words, start_new_session=True, stderr=subprocess.DEVNULL)


def done(target: Path) -> int:
    return pictures_done(journal_path(target))


def wait_until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "nothing came of it"
        time.sleep(0.005)


@pytest.fixture(scope="module")
def undisturbed(folder, tiny_model, tmp_path_factory):
    target = tmp_path_factory.mktemp("whole") / "t.csv"
    assert start(command(folder, tiny_model, target, "--jobs", "1")).wait() == 1
    return target.read_bytes()


@pytest.mark.robustness
def test_killed_at_random_moments_it_ends_in_the_same_file(
    folder, tiny_model, undisturbed, tmp_path
):
    chance, target = random.Random(8), tmp_path / "t.csv"
    moments = []
    for number in range(KILLS):
        # The number of processes may change from one run to the next.
        jobs = "2" if number % 4 == 1 else "1"
        process = start(command(folder, tiny_model, target, "--jobs", jobs, "--resume"))
        before = done(target)
        if number % 3 == 0:
            # While it starts; else somewhere in the next pictures.
            time.sleep(chance.uniform(0, 0.4))
        else:
            wait_until(lambda b=before, p=process: done(target) > b or p.poll() is not None)
            time.sleep(chance.uniform(0, 0.03))
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        moments.append(done(target))
        if target.exists():
            # It was done before it could be killed: from the beginning, with another table.
            assert target.read_bytes() == undisturbed
            target.unlink()
    final = start(command(folder, tiny_model, target, "--jobs", "2", "--resume"))
    assert final.wait() == 1
    assert target.read_bytes() == undisturbed
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix != ".csv") == []
    # The kills did hit the work at several places.
    assert len(set(moments)) > 5, moments


def test_workers_end_when_the_program_is_killed_without_them(folder, tiny_model, tmp_path):
    target = tmp_path / "t.csv"
    process = start(command(folder, tiny_model, target, "--jobs", "2"))
    wait_until(lambda: done(target) > 0)
    process.kill()
    process.wait()

    def gone():
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return True
        return False

    wait_until(gone, 20)


def test_an_interrupted_program_says_how_to_go_on(folder, tiny_model, undisturbed, tmp_path):
    target = tmp_path / "t.csv"
    words = command(folder, tiny_model, target, "--jobs", "2")
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True, start_new_session=True)
    wait_until(lambda: done(target) > 2)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.splitlines()[-1] == "Interrupted; --resume continues."
    assert "Traceback" not in said
    again = subprocess.run(words, capture_output=True, text=True, check=False)
    assert again.returncode == 2
    assert "--resume continues it" in again.stderr
    resumed = subprocess.run([*words, "--resume"], capture_output=True, text=True, check=False)
    assert resumed.returncode == 1
    assert "of them before; 1 could not be used" in resumed.stderr
    assert target.read_bytes() == undisturbed
