"""Start-up, memory and time per face, beside a plain dlib program and MediaPipe.

    python -m tools.benchmarks start photo.jpg
    python -m tools.benchmarks start photo.jpg --task face_landmarker.task --python other/bin/python

Each program is a new process that takes its turn with the others, on one core; what is printed are
medians. The dlib program runs dlib's frontal detector and a predictor of as many trees as dlib's
99.7 MB file has, made of the package's own unless `--dat` names one. MediaPipe is run with the
interpreter that `--python` names, where it is installed.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click
import numpy as np

from efld_dlib.models.dat import dat_bytes
from efld_dlib.models.loading import load_arrays
from efld_dlib.tables import Table

from .results import output_option, tell

STOCK_CASCADES, STOCK_TREES = 15, 500
"""Cascades of dlib's file, and trees of depth 4 in each of them."""

_MEASURE = """
import json, statistics, sys, time
started = time.perf_counter()
{setup}
first = time.perf_counter() - started
times = []
for _ in range({runs}):
    before = time.perf_counter()
    {again}
    times.append(time.perf_counter() - before)
peak = next(int(line.split()[1]) for line in open("/proc/self/status") if "VmHWM" in line) / 1024
print(json.dumps([1000 * first, peak, 1000 * statistics.median(times)]))
"""

_EFLD = """
import cv2
from efld_dlib import FaceLandmarker
cv2.setNumThreads(1)
landmarker = FaceLandmarker(**{options})
image = cv2.imread(sys.argv[1])
faces = landmarker.detect(image, "bgr")
gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
boxes = [faces[0].box]
"""

_DLIB = """
import dlib
detector = dlib.get_frontal_face_detector()
predictor = dlib.shape_predictor(sys.argv[2])
image = dlib.load_grayscale_image(sys.argv[1])
box = detector(image, 0)[0]
parts = predictor(image, box).parts()
"""

_MEDIAPIPE = """
import mediapipe
from mediapipe.tasks.python import BaseOptions, vision
landmarker = vision.FaceLandmarker.create_from_options(vision.FaceLandmarkerOptions(
    base_options=BaseOptions(model_asset_path=sys.argv[2])))
image = mediapipe.Image.create_from_file(sys.argv[1])
faces = landmarker.detect(image)
"""


def programs(stock: Path, task: Path | None, python: str) -> dict[str, list[str]]:
    """Command lines by what to call them."""
    plain, smaller = "{}", '{"min_face": 40}'
    whole, landmarks = "landmarker.detect(gray)", "landmarker.landmarks(gray, boxes)"
    every = {
        "efld_dlib, an image": (_EFLD.format(options=plain), whole, 20, ""),
        "efld_dlib, an image, min_face 40": (_EFLD.format(options=smaller), whole, 20, ""),
        "efld_dlib, landmarks in a box": (_EFLD.format(options=plain), landmarks, 100, ""),
        "dlib, an image": (
            _DLIB,
            "[predictor(image, b).parts() for b in detector(image, 0)]",
            20,
            str(stock),
        ),
        "dlib, landmarks in a box": (_DLIB, "predictor(image, box).parts()", 100, str(stock)),
    }
    lines = {
        name: [sys.executable, "-c", _MEASURE.format(setup=setup, again=again, runs=runs), file]
        for name, (setup, again, runs, file) in every.items()
    }
    if task is not None:
        code = _MEASURE.format(setup=_MEDIAPIPE, again="landmarker.detect(image)", runs=20)
        lines["MediaPipe, an image"] = [python, "-c", code, str(task)]
    return lines


def measured(lines: dict[str, list[str]], photo: Path, turns: int) -> dict[str, np.ndarray]:
    """For each program: until the first face in ms, peak memory in MB, a further face in ms."""
    # `taskset` keeps every library in one core, whatever it is told.
    found: dict[str, list[Sequence[float]]] = {name: [] for name in lines}
    for _ in range(turns):
        for name, (python, option, code, file) in lines.items():
            words = ["taskset", "-c", "0", python, option, code, str(photo), file]
            said = subprocess.run(words, check=True, capture_output=True, text=True).stdout
            found[name].append(json.loads(said.strip().splitlines()[-1]))
    return {name: np.median(values, axis=0) for name, values in found.items()}


def write_stock(path: Path) -> None:
    """A predictor of the shape of dlib's file, put together of the package's own cascades."""
    own = load_arrays()
    each = -(-STOCK_TREES // own.trees)
    cascades = np.arange(STOCK_CASCADES * each) % own.cascades
    trees = {}
    for name in ("first", "second", "thresholds", "leaves"):
        values = getattr(own, name)[cascades]
        joined = values.reshape(STOCK_CASCADES, each * own.trees, *values.shape[2:])
        trees[name] = joined[:, :STOCK_TREES]
    pixels = {name: getattr(own, name)[cascades[::each]] for name in ("anchors", "deltas")}
    path.write_bytes(dat_bytes(replace(own, **trees, **pixels)))


@click.command()
@click.argument("photo", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dat", type=click.Path(exists=True, path_type=Path), help="Of the dlib program.")
@click.option("--task", type=click.Path(exists=True, path_type=Path), help="MediaPipe's model.")
@click.option("--python", default=sys.executable, help="Interpreter that has MediaPipe.")
@click.option("--turns", default=7, show_default=True, help="Runs of each program.")
@output_option
def start(
    photo: Path, dat: Path | None, task: Path | None, python: str, turns: int, output: Path | None
) -> None:
    """Measure on PHOTO, which dlib's detector must find a face in."""
    with tempfile.TemporaryDirectory(prefix="efld-benchmark-") as folder:
        stock = dat
        if stock is None:
            stock = Path(folder) / "stock.dat"
            write_stock(stock)
        size = stock.stat().st_size / 1e6
        found = measured(programs(stock, task, python), photo, turns)
    rows = [
        (name, f"{first:.0f}", f"{peak:.0f}", f"{further:.2f}")
        for name, (first, peak, further) in found.items()
    ]
    header = ("program", "first face, ms", "peak memory, MB", "further faces, ms")
    note = f"Medians of {turns} processes, one core. Predictor of the dlib program: {size:.1f} MB."
    tell([Table("Start-up, memory and time", header, rows, note)], output)
