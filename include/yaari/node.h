/* node.h: the sans-IO node.  Everything the protocol does is in here, and nothing else: no socket,
 * clock, file, thread or random function is called.
 *
 *     recv / command / stored / tick  ->  poll until it gives no more effects  ->  wait until
 * deadline
 *
 * The host (host.h, or a simulator) carries the effects out in order.  All calls of one node come
 * from one thread. */
#ifndef YAARI_NODE_H
#define YAARI_NODE_H

#include "yaari/store.h"

struct yr_node;

/** What this node does in the DHT. */
enum yr_dht_mode {
    YR_ROLE_OFF,    /* nothing: friends, LAN and configured peers only */
    YR_ROLE_AUTO,   /* client, and server once others have reached it for a while */
    YR_ROLE_CLIENT, /* asks, is in no table */
    YR_ROLE_SERVER  /* answers from the start, under a key that it keeps */
};

/** Who is told that we are away, and when we were last there. */
enum yr_presence_mode { YR_PRESENCE_OFF, YR_PRESENCE_FRIENDS, YR_PRESENCE_VERIFIED };

/** What is kept for friends who are away. */
struct yr_mail_opts {
    bool hold;      /* keep sealed mail for them, unless something else was said of one */
    bool keeper;    /* ... much of it: this node is nearly always there */
    uint64_t bytes; /* ... so much in all; 0: as usual */
};

struct yr_node_opts {
    struct yr_mem *mem; /* borrowed for the node's life, as are the next two */
    const struct yr_rng *rng;
    const struct yr_store_view *view;
    bool lan;           /* send and recognise LAN beacons */
    bool online;        /* false: stay off the network */
    bool read_receipts; /* tell friends what of theirs was read */
    /* Like read_receipts, of each friend of whom nothing else was said: */
    enum yr_presence_mode presence;
    bool typing; /* tell friends that we are writing to them */
    enum yr_dht_mode dht;
    bool relay; /* carry sealed packets between two friends of ours who cannot reach each other */
    struct yr_mail_opts mail;
};
YR_API struct yr_node_opts yr_node_opts_default(void);

/** A node with a locked vault.  *out owned by the caller.  Errors: YR_ENOMEM. */
YR_API YR_MUST_USE enum yr_err yr_node_new(struct yr_node **out, const struct yr_node_opts *opts);
YR_API void yr_node_free(struct yr_node *node);

/** Open the store with the vault key; shred_file is NULL or the 192 bytes of shred.key.  Reads all
 *  hot state.  Errors: YR_EAUTH: these keys do not open this store; YR_ECORRUPT; YR_ENOMEM; YR_EIO.
 */
YR_API YR_MUST_USE enum yr_err yr_node_unlock(struct yr_node *node, struct yr_now now,
                                              const uint8_t vk[32], const uint8_t *shred_file);
/** Close all links and wipe keys. */
YR_API void yr_node_lock(struct yr_node *node, struct yr_now now);
/** Say goodbye on every link; poll gives what has to be sent. */
YR_API void yr_node_close(struct yr_node *node, struct yr_now now);

/* ---- verbs ---- */

/** A datagram came.  Never fails: what is not for us is dropped and counted. */
YR_API void yr_node_recv(struct yr_node *node, struct yr_now now, const struct yr_addr *from,
                         const uint8_t *bytes, size_t len);
/** The store answered a STORE or KEYFILE effect. */
YR_API void yr_node_stored(struct yr_node *node, struct yr_now now, uint64_t token,
                           enum yr_err err);
/** Time passed. */
YR_API void yr_node_tick(struct yr_node *node, struct yr_now now);
/** When tick is next wanted; YR_NEVER if never. */
YR_API yr_us yr_node_deadline(const struct yr_node *node);
/** Our own addresses as others may reach them (after a change of network too); replaces the list.
 */
YR_API void yr_node_addrs(struct yr_node *node, struct yr_now now, const struct yr_addr *addrs,
                          size_t count);

/** Some node of the DHT to start from, as configured or resolved: its address and its 32-byte key.
 *  Asked at once.  Errors: YR_EFULL; YR_EINVAL: no such address, or pk NULL (without a key nobody
 *  can be asked; as a peer the address is still tried for friends). */
YR_API YR_MUST_USE enum yr_err yr_node_bootstrap(struct yr_node *node, struct yr_now now,
                                                 const struct yr_addr *addr, const uint8_t *pk);
/** What others reach at this address comes to us (a port mapping), family 0: no more.  Believed
 * only after somebody came that way. */
YR_API void yr_node_mapped(struct yr_node *node, struct yr_now now, const struct yr_addr *addr);
/** Change what was given in yr_node_opts. */
YR_API void yr_node_set_dht(struct yr_node *node, struct yr_now now, enum yr_dht_mode mode);
YR_API void yr_node_set_relay(struct yr_node *node, struct yr_now now, bool on);
/** What is kept for friends for whom nothing is to be kept any more is deleted. */
YR_API void yr_node_set_mail(struct yr_node *node, struct yr_now now,
                             const struct yr_mail_opts *mail);

/** Tell friends from now on what of theirs was read, or no more. */
YR_API void yr_node_set_read_receipts(struct yr_node *node, bool on);
/** ... that we are away, and that we are writing.  Who is told no more hears that at once. */
YR_API void yr_node_set_presence(struct yr_node *node, struct yr_now now,
                                 enum yr_presence_mode presence, bool typing);

/* ---- commands: what changes something; answered by a DONE event once durable ---- */

enum yr_cmd_kind {
    YR_CMD_IDENTITY_NEW, /* text: own nick */
    YR_CMD_SET_NICK,     /* text */
    YR_CMD_SET_STATUS,   /* text */
    YR_CMD_INVITE_NEW, /* text: petname for whoever comes, may be empty; expires_ms; flags HINTS QR
                        */
    YR_CMD_INVITE_REVOKE, /* text: invite id */
    YR_CMD_ADD,           /* text: link; name: petname; body: greeting; flags VERIFIED */
    YR_CMD_ADD_CANCEL,    /* text: invite id */
    YR_CMD_SEND, /* conv; body; reply_to; name: idempotence key; flags ACTION; expires_ms: given up
                    if it is not there by then, 0: never (not in a room) */
    YR_CMD_EDIT, /* msg; body */
    YR_CMD_DELETE,        /* msg; flags LOCAL */
    YR_CMD_REACT,         /* msg; body: emoji; flags REMOVE */
    YR_CMD_READ,          /* conv; msg: read up to here, zero = all */
    YR_CMD_FRIEND_RENAME, /* conv; text: petname, empty: back to the nick */
    YR_CMD_FRIEND_VERIFY, /* conv; flags REMOVE: take it back */
    YR_CMD_FRIEND_BLOCK,  /* conv; flags REMOVE: unblock */
    YR_CMD_FRIEND_MUTE,   /* conv; expires_ms: until then, 0 = unmute, INT64_MAX = for ever */
    YR_CMD_FRIEND_REMOVE, /* conv; flags FORGET: history too */
    YR_CMD_PEER_ADD, /* addr; text: its name as configured, which ends in /KEY (52 characters) if it
                        is a node of the DHT to start from; flags LOCAL: not kept over a restart */
    YR_CMD_PEER_REMOVE,  /* text */
    YR_CMD_PING,         /* conv: one round trip over the link */
    YR_CMD_FRIEND_RELAY, /* conv; number: enum yr_tri: carry for this friend as configured, no, yes
                          */
    YR_CMD_FRIEND_MAIL,  /* ... the same: keep sealed mail for this friend while it is away */
    YR_CMD_FRIEND_PRESENCE, /* ... tell this friend that we are away, and when we were there */
    YR_CMD_FRIEND_TYPING,   /* ... that we are writing to it */
    YR_CMD_FRIEND_RECEIPTS, /* ... what of its texts we read */
    YR_CMD_FRIEND_ANON,     /* ... leave mail for this friend with others only through others, so
                               that who keeps it does not learn that it is ours; by default not */
    YR_CMD_PRESENCE,        /* text: away, and why; flags REMOVE: back */
    YR_CMD_TYPING,          /* conv: we are writing to this friend; flags REMOVE: no more */
    /* rooms: conv is the room, `who` a friend's identity or a member's mid and 16 zero bytes */
    YR_CMD_ROOM_NEW,     /* text: name; body: topic, may be empty; number: days of history that who
                            joins later may read, 0..30.  DONE: conv */
    YR_CMD_ROOM_INVITE,  /* conv; who: a friend */
    YR_CMD_ROOM_JOIN,    /* conv: accept an invitation; DONE as soon as the wish is durable */
    YR_CMD_ROOM_REJECT,  /* conv: an invitation */
    YR_CMD_ROOM_LEAVE,   /* conv; flags FORGET: history too (also of a room left before) */
    YR_CMD_ROOM_KICK,    /* conv; who: a member */
    YR_CMD_ROOM_ROLE,    /* conv; who: a member; number: YR_RANK_ADMIN, _MOD or _MEMBER */
    YR_CMD_ROOM_NAME,    /* conv; text */
    YR_CMD_ROOM_TOPIC,   /* conv; text, may be empty */
    YR_CMD_ROOM_MUTE,    /* conv; expires_ms as for friends */
    YR_CMD_ROOM_MENTIONS /* conv; only mentions count as unread here; flags REMOVE: all does */
};
enum yr_cmd_flag {
    YR_FLAG_ACTION = 1,
    YR_FLAG_LOCAL = 2,
    YR_FLAG_REMOVE = 4,
    YR_FLAG_FORGET = 8,
    YR_FLAG_HINTS = 16,
    YR_FLAG_QR = 32,
    YR_FLAG_VERIFIED = 64
};
struct yr_cmd {
    enum yr_cmd_kind kind;
    unsigned flags;
    unsigned number;
    uint8_t conv[YR_ID_LEN];
    uint8_t who[YR_ID_LEN];
    uint8_t msg[YR_MSG_ID_LEN];
    uint8_t reply_to[YR_MSG_ID_LEN]; /* zero: no reply */
    const char *text, *name, *body;  /* borrowed for the call; NULL = empty */
    size_t text_len, name_len, body_len;
    yr_ms expires_ms;
    struct yr_addr addr;
};
/** Carry out a command.  `ticket` is the caller's and comes back in its DONE event, which is there
 *  when the change is durable (or has failed to become so).
 *  An error returned here means: refused, nothing changed, no DONE event.
 *  Errors: YR_ENOID, YR_ELOCKED, YR_ENOFRIEND, YR_ENOENT, YR_EFULL, YR_ESIZE, YR_EINVAL, YR_EPROTO,
 *  YR_EEXPIRED, YR_EOWN, YR_EEXIST, YR_EDENIED, YR_ENOSPC (the store is refusing writes),
 * YR_ENOMEM. */
YR_API YR_MUST_USE enum yr_err yr_node_command(struct yr_node *node, struct yr_now now,
                                               const struct yr_cmd *cmd, uint64_t ticket);

/* ---- effects ---- */

enum yr_effect_kind {
    YR_FX_SEND,    /* a datagram to `to` */
    YR_FX_LAN,     /* a datagram to the LAN multicast groups */
    YR_FX_STORE,   /* commit `txn` */
    YR_FX_KEYFILE, /* write 96 bytes into a slot of shred.key, durably */
    YR_FX_EVENT,   /* tell the user interfaces */
    YR_FX_OPEN, /* open a socket of family to.family at any port; its number is to.local (1..256).
                   One that cannot be opened sends nothing: no answer is wanted */
    YR_FX_SHUT  /* close socket to.local */
};

enum yr_event_kind {
    YR_EV_DONE,     /* ticket, err; msg / text where the command makes one */
    YR_EV_MESSAGE,  /* conv, msg: a new message, own or received */
    YR_EV_STATE,    /* conv, msg, state */
    YR_EV_EDIT,     /* conv, msg */
    YR_EV_DELETE,   /* conv, msg */
    YR_EV_REACTION, /* conv, msg */
    YR_EV_READ,     /* conv: our own read marker moved */
    YR_EV_FRIEND,   /* conv: added or changed; gone: removed */
    YR_EV_PRESENCE, /* conv, online; not kept */
    YR_EV_REQUEST,  /* text: invite id; an add's or invite's state changed */
    YR_EV_NET,      /* reachability, or how a link goes, changed; not kept */
    YR_EV_NOTICE,   /* text: something the user should know */
    YR_EV_ROOM,     /* conv: a room was added or changed (also an invitation); gone: removed */
    YR_EV_MEMBER,   /* conv, who: a member came or changed; gone: is none any more */
    YR_EV_TYPING,   /* conv, online: the friend is writing to us, or no more; not kept */
    YR_EV_KIND_COUNT
};

/** A message's way; never goes back.  Only FAILED, which is given up after its time, may turn out
 * to be DELIVERED or READ: it got there in time, and word of that came late. */
enum yr_state {
    YR_STATE_ACCEPTED,
    YR_STATE_HELD, /* friends keep it, sealed, until the one it is for appears */
    YR_STATE_DELIVERED,
    YR_STATE_READ,
    YR_STATE_FAILED,
    YR_STATE_CANCELLED
};

struct yr_event {
    enum yr_event_kind kind;
    uint64_t cursor; /* strictly rising; of an event that is not kept: the last kept one */
    yr_ms time_ms;
    uint64_t ticket; /* DONE */
    enum yr_err err; /* DONE */
    uint8_t conv[YR_ID_LEN];
    uint8_t msg[YR_MSG_ID_LEN];
    uint8_t who[YR_ID_LEN]; /* MEMBER */
    enum yr_state state;
    bool online, gone;
    uint64_t value_us; /* DONE of PING: round trip */
    char text[512];    /* REQUEST, NOTICE; DONE of INVITE_NEW and ADD: invite id */
};

struct yr_effect {
    enum yr_effect_kind kind;
    struct yr_addr to;
    size_t len;               /* SEND, LAN: bytes written into the caller's buffer */
    const struct yr_txn *txn; /* STORE: lent until answered */
    uint64_t token;           /* KEYFILE */
    unsigned slot;
    uint8_t slot_bytes[96];
    struct yr_event event; /* EVENT */
};
/** The next effect, to be carried out in this order.  buf: room for one datagram (>= 1500 bytes).
 *  false: none now. */
YR_API bool yr_node_poll(struct yr_node *node, struct yr_now now, struct yr_effect *out,
                         uint8_t *buf, size_t cap);

/* ---- queries: what is, now; they change nothing ---- */

/** Yes, no, or not known yet. */
enum yr_tri { YR_UNKNOWN, YR_NO, YR_YES };

struct yr_self {
    bool unlocked, has_identity;
    uint8_t id[YR_ID_LEN];
    char nick[65], status[257];
    yr_ms created_ms;
    uint32_t gen;
    uint32_t retired_gen; /* this is an old copy, which has stopped for good; 0: it is not */
    size_t friends, friends_online, queued; /* queued: messages not yet at their friend */
    uint64_t cursor;                        /* of the last kept event */
    bool store_failing;
    bool away; /* as we said, and why: */
    char away_text[257];
    yr_ms away_ms; /* since when */
};
YR_API void yr_node_self(const struct yr_node *node, struct yr_self *out);

enum yr_trust { YR_TRUST_REQUEST, YR_TRUST_INVITE, YR_TRUST_INTRODUCED, YR_TRUST_VERIFIED };

/** Mail that friends keep for each other: what this node and a friend do for each other. */
struct yr_mail_ledger {
    size_t kept; /* letters that we keep for it now ... */
    uint64_t kept_bytes;
    size_t for_me; /* of our own, that it keeps now */
    /* since the start: */
    uint64_t left, left_bytes; /* it left with us for others */
    uint64_t refused;          /* ... and were not taken: no room, or past its share */
    uint64_t handed_on_bytes;  /* left with others by us, for it */
};

struct yr_friend_info {
    uint8_t id[YR_ID_LEN];
    char petname[65], nick[65], status[257];
    enum yr_trust trust;
    bool online, blocked, lan;
    bool relayed; /* the link goes through this common friend: */
    uint8_t via[YR_ID_LEN];
    enum yr_tri relay; /* carry for this friend: as configured, no, yes */
    enum yr_tri mail, presence, typing, receipts; /* as configured, no, yes */
    enum yr_tri anon;    /* its mail is left with others through others only */
    bool tells_receipts; /* what of its texts we read; so we show what it read of ours */
    bool away;           /* as the friend told us last, and why, and since when: */
    char away_text[257];
    yr_ms away_ms;
    yr_ms active_ms; /* when somebody was last at its node, if it tells; 0: it does not */
    bool writing;    /* to us, now */
    uint64_t relayed_for_me, relayed_by_me; /* bytes: of our links through him, his through us */
    struct yr_addr addr;                    /* of the link */
    yr_ms created_ms, last_seen_ms, muted_until_ms;
    uint64_t rtt_us, in_bytes, out_bytes;
    struct yr_mail_ledger ledger;
    size_t unread, queued;
    size_t held;          /* of these, at other friends until it appears ... */
    unsigned held_at;     /* ... at so many */
    char fingerprint[72]; /* with us */
};

/** What waits for one friend. */
struct yr_queue_info {
    uint8_t id[YR_ID_LEN];
    size_t texts;     /* of ours that it has not */
    size_t held;      /* of these, kept by other friends until it appears ... */
    unsigned held_at; /* ... by so many */
    yr_ms oldest_ms;  /* when the first of them was said */
};
/** How far a walk over the queues is; zero at first. */
struct yr_queue_walk {
    unsigned slot, looked;
};
/** The next friend for whom a text waits; false: that was the last.  Of a long queue only its
 *  beginning is looked at, and when a walk has looked at much, of others nothing: what was not
 *  looked at is counted as texts. */
YR_API bool yr_node_queue_next(struct yr_node *node, struct yr_queue_walk *walk,
                               struct yr_queue_info *out);

/** Changes whenever the friends or their names do, before their events come: what was worked out
 *  from them before is stale. */
YR_API uint64_t yr_node_friends_version(const struct yr_node *node);
/** The i-th friend in order of addition; false past the end. */
YR_API bool yr_node_friend_at(const struct yr_node *node, size_t i, struct yr_friend_info *out);
/** Is this friend told what of its texts we read: as configured (so for who is none), no, yes. */
YR_API enum yr_tri yr_node_receipts(const struct yr_node *node, const uint8_t id[YR_ID_LEN]);
YR_API YR_MUST_USE enum yr_err
yr_node_friend(const struct yr_node *node, const uint8_t id[YR_ID_LEN], struct yr_friend_info *out);

enum yr_invite_state {
    YR_INVITE_OPEN,
    YR_INVITE_USED,
    YR_INVITE_EXPIRED,
    YR_INVITE_REVOKED,
    YR_INVITE_LEAKED
};
struct yr_invite_info {
    char id[9];
    char link[320], qr[320]; /* empty unless open */
    char petname[65];
    yr_ms created_ms, expires_ms;
    enum yr_invite_state state;
    bool used;
    uint8_t used_by[YR_ID_LEN];
};
YR_API bool yr_node_invite_at(const struct yr_node *node, size_t i, struct yr_invite_info *out);

enum yr_add_state { YR_ADD_SEARCHING, YR_ADD_WAITING, YR_ADD_DONE, YR_ADD_FAILED };
/** A link being added. */
struct yr_add_info {
    char id[9];
    uint8_t inviter[YR_ID_LEN];
    char petname[65];
    yr_ms created_ms;
    enum yr_add_state state;
    enum yr_err why;      /* FAILED: YR_ESPENT, YR_EREVOKED, YR_EFULL, YR_EEXPIRED, YR_EAUTH */
    struct yr_addr tried; /* the address tried last */
};
YR_API bool yr_node_add_at(const struct yr_node *node, size_t i, struct yr_add_info *out);

/* ---- the network ---- */

/** How our NAT picks outside ports, and whom it lets in (RFC 4787). */
enum yr_nat_kind {
    YR_NAT_UNKNOWN,
    YR_NAT_NONE,        /* we are where others see us */
    YR_NAT_INDEPENDENT, /* of the other end */
    YR_NAT_ADDRESS,     /* depends on the other end's address */
    YR_NAT_PORT         /* ... and port */
};

struct yr_net_info {
    enum yr_dht_mode dht;
    bool serves;           /* we answer others in the DHT */
    bool island;           /* its nodes are at private addresses */
    uint8_t dht_pk[32];    /* our node key */
    size_t nodes4, nodes6; /* of the DHT we know */
    double network;        /* about how many there are; 0: not known */
    size_t bootstraps,
        bootstraps_answered;     /* nodes to start from: configured, and heard of since start */
    size_t peers_without_key;    /* configured peers that are only addresses to try */
    bool direct_records;         /* our records go to their holders directly: nobody forwards */
    size_t records;              /* held for others */
    struct yr_addr seen4, seen6; /* where others see us; family 0: not known */
    enum yr_nat_kind mapping, filtering; /* of IPv4 */
    enum yr_tri hairpin;
    enum yr_tri reachable4, reachable6; /* by strangers, unasked */
    unsigned keepalive_s;               /* between two packets that keep the NAT open */
    bool keepalive_learned;
    struct yr_addr mapped; /* a port mapping; family 0: none */
    enum yr_tri mapped_works;
    yr_ms clock_offset_ms; /* of our clock against friends' (median); 0 if under 10 min */
    bool relays;           /* we carry for friends */
    size_t circuits;       /* that we carry now */
};
YR_API void yr_node_net(const struct yr_node *node, struct yr_net_info *out);

/** Our own addresses, best first: what invites and friends are told. */
enum yr_own_source { YR_OWN_INTERFACE, YR_OWN_SEEN, YR_OWN_MAPPED };
YR_API bool yr_node_own_addr_at(const struct yr_node *node, size_t i, struct yr_addr *out,
                                enum yr_own_source *source);

/** Where a friend may be, and how we know. */
enum yr_found {
    YR_FOUND_LINKED, /* a link was there */
    YR_FOUND_TOLD,   /* the friend said so */
    YR_FOUND_LAN,    /* a beacon came from there */
    YR_FOUND_PROBED, /* a probe did */
    YR_FOUND_DHT,    /* the friend left word in the DHT */
    YR_FOUND_PEER    /* a configured address */
};
struct yr_candidate_info {
    struct yr_addr addr;
    enum yr_found how;
};
/** false past the end. */
YR_API bool yr_node_candidate_at(const struct yr_node *node, const uint8_t friend_id[YR_ID_LEN],
                                 size_t i, struct yr_candidate_info *out);

/** How a friend was looked for, and what came of it. */
enum yr_way {
    YR_WAY_CACHED, /* where a link was, or where the friend said */
    YR_WAY_LAN,
    YR_WAY_PEER,     /* a configured address */
    YR_WAY_DHT_PUT,  /* word left for the friend */
    YR_WAY_DHT_GET,  /* the friend's word looked for */
    YR_WAY_SIGNAL,   /* an offer to punch, by way of the DHT */
    YR_WAY_PUNCH,    /* both sides send at once */
    YR_WAY_BIRTHDAY, /* ... at many ports */
    YR_WAY_RELAY,    /* through a common friend */
    YR_WAY_MOVE,     /* a link changed its way */
    YR_WAY_COUNT
};
enum yr_outcome {
    YR_OUT_TRYING,
    YR_OUT_WORKED,
    YR_OUT_SILENT,  /* no answer */
    YR_OUT_NOTHING, /* nobody to ask, nothing found */
    YR_OUT_REFUSED,
    YR_OUT_COUNT
};
struct yr_try {
    yr_ms at_ms;
    enum yr_way way;
    enum yr_outcome outcome;
    unsigned count;         /* the same again: how often; at_ms is the last time */
    struct yr_addr addr;    /* family 0: none */
    uint8_t via[YR_ID_LEN]; /* RELAY: the friend asked; zero: none */
};
YR_API const char *yr_way_name(enum yr_way way); /* "cached", "lan", ... */
YR_API const char *yr_outcome_name(enum yr_outcome outcome);
/** The i-th attempt to reach this friend, newest first; false past the end. */
YR_API bool yr_node_try_at(const struct yr_node *node, const uint8_t friend_id[YR_ID_LEN], size_t i,
                           struct yr_try *out);

/** Bytes since the node started, IP and UDP headers counted. */
enum yr_purpose {
    YR_FOR_LINK,    /* links with friends */
    YR_FOR_PATH,    /* probes, offers, beacons */
    YR_FOR_CONTACT, /* first contact */
    YR_FOR_DHT,
    YR_FOR_RELAYED, /* carried for two friends */
    YR_PURPOSE_COUNT
};
struct yr_traffic {
    uint64_t in, out;
};
YR_API const char *yr_purpose_name(enum yr_purpose purpose);
YR_API void yr_node_traffic(const struct yr_node *node, enum yr_purpose purpose,
                            struct yr_traffic *out);

struct yr_peer_info {
    char name[128];
    struct yr_addr addr;
    bool keyed, answered; /* a node of the DHT to start from; it has answered */
    uint64_t rtt_us;      /* to it; 0: not known */
};
YR_API bool yr_node_peer_at(const struct yr_node *node, size_t i, struct yr_peer_info *out);

enum yr_msg_kind { YR_MSG_TEXT, YR_MSG_ACTION, YR_MSG_SYSTEM };
struct yr_reaction {
    uint8_t author[YR_ID_LEN];
    char emoji[17];
};
/** A message as shown.  Large: 20 KiB; keep one, not many.
 *  In a room the author (and the author of a reaction) is a mid and 16 zero bytes; the room's own
 *  lines (SYSTEM) have the author zero. */
struct yr_message {
    uint8_t id[YR_MSG_ID_LEN], conv[YR_ID_LEN], author[YR_ID_LEN];
    uint8_t reply_to[YR_MSG_ID_LEN]; /* zero: none */
    enum yr_msg_kind kind;
    bool own, edited, deleted, late, unread;
    bool room, mention;                 /* mention: of our own name */
    unsigned of, delivered_to, read_by; /* own, in a room: members who can read it, and have */
    enum yr_state state;
    uint64_t cursor, seq;
    uint8_t incarnation[8];
    yr_ms time_ms, received_ms, edited_ms, delivered_ms, read_ms;
    yr_ms expires_ms;    /* given up if it is not there by then; 0: never */
    yr_ms held_ms;       /* since when friends keep it; 0: none ever did */
    yr_ms held_until_ms; /* ... and how long those who keep it now will */
    unsigned held_by;    /* how many of them keep it now */
    yr_ms failed_ms;     /* FAILED: when it was given up */
    size_t reaction_count, text_len;
    struct yr_reaction reactions[64];
    char text[16385];
};
/** Errors: YR_ENOENT; YR_ECORRUPT; YR_EIO. */
YR_API YR_MUST_USE enum yr_err
yr_node_message(struct yr_node *node, const uint8_t id[YR_MSG_ID_LEN], struct yr_message *out);

/** Walk one conversation in display order.  Keys of all conversations compare bytewise as one list,
 *  and begin with milliseconds, big-endian in 6 bytes, never before the message's time_ms.
 *  `*key` is a place: all zeroes and YR_SEEK_GE
 *  starts at the oldest, all 0xff and YR_SEEK_LE at the newest; each call writes the key of the
 *  message it returns, from which YR_SEEK_GT / YR_SEEK_LT go on.  Errors as above; YR_ENOENT: end.
 */
struct yr_place {
    uint8_t key[32];
};
YR_API YR_MUST_USE enum yr_err yr_node_history(struct yr_node *node, const uint8_t conv[YR_ID_LEN],
                                               enum yr_seek how, struct yr_place *key,
                                               struct yr_message *out);
/** Where a message stands in its conversation. */
YR_API YR_MUST_USE enum yr_err yr_node_place(struct yr_node *node, const uint8_t id[YR_MSG_ID_LEN],
                                             uint8_t conv[YR_ID_LEN], struct yr_place *out);
/** Ids that begin with the first `bits` bits of `prefix`: up to `cap`; how many there are (<= cap).
 */
YR_API size_t yr_node_message_prefix(struct yr_node *node, const uint8_t prefix[YR_MSG_ID_LEN],
                                     size_t bits, uint8_t (*out)[YR_MSG_ID_LEN], size_t cap);

struct yr_unread {
    size_t count, mentions;
    uint8_t first[YR_MSG_ID_LEN], marker[YR_MSG_ID_LEN]; /* zero: none */
};
YR_API void yr_node_unread(struct yr_node *node, const uint8_t conv[YR_ID_LEN],
                           struct yr_unread *out);

/* ---- rooms ---- */

enum yr_room_state {
    YR_ROOM_INVITED, /* by a friend; nothing was answered yet */
    YR_ROOM_JOINING, /* the inviter knows our wish; we are no member yet */
    YR_ROOM_ACTIVE,
    YR_ROOM_KEYLESS, /* a member who cannot read what is said now, and has asked for the key */
    YR_ROOM_GONE     /* left, or removed: history stays readable */
};
struct yr_room_info {
    uint8_t id[YR_ID_LEN];
    enum yr_room_state state;
    char name[65];
    char topic[1025];
    uint8_t inviter[YR_ID_LEN]; /* the friend who invited us; zero: we made the room */
    uint8_t self[YR_MID_LEN];   /* our own mid; zero while INVITED */
    unsigned rank;              /* our own; 0: none */
    unsigned hist_days;         /* of history that who joins later may read */
    size_t members, online;     /* of these, ourselves included */
    size_t waiting;             /* records that came and wait for earlier ones */
    bool mentions_only;
    yr_ms created_ms, muted_until_ms;
};
/** Changes whenever a room, a member or a name in one does, before the events come. */
YR_API uint64_t yr_node_rooms_version(const struct yr_node *node);
/** The i-th room in order of creation or invitation; false past the end. */
YR_API bool yr_node_room_at(struct yr_node *node, size_t i, struct yr_room_info *out);
/** Errors: YR_ENOENT. */
YR_API YR_MUST_USE enum yr_err yr_node_room(struct yr_node *node, const uint8_t id[YR_ID_LEN],
                                            struct yr_room_info *out);

struct yr_member_info {
    uint8_t mid[YR_MID_LEN];
    char nick[65]; /* as the member calls itself in this room */
    unsigned rank; /* 0: was a member once */
    bool self;
    bool friend; /* and this one: */
    uint8_t friend_id[YR_ID_LEN];
    bool online;   /* a friend with a link; others: heard of in the last ten minutes */
    bool forked;   /* has signed two histories */
    yr_ms seen_ms; /* when last heard of; 0: never */
    bool reached;  /* no friend, but one is known through whom he is reached: */
    uint8_t via[YR_ID_LEN];
};
/** The i-th member of a room, by rank (highest first), then mid; past them those who were members
 *  once and wrote something; false past the end. */
YR_API bool yr_node_member_at(struct yr_node *node, const uint8_t room[YR_ID_LEN], size_t i,
                              struct yr_member_info *out);
/** One member, present or former.  Errors: YR_ENOENT. */
YR_API YR_MUST_USE enum yr_err yr_node_member(struct yr_node *node, const uint8_t room[YR_ID_LEN],
                                              const uint8_t mid[YR_MID_LEN],
                                              struct yr_member_info *out);

/** The first kept event after `cursor`.  Errors: YR_ENOENT: none.
 *  *gap: events between were dropped. */
YR_API YR_MUST_USE enum yr_err yr_node_event_after(struct yr_node *node, uint64_t cursor,
                                                   struct yr_event *out, bool *gap);

/** One step of the answer to "why". */
struct yr_why {
    yr_ms time_ms;
    const char *code;       /* a constant: accepted, probing, no_answer, no_address, linked, sent,
                               delivered, read, ... */
    uint8_t who[YR_ID_LEN]; /* the friend who did that, whom text does not name; zero: it does */
    yr_ms until_ms;         /* until or by when, which text does not say; 0: nothing */
    char text[192];
};
/** Why a message (or, with msg zero, a friend) is where it is: up to `cap` steps, oldest first;
 *  *next_ms: when the next try is due, 0: nothing is planned.  Errors: YR_ENOENT; YR_ENOFRIEND. */
YR_API YR_MUST_USE enum yr_err yr_node_why(struct yr_node *node, struct yr_now now,
                                           const uint8_t conv[YR_ID_LEN],
                                           const uint8_t msg[YR_MSG_ID_LEN], struct yr_why *out,
                                           size_t cap, size_t *count, yr_ms *next_ms);

/** What was dropped and why, what was sent: named counters in a fixed order; NULL name at the end.
 */
struct yr_counter {
    const char *name;
    uint64_t value;
};
YR_API struct yr_counter yr_node_counter(const struct yr_node *node, size_t i);

/* ---- small helpers that every front end needs ---- */

/** Decode what `yaari add` is given, without a node: form and checksum only.
 *  id8 receives the invite id (9 bytes).  Errors: YR_EPROTO; YR_EVERSION; YR_ESIZE. */
YR_API YR_MUST_USE enum yr_err yr_link_check(const char *link, size_t len, char id8[9],
                                             uint8_t inviter[YR_ID_LEN], bool *qr);
/** The addresses of the inviter that a link carries: up to 3; how many.  0: none, or no link. */
YR_API size_t yr_link_hints(const char *link, size_t len, struct yr_addr out[3]);
/** Crockford base32 of any bytes; out: (len * 8 + 4) / 5 + 1 bytes. */
YR_API void yr_id_text(char *out, const uint8_t *src, size_t len);
/** Errors: YR_EPROTO, YR_ESIZE. */
YR_API YR_MUST_USE enum yr_err yr_id_parse(uint8_t *out, size_t *out_len, const char *text,
                                           size_t text_len);

#endif
