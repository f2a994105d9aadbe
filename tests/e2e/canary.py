"""What must be nowhere in the clear: texts, names, keys, and every form one may meet them in."""

import base64
import contextlib
import pathlib

import yaari

CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"


def key_bytes(id52):
    """The 32 bytes of an identity as people write it."""
    value = 0
    for c in id52:
        value = value << 5 | CROCKFORD.index(c)
    return (value >> (52 * 5 - 256)).to_bytes(32, "big")


def forms(secret):
    """Bytes as they are, in hex, and in base64 wherever it begins."""
    yield secret
    yield secret.hex().encode()
    yield secret.hex().upper().encode()
    for skip in range(3):
        part = secret[skip:]
        part = part[:len(part) // 3 * 3]
        if len(part) >= 9:
            yield base64.b64encode(part)
            yield base64.urlsafe_b64encode(part)
    try:
        yield secret.decode().encode("utf-16-le")
    except UnicodeDecodeError:
        pass


class Canaries:
    def __init__(self):
        self.secrets = {}

    def add(self, name, secret):
        if isinstance(secret, str):
            secret = secret.encode()
        assert len(secret) >= 8, "too short to mean anything"
        self.secrets[name] = list(forms(secret))

    def seen_in(self, data):
        return [name for name, shapes in self.secrets.items() if any(shape in data for shape in shapes)]

    def seen_under(self, folder):
        """Which canaries are in which file (or file name) of a folder."""
        out = []
        for path in sorted(pathlib.Path(folder).rglob("*")):
            data = path.name.encode()
            if path.is_file():
                data += b"\n" + path.read_bytes()
            out += [(str(path), name) for name in self.seen_in(data)]
        return out


def memory_of(pid):
    """All that a process has in memory."""
    out = []
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for line in maps:
            span, mode = line.split()[:2]
            if "r" not in mode or line.rstrip().endswith(("[vvar]", "[vsyscall]")):
                continue
            begin, end = (int(x, 16) for x in span.split("-"))
            if end - begin > 1 << 30:
                continue  # a reservation, like the store's map: what is in files is looked at there
            try:
                mem.seek(begin)
                out.append(mem.read(end - begin))
            except OSError:
                pass
    return b"".join(out)


@contextlib.contextmanager
def strangers_to_be():
    """alice and bob under names of their own, in folders that do not tell them."""
    home = yaari.new_home()
    alice, bob = yaari.Node(home / "a", "nickname-Reykjavik"), yaari.Node(home / "b", "nickname-Ljubljana")
    try:
        yield alice, bob
    finally:
        alice.close()
        bob.close()
        yaari.remove(home)


def talk(alice, bob):
    """A talk of two new friends; gives the canaries that must not have flown anywhere."""
    c = Canaries()
    for node, who in ((alice, "alice"), (bob, "bob")):
        node.init()
        me, = node.json("me", "show")
        c.add(f"{who}'s name", me["name"])
        c.add(f"{who}'s identity in letters", me["id"])
        c.add(f"{who}'s identity", key_bytes(me["id"]))
        c.add(f"the beginning of {who}'s identity", key_bytes(me["id"])[:8])
    link = alice.ok("invite", "--no-wait").out.strip()
    c.add("invite", link[len("yaari:i/"):])
    bob.ok("add", link, "--name", "petname-of-alice-Ouagadougou")
    c.add("petname", "petname-of-alice-Ouagadougou")
    alice.ok("friend", "rename", bob.name, "petname-of-bob-Antananarivo")
    c.add("other petname", "petname-of-bob-Antananarivo")
    to_bob, to_alice = "petname-of-bob-Antananarivo", "petname-of-alice-Ouagadougou"

    def say(node, target, text, *args):
        c.add(text, text)
        return node.json("send", target, text, "--wait", "delivered", *args)[0]["id"]

    first = say(alice, to_bob, "the marmalade is under the third floorboard")
    say(bob, to_alice, "understood, bringing a crowbar tonight", "--reply", first)
    typo = say(alice, to_bob, "make it elevn, not ten o'clock")
    c.add("edited", "make it eleven, not ten o'clock")
    alice.ok("edit", typo, "make it eleven, not ten o'clock")
    gone = say(bob, to_alice, "this one will be taken back at once")
    bob.ok("delete", gone)
    bob.ok("react", first, "👍")
    alice.ok("me", "set", "status", "status-line-Thiruvananthapuram")
    c.add("status", "status-line-Thiruvananthapuram")
    bob.ok("send", to_alice, "a last one", "--wait", "delivered")
    return c


assert key_bytes("0" * 51 + "g") == b"\0" * 31 + b"\x01"
