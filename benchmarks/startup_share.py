"""How much of the demo's time is the start of interpreters and imports.

Runs the demo into an empty folder with the interpreter's own import timing switched on in every
process, and adds up what was spent on imports. Two shares are printed: of the core-seconds of the
run (wall time x cores, budget 40 %), and of the time the processes themselves were busy.

    .venv/bin/python benchmarks/startup_share.py [--cores 2]
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import subprocess
import sys
import tempfile
import time

IMPORT_LINE = re.compile(r"import time: +(\d+) \| +\d+ \|")
MICROSECONDS = 1e-6


def main() -> None:
    """Run the demo once and print the shares."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cores", type=int, default=2)
    cores = parser.parse_args().cores
    with tempfile.TemporaryDirectory() as folder:
        start = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "pipeline", "run", "--", "--cores", str(cores)],
            cwd=folder,
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPROFILEIMPORTTIME": "1"},
        )
        wall = time.monotonic() - start
    if done.returncode:
        sys.exit(done.stderr[-2000:])
    imports = sum(int(one) for one in IMPORT_LINE.findall(done.stderr)) * MICROSECONDS
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = used.ru_utime + used.ru_stime
    print(f"wall {wall:.0f} s on {cores} cores; imports {imports:.1f} s; processor {busy:.0f} s")
    print(f"imports: {imports / (wall * cores):.0%} of core-seconds (budget 40 %), ", end="")
    print(f"{imports / busy:.0%} of processor time")


if __name__ == "__main__":
    main()
