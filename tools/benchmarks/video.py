"""Speed, error, jitter and lag of landmarks in video."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import click
import numpy as np

from efld_dlib.backend import load_dlib
from efld_dlib.boxes import Box, FloatArray, annotated
from efld_dlib.cli.options import (
    SEED,
    describe_source,
    detect_every_option,
    finish,
    model_option,
    open_records,
    quality_option,
    strict_option,
    warn,
)
from efld_dlib.detection.detectors import FrontalDetector
from efld_dlib.detection.framing import MIN_OVERLAP
from efld_dlib.errors import DataError, OptionError, Problems
from efld_dlib.evaluation.machine import describe_machine, one_thread, versions
from efld_dlib.evaluation.metrics import mean_given, normalised_mean_errors
from efld_dlib.landmarker import FaceLandmarker
from efld_dlib.models.loading import load_predictor
from efld_dlib.parallel import progress
from efld_dlib.records import ImageRecord
from efld_dlib.tables import Table, number
from efld_dlib.video.reader import Frame, VideoReader, frame_of
from efld_dlib.video.smoothing import FaceSmoother
from efld_dlib.video.tracker import FaceTracker, TrackOptions
from efld_dlib.video.writer import open_video

from .clips import FACE_WIDTHS, FPS, HEIGHT, NOISE, REST, WIDTH, Clip, make_clip, usable_records
from .peers.dlib_file import plain_points
from .results import output_option, tell
from .timing import in_turn, median, paired_ratio

if TYPE_CHECKING:
    from efld_dlib.detection.prediction import Quality


_STEP = 0.05
_LARGEST = 5.0


def nearest_face(faces: Sequence[FloatArray], truth: FloatArray) -> FloatArray:
    """Of the landmarks of several faces those of the true one, shape (68, 2); NaN = not found."""
    wanted = Box.around(truth)
    overlaps = [wanted.overlap(Box.around(points)) for points in faces]
    if not overlaps or max(overlaps) < MIN_OVERLAP:
        return np.full_like(truth, np.nan)
    return faces[int(np.argmax(overlaps))]


def jitter(points: FloatArray) -> float:
    """How far landmarks that should stand still stray from their mean place.

    Parameters
    ----------
    points : array, shape (frames, n, 2)
        Pixels; NaN = not found.

    Returns
    -------
    float
        Root mean square distance over frames and landmarks, in pixels; NaN where nothing is found.

    Examples
    --------
    A landmark that hops two pixels to and fro is always one away from its mean place:

    >>> jitter(np.array([[[10.0, 5.0]], [[12.0, 5.0]], [[10.0, 5.0]], [[12.0, 5.0]]]))
    1.0
    """
    center = mean_given(points, axis=0)
    squares = mean_given(((points - center) ** 2).sum(axis=2).ravel())
    return float(np.sqrt(squares))


def lag(path: FloatArray, truth: FloatArray) -> float:
    """By how many frames a path is late: the delay of the truth that fits it best.

    Parameters
    ----------
    path, truth : array, shape (frames, 2)
        Pixels; NaN in `path` = not found. The truth must move.

    Returns
    -------
    float
        To a twentieth of a frame, at most 5; negative = early. NaN where too little is found.

    Examples
    --------
    >>> angle = np.linspace(0, 6, 60)
    >>> truth = 100 * np.column_stack([np.cos(angle), np.sin(angle)])
    >>> round(lag(np.roll(truth, 2, axis=0), truth), 2)
    2.0
    """
    times = np.arange(len(truth), dtype=np.float64)
    margin = int(_LARGEST)
    given = annotated(path)
    # Where the delayed truth reaches over the clip's ends nothing is known.
    given[:margin] = given[len(given) - margin :] = False
    if given.sum() < margin:
        return float("nan")
    delays = np.arange(-_LARGEST, _LARGEST + _STEP / 2, _STEP)
    errors = [
        sum(
            np.square(np.interp(times - delay, times, truth[:, axis]) - path[:, axis])[given].sum()
            for axis in (0, 1)
        )
        for delay in delays
    ]
    return float(delays[int(np.argmin(errors))])


FacePoints = list[FloatArray]


class VideoMethod(Protocol):
    """Gives the landmarks of all faces of each frame of a video."""

    name: str

    def run(self, frames: Iterable[Frame]) -> list[FacePoints]: ...


@dataclass
class Tracking:
    """The faces are followed, and smoothed if so wanted."""

    landmarker: FaceLandmarker
    options: TrackOptions
    smooth: bool = False

    def __post_init__(self) -> None:
        self.name = "tracking, smoothed" if self.smooth else "tracking"

    def run(self, frames: Iterable[Frame]) -> list[FacePoints]:
        tracker, smoother = FaceTracker(self.landmarker, self.options), FaceSmoother()
        found = []
        for frame in frames:
            faces = tracker.update(frame.gray)
            if self.smooth:
                faces = smoother(frame.time, faces)
            found.append([face.points for face in faces])
        return found


@dataclass
class Detecting:
    """Every frame is a picture of its own."""

    landmarker: FaceLandmarker
    name: str = "detecting every frame"

    def run(self, frames: Iterable[Frame]) -> list[FacePoints]:
        return [[face.points for face in self.landmarker.detect(frame.gray)] for frame in frames]


class PlainDlib:
    """What a dlib program does with every frame: detector, predictor, whole pixels."""

    name = "dlib's detector and predictor"

    def __init__(self, model: Path | None) -> None:
        self.predictor = load_predictor(model)
        self.detector = FrontalDetector(0)

    def run(self, frames: Iterable[Frame]) -> list[FacePoints]:
        rectangle = load_dlib().rectangle
        return [
            [
                plain_points(self.predictor, rectangle, frame.gray, found.box)
                for found in self.detector(frame.gray)
            ]
            for frame in frames
        ]


NOSE = 30
# The filter needs no start-up, but a face that is detected first is framed otherwise.
_SETTLED = 5


@dataclass
class VideoFigures:
    """What one method did, an entry a clip.

    Parameters
    ----------
    name : str
    seconds, processor : list of float
        Time a frame, by the clock and of the processor, without decoding.
    decoding, processor_decoding : list of float
        The same with decoding an .mp4 file; NaN = not measured.
    errors : list of array, shape (frames,)
        NME, fraction of the inter-ocular distance; NaN where the face was not found.
    jitters, lags : list of float
        Pixels at rest, and frames in motion.
    """

    name: str
    seconds: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    decoding: list[float] = field(default_factory=list)
    processor_decoding: list[float] = field(default_factory=list)
    errors: list[FloatArray] = field(default_factory=list)
    jitters: list[float] = field(default_factory=list)
    lags: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class VideoBenchmark:
    """Figures of all methods, and what they were measured on.

    Parameters
    ----------
    figures : list of VideoFigures
    clips : list of str
        The photographs that they were made of.
    left_out : int
        Photographs in which the detector did not find exactly the annotated face.
    frames : int
        In each clip.
    """

    figures: list[VideoFigures]
    clips: list[str]
    left_out: int
    frames: int


def run_video_benchmark(
    methods: Sequence[VideoMethod],
    decoded: Sequence[str],
    landmarker: FaceLandmarker,
    records: Iterable[ImageRecord],
    clips: int = 8,
    frames: int = 240,
    seed: int = 0,
    problems: Problems | None = None,
    show_progress: bool = False,
) -> VideoBenchmark:
    """Run the methods in turn on each of some clips, in one thread.

    Parameters
    ----------
    methods : sequence of VideoMethod
    decoded : sequence of str
        Names of those that are also timed with decoding.
    landmarker : FaceLandmarker
        Whose detector decides which photographs show one face.
    records : iterable of ImageRecord
    clips, frames : int
        How many clips, and how many frames in each.
    seed : int
        Of the choice of photographs and of the noise.
    problems : Problems, optional
        Takes the pictures that cannot be read; without it the first one raises.

    Raises
    ------
    DataError
        There is no photograph to make a clip of.
    OptionError
        The seed is negative.
    """
    if seed < 0:
        raise OptionError(f"the seed must not be negative, as {seed} is")
    rng = np.random.default_rng(seed)
    figures = [VideoFigures(method.name) for method in methods]
    made = _Clips(usable_records(records, rng), landmarker, clips, frames, rng, problems)
    with one_thread(), tempfile.TemporaryDirectory() as folder:
        for turn, clip in enumerate(progress(made, clips, "clips", show_progress)):
            file = Path(folder) / "clip.mp4"
            _write(clip, file)
            if turn == 0:
                for method in methods:
                    method.run(_frames(clip)[:3])
            for method, log in in_turn(list(zip(methods, figures, strict=True)), turn):
                _measure(method, log, clip, file if method.name in decoded else None)
    if not made.names:
        raise DataError("<benchmark>", "in no photograph the detector finds exactly its face")
    return VideoBenchmark(figures, made.names, made.left_out, frames)


class _Clips:
    """The clips, made one after the other: all of them would take gigabytes."""

    def __init__(
        self,
        records: Sequence[ImageRecord],
        landmarker: FaceLandmarker,
        wanted: int,
        frames: int,
        rng: np.random.Generator,
        problems: Problems | None,
    ) -> None:
        self.records, self.landmarker, self.rng = records, landmarker, rng
        self.wanted, self.frames = wanted, frames
        self.problems = problems if problems is not None else Problems(strict=True)
        self.names: list[str] = []
        self.left_out = 0

    def __iter__(self) -> Iterator[Clip]:
        for record in self.records:
            if len(self.names) == self.wanted:
                return
            share = len(self.names) / max(1, self.wanted - 1)
            width = FACE_WIDTHS[0] + share * (FACE_WIDTHS[1] - FACE_WIDTHS[0])
            try:
                first = make_clip(record, 1, width, np.random.default_rng(0))
            except DataError as error:
                self.problems.add(error)
                continue
            found = [face.points for face in self.landmarker.detect(first.frames[0], "bgr")]
            if len(found) != 1 or np.isnan(nearest_face(found, first.truth[0])).all():
                self.left_out += 1
                continue
            self.names.append(first.name)
            yield make_clip(record, self.frames, width, self.rng)


def _frames(clip: Clip) -> list[Frame]:
    return [frame_of(pixels, "bgr", n, n / FPS) for n, pixels in enumerate(clip.frames)]


def _write(clip: Clip, file: Path) -> None:
    with open_video(file, FPS) as writer:
        for number, pixels in enumerate(clip.frames):
            writer.write(pixels, number / FPS)


def _measure(method: VideoMethod, log: VideoFigures, clip: Clip, file: Path | None) -> None:
    """One run of a method on a clip, into its figures."""
    frames = _frames(clip)
    wall, processor = time.perf_counter(), time.process_time()
    found = method.run(frames)
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    log.seconds.append(wall / len(frames))
    log.processor.append(processor / len(frames))
    decoding = (float("nan"), float("nan")) if file is None else _decoded_seconds(method, file)
    log.decoding.append(decoding[0])
    log.processor_decoding.append(decoding[1])
    points = np.array([nearest_face(*each) for each in zip(found, clip.truth, strict=True)])
    log.errors.append(normalised_mean_errors(points, clip.truth))
    log.jitters.append(jitter(points[_SETTLED:REST]))
    log.lags.append(lag(points[REST:, NOSE], clip.truth[REST:, NOSE]))


def _decoded_seconds(method: VideoMethod, file: Path) -> tuple[float, float]:
    """Time a frame of a video file, by the clock and of the processor."""
    wall, processor = time.perf_counter(), time.process_time()
    with VideoReader(file) as reader:
        number = len(method.run(reader))
    return (time.perf_counter() - wall) / number, (time.process_time() - processor) / number


_HEADER = (
    "method",
    "frames/s",
    "with decoding",
    "by processor time",
    "with decoding",
    "ratio",
    "NME %",
    "NME ratio",
    "missed frames",
    "jitter px",
    "lag frames",
)


def video_table(result: VideoBenchmark, reference: str, data: str) -> Table:
    """All figures; ratios are to the method of the name `reference`."""
    against = next(each for each in result.figures if each.name == reference)
    rows = tuple(_row(each, against) for each in result.figures)
    machine = describe_machine()
    told = ", ".join(f"{name} {version}" for name, version in versions().items())
    notes = (
        f"{len(result.clips)} clips of {result.frames} frames, {WIDTH} x {HEIGHT}, one face, made "
        f"of photographs of {data}: {REST} frames at rest, then shifted, zoomed and turned; noise "
        f"of {NOISE:g} gray levels. Left out: {result.left_out} photographs in which not exactly "
        "the annotated face was detected.",
        "One thread, held to one core; medians over the clips, methods in turn on each. Without "
        "decoding the frames lie in memory in colour. By processor time: without the time that "
        "other programs on the machine took.",
        f"Ratio: frames a second, and NME on the frames in which both found the face, to "
        f"'{reference}'. NME by the distance of the outer eye corners.",
        "Jitter: root mean square distance of a landmark from its mean place, at rest. Lag: the "
        "delay of the nose tip's true path that fits the one found best, in motion.",
        f"Machine: {machine['cpu']}, {machine['cores']} cores, {machine['system']}, load "
        f"{machine['load_at_start']}. {told}.",
    )
    return Table("Landmarks in video", _HEADER, rows, "\n".join(notes))


def _row(log: VideoFigures, against: VideoFigures) -> tuple[str, ...]:
    errors = np.concatenate(log.errors)
    return (
        log.name,
        number(_rate(log.seconds), 0),
        number(_rate(log.decoding), 0),
        number(_rate(log.processor), 0),
        number(_rate(log.processor_decoding), 0),
        number(paired_ratio(against.seconds, log.seconds)),
        number(100 * float(mean_given(errors))),
        number(nme_ratio(log.errors, against.errors), 3),
        str(int(np.isnan(errors).sum())),
        number(float(mean_given(np.array(log.jitters)))),
        number(float(mean_given(np.array(log.lags)))),
    )


def _rate(seconds: Sequence[float]) -> float:
    return 1 / median(seconds)


def nme_ratio(errors: Sequence[FloatArray], against: Sequence[FloatArray]) -> float:
    """Mean error divided by that of another method, on the frames that both found."""
    mine, theirs = np.concatenate(errors), np.concatenate(against)
    both = np.isfinite(mine) & np.isfinite(theirs)
    return float(mine[both].mean() / theirs[both].mean()) if both.any() else float("nan")


@click.command("video")
@click.argument("data", type=click.Path(path_type=Path))
@click.option(
    "--subset",
    default="helen/testset",
    show_default=True,
    help="Of a 300-W tree: train, test-common, test-full, or a folder in it.",
)
@model_option
@quality_option
@detect_every_option
@click.option(
    "--clips",
    type=click.IntRange(min=1),
    default=8,
    show_default=True,
    metavar="N",
    help="How many clips are made.",
)
@click.option(
    "--frames",
    type=click.IntRange(min=75),
    default=240,
    show_default=True,
    metavar="N",
    help="Frames of each clip.",
)
@click.option("--seed", type=SEED, default=0, show_default=True, help="Of the clips.")
@output_option
@strict_option
@click.pass_context
def video(
    ctx: click.Context,
    data: Path,
    subset: str,
    model: Path | None,
    quality: Quality,
    detect_every: int,
    clips: int,
    frames: int,
    seed: int,
    output: Path | None,
    strict: bool,
) -> None:
    """Measure how fast, exact and steady landmarks of videos are.

    Clips are made of the photographs of DATA, as of `efld-dlib evaluate`: their faces rest, and
    then are shifted, zoomed and turned, so that it is known where each landmark is in each frame.
    Following the faces is compared with detecting them in every frame, and with dlib's own detector
    and predictor.

    \b
    Examples:
      python -m tools.benchmarks video 300w/
      python -m tools.benchmarks video 300w/ --subset helen/trainset --clips 3 --frames 120
    """
    from efld_dlib.landmarker import FaceLandmarker
    from efld_dlib.video.tracker import TrackOptions

    problems = Problems(strict, warn)
    landmarker, options = FaceLandmarker(model, quality=quality), TrackOptions(detect_every)
    following = [Tracking(landmarker, options), Tracking(landmarker, options, smooth=True)]
    detecting = Detecting(landmarker)
    methods: list[VideoMethod] = [*following, detecting, PlainDlib(model)]
    result = run_video_benchmark(
        methods,
        [method.name for method in following],
        landmarker,
        open_records(data, subset, problems),
        clips,
        frames,
        seed,
        problems,
        show_progress=True,
    )
    # No path: it is nobody else's business.
    label = describe_source(data, subset).removeprefix(f"{data.parent}/")
    table = video_table(result, detecting.name, label)
    tell([table], output)
    finish(ctx, problems)
