/* core/node/meet.h: leaving word for friends in the DHT, and finding theirs.  docs/protocol.md
 * "Rendezvous".
 *
 *   a friend without a link, an open invite:  put now, at half time, for the next epoch when it is
 *                                             near, and when we are elsewhere
 *   a friend without a link, a link we add:   get now, again soon, then once an epoch
 *   linked:                                   nothing
 *
 * Beside addresses the word names nodes that pass signals on to us (ears): through them an offer to
 * punch reaches who is behind a NAT, and first contact where neither end can be reached. */
#ifndef YR_MEET_H
#define YR_MEET_H

#include "core/contact/contacts.h"
#include "core/dht/dht.h"
#include "core/dht/rendezvous.h"

/** One whom we look for, or who looks for us.  Index: a friend's slot, then invites and adds. */
struct yr_rv {
    bool wanted;                       /* no link, or an open invite or add */
    bool own;                          /* wanted, and we leave word */
    char invite[YR_INVITE_ID_LEN + 1]; /* of an invite or add */
    bool add, seen;
    bool needed;  /* there is a link, but nobody answers over it */
    uint32_t off; /* of its epochs, s */
    bool found;   /* their word, in the last get */
    yr_us got_us;
    yr_us get_us, retry_us,
        hot_us; /* next get; next try of a put; until when idleness is ignored */
    unsigned gets, fails;
    uint32_t seq, heard_s; /* of our last record; when the newest of theirs was written */
    struct {
        uint64_t epoch;
        uint32_t version;            /* of what it says */
        bool done, half, busy, many; /* many: not the first since we know where we are */
        yr_us at_us;
    } puts[2];
    struct yr_dht_ear ears[YR_RV_RELAYS_MAX]; /* where signals reach the other */
    size_t ear_count;
    uint64_t ears_ms; /* when the other said so */
    bool clock_heard;
    yr_ms clock_off_ms; /* of a friend's clock against ours */
};

#define YR_RVS (YR_FRIENDS_MAX + YR_INVITES_MAX + YR_ADDS_MAX)

struct yr_meet_job {
    bool used, put;
    uint64_t search, epoch;
    unsigned rv;
    uint32_t version;
};

/** A node that passes signals on to us. */
struct yr_ear {
    bool used, ok; /* ok: it said that it does */
    struct yr_dht_ear at;
    yr_us asked_us, touched_us;
};

/** Somebody in first contact whom signals reach: what a handle of YR_FAMILY_SIGNAL means. */
struct yr_ear_way {
    uint32_t handle; /* 0: free */
    char invite[YR_INVITE_ID_LEN + 1];
    bool inviter; /* we are */
    uint8_t tag[4];
    uint64_t ms; /* of the last signal: ours, or the first one's of theirs */
    struct yr_dht_ear ears[YR_RV_RELAYS_MAX];
    size_t ear_count;
    struct yr_addr addrs[YR_RV_ADDRS_MAX];
    size_t addr_count;
    yr_us used_us;
};

struct yr_poke {
    struct yr_addr to;
    size_t len;
    uint8_t bytes[YR_MEET_POKE_MAX];
};

struct yr_meet {
    struct yr_rv rvs[YR_RVS];
    struct yr_meet_job jobs[YR_MEET_JOBS_MAX];
    uint32_t milli; /* searches we may start, in thousandths */
    yr_us milli_us;

    bool joined; /* somebody of the DHT has answered since we are here */
    yr_us joined_us;
    uint32_t version; /* of what our word says */
    uint8_t said[16]; /* a hash of it */

    yr_us paused_us; /* until then: our clock went back, and nobody has told us the time; 0: no */
    struct yr_now last;
    yr_ms clock_off_ms; /* see yr_meet_clock_offset */
    yr_ms told_off_ms;  /* what the user was told about our clock */

    struct yr_ear ears[YR_RV_RELAYS_MAX];
    size_t ears_wanted;
    yr_us settle_us;                          /* no word is left before: ears are asked */
    struct yr_dht_ear spares[YR_MEET_SPARES]; /* where we shall listen when we have moved */
    size_t spare_count;
    yr_us spares_us, tell_us; /* when they were chosen; not before are friends told */
    bool tell;                /* ... of them, or of an ear */
    yr_us choose_us;          /* no new ear before */
    struct yr_ear_way ways[YR_MEET_WAYS_MAX];
    uint32_t next_handle;
    uint8_t heard[YR_MEET_HEARD_MAX][8]; /* beginnings of the last signals: copies */
    size_t heard_next;
    uint32_t heard_milli;
    yr_us heard_us;
    struct yr_poke pokes[YR_MEET_POKES_MAX];
    size_t poke_count;
    uint64_t signals_in, signals_out, signals_bad;
};

struct yr_node;

/** The hour by which epochs are counted, unix seconds; false: not known now. */
bool yr_meet_time(const struct yr_node *n, uint64_t *unix_s);
/** Median of friends' clocks and ours, against ours; 0 while under ten minutes. */
yr_ms yr_meet_clock_offset(const struct yr_node *n);

/** What our word says now; without the time. */
void yr_meet_whereabouts(const struct yr_node *n, struct yr_whereabouts *out);
/** We are elsewhere, or the DHT has just been started: everybody is looked for anew. */
void yr_meet_moved(struct yr_node *n);
/** The DHT has been stopped: nothing that was on its way ends. */
void yr_meet_ended(struct yr_node *n);
/** Forget what is in memory; of one friend. */
void yr_meet_reset(struct yr_node *n);
void yr_meet_forget(struct yr_node *n, unsigned slot);
/** Nobody answers where this friend was, though there may still be a link. */
void yr_meet_need(struct yr_node *n, unsigned slot);
/** Somebody waits for this friend: look now. */
void yr_meet_hurry(struct yr_node *n, unsigned slot);
/** The friend's clock, as a handshake brought it. */
void yr_meet_clock(struct yr_node *n, unsigned slot, const struct yr_clock *theirs);
void yr_meet_tick(struct yr_node *n);
yr_us yr_meet_deadline(const struct yr_node *n);

/* what the DHT calls */
void yr_meet_record(struct yr_node *n, uint64_t search, const uint8_t *record, size_t len);
void yr_meet_done(struct yr_node *n, uint64_t search, const struct yr_dht_result *result);
void yr_meet_answered(struct yr_node *n);

/* ears.c */
/** Send bytes (1..YR_DHT_SIGNAL_MAX) to where signals reach this friend; false: nowhere known. */
bool yr_meet_signal(struct yr_node *n, unsigned slot, const uint8_t *bytes, size_t len);
bool yr_meet_can_signal(const struct yr_node *n, unsigned slot);
/** Where signals reach us, as this friend shall know: at most YR_RV_RELAYS_MAX; how many. */
size_t yr_meet_here(const struct yr_node *n, unsigned slot,
                    struct yr_dht_ear out[YR_RV_RELAYS_MAX]);
/** The friend told, at this time by its clock, where signals reach it: replaces what it said
 * before; nowhere is no news. */
void yr_meet_told(struct yr_node *n, unsigned slot, const struct yr_dht_ear *ears, size_t count,
                  uint64_t unix_ms);
/** First contact brought a friend by this way: what is known of it is the friend's. */
void yr_meet_met(struct yr_node *n, unsigned slot, const struct yr_addr *way);
/** A packet of first contact to a way of YR_FAMILY_SIGNAL. */
void yr_meet_send(struct yr_node *n, const struct yr_addr *to, const uint8_t *bytes, size_t len);
/** A way to the inviter of an add. */
struct yr_addr yr_meet_way(struct yr_node *n, const char *invite, const struct yr_dht_ear *ears,
                           size_t ear_count, const struct yr_addr *addrs, size_t addr_count);
/** Bytes came for an id of ours. */
void yr_meet_heard(struct yr_node *n, const uint8_t *bytes, size_t len);
void yr_meet_listens(struct yr_node *n, const struct yr_dht_contact *relay, bool ok);
size_t yr_meet_poll(struct yr_node *n, struct yr_addr *to, uint8_t *buf, size_t cap);
void yr_ears_moved(struct yr_node *n);
void yr_ears_tick(struct yr_node *n, size_t want);
yr_us yr_ears_deadline(const struct yr_node *n);
/** Those that work; how many. */
size_t yr_ears_ok(const struct yr_node *n, struct yr_dht_ear out[YR_RV_RELAYS_MAX]);

/** What a SIGNAL of first contact says, before the packet it brings. */
struct yr_fc_signal {
    uint64_t ms;
    uint8_t tag[4];                           /* of the two, chosen by the invitee */
    struct yr_dht_ear ears[YR_RV_RELAYS_MAX]; /* where the answer goes */
    size_t ear_count;
    struct yr_addr addrs[YR_RV_ADDRS_MAX]; /* where the sender may be reached, too */
    size_t addr_count;
    const uint8_t *packet; /* lent */
    size_t packet_len;
};
/** Total decoder of the plaintext.  Errors: YR_EPROTO. */
YR_MUST_USE enum yr_err yr_fc_signal_decode(struct yr_fc_signal *out, const uint8_t *src,
                                            size_t len);
/** Errors: YR_ESIZE. */
YR_MUST_USE enum yr_err yr_fc_signal_encode(const struct yr_fc_signal *s, uint8_t *dst, size_t cap,
                                            size_t *len);

#endif
