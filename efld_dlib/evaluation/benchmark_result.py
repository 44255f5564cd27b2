"""What the benchmark is asked and what it finds."""

from __future__ import annotations

from dataclasses import dataclass

from .benchmark_load import Load, Size

FrameSize = tuple[int, int]


@dataclass(frozen=True)
class BenchmarkOptions:
    """How thoroughly to measure.

    Parameters
    ----------
    sizes : tuple of (int, int)
        Width and height of the frames for the whole pipeline, in pixels.
    face_rounds, frame_rounds, load_rounds : int
        Turns of each method on every block of faces, on every frame, and at loading.
    block : int
        Faces in a block.
    frame_repeats, frame_seconds : int, float
        Runs on a frame in one turn, and the time after which no further one is begun.
    """

    sizes: tuple[FrameSize, ...] = ((320, 240), (640, 480), (1280, 720))
    face_rounds: int = 3
    frame_rounds: int = 5
    load_rounds: int = 3
    block: int = 30
    frame_repeats: int = 10
    frame_seconds: float = 1.0


FULL = BenchmarkOptions()
QUICK = BenchmarkOptions(face_rounds=1, frame_rounds=2, load_rounds=1, frame_repeats=3)


@dataclass(frozen=True)
class Row:
    """The figures of a method.

    Parameters
    ----------
    name : str
    points, common : int
        Landmarks that it gives, and those of the 68 among them, on which it is compared.
    nme : float
        Mean error of the faces it found on the common landmarks; fraction of the inter-ocular
        distance.
    reference_nme : float
        Error of the first row's method on the same landmarks of the same faces.
    missed : int
        Faces without landmarks: not found by the detector or by the method itself.
    faces_per_second : float
        Landmarks only, on one thread.
    frames_per_second : dict
        Frame size -> the whole pipeline on a frame with one face.
    faces_in_frame : dict
        Frame size -> faces it found in that frame; 1 is right.
    load : Load
        Seconds until the first face is answered, and peak memory.
    size : Size
        Bytes of its landmark model, and compressed.
    ratios : dict
        Figure -> this row's divided by the first row's; speeds are compared turn by turn.
    marks : tuple of str
        What has to be said of it.
    """

    name: str
    points: int
    common: int
    nme: float
    reference_nme: float
    missed: int
    faces_per_second: float
    frames_per_second: dict[FrameSize, float]
    faces_in_frame: dict[FrameSize, int]
    load: Load
    size: Size
    ratios: dict[str, float]
    marks: tuple[str, ...]


@dataclass(frozen=True)
class Benchmark:
    """The table's rows and the circumstances of the measurement.

    Parameters
    ----------
    rows : tuple of Row
    left_out : tuple of str
        A line about each method that has no row.
    data : str
        What was measured on.
    faces, not_detected : int
        Annotated faces, and those that the detector, which all methods share, did not find.
    base_memory : int, or None
        Peak bytes of a process without any model.
    one_core : bool
        Whether everything was held to one core.
    machine, versions : dict
    options : BenchmarkOptions
    """

    rows: tuple[Row, ...]
    left_out: tuple[str, ...]
    data: str
    faces: int
    not_detected: int
    base_memory: int | None
    one_core: bool
    machine: dict[str, object]
    versions: dict[str, str]
    options: BenchmarkOptions
