/* core/dht/state.h: the inside of a DHT node, shared by dht.c, serve.c and search.c. */
#ifndef YR_DHT_STATE_H
#define YR_DHT_STATE_H

#include "core/dht/dht.h"
#include "core/dht/lately.h"
#include "core/dht/lookup.h"

/*    X(NAME, counter) */
#define YR_DHT_COUNTERS(X)                               \
    X(SENT, "dht sent")                                  \
    X(REQUESTS, "dht requests")                          \
    X(REPLIES, "dht replies")                            \
    X(TIMEOUTS, "dht timeouts")                          \
    X(FORWARDED, "dht forwarded")                        \
    X(DIRECT, "dht records direct")                      \
    X(DROP_FORM, "dht dropped: form")                    \
    X(DROP_ADDR, "dht dropped: sender's address")        \
    X(DROP_RATE, "dht dropped: too many of one source")  \
    X(DROP_AEAD, "dht dropped: does not open")           \
    X(DROP_REPLY, "dht dropped: reply to nothing asked") \
    X(DROP_ROLE, "dht dropped: we serve nobody")         \
    X(DROP_ROOM, "dht dropped: no room")                 \
    X(BAD_NODES, "dht nodes named that cannot be")       \
    X(BAD_TOKEN, "dht records refused: token")           \
    X(BAD_RECORD, "dht records refused")                 \
    X(BAD_FWD, "dht forwarding refused")

enum yr_dht_count {
#define X(NAME, text) YR_DHT_N_##NAME,
    YR_DHT_COUNTERS(X)
#undef X
        YR_DHT_COUNTS
};

struct yr_dht_allowance { /* of the sources that share a place */
    uint32_t milli;       /* thousandths of a request */
    uint32_t at_ms;       /* wraps: who comes after 49 days has waited long enough in any case */
};

enum yr_dht_why {
    YR_DHT_FOR_TABLE,   /* does it live? */
    YR_DHT_FOR_DIAL,    /* is it where it seems to be?  Then another shall dial it */
    YR_DHT_FOR_PROOF,   /* it reached us unasked: does it live there? */
    YR_DHT_FOR_FWD,     /* the same, before something is forwarded to it */
    YR_DHT_FOR_LOST,    /* it was silent, or we start from it: is it there again? */
    YR_DHT_FOR_RELAY,   /* a forwarder of a search: does it live? */
    YR_DHT_FOR_LOOKUP,  /* FIND */
    YR_DHT_FOR_TARGET,  /* GET and PUT, straight or in a FWD */
    YR_DHT_FOR_INNER,   /* what is forwarded for another */
    YR_DHT_FOR_DIALLED, /* DIAL */
    YR_DHT_FOR_NOTHING  /* SIGREG, SIGNAL */
};

struct yr_dht_request {
    uint64_t txid;
    enum yr_dht_why why;
    uint8_t op;
    struct yr_dht_contact to;
    yr_us sent_us, until_us;
    uint64_t search;     /* FOR_RELAY, FOR_LOOKUP, FOR_TARGET */
    uint64_t inner_txid; /* FOR_TARGET in a FWD */
    uint8_t inner_k[32], inner_op;
    struct yr_dht_contact target; /* FOR_TARGET: the storing node; FOR_DIALLED: who wants it */
    bool again;                   /* FOR_DIALLED: asked a second time */
    struct yr_dht_contact asker;  /* FOR_FWD, FOR_INNER: who gets the answer ... */
    uint64_t asker_txid;
    uint8_t *inner; /* FOR_FWD: what to forward, owned */
    size_t inner_len;
};

struct yr_dht_target {
    struct yr_dht_contact node;
    enum {
        YR_TARGET_NEW,
        YR_TARGET_GETTING,
        YR_TARGET_PUTTING,
        YR_TARGET_DONE,
        YR_TARGET_UNHEARD, /* says the forwarder, who may lie */
        YR_TARGET_FAILED
    } state;
    uint8_t token[YR_DHT_TOKEN_LEN];
    uint8_t via;     /* forwarder it was asked through last */
    uint8_t tried;   /* ... and a bit for each of those it was asked through */
    uint8_t pending; /* of these questions are on their way */
    yr_us asked_us;  /* the last of them */
};

#define YR_DHT_FORWARDERS 5 /* asked at the start of a search whether they live */
#define YR_DHT_FORWARDERS_MORE                                        \
    5 /* times that others take the place of those that are of no use \
       */

struct yr_dht_forwarder {
    struct yr_dht_contact node;
    bool alive;                    /* it has answered */
    bool spent;                    /* it passes nothing on */
    yr_us asked_us;                /* when it was first asked to pass something on; 0: not yet */
    unsigned load, heard, unheard; /* what it was asked, has passed on, says was not answered */
};

struct yr_dht_search {
    uint64_t id;
    enum { YR_SEARCH_NODES, YR_SEARCH_GET, YR_SEARCH_PUT } kind;
    uint8_t family;
    struct yr_dht_lookup lookup;
    bool due;          /* something happened since its last step */
    yr_us deadline_us; /* as of its last step */
    yr_us stepped_us;
    bool looked, direct; /* lookup over; no forwarder */
    uint8_t key[32];
    uint8_t record[YR_DHT_RECORD_MAX]; /* put */
    size_t record_len;
    bool found;
    uint32_t seq; /* highest found */
    struct yr_dht_forwarder forwarders[YR_DHT_FORWARDERS];
    size_t forwarder_count;
    unsigned forwarder_changes;
    yr_us forwarders_us; /* when the last of them were chosen */
    uint8_t spent[YR_DHT_FORWARDERS * (YR_DHT_FORWARDERS_MORE + 1)][8]; /* of keys of those tried */
    size_t spent_count;
    struct yr_dht_target targets[YR_DHT_WIDE];
    size_t target_count;
    yr_us started_us, known_us;
    unsigned hops, sent;
    unsigned widened; /* times that its lookup had been led astray */
};

struct yr_dht_packet {
    struct yr_dht_packet *next;
    struct yr_addr to;
    size_t len;
    uint8_t bytes[];
};

struct yr_dht_registration {
    uint8_t id[YR_DHT_SIGNAL_LEN];
    struct yr_dht_contact who;
    yr_us until_us;
    bool proven; /* it has answered us from there: signals go nowhere else */
};

#define YR_DHT_VOTES     8
#define YR_DHT_EARS      16 /* signal ids of our own */
#define YR_DHT_RTTS      32
#define YR_DHT_DENSITIES 9

struct yr_dht {
    struct yr_mem *mem;
    const struct yr_rng *rng;
    struct yr_dht_opts opts;
    struct yr_dht_calls calls;
    uint8_t own_id[32];
    struct yr_dht_keys keys;
    struct yr_dht_table tables[2]; /* IPv4, IPv6 */
    struct yr_dht_records records;
    bool serves;

    struct yr_dht_request **requests;
    size_t request_count, request_cap;
    struct yr_dht_search *searches[YR_DHT_SEARCHES_MAX];
    size_t search_count;
    uint64_t next_search;
    struct yr_dht_packet *queue_head, *queue_last;
    size_t queue_count;

    struct yr_dht_start *start; /* bootstrap nodes */
    size_t start_count;
    unsigned start_tries;
    yr_us key_us, answered_us;
    yr_us start_us, maintain_us, refresh_us, dial_us;
    struct yr_dht_contact *lost; /* YR_DHT_LOST that fell silent, once there is one */
    size_t lost_next;            /* how many there have been */
    yr_us lost_us;
    bool joined; /* a lookup of our own id has been started ... */
    yr_us joined_us, rejoin_us, again_us;
    unsigned join_tries;
    size_t joined_known; /* nodes known when it last looked around */

    struct {
        struct yr_addr addr;
        uint64_t net;
    } votes[YR_DHT_VOTES]; /* how others see us */
    size_t vote_next;
    uint64_t dialback_nets[YR_DHT_DIALBACKS];
    size_t dialback_count;
    yr_us dialback_us; /* the first of them */
    struct yr_addr dialback_addr;
    struct yr_dht_lately lately;
    unsigned dial_tries; /* wishes to be dialled since something came of one */
    yr_us unasked_us;    /* when last somebody reached us to whom we had long sent nothing */

    uint8_t ears[YR_DHT_EARS][YR_DHT_SIGNAL_LEN];
    size_t ear_next;
    struct yr_dht_registration *registrations;
    size_t registration_count, registration_cap;

    struct yr_dht_allowance *rates; /* YR_DHT_SOURCES, once somebody asks */
    uint8_t rate_key[16];
    uint32_t new_keys_milli;
    yr_us new_keys_us;

    uint32_t rtts[YR_DHT_RTTS];
    size_t rtt_next, rtt_count;
    yr_us soft_us;                      /* of them */
    double densities[YR_DHT_DENSITIES]; /* what the last lookups said of the network's size */
    size_t density_count;
    uint64_t counters[YR_DHT_COUNTS];
};

// dht.c
struct yr_dht_table *yr_dht_table_of(struct yr_dht *dht, uint8_t family);
/** Seal and queue; false: no room. */
bool yr_dht_send(struct yr_dht *dht, const struct yr_dht_contact *to, const struct yr_dht_msg *msg);
/** Send a request; *msg gets a txid.  NULL: too many, or no room.  Lent until it is answered. */
struct yr_dht_request *yr_dht_ask(struct yr_dht *dht, const struct yr_dht_contact *to,
                                  enum yr_dht_why why, struct yr_dht_msg *msg, yr_us wait_us,
                                  yr_us now);
bool yr_dht_ping(struct yr_dht *dht, const struct yr_dht_contact *to, enum yr_dht_why why,
                 uint8_t flags, yr_us now);
uint64_t yr_dht_draw(struct yr_dht *dht);
/** About how many nodes of this family there are, at least 1. */
double yr_dht_size(const struct yr_dht *dht, uint8_t family);
/** Nodes of both families that are near; at most max. */
size_t yr_dht_nearest(struct yr_dht *dht, const uint8_t target[32], uint8_t families,
                      const uint8_t *except_pk, struct yr_dht_contact *out, size_t max);

// serve.c
void yr_dht_serve(struct yr_dht *dht, const struct yr_dht_contact *from,
                  const struct yr_dht_msg *msg, yr_us now);
/** The answer to what was forwarded, or NULL: there is none. */
void yr_dht_inner_answered(struct yr_dht *dht, const struct yr_dht_request *rq,
                           const struct yr_dht_msg *reply);
/** Pass a SIGNAL on to who listens for its id here; false: nobody does. */
bool yr_dht_pass_on(struct yr_dht *dht, const struct yr_dht_msg *msg, yr_us now);
/** The node to forward to lives: now forward. */
void yr_dht_forward(struct yr_dht *dht, struct yr_dht_request *rq, yr_us now);
/** Did this packet come from where we have not sent anything lately? */
bool yr_dht_unasked(struct yr_dht *dht, const struct yr_addr *from, yr_us now);
/** Ask this one to dial `who`. */
void yr_dht_dial(struct yr_dht *dht, const struct yr_dht_contact *by,
                 const struct yr_dht_contact *who, bool again, yr_us now);
/** It is where it said: let somebody of another network dial it. */
void yr_dht_have_dialled(struct yr_dht *dht, const struct yr_dht_contact *who, yr_us now);
/** May this source cost us another request? */
bool yr_dht_within_rate(struct yr_dht *dht, const struct yr_addr *from, yr_us now);

// search.c
/** also: start from it, too; may be NULL. */
YR_MUST_USE enum yr_err yr_dht_search_nodes(struct yr_dht *dht, const uint8_t target[32],
                                            uint8_t family, const struct yr_dht_contact *also,
                                            yr_us now);
void yr_dht_search_free(struct yr_dht *dht, struct yr_dht_search *s);
/** A request of a search ended: reply NULL: it was not answered. */
void yr_dht_search_reply(struct yr_dht *dht, const struct yr_dht_request *rq,
                         const struct yr_dht_msg *reply, yr_us now);
/** Let searches go on, all or those to which something happened; those that are done leave. */
void yr_dht_search_step(struct yr_dht *dht, bool all, yr_us now);
yr_us yr_dht_search_deadline(const struct yr_dht *dht);

#endif
