#!/usr/bin/env python3
"""A second, independent reading of docs/protocol.md B.2, B.6 and B.7: pair keys, envelopes and the
ratchet, on nothing but hashlib's BLAKE2b.  X25519, ChaCha20 and Poly1305 are written out below and
checked against their RFCs at each start.

    python3 tests/models/ratchet_model.py > tests/vectors/ratchet.json

The output never changes; tests/core/seal compares the C code with it.
"""
import hashlib
import json
import random
import struct

# ---- primitives --------------------------------------------------------------------------------

P = 2**255 - 19


def x25519(scalar, point):
    """RFC 7748, section 5."""
    k = bytearray(scalar)
    k[0] &= 248
    k[31] = (k[31] & 127) | 64
    k = int.from_bytes(k, "little")
    x1 = int.from_bytes(point, "little") & (2**255 - 1)
    x2, z2, x3, z3, swap = 1, 0, x1, 1, 0
    for t in reversed(range(255)):
        bit = k >> t & 1
        if swap ^ bit:
            x2, x3, z2, z3 = x3, x2, z3, z2
        swap = bit
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        aa, bb = a * a % P, b * b % P
        e, da, cb = aa - bb, d * a, c * b
        x3, z3 = (da + cb) ** 2 % P, x1 * (da - cb) ** 2 % P
        x2, z2 = aa * bb % P, e * (aa + 121665 * e) % P
    if swap:
        x2, z2 = x3, z3
    return (x2 * pow(z2, P - 2, P) % P).to_bytes(32, "little")


def public(secret):
    return x25519(secret, (9).to_bytes(32, "little"))


def rotl(v, n):
    return (v << n | v >> (32 - n)) & 0xFFFFFFFF


def rounds(s):
    for _ in range(10):
        for a, b, c, d in ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
                           (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)):
            s[a] = s[a] + s[b] & 0xFFFFFFFF
            s[d] = rotl(s[d] ^ s[a], 16)
            s[c] = s[c] + s[d] & 0xFFFFFFFF
            s[b] = rotl(s[b] ^ s[c], 12)
            s[a] = s[a] + s[b] & 0xFFFFFFFF
            s[d] = rotl(s[d] ^ s[a], 8)
            s[c] = s[c] + s[d] & 0xFFFFFFFF
            s[b] = rotl(s[b] ^ s[c], 7)
    return s


SIGMA = struct.unpack("<4I", b"expand 32-byte k")


def chacha_block(key, counter, nonce):
    s = [*SIGMA, *struct.unpack("<8I", key), counter, *struct.unpack("<3I", nonce)]
    return struct.pack("<16I", *((a + b) & 0xFFFFFFFF for a, b in zip(s, rounds(s[:]))))


def chacha(key, counter, nonce, data):
    out = bytearray()
    for i in range(0, len(data), 64):
        block = chacha_block(key, counter + i // 64, nonce)
        out += bytes(a ^ b for a, b in zip(data[i:i + 64], block))
    return bytes(out)


def hchacha(key, nonce16):
    s = rounds([*SIGMA, *struct.unpack("<8I", key), *struct.unpack("<4I", nonce16)])
    return struct.pack("<8I", *s[:4], *s[12:])


def poly1305(key, data):
    r = int.from_bytes(key[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    acc = 0
    for i in range(0, len(data), 16):
        acc = (acc + int.from_bytes(data[i:i + 16] + b"\1", "little")) * r % (2**130 - 5)
    return ((acc + int.from_bytes(key[16:], "little")) % 2**128).to_bytes(16, "little")


def seal_c(key, nonce, ad, plain):
    """RFC 8439, section 2.8."""
    ct = chacha(key, 1, nonce, plain)
    mac = ad + bytes(-len(ad) % 16) + ct + bytes(-len(ct) % 16) + struct.pack("<QQ", len(ad), len(ct))
    return ct + poly1305(chacha_block(key, 0, nonce)[:32], mac)


def seal_x(key, nonce, ad, plain):
    return seal_c(hchacha(key, nonce[:16]), bytes(4) + nonce[16:], ad, plain)


def unseal_x(key, nonce, ad, sealed):
    ct = sealed[:-16]
    plain = chacha(hchacha(key, nonce[:16]), 1, bytes(4) + nonce[16:], ct)
    return plain if seal_x(key, nonce, ad, plain) == sealed else None


def check_primitives():
    h = bytes.fromhex
    k = h("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4")
    u = h("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c")
    assert x25519(k, u) == h("c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552")
    text = (b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the "
            b"future, sunscreen would be it.")
    key, ad = bytes(range(0x80, 0xA0)), h("50515253c0c1c2c3c4c5c6c7")
    assert seal_c(key, h("070000004041424344454647"), ad, text)[-16:] == h(
        "1ae10b594f09e26a7e902ecbd0600691")
    assert seal_x(key, bytes(range(0x40, 0x58)), ad, text)[-16:] == h(
        "c0875924c1c7987947deafd8780acf49")


# ---- B.1 ---------------------------------------------------------------------------------------


def kdf(key, label, ctx=b"", n=32):
    label = b"yaari/1/" + label.encode()
    data = bytes([len(label)]) + label + struct.pack("<H", len(ctx)) + ctx
    return hashlib.blake2b(data, key=key, digest_size=max(n, 16)).digest()[:n]


def blake(data, n):
    return hashlib.blake2b(data, digest_size=n).digest()


def hmac(key, data):
    key = key.ljust(128, b"\0")
    inner = blake(bytes(x ^ 0x36 for x in key) + data, 64)
    return blake(bytes(x ^ 0x5C for x in key) + inner, 64)


def nhkdf2(ck, ikm):
    temp = hmac(ck, ikm)
    one = hmac(temp, b"\1")
    return one, hmac(temp, one + b"\2")


def h16(data):
    return blake(data, 32)[:16]


# ---- B.2: pair and time keys -------------------------------------------------------------------


def pair_vector():
    pair, low, high = bytes([0x11]) * 32, bytes([0x22]) * 32, bytes([0x33]) * 32
    dirs = (b"\0", b"\1")
    day0 = 19700
    t = kdf(pair, "time", struct.pack("<I", day0))
    days = []
    for day in range(day0, day0 + 17):
        if day in (day0, day0 + 1, day0 + 16):
            days.append({
                "day": day, "time": t.hex(),
                "env": [kdf(t, "env", d).hex() for d in dirs],
                "tag": [kdf(kdf(t, "tag", d), "tag/val", b"", 16).hex() for d in dirs],
            })
        t = kdf(t, "time/next")
    return {
        "pair": pair.hex(), "low_id": low.hex(), "high_id": high.hex(),
        "link_psk": kdf(pair, "link/psk").hex(),
        "link_init": [kdf(pair, "link/init", d).hex() for d in dirs],
        "link_hint": [kdf(pair, "link/hint", d, 16).hex() for d in dirs],
        "probe": [kdf(pair, "path/probe", d).hex() for d in dirs],
        "lan": [kdf(pair, "lan", d, 16).hex() for d in dirs],
        "next": kdf(pair, "pair/next").hex(),
        "pkh_psk": kdf(pair, "pkh/psk").hex(),
        "rel": kdf(pair, "rel").hex(),
        "off": int.from_bytes(kdf(pair, "rv/off", b"", 8), "little") % 7200,
        "day0": day0, "days": days,
    }


# ---- B.6: envelopes ----------------------------------------------------------------------------


def envelope(key, tag, exp, nonce, kind, body):
    size = 256
    while 22 + 24 + 1 + len(body) + 1 + 16 > size:
        size *= 2
    head = struct.pack("<BBI", 1, 0, exp) + tag
    plain = (bytes([kind]) + body + b"\x80").ljust(size - 22 - 24 - 16, b"\0")
    return head + nonce + seal_x(key, nonce, head, plain)


def envelope_vectors(rnd):
    out = []
    for kind, length in ((5, 0), (1, 192), (1, 193), (3, 8), (2, 1000)):
        key, tag, nonce = rnd.randbytes(32), rnd.randbytes(16), rnd.randbytes(24)
        body, exp = rnd.randbytes(length), 21600 * rnd.randrange(75000, 80000)
        env = envelope(key, tag, exp, nonce, kind, body)
        out.append({"key": key.hex(), "tag": tag.hex(), "exp": exp, "random": nonce.hex(),
                    "kind": kind, "body": body.hex(), "envelope": env.hex(), "id": h16(env).hex()})
    return out


# ---- B.7: the ratchet --------------------------------------------------------------------------


class Session:
    def __init__(self, exporter, h):
        self.sid = h16(h)
        self.rk = kdf(exporter, "dr/root", h, 64)
        self.dhs = self.dhr = self.cks = self.ckr = None
        self.ns = self.nr = self.pn = 0
        self.skipped = {}  # (dh, n) -> mk

    @classmethod
    def receiver(cls, exporter, h, prekey):
        s = cls(exporter, h)
        s.dhs = prekey
        return s

    @classmethod
    def sender(cls, exporter, h, prekey_public, secret):
        s = cls(exporter, h)
        s.dhr, s.dhs = prekey_public, secret
        s.cks = s.root_step()
        return s

    def root_step(self):
        self.rk, t = nhkdf2(self.rk, x25519(self.dhs, self.dhr))
        return t[:32]

    def encrypt(self, nonce, plain):
        head = b"\1" + self.sid[:8] + public(self.dhs) + struct.pack("<II", self.pn, self.ns)
        mk, self.cks = kdf(self.cks, "dr/mk"), kdf(self.cks, "dr/ck")
        self.ns += 1
        return head + nonce + seal_x(mk, nonce, self.sid + head, plain)

    def skip_to(self, n):
        while self.ckr is not None and self.nr < n:
            self.skipped[self.dhr, self.nr] = kdf(self.ckr, "dr/mk")
            self.ckr = kdf(self.ckr, "dr/ck")
            self.nr += 1

    def decrypt(self, message, draw):
        head, nonce, ct = message[:49], message[49:73], message[73:]
        dh = head[9:41]
        pn, n = struct.unpack("<II", head[41:])
        mk = self.skipped.pop((dh, n), None)
        if mk is None:
            new = self.ckr is None or dh != self.dhr
            self.skip_to(pn if new else n)
            if new:
                self.dhr = dh
                self.ckr, self.nr = self.root_step(), 0
                self.skip_to(n)
                self.pn, self.ns, self.dhs = self.ns, 0, None
            mk, self.ckr = kdf(self.ckr, "dr/mk"), kdf(self.ckr, "dr/ck")
            self.nr += 1
            if new:
                self.dhs = draw(32)
                self.cks = self.root_step()
        plain = unseal_x(mk, nonce, self.sid + head, ct)
        assert plain is not None
        return plain

    def state(self):
        text = lambda b: b.hex() if b is not None else ""
        return {"rk": text(self.rk), "dhs": text(self.dhs), "dhr": text(self.dhr),
                "cks": text(self.cks), "ckr": text(self.ckr),
                "ns": self.ns, "nr": self.nr, "pn": self.pn, "skipped": len(self.skipped)}


def session_vector(rnd, steps):
    exporter, h = rnd.randbytes(32), rnd.randbytes(64)
    prekey, first = rnd.randbytes(32), rnd.randbytes(32)
    who = [Session.sender(exporter, h, public(prekey), first), Session.receiver(exporter, h, prekey)]
    out = {"exporter": exporter.hex(), "h": h.hex(), "prekey": prekey.hex(), "random": first.hex(),
           "sid": who[0].sid.hex(), "start": [s.state() for s in who], "steps": []}
    flying = [[], []]  # messages towards 0 and 1
    for _ in range(steps):
        me = rnd.randrange(2)
        if flying[me] and rnd.random() < 0.55:
            # mostly in order, sometimes any
            i = 0 if rnd.random() < 0.6 else rnd.randrange(len(flying[me]))
            number, message, plain = flying[me].pop(i)
            drawn = []
            draw = lambda n: drawn.append(rnd.randbytes(n)) or drawn[-1]
            assert who[me].decrypt(message, draw) == plain
            out["steps"].append({"op": "decrypt", "who": me, "message": number,
                                 "random": b"".join(drawn).hex(), "state": who[me].state()})
        elif who[me].cks is not None:
            nonce, plain = rnd.randbytes(24), rnd.randbytes(rnd.choice((0, 1, 16, 40)))
            message = who[me].encrypt(nonce, plain)
            number = len(out["steps"])
            flying[1 - me].append((number, message, plain))
            out["steps"].append({"op": "encrypt", "who": me, "random": nonce.hex(),
                                 "plain": plain.hex(), "message": message.hex(),
                                 "state": who[me].state()})
    return out


def main():
    check_primitives()
    rnd = random.Random(20240229)
    out = {
        "about": "made by tests/models/ratchet_model.py; a decrypt step's message is the number of "
                 "the encrypt step that made it; random is what is drawn, in order",
        "pair": pair_vector(),
        "envelopes": envelope_vectors(rnd),
        "sessions": [session_vector(rnd, 60), session_vector(rnd, 60)],
    }
    print(json.dumps(out, indent=1))


if __name__ == "__main__":
    main()
