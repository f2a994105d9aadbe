"""Which way a link takes where there are several, and how it moves from one to another."""

import os
import time

import pytest

from people import Exchange, bootstrap, wait_path
from yaari import wait_for


@pytest.fixture
def boot(net, people):
    return bootstrap(net, people)


def test_neighbours_without_a_beacon_stay_at_home(net, people, boot, told):
    """No beacon and no hairpin: the inner addresses in the records of the DHT are what is left."""
    home = net.router("home", "port")
    alice, bob = (people(name, net.host(name, home), boot.known + "lan = no\n") for name in ("alice", "bob"))
    told(f"neighbours without a beacon: friends after {alice.ask(bob, '--no-hints'):.1f} s")
    alice.ok("send", "bob", "hello", "--wait", "delivered")


def test_customers_of_one_carrier_meet_at_its_router(net, people, boot, told):
    """Two homes with the same inner network, one address for both: the carrier's router has to turn
    the packets round."""
    carrier = net.router("carrier", "full", hairpin=True)
    homes = [net.router(f"home-{name}", "port", uplink=carrier, lan=1) for name in ("a", "b")]
    alice, bob = (people(name, net.host(name, home), boot.known) for name, home in zip(("alice", "bob"), homes))
    told(f"customers of one carrier: friends after {alice.ask(bob, '--no-hints'):.1f} s")
    wait_path(alice, bob, "direct")


def test_two_homes_that_look_alike_inside(net, people, boot, told):
    """Both are 192.168.1.2 at home: an inner address of the other is one's own."""
    alice, bob = (people(name, net.host(name, net.router(f"home-{name}", "port", lan=1)), boot.known)
                  for name in ("alice", "bob"))
    assert alice.host.ip_address == bob.host.ip_address
    told(f"homes that look alike: friends after {alice.ask(bob, '--no-hints'):.1f} s")
    wait_path(alice, bob, "direct")


def test_ipv6_passes_where_ipv4_cannot(net, people, told):
    """Symmetric routers for IPv4, no translation for IPv6 but a wall on both sides."""
    host = net.host("boot", ipv6=True)
    boot = bootstrap(net, people, host=host, listen=f"{host.ip_address}:7722, [{host.ip6}]:7722")
    alice, bob = (people(name, net.host(name, net.router(f"r-{name}", "symmetric", ipv6=True), ipv6=True), boot.known)
                  for name in ("alice", "bob"))
    told(f"IPv6 through two walls: friends after {alice.ask(bob, '--no-hints'):.1f} s")
    wait_path(alice, bob, "direct")


def test_a_broken_way_is_replaced_by_a_friend_and_taken_again(net, people, boot, told):
    alice, bob, carol = (people(name, net.behind(name, "port"), boot.known) for name in ("alice", "bob", "carol"))
    for one, two in ((alice, bob), (alice, carol), (bob, carol)):
        one.ask(two, "--no-hints")
        wait_path(one, two, "direct")
    with Exchange(alice, bob, period=0.5) as talk:
        talk.wait(4)
        net.world.part(alice.host.uplink.wan, bob.host.uplink.wan)
        told(f"parted: by carol after {wait_path(alice, bob, 'relay'):.1f} s")
        net.world.heal()
        told(f"healed: direct after {wait_path(alice, bob, 'direct', 90):.1f} s")
    told(f"slowest text {talk.check(gap=3):.2f} s")


def test_two_travellers_lose_nothing(net, people, boot, told):
    """They change their networks in turns; nobody else can tell where they are but the DHT."""
    alice, bob = (people(name, net.behind(name, "port"), boot.known) for name in ("alice", "bob"))
    alice.ask(bob, "--no-hints")
    stops = [net.router(f"stop{i}", "port") for i in range(4)]
    with Exchange(alice, bob, period=0.5) as talk:
        for i, stop in enumerate(stops):
            talk.wait(10 * (i + 1))
            (alice, bob)[i % 2].host.move(stop)
        talk.wait(10 * len(stops) + 10)
    told(f"two travellers, {len(stops)} moves in {5 * len(stops)} s: slowest text {talk.check(gap=3):.2f} s")


@pytest.mark.skipif("YAARI_NETNS_LONG" not in os.environ, reason="takes minutes: set YAARI_NETNS_LONG")
@pytest.mark.parametrize("timeout", (30, 60))
def test_an_idle_link_outlives_the_memory_of_routers(net, people, boot, told, timeout):
    alice, bob = (people(name, net.behind(name, "port", timeout=timeout), boot.known) for name in ("alice", "bob"))
    alice.ask(bob, "--no-hints")
    slowest = 0.0
    for i in range(3):
        time.sleep(timeout * 1.7)  # silence is what is tested
        for one, two in ((alice, "bob"), (bob, "alice")):
            start = time.monotonic()
            one.ok("send", two, f"still there? {i}", "--wait", "delivered")
            slowest = max(slowest, time.monotonic() - start)
    told(f"routers that forget after {timeout} s: slowest text after silence {slowest:.2f} s")
    assert slowest < 2


def test_a_relay_is_left_for_a_direct_way(net, people, boot, told):
    """Behind one symmetric router and one that lets no stranger's port in, then behind a kinder one."""
    carol = people("carol", net.behind("carol", "restricted"), boot.known)
    alice, bob = (people(name, net.behind(name, "symmetric"), boot.known) for name in ("alice", "bob"))
    for person in (alice, bob):
        carol.ask(person, "--no-hints")
    alice.ask(bob, "--no-hints")
    wait_path(alice, bob, "relay")
    bob.host.move(net.router("kinder", "restricted"))
    told(f"a kinder router: direct after {wait_path(alice, bob, 'direct', 60):.1f} s")
    alice.ok("send", "bob", "directly now", "--wait", "delivered")


def test_a_bootstrap_node_that_does_not_answer_is_told(net, people, boot, told):
    alice = people("alice", net.behind("alice", "port"), boot.known)
    link = alice.ok("invite", "--no-wait", "--no-hints").out.strip()
    wait_for(lambda: "found through the DHT" in alice.run("net", "check").out)
    net.world.silence(boot.host.link)
    bob = people("bob", net.behind("bob", "port"), boot.known)

    def dht():
        return next(c for c in bob.json("net", "check", exits=(0, 1)) if c["name"] == "dht")

    wait_for(lambda: dht()["result"] == "fail", 30, step=0.2)
    assert "does not answer" in dht()["text"]
    assert "no known peer answers" in bob.run("status").err
    added = bob.run("add", link, "--timeout", "2s")
    assert added.exit == 75 and "no known peer of the DHT answers" in added.err
    net.world.heal()
    start = time.monotonic()
    wait_for(lambda: alice.online(bob) and bob.online(alice), 60)
    told(f"the bootstrap node answers again: friends after {time.monotonic() - start:.1f} s")
    assert dht()["result"] == "ok" and bob.ok("net", "check")


def test_any_one_of_several_bootstrap_nodes_suffices(net, people, told):
    boots = [bootstrap(net, people, name) for name in ("boot1", "boot2", "boot3")]
    known = "".join(boot.known for boot in boots)
    alice, bob = (people(name, net.behind(name, "port"), known) for name in ("alice", "bob"))
    for boot in boots[:2]:
        net.world.silence(boot.host.link)
    told(f"one of three bootstrap nodes answers: friends after {alice.ask(bob, '--no-hints'):.1f} s")
