import pytest
from click.testing import CliRunner

from tools.benchmarks.__main__ import benchmarks
from tools.benchmarks.results import filled


def run(*arguments, code=0):
    result = CliRunner().invoke(benchmarks, ["table3", *map(str, arguments)])
    assert result.exit_code == code, result.output
    return result


def test_markdown_on_stdout_or_in_a_file(tiny_model, sample, tmp_path):
    printed = run(f"mine={tiny_model}", "--data", sample, "-j", 1, "--resamples", 50).stdout
    assert "### 300-W, NME in % by the distance of the outer eye corners (inter-ocular)" in printed
    row = next(line for line in printed.splitlines() if line.startswith("| mine, measured here"))
    cells = [cell.strip() for cell in row.split("|")[2:-1]]
    header = next(line for line in printed.splitlines() if line.startswith("| method"))
    titles = [cell.strip() for cell in header.split("|")[2:-1]]
    measured = [title for title, cell in zip(titles, cells, strict=True) if cell != "-"]
    # The sample has test folders, with far fewer faces than the official ones.
    assert measured
    assert all(" of " in title for title in measured)
    assert "HELEN test (10 of 330)" in measured
    run(
        *(f"mine={tiny_model}", "--data", sample, "-j", 1, "--resamples", 50),
        *("-o", tmp_path / "t3.json"),
    )
    place = "<!-- table: t3 1 -->\nold\n<!-- end of table -->"
    assert row in filled(f"before\n{place}\nafter", tmp_path)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "no data is given"),
        (["faces.xml"], "faces.xml is no model"),
        (["--data", "gone"], "has none of 300-W's test folders"),
        (["--aflw", "gone"], "gone"),
    ],
)
def test_what_is_missing_is_said(tiny_model, arguments, words):
    assert words in run(tiny_model, *arguments, code=2).stderr


def test_without_a_model_that_of_the_package_is_measured(sample):
    assert "| package, measured here |" in run("--data", sample, "--resamples", 50).stdout
