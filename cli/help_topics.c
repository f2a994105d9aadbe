/* cli/help_topics.c: what `yaari help TOPIC` says. */
#include <string.h>

#include "cli/help.h"
#include "cli/output.h"

static void environment(struct yr_buf *out)
{
    yr_buf_adds(
        out,
        "Environment\n\n"
        "  YAARI_PROFILE    as --profile\n"
        "  YAARI_HOME       keep everything under this folder: config/, data/, state/, run/\n"
        "  YAARI_SOCKET     as --socket\n"
        "  YAARI_CONFIG     the configuration file\n"
        "  YAARI_LOG        as yaarid --log\n"
        "  YAARI_PAGER, PAGER, LESS    how long output is shown\n"
        "  VISUAL, EDITOR   what `yaari config edit` runs\n"
        "  NO_COLOR, CLICOLOR_FORCE, TERM, COLUMNS, LINES, TZ, LC_*    presentation\n"
        "  XDG_CONFIG_HOME, XDG_DATA_HOME, XDG_STATE_HOME, XDG_RUNTIME_DIR, HOME    places\n\n"
        "A flag is stronger than the environment, the environment than the profile's file, the\n"
        "file than /etc/yaari/yaari.conf. `yaari config list --origin` shows which it was.\n");
}

static void exit_codes(struct yr_buf *out)
{
    yr_buf_adds(out, "Exit codes (sysexits)\n\n");
#define X(name, code, label, meaning) yr_buf_addf(out, "  %3d %-12s %s\n", code, label, meaning);
    YR_EXIT_MAP(X)
#undef X
    yr_buf_adds(out, "  128+n            ended by signal n (130: Ctrl-C)\n");
}

static void targets(struct yr_buf *out)
{
    yr_buf_adds(out,
                "Targets\n\n"
                "  bob          a friend by the name you see in `yaari friend list`\n"
                "  @bob         the same, and never anything else\n"
                "  @me          the note to yourself\n"
                "  garden       a room by the name you see in `yaari room list`\n"
                "  +garden      the same, and never anything else (#garden too, in quotes)\n"
                "  3f9a1c       a friend or room by the first 6 or more characters of the id\n\n"
                "Members of a room\n\n"
                "  bob          a friend, by the name you use\n"
                "  zed, ~zed    who is no friend, by the name of the member's own choice\n"
                "  7kq2mx       by the first 6 or more characters of the id: yaari room members\n\n"
                "Messages\n\n"
                "  d0w8rk       by the first 4 or more characters of the id: `yaari log --ids`\n\n"
                "What fits more than one fails with 65 and says the candidates.\n");
}

static void formatting(struct yr_buf *out)
{
    static const char *const types[] = {"friend", "room", "member", "message", "invite", "request",
                                        "unread", "peer", "check",  "addr",    "stats",  "config"};

    yr_buf_adds(
        out, "Output\n\n"
             "On a terminal: tables, times of your zone, colours (--color, NO_COLOR), a pager.\n"
             "In a pipe: lists as lines of fields parted by tabs, no heading; tab, newline and\n"
             "backslash in a field as \\t \\n \\\\; people as their names, a room with #; times "
             "with offset.\n"
             "With --json: one object a line, each with its type; errors as one object on stderr.\n"
             "Text of others is made safe in the first two, escaped in the third.\n\n"
             "The fields in a pipe:\n");
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        const char *const *fields = yr_record_fields(types[i]);

        yr_buf_addf(out, "  %-8s", types[i]);
        for (size_t k = 0; fields[k] != NULL; k++)
            yr_buf_addf(out, " %s", fields[k]);
        yr_buf_addc(out, '\n');
    }
    yr_buf_adds(out,
                "\nDurations: 90s 5m 2h 7d, or seconds. Times: 2026-11-21, 15:30, -2h, yesterday,\n"
                "or RFC 3339.\n");
}

static void bots(struct yr_buf *out)
{
    yr_buf_adds(
        out,
        "Bots\n\n"
        "  yaari init --name bot --no-input\n"
        "  yaari add \"$LINK\"\n"
        "  yaari tail --json --cursor cursor | while read -r message; do ...; done\n"
        "  yaari tail --cursor cursor --exec ./answer     # JSON on its stdin, no shell\n"
        "  echo \"deploy done\" | yaari send bob --wait delivered --timeout 20s\n"
        "  yaari tail bob -C 1 --timeout 30s              # wait for one; 75: none came\n"
        "  yaari rpc --stdio                              # JSON-RPC, as on the node's socket\n\n"
        "The cursor file is replaced after each message, whole or not at all: with --exec a bot\n"
        "that is killed anywhere sees each message again or for the first time, never not at\n"
        "all. In a pipe, what was written but not yet read is behind the cursor.\n");
}

static void privacy(struct yr_buf *out)
{
    yr_buf_adds(
        out, "Privacy\n\n"
             "Texts are encrypted from your node to your friend's. No server sees them, who your\n"
             "friends are, or that you exist; the networks between see that two addresses talk.\n"
             "Friends who moved find each other in the DHT, by records that only they can name\n"
             "and read; it does not learn who looks for whom (net.dht = off: stay out of it). A\n"
             "common friend may carry your sealed packets, and then knows that you two talk.\n"
             "An invite link makes whoever has it your friend, once: give it to one person, and\n"
             "compare fingerprints later (yaari friend verify). --no-hints keeps your addresses\n"
             "out of it. That you are away and when you were last here, that you are writing, and\n"
             "what you have read is told only to friends you allow: privacy.presence, typing and\n"
             "read_receipts (mutual), or yaari friend set F for one of them.\n"
             "At rest everything is sealed; with a passphrase (yaari init --passphrase-fd) the\n"
             "key is, too. What you delete is asked of your friend to be deleted there, which\n"
             "nobody can enforce.\n");
}

static void network(struct yr_buf *out)
{
    yr_buf_adds(
        out,
        "Network\n\n"
        "A friend is looked for where the last link was and where the friend said, in the local\n"
        "network, and in the DHT. Links go directly where the networks allow it, else through a\n"
        "common friend who is online: `yaari friend list` shows lan, direct or relay(carol).\n\n"
        "To be found anywhere a node has to know one node of the DHT to start from:\n\n"
        "  yaari peer add HOST:PORT/KEY     as whoever runs it sees it in `yaari net addrs`\n"
        "  yaarid --dht server              run one: yaarid(8), \"BOOTSTRAP NODE\"\n\n"
        "When something does not work:\n\n"
        "  yaari net check                  what works, what does not, what to do next\n"
        "  yaari why bob                    what was tried to reach bob, and what may help\n"
        "  yaari net path bob               the same with addresses and times\n"
        "  yaari config set net.port_mapping yes    ask the router to let friends in\n"
        "  yaari stats                      what it costs\n");
}

static const struct {
    const char *name;
    void (*write)(struct yr_buf *out);
} topics[] = {
    {"environment", environment}, {"exit-codes", exit_codes}, {"targets", targets},
    {"formatting", formatting},   {"network", network},       {"bots", bots},
    {"privacy", privacy},
};

bool yr_help_topic(struct yr_buf *out, const char *name)
{
    for (size_t i = 0; i < sizeof topics / sizeof topics[0]; i++)
        if (strcmp(topics[i].name, name) == 0) {
            topics[i].write(out);
            return true;
        }
    return false;
}

const char *yr_help_topic_at(size_t i)
{
    return i < sizeof topics / sizeof topics[0] ? topics[i].name : NULL;
}
