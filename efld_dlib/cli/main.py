"""The click group, and what all commands have in common: errors, interruption, version."""

from __future__ import annotations

import signal
import sys
from types import FrameType
from typing import Any

import click

from .. import __version__
from ..errors import EfldError
from .benchmark import benchmark
from .detect import detect
from .detector import detector
from .detector_speed import speed
from .evaluate import evaluate
from .model import model
from .prepare import prepare
from .profile import profile
from .table3 import table3
from .train import train
from .xml import xml
from .xml_edit import merge, split
from .xml_files import check, info
from .xml_view import view


class _BadInput(click.ClickException):
    """An `EfldError` as click shows it: one line, exit code 2."""

    exit_code = 2


class _Group(click.Group):
    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except EfldError as error:
            raise _BadInput(str(error)) from error
        except KeyboardInterrupt:
            click.echo("\nInterrupted; nothing half-written was left behind.", err=True)
            ctx.exit(130)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="efld-dlib")
def cli() -> None:
    """Facial landmarks with dlib: from annotated pictures to a trained shape predictor, and from
    photographs to 68 points, head pose and geometric features.

    \b
    Examples:
      efld-dlib detect photo.jpg --annotate annotated/
      efld-dlib prepare 300w/ -o training_xml
      efld-dlib train training_xml -o build/efld.dat
      efld-dlib evaluate build/efld.dat 300w/ --subset test-common
    """


for command in (xml, prepare, train, detect, detector, evaluate, benchmark, profile, table3, model):
    cli.add_command(command)
for command in (info, check, view, merge, split):
    xml.add_command(command)
detector.add_command(speed)


def _on_terminate(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main() -> None:
    """Entry point of `efld-dlib`."""
    # A polite kill gets the same orderly end as Ctrl-C: children stopped, temporary files removed.
    signal.signal(signal.SIGTERM, _on_terminate)
    cli(prog_name="efld-dlib")
    sys.exit(0)
