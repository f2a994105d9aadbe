"""The key epochs of rooms (docs/protocol.md "Key epochs", B.9.3) with keys as symbols: which epoch a
member sends in, who can open what, and what somebody who kept every key could.

usage: room_epoch_model.py FILE      what the traces in FILE give, one line for each
       room_epoch_model.py --fuzz N  N random rooms: the properties below hold

A trace: {"invite_min": n, "hist_days": n, "events": [[name, ...], ...]}; mids and ids are strings.
    ["op", id, author, kind, target, value, [parent, ...], parent epoch, epoch]   of a control record
    ["rekey", id, author, [dep, ...], epoch, part, parts, [recipient, ...], [who can open, ...]]
    ["hist", id, author, for whom, [epoch, ...]]
    ["msg", id, author, epoch, index]
    ["recv", who, id, ms]     a member processes a record; a message gives "+" if it opens, else "-"
    ["choose", who, ms]       gives the state's first letter, and the epoch if one can be used
    ["read", who]             gives the messages it has opened by now
    ["restart", who]          its log has a new incarnation
The answer: what these gave, in their order, separated by blanks.

Properties: who is covered by an epoch that was honestly made can read it; nobody else can, even if it
kept all it ever had and works together with others like it; what opens was said by somebody whom the
epoch covers; who is out for a sender, reads nothing of what that sender sends; what a member has
processed cannot be opened with what it has kept; when everybody knows everything, all choose one epoch
after some of them made new ones, and not many.
"""
import json
import random
import sys

import room_authority_model as authority

DAY = 86400 * 1000
DUE_DAYS, DUE_COUNT = 7, 5000
PART, CITED = 256, 8  # recipients of one part; records that one record cites


class Rec:
    """A record, as far as keys are concerned."""

    def __init__(self, ident, author, kind, deps, **more):
        self.id, self.author, self.kind, self.deps = ident, author, kind, list(deps)
        self.prev = None
        self.__dict__.update(more)


def membership(room, ids):
    """(what makes up the membership, members): every effective ADD, and whether it still holds.  Two
    sets of people that are equal may have come about in different ways."""
    st, _, eff, _ = room.resolve(ids)
    ends, adds, founder = {}, [], None
    for i in eff:
        o = room.ops[i]
        if o.t in ("remove", "leave"):
            ends.setdefault(o.tgt, []).append(i)
        elif o.t == "add":
            adds.append(o)
        elif o.t == "create":
            founder = o.a
    live = {(o.id, all(r in o.anc for r in ends.get(o.tgt, []))) for o in adds}
    return frozenset(live | {("founder", founder not in ends)}), frozenset(st)


def closure(room, ids):
    out = set()
    for i in ids:
        out |= {i} | room.ops[i].anc
    return frozenset(out)


class Epoch:
    """What one member knows of an epoch."""

    def __init__(self, ident, seen):
        self.id, self.seen = ident, seen
        self.author = None
        self.partial = self.whole = False  # parts of its REKEY are missing; it is known whom it covers
        self.open = self.granted = False  # all its keys are here; those of the content are
        self.membership = self.covers = None
        self.depth = self.gen = 0
        self.maker, self.count = None, 0
        self.parent = self.add = None
        self.content, self.adds = {}, {}  # mid -> next index of its chain
        self.own = True  # our chains are ours to go on with

    def order(self):
        return (self.depth, self.gen, self.id)


class Node:
    def __init__(self, who, room, hist_days=0):
        self.who, self.room, self.hist_days = who, room, hist_days
        self.ops, self.recs, self.epochs = set(), set(), {}
        self.rx = {0}  # versions of its own key that it can open
        self.opened = {}
        self.waiting = {}

    # ---- what there is ----

    def now(self):
        return membership(self.room, frozenset(self.ops))

    def candidates(self):
        want = self.now()[0]
        return sorted((e for e in self.epochs.values() if e.whole and e.membership == want),
                      key=Epoch.order)

    def sends_in(self, e):
        return e.open and e.own

    def choose(self, ms):
        """(state, usable epoch or None, best or None)"""
        found = self.candidates()
        if not found:
            return "N", None, None
        best = found[-1]
        if self.sends_in(best):
            days = min(DUE_DAYS, self.hist_days or DUE_DAYS)
            due = ms - best.seen >= days * DAY or best.count >= DUE_COUNT
            return "D" if due else "R", best, best
        usable = [e for e in found if self.sends_in(e)]
        return "B", usable[-1] if usable else None, best

    # ---- records ----

    def receive(self, rec, ms):
        """True if it is a message that opens, now or later."""
        self.recs.add(rec.id)
        if rec.kind == "op":
            self.ops.add(rec.id)
            if rec.op.t == "add" and rec.epoch:
                self.on_add(rec, ms)
        elif rec.kind == "rekey":
            self.on_rekey(rec, ms)
        elif rec.kind == "hist":
            self.on_hist(rec, ms)
        elif rec.kind == "msg":
            return self.on_msg(rec)
        return None

    def on_add(self, rec, ms):
        e = self.epochs.setdefault(rec.epoch, Epoch(rec.epoch, ms))
        if e.whole or e.partial:
            return
        e.parent, e.add, e.author, e.whole = rec.parent, rec, rec.author, True
        anc = self.room.ops[rec.id].anc
        e.before = membership(self.room, anc)[0]
        e.membership, e.covers = membership(self.room, anc | {rec.id})
        e.depth, e.maker = self.room.ops[rec.id].depth, rec.id
        if rec.op.tgt == self.who and rec.rx in self.rx and rec.sealed:
            self.opens(e)
        self.settle(e)

    def settle(self, e):
        """An epoch made by an ADD, when its parent is known."""
        p = self.epochs.get(e.parent)
        if p is None or not p.whole or e.add.op.tgt == self.who:
            return
        if p.membership != e.before:
            e.whole = False
            self.drop(e)
            return
        e.seen = p.seen
        a = e.author
        if not e.open and p.open and p.adds.get(a, 0) == e.add.index:
            p.adds[a] = p.adds.get(a, 0) + 1
            self.opens(e)

    def opens(self, e):
        e.open = True
        self.retry(e)
        self.settle_children(e)

    def retry(self, e):
        for rec in self.waiting.pop(e.id, []):
            self.on_msg(rec)

    def settle_children(self, e):
        for child in [c for c in self.epochs.values() if c.parent == e.id]:
            self.settle(child)

    def on_rekey(self, rec, ms):
        e = self.epochs.get(rec.epoch)
        if e is not None and e.whole:
            return
        if e is None or not e.partial:
            for old in [o for o in self.epochs.values() if o.partial and o.author == rec.author]:
                self.drop(old)  # its author has begun another
            e = self.epochs.setdefault(rec.epoch, Epoch(rec.epoch, ms))
            e.partial, e.author = True, rec.author
            e.parts, e.recipients, e.deps, e.mine = set(), [], set(), False
        if rec.part in e.parts:
            return
        e.parts.add(rec.part)
        e.recipients += rec.recipients
        e.deps |= set(rec.deps)
        if rec.part == rec.parts - 1:
            e.maker = rec.id
        e.mine = e.mine or rec.openers.get(self.who) in self.rx
        if len(e.parts) < rec.parts:
            return
        control = [d for d in e.deps if d in self.room.ops]
        member, covers = membership(self.room, closure(self.room, control))
        if sorted(e.recipients) != sorted(covers) or rec.author not in covers:
            self.drop(e)
            return
        e.membership, e.covers = member, covers
        e.depth = max(self.room.ops[d].depth for d in control)
        e.gen = self.generation(e, len(control) < len(e.deps))
        e.partial, e.whole, e.seen = False, True, ms
        if e.mine:
            self.opens(e)
        else:
            self.settle_children(e)

    def drop(self, e):
        """No epoch; what was granted of one of its name stays."""
        e.partial, e.author = False, None
        if not e.granted:
            del self.epochs[e.id]

    def generation(self, e, cites_messages):
        others = [o for o in self.epochs.values() if o is not e and o.whole]
        cited = [o for o in others if o.maker in e.deps]
        if cited:
            return max([o.gen + 1 for o in cited if o.depth == e.depth], default=0)
        if cites_messages:  # of what is no longer here
            return 1 + max([o.gen for o in others if o.depth == e.depth], default=-1)
        return 0

    def on_hist(self, rec, ms):
        if rec.target != self.who or rec.rx not in self.rx:
            return
        for i in rec.epochs:
            e = self.epochs.setdefault(i, Epoch(i, ms))
            if not e.open:
                e.granted = True
                self.retry(e)

    def on_msg(self, rec):
        e = self.epochs.get(rec.epoch)
        if rec.author == self.who:
            return None
        if e is None or not (e.open or e.granted):
            self.waiting.setdefault(rec.epoch, []).append(rec)
            return False
        if e.covers is not None and rec.author not in e.covers:
            return False
        if e.content.get(rec.author, 0) != rec.index:
            return False
        e.content[rec.author] = rec.index + 1
        e.count += 1
        self.opened[rec.id] = True
        return True

    # ---- making ----

    def send(self, e):
        index = e.content.get(self.who, 0)
        e.content[self.who] = index + 1
        e.count += 1
        return index

    def cite(self):
        found = self.candidates()
        return found[-1] if found else None

    def restart(self):
        for e in self.epochs.values():
            e.own = False


# ---- traces ----


def replay(trace):
    room, recs, nodes, out = authority.Room(trace["invite_min"]), {}, {}, []

    def node(who):
        return nodes.setdefault(who, Node(who, room, trace["hist_days"]))

    for event in trace["events"]:
        name = event[0]
        if name == "op":
            _, ident, a, kind, tgt, val, parents, parent, epoch = event
            op = authority.make(room.ops, ident, a, parents, kind, tgt, val)
            room.add(op)
            index = 0
            if epoch and parent in node(a).epochs:
                index = node(a).epochs[parent].adds.get(a, 0)
            recs[ident] = Rec(ident, a, "op", parents, op=op, parent=parent, epoch=epoch, rx=0,
                              sealed=True, index=index)
        elif name == "rekey":
            _, ident, a, deps, epoch, part, parts, recipients, openers = event
            recs[ident] = Rec(ident, a, "rekey", deps, epoch=epoch, part=part, parts=parts,
                              recipients=recipients, openers={m: 0 for m in openers})
        elif name == "hist":
            _, ident, a, target, epochs = event
            recs[ident] = Rec(ident, a, "hist", [], target=target, epochs=epochs, rx=0)
        elif name == "msg":
            _, ident, a, epoch, index = event
            recs[ident] = Rec(ident, a, "msg", [], epoch=epoch, index=index)
            e = node(a).epochs.get(epoch)
            if e is not None and node(a).sends_in(e):
                assert node(a).send(e) == index, event
        elif name == "recv":
            _, who, ident, ms = event
            got = node(who).receive(recs[ident], ms)
            if got is not None:
                out.append("+" if got else "-")
        elif name == "choose":
            _, who, ms = event
            state, usable, _ = node(who).choose(ms)
            out.append(state + (usable.id[:8] if usable else ""))
        elif name == "read":  # which messages has it read by now?
            out.append(",".join(sorted(i[:8] for i in node(event[1]).opened)) or "none")
        elif name == "restart":
            node(event[1]).restart()
    return " ".join(out)


# ---- the model against its own properties ----


class World:
    """Members and former members with a network that anything may happen to."""

    def __init__(self, seed):
        self.rng = rng = random.Random(seed)
        self.room, self.nodes, self.recs, self.counts = authority.Room(10), {}, {}, {}
        self.ms, self.serial = 1000 * DAY, 0
        self.sent, self.rekeys, self.key_of, self.covers = [], 0, {}, {}
        self.history = rng.random() < .4
        self.cited = rng.choice([CITED, 2])  # few: there are more heads than that
        self.evil = set(rng.sample("BCDEFGH", rng.choice([0, 0, 1, 2])))
        self.op("A", "create")
        for who in "BCD"[:rng.randrange(1, 4)]:
            self.op("A", "add", who, rng.choice([75, 50, 10]))
            if rng.random() < .5:
                self.sync("A", who)

    def node(self, who):
        if who not in self.nodes:
            self.nodes[who] = Node(who, self.room)
        return self.nodes[who]

    def ident(self):
        self.serial += 1
        return "%08x%04d" % (self.rng.getrandbits(32), self.serial)

    def publish(self, rec):
        last = self.node(rec.author)
        prev = getattr(last, "prev", {}).get(rec.kind == "op")
        if prev and not getattr(rec, "backdated", False):
            rec.prev = prev
        last.prev = dict(getattr(last, "prev", {}))
        last.prev[rec.kind == "op"] = rec.id
        self.recs[rec.id] = rec
        last.receive(rec, self.ms)
        return rec

    def sync(self, a, b, one_way=False):
        """b learns what a knows, and the other way round; sometimes only the control records, or a
        causally closed part of all."""
        for x, y in ((a, b),) if one_way else ((a, b), (b, a)):
            part = self.rng.random()
            for i in sorted(self.nodes[x].recs, key=lambda i: self.recs[i].id[8:]):
                if i in self.node(y).recs or (part < .2 and self.recs[i].kind != "op"):
                    continue
                if part > .9 and self.rng.random() < .5:
                    continue
                rec = self.recs[i]
                if all(d in self.node(y).recs for d in rec.deps + [rec.prev] * bool(rec.prev)):
                    self.take(y, self.recs[i])

    def take(self, who, rec):
        self.node(who).receive(rec, self.ms)

    # ---- what somebody does ----

    def heads(self, who, base=None):
        known = self.node(who).ops if base is None else base
        heads = self.room.heads(known)
        return sorted(heads, key=lambda i: (self.room.ops[i].depth, i))

    def rank(self, who, of=None):
        return self.room.resolve(frozenset(self.node(who).ops))[0].get(of or who, 0)

    def op(self, a, kind, tgt=None, val=None, base=None):
        node, ident = self.node(a), self.ident()
        heads = self.heads(a, base)[:self.cited]
        prev = getattr(node, "prev", {}).get(True)
        parents = heads + ([prev] if prev and prev not in heads and base is None else [])
        op = authority.make(self.room.ops, ident, a, parents, kind, tgt, val)
        if kind != "create":
            st = self.room.resolve(op.anc)[0]
            if not self.room.allowed(op, st):
                return None
        self.room.add(op)
        rec = Rec(ident, a, "op", parents, op=op, parent=None, epoch=None, rx=0, sealed=True, index=0)
        rec.backdated = base is not None
        if kind == "add":
            self.add_keys(node, rec, tgt)
        self.publish(rec)
        return rec

    def add_keys(self, node, rec, tgt):
        _, e, best = node.choose(self.ms)
        rec.rx = self.key_of.get(tgt, 0)
        if node.who in self.evil and self.rng.random() < .4:  # any epoch it ever heard of, or none
            e = best = self.rng.choice(sorted(node.epochs.values(), key=Epoch.order) or [None])
            rec.sealed = self.rng.random() < .5
        if e is None or e is not best:
            return
        rec.parent, rec.epoch = e.id, "E" + rec.id
        self.covers[rec.epoch] = membership(self.room, rec.op.anc | {rec.id})[1]
        rec.index = e.adds.get(node.who, 0)
        if node.who in self.evil and self.rng.random() < .2:
            rec.index = self.rng.randrange(3)

    def rekey(self, a, base=None, recipients=None, cite=True):
        node, epoch = self.node(a), "E" + self.ident()
        heads = self.heads(a, base)
        _, covers = membership(self.room, frozenset(node.ops if base is None else base))
        if a not in covers and a not in self.evil:
            return
        best = node.cite() if cite and base is None else None
        cited = [] if best is None or best.add is not None else [best.maker]
        deps, members = cited + heads, sorted(covers)
        parts = max(-(-len(members) // PART), -(-len(deps) // self.cited), self.rng.randrange(1, 3))
        parts = min(parts, len(members))
        openers = {m: self.newest_key(a, m) for m in members}
        if a in self.evil and self.rng.random() < .5:
            for m in self.rng.sample(members, self.rng.randrange(len(members) + 1)):
                openers.pop(m)
        for m in recipients or ():  # who has no business to be among them
            members, openers = members + [m], {**openers, m: self.newest_key(a, m)}
        self.rekeys += 1
        self.covers[epoch] = covers if a in covers else frozenset()
        for p in range(parts):
            to = members[p::parts]
            rec = Rec(self.ident(), a, "rekey", deps[p::parts] or heads[:1], epoch=epoch, part=p,
                      parts=parts, recipients=to, openers={m: openers[m] for m in to if m in openers})
            rec.backdated = base is not None
            self.publish(rec)
            if a in self.evil and self.rng.random() < .1:
                return  # and not the rest

    def newest_key(self, a, m):
        return self.node(a).__dict__.setdefault("keys", {}).get(m, 0)

    def hist(self, a, target):
        node = self.node(a)
        epochs = [e.id for e in node.epochs.values()
                  if (e.open or e.granted) and (e.covers is None or target not in e.covers)]
        if self.history and epochs:
            self.publish(Rec(self.ident(), a, "hist", self.heads(a)[:4], target=target, epochs=epochs,
                             rx=self.newest_key(a, target)))

    def say(self, a):
        """As an honest member: never in an epoch that others have left."""
        node = self.node(a)
        if self.rank(a) == 0:
            return None
        state, e, _ = node.choose(self.ms)
        if state != "R":
            self.rekey(a)
            state, e, _ = node.choose(self.ms)
        if e is None or state not in "RD":
            return None
        index, (member, covers) = node.send(e), node.now()
        rec = self.publish(Rec(self.ident(), a, "msg", self.heads(a)[:4], epoch=e.id, index=index))
        if a not in self.evil:
            self.sent.append((rec, covers, frozenset(node.recs), frozenset(node.ops)))
        return rec

    def step(self):
        rng = self.rng
        a = rng.choice(sorted(self.nodes))
        what = rng.random()
        self.ms += rng.choice([0, 1000, 60000, DAY // 4])
        if what < .30:
            return self.say(a)
        if what < .45:
            rec = self.op(a, "add", rng.choice("BCDEFGH"), rng.choice([10, 50, 75]))
            if rec:
                self.sync(a, rec.op.tgt, one_way=True)
                if rng.random() < .6:
                    self.hist(a, rec.op.tgt)
            return rec
        if what < .53:
            rec = self.op(a, "remove", rng.choice("BCDEFGH"))
            return rec and rng.random() < .7 and self.say(a)
        if what < .56:
            return self.op(a, "leave", a)
        if what < .60:
            return self.op(a, "set", None, 1)
        if what < .63 and self.rank(a):
            return self.rekey(a)
        if what < .66 and a in self.evil and rng.random() < .4:
            return self.rekey(a)  # whether it is a member or not
        if what < .66 and a in self.evil:
            ids = sorted(self.room.ops)
            base = closure(self.room, rng.sample(ids, rng.randrange(1, len(ids) + 1)))
            base = base | closure(self.room, [min(ids, key=lambda i: self.room.ops[i].depth)])
            return self.rekey(a, base, rng.sample(sorted(self.nodes), rng.randrange(2)))
        if what < .68:  # a new key; the old one is gone, too, if it was offline for long
            version = self.key_of[a] = self.key_of.get(a, 0) + 1
            node = self.node(a)
            node.rx = {version} if rng.random() < .3 else node.rx | {version}
            node.__dict__.setdefault("keys", {})[a] = version
            for other in rng.sample(sorted(self.nodes), rng.randrange(1, len(self.nodes) + 1)):
                self.node(other).__dict__.setdefault("keys", {})[a] = version
            return None
        if what < .69:
            return self.node(a).restart()
        if what < .72 and a in self.evil:  # in an epoch that others have told it of
            epoch = rng.choice(sorted(self.covers) or [None])
            index = sum(r.author == a and r.kind == "msg" and r.epoch == epoch
                        for r in self.recs.values())
            return epoch and self.publish(Rec(self.ident(), a, "msg", self.heads(a)[:4], epoch=epoch,
                                              index=index))
        b = rng.choice(sorted(self.nodes))
        return a != b and self.sync(a, b, one_way=rng.random() < .2)

    def sync_all(self):
        everything = set().union(*(n.recs for n in self.nodes.values()))
        for who in sorted(self.nodes):
            for i in sorted(everything, key=lambda i: i[8:]):
                if i not in self.nodes[who].recs:
                    self.take(who, self.recs[i])
            self.nodes[who].__dict__.setdefault("keys", {}).update(self.key_of)


def held(world, forgetful):
    """For each epoch, who could open its content and who could make the epochs added to it, if it had
    kept all it ever had.  The first without what was granted as history."""
    content, adds, granted = {}, {}, {}
    for rec in sorted(world.recs.values(), key=lambda r: r.id[8:]):
        if rec.kind == "rekey":
            for m in [rec.author, *rec.openers]:
                content.setdefault(rec.epoch, set()).add(m)
                adds.setdefault(rec.epoch, set()).add(m)
        elif rec.kind == "hist" and rec.author not in forgetful:
            for e in rec.epochs:
                granted.setdefault(e, set()).add((rec.target, rec.id))
    more = True
    while more:
        more = False
        for rec in world.recs.values():
            if rec.kind != "op" or not rec.epoch:
                continue
            can = adds.get(rec.parent, set()) | ({rec.op.tgt} if rec.sealed else set())
            if not can <= adds.setdefault(rec.epoch, set()):
                more = True
                adds[rec.epoch] |= can
                content.setdefault(rec.epoch, set()).update(can)
    return content, granted


def honest_epochs(world):
    """Epochs that were made as they should be, all the way back."""
    good, bad = set(), set()
    for rec in sorted(world.recs.values(), key=lambda r: r.id[8:]):
        if rec.kind == "rekey":
            (bad if rec.author in world.evil else good).add(rec.epoch)
        elif rec.kind == "op" and rec.epoch:
            ok = rec.author not in world.evil and rec.parent in good
            (good if ok else bad).add(rec.epoch)
    return good - bad


def keeps(node, rec, seen=()):
    """Could it still open a message, with what it has?"""
    e = node.epochs.get(rec.epoch)
    if e is None or rec.epoch in seen:
        return False
    if e.open and e.content.get(rec.author, 0) <= rec.index:
        return True
    p = node.epochs.get(e.parent)
    return p is not None and p.open and p.adds.get(e.add.author, 0) <= e.add.index


def check(world, bad):
    content, granted = held(world, world.evil)
    good = honest_epochs(world)
    for who, node in world.nodes.items():
        for i in () if who in world.evil else node.opened:
            rec = world.recs[i]
            if not node.epochs[rec.epoch].granted:
                bad["foreign"] += rec.author not in world.covers[rec.epoch]
    for rec, covers, past, ops in world.sent:
        if not covers & world.evil:
            grants = {m for m, hist in granted.get(rec.epoch, ()) if hist not in past}
            bad["secret"] += bool(content[rec.epoch] - covers)
            bad["removed"] += bool(
                {m for m, hist in granted.get(rec.epoch, ())} - grants - covers)
        for who in covers:
            node = world.nodes.get(who)
            if node is None or who in world.evil or who == rec.author or who in world.lost:
                continue
            if rec.id in node.recs and rec.epoch in good:
                bad["unread"] += rec.id not in node.opened
            if rec.id in node.opened and not world.history:
                bad["forward"] += keeps(node, rec)


def fuzz(count, first=0):
    bad = dict.fromkeys(("secret", "foreign", "removed", "unread", "forward", "settle", "many"), 0)
    tally = dict.fromkeys(("messages", "read", "rekeys", "evil", "heads"), 0)
    for seed in range(first, first + count):
        world = World(seed)
        world.lost = set()
        before = dict(bad)
        for _ in range(world.rng.randrange(20, 70)):
            world.step()
            for who, node in world.nodes.items():
                if world.key_of.get(who, 0) and len(node.rx) <= world.key_of[who]:
                    world.lost.add(who)
        tally["heads"] = max(tally["heads"], len(world.room.heads(world.room.ops)))
        world.sync_all()
        check(world, bad)
        members = sorted(m for m in world.node("A").now()[1]
                         if m not in world.evil and m in world.nodes)
        made = world.rekeys
        for _ in range(2):
            world.rng.shuffle(members)
            for who in members:
                world.say(who)
                world.sync_all()
        bad["many"] += world.rekeys - made > 1 + len(members)
        chosen = {world.nodes[m].choose(world.ms)[1] for m in members}
        last = [world.say(m) for m in members]
        world.sync_all()
        bad["settle"] += len({e and e.id for e in chosen}) > 1 or None in last
        bad["settle"] += any(rec.id not in world.nodes[m].opened for rec in last if rec
                             for m in members if m != rec.author)
        check(world, bad)
        tally["messages"] += len(world.sent)
        tally["read"] += sum(len(n.opened) for n in world.nodes.values())
        tally["rekeys"] += world.rekeys
        tally["evil"] += bool(world.evil)
        if bad != before:
            print("seed", seed, {k: bad[k] - before[k] for k in bad if bad[k] != before[k]})
    print(count, bad, tally)
    return any(bad.values())


if __name__ == "__main__":
    if sys.argv[1] == "--fuzz":
        sys.exit(fuzz(int(sys.argv[2]), *map(int, sys.argv[3:4])))
    with open(sys.argv[1], encoding="ascii") as traces:
        for line in traces:
            print(replay(json.loads(line)))
