/* core/room/authority.h: who is a member of a room, with what rank: a function of the set of its
 * control records, whatever order they came in.  B.9.4.
 *
 * Operations form a graph: each cites others, and what it may do is judged by the state that its
 * ancestors make, once and for ever (valid).  Then every rank speaks once, from the founder's down:
 * its revocations void what their targets did with less rank without reckoning with them, and what
 * stood on that is judged again before the next rank speaks (effective).
 *
 *     add: cites all heads -> judged by the present state, which it extends
 *          cites others    -> judged by the state of its ancestors; the present one is made anew
 *                             when somebody asks
 *
 * Nothing here looks at signatures or clocks; whoever adds an operation has verified its record. */
#ifndef YR_AUTHORITY_H
#define YR_AUTHORITY_H

#include "core/base/mem.h"
#include "core/room/record.h"

#define YR_OP_PARENTS_MAX (YR_ROOM_DEPS_MAX + 1) /* the deps and the author's previous record */

/** A control record as far as authority is concerned. */
struct yr_room_op {
    uint8_t id[YR_REC_ID_LEN];
    uint8_t author[YR_MID_LEN];
    enum yr_room_kind kind;     /* any but those of YR_CLASS_CONTROL: has no effect, ever */
    uint8_t target[YR_MID_LEN]; /* ADD REMOVE ROLE */
    uint8_t rank;               /* ADD ROLE: 1..99 */
    uint8_t key;                /* SET */
    size_t parent_count;
    uint8_t parents[YR_OP_PARENTS_MAX][YR_REC_ID_LEN];
};

/** The operation of a control record that is no CREATE. */
void yr_room_op_from(struct yr_room_op *out, const struct yr_room_record *record,
                     const struct yr_room_body *body);

struct yr_authority;

/** A room of one member.  create: the id of its CREATE, founder: its author's mid, invite_min: the
 *  least rank that adds members.  *out owned by the caller.  Errors: YR_ENOMEM. */
YR_MUST_USE enum yr_err yr_authority_new(struct yr_authority **out, struct yr_mem *mem,
                                         const uint8_t create[YR_REC_ID_LEN],
                                         const uint8_t founder[YR_MID_LEN], uint8_t invite_min);
void yr_authority_free(struct yr_authority *authority);

/** Add an operation (copied).  Errors, after which all is as it was: YR_EEXIST: it is there;
 *  YR_ENOENT: a parent is not (hold the record until it is); YR_EPROTO: a CREATE, no parents or too
 *  many, a rank out of bounds; YR_EFULL: YR_ROOM_OPS_MAX; YR_ENOMEM. */
YR_MUST_USE enum yr_err yr_authority_add(struct yr_authority *authority,
                                         const struct yr_room_op *op);

/** How many operations there are, CREATE included. */
size_t yr_authority_count(const struct yr_authority *authority);

enum yr_fate {
    YR_FATE_ABSENT,  /* not added */
    YR_FATE_INVALID, /* its author had not the right: never has an effect */
    YR_FATE_VOID,    /* others took its effect; more operations may give it back */
    YR_FATE_EFFECTIVE,
};
enum yr_fate yr_authority_fate(struct yr_authority *authority, const uint8_t id[YR_REC_ID_LEN]);

/** What an operation's own view makes of it, for ever, whether it was added or not: EFFECTIVE: its
 *  author had the right; INVALID: it had not, or the operation is malformed; ABSENT: a parent is
 *  not there, so nobody can tell.  Adds nothing and allocates nothing: who keeps a log asks before
 *  it stores or passes on, or invalid operations would fill the room. */
enum yr_fate yr_authority_judge(struct yr_authority *authority, const struct yr_room_op *op);

/** Is operation `id` among the ancestors of operation `of`?  None is its own; false when either is
 *  not there. */
bool yr_authority_is_ancestor(const struct yr_authority *authority, const uint8_t id[YR_REC_ID_LEN],
                              const uint8_t of[YR_REC_ID_LEN]);

/** What the next control record cites: the operations no other cites, the oldest (by depth, id)
 *  YR_ROOM_DEPS_MAX if there are more.  Returns how many. */
size_t yr_authority_heads(const struct yr_authority *authority,
                          uint8_t out[YR_ROOM_DEPS_MAX][YR_REC_ID_LEN]);
/** The same without the first `skip` of them, for who cites more in further records. */
size_t yr_authority_heads_from(const struct yr_authority *authority, size_t skip,
                               uint8_t out[YR_ROOM_DEPS_MAX][YR_REC_ID_LEN]);
size_t yr_authority_head_count(const struct yr_authority *authority);
/** How long the longest way from an operation back to CREATE is; false, and *depth as it was, when
 *  it is not there. */
bool yr_authority_depth(const struct yr_authority *authority, const uint8_t id[YR_REC_ID_LEN],
                        unsigned *depth);

/** A member's rank now; 0: it is none. */
unsigned yr_authority_rank(struct yr_authority *authority, const uint8_t mid[YR_MID_LEN]);
/** Which SET gives a setting its value now; false when none does. */
bool yr_authority_setting(struct yr_authority *authority, uint8_t key, uint8_t id[YR_REC_ID_LEN]);

struct yr_room_member {
    uint8_t mid[YR_MID_LEN];
    uint8_t rank;
};
/** The members now, by mid.  *count: room in, members out.
 *  Errors: YR_ESIZE, with *count what is needed. */
YR_MUST_USE enum yr_err yr_authority_members(struct yr_authority *authority,
                                             struct yr_room_member *out, size_t *count);
/** The same as they were for one who cited these operations (id_count 1 or more, in any order; some
 *  may be ancestors of others): whom an epoch made by that record covers.  As cheap as the above
 *  when they are the heads, and for the same set again while no other was asked for or added.
 *  Errors: YR_ENOENT: one is not there; YR_ESIZE. */
YR_MUST_USE enum yr_err yr_authority_members_at(struct yr_authority *authority,
                                                const uint8_t (*ids)[YR_REC_ID_LEN],
                                                size_t id_count, struct yr_room_member *out,
                                                size_t *count);

/** The ADD by which somebody is a member now or, when it is none, was last; its author is the
 *  inviter.  id written only on true; false: no effective ADD, as of the founder. */
bool yr_authority_adder(struct yr_authority *authority, const uint8_t mid[YR_MID_LEN],
                        uint8_t id[YR_REC_ID_LEN]);
/** The REMOVE or LEAVE that ended somebody's membership: the last which the ADD above does not
 *  cite.  id written only on true; false: it is a member or never was. */
bool yr_authority_removal(struct yr_authority *authority, const uint8_t mid[YR_MID_LEN],
                          uint8_t id[YR_REC_ID_LEN]);

/** What the membership is made of: a hash over every effective ADD and whether it still holds.  It
 *  is the same for who has the same operations, and differs from what it was when somebody was
 *  added or removed since, even if they are the same people again. */
void yr_authority_membership(struct yr_authority *authority, uint8_t out[YR_HASH_LEN]);
/** As it was for one who cited these (yr_authority_members_at).  Errors: YR_ENOENT. */
YR_MUST_USE enum yr_err yr_authority_membership_at(struct yr_authority *authority,
                                                   const uint8_t (*ids)[YR_REC_ID_LEN],
                                                   size_t id_count, uint8_t out[YR_HASH_LEN]);

#endif
