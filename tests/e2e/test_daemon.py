"""yaarid as a service: start, ready, signals, locks, passphrase, log."""

import os
import re
import signal
import socket
import subprocess
import time

import pytest

import yaari
from rpc import Connection, Daemon, refused, secret
from yaari import wait_for

LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (error|warn|info|debug|trace) [a-z]+: .+")


def test_ready_is_told_in_three_ways(nodes):
    alice = nodes("alice")
    path = alice.home / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        manager.settimeout(10)
        env = {"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "400000"}
        with Daemon(alice, env=env) as daemon:
            told = [manager.recv(999) for _ in range(4)]
            assert any(t.startswith(b"READY=1") for t in told), told
            assert told.count(b"WATCHDOG=1") >= 2, told
            assert re.search(rf"info main: ready socket={alice.socket} port=\d+", daemon.text)
            daemon.tell(signal.SIGHUP)
            wait_for(lambda: manager.recv(999).startswith(b"RELOADING=1\nMONOTONIC_USEC="))
            wait_for(lambda: manager.recv(999) == b"READY=1")
            daemon.tell(signal.SIGTERM)
            wait_for(lambda: manager.recv(999) == b"STOPPING=1")
            assert daemon.end() == 0


def test_without_identity_it_answers_and_stays_off_the_network(nodes):
    with Daemon(nodes("alice")) as daemon, Connection(daemon.node) as rpc:
        status = rpc.call("net.status")
        assert status["state"] == "no_identity"
        assert status["reachable"] == "none"
        assert rpc.error("message.list")["data"]["name"] == "no_identity"
        assert rpc.call("identity.create", name="alice")["name"] == "alice"
        assert rpc.call("net.status")["state"] == "ok"
        assert rpc.error("identity.create", name="x")["data"]["exit"] == 73


def test_places_are_private(nodes):
    alice = nodes("alice")
    with Daemon(alice):
        for path, mode in (("run/yaari", 0o700), ("run/yaari/default.sock", 0o600),
                           ("run/yaari/default.pid", 0o600), ("data/yaari/default", 0o700)):
            assert (alice.home / path).stat().st_mode & 0o777 == mode, path


@pytest.mark.parametrize("folder", ["run/yaari", "data/yaari/default"])
def test_a_folder_open_to_others_is_refused(nodes, folder):
    alice = nodes("alice")
    with Daemon(alice):
        pass
    (alice.home / folder).chmod(0o755)
    code, err = refused(alice)
    assert code == 77
    assert folder in err and "chmod 700" in err
    (alice.home / folder).chmod(0o700)
    with Daemon(alice):
        pass


def test_one_daemon_a_profile(nodes):
    alice = nodes("alice")
    with Daemon(alice) as first:
        code, err = refused(alice)
        assert code == 73
        assert f"another yaarid (pid {first.process.pid}) uses profile 'default'" in err
        with Connection(alice) as rpc:  # the first one is as well as before
            assert rpc.call("net.status")["pid"] == first.process.pid
        (alice.config.parent / "work.conf").write_text("[net]\nlisten = 127.0.0.1\n")
        with Daemon(alice, "-P", "work"):
            pass


def test_a_socket_left_behind_is_replaced(nodes):
    alice = nodes("alice")
    daemon = Daemon(alice)
    daemon.stop(signal.SIGKILL)
    assert alice.socket.exists()
    with Daemon(alice), Connection(alice) as rpc:
        rpc.call("net.status")
    assert not alice.socket.exists()


def test_stops_in_good_order_and_tells_its_clients(nodes):
    alice = nodes("alice")
    daemon = Daemon(alice)
    with Connection(alice) as rpc:
        assert rpc.call("daemon.stop") == {}
        with pytest.raises(EOFError):
            rpc.line()
    assert daemon.end() == 0
    assert Daemon(alice).stop(signal.SIGINT) == 0


def test_stops_at_once_at_the_second_signal(nodes):
    daemon = Daemon(nodes("alice"))
    daemon.tell(signal.SIGTERM)
    daemon.tell(signal.SIGTERM)
    start = time.monotonic()
    assert daemon.end() == 0
    assert time.monotonic() - start < 2


def test_stops_within_five_seconds_under_load_and_loses_nothing(nodes):
    alice, bob = nodes("alice"), nodes("bob")
    alice_daemon, bob_daemon = Daemon(alice), Daemon(bob)
    with bob_daemon:
        with Connection(alice) as rpc, Connection(bob) as other:
            rpc.call("identity.create", name="alice")
            other.call("identity.create", name="bob")
            other.call("friend.add", link=rpc.call("invite.create")["link"])
            wait_for(lambda: rpc.call("friend.list")["friends"])
            for i in range(900):
                rpc.send("message.send", target="bob", text=f"{i:04}")
            alice_daemon.tell(signal.SIGTERM)
            start = time.monotonic()
            accepted = []
            try:
                while True:
                    got = rpc.receive()
                    if "result" in got:
                        accepted.append(got["result"]["text"])
                    else:
                        assert got["error"]["data"]["exit"] == 75, got
            except EOFError:
                pass
            assert alice_daemon.end() == 0
            assert time.monotonic() - start < 5
        with Daemon(alice), Connection(alice) as rpc:
            kept = []
            page = rpc.call("message.list", target="bob", first=True)
            kept += [m["text"] for m in page["messages"]]
            while page["more"]:
                page = rpc.call("message.list", target="bob", first=True, after=page["resume"])
                kept += [m["text"] for m in page["messages"]]
            assert kept[:len(accepted)] == accepted
            assert len(kept) == len(set(kept))


def test_hup_with_a_mistake_keeps_the_old_configuration(nodes):
    alice = nodes("alice")
    good = alice.config.read_text()
    with Daemon(alice) as daemon, Connection(alice) as rpc:
        alice.config.write_text(good + "[log]\nlevle = debug\n[privacy]\nread_receipts = maybe\n")
        daemon.tell(signal.SIGHUP)
        wait_for(lambda: "the old configuration stays in force" in daemon.text)
        assert "unknown key 'levle' in [log] (did you mean 'level'?)" in daemon.text
        assert "bad value 'maybe'" in daemon.text
        assert rpc.call("config.get", key="log.level")["value"] == "info"
        assert rpc.error("daemon.reload")["data"]["exit"] == 78
        alice.config.write_text(good + "[log]\nlevel = debug\n")
        daemon.tell(signal.SIGHUP)
        wait_for(lambda: "configuration read again" in daemon.text)
        assert rpc.call("config.get", key="log.level")["value"] == "debug"
        assert re.search(r"default\.conf:\d+$", rpc.call("config.get", key="log.level")["origin"])


def test_a_configuration_with_mistakes_does_not_start(nodes):
    alice = nodes("alice")
    alice.config.write_text("[net]\nlisetn = x\nlan = perhaps\n")
    code, err = refused(alice)
    assert code == 78
    assert err.splitlines() == [
        "default.conf:2:1: unknown key 'lisetn' in [net] (did you mean 'listen'?)",
        "default.conf:3:7: bad value 'perhaps' for 'net.lan': yes or no"]
    assert refused(alice, "--check-config")[0] == 78
    assert refused(alice, "--config", "/nonexistent")[0] == 78
    assert refused(alice, "--listen", "nonsense")[0] == 78
    defaults = subprocess.run([yaari.YAARID, "--print-defaults"], env=alice.env, capture_output=True)
    alice.config.write_bytes(defaults.stdout)
    done = subprocess.run([yaari.YAARID, "--check-config"], env=alice.env, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("option", ["--irc", "--web", "--daemonize", "--scrub"])
def test_what_is_not_built_is_unknown(nodes, option):
    code, err = refused(nodes("alice"), option)
    assert code == 64
    assert f"unknown option '{option}'" in err


def test_a_taken_port_is_unavailable(nodes):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        code, err = refused(nodes("alice"), "--listen", "127.0.0.1:%d" % other.getsockname()[1])
    assert code == 69
    assert "Address already in use" in err


def test_a_path_too_long_for_a_socket_is_said(nodes):
    alice = nodes("alice")
    assert refused(alice, "--home", str(alice.home / ("x" * 100)))[0] == 78


def test_the_passphrase_opens_the_vault(nodes):
    alice = nodes("alice")
    fd = secret("open sesame\n")
    with Daemon(alice, "--passphrase-fd", str(fd), pass_fds=(fd,)), Connection(alice) as rpc:
        rpc.call("identity.create", name="alice")
    os.close(fd)
    with Daemon(alice), Connection(alice) as rpc:
        assert rpc.call("net.status")["state"] == "locked"
        assert rpc.error("friend.list")["data"] == {
            "name": "locked", "exit": 69, "hint": "yaari key unlock"}
        assert rpc.error("vault.unlock", passphrase="open barley")["data"]["exit"] == 77
        assert rpc.call("vault.unlock", passphrase="open sesame")["state"] == "ok"
        assert rpc.call("vault.lock")["state"] == "locked"
    fd = secret("open barley")
    code, err = refused(alice, "--passphrase-fd", str(fd), pass_fds=(fd,))
    os.close(fd)
    assert code == 77
    assert "wrong passphrase" in err
    credentials = alice.home / "credentials"
    credentials.mkdir()
    (credentials / "yaari.passphrase").write_text("open sesame\n")
    with Daemon(alice, env={"CREDENTIALS_DIRECTORY": str(credentials)}), Connection(alice) as rpc:
        assert rpc.call("net.status")["state"] == "ok"


def test_the_journal_gets_priorities_and_no_times(nodes):
    alice = nodes("alice")
    with open(alice.home / "journal", "wb") as journal:
        stream = os.fstat(journal.fileno())
        env = {**alice.env, "JOURNAL_STREAM": f"{stream.st_dev}:{stream.st_ino}"}
        process = subprocess.Popen([yaari.YAARID], env=env, stderr=journal)
        try:
            wait_for(lambda: b"ready" in (alice.home / "journal").read_bytes())
        finally:
            process.terminate()
            process.wait()
    lines = (alice.home / "journal").read_text().splitlines()
    assert all(re.fullmatch(r"<[3-7]>[a-z]+: .+", line) for line in lines), lines


def test_the_log_file_opens_again_and_levels_have_rooms(nodes):
    alice = nodes("alice")
    log, moved = alice.home / "log", alice.home / "log.1"
    with Daemon(alice, "--log-file", str(log), "--log", "warn,main=debug", "--scrub-log") as daemon:
        assert log.stat().st_mode & 0o777 == 0o600
        log.rename(moved)
        daemon.tell(signal.SIGHUP)
        wait_for(lambda: log.exists() and "configuration read again" in log.read_text())
        daemon.tell(signal.SIGUSR1)
        wait_for(lambda: "stats rpc.clients=" in log.read_text() or "stats rx=" in log.read_text())
    lines = moved.read_text().splitlines() + log.read_text().splitlines()
    assert all(LINE.fullmatch(line) for line in lines), lines
    assert not any(" net: " in line or "127.0.0.1" in line for line in lines), lines


def test_the_log_tells_nobody_anything_at_any_level(nodes):
    alice, bob = nodes("alice"), nodes("bob")
    secrets = ["canary-name-a", "canary-name-b", "canary-text", "canary-status"]
    with Daemon(alice, "-vv") as a, Daemon(bob, "-vv") as b:
        with Connection(alice) as rpc, Connection(bob) as other:
            one = rpc.call("identity.create", name="canary-name-a")
            two = other.call("identity.create", name="canary-name-b")
            link = rpc.call("invite.create")["link"]
            other.call("friend.add", link=link)
            wait_for(lambda: rpc.call("friend.list")["friends"])
            rpc.call("identity.set", status="canary-status")
            sent = rpc.call("message.send", target=two["id"], text="canary-text", wait="delivered")
            rpc.error("friend.add", link=link + "x")
            rpc.error("vault.unlock", passphrase=5)
        text = a.text + b.text
    secrets += [one["id"], two["id"], sent["id"], link, link[8:40]]
    assert not any(word in text for word in secrets), text
    assert not re.search(r"[0-9a-hjkmnp-tv-z]{21}", text), text


def resolves(name):
    try:
        return bool(socket.getaddrinfo(name, 9, type=socket.SOCK_DGRAM))
    except OSError:
        return False


@pytest.mark.skipif(not resolves("localhost"), reason="localhost has no address here: is there an /etc/hosts?")
def test_a_name_is_looked_up_only_if_one_was_given(nodes):
    with Daemon(nodes("alice"), "--bootstrap", "localhost:9", "--bootstrap", "127.0.0.1:9") as daemon:
        with Connection(daemon.node) as rpc:
            rpc.call("identity.create", name="alice")
            wait_for(lambda: len(rpc.call("peer.list")["peers"]) == 2)
            peers = {p["addr"]: p["ip"] for p in rpc.call("peer.list")["peers"]}
            assert peers["127.0.0.1:9"] == "127.0.0.1:9"
            assert peers["localhost:9"] in ("127.0.0.1:9", "[::1]:9")
            assert rpc.call("peer.add", addr="127.0.0.1:10")["role"] == "bootstrap"
            assert rpc.error("peer.add", addr="nonsense")["data"]["exit"] == 65
            assert rpc.error("peer.remove", addr="127.0.0.1:11")["data"]["exit"] == 66
    with Daemon(daemon.node), Connection(daemon.node) as rpc:  # only what was added is kept
        assert [p["addr"] for p in rpc.call("peer.list")["peers"]] == ["127.0.0.1:10"]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to be somebody else")
def test_set_user_id_is_refused(nodes):
    alice = nodes("alice")
    copy = alice.home / "yaarid"
    copy.write_bytes(open(yaari.YAARID, "rb").read())
    copy.chmod(0o4755)
    alice.home.parent.chmod(0o755)
    alice.home.chmod(0o755)
    done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", str(copy)],
                          env={"HOME": "/nonexistent", "YAARI_HOME": "/nonexistent"},
                          capture_output=True, text=True)
    assert done.returncode == 77, done
    assert "set-user-ID" in done.stderr
