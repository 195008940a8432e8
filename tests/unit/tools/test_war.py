# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The application of the scenarios: built for both names of the servlet API, and the same each time."""

from __future__ import annotations

import shutil
import subprocess
import zipfile
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

ROOT = Path(__file__).resolve().parents[3]


def run(checkout: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([checkout / "tools/war.sh", *words], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the tool needs, with a cache of its own."""
    root = tmp_path_factory.mktemp("checkout")
    shutil.copytree(ROOT / "molecule/shared/counter", root / "molecule/shared/counter")
    (root / "tools").mkdir()
    for name in ("war.sh", "lib.sh"):
        shutil.copy2(ROOT / "tools" / name, root / "tools" / name)
    return root


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "war: error: say a version, and javax or jakarta, for example: tools/war.sh 1 jakarta"),
        (("a b",), "war: error: 'a b' is no version; give letters, digits, . _ and -"),
        (("1", "java"), "war: error: 'java' is neither javax (Tomcat 9) nor jakarta (Tomcat 10 and 11)"),
    ],
)
def test_refuses(checkout: Path, words: tuple[str, ...], message: str) -> None:
    done = run(checkout, *words)
    assert (done.returncode, done.stderr.strip()) == (1, message)


@pytest.mark.skipif(shutil.which("javac") is None, reason="there is no JDK")
@pytest.mark.parametrize("kind", ["javax", "jakarta"])
def test_the_same_version_has_the_same_bytes(checkout: Path, kind: str) -> None:
    done = run(checkout, "7", kind)
    assert done.returncode == 0, done.stderr
    path = Path(done.stdout.strip())
    first = path.read_bytes()
    path.unlink()
    assert run(checkout, "7", kind).stdout == done.stdout
    assert path.read_bytes() == first
    with zipfile.ZipFile(path) as war:
        # Nothing of what stands in for the API of the Tomcat.
        assert [name for name in war.namelist() if not name.startswith("WEB-INF/classes/example/Counter")] == [
            "WEB-INF/web.xml",
            "WEB-INF/classes/example/Echo.class",
        ]
        program = war.read("WEB-INF/classes/example/Counter.class")
        root = ET.fromstring(war.read("WEB-INF/web.xml"))
    assert f"{kind}/servlet/http/HttpServlet".encode() in program
    assert ("jakarta" in root.tag) == (kind == "jakarta")
    # Java 8.
    assert program[:8] == bytes.fromhex("cafebabe00000034")
