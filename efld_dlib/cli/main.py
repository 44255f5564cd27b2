"""The program itself: its commands, the errors that it prints, and its signals."""

from __future__ import annotations

import errno
import os
import signal
import sys
from importlib import import_module
from types import FrameType
from typing import Any

import click

from ..errors import EfldError, printable

COMMANDS = ("detect", "evaluate", "extract", "model", "network", "prepare", "train", "video", "xml")
"""Each command: a module here, and the object of that name in it."""

SETTINGS = {"help_option_names": ["-h", "--help"], "show_default": True}
"""What click passes on from the program to all its commands."""


class _BadInput(click.ClickException):
    """An `EfldError` as click shows it: one line, exit code 2."""

    exit_code = 2


class Commands(click.Group):
    """A group that prints an error in one line."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except EfldError as error:
            raise _BadInput(str(error)) from error
        except MemoryError as error:
            raise _BadInput(printable(f"there is not enough memory ({error})")) from error
        except ImportError as error:
            raise _BadInput(_import_error_message(error)) from error
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise  # click ends quietly: whoever read the output has enough of it
            raise _BadInput(_os_error_message(error)) from error
        except KeyboardInterrupt:
            click.echo("\nInterrupted; nothing half-written was left behind.", err=True)
            ctx.exit(130)


class LazyCommands(Commands):
    """Imports the module of a command when the command is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(f".{cmd_name}", __package__), cmd_name)
        return command


def _os_error_message(error: OSError) -> str:
    name = "the output" if error.filename is None else error.filename
    return printable(f"{name}: {error.strerror or error}")


def _import_error_message(error: ImportError) -> str:
    advice = ""
    if error.name == "cv2":
        advice = (
            "; without a screen take 'pip install opencv-python-headless' for opencv-python, "
            "or install the system's libraries (Debian: libgl1, libglib2.0-0, libxcb1)"
        )
    return printable(f"a package cannot be loaded ({error}){advice}")


@click.group(cls=LazyCommands, context_settings=SETTINGS)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=lambda ctx, parameter, value: _show_versions(ctx) if value else None,
    help="Show the versions of efld-dlib and of the packages it computes with, and exit.",
)
def cli() -> None:
    """Facial landmarks with dlib: from annotated images to a trained shape predictor, and from
    images to 68 points, head pose and geometric features.

    \b
    Examples:
      efld-dlib detect photo.jpg --annotate annotated/
      efld-dlib extract photos/ -o features.csv
      efld-dlib video talk.mp4 -o talk-landmarks.mp4
      efld-dlib prepare 300w/ -o training_xml
      efld-dlib train training_xml -o build/efld.dat
      efld-dlib evaluate build/efld.dat 300w/
    """


def _show_versions(ctx: click.Context) -> None:
    from ..evaluation.machine import versions

    own, *others = (f"{name} {version}" for name, version in versions().items())
    click.echo(f"{own.replace('efld_dlib', 'efld-dlib')} ({', '.join(others)})")
    ctx.exit()


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
    # OpenCV reads this when it is loaded: what it has to say of a damaged file is said by our own
    # message.
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    try:
        cli(prog_name="efld-dlib")
    except OSError as error:  # of --help and --version, which are no commands
        click.echo(f"Error: {_os_error_message(error)}", err=True)
        sys.exit(2)
    finally:
        # Everything is written or removed; what is left is Python's own end.
        _forget_lost_output()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def _forget_lost_output() -> None:
    """Keep Python from trying once more, at its end, to write what a full disk or a closed pipe did
    not take, and from complaining of it after the error that was already told.
    """
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


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
