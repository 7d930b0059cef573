#!/bin/sh
# Set everything up in .venv and pass the tests. Arguments go to pytest (-n 0: in one process).
set -eu
unset PYTHONPATH PYTHONHOME
home=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
"$home/run.sh" --setup
cd "$home"
# By file, since the tests of a file may share a run of the pipeline.
exec .venv/bin/python -m pytest -n 2 --dist loadfile \
    -m "not slow and not browser and not real" "$@"
