/* cli/cmd_net.c: net, stats, ping, peer. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/cli.h"
#include "cli/common/json.h"
#include "cli/common/times.h"

bool yr_friend_linked(const json_t *record)
{
    const char *state = yr_json_str(record, "state", "");

    return strcmp(state, "online") == 0 || strcmp(state, "away") == 0;
}

void yr_add_path(struct yr_buf *text, const json_t *record)
{
    const char *via = yr_json_str(record, "via", NULL);

    yr_buf_adds(text, yr_json_str(record, "path", "-"));
    if (via != NULL) {
        yr_buf_addc(text, '(');
        yr_add_name(text, via);
        yr_buf_addc(text, ')');
    }
}

/* ---- net check ---- */

#define CHECK_MS 3000 /* what is not known yet may become known meanwhile */

/** Ask until everything is known, or the time is over. */
static json_t *ask_check(struct yr_cli *cli, enum yr_exit *exit)
{
    const yr_ms deadline = yr_wall_ms() + (cli->timeout_given ? cli->timeout_ms : CHECK_MS);
    json_t *answer = yr_cli_call(cli, "net.check", NULL, exit);

    while (answer != NULL && !yr_json_bool(answer, "settled", true) && yr_wall_ms() < deadline) {
        nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL);
        json_decref(answer);
        answer = yr_cli_call(cli, "net.check", NULL, exit);
    }
    return answer;
}

static void show_check(struct yr_cli *cli, const json_t *check)
{
    const char *result = yr_json_str(check, "result", ""), *fix = yr_json_str(check, "fix", NULL);
    const bool bad = strcmp(result, "fail") == 0 || strcmp(result, "warn") == 0;
    struct yr_buf line = {0};

    yr_buf_addf(&line, "%-11s ", yr_json_str(check, "name", ""));
    yr_paint(&cli->out, &line, bad ? YR_ROLE_ERROR : YR_ROLE_NONE);
    yr_buf_addf(&line, "%-8s", result);
    yr_unpaint(&cli->out, &line, bad ? YR_ROLE_ERROR : YR_ROLE_NONE);
    yr_add_flat(&line, yr_json_str(check, "text", ""));
    if (fix != NULL) {
        yr_buf_adds(&line, "\n                    hint: ");
        yr_add_flat(&line, fix);
    }
    yr_out_say(&cli->out, "%s", yr_buf_str(&line));
    yr_buf_clear(&line);
}

enum yr_exit yr_cmd_net_check(struct yr_cli *cli)
{
    enum yr_exit exit;
    json_t *answer = ask_check(cli, &exit), *check;
    size_t i;

    if (answer == NULL)
        return exit;
    json_array_foreach(json_object_get(answer, "checks"), i, check)
    {
        if (yr_out_human(&cli->out))
            show_check(cli, check);
        else
            yr_out_record(&cli->out, check);
    }
    exit = strcmp(yr_json_str(answer, "reachable", ""), "none") == 0 ? YR_EXIT_NOTHING : YR_EXIT_OK;
    json_decref(answer);
    return exit;
}

/* ---- net addrs ---- */

static void addr_row(struct yr_table *table, const json_t *addr)
{
    static const struct {
        const char *source, *words;
    } sources[] = {{"interface", "of an interface"},
                   {"seen", "where others see this node"},
                   {"mapped", "a router's port mapping"}};
    const char *source = yr_json_str(addr, "source", "");
    struct yr_buf cell = {0};

    yr_add_flat(&cell, yr_json_str(addr, "peer", yr_json_str(addr, "addr", "")));
    yr_table_add(table, YR_ROLE_NONE, yr_buf_str(&cell));
    yr_buf_cut(&cell, 0);
    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++)
        if (strcmp(sources[i].source, source) == 0)
            yr_buf_adds(&cell, sources[i].words);
    if (json_object_get(addr, "peer") != NULL && !yr_json_bool(addr, "lasting", true))
        yr_buf_adds(&cell, "; the key is new at each start");
    yr_table_add(table, YR_ROLE_NONE, yr_buf_str(&cell));
    yr_buf_clear(&cell);
}

enum yr_exit yr_cmd_net_addrs(struct yr_cli *cli)
{
    struct yr_table table = yr_table_init(2, NULL);
    enum yr_exit exit;
    json_t *answer = yr_cli_call(cli, "net.addrs", NULL, &exit), *addr;
    size_t i;

    json_array_foreach(json_object_get(answer, "addrs"), i, addr)
    {
        if (yr_out_human(&cli->out))
            addr_row(&table, addr);
        else
            yr_out_record(&cli->out, addr);
    }
    yr_table_print(&cli->out, &table);
    if (answer != NULL && i == 0)
        yr_out_next(&cli->out, "No address: is there a network?");
    json_decref(answer);
    return exit;
}

/* ---- net path ---- */

/** "14:02  punch 198.51.100.7:7722: no answer, 5 times" */
static void add_try(struct yr_cli *cli, struct yr_buf *text, const json_t *attempt)
{
    static const struct {
        const char *outcome, *words;
    } outcomes[] = {{"trying", "under way"},
                    {"worked", "worked"},
                    {"silent", "no answer"},
                    {"nothing", "nothing found"},
                    {"refused", "refused"}};
    const char *outcome = yr_json_str(attempt, "outcome", "");
    const long long count = yr_json_int(attempt, "count", 1);

    yr_buf_adds(text, "\n  ");
    yr_add_time(&cli->out, text, yr_json_str(attempt, "time", NULL));
    yr_buf_addf(text, "  %s", yr_json_str(attempt, "way", ""));
    if (json_object_get(attempt, "via") != NULL) {
        yr_buf_adds(text, " through ");
        yr_add_name(text, yr_json_str(attempt, "via", ""));
    }
    if (json_object_get(attempt, "addr") != NULL) {
        yr_buf_addc(text, ' ');
        yr_add_flat(text, yr_json_str(attempt, "addr", ""));
    }
    for (size_t i = 0; i < sizeof outcomes / sizeof outcomes[0]; i++)
        if (strcmp(outcomes[i].outcome, outcome) == 0)
            yr_buf_addf(text, ": %s", outcomes[i].words);
    if (count > 1)
        yr_buf_addf(text, ", %lld times", count);
}

static void show_path(struct yr_cli *cli, const json_t *path)
{
    struct yr_buf text = {0};
    const json_t *item;
    size_t i;

    yr_add_ref(&text, json_object_get(path, "friend"));
    yr_buf_addf(&text, ": %s", yr_json_str(path, "state", ""));
    if (json_object_get(path, "path") != NULL) {
        yr_buf_addc(&text, ' ');
        yr_add_path(&text, path);
    }
    if (json_object_get(path, "addr") != NULL) {
        yr_buf_adds(&text, " at ");
        yr_add_flat(&text, yr_json_str(path, "addr", ""));
    }
    if (json_is_number(json_object_get(path, "rtt_ms")))
        yr_buf_addf(&text, ", round trip %.1f ms",
                    json_number_value(json_object_get(path, "rtt_ms")));
    yr_buf_adds(&text, "\nmay be at");
    json_array_foreach(json_object_get(path, "candidates"), i, item)
    {
        yr_buf_adds(&text, "\n  ");
        yr_add_flat(&text, yr_json_str(item, "addr", ""));
        yr_buf_addf(&text, "  %s", yr_json_str(item, "source", ""));
    }
    yr_buf_adds(&text, i == 0 ? "\n  no address is known\ntried" : "\ntried");
    json_array_foreach(json_object_get(path, "tries"), i, item) add_try(cli, &text, item);
    if (i == 0)
        yr_buf_adds(&text, "\n  nothing yet");
    yr_out_say(&cli->out, "%s", yr_buf_str(&text));
    yr_buf_clear(&text);
}

enum yr_exit yr_cmd_net_path(struct yr_cli *cli)
{
    enum yr_exit exit;
    json_t *path =
        yr_cli_record(cli, "net.path", json_pack("{s:s}", "friend", yr_operand(cli, 0)), &exit);

    if (path != NULL && !cli->out.json)
        show_path(cli, path);
    json_decref(path);
    return exit;
}

/* ---- stats ---- */

static void add_bytes(struct yr_table *table, const json_t *stats, const char *key)
{
    const double bytes = (double)yr_json_int(stats, key, 0);
    struct yr_buf cell = {0};

    if (json_object_get(stats, key) == NULL)
        yr_buf_addc(&cell, '-');
    else if (bytes < 1000)
        yr_buf_addf(&cell, "%.0f B", bytes);
    else if (bytes < 1e6)
        yr_buf_addf(&cell, "%.1f kB", bytes / 1e3);
    else if (bytes < 1e9)
        yr_buf_addf(&cell, "%.1f MB", bytes / 1e6);
    else
        yr_buf_addf(&cell, "%.1f GB", bytes / 1e9);
    yr_table_add(table, YR_ROLE_NONE, yr_buf_str(&cell));
    yr_buf_clear(&cell);
}

static void add_count(struct yr_table *table, const json_t *stats, const char *key)
{
    const json_t *count = json_object_get(stats, key);
    struct yr_buf cell = {0};

    if (count == NULL)
        yr_buf_addc(&cell, '-');
    else
        yr_buf_addf(&cell, "%lld", (long long)json_integer_value(count));
    yr_table_add(table, YR_ROLE_NONE, yr_buf_str(&cell));
    yr_buf_clear(&cell);
}

static void stats_row(struct yr_table *table, const json_t *stats)
{
    struct yr_buf cell = {0};

    if (json_object_get(stats, "friend") != NULL)
        yr_add_name(&cell, yr_json_str(stats, "name", "?"));
    else
        yr_buf_addf(&cell, "all: %s", yr_json_str(stats, "purpose", ""));
    yr_table_add(table, YR_ROLE_NICK, yr_buf_str(&cell));
    yr_buf_clear(&cell);
    add_bytes(table, stats, "in");
    add_bytes(table, stats, "out");
    add_bytes(table, stats, "relayed_for_me");
    add_bytes(table, stats, "relayed_by_me");
    add_bytes(table, stats, "mail_kept_bytes");
    add_count(table, stats, "mail_refused");
    add_count(table, stats, "mail_for_me");
}

enum yr_exit yr_cmd_stats(struct yr_cli *cli)
{
    static const char *const heads[] = {"WHO",           "IN",        "OUT",     "RELAYED FOR ME",
                                        "RELAYED BY ME", "MAIL KEPT", "REFUSED", "KEEPS FOR ME"};
    const char *since = YR_ARG(cli, stats_since);
    struct yr_table table = yr_table_init(8, heads);
    json_t *params = json_object(), *answer, *stats;
    char text[YR_RFC3339_LEN + 1];
    enum yr_exit exit;
    yr_ms since_ms;
    size_t i;

    if (since != NULL && !yr_time_read(since, yr_wall_ms(), &since_ms)) {
        json_decref(params);
        return yr_cli_fail(cli, YR_EXIT_USAGE, "usage", "yaari help formatting",
                           "--since: '%s' is no time", since);
    }
    if (since != NULL) {
        yr_rfc3339(text, since_ms);
        json_object_set_new(params, "since", json_string(text));
    }
    if (YR_ARG(cli, stats_reset) != NULL)
        json_object_set_new(params, "reset", json_true());
    answer = yr_cli_call(cli, "stats.get", params, &exit);
    json_array_foreach(json_object_get(answer, "stats"), i, stats)
    {
        if (yr_out_human(&cli->out))
            stats_row(&table, stats);
        else
            yr_out_record(&cli->out, stats);
    }
    yr_table_print(&cli->out, &table);
    json_decref(answer);
    return exit;
}

/* ---- ping ---- */

static void show_ping(struct yr_cli *cli, const char *name, const json_t *ping)
{
    struct yr_buf line = {0};
    const json_t *ms;
    size_t i;

    yr_add_name(&line, name);
    yr_buf_adds(&line, ": ");
    yr_add_path(&line, ping);
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
        json_object_del(total, "via");
        if (json_object_get(ping, "path") != NULL)
            json_object_set(total, "path", json_object_get(ping, "path"));
        if (json_object_get(ping, "via") != NULL)
            json_object_set(total, "via", json_object_get(ping, "via"));
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
    total = json_pack("{s:s, s:s, s:[], s:i}", "type", "ping", "friend", id, "ms", "lost", 0);
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
    else if (json_is_boolean(json_object_get(peer, "answered")))
        yr_buf_adds(&cell, yr_json_bool(peer, "answered", false) ? "answers" : "no answer");
    else
        yr_buf_addc(&cell, '-');
    yr_table_add(table, YR_ROLE_NONE, yr_buf_str(&cell));
    yr_buf_cut(&cell, 0);
    yr_add_name(&cell, yr_json_str(peer, "name", "-"));
    yr_table_add(table, YR_ROLE_NICK, yr_buf_str(&cell));
    yr_buf_clear(&cell);
}

enum yr_exit yr_cmd_peer_list(struct yr_cli *cli)
{
    static const char *const heads[] = {"ADDRESS", "ROLE", "ROUND TRIP", "FRIEND"};
    struct yr_table table = yr_table_init(4, heads);
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
