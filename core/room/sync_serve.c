#include "core/room/sync_state.h"

#define CHAIN_LEN 24
#define WANT_LEN  24
#define SUMS_LEN  (16 * 8)
#define NODE_HEAD (4 + 1)
#define ASK_WORK  32 /* all chains are hashed for it */
#define LIST_CUT  254

bool yr_sync_serve_due(const struct yr_sync_session *s)
{
    return s->ask_count > 0 || s->get_count > 0 || s->range_count > 0 || s->page_due ||
           s->removal_due || s->answer_due;
}

void yr_sync_serve_clear(struct yr_room_sync *sync, struct yr_sync_session *s)
{
    yr_free(sync->mem, s->ranges);
    s->ranges = NULL;
    s->range_count = s->range_cap = 0;
    s->ask_count = s->get_count = 0;
    s->serving = s->wanting = s->page_due = s->removal_due = s->answer_due = s->behind = false;
}

/* ---- which chains there are ---- */

static bool node_ok(uint32_t node)
{
    const unsigned depth = node >> 24;

    return depth <= YR_SYNC_DEPTH_MAX && (node & 0xffffff) >> (4 * depth) == 0;
}

enum yr_err yr_sync_on_ask(struct yr_room_sync *sync, struct yr_now now, struct yr_sync_session *s,
                           struct yr_rd rd)
{
    const uint8_t *theirs = yr_rd_bytes(&rd, 32);
    const size_t count = yr_rd_left(&rd) / 4;
    const struct yr_rd nodes = rd;
    struct yr_room_view view;
    uint8_t digest[32];

    if (rd.bad || yr_rd_left(&rd) % 4 != 0 || count > YR_ROOM_NODES_MAX)
        return YR_EPROTO;
    for (size_t i = 0; i < count; i++)
        if (!node_ok(yr_rd_u32(&rd)))
            return YR_EPROTO;
    if (!yr_sync_spend(sync, now, s->link, ASK_WORK + count) || !yr_sync_view(sync, s->room, &view))
        return YR_OK;
    yr_room_log_digest(view.log, digest);
    s->has_theirs = true;
    memcpy(s->theirs, theirs, sizeof s->theirs);
    if (count == 0 || memcmp(digest, theirs, sizeof digest) == 0) {
        s->answer_due = true;
        return YR_OK;
    }
    if (s->asks == NULL &&
        (s->asks = yr_alloc(sync->mem, YR_MEM_ROOM, YR_ROOM_NODES_MAX * sizeof *s->asks)) == NULL) {
        yr_sync_fail(sync, YR_ENOMEM);
        return YR_OK;
    }
    rd = nodes;
    for (s->ask_count = 0; s->ask_count < count; s->ask_count++) // of another round: no more
        s->asks[s->ask_count] = yr_rd_u32(&rd);
    return YR_OK;
}

static void put_chain(struct yr_wr *wr, const struct yr_sync_spot *spot)
{
    yr_wr_u64be(wr, spot->hash);
    yr_wr_u64(wr, spot->seq);
    yr_wr_u64be(wr, spot->digest);
}

// False: it does not fit any more.
static bool put_node(struct yr_room_sync *sync, struct yr_wr *wr, uint32_t node)
{
    const size_t left = (size_t)(wr->end - wr->at);
    size_t first, end;
    bool list;

    if (!yr_sync_node(sync, node, &first, &end))
        return true;
    list = end - first <= YR_ROOM_LIST_MAX || node >> 24 == YR_SYNC_DEPTH_MAX;
    end = list ? YR_MIN(end, first + LIST_CUT) : end;
    if (left < NODE_HEAD + (list ? (end - first) * CHAIN_LEN : SUMS_LEN))
        return false;
    yr_wr_u32(wr, node);
    yr_wr_u8(wr, list ? (uint8_t)(end - first) : YR_SYNC_SPLIT);
    for (size_t i = first; list && i < end; i++)
        put_chain(wr, &sync->spots[i]);
    for (unsigned i = 0; !list && i < 16; i++) {
        (void)yr_sync_node(sync, yr_sync_child(node, i), &first, &end);
        yr_wr_u64(wr, yr_sync_sum(sync, first, end));
    }
    return true;
}

static bool send_vec(struct yr_room_sync *sync, struct yr_now now, struct yr_sync_session *s,
                     struct yr_room_log *log)
{
    struct yr_wr wr = yr_sync_begin(sync, s);
    size_t done = 0;

    if (!yr_sync_spots(sync, s, log)) {
        s->ask_count = 0;
        return false;
    }
    while (done < s->ask_count && put_node(sync, &wr, s->asks[done]))
        done++;
    if (!yr_sync_end(sync, now, s->link, YR_FRAME_ROOM_VEC, &wr))
        return false;
    s->ask_count -= done;
    memmove(s->asks, s->asks + done, s->ask_count * sizeof *s->asks);
    return true;
}

/* ---- who was a member: how that ended ---- */

// May he have it?  What removed him, and what that stands on.
static bool may_have(const struct yr_sync_session *s, struct yr_room_log *log,
                     const uint8_t id[YR_REC_ID_LEN])
{
    return s->standing == YR_STANDING_MEMBER ||
           (s->standing == YR_STANDING_FORMER && s->told_removal &&
            (memcmp(id, s->removal, YR_REC_ID_LEN) == 0 ||
             yr_authority_is_ancestor(yr_room_log_authority(log), id, s->removal)));
}

static bool may_have_seq(struct yr_room_sync *sync, const struct yr_sync_session *s,
                         struct yr_room_log *log, const struct yr_chain_key *key, uint64_t seq)
{
    struct yr_room_entry entry;
    uint64_t arrival, next;
    size_t count, len;

    return yr_room_log_range(log, key, seq, seq, &arrival, 1, &count, &next) == YR_OK &&
           count == 1 &&
           yr_room_log_at(log, arrival, sync->record, sizeof sync->record, &len, &entry) == YR_OK &&
           may_have(s, log, entry.id);
}

// How much of a chain a former member may have: its ancestors of an operation are its beginning.
static uint64_t visible(struct yr_room_sync *sync, const struct yr_sync_session *s,
                        struct yr_room_log *log, const struct yr_chain_info *info)
{
    uint64_t low = 0, high = info->seq;

    if (info->key.class != YR_CLASS_CONTROL)
        return 0;
    while (low < high) {
        const uint64_t mid = high - (high - low) / 2;

        if (may_have_seq(sync, s, log, &info->key, mid))
            low = mid;
        else
            high = mid - 1;
    }
    return low;
}

void yr_sync_tell_removal(struct yr_room_sync *sync, struct yr_sync_session *s,
                          struct yr_room_log *log)
{
    uint8_t id[YR_REC_ID_LEN];

    if (!yr_authority_removal(yr_room_log_authority(log), s->mid, id) ||
        (s->told_removal && memcmp(id, s->removal, sizeof id) == 0))
        return;
    memcpy(s->removal, id, sizeof id);
    s->told_removal = s->removal_due = true;
    s->link->more = true;
    yr_sync_wake(sync, 0);
}

void yr_sync_tell_again(struct yr_room_sync *sync, struct yr_sync_session *s)
{
    if (s->standing != YR_STANDING_FORMER || !s->told_removal)
        return;
    s->removal_due = true;
    s->link->more = true;
    yr_sync_wake(sync, 0);
}

static bool send_removal(struct yr_room_sync *sync, struct yr_now now, struct yr_sync_session *s,
                         struct yr_room_log *log)
{
    struct yr_wr wr = yr_sync_begin(sync, s);
    size_t in_part = LIST_CUT;
    uint8_t *count = NULL;
    bool any = false;

    if (!yr_sync_spots(sync, s, log))
        return s->removal_due = false;
    for (size_t i = 0; i < sync->spot_count; i++) {
        struct yr_sync_spot spot = sync->spots[i];
        struct yr_chain_info info;

        if (!yr_room_log_chain(log, spot.index, &info) ||
            (spot.seq = visible(sync, s, log, &info)) == 0)
            continue;
        if ((size_t)(wr.end - wr.at) < NODE_HEAD + CHAIN_LEN)
            break;
        if (in_part == LIST_CUT) {
            yr_wr_u32(&wr, YR_SYNC_TOLD);
            count = yr_wr_room(&wr, 1);
            in_part = 0;
        }
        *count = (uint8_t)++in_part;
        spot.digest = 0; // of all of it: not his business
        put_chain(&wr, &spot);
        any = true;
    }
    if (any && !yr_sync_end(sync, now, s->link, YR_FRAME_ROOM_VEC, &wr))
        return false;
    s->removal_due = false;
    return any;
}

/* ---- ranges ---- */

static uint64_t next_arrival(const struct yr_sync_range *r)
{
    return r->all ? r->from : r->arrivals[r->at];
}

static enum yr_room_kind state_kind(const struct yr_chain_key *key)
{
    unsigned number = 0;

    for (unsigned kind = 0; kind < YR_ROOM_KIND_COUNT; kind++)
        if (yr_room_kind_class((enum yr_room_kind)kind) == YR_CLASS_STATE &&
            ++number == key->incarnation[0])
            return (enum yr_room_kind)kind;
    return YR_ROOM_KIND_COUNT;
}

static void sort_arrivals(struct yr_sync_range *r)
{
    for (size_t i = 1; i < r->count; i++)
        for (size_t k = i; k > 0 && r->arrivals[k - 1] > r->arrivals[k]; k--) {
            const uint64_t arrival = r->arrivals[k];

            r->arrivals[k] = r->arrivals[k - 1];
            r->arrivals[k - 1] = arrival;
        }
}

// Look up what comes next; false: the range is at its end.
static bool fill(struct yr_room_sync *sync, struct yr_room_log *log, struct yr_sync_range *r)
{
    if (r->all)
        return r->from <= yr_room_log_end(log);
    if (r->at < r->count)
        return true;
    while (r->from <= r->to) {
        size_t count = 0;
        uint64_t next = 0;
        const enum yr_err err = yr_room_log_range(log, &r->key, r->from, r->to, r->arrivals,
                                                  YR_COUNT(r->arrivals), &count, &next);

        if (err != YR_OK) {
            yr_sync_fail(sync, err);
            return false;
        }
        r->from = next;
        if (next == 0) { // that was all
            r->from = 1;
            r->to = 0;
        }
        r->at = 0;
        r->count = (uint8_t)count;
        sort_arrivals(r);
        if (count > 0)
            return true;
    }
    return false;
}

static void swap(struct yr_sync_range *a, struct yr_sync_range *b)
{
    const struct yr_sync_range t = *a;

    *a = *b;
    *b = t;
}

// The heap's order below `at`, the earliest arrival on top.
static void sift(struct yr_sync_session *s, size_t at)
{
    for (;;) {
        size_t least = at;

        for (size_t k = 2 * at + 1; k <= 2 * at + 2 && k < s->range_count; k++)
            if (next_arrival(&s->ranges[k]) < next_arrival(&s->ranges[least]))
                least = k;
        if (least == at)
            return;
        swap(&s->ranges[at], &s->ranges[least]);
        at = least;
    }
}

static bool add_range(struct yr_room_sync *sync, struct yr_sync_session *s,
                      const struct yr_sync_range *range)
{
    const size_t cap = s->range_cap == 0 ? 16 : 2 * s->range_cap;
    struct yr_sync_range *ranges;

    if (s->range_count == YR_ROOM_WANTS_MAX)
        return false;
    if (s->range_count == s->range_cap) {
        ranges = yr_realloc(sync->mem, YR_MEM_ROOM, s->ranges, cap * sizeof *ranges);
        if (ranges == NULL) {
            yr_sync_fail(sync, YR_ENOMEM);
            return false;
        }
        s->ranges = ranges;
        s->range_cap = cap;
    }
    s->ranges[s->range_count++] = *range;
    return true;
}

// The newest of a state goes last: by then its author is known.
static void add_state(struct yr_room_sync *sync, struct yr_sync_session *s,
                      const struct yr_chain_key *key)
{
    const struct yr_sync_range range = {
        .key = *key, .from = 1, .to = 0, .arrivals = {UINT64_MAX}, .count = 1};

    (void)add_range(sync, s, &range);
}

static void add_all(struct yr_room_sync *sync, struct yr_sync_session *s, struct yr_room_log *log)
{
    struct yr_chain_info info;

    (void)add_range(sync, s, &(struct yr_sync_range){.all = true, .from = 1});
    for (size_t i = 0; yr_room_log_chain(log, i, &info); i++)
        if (info.key.class == YR_CLASS_STATE)
            add_state(sync, s, &info.key);
}

static void add_wanted(struct yr_room_sync *sync, struct yr_sync_session *s,
                       struct yr_room_log *log, uint64_t hash, uint64_t from, uint64_t to)
{
    const struct yr_sync_spot *spot = yr_sync_spot(sync, hash);
    struct yr_sync_range range = {.from = YR_MAX(from, (uint64_t)1)};
    struct yr_chain_info info;

    if (hash == 0 && s->standing == YR_STANDING_MEMBER)
        add_all(sync, s, log);
    if (spot == NULL || !yr_room_log_chain(log, spot->index, &info))
        return;
    if (s->standing != YR_STANDING_MEMBER)
        info.seq = visible(sync, s, log, &info);
    else if (info.key.class == YR_CLASS_STATE) {
        add_state(sync, s, &info.key);
        return;
    }
    range.key = info.key;
    range.to = YR_MIN(to, info.seq);
    if (range.from <= range.to && fill(sync, log, &range))
        (void)add_range(sync, s, &range);
}

// No chain twice, or a few bytes would make us send the same over and over.
static bool wants_ok(const struct yr_sync_session *s, struct yr_rd rd)
{
    uint64_t last = s->want_hash;
    bool first = !s->wanting;

    while (yr_rd_left(&rd) > 0) {
        const uint64_t hash = yr_rd_u64be(&rd);

        if (!first && hash <= last)
            return false;
        first = false;
        last = hash;
        yr_rd_skip(&rd, WANT_LEN - 8);
    }
    return true;
}

enum yr_err yr_sync_on_want(struct yr_room_sync *sync, struct yr_now now, struct yr_sync_session *s,
                            struct yr_rd rd)
{
    const bool more = yr_rd_u8(&rd) != 0;
    const size_t count = yr_rd_left(&rd) / WANT_LEN;
    struct yr_room_view view;

    if (rd.bad || count == 0 || yr_rd_left(&rd) % WANT_LEN != 0 || !wants_ok(s, rd))
        return YR_EPROTO;
    if (!yr_sync_spend(sync, now, s->link, ASK_WORK + count) ||
        !yr_sync_view(sync, s->room, &view) || !yr_sync_spots(sync, s, view.log))
        return YR_OK;
    if (!s->wanting) // what is left of a round that he has given up
        s->range_count = 0;
    s->serving = false;
    for (size_t i = 0; i < count; i++) {
        const uint64_t hash = yr_rd_u64be(&rd), from = yr_rd_u64(&rd), to = yr_rd_u64(&rd);

        add_wanted(sync, s, view.log, hash, from, to);
        s->want_hash = hash;
    }
    if ((s->wanting = more))
        return YR_OK;
    s->serving = s->answer_due = true;
    for (size_t i = s->range_count / 2; i-- > 0;)
        sift(s, i);
    return YR_OK;
}

static void end_ranges(struct yr_room_sync *sync, struct yr_sync_session *s)
{
    yr_free(sync->mem, s->ranges);
    s->ranges = NULL;
    s->range_count = s->range_cap = 0;
    s->serving = false;
}

// The record at the front of the first range into sync->record behind the route.
static enum yr_err read_front(struct yr_room_sync *sync, struct yr_room_log *log,
                              const struct yr_sync_session *s, size_t *len)
{
    const struct yr_sync_range *r = &s->ranges[0];
    struct yr_room_entry entry;
    enum yr_err err;
    const uint64_t arrival = next_arrival(r);

    if (arrival == UINT64_MAX) {
        const enum yr_room_kind kind = state_kind(&r->key);

        return kind == YR_ROOM_KIND_COUNT ? YR_ENOENT
                                          : yr_room_log_state(log, r->key.mid, kind, sync->record,
                                                              sizeof sync->record, len);
    }
    err = yr_room_log_at(log, arrival, sync->record, sizeof sync->record, len, &entry);
    return err == YR_OK && !may_have(s, log, entry.id) ? YR_ENOENT : err; // the other of a fork
}

// Is the record in sync->record one of ours that may yet be lost?  He waits until it is durable: if
// he were told that this was all, he would not ask for it again.
static bool is_unkept(const struct yr_room_sync *sync, const struct yr_room_view *view,
                      uint64_t arrival, size_t len)
{
    struct yr_room_record record;

    if (YR_MIN(view->unkept, view->unkept_state) == UINT64_MAX || view->self == NULL ||
        yr_room_record_decode(&record, sync->record, len) != YR_OK ||
        memcmp(record.author, view->self, YR_MID_LEN) != 0)
        return false;
    return record.class == YR_CLASS_STATE ? record.hlc >= view->unkept_state
                                          : arrival >= view->unkept;
}

static bool send_record(struct yr_room_sync *sync, struct yr_now now, struct yr_sync_session *s,
                        uint8_t type, size_t len)
{
    struct yr_wr wr = yr_sync_begin(sync, s);

    yr_wr_bytes(&wr, sync->record, len);
    return yr_sync_end(sync, now, s->link, type, &wr);
}

static bool send_range(struct yr_room_sync *sync, struct yr_now now, struct yr_sync_session *s,
                       const struct yr_room_view *view)
{
    struct yr_room_log *log = view->log;
    bool sent = false;

    while (s->range_count > 0 && !sent) {
        struct yr_sync_range *r = &s->ranges[0];
        size_t len;
        const enum yr_err err = fill(sync, log, r) ? read_front(sync, log, s, &len) : YR_ENOENT;

        if (err == YR_OK) {
            if (is_unkept(sync, view, next_arrival(r), len) ||
                !send_record(sync, now, s, YR_FRAME_ROOM_REC, len))
                return false; // the same again when it is durable, or there is room
            yr_sync_count(sync, YR_SYNC_N_SERVED);
            sent = true;
        } else if (err != YR_ENOENT) {
            yr_sync_fail(sync, err);
            end_ranges(sync, s);
            return false;
        }
        if (r->all)
            r->from++;
        else
            r->at++;
        if (!fill(sync, log, r))
            s->ranges[0] = s->ranges[--s->range_count];
        sift(s, 0);
    }
    if (s->range_count == 0)
        end_ranges(sync, s);
    return sent;
}

/* ---- single records ---- */

enum yr_err yr_sync_on_get(struct yr_room_sync *sync, struct yr_now now, struct yr_sync_session *s,
                           struct yr_rd rd, bool graft)
{
    const size_t count = yr_rd_left(&rd) / YR_SYNC_ID;

    if (!yr_sync_ids_ok(&rd, YR_ROOM_GETS_MAX))
        return YR_EPROTO;
    if (!yr_sync_spend(sync, now, s->link, 1 + count))
        return YR_OK;
    if (s->gets == NULL &&
        (s->gets = yr_alloc(sync->mem, YR_MEM_ROOM, YR_ROOM_GETS_MAX * sizeof *s->gets)) == NULL) {
        yr_sync_fail(sync, YR_ENOMEM);
        return YR_OK;
    }
    for (size_t i = 0; i < count && s->get_count < YR_ROOM_GETS_MAX; i++) {
        struct yr_sync_get *get = &s->gets[s->get_count++];

        yr_rd_copy(&rd, get->id, YR_SYNC_ID);
        get->graft = graft;
    }
    return YR_OK;
}

static bool send_get(struct yr_room_sync *sync, struct yr_now now, struct yr_sync_session *s,
                     const struct yr_room_view *view)
{
    struct yr_room_log *log = view->log;
    bool sent = false;

    while (s->get_count > 0 && !sent) {
        const struct yr_sync_get get = s->gets[0];
        struct yr_room_entry entry;
        struct yr_room_record record;
        size_t len;

        if (yr_sync_has(sync, log, get.id, &len, &entry) && may_have(s, log, entry.id)) {
            if (is_unkept(sync, view, entry.arrival, len) ||
                !send_record(sync, now, s, get.graft ? YR_FRAME_ROOM_NEW : YR_FRAME_ROOM_REC, len))
                return false;
            yr_sync_count(sync, YR_SYNC_N_SERVED);
            if (get.graft && yr_room_record_decode(&record, sync->record, len) == YR_OK)
                yr_sync_eager(sync, s, record.author);
            sent = true;
        }
        memmove(s->gets, s->gets + 1, --s->get_count * sizeof *s->gets);
    }
    return sent;
}

/* ---- which records a chain is ---- */

enum yr_err yr_sync_on_page(struct yr_room_sync *sync, struct yr_now now, struct yr_sync_session *s,
                            struct yr_rd rd)
{
    const uint64_t hash = yr_rd_u64be(&rd), from = yr_rd_u64(&rd), to = yr_rd_u64(&rd);

    if (!yr_rd_done(&rd) || from == 0 || from > to || to - from >= YR_ROOM_PAGE_MAX)
        return YR_EPROTO;
    if (!yr_sync_spend(sync, now, s->link, YR_ROOM_PAGE_MAX))
        return YR_OK;
    s->page_due = true;
    s->page_hash = hash;
    s->page_from = from;
    s->page_to = to;
    return YR_OK;
}

static void put_page(struct yr_room_sync *sync, struct yr_room_log *log,
                     const struct yr_chain_key *key, const struct yr_sync_session *s,
                     struct yr_wr *wr)
{
    uint64_t arrivals[16], next = s->page_from;
    struct yr_room_entry entry;
    size_t count, len, ids = 0;

    while (ids < YR_ROOM_PAGE_MAX && next != 0 && next <= s->page_to) {
        if (yr_room_log_range(log, key, next, s->page_to, arrivals, YR_COUNT(arrivals), &count,
                              &next) != YR_OK ||
            count == 0)
            return;
        for (size_t i = 0; i < count && ids < YR_ROOM_PAGE_MAX; i++)
            if (yr_room_log_at(log, arrivals[i], sync->record, sizeof sync->record, &len, &entry) ==
                YR_OK) {
                yr_wr_bytes(wr, entry.id, YR_SYNC_ID);
                ids++;
            }
    }
}

static bool send_page(struct yr_room_sync *sync, struct yr_now now, struct yr_sync_session *s,
                      struct yr_room_log *log)
{
    struct yr_wr wr = yr_sync_begin(sync, s);
    const struct yr_sync_spot *spot;
    struct yr_chain_info info;

    yr_wr_u64be(&wr, s->page_hash);
    yr_wr_u64(&wr, s->page_from);
    yr_wr_u64(&wr, s->page_to);
    if (yr_sync_spots(sync, s, log) && (spot = yr_sync_spot(sync, s->page_hash)) != NULL &&
        yr_room_log_chain(log, spot->index, &info) && info.key.class != YR_CLASS_STATE)
        put_page(sync, log, &info.key, s, &wr);
    if (!yr_sync_end(sync, now, s->link, YR_FRAME_ROOM_IDS, &wr))
        return false;
    s->page_due = false;
    return true;
}

bool yr_sync_serve_step(struct yr_room_sync *sync, struct yr_now now, struct yr_sync_session *s)
{
    struct yr_room_view view;

    if (!yr_sync_open(s) || !yr_sync_serve_due(s) || !yr_sync_view(sync, s->room, &view))
        return false;
    if (s->removal_due)
        return send_removal(sync, now, s, view.log);
    if (s->page_due)
        return send_page(sync, now, s, view.log);
    if (s->ask_count > 0)
        return send_vec(sync, now, s, view.log);
    if (s->get_count > 0 && send_get(sync, now, s, &view))
        return true;
    return s->serving && send_range(sync, now, s, &view);
}
