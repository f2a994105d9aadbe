"""`yaari chat` on real terminals: what a person sees, and what is left behind."""

import os
import re
import signal
import subprocess
import termios
import time

import pexpect
import pyte
import pytest

import yaari
from yaari import YAARI, wait_for

ALT_A = "\x1ba"
CTRL_C = "\x03"
CTRL_D = "\x04"
CTRL_Z = "\x1a"
ESC = "\x1b"
LEFT = "\x1b[D"
PAGE_UP = "\x1b[5~"
UP = "\x1b[A"

# All that may reach a terminal beside text: see cli/edit.h, and colours.
OURS = re.compile(
    rb"\x1b\[(?:[0-9;]*m|K|J|[0-9]{1,4}D|\?7[hl]|\?2004[hl]|H\x1b\[2J)"
)


class Chat:
    """A `yaari chat` on a terminal of its own."""

    def __init__(self, node, *args, columns=80, rows=24, term="xterm-256color", env=None, argv=None):
        self.node = node
        self.pty = pexpect.spawn(
            *(argv or (YAARI, ["chat", *args])),
            env={**node.env, "TERM": term, **(env or {})},
            dimensions=(rows, columns), timeout=yaari.TIMEOUT, encoding=None)
        self.screen = pyte.HistoryScreen(columns, rows, history=5000)
        self.stream = pyte.ByteStream(self.screen)
        self.raw = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.pty.isalive():
            self.pty.terminate(force=True)
        self.pty.close()

    def pump(self, seconds=0.02):
        """Take in what it writes; False once it has ended."""
        end = time.monotonic() + seconds
        while True:
            try:
                data = self.pty.read_nonblocking(65536, max(0, end - time.monotonic()))
                self.raw += data
                self.stream.feed(data)
            except pexpect.TIMEOUT:
                return True
            except pexpect.EOF:
                return False

    def send(self, keys):
        self.pty.send(keys)

    def enter(self, line):
        self.send(line + "\r")

    @property
    def rows(self):
        """All rows there ever were, the scrolled ones too, without the blanks at their ends."""
        gone = ["".join(row[i].data for i in range(self.screen.columns)).rstrip()
                for row in self.screen.history.top]
        rows = gone + [row.rstrip() for row in self.screen.display]
        while rows and not rows[-1]:
            rows.pop()
        return rows

    @property
    def text(self):
        return "\n".join(self.rows)

    @property
    def last(self):
        """The row that is edited."""
        return self.screen.display[self.screen.cursor.y].rstrip()

    def see(self, pattern, seconds=15):
        """Wait until a row matches; gives back the match."""
        def found():
            self.pump()
            return re.search(pattern, self.text, re.MULTILINE)
        try:
            return wait_for(found, seconds)
        except AssertionError:
            pytest.fail(f"no {pattern!r} on the screen:\n{self.text}")

    def settle(self, pattern, seconds=15):
        """Wait until the edited row matches."""
        def found():
            self.pump()
            return re.search(pattern, self.last)
        try:
            return wait_for(found, seconds)
        except AssertionError:
            pytest.fail(f"the row is not {pattern!r}:\n{self.text}")

    def end(self):
        """Wait until it has ended; its exit code, negative for a signal."""
        wait_for(lambda: not self.pump())
        self.pty.wait()
        return self.pty.exitstatus if self.pty.signalstatus is None else -self.pty.signalstatus

    def cooked(self):
        """Is the terminal as a shell wants it?"""
        flags = termios.tcgetattr(self.pty.child_fd)
        wanted = termios.ICANON | termios.ECHO | termios.ISIG
        return flags[3] & wanted == wanted and flags[1] & termios.OPOST != 0


def online(node, count=1):
    return node.ok("friend", "list", "--online").out.count("\n") == count


@pytest.fixture(scope="module")
def trio():
    """alice, and her friends bob and carol; she calls them so."""
    home = yaari.new_home()
    nodes = [yaari.Node(home / name[0], name) for name in ("alice", "bob", "carol")]
    alice, bob, carol = nodes
    try:
        for node in nodes:
            node.init()
        for friend in (bob, carol):
            alice.befriend(friend)
            friend.ok("friend", "rename", "alice", "alice")
            alice.ok("friend", "rename", friend.name, friend.name)
        wait_for(lambda: online(alice, 2) and online(bob) and online(carol), 30)
        yield nodes
    finally:
        for node in nodes:
            node.close()
        yaari.remove(home)


def quiet(node):
    """Nothing is unread."""
    node.run("inbox", "--mark-read")


# ---- talking ----------------------------------------------------------------------------------


def test_two_people_talk(trio):
    alice, bob, _ = trio
    with Chat(alice, "bob") as a, Chat(bob, "alice") as b:
        a.see(r"^alice@default → bob \(online\) .*type /help")
        b.settle("^alice>$")
        a.enter("did it arrive?")
        b.see(r"^\d\d:\d\d alice: did it arrive\?$")
        b.enter("yes, thanks")
        a.see(r"^\d\d:\d\d me: did it arrive\?$")
        a.see(r"^\d\d:\d\d bob: yes, thanks$")
        a.settle("^bob>$")


def test_incoming_lines_never_tear_the_one_being_typed(trio):
    alice, bob, _ = trio
    with Chat(alice, "bob") as a:
        a.settle("^bob>$")
        a.send("half a line" + LEFT * 4)
        a.settle("half a line$")
        lines = [f"burst {i} of some lines 日本 that are long enough to be folded on a row of 80"
                 for i in range(40)]
        sender = subprocess.Popen([YAARI, "send", "alice", "--each-line"], env=bob.env,
                                  stdin=subprocess.PIPE)
        sender.stdin.write("\n".join(lines).encode())
        sender.stdin.close()
        for _ in range(20):
            a.send("x" + LEFT)
            a.pump(0.05)
        assert sender.wait() == 0
        a.see("burst 39 ")
        a.settle(r"^bob> half a x{20}line$")
        assert a.screen.cursor.x == len("bob> half a ")
        shown = re.sub(r"\n      ", " ", a.text)
        for line in lines:
            assert shown.count(f"bob: {line}\n") == 1, line
        assert all(re.match(r"\d\d:\d\d |      |-- |bob> |alice@", row) for row in a.rows), a.text
        a.send(CTRL_C)


def test_history_and_what_is_unread(trio):
    alice, bob, _ = trio
    quiet(alice)
    for i in range(25):
        alice.ok("send", "bob", f"old {i}")
    bob.ok("send", "alice", "new one")
    bob.ok("send", "alice", "new two")
    wait_for(lambda: "bob" in alice.ok("inbox").out)
    with Chat(alice, "bob") as a:
        a.see(r"^-- 2 unread --$")
        a.see(r"^\d\d:\d\d bob: new two$")
        assert "old 6\n" not in a.text and "me: old 7\n" in a.text
        wait_for(lambda: alice.run("inbox", "--check").exit == 1)
        a.send(PAGE_UP)
        a.see(r"^-- earlier --$")
        a.see(r"me: old 6$")
        a.enter("/log 3 --numbers")
        a.see(r"%1 me: old 24\n.*%2 bob: new one\n.*%3 bob: new two")
        a.enter("/react %2 👍")
        a.see(r"^-- me reacted 👍 \"new one\"$")
    assert alice.json("log", "bob", "-n", "2")[0]["reactions"][0]["emoji"] == "👍"


def test_several_conversations(trio):
    alice, bob, carol = trio
    quiet(alice)
    with Chat(alice, "bob") as a:
        a.settle("^bob>$")
        carol.ok("send", "alice", "from carol")
        a.see(r"^-- carol \(1\) --$")
        assert "from carol" not in a.text
        carol.ok("send", "alice", "again from carol")
        a.pump(1)
        assert "carol (2)" not in a.text  # at most every ten seconds
        a.send("a draft")
        a.send(ALT_A)
        a.see(r"^\d\d:\d\d carol: again from carol$")
        a.settle("^carol>$")
        a.enter("/list")
        a.see(r"^-- carol \(online\) <- here$")
        a.send("/to bo\t")
        a.settle("^carol> /to bob$")
        a.send("\r")
        a.settle("^bob> a draft$")
        a.send(CTRL_C)
        a.enter("/next")
        a.see(r"^-- nothing unread$")
        a.enter("/close")
        a.settle("^carol>$")
        a.enter("/to @me")
        a.settle("^note to self>$")
        a.enter("remember the milk")
        a.see("me: remember the milk$")


def test_without_a_target_it_begins_where_something_is_unread(trio):
    alice, bob, carol = trio
    quiet(alice)
    alice.ok("send", "bob", "to bob")
    carol.ok("send", "alice", "look here")
    wait_for(lambda: "carol" in alice.ok("inbox").out)
    with Chat(alice) as a:
        a.settle("^carol>$")
    with Chat(alice) as a:  # nothing is unread: the last one
        a.settle("^carol>$")


def test_two_chats_of_one_node_show_the_same(trio):
    alice, _, _ = trio
    with Chat(alice, "bob") as one, Chat(alice, "bob") as two:
        one.settle("^bob>$")
        two.settle("^bob>$")
        one.enter("seen in both")
        one.see("me: seen in both$")
        two.see("me: seen in both$")


# ---- commands ---------------------------------------------------------------------------------


def test_reply_edit_react_and_delete(trio):
    alice, bob, _ = trio
    with Chat(alice, "bob") as a, Chat(bob, "alice") as b:
        a.settle("^bob>$")
        b.settle("^alice>$")
        a.enter("the first text")
        b.see("alice: the first text$")
        b.enter("/react 👍")
        a.see(r"^-- bob reacted 👍 \"the first text\"$")
        b.enter("/reply an answer")
        a.see(r"bob: \(re: the first text\) an answer$")
        a.enter("s/first/corrected/")
        b.see(r"^-- alice edited \"the first text\": the corrected text$")
        a.enter("/edit a whole new text")
        b.see(r"^-- alice edited \"the corrected text\": a whole new text$")
        a.enter("/me waves")
        b.see(r"^\d\d:\d\d \* alice waves$")
        a.enter("/delete")
        b.see(r"^-- alice deleted \"waves\"$")
        a.enter("s/nothing/like this/")
        a.see("^yaari: your last message does not have that text$")
        a.enter("/why")
        a.see("^-- to bob: ")
        a.enter("/whois")
        a.see("^-- bob .*calls itself bob")


def test_an_unknown_command_is_never_sent(trio):
    alice, bob, _ = trio
    with Chat(alice, "bob") as a:
        a.settle("^bob>$")
        a.enter("/qiut secret words")
        a.see("^yaari: no command '/qiut'$")
        a.see("^hint: did you mean '/quit'\\?")
        for later in ("/ban x", "/search x", "/send file"):
            a.enter(later)
            a.see(f"^yaari: no command '{later.split()[0]}'$")
        a.enter("//literally")
        a.see("me: /literally$")
        a.enter("  /quit")
        a.see("^-- a text that starts with a slash")
        a.settle("^bob>   /quit$")
        a.send("\r")
        a.see("me:   /quit$")
    wait_for(lambda: "  /quit" in bob.texts("alice", "-n", "2"))
    assert bob.texts("alice", "-n", "2") == ["/literally", "  /quit"]
    assert not any("secret" in text or "join" in text for text in bob.texts("alice"))


def test_help_knows_every_command_and_every_topic(trio):
    alice, _, _ = trio
    with Chat(alice, "bob", rows=60) as a:
        a.settle("^bob>$")
        a.enter("/help")
        a.see("^-- other: ")
        told = [row for row in a.rows if re.match("-- [a-z]+: /|   /", row)]
        words = set(re.findall(r"/(\w+)", "\n".join(told))) - {"help"}
        assert {"to", "reply", "log", "friends", "status"} <= words
        for word in sorted(words):
            a.enter(f"/help {word}")
            a.see(f"^-- /{word}[ ,:]")
        for topic in ("moving", "writing", "history", "people", "rooms", "other"):
            a.enter(f"/help {topic}")
        a.see("^-- /raw JSON: ")
        assert "no help about" not in a.text


def test_a_paste_of_several_lines_is_one_message(trio):
    alice, bob, _ = trio
    with Chat(alice, "bob") as a:
        a.settle("^bob>$")
        a.send("\x1b[200~one\ntwo\nthree\x1b[201~")
        a.see("^Paste 3 lines\\? Enter send · Esc drop$")
        a.settle("^bob> one↵two↵three$")
        a.send(ESC)
        a.settle("^bob>$")
        a.send("\x1b[200~/quit\r\n\x1b]0;title\x07\x1b[201~")
        a.settle("^bob> /quit↵")
        a.send(CTRL_C)
        a.send("code: \x1b[200~{\n\tx\n}\x1b[201~")
        a.settle("^bob> code: {↵")
        a.send("\r")
        a.see(r"me: code: {\n +x\n +}$")
    wait_for(lambda: "code: {\n\tx\n}" in bob.texts("alice", "-n", "1"))


def test_compose_writes_in_the_users_editor(trio, tmp_path):
    alice, _, _ = trio
    script = tmp_path / "editor"
    script.write_text("#!/bin/sh\nprintf '%s, and\\nmore\\n' \"$(cat \"$1\")\" > \"$1.new\"\n"
                      "mv \"$1.new\" \"$1\"\n")
    script.chmod(0o700)
    with Chat(alice, "bob", env={"VISUAL": str(script)}) as a:
        a.settle("^bob>$")
        a.enter("/compose begun here")
        a.settle("^bob> begun here, and↵more$")
        a.send("\r")
        a.see(r"me: begun here, and\n +more$")
    assert not list((alice.home / "run" / "yaari").glob("compose-*"))


def test_settings_and_raw_calls(trio):
    alice, _, _ = trio
    with Chat(alice, "bob") as a:
        a.settle("^bob>$")
        a.enter("/set ui.time iso")
        a.see("^-- ui.time = iso")
        a.enter("with another time")
        a.see(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00 me: with another time$")
        a.enter("/set ui.time short")
        a.see("^-- ui.time = short")
        a.enter('/raw {"method":"read.get"}')
        a.see(r'^{"unread":\[')
        a.enter("/raw nonsense")
        a.see("^yaari: not JSON")


# ---- when things go wrong ---------------------------------------------------------------------


def test_it_goes_on_when_the_node_comes_back(trio):
    alice, bob, _ = trio
    with Chat(alice, "bob") as a, Chat(bob, "alice") as b:
        a.settle("^bob>$")
        b.settle("^alice>$")
        a.enter("before")
        b.see("alice: before$")
        alice.kill9()
        a.see("^-- the node went away; waiting for it")
        b.enter("while you were away")
        a.enter("not lost")
        a.see("^yaari: the node is not there")
        a.settle("^bob> not lost$")
        alice.start()
        a.see("^-- the node is back$", 30)
        a.see("bob: while you were away$", 30)
        a.settle("^bob> not lost$")
        a.send("\r")
        b.see("alice: not lost$", 30)
        a.see("me: not lost$")
        for text in ("before", "while you were away", "not lost"):
            assert sum(row.endswith(f": {text}") for row in a.rows) == 1, a.text
    wait_for(lambda: online(alice, 2), 30)


def test_a_node_that_does_not_answer_is_waited_for_or_given_up(trio):
    alice, bob, _ = trio
    with Chat(alice, "bob") as a:
        a.settle("^bob>$")
        os.kill(alice.pid, signal.SIGSTOP)
        try:
            a.enter("into the silence")
            a.see("^-- the node does not answer; Ctrl-C stops waiting$", 5)
            a.send(CTRL_C)
            a.see("^yaari: no answer in time$", 5)
            a.settle("^bob> into the silence$")
            a.send("\r")  # once more: the node knows it for the same text
            a.send("typed meanwhile")
        finally:
            time.sleep(0.5)
            os.kill(alice.pid, signal.SIGCONT)
        a.see("me: into the silence$")
        a.settle("^bob> typed meanwhile$")
        a.enter("")
        a.see("me: typed meanwhile$")
    wait_for(lambda: "typed meanwhile" in bob.texts("alice", "-n", "1"))
    assert bob.texts("alice").count("into the silence") == 1


def test_ctrl_c_ends_a_chat_that_waits_for_its_node_to_begin(trio):
    alice, _, _ = trio
    with Chat(alice, "bob") as a:
        a.settle("^bob>$")
        alice_pid = alice.pid
    os.kill(alice_pid, signal.SIGSTOP)
    try:
        with Chat(alice, "bob") as a:
            time.sleep(0.5)
            begun = time.monotonic()
            a.send(CTRL_C)
            assert a.end() in (130, -signal.SIGINT)
            assert time.monotonic() - begun < 3
    finally:
        os.kill(alice_pid, signal.SIGCONT)


def test_what_waits_is_told(trio):
    alice, _, carol = trio
    carol.stop()
    wait_for(lambda: online(alice, 1), 120)
    with Chat(alice, "carol") as a:
        a.see(r"→ carol \(offline\)")
        a.enter("are you there?")
        a.see("^-- not delivered yet: carol is offline")
        carol.start()
        a.see("^-- carol is online$", 60)
    wait_for(lambda: "are you there?" in carol.texts("alice", "-n", "1"), 30)


def test_a_target_that_is_not_there(trio):
    alice, _, _ = trio
    with Chat(alice, "bbo") as a:
        assert a.end() == 67
        assert "yaari: no friend or room named 'bbo'" in a.text and "did you mean 'bob'?" in a.text
        assert a.cooked()
    result = alice.run("chat", "bob", "--json")
    assert result.exit == 64 and '"exit":64' in result.err


def test_without_a_node(nodes):
    node = nodes("dora")
    result = node.run("chat", "--no-autostart", stdin="hi\n")
    assert result.exit == 69, result
    assert result.out == "" and result.err.startswith("yaari: ")


def test_from_no_friends_to_talking(nodes):
    dora, erik = nodes("dora").init(), nodes("erik").init()
    with Chat(dora, rows=40) as d, Chat(erik, rows=40) as e:
        d.see("^-- no friends yet: /invite makes a link")
        d.enter("too early")
        d.see("^yaari: no conversation is open$")
        d.send(CTRL_C)
        d.enter("/invite")
        link = re.sub(r"\s", "", d.see(r"yaari:i/[0-9a-z\n ]+(?=\n)").group().split("\n\n")[0])
        link = re.match(r"yaari:i/[0-9a-z]+", link).group()
        e.settle("^>$")
        e.enter(f"/add {link}")
        e.see("^-- ~dora is your friend now$", 30)
        d.see("^-- ~erik is your friend now$", 30)
        e.settle("^~dora>$")
        e.enter("here we are")
        d.see(r"~erik: here we are$")
        d.enter("/rename erik")
        d.settle("^erik>$")
        d.enter("/verify")
        groups = d.see(r"((?:\d{5} +){5}\d{5}\n +){1}(?:\d{5} +){5}\d{5}").group().split()
        e.enter("/verify")
        e.see(re.escape(groups[0]))
        d.enter("/verify yes")
        d.see("^-- erik is verified$")


# ---- the terminal -----------------------------------------------------------------------------


@pytest.mark.parametrize("keys, code", [
    (CTRL_D, 0), (CTRL_C + CTRL_C, 0), ("/quit\r", 0), ("draft" + CTRL_C + CTRL_C + CTRL_C, 0),
])
def test_leaving_gives_the_terminal_back(trio, keys, code):
    with Chat(trio[0], "bob") as a:
        a.settle("^bob>$")
        assert not a.cooked()
        a.send(keys)
        assert a.end() == code
        assert a.cooked()
        assert a.raw.rstrip().endswith(b"\x1b[?2004l")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT])
def test_a_signal_gives_the_terminal_back(trio, number):
    with Chat(trio[0], "bob") as a:
        a.settle("^bob>$")
        a.send("draft")
        a.settle("draft$")
        os.kill(a.pty.pid, number)
        assert a.end() == 128 + number
        assert a.cooked()
        assert a.raw.rstrip().endswith(b"\x1b[?2004l")


def test_suspend_and_back(trio):
    with Chat(trio[0], argv=("/bin/bash", ["--norc", "--noediting", "-i"]), env={"PS1": "sh$ "}) as a:
        a.see(r"^sh\$")
        a.enter(f"{YAARI} chat bob")
        a.settle("^bob>$")
        a.send("draft")
        a.settle("draft$")
        a.send(CTRL_Z)
        a.see("Stopped")
        assert a.cooked()
        a.send("echo $((6 * 7))\n")
        a.see("^42$")
        a.send("fg\n")
        a.settle("^bob> draft$")
        a.send("!")
        a.settle("^bob> draft!$")
        chat = int(subprocess.check_output(["pgrep", "-P", str(a.pty.pid), "-x", "yaari"]))
        os.kill(chat, signal.SIGTSTP)  # by another
        wait_for(lambda: a.pump() and a.text.count("Stopped") == 2)
        assert a.cooked()
        a.send("fg\n")
        a.settle("^bob> draft!$")
        a.send(CTRL_C + CTRL_D)
        a.see(r"sh\$$")


def test_a_resize_draws_the_row_anew(trio):
    alice, bob, _ = trio
    with Chat(alice, "bob") as a:
        a.settle("^bob>$")
        a.send("a line of some length that will not fit")
        a.settle("fit$")
        a.pty.setwinsize(24, 30)
        a.screen.resize(24, 30)
        a.settle("^bob> <.*fit$")
        bob.ok("send", "alice", "a text that is folded at the new width now")
        a.see(r"bob: a text that is\n      folded")
        a.pty.setwinsize(24, 100)
        a.screen.resize(24, 100)
        a.settle("^bob> a line of some length that will not fit$")
        a.send(CTRL_C)


@pytest.mark.parametrize("columns, rows", [(40, 10), (20, 5), (10, 3)])
def test_small_terminals(trio, columns, rows):
    alice, bob, _ = trio
    with Chat(alice, "bob", columns=columns, rows=rows) as a:
        a.settle("^(bob)?>$|^$")
        a.enter("hi from a small one")
        wait_for(lambda: a.pump() and "small" in a.text)
        wait_for(lambda: bob.texts("alice", "-n", "1") == ["hi from a small one"])
        a.send("x" * 60)
        a.settle("x$")
        assert a.screen.cursor.x < columns


def test_only_our_own_sequences_reach_the_terminal(trio):
    alice, bob, _ = trio
    hostile = ["\x1b[31mred", "\x1b]0;title\x07", "\x9b2J", "a\u202egpj.exe", "\x1bP1$r\x1b\\",
               "over\rwritten", "\b\b\b", "zalgo" + "\u0301" * 40, "\u2066isolate", "x\u2028y",
               "15:46 carol: \n15:46 carol: I owe you", "\x7f\x7f", "\U000e0041\U000e0042"]
    alice.ok("config", "set", "ui.bell", "no")  # what rings now is not ours
    with Chat(alice, "bob", columns=60) as a:
        a.settle("^bob>$")
        for text in hostile:
            bob.ok("send", "alice", stdin=text)
            a.send(text.replace("\r", "").replace("\x03", ""))  # and typed
            a.pump(0.05)
        bob.ok("send", "alice", "end of it")
        a.see("bob: end of it$")
        a.send("\x15" + UP)
        a.pump(0.3)
        rest = OURS.sub(b"", a.raw).decode()  # raises if it is no UTF-8
        unsafe = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028-\u202e]")
        assert not unsafe.search(rest), ascii(rest)
        assert rest.count("\u2066") == rest.count("\u2069")
        assert not re.search(r"^15:46 carol", a.text, re.MULTILINE)
        assert "␛[31mred" in a.text
        a.send(CTRL_C)
    alice.ok("config", "unset", "ui.bell")


def test_the_bell_rings_for_a_friend_unless_muted(trio):
    alice, bob, carol = trio
    with Chat(alice, "bob") as a:
        a.settle("^bob>$")
        carol.ok("send", "alice", "psst")
        a.see(r"^-- carol \(\d+\) --$")
        assert a.raw.count(b"\a") == 1
        a.enter("/mute")
        a.see("^-- bob is muted$")
        time.sleep(3)
        bob.ok("send", "alice", "in silence")
        a.see("bob: in silence$")
        assert a.raw.count(b"\a") == 1
        a.enter("/mute off")
        a.see("^-- bob is heard again$")
    quiet(alice)


def test_plain_lines_without_a_terminal(trio):
    alice, bob, _ = trio
    done = alice.ok("chat", "bob", stdin="one line\n/me waves\n/nosuch\nno end")
    assert "\x1b" not in done.out
    assert re.search(r"^\d\d:\d\d me: one line$", done.out, re.MULTILINE)
    assert "yaari: no command '/nosuch'" in done.out
    wait_for(lambda: bob.texts("alice", "-n", "3") == ["one line", "waves", "no end"])


def test_a_dumb_terminal_gets_plain_lines(trio):
    alice, bob, _ = trio
    with Chat(alice, "bob", term="dumb") as a:
        a.see("^alice@default → bob")
        a.send("from a dumb one\n")
        a.see("me: from a dumb one$")
        bob.ok("send", "alice", "to a dumb one")
        a.see("bob: to a dumb one$")
        a.send(CTRL_D)
        assert a.end() == 0
        assert b"\x1b" not in a.raw


def test_a_terminal_that_is_not_utf8(trio):
    alice, bob, _ = trio
    with Chat(alice, "bob", env={"LC_ALL": "C"}) as a:
        a.see(r"^alice@default -> bob")
        bob.ok("send", "alice", "naïve 👍")
        a.see(r"bob: na\?ve \?$")
        assert all(byte < 0x80 for byte in a.raw)


def test_no_color_means_no_colour(trio):
    with Chat(trio[0], "bob", env={"NO_COLOR": "1"}) as a:
        a.settle("^bob>$")
        a.enter("/status")
        a.see("^-- node ok")
        assert not re.search(rb"\x1b\[[0-9;]*m", a.raw)
    with Chat(trio[0], "bob") as a:
        a.settle("^bob>$")
        a.enter("/status")
        a.see("^-- node ok")
        assert re.search(rb"\x1b\[[0-9;]*m", a.raw)
