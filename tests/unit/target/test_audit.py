# Copyright: duplex.ha_pair contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What SELinux denied."""

from __future__ import absolute_import, division, print_function

import io
import json
import os
import shutil
import tempfile
import unittest

from ansible_collections.duplex.ha_pair.plugins.module_utils._el import audit

from module_runs import ModuleRun, needs_ansible

__metaclass__ = type


FIFO = (
    'type=AVC msg=audit(1795249190.250:411): avc:  denied  { write } for  pid=812 comm="keepalived" name="notify" '
    'dev="tmpfs" ino=901 scontext=system_u:system_r:keepalived_t:s0 '
    "tcontext=system_u:object_r:keepalived_var_run_t:s0 tclass=fifo_file permissive=0"
)
CONNECT = (
    'type=AVC msg=audit(1795249191.000:412): avc:  denied  { name_connect } for  pid=900 comm="nginx" dest=8080 '
    "scontext=system_u:system_r:httpd_t:s0 tcontext=system_u:object_r:http_cache_port_t:s0 tclass=tcp_socket "
    "permissive=0"
)
BIND = (
    'type=AVC msg=audit(1795249191.100:413): avc:  denied  { name_bind } for  pid=900 comm="nginx" src=8444 '
    "scontext=system_u:system_r:httpd_t:s0 tcontext=system_u:object_r:unreserved_port_t:s0 tclass=tcp_socket "
    "permissive=0"
)
# A path with a blank in it is told in hexadecimal.
PAGE = (
    'type=AVC msg=audit(1795249192.000:414): avc:  denied  { open read } for  pid=900 comm="nginx" '
    'path=2F7372762F6F6E6520706167652E68746D6C dev="dm-0" ino=77 scontext=system_u:system_r:httpd_t:s0 '
    "tcontext=unconfined_u:object_r:var_t:s0 tclass=file permissive=1"
)
SYSTEMD = (
    'type=AVC msg=audit(1795249193.000:415): avc:  denied  { execute } for  pid=950 comm="(r-notify)" '
    'path="/usr/libexec/keepalived/ha-pair-notify" dev="dm-0" ino=78 scontext=system_u:system_r:init_t:s0 '
    "tcontext=system_u:object_r:keepalived_unconfined_script_exec_t:s0 tclass=file permissive=0"
)
USER = (
    "type=USER_AVC msg=audit(1795249194.000:416): pid=1 uid=0 auid=4294967295 ses=4294967295 "
    "subj=system_u:system_r:init_t:s0 msg='avc:  denied  { start } for auid=n/a uid=0 gid=0 "
    'path="/usr/lib/systemd/system/keepalived.service" cmdline="" scontext=system_u:system_r:keepalived_t:s0 '
    'tcontext=system_u:object_r:keepalived_unit_file_t:s0 tclass=service permissive=0  exe="/usr/lib/systemd/systemd" '
    "sauid=0 hostname=? addr=? terminal=?'"
)
NOBODYS = (
    'type=AVC msg=audit(1795249195.000:417): avc:  denied  { read } for  pid=5 comm="chronyd" name="x" dev="dm-0" '
    "scontext=system_u:system_r:chronyd_t:s0 tcontext=system_u:object_r:etc_t:s0 tclass=file permissive=0"
)
NO_DENIALS = (
    "type=SERVICE_START msg=audit(1795249190.000:410): pid=1 uid=0 subj=system_u:system_r:init_t:s0 msg='unit=nginx'",
    'type=AVC msg=audit(1795249190.000:409): avc:  granted  { load_policy } for  pid=9 comm="load_policy" '
    "scontext=system_u:system_r:init_t:s0 tcontext=system_u:object_r:security_t:s0 tclass=security",
    "type=USER_AVC msg=audit(1795249190.000:408): pid=700 uid=81 msg='avc:  received policyload notice (seqno=2)'",
    "",
)
KERNEL = (
    'audit: type=1400 audit(1795249196.500:6): avc:  denied  { create } for  pid=812 comm="keepalived" name="notify" '
    "scontext=system_u:system_r:keepalived_t:s0 tcontext=system_u:object_r:keepalived_var_run_t:s0 tclass=fifo_file "
    "permissive=0"
)
DOMAINS, TARGETS = ["keepalived_t", "httpd_t"], ["keepalived_unconfined_script_exec_t"]
PATHS = ["/usr/libexec/keepalived"]
EVERYTHING = [FIFO, CONNECT, BIND, PAGE, SYSTEMD, USER, NOBODYS] + list(NO_DENIALS)


def told(lines, since=0.0):
    found = audit.chosen(audit.parse_log(lines), since, DOMAINS, TARGETS, PATHS)
    return [audit.problem(denial) for denial in found]


class RecordTest(unittest.TestCase):
    def test_a_record_of_the_kernel(self):
        self.assertEqual(
            audit.parse_record(FIFO),
            {
                "at": 1795249190.25,
                "permissions": ["write"],
                "source": "keepalived_t",
                "target": "keepalived_var_run_t",
                "class": "fifo_file",
                "command": "keepalived",
                "object": "notify",
                "port": None,
                "enforced": True,
            },
        )

    def test_a_record_of_a_program(self):
        denial = audit.parse_record(USER)
        self.assertEqual((denial["source"], denial["class"]), ("keepalived_t", "service"))
        self.assertEqual(denial["object"], "/usr/lib/systemd/system/keepalived.service")

    def test_hexadecimal_text_and_a_permissive_policy(self):
        denial = audit.parse_record(PAGE)
        self.assertEqual((denial["object"], denial["enforced"]), ("/srv/one page.html", False))

    def test_a_name_that_only_looks_like_hexadecimal(self):
        self.assertEqual(audit.parse_record(FIFO.replace('"notify"', '"CAFE"'))["object"], "CAFE")

    def test_what_is_no_denial(self):
        self.assertEqual(audit.parse_log(NO_DENIALS), [])

    def test_the_journal_in_its_two_ways(self):
        entries = [
            {"_TRANSPORT": "kernel", "MESSAGE": KERNEL, "__REALTIME_TIMESTAMP": "1795249200000000"},
            {
                "_TRANSPORT": "audit",
                "MESSAGE": "AVC " + CONNECT[CONNECT.index("avc:") :],
                "_SOURCE_REALTIME_TIMESTAMP": "1795249197500000",
                "__REALTIME_TIMESTAMP": "1795249200000000",
            },
            {"_TRANSPORT": "kernel", "MESSAGE": "avc: nothing of it", "__REALTIME_TIMESTAMP": "1795249200000000"},
            {"_TRANSPORT": "kernel", "MESSAGE": [97, 118, 99, 58], "__REALTIME_TIMESTAMP": "1795249200000000"},
        ]
        lines = [json.dumps(entry) for entry in entries] + ["avc: no JSON", ""]
        found = audit.parse_journal(lines)
        self.assertEqual([denial["at"] for denial in found], [1795249196.5, 1795249197.5])
        self.assertEqual([denial["source"] for denial in found], ["keepalived_t", "httpd_t"])


class ChosenTest(unittest.TestCase):
    def test_each_with_place_and_cure(self):
        self.assertEqual(
            told(EVERYTHING),
            [
                "SELinux denied keepalived (keepalived_t) write on notify (fifo_file, keepalived_var_run_t); "
                "deploy the node with keepalived_manage_selinux: true",
                "SELinux denied nginx (httpd_t) name_connect on port 8080 (tcp_socket, http_cache_port_t); "
                "run `setsebool -P httpd_can_network_connect on` there",
                "SELinux denied nginx (httpd_t) name_bind on port 8444 (tcp_socket, unreserved_port_t); "
                "run `semanage port -a -t http_port_t -p tcp 8444` there",
                "SELinux would deny nginx (httpd_t) open read on /srv/one page.html (file, var_t); give what nginx "
                "reads the type httpd_sys_content_t by `semanage fcontext`, then run `restorecon -R`",
                "SELinux denied (r-notify) (init_t) execute on /usr/libexec/keepalived/ha-pair-notify (file, "
                "keepalived_unconfined_script_exec_t); run `restorecon -R /usr/libexec/keepalived /etc/keepalived "
                "/run/keepalived` there",
                "SELinux denied a process (keepalived_t) start on /usr/lib/systemd/system/keepalived.service (service, "
                "keepalived_unit_file_t); update the package selinux-policy there, then ask "
                "`ausearch -m AVC,USER_AVC -ts today | audit2why`",
            ],
        )

    def test_a_check_that_connects_from_elsewhere(self):
        self.assertEqual(
            told([CONNECT.replace("httpd_t", "keepalived_t").replace('"nginx"', '"check"')]),
            [
                "SELinux denied check (keepalived_t) name_connect on port 8080 (tcp_socket, http_cache_port_t); move "
                "the program that connects to /usr/libexec/keepalived, then run `restorecon -R` on that directory"
            ],
        )

    def test_each_kind_once_with_its_number(self):
        again = CONNECT.replace("pid=900", "pid=901").replace("191.000", "199.000")
        lines = told([CONNECT, again, BIND])
        self.assertEqual(len(lines), 2)
        self.assertIn(" (tcp_socket, http_cache_port_t), 2 times; ", lines[1])

    def test_only_since(self):
        self.assertEqual(len(told(EVERYTHING, 1795249193.5)), 1)
        self.assertEqual(told(EVERYTHING, 1795249194.5), [])

    def test_our_programs_whatever_they_run_as(self):
        self.assertEqual(told([NOBODYS]), [])
        self.assertEqual(len(told([NOBODYS.replace("chronyd", "ha-pair-prober")])), 1)


@needs_ansible
class ModuleTest(ModuleRun):
    def setUp(self):
        self.directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.directory)
        self.log, self.mark = self.path("audit.log"), self.path("deployed")
        self.write("deployed", "", 1795249190.5)

    def path(self, name):
        return os.path.join(self.directory, name)

    def write(self, name, text, at):
        with io.open(self.path(name), "w", encoding="utf-8") as target:
            target.write("" + text)
        os.utime(self.path(name), (at, at))

    def run_module(self):
        arguments = {"log": self.log, "mark": self.mark, "domains": DOMAINS, "targets": TARGETS, "paths": PATHS}
        return self.run_named("selinux_denials", arguments)

    def test_the_log_and_what_was_rotated_away_since(self):
        self.write("audit.log", BIND + "\n", 1795249200.0)
        self.write("audit.log.1", FIFO + "\n" + CONNECT + "\n", 1795249191.0)
        self.write("audit.log.2", PAGE + "\n", 1795249189.0)  # not written to since, whatever it says
        self.write("audit.log.old", PAGE + "\n", 1795249200.0)
        found = self.run_module()
        self.assertEqual((found["source"], found["since"], found["changed"]), (self.log, 1795249190.5, False))
        self.assertEqual([denial["port"] for denial in found["denials"]], ["8080", "8444"])
        self.assertEqual(len(found["problems"]), 2)

    def test_without_a_mark_since_the_boot(self):
        self.write("audit.log", BIND + "\n", 1795249200.0)
        os.unlink(self.mark)
        with io.open("/proc/stat") as source:
            boot = next(line.split()[1] for line in source if line.startswith("btime"))
        self.assertEqual(self.run_module()["since"], float(boot))

    def test_without_selinux_nothing_is_looked_for(self):
        if os.path.exists("/sys/fs/selinux/enforce"):
            self.skipTest("this machine has SELinux")
        self.assertEqual((self.run_module()["source"], self.run_module()["problems"]), ("none", []))

    def test_a_log_that_cannot_be_read(self):
        os.mkdir(self.log)
        self.assertEqual(
            self.run_module()["msg"],
            "%s: cannot be read (Is a directory), so nobody knows what SELinux denied; run as root" % self.log,
        )
