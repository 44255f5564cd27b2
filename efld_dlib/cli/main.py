"""A click group whose commands are imported when they are called."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Mapping
from importlib import import_module
from types import FrameType, MappingProxyType
from typing import Any

import click

from ..errors import EfldError, printable
from ..picture_size import MAX_PIXELS


class LazyGroup(click.Group):
    """Imports the module of a command when the command is needed, and not for the list of them.

    Parameters
    ----------
    lazy : mapping of str to str
        Name of each command, and how its help begins. The command is the object of that name, with
        _ for -, in the module of that name beside this one.
    **attributes
        As of `click.Group`.
    """

    def __init__(
        self, *, lazy: Mapping[str, str] = MappingProxyType({}), **attributes: Any
    ) -> None:
        super().__init__(**attributes)
        self.lazy = dict(lazy)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *self.lazy})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.lazy:
            return super().get_command(ctx, cmd_name)
        name = cmd_name.replace("-", "_")
        command = getattr(import_module(f".{name}", __package__), name)
        assert isinstance(command, click.Command), f"{cmd_name} is no command"
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        # Stand-ins, with the help that the table has, are listed as the commands would be.
        stand_ins = [click.Command(name, help=text) for name, text in self.lazy.items()]
        everything = {**self.commands, **{str(each.name): each for each in stand_ins}}
        click.Group(commands=everything).format_commands(ctx, formatter)


COMMANDS = {
    "detect": "Find faces in IMAGES: files, folders, globs, or - for a picture on stdin",
    "evaluate": "Measure one or more MODELs on each DATA",
    "extract": "Write the faces of INPUTS into one table: files, folders, globs, or @FILE",
    "model": "Model files: dlib's .dat, and .efld, which holds the same in a twentieth",
    "network": "The light networks that find faces and say roughly where their landmarks lie",
    "prepare": "Make training_xml/ of SOURCES: 300-W trees, folders with .pts files",
    "train": "Train a shape predictor with dlib's trainer",
    "video": "Follow the faces of SRC: a video file, the address of a stream",
    "xml": "Annotations as the XML that dlib trains on: convert, check, look at, merge",
}
"""Each command, a module and an object in it of that name, and how its help begins. A new
command is a new line here."""


class _BadInput(click.ClickException):
    """An `EfldError` as click shows it: one line, exit code 2."""

    exit_code = 2


class Commands(LazyGroup):
    """A group whose errors are told in one line."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except EfldError as error:
            raise _BadInput(str(error)) from error
        except MemoryError as error:
            raise _BadInput(printable(f"there is not enough memory ({error})")) from error
        except ImportError as error:
            raise _BadInput(_unloadable(error)) from error
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


def _unloadable(error: ImportError) -> str:
    advice = ""
    if error.name == "cv2":
        advice = (
            "; without a screen take 'pip install opencv-python-headless' for opencv-python, "
            "or install the system's libraries (Debian: libgl1, libglib2.0-0, libxcb1)"
        )
    return printable(f"a package cannot be loaded ({error}){advice}")


@click.group(cls=Commands, lazy=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=lambda ctx, parameter, value: _show_versions(ctx) if value else None,
    help="Show the versions of efld-dlib and of what it computes with, and exit.",
)
def cli() -> None:
    """Facial landmarks with dlib: from annotated pictures to a trained shape predictor, and from
    photographs to 68 points, head pose and geometric features.

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
    # OpenCV reads these when it is loaded: formats whose heads we do not know have the same limit,
    # and what it has to say of a damaged file is said by our own message.
    os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(MAX_PIXELS))
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    try:
        cli(prog_name="efld-dlib")
    except OSError as error:  # of --help and --version, which are no commands
        click.echo(f"Error: {_told(error)}", err=True)
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
