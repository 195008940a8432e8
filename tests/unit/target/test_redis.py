# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of Redis, and which of a pair is primary."""

from __future__ import absolute_import, division, print_function

import json
import socket
import threading
import unittest

from ansible_collections.duplex.ha_pair.plugins.module_utils._node import redis, redis_role, state
from ansible_collections.duplex.ha_pair.plugins.module_utils._node.errors import NodeError

__metaclass__ = type

PRIMARY_INFO = """# Server\r
redis_version:7.0.15\r
uptime_in_seconds:100\r
loading:0\r
# Replication\r
role:master\r
connected_slaves:2\r
slave0:ip=192.0.2.12,port=6379,state=online,offset=400,lag=0\r
slave1:ip=192.0.2.13,port=6379,state=wait_bgsave,offset=0,lag=0\r
master_repl_offset:420\r
"""
REPLICA_INFO = """redis_version:6.2.7\r
uptime_in_seconds:7\r
loading:0\r
role:slave\r
master_host:192.0.2.11\r
master_port:6379\r
master_link_status:up\r
master_sync_in_progress:0\r
slave_repl_offset:400\r
"""
SETTINGS = {
    "instance": "web",
    "own": "192.0.2.11",
    "peer": "192.0.2.12",
    "port": 6379,
    "password": "not-to-be-seen",
    "first": True,
}
PEER = "192.0.2.12:6379"


class Server(object):
    """Answers one connection, a canned answer for each command."""

    def __init__(self, *answers):
        self._answers, self.heard = answers, b""
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(1)
        self._listener.settimeout(10)
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._run)
        self._thread.daemon = True
        self._thread.start()

    def _run(self):
        connection, _peer = self._listener.accept()
        connection.settimeout(10)
        for answer in self._answers:
            self.heard += connection.recv(65536)
            for piece in answer if isinstance(answer, list) else [answer]:
                connection.sendall(piece)
        connection.close()

    def close(self):
        self._thread.join(10)
        self._listener.close()


class RedisTest(unittest.TestCase):
    def ask(self, answers, *words, **options):
        server = Server(*answers)
        self.addCleanup(server.close)
        connection = redis.Redis("127.0.0.1", server.port, timeout=10, **options)
        self.addCleanup(connection.close)
        try:
            return connection.command(*words)
        finally:
            connection.close()
            server.close()
            self.heard = server.heard

    def test_says_words_with_their_length(self):
        self.assertEqual(redis.encode(["SET", u"k\u00e9y", 1]), b"*3\r\n$3\r\nSET\r\n$4\r\nk\xc3\xa9y\r\n$1\r\n1\r\n")

    def test_reads_every_kind_of_answer(self):
        table = [
            (b"+PONG\r\n", "PONG"),
            (b":42\r\n", 42),
            (b"$-1\r\n", None),
            (b"$7\r\nab\r\nc\xc3\xa9\r\n", u"ab\r\nc\u00e9"),
            ([b"*2\r\n$1\r\n", b"a\r\n:", b"3\r\n"], ["a", 3]),
        ]
        for answer, expected in table:
            self.assertEqual(self.ask([answer], "PING"), expected)

    def test_logs_in_with_and_without_a_name(self):
        self.ask([b"+OK\r\n", b"+PONG\r\n"], "PING", password="pw")
        self.assertTrue(self.heard.startswith(b"*2\r\n$4\r\nAUTH\r\n$2\r\npw\r\n"))
        self.ask([b"+OK\r\n", b"+PONG\r\n"], "PING", password="pw", username="app")
        self.assertTrue(self.heard.startswith(b"*3\r\n$4\r\nAUTH\r\n$3\r\napp\r\n$2\r\npw\r\n"))

    def test_tells_a_refusal_from_silence(self):
        with self.assertRaises(redis.RedisError) as refused:
            self.ask([b"-NOAUTH Authentication required.\r\n"], "INFO")
        self.assertEqual(refused.exception.refused, "NOAUTH")
        self.assertIn("NOAUTH Authentication required.", str(refused.exception))
        with self.assertRaises(redis.RedisError) as junk:
            self.ask([b"HTTP/1.1 400 Bad Request\r\n"], "INFO")
        self.assertIsNone(junk.exception.refused)
        self.assertIn("is not that of Redis", str(junk.exception))
        with self.assertRaises(redis.RedisError) as silent:
            redis.Redis("127.0.0.1", 1, timeout=5)
        self.assertIsNone(silent.exception.refused)
        self.assertTrue(str(silent.exception).startswith("127.0.0.1:1: "))

    def test_reads_the_part_of_a_server(self):
        found = redis.replication(redis.parse_info(PRIMARY_INFO))
        self.assertEqual((found["role"], found["offset"], found["replicas"]), ("primary", 420, ["192.0.2.12"]))
        found = redis.replication(redis.parse_info(REPLICA_INFO))
        self.assertEqual((found["role"], found["of"], found["offset"]), ("replica", "192.0.2.11:6379", 400))
        self.assertTrue(found["link"] and found["synced"])

    def test_reads_the_histories_and_how_many_keys_there_are(self):
        text = PRIMARY_INFO + "master_replid:%s\r\nmaster_replid2:%s\r\ndb0:keys=3,expires=1\r\ndb12:keys=4\r\n"
        found = redis.replication(redis.parse_info(text % ("a" * 40, "0" * 40)))
        self.assertEqual((found["histories"], found["keys"]), (["a" * 40], 7))
        found = redis.replication(redis.parse_info(PRIMARY_INFO))
        self.assertEqual((found["histories"], found["keys"]), ([], 0))

    def test_tells_a_replica_that_has_data_from_one_that_waits_for_them(self):
        down = REPLICA_INFO.replace("status:up", "status:down")
        table = [
            (down + "master_link_down_since_seconds:3\r\n", True),
            (down + "master_link_down_since_seconds:-1\r\n", False),
            # Redis before 6.2.2, which never had a link: since 1970. And no link is older than its server.
            (down + "master_link_down_since_seconds:1700000000\r\n", False),
            (down + "master_link_down_since_seconds:7\r\n", True),
            (down.replace("in_progress:0", "in_progress:1") + "master_link_down_since_seconds:3\r\n", False),
        ]
        for text, synced in table:
            found = redis.replication(redis.parse_info(text))
            self.assertEqual((found["link"], found["synced"]), (False, synced), text)

    def test_refuses_what_is_no_redis(self):
        with self.assertRaises(redis.RedisError) as caught:
            redis.replication({"redis_mode": "sentinel"})
        self.assertEqual(str(caught.exception), "INFO says nothing of a role; see whether that is Redis or Valkey")


OURS = "192.0.2.11:6379"


def primary(offset=100, mark=(1, OURS), histories=("one",)):
    return {
        "role": "primary",
        "loading": False,
        "offset": offset,
        "of": None,
        "link": None,
        "synced": True,
        "uptime": 99,
        "generation": mark[0],
        "named": mark[1],
        "histories": list(histories),
    }


def replica(offset=100, of=PEER, link=True, synced=True, uptime=99, mark=(0, None)):
    found = primary(offset, mark, ())
    found.update({"role": "replica", "of": of, "link": link, "synced": synced, "uptime": uptime})
    return found


LOADING = {"role": None, "loading": True}


class DecideTest(unittest.TestCase):
    def check(self, table):
        for vrrp, own, peer, away, first, expected in table:
            found = redis_role.decide(vrrp, own, peer, away, first, OURS, PEER)
            self.assertEqual(found[0], expected, (vrrp, own, peer, away, first, found))

    def test_a_whole_pair_is_left_alone(self):
        self.check([
            ("MASTER", primary(), replica(), 0, True, None),
            ("BACKUP", replica(), primary(), 0, False, None),
            ("FAULT", replica(), primary(), 0, False, None),
            ("MASTER", None, primary(), 0, True, None),
            ("MASTER", LOADING, primary(), 0, True, None),
            ("MASTER", replica(), LOADING, 0, True, None),
        ])

    def test_the_owner_of_the_vip_takes_over_when_the_peer_is_away(self):
        self.check([
            ("MASTER", replica(link=False), None, 0.9, False, None),
            ("MASTER", replica(link=False), None, 1.0, False, "promote"),
            ("BACKUP", replica(link=False), None, 4.9, False, None),
            ("BACKUP", replica(link=False), None, 5.0, False, "promote"),
            ("FAULT", replica(link=False), None, 99, False, None),
            (None, replica(link=False), None, 99, True, None),
            ("MASTER", primary(), None, 99, True, None),
        ])

    def test_data_of_an_earlier_life_wait_for_the_peer(self):
        old = {"link": False, "synced": False}
        self.check([
            ("MASTER", replica(uptime=19, **old), None, 19, True, None),
            ("MASTER", replica(uptime=25, **old), None, 19, True, None),
            ("MASTER", replica(uptime=25, **old), None, 20, True, "promote"),
        ])

    def test_the_role_is_handed_over_once_the_data_are_there(self):
        self.check([
            ("MASTER", replica(link=False), primary(), 0, True, None),
            ("MASTER", replica(), primary(), 0, True, "hand over"),
            ("MASTER", replica(of="192.0.2.99:6379"), primary(), 0, True, "follow"),
        ])

    def test_of_two_replicas_the_one_with_more_data_goes_first(self):
        self.check([
            ("MASTER", replica(50), replica(60), 0, True, None),
            ("BACKUP", replica(60), replica(50), 0, False, "promote"),
            ("MASTER", replica(0), replica(0), 0, False, "promote"),
            ("BACKUP", replica(0), replica(0), 0, True, None),
            (None, replica(0), replica(0), 0, True, "promote"),
            (None, replica(0), replica(0), 0, False, None),
        ])

    def test_the_data_of_the_later_primary_go_first(self):
        old, new = {"mark": (1, OURS)}, {"mark": (2, PEER)}
        self.check([
            # Both lost power, the peer a day after us; Redis has no offsets after a start from its file.
            (None, replica(1, synced=False, **old), replica(1, synced=False, **new), 0, True, None),
            (None, replica(1, synced=False, **new), replica(1, synced=False, **old), 0, False, "promote"),
            # We are empty and have the VIP, and the peer was restarted before we had its data.
            ("MASTER", replica(1, synced=False), replica(1, synced=False, **old), 0, True, None),
            ("BACKUP", replica(1, synced=False, **old), replica(900), 0, False, "promote"),
        ])

    def test_of_two_with_the_same_mark_the_one_that_was_primary_goes_first(self):
        ours, theirs = {"mark": (3, OURS)}, {"mark": (3, PEER)}
        self.check([
            (None, replica(1, synced=False, **theirs), replica(1, synced=False, **theirs), 0, True, None),
            (None, replica(1, synced=False, **ours), replica(1, synced=False, **ours), 0, False, "promote"),
            ("MASTER", replica(900, **theirs), replica(1, synced=False, **theirs), 0, True, None),
            # Promoted from the same one while they were cut off: the marks say nothing.
            ("MASTER", replica(1, **ours), replica(1, **theirs), 0, False, "promote"),
            ("BACKUP", replica(1, **ours), replica(1, synced=False, **theirs), 0, False, "promote"),
            ("MASTER", replica(1, synced=False, **ours), replica(1, **theirs), 0, True, None),
            # Of an address that the pair had before.
            ("MASTER", replica(mark=(3, "192.0.2.99:1")), replica(mark=(3, "192.0.2.99:1")), 0, True, "promote"),
        ])

    def test_follows_nobody_with_older_data(self):
        nowhere = {"of": "127.0.0.1:1", "link": False, "synced": False}
        self.check([
            ("BACKUP", replica(mark=(2, OURS), **nowhere), primary(mark=(1, PEER)), 0, True, "promote"),
            ("BACKUP", replica(mark=(2, OURS), **nowhere), primary(mark=(2, OURS)), 0, True, "follow"),
            ("BACKUP", replica(mark=(2, OURS), **nowhere), primary(mark=(3, PEER)), 0, True, "follow"),
        ])

    def test_a_primary_writes_its_mark(self):
        self.check([
            ("MASTER", primary(mark=(1, PEER)), replica(), 0, True, redis_role.WRITE_MARK),
            ("MASTER", primary(mark=(0, None)), None, 9, True, redis_role.WRITE_MARK),
            ("MASTER", primary(mark=(0, None)), LOADING, 0, True, redis_role.WRITE_MARK),
        ])
        for text, mark in (
            ("7 192.0.2.11:6379", (7, OURS)),
            (None, (0, None)),
            ("", (0, None)),
            ("7", (0, None)),
            ("x y", (0, None)),
        ):
            self.assertEqual(redis_role.read_mark(text), mark)

    def test_of_two_primaries_the_one_that_was_written_less_gives_way(self):
        later = {"mark": (2, PEER), "histories": ("two", "one")}
        self.check([
            # Frozen, and the VIP is back at once.
            ("MASTER", primary(100), primary(900, **later), 0, True, "follow"),
            ("BACKUP", primary(900, **later), primary(100), 0, False, None),
            # No client could reach the peer, which has made itself primary.
            ("MASTER", primary(900), primary(100, **later), 0, True, None),
            ("MASTER", primary(100, **later), primary(900), 0, True, "follow"),
        ])

    def test_of_two_primaries_without_a_common_history_the_earlier_one_gives_way(self):
        # Frozen while the peer took over and was restarted, from when it counts anew.
        later = {"mark": (2, PEER), "histories": ("new",)}
        self.check([
            ("MASTER", primary(9000), primary(5, **later), 0, True, "follow"),
            ("BACKUP", primary(5, **later), primary(9000), 0, False, None),
        ])

    def test_of_two_primaries_that_nothing_tells_apart_the_owner_of_the_vip_stays(self):
        for own, peer in ((primary(7), primary(7)), (primary(7), primary(8, (1, PEER), ("new",)))):
            self.check([
                ("MASTER", own, peer, 0, False, None),
                ("BACKUP", own, peer, 0, True, "follow"),
                # The peer may have it. When it has not, both give way, and keep what they have.
                (None, own, peer, 0, True, "follow"),
            ])

    def test_says_that_something_is_lost(self):
        lost = "what was written here alone is lost"
        for own, peer, words in (
            (primary(1), primary(2), "the peer has more"),
            (primary(2), primary(1, (2, PEER), ("new",)), "the peer became it later"),
            (primary(1), primary(1), "the VIP is not here"),
        ):
            found = redis_role.decide("BACKUP", own, peer, 0, True, OURS, PEER)[1]
            self.assertEqual(found, "problem: both were primary, and %s; %s" % (words, lost))

    def test_at_most_one_of_a_pair_that_sees_the_same_is_promoted(self):
        marks = ((0, None), (1, OURS), (1, PEER), (2, PEER))
        pairs = (("MASTER", "BACKUP"), ("BACKUP", "MASTER"), (None, None), ("FAULT", None))
        table = [
            (words, offsets, (mine, yours))
            for words in pairs
            for offsets in ((5, 5), (5, 6), (6, 5))
            for mine in marks
            for yours in marks
        ]
        for words, offsets, (mine, yours) in table:
            for make in (replica, primary):
                nodes = make(offsets[0], mark=mine), make(offsets[1], mark=yours)
                one = redis_role.decide(words[0], nodes[0], nodes[1], 0, True, OURS, PEER)[0]
                other = redis_role.decide(words[1], nodes[1], nodes[0], 0, False, PEER, OURS)[0]
                self.assertNotEqual((one, other), ("promote", "promote"), (words, offsets, mine, yours))
                if "MASTER" in words:
                    self.assertNotEqual((one, other), ("follow", "follow"), (words, offsets, mine, yours))
                if make is primary:
                    # Of two primaries at least one gives way.
                    self.assertIn("follow", (one, other), (words, offsets, mine, yours))


class World(object):
    """Both servers, and what was told to them."""

    def __init__(self, vrrp, own, peer):
        self.state, self.servers = vrrp, {"127.0.0.1": own, "192.0.2.12": peer}
        self.told, self.said, self.clock, self.fails = [], [], 0.0, None

    def vrrp(self):
        return self.state

    def ask(self, address):
        found = self.servers[address]
        if isinstance(found, redis.RedisError):
            raise found
        return found

    def tell(self, address, *words):
        if self.fails:
            raise self.fails
        self.told.append((address,) + words)

    def monotonic(self):
        return self.clock

    def say(self, line):
        self.said.append(line)


class Told(object):
    """A server that says this."""

    def __init__(self, info, answers):
        self._info, self._answers = info, answers

    def status(self):
        return redis.replication(redis.parse_info(self._info))

    def command(self, *words):
        assert words == ("GET", redis_role.MARK)
        return self._answers.pop(0)


AWAY = redis.RedisError("192.0.2.12:6379: no connection within 0.5 s")


class FollowerTest(unittest.TestCase):
    def test_the_peer_has_to_be_away_all_the_time(self):
        world = World("MASTER", replica(link=False), AWAY)
        follower = redis_role.Follower(SETTINGS, world)
        follower.step()
        world.clock, world.servers["192.0.2.12"] = 0.9, LOADING
        follower.step()
        world.clock, world.servers["192.0.2.12"] = 1.5, AWAY
        follower.step()
        self.assertEqual(world.told, [])
        world.clock = 2.5
        self.assertEqual(follower.step(), "promote")
        self.assertEqual(
            world.told,
            [("127.0.0.1", "REPLICAOF", "NO", "ONE"), ("127.0.0.1", "SET", redis_role.MARK, "1 " + OURS)],
        )

    def test_is_not_promoted_beside_a_peer_that_is_about_to_be_primary(self):
        world = World("BACKUP", replica(mark=(4, OURS)), replica(mark=(4, OURS)))
        follower = redis_role.Follower(SETTINGS, world)
        self.assertIsNone(follower.step())
        world.servers["192.0.2.12"] = primary(mark=(4, OURS))
        follower.step()
        self.assertEqual(world.told, [])
        world.servers["192.0.2.12"] = replica(mark=(4, OURS))
        self.assertIsNone(follower.step())
        self.assertEqual(follower.step(), "promote")
        self.assertEqual(world.told[-1], ("127.0.0.1", "SET", redis_role.MARK, "5 " + OURS))

    def test_a_mark_goes_on_from_the_last_one_when_somebody_empties_redis(self):
        world = World("MASTER", primary(mark=(6, OURS)), AWAY)
        follower = redis_role.Follower(SETTINGS, world)
        follower.step()
        self.assertEqual(world.told, [])
        world.servers["127.0.0.1"] = primary(mark=(0, None))
        follower.step()
        self.assertEqual(world.told, [("127.0.0.1", "SET", redis_role.MARK, "7 " + OURS)])

    def test_says_that_a_mark_is_refused_and_tries_again(self):
        world = World("MASTER", primary(mark=(0, None)), AWAY)
        world.fails = redis.RedisError("127.0.0.1:6379: OOM command not allowed", "OOM")
        follower = redis_role.Follower(SETTINGS, world)
        follower.step()
        follower.step()
        self.assertEqual(
            world.said, ["problem: cannot write ha-pair:generation: 127.0.0.1:6379: OOM command not allowed"]
        )
        world.fails = None
        follower.step()
        self.assertEqual(len(world.told), 1)

    def test_looks_at_the_mark_of_one_that_does_not_read_its_data(self):
        info = REPLICA_INFO.replace("\r\n", "\n")
        for text, answers, mark in (
            (info, ["3 " + OURS], (3, OURS)),
            (info.replace("loading:0", "loading:1"), [], (0, None)),
        ):
            found = redis_role.look(Told(text, answers))
            self.assertEqual((found["generation"], found["named"]), mark)

    def test_tells_the_peer_to_hand_over(self):
        world = World("MASTER", replica(), primary())
        redis_role.Follower(SETTINGS, world).step()
        self.assertEqual(world.told, [("192.0.2.12", "FAILOVER", "TO", "192.0.2.11", 6379, "TIMEOUT", 2000)])

    def test_does_not_ask_again_while_the_peer_hands_over(self):
        world = World("MASTER", replica(), primary())
        follower = redis_role.Follower(SETTINGS, world)
        for world.clock in (0.0, 0.25, 1.9):
            follower.step()
        self.assertEqual(len(world.told), 1)
        world.clock = 2.1
        follower.step()
        self.assertEqual(len(world.told), 2)

    def test_gives_way(self):
        world = World("BACKUP", primary(), primary())
        redis_role.Follower(SETTINGS, world).step()
        self.assertEqual(world.told, [("127.0.0.1", "REPLICAOF", "192.0.2.12", 6379)])

    def test_says_what_it_cannot_do_and_each_thing_once(self):
        world = World("MASTER", replica(), primary())
        world.fails = redis.RedisError("192.0.2.12:6379: ERR unknown command `FAILOVER`", "ERR")
        follower = redis_role.Follower(SETTINGS, world)
        for world.clock in (0.0, 5.0, 10.0):
            self.assertIsNone(follower.step())
        self.assertEqual(
            world.said, ["problem: cannot hand over: 192.0.2.12:6379: ERR unknown command `FAILOVER`"]
        )

    def test_a_server_that_refuses_is_not_away(self):
        refusal = redis.RedisError("192.0.2.12:6379: WRONGPASS invalid password", "WRONGPASS")
        world = World("MASTER", replica(link=False), refusal)
        follower = redis_role.Follower(SETTINGS, world)
        for world.clock in (0.0, 50.0):
            self.assertIsNone(follower.step())
        self.assertEqual(world.said, ["problem: 192.0.2.12:6379: WRONGPASS invalid password"])

    def test_settings_that_are_none_are_refused_without_their_text(self):
        for text, words in (
            ("not-to-be-seen", "is not readable JSON; run the role redis again"),
            (json.dumps({"password": "not-to-be-seen"}), "missing; run the role redis again"),
        ):
            with self.assertRaises(NodeError) as caught:
                redis_role.read_settings(text)
            self.assertTrue(str(caught.exception).endswith(words))
            self.assertNotIn("not-to-be-seen", str(caught.exception))
        for port in (6379, "6379"):
            self.assertEqual(redis_role.read_settings(json.dumps(dict(SETTINGS, port=port))), SETTINGS)

    def test_believes_a_record_of_this_boot_only(self):
        record = state.apply_daemon_running(state.new_record("node-a", "boot", 1.0, ["web"]), {"pid": 1, "since": 1}, 1)
        unknown = state.render(record, 2.0)
        record = state.apply_event(record, state.parse_line('INSTANCE "web" MASTER 250'), 2.0)
        text = state.render(record, 2.0)
        gone = state.render(state.apply_daemon_gone(record, "signal", 3.0), 3.0)
        for given, boot, expected in (
            (text, "boot", "MASTER"),
            (text, "other", None),
            (unknown, "boot", None),
            (gone, "boot", None),
            (None, "boot", None),
        ):
            self.assertEqual(redis_role.vrrp_state(given, "web", boot), expected)
        self.assertIsNone(redis_role.vrrp_state(text, "other", "boot"))


if __name__ == "__main__":
    unittest.main()
