#!/usr/bin/env bash
# Fail unless pyproject.toml and the newest entry of CHANGELOG.md name the same version.
set -euo pipefail
cd "$(dirname "$0")/.."

project=$(sed -n 's/^version = "\(.*\)"$/\1/p' pyproject.toml)
changelog=$(sed -n 's/^## \([0-9][^ ]*\).*$/\1/p' CHANGELOG.md | head -n 1)
if [ -z "$project" ] || [ "$project" != "$changelog" ]; then
    echo "error: pyproject.toml says version '$project', CHANGELOG.md's newest is '$changelog'" >&2
    exit 1
fi
echo "version $project, as in CHANGELOG.md"
