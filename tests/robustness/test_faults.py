"""A few of the moments of ``python -m tests.robustness.faults``, and what makes them bearable."""

from __future__ import annotations

import json
import signal

import pytest

from efld_dlib.errors import DataError, OutputError, Problems, TrainingError
from efld_dlib.training import trainer
from efld_dlib.training.options import TrainingOptions

from .faults import JOBS, make_work, run_job

pytestmark = pytest.mark.robustness


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    return make_work(tmp_path_factory.mktemp("faults"), faces=8)


@pytest.mark.parametrize(
    ("name", "moments"),
    [
        ("prepare", [(0.7, signal.SIGKILL)]),
        ("train", [(0.6, signal.SIGKILL)]),
    ],
)
def test_a_signal_leaves_whole_outputs_and_no_process(name, moments, work):
    outcome = run_job(JOBS[name], work, moments)
    assert outcome.failures == []
    assert outcome.moments == len(moments)


def test_of_two_trainings_the_later_keeps_its_own_report(training_data, tmp_path, monkeypatch):
    output = tmp_path / "m.dat"
    options = TrainingOptions(1, 2, 2, oversampling_amount=2)
    other = {}

    def evaluate(*arguments, **named):
        # Another run comes to its end while this one measures.
        if not other:
            other["result"] = trainer.train(
                training_data / "train.xml", output, options, measure=False
            )
            other["report"] = other["result"].report.read_text()
        return measured(*arguments, **named)

    measured = trainer.evaluate
    monkeypatch.setattr(trainer, "evaluate", evaluate)
    with pytest.raises(TrainingError, match=r"m\.dat was replaced by another run"):
        trainer.train(training_data / "train.xml", output, options, jobs=1)
    assert (tmp_path / "m.json").read_text() == other["report"]
    assert json.loads(other["report"])["bytes"] == output.stat().st_size


def test_what_cannot_be_written_ends_a_bulk_run():
    problems = Problems()
    problems.add(DataError("a.jpg", "is empty"))
    with pytest.raises(OutputError):
        problems.add(OutputError("out", "cannot be written"))
