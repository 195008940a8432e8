#!/usr/bin/env bash
# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Makes the signed repository of $SYSTEM in /repository, and proves that dnf refuses from it what it should refuse.
set -euo pipefail
cd "$(dirname "$0")"
# shellcheck source=lab/images/el/system.sh
source ./system.sh
# shellcheck source=lab/images/el/rpm.sh
source ./rpm.sh

# The key lives in this stage of the build only.
export GNUPGHOME=/build/gnupg
mkdir -m 0700 "${GNUPGHOME}"
gpg --quiet --batch --pinentry-mode loopback --passphrase '' --quick-generate-key 'EL-shaped stand-in' rsa2048 sign never
gpg --armor --export >signing-key.asc
cp signing-key.asc "${rpms}/"

for group in packages/*.sh; do
  # shellcheck source=/dev/null
  source "./${group}"
done
sign() { rpmsign --define '_gpg_name EL-shaped stand-in' --define '__gpg /usr/bin/gpg' --addsign "$@" >/dev/null 2>signing.log; }

# index DIRECTORY: repository data, signed.
index() {
  createrepo_c --quiet "$1"
  [ "$1" != "${rpms}" ] || [ -z "$(module_metadata)" ] || {
    module_metadata >modules.yaml
    modifyrepo_c --mdtype=modules modules.yaml "$1/repodata" >/dev/null
  }
  gpg --quiet --batch --detach-sign --armor "$1/repodata/repomd.xml"
}

# Three packages for the proof below; they are not for the nodes.
for word in proper unsigned altered; do
  package "${word}" 1
  summary "the package that is ${word}"
  directory "/opt/${word}"
  done_with_package
done

build_packages
mkdir doubtful
mv "${rpms}"/{proper,unsigned,altered}-1-*.rpm doubtful/
sign "${rpms}"/*.rpm doubtful/{proper,altered}-*.rpm
if [ "${major}" -eq 7 ]; then
  mkdir "${rpms}/../epel"
  mv "${rpms}"/nginx*.rpm "${rpms}/../epel/"
  index "${rpms}/../epel"
fi
index "${rpms}"

# The last byte is of the files' archive, not of the header.
altered=$(echo doubtful/altered-*.rpm)
printf '\377' | dd of="${altered}" bs=1 seek="$(($(stat -c %s "${altered}") - 1))" conv=notrunc status=none
index doubtful

# dnf asked to install a package of the doubtful repository: what it says is on stdout.
try() {
  rm -rf root
  LC_ALL=C dnf --assumeyes --installroot="${PWD}/root" --releasever="${major}" --disablerepo='*' \
    --repofrompath="doubtful,file://${PWD}/doubtful" --setopt=doubtful.gpgcheck=1 --setopt=doubtful.repo_gpgcheck=1 \
    --setopt=doubtful.gpgkey="file://${PWD}/signing-key.asc" install "$1" 2>&1
}

# refused PACKAGE WORDS: not installed, and for this reason.
refused() {
  local said
  if said=$(try "$1") || ! grep -qE "$2" <<<"${said}"; then
    printf 'repository: error: dnf was to refuse the package "%s" with "%s" and said:\n%s\n' "$1" "$2" "${said}" >&2
    exit 1
  fi
}

# Accepted first, or a refusal would prove nothing.
try proper >proper.log || { cat proper.log >&2; exit 1; }
refused unsigned 'unsigned-.* is not signed'
# Which of rpm and dnf notices it first, depends on their versions.
refused altered 'GPG check FAILED|does not verify'
printf 'x' >>doubtful/repodata/repomd.xml
refused proper 'repomd.xml GPG signature verification error'

# Nothing else of this is wanted in a layer.
rm -r "${specs}" "${trees}" rpmbuild doubtful root "${GNUPGHOME}"
