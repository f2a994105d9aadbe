/* core/seal/skipped.h: the message keys of one friend's messages that have not come yet (B.7).
 *
 * Bounded three ways: YR_SKIPPED_MAX keys (the oldest go first) of YR_CHAINS_MAX chains (the one
 * longest without a new key goes first), none older than YR_SKIPPED_DAYS.  Kept in parts, each a
 * row of its own, so that taking one key out rewrites an eighth of them. */
#ifndef YR_SKIPPED_H
#define YR_SKIPPED_H

#include "core/base/mem.h"
#include "core/crypto/kdf.h"
#include "core/limits.h"

#define YR_SID_LEN 16

#define YR_SKIPPED_PARTS    8
#define YR_SKIPPED_PER_PART (YR_SKIPPED_MAX / YR_SKIPPED_PARTS)
#define YR_SKIPPED_KEY_LEN  (24 + 4 + 4 + 8 + 32)
#define YR_SKIPPED_ROW_MAX  (1 + 2 + YR_SKIPPED_PER_PART * YR_SKIPPED_KEY_LEN)

static_assert(YR_SKIPPED_MAX % YR_SKIPPED_PARTS == 0, "whole parts");
static_assert(YR_SKIPPED_ROW_MAX <= YR_ROW_MAX, "a part is a row");
static_assert(YR_SKIP_MAX <= YR_SKIPPED_MAX, "what one message skips can be kept");

struct yr_skipped_key; /* in skipped.c */

/** All sessions with one friend share one.  All fields are the module's own. */
struct yr_skipped {
    struct yr_mem *mem;
    struct yr_skipped_key *parts[YR_SKIPPED_PARTS]; /* heap; NULL while empty */
    size_t part_count[YR_SKIPPED_PARTS];
    size_t count;
    struct yr_skipped_chain {
        uint8_t tag[24];
        size_t count; /* 0: unused */
        uint64_t newest;
    } chains[YR_CHAINS_MAX];
    uint64_t next_seq;
    unsigned changed;
    uint32_t expired_day; /* when expire last ran */
};

/** Empty.  mem: borrowed until clear. */
void yr_skipped_init(struct yr_skipped *skipped, struct yr_mem *mem);
/** Wipe and give the memory back; empty afterwards, which is a change of the parts that were not.
 */
void yr_skipped_clear(struct yr_skipped *skipped);
/** Delete the keys that are older than YR_SKIPPED_DAYS; returns how many.  Opening a message does
 * so once a day; whoever keeps the keys of a silent friend calls it. */
size_t yr_skipped_expire(struct yr_skipped *skipped, uint64_t now_s);
/** Delete the keys of a session that is deleted; returns how many. */
size_t yr_skipped_forget(struct yr_skipped *skipped, const uint8_t sid[YR_SID_LEN]);

/** The parts that have changed since the last call, bit p for part p: rows to be written. */
unsigned yr_skipped_changed(struct yr_skipped *skipped);
/** One part as a row; returns its length, 0: empty, delete the row. */
size_t yr_skipped_encode(const struct yr_skipped *skipped, unsigned part,
                         uint8_t out[YR_SKIPPED_ROW_MAX]);
/** Take one part from its row, in place of what it held; not a change.
 *  Total.  Errors: YR_EPROTO; YR_EVERSION; YR_ENOMEM: nothing changed. */
YR_MUST_USE enum yr_err yr_skipped_decode(struct yr_skipped *skipped, unsigned part,
                                          const void *src, size_t len);

/* ---- for ratchet.c ---- */

/** Whose keys they are: a session's receiving chain. */
struct yr_chain_tag {
    uint8_t bytes[24];
};
struct yr_chain_tag yr_chain_tag(const uint8_t sid[YR_SID_LEN], const uint8_t dh[32]);

/** Copy the key of number n; false when it is not there. */
bool yr_skipped_find(const struct yr_skipped *skipped, const struct yr_chain_tag *tag, uint32_t n,
                     uint8_t mk[32]);
/** Delete it, once its message has been opened. */
void yr_skipped_use(struct yr_skipped *skipped, const struct yr_chain_tag *tag, uint32_t n);

/** Expire, unless it was done today. */
void yr_skipped_tick(struct yr_skipped *skipped, uint64_t now_s);

/** Get the memory for `count` (<= YR_SKIP_MAX) more keys; changes no key.  Errors: YR_ENOMEM. */
YR_MUST_USE enum yr_err yr_skipped_reserve(struct yr_skipped *skipped, size_t count);
/** Give back what reserve got and nobody used. */
void yr_skipped_trim(struct yr_skipped *skipped);
/** Make place for `count` keys of one chain within the three bounds; then put them, exactly. */
void yr_skipped_make_room(struct yr_skipped *skipped, const struct yr_chain_tag *tag, size_t count,
                          uint64_t now_s);
void yr_skipped_put(struct yr_skipped *skipped, const struct yr_chain_tag *tag, uint32_t n,
                    const uint8_t mk[32], uint64_t now_s);

#endif
