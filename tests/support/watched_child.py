"""One command on one input, while everything it opens, writes, starts or calls is noted.

    python -P watched_child.py NOTES.json check     in a folder with config.yaml
    python -P watched_child.py NOTES.json ingest    in a folder with settings.yaml, of one recording
    python -P watched_child.py                      one after the other, asked for by lines

The last imports once and forks for each: the seconds of importing are most of what a small file
takes. What was noted until then is part of what each command did. A line is JSON: folder, where
notes go, command, and where what is printed goes. The answers are the number of the process and,
when it has ended, its exit code, negative for a signal.

What libraries in C open is not seen here; whoever starts this watches the folders that matter.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate")
CALLS = ("socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.system", "os.exec")

NEEDED = ("pipeline.cli.main", "pipeline.stages.costs", "pipeline.stages.ingest")
"""What the commands import, but for pynwb."""

seen = tempfile.TemporaryFile("a+", encoding="utf-8")  # noqa: SIM115 - open while it is watched
"""A line for each event, also of processes that were forked off."""
told: set[tuple[str, str]] = set()


def watch(event, arguments):
    """Note where files are opened or changed, as the interpreter reports it."""
    if event == "open":
        path, _, flags = arguments
        if isinstance(path, str | bytes):
            note("written" if flags & WRITING else "opened", _absolute(path))
    elif event in CHANGES:
        for each in arguments:
            if isinstance(each, str | bytes):
                note("written", _absolute(each))
    elif event in CALLS:
        note("called", f"{event} {arguments[:2]}")


def note(kind: str, what: str) -> None:
    """Keep it where it outlives this process."""
    if (kind, what) not in told:
        told.add((kind, what))
        line = json.dumps([kind, what]) + "\n"
        os.write(seen.fileno(), line.encode())


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

    events: dict[str, set[str]] = {"opened": set(), "written": set(), "called": set()}
    seen.seek(0)
    for line in seen:
        kind, what = json.loads(line)
        events[kind].add(what)
    return {
        "opened": sorted({os.path.realpath(path) for path in events["opened"]}),
        "written": sorted({os.path.realpath(path) for path in events["written"]}),
        "called": sorted(events["called"]),
        "peak_mb": peak_memory_mb(),
    }


def asked() -> tuple[str, str]:
    """Where notes go and the command: of the command line, else in a child for the next line."""
    global seen
    if len(sys.argv) > 1:
        return sys.argv[1], sys.argv[2]
    for name in NEEDED:
        importlib.import_module(name)
    importlib.import_module("pipeline.io.nwb.second_opinion").load_pynwb()
    seen.seek(0)
    before = seen.read()
    for line in sys.stdin:
        child = os.fork()
        if not child:
            folder, target, command, console = json.loads(line)
            seen = tempfile.TemporaryFile("a+", encoding="utf-8")  # noqa: SIM115 - as above
            os.write(seen.fileno(), before.encode())
            os.chdir(folder)
            printed = os.open(console, os.O_WRONLY | os.O_CREAT)
            for stream in (sys.stdout, sys.stderr):
                os.dup2(printed, stream.fileno())
            return target, command
        print(child, flush=True)  # noqa: T201 - the answer
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)  # noqa: T201
    sys.exit()


if __name__ == "__main__":
    sys.addaudithook(watch)
    notes, command = asked()
    target = Path(notes).resolve()
    try:
        code = {"check": check, "ingest": ingest}[command]()
    finally:
        found = noted()
        target.write_text(json.dumps(found), encoding="utf-8")
    sys.exit(code)
