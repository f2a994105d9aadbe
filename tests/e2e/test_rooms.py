"""Rooms that form over friendships: real daemons, nobody in the middle."""

import pathlib
import shutil

import pytest

import capture
from canary import memory_of
from yaari import wait_for

# What members agree on; cursor, received, own, state and names are each one's own affair.
SHARED = ("id", "kind", "text", "time", "reply_to", "edited", "deleted")


def history(node, room="+garden"):
    """The room's conversation as all members must have it, in the order in which it is shown."""
    out = []
    for m in node.json("log", room, "-n", "0"):
        line = {key: m[key] for key in SHARED if key in m}
        line["from"] = m["from"]["id"]
        line["reactions"] = sorted((r["emoji"], sorted(r["ids"])) for r in m.get("reactions", []))
        out.append(line)
    return out


def settle(nodes, count, room="+garden", seconds=60):
    """All show the same `count` messages, none twice.  Gives them."""
    def agree():
        all_of_them = [history(n, room) for n in nodes]
        return all_of_them if all(h == all_of_them[0] and len(h) == count for h in all_of_them) else None

    try:
        mine = wait_for(agree, seconds, step=0.3)[0]
    except AssertionError:
        raise AssertionError({n.name: len(history(n, room)) for n in nodes}) from None
    assert len({m["id"] for m in mine}) == count
    return mine


def members(node, room="+garden"):
    return {m["name"] for m in node.json("room", "members", room)}


def bring(inviter, newcomer, room="+garden", seen=None):
    """`inviter` has `newcomer`, a friend, in the room; all in `seen` know it when this returns."""
    inviter.ok("room", "invite", room, newcomer.name)
    asked = wait_for(lambda: [r for r in newcomer.json("request", "list") if r["what"] == "room"])
    newcomer.ok("request", "accept", str(asked[0]["id"]))
    for node in [inviter, newcomer, *(seen or [])]:
        wait_for(lambda: newcomer.name in members(node, room), 60)


def friends(nodes, *names):
    """A chain of friends: each is one of the next only."""
    made = [nodes(name).init() for name in names]
    for one, two in zip(made, made[1:]):
        one.befriend(two)
    return made


def port(node):
    return int(node.json("status")[0]["listen"][0].rsplit(":", 1)[1])


def texts_by(messages, prefix):
    return [m["text"] for m in messages if m["text"].startswith(prefix)]


def test_a_room_forms_through_a_friend(nodes):
    """alice and carol are not friends; bob, who is both's, is killed in the middle."""
    alice, bob, carol = friends(nodes, "alice", "bob", "carol")
    alice.ok("room", "new", "garden")
    bring(alice, bob)
    bring(bob, carol, seen=[alice])
    alice_lines = [f"alice {i:02}" for i in range(40)]
    carol_lines = [f"carol {i:02}" for i in range(20)]
    for i in range(20):
        alice.ok("send", "+garden", alice_lines[2 * i])
        carol.ok("send", "+garden", carol_lines[i])
        if i == 10:
            bob.kill9()
        alice.ok("send", "+garden", alice_lines[2 * i + 1])
        if i == 14:
            bob.start()
        if i == 17:
            carol.kill9()
            carol.start()
    before = settle([alice, bob, carol], 60)
    assert texts_by(before, "alice") == alice_lines
    assert texts_by(before, "carol") == carol_lines
    for node in (alice, bob, carol):
        node.stop()
        node.start()
    assert settle([alice, bob, carol], 60) == before
    assert [f["name"] for f in alice.json("friend", "list")] == ["bob"]
    them, = [m for m in alice.json("room", "members", "+garden") if m["name"] == "carol"]
    assert them["friend"] is False


def test_friends_of_a_friend_never_meet_on_the_network(nodes, tmp_path):
    """Not one packet goes between alice and carol, and no packet tells what is said."""
    alice, bob, carol = friends(nodes, "alice", "bob", "carol")
    with capture.udp(tmp_path / "lo.pcap") as seen:
        alice.ok("room", "new", "botanical-garden-canary")
        bring(alice, bob, "+botanical-garden-canary")
        bring(bob, carol, "+botanical-garden-canary", seen=[alice])
        alice.ok("send", "+botanical-garden-canary", "the tulips are in the cellar")
        carol.ok("send", "+botanical-garden-canary", "and the bulbs are in the attic")
        settle([alice, bob, carol], 2, "+botanical-garden-canary")
    ports = {node.name: port(node) for node in (alice, bob, carol)}
    ours = [p for p in seen.packets if p.ports <= set(ports.values())]
    assert any(p.ports == {ports["alice"], ports["bob"]} for p in ours)
    assert any(p.ports == {ports["bob"], ports["carol"]} for p in ours)
    assert not any(p.ports == {ports["alice"], ports["carol"]} for p in ours)
    bytes_seen = b"".join(p.payload for p in ours)
    for canary in (b"botanical-garden-canary", b"tulips", b"bulbs"):
        assert canary not in bytes_seen


def test_seven_in_a_ring_one_of_them_late(nodes):
    """Each is a friend of two; one is away while the others write 100 texts each, then writes his."""
    seven = [nodes(f"n{i}").init() for i in range(7)]
    for i, node in enumerate(seven):
        node.befriend(seven[(i + 1) % 7])
    seven[0].ok("room", "new", "garden")
    for i in range(6):
        bring(seven[i], seven[i + 1], seen=seven[:1])
    for node in seven:
        wait_for(lambda: len(members(node)) == 7, 60)
    late = seven[3]
    late.stop()
    for node in seven:
        if node is not late:
            lines = "".join(f"{node.name} {i:03}\n" for i in range(100))
            node.ok("send", "+garden", "--each-line", stdin=lines, timeout=60)
    settle([n for n in seven if n is not late], 600, seconds=90)
    late.start()
    late.ok("send", "+garden", "--each-line", stdin="".join(f"n3 {i:03}\n" for i in range(100)), timeout=60)
    both = settle(seven, 700, seconds=90)
    for node in seven:
        assert texts_by(both, node.name + " ") == [f"{node.name} {i:03}" for i in range(100)]


@pytest.mark.parametrize("days", [0, 7])
def test_who_joins_late_reads_what_the_room_grants(nodes, days):
    alice, bob, dave = friends(nodes, "alice", "bob", "dave")
    alice.ok("room", "new", "garden", *(["--history", str(days)] if days else []))
    bring(alice, bob)
    for i in range(10):
        (alice, bob)[i % 2].ok("send", "+garden", f"before {i}")
    settle([alice, bob], 10)
    bring(bob, dave, seen=[alice])
    alice.ok("send", "+garden", "welcome, dave")
    dave.ok("send", "+garden", "thank you")
    settle([alice, bob], 12)
    wait_for(lambda: [m["text"] for m in dave.json("log", "+garden", "-n", "0")][-2:] == ["welcome, dave", "thank you"], 60)
    if days:
        settle([alice, bob, dave], 12)
    else:
        assert [m["text"] for m in dave.json("log", "+garden", "-n", "0")] == ["welcome, dave", "thank you"]


def test_who_was_removed_reads_nothing_more(nodes):
    alice, bob, mallory = friends(nodes, "alice", "bob", "mallory")
    alice.ok("room", "new", "garden")
    bring(alice, bob)
    bring(bob, mallory, seen=[alice])
    alice.ok("send", "+garden", "mallory can read this one")
    settle([alice, bob, mallory], 1)
    alice.ok("room", "kick", "+garden", "mallory")
    for node in (alice, bob):
        wait_for(lambda: "mallory" not in members(node), 60)
    alice.ok("send", "+garden", "a canary that mallory must never see")
    bob.ok("send", "+garden", "nor this canary, which bob wrote")
    settle([alice, bob], 3)
    wait_for(lambda: mallory.run("send", "+garden", "am I still here?").exit == 77, 60)
    assert [m["text"] for m in mallory.json("log", "+garden", "-n", "0")] == ["mallory can read this one"]
    held = memory_of(mallory.pid) + b"".join(p.read_bytes() for p in pathlib.Path(mallory.home).rglob("*") if p.is_file())
    for canary in (b"a canary that mallory", b"nor this canary"):
        assert canary not in held
    assert len(history(alice)) == 3


def test_a_room_outlives_its_founder(nodes):
    alice, bob, carol, dave = friends(nodes, "alice", "bob", "carol", "dave")
    alice.ok("room", "new", "garden")
    bring(alice, bob)
    bring(bob, carol, seen=[alice])
    alice.ok("room", "role", "+garden", "bob", "admin")
    wait_for(lambda: [r["role"] for r in bob.json("room", "list")] == ["admin"], 60)
    alice.ok("send", "+garden", "I leave you the garden")
    settle([alice, bob, carol], 1)
    alice.stop()
    shutil.rmtree(alice.home)
    bring(carol, dave, seen=[bob])
    dave.ok("send", "+garden", "hello from dave")
    wait_for(lambda: "hello from dave" in [m["text"] for m in bob.json("log", "+garden", "-n", "0")], 60)
    bob.ok("room", "kick", "+garden", "dave")
    wait_for(lambda: "dave" not in members(carol), 60)
    bob.ok("send", "+garden", "just the two of us, and alice's ghost")
    settle([bob, carol], 3)
    assert "just the two of us, and alice's ghost" not in [m["text"] for m in dave.json("log", "+garden", "-n", "0")]


def test_edits_replies_reactions_and_mentions_are_the_same_for_all(nodes):
    alice, bob, carol = friends(nodes, "alice", "bob", "carol")
    alice.ok("room", "new", "garden", "--topic", "what grows")
    bring(alice, bob)
    bring(bob, carol, seen=[alice])
    first, = alice.json("send", "+garden", "who waters the rose, @carol?")
    settle([alice, bob, carol], 1)
    unread, = carol.json("inbox")
    assert (unread["unread"], unread["mentions"]) == (1, 1)
    assert [u["mentions"] for u in bob.json("inbox")] == [0]
    answer, = carol.json("send", "+garden", "I do", "--reply", first["id"])
    alice.ok("edit", first["id"], "who waters the roses, @carol?")
    gone, = alice.json("send", "+garden", "wrong room")
    alice.ok("delete", gone["id"])
    settle([alice, bob, carol], 3)
    bob.ok("react", answer["id"], "🌹")
    alice.ok("react", answer["id"], "🌹")
    alice.ok("send", "+garden", "--action", "waves")

    def both_react(h):
        return [len(who) for m in h if m["id"] == answer["id"] for _, who in m["reactions"]] == [2]

    by_id = {m["id"]: m for m in wait_for(lambda: [h for h in [settle([alice, bob, carol], 4)] if both_react(h)], 60)[0]}
    assert by_id[first["id"]]["text"] == "who waters the roses, @carol?" and "edited" in by_id[first["id"]]
    assert by_id[answer["id"]]["reply_to"] == first["id"]
    assert by_id[gone["id"]]["deleted"] is True and by_id[gone["id"]]["text"] == ""
    assert bob.run("edit", first["id"], "not mine").exit == 77
    carol.ok("read", "+garden")
    assert carol.json("inbox") == []
    done = alice.run("send", "+garden", "heard by all?", "--wait", "delivered", "--timeout", "30s", "--json")
    assert done.exit == 0 and done.records[0]["per_member"] == {"delivered": 2, "read": 0, "of": 2}, done


def test_a_bridge_that_goes_and_comes_back(nodes):
    """bob is the only way between alice and carol: while he is away each side goes on alone."""
    alice, bob, carol = friends(nodes, "alice", "bob", "carol")
    alice.ok("room", "new", "garden")
    bring(alice, bob)
    bring(bob, carol, seen=[alice])
    bob.stop()
    for i in range(5):
        alice.ok("send", "+garden", f"alice alone {i}")
        carol.ok("send", "+garden", f"carol alone {i}")
    assert alice.run("send", "+garden", "anybody?", "--wait", "delivered", "--timeout", "1s").exit == 75
    bob.start()
    settle([alice, bob, carol], 11)
