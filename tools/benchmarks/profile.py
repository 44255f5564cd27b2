"""Where the time of an image goes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click
import numpy as np

from efld_dlib import drawing as render
from efld_dlib import face as face_module
from efld_dlib import images, landmarker
from efld_dlib.cli.options import counted, min_face_option, model_option
from efld_dlib.detection import network as landmark_network
from efld_dlib.detection import network_detector
from efld_dlib.detection import prediction as landmark_stage
from efld_dlib.tables import DASH, Table, number

from .results import output_option, tell

if TYPE_CHECKING:
    from collections.abc import Callable

    from efld_dlib.landmarker import FaceLandmarker


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
    Step("detector: sizes", network_detector, "reduced"),
    Step("detector: network", network_detector, "find_faces"),
    Step("landmark network", landmark_network.LandmarkNetwork, "look"),
    Step("landmarks", landmark_stage.LandmarkStage, "predict"),
    Step("pose", landmarker, "scheme_pose"),
    Step("confidence", landmarker, "confidence"),
    Step("features", face_module, "features"),
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


_FRAME = (640, 480)
_FRAMES = 60


@click.command("profile")
@click.argument("images", nargs=-1)
@model_option
@min_face_option
@click.option(
    "--repeats",
    default=20,
    show_default=True,
    type=click.IntRange(min=1),
    help="Rounds, of which the first is not counted.",
)
@output_option
def profile_command(
    images: tuple[str, ...],
    model: Path | None,
    min_face: str | None,
    repeats: int,
    output: Path | None,
) -> None:
    """Where the time goes from a picture's file to its faces, features and drawing.

    IMAGES are given as for `efld-dlib detect`; without them it is a frame of 640x480 with one
    face, and beside it the frames of a video in which that face is followed. With --min-face
    further columns show what it and `--quality fast` change.

    \b
    Examples:
      python -m tools.benchmarks profile
      python -m tools.benchmarks profile --min-face 120
      python -m tools.benchmarks profile photos/ --repeats 3
    """
    from efld_dlib.evaluation.machine import one_thread
    from efld_dlib.landmarker import FaceLandmarker

    contents = _contents(images)
    columns = {"default": FaceLandmarker(model)}
    if min_face is not None:
        columns[f"--min-face {min_face}"] = FaceLandmarker(model, min_face=min_face)
        columns["and --quality fast"] = FaceLandmarker(model, quality="fast", min_face=min_face)
    runs = {
        column: [_one_run(landmarker, data) for data in contents]
        for column, landmarker in columns.items()
    }
    if not images:
        runs["video"] = _video_runs(columns["default"], contents[0])
    what = counted(len(contents), "picture") if images else f"a frame of {_FRAME[0]}x{_FRAME[1]}"
    with one_thread():
        table = profile(runs, repeats, title=f"Where the time goes, {what}")
    tell([table], output)


def _contents(images: tuple[str, ...]) -> list[bytes]:
    """The files' bytes: the disk is not what is to be measured."""
    import cv2

    from efld_dlib.cli.options import list_inputs
    from efld_dlib.errors import DataError

    from .faces import one_face_frame

    if not images:
        frame, _ = one_face_frame(*_FRAME)
        return [cv2.imencode(".jpg", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))[1].tobytes()]
    contents = []
    for name in list_inputs(images):
        try:
            contents.append(Path(name).read_bytes())
        except OSError as error:
            raise DataError(name, f"cannot be read ({error.strerror})") from error
    return contents


def _video_runs(landmarker: FaceLandmarker, data: bytes) -> list[Callable[[], object]]:
    """One for each frame of a video, in which the picture moves to and fro."""
    from functools import partial

    import numpy as np

    from efld_dlib.images import read_image
    from efld_dlib.video.tracker import FaceTracker

    image, tracker = read_image(data), FaceTracker(landmarker)
    return [
        partial(tracker, np.roll(image, abs(15 - number % 30), axis=1), "rgb")
        for number in range(_FRAMES)
    ]


def _one_run(landmarker: FaceLandmarker, data: bytes) -> Callable[[], object]:
    from efld_dlib import drawing as render
    from efld_dlib import images

    def run() -> None:
        image = images.read_image(data)
        faces = landmarker.detect(image, "rgb")
        drawn = render.to_rgb(image)
        for face in faces:
            face.features()
            render.draw_face(drawn, face.points, face.box, face.pose)

    return run
