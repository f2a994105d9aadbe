#include <stdio.h>
#include <string.h>
#include <uv.h>

#include "core/base/base.h"
#include "net/fail.h"
#include "yaari/host.h"

#define TICKET 1

// One run of a host, from open to the end of its loop.
struct maker {
    struct yr_host *host;
    const char *nick;
    bool passphrase; // one was given
    bool asked, over;
    uint8_t id[YR_ID_LEN];
    struct yr_net_fail fail; // .err: YR_OK once it is made
};

static void end(struct maker *maker, enum yr_err err, const char *text)
{
    if (maker->over)
        return;
    maker->over = true;
    yr_net_fail(&maker->fail, err, 0, "%s", text);
    yr_host_close(maker->host, NULL, NULL);
    maker->host = NULL;
}

static void on_event(void *ctx, const struct yr_event *event)
{
    struct maker *maker = ctx;
    struct yr_self self;

    if (event->kind != YR_EV_DONE || event->ticket != TICKET || maker->over)
        return;
    yr_node_self(yr_host_node(maker->host), &self);
    memcpy(maker->id, self.id, sizeof maker->id);
    end(maker, event->err, yr_strerror(event->err));
}

/** The node is open: is there an identity, may there be one, make it. */
static void ask(struct maker *maker)
{
    const struct yr_cmd cmd = {
        .kind = YR_CMD_IDENTITY_NEW, .text = maker->nick, .text_len = strlen(maker->nick)};
    struct yr_self self;
    enum yr_err err;

    if (maker->asked || maker->over)
        return;
    maker->asked = true;
    yr_node_self(yr_host_node(maker->host), &self);
    if (self.has_identity) {
        end(maker, YR_EEXIST, "there is an identity already");
        return;
    }
    if (maker->passphrase && !yr_host_has_passphrase(maker->host)) {
        end(maker, YR_EINVAL, "a vault.key without passphrase is there already");
        return;
    }
    err = yr_host_command(maker->host, &cmd, TICKET);
    if (err != YR_OK)
        end(maker, err, yr_strerror(err));
}

static void on_state(void *ctx, enum yr_host_state state, enum yr_err err)
{
    struct maker *maker = ctx;

    if (state == YR_HOST_OPEN)
        ask(maker);
    else if (err != YR_OK && maker->host != NULL)
        end(maker, err, yr_host_error(maker->host));
}

enum yr_err yr_host_make_identity(const char *data_dir, const char *nick, const char *passphrase,
                                  size_t passphrase_len, uint8_t id[YR_ID_LEN], char *why,
                                  size_t why_cap)
{
    struct maker maker = {.nick = nick, .passphrase = passphrase != NULL};
    struct yr_host_opts opts = yr_host_opts_default();
    uv_loop_t loop;
    enum yr_err err;

    if (uv_loop_init(&loop) != 0)
        return YR_ENOMEM;
    opts.loop = &loop;
    opts.data_dir = data_dir;
    opts.offline = true;
    opts.lan = false;
    opts.make_vault = true;
    opts.passphrase = passphrase;
    opts.passphrase_len = passphrase_len;
    opts.on_event = on_event;
    opts.on_state = on_state;
    opts.ctx = &maker;
    err = yr_host_open(&maker.host, &opts);
    if (err != YR_OK)
        end(&maker, err, maker.host != NULL ? yr_host_error(maker.host) : yr_strerror(err));
    uv_run(&loop, UV_RUN_DEFAULT); // until everything is closed
    YR_ASSERT(uv_loop_close(&loop) == 0);
    if (maker.fail.err == YR_OK)
        memcpy(id, maker.id, YR_ID_LEN);
    else if (why_cap > 0)
        snprintf(why, why_cap, "%s", maker.fail.text);
    return maker.fail.err;
}
