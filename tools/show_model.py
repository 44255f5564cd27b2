"""Draw a model's landmarks on a picture: ``python -m tools.show_model MODEL.dat [FOLDER]``.

The picture is scikit-image's photograph of an astronaut (NASA, public domain), or, for a model that
was trained on synthetic faces, a face of the folder given as the second argument.
"""

from __future__ import annotations

from pathlib import Path

import click
from skimage import data

from efld_dlib import FaceLandmarker
from efld_dlib.drawing import draw_face, to_rgb, write_image
from efld_dlib.errors import EfldError
from efld_dlib.images import read_image


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("folder", default="")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="[default: beside MODEL]")
def main(model: Path, folder: str, output: Path | None) -> None:
    """Annotate a picture with MODEL: the astronaut, or the first of FOLDER with a face."""
    try:
        landmarker = FaceLandmarker(model)
        pictures = (
            [read_image(path) for path in sorted(Path(folder).glob("*.jpg"))]
            if folder
            else [data.astronaut()]
        )
        for picture in pictures:
            faces = landmarker.detect(picture, "rgb")
            if faces:
                break
        else:
            raise click.ClickException("no face was found in the pictures to show")
        drawn = to_rgb(picture)
        for face in faces:
            draw_face(drawn, face.points, face.box, face.pose)
        target = output or model.with_name(f"{model.stem}-preview.png")
        write_image(target, drawn)
    except EfldError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"annotated picture: {target}")


if __name__ == "__main__":
    main()
