"""How fast, exact and steady landmarks of videos are, on clips with a known truth."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..boxes import FloatArray
from ..errors import DataError, OptionError, Problems
from ..landmarker import FaceLandmarker
from ..parallel import progress
from ..records import ImageRecord
from ..video.reader import Frame, VideoReader, frame_of
from ..video.writer import open_video
from .benchmark_timing import in_turn
from .machine import one_thread
from .metrics import normalised_mean_errors
from .video_clips import FACE_WIDTHS, FPS, REST, Clip, make_clip, usable_records
from .video_measures import jitter, lag, nearest_face
from .video_methods import VideoMethod

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
