"""A click group whose commands are imported when they are called."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click


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

    def __init__(self, *, lazy: Mapping[str, str], **attributes: Any) -> None:
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
