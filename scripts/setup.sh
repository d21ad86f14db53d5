#!/usr/bin/env bash
# Makes a plain `cargo build` work: checks the tools, finds or installs PyTorch and points .libtorch at it.
#
#   scripts/setup.sh [--with-tests]
#
# PyTorch is, in this order,
#   1. $LIBTORCH, if exported;
#   2. what .libtorch points at, if that is still good;
#   3. the torch of the active virtual or conda environment, or of python3 on PATH;
#   4. the torch of ./.venv, which is made if need be.
# --with-tests also puts into ./.venv what the tests compare nanprobe with (tests/oracle/requirements.txt).
# PYTHON names the interpreter for ./.venv; python3 otherwise. Running it again costs next to nothing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# The version that the tch crate in Cargo.toml binds.
readonly TORCH=2.13.0
readonly VENV=.venv
readonly LINK=.libtorch
readonly ORACLE=tests/oracle/requirements.txt
readonly ORACLE_DONE=$VENV/.oracle-requirements

say() { echo "setup: $*"; }
fail() {
  echo "setup: error: $1" >&2
  shift
  for hint in "$@"; do echo "       $hint" >&2; done
  exit 1
}

# --- tools ---------------------------------------------------------------------------------------------------

check_rust() {
  command -v cargo >/dev/null || fail "cargo is not on PATH" "install Rust (https://rustup.rs), or run: . \"\$HOME/.cargo/env\""
  local needed found
  needed=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
  found=$(rustc --version | cut -d ' ' -f 2)
  if older "${found%%-*}" "$needed"; then
    fail "Rust $found is older than $needed, which nanprobe needs" "run: rustup update stable"
  fi
}

older() { [ "$1" != "$2" ] && [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]; }

check_cxx() {
  command -v "${CXX:-c++}" >/dev/null ||
    fail "no C++ compiler (${CXX:-c++}) on PATH; the binding to PyTorch is compiled with one" \
      "on Debian or Ubuntu: apt-get install g++" "on Fedora: dnf install gcc-c++"
}

# --- finding torch -------------------------------------------------------------------------------------------

# "VERSION FOLDER" of an interpreter's torch, without the seconds that importing it takes; nothing if it has none.
torch_of() {
  "$1" - 2>/dev/null <<'PYTHON' || true
import importlib.metadata, importlib.util
spec = importlib.util.find_spec("torch")
if spec and spec.submodule_search_locations:
    print(importlib.metadata.version("torch"), list(spec.submodule_search_locations)[0])
PYTHON
}

# The version of a torch folder: libtorch archives have build-version, Python's have version.py.
version_in() {
  if [ -f "$1/build-version" ]; then
    head -n 1 "$1/build-version"
  elif [ -f "$1/version.py" ]; then
    sed -n "s/^__version__ = '\(.*\)'/\1/p" "$1/version.py" | head -n 1
  fi
}

right_version() { [ "${1%%+*}" = "$TORCH" ]; }

# Whether the folder can be built against: the shared objects and the C++ headers.
complete() { [ -f "$1/lib/libtorch.so" ] && [ -f "$1/include/torch/csrc/api/include/torch/torch.h" ]; }

usable() { complete "$1" && right_version "$(version_in "$1")"; }

link_to() {
  local folder
  folder=$(cd "$1" && pwd -P)
  # A link within the checkout stays good when the checkout is moved.
  case $folder in "$PWD/"*) folder=${folder#"$PWD/"} ;; esac
  [ "$(readlink "$LINK" || true)" = "$folder" ] && return
  [ -L "$LINK" ] || [ ! -e "$LINK" ] || fail "$LINK exists and is not a link" "move it away and run this again"
  ln -sfn "$folder" "$LINK" || fail "cannot write the link $LINK"
  say "$LINK -> $folder"
}

use_exported() {
  [ -n "${LIBTORCH:-}" ] || return 1
  local how=("unset LIBTORCH to have $VENV made with torch $TORCH," "or point it at a torch $TORCH: an unpacked libtorch, or the torch folder of a Python environment")
  case $LIBTORCH in /*) ;; *) fail "LIBTORCH=$LIBTORCH is not an absolute path" "export it with its whole path" ;; esac
  complete "$LIBTORCH" || fail "LIBTORCH=$LIBTORCH has no lib/libtorch.so with headers under include/" "${how[@]}"
  local version
  version=$(version_in "$LIBTORCH")
  if ! right_version "$version"; then
    # The same switch that the tch crate heeds.
    [ -n "${LIBTORCH_BYPASS_VERSION_CHECK:-}" ] || fail "LIBTORCH=$LIBTORCH is torch ${version:-of unknown version}, and nanprobe needs $TORCH" "${how[@]}"
    say "torch ${version:-of unknown version} in place of $TORCH, since LIBTORCH_BYPASS_VERSION_CHECK is set"
  fi
  link_to "$LIBTORCH"
  say "using torch $version from the exported LIBTORCH"
}

use_link() {
  [ -L "$LINK" ] || return 1
  usable "$LINK" && return
  say "$LINK no longer leads to torch $TORCH; looking for another"
  return 1
}

use_environment() {
  local python version folder
  for python in python python3; do
    # `python` is only sure to be Python 3 in an active environment.
    [ "$python" = python ] && [ -z "${VIRTUAL_ENV:-}${CONDA_PREFIX:-}" ] && continue
    command -v "$python" >/dev/null || continue
    read -r version folder <<<"$(torch_of "$python")"
    [ -n "${version:-}" ] || continue
    if ! right_version "$version"; then
      say "$(command -v "$python") has torch $version; nanprobe needs $TORCH and leaves that one alone"
    elif ! complete "$folder"; then
      say "$folder is torch $version without shared objects or C++ headers; leaving it alone"
    else
      link_to "$folder"
      say "using torch $version of $(command -v "$python")"
      return
    fi
  done
  return 1
}

# --- ./.venv -------------------------------------------------------------------------------------------------

make_venv() {
  [ -x "$VENV/bin/python" ] && "$VENV/bin/python" -m pip --version >/dev/null 2>&1 && return
  local python=${PYTHON:-python3} version
  command -v "$python" >/dev/null || fail "no $python on PATH" "on Debian or Ubuntu: apt-get install python3 python3-venv" "or name another: PYTHON=/path/to/python3 make setup"
  version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  if older "$version" 3.10; then
    fail "$python is Python $version; torch $TORCH needs 3.10 or later" "name another: PYTHON=/path/to/python3 make setup"
  fi
  "$python" -c 'import venv, ensurepip' 2>/dev/null || fail "$python cannot make virtual environments: its venv and ensurepip modules are missing" \
    "on Debian or Ubuntu: apt-get install python$version-venv" "or export LIBTORCH with the path of a libtorch $TORCH"
  say "making $VENV with Python $version"
  "$python" -m venv --clear "$VENV"
}

install() {
  local how=(--disable-pip-version-check --no-input)
  [ -t 1 ] || how+=(--quiet --progress-bar off)
  "$VENV/bin/python" -m pip install "${how[@]}" "$@" ||
    fail "pip could not install $*" "its message above says why: no network, too little disk space, or a Python for which torch $TORCH has no wheel" "what was installed so far is kept: run this again to go on"
}

use_venv() {
  local version folder
  make_venv
  read -r version folder <<<"$(torch_of "$VENV/bin/python")"
  if ! right_version "${version:-}"; then
    [ -z "${version:-}" ] || say "replacing torch $version in $VENV"
    say "installing torch $TORCH into $VENV (some minutes; on x86-64 it comes with CUDA's libraries, about 5 GB on disk)"
    install "torch==$TORCH"
    read -r version folder <<<"$(torch_of "$VENV/bin/python")"
  fi
  complete "$folder" || fail "torch $version in $VENV is not complete" "remove $VENV and run this again"
  link_to "$folder"
  say "using torch $version of $VENV"
}

install_oracle() {
  [ -x "$VENV/bin/python" ] && cmp -s "$ORACLE" "$ORACLE_DONE" && return
  make_venv
  say "installing what the tests compare with into $VENV (torch $TORCH and torchvision; some minutes unless they are there)"
  install -r "$ORACLE"
  cp "$ORACLE" "$ORACLE_DONE"
}

# -------------------------------------------------------------------------------------------------------------

main() {
  local with_tests=false
  for argument in "$@"; do
    case $argument in
      --with-tests) with_tests=true ;;
      *) fail "unknown argument $argument" "usage: scripts/setup.sh [--with-tests]" ;;
    esac
  done
  [ "$(uname -s)" = Linux ] || fail "nanprobe builds on Linux only so far, not on $(uname -s)"
  check_rust
  check_cxx
  use_exported || use_link || use_environment || use_venv
  if $with_tests; then install_oracle; fi
  say "ready"
}

main "$@"
