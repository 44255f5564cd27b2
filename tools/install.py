"""Install the project and its packages into the environment that runs this script.

``python tools/install.py [dlib | dlib-bin] [EXTRA ...]``. It exists because pip cannot take one
package for another: the project declares `dlib`, which is compiled for minutes, and `dlib-bin` is
the same module prebuilt. So dlib is settled first, and then everything else that the project asks
for. `opencv-python` needs libraries of the system that a machine without a screen often lacks
(libGL, libxcb); there `opencv-python-headless` takes its place, the same without windows.
Only the standard library is used, since nothing else is there yet.
"""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    # The standard library has no TOML reader yet; pip, which every new environment has, does.
    from pip._vendor import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent


def pip_install(*arguments: str) -> None:
    """Run pip in this environment; a failure ends the script with pip's exit code."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--use-pep517", *arguments]
    code = subprocess.run(command, check=False).returncode
    if code:
        sys.exit(code)


def requirements(extras: list[str]) -> list[str]:
    """What the project and some of its extras ask for, without dlib."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    asked = list(project["dependencies"])
    for extra in extras:
        asked += project["optional-dependencies"][extra]
    return [name for name in asked if not re.match(r"dlib\b", name)]


def settle_opencv() -> None:
    """Replace OpenCV by its headless form if it does not load here."""
    tried = subprocess.run([sys.executable, "-c", "import cv2"], capture_output=True, text=True)
    if not tried.returncode:
        return
    print(f"OpenCV does not load here ({tried.stderr.strip().splitlines()[-1]}):")
    print("taking opencv-python-headless, which shows no windows ...")
    headless = f"opencv-python-headless=={version('opencv-python')}"
    # They hold the same files, so that removing one of them breaks the other.
    command = [sys.executable, "-m", "pip", "uninstall", "--quiet", "--yes", "opencv-python"]
    subprocess.run(command, check=True)
    pip_install("--force-reinstall", "--no-deps", headless)


def main() -> None:
    """Install dlib (unless there is one), what else the project asks for, and the project."""
    dlib = sys.argv[1] if len(sys.argv) > 1 else "dlib-bin"
    if dlib not in ("dlib", "dlib-bin"):
        sys.exit(f"DLIB must be dlib or dlib-bin, not {dlib!r}")
    if importlib.util.find_spec("dlib") is None:
        pip_install(dlib)
    pip_install(*requirements(["dev", *sys.argv[2:]]))
    settle_opencv()
    pip_install("--no-deps", "--editable", str(ROOT))


if __name__ == "__main__":
    main()
