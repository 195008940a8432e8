#!/usr/bin/env bash
# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The container engine of the lab: `engine.sh start` makes sure that one answers (installs and starts Docker where
# that is possible and allowed), `engine.sh stop` ends the one that `start` launched, and no other. Podman is refused,
# also as `docker` of podman-docker: the lab speaks the API of Docker, and none of it was ever tried with another.
set -euo pipefail
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/lib.sh"

state=${cache}/engine
pid_file=${state}/dockerd.pid
log_file=${state}/dockerd.log
start_timeout=${HA_PAIR_ENGINE_TIMEOUT:-90}

answers() { docker info --format '{{.ServerVersion}}' >/dev/null 2>&1; }

# The file alone proves nothing: after a reboot its number may belong to another program.
our_daemon() {
  local pid
  [ -s "${pid_file}" ] || return 1
  pid=$(cat "${pid_file}")
  [ "$(cat "/proc/${pid}/comm" 2>/dev/null)" = dockerd ] || return 1
  printf '%s\n' "${pid}"
}

wait_until_it_answers() {
  local waited=0
  until answers; do
    [ "${waited}" -lt "${start_timeout}" ] || return 1
    if [ -n "${1:-}" ] && ! kill -0 "$1" 2>/dev/null; then
      return 1
    fi
    sleep 1
    waited=$((waited + 1))
  done
}

cure() {
  printf '%s\n' \
    "  Install and start Docker yourself, then check that 'docker info' answers for this user:" \
    "    Debian, Ubuntu:    sudo apt-get install docker.io && sudo systemctl start docker" \
    "    EL, Fedora:        sudo dnf install docker-ce && sudo systemctl enable --now docker" \
    "                       EL has no Docker of its own: Docker's documentation, 'Install Docker Engine on CentOS'," \
    "                       says how its repository docker-ce-stable is set up. Fedora: moby-engine docker-cli" \
    "    macOS, Windows:    start Docker Desktop" \
    "  A user who is not in the group 'docker' is refused by the engine even when it runs." >&2
}

# The command of podman-docker, which is what EL installs for whoever asks for docker.
is_podman() { docker --version 2>/dev/null | grep -qi podman; }

refuse_podman() {
  printf '%s: error: docker is podman here, and the lab needs Docker itself.\n' "${script}" >&2
  printf '%s\n' \
    "  Podman's own containers may stay; only its command by the name of docker has to go:" \
    "    sudo dnf remove podman-docker" >&2
  cure
  exit 1
}

install_docker() {
  if command -v apt-get >/dev/null; then
    say "installing docker.io from the distribution's packages"
    apt_install docker.io
  elif command -v dnf >/dev/null; then
    say "installing Docker with dnf"
    # docker-ce when Docker's repository was set up, moby-engine on Fedora.
    dnf_install docker-ce || dnf_install moby-engine docker-cli
  else
    return 1
  fi
}

launch() {
  if [ "$(cat /proc/1/comm 2>/dev/null)" = systemd ]; then
    say "starting docker.service"
    systemctl start docker.service || return 1
    wait_until_it_answers
    return
  fi
  local pid
  mkdir -p "${state}"
  say "starting dockerd (no systemd here); its log is ${log_file#"${root}"/}"
  # A session of its own: Ctrl-C in the terminal must not take the engine from under the containers.
  setsid dockerd >"${log_file}" 2>&1 </dev/null &
  pid=$!
  printf '%s\n' "${pid}" >"${pid_file}"
  disown "${pid}"
  if ! wait_until_it_answers "${pid}"; then
    tail -n 10 "${log_file}" >&2
    return 1
  fi
}

start() {
  if command -v docker >/dev/null && is_podman; then
    refuse_podman
  fi
  if command -v docker >/dev/null && answers; then
    say "Docker $(docker info --format '{{.ServerVersion}}') answers, nothing to do"
    return
  fi
  if [ "$(id -u)" -ne 0 ]; then
    printf '%s: error: no Docker engine answers, and only root can install or start one.\n' "${script}" >&2
    cure
    exit 1
  fi
  if ! command -v dockerd >/dev/null || ! command -v docker >/dev/null; then
    if ! install_docker; then
      printf '%s: error: no Docker engine answers, and none could be installed on this system.\n' "${script}" >&2
      cure
      exit 1
    fi
  fi
  if ! launch; then
    printf '%s: error: the Docker engine did not answer within %s seconds.\n' "${script}" "${start_timeout}" >&2
    cure
    exit 1
  fi
  say "Docker $(docker info --format '{{.ServerVersion}}') answers"
}

stop() {
  local pid others waited=0
  if ! pid=$(our_daemon); then
    rm -f "${pid_file}"
    say "no engine of ours runs, nothing to stop"
    return
  fi
  others=$(docker ps --quiet | wc -l)
  if [ "${others}" -gt 0 ]; then
    say "the engine stays: ${others} containers still run on it"
    return
  fi
  kill -TERM "${pid}"
  while kill -0 "${pid}" 2>/dev/null; do
    [ "${waited}" -lt 30 ] || die "dockerd ${pid} did not stop within 30 seconds; its log is ${log_file#"${root}"/}"
    sleep 1
    waited=$((waited + 1))
  done
  rm -f "${pid_file}"
  say "stopped the engine that was started from here"
}

case "${1:-start}" in
  start) start ;;
  stop) stop ;;
  *) die "unknown word '$1'; say start or stop" ;;
esac
