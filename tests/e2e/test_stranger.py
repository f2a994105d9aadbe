"""A stranger who sends anything at all to a node's port gets nothing back, and the node goes on."""

import random
import select
import socket
import threading

import pytest

import yaari
from yaari import wait_for


class Forwarder(threading.Thread):
    """A UDP port in front of another that keeps what passes, both ways."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.behind = ("127.0.0.1", port)
        self.front, self.back = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        self.front.bind(("127.0.0.1", 0))
        self.back.bind(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.front.getsockname()[1]
        self.seen = []
        self.client = None
        self.running = True
        self.start()

    def run(self):
        while self.running:
            for ready in select.select([self.front, self.back], [], [], 0.05)[0]:
                data, source = ready.recvfrom(65536)
                if ready is self.front:
                    self.seen.append(data)
                    self.client = source
                    self.back.sendto(data, self.behind)
                elif self.client is not None:
                    self.front.sendto(data, self.client)

    def close(self):
        self.running = False
        self.join()
        self.front.close()
        self.back.close()


class Stranger:
    """Sockets nobody knows; sends no faster than the node reads, so that nothing is lost on the way."""

    def __init__(self, port):
        self.target = ("127.0.0.1", port)
        self.sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(4)]
        for s in self.sockets:
            s.setblocking(False)
            s.bind(("127.0.0.1", 0))
        self.sent = 0

    def queue(self):
        """Bytes the node has not read yet, and how many datagrams the system dropped before it."""
        want = "0100007F:%04X" % self.target[1]
        with open("/proc/net/udp") as table:
            for line in table:
                columns = line.split()
                if columns[1] == want:
                    return int(columns[4].split(":")[1], 16), int(columns[-1])
        raise AssertionError("the node's port is gone")

    def send(self, data):
        self.sockets[self.sent % len(self.sockets)].sendto(data, self.target)
        self.sent += 1
        if self.sent % 32 == 0:
            wait_for(lambda: self.queue()[0] == 0, step=0.0005)

    def heard(self):
        out = []
        for s in self.sockets:
            try:
                while True:
                    out.append(s.recv(65536))
            except BlockingIOError:
                pass
        return out

    def close(self):
        for s in self.sockets:
            s.close()


def resident(node):
    with open(f"/proc/{node.pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))  # KiB


@pytest.fixture(scope="module")
def met():
    """alice and bob, who met through a forwarder, and every datagram bob sent to alice's port."""
    home = yaari.new_home()
    alice = yaari.Node(home / "a", "alice", config="lan = no\n[log]\nlevel = debug\n")
    bob = yaari.Node(home / "b", "bob", config="lan = no\n")
    forwarder = None
    try:
        alice.init()
        bob.init()
        port = int(alice.json("status")[0]["listen"][0].rsplit(":", 1)[1])
        forwarder = Forwarder(port)
        link = alice.ok("invite", "--no-wait", "--no-hints").out.strip()
        bob.ok("peer", "add", forwarder.address)
        bob.ok("add", link)
        for i in range(40):
            bob.ok("send", "alice", f"text {i}", "--wait", "delivered")
            alice.ok("send", "bob", f"answer {i}", "--wait", "delivered")
        for _ in range(2):
            bob.stop()
            bob.start()
            bob.ok("send", "alice", "again", "--wait", "delivered", "--timeout", "30s")
        yield alice, bob, port, forwarder.seen
    finally:
        if forwarder is not None:
            forwarder.close()
        alice.close()
        bob.close()
        yaari.remove(home)


@pytest.fixture
def stranger(met):
    """Checks what must be so afterwards, whatever was sent."""
    alice, bob, port, _ = met
    memory, pid = resident(alice), alice.pid
    lines = alice.log_file.read_bytes().count(b"\n")
    made = Stranger(port)
    dropped = made.queue()[1]
    yield made
    wait_for(lambda: made.queue()[0] == 0)
    assert made.queue()[1] == dropped, "the system dropped some: the test was too fast"
    bob.ok("send", "alice", "still there?", "--wait", "delivered")
    alice.ok("send", "bob", "of course", "--wait", "delivered")
    assert made.heard() == []
    made.close()
    assert alice.pid == pid
    assert resident(alice) < memory + 16 * 1024, "strangers cost memory"
    assert alice.log_file.read_bytes().count(b"\n") < lines + 50, "strangers fill the log"


def mutate(dice, data):
    """Something near a real datagram, never itself."""
    out = bytearray(data)
    for _ in range(dice.choice((1, 1, 1, 2, 8))):
        kind = dice.randrange(6)
        at = dice.randrange(len(out)) if out else 0
        if kind == 0 and out:
            out[at] ^= 1 << dice.randrange(8)
        elif kind == 1 and out:
            out[at] = dice.randrange(256)
        elif kind == 2:
            del out[at:]
        elif kind == 3:
            out += dice.randbytes(dice.randrange(1, 64))
        elif kind == 4:
            out[at:at] = dice.randbytes(dice.randrange(1, 16))
        elif out:
            del out[at:at + dice.randrange(1, 16)]
    return bytes(out[:1472]) if bytes(out) != data else data + b"\0"


def test_the_datagrams_are_real(met):
    _, _, _, seen = met
    kinds = {data[0] if data[0] < 0x40 else data[0] & 0xC0 for data in seen}
    assert {0x05, 0x07} <= kinds, "no first contact among them"
    assert 0xC0 in kinds or 0x40 in kinds, "no link among them"
    assert len(seen) > 100


def test_100000_random_datagrams_get_no_answer(stranger):
    seed = random.randrange(1 << 32)
    print("seed", seed)
    dice = random.Random(seed)
    kinds = [0x00, 0x01, 0x05, 0x06, 0x07, 0x08, 0x09, 0x10, 0x20, 0x21, 0x22, 0x23, 0x40, 0x7F, 0xC0, 0xD0, 0xE3, 0xFF]
    sizes = [0, 1, 2, 8, 40, 49, 108, 112, 132, 200, 1200, 1232, 1472]
    for _ in range(100_000):
        size = dice.choice(sizes) if dice.random() < 0.3 else dice.randrange(1, 300 if dice.random() < 0.9 else 1473)
        data = bytearray(dice.randbytes(size))
        if size > 0 and dice.random() < 0.8:
            data[0] = dice.choice(kinds)
        if size > 20 and data[0] & 0xC0 == 0xC0 and dice.random() < 0.8:
            data[1:6] = b"\0\0\0\1\x12"  # QUIC version 1, a connection id of 18 bytes
        stranger.send(bytes(data))


def test_10000_mutated_real_datagrams_get_no_answer(met, stranger):
    seed = random.randrange(1 << 32)
    print("seed", seed)
    dice = random.Random(seed)
    for _ in range(10_000):
        stranger.send(mutate(dice, dice.choice(met[3])))


def test_every_real_datagram_repeated_by_a_stranger_gets_no_answer(met, stranger):
    for data in list(met[3]):
        stranger.send(data)
        stranger.send(data)
