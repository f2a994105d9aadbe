/* core/delivery/mailbox_state.h: what the files of mailbox.h share.  Nobody else includes it.
 *
 *     mailbox.c       deposits, what is told and sent, time
 *     mailbox_rows.c  what of it is on disk
 *
 * Rows: MAILTAG has the tags of a day, MAIL the envelopes, MAILINDEX what is known of them without
 * reading them: a full mailbox is a quarter of a gigabyte, its index eight megabytes. */
#ifndef YR_MAILBOX_STATE_H
#define YR_MAILBOX_STATE_H

#include "core/base/map.h"
#include "core/delivery/eids.h"
#include "core/delivery/mailbox.h"

#define YR_MB_VERSION   1
#define YR_MB_MAIL_HEAD (1 + 8) /* version, until */
#define YR_MB_KEY_LEN   (8 + YR_EID_LEN)
#define YR_MB_PART      64 /* envelopes, by order, in one row of the index */
#define YR_MB_PART_LEN  (1 + YR_MB_PART * (1 + YR_EID_LEN + 8 + 4))
#define YR_MB_DIRTY     4

enum yr_mb_count {
    YR_MB_N_KEPT,
    YR_MB_N_DUPLICATE,
    YR_MB_N_NO_TAG,
    YR_MB_N_FULL,
    YR_MB_N_RATE,
    YR_MB_N_SENT,
    YR_MB_N_TAKEN,
    YR_MB_N_EXPIRED,
    YR_MB_N_WITHDRAWN,
    YR_MB_COUNTERS
};

/* The tags of one day that one friend registered. */
struct yr_mb_day {
    unsigned slot;
    uint32_t day;
    size_t count;
    uint8_t tags[][16];
};

struct yr_mb_kept {
    unsigned slot; /* of whom it is for */
    unsigned from; /* who left it, as long as this process lives; YR_FRIENDS_MAX: not known */
    uint64_t order, until_s;
    uint32_t len;
    bool listed, wanted, sent; /* over the present link */
    uint8_t eid[YR_EID_LEN];
};

struct yr_mb_answer {
    uint8_t status, eid[YR_EID_LEN];
    uint64_t token;
};

struct yr_mb_friend {
    uint8_t id[32];
    bool consent, up;
    struct yr_mb_day *days[YR_MAIL_DAYS]; /* by day modulo */
    struct yr_mb_kept **kept;             /* by order */
    size_t count, cap;
    uint64_t bytes, next_order;
    size_t told, next_send; /* so many from the first are listed; none before is to be sent */
    uint64_t listed_token;  /* what came after it is not told yet */
    size_t sending;
    uint64_t dirty[YR_MB_DIRTY]; /* parts of the index that are not written yet */
    size_t dirty_count;
    /* as a depositor */
    double day_bytes, hour, strange, regs;
    uint64_t left, left_bytes, refused;
    yr_us refilled_us, strange_us, regs_us;
    struct yr_mb_answer *answers;
    size_t answer_count;
};

struct yr_mailbox {
    struct yr_mem *mem;
    struct yr_rows *rows;
    const struct yr_rng *rng;
    struct yr_mailbox_quota quota;
    struct yr_mailbox_ops ops;
    uint8_t secret[16];
    struct yr_map tags, eids; /* SipHash of a tag -> its day; of an id -> what is kept */
    struct yr_mb_friend *friends[YR_FRIENDS_MAX];
    uint64_t bytes, durable;
    size_t count, tag_count;
    struct yr_eids given; /* what friends had from here */
    uint64_t counters[YR_MB_COUNTERS];
    uint8_t row[YR_MB_MAIL_HEAD + YR_ENVELOPE_MAX];
};

/* ---- mailbox.c ---- */

/** Tags of a day of the friend's, in place of what was there.  Errors: YR_ENOMEM; YR_EFULL: too
 *  many of all friends. */
YR_MUST_USE enum yr_err yr_mb_take_day(struct yr_mailbox *mb, unsigned slot, uint32_t number,
                                       const uint8_t *tags, size_t count);
/** Behind the last.  k: taken, also by an error: YR_ENOMEM. */
YR_MUST_USE enum yr_err yr_mb_add(struct yr_mailbox *mb, unsigned slot, struct yr_mb_kept *k);

/* ---- mailbox_rows.c ---- */

/** Errors: YR_ECORRUPT, YR_EIO, YR_ENOMEM. */
YR_MUST_USE enum yr_err yr_mb_load(struct yr_mailbox *mb, unsigned slot);
void yr_mb_day_del(struct yr_mailbox *mb, const struct yr_mb_friend *f, uint32_t day);
enum yr_err yr_mb_day_put(struct yr_mailbox *mb, const struct yr_mb_friend *f, uint32_t day,
                          const uint8_t *tags, size_t count);
/** An envelope; the index is written by yr_mailbox_flush. */
enum yr_err yr_mb_mail_put(struct yr_mailbox *mb, struct yr_mb_friend *f,
                           const struct yr_mb_kept *k, const uint8_t *envelope);
void yr_mb_mail_del(struct yr_mailbox *mb, struct yr_mb_friend *f, const struct yr_mb_kept *k);
/** The envelope, lent in mb->row until the next call.  Errors: YR_ECORRUPT; of the store. */
YR_MUST_USE enum yr_err yr_mb_mail_get(struct yr_mailbox *mb, const struct yr_mb_friend *f,
                                       const struct yr_mb_kept *k, const uint8_t **envelope,
                                       size_t *len);

#endif
