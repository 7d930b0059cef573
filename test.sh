#!/bin/sh
# Set everything up in .venv and pass the tests. Arguments go to pytest.
set -eu
unset PYTHONPATH PYTHONHOME
home=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
"$home/run.sh" --setup
cd "$home"
exec .venv/bin/python -m pytest -m "not slow and not browser and not real" "$@"
