"""A friend is away: friends of both keep what is written to him, sealed, and say so."""

import calendar
import os
import signal
import subprocess
import threading
import time

import pytest

import rpc
from canary import Canaries, memory_of
from test_story import history
from yaari import wait_for

PATIENCE = 30  # seconds until a letter is held: 2 until anybody is asked, the rest for slow machines
RECEIPT = 75   # a receipt waits up to 60 s at random before it is left with others


def counters(node):
    """What its daemon counts, as it writes it into its log when told to."""
    before = len(node.log_file.read_text())
    os.kill(node.pid, signal.SIGUSR1)
    wait_for(lambda: "stats rpc.events=" in node.log_file.read_text()[before:])
    lines = node.log_file.read_text()[before:].splitlines()
    return {k: int(v) for k, v in (line.rsplit(" stats ", 1)[1].split("=") for line in lines
                                   if " stats " in line and line.count("=") == 1)}


def codes(node, what):
    """The steps that why tells, as (code, text)."""
    return [(s["code"], s["text"]) for s in node.json("why", what)[0]["steps"]]


def keepers(node, name):
    return {text.split()[0] for code, text in codes(node, name) if code == "keeper"}


def known_as_keeper(keeper, *friends):
    """Each has been told by the others that they let mail be left with `keeper`."""
    for node in friends:
        for other in friends:
            if node is not other:
                wait_for(lambda: keeper.name in keepers(node, other.name), 30, step=0.1)


def all_friends(*nodes):
    for i, node in enumerate(nodes):
        for other in nodes[i + 1:]:
            node.befriend(other)


@pytest.fixture
def three(nodes):
    """alice, bob, and carol, who keeps mail for both."""
    alice, bob, carol = (nodes(name).init() for name in ("alice", "bob", "carol"))
    all_friends(alice, bob, carol)
    known_as_keeper(carol, alice, bob)
    return alice, bob, carol


def leave(node, *seen_by):
    """Go off in good order; the others have seen it when this returns."""
    node.stop()
    for other in seen_by:
        wait_for(lambda: other.json("friend", "show", node.name)[0]["state"] == "offline")


def send_held(node, to, text):
    """Send a text that somebody keeps when this returns."""
    message, = node.json("send", to, text, "--wait", "held", "--timeout", f"{PATIENCE}s", timeout=PATIENCE + 10)
    assert message["state"] == "held" and message["held_by"] >= 1
    return message


def one(node, other, message):
    """A message as it is now."""
    found, = [m for m in node.json("log", other, "-n", "0") if m["id"] == message["id"]]
    return found


def states(node, other):
    return {m["state"] for m in node.json("log", other, "-n", "0") if m["own"]}


# ---- the story ----

def test_two_who_are_never_there_together_talk_through_a_friend(three):
    alice, bob, carol = three
    leave(bob, alice, carol)
    sent = send_held(alice, "bob", "the key is under the third pot")

    # what she is told is so: by whom, and until when, two weeks from now
    held = [text for code, text in codes(alice, sent["id"]) if code == "held"]
    assert len(held) == 1 and held[0].startswith("held by carol until ") and "custody" in held[0]
    assert 12 * 86400 < time_of(sent["held_until"]) - time.time() < 15 * 86400
    assert alice.ok("why", sent["id"]).lines[0] == "to bob: held, not yet delivered"
    assert one(alice, "bob", sent)["held_by"] == 1
    queued, = alice.json("status")[0]["queued"]
    assert (queued["messages"], queued["held"], queued["held_at"]) == (1, 1, 1)

    leave(alice, carol)
    bob.start()
    wait_for(lambda: bob.texts("alice") == ["the key is under the third pot"], PATIENCE)
    # his receipt goes the same way, when it says no more about the time
    wait_for(lambda: counters(bob).get("post.custody", 0) >= 1, RECEIPT, step=0.5)
    leave(bob, carol)

    alice.start()
    wait_for(lambda: one(alice, "bob", sent)["state"] == "delivered", PATIENCE)
    assert "held_by" not in one(alice, "bob", sent)
    assert [c for c, _ in codes(alice, sent["id"])] == ["accepted", "was_held", "delivered"]
    assert alice.json("status")[0]["queue"] == 0

    # and there is one of it, also when both are there
    bob.start()
    bob.ok("send", "alice", "found it", "--wait", "delivered", "--timeout", "30s")
    assert bob.texts("alice") == alice.texts("bob") == ["the key is under the third pot", "found it"]


def time_of(rfc3339):
    return calendar.timegm(time.strptime(rfc3339[:19], "%Y-%m-%dT%H:%M:%S"))


def test_who_keeps_it_may_be_killed_right_after_saying_so(three):
    alice, bob, carol = three
    leave(bob, alice, carol)
    sent = send_held(alice, "bob", "still there?")
    carol.kill9()
    leave(alice)
    carol.start()
    bob.start()
    wait_for(lambda: bob.texts("alice") == ["still there?"], PATIENCE)
    alice.start()
    wait_for(lambda: one(alice, "bob", sent)["state"] == "delivered", PATIENCE)
    alice.ok("send", "bob", "good", "--wait", "delivered", "--timeout", "30s")
    assert bob.texts("alice") == ["still there?", "good"]


def test_who_keeps_it_may_be_killed_at_any_time(three):
    """alice writes fifty while carol is killed three times; what alice sees held is there."""
    alice, bob, carol = three
    leave(bob, alice, carol)
    want = [f"page {i:02}" for i in range(50)]
    for start in (0, 15, 30):
        alice.ok("send", "bob", "--each-line", stdin="".join(t + "\n" for t in want[start:start + 15]))
        wait_for(lambda: counters(alice).get("post.left", 0) > 0, PATIENCE)
        carol.kill9()
        carol.start()
    alice.ok("send", "bob", "--each-line", stdin="".join(t + "\n" for t in want[45:]))
    wait_for(lambda: states(alice, "bob") == {"held"}, PATIENCE, step=0.3)
    leave(alice, carol)
    bob.start()
    wait_for(lambda: len(bob.texts("alice", "-n", "0")) == 50, PATIENCE, step=0.3)
    assert bob.texts("alice", "-n", "0") == want
    alice.start()
    wait_for(lambda: states(alice, "bob") == {"delivered"}, PATIENCE, step=0.3)
    assert bob.texts("alice", "-n", "0") == want


# ---- a thousand, and a node that dies every second ----

def thousand(alice, bob, off):
    """alice writes 1,000 texts, some hundred a second; bob dies each second.  off(n): how he goes."""
    want = [f"parcel {i:04}" for i in range(1000)]
    sender = alice.popen("send", "bob", "--each-line", stdin=subprocess.PIPE)

    def feed():
        for text in want:
            sender.stdin.write(text.encode() + b"\n")
            sender.stdin.flush()
            time.sleep(0.008)  # or they would all be sent between two deaths
        sender.stdin.close()

    feeder = threading.Thread(target=feed)
    feeder.start()
    deaths = 0
    while feeder.is_alive() or deaths < 8:
        since = time.monotonic()
        off(deaths)
        bob.start()
        deaths += 1
        feeder.join(max(0.05, 1 - (time.monotonic() - since)))
    feeder.join()
    assert sender.wait(60) == 0, sender.stderr.read()
    wait_for(lambda: len(bob.texts("alice", "-n", "0")) >= 1000, 60, step=0.5)
    assert bob.texts("alice", "-n", "0") == want
    return want


def test_a_thousand_texts_to_one_who_dies_every_second(nodes):
    alice, bob = nodes("alice").init(), nodes("bob").init()
    alice.befriend(bob)
    want = thousand(alice, bob, lambda n: bob.kill9())
    wait_for(lambda: states(alice, "bob") == {"delivered"}, 60, step=0.5)
    assert history(alice, "bob") == history(bob, "alice")
    assert bob.texts("alice", "-n", "0") == want


def test_a_thousand_texts_to_one_who_dies_every_second_and_some_are_kept(three):
    """Now and then he is away long enough that carol is asked; she gives out what came already, too."""
    alice, bob, carol = three

    def off(n):
        if n % 4 != 2:
            bob.kill9()
            return
        before = counters(alice).get("post.custody", 0)
        bob.stop()
        wait_for(lambda: counters(alice).get("post.custody", 0) > before + 20, PATIENCE)

    want = thousand(alice, bob, off)
    wait_for(lambda: states(alice, "bob") == {"delivered"}, 60, step=0.5)
    assert counters(alice)["post.custody"] > 40
    assert history(alice, "bob") == history(bob, "alice")
    assert bob.texts("alice", "-n", "0") == want


# ---- who keeps it knows little ----

def test_who_keeps_it_finds_no_text_and_no_author(nodes):
    """What carol has of the letter names nobody who wrote it: not its text, not its id, no line in her log."""
    alice, bob = nodes("alice").init(), nodes("bob").init()
    carol = nodes("carol", config="[log]\nlevel = debug\n").init()
    all_friends(alice, bob, carol)
    known_as_keeper(carol, alice, bob)
    leave(bob, alice, carol)
    canaries = Canaries()
    quiet = len(carol.log_file.read_text())
    sent = [send_held(alice, "bob", "the pearls of Antananarivo"), send_held(alice, "bob", "are in Ouagadougou")]
    for m in sent:
        canaries.add(m["text"], m["text"])
    last = sent[-1]["id"]
    canaries.add("an id as people see it", last)
    canaries.secrets["an id"] = [message_id(last)]
    kept = [line for line in carol.log_file.read_text()[quiet:].splitlines() if "stats" not in line]
    me = alice.json("me", "show")[0]
    assert [line for line in kept if me["short"] in line or "alice" in line] == []
    assert counters(carol)["mail.kept"] == 2

    # the search finds it where it is: with alice
    alice.ok("log", "bob")
    assert sent[-1]["text"] in canaries.seen_in(memory_of(alice.pid))
    assert canaries.seen_in(memory_of(carol.pid)) == []
    leave(alice, carol)
    carol.kill9()
    assert canaries.seen_under(carol.home) == []
    carol.start()
    bob.start()
    wait_for(lambda: bob.texts("alice") == [m["text"] for m in sent], PATIENCE)
    # whatever she asks her own node: nothing of them is hers to read
    told = "".join(carol.ok(*words).out for words in (["log"], ["why", "bob"], ["why", "alice"], ["stats"]))
    assert not any(m["text"] in told or m["id"] in told for m in sent)


def message_id(id26):
    """The 16 bytes of a message's id as people write it."""
    value = 0
    for c in id26:
        value = value << 5 | "0123456789abcdefghjkmnpqrstvwxyz".index(c)
    return (value >> (26 * 5 - 128)).to_bytes(16, "big")


# ---- who keeps it says no ----

def big(i):
    return f"{i:02} " + "x" * 16000


def test_a_holder_who_is_full_refuses_and_drops_nothing(nodes):
    alice, bob = nodes("alice").init(), nodes("bob").init()
    carol = nodes("carol", config="[mail]\nquota = 1\n").init()
    all_friends(alice, bob, carol)
    known_as_keeper(carol, alice, bob)
    leave(bob, alice, carol)
    sent = [alice.json("send", "bob", big(i))[0] for i in range(70)]

    def refused():
        now = alice.json("log", "bob", "-n", "0")
        for m in now:
            if m["state"] == "accepted":
                return [(code, text) for code, text in codes(alice, m["id"]) if code == "full"]
        return None

    full = wait_for(refused, PATIENCE, step=0.3)
    assert full[0][1].startswith("carol does not hold it: no room")
    now = alice.json("log", "bob", "-n", "0")
    held = [m["state"] == "held" for m in now]
    assert 20 < sum(held) < 70
    assert counters(carol)["mail.refused.full"] >= 1
    assert counters(carol)["mail.kept"] == sum(held)

    # the truth: what is held comes without alice, the rest with her, all in order
    leave(alice, carol)
    bob.start()
    wait_for(lambda: len(bob.texts("alice", "-n", "0")) == sum(held), PATIENCE, step=0.3)
    alice.start()
    wait_for(lambda: len(bob.texts("alice", "-n", "0")) == 70, PATIENCE, step=0.3)
    assert [m["id"] for m in bob.json("log", "alice", "-n", "0")] == [m["id"] for m in sent]


def test_a_friend_who_leaves_too_much_is_refused_and_others_are_not(nodes):
    alice, bob, carol, dave = (nodes(name).init() for name in ("alice", "bob", "carol", "dave"))
    for node, other in ((alice, bob), (alice, carol), (dave, bob), (dave, carol), (bob, carol)):
        node.befriend(other)
    for friend in (alice, dave):
        wait_for(lambda: "carol" in keepers(friend, "bob"), 30, step=0.1)
    leave(bob, alice, carol, dave)
    alice.ok("send", "bob", "--each-line", stdin="".join(f"leaflet {i}\n" for i in range(700)))
    wait_for(lambda: counters(carol).get("mail.refused.rate", 0) > 0, PATIENCE, step=0.3)

    def refused():
        waiting = [m for m in alice.json("log", "bob", "-n", "0") if m["state"] == "accepted"]
        return [text for m in waiting[:3] for code, text in codes(alice, m["id"]) if code == "full"]

    assert wait_for(refused, PATIENCE, step=0.3)[0].startswith("carol does not hold it: no room for more of yours")
    assert 500 < sum(m["state"] == "held" for m in alice.json("log", "bob", "-n", "0")) < 700
    send_held(dave, "bob", "one of mine")


def test_who_keeps_no_more_says_so_and_another_takes_it(nodes):
    alice, bob, carol, dave = (nodes(name).init() for name in ("alice", "bob", "carol", "dave"))
    all_friends(alice, bob, carol, dave)
    known_as_keeper(carol, alice, bob)
    wait_for(lambda: keepers(alice, "bob") == {"carol", "dave"}, 30, step=0.1)
    leave(dave, alice, bob, carol)
    leave(bob, alice, carol)
    sent = send_held(alice, "bob", "carried from hand to hand")
    assert one(alice, "bob", sent)["held_by"] == 1
    carol.ok("friend", "set", "bob", "mail", "no")
    wait_for(lambda: "held_by" not in one(alice, "bob", sent), PATIENCE)
    now = one(alice, "bob", sent)
    assert now["state"] == "held"  # it never goes back; who asks is told that nobody has it now
    assert ("gone", "carol does not hold it any more") in codes(alice, sent["id"])
    dave.start()
    wait_for(lambda: one(alice, "bob", sent).get("held_by") == 1, PATIENCE)
    assert any(code == "held" and text.startswith("held by dave until") for code, text in codes(alice, sent["id"]))
    leave(alice, carol, dave)
    bob.start()
    wait_for(lambda: bob.texts("alice") == ["carried from hand to hand"], PATIENCE)


# ---- everything else ----

def test_all_that_is_done_to_messages_waits_with_a_friend_both_ways(three):
    alice, bob, carol = three
    typo, = alice.json("send", "bob", "meet at sevn", "--wait", "delivered")
    gone, = alice.json("send", "bob", "wrong window", "--wait", "delivered")
    his, = bob.json("send", "alice", "tea or coffee?", "--wait", "delivered")

    leave(bob, alice, carol)
    alice.ok("edit", typo["id"], "meet at seven")
    alice.ok("delete", gone["id"])
    alice.ok("react", his["id"], "🍵")
    alice.ok("send", "bob", "--action", "puts the kettle on")
    send_held(alice, "bob", "a reply")
    wait_for(lambda: counters(alice).get("post.custody", 0) >= 5, PATIENCE)
    said = history(alice, "bob")
    leave(alice, carol)
    bob.start()
    wait_for(lambda: history(bob, "alice") == said, PATIENCE)

    before = counters(bob).get("post.custody", 0)
    bob.ok("react", typo["id"], "👍")
    bob.ok("edit", his["id"], "tea or cake?")
    send_held(bob, "alice", "on my way")
    wait_for(lambda: counters(bob).get("post.custody", 0) >= before + 3, PATIENCE)
    said = history(bob, "alice")
    leave(bob, carol)
    alice.start()
    wait_for(lambda: history(alice, "bob") == said, PATIENCE)
    assert [m["text"] for m in said] == ["meet at seven", "", "tea or cake?", "puts the kettle on", "a reply", "on my way"]


def test_rooms_presence_and_typing_are_not_left_with_friends(three):
    alice, bob, carol = three
    alice.ok("room", "new", "garden")
    for guest in (bob, carol):
        alice.ok("room", "invite", "+garden", guest.name)
        asked = wait_for(lambda: [r for r in guest.json("request", "list") if r["what"] == "room"])
        guest.ok("request", "accept", str(asked[0]["id"]))
    for node in three:
        wait_for(lambda: len(node.json("room", "members", "+garden")) == 3, 60, step=0.2)
    for node, other in ((alice, "bob"), (bob, "alice")):
        node.ok("friend", "set", other, "presence", "yes")
        node.ok("friend", "set", other, "typing", "yes")
    alice.ok("send", "bob", "are you there?", "--wait", "delivered")

    leave(bob, alice, carol)
    before = counters(alice).get("post.left", 0)
    alice.ok("away", "in the garden")
    alice.ok("back")
    with rpc.Connection(alice) as c:
        c.call("typing.set", friend="bob", typing=True)
    alice.ok("send", "+garden", "the roses are out")
    wait_for(lambda: carol.texts("+garden") == ["the roses are out"])
    send_held(alice, "bob", "the only letter")  # what was to go before it has gone
    assert counters(alice)["post.left"] == before + 1
    leave(alice, carol)
    bob.start()
    wait_for(lambda: bob.texts("alice") == ["are you there?", "the only letter"], PATIENCE)
    wait_for(lambda: bob.texts("+garden") == ["the roses are out"], PATIENCE)
