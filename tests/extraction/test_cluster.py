"""The same work on a Dask cluster, of which a worker is killed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import warnings
from pathlib import Path

import cv2
import numpy as np
import pytest

from efld_dlib.errors import EfldError, MissingDependencyError
from efld_dlib.extraction import cluster
from efld_dlib.extraction.run import extract, journal_path
from efld_dlib.extraction.settings import ExtractSettings
from efld_dlib.extraction.workers import Task, look_at, look_at_here

PROJECT = Path(__file__).resolve().parents[2]

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import distributed

# What Dask warns of is not ours.
pytestmark = [
    pytest.mark.filterwarnings("ignore:::distributed"),
    pytest.mark.filterwarnings("ignore:::tornado"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


def dask(program, *words):
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), "PYTHONWARNINGS": "ignore"}
    return subprocess.Popen(
        [sys.executable, "-m", f"distributed.cli.dask_{program}", *words],
        stderr=subprocess.PIPE,
        env=environment,
        text=True,
        cwd="/",
    )


def line_with(process, pattern):
    for line in process.stderr:
        if found := re.search(pattern, line):
            return found.group(1)
    raise AssertionError("the process ended first")


class Cluster:
    """A scheduler and workers of one thread, each a process of its own."""

    def __init__(self, folder):
        self.folder = folder
        loopback = ("--host", "127.0.0.1")
        self.scheduler = dask("scheduler", *loopback, "--port", "0", "--no-dashboard")
        self.address = line_with(self.scheduler, r"Scheduler at: +(tcp://127\.0\.0\.1:\d+)")
        self.workers = []

    def add_worker(self, name):
        options = ("--no-nanny", "--nthreads", "1", "--no-dashboard", "--host", "127.0.0.1")
        where = ("--local-directory", str(self.folder), "--name", name)
        self.workers.append(dask("worker", self.address, *options, *where))

    def stop(self):
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()
            process.stderr.close()


@pytest.fixture
def two_workers(tmp_path_factory):
    made = Cluster(tmp_path_factory.mktemp("dask"))
    try:
        made.add_worker("first")
        made.add_worker("second")
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="module")
def pictures(astronaut_pixels, tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    # So large that each image keeps a worker at work for a while.
    face = cv2.resize(astronaut_pixels[:240, 80:400, ::-1], None, fx=2, fy=2)
    for number in range(60):
        cv2.imwrite(str(folder / f"{number:02}.png"), np.roll(face, number // 2, axis=1))
    (folder / "17.png").write_bytes(b"no picture")
    return sorted(map(str, folder.iterdir()))


@pytest.fixture(scope="module")
def settings(tiny_model):
    return ExtractSettings(str(tiny_model), detector="dlib", quality="fast")


@pytest.fixture(scope="module")
def here(pictures, settings, tmp_path_factory):
    target = tmp_path_factory.mktemp("here") / "t.csv"
    extract(pictures, target, settings, jobs=1)
    return target.read_bytes()


def test_a_worker_killed_in_mid_run_loses_and_doubles_nothing(
    two_workers, pictures, settings, here, tmp_path
):
    target = tmp_path / "t.csv"
    killed = []

    def kill_one(error):
        # Picture 17 is the one that is reported.
        with distributed.Client(two_workers.address, set_as_default=False) as client:
            at_work = client.processing()
            assert len(at_work) == 2
            assert all(at_work.values())
        two_workers.workers[0].kill()
        killed.append(str(error))

    summary = extract(pictures, target, settings, cluster=two_workers.address, report=kill_one)
    assert len(killed) == 1
    assert two_workers.workers[0].wait() == -9
    assert (summary.pictures, summary.errors) == (60, 1)
    assert target.read_bytes() == here


def test_a_scheduler_that_goes_away_leaves_a_run_that_can_be_continued(
    two_workers, pictures, settings, here, tmp_path
):
    target = tmp_path / "t.csv"
    with pytest.raises(EfldError, match=r"cluster"):
        extract(
            pictures,
            target,
            settings,
            cluster=two_workers.address,
            report=lambda error: two_workers.scheduler.kill(),
        )
    assert journal_path(target).exists()
    summary = extract(pictures, target, settings, jobs=1, earlier="resume")
    assert summary.continued >= 17
    assert target.read_bytes() == here


def test_no_scheduler_is_one_sentence(pictures, settings, tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "_CONNECT_SECONDS", 0.3)
    with pytest.raises(EfldError, match=r"tcp://127.0.0.1:9: no Dask scheduler answers"):
        extract(pictures, tmp_path / "t.csv", settings, cluster="tcp://127.0.0.1:9")
    with pytest.raises(EfldError, match="nonsense: no Dask scheduler"):
        extract(pictures, tmp_path / "t.csv", settings, cluster="nonsense")


def test_a_cluster_without_workers_is_given_up(pictures, settings, tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "_LOOK_SECONDS", 0.1)
    monkeypatch.setattr(cluster, "_PATIENCE_SECONDS", 0.3)
    made = Cluster(tmp_path)
    try:
        before = time.monotonic()
        with pytest.raises(EfldError, match="no worker"):
            extract(pictures, tmp_path / "t.csv", settings, cluster=made.address)
        assert time.monotonic() - before < 60
    finally:
        made.stop()


def test_a_machine_with_another_model_does_not_take_part(pictures, settings):
    task, identity = Task(3, pictures[3]), settings.identity()
    with pytest.raises(EfldError, match="another model than this machine"):
        look_at_here(settings, {**identity, "model": "other"}, task)
    outcome = look_at_here(settings, identity, task)
    assert outcome == look_at(settings.landmarker(), settings, task)
    assert len(outcome.faces) == 1


def test_without_dask_it_is_said_what_to_install(pictures, settings, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingDependencyError, match="pip install dask distributed"):
        extract(pictures, tmp_path / "t.csv", settings, cluster="tcp://127.0.0.1:9")
