"""What somebody sees who watches the network.  Listening to it wants root."""

import os
import shutil
import signal
import socket
import struct
import subprocess

import pytest

from canary import strangers_to_be, talk
from yaari import wait_for


def packets(path):
    """The packets of a pcap file, with their headers."""
    data = path.read_bytes()
    magic, = struct.unpack_from("<I", data)
    assert magic in (0xA1B2C3D4, 0xA1B23C4D)
    at, out = 24, []
    while at + 16 <= len(data):
        length, = struct.unpack_from("<I", data, at + 8)
        out.append(data[at + 16:at + 16 + length])
        at += 16 + length
    return out


@pytest.fixture
def couple():
    with strangers_to_be() as both:
        yield both


@pytest.mark.skipif(os.geteuid() != 0, reason="tcpdump wants root")
@pytest.mark.skipif(shutil.which("tcpdump") is None, reason="there is no tcpdump")
def test_no_packet_holds_text_name_or_key_in_the_clear(couple, tmp_path):
    alice, bob = couple
    captured = tmp_path / "lo.pcap"
    dump = subprocess.Popen(["tcpdump", "-i", "lo", "-n", "-s", "0", "-U", "-B", "8192", "-Z", "root", "-w", captured, "udp"],
                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        line = dump.stderr.readline()
        if b"listening on" not in line:
            line += dump.stderr.readline()
        if b"listening on" not in line:
            pytest.skip("tcpdump cannot listen here: " + line.decode().strip())
        canaries = talk(alice, bob)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:  # is it really listening?
            last.sendto(b"the end, in the clear", ("127.0.0.1", 9))
        wait_for(lambda: b"the end, in the clear" in captured.read_bytes())
    finally:
        dump.send_signal(signal.SIGTERM)
        dump.wait(10)
    ports = [node.json("status")[0]["listen"][0].rsplit(":", 1)[1] for node in (alice, bob)]
    both = {struct.pack(">H", int(port)) for port in ports}
    ours = [p for p in packets(captured) if {p[34:36], p[36:38]} == both]
    assert len(ours) > 20, "the talk was not seen"
    canaries.add("our own name", "yaari/1/")
    assert canaries.seen_in(b"".join(ours)) == []
