"""Links over networks that delay, lose, swallow, renumber and reboot.  No DHT is needed: one side is
open when they find each other."""

import time

import pytest

from people import Exchange, wait_path
from yaari import wait_for

BIG = 16 * 1024


@pytest.fixture
def couple(net, people):
    """alice on an open host, bob behind a router."""
    def make(kind="port", alice={}, bob={}):
        return people("alice", net.host("alice", **alice)), people("bob", net.behind("bob", kind, **bob))
    return make


def big(letter):
    return letter * BIG


def test_a_link_comes_up_over_delay_and_loss(couple, told):
    alice, bob = couple(alice={"delay": 0.05, "loss": 0.1}, bob={"delay": 0.05})
    told(f"200 ms round trip, 10 % loss: friends after {alice.ask(bob):.1f} s")
    with Exchange(alice, bob, period=0.2) as talk:
        talk.wait(20)
    told(f"slowest of {sum(map(len, talk.sent.values()))} texts: {talk.check(gap=5):.2f} s")
    alice.ok("send", "bob", big("x"), "--wait", "delivered")


@pytest.mark.parametrize("size", (1280, 1400))
def test_big_packets_that_vanish_stop_nothing(net, couple, size):
    alice, bob = couple()
    net.world.black_hole(alice.host.link, size)
    alice.ask(bob)
    alice.ok("send", "bob", big("a"), "--wait", "delivered")
    bob.ok("send", "alice", big("b"), "--wait", "delivered")
    assert bob.texts("alice") == [big("a"), big("b")]


def test_a_path_that_shrinks_under_a_link_stops_nothing(net, couple, told):
    alice, bob = couple()
    alice.ask(bob)
    alice.ok("send", "bob", big("a"), "--wait", "delivered")
    net.world.black_hole(alice.host.link, 1290)
    start = time.monotonic()
    alice.ok("send", "bob", big("b"), "--wait", "delivered")
    bob.ok("send", "alice", big("c"), "--wait", "delivered")
    told(f"two texts of 16 KiB over a path that shrank: {time.monotonic() - start:.1f} s")


@pytest.mark.parametrize("kind", ("full", "symmetric"))
def test_a_router_that_reboots_with_another_address_interrupts_shortly(couple, told, kind):
    alice, bob = couple(kind)
    alice.ask(bob)
    with Exchange(alice, bob, period=0.5) as talk:
        talk.wait(4)
        bob.host.uplink.reboot()
        talk.wait(10)
    told(f"{kind} router reboots: slowest text {talk.check(gap=3):.2f} s")


@pytest.mark.parametrize("who", ("bob", "alice"))
def test_a_change_of_address_is_noticed_within_two_seconds(couple, told, who):
    """By the one who moves: the other speaks, and does not know where to.  (Where alice moves, bob's
    router has to let strangers in: nothing else tells him without a DHT.)"""
    alice, bob = couple("port" if who == "bob" else "full")
    alice.ask(bob)
    mover, speaker = (alice, bob) if who == "alice" else (bob, alice)
    with Exchange(speaker, mover, period=0.25, both=False) as talk:
        talk.wait(4)
        mover.host.readdress()
        talk.wait(12)
    told(f"{who} changes address: slowest text {talk.check(gap=2):.2f} s")


def test_a_change_of_network_is_noticed_within_two_seconds(net, couple, told):
    alice, bob = couple()
    alice.ask(bob)
    cafe = net.router("cafe", "symmetric")
    with Exchange(alice, bob, period=0.25, both=False) as talk:
        talk.wait(4)
        bob.host.move(cafe)
        talk.wait(12)
    told(f"bob takes his laptop to a café: slowest text {talk.check(gap=2):.2f} s")


def test_a_traveller_loses_nothing(net, couple, told):
    alice, bob = couple()
    alice.ask(bob)
    stops = [net.router(f"stop{i}", kind) for i, kind in enumerate(("symmetric", "full", "restricted"))]
    with Exchange(alice, bob, period=0.25) as talk:
        for i, stop in enumerate(stops):
            talk.wait(8 * (i + 1))
            bob.host.move(stop)
        talk.wait(8 * len(stops) + 8)
    told(f"{len(stops)} networks in {8 * len(stops) // 4} s: slowest text {talk.check(gap=3):.2f} s")


def test_a_tunnel_is_only_a_pause(net, couple, told):
    alice, bob = couple()
    alice.ask(bob)
    net.world.silence(bob.host.uplink.wan)
    for i in range(3):
        bob.ok("send", "alice", f"from the tunnel {i}")
    time.sleep(6)  # longer than a probe or two
    assert alice.texts("bob") == []
    net.world.heal()
    start = time.monotonic()
    wait_for(lambda: alice.texts("bob") == [f"from the tunnel {i}" for i in range(3)], 20)
    told(f"after 6 s of silence the texts came {time.monotonic() - start:.1f} s later")


def test_neighbours_find_each_other_without_the_world(net, people, told):
    home = net.router("home", "port")
    alice, bob = people("alice", net.host("alice", home)), people("bob", net.host("bob", home))
    told(f"neighbours: friends after {alice.ask(bob, '--no-hints'):.1f} s")
    for person in (alice, bob):
        person.stop()
        person.host.readdress()
    alice.start()
    bob.start()
    told(f"neighbours: found again after {wait_path(alice, bob, 'lan'):.1f} s")


def test_friends_who_move_behind_hard_routers_are_joined_by_a_friend(net, people, told):
    """Without any DHT: both know where carol is."""
    carol, alice, bob = (people(name, net.host(name)) for name in ("carol", "alice", "bob"))
    for one, two in ((carol, alice), (carol, bob), (alice, bob)):
        one.ask(two)
    wait_path(alice, bob, "direct")
    for person in (alice, bob):
        person.host.move(net.router(f"r-{person.name}", "symmetric"))
    told(f"two friends moved behind symmetric routers: by carol after {wait_path(alice, bob, 'relay'):.1f} s")
    assert alice.friend(bob)["via"] == "carol"
    with Exchange(alice, bob, period=0.25) as talk:
        talk.wait(8)
    told(f"slowest text through carol {talk.check(gap=2):.2f} s")
    for size in (2000, 16384):
        alice.ok("send", "bob", "x" * size, "--wait", "delivered")
