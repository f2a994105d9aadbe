"""What goes over the loopback interface, for tests that look at it.  Listening wants root."""

import contextlib
import os
import shutil
import signal
import socket
import struct
import subprocess

import pytest

from yaari import wait_for

LAST = b"the end, in the clear"


class Packet:
    """One UDP packet over IPv4 or, where it is neither, no ports."""

    def __init__(self, frame):
        self.frame = frame
        self.ports = set()
        self.payload = b""
        if frame[12:14] == b"\x08\x00" and frame[14] == 0x45 and frame[23] == 17:
            self.ports = set(struct.unpack_from(">HH", frame, 34))
            self.payload = frame[42:]


def packets(path):
    """The packets of a pcap file, with their headers."""
    data = path.read_bytes()
    magic, = struct.unpack_from("<I", data)
    assert magic in (0xA1B2C3D4, 0xA1B23C4D)
    at, out = 24, []
    while at + 16 <= len(data):
        length, = struct.unpack_from("<I", data, at + 8)
        out.append(Packet(data[at + 16:at + 16 + length]))
        at += 16 + length
    return out


class Seen:
    packets = ()


@contextlib.contextmanager
def udp(path):
    """Listen while the block runs; .packets is there after it.  Skips the test where it cannot."""
    if os.geteuid() != 0:
        pytest.skip("tcpdump wants root")
    if shutil.which("tcpdump") is None:
        pytest.skip("there is no tcpdump")
    dump = subprocess.Popen(["tcpdump", "-i", "lo", "-n", "-s", "0", "-U", "-B", "8192", "-Z", "root", "-w", path, "udp"],
                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    seen = Seen()
    try:
        line = dump.stderr.readline()
        if b"listening on" not in line:
            line += dump.stderr.readline()
        if b"listening on" not in line:
            pytest.skip("tcpdump cannot listen here: " + line.decode().strip())
        yield seen
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:  # is it really listening?
            last.sendto(LAST, ("127.0.0.1", 9))
        wait_for(lambda: LAST in path.read_bytes())
    finally:
        dump.send_signal(signal.SIGTERM)
        dump.wait(10)
    seen.packets = packets(path)
