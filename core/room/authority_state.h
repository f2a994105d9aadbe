/* core/room/authority_state.h: what the files of authority.h share.  Nobody else includes it.
 *
 *     authority.c          the operations and persons of a room: kept, added, in order
 *     authority_view.c     who is what in a state, and what an operation may do in its own
 *     authority_resolve.c  which operations are effective: the ranks speak, one after the other
 *
 * Operations and persons are numbers, in the order they came.  Sets of operations are bits. */
#ifndef YR_AUTHORITY_STATE_H
#define YR_AUTHORITY_STATE_H

#include "core/room/authority.h"

#define YR_OP_NONE  UINT16_MAX
#define YR_OP_WORDS (YR_ROOM_OPS_MAX / 64)

static_assert(YR_ROOM_OPS_MAX % 64 == 0 && YR_ROOM_OPS_MAX < YR_OP_NONE, "an operation is a u16");
static_assert(2 * YR_ROOM_OPS_MAX + 2 < YR_OP_NONE, "so is a person: an author or a target");

struct yr_op {
    uint8_t id[YR_REC_ID_LEN];
    /* Bits of operations before this one: its ancestors, and which of them were effective for it.
     * Shared where they are equal: anc with `ones`, effective_then with anc.  Bits from this
     * operation's own on mean nothing. */
    const uint64_t *anc, *effective_then;
    uint16_t depth;
    uint16_t author, target;                 /* persons; target YR_OP_NONE: none */
    uint16_t next_by_author;                 /* of the valid ones */
    uint16_t prev_on_target, next_on_target; /* by (depth, id) */
    uint8_t kind, value;                     /* value: rank or key */
    uint8_t author_rank, target_rank;        /* in the state its ancestors make */
    bool valid, revokes, cited;
};

struct yr_op_sets {
    uint64_t ended[YR_OP_WORDS]; /* REMOVE, LEAVE */
    uint64_t given[YR_OP_WORDS]; /* ADD, ROLE */
    uint64_t added[YR_OP_WORDS]; /* ADD */
};

struct yr_person {
    uint8_t mid[YR_MID_LEN];
    uint16_t ops, op_count;         /* first of its valid operations, and how many */
    uint16_t first, last, on_count; /* of those on it */
    uint64_t *ops_set;              /* the first; NULL: they are few */
    struct yr_op_sets *sets;        /* of the others; NULL: they are few */
};

/** The state of a set of operations that is closed under ancestors. */
struct yr_resolved {
    bool known;
    uint64_t set[YR_OP_WORDS], voided[YR_OP_WORDS], settled[YR_OP_WORDS], effective[YR_OP_WORDS];
    uint8_t *rank; /* what each operation's author still has for it */
};

struct yr_authority {
    struct yr_mem *mem;
    uint8_t invite_min;
    size_t count, cap;
    struct yr_op *ops;
    uint16_t *by_id, *order; /* sorted: by id; by (depth, id) */
    uint16_t *rulings;       /* the valid REMOVE and ROLE */
    uint16_t *due;           /* scratch: rulings of one rank */
    uint8_t *most;           /* scratch: the rank that revocations leave each author */
    size_t ruling_count;
    size_t person_count;
    struct yr_person *persons; /* 0: the founder */
    uint16_t *by_mid;
    struct yr_resolved now, view; /* of all operations; of the ancestors looked at last */
    uint64_t want[YR_OP_WORDS], ones[YR_OP_WORDS];
    bool *touched;                 /* scratch: persons, whether what is on them changed */
    uint64_t changed[YR_OP_WORDS]; /* scratch: operations that were void or cut */
    uint64_t above[YR_OP_WORDS];   /* scratch: ADD and ROLE by more than the rank at hand */
    uint64_t below[YR_OP_WORDS];   /* scratch: operations by less */
};

/* ---- sets of operations ---- */

static inline bool yr_op_has(const uint64_t *set, size_t i)
{
    return (set[i / 64] >> i % 64 & 1) != 0;
}

static inline void yr_op_put(uint64_t *set, size_t i)
{
    set[i / 64] |= (uint64_t)1 << i % 64;
}

static inline size_t yr_op_words(size_t count)
{
    return (count + 63) / 64;
}

/** The bits of word `w` that stand for the first `count` things. */
static inline uint64_t yr_op_mask(size_t w, size_t count)
{
    return count >= (w + 1) * 64 ? UINT64_MAX : ((uint64_t)1 << count % 64) - 1;
}

/** Are the bits of the first `count` equal? */
static inline bool yr_op_same(const uint64_t *a, const uint64_t *b, size_t count)
{
    for (size_t w = 0; w < yr_op_words(count); w++)
        if (((a[w] ^ b[w]) & yr_op_mask(w, count)) != 0)
            return false;
    return true;
}

/** Is operation `i` among the ancestors of the other? */
static inline bool yr_op_precedes(const struct yr_authority *a, size_t i, size_t of)
{
    return i < of && yr_op_has(a->ops[of].anc, i);
}

/** Does it end its target's membership? */
static inline bool yr_op_ends(const struct yr_op *op)
{
    return op->kind == YR_ROOM_REMOVE || op->kind == YR_ROOM_LEAVE;
}

/** Does it give its target a rank? */
static inline bool yr_op_gives(const struct yr_op *op)
{
    return op->kind == YR_ROOM_ADD || op->kind == YR_ROOM_ROLE;
}

/** Put an operation into the sets of what is done to its target. */
static inline void yr_op_act(const struct yr_authority *a, size_t i, struct yr_op_sets *sets)
{
    if (yr_op_ends(&a->ops[i]))
        yr_op_put(sets->ended, i);
    if (yr_op_gives(&a->ops[i]))
        yr_op_put(sets->given, i);
    if (a->ops[i].kind == YR_ROOM_ADD)
        yr_op_put(sets->added, i);
}

/* ---- authority.c ---- */

/** The number of an operation, of a person; YR_OP_NONE: it is not there. */
uint16_t yr_op_find(const struct yr_authority *a, const uint8_t id[YR_REC_ID_LEN]);
uint16_t yr_person_find(const struct yr_authority *a, const uint8_t mid[YR_MID_LEN]);
/** These operations and all their ancestors into a->want; how deep the deepest is into *depth.
 *  Errors: YR_ENOENT. */
YR_MUST_USE enum yr_err yr_authority_want(struct yr_authority *a,
                                          const uint8_t (*ids)[YR_REC_ID_LEN], size_t count,
                                          uint16_t *depth);

/* ---- authority_view.c ---- */

/** A person's rank by what is effective in `s`: by all of it if `below` is YR_OP_NONE, else by what
 *  was effective for operation `below`, too.  0: it is no member. */
unsigned yr_person_rank(const struct yr_authority *a, const struct yr_resolved *s, size_t below,
                        uint16_t who);
/** Judge an operation, which need not be there yet, by the state of its ancestors: ranks, valid. */
void yr_op_weigh(const struct yr_authority *a, const struct yr_resolved *s, struct yr_op *op);
/** May a member of this rank still do what it once might?  Whether the target is there does not
 *  count: a removal of whom nobody added any more stays a removal, a second ADD an ADD. */
bool yr_op_allowed_again(const struct yr_authority *a, const struct yr_op *op, unsigned author_rank,
                         unsigned target_rank);

/* ---- authority_resolve.c ---- */

/** The state that all operations make; lent until one is added. */
const struct yr_resolved *yr_authority_now(struct yr_authority *a);
/** The state of the set a->want; lent until another is asked for or an operation is added. */
const struct yr_resolved *yr_authority_at_want(struct yr_authority *a);

#endif
