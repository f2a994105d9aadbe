/* Display order (docs/protocol.md "Messages").  A message's eff is its clock as sent, raised to one
 * above the eff of its parents, so eff alone orders causally, and nothing local enters it.
 *
 * A child may come before its parent.  It is shown at once, where it stands by what is known, and
 * waits: a row (parent, child) for each parent that is unknown or waits itself.  When a parent
 * comes, or comes to stand lower, its children are weighed again, parents before children; whoever
 * has all ancestors is settled and waits no more.  In ordinary traffic nobody waits and nothing of
 * this is written.  There are YR_EDGES_MAX such rows in a conversation: when they are used up, all
 * who wait are settled where they stand, since what they wait for is most likely lost. */
#include "core/chat/state.h"

#include "core/crypto/kdf.h"

#define PLACE_LEN sizeof(((struct yr_place *)0)->key)
#define AUTHOR_LEN \
    2 // enough to part two authors, and too little to know one by: keys are in the clear
#define HASH_LEN   14
#define INDEX_LEN  (1 + YR_ID_LEN + PLACE_LEN + 4)
#define INDEX_VER  1
#define WAITER_LEN (2 * YR_MSG_ID_LEN)
#define OP_LEN     (WAITER_LEN - 1) /* of an operation that waits; its id is in the value, too */

// ---- places ----

void yr_place_make(struct yr_place *out, uint64_t eff, const struct yr_record *record)
{
    struct yr_wr wr = yr_wr_init(out->key, PLACE_LEN);
    uint8_t hash[YR_HASH16];

    // Only a liar says two things with one number: the hash of the id, not the id, so that he has
    // to search long for two that claim one place.
    yr_hash16(hash, record->id, YR_MSG_ID_LEN);
    yr_wr_u64be(&wr, eff);
    yr_wr_bytes(&wr, record->author, AUTHOR_LEN);
    yr_wr_u64be(&wr, record->seq);
    yr_wr_bytes(&wr, hash, HASH_LEN);
    YR_ASSERT(yr_wr_ok(&wr) && yr_wr_len(&wr) == PLACE_LEN);
}

int yr_place_compare(const struct yr_place *a, const struct yr_place *b)
{
    return memcmp(a->key, b->key, PLACE_LEN);
}

static uint64_t place_eff(const struct yr_place *place)
{
    struct yr_rd rd = yr_rd_init(place->key, PLACE_LEN);

    return yr_rd_u64be(&rd);
}

enum yr_err yr_place_free(struct yr_chats *chats, const struct yr_conv *conv,
                          const struct yr_place *place, bool *out)
{
    struct yr_row at = {.suffix_len = PLACE_LEN};
    enum yr_err err;

    memcpy(at.suffix, place->key, PLACE_LEN);
    err =
        yr_rows_seek(chats->rows, YR_TABLE_MESSAGE, conv->id, YR_ID_LEN, YR_SEEK_GE, &at, NULL, 0);
    if (err != YR_OK && err != YR_ENOENT)
        return err;
    *out = err == YR_ENOENT || at.suffix_len != PLACE_LEN ||
           memcmp(at.suffix, place->key, PLACE_LEN) != 0;
    return YR_OK;
}

// ---- rows ----

enum yr_err yr_index_get(struct yr_chats *chats, const uint8_t id[YR_MSG_ID_LEN],
                         struct yr_index *out)
{
    uint8_t row[INDEX_LEN + 64];
    struct yr_index index;
    struct yr_rd rd;
    unsigned version;
    size_t len;
    enum yr_err err =
        yr_rows_get(chats->rows, YR_TABLE_INDEX, NULL, 0, id, YR_MSG_ID_LEN, row, sizeof row, &len);

    if (err != YR_OK)
        return err;
    rd = yr_rd_init(row, len);
    version = yr_rd_u8(&rd);
    yr_rd_copy(&rd, index.conv, YR_ID_LEN);
    yr_rd_copy(&rd, index.place.key, PLACE_LEN);
    index.epoch = yr_rd_u32(&rd);
    if (!yr_rd_done(&rd) || version != INDEX_VER)
        return YR_ECORRUPT;
    *out = index;
    return YR_OK;
}

enum yr_err yr_index_put(struct yr_chats *chats, const uint8_t id[YR_MSG_ID_LEN],
                         const struct yr_index *index)
{
    uint8_t row[INDEX_LEN];
    struct yr_wr wr = yr_wr_init(row, sizeof row);

    yr_wr_u8(&wr, INDEX_VER);
    yr_wr_bytes(&wr, index->conv, YR_ID_LEN);
    yr_wr_bytes(&wr, index->place.key, PLACE_LEN);
    yr_wr_u32(&wr, index->epoch);
    return yr_rows_put(chats->rows, YR_TABLE_INDEX, NULL, 0, id, YR_MSG_ID_LEN, row,
                       yr_wr_len(&wr));
}

enum yr_err yr_record_get(struct yr_chats *chats, const uint8_t conv[YR_ID_LEN],
                          const struct yr_place *place, struct yr_record *out)
{
    size_t len;
    enum yr_err err = yr_rows_get(chats->rows, YR_TABLE_MESSAGE, conv, YR_ID_LEN, place->key,
                                  PLACE_LEN, chats->row, sizeof chats->row, &len);

    return err != YR_OK ? err : yr_record_decode(out, chats->row, len);
}

enum yr_err yr_record_put(struct yr_chats *chats, const uint8_t conv[YR_ID_LEN],
                          const struct yr_place *place, const struct yr_record *record)
{
    size_t len;

    yr_record_encode(record, chats->out, &len);
    return yr_rows_put(chats->rows, YR_TABLE_MESSAGE, conv, YR_ID_LEN, place->key, PLACE_LEN,
                       chats->out, len);
}

enum yr_err yr_record_at(struct yr_chats *chats, const uint8_t id[YR_MSG_ID_LEN],
                         const struct yr_index *index, struct yr_record *out)
{
    enum yr_err err = yr_record_get(chats, index->conv, &index->place, out);

    if (err == YR_OK && memcmp(out->id, id, YR_MSG_ID_LEN) != 0)
        err = YR_ECORRUPT;
    return err == YR_ENOENT ? YR_ECORRUPT : err;
}

enum yr_err yr_record_find(struct yr_chats *chats, const uint8_t id[YR_MSG_ID_LEN],
                           struct yr_index *index, struct yr_record *out)
{
    const enum yr_err err = yr_index_get(chats, id, index);

    return err != YR_OK ? err : yr_record_at(chats, id, index, out);
}

// ---- who waits for whom ----

static void waiter_key(uint8_t key[WAITER_LEN], const uint8_t target[YR_MSG_ID_LEN],
                       const uint8_t waiter[YR_MSG_ID_LEN])
{
    memcpy(key, target, YR_MSG_ID_LEN);
    memcpy(key + YR_MSG_ID_LEN, waiter, YR_MSG_ID_LEN);
}

// The length of the key tells a message that waits (WAITER_LEN) from an operation (OP_LEN).
static enum yr_err has_waiter(struct yr_chats *chats, const struct yr_conv *conv,
                              const uint8_t *key, size_t len, bool *out)
{
    struct yr_row at = {.suffix_len = len};
    enum yr_err err;

    memcpy(at.suffix, key, len);
    err = yr_rows_seek(chats->rows, YR_TABLE_ORPHAN, conv->id, YR_ID_LEN, YR_SEEK_GE, &at, NULL, 0);
    if (err != YR_OK && err != YR_ENOENT)
        return err;
    *out = err == YR_OK && at.suffix_len == len && memcmp(at.suffix, key, len) == 0;
    return YR_OK;
}

enum yr_err yr_order_wait(struct yr_chats *chats, struct yr_conv *conv,
                          const struct yr_change *change)
{
    uint8_t key[WAITER_LEN];
    bool known;
    size_t len;
    enum yr_err err;

    waiter_key(key, change->target, change->id);
    if ((err = has_waiter(chats, conv, key, OP_LEN, &known)) != YR_OK)
        return err;
    if (known) {
        yr_chats_count(chats, YR_CHAT_DUPLICATE);
        return YR_EEXIST;
    }
    if (conv->orphans >= YR_ORPHANS_MAX) {
        yr_chats_count(chats, YR_CHAT_ORPHANS_FULL);
        return YR_EPROTO;
    }
    memcpy(chats->change, change->id, YR_MSG_ID_LEN);
    yr_change_encode(change, chats->change + YR_MSG_ID_LEN, &len);
    err = yr_rows_put(chats->rows, YR_TABLE_ORPHAN, conv->id, YR_ID_LEN, key, OP_LEN, chats->change,
                      YR_MSG_ID_LEN + len);
    conv->orphans++;
    conv->dirty = true;
    return err;
}

static enum yr_err add_edge(struct yr_chats *chats, struct yr_conv *conv,
                            const uint8_t parent[YR_MSG_ID_LEN], const uint8_t child[YR_MSG_ID_LEN])
{
    static const uint8_t value[] = {1}; // its key says all
    uint8_t key[WAITER_LEN];
    bool known;
    enum yr_err err;

    waiter_key(key, parent, child);
    if ((err = has_waiter(chats, conv, key, WAITER_LEN, &known)) != YR_OK || known)
        return err;
    conv->edges++;
    conv->dirty = true;
    return yr_rows_put(chats->rows, YR_TABLE_ORPHAN, conv->id, YR_ID_LEN, key, sizeof key, value,
                       sizeof value);
}

static enum yr_err del_waiter(struct yr_chats *chats, struct yr_conv *conv, const uint8_t *key,
                              size_t len, uint32_t *count)
{
    if (*count > 0)
        --*count;
    conv->dirty = true;
    return yr_rows_del(chats->rows, YR_TABLE_ORPHAN, conv->id, YR_ID_LEN, key, len);
}

// Nobody waits any more.  Costs a look at every key that waits, once in YR_EDGES_MAX new ones;
// opening the operations among them would cost a hundred times as much.
static enum yr_err give_up(struct yr_chats *chats, struct yr_conv *conv)
{
    struct yr_row at = {.suffix_len = 0};
    enum yr_seek how = YR_SEEK_GE;
    enum yr_err err;

    yr_chats_count(chats, YR_CHAT_GAVE_UP);
    yr_conv_settle_all(conv);
    for (;; how = YR_SEEK_GT) {
        err = yr_rows_seek(chats->rows, YR_TABLE_ORPHAN, conv->id, YR_ID_LEN, how, &at, NULL, 0);
        if (err != YR_OK)
            return err == YR_ENOENT ? YR_OK : err;
        if (at.suffix_len == WAITER_LEN &&
            (err = yr_rows_del(chats->rows, YR_TABLE_ORPHAN, conv->id, YR_ID_LEN, at.suffix,
                               at.suffix_len)) != YR_OK)
            return err;
    }
}

// ---- weighing ----

// A parent's spot; *unknown: it is not here (it may come).
static enum yr_err look_up(struct yr_chats *chats, struct yr_conv *conv,
                           const uint8_t id[YR_MSG_ID_LEN], struct yr_spot *out, bool *unknown)
{
    const struct yr_spot *spot = yr_conv_spot(conv, id);
    struct yr_index index;
    enum yr_err err;

    memset(out, 0, sizeof *out);
    *unknown = false;
    if (spot != NULL) {
        *out = *spot;
        return YR_OK;
    }
    err = yr_index_get(chats, id, &index);
    if (err == YR_ENOENT)
        *unknown = true;
    if (err != YR_OK)
        return err == YR_ENOENT ? YR_OK : err;
    if (memcmp(index.conv, conv->id, YR_ID_LEN) != 0) {
        out->settled = true; // of another conversation: says nothing, and will never come here
        return YR_OK;
    }
    out->eff = place_eff(&index.place);
    out->settled = index.epoch != conv->epoch;
    return YR_OK;
}

static bool listed(const uint8_t (*ids)[YR_MSG_ID_LEN], size_t count, const uint8_t *id)
{
    for (size_t i = 0; i < count; i++)
        if (memcmp(ids[i], id, YR_MSG_ID_LEN) == 0)
            return true;
    return false;
}

enum yr_err yr_order_weigh(struct yr_chats *chats, struct yr_conv *conv,
                           const struct yr_record *record, struct yr_weight *out)
{
    uint64_t above = 0;

    out->wait_count = 0;
    memcpy(out->spot.id, record->id, YR_MSG_ID_LEN);
    for (size_t i = 0; i < record->parent_count; i++) {
        const uint8_t *id = record->parents[i];
        struct yr_spot parent;
        bool unknown;
        enum yr_err err;

        if (listed(record->parents, i, id) || memcmp(id, record->id, YR_MSG_ID_LEN) == 0)
            continue;
        if ((err = look_up(chats, conv, id, &parent, &unknown)) != YR_OK)
            return err;
        if (unknown || !parent.settled)
            memcpy(out->waits[out->wait_count++], id, YR_MSG_ID_LEN);
        if (!unknown)
            above = YR_MAX(above, parent.eff < UINT64_MAX ? parent.eff + 1 : UINT64_MAX);
    }
    out->spot.eff = YR_MAX(above, YR_MIN(record->hlc, YR_HLC_MAX));
    out->spot.settled = out->wait_count == 0;
    return YR_OK;
}

// ---- what waited for a message that has come ----

static void add_job(struct yr_chats *chats, const uint8_t id[YR_MSG_ID_LEN], uint64_t eff)
{
    for (size_t i = 0; i < chats->job_count; i++) // also: a circle of liars is walked once
        if (memcmp(chats->jobs[i].id, id, YR_MSG_ID_LEN) == 0)
            return;
    if (chats->job_count == YR_COUNT(chats->jobs))
        return;
    memcpy(chats->jobs[chats->job_count].id, id, YR_MSG_ID_LEN);
    chats->jobs[chats->job_count].eff = eff;
    chats->jobs[chats->job_count].done = false;
    chats->job_count++;
}

static enum yr_err apply_waiting(struct yr_chats *chats, struct yr_record *record,
                                 const uint8_t key[OP_LEN], size_t len)
{
    struct yr_change change;
    bool visible, stored;
    enum yr_err err;

    if (len < YR_MSG_ID_LEN)
        return YR_ECORRUPT;
    memcpy(change.target, key, YR_MSG_ID_LEN);
    memcpy(change.id, chats->change, YR_MSG_ID_LEN);
    if ((err = yr_change_decode(&change, chats->change + YR_MSG_ID_LEN, len - YR_MSG_ID_LEN)) !=
        YR_OK)
        return err;
    err = yr_record_apply(record, &change, &visible, &stored);
    if (err == YR_EDENIED)
        yr_chats_count(chats, YR_CHAT_DENIED);
    if (err == YR_EFULL)
        yr_chats_count(chats, YR_CHAT_REACTIONS_FULL);
    if (err == YR_OK && stored && change.type == YR_PLAIN_EDIT) { // the row goes, the text stays
        memcpy(chats->text, change.text, change.text_len);
        record->text = chats->text;
    }
    return YR_OK;
}

// Walk what waits for `id`.  Operations go into `record` (NULL: the message was known, there are
// none), messages become jobs.
static enum yr_err collect(struct yr_chats *chats, struct yr_conv *conv,
                           const uint8_t id[YR_MSG_ID_LEN], struct yr_record *record)
{
    struct yr_row at = {.suffix_len = YR_MSG_ID_LEN};
    enum yr_seek how = YR_SEEK_GE;
    struct yr_index child;
    enum yr_err err;

    memcpy(at.suffix, id, YR_MSG_ID_LEN);
    for (;; how = YR_SEEK_GT) {
        err = yr_rows_seek(chats->rows, YR_TABLE_ORPHAN, conv->id, YR_ID_LEN, how, &at,
                           chats->change, sizeof chats->change);
        if (err == YR_ENOENT || (err == YR_OK && memcmp(at.suffix, id, YR_MSG_ID_LEN) != 0))
            return YR_OK;
        if (err != YR_OK)
            return err;
        if (at.suffix_len != WAITER_LEN && at.suffix_len != OP_LEN)
            return YR_ECORRUPT;
        if (at.suffix_len == WAITER_LEN) {
            err = yr_index_get(chats, at.suffix + YR_MSG_ID_LEN, &child);
            if (err == YR_OK)
                add_job(chats, at.suffix + YR_MSG_ID_LEN, place_eff(&child.place));
            else if (err != YR_ENOENT) // ENOENT: it was deleted with its history
                return err;
        } else if (record != NULL) {
            if ((err = apply_waiting(chats, record, at.suffix, at.value_len)) != YR_OK ||
                (err = del_waiter(chats, conv, at.suffix, OP_LEN, &conv->orphans)) != YR_OK)
                return err;
        }
    }
}

enum yr_err yr_order_collect(struct yr_chats *chats, struct yr_conv *conv, struct yr_record *record)
{
    chats->job_count = 0;
    if (conv->edges == 0 && conv->orphans == 0)
        return YR_OK;
    return collect(chats, conv, record->id, record);
}

static struct yr_job *next_job(struct yr_chats *chats)
{
    struct yr_job *next = NULL;

    for (size_t i = 0; i < chats->job_count; i++)
        if (!chats->jobs[i].done && (next == NULL || chats->jobs[i].eff < next->eff))
            next = &chats->jobs[i];
    return next;
}

static enum yr_err move(struct yr_chats *chats, struct yr_conv *conv, struct yr_record *record,
                        struct yr_index *index, const struct yr_spot *spot)
{
    const struct yr_place from = index->place;
    struct yr_place to;
    bool is_free, refind;
    enum yr_err err;

    yr_place_make(&to, spot->eff, record);
    if ((err = yr_place_free(chats, conv, &to, &is_free)) != YR_OK)
        return err;
    if (!is_free) {
        yr_chats_count(chats, YR_CHAT_CLASH);
        return YR_OK;
    }
    refind = yr_marker_move(conv, record, &from, &to);
    if ((err = yr_rows_del(chats->rows, YR_TABLE_MESSAGE, conv->id, YR_ID_LEN, from.key,
                           PLACE_LEN)) != YR_OK ||
        (err = yr_record_put(chats, conv->id, &to, record)) != YR_OK ||
        (refind && (err = yr_marker_refind(chats, conv, &from)) != YR_OK))
        return err;
    index->place = to;
    conv->eff_max = YR_MAX(conv->eff_max, spot->eff);
    return YR_OK;
}

static enum yr_err settle(struct yr_chats *chats, struct yr_conv *conv,
                          const struct yr_record *record)
{
    for (size_t i = 0; i < record->parent_count; i++) {
        uint8_t key[WAITER_LEN];
        bool waits;
        enum yr_err err;

        waiter_key(key, record->parents[i], record->id);
        if ((err = has_waiter(chats, conv, key, WAITER_LEN, &waits)) != YR_OK ||
            (waits && (err = del_waiter(chats, conv, key, WAITER_LEN, &conv->edges)) != YR_OK))
            return err;
    }
    return YR_OK;
}

static enum yr_err weigh_again(struct yr_chats *chats, struct yr_conv *conv,
                               const uint8_t id[YR_MSG_ID_LEN])
{
    struct yr_record *record = &chats->moving;
    struct yr_weight weight;
    struct yr_index index;
    uint64_t eff;
    enum yr_err err;

    if ((err = yr_record_find(chats, id, &index, record)) != YR_OK)
        return err;
    if (memcmp(index.conv, conv->id, YR_ID_LEN) != 0 || index.epoch != conv->epoch)
        return YR_OK;
    eff = place_eff(&index.place);
    if ((err = yr_order_weigh(chats, conv, record, &weight)) != YR_OK)
        return err;
    if (weight.spot.eff <= eff && !weight.spot.settled)
        return YR_OK; // waits for another one
    if (weight.spot.eff > eff && (err = move(chats, conv, record, &index, &weight.spot)) != YR_OK)
        return err;
    weight.spot.eff = place_eff(&index.place);
    if (weight.spot.settled) {
        index.epoch = 0;
        if ((err = settle(chats, conv, record)) != YR_OK)
            return err;
    }
    yr_conv_moved(conv, &weight.spot);
    if ((err = yr_index_put(chats, id, &index)) != YR_OK)
        return err;
    return collect(chats, conv, id, NULL);
}

enum yr_err yr_order_add(struct yr_chats *chats, struct yr_conv *conv,
                         const struct yr_record *record, struct yr_weight *weight,
                         const struct yr_place *place)
{
    const bool cited = chats->job_count > 0;
    const bool full = conv->edges + weight->wait_count > YR_EDGES_MAX;
    struct yr_index index = {.place = *place};
    struct yr_job *job;
    enum yr_err err;

    for (size_t i = 0; !full && i < weight->wait_count; i++)
        if ((err = add_edge(chats, conv, weight->waits[i], record->id)) != YR_OK)
            return err;
    memcpy(index.conv, conv->id, YR_ID_LEN);
    index.epoch = weight->spot.settled ? 0 : conv->epoch;
    if ((err = yr_record_put(chats, conv->id, place, record)) != YR_OK ||
        (err = yr_index_put(chats, record->id, &index)) != YR_OK)
        return err;
    for (size_t i = 0; i < record->parent_count; i++)
        yr_conv_cite(conv, record->parents[i]);
    yr_conv_add(conv, &weight->spot, !cited);
    conv->eff_max = YR_MAX(conv->eff_max, weight->spot.eff);
    while ((job = next_job(chats)) != NULL) {
        job->done = true;
        if ((err = weigh_again(chats, conv, job->id)) != YR_OK)
            return err;
    }
    return full ? give_up(chats, conv) : YR_OK;
}

enum yr_err yr_order_disown(struct yr_chats *chats, struct yr_conv *conv,
                            const uint8_t author[YR_ID_LEN],
                            const uint8_t incarnation[YR_INCARNATION_LEN], enum yr_seek how,
                            struct yr_row *at)
{
    struct yr_change change;
    enum yr_err err = yr_rows_seek(chats->rows, YR_TABLE_ORPHAN, conv->id, YR_ID_LEN, how, at,
                                   chats->change, sizeof chats->change);

    if (err != YR_OK || at->suffix_len != OP_LEN)
        return err;
    if (at->value_len < YR_MSG_ID_LEN)
        return YR_ECORRUPT;
    if ((err = yr_change_decode(&change, chats->change + YR_MSG_ID_LEN,
                                at->value_len - YR_MSG_ID_LEN)) != YR_OK ||
        change.type == YR_PLAIN_DELETE || memcmp(change.author, author, YR_ID_LEN) != 0 ||
        memcmp(change.incarnation, incarnation, YR_INCARNATION_LEN) != 0)
        return err;
    return del_waiter(chats, conv, at->suffix, at->suffix_len, &conv->orphans);
}
