#include "yaari/host.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/dir.h"
#include "net/host_state.h"
#include "net/keyfile.h"
#include "net/mem.h"
#include "net/random.h"
#include "net/writer.h"

#define STAMP_EVERY 64 /* effects carried out under one reading of the clock */
#define TICKS_MAX   4  /* ticks before the loop's other work gets its turn */

static void go_on_ending(struct yr_host *host);

void yr_host_say(struct yr_host *host, enum yr_log_level level, const char *room, const char *fmt,
                 ...)
{
    char text[512];
    va_list args;

    if (host->opts.on_log == NULL)
        return;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    host->opts.on_log(host->opts.ctx, level, room, text);
}

static void enter(struct yr_host *host, enum yr_host_state state, enum yr_err err)
{
    host->state = state;
    if (host->opts.on_state != NULL && state != YR_HOST_CLOSING)
        host->opts.on_state(host->opts.ctx, state, err);
}

enum yr_err yr_host_ready(const struct yr_host *host)
{
    switch (host->state) {
    case YR_HOST_NO_VAULT: return YR_ENOID;
    case YR_HOST_LOCKED:
    case YR_HOST_UNLOCKING: return YR_ELOCKED;
    case YR_HOST_CLOSING: return YR_EAGAIN;
    case YR_HOST_OPEN: break;
    }
    return host->ending == YR_ENDING_NONE ? YR_OK : YR_EAGAIN;
}

// ---- the clock ----

static void on_alarm(void *ctx)
{
    struct yr_host *host = ctx;

    host->stats.wakeups++;
    if (host->ending != YR_ENDING_NONE || host->node == NULL)
        return;
    yr_host_woken(host);
    yr_node_tick(host->node, yr_clock_now());
    yr_host_drain(host);
}

static void set_alarm(struct yr_host *host)
{
    if (host->alarm != NULL)
        yr_alarm_set(host->alarm, host->ending == YR_ENDING_NONE && host->state == YR_HOST_OPEN
                                      ? yr_node_deadline(host->node)
                                      : YR_NEVER);
}

// ---- the store and the key file ----

static void on_answer(void *ctx, uint64_t token, enum yr_err err)
{
    struct yr_host *host = ctx;

    if (err != YR_OK)
        yr_host_say(host, YR_LOG_ERROR, "store", "a write failed: %s", yr_strerror(err));
    yr_node_stored(host->node, yr_clock_now(), token, err);
}

static void on_answers(void *ctx)
{
    struct yr_host *host = ctx;

    host->stats.wakeups++;
    yr_host_woken(host);
    yr_host_drain(host);
}

// ---- effects ----

/** One that does not open costs only what would have been sent there. */
static void open_extra(struct yr_host *host, const struct yr_addr *at)
{
    const enum yr_err err =
        host->udp != NULL ? yr_udp_open_extra(host->udp, at->local, at->family) : YR_OK;

    if (err != YR_OK)
        yr_host_say(host, YR_LOG_DEBUG, "net", "cannot open one more socket: %s", yr_strerror(err));
}

/** true: what it did may have made the first identity. */
static bool carry_out(struct yr_host *host, const struct yr_effect *fx, const uint8_t *room)
{
    switch (fx->kind) {
    case YR_FX_SEND:
        if (host->udp != NULL)
            yr_udp_send(host->udp, &fx->to, fx->len);
        return false;
    case YR_FX_OPEN: open_extra(host, &fx->to); return false;
    case YR_FX_SHUT:
        if (host->udp != NULL)
            yr_udp_shut_extra(host->udp, fx->to.local);
        return false;
    case YR_FX_LAN:
        if (host->lan != NULL)
            yr_lan_send(host->lan, room, fx->len);
        return false;
    case YR_FX_STORE: yr_writer_store(host->writer, fx->txn); return false;
    case YR_FX_KEYFILE:
        yr_writer_keyfile(host->writer, fx->token, fx->slot, fx->slot_bytes);
        return false;
    case YR_FX_EVENT:
        if (fx->event.kind == YR_EV_NET && host->portmap != NULL && host->ending == YR_ENDING_NONE)
            yr_host_check_mapping(host);
        if (host->opts.on_event != NULL)
            host->opts.on_event(host->opts.ctx, &fx->event);
        return fx->event.kind == YR_EV_DONE;
    }
    return false;
}

/** Is it time for a tick already? */
static bool due(const struct yr_host *host, struct yr_now now)
{
    return host->ending == YR_ENDING_NONE && host->state == YR_HOST_OPEN &&
           yr_node_deadline(host->node) <= now.mono_us;
}

/** Take the node's effects until there are no more.  Callbacks inside may give it more to do; they
 *  come back here only through the loop below. */
void yr_host_drain(struct yr_host *host)
{
    uint8_t scratch[YR_PACKET_MAX];
    struct yr_effect fx;
    struct yr_now now;
    unsigned ticks = 0;
    bool look = false;

    if (host->draining || host->node == NULL || host->ending == YR_ENDING_HANDLES)
        return;
    host->draining = true;
    now = yr_clock_now();
    for (unsigned n = 1;; n++) {
        uint8_t *room = host->udp != NULL ? yr_udp_room(host->udp) : scratch;
        if (yr_node_poll(host->node, now, &fx, room, YR_PACKET_MAX)) {
            look = carry_out(host, &fx, room) || look;
            if (fx.kind == YR_FX_EVENT) // who was told may have asked for more, later than `now`
                now = yr_clock_now();
        } else {
            now = yr_clock_now();
            if (ticks++ == TICKS_MAX || !due(host, now))
                break;
            yr_node_tick(host->node, now); // here, and not by way of the alarm
        }
        if (n % STAMP_EVERY == 0)
            now = yr_clock_now();
    }
    host->draining = false;
    if (host->udp != NULL)
        yr_udp_flush(host->udp);
    set_alarm(host);
    if (look && !host->network_up)
        yr_host_network_up(host);
    if (host->ending != YR_ENDING_NONE)
        go_on_ending(host);
}

// ---- unlocking ----

/** The vault key is known: let the node open its store. */
static enum yr_err open_node(struct yr_host *host, const uint8_t vk[32])
{
    uint8_t shred[YR_SHRED_FILE_LEN];
    enum yr_err err = yr_keyfile_read_shred(host->shred_path, shred);
    const bool none = err == YR_ENOENT;

    if (none && !yr_writer_is_empty(host->writer))
        return yr_net_fail(&host->fail, YR_ECORRUPT, 0, "%s is missing, and the store is not empty",
                           host->shred_path);
    if (err != YR_OK && !none)
        return yr_net_fail(&host->fail, err, 0, "cannot read %s: %s", host->shred_path,
                           yr_strerror(err));
    err = yr_node_unlock(host->node, yr_clock_now(), vk, none ? NULL : shred);
    explicit_bzero(shred, sizeof shred);
    yr_writer_trim(host->writer);
    if (err == YR_EAUTH)
        yr_net_fail(&host->fail, err, 0, "the keys in %s are not those of its store", host->dir);
    else if (err != YR_OK)
        yr_net_fail(&host->fail, err, 0, "cannot read the store in %s: %s", host->dir,
                    yr_strerror(err));
    return err;
}

/** The attempt is over. */
static enum yr_err unlocked(struct yr_host *host)
{
    const bool unused = host->job.without && host->job.passphrase != NULL;
    enum yr_err err = host->job.fail.err;

    host->has_passphrase = !host->job.without;
    if (err != YR_OK)
        host->fail = host->job.fail;
    else if (host->ending == YR_ENDING_NONE)
        err = open_node(host, host->job.vk);
    yr_unlock_clear(&host->job);
    if (host->ending != YR_ENDING_NONE) {
        go_on_ending(host);
        return err;
    }
    if (err != YR_OK) {
        enter(host, access(host->vault_path, F_OK) == 0 ? YR_HOST_LOCKED : YR_HOST_NO_VAULT, err);
        return err;
    }
    if (unused)
        yr_host_say(host, YR_LOG_WARN, "store", "%s has no passphrase; the one given is not used",
                    host->vault_path);
    enter(host, YR_HOST_OPEN, YR_OK);
    yr_host_drain(host);
    yr_host_network_up(host);
    return YR_OK;
}

static void run_unlock(uv_work_t *work)
{
    yr_unlock_run(work->data);
}

static void on_unlocked(uv_work_t *work, int status)
{
    struct yr_unlock *job = work->data;
    struct yr_host *host = (struct yr_host *)((char *)job - offsetof(struct yr_host, job));

    (void)status; // never cancelled
    host->stats.wakeups++;
    host->unlock_busy = false;
    (void)!unlocked(host); // told by on_state
}

enum yr_err yr_host_unlock(struct yr_host *host, const char *passphrase, size_t passphrase_len)
{
    enum yr_err err;

    if (host->node == NULL || host->ending != YR_ENDING_NONE ||
        (host->state != YR_HOST_NO_VAULT && host->state != YR_HOST_LOCKED))
        return yr_net_fail(&host->fail, YR_EINVAL, 0, "it is unlocked already");
    err = yr_unlock_init(&host->job, passphrase, passphrase_len);
    if (err != YR_OK)
        return yr_net_fail(&host->fail, err, 0,
                           err == YR_ESIZE ? "a passphrase has 1 to %d bytes"
                                           : "no memory for a passphrase of up to %d bytes",
                           YR_PASSPHRASE_MAX);
    host->job.path = host->vault_path;
    host->job.make = host->state == YR_HOST_NO_VAULT;
    host->job.small_hash = host->opts.small_hash;
    host->state = YR_HOST_UNLOCKING;
    if (!yr_unlock_is_slow(&host->job)) {
        yr_unlock_run(&host->job);
        return unlocked(host);
    }
    enter(host, YR_HOST_UNLOCKING, YR_OK);
    host->unlock_busy = true;
    host->unlock_work.data = &host->job;
    if (uv_queue_work(host->opts.loop, &host->unlock_work, run_unlock, on_unlocked) != 0)
        YR_ASSERT(false); // fails only without a function to call
    return YR_OK;
}

// ---- opening ----

struct yr_host_opts yr_host_opts_default(void)
{
    const struct yr_node_opts node = yr_node_opts_default();

    return (struct yr_host_opts){
        .lan = true, .dht = node.dht, .relay = node.relay, .mail = node.mail};
}

static enum yr_err open_store(struct yr_host *host)
{
    char path[PATH_MAX + 8];
    const struct yr_writer_opts opts = {.loop = host->opts.loop,
                                        .store_dir = path,
                                        .shred_path = host->shred_path,
                                        .on_answer = on_answer,
                                        .on_answers = on_answers,
                                        .ctx = host};

    snprintf(path, sizeof path, "%s/store", host->dir);
    return yr_writer_open(&host->writer, &opts, &host->fail);
}

static enum yr_err take_dir(struct yr_host *host, const char *dir)
{
    // Room for the longest name of ours behind it.
    if (strlen(dir) + sizeof "/store/data.mdb" > PATH_MAX)
        return yr_net_fail(&host->fail, YR_EINVAL, 0, "the path of the data directory is too long");
    strcpy(host->dir, dir); // fits, just checked
    snprintf(host->vault_path, PATH_MAX, "%s/vault.key", dir);
    snprintf(host->shred_path, PATH_MAX, "%s/shred.key", dir);
    snprintf(host->port_path, PATH_MAX, "%s/port", dir);
    const enum yr_err err = yr_dir_private(dir, &host->fail);
    return err == YR_OK ? yr_restore_go_on(dir, &host->fail) : err;
}

static enum yr_err open_parts(struct yr_host *host, const struct yr_host_opts *opts)
{
    struct yr_node_opts node = yr_node_opts_default();
    enum yr_err err;

    err = yr_alarm_open(&host->alarm, opts->loop, on_alarm, host);
    if (err != YR_OK)
        return yr_net_fail(&host->fail, err, errno, "cannot make a timer");
    if ((err = take_dir(host, opts->data_dir)) != YR_OK || (err = open_store(host)) != YR_OK)
        return err;
    if (!opts->offline && (err = yr_host_open_sockets(host, opts)) != YR_OK)
        return err;
    yr_mem_init(&host->mem);
    node.mem = &host->mem;
    node.rng = yr_rng_system();
    node.view = yr_writer_view(host->writer);
    node.lan = opts->lan && !opts->offline;
    node.online = !opts->offline;
    node.read_receipts = opts->read_receipts;
    node.dht = opts->dht;
    node.relay = opts->relay;
    node.presence = opts->presence;
    node.typing = opts->typing;
    node.mail = opts->mail;
    err = yr_node_new(&host->node, &node);
    if (host->mem.unlocked > 0)
        yr_host_say(host, YR_LOG_WARN, "store",
                    "keys may be swapped out: the limit of locked memory is "
                    "too low (RLIMIT_MEMLOCK)");
    return err == YR_OK ? YR_OK : yr_net_fail(&host->fail, err, 0, "no memory for the node");
}

static bool there(const char *path)
{
    return access(path, F_OK) == 0 || errno != ENOENT;
}

static enum yr_err begin(struct yr_host *host, const struct yr_host_opts *opts)
{
    const bool vault = there(host->vault_path);

    host->state = vault ? YR_HOST_LOCKED : YR_HOST_NO_VAULT;
    // A vault made now could never open what an older one closed.
    if (!vault && (there(host->shred_path) || !yr_writer_is_empty(host->writer)))
        return yr_net_fail(&host->fail, YR_ECORRUPT, 0, "%s is missing, and the store is not empty",
                           host->vault_path);
    if (!vault && !opts->make_vault)
        return YR_OK;
    const enum yr_err err = yr_host_unlock(host, opts->passphrase, opts->passphrase_len);
    return err == YR_ELOCKED ? YR_OK : err; // waits for a passphrase
}

enum yr_err yr_host_open(struct yr_host **out, const struct yr_host_opts *opts)
{
    struct yr_host *host = calloc(1, sizeof *host);
    enum yr_err err;

    *out = host;
    if (host == NULL)
        return YR_ENOMEM;
    host->opts = *opts;
    host->opts.data_dir = host->opts.passphrase = NULL;
    host->opts.listen = NULL;
    host->state = YR_HOST_LOCKED;
    err = open_parts(host, opts);
    return err == YR_OK ? begin(host, opts) : err;
}

// ---- what a front end asks ----

const char *yr_host_error(const struct yr_host *host)
{
    return host->fail.text;
}

enum yr_host_state yr_host_state(const struct yr_host *host)
{
    return host->state;
}

bool yr_host_has_passphrase(const struct yr_host *host)
{
    return host->has_passphrase;
}

struct yr_node *yr_host_node(struct yr_host *host)
{
    return host->node;
}

struct yr_now yr_host_now(const struct yr_host *host)
{
    (void)host;
    return yr_clock_now();
}

size_t yr_host_bound(const struct yr_host *host, struct yr_addr *out, size_t cap)
{
    return host->udp != NULL ? yr_udp_bound(host->udp, out, cap) : 0;
}

void yr_host_set_dht(struct yr_host *host, enum yr_dht_mode mode)
{
    host->opts.dht = mode;
    yr_node_set_dht(host->node, yr_clock_now(), mode);
    yr_host_network_up(host); // a server needs nobody to be on it
    yr_host_drain(host);
}

void yr_host_set_presence(struct yr_host *host, enum yr_presence_mode presence, bool typing)
{
    host->opts.presence = presence;
    host->opts.typing = typing;
    yr_node_set_presence(host->node, yr_clock_now(), presence, typing);
    yr_host_drain(host);
}

void yr_host_set_mail(struct yr_host *host, const struct yr_mail_opts *mail)
{
    host->opts.mail = *mail;
    yr_node_set_mail(host->node, yr_clock_now(), mail);
    yr_host_drain(host);
}

void yr_host_set_relay(struct yr_host *host, bool on)
{
    host->opts.relay = on;
    yr_node_set_relay(host->node, yr_clock_now(), on);
    yr_host_drain(host);
}

void yr_host_stats(const struct yr_host *host, struct yr_host_stats *out)
{
    *out = host->stats;
    if (host->writer != NULL)
        out->commits = yr_writer_commits(host->writer);
    if (host->udp != NULL)
        yr_udp_stats(host->udp, out);
}

enum yr_err yr_host_command(struct yr_host *host, const struct yr_cmd *cmd, uint64_t ticket)
{
    char text[YR_PEER_TEXT];
    enum yr_err err = yr_host_ready(host);

    if (err != YR_OK)
        return err;
    if (cmd->kind == YR_CMD_PEER_REMOVE && host->peers != NULL && cmd->text_len < sizeof text) {
        snprintf(text, sizeof text, "%.*s", (int)cmd->text_len, cmd->text);
        yr_net_peers_remove(host->peers, text);
    }
    err = yr_node_command(host->node, yr_clock_now(), cmd, ticket);
    yr_host_drain(host);
    return err;
}

// ---- ending ----

static void released(void *ctx)
{
    struct yr_host *host = ctx;
    void (*on_closed)(void *) = host->on_closed;
    void *closed_ctx = host->closed_ctx;

    if (--host->handles > 0)
        return;
    free(host);
    if (on_closed != NULL)
        on_closed(closed_ctx);
}

static void close_parts(struct yr_host *host)
{
    host->ending = YR_ENDING_HANDLES;
    yr_node_free(host->node);
    host->node = NULL;
    host->handles = 8;                       // the seven, and this call
    yr_lan_close(host->lan, released, host); // before the sockets it sends through
    yr_netwatch_close(host->watch, released, host);
    yr_portmap_close(host->portmap, released, host);
    yr_net_peers_close(host->peers, released, host);
    yr_alarm_close(host->alarm, released, host);
    yr_udp_close(host->udp, released, host);
    yr_writer_close(host->writer, released, host);
    released(host);
}

/** Locked, and nothing is under way: open again, or close. */
static void said_goodbye(struct yr_host *host)
{
    if (!host->lock_only) {
        close_parts(host);
        return;
    }
    host->lock_only = false;
    host->ending = YR_ENDING_NONE;
    yr_host_network_down(host);
    enter(host, YR_HOST_LOCKED, YR_OK);
}

/** Called whenever something that an ending waits for may be over. */
static void go_on_ending(struct yr_host *host)
{
    const bool busy = host->draining || host->unlock_busy || host->backup != NULL ||
                      (host->writer != NULL && yr_writer_busy(host->writer));

    if (host->ending == YR_ENDING_NONE || host->ending == YR_ENDING_HANDLES || busy)
        return;
    if (host->node == NULL || host->ending == YR_ENDING_LOCKING) {
        said_goodbye(host);
        return;
    }
    if (host->ending == YR_ENDING_FLUSHING) {
        host->ending = YR_ENDING_GOODBYES;
        yr_node_close(host->node, yr_clock_now());
    } else {
        host->ending = YR_ENDING_LOCKING;
        yr_node_lock(host->node, yr_clock_now());
    }
    yr_host_drain(host); // comes back here
}

void yr_host_go_on(struct yr_host *host)
{
    go_on_ending(host);
}

static void begin_ending(struct yr_host *host)
{
    yr_backup_cancel(host);
    host->ending = YR_ENDING_FLUSHING;
    if (host->udp != NULL)
        yr_udp_pause(host->udp, true);
    if (host->node != NULL)
        yr_host_drain(host); // goes on to the end if nothing is under way
    else
        go_on_ending(host);
}

enum yr_err yr_host_lock(struct yr_host *host)
{
    if (host->state != YR_HOST_OPEN || host->ending != YR_ENDING_NONE)
        return yr_net_fail(&host->fail, YR_EINVAL, 0, "it is not unlocked");
    host->lock_only = true;
    begin_ending(host);
    return YR_OK;
}

void yr_host_close(struct yr_host *host, void (*on_closed)(void *ctx), void *ctx)
{
    if (host == NULL) {
        if (on_closed != NULL)
            on_closed(ctx);
        return;
    }
    host->on_closed = on_closed;
    host->closed_ctx = ctx;
    host->lock_only = false; // a lock under way becomes a close
    host->state = YR_HOST_CLOSING;
    if (host->ending == YR_ENDING_NONE)
        begin_ending(host);
    else
        go_on_ending(host);
}
