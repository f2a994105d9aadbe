/* core/room/epoch.h: the keys of a room's content: epochs, and each member's chains in them. B.9.3,
 * docs/protocol.md "Key epochs".
 *
 *     REKEY, all parts --own share opens--> ES --> two trees of keys, a leaf for each member
 *     ADD: ES' from the adder's chain in the parent epoch, or from the share in the ADD
 *
 *     tree "content" -> leaf -> CK of a member -> mk of one message, CK' ...
 *     tree "adds"    -> leaf -> AK of a member -> ES' of one ADD, AK' ...
 *
 * An epoch covers those who were members for the record that made it; only they can derive its
 * keys.  It may be sent in while the membership is still that very one: nobody was added, removed
 * or has left since, not even to come back to the same set of people.  Of several such epochs the
 * one that comes last in (depth, generation, id) is used, which nobody has to agree upon, since
 * whoever is covered can read every one of them.
 *
 * What has been used is deleted at once: a leaf when its chain starts, a chain key when its next
 * one is stored, ES as soon as the trees are.  In rooms with history the root of the content tree
 * is kept, too, until nobody may be granted that history any more.
 *
 * All state is in rows; memory holds a short description of each epoch.  After an error of the
 * machine (ENOMEM, EIO, ECORRUPT ...) rows may be half written: the transaction must not be
 * committed (yr_rows_broken), and the epochs are made anew from the rows. */
#ifndef YR_EPOCH_H
#define YR_EPOCH_H

#include "core/crypto/noise.h"
#include "core/room/authority.h"
#include "core/store/rows.h"

#define YR_EPOCH_ID_LEN 16

/** Bytes of a CONTENT body beside the padded plaintext. */
#define YR_CONTENT_OVERHEAD (1 + YR_EPOCH_ID_LEN + 4 + 32 + YR_NONCE_LEN + YR_TAG_LEN)
#define YR_CONTENT_PAD      32 /* plaintexts are padded to a multiple of this */
/** The longest plaintext of a record that cites YR_ROOM_DEPS_MAX others. */
#define YR_CONTENT_PLAIN_MAX                                                       \
    ((YR_ROOM_BODY_MAX - YR_ROOM_DEPS_MAX * YR_REC_ID_LEN - YR_CONTENT_OVERHEAD) / \
         YR_CONTENT_PAD * YR_CONTENT_PAD -                                         \
     1)

struct yr_epochs;

/** The epochs of one room, from its rows (none: an empty one).
 *  mem, rows, rng, authority: borrowed for its life; the authority is the room's, and holds every
 *  control record that was handed here before.
 *  self: our mid.  hist_days: of the room's CREATE.
 *  *out owned by the caller.  Errors: YR_ECORRUPT; YR_EIO; YR_ELOCKED; YR_ENOMEM. */
YR_MUST_USE enum yr_err yr_epochs_new(struct yr_epochs **out, struct yr_mem *mem,
                                      struct yr_rows *rows, const struct yr_rng *rng,
                                      struct yr_authority *authority,
                                      const uint8_t room_id[YR_ROOM_ID_LEN],
                                      const uint8_t self[YR_MID_LEN], unsigned hist_days);
void yr_epochs_free(struct yr_epochs *epochs);

/* ---- records that bring keys; each is handed over once, in causal order, our own too ----
 *
 * now_ms: wall clock, as trusted as can be.  rx: our own key pairs for epoch secrets, the newest
 * first, those replaced less than YR_ROOM_RX_DAYS ago behind it. */

/** A valid ADD, after authority has it.  Errors of the machine only: what is wrong with the epoch
 *  it tells of makes that epoch one nobody sends in, or none at all. */
YR_MUST_USE enum yr_err yr_epochs_on_add(struct yr_epochs *epochs, yr_ms now_ms,
                                         const struct yr_room_record *record,
                                         const struct yr_room_body *body,
                                         const struct yr_keypair *rx, size_t rx_count);
/** A part of a REKEY.  Errors: YR_EPROTO: no valid epoch comes of it, nothing kept; of the machine.
 */
YR_MUST_USE enum yr_err yr_epochs_on_rekey(struct yr_epochs *epochs, yr_ms now_ms,
                                           const struct yr_room_record *record,
                                           const struct yr_room_body *body,
                                           const struct yr_keypair *rx, size_t rx_count);
/** Keys of the time before we came; looked at only if it is for us and the room has history. */
YR_MUST_USE enum yr_err yr_epochs_on_hist(struct yr_epochs *epochs, yr_ms now_ms,
                                          const struct yr_room_record *record,
                                          const struct yr_room_body *body,
                                          const struct yr_keypair *rx, size_t rx_count);
/** The next epoch that can be read since it was asked last: hand over what waits for it.  After
 *  each of the three above, until it says false.  Not remembered over a restart: then every
 *  waiting record's epoch is asked about with yr_epochs_readable. */
bool yr_epochs_opened(struct yr_epochs *epochs, uint8_t id[YR_EPOCH_ID_LEN]);
bool yr_epochs_readable(const struct yr_epochs *epochs, const uint8_t id[YR_EPOCH_ID_LEN]);

/* ---- which epoch ---- */

enum yr_epoch_state {
    YR_EPOCH_NONE,   /* no epoch has the present membership: make one before anything is sent */
    YR_EPOCH_BEHIND, /* there is one, which others will use and we cannot open: make one */
    YR_EPOCH_DUE,    /* old or much used: make one, and use this until then */
    YR_EPOCH_READY,
};
struct yr_epoch_choice {
    enum yr_epoch_state state;
    bool usable;                 /* id can be sent in: always when DUE or READY, never when NONE */
    uint8_t id[YR_EPOCH_ID_LEN]; /* of the epoch to send in */
    uint8_t best[YR_EPOCH_ID_LEN]; /* BEHIND: the one we cannot open, for NEEDKEY */
};
/** By what is known now. */
void yr_epochs_choose(struct yr_epochs *epochs, yr_ms now_ms, struct yr_epoch_choice *out);

/** May we make an epoch now: not within a minute of our last, nor more than 10 in a day?  An honest
 *  member asks before any but the one its own REMOVE or ADD needs. */
bool yr_epochs_may_rekey(const struct yr_epochs *epochs, yr_ms now_ms);
/** How long to wait, milliseconds, before making an epoch that anybody could make, and look again:
 *  of `members` that begin to wait at once few end first, with whatever part of them is there. */
yr_ms yr_epoch_delay_ms(size_t members, uint64_t random);
/** The same for who has seen a NEEDKEY of somebody else that names epoch `id`: 0 when it is not for
 *  us to answer (it is not the epoch we would send in, its author is no member, or got an answer
 *  today).  Then, if choose still says that epoch, make a new one. */
yr_ms yr_epochs_answer_ms(struct yr_epochs *epochs, yr_ms now_ms, const uint8_t author[YR_MID_LEN],
                          const uint8_t id[YR_EPOCH_ID_LEN], uint64_t random);

/* ---- making epochs ---- */

/** A REKEY being made.  Wipe with yr_rekey_clear. */
struct yr_rekey {
    uint8_t es[32], nonce[16], commit[32];
    uint8_t id[YR_EPOCH_ID_LEN];
    unsigned parts; /* records it takes, one after the other, of one author */
    size_t members, heads;
};
/** Begin one for the present members.  Nothing is kept: our own records bring us the epoch as
 *  everybody else's do, by yr_epochs_on_rekey.  Errors: YR_EDENIED: we are no member; YR_EFULL: too
 *  many members, or so many control heads that a control record must cite them first; YR_ENOMEM. */
YR_MUST_USE enum yr_err yr_epochs_rekey(struct yr_epochs *epochs, struct yr_rekey *out);
/** One part: its body, and all that its record cites, nothing else.  seal_pk gives the newest RX of
 * a member, 32 bytes; NULL: it is passed over, and cannot open the epoch.  body: YR_ROOM_BODY_MAX
 * bytes.  Control records must not be added between the parts.  Errors: YR_ENOMEM; YR_EINVAL: they
 * were. */
YR_MUST_USE enum yr_err
yr_epochs_rekey_part(struct yr_epochs *epochs, const struct yr_rekey *rekey, unsigned part,
                     const uint8_t *(*seal_pk)(void *ctx, const uint8_t mid[YR_MID_LEN]), void *ctx,
                     uint8_t *body, size_t *body_len, uint8_t deps[YR_ROOM_DEPS_MAX][YR_REC_ID_LEN],
                     size_t *dep_count);
void yr_rekey_clear(struct yr_rekey *rekey);

/** The fields of an ADD that make the newcomer's epoch: epoch (parent), nonce, eph, sealed; lent
 *  from the struct. */
struct yr_add_keys {
    uint8_t parent[YR_EPOCH_ID_LEN], nonce[16], eph[32], sealed[48];
};
/** sign_pk, seal_pk: RS and RX of the newcomer.  Nothing is kept, as above.  When there is no
 *  epoch to start from (choose: NONE or BEHIND) all is zero, which means: no epoch by this ADD; the
 *  inviter makes one before it or after it. */
YR_MUST_USE enum yr_err yr_epochs_add_keys(struct yr_epochs *epochs, yr_ms now_ms,
                                           const uint8_t sign_pk[32], const uint8_t seal_pk[32],
                                           struct yr_add_keys *out);
/** A HIST body for a newcomer: the next up to YR_ROOM_EPOCHS_MAX epochs that the room's policy
 *  grants it, in a room with history.  *at: 0 at first, then as left here.
 *  Errors: YR_ENOENT: no more. */
YR_MUST_USE enum yr_err yr_epochs_hist(struct yr_epochs *epochs, yr_ms now_ms,
                                       const uint8_t mid[YR_MID_LEN], const uint8_t seal_pk[32],
                                       size_t *at, uint8_t *body, size_t cap, size_t *body_len);

/* ---- content ---- */

/** The length of the CONTENT body for `len` bytes of plaintext. */
size_t yr_content_len(size_t len);
/** Seal a message in the chosen epoch and advance our chain.  record: all of it but body and
 *  body_len, as it will be encoded: the bytes before its body are authenticated with the text.
 *  Both are set, body lent from `body`, which has room for yr_content_len(len).
 *  Errors: YR_EAGAIN: choose says that none is usable; YR_ESIZE; of the machine. */
YR_MUST_USE enum yr_err yr_epochs_seal(struct yr_epochs *epochs, yr_ms now_ms,
                                       struct yr_room_record *record, const uint8_t *plain,
                                       size_t len, uint8_t *body, size_t cap);
/** Open one that came; not our own, whose text we have.  pruned: the log no longer has all earlier
 *  records of this author, so that indices may be missing.
 *  plain: room for body->data_len bytes.  Of each (epoch, author) in the author's order; what is
 *  refused changes nothing.
 *  Errors: YR_ENOENT: the epoch is not known, or not open (yet); YR_EEXIST: the index was used: the
 *  author's log is forked, or this was opened before; YR_EPROTO: index or author cannot be;
 *  YR_EAUTH: key or text are not what its author says, for anybody; of the machine. */
YR_MUST_USE enum yr_err yr_epochs_open(struct yr_epochs *epochs, yr_ms now_ms,
                                       const struct yr_room_record *record,
                                       const struct yr_room_body *body, bool pruned, uint8_t *plain,
                                       size_t *len);

/* ---- time, leaving ---- */

/** Delete what has had its time.  Daily, and after control records changed the membership. */
YR_MUST_USE enum yr_err yr_epochs_tick(struct yr_epochs *epochs, yr_ms now_ms);
/** Our log has a new incarnation: what we sent in the epochs so far may be unknown here, so none of
 *  them is sent in again, nor added from. */
YR_MUST_USE enum yr_err yr_epochs_restart(struct yr_epochs *epochs);
/** Delete up to `max` rows with keys of a room whose epochs are not loaded; *more: some are left.
 */
YR_MUST_USE enum yr_err yr_epochs_erase(struct yr_rows *rows, const uint8_t room_id[YR_ROOM_ID_LEN],
                                        size_t max, bool *more);

/** One epoch, to look at. */
struct yr_epoch_info {
    uint8_t id[YR_EPOCH_ID_LEN];
    uint8_t author[YR_MID_LEN];   /* zero: known from a HIST only */
    bool added;                   /* made by an ADD, not by a REKEY */
    bool readable, ours;          /* ours: we can send in it, if it is chosen */
    bool partial;                 /* parts of its REKEY are missing */
    bool whole;                   /* the record that made it is here: */
    uint8_t maker[YR_REC_ID_LEN]; /* the ADD, or the last part of the REKEY */
    unsigned depth, generation;
    yr_ms seen_ms; /* when it came, or the REKEY it goes back to */
};
/** The i-th, in no order; false past the end. */
bool yr_epochs_info(const struct yr_epochs *epochs, size_t i, struct yr_epoch_info *out);

#endif
