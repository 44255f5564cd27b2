"""``efld-dlib xml merge`` and ``split``: joining and parting dlib's XML files."""

from __future__ import annotations

from pathlib import Path

import click

from .options import SEED, NumberRange
from .xml_files import xml_argument

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
@click.option(
    "--by",
    type=click.Choice(["photograph", "picture"]),
    default="photograph",
    show_default=True,
    help="What is never parted: all that is cut from one photograph, or only each picture.",
)
def split(file: Path, train: Path, held_out: Path, fraction: float, seed: int, by: str) -> None:
    """Hold some photographs of a dlib XML file out.

    Pictures are of one photograph when their names say so: crops that `prepare` wrote (a face, its
    mirror image, its other samples), and faces numbered as in 134212_1.jpg and 134212_2.jpg. All
    pictures of a person in the folders of YTF and CFP are kept together too. The same seed holds
    out the same photographs. Everything dlib knows is kept, as by `merge`, and paths are made
    relative to the new files.

    \b
    Examples:
      efld-dlib xml split all.xml --train train.xml --held-out validation.xml
      efld-dlib xml split all.xml --train a.xml --held-out b.xml --fraction 0.5 --by picture
    """
    from ..xml.edit import split_imglab

    for count in split_imglab(file, train, held_out, fraction, seed, by):
        click.echo(count, err=True)
