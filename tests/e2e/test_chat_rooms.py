"""Rooms in `yaari chat`, on real terminals and with real daemons."""

import re

import pytest

import yaari
from test_chat import ALT_A, CTRL_C, OURS, UP, Chat, online
from yaari import wait_for


@pytest.fixture
def chain():
    """alice and bob are friends, and bob and zed; their names are chosen by their friends."""
    home = yaari.new_home()
    nodes = [yaari.Node(home / name[0], name) for name in ("alice", "bob", "zed")]
    try:
        for node in nodes:
            node.init()
        for one, two in zip(nodes, nodes[1:]):
            one.befriend(two)
            one.ok("friend", "rename", two.name, two.name)
            two.ok("friend", "rename", one.name, one.name)
        yield nodes
    finally:
        for node in nodes:
            node.close()
        yaari.remove(home)


def bring(inviter, newcomer, room="+garden"):
    """By commands: `newcomer` is in the room when this returns."""
    inviter.ok("room", "invite", room, newcomer.name)
    asked = wait_for(lambda: [r for r in newcomer.json("request", "list") if r["what"] == "room"])
    newcomer.ok("request", "accept", str(asked[0]["id"]))
    wait_for(lambda: newcomer.run("room", "show", room, "--json").records[0]["state"] == "active", 20)


@pytest.fixture
def garden(chain):
    """All three are in #garden, which alice has made."""
    alice, bob, zed = chain
    alice.ok("room", "new", "garden")
    bring(alice, bob)
    bring(bob, zed)
    for node in chain:  # what members call themselves comes on its own
        wait_for(lambda: {m["name"] for m in node.json("room", "members", "+garden")} == {"alice", "bob", "zed"}, 60)
    return chain


def test_a_room_forms_in_three_chats(chain):
    """All of it from within: made, invited, accepted, talked in."""
    alice, bob, zed = chain
    with Chat(alice, "bob", columns=100) as a, Chat(bob, "alice", columns=100) as b, \
            Chat(zed, "bob", columns=100) as z:
        a.settle("^bob>$")
        b.settle("^alice>$")
        z.settle("^bob>$")
        a.enter("/new garden")
        a.see(r"^-- room #garden is made; /invite F brings friends in$")
        a.see(r"^alice@default → #garden \(founder, 1 of 1 member seen lately\)")
        a.settle("^#garden>$")
        a.send("/invite b\t")
        a.settle("^#garden> /invite bob$")
        a.send("\r")
        a.see("^-- invited to #garden: bob$")
        number = b.see(r"^-- alice invites you to #garden: /accept (\d+)$").group(1)
        b.enter(f"/accept {number}")
        b.see("^-- asked alice to let you into #garden$")
        b.see("^-- you are in #garden now$", 30)
        b.settle("^#garden>$")
        a.see("^-- you added bob --$")
        b.enter("/invite zed")
        number = z.see(r"^-- bob invites you to #garden: /accept (\d+)$").group(1)
        z.enter("/join +garden")
        z.see("^-- you are in #garden now$", 30)
        a.see("^-- bob added ~zed --$")
        z.enter("hello from behind bob")
        a.see(r"^\d\d:\d\d ~zed: hello from behind bob$")
        b.see(r"^\d\d:\d\d zed: hello from behind bob$")
        z.see(r"^\d\d:\d\d me: hello from behind bob$")
        a.enter("/members")
        a.see("^-- alice: founder, online, me$")
        a.see("^-- bob: member, online$")
        a.see("^-- ~zed: member, online, via bob$")
        a.enter("/whois zed")
        a.see("^-- ~zed: member, online, via bob, calls itself zed$")
        a.enter("/topic tulips, mostly")
        b.see("^-- alice set the topic: tulips, mostly --$")
        b.enter("/topic")
        b.see("^-- topic of #garden: tulips, mostly$")
        z.enter("/topic weeds")
        z.see("^yaari: not allowed to a member of #garden$")


def test_invitations_wait_and_are_declined(chain):
    alice, bob, zed = chain
    for name in ("garden", "yard", "shed"):
        bob.ok("room", "new", name, "--members", "alice")
    wait_for(lambda: len(alice.json("request", "list")) == 3)
    with Chat(alice, "bob") as a:
        number = a.see(r"^-- bob invites you to #garden: /accept (\d+)$").group(1)
        a.see(r"^-- bob invites you to #shed: /accept \d+$")
        a.enter("/accept")
        a.see(rf"^-- {number}: bob invites you to #garden, members: 1$")
        a.enter("/to +garden")
        a.see(r"^alice@default → #garden \(invited by bob\)")
        a.enter("too early")
        a.see("^yaari: invited to #garden, but no member yet$")
        a.settle("^#garden> too early$")
        a.send(CTRL_C)
        a.enter("/members")
        a.see("^-- who is in #garden is for its members to know$")
        a.enter(f"/reject {number}")
        a.see("^-- the invitation to #garden is gone$")
        alice.ok("room", "leave", "+yard")  # elsewhere
        a.see("^-- the invitation to #yard is gone$")
        bob.ok("room", "invite", "+garden", "alice")
        a.see(r"(^-- bob invites you to #garden: /accept \d+$(.|\n)*){2}")
        a.enter("/join garden")
        a.see("^-- you are in #garden now$", 30)
        bob.ok("room", "kick", "+garden", "alice")
        a.see("^-- you are no longer a member of #garden; what was said stays readable$", 30)
        bob.ok("room", "invite", "+garden", "alice")
        a.see(r"(^-- bob invites you to #garden: /accept \d+$(.|\n)*){3}", 30)
        a.enter("/join #garden")
        a.see("(^-- you are in #garden now$(.|\n)*){2}", 30)


def test_replies_edits_reactions_and_deletions(garden):
    alice, bob, zed = garden
    with Chat(alice, "+garden") as a, Chat(zed, "+garden") as z:
        a.settle("^#garden>$")
        z.settle("^#garden>$")
        a.enter("the first text")
        z.see("~alice: the first text$")
        z.enter("/react 👍")
        a.see(r"^-- ~zed reacted 👍 \"the first text\"$")
        z.enter("/reply an answer")
        a.see(r"~zed: \(re: the first text\) an answer$")
        a.enter("s/first/corrected/")
        z.see(r"^-- ~alice edited \"the first text\": the corrected text$")
        a.enter("/me waves")
        z.see(r"^\d\d:\d\d \* ~alice waves$")
        a.enter("/delete")
        z.see(r"^-- ~alice deleted \"waves\"$")
        a.enter("/log --numbers 20")
        a.see(r"%\d+ me: the corrected text \(edited\)  👍 ~zed$")
        wait_for(lambda: alice.json("log", "+garden", "-n", "3")[0]["per_member"]["delivered"] == 2, 30)
        a.enter("/show %" + re.search(r"%(\d+) me: the corrected", a.text).group(1))
        a.see("^-- delivered to 2 of 2")
        a.enter("/why")
        a.see("^-- to #garden: ")


def test_mentions_and_what_is_unread(garden):
    alice, bob, zed = garden
    zed.ok("send", "+garden", "before")
    wait_for(lambda: alice.texts("+garden") == ["before"])
    alice.ok("inbox", "--mark-read")
    with Chat(alice, "bob") as a:
        a.settle("^bob>$")
        zed.ok("send", "+garden", "one")
        zed.ok("send", "+garden", "two, @alice")
        a.see(r"^-- #garden \(\d")
        wait_for(lambda: alice.json("inbox")[0]["unread"] == 2)
        a.enter("/unread")
        a.see(r"^-- #garden \(2, 1 mention\) --$")
        a.send("a draft")
        a.send(ALT_A)
        a.see(r"^\d\d:\d\d ~zed: two, @alice$")
        a.settle("^#garden>$")
        assert b"\x1b[33;1mtwo, @alice\x1b[0m" in a.raw
        a.enter("@z")
        a.see("me: @z$")
        a.send(UP)
        a.settle("^#garden> @z$")
        a.send("\t")
        a.settle("^#garden> @zed:$")
        a.send(CTRL_C)
        a.send("/to b\t\r")
        a.settle("^bob> a draft$")
        a.send(CTRL_C)
        wait_for(lambda: not alice.json("inbox"))
        bells = a.raw.count(b"\a")
        a.enter("/to #garden")
        a.settle("^#garden>$")
        a.enter("/mute")
        a.see("^-- #garden is muted$")
        a.enter("/to bob")
        a.settle("^bob>$")
        zed.ok("send", "+garden", "@alice: ringing?")
        wait_for(lambda: alice.json("inbox"))
        a.pump(1)
        assert not a.text.endswith("--") and a.raw.count(b"\a") == bells
        a.enter("/unread")
        a.see(r"^-- #garden \(1, 1 mention\) --$")


def test_who_is_removed_is_told(garden):
    alice, bob, zed = garden
    with Chat(zed, "+garden") as z, Chat(bob, "alice") as b, Chat(alice, "+garden") as a:
        z.settle("^#garden>$")
        b.settle("^alice>$")
        a.settle("^#garden>$")
        a.send("/kick \t")
        a.settle("^#garden> /kick (bob|~zed)$")
        a.send(CTRL_C)
        a.send("/kick z\t\r")
        a.see("^-- you removed ~zed --$")
        z.see("^-- you are no longer a member of #garden; what was said stays readable$", 30)
        z.enter("am I here?")
        z.see("^yaari: no longer a member of #garden$")
        z.settle("^#garden> am I here\\?$")
        a.enter("/role bob mod")
        a.see("^-- you made bob mod --$")
        a.enter("/rename yard")
        a.see("^-- #garden is called #yard now$")
        a.settle("^#yard>$")
        b.see("^-- #garden is called #yard now$")
        bob.ok("room", "leave", "+yard")  # elsewhere
        b.see("^-- you are no longer a member of #yard; what was said stays readable$")
        a.see("^-- bob left --$")
        bob.ok("room", "leave", "+yard", "--forget", "--yes")
        b.see("^-- #yard is left, and its history deleted$")


def test_what_was_said_while_away(garden):
    alice, bob, zed = garden
    zed.stop()
    alice.ok("send", "+garden", "zed sleeps")
    alice.ok("room", "topic", "+garden", "weeds")
    bob.ok("send", "+garden", "he does")
    with Chat(zed, "+garden") as z:
        z.see(r"~alice: zed sleeps\n(?:-- .*\n)*\d\d:\d\d bob: he does$", 60)
        z.see("^-- ~alice set the topic: weeds --$")
        z.enter("good morning")
        z.see("me: good morning$")
    with Chat(zed, "+garden") as z:  # as history
        z.see("^-- topic: weeds$")
        z.see(r"~alice: zed sleeps\n(?:-- .*\n)*\d\d:\d\d bob: he does\n(?:-- .*\n)*\d\d:\d\d me: good")
        assert z.text.count("zed sleeps") == 1


def test_it_goes_on_when_the_node_comes_back(garden):
    alice, bob, zed = garden
    with Chat(bob, "+garden") as b:
        b.settle("^#garden>$")
        bob.kill9()
        b.see("^-- the node went away; waiting for it")
        alice.ok("send", "+garden", "while you were away")
        bob.start()
        b.see("^-- the node is back$", 30)
        b.see("alice: while you were away$", 60)
        b.enter("here again")
        b.see("me: here again$")
    wait_for(lambda: "here again" in zed.texts("+garden"), 60)


def test_nobody_reached_is_told(garden):
    alice, bob, zed = garden
    bob.stop()
    wait_for(lambda: online(alice, 0), 120)
    with Chat(alice, "+garden") as a:
        a.settle("^#garden>$")
        a.enter("is anybody there?")
        a.see("me: is anybody there\\?$")
        a.see("^-- not delivered yet: no friend who is in #garden is online$")
        bob.start()
        wait_for(lambda: "is anybody there?" in bob.texts("+garden"), 60)


def test_only_our_own_sequences_reach_the_terminal(chain):
    alice, bob, _ = chain
    hostile = "ga\x1b[31mr\u202edn\x07\n15:46 bob"
    alice.ok("config", "set", "ui.bell", "no")
    bob.ok("room", "new", hostile, "--topic", "\x1b]0;x\x07\n15:46 bob: I owe you\u202e")
    room = "+" + bob.json("room", "list")[0]["name"]
    with Chat(alice, columns=60) as a:
        a.settle("^bob>$")
        bob.ok("room", "invite", room, "alice")
        number = a.see(r"invites you to #\S.*: /accept (\d+)$").group(1)
        a.enter(f"/accept {number}")
        a.see("^-- you are in ", 30)
        a.enter("/topic")
        bob.ok("room", "topic", room, "\x9b2J a\n15:46 bob: yes\u2028x")
        bob.ok("send", room, "the\x1b[2Jend")
        a.see("bob: the␛\\[2Jend$")
        a.enter("/members")
        a.enter("/list")
        a.see("<- here$")
        a.send("/to #\t")
        a.pump(0.3)
        rest = OURS.sub(b"", a.raw).decode()
        unsafe = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028-\u202e]")
        assert not unsafe.search(rest), ascii(rest)
        assert not re.search(r"^15:46 bob", a.text, re.MULTILINE), a.text
        a.send(CTRL_C)


@pytest.mark.parametrize("columns", [40, 20])
def test_small_terminals(garden, columns):
    alice, bob, _ = garden
    with Chat(alice, "+garden", columns=columns, rows=10) as a:
        a.settle("^#garden>$")
        bob.ok("send", "+garden", "a line that is longer than the terminal is wide")
        a.see(r"bob: a")
        a.enter("hi")
        a.see("me: hi$")
        assert all(len(row) <= columns for row in a.rows)


def test_plain_lines_without_a_terminal(garden):
    alice, bob, _ = garden
    done = alice.ok("chat", "+garden", stdin="one line\n/members\n/join\n")
    assert "\x1b" not in done.out and "\a" not in done.out
    assert re.search(r"^\d\d:\d\d me: one line$", done.out, re.MULTILINE)
    assert "-- ~zed: member" in done.out
    assert re.search(r"^-- #garden \(founder, \d of 3 members seen lately\)$", done.out, re.MULTILINE)


def test_a_room_is_no_friend_and_a_friend_no_room(garden):
    alice, _, _ = garden
    with Chat(alice, "+nowhere") as a:
        assert a.end() == 67
    with Chat(alice, "bob") as a:
        a.settle("^bob>$")
        for line in ("/members", "/leave", "/kick bob", "/topic x"):
            a.enter(line)
        a.see("(^yaari: this is no room$(.|\n)*){4}")
        a.enter("/to +garden")
        a.settle("^#garden>$")
        for line in ("/verify", "/block", "/whois"):
            a.enter(line)
        a.see("(^yaari: this is a room: which friend\\?$(.|\n)*){3}")
