"""Long runs and large files: ``python -m tests.robustness.load detections|xml``.

`detections` runs one `FaceLandmarker` over and over, on pictures of all formats with and without a
face, and prints the memory on the way. `xml` makes an XML of many faces and runs the commands on
it, and prints the most memory that each took, its children counted.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import cv2
import numpy as np
import skimage.data

from efld_dlib import FaceLandmarker
from efld_dlib.boxes import Box
from efld_dlib.pose import mean_face_3d
from efld_dlib.records import FaceAnnotation, ImageRecord
from efld_dlib.xml.write import write_xml
from tools.processes import in_session, resident

from .samples import encoded, small_picture

_PROJECT = Path(__file__).resolve().parents[2]


def pictures() -> list[bytes]:
    """Small files of several formats, of which every other shows a face."""
    face = cv2.cvtColor(skimage.data.astronaut()[40:200, 140:300], cv2.COLOR_RGB2BGR)
    faces = [cv2.imencode(suffix, face)[1].tobytes() for suffix in (".jpg", ".png", ".webp")]
    others = [encoded(suffix) for suffix in (".jpg", ".png", ".bmp")]
    return [each for pair in zip(faces, others, strict=True) for each in pair]


def memory_over(count: int, steps: int = 10, model: str | None = None) -> Iterator[tuple[int, int]]:
    """Run `count` detections; yields after each tenth how many there were, and the memory."""
    landmarker = FaceLandmarker(model)
    files = pictures()
    for number in range(1, count + 1):
        landmarker.detect(files[number % len(files)])
        if number % max(1, count // steps) == 0:
            gc.collect()
            yield number, resident()


def peak_of(arguments: Sequence[str], folder: Path) -> tuple[int, float, int]:
    """Exit code, seconds and most bytes of memory of a command with all its children."""
    started = time.monotonic()
    with (folder / "said.txt").open("w") as said:
        child = subprocess.Popen(
            [sys.executable, "-m", "efld_dlib", *arguments],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(_PROJECT)},
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
        peak = 0
        while child.poll() is None:
            peak = max(peak, sum(map(resident, in_session(child.pid))))
            time.sleep(0.05)
    return child.returncode, time.monotonic() - started, peak


def large_xml(folder: Path, faces: int, of_a_picture: int = 50) -> Path:
    """An XML of so many different faces, of each picture so many."""
    rng = np.random.default_rng(1)
    count = -(-faces // of_a_picture)
    data = cv2.imencode(".jpg", cv2.cvtColor(small_picture(), cv2.COLOR_RGB2BGR))[1].tobytes()
    (folder / "pictures").mkdir(parents=True)
    for number in range(count):
        # What comes after the end of a JPEG makes another file of it and the same picture.
        (folder / "pictures" / f"{number}.jpg").write_bytes(data + str(number).encode())
    xml = folder / "large.xml"
    write_xml(xml, _records(folder, count, faces, of_a_picture, rng))
    return xml


def _records(
    folder: Path, count: int, faces: int, of_a_picture: int, rng: np.random.Generator
) -> Iterator[ImageRecord]:
    shape = mean_face_3d()[:, :2]
    shape = 20 + 60 * (shape - shape.min(axis=0)) / np.ptp(shape, axis=0).max()
    for number in range(count):
        own = []
        for _ in range(min(of_a_picture, faces - number * of_a_picture)):
            points = shape + rng.uniform(0, 20, 2) + rng.normal(0, 1, shape.shape)
            own.append(FaceAnnotation(points, Box.around(points)))
        yield ImageRecord(folder / "pictures" / f"{number}.jpg", tuple(own))


@click.group()
def main() -> None:
    """Long runs and large files."""


@main.command()
@click.option("--count", default=50_000, show_default=True)
@click.option("--allowed", default=10, show_default=True, help="Growth after the first tenth, MB.")
def detections(count: int, allowed: int) -> None:
    """Detections in one process, and its memory."""
    started, sizes = time.monotonic(), []
    for number, size in memory_over(count):
        sizes.append(size)
        seconds = time.monotonic() - started
        click.echo(f"{number:>7} detections  {size / 2**20:7.1f} MB  {seconds:7.0f} s")
    growth = (sizes[-1] - sizes[0]) / 2**20
    click.echo(f"growth from the first tenth to the last: {growth:.1f} MB")
    sys.exit(1 if growth > allowed else 0)


@main.command()
@click.option("--faces", default=100_000, show_default=True)
@click.option("--allowed", default=1024, show_default=True, help="Memory of a command, MB.")
@click.option("--only", multiple=True, help="Commands, such as 'xml info' or 'prepare large.xml'.")
def xml(faces: int, allowed: int, only: tuple[str, ...]) -> None:
    """Commands on an XML of many faces, and their memory."""
    commands = [
        ["xml", "check", "large.xml"],
        ["xml", "info", "large.xml"],
        ["xml", "merge", "large.xml", "-o", "merged.xml"],
        ["xml", "split", "large.xml", "--train", "a.xml", "--held-out", "b.xml"],
        ["xml", "convert", "large.xml", "-o", "again.xml"],
        ["xml", "view", "large.xml", "-o", "sheet.png", "--order", "random"],
        ["prepare", "large.xml", "-o", "prepared", "--variants", "1"],
    ]
    worst = 0
    with tempfile.TemporaryDirectory(prefix="efld-load-") as name:
        folder = Path(name)
        size = large_xml(folder, faces).stat().st_size
        click.echo(f"{faces} faces, {size / 1e6:.0f} MB of XML")
        for command in commands:
            if only and " ".join(command[:2]) not in only:
                continue
            code, seconds, peak = peak_of(command, folder)
            worst = max(worst, peak)
            told = " ".join(command[:2])
            click.echo(f"{told:<18} exit {code}  {seconds:6.0f} s  {peak / 2**20:7.0f} MB")
            if code == 2:
                click.echo((folder / "said.txt").read_text()[-500:])
    sys.exit(1 if worst > allowed << 20 else 0)


if __name__ == "__main__":
    main()
