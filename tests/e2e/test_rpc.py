"""The control interface over its socket: bad requests, many clients, slow readers, events."""

import json
import os
import socket
import subprocess
import sys
import threading
import time

import pytest

from rpc import Connection, Daemon
from yaari import wait_for


@pytest.fixture(scope="module")
def two():
    """alice and bob, friends and online, their daemons in the foreground."""
    import yaari

    home = yaari.new_home()
    alice, bob = yaari.Node(home / "a", "alice"), yaari.Node(home / "b", "bob")
    try:
        with Daemon(alice), Daemon(bob):
            with Connection(alice) as a, Connection(bob) as b:
                a.call("identity.create", name="alice")
                b.call("identity.create", name="bob")
                b.call("friend.add", link=a.call("invite.create")["link"])
                wait_for(lambda: all(c.call("friend.list", online=True)["friends"] for c in (a, b)))
            yield alice, bob
    finally:
        yaari.remove(home)


@pytest.fixture
def rpc(two):
    with Connection(two[0]) as connection:
        yield connection


@pytest.mark.parametrize("line, code", [
    (b"", -32700),
    (b"nonsense", -32700),
    (b'{"jsonrpc":"2.0","id":1,"id":2,"method":"hello"}', -32700),
    (b'{"jsonrpc":"2.0","id":1,"method":"\xff"}', -32700),
    (b"[]", -32600),
    (b'[{"jsonrpc":"2.0","id":1,"method":"rpc.list"}]', -32600),
    (b'{"jsonrpc":"2.0","id":null,"method":"rpc.list"}', -32600),
    (b'{"jsonrpc":"2.0","id":1.5,"method":"rpc.list"}', -32600),
    (b'{"jsonrpc":"2.0","id":1,"method":"no.such"}', -32601),
    (b'{"jsonrpc":"2.0","id":1,"method":"message.send","params":{"target":"bob"}}', -32602),
    (b'{"jsonrpc":"2.0","id":1,"method":"message.send","params":["bob","hi"]}', -32602),
    (b'{"jsonrpc":"2.0","id":1,"method":"rpc.list","params":{"x":1}}', -32602),
])
def test_bad_lines_are_answered_and_the_next_is_read(rpc, line, code):
    rpc.write(line + b"\n")
    assert rpc.receive()["error"]["code"] == code
    rpc.call("rpc.list")


def test_a_line_may_have_a_mebibyte_and_not_one_byte_more(rpc):
    start, end = b'{"jsonrpc":"2.0","id":1,"method":"rpc.list"', b"}"
    rpc.write(start + b" " * ((1 << 20) - len(start) - 1) + end + b"\n")
    assert "result" in rpc.receive()
    rpc.write(start + b" " * ((1 << 20) - len(start)) + end + b"\n")
    assert rpc.receive()["error"]["code"] == -32600
    rpc.call("rpc.list")


def test_a_notification_is_ignored(rpc):
    rpc.write(b'{"jsonrpc":"2.0","method":"daemon.stop"}\n')
    rpc.call("rpc.list")
    time.sleep(0.2)
    rpc.call("rpc.list")


def test_a_client_that_says_no_more_still_gets_its_answers(two):
    with Connection(two[0]) as rpc:
        sent = rpc.send("message.send", target="bob", text="last words", wait="delivered")
        rpc.socket.shutdown(socket.SHUT_WR)
        assert rpc.answer(sent)["result"]["state"] == "delivered"
        with pytest.raises(EOFError):
            rpc.line()


def test_sixty_four_clients_at_once(two):
    clients = [Connection(two[0]) for _ in range(64)]
    for client in clients:
        client.send("hello", client="test", api=1)
    for client in clients:
        assert client.receive()["result"]["api"] == 1
        client.socket.close()


def test_a_thousand_requests_at_once_are_answered_one_each(rpc):
    ids = [rpc.send("message.send", target="@me", text="note %d" % i) for i in range(1000)]
    answers = [rpc.receive() for _ in ids]
    assert sorted(a["id"] for a in answers) == ids
    assert all("result" in a for a in answers)


def test_too_many_requests_without_an_answer_are_refused(two):
    with Connection(two[0]) as rpc:
        rpc.call("friend.block", friend="bob", blocked=True)
        for _ in range(1100):
            rpc.send("message.send", target="bob", text="x", wait="delivered")
        refused = [rpc.receive() for _ in range(76)]
        assert {a["error"]["data"]["name"] for a in refused} == {"rate_limited"}
    with Connection(two[0]) as rpc:
        rpc.call("friend.block", friend="bob", blocked=False)
        wait_for(lambda: rpc.call("friend.get", friend="bob")["queue"] == 0, 30)


def test_the_same_key_is_the_same_message(rpc):
    first = rpc.call("message.send", target="bob", text="once", key="k-1")
    again = rpc.call("message.send", target="bob", text="once", key="k-1")
    other = rpc.call("message.send", target="bob", text="once", key="k-2")
    assert first["id"] == again["id"] != other["id"]


def test_a_wait_that_runs_out_tells_the_message(two):
    alice, _ = two
    with Connection(alice) as rpc:
        rpc.call("friend.block", friend="bob", blocked=True)
        error = rpc.error("message.send", target="bob", text="x", wait="delivered", timeout_ms=100)
        assert (error["code"], error["data"]["exit"]) == (-32005, 75)
        assert rpc.call("message.get", id=error["data"]["id"])["state"] == "accepted"
        assert rpc.call("message.why", id=error["data"]["id"])["steps"]
        rpc.call("friend.block", friend="bob", blocked=False)
        wait_for(lambda: rpc.call("friend.get", friend="bob")["queue"] == 0, 30)


def test_events_come_live_and_again_from_a_cursor(two):
    alice, bob = two
    with Connection(alice) as sender, Connection(bob) as reader:
        cursor = reader.subscribe(types=["message"])["cursor"]
        for i in range(20):
            sender.call("message.send", target="bob", text="event %d" % i)
        live = [reader.event() for _ in range(20)]
        assert [e["data"]["text"] for e in live] == ["event %d" % i for i in range(20)]
        assert [e["cursor"] for e in live] == sorted({e["cursor"] for e in live})
        with Connection(bob) as later:
            later.subscribe(since=cursor, types=["message"], targets=["alice"])
            again = [later.event() for _ in range(20)]
        assert [(e["cursor"], e["data"]["id"]) for e in again] == \
            [(e["cursor"], e["data"]["id"]) for e in live]
        with Connection(bob) as lost:
            lost.subscribe(since=10**9)
            assert lost.event()["event"] == "gap"


def test_a_slow_reader_of_events_loses_none_and_hinders_nobody(two):
    alice, bob = two
    with Connection(alice) as sender, Connection(bob) as reader:
        reader.subscribe(types=["message"])
        for i in range(1000):
            sender.send("message.send", target="bob", text=f"{i:04} " + "y" * 8000)
            if i >= 100:
                assert "result" in sender.receive()
        for i in range(100):
            assert "result" in sender.receive()
        with Connection(bob) as other:
            wait_for(lambda: other.call("message.list", target="alice", limit=1)
                     ["messages"][0]["text"].startswith("0999"), 30)
        got = [reader.event()["data"]["text"][:4] for _ in range(1000)]
        assert got == [f"{i:04}" for i in range(1000)]


def test_who_asks_and_never_reads_is_closed(two):
    alice, _ = two
    with Connection(alice) as rpc, Connection(alice) as other:
        line = b'{"jsonrpc":"2.0","id":1,"method":"rpc.describe","params":{"method":"message.list"}}\n'
        with pytest.raises(OSError):
            for _ in range(100000):
                rpc.write(line)
        other.call("net.status")


def test_lists_of_one_client_leave_room_for_others(two):
    alice, _ = two
    with Connection(alice) as greedy, Connection(alice) as other:
        other.call("message.list")
        drain = threading.Thread(target=lambda: [greedy.line() for _ in range(100)])
        line = b'{"jsonrpc":"2.0","id":1,"method":"message.list","params":{"limit":1000}}\n'
        greedy.write(line * 100)
        drain.start()
        slowest = 0
        for _ in range(20):
            start = time.monotonic()
            other.call("friend.list")
            slowest = max(slowest, time.monotonic() - start)
        drain.join()
        assert slowest < 2


def test_unsafe_characters_leave_escaped(two):
    alice, bob = two
    text = "a\x1b[31m\u202eb\u2028c\x9b"
    with Connection(alice) as rpc, Connection(bob) as reader:
        reader.subscribe(types=["message"])
        rpc.call("message.send", target="bob", text=text)
        while True:
            line = reader.line()
            if b"\\u202" in line:
                break
        assert b"\x1b" not in line and "\u202e".encode() not in line
        assert json.loads(line)["params"]["data"]["text"] == text


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to be somebody else")
def test_another_user_gets_nothing(two):
    alice, _ = two
    folders = [alice.home.parent, alice.home, alice.home / "run", alice.home / "run" / "yaari"]
    modes = [f.stat().st_mode & 0o777 for f in folders]
    program = ("import socket;s=socket.socket(socket.AF_UNIX);s.connect(%r);s.sendall(b'{}\\n');"
               "print(len(s.recv(99)))" % str(alice.socket))
    try:
        for folder in folders:
            folder.chmod(0o755)
        alice.socket.chmod(0o666)
        done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                               sys.executable, "-c", program], capture_output=True, text=True)
    finally:
        alice.socket.chmod(0o600)
        for folder, mode in zip(folders, modes):
            folder.chmod(mode)
    if done.returncode == 126:
        pytest.skip("nobody may not run this python")
    assert done.stdout.strip() in ("", "0"), done
    wait_for(lambda: "refused a process of another user" in (alice.home / "stderr").read_text())
