"""The import directions of the design, held by reading the code."""

import ast
from collections import Counter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "efld_dlib"

# Each layer may import what stands in the layers before it, and its own.
LAYERS = [
    {"errors", "boxes", "records", "landmarks", "backend", "files", "journal", "parallel"},
    {"images", "crops", "geometry", "pose", "shapes", "data"},
    {"datasets", "xml", "models", "drawing", "tables"},
    {"detection"},
    # What a face can do with an image, it imports when asked: drawing, and the framing of its crop.
    {"face"},
    {"writers"},
    {"video"},
    {"landmarker"},
    {"extraction", "prepare", "evaluation"},
    {"training", "network"},
    {"cli"},
]
ENTRY_POINTS = {"__init__", "__main__"}
LEVEL = {name: level for level, layer in enumerate(LAYERS) for name in layer}


def station(path):
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def own_imports(path):
    """Stations of the package that a module imports, wherever in it the import stands."""
    depth = len(path.relative_to(PACKAGE).parts)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level == depth:
            if node.module:
                yield node.module.split(".")[0]
            else:
                yield from (alias.name for alias in node.names)


MODULES = [path for path in PACKAGE.rglob("*.py") if station(path) not in ENTRY_POINTS]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_run_one_way(path):
    here = station(path)
    for there in own_imports(path):
        if there == "__version__":
            continue
        assert there == here or LEVEL[there] <= LEVEL[here], f"{here} imports {there}"
        same_layer = LEVEL[there] == LEVEL[here] and there != here
        assert not (same_layer and LEVEL[here] > 2), f"{here} imports its neighbour {there}"


def test_every_station_has_a_layer():
    assert {station(path) for path in MODULES} == set(LEVEL)


def test_modules_can_be_read_at_one_sitting():
    long = {
        path.name: lines
        for path in PACKAGE.rglob("*.py")
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > 600
    }
    assert not long


def imports():
    """The modules of the package by name, each with those that it imports anywhere in it."""
    files = {
        ".".join(path.relative_to(PACKAGE).with_suffix("").parts): path
        for path in PACKAGE.rglob("*.py")
    }
    found = {}
    for name, path in files.items():
        found[name] = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level:
                base = [*name.split(".")[: -node.level], *filter(None, [node.module])]
                for alias in node.names:
                    found[name] |= {".".join(base), ".".join([*base, alias.name])} & set(files)
    return found


def test_no_module_imports_itself_by_others():
    ahead = imports()
    while ready := {name for name, needed in ahead.items() if not needed & set(ahead)}:
        for name in ready:
            del ahead[name]
    assert not ahead


def test_a_small_module_has_several_importers():
    counts = Counter(needed for all_needed in imports().values() for needed in all_needed)
    started = {"__main__", "training.worker"}  # as programs
    small = {
        name
        for name in counts.keys() - started
        if counts[name] == 1
        and not name.endswith("__init__")
        and not name.startswith("datasets.")  # one file a data set
        and len((PACKAGE / f"{name.replace('.', '/')}.py").read_text().splitlines()) < 60
    }
    assert not small
