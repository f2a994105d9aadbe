/* core/room/sync.h: how the records of rooms spread over the links between friends.
 * docs/protocol.md "Spreading"; B.9.6.
 *
 *     link up -> TAGS both ways: which rooms have we both? -> OPEN: proof of being a member
 *             -> HAVE: hash of all chains -> equal: done
 *                                         -> differs: VEC (what I have) -> WANT ranges -> RECs
 *     a new record -> REC at once to the eager neighbours of its author, IHAVE to the lazy ones;
 *     a record that was known -> PRUNE: that neighbour becomes lazy for this author;
 *     an IHAVE nobody followed up -> GRAFT: send it, and be eager again
 *     missing ancestors -> GET by id;  a chain with equal length but other digest (a fork) -> ids
 *
 * A neighbour is a friend with a link who has proved that he is a member now.  Nothing is known of
 * a neighbour beyond the session, nothing about him is stored.  Who is no member (any more) gets
 * the operation that removed him and what it stands on, and nothing else.
 *
 * Everything a neighbour can make us keep is bounded; what he asks for is sent as fast as the link
 * takes it, in causal order, from disk. */
#ifndef YR_ROOM_SYNC_H
#define YR_ROOM_SYNC_H

#include "core/room/log.h"

struct yr_room_sync;

/** A room, as far as spreading is concerned.  Lent for the call. */
struct yr_room_view {
    struct yr_room_log *log;
    const uint8_t *self;    /* our mid; NULL: we are no member (yet) and only listen */
    const uint8_t *sign_sk; /* 64 bytes; NULL with self */
    /* records of ours that arrived from here on, and states of ours with this clock or a later one,
     * are not durable yet: whoever asks for them waits, or we might give their numbers to others
     * after a crash; UINT64_MAX (as it is when asked): there are none */
    uint64_t unkept, unkept_state;
};

struct yr_room_sync_ops {
    /** Queue a frame on the friend's rooms channel.  Errors: YR_EAGAIN: the link is down; YR_EFULL:
     *  yr_room_sync_space will be called; others. */
    enum yr_err (*frame)(void *ctx, unsigned slot, uint8_t type, const uint8_t *body, size_t len);
    /** The i-th room; false past the end.  Numbers stay as they are until yr_room_sync_rooms. */
    bool (*room)(void *ctx, size_t i, struct yr_room_view *out);
    /** 32 bytes, known to this friend and us alone, and the direction byte of what we send. */
    const uint8_t *(*pair)(void *ctx, unsigned slot, uint8_t *out_dir);
    /** A record came: put it into the room's log, and act on it.  *what and *forged as
     *  yr_room_log_put.  The owner tells sync of every record that was accepted because of it
     *  (yr_room_sync_spread), from inside this call.  Errors go up and out. */
    enum yr_err (*record)(void *ctx, struct yr_now now, size_t room, unsigned slot,
                          const uint8_t *bytes, size_t len, enum yr_put *what, bool *forged);
    /** This friend has proved to be this member (or is none any more: `on` false, also at down). */
    void (*neighbour)(void *ctx, struct yr_now now, size_t room, unsigned slot,
                      const uint8_t mid[YR_MID_LEN], bool on);
    void *ctx;
};

YR_MUST_USE enum yr_err yr_room_sync_new(struct yr_room_sync **out, struct yr_mem *mem,
                                         const struct yr_rng *rng,
                                         const struct yr_room_sync_ops *ops);
void yr_room_sync_free(struct yr_room_sync *sync);
/** Forget all links and rooms; the owner says them again (_rooms, _up).  Tells of no neighbour. */
void yr_room_sync_reset(struct yr_room_sync *sync);

/** The set of rooms, or our own part in one, changed: numbers are new, tags are told again. */
void yr_room_sync_rooms(struct yr_room_sync *sync, struct yr_now now);
/** Members of this room changed: neighbours are judged again. */
void yr_room_sync_members(struct yr_room_sync *sync, struct yr_now now, size_t room);

void yr_room_sync_up(struct yr_room_sync *sync, struct yr_now now, unsigned slot);
void yr_room_sync_down(struct yr_room_sync *sync, struct yr_now now, unsigned slot);
/** The rooms channel has space again. */
void yr_room_sync_space(struct yr_room_sync *sync, struct yr_now now, unsigned slot);
/** A frame came on the rooms channel.  Errors: YR_EPROTO: close the link; those of the machine. */
YR_MUST_USE enum yr_err yr_room_sync_frame(struct yr_room_sync *sync, struct yr_now now,
                                           unsigned slot, uint8_t type, const uint8_t *body,
                                           size_t len);
/** A record is in the log now: pass it on to all neighbours but the one it came from.  Our own only
 *  once it is durable; others' at once. */
void yr_room_sync_spread(struct yr_room_sync *sync, struct yr_now now, size_t room,
                         const struct yr_room_record *record, unsigned from);
/** The friend over whom this author's records reach us first; false: none known this session. */
bool yr_room_sync_via(const struct yr_room_sync *sync, size_t room,
                      const uint8_t author[YR_MID_LEN], unsigned *slot);

YR_MUST_USE enum yr_err yr_room_sync_tick(struct yr_room_sync *sync, struct yr_now now);
yr_us yr_room_sync_deadline(const struct yr_room_sync *sync);

/*    X(NAME, counter name) */
#define YR_ROOM_SYNC_COUNTER_MAP(X)                                               \
    X(PUSHED, "room.sync.pushed")       /* new records sent at once */            \
    X(SERVED, "room.sync.served")       /* records sent because asked for */      \
    X(RECEIVED, "room.sync.received")   /* records, all */                        \
    X(DUPLICATE, "room.sync.duplicate") /* ... pushed, and known already */       \
    X(TWICE, "room.sync.twice")         /* ... asked for, and known already */    \
    X(GRAFT, "room.sync.graft")         /* asked after an announcement */         \
    X(PRUNE, "room.sync.prune")         /* asked not to be sent an author's */    \
    X(MISSING, "room.sync.missing")     /* ancestors asked for */                 \
    X(ROUND, "room.sync.round")         /* logs compared */                       \
    X(FUTILE, "room.sync.futile")       /* ... and nothing came of it */          \
    X(STALL, "room.sync.stall")         /* ... and no answer */                   \
    X(FULL, "room.sync.full")           /* new records left to a comparison */    \
    X(WORK, "room.sync.drop.work")      /* requests over what a friend may ask */ \
    X(ROUTE, "room.sync.drop.route")    /* frames of no room we share */          \
    X(PROOF, "room.sync.drop.proof")    /* proofs that were none */               \
    X(NOMEM, "room.sync.nomem")

/** Named counters; NULL name at the end. */
struct yr_counter yr_room_sync_counter(const struct yr_room_sync *sync, size_t i);

#endif
