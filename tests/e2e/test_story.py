"""The main story: friends by a link, a talk, 300 texts through a node that is killed, restarts."""

import pathlib
import random
import subprocess
import threading
import time

import yaari
from yaari import ROOT, wait_for

# What two friends agree on; cursor, received, own, state and names are each one's own affair.
SHARED = ("id", "kind", "text", "time", "reply_to", "edited", "deleted")


def history(node, other):
    """The conversation as both must have it, in the order in which it is shown."""
    out = []
    for m in node.json("log", other, "-n", "0"):
        line = {key: m[key] for key in SHARED if key in m}
        line["from"] = m["from"]["id"]
        line["reactions"] = sorted((r["emoji"], sorted(r["ids"])) for r in m.get("reactions", []))
        out.append(line)
    return out


def befriended(nodes):
    alice, bob = nodes("alice").init(), nodes("bob").init()
    alice.befriend(bob)
    return alice, bob


def settle(alice, bob, count=None):
    """Everything accepted has arrived; both show the same.  Gives the common history."""
    def all_delivered():
        return all(m["state"] in ("delivered", "read")
                   for n, other in ((alice, "bob"), (bob, "alice")) for m in n.json("log", other, "-n", "0"))

    wait_for(all_delivered, 60, step=0.2)
    mine, theirs = history(alice, "bob"), history(bob, "alice")
    assert mine == theirs
    ids = [m["id"] for m in mine]
    assert len(set(ids)) == len(ids)
    if count is not None:
        assert len(ids) == count
    return mine


def texts_of(messages, prefix):
    return [m["text"] for m in messages if m["text"].startswith(prefix)]


def test_the_demo_plays_and_leaves_nothing_behind(tmp_path):
    before = set(pathlib.Path("/proc").glob("[0-9]*/exe"))
    done = subprocess.run([ROOT / "tools" / "demo", yaari.BIN], env={"PATH": "/usr/bin:/bin", "TMPDIR": str(tmp_path)},
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=240)
    assert done.returncode == 0, done.stdout.decode()
    assert done.stdout.decode().endswith("demo: ok\n")
    assert list(tmp_path.iterdir()) == []
    left = [p for p in set(pathlib.Path("/proc").glob("[0-9]*/exe")) - before if str(tmp_path) in environ(p)]
    assert left == []


def environ(exe):
    try:
        return (exe.parent / "environ").read_bytes().decode(errors="replace")
    except OSError:
        return ""


def test_the_demo_says_what_failed(tmp_path):
    (tmp_path / "yaarid").write_text("#!/bin/sh\nexit 70\n")
    (tmp_path / "yaarid").chmod(0o755)
    (tmp_path / "yaari").symlink_to(yaari.YAARI)
    done = subprocess.run([ROOT / "tools" / "demo", tmp_path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    assert done.returncode == 1
    assert b"demo: FAILED: alice's node does not start" in done.stderr


def test_a_talk_looks_the_same_on_both_sides(nodes):
    alice, bob = befriended(nodes)
    first, = alice.json("send", "bob", "is the build green?", "--wait", "delivered")
    answer, = bob.json("send", "alice", "yes, after the fix", "--reply", first["id"], "--wait", "delivered")
    alice.ok("react", answer["id"], "👍")
    typo, = bob.json("send", "alice", "dinner at sevn?", "--wait", "delivered")
    bob.ok("edit", typo["id"], "dinner at seven?")
    gone, = alice.json("send", "bob", "wrong window", "--wait", "delivered")
    alice.ok("delete", gone["id"])
    alice.ok("send", "bob", "--action", "waves")
    wait_for(lambda: history(alice, "bob") == history(bob, "alice"))
    seen = {m["id"]: m for m in settle(alice, bob, 5)}
    assert seen[answer["id"]]["reply_to"] == first["id"]
    assert seen[answer["id"]]["reactions"][0][0] == "👍"
    assert seen[typo["id"]]["text"] == "dinner at seven?" and "edited" in seen[typo["id"]]
    assert seen[gone["id"]]["deleted"] is True and seen[gone["id"]]["text"] == ""
    for node, other in ((alice, "bob"), (bob, "alice")):
        node.stop()
        node.start()
    assert {m["id"]: m for m in settle(alice, bob, 5)} == seen


def test_300_texts_survive_kill_9_of_the_receiver(nodes):
    """Bob is killed three times while they are on the way, at moments that differ in each run."""
    alice, bob = befriended(nodes)
    want = [f"parcel {i:03}" for i in range(300)]
    dice = random.Random()
    sender = alice.popen("send", "bob", "--each-line", stdin=subprocess.PIPE)
    for start in range(0, 300, 100):
        sender.stdin.write("".join(t + "\n" for t in want[start:start + 100]).encode())
        sender.stdin.flush()
        time.sleep(dice.random() * 0.1)
        bob.kill9()
        bob.start()
    sender.stdin.close()
    assert sender.wait(60) == 0, sender.stderr.read()
    bob.ok("send", "alice", "all there?", "--wait", "delivered", "--timeout", "30s")
    before = settle(alice, bob, 301)
    assert texts_of(before, "parcel") == want
    for node in (alice, bob):
        node.kill9()
        node.start()
    assert settle(alice, bob, 301) == before


def test_300_texts_survive_kill_9_of_the_sender(nodes):
    """What alice was told is accepted is sent when she is back; what was not may be missing."""
    alice, bob = befriended(nodes)
    accepted = []
    sender = alice.popen("send", "bob", "--each-line", "--json", stdin=subprocess.PIPE)

    def read():
        for line in sender.stdout:
            accepted.append(yaari.json.loads(line)["text"])

    reader = threading.Thread(target=read)
    reader.start()
    try:
        sender.stdin.write("".join(f"parcel {i:03}\n" for i in range(300)).encode())
        sender.stdin.flush()
        wait_for(lambda: len(accepted) >= 40, step=0.001)
        alice.kill9()
    except BrokenPipeError:
        pass
    finally:
        try:
            sender.stdin.close()
        except BrokenPipeError:
            pass
        sender.wait(30)
        reader.join(30)
    alice.start()
    alice.ok("send", "bob", "back again", "--wait", "delivered", "--timeout", "30s")
    arrived = texts_of(settle(alice, bob), "parcel")
    assert arrived[:len(accepted)] == accepted
    assert arrived == [f"parcel {i:03}" for i in range(len(arrived))]


def test_both_write_at_once_and_agree_on_the_order(nodes):
    alice, bob = befriended(nodes)
    senders = [n.popen("send", other, "--each-line", stdin=subprocess.PIPE) for n, other in ((alice, "bob"), (bob, "alice"))]
    for i in range(100):
        for sender, name in zip(senders, ("alice", "bob")):
            sender.stdin.write(f"{name} {i:03}\n".encode())
            sender.stdin.flush()
    for sender in senders:
        sender.stdin.close()
        assert sender.wait(60) == 0
    both = settle(alice, bob, 200)
    for name in ("alice", "bob"):
        assert texts_of(both, name) == [f"{name} {i:03}" for i in range(100)]
