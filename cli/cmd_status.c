/* cli/cmd_status.c: status. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/cli.h"
#include "cli/common/json.h"

#define QUEUES_SHOWN 8 /* friends for whom messages wait */

/* ---- status ---- */

void yr_add_uptime(struct yr_buf *text, const json_t *status)
{
    const int64_t uptime_s = yr_json_int(status, "uptime_s", 0);

    if (uptime_s < 1) {
        yr_buf_adds(text, "just started");
        return;
    }
    yr_buf_adds(text, "up ");
    yr_span_add(text, uptime_s * 1000);
}

static void add_head(struct yr_buf *text, const json_t *status)
{
    const json_t *me = json_object_get(status, "identity");
    const char *state = yr_json_str(status, "state", "?");

    if (me != NULL) {
        yr_add_name(text, yr_json_str(me, "name", "?"));
        yr_buf_addf(text, " (yaari id %.8s)", yr_json_str(me, "id", ""));
    } else {
        yr_buf_adds(text, strcmp(state, "locked") == 0 ? "(locked)" : "(no identity)");
    }
    yr_buf_addf(text, "   %s", strcmp(state, "offline") == 0 ? "offline, " : "");
    yr_add_uptime(text, status);
    if (yr_json_bool(me, "away", false))
        yr_buf_adds(text, "   away");
    yr_buf_addf(text, "   profile %s\n", yr_json_str(status, "profile", "?"));
}

static void add_reachable(struct yr_buf *text, const json_t *status)
{
    const char *reachable = yr_json_str(status, "reachable", "unknown");
    const json_t *addr;
    size_t i;

    yr_buf_adds(text, "reachable   ");
    yr_buf_adds(text, strcmp(reachable, "direct") == 0 ? "directly"
                      : strcmp(reachable, "nat") == 0  ? "by friends"
                      : strcmp(reachable, "none") == 0 ? "from this network at most"
                                                       : "not known yet");
    json_array_foreach(json_object_get(status, "listen"), i, addr)
    {
        yr_buf_adds(text, i == 0 ? "   listens on " : ", ");
        yr_add_flat(text, json_string_value(addr));
    }
    yr_buf_addc(text, '\n');
}

static void add_dht(struct yr_buf *text, const json_t *dht)
{
    const char *mode = yr_json_str(dht, "mode", "off");
    const long long nodes = yr_json_int(dht, "nodes", 0), peers = yr_json_int(dht, "peers", 0);

    yr_buf_adds(text, "dht         ");
    if (strcmp(mode, "off") == 0)
        yr_buf_adds(text, "off");
    else
        yr_buf_addf(text, "%s, knows %lld %s",
                    yr_json_bool(dht, "serves", false) ? "server" : "client", nodes,
                    nodes == 1 ? "node" : "nodes");
    if (peers > 0)
        yr_buf_addf(text, ", %lld of %lld known %s answered",
                    (long long)yr_json_int(dht, "answered", 0), peers,
                    peers == 1 ? "peer" : "peers");
    yr_buf_addc(text, '\n');
}

/** A node that knows peers, none of which answers, finds nobody new. */
static bool nobody_answers(const json_t *status)
{
    const json_t *dht = json_object_get(status, "dht");

    return strcmp(yr_json_str(status, "state", ""), "ok") == 0 &&
           strcmp(yr_json_str(dht, "mode", "off"), "off") != 0 &&
           yr_json_int(dht, "peers", 0) > 0 && yr_json_int(dht, "answered", 0) == 0 &&
           yr_json_int(dht, "nodes", 0) == 0 && yr_json_int(status, "uptime_s", 0) >= 3;
}

/** "2 messages held for carol (at 1 friend), oldest 14 min" */
static void add_queued(struct yr_buf *text, const json_t *entry)
{
    const long long messages = yr_json_int(entry, "messages", 0),
                    held = yr_json_int(entry, "held", 0);
    const long long at = yr_json_int(entry, "held_at", 0);
    yr_ms oldest_ms;

    yr_buf_addf(text, "%lld %s ", messages, messages == 1 ? "message" : "messages");
    yr_buf_adds(text, held > 0 && held == messages ? "held for " : "for ");
    yr_add_ref(text, json_object_get(entry, "friend"));
    if (held > 0 && held < messages)
        yr_buf_addf(text, ", %lld held", held);
    if (held > 0)
        yr_buf_addf(text, " (at %lld %s)", at, at == 1 ? "friend" : "friends");
    if (yr_rfc3339_read(yr_json_str(entry, "oldest", ""), &oldest_ms) &&
        yr_wall_ms() - oldest_ms >= 1000) {
        yr_buf_adds(text, ", oldest ");
        yr_span_add(text, yr_wall_ms() - oldest_ms);
    }
    yr_buf_addc(text, '\n');
}

static void add_queue(struct yr_buf *text, const json_t *status)
{
    const long long queue = yr_json_int(status, "queue", 0);
    const json_t *queued = json_object_get(status, "queued"), *entry;
    size_t i;

    yr_buf_adds(text, "queue       ");
    if (json_array_size(queued) == 1) {
        add_queued(text, json_array_get(queued, 0));
        return;
    }
    yr_buf_addf(text, "%lld %s not yet delivered\n", queue, queue == 1 ? "message" : "messages");
    json_array_foreach(queued, i, entry)
    {
        if (i == QUEUES_SHOWN)
            break;
        yr_buf_adds(text, "            ");
        add_queued(text, entry);
    }
    if (json_array_size(queued) > QUEUES_SHOWN)
        yr_buf_addf(text, "            and for %zu others\n",
                    json_array_size(queued) - QUEUES_SHOWN);
}

void yr_show_status(struct yr_cli *cli, const json_t *status)
{
    const char *state = yr_json_str(status, "state", "ok");
    struct yr_buf text = {0};

    add_head(&text, status);
    add_reachable(&text, status);
    add_dht(&text, json_object_get(status, "dht"));
    yr_buf_addf(&text, "friends     %lld of %lld online\n",
                (long long)yr_json_int(status, "friends_online", 0),
                (long long)yr_json_int(status, "friends", 0));
    yr_buf_addf(&text, "rooms       %lld\n", (long long)yr_json_int(status, "rooms", 0));
    add_queue(&text, status);
    yr_buf_adds(&text, "unread      ");
    yr_add_unread(&text, status);
    yr_out_say(&cli->out, "%s", yr_buf_str(&text));
    yr_buf_clear(&text);
    if (yr_json_bool(status, "retired", false))
        yr_out_note(&cli->out,
                    "warning: this identity was restored from a backup elsewhere: this copy has "
                    "stopped for good\nhint: what is only here can still be read: yaari log");
    if (nobody_answers(status))
        yr_out_note(&cli->out, "warning: no known peer answers: friends who moved are not found\n"
                               "hint: yaari net check");
    if (yr_json_int(status, "requests", 0) > 0)
        yr_out_next(&cli->out, "hint: %lld %s for your answer: yaari request list",
                    (long long)yr_json_int(status, "requests", 0),
                    yr_json_int(status, "requests", 0) == 1 ? "invitation waits"
                                                            : "invitations wait");
    if (strcmp(state, "no_identity") == 0)
        yr_out_next(&cli->out, "hint: no identity yet: yaari init");
    if (strcmp(state, "locked") == 0)
        yr_out_next(&cli->out, "hint: the vault is locked: yaari key unlock");
    if (yr_json_bool(status, "store_failing", false))
        yr_out_next(&cli->out, "hint: the store cannot be written: yaari daemon logs");
}

static enum yr_exit show_once(struct yr_cli *cli)
{
    enum yr_exit exit;
    json_t *status = yr_cli_record(cli, "net.status", NULL, &exit);

    if (status != NULL)
        yr_show_status(cli, status);
    json_decref(status);
    return exit;
}

/** Again at every change, at most once a second; changes that come close together count as one. */
static enum yr_exit watch(struct yr_cli *cli)
{
    const yr_ms deadline = cli->timeout_given ? yr_wall_ms() + cli->timeout_ms : 0;
    struct yr_client_error err = {0};
    enum yr_exit exit = yr_cli_connect(cli);

    if (exit == YR_EXIT_OK && !yr_client_subscribe(cli->client, NULL, NULL, &err))
        exit = yr_cli_error(cli, &err);
    while (exit == YR_EXIT_OK) {
        const yr_ms left = deadline - yr_wall_ms();
        json_t *event;

        exit = show_once(cli);
        if (exit != YR_EXIT_OK || fflush(stdout) != 0)
            break;
        event = yr_client_next_event(cli->client,
                                     deadline == 0 ? -1
                                     : left < 0    ? 0
                                                   : (int)left,
                                     &err);
        if (event == NULL && err.exit == YR_EXIT_TEMPFAIL) {
            yr_client_error_clear(&err);
            return YR_EXIT_OK;
        }
        if (event == NULL && err.exit != 0)
            return yr_cli_error(cli, &err);
        json_decref(event);
        nanosleep(&(struct timespec){.tv_sec = 1}, NULL);
        while ((event = yr_client_next_event(cli->client, 0, &err)) != NULL)
            json_decref(event);
        yr_client_error_clear(&err);
        yr_out_say(&cli->out, "%s", "");
    }
    return exit;
}

enum yr_exit yr_cmd_status(struct yr_cli *cli)
{
    return YR_ARG(cli, status_watch) != NULL ? watch(cli) : show_once(cli);
}
