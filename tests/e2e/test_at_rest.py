"""Nothing that people said, are called or hold as keys is in the clear in any file."""

import pytest

from canary import Canaries, strangers_to_be, talk


@pytest.fixture
def couple():
    with strangers_to_be() as both:
        yield both


def test_no_file_holds_text_name_or_key_in_the_clear(couple):
    alice, bob = couple
    canaries = talk(alice, bob)
    for node in (alice, bob):
        node.log_file.parent.mkdir(parents=True, exist_ok=True)
        assert list(node.home.rglob("data.mdb")), "looked in the wrong place"
    homes = (alice.home, bob.home)

    # while they run, killed, back again, and stopped
    assert [canaries.seen_under(h) for h in homes] == [[], []]
    alice.kill9()
    bob.kill9()
    assert [canaries.seen_under(h) for h in homes] == [[], []]
    for node in (alice, bob):
        node.start()
        node.ok("log")
        node.stop()
    assert [canaries.seen_under(h) for h in homes] == [[], []]


def test_the_search_finds_what_is_there(tmp_path):
    canaries = Canaries()
    canaries.add("text", "attack at dawn, bring cake")
    (tmp_path / "plain").write_bytes(b"\0\1attack at dawn, bring cake\2")
    (tmp_path / "hex").write_text("attack at dawn, bring cake".encode().hex())
    (tmp_path / "base64").write_bytes(b"xx YXR0YWNrIGF0IGRhd24sIGJyaW5nIGNha2U=")
    (tmp_path / "clean").write_text("nothing here")
    assert [p.rsplit("/", 1)[1] for p, _ in canaries.seen_under(tmp_path)] == ["base64", "hex", "plain"]
