"""Files from strangers: data that stays data."""

from __future__ import annotations

import ast
import json
import re
import socket
import threading
from pathlib import Path

import pytest

import efld_dlib
from efld_dlib.errors import DataError
from efld_dlib.xml.check import check_xml
from efld_dlib.xml.read import read_xml

from .judge import run_command

PACKAGE = Path(efld_dlib.__file__).parent
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in PACKAGE.rglob("*.py")}
_CODE = {"pickle", "marshal", "shelve", "dill", "joblib", "cloudpickle"}
_NETWORK = {"socket", "urllib", "http", "requests", "ftplib", "ssl", "asyncio", "httpx"}
_RUNS_CODE = {"eval", "exec", "compile", "__import__"}


def imported(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield node.module.split(".")[0]


def calls(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), {word.arg: word.value for word in node.keywords}


def test_nothing_in_the_package_unpickles_evaluates_or_opens_a_connection():
    assert len(TREES) > 100
    for path, tree in TREES.items():
        assert not set(imported(tree)) & (_CODE | _NETWORK), path
        for name, words in calls(tree):
            assert name not in _RUNS_CODE, path
            assert not name.endswith("os.system"), path
            assert "shell" not in words, path
            if name in ("np.load", "numpy.load"):
                assert ast.unparse(words["allow_pickle"]) == "False", path


def test_xml_is_read_by_expat_alone():
    # Other parsers open what a DOCTYPE names, unless each call of them says no.
    source = "\n".join(ast.unparse(tree) for tree in TREES.values())
    assert set(re.findall(r"^ *(?:import|from) (l?xml\S*)", source, re.MULTILINE)) == {
        "xml.parsers",
        "xml.sax.saxutils",
    }


@pytest.fixture
def server():
    """An address that notes who connects."""
    asked = []
    listener = socket.create_server(("127.0.0.1", 0))

    def accept():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            asked.append(connection.recv(100))
            connection.close()

    threading.Thread(target=accept, daemon=True).start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/x", asked
    listener.close()


BODY = """<dataset><images><image file='{name}'>
<box top='1' left='1' width='50' height='50'><part name='00' x='5' y='5'/></box>{more}
</image></images></dataset>"""


@pytest.mark.parametrize(
    ("head", "more"),
    [
        ('<!DOCTYPE dataset SYSTEM "{url}.dtd">', ""),
        ('<!DOCTYPE d [<!ENTITY x SYSTEM "{url}">]>', "&x;"),
        ('<!DOCTYPE d [<!ENTITY x SYSTEM "file://{secret}">]>', "&x;"),
        ('<!DOCTYPE d [<!ENTITY % p SYSTEM "{url}"> %p;]>', ""),
        ('<?xml-stylesheet type="text/xsl" href="{url}"?>', ""),
        (
            "",
            '<i:include xmlns:i="http://www.w3.org/2001/XInclude" href="{secret}" parse="text"/>',
        ),
    ],
)
def test_xml_reaches_neither_the_network_nor_other_files(head, more, server, tmp_path):
    url, asked = server
    secret = tmp_path / "secret"
    secret.write_text("TELL-NOBODY")
    places = {"url": url, "secret": secret}
    xml = tmp_path / "a.xml"
    xml.write_text(head.format(**places) + BODY.format(name="a.jpg", more=more.format(**places)))
    try:
        said = repr(list(read_xml(xml)))
    except DataError as error:
        said = str(error)
    said += repr(check_xml(xml, pictures=False))
    for arguments in (["merge", str(xml), "-o"], ["convert", str(xml), "-o"]):
        output = tmp_path / "out" / "b.xml"
        said += run_command(["xml", *arguments, str(output)], ("a.xml",), output).output
        said += output.read_text()
    assert "TELL-NOBODY" not in said
    assert asked == []


def test_a_billion_laughs_are_refused_at_once(tmp_path):
    entities = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10 if i else "lol"}">' for i in range(12))
    xml = tmp_path / "a.xml"
    xml.write_text(f"<!DOCTYPE d [{entities}]>" + BODY.format(name="&l11;", more="&l11;"))
    with pytest.raises(DataError, match=r"a\.xml"):
        list(read_xml(xml))
    assert check_xml(xml, pictures=False).findings


SCRIPT = "<img src=x onerror=alert(1)>\"'&amp;"


def test_pages_escape_the_names_of_files_and_models(samples, tmp_path):
    folder = tmp_path / SCRIPT.replace("/", "")
    folder.mkdir()
    for path in (samples / "w300").glob("face*"):
        (folder / f"{path.stem}{SCRIPT}{path.suffix}").write_bytes(path.read_bytes())
    model = f"<b>&'={samples / 'models' / 'full.dat'}"
    report = tmp_path / "report"
    arguments = ["evaluate", model, str(folder), "--resamples", "10", "-j", "1"]
    result = run_command([*arguments, "-o", str(report)], ())
    assert result.exit_code == 0, result.output
    page = (report / "index.html").read_text(encoding="utf-8")
    assert "onerror=alert(1)&gt;" in page
    assert "<img src=x" not in page
    assert "<b>&" not in page
    assert "&lt;b&gt;&amp;" in page


def test_names_in_an_xml_are_escaped_on_its_page(samples, tmp_path):
    xml = tmp_path / "a.xml"
    picture = "&lt;img src=x onerror=alert(1)&gt;.jpg"
    (tmp_path / "<img src=x onerror=alert(1)>.jpg").write_bytes(
        (samples / "pictures" / "p.jpg").read_bytes()
    )
    xml.write_text(BODY.format(name=picture, more=""))
    output = tmp_path / "sheet.html"
    result = run_command(["xml", "view", str(xml), "-o", str(output)], ("a.xml",))
    assert result.exit_code == 0, result.output
    page = output.read_text(encoding="utf-8")
    assert "onerror=alert(1)&gt;" in page
    assert "<img src=x" not in page


def test_a_device_or_a_pipe_behind_a_name_is_not_opened(samples, tmp_path):
    xml = tmp_path / "a.xml"
    xml.write_text(BODY.format(name="../../../../../../../../../dev/zero", more=""))
    sheet = ["-o", str(tmp_path / "s.html")]
    for name, more in {"check": ["-j", "1"], "info": [], "view": sheet}.items():
        result = run_command(["xml", name, str(xml), *more], ("a.xml",))
        assert "zero" in result.output or name == "info"
    (tmp_path / "b.pts").symlink_to("/dev/zero")
    (tmp_path / "b.jpg").write_bytes((samples / "pictures" / "p.jpg").read_bytes())
    result = run_command(["prepare", str(tmp_path), "-o", str(tmp_path / "x")], ("x",))
    assert "b.pts: cannot be read (a device" in result.stderr


def test_metadata_of_a_model_is_only_shown(samples, tmp_path):
    from efld_dlib.models.efld import efld_bytes, parse_efld

    sound = parse_efld((samples / "models" / "full.efld").read_bytes())
    path = tmp_path / "a.efld"
    metadata = {"licence": "\x1b]0;owned\x07", "__reduce__": ["os.system", "true"]}
    path.write_bytes(efld_bytes(sound.predictors, metadata))
    result = run_command(["model", "info", str(path)], ("a.efld",))
    assert result.exit_code == 0
    assert "\x1b" not in result.output
    shown = json.loads(run_command(["model", "info", str(path), "--json"], ()).stdout)
    assert shown["metadata"] == metadata
