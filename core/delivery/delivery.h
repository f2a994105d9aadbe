/* core/delivery/delivery.h: what stands between a conversation's plaintext and a link's frames:
 * the outbox, the ratchet sessions, envelopes, acknowledgements.  docs/protocol.md "Envelopes"
 * (B.6) and "Sessions" (B.7).
 *
 *   push -> stored -> link up: sealed, stored -> durable: sent -> acknowledged: gone
 *           |      ^------------- link down, restart: sent again -------------'
 *           '-> no link, a holder is linked: sealed, a post made, stored -> durable: left with
 *               holders -> custody (HELD) -> the friend's own receipt: gone
 *
 * A text is sealed only when it is about to leave, so what waits for an absent friend can still be
 * taken back, and the ratchet never runs ahead of what is on the way by more than a window.  Once
 * sealed it is sent again as it is: its ratchet number makes it count once.  A post is the one
 * envelope in which a letter is left with holders, friends of both, and in which it is sent over a
 * link as well: docs/protocol.md "Mail". */
#ifndef YR_DELIVERY_H
#define YR_DELIVERY_H

#include "core/contact/contacts.h"
#include "core/delivery/eids.h"
#include "core/seal/envelope.h"
#include "core/seal/pair.h"
#include "core/seal/pkh.h"
#include "core/seal/ratchet.h"
#include "core/store/age.h"
#include "yaari/node.h"

/** One who may keep letters for a friend. */
struct yr_holder {
    unsigned slot; /* the friend of ours who would keep them */
    unsigned via;  /* over whose link it is asked: the same, or one who hands it on (ENV_FWD) */
    bool named;    /* the friend named it as one whom it asks */
};

struct yr_delivery_ops {
    /** Queue a frame on the friend's chat channel.  Errors: YR_EAGAIN (link down), YR_EFULL (room()
     *  will be called), others. */
    enum yr_err (*frame)(void *ctx, unsigned slot, uint8_t type, const uint8_t *body, size_t len);
    /** An authenticated plaintext of the friend.  YR_OK and YR_EEXIST, YR_EPROTO: it has been taken
     *  and is acknowledged once durable; others: it is as if it had never come.  mailed: it came
     *  through another friend, so that only a receipt tells its author that it is here. */
    enum yr_err (*plain)(void *ctx, struct yr_now now, unsigned slot, const uint8_t *plain,
                         size_t len, bool mailed);
    /** One that came mailed came again: maybe the receipt was lost. */
    void (*again)(void *ctx, struct yr_now now, unsigned slot, const struct yr_seen *seen);
    /** Whose keys a prekey handshake with this friend is made with; lent for the call. */
    void (*pair)(void *ctx, unsigned slot, struct yr_pkh_pair *out);
    /** A session was begun anew in place of one that was there: for the `today`th time within a
     *  day.  Errors: those of the machine, after which nothing may be committed. */
    enum yr_err (*reset)(void *ctx, struct yr_now now, unsigned slot, unsigned today);
    /** Friends who may keep a letter for this one, best first and none twice; how many (<= max).
     *  NULL: nobody ever. */
    size_t (*holders)(void *ctx, unsigned slot, struct yr_holder *out, size_t max);
    /** A holder keeps this letter: that is durable with the present transaction.  May come again.
     *  NULL: nobody wants to know. */
    void (*held)(void *ctx, struct yr_now now, unsigned slot, const uint8_t id[YR_MSG_ID_LEN]);
    /** The body of an envelope of kind 4 by this friend: its certificate.  Errors: it is none, or
     * an older one; those of the machine.  NULL: nobody takes one. */
    enum yr_err (*cert)(void *ctx, unsigned slot, const uint8_t *body, size_t len);
    /** Send the friend something, whatever it is: our newest prekey, if it has not been told. */
    void (*answer)(void *ctx, unsigned slot);
    void *ctx;
};

/** What became of a letter that was left with a friend for the one it is for. */
enum yr_held_status {
    YR_HELD_ASKED,   /* no answer yet */
    YR_HELD_CUSTODY, /* kept, on disk */
    YR_HELD_REFUSED, /* not kept: nobody there waits for it */
    YR_HELD_TAKEN,   /* fetched from there by the one it is for */
    YR_HELD_GONE,    /* lost, or kept no more */
    YR_HELD_FULL     /* not kept: more than there is room for, or than is kept of ours */
};
struct yr_held {
    unsigned count; /* of the entries below */
    unsigned kept;  /* with CUSTODY, and not past their time */
    yr_ms until_ms; /* how long they keep it; 0: nobody does */
    enum yr_held_status status[YR_MAIL_HOLDERS_MAX];
    yr_ms since_ms[YR_MAIL_HOLDERS_MAX];
    uint8_t holder[YR_MAIL_HOLDERS_MAX][16]; /* the first bytes of the friend's identity */
};

struct yr_delivery;

/** All borrowed; `age` is loaded before anything else is called.  Errors: YR_ENOMEM. */
YR_MUST_USE enum yr_err yr_delivery_new(struct yr_delivery **out, struct yr_mem *mem,
                                        struct yr_rows *rows, const struct yr_rng *rng,
                                        const struct yr_age *age,
                                        const struct yr_delivery_ops *ops);
void yr_delivery_free(struct yr_delivery *delivery);
/** Forget what is in memory, of all slots. */
void yr_delivery_reset(struct yr_delivery *delivery);

/** Read a friend's sessions, day keys and outbox.  id: copied.  Without sessions and prekeys one
 * has to be begun (B.7): so is a node that was restored.  Errors: YR_ECORRUPT (no day keys),
 * YR_ENOMEM, YR_EIO. */
YR_MUST_USE enum yr_err yr_delivery_load(struct yr_delivery *delivery, unsigned slot,
                                         const uint8_t id[32], uint8_t out_dir);
/** A new pair: first session and day key; what waits in the outbox will be sealed anew.
 *  Everything in the present transaction.  Errors: YR_EAUTH (their key is no key), YR_ENOMEM. */
YR_MUST_USE enum yr_err yr_delivery_meet(struct yr_delivery *delivery, struct yr_now now,
                                         unsigned slot, const struct yr_contact *contact,
                                         uint8_t out_dir);
/** The friend has another device: sessions and prekeys of the one before go, what waits in the
 *  outbox will be sealed anew.  Errors: of the store. */
YR_MUST_USE enum yr_err yr_delivery_renewed(struct yr_delivery *delivery, unsigned slot);
/** An envelope of kind 4 for this friend, to be left with others; lent until the next call that
 *  changes anything.  Errors: YR_ENOFRIEND; YR_EAGAIN: not before what it depends on is durable. */
YR_MUST_USE enum yr_err yr_delivery_cert(struct yr_delivery *delivery, struct yr_now now,
                                         unsigned slot, const uint8_t *body, size_t len,
                                         const uint8_t **envelope, size_t *envelope_len);
/** For backups.  Of the row of a letter, how much is not sealed: *len.  Errors: YR_ECORRUPT. */
YR_MUST_USE enum yr_err yr_delivery_letter_plain(const uint8_t *row, size_t *len);
/** The row of day keys as it was in a backup of the day `made`: up to `today`, which may be long
 *  after, another device may have sent and forgotten.  Errors: YR_EPROTO. */
YR_MUST_USE enum yr_err yr_delivery_days_restored(uint8_t *row, size_t len, uint32_t made,
                                                  uint32_t today);
/** Forget a friend and delete its rows. */
void yr_delivery_remove(struct yr_delivery *delivery, unsigned slot);

/** Take a plaintext (copied) with its message id into the friend's outbox, in the present
 *  transaction.  Receipts (DELIVERED, READ, and a NOOP for its acks) wait for each other and some
 *  time at random before they are left with holders, where one takes the place of several; over a
 *  link they leave at once.  Errors: YR_ENOMEM; YR_ESIZE. */
YR_MUST_USE enum yr_err yr_delivery_push(struct yr_delivery *delivery, struct yr_now now,
                                         unsigned slot, const uint8_t id[YR_MSG_ID_LEN],
                                         const uint8_t *plain, size_t len);
/** Take it back: true if it was never sealed, so that nobody can have it. */
bool yr_delivery_recall(struct yr_delivery *delivery, unsigned slot,
                        const uint8_t id[YR_MSG_ID_LEN]);

void yr_delivery_up(struct yr_delivery *delivery, struct yr_now now, unsigned slot);
void yr_delivery_down(struct yr_delivery *delivery, struct yr_now now, unsigned slot);
/** The chat channel has room again. */
void yr_delivery_room(struct yr_delivery *delivery, struct yr_now now, unsigned slot);

/** Which friend sends under this tag.  search: look also at every day that can be derived with the
 *  friend `link`, whose clock may be wrong by any amount; only so often.
 *  Errors: YR_ENOENT: none. */
YR_MUST_USE enum yr_err yr_delivery_author(struct yr_delivery *delivery, struct yr_now now,
                                           unsigned link, const uint8_t tag[16], bool search,
                                           unsigned *author);
/** ENV_PUT over the link with `link`, under a tag of `author` (yr_delivery_author, just before):
 *  himself, or a friend whose letter he kept.  Acknowledged over that link once durable; one that
 *  came through another and does not open is refused.  Errors: YR_EPROTO: more than a window
 *  without waiting: close the link; YR_ENOMEM, YR_EIO, YR_ECORRUPT: the store cannot take it. */
YR_MUST_USE enum yr_err yr_delivery_receive(struct yr_delivery *delivery, struct yr_now now,
                                            unsigned link, unsigned author, const uint8_t *envelope,
                                            size_t len);
/** Refuse an envelope, for good. */
YR_MUST_USE enum yr_err yr_delivery_refuse(struct yr_delivery *delivery, unsigned link,
                                           const uint8_t eid[YR_HASH16]);
/** MBX_LIST of a friend: what came already is acknowledged, the other ids are put into `get` (room
 *  for `count`) to be asked for; their number. */
size_t yr_delivery_listed(struct yr_delivery *delivery, struct yr_now now, unsigned link,
                          const uint8_t *eids, size_t count, uint8_t *get);
/** The tags under which the friend may send on this day of ours: one, or two if its clock is off;
 *  as they are registered with those who keep mail for us. */
size_t yr_delivery_tags(struct yr_delivery *delivery, struct yr_now now, unsigned slot,
                        uint32_t day, uint8_t out[2][16]);
/** Changes when those do, other than with the day. */
uint64_t yr_delivery_tags_version(const struct yr_delivery *delivery);
/** Read which envelopes came already.  Errors: YR_ECORRUPT, YR_EIO, YR_ENOMEM. */
YR_MUST_USE enum yr_err yr_delivery_start(struct yr_delivery *delivery);
/** ENV_ACK of a friend: about what is for it, and about what it keeps for others or was asked to
 *  hand on.  Errors: YR_EPROTO. */
YR_MUST_USE enum yr_err yr_delivery_acked(struct yr_delivery *delivery, struct yr_now now,
                                          unsigned slot, const uint8_t *body, size_t len);

/** Before a transaction is taken, and before the chats are flushed: reset and answer are called. */
void yr_delivery_settle(struct yr_delivery *delivery, struct yr_now now);
/** Before a transaction is taken: rows of sessions that moved. */
void yr_delivery_flush(struct yr_delivery *delivery);
/** Everything up to this token is durable: letters and acknowledgements that waited leave. */
void yr_delivery_release(struct yr_delivery *delivery, struct yr_now now, uint64_t durable);

/** Leave with holders what is due, ask them what they still keep. */
void yr_delivery_tick(struct yr_delivery *delivery, struct yr_now now);
/** When tick has work; YR_NEVER: not before something happens. */
yr_us yr_delivery_deadline(const struct yr_delivery *delivery);
/** The holders of this friend may be others than before (a list came, an option was set). */
void yr_delivery_holders(struct yr_delivery *delivery, unsigned slot);

/** The friend says that it may have dropped some of what it keeps: it is asked what it has. */
void yr_delivery_doubt(struct yr_delivery *delivery, struct yr_now now, unsigned slot);

/** Once a day: skipped keys and prekeys past their time go, for good. */
void yr_delivery_daily(struct yr_delivery *delivery, struct yr_now now);

/** The oldest day key kept of a friend's pair; NULL: no such friend.  Secret; lent until the next
 *  call that changes anything. */
const struct yr_timekey *yr_delivery_timekey(const struct yr_delivery *delivery, unsigned slot);

/** Messages not yet acknowledged by the friend's node. */
size_t yr_delivery_queued(const struct yr_delivery *delivery, unsigned slot);

/** Who keeps this letter while the friend is away.  Nothing known of it: a count of 0. */
void yr_delivery_held(const struct yr_delivery *delivery, unsigned slot,
                      const uint8_t id[YR_MSG_ID_LEN], struct yr_held *out);
/** Has this friend refused what was for that one, so that it is not asked for now? */
bool yr_delivery_shunned(const struct yr_delivery *delivery, unsigned slot, unsigned holder);
/** Of all letters of the friend: how many are kept somewhere, and at how many friends. */
void yr_delivery_held_all(const struct yr_delivery *delivery, unsigned slot, size_t *letters,
                          unsigned *holders);

/** The letter after *order (0: the first), in order: its message id; false: that was the last. */
bool yr_delivery_letter(struct yr_delivery *delivery, unsigned slot, uint64_t *order,
                        uint8_t id[YR_MSG_ID_LEN]);

/** How many letters to others this friend keeps for us, as far as is known. */
size_t yr_delivery_held_by(const struct yr_delivery *delivery, unsigned holder);

/** Our newest prekey for the friend, made if there is none younger than a week; *fresh: it was made
 *  now and must be told. */
YR_MUST_USE enum yr_err yr_delivery_prekey(struct yr_delivery *delivery, struct yr_now now,
                                           unsigned slot, struct yr_prekey *out, bool *fresh);
/** Keep one we made before the friend had a slot. */
void yr_delivery_own_prekey(struct yr_delivery *delivery, struct yr_now now, unsigned slot,
                            const struct yr_prekey_own *prekey);
/** The friend's newest prekey for us; an older one than we have is nothing new. */
void yr_delivery_their_prekey(struct yr_delivery *delivery, struct yr_now now, unsigned slot,
                              const struct yr_prekey *prekey);

struct yr_counter yr_delivery_counter(const struct yr_delivery *delivery, size_t i);

#endif
