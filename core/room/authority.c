#include "core/room/authority_state.h"

#define MANY 16 // operations by or on one person from which they are a set, too

/* ---- sorted lists of operations ---- */

static int by_depth(const struct yr_op *a, const struct yr_op *b)
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

uint16_t yr_op_find(const struct yr_authority *a, const uint8_t id[YR_REC_ID_LEN])
{
    const size_t at = place_of_id(a, id);

    return at < a->count && memcmp(a->ops[a->by_id[at]].id, id, YR_REC_ID_LEN) == 0 ? a->by_id[at]
                                                                                    : YR_OP_NONE;
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

uint16_t yr_person_find(const struct yr_authority *a, const uint8_t mid[YR_MID_LEN])
{
    const size_t at = place_of_mid(a, mid);

    if (at == a->person_count || memcmp(a->persons[a->by_mid[at]].mid, mid, YR_MID_LEN) != 0)
        return YR_OP_NONE;
    return a->by_mid[at];
}

// Find or make one; there is room.
static uint16_t person(struct yr_authority *a, const uint8_t mid[YR_MID_LEN])
{
    const size_t at = place_of_mid(a, mid);
    const uint16_t known = yr_person_find(a, mid), i = (uint16_t)a->person_count;

    if (known != YR_OP_NONE)
        return known;
    memmove(a->by_mid + at + 1, a->by_mid + at, (a->person_count - at) * sizeof *a->by_mid);
    a->by_mid[at] = i;
    a->persons[i] = (struct yr_person){.ops = YR_OP_NONE, .first = YR_OP_NONE, .last = YR_OP_NONE};
    memcpy(a->persons[i].mid, mid, YR_MID_LEN);
    a->person_count++;
    return i;
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
    struct yr_op *op = &a->ops[i];
    struct yr_person *target = &a->persons[op->target];
    uint16_t after = target->last;

    while (after != YR_OP_NONE && by_depth(&a->ops[after], op) > 0)
        after = a->ops[after].prev_on_target;
    target->on_count++;
    if (target->sets != NULL)
        yr_op_act(a, i, target->sets);
    op->prev_on_target = after;
    op->next_on_target = after == YR_OP_NONE ? target->first : a->ops[after].next_on_target;
    *(after == YR_OP_NONE ? &target->first : &a->ops[after].next_on_target) = i;
    *(op->next_on_target == YR_OP_NONE ? &target->last
                                       : &a->ops[op->next_on_target].prev_on_target) = i;
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

static void free_sets(struct yr_authority *a, struct yr_op *op)
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
static void append(struct yr_authority *a, const struct yr_op *op)
{
    const uint16_t i = (uint16_t)a->count;
    const size_t at = place_of_id(a, op->id);

    a->ops[i] = *op;
    memmove(a->by_id + at + 1, a->by_id + at, (a->count - at) * sizeof *a->by_id);
    a->by_id[at] = i;
    put_in_order(a, i);
    if (op->target != YR_OP_NONE)
        link_to_target(a, i);
    if (op->valid && op->kind != YR_ROOM_CREATE) {
        struct yr_person *author = &a->persons[op->author];

        a->ops[i].next_by_author = author->ops;
        author->ops = i;
        author->op_count++;
        if (author->ops_set != NULL)
            yr_op_put(author->ops_set, i);
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
    struct yr_op op = {
        .kind = YR_ROOM_CREATE, .target = YR_OP_NONE, .next_by_author = YR_OP_NONE, .valid = true};
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

enum yr_err yr_authority_want(struct yr_authority *a, const uint8_t (*ids)[YR_REC_ID_LEN],
                              size_t count, uint16_t *depth)
{
    memset(a->want, 0, sizeof a->want);
    *depth = 0;
    for (size_t k = 0; k < count; k++) {
        const uint16_t i = yr_op_find(a, ids[k]);

        if (i == YR_OP_NONE)
            return YR_ENOENT;
        for (size_t w = 0; w < yr_op_words(i); w++)
            a->want[w] |= a->ops[i].anc[w] & yr_op_mask(w, i);
        yr_op_put(a->want, i);
        *depth = YR_MAX(*depth, a->ops[i].depth);
    }
    return YR_OK;
}

// A copy of the bits of the first `count`, or `same` if they are equal; NULL: no memory.
static const uint64_t *keep(struct yr_authority *a, const uint64_t *set, size_t count,
                            const uint64_t *same)
{
    const size_t size = yr_op_words(count) * sizeof *set;
    uint64_t *copy;

    if (yr_op_same(set, same, count))
        return same;
    copy = yr_alloc(a->mem, YR_MEM_ROOM, size);
    if (copy != NULL)
        memcpy(copy, set, size);
    return copy;
}

static uint64_t *empty_set(struct yr_authority *a)
{
    return yr_alloc(a->mem, YR_MEM_ROOM, YR_OP_WORDS * sizeof(uint64_t));
}

// The sets that save walks over many, before the operation comes that needs them.
static enum yr_err make_sets(struct yr_authority *a, const struct yr_op *op)
{
    struct yr_person *author = &a->persons[op->author];
    struct yr_person *target = op->target != YR_OP_NONE ? &a->persons[op->target] : author;
    uint16_t i;

    if (author->ops_set == NULL && author->op_count >= MANY) {
        if ((author->ops_set = empty_set(a)) == NULL)
            return YR_ENOMEM;
        for (i = author->ops; i != YR_OP_NONE; i = a->ops[i].next_by_author)
            yr_op_put(author->ops_set, i);
    }
    if (target->sets == NULL && target->on_count >= MANY) {
        if ((target->sets = yr_alloc(a->mem, YR_MEM_ROOM, sizeof *target->sets)) == NULL)
            return YR_ENOMEM;
        for (i = target->first; i != YR_OP_NONE; i = a->ops[i].next_on_target)
            yr_op_act(a, i, target->sets);
    }
    return YR_OK;
}

// Judge it by the state its ancestors, a->want, make, and keep what they were.
static enum yr_err judge(struct yr_authority *a, struct yr_op *op)
{
    const struct yr_resolved *s;

    if ((op->anc = keep(a, a->want, a->count, a->ones)) == NULL)
        return YR_ENOMEM;
    s = yr_authority_at_want(a);
    yr_op_weigh(a, s, op);
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
    struct yr_op op = {
        .kind = (uint8_t)in->kind, .target = YR_OP_NONE, .next_by_author = YR_OP_NONE};
    const size_t persons = a->person_count;
    enum yr_err err;

    if (!form_ok(in))
        return YR_EPROTO;
    if (yr_op_find(a, in->id) != YR_OP_NONE)
        return YR_EEXIST;
    if ((err = yr_authority_want(a, in->parents, in->parent_count, &op.depth)) != YR_OK ||
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
        a->ops[yr_op_find(a, in->parents[k])].cited = true;
    append(a, &op);
    return YR_OK;
}

enum yr_fate yr_authority_judge(struct yr_authority *a, const struct yr_room_op *in)
{
    struct yr_op op = {.kind = (uint8_t)in->kind, .target = YR_OP_NONE};

    if (!form_ok(in))
        return YR_FATE_INVALID;
    if (yr_authority_want(a, in->parents, in->parent_count, &op.depth) != YR_OK)
        return YR_FATE_ABSENT;
    op.value = in->kind == YR_ROOM_SET ? in->key : in->rank;
    op.author = yr_person_find(a, in->author);
    if (targets(in->kind))
        op.target = yr_person_find(a, in->target);
    else if (in->kind == YR_ROOM_LEAVE)
        op.target = op.author;
    yr_op_weigh(a, yr_authority_at_want(a), &op);
    return op.valid ? YR_FATE_EFFECTIVE : YR_FATE_INVALID;
}

/* ---- asking ---- */

size_t yr_authority_count(const struct yr_authority *a)
{
    return a->count;
}

bool yr_authority_is_ancestor(const struct yr_authority *a, const uint8_t id[YR_REC_ID_LEN],
                              const uint8_t of[YR_REC_ID_LEN])
{
    const uint16_t i = yr_op_find(a, id), below = yr_op_find(a, of);

    return i != YR_OP_NONE && below != YR_OP_NONE && yr_op_precedes(a, i, below);
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
    const uint16_t i = yr_op_find(a, id);

    if (i != YR_OP_NONE)
        *depth = a->ops[i].depth;
    return i != YR_OP_NONE;
}
