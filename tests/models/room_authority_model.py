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
make does so.
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
        if o.t == "leave":
            return ra > 0 and o.a == o.tgt
        if o.t == "add":
            return rt == 0 and ra >= self.invite_min and (ra > o.val or (o.val <= 10 and ra >= o.val))
        if o.t == "remove":
            return o.tgt != o.a and rt > 0 and ra >= 50 and ra > rt
        if o.t == "role":
            return o.tgt != o.a and rt > 0 and ra >= 75 and ra > rt and ra > o.val
        if o.t == "set":
            return ra >= 50
        return False  # of a later version

    def resolve(self, ids):
        """(members, settings, effective) of a set that has all ancestors of what it has."""
        ids = frozenset(ids)
        if ids in self.cache:
            return self.cache[ids]
        valid = [self.ops[i] for i in ids if self.valid[i]]
        rank = lambda o: self.view[o.id].get(o.a, 0)
        revokes = lambda o: o.t == "remove" or (
            o.t == "role" and o.val < self.view[o.id].get(o.tgt, 0))
        void, lock = set(), set()
        for r in sorted(filter(revokes, valid), key=lambda o: (-rank(o), o.depth, o.id)):
            if r.id in void:
                continue
            lock.add(r.id)
            left = r.val if r.t == "role" else 0
            for x in valid:
                if x.a != r.tgt or x.id in r.anc or x.id in lock or x.id in void or x.t == "leave":
                    continue
                if r.id in self.view_eff[x.id]:
                    continue  # it reckons with r: judged by what its author was given since
                st = dict(self.view[x.id])
                st[x.a] = min(st.get(x.a, 0), left)
                if not self.allowed(x, st):
                    void.add(x.id)
        eff, bad = set(), void | {i for i in ids if not self.valid[i]}
        for o in sorted(valid, key=lambda o: (o.depth, o.id)):
            if o.id in void:
                continue
            if o.t == "create" or not o.anc & bad & self.view_eff[o.id]:
                eff.add(o.id)
            elif self.allowed(o, self.materialize(o.anc & eff)[0]):
                eff.add(o.id)
            else:
                bad.add(o.id)
        st, sets = self.materialize(eff)
        self.cache[ids] = st, sets, frozenset(eff)
        return self.cache[ids]

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
            live = [o for o in ops if o.t == "add" and all(r.id in o.anc for r in ends)]
            if not live:
                continue
            st[t] = live[-1].val
            for o in ops:
                if o.t == "role" and any(x.id in o.anc for x in live):
                    st[t] = o.val
        return st, sets

    def add(self, o):
        if o.id in self.ops:
            return
        self.ops[o.id] = o
        if o.t == "create":
            self.view[o.id], self.view_eff[o.id], self.valid[o.id] = {}, frozenset(), True
            return
        st, _, eff = self.resolve(o.anc)
        self.view[o.id], self.view_eff[o.id] = st, eff
        self.valid[o.id] = self.allowed(o, st)

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
    st, sets, eff = room.state()
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
    tgt, val = rng.choice(people), rng.choice([10, 50, 75])
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


def random_room(rng, n=24):
    room, people = Room(rng.choice([10, 50])), list("FABCDEG")
    create = new(room, rng, "F", [], "create")
    room.add(create)
    for who, rank in (("A", 75), ("B", 75), ("C", 50), ("D", 10)):
        room.add(new(room, rng, "F", room.heads(room.ops), "add", who, rank))
    know = {p: set(room.ops) for p in people}
    for _ in range(n):
        a = rng.choice(people)
        base = know[a]
        if rng.random() < .25:  # backdated
            base = closure(room, rng.sample(sorted(room.ops), rng.randrange(1, len(room.ops) + 1)))
            base = base | {create.id}
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
        st, sets, eff = room.state()
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


if __name__ == "__main__":
    if sys.argv[1] == "--fuzz":
        sys.exit(fuzz(int(sys.argv[2])))
    with open(sys.argv[1], encoding="ascii") as graphs:
        for line in graphs:
            print(answer(json.loads(line)), flush=False)
