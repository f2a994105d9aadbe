"""What somebody sees who watches the network.  Listening to it wants root."""

import pytest

import capture
from canary import strangers_to_be, talk


@pytest.fixture
def couple():
    with strangers_to_be() as both:
        yield both


def test_no_packet_holds_text_name_or_key_in_the_clear(couple, tmp_path):
    alice, bob = couple
    with capture.udp(tmp_path / "lo.pcap") as seen:
        canaries = talk(alice, bob)
    both = {int(node.json("status")[0]["listen"][0].rsplit(":", 1)[1]) for node in (alice, bob)}
    ours = [p for p in seen.packets if p.ports == both]
    assert len(ours) > 20, "the talk was not seen"
    canaries.add("our own name", "yaari/1/")
    assert canaries.seen_in(b"".join(p.frame for p in ours)) == []
