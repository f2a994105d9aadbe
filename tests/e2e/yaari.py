"""Real programs, one YAARI_HOME each: what every black-box test starts from.

YAARI_BIN names the folder of yaari and yaarid (ctest sets it); docs/schema is where records are
described."""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BIN = pathlib.Path(os.environ.get("YAARI_BIN", ROOT / "build" / "debug"))
YAARI = str(BIN / "yaari")
YAARID = str(BIN / "yaarid")
TIMEOUT = 30  # seconds a command may take; none should come near


class Result:
    """What a command left behind."""

    def __init__(self, argv, done):
        self.argv = argv
        self.exit = done.returncode
        self.out = done.stdout.decode()
        self.err = done.stderr.decode()

    @property
    def lines(self):
        return self.out.splitlines()

    @property
    def records(self):
        return [json.loads(line) for line in self.lines]

    def __repr__(self):
        return f"{self.argv} -> {self.exit}\n--- stdout\n{self.out}--- stderr\n{self.err}"


class Node:
    """One user: a folder, and the programs that work in it."""

    prefix = ()  # what runs a program where the user is, before its name

    def __init__(self, home, name, listen="127.0.0.1:0", config=""):
        self.home = pathlib.Path(home)
        self.name = name
        folder = self.home / "config" / "yaari"
        folder.mkdir(parents=True, mode=0o700)
        for parent in (self.home, self.home / "config", folder):
            parent.chmod(0o700)
        self.config = folder / "default.conf"
        self.config.write_text(f"[net]\nlisten = {listen}\n{config}")
        self.config.chmod(0o600)
        self.socket = self.home / "run" / "yaari" / "default.sock"
        self.log_file = self.home / "state" / "yaari" / "default" / "yaarid.log"

    @property
    def env(self):
        env = {k: v for k, v in os.environ.items()
               if not k.startswith(("YAARI_", "XDG_", "LC_", "NO_COLOR", "CLICOLOR"))}
        env.update(YAARI_HOME=str(self.home), USER=self.name, LC_ALL="C.UTF-8", TERM="xterm", TZ="UTC")
        return env

    def run(self, *args, stdin=None, timeout=TIMEOUT, env=None, **kwargs):
        """A command; stdin: text or bytes, none is /dev/null."""
        if isinstance(stdin, str):
            stdin = stdin.encode()
        argv = [*self.prefix, YAARI, *[os.fspath(a) for a in args]]
        source = {"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}
        kwargs.setdefault("stdout", subprocess.PIPE)
        kwargs.setdefault("stderr", subprocess.PIPE)
        done = subprocess.run(argv, env={**self.env, **(env or {})}, timeout=timeout, **source, **kwargs)
        done.stdout = done.stdout or b""
        done.stderr = done.stderr or b""
        return Result(list(args), done)

    def ok(self, *args, **kwargs):
        """A command that must succeed."""
        result = self.run(*args, **kwargs)
        assert result.exit == 0, result
        return result

    def json(self, *args, exits=(0,), **kwargs):
        """The records of a command that must succeed, or end as `exits` allows."""
        result = self.run(*args, "--json", **kwargs)
        assert result.exit in exits, result
        records = result.records
        for record in records:
            check(record)
        return records

    def popen(self, *args, **kwargs):
        """A command that goes on."""
        kwargs.setdefault("stdin", subprocess.DEVNULL)
        kwargs.setdefault("stdout", subprocess.PIPE)
        kwargs.setdefault("stderr", subprocess.PIPE)
        return subprocess.Popen([*self.prefix, YAARI, *args], env=self.env, **kwargs)

    # ---- the daemon ----

    def init(self):
        self.ok("init", "--name", self.name, "--no-input")
        return self

    @property
    def pid(self):
        try:
            return int((self.home / "run" / "yaari" / "default.pid").read_text().split()[0])
        except (OSError, ValueError, IndexError):
            return None

    def start(self):
        self.ok("daemon", "start")

    def stop(self):
        self.run("daemon", "stop")

    def kill9(self):
        """End the daemon as a power cut would."""
        pid = self.pid
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not running(pid))

    def close(self):
        """Leave nothing behind, whatever the test did."""
        pid = self.pid
        if pid is not None and running(pid):
            os.kill(pid, signal.SIGTERM)
            try:
                wait_for(lambda: not running(pid), 10)
            except AssertionError:
                os.kill(pid, signal.SIGKILL)

    # ---- what tests ask for again and again ----

    def befriend(self, other):
        """Become friends; both see the other online when this returns."""
        link = self.ok("invite", "--no-wait").out.strip()
        added = other.run("add", link)
        assert added.exit == 0, (added, other.run("request", "list", "--json"), self.run("invite", "list", "--json"))
        for one, two in ((self, other), (other, self)):
            wait_for(lambda: two.name in [f["nick"] for f in one.json("friend", "list", "--online")])

    def texts(self, *args):
        return [m["text"] for m in self.json("log", *args)]


def running(pid):
    """Is there a process, and is it more than a zombie?"""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def wait_for(condition, seconds=10, step=0.02):
    """The first true value of condition()."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, "waited in vain"
        time.sleep(step)


def new_home():
    """A folder with a path short enough for sockets."""
    return pathlib.Path(tempfile.mkdtemp(prefix="yr-", dir=os.environ.get("TMPDIR", "/tmp")))


def remove(home):
    shutil.rmtree(home, ignore_errors=True)


# ---- records ----

_schemas = {}


def check(record):
    """Does a record fit its schema, docs/schema/TYPE.json?"""
    import jsonschema

    kind = record["type"]
    if kind not in _schemas:
        path = ROOT / "docs" / "schema" / f"{kind}.json"
        resolver = jsonschema.RefResolver(path.as_uri(), json.loads(path.read_text()))
        _schemas[kind] = jsonschema.Draft7Validator(resolver.referrer, resolver=resolver)
    _schemas[kind].validate(record)


UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f\x80-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]"
)
