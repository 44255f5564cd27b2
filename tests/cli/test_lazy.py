"""The list of commands without the commands."""

import os
import subprocess
import sys

import click
import pytest

from efld_dlib.cli.main import COMMANDS, cli


def test_every_command_is_listed_with_its_help():
    context = click.Context(cli, terminal_width=200, max_content_width=200)
    lines = cli.get_help(context).split("Commands:\n")[1].splitlines()
    listed = dict(line.split(None, 1) for line in lines)
    assert list(listed) == list(COMMANDS)
    for name, text in listed.items():
        command = cli.get_command(context, name)
        assert command.name == name
        assert " ".join(command.help.split()).startswith(text.removesuffix("."))


def loaded_by(*arguments):
    """Which of the large packages a call of the program imports."""
    code = (
        "import sys, efld_dlib.cli.main as m\n"
        f"try: m.cli({list(arguments)!r})\n"
        "except SystemExit: pass\n"
        "print(sorted({'numpy', 'cv2', 'dlib', 'scipy', 'skimage', 'lxml', 'tqdm', 'matplotlib',"
        " 'pyarrow', 'distributed'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()[-1]


@pytest.mark.parametrize("name", [[], *([name] for name in COMMANDS)])
def test_help_waits_for_no_package(name):
    assert loaded_by(*name, "--help") == "[]"


def test_detection_waits_for_no_package_that_it_does_without(astronaut_file):
    loaded = loaded_by("detect", str(astronaut_file), "--quality", "fast", "-o", "-")
    assert loaded == "['cv2', 'numpy', 'tqdm']"


def test_what_is_no_command_is_refused():
    assert cli.get_command(click.Context(cli), "lazy") is None
    assert cli.get_command(click.Context(cli), "options") is None


def test_an_opencv_that_does_not_load_is_told_with_what_helps(tmp_path, astronaut_file):
    # As opencv-python on a machine without the libraries of a screen.
    missing = "libxcb.so.1: cannot open shared object file"
    (tmp_path / "cv2.py").write_text(f"raise ImportError({missing!r}, name='cv2')\n")
    run = [sys.executable, "-m", "efld_dlib", "detect", str(astronaut_file)]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    result = subprocess.run(run, capture_output=True, text=True, env=environment)
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1
    assert missing in result.stderr
    assert "opencv-python-headless" in result.stderr


def test_a_bomb_whose_head_we_do_not_understand_is_refused(tmp_path):
    path = tmp_path / "bomb.jpg"
    path.write_bytes(b"PF\n20000px 20000px\n-1.0\n" + bytes(2000))  # OpenCV reads the numbers
    run = [sys.executable, "-m", "efld_dlib", "detect", str(path), "--detector", "dlib"]
    result = subprocess.run(run, capture_output=True, text=True)
    assert result.returncode == 2
    assert f"{path}: is too large; more than 134 million pixels are not read" in result.stderr
