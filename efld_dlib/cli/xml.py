"""``efld-dlib xml``: annotations as dlib's XML, and what is in such a file."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import DataError, OptionError, Problems
from . import options as common

if TYPE_CHECKING:
    from ..datasets.base import FolderCount
    from ..records import FaceAnnotation
    from ..xml.check import CheckReport


xml_argument = click.argument("file", type=common.PATH)
pictures_option = click.option(
    "--pictures/--no-pictures",
    default=True,
    help="Open the images too, to see whether dlib reads them and the boxes lie in them.",
)


@click.group()
def xml() -> None:
    """Annotations as the XML that dlib trains on: convert, check, look at, merge and split them.

    \b
    Examples:
      efld-dlib xml convert 300w/ -o 300w.xml
      efld-dlib xml check 300w.xml
      efld-dlib xml view 300w.xml -o sheet.png
    """


@xml.command()
@xml_argument
@common.json_option
@common.scheme_option
@pictures_option
@click.pass_context
def info(
    ctx: click.Context, file: Path, json_file: Path | None, scheme: str | None, pictures: bool
) -> None:
    """Count the images, faces, boxes, landmarks and poses in dlib's XML.

    Poses are those of the landmarks, in degrees: yaw > 0 to the image's right, pitch > 0 up,
    roll > 0 clockwise. Equal boxes of an image are copies of one face; statistics count it once.

    \b
    Examples:
      efld-dlib xml info training_xml/train.xml
      efld-dlib xml info train.xml --no-pictures -o train-info.json
    """
    from ..files import write_json
    from ..landmarks import find_scheme
    from ..tables import for_json
    from ..xml.info import describe, info_text
    from ..xml.read import read_xml, xml_scheme

    problems = Problems(report=common.warn)
    landmarks = xml_scheme(file) if scheme is None else find_scheme(scheme)
    records = read_xml(file, landmarks, problems)
    contents = describe(records, landmarks, pictures, show_progress=True)
    click.echo(f"{file}\n{info_text(contents)}")
    if json_file is not None:
        write_json(json_file, {"file": str(file), **for_json(contents)})
    common.finish(ctx, problems)


@xml.command()
@xml_argument
@common.scheme_option
@pictures_option
@click.option(
    "--most",
    type=common.POSITIVE,
    default=20,
    help="Largest number of problems of one kind to print; all are counted.",
)
@common.jobs_option
@click.pass_context
def check(
    ctx: click.Context, file: Path, scheme: str | None, pictures: bool, most: int, jobs: int | None
) -> None:
    """Find what dlib's trainer would stop at, or silently learn wrong.

    Looks at the XML as dlib's own parser takes it, at boxes and landmarks (sizes, places, left and
    right, names that sort wrongly), at paths, and reads each image with dlib. Does not stop at a
    problem. Problems go to stdout, one per line, the count to stderr.

    Exit code: 0 if nothing is wrong, 1 if something is, 2 if the file is not XML at all.

    \b
    Examples:
      efld-dlib xml check training_xml/train.xml
      efld-dlib xml check train.xml --no-pictures --most 1000 > problems.txt
    """
    from ..landmarks import find_scheme
    from ..xml.check import by_kind, check_xml

    landmarks = None if scheme is None else find_scheme(scheme)
    report = check_xml(file, landmarks, pictures, jobs, show_progress=True)
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
    found = common.counted(total, "problem") if total else "no problem"
    where = f"{report.pictures} pictures with {report.faces} faces"
    click.echo(f"{report.source}: {found} in {where}", err=True)


@xml.command()
@click.argument("files", nargs=-1, required=True, type=common.PATH)
@common.output_option
def merge(files: tuple[Path, ...], output: Path) -> None:
    """Join dlib XML files into one.

    An image that several files have stands once, with the boxes of all. A box that is the same in
    two files, to the last landmark, is taken once; boxes repeated within a file are weights and
    stay. Everything dlib knows is kept: labels, ignore, pose, angle and all other attributes, parts
    of any name, images without a box. XML comments are not. Paths are made relative to the new
    file.

    \b
    Examples:
      efld-dlib xml merge 300w.xml aflw.xml -o all.xml
      efld-dlib xml merge parts/*.xml -o training_xml/train.xml
    """
    from ..xml.edit import merge_xml

    written, shared, equal = merge_xml(files, output)
    click.echo(written, err=True)
    if shared:
        click.echo(
            f"{shared} entries were of pictures already there, {equal} of their boxes the same",
            err=True,
        )


@xml.command()
@xml_argument
@click.option("--train", required=True, type=common.PATH, help="XML file for training.")
@click.option("--held-out", required=True, type=common.PATH, help="XML file for the rest.")
@click.option(
    "--fraction",
    type=common.NumberRange(0, 1, min_open=True, max_open=True),
    default=0.1,
    help="Fraction of the photographs (or images) to hold out.",
)
@common.seed_option
def split(file: Path, train: Path, held_out: Path, fraction: float, seed: int) -> None:
    """Hold some photographs of a dlib XML file out.

    Images are of one photograph when their names say so: crops that `prepare` wrote (a face, its
    mirror image, its other samples), and faces numbered as in 134212_1.jpg and 134212_2.jpg. All
    images of a person in the folders of YTF and CFP are kept together too. The same seed holds out
    the same photographs. Everything dlib knows is kept, as by `merge`, and paths are made relative
    to the new files.

    \b
    Examples:
      efld-dlib xml split all.xml --train train.xml --held-out validation.xml
      efld-dlib xml split all.xml --train a.xml --held-out b.xml --fraction 0.5
    """
    from ..xml.edit import split_xml

    for part in split_xml(file, train, held_out, fraction, seed):
        click.echo(part, err=True)


@xml.command()
@xml_argument
@click.option("-o", "--output", required=True, type=common.FILE, help="TOML file to write.")
@click.option(
    "--mirror/--no-mirror",
    "confirmed",
    default=False,
    help="Use the proposed mirror pairs as they are, without looking.",
)
@click.pass_context
def scheme(ctx: click.Context, file: Path, output: Path, confirmed: bool) -> None:
    """Say what the points of dlib's XML are: their names, and which mirror each other.

    Writes a TOML file for the --scheme of the other commands, to edit, and a picture of the mean
    shape beside it. Which points take each other's place in a mirror image is proposed from that
    shape and stays a comment in the file until you uncomment it; without it nothing is mirrored.

    \b
    Examples:
      efld-dlib xml scheme leaves.xml -o leaf.toml
      efld-dlib xml scheme leaves.xml -o leaf.toml --mirror
    """
    from ..landmarks import find_scheme
    from ..xml.read import read_xml
    from ..xml.scheme import SYMMETRIC, write_scheme

    problems = Problems(report=common.warn)
    picture = output.with_suffix(".png")
    records = list(read_xml(file, problems=problems))
    found, off = write_scheme(records, output, picture, confirmed, file)
    pairs = sum(one < other for one, other in enumerate(found.mirror or ()))
    if found.mirror is None:
        said = f"not symmetric ({off:.0%} off, and {SYMMETRIC:.0%} are allowed): no mirror pairs"
    elif confirmed or find_scheme(output).mirror is not None:
        said = common.counted(pairs, "mirror pair")
    else:
        said = f"{common.counted(pairs, 'mirror pair')} proposed; look at {picture} and uncomment"
    click.echo(f"{output}: {common.counted(found.size, 'point')}, {said}")
    common.finish(ctx, problems)


@xml.command()
@xml_argument
@click.option(
    "-o",
    "--output",
    required=True,
    type=common.PATH,
    help="Sheet to write: .png, .jpg and such, or .html (one page with the images in it).",
)
@click.option(
    "--order",
    type=click.Choice(["file", "rarest", "worst", "random"]),
    default="file",
    help="Order of the faces: as in the file; the rarest poses first; the least plausible "
    "landmarks first; at random.",
)
@click.option(
    "--limit", type=click.IntRange(1, 2000), default=48, help="Largest number of faces to show."
)
@click.option(
    "--size", type=click.IntRange(40, 1000), default=180, help="Side of a face's tile, in pixels."
)
@common.scheme_option
@click.pass_context
def view(
    ctx: click.Context,
    file: Path,
    output: Path,
    order: str,
    limit: int,
    size: int,
    scheme: str | None,
) -> None:
    """Show the faces of dlib's XML with their landmarks and boxes on one sheet.

    "rarest" goes by how few other faces have about the same yaw, pitch and roll; "worst" by the
    distance of the landmarks from the mean face in the same pose, in which wrong landmarks come
    before grimaces, or of other things from their mean shape. Copies of a face are shown once.

    \b
    Examples:
      efld-dlib xml view training_xml/train.xml -o sheet.png
      efld-dlib xml view train.xml -o worst.html --order worst --limit 200
    """
    from ..drawing import HTML_SUFFIXES, face_tile, require_sheet_suffix, write_sheet
    from ..images import read_image
    from ..landmarks import find_scheme
    from ..parallel import progress
    from ..pose import has_pose
    from ..xml.read import read_xml, xml_scheme

    require_sheet_suffix(output)
    landmarks = xml_scheme(file) if scheme is None else find_scheme(scheme)
    if order == "rarest" and not has_pose(landmarks):
        raise OptionError(f"--order rarest goes by the pose, which {landmarks.title} does not tell")
    problems = Problems(report=common.warn)
    records = progress(read_xml(file, landmarks, problems), None, "entries")
    faces = [(record, number) for record in records for number in range(len(record.faces))]
    if not faces:
        raise DataError(file, "has no face to show")
    chosen = _chosen([record.faces[number] for record, number in faces], order, limit)
    tiles, captions = [], []
    for index, note in progress(chosen, len(chosen), "pictures"):
        record, number = faces[index]
        with problems.skipping():
            tiles.append(face_tile(read_image(record.path), record.faces[number], size))
            # A page has room for the whole path as it stands in the XML.
            page = output.suffix.lower() in HTML_SUFFIXES
            name = record.photograph if page else record.path.name
            of_several = f" #{number + 1}" if len(record.faces) > 1 else ""
            captions.append(f"{name}{of_several}{note}")
    if not tiles:
        raise DataError(file, "has no picture that can be shown")
    title = f"{file.name}: {len(tiles)} of {len(faces)} faces, order: {order}"
    write_sheet(output, tiles, captions, title, size=size)
    click.echo(f"{output}: {len(tiles)} of {len(faces)} faces", err=True)
    common.finish(ctx, problems)


def _chosen(faces: Sequence[FaceAnnotation], order: str, limit: int) -> list[tuple[int, str]]:
    """Indices of the faces to show, in their order, each with a note for its caption."""
    import numpy as np

    ranks = np.arange(len(faces))
    notes = [""] * len(faces)
    # What is not known (NaN) stands last, ties as in the file.
    if order == "random":
        ranks = np.random.default_rng(1).permutation(len(faces))
    elif order == "rarest":
        from ..pose import face_poses
        from ..prepare.rarity import pose_density

        poses = face_poses(faces)
        ranks = np.argsort(pose_density(poses), kind="stable")
        notes = ["  {:+.0f} {:+.0f} {:+.0f}".format(*pose) for pose in poses]
    elif order == "worst":
        from ..xml.info import implausibility

        scores = implausibility(np.array([face.points for face in faces]), faces[0].scheme)
        ranks = np.argsort(-scores, kind="stable")
        notes = [f"  {score:.2f}" for score in scores]
    return [(int(index), notes[index]) for index in ranks[:limit]]


@xml.command()
@click.argument("source", type=common.PATH)
@common.output_option
@click.option(
    "--subset",
    help="Subset of the data set: of 300w train (the default), test-common, test-challenging, "
    "test-full, or a folder in it such as helen/testset; of wflw train or test; of aflw19 train, "
    "test or test-frontal; of ytf train, test or all.",
)
@click.option(
    "--scheme",
    metavar="NAME|FILE.toml",
    help="The landmarks to write: aflw has 21, 68 or 19, aflw2000 68 or 21, wflw 98 or 68, 300w "
    "and imglab any [default: the first named; what an XML says].",
)
@click.option(
    "--pictures",
    type=common.PATH,
    help="Folder of the images, if they are not with the annotations (aflw, aflw19, merl-rav, "
    "cofw68, wflw).",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="Further option of a data set: hidden=drop leaves hidden landmarks of merl-rav out; "
    "boxes_mat=DIR is the folder of 300-W's official bounding_boxes_*.mat. May be repeated.",
)
@common.collects_problems
def convert(
    source: Path,
    output: Path,
    subset: str | None,
    scheme: str | None,
    pictures: Path | None,
    settings: tuple[str, ...],
    problems: Problems,
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
    from ..landmarks import FACE_68, find_scheme
    from ..xml.write import scheme_comment, write_xml

    dataset, root = find_dataset(source)
    asked = None if scheme is None else find_scheme(scheme)
    options = {"subset": subset, "pictures": pictures, **dict(map(common.split_setting, settings))}
    options = {name: value for name, value in options.items() if value is not None}
    counts: list[FolderCount] = []
    records = dataset.records(root, asked, problems, counts, **options)
    first = next(records, None)
    if first is None:
        raise DataError(root, f"has no usable {dataset.needs}")
    part = options.get("subset", dataset.options.get("subset"))
    title = f"{dataset.title} {part or ''}".strip()
    faces = first.faces
    comment = scheme_comment(FACE_68) if not faces or faces[0].scheme == FACE_68 else ""
    boxes = write_xml(output, chain([first], records), title, comment, problems)
    for count in counts:
        click.echo(str(count), err=True)
    click.echo(f"{output}: {boxes} faces", err=True)
