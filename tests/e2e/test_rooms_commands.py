"""Rooms by commands alone: three nodes, of which alice and carol are no friends."""

import json
import re

import pytest

import rpc
import yaari
from test_commands import fails, on_tty
from yaari import UNSAFE, wait_for


def befriend_line(nodes):
    """alice - bob - carol"""
    alice, bob, carol = nodes
    for node in nodes:
        node.init()
    alice.befriend(bob)
    bob.befriend(carol)
    return nodes


@pytest.fixture(scope="module")
def trio():
    home = yaari.new_home()
    made = [yaari.Node(home / name[0], name) for name in ("alice", "bob", "carol")]
    try:
        yield befriend_line(made)
    finally:
        for node in made:
            node.close()
        yaari.remove(home)


def room_of(node, name):
    found = [r for r in node.json("room", "list", "--all") if r["name"] == name]
    return found[0] if found else None


def request_of(node, name):
    """The invitation to a room of this name, as soon as it is there."""
    return wait_for(lambda: next((r for r in node.json("request", "list") if r["what"] == "room"
                                  and r["text"] == name and r["state"] == "waiting"), None), 30)


def joined(node, name):
    return wait_for(lambda: (room_of(node, name) or {}).get("state") == "active", 30)


def invite(inviter, guest, room, name):
    inviter.ok("room", "invite", room, name)
    guest.ok("request", "accept", str(request_of(guest, room.lstrip("+"))["id"]))
    joined(guest, room.lstrip("+"))


def members_of(node, room):
    return {m["name"]: m for m in node.json("room", "members", room)}


def said(node, room, *args):
    """What members agree on."""
    return [{k: m.get(k) for k in ("id", "kind", "text", "time", "reply_to", "edited", "deleted")}
            | {"from": m["from"]["id"],
               "reactions": sorted((r["emoji"], i) for r in m.get("reactions", []) for i in r["ids"])}
            for m in node.json("log", room, *args)]


@pytest.fixture(scope="module")
def garden(trio):
    """#garden: alice made it and invited bob, who invited carol."""
    alice, bob, carol = trio
    (made,) = alice.json("room", "new", "garden", "--topic", "tulips", "--history", "7", "--members", "bob")
    assert (made["role"], made["history_days"], made["topic"]) == ("founder", 7, "tulips")
    request = request_of(bob, "garden")
    assert (request["from"]["name"], request["dir"], request["room"]["id"]) == ("alice", "in", made["id"])
    assert bob.json("status")[0]["requests"] == 1 and bob.json("room", "list") == []
    (accepted,) = bob.json("request", "accept", str(request["id"]))
    assert accepted["state"] in ("accepted", "done")
    joined(bob, "garden")
    invite(bob, carol, "+garden", "carol")
    for node in trio:
        wait_for(lambda: room_of(node, "garden")["members"] == 3, 30)
        # the founder's name comes with its profile, which is a record of its own
        wait_for(lambda: {"alice", "bob", "carol"} <= set(members_of(node, "garden")), 60)
    return trio


def test_who_is_in_a_room(garden):
    alice, bob, carol = garden
    seen = wait_for(lambda: (m := members_of(alice, "garden")) and "carol" in m and m)
    assert seen["alice"]["role"] == "founder" and seen["alice"]["self"] is True
    assert seen["bob"]["friend"] is True and seen["bob"]["role"] == "member"
    assert seen["carol"]["friend"] is False and "friend_id" not in seen["carol"]
    wait_for(lambda: members_of(alice, "garden")["carol"].get("via") == "bob", 30)
    assert {m["id"] for m in seen.values()} == {m["id"] for m in members_of(carol, "+garden").values()}
    shown, _ = on_tty(alice, "room", "members", "garden", "--color", "never")
    assert re.search(r"^~carol +member .* via bob\r$", shown, re.M), shown
    assert "carol" not in [f["name"] for f in alice.json("friend", "list")]
    assert "of 3 members seen lately" in alice.ok("room", "show", "garden").out


def test_a_text_reaches_who_is_no_friend(garden):
    alice, bob, carol = garden
    (message,) = alice.json("send", "+garden", "hello", "--wait", "delivered", "--timeout", "30s")
    assert message["target"]["kind"] == "room" and message["from"]["kind"] == "member"
    assert message["per_member"]["of"] == 2 and message["per_member"]["delivered"] == 2
    (got,) = carol.json("log", "+garden", "-n", "1")
    assert got["text"] == "hello" and got["from"]["name"] == "alice" and got["from"]["friend"] is False
    assert got["from"]["id"] == message["from"]["id"] and got["id"] == message["id"]
    assert bob.json("log", "garden", "-n", "1")[0]["from"]["friend"] is True
    assert carol.ok("why", got["id"]).out.startswith("from ~alice in #garden: delivered\n")
    shown, _ = on_tty(carol, "log", "garden", "-n", "1", "--no-pager", "--color", "never")
    assert re.search(r"\d\d:\d\d  ~alice  hello", shown), shown
    assert "#garden" in on_tty(carol, "log", "-n", "1", "--no-pager", "--color", "never")[0]


def test_edits_replies_reactions_and_deletions_are_the_same_for_all(garden):
    alice, bob, carol = garden
    (first,) = alice.json("send", "garden", "frist", "--wait", "delivered", "--timeout", "30s")
    alice.ok("edit", first["id"], "first")
    carol.ok("react", first["id"], "👍")
    (reply,) = carol.json("send", "#garden", "second", "--reply", first["id"][:8])
    (gone,) = bob.json("send", "garden", "third")
    bob.ok("delete", gone["id"])
    carol.ok("send", "garden", "waves", "--action")
    wait_for(lambda: len(said(alice, "garden")) >= 4 and said(alice, "garden") == said(bob, "garden")
             == said(carol, "garden"), 30)
    log = {m["id"]: m for m in said(alice, "garden")}
    assert log[first["id"]]["text"] == "first" and log[first["id"]]["edited"]
    assert [e for e, _ in log[first["id"]]["reactions"]] == ["👍"]
    assert log[reply["id"]]["reply_to"] == first["id"]
    assert log[gone["id"]]["deleted"] is True
    fails(bob, 77, "edit", first["id"], "mine now", name="denied")


def test_mentions_are_counted_and_read(garden):
    alice, bob, carol = garden
    bob.ok("inbox", "--mark-read")
    alice.ok("send", "garden", "everybody, listen")
    alice.ok("send", "garden", "@bob: look")
    wait_for(lambda: (u := bob.json("inbox")) and u[0]["unread"] == 2 and u[0]["mentions"] == 1, 30)
    assert bob.json("status")[0]["mentions"] == 1
    assert [m.get("mention", False) for m in bob.json("log", "garden", "-n", "2")] == [False, True]
    assert [m["text"] for m in bob.json("log", "garden", "--unread")] == ["everybody, listen", "@bob: look"]
    (unread,) = bob.json("read", "+garden")
    assert (unread["unread"], unread["mentions"]) == (0, 0)
    assert bob.run("inbox", "--check").exit == 1
    (room,) = bob.json("room", "set", "garden", "mentions", "yes")
    assert room["mentions_only"] is True
    bob.ok("room", "set", "garden", "mentions", "no")


def test_history_by_author(garden):
    alice, _, carol = garden
    carol.ok("send", "garden", "from carol", "--wait", "delivered", "--timeout", "30s")
    assert {m["from"]["name"] for m in alice.json("log", "garden", "--from", "~carol")} == {"carol"}
    assert {m["own"] for m in alice.json("log", "garden", "--from", "me")} == {True}
    fails(alice, 67, "log", "garden", "--from", "nobody", name="no_such_target")
    fails(alice, 67, "log", "--from", "carol", name="no_such_target")


def test_system_lines_only_when_asked_for(garden):
    alice, _, _ = garden
    assert "system" not in {m["kind"] for m in alice.json("log", "garden")}
    lines = [m for m in alice.json("log", "garden", "--all") if m["kind"] == "system"]
    assert lines and all(m["from"]["kind"] == "room" for m in lines)


def test_tail_and_events_follow_a_room(garden):
    alice, bob, _ = garden
    tail = bob.popen("tail", "+garden", "--json", "-C", "1", "--timeout", "30s")
    events = bob.popen("events", "--type", "message,room", "-C", "1", "--timeout", "30s")
    wait_for(lambda: alice.ok("send", "garden", "ping") and (tail.poll() is not None or events.poll() is not None),
             30, step=0.3)
    out, _ = tail.communicate(timeout=30)
    message = json.loads(out)
    yaari.check(message)
    assert message["text"] == "ping" and message["target"]["name"] == "garden"
    event = json.loads(events.communicate(timeout=30)[0].splitlines()[0])
    yaari.check(event)
    cursor = alice.json("status") and alice.json("events", "--since", "0", "-C", "1")[0]["cursor"]
    kinds = {e["event"] for e in (json.loads(line) for line in alice.run(
        "events", "--since", str(cursor), "-C", "100000", "--timeout", "1s").lines)}
    assert {"room", "member", "message"} <= kinds


def test_topic_name_and_mute(garden):
    alice, bob, carol = garden
    alice.ok("room", "topic", "garden", "roses", "now")
    wait_for(lambda: carol.ok("room", "topic", "+garden").out == "roses now\n", 30)
    (room,) = bob.json("room", "mute", "garden", "1h")
    assert room["muted"] is True and "muted_until" in room
    assert bob.json("room", "mute", "garden", "off")[0]["muted"] is False
    fails(carol, 77, "room", "rename", "garden", "mine", name="denied")
    alice.ok("room", "rename", "garden", "Garten")
    for node in garden:
        wait_for(lambda: room_of(node, "Garten"), 30)
    alice.ok("room", "rename", "Garten", "garden")
    for node in garden:
        wait_for(lambda: room_of(node, "garden"), 30)


def test_roles(garden):
    alice, bob, carol = garden
    fails(carol, 77, "room", "kick", "garden", "bob", name="denied")
    fails(carol, 77, "room", "role", "garden", "bob", "admin", name="denied")
    (member,) = alice.json("room", "role", "garden", "bob", "mod")
    assert member["role"] == "mod"
    wait_for(lambda: members_of(carol, "garden")["bob"]["role"] == "mod", 30)
    wait_for(lambda: room_of(bob, "garden")["role"] == "mod", 30)
    fails(bob, 77, "room", "kick", "garden", "alice", name="denied")
    alice.ok("room", "role", "garden", "bob", "member")
    wait_for(lambda: room_of(bob, "garden")["role"] == "member", 30)
    fails(alice, 67, "room", "role", "garden", "nobody", "mod", name="no_such_target")


def test_no_record_has_a_member_its_schema_does_not_know(garden):
    alice, bob, carol = garden
    (message,) = alice.json("send", "garden", "@bob: look")
    wait_for(lambda: message["id"] in [m["id"] for m in carol.json("log", "garden")], 30)
    carol.ok("react", message["id"], "👍")
    alice.ok("room", "mute", "garden", "1h")
    for node in garden:
        for args in (["room", "list", "--all"], ["room", "members", "garden"], ["log", "garden", "--all"],
                     ["request", "list"], ["inbox"], ["status"], ["show", message["id"]], ["why", message["id"]]):
            rpc.validate(node.ok(*args, "--json").records)
        events = node.run("events", "--since", "0", "-C", "100000", "--timeout", "1s").records
        assert events
        rpc.validate(events)
    alice.ok("room", "mute", "garden", "off")


def test_names_that_fit_a_friend_and_a_room(garden):
    alice, _, _ = garden
    alice.ok("room", "new", "bob")
    _, error = fails(alice, 65, "send", "bob", "to whom", name="ambiguous")
    assert error["candidates"] == ["@bob", "+bob"]
    alice.ok("send", "@bob", "to the friend", "--wait", "delivered")
    alice.ok("send", "+bob", "to the room")
    assert alice.texts("+bob") == ["to the room"]
    alice.ok("room", "leave", "+bob", "--forget", "--yes")
    wait_for(lambda: room_of(alice, "bob") is None)
    alice.ok("send", "bob", "again to the friend")


def test_exit_codes_of_rooms(garden):
    alice, bob, carol = garden
    for args in (["show"], ["members"], ["leave"], ["join"], ["topic"]):
        fails(alice, 67, "room", *args, "nowhere", name="no_such_target")
    fails(alice, 67, "send", "+nowhere", "x", name="no_such_target")
    fails(alice, 67, "room", "invite", "garden", "carol", name="no_such_target")  # no friend of hers
    fails(alice, 73, "room", "invite", "garden", "bob", name="exists")
    fails(alice, 67, "request", "accept", "999", name="no_such_target")
    fails(alice, 65, "room", "new", "\u200b", name="invalid_params")
    fails(alice, 65, "room", "new", "x" * 65)
    fails(alice, 65, "send", "garden", "-", stdin="x" * 4097, name="too_large")
    fails(alice, 65, "room", "set", "garden", "colour", "red", name="invalid_params")
    assert alice.run("send", "garden", "-", stdin="y" * 4096).exit == 0


def test_hostile_names_and_topics(garden):
    alice, bob, _ = garden
    alice.ok("room", "new", "\x1b[31m$(id)\u202e", "--topic", "\x1b]0;x\x07\u202e", "--members", "bob")
    room = wait_for(lambda: [r for r in bob.json("request", "list") if r["what"] == "room"], 30)[0]
    for args in (["request", "list"], ["room", "list", "--all"]):
        for node in (alice, bob):
            assert not UNSAFE.search(node.ok(*args).out)
            assert not UNSAFE.search(on_tty(node, *args, "--color", "never")[0].replace("\r\n", "\n"))
    bob.ok("request", "reject", str(room["id"]))
    wait_for(lambda: not [r for r in bob.json("request", "list") if r["what"] == "room"])
    name = next(r["name"] for r in alice.json("room", "list") if "$(id)" in r["name"])
    alice.ok("room", "leave", "+" + name, "--forget", "--yes")


def test_a_text_to_who_is_away_waits(nodes):
    alice, bob, carol = befriend_line([nodes("alice"), nodes("bob"), nodes("carol")])
    alice.ok("room", "new", "roof")
    invite(alice, bob, "+roof", "bob")
    invite(bob, carol, "+roof", "carol")
    for node in (alice, bob):
        wait_for(lambda: room_of(node, "roof")["members"] == 3, 30)
    alice.ok("send", "roof", "all here", "--wait", "delivered", "--timeout", "30s")
    carol.stop()
    words, error = fails(alice, 75, "send", "+roof", "carol is away", "--wait", "delivered", "--timeout", "13s",
                         name="timeout")  # what bob has got is told every 10 s at most
    assert words.err.splitlines()[0] == "yaari: not delivered to 1 of 2 members within 13 s; the message stays queued"
    assert alice.ok("why", error["id"]).out.startswith("to #roof: accepted, not yet delivered")
    assert "delivered to 1 of 2" in on_tty(alice, "log", "roof", "-n", "1", "--no-pager", "--color", "never")[0]
    carol.start()
    wait_for(lambda: alice.json("log", "roof", "-n", "1")[0]["state"] == "delivered", 60)
    assert said(carol, "roof") == said(alice, "roof")


def test_who_was_removed_and_who_leaves(nodes):
    alice, bob = nodes("alice").init(), nodes("bob").init()
    alice.befriend(bob)
    alice.ok("room", "new", "roof")
    invite(alice, bob, "+roof", "bob")
    alice.ok("send", "roof", "before", "--wait", "delivered", "--timeout", "30s")
    alice.ok("room", "kick", "roof", "bob")
    wait_for(lambda: (room_of(bob, "roof") or {}).get("state") == "gone", 30)
    assert bob.json("room", "list") == []
    fails(bob, 77, "send", "roof", "still here?", name="denied")
    fails(bob, 77, "room", "join", "roof", name="denied")
    alice.ok("send", "roof", "after")
    assert bob.texts("roof") == ["before"]
    bob.ok("room", "leave", "roof", "--forget", "--yes")
    assert room_of(bob, "roof") is None
    assert alice.json("room", "members", "roof")[0]["role"] == "founder"
    assert [m["name"] for m in alice.json("room", "members", "roof")] == ["alice"]
    assert alice.ok("room", "leave", "roof").out == ""
    wait_for(lambda: room_of(alice, "roof")["state"] == "gone")
    assert "before" in alice.texts("roof")
