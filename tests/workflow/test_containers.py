"""Jobs run in an image that the settings name, through what is mounted into it.

Apptainer is stood in for by a script that does to the job what matters here: an own namespace of
mounts with what is bound, and another Python, which has none of the packages.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.needed import need_namespaces
from tests.support.tiny_project import write_tiny_recordings

pytestmark = pytest.mark.slow

NAMESPACE = ("unshare", "--map-root-user", "--mount")
APPTAINER = """\
#!{python}
import os, subprocess, sys

words = sys.argv[1:]
if "--version" in words:
    sys.exit(print("apptainer version 1.3.4"))
image = words.index("image.sif")
with open("asked", "a") as asked:
    asked.write(" ".join(words[:image]) + chr(10))
binds = [words[place + 1] for place, word in enumerate(words) if word == "--bind"]
steps = ["mount -t tmpfs none /mnt"]
for bind in binds:
    source, _, target = bind.partition(":")
    if target:
        steps.append(f"mkdir -p {{target}} && mount --bind '{{source}}' {{target}}")
command = [*{namespace}, "sh", "-ec", "; ".join(steps) + '; exec "$@"', "sh", *words[image + 1:]]
os.environ["PATH"] = "{programs}:/usr/bin:/bin"
os.execvp(command[0], command)
"""
SETTINGS = """\
recordings: recordings.tsv
methods:
  connectome: {enabled: false}
run: {container: IMAGE}
"""
SHEET = "experiment\trecording\tnwb\tactivity\tidentity\ne\tone\tone.nwb\tcalcium\tidentity\n"


@pytest.fixture
def project(tmp_path):
    """A folder with a recording, settings that name an image, and Apptainer in ``bin``."""
    write_tiny_recordings(tmp_path)
    (tmp_path / "recordings.tsv").write_text(SHEET)
    (tmp_path / "image.sif").touch()
    (tmp_path / "settings.yaml").write_text(SETTINGS.replace("IMAGE", "image.sif"))
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "python").symlink_to(sys._base_executable)
    programs = tmp_path / "bin"
    programs.mkdir()
    text = APPTAINER.format(python=sys.executable, namespace=NAMESPACE, programs=inside)
    (programs / "apptainer").write_text(text)
    (programs / "apptainer").chmod(0o755)
    return tmp_path


def run(folder, *words):
    command = [sys.executable, "-m", "pipeline", "run", "--", "--configfile", "settings.yaml"]
    return subprocess.run(
        [*command, "--cores", "1", "--sdm", "apptainer", *words],
        cwd=folder,
        env={**os.environ, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_jobs_run_in_the_image_by_what_is_mounted(project):
    need_namespaces(*NAMESPACE)
    done = run(project, "--until", "ingest")
    assert done.returncode == 0, done.stderr[-3000:]
    assert (project / "results" / "e" / "recordings" / "one" / "recording.h5").exists()
    (asked,) = (project / "asked").read_text().splitlines()
    assert "exec --home" in asked
    checkout = Path(__file__).resolve().parents[2]
    assert str(checkout) in asked


def test_without_an_image_nothing_is_started(project):
    (project / "settings.yaml").write_text(SETTINGS.replace("IMAGE", "''"))
    done = run(project)
    assert done.returncode != 0
    assert "--sdm apptainer needs an image" in done.stderr + done.stdout
    assert not (project / "results" / "e").exists()
