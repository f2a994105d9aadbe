import pytest

import yaari


@pytest.fixture
def nodes():
    """nodes("alice") makes a user; all are gone after the test."""
    made = []
    home = yaari.new_home()

    def make(name, **kwargs):
        node = yaari.Node(home / name, name, **kwargs)
        made.append(node)
        return node

    yield make
    for node in made:
        node.close()
    yaari.remove(home)


@pytest.fixture(scope="module")
def pair():
    """alice and bob, friends and online, for the tests of one file."""
    home = yaari.new_home()
    alice, bob = yaari.Node(home / "a", "alice"), yaari.Node(home / "b", "bob")
    try:
        alice.init()
        bob.init()
        alice.befriend(bob)
        yield alice, bob
    finally:
        alice.close()
        bob.close()
        yaari.remove(home)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item):
    """Where the system has no terminals to give (a bare chroot), their tests are skipped."""
    outcome = yield
    if outcome.excinfo is not None and "out of pty devices" in str(outcome.excinfo[1]):
        pytest.skip("no terminals here: is /dev/pts mounted?")
