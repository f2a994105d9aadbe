"""Every command: its exit codes in both forms, its records, what scripts rely on."""

import json
import os
import re
import socket
import subprocess
import threading
import time

import pexpect
import pytest

import yaari
from yaari import UNSAFE, YAARI, check, wait_for

# ---- exit codes -------------------------------------------------------------------------------


def fails(node, code, *args, name=None, **kwargs):
    """A command that fails with `code`, in words and as JSON; gives back both errors."""
    words = node.run(*args, **kwargs)
    assert words.exit == code, words
    assert words.out == "", words
    lines = words.err.splitlines()
    while args[0] == "add" and not lines[0].startswith("yaari: "):
        lines.pop(0)  # its phases come before
    assert re.fullmatch(r"yaari: \S.*[^.]", lines[0]), words
    assert len(lines) <= 2 and all(line.startswith("hint: ") for line in lines[1:]), words
    form = node.run("--json", *args, **kwargs)
    assert form.exit == code, form
    assert form.out == "", form
    error = json.loads(form.err)
    check(error)
    assert error["type"] == "error" and error["exit"] == code
    if name is not None:
        assert error["name"] == name, error
    return words, error


class FakeNode(threading.Thread):
    """A socket that answers as it is told: a yaarid of another version, or with a bug."""

    def __init__(self, path, answers):
        super().__init__(daemon=True)
        path.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
        self.answers = answers
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(8)
        self.start()

    def run(self):
        while True:
            try:
                conn, _ = self.listener.accept()
            except OSError:
                return
            with conn, conn.makefile("rw", encoding="utf-8") as lines:
                for line in lines:
                    request = json.loads(line)
                    answer = self.answers.get(request["method"], {"error": {"code": -32603, "message": "a bug"}})
                    lines.write(json.dumps({"jsonrpc": "2.0", "id": request["id"], **answer}) + "\n")
                    lines.flush()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


HELLO = {"result": {"version": "0.1.0", "api": 1, "profile": "default", "state": "ok", "features": [], "pid": 1}}


@pytest.fixture
def fake(nodes):
    """fake({"net.status": {...}}) gives a node whose daemon is a fake."""
    made = []

    def make(answers):
        node = nodes("fake%d" % len(made))
        made.append(FakeNode(node.socket, answers))
        return node

    yield make
    for thread in made:
        thread.close()


def test_0_done(pair):
    alice, _ = pair
    assert alice.ok("send", "bob", "hello").out == ""


def test_1_condition_is_false(pair):
    alice, bob = pair
    alice.ok("inbox", "--mark-read")
    for form in ([], ["--json"]):
        result = alice.run("inbox", "--check", *form)
        assert (result.exit, result.out, result.err) == (1, "", "")
    fails(alice, 1, "config", "unset", "ui.time", name="not_set")


@pytest.mark.parametrize("args", [
    ["lgo"], ["send"], ["send", "bob", "x", "--frobnicate"], ["friend"], ["friend", "introduce", "a", "b"],
    ["status", "now"], ["log", "-n", "many"], ["log", "--since", "tomorrow"], ["--color", "blue", "status"],
    ["--time", "sometime", "status"], ["--timeout", "soon", "status"], ["-P", "UPPER", "status"],
    ["send", "bob", "x", "--wait", "long"], ["send", "bob", "x", "--wait", "read"],
    ["send", "bob", "--expires", "never", "x"], ["send", "-f", "x", "bob"], ["chat", "--tui"],
    ["init", "--restore"], ["invite", "--room", "x"], ["invite", "--qr", "big"], ["file", "list"],
    ["me", "address"], ["key", "destroy"], ["room", "ban", "x", "y"], ["friend", "set", "bob", "mood", "no"],
    ["completion", "tcsh"], ["help", "nothing"], ["rpc"], ["friend", "mute", "bob", "soon"],
    ["friend", "verify", "bob"], ["friend", "remove", "bob"], ["config", "edit"],
])
def test_64_usage(pair, args):
    alice, _ = pair
    result = alice.run(*args)
    assert result.exit == 64, result
    error = json.loads(alice.run("--json", *args).err)
    check(error)
    assert error["exit"] == 64 and error["name"] == "usage"


def test_64_says_what_was_meant(pair):
    alice, _ = pair
    words, error = fails(alice, 64, "lgo", name="usage")
    assert words.err == "yaari: unknown command 'lgo'\nhint: did you mean 'log'?\n"
    assert error["hint"] == "did you mean 'log'?"


@pytest.mark.parametrize("args,stdin", [
    (["send", "bob"], b""), (["send", "bob"], b"\n"), (["send", "bob"], b"\xff\xfe"), (["send", "bob", ""], None),
    (["send", "bob", "-"], b"x" * 16385), (["send", "bob", b"\xff"], None), (["send", b"b\xffb", "x"], None),
    (["add", "yaari:i/nonsense"], None), (["add", "-"], b"hello"), (["rpc", "net.status", "[]"], None),
    (["rpc", "net.status", "{"], None), (["peer", "add", "nowhere"], None),
])
def test_65_bad_data(pair, args, stdin):
    alice, _ = pair
    args = [os.fsdecode(a) for a in args]
    fails(alice, 65, *args, stdin=stdin)


def test_65_text_of_16_kib_is_the_longest(pair):
    alice, bob = pair
    alice.ok("send", "bob", stdin="x" * 16384 + "\n")
    count = len(alice.json("log", "bob"))
    fails(alice, 65, "send", "bob", stdin="x" * 16385, name="too_large")
    assert len(alice.json("log", "bob")) == count


def test_65_own_link_spent_link_revoked_link(pair, nodes):
    alice, bob = pair
    link = alice.ok("invite", "--no-wait").out.strip()
    fails(alice, 65, "add", link)
    alice.ok("invite", "revoke", alice.json("invite", "list")[-1]["id"])
    carol = nodes("carol").init()
    fails(carol, 65, "add", link)
    link = alice.ok("invite", "--no-wait").out.strip()
    assert carol.ok("add", link).out.startswith("alice added")
    dave = nodes("dave").init()
    fails(dave, 65, "add", link)
    alice.ok("friend", "remove", "carol", "--yes", "--forget")


def test_65_ninth_open_invite(nodes):
    node = nodes("alice").init()
    for _ in range(8):
        node.ok("invite", "--no-wait")
    fails(node, 65, "invite", "--no-wait", name="too_large")
    assert len(node.json("invite", "list")) == 8


def test_65_what_fits_two_friends_names_both(nodes):
    alice = nodes("alice").init()
    for other in ("bob", "rob"):
        alice.befriend(nodes(other).init())
    alice.ok("friend", "rename", "rob", "bob")
    assert sorted(f["name"] for f in alice.json("friend", "list")) == ["bob", "bob~2"]
    alice.ok("log", "bob~2")
    fails(alice, 65, "show", "abc")  # a message needs four characters


def test_66_no_such_thing(pair, tmp_path):
    alice, _ = pair
    fails(alice, 66, "show", "zzzzzz", name="no_such_object")
    fails(alice, 66, "edit", "zzzzzz", "text", name="no_such_object")
    fails(alice, 66, "send", "bob", "x", "--reply", "zzzzzz", name="no_such_object")
    fails(alice, 66, "invite", "revoke", "zzzzzzzz", name="no_such_object")
    fails(alice, 66, "peer", "remove", "192.0.2.1:1", name="no_such_object")
    fails(alice, 66, "why", "zzzzzz", name="no_such_object")
    fails(alice, 66, "config", "check", tmp_path / "absent.conf")


def test_67_no_such_friend_with_a_guess(pair):
    alice, _ = pair
    words, error = fails(alice, 67, "send", "bbo", "hello", name="no_such_target")
    assert words.err.splitlines() == ["yaari: no friend or room named 'bbo'",
                                      "hint: did you mean 'bob'? all names: yaari friend list"]
    assert error["code"] == -32001 and error["candidates"] == ["bob"]
    for args in (["log", "eve"], ["tail", "eve"], ["friend", "show", "eve"], ["ping", "eve"], ["read", "eve"],
                 ["key", "show", "eve"], ["request", "reject", "99"], ["request", "reject", "x"]):
        assert alice.run(*args).exit == 67, args


def test_68_not_reachable(nodes):
    alice, bob = nodes("alice").init(), nodes("bob").init()
    alice.befriend(bob)
    alice.ok("ping", "bob", "-c", "2")  # the link has settled
    bob.stop()
    wait_for(lambda: "offline" in alice.ok("friend", "list").out, 30)
    fails(alice, 68, "ping", "bob", "-c", "1", name="unreachable")
    fails(alice, 68, "send", "bob", "x", "--fail-fast", "--wait", "delivered", name="unreachable")
    assert alice.texts("bob") == []


def test_69_no_daemon(nodes):
    node = nodes("alice")
    for args in (["status"], ["log"], ["send", "bob", "x"], ["friend", "list"], ["rpc", "net.status"],
                 ["daemon", "stop"], ["daemon", "status"], ["daemon", "reload"], ["tail"], ["add", "-"]):
        if args != ["add", "-"]:
            _, error = fails(node, 69, *args, name="daemon_not_running")
            assert error["hint"] == "yaari daemon start"


def test_69_no_identity_and_locked_vault(nodes):
    node = nodes("alice")
    node.start()
    fails(node, 69, "send", "bob", "x", name="no_identity")
    assert node.run("daemon", "status").exit == 1
    read, write = os.pipe()
    os.write(write, b"secret\n")
    os.close(write)
    node.ok("init", "--name", "alice", "--passphrase-fd", str(read), pass_fds=[read])
    os.close(read)
    node.ok("key", "lock")
    fails(node, 69, "send", "bob", "x", name="locked")
    assert node.run("daemon", "status").exit == 1


def test_70_a_bug(fake):
    node = fake({"hello": HELLO})
    fails(node, 70, "status", name="rpc_error")


def test_71_a_system_call_fails(nodes):
    node = nodes("alice")
    node.config.chmod(0o600)
    for form in ([], ["--json"]):
        child = pexpect.spawn(YAARI, ["config", "edit", *form], env={**node.env, "EDITOR": "false"}, encoding="utf-8")
        child.expect(pexpect.EOF)
        child.close()
        assert child.exitstatus == 71
        assert "editor 'false' failed" in child.before


def test_73_profile_exists(nodes):
    node = nodes("alice")
    node.ok("init", "--name", "alice", "--no-start")
    fails(node, 73, "init", "--name", "alice", name="exists")
    node.start()
    fails(node, 73, "init", "--name", "alice", name="exists")
    fails(node, 73, "daemon", "start", name="exists")


def test_74_output_fails(pair):
    alice, _ = pair
    for form in ([], ["--json"]):
        with open("/dev/full", "wb") as full:
            result = alice.run("status", *form, stdout=full)
        assert result.exit == 74, result
        assert "cannot write to stdout" in result.err


def test_75_time_ran_out(nodes):
    alice, bob = nodes("alice").init(), nodes("bob").init()
    alice.befriend(bob)
    fails(alice, 75, "tail", "-C", "1", "--timeout", "0.2", name="timeout")
    fails(alice, 75, "events", "-C", "1", "--type", "notice", "--timeout", "0.2", name="timeout")
    bob.stop()
    words, error = fails(alice, 75, "send", "bob", "hello", "--wait", "delivered", "--timeout", "0.3s", name="timeout")
    assert "the message stays queued" in words.err and error["code"] == -32005
    assert re.fullmatch(r"yaari why [0-9a-z]{6}", error["hint"])
    assert alice.run("why").exit == 0
    assert alice.texts("bob") == ["hello", "hello"]
    bob.start()
    wait_for(lambda: alice.json("status")[0]["queue"] == 0)
    assert bob.texts("alice") == ["hello", "hello"]


def test_75_add_goes_on_in_the_daemon(nodes):
    alice, bob = nodes("alice").init(), nodes("bob").init()
    link = alice.ok("invite", "--no-wait").out.strip()
    alice.stop()
    result = bob.run("add", link, "--timeout", "0.3s", "--json")
    assert result.exit == 75, result
    (request,) = result.records
    check(request)
    assert (request["type"], request["dir"], request["state"]) == ("request", "out", "searching")
    assert request["from"]["kind"] == "friend"
    result = bob.run("add", link, "--no-wait")
    assert result.exit == 75
    assert "yaari request list shows progress" in result.out
    assert [r["id"] for r in bob.json("request", "list")] == [request["id"]]
    alice.start()
    wait_for(lambda: bob.json("friend", "list"))
    result = bob.ok("add", link, "--json")
    assert result.records[0]["type"] == "friend"


def test_65_add_ends_when_its_request_is_given_up(nodes):
    alice, bob = nodes("alice").init(), nodes("bob").init()
    link = alice.ok("invite", "--no-wait").out.strip()
    alice.stop()
    adding = bob.popen("add", link)
    (request,) = wait_for(lambda: bob.json("request", "list"))
    bob.ok("request", "reject", str(request["id"]))
    _, err = adding.communicate(timeout=20)
    assert adding.returncode == 65 and b"the request was given up" in err
    assert bob.json("request", "list") == []


def test_76_versions_do_not_fit(fake):
    node = fake({"hello": {"result": {**HELLO["result"], "api": 2}}})
    fails(node, 76, "status", name="unsupported")
    node = fake({"hello": {"error": {"code": -32013, "message": "api 2 only", "data": {"exit": 76, "name": "unsupported"}}}})
    fails(node, 76, "status", name="unsupported")


def test_76_no_such_method(pair):
    alice, _ = pair
    fails(alice, 76, "rpc", "no.such", name="no_such_method")


def test_77_wrong_passphrase(nodes):
    node = nodes("alice")

    def secret(text):
        read, write = os.pipe()
        os.write(write, text)
        os.close(write)
        return read

    fd = secret(b"right")
    node.ok("init", "--name", "alice", "--passphrase-fd", str(fd), pass_fds=[fd])
    assert node.json("status")[0]["state"] == "ok"
    node.ok("key", "lock")
    for form in ([], ["--json"]):
        fd = secret(b"wrong")
        result = node.run("key", "unlock", "--passphrase-fd", str(fd), *form, pass_fds=[fd])
        assert result.exit == 77, result
    error = json.loads(result.err)
    check(error)
    assert error["name"] == "denied"
    fd = secret(b"right\n")
    node.ok("key", "unlock", "--passphrase-fd", str(fd), pass_fds=[fd])
    assert node.json("status")[0]["state"] == "ok"


@pytest.mark.skipif(os.getuid() != 0, reason="needs another user")
def test_77_socket_of_another_user(fake):
    node = fake({"hello": HELLO, "net.status": {"result": {}}})
    # as nobody, the fake (root's) is fine for the peer check; as root, one of nobody's is not
    node.socket.unlink()
    script = ("import os,socket,sys; os.setuid(65534); s=socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); "
              "s.listen(5); print('up', flush=True); import time; time.sleep(60)")
    os.chmod(node.home.parent, 0o755)
    for folder in (node.home, node.home / "run", node.home / "run" / "yaari"):
        os.chmod(folder, 0o777)
    server = subprocess.Popen(["/usr/bin/python3", "-c", script, str(node.socket)], stdout=subprocess.PIPE)
    try:
        server.stdout.readline()
        fails(node, 77, "status", name="denied")
    finally:
        server.kill()
        server.wait()
        server.stdout.close()


def test_78_configuration(nodes):
    node = nodes("alice")
    node.config.write_text("[net]\nlisetn = x\n[nonsense]\na = b\n")
    words = node.run("config", "check")
    assert words.exit == 78
    assert words.err.splitlines()[0] == (
        "yaari: default.conf:2:1: unknown key 'lisetn' in [net] (did you mean 'listen'?)")
    assert len(words.err.splitlines()) >= 2  # all mistakes, not only the first
    for line in node.run("config", "check", "--json").err.splitlines():
        error = json.loads(line)
        check(error)
        assert error["exit"] == 78
    assert node.run("daemon", "start").exit == 78
    node.config.write_text("")
    fails(node, 78, "config", "set", "net.nothing", "1")
    fails(node, 78, "config", "set", "ui.time", "sometime")
    fails(node, 78, "--socket", "/" + "s" * 120, "status")


def test_130_interrupt_stops_waiting_only(nodes):
    node = nodes("alice").init()
    child = pexpect.spawn(YAARI, ["invite"], env=node.env, encoding="utf-8", dimensions=(24, 80))
    child.expect("Waiting for them")
    child.sendintr()
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 130
    assert node.json("invite", "list")[0]["state"] == "open"


# ---- records ----------------------------------------------------------------------------------


def test_every_line_of_every_command_fits_its_schema(nodes):
    alice, bob = nodes("alice"), nodes("bob")
    (identity,) = alice.json("init", "--name", "alice")
    assert identity["type"] == "identity" and len(identity["id"]) == 52
    bob.json("init", "--name", "bob")
    (invite,) = alice.json("invite", "--no-wait", "--name", "rob")
    assert invite["link"] == "yaari:i/" + invite["link"][8:].lower()
    (friend,) = bob.json("add", invite["link"], "--name", "al", "--message", "hi")
    assert (friend["type"], friend["name"], friend["trust"]) == ("friend", "al", "invite")
    (message,) = alice.json("send", "rob", "hello", "there", "--wait", "delivered")
    assert (message["text"], message["state"], message["own"]) == ("hello there", "delivered", True)
    (reply,) = bob.json("send", "al", "yes", "--reply", message["id"][:6])
    assert reply["reply_to"] == message["id"]
    bob.json("send", "al", "waves", "--action")
    alice.json("send", "@me", "note")
    alice.json("edit", message["id"], "hello here")
    bob.json("react", message["id"], "👍")
    wait_for(lambda: "reactions" in alice.json("show", message["id"])[0])
    alice.json("log")
    alice.json("log", "rob", "--all")
    alice.json("inbox")
    alice.json("read", "rob")
    alice.json("delete", message["id"])
    alice.json("why", "rob")
    alice.json("why", reply["id"])
    alice.json("status")
    alice.json("daemon", "status")
    alice.json("friend", "list")
    alice.json("friend", "show", "rob")
    alice.json("friend", "rename", "rob", "bobby")
    alice.json("friend", "mute", "bobby", "2h")
    alice.json("friend", "mute", "bobby", "off")
    alice.json("friend", "block", "bobby")
    alice.json("friend", "unblock", "bobby")
    alice.json("friend", "verify", "bobby", "--yes")
    alice.json("friend", "verify", "bobby", "--clear")
    wait_for(lambda: "online" in alice.ok("friend", "list").out.split("\t"))
    (ping,) = alice.json("ping", "bobby", "-c", "1")
    assert len(ping["ms"]) == 1 and ping["lost"] == 0
    alice.json("invite", "list")
    alice.json("invite", "--no-wait", "--no-hints")
    alice.json("invite", "revoke", alice.json("invite", "list")[-1]["id"])
    alice.json("peer", "add", "192.0.2.1:7722")
    alice.json("peer", "list")
    alice.json("peer", "remove", "192.0.2.1:7722")
    alice.json("me")
    alice.json("me", "set", "name", "Alice")
    alice.json("me", "id")
    alice.json("key", "show", "me")
    alice.json("key", "show", "bobby")
    alice.json("config", "list")
    alice.json("config", "get", "net.lan")
    alice.json("config", "set", "net.lan", "no")
    alice.json("config", "unset", "net.lan")
    alice.json("version")
    alice.json("tail", "--own", "-n", "3", "-C", "3")
    events = alice.json("events", "--since", "0", "-C", "8")
    assert [e["cursor"] for e in events] == sorted(e["cursor"] for e in events)
    alice.json("request", "list")
    alice.json("daemon", "restart")
    alice.json("friend", "remove", "bobby", "--yes")
    assert alice.json("friend", "list") == []


def test_json_has_no_raw_control_or_bidi(pair):
    alice, bob = pair
    text = "\x1b[31mred\x1b[0m \u202egnp \u009b2J \u2028 tab\there\nline \x7f"
    alice.ok("send", "bob", "-", stdin=text)
    assert wait_for(lambda: bob.texts("alice", "-n", "1") == [text])
    for args in (["log", "alice", "--json"], ["events", "--since", "0", "-C", "5"]):
        out = bob.ok(*args).out
        assert not UNSAFE.search(out), args


def test_hostile_text_is_shown_safe_everywhere_but_raw(pair):
    alice, bob = pair
    text = "\x1b]0;title\x07\x1b[2J\u202egnp.exe\u0007"
    message = alice.json("send", "bob", text)[0]["id"]
    wait_for(lambda: text in bob.texts("alice"))
    for args in (["log", "alice"], ["show", message], ["tail", "-n", "1", "-C", "1"]):
        out = bob.ok(*args).out
        assert "gnp.exe" in out and not UNSAFE.search(out.replace("\n", "")), args
    assert text in bob.ok("log", "alice", "--raw").out
    assert bob.ok("show", message, "--raw").out == text + "\n"


def test_hostile_name_is_shown_safe(nodes):
    alice, bob = nodes("alice").init(), nodes("bob").init()
    alice.befriend(bob)
    bob.ok("me", "set", "name", "b\x1b[31mo\u202eb")
    wait_for(lambda: alice.json("friend", "list")[0]["nick"] != "bob")
    for args in (["friend", "list"], ["friend", "show", alice.json("friend", "list")[0]["id"]], ["peer", "list"]):
        assert not UNSAFE.search(alice.ok(*args).out.replace("\n", "")), args


def test_tsv_is_the_json_fields_in_their_order(pair):
    alice, bob = pair
    alice.ok("send", "bob", "a\tb\\c\nd")
    fields = dict(line.split(None, 1) for line in
                  re.findall(r"^  ((?:friend|message|invite|request|unread|peer|config) .*)$",
                             alice.ok("help", "formatting").out, re.M))
    for args in (["friend", "list"], ["log", "bob", "-n", "1"], ["config", "list"], ["invite", "list"]):
        record = alice.json(*args)[0]
        row = alice.ok(*args).lines[0].split("\t")
        columns = fields[record["type"]].split()
        assert len(row) == len(columns)
        shown = [key for key in record if key != "type"]
        assert set(shown) <= set(columns)
        assert [c for c in columns if c in shown] == shown  # the order is the record's own
        for column, cell in zip(columns, row):
            if column not in record:
                assert cell == ""
            elif isinstance(record[column], str) and column not in (
                    "time", "received", "created", "last_seen", "expires", "edited"):
                assert cell == record[column].replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")


def test_times_in_a_pipe_have_the_offset_of_the_zone(pair):
    alice, _ = pair
    alice.ok("send", "@me", "now")
    row = alice.ok("log", "@me", "-n", "1", env={"TZ": "Asia/Kolkata"}).lines[0].split("\t")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+05:30", row[6]), row
    row = alice.ok("log", "@me", "-n", "1", "--utc", env={"TZ": "Asia/Kolkata"}).lines[0].split("\t")
    assert row[6].endswith("+00:00")


# ---- what scripts rely on -----------------------------------------------------------------------


def test_send_joins_words_and_reads_stdin(pair):
    alice, bob = pair
    before = len(alice.texts("bob"))
    alice.ok("send", "bob", "two", "words", "--", "--not-a-flag")
    alice.ok("send", "bob", stdin="from stdin\n")
    alice.ok("send", "bob", "-", stdin="two\nlines\n\n")
    alice.ok("send", "bob", "--each-line", stdin="one\n\ntwo\nthree")
    alice.ok("send", "bob", "/me is text", "s/a/b/")
    assert alice.texts("bob")[before:] == [
        "two words --not-a-flag", "from stdin", "two\nlines\n", "one", "two", "three", "/me is text s/a/b/"]


def test_send_says_the_id_with_v(pair):
    alice, _ = pair
    assert re.fullmatch(r"[0-9a-z]{6} accepted\n", alice.ok("send", "bob", "hello", "-v").out)
    assert re.fullmatch(r"[0-9a-z]{6} delivered\n",
                        alice.ok("send", "bob", "hello", "-v", "--wait", "delivered").out)


def test_ids_are_usable_as_arguments(pair):
    alice, _ = pair
    message = alice.json("send", "bob", "by id")[0]
    target = message["target"]["id"]
    assert alice.json("log", target, "-n", "1")[0]["id"] == message["id"]
    assert alice.json("log", target[:8], "-n", "1")[0]["id"] == message["id"]
    assert alice.json("show", message["id"].upper())[0]["id"] == message["id"]


def test_log_gives_the_part_that_is_asked_for(nodes):
    alice = nodes("alice").init()
    for text in "abcdefgh":
        alice.ok("send", "@me", text)
    ids = [m["id"] for m in alice.json("log", "@me")]
    assert alice.texts("@me", "-n", "3") == list("fgh")
    assert alice.texts("@me", "-n", "0") == list("abcdefgh")
    assert alice.texts("@me", "-n", "3", "--reverse") == list("hgf")
    assert alice.texts("@me", "--before", ids[2]) == list("ab")
    assert alice.texts("@me", "--after", ids[5]) == list("gh")
    assert alice.texts("@me", "--before", ids[6], "-n", "2") == list("ef")
    assert alice.texts("@me", "--since", "-1h") == list("abcdefgh")
    assert alice.texts("@me", "--until", "-1h") == []
    assert alice.texts("@me", "--from", "me", "-n", "1") == ["h"]
    assert alice.texts("@me", "--unread") == []
    assert alice.texts() == list("abcdefgh")


def test_a_long_history_comes_whole_and_in_order(nodes):
    alice = nodes("alice").init()
    texts = [f"line {i}" for i in range(2345)]
    alice.ok("send", "@me", "--each-line", stdin="\n".join(texts), timeout=120)
    assert alice.texts("@me") == texts
    assert [m["text"] for m in alice.json("log", "@me", "--reverse")] == texts[::-1]
    assert alice.texts("@me", "-n", "1500") == texts[-1500:]


def test_tail_waits_counts_and_resumes(pair, tmp_path):
    alice, bob = pair
    cursor = tmp_path / "cursor"
    reader = bob.popen("tail", "alice", "-C", "2", "--json", "--cursor", str(cursor))
    wait_for(cursor.exists)
    alice.ok("send", "bob", "--each-line", stdin="t1\nt2\nt3\nt4\n")
    out, err = reader.communicate(timeout=20)
    assert reader.returncode == 0, err
    assert [json.loads(line)["text"] for line in out.splitlines()] == ["t1", "t2"]
    assert int(cursor.read_text()) == json.loads(out.splitlines()[-1])["cursor"]
    wait_for(lambda: bob.texts("alice", "-n", "1") == ["t4"])
    records = bob.json("tail", "alice", "-C", "2", "--cursor", str(cursor))
    assert [m["text"] for m in records] == ["t3", "t4"]
    assert bob.run("tail", "alice", "-C", "1", "--cursor", str(cursor), "--timeout", "0.2").exit == 75


def test_tail_resumes_after_kill_9_of_reader_and_daemon(nodes, tmp_path):
    alice, bob = nodes("alice").init(), nodes("bob").init()
    alice.befriend(bob)
    cursor, seen = tmp_path / "cursor", []
    bob.run("tail", "-C", "1", "--cursor", str(cursor), "--timeout", "0.1")
    for round in range(3):
        alice.ok("send", "bob", "--each-line", stdin="\n".join(f"{round}.{i}" for i in range(10)))
        wait_for(lambda: alice.json("status")[0]["queue"] == 0)
        with open(tmp_path / "out", "w+b") as out:
            reader = bob.popen("tail", "--json", "--cursor", str(cursor), stdout=out, stderr=subprocess.DEVNULL)
            wait_for(lambda: (tmp_path / "out").read_bytes().count(b"\n") >= 4)
            reader.kill()
            reader.wait()
            seen += [json.loads(line)["text"] for line in (tmp_path / "out").read_bytes().splitlines()]
        bob.kill9()
        bob.start()
    result = bob.run("tail", "--json", "--cursor", str(cursor), "--timeout", "1")
    seen += [m["text"] for m in result.records]
    expected = [f"{round}.{i}" for round in range(3) for i in range(10)]
    assert list(dict.fromkeys(seen)) == expected  # at least once each, in order
    assert len(seen) <= len(expected) + 3  # and again only the one that was not yet noted


def test_tail_exec_gets_json_on_stdin_and_no_shell(pair, tmp_path):
    alice, bob = pair
    out = tmp_path / "out"
    hook = tmp_path / "hook"
    hook.write_text('#!/bin/sh\n{ echo "$1"; cat; } >> "$2"\nexit 3\n')
    hook.chmod(0o755)
    cursor = tmp_path / "cursor"
    reader = bob.popen("tail", "-C", "2", "--cursor", str(cursor), "--exec", str(hook), "$HOME;x", str(out))
    wait_for(cursor.exists)
    alice.ok("send", "bob", "--each-line", stdin="e1\ne2\n")
    _, err = reader.communicate(timeout=20)
    assert reader.returncode == 0, err
    lines = out.read_text().splitlines()
    assert lines[0] == lines[2] == "$HOME;x"
    assert [json.loads(lines[i])["text"] for i in (1, 3)] == ["e1", "e2"]
    for line in (lines[1], lines[3]):
        check(json.loads(line))


def test_rpc_stdio_passes_lines_both_ways(pair):
    alice, _ = pair
    requests = [{"jsonrpc": "2.0", "id": n, "method": "message.list", "params": {"limit": 1}} for n in range(20)]
    requests.append({"jsonrpc": "2.0", "id": "last", "method": "no.such"})
    result = alice.ok("rpc", "--stdio", stdin="\n".join(map(json.dumps, requests)))
    answers = {a["id"]: a for a in result.records}
    assert set(answers) == {*range(20), "last"}
    assert answers["last"]["error"]["code"] == -32601


def test_rpc_describes_every_method(pair):
    alice, _ = pair
    methods = alice.ok("rpc", "--list").lines
    assert "message.send" in methods
    for method in methods:
        (described,) = alice.ok("rpc", "--describe", method).records
        assert described["method"] == method


def test_a_reader_that_leaves_ends_a_command_quietly(pair):
    alice, _ = pair
    for i in range(5):
        alice.ok("send", "@me", stdin="x" * 16000)
    log = alice.popen("log")
    log.stdout.read(10)
    log.stdout.close()
    err = log.stderr.read()
    log.stderr.close()
    assert log.wait(10) == -13 and err == b""


def test_the_file_is_edited_without_a_daemon_and_comments_stay(nodes):
    node = nodes("alice")
    node.config.write_text("# mine\n[net]\n# about lan\nlan = yes\n")
    node.ok("config", "set", "net.lan", "no")
    assert node.config.read_text() == "# mine\n[net]\n# about lan\nlan = no\n"
    assert node.ok("config", "get", "net.lan").out == "no\n"
    assert node.json("config", "get", "net.lan")[0]["origin"] == f"{node.config}:4"
    node.ok("config", "unset", "net.lan")
    assert node.ok("config", "get", "net.lan").out == "yes\n"
    assert node.ok("config", "path").out == f"{node.config}\n"
    defaults = node.ok("config", "list", "--defaults").out
    node.config.write_text(defaults)
    node.ok("config", "check")


def test_a_running_daemon_takes_a_new_setting(pair):
    alice, _ = pair
    alice.ok("config", "set", "privacy.read_receipts", "yes")
    value = json.loads(alice.ok("rpc", "config.get", '{"key":"privacy.read_receipts"}').out)["value"]
    alice.ok("config", "unset", "privacy.read_receipts")
    assert value == "yes"
    value = json.loads(alice.ok("rpc", "config.get", '{"key":"privacy.read_receipts"}').out)["value"]
    assert value == "no"


# ---- daemon -----------------------------------------------------------------------------------


def test_daemon_starts_stops_restarts_and_logs(nodes):
    node = nodes("alice")
    node.ok("init", "--name", "alice", "--no-start")
    assert node.run("status").exit == 69
    node.ok("daemon", "start", "--wait")
    first = node.json("daemon", "status")[0]["pid"]
    assert re.match(rf"running, pid {first}, .*socket {node.socket}\n", node.ok("daemon", "status").out)
    node.ok("daemon", "restart")
    second = node.json("daemon", "status")[0]["pid"]
    assert second != first and not yaari.running(first)
    node.ok("daemon", "reload")
    assert "ready" in node.ok("daemon", "logs").out
    node.ok("daemon", "stop")
    assert not yaari.running(second)
    assert node.run("daemon", "status").exit == 69


def test_autostart_only_when_asked_without_a_terminal(nodes):
    node = nodes("alice")
    node.ok("init", "--name", "alice", "--no-start")
    assert node.run("invite", "--no-wait").exit == 69
    link = node.ok("--autostart", "invite", "--no-wait").out
    assert link.startswith("yaari:i/")
    node.ok("status")


def test_a_daemon_that_cannot_start_says_why(nodes):
    node = nodes("alice", config="[nonsense]\n")
    result = node.run("daemon", "start")
    assert result.exit == 78 and "nonsense" in result.err, result


# ---- terminal ---------------------------------------------------------------------------------


def on_tty(node, *args, size=(24, 80), env=None, answers=()):
    """What a command shows on a terminal, and its exit code."""
    child = pexpect.spawn(YAARI, list(args), env={**node.env, **(env or {})}, encoding="utf-8",
                          dimensions=size, timeout=20)
    shown = ""
    for question, answer in answers:
        child.expect(question)
        shown += child.before + child.after
        child.sendline(answer)
    child.expect(pexpect.EOF)
    child.close()
    return shown + child.before, child.exitstatus


def test_first_run_is_one_answer_a_side(nodes):
    alice, bob = nodes("alice"), nodes("bob")
    inviter = pexpect.spawn(YAARI, ["invite"], env=alice.env, encoding="utf-8", dimensions=(30, 80), timeout=20)
    inviter.expect(r"No identity yet. Name your friends will see \[alice\]: ")
    inviter.sendline("")
    inviter.expect(r"Identity [0-9a-z]{8} made. Node started.")
    inviter.expect(r"yaari:i/[0-9a-z]+")
    link = inviter.after
    inviter.expect("Give this link to one person. Valid 7 days.")
    shown, code = on_tty(bob, "add", link, answers=[(r"Name your friends will see \[bob\]: ", "Bobby")])
    assert code == 0
    assert "alice added (trust: invite)." in shown and "Next: yaari chat alice" in shown
    inviter.expect(r"Bobby added \(trust: invite\).")
    inviter.expect(pexpect.EOF)
    inviter.close()
    assert inviter.exitstatus == 0


def test_a_scanned_link_asks_and_is_trusted(nodes):
    alice, bob = nodes("alice").init(), nodes("bob").init()
    qr = alice.json("invite", "--no-wait")[0]["qr"]
    assert qr == qr.upper()
    host = alice.json("status")[0]["listen"][0]
    bob.ok("peer", "add", host)  # a QR code has no addresses in it
    shown, code = on_tty(bob, "add", qr, answers=[(r"Did you scan this from their screen\? \[y/N\] ", "y")])
    assert code == 0 and "(trust: verified)" in shown, shown


@pytest.mark.parametrize("size,fits", [((24, 80), True), ((24, 45), True), ((23, 80), False), ((24, 44), False)])
def test_qr_fits_or_is_not_printed(nodes, size, fits):
    node = nodes("alice").init()
    shown, code = on_tty(node, "invite", "--no-wait", size=size)
    assert code == 0
    rows = [line for line in shown.splitlines() if "█" in line or "▀" in line]
    if fits:
        assert len(rows) == 23
        assert all(len(re.sub(r"\x1b\[[0-9;]*m", "", row)) == 45 for row in rows)
    else:
        assert rows == [] and "too small for the QR code" in shown


@pytest.mark.parametrize("env,args,colored", [
    ({}, [], True), ({"NO_COLOR": "1"}, [], False), ({"TERM": "dumb"}, [], False),
    ({"NO_COLOR": "1"}, ["--color", "always"], True), ({}, ["--color", "never"], False),
    ({"NO_COLOR": ""}, [], True),
])
def test_colour_on_a_terminal(pair, env, args, colored):
    alice, _ = pair
    shown, code = on_tty(alice, "friend", "list", *args, env=env)
    assert code == 0 and ("\x1b[" in shown) == colored, shown


def test_no_colour_in_a_pipe_unless_forced(pair):
    alice, _ = pair
    assert "\x1b" not in alice.ok("friend", "list").out
    assert "\x1b" not in alice.ok("log").out
    assert "\x1b" not in alice.ok("friend", "list", "--json", "--color", "always").out


def test_log_on_a_terminal_has_days_names_and_states(pair):
    alice, _ = pair
    alice.ok("send", "bob", "on a terminal", "--wait", "delivered")
    shown, code = on_tty(alice, "log", "bob", "-n", "1", "--ids", "--no-pager", "--color", "never")
    lines = shown.splitlines()
    assert code == 0
    assert re.fullmatch(r"── (Mon|Tue|Wed|Thu|Fri|Sat|Sun) \d\d? [A-Z][a-z]{2} \d{4} ──", lines[0]), shown
    assert re.fullmatch(r"\d\d:\d\d  [0-9a-z]{6}  alice  on a terminal  delivered", lines[1]), shown


def test_a_terminal_gets_no_sequence_but_our_own(pair):
    alice, bob = pair
    hostile = "\x1b]52;c;aGk=\x07\x1b[2J\x1bP0q\x9b31m\u202egnp \x1b[6n\x0e\r\x08"
    message = alice.json("send", "bob", hostile)[0]["id"]
    wait_for(lambda: hostile in bob.texts("alice"))
    for args in (["log", "--no-pager"], ["tail", "-n", "3", "-C", "3"], ["show", message], ["log", "--ids", "-n", "5"],
                 ["inbox"], ["friend", "list"], ["why", "alice"]):
        shown, code = on_tty(bob, *args, "--color", "always", env={"PAGER": "cat"})
        assert code == 0
        rest = re.sub(r"\x1b\[[0-9;]*m", "", shown).replace("\r\n", "\n")
        assert not UNSAFE.search(rest), (args, rest)


def test_why_says_to_whom_and_what(nodes):
    alice, bob = nodes("alice").init(), nodes("bob").init()
    alice.befriend(bob)
    assert alice.ok("why").out == "every message of yours is delivered\n"
    alice.ok("ping", "bob", "-c", "2")  # the link has settled
    bob.stop()
    alice.ok("send", "bob", "hello")
    assert alice.ok("why").out.startswith("to bob: accepted, not yet delivered\n  ")
    wait_for(lambda: alice.ok("why", "bob").out.startswith("bob: offline\n  "), 30)


def test_long_output_goes_to_the_pager(pair):
    alice, _ = pair
    alice.ok("send", "@me", "--each-line", stdin="\n".join("x" * 10 for _ in range(40)))
    shown, _ = on_tty(alice, "log", "@me", env={"PAGER": "sed s/^/PAGED:/"})
    assert "PAGED:" in shown
    shown, _ = on_tty(alice, "log", "@me", "--no-pager", env={"PAGER": "sed s/^/PAGED:/"})
    assert "PAGED:" not in shown
    shown, _ = on_tty(alice, "log", "@me", "-n", "3", env={"PAGER": "sed s/^/PAGED:/"})
    assert "PAGED:" not in shown
    shown, _ = on_tty(alice, "help", env={"YAARI_PAGER": "sed s/^/MINE:/", "PAGER": "false"})
    assert "MINE:" in shown


def test_raw_is_refused_on_a_terminal(pair):
    alice, _ = pair
    for args in (["log", "--raw"], ["tail", "--raw"], ["show", "abcd", "--raw"]):
        assert on_tty(alice, *args)[1] == 64


def test_bare_yaari(pair, nodes):
    alice, _ = pair
    shown, code = on_tty(alice)
    assert code == 0 and "friends" in shown and "unread" in shown
    shown, code = on_tty(nodes("new"))
    assert code == 0 and len(shown.strip().splitlines()) == 4
    assert all(word in shown for word in ("yaari invite", "yaari add LINK", "yaari chat"))
    assert alice.run().exit == 64


def test_a_locale_without_utf8_gets_ascii(pair):
    alice, _ = pair
    alice.ok("send", "@me", "café")
    shown, _ = on_tty(alice, "log", "@me", "-n", "1", "--no-pager", env={"LC_ALL": "POSIX"})
    assert "caf?" in shown and shown.isascii()
    assert shown.count("warning: this locale is not UTF-8") == 1
    assert "café" in alice.ok("log", "@me", "-n", "1", env={"LC_ALL": "POSIX"}).out


def test_removing_a_friend_asks(nodes):
    alice, bob = nodes("alice").init(), nodes("bob").init()
    alice.befriend(bob)
    _, code = on_tty(alice, "friend", "remove", "bob", answers=[(r"Remove bob\? .*\[y/N\] ", "n")])
    assert code == 1 and len(alice.json("friend", "list")) == 1
    _, code = on_tty(alice, "friend", "remove", "bob", answers=[(r"\[y/N\] ", "y")])
    assert code == 0 and alice.json("friend", "list") == []


# ---- help, completion, speed ------------------------------------------------------------------


def test_help_needs_no_daemon_and_no_profile(nodes):
    node = nodes("alice")
    for args in (["help"], ["--help"], ["help", "send"], ["send", "--help"], ["friend", "-h"], ["help", "friend"],
                 ["help", "exit-codes"], ["--version"], ["version"], ["completion", "bash"]):
        result = node.run(*args)
        assert result.exit == 0 and result.out and not result.err, args
    assert node.ok("help", "send").out == node.ok("send", "--help").out
    assert sorted(os.listdir(node.home)) == ["config"]


def test_every_help_names_its_exits(nodes):
    node = nodes("alice")
    codes = set(re.findall(r"^ *(\d+) ", node.ok("help", "exit-codes").out, re.M))
    assert {"0", "1", "64", "65", "66", "67", "68", "69", "70", "71", "73", "74", "75", "76", "77", "78"} == codes


def test_a_name_that_cannot_be_shown_is_refused(nodes):
    node = nodes("alice")
    for name in ("\x1b", " ", "\u200b", "x" * 65):
        done = node.run("init", "--name", name, "--no-start")
        assert (done.exit, done.out) == (65, ""), done
    node.ok("init", "--name", "alice", "--no-start")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "<&- >&-", "<&- >&- 2>&-"])
def test_what_is_printed_never_goes_into_a_file_of_ours(nodes, closed):
    node = nodes("alice")
    node.ok("init", "--name", "alice", "--no-start")
    daemon = subprocess.Popen(["bash", "-c", f"exec {yaari.BIN}/yaarid {closed}"], env=node.env,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        wait_for(lambda: node.run("daemon", "status").exit == 0)
        for number in (0, 1, 2):
            to = os.readlink(f"/proc/{daemon.pid}/fd/{number}")
            assert to == "/dev/null" or to.startswith("pipe:"), to
        done = subprocess.run(["bash", "-c", f"exec {YAARI} status {closed}"], env=node.env,
                              capture_output=True, timeout=yaari.TIMEOUT)
        assert done.returncode == (74 if ">&-" in closed else 0), done
    finally:
        daemon.terminate()
        daemon.communicate()


def test_bash_completes_a_hostile_name_as_one_quoted_word(pair):
    alice, _ = pair
    name = "$(touch pwned); *'x"
    script = ("source <(yaari completion bash); COMP_WORDS=(yaari send \"$1\"); COMP_CWORD=2;"
              " _yaari; printf '%s\\n' \"${COMPREPLY[@]}\"; eval \"set -- ${COMPREPLY[0]}\";"
              " printf '%s\\n' \"$#\" \"$1\"")
    env = {**alice.env, "PATH": f"{yaari.BIN}:{alice.env['PATH']}"}
    alice.ok("friend", "rename", "bob", name)
    try:
        for typed in ("$", "\\$\\(touch\\ p"):
            done = subprocess.run(["bash", "-c", script, "bash", typed], env=env, cwd=alice.home,
                                  capture_output=True, text=True, check=True)
            assert done.stdout.splitlines()[1:] == ["1", name], done
            assert done.stderr == ""
    finally:
        alice.ok("friend", "rename", name, "bob")
    assert not (alice.home / "pwned").exists()


def test_completion_offers_names_and_is_silent_without_a_daemon(pair, nodes):
    alice, _ = pair
    assert "bob" in alice.ok("__complete", "target", "b").lines
    assert alice.ok("__complete", "key", "net.l").lines == ["net.listen", "net.lan"]
    result = nodes("none").run("__complete", "target", "")
    assert (result.exit, result.out, result.err) == (0, "", "")


def best_ms(node, *args, runs=15):
    """The shortest of some runs: what the command takes, not what the machine adds."""
    best = 1e9
    for _ in range(runs):
        start = time.perf_counter()
        subprocess.run([YAARI, *args], env=node.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        best = min(best, (time.perf_counter() - start) * 1000)
    return best


@pytest.mark.skipif("debug" in str(yaari.BIN), reason="a sanitizer build is slow by design")
def test_it_is_quick(pair):
    alice, _ = pair
    assert best_ms(alice, "--version") < 5
    assert best_ms(alice, "status") < 20
    assert best_ms(alice, "__complete", "target", "b") < 50
