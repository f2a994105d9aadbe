"""What users see and say about friends who are away: presence, typing, texts that wait, are held by
others, have a time, or are taken back."""

import json
import re
import select
import time

import pytest

import yaari
from test_chat import Chat
from yaari import check, wait_for


def people(*names):
    home = yaari.new_home()
    return home, [yaari.Node(home / name, name) for name in names]


@pytest.fixture
def two():
    """alice and bob, friends and online."""
    home, (alice, bob) = people("alice", "bob")
    try:
        alice.init()
        bob.init()
        alice.befriend(bob)
        yield alice, bob
    finally:
        alice.close()
        bob.close()
        yaari.remove(home)


@pytest.fixture
def three():
    """alice, bob, and carol, a friend of both who keeps mail for them."""
    home, nodes = people("alice", "bob", "carol")
    alice, bob, carol = nodes
    try:
        for node in nodes:
            node.init()
        alice.befriend(bob)
        alice.befriend(carol)
        bob.befriend(carol)
        for name in ("alice", "bob"):
            carol.ok("friend", "set", name, "mail", "yes")
        time.sleep(4)  # who may carry is told a second after a link came; then tags are registered
        yield nodes
    finally:
        for node in nodes:
            node.close()
        yaari.remove(home)


def friend(node, name):
    return node.json("friend", "show", name)[0]


def gone(node, other):
    """`other` ends its node, and `node` has noticed."""
    other.stop()
    wait_for(lambda: friend(node, other.name)["state"] == "offline", 30)


def state(node, who, text):
    return [m["state"] for m in node.json("log", who) if m["text"] == text]


def until_told(events, act):
    """Act again until a program that follows events, and may be starting yet, prints a line of them."""
    def told():
        act()
        return events.stdout.readline() if select.select([events.stdout], [], [], 0.5)[0] else None
    return wait_for(told, 20)


# ---- presence ---------------------------------------------------------------------------------


def test_without_consent_nobody_learns_that_one_is_away(two):
    alice, bob = two
    me = alice.json("away", "on", "holiday")[0]
    assert me["away"] is True and me["away_text"] == "on holiday" and "away_since" in me
    assert "away     since" in alice.ok("me").out and "on holiday" in alice.ok("me").out
    alice.ok("send", "bob", "hello")
    wait_for(lambda: bob.texts("alice") == ["hello"])
    record = friend(bob, "alice")
    assert record["state"] == "online"
    assert not {"away_text", "away_since", "last_active"} & set(record)
    assert "away" not in alice.json("back")[0]


def test_a_friend_who_may_know_sees_it_while_it_lasts(two):
    alice, bob = two
    assert friend(alice, "bob")["presence"] == "default"
    alice.ok("friend", "set", "bob", "presence", "yes")
    assert friend(alice, "bob")["presence"] == "yes"
    events = bob.popen("events", "--type", "presence", "-C", "1", "--timeout", "20s")
    event = json.loads(until_told(events, lambda: alice.ok("away", "back on 6 Dec")))
    check(event)
    assert event["data"]["state"] == "away" and event["data"]["away_text"] == "back on 6 Dec"
    record = friend(bob, "alice")
    assert (record["state"], record["away_text"]) == ("away", "back on 6 Dec")
    assert {"away_since", "last_active", "last_seen"} <= set(record)
    assert [f["name"] for f in bob.json("friend", "list", "--online")] == ["alice"]  # the link is up
    assert "\taway\t" in bob.ok("friend", "list").out
    shown = bob.ok("friend", "show", "alice").out
    assert re.search(r"^away +since .*: back on 6 Dec$", shown, re.MULTILINE), shown
    assert alice.ok("status").out.splitlines()[0].find("away") > 0
    # It stands while she is not linked, and when bob's node was down.
    gone(bob, alice)
    bob.kill9()
    bob.start()
    record = friend(bob, "alice")
    assert (record["state"], record["away_text"]) == ("offline", "back on 6 Dec")
    assert "away, they said: back on 6 Dec" in bob.ok("why", "alice").out
    alice.start()
    wait_for(lambda: friend(bob, "alice")["state"] == "away", 30)
    alice.ok("back")
    wait_for(lambda: friend(bob, "alice")["state"] == "online")
    assert "away_text" not in friend(bob, "alice")


def test_the_configuration_says_it_for_all_and_takes_it_back(two):
    alice, bob = two
    alice.ok("away", "secret")
    alice.ok("config", "set", "privacy.presence", "friends")
    wait_for(lambda: friend(bob, "alice").get("away_text") == "secret")
    alice.ok("config", "set", "privacy.presence", "verified")
    wait_for(lambda: friend(bob, "alice")["state"] == "online")
    assert "away_text" not in friend(bob, "alice")
    alice.ok("friend", "verify", "bob", "--yes")
    wait_for(lambda: friend(bob, "alice")["state"] == "away")
    alice.ok("friend", "set", "bob", "presence", "no")
    wait_for(lambda: friend(bob, "alice")["state"] == "online")


def test_away_texts_are_made_safe(two):
    alice, bob = two
    alice.ok("friend", "set", "bob", "presence", "yes")
    alice.ok("away", "\x1b[31mred\u202e\x07")
    wait_for(lambda: friend(bob, "alice")["state"] == "away")
    for args in (["friend", "show", "alice"], ["friend", "list"], ["friend", "list", "--json"], ["why", "alice"]):
        out = bob.ok(*args).out
        assert not yaari.UNSAFE.search(out.replace("\n", "")), (args, out)
    assert bob.run("away", "x" * 257).exit == 65


# ---- typing -----------------------------------------------------------------------------------


def test_typing_is_told_where_it_may_be(two):
    alice, bob = two
    call = ["rpc", "typing.set", '{"friend":"bob","typing":true}']
    alice.ok(*call)
    events = bob.popen("events", "--type", "typing", "-C", "2", "--timeout", "20s")
    alice.ok("config", "set", "privacy.typing", "yes")
    seen = json.loads(until_told(events, lambda: alice.ok(*call)))
    check(seen)
    assert seen["data"]["typing"] is True and seen["data"]["friend"]["name"] == "alice"
    alice.ok("send", "bob", "here it is")  # it is written
    seen = json.loads(events.stdout.readline())
    assert seen["data"]["typing"] is False
    assert events.wait(20) == 0
    assert alice.run("rpc", "typing.set", '{"friend":"nobody","typing":true}').exit == 67


def test_the_chat_shows_who_types_and_who_is_away(two):
    alice, bob = two
    for one, other in ((alice, "bob"), (bob, "alice")):
        one.ok("friend", "set", other, "typing", "yes")
        one.ok("friend", "set", other, "presence", "yes")
        one.ok("friend", "rename", other, other)
    with Chat(alice, "bob") as a, Chat(bob, "alice") as b:
        a.settle(r"^bob>")
        b.settle(r"^alice>")
        a.send("hel")
        b.settle(r"^alice is typing>")
        a.send("lo\r")
        b.see(r"alice: hello")
        b.settle(r"^alice>")
        b.send("x")
        a.settle(r"^bob is typing>")
        b.send("\x7f")  # thought better of it
        a.settle(r"^bob>")
        a.enter("/away lunch")
        a.see(r"-- you are away: lunch; friends who may know are told")
        b.see(r"-- alice is away: lunch")
        b.enter("/whois")
        b.see(r"away")
        b.enter("/friends")
        b.see(r"alice \(away\): lunch")
        a.enter("/back")
        a.see(r"-- you are back")
        b.see(r"-- alice is back")
        a.enter("/quit")
        b.enter("/quit")
        assert a.end() == 0 and b.end() == 0


# ---- texts that wait --------------------------------------------------------------------------


def test_a_text_with_a_time_is_given_up_and_said_to_be(two):
    alice, bob = two
    gone(alice, bob)
    alice.ok("send", "bob", "before")
    sent = alice.json("send", "bob", "too late", "--expires", "2s")[0]
    assert sent["state"] == "accepted" and "expires" in sent
    alice.ok("send", "bob", "after")
    assert "given up unless delivered by" in alice.ok("show", sent["id"]).out
    assert "given up unless it is there by" in alice.ok("why", sent["id"]).out
    record = wait_for(lambda: [m for m in alice.json("log", "bob") if m["state"] == "failed"])[0]
    assert record["id"] == sent["id"] and record["reason"] == "expired" and record["text"] == "too late"
    why = alice.json("why", sent["id"])[0]
    assert why["state"] == "failed" and "expired" in [s["code"] for s in why["steps"]]
    assert "given up: it had not arrived in time" in alice.ok("why", sent["id"]).out
    assert "given up: not delivered by" in alice.ok("show", sent["id"]).out
    assert alice.run("edit", sent["id"], "again").exit == 77
    bob.start()
    wait_for(lambda: [m["text"] for m in bob.json("log", "alice") if "deleted" not in m] == ["before", "after"], 30)
    assert [m["id"] for m in bob.json("log", "alice")] == [m["id"] for m in alice.json("log", "bob")]
    wait_for(lambda: state(alice, "bob", "after") == ["delivered"])
    assert state(alice, "bob", "too late") == ["failed"]


def test_who_waits_for_a_text_that_is_given_up_hears_it(two):
    alice, bob = two
    gone(alice, bob)
    result = alice.run("send", "bob", "x", "--expires", "1s", "--wait", "delivered", "--timeout", "30s")
    assert result.exit == 68 and "given up: not delivered to bob in time" in result.err, result
    form = alice.run("send", "bob", "x", "--expires", "1s", "--wait", "delivered", "--timeout", "30s", "--json")
    error = json.loads(form.err)
    check(error)
    assert form.exit == 68 and error["name"] == "unreachable"
    for wrong in ("0", "367d", "soon"):
        assert alice.run("send", "bob", "x", "--expires", wrong).exit == 64
    alice.ok("room", "new", "garden")
    assert alice.run("send", "+garden", "x", "--expires", "1h").exit != 0


def test_a_text_that_nobody_has_is_taken_back(two):
    alice, bob = two
    gone(alice, bob)
    alice.ok("send", "bob", "one")
    oops = alice.json("send", "bob", "oops")[0]["id"]
    alice.ok("send", "bob", "three")
    assert alice.json("delete", oops)[0]["state"] == "cancelled"
    assert "taken back before anybody had it" in alice.ok("why", oops).out
    bob.start()
    wait_for(lambda: [m["text"] for m in bob.json("log", "alice")] == ["one", "", "three"], 30)
    assert [m["id"] for m in bob.json("log", "alice")] == [m["id"] for m in alice.json("log", "bob")]
    assert not any("oops" in path.read_text(errors="replace") for path in [bob.log_file])


def test_who_tells_what_was_read_is_said_for_each_friend(two):
    alice, bob = two
    assert alice.run("send", "bob", "x", "--wait", "read").exit == 64
    for one, other in ((alice, "bob"), (bob, "alice")):
        one.ok("friend", "set", other, "receipts", "yes")
    waiting = alice.popen("send", "bob", "are you there?", "--wait", "read", "--timeout", "30s")
    wait_for(lambda: "are you there?" in bob.texts("alice"))
    bob.ok("read", "alice")
    assert waiting.wait(30) == 0
    assert state(alice, "bob", "are you there?") == ["read"]
    alice.ok("friend", "set", "bob", "receipts", "no")
    assert state(alice, "bob", "are you there?") == ["delivered"]  # it is mutual
    assert alice.run("send", "bob", "x", "--wait", "read").exit == 64


# ---- held by friends --------------------------------------------------------------------------


def test_a_held_text_is_told_of_at_each_step(three):
    alice, bob, carol = three
    gone(alice, bob)
    sent = alice.json("send", "bob", "hello bob", "--wait", "held", "--timeout", "60s")[0]
    assert sent["state"] == "held" and sent["held_by"] == 1 and "held_until" in sent
    assert re.search(r"^queue +1 message held for bob \(at 1 friend\)", alice.ok("status").out, re.MULTILINE)
    queued = alice.json("status")[0]["queued"]
    assert [(q["friend"]["name"], q["messages"], q["held"], q["held_at"]) for q in queued] == [("bob", 1, 1, 1)]
    why = alice.ok("why", sent["id"]).out
    assert why.startswith("to bob: held, not yet delivered\n"), why
    assert "accepted here" in why and re.search(r"held by carol until \d+ \w+ \(custody acknowledged\)", why), why
    assert re.search(r"next direct try (now, or|in .*, or at once) when bob appears", why), why
    assert why == alice.ok("why").out or "held by carol" in alice.ok("why").out  # the last that waits
    times = [s["time"] for s in alice.json("why", sent["id"])[0]["steps"] if "time" in s]
    assert times == sorted(times)
    assert "1 text waits for them since then, 1 held by 1 friend" in alice.ok("why", "bob").out
    assert "held by 1 friend until" in alice.ok("show", sent["id"]).out
    assert "\theld\t" in alice.ok("log", "bob").out
    alice.stop()
    bob.start()
    wait_for(lambda: bob.texts("alice") == ["hello bob"], 60)
    alice.start()
    record = wait_for(lambda: [m for m in alice.json("log", "bob") if m["state"] == "delivered"], 120)[0]
    assert "held_by" not in record
    steps = alice.json("show", sent["id"])[0]["steps"]
    assert [s["state"] for s in steps] == ["accepted", "held", "delivered"]
    assert "queued" not in alice.json("status")[0] or alice.json("status")[0]["queued"] == []


def test_a_held_text_that_is_deleted_is_deleted_there(three):
    alice, bob, carol = three
    gone(alice, bob)
    alice.ok("send", "bob", "hello")
    oops = alice.json("send", "bob", "oops", "--wait", "held", "--timeout", "60s")[0]["id"]
    deleted = alice.json("delete", oops)[0]
    assert deleted["deleted"] is True and deleted["state"] == "held"
    time.sleep(5)  # its deletion is left with carol, too, after two seconds
    alice.stop()
    bob.start()
    wait_for(lambda: bob.texts("alice") and "hello" in bob.texts("alice"), 60)
    wait_for(lambda: "oops" not in bob.texts("alice"), 60)
