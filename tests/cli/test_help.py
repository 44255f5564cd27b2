"""What ``--help`` says of each command: its examples are calls that the program understands."""

from __future__ import annotations

import re
import shlex

import click
import pytest
from click.testing import CliRunner

from efld_dlib.cli.main import cli

PROGRAM = "efld-dlib"


def commands(command, words=()):
    """Every command and group, with the words that call it."""
    yield words, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            yield from commands(command.get_command(context, name), (*words, name))


ALL = dict(commands(cli))
EVERY_COMMAND = pytest.mark.parametrize("words", ALL, ids=lambda words: " ".join((PROGRAM, *words)))


def help_of(words):
    result = CliRunner().invoke(cli, [*words, "--help"], prog_name=PROGRAM)
    assert result.exit_code == 0, result.output
    return result.stdout


def examples_in(text):
    """The lines of the block of examples, those that go on in the next one joined to it."""
    (block,) = re.findall(r"^  Examples?:\n((?:    .*\n)+)", text, re.MULTILINE)
    return [line.strip() for line in block.replace("\\\n", " ").splitlines()]


def arguments_of(line):
    """What the shell gives to the program in one example."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|>")
    lexer.whitespace_split = True
    words = list(lexer)
    words = words[words.index(PROGRAM) + 1 :]
    end = next((place for place, word in enumerate(words) if set(word) <= set("|>")), len(words))
    return words[:end]


def parsed(arguments):
    """The words of the command that is called, whose arguments click's own parser takes."""
    command, context, called = cli, click.Context(cli, info_name=PROGRAM), ()
    while isinstance(command, click.Group):
        _, arguments, _ = command.make_parser(context).parse_args(list(arguments))
        name, *arguments = arguments
        command = command.get_command(context, name)
        assert command is not None, f"{name} is no command"
        called = (*called, name)
        if isinstance(command, click.Group):
            context = click.Context(command, parent=context, info_name=name)
    # Parses the arguments and converts them to their types, and calls nothing.
    command.make_context(name, arguments, parent=context)
    return called


@EVERY_COMMAND
def test_every_command_helps_with_examples_that_it_understands(words, tmp_path, monkeypatch):
    # In an empty folder no argument of an example is a file.
    monkeypatch.chdir(tmp_path)
    for line in examples_in(help_of(words)):
        called = parsed(arguments_of(line))
        assert called[: len(words)] == words, line


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ("detect photo.jpg --anotate dir/", "No such option.*--anotate"),
        ("detect", "images"),
        ("train --preset gigantic", "gigantic"),
        ("model expand faces.efld more.efld -o faces.dat", "unexpected extra argument"),
    ],
)
def test_what_is_no_call_does_not_pass_for_an_example(arguments, complaint):
    with pytest.raises(click.UsageError, match=complaint):
        parsed(arguments.split())


@EVERY_COMMAND
def test_the_help_is_of_signs_that_every_terminal_can_show(words):
    text = help_of(words)
    assert text.isascii()
    assert "\b" not in text


@EVERY_COMMAND
def test_every_option_says_what_it_is(words):
    options = [each for each in ALL[words].params if isinstance(each, click.Option)]
    assert [each.name for each in options if not each.help] == []


def test_the_help_of_prepare_names_what_there_is_to_choose():
    from efld_dlib.prepare.augment import AUGMENTATIONS, PRESETS, parse_augmentation
    from efld_dlib.prepare.build import PrepareOptions
    from efld_dlib.prepare.rarity import WEIGHTINGS, Weighting, parse_weighting

    options = {each.name: each for each in ALL["prepare",].params}
    augmentation, weighting = options["augmentation"], options["weighting"]
    assert f"({', '.join(PRESETS)})" in augmentation.help
    assert f"({', '.join(AUGMENTATIONS)})" in augmentation.help
    assert all(name in weighting.help for name in WEIGHTINGS)
    usual = Weighting()
    assert f"({usual.gamma:g} if not given)" in weighting.help
    assert f"({usual.cap:g} if not given)" in weighting.help
    # Without options, the command line does what the library does.
    usual = PrepareOptions()
    assert parse_augmentation(augmentation.default) == usual.augmentation
    assert parse_weighting(weighting.default) == usual.weighting
    assert {
        name: options[name].default for name in ("mirror", "variants", "validation", "seed")
    } == {name: getattr(usual, name) for name in ("mirror", "variants", "validation", "seed")}
