/* core/room/sync_state.h: what the spreading of records is made of.  Private to core/room/sync*.c:
 *
 *     sync.c        links, rooms, who may say what; turns and timers
 *     sync_meet.c   sessions: which rooms both have, and who proves to be a member
 *     sync_pull.c   a round: compare, ask for what is missing, chain by chain; forks
 *     sync_serve.c  the other end of it: answers, as the channel has room
 *     sync_push.c   new records: at once, or announced; missing ancestors
 *
 * A session is one room with one friend whose link is up.  Nothing waits in queues: what a session
 * has to say is state from which the next frame is made when the channel takes one. */
#ifndef YR_ROOM_SYNC_STATE_H
#define YR_ROOM_SYNC_STATE_H

#include "core/crypto/identity.h"
#include "core/room/sync.h"
#include "core/wire/frames.h"

#define YR_SYNC_NOBODY   UINT32_MAX
#define YR_SYNC_NO_ROUTE 0xffffu
#define YR_SYNC_AUTHORS  1024 /* whose trees are remembered; others' records go to all */
#define YR_SYNC_ID       16   /* bytes of a record's id on the wire */
#define YR_SYNC_TELLERS  4    /* who announced one record, as far as remembered */

/** What a friend is to the room. */
enum yr_standing {
    YR_STANDING_SILENT,  /* has not said */
    YR_STANDING_UNKNOWN, /* says he is a member we have not heard of: may tell us, learns nothing */
    YR_STANDING_MEMBER,
    YR_STANDING_FORMER, /* was one: learns that he is none any more */
    YR_STANDING_FALSE   /* his proof turned out to be none */
};

/** An author, and the friend over whom his records reach us: who stays the one as long as he brings
 *  them.  A rival has brought the newest ones before him. */
struct yr_sync_author {
    uint8_t mid[YR_MID_LEN];
    unsigned via, rival;
    unsigned rival_count; /* in a row, none of which `via` has brought yet */
};

/** A record that was announced. */
struct yr_sync_heard {
    uint8_t id[YR_SYNC_ID];
    unsigned slots[YR_SYNC_TELLERS];
    uint8_t count, tried;
    yr_us due_us;
};

/** An ancestor that is missing. */
struct yr_sync_lost {
    uint8_t id[YR_SYNC_ID];
    unsigned slot; /* asked last */
    unsigned tries;
    yr_us due_us;
};

struct yr_sync_room {
    uint8_t id[YR_ROOM_ID_LEN];
    size_t index;
    bool gone;      /* the owner has it no more; freed when nobody looks at it */
    bool judge_due; /* members changed */
    bool has_self;
    uint8_t self[YR_MID_LEN];
    struct yr_sync_author *authors;
    size_t author_count, author_cap;
    struct yr_sync_heard heard[YR_ROOM_HEARD_MAX];
    size_t heard_count;
    struct yr_sync_lost lost[YR_ROOM_LOST_MAX];
    size_t lost_count;
    uint8_t seen[YR_ROOM_SEEN_MAX][YR_SYNC_ID]; /* ring */
    size_t seen_at;
    yr_us lost_us;             /* look for missing ancestors; YR_NEVER */
    yr_us quiet_us;            /* compare once more; YR_NEVER */
    struct yr_sync_pull *pull; /* the one round in progress */
};

struct yr_sync_link {
    unsigned slot;
    uint8_t dir; /* of what we send */
    bool full;   /* the channel refused a frame */
    bool more;   /* there was more to send than one turn allows */
    bool tags_due;
    yr_us retry_us; /* when to try again after a failure that nobody reports the end of */
    uint64_t work;  /* left, in 1/1,000,000 */
    yr_us work_us;
    uint8_t nonce_out[16];
    bool heard; /* the rest is what the friend told */
    uint8_t nonce_in[16];
    uint8_t (*tags)[16];
    size_t tag_count;
    struct yr_sync_session *sessions[YR_ROOM_ROUTES_MAX];
    size_t count, turn;
};

/** A range that a neighbour wants, or (chain 0) everything. */
struct yr_sync_range {
    struct yr_chain_key key;
    bool all;
    uint64_t from, to;    /* what is not looked up yet; from > to: nothing */
    uint64_t arrivals[4]; /* what is, ascending; class STATE and its `all`: UINT64_MAX */
    uint8_t count, at;
};

/** A single record that a neighbour wants. */
struct yr_sync_get {
    uint8_t id[YR_SYNC_ID];
    bool graft;
};

/** A chain that cannot be brought to where the neighbour has it. */
struct yr_sync_late {
    uint64_t hash, seq, digest; /* his */
    uint64_t own;               /* our seq then; `absent` is UINT64_MAX */
};

struct yr_sync_session {
    struct yr_sync_room *room;
    struct yr_sync_link *link;
    bool dead;
    /* our proof */
    bool open_due, opened;
    uint16_t route_out;
    /* theirs */
    uint8_t tag_in[16];
    uint8_t salt[16]; /* of chains' hashes */
    uint16_t route_in;
    enum yr_standing standing;
    bool proved; /* the signature is good */
    uint8_t mid[YR_MID_LEN], sig[YR_SIG_LEN];
    bool told_removal;
    uint8_t removal[YR_REC_ID_LEN];
    /* what each has told the other of its log */
    bool have_due, have_must, answer_due; /* must: although he could do without */
    bool has_told, has_theirs;
    uint8_t told[32], theirs[32];
    /* rounds */
    yr_us pull_us;     /* when one may begin; YR_NEVER: no need */
    yr_us pull_min_us; /* not before */
    yr_us round_us;    /* rounds that brought nothing, as a time that runs ahead of the clock */
    unsigned futile;
    struct yr_sync_late late[YR_ROOM_LATE_MAX];
    size_t late_at;
    /* what he wants */
    uint32_t *asks; /* YR_ROOM_NODES_MAX, made with the first */
    size_t ask_count;
    struct yr_sync_get *gets; /* YR_ROOM_GETS_MAX, made with the first */
    size_t get_count;
    struct yr_sync_range *ranges; /* heap by arrival once `serving` */
    size_t range_count, range_cap;
    bool wanting;       /* more of what he wants is about to come, ... */
    uint64_t want_hash; /* ... by rising hash */
    bool serving;
    bool page_due, removal_due;
    uint64_t page_hash, page_from, page_to;
    /* new records */
    bool behind;    /* some were not told him: compare when there is nothing else to send */
    bool prune_due; /* tell whose records reach us already */
    uint8_t lazy[YR_SYNC_AUTHORS / 8];    /* authors whose records he wants announced only */
    uint8_t refused[YR_SYNC_AUTHORS / 8]; /* ... whose records he was asked to announce only */
    uint8_t tell[YR_ROOM_TELL_MAX][YR_SYNC_ID];
    size_t tell_count;
    yr_us tell_us;
};

/** A chain as it is compared: hashed with the session's salt. */
struct yr_sync_spot {
    uint64_t hash, seq, digest, sum;
    size_t index; /* of the log */
};

struct yr_sync_wanted {
    uint64_t hash, from, to, digest, own;
};

struct yr_sync_fork {
    uint64_t hash, seq, digest; /* the neighbour's */
    uint64_t top, diff;         /* records up to `top` are not compared yet, and differ by this */
};

enum yr_pull_phase {
    YR_PULL_WALK,  /* parts asked for */
    YR_PULL_FETCH, /* ranges asked for */
    YR_PULL_FORK,  /* ids of a chain asked for */
    YR_PULL_LAST   /* asked to say when all has been sent */
};

struct yr_sync_pull {
    struct yr_sync_session *from;
    enum yr_pull_phase phase;
    bool progress;
    bool lost;          /* records that came were not looked at: he had used up our time */
    uint8_t before[32]; /* our digest when it began */
    bool ask_due;       /* the frame of this phase has to leave */
    yr_us stall_us, progress_us;
    uint32_t nodes[YR_ROOM_NODES_MAX]; /* asked for next */
    size_t node_count, node_total, unanswered;
    struct yr_sync_wanted *wants;
    size_t want_count, want_cap, want_sent;
    struct yr_sync_fork forks[YR_ROOM_FORKS_MAX];
    size_t fork_count, fork_at;
    uint8_t ids[YR_ROOM_PAGE_MAX][YR_SYNC_ID]; /* to get */
    size_t id_count;
};

enum yr_sync_count {
#define X(NAME, text) YR_SYNC_N_##NAME,
    YR_ROOM_SYNC_COUNTER_MAP(X)
#undef X
        YR_SYNC_N_COUNT
};

struct yr_room_sync {
    struct yr_mem *mem;
    const struct yr_rng *rng;
    struct yr_room_sync_ops ops;
    struct yr_sync_link *links[YR_FRIENDS_MAX];
    struct yr_sync_room *rooms[YR_ROOM_ROUTES_MAX];
    size_t room_count;
    unsigned busy;      /* calls in progress */
    bool rooms_due;     /* links are to be matched again */
    bool pulled;        /* the record in hand came with many others: neighbours will compare */
    enum yr_err failed; /* the machine's, from where nobody could be told */
    yr_us due_us;       /* no work before */
    uint64_t counters[YR_SYNC_N_COUNT];
    struct yr_sync_spot *spots; /* of the session in hand, by hash */
    size_t spot_count, spot_cap;
    uint8_t frame[YR_FRAME_MAX];
    uint8_t record[YR_ROOM_RECORD_MAX];
};

/* ---- sync.c ---- */

void yr_sync_count(struct yr_room_sync *sync, enum yr_sync_count what);
/** Tick is due at `at` at the latest. */
void yr_sync_wake(struct yr_room_sync *sync, yr_us at);
/** An error of the machine where nobody could be told: tick will say it.  Others are ignored. */
void yr_sync_fail(struct yr_room_sync *sync, enum yr_err err);
/** No memory for what nobody will ask for again: tick will say so, and the owner begins anew. */
void yr_sync_fail_whole(struct yr_room_sync *sync);
/** The room as it is now; false: there is none. */
bool yr_sync_view(struct yr_room_sync *sync, const struct yr_sync_room *room,
                  struct yr_room_view *out);
/** The room with this number, or NULL. */
struct yr_sync_room *yr_sync_room_at(const struct yr_room_sync *sync, size_t index);
/** The session of a room with a friend, or NULL. */
struct yr_sync_session *yr_sync_find(const struct yr_room_sync *sync,
                                     const struct yr_sync_room *room, unsigned slot);
/** May we send this session frames at all?  Our proof went before. */
bool yr_sync_open(const struct yr_sync_session *s);
/** Our proof has gone, and he has the room's trust. */
bool yr_sync_member(const struct yr_sync_session *s);
/** A frame of the session in sync->frame: begin writes the route; end sends.  False: the channel
 *  is full (or the link is going down); try again later. */
struct yr_wr yr_sync_begin(struct yr_room_sync *sync, const struct yr_sync_session *s);
bool yr_sync_end(struct yr_room_sync *sync, struct yr_now now, struct yr_sync_link *link,
                 uint8_t type, const struct yr_wr *wr);
/** Take `cost` from what the friend may make us do.  False: it is used up, ignore him. */
bool yr_sync_spend(struct yr_room_sync *sync, struct yr_now now, struct yr_sync_link *link,
                   uint64_t cost);
/** Give back what turned out to be welcome. */
void yr_sync_refund(struct yr_sync_link *link, uint64_t cost);
/** Is this record here?  Its bytes are in sync->record then. */
bool yr_sync_has(struct yr_room_sync *sync, struct yr_room_log *log, const uint8_t id[YR_SYNC_ID],
                 size_t *len, struct yr_room_entry *entry);
/** A list of ids (or mids): 1..max of 16 bytes, nothing else. */
bool yr_sync_ids_ok(const struct yr_rd *rd, size_t max);

/* ---- sync_meet.c ---- */

/** Which rooms do both have?  Sessions begin and end accordingly. */
void yr_sync_match(struct yr_room_sync *sync, struct yr_now now, struct yr_sync_link *link);
/** False: the channel is full, or the friend has no pair secret. */
bool yr_sync_send_tags(struct yr_room_sync *sync, struct yr_now now, struct yr_sync_link *link);
YR_MUST_USE enum yr_err yr_sync_on_tags(struct yr_room_sync *sync, struct yr_now now,
                                        struct yr_sync_link *link, struct yr_rd rd);
bool yr_sync_send_open(struct yr_room_sync *sync, struct yr_now now, struct yr_sync_session *s);
YR_MUST_USE enum yr_err yr_sync_on_open(struct yr_room_sync *sync, struct yr_now now,
                                        struct yr_sync_link *link, struct yr_rd rd);
/** What is he by the members there are now?  Tells the owner, and him, when that changed. */
void yr_sync_judge(struct yr_room_sync *sync, struct yr_now now, struct yr_sync_session *s);
/** Dead from here on; freed by the next. */
void yr_sync_end_session(struct yr_room_sync *sync, struct yr_now now, struct yr_sync_session *s);
void yr_sync_free_dead(struct yr_room_sync *sync, struct yr_sync_link *link);

/* ---- sync_pull.c ---- */

/** All chains of the room, hashed for this session, sorted, in sync->spots.  False: no memory. */
bool yr_sync_spots(struct yr_room_sync *sync, const struct yr_sync_session *s,
                   struct yr_room_log *log);
/** The chain with this hash, or NULL. */
const struct yr_sync_spot *yr_sync_spot(const struct yr_room_sync *sync, uint64_t hash);
/** The chains [*first, *end) of a node; false: there is no such node. */
bool yr_sync_node(const struct yr_room_sync *sync, uint32_t node, size_t *first, size_t *end);
/** Exclusive or of the sums of chains [first, end). */
uint64_t yr_sync_sum(const struct yr_room_sync *sync, size_t first, size_t end);
#define YR_SYNC_TOLD      0xffffffffu /* in place of a node: chains nobody asked for */
#define YR_SYNC_DEPTH_MAX 6
#define YR_SYNC_SPLIT     255 /* in place of a count: 16 sums follow */
static inline uint32_t yr_sync_child(uint32_t node, unsigned i)
{
    return (((node >> 24) + 1) << 24) | ((node & 0xffffff) << 4) | i;
}

YR_MUST_USE enum yr_err yr_sync_on_have(struct yr_room_sync *sync, struct yr_now now,
                                        struct yr_sync_session *s, struct yr_rd rd);
YR_MUST_USE enum yr_err yr_sync_on_vec(struct yr_room_sync *sync, struct yr_now now,
                                       struct yr_sync_session *s, struct yr_rd rd);
YR_MUST_USE enum yr_err yr_sync_on_ids(struct yr_room_sync *sync, struct yr_now now,
                                       struct yr_sync_session *s, struct yr_rd rd);
/** Begin rounds that may begin, end those that stall. */
void yr_sync_pull_turn(struct yr_room_sync *sync, struct yr_now now, struct yr_sync_room *room);
/** The frame that the round is waiting to send, if it is with this session.  True: one was sent. */
bool yr_sync_pull_step(struct yr_room_sync *sync, struct yr_now now, struct yr_sync_session *s);
/** Forget the round, if it is with this session (NULL: whoever it is with). */
void yr_sync_pull_drop(struct yr_room_sync *sync, struct yr_sync_room *room,
                       const struct yr_sync_session *s);
/** A record came from this neighbour (progress: that was new): the round with him goes on. */
void yr_sync_pull_heard(struct yr_sync_session *s, struct yr_now now, bool progress);
/** A record came from this neighbour, and was thrown away unread. */
void yr_sync_pull_lost(struct yr_sync_session *s);
/** Compare with this neighbour, not before `at`. */
void yr_sync_pull_want(struct yr_room_sync *sync, struct yr_sync_session *s, yr_us at);

/* ---- sync_serve.c ---- */

YR_MUST_USE enum yr_err yr_sync_on_ask(struct yr_room_sync *sync, struct yr_now now,
                                       struct yr_sync_session *s, struct yr_rd rd);
YR_MUST_USE enum yr_err yr_sync_on_want(struct yr_room_sync *sync, struct yr_now now,
                                        struct yr_sync_session *s, struct yr_rd rd);
YR_MUST_USE enum yr_err yr_sync_on_page(struct yr_room_sync *sync, struct yr_now now,
                                        struct yr_sync_session *s, struct yr_rd rd);
/** GET and GRAFT. */
YR_MUST_USE enum yr_err yr_sync_on_get(struct yr_room_sync *sync, struct yr_now now,
                                       struct yr_sync_session *s, struct yr_rd rd, bool graft);
/** The next frame that the session is owed.  True: one was sent. */
bool yr_sync_serve_step(struct yr_room_sync *sync, struct yr_now now, struct yr_sync_session *s);
/** Is anything owed? */
bool yr_sync_serve_due(const struct yr_sync_session *s);
/** Forget what he wanted. */
void yr_sync_serve_clear(struct yr_room_sync *sync, struct yr_sync_session *s);
/** The friend's standing is FORMER: tell what ended his membership, once for each. */
void yr_sync_tell_removal(struct yr_room_sync *sync, struct yr_sync_session *s,
                          struct yr_room_log *log);
/** An operation of ours is durable, perhaps the one he was told of and could not have before. */
void yr_sync_tell_again(struct yr_room_sync *sync, struct yr_sync_session *s);

/* ---- sync_push.c ---- */

YR_MUST_USE enum yr_err yr_sync_on_record(struct yr_room_sync *sync, struct yr_now now,
                                          struct yr_sync_session *s, struct yr_rd rd, bool pushed);
YR_MUST_USE enum yr_err yr_sync_on_ihave(struct yr_room_sync *sync, struct yr_now now,
                                         struct yr_sync_session *s, struct yr_rd rd);
YR_MUST_USE enum yr_err yr_sync_on_prune(struct yr_room_sync *sync, struct yr_now now,
                                         struct yr_sync_session *s, struct yr_rd rd);
/** PRUNE at the beginning, announcements whose time has come.  True: one was sent. */
bool yr_sync_push_step(struct yr_room_sync *sync, struct yr_now now, struct yr_sync_session *s);
bool yr_sync_push_due(const struct yr_sync_session *s, struct yr_now now);
/** Announcements nobody followed up, ancestors that are missing, the comparison when all is quiet.
 */
void yr_sync_push_turn(struct yr_room_sync *sync, struct yr_now now, struct yr_sync_room *room);
/** Nobody's records come over this friend any more, and what each has asked of the other is void.
 */
void yr_sync_push_drop(struct yr_sync_session *s);
/** This author's records, from now on, at once. */
void yr_sync_eager(struct yr_room_sync *sync, struct yr_sync_session *s,
                   const uint8_t author[YR_MID_LEN]);

#endif
