#!/bin/sh
# Renew ship/requirements.lock from the versions in requirements.lock, after `make lock`.
set -eu
cd "$(dirname "$0")/.."
echo 'setuptools>=80' | .venv/bin/uv pip compile --quiet --universal --python-version 3.11 \
    --generate-hashes --no-emit-index-url --no-header --no-annotate \
    --extra mcp --extra parquet --extra plots --extra postgres --extra risk \
    --constraint requirements.lock pyproject.toml - --output-file ship/requirements.lock
