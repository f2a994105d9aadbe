#include "core/room/authority.h"

#define NONE  UINT16_MAX
#define WORDS (YR_ROOM_OPS_MAX / 64)
#define MANY  16 // operations by or on one person from which they are a set, too

static_assert(YR_ROOM_OPS_MAX % 64 == 0 && YR_ROOM_OPS_MAX < NONE, "an operation is a u16");
static_assert(2 * YR_ROOM_OPS_MAX + 2 < NONE, "so is a person: an author or a target");

struct op {
    uint8_t id[YR_REC_ID_LEN];
    // Bits of operations before this one: its ancestors, and which of them were effective for it.
    // Shared where they are equal: anc with `ones`, effective_then with anc.  Bits from this
    // operation's own on mean nothing.
    const uint64_t *anc, *effective_then;
    uint16_t depth;
    uint16_t author, target;                 // persons; target NONE: none
    uint16_t next_by_author;                 // of the valid ones
    uint16_t prev_on_target, next_on_target; // by (depth, id)
    uint8_t kind, value;                     // value: rank or key
    uint8_t author_rank, target_rank;        // in the state its ancestors make
    bool valid, revokes, cited;
};

struct sets {
    uint64_t ended[WORDS], given[WORDS], added[WORDS]; // REMOVE, LEAVE; ADD, ROLE; ADD
};

struct person {
    uint8_t mid[YR_MID_LEN];
    uint16_t ops, op_count;         // first of its valid operations, and how many
    uint16_t first, last, on_count; // of those on it
    uint64_t *ops_set;              // the first; NULL: not MANY
    struct sets *sets;              // of the others; NULL: not MANY
};

// The state of a set of operations that is closed under ancestors.
struct resolved {
    bool known;
    uint64_t set[WORDS], voided[WORDS], settled[WORDS], effective[WORDS];
    uint8_t *rank; // what each operation's author still has for it
};

struct yr_authority {
    struct yr_mem *mem;
    uint8_t invite_min;
    size_t count, cap;
    struct op *ops;
    uint16_t *by_id, *order; // sorted: by id; by (depth, id)
    uint16_t *rulings;       // the valid REMOVE and ROLE
    uint16_t *due;           // scratch: rulings of one rank
    uint8_t *most;           // scratch: the rank that revocations leave each author
    size_t ruling_count;
    size_t person_count;
    struct person *persons; // 0: the founder
    uint16_t *by_mid;
    struct resolved now, view; // of all operations; of the ancestors looked at last
    uint64_t want[WORDS], ones[WORDS];
    bool *touched;                       // scratch: persons, whether what is on them changed
    uint64_t changed[WORDS];             // scratch: operations that were void or cut
    uint64_t above[WORDS], below[WORDS]; // scratch: ADD and ROLE by more than the rank at hand;
                                         // operations by less
};

/* ---- sets ---- */

static bool has(const uint64_t *set, size_t i)
{
    return (set[i / 64] >> i % 64 & 1) != 0;
}

static void put(uint64_t *set, size_t i)
{
    set[i / 64] |= (uint64_t)1 << i % 64;
}

static size_t words_of(size_t count)
{
    return (count + 63) / 64;
}

// The bits of word `w` that stand for the first `count` things.
static uint64_t mask_of(size_t w, size_t count)
{
    return count >= (w + 1) * 64 ? UINT64_MAX : ((uint64_t)1 << count % 64) - 1;
}

static bool same_below(const uint64_t *a, const uint64_t *b, size_t count)
{
    for (size_t w = 0; w < words_of(count); w++)
        if (((a[w] ^ b[w]) & mask_of(w, count)) != 0)
            return false;
    return true;
}

static void fill_below(uint64_t set[WORDS], size_t count)
{
    memset(set, 0, WORDS * sizeof *set);
    for (size_t w = 0; w < words_of(count); w++)
        set[w] = mask_of(w, count);
}

static bool is_ancestor(const struct yr_authority *a, size_t i, size_t of)
{
    return i < of && has(a->ops[of].anc, i);
}

/* ---- sorted lists of operations ---- */

static int by_depth(const struct op *a, const struct op *b)
{
    if (a->depth != b->depth)
        return a->depth < b->depth ? -1 : 1;
    return memcmp(a->id, b->id, sizeof a->id);
}

// Put operation `i`, the newest, into its place in the order; newcomers mostly go near the end.
static void put_in_order(struct yr_authority *a, uint16_t i)
{
    size_t at = a->count;

    while (at > 0 && by_depth(&a->ops[a->order[at - 1]], &a->ops[i]) > 0)
        at--;
    memmove(a->order + at + 1, a->order + at, (a->count - at) * sizeof *a->order);
    a->order[at] = i;
}

// Where an id stands in by_id, or would.
static size_t place_of_id(const struct yr_authority *a, const uint8_t id[YR_REC_ID_LEN])
{
    size_t low = 0, high = a->count;

    while (low < high) {
        const size_t mid = (low + high) / 2;

        if (memcmp(a->ops[a->by_id[mid]].id, id, YR_REC_ID_LEN) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static uint16_t find_op(const struct yr_authority *a, const uint8_t id[YR_REC_ID_LEN])
{
    const size_t at = place_of_id(a, id);

    return at < a->count && memcmp(a->ops[a->by_id[at]].id, id, YR_REC_ID_LEN) == 0 ? a->by_id[at]
                                                                                    : NONE;
}

static size_t place_of_mid(const struct yr_authority *a, const uint8_t mid[YR_MID_LEN])
{
    size_t low = 0, high = a->person_count;

    while (low < high) {
        const size_t at = (low + high) / 2;

        if (memcmp(a->persons[a->by_mid[at]].mid, mid, YR_MID_LEN) < 0)
            low = at + 1;
        else
            high = at;
    }
    return low;
}

static uint16_t find_person(const struct yr_authority *a, const uint8_t mid[YR_MID_LEN])
{
    const size_t at = place_of_mid(a, mid);

    if (at == a->person_count || memcmp(a->persons[a->by_mid[at]].mid, mid, YR_MID_LEN) != 0)
        return NONE;
    return a->by_mid[at];
}

// Find or make one; there is room.
static uint16_t person(struct yr_authority *a, const uint8_t mid[YR_MID_LEN])
{
    const size_t at = place_of_mid(a, mid);
    const uint16_t known = find_person(a, mid), i = (uint16_t)a->person_count;

    if (known != NONE)
        return known;
    memmove(a->by_mid + at + 1, a->by_mid + at, (a->person_count - at) * sizeof *a->by_mid);
    a->by_mid[at] = i;
    a->persons[i] = (struct person){.ops = NONE, .first = NONE, .last = NONE};
    memcpy(a->persons[i].mid, mid, YR_MID_LEN);
    a->person_count++;
    return i;
}

// Does it end its target's membership?
static bool ends(const struct op *op)
{
    return op->kind == YR_ROOM_REMOVE || op->kind == YR_ROOM_LEAVE;
}

// Does it give its target a rank?
static bool gives(const struct op *op)
{
    return op->kind == YR_ROOM_ADD || op->kind == YR_ROOM_ROLE;
}

static void put_act(const struct yr_authority *a, size_t i, struct sets *sets)
{
    if (ends(&a->ops[i]))
        put(sets->ended, i);
    if (gives(&a->ops[i]))
        put(sets->given, i);
    if (a->ops[i].kind == YR_ROOM_ADD)
        put(sets->added, i);
}

// Only the first `count` of them stay.
static void forget_persons(struct yr_authority *a, size_t count)
{
    size_t kept = 0;

    for (size_t k = 0; k < a->person_count; k++)
        if (a->by_mid[k] < count)
            a->by_mid[kept++] = a->by_mid[k];
    a->person_count = kept;
}

static void link_to_target(struct yr_authority *a, uint16_t i)
{
    struct op *op = &a->ops[i];
    struct person *target = &a->persons[op->target];
    uint16_t after = target->last;

    while (after != NONE && by_depth(&a->ops[after], op) > 0)
        after = a->ops[after].prev_on_target;
    target->on_count++;
    if (target->sets != NULL)
        put_act(a, i, target->sets);
    op->prev_on_target = after;
    op->next_on_target = after == NONE ? target->first : a->ops[after].next_on_target;
    *(after == NONE ? &target->first : &a->ops[after].next_on_target) = i;
    *(op->next_on_target == NONE ? &target->last : &a->ops[op->next_on_target].prev_on_target) = i;
}

/* ---- what a rank allows ---- */

// May a member of this rank still do what it once might?  Whether the target is there does not
// count: a removal of whom nobody added any more stays a removal, a second ADD an ADD.
static bool allowed_again(const struct yr_authority *a, const struct op *op, unsigned author_rank,
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

static bool allowed(const struct yr_authority *a, const struct op *op, unsigned author_rank,
                    unsigned target_rank)
{
    const bool ruling = op->kind == YR_ROOM_REMOVE || op->kind == YR_ROOM_ROLE;

    return author_rank > 0 && op->kind != YR_ROOM_CREATE &&
           (op->kind != YR_ROOM_ADD || target_rank == 0) &&
           (!ruling || (target_rank > 0 && op->author != op->target)) &&
           allowed_again(a, op, author_rank, target_rank);
}

// What a revocation leaves its target.
static unsigned left_by(const struct op *revocation)
{
    return revocation->kind == YR_ROOM_ROLE ? revocation->value : 0;
}

// Does an operation fall when its author's rank does?
static bool falls_at(const struct yr_authority *a, size_t x, unsigned rank)
{
    const struct op *op = &a->ops[x];

    return op->valid && !allowed_again(a, op, YR_MIN(op->author_rank, rank), op->target_rank);
}

// Did operation `x` reckon with revocation `r`?  Then it was judged by what its author was given
// since, and stands or falls with that.
static bool reckons(const struct yr_authority *a, size_t x, size_t r)
{
    return r < x && has(a->ops[x].effective_then, r);
}

/* ---- materialize ---- */

// Of the effective operations of `s`, all if `below` is NONE, else those that were effective for
// operation `below`: is `i` one of them?
static bool counts(const struct yr_authority *a, const struct resolved *s, size_t below, size_t i)
{
    return has(s->effective, i) &&
           (below == NONE || (i < below && has(a->ops[below].effective_then, i)));
}

// What counts of the operations on a person; bits up to those of `below` only.
struct acts {
    size_t word_count, first, end; // ended has bits in words first..end-1
    struct sets on;
};

static void acts_on(const struct yr_authority *a, const struct resolved *s, size_t below,
                    uint16_t who, struct acts *out)
{
    const struct person *p = &a->persons[who];
    const size_t count = below == NONE ? a->count : below;
    const uint64_t *among = below == NONE ? a->ones : a->ops[below].effective_then;

    out->word_count = words_of(count);
    for (size_t w = 0; w < out->word_count; w++) {
        const uint64_t bits = s->effective[w] & among[w] & mask_of(w, count);

        out->on.ended[w] = p->sets == NULL ? 0 : p->sets->ended[w] & bits;
        out->on.given[w] = p->sets == NULL ? 0 : p->sets->given[w] & bits;
        out->on.added[w] = p->sets == NULL ? 0 : p->sets->added[w] & bits;
    }
    if (p->sets == NULL)
        for (uint16_t i = p->first; i != NONE; i = a->ops[i].next_on_target)
            if (counts(a, s, below, i))
                put_act(a, i, &out->on);
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
        if ((acts->on.ended[w] & ~(w < words_of(i) ? a->ops[i].anc[w] & mask_of(w, i) : 0)) != 0)
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

// The last of operations `from` that is live, and NONE when there is none; clears those after it.
static uint16_t last_live(const struct yr_authority *a, const struct acts *acts,
                          uint64_t from[WORDS])
{
    for (size_t w = acts->word_count; w-- > 0;)
        while (from[w] != 0) {
            const size_t i = w * 64 + highest_bit(from[w]);

            if (is_live(a, acts, i))
                return (uint16_t)i;
            from[w] &= ~((uint64_t)1 << i % 64);
        }
    return NONE;
}

// Clear operation `i` and its ancestors.
static void drop_known(const struct yr_authority *a, uint64_t from[WORDS], size_t i)
{
    for (size_t w = 0; w < words_of(i); w++)
        from[w] &= ~(a->ops[i].anc[w] & mask_of(w, i));
    from[i / 64] &= ~((uint64_t)1 << i % 64);
}

// A person's rank by what counts of the operations on it.  It is a member by an ADD that is live:
// has every REMOVE and LEAVE among its ancestors.  Of the live ADD and ROLE that no other of them
// knows the highest is its rank.
static unsigned rank_of(const struct yr_authority *a, const struct resolved *s, size_t below,
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
    if (last_live(a, &acts, acts.on.added) == NONE)
        return 0;
    while ((i = last_live(a, &acts, acts.on.given)) != NONE) {
        rank = YR_MAX(rank, (unsigned)a->ops[i].value);
        drop_known(a, acts.on.given, i);
    }
    return rank;
}

static unsigned rank_in(const struct yr_authority *a, const struct resolved *s, uint16_t who)
{
    return who == NONE ? 0 : rank_of(a, s, NONE, who);
}

/* ---- resolve ---- */

// Is operation `i`, after all that come before it, effective?  Also what rank its author has left.
static bool stands(const struct yr_authority *a, struct resolved *s, size_t i)
{
    const struct op *op = &a->ops[i];
    unsigned rank, target_rank = 0;

    s->rank[i] = a->most[i];
    if (has(s->voided, i))
        return false;
    rank = rank_of(a, s, i, op->author);
    s->rank[i] = (uint8_t)YR_MIN(rank, a->most[i]);
    if (op->target != NONE)
        target_rank = rank_of(a, s, i, op->target);
    return allowed_again(a, op, s->rank[i], target_rank);
}

// B.9.4, step 2, once a->changed were void or had their ranks cut.  What an operation is depends on
// those on its author and on its target alone.
static void judge_again(struct yr_authority *a, struct resolved *s)
{
    memset(a->touched, 0, a->person_count * sizeof *a->touched);
    for (size_t i = 0; i < a->count; i++) { // ancestors come before
        const struct op *op = &a->ops[i];

        if (!has(s->set, i) || !op->valid ||
            !(has(a->changed, i) || a->touched[op->author] ||
              (op->target != NONE && a->touched[op->target])))
            continue;
        if (stands(a, s, i) == has(s->effective, i))
            continue;
        s->effective[i / 64] ^= (uint64_t)1 << i % 64;
        if (op->target != NONE)
            a->touched[op->target] = true;
    }
    memset(a->changed, 0, sizeof a->changed);
}

// Does operation `g`, of which ruling `r` did not know nor it of `r`, take it its effect?
static bool overrules(const struct yr_authority *a, size_t g, size_t r, unsigned level)
{
    return has(a->above, g) && (a->ops[r].kind == YR_ROOM_ROLE || a->ops[g].value >= level) &&
           !is_ancestor(a, g, r) && !is_ancestor(a, r, g);
}

static bool is_overruled(const struct yr_authority *a, size_t r, unsigned level)
{
    const struct op *op = &a->ops[r];
    const struct person *target = &a->persons[op->target];

    if (target->sets == NULL) {
        for (uint16_t g = target->first; g != NONE; g = a->ops[g].next_on_target)
            if (overrules(a, g, r, level))
                return true;
        return false;
    }
    for (size_t w = 0; w < words_of(a->count); w++) {
        const uint64_t cited = w < words_of(r) ? op->anc[w] & mask_of(w, r) : 0;
        uint64_t left = target->sets->given[w] & a->above[w] & ~cited;

        for (size_t g = w * 64; left != 0; g++, left >>= 1)
            if ((left & 1) != 0 && overrules(a, g, r, level))
                return true;
    }
    return false;
}

// Cut one operation of revocation `r`'s target.
static void cut(struct yr_authority *a, struct resolved *s, size_t r, size_t x)
{
    const unsigned left = left_by(&a->ops[r]);
    const bool falls = falls_at(a, x, left);

    if (a->ops[x].kind == YR_ROOM_LEAVE || !has(a->below, x) || has(s->voided, x) ||
        (!falls && a->most[x] <= left) || is_ancestor(a, x, r) || reckons(a, x, r))
        return;
    a->most[x] = (uint8_t)YR_MIN(a->most[x], left);
    if (falls)
        put(s->voided, x);
    put(a->changed, x);
}

// The same for many operations.
static void cut_many(struct yr_authority *a, struct resolved *s, size_t r)
{
    const struct op *op = &a->ops[r];
    const uint64_t *by = a->persons[op->target].ops_set;

    for (size_t w = 0; w < words_of(a->count); w++) {
        const uint64_t cited = w < words_of(r) ? op->anc[w] & mask_of(w, r) : 0;
        uint64_t left = by[w] & a->below[w] & ~cited & ~s->voided[w];

        for (size_t x = w * 64; left != 0; x++, left >>= 1)
            if ((left & 1) != 0)
                cut(a, s, r, x);
    }
}

// One ruling whose author has rank `level` takes effect, or is overruled.
static void rule(struct yr_authority *a, struct resolved *s, uint16_t r, unsigned level)
{
    const struct person *target = &a->persons[a->ops[r].target];

    put(s->settled, r);
    if (is_overruled(a, r, level)) {
        put(s->voided, r);
        put(a->changed, r);
    } else if (a->ops[r].revokes && target->ops_set != NULL) {
        cut_many(a, s, r);
    } else if (a->ops[r].revokes) {
        for (uint16_t x = target->ops; x != NONE; x = a->ops[x].next_by_author)
            cut(a, s, r, x);
    }
}

// The rulings of the highest rank that is at most `level`, into a->due; that rank; 0: there are
// none.
static unsigned due(const struct yr_authority *a, const struct resolved *s, unsigned level,
                    size_t *count)
{
    unsigned highest = 0;

    *count = 0;
    for (size_t k = 0; k < a->ruling_count; k++) {
        const uint16_t r = a->rulings[k];
        const unsigned rank = YR_MIN((unsigned)s->rank[r], level);

        if (!has(s->effective, r) || has(s->settled, r) || rank < highest)
            continue;
        if (rank > highest)
            *count = 0;
        highest = rank;
        a->due[(*count)++] = r;
    }
    return highest;
}

// Who has more to say than the rank at hand, and what may be cut.
static void part_at(struct yr_authority *a, const struct resolved *s, unsigned level)
{
    memset(a->above, 0, sizeof a->above);
    memset(a->below, 0, sizeof a->below);
    for (size_t i = 0; i < a->count; i++) {
        if (!has(s->set, i) || !a->ops[i].valid)
            continue;
        if (s->rank[i] < level)
            put(a->below, i);
        else if (s->rank[i] > level && gives(&a->ops[i]) && has(s->effective, i))
            put(a->above, i);
    }
}

// B.9.4.  To begin with nothing is void, and so all that is valid is effective.
static void resolve(struct yr_authority *a, struct resolved *s, const uint64_t want[WORDS])
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
        if (has(s->set, i) && a->ops[i].valid)
            put(s->effective, i);
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
static bool extend(const struct yr_authority *a, struct resolved *s, uint16_t i)
{
    const struct op *op = &a->ops[i];

    for (size_t w = 0; w < words_of(i) && op->valid; w++) {
        uint64_t odd = s->settled[w] & ~s->voided[w] & ~s->effective[w];

        for (size_t r = w * 64; odd != 0; r++, odd >>= 1)
            if ((odd & 1) != 0 && a->ops[r].target == op->author)
                return false;
    }
    put(s->set, i);
    s->rank[i] = op->author_rank;
    if (!op->valid)
        return true;
    if (op->kind == YR_ROOM_REMOVE || op->kind == YR_ROOM_ROLE)
        put(s->settled, i);
    put(s->effective, i);
    return true;
}

// The operation that `want` has beside s->set and that cites all of that; NONE when it is not so.
static uint16_t only_more(const struct yr_authority *a, const struct resolved *s,
                          const uint64_t want[WORDS])
{
    uint16_t more = NONE;

    for (size_t w = 0; w < WORDS; w++) {
        const uint64_t bits = want[w] ^ s->set[w];

        if (bits == 0)
            continue;
        if (more != NONE || (bits & (bits - 1)) != 0 || (bits & want[w]) == 0)
            return NONE;
        more = (uint16_t)(w * 64);
        while ((bits >> more % 64 & 1) == 0)
            more++;
    }
    if (more == NONE || !same_below(a->ops[more].anc, s->set, more))
        return NONE;
    for (size_t w = more / 64; w < WORDS; w++) // nothing later than it
        if ((s->set[w] & ~mask_of(w, YR_MAX((size_t)more, w * 64))) != 0)
            return NONE;
    return more;
}

static void settle(struct yr_authority *a, struct resolved *s, const uint64_t want[WORDS])
{
    uint16_t more;

    if (s->known && memcmp(s->set, want, sizeof s->set) == 0)
        return;
    more = s->known ? only_more(a, s, want) : NONE;
    if (more == NONE || !extend(a, s, more))
        resolve(a, s, want);
}

static const struct resolved *present(struct yr_authority *a)
{
    fill_below(a->want, a->count);
    settle(a, &a->now, a->want);
    return &a->now;
}

// The state of the set a->want.
static const struct resolved *state_of_want(struct yr_authority *a)
{
    struct resolved *s = &a->view;

    if (same_below(a->want, a->ones, a->count) ||
        (a->now.known && memcmp(a->now.set, a->want, sizeof a->want) == 0))
        s = &a->now;
    settle(a, s, a->want);
    return s;
}

/* ---- life ---- */

static bool grow(struct yr_authority *a, void *array, size_t count, size_t size)
{
    void **at = array, *more = yr_realloc(a->mem, YR_MEM_ROOM, *at, count * size);

    if (more != NULL)
        *at = more;
    return more != NULL;
}

// Room for one more operation and the two persons it may bring.
static enum yr_err reserve(struct yr_authority *a)
{
    const size_t cap = YR_MIN(YR_MAX(2 * a->cap, (size_t)64), (size_t)YR_ROOM_OPS_MAX);
    const size_t persons = 2 * cap + 2;

    if (a->count == YR_ROOM_OPS_MAX)
        return YR_EFULL;
    if (a->count < a->cap)
        return YR_OK;
    if (!grow(a, &a->ops, cap, sizeof *a->ops) || !grow(a, &a->by_id, cap, sizeof *a->by_id) ||
        !grow(a, &a->order, cap, sizeof *a->order) ||
        !grow(a, &a->rulings, cap, sizeof *a->rulings) || !grow(a, &a->due, cap, sizeof *a->due) ||
        !grow(a, &a->most, cap, sizeof *a->most) ||
        !grow(a, &a->now.rank, cap, sizeof *a->now.rank) ||
        !grow(a, &a->view.rank, cap, sizeof *a->view.rank) ||
        !grow(a, &a->persons, persons, sizeof *a->persons) ||
        !grow(a, &a->touched, persons, sizeof *a->touched) ||
        !grow(a, &a->by_mid, persons, sizeof *a->by_mid))
        return YR_ENOMEM;
    a->cap = cap;
    return YR_OK;
}

static void free_sets(struct yr_authority *a, struct op *op)
{
    if (op->effective_then != op->anc)
        yr_free(a->mem, (void *)(uintptr_t)op->effective_then);
    if (op->anc != a->ones)
        yr_free(a->mem, (void *)(uintptr_t)op->anc);
}

void yr_authority_free(struct yr_authority *a)
{
    if (a == NULL)
        return;
    for (size_t i = 0; i < a->count; i++)
        free_sets(a, &a->ops[i]);
    for (size_t k = 0; k < a->person_count; k++) {
        yr_free(a->mem, a->persons[k].ops_set);
        yr_free(a->mem, a->persons[k].sets);
    }
    yr_free(a->mem, a->ops);
    yr_free(a->mem, a->by_id);
    yr_free(a->mem, a->order);
    yr_free(a->mem, a->rulings);
    yr_free(a->mem, a->due);
    yr_free(a->mem, a->most);
    yr_free(a->mem, a->now.rank);
    yr_free(a->mem, a->view.rank);
    yr_free(a->mem, a->persons);
    yr_free(a->mem, a->touched);
    yr_free(a->mem, a->by_mid);
    yr_free(a->mem, a);
}

// Into every list; there is room, and nothing can fail any more.
static void append(struct yr_authority *a, const struct op *op)
{
    const uint16_t i = (uint16_t)a->count;
    const size_t at = place_of_id(a, op->id);

    a->ops[i] = *op;
    memmove(a->by_id + at + 1, a->by_id + at, (a->count - at) * sizeof *a->by_id);
    a->by_id[at] = i;
    put_in_order(a, i);
    if (op->target != NONE)
        link_to_target(a, i);
    if (op->valid && op->kind != YR_ROOM_CREATE) {
        struct person *author = &a->persons[op->author];

        a->ops[i].next_by_author = author->ops;
        author->ops = i;
        author->op_count++;
        if (author->ops_set != NULL)
            put(author->ops_set, i);
    }
    if (op->valid && (op->kind == YR_ROOM_REMOVE || op->kind == YR_ROOM_ROLE))
        a->rulings[a->ruling_count++] = i;
    a->count++;
}

enum yr_err yr_authority_new(struct yr_authority **out, struct yr_mem *mem,
                             const uint8_t create[YR_REC_ID_LEN], const uint8_t founder[YR_MID_LEN],
                             uint8_t invite_min)
{
    struct yr_authority *a = yr_alloc(mem, YR_MEM_ROOM, sizeof *a);
    struct op op = {.kind = YR_ROOM_CREATE, .target = NONE, .next_by_author = NONE, .valid = true};
    enum yr_err err;

    if (a == NULL)
        return YR_ENOMEM;
    a->mem = mem;
    a->invite_min = invite_min;
    memset(a->ones, 0xff, sizeof a->ones);
    if ((err = reserve(a)) != YR_OK) {
        yr_authority_free(a);
        return err;
    }
    memcpy(op.id, create, sizeof op.id);
    op.anc = op.effective_then = a->ones;
    op.author = person(a, founder);
    append(a, &op);
    *out = a;
    return YR_OK;
}

/* ---- adding ---- */

void yr_room_op_from(struct yr_room_op *out, const struct yr_room_record *record,
                     const struct yr_room_body *body)
{
    static const uint8_t zeros[YR_REC_ID_LEN];

    memset(out, 0, sizeof *out);
    memcpy(out->id, record->id, sizeof out->id);
    memcpy(out->author, record->author, sizeof out->author);
    out->kind = body->kind;
    out->rank = body->rank;
    out->key = body->key;
    if (body->kind == YR_ROOM_ADD)
        yr_room_mid(out->target, record->room_id, body->sign_pk);
    else if (body->mid != NULL)
        memcpy(out->target, body->mid, sizeof out->target);
    for (; out->parent_count < record->dep_count; out->parent_count++)
        memcpy(out->parents[out->parent_count], record->deps[out->parent_count], YR_REC_ID_LEN);
    if (memcmp(record->prev, zeros, sizeof zeros) != 0)
        memcpy(out->parents[out->parent_count++], record->prev, YR_REC_ID_LEN);
}

static bool targets(enum yr_room_kind kind)
{
    return kind == YR_ROOM_ADD || kind == YR_ROOM_REMOVE || kind == YR_ROOM_ROLE;
}

static bool form_ok(const struct yr_room_op *op)
{
    if (op->kind == YR_ROOM_CREATE || op->parent_count == 0 || op->parent_count > YR_OP_PARENTS_MAX)
        return false;
    return (op->kind != YR_ROOM_ADD && op->kind != YR_ROOM_ROLE) ||
           (op->rank > 0 && op->rank < YR_RANK_FOUNDER);
}

// These operations and all their ancestors into a->want; how deep the deepest is into *depth.
static enum yr_err want_closure(struct yr_authority *a, const uint8_t (*ids)[YR_REC_ID_LEN],
                                size_t count, uint16_t *depth)
{
    memset(a->want, 0, sizeof a->want);
    *depth = 0;
    for (size_t k = 0; k < count; k++) {
        const uint16_t i = find_op(a, ids[k]);

        if (i == NONE)
            return YR_ENOENT;
        for (size_t w = 0; w < words_of(i); w++)
            a->want[w] |= a->ops[i].anc[w] & mask_of(w, i);
        put(a->want, i);
        *depth = YR_MAX(*depth, a->ops[i].depth);
    }
    return YR_OK;
}

// A copy of the bits of the first `count`, or `same` if they are equal; NULL: no memory.
static const uint64_t *keep(struct yr_authority *a, const uint64_t *set, size_t count,
                            const uint64_t *same)
{
    const size_t size = words_of(count) * sizeof *set;
    uint64_t *copy;

    if (same_below(set, same, count))
        return same;
    copy = yr_alloc(a->mem, YR_MEM_ROOM, size);
    if (copy != NULL)
        memcpy(copy, set, size);
    return copy;
}

static uint64_t *empty_set(struct yr_authority *a)
{
    return yr_alloc(a->mem, YR_MEM_ROOM, WORDS * sizeof(uint64_t));
}

// The sets that save walks over many, before the operation comes that needs them.
static enum yr_err make_sets(struct yr_authority *a, const struct op *op)
{
    struct person *author = &a->persons[op->author];
    struct person *target = op->target != NONE ? &a->persons[op->target] : author;
    uint16_t i;

    if (author->ops_set == NULL && author->op_count >= MANY) {
        if ((author->ops_set = empty_set(a)) == NULL)
            return YR_ENOMEM;
        for (i = author->ops; i != NONE; i = a->ops[i].next_by_author)
            put(author->ops_set, i);
    }
    if (target->sets == NULL && target->on_count >= MANY) {
        if ((target->sets = yr_alloc(a->mem, YR_MEM_ROOM, sizeof *target->sets)) == NULL)
            return YR_ENOMEM;
        for (i = target->first; i != NONE; i = a->ops[i].next_on_target)
            put_act(a, i, target->sets);
    }
    return YR_OK;
}

// Judge it by the state of its ancestors.
static void weigh(const struct yr_authority *a, const struct resolved *s, struct op *op)
{
    op->author_rank = (uint8_t)rank_in(a, s, op->author);
    op->target_rank = (uint8_t)rank_in(a, s, op->target);
    op->valid = allowed(a, op, op->author_rank, op->target_rank);
}

// Judge it by the state its ancestors, a->want, make, and keep what they were.
static enum yr_err judge(struct yr_authority *a, struct op *op)
{
    const struct resolved *s;

    if ((op->anc = keep(a, a->want, a->count, a->ones)) == NULL)
        return YR_ENOMEM;
    s = state_of_want(a);
    weigh(a, s, op);
    op->revokes = op->valid && (op->kind == YR_ROOM_REMOVE ||
                                (op->kind == YR_ROOM_ROLE && op->value < op->target_rank));
    op->effective_then = keep(a, s->effective, a->count, op->anc);
    if (op->effective_then != NULL && make_sets(a, op) == YR_OK)
        return YR_OK;
    if (op->effective_then == NULL)
        op->effective_then = op->anc;
    free_sets(a, op);
    return YR_ENOMEM;
}

enum yr_err yr_authority_add(struct yr_authority *a, const struct yr_room_op *in)
{
    struct op op = {.kind = (uint8_t)in->kind, .target = NONE, .next_by_author = NONE};
    const size_t persons = a->person_count;
    enum yr_err err;

    if (!form_ok(in))
        return YR_EPROTO;
    if (find_op(a, in->id) != NONE)
        return YR_EEXIST;
    if ((err = want_closure(a, in->parents, in->parent_count, &op.depth)) != YR_OK ||
        (err = reserve(a)) != YR_OK)
        return err;
    op.depth++;
    memcpy(op.id, in->id, sizeof op.id);
    op.value = in->kind == YR_ROOM_SET ? in->key : in->rank;
    op.author = person(a, in->author);
    if (targets(in->kind))
        op.target = person(a, in->target);
    else if (in->kind == YR_ROOM_LEAVE)
        op.target = op.author;
    if ((err = judge(a, &op)) != YR_OK) {
        forget_persons(a, persons);
        return err;
    }
    for (size_t k = 0; k < in->parent_count; k++)
        a->ops[find_op(a, in->parents[k])].cited = true;
    append(a, &op);
    return YR_OK;
}

enum yr_fate yr_authority_judge(struct yr_authority *a, const struct yr_room_op *in)
{
    struct op op = {.kind = (uint8_t)in->kind, .target = NONE};

    if (!form_ok(in))
        return YR_FATE_INVALID;
    if (want_closure(a, in->parents, in->parent_count, &op.depth) != YR_OK)
        return YR_FATE_ABSENT;
    op.value = in->kind == YR_ROOM_SET ? in->key : in->rank;
    op.author = find_person(a, in->author);
    if (targets(in->kind))
        op.target = find_person(a, in->target);
    else if (in->kind == YR_ROOM_LEAVE)
        op.target = op.author;
    weigh(a, state_of_want(a), &op);
    return op.valid ? YR_FATE_EFFECTIVE : YR_FATE_INVALID;
}

/* ---- asking ---- */

size_t yr_authority_count(const struct yr_authority *a)
{
    return a->count;
}

enum yr_fate yr_authority_fate(struct yr_authority *a, const uint8_t id[YR_REC_ID_LEN])
{
    const uint16_t i = find_op(a, id);

    if (i == NONE)
        return YR_FATE_ABSENT;
    if (!a->ops[i].valid)
        return YR_FATE_INVALID;
    return has(present(a)->effective, i) ? YR_FATE_EFFECTIVE : YR_FATE_VOID;
}

bool yr_authority_is_ancestor(const struct yr_authority *a, const uint8_t id[YR_REC_ID_LEN],
                              const uint8_t of[YR_REC_ID_LEN])
{
    const uint16_t i = find_op(a, id), below = find_op(a, of);

    return i != NONE && below != NONE && is_ancestor(a, i, below);
}

size_t yr_authority_heads_from(const struct yr_authority *a, size_t skip,
                               uint8_t out[YR_ROOM_DEPS_MAX][YR_REC_ID_LEN])
{
    size_t n = 0;

    for (size_t k = 0; k < a->count && n < YR_ROOM_DEPS_MAX; k++)
        if (!a->ops[a->order[k]].cited && (skip == 0 || skip-- == 0))
            memcpy(out[n++], a->ops[a->order[k]].id, YR_REC_ID_LEN);
    return n;
}

size_t yr_authority_heads(const struct yr_authority *a,
                          uint8_t out[YR_ROOM_DEPS_MAX][YR_REC_ID_LEN])
{
    return yr_authority_heads_from(a, 0, out);
}

size_t yr_authority_head_count(const struct yr_authority *a)
{
    size_t n = 0;

    for (size_t k = 0; k < a->count; k++)
        n += !a->ops[k].cited;
    return n;
}

bool yr_authority_depth(const struct yr_authority *a, const uint8_t id[YR_REC_ID_LEN],
                        unsigned *depth)
{
    const uint16_t i = find_op(a, id);

    if (i != NONE)
        *depth = a->ops[i].depth;
    return i != NONE;
}

unsigned yr_authority_rank(struct yr_authority *a, const uint8_t mid[YR_MID_LEN])
{
    const uint16_t who = find_person(a, mid);

    return rank_in(a, present(a), who);
}

bool yr_authority_setting(struct yr_authority *a, uint8_t key, uint8_t id[YR_REC_ID_LEN])
{
    const struct resolved *s = present(a);

    for (size_t k = a->count; k-- > 0;) {
        const struct op *op = &a->ops[a->order[k]];

        if (op->kind != YR_ROOM_SET || op->value != key || !has(s->effective, a->order[k]))
            continue;
        memcpy(id, op->id, sizeof op->id);
        return true;
    }
    return false;
}

static enum yr_err members(const struct yr_authority *a, const struct resolved *s,
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
    return members(a, present(a), out, count);
}

enum yr_err yr_authority_members_at(struct yr_authority *a, const uint8_t (*ids)[YR_REC_ID_LEN],
                                    size_t id_count, struct yr_room_member *out, size_t *count)
{
    uint16_t depth;
    enum yr_err err;

    YR_ASSERT(id_count > 0);
    if ((err = want_closure(a, ids, id_count, &depth)) != YR_OK)
        return err;
    return members(a, state_of_want(a), out, count);
}

// The ADD by which a person is a member or was last; NONE: none.
static uint16_t adder(const struct yr_authority *a, const struct resolved *s, uint16_t who)
{
    struct acts acts;
    uint16_t last = NONE;

    if (who == 0) // a founder who left stays away
        return NONE;
    acts_on(a, s, NONE, who, &acts);
    for (uint16_t i = a->persons[who].last; i != NONE; i = a->ops[i].prev_on_target) {
        if (a->ops[i].kind != YR_ROOM_ADD || !has(s->effective, i))
            continue;
        if (is_live(a, &acts, i))
            return i;
        if (last == NONE)
            last = i;
    }
    return last;
}

bool yr_authority_adder(struct yr_authority *a, const uint8_t mid[YR_MID_LEN],
                        uint8_t id[YR_REC_ID_LEN])
{
    const uint16_t who = find_person(a, mid);
    const uint16_t add = who == NONE ? NONE : adder(a, present(a), who);

    if (add != NONE)
        memcpy(id, a->ops[add].id, YR_REC_ID_LEN);
    return add != NONE;
}

bool yr_authority_removal(struct yr_authority *a, const uint8_t mid[YR_MID_LEN],
                          uint8_t id[YR_REC_ID_LEN])
{
    const struct resolved *s = present(a);
    const uint16_t who = find_person(a, mid);
    uint16_t add;

    if (who == NONE || rank_in(a, s, who) > 0)
        return false;
    add = adder(a, s, who);
    for (uint16_t i = a->persons[who].last; i != NONE; i = a->ops[i].prev_on_target) {
        if (!ends(&a->ops[i]) || !has(s->effective, i) || (add != NONE && is_ancestor(a, i, add)))
            continue;
        memcpy(id, a->ops[i].id, YR_REC_ID_LEN);
        return true;
    }
    return false;
}

// Every effective ADD in (depth, id) order, and whether it still holds, into one hash.
static void membership(const struct yr_authority *a, const struct resolved *s,
                       uint8_t out[YR_HASH_LEN])
{
    struct acts acts;
    uint8_t step[YR_REC_ID_LEN + 1];

    memset(out, rank_in(a, s, 0) > 0 ? 1 : 0, YR_HASH_LEN);
    for (size_t k = 0; k < a->count; k++) {
        const uint16_t i = a->order[k];

        if (a->ops[i].kind != YR_ROOM_ADD || !has(s->effective, i))
            continue;
        acts_on(a, s, NONE, a->ops[i].target, &acts);
        memcpy(step, a->ops[i].id, YR_REC_ID_LEN);
        step[YR_REC_ID_LEN] = is_live(a, &acts, i);
        yr_hash2(out, out, YR_HASH_LEN, step, sizeof step);
    }
}

void yr_authority_membership(struct yr_authority *a, uint8_t out[YR_HASH_LEN])
{
    membership(a, present(a), out);
}

enum yr_err yr_authority_membership_at(struct yr_authority *a, const uint8_t (*ids)[YR_REC_ID_LEN],
                                       size_t id_count, uint8_t out[YR_HASH_LEN])
{
    uint16_t depth;
    enum yr_err err;

    if ((err = want_closure(a, ids, id_count, &depth)) != YR_OK)
        return err;
    membership(a, state_of_want(a), out);
    return YR_OK;
}
