"""A part of the cases of ``python -m tests.robustness``, and all that ever failed."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from efld_dlib.cli.main import cli

from .__main__ import report
from .runner import Tally, draw_cases, run_cases
from .targets import COMMANDS, TARGETS
from .writers import WRITERS

pytestmark = pytest.mark.robustness

FAILED_ONCE = Path(__file__).with_name("failed_once.txt")
CASES = 900


def once_failed():
    lines = FAILED_ONCE.read_text(encoding="utf-8").splitlines()
    cases = [line.split()[0].split(":") for line in lines if line and not line.startswith("#")]
    return [(name, int(seed)) for name, seed in cases]


def test_damaged_files_are_read_skipped_or_refused(samples):
    cases = [*once_failed(), *draw_cases(CASES, seed=0)]
    tally = run_cases(cases, samples)
    assert not tally.failures, report(tally, 0)
    assert tally.cases == len(cases)
    # A harness that damages nothing, or everything beyond recognition, shows nothing.
    assert tally.count("refused") > CASES / 3
    assert tally.count("read") > CASES / 20
    assert tally.count("skipped") > 10


def test_every_command_is_in_the_tables():
    tried = {target.name for target in COMMANDS} | set(WRITERS)
    context = click.Context(cli)
    # `network` reads only what other commands read too, and networks, which the readers try.
    for name in set(cli.list_commands(context)) - {"network"}:
        inner = getattr(cli.get_command(context, name), "commands", None)
        names = [f"{name}-{sub}" for sub in inner] if inner else [name]
        for each in names:
            assert any(entry.startswith(each) for entry in tried), each


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("die", "the process ended with code -11"),
        ("hang", "hangs for"),
        ("memory", "of memory"),
        ("fail", "ZeroDivisionError"),
        ("nameless", "the error names none of"),
    ],
)
def test_the_harness_sees_what_may_not_be(case, said, samples):
    tally = run_cases(
        [("picture", 1), (f"self-{case}", 1), ("picture", 2)],
        samples,
        1,
        hang=3.0 if case == "hang" else 20.0,
    )
    assert tally.cases == 3
    assert list(tally.failures) == [(f"self-{case}", 1)]
    assert said in tally.failures[f"self-{case}", 1]


def test_a_case_is_the_same_each_time(samples):
    cases = draw_cases(len(TARGETS), 5, ["pts", "imglab", "efld"])
    assert run_cases(cases, samples, 1).outcomes == run_cases(cases, samples, 2).outcomes
    assert Tally().cases == 0
