#include "core/room/log_state.h"

#define TOKENS_MS (YR_ROOM_BURST * YR_ROOM_RATE_MS)

static bool grow(const struct yr_room_log *log, void *array, size_t *cap, size_t count)
{
    void **at = array, *more;
    const size_t next = YR_MAX(2 * *cap, (size_t)16);

    if (count < *cap)
        return true;
    if ((more = yr_realloc(log->mem, YR_MEM_ROOM, *at, next * sizeof(void *))) == NULL)
        return false;
    *at = more;
    *cap = next;
    return true;
}

/* ---- authors ---- */

static size_t author_place(const struct yr_room_log *log, const uint8_t mid[YR_MID_LEN])
{
    size_t low = 0, high = log->author_count;

    while (low < high) {
        const size_t at = (low + high) / 2;

        if (memcmp(log->authors_by_mid[at]->mid, mid, YR_MID_LEN) < 0)
            low = at + 1;
        else
            high = at;
    }
    return low;
}

struct yr_log_author *yr_log_author(const struct yr_room_log *log, const uint8_t mid[YR_MID_LEN])
{
    const size_t at = author_place(log, mid);

    return at < log->author_count && memcmp(log->authors_by_mid[at]->mid, mid, YR_MID_LEN) == 0
               ? log->authors_by_mid[at]
               : NULL;
}

enum yr_err yr_log_author_new(struct yr_room_log *log, const uint8_t mid[YR_MID_LEN],
                              struct yr_log_author **out)
{
    const size_t at = author_place(log, mid), n = log->author_count;
    struct yr_log_author *author;

    if (!grow(log, &log->authors, &log->author_cap, n) ||
        !grow(log, &log->authors_by_mid, &log->author_sorted_cap, n) ||
        (author = yr_alloc(log->mem, YR_MEM_ROOM, sizeof *author)) == NULL)
        return YR_ENOMEM;
    memcpy(author->mid, mid, YR_MID_LEN);
    author->no = (uint32_t)n;
    for (size_t i = 0; i < YR_LOG_BUCKETS; i++)
        author->buckets[i].left_ms = TOKENS_MS;
    log->authors[n] = author;
    memmove(log->authors_by_mid + at + 1, log->authors_by_mid + at,
            (n - at) * sizeof(struct yr_log_author *));
    log->authors_by_mid[at] = author;
    log->author_count++;
    yr_log_touch_author(log, author);
    *out = author;
    return YR_OK;
}

/* ---- chains ---- */

static int compare_keys(const struct yr_chain_key *a, const struct yr_chain_key *b)
{
    const int order = memcmp(a->mid, b->mid, sizeof a->mid);

    if (order != 0)
        return order;
    if (a->class != b->class)
        return a->class < b->class ? -1 : 1;
    return memcmp(a->incarnation, b->incarnation, sizeof a->incarnation);
}

static size_t chain_place(const struct yr_room_log *log, const struct yr_chain_key *key)
{
    size_t low = 0, high = log->chain_count;

    while (low < high) {
        const size_t at = (low + high) / 2;

        if (compare_keys(&log->chains_by_key[at]->key, key) < 0)
            low = at + 1;
        else
            high = at;
    }
    return low;
}

struct yr_log_chain *yr_log_chain(const struct yr_room_log *log, const struct yr_chain_key *key)
{
    const size_t at = chain_place(log, key);

    return at < log->chain_count && compare_keys(&log->chains_by_key[at]->key, key) == 0
               ? log->chains_by_key[at]
               : NULL;
}

enum yr_err yr_log_chain_new(struct yr_room_log *log, const struct yr_chain_key *key,
                             struct yr_log_author *author, struct yr_log_chain **out)
{
    const size_t at = chain_place(log, key), n = log->chain_count;
    struct yr_log_chain *chain;

    if (!grow(log, &log->chains, &log->chain_cap, n) ||
        !grow(log, &log->chains_by_key, &log->chain_sorted_cap, n) ||
        (chain = yr_alloc(log->mem, YR_MEM_ROOM, sizeof *chain)) == NULL)
        return YR_ENOMEM;
    chain->key = *key;
    chain->author = author;
    chain->no = (uint32_t)n;
    log->chains[n] = chain;
    memmove(log->chains_by_key + at + 1, log->chains_by_key + at,
            (n - at) * sizeof(struct yr_log_chain *));
    log->chains_by_key[at] = chain;
    log->chain_count++;
    yr_log_touch_chain(log, chain);
    *out = chain;
    return YR_OK;
}

void yr_log_key(struct yr_chain_key *out, const struct yr_room_record *record, uint8_t kind)
{
    memset(out, 0, sizeof *out);
    memcpy(out->mid, record->author, sizeof out->mid);
    out->class = record->class;
    if (record->class == YR_CLASS_STATE)
        out->incarnation[0] = kind;
    else
        memcpy(out->incarnation, record->incarnation, sizeof out->incarnation);
}

size_t yr_log_chain_many(const struct yr_room_log *log, const uint8_t mid[YR_MID_LEN],
                         uint8_t class)
{
    struct yr_chain_key key = {.class = class};
    size_t count = 0;

    memcpy(key.mid, mid, sizeof key.mid);
    for (size_t i = chain_place(log, &key); i < log->chain_count; i++, count++)
        if (memcmp(log->chains_by_key[i]->key.mid, mid, YR_MID_LEN) != 0 ||
            log->chains_by_key[i]->key.class != class)
            break;
    return count;
}

/* ---- message heads ---- */

static void remove_head(struct yr_room_log *log, const uint8_t id[YR_REC_ID_LEN])
{
    for (size_t i = 0; i < log->head_count; i++)
        if (memcmp(log->heads[i].id, id, YR_REC_ID_LEN) == 0) {
            log->heads[i] = log->heads[--log->head_count];
            return;
        }
}

void yr_log_heads_add(struct yr_room_log *log, const struct yr_room_record *record, uint64_t eff)
{
    size_t at = 0;

    remove_head(log, record->prev);
    for (size_t i = 0; i < record->dep_count; i++)
        remove_head(log, record->deps[i]);
    if (log->head_count < YR_ROOM_HEADS_MAX) {
        at = log->head_count++;
    } else {
        for (size_t i = 1; i < log->head_count; i++)
            if (log->heads[i].eff < log->heads[at].eff)
                at = i;
        if (log->heads[at].eff > eff)
            return;
    }
    memcpy(log->heads[at].id, record->id, YR_REC_ID_LEN);
    log->heads[at].eff = eff;
}

void yr_log_tables_clear(struct yr_room_log *log)
{
    for (size_t i = 0; i < log->author_count; i++)
        yr_free(log->mem, log->authors[i]);
    for (size_t i = 0; i < log->chain_count; i++)
        yr_free(log->mem, log->chains[i]);
    yr_free(log->mem, log->authors);
    yr_free(log->mem, log->authors_by_mid);
    yr_free(log->mem, log->chains);
    yr_free(log->mem, log->chains_by_key);
    log->author_count = log->chain_count = 0;
}

/* ---- rate ---- */

static void refill(struct yr_log_bucket *bucket, uint64_t ms)
{
    bucket->left_ms =
        (uint32_t)YR_MIN(bucket->left_ms + YR_MIN(ms, (uint64_t)TOKENS_MS), (uint64_t)TOKENS_MS);
    if (bucket->left_ms == TOKENS_MS)
        bucket->starved = false;
}

bool yr_log_bucket_take(struct yr_log_bucket *bucket, uint64_t hlc, struct yr_now now,
                        yr_us *wait_us)
{
    const yr_ms wall = YR_MIN(YR_MAX(now.wall_ms, 0), (yr_ms)(INT64_MAX >> 16));
    const yr_ms claimed = YR_MIN((yr_ms)(hlc >> 16), wall + YR_CLOCK_SKEW_MS);

    // Whoever was away for long has much to tell at once, and its own clock says so.
    if (claimed > bucket->clock_ms) {
        refill(bucket, (uint64_t)(claimed - bucket->clock_ms));
        bucket->clock_ms = claimed;
    }
    if (bucket->starved && now.mono_us > bucket->starved_us) {
        const uint64_t passed_ms = (now.mono_us - bucket->starved_us) / YR_MS;

        bucket->starved_us += passed_ms * YR_MS;
        refill(bucket, passed_ms);
    }
    if (bucket->left_ms >= YR_ROOM_RATE_MS) {
        bucket->left_ms -= YR_ROOM_RATE_MS;
        return true;
    }
    if (!bucket->starved) {
        bucket->starved = true;
        bucket->starved_us = now.mono_us;
    }
    *wait_us = (YR_ROOM_RATE_MS - bucket->left_ms) * YR_MS;
    return false;
}
