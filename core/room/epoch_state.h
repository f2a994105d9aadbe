/* core/room/epoch_state.h: what the files of epoch.h share.
 *
 *     epoch.c       records that bring epochs
 *     epoch_use.c   which of them is used, when another is due, what time takes away
 *     epoch_keys.c  rows, trees and chains: who has which key next
 *     epoch_make.c  new epochs and content
 *
 * Rows: EPOCH has the struct below; EPOCHKEY, by epoch and `which`, its members, trees, the root
 * that is kept for history, and the parts of a REKEY so far; EPOCHCHAIN a chain once it is used. */
#ifndef YR_EPOCH_STATE_H
#define YR_EPOCH_STATE_H

#include "core/crypto/aead.h"
#include "core/room/epoch.h"
#include "core/room/keytree.h"

/** Kinds of trees and chains; third byte of an EPOCHKEY suffix. */
enum yr_epoch_key {
    YR_EPOCH_CONTENT,
    YR_EPOCH_ADDS,
    YR_EPOCH_MEMBERS, /* sorted mids */
    YR_EPOCH_KEPT,    /* root of the content tree */
    YR_EPOCH_PARTS,   /* struct yr_epoch_parts */
    YR_EPOCH_KEYS
};

struct yr_epoch {
    uint8_t id[YR_EPOCH_ID_LEN];
    uint8_t author[YR_MID_LEN]; /* zero: known from a HIST only */
    bool partial;               /* a REKEY of which parts are missing */
    bool whole;                 /* what follows down to seen_ms is known */
    bool added;                 /* by an ADD */
    bool open;                  /* all keys are here */
    bool granted;               /* those of content are, from a HIST */
    bool kept;                  /* there is a kept root */
    bool own;                   /* our chains go on where they are */
    uint32_t depth, generation;
    uint8_t membership[YR_HASH_LEN];
    uint8_t maker[YR_REC_ID_LEN]; /* record of the ADD or of the REKEY's last part */
    uint64_t seen_ms;             /* when it was complete, or the REKEY it goes back to */
    uint64_t superseded_ms;       /* since when another is used; 0: it is used */
    /* of an ADD */
    uint8_t parent[YR_EPOCH_ID_LEN], commit[16];
    uint8_t before[YR_HASH_LEN]; /* the membership without it */
    uint8_t sign_pk[32], seal_pk[32];
    /* in memory only */
    bool announce; /* for yr_epochs_opened */
    bool fresh;    /* its children have not been looked at since it changed */
    bool counted;
    uint64_t count; /* content seen in it, once counted */
};

/** What has come of a REKEY of several parts. */
struct yr_epoch_parts {
    uint8_t parts, left;
    bool have[YR_ROOM_PARTS_MAX];
    bool mine; /* es is there */
    uint8_t es[32];
    size_t mid4_count, control_count, other_count;
    uint8_t mid4[YR_ROOM_MEMBERS_MAX][4];
    uint8_t control[YR_ROOM_PARTS_MAX * YR_ROOM_DEPS_MAX][YR_REC_ID_LEN];
    uint8_t other[YR_ROOM_DEPS_MAX][YR_REC_ID_LEN];
};

struct yr_epochs {
    struct yr_mem *mem;
    struct yr_rows *rows;
    const struct yr_rng *rng;
    struct yr_authority *authority;
    uint8_t room_id[YR_ROOM_ID_LEN], self[YR_MID_LEN];
    unsigned hist_days;
    struct yr_epoch **list; /* as they came; after a start by (depth, generation, id) */
    size_t count, cap;
    size_t ops; /* of the authority when `membership` was asked for */
    uint8_t membership[YR_HASH_LEN];
    struct yr_epoch_need {
        uint8_t mid[YR_MID_LEN];
        uint64_t heard_ms; /* 0: free */
    } needs[YR_ROOM_NEEDS_MAX];
};

/** A member's chain on the way to its next key.  End with yr_chain_end. */
struct yr_chain {
    uint8_t key[32]; /* CK or AK */
    uint32_t next;   /* its index */
    enum yr_epoch_key which;
    uint8_t mid[YR_MID_LEN];
    /* only of a chain that begins in the tree */
    struct yr_keytree *tree; /* without the leaf; NULL: it does not */
    uint8_t leaf[32];
    uint8_t (*mids)[YR_MID_LEN];
    size_t mid_count;
};

static inline bool yr_epoch_is(const uint8_t *a, const uint8_t *b)
{
    return memcmp(a, b, YR_EPOCH_ID_LEN) == 0;
}

/* ---- epoch.c ---- */

struct yr_epoch *yr_epoch_find(const struct yr_epochs *epochs, const uint8_t id[YR_EPOCH_ID_LEN]);
static inline bool yr_epoch_readable(const struct yr_epoch *e)
{
    return e->open || e->granted;
}
void yr_epoch_id_rekey(uint8_t id[YR_EPOCH_ID_LEN], const uint8_t room_id[YR_ROOM_ID_LEN],
                       const uint8_t author[YR_MID_LEN], const uint8_t nonce[16],
                       const uint8_t commit[32]);
void yr_epoch_id_add(uint8_t id[YR_EPOCH_ID_LEN], const uint8_t room_id[YR_ROOM_ID_LEN],
                     const uint8_t author[YR_MID_LEN], const uint8_t commit[16],
                     const uint8_t sign_pk[32]);
/** ES' of an ADD from the adder's chain key in the parent epoch. */
void yr_epoch_es_of_add(uint8_t es[32], const uint8_t ak[32], const uint8_t sign_pk[32],
                        const uint8_t seal_pk[32], const uint8_t author[YR_MID_LEN]);
/** H("es" || ES). */
void yr_epoch_commit(uint8_t out[32], const uint8_t es[32]);
/** Seal a secret of epoch `id` to the holder of seal_pk. */
YR_MUST_USE enum yr_err yr_epoch_share_seal(const struct yr_epochs *epochs, uint8_t sealed[48],
                                            const uint8_t secret[32],
                                            const uint8_t id[YR_EPOCH_ID_LEN],
                                            const struct yr_keypair *eph, const uint8_t seal_pk[32],
                                            const uint8_t author[YR_MID_LEN]);

/* ---- epoch_use.c ---- */

/** Is it of the present membership? */
bool yr_epoch_current(struct yr_epochs *epochs, const struct yr_epoch *e);
/** Of those the last in the order all agree on; `ours`: of those we can send in.  NULL: none. */
struct yr_epoch *yr_epoch_best(struct yr_epochs *epochs, bool ours);
/** The members now, sorted by mid; heap, yr_free.  Errors: YR_ENOMEM; YR_ESIZE: more than
 *  YR_ROOM_MEMBERS_MAX. */
YR_MUST_USE enum yr_err yr_epoch_members(struct yr_epochs *epochs,
                                         const uint8_t (*ids)[YR_REC_ID_LEN], size_t id_count,
                                         struct yr_room_member **out, size_t *count);

/* ---- epoch_keys.c ---- */

/** Read all epochs. */
YR_MUST_USE enum yr_err yr_epoch_load(struct yr_epochs *epochs);
/** A new one at the end of the list, in memory only.  NULL: no memory. */
struct yr_epoch *yr_epoch_append(struct yr_epochs *epochs, const uint8_t id[YR_EPOCH_ID_LEN]);
YR_MUST_USE enum yr_err yr_epoch_save(struct yr_epochs *epochs, const struct yr_epoch *e);
/** Delete it, all its rows and itself. */
YR_MUST_USE enum yr_err yr_epoch_delete(struct yr_epochs *epochs, struct yr_epoch *e);
/** Errors: YR_ENOENT; of the machine. */
YR_MUST_USE enum yr_err yr_epoch_get(struct yr_epochs *epochs, const struct yr_epoch *e,
                                     enum yr_epoch_key which, void *out, size_t cap, size_t *len);
YR_MUST_USE enum yr_err yr_epoch_put(struct yr_epochs *epochs, const struct yr_epoch *e,
                                     enum yr_epoch_key which, const void *value, size_t len);
YR_MUST_USE enum yr_err yr_epoch_del(struct yr_epochs *epochs, const struct yr_epoch *e,
                                     enum yr_epoch_key which);
/** Remember whom it covers, sorted by mid. */
YR_MUST_USE enum yr_err yr_epoch_put_members(struct yr_epochs *epochs, const struct yr_epoch *e,
                                             const struct yr_room_member *members, size_t count);
/** Its keys have come: two whole trees, and the root that is kept.  Marks and saves it. */
YR_MUST_USE enum yr_err yr_epoch_install(struct yr_epochs *epochs, struct yr_epoch *e,
                                         const uint8_t es[32], const struct yr_room_member *members,
                                         size_t count);
/** Root of the tree `which` of an epoch secret. */
void yr_epoch_root(uint8_t root[32], const uint8_t es[32], enum yr_epoch_key which);

/** A member's chain where it stands; nothing is changed.
 *  Errors: YR_ENOENT: no keys; YR_EPROTO: the epoch does not cover it; of the machine. */
YR_MUST_USE enum yr_err yr_chain_begin(struct yr_epochs *epochs, const struct yr_epoch *e,
                                       enum yr_epoch_key which, const uint8_t mid[YR_MID_LEN],
                                       struct yr_chain *out);
/** One key on. */
void yr_chain_step(struct yr_chain *chain);
/** Store it: from now on its earlier keys are gone. */
YR_MUST_USE enum yr_err yr_chain_save(struct yr_epochs *epochs, struct yr_epoch *e,
                                      const struct yr_chain *chain);
void yr_chain_end(struct yr_epochs *epochs, struct yr_chain *chain);
/** How much content was seen in it. */
YR_MUST_USE enum yr_err yr_epoch_count(struct yr_epochs *epochs, struct yr_epoch *e);

#endif
