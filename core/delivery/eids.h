/* core/delivery/eids.h: the last YR_MAIL_SEEN_MAX envelopes that something happened to, so that it
 * does not happen twice. */
#ifndef YR_EIDS_H
#define YR_EIDS_H

#include "core/base/map.h"
#include "core/store/rows.h"

enum yr_seen_kind {
    YR_SEEN_NOTHING, /* not to be told to anybody */
    YR_SEEN_TEXT,    /* its author waits for DELIVERED */
    YR_SEEN_LETTER   /* ... for an acknowledgement */
};

struct yr_seen {
    uint8_t eid[YR_HASH16];
    uint8_t who[YR_HASH16]; /* the first bytes of its author's identity */
    uint8_t msg[YR_MSG_ID_LEN];
    enum yr_seen_kind kind;
    uint64_t token; /* with this one it is durable */
    yr_us told_us;  /* for the owner */
};

enum yr_eids_table {
    YR_EIDS_MAILED, /* came to us through others */
    YR_EIDS_GIVEN   /* kept by us until the friend had it */
};

struct yr_eids {
    struct yr_mem *mem;
    struct yr_rows *rows;
    enum yr_eids_table table;
    uint8_t secret[16];
    struct yr_map map;
    struct yr_seen *ring; /* YR_MAIL_SEEN_MAX, made with the first one */
    uint64_t next;        /* how many there have been */
};

/** mem, rows: borrowed. */
void yr_eids_init(struct yr_eids *eids, struct yr_mem *mem, struct yr_rows *rows,
                  const struct yr_rng *rng, enum yr_eids_table table);
void yr_eids_clear(struct yr_eids *eids);
/** Read the rows.  Errors: YR_ECORRUPT, YR_EIO, YR_ENOMEM. */
YR_MUST_USE enum yr_err yr_eids_load(struct yr_eids *eids);
/** NULL: it is not known, or not any more.  Lent until the next call that changes anything. */
struct yr_seen *yr_eids_find(const struct yr_eids *eids, const uint8_t eid[YR_HASH16]);
/** Remember this one (copied), in the present transaction, and forget the oldest.  One that is
 * known stays as it is.  Without memory it is not remembered: it can happen again. */
void yr_eids_add(struct yr_eids *eids, const struct yr_seen *seen);

#endif
