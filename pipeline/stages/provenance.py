"""One file that says how all results of a run were made."""

from __future__ import annotations

import hashlib
import json
import platform
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import pipeline
from pipeline.core.provenance import Provenance
from pipeline.core.words import counted, for_number, joined
from pipeline.io.atomic import replacing
from pipeline.io.hashing import code_digest
from pipeline.io.records import read_provenance
from pipeline.report.redact import Secrets, number_of, places_named
from pipeline.stages.machine import commit_at_start

PROVENANCE_VERSION = 1
PERSONAL_FACTS = ("host", "system", "slurm_job", "inputs", "read_from", "settings", "started")
"""What the facts of a job say about the house it ran in, and names of files."""
CODE_FACTS = ("package_version", "commit", "changed_since_commit")
"""What they say about the code."""


def write_provenance(
    *,
    out: Path,
    recordings: Mapping[str, Sequence[str]],  # experiment to its recordings
    settings: Mapping[str, Any],
    changed: Sequence[str],
    redact: bool,
    output: Path,
) -> None:
    """Collect versions, code, settings, inputs and what every job left beside its file.

    Parameters
    ----------
    recordings
        Experiment to the ids of its recordings.
    settings, changed
        All settings, and the dotted keys that are not the default.
    redact
        Whether hosts, operating systems, jobs of schedulers and names of files are left out.
    """
    canonical = json.dumps(settings, sort_keys=True)
    secrets = Secrets.made(places=places_named(settings))
    collected = {
        "provenance_version": PROVENANCE_VERSION,
        "package": {
            "name": "neuroptych",
            "version": pipeline.__version__,
            "code_digest": code_digest(),
            **commit_at_start(),
        },
        "python": platform.python_version(),
        "packages": installed(),
        "settings": secrets.of_settings(settings) if redact else settings,
        "settings_changed": list(changed),
        "settings_sha256": hashlib.sha256(canonical.encode()).hexdigest(),
        "experiments": {
            experiment: _experiment(out / experiment, names, redact=redact)
            for experiment, names in recordings.items()
        },
    }
    if not redact:
        collected["machine"] = {"system": platform.platform(), "python": sys.executable}
    with replacing(output) as temporary:
        text = json.dumps(collected, indent=1, sort_keys=True, allow_nan=False)
        temporary.write_text(text + "\n", encoding="utf-8")


def computed_in_words(folder: Path, *, redact: bool) -> str:
    """By which code, threads, machines, jobs and devices an experiment was made.

    Parameters
    ----------
    folder
        The experiment's results, with what each job left beside its file.
    redact
        Whether names of hosts and numbers of a scheduler's jobs are left out.
    """
    # Of the page itself nothing is known until it is written, and then of the one before.
    facts = [fact for fact in _jobs(folder, redact=redact) if fact.get("stage") != "report"]
    said = _code_in_words(code_of(facts))
    if facts:
        threads = sorted({int(fact["threads"]) for fact in facts})
        each = for_number(threads[-1], "[thread|threads]")
        hosts = sorted({str(fact["host"]) for fact in facts if "host" in fact})
        jobs = sorted(
            {str(fact["slurm_job"]) for fact in facts if fact.get("slurm_job")},
            key=lambda job: (len(job), job),
        )
        processors = sorted({str(fact["processor"]) for fact in facts if fact.get("processor")})
        models = f" ({joined(processors)})" if processors and hosts else joined(processors)
        where = f" on {joined(hosts)}{models}" if hosts or models else ""
        by = f"; Slurm {for_number(len(jobs), '[job|jobs]')} {joined(jobs)}" if jobs else ""
        devices = sorted({str(fact["device"]) for fact in facts if fact.get("device")})
        on = f"; computed on {joined(devices)}" if devices else ""
        said.append(
            f"{counted(len(facts), 'job')} with {joined(map(str, threads))} {each}{where}{by}{on}."
        )
    said.append("The whole chain of each file: python -m pipeline explain FILE; provenance.json.")
    return " ".join(said)


def code_of(facts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """By which code jobs were done, as far as they tell it: one entry a commit and version.

    Results are kept when the package is replaced, so that there may be several. Entries tell
    ``commit``, ``changed_since_commit``, ``package_version`` and the number of ``jobs``, those of
    most jobs first.
    """
    told = [tuple((key, fact[key]) for key in CODE_FACTS if key in fact) for fact in facts]
    counts = Counter(code for code in told if code)
    return [{**dict(code), "jobs": number} for code, number in counts.most_common()]


def _code_in_words(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """The code of the jobs, and that of the page where it is another."""
    now = {"package_version": pipeline.__version__, **commit_at_start()}
    if len(found) > 1:
        said = joined(f"{_code_name(code)} ({counted(code['jobs'], 'job')})" for code in found)
    else:
        said = _code_name(found[0] if found else now)
    # Jobs of older versions told less.
    same = any(
        all(now.get(key) == code[key] for key in CODE_FACTS if key in code) for code in found
    )
    page = f"; this page by that of {_code_name(now)}" if found and not same else ""
    return [f"Code of {said}{page}."]


def _code_name(code: Mapping[str, Any]) -> str:
    changed = ", with changes since," if code.get("changed_since_commit") else ""
    commit = f"commit {code['commit']}{changed}" if code.get("commit") else ""
    version = f"version {code['package_version']}" if code.get("package_version") else ""
    return " of ".join(filter(None, (commit, version))).removesuffix(",")


def installed() -> dict[str, str]:
    """Package to version, of everything in the environment."""
    found = {each.metadata["Name"]: each.version for each in metadata.distributions()}
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))


def _experiment(folder: Path, names: Sequence[str], *, redact: bool) -> dict[str, Any]:
    jobs = _jobs(folder, redact=redact)
    return {
        "recordings": {
            name: _inputs(folder / "recordings" / name / "recording.h5", redact=redact)
            for name in names
        },
        "code": code_of(jobs),
        "jobs": jobs,
    }


def _inputs(path: Path, *, redact: bool) -> dict[str, str]:
    """Name to SHA-256 of the files that a recording was read from; none where it failed."""
    found: Provenance | None = read_provenance(path)
    inputs = dict(found.inputs) if found is not None else {}
    if redact:
        return {number_of(place): digest for place, digest in enumerate(inputs.values())}
    return inputs


def _jobs(folder: Path, *, redact: bool) -> list[dict[str, Any]]:
    """What every job of an experiment left beside its file, and which file that is."""
    return [
        {"file": str(path.relative_to(folder)), **_facts(path, redact=redact)}
        for path in sorted(folder.rglob("*.run.json"))
    ]


def _facts(path: Path, *, redact: bool) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return {key: value for key, value in facts.items() if not (redact and key in PERSONAL_FACTS)}
