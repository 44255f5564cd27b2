"""``efld-dlib video``: faces of a video, a stream or a camera, with ids."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import click

from ..errors import OptionError
from . import options as common

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
    help="File for the result; the suffix decides: the video with its faces drawn (.mp4, .m4v, "
    ".mov, .mkv, .avi), a row for each face (.csv), or a line for each frame (.jsonl). May be "
    "repeated.",
)
@click.option(
    "--format",
    "kind",
    type=click.Choice(TABLES),
    help="Format of the faces on the standard output, where they are also written then.",
)
@click.option("--show", is_flag=True, help="Show the video in a window; q or Esc ends it.")
@click.option(
    "--smooth/--no-smooth",
    default=None,
    help="Steady the landmarks [default: those that are drawn, not those that are written].",
)
@common.detect_every_option
@click.option(
    "--max-faces",
    type=common.POSITIVE,
    metavar="N",
    help="Largest number of faces at a time; while that many are followed, no others are looked "
    "for.",
)
@click.option("--max-frames", type=common.POSITIVE, metavar="N", help="Stop after N frames.")
@common.video_options
@click.pass_context
def video(
    ctx: click.Context,
    /,
    source: str,
    outputs: tuple[str, ...],
    kind: str | None,
    show: bool,
    smooth: bool | None,
    detect_every: int,
    max_faces: int | None,
    max_frames: int | None,
    **options: Any,
) -> None:
    """Follow the faces of SRC: a video file, the address of a stream, or the number of a camera.

    Each face keeps its id from frame to frame. Ctrl-C ends the run; what was written until then is
    kept and can be read.

    \b
    Examples:
      efld-dlib video talk.mp4 -o talk-landmarks.mp4
      efld-dlib video talk.mp4 -o talk.csv --features eye_nose_mouth_ratio
      efld-dlib video 0 --show --max-faces 1
      efld-dlib video rtsp://camera/stream --format jsonl | head
    """
    from threadpoolctl import threadpool_limits

    from ..extraction.settings import ExtractSettings
    from ..files import atomic_text
    from ..parallel import progress
    from ..video.reader import VideoReader
    from ..video.run import VideoRun, open_sink, stop_on_signals
    from ..video.tracker import FaceTracker, TrackOptions
    from ..video.writer import Window, open_video

    settings = ExtractSettings(**options)
    _require_apart(source, outputs)
    tables = [name for name in outputs if _table_kind(name) in TABLES]
    videos = [Path(name) for name in outputs if name not in tables]
    if len(videos) > 1:
        raise OptionError(f"one video is written, not {len(videos)}: {', '.join(map(str, videos))}")
    with ExitStack() as stack:
        # The matrices are so small that several threads only wait for each other.
        stack.enter_context(threadpool_limits(1, "blas"))
        reader = stack.enter_context(VideoReader(parse_source(source)))
        landmarker = settings.landmarker()
        scheme, chosen = landmarker.scheme, settings.chosen(landmarker.scheme)
        tracker = FaceTracker(landmarker, TrackOptions(detect_every, max_faces))
        stop = stack.enter_context(stop_on_signals())
        streams = [(_table_kind(name), stack.enter_context(atomic_text(name))) for name in tables]
        if kind is not None:
            streams.append((kind, sys.stdout))
        sinks = [
            open_sink(kind, stream, chosen, settings.point_confidence, scheme)
            for kind, stream in streams
        ]
        writer = window = None
        if videos:
            writer = stack.enter_context(open_video(videos[0], reader.fps, paced=reader.live))
        if show:
            window = stack.enter_context(closing(Window()))
        run = VideoRun(tracker, sinks, writer, window, smooth)
        total = min(filter(None, (reader.total, max_frames)), default=None)
        for frame in progress(reader, total, "tracking"):
            wanted = run.take(frame)
            if stop or not wanted or run.frames == max_frames:
                break
    click.echo(run.summary(), err=True)
    if reader.cut_short:
        common.warn(
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


def _table_kind(name: str) -> str:
    """The format of a table of that name, if its suffix is one of `TABLES`."""
    return Path(name).suffix.lower().lstrip(".")
