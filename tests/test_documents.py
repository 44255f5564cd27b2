"""What the documents name exists: commands with their options, modules, make targets, links."""

import re
import shlex
from pathlib import Path

import click
import pytest

from efld_dlib.cli.main import cli
from tools.benchmarks.__main__ import benchmarks

PROGRAMS = {"efld-dlib ": cli, "python -m tools.benchmarks ": benchmarks}
ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [
    *(ROOT / f"{name}.md" for name in ("README", "CHANGELOG", "CONTRIBUTING", "SECURITY")),
    *sorted(ROOT.glob("docs/*.md")),
    ROOT / "training_xml" / "README.md",
    ROOT / "efld_dlib" / "data" / "model" / "LICENCE.md",
]
FENCED = re.compile(r"^```[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
MODULE = re.compile(r"python -m ((?:tools|tests)(?:\.\w+)*)")
FILE = re.compile(r"(?:efld_dlib|tools|tests|docs)/[\w./-]+\.\w+")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def name_of(document):
    return document.relative_to(ROOT).as_posix()


def text_of(document):
    return document.read_text(encoding="utf-8")


def fenced_lines(document):
    """Lines of the fenced blocks, without a prompt; one that a backslash continues is one."""
    for block in FENCED.findall(text_of(document)):
        for line in block.replace("\\\n", " ").splitlines():
            yield line.removeprefix("$ ")


def prose(document):
    return FENCED.sub("", text_of(document))


def words_of(line):
    """Words of a shell's line, up to a pipe, a redirection, another command or a comment."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words = []
    for word in lexer:
        if set(word) <= set(lexer.punctuation_chars):
            break
        words.append(word)
    return words


def commands():
    for document in DOCUMENTS:
        for line in fenced_lines(document):
            for start, group in PROGRAMS.items():
                words = words_of(line) if line.startswith(start) else []
                # An abbreviated one is not for typing.
                if words and not any("..." in word or "…" in word for word in words):
                    given = words[len(start.split()) :]
                    yield pytest.param(group, given, id=f"{name_of(document)}: {' '.join(words)}")


def parse(words, command=cli):
    """What click makes of the words of a command, which is not run; as `click.UsageError`."""
    names = []
    while isinstance(command, click.Group):
        names.append(words[0])
        found = command.get_command(click.Context(command), words[0])
        if found is None:
            raise click.UsageError(f"no command {' '.join(names)}")
        command, words = found, words[1:]
    return command.make_context(" ".join(names), list(words))


@pytest.fixture
def any_path(monkeypatch):
    """Every path will do: the documents' files are placeholders."""
    monkeypatch.setattr(click.Path, "convert", lambda self, value, param, ctx: Path(value))
    monkeypatch.setattr(click.File, "convert", lambda self, value, param, ctx: value)


@pytest.mark.parametrize(("group", "words"), list(commands()))
def test_a_command_is_one_that_the_command_line_takes(group, words, any_path):
    parse(words, group)


@pytest.mark.parametrize(
    "line",
    [
        "efld-dlib detekt photo.jpg",
        "efld-dlib model shrink a.dat",
        "efld-dlib detect photo.jpg --colour",
        "efld-dlib detect photo.jpg --quality finest",
        "efld-dlib train xml --preset tiny  # quick",
        "efld-dlib model expand a.efld > a.dat",
    ],
)
def test_a_command_that_the_command_line_does_not_take_is_noticed(line, any_path):
    with pytest.raises(click.UsageError):
        parse(words_of(line)[1:])


def test_lines_are_read_as_a_shell_reads_them():
    line = 'efld-dlib detect "a b/*.jpg" --features 36-45/30-48 | head -3  # the first'
    assert words_of(line)[2:] == ["a b/*.jpg", "--features", "36-45/30-48"]


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_modules_and_files_exist(document):
    text = text_of(document)
    paths = [ROOT.joinpath(*name.split(".")) for name in MODULE.findall(text)]
    missing = [
        path.relative_to(ROOT).as_posix()
        for path in paths
        if not path.with_suffix(".py").is_file() and not (path / "__main__.py").is_file()
    ]
    missing += [name for name in FILE.findall(text) if not (ROOT / name).is_file()]
    assert not missing


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_make_has_the_targets_and_variables(document):
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    variables = set(re.findall(r"\$\(([A-Z]+)\)", MAKEFILE))
    spans = [" ".join(span.split()) for span in SPAN.findall(prose(document))]
    missing = []
    for line in [*fenced_lines(document), *spans]:
        if re.match(r"make\s+\S", line):
            for word in words_of(line)[1:]:
                name, equals, _ = word.partition("=")
                if name not in (variables if equals else targets):
                    missing.append((line, word))
    assert not missing


def anchors(document):
    """The anchors of a document's headings, as GitHub makes them."""
    seen = []
    for heading in re.findall(r"^#+ +(.+)$", prose(document), re.MULTILINE):
        plain = re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
        count = sum(re.fullmatch(rf"{re.escape(plain)}(-\d+)?", each) is not None for each in seen)
        seen.append(f"{plain}-{count}" if count else plain)
    return seen


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_links_and_their_anchors_resolve(document):
    broken = []
    # What stands in code is no link, but the text of a link may be code.
    for target in LINK.findall(re.sub(r"`[^`]+`", "", prose(document))):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        there = (document.parent / path) if path else document
        if not there.exists() or (anchor and anchor not in anchors(there)):
            broken.append(target)
    assert not broken


def test_the_line_for_pip_names_every_dependency():
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    listed = re.search(r"\ndependencies = \[(.*?)\]", project, re.DOTALL)[1]
    needed = {"dlib-bin" if name == "dlib" else name for name in re.findall(r'"([\w-]+)', listed)}
    line = re.search(
        r"^pip install (.*) && pip install --no-deps \.$", text_of(ROOT / "README.md"), re.M
    )
    assert set(line[1].split()) == needed
