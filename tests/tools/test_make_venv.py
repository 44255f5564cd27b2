import subprocess

import pytest

from tools import make_venv


@pytest.fixture
def run(monkeypatch):
    """The program on a folder, where `failure` is raised half way through making it."""

    def program(folder, failure):
        def half(target):
            (target / "bin").mkdir(parents=True)
            (target / "bin" / "python").touch()
            (target / "pyvenv.cfg").touch()
            raise failure

        monkeypatch.setattr(make_venv, "make", half)
        monkeypatch.setattr("sys.argv", ["make_venv.py", str(folder)])
        make_venv.main()

    return program


@pytest.mark.parametrize(
    ("failure", "raised"),
    [
        (OSError("no room"), SystemExit),
        (subprocess.CalledProcessError(1, "pip"), SystemExit),
        (KeyboardInterrupt(), KeyboardInterrupt),
    ],
)
def test_half_an_environment_is_not_left_behind(run, failure, raised, tmp_path):
    for _ in range(2):
        with pytest.raises(raised):
            run(tmp_path / "venv", failure)
        assert not (tmp_path / "venv").exists()


def test_what_was_in_the_folder_before_stays(run, tmp_path):
    (tmp_path / "precious").touch()
    with pytest.raises(SystemExit, match="no room"):
        run(tmp_path, OSError("no room"))
    assert (tmp_path / "precious").exists()
