# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash disable=SC2034  # read by those who source it
# Sourced: what $SYSTEM is, in the words of its own os-release.

case "${SYSTEM:?}" in
  el7)
    major=7 id=centos name='CentOS Linux' version='7 (Core)' version_id=7 id_like='rhel fedora'
    release='CentOS Linux release 7.9.2009 (Core)' release_package=centos-release
    ;;
  el8 | el9)
    major=${SYSTEM#el} id=centos name='CentOS Stream' version=${major} version_id=${major} id_like='rhel fedora'
    release="CentOS Stream release ${major}" release_package=centos-stream-release
    ;;
  el10)
    major=10 id=centos name='CentOS Stream' version='10 (Coughlan)' version_id=10 id_like='rhel fedora'
    release='CentOS Stream release 10 (Coughlan)' release_package=centos-stream-release
    ;;
  rocky9)
    major=9 id=rocky name='Rocky Linux' version='9.4 (Blue Onyx)' version_id=9.4 id_like='rhel centos fedora'
    release='Rocky Linux release 9.4 (Blue Onyx)' release_package=rocky-release
    ;;
  *)
    printf 'system: error: SYSTEM=%s is no EL system of the lab\n' "${SYSTEM}" >&2
    exit 1
    ;;
esac

repository=/opt/el-stand-in/repository
# Debian's tools, out of the way of facts that look for them.
hidden=/opt/el-stand-in/debian
