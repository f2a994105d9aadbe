"""A full disk: what was accepted stays, what is refused is said, and it goes on when there is room.
Mounting a small file system wants root."""

import os
import subprocess

import pytest

import yaari
from yaari import wait_for


@pytest.fixture
def small(tmp_path):
    """A file system of 4 MiB."""
    place = yaari.new_home()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m,mode=700", "yaari-test", place],
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    if done.returncode != 0:
        yaari.remove(place)
        pytest.skip("cannot mount: " + done.stderr.decode().strip())
    yield place
    subprocess.run(["umount", "-l", place], check=True)
    yaari.remove(place)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting wants root")
def test_a_full_disk_loses_nothing_that_was_accepted(small, nodes):
    bob = nodes("bob").init()
    alice = yaari.Node(small / "a", "alice")
    try:
        alice.init()
        alice.befriend(bob)
        alice.ok("send", "bob", "before", "--wait", "delivered")
        with open(small / "ballast", "wb", buffering=0) as ballast, pytest.raises(OSError):
            while True:
                ballast.write(b"x" * 4096)
        accepted, refused = [], None
        for i in range(400):  # rows already mapped may take some
            text = f"{i:04} " + "y" * 4000
            result = alice.run("send", "bob", text)
            if result.exit != 0:
                refused = result
                break
            accepted.append(text)
        assert refused is not None, "the disk never filled"
        assert refused.exit == 74, refused
        assert refused.err.startswith("yaari: ") and refused.out == ""
        alice.ok("status")  # it still answers
        (small / "ballast").unlink()
        wait_for(lambda: alice.run("send", "bob", "after").exit == 0, 30, step=0.2)
        want = ["before", *accepted, "after"]
        wait_for(lambda: bob.texts("alice", "-n", "0") == want, 30, step=0.2)
        assert alice.texts("bob", "-n", "0") == want
        alice.kill9()
        alice.start()
        assert alice.texts("bob", "-n", "0") == want
    finally:
        alice.close()
