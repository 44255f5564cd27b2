"""``efld-dlib xml view``: a contact sheet of the faces in dlib's XML."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import DataError, OptionError, Problems
from .options import SEED, finish, warn
from .xml_files import xml_argument

if TYPE_CHECKING:
    from ..boxes import FloatArray
    from ..images import Image
    from ..records import FaceAnnotation, ImageRecord

ORDERS = ("file", "rarest", "worst", "random")


@click.command("view")
@xml_argument
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    help="Sheet to write: .png, .jpg and such, or .html (one page with the pictures in it).",
)
@click.option(
    "--order",
    type=click.Choice(ORDERS),
    default="file",
    show_default=True,
    help="As in the file; the rarest poses first; the least plausible landmarks first; at random.",
)
@click.option(
    "--limit", type=click.IntRange(1, 2000), default=48, show_default=True, help="Faces to show."
)
@click.option("--seed", type=SEED, default=1, show_default=True, help="Seed of --order random.")
@click.option(
    "--columns", type=click.IntRange(1, 50), default=8, show_default=True, help="Tiles in a row."
)
@click.option(
    "--size",
    type=click.IntRange(40, 1000),
    default=180,
    show_default=True,
    help="Side of a face's tile, in pixels.",
)
@click.pass_context
def view(
    ctx: click.Context,
    file: Path,
    output: Path,
    order: str,
    limit: int,
    seed: int,
    columns: int,
    size: int,
) -> None:
    """Show the faces of dlib's XML with their landmarks and boxes on one sheet.

    "rarest" goes by how few other faces have about the same yaw, pitch and roll; "worst" by the
    distance of the landmarks from the mean face in the same pose, in which wrong landmarks come
    before grimaces. Both know the 68 landmarks only. Copies of a face are shown once.

    \b
    Examples:
      efld-dlib xml view training_xml/train.xml -o sheet.png
      efld-dlib xml view train.xml -o worst.html --order worst --limit 200
    """
    from ..drawing import HTML_SUFFIXES, require_sheet_suffix, write_sheet
    from ..parallel import progress
    from ..xml.imglab import read_imglab
    from ..xml.stream import stated_scheme

    require_sheet_suffix(output)
    scheme = stated_scheme(file)
    if order in ("rarest", "worst") and scheme != "68":
        raise OptionError(f"--order {order} knows the 68 landmarks only; {file} has {scheme}")
    problems = Problems(report=warn)
    records = progress(read_imglab(file, scheme, problems), None, "entries")
    faces = [(record, number) for record in records for number in range(len(record.faces))]
    if not faces:
        raise DataError(file, "has no face to show")
    chosen = _chosen([record.faces[number] for record, number in faces], order, limit, seed)
    page = output.suffix.lower() in HTML_SUFFIXES
    tiles, captions = [], []
    for index, note in progress(chosen, len(chosen), "pictures"):
        record, number = faces[index]
        with problems.skipping():
            tiles.append(_tile(record, number, size))
            captions.append(_caption(record, number, note, page))
    if not tiles:
        raise DataError(file, "has no picture that can be shown")
    title = f"{file.name}: {len(tiles)} of {len(faces)} faces, order: {order}"
    write_sheet(output, tiles, captions, title, columns, size)
    click.echo(f"{output}: {len(tiles)} of {len(faces)} faces", err=True)
    finish(ctx, problems)


def _chosen(
    faces: Sequence[FaceAnnotation], order: str, limit: int, seed: int
) -> list[tuple[int, str]]:
    """Indices of the faces to show, in their order, each with a note for its caption."""
    import numpy as np

    if order == "file":
        return [(index, "") for index in range(min(limit, len(faces)))]
    if order == "random":
        chosen = np.random.default_rng(seed).permutation(len(faces))[:limit]
        return [(int(index), "") for index in chosen]
    if order == "rarest":
        return _rarest(faces, limit)
    from ..xml.info import implausibility

    scores = implausibility(np.array([face.points for face in faces]))
    return [(index, f"{scores[index]:.2f}") for index in _ascending(-scores, limit)]


def _rarest(faces: Sequence[FaceAnnotation], limit: int) -> list[tuple[int, str]]:
    from ..pose import face_poses
    from ..prepare.rarity import pose_density

    poses = face_poses(faces)
    return [
        (index, "{:+.0f} {:+.0f} {:+.0f}".format(*poses[index]))
        for index in _ascending(pose_density(poses), limit)
    ]


def _ascending(values: FloatArray, limit: int) -> list[int]:
    """Indices of the lowest values; what is not known (NaN) stands last, ties as in the file."""
    import numpy as np

    return [int(index) for index in np.argsort(values, kind="stable")[:limit]]


def _tile(record: ImageRecord, number: int, size: int) -> Image:
    from ..drawing import face_tile
    from ..images import read_image

    return face_tile(read_image(record.path), record.faces[number], size)


def _caption(record: ImageRecord, number: int, note: str, page: bool) -> str:
    # A page has room for the whole path as it stands in the XML.
    name = record.photograph if page else record.path.name
    face = f" #{number + 1}" if len(record.faces) > 1 else ""
    return f"{name}{face}{'  ' + note if note else ''}"
