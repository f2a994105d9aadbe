/* core/delivery/delivery_state.h: what the files of delivery.h share.  Nobody else includes it.
 *
 *     delivery.c       the friends' boxes: made, loaded, linked, gone
 *     letters.c        what waits for a friend and is on its way
 *     post.c           what others keep while the friend is away, and say of it
 *     leave.c          leaving it with them
 *     receipts.c       receipts that wait, and those that came
 *     habit.c          at which hours somebody is there
 *     open.c           what comes from a friend, and acknowledgements of it
 *     sessions.c       the ratchets that seal and open, and begin
 *     resets.c         what is said when one does not open
 *     prekeys.c        what they begin with, ours and theirs
 *     opened.c         which messages were opened before
 *     session_rows.c   what of all four is on disk
 *     days.c           whose day's keys an envelope is under
 *     eids.c           which came already
 *     delivery_rows.c  what of it is on disk
 *
 * Rows: OUTBOX has letters by order, POSTED the envelopes that holders have of them, TIMEKEY the
 * days, SESSION and SKIPPED the ratchets, PREKEY our prekeys and the friend's. */
#ifndef YR_DELIVERY_STATE_H
#define YR_DELIVERY_STATE_H

#include "core/base/map.h"
#include "core/delivery/delivery.h"
#include "core/delivery/eids.h"
#include "core/wire/messages.h"

#define YR_DAY_TAGS    (YR_TIMEKEY_REACH + 1)
#define YR_LETTER_HEAD (1 + YR_MSG_ID_LEN + 1 + 8 + 8 + 4)
#define YR_SEALED_MAX  (1 + YR_PKH_LEN + YR_PLAIN_MAX + YR_RATCHET_OVERHEAD)
#define YR_LETTER_MAX  (YR_LETTER_HEAD + YR_PLAIN_MAX + YR_SEALED_MAX)

/** A friend that was given a post. */
struct yr_hold {
    uint8_t holder[16]; /* the first bytes of its identity */
    unsigned slot;      /* of it; YR_FRIENDS_MAX: not met since the start */
    unsigned via;       /* whose link a question went over, which waits; YR_FRIENDS_MAX: none */
    enum yr_held_status status;
    uint64_t since_s; /* of the age: last told so; ASKED: when asked */
    bool handed;      /* through another friend: it is not to know that the letter is ours */
    bool named;       /* the friend named it */
    bool ask;         /* does it still have it?  To be asked over the present link */
};

/** Who refused letters for a friend. */
struct yr_wary {
    yr_us until_us; /* not asked before */
    unsigned times; /* in a row */
};

/** The envelope in which a letter is left with holders.  Row POSTED, but for what is asked. */
struct yr_post {
    unsigned slot; /* whose letter */
    uint64_t order;
    uint64_t token; /* leaves when this is durable */
    uint8_t eid[YR_HASH16], nonce[YR_NONCE_LEN];
    uint32_t day, exp_s;
    uint64_t made_s; /* of the age */
    size_t count;
    struct yr_hold holds[YR_MAIL_HOLDERS_MAX];
};

/** One message on its way: loaded into the window. */
struct yr_letter {
    uint64_t order, token; /* token: leaves when this is durable */
    uint8_t id[YR_MSG_ID_LEN];
    uint8_t type;           /* enum yr_plain_type of a receipt; else 0 */
    uint64_t made_ms;       /* of the age */
    uint64_t expires_s;     /* unix time after which it is of no use; 0: never */
    struct yr_post *post;   /* NULL: not left with anybody */
    uint8_t eid[YR_HASH16]; /* of the envelope sent last */
    uint8_t *sealed;        /* kind of envelope u8 | its body; NULL: not yet sealed */
    size_t sealed_len;
    uint8_t *plain; /* until sealed */
    size_t plain_len;
    bool was_sealed; /* as yr_stored */
    bool sent;       /* over the present link */
    uint32_t day;    /* whose keys it was sent under last */
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

#define YR_RECEIPT_KINDS 3 /* DELIVERED, READ, NOOP */

/* Times of the following are seconds of the age clock (yr_age_s). */

/** What there is to a session beside its keys. */
struct yr_session_more {
    uint64_t since_s; /* it was made, or has opened something, then */
    bool dead;        /* the friend does not know it: nothing is sent on it */
    bool opening;     /* begun by us and not answered: the header goes with every message */
    uint8_t header[YR_PKH_LEN];
};

/** A prekey of ours. */
struct yr_own_prekey {
    struct yr_prekey_own key;
    uint64_t made_s, used_s; /* used_s 0: never */
};

/** A handshake of the friend's that began a session. */
struct yr_pkh_known {
    uint32_t prekey;
    uint8_t e[32];
};

/** What goes to the friend outside of any session: that we cannot read one, or have none. */
struct yr_note {
    bool due, ask;     /* ask: there is none, sid8 is zero */
    bool sent, posted; /* over the present link; left with holders */
    uint8_t sid8[8], eid[YR_HASH16];
    uint64_t token; /* leaves when this is durable */
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
    uint64_t day_token; /* with this one sent_day is durable */
    /* The first is the one to send on; the others only receive. */
    struct yr_session sessions[YR_SESSIONS_MAX];
    struct yr_session_more more[YR_SESSIONS_MAX];
    size_t session_count;
    bool sessions_dirty;
    struct yr_skipped skipped;
    uint8_t (*opened)[YR_OPENED_LEN]; /* YR_OPENED_MAX, a ring; NULL: none yet */
    uint64_t opened_total;
    unsigned opened_changed;                  /* parts */
    struct yr_own_prekey own[YR_PREKEYS_MAX]; /* newest first */
    size_t own_count;
    uint32_t own_last; /* the highest id ever given */
    struct yr_prekey theirs;
    uint64_t theirs_until_s;
    bool has_theirs;
    bool prekeys_dirty; /* any of the following to `note`, too */
    struct yr_pkh_known known[YR_PKH_KNOWN_MAX];
    size_t known_count;
    uint64_t starts_s[YR_PKH_DAY]; /* sessions we began, newest first */
    size_t start_count;
    uint64_t resets_s[YR_PKH_DAY + YR_PKH_KNOWN_MAX]; /* sessions that replaced one, likewise */
    size_t reset_count;
    uint64_t bad_s, ask_s; /* when a note of either sort was last made; 0: never */
    uint8_t bad_sid8[8];
    bool want; /* to say it of this one, when it may be said again */
    uint8_t want_sid8[8];
    struct yr_note note;
    uint64_t fails_s[YR_SESSION_FAILS]; /* messages that did not open, newest first */
    bool reset_untold, answer_due;      /* see yr_delivery_settle */
    yr_us answer_us, scan_us, catch_us; /* not before */
    double headers;                     /* left to look at */
    yr_us headers_us;
    struct yr_letter *window; /* ring of cap (<= YR_WINDOW_MAX), in order */
    size_t cap, first, count;
    uint64_t next_order, loaded; /* loaded: highest order that is or was in the window */
    size_t queued;               /* rows in the outbox */
    struct yr_ack *acks;         /* YR_ENV_ACKS_HELD, allocated with the first one */
    size_t ack_count;
    uint64_t received_token; /* of the letter received last */
    double looks; /* at letters, that acknowledgements of nothing have cost; forgiven with time */
    yr_us looks_us;
    double searches; /* left */
    yr_us searches_us;
    struct yr_day_tag *tags; /* by day */
    size_t tag_count;
    bool tags_stale;
    /* posts */
    yr_us lost_us;       /* nothing is left with others before */
    yr_us asked_us;      /* letters wait for an answer over the link since; 0: none */
    yr_us post_us;       /* when to look at them next */
    uint64_t post_token; /* look again when this is durable */
    uint64_t receipts[YR_RECEIPT_KINDS]; /* orders of those that wait unsealed; 0: none */
    struct yr_wary *wary;                /* [slot]: who refused; or NULL */
    uint8_t proven[YR_FRIENDS_MAX / 8];  /* who took letters for this friend lately */
    uint8_t trying[YR_FRIENDS_MAX / 8];  /* who was asked for the first time */
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
    YR_ENV_N_POSTED,
    YR_ENV_N_CUSTODY,
    YR_ENV_N_POST_REFUSED,
    YR_ENV_N_TAKEN,
    YR_ENV_N_GONE,
    YR_ENV_N_RENEWED,
    YR_ENV_N_RECEIPTED,
    YR_ENV_N_DROP_PREKEY,
    YR_ENV_N_BEGUN,
    YR_ENV_N_ACCEPTED,
    YR_ENV_N_BAD_SENT,
    YR_ENV_N_BAD_TAKEN,
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
    /* posts */
    struct yr_now now;                /* of the last call that said it */
    yr_us due_us;                     /* when tick has work */
    struct yr_map posts;              /* beginning of an eid -> its post */
    unsigned out[YR_FRIENDS_MAX];     /* questions that wait for an answer over this link */
    bool asks[YR_FRIENDS_MAX];        /* some post is to be asked for there */
    yr_us doubt_us[YR_FRIENDS_MAX];   /* it may have less than it said: asked then; 0: no doubt */
    yr_us doubted_us[YR_FRIENDS_MAX]; /* asked so the last time */
    uint64_t down_s[YR_FRIENDS_MAX];  /* age when the link was lost; 0: never was one */
    uint8_t row[YR_LETTER_MAX];
    uint8_t envelope[YR_ENVELOPE_MAX], handed[YR_HASH16 + YR_ENVELOPE_MAX];
    uint8_t opened[YR_ENVELOPE_MAX], plain[YR_ENVELOPE_MAX];
};

/** A stored letter; pointers lent from the row. */
struct yr_stored {
    uint64_t order, made_ms, expires_s;
    uint8_t type;
    bool was_sealed; /* for a session that is no more: somebody may have it */
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
    return &b->window[(b->first + i) % b->cap];
}

/* ---- delivery.c ---- */

/** An empty box in place of what the slot has; id: copied.  NULL: no memory. */
struct yr_box *yr_box_new(struct yr_delivery *d, unsigned slot, const uint8_t id[32],
                          uint8_t out_dir);
void yr_box_free(struct yr_delivery *d, unsigned slot);

/** The friend is not there as far as one can see: without a link, or with one over which nothing
 *  that was sent is confirmed. */
static inline bool yr_box_away(const struct yr_box *b, struct yr_now now)
{
    return !b->up || (b->asked_us != 0 && now.mono_us - b->asked_us >= YR_POST_MUTE_MS * YR_MS);
}

/* ---- letters.c ---- */

/** Take letters out of the window, not out of the outbox.  Their posts are no more in memory. */
void yr_letters_clear(struct yr_delivery *d, struct yr_box *b);
/** What was sealed on this session (NULL: on any) can no longer be opened there: back to plain.
 *  Errors: of the store. */
enum yr_err yr_letters_unseal(struct yr_delivery *d, struct yr_box *b, const uint8_t sid8[8]);
/** Fill the window from the outbox, seal, send what may leave. */
void yr_letters_pump(struct yr_delivery *d, struct yr_box *b, unsigned slot, struct yr_now now);
/** Send what may leave, in order. */
void yr_letters_send(struct yr_delivery *d, struct yr_box *b, unsigned slot, struct yr_now now);
/** An empty window of a friend who is away takes no memory. */
void yr_letters_shrink(struct yr_delivery *d, struct yr_box *b);
/** Fill the window from the outbox.  Errors: YR_ENOMEM: not all of it; of the store. */
enum yr_err yr_letters_fill(struct yr_delivery *d, struct yr_box *b);
/** Seal one and store it sealed; errors as yr_sessions_seal. */
enum yr_err yr_letter_seal(struct yr_delivery *d, struct yr_box *b, struct yr_letter *l);
/** The letter of the window that has this order, or NULL. */
struct yr_letter *yr_letter_of(struct yr_box *b, uint64_t order);
/** The friend has it: out of window and outbox.  day: under which he opened it; 0: not known. */
void yr_letter_done(struct yr_delivery *d, struct yr_box *b, struct yr_letter *l, uint32_t day);
/** The friend itself says that it has this letter, from wherever. */
void yr_letter_receipted(struct yr_delivery *d, struct yr_box *b, const uint8_t id[YR_MSG_ID_LEN]);
/** The day to send under; its being so is on its way to the disk: see yr_days_ready. */
uint32_t yr_days_take(struct yr_delivery *d, struct yr_box *b, struct yr_now now);
uint32_t yr_days_take_post(struct yr_delivery *d, struct yr_box *b, struct yr_now now);
/** Letters that found no memory, or came while one did: they are tried again with the next commit.
 */
bool yr_letters_wait(struct yr_box *b);

static inline bool yr_slots_has(const uint8_t *set, unsigned slot)
{
    return (set[slot / 8] >> slot % 8 & 1) != 0;
}

static inline void yr_slots_put(uint8_t *set, unsigned slot, bool on)
{
    const uint8_t bit = (uint8_t)(1U << slot % 8);

    set[slot / 8] = (uint8_t)(on ? set[slot / 8] | bit : set[slot / 8] & ~bit);
}

/* ---- leave.c ---- */

/** Leave with holders what is due of this friend's, and see when to look again. */
void yr_posts_leave(struct yr_delivery *d, struct yr_box *b, unsigned slot);
/** A letter has come into the outbox that may be left with others, in a while. */
void yr_posts_wait(struct yr_delivery *d, struct yr_box *b, const struct yr_stored *s);

/* ---- post.c ---- */

bool yr_posts_linked(const struct yr_delivery *d, unsigned slot);
/** Its custody counts: it said so, is linked or was not long ago, and the time is not over. */
bool yr_hold_live(const struct yr_delivery *d, const struct yr_post *post,
                  const struct yr_hold *hold, uint64_t now_s);
/** Age at which it counts no more if nothing is heard of it; at which nobody's does. */
uint64_t yr_hold_silent_s(const struct yr_delivery *d, const struct yr_hold *hold);
uint64_t yr_post_over_s(const struct yr_post *post);
/** What is known of this friend as a holder of it, or NULL. */
struct yr_hold *yr_post_hold(const struct yr_delivery *d, struct yr_post *post, unsigned slot);
/** A question about it went over this link and was not answered yet. */
bool yr_post_waits(const struct yr_post *post, unsigned via);

yr_ms yr_age_ms_of(const struct yr_delivery *d, struct yr_now now);
uint64_t yr_age_s(const struct yr_delivery *d, struct yr_now now);
/** Out of memory; the row too. */
void yr_post_free(struct yr_delivery *d, struct yr_letter *l);
void yr_post_del(struct yr_delivery *d, const struct yr_box *b, struct yr_letter *l);
/** A post read from its row goes to its letter.  Errors: YR_ENOMEM. */
YR_MUST_USE enum yr_err yr_post_enter(struct yr_delivery *d, unsigned slot, struct yr_letter *l,
                                      const struct yr_post *post);
/** The envelope again, in d->envelope; false: its day has been forgotten. */
bool yr_post_envelope(struct yr_delivery *d, struct yr_box *b, const struct yr_letter *l,
                      size_t *len);
/** A link is up or lost: whom it may serve as a holder, and who is away now. */
void yr_posts_up(struct yr_delivery *d, struct yr_now now, unsigned slot);
void yr_posts_down(struct yr_delivery *d, struct yr_now now, unsigned slot);
/** A friend is no more: nor is what it keeps. */
void yr_posts_forget(struct yr_delivery *d, unsigned slot);
/** Look at the posts of this friend at `at_us`, if not before. */
void yr_posts_look(struct yr_delivery *d, struct yr_box *b, yr_us at_us);
/** Everything is durable up to d->durable; a link takes more. */
void yr_posts_release(struct yr_delivery *d);
void yr_posts_room(struct yr_delivery *d, unsigned slot);
/** One entry of an ENV_ACK that is about no letter of who sent it. */
void yr_posts_acked(struct yr_delivery *d, unsigned from, uint8_t status,
                    const uint8_t eid[YR_HASH16]);

/* ---- receipts.c ---- */

/** What kind of receipt it is, 0..YR_RECEIPT_KINDS - 1; YR_RECEIPT_KINDS: none. */
unsigned yr_receipt_kind(const struct yr_plain *plain);
/** Add its ids to one that waits: true if that has been done. */
bool yr_receipt_merge(struct yr_delivery *d, struct yr_box *b, unsigned kind,
                      const struct yr_plain *plain);
/** What the friend's plaintext says of letters of ours. */
void yr_receipts_take(struct yr_delivery *d, struct yr_box *b, const uint8_t *plain, size_t len);
/** Receipts too old go. */
void yr_receipts_expire(struct yr_delivery *d, struct yr_box *b);

/* ---- open.c ---- */

/** Tell what is durable. */
void yr_acks_send(struct yr_delivery *d, struct yr_box *b, unsigned slot);

/* ---- sessions.c ---- */

/** There is a session that can send. */
bool yr_sessions_can(const struct yr_box *b);
/** Begin one, if none ever could and that is possible; whoever is about to seal calls it before,
 *  but never from within the chat. */
void yr_sessions_begin(struct yr_delivery *d, struct yr_box *b, unsigned slot, struct yr_now now);
/** yr_sessions_begin would. */
bool yr_sessions_may_begin(const struct yr_delivery *d, const struct yr_box *b, struct yr_now now);
/** Have this looked at again at an age. */
void yr_sessions_look(struct yr_delivery *d, struct yr_box *b, struct yr_now now, uint64_t at_s);
/** Seal one plaintext: *out (the caller's, yr_free) is kind u8 | body of an envelope.
 *  Errors: YR_EAGAIN: no session can; YR_ENOMEM; YR_ESIZE; YR_EFULL. */
YR_MUST_USE enum yr_err yr_sessions_seal(struct yr_delivery *d, struct yr_box *b,
                                         const uint8_t *plain, size_t plain_len, uint8_t **out,
                                         size_t *out_len);
/** The session that this was sealed on (kind u8 | body): lent from it; NULL: on none. */
const uint8_t *yr_sealed_sid8(const uint8_t *sealed, size_t len);
/** Open the body of an envelope of kind MESSAGE or PREKEY into d->plain; counts what fails, and
 *  asks for a new session if that can help.  direct: over the friend's own link.
 *  Errors: YR_EEXIST: a duplicate; YR_EAUTH: no session opens it; YR_ENOMEM. */
YR_MUST_USE enum yr_err yr_sessions_open(struct yr_delivery *d, struct yr_box *b, unsigned slot,
                                         struct yr_now now, enum yr_envelope_kind kind,
                                         const uint8_t *body, size_t len, bool direct,
                                         size_t *plain_len);
/** None is left, nor any of their skipped keys. */
void yr_sessions_clear(struct yr_box *b);
/** What is left of sessions on which nothing has come for long goes. */
void yr_sessions_expire(struct yr_delivery *d, struct yr_box *b, struct yr_now now);

/* ---- resets.c ---- */

/** A message on this session did not open, or there is no such session: tell the friend. */
void yr_resets_tell(struct yr_delivery *d, struct yr_box *b, struct yr_now now,
                    const uint8_t sid8[8]);
/** One that stood for itself: `direct` or often. */
void yr_resets_failed(struct yr_delivery *d, struct yr_box *b, struct yr_now now,
                      const uint8_t sid8[8], bool direct);
/** A session took the place of another. */
void yr_resets_count(struct yr_delivery *d, struct yr_box *b, struct yr_now now);
/** There is a new session: nothing more is to be said. */
void yr_resets_over(struct yr_box *b);
/** Say something to the friend, whatever it is; now and then. */
void yr_resets_answer(struct yr_box *b, struct yr_now now);
/** The body of a SESSION_BAD.  Errors: YR_EPROTO; of the store. */
YR_MUST_USE enum yr_err yr_resets_take(struct yr_delivery *d, struct yr_box *b, struct yr_now now,
                                       const uint8_t *body, size_t len);
/** Ask for a session if one is missing; send the note that is due, once it is durable. */
void yr_resets_pump(struct yr_delivery *d, struct yr_box *b, unsigned slot, struct yr_now now);
/** The friend has the note. */
void yr_resets_noted(struct yr_box *b);
/** The note in an envelope: in d->envelope.  false: there is none, or not yet. */
bool yr_resets_envelope(struct yr_delivery *d, struct yr_box *b, struct yr_now now, size_t *len);

/* ---- prekeys.c ---- */

/** The newest of our own, made if it is too old, used, or `always`. */
struct yr_own_prekey *yr_prekeys_make(struct yr_delivery *d, struct yr_box *b, struct yr_now now,
                                      bool always, bool *fresh);
/** Ours of this id, if it is good; NULL: not known, or dead. */
struct yr_own_prekey *yr_prekeys_find(const struct yr_delivery *d, struct yr_box *b,
                                      struct yr_now now, uint32_t id);
/** The friend's newest can be used. */
bool yr_prekeys_theirs(const struct yr_delivery *d, const struct yr_box *b, struct yr_now now);
/** One of the friend's, in place of the one we had. */
void yr_prekeys_take(struct yr_delivery *d, struct yr_box *b, struct yr_now now,
                     const struct yr_prekey *prekey);
/** It is newer than the one we had. */
bool yr_prekeys_newer(const struct yr_delivery *d, const struct yr_box *b, struct yr_now now,
                      const struct yr_prekey *prekey);
/** Prekeys of ours past their time go, and what is remembered of them. */
void yr_prekeys_expire(struct yr_delivery *d, struct yr_box *b, struct yr_now now);

/* ---- opened.c ---- */

/** This ratchet message was opened before. */
bool yr_opened_has(const struct yr_box *b, const uint8_t *msg, size_t len);
/** Room for one more.  Errors: YR_ENOMEM. */
YR_MUST_USE enum yr_err yr_opened_reserve(struct yr_delivery *d, struct yr_box *b);
void yr_opened_add(struct yr_box *b, const uint8_t *msg);
void yr_opened_clear(struct yr_delivery *d, struct yr_box *b);
YR_MUST_USE enum yr_err yr_opened_load(struct yr_delivery *d, struct yr_box *b);
void yr_opened_flush(struct yr_delivery *d, struct yr_box *b);
void yr_opened_remove(struct yr_delivery *d, struct yr_box *b);

/* ---- session_rows.c ---- */

/** Sessions, prekeys, what was seen.  Errors: YR_ECORRUPT; YR_ENOMEM; YR_EIO. */
YR_MUST_USE enum yr_err yr_sessions_load(struct yr_delivery *d, struct yr_box *b);
/** What of it has changed. */
void yr_sessions_flush(struct yr_delivery *d, struct yr_box *b);
void yr_sessions_remove(struct yr_delivery *d, struct yr_box *b);

/* ---- days.c ---- */

/** The day to send under. */
uint32_t yr_days_send(const struct yr_box *b, struct yr_now now);
/** The same for what is left with others. */
uint32_t yr_days_post(const struct yr_box *b, struct yr_now now);
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
/** Nothing of it may lie in d->row.  Errors: YR_ESIZE; of the store. */
enum yr_err yr_letter_put(struct yr_delivery *d, const struct yr_box *b,
                          const struct yr_stored *letter);
/** One by its order; lent as yr_letter_next.  Errors: YR_ENOENT; of the store. */
YR_MUST_USE enum yr_err yr_letter_get(struct yr_delivery *d, const struct yr_box *b, uint64_t order,
                                      struct yr_stored *out);
void yr_post_put(struct yr_delivery *d, const struct yr_box *b, struct yr_post *post);
/** The post of a letter.  Errors: YR_ENOENT; YR_ECORRUPT; of the store. */
YR_MUST_USE enum yr_err yr_post_get(struct yr_delivery *d, const struct yr_box *b, uint64_t order,
                                    struct yr_post *out);
/** Its time is over by the wall clock. */
bool yr_letter_over(const struct yr_letter *l, struct yr_now now);
/** In d->row, where a letter was just read: it was sealed. */
void yr_letter_mark(struct yr_delivery *d);
/** The first letter after `order`; lent until the next one is read or put. */
YR_MUST_USE enum yr_err yr_letter_next(struct yr_delivery *d, const struct yr_box *b,
                                       uint64_t order, struct yr_stored *out);
void yr_letter_del(struct yr_delivery *d, struct yr_box *b, uint64_t order);
/** Day keys and the highest days. */
void yr_box_put_days(struct yr_delivery *d, const struct yr_box *b);

#endif
