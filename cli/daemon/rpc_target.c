/* rpc_target.c: what users name: friends, rooms, members, messages, requests. */
#include <stdio.h>

#include "cli/common/suggest.h"
#include "cli/daemon/rpc_internal.h"

#define MATCHES_MAX 8 /* candidates told */

/* "friend", "room" or "friend or room" */
static const char *kinds_word(unsigned kinds)
{
    const bool friends = (kinds & YR_NAMES_FRIENDS) != 0, rooms = (kinds & YR_NAMES_ROOMS) != 0;
    return friends && rooms ? "friend or room" : rooms ? "room" : "friend";
}

static const char *list_command(unsigned kinds)
{
    return (kinds & YR_NAMES_FRIENDS) != 0 ? "yaari friend list" : "yaari room list --all";
}

/* A name as an argument that means nothing else. */
static json_t *name_word(const struct yr_name *row, bool forced)
{
    return json_sprintf("%s%s", row->room ? "+" : forced ? "@" : "", row->name);
}

static void fits_many(struct yr_call *call, const char *text, const struct yr_name **matches,
                      size_t count)
{
    bool friends = false, rooms = false;

    for (size_t i = 0; i < count; i++) {
        friends |= !matches[i]->room;
        rooms |= matches[i]->room;
    }
    yr_call_fail(call, YR_RPC_AMBIGUOUS, "'%.128s' fits more than one %s", text,
                 kinds_word((friends ? YR_NAMES_FRIENDS : 0u) | (rooms ? YR_NAMES_ROOMS : 0u)));
    call->fail.candidates = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(call->fail.candidates, name_word(matches[i], rooms));
    if (friends && rooms)
        yr_call_hint(call, "@%.64s is the friend, +%.64s the room", text, text);
    else
        yr_call_hint(call, "write more of the id: %s",
                     rooms ? "yaari room list --json" : "yaari friend list");
}

static void fits_none(struct yr_call *call, const char *text, unsigned kinds)
{
    const struct yr_names *names = &call->rpc->names;
    const bool forced = strchr("@+#", text[0]) != NULL && text[0] != '\0';
    struct yr_suggest near = yr_suggest_init(text + forced);
    const struct yr_name *best = NULL;

    if (forced)
        kinds &= text[0] == '@' ? YR_NAMES_FRIENDS : YR_NAMES_ROOMS;
    for (size_t i = 0; (kinds & YR_NAMES_FRIENDS) != 0 && i < names->count; i++) {
        yr_suggest_try(&near, names->rows[i].name);
        best = near.best == names->rows[i].name ? &names->rows[i] : best;
    }
    for (size_t i = 0; (kinds & YR_NAMES_ROOMS) != 0 && i < names->room_count; i++) {
        yr_suggest_try(&near, names->rooms[i].name);
        best = near.best == names->rooms[i].name ? &names->rooms[i] : best;
    }
    yr_call_fail(call, YR_RPC_NO_SUCH_TARGET, "no %s named '%.128s'", kinds_word(kinds), text);
    call->fail.candidates = json_array();
    if (best != NULL) {
        json_array_append_new(call->fail.candidates, name_word(best, false));
        yr_call_hint(call, "did you mean '%s%s'? all names: %s", best->room ? "+" : "", best->name,
                     list_command(kinds));
    } else {
        yr_call_hint(call, "all names: %s", list_command(kinds));
    }
}

bool yr_call_target(struct yr_call *call, const char *text, unsigned kinds, uint8_t out[YR_ID_LEN])
{
    const struct yr_name *matches[MATCHES_MAX];
    size_t count;

    switch (yr_names_resolve(&call->rpc->names, text, kinds, out, matches, MATCHES_MAX, &count)) {
    case YR_NAMES_FOUND: return true;
    case YR_NAMES_MANY: fits_many(call, text, matches, count); return false;
    case YR_NAMES_NONE: fits_none(call, text, kinds); return false;
    }
    return false;
}

/* ---- members ---- */

/* How well a text means a member: a friend by the name I use, or by any part of an id, is never
 * outdone by what somebody calls himself. */
enum fit { FIT_NONE, FIT_NICK, FIT_NAME, FIT_WHOLE };

static enum fit member_fit(const struct yr_call *call, const char *text, const char *name,
                           const struct yr_member_info *member)
{
    const bool as_friend = text[0] == '@', as_nick = text[0] == '~';
    const char *word = text + (as_friend || as_nick);
    const struct yr_name *friend = NULL;
    char nick[YR_NAME_MAX], id[YR_ID_TEXT], prefix[53];

    if (member->friend)
        friend = yr_names_by_id(&call->rpc->names, member->friend_id);
    if (as_nick ? friend != NULL : as_friend && friend == NULL)
        return FIT_NONE;
    if (friend != NULL ? strcmp(friend->name, word) == 0
                       : strchr(name, '~') != NULL && strcmp(name, word) == 0)
        return FIT_NAME; // zed~3f9a1c is nobody's nick
    yr_id_text(id, member->mid, YR_MID_LEN);
    if (!as_nick && yr_id_prefix(prefix, word, 26) && strncmp(id, prefix, strlen(prefix)) == 0)
        return strlen(prefix) == 26 ? FIT_WHOLE : FIT_NAME;
    if (friend != NULL && yr_id_prefix(prefix, word, 52) &&
        strncmp(friend->id_text, prefix, strlen(prefix)) == 0)
        return strlen(prefix) == 52 ? FIT_WHOLE : FIT_NAME;
    yr_name_clean(nick, member->nick, strlen(member->nick));
    return !as_friend && nick[0] != '\0' && strcmp(nick, word) == 0 ? FIT_NICK : FIT_NONE;
}

static void no_member(struct yr_call *call, const uint8_t room[YR_ID_LEN], const char *text,
                      const struct yr_suggest *near)
{
    const struct yr_name *name = yr_names_room(&call->rpc->names, room);

    yr_call_fail(call, YR_RPC_NO_SUCH_TARGET, "no member '%.128s' in #%s", text,
                 name != NULL ? name->name : "?");
    call->fail.candidates = json_array();
    if (near->best != NULL)
        json_array_append_new(call->fail.candidates, json_string(near->best));
    yr_call_hint(call, "yaari room members ROOM");
}

bool yr_call_member(struct yr_call *call, const uint8_t room[YR_ID_LEN], const char *text,
                    uint8_t out[YR_MID_LEN])
{
    const size_t at = text[0] == '@' || text[0] == '~';
    struct yr_suggest near = yr_suggest_init(text + at);
    char best_name[YR_NAME_MAX] = "";
    struct yr_member_info member;
    enum fit best = FIT_NONE;
    json_t *candidates = json_array();
    uint8_t found[YR_MID_LEN];

    for (size_t i = 0; yr_node_member_at(call->rpc->node, room, i, &member); i++) {
        const bool me = member.self && (strcmp(text, "me") == 0 || strcmp(text, "@me") == 0);
        char name[YR_NAME_MAX];

        if (member.rank == 0)
            continue; // was one once
        yr_rpc_member_name(call->rpc, room, &member, name);
        const enum fit fit = me ? FIT_WHOLE : member_fit(call, text, name, &member);
        yr_suggest_try(&near, name);
        if (near.best == name) { // of this turn of the loop only
            memcpy(best_name, name, sizeof best_name);
            near.best = best_name;
        }
        if (fit == FIT_NONE || fit < best)
            continue;
        if (fit > best)
            json_array_clear(candidates);
        best = fit;
        memcpy(found, member.mid, sizeof found);
        json_array_append_new(candidates, yr_json_id(member.mid, YR_MID_LEN));
    }
    if (best == FIT_NONE) {
        no_member(call, room, text, &near);
    } else if (json_array_size(candidates) > 1) {
        yr_call_fail(call, YR_RPC_AMBIGUOUS, "'%.128s' fits more than one member", text);
        call->fail.candidates = json_incref(candidates);
        yr_call_hint(call, "write the id of the one you mean");
    } else {
        memcpy(out, found, sizeof found);
    }
    const bool one = json_array_size(candidates) == 1;
    json_decref(candidates);
    return one;
}

/* ---- messages ---- */

/* The bits an id's text begins with; 0: no id begins so. */
static size_t id_bits(const char *text, uint8_t out[YR_MSG_ID_LEN])
{
    static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";
    size_t bits = 0;

    memset(out, 0, YR_MSG_ID_LEN);
    for (; *text != '\0'; text++) {
        char c = *text;
        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        c = (char)(c == 'o' ? '0' : c == 'i' || c == 'l' ? '1' : c);
        const char *at = strchr(alphabet, c);
        if (at == NULL)
            return 0;
        for (unsigned bit = 5; bit-- > 0; bits++) {
            const bool set = (((size_t)(at - alphabet)) >> bit & 1) != 0;
            if (bits >= 8 * YR_MSG_ID_LEN) {
                if (set || bits >= 130)
                    return 0; // the last character has two bits that are not the id's
            } else if (set) {
                out[bits / 8] = (uint8_t)(out[bits / 8] | 0x80 >> bits % 8);
            }
        }
    }
    return bits > 8 * YR_MSG_ID_LEN ? 8 * YR_MSG_ID_LEN : bits;
}

bool yr_call_message(struct yr_call *call, const char *text, uint8_t out[YR_MSG_ID_LEN])
{
    uint8_t prefix[YR_MSG_ID_LEN], found[MATCHES_MAX][YR_MSG_ID_LEN];
    const size_t bits = id_bits(text, prefix);
    const size_t count =
        bits == 0 ? 0 : yr_node_message_prefix(call->rpc->node, prefix, bits, found, MATCHES_MAX);

    if (count == 1) {
        memcpy(out, found[0], YR_MSG_ID_LEN);
        return true;
    }
    if (count == 0) {
        yr_call_fail(call, YR_RPC_NO_SUCH_OBJECT, "no message '%.26s'", text);
        return false;
    }
    yr_call_fail(call, YR_RPC_AMBIGUOUS, "'%.26s' begins more than one message id", text);
    yr_call_hint(call, "write more of the id: yaari log --ids");
    call->fail.candidates = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(call->fail.candidates, yr_json_id(found[i], YR_MSG_ID_LEN));
    return false;
}

/* ---- requests ---- */

int64_t yr_request_id(struct yr_rpc *rpc, const char *key)
{
    for (size_t i = 0; i < rpc->request_count; i++)
        if (strcmp(rpc->request_ids[i].key, key) == 0)
            return rpc->request_ids[i].id;
    if (rpc->request_count == YR_REQUEST_IDS) {
        memmove(rpc->request_ids, rpc->request_ids + 1,
                (YR_REQUEST_IDS - 1) * sizeof rpc->request_ids[0]);
        rpc->request_count--;
    }
    snprintf(rpc->request_ids[rpc->request_count].key, YR_ID_TEXT, "%s", key);
    return rpc->request_ids[rpc->request_count++].id = ++rpc->last_request;
}

const char *yr_request_key(const struct yr_rpc *rpc, int64_t id)
{
    for (size_t i = 0; i < rpc->request_count; i++)
        if (rpc->request_ids[i].id == id)
            return rpc->request_ids[i].key;
    return NULL;
}

bool yr_request_room(struct yr_rpc *rpc, int64_t id, struct yr_room_info *out)
{
    const char *key = yr_request_key(rpc, id);
    uint8_t room[YR_ID_LEN + 1];
    size_t len = sizeof room;

    return key != NULL && strlen(key) == YR_ID_TEXT - 1 &&
           yr_id_parse(room, &len, key, strlen(key)) == YR_OK && len == YR_ID_LEN &&
           yr_node_room(rpc->node, room, out) == YR_OK &&
           (out->state == YR_ROOM_INVITED || out->state == YR_ROOM_JOINING);
}

bool yr_rpc_invite(struct yr_rpc *rpc, const char *id, struct yr_invite_info *out)
{
    for (size_t i = 0; yr_node_invite_at(rpc->node, i, out); i++)
        if (strcmp(out->id, id) == 0)
            return true;
    return false;
}

bool yr_rpc_add(struct yr_rpc *rpc, const char *id, struct yr_add_info *out)
{
    for (size_t i = 0; yr_node_add_at(rpc->node, i, out); i++)
        if (strcmp(out->id, id) == 0)
            return true;
    return false;
}
