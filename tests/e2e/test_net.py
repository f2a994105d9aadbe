"""Two who know nothing but one node of the DHT, and what the commands say about the network."""

import json
import os
import re
import signal
import socket

import pexpect
import pytest

from rpc import Daemon
from yaari import YAARI, check, wait_for

PEER = re.compile(r"^.+:[0-9]+/[0-9a-hjkmnp-tv-z]{52}$")


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def peer_of(node):
    """HOST:PORT/KEY as the node itself says it."""
    return node.json("net", "addrs")[0]["peer"]


@pytest.fixture
def boot(nodes):
    """A bootstrap node that nobody has logged into: (node, daemon, HOST:PORT/KEY)."""
    node = nodes("boot", listen=f"127.0.0.1:{free_port()}")
    with Daemon(node, "--dht", "server") as daemon:
        yield node, daemon, peer_of(node)


def knowing(nodes, name, *peers):
    """Somebody who knows these nodes of the DHT and nothing else."""
    return nodes(name, config="".join(f"bootstrap = {peer}\n" for peer in peers) + "lan = no\n").init()


def findings(node, exit=0):
    """What net check found, by name."""
    result = node.run("net", "check", "--json")
    assert result.exit == exit, result
    for record in result.records:
        check(record)
    return {record["name"]: record for record in result.records}


def in_dht(node):
    return node.json("status")[0]["dht"]["nodes"] > 0


# ---- the bootstrap node -------------------------------------------------------------------------


def test_a_bootstrap_node_needs_nobody_and_keeps_its_key(boot):
    node, daemon, peer = boot
    assert PEER.match(peer)
    [addr] = node.json("net", "addrs")
    assert addr["lasting"] is True and addr["addr"] == peer.split("/")[0]
    status = node.json("status")[0]
    assert status["state"] == "no_identity"
    assert status["dht"] == {"mode": "server", "serves": True, "nodes": 0, "peers": 0, "answered": 0}
    found = findings(node)
    assert found["reachable"]["result"] == "unknown"
    assert "server" in found["dht"]["text"]
    assert node.run("me").exit == 69
    daemon.stop()
    with Daemon(node, "--dht", "server"):
        assert peer_of(node) == peer


def test_a_bootstrap_node_may_become_somebodys(boot):
    node, _, peer = boot
    node.ok("init", "--name", "boot", "--no-input")
    assert node.json("status")[0]["state"] == "ok"
    assert peer_of(node) == peer


# ---- net check in each situation ----------------------------------------------------------------


def test_check_without_any_peer(nodes):
    node = nodes("alice").init()
    found = findings(node, exit=1)
    assert found["reachable"]["result"] == "fail"
    assert found["dht"]["result"] == "warn" and found["dht"]["fix"].startswith("yaari peer add")
    assert "records" not in found
    assert found["mapping"]["text"].startswith("off")
    words = node.run("net", "check")
    assert words.exit == 1 and words.lines[0].startswith("reachable\tfail\t")


def test_check_when_no_peer_answers(nodes):
    key = "0" * 51 + "g"
    node = knowing(nodes, "alice", f"127.0.0.1:{free_port()}/{key}", f"127.0.0.1:{free_port()}/{key}")
    found = findings(node, exit=1)
    assert found["dht"]["result"] == "fail"
    assert found["dht"]["text"] == "none of 2 known peers answers"
    assert [p["answered"] for p in node.json("peer", "list")] == [False, False]
    wait_for(lambda: node.json("status")[0]["uptime_s"] >= 3)
    said = node.ok("status")
    assert "0 of 2 known peers answered" in said.out
    assert said.err.startswith("warning: no known peer answers") and "hint: yaari net check" in said.err


def test_check_when_the_name_of_the_peer_means_nothing(nodes):
    node = knowing(nodes, "alice", f"nowhere.invalid:7722/{'0' * 52}")
    found = findings(node, exit=1)
    assert found["dht"]["text"] == "no known peer answers (1 known): no address is found for 1"
    assert node.run("peer", "add", "nobody.invalid:7722").exit == 68
    assert node.run("peer", "add", "127.0.0.1:7722/key").exit == 65


def test_check_with_a_single_server_says_what_it_sees(nodes, boot):
    node = knowing(nodes, "alice", boot[2])
    found = findings(node)
    assert found["reachable"]["result"] in ("ok", "unknown")
    assert found["dht"]["result"] == "ok" and "knows 1 node" in found["dht"]["text"]
    assert found["records"]["result"] == "warn"
    assert "which addresses look for each other" in found["records"]["text"]
    [peer] = node.json("peer", "list")
    assert peer["answered"] is True and 0 < peer["rtt_ms"] < 1000


def test_check_with_the_dht_off_and_offline(nodes, boot):
    node = knowing(nodes, "alice", boot[2])
    wait_for(lambda: in_dht(node))
    node.ok("config", "set", "net.dht", "off")
    found = findings(node, exit=1)
    assert found["dht"]["text"].startswith("off")
    assert node.json("status")[0]["dht"]["mode"] == "off"
    node.ok("config", "set", "net.dht", "client")
    wait_for(lambda: in_dht(node))
    node.stop()
    with Daemon(node, "--offline"):
        found = findings(node, exit=1)
        assert found["reachable"]["fix"] == "start yaarid without --offline"
        assert set(found) == {"reachable", "clock"}


def test_settings_of_the_network_count_at_once(nodes):
    node = nodes("alice").init()
    node.ok("config", "set", "net.relay", "off")
    assert findings(node, exit=1)["relay"]["text"] == "off: carries for nobody"
    node.ok("config", "unset", "net.relay")
    assert findings(node, exit=1)["relay"]["text"].startswith("carries for friends")
    node.config.write_text(node.config.read_text().replace("[net]\n", "[net]\ndht = client\n"))
    os.kill(node.pid, signal.SIGHUP)
    wait_for(lambda: node.json("status")[0]["dht"]["mode"] == "client")
    assert node.run("config", "set", "net.relay", "all").exit == 78
    assert node.run("config", "set", "net.dht", "yes").exit == 78


def test_invite_warns_when_nobody_can_find_this_node(nodes, boot):
    alone = nodes("alice").init()
    said = alone.ok("invite", "--no-wait").err
    assert said.startswith("warning: nobody outside this network can reach this node")
    assert "no known peer)" in said and "yaari peer add HOST:PORT/KEY" in said
    silent = knowing(nodes, "bob", f"127.0.0.1:{free_port()}/{'0' * 52}")
    assert "no known peer answers)" in silent.ok("invite", "--no-wait").err
    found = knowing(nodes, "carol", boot[2])
    assert "warning" not in found.ok("invite", "--no-wait").err  # waits until the peer has answered


def test_add_in_vain_says_what_may_be_missing(nodes):
    alice, bob = nodes("alice").init(), nodes("bob").init()
    link = alice.ok("invite", "--no-wait").out.strip()
    alice.stop()
    added = bob.run("add", link, "--timeout", "1s")
    assert added.exit == 75 and "hint: no peer of the DHT is known here" in added.err


# ---- peers --------------------------------------------------------------------------------------


def test_peer_add_starts_from_it_at_once_and_over_restarts(nodes, boot):
    node = nodes("alice", config="lan = no\n").init()
    assert findings(node, exit=1)["dht"]["result"] == "warn"
    [peer] = node.json("peer", "add", boot[2])
    assert peer["addr"] == boot[2] and peer["role"] == "bootstrap"
    wait_for(lambda: in_dht(node))
    node.stop()
    node.start()
    wait_for(lambda: in_dht(node))
    node.ok("peer", "remove", boot[2])
    assert node.json("peer", "list") == []


def test_peer_add_takes_the_addresses_of_a_link(nodes):
    alice, bob = nodes("alice").init(), nodes("bob").init()
    link = alice.ok("invite", "--no-wait").out.strip()
    [peer] = bob.json("peer", "add", link)
    assert peer["addr"] == alice.json("status")[0]["listen"][0]
    bare = alice.ok("invite", "--no-wait", "--no-hints").out.strip()
    assert bob.run("peer", "add", bare).exit == 65


# ---- finding each other -------------------------------------------------------------------------


@pytest.fixture
def friends(nodes, boot):
    """alice and bob, who know each other and one node of the DHT."""
    alice, bob = knowing(nodes, "alice", boot[2]), knowing(nodes, "bob", boot[2])
    for node in alice, bob:
        wait_for(lambda: in_dht(node))
    alice.befriend(bob)
    return alice, bob


def test_the_path_to_a_friend_is_told(friends):
    alice, bob = friends
    [friend] = alice.json("friend", "list")
    assert friend["path"] in ("direct", "lan") and "via" not in friend
    [ping] = alice.json("ping", "bob", "-c", "1")
    assert ping["path"] == friend["path"] and len(ping["ms"]) == 1
    [path] = alice.json("net", "path", "bob")
    assert path["state"] == "online" and path["addr"] == bob.json("status")[0]["listen"][0]
    assert path["candidates"]
    words = alice.ok("net", "path", "bob").out
    assert words.startswith("bob: online direct at ") and "\ntried\n" in words


def test_friends_find_each_other_again_without_the_bootstrap_node(friends, boot):
    alice, bob = friends
    boot[1].stop()
    bob.stop()
    bob.start()
    wait_for(lambda: bob.json("friend", "list", "--online"), 20)
    bob.ok("send", "alice", "back", "--wait", "delivered", "--timeout", "10s")


def test_friends_who_both_moved_meet_through_the_dht(friends):
    alice, bob = friends
    for node in alice, bob:
        node.stop()
        text = node.config.read_text()
        node.config.write_text(re.sub(r"listen = .*", f"listen = 127.0.0.1:{free_port()}", text))
    for node in alice, bob:
        node.start()
    wait_for(lambda: alice.json("friend", "list", "--online"), 20)
    alice.ok("send", "bob", "new here", "--wait", "delivered", "--timeout", "10s")


@pytest.fixture
def found(nodes, boot):
    """alice and bob, friends by an invite without any address."""
    alice, bob = knowing(nodes, "alice", boot[2]), knowing(nodes, "bob", boot[2])
    for node in alice, bob:
        wait_for(lambda: in_dht(node))
    made = alice.ok("invite", "--no-wait", "--no-hints")
    assert "warning" not in made.err, made  # the DHT makes it work
    added = bob.run("add", made.out.strip())
    assert added.exit == 0, (added, bob.run("request", "list", "--json"))
    for one, two in ((alice, "bob"), (bob, "alice")):
        wait_for(lambda: [f["name"] for f in one.json("friend", "list", "--online")] == [two])
    return alice, bob


def test_an_invite_without_addresses_is_accepted_and_they_talk(found):
    alice, bob = found
    alice.ok("send", "bob", "found you", "--wait", "delivered", "--timeout", "10s")
    bob.ok("send", "alice", "so did I", "--wait", "delivered", "--timeout", "10s")
    assert alice.texts("bob") == bob.texts("alice") == ["found you", "so did I"]


# ---- why, path and stats ------------------------------------------------------------------------


def hints(node, *args):
    return " ".join(node.json("why", *args)[0].get("hints", []))


def test_why_names_what_is_missing(friends, boot):
    alice, bob = friends
    assert "hints" not in alice.json("why", "bob")[0]
    bob.stop()
    wait_for(lambda: not alice.json("friend", "list", "--online"))
    [text] = alice.json("send", "bob", "are you there?")
    wait_for(lambda: alice.json("net", "path", "bob")[0]["tries"], 20)
    for subject in "bob", text["id"]:
        [why] = alice.json("why", subject)
        assert why["steps"] and all(re.match(r"^[a-z_]+$", step["code"]) for step in why["steps"])
    boot[1].stop()
    alice.stop()
    alice.start()
    assert "no known peer of the DHT answers" in hints(alice, "bob")
    assert "hint: " in alice.ok("why", "bob").out
    alice.ok("config", "unset", "net.bootstrap")
    assert "no peer is known to start from" in hints(alice, "bob")
    alice.ok("config", "set", "net.dht", "off")
    assert "yaari config set net.dht auto" in hints(alice, "bob")


def test_stats_add_up_and_begin_again(friends):
    alice, _ = friends
    rows = alice.json("stats")
    [bob] = [row for row in rows if row.get("name") == "bob"]
    total = {row["purpose"]: row for row in rows if "friend" not in row}
    assert set(total) == {"link", "path", "contact", "dht", "relayed"}
    assert 0 < bob["in"] <= total["link"]["in"] and 0 < bob["out"] <= total["link"]["out"]
    assert total["dht"]["out"] > 0 and total["contact"]["in"] > 0
    assert bob["relayed_for_me"] == bob["relayed_by_me"] == 0
    alice.ok("stats", "--reset")
    later = {row["purpose"]: row for row in alice.json("stats") if "friend" not in row}
    assert later["contact"]["in"] < total["contact"]["in"] and later["link"]["since"] > total["link"]["since"]
    assert alice.run("stats", "--since", "sometime").exit == 64
    lines = alice.ok("stats").lines
    assert lines[0].split("\t")[1] == "bob" and len({len(line.split("\t")) for line in lines}) == 1


def test_tables_for_people(boot, friends):
    def shown(node, *args):
        child = pexpect.spawn(YAARI, ["--color", "never", *args], env=node.env, encoding="utf-8",
                              dimensions=(24, 200), timeout=20)
        child.expect(pexpect.EOF)
        child.close()
        return [line.rstrip() for line in child.before.splitlines()], child.exitstatus

    alice, _ = friends
    check, code = shown(alice, "net", "check")
    assert code == 0 and check[0].startswith("reachable   ok      by friends")
    assert any(line.startswith("records     warn    ") for line in check)
    assert any(line.startswith("                    hint: yaari peer add") for line in check)
    addrs, _ = shown(boot[0], "net", "addrs")
    assert addrs == [f"{boot[2]}  of an interface"]
    stats, _ = shown(alice, "stats")
    assert stats[0].split()[:3] == ["WHO", "IN", "OUT"] and stats[1].startswith("bob ")
    assert [line.split()[1] for line in stats[2:]] == ["link", "path", "contact", "dht", "relayed"]
    peers, _ = shown(alice, "peer", "list")
    assert re.match(rf"{re.escape(boot[2])}  bootstrap  [0-9.]+ ms +-$", peers[1]), peers
    assert re.match(r"127\.0\.0\.1:[0-9]+ +friend +[0-9.]+ ms +bob$", peers[2]), peers
    status, _ = shown(alice, "status")
    assert status[2] == "dht         client, knows 1 node, 1 of 1 known peer answered"


def test_path_and_ping_want_a_friend(pair):
    alice, _ = pair
    assert alice.run("net", "path", "eve").exit == 67
    assert alice.run("friend", "set", "bob", "relay", "maybe").exit == 64
    assert alice.run("friend", "set", "bob", "mood", "no").exit == 64
    assert alice.run("friend", "set", "eve", "relay", "no").exit == 67


def test_records_as_text_for_people(pair):
    alice, _ = pair
    report = alice.ok("friend", "show", "bob").out
    assert "relay        default" in report
    assert json.loads(alice.ok("rpc", "net.check").out)["checks"]


# ---- through a common friend ---------------------------------------------------------------------


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::1", 0))
            return True
    except OSError:
        return False


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 on loopback: nothing parts two nodes here")
def test_two_without_a_common_network_go_through_a_common_friend(nodes):
    alice, bob = nodes("alice").init(), nodes("bob").init()
    carol = nodes("carol", listen="127.0.0.1:0, [::1]:0").init()
    for one, two in ((alice, bob), (carol, alice), (carol, bob)):
        one.befriend(two)
    bob.stop()
    bob.config.write_text(bob.config.read_text().replace("127.0.0.1:0", "[::1]:0"))  # no way to alice
    bob.start()

    def path_of(node, name):
        return [f.get("path") for f in node.json("friend", "list") if f["name"] == name][0]

    wait_for(lambda: path_of(alice, "bob") == path_of(bob, "alice") == "relay", 30)
    assert ["bob", "relay", "carol"] in [[f["name"], f["path"], f.get("via")] for f in alice.json("friend", "list")]
    alice.ok("send", "bob", "through carol", "--wait", "delivered", "--timeout", "10s")
    bob.ok("send", "alice", "I hear you", "--wait", "delivered", "--timeout", "10s")
    assert alice.texts("bob") == ["through carol", "I hear you"] and carol.texts("bob") == []

    assert "relay(carol)" in alice.ok("net", "path", "bob").out
    [ping] = alice.json("ping", "bob", "-c", "1")
    assert (ping["path"], ping["via"], ping["lost"]) == ("relay", "carol", 0)
    assert alice.ok("ping", "bob", "-c", "1").out.startswith("bob: relay(carol) ")
    roles = {peer.get("name"): (peer["role"], peer["addr"]) for peer in alice.json("peer", "list")}
    assert roles["bob"] == ("friend", "relay(carol)") and roles["carol"][0] == "relay"
    assert "relayed" in [step["code"] for step in alice.json("why", "bob")[0]["steps"]]
    assert "1 circuit now" in findings(carol)["relay"]["text"]
    carried = {row["name"]: row for row in carol.json("stats") if "friend" in row}
    assert carried["alice"]["relayed_by_me"] > 0 and carried["bob"]["relayed_by_me"] > 0
    assert [row for row in alice.json("stats") if row.get("name") == "carol"][0]["relayed_for_me"] > 0

    carol.ok("friend", "set", "bob", "relay", "no")
    assert carol.json("friend", "show", "bob")[0]["relay"] == "no"
    wait_for(lambda: "0 circuits now" in findings(carol)["relay"]["text"])
