"""``efld-dlib xml``: annotations as dlib's XML, and what is in such a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import DataError, OptionError, Problems
from .options import (
    SEED,
    NumberRange,
    counted,
    finish,
    jobs_option,
    split_setting,
    strict_option,
    warn,
)

if TYPE_CHECKING:
    from ..boxes import FloatArray
    from ..datasets.base import FolderCount
    from ..images import Image
    from ..records import FaceAnnotation, ImageRecord
    from ..xml.check import CheckReport


xml_argument = click.argument("file", type=click.Path(path_type=Path))
scheme_option = click.option(
    "--scheme",
    help="Landmarks that the parts name: 68, 21 and so on [default: what the file says, else 68].",
)
pictures_option = click.option(
    "--pictures/--no-pictures",
    default=True,
    show_default=True,
    help="Open the pictures too, to see whether dlib reads them and the boxes lie in them.",
)


@click.command("info")
@xml_argument
@click.option("--json", "target", type=click.Path(path_type=Path), help="Write it as JSON too.")
@scheme_option
@pictures_option
@click.pass_context
def info(
    ctx: click.Context,
    file: Path,
    target: Path | None,
    scheme: str | None,
    pictures: bool,
) -> None:
    """Count the pictures, faces, boxes, landmarks and poses in dlib's XML.

    Poses are those of the landmarks, in degrees: yaw > 0 to the picture's right, pitch > 0 up,
    roll > 0 clockwise. Equal boxes of a picture are copies of one face; statistics count it once.

    \b
    Examples:
      efld-dlib xml info training_xml/train.xml
      efld-dlib xml info train.xml --no-pictures --json train-info.json
    """
    from ..files import write_json
    from ..xml.info import describe, info_text
    from ..xml.read import read_imglab, stated_scheme

    problems = Problems(report=warn)
    scheme = _known_scheme(scheme or stated_scheme(file))
    records = read_imglab(file, scheme, problems)
    contents = describe(records, scheme, pictures, show_progress=True)
    click.echo(f"{file}\n{info_text(contents)}")
    if target is not None:
        write_json(target, {"file": str(file), **_without_nan(asdict(contents))})
    finish(ctx, problems)


def _known_scheme(scheme: str) -> str:
    from ..errors import OptionError
    from ..landmarks import SCHEMES

    if scheme not in SCHEMES:
        raise OptionError(f"there is no scheme '{scheme}'; choose {', '.join(SCHEMES)}")
    return scheme


def _without_nan(value: object) -> dict[str, object]:
    """A dictionary with null for NaN, which JSON does not know, at any depth."""

    def clean(part: object) -> object:
        if isinstance(part, dict):
            return {key: clean(inner) for key, inner in part.items()}
        if isinstance(part, list):
            return [clean(inner) for inner in part]
        return None if part != part else part

    cleaned = clean(value)
    assert isinstance(cleaned, dict)
    return cleaned


@click.command("check")
@xml_argument
@scheme_option
@pictures_option
@click.option(
    "--most",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="Problems of one kind to print; all are counted.",
)
@jobs_option
@click.pass_context
def check(
    ctx: click.Context, file: Path, scheme: str | None, pictures: bool, most: int, jobs: int | None
) -> None:
    """Find what dlib's trainer would stop at, or silently learn wrong.

    Looks at the XML as dlib's own parser takes it, at boxes and landmarks (sizes, places, left and
    right, names that sort wrongly), at paths, and reads each picture with dlib. Goes on after a
    problem. Problems go to stdout, one a line, the count to stderr.

    Exit code: 0 if nothing is wrong, 1 if something is, 2 if the file is not XML at all.

    \b
    Examples:
      efld-dlib xml check training_xml/train.xml
      efld-dlib xml check train.xml --no-pictures --most 1000 > problems.txt
    """
    from ..xml.check import by_kind, check_imglab

    report = check_imglab(file, scheme, pictures, jobs, show_progress=True)
    for finding in by_kind(report.findings, most):
        click.echo(finding.error)
    if report.fatal is not None:
        raise report.fatal
    _summarise(report, most)
    if report.findings:
        ctx.exit(1)


def _summarise(report: CheckReport, most: int) -> None:
    from ..xml.check import KINDS, differing_parts

    for kind, count in report.kinds.most_common():
        hidden = f" ({count - most} not shown)" if count > most else ""
        click.echo(f"{count:>7}  {KINDS[kind]}{hidden}", err=True)
    if report.ignored:
        click.echo(f"Note: {report.ignored} boxes are ignored, as they ask to be.", err=True)
    differing = differing_parts(report)
    if differing:
        click.echo(f"Note: {differing}.", err=True)
    total = len(report.findings)
    found = counted(total, "problem") if total else "no problem"
    where = f"{report.pictures} pictures with {report.faces} faces"
    click.echo(f"{report.source}: {found} in {where}", err=True)


_file_type = click.Path(path_type=Path)


@click.command("merge")
@click.argument("files", nargs=-1, required=True, type=_file_type)
@click.option("-o", "--output", required=True, type=_file_type, help="XML file to write.")
def merge(files: tuple[Path, ...], output: Path) -> None:
    """Join dlib XML files into one.

    A picture that several of them have stands once, with the boxes of all. A box that is the same
    in two files, to the last landmark, is taken once; boxes repeated within a file are weights and
    stay. Everything dlib knows is kept: labels, ignore, pose, angle and all other attributes, parts
    of any name, pictures without a box. XML comments are not. Paths are made relative to the
    new file.

    \b
    Examples:
      efld-dlib xml merge 300w.xml aflw.xml -o all.xml
      efld-dlib xml merge parts/*.xml -o training_xml/train.xml
    """
    from ..xml.edit import merge_imglab

    report = merge_imglab(files, output)
    click.echo(report.written, err=True)
    if report.shared_pictures:
        click.echo(
            f"{report.shared_pictures} entries were of pictures already there, "
            f"{report.equal_boxes} of their boxes the same",
            err=True,
        )


@click.command("split")
@xml_argument
@click.option("--train", required=True, type=_file_type, help="XML file of what is trained on.")
@click.option("--held-out", required=True, type=_file_type, help="XML file of the rest.")
@click.option(
    "--fraction",
    type=NumberRange(0, 1, min_open=True, max_open=True),
    default=0.1,
    show_default=True,
    help="Of the photographs (or pictures) to hold out.",
)
@click.option("--seed", type=SEED, default=1, show_default=True, help="Seed of the choice.")
def split(file: Path, train: Path, held_out: Path, fraction: float, seed: int) -> None:
    """Hold some photographs of a dlib XML file out.

    Pictures are of one photograph when their names say so: crops that `prepare` wrote (a face, its
    mirror image, its other samples), and faces numbered as in 134212_1.jpg and 134212_2.jpg. All
    pictures of a person in the folders of YTF and CFP are kept together too. The same seed holds
    out the same photographs. Everything dlib knows is kept, as by `merge`, and paths are made
    relative to the new files.

    \b
    Examples:
      efld-dlib xml split all.xml --train train.xml --held-out validation.xml
      efld-dlib xml split all.xml --train a.xml --held-out b.xml --fraction 0.5
    """
    from ..xml.edit import split_imglab

    for count in split_imglab(file, train, held_out, fraction, seed):
        click.echo(count, err=True)


COLUMNS = 8
"""Faces in a row of a sheet."""

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
    from ..xml.read import read_imglab, stated_scheme

    require_sheet_suffix(output)
    scheme = stated_scheme(file)
    if order in ("rarest", "worst") and scheme != "68":
        raise OptionError(f"--order {order} knows the 68 landmarks only; {file} has {scheme}")
    problems = Problems(report=warn)
    records = progress(read_imglab(file, scheme, problems), None, "entries")
    faces = [(record, number) for record in records for number in range(len(record.faces))]
    if not faces:
        raise DataError(file, "has no face to show")
    chosen = _chosen([record.faces[number] for record, number in faces], order, limit)
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
    write_sheet(output, tiles, captions, title, COLUMNS, size)
    click.echo(f"{output}: {len(tiles)} of {len(faces)} faces", err=True)
    finish(ctx, problems)


def _chosen(faces: Sequence[FaceAnnotation], order: str, limit: int) -> list[tuple[int, str]]:
    """Indices of the faces to show, in their order, each with a note for its caption."""
    import numpy as np

    if order == "file":
        return [(index, "") for index in range(min(limit, len(faces)))]
    if order == "random":
        chosen = np.random.default_rng(1).permutation(len(faces))[:limit]
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


@click.group()
def xml() -> None:
    """Annotations as the XML that dlib trains on: convert, check, look at, merge and split them.

    \b
    Examples:
      efld-dlib xml convert 300w/ -o 300w.xml
      efld-dlib xml check 300w.xml
      efld-dlib xml view 300w.xml -o sheet.png
    """


@click.command("convert")
@click.argument("source", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="XML file to write."
)
@click.option(
    "--subset",
    help="Part of the data set: of 300w train (the default), test-common, test-challenging, "
    "test-full, or a folder in it such as helen/testset; of wflw train or test; of aflw19 train, "
    "test or test-frontal; of ytf train, test or all.",
)
@click.option(
    "--scheme",
    help="Landmarks to write, by their number: aflw has 21, 68 or 19, aflw2000 68 or 21, wflw 98 "
    "or 68, imglab any [default: the first named].",
)
@click.option(
    "--pictures",
    type=click.Path(path_type=Path),
    help="Folder of the images, if they are not with the annotations (aflw, aflw19, merl-rav, "
    "cofw68, wflw).",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="Further options of a data set: hidden=drop leaves hidden landmarks of merl-rav out; "
    "boxes_mat=DIR is the folder of 300-W's official bounding_boxes_*.mat.",
)
@strict_option
@click.pass_context
def convert(
    ctx: click.Context,
    source: Path,
    output: Path,
    subset: str | None,
    scheme: str | None,
    pictures: Path | None,
    settings: tuple[str, ...],
    strict: bool,
) -> None:
    """Write the annotations of SOURCE as dlib XML.

    SOURCE is a 300-W tree or another folder of images with .pts files, an XML file (checked, and
    what is usable is written again), or NAME:PATH. A face without a box gets the tight box of its
    landmarks; `efld-dlib prepare` finds the detector's.

    \b
    Names:
      300w            300-W, or any folder of images with .pts files beside them
      aflw            AFLW from its aflw.sqlite
      aflw2000        AFLW2000-3D from its .mat files
      aflw19          AFLW-19 from its AFLWinfo_release.mat
      merl-rav        MERL-RAV: AFLW's faces with 68 landmarks and their visibility
      cofw68          COFW-68: occluded faces, their images as 1.png, 2.png, ...
      wflw            WFLW from its list_98pt_rect_attr_*.txt
      facesynthetics  FaceSynthetics: rendered faces
      ytf             YouTube Faces: frames of videos, non-commercial research only
      cfp             CFP: profiles, 30 of the 68 landmarks, non-commercial research only
      imglab          a dlib XML file

    \b
    Examples:
      efld-dlib xml convert 300w/ --subset helen/testset -o helen-test.xml
      efld-dlib xml convert aflw:aflw/ --scheme 68 -o aflw68.xml
      efld-dlib xml convert merl-rav:labels/ --pictures flickr/ --set hidden=drop -o visible.xml
      efld-dlib xml convert old.xml -o checked.xml
    """
    from ..datasets.registry import find_dataset
    from ..xml.write import scheme_comment, write_imglab

    dataset, root = find_dataset(source)
    given = dict(split_setting(text) for text in settings)
    options = {"subset": subset, "pictures": pictures, **given}
    options = {name: value for name, value in options.items() if value is not None}
    problems = Problems(strict, warn)
    counts: list[FolderCount] = []
    records = dataset.records(root, scheme, problems, counts, **options)
    first = next(records, None)
    if first is None:
        raise DataError(root, f"has no usable {dataset.needs}")
    part = options.get("subset", dataset.options.get("subset"))
    title = f"{dataset.title} {part or ''}".strip()
    comment = scheme_comment(scheme or dataset.schemes[0])
    boxes = write_imglab(output, chain([first], records), title, comment, problems)
    for count in counts:
        click.echo(str(count), err=True)
    click.echo(f"{output}: {boxes} faces", err=True)
    finish(ctx, problems)


for command in (convert, info, check, view, merge, split):
    xml.add_command(command)
