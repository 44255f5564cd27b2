"""Install the project and its packages into the environment that runs this script.

``python tools/install.py [dlib | dlib-bin]``. It exists because pip cannot take one package for
another: the project declares `dlib`, which is compiled for minutes, and `dlib-bin` is the same
module prebuilt. So dlib is settled first, and then everything else that the project asks for.
Only the standard library is used, since nothing else is there yet.
"""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
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


def requirements() -> list[str]:
    """What the project asks for, the developers' extra included, without dlib."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    asked = project["dependencies"] + project["optional-dependencies"]["dev"]
    return [name for name in asked if not re.match(r"dlib\b", name)]


def main() -> None:
    """Install dlib (unless there is one), what else the project asks for, and the project."""
    dlib = sys.argv[1] if len(sys.argv) > 1 else "dlib-bin"
    if dlib not in ("dlib", "dlib-bin"):
        sys.exit(f"DLIB must be dlib or dlib-bin, not {dlib!r}")
    if importlib.util.find_spec("dlib") is None:
        pip_install(dlib)
    pip_install(*requirements())
    pip_install("--no-deps", "--editable", str(ROOT))


if __name__ == "__main__":
    main()
