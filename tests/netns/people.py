"""People whose programs run on a host of the lab, and talks of theirs that are looked at."""

import datetime
import shlex
import threading
import time

import pexpect

import yaari
from yaari import wait_for


class Person(yaari.Node):
    """A user on a host of the lab."""

    def __init__(self, home, name, host, config="", listen="0.0.0.0:0, [::]:0"):
        super().__init__(home / name, name, listen=listen, config=config)
        self.host = host
        self.prefix = host.argv

    def friend(self, other):
        """What this one sees of a friend."""
        name = other if isinstance(other, str) else other.name
        return next((f for f in self.json("friend", "list") if f["nick"] == name), None)

    def online(self, other):
        seen = self.friend(other)
        return seen is not None and seen["state"] == "online"

    def path(self, other):
        """Which way the link to a friend goes: lan, direct or relay; None without a link."""
        seen = self.friend(other) or {}
        return seen.get("path") if seen.get("state") == "online" else None

    def ask(self, other, *flags, seconds=60):
        """Invite a friend; seconds until both see each other online."""
        link = self.ok("invite", "--no-wait", *flags).out.strip()
        start = time.monotonic()
        added = other.run("add", link, "--timeout", f"{seconds}s", timeout=seconds + 10)
        assert added.exit == 0, (added, other.run("request", "list"), self.run("invite", "list"),
                                 self.log_tail(), other.log_tail())
        wait_for(lambda: self.online(other) and other.online(self), seconds)
        return time.monotonic() - start

    def on_terminal(self, *args):
        """What a command shows to people."""
        argv = [*self.prefix, yaari.YAARI, *args]
        shown, code = pexpect.run(shlex.join(argv), env=self.env, withexitstatus=True, timeout=30, encoding="utf-8")
        assert code == 0, shown
        return shown

    def log_tail(self, lines=40):
        try:
            return "\n".join([f"--- {self.name}:", *self.log_file.read_text().splitlines()[-lines:]])
        except OSError:
            return f"--- {self.name} has no log"


class People:
    """people("alice", host) makes a user with an identity; all are gone at the end."""

    def __init__(self):
        self.home = yaari.new_home()
        self.made = []

    def __call__(self, name, host, config="", **options):
        person = Person(self.home, name, host, config, **options)
        self.made.append(person)
        return person.init()

    def close(self):
        for person in self.made:
            person.close()
        yaari.remove(self.home)


def wait_path(one, two, path, seconds=30):
    """Until both see the link go that way; seconds that took."""
    start = time.monotonic()
    try:
        wait_for(lambda: one.path(two) == two.path(one) == path, seconds)
    except AssertionError:
        raise AssertionError(f"{one.path(two)} and {two.path(one)}, not {path}\n{one.run('net', 'path', two.name).out}\n"
                             f"{two.run('net', 'path', one.name).out}") from None
    return time.monotonic() - start


def stamp(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


class Exchange:
    """Two people send each other numbered texts, one each `period` seconds, while the block runs;
    or only the first one, with both=False.

        with Exchange(alice, bob) as talk:
            talk.wait(20)      # until that many texts of each are sent
            alice.host.readdress()
            talk.wait(40)
        talk.check(gap=3)"""

    def __init__(self, one, two, period=1.0, both=True):
        self.pairs = ((one, two), (two, one)) if both else ((one, two),)
        self.period = period
        self.sent = {me.name: [] for me, _ in self.pairs}
        self.errors = []
        self.over = threading.Event()

    def speak(self, me, other):
        start = time.monotonic()
        while not self.over.wait(max(0.0, start + len(self.sent[me.name]) * self.period - time.monotonic())):
            text = f"{me.name} {len(self.sent[me.name])}"
            done = me.run("send", other.name, text)
            if done.exit != 0:
                self.errors.append(done)
                return
            self.sent[me.name].append(text)

    def __enter__(self):
        self.threads = [threading.Thread(target=self.speak, args=pair) for pair in self.pairs]
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()

    def wait(self, count, seconds=120):
        wait_for(lambda: self.errors or all(len(texts) >= count for texts in self.sent.values()), seconds)

    def check(self, gap, seconds=30):
        """Nothing lost, nothing twice, in order; no text took longer than `gap` seconds.  Gives the
        longest time that one took."""
        assert self.errors == []
        worst = 0.0
        for me, other in self.pairs:
            def came():
                return [m for m in other.json("log", me.name, "-n", "0") if not m["own"] and m["text"] in mine]

            mine = set(self.sent[me.name])
            try:
                wait_for(lambda: len(came()) >= len(mine), seconds, step=0.2)
            except AssertionError:
                missing = mine - {m["text"] for m in came()}
                raise AssertionError(f"lost on the way: {sorted(missing)}\n{me.log_tail()}\n{other.log_tail()}")
            messages = came()
            assert [m["text"] for m in messages] == self.sent[me.name]
            took = [stamp(m["received"]) - stamp(m["time"]) for m in messages]
            worst = max(worst, *took)
            assert worst <= gap, [f"{t:.2f}" for t in took]
        return worst


def bootstrap(net, people, name="boot", host=None, listen=None):
    """A public node that serves the DHT; .known is what others write in their [net] to know it."""
    host = host or net.host(name)
    node = people(name, host, "dht = server\n", listen=listen or f"{host.ip_address}:7722")
    line = next(word for word in node.ok("net", "addrs").out.split() if word.startswith(f"{host.ip_address}:7722/"))
    node.known = f"bootstrap = {line}\n"
    return node
