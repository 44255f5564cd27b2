"""Make a virtual environment with pip in it, also where Python came without pip.

``python3 tools/make_venv.py FOLDER``, run by the system's Python, so only the standard library is
used. Debian and Ubuntu split Python: without the package `python3-venv` it has no ensurepip, and
``python3 -m venv`` ends with an error. The wheel that ensurepip would install is then taken from
the distribution's own package, `python3-pip-whl`, with ``apt-get download``, which needs no root,
installs nothing and checks the signature.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

PACKAGE = "python3-pip-whl"
INSTALLED = Path("/usr/share/python-wheels")
ADVICE = "Python's venv module is needed (Debian, Ubuntu: apt install python3-venv)"


def pip_wheel(folder: Path) -> Path:
    """Pip's wheel: the installed one, or the one of the package, fetched and unpacked here."""
    if not any(INSTALLED.glob("pip-*.whl")):
        print(f"This Python has no ensurepip: taking pip from the package {PACKAGE} ...")
        # Root's apt would hand the download to a user who may not write here, and complain.
        command = ["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", PACKAGE]
        subprocess.run(command, cwd=folder, check=True)
        (package,) = folder.glob("*.deb")
        subprocess.run(["dpkg-deb", "--extract", package, folder], check=True)
        found = folder / INSTALLED.relative_to("/")
    else:
        found = INSTALLED
    (wheel,) = found.glob("pip-*.whl")
    return wheel


def make(target: Path) -> None:
    """Make the environment; raises OSError, ValueError or CalledProcessError where it cannot."""
    if importlib.util.find_spec("ensurepip") is not None:
        venv.create(target, with_pip=True, symlinks=True)
        return
    venv.create(target, with_pip=False, symlinks=True)
    with tempfile.TemporaryDirectory() as folder:
        wheel = pip_wheel(Path(folder))
        python = target / "bin" / "python"
        # A wheel is a zip file, which Python can run pip from.
        command = [python, wheel / "pip", "install", "--quiet", "--no-index", wheel]
        subprocess.run(command, check=True)


def main() -> None:
    """Make the environment named on the command line, whole or not at all."""
    if len(sys.argv) != 2:
        sys.exit("usage: make_venv.py FOLDER")
    target = Path(sys.argv[1])
    # What was there before and is no environment is not this program's to remove.
    ours = not target.exists() or (target / "pyvenv.cfg").is_file()
    try:
        make(target)
    except BaseException as error:
        # Ctrl-C too: half an environment would be taken for a whole one the next time.
        if ours:
            shutil.rmtree(target, ignore_errors=True)
        if isinstance(error, (OSError, ValueError, subprocess.CalledProcessError)):
            sys.exit(f"{error}\n{ADVICE}")
        raise


if __name__ == "__main__":
    main()
