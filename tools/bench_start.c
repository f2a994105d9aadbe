/* tools/bench_start.c: how long a node takes to start that holds a long room.
 *
 *     bench_start FOLDER TEXTS     prints a JSON line
 *
 * Fills a store by saying TEXTS texts in a room, on a clock of its own (ten a second, as the rate
 * of records allows), then opens it anew: LMDB, and all that a node reads before it is of use.  The
 * baseline is the same with a room in which ten were said. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "net/mem.h"
#include "net/random.h"
#include "net/store_lmdb.h"
#include "yaari/node.h"

#define TEXT_LEN 100
#define STEP_US  100000 /* of the node's clock, from text to text */
#define BATCH    200    /* texts a commit */
#define RUNS     25

static struct {
    struct yr_mem mem;
    struct yr_lmdb *lmdb;
    struct yr_node *node;
    struct yr_now now;
    uint8_t vk[32], shred[192], room[YR_ID_LEN];
    uint64_t ticket, done;
} bench;

static void die(const char *what)
{
    fprintf(stderr, "bench_start: %s\n", what);
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
    must(yr_node_unlock(bench.node, bench.now, bench.vk, fresh ? NULL : bench.shred));
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
        memcpy(bench.shred + fx->slot * sizeof fx->slot_bytes, fx->slot_bytes,
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

    do {
        while (yr_node_poll(bench.node, bench.now, &fx, buf, sizeof buf))
            carry_out(&fx);
        if (yr_node_deadline(bench.node) <= bench.now.mono_us)
            yr_node_tick(bench.node, bench.now);
    } while (bench.done < bench.ticket || yr_node_deadline(bench.node) <= bench.now.mono_us);
}

static void order(const struct yr_cmd *cmd)
{
    must(yr_node_command(bench.node, bench.now, cmd, ++bench.ticket));
}

static void fill(const char *dir, size_t texts)
{
    struct yr_cmd cmd = {.kind = YR_CMD_IDENTITY_NEW, .text = "bench", .text_len = 5};
    struct yr_room_info room;
    char text[TEXT_LEN];

    bench.now.wall_ms = (yr_ms)time(NULL) * 1000 - (yr_ms)(texts * STEP_US / 1000);
    bench.now.mono_us = 1000000;
    open_all(dir, true);
    order(&cmd);
    settle();
    cmd.kind = YR_CMD_ROOM_NEW;
    order(&cmd);
    settle();
    if (!yr_node_room_at(bench.node, 0, &room))
        die("no room");
    memcpy(bench.room, room.id, sizeof bench.room);
    memset(text, '.', sizeof text);
    cmd = (struct yr_cmd){.kind = YR_CMD_SEND, .body = text, .body_len = sizeof text};
    memcpy(cmd.conv, room.id, sizeof cmd.conv);
    for (size_t i = 0; i < texts; i++) {
        order(&cmd);
        bench.now.mono_us += STEP_US;
        bench.now.wall_ms += STEP_US / 1000;
        if (i % BATCH == 0)
            settle();
    }
    settle();
    close_all();
}

static int by_value(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

// Median milliseconds until the room is there.
static double start_ms(const char *dir)
{
    struct yr_room_info room;
    uint64_t took[RUNS];

    for (size_t i = 0; i < RUNS; i++) {
        const uint64_t begin = now_us();
        open_all(dir, false);
        took[i] = now_us() - begin;
        if (yr_node_room(bench.node, bench.room, &room) != YR_OK || room.state != YR_ROOM_ACTIVE)
            die("the room is gone");
        close_all();
    }
    qsort(took, RUNS, sizeof *took, by_value);
    return (double)took[RUNS / 2] / 1000;
}

int main(int argc, char **argv)
{
    char dir[512];
    double base, start;
    size_t texts;

    if (argc != 3 || (texts = strtoul(argv[2], NULL, 10)) == 0)
        die("usage: bench_start FOLDER TEXTS");
    snprintf(dir, sizeof dir, "%s/short", argv[1]);
    fill(dir, 10);
    base = start_ms(dir);
    snprintf(dir, sizeof dir, "%s/long", argv[1]);
    fill(dir, texts);
    start = start_ms(dir);
    printf("{\"bench\":\"room_start\",\"records\":%zu,\"p50_ms\":%.1f,\"goal_ms\":500,"
           "\"baseline\":\"ten records\",\"baseline_ms\":%.1f,\"ratio\":%.1f}\n",
           texts, start, base, start / base);
    return 0;
}
