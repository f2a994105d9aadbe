/* rpc_world.h: an RPC server on a fake node, with clients that are strings. */
#ifndef RPC_WORLD_H
#define RPC_WORLD_H

#include <jansson.h>

#include "cli/common/buf.h"
#include "cli/daemon/rpc.h"
#include "tests/cli/daemon/fake_node.h"
#include "tests/support/test.h"

struct conn {
    struct yr_buf in; /* lines for this client, not yet taken */
    size_t unsent;    /* what the server is told */
    int holds;
    size_t lines; /* received in all */
};

struct world {
    struct yr_node *node;
    struct yr_rpc *rpc;
    struct yr_rpc_client *client, *other;
    struct conn conn, other_conn;
    struct yr_mapping_info mapping;
    const char *bootstrap; /* of the configuration; NULL: no such key */
    struct yr_now now;
    yr_us drift; /* passes each time somebody looks at the clock */
    bool vault;
    int stops, reloads;
    char peer[320], nick[80], passphrase[80], config_value[80];
    uint64_t ticket; /* of the last slow thing */
    enum yr_err refuse;
};

static struct yr_now world_now(void *ctx)
{
    struct world *w = ctx;
    w->now.mono_us += w->drift;
    return w->now;
}
static void world_send(void *ctx, void *at, const char *line, size_t len)
{
    struct conn *conn = at;
    (void)ctx;
    assert_int_equal(line[len - 1], '\n');
    assert_null(memchr(line, '\n', len - 1));
    yr_buf_add(&conn->in, line, len);
    conn->lines++;
}
static size_t world_unsent(void *ctx, void *conn)
{
    (void)ctx;
    return ((struct conn *)conn)->unsent;
}
static void world_hold(void *ctx, void *conn)
{
    (void)ctx;
    ((struct conn *)conn)->holds++;
}
static void world_release(void *ctx, void *conn)
{
    (void)ctx;
    assert_true(((struct conn *)conn)->holds-- > 0);
}
static enum yr_err world_command(void *ctx, const struct yr_cmd *cmd, uint64_t ticket)
{
    struct world *w = ctx;
    return yr_node_command(w->node, w->now, cmd, ticket);
}
static enum yr_err world_create(void *ctx, const char *nick, uint64_t ticket)
{
    struct world *w = ctx;
    snprintf(w->nick, sizeof w->nick, "%s", nick != NULL ? nick : "(login)");
    w->ticket = ticket;
    return w->refuse;
}
static enum yr_err world_unlock(void *ctx, const char *passphrase, size_t len, uint64_t ticket)
{
    struct world *w = ctx;
    snprintf(w->passphrase, sizeof w->passphrase, "%.*s", (int)len, passphrase);
    w->ticket = ticket;
    return w->refuse;
}
static enum yr_err world_lock(void *ctx, uint64_t ticket)
{
    ((struct world *)ctx)->ticket = ticket;
    return ((struct world *)ctx)->refuse;
}
static enum yr_err world_peer_add(void *ctx, const char *addr, uint64_t ticket)
{
    struct world *w = ctx;
    snprintf(w->peer, sizeof w->peer, "%s", addr);
    w->ticket = ticket;
    return w->refuse;
}
static enum yr_err world_backup(void *ctx, const char *path, const char *passphrase, size_t len,
                                uint64_t ticket)
{
    struct world *w = ctx;
    snprintf(w->peer, sizeof w->peer, "%s", path);
    snprintf(w->passphrase, sizeof w->passphrase, "%.*s", (int)len, passphrase);
    w->ticket = ticket;
    return w->refuse;
}
static void world_status(void *ctx, struct yr_rpc_status *out)
{
    *out = (struct yr_rpc_status){.profile = "default",
                                  .socket_path = "/run/yaari/default.sock",
                                  .vault = ((struct world *)ctx)->vault,
                                  .mapping = ((struct world *)ctx)->mapping,
                                  .uptime_s = 7,
                                  .listen_count = 1};
    out->listen[0] = (struct yr_addr){.family = 4, .ip = {192, 0, 2, 1}, .port = 7722};
}
static bool world_config_at(void *ctx, size_t i, const char **key, const char **value,
                            const char **origin)
{
    const char *bootstrap = ((struct world *)ctx)->bootstrap;
    *key = i == 0 ? "net.lan" : i == 1 ? "net.listen" : "net.bootstrap";
    *value = i == 0 ? ((struct world *)ctx)->config_value : i == 1 ? "[::]:0" : bootstrap;
    *origin = "default";
    return i < (bootstrap != NULL ? 3 : 2);
}
static enum yr_exit world_config_set(void *ctx, const char *key, const char *value,
                                     struct yr_fail *fail)
{
    struct world *w = ctx;
    if (value != NULL && strcmp(value, "maybe") == 0)
        return yr_fail(fail, YR_EXIT_CONFIG, "bad value 'maybe' for '%s'", key);
    snprintf(w->config_value, sizeof w->config_value, "%s", value != NULL ? value : "yes");
    return YR_EXIT_OK;
}
static enum yr_exit world_reload(void *ctx, struct yr_fail *fail)
{
    (void)fail;
    ((struct world *)ctx)->reloads++;
    return YR_EXIT_OK;
}
static void world_stop(void *ctx)
{
    ((struct world *)ctx)->stops++;
}

static inline void world_open(struct world *w)
{
    struct yr_rpc_env env = {.ctx = w,
                             .now = world_now,
                             .send = world_send,
                             .unsent = world_unsent,
                             .hold = world_hold,
                             .release = world_release,
                             .command = world_command,
                             .identity_create = world_create,
                             .unlock = world_unlock,
                             .lock = world_lock,
                             .peer_add = world_peer_add,
                             .backup = world_backup,
                             .status = world_status,
                             .config_at = world_config_at,
                             .config_set = world_config_set,
                             .reload = world_reload,
                             .stop = world_stop};
    memset(w, 0, sizeof *w);
    w->node = fake_new();
    w->vault = true;
    w->now = (struct yr_now){1000000, 1795362395123};
    strcpy(w->config_value, "yes");
    assert_int_equal(yr_rpc_new(&w->rpc, w->node, &env), YR_OK);
    w->client = yr_rpc_client_new(w->rpc, &w->conn);
    w->other = yr_rpc_client_new(w->rpc, &w->other_conn);
    assert_non_null(w->client);
}

static inline void world_close(struct world *w)
{
    yr_rpc_free(w->rpc);
    free(w->node);
    yr_buf_clear(&w->conn.in);
    yr_buf_clear(&w->other_conn.in);
}

/** The next line a client got, as JSON; NULL: none.  Owned by the caller. */
static inline json_t *next_of(struct conn *conn)
{
    const char *end = memchr(yr_buf_str(&conn->in), '\n', conn->in.len);
    json_error_t error;

    if (conn->in.len == 0)
        return NULL;
    const size_t len = (size_t)(end - conn->in.at);
    json_t *line = json_loadb(conn->in.at, len, JSON_REJECT_DUPLICATES, &error);
    assert_non_null(line);
    assert_string_equal(json_string_value(json_object_get(line, "jsonrpc")), "2.0");
    yr_buf_splice(&conn->in, 0, len + 1, "", 0);
    return line;
}

static inline void say(struct world *w, const char *line)
{
    yr_rpc_line(w->rpc, w->client, line, strlen(line));
}

/** Send a line, take its answer. */
static inline json_t *ask(struct world *w, const char *line)
{
    say(w, line);
    return next_of(&w->conn);
}

/** The code of the answer's error; 0: it is none. */
static inline int code_of(const json_t *answer)
{
    return (int)json_integer_value(json_object_get(json_object_get(answer, "error"), "code"));
}
static inline json_t *result_of(const json_t *answer)
{
    json_t *result = json_object_get(answer, "result");
    if (result == NULL) {
        char *text = json_dumps(answer, 0);
        print_error("no result: %s\n", text != NULL ? text : "(nothing)");
        free(text);
    }
    assert_non_null(result);
    return result;
}
static inline const char *str(const json_t *object, const char *key)
{
    const char *value = json_string_value(json_object_get(object, key));
    return value != NULL ? value : "(absent)";
}
static inline int64_t num(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

/** A request with these parameters (JSON text), answered with an error of this code. */
static inline void expect_error(struct world *w, const char *method, const char *params, int code)
{
    char *line = NULL;
    assert_true(asprintf(&line, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"%s\",\"params\":%s}",
                         method, params) > 0);
    json_t *answer = ask(w, line);
    assert_non_null(answer);
    if (code_of(answer) != code)
        print_error("%s\n", line);
    assert_int_equal(code_of(answer), code);
    assert_int_equal(num(answer, "id"), 7);
    const json_t *data = json_object_get(json_object_get(answer, "error"), "data");
    assert_string_equal(str(data, "name"), yr_rpc_err_name(code));
    assert_true(num(data, "exit") > 0);
    json_decref(answer);
    free(line);
}

/** A request; its result, owned by the caller through *answer. */
static inline json_t *call(struct world *w, json_t **answer, const char *method, const char *params)
{
    char *line = NULL;
    assert_true(asprintf(&line, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"%s\",\"params\":%s}",
                         method, params) > 0);
    *answer = ask(w, line);
    free(line);
    assert_non_null(*answer);
    return result_of(*answer);
}

/** A request whose answer must not be there yet. */
static inline void begin(struct world *w, const char *method, const char *params)
{
    char *line = NULL;
    assert_true(asprintf(&line, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"%s\",\"params\":%s}",
                         method, params) > 0);
    const size_t before = w->conn.lines;
    say(w, line);
    free(line);
    if (w->conn.lines != before)
        print_error("%s\n", yr_buf_str(&w->conn.in));
    assert_int_equal(w->conn.lines, before);
}

/** The last command is done. */
static inline void done(struct world *w, enum yr_err err, const struct fake_message *msg)
{
    struct yr_event event = {.kind = YR_EV_DONE, .err = err};
    assert_true(w->node->command_count > 0);
    event.ticket = w->node->commands[w->node->command_count - 1].ticket;
    if (msg != NULL)
        memcpy(event.msg, msg->id, sizeof event.msg);
    yr_rpc_event(w->rpc, &event);
}

#endif
