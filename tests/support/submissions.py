"""How many jobs a run hands to a scheduler, and which of its jobs share one."""

from __future__ import annotations

import json
import subprocess
import sys

# A dry run tells nothing of groups, so that a real one is ended before it starts anything.
COUNT = """
import json, os, sys
from snakemake.cli import main
from snakemake.dag import DAG
check = DAG._check_groups
def told(dag):
    check(dag)
    jobs = [job for job in dag.needrun_jobs() if not job.is_local]
    groups = {id(one): one for one in (dag.get_job_group(job) or job for job in jobs)}
    shared = [sorted(j.rule.name for j in one.jobs) for one in groups.values() if one.is_group()]
    print(json.dumps([len(jobs), len(groups), shared]), flush=True)
    os._exit(0)
DAG._check_groups = told
main(sys.argv[1:])
"""


def submissions(folder, *words):
    """Jobs, how often something is submitted for them, and the rules of those that share a job.

    Parameters
    ----------
    folder
        Where the run would start.
    words
        For Snakemake: its file, settings and a profile with a scheduler.
    """
    done = subprocess.run(
        [sys.executable, "-c", COUNT, *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    n_jobs, n_submissions, shared = json.loads(done.stdout.splitlines()[-1])
    return n_jobs, n_submissions, shared
