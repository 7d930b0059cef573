"""How a result came about, back to the recordings."""

from __future__ import annotations

import argparse
import json
import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.core.words import counted

if TYPE_CHECKING:
    from pipeline.stages.lineage import Ancestor

NAME = "explain"
HELP = "how a result file came about, back to the NWB files, and the command that makes it again"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("file", type=Path, help="for example results/E/connectome/fit.h5")
    parser.add_argument(
        "--configfile",
        type=Path,
        metavar="FILE",
        help="settings file named in the command that is printed (default: that of the run)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the chain; 1 when a file on it is no longer what was used, or it ends too early."""
    from pipeline.stages.lineage import lineage, output_with

    chain = lineage(arguments.file)
    for ancestor in chain:
        print("\n".join(_lines(ancestor)))
    print("\nMade again by (the settings file must say what is shown above):")
    # Nothing is told of some files; what they were made of was made by the same command.
    facts = next((one.facts for one in chain if one.facts.get("started")), {})
    print(f"  {command_again(output_with(chain[0].path), facts, arguments.configfile)}")
    return int(any(ancestor.changed or ancestor.lost for ancestor in chain))


def command_again(file: Path, facts: Mapping[str, Any], configfile: Path | None) -> str:
    """The command that makes a file again as its run did, from the folder where this one is.

    Parameters
    ----------
    file
        An output of the workflow.
    facts
        What the job told that made it; without how the run was started, the folder is this one.
    configfile
        Settings file to name in place of that of the run.
    """
    started = facts.get("started", {})
    directory = Path(started.get("directory", "."))
    named = [configfile] if configfile else [Path(path) for path in started.get("configfiles", ())]
    words = ["./run.sh"]
    if directory.absolute() != Path.cwd():
        words += ["--directory", _from_here(directory)]
    if named:
        words += ["--configfile", *map(_from_here, named)]
    if started.get("config"):
        words += ["--config"]
        words += [f"{key}={json.dumps(value)}" for key, value in started["config"].items()]
    return shlex.join([*words, "--force", _target(file, started, directory)])


def _target(file: Path, started: Mapping[str, Any], directory: Path) -> str:
    """The file as the workflow names it, where it still lies in the folder of its run."""
    if not started:
        return str(file)
    out = started["out"]
    place = Path(os.path.relpath(file.absolute(), directory / out))
    return str(file) if ".." in place.parts else str(Path(out) / place)


def _from_here(path: Path) -> str:
    """Relative where it lies below the folder where we are."""
    found = os.path.relpath(path)
    return str(path) if found.startswith("..") else found


def _lines(ancestor: Ancestor) -> list[str]:
    indent = "  " * ancestor.depth
    lines = [f"{indent}{ancestor.path}"]

    def tell(text: str) -> None:
        lines.append(f"{indent}    {text}")

    made = ancestor.provenance
    kind = "content" if ancestor.path.suffix == ".h5" and ancestor.ours else "SHA-256"
    if ancestor.changed:
        tell(f"CHANGED since it was used: its {kind} was {ancestor.recorded}")
    if ancestor.found:
        tell(f"{kind} {ancestor.found}")
    elif ancestor.gone:
        part = ", as parts may be that were joined" if ancestor.joined else ""
        tell(f"GONE{part}{f': its {kind} was {ancestor.recorded}' if ancestor.recorded else ''}")
    elif ancestor.recorded:
        tell(f"{kind} {ancestor.recorded}{'' if ancestor.ours else ', not found here'}")
    if ancestor.lost:
        tell("the chain ends here: nothing that is left tells what it was made of")
    if made is not None:
        numbers = f"results version {made.results_version}, " if made.results_version else ""
        tell(
            f"stage {made.stage}{f' of {made.method}' if made.method else ''}: {numbers}"
            f"package {made.package_version}, code {made.code_digest[:12]}, seed {made.seed}, "
            f"threads {made.threads}, {made.device}"
        )
        tell("libraries " + ", ".join(f"{name} {of}" for name, of in made.libraries.items()))
        tell("settings " + json.dumps(dict(made.settings), sort_keys=True, default=list))
    if ancestor.facts:
        facts = ancestor.facts
        job = f", Slurm job {facts['slurm_job']}" if facts.get("slurm_job") else ""
        tell(
            f"finished {facts['finished']} on {facts['host']}{job} after {facts['seconds']} s, "
            f"{facts['peak_memory_mb']} MB at most{_shared(ancestor)}"
        )
        tell("; ".join(_circumstances(facts)))
    return lines


def _shared(ancestor: Ancestor) -> str:
    others = len(ancestor.facts.get("outputs", ())) - 1
    return f", for this and {counted(others, 'more file')}" if others > 0 else ""


def _circumstances(facts: Mapping[str, Any]) -> list[str]:
    """Kind of machine, and commit of the code, as far as they were told."""
    memory = facts.get("memory_of_host_mb")
    changed = " with changes since" if facts.get("changed_since_commit") else ""
    return [
        *([str(facts["processor"])] if facts.get("processor") else []),
        f"{facts['cores_of_host']} cores",
        *([f"{memory / 1024:.0f} GiB of memory"] if memory else []),
        *([f"commit {facts['commit']}{changed}"] if facts.get("commit") else []),
    ]
