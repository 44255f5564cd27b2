"""The sound files, made once."""

from __future__ import annotations

import pytest

from .samples import make_samples


@pytest.fixture(scope="session")
def samples(tmp_path_factory):
    return make_samples(tmp_path_factory.mktemp("robustness") / "samples")
