/* cli/cmd_status.c: status, ping, peer. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/cli.h"
#include "cli/common/json.h"

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
    yr_buf_addf(text, "   profile %s\n", yr_json_str(status, "profile", "?"));
}

static void add_reachable(struct yr_buf *text, const json_t *status)
{
    const char *reachable = yr_json_str(status, "reachable", "none");
    const json_t *addr;
    size_t i;

    yr_buf_adds(text, "reachable   ");
    yr_buf_adds(text, strcmp(reachable, "direct") == 0 ? "directly"
                      : strcmp(reachable, "nat") == 0  ? "behind NAT: only friends can be dialled"
                                                       : "from this network at most");
    json_array_foreach(json_object_get(status, "listen"), i, addr)
    {
        yr_buf_adds(text, i == 0 ? "   listens on " : ", ");
        yr_add_flat(text, json_string_value(addr));
    }
    yr_buf_addc(text, '\n');
}

void yr_show_status(struct yr_cli *cli, const json_t *status)
{
    const long long queue = yr_json_int(status, "queue", 0);
    const char *state = yr_json_str(status, "state", "ok");
    struct yr_buf text = {0};

    add_head(&text, status);
    add_reachable(&text, status);
    yr_buf_addf(&text, "friends     %lld of %lld online\n",
                (long long)yr_json_int(status, "friends_online", 0),
                (long long)yr_json_int(status, "friends", 0));
    yr_buf_addf(&text, "rooms       %lld\n", (long long)yr_json_int(status, "rooms", 0));
    yr_buf_addf(&text, "queue       %lld %s not yet delivered\n", queue,
                queue == 1 ? "message" : "messages");
    yr_buf_adds(&text, "unread      ");
    yr_add_unread(&text, status);
    yr_out_say(&cli->out, "%s", yr_buf_str(&text));
    yr_buf_clear(&text);
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

/* ---- ping ---- */

static void show_ping(struct yr_cli *cli, const char *name, const json_t *ping)
{
    struct yr_buf line = {0};
    const json_t *ms;
    size_t i;

    yr_add_name(&line, name);
    yr_buf_addf(&line, ": %s", yr_json_str(ping, "path", "-"));
    json_array_foreach(json_object_get(ping, "ms"), i, ms) yr_buf_addf(&line, "%s%.1f ms",
                                                                       i == 0          ? " "
                                                                       : cli->out.utf8 ? " \u00b7 "
                                                                                       : ", ",
                                                                       json_number_value(ms));
    if (yr_json_int(ping, "lost", 0) > 0)
        yr_buf_addf(&line, "  %lld lost", (long long)yr_json_int(ping, "lost", 0));
    yr_out_say(&cli->out, "%s", yr_buf_str(&line));
    yr_buf_clear(&line);
}

/** One round trip, added to `total`.  An unreachable friend is a lost one; *err keeps why. */
static enum yr_exit ping_once(struct yr_cli *cli, const char *friend, json_t *total,
                              struct yr_client_error *err)
{
    json_t *ping =
        yr_client_call(cli->client, "net.ping", json_pack("{s:s}", "friend", friend), err);

    if (ping != NULL) {
        json_array_extend(json_object_get(total, "ms"), json_object_get(ping, "ms"));
        json_object_set(total, "path", json_object_get(ping, "path"));
        json_object_set_new(
            total, "lost",
            json_integer(yr_json_int(total, "lost", 0) + yr_json_int(ping, "lost", 0)));
        json_decref(ping);
        return YR_EXIT_OK;
    }
    if (err->exit != YR_EXIT_NOHOST && err->exit != YR_EXIT_TEMPFAIL)
        return yr_cli_error(cli, err);
    json_object_set_new(total, "lost", json_integer(yr_json_int(total, "lost", 0) + 1));
    return YR_EXIT_OK;
}

enum yr_exit yr_cmd_ping(struct yr_cli *cli)
{
    struct yr_client_error err = {0};
    json_t *friend, *total;
    int64_t count;
    const char *id;
    enum yr_exit exit = yr_cli_number(cli, YR_F_ping_count, 4, 1000000, &count);

    if (exit != YR_EXIT_OK)
        return exit;
    friend =
        yr_cli_call(cli, "friend.get", json_pack("{s:s}", "friend", yr_operand(cli, 0)), &exit);
    if (friend == NULL)
        return exit;
    id = yr_json_str(friend, "id", "");
    total = json_pack("{s:s, s:s, s:s, s:[], s:i}", "type", "ping", "friend", id, "path", "direct",
                      "ms", "lost", 0);
    for (int64_t i = 0; exit == YR_EXIT_OK && i < count; i++) {
        if (i > 0)
            nanosleep(&(struct timespec){.tv_sec = 1}, NULL);
        exit = ping_once(cli, id, total, &err);
        if (err.exit == YR_EXIT_NOHOST)
            break; // there is no link: more of them would say the same
    }
    if (exit == YR_EXIT_OK && count > 0 && json_array_size(json_object_get(total, "ms")) == 0) {
        exit = YR_EXIT_NOHOST;
        yr_out_error(&cli->out, YR_EXIT_NOHOST, YR_RPC_UNREACHABLE, "unreachable",
                     err.message[0] == '\0' ? "no answer" : err.message,
                     err.hint[0] == '\0' ? "yaari why FRIEND" : err.hint, NULL);
    } else if (exit == YR_EXIT_OK) {
        yr_out_json(&cli->out, total);
        show_ping(cli, yr_json_str(friend, "name", "?"), total);
    }
    yr_client_error_clear(&err);
    json_decref(total);
    json_decref(friend);
    return exit;
}

/* ---- peer ---- */

static void peer_row(struct yr_table *table, const json_t *peer)
{
    struct yr_buf cell = {0};

    yr_add_flat(&cell, yr_json_str(peer, "addr", ""));
    yr_table_add(table, YR_ROLE_NONE, yr_buf_str(&cell));
    yr_table_add(table, YR_ROLE_NONE, yr_json_str(peer, "role", ""));
    yr_buf_cut(&cell, 0);
    if (json_is_number(json_object_get(peer, "rtt_ms")))
        yr_buf_addf(&cell, "%.1f ms", json_number_value(json_object_get(peer, "rtt_ms")));
    else
        yr_buf_addc(&cell, '-');
    yr_table_add(table, YR_ROLE_NONE, yr_buf_str(&cell));
    yr_buf_clear(&cell);
}

enum yr_exit yr_cmd_peer_list(struct yr_cli *cli)
{
    static const char *const heads[] = {"ADDRESS", "ROLE", "ROUND TRIP"};
    struct yr_table table = yr_table_init(3, heads);
    enum yr_exit exit;
    json_t *list = yr_cli_call(cli, "peer.list", NULL, &exit), *peer;
    size_t i;

    json_array_foreach(json_object_get(list, "peers"), i, peer) if (yr_out_human(&cli->out))
        peer_row(&table, peer);
    else yr_out_record(&cli->out, peer);
    yr_table_print(&cli->out, &table);
    json_decref(list);
    return exit;
}

enum yr_exit yr_cmd_peer_add(struct yr_cli *cli)
{
    return yr_cli_do(cli, "peer.add", json_pack("{s:s}", "addr", yr_operand(cli, 0)));
}

enum yr_exit yr_cmd_peer_remove(struct yr_cli *cli)
{
    enum yr_exit exit;

    json_decref(
        yr_cli_call(cli, "peer.remove", json_pack("{s:s}", "addr", yr_operand(cli, 0)), &exit));
    return exit;
}
