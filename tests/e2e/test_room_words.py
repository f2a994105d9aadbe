"""What the commands of rooms say, with a daemon that answers as it is told: no room is needed."""

import subprocess

import pytest

import yaari
from test_commands import HELLO, fails, fake, on_tty  # noqa: F401 (a fixture)
from yaari import UNSAFE, check

ROOM, BOB, TIME = "r" * 52, "b" * 52, "2026-11-22T15:46:35.123Z"
HOSTILE = "ev\x1b]52;c;aGk=\x07il\u202e\n\x9b31m"


def room(**changes):
    record = {"type": "room", "id": ROOM, "short": ROOM[:8], "name": "garden", "topic": "tulips", "state": "active",
              "role": "admin", "members": 4, "online": 2, "unread": 3, "mentions": 1, "muted": False,
              "mentions_only": False, "history_days": 7, "waiting": 3, "self": "m" * 26, "created": TIME,
              "inviter": {"kind": "friend", "id": BOB, "name": "bob"}}
    record.update(changes)
    check(record)
    return record


def member(name, **changes):
    record = {"type": "member", "room": ROOM, "id": name[0] * 26, "name": name, "nick": name, "role": "member",
              "online": False, "friend": False}
    record.update(changes)
    check(record)
    return record


MEMBERS = [member("me", role="founder", online=True, self=True),
           member("bob", role="mod", online=True, friend=True, friend_id=BOB),
           member("zed", via="bob", last_seen=TIME),
           member("mallory", forked=True)]
REQUEST = {"type": "request", "id": 2, "what": "room", "dir": "in", "state": "waiting", "text": "garden", "members": 4,
           "from": {"kind": "friend", "id": BOB, "name": "bob"}, "time": TIME,
           "room": {"kind": "room", "id": ROOM, "name": "garden"}}


@pytest.fixture
def node(fake):
    check(REQUEST)
    return fake({
        "hello": HELLO,
        "room.list": {"result": {"rooms": [room(), room(name="old", state="gone", role="none", topic=HOSTILE)]}},
        "room.get": {"result": room()},
        "room.new": {"result": room(role="founder", invited=[REQUEST["from"]])},
        "room.members": {"result": {"members": MEMBERS}},
        "room.invite": {"result": {"invited": [REQUEST["from"]]}},
        "room.join": {"result": room(state="joining", role="none")},
        "room.leave": {"result": {}},
        "room.kick": {"result": {}},
        "room.role": {"result": MEMBERS[1]},
        "room.topic": {"result": room()},
        "room.rename": {"result": room()},
        "room.mute": {"result": room(muted=True)},
        "room.set": {"result": room(mentions_only=True)},
        "request.list": {"result": {"requests": [REQUEST]}},
        "request.accept": {"result": {**REQUEST, "state": "accepted"}},
        "request.reject": {"result": {}},
    })


def test_a_list_of_rooms_is_a_table(node):
    shown, code = on_tty(node, "room", "list", "--all", "--color", "never", size=(24, 120))
    lines = shown.splitlines()
    assert code == 0 and not UNSAFE.search(shown.replace("\r\n", "\n"))
    assert lines[0].split() == ["NAME", "ROLE", "MEMBERS", "UNREAD", "TOPIC"]
    assert lines[1].split("  ") == ["#garden", "admin", "4 members, 2 online", "3 (1 mention)", "tulips"]
    assert lines[2].startswith("#old     left")


def test_a_room_is_shown_with_its_history_and_what_waits(node):
    shown = node.ok("room", "show", "+garden").out
    assert "name         #garden\n" in shown
    assert "own role     admin\n" in shown
    assert "members      2 of 4 members seen lately\n" in shown
    assert "history      who joins later reads the last 7 days too\n" in shown
    assert "invited by   bob\n" in shown
    assert "unread       3 (1 mention)\n" in shown
    assert shown.endswith("\nwaiting      3 messages wait for earlier ones that are not here yet\n")


def test_members_who_are_no_friends_are_marked(node):
    shown, _ = on_tty(node, "room", "members", "garden", "--color", "never")
    rows = [line.split() for line in shown.splitlines()]
    assert rows[1][:3] == ["me", "founder", "online"] and rows[1][-1] == "me"
    assert rows[2][0] == "bob" and "via" not in rows[2]
    assert rows[3][0] == "~zed" and rows[3][-2:] == ["via", "bob"]
    assert rows[4][0] == "~mallory" and shown.splitlines()[4].endswith("not a friend, has signed two histories")


def test_in_a_pipe_records_are_fields(node):
    fields = node.ok("room", "list").lines[0].split("\t")
    assert fields[0] == ROOM and fields[2:6] == ["garden", "tulips", "active", "admin"] and len(fields) == 18
    fields = node.ok("room", "members", "garden").lines[2].split("\t")
    assert fields[2:5] == ["zed", "zed", "member"]
    fields = node.ok("request", "list").lines[0].split("\t")
    assert fields[1] == "room" and fields[4] == "bob" and fields[-2] == "#garden"


def test_every_record_is_printed_as_it_came(node):
    for args, kind in ((["list"], "room"), (["show", "garden"], "room"), (["new", "garden"], "room"),
                       (["members", "garden"], "member"), (["invite", "garden", "bob"], "room"),
                       (["join", "garden"], "room"), (["role", "garden", "bob", "mod"], "member"),
                       (["topic", "garden"], "room"), (["topic", "garden", "a", "b"], "room"),
                       (["rename", "garden", "x"], "room"), (["mute", "garden"], "room"),
                       (["mute", "garden", "2h"], "room"), (["mute", "garden", "off"], "room"),
                       (["set", "garden", "mentions", "yes"], "room")):
        records = node.json("room", *args)
        assert records and {r["type"] for r in records} == {kind}, args
    assert node.json("request", "list")[0]["what"] == "room"
    assert node.json("request", "accept", "2")[0]["state"] == "accepted"
    for args in (["leave", "garden"], ["kick", "garden", "zed"], ["leave", "garden", "--forget", "--yes"]):
        assert node.json("room", *args) == []
    assert node.json("request", "reject", "2") == []


def test_words_of_rooms(node):
    assert node.ok("room", "new", "garden", "--members", "bob").out == "room #garden made, 1 invited\n"
    assert node.ok("room", "new", "garden", "--history", "7").out == "room #garden made\n"
    assert node.ok("room", "invite", "garden", "bob").out == "invited to #garden: bob\n"
    assert node.ok("room", "join", "garden").out == "asked bob to let you into #garden\n"
    assert node.ok("request", "accept", "2").out == "asked bob to let you into #garden\n"
    assert node.ok("room", "topic", "garden").out == "tulips\n"
    for args in (["topic", "garden", "x"], ["rename", "garden", "x"], ["kick", "garden", "zed"],
                 ["role", "garden", "bob", "mod"], ["mute", "garden"], ["leave", "garden"]):
        assert node.ok("room", *args).out == "", args


def test_bad_command_lines(node):
    for args in (["room", "new"], ["room", "new", "x", "--history", "31"], ["room", "new", "x", "--history", "soon"],
                 ["room", "role", "garden", "bob", "founder"], ["room", "mute", "garden", "soon"],
                 ["room", "invite", "garden"], ["room", "ban", "garden", "zed"], ["room"],
                 ["room", "kick", "garden"], ["room", "set", "garden", "mentions"]):
        fails(node, 64, *args, name="usage")
    for number in ("0", "-1", "x", "", "99999999999999999999"):
        fails(node, 67, "request", "accept", "--", number, name="no_such_target")
    fails(node, 64, "room", "leave", "garden", "--forget", name="usage")


def test_forgetting_a_room_asks(node):
    _, code = on_tty(node, "room", "leave", "garden", "--forget",
                     answers=[(r"Leave #garden and delete the whole history\? \[y/N\] ", "n")])
    assert code == 1
    _, code = on_tty(node, "room", "leave", "garden", "--forget", answers=[(r"\[y/N\] ", "y")])
    assert code == 0
    assert on_tty(node, "room", "leave", "garden")[1] == 0


def test_hostile_rooms_are_made_safe(fake):
    hostile = room(name=HOSTILE, topic=HOSTILE, inviter={"kind": "friend", "id": BOB, "name": HOSTILE})
    node = fake({
        "hello": HELLO,
        "room.list": {"result": {"rooms": [hostile]}},
        "room.get": {"result": hostile},
        "room.new": {"result": hostile},
        "room.join": {"result": {**hostile, "state": "joining"}},
        "room.members": {"result": {"members": [member("x" + HOSTILE, nick=HOSTILE, via=HOSTILE)]}},
        "request.list": {"result": {"requests": [{**REQUEST, "text": HOSTILE, "room": {
            "kind": "room", "id": ROOM, "name": HOSTILE}}]}},
    })
    for args in (["room", "list"], ["room", "show", "x"], ["room", "new", "x"], ["room", "members", "x"],
                 ["room", "join", "x"], ["room", "topic", "x"], ["request", "list"]):
        shown, code = on_tty(node, *args, "--color", "never", size=(24, 200))
        assert code == 0 and not UNSAFE.search(shown.replace("\r\n", "\n")), (args, shown)
        assert not UNSAFE.search(node.ok(*args).out), args
        assert not UNSAFE.search(node.ok(*args, "--json").out), args


def test_status_and_inbox_count_mentions(fake):
    status = {"type": "status", "version": "1", "api": 1, "state": "ok", "uptime_s": 1, "reachable": "nat", "friends": 2,
              "friends_online": 1, "rooms": 2, "requests": 1, "queue": 0, "unread": 4, "mentions": 1, "socket": "s",
              "pid": 1, "profile": "default", "listen": [],
              "dht": {"mode": "auto", "serves": False, "nodes": 0, "peers": 0, "answered": 0}}
    unread = {"type": "unread", "target": REQUEST["room"], "unread": 2, "mentions": 2}
    check(status), check(unread)
    node = fake({"hello": HELLO, "net.status": {"result": status}, "read.get": {"result": {"unread": [unread]}}})
    shown, _ = on_tty(node, "status")
    assert "rooms       2\r\n" in shown and "unread      4 (1 mention)\r\n" in shown
    assert "1 invitation waits for your answer: yaari request list" in shown
    assert "#garden  2 (2 mentions)" in on_tty(node, "inbox", "--color", "never")[0]
    assert node.ok("inbox").lines[0].split("\t")[:3] == ["#garden", "2", "2"]


def test_a_wait_that_ran_out_counts_members(fake):
    said = "not delivered to 1 of 4 members within 20 s; the message stays queued"
    node = fake({"hello": HELLO, "message.send": {"error": {
        "code": -32005, "message": said,
        "data": {"name": "timeout", "exit": 75, "hint": "yaari why f3k9q2", "id": "f3k9q2" + "z" * 20}}}})
    words, error = fails(node, 75, "send", "+garden", "x", "--wait", "delivered", "--timeout", "20s", name="timeout")
    assert words.err.splitlines() == [f"yaari: {said}", "hint: yaari why f3k9q2"]


def test_nothing_is_sent_fast_into_an_empty_room(fake):
    node = fake({"hello": HELLO, "room.get": {"result": room(online=1)}})
    fails(node, 68, "send", "+garden", "x", "--wait", "delivered", "--fail-fast", name="unreachable")


def test_bash_completes_a_hostile_room_as_one_quoted_word(fake):
    name = "+$(touch pwned); *'x`id`"
    node = fake({"hello": HELLO, "complete": {"result": {"words": [name]}}})
    script = ("source <(yaari completion bash); COMP_WORDS=(yaari room \"$1\" \"$2\"); COMP_CWORD=3;"
              " _yaari; eval \"set -- ${COMPREPLY[0]}\"; printf '%s\\n' \"$#\" \"$1\"")
    env = {**node.env, "PATH": f"{yaari.BIN}:{node.env['PATH']}"}
    for command in ("show", "invite", "leave"):
        done = subprocess.run(["bash", "-c", script, "bash", command, "+"], env=env, cwd=node.socket.parent,
                              capture_output=True, text=True, check=True)
        assert done.stdout.splitlines() == ["1", name], done
        assert done.stderr == ""
    assert not (node.socket.parent / "pwned").exists()


def test_a_gap_is_shown_below_the_history(fake):
    message = {"type": "message", "id": "z" * 26, "cursor": 1, "target": REQUEST["room"], "kind": "text", "text": "hi",
               "from": {"kind": "member", "id": "z" * 26, "name": "zed", "friend": False}, "time": TIME,
               "received": TIME, "own": False, "state": "delivered"}
    check(message)
    node = fake({"hello": HELLO, "message.list": {"result": {"messages": [message], "more": False}},
                 "read.get": {"result": {"unread": []}}, "room.get": {"result": room()}})
    lines = on_tty(node, "log", "garden", "--no-pager", "--color", "never")[0].splitlines()
    assert lines[-2].endswith("  ~zed  hi")
    assert lines[-1] == "── 3 more wait for earlier ones that are not here yet ──"
    assert "3 more" not in on_tty(node, "log", "--no-pager")[0]
    shown, _ = on_tty(fake({"hello": HELLO, "request.list": {"result": {"requests": [REQUEST]}}}), "request", "list",
                      "--color", "never")
    assert "#garden, 4 members" in shown and "Next: yaari request accept 2" in shown
