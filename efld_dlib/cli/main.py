"""The click group, and what all commands have in common: errors, interruption, version."""

from __future__ import annotations

import errno
import os
import signal
import sys
from types import FrameType
from typing import Any

import click

from .. import __version__
from ..errors import EfldError, printable
from .benchmark import benchmark
from .detect import detect
from .detector import detector
from .evaluate import evaluate
from .model import model
from .prepare import prepare
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
        except MemoryError as error:
            raise _BadInput(printable(f"there is not enough memory ({error})")) from error
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise  # click ends quietly: whoever read the output has enough of it
            raise _BadInput(_told(error)) from error
        except KeyboardInterrupt:
            click.echo("\nInterrupted; nothing half-written was left behind.", err=True)
            ctx.exit(130)


def _told(error: OSError) -> str:
    name = "the output" if error.filename is None else error.filename
    return printable(f"{name}: {error.strerror or error}")


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


for command in (xml, prepare, train, detect, detector, evaluate, benchmark, table3, model):
    cli.add_command(command)
for command in (info, check, view, merge, split):
    xml.add_command(command)


def _interrupt(number: int, frame: FrameType | None) -> None:
    # Once: what is being tidied up must not be interrupted by the same impatience.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt


def main() -> None:
    """Entry point of `efld-dlib`."""
    # A polite kill gets the same orderly end as Ctrl-C: children stopped, temporary files removed.
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGINT, _interrupt)
    _open_streams()
    try:
        cli(prog_name="efld-dlib")
    except OSError as error:  # of --help and --version, which are no commands
        click.echo(f"Error: {_told(error)}", err=True)
        sys.exit(2)
    finally:
        # Everything is written or removed; what is left is Python's own end.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def _open_streams() -> None:
    """Give the process the streams that its caller closed, as in ``efld-dlib ... >&-``: without
    them the next file that is opened would take their place.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
            setattr(sys, name, open(number, "w" if number else "r", encoding="utf-8"))  # noqa: SIM115
