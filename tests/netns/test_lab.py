"""The lab does what it says: each kind of router maps, filters, comes back to itself and forgets as
its name tells, and cables delay and lose."""

import socket
import struct
import time

import pytest

import lab

KINDS = (*lab.KINDS, "open")
COMES_IN = {  # who may write to a port from which one address and port were written to
    "full": {"same", "port", "address"},
    "restricted": {"same", "port"},
    "port": {"same"},
    "symmetric": {"same"},
    "open": {"same", "port", "address"},
}


def heard(sock, seconds=2.0):
    """(bytes, address) of the next packet, or None."""
    sock.settimeout(seconds)
    try:
        return sock.recvfrom(65535)
    except TimeoutError:
        return None


def all_heard(sock, last):
    """What came before the packet `last`, and within a little after it."""
    out = []
    while (got := heard(sock, 2.0 if last not in out else 0.05)) is not None:
        out.append(got[0])
    assert last in out, "nothing comes through at all"
    return set(out)


def seen_from(sock, other, address):
    """How `other`, listening at `address`, sees a packet of sock."""
    sock.sendto(b"who am I", address)
    got = heard(other)
    assert got is not None and got[0] == b"who am I"
    return got[1]


class Servers:
    """Three ways to write back: one address with two ports, and another address."""

    def __init__(self, net):
        one, two = net.host("one"), net.host("two")
        self.hosts = one, two
        self.same, self.port, self.address = one.udp(7000), one.udp(7001), two.udp(7000)
        self.at = {"same": (one.ip_address, 7000), "port": (one.ip_address, 7001),
                   "address": (two.ip_address, 7000)}

    def see(self, sock, which):
        return seen_from(sock, getattr(self, which), self.at[which])


@pytest.fixture
def servers(net):
    return Servers(net)


@pytest.mark.parametrize("kind", KINDS)
def test_a_router_maps_as_its_kind_says(net, servers, kind):
    sock = net.behind("host", kind).udp(5555)
    seen = {servers.see(sock, which) for which in ("same", "port", "address")}
    assert len({ip for ip, _ in seen}) == 1
    assert len(seen) == (3 if kind == "symmetric" else 1)
    assert {servers.see(sock, which) for which in ("same", "port", "address")} == seen


@pytest.mark.parametrize("kind", KINDS)
def test_a_router_lets_in_what_its_kind_says(net, servers, kind):
    sock = net.behind("host", kind).udp(5555)
    outside = servers.see(sock, "same")
    for which in ("address", "port", "same"):
        getattr(servers, which).sendto(which.encode(), outside)
    assert all_heard(sock, b"same") == {which.encode() for which in COMES_IN[kind]}
    # what was kept out opened nothing, and being written to opens the rest
    servers.see(sock, "address")
    servers.address.sendto(b"later", servers.see(sock, "address"))
    assert heard(sock)[0] == b"later"


@pytest.mark.parametrize("kind", lab.KINDS)
def test_a_closed_port_stays_closed(net, servers, kind):
    host = net.behind("host", kind)
    sock, other = host.udp(5555), host.udp(5556)
    ip, port = servers.see(other, "same")
    for p in {5555, 30000, port + 1, port - 1}:
        servers.same.sendto(b"knock", (ip, p))
    servers.same.sendto(b"end", (ip, port))
    assert heard(other)[0] == b"end"
    assert heard(sock, 0.05) is None


@pytest.mark.parametrize("kind", lab.KINDS)
def test_two_hosts_with_the_same_port_are_told_apart(net, servers, kind):
    router = net.router("r", kind)
    socks = [net.host(name, router).udp(5555) for name in ("h1", "h2")]
    seen = [servers.see(sock, "same") for sock in socks]
    assert seen[0] != seen[1]
    for n, address in enumerate(seen):
        servers.same.sendto(b"for %d" % n, address)
    assert [heard(sock)[0] for sock in socks] == [b"for 0", b"for 1"]


@pytest.mark.parametrize("hairpin", (False, True))
@pytest.mark.parametrize("kind", ("full", "restricted", "port"))
def test_hairpin(net, servers, kind, hairpin):
    router = net.router("r", kind, hairpin=hairpin)
    one, two = net.host("h1", router).udp(5555), net.host("h2", router).udp(6666)
    outside = [servers.see(sock, "same") for sock in (one, two)]
    one.sendto(b"round the corner", outside[1])
    got = heard(two, 2.0 if hairpin else 0.2)
    assert got == ((b"round the corner", outside[0]) if hairpin else None)


@pytest.mark.parametrize("kind", lab.KINDS)
def test_a_silent_mapping_is_forgotten(net, servers, kind):
    sock = net.behind("host", kind, timeout=1).udp(5555)
    outside = servers.see(sock, "same")
    servers.same.sendto(b"in time", outside)
    assert heard(sock)[0] == b"in time"
    time.sleep(2.3)  # silence is what is tested
    servers.same.sendto(b"too late", outside)
    assert heard(sock, 0.2) is None
    servers.see(sock, "same")


@pytest.mark.parametrize("kind", lab.KINDS)
def test_a_router_comes_back_with_another_address(net, servers, kind):
    router = net.router("r", kind)
    sock = net.host("host", router).udp(5555)
    before = servers.see(sock, "same")
    router.reboot()
    servers.same.sendto(b"to nobody", before)
    assert heard(sock, 0.1) is None
    after = servers.see(sock, "same")
    assert after[0] == router.ip_outside != before[0]
    servers.same.sendto(b"here", after)
    assert heard(sock)[0] == b"here"


@pytest.mark.parametrize("kind", KINDS)
def test_a_host_changes_its_address_and_its_network(net, servers, kind):
    host = net.behind("host", kind)
    sock = host.udp(5555)
    before, address = servers.see(sock, "same"), host.ip_address
    host.readdress()
    assert host.ip_address != address
    after = servers.see(sock, "same")
    assert after != before
    host.move(net.router("elsewhere", "port"))
    assert servers.see(sock, "same")[0] not in (before[0], after[0])


def test_big_packets_vanish_in_a_black_hole(net):
    one, two = net.behind("one", "port"), net.host("two")
    net.world.black_hole(one.uplink.wan, 1300)
    sock, far = one.udp(5555), two.udp(7000)
    # not the kernel's own path MTU discovery: IP_MTU_DISCOVER, IP_PMTUDISC_PROBE
    sock.setsockopt(socket.IPPROTO_IP, 10, 3)
    sizes = (100, 1272, 1273, 1472, 200)
    for size in sizes:
        sock.sendto(bytes(size), (two.ip_address, 7000))
    got = [len(heard(far)[0]) for _ in range(3)]
    assert got == [100, 1272, 200]
    assert heard(far, 0.05) is None
    net.world.heal()
    sock.sendto(bytes(1472), (two.ip_address, 7000))
    assert len(heard(far)[0]) == 1472


def test_a_train_of_packets_is_cut_before_it_leaves(net):
    """With segmentation offload (UDP_SEGMENT) the black hole sees each packet's own size."""
    one, two = net.host("one"), net.host("two")
    net.world.black_hole(one.link, 1300)
    sock, far = one.udp(5555), two.udp(7000)
    try:
        sock.setsockopt(socket.IPPROTO_UDP, 103, 1200)
    except OSError:
        pytest.skip("no UDP_SEGMENT here")
    sock.sendto(bytes(1200 * 8 + 7), (two.ip_address, 7000))
    assert [len(heard(far)[0]) for _ in range(9)] == [1200] * 8 + [7]


def test_silence_is_silent(net):
    one, two = net.host("one"), net.host("two")
    sock, far = one.udp(5555), two.udp(7000)
    sock.connect((two.ip_address, 7000))
    net.world.silence(two.link)
    for _ in range(3):
        sock.send(b"hello?")  # an ICMP message would show up as an error here
    assert heard(far, 0.1) is None
    net.world.heal()
    sock.send(b"there you are")
    assert heard(far)[0] == b"there you are"


def test_two_who_are_parted_reach_everybody_else(net):
    hosts = [net.host(name) for name in ("one", "two", "three")]
    socks = [host.udp(7000) for host in hosts]

    def passes(a, b):
        socks[a].sendto(b"knock", (hosts[b].ip_address, 7000))
        return heard(socks[b], 0.3) is not None

    net.world.part(hosts[0].link, hosts[1].link)
    assert [passes(*p) for p in ((0, 1), (1, 0), (0, 2), (2, 1))] == [False, False, True, True]
    net.world.heal()
    assert passes(0, 1) and passes(1, 0)


def test_nothing_private_crosses_the_world(net):
    one, two = net.behind("one", "full"), net.behind("two", "full")
    sock = one.udp(5555)
    sock.sendto(b"x", (two.ip_address, 7000))
    assert heard(two.udp(7000), 0.1) is None


def test_a_cable_delays(net):
    one, two = net.host("one", delay=0.05), net.host("two", delay=0.03)
    sock, far = one.udp(5555), two.udp(7000)
    trips = []
    for i in range(10):
        start = time.monotonic()
        sock.sendto(b"%d" % i, (two.ip_address, 7000))
        data, back = heard(far)
        far.sendto(data, back)
        assert heard(sock)[0] == b"%d" % i
        trips.append(time.monotonic() - start)
    assert 0.16 <= min(trips) <= 0.2, trips


def test_a_cable_loses(net):
    one, two = net.host("one", loss=0.2), net.host("two")
    sock, far = one.udp(5555), two.udp(7000)
    far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    while True:  # the machines between find each other first
        sock.sendto(b"first", (two.ip_address, 7000))
        if heard(far, 0.2) is not None:
            break
    for i in range(1000):
        sock.sendto(b"%d" % i, (two.ip_address, 7000))
        if i % 50 == 49:
            time.sleep(0.002)  # queues are not what is tested
    got = []
    while (packet := heard(far, 0.3)) is not None:
        got.append(int(packet[0]))
    assert got == sorted(got)
    assert 740 <= len(got) <= 860, len(got)


def test_a_router_behind_a_router(net, servers):
    outer = net.router("cgn", "port")
    sock = net.host("host", net.router("home", "full", uplink=outer)).udp(5555)
    seen = {servers.see(sock, which) for which in ("same", "port", "address")}
    assert {ip for ip, _ in seen} == {outer.ip_outside} and len(seen) == 1
    servers.same.sendto(b"in", seen.pop())
    assert heard(sock)[0] == b"in"


@pytest.mark.parametrize("kind", lab.KINDS)
def test_a_router_maps_a_port_when_asked(net, servers, kind):
    router = net.router("r", kind)
    router.serve_mappings()
    host = net.host("host", router)
    sock, ask = host.udp(5555), host.udp()
    ask.sendto(struct.pack(">BBHHHI", 0, 1, 0, 5555, 6000, 3600), (f"192.168.{router.net}.1", 5351))
    answer = heard(ask, 5.0)[0]  # NAT-PMP: version, 128 + operation, result, epoch, inner and outer port
    assert struct.unpack_from(">BBH", answer) == (0, 129, 0)
    inner, outer = struct.unpack_from(">HH", answer, 8)
    assert inner == 5555
    servers.address.sendto(b"come in", (router.ip_outside, outer))
    data, back = heard(sock)
    assert data == b"come in"
    sock.sendto(b"thank you", back)
    assert heard(servers.address) == (b"thank you", (router.ip_outside, outer))


def test_ipv6_passes_where_it_is_asked_for_and_only_from_inside(net):
    router = net.router("r", "port", ipv6=True)
    inner, outer = net.host("inner", router, ipv6=True), net.host("outer", ipv6=True)
    sock, far = inner.udp(5555, "::"), outer.udp(7000, "::")
    far.sendto(b"uninvited", (inner.ip6, 5555))
    sock.sendto(b"hello", (outer.ip6, 7000))
    data, back = heard(far)
    assert data == b"hello" and back[0] == inner.ip6
    far.sendto(b"welcome", back)
    assert heard(sock)[0] == b"welcome"


def test_nothing_stays_behind():
    with lab.Lab() as net:
        prefix = net.prefix
        host = net.behind("host", "port")
        wired = net.host("wired", delay=0.01)
        wire = wired.link.wire
        assert any(s.full_name == f"{prefix}-host" for s in net.spaces)
        stays = lab.subprocess.Popen([*host.argv, "sleep", "1000"])
        lab.wait_until(lambda: host.pids())
    assert [p.name for p in lab.pathlib.Path("/run/netns").glob(f"{prefix}-*")] == []
    assert wire.poll() is not None
    assert stays.wait(5) == -9
