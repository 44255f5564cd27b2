"""Make synthetic faces with exact landmarks and pose, in 300-W's layout.

With them the whole project runs and is tested without a download. With the same versions of OpenCV
and numpy, the same options give the same bytes. A folder that already holds what is asked for is
left alone.
"""

from __future__ import annotations

from pathlib import Path

import click

from efld_dlib.errors import EfldError
from efld_dlib.parallel import progress, resolve_jobs
from tools.sample.folder import Plan, is_complete, make_folder


def make_sample(folder: Path, plan: Plan, jobs: int | None = None, show: bool = False) -> bool:
    """Make the sample of `plan` in `folder`, unless it is there already.

    Parameters
    ----------
    folder : path
        Where it goes; it appears there whole or not at all.
    plan : Plan
        Number of faces, and seed.
    jobs : int, optional
        Number of processes; by default one a core.
    show : bool
        Show a progress bar on stderr.

    Returns
    -------
    bool
        Whether there was anything to do.

    Raises
    ------
    EfldError
        `folder` holds something else or cannot be written, or `jobs` is below 1.
    """
    if is_complete(folder, plan):
        return False
    count = plan.faces + plan.test_faces
    make_folder(
        folder,
        plan,
        resolve_jobs(jobs),
        watch=lambda faces: progress(faces, count, "faces", show),
    )
    return True


@click.command(help=__doc__)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("build/sample"),
    show_default=True,
    help="Folder to write; a sample that is there is replaced.",
)
@click.option(
    "--faces", type=click.IntRange(min=0), default=300, show_default=True, help="For training."
)
@click.option(
    "--test-faces",
    type=click.IntRange(min=0),
    default=60,
    show_default=True,
    help="For the test, in helen/testset.",
)
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True)
@click.option("-j", "--jobs", type=int, help="Processes. [default: one a core]")
def main(output: Path, faces: int, test_faces: int, seed: int, jobs: int | None) -> None:
    """Run the program."""
    try:
        made = make_sample(output, Plan(faces, test_faces, seed), jobs, show=True)
    except EfldError as error:
        click.echo(f"error: {error}", err=True)
        raise SystemExit(2) from error
    what = f"{faces} faces for training and {test_faces} for the test, seed {seed}"
    click.echo(f"{output}: {what}{'' if made else ' (already there)'}", err=True)


if __name__ == "__main__":
    main()
