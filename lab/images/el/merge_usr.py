# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes links of /bin, /lib, /lib64 and /sbin, as on every EL since 7: units name /usr/bin/rm, which Debian 11 has not.

Debian's usrmerge renames directories, which the layers of an image do not allow. No program can be started while the
directories change, so one process does it all.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

for top in (Path("/bin"), Path("/sbin"), Path("/lib"), Path("/lib64")):
    if top.is_symlink() or not top.is_dir():
        continue
    for place, directories, files in os.walk(top):
        merged = Path("/usr" + place)
        merged.mkdir(exist_ok=True)
        # A link to a directory is one of the directories.
        for name in files + [name for name in directories if Path(place, name).is_symlink()]:
            source, target = Path(place, name), merged / name
            if source.is_symlink() and os.readlink(source).startswith(".."):
                link = os.path.normpath(Path(place, os.readlink(source)))
                source.unlink()
                source.symlink_to(link)
            if target.is_symlink() or not target.exists():
                source.replace(target)
    shutil.rmtree(top)
    top.symlink_to("usr" + str(top))
