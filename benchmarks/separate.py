"""Work in a process of its own, with its time and its peak memory."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

_FRAME = """
import json, os, sys, time
sys.path.insert(0, {root!r})
from pipeline.stages.run_context import peak_memory_mb
{imports}
began, busy = time.monotonic(), sum(os.times()[:4])
{work}
seconds, busy = time.monotonic() - began, sum(os.times()[:4]) - busy
print(json.dumps([seconds, busy, peak_memory_mb() * 2**20]))
"""


@dataclass(frozen=True)
class Cost:
    """What a piece of work cost."""

    seconds: float
    processor_seconds: float
    """Of all threads and children: what does not hang on who else uses the machine."""
    peak_bytes: int

    def __str__(self) -> str:
        return (
            f"{self.seconds:.1f} s ({self.processor_seconds:.1f} s of processors), "
            f"peak {self.peak_bytes / 2**30:.2f} GiB"
        )


def cost_of(work: str, *, imports: str) -> Cost:
    """Run Python code after its imports, which are not timed."""
    code = _FRAME.format(
        root=str(ROOT), imports=textwrap.dedent(imports), work=textwrap.dedent(work)
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr[-3000:])
    seconds, busy, peak = json.loads(done.stdout.splitlines()[-1])
    return Cost(seconds=seconds, processor_seconds=busy, peak_bytes=peak)


def cost_of_ingest(nwb: Path, folder: Path) -> Cost:
    """The ingest stage on a file."""
    return cost_of(
        f"""
        ingest_apart(
            StageRun(stage="ingest", experiment="e", recording="r"),
            nwb=Path({str(nwb)!r}), options={{}}, subject="", strict=False, limits={{}},
            output=Path({str(folder / "recording.h5")!r}),
            quality=Path({str(folder / "quality.json")!r}),
        )
        """,
        imports="""
        from pathlib import Path
        import pipeline.io.nwb.read
        from pipeline.io.nwb.second_opinion import load_pynwb
        from pipeline.stages.ingest import ingest_apart
        from pipeline.stages.run_context import StageRun
        load_pynwb()
        """,
    )


def cost_of_inspect(nwb: Path) -> Cost:
    """A whole process of ``python -m pipeline inspect``, its start and imports included."""
    return cost_of(
        f"""
        import subprocess
        command = [sys.executable, "-m", "pipeline", "inspect", {str(nwb)!r}]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd={str(ROOT)!r})
        """,
        imports="",
    )


PLAIN = "made = target.create_dataset('data', data.shape, data.dtype)"
"""What h5py does where it is told nothing: one stretch of bytes, not compressed."""
_LIKE = """
with h5py.File({path!r}) as like:
    model = like[{place!r}]
    plan = model.id.get_create_plist()
    if data.shape != model.shape:
        sys.exit("the copy would have another shape")
    space = h5py.h5s.create_simple(data.shape)
    made = h5py.Dataset(h5py.h5d.create(target.id, b"data", model.id.get_type(), space, plan))
"""


def as_in(path: Path, place: str) -> str:
    """What makes the copy in :func:`cost_of_copy`, with type, codec and chunks of a dataset."""
    return _LIKE.format(path=str(path), place=place)


def cost_of_copy(source: Path, place: str, folder: Path, *, made: str) -> Cost:
    """Plain h5py: read a dataset and write it again, as :func:`as_in` or :data:`PLAIN` make it.

    Read and written in stretches of whole chunks of the source, on to the disk.
    """
    code = f"""
with (
    h5py.File({str(source)!r}) as source,
    h5py.File({str(folder / "copy.h5")!r}, "w", rdcc_nbytes=2**26) as target,
):
    data = source[{place!r}]
{textwrap.indent(made, "    ")}
    step = data.chunks[0] * max(1, 2**26 // (data[:1].nbytes * data.chunks[0]))
    for start in range(0, data.shape[0], step):
        made[start : start + step] = data[start : start + step]
handle = os.open({str(folder / "copy.h5")!r}, os.O_RDWR)
os.fsync(handle)
"""
    return cost_of(code, imports="import h5py, hdf5plugin")


def report(ingest: Cost, copies: dict[str, Cost], inspect: Cost) -> None:
    """Print all costs and the ratios."""
    print(f"ingest: {ingest} (budget 2 GiB)")
    for name, copy in copies.items():
        print(f"plain h5py, {name}: {copy}; ingest has {copy.seconds / ingest.seconds:.2f} of its")
        share = copy.processor_seconds / ingest.processor_seconds
        print(f"  speed (budget 0.80), {share:.2f} by the time of processors")
    print(f"inspect: {inspect} (budget 3 s)")
