"""Numbers that make no sense are refused by the option's name, and not by a traceback."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from efld_dlib.cli.main import cli


@pytest.mark.parametrize(
    "call",
    [
        "network train x.xml --faceless . -o d --seed -1",
        "network train x.xml --faceless . -o d --held-out 1",
        "network train x.xml --faceless . -o d --steps 0",
        "network train x.xml --faceless . -o d --batch 1",
        "network evaluate x.xml --held-out nan",
        "network evaluate x.xml --seed -1",
        "model compress x.dat -o x.efld --max-loss nan",
        "xml split x.xml --train t.xml --held-out h.xml --seed -1",
        "xml split x.xml --train t.xml --held-out h.xml --fraction nan",
    ],
)
def test_a_number_out_of_range_is_refused_by_the_options_name(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    *_, option, value = call.split()
    result = CliRunner().invoke(cli, call.split())
    assert result.exit_code == 2, result.output
    assert f"Invalid value for '{option}': " in result.output
    assert value in result.output
    assert list(tmp_path.iterdir()) == []
