"""Long runs, threads, processes and large files, in short: `load` has the long ones."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from efld_dlib import FaceLandmarker
from efld_dlib.xml.read import read_xml

from .load import large_xml, memory_over, peak_of, pictures

pytestmark = pytest.mark.robustness


def found(landmarker, data):
    return [(face.box, face.score, face.points.tobytes()) for face in landmarker.detect(data)]


def found_by_new_landmarker(data):
    return found(FaceLandmarker(), data)


@pytest.fixture(scope="module")
def landmarker():
    return FaceLandmarker()


@pytest.fixture(scope="module")
def expected(landmarker):
    return [found(landmarker, data) for data in pictures()]


def test_there_are_faces_in_every_other_picture(expected):
    assert [len(faces) for faces in expected] == [1, 0, 1, 0, 1, 0]


def test_memory_stays_where_it_is():
    sizes = [size for _, size in memory_over(150, steps=5)]
    assert sizes[-1] - sizes[0] < 4 << 20


def test_threads_that_share_a_landmarker_find_what_one_finds(landmarker, expected):
    files = pictures()
    numbers = np.random.default_rng(1).integers(0, len(files), 40).tolist()
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda number: found(landmarker, files[number]), numbers))
    for number, result in zip(numbers, results, strict=True):
        assert result == expected[number]


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_find_what_one_process_finds(method, expected):
    with multiprocessing.get_context(method).Pool(2) as pool:
        results = pool.map_async(found_by_new_landmarker, pictures()[:3]).get(timeout=120)
    assert results == expected[:3]


def test_an_xml_of_many_faces_is_read_within_bounds(tmp_path):
    xml = large_xml(tmp_path, faces=4000)
    assert sum(len(record.faces) for record in read_xml(xml)) == 4000
    code, _, peak = peak_of(["xml", "merge", "large.xml", "-o", "m.xml"], tmp_path)
    assert code == 0, (tmp_path / "said.txt").read_text()
    assert 10 << 20 < peak < 400 << 20
