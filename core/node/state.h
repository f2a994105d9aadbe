/* core/node/state.h: what a node is made of.  Private to core/node. */
#ifndef YR_NODE_STATE_H
#define YR_NODE_STATE_H

#include "core/base/mem.h"
#include "core/chat/chat.h"
#include "core/contact/contacts.h"
#include "core/delivery/delivery.h"
#include "core/delivery/habit.h"
#include "core/delivery/mailbox.h"
#include "core/dht/dht.h"
#include "core/link/links.h"
#include "core/node/meet.h"
#include "core/node/renew.h"
#include "core/path/paths.h"
#include "core/path/relay.h"
#include "core/path/trace.h"
#include "core/room/rooms.h"
#include "core/wire/frames.h"
#include "yaari/node.h"

#define YR_STASH_MAX (YR_ADDS_MAX)

/** Whether somebody is away, and what else is told of that. */
struct yr_presence {
    bool away;
    yr_ms active_ms;              /* when somebody was last there; 0: not known */
    yr_ms since_ms;               /* away since */
    char text[YR_STATUS_MAX + 1]; /* why */
};

/** One friend.  Rows FRIEND, CLOCK and ADDR mirror it. */
struct yr_friend {
    bool used;
    bool pending;   /* we asked, the answer is not here yet: shown to no one */
    uint32_t order; /* of addition */
    uint8_t id[32], dev[32];
    uint32_t gen;
    struct yr_pair pair;
    char nick[YR_NICK_MAX + 1], petname[YR_NICK_MAX + 1], status[YR_STATUS_MAX + 1];
    enum yr_trust trust;
    bool blocked;
    enum yr_tri mail, presence, typing, receipts; /* what of our settings is different for it */
    enum yr_tri anon; /* leave its letters with others through others only */
    struct yr_habit habit;
    yr_ms created_ms, last_seen_ms, muted_until_ms;
    yr_us
        begun_us; /* the handshake that made the pair, as this process saw it; 0: an earlier one */
    struct yr_clock clock_theirs, clock_ours;
    struct yr_probe_clock probe_clock;
    bool online, close_soon;
    uint64_t profile_hlc, relays_hlc; /* of the newest of these, as this process saw it */
    bool settled; /* a ratchet message of this pair has come since it was made or loaded */
    yr_ms online_ms, failed_ms; /* last link up; last dial that failed */
    struct yr_addr dialled;     /* where */
    struct yr_presence theirs;  /* as it told us last; has a row */
    bool told;                  /* it was told something of us; has a row */
    bool tell_due;              /* it is to be told, at tell_us at the earliest */
    yr_us tell_us;
    struct yr_presence heard; /* if heard_waits: to be believed at take_us */
    bool heard_waits;
    yr_us take_us;
    bool wrote; /* it was told that we write to it, last at wrote_us */
    yr_us wrote_us;
    bool writes; /* it writes to us, until writes_us unless we hear more */
    yr_us writes_us, writes_next_us;
    double pings; /* token bucket of their PINGs */
    yr_us pings_us;
};

/** A prekey made for someone who has no slot yet. */
struct yr_stash {
    bool used;
    uint8_t id[32];
    struct yr_prekey_own prekey;
};

struct yr_ping_wait {
    bool used;
    unsigned slot;
    uint64_t nonce, ticket;
    yr_us sent_us;
};

/** What we want of common friends for one friend. */
struct yr_circuit {
    enum yr_tri consent;          /* to carry for this friend; has a row, as has: */
    bool keeper;                  /* it offers to keep much mail */
    uint8_t list_told[YR_HASH16]; /* hash of the list of relays told to it */
    uint64_t set_told;            /* set of relays that was looked at for that */
    yr_us tell_us;                /* not told before; 0: never was linked */
    unsigned lists_told;
    unsigned budget, turn, hint; /* askings left; whose turn it is; who has just come + 1 */
    yr_us due_us; /* a circuit is asked for, if the friend is not linked then; 0: never */
    bool direct;  /* linked, and not through one */
};

/** Mail that a friend may keep for us, over the present link. */
struct yr_mail_with {
    uint32_t bytes; /* so much, as it says; 0: nothing, or it has not said */
    uint8_t days;
    bool offered;    /* over this link, at least once */
    uint32_t listed; /* ids it has told us of; forgiven with time */
    yr_us listed_us;
    uint64_t version;                          /* of the tags it knows */
    yr_us next_us;                             /* not told before */
    unsigned times;                            /* told over this link */
    uint8_t told[YR_MAIL_DAYS][YR_HASH16 / 2]; /* by day modulo: hash of what it was told */
};

/** A receipt for a letter that came through others, before it is written. */
struct yr_mail_owed {
    unsigned slot;
    bool text;
    uint8_t id[YR_MSG_ID_LEN];
};

/** An envelope that a friend has us leave with another one, who has not answered yet. */
struct yr_forward {
    unsigned asker, hop;
    uint8_t eid[YR_EID_LEN];
    yr_us until_us; /* not after: the place is free */
};
struct yr_forward_with {
    double left, count; /* bytes of its day; envelopes at once */
    yr_us since_us;
    uint64_t bytes; /* handed on for it */
};
enum yr_forward_count {
    YR_FORWARD_N_DONE,
    YR_FORWARD_N_FULL,
    YR_FORWARD_N_REFUSED,
    YR_FORWARD_COUNTERS
};

struct yr_peer {
    bool used, kept; /* kept: has a row */
    char name[128];
    struct yr_addr addr;
    bool keyed; /* its name ends in its key: a bootstrap node of the DHT */
    uint8_t pk[32];
};

/** A bootstrap node that the host told us. */
struct yr_boot {
    bool used;
    struct yr_dht_contact contact;
};

struct yr_node {
    struct yr_node_opts opts;
    struct yr_mem *mem;
    const struct yr_rng *rng;
    struct yr_now now; /* of the call in progress, for callbacks */

    struct yr_rows *rows;
    struct yr_age age; /* what is kept grows old by it */
    struct yr_events *events;
    struct yr_links *links;
    struct yr_paths *paths;
    struct yr_contacts *contacts;
    struct yr_delivery *delivery;
    struct yr_chats *chats;
    struct yr_chat_ops chat_ops;
    struct yr_rooms *rooms;

    bool unlocked, has_identity;
    bool closing; /* goodbyes over circuits are on their way; then the other links close */
    uint32_t
        retired_gen; /* this is an old copy: the identity has this newer device; 0: it is not */
    bool leaving;    /* ... whose goodbyes are still on their way */
    struct yr_renew *renew;
    struct yr_restore *restore; /* a backup that is being taken in, or NULL */
    struct yr_identity self;
    uint8_t cert[YR_CERT_LEN];
    char nick[YR_NICK_MAX + 1], status[YR_STATUS_MAX + 1];
    struct yr_presence own; /* all friends may know of it, or some, or none */
    yr_us presence_us;      /* when something of it is to be done */
    yr_us expire_us;        /* when the next text of ours is given up, or looked at */

    struct yr_friend friends[YR_FRIENDS_MAX];
    uint32_t next_order;
    uint64_t friends_version;
    struct yr_peer peers[YR_PEERS_MAX];
    struct yr_addr addrs[YR_OWN_ADDRS_MAX];
    size_t addr_count;
    struct yr_nat nat; /* what stands between us and the others */

    struct yr_dht *dht; /* NULL: we are not in it */
    enum yr_dht_role dht_role;
    bool dht_lax;      /* an island: see dht.c */
    bool dht_world;    /* a packet of the DHT has come from a public address */
    bool dht_direct;   /* the last record went to its holders directly */
    yr_us dht_save_us; /* when what it knows is written next, or its start tried again */
    unsigned dht_told; /* what the user was told of it: off, alone, in, serving */
    bool dht_seeded;
    uint8_t dht_seed[32]; /* a server's node key */
    struct yr_boot boots[YR_PEERS_MAX];
    struct yr_meet *meet;
    struct yr_stash stash[YR_STASH_MAX];
    uint8_t hello_prekey[32]; /* lent to first contact */
    struct yr_ping_wait pings[YR_PINGS_MAX];

    /* the store refuses writes: everything is as after a crash until a probe succeeds */
    bool failing;
    enum yr_err fail_err;
    yr_us retry_us, retry_wait_us;
    enum yr_err tripped; /* half a change is pending: see yr_node_trip */

    yr_us rotate_us; /* next rotation of the erasable key, and what else is done daily */

    /* LAN beacons */
    yr_us beacon_us, beacon_last_us;
    unsigned beacon_count;
    bool close_due; /* a friend's close_soon is set, or was */
    bool beacon_due;
    uint8_t beacon_nonce[16]; /* of our last one */
    double beacon_tokens;
    yr_us beacon_tokens_us;

    /* circuits through friends */
    struct yr_relay *relay;
    struct yr_circuit circuits[YR_FRIENDS_MAX];
    struct yr_inbox *inbox, *inbox_tail; /* packets that came out of them */
    size_t inbox_count;

    /* mail: what we keep for friends, and they for us */
    struct yr_mailbox *mailbox;
    struct yr_mail_with mail[YR_FRIENDS_MAX];
    struct yr_mail_owed owed[YR_ACKS_MAX];
    size_t owed_count;
    yr_us mail_expire_us;

    struct {
        struct yr_forward waiting[YR_FORWARDS_MAX];
        struct yr_forward_with with[YR_FRIENDS_MAX];
        uint64_t counters[YR_FORWARD_COUNTERS];
    } forwards;

    struct yr_traces *traces;
    struct yr_traffic traffic[YR_PURPOSE_COUNT];
    uint64_t received, dropped;
    struct yr_message *scratch;
};

/* node.c */
/** Read everything from the store again. */
YR_MUST_USE enum yr_err yr_node_load(struct yr_node *n);
/** Forget everything that was read from the store. */
void yr_node_unload(struct yr_node *n);
void yr_node_event(struct yr_node *n, struct yr_event *event);
/** A datagram for one of the machines, by whatever way it came; dropped and counted if it is not.
 */
void yr_node_datagram(struct yr_node *n, const struct yr_addr *from, const uint8_t *bytes,
                      size_t len);
/** Something failed in the middle of a change: what is pending must never be committed and what is
 *  in memory is no longer true.  From here on nothing is taken in or given out until the store has
 *  answered what it has; then everything is as after a failed commit.  Only errors of the machine
 *  count; others are ignored. */
void yr_node_trip(struct yr_node *n, enum yr_err err);

/* daily.c */
/** When the erasable key was last rotated decides when it is next.  Errors: YR_ECORRUPT, YR_EIO,
 *  YR_ENOMEM. */
YR_MUST_USE enum yr_err yr_daily_load(struct yr_node *n);
void yr_daily_tick(struct yr_node *n);

/* friend_rows.c */
#define YR_FRIEND_ROW_MAX 1536
void yr_friend_store(struct yr_node *n, const struct yr_friend *f);
YR_MUST_USE enum yr_err yr_friend_decode(struct yr_friend *f, const uint8_t *row, size_t len);
void yr_friend_store_clocks(struct yr_node *n, const struct yr_friend *f);
YR_MUST_USE enum yr_err yr_friend_load_clocks(struct yr_node *n, struct yr_friend *f);
/* Where links were and what the friend told, newest last; LAN and probes are for now only. */
void yr_friend_store_addrs(struct yr_node *n, const struct yr_friend *f);
YR_MUST_USE enum yr_err yr_friend_load_addrs(struct yr_node *n, const struct yr_friend *f);

/* friends.c */
unsigned yr_friend_slot(const struct yr_node *n, const struct yr_friend *f);
struct yr_friend *yr_friend_find(struct yr_node *n, const uint8_t id[32]);
YR_MUST_USE enum yr_err yr_friends_load(struct yr_node *n);
void yr_friend_remove(struct yr_node *n, struct yr_friend *f, bool history);
void yr_friend_changed(struct yr_node *n, const struct yr_friend *f, bool gone);
void yr_friend_block(struct yr_node *n, struct yr_friend *f, bool blocked);
/** The friend has another device: links, sessions and what was known of the one before go. */
void yr_friend_renewed(struct yr_node *n, struct yr_friend *f, const uint8_t dev[32], uint32_t gen);
/** Put a plaintext into the friend's outbox; its id and clock are filled in.  Errors: YR_ESIZE,
 *  YR_EINVAL: it cannot be encoded; of the machine. */
YR_MUST_USE enum yr_err yr_friend_push(struct yr_node *n, struct yr_friend *f,
                                       struct yr_plain *plain);
/** Something waits for this friend, or somebody looks at the conversation: look for him now. */
void yr_friend_seek(struct yr_node *n, const struct yr_friend *f);
/** Is this friend told what of its texts we read? */
bool yr_friend_tells_receipts(const struct yr_node *n, const struct yr_friend *f);
/** Put a profile plaintext into the friend's outbox. */
void yr_friend_tell_profile(struct yr_node *n, struct yr_friend *f);
extern const struct yr_link_ops yr_friend_link_ops;
extern const struct yr_contact_ops yr_friend_contact_ops;
extern const struct yr_delivery_ops yr_friend_delivery_ops;
extern const struct yr_chat_ops yr_friend_chat_ops;

/* presence.c */
/** Our own.  Errors: YR_ECORRUPT; of the machine. */
YR_MUST_USE enum yr_err yr_presence_load(struct yr_node *n);
/** Away, and why (<= YR_STATUS_MAX bytes of UTF-8, copied), or back. */
void yr_presence_set(struct yr_node *n, bool away, const char *text, size_t len);
/** Somebody is here: a command that only a person gives has come. */
void yr_presence_active(struct yr_node *n);
/** What this friend may know has changed. */
void yr_presence_due(struct yr_node *n, struct yr_friend *f);
/** We write to this friend, or no more. */
void yr_presence_write(struct yr_node *n, struct yr_friend *f, bool on);
/** A text of the friend has come: it is written. */
void yr_presence_texted(struct yr_node *n, struct yr_friend *f);
void yr_presence_up(struct yr_node *n, struct yr_friend *f);
void yr_presence_down(struct yr_node *n, struct yr_friend *f);
/** PRESENCE or TYPING.  Errors: YR_EPROTO. */
YR_MUST_USE enum yr_err yr_presence_frame(struct yr_node *n, unsigned slot, uint8_t type,
                                          const uint8_t *body, size_t len);
void yr_presence_tick(struct yr_node *n);
/** Fill in what the friend tells. */
void yr_presence_info(const struct yr_node *n, const struct yr_friend *f,
                      struct yr_friend_info *out);

/* expire.c */
/** A text of ours has this time. */
void yr_expire_at(struct yr_node *n, yr_ms at_ms);
void yr_expire_tick(struct yr_node *n);

/* ways.c */
extern const struct yr_path_ops yr_way_path_ops;
/** Dial a friend there. */
void yr_way_dial(struct yr_node *n, struct yr_friend *f, const struct yr_addr *addr);
/** Our addresses changed: every friend is told, every link in doubt. */
void yr_way_moved(struct yr_node *n);
/** What was learnt of networks in earlier stays.  Errors: of the machine. */
YR_MUST_USE enum yr_err yr_way_load(struct yr_node *n);
/** The next socket to open or shut. */
bool yr_way_socket(struct yr_node *n, struct yr_effect *out);
/** What to tell of our own addresses, best first: up to `max`. */
size_t yr_way_own(const struct yr_node *n, struct yr_addr *out, size_t max);

/* relay.c */
extern const struct yr_relay_ops yr_circuit_relay_ops;
/** A friend among the circuits: entered, admitted or shut out, gone. */
void yr_circuit_enter(struct yr_node *n, unsigned slot);
void yr_circuit_admit(struct yr_node *n, unsigned slot);
void yr_circuit_remove(struct yr_node *n, unsigned slot);
YR_MUST_USE enum yr_err yr_circuit_load(struct yr_node *n, unsigned slot);
/** Forget all that was read or came. */
void yr_circuit_forget(struct yr_node *n);
/** The friend says that it is a keeper of mail, or no more: it stands in our list before others. */
void yr_circuit_keeper(struct yr_node *n, unsigned slot, bool keeper);
void yr_circuit_consent(struct yr_node *n, unsigned slot, enum yr_tri consent);
/** The link is up or goes another way; it is down. */
void yr_circuit_linked(struct yr_node *n, unsigned slot);
void yr_circuit_lost(struct yr_node *n, unsigned slot);
/** The friend cannot be reached, or may not be: a circuit is asked for, now.  times: it has been
 *  said before. */
void yr_circuit_need(struct yr_node *n, unsigned slot, unsigned times);
/** A frame of the control channel; those of others are ignored.  Errors: YR_EPROTO. */
YR_MUST_USE enum yr_err yr_circuit_frame(struct yr_node *n, unsigned slot, uint8_t type,
                                         const uint8_t *body, size_t len);
/** The friend told who may carry for it. */
YR_MUST_USE enum yr_err yr_circuit_told(struct yr_node *n, unsigned slot,
                                        const struct yr_plain *plain);
/** ... in an offer, which is not kept. */
void yr_circuit_offered(struct yr_node *n, unsigned slot, const struct yr_offer *offer);
/** Packets that came out of circuits go where they belong. */
void yr_circuit_drain(struct yr_node *n);
void yr_circuit_tick(struct yr_node *n);
yr_us yr_circuit_deadline(const struct yr_node *n);
/** Fill in what is about relays. */
void yr_circuit_info(const struct yr_node *n, unsigned slot, struct yr_friend_info *out);

/* mail.c */
extern const struct yr_mailbox_ops yr_mail_mailbox_ops;
YR_MUST_USE enum yr_err yr_mail_new(struct yr_node *n);
/** A friend: read what is kept for it; admitted, shut out or of another consent; gone.  Errors: of
 *  the machine. */
YR_MUST_USE enum yr_err yr_mail_enter(struct yr_node *n, unsigned slot);
void yr_mail_admit(struct yr_node *n, unsigned slot);
void yr_mail_remove(struct yr_node *n, unsigned slot);
/** Forget all that was read. */
void yr_mail_forget(struct yr_node *n);
void yr_mail_linked(struct yr_node *n, unsigned slot);
void yr_mail_lost(struct yr_node *n, unsigned slot);
/** How much a linked friend says that it keeps for us, bytes; a keeper sixteen times as much as
 *  YR_MAIL_EACH_BYTES; 0: nothing. */
uint32_t yr_mail_offer(const struct yr_node *n, unsigned slot);
void yr_mail_ledger(const struct yr_node *n, unsigned slot, struct yr_mail_ledger *out);
/** A frame of the chat channel; those of others are ignored.  Errors: YR_EPROTO and others: close
 *  the link. */
YR_MUST_USE enum yr_err yr_mail_frame(struct yr_node *n, unsigned slot, uint8_t type,
                                      const uint8_t *body, size_t len);
/** A plaintext of a friend came through another one; it came again: it is receipted. */
/** ... receipted: the chat sends a receipt for it. */
void yr_mail_came(struct yr_node *n, unsigned slot, const struct yr_plain *plain, bool receipted);
void yr_mail_again(void *ctx, struct yr_now now, unsigned slot, const struct yr_seen *seen);
/** Before a transaction is taken: receipts that are owed go into the outbox. */
void yr_mail_flush(struct yr_node *n);
void yr_mail_release(struct yr_node *n, uint64_t durable);
void yr_mail_tick(struct yr_node *n);
yr_us yr_mail_deadline(const struct yr_node *n);

/* post.c */
/** Fill in who keeps letters for friends who are away, and who is told. */
void yr_post_ops(struct yr_delivery_ops *ops);
/** As yr_delivery_ops.holders; ctx: the node. */
size_t yr_post_holders(void *ctx, unsigned slot, struct yr_holder *out, size_t max);
/** Read when this friend is usually there.  Errors: of the machine. */
YR_MUST_USE enum yr_err yr_post_enter_friend(struct yr_node *n, struct yr_friend *f);
/** Its link came or went; was: until now there was one. */
void yr_post_linked(struct yr_node *n, struct yr_friend *f, bool was);
void yr_post_forget_friend(struct yr_node *n, const uint8_t id[32]);

/* forward.c */
/** ENV_FWD.  Errors: YR_EPROTO. */
YR_MUST_USE enum yr_err yr_forward_frame(struct yr_node *n, unsigned slot, const uint8_t *body,
                                         size_t len);
/** A friend said what became of an envelope: whoever had us leave it hears that. */
void yr_forward_acked(struct yr_node *n, unsigned slot, uint8_t status,
                      const uint8_t eid[YR_EID_LEN]);
/** Its link is down: who waits for it, and what it waits for. */
void yr_forward_forget(struct yr_node *n, unsigned slot);
struct yr_counter yr_forward_counter(const struct yr_node *n, size_t i);

/* rooms.c */
extern const struct yr_rooms_ops yr_node_rooms_ops;
YR_MUST_USE enum yr_err yr_node_room_say(void *ctx, struct yr_now now,
                                         const uint8_t conv[YR_ID_LEN], const uint8_t *plain,
                                         size_t len, uint8_t id[YR_MSG_ID_LEN]);
const uint8_t *yr_node_room_incarnation(void *ctx, const uint8_t conv[YR_ID_LEN]);
void yr_node_room_counts(void *ctx, struct yr_message *message);
void yr_node_room_seen(void *ctx, const uint8_t conv[YR_ID_LEN], const uint8_t mid[YR_MID_LEN],
                       const uint8_t incarnation[YR_INCARNATION_LEN], uint64_t seq);
void yr_node_room_read(void *ctx, struct yr_now now, const uint8_t conv[YR_ID_LEN],
                       const struct yr_place *marker);
/** Any YR_CMD_ROOM_...  Errors: as the command's function in core/room/rooms.h. */
YR_MUST_USE enum yr_err yr_node_room_command(struct yr_node *n, const struct yr_cmd *cmd,
                                             struct yr_event *done);

/* restore.c */
struct yr_restore;
void yr_restore_free(struct yr_node *n);

/* self.c */
/** The store was made of a backup: at the next start logs are begun anew. */
void yr_self_restored(struct yr_node *n);
void yr_self_store(struct yr_node *n);
YR_MUST_USE enum yr_err yr_self_load(struct yr_node *n);
YR_MUST_USE enum yr_err yr_self_start(struct yr_node *n);

/* peers.c */
YR_MUST_USE enum yr_err yr_peers_load(struct yr_node *n);
YR_MUST_USE enum yr_err yr_peer_add(struct yr_node *n, const struct yr_cmd *cmd);
YR_MUST_USE enum yr_err yr_peer_remove(struct yr_node *n, const struct yr_cmd *cmd);
void yr_peers_apply(struct yr_node *n);

/* dht.c */
/** Start, stop or change our part in the DHT as the options and the configured nodes say; ask those
 *  that are new. */
void yr_node_dht_apply(struct yr_node *n);
void yr_node_dht_stop(struct yr_node *n);
void yr_node_dht_moved(struct yr_node *n);
void yr_node_dht_recv(struct yr_node *n, const struct yr_addr *from, const uint8_t *bytes,
                      size_t len);
void yr_node_dht_tick(struct yr_node *n);
yr_us yr_node_dht_deadline(const struct yr_node *n);
void yr_node_dht_info(const struct yr_node *n, struct yr_net_info *out);
bool yr_node_peer_answered(const struct yr_node *n, const struct yr_peer *peer);

/* beacon.c */
void yr_beacon_hurry(struct yr_node *n);
void yr_beacon_tick(struct yr_node *n);
yr_us yr_beacon_deadline(const struct yr_node *n);
size_t yr_beacon_poll(struct yr_node *n, uint8_t *buf, size_t cap);
void yr_beacon_recv(struct yr_node *n, const struct yr_addr *from, const uint8_t *packet,
                    size_t len);

#endif
