/* core/chat/conv.h: what is kept in memory of one conversation, and its row.
 *
 * The row is written when the chats are flushed, so it changes once a transaction however many
 * messages there are.  A crash loses it together with the messages it counts. */
#ifndef YR_CONV_H
#define YR_CONV_H

#include "core/chat/record.h"
#include "core/store/rows.h"

/** Where a message stands, as far as its children need to know. */
struct yr_spot {
    uint8_t id[YR_MSG_ID_LEN];
    uint64_t eff;
    bool settled; /* all its ancestors are known, or given up: it will not move */
};

/** An unread message that stands above the read marker: it came late. */
struct yr_above {
    struct yr_place place;
    uint8_t id[YR_MSG_ID_LEN];
    bool mention;
};

enum yr_conv_kind { YR_CONV_DIRECT, YR_CONV_SELF, YR_CONV_ROOM };

struct yr_conv {
    uint8_t id[YR_ID_LEN];
    bool dirty; /* differs from its row */

    /* who we are in it; not stored */
    enum yr_conv_kind kind;
    uint8_t self[YR_ID_LEN];    /* the author of what we say; in a room: mid and zero bytes */
    char nick[YR_NICK_MAX + 1]; /* in a room: "@nick" is a mention */

    /* ours */
    uint64_t hlc, seq, note_count; /* seq: not in a room, where the record counts */

    /* the order of messages; in a room all but eff_max and orphans is idle */
    uint64_t eff_max; /* no message stands below this */
    uint32_t epoch;   /* messages that wait for ancestors carry it; giving up is a new epoch */
    uint32_t edges;   /* rows that say who waits for whom */
    uint32_t orphans; /* operations that wait for their target */
    size_t head_count;
    struct yr_spot heads[YR_HEADS_MAX];
    size_t recent_count, recent_next; /* not stored */
    struct yr_spot recent[YR_RECENT_MAX];

    /* what was read */
    struct yr_place marker;           /* all up to here, but for `above` */
    uint8_t marker_id[YR_MSG_ID_LEN]; /* zero: nothing was */
    uint64_t below_count;             /* unread messages below the marker ... */
    uint64_t below_mentions;          /* ... how many of them mention us ... */
    struct yr_place first;            /* ... and the first of them */
    uint8_t first_id[YR_MSG_ID_LEN];
    size_t above_count;
    struct yr_above above[YR_SKIPPED_READ_MAX]; /* in order of arrival */

    /* receipts that wait for the flush; not stored */
    uint8_t (*acks)[YR_MSG_ID_LEN];
    size_t ack_count, ack_cap;
    yr_ms note_ms; /* when "could not be read" was last said */
};

void yr_conv_encode(const struct yr_conv *conv, uint8_t out[YR_CONV_MAX], size_t *len);
/** Everything that is stored; the rest of *out is zeroed, id included.  Total.
 *  Errors: YR_ECORRUPT. */
YR_MUST_USE enum yr_err yr_conv_decode(struct yr_conv *out, const uint8_t *src, size_t len);

/** The spot of a message among heads and recent ones, or NULL. */
struct yr_spot *yr_conv_spot(struct yr_conv *conv, const uint8_t id[YR_MSG_ID_LEN]);
/** Remember a message's spot; `head`: nobody cites it yet. */
void yr_conv_add(struct yr_conv *conv, const struct yr_spot *spot, bool head);
/** It is cited now (or gone). */
void yr_conv_cite(struct yr_conv *conv, const uint8_t id[YR_MSG_ID_LEN]);
/** It moved or settled. */
void yr_conv_moved(struct yr_conv *conv, const struct yr_spot *spot);
/** Nobody waits for ancestors any more: all that waited are settled where they stand. */
void yr_conv_settle_all(struct yr_conv *conv);

#endif
