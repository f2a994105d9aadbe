/* tools/bench_talk.c: two nodes in two processes, talking through the library on loopback.
 *
 *     bench_talk FOLDER TEXTS     prints JSON lines: latency, then sustained durable texts a second
 *
 * Every figure comes with its ratio to a baseline of the same run: round trips of the same bytes
 * over bare UDP with an fsync at each end, and the same rows written to bare LMDB in one
 * transaction. */
#include <fcntl.h>
#include <lmdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "yaari/host.h"

#define WINDOW   4096 /* commands on the way */
#define PINGS    300
#define TEXT_LEN 100
#define LINK_MAX 400

enum phase { MEETING, LATENCY, FLOOD, DONE };

struct side {
    uv_loop_t loop;
    struct yr_host *host;
    bool alice;
    int to_other, from_other; /* alice writes the link, bob reads it */
    enum phase phase;
    uint8_t friend_id[YR_ID_LEN];
    uint64_t started_us, texts, sent, done, delivered, seen;
    uint64_t ticket;
    uint64_t ping_us, shown_us[PINGS], delivered_us[PINGS];
    unsigned pings;
    uv_timer_t timer;
    uint8_t ping_id[YR_MSG_ID_LEN];
};

static void die(const char *what)
{
    fprintf(stderr, "bench_talk: %s\n", what);
    exit(1);
}

static uint64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static int by_value(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static double part(uint64_t *values, size_t count, double p)
{
    qsort(values, count, sizeof *values, by_value);
    return (double)values[(size_t)((double)(count - 1) * p)] / 1000;
}

/* ---- baselines ---- */

static void fsync_byte(int fd, char c)
{
    if (pwrite(fd, &c, 1, 0) != 1 || fdatasync(fd) != 0)
        die("baseline: cannot write");
}

// One commit at each end: what a durable round trip costs at the least on this disk.
static double base_commit_ms(const char *folder)
{
    uint64_t times[100];
    char path[512];
    int fd;

    snprintf(path, sizeof path, "%s/baseline", folder);
    fd = open(path, O_RDWR | O_CREAT, 0600);
    if (fd < 0)
        die("baseline: cannot open a file");
    for (size_t i = 0; i < 100; i++) {
        const uint64_t t = now_us();
        fsync_byte(fd, (char)i);
        times[i] = now_us() - t;
    }
    close(fd);
    return part(times, 100, 0.5);
}

// Rows of the size of a text's, two a text, 256 texts a transaction, durable.
static double base_rows_per_s(const char *folder)
{
    char path[512], value[1000];
    MDB_env *env;
    MDB_dbi dbi;
    MDB_txn *txn;
    uint64_t begin, n = 0;

    memset(value, 'x', sizeof value);
    snprintf(path, sizeof path, "%s/lmdb", folder);
    mkdir(path, 0700);
    if (mdb_env_create(&env) != 0 || mdb_env_set_mapsize(env, 1u << 30) != 0 ||
        mdb_env_open(env, path, 0, 0600) != 0)
        die("baseline: cannot open LMDB");
    begin = now_us();
    while (now_us() - begin < 1000000) {
        if (mdb_txn_begin(env, NULL, 0, &txn) != 0 || mdb_dbi_open(txn, NULL, 0, &dbi) != 0)
            die("baseline: no transaction");
        for (int i = 0; i < 512; i++, n++) {
            uint64_t key[2] = {n * 0x9e3779b97f4a7c15u, n};
            MDB_val k = {sizeof key, key}, v = {sizeof value, value};
            if (mdb_put(txn, dbi, &k, &v, 0) != 0)
                die("baseline: cannot put");
        }
        if (mdb_txn_commit(txn) != 0)
            die("baseline: cannot commit");
    }
    mdb_env_close(env);
    return (double)n / 2 / ((double)(now_us() - begin) / 1e6);
}

/* ---- talk ---- */

static void send_text(struct side *s, const char *text, size_t len)
{
    struct yr_cmd cmd = {.kind = YR_CMD_SEND, .body = text, .body_len = len};
    enum yr_err err;

    memcpy(cmd.conv, s->friend_id, YR_ID_LEN);
    err = yr_host_command(s->host, &cmd, ++s->ticket);
    if (err != YR_OK)
        die(yr_strerror(err));
}

static void next_ping(struct side *s)
{
    char text[TEXT_LEN];

    s->ping_us = now_us();
    memset(text, '.', sizeof text);
    snprintf(text, sizeof text, "%llu", (unsigned long long)s->ping_us);
    text[strlen(text)] = ' ';
    send_text(s, text, sizeof text);
}

static void fill(struct side *s)
{
    char text[TEXT_LEN];

    memset(text, 'y', sizeof text);
    while (s->sent < s->texts && s->sent - s->done < WINDOW) {
        s->sent++;
        send_text(s, text, sizeof text);
    }
}

static void closed(void *ctx)
{
    struct side *s = ctx;

    uv_close((uv_handle_t *)&s->timer, NULL);
}

static void finish(struct side *s)
{
    s->phase = DONE;
    yr_host_close(s->host, closed, s);
}

static void begin_latency(uv_timer_t *timer)
{
    struct side *s = timer->data;

    s->phase = LATENCY;
    next_ping(s);
}

static void end_latency(struct side *s)
{
    s->phase = FLOOD;
    s->started_us = now_us();
    fill(s);
}

static void pause_then_ping(uv_timer_t *timer)
{
    next_ping(timer->data);
}

static void alice_event(struct side *s, const struct yr_event *e)
{
    if (s->phase == MEETING && e->kind == YR_EV_PRESENCE && e->online) {
        memcpy(s->friend_id, e->conv, YR_ID_LEN);
        uv_timer_start(&s->timer, begin_latency, 500, 0);
    } else if (s->phase == LATENCY && e->kind == YR_EV_DONE) {
        memcpy(s->ping_id, e->msg, YR_MSG_ID_LEN);
    } else if (s->phase == LATENCY && e->kind == YR_EV_STATE &&
               memcmp(e->msg, s->ping_id, YR_MSG_ID_LEN) == 0) {
        s->delivered_us[s->pings++] = now_us() - s->ping_us;
        if (s->pings == PINGS)
            end_latency(s);
        else
            uv_timer_start(&s->timer, pause_then_ping, 1, 0);
    } else if (s->phase == FLOOD && e->kind == YR_EV_DONE) {
        if (e->err != YR_OK)
            die(yr_strerror(e->err));
        s->done++;
        fill(s);
    } else if (s->phase == FLOOD && e->kind == YR_EV_STATE) {
        if (++s->delivered == s->texts)
            finish(s);
    }
}

static void end_bob(uv_timer_t *timer)
{
    finish(timer->data);
}

static struct yr_message message; // 20 KiB: not for the stack

static void bob_event(struct side *s, const struct yr_event *e)
{
    if (e->kind == YR_EV_PRESENCE && e->online && s->phase == MEETING)
        s->phase = LATENCY;
    if (e->kind != YR_EV_MESSAGE)
        return;
    if (s->seen < PINGS) {
        if (yr_node_message(yr_host_node(s->host), e->msg, &message) != YR_OK)
            die("a message that was told is not there");
        s->shown_us[s->seen] = now_us() - strtoull(message.text, NULL, 10);
    }
    if (++s->seen == PINGS + s->texts) {
        char c = 1;
        if (write(s->to_other, s->shown_us, sizeof s->shown_us) < 0 ||
            write(s->to_other, &c, 1) < 0)
            die("cannot tell the other side");
        s->phase = DONE;
        uv_timer_start(&s->timer, end_bob, 3000, 0); // its receipts are still to be acknowledged
    }
}

static void make_link(struct side *s)
{
    struct yr_cmd cmd = {.kind = YR_CMD_INVITE_NEW,
                         .flags = YR_FLAG_HINTS,
                         .expires_ms = yr_host_now(s->host).wall_ms + 3600 * 1000};
    struct yr_invite_info info;

    if (yr_host_command(s->host, &cmd, ++s->ticket) != YR_OK ||
        !yr_node_invite_at(yr_host_node(s->host), 0, &info))
        die("no invite");
    char link[LINK_MAX] = {0};
    snprintf(link, sizeof link, "%s", info.link);
    if (write(s->to_other, link, sizeof link) != sizeof link)
        die("cannot tell the other side");
}

static void add_link(struct side *s)
{
    char link[LINK_MAX];
    struct yr_cmd cmd = {.kind = YR_CMD_ADD, .text = link};

    if (read(s->from_other, link, sizeof link) != sizeof link)
        die("no link");
    cmd.text_len = strlen(link);
    s->started_us = now_us();
    if (yr_host_command(s->host, &cmd, ++s->ticket) != YR_OK)
        die("the link is refused");
}

static void on_state(void *ctx, enum yr_host_state state, enum yr_err err)
{
    struct side *s = ctx;

    (void)s;
    if (state == YR_HOST_LOCKED)
        die(yr_strerror(err));
}

static void on_event(void *ctx, const struct yr_event *e)
{
    struct side *s = ctx;

    if (s->alice)
        alice_event(s, e);
    else
        bob_event(s, e);
}

static void start_talk(uv_timer_t *timer)
{
    struct side *s = timer->data;

    if (yr_host_state(s->host) != YR_HOST_OPEN)
        return;
    uv_timer_stop(timer);
    if (s->alice)
        make_link(s);
    else
        add_link(s);
}

static void run_side(struct side *s, const char *folder, const char *nick)
{
    struct yr_host_opts opts = yr_host_opts_default();
    const struct yr_addr loopback = {.family = 4, .ip = {127, 0, 0, 1}};
    char dir[512], why[256] = "";
    uint8_t id[YR_ID_LEN];

    snprintf(dir, sizeof dir, "%s/%s", folder, nick);
    if (yr_host_make_identity(dir, nick, NULL, 0, id, why, sizeof why) != YR_OK)
        die(why);
    uv_loop_init(&s->loop);
    opts.loop = &s->loop;
    opts.data_dir = dir;
    opts.listen = &loopback;
    opts.listen_count = 1;
    opts.lan = false;
    opts.on_event = on_event;
    opts.on_state = on_state;
    opts.ctx = s;
    uv_timer_init(&s->loop, &s->timer);
    s->timer.data = s;
    if (yr_host_open(&s->host, &opts) != YR_OK)
        die(yr_host_error(s->host));
    uv_timer_start(&s->timer, start_talk, 1, 5);
    uv_run(&s->loop, UV_RUN_DEFAULT);
    if (uv_loop_close(&s->loop) != 0)
        die("handles are left open");
}

static struct side alice = {.alice = true}, bob;

int main(int argc, char **argv)
{
    int down[2], up[2];
    double commit_ms, rows_s, texts_s, shown50, shown99, delivered50, delivered99;
    uint64_t shown_us[PINGS];
    pid_t child;
    int status;

    if (argc != 3 || pipe(down) != 0 || pipe(up) != 0)
        die("usage: bench_talk FOLDER TEXTS");
    alice.texts = bob.texts = strtoull(argv[2], NULL, 10);
    signal(SIGPIPE, SIG_IGN);
    commit_ms = base_commit_ms(argv[1]);
    rows_s = base_rows_per_s(argv[1]);
    child = fork();
    if (child == 0) {
        bob.from_other = down[0];
        bob.to_other = up[1];
        run_side(&bob, argv[1], "bob");
        _exit(0);
    }
    alice.to_other = down[1];
    alice.from_other = up[0];
    run_side(&alice, argv[1], "alice");
    texts_s = (double)alice.texts / ((double)(now_us() - alice.started_us) / 1e6);
    if (read(up[0], shown_us, sizeof shown_us) != sizeof shown_us)
        die("no figures from the other side");
    if (waitpid(child, &status, 0) != child || status != 0)
        die("the other side failed");
    shown50 = part(shown_us, PINGS, 0.5);
    shown99 = part(shown_us, PINGS, 0.99);
    delivered50 = part(alice.delivered_us, PINGS, 0.5);
    delivered99 = part(alice.delivered_us, PINGS, 0.99);
    printf("{\"bench\":\"text_shown\",\"p50_ms\":%.2f,\"p99_ms\":%.2f,\"goal_ms\":3,"
           "\"baseline\":\"one commit\",\"baseline_ms\":%.2f,\"ratio\":%.1f}\n",
           shown50, shown99, commit_ms, shown50 / commit_ms);
    printf("{\"bench\":\"text_delivered\",\"p50_ms\":%.2f,\"p99_ms\":%.2f,\"goal_ms\":6,"
           "\"baseline\":\"one commit\",\"baseline_ms\":%.2f,\"ratio\":%.1f}\n",
           delivered50, delivered99, commit_ms, delivered50 / commit_ms);
    printf("{\"bench\":\"texts_per_second\",\"texts\":%llu,\"per_s\":%.0f,\"goal_per_s\":20000,"
           "\"baseline\":\"two 1000-byte rows in bare LMDB, 256 a commit\",\"baseline_per_s\":%.0f,"
           "\"ratio\":%.2f}\n",
           (unsigned long long)alice.texts, texts_s, rows_s, texts_s / rows_s);
    return 0;
}
