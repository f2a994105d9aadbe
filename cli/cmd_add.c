/* cli/cmd_add.c: add, request: links of others. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/befriend.h"
#include "cli/common/json.h"

static enum yr_exit read_link(struct yr_cli *cli, char **link)
{
    const char *given = yr_operand(cli, 0);
    struct yr_buf buf = {0};
    size_t start = 0;

    if (strcmp(given, "-") == 0) {
        char part[512];
        const size_t n = fread(part, 1, sizeof part, stdin);

        yr_buf_add(&buf, part, n);
    } else {
        yr_buf_adds(&buf, given);
    }
    while (buf.len > 0 && strchr(" \t\r\n", buf.at[buf.len - 1]) != NULL)
        yr_buf_cut(&buf, buf.len - 1);
    start = strspn(yr_buf_str(&buf), " \t\r\n");
    *link = yr_strdup(yr_buf_str(&buf) + start);
    yr_buf_clear(&buf);
    return YR_EXIT_OK;
}

/** The request of this invite as it is now; NULL: there is none (any more). */
static json_t *find_request(struct yr_cli *cli, const char *invite, enum yr_exit *exit)
{
    json_t *list = yr_cli_call(cli, "request.list", NULL, exit), *request, *found = NULL;
    size_t i;

    json_array_foreach(json_object_get(list, "requests"), i,
                       request) if (strcmp(yr_json_str(request, "invite", ""), invite) == 0) found =
        json_incref(request);
    json_decref(list);
    return found;
}

/** The friend with this id, or NULL if there is none yet. */
static json_t *find_friend(struct yr_cli *cli, const char *id)
{
    struct yr_client_error err = {0};
    json_t *friend =
        yr_client_call(cli->client, "friend.get", json_pack("{s:s}", "friend", id), &err);

    yr_client_error_clear(&err);
    return friend;
}

static enum yr_exit request_failed(struct yr_cli *cli, const json_t *request)
{
    const char *reason = yr_json_str(request, "reason", "failed");
    static const struct {
        const char *reason, *text;
    } texts[] = {
        {"spent", "the link has been used already"},
        {"revoked", "the link was revoked"},
        {"expired", "the link has expired"},
        {"full", "the other side has no room for more friends"},
        {"own", "the link is your own"},
    };
    const char *text = "the other side refused";

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (strcmp(reason, texts[i].reason) == 0)
            text = texts[i].text;
    return yr_cli_fail(cli, YR_EXIT_DATAERR, "bad_link", "ask your friend for a new link",
                       "not added: %s", text);
}

/** Each phase is one line, once. */
static void show_phase(struct yr_cli *cli, const json_t *request, char *shown, size_t size)
{
    const char *state = yr_json_str(request, "state", "searching");
    const char *tried = yr_json_str(request, "tried", "");
    char phase[128];

    snprintf(phase, sizeof phase, "%s %s", state, tried);
    if (strcmp(phase, shown) == 0)
        return;
    snprintf(shown, size, "%s", phase);
    if (strcmp(state, "waiting") == 0)
        yr_out_note(&cli->out, "found%s%s, waiting for the answer", tried[0] == '\0' ? "" : " at ",
                    tried);
    else if (tried[0] != '\0')
        yr_out_note(&cli->out, "trying %s", tried);
}

static enum yr_exit goes_on(struct yr_cli *cli, const json_t *request)
{
    yr_out_json(&cli->out, request);
    yr_out_say(&cli->out, "looking for the inviter of %s; yaari request list shows progress",
               yr_json_str(request, "invite", "?"));
    return YR_EXIT_TEMPFAIL;
}

/** A link on its way. */
struct adding {
    const char *inviter; /* full id */
    json_t *request;     /* as it was last seen */
    int missed;          /* looks in a row that found neither request nor friend */
};

#define MISSED_MAX 3 /* a request goes a moment before the friend is there */

static enum yr_exit request_gone(struct yr_cli *cli)
{
    return yr_cli_fail(cli, YR_EXIT_DATAERR, "bad_link", "yaari add LINK tries again",
                       "not added: the request was given up");
}

/** One look at how it stands.
 *  YR_EXIT_OK: it goes on; YR_EXIT_NOTHING: they are a friend, said; else reported. */
static enum yr_exit look(struct yr_cli *cli, struct adding *adding)
{
    enum yr_exit exit;
    json_t *now = find_request(cli, yr_json_str(adding->request, "invite", ""), &exit);
    json_t *friend = exit == YR_EXIT_OK ? find_friend(cli, adding->inviter) : NULL;

    if (friend != NULL) {
        yr_say_added(cli, friend);
        exit = YR_EXIT_NOTHING;
    } else if (now != NULL && strcmp(yr_json_str(now, "state", ""), "failed") == 0) {
        exit = request_failed(cli, now);
    } else if (now == NULL && exit == YR_EXIT_OK && ++adding->missed > MISSED_MAX) {
        exit = request_gone(cli);
    }
    json_decref(friend);
    if (now != NULL) {
        json_decref(adding->request);
        adding->request = now;
        adding->missed = 0;
    }
    return exit;
}

/** What may be missing when nobody was found. */
static void say_what_helps(struct yr_cli *cli)
{
    struct yr_client_error err = {0};
    json_t *status = yr_client_call(cli->client, "net.status", NULL, &err);
    const json_t *dht = json_object_get(status, "dht");

    yr_out_note(&cli->out, "The node will go on in the background.");
    if (dht != NULL && yr_json_int(dht, "nodes", 0) == 0)
        yr_out_note(&cli->out,
                    "hint: %s; the addresses in a link may be out of date, or of another network. "
                    "yaari net check says more",
                    strcmp(yr_json_str(dht, "mode", ""), "off") == 0 ? "the DHT is off here"
                    : yr_json_int(dht, "peers", 0) > 0 ? "no known peer of the DHT answers"
                                                       : "no peer of the DHT is known here");
    json_decref(status);
    yr_client_error_clear(&err);
}

static enum yr_exit wait_until_added(struct yr_cli *cli, const json_t *request, const char *inviter)
{
    const yr_ms deadline = yr_wall_ms() + (cli->timeout_given ? cli->timeout_ms : 60000);
    struct adding adding = {.inviter = inviter, .request = json_deep_copy(request)};
    char shown[128] = "";
    enum yr_exit exit = YR_EXIT_OK;

    yr_catch_interrupt();
    while (exit == YR_EXIT_OK && (exit = look(cli, &adding)) == YR_EXIT_OK) {
        show_phase(cli, adding.request, shown, sizeof shown);
        exit = yr_befriend_wait(cli, deadline);
    }
    if (exit == YR_EXIT_TEMPFAIL || exit == YR_INTERRUPTED)
        goes_on(cli, adding.request);
    if (exit == YR_EXIT_TEMPFAIL)
        say_what_helps(cli);
    json_decref(adding.request);
    return exit == YR_EXIT_NOTHING ? YR_EXIT_OK : exit;
}

static enum yr_exit add_link(struct yr_cli *cli, const char *link)
{
    char id8[9] = "", inviter[YR_ID_LEN * 2] = "", shown[9];
    uint8_t id[YR_ID_LEN];
    bool qr = false, verified = false;
    json_t *params, *record;
    enum yr_exit exit;

    if (yr_link_check(link, strlen(link), id8, id, &qr) != YR_OK)
        return yr_cli_fail(cli, YR_EXIT_DATAERR, "bad_link",
                           "a link begins with yaari:i/ and has no blanks; copy it again",
                           "this is no invite link, or a part of it is missing");
    yr_id_text(inviter, id, YR_ID_LEN);
    snprintf(shown, sizeof shown, "%.8s", inviter);
    if (qr && yr_cli_can_ask(cli))
        verified = yr_cli_confirm(cli, "Did you scan this from their screen?") == YR_EXIT_OK;
    exit = yr_cli_connect(cli);
    if (exit == YR_EXIT_OK)
        exit = yr_befriend_subscribe(cli);
    if (exit != YR_EXIT_OK)
        return exit;
    params = json_pack("{s:s}", "link", link);
    if (YR_ARG(cli, add_name) != NULL)
        json_object_set_new(params, "name", json_string(YR_ARG(cli, add_name)));
    if (YR_ARG(cli, add_message) != NULL)
        json_object_set_new(params, "message", json_string(YR_ARG(cli, add_message)));
    if (verified)
        json_object_set_new(params, "verified", json_true());
    record = yr_cli_call(cli, "friend.add", params, &exit);
    if (record == NULL)
        return exit;
    if (strcmp(yr_json_str(record, "type", ""), "friend") == 0) {
        yr_say_added(cli, record);
    } else if (YR_ARG(cli, add_no_wait) != NULL) {
        exit = goes_on(cli, record);
    } else {
        yr_out_note(&cli->out, "Looking for %s ...", shown);
        exit = wait_until_added(cli, record, inviter);
    }
    json_decref(record);
    return exit;
}

enum yr_exit yr_cmd_add(struct yr_cli *cli)
{
    char *link = NULL;
    enum yr_exit exit = read_link(cli, &link);

    if (exit == YR_EXIT_OK)
        exit = add_link(cli, link);
    free(link);
    return exit;
}

/* ---- request ---- */

/** The room and how many are in it; or why a link failed, or which address was tried last. */
static void add_about(struct yr_buf *cell, const json_t *request)
{
    const json_t *room = json_object_get(request, "room");
    const long long members = (long long)yr_json_int(request, "members", 0);

    if (room == NULL) {
        yr_add_flat(cell, yr_json_str(request, "text", yr_json_str(request, "tried", "-")));
        return;
    }
    yr_add_ref(cell, room);
    if (members > 0)
        yr_buf_addf(cell, ", %lld %s", members, members == 1 ? "member" : "members");
}

enum yr_exit yr_cmd_request_list(struct yr_cli *cli)
{
    enum yr_exit exit;
    json_t *list = yr_cli_call(cli, "request.list", NULL, &exit), *request;
    static const char *const heads[] = {"ID", "WHAT", "STATE", "FROM", "SINCE", "ABOUT"};
    struct yr_table table = yr_table_init(6, heads);
    struct yr_buf cell = {0};
    long long invitation = 0;
    size_t i;

    json_array_foreach(json_object_get(list, "requests"), i, request)
    {
        if (strcmp(yr_json_str(request, "dir", ""), "in") == 0 &&
            strcmp(yr_json_str(request, "state", ""), "waiting") == 0)
            invitation = (long long)yr_json_int(request, "id", 0);
        if (!yr_out_human(&cli->out)) {
            yr_out_record(&cli->out, request);
            continue;
        }
        yr_buf_cut(&cell, 0);
        yr_tsv_field(&cell, json_object_get(request, "id"), false);
        yr_table_add(&table, YR_ROLE_NONE, yr_buf_str(&cell));
        yr_table_add(&table, YR_ROLE_NONE, yr_json_str(request, "what", ""));
        yr_table_add(&table, YR_ROLE_NONE, yr_json_str(request, "state", ""));
        yr_buf_cut(&cell, 0);
        yr_add_name(&cell, yr_json_str(json_object_get(request, "from"), "name", "-"));
        yr_table_add(&table, YR_ROLE_NICK, yr_buf_str(&cell));
        yr_buf_cut(&cell, 0);
        yr_add_ago(&cell, yr_json_str(request, "time", NULL));
        yr_table_add(&table, YR_ROLE_TIME, yr_buf_str(&cell));
        yr_buf_cut(&cell, 0);
        add_about(&cell, request);
        yr_table_add(&table, YR_ROLE_NONE, yr_buf_str(&cell));
    }
    yr_table_print(&cli->out, &table);
    if (invitation > 0)
        yr_out_next(&cli->out, "Next: yaari request accept %lld", invitation);
    yr_buf_clear(&cell);
    json_decref(list);
    return exit;
}

/** The number of the request the user named.  Errors: YR_EXIT_NOUSER, reported. */
static enum yr_exit read_request(struct yr_cli *cli, json_int_t *id)
{
    const char *text = yr_operand(cli, 0);
    char *end;

    errno = 0;
    *id = strtoll(text, &end, 10);
    if (*text == '\0' || *end != '\0' || *id <= 0 || errno != 0)
        return yr_cli_fail(cli, YR_EXIT_NOUSER, "no_such_target", "yaari request list",
                           "no request '%s'", text);
    return YR_EXIT_OK;
}

enum yr_exit yr_cmd_request_accept(struct yr_cli *cli)
{
    struct yr_buf text = {0};
    json_t *request;
    json_int_t id;
    enum yr_exit exit = read_request(cli, &id);

    if (exit != YR_EXIT_OK)
        return exit;
    request = yr_cli_record(cli, "request.accept", json_pack("{s:I}", "id", id), &exit);
    if (request == NULL)
        return exit;
    yr_buf_adds(&text, "asked ");
    yr_add_ref(&text, json_object_get(request, "from"));
    yr_buf_adds(&text, " to let you into ");
    yr_add_ref(&text, json_object_get(request, "room"));
    yr_out_say(&cli->out, "%s", yr_buf_str(&text));
    yr_buf_clear(&text);
    json_decref(request);
    return YR_EXIT_OK;
}

enum yr_exit yr_cmd_request_reject(struct yr_cli *cli)
{
    json_int_t id;
    enum yr_exit exit = read_request(cli, &id);

    if (exit == YR_EXIT_OK)
        json_decref(yr_cli_call(cli, "request.reject", json_pack("{s:I}", "id", id), &exit));
    return exit;
}
