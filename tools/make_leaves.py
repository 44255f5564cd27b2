"""Draw leaves with exact points, as an XML that dlib reads: a thing that is no face.

Each image shows one leaf, turned, bent, narrow or wide, on a ground of clutter. With them the
toolkit is tried and tested on other things than faces: ``leaf.toml`` says what the points are,
``train.xml`` and ``test.xml`` where. The same options give the same bytes with the same OpenCV.
"""

from __future__ import annotations

from pathlib import Path

import click
import cv2
import numpy as np

from efld_dlib.boxes import Box, FloatArray
from efld_dlib.drawing import write_image
from efld_dlib.errors import EfldError
from efld_dlib.files import write_text
from efld_dlib.images import Image
from efld_dlib.landmarks import Scheme, find_scheme
from efld_dlib.records import FaceAnnotation, ImageRecord
from efld_dlib.xml.write import write_xml
from tools.sample.backdrop import backdrop

SCHEME = """\
# A leaf, seen with its tip up: left and right are the image's.
name = "leaf"
points = [
    "stem", "base", "left_low", "left_high", "tip", "right_high", "right_low", "middle",
]
mirror = [["left_low", "right_low"], ["left_high", "right_high"]]
normaliser = ["base", "tip"]
edges = [
    ["base", "left_low", "left_high", "tip", "right_high", "right_low", "base"],
    ["stem", "base", "middle", "tip"],
]

[groups]
midrib = ["stem", "base", "middle", "tip"]
margin = ["left_low", "left_high", "right_high", "right_low"]
"""

WIDTH, HEIGHT = 320, 280
_FINE = 4  # how much larger leaves are drawn, for soft edges
_ALONG = 40  # places along a leaf at which its outline is told

# Where on the way from base to tip the points of the margin lie.
_LOW, _HIGH = 0.3, 0.65
_STEM = 0.22  # length, in those of the blade


def draw_leaf(rng: np.random.Generator) -> tuple[Image, FloatArray, Box]:
    """An image with one leaf.

    Returns
    -------
    image : array of uint8, shape (280, 320, 3)
        RGB.
    points : array, shape (8, 2)
        In pixels, in the order of the scheme.
    box : Box
        Tight about the leaf, with 8 % more on each side.
    """
    length = rng.uniform(70, 150)
    wide, belly = length * rng.uniform(0.18, 0.36), rng.uniform(0.7, 1.5)
    sides = wide * np.exp(rng.normal(0, 0.12, 2))
    bend, turn = rng.normal(0, 0.35), np.radians(rng.normal(0, 16))
    along = np.linspace(0, 1, _ALONG)

    def spine(at: FloatArray) -> FloatArray:
        """The midrib, bent to one side, its base at 0 and the tip up."""
        return length * np.column_stack([bend * at * (at - 0.25), -at])

    def across(at: FloatArray, side: int) -> FloatArray:
        half = sides[side] * np.sin(np.pi * at**belly) ** 0.8
        direction = np.gradient(spine(along), along, axis=0)
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        normal = np.column_stack(
            [np.interp(at, along, -direction[:, 1]), np.interp(at, along, direction[:, 0])]
        )
        return spine(at) + half[:, None] * normal * (1 if side else -1)

    stem = np.array([[rng.normal(0, 0.04), _STEM]]) * length
    ends = np.array([0.0, 1.0])
    base, tip = spine(ends)
    margin = [across(np.array([_LOW, _HIGH]), side) for side in (0, 1)]
    own = np.vstack([stem, [base], margin[0], [tip], margin[1][::-1], spine(np.array([0.5]))])
    outline = np.vstack([across(along, 0), across(along, 1)[::-1]])
    cosine, sine = np.cos(turn), np.sin(turn)
    rotation = np.array([[cosine, sine], [-sine, cosine]])
    whole = np.vstack([own, outline]) @ rotation
    room = np.array([WIDTH, HEIGHT]) - np.ptp(whole, axis=0) - 30
    shift = 15 - whole.min(axis=0) + rng.uniform(0, 1, 2) * np.maximum(room, 0)
    points, edge = own @ rotation + shift, outline @ rotation + shift
    veins = [
        (spine(np.array([at]))[0], across(np.array([min(at + 0.12, 0.98)]), side)[0])
        for at in np.linspace(0.12, 0.8, 7)
        for side in (0, 1)
    ]
    lines = [np.array(vein) @ rotation + shift for vein in veins]
    midrib = np.vstack([stem, spine(along)]) @ rotation + shift
    image = _painted(rng, edge, midrib, lines)
    tight = Box.around(np.vstack([points, edge]))
    border = 0.08 * max(tight.width, tight.height)
    box = Box(
        *(round(side - border) for side in tight[:2]),
        *(round(side + 2 * border) for side in tight[2:]),
    )
    return image, points, box


def _painted(
    rng: np.random.Generator, edge: FloatArray, midrib: FloatArray, veins: list[FloatArray]
) -> Image:
    image = backdrop(rng, WIDTH, HEIGHT)
    colour = rng.uniform((40, 70, 10), (150, 190, 90))
    darker, lighter = 0.6 * colour, np.minimum(1.35 * colour, 255)
    size = (_FINE * WIDTH, _FINE * HEIGHT)
    mask = np.zeros(size[::-1], np.uint8)
    cv2.fillPoly(mask, [np.rint(_FINE * edge).astype(np.int32)], 255)
    blade = np.clip(rng.normal(0, 6, (HEIGHT // 4, WIDTH // 4)), -15, 15).astype(np.float32)
    shade = cv2.resize(blade, (WIDTH, HEIGHT))[..., None] + colour.astype(np.float32)
    image = _laid(image, shade, mask)
    for line, thickness, paint in [
        *((vein, 1.2, lighter) for vein in veins),
        (midrib, 2.2, lighter),
        (midrib[:2], 3.2, darker),
        (np.vstack([edge, edge[:1]]), 1.4, darker),
    ]:
        mask = np.zeros(size[::-1], np.uint8)
        path = [np.rint(_FINE * line).astype(np.int32)]
        cv2.polylines(mask, path, False, 255, round(_FINE * thickness), cv2.LINE_AA)
        image = _laid(image, paint.astype(np.float32), mask)
    noisy = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.4, 1.2)))
    noisy += rng.normal(0, rng.uniform(1, 6), image.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)


def _laid(image: FloatArray, paint: FloatArray, mask: Image) -> FloatArray:
    share = cv2.resize(mask, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)[..., None] / 255
    return image * (1 - share) + paint * share


def make_leaves(folder: Path, count: int, test_count: int, seed: int = 1) -> None:
    """Write the images, ``leaf.toml``, ``train.xml`` and ``test.xml`` into a folder.

    Raises
    ------
    EfldError
        It cannot be written.
    """
    write_text(folder / "leaf.toml", SCHEME)
    scheme = find_scheme(folder / "leaf.toml")
    parts = {"train": range(count), "test": range(count, count + test_count)}
    for part, numbers in parts.items():
        records = [_leaf(folder, scheme, number, seed) for number in numbers]
        write_xml(folder / f"{part}.xml", records, "Drawn leaves")


def _leaf(folder: Path, scheme: Scheme, number: int, seed: int) -> ImageRecord:
    image, points, box = draw_leaf(np.random.default_rng([seed, number]))
    path = folder / "images" / f"leaf{number:04d}.jpg"
    write_image(path, image)
    return ImageRecord(path, (FaceAnnotation(points, box, scheme),))


@click.command(help=__doc__)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("build/leaves"),
    show_default=True,
    help="Folder to write.",
)
@click.option("--train", type=click.IntRange(min=1), default=200, show_default=True)
@click.option("--test", type=click.IntRange(min=0), default=60, show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True)
def main(output: Path, train: int, test: int, seed: int) -> None:
    """Run the program."""
    try:
        make_leaves(output, train, test, seed)
    except EfldError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{output}: {train} leaves to train on, {test} to measure on", err=True)


if __name__ == "__main__":
    main()
