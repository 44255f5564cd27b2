"""Where the time goes: the steps of a run, each without the steps inside it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, NamedTuple

import numpy as np

from .. import drawing as render
from .. import face, images, landmarker
from ..detection import network as landmark_network
from ..detection import network_detector
from ..detection import prediction as landmark_stage
from .tables import DASH, Table, number


class Step(NamedTuple):
    """A function that is timed, where the code that calls it looks it up.

    Parameters
    ----------
    label : str
        Steps of one label are added up.
    owner : module or class
    name : str
    """

    label: str
    owner: Any
    name: str


STEPS = (
    Step("reading", images, "read_image"),
    Step("gray", landmarker, "to_gray"),
    Step("detector: network", network_detector, "find_faces"),
    Step("landmark network", landmark_network.LandmarkNetwork, "look"),
    Step("landmarks", landmark_stage.LandmarkStage, "predict"),
    Step("pose", landmarker, "estimate_pose"),
    Step("confidence", landmarker, "confidence"),
    Step("features", face, "features"),
    Step("drawing", render, "draw_face"),
)
"""What a picture goes through."""

REST = "the rest"


@dataclass
class Clock:
    """Processor seconds and calls by label, each label without what was timed inside it."""

    seconds: dict[str, float] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)
    _inside: list[float] = field(default_factory=list)

    @contextmanager
    def timed(self, label: str) -> Iterator[None]:
        """Time a block."""
        self._inside.append(0.0)
        started = time.thread_time()
        try:
            yield
        finally:
            elapsed = time.thread_time() - started
            inner = self._inside.pop()
            if self._inside:
                self._inside[-1] += elapsed
            self.seconds[label] = self.seconds.get(label, 0.0) + elapsed - inner
            self.calls[label] = self.calls.get(label, 0) + 1


@contextmanager
def watched(clock: Clock, steps: Sequence[Step] = STEPS) -> Iterator[None]:
    """A block in which the functions of `steps` are timed; afterwards they are as before."""
    with ExitStack() as stack:
        for step in steps:
            original = getattr(step.owner, step.name)
            stack.callback(setattr, step.owner, step.name, original)
            setattr(step.owner, step.name, _timed(clock, step.label, original))
        yield


def _timed(clock: Clock, label: str, function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def call(*arguments: Any, **named: Any) -> Any:
        with clock.timed(label):
            return function(*arguments, **named)

    return call


def profile(
    runs: Mapping[str, Sequence[Callable[[], object]]],
    repeats: int = 5,
    steps: Sequence[Step] = STEPS,
    title: str = "Where the time goes",
) -> Table:
    """Milliseconds of each step, for several ways to do something.

    Parameters
    ----------
    runs : mapping of str to sequence of callable
        By the column's name, what is run: one callable for each picture.
    repeats : int
        Rounds, of which the first is not counted if there are several. Columns take turns.
    steps : sequence of Step
    title : str

    Returns
    -------
    Table
        Medians over the rounds of the mean over a column's callables. What is not in `steps` is
        "the rest".
    """
    rounds: dict[str, list[Clock]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, callables in runs.items():
            clock = Clock()
            with watched(clock, steps):
                for run in callables:
                    with clock.timed(REST):
                        run()
            rounds[name].append(clock)
    if repeats > 1:
        rounds = {name: clocks[1:] for name, clocks in rounds.items()}
    labels = [*dict.fromkeys(step.label for step in steps), REST]
    rows = []
    for label in labels:
        cells = []
        for name, clocks in rounds.items():
            times = [clock.seconds.get(label, 0.0) for clock in clocks]
            calls = clocks[0].calls.get(label, 0) / len(runs[name])
            cells += [
                number(calls, 1) if calls and label != REST else DASH,
                number(1000 * float(np.median(times)) / len(runs[name])) if calls else DASH,
            ]
        rows.append((label, *cells))
    total: list[str] = []
    for name, clocks in rounds.items():
        sums = [sum(clock.seconds.values()) for clock in clocks]
        total += ["", number(1000 * float(np.median(sums)) / len(runs[name]))]
    rows.append(("all", *total))
    header = ["step", *(cell for name in runs for cell in (f"calls, {name}", f"ms, {name}"))]
    note = (
        "For one picture or frame, each step without those inside it; processor time of the one "
        "thread."
    )
    return Table(title, tuple(header), tuple(rows), note)
