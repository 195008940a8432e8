#!/usr/bin/env bash
# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# `artifact.sh build` makes the collection's archive, `artifact.sh install [DIRECTORY]` installs it there and nothing
# else (scenario `matrix` deploys a pair from there), `artifact.sh test` proves that it and the checkout are found
# from wherever they are called.
set -euo pipefail
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/lib.sh"
project_environment
cd "${root}"

installed=${cache}/installed

build() {
  rm -f build/duplex-ha_pair-*.tar.gz
  ansible-galaxy collection build --force --output-path build . >/dev/null
  say "built $(ls build/duplex-ha_pair-*.tar.gz)"
}

install_artifact() {
  installed=${1:-${installed}}
  # Only what an earlier installation left; the directory may be one that somebody named by mistake.
  rm -rf "${installed}/ansible_collections/duplex/ha_pair" "${installed}"/ansible_collections/duplex.ha_pair-*.info
  # The dependencies are in the tool chain's bundle; nothing is fetched.
  ANSIBLE_COLLECTIONS_PATH=${installed} ansible-galaxy collection install --no-deps --force \
    --collections-path "${installed}" build/duplex-ha_pair-*.tar.gz >/dev/null
}

check() {
  local what=$1
  shift
  local out
  if ! out=$("$@" 2>&1); then
    printf '%s\n' "${out}" >&2
    die "${what}: failed, see above"
  fi
  say "${what}: passed"
}

# Runs a command as a stranger would: none of this project's environment, from the directory that is named.
from() (
  cd "$1"
  shift
  unset ANSIBLE_COLLECTIONS_PATH ANSIBLE_CONFIG
  exec "$@"
)

test_all() {
  local example=${root}/inventories/nginx_pair elsewhere=${cache}/elsewhere
  mkdir -p "${elsewhere}"
  build
  install_artifact
  check 'installed artifact: duplex.ha_pair.site' \
    from / env ANSIBLE_COLLECTIONS_PATH="${installed}" \
    ansible-playbook -i "${example}" duplex.ha_pair.site --syntax-check
  local name
  for name in status switchover drill release; do
    check "installed artifact: duplex.ha_pair.${name}" \
      from / env ANSIBLE_COLLECTIONS_PATH="${installed}" \
      ansible-playbook -i "${example}" "duplex.ha_pair.${name}" --syntax-check
  done
  check 'checkout, from its root: site.yml --syntax-check' \
    from "${root}" ansible-playbook -i inventories/nginx_pair site.yml --syntax-check
  check 'checkout, from its root: site.yml --list-tasks' \
    from "${root}" ansible-playbook -i inventories/nginx_pair site.yml --list-tasks
  local playbook
  for playbook in site.yml playbooks/{site,status,switchover,drill,release}.yml; do
    check "checkout, from /: ${playbook} --syntax-check" \
      from / ansible-playbook -i "${example}" "${root}/${playbook}" --syntax-check
    check "checkout, from /: ${playbook} --list-tasks" \
      from / ansible-playbook -i "${example}" "${root}/${playbook}" --list-tasks
    check "checkout, ANSIBLE_COLLECTIONS_PATH elsewhere: ${playbook}" \
      from / env ANSIBLE_COLLECTIONS_PATH="${elsewhere}" \
      ansible-playbook -i "${example}" "${root}/${playbook}" --syntax-check
  done
}

case "${1:-test}" in
  build) build ;;
  install)
    build
    install_artifact "${2:-}"
    ;;
  test) test_all ;;
  *) die "unknown word '$1'; say build, install or test" ;;
esac
