"""A cable with delay and loss, for kernels that have no netem.

    wire.py INTERFACE INTERFACE DELAY LOSS SEED

Carries Ethernet frames between two interfaces until standard input ends.  DELAY: seconds, LOSS: 0 to
1, each direction on its own.  Order is kept."""

import collections
import random
import select
import socket
import sys
import time

ETH_P_ALL = 3
SOL_PACKET, PACKET_VNET_HDR, PACKET_IGNORE_OUTGOING = 263, 15, 23
FRAMES_MAX = 20000
IP = (b"\x08\x00", b"\x86\xdd")  # what gets lost; ARP would take a second to ask again


def port(name):
    """With the header that says which checksum is still to be made: it is handed on as it is."""
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    s.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    s.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    s.bind((name, ETH_P_ALL))
    s.setblocking(False)
    return s


def main():
    one, two = port(sys.argv[1]), port(sys.argv[2])
    delay, loss = float(sys.argv[3]), float(sys.argv[4])
    rng = random.Random(sys.argv[5])
    other = {one: two, two: one}
    waiting = collections.deque()  # (due, socket, frame)
    print("ready", flush=True)
    while True:
        timeout = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
        for s in select.select([one, two, sys.stdin], [], [], timeout)[0]:
            if s is sys.stdin:
                return
            while True:
                try:
                    frame = s.recv(70000)
                except BlockingIOError:
                    break
                lost = frame[22:24] in IP and rng.random() < loss
                if not lost and len(waiting) < FRAMES_MAX:
                    waiting.append((time.monotonic() + delay, other[s], frame))
        now = time.monotonic()
        while waiting and waiting[0][0] <= now:
            _, out, frame = waiting.popleft()
            try:
                out.send(frame)
            except OSError:  # the other end is down
                pass


main()
