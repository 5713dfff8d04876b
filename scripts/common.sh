# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What `demo` and `test` share: install what is missing, build. Sourced, not run.

die() {
  echo "${0##*/}: $*" >&2
  exit 1
}

say() {
  echo "==> $*"
}

build_packages=(gcc meson ninja-build pkg-config libcbor-dev libzstd-dev libdpdk-dev libjansson-dev
  libopenblas-dev libpaho-mqtt-dev libpcap-dev libsodium-dev libssl-dev libyaml-dev zlib1g-dev)

# A command on the path counts too: node is often installed by other means than apt.
page_packages() {
  command -v node >/dev/null || echo nodejs
  command -v npm >/dev/null || echo npm
}

missing_packages() {
  local package
  for package in "$@"; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
      echo "$package"
  done
}

install_packages() {
  local missing as_root=()
  mapfile -t missing < <(missing_packages "$@")
  [ ${#missing[@]} -eq 0 ] && return
  command -v apt-get >/dev/null || die "needs the Debian packages: ${missing[*]}"
  say "installing Debian packages: ${missing[*]}"
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null ||
      die "run as root, or install sudo, or install these packages first: ${missing[*]}"
    as_root=(sudo)
  fi
  local log
  log=$(mktemp)
  if ! { "${as_root[@]}" apt-get update &&
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
      apt-get install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
    grep -E '^(E|W|Err|sudo):?' "$log" | tail -n 3 >&2 || true
    die "apt could not install them (no network?); the whole log is in $log"
  fi
  rm -f "$log"
}

# build_tree DIR [MESON OPTION]…
build_tree() {
  local dir=$1 log
  shift
  log=$(mktemp)
  local how=setup
  [ -f "$dir/build.ninja" ] && how=configure || say "configuring $dir"
  if ! meson "$how" "$dir" "$@" >"$log" 2>&1; then
    grep -A 3 ERROR "$log" >&2 || true
    die "meson $how failed; the whole log is in $log"
  fi
  say "building $dir"
  if ! ninja -C "$dir" >"$log" 2>&1; then
    grep -E -A 6 '^FAILED|error:|^dashboard:' "$log" | head -n 30 >&2 || true
    die "the build failed; the whole log is in $log"
  fi
  rm -f "$log"
}
