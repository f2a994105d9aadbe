/* core/delivery/mailbox.h: what we keep for friends who are away: sealed envelopes that their
 * friends leave with us.  docs/protocol.md "Mail" (B.6).
 *
 *   offer -> tags registered -> deposit: stored -> durable: custody told -> the friend comes:
 * listed
 *     -> asked for, sent -> acknowledged: gone          its time is over, consent withdrawn: gone
 *
 * An envelope is kept only under a tag that its receiver registered, so nobody can fill our disk
 * but a friend's friends, and those within quotas.  Nothing is written down about who left it here.
 * What was acknowledged is not dropped before its time for anything but our own user's word; who
 * left it can ask (MBX_ASK) and is then told the truth.
 *
 * Times are seconds of a clock that does not leap: see the age in core/room. */
#ifndef YR_MAILBOX_H
#define YR_MAILBOX_H

#include "core/seal/envelope.h"
#include "core/store/rows.h"
#include "core/wire/frames.h"
#include "yaari/node.h"

struct yr_mailbox_ops {
    /** Queue a frame on the friend's chat channel.  Errors: YR_EAGAIN (link down), YR_EFULL
     *  (yr_mailbox_room will be called), others. */
    enum yr_err (*frame)(void *ctx, unsigned slot, uint8_t type, const uint8_t *body, size_t len);
    void *ctx;
};

struct yr_mailbox_quota {
    uint64_t each_bytes, all_bytes, day_bytes;
    size_t each, all, hour;
};
/** Of an ordinary node, or of a keeper: sixteen times as much. */
struct yr_mailbox_quota yr_mailbox_quota(bool keeper);

struct yr_mailbox;

/** Errors: YR_ENOMEM. */
YR_MUST_USE enum yr_err yr_mailbox_new(struct yr_mailbox **out, struct yr_mem *mem,
                                       struct yr_rows *rows, const struct yr_rng *rng,
                                       const struct yr_mailbox_quota *quota,
                                       const struct yr_mailbox_ops *ops);
void yr_mailbox_free(struct yr_mailbox *mb);
/** Other quotas from now on; what is kept stays.  Those who are linked are told. */
void yr_mailbox_limit(struct yr_mailbox *mb, const struct yr_mailbox_quota *quota);
/** Does a friend wait for what is under this tag? */
bool yr_mailbox_waits(const struct yr_mailbox *mb, const uint8_t tag[16]);
/** Read what friends had from here.  Errors: YR_ECORRUPT, YR_EIO, YR_ENOMEM. */
YR_MUST_USE enum yr_err yr_mailbox_start(struct yr_mailbox *mb);
/** Forget what is in memory, of all slots. */
void yr_mailbox_reset(struct yr_mailbox *mb);

/** A friend: read what is registered and kept for it.  id: copied.  consent: keep for it.
 *  Errors: YR_ECORRUPT, YR_EIO, YR_ENOMEM. */
YR_MUST_USE enum yr_err yr_mailbox_enter(struct yr_mailbox *mb, unsigned slot, const uint8_t id[32],
                                         bool consent);
/** Forget a friend and delete its rows. */
void yr_mailbox_remove(struct yr_mailbox *mb, unsigned slot);
/** Keep for this friend, or no more: then all that was kept goes, and all who are linked are told
 *  the offer again, so that they ask for what they left. */
void yr_mailbox_consent(struct yr_mailbox *mb, unsigned slot, bool consent);

void yr_mailbox_up(struct yr_mailbox *mb, unsigned slot);
void yr_mailbox_down(struct yr_mailbox *mb, unsigned slot);
/** The chat channel has room again. */
void yr_mailbox_room(struct yr_mailbox *mb, unsigned slot);

/** MBX_REG, MBX_GET, MBX_ASK of a friend.  Errors: YR_EPROTO: close the link; YR_ENOMEM; of the
 *  store. */
YR_MUST_USE enum yr_err yr_mailbox_frame(struct yr_mailbox *mb, struct yr_now now, unsigned slot,
                                         uint8_t type, const uint8_t *body, size_t len);
/** An envelope with which `slot` means somebody else: it is kept or not, and its sender told by
 *  ENV_ACK, custody once it is durable.  Errors: YR_EPROTO: more than it may have on its way, or
 *  again and again for nobody here;
 *  YR_ENOMEM; of the store. */
YR_MUST_USE enum yr_err yr_mailbox_deposit(struct yr_mailbox *mb, struct yr_now now, uint64_t now_s,
                                           unsigned slot, const uint8_t *envelope, size_t len);
/** The friend it is for has this one, wherever from: it goes. */
void yr_mailbox_acked(struct yr_mailbox *mb, unsigned slot, const uint8_t eid[YR_EID_LEN]);

/** Before a transaction is taken: the index of what came and went. */
void yr_mailbox_flush(struct yr_mailbox *mb);
/** Everything up to this token is durable: what waited for it is told. */
void yr_mailbox_release(struct yr_mailbox *mb, uint64_t durable);
/** Once an hour or so: what has expired goes. */
void yr_mailbox_expire(struct yr_mailbox *mb, uint64_t now_s);

struct yr_mailbox_info {
    bool consent, registered;
    size_t kept;
    uint64_t bytes;
    uint64_t left, left_bytes, refused; /* by it, since the start */
};
/** What is kept for this friend, and what it left for others. */
void yr_mailbox_info(const struct yr_mailbox *mb, unsigned slot, struct yr_mailbox_info *out);
struct yr_counter yr_mailbox_counter(const struct yr_mailbox *mb, size_t i);

#endif
