"""``efld-dlib video``: faces of a video, a stream or a camera, with ids."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from ..errors import OptionError
from .options import (
    detect_every_option,
    detector_option,
    features_option,
    min_score_option,
    model_option,
    point_confidence_option,
    quality_option,
    warn,
)

if TYPE_CHECKING:
    from ..detection.prediction import Quality
    from ..geometry import Feature
    from ..video.reader import VideoReader
    from ..video.run import VideoSink
    from ..video.writer import VideoWriter, Window

TABLES = ("csv", "jsonl")
"""Formats of the faces in a video."""


@click.command()
@click.argument("source", metavar="SRC")
@click.option(
    "-o",
    "--output",
    "outputs",
    multiple=True,
    metavar="FILE",
    help="Write the result; the suffix decides: the video with its faces drawn (.mp4, .m4v, .mov, "
    ".mkv, .avi), a row for each face (.csv), or a line for each frame (.jsonl). May be repeated.",
)
@click.option(
    "--format", "kind", type=click.Choice(TABLES), help="Write this to the standard output."
)
@click.option("--show", is_flag=True, help="Show it in a window; q or Esc ends.")
@click.option(
    "--smooth/--no-smooth",
    default=None,
    help="Steady the landmarks [default: those that are drawn, not those that are written].",
)
@detect_every_option
@click.option(
    "--max-faces",
    type=click.IntRange(min=1),
    metavar="N",
    help="Most faces at a time; with as many nothing more is looked for.",
)
@click.option("--max-frames", type=click.IntRange(min=1), metavar="N", help="Stop after N frames.")
@model_option
@quality_option
@detector_option
@min_score_option
@features_option
@point_confidence_option
@click.pass_context
def video(
    ctx: click.Context,
    source: str,
    outputs: tuple[str, ...],
    kind: str | None,
    show: bool,
    smooth: bool | None,
    detect_every: int,
    max_faces: int | None,
    max_frames: int | None,
    model: Path | None,
    quality: Quality,
    detector_name: str,
    min_score: float | None,
    feature_text: str,
    point_confidence: bool,
) -> None:
    """Follow the faces of SRC: a video file, the address of a stream, or the number of a camera.

    Each face keeps its id from frame to frame. Ctrl-C ends it, and what was written until then is
    kept and can be read.

    \b
    Examples:
      efld-dlib video talk.mp4 -o talk-landmarks.mp4
      efld-dlib video talk.mp4 -o talk.csv --features eye_nose_mouth_ratio
      efld-dlib video 0 --show --max-faces 1
      efld-dlib video rtsp://camera/stream --format jsonl | head
    """
    from threadpoolctl import threadpool_limits

    from ..detection.registry import make_detector
    from ..geometry import parse_features
    from ..landmarker import FaceLandmarker
    from ..parallel import progress
    from ..video.reader import VideoReader
    from ..video.run import VideoRun, stop_on_signals
    from ..video.tracker import FaceTracker, TrackOptions

    chosen = parse_features(feature_text)
    options = TrackOptions(detect_every, max_faces)
    _require_apart(source, outputs)
    tables = [name for name in outputs if _table_kind(name) is not None]
    videos = [Path(name) for name in outputs if name not in tables]
    if len(videos) > 1:
        raise OptionError(f"one video is written, not {len(videos)}: {', '.join(map(str, videos))}")
    with ExitStack() as stack:
        # The matrices are so small that several threads only wait for each other.
        stack.enter_context(threadpool_limits(1, "blas"))
        reader = stack.enter_context(VideoReader(parse_source(source)))
        detector = make_detector(detector_name, min_score)
        landmarker = FaceLandmarker(
            model, detector, quality=quality, point_confidence=point_confidence
        )
        tracker = FaceTracker(landmarker, options)
        stop = stack.enter_context(stop_on_signals())
        sinks = [
            _sink(_table_kind(name), _stream(stack, name), chosen, point_confidence)
            for name in tables
        ]
        if kind is not None:
            sinks.append(_sink(kind, sys.stdout, chosen, point_confidence))
        writer = _writer(stack, videos[0], reader) if videos else None
        run = VideoRun(tracker, sinks, writer, _window(stack) if show else None, smooth)
        total = min(filter(None, (reader.total, max_frames)), default=None)
        for frame in progress(reader, total, "tracking"):
            wanted = run.take(frame)
            if stop or not wanted or run.frames == max_frames:
                break
    click.echo(run.summary(), err=True)
    if reader.cut_short:
        warn(
            f"{reader.name}: ended after {run.frames} of the {reader.total} frames that it "
            "announces: it is damaged or cut short"
        )
        ctx.exit(1)
    if stop:
        click.echo("Stopped; what was written until then is kept.", err=True)
        ctx.exit(130)


def parse_source(text: str) -> str | int:
    """The number of a camera, or a path or address: a file may be called as a number."""
    return int(text) if text.isdecimal() and not Path(text).exists() else text


def _require_apart(source: str, outputs: Sequence[str]) -> None:
    """Refuse outputs that would take each other's place, or the source's."""
    places = [str(Path(each).resolve()) for each in outputs]
    if len(set(places)) < len(places):
        raise OptionError("two outputs have the same name")
    if Path(source).exists() and str(Path(source).resolve()) in places:
        raise OptionError(f"'{source}' is to be read, and cannot be written at the same time")


def _table_kind(name: str) -> str | None:
    """The format of a table of that name; None if it is a video."""
    suffix = Path(name).suffix.lower().lstrip(".")
    return suffix if suffix in TABLES else None


def _sink(
    kind: str | None, stream: TextIO, chosen: Sequence[Feature], point_confidence: bool
) -> VideoSink:
    from ..video.run import VideoCsvSink, VideoJsonLinesSink

    if kind == "csv":
        return VideoCsvSink(stream, chosen, point_confidence)
    return VideoJsonLinesSink(stream, chosen)


def _stream(stack: ExitStack, name: str) -> TextIO:
    """A file that appears when the stack is unwound in good order."""
    from ..files import atomic_path

    temporary = stack.enter_context(atomic_path(name))
    return stack.enter_context(temporary.open("w", encoding="utf-8", newline=""))


def _writer(stack: ExitStack, output: Path, reader: VideoReader) -> VideoWriter:
    from ..video.writer import open_video

    return stack.enter_context(open_video(output, reader.fps, paced=reader.live))


def _window(stack: ExitStack) -> Window:
    from ..video.writer import Window

    window = Window()
    stack.callback(window.close)
    return window
