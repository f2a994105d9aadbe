/* rpc_internal.h: what the files of the RPC server share. */
#ifndef YR_RPC_INTERNAL_H
#define YR_RPC_INTERNAL_H

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "cli/common/buf.h"
#include "cli/daemon/names.h"
#include "cli/daemon/rpc.h"

#define YR_COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#define YR_ID_TEXT     53 /* 52 characters of an identity and a NUL */
#define YR_MSG_ID_TEXT 27 /* 26 characters of a message id and a NUL */

/* ---- methods ---- */

enum yr_param_type { YR_P_STR, YR_P_INT, YR_P_BOOL, YR_P_STRS, YR_P_STR_NULL, YR_P_STR_INT };
struct yr_param {
    const char *name; /* NULL ends the list */
    enum yr_param_type type;
    bool required;
    int64_t min, max; /* of an int; bytes of a string; strings of a list.  Both 0: any */
    const char *help;
};

struct yr_call;
/** How a handler ended: its answer is in call->result, or in call->fail, or will come. */
enum yr_end { YR_END_OK, YR_END_FAILED, YR_END_LATER };

struct yr_method {
    const char *name;
    enum yr_end (*run)(struct yr_call *call);
    bool open;  /* needs an unlocked vault and an identity */
    bool heavy; /* may take milliseconds: runs within a budget */
    const struct yr_param *params;
    const char *result, *help;
};
/** The method called `name` (len bytes); NULL: there is none. */
const struct yr_method *yr_method_find(const char *name, size_t len);
const struct yr_method *yr_method_at(size_t i);

struct yr_rpc_fail {
    int code;          /* YR_RPC_... */
    int exit;          /* 0: the one of the code */
    char message[400]; /* no full stop */
    char hint[256];    /* empty: none */
    char id[YR_MSG_ID_TEXT];
    json_t *candidates; /* owned; NULL: none */
};

struct yr_call {
    struct yr_rpc *rpc;
    struct yr_rpc_client *client;
    const struct yr_method *method;
    json_t *id;     /* borrowed */
    json_t *params; /* borrowed; always an object; NULL in a finish */
    struct yr_now now;
    json_t *result; /* owned by the call */
    struct yr_rpc_fail fail;
};

/* ---- requests whose answer comes later ---- */

struct yr_pending {
    struct yr_rpc_client *client; /* NULL: it has gone */
    json_t *id;                   /* owned */
    json_t *params;               /* owned; of a request that waits for its turn, else NULL */
    const struct yr_method *method;
    /** Makes the answer; YR_END_LATER: it has put itself on the list of waits. */
    enum yr_end (*finish)(struct yr_call *call, struct yr_pending *pending);
    uint32_t index, generation; /* the ticket is both */
    bool used, waiting;
    unsigned outstanding; /* commands not yet done, and 1 while the handler runs */
    enum yr_err err;      /* the first that failed */
    uint8_t conv[YR_ID_LEN], msg[YR_MSG_ID_LEN];
    uint8_t who[YR_MID_LEN]; /* a member */
    char text[16];           /* invite id */
    uint64_t value_us;
    bool with_qr, own_msg; /* answer with the QR form; msg is the request's, not DONE's */
    bool take_conv;        /* DONE tells the conversation: it is being made */
    bool waited;           /* wait has begun */
    enum yr_state wait;    /* YR_STATE_ACCEPTED: no wait */
    uint32_t timeout_ms;   /* of wait; 0: none */
    yr_us deadline_us;
    json_t *keep;                        /* owned; what the finish needs of the request */
    struct yr_pending *next, *next_wait; /* free list, turns; waits with the same hash */
};

/** Take a slot for the answer of `call`; holds one `outstanding`.  NULL: this client has too many,
 *  call->fail says so. */
struct yr_pending *yr_call_defer(struct yr_call *call,
                                 enum yr_end (*finish)(struct yr_call *, struct yr_pending *));
uint64_t yr_pending_ticket(const struct yr_pending *pending);
/** Whose ticket this is; NULL: nobody's any more. */
struct yr_pending *yr_pending_find(const struct yr_rpc *rpc, uint64_t ticket);
/** Count what env's function said: a refusal is remembered, anything else will be DONE. */
void yr_pending_count(struct yr_pending *pending, enum yr_err err);
/** Give a command to the node; a refusal is remembered in pending->err. */
void yr_pending_command(struct yr_call *call, struct yr_pending *pending, const struct yr_cmd *cmd);
/** The handler has given all its commands: finish now if none is outstanding. */
enum yr_end yr_call_release(struct yr_call *call, struct yr_pending *pending);
/** Wait until pending->msg reaches pending->wait or the time is over; then finish is called again,
 *  with err YR_OK or YR_EAGAIN. */
enum yr_end yr_pending_wait(struct yr_call *call, struct yr_pending *pending);
/** Let tick finish it with YR_EAGAIN at pending->deadline_us. */
void yr_pending_set_deadline(struct yr_rpc *rpc, struct yr_pending *pending, uint64_t timeout_ms);

/** Give a slot back, with what it owns. */
void yr_pending_free(struct yr_rpc *rpc, struct yr_pending *pending);
/** One command of a ticket is done; event NULL: there is no more to say.  Unknown tickets are
 *  ignored. */
void yr_pending_done(struct yr_rpc *rpc, uint64_t ticket, enum yr_err err,
                     const struct yr_event *event);
/** A message has got somewhere: answer who waits for that. */
void yr_pending_reached(struct yr_rpc *rpc, const struct yr_event *event);
/** Finish what ran out of time. */
void yr_pending_expire(struct yr_rpc *rpc, yr_us now);
/** A client has gone: its requests are answered to nobody. */
void yr_pending_orphan(struct yr_rpc *rpc, struct yr_rpc_client *client);
void yr_pending_clear(struct yr_rpc *rpc);

/* ---- the server ---- */

#define YR_EVENT_KINDS YR_EV_KIND_COUNT

struct yr_sub {
    struct yr_rpc_client *client;
    struct yr_sub *next;
    int64_t id;
    uint64_t cursor;     /* of the last event sent or passed over */
    bool live;           /* all kept events up to now are sent */
    bool stale;          /* presence and net changes were passed over */
    bool lost;           /* its cursor is none of ours: a gap is to be told */
    uint32_t kinds;      /* a bit per event kind */
    size_t target_count; /* 0: all */
    uint8_t (*targets)[YR_ID_LEN];
};

struct yr_rpc_client {
    void *conn;
    struct yr_rpc_client *next;
    bool greeted;
    unsigned pending_count, sub_count;
    struct yr_pending *turns, **turns_end; /* heavy requests, oldest first */
};

#define YR_WAIT_BUCKETS 1024
#define YR_REQUEST_IDS  128

struct yr_rpc {
    struct yr_node *node;
    struct yr_rpc_env env;
    struct yr_rpc_client *clients;
    size_t client_count;
    struct yr_sub *subs;
    int64_t last_sub;

    struct yr_pending **pending; /* slots, never freed before the server */
    size_t pending_count;
    struct yr_pending *free_pending;
    struct yr_pending *waits[YR_WAIT_BUCKETS];
    yr_us next_deadline; /* no pending deadline is before it */
    int64_t budget_us;   /* what heavy requests may take at once; below 0: they wait */
    yr_us budget_at;     /* when it was last filled */
    size_t turn_count;   /* requests that wait for their turn */
    yr_us turns_at;      /* not looked at before */
    bool behind;         /* some subscription is not live */
    yr_us pump_at;

    struct yr_names names;
    struct {
        char key[YR_ID_TEXT];
        int64_t id;
    } request_ids[YR_REQUEST_IDS]; /* oldest first */
    size_t request_count;
    int64_t last_request;

    struct yr_sample *samples; /* owned; counters of the last week, oldest first */
    size_t sample_count;
    yr_us sample_at; /* of the next */

    bool read_receipts;
    uint64_t requests, errors, refused, events;
    struct yr_message msg; /* scratch: 20 KiB, for whoever reads one message */
    struct yr_buf out;     /* scratch */
};

/* ---- answers ---- */

/** Fill call->fail; returns YR_END_FAILED, so that a handler can `return yr_call_fail(...)`. */
enum yr_end yr_call_fail(struct yr_call *call, int code, const char *format, ...) YR_PRINTF(3);
/** The failure that stands for an error of the library. */
enum yr_end yr_call_err(struct yr_call *call, enum yr_err err);
void yr_call_hint(struct yr_call *call, const char *format, ...) YR_PRINTF(2);
enum yr_end yr_call_ok(struct yr_call *call, json_t *result);
/** Tell the end of a call to whoever asked; a client that has gone is told nothing. */
void yr_call_answer(struct yr_call *call, enum yr_end end);

/* ---- parameters, already checked against the method's table ---- */

/** NULL when absent; lent from the request. */
const char *yr_call_str(const struct yr_call *call, const char *name);
bool yr_call_bool(const struct yr_call *call, const char *name, bool absent);
int64_t yr_call_int(const struct yr_call *call, const char *name, int64_t absent);
bool yr_call_has(const struct yr_call *call, const char *name);

/* ---- objects users name ---- */

/** A conversation: a friend's or a room's id, or our own for the note to self.  kinds:
 *  YR_NAMES_...  On failure call->fail is set. */
bool yr_call_target(struct yr_call *call, const char *text, unsigned kinds, uint8_t out[YR_ID_LEN]);
/** A member of a room: a friend's name, a nick (also with a leading `~`, which a friend's name
 * never has), `me`, an id of a member or a friend, or 6 characters of one.  On failure likewise. */
bool yr_call_member(struct yr_call *call, const uint8_t room[YR_ID_LEN], const char *text,
                    uint8_t out[YR_MID_LEN]);
/** May we do things in room `id` as a member?  false: call->fail says why not. */
bool yr_call_joined(struct yr_call *call, const uint8_t id[YR_ID_LEN]);
/** A message by id or prefix. */
bool yr_call_message(struct yr_call *call, const char *text, uint8_t out[YR_MSG_ID_LEN]);
/** The small number of a request; made at its first use.  key: an invite's id, or a room's. */
int64_t yr_request_id(struct yr_rpc *rpc, const char *key);
/** What a number stands for; NULL: nothing. */
const char *yr_request_key(const struct yr_rpc *rpc, int64_t id);
/** The room to which request `id` invites; false: it is none of a room, or answered long ago. */
bool yr_request_room(struct yr_rpc *rpc, int64_t id, struct yr_room_info *out);

/* ---- records (UX: JSON record types); new references, never NULL ---- */

bool yr_is_zero(const uint8_t *bytes, size_t len);
json_t *yr_json_id(const uint8_t *id, size_t len);
/** Invalid UTF-8 becomes U+FFFD. */
json_t *yr_json_text(const char *text);
json_t *yr_json_addr(const struct yr_addr *addr);
json_t *yr_record_ref(struct yr_rpc *rpc, const uint8_t id[YR_ID_LEN]);
/** A member as the author of something; a former or unknown one too.  friend: also ourselves. */
json_t *yr_record_member_ref(struct yr_rpc *rpc, const uint8_t room[YR_ID_LEN],
                             const uint8_t mid[YR_MID_LEN]);
/** A room as a Ref, also one that is gone. */
json_t *yr_record_room_ref(struct yr_rpc *rpc, const uint8_t id[YR_ID_LEN]);
json_t *yr_record_room(struct yr_rpc *rpc, const struct yr_room_info *info);
json_t *yr_record_member(struct yr_rpc *rpc, const uint8_t room[YR_ID_LEN],
                         const struct yr_member_info *info);
json_t *yr_record_room_request(struct yr_rpc *rpc, const struct yr_room_info *info);
/** What a member is called: a friend's name, else the nick, with a part of the id where others have
 *  a nick that looks the same (`zed~3f9a1c`), else a short id; safe to show. */
void yr_rpc_member_name(struct yr_rpc *rpc, const uint8_t room[YR_ID_LEN],
                        const struct yr_member_info *info, char out[YR_NAME_MAX]);
const char *yr_rank_name(unsigned rank);
/** What a room is called, without its `#`; lent until the next call about names. */
const char *yr_rpc_room_name(struct yr_rpc *rpc, const uint8_t id[YR_ID_LEN], char short_id[9]);
json_t *yr_record_identity(struct yr_rpc *rpc);
/** "online", "away" or "offline". */
const char *yr_friend_state(const struct yr_friend_info *info);
json_t *yr_record_friend(struct yr_rpc *rpc, const struct yr_friend_info *info, bool fingerprint);
json_t *yr_record_invite(struct yr_rpc *rpc, const struct yr_invite_info *info);
json_t *yr_record_request(struct yr_rpc *rpc, const struct yr_add_info *info);
json_t *yr_record_message(struct yr_rpc *rpc, const struct yr_message *msg);
json_t *yr_record_unread(struct yr_rpc *rpc, const uint8_t conv[YR_ID_LEN]);
json_t *yr_record_status(struct yr_rpc *rpc);
json_t *yr_record_event(struct yr_rpc *rpc,
                        const struct yr_event *event); /* NULL: nothing to tell */
const char *yr_state_name(const struct yr_rpc *rpc, const uint8_t conv[YR_ID_LEN],
                          enum yr_state state, bool own);
/** Is what was read in this conversation told, and shown? */
bool yr_shows_read(const struct yr_rpc *rpc, const uint8_t conv[YR_ID_LEN]);
const char *yr_rpc_state(struct yr_rpc *rpc);

/** Find an invite or a link being added by its id. */
bool yr_rpc_invite(struct yr_rpc *rpc, const char *id, struct yr_invite_info *out);
bool yr_rpc_add(struct yr_rpc *rpc, const char *id, struct yr_add_info *out);

/** Append the ids of the last messages of all conversations, newest first. */
void yr_rpc_recent(struct yr_rpc *rpc, size_t limit, json_t *ids);

/** Put the name a friend goes by, or went by, into `record`. */
void yr_put_name(struct yr_rpc *rpc, json_t *record, const char *key, const uint8_t id[YR_ID_LEN]);

/* ---- the network (rpc_check.c, rpc_path.c, rpc_stats.c) ---- */

/** How others outside this network reach us, by what was found out. */
enum yr_reach {
    YR_REACH_UNKNOWN, /* not yet */
    YR_REACH_NONE,    /* they do not */
    YR_REACH_NAT,     /* friends do: through the DHT, or their links are up */
    YR_REACH_DIRECT   /* strangers have */
};
/** yr_node_net, and configured nodes of the DHT whose names have no address counted among those
 *  that do not answer: how many these are. */
size_t yr_rpc_net(struct yr_rpc *rpc, struct yr_net_info *out);
enum yr_reach yr_rpc_reach(struct yr_rpc *rpc, const struct yr_net_info *net);
const char *yr_reach_name(enum yr_reach reach);
const char *yr_dht_mode_name(enum yr_dht_mode mode);
/** {mode, serves, nodes, peers, answered} and, once known, network. */
json_t *yr_json_dht(const struct yr_net_info *net);
/** path and via of a friend with a link. */
void yr_put_path(struct yr_rpc *rpc, json_t *record, const struct yr_friend_info *info);
/** {time, way, outcome, count} and, where there is one, addr and via. */
json_t *yr_json_try(struct yr_rpc *rpc, const struct yr_try *try);

#define YR_SAMPLES_MAX 168 /* of counters, one an hour: a week */
/** Keep the counters if an hour has passed. */
void yr_stats_tick(struct yr_rpc *rpc, struct yr_now now);
void yr_stats_clear(struct yr_rpc *rpc);

/* ---- lines ---- */

/** Send one object as a line; `object` is taken. */
void yr_rpc_send(struct yr_rpc *rpc, struct yr_rpc_client *client, json_t *object);

/* ---- subscriptions (rpc_events.c) ---- */

const char *yr_event_name(enum yr_event_kind kind);
/** false: there is no such event. */
bool yr_event_kind_of(const char *name, enum yr_event_kind *out);
void yr_rpc_publish(struct yr_rpc *rpc, const struct yr_event *event);
/** Send what readers that were behind can take now; sets rpc->behind and rpc->pump_at. */
void yr_rpc_pump(struct yr_rpc *rpc);
void yr_rpc_unsubscribe_all(struct yr_rpc *rpc, struct yr_rpc_client *client);

/* ---- handlers ---- */

/*    X(function, "method", needs an identity, may take long, result, what it does) */
#define YR_METHOD_MAP(X)                                                                           \
    X(hello, "hello", false, false, "{version, api, profile, state, features, pid}",               \
      "agree on the version of this interface; required before events.subscribe")                  \
    X(identity_create, "identity.create", false, false, "identity",                                \
      "make this profile's identity")                                                              \
    X(identity_get, "identity.get", true, false, "identity", "who we are")                         \
    X(identity_set, "identity.set", true, false, "identity", "change the own name or status text") \
    X(vault_unlock, "vault.unlock", false, false, "status", "open the store with the passphrase")  \
    X(vault_lock, "vault.lock", false, false, "status", "close all links and wipe the keys")       \
    X(invite_create, "invite.create", true, false, "invite",                                       \
      "a link for one person; qr holds the same invite for a QR code")                             \
    X(invite_list, "invite.list", true, false, "{invites: [invite]}", "own invites")               \
    X(invite_revoke, "invite.revoke", true, false, "invite", "an open invite works no more")       \
    X(friend_add, "friend.add", true, false, "friend or request", "accept an invite link")         \
    X(friend_list, "friend.list", true, true, "{friends: [friend]}",                               \
      "friends in order of addition")                                                              \
    X(friend_get, "friend.get", true, false, "friend",                                             \
      "one friend, with the fingerprint to compare")                                               \
    X(friend_set, "friend.set", true, false, "friend", "rename, mute, or settings of its own")     \
    X(friend_verify, "friend.verify", true, false, "friend", "the fingerprints were compared")     \
    X(friend_block, "friend.block", true, false, "friend",                                         \
      "no link with this friend until unblocked")                                                  \
    X(friend_remove, "friend.remove", true, false, "{}",                                           \
      "end the friendship; the friend sees silence")                                               \
    X(request_list, "request.list", true, false, "{requests: [request]}",                          \
      "links being added, and rooms that friends invite us to")                                    \
    X(request_accept, "request.accept", true, false, "request", "join a room")                     \
    X(request_reject, "request.reject", true, false, "{}",                                         \
      "give up a link being added, or refuse an invitation")                                       \
    X(room_list, "room.list", true, true, "{rooms: [room]}",                                       \
      "rooms in order of creation or invitation")                                                  \
    X(room_new, "room.new", true, false, "room", "make a room, and invite friends to it")          \
    X(room_get, "room.get", true, false, "room", "one room")                                       \
    X(room_members, "room.members", true, true, "{members: [member]}",                             \
      "members by rank, highest first")                                                            \
    X(room_invite, "room.invite", true, false, "{invited: [Ref]}", "invite friends")               \
    X(room_join, "room.join", true, false, "room", "accept an invitation")                         \
    X(room_leave, "room.leave", true, false, "{}", "leave a room, or refuse an invitation")        \
    X(room_kick, "room.kick", true, false, "{}", "remove a member")                                \
    X(room_role, "room.role", true, false, "member", "give a member a role below one's own")       \
    X(room_topic, "room.topic", true, false, "room", "set the topic")                              \
    X(room_rename, "room.rename", true, false, "room", "change the name for all members")          \
    X(room_mute, "room.mute", true, false, "room", "no notifications for a time")                  \
    X(room_set, "room.set", true, false, "room", "a setting of our own")                           \
    X(message_send, "message.send", true, false, "message",                                        \
      "write a text; answered when it is on disk, or when `wait` is reached")                      \
    X(message_list, "message.list", true, true, "{messages: [message], more}",                     \
      "history, oldest first: the last `limit`; more: there are earlier ones")                     \
    X(message_get, "message.get", true, false, "message", "one message and its way so far")        \
    X(message_edit, "message.edit", true, false, "message", "change an own text")                  \
    X(message_delete, "message.delete", true, true, "{messages: [message]}", "delete messages")    \
    X(message_react, "message.react", true, false, "message", "set or take back a reaction")       \
    X(message_why, "message.why", true, false, "why", "why a message or a friend is where it is")  \
    X(read_get, "read.get", true, false, "{unread: [unread]}", "what is unread")                   \
    X(read_set, "read.set", true, false, "unread", "move the read marker")                         \
    X(presence_set, "presence.set", true, false, "identity", "away, and why, or back")             \
    X(typing_set, "typing.set", true, false, "{}", "writing to a friend, or no more")              \
    X(net_status, "net.status", false, false, "status", "the state of this node")                  \
    X(net_check, "net.check", false, true, "{reachable, settled, checks: [check]}",                \
      "what works between this node and others, and what to do next")                              \
    X(net_addrs, "net.addrs", false, false, "{addrs: [addr]}", "own addresses, best first")        \
    X(net_path, "net.path", true, false, "path", "how a friend is, or was, looked for")            \
    X(net_ping, "net.ping", true, false, "ping", "one round trip over the link to a friend")       \
    X(stats_get, "stats.get", false, true, "{stats: [stats]}",                                     \
      "bytes for each friend and purpose, IP and UDP headers counted")                             \
    X(peer_list, "peer.list", false, true, "{peers: [peer]}", "known peers and live links")        \
    X(peer_add, "peer.add", false, false, "peer",                                                  \
      "a node of the DHT to start from, or an address at which friends are tried")                 \
    X(peer_remove, "peer.remove", false, false, "{}", "forget such a peer")                        \
    X(config_get, "config.get", false, false, "config", "a running value")                         \
    X(config_set, "config.set", false, true, "config",                                             \
      "write a value to the profile's file, apply it")                                             \
    X(config_list, "config.list", false, false, "{configs: [config]}", "all running values")       \
    X(events_subscribe, "events.subscribe", true, true, "{sub, cursor}",                           \
      "tell what happens, as notifications `event`")                                               \
    X(events_unsubscribe, "events.unsubscribe", true, false, "{}", "end a subscription")           \
    X(backup_create, "backup.create", true, false, "backup",                                       \
      "write a backup to a new file, and read it back")                                            \
    X(daemon_stop, "daemon.stop", false, false, "{}", "end the daemon")                            \
    X(daemon_reload, "daemon.reload", false, true, "{}", "read the configuration again")           \
    X(rpc_list, "rpc.list", false, false, "{methods: [name]}", "the methods there are")            \
    X(rpc_describe, "rpc.describe", false, false, "{method, help, params, result}", "one method")  \
    X(complete, "complete", false, true, "{words: [string]}", "words for command line completion")

#define X(function, name, open, heavy, result, help) \
    enum yr_end yr_rpc_##function(struct yr_call *call);
YR_METHOD_MAP(X)
#undef X

#endif
