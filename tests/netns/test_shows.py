"""What yaari is for: friends who know one public node find each other wherever they are, and talk."""

import time

import pytest

from canary import Canaries, memory_of
from people import Exchange, bootstrap
from yaari import wait_for


@pytest.fixture
def boot(net, people):
    return bootstrap(net, people)


def test_an_invite_without_addresses_is_accepted_behind_routers(net, people, boot, told):
    alice = people("alice", net.behind("alice", "port"), boot.known)
    bob = people("bob", net.behind("bob", "restricted"), boot.known)
    carol = people("carol", net.behind("carol", "port"), boot.known)
    told(f"alice and bob, by an invite without addresses: friends after {alice.ask(bob, '--no-hints'):.1f} s")
    told(f"alice and carol: {alice.ask(carol, '--no-hints'):.1f} s")
    for one, two in ((alice, bob), (bob, alice), (alice, carol), (carol, alice)):
        one.ok("send", two.name, f"from {one.name}", "--wait", "delivered")
    assert alice.path(bob) == bob.path(alice) == "direct"
    assert sorted(alice.texts("bob")) == ["from alice", "from bob"]


def test_friends_find_each_other_again(net, people, boot, told):
    """After both were away, with other addresses outside and inside: only the DHT can tell."""
    alice = people("alice", net.behind("alice", "port"), boot.known)
    bob = people("bob", net.behind("bob", "port"), boot.known)
    alice.ask(bob, "--no-hints")
    for person in (alice, bob):
        person.stop()
        person.host.uplink.reboot()
        person.host.readdress()
    start = time.monotonic()
    alice.start()
    bob.start()
    wait_for(lambda: alice.online(bob) and bob.online(alice), 60)
    told(f"both started elsewhere: linked after {time.monotonic() - start:.1f} s")


def test_a_common_friend_carries_what_two_symmetric_routers_part(net, people, boot, told):
    carol = people("carol", net.behind("carol", "restricted"), boot.known)
    alice = people("alice", net.behind("alice", "symmetric"), boot.known)
    bob = people("bob", net.behind("bob", "symmetric"), boot.known)
    for person in (alice, bob):
        told(f"carol and {person.name}: friends after {carol.ask(person, '--no-hints'):.1f} s")
    told(f"alice and bob, both behind symmetric routers: {alice.ask(bob, '--no-hints'):.1f} s")
    assert (alice.path(bob), bob.path(alice)) == ("relay", "relay")
    assert alice.friend(bob)["via"] == bob.friend(alice)["via"] == "carol"
    assert "relay(carol)" in alice.on_terminal("friend", "list")
    assert "relay(carol)" in bob.on_terminal("friend", "list")

    canaries = Canaries()
    for me, other, text in ((alice, "bob", "the marmalade is under the third floorboard"),
                            (bob, "alice", "understood, bringing a crowbar tonight"),
                            (alice, "bob", "canary " * 2000)):
        canaries.add(text, text[:64])
        me.ok("send", other, text, "--wait", "delivered")
    assert canaries.seen_in(memory_of(carol.pid)) == []
    assert canaries.seen_under(carol.home) == []
    held = memory_of(bob.pid)
    assert any(text.encode()[:64] in held for text in bob.texts("alice")), "looked in the wrong place"
    carried = {s.get("friend"): s for s in carol.json("stats")}
    assert any(s.get("relayed_by_me", 0) > 20000 for s in carried.values()), carried

    # carol leaves: it is said why nothing comes; she comes back, and it comes
    carol.stop()
    message, = alice.json("send", "bob", "where is she?")
    wait_for(lambda: alice.friend(bob).get("via") is None)
    assert "no common friend is online" in wait_for(lambda: "relay" in (why := alice.ok("why", message["id"]).out) and why)
    assert "relay(" not in alice.on_terminal("friend", "list")
    assert bob.texts("alice")[-1] != "where is she?"
    carol.start()
    start = time.monotonic()
    wait_for(lambda: "where is she?" in bob.texts("alice"), 60)
    told(f"carol is back: the text came {time.monotonic() - start:.1f} s after her start")


def test_both_change_address_in_the_middle_of_a_talk(net, people, boot, told):
    alice = people("alice", net.behind("alice", "port"), boot.known)
    bob = people("bob", net.behind("bob", "port"), boot.known)
    alice.ask(bob, "--no-hints")
    elsewhere = [net.router(name, "port") for name in ("cafe", "train")]
    with Exchange(alice, bob, period=1.0) as talk:
        talk.wait(30)
        for person, uplink in zip((alice, bob), elsewhere):
            person.host.move(uplink)
        talk.wait(60)
    told(f"both change their network at once: slowest of 120 texts {talk.check(gap=3):.2f} s")
