#!/bin/sh
# Set everything up in .venv, run the pipeline, print where the reports are.
#
#   ./run.sh                          the shipped simulated recordings
#   ./run.sh --configfile my.yaml     your recordings; all further arguments go to snakemake
#   ./run.sh --setup                  install and stop
#   ./run.sh --fetch-wheels DIR       put all packages into a folder, where there is a network ...
#   ./run.sh --setup --wheels DIR     ... and install from it where there is none
#
# TORCH_INDEX=ADDRESS takes torch from another package index (CPU or CUDA build, see
# docs/installation.md).
set -eu
unset PYTHONPATH PYTHONHOME

home=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
torch=2.13.0
venv=$home/.venv
python=$venv/bin/python
stamp=$venv/neuroptych.stamp
log=$venv/setup.log
lock=$home/envs/requirements.lock
wheels=

fail() {
    printf 'ERROR %s\n' "$1" >&2
    exit 5
}

find_python() {
    for candidate in python3.11 python3 python; do
        if command -v "$candidate" >/dev/null 2>&1 &&
            "$candidate" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    fail "no Python 3.11 found. Fix: install it (Debian, Ubuntu: apt-get install python3.11 python3.11-venv)."
}

wanted_stamp() {
    {
        cat "$home/envs/requirements.lock" "$home/pyproject.toml"
        printf '%s %s %s %s' "$torch" "${TORCH_INDEX:-}" "$home" "$("$1" --version)"
    } | cksum
}

install_all() {
    if ! "$1" -m venv "$venv"; then
        fail "the Python module venv is missing. Fix: apt-get install python3.11-venv (or python3-venv)."
    fi
    if [ -n "$wheels" ]; then
        "$python" -m pip install --no-index --find-links "$wheels" --require-hashes -r "$lock"
        "$python" -m pip install --no-index --find-links "$wheels" "torch==$torch"
        install_ourselves
        return
    fi
    uv=$(command -v uv) || uv=$venv/bin/uv
    if ! [ -x "$uv" ]; then
        "$python" -m pip install --quiet uv || echo "uv is not to be had; pip does the work"
    fi
    # uv does not read pip's settings, such as an index of the house; pip tries again where it fails.
    # Compiled as pip does: else each of hundreds of jobs compiles what it imports where Python may
    # not write beside the packages (a shared folder, PYTHONDONTWRITEBYTECODE).
    "$uv" pip install --compile-bytecode --python "$python" --require-hashes -r "$lock" ||
        "$python" -m pip install --require-hashes -r "$lock"
    # By pip and after the lock: pip's own settings decide which build of torch fits the machine.
    "$python" -m pip install ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} "torch==$torch"
    install_ourselves
}

install_ourselves() {
    "$python" -m pip install --no-deps --no-build-isolation -e "$home"
    "$python" -m pip check
}

# Wheels only: a package that had to be built would need more than the folder where it is installed.
fetch_wheels() {
    base=$(find_python) || exit 5
    "$base" -m pip download --only-binary :all: --dest "$1" --require-hashes -r "$lock" &&
        "$base" -m pip download --only-binary :all: --dest "$1" \
            ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} "torch==$torch" ||
        fail "packages could not be fetched into $1. Fix: see what pip says above; it must be pip of Python 3.11 (apt-get install python3-pip), with a network."
}

set_up() {
    if [ -x "$python" ] && [ -f "$stamp" ] &&
        [ "$(cat "$stamp")" = "$(wanted_stamp "$python")" ]; then
        return
    fi
    base=$(find_python) || exit 5
    # Removed first and written last, so that an interrupted set-up is repeated.
    rm -f "$stamp"
    if ! "$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then
        rm -rf "$venv"
    fi
    mkdir -p "$venv"
    echo "Installing into .venv (some minutes the first time) ..." >&2
    # Not as a condition: in one, `set -e` does not hold, and a failed step would go unnoticed.
    set +e
    (set -e; install_all "$base") >"$log" 2>&1
    code=$?
    set -e
    if [ "$code" != 0 ]; then
        grep -a '^ERROR ' "$log" >&2 || tail -n 30 "$log" >&2
        fail "set-up failed; the whole log is $log. Fix: remove what it names and start again."
    fi
    wanted_stamp "$python" >"$stamp"
}

compile_ourselves() {
    "$python" -m compileall -q "$home/pipeline" >/dev/null 2>&1 || : # a checkout nobody may write to
}

case ${1:-} in
-h | --help)
    sed -n '2,/^set /{/^#/s/^# \{0,1\}//p;}' "$0"
    echo "Arguments of snakemake: .venv/bin/snakemake --help"
    exit 0
    ;;
--fetch-wheels)
    [ -n "${2:-}" ] || fail "--fetch-wheels needs a folder."
    fetch_wheels "$2"
    exit 0
    ;;
--setup)
    case ${2:-} in
    '') ;;
    --wheels)
        [ -d "${3:-}" ] || fail "--wheels needs a folder, and '${3:-}' is none. Fix: fill one with './run.sh --fetch-wheels DIR' where there is a network."
        wheels=$(CDPATH='' cd -- "$3" && pwd)
        ;;
    *) fail "after --setup comes nothing or --wheels DIR, not '$2'." ;;
    esac
    set_up
    compile_ourselves
    exit 0
    ;;
esac
set_up
compile_ourselves

PATH=$venv/bin:$PATH
export PATH
exec "$python" -m pipeline run -- "$@"
