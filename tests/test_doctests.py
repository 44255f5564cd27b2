"""The examples in the docstrings do what they show."""

import doctest
import pkgutil
from importlib import import_module

import pytest

import efld_dlib

MODULES = ["efld_dlib"] + [
    found.name
    for found in pkgutil.walk_packages(efld_dlib.__path__, "efld_dlib.")
    if not found.name.endswith("__main__")
]


def examples(name):
    found = doctest.DocTestFinder(exclude_empty=True).find(import_module(name))
    return [each for each in found if each.examples]


# Training networks needs packages that detection does without.
NEEDED_BY_NETWORK = ("torch", "onnx")


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_a_module_hold(name, tmp_path, monkeypatch):
    if name.startswith("efld_dlib.network."):
        for package in NEEDED_BY_NETWORK:
            pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    told = []
    for each in examples(name):
        runner.run(each, out=told.append)
    assert not told, "".join(told)


def test_the_public_names_have_examples():
    # Those of data preparation and training need files or minutes; the package's tour shows them.
    without_network = [name for name in MODULES if not name.startswith("efld_dlib.network.")]
    shown = {each.name.rpartition(".")[2] for name in without_network for each in examples(name)}
    assert shown >= {
        "efld_dlib",
        "Face",
        "FaceLandmarker",
        "features",
        "estimate_pose",
        "Box",
        "parse_features",
    }
