"""Two friends behind every pair of routers, and three public nodes that both know (a router's kind
shows only to several): what comes out is what theory says.  YAARI_NETNS_RUNS=20 plays each pairing
as often; YAARI_NETNS_JOBS: how many at a time."""

import concurrent.futures
import itertools
import os
import time

import pytest

import lab
from people import People, bootstrap
from yaari import wait_for

KINDS = (*lab.KINDS, "open")
PAIRINGS = list(itertools.product(KINDS, KINDS))
RUNS = int(os.environ.get("YAARI_NETNS_RUNS", "1"))
JOBS = int(os.environ.get("YAARI_NETNS_JOBS", "4"))
PATIENCE = 60


def theory(one, two):
    """direct; birthday: direct by many sockets and some luck; or none."""
    hard = [one, two].count("symmetric")
    if hard == 2:
        return "none"
    return "birthday" if hard == 1 and "port" in (one, two) else "direct"


def one_way(alice, bob):
    """Do both say that the link is direct, now or soon?"""
    try:
        return wait_for(lambda: alice.path(bob) == bob.path(alice) == "direct", 5)
    except AssertionError:
        return False


class Outcome:
    """What became of two people: seconds until they were friends, and until the link was direct."""

    def __init__(self, one, two):
        self.friends = self.direct = None
        with lab.Lab() as net:
            people = People()
            try:
                self.play(net, people, one, two)
            finally:
                people.close()

    def play(self, net, people, one, two):
        known = "".join(bootstrap(net, people, f"boot{i}").known for i in range(3))
        alice, bob = (people(name, net.behind(name, kind), known) for name, kind in (("alice", one), ("bob", two)))
        link = alice.ok("invite", "--no-wait", "--no-hints").out.strip()
        start = time.monotonic()
        added = bob.run("add", link, "--timeout", f"{PATIENCE}s", timeout=PATIENCE + 10)
        if added.exit == 0:
            self.friends = time.monotonic() - start
            patience = 10 if theory(one, two) == "none" else PATIENCE
            # somebody waits: only then many ports are tried
            sent = bob.run("send", "alice", "are you there?", "--wait", "delivered", "--timeout", f"{patience}s",
                           timeout=patience + 10)
            if sent.exit == 0 and one_way(alice, bob):
                self.direct = time.monotonic() - start
                alice.ok("send", "bob", "I am", "--wait", "delivered")
        self.log = "\n".join([f"{added}", *(f"{me.run(*args, other.name).out}"
                                            for me, other in ((alice, bob), (bob, alice))
                                            for args in (("net", "path"), ("why",))),
                              alice.run("net", "check").out, bob.run("net", "check").out])
        self.why = bob.run("why", "alice").out

    def __str__(self):
        def seconds(s):
            return "never" if s is None else f"{s:.1f} s"
        return f"friends {seconds(self.friends)}, direct {seconds(self.direct)}"


@pytest.fixture(scope="module")
def outcomes():
    """All pairings, several at a time: most of their time they wait."""
    lab.require()
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        futures = {(pair, run): pool.submit(Outcome, *pair) for run in range(RUNS) for pair in PAIRINGS}
        try:
            yield futures
        finally:
            for future in futures.values():
                future.cancel()


@pytest.mark.parametrize("run", range(RUNS))
@pytest.mark.parametrize("pair", PAIRINGS, ids="-".join)
def test_a_pairing_links_as_theory_says(outcomes, told, pair, run):
    outcome = outcomes[pair, run].result()
    told(f"{pair[0]:>10} x {pair[1]:<10} {outcome}")
    if theory(*pair) == "none":
        assert outcome.direct is None
        assert "punch a hole" in outcome.why, outcome.why
    else:
        assert outcome.friends is not None and outcome.direct is not None, outcome.log
