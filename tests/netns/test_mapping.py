"""Routers that map a port when they are asked: miniupnpd has a second opinion about our requests."""

import time

import pytest

from yaari import wait_for


def mapping(person):
    """What `net check` says of the mapping."""
    return next(c["text"] for c in person.json("net", "check", "--timeout", "0.2s", exits=(0, 1)) if c["name"] == "mapping")


@pytest.mark.parametrize("protocol", ("pcp", "upnp"))
def test_a_router_maps_our_port(net, people, told, protocol):
    router = net.router("router", "symmetric")
    router.serve_mappings(natpmp=protocol == "pcp", upnp=protocol == "upnp")
    bob = people("bob", net.host("bob", router), "port_mapping = yes\n")
    start = time.monotonic()
    wait_for(lambda: f"{router.ip_outside}:" in mapping(bob), 20)
    assert f"by {protocol}" in mapping(bob)
    told(f"a port mapped by {protocol} after {time.monotonic() - start:.1f} s")
    assert f"dnat ip to {bob.host.ip_address}:" in router.ruleset("mapped")
    bob.stop()
    wait_for(lambda: "dnat" not in router.ruleset("mapped"))


def test_nothing_is_mapped_unless_it_is_asked_for(net, people):
    router = net.router("router", "port")
    router.serve_mappings()
    bob = people("bob", net.host("bob", router))
    assert "off" in mapping(bob)
    assert "dnat" not in router.ruleset("mapped")
