#include "core/room/authority_state.h"

/* ---- ranks ---- */

// Of the effective operations of `s`, all if `below` is YR_OP_NONE, else those that were effective
// for operation `below`: is `i` one of them?
static bool counts(const struct yr_authority *a, const struct yr_resolved *s, size_t below,
                   size_t i)
{
    return yr_op_has(s->effective, i) &&
           (below == YR_OP_NONE || (i < below && yr_op_has(a->ops[below].effective_then, i)));
}

// What counts of the operations on a person; bits up to those of `below` only.
struct acts {
    size_t word_count, first, end; // ended has bits in words first..end-1
    struct yr_op_sets on;
};

static void acts_on(const struct yr_authority *a, const struct yr_resolved *s, size_t below,
                    uint16_t who, struct acts *out)
{
    const struct yr_person *p = &a->persons[who];
    const size_t count = below == YR_OP_NONE ? a->count : below;
    const uint64_t *among = below == YR_OP_NONE ? a->ones : a->ops[below].effective_then;

    out->word_count = yr_op_words(count);
    for (size_t w = 0; w < out->word_count; w++) {
        const uint64_t bits = s->effective[w] & among[w] & yr_op_mask(w, count);

        out->on.ended[w] = p->sets == NULL ? 0 : p->sets->ended[w] & bits;
        out->on.given[w] = p->sets == NULL ? 0 : p->sets->given[w] & bits;
        out->on.added[w] = p->sets == NULL ? 0 : p->sets->added[w] & bits;
    }
    if (p->sets == NULL)
        for (uint16_t i = p->first; i != YR_OP_NONE; i = a->ops[i].next_on_target)
            if (counts(a, s, below, i))
                yr_op_act(a, i, &out->on);
    out->first = out->end = 0;
    for (size_t w = out->word_count; w-- > 0;)
        if (out->on.ended[w] != 0) {
            out->first = w;
            out->end = YR_MAX(out->end, w + 1);
        }
}

// Does operation `i` have all that ended the membership among its ancestors?
static bool is_live(const struct yr_authority *a, const struct acts *acts, size_t i)
{
    for (size_t w = acts->first; w < acts->end; w++)
        if ((acts->on.ended[w] & ~(w < yr_op_words(i) ? a->ops[i].anc[w] & yr_op_mask(w, i) : 0)) !=
            0)
            return false;
    return true;
}

static size_t highest_bit(uint64_t bits)
{
    size_t bit = 0;

    for (size_t half = 32; half > 0; half /= 2)
        if (bits >> half != 0) {
            bits >>= half;
            bit += half;
        }
    return bit;
}

// The last of operations `from` that is live, YR_OP_NONE: none is; clears those after it.
static uint16_t last_live(const struct yr_authority *a, const struct acts *acts,
                          uint64_t from[YR_OP_WORDS])
{
    for (size_t w = acts->word_count; w-- > 0;)
        while (from[w] != 0) {
            const size_t i = w * 64 + highest_bit(from[w]);

            if (is_live(a, acts, i))
                return (uint16_t)i;
            from[w] &= ~((uint64_t)1 << i % 64);
        }
    return YR_OP_NONE;
}

// Clear operation `i` and its ancestors.
static void drop_known(const struct yr_authority *a, uint64_t from[YR_OP_WORDS], size_t i)
{
    for (size_t w = 0; w < yr_op_words(i); w++)
        from[w] &= ~(a->ops[i].anc[w] & yr_op_mask(w, i));
    from[i / 64] &= ~((uint64_t)1 << i % 64);
}

// A person's rank by what counts of the operations on it.  It is a member by an ADD that is live:
// has every REMOVE and LEAVE among its ancestors.  Of the live ADD and ROLE that no other of them
// knows the highest is its rank.
unsigned yr_person_rank(const struct yr_authority *a, const struct yr_resolved *s, size_t below,
                        uint16_t who)
{
    struct acts acts;
    unsigned rank = 0;
    uint16_t i;

    acts_on(a, s, below, who, &acts);
    if (who == 0)
        return acts.end == 0 ? YR_RANK_FOUNDER : 0;
    if (acts.end > 0) { // what one end knows is not live: mostly all
        const size_t end = (acts.end - 1) * 64 + highest_bit(acts.on.ended[acts.end - 1]);
        drop_known(a, acts.on.given, end);
        drop_known(a, acts.on.added, end);
    }
    if (last_live(a, &acts, acts.on.added) == YR_OP_NONE)
        return 0;
    while ((i = last_live(a, &acts, acts.on.given)) != YR_OP_NONE) {
        rank = YR_MAX(rank, (unsigned)a->ops[i].value);
        drop_known(a, acts.on.given, i);
    }
    return rank;
}

static unsigned rank_in(const struct yr_authority *a, const struct yr_resolved *s, uint16_t who)
{
    return who == YR_OP_NONE ? 0 : yr_person_rank(a, s, YR_OP_NONE, who);
}

/* ---- what a rank allows ---- */

bool yr_op_allowed_again(const struct yr_authority *a, const struct yr_op *op, unsigned author_rank,
                         unsigned target_rank)
{
    switch (op->kind) {
    case YR_ROOM_ADD:
        return author_rank >= a->invite_min &&
               (author_rank > op->value ||
                (op->value <= YR_RANK_MEMBER && author_rank >= op->value));
    case YR_ROOM_REMOVE: return author_rank >= YR_RANK_MOD && author_rank > target_rank;
    case YR_ROOM_ROLE:
        return author_rank >= YR_RANK_ADMIN && author_rank > target_rank && author_rank > op->value;
    case YR_ROOM_SET: return author_rank >= YR_RANK_MOD;
    case YR_ROOM_CREATE:
    case YR_ROOM_LEAVE: return true; // one may always leave
    default: return false;
    }
}

static bool allowed(const struct yr_authority *a, const struct yr_op *op, unsigned author_rank,
                    unsigned target_rank)
{
    const bool ruling = op->kind == YR_ROOM_REMOVE || op->kind == YR_ROOM_ROLE;

    return author_rank > 0 && op->kind != YR_ROOM_CREATE &&
           (op->kind != YR_ROOM_ADD || target_rank == 0) &&
           (!ruling || (target_rank > 0 && op->author != op->target)) &&
           yr_op_allowed_again(a, op, author_rank, target_rank);
}

void yr_op_weigh(const struct yr_authority *a, const struct yr_resolved *s, struct yr_op *op)
{
    op->author_rank = (uint8_t)rank_in(a, s, op->author);
    op->target_rank = (uint8_t)rank_in(a, s, op->target);
    op->valid = allowed(a, op, op->author_rank, op->target_rank);
}

/* ---- asking ---- */

enum yr_fate yr_authority_fate(struct yr_authority *a, const uint8_t id[YR_REC_ID_LEN])
{
    const uint16_t i = yr_op_find(a, id);

    if (i == YR_OP_NONE)
        return YR_FATE_ABSENT;
    if (!a->ops[i].valid)
        return YR_FATE_INVALID;
    return yr_op_has(yr_authority_now(a)->effective, i) ? YR_FATE_EFFECTIVE : YR_FATE_VOID;
}

unsigned yr_authority_rank(struct yr_authority *a, const uint8_t mid[YR_MID_LEN])
{
    const uint16_t who = yr_person_find(a, mid);

    return rank_in(a, yr_authority_now(a), who);
}

bool yr_authority_setting(struct yr_authority *a, uint8_t key, uint8_t id[YR_REC_ID_LEN])
{
    const struct yr_resolved *s = yr_authority_now(a);

    for (size_t k = a->count; k-- > 0;) {
        const struct yr_op *op = &a->ops[a->order[k]];

        if (op->kind != YR_ROOM_SET || op->value != key || !yr_op_has(s->effective, a->order[k]))
            continue;
        memcpy(id, op->id, sizeof op->id);
        return true;
    }
    return false;
}

static enum yr_err members(const struct yr_authority *a, const struct yr_resolved *s,
                           struct yr_room_member *out, size_t *count)
{
    size_t n = 0;

    for (size_t k = 0; k < a->person_count; k++) {
        const uint16_t who = a->by_mid[k];
        const unsigned rank = rank_in(a, s, who);

        if (rank == 0)
            continue;
        if (n < *count) {
            memcpy(out[n].mid, a->persons[who].mid, YR_MID_LEN);
            out[n].rank = (uint8_t)rank;
        }
        n++;
    }
    if (n > *count) {
        *count = n;
        return YR_ESIZE;
    }
    *count = n;
    return YR_OK;
}

enum yr_err yr_authority_members(struct yr_authority *a, struct yr_room_member *out, size_t *count)
{
    return members(a, yr_authority_now(a), out, count);
}

enum yr_err yr_authority_members_at(struct yr_authority *a, const uint8_t (*ids)[YR_REC_ID_LEN],
                                    size_t id_count, struct yr_room_member *out, size_t *count)
{
    uint16_t depth;
    enum yr_err err;

    YR_ASSERT(id_count > 0);
    if ((err = yr_authority_want(a, ids, id_count, &depth)) != YR_OK)
        return err;
    return members(a, yr_authority_at_want(a), out, count);
}

// The ADD by which a person is a member or was last; YR_OP_NONE: none.
static uint16_t adder(const struct yr_authority *a, const struct yr_resolved *s, uint16_t who)
{
    struct acts acts;
    uint16_t last = YR_OP_NONE;

    if (who == 0) // a founder who left stays away
        return YR_OP_NONE;
    acts_on(a, s, YR_OP_NONE, who, &acts);
    for (uint16_t i = a->persons[who].last; i != YR_OP_NONE; i = a->ops[i].prev_on_target) {
        if (a->ops[i].kind != YR_ROOM_ADD || !yr_op_has(s->effective, i))
            continue;
        if (is_live(a, &acts, i))
            return i;
        if (last == YR_OP_NONE)
            last = i;
    }
    return last;
}

bool yr_authority_adder(struct yr_authority *a, const uint8_t mid[YR_MID_LEN],
                        uint8_t id[YR_REC_ID_LEN])
{
    const uint16_t who = yr_person_find(a, mid);
    const uint16_t add = who == YR_OP_NONE ? YR_OP_NONE : adder(a, yr_authority_now(a), who);

    if (add != YR_OP_NONE)
        memcpy(id, a->ops[add].id, YR_REC_ID_LEN);
    return add != YR_OP_NONE;
}

bool yr_authority_removal(struct yr_authority *a, const uint8_t mid[YR_MID_LEN],
                          uint8_t id[YR_REC_ID_LEN])
{
    const struct yr_resolved *s = yr_authority_now(a);
    const uint16_t who = yr_person_find(a, mid);
    uint16_t add;

    if (who == YR_OP_NONE || rank_in(a, s, who) > 0)
        return false;
    add = adder(a, s, who);
    for (uint16_t i = a->persons[who].last; i != YR_OP_NONE; i = a->ops[i].prev_on_target) {
        if (!yr_op_ends(&a->ops[i]) || !yr_op_has(s->effective, i) ||
            (add != YR_OP_NONE && yr_op_precedes(a, i, add)))
            continue;
        memcpy(id, a->ops[i].id, YR_REC_ID_LEN);
        return true;
    }
    return false;
}

// Every effective ADD in (depth, id) order, and whether it still holds, into one hash.
static void membership(const struct yr_authority *a, const struct yr_resolved *s,
                       uint8_t out[YR_HASH_LEN])
{
    struct acts acts;
    uint8_t step[YR_REC_ID_LEN + 1];

    memset(out, rank_in(a, s, 0) > 0 ? 1 : 0, YR_HASH_LEN);
    for (size_t k = 0; k < a->count; k++) {
        const uint16_t i = a->order[k];

        if (a->ops[i].kind != YR_ROOM_ADD || !yr_op_has(s->effective, i))
            continue;
        acts_on(a, s, YR_OP_NONE, a->ops[i].target, &acts);
        memcpy(step, a->ops[i].id, YR_REC_ID_LEN);
        step[YR_REC_ID_LEN] = is_live(a, &acts, i);
        yr_hash2(out, out, YR_HASH_LEN, step, sizeof step);
    }
}

void yr_authority_membership(struct yr_authority *a, uint8_t out[YR_HASH_LEN])
{
    membership(a, yr_authority_now(a), out);
}

enum yr_err yr_authority_membership_at(struct yr_authority *a, const uint8_t (*ids)[YR_REC_ID_LEN],
                                       size_t id_count, uint8_t out[YR_HASH_LEN])
{
    uint16_t depth;
    enum yr_err err;

    if ((err = yr_authority_want(a, ids, id_count, &depth)) != YR_OK)
        return err;
    membership(a, yr_authority_at_want(a), out);
    return YR_OK;
}
