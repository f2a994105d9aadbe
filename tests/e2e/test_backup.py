"""Backups, profiles made from them, and the copy that was thought lost."""

import os
import shutil
import signal
import subprocess
import time

import pytest

import yaari
from yaari import wait_for

SECRET = "correct horse\n"


def backup(node, path, secret=SECRET):
    return node.run("backup", path, "--passphrase-fd", "0", stdin=secret)


def restore(node, path, *args, secret=SECRET, **kwargs):
    return node.run("restore", path, "--passphrase-fd", "0", *args, stdin=secret, timeout=60, **kwargs)


def talk(one, other):
    """A text each way, there once."""
    stamp = str(time.monotonic_ns())
    for a, b in ((one, other), (other, one)):
        a.ok("send", b.name, f"{a.name} {stamp}")
    for a, b in ((one, other), (other, one)):
        wait_for(lambda: b.texts(a.name).count(f"{a.name} {stamp}") == 1, 30, step=0.2)


def shown(node, other):
    return [(m["id"], m["text"], m["from"]["id"]) for m in node.json("log", other, "-n", "0")]


def test_a_backup_is_written_verified_and_never_over_another(nodes, tmp_path):
    alice = nodes("alice").init()
    path = tmp_path / "a.age"
    done = backup(alice, path)
    assert done.exit == 0 and done.out.startswith("wrote ") and done.out.endswith(", verified\n"), done
    assert path.stat().st_mode & 0o777 == 0o600
    before = path.read_bytes()
    assert backup(alice, path).exit == 73
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
    [record] = alice.json("backup", tmp_path / "b.age", "--passphrase-fd", "0", stdin=SECRET)
    assert record["type"] == "backup" and record["bytes"] == (tmp_path / "b.age").stat().st_size
    assert backup(alice, tmp_path / "no" / "such").exit == 74
    with alice.popen("backup", "-", "--passphrase-fd", "0", stdin=subprocess.PIPE) as piped:
        out, err = piped.communicate(SECRET.encode(), timeout=60)
    assert piped.returncode == 0 and out.startswith(b"age-encryption.org/v1\n"), err
    (tmp_path / "c.age").write_bytes(out)
    assert restore(alice, tmp_path / "c.age", "--verify-only").exit == 0
    assert not list(alice.home.rglob("backup-*"))


def test_a_backup_with_another_passphrase_or_damaged_is_refused(nodes, tmp_path):
    alice, new = nodes("alice").init(), nodes("new")
    path = tmp_path / "a.age"
    assert backup(alice, path).exit == 0
    assert restore(new, path, secret="another\n").exit == 77
    assert restore(new, path, "--verify-only", secret="another\n").exit == 77
    assert restore(new, tmp_path / "none.age").exit == 66
    whole = path.read_bytes()
    for i, wrong in enumerate((b"", whole[:100], whole[:-1], whole + b"x", whole[:400] + b"\0" + whole[401:],
                               b"age-encryption.org/v1\n-> scrypt AAAAAAAAAAAAAAAAAAAAAA 40\n" + whole[60:], b"\0" * 5000)):
        bad = tmp_path / f"bad{i}"
        bad.write_bytes(wrong)
        for args in ((), ("--verify-only",)):
            done = restore(new, bad, *args)
            assert done.exit in (65, 77), (i, done)
    assert new.run("status", "--no-autostart").exit == 69
    assert restore(new, path, "--no-start").exit == 0  # nothing of all that was in the way
    assert restore(new, path, "--no-start").exit == 73
    assert restore(alice, path).exit == 73


def test_bob_restores_yesterdays_backup_and_both_talk_on(nodes, tmp_path):
    alice, bob = nodes("alice").init(), nodes("bob").init()
    alice.befriend(bob)
    for i in range(30):
        (alice if i % 2 else bob).ok("send", "bob" if i % 2 else "alice", f"text {i}")
    wait_for(lambda: len(alice.texts("bob", "-n", "0")) == len(bob.texts("alice", "-n", "0")) == 30, 30, step=0.2)
    path = tmp_path / "bob.age"
    assert backup(bob, path).exit == 0
    before = shown(bob, "alice")
    talk(alice, bob)  # what the backup has not
    bob.stop()

    bob2 = nodes("bob2")
    bob2.name = "bob"
    done = restore(bob2, path)
    assert done.exit == 0, done
    assert shown(bob2, "alice") == before
    for a, b in ((alice, "bob"), (bob2, "alice")):
        wait_for(lambda: [f for f in a.json("friend", "list", "--online") if f["nick"] == b], 60, step=0.2)
    talk(alice, bob2)
    changed = [m for m in alice.json("log", "bob", "--all") if m["text"] == "device key changed"]
    assert len(changed) == 1 and changed[0]["kind"] == "system"
    assert set(before) <= set(shown(bob2, "alice"))

    # The old one comes back: it is told, and stops.
    bob.start()
    wait_for(lambda: bob.json("status")[0].get("retired"), 60, step=0.2)
    assert bob.run("daemon", "status").exit == 1
    refused = bob.run("send", "alice", "it is me")
    assert refused.exit == 77 and "stopped" in refused.err, refused
    assert set(before) <= set(shown(bob, "alice"))  # what is only there can be read
    bob.stop()
    bob.start()
    assert bob.json("status")[0]["retired"]
    talk(alice, bob2)
    assert "it is me" not in alice.texts("bob", "-n", "0")


def test_a_restore_that_is_killed_can_be_run_again(nodes, tmp_path):
    alice, bob = nodes("alice").init(), nodes("bob").init()
    alice.befriend(bob)
    for i in range(200):
        bob.ok("send", "alice", f"text {i} " + "x" * 2000)
    path = tmp_path / "bob.age"
    assert backup(bob, path).exit == 0
    before = shown(bob, "alice")
    bob.stop()
    bob2 = nodes("bob2")
    bob2.name = "bob"
    done = False
    for delay in (0.05, 0.6, 0.9, 1.1, 1.2, 1.3, 1.4, 1.5, 1.7, 2.0):
        run = bob2.popen("restore", path, "--passphrase-fd", "0", "--no-start", stdin=subprocess.PIPE)
        run.stdin.write(SECRET.encode())
        run.stdin.close()
        time.sleep(delay)
        run.send_signal(signal.SIGKILL)
        done = run.wait() == 0 or done
        run.stdout.close()
        run.stderr.close()
    last = restore(bob2, path)
    assert last.exit in (0, 73), last
    bob2.run("daemon", "start")
    assert shown(bob2, "alice") == before
    assert not list(bob2.home.rglob("restore.*"))


def test_init_takes_a_backup(nodes, tmp_path):
    alice, new = nodes("alice").init(), nodes("new")
    assert backup(alice, tmp_path / "a.age").exit == 0
    me = alice.json("me")[0]["id"]
    alice.stop()
    done = new.run("init", "--restore", tmp_path / "a.age", "--passphrase-fd", "0", stdin=SECRET, timeout=60)
    assert done.exit == 0, done
    assert new.json("me")[0]["id"] == me
    assert new.run("init", "--restore", tmp_path / "a.age", "--passphrase-fd", "0", stdin=SECRET).exit == 73


def test_a_room_goes_on_with_a_restored_member(nodes, tmp_path):
    alice, bob = nodes("alice").init(), nodes("bob").init()
    alice.befriend(bob)
    alice.ok("room", "new", "garden", "--members", "bob")
    wait_for(lambda: bob.json("request", "list"), 30, step=0.2)
    bob.ok("room", "join", "garden")
    wait_for(lambda: bob.run("send", "+garden", "bob was here").exit == 0, 30, step=0.5)
    alice.ok("send", "+garden", "welcome")
    wait_for(lambda: "welcome" in bob.texts("+garden") and "bob was here" in alice.texts("+garden"), 30, step=0.2)
    assert backup(bob, tmp_path / "b.age").exit == 0
    before = shown(bob, "+garden")
    bob.stop()
    alice.ok("send", "+garden", "while he was away")
    bob2 = nodes("bob2")
    bob2.name = "bob"
    assert restore(bob2, tmp_path / "b.age").exit == 0
    assert shown(bob2, "+garden") == before
    wait_for(lambda: bob2.run("send", "+garden", "here again").exit == 0, 60, step=0.5)
    wait_for(lambda: "here again" in alice.texts("+garden"), 60, step=0.5)
    alice.ok("send", "+garden", "good")
    wait_for(lambda: "good" in bob2.texts("+garden"), 60, step=0.5)
    assert set(before) <= set(shown(bob2, "+garden"))


@pytest.mark.skipif(shutil.which("age") is None, reason="age is not installed")
def test_age_itself_opens_a_backup(nodes, tmp_path):
    alice = nodes("alice").init()
    assert backup(alice, tmp_path / "a.age").exit == 0
    pid, terminal = os.forkpty()
    if pid == 0:
        os.execvp("age", ["age", "-d", "-o", str(tmp_path / "plain"), str(tmp_path / "a.age")])
    os.read(terminal, 1000)  # it asks
    os.write(terminal, SECRET.encode())
    while True:
        try:
            if not os.read(terminal, 1000):
                break
        except OSError:
            break
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    os.close(terminal)
    assert (tmp_path / "plain").read_bytes().startswith(b"yaari backup\n")
