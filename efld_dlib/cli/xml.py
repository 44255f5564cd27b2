"""``efld-dlib xml``: data sets to dlib's XML, one command a line of the table of data sets."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import DataError, Problems
from .options import finish, strict_option, warn
from .xml_edit import merge, split
from .xml_files import check, info
from .xml_view import view

if TYPE_CHECKING:
    from ..datasets.base import DataSet, FolderCount, ReaderOption


class _DataSetCommands(click.Group):
    """Makes its commands when they are asked for, since the readers take a while to import."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        from ..datasets.registry import DATASETS

        return [*DATASETS, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        from ..datasets.registry import DATASETS

        if cmd_name in DATASETS:
            return _command(DATASETS[cmd_name])
        return super().get_command(ctx, cmd_name)


@click.group(cls=_DataSetCommands)
def xml() -> None:
    """Turn a data set's annotations into the XML that dlib trains on.

    The commands named after a data set write such a file; the others work on one.

    \b
    Examples:
      efld-dlib xml 300w 300w/ -o 300w.xml
      efld-dlib xml check 300w.xml
      efld-dlib xml view 300w.xml -o sheet.png
    """


for command in (info, check, view, merge, split):
    xml.add_command(command)


def _command(dataset: DataSet) -> click.Command:
    @click.pass_context
    def convert(ctx: click.Context, /, **arguments: Any) -> None:
        _convert(ctx, dataset, **arguments)

    command = click.command(dataset.name, help=_help(dataset), short_help=dataset.help.rstrip("."))(
        convert
    )
    parameters: list[click.Parameter] = [
        click.Argument(["root"], type=click.Path(path_type=Path)),
        click.Option(
            ["-o", "--output"], required=True, type=click.Path(path_type=Path), help="XML file."
        ),
        *(_option(option) for option in dataset.options),
    ]
    if len(dataset.schemes) > 1:
        parameters.append(
            click.Option(
                ["--scheme"],
                type=click.Choice(dataset.schemes),
                default=dataset.default_scheme,
                show_default=True,
                help="Which landmarks, by their number.",
            )
        )
    command.params[:0] = parameters
    return strict_option(command)


def _help(dataset: DataSet) -> str:
    examples = "\n".join(f"  efld-dlib xml {dataset.name} {text}" for text in dataset.examples)
    return (
        f"{dataset.help}\n\nA face without a box gets the tight box of its landmarks; "
        f"`efld-dlib prepare` finds the detector's.\n\n\b\nExamples:\n{examples}"
    )


def _option(option: ReaderOption) -> click.Option:
    kind: Any = click.STRING if option.default is not None else click.Path(path_type=Path)
    if option.choices:
        kind = click.Choice(option.choices)
    return click.Option(
        [f"--{option.name.replace('_', '-')}"],
        type=kind,
        default=option.default,
        show_default=option.default is not None,
        help=option.help,
    )


def _convert(
    ctx: click.Context,
    dataset: DataSet,
    root: Path,
    output: Path,
    strict: bool,
    scheme: str | None = None,
    **options: Any,
) -> None:
    from ..xml.imglab import scheme_comment, write_imglab

    problems = Problems(strict, warn)
    counts: list[FolderCount] = []
    records = dataset.records(root, scheme, problems, counts, **options)
    first = next(records, None)
    if first is None:
        raise DataError(root, f"has no usable {dataset.needs}")

    title = f"{dataset.title} {options.get('subset', '')}".strip()
    comment = scheme_comment(scheme or dataset.default_scheme)
    boxes = write_imglab(output, chain([first], records), title, comment, problems)
    for count in counts:
        click.echo(str(count), err=True)
    click.echo(f"{output}: {boxes} faces", err=True)
    finish(ctx, problems)
