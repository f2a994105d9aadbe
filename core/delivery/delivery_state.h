/* core/delivery/delivery_state.h: what the files of delivery.h share.  Nobody else includes it.
 *
 *     delivery.c       the friends' boxes: made, loaded, linked, gone
 *     letters.c        what waits for a friend and is on its way
 *     open.c           what comes from a friend, and acknowledgements of it
 *     sessions.c       the ratchets that seal and open, prekeys
 *     days.c           whose day's keys an envelope is under
 *     eids.c           which came already
 *     delivery_rows.c  what of it is on disk
 *
 * Rows: OUTBOX has letters by order, TIMEKEY the days, SESSION and SKIPPED the ratchets, PREKEY our
 * prekeys and the friend's. */
#ifndef YR_DELIVERY_STATE_H
#define YR_DELIVERY_STATE_H

#include "core/base/map.h"
#include "core/delivery/delivery.h"
#include "core/delivery/eids.h"

#define YR_LETTER_HEAD (1 + YR_MSG_ID_LEN + 4)
#define YR_DAY_TAGS    (YR_TIMEKEY_REACH + 1)
#define YR_SEALED_MAX  (1 + YR_PLAIN_MAX + YR_RATCHET_OVERHEAD)
#define YR_LETTER_MAX  (YR_LETTER_HEAD + YR_PLAIN_MAX + YR_SEALED_MAX)

/** One message on its way: loaded into the window. */
struct yr_letter {
    uint64_t order, token; /* token: leaves when this is durable */
    uint8_t id[YR_MSG_ID_LEN];
    uint8_t eid[YR_HASH16]; /* of the envelope sent last */
    uint8_t *sealed;        /* kind of envelope u8 | its body; NULL: not yet sealed */
    size_t sealed_len;
    uint8_t *plain; /* until sealed */
    size_t plain_len;
    bool sent;    /* over the present link */
    uint32_t day; /* whose keys it was sent under last */
};

struct yr_ack {
    uint8_t status, eid[YR_HASH16];
    uint64_t token;
};

/** The tag of a day that a friend may send under, as it comes to us. */
struct yr_day_tag {
    unsigned slot;
    uint32_t day;
    uint8_t tag[16];
};

/** Envelope keys of one day and direction, as last used. */
struct yr_day_keys {
    bool valid;
    uint32_t day;
    uint8_t env[32], tag[16];
};

/** What one friend is to be sent and has sent, and the keys for it. */
struct yr_box {
    bool used, up;
    uint8_t id[32], out_dir;
    struct yr_timekey timekey;
    struct yr_day_keys out_keys, in_keys;
    /* Highest days of envelopes: ours that were sent; ours that were opened; theirs we opened. */
    uint32_t sent_day, acked_day, heard_day;
    bool days_dirty;
    uint64_t day_token;                          /* with this one sent_day is durable */
    struct yr_session sessions[YR_SESSIONS_MAX]; /* newest first */
    size_t session_count;
    bool sessions_dirty;
    struct yr_skipped skipped;
    struct yr_prekey_own own[YR_PREKEYS_MAX];
    size_t own_count;
    struct yr_prekey theirs;
    bool has_theirs;
    struct yr_letter *window; /* ring of YR_WINDOW_MAX, in order; made with the first letter */
    size_t first, count;
    uint64_t next_order, loaded; /* loaded: highest order that is or was in the window */
    size_t queued;               /* rows in the outbox */
    struct yr_ack *acks;         /* YR_ENV_ACKS_HELD, allocated with the first one */
    size_t ack_count;
    uint64_t received_token; /* of the letter received last */
    double searches;         /* left */
    yr_us searches_us;
    struct yr_day_tag *tags; /* by day */
    size_t tag_count;
    bool tags_stale;
};

enum yr_delivery_count {
    YR_ENV_N_RECEIVED,
    YR_ENV_N_DUPLICATES,
    YR_ENV_N_DROP_FORM,
    YR_ENV_N_DROP_TAG,
    YR_ENV_N_DROP_AEAD,
    YR_ENV_N_DROP_SESSION,
    YR_ENV_N_DROP_GAP,
    YR_ENV_N_DROP_KIND,
    YR_ENV_N_MAILED,
    YR_ENV_N_AGAIN,
    YR_ENV_N_REFUSED,
    YR_ENV_COUNTERS
};

struct yr_delivery {
    struct yr_mem *mem;
    struct yr_rows *rows;
    const struct yr_rng *rng;
    const struct yr_age *age;
    struct yr_delivery_ops ops;
    uint64_t durable;
    uint64_t counters[YR_ENV_COUNTERS];
    struct yr_box *boxes[YR_FRIENDS_MAX];
    struct yr_map tags; /* SipHash of a tag -> struct yr_day_tag */
    uint8_t tags_secret[16];
    uint32_t tags_day; /* they were worked out for this one */
    bool tags_stale;   /* of some friend */
    uint64_t tags_version;
    struct yr_eids mailed; /* envelopes that came through others */
    uint8_t row[YR_LETTER_MAX];
    uint8_t envelope[YR_ENVELOPE_MAX];
    uint8_t opened[YR_ENVELOPE_MAX], plain[YR_ENVELOPE_MAX];
};

/** A stored letter; pointers lent from the row. */
struct yr_stored {
    uint64_t order;
    const uint8_t *id, *plain, *sealed;
    size_t plain_len, sealed_len;
};

/** NULL: the slot is free. */
static inline struct yr_box *yr_box_of(const struct yr_delivery *d, unsigned slot)
{
    YR_ASSERT(slot < YR_FRIENDS_MAX);
    return d->boxes[slot];
}

/** The i-th letter of the window. */
static inline struct yr_letter *yr_box_at(struct yr_box *b, size_t i)
{
    return &b->window[(b->first + i) % YR_WINDOW_MAX];
}

/* ---- delivery.c ---- */

/** An empty box in place of what the slot has; id: copied.  NULL: no memory. */
struct yr_box *yr_box_new(struct yr_delivery *d, unsigned slot, const uint8_t id[32],
                          uint8_t out_dir);
void yr_box_free(struct yr_delivery *d, unsigned slot);

/* ---- letters.c ---- */

/** Take letters out of the window, not out of the outbox. */
void yr_letters_clear(struct yr_delivery *d, struct yr_box *b);
/** What had been sealed can no longer be opened there: back to plain.  Errors: of the store. */
enum yr_err yr_letters_unseal(struct yr_delivery *d, struct yr_box *b);
/** Fill the window from the outbox, seal, send what may leave. */
void yr_letters_pump(struct yr_delivery *d, struct yr_box *b, unsigned slot, struct yr_now now);
/** Send what may leave, in order. */
void yr_letters_send(struct yr_delivery *d, struct yr_box *b, unsigned slot, struct yr_now now);
/** Letters that found no memory, or came while one did: they are tried again with the next commit.
 */
bool yr_letters_wait(struct yr_box *b);

/* ---- open.c ---- */

/** Tell what is durable. */
void yr_acks_send(struct yr_delivery *d, struct yr_box *b, unsigned slot);

/* ---- sessions.c ---- */

/** There is a session that can send. */
bool yr_sessions_can(const struct yr_box *b);
/** Seal one plaintext: *out (the caller's, yr_free) is kind u8 | body of an envelope.
 *  Errors: YR_EAGAIN: no session can; YR_ENOMEM; YR_ESIZE; YR_EFULL. */
YR_MUST_USE enum yr_err yr_sessions_seal(struct yr_delivery *d, struct yr_box *b,
                                         const uint8_t *plain, size_t plain_len, uint8_t **out,
                                         size_t *out_len);
/** Open a ratchet message into d->plain; counts what fails.  Errors: YR_EEXIST: a duplicate;
 *  YR_EAUTH: no session opens it; YR_ENOMEM. */
YR_MUST_USE enum yr_err yr_sessions_open(struct yr_delivery *d, struct yr_box *b, struct yr_now now,
                                         const uint8_t *msg, size_t len, size_t *plain_len);
/** Prekeys of ours past their time go. */
void yr_prekeys_expire(struct yr_delivery *d, struct yr_box *b, uint64_t now_s);

/* ---- days.c ---- */

/** The day to send under. */
uint32_t yr_days_send(const struct yr_box *b, struct yr_now now);
/** Days too old for any envelope go. */
void yr_days_forget(struct yr_box *b);
/** The friend has sent under this day. */
void yr_days_heard(struct yr_delivery *d, struct yr_box *b, uint32_t day);
/** Its tags may be others now. */
void yr_days_stale(struct yr_delivery *d, struct yr_box *b);
/** It is gone, and so are its tags. */
void yr_days_clear(struct yr_delivery *d, struct yr_box *b);
/** Work out what is stale. */
void yr_days_refresh(struct yr_delivery *d, struct yr_now now);
/** Keys of a day and direction into *keys; false: it cannot be derived. */
bool yr_days_use(const struct yr_box *b, struct yr_day_keys *keys, uint8_t dir, uint32_t day);
/** The day of a tag of the friend's, of all that can be derived, into b->in_keys.  Errors:
 *  YR_ENOENT: of none, or he has us search more than an honest friend does. */
YR_MUST_USE enum yr_err yr_days_find(struct yr_box *b, struct yr_now now, const uint8_t tag[16]);

/* ---- delivery_rows.c ---- */

/** Suffix of a letter's row. */
void yr_letter_key(uint8_t out[8], uint64_t order);
/** Errors: YR_ESIZE; of the store. */
enum yr_err yr_letter_put(struct yr_delivery *d, const struct yr_box *b, uint64_t order,
                          const uint8_t id[YR_MSG_ID_LEN], const uint8_t *plain, size_t plain_len,
                          const uint8_t *sealed, size_t sealed_len);
/** The first letter after `order`; lent until the next one is read or put. */
YR_MUST_USE enum yr_err yr_letter_next(struct yr_delivery *d, const struct yr_box *b,
                                       uint64_t order, struct yr_stored *out);
void yr_letter_del(struct yr_delivery *d, struct yr_box *b, uint64_t order);
/** Day keys and the highest days; prekeys, ours and theirs. */
void yr_box_put_days(struct yr_delivery *d, const struct yr_box *b);
void yr_box_put_prekeys(struct yr_delivery *d, const struct yr_box *b);

#endif
