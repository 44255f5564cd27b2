"""The table of commands that write files: each with sound input, and where its output goes."""

from __future__ import annotations

from pathlib import Path

_QUICK = "--detector dlib=0"
_MODEL = "-m {root}/models/full.dat"
_EVALUATE = "evaluate {root}/models/full.dat {root}/faces.xml --boxes file -j 1 --resamples 10"
_PREPARE = "prepare {root}/w300 -j 1 --variants 1"

WRITERS: dict[str, tuple[str, str]] = {
    "detect-csv": (f"detect {{root}}/pictures {_MODEL} {_QUICK} -o {{out}}", "faces.csv"),
    "detect-json": (f"detect {{root}}/pictures {_MODEL} {_QUICK} -o {{out}}", "faces.json"),
    "detect-drawn": (f"detect {{root}}/pictures {_MODEL} {_QUICK} --annotate {{out}}", ""),
    "extract-csv": (f"extract {{root}}/pictures {_MODEL} {_QUICK} -j 1 -o {{out}}", "faces.csv"),
    "extract-jsonl": (f"extract {{root}}/pictures {_MODEL} {_QUICK} -j 1 -o {{out}}", "f.jsonl"),
    "video-csv": (f"video {{root}}/videos/v.avi {_MODEL} -o {{out}}", "faces.csv"),
    "video-jsonl": (f"video {{root}}/videos/v.avi {_MODEL} -o {{out}}", "faces.jsonl"),
    "xml-convert": ("xml convert {root}/w300 -o {out}", "made.xml"),
    "xml-info": ("xml info {root}/faces.xml -o {out}", "info.json"),
    "xml-view-page": ("xml view {root}/faces.xml -o {out}", "sheet.html"),
    "xml-view-sheet": ("xml view {root}/faces.xml -o {out}", "sheet.png"),
    "xml-merge": ("xml merge {root}/faces.xml -o {out}", "both.xml"),
    "xml-split": (
        "xml split {root}/faces.xml --train {out} --held-out {out}.rest.xml --fraction 0.5",
        "a.xml",
    ),
    "prepare": (f"{_PREPARE} -o {{out}}", ""),
    "prepare-preview": (f"{_PREPARE} -o {{root}}/none --preview {{out}}", "preview.png"),
    "train": (
        "train {root}/training/train.xml -o {out} -j 1 --set cascade_depth=1 --set refit=0 "
        "--set slim=false "
        "--set num_trees_per_cascade_level=2 --set oversampling_amount=2",
        "m.dat",
    ),
    "evaluate-json": (f"{_EVALUATE} -o {{out}}", "figures.json"),
    "evaluate-csv": (f"{_EVALUATE} -o {{out}}", "faces.csv"),
    "evaluate-markdown": (f"{_EVALUATE} -o {{out}}", "tables.md"),
    "evaluate-ced": (f"{_EVALUATE} -o {{out}}", "ced.png"),
    "evaluate-report": (f"{_EVALUATE} -o {{out}}", ""),
    "model-expand": ("model expand {root}/models/full.efld -o {out}", "m.dat"),
    "model-slim": ("model expand --slim {root}/models/full.dat -o {out}", "m.dat"),
    "model-subset": ("model expand {root}/models/full.dat -o {out} --points eyes", "m.dat"),
    "model-compress": (
        "model compress {root}/models/full.dat -o {out} --step 1e-3",
        "m.efld",
    ),
}
"""Arguments with places for the samples' folder and the output; the output's name, "" = a folder"""


def arguments(name: str, root: Path, output: Path) -> list[str]:
    """The command line of an entry."""
    return [word.format(root=root, out=output) for word in WRITERS[name][0].split()]
