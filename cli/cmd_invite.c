/* cli/cmd_invite.c: invite and its subcommands. */
#include <string.h>
#include <time.h>

#include "cli/befriend.h"
#include "cli/common/json.h"

static json_t *find_invite(struct yr_cli *cli, const char *id, enum yr_exit *exit)
{
    json_t *list = yr_cli_call(cli, "invite.list", NULL, exit), *invite, *found = NULL;
    size_t i;

    json_array_foreach(json_object_get(list, "invites"), i,
                       invite) if (strcmp(yr_json_str(invite, "id", ""), id) == 0) found =
        json_incref(invite);
    json_decref(list);
    return found;
}

static enum yr_exit invite_ended(struct yr_cli *cli, const json_t *invite)
{
    const char *state = yr_json_str(invite, "state", "gone");
    const char *id = yr_json_str(json_object_get(invite, "used_by"), "id", NULL);
    enum yr_exit exit = YR_EXIT_OK;
    json_t *friend;

    if (strcmp(state, "used") != 0 || id == NULL)
        return yr_cli_fail(cli, YR_EXIT_DATAERR, "expired", "yaari invite",
                           "the invite is %s, nobody came", state);
    friend = yr_cli_call(cli, "friend.get", json_pack("{s:s}", "friend", id), &exit);
    if (friend != NULL)
        yr_say_added(cli, friend);
    json_decref(friend);
    return exit;
}

static enum yr_exit wait_until_used(struct yr_cli *cli, const char *id)
{
    const yr_ms deadline = cli->timeout_given ? yr_wall_ms() + cli->timeout_ms : 0;
    enum yr_exit exit = YR_EXIT_OK;

    yr_catch_interrupt();
    for (;;) {
        json_t *invite = find_invite(cli, id, &exit);
        const bool open = strcmp(yr_json_str(invite, "state", "gone"), "open") == 0;

        if (exit == YR_EXIT_OK && !open)
            exit = invite_ended(cli, invite);
        else if (exit == YR_EXIT_OK)
            exit = yr_befriend_wait(cli, deadline);
        json_decref(invite);
        if (exit == YR_INTERRUPTED)
            yr_out_note(&cli->out, "\nThe link stays good: yaari invite list");
        if (exit == YR_EXIT_TEMPFAIL)
            return yr_cli_fail(cli, exit, "timeout", "yaari invite list",
                               "nobody used the link yet; it stays good");
        if (exit != YR_EXIT_OK || !open)
            return exit;
    }
}

#define LOOK_MS 3000 /* for a known peer that may still answer */

/** How others reach us; waits a little for known peers of which none has answered yet. */
static json_t *look(struct yr_cli *cli, struct yr_client_error *err)
{
    const yr_ms deadline = yr_wall_ms() + LOOK_MS;
    json_t *status = yr_client_call(cli->client, "net.status", NULL, err), *dht;

    while ((dht = json_object_get(status, "dht")) != NULL && yr_wall_ms() < deadline &&
           yr_json_int(dht, "peers", 0) > 0 && yr_json_int(dht, "nodes", 0) == 0 &&
           strcmp(yr_json_str(status, "reachable", ""), "direct") != 0) {
        nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
        json_decref(status);
        status = yr_client_call(cli->client, "net.status", NULL, err);
    }
    return status;
}

static void warn_unreachable(struct yr_cli *cli)
{
    struct yr_client_error err = {0};
    json_t *status = look(cli, &err);
    const char *reachable = yr_json_str(status, "reachable", "unknown");
    const json_t *dht = json_object_get(status, "dht");
    const bool found = yr_json_int(dht, "nodes", 0) > 0; // whoever has the link finds us there

    if (!found && (strcmp(reachable, "none") == 0 || strcmp(reachable, "nat") == 0))
        yr_out_note(&cli->out,
                    "warning: nobody outside this network can reach this node (no public address, "
                    "no port mapping, %s)\n"
                    "hint: any one of these is enough:\n"
                    "  - let your friend invite you instead (yaari invite on their side)\n"
                    "  - yaari config set net.port_mapping yes\n"
                    "  - yaari peer add HOST:PORT/KEY of a friend's or your own always-on node",
                    yr_json_int(dht, "peers", 0) > 0 ? "no known peer answers" : "no known peer");
    json_decref(status);
    yr_client_error_clear(&err);
}

static void show_invite(struct yr_cli *cli, const json_t *invite, const char *qr_mode)
{
    struct yr_buf span = {0};
    yr_ms expires = 0;

    yr_out_say(&cli->out, "%s", yr_json_str(invite, "link", ""));
    fflush(stdout);
    if (!cli->out.json && !cli->out.quiet &&
        !yr_qr_print(&cli->out, yr_json_str(invite, "qr", ""), qr_mode))
        yr_out_note(&cli->out, "The terminal is too small for the QR code.");
    if (yr_rfc3339_read(yr_json_str(invite, "expires", ""), &expires))
        yr_span_add(&span, expires - yr_wall_ms() + 5000); // not "6 days" for a new one
    yr_out_note(&cli->out, "Give this link to one person. Valid %s.", yr_buf_str(&span));
    yr_buf_clear(&span);
}

enum yr_exit yr_cmd_invite_new(struct yr_cli *cli)
{
    static const char *const modes[] = {"auto", "ascii", "invert", "no"};
    const char *name = YR_ARG(cli, invite_new_name), *qr = YR_ARG(cli, invite_new_qr);
    const bool wait = YR_ARG(cli, invite_new_wait) != NULL ||
                      (YR_ARG(cli, invite_new_no_wait) == NULL && yr_out_human(&cli->out));
    json_t *params = json_object(), *invite;
    bool known = qr == NULL;
    int64_t expires_ms;
    enum yr_exit exit;

    for (size_t i = 0; !known && i < 4; i++)
        known = strcmp(qr, modes[i]) == 0;
    if (!known)
        exit = yr_cli_fail(cli, YR_EXIT_USAGE, "usage", NULL,
                           "--qr: '%s' is none of auto, ascii, invert, no", qr);
    else
        exit = yr_cli_duration(cli, YR_F_invite_new_expires, 0, &expires_ms);
    if (exit == YR_EXIT_OK)
        exit = yr_cli_connect(cli);
    if (exit == YR_EXIT_OK && wait)
        exit = yr_befriend_subscribe(cli);
    if (exit != YR_EXIT_OK) {
        json_decref(params);
        return exit;
    }
    if (YR_ARG(cli, invite_new_expires) != NULL)
        json_object_set_new(params, "expires_s", json_integer((expires_ms + 999) / 1000));
    if (name != NULL)
        json_object_set_new(params, "name", json_string(name));
    if (YR_ARG(cli, invite_new_no_hints) != NULL)
        json_object_set_new(params, "hints", json_false());
    invite = yr_cli_record(cli, "invite.create", params, &exit);
    if (invite == NULL)
        return exit;
    warn_unreachable(cli);
    show_invite(cli, invite, qr == NULL ? "auto" : qr);
    if (wait) {
        yr_out_note(&cli->out, "Waiting for them (Ctrl-C stops waiting only) ...");
        exit = wait_until_used(cli, yr_json_str(invite, "id", ""));
    }
    json_decref(invite);
    return exit;
}

enum yr_exit yr_cmd_invite_list(struct yr_cli *cli)
{
    enum yr_exit exit;
    json_t *list = yr_cli_call(cli, "invite.list", NULL, &exit), *invite;
    static const char *const heads[] = {"ID", "STATE", "EXPIRES", "FOR", "USED BY"};
    struct yr_table table = yr_table_init(5, heads);
    struct yr_buf cell = {0};
    size_t i;

    json_array_foreach(json_object_get(list, "invites"), i, invite)
    {
        if (!yr_out_human(&cli->out)) {
            yr_out_record(&cli->out, invite);
            continue;
        }
        yr_table_add(&table, YR_ROLE_NONE, yr_json_str(invite, "id", ""));
        yr_table_add(&table, YR_ROLE_NONE, yr_json_str(invite, "state", ""));
        yr_buf_cut(&cell, 0);
        yr_add_time(&cli->out, &cell, yr_json_str(invite, "expires", NULL));
        yr_table_add(&table, YR_ROLE_TIME, yr_buf_str(&cell));
        yr_buf_cut(&cell, 0);
        yr_add_name(&cell, yr_json_str(invite, "name", "-"));
        yr_table_add(&table, YR_ROLE_NONE, yr_buf_str(&cell));
        yr_buf_cut(&cell, 0);
        yr_add_name(&cell, yr_json_str(json_object_get(invite, "used_by"), "name", "-"));
        yr_table_add(&table, YR_ROLE_NICK, yr_buf_str(&cell));
    }
    yr_table_print(&cli->out, &table);
    yr_buf_clear(&cell);
    json_decref(list);
    return exit;
}

enum yr_exit yr_cmd_invite_revoke(struct yr_cli *cli)
{
    return yr_cli_do(cli, "invite.revoke", json_pack("{s:s}", "id", yr_operand(cli, 0)));
}
