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
