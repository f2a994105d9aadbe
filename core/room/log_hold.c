#include "core/room/log_state.h"

#define HELD_US (YR_ROOM_HELD_S * YR_S)

void yr_log_hold_init(struct yr_room_log *log)
{
    for (size_t i = 0; i < YR_LOG_QUEUES; i++)
        log->queues[i].last = &log->queues[i].first;
    log->want_last = &log->want_first;
}

static size_t hash_of(const uint8_t id[YR_REC_ID_LEN])
{
    return (id[0] | (size_t)id[1] << 8) % YR_LOG_HASH;
}

/* ---- queues ---- */

static void enqueue(struct yr_room_log *log, struct yr_log_held *held, enum yr_log_queue queue)
{
    struct yr_log_list *list = &log->queues[queue];

    held->queue = queue;
    held->next = NULL;
    held->at = list->last;
    *list->last = held;
    list->last = &held->next;
    list->count++;
    list->bytes += held->cost;
}

static void dequeue(struct yr_room_log *log, struct yr_log_held *held)
{
    struct yr_log_list *list = &log->queues[held->queue];

    *held->at = held->next;
    if (held->next != NULL)
        held->next->at = held->at;
    else
        list->last = held->at;
    list->count--;
    list->bytes -= held->cost;
}

static void ready(struct yr_room_log *log, struct yr_log_held *held)
{
    dequeue(log, held);
    enqueue(log, held, YR_LOG_READY);
}

/* ---- what is waited for ---- */

static struct yr_log_want *find_want(const struct yr_room_log *log, const uint8_t id[YR_REC_ID_LEN])
{
    struct yr_log_want *want = log->wants[hash_of(id)];

    while (want != NULL && memcmp(want->id, id, YR_REC_ID_LEN) != 0)
        want = want->bucket;
    return want;
}

static struct yr_log_want *make_want(struct yr_room_log *log, const uint8_t id[YR_REC_ID_LEN])
{
    struct yr_log_want **bucket = &log->wants[hash_of(id)], *want = find_want(log, id);

    if (want != NULL || (want = yr_alloc(log->mem, YR_MEM_ROOM, sizeof *want)) == NULL)
        return want;
    memcpy(want->id, id, YR_REC_ID_LEN);
    want->bucket = *bucket;
    *bucket = want;
    want->at = log->want_last;
    *log->want_last = want;
    log->want_last = &want->next;
    return want;
}

static void free_want(struct yr_room_log *log, struct yr_log_want *want)
{
    struct yr_log_want **bucket = &log->wants[hash_of(want->id)];

    while (*bucket != want)
        bucket = &(*bucket)->bucket;
    *bucket = want->bucket;
    *want->at = want->next;
    if (want->next != NULL)
        want->next->at = want->at;
    else
        log->want_last = want->at;
    yr_free(log->mem, want);
}

static void add_link(struct yr_log_held *held, struct yr_log_want *want)
{
    struct yr_log_link *link = &held->links[held->link_count++];

    link->by = held;
    link->want = want;
    link->next = want->links;
    link->at = &want->links;
    if (link->next != NULL)
        link->next->at = &link->next;
    want->links = link;
    held->lacks++;
}

// The record no longer waits for this id; the want stays.
static void cut_link(struct yr_log_link *link)
{
    *link->at = link->next;
    if (link->next != NULL)
        link->next->at = link->at;
    link->want = NULL;
    link->by->lacks--;
}

/* ---- taking out ---- */

static void remove_goal(const struct yr_log_held *held)
{
    struct yr_log_goal *goal;

    if (held->author == NULL || !held->wanted)
        return;
    goal = &held->author->goals[held->class - 1];
    if (goal->seq == held->seq &&
        memcmp(goal->incarnation, held->incarnation, sizeof goal->incarnation) == 0)
        goal->seq = 0;
}

// Out of everything that points to it.
static void detach(struct yr_room_log *log, struct yr_log_held *held)
{
    dequeue(log, held);
    for (size_t i = 0; i < held->link_count; i++) {
        struct yr_log_want *want = held->links[i].want;

        if (want == NULL)
            continue;
        cut_link(&held->links[i]);
        if (want->links == NULL)
            free_want(log, want);
    }
    if (held->at_bucket != NULL) {
        *held->at_bucket = held->bucket;
        if (held->bucket != NULL)
            held->bucket->at_bucket = held->at_bucket;
    }
    if (held->author != NULL) {
        held->author->held_count--;
        held->author->held_bytes -= held->cost;
    }
    remove_goal(held);
}

static void forget(struct yr_room_log *log, struct yr_log_held *held)
{
    detach(log, held);
    yr_free(log->mem, held);
    log->counters[YR_LOGGED_FORGOTTEN]++;
}

struct yr_log_held *yr_log_hold_pop(struct yr_room_log *log)
{
    struct yr_log_held *held = log->queues[YR_LOG_READY].first;

    if (held != NULL)
        detach(log, held);
    return held;
}

void yr_log_hold_clear(struct yr_room_log *log)
{
    for (size_t i = 0; i < YR_LOG_QUEUES; i++)
        while (log->queues[i].first != NULL) {
            struct yr_log_held *held = log->queues[i].first;

            detach(log, held);
            yr_free(log->mem, held);
        }
}

/* ---- who stands on whom ---- */

struct yr_log_held *yr_log_held(const struct yr_room_log *log, const uint8_t id[YR_REC_ID_LEN])
{
    struct yr_log_held *held = log->held[hash_of(id)];

    while (held != NULL && memcmp(held->id, id, YR_REC_ID_LEN) != 0)
        held = held->bucket;
    return held;
}

// Does a record that cites one of `author` make it wanted?
static bool gives(const struct yr_room_log *log, const struct yr_log_held *citing,
                  const struct yr_log_author *author)
{
    if (citing->author == NULL)
        return false;
    return citing->wanted ||
           (citing->author != author && yr_authority_rank(log->authority, citing->mid) > 0);
}

static bool cited(const struct yr_room_log *log, const uint8_t id[YR_REC_ID_LEN],
                  const struct yr_log_author *author)
{
    const struct yr_log_want *want = find_want(log, id);

    for (const struct yr_log_link *at = want != NULL ? want->links : NULL; at != NULL;
         at = at->next)
        if (gives(log, at->by, author))
            return true;
    return false;
}

// Is a wanted record of the same chain further on?
static bool before_goal(const struct yr_log_author *author, uint8_t class,
                        const uint8_t incarnation[8], uint64_t seq)
{
    const struct yr_log_goal *goal = &author->goals[class - 1];

    return goal->seq > seq && memcmp(goal->incarnation, incarnation, sizeof goal->incarnation) == 0;
}

bool yr_log_wanted(const struct yr_room_log *log, const struct yr_room_record *record,
                   const struct yr_log_author *author)
{
    const struct yr_log_chain *chain;
    struct yr_chain_key key;

    if (record->class == YR_CLASS_STATE)
        return false;
    if (cited(log, record->id, author))
        return true;
    // It may be on the way there, and is if the author signed one history: then it goes on from
    // what is here.
    if (!before_goal(author, record->class, record->incarnation, record->seq))
        return false;
    yr_log_key(&key, record, 0);
    chain = yr_log_chain(log, &key);
    return chain == NULL ? record->seq == 1
                         : record->seq == chain->seq + 1 &&
                               memcmp(record->prev, chain->head, YR_REC_ID_LEN) == 0;
}

static void set_wanted(struct yr_log_held *held)
{
    struct yr_log_goal *goal = &held->author->goals[held->class - 1];

    held->wanted = true;
    if (held->seq > goal->seq) {
        held->author->moved = true;
        goal->seq = held->seq;
        memcpy(goal->incarnation, held->incarnation, sizeof goal->incarnation);
    }
}

// Those who cite what came too fast took it at its time: so do we.
static void hurry(struct yr_room_log *log)
{
    struct yr_log_held *next;

    for (struct yr_log_held *at = log->queues[YR_LOG_FAST].first; at != NULL; at = next) {
        next = at->next;
        if (at->wanted ||
            (at->author->moved && before_goal(at->author, at->class, at->incarnation, at->seq)))
            ready(log, at);
    }
    for (size_t q = YR_LOG_WAITING; q <= YR_LOG_READY; q++)
        for (struct yr_log_held *at = log->queues[q].first; at != NULL; at = at->next)
            if (at->author != NULL)
                at->author->moved = false;
}

// A record has come to be held: tell those it stands on, and those they stand on, that are held.
static void spread_wanted(struct yr_room_log *log, struct yr_log_held *held)
{
    struct yr_log_held *work = held;
    bool any = cited(log, held->id, held->author);

    held->work = NULL;
    if (any)
        set_wanted(held);
    while (work != NULL) {
        struct yr_log_held *citing = work;

        work = work->work;
        for (size_t i = 0; i < citing->link_count; i++) {
            const struct yr_log_want *want = citing->links[i].want;
            struct yr_log_held *below = want != NULL ? yr_log_held(log, want->id) : NULL;

            if (below == NULL || below->wanted || !gives(log, citing, below->author))
                continue;
            set_wanted(below);
            any = true;
            below->work = work;
            work = below;
        }
    }
    if (any)
        hurry(log);
}

/* ---- bounds ---- */

// Make room among what is not verified: at the cost of who sent much, else of the oldest.
static void bound_strange(struct yr_room_log *log, const struct yr_room_record *record,
                          unsigned slot, size_t cost, bool *known)
{
    const struct yr_log_list *list = &log->queues[YR_LOG_STRANGE];
    struct yr_log_held *oldest = NULL;
    size_t count = 0;

    *known = false;
    for (struct yr_log_held *at = list->first; at != NULL; at = at->next) {
        if (at->slot != slot)
            continue;
        if (memcmp(at->id, record->id, YR_REC_ID_LEN) == 0)
            *known = true;
        if (oldest == NULL)
            oldest = at;
        count++;
    }
    if (*known)
        return;
    if (count >= YR_ROOM_STRANGE_EACH)
        forget(log, oldest);
    while (list->count >= YR_ROOM_STRANGE_MAX || list->bytes + cost > YR_ROOM_STRANGE_BYTES)
        forget(log, list->first);
}

static size_t verified_count(const struct yr_room_log *log)
{
    return log->queues[YR_LOG_WAITING].count + log->queues[YR_LOG_FAST].count;
}

static size_t verified_bytes(const struct yr_room_log *log)
{
    return log->queues[YR_LOG_WAITING].bytes + log->queues[YR_LOG_FAST].bytes;
}

// The newest held record of the author who has most; NULL if that is `author` with `cost` more.
static struct yr_log_held *greedy(const struct yr_room_log *log, const struct yr_log_author *author,
                                  size_t cost)
{
    size_t most = author->held_bytes + cost;
    struct yr_log_held *newest = NULL;

    for (size_t q = YR_LOG_WAITING; q <= YR_LOG_FAST; q++)
        for (struct yr_log_held *at = log->queues[q].first; at != NULL; at = at->next)
            if (at->author != author && at->author->held_bytes >= most) {
                most = at->author->held_bytes;
                newest = at;
            }
    return newest;
}

// What others make us hold never takes the memory that rooms need to go on.
static bool affordable(const struct yr_room_log *log, size_t cost)
{
    return log->mem->used[YR_MEM_ROOM] + cost <= log->mem->cap[YR_MEM_ROOM] / 2;
}

// Make room for a verified record; false: it is the one that must go.
static bool bound_verified(struct yr_room_log *log, const struct yr_log_author *author, size_t cost)
{
    if (author->held_count >= YR_ROOM_HELD_EACH)
        return false;
    while (verified_count(log) >= YR_ROOM_HELD_MAX ||
           verified_bytes(log) + cost > YR_ROOM_HELD_BYTES) {
        struct yr_log_held *victim = greedy(log, author, cost);

        if (victim == NULL)
            return false;
        forget(log, victim);
    }
    return true;
}

/* ---- putting in ---- */

static struct yr_log_held *make_held(struct yr_room_log *log, const struct yr_room_record *record,
                                     size_t cost, size_t len)
{
    struct yr_log_held *held = yr_alloc(log->mem, YR_MEM_ROOM, sizeof *held + len);

    if (held == NULL)
        return NULL;
    memcpy(held->id, record->id, YR_REC_ID_LEN);
    memcpy(held->mid, record->author, YR_MID_LEN);
    memcpy(held->incarnation, record->incarnation, sizeof held->incarnation);
    held->class = record->class;
    held->seq = record->seq;
    held->cost = cost;
    held->len = len;
    memcpy(held->bytes, record->src, len);
    return held;
}

static void index_held(struct yr_room_log *log, struct yr_log_held *held,
                       struct yr_log_author *author)
{
    struct yr_log_held **bucket = &log->held[hash_of(held->id)];

    held->author = author;
    author->held_count++;
    author->held_bytes += held->cost;
    held->bucket = *bucket;
    held->at_bucket = bucket;
    if (held->bucket != NULL)
        held->bucket->at_bucket = &held->bucket;
    *bucket = held;
}

// How many of an author and class wait for their time already.  It comes for one after the other,
// so that none is looked at again and again.
static size_t ahead(const struct yr_room_log *log, const struct yr_log_author *author,
                    uint8_t class)
{
    size_t count = 0;

    for (const struct yr_log_held *at = log->queues[YR_LOG_FAST].first; at != NULL; at = at->next)
        count += at->author == author && at->class == class;
    return count;
}

void yr_log_hold(struct yr_room_log *log, struct yr_now now, enum yr_log_queue queue,
                 const struct yr_room_record *record, struct yr_log_author *author,
                 const uint8_t *const *parents, size_t parent_count, unsigned slot, size_t len,
                 yr_us wait_us)
{
    const size_t cost =
        sizeof(struct yr_log_held) + len + parent_count * sizeof(struct yr_log_want);
    struct yr_log_held *held;
    bool known = false, fits = affordable(log, cost);

    YR_ASSERT((queue == YR_LOG_STRANGE) == (author == NULL) && parent_count <= YR_LOG_PARENTS_MAX);
    if (author == NULL)
        bound_strange(log, record, slot, cost, &known);
    else
        fits = fits && bound_verified(log, author, cost);
    if (known)
        return;
    // Without memory it is forgotten too: what others want us to keep must not stop the node.
    if (!fits || (held = make_held(log, record, cost, len)) == NULL) {
        log->counters[YR_LOGGED_FORGOTTEN]++;
        return;
    }
    held->slot = slot;
    held->since_us = now.mono_us;
    held->due_us = now.mono_us + wait_us;
    if (queue == YR_LOG_FAST)
        held->due_us += ahead(log, author, held->class) * YR_ROOM_RATE_MS * YR_MS;
    enqueue(log, held, queue);
    if (author != NULL)
        index_held(log, held, author);
    for (size_t i = 0; i < parent_count; i++) {
        struct yr_log_want *want = make_want(log, parents[i]);

        if (want == NULL) {
            forget(log, held);
            return;
        }
        add_link(held, want);
    }
    log->counters[queue == YR_LOG_FAST ? YR_LOGGED_FAST : YR_LOGGED_HELD]++;
    if (author != NULL && held->class != YR_CLASS_STATE)
        spread_wanted(log, held);
}

/* ---- getting ready ---- */

void yr_log_hold_came(struct yr_room_log *log, const uint8_t id[YR_REC_ID_LEN])
{
    struct yr_log_want *want = find_want(log, id);

    if (want == NULL)
        return;
    while (want->links != NULL) {
        struct yr_log_held *by = want->links->by;

        cut_link(want->links);
        if (by->lacks == 0 && by->queue == YR_LOG_WAITING)
            ready(log, by);
    }
    free_want(log, want);
}

void yr_log_hold_known(struct yr_room_log *log, const uint8_t mid[YR_MID_LEN])
{
    struct yr_log_held *next;

    for (struct yr_log_held *at = log->queues[YR_LOG_STRANGE].first; at != NULL; at = next) {
        next = at->next;
        if (memcmp(at->mid, mid, YR_MID_LEN) == 0)
            ready(log, at);
    }
}

void yr_log_hold_tick(struct yr_room_log *log, struct yr_now now)
{
    struct yr_log_held *next;

    for (size_t q = 0; q < YR_LOG_READY; q++)
        while (log->queues[q].first != NULL &&
               log->queues[q].first->since_us + HELD_US <= now.mono_us)
            forget(log, log->queues[q].first);
    for (struct yr_log_held *at = log->queues[YR_LOG_FAST].first; at != NULL; at = next) {
        next = at->next;
        if (at->due_us <= now.mono_us)
            ready(log, at);
    }
}

yr_us yr_log_hold_deadline(const struct yr_room_log *log)
{
    yr_us due = YR_NEVER;

    for (size_t q = 0; q < YR_LOG_READY; q++)
        if (log->queues[q].first != NULL)
            due = YR_MIN(due, log->queues[q].first->since_us + HELD_US);
    for (const struct yr_log_held *at = log->queues[YR_LOG_FAST].first; at != NULL; at = at->next)
        due = YR_MIN(due, at->due_us);
    return due;
}

/* ---- asking ---- */

size_t yr_room_log_missing(const struct yr_room_log *log, uint8_t (*ids)[16], unsigned *slots,
                           size_t cap)
{
    size_t count = 0;

    for (const struct yr_log_want *at = log->want_first; at != NULL && count < cap; at = at->next) {
        if (yr_log_held(log, at->id) != NULL)
            continue;
        memcpy(ids[count], at->id, sizeof ids[count]);
        slots[count++] = at->links->by->slot;
    }
    return count;
}

size_t yr_room_log_held(const struct yr_room_log *log)
{
    return verified_count(log) + log->queues[YR_LOG_STRANGE].count;
}
