#include "core/room/authority_state.h"

/* ---- revocations ---- */

// What a revocation leaves its target.
static unsigned left_by(const struct yr_op *revocation)
{
    return revocation->kind == YR_ROOM_ROLE ? revocation->value : 0;
}

// Does an operation fall when its author's rank does?
static bool falls_at(const struct yr_authority *a, size_t x, unsigned rank)
{
    const struct yr_op *op = &a->ops[x];

    return op->valid && !yr_op_allowed_again(a, op, YR_MIN(op->author_rank, rank), op->target_rank);
}

// Did operation `x` reckon with revocation `r`?  Then it was judged by what its author was given
// since, and stands or falls with that.
static bool reckons(const struct yr_authority *a, size_t x, size_t r)
{
    return r < x && yr_op_has(a->ops[x].effective_then, r);
}

/* ---- judging again ---- */

// Is operation `i`, after all that come before it, effective?  Also what rank its author has left.
static bool stands(const struct yr_authority *a, struct yr_resolved *s, size_t i)
{
    const struct yr_op *op = &a->ops[i];
    unsigned rank, target_rank = 0;

    s->rank[i] = a->most[i];
    if (yr_op_has(s->voided, i))
        return false;
    rank = yr_person_rank(a, s, i, op->author);
    s->rank[i] = (uint8_t)YR_MIN(rank, a->most[i]);
    if (op->target != YR_OP_NONE)
        target_rank = yr_person_rank(a, s, i, op->target);
    return yr_op_allowed_again(a, op, s->rank[i], target_rank);
}

// B.9.4, step 2, once a->changed were void or had their ranks cut.  What an operation is depends on
// those on its author and on its target alone.
static void judge_again(struct yr_authority *a, struct yr_resolved *s)
{
    memset(a->touched, 0, a->person_count * sizeof *a->touched);
    for (size_t i = 0; i < a->count; i++) { // ancestors come before
        const struct yr_op *op = &a->ops[i];

        if (!yr_op_has(s->set, i) || !op->valid ||
            !(yr_op_has(a->changed, i) || a->touched[op->author] ||
              (op->target != YR_OP_NONE && a->touched[op->target])))
            continue;
        if (stands(a, s, i) == yr_op_has(s->effective, i))
            continue;
        s->effective[i / 64] ^= (uint64_t)1 << i % 64;
        if (op->target != YR_OP_NONE)
            a->touched[op->target] = true;
    }
    memset(a->changed, 0, sizeof a->changed);
}

/* ---- rulings ---- */

// Does operation `g`, of which ruling `r` did not know nor it of `r`, take it its effect?
static bool overrules(const struct yr_authority *a, size_t g, size_t r, unsigned level)
{
    return yr_op_has(a->above, g) && (a->ops[r].kind == YR_ROOM_ROLE || a->ops[g].value >= level) &&
           !yr_op_precedes(a, g, r) && !yr_op_precedes(a, r, g);
}

static bool is_overruled(const struct yr_authority *a, size_t r, unsigned level)
{
    const struct yr_op *op = &a->ops[r];
    const struct yr_person *target = &a->persons[op->target];

    if (target->sets == NULL) {
        for (uint16_t g = target->first; g != YR_OP_NONE; g = a->ops[g].next_on_target)
            if (overrules(a, g, r, level))
                return true;
        return false;
    }
    for (size_t w = 0; w < yr_op_words(a->count); w++) {
        const uint64_t cited = w < yr_op_words(r) ? op->anc[w] & yr_op_mask(w, r) : 0;
        uint64_t left = target->sets->given[w] & a->above[w] & ~cited;

        for (size_t g = w * 64; left != 0; g++, left >>= 1)
            if ((left & 1) != 0 && overrules(a, g, r, level))
                return true;
    }
    return false;
}

// Cut one operation of revocation `r`'s target.
static void cut(struct yr_authority *a, struct yr_resolved *s, size_t r, size_t x)
{
    const unsigned left = left_by(&a->ops[r]);
    const bool falls = falls_at(a, x, left);

    if (a->ops[x].kind == YR_ROOM_LEAVE || !yr_op_has(a->below, x) || yr_op_has(s->voided, x) ||
        (!falls && a->most[x] <= left) || yr_op_precedes(a, x, r) || reckons(a, x, r))
        return;
    a->most[x] = (uint8_t)YR_MIN(a->most[x], left);
    if (falls)
        yr_op_put(s->voided, x);
    yr_op_put(a->changed, x);
}

// The same for many operations.
static void cut_many(struct yr_authority *a, struct yr_resolved *s, size_t r)
{
    const struct yr_op *op = &a->ops[r];
    const uint64_t *by = a->persons[op->target].ops_set;

    for (size_t w = 0; w < yr_op_words(a->count); w++) {
        const uint64_t cited = w < yr_op_words(r) ? op->anc[w] & yr_op_mask(w, r) : 0;
        uint64_t left = by[w] & a->below[w] & ~cited & ~s->voided[w];

        for (size_t x = w * 64; left != 0; x++, left >>= 1)
            if ((left & 1) != 0)
                cut(a, s, r, x);
    }
}

// One ruling whose author has rank `level` takes effect, or is overruled.
static void rule(struct yr_authority *a, struct yr_resolved *s, uint16_t r, unsigned level)
{
    const struct yr_person *target = &a->persons[a->ops[r].target];

    yr_op_put(s->settled, r);
    if (is_overruled(a, r, level)) {
        yr_op_put(s->voided, r);
        yr_op_put(a->changed, r);
    } else if (a->ops[r].revokes && target->ops_set != NULL) {
        cut_many(a, s, r);
    } else if (a->ops[r].revokes) {
        for (uint16_t x = target->ops; x != YR_OP_NONE; x = a->ops[x].next_by_author)
            cut(a, s, r, x);
    }
}

// The rulings of the highest rank that is at most `level`, into a->due; that rank; 0: there are
// none.
static unsigned due(const struct yr_authority *a, const struct yr_resolved *s, unsigned level,
                    size_t *count)
{
    unsigned highest = 0;

    *count = 0;
    for (size_t k = 0; k < a->ruling_count; k++) {
        const uint16_t r = a->rulings[k];
        const unsigned rank = YR_MIN((unsigned)s->rank[r], level);

        if (!yr_op_has(s->effective, r) || yr_op_has(s->settled, r) || rank < highest)
            continue;
        if (rank > highest)
            *count = 0;
        highest = rank;
        a->due[(*count)++] = r;
    }
    return highest;
}

// Who has more to say than the rank at hand, and what may be cut.
static void part_at(struct yr_authority *a, const struct yr_resolved *s, unsigned level)
{
    memset(a->above, 0, sizeof a->above);
    memset(a->below, 0, sizeof a->below);
    for (size_t i = 0; i < a->count; i++) {
        if (!yr_op_has(s->set, i) || !a->ops[i].valid)
            continue;
        if (s->rank[i] < level)
            yr_op_put(a->below, i);
        else if (s->rank[i] > level && yr_op_gives(&a->ops[i]) && yr_op_has(s->effective, i))
            yr_op_put(a->above, i);
    }
}

/* ---- all of it ---- */

// B.9.4.  To begin with nothing is void, and so all that is valid is effective.
static void resolve(struct yr_authority *a, struct yr_resolved *s, const uint64_t want[YR_OP_WORDS])
{
    unsigned level = YR_RANK_FOUNDER;
    size_t count;

    s->known = true;
    memset(s->voided, 0, sizeof s->voided);
    memset(s->settled, 0, sizeof s->settled);
    memset(s->effective, 0, sizeof s->effective);
    memset(a->changed, 0, sizeof a->changed);
    memcpy(s->set, want, sizeof s->set);
    for (size_t i = 0; i < a->count; i++) {
        s->rank[i] = a->most[i] = a->ops[i].author_rank;
        if (yr_op_has(s->set, i) && a->ops[i].valid)
            yr_op_put(s->effective, i);
    }
    for (; (level = due(a, s, level, &count)) > 0; level--) {
        part_at(a, s, level);
        for (size_t k = 0; k < count; k++)
            rule(a, s, a->due[k], level);
        judge_again(a, s);
    }
}

// One more operation, which cites all that there are: nothing is new to it or overrules it, and its
// own revocation cuts nothing.  False: its author was cut by what is not effective itself.
static bool extend(const struct yr_authority *a, struct yr_resolved *s, uint16_t i)
{
    const struct yr_op *op = &a->ops[i];

    for (size_t w = 0; w < yr_op_words(i) && op->valid; w++) {
        uint64_t odd = s->settled[w] & ~s->voided[w] & ~s->effective[w];

        for (size_t r = w * 64; odd != 0; r++, odd >>= 1)
            if ((odd & 1) != 0 && a->ops[r].target == op->author)
                return false;
    }
    yr_op_put(s->set, i);
    s->rank[i] = op->author_rank;
    if (!op->valid)
        return true;
    if (op->kind == YR_ROOM_REMOVE || op->kind == YR_ROOM_ROLE)
        yr_op_put(s->settled, i);
    yr_op_put(s->effective, i);
    return true;
}

// The operation that `want` has beside s->set and that cites all of that; YR_OP_NONE: it is not so.
static uint16_t only_more(const struct yr_authority *a, const struct yr_resolved *s,
                          const uint64_t want[YR_OP_WORDS])
{
    uint16_t more = YR_OP_NONE;

    for (size_t w = 0; w < YR_OP_WORDS; w++) {
        const uint64_t bits = want[w] ^ s->set[w];

        if (bits == 0)
            continue;
        if (more != YR_OP_NONE || (bits & (bits - 1)) != 0 || (bits & want[w]) == 0)
            return YR_OP_NONE;
        more = (uint16_t)(w * 64);
        while ((bits >> more % 64 & 1) == 0)
            more++;
    }
    if (more == YR_OP_NONE || !yr_op_same(a->ops[more].anc, s->set, more))
        return YR_OP_NONE;
    for (size_t w = more / 64; w < YR_OP_WORDS; w++) // nothing later than it
        if ((s->set[w] & ~yr_op_mask(w, YR_MAX((size_t)more, w * 64))) != 0)
            return YR_OP_NONE;
    return more;
}

static void settle(struct yr_authority *a, struct yr_resolved *s, const uint64_t want[YR_OP_WORDS])
{
    uint16_t more;

    if (s->known && memcmp(s->set, want, sizeof s->set) == 0)
        return;
    more = s->known ? only_more(a, s, want) : YR_OP_NONE;
    if (more == YR_OP_NONE || !extend(a, s, more))
        resolve(a, s, want);
}

static void fill_below(uint64_t set[YR_OP_WORDS], size_t count)
{
    memset(set, 0, YR_OP_WORDS * sizeof *set);
    for (size_t w = 0; w < yr_op_words(count); w++)
        set[w] = yr_op_mask(w, count);
}

const struct yr_resolved *yr_authority_now(struct yr_authority *a)
{
    fill_below(a->want, a->count);
    settle(a, &a->now, a->want);
    return &a->now;
}

const struct yr_resolved *yr_authority_at_want(struct yr_authority *a)
{
    struct yr_resolved *s = &a->view;

    if (yr_op_same(a->want, a->ones, a->count) ||
        (a->now.known && memcmp(a->now.set, a->want, sizeof a->want) == 0))
        s = &a->now;
    settle(a, s, a->want);
    return s;
}
