#include <arpa/inet.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/common/json.h"
#include "cli/common/times.h"
#include "cli/daemon/rpc_internal.h"

/* ---- parts ---- */

bool yr_is_zero(const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

json_t *yr_json_id(const uint8_t *id, size_t len)
{
    char text[YR_ID_TEXT];
    yr_id_text(text, id, len);
    return json_string_nocheck(text);
}

static void put_id(json_t *object, const char *key, const uint8_t *id, size_t len)
{
    json_object_set_new(object, key, yr_json_id(id, len));
}

/* id and its first eight characters */
static void put_ids(json_t *object, const uint8_t id[YR_ID_LEN])
{
    char text[YR_ID_TEXT];
    yr_id_text(text, id, YR_ID_LEN);
    json_object_set_new(object, "id", json_string_nocheck(text));
    json_object_set_new(object, "short", json_stringn_nocheck(text, 8));
}

static void put_int(json_t *object, const char *key, uint64_t value)
{
    json_object_set_new(object, key, json_integer((json_int_t)value));
}

static void put_bool(json_t *object, const char *key, bool value)
{
    json_object_set_new(object, key, json_boolean(value));
}

static json_t *record(const char *type)
{
    json_t *object = json_object();
    json_object_set_new(object, "type", json_string_nocheck(type));
    return object;
}

json_t *yr_json_text(const char *text)
{
    json_t *holder = json_object(), *string;

    yr_json_put_str(holder, "text", text); // which mends what is no UTF-8
    string = json_incref(json_object_get(holder, "text"));
    json_decref(holder);
    return string;
}

json_t *yr_json_addr(const struct yr_addr *addr)
{
    char text[INET6_ADDRSTRLEN], full[INET6_ADDRSTRLEN + 32];

    if (addr->family != 4 && addr->family != 6)
        return json_string_nocheck("");
    if (inet_ntop(addr->family == 4 ? AF_INET : AF_INET6, addr->ip, text, sizeof text) == NULL)
        return json_string_nocheck("");
    if (addr->family == 4)
        snprintf(full, sizeof full, "%s:%u", text, addr->port);
    else if (addr->scope != 0)
        snprintf(full, sizeof full, "[%s%%%u]:%u", text, addr->scope, addr->port);
    else
        snprintf(full, sizeof full, "[%s]:%u", text, addr->port);
    return json_string_nocheck(full);
}

/* ---- who ---- */

/* The name a friend goes by; a friend that is gone is known by its short id. */
static const char *name_of(struct yr_rpc *rpc, const uint8_t id[YR_ID_LEN], char short_id[9])
{
    char text[YR_ID_TEXT];
    yr_names_read(&rpc->names, rpc->node);
    const struct yr_name *name = yr_names_by_id(&rpc->names, id);

    if (name != NULL)
        return name->name;
    yr_id_text(text, id, YR_ID_LEN);
    snprintf(short_id, 9, "%.8s", text);
    if (memcmp(id, rpc->names.self, YR_ID_LEN) == 0 && rpc->names.self_name[0] != '\0')
        return rpc->names.self_name;
    return short_id;
}

void yr_put_name(struct yr_rpc *rpc, json_t *record_, const char *key, const uint8_t id[YR_ID_LEN])
{
    char short_id[9];

    yr_json_put_str(record_, key, name_of(rpc, id, short_id));
}

static bool is_self(struct yr_rpc *rpc, const uint8_t id[YR_ID_LEN])
{
    yr_names_read(&rpc->names, rpc->node);
    return memcmp(id, rpc->names.self, YR_ID_LEN) == 0;
}

const char *yr_rpc_room_name(struct yr_rpc *rpc, const uint8_t id[YR_ID_LEN], char short_id[9])
{
    char text[YR_ID_TEXT];
    yr_names_read(&rpc->names, rpc->node);
    const struct yr_name *name = yr_names_room(&rpc->names, id);

    if (name != NULL)
        return name->name;
    yr_id_text(text, id, YR_ID_LEN);
    snprintf(short_id, 9, "%.8s", text);
    return short_id;
}

json_t *yr_record_room_ref(struct yr_rpc *rpc, const uint8_t id[YR_ID_LEN])
{
    char short_id[9];
    json_t *ref = json_object();

    json_object_set_new(ref, "kind", json_string_nocheck("room"));
    put_id(ref, "id", id, YR_ID_LEN);
    yr_json_put_str(ref, "name", yr_rpc_room_name(rpc, id, short_id));
    return ref;
}

json_t *yr_record_ref(struct yr_rpc *rpc, const uint8_t id[YR_ID_LEN])
{
    char short_id[9];
    json_t *ref;

    yr_names_read(&rpc->names, rpc->node);
    if (yr_names_room(&rpc->names, id) != NULL)
        return yr_record_room_ref(rpc, id);
    ref = json_object();
    json_object_set_new(ref, "kind", json_string_nocheck(is_self(rpc, id) ? "self" : "friend"));
    put_id(ref, "id", id, YR_ID_LEN);
    yr_json_put_str(ref, "name", name_of(rpc, id, short_id));
    return ref;
}

/* ---- rooms ---- */

void yr_rpc_member_name(struct yr_rpc *rpc, const uint8_t room[YR_ID_LEN],
                        const struct yr_member_info *info, char out[YR_NAME_MAX])
{
    const struct yr_name *friend = NULL, *row;
    char id[YR_ID_TEXT];
    size_t len;

    yr_names_read(&rpc->names, rpc->node);
    yr_id_text(id, info->mid, YR_MID_LEN);
    if (info->friend)
        friend = yr_names_by_id(&rpc->names, info->friend_id);
    if (friend != NULL) {
        snprintf(out, YR_NAME_MAX, "%s", friend->name);
        return;
    }
    yr_name_clean(out, info->nick, strlen(info->nick));
    if (out[0] == '\0' && info->self)
        snprintf(out, YR_NAME_MAX, "%s", rpc->names.self_name);
    if (out[0] == '\0') {
        snprintf(out, YR_NAME_MAX, "%.8s", id);
        return;
    }
    row = yr_names_room(&rpc->names, room);
    len = strlen(out);
    if (row != NULL && !info->self && yr_names_alike(&rpc->names, rpc->node, row, info->mid))
        snprintf(out + len, YR_NAME_MAX - len, "~%.6s", id);
}

json_t *yr_record_member_ref(struct yr_rpc *rpc, const uint8_t room[YR_ID_LEN],
                             const uint8_t mid[YR_MID_LEN])
{
    struct yr_member_info info;
    char name[YR_NAME_MAX];
    json_t *ref = json_object();

    if (yr_node_member(rpc->node, room, mid, &info) != YR_OK) {
        memset(&info, 0, sizeof info);
        memcpy(info.mid, mid, YR_MID_LEN);
    }
    yr_rpc_member_name(rpc, room, &info, name);
    json_object_set_new(ref, "kind", json_string_nocheck("member"));
    put_id(ref, "id", mid, YR_MID_LEN);
    yr_json_put_str(ref, "name", name);
    put_bool(ref, "friend", info.friend || info.self);
    return ref;
}

const char *yr_rank_name(unsigned rank)
{
    return rank >= YR_RANK_FOUNDER ? "founder"
           : rank >= YR_RANK_ADMIN ? "admin"
           : rank >= YR_RANK_MOD   ? "mod"
           : rank > 0              ? "member"
                                   : "none";
}

static const char *const room_states[] = {[YR_ROOM_INVITED] = "invited",
                                          [YR_ROOM_JOINING] = "joining",
                                          [YR_ROOM_ACTIVE] = "active",
                                          [YR_ROOM_KEYLESS] = "keyless",
                                          [YR_ROOM_GONE] = "gone"};

json_t *yr_record_room(struct yr_rpc *rpc, const struct yr_room_info *info)
{
    const struct yr_now now = rpc->env.now(rpc->env.ctx);
    const bool muted = info->muted_until_ms > now.wall_ms;
    struct yr_unread unread;
    char short_id[9];
    json_t *room = record("room");

    yr_node_unread(rpc->node, info->id, &unread);
    put_ids(room, info->id);
    yr_json_put_str(room, "name", yr_rpc_room_name(rpc, info->id, short_id));
    yr_json_put_str(room, "topic", info->topic);
    json_object_set_new(room, "state", json_string_nocheck(room_states[info->state]));
    json_object_set_new(room, "role", json_string_nocheck(yr_rank_name(info->rank)));
    put_int(room, "members", info->members);
    put_int(room, "online", info->online);
    put_int(room, "unread", unread.count);
    put_int(room, "mentions", unread.mentions);
    put_bool(room, "muted", muted);
    if (muted && info->muted_until_ms < INT64_MAX)
        yr_json_put_time(room, "muted_until", info->muted_until_ms);
    put_bool(room, "mentions_only", info->mentions_only);
    put_int(room, "history_days", info->hist_days);
    put_int(room, "waiting", info->waiting);
    if (!yr_is_zero(info->self, YR_MID_LEN))
        put_id(room, "self", info->self, YR_MID_LEN);
    if (!yr_is_zero(info->inviter, YR_ID_LEN))
        json_object_set_new(room, "inviter", yr_record_ref(rpc, info->inviter));
    yr_json_put_time(room, "created", info->created_ms);
    return room;
}

json_t *yr_record_member(struct yr_rpc *rpc, const uint8_t room[YR_ID_LEN],
                         const struct yr_member_info *info)
{
    char name[YR_NAME_MAX], short_id[9];
    json_t *member = record("member");

    yr_rpc_member_name(rpc, room, info, name);
    put_id(member, "room", room, YR_ID_LEN);
    put_id(member, "id", info->mid, YR_MID_LEN);
    yr_json_put_str(member, "name", name);
    yr_json_put_str(member, "nick", info->nick);
    json_object_set_new(member, "role", json_string_nocheck(yr_rank_name(info->rank)));
    put_bool(member, "online", info->online || info->self);
    put_bool(member, "friend", info->friend);
    if (info->self)
        put_bool(member, "self", true);
    if (info->friend)
        put_id(member, "friend_id", info->friend_id, YR_ID_LEN);
    if (info->reached && !info->friend && !info->self)
        yr_json_put_str(member, "via", name_of(rpc, info->via, short_id));
    if (info->seen_ms > 0)
        yr_json_put_time(member, "last_seen", info->seen_ms);
    if (info->forked)
        put_bool(member, "forked", true);
    return member;
}

json_t *yr_record_room_request(struct yr_rpc *rpc, const struct yr_room_info *info)
{
    char key[YR_ID_TEXT];
    json_t *request = record("request");

    yr_id_text(key, info->id, YR_ID_LEN);
    put_int(request, "id", (uint64_t)yr_request_id(rpc, key));
    json_object_set_new(request, "what", json_string_nocheck("room"));
    json_object_set_new(request, "dir", json_string_nocheck("in"));
    json_object_set_new(
        request, "state",
        json_string_nocheck(info->state == YR_ROOM_INVITED ? "waiting" : "accepted"));
    json_object_set_new(request, "from", yr_record_ref(rpc, info->inviter));
    json_object_set_new(request, "room", yr_record_room_ref(rpc, info->id));
    yr_json_put_str(request, "text", info->name);
    put_int(request, "members", info->members);
    yr_json_put_time(request, "time", info->created_ms);
    return request;
}

json_t *yr_record_identity(struct yr_rpc *rpc)
{
    struct yr_self self;
    json_t *identity = record("identity");

    yr_node_self(rpc->node, &self);
    put_ids(identity, self.id);
    yr_json_put_str(identity, "name", self.nick);
    if (self.status[0] != '\0')
        yr_json_put_str(identity, "status", self.status);
    if (self.away)
        put_bool(identity, "away", true);
    if (self.away && self.away_text[0] != '\0')
        yr_json_put_str(identity, "away_text", self.away_text);
    if (self.away && self.away_ms > 0)
        yr_json_put_time(identity, "away_since", self.away_ms);
    yr_json_put_time(identity, "created", self.created_ms);
    return identity;
}

const char *yr_friend_state(const struct yr_friend_info *info)
{
    return !info->online ? "offline" : info->away ? "away" : "online";
}

static void put_tri(json_t *object, const char *key, enum yr_tri value)
{
    static const char *const words[] = {[YR_UNKNOWN] = "default", [YR_NO] = "no", [YR_YES] = "yes"};

    json_object_set_new(object, key, json_string_nocheck(words[value]));
}

json_t *yr_record_friend(struct yr_rpc *rpc, const struct yr_friend_info *info, bool fingerprint)
{
    static const char *const trusts[] = {[YR_TRUST_REQUEST] = "request",
                                         [YR_TRUST_INVITE] = "invite",
                                         [YR_TRUST_INTRODUCED] = "introduced",
                                         [YR_TRUST_VERIFIED] = "verified"};
    const struct yr_now now = rpc->env.now(rpc->env.ctx);
    char short_id[9];
    json_t *record_ = record("friend");

    put_ids(record_, info->id);
    yr_json_put_str(record_, "name", name_of(rpc, info->id, short_id));
    yr_json_put_str(record_, "nick", info->nick);
    if (info->petname[0] != '\0')
        yr_json_put_str(record_, "petname", info->petname);
    json_object_set_new(record_, "trust", json_string_nocheck(trusts[info->trust]));
    json_object_set_new(record_, "state", json_string_nocheck(yr_friend_state(info)));
    if (info->away && info->away_text[0] != '\0')
        yr_json_put_str(record_, "away_text", info->away_text);
    if (info->away && info->away_ms > 0)
        yr_json_put_time(record_, "away_since", info->away_ms);
    if (info->active_ms > 0)
        yr_json_put_time(record_, "last_active", info->active_ms);
    if (info->status[0] != '\0')
        yr_json_put_str(record_, "status", info->status);
    if (info->last_seen_ms > 0)
        yr_json_put_time(record_, "last_seen", info->last_seen_ms);
    yr_put_path(rpc, record_, info);
    put_int(record_, "unread", info->unread);
    put_int(record_, "queue", info->queued);
    put_bool(record_, "muted", info->muted_until_ms > now.wall_ms);
    if (info->muted_until_ms > now.wall_ms && info->muted_until_ms < INT64_MAX)
        yr_json_put_time(record_, "muted_until", info->muted_until_ms);
    put_bool(record_, "blocked", info->blocked);
    yr_json_put_time(record_, "created", info->created_ms);
    put_tri(record_, "relay", info->relay);
    put_tri(record_, "mail", info->mail);
    put_tri(record_, "presence", info->presence);
    put_tri(record_, "typing", info->typing);
    put_tri(record_, "receipts", info->receipts);
    put_tri(record_, "anon", info->anon);
    if (fingerprint)
        yr_json_put_str(record_, "fingerprint", info->fingerprint);
    return record_;
}

json_t *yr_record_invite(struct yr_rpc *rpc, const struct yr_invite_info *info)
{
    static const char *const states[] = {[YR_INVITE_OPEN] = "open",
                                         [YR_INVITE_USED] = "used",
                                         [YR_INVITE_EXPIRED] = "expired",
                                         [YR_INVITE_REVOKED] = "revoked",
                                         [YR_INVITE_LEAKED] = "leaked"};
    json_t *invite = record("invite");

    yr_json_put_str(invite, "id", info->id);
    if (info->link[0] != '\0')
        yr_json_put_str(invite, "link", info->link);
    yr_json_put_time(invite, "expires", info->expires_ms);
    put_int(invite, "uses_left", info->state == YR_INVITE_OPEN);
    json_object_set_new(invite, "state", json_string_nocheck(states[info->state]));
    if (info->used)
        json_object_set_new(invite, "used_by", yr_record_ref(rpc, info->used_by));
    if (info->petname[0] != '\0')
        yr_json_put_str(invite, "name", info->petname);
    yr_json_put_time(invite, "created", info->created_ms);
    return invite;
}

/* Why an add has failed, in the words of its invite. */
static const char *add_reason(enum yr_err why)
{
    const struct {
        enum yr_err err;
        const char *word;
    } reasons[] = {{YR_ESPENT, "spent"},     {YR_EREVOKED, "revoked"}, {YR_EFULL, "full"},
                   {YR_EEXPIRED, "expired"}, {YR_EAUTH, "refused"},    {YR_EOWN, "own"}};
    for (size_t i = 0; i < YR_COUNT_OF(reasons); i++)
        if (reasons[i].err == why)
            return reasons[i].word;
    return "failed";
}

json_t *yr_record_request(struct yr_rpc *rpc, const struct yr_add_info *info)
{
    static const char *const states[] = {[YR_ADD_SEARCHING] = "searching",
                                         [YR_ADD_WAITING] = "waiting",
                                         [YR_ADD_DONE] = "done",
                                         [YR_ADD_FAILED] = "failed"};
    json_t *request = record("request"), *from = yr_record_ref(rpc, info->inviter);

    if (info->petname[0] != '\0' && yr_names_by_id(&rpc->names, info->inviter) == NULL) {
        char name[YR_NAME_MAX];
        yr_name_clean(name, info->petname, strlen(info->petname));
        if (name[0] != '\0')
            yr_json_put_str(from, "name", name);
    }
    put_int(request, "id", (uint64_t)yr_request_id(rpc, info->id));
    json_object_set_new(request, "what", json_string_nocheck("friend"));
    json_object_set_new(request, "dir", json_string_nocheck("out"));
    json_object_set_new(request, "state", json_string_nocheck(states[info->state]));
    json_object_set_new(request, "from", from);
    yr_json_put_str(request, "invite", info->id);
    if (info->state == YR_ADD_FAILED) {
        json_object_set_new(request, "reason", json_string_nocheck(add_reason(info->why)));
        yr_json_put_str(request, "text", yr_strerror(info->why));
    } else if (info->tried.family == 4 || info->tried.family == 6) {
        json_object_set_new(request, "tried", yr_json_addr(&info->tried));
    } else if (info->tried.family == YR_FAMILY_SIGNAL) {
        json_object_set_new(request, "tried", json_string_nocheck("the DHT"));
    }
    yr_json_put_time(request, "time", info->created_ms);
    return request;
}

/* ---- what was said ---- */

bool yr_shows_read(const struct yr_rpc *rpc, const uint8_t conv[YR_ID_LEN])
{
    const enum yr_tri receipts = yr_node_receipts(rpc->node, conv);

    return receipts == YR_UNKNOWN ? rpc->read_receipts : receipts == YR_YES;
}

const char *yr_state_name(const struct yr_rpc *rpc, const uint8_t conv[YR_ID_LEN],
                          enum yr_state state, bool own)
{
    static const char *const states[] = {
        [YR_STATE_ACCEPTED] = "accepted",   [YR_STATE_HELD] = "held",
        [YR_STATE_DELIVERED] = "delivered", [YR_STATE_READ] = "read",
        [YR_STATE_FAILED] = "failed",       [YR_STATE_CANCELLED] = "cancelled"};
    if (!own || (state == YR_STATE_READ && !yr_shows_read(rpc, conv)))
        return states[YR_STATE_DELIVERED]; // what we received was; `read` is mutual
    return states[state];
}

/* [{emoji, from: [Ref.name], ids: [id], friends: [bool]}] (friends: in rooms), one entry an emoji,
 * in the order the node gives. */
static json_t *reactions(struct yr_rpc *rpc, const struct yr_message *msg)
{
    json_t *list = json_array(), *entry;
    size_t at;

    for (size_t i = 0; i < msg->reaction_count; i++) {
        const struct yr_reaction *reaction = &msg->reactions[i];
        json_t *found = NULL;
        char short_id[9];
        json_array_foreach(list, at, entry) if (strcmp(yr_json_str(entry, "emoji", ""),
                                                       reaction->emoji) == 0) found = entry;
        if (found == NULL) {
            found = json_object();
            yr_json_put_str(found, "emoji", reaction->emoji);
            json_object_set_new(found, "from", json_array());
            json_object_set_new(found, "ids", json_array());
            json_array_append_new(list, found);
        }
        if (msg->room) {
            json_t *ref = yr_record_member_ref(rpc, msg->conv, reaction->author);
            json_array_append(json_object_get(found, "from"), json_object_get(ref, "name"));
            json_array_append(json_object_get(found, "ids"), json_object_get(ref, "id"));
            if (json_object_get(found, "friends") == NULL)
                json_object_set_new(found, "friends", json_array());
            json_array_append(json_object_get(found, "friends"), json_object_get(ref, "friend"));
            json_decref(ref);
            continue;
        }
        json_t *name = json_string(name_of(rpc, reaction->author, short_id));
        json_array_append_new(json_object_get(found, "from"), name);
        json_array_append_new(json_object_get(found, "ids"),
                              yr_json_id(reaction->author, YR_ID_LEN));
    }
    return list;
}

/* Who said it; a room's own lines are the room's. */
static json_t *author_ref(struct yr_rpc *rpc, const struct yr_message *msg)
{
    if (!msg->room)
        return yr_record_ref(rpc, msg->author);
    return yr_is_zero(msg->author, YR_ID_LEN) ? yr_record_room_ref(rpc, msg->conv)
                                              : yr_record_member_ref(rpc, msg->conv, msg->author);
}

static json_t *per_member(const struct yr_rpc *rpc, const struct yr_message *msg)
{
    json_t *counts = json_object();

    put_int(counts, "delivered", msg->delivered_to);
    put_int(counts, "read", yr_shows_read(rpc, msg->conv) ? msg->read_by : 0);
    put_int(counts, "of", msg->of);
    return counts;
}

json_t *yr_record_message(struct yr_rpc *rpc, const struct yr_message *msg)
{
    static const char *const kinds[] = {
        [YR_MSG_TEXT] = "text", [YR_MSG_ACTION] = "action", [YR_MSG_SYSTEM] = "system"};
    json_t *message = record("message");

    put_id(message, "id", msg->id, YR_MSG_ID_LEN);
    put_int(message, "cursor", msg->cursor);
    json_object_set_new(message, "target",
                        msg->room ? yr_record_room_ref(rpc, msg->conv)
                                  : yr_record_ref(rpc, msg->conv));
    json_object_set_new(message, "from", author_ref(rpc, msg));
    json_object_set_new(message, "kind", json_string_nocheck(kinds[msg->kind]));
    yr_json_put_str(message, "text", msg->deleted ? "" : msg->text);
    yr_json_put_time(message, "time", msg->time_ms);
    yr_json_put_time(message, "received", msg->received_ms);
    if (msg->late)
        put_bool(message, "late", true);
    if (!yr_is_zero(msg->reply_to, YR_MSG_ID_LEN))
        put_id(message, "reply_to", msg->reply_to, YR_MSG_ID_LEN);
    if (msg->edited)
        yr_json_put_time(message, "edited", msg->edited_ms);
    if (msg->deleted)
        put_bool(message, "deleted", true);
    if (msg->mention)
        put_bool(message, "mention", true);
    put_bool(message, "own", msg->own);
    json_object_set_new(message, "state",
                        json_string_nocheck(yr_state_name(rpc, msg->conv, msg->state, msg->own)));
    if (msg->held_by > 0)
        put_int(message, "held_by", msg->held_by);
    if (msg->held_until_ms > 0)
        yr_json_put_time(message, "held_until", msg->held_until_ms);
    if (msg->own && msg->expires_ms > 0)
        yr_json_put_time(message, "expires", msg->expires_ms);
    if (msg->state == YR_STATE_FAILED && msg->expires_ms > 0)
        json_object_set_new(message, "reason", json_string_nocheck("expired"));
    if (msg->room && msg->own)
        json_object_set_new(message, "per_member", per_member(rpc, msg));
    if (msg->unread)
        put_bool(message, "unread", true);
    if (msg->reaction_count > 0)
        json_object_set_new(message, "reactions", reactions(rpc, msg));
    return message;
}

json_t *yr_record_unread(struct yr_rpc *rpc, const uint8_t conv[YR_ID_LEN])
{
    struct yr_unread unread;
    json_t *record_ = record("unread");

    yr_node_unread(rpc->node, conv, &unread);
    json_object_set_new(record_, "target", yr_record_ref(rpc, conv));
    put_int(record_, "unread", unread.count);
    put_int(record_, "mentions", unread.mentions);
    if (!yr_is_zero(unread.first, YR_MSG_ID_LEN))
        put_id(record_, "first", unread.first, YR_MSG_ID_LEN);
    if (!yr_is_zero(unread.marker, YR_MSG_ID_LEN))
        put_id(record_, "marker", unread.marker, YR_MSG_ID_LEN);
    return record_;
}

/* ---- the node ---- */

static const char *state_word(const struct yr_self *self, const struct yr_rpc_status *status)
{
    if (!self->unlocked)
        return status->vault ? "locked" : "no_identity";
    if (!self->has_identity)
        return "no_identity";
    return status->offline ? "offline" : "ok";
}

const char *yr_rpc_state(struct yr_rpc *rpc)
{
    struct yr_rpc_status status;
    struct yr_self self;

    rpc->env.status(rpc->env.ctx, &status);
    yr_node_self(rpc->node, &self);
    return state_word(&self, &status);
}

struct totals {
    uint64_t unread, mentions, rooms, requests;
};

static void add_unread(struct yr_rpc *rpc, const uint8_t conv[YR_ID_LEN], struct totals *totals)
{
    struct yr_unread unread;

    yr_node_unread(rpc->node, conv, &unread);
    totals->unread += unread.count;
    totals->mentions += unread.mentions;
}

static struct totals count_all(struct yr_rpc *rpc, const struct yr_self *self)
{
    struct totals totals = {0};
    struct yr_room_info room;

    yr_names_read(&rpc->names, rpc->node);
    add_unread(rpc, self->id, &totals);
    for (size_t i = 0; i < rpc->names.count; i++)
        add_unread(rpc, rpc->names.rows[i].id, &totals);
    for (size_t i = 0; yr_node_room_at(rpc->node, i, &room); i++) {
        add_unread(rpc, room.id, &totals);
        totals.rooms += room.state != YR_ROOM_INVITED && room.state != YR_ROOM_GONE;
        totals.requests += room.state == YR_ROOM_INVITED;
    }
    return totals;
}

/* For whom texts wait, and at how many friends. */
static json_t *queued(struct yr_rpc *rpc)
{
    json_t *list = json_array();
    struct yr_queue_walk walk = {0};
    struct yr_queue_info info;

    while (yr_node_queue_next(rpc->node, &walk, &info)) {
        json_t *entry = json_object();
        json_object_set_new(entry, "friend", yr_record_ref(rpc, info.id));
        put_int(entry, "messages", info.texts);
        put_int(entry, "held", info.held);
        put_int(entry, "held_at", info.held_at);
        if (info.oldest_ms > 0)
            yr_json_put_time(entry, "oldest", info.oldest_ms);
        json_array_append_new(list, entry);
    }
    return list;
}

json_t *yr_record_status(struct yr_rpc *rpc)
{
    struct yr_rpc_status status;
    struct yr_net_info net;
    struct yr_self self;
    json_t *record_ = record("status"), *listen = json_array();

    rpc->env.status(rpc->env.ctx, &status);
    yr_node_self(rpc->node, &self);
    (void)yr_rpc_net(rpc, &net);
    const bool open = self.unlocked && self.has_identity;
    const struct totals totals = open ? count_all(rpc, &self) : (struct totals){0};
    yr_json_put_str(record_, "version", YAARI_VERSION);
    put_int(record_, "api", YR_RPC_API);
    json_object_set_new(record_, "state", json_string_nocheck(state_word(&self, &status)));
    if (open)
        json_object_set_new(record_, "identity", yr_record_identity(rpc));
    put_int(record_, "uptime_s", status.uptime_s);
    json_object_set_new(record_, "reachable",
                        json_string_nocheck(yr_reach_name(yr_rpc_reach(rpc, &net))));
    json_object_set_new(record_, "dht", yr_json_dht(&net));
    put_int(record_, "friends", self.friends);
    put_int(record_, "friends_online", self.friends_online);
    put_int(record_, "rooms", totals.rooms);
    put_int(record_, "requests", totals.requests);
    put_int(record_, "queue", self.queued);
    if (open && self.queued > 0)
        json_object_set_new(record_, "queued", queued(rpc));
    put_int(record_, "unread", totals.unread);
    put_int(record_, "mentions", totals.mentions);
    if (self.retired_gen != 0)
        put_bool(record_, "retired", true);
    if (self.store_failing)
        put_bool(record_, "store_failing", true);
    yr_json_put_str(record_, "socket", status.socket_path);
    put_int(record_, "pid", (uint64_t)getpid());
    yr_json_put_str(record_, "profile", status.profile);
    for (size_t i = 0; i < status.listen_count; i++)
        json_array_append_new(listen, yr_json_addr(&status.listen[i]));
    json_object_set_new(record_, "listen", listen);
    return record_;
}
