/* core/link/conn.h: the room's inside: one QUIC connection, the friend's link it belongs to and the
 * table of all links.  Nobody outside core/link includes this.
 *
 *     handshake --completed--> up --we end it--> closing --CONNECTION_CLOSE written--> leaving
 *     leaving --it was written YR_LINK_GOODBYES times--> dead
 *     handshake, up --lost, refused, closed by the peer--> dead
 *
 * A connection is made by yr_conn_dial or yr_conn_answer and freed by links.c only, never from
 * inside one of ngtcp2's callbacks. */
#ifndef YR_CONN_H
#define YR_CONN_H

#include "core/link/channel.h"
#include "core/link/links.h"
#include "core/link/protect.h"

#define YR_CID_LEN   8  /* of our own connection ids */
#define YR_CID1_LEN  18 /* of a dialler's first: 10 random bytes, 8 of hint */
#define YR_CID1_RAND 10

static_assert(YR_LINK_CONNS_MAX == 4 * YR_FRIENDS_MAX, "as many for each friend");
static_assert(YR_LINK_MEM_MAX == 2 * YR_LINK_WINDOW, "a window full of holes");

#define YR_LINK_CAPS 0U /* our capability bits: none are defined yet */

/** Codes in our CONNECTION_CLOSE; for people who read traces, nothing depends on them. */
enum yr_close_code { YR_CLOSE_BYE, YR_CLOSE_PROTOCOL, YR_CLOSE_REPLACED };

enum yr_conn_state {
    YR_CONN_HANDSHAKE,
    YR_CONN_UP,
    YR_CONN_CLOSING, /* CONNECTION_CLOSE waits to be written */
    YR_CONN_LEAVING, /* it is sent again, as nobody confirms it; ngtcp2's half is gone */
    YR_CONN_DEAD
};

/** What only the handshake needs; freed with it. */
struct yr_handshake {
    struct yr_noise noise;
    uint8_t init[32];                   /* L_init of the dial's direction */
    uint8_t crypto[YR_LINK_CRYPTO_MAX]; /* what came at Initial level */
    size_t crypto_len;
    uint8_t payload[YR_LINK_PAYLOAD_MAX]; /* responder: of message 1, read before the state */
    size_t payload_len;
};

/** A channel of a connection: our stream out, the peer's stream in. */
struct yr_conn_channel {
    struct yr_sendq out;
    int64_t stream;     /* ours, -1 before the first frame */
    bool blocked;       /* by the peer's flow control */
    bool refused, room; /* a frame did not fit; now one would */
    bool claimed;       /* the peer has opened his stream of this channel */
};

struct yr_conn {
    struct yr_links *links;
    struct yr_link *link; /* NULL: no longer anybody's, it only says goodbye */
    struct yr_conn *next; /* of the same link */
    ngtcp2_conn *quic;
    ngtcp2_mem quic_mem;
    size_t quic_bytes;       /* what it holds */
    bool starved;            /* it was refused memory */
    struct yr_handshake *hs; /* NULL once complete */
    struct yr_keyring ring;

    enum yr_conn_state state;
    enum yr_link_end why; /* why it ended */
    uint64_t close_code;
    int liberr;   /* ngtcp2's error that the peer is told of, or 0 */
    bool dialled; /* by us */
    bool quiet;   /* its owner ended it himself: nothing to report */
    uint8_t pair_gen;
    struct yr_clock mine, theirs; /* clock values of this handshake */
    uint32_t caps;

    ngtcp2_cid scid;                 /* our first connection id */
    uint64_t cids[YR_LINK_CIDS_MAX]; /* keys in links->cids, 0: free */

    uint64_t hold; /* nothing leaves before links->durable has reached it */
    struct yr_addr addr;
    size_t payload_max;
    bool confirmed;  /* no packet of the handshake follows: any may be smaller than 1,200 bytes */
    bool moved;      /* addr is news to the links' owner */
    yr_us direct_us; /* when a fresh packet last came from a UDP address */
    struct yr_addr expected; /* a circuit that the friend may turn to; family 0: none */

    /* The way is in doubt when what asks for an answer gets none. */
    bool asking;            /* the packet being written wants an answer */
    yr_us asked_us;         /* since when one is wanted and none came; or 0 */
    yr_us doubt_us;         /* when that is told */
    bool in_doubt, doubted; /* it was told; is to be told */
    bool nudge;             /* a packet that wants an answer is to go at once */
    bool rearm;             /* an interval of the keepalive has changed */
    yr_us active_us;        /* last packet in or out: from here the keepalive counts */
    unsigned peer_keepalive_s;

    size_t mtu_step;         /* size looked for */
    size_t mtu_out, mtu_len; /* the probe that is out, or 0; its real length */
    yr_us mtu_us;            /* when the next one is due or this one is lost; 0: all is known */

    struct yr_dgram *dgram_head, *dgram_tail;
    size_t dgram_bytes;

    bool fed;            /* by the packet in hand: data of a stream */
    yr_us unanswered_us; /* since when data is here that no packet has answered; or 0 */
    yr_us made_us, heard_us, up_us, rekey_us, replace_us, acked_us;
    uint64_t packets; /* sent under the present key */
    size_t burst;     /* bytes written since the pacer was last told */
    yr_us stood_us;   /* since when data waits though none is on its way; or 0 */

    uint8_t goodbye[YR_LINK_GOODBYE_MAX]; /* the CONNECTION_CLOSE sent */
    size_t goodbye_len;
    unsigned goodbyes; /* how often */

    yr_us deadline;
    size_t heap_at;    /* in links->heap */
    bool dirty, ready; /* it may have something to write; it is queued for that */
    struct yr_conn *ready_next;

    struct yr_conn_channel channels[YR_CHANNEL_COUNT];
    struct yr_assembler in[YR_CHANNEL_COUNT]; /* by the order of the peer's streams */
};

/** The keys of one pair generation, as far as links need them. */
struct yr_link_keys {
    bool used;
    uint8_t gen;
    uint8_t psk[32], init[2][32], hint[2][16];
};

struct yr_link {
    unsigned slot;
    bool blocked;
    uint8_t id[32], device[32];
    uint32_t gen;
    uint8_t out;                  /* dir of our dials */
    struct yr_link_keys keys[2];  /* [0] the newest, which we dial with; [1] the one before */
    struct yr_clock theirs, ours; /* highest accepted, last used */
    uint64_t credit_us;           /* token bucket: a first packet costs a second */
    yr_us credit_at;

    unsigned keepalive_s;
    uint64_t datagrams_in, datagrams_out;
    uint64_t in_bytes, out_bytes; /* of all its connections, with the headers of IP and UDP */
    struct yr_conn *conns;        /* newest first */
    struct yr_conn *active;
    bool told_up;         /* the owner believes that it is up */
    bool dial_ended;      /* a dial ended without a link: to be reported */
    enum yr_link_end why; /* why the last active connection ended */
    bool unsettled;
    struct yr_link *unsettled_next;
};

/*    X(NAME, counter name) what happened, for `status` and the tests */
#define YR_LINK_COUNT_MAP(X)                \
    X(DIAL, "link.dials")                   \
    X(ANSWER, "link.answers")               \
    X(UP, "link.ups")                       \
    X(REPLACED, "link.replaced")            \
    X(MOVED, "link.moved")                  \
    X(REKEY, "link.key_updates")            \
    X(PROTOCOL, "link.protocol_errors")     \
    X(NOMEM, "link.out_of_memory")          \
    X(DOUBT, "link.doubts")                 \
    X(STRAY, "link.strays")                 \
    X(DATAGRAM_FULL, "link.datagrams_full") \
    X(DATAGRAM_LATE, "link.datagrams_late")

enum yr_link_drop {
#define X(NAME, text) YR_LINK_DROP_##NAME,
    YR_LINK_DROP_MAP(X)
#undef X
        YR_LINK_DROP_COUNT,
    YR_LINK_DROP_NONE = YR_LINK_DROP_COUNT
};
enum yr_link_count {
#define X(NAME, text) YR_LINK_N_##NAME,
    YR_LINK_COUNT_MAP(X)
#undef X
        YR_LINK_N_COUNT
};

struct yr_links {
    struct yr_mem *mem;
    const struct yr_rng *rng;
    struct yr_link_ops ops;
    struct yr_now now; /* of the call in progress: ngtcp2's callbacks carry no time */

    bool has_self;
    uint8_t self_id[32];
    uint32_t self_gen;
    struct yr_keypair self_device;

    struct yr_link *slots[YR_FRIENDS_MAX];
    /* L_hint of the friends' dials to us, packed in slot order: all that a stranger's packet meets
     */
    size_t hint_count;
    uint8_t hints[2 * YR_FRIENDS_MAX][16];
    uint16_t hint_owners[2 * YR_FRIENDS_MAX]; /* slot * 2 + pair generation */

    struct yr_map cids; /* first 8 bytes of a connection id -> connection */
    uint64_t durable;

    size_t conn_count;
    struct yr_conn *heap[YR_LINK_CONNS_MAX]; /* all of them, earliest deadline first */
    struct yr_conn *ready_head, *ready_tail;
    struct yr_link *unsettled_head, *unsettled_tail;
    struct yr_conn *current;   /* inside its ngtcp2: not to be freed */
    struct yr_link *reporting; /* inside its owner's functions: not to be removed */

    uint64_t drops[YR_LINK_DROP_COUNT], counts[YR_LINK_N_COUNT];
};

/* ---- conn.c ---- */

/** Start a dial: all is made, message 1 waits for the link's clock value to be durable.
 *  Errors: YR_ENOMEM. */
YR_MUST_USE enum yr_err yr_conn_dial(struct yr_conn **out, struct yr_link *link,
                                     struct yr_links *links, const struct yr_addr *addr);
struct yr_first;
/** A connection for a good first packet, which is yet to be given to yr_conn_recv.  Takes the
 *  Noise state out of `first`.  Errors: YR_ENOMEM. */
YR_MUST_USE enum yr_err yr_conn_answer(struct yr_conn **out, struct yr_links *links,
                                       struct yr_first *first, const struct yr_addr *from);
/** Drop it, wherever it is listed.  NULL is fine. */
void yr_conn_free(struct yr_conn *conn);

void yr_conn_recv(struct yr_conn *conn, const struct yr_addr *from, const uint8_t *packet,
                  size_t len);
/** Its next datagram, or 0 for now. */
size_t yr_conn_write(struct yr_conn *conn, uint8_t *buf, size_t cap);
/** Bytes of its next packet, at most. */
size_t yr_conn_payload(const struct yr_conn *conn);
/** Its deadline has come. */
void yr_conn_tick(struct yr_conn *conn);
/** End it: silently in the handshake of a dial or when it is held, else with CONNECTION_CLOSE. */
void yr_conn_end(struct yr_conn *conn, enum yr_link_end why);
/** End it because the peer broke the rules; liberr: ngtcp2's error that he is told, or 0. */
void yr_conn_break(struct yr_conn *conn, int liberr);
/** What a call of ngtcp2 came to: rv, or NGTCP2_ERR_NOMEM once it was refused memory.  0.12.1 loses
 *  that error in places, and asserts later what is no longer so. */
ngtcp2_ssize yr_conn_result(const struct yr_conn *conn, ngtcp2_ssize rv);
/** End it as ngtcp2's error `rv` demands. */
void yr_conn_fail(struct yr_conn *conn, int rv);
/** It may have something to write. */
void yr_conn_wake(struct yr_conn *conn);
/** Its packets go there from now on. */
void yr_conn_move(struct yr_conn *conn, const struct yr_addr *to);
/** Send something that wants an answer, soon. */
void yr_conn_nudge(struct yr_conn *conn);
/** Its own interval or the peer's has changed. */
void yr_conn_keepalive(struct yr_conn *conn);

static inline bool yr_conn_held(const struct yr_conn *conn)
{
    return conn->hold > conn->links->durable;
}

/** ngtcp2's time. */
static inline ngtcp2_tstamp yr_quic_ns(yr_us us)
{
    return us * 1000;
}

/* ---- streams.c: the channels of a connection ---- */

void yr_streams_init(struct yr_conn *conn);
void yr_streams_clear(struct yr_conn *conn);
/** ngtcp2's next packet, with frames of the channels in their order; 0: nothing now, or it ended.
 */
size_t yr_streams_write(struct yr_conn *conn, uint8_t *buf, size_t cap);
/** Something sent is not acknowledged. */
bool yr_streams_in_flight(const struct yr_conn *conn);
/** Something waits that the peer would take, and nothing is in flight. */
bool yr_streams_stand(const struct yr_conn *conn);
/** Nothing is in flight, and nothing waits to be sent. */
bool yr_streams_idle(const struct yr_conn *conn);
int yr_streams_on_data(ngtcp2_conn *quic, uint32_t flags, int64_t stream, uint64_t offset,
                       const uint8_t *data, size_t len, void *ctx, void *stream_ctx);
int yr_streams_on_reset(ngtcp2_conn *quic, int64_t stream, uint64_t size, uint64_t code, void *ctx,
                        void *stream_ctx);
int yr_streams_on_stop(ngtcp2_conn *quic, int64_t stream, uint64_t code, void *ctx,
                       void *stream_ctx);
int yr_streams_on_acked(ngtcp2_conn *quic, int64_t stream, uint64_t offset, uint64_t len, void *ctx,
                        void *stream_ctx);
int yr_streams_on_more_data(ngtcp2_conn *quic, int64_t stream, uint64_t max, void *ctx,
                            void *stream_ctx);
int yr_streams_on_more(ngtcp2_conn *quic, uint64_t max, void *ctx);

/* ---- datagrams.c ---- */

/** Errors: YR_ESIZE, YR_EFULL (counted), YR_ENOMEM. */
YR_MUST_USE enum yr_err yr_datagrams_push(struct yr_conn *conn, const uint8_t *bytes, size_t len);
/** Is there one to write into a packet of `cap` bytes?  What is too old or too long is dropped. */
bool yr_datagrams_due(struct yr_conn *conn, size_t cap);
/** Write the first one; there must be one. */
ngtcp2_ssize yr_datagrams_write(struct yr_conn *conn, uint8_t *buf, size_t cap);
void yr_datagrams_clear(struct yr_conn *conn);
int yr_datagrams_on(ngtcp2_conn *quic, uint32_t flags, const uint8_t *data, size_t len, void *ctx);

/** First byte of a DATAGRAM that says nothing, and is dropped by the link that gets it. */
#define YR_DATAGRAM_PADDING 0xff
/** Bytes of a packet around one: first byte, connection id, number, frame type, length, tag. */
#define YR_DATAGRAM_OVERHEAD (1 + YR_CID_LEN + 4 + 3 + YR_TAG_LEN)

/* ---- mtu.c ---- */

/** Find out how long packets may be, from so long from now on. */
void yr_mtu_start(struct yr_conn *conn, yr_us delay);
void yr_mtu_tick(struct yr_conn *conn);
yr_us yr_mtu_deadline(const struct yr_conn *conn);
/** Is a probe to be written? */
bool yr_mtu_due(const struct yr_conn *conn);
ngtcp2_ssize yr_mtu_write(struct yr_conn *conn, uint8_t *buf, size_t cap);
int yr_mtu_on_acked(ngtcp2_conn *quic, uint64_t id, void *ctx);
int yr_mtu_on_lost(ngtcp2_conn *quic, uint64_t id, void *ctx);

/* ---- handshake.c ---- */

/** The prologue and keys of a handshake between us and the link's friend. */
void yr_handshake_init(struct yr_noise *noise, const struct yr_links *links,
                       const struct yr_link *link, unsigned pair, bool initiator);
/** Use the link's next clock value: now, or the last one + 1 ns; strictly rising. */
void yr_clock_next(struct yr_clock *clock, yr_ms wall_ms);
static inline bool yr_clock_above(const struct yr_clock *a, const struct yr_clock *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) > 0;
}
/** Payload of messages 1 and 2 before the transport parameters. */
#define YR_PAYLOAD_HEAD 16
int yr_handshake_client_initial(ngtcp2_conn *quic, void *ctx);
int yr_handshake_recv_client_initial(ngtcp2_conn *quic, const ngtcp2_cid *dcid, void *ctx);
int yr_handshake_recv_crypto(ngtcp2_conn *quic, yr_quic_level level, uint64_t offset,
                             const uint8_t *data, size_t len, void *ctx);
int yr_handshake_update_key(ngtcp2_conn *quic, uint8_t *rx_secret, uint8_t *tx_secret,
                            ngtcp2_crypto_aead_ctx *rx, uint8_t *rx_iv, ngtcp2_crypto_aead_ctx *tx,
                            uint8_t *tx_iv, const uint8_t *rx_now, const uint8_t *tx_now,
                            size_t secret_len, void *ctx);

/* ---- links.c, for conn.c and handshake.c ---- */

/** Hand out `link`'s clock values to be made durable; `conn` holds until they are. */
void yr_link_commit_clock(struct yr_link *link, struct yr_conn *conn);
/** Something changed that may need a decision or a report. */
void yr_link_unsettle(struct yr_links *links, struct yr_link *link);
/** Report what is due for the link before it tells its owner of a frame. */
void yr_link_settle(struct yr_links *links, struct yr_link *link);
/** Answer under the link's previous pair generation no more. */
void yr_link_forget_old_pair(struct yr_links *links, struct yr_link *link);
static inline void yr_links_count(struct yr_links *links, enum yr_link_count what)
{
    links->counts[what]++;
}

/* ---- schedule.c ---- */

/** When yr_conn_tick is due; 0: yr_conn_write is, and no timer counts before it. */
void yr_links_schedule(struct yr_conn *conn, yr_us deadline);
/** Into the tables, and out of them again.  Errors: YR_ENOMEM. */
YR_MUST_USE enum yr_err yr_links_enlist(struct yr_links *links, struct yr_link *link,
                                        struct yr_conn *conn);
void yr_links_delist(struct yr_conn *conn);
/** Out of its link, which it then belongs to no more. */
void yr_links_unlink(struct yr_conn *conn);

#endif
