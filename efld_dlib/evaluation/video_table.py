"""The video benchmark's table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..boxes import FloatArray
from .benchmark_timing import median, paired_ratio
from .machine import describe_machine, versions
from .metrics import mean_given
from .tables import Table, number
from .video_benchmark import VideoBenchmark, VideoFigures
from .video_clips import HEIGHT, NOISE, REST, WIDTH

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
