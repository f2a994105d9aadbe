/* tools/bench_mail.c: what it costs to keep mail for 256 friends.
 *
 *     bench_mail fill FOLDER     fills a mailbox to its quota: how fast envelopes are taken
 *     bench_mail start FOLDER    opens it anew: how long that takes, and how much memory
 *     bench_mail empty FOLDER    the same node without mail, to compare with
 *
 * Envelopes come in as frames of a friend's link do, only that there is no link: 64 of them a
 * commit, as many as come while another one is written.  The baseline of taking them is LMDB alone,
 * with rows of the same size and as many a commit.  The folder has the store and its keys. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/node/state.h"
#include "net/mem.h"
#include "net/random.h"
#include "net/store_lmdb.h"

#define FRIENDS  256
#define BATCH    64   /* envelopes a commit */
#define ENVELOPE 1024 /* bytes: 262,144 of them are the whole quota */
#define TAGS     50   /* friends of each friend */
#define NOW_MS   1767225600000

static struct {
    struct yr_mem mem;
    struct yr_lmdb *lmdb;
    struct yr_node *node;
    struct yr_now now;
    struct yr_keys {
        uint8_t vk[32], shred[192];
    } keys;
    uint64_t ticket, done;
} bench;

static void die(const char *what)
{
    fprintf(stderr, "bench_mail: %s\n", what);
    exit(1);
}

static void must(enum yr_err err)
{
    if (err != YR_OK)
        die(yr_strerror(err));
}

static uint64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void open_all(const char *dir, bool fresh)
{
    struct yr_lmdb_opts lmdb = yr_lmdb_opts_default();
    struct yr_node_opts opts = yr_node_opts_default();

    yr_mem_init(&bench.mem);
    must(yr_lmdb_open(&bench.lmdb, dir, &lmdb));
    opts.mem = &bench.mem;
    opts.rng = yr_rng_system();
    opts.view = yr_lmdb_view(bench.lmdb);
    opts.online = false;
    must(yr_node_new(&bench.node, &opts));
    must(yr_node_unlock(bench.node, bench.now, bench.keys.vk, fresh ? NULL : bench.keys.shred));
}

static void close_all(void)
{
    yr_node_free(bench.node);
    yr_lmdb_close(bench.lmdb);
}

static void carry_out(const struct yr_effect *fx)
{
    if (fx->kind == YR_FX_STORE) {
        must(yr_lmdb_commit(bench.lmdb, fx->txn));
        yr_node_stored(bench.node, bench.now, fx->txn->token, YR_OK);
    } else if (fx->kind == YR_FX_KEYFILE) {
        memcpy(bench.keys.shred + fx->slot * sizeof fx->slot_bytes, fx->slot_bytes,
               sizeof fx->slot_bytes);
        yr_node_stored(bench.node, bench.now, fx->token, YR_OK);
    } else if (fx->kind == YR_FX_EVENT && fx->event.kind == YR_EV_DONE) {
        must(fx->event.err);
        bench.done++;
    }
}

static void settle(void)
{
    uint8_t buf[2048];
    struct yr_effect fx;

    while (yr_node_poll(bench.node, bench.now, &fx, buf, sizeof buf))
        carry_out(&fx);
}

// A friend as first contact makes one.
static void befriend(unsigned i)
{
    const struct yr_contact_ops *ops = &yr_friend_contact_ops;
    struct yr_contact c = {.inviter = true, .gen = 1, .day = 20000, .begun_us = 1};
    struct yr_prekey_own prekey;
    struct yr_identity who;

    yr_identity_new(&who, yr_rng_system(), NOW_MS);
    memcpy(c.id, who.id, sizeof c.id);
    memcpy(c.dev, who.id, sizeof c.dev);
    yr_random(yr_rng_system(), c.pair, sizeof c.pair);
    yr_random(yr_rng_system(), c.exporter, sizeof c.exporter);
    yr_random(yr_rng_system(), c.hash, sizeof c.hash);
    yr_prekey_new(&prekey, i, UINT32_MAX, yr_rng_system());
    c.ratchet = prekey.pair;
    bench.node->now = bench.now;
    must(ops->met(bench.node, bench.now, &c));
    yr_identity_clear(&who);
}

static void people(void)
{
    struct yr_cmd cmd = {.kind = YR_CMD_IDENTITY_NEW, .text = "keeper", .text_len = 6};

    must(yr_node_command(bench.node, bench.now, &cmd, ++bench.ticket));
    settle();
    for (unsigned i = 0; i < FRIENDS; i++) {
        befriend(i);
        settle();
    }
}

static void tag_of(uint8_t tag[16], unsigned slot, uint32_t day, unsigned i)
{
    const uint32_t what[4] = {0x7a67, slot, day, i};

    memcpy(tag, what, sizeof what);
}

static void register_all(void)
{
    const uint32_t today = (uint32_t)(NOW_MS / 86400000);
    uint8_t body[4 + TAGS * 16];

    for (unsigned slot = 0; slot < FRIENDS; slot++)
        for (uint32_t day = today - 1; day < today - 1 + YR_MAIL_DAYS; day++) {
            struct yr_wr wr = yr_wr_init(body, sizeof body);
            yr_wr_u32(&wr, day);
            for (unsigned i = 0; i < TAGS; i++)
                tag_of(yr_wr_room(&wr, 16), slot, day, i);
            must(yr_mail_frame(bench.node, slot, YR_FRAME_MBX_REG, body, sizeof body));
        }
    settle();
}

static void leave(size_t n, unsigned to)
{
    uint8_t body[ENVELOPE], tag[16];
    struct yr_wr wr = yr_wr_init(body, sizeof body);

    tag_of(tag, to, (uint32_t)(NOW_MS / 86400000), (unsigned)(n % TAGS));
    yr_wr_u8(&wr, 1);
    yr_wr_u8(&wr, 0);
    yr_wr_u32(&wr, (uint32_t)(NOW_MS / 1000) + 14 * 86400);
    yr_wr_bytes(&wr, tag, sizeof tag);
    yr_random(yr_rng_system(), body + yr_wr_len(&wr), sizeof body - yr_wr_len(&wr));
    must(yr_mail_frame(bench.node, (to + 1) % FRIENDS, YR_FRAME_ENV_PUT, body, sizeof body));
}

static void keys_file(const char *dir, bool write_)
{
    char path[1024];
    int fd;
    ssize_t n;

    snprintf(path, sizeof path, "%s/keys", dir);
    fd = open(path, write_ ? O_WRONLY | O_CREAT | O_TRUNC : O_RDONLY, 0600);
    n = fd < 0   ? -1
        : write_ ? write(fd, &bench.keys, sizeof bench.keys)
                 : read(fd, &bench.keys, sizeof bench.keys);
    if (n != (ssize_t)sizeof bench.keys || close(fd) != 0)
        die(path);
}

// LMDB alone: rows a second, of what such an envelope is on disk.
static double bare(const char *dir, size_t rows)
{
    struct yr_lmdb_opts opts = yr_lmdb_opts_default();
    uint8_t keys[BATCH][40], value[ENVELOPE + 9 + 109];
    struct yr_op ops[BATCH];
    struct yr_lmdb *db;
    uint64_t begin;

    must(yr_lmdb_open(&db, dir, &opts));
    yr_random(yr_rng_system(), value, sizeof value);
    begin = now_us();
    for (size_t at = 0; at < rows; at += BATCH) {
        const struct yr_txn txn = {.token = at / BATCH + 1,
                                   .ops = ops,
                                   .op_count = BATCH,
                                   .byte_count = BATCH * (sizeof keys[0] + sizeof value)};
        memset(ops, 0, sizeof ops);
        for (size_t i = 0; i < BATCH; i++) {
            const uint64_t order = at + i;
            memset(keys[i], (int)(order % FRIENDS), 16);
            for (size_t k = 0; k < 8; k++)
                keys[i][16 + k] = (uint8_t)(order >> (56 - 8 * k));
            memset(keys[i] + 24, 0x5a, 16);
            ops[i].key = keys[i];
            ops[i].key_len = sizeof keys[i];
            ops[i].value = value;
            ops[i].value_len = sizeof value;
        }
        must(yr_lmdb_commit(db, &txn));
    }
    begin = now_us() - begin;
    yr_lmdb_close(db);
    return (double)rows * 1e6 / (double)begin;
}

static size_t kept(uint64_t *bytes)
{
    struct yr_mailbox_info info;
    size_t count = 0;

    *bytes = 0;
    for (unsigned slot = 0; slot < FRIENDS; slot++) {
        yr_mailbox_info(bench.node->mailbox, slot, &info);
        count += info.kept;
        *bytes += info.bytes;
    }
    return count;
}

static void fill(const char *dir)
{
    const size_t all = YR_MAIL_ALL_BYTES / ENVELOPE;
    char path[1024];
    uint64_t begin, spent, bytes;
    double base;

    yr_random(yr_rng_system(), bench.keys.vk, sizeof bench.keys.vk);
    snprintf(path, sizeof path, "%s/empty", dir);
    if (mkdir(path, 0700) != 0)
        die(path);
    open_all(path, true);
    people();
    settle();
    close_all();
    keys_file(path, true);
    snprintf(path, sizeof path, "%s/full", dir);
    if (mkdir(path, 0700) != 0)
        die(path);
    memset(bench.keys.shred, 0, sizeof bench.keys.shred);
    open_all(path, true);
    people();
    register_all();
    begin = now_us();
    for (size_t n = 0; n < all;) {
        for (size_t i = 0; i < BATCH; i++, n++)
            leave(n, (unsigned)(n % FRIENDS));
        settle();
        bench.now.mono_us += BATCH * 1000000; // within what one friend may leave in an hour
        for (unsigned slot = 0; slot < FRIENDS; slot++)
            yr_mailbox_down(bench.node->mailbox, slot); // no link takes the answers
    }
    spent = now_us() - begin;
    if (kept(&bytes) != all)
        die("not all of it was kept");
    close_all();
    keys_file(path, true);
    snprintf(path, sizeof path, "%s/bare", dir);
    if (mkdir(path, 0700) != 0)
        die(path);
    base = bare(path, 65536);
    printf(
        "{\"bench\": \"mail_deposits\", \"per_s\": %.0f, \"goal_per_s\": 2000, \"envelopes\": %zu, "
        "\"bytes\": %llu, \"a_commit\": %d, \"baseline\": \"LMDB alone\", \"baseline_per_s\": "
        "%.0f, "
        "\"ratio\": %.2f}\n",
        (double)all * 1e6 / (double)spent, all, (unsigned long long)bytes, BATCH, base,
        (double)all * 1e6 / (double)spent / base);
}

static double rss_mib(const char *what)
{
    char line[256];
    double kib = 0;
    FILE *f = fopen("/proc/self/status", "r");

    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        if (strncmp(line, what, strlen(what)) == 0)
            kib = strtod(line + strlen(what) + 1, NULL);
    if (f != NULL)
        fclose(f);
    return kib / 1024;
}

static void start(const char *dir, const char *which)
{
    char path[1024];
    uint64_t begin, bytes;
    double ms;
    size_t count;

    snprintf(path, sizeof path, "%s/%s", dir, which);
    keys_file(path, false);
    begin = now_us();
    open_all(path, false);
    settle();
    yr_lmdb_trim(bench.lmdb); // as a host does
    ms = (double)(now_us() - begin) / 1000;
    count = kept(&bytes);
    printf("{\"bench\": \"mail_start_%s\", \"ms\": %.1f, \"goal_ms\": 2000, \"rss_mib\": %.1f, "
           "\"goal_rss_mib\": 100, \"rss_anon_mib\": %.1f, \"friends\": %d, \"envelopes\": %zu, "
           "\"bytes\": %llu}\n",
           which, ms, rss_mib("VmRSS:"), rss_mib("RssAnon:"), FRIENDS, count,
           (unsigned long long)bytes);
    close_all();
}

int main(int argc, char **argv)
{
    if (argc != 3)
        die("usage: bench_mail fill|start|empty FOLDER");
    bench.now = (struct yr_now){.mono_us = 1000000, .wall_ms = NOW_MS};
    if (strcmp(argv[1], "fill") == 0)
        fill(argv[2]);
    else
        start(argv[2], strcmp(argv[1], "start") == 0 ? "full" : "empty");
    return 0;
}
