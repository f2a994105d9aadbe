#include "core/room/sync_state.h"

#define PAGE_SEQS    (YR_ROOM_PAGE_MAX / 2) // room for as many that fork
#define FRAME_WANTS  1600
#define CHAIN_LEN    24
#define SUMS_LEN     (16 * 8)
#define ROUND_US     (4 * YR_S) // from one round that brings nothing to the next, ...
#define ROUNDS       8          // ... after so many at once
#define HE_FIRST_US  (2 * YR_S)
#define VEC_WORK     32                     // all chains are hashed for it
#define PROGRESS_MAX (12 * YR_ROOM_STALL_S) // seconds without a new record

/* ---- chains as both sides see them ---- */

static uint64_t keyed(const uint8_t salt[16], const uint8_t *bytes, size_t len)
{
    uint8_t out[8];
    struct yr_rd rd;

    yr_siphash(out, salt, bytes, len);
    rd = yr_rd_init(out, sizeof out);
    return yr_rd_u64be(&rd);
}

static void hash_chain(struct yr_sync_spot *spot, const uint8_t salt[16],
                       const struct yr_chain_info *info)
{
    uint8_t bytes[YR_MID_LEN + 1 + 8], sum[3 * 8];
    struct yr_wr wr = yr_wr_init(bytes, sizeof bytes);
    struct yr_rd digest = yr_rd_init(info->digest, sizeof info->digest);

    yr_wr_bytes(&wr, info->key.mid, YR_MID_LEN);
    yr_wr_u8(&wr, info->key.class);
    yr_wr_bytes(&wr, info->key.incarnation, 8);
    spot->hash = keyed(salt, bytes, sizeof bytes);
    if (spot->hash == 0) // means everything
        spot->hash = 1;
    spot->seq = info->seq;
    spot->digest = yr_rd_u64be(&digest);
    wr = yr_wr_init(sum, sizeof sum);
    yr_wr_u64(&wr, spot->hash);
    yr_wr_u64(&wr, spot->seq);
    yr_wr_u64(&wr, spot->digest);
    spot->sum = keyed(salt, sum, sizeof sum);
}

static int by_hash(const void *a, const void *b)
{
    const struct yr_sync_spot *x = a, *y = b;

    return x->hash < y->hash ? -1 : x->hash > y->hash;
}

static bool grow_spots(struct yr_room_sync *sync)
{
    const size_t cap = sync->spot_cap == 0 ? 64 : 2 * sync->spot_cap;
    struct yr_sync_spot *spots;

    if (sync->spot_count < sync->spot_cap)
        return true;
    spots = yr_realloc(sync->mem, YR_MEM_ROOM, sync->spots, cap * sizeof *spots);
    if (spots == NULL) {
        yr_sync_fail(sync, YR_ENOMEM);
        return false;
    }
    sync->spots = spots;
    sync->spot_cap = cap;
    return true;
}

bool yr_sync_spots(struct yr_room_sync *sync, const struct yr_sync_session *s,
                   struct yr_room_log *log)
{
    struct yr_chain_info info;

    sync->spot_count = 0;
    for (size_t i = 0; yr_room_log_chain(log, i, &info); i++) {
        struct yr_sync_spot *spot;

        if (!grow_spots(sync))
            return false;
        spot = &sync->spots[sync->spot_count++];
        hash_chain(spot, s->salt, &info);
        spot->index = i;
    }
    if (sync->spot_count > 0)
        qsort(sync->spots, sync->spot_count, sizeof *sync->spots, by_hash);
    return true;
}

// The first chain whose hash is not below this one.
static size_t lower(const struct yr_room_sync *sync, uint64_t hash)
{
    size_t low = 0, high = sync->spot_count;

    while (low < high) {
        const size_t mid = low + (high - low) / 2;

        if (sync->spots[mid].hash < hash)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

const struct yr_sync_spot *yr_sync_spot(const struct yr_room_sync *sync, uint64_t hash)
{
    const size_t at = lower(sync, hash);

    return at < sync->spot_count && sync->spots[at].hash == hash ? &sync->spots[at] : NULL;
}

bool yr_sync_node(const struct yr_room_sync *sync, uint32_t node, size_t *first, size_t *end)
{
    const unsigned depth = node >> 24;
    const uint64_t prefix = node & 0xffffff;
    uint64_t from;

    if (depth > YR_SYNC_DEPTH_MAX || prefix >> (4 * depth) != 0)
        return false;
    if (depth == 0) {
        *first = 0;
        *end = sync->spot_count;
        return true;
    }
    from = prefix << (64 - 4 * depth);
    *first = lower(sync, from);
    *end = prefix + 1 == (uint64_t)1 << (4 * depth)
               ? sync->spot_count
               : lower(sync, from + ((uint64_t)1 << (64 - 4 * depth)));
    return true;
}

uint64_t yr_sync_sum(const struct yr_room_sync *sync, size_t first, size_t end)
{
    uint64_t sum = 0;

    for (size_t i = first; i < end; i++)
        sum ^= sync->spots[i].sum;
    return sum;
}

/* ---- a round ---- */

void yr_sync_pull_drop(struct yr_room_sync *sync, struct yr_sync_room *room,
                       const struct yr_sync_session *s)
{
    if (room->pull == NULL || (s != NULL && room->pull->from != s))
        return;
    yr_free(sync->mem, room->pull->wants);
    yr_free(sync->mem, room->pull);
    room->pull = NULL;
    yr_sync_wake(sync, 0); // another neighbour may be waiting for his turn
}

void yr_sync_pull_want(struct yr_room_sync *sync, struct yr_sync_session *s, yr_us at)
{
    s->pull_us = YR_MIN(s->pull_us, at);
    yr_sync_wake(sync, YR_MAX(s->pull_us, s->pull_min_us));
}

static bool may_tell_us(const struct yr_sync_session *s)
{
    return yr_sync_open(s) &&
           (s->standing == YR_STANDING_MEMBER || s->standing == YR_STANDING_UNKNOWN);
}

static struct yr_sync_pull *pull_of(const struct yr_sync_session *s)
{
    struct yr_sync_pull *pull = s->room->pull;

    return pull != NULL && pull->from == s ? pull : NULL;
}

static struct yr_sync_pull *begin(struct yr_room_sync *sync, struct yr_now now,
                                  struct yr_sync_session *s)
{
    struct yr_sync_pull *pull = yr_alloc(sync->mem, YR_MEM_ROOM, sizeof *pull);
    struct yr_room_view view;

    s->pull_us = YR_NEVER;
    s->round_us = YR_MAX(s->round_us, now.mono_us) + ROUND_US;
    if (pull == NULL) {
        yr_sync_fail(sync, YR_ENOMEM);
        return NULL;
    }
    pull->from = s;
    if (yr_sync_view(sync, s->room, &view))
        yr_room_log_digest(view.log, pull->before);
    pull->ask_due = true;
    pull->progress_us = now.mono_us;
    pull->stall_us = now.mono_us + YR_ROOM_STALL_S * YR_S;
    s->room->pull = pull;
    yr_sync_count(sync, YR_SYNC_N_ROUND);
    yr_sync_wake(sync, now.mono_us);
    return pull;
}

static bool add_want(struct yr_room_sync *sync, struct yr_sync_pull *pull,
                     const struct yr_sync_wanted *want)
{
    const size_t cap = pull->want_cap == 0 ? 16 : 2 * pull->want_cap;
    struct yr_sync_wanted *wants;

    if (pull->want_count == YR_ROOM_WANTS_MAX)
        return false; // the next round
    if (pull->want_count == pull->want_cap) {
        wants = yr_realloc(sync->mem, YR_MEM_ROOM, pull->wants, cap * sizeof *wants);
        if (wants == NULL) {
            yr_sync_fail(sync, YR_ENOMEM);
            return false;
        }
        pull->wants = wants;
        pull->want_cap = cap;
    }
    pull->wants[pull->want_count++] = *want;
    return true;
}

static void begin_round(struct yr_room_sync *sync, struct yr_now now, struct yr_sync_session *s,
                        struct yr_room_log *log)
{
    struct yr_sync_pull *pull = begin(sync, now, s);

    if (pull == NULL)
        return;
    if (yr_room_log_end(log) > 1) {
        pull->nodes[0] = 0;
        pull->node_count = pull->node_total = 1;
        return;
    }
    pull->phase = YR_PULL_FETCH; // only the room's beginning is here: everything, then
    if (!add_want(sync, pull, &(struct yr_sync_wanted){.hash = 0, .from = 1, .to = UINT64_MAX}))
        yr_sync_pull_drop(sync, s->room, s);
}

static bool same_as_theirs(struct yr_room_sync *sync, const struct yr_sync_session *s)
{
    struct yr_room_view view;
    uint8_t digest[32];

    if (!yr_sync_view(sync, s->room, &view))
        return true;
    yr_room_log_digest(view.log, digest);
    return s->has_theirs && memcmp(digest, s->theirs, sizeof digest) == 0;
}

// What was missing may have come as it was made: a round that found it there was not futile.
static bool changed(struct yr_room_sync *sync, const struct yr_sync_pull *pull)
{
    struct yr_room_view view;
    uint8_t digest[32];

    if (!yr_sync_view(sync, pull->from->room, &view))
        return false;
    yr_room_log_digest(view.log, digest);
    return memcmp(digest, pull->before, sizeof digest) != 0;
}

// What comes next with this neighbour depends on what the round brought.
static void finish(struct yr_room_sync *sync, struct yr_now now, struct yr_sync_session *s)
{
    struct yr_sync_pull *pull = pull_of(s);
    const bool progress = pull->progress || changed(sync, pull), same = same_as_theirs(sync, s);
    const bool asked = pull->want_count + pull->fork_count > 0 || now.mono_us >= pull->stall_us;
    struct yr_sync_room *room = s->room;

    yr_sync_pull_drop(sync, room, s);
    if (same || progress)
        s->round_us -= ROUND_US;
    else if (s->round_us > now.mono_us + ROUNDS * ROUND_US) // he says so again and again
        s->pull_min_us = s->round_us - ROUNDS * ROUND_US;
    if (same)
        s->futile = 0;
    else if (progress) {
        s->futile = 0;
        yr_sync_pull_want(sync, s, now.mono_us);
    } else if (asked) {
        yr_sync_count(sync, YR_SYNC_N_FUTILE);
        s->pull_min_us = now.mono_us + ((YR_ROOM_QUIET_S * YR_S) << s->futile);
        if (++s->futile < YR_ROOM_FUTILE_MAX)
            yr_sync_pull_want(sync, s, s->pull_min_us);
        else
            s->futile = YR_ROOM_FUTILE_MAX;
    }
    for (unsigned slot = 0; slot < YR_FRIENDS_MAX; slot++) {
        struct yr_sync_session *other = yr_sync_find(sync, room, slot);

        if (other != NULL && (progress || other == s))
            other->have_due = true;
        if (other == s && progress)
            s->have_must = true; // he may be waiting for us to have asked
    }
    yr_sync_wake(sync, now.mono_us);
}

static void heard(struct yr_sync_pull *pull, struct yr_now now)
{
    pull->stall_us =
        YR_MIN(now.mono_us + YR_ROOM_STALL_S * YR_S, pull->progress_us + PROGRESS_MAX * YR_S);
}

void yr_sync_pull_heard(struct yr_sync_session *s, struct yr_now now, bool progress)
{
    struct yr_sync_pull *pull = pull_of(s);

    if (pull == NULL)
        return;
    if (progress) {
        pull->progress = true;
        pull->progress_us = now.mono_us;
    }
    heard(pull, now);
}

void yr_sync_pull_lost(struct yr_sync_session *s)
{
    struct yr_sync_pull *pull = pull_of(s);

    if (pull != NULL)
        pull->lost = true;
}

static struct yr_sync_session *next_neighbour(struct yr_room_sync *sync, struct yr_now now,
                                              struct yr_sync_room *room)
{
    struct yr_sync_session *best = NULL;

    for (unsigned slot = 0; slot < YR_FRIENDS_MAX; slot++) {
        struct yr_sync_session *s = yr_sync_find(sync, room, slot);
        yr_us at;

        if (s == NULL || s->pull_us == YR_NEVER)
            continue;
        at = YR_MAX(s->pull_us, s->pull_min_us);
        if (!may_tell_us(s) || !s->has_theirs)
            s->pull_us = YR_NEVER;
        else if (s->serving) // he is asking
            s->pull_us = YR_MAX(s->pull_us, now.mono_us + YR_S);
        else if (at > now.mono_us)
            yr_sync_wake(sync, at);
        else if (best == NULL || s->pull_us < best->pull_us)
            best = s;
    }
    return best;
}

void yr_sync_pull_turn(struct yr_room_sync *sync, struct yr_now now, struct yr_sync_room *room)
{
    struct yr_sync_session *s;
    struct yr_room_view view;

    if (room->pull != NULL && now.mono_us >= room->pull->stall_us) {
        yr_sync_count(sync, YR_SYNC_N_STALL);
        finish(sync, now, room->pull->from);
    }
    while (room->pull == NULL && (s = next_neighbour(sync, now, room)) != NULL)
        if (!yr_sync_view(sync, room, &view) || same_as_theirs(sync, s))
            s->pull_us = YR_NEVER;
        else
            begin_round(sync, now, s, view.log);
    if (room->pull != NULL)
        yr_sync_wake(sync, room->pull->stall_us);
}

/* ---- what a round says ---- */

static bool send_ids(struct yr_room_sync *sync, struct yr_now now, struct yr_sync_pull *pull)
{
    struct yr_wr wr = yr_sync_begin(sync, pull->from);

    yr_wr_bytes(&wr, pull->ids, pull->id_count * YR_SYNC_ID);
    if (!yr_sync_end(sync, now, pull->from->link, YR_FRAME_ROOM_GET, &wr))
        return false;
    pull->id_count = 0;
    return true;
}

static bool send_ask(struct yr_room_sync *sync, struct yr_now now, struct yr_sync_pull *pull,
                     struct yr_room_log *log)
{
    struct yr_wr wr = yr_sync_begin(sync, pull->from);
    uint8_t digest[32];

    yr_room_log_digest(log, digest);
    yr_wr_bytes(&wr, digest, sizeof digest);
    for (size_t i = 0; i < pull->node_count; i++)
        yr_wr_u32(&wr, pull->nodes[i]);
    if (!yr_sync_end(sync, now, pull->from->link, YR_FRAME_ROOM_ASK, &wr))
        return false;
    pull->unanswered = pull->node_count;
    pull->node_count = 0;
    pull->ask_due = false;
    return true;
}

static int by_want(const void *a, const void *b)
{
    const struct yr_sync_wanted *x = a, *y = b;

    return x->hash < y->hash ? -1 : x->hash > y->hash;
}

// By hash, and none twice, whatever the neighbour listed.
static void sort_wants(struct yr_sync_pull *pull)
{
    size_t kept = 0;

    qsort(pull->wants, pull->want_count, sizeof *pull->wants, by_want);
    for (size_t i = 0; i < pull->want_count; i++)
        if (kept == 0 || pull->wants[i].hash != pull->wants[kept - 1].hash)
            pull->wants[kept++] = pull->wants[i];
    pull->want_count = kept;
}

static bool send_wants(struct yr_room_sync *sync, struct yr_now now, struct yr_sync_pull *pull)
{
    const size_t count = YR_MIN(pull->want_count - pull->want_sent, (size_t)FRAME_WANTS);
    const bool more = pull->want_sent + count < pull->want_count;
    struct yr_wr wr = yr_sync_begin(sync, pull->from);

    yr_wr_u8(&wr, more);
    for (size_t i = pull->want_sent; i < pull->want_sent + count; i++) {
        yr_wr_u64be(&wr, pull->wants[i].hash);
        yr_wr_u64(&wr, pull->wants[i].from);
        yr_wr_u64(&wr, pull->wants[i].to);
    }
    if (!yr_sync_end(sync, now, pull->from->link, YR_FRAME_ROOM_WANT, &wr))
        return false;
    pull->want_sent += count;
    pull->ask_due = more;
    return true;
}

static uint64_t page_from(uint64_t top)
{
    return top > PAGE_SEQS ? top - PAGE_SEQS + 1 : 1;
}

static bool send_page(struct yr_room_sync *sync, struct yr_now now, struct yr_sync_pull *pull)
{
    const struct yr_sync_fork *fork = &pull->forks[pull->fork_at];
    struct yr_wr wr = yr_sync_begin(sync, pull->from);

    yr_wr_u64be(&wr, fork->hash);
    yr_wr_u64(&wr, page_from(fork->top));
    yr_wr_u64(&wr, fork->top);
    if (!yr_sync_end(sync, now, pull->from->link, YR_FRAME_ROOM_PAGE, &wr))
        return false;
    pull->ask_due = false;
    return true;
}

bool yr_sync_pull_step(struct yr_room_sync *sync, struct yr_now now, struct yr_sync_session *s)
{
    struct yr_sync_pull *pull = pull_of(s);
    struct yr_room_view view;

    if (pull == NULL || !pull->ask_due || !may_tell_us(s) || !yr_sync_view(sync, s->room, &view))
        return false;
    if (pull->id_count > 0)
        return send_ids(sync, now, pull);
    switch (pull->phase) {
    case YR_PULL_FETCH: return send_wants(sync, now, pull);
    case YR_PULL_FORK: return send_page(sync, now, pull);
    case YR_PULL_WALK:
    case YR_PULL_LAST: break;
    }
    return send_ask(sync, now, pull, view.log);
}

/* ---- what it hears: which chains there are ---- */

static bool is_late(const struct yr_sync_session *s, const struct yr_sync_late *late)
{
    for (size_t i = 0; i < YR_ROOM_LATE_MAX; i++)
        if (s->late[i].hash == late->hash && s->late[i].seq == late->seq &&
            s->late[i].digest == late->digest && s->late[i].own == late->own)
            return true;
    return false;
}

static void add_late(struct yr_sync_session *s, const struct yr_sync_late *late)
{
    s->late[s->late_at++ % YR_ROOM_LATE_MAX] = *late;
}

static bool is_state(struct yr_room_log *log, const struct yr_sync_spot *spot)
{
    struct yr_chain_info info;

    return yr_room_log_chain(log, spot->index, &info) && info.key.class == YR_CLASS_STATE;
}

// One chain of the neighbour's: what of it is missing here?
static void take_chain(struct yr_room_sync *sync, struct yr_sync_pull *pull,
                       struct yr_room_log *log, const struct yr_sync_late *theirs, bool told)
{
    const struct yr_sync_spot *own = yr_sync_spot(sync, theirs->hash);
    struct yr_sync_wanted want = {theirs->hash, 1, theirs->seq, theirs->digest, UINT64_MAX};
    struct yr_sync_late late = *theirs;

    if (theirs->seq == 0 || (own != NULL && own->seq > theirs->seq) ||
        (own != NULL && own->seq == theirs->seq && (told || own->digest == theirs->digest)))
        return;
    if (own != NULL) {
        want.own = own->seq;
        want.from = own->seq + 1;
    }
    late.own = want.own;
    if (is_late(pull->from, &late))
        return;
    if (own != NULL && is_state(log, own)) {
        if (own->seq < theirs->seq || own->digest < theirs->digest) {
            want.from = 0;
            (void)add_want(sync, pull, &want);
        }
    } else if (own == NULL || own->seq < theirs->seq) {
        (void)add_want(sync, pull, &want);
    } else if (pull->fork_count < YR_ROOM_FORKS_MAX) {
        pull->forks[pull->fork_count++] = (struct yr_sync_fork){
            theirs->hash, theirs->seq, theirs->digest, theirs->seq, own->digest ^ theirs->digest};
    }
}

static void take_list(struct yr_room_sync *sync, struct yr_sync_pull *pull, struct yr_room_log *log,
                      struct yr_rd *rd, size_t count, bool told)
{
    for (size_t i = 0; i < count; i++) {
        struct yr_sync_late theirs = {0};

        theirs.hash = yr_rd_u64be(rd);
        theirs.seq = yr_rd_u64(rd);
        theirs.digest = yr_rd_u64be(rd);
        take_chain(sync, pull, log, &theirs, told);
    }
}

// Sixteen parts: those that differ are asked for next.
static void take_sums(struct yr_room_sync *sync, struct yr_sync_pull *pull, uint32_t node,
                      struct yr_rd *rd)
{
    for (unsigned i = 0; i < 16; i++) {
        const uint64_t sum = yr_rd_u64(rd);
        size_t first, end;

        if (sum == 0 || !yr_sync_node(sync, yr_sync_child(node, i), &first, &end) ||
            yr_sync_sum(sync, first, end) == sum || pull->node_total == YR_ROOM_NODES_MAX)
            continue;
        pull->nodes[pull->node_count++] = yr_sync_child(node, i);
        pull->node_total++;
    }
}

// Is it a whole number of parts?  *told: some were not asked for.
static bool vec_ok(struct yr_rd rd, bool *told)
{
    size_t count = 0;

    *told = false;
    for (; !rd.bad && yr_rd_left(&rd) > 0; count++) {
        const uint32_t node = yr_rd_u32(&rd);
        const uint8_t n = yr_rd_u8(&rd);

        if (n == YR_SYNC_SPLIT && node >> 24 >= YR_SYNC_DEPTH_MAX)
            return false;
        *told = *told || node == YR_SYNC_TOLD;
        yr_rd_skip(&rd, n == YR_SYNC_SPLIT ? (size_t)SUMS_LEN : (size_t)n * CHAIN_LEN);
    }
    return count > 0 && yr_rd_done(&rd);
}

static void after_walk(struct yr_room_sync *sync, struct yr_now now, struct yr_sync_pull *pull)
{
    heard(pull, now);
    pull->ask_due = true;
    if (pull->node_count > 0)
        pull->phase = YR_PULL_WALK;
    else if (pull->want_count > 0) {
        pull->phase = YR_PULL_FETCH;
        sort_wants(pull);
    } else if (pull->fork_count > 0)
        pull->phase = YR_PULL_FORK;
    else
        finish(sync, now, pull->from);
}

// A former member is told what he may still have: that goes before any round.
static struct yr_sync_pull *begin_told(struct yr_room_sync *sync, struct yr_now now,
                                       struct yr_sync_session *s)
{
    struct yr_sync_pull *pull = s->room->pull;

    if (s->round_us > now.mono_us + ROUNDS * ROUND_US)
        return NULL; // he says so again and again
    if (pull != NULL && pull->from != s)
        yr_sync_pull_want(sync, pull->from, now.mono_us);
    yr_sync_pull_drop(sync, s->room, NULL);
    if ((pull = begin(sync, now, s)) == NULL)
        return NULL;
    pull->unanswered = SIZE_MAX; // until the end of the frame
    return pull;
}

enum yr_err yr_sync_on_vec(struct yr_room_sync *sync, struct yr_now now, struct yr_sync_session *s,
                           struct yr_rd rd)
{
    struct yr_sync_pull *pull = pull_of(s);
    struct yr_room_view view;
    bool told;

    if (!vec_ok(rd, &told))
        return YR_EPROTO;
    if (!yr_sync_spend(sync, now, s->link, told ? YR_ROOM_GETS_MAX : VEC_WORK))
        return YR_OK;
    if (told)
        pull = begin_told(sync, now, s);
    if (pull == NULL || pull->phase != YR_PULL_WALK || pull->unanswered == 0 ||
        !yr_sync_view(sync, s->room, &view) || !yr_sync_spots(sync, s, view.log))
        return YR_OK; // an answer to something we no longer ask
    while (yr_rd_left(&rd) > 0 && pull->unanswered > 0) {
        const uint32_t node = yr_rd_u32(&rd);
        const uint8_t n = yr_rd_u8(&rd);

        pull->unanswered--;
        if (n == YR_SYNC_SPLIT)
            take_sums(sync, pull, node, &rd);
        else
            take_list(sync, pull, view.log, &rd, n, node == YR_SYNC_TOLD);
    }
    if (told)
        pull->unanswered = pull->node_count = 0;
    if (pull->unanswered == 0)
        after_walk(sync, now, pull);
    else
        heard(pull, now);
    return YR_OK;
}

/* ---- what it hears: the end of something ---- */

// Chains that did not move although all of it has come: what is left of them is not for us, at
// least not now.
static void after_fetch(struct yr_room_sync *sync, struct yr_now now, struct yr_sync_pull *pull)
{
    struct yr_sync_session *s = pull->from;
    struct yr_room_view view;

    if (!pull->lost && yr_sync_view(sync, s->room, &view) && yr_sync_spots(sync, s, view.log))
        for (size_t i = 0; i < pull->want_count; i++) {
            const struct yr_sync_wanted *want = &pull->wants[i];
            const struct yr_sync_spot *own = yr_sync_spot(sync, want->hash);
            const uint64_t seq = own == NULL ? UINT64_MAX : own->seq;

            if (want->hash != 0 && seq == want->own)
                add_late(s, &(struct yr_sync_late){want->hash, want->to, want->digest, seq});
        }
    if (pull->fork_count == 0) {
        finish(sync, now, s);
        return;
    }
    heard(pull, now);
    pull->phase = YR_PULL_FORK;
    pull->ask_due = true;
}

static void after_forks(struct yr_room_sync *sync, struct yr_now now, struct yr_sync_pull *pull)
{
    for (size_t i = 0; i < pull->fork_count && !pull->progress && !pull->lost; i++)
        add_late(pull->from, &(struct yr_sync_late){pull->forks[i].hash, pull->forks[i].seq,
                                                    pull->forks[i].digest, pull->forks[i].seq});
    finish(sync, now, pull->from);
}

// Who has fewer records asks first: then the other often need not ask at all.
static bool he_first(struct yr_room_sync *sync, const struct yr_sync_session *s, uint64_t count)
{
    struct yr_room_view view;
    uint64_t own;

    if (!yr_sync_member(s) || !yr_sync_view(sync, s->room, &view))
        return false;
    own = yr_room_log_end(view.log);
    return count < own || (count == own && s->link->dir == 1);
}

enum yr_err yr_sync_on_have(struct yr_room_sync *sync, struct yr_now now, struct yr_sync_session *s,
                            struct yr_rd rd)
{
    const uint8_t flags = yr_rd_u8(&rd);
    const uint64_t count = yr_rd_u64(&rd);
    const uint8_t *digest = yr_rd_bytes(&rd, 32);
    struct yr_sync_pull *pull = pull_of(s);
    const bool first = !s->has_theirs;
    bool again;

    if (!yr_rd_done(&rd))
        return YR_EPROTO;
    again = !first && memcmp(s->theirs, digest, 32) == 0;
    s->has_theirs = true;
    memcpy(s->theirs, digest, 32);
    if ((flags & 1) != 0) {
        if (pull == NULL || pull->ask_due)
            return YR_OK;
        if (pull->phase == YR_PULL_FETCH)
            after_fetch(sync, now, pull);
        else if (pull->phase == YR_PULL_LAST)
            after_forks(sync, now, pull);
        else
            finish(sync, now, s); // equal, after all
    } else if (same_as_theirs(sync, s))
        s->pull_us = YR_NEVER;
    else if (!(again && s->futile > 0))
        yr_sync_pull_want(sync, s,
                          now.mono_us + (first ? 0 : YR_ROOM_CALM_MS * YR_MS) +
                              (he_first(sync, s, count) ? HE_FIRST_US : 0));
    return YR_OK;
}

/* ---- forks: which records are a chain? ---- */

static uint64_t first8(const uint8_t id[8])
{
    struct yr_rd rd = yr_rd_init(id, 8);

    return yr_rd_u64be(&rd);
}

// Exclusive or of the ids we have of a chain.
static uint64_t own_page(struct yr_room_sync *sync, struct yr_room_log *log,
                         const struct yr_chain_key *key, uint64_t from, uint64_t to)
{
    uint64_t arrivals[16], sum = 0, next = from;
    struct yr_room_entry entry;
    size_t count, len;

    for (size_t i = 0; i < YR_ROOM_PAGE_MAX && next != 0 && next <= to; i++) {
        if (yr_room_log_range(log, key, next, to, arrivals, YR_COUNT(arrivals), &count, &next) !=
            YR_OK)
            break;
        for (size_t k = 0; k < count; k++)
            if (yr_room_log_at(log, arrivals[k], sync->record, sizeof sync->record, &len, &entry) ==
                YR_OK)
                sum ^= first8(entry.id);
    }
    return sum;
}

enum yr_err yr_sync_on_ids(struct yr_room_sync *sync, struct yr_now now, struct yr_sync_session *s,
                           struct yr_rd rd)
{
    const uint64_t hash = yr_rd_u64be(&rd), from = yr_rd_u64(&rd), to = yr_rd_u64(&rd);
    struct yr_sync_pull *pull = pull_of(s);
    const struct yr_sync_spot *spot;
    struct yr_sync_fork *fork;
    struct yr_chain_info info;
    struct yr_room_view view;
    struct yr_room_entry entry;
    size_t len;

    if (rd.bad || (yr_rd_left(&rd) > 0 && !yr_sync_ids_ok(&rd, YR_ROOM_PAGE_MAX)))
        return YR_EPROTO;
    if (pull == NULL || pull->phase != YR_PULL_FORK || pull->ask_due)
        return YR_OK;
    fork = &pull->forks[pull->fork_at];
    if (hash != fork->hash || to != fork->top || from != page_from(to) ||
        !yr_sync_view(sync, s->room, &view) || !yr_sync_spots(sync, s, view.log) ||
        (spot = yr_sync_spot(sync, hash)) == NULL ||
        !yr_room_log_chain(view.log, spot->index, &info))
        return YR_OK;
    while (yr_rd_left(&rd) > 0) {
        const uint8_t *id = yr_rd_bytes(&rd, YR_SYNC_ID);

        fork->diff ^= first8(id);
        if (!yr_sync_has(sync, view.log, id, &len, &entry) && pull->id_count < YR_ROOM_PAGE_MAX)
            memcpy(pull->ids[pull->id_count++], id, YR_SYNC_ID);
    }
    fork->diff ^= own_page(sync, view.log, &info.key, from, to);
    fork->top = from - 1;
    if (fork->diff == 0 || fork->top == 0)
        pull->fork_at++;
    if (pull->fork_at == pull->fork_count)
        pull->phase = YR_PULL_LAST;
    pull->ask_due = true;
    heard(pull, now);
    return YR_OK;
}
