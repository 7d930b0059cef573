"""One command on one input, while everything it opens, writes, starts or calls is noted.

    python -P watched_child.py NOTES.json check     in a folder with config.yaml
    python -P watched_child.py NOTES.json ingest    in a folder with settings.yaml, of one recording

What libraries in C open is not seen here; whoever starts this watches the folders that matter.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate")
CALLS = ("socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.system", "os.exec")

opened: set[str] = set()
written: set[str] = set()
called: set[str] = set()


def watch(event, arguments):
    """Note where files are opened or changed, as the interpreter reports it."""
    if event == "open":
        path, _, flags = arguments
        if isinstance(path, str | bytes):
            (written if flags & WRITING else opened).add(_absolute(path))
    elif event in CHANGES:
        written.update(_absolute(each) for each in arguments if isinstance(each, str | bytes))
    elif event in CALLS:
        called.add(f"{event} {arguments[:2]}")


def _absolute(path: str | bytes) -> str:
    return str(Path(os.fsdecode(path)).absolute())


def check() -> int:
    """``python -m pipeline check``."""
    from pipeline.cli.main import main

    return main(["check"])


def ingest() -> int:
    """The sheet's one recording, by the workflow's script, after the check before any job."""
    import runpy
    from dataclasses import asdict
    from types import SimpleNamespace

    from pipeline.core.errors import ConfigErrors
    from pipeline.stages.check import load_project

    try:
        project = load_project(Path("settings.yaml"))
    except ConfigErrors as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    ((experiment, (row,)),) = project.experiments.items()
    folder = f"results/{experiment}/recordings/{row.recording}"
    job = SimpleNamespace(
        wildcards=SimpleNamespace(experiment=experiment, recording=row.recording),
        threads=1,
        input=SimpleNamespace(nwb=str(row.nwb)),
        output=[f"{folder}/recording.h5", f"{folder}/quality.json"],
        log=[f"results/logs/{experiment}/ingest_{row.recording}.log"],
        params=SimpleNamespace(
            options=asdict(row.options),
            subject=row.subject,
            strict=project.settings.prepare.strict,
            limits=project.settings.prepare.quality.model_dump(),
        ),
    )
    runpy.run_path(str(ROOT / "workflow" / "scripts" / "ingest.py"), {"snakemake": job})
    return 0


def noted() -> dict[str, object]:
    """What was seen, with links followed."""
    from pipeline.stages.run_context import peak_memory_mb

    return {
        "opened": sorted({os.path.realpath(path) for path in opened}),
        "written": sorted({os.path.realpath(path) for path in written}),
        "called": sorted(called),
        "peak_mb": peak_memory_mb(),
    }


if __name__ == "__main__":
    target, command = Path(sys.argv[1]).resolve(), sys.argv[2]
    sys.addaudithook(watch)
    try:
        code = {"check": check, "ingest": ingest}[command]()
    finally:
        seen = noted()
        target.write_text(json.dumps(seen), encoding="utf-8")
    sys.exit(code)
