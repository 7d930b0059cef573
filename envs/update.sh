#!/bin/sh
# Make requirements.lock and the two conda environments anew from requirements.in. Needs uv.
#
# No address may enter the lock, so that any package index can serve it; torch stays outside
# (docs/installation.md says why).
set -eu
cd "$(dirname -- "$0")"
uv pip compile requirements.in --universal --generate-hashes --no-header --no-annotate \
    --no-emit-index-url --no-emit-find-links --python-version 3.11 --no-emit-package torch \
    --quiet -o requirements.lock
environment() { # title, and further packages
    echo "# $1 Made by update.sh; do not edit."
    echo "channels:"
    echo "  - conda-forge"
    echo "dependencies:"
    echo "  - python=3.11"
    echo "  - pip"
    echo "  - pip:"
    # Names, versions and platform markers; hashes dropped, since conda hands the list to pip as it is.
    sed -n 's/^\([A-Za-z0-9._-]*==[^ ;]*\)\( ; [^\\]*[^\\ ]\)\{0,1\} *\\$/      - "\1\2"/p' requirements.lock |
        sed "s/python_full_version/python_version/g"
    shift
    for package in "$@"; do
        echo "      - \"$package\""
    done
}

torch=$(sed -n 's/^torch=\([0-9.]*\)$/\1/p' ../run.sh)
environment "The set of requirements.lock for \`snakemake --sdm conda\`." >neuroptych.yaml
environment "The same with torch, which is a CUDA build on Linux." "torch==$torch" \
    >neuroptych-gpu.yaml
