# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash disable=SC2154
# Sourced: yum of EL 7 as far as Ansible's module needs it. The command is dnf; its interface for Python 2 tells the
# module that it is of no use, as on machines of a certain plug-in, so that the module asks commands instead.

if [ "${major}" -eq 7 ]; then
  package yum "${major}"
  summary 'Package manager'
  provides "yum-utils = ${major}" "rpm-python = ${major}"
  mkdir -p "${tree}"/usr/bin "${tree}"/usr/lib/python2.7/dist-packages/yum
  cat >"${tree}/usr/lib/python2.7/dist-packages/yum/__init__.py" <<'EOF'
class Errors(object):
    class YumBaseError(Exception):
        pass


class Settings(object):
    proxy = None
    installroot = "/"
    _plugins = {"rhnplugin": None}


class Repositories(object):
    repos = {}

    def enableRepo(self, name):
        """The option of the command does it."""

    disableRepo = enableRepo


class YumBase(object):
    def __init__(self):
        self.preconf = Settings()
        self.conf = Settings()
        self.plugins = Settings()
        self.repos = Repositories()
EOF
  # Only files of one's own are looked at through it.
  printf 'error = Exception\n' >"${tree}/usr/lib/python2.7/dist-packages/rpm.py"
  cat >"${tree}/usr/bin/repoquery" <<'EOF'
#!/bin/bash
# Options of yum's repoquery that dnf's has not, or not without a value.
words=()
while [ $# -gt 0 ]; do
  case "$1" in
    --plugins) ;;
    --show-duplicates) words+=(--showduplicates) ;;
    --disablerepo | --enablerepo)
      [ -z "$2" ] || words+=("$1" "$2")
      shift
      ;;
    *) words+=("$1") ;;
  esac
  shift
done
exec yum --assumeyes repoquery "${words[@]}"
EOF
  chmod 0755 "${tree}/usr/bin/repoquery"
  done_with_package
  from_the_beginning yum
fi
