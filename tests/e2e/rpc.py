"""The control socket as a program sees it, and a yaarid that the test starts itself."""

import json
import os
import signal
import socket
import subprocess

import yaari


class Connection:
    """JSON-RPC over the socket of a node; every record in an answer is held to its schema."""

    def __init__(self, node):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(20)
        self.socket.connect(str(node.socket))
        self.rest = b""
        self.last = 0
        self.events = []

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.socket.close()

    def write(self, data):
        self.socket.sendall(data)

    def send(self, method, **params):
        self.last += 1
        request = {"jsonrpc": "2.0", "id": self.last, "method": method, "params": params}
        self.write(json.dumps(request).encode() + b"\n")
        return self.last

    def line(self, timeout=20):
        """The next line, as it is."""
        self.socket.settimeout(timeout)
        while b"\n" not in self.rest:
            got = self.socket.recv(1 << 20)
            if not got:
                raise EOFError
            self.rest += got
        line, self.rest = self.rest.split(b"\n", 1)
        return line

    def receive(self, timeout=20):
        line = self.line(timeout)
        assert not any(c < 0x20 or c == 0x7F for c in line), line
        answer = json.loads(line)
        assert answer["jsonrpc"] == "2.0"
        validate(answer.get("result", answer.get("params")))
        return answer

    def answer(self, request):
        """The answer to a request; events meanwhile are kept."""
        while True:
            got = self.receive()
            if got.get("id") == request:
                return got
            assert got.get("method") == "event", got
            self.events.append(got["params"])

    def call(self, method, **params):
        got = self.answer(self.send(method, **params))
        assert "result" in got, got
        return got["result"]

    def error(self, method, **params):
        got = self.answer(self.send(method, **params))
        assert "error" in got, got
        return got["error"]

    def event(self, timeout=20):
        if self.events:
            return self.events.pop(0)
        got = self.receive(timeout)
        assert got["method"] == "event", got
        return got["params"]

    def subscribe(self, **params):
        self.call("hello", client="test", api=1)
        return self.call("events.subscribe", **params)


def validate(value):
    """Hold every record in here to its schema: members that are not in it are a slip."""
    if isinstance(value, list):
        for item in value:
            validate(item)
    if isinstance(value, dict):
        if isinstance(value.get("type"), str) and "help" not in value:
            yaari.check(value)
            known = json.loads((yaari.ROOT / "docs" / "schema" / f"{value['type']}.json").read_text())
            assert set(value) <= set(known["properties"]), value
        for item in value.values():
            validate(item)


class Daemon:
    """A yaarid in the foreground."""

    def __init__(self, node, *args, ready=True, env=None, pass_fds=()):
        self.node = node
        self.log = node.home / "stderr"
        reader, writer = os.pipe()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [yaari.YAARID, "--ready-fd", str(writer), *args], env={**node.env, **(env or {})},
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
                pass_fds=(writer, *pass_fds))
        os.close(writer)
        if ready:
            told = os.read(reader, 10)
            assert told == b"\n", self.text
        os.close(reader)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if self.process.poll() is None:
            self.stop()

    @property
    def text(self):
        return self.log.read_text()

    def tell(self, number):
        self.process.send_signal(number)

    def stop(self, number=signal.SIGTERM):
        self.tell(number)
        return self.end()

    def end(self):
        """The exit code; nothing may have gone to stdout."""
        out, _ = self.process.communicate(timeout=20)
        assert out == b""
        return self.process.returncode


def refused(node, *args, env=None, pass_fds=()):
    """A yaarid that does not start: its exit code and stderr."""
    done = subprocess.run([yaari.YAARID, *args], env={**node.env, **(env or {})}, timeout=20,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          pass_fds=pass_fds)
    assert done.stdout == ""
    return done.returncode, done.stderr


def secret(text):
    """A descriptor to read `text` from."""
    reader, writer = os.pipe()
    os.write(writer, text.encode())
    os.close(writer)
    return reader
