# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the key of the peer may start, and everything that it may not."""

from __future__ import absolute_import, division, print_function

import io
import json
import os
import shutil
import sys
import tempfile
import unittest

from ansible_collections.duplex.ha_pair.plugins.module_utils._node import sync_marker, sync_receive
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.sync_marker import RefusedError

__metaclass__ = type

DIRECTORIES = {
    "data": {"name": "data", "path": "/srv/data"},
    "more": {"name": "more", "path": "/srv/more"},
}
KEPT = "/var/lib/ha-pair/sync/kept/data/20261122T061452.123Z-mirror"
# As rsync 3.2.7 sends it.
TOKEN = "0123456789abcdef" * 2
MIRROR = (
    "ha-pair-sync-receive take TOKEN --server -blHogDtpre.iLsfxCIvu --log-format=%i --timeout=30 --bwlimit=100 "
    "--backup-dir KEPT --delete --partial-dir .ha-pair-partial --numeric-ids . /srv/data/"
)
MIRROR = MIRROR.replace("KEPT", KEPT).replace("TOKEN", TOKEN)


COMMIT = {"verb": "commit", "name": "data", "token": TOKEN}


def kept(name):
    return "/var/lib/ha-pair/sync/kept/" + name


def marker(owner, generation=1):
    return sync_marker.new(owner, 500.0, generation)


def parse(text):
    return sync_receive.parse(text, DIRECTORIES, kept)


class ParseTest(unittest.TestCase):
    def test_what_ha_pair_sync_sends_is_taken(self):
        found = parse(MIRROR)
        self.assertEqual((found["verb"], found["name"]), ("rsync", "data"))
        self.assertEqual((found["deletes"], found["mode"]), (True, "mirror"))
        self.assertEqual(found["argv"], MIRROR.split()[3:])
        self.assertEqual(parse("ha-pair-sync-receive ask data"), {"verb": "ask", "name": "data", "token": None})
        found = parse("ha-pair-sync-receive commit more " + TOKEN)
        self.assertEqual(found, {"verb": "commit", "name": "more", "token": TOKEN})

    def test_other_versions_of_rsync_say_it_in_their_own_way(self):
        older = MIRROR.replace("-blHogDtpre.iLsfxCIvu", "-blHogDtpre.iLsfxC")
        self.assertEqual(parse(older)["name"], "data")
        self.assertEqual(parse(MIRROR.replace("--delete", "--delete -@-1"))["name"], "data")
        self.assertEqual(parse(MIRROR.replace("-blHogDtpre.", "-blHogDtpre31.14"))["name"], "data")
        # Quoted or escaped, as rsync 3.2.4 and newer do with signs that a shell would read.
        self.assertEqual(parse(MIRROR.replace("/srv/data/", "'/srv/data/'"))["argv"], MIRROR.split()[3:])

    def test_a_list_of_differences_may_ask_for_what_would_be_deleted(self):
        conflict = MIRROR.replace("-mirror", "-conflict")
        found = parse(conflict.replace("-blH", "-bnlH").replace("pre.", "prce."))
        self.assertEqual((found["deletes"], found["mode"]), (False, "conflict"))

    def test_everything_else_is_refused(self):
        tables = {
            "no shell": ["", None],
            "no command for this key": [
                "id",
                "sh -c id",
                "bash",
                "scp -t /srv/data",
                MIRROR.replace("ha-pair-sync-receive take %s" % TOKEN, "rsync"),
                MIRROR.replace(" --server", " rsync --server"),
                "ha-pair-sync-receive commit data",
                "ha-pair-sync-receive take data",
                "/usr/bin/rsync --server -blHogDtpre.iLsfxCIvu . /srv/data/",
                "rsync -a /etc/ /srv/data/",
                "rsync --daemon --server . /srv/data/",
                "env rsync --server . /srv/data/",
                "ha-pair-sync-receive",
                "ha-pair-sync-receive ask data more",
                "ha-pair-sync-receive begin data",
                "ha-pair-sync-receive ask data; id",
                "ha-pair-sync-receive ask data && id",
                "internal-sftp",
            ],
            "is not one of file_sync_directories": [
                "ha-pair-sync-receive ask other",
                "ha-pair-sync-receive ask ../data",
                "ha-pair-sync-receive ask $(id)",
                "ha-pair-sync-receive ask data;id",
                MIRROR.replace("/srv/data/", "/etc/"),
                MIRROR.replace("/srv/data/", "/"),
                MIRROR.replace("/srv/data/", "/srv/data"),
                MIRROR.replace("/srv/data/", "/srv/data/../../etc/"),
                MIRROR.replace("/srv/data/", "/srv/data//"),
                MIRROR.replace("/srv/data/", "/srv/data/ /etc/"),
                MIRROR + " ; id",
                MIRROR + "; id",
                MIRROR + "`id`",
                MIRROR + " | sh",
                MIRROR + " > /etc/passwd",
            ],
            "is not what ha-pair-sync asks for": [
                # What would send our files, or read and write elsewhere.
                MIRROR.replace("--server ", "--server --sender "),
                MIRROR.replace("--delete", "--sender"),
                MIRROR.replace("--delete", "--delete-excluded"),
                MIRROR.replace("--delete", "--remove-source-files"),
                MIRROR.replace("--delete", "--log-file=/etc/passwd"),
                MIRROR.replace("--delete", "--files-from=/etc/passwd"),
                MIRROR.replace("--delete", "--temp-dir=/etc"),
                MIRROR.replace("--delete", "--link-dest=/etc"),
                MIRROR.replace("--delete", "--copy-dest /etc"),
                MIRROR.replace("--delete", "--keep-dirlinks"),
                MIRROR.replace("--delete", "--write-devices"),
                MIRROR.replace("--delete", "--inplace"),
                MIRROR.replace("--delete", "--force"),
                MIRROR.replace("--delete", "--config=/x"),
                MIRROR.replace("--delete", "-e sh"),
                MIRROR.replace("--delete", "/etc"),
                MIRROR.replace("--timeout=30", "--timeout=30;id"),
                MIRROR.replace("--timeout=30", "--timeout=-1"),
                MIRROR.replace("--log-format=%i", "--log-format=%o"),
                MIRROR.replace(".ha-pair-partial", "/etc"),
                # s: the words come later, and nobody would see them. K, L, k: by links. b and its company are needed.
                MIRROR.replace("-blHogDtpre.", "-blHogDtprse."),
                MIRROR.replace("-blHogDtpre.", "-blHogDtprKe."),
                MIRROR.replace("-blHogDtpre.", "-bLHogDtpre."),
                MIRROR.replace("-blHogDtpre.", "-lHogDtpre."),
                MIRROR.replace("-blHogDtpre.iLsfxCIvu", "-blHogDtpr"),
                MIRROR.replace("-blHogDtpre.iLsfxCIvu ", ""),
                MIRROR.replace("--backup-dir " + KEPT, "--backup-dir %s --backup-dir %s" % (KEPT, KEPT)),
                "ha-pair-sync-receive take %s --server . /srv/data/" % TOKEN,
            ],
            "is not what this node answered": [
                MIRROR.replace(TOKEN, TOKEN[1:]),
                MIRROR.replace(TOKEN, TOKEN.upper()),
                "ha-pair-sync-receive commit data x",
            ],
            "is no directory for what is kept": [
                MIRROR.replace(KEPT, "/etc"),
                MIRROR.replace(KEPT, "/var/lib/ha-pair/sync/kept/more/20261122T061452.123Z-mirror"),
                MIRROR.replace(KEPT, KEPT + "/../../../../../../etc"),
                MIRROR.replace(KEPT, "/var/lib/ha-pair/sync/kept/data/../data/20261122T061452.123Z-mirror"),
                MIRROR.replace("-mirror", "-other"),
                MIRROR.replace("-mirror", "-mirrorx"),
            ],
            "is missing, without which files would be lost": [
                MIRROR.replace("--backup-dir %s " % KEPT, ""),
                MIRROR.replace("--partial-dir .ha-pair-partial ", ""),
            ],
            "that must not delete": [MIRROR.replace("-mirror", "-conflict"), MIRROR.replace("-mirror", "-first")],
            "unbalanced quotes": [MIRROR + " '", MIRROR + " \\"],
            "too long, or holds signs": [
                MIRROR + "\nid",
                MIRROR + "\0",
                "ha-pair-sync-receive ask data\n",
                "ha-pair-sync-receive ask d\xe4ta",
                MIRROR + " " * 5000,
            ],
        }
        for words, commands in tables.items():
            for command in commands:
                with self.assertRaises(RefusedError) as caught:
                    self.assertEqual(parse(command), command)
                self.assertIn(words, str(caught.exception), command)


class Peer(object):
    """A node whose state is told."""

    informant = "ha-pair-notify.service"

    def __init__(self, *states):
        self.settings = {"node": "node-b", "peer": "node-a", "directories": DIRECTORIES}
        self.states, self.saved, self.known, self.owned = list(states), None, None, False
        self.known_token, self.noted = TOKEN, None

    def ownership(self):
        return self.states.pop(0) if len(self.states) > 1 else self.states[0]

    def marker(self, _name):
        return self.known

    def owned_since(self, _when):
        return self.owned

    def filling(self, _name):
        return self.noted

    def note_filling(self, _name, source):
        self.noted = source

    def forget_filling(self, _name):
        self.noted = None

    def token(self, _name):
        return self.known_token

    def save_marker(self, _name, marker):
        self.saved = marker

    def now(self):
        return 1000.0

    def kept(self, name):
        return kept(name)

    def mount(self, _name, _marker):
        return "/srv"

    def is_empty(self, _name):
        return False

    def lock(self, _name, _holder):
        return os.open(os.devnull, os.O_RDONLY)


class ServeTest(unittest.TestCase):
    def program(self, text):
        directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, directory)
        path = os.path.join(directory, "rsync")
        with open(path, "w") as target:
            target.write(text)
        os.chmod(path, 0o755)
        return path

    def test_nothing_is_taken_while_this_node_is_owner_or_does_not_know(self):
        for state, words in (("owner", "is owner itself"), ("unknown", "does not know whether it is owner")):
            with self.assertRaises(RefusedError) as caught:
                sync_receive.transfer(Peer(state), parse(MIRROR), "/nowhere")
            self.assertIn(words, str(caught.exception))
            with self.assertRaises(RefusedError):
                sync_receive.commit(Peer(state), COMMIT, sync_marker.render(marker("node-a")))

    def test_a_transfer_ends_when_this_node_becomes_owner(self):
        rsync = self.program("#!/bin/sh\nexec sleep 60\n")
        with self.assertRaises(RefusedError) as caught:
            sync_receive.transfer(Peer("standby", "standby", "owner"), parse(MIRROR), rsync)
        self.assertIn("became owner", str(caught.exception))

    def test_rsync_gets_the_words_and_nothing_of_the_environment(self):
        rsync = self.program('#!/bin/sh\n[ "$1" = --server ] && [ -z "$SSH_ORIGINAL_COMMAND$RSYNC_RSH" ] && exit 5\n')
        os.environ["RSYNC_RSH"] = "id"
        self.addCleanup(os.environ.pop, "RSYNC_RSH")
        self.assertEqual(sync_receive.transfer(Peer("standby"), parse(MIRROR), rsync), 5)

    def test_what_was_decided_by_an_answer_that_is_no_longer_so_is_refused(self):
        peer = Peer("standby")
        peer.known_token = TOKEN[::-1]
        for act in (
            lambda: sync_receive.transfer(peer, parse(MIRROR), "/nowhere"),
            lambda: sync_receive.commit(peer, COMMIT, sync_marker.render(marker("node-a"))),
        ):
            with self.assertRaises(RefusedError) as caught:
                act()
            self.assertIn("since the round began; the next round looks again", str(caught.exception))
        self.assertIsNone(peer.saved)

    def test_who_begins_to_fill_a_directory_is_noted_until_it_is_full(self):
        peer, given = Peer("standby"), marker("node-a")
        fill = dict(COMMIT, verb="fill")
        self.assertEqual(parse("ha-pair-sync-receive fill data " + TOKEN), fill)
        sync_receive.fill(peer, fill, sync_marker.render(given))
        self.assertEqual((peer.noted, peer.saved), (sync_marker.identity(given), None))
        sync_receive.commit(peer, COMMIT, sync_marker.render(given))
        self.assertIsNone(peer.noted)
        peer.known = dict(marker("node-a"), committed_at=5.0)
        with self.assertRaises(RefusedError) as caught:
            sync_receive.fill(peer, fill, sync_marker.render(given))
        self.assertIn("has a history here", str(caught.exception))

    def test_one_that_wrote_files_of_its_own_lets_nobody_delete(self):
        peer = Peer("standby")
        peer.known = dict(marker("node-b"), unsent=True)
        with self.assertRaises(RefusedError) as caught:
            sync_receive.transfer(peer, parse(MIRROR), "/nowhere")
        self.assertIn("nothing of what it wrote may be deleted", str(caught.exception))

    def test_a_marker_is_only_taken_from_the_peer_and_never_an_older_one(self):
        given = marker("node-a", 3)
        peer = Peer("standby")
        sync_receive.commit(peer, COMMIT, sync_marker.render(given))
        self.assertEqual(peer.saved, dict(given, committed_at=1000.0, mount="/srv"))
        for sent, known, words in (
            (marker("node-b", 3), None, "names node-b as source"),
            (marker("node-c", 3), None, "the peer is node-a"),
            (given, marker("node-a", 4), "a newer source was here"),
            (given, marker("node-b", 3), "a newer source was here"),
        ):
            peer.known = known
            with self.assertRaises(RefusedError) as caught:
                sync_receive.commit(peer, COMMIT, sync_marker.render(sent))
            self.assertIn(words, str(caught.exception))
        for junk in ("", "{}", "[]", "null", '{"schema": 1}', "x" * 10):
            with self.assertRaises(RefusedError):
                sync_receive.commit(Peer("standby"), COMMIT, junk)

    def test_main_says_why_it_refuses_and_answers_what_it_is_asked(self):
        for command, code, out, err in (
            ("id", sync_receive.REFUSED, "", "ha-pair-sync-receive: 'id' is no command for this key\n"),
            ("ha-pair-sync-receive ask data", 0, '"ownership": "standby"', ""),
        ):
            streams = sys.stdout, sys.stderr
            # Text of either Python.
            sys.stdout, sys.stderr = (io.BytesIO() if sys.version_info[0] == 2 else io.StringIO() for _each in "ab")
            try:
                found = sync_receive.main(Peer("standby"), {"SSH_ORIGINAL_COMMAND": command})
                said = sys.stdout.getvalue(), sys.stderr.getvalue()
            finally:
                sys.stdout, sys.stderr = streams
            self.assertEqual((found, said[1]), (code, err))
            self.assertIn(out, said[0])
            if out:
                self.assertEqual(json.loads(said[0])["node"], "node-b")


if __name__ == "__main__":
    unittest.main()
