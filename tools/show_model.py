"""Draw a model's landmarks on a picture: ``python -m tools.show_model MODEL.dat [FOLDER]``.

The picture is scikit-image's photograph of an astronaut (NASA, public domain), or, for a model that
was trained on synthetic faces, a face of the folder given as the second argument. A model of other
things than faces is shown on the data that --data names, in the boxes of the data.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
from skimage import data

from efld_dlib import Face, FaceLandmarker, open_dataset
from efld_dlib.drawing import draw_face, to_rgb, write_image
from efld_dlib.errors import EfldError
from efld_dlib.images import Image, read_image


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("folder", default="")
@click.option("--data", "source", default="", help="What it was trained on, for things.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="[default: beside MODEL]")
def main(model: Path, folder: str, source: str, output: Path | None) -> None:
    """Annotate a picture with MODEL: the astronaut, or the first of FOLDER with a face."""
    try:
        landmarker = FaceLandmarker(model)
        shown = (
            _faces(landmarker, folder) if landmarker.scheme.face else _things(landmarker, source)
        )
        picture, faces = next(((image, found) for image, found in shown if found), (None, []))
        if picture is None:
            raise click.ClickException("nothing was found in the pictures to show")
        drawn = to_rgb(picture)
        for face in faces:
            draw_face(drawn, face.points, face.box, face.pose, edges=face.scheme.edges)
        target = output or model.with_name(f"{model.stem}-preview.png")
        write_image(target, drawn)
    except EfldError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"annotated picture: {target}")


def _faces(landmarker: FaceLandmarker, folder: str) -> Iterator[tuple[Image, list[Face]]]:
    files = sorted(Path(folder).glob("*.jpg")) if folder else []
    for image in map(read_image, files) if folder else [data.astronaut()]:
        yield image, landmarker.detect(image, "rgb")


def _things(landmarker: FaceLandmarker, source: str) -> Iterator[tuple[Image, list[Face]]]:
    for record in open_dataset(source):
        image = read_image(record.path)
        boxes = [face.box for face in record.faces if face.box is not None]
        yield image, landmarker.landmarks(image, boxes, "rgb")


if __name__ == "__main__":
    main()
