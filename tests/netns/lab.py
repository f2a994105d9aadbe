"""Networks in kernel namespaces: a world with public-looking addresses, routers that translate them
in every usual way, and hosts behind the routers.

    with lab.Lab() as net:
        alice = net.host("alice", net.router("r1", "symmetric"))
        carol = net.host("carol", net.world)          # open: an address of the world itself

Every link of the world is a network of its own, 5.N.1.0/24; nothing has a way out of the machine.
The world says nothing about what it cannot deliver: packets vanish, as they mostly do in life.

What a router does to UDP (EIM: one outside port for all destinations; ADF: only who was written to
may answer, from any port):

    full         EIM, anybody may come in       snat to a port that only depends on the inner one,
    restricted   EIM, ADF                       back in through a map that outgoing packets fill
    port         EIM while ports are free, only the very address and port may answer: masquerade
    symmetric    a random port per destination: masquerade fully-random

It wants root, ip, nft and nsenter; Lab() skips the test with the reason where something is missing."""

import atexit
import ctypes
import itertools
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

import pytest

KINDS = ("full", "restricted", "port", "symmetric")
HERE = pathlib.Path(__file__).resolve().parent
CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)
serial = itertools.count(1)


class Missing(Exception):
    """The machine lacks something that the lab needs."""


def run(*argv, stdin=None):
    """A short command that must succeed."""
    done = subprocess.run(argv, input=stdin, stdin=subprocess.DEVNULL if stdin is None else None,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=20)
    if done.returncode != 0:
        raise Missing(f"{' '.join(argv)}: {done.stderr.strip() or done.returncode}")
    return done.stdout


class Space:
    """A network namespace."""

    def __init__(self, lab, name):
        self.lab = lab
        self.name = name
        self.full_name = f"{lab.prefix}-{name}"
        self.path = f"/run/netns/{self.full_name}"
        self.argv = ("nsenter", f"--net={self.path}", "--")  # what runs a program in here
        lab.spaces.append(self)
        run("ip", "netns", "add", self.full_name)
        self.set("net/ipv4/conf/all/rp_filter", 0)
        self.set("net/ipv6/conf/default/accept_dad", 0)
        self.set("net/ipv6/conf/default/accept_ra", 0)
        self.ip("link set lo up")

    def ip(self, *lines):
        run("ip", "-n", self.full_name, "-batch", "-", stdin="\n".join(lines) + "\n")

    def nft(self, rules):
        return run(*self.argv, "nft", "-f", "-", stdin=rules)

    def ruleset(self, table):
        """What nft holds, as text."""
        return run(*self.argv, "nft", "list", "table", "inet", table)

    def inside(self, work):
        """work(), called in here; its result.  What sockets it opens stay in here."""
        out = []

        def enter():
            try:
                with open(self.path) as space:
                    if libc.setns(space.fileno(), CLONE_NEWNET) != 0:
                        raise OSError(ctypes.get_errno(), "setns")
                out.append((work(), None))
            except BaseException as e:  # handed on below
                out.append((None, e))

        thread = threading.Thread(target=enter)
        thread.start()
        thread.join()
        value, error = out[0]
        if error is not None:
            raise error
        return value

    def set(self, key, value):
        path = pathlib.Path("/proc/sys") / key
        self.inside(lambda: path.write_text(str(value)) if path.exists() else None)

    def udp(self, port=0, address=""):
        """A UDP socket in here."""
        def make():
            s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
            s.bind((address, port))
            return s
        return self.inside(make)

    def forget(self):
        """Empty the kernel's table of connections, as switching the machine off would."""
        def delete():
            with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12) as s:
                s.bind((0, 0))
                # IPCTNL_MSG_CT_DELETE of everything; NLM_F_REQUEST | NLM_F_ACK
                s.send(struct.pack("=IHHII", 20, 1 << 8 | 2, 5, 1, 0) + bytes(4))
                s.settimeout(5)
                code, = struct.unpack_from("=i", s.recv(4096), 16)
                if code not in (0, -2):
                    raise OSError(-code, "conntrack")
        self.inside(delete)

    def pids(self):
        return [int(p) for p in run("ip", "netns", "pids", self.full_name).split()]


class Link:
    """A cable from a space up to the world or to a router's LAN; .gateway and .address(n) are the
    upper side's.  delay in seconds and loss from 0 to 1 hold for each direction."""

    def __init__(self, lower, name, upper, upper_name, delay=0.0, loss=0.0, seed=1):
        self.lower, self.name, self.upper, self.upper_name = lower, name, upper, upper_name
        self.wire = None
        if not delay and not loss:
            self.cable(lower, name, upper, upper_name)
            return
        middle = upper.lab.space(f"x{next(serial)}")
        self.cable(lower, name, middle, "lower")
        self.cable(middle, "upper", upper, upper_name)
        middle.ip("link set upper up", "link set lower up")
        self.wire = subprocess.Popen([*middle.argv, sys.executable, str(HERE / "wire.py"), "lower", "upper",
                                      str(delay), str(loss), str(seed)], stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE, text=True)
        upper.lab.processes.append(self.wire)
        if self.wire.stdout.readline() != "ready\n":
            raise Missing("the forwarder of packets does not start")

    @staticmethod
    def cable(a, a_name, b, b_name):
        run("ip", "-n", a.full_name, "link", "add", a_name, "type", "veth",
            "peer", "name", b_name, "netns", b.full_name)
        for space, interface in ((a, a_name), (b, b_name)):
            # packets leave one by one, so that their size is what the network sees
            space.ip(f"link set {interface} gso_max_segs 1")

    def cut(self):
        if self.wire is not None:
            self.upper.lab.end(self.wire)
        self.lower.ip(f"link del {self.name}")


class World(Space):
    """The core: link N has the address 5.N.1.1 and leads to 5.N.1.0/24."""

    def __init__(self, lab):
        super().__init__(lab, "world")
        self.links = itertools.count(1)
        self.set("net/ipv4/ip_forward", 1)
        self.set("net/ipv6/conf/all/forwarding", 1)
        self.set("net/ipv4/neigh/default/unres_qlen", 101)
        self.ip("route add blackhole default", "route add blackhole ::/0")
        self.nft("""table inet lab {
            chain holes { }
            chain through {
                type filter hook forward priority filter; policy accept;
                ip saddr { 10.0.0.0/8, 100.64.0.0/10, 172.16.0.0/12, 192.168.0.0/16 } counter drop
                jump holes
            }
            chain says {
                type filter hook output priority filter; policy accept;
                icmp type { destination-unreachable, redirect } drop
                icmpv6 type { destination-unreachable, packet-too-big } drop
            }
        }""")

    def attach(self, space, name, ipv6=False, **wire):
        n = next(self.links)
        link = Link(space, name, self, f"w{n}", **wire)
        link.n, link.host, link.net6 = n, 1, f"2a05:{n:x}" if ipv6 else None
        self.ip(f"addr add 5.{n}.1.1/24 dev w{n}", f"link set w{n} up")
        space.ip(f"link set {name} up")
        if ipv6:
            self.ip(f"addr add {link.net6}::1/64 dev w{n}", f"route add {link.net6}:1::/64 via {link.net6}::2")
            space.ip(f"addr add {link.net6}::2/64 dev {name}", f"route add ::/0 via {link.net6}::1")
            link.ip6 = f"{link.net6}::2"
        self.address(link)
        return link

    def address(self, link):
        """Give the lower end its next address; an earlier one goes."""
        old, link.host = link.host, link.host + 1
        link.ip = f"5.{link.n}.1.{link.host}"
        if old > 1:
            link.lower.ip(f"addr del 5.{link.n}.1.{old}/24 dev {link.name}")
        link.lower.ip(f"addr add {link.ip}/24 dev {link.name}", f"route replace default via 5.{link.n}.1.1")

    def black_hole(self, link, size):
        """Packets longer than size bytes (IP header counted) over a link of ours vanish."""
        self.nft(f"add rule inet lab holes iifname {link.upper_name} meta length > {size} counter drop\n"
                 f"add rule inet lab holes oifname {link.upper_name} meta length > {size} counter drop\n")

    def silence(self, link):
        """Nothing passes over a link of ours, and nobody is told."""
        self.black_hole(link, 0)

    def part(self, one, two):
        """Nothing passes between two links of ours, though both reach everybody else."""
        self.nft(f"add rule inet lab holes iifname {one.upper_name} oifname {two.upper_name} counter drop\n"
                 f"add rule inet lab holes iifname {two.upper_name} oifname {one.upper_name} counter drop\n")

    def heal(self):
        self.nft("flush chain inet lab holes")


class Router(Space):
    """A router with a LAN 192.168.N.0/24; N may be given, so that two LANs may look alike.  timeout:
    seconds that a mapping lives without a packet."""

    def __init__(self, lab, name, kind, uplink, lan=None, hairpin=False, timeout=120, ipv6=False, **wire):
        super().__init__(lab, name)
        assert kind in KINDS
        if hairpin and kind == "symmetric":
            raise ValueError("a symmetric router has no port to come back to")
        self.kind, self.hairpin, self.timeout = kind, hairpin, timeout
        self.uplink = uplink
        self.ports = itertools.count(2)
        self.set("net/ipv4/ip_forward", 1)
        self.set("net/bridge/bridge-nf-call-iptables", 0)
        self.ip("link add lan type bridge", "link set lan up")
        self.wan = uplink.attach(self, "wan", ipv6=ipv6, **wire)
        self.net = lan or self.wan.n
        self.ip(f"addr add 192.168.{self.net}.1/24 dev lan")
        if ipv6:
            self.set("net/ipv6/conf/all/forwarding", 1)
            self.set("net/bridge/bridge-nf-call-ip6tables", 0)
            self.ip(f"addr add {self.wan.net6}:1::1/64 dev lan")
        self.rules()
        for key in ("nf_conntrack_udp_timeout", "nf_conntrack_udp_timeout_stream"):
            self.set("net/netfilter/" + key, timeout)

    @property
    def ip_outside(self):
        return self.wan.ip

    def rules(self):
        """(Re)build the translation, with no mapping in it."""
        wan, lan, cone = self.wan.ip, f"192.168.{self.net}.0/24", self.kind in ("full", "restricted")
        out = back = ""
        if cone:
            out = f"snat ip to {wan}:jhash ip saddr . udp sport mod 20000 seed 7 offset 30000"
        heard = "udp dport . ip saddr @heard" if self.kind == "restricted" else ""
        come = f"iifname wan {heard} dnat ip to udp dport map @cone" if cone else ""
        if self.hairpin:
            come += f"\niifname lan ip daddr {wan} dnat ip to udp dport map @cone"
            back = f"ip saddr {lan} oifname lan meta l4proto udp " + (out or f"snat to {wan}")
        self.nft(f"""table ip lab
        delete table ip lab
        table ip lab {{
            map cone {{ type inet_service : ipv4_addr . inet_service; flags dynamic, timeout; timeout {self.timeout}s; }}
            set heard {{ type inet_service . ipv4_addr; flags dynamic, timeout; timeout {self.timeout}s; }}
            chain before {{
                type nat hook prerouting priority dstnat; policy accept;
                {come}
            }}
            chain after {{
                type nat hook postrouting priority srcnat; policy accept;
                {"oifname wan meta l4proto udp " + out if out else ""}
                oifname wan masquerade {"fully-random" if self.kind == "symmetric" else ""}
                {back}
            }}
            chain learn {{
                ct direction original update @cone {{ udp sport : ct original ip saddr . ct original proto-src }}
                ct direction reply update @cone {{ udp sport : ct reply ip saddr . ct reply proto-src }}
                update @heard {{ udp sport . ip daddr }}
            }}
            chain translated {{
                type filter hook postrouting priority srcnat + 10; policy accept;
                ip saddr {wan} meta l4proto udp ct status snat jump learn
                ip saddr {wan} meta l4proto udp ct status dnat jump learn
            }}
            chain through {{
                type filter hook forward priority filter; policy drop;
                ct state invalid drop
                iifname lan accept
                ct state established,related accept
                ct status dnat accept
            }}
            chain self {{
                type filter hook input priority filter; policy drop;
                iifname lan accept
                iifname lo accept
                ct state established,related accept
            }}
            chain says {{
                type filter hook output priority filter; policy accept;
                icmp type {{ destination-unreachable, redirect }} drop
            }}
        }}
        table ip6 lab
        delete table ip6 lab
        table ip6 lab {{
            chain through {{
                type filter hook forward priority filter; policy drop;
                iifname lan accept
                ct state established,related accept
            }}
        }}""")

    def serve_mappings(self, natpmp=True, upnp=True):
        """Map ports when hosts ask for it, by PCP and NAT-PMP, by UPnP; skips without miniupnpd."""
        if shutil.which("miniupnpd") is None:
            pytest.skip("there is no miniupnpd")
        self.nft("""table inet mapped {
            chain forward { type filter hook forward priority filter; policy accept; jump ours; }
            chain before { type nat hook prerouting priority dstnat; policy accept; jump ours_before; }
            chain after { type nat hook postrouting priority srcnat; policy accept; jump ours_after; }
            chain ours { }
            chain ours_before { }
            chain ours_after { }
        }""")
        folder = pathlib.Path(tempfile.mkdtemp(prefix="yr-map-"))
        self.lab.folders.append(folder)
        config = folder / "conf"
        config.write_text(f"""ext_ifname=wan
listening_ip=lan
enable_natpmp={"yes" if natpmp else "no"}
enable_upnp={"yes" if upnp else "no"}
secure_mode=yes
system_uptime=yes
min_lifetime=120
max_lifetime=86400
upnp_table_name=mapped
upnp_nat_table_name=mapped
upnp_forward_chain=ours
upnp_nat_chain=ours_before
upnp_nat_postrouting_chain=ours_after
lease_file={folder}/leases
uuid=00000000-0000-0000-0000-{self.wan.n:012}
allow 1024-65535 192.168.{self.net}.0/24 1024-65535
deny 0-65535 0.0.0.0/0 0-65535
""")
        log = folder / "log"
        with log.open("wb") as out:
            self.lab.processes.append(subprocess.Popen(
                [*self.argv, "miniupnpd", "-d", "-f", str(config), "-P", str(folder / "pid")],
                stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT))
        ready = "Listening for NAT-PMP" if natpmp else "HTTP listening"
        wait_until(lambda: ready in log.read_text())

    def reboot(self, new_address=True):
        """Forget every mapping, and come back with another outside address."""
        if new_address:
            self.uplink.address(self.wan)
        self.rules()
        self.forget()

    def attach(self, space, name, ipv6=False, **wire):
        k = next(self.ports)
        link = Link(space, name, self, f"l{k}", **wire)
        link.n, link.ip = k, None
        self.ip(f"link set l{k} master lan", f"link set l{k} up")
        space.ip(f"link set {name} up")
        if ipv6:
            space.ip(f"addr add {self.wan.net6}:1::{k:x}/64 dev {name}",
                     f"route add ::/0 via {self.wan.net6}:1::1")
            link.ip6 = f"{self.wan.net6}:1::{k:x}"
        self.address(link, k)
        return link

    def address(self, link, k=None):
        old, link.ip = link.ip, f"192.168.{self.net}.{k or next(self.ports)}"
        if old is not None:
            link.lower.ip(f"addr del {old}/24 dev {link.name}")
        link.lower.ip(f"addr add {link.ip}/24 dev {link.name}",
                      f"route replace default via 192.168.{self.net}.1")


class Host(Space):
    def __init__(self, lab, name, uplink, **wire):
        super().__init__(lab, name)
        self.names = itertools.count()
        self.uplink = None
        self.move(uplink, **wire)

    @property
    def ip_address(self):
        return self.link.ip

    @property
    def ip6(self):
        return self.link.ip6

    def move(self, uplink, **wire):
        """To another network: the old cable is pulled, then the new one put in."""
        if self.uplink is not None:
            self.link.cut()
        self.uplink = uplink
        self.link = uplink.attach(self, f"eth{next(self.names)}", **wire)

    def readdress(self):
        """Another address in the same network."""
        self.uplink.address(self.link)


class Lab:
    def __init__(self):
        require()
        self.spaces, self.processes, self.folders = [], [], []
        self.prefix = f"yr-{os.getpid()}-{next(serial)}"
        atexit.register(self.close)
        try:
            self.world = World(self)
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def space(self, name):
        return Space(self, name)

    def router(self, name, kind, uplink=None, **options):
        return Router(self, name, kind, uplink or self.world, **options)

    def host(self, name, uplink=None, **wire):
        return Host(self, name, uplink or self.world, **wire)

    def behind(self, name, kind, **options):
        """A host behind a router of its own, or an open one."""
        if kind == "open":
            return self.host(name)
        return self.host(name, self.router(f"r-{name}", kind, **options))

    def end(self, process):
        process.kill()
        process.communicate()
        if process in self.processes:
            self.processes.remove(process)

    def close(self):
        atexit.unregister(self.close)
        for process in list(self.processes):
            self.end(process)
        for space in self.spaces:
            remove(space.full_name)
        for folder in self.folders:
            shutil.rmtree(folder, ignore_errors=True)
        self.spaces.clear()


def remove(name):
    """A namespace of ours, and what still runs in it."""
    if not os.path.exists(f"/run/netns/{name}"):
        return
    for pid in subprocess.run(["ip", "netns", "pids", name], stdout=subprocess.PIPE, text=True).stdout.split():
        try:
            os.kill(int(pid), signal.SIGKILL)
        except ProcessLookupError:
            pass
    subprocess.run(["ip", "netns", "del", name], stderr=subprocess.DEVNULL)


def sweep():
    """What a lab left behind whose process was killed."""
    for entry in pathlib.Path("/run/netns").glob("yr-*"):
        owner = re.fullmatch(r"yr-(\d+)-.*", entry.name)
        if owner and not os.path.exists(f"/proc/{owner[1]}"):
            remove(entry.name)


checked = None  # "" when all is there, else what is missing


def require():
    """Skip the test where the machine cannot have a lab, and say why."""
    global checked
    if checked is None:
        checked = lacking()
        sweep()
    if checked:
        pytest.skip(checked)


def lacking():
    if os.geteuid() != 0:
        return "network namespaces want root"
    for tool in ("ip", "nft", "nsenter"):
        if shutil.which(tool) is None:
            return f"there is no {tool}"
    name = f"yr-{os.getpid()}-0-trial"
    try:
        run("ip", "netns", "add", name)
        run("ip", "-n", name, "link", "add", "one", "type", "veth", "peer", "name", "two")
        run("ip", "-n", name, "link", "add", "lan", "type", "bridge")
        run("nsenter", f"--net=/run/netns/{name}", "nft", "-f", "-", stdin="""table ip t {
            map m { type inet_service : ipv4_addr . inet_service; flags dynamic, timeout; timeout 9s; }
            chain a { type nat hook prerouting priority dstnat; dnat ip to udp dport map @m; }
            chain b { type nat hook postrouting priority srcnat; udp sport 1 masquerade fully-random; }
            chain c { type filter hook forward priority filter;
                update @m { udp sport : ct original ip saddr . ct original proto-src }; }
        }""")
    except (Missing, subprocess.TimeoutExpired) as e:
        return f"no namespaces here: {e}"
    finally:
        remove(name)
    return ""


def wait_until(condition, seconds=10, step=0.01):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(step)
