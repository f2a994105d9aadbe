#include "core/chat/hlc.h"
#include "core/room/log_state.h"

// A claimed clock counts up to here, so that what is said after the wildest of them finds a place
// behind it.
#define EFF_MAX     YR_HLC_MAX
#define CLAIMED_MAX (EFF_MAX - ((uint64_t)1 << 40))
#define TAKES_MAX   16 // records an author of this many may come twice as fast after a restart

/** What the log says of the records that one cites. */
struct parents {
    const uint8_t *missing[YR_LOG_PARENTS_MAX];
    size_t missing_count;
    uint64_t eff; // of a message that cites them
    bool bad;     // one that is here cannot be cited so
};

static enum yr_err done(struct yr_room_log *log, enum yr_log_counter counter, enum yr_put value,
                        enum yr_put *what)
{
    log->counters[counter]++;
    *what = value;
    return YR_OK;
}

static enum yr_err refuse(struct yr_room_log *log, enum yr_log_counter counter, enum yr_put *what,
                          bool *forged)
{
    *forged = true;
    return done(log, counter, YR_PUT_REFUSED, what);
}

/* ---- ancestors ---- */

static bool prev_ok(const struct yr_room_log *log, const struct yr_room_record *r,
                    const struct yr_log_spot *prev)
{
    const struct yr_chain_key *key = &log->chains[prev->chain]->key;

    return prev->class == r->class && prev->seq == r->seq - 1 &&
           memcmp(key->mid, r->author, YR_MID_LEN) == 0 &&
           memcmp(key->incarnation, r->incarnation, sizeof key->incarnation) == 0;
}

// Operations stand on operations alone; state records are on their own.
static bool dep_ok(const struct yr_room_record *r, const struct yr_log_spot *dep)
{
    return dep->class == YR_CLASS_CONTROL ||
           (dep->class == YR_CLASS_MESSAGE && r->class == YR_CLASS_MESSAGE);
}

static void raise(struct parents *p, const struct yr_log_spot *spot)
{
    if (spot->class == YR_CLASS_MESSAGE)
        p->eff = YR_MAX(p->eff, spot->eff < EFF_MAX ? spot->eff + 1 : EFF_MAX);
}

static enum yr_err look_up(const struct yr_room_log *log, const struct yr_room_record *r,
                           struct parents *p)
{
    struct yr_log_spot spot;
    bool here;
    enum yr_err err;

    memset(p, 0, sizeof *p);
    p->eff = YR_MIN(r->hlc, CLAIMED_MAX);
    if (r->seq > 1) {
        if ((err = yr_log_find_all(log, r->prev, &here, &spot)) != YR_OK)
            return err;
        if (!here)
            p->missing[p->missing_count++] = r->prev;
        else if (!prev_ok(log, r, &spot))
            p->bad = true;
        else
            raise(p, &spot);
    }
    for (size_t i = 0; i < r->dep_count; i++) {
        if ((err = yr_log_find_all(log, r->deps[i], &here, &spot)) != YR_OK)
            return err;
        if (here && !dep_ok(r, &spot))
            p->bad = true;
        else if (here)
            raise(p, &spot);
        else if (memcmp(r->deps[i], r->prev, YR_REC_ID_LEN) != 0)
            p->missing[p->missing_count++] = r->deps[i];
    }
    return YR_OK;
}

/* ---- taking in ---- */

static enum yr_err tell(struct yr_room_log *log, struct yr_now now, const struct yr_log_item *item,
                        const struct yr_log_author *author, const struct yr_log_spot *spot)
{
    struct yr_room_entry entry = {
        .arrival = spot->arrival, .eff = spot->eff, .slot = item->slot, .forked = author->forked};

    memcpy(entry.id, spot->id, sizeof entry.id);
    log->counters[YR_LOGGED_ACCEPTED]++;
    return log->ops.accepted(log->ops.ctx, now, item->record, item->body, &entry);
}

static void move_clock(struct yr_room_log *log, struct yr_now now, const struct yr_log_item *item)
{
    const uint64_t hlc = YR_MIN(item->record->hlc, YR_HLC_MAX);

    log->hlc =
        item->slot == YR_ROOM_OWN ? YR_MAX(log->hlc, hlc) : yr_hlc_seen(log->hlc, hlc, now.wall_ms);
    log->dirty = true;
}

static void follow(struct yr_room_log *log, struct yr_log_chain *chain,
                   const struct yr_room_record *r)
{
    if (r->seq <= chain->seq && (chain->fork == 0 || r->seq < chain->fork)) {
        chain->fork = r->seq; // all before it have one successor each
        log->fork_due = true;
    }
    if (r->seq <= chain->seq && !chain->author->forked) {
        chain->author->forked = true;
        yr_log_touch_author(log, chain->author);
        log->counters[YR_LOGGED_FORK]++;
    }
    if (r->seq > chain->seq) {
        chain->seq = r->seq;
        memcpy(chain->head, r->id, YR_REC_ID_LEN);
    }
    for (size_t i = 0; i < sizeof chain->digest; i++)
        chain->digest[i] ^= r->id[i];
    yr_log_touch_chain(log, chain);
}

static enum yr_err open_chain(struct yr_room_log *log, const struct yr_log_item *item,
                              struct yr_log_author *author, struct yr_log_chain **out)
{
    struct yr_chain_key key;

    yr_log_key(&key, item->record, item->record->body[0]);
    *out = yr_log_chain(log, &key);
    return *out != NULL ? YR_OK : yr_log_chain_new(log, &key, author, out);
}

// Rows, chain, heads, owner.
static enum yr_err enter(struct yr_room_log *log, struct yr_now now, const struct yr_log_item *item,
                         struct yr_log_author *author, uint64_t eff)
{
    const struct yr_room_record *r = item->record;
    struct yr_log_spot spot = {.class = r->class, .seq = r->seq, .arrival = log->end + 1};
    struct yr_log_chain *chain;
    enum yr_err err;

    if ((err = open_chain(log, item, author, &chain)) != YR_OK)
        return err;
    memcpy(spot.id, r->id, sizeof spot.id);
    spot.chain = chain->no;
    spot.eff = r->class == YR_CLASS_MESSAGE ? eff : 0;
    if ((err = yr_log_store(log, &spot, r->src, item->len)) != YR_OK)
        return err;
    log->end++;
    if (r->class == YR_CLASS_MESSAGE)
        yr_log_heads_add(log, r, eff);
    follow(log, chain, r);
    move_clock(log, now, item);
    if ((err = tell(log, now, item, author, &spot)) == YR_OK)
        yr_log_hold_came(log, r->id);
    return err;
}

static enum yr_err enter_state(struct yr_room_log *log, struct yr_now now,
                               const struct yr_log_item *item, struct yr_log_author *author)
{
    const struct yr_room_record *r = item->record;
    struct yr_log_spot spot = {.class = r->class, .seq = r->hlc};
    const size_t chains = log->chain_count;
    struct yr_log_chain *chain;
    enum yr_err err;

    if ((err = open_chain(log, item, author, &chain)) != YR_OK)
        return err;
    memcpy(spot.id, r->id, sizeof spot.id);
    spot.chain = chain->no;
    if ((err = yr_log_store_state(log, &spot, chain, log->chain_count > chains ? NULL : chain->head,
                                  r->src, item->len)) != YR_OK)
        return err;
    chain->seq = r->hlc;
    memcpy(chain->head, r->id, YR_REC_ID_LEN);
    memcpy(chain->digest, r->id, sizeof chain->digest);
    yr_log_touch_chain(log, chain);
    if (item->body->kind == YR_ROOM_KEY) {
        memcpy(author->seal_pk, item->body->seal_pk, sizeof author->seal_pk);
        author->told = true;
        yr_log_touch_author(log, author);
    }
    move_clock(log, now, item);
    return tell(log, now, item, author, &spot);
}

/* ---- authors ---- */

// Whoever is added says which key it reads with; of several such words the newest counts, until it
// tells a key itself.
static void learn_keys(struct yr_room_log *log, struct yr_log_author *author,
                       const struct yr_room_record *r, const struct yr_room_body *body, bool fresh)
{
    const bool newer = fresh || r->hlc > author->add_hlc ||
                       (r->hlc == author->add_hlc && memcmp(r->id, author->add_id, 32) > 0);

    memcpy(author->sign_pk, body->sign_pk, sizeof author->sign_pk);
    if (!newer)
        return;
    author->add_hlc = r->hlc;
    memcpy(author->add_id, r->id, YR_REC_ID_LEN);
    if (!author->told)
        memcpy(author->seal_pk, body->seal_pk, sizeof author->seal_pk);
    yr_log_touch_author(log, author);
}

// Nobody has written anything before being added, whatever its clock says.
static void start_clocks(struct yr_log_author *author, uint64_t hlc, struct yr_now now)
{
    for (size_t i = 0; i < YR_LOG_BUCKETS; i++)
        author->buckets[i].clock_ms =
            YR_MIN((yr_ms)(hlc >> 16), YR_MAX(now.wall_ms, 0) + YR_CLOCK_SKEW_MS);
}

static enum yr_err learn_author(struct yr_room_log *log, struct yr_now now,
                                const uint8_t mid[YR_MID_LEN], const struct yr_log_item *item)
{
    struct yr_log_author *author = yr_log_author(log, mid);
    const bool fresh = author == NULL;
    enum yr_err err;

    if (fresh) {
        if ((err = yr_log_author_new(log, mid, &author)) != YR_OK)
            return err;
        start_clocks(author, item->record->hlc, now);
        yr_log_hold_known(log, mid);
    }
    learn_keys(log, author, item->record, item->body, fresh);
    return YR_OK;
}

enum yr_err yr_log_accept_create(struct yr_room_log *log, struct yr_now now,
                                 const struct yr_log_item *item)
{
    const struct yr_room_record *r = item->record;
    struct yr_log_author *author;
    enum yr_err err;

    if ((err = learn_author(log, now, r->author, item)) != YR_OK)
        return err;
    author = yr_log_author(log, r->author);
    return enter(log, now, item, author, 0);
}

/* ---- operations ---- */

// Has the author the right, in the view it cites?
static bool may(struct yr_room_log *log, const struct yr_log_item *item,
                const struct yr_room_op *op)
{
    const struct yr_room_body *body = item->body;

    if (yr_authority_judge(log->authority, op) != YR_FATE_EFFECTIVE)
        return false;
    return body->kind != YR_ROOM_ADD ||
           yr_room_join_verify(body->join_sig, log->id, body->sign_pk, body->seal_pk,
                               item->record->author) == YR_OK;
}

static enum yr_err enter_control(struct yr_room_log *log, struct yr_now now,
                                 const struct yr_log_item *item, struct yr_log_author *author,
                                 const struct yr_room_op *op, enum yr_put *what)
{
    enum yr_err err = yr_authority_add(log->authority, op);

    if (err == YR_EFULL)
        return done(log, YR_LOGGED_FULL, YR_PUT_REFUSED, what);
    if (err == YR_OK && item->body->kind == YR_ROOM_ADD)
        err = learn_author(log, now, op->target, item);
    return err == YR_OK ? enter(log, now, item, author, 0) : err;
}

/* ---- judging one record ---- */

static bool is_older(const struct yr_room_log *log, const struct yr_room_record *r)
{
    const struct yr_log_chain *chain;
    struct yr_chain_key key;

    yr_log_key(&key, r, r->body[0]);
    chain = yr_log_chain(log, &key);
    if (chain == NULL || r->hlc > chain->seq)
        return false;
    return r->hlc < chain->seq || memcmp(r->id, chain->head, YR_REC_ID_LEN) <= 0;
}

// Is this one more chain than an author is given?
static bool too_many_chains(const struct yr_room_log *log, const struct yr_room_record *r)
{
    struct yr_chain_key key;

    yr_log_key(&key, r, 0);
    return r->seq == 1 && yr_log_chain(log, &key) == NULL &&
           yr_log_chain_many(log, r->author, r->class) >= YR_ROOM_INCARNATIONS;
}

static enum yr_err hold(struct yr_room_log *log, struct yr_now now, const struct yr_log_item *item,
                        struct yr_log_author *author, enum yr_log_queue queue,
                        const struct parents *p, yr_us wait_us, enum yr_put *what)
{
    *what = YR_PUT_HELD;
    if (item->slot != YR_ROOM_OWN)
        yr_log_hold(log, now, queue, item->record, author, p->missing, p->missing_count, item->slot,
                    item->len, wait_us);
    return YR_OK;
}

// A row for each record would say nothing that matters: who starts again forgets the last few.
static void count_take(struct yr_room_log *log, struct yr_log_author *author)
{
    if (++author->unwritten >= TAKES_MAX)
        yr_log_touch_author(log, author);
}

static enum yr_err consider_state(struct yr_room_log *log, struct yr_now now,
                                  const struct yr_log_item *item, struct yr_log_author *author,
                                  enum yr_put *what)
{
    struct yr_log_bucket *bucket = &author->buckets[YR_CLASS_STATE - 1];
    const uint64_t wall = (uint64_t)YR_MAX(now.wall_ms, 0) << 16; // nothing old is caught up with
    const struct parents none = {.missing_count = 0};
    yr_us wait_us;

    count_take(log, author);
    if (!yr_log_bucket_take(bucket, wall, now, &wait_us))
        return hold(log, now, item, author, YR_LOG_FAST, &none, wait_us, what);
    *what = YR_PUT_NEW;
    return enter_state(log, now, item, author);
}

// Of a known author, verified.
static enum yr_err consider_placed(struct yr_room_log *log, struct yr_now now,
                                   const struct yr_log_item *item, struct yr_log_author *author,
                                   bool wanted, enum yr_put *what, bool *forged)
{
    const struct yr_room_record *r = item->record;
    struct parents p;
    struct yr_room_op op;
    yr_us wait_us;
    enum yr_err err;

    if ((err = look_up(log, r, &p)) != YR_OK)
        return err;
    if (p.bad)
        return refuse(log, YR_LOGGED_FORM, what, forged);
    if (p.missing_count > 0)
        return hold(log, now, item, author, YR_LOG_WAITING, &p, 0, what);
    if (!wanted && too_many_chains(log, r))
        return done(log, YR_LOGGED_STRANGER, YR_PUT_LATE, what);
    count_take(log, author);
    if (!yr_log_bucket_take(&author->buckets[r->class - 1], r->hlc, now, &wait_us) && !wanted)
        return hold(log, now, item, author, YR_LOG_FAST, &p, wait_us, what);
    *what = YR_PUT_NEW;
    if (r->class != YR_CLASS_CONTROL)
        return enter(log, now, item, author, p.eff);
    // The dearest comes last, so that the rate bounds that, too.
    yr_room_op_from(&op, r, item->body);
    if (!may(log, item, &op))
        return refuse(log, YR_LOGGED_RIGHT, what, forged);
    return enter_control(log, now, item, author, &op, what);
}

enum yr_err yr_log_consider(struct yr_room_log *log, struct yr_now now,
                            const struct yr_log_item *item, enum yr_put *what, bool *forged)
{
    const struct yr_room_record *r = item->record;
    struct yr_log_author *author = yr_log_author(log, r->author);
    struct parents p = {.missing_count = 0};
    bool wanted;
    enum yr_err err;

    if (author == NULL) {
        if (r->class != YR_CLASS_STATE && (err = look_up(log, r, &p)) != YR_OK)
            return err;
        return hold(log, now, item, NULL, YR_LOG_STRANGE, &p, 0, what);
    }
    if (r->class == YR_CLASS_STATE && is_older(log, r))
        return done(log, YR_LOGGED_OLDER, YR_PUT_OLDER, what);
    wanted = yr_log_wanted(log, r, author);
    if (!wanted && yr_authority_rank(log->authority, r->author) == 0)
        return done(log, YR_LOGGED_STRANGER, YR_PUT_LATE, what);
    if (!item->verified && yr_room_record_verify(r, author->sign_pk) != YR_OK)
        return refuse(log, YR_LOGGED_SIGNATURE, what, forged);
    if (r->class == YR_CLASS_STATE)
        return consider_state(log, now, item, author, what);
    return consider_placed(log, now, item, author, wanted, what, forged);
}

/* ---- those that waited ---- */

static enum yr_err consider_held(struct yr_room_log *log, struct yr_now now,
                                 const struct yr_log_held *held)
{
    struct yr_room_record record;
    struct yr_room_body body;
    struct yr_log_item item = {&record, &body, held->len, held->slot, held->author != NULL};
    struct yr_log_spot spot;
    enum yr_put what;
    bool here, forged;
    enum yr_err err;

    // They were good when they came.
    YR_ASSERT(yr_room_record_decode(&record, held->bytes, held->len) == YR_OK);
    YR_ASSERT(yr_room_body_decode(&body, record.class, record.body, record.body_len) == YR_OK);
    if ((err = yr_log_find_all(log, held->id, &here, &spot)) != YR_OK)
        return err;
    // One that was not verified may have come from others, too.
    if (here || yr_log_held(log, held->id) != NULL)
        return YR_OK;
    return yr_log_consider(log, now, &item, &what, &forged);
}

enum yr_err yr_log_drain(struct yr_room_log *log, struct yr_now now, bool *any)
{
    struct yr_log_held *held;
    enum yr_err err = YR_OK;

    *any = false;
    while (err == YR_OK && (held = yr_log_hold_pop(log)) != NULL) {
        *any = true;
        err = consider_held(log, now, held);
        yr_free(log->mem, held);
    }
    return err;
}
