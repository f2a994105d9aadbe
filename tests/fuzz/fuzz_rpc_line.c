/* fuzz_rpc_line: any lines at the control interface, over a node of arrays.  A line that begins
 * with one of these bytes is no request but lets something happen:
 *
 *   !  the oldest command that waits is done         ?  it has failed
 *   @  a second passes                               ~  a friend's text comes, with its event
 *   #  the reader is slow                            $  it has read everything
 *   ^  it leaves, another one comes                  &  the vault opens or closes
 *   %  the room goes on to its next state
 *
 * Every request is answered exactly once, with its id; whatever leaves is one line of JSON without
 * a control character; nothing is left behind. */
#include <jansson.h>

#include "cli/common/buf.h"
#include "cli/daemon/rpc.h"
#define FAKE_COMMANDS 256 /* keeps a run short */
#include "tests/cli/daemon/fake_node.h"

#define REQUIRE(cond) ((cond) ? (void)0 : abort())
#define LINES_MAX     200

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct world {
    struct yr_node *node;
    struct yr_rpc *rpc;
    struct yr_rpc_client *client;
    struct yr_now now;
    size_t unsent, done_count;
    int holds, answers, requests;
    bool vault;
    uint64_t slow[8]; /* tickets of slow things */
    size_t slow_count;
};

static struct yr_now env_now(void *ctx)
{
    struct world *w = ctx;
    w->now.mono_us += 700; // so that heavy requests have to wait for their turn
    return w->now;
}

static void env_send(void *ctx, void *conn, const char *line, size_t len)
{
    struct world *w = ctx;
    json_t *json;

    REQUIRE(conn == w);
    REQUIRE(len > 0 && line[len - 1] == '\n');
    for (size_t i = 0; i + 1 < len; i++)
        REQUIRE((unsigned char)line[i] >= 0x20 && line[i] != 0x7f);
    json = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
    REQUIRE(json != NULL);
    const bool result = json_object_get(json, "result") != NULL,
               error = json_object_get(json, "error") != NULL,
               event = json_object_get(json, "method") != NULL;
    REQUIRE(result + error + event == 1);
    REQUIRE(event == (json_object_get(json, "id") == NULL));
    w->answers += !event;
    json_decref(json);
}

static size_t env_unsent(void *ctx, void *conn)
{
    (void)conn;
    return ((struct world *)ctx)->unsent;
}
static void env_hold(void *ctx, void *conn)
{
    (void)conn;
    ((struct world *)ctx)->holds++;
}
static void env_release(void *ctx, void *conn)
{
    (void)conn;
    REQUIRE(((struct world *)ctx)->holds-- > 0);
}
static enum yr_err env_command(void *ctx, const struct yr_cmd *cmd, uint64_t ticket)
{
    struct world *w = ctx;
    REQUIRE(ticket != 0);
    REQUIRE(cmd->body_len <= 16384 && cmd->text_len <= 1024 && cmd->name_len <= 64);
    return w->node->command_count == FAKE_COMMANDS ? YR_EFULL
                                                   : yr_node_command(w->node, w->now, cmd, ticket);
}

/* A slow thing: refused once eight of them go on. */
static enum yr_err slow(struct world *w, uint64_t ticket)
{
    if (w->slow_count == 8)
        return YR_EINVAL;
    w->slow[w->slow_count++] = ticket;
    return YR_OK;
}
static enum yr_err env_create(void *ctx, const char *nick, uint64_t ticket)
{
    (void)nick;
    return slow(ctx, ticket);
}
static enum yr_err env_unlock(void *ctx, const char *passphrase, size_t len, uint64_t ticket)
{
    REQUIRE(strlen(passphrase) == len && len <= 1024);
    return slow(ctx, ticket);
}
static enum yr_err env_lock(void *ctx, uint64_t ticket)
{
    return slow(ctx, ticket);
}
static enum yr_err env_peer_add(void *ctx, const char *addr, uint64_t ticket)
{
    (void)addr;
    return slow(ctx, ticket);
}
static enum yr_err env_backup(void *ctx, const char *path, const char *passphrase, size_t len,
                              uint64_t ticket)
{
    REQUIRE(path[0] == '/' && strlen(passphrase) == len && len <= 1024);
    return slow(ctx, ticket);
}
static void env_status(void *ctx, struct yr_rpc_status *out)
{
    *out = (struct yr_rpc_status){
        .profile = "default", .socket_path = "/x", .vault = ((struct world *)ctx)->vault};
}
static bool env_config_at(void *ctx, size_t i, const char **key, const char **value,
                          const char **origin)
{
    (void)ctx;
    *key = "net.lan";
    *value = "yes";
    *origin = "default";
    return i == 0;
}
static enum yr_exit env_config_set(void *ctx, const char *key, const char *value,
                                   struct yr_fail *fail)
{
    (void)ctx, (void)key;
    return value == NULL ? YR_EXIT_OK : yr_fail(fail, YR_EXIT_CONFIG, "bad value '%.20s'", value);
}
static enum yr_exit env_reload(void *ctx, struct yr_fail *fail)
{
    (void)ctx, (void)fail;
    return YR_EXIT_OK;
}
static void env_stop(void *ctx)
{
    (void)ctx;
}

static void open_world(struct world *w)
{
    const struct yr_rpc_env env = {.ctx = w,
                                   .now = env_now,
                                   .send = env_send,
                                   .unsent = env_unsent,
                                   .hold = env_hold,
                                   .release = env_release,
                                   .command = env_command,
                                   .identity_create = env_create,
                                   .unlock = env_unlock,
                                   .lock = env_lock,
                                   .peer_add = env_peer_add,
                                   .backup = env_backup,
                                   .status = env_status,
                                   .config_at = env_config_at,
                                   .config_set = env_config_set,
                                   .reload = env_reload,
                                   .stop = env_stop};
    memset(w, 0, sizeof *w);
    w->node = fake_new();
    w->vault = true;
    w->now = (struct yr_now){1000000, 1795362395123};
    fake_friend(w->node, 2, "", "bob")->online = true;
    fake_friend(w->node, 3, "carol", "C\x1b[31m");
    fake_room(w->node, 10, "garden\x1b[31m");
    fake_member(w->node, 10, 1, "alice", 1);
    fake_member(w->node, 10, 0x22, "bobby", 2);
    fake_member(w->node, 10, 0x44, "zed\n", 0);
    fake_member(w->node, 10, 0x55, "zed", 0);
    fake_message(w->node, 10, 0x44, 500, "hello @alice")->reaction_count = 2;
    for (int i = 0; i < 6; i++)
        fake_message(w->node, 2 + i % 2, i % 3 == 0 ? 1 : 2 + i % 2, 1000 * i, "hello");
    REQUIRE(yr_rpc_new(&w->rpc, w->node, &env) == YR_OK);
    w->client = yr_rpc_client_new(w->rpc, w);
}

/* ---- what happens besides requests ---- */

static void command_done(struct world *w, enum yr_err err)
{
    struct yr_event event = {.kind = YR_EV_DONE, .err = err, .text = "goodgood"};

    if (w->done_count < w->node->command_count) {
        event.ticket = w->node->commands[w->done_count++].ticket;
        memcpy(event.msg, w->node->messages[0].id, sizeof event.msg);
        yr_rpc_event(w->rpc, &event);
    } else if (w->slow_count > 0) {
        yr_rpc_done(w->rpc, w->slow[--w->slow_count], err);
    }
}

static void text_comes(struct world *w)
{
    struct yr_event *event;

    if (w->node->message_count == FAKE_MAX || w->node->event_count == FAKE_MAX)
        return;
    const struct fake_message *msg =
        fake_message(w->node, 2, 2, 10000 + (yr_ms)w->node->message_count, "hi");
    event = fake_event(w->node, YR_EV_MESSAGE);
    memcpy(event->conv, msg->conv, sizeof event->conv);
    memcpy(event->msg, msg->id, sizeof event->msg);
    yr_rpc_event(w->rpc, event);
}

static void room_changes(struct world *w)
{
    struct yr_room_info *room = &w->node->rooms[0];
    struct yr_event *event;

    room->state =
        room->state == YR_ROOM_GONE ? YR_ROOM_INVITED : (enum yr_room_state)(room->state + 1);
    w->node->rooms_version++;
    for (int i = 0; i < 2 && w->node->event_count < FAKE_MAX; i++) {
        event = fake_event(w->node, i == 0 ? YR_EV_ROOM : YR_EV_MEMBER);
        memcpy(event->conv, room->id, sizeof event->conv);
        memset(event->who, 0x44, YR_MID_LEN);
        event->gone = room->state == YR_ROOM_GONE;
        yr_rpc_event(w->rpc, event);
    }
}

static void leave(struct world *w)
{
    yr_rpc_client_gone(w->rpc, w->client);
    w->holds = w->answers = w->requests = 0;
    w->client = yr_rpc_client_new(w->rpc, w);
    REQUIRE(w->client != NULL);
}

static bool happens(struct world *w, char what)
{
    switch (what) {
    case '!': command_done(w, YR_OK); return true;
    case '?': command_done(w, YR_EIO); return true;
    case '@':
        w->now.mono_us += 1000000;
        yr_rpc_tick(w->rpc);
        return true;
    case '~': text_comes(w); return true;
    case '#': w->unsent = YR_RPC_UNSENT_HIGH; return true;
    case '$': w->unsent = 0; return true;
    case '^': leave(w); return true;
    case '%': room_changes(w); return true;
    case '&':
        w->node->self.unlocked = !w->node->self.unlocked;
        yr_rpc_vault_moved(w->rpc);
        return true;
    default: return false;
    }
}

/* Will this line be answered?  All but a well-formed notification are. */
static bool expects_answer(const char *line, size_t len)
{
    json_t *json = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL), *member;
    bool notification = json != NULL && json_object_get(json, "id") == NULL;
    const char *key;

    json_object_foreach(json, key, member) notification =
        notification &&
        (strcmp(key, "method") == 0 || strcmp(key, "jsonrpc") == 0 || strcmp(key, "params") == 0);
    member = json_object_get(json, "params");
    notification = notification && json_is_string(json_object_get(json, "method")) &&
                   json_is_string(json_object_get(json, "jsonrpc")) &&
                   strcmp(json_string_value(json_object_get(json, "jsonrpc")), "2.0") == 0 &&
                   (member == NULL || json_is_object(member) || json_is_array(member));
    json_decref(json);
    return !notification;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *at = (const char *)data, *end = at + size;
    struct world w;

    open_world(&w);
    for (int i = 0; i < LINES_MAX && at < end; i++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        const size_t len = stop != NULL ? (size_t)(stop - at) : (size_t)(end - at);
        if (len == 0 || !happens(&w, at[0])) {
            w.requests += expects_answer(at, len);
            yr_rpc_line(w.rpc, w.client, at, len);
        }
        at += len + (stop != NULL);
    }
    while (w.done_count < w.node->command_count || w.slow_count > 0)
        command_done(&w, YR_OK);
    w.now.mono_us += (yr_us)8 * 86400 * 1000000; // the longest timeout and more
    yr_rpc_tick(w.rpc);
    REQUIRE(w.answers <= w.requests);
    REQUIRE(w.requests - w.answers <= w.holds); // what is not answered waits without a limit
    leave(&w);
    yr_rpc_free(w.rpc);
    free(w.node);
    return 0;
}
