"""The authority rules of rooms (B.9.4), written for reading and not for speed: a set of signed
operations makes members, ranks and settings.

usage: room_authority_model.py FILE      states of the graphs in FILE, one JSON object a line
       room_authority_model.py --fuzz N  N random graphs: the properties below hold

A graph: {"invite_min": n, "ops": [[id, author, kind, target, value, [parent, ...]], ...]}, ids and
people as strings, each operation after its parents, the first a "create".  A state, one line:
    V=0110.. E=0110.. M=person:rank,.. S=key:index,..
V and E have a digit for each operation in the order given: valid, effective.

Properties: the state does not depend on the order of arrival; operations forged by a removed member,
whatever they cite, change nothing; those forged by a demoted one gain nothing above the lower rank;
nobody but the founder ends the founder's membership; whoever may act by the state that all operations
make does so, those who were added or promoted again among them.  What a gang forges, and the puppets
it adds in the past, and theirs, does not change anything when its members are all removed; else it
takes no effect from operations, and no rank from members, of its highest rank or more.
"""
import hashlib
import json
import random
import sys

FOUNDER = 100


class Op:
    __slots__ = ("id", "a", "deps", "t", "tgt", "val", "anc", "depth")


def make(ops, ident, a, deps, t, tgt, val):
    o = Op()
    o.id, o.a, o.t, o.tgt, o.val, o.deps = ident, a, t, tgt, val, frozenset(deps)
    anc = set()
    for d in deps:
        anc |= {d} | ops[d].anc
    o.anc = frozenset(anc)
    o.depth = 1 + max([ops[d].depth for d in deps], default=0)
    return o


class Room:
    def __init__(self, invite_min):
        self.invite_min = invite_min
        self.ops, self.valid, self.view, self.view_eff, self.cache = {}, {}, {}, {}, {}

    def allowed(self, o, st):
        ra, rt = st.get(o.a, 0), st.get(o.tgt, 0)
        if ra == 0 or o.t == "create" or (o.t == "add" and rt > 0):
            return False
        if o.t in ("remove", "role") and (o.tgt == o.a or rt == 0):
            return False
        return self.allowed_again(o, ra, rt)

    def allowed_again(self, o, ra, rt):
        """May its author still do it?  Whether the target is there does not count."""
        if o.t == "add":
            return ra >= self.invite_min and (ra > o.val or (o.val <= 10 and ra >= o.val))
        if o.t == "remove":
            return ra >= 50 and ra > rt
        if o.t == "role":
            return ra >= 75 and ra > rt and ra > o.val
        if o.t == "set":
            return ra >= 50
        return o.t in ("create", "leave")

    def overrules(self, g, r, rank, level):
        """Does g, by a higher rank and with neither knowing the other, take r its effect?"""
        return (g.t in ("add", "role") and g.tgt == r.tgt and rank > level
                and (r.t == "role" or g.val >= level)
                and g.id not in r.anc and r.id not in g.anc)

    def revokes(self, o):
        return o.t == "remove" or (o.t == "role" and o.val < self.view[o.id].get(o.tgt, 0))

    def resolve(self, ids):
        """(members, settings, effective, ranks) of a set that has all ancestors of what it has."""
        ids = frozenset(ids)
        if ids in self.cache:
            return self.cache[ids]
        valid = sorted((self.ops[i] for i in ids if self.valid[i]), key=lambda o: (o.depth, o.id))
        # What authors have left for each operation by the revocations of higher ranks.
        most = {o.id: self.view[o.id].get(o.a, 0) for o in valid}
        rulings = [o for o in valid if o.t in ("remove", "role")]
        void, settled = set(), set()
        eff, rank = self.judge_again(valid, void, most)
        level = FOUNDER + 1
        while todo := [r for r in rulings if r.id in eff and r.id not in settled]:
            level = min(level - 1, max(rank[r.id] for r in todo))
            due = [r for r in todo if rank[r.id] >= level]
            cut = False
            for r in due:
                settled.add(r.id)
                if any(self.overrules(g, r, rank[g.id], level) for g in valid if g.id in eff):
                    void.add(r.id)
                    cut = True
                    continue
                if not self.revokes(r):
                    continue
                left = r.val if r.t == "role" else 0
                for x in valid:
                    if (x.a != r.tgt or x.t in ("leave", "create") or rank[x.id] >= level
                            or x.id in r.anc or r.id in self.view_eff[x.id]):
                        continue
                    most[x.id] = min(most[x.id], left)
                    if not self.allowed_again(x, most[x.id], self.view[x.id].get(x.tgt, 0)):
                        void.add(x.id)
                    cut = True
            if cut:
                eff, rank = self.judge_again(valid, void, most)
        st, sets = self.materialize(eff)
        self.cache[ids] = st, sets, frozenset(eff), rank
        return self.cache[ids]

    def judge_again(self, valid, void, most):
        """What is effective when these are void, and the rank that each author still has for it."""
        eff, rank = set(), {}
        for o in valid:
            rank[o.id] = most[o.id]
            if o.id in void:
                continue
            if self.view_eff[o.id] <= eff and most[o.id] == self.view[o.id].get(o.a, 0):
                eff.add(o.id)
                continue
            st = self.materialize(self.view_eff[o.id] & eff)[0]
            rank[o.id] = min(most[o.id], st.get(o.a, 0))
            if self.allowed_again(o, rank[o.id], st.get(o.tgt, 0)):
                eff.add(o.id)
        return eff, rank

    def materialize(self, eff):
        st, sets, on = {}, {}, {}
        for o in sorted((self.ops[i] for i in eff), key=lambda o: (o.depth, o.id)):
            if o.t == "create":
                founder = o.a
            elif o.t == "set":
                sets[o.val] = o.id
            else:
                on.setdefault(o.tgt, []).append(o)
        if eff and not any(o.t in ("remove", "leave") for o in on.get(founder, [])):
            st[founder] = FOUNDER
        for t, ops in on.items():
            if t == founder:
                continue
            ends = [o for o in ops if o.t in ("remove", "leave")]
            live = [o for o in ops if o.t in ("add", "role") and all(r.id in o.anc for r in ends)]
            if any(o.t == "add" for o in live):
                st[t] = max(o.val for o in live if not any(o.id in x.anc for x in live))
        return st, sets

    def add(self, o):
        if o.id in self.ops:
            return
        self.ops[o.id] = o
        if o.t == "create":
            self.view[o.id], self.view_eff[o.id], self.valid[o.id] = {}, frozenset(), True
            return
        st, _, eff, _ = self.resolve(o.anc)
        self.view[o.id], self.view_eff[o.id] = st, eff
        self.valid[o.id] = self.allowed(o, st)

    def add_valid(self, o):
        """Add it unless it is invalid."""
        self.add(o)
        if not self.valid[o.id]:
            del self.ops[o.id], self.valid[o.id], self.view[o.id], self.view_eff[o.id]
            return False
        return True

    def copy(self):
        other = Room(self.invite_min)
        other.ops, other.valid, other.view = dict(self.ops), dict(self.valid), dict(self.view)
        other.view_eff, other.cache = dict(self.view_eff), self.cache
        return other

    def state(self):
        return self.resolve(self.ops.keys())

    def heads(self, ids):
        heads = set(ids)
        for i in ids:
            heads -= self.ops[i].anc
        return heads


# ---- states of given graphs ----


def answer(graph):
    room, order = Room(graph["invite_min"]), []
    for ident, a, t, tgt, val, deps in graph["ops"]:
        room.add(make(room.ops, ident, a, deps, t, tgt, val))
        order.append(ident)
    st, sets, eff, _ = room.state()
    digits = lambda test: "".join("01"[test(i)] for i in order)
    return "V=%s E=%s M=%s S=%s" % (
        digits(lambda i: room.valid[i]), digits(lambda i: i in eff),
        ",".join("%s:%d" % m for m in sorted(st.items())),
        ",".join("%d:%d" % (k, order.index(i)) for k, i in sorted(sets.items())))


# ---- the model against its own properties ----


def new(room, rng, a, deps, t, tgt=None, val=None):
    salt = repr((a, sorted(deps), t, tgt, val, rng.random()))
    ident = hashlib.blake2b(salt.encode(), digest_size=8).hexdigest()
    return make(room.ops, ident, a, deps, t, tgt, val)


def random_op(room, rng, a, known, people):
    t = rng.choice(["add", "remove", "role", "set", "leave", "remove", "add"])
    tgt, val = rng.choice(people), rng.choice([10, 50, 60, 74, 75, 79, 80, 89])
    if t == "leave":
        tgt = a
    if t == "set":
        tgt, val = None, rng.randrange(3)
    return new(room, rng, a, room.heads(known), t, tgt, val)


def closure(room, ids):
    out = set()
    for i in ids:
        out |= {i} | room.ops[i].anc
    return out


STAFF = [(("A", 75), ("B", 75), ("C", 50), ("D", 10)),
         (("A", 90), ("B", 80), ("C", 60), ("D", 50)),
         (("A", 90), ("B", 90), ("C", 80), ("D", 75), ("E", 10))]


def random_room(rng, n=24, varied=False):
    room, people = Room(rng.choice([10, 50])), list("FABCDEG")
    create = new(room, rng, "F", [], "create")
    room.add(create)
    for who, rank in rng.choice(STAFF):
        room.add(new(room, rng, "F", room.heads(room.ops), "add", who, rank))
    know = {p: set(room.ops) for p in people}
    for _ in range(n):
        a = rng.choice(people)
        base = know[a]
        if rng.random() < .25:  # backdated
            base = closure(room, rng.sample(sorted(room.ops), rng.randrange(1, len(room.ops) + 1)))
            base = base | {create.id}
        o = random_op(room, rng, a, base, people)
        for _ in range(6 if varied else 0):  # rather one that is valid
            if room.add_valid(o):
                break
            o = random_op(room, rng, a, base, people)
        room.add(o)
        know[a] |= {o.id} | o.anc
        if rng.random() < .6:
            x, y = rng.sample(people, 2)
            know[x] = know[x] | know[y]
            know[y] = set(know[x])
    return room, people, create


def with_forged(room, rng, forger, people, create, without):
    """The room with one more operation by `forger` that does not cite `without`."""
    ids = sorted(room.ops)
    base = closure(room, rng.sample(ids, rng.randrange(1, len(ids)))) | {create.id}
    if without in base:
        return None, None
    other = Room(room.invite_min)
    for o in sorted(room.ops.values(), key=lambda o: o.depth):
        other.add(o)
    forged = random_op(other, rng, forger, base, people)
    other.add(forged)
    return other, forged


def fuzz(count):
    bad = {"order": 0, "founder": 0, "backdate": 0, "demote": 0, "able": 0}
    for seed in range(count):
        rng = random.Random(seed)
        room, people, create = random_room(rng)
        st, sets, eff, _ = room.state()
        for _ in range(2):
            other, rest = Room(room.invite_min), set(room.ops)
            while rest:
                i = rng.choice(sorted(i for i in rest if room.ops[i].anc <= other.ops.keys()))
                other.add(room.ops[i])
                rest.discard(i)
            bad["order"] += other.state() != room.state()
        left = any(room.ops[i].t == "leave" and room.ops[i].a == "F" for i in eff)
        bad["founder"] += (st.get("F") == FOUNDER) == left
        for who in people:
            other = Room(room.invite_min)
            for o in sorted(room.ops.values(), key=lambda o: o.depth):
                other.add(o)
            late = random_op(other, rng, who, other.ops, people)
            other.add(late)
            bad["able"] += other.valid[late.id] != (late.id in other.state()[2])
        for r in sorted(eff):
            o = room.ops[r]
            removed = o.t == "remove" and o.tgt not in st
            demoted = (o.t == "role" and st.get(o.tgt) == o.val
                       and o.val < room.view[r].get(o.tgt, 0))
            for _ in range(4 if removed or demoted else 0):
                other, forged = with_forged(room, rng, o.tgt, people, create, r)
                if other is None or other.state()[:2] == (st, sets):
                    continue
                view = dict(other.view[forged.id])
                view[o.tgt] = o.val
                if removed:
                    bad["backdate"] += 1
                elif demoted and not other.allowed(forged, view):
                    bad["demote"] += 1
    print(count, bad)
    return any(bad.values())


def attack(rng, room, gang, people, create):
    """The room with up to eight operations forged by these and those they bring."""
    other, gang, news, forged = room.copy(), list(gang), ["P", "Q", "R"], []
    for _ in range(20 * rng.randrange(2, 9)):
        pick = rng.sample(sorted(other.ops), rng.choice([1, 1, 1, 2, 3]))
        if forged and rng.random() < .7:  # a chain of them
            pick = [rng.choice(forged)] + (pick if rng.random() < .3 else [])
        base = closure(other, pick) | {create.id}
        a, st = rng.choice(gang), other.resolve(base)[0]
        if a not in st or len(forged) == 8:
            continue
        t = rng.choice(["add", "remove", "remove", "role", "set"])
        val = rng.choice([st[a] - 1, st[a] - 1, 10, 50, 75])
        tgt = rng.choice(people + news + gang)
        if t == "add":
            tgt = rng.choice(news)
        if t == "role" and rng.random() < .5:
            tgt = rng.choice(gang)
        if t == "set":
            tgt, val = None, rng.randrange(3)
        o = new(other, rng, a, other.heads(base), t, tgt, val)
        if val > 0 and other.add_valid(o):
            forged.append(o.id)
            if t == "add":
                gang.append(tgt)
    return other


def directed():
    """The attack that made the rules what they are: a removed admin adds a puppet in the past, which
    adds another, which removes whom a moderator has added, and the moderator."""
    for depth in (1, 2, 3):
        room = Room(10)
        count = iter(range(100))

        def do(a, deps, t, tgt=None, val=None):
            o = make(room.ops, "%02d" % next(count), a, deps, t, tgt, val)
            room.add(o)
            assert room.valid[o.id]
            return o.id
        tip = do("F", [], "create")
        for who, rank in (("A", 75), ("M", 50)):
            tip = do("F", [tip], "add", who, rank)
        old = tip
        tip = do("F", [tip], "remove", "A")
        added = do("M", [tip], "add", "N", 10)
        before = room.state()
        forged, a = old, "A"
        for k in range(depth):
            forged = do(a, [forged], "add", "P%d" % k, 74 - k)
            a = "P%d" % k
        do(a, [forged], "remove", "M")
        do(a, [forged], "set", None, 1)
        after = room.state()
        if after[:3] != before[:3] or added not in after[2]:
            print("directed attack, depth", depth, before[:2], after[:2])
            return True
    return False


def fuzz_gangs(count):
    bad = {"nothing": 0, "operations": 0, "ranks": 0, "able": 0, "founder": 0}
    tried = {"all removed": 0, "below": 0}
    for seed in range(count):
        rng = random.Random(seed)
        room, people, create = random_room(rng, 20, True)
        st, sets, eff, rank = room.state()
        left = {room.ops[i].a for i in eff if room.ops[i].t == "leave"}
        for _ in range(6):
            gang = [p for p in people if p != "F" and p not in left and rng.random() < .4]
            if rng.random() < .6:
                gang = [p for p in gang if p not in st]
            if not gang:
                continue
            top = max(st.get(p, 0) for p in gang)
            other = attack(rng, room, gang, people, create)
            st2, sets2, eff2, _ = other.state()
            tried["below" if top else "all removed"] += 1
            if top == 0:
                bad["nothing"] += (st, sets, eff) != (st2, sets2, eff2 & room.ops.keys())
            else:
                bad["operations"] += any(
                    room.ops[i].a not in gang and rank[i] >= top for i in eff - eff2)
                bad["ranks"] += any(
                    r >= top and p not in gang and st2.get(p, 0) != r for p, r in st.items())
            bad["founder"] += st2.get("F") != st.get("F")
            late = random_op(other, rng, rng.choice(people), other.ops, people)
            other.add(late)
            bad["able"] += other.valid[late.id] != (late.id in other.state()[2])
    print(count, tried, bad)
    return any(bad.values())


if __name__ == "__main__":
    if sys.argv[1] == "--fuzz":
        sys.exit(directed() | fuzz(int(sys.argv[2])) | fuzz_gangs(int(sys.argv[2])))
    with open(sys.argv[1], encoding="ascii") as graphs:
        for line in graphs:
            print(answer(json.loads(line)), flush=False)
