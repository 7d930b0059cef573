"""Recordings larger than what a job may use of the memory are ingested and prepared."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import h5py
import numpy as np
import pytest

from pipeline.core.recording import Recording
from pipeline.core.rng import stream
from pipeline.io.records import open_record
from tests.support.nwb_factory import DFF, ROIS, edited, imaging_file

ROOT = Path(__file__).resolve().parents[2]
N_FRAMES, N_CELLS = 48_000, 5_000
"""960 MB of samples and 240 MB of mask."""


def large_file(path: Path, *, chunks: tuple[int, int] | None, compression: str | None) -> Path:
    """The imaging session with many cells and frames: one stretch of noise again and again."""
    imaging_file(path, trials=())
    piece = stream(6, "large").normal(size=(1000, N_CELLS)).astype(np.float32)
    piece[7, 3] = np.nan
    with edited(path) as file:
        rois = dict(file[f"{DFF}/rois"].attrs)
        data = dict(file[f"{DFF}/data"].attrs)
        del file[f"{DFF}/data"], file[f"{DFF}/rois"], file[f"{ROIS}/neuron"]
        file[ROIS].attrs["colnames"] = np.array([], dtype="S1").astype(h5py.string_dtype())
        for name in list(file[ROIS]):
            if name not in ("id", "imaging_plane"):
                del file[f"{ROIS}/{name}"]
        values = file.create_dataset(
            f"{DFF}/data",
            shape=(N_FRAMES, N_CELLS),
            dtype="f4",
            chunks=chunks,
            compression=compression,
        )
        for start in range(0, N_FRAMES, 1000):
            values[start : start + 1000] = piece
        references = file.create_dataset(f"{DFF}/rois", data=np.arange(N_CELLS))
        id_attributes = dict(file[f"{ROIS}/id"].attrs)
        del file[f"{ROIS}/id"]
        ids = file.create_dataset(f"{ROIS}/id", data=np.arange(N_CELLS))
        for made, attributes in ((values, data), (references, rois), (ids, id_attributes)):
            for name, entry in attributes.items():
                made.attrs[name] = entry
    return path


def peak_mb(code: str) -> int:
    """Most memory that a process of its own was in, in MiB."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code) + textwrap.dedent(LAST_WORDS)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout.split()[-1])


LAST_WORDS = """
    from pipeline.stages.run_context import peak_memory_mb
    print(peak_memory_mb())
"""


@pytest.mark.slow
@pytest.mark.parametrize("chunks", [None, (N_FRAMES, 8)], ids=["by frame", "by cell"])
def test_traces_larger_than_the_memory_are_ingested(tmp_path, chunks):
    nwb = large_file(tmp_path / "large.nwb", chunks=chunks, compression=None)
    out = tmp_path / "recording.h5"
    peak = peak_mb(f"""
        from pathlib import Path
        from pipeline.stages.ingest import ingest
        from pipeline.stages.run_context import StageRun

        ingest(
            StageRun(stage="ingest", experiment="e", recording="r"),
            nwb=Path({str(nwb)!r}),
            options={{}},
            subject="",
            strict=False,
            limits={{}},
            output=Path({str(out)!r}),
            quality=Path({str(tmp_path / "quality.json")!r}),
        )
    """)

    assert peak < 850  # of the 2048 that ingest may take; libraries alone are 156
    with open_record(out, Recording) as record:
        assert record.activity.values.shape == (N_FRAMES, N_CELLS)
        expected = stream(6, "large").normal(size=(1000, N_CELLS)).astype(np.float32)
        np.testing.assert_array_equal(record.activity.values[46_010:46_020], expected[10:20])
        assert int((~record.activity.valid[:, 3:4]).sum()) == N_FRAMES // 1000
        assert record.units["good"].all()
