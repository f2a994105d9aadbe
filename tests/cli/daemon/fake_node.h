/* fake_node.h: a node made of arrays, for tests of the RPC server: it defines the functions of
 * yaari/node.h in place of core's, so it is included by one file of a test program only.
 *
 * Commands are written down and answered when the test says so. */
#ifndef FAKE_NODE_H
#define FAKE_NODE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "yaari/node.h"

#define FAKE_MAX 512
#ifndef FAKE_COMMANDS
#define FAKE_COMMANDS 4096
#endif

struct fake_message {
    uint8_t id[YR_MSG_ID_LEN], conv[YR_ID_LEN], author[YR_ID_LEN];
    struct yr_place place;
    yr_ms time_ms;
    enum yr_msg_kind kind;
    enum yr_state state;
    bool own, unread, deleted, damaged, mention;
    unsigned of, delivered_to, read_by, held_by;
    yr_ms held_until_ms, expires_ms, held_ms, failed_ms;
    const char *text;
    size_t reaction_count;
    struct yr_reaction reactions[4];
};

struct yr_node {
    struct yr_self self;
    struct yr_friend_info friends[FAKE_MAX];
    size_t friend_count;
    struct yr_why whys[8]; /* none: one that nobody answered */
    size_t why_count;
    struct yr_queue_info queues[8];
    size_t queue_count;
    struct fake_message messages[FAKE_MAX];
    size_t message_count;
    struct yr_event events[FAKE_MAX]; /* by cursor */
    size_t event_count;
    uint64_t oldest; /* events before this cursor were dropped */
    struct yr_invite_info invites[16];
    size_t invite_count;
    struct yr_add_info adds[16];
    size_t add_count;
    struct yr_peer_info peers[32];
    size_t peer_count;
    struct yr_net_info net;
    struct yr_addr own[8];
    enum yr_own_source own_source[8];
    size_t own_count;
    struct yr_candidate_info candidates[8]; /* of every friend, as are the next */
    size_t candidate_count;
    struct yr_try tries[8];
    size_t try_count;
    struct yr_traffic traffic[YR_PURPOSE_COUNT];
    struct yr_room_info rooms[16];
    size_t room_count;
    uint64_t rooms_version;
    struct {
        uint8_t room[YR_ID_LEN];
        struct yr_member_info info;
    } members[64]; /* as yr_node_member_at gives them */
    size_t member_count;

    enum yr_err refuse; /* what yr_node_command says */
    struct {
        struct yr_cmd cmd;
        char text[320], name[80], body[128];
        uint64_t ticket;
    } commands[FAKE_COMMANDS];
    size_t command_count;
    size_t message_reads, history_reads, friend_reads;
};

/** An id whose bytes are all `fill`. */
static inline void fake_id(uint8_t id[YR_ID_LEN], int fill)
{
    memset(id, fill, YR_ID_LEN);
}

/** Unlocked, with the identity 1, "alice". */
static inline struct yr_node *fake_new(void)
{
    struct yr_node *node = calloc(1, sizeof *node);
    node->self.unlocked = node->self.has_identity = true;
    fake_id(node->self.id, 1);
    strcpy(node->self.nick, "alice");
    return node;
}

static inline struct yr_friend_info *fake_friend(struct yr_node *node, int fill,
                                                 const char *petname, const char *nick)
{
    struct yr_friend_info *info = &node->friends[node->friend_count++];
    fake_id(info->id, fill);
    snprintf(info->petname, sizeof info->petname, "%s", petname);
    snprintf(info->nick, sizeof info->nick, "%s", nick);
    info->trust = YR_TRUST_INVITE;
    node->self.friends = node->friend_count;
    return info;
}

/** A room we are in. */
static inline struct yr_room_info *fake_room(struct yr_node *node, int fill, const char *name)
{
    struct yr_room_info *info = &node->rooms[node->room_count++];
    fake_id(info->id, fill);
    snprintf(info->name, sizeof info->name, "%s", name);
    info->state = YR_ROOM_ACTIVE;
    info->rank = YR_RANK_MEMBER;
    info->created_ms = 1000;
    node->rooms_version++;
    return info;
}

/** A member of it; friend: the number of the friend it is, 0: none, 1: ourselves. */
static inline struct yr_member_info *fake_member(struct yr_node *node, int room, int fill,
                                                 const char *nick, int friend)
{
    struct yr_member_info *info = &node->members[node->member_count].info;
    fake_id(node->members[node->member_count++].room, room);
    memset(info->mid, fill, sizeof info->mid);
    snprintf(info->nick, sizeof info->nick, "%s", nick);
    info->rank = YR_RANK_MEMBER;
    info->self = friend == 1;
    info->friend = friend > 1;
    if (info->friend)
        fake_id(info->friend_id, friend);
    for (size_t i = 0; i < node->room_count; i++)
        if (node->rooms[i].id[0] == room) {
            node->rooms[i].members++;
            if (info->self)
                memcpy(node->rooms[i].self, info->mid, sizeof info->mid);
        }
    node->rooms_version++;
    return info;
}

static inline bool fake_is_room(const struct yr_node *node, const uint8_t id[YR_ID_LEN])
{
    for (size_t i = 0; i < node->room_count; i++)
        if (memcmp(node->rooms[i].id, id, YR_ID_LEN) == 0)
            return true;
    return false;
}

static inline struct fake_message *fake_message(struct yr_node *node, int conv, int author,
                                                yr_ms time_ms, const char *text)
{
    struct fake_message *msg = &node->messages[node->message_count];
    const size_t n = node->message_count++;

    memset(msg, 0, sizeof *msg);
    for (size_t i = 0; i < sizeof msg->id; i++) // as good as random, and the same each time
        msg->id[i] = (uint8_t)((n + 1) * 0x9e3779b97f4a7c15u >> 3 * i);
    fake_id(msg->conv, conv);
    fake_id(msg->author, author);
    for (unsigned i = 0; i < 6; i++)
        msg->place.key[i] = (uint8_t)((uint64_t)time_ms >> (40 - 8 * i));
    msg->place.key[8] = (uint8_t)author;
    msg->place.key[22] = (uint8_t)(n >> 8);
    msg->place.key[23] = (uint8_t)n;
    msg->time_ms = time_ms;
    msg->text = text;
    msg->own = author == 1;
    if (fake_is_room(node, msg->conv)) // mid and zeroes
        memset(msg->author + YR_MID_LEN, 0, YR_ID_LEN - YR_MID_LEN);
    msg->state = msg->own ? YR_STATE_ACCEPTED : YR_STATE_DELIVERED;
    return msg;
}

/** A kept event; its cursor is the next one. */
static inline struct yr_event *fake_event(struct yr_node *node, enum yr_event_kind kind)
{
    struct yr_event *event = &node->events[node->event_count++];
    memset(event, 0, sizeof *event);
    event->kind = kind;
    event->cursor = ++node->self.cursor;
    event->time_ms = 1000;
    return event;
}

/* ---- yaari/node.h ---- */

void yr_node_self(const struct yr_node *node, struct yr_self *out)
{
    *out = node->self;
}

uint64_t yr_node_friends_version(const struct yr_node *node)
{
    return node->friend_count;
}

bool yr_node_friend_at(const struct yr_node *node, size_t i, struct yr_friend_info *out)
{
    if (i >= node->friend_count)
        return false;
    *out = node->friends[i];
    ((struct yr_node *)(uintptr_t)node)->friend_reads++;
    return true;
}

enum yr_err yr_node_friend(const struct yr_node *node, const uint8_t id[YR_ID_LEN],
                           struct yr_friend_info *out)
{
    for (size_t i = 0; i < node->friend_count; i++)
        if (memcmp(node->friends[i].id, id, YR_ID_LEN) == 0) {
            *out = node->friends[i];
            return YR_OK;
        }
    return YR_ENOFRIEND;
}

enum yr_tri yr_node_receipts(const struct yr_node *node, const uint8_t id[YR_ID_LEN])
{
    for (size_t i = 0; i < node->friend_count; i++)
        if (memcmp(node->friends[i].id, id, YR_ID_LEN) == 0)
            return node->friends[i].receipts;
    return YR_UNKNOWN;
}

bool yr_node_queue_next(struct yr_node *node, struct yr_queue_walk *walk, struct yr_queue_info *out)
{
    if (walk->slot >= node->queue_count)
        return false;
    *out = node->queues[walk->slot++];
    return true;
}

bool yr_node_invite_at(const struct yr_node *node, size_t i, struct yr_invite_info *out)
{
    if (i < node->invite_count)
        *out = node->invites[i];
    return i < node->invite_count;
}

bool yr_node_add_at(const struct yr_node *node, size_t i, struct yr_add_info *out)
{
    if (i < node->add_count)
        *out = node->adds[i];
    return i < node->add_count;
}

bool yr_node_peer_at(const struct yr_node *node, size_t i, struct yr_peer_info *out)
{
    if (i < node->peer_count)
        *out = node->peers[i];
    return i < node->peer_count;
}

void yr_node_net(const struct yr_node *node, struct yr_net_info *out)
{
    *out = node->net;
}

bool yr_node_own_addr_at(const struct yr_node *node, size_t i, struct yr_addr *out,
                         enum yr_own_source *source)
{
    if (i >= node->own_count)
        return false;
    *out = node->own[i];
    *source = node->own_source[i];
    return true;
}

bool yr_node_candidate_at(const struct yr_node *node, const uint8_t friend_id[YR_ID_LEN], size_t i,
                          struct yr_candidate_info *out)
{
    (void)friend_id;
    if (i < node->candidate_count)
        *out = node->candidates[i];
    return i < node->candidate_count;
}

bool yr_node_try_at(const struct yr_node *node, const uint8_t friend_id[YR_ID_LEN], size_t i,
                    struct yr_try *out)
{
    (void)friend_id;
    if (i < node->try_count)
        *out = node->tries[i];
    return i < node->try_count;
}

void yr_node_traffic(const struct yr_node *node, enum yr_purpose purpose, struct yr_traffic *out)
{
    *out = node->traffic[purpose];
}

const char *yr_purpose_name(enum yr_purpose purpose)
{
    static const char *const names[] = {"link", "path", "contact", "dht", "relayed"};
    return names[purpose];
}

uint64_t yr_node_rooms_version(const struct yr_node *node)
{
    return node->rooms_version;
}

bool yr_node_room_at(struct yr_node *node, size_t i, struct yr_room_info *out)
{
    if (i < node->room_count)
        *out = node->rooms[i];
    return i < node->room_count;
}

enum yr_err yr_node_room(struct yr_node *node, const uint8_t id[YR_ID_LEN],
                         struct yr_room_info *out)
{
    for (size_t i = 0; i < node->room_count; i++)
        if (memcmp(node->rooms[i].id, id, YR_ID_LEN) == 0) {
            *out = node->rooms[i];
            return YR_OK;
        }
    return YR_ENOENT;
}

bool yr_node_member_at(struct yr_node *node, const uint8_t room[YR_ID_LEN], size_t i,
                       struct yr_member_info *out)
{
    for (size_t k = 0; k < node->member_count; k++)
        if (memcmp(node->members[k].room, room, YR_ID_LEN) == 0 && i-- == 0) {
            *out = node->members[k].info;
            return true;
        }
    return false;
}

enum yr_err yr_node_member(struct yr_node *node, const uint8_t room[YR_ID_LEN],
                           const uint8_t mid[YR_MID_LEN], struct yr_member_info *out)
{
    for (size_t i = 0; yr_node_member_at(node, room, i, out); i++)
        if (memcmp(out->mid, mid, YR_MID_LEN) == 0)
            return YR_OK;
    return YR_ENOENT;
}

static void fake_fill(const struct fake_message *from, struct yr_message *out)
{
    memset(out, 0, sizeof *out);
    memcpy(out->id, from->id, sizeof out->id);
    memcpy(out->conv, from->conv, sizeof out->conv);
    memcpy(out->author, from->author, sizeof out->author);
    out->kind = from->kind;
    out->own = from->own;
    out->unread = from->unread;
    out->deleted = from->deleted;
    out->mention = from->mention;
    out->of = from->of;
    out->delivered_to = from->delivered_to;
    out->read_by = from->read_by;
    out->held_by = from->held_by;
    out->held_until_ms = from->held_until_ms;
    out->expires_ms = from->expires_ms;
    out->held_ms = from->held_ms;
    out->failed_ms = from->failed_ms;
    out->state = from->state;
    out->time_ms = out->received_ms = from->time_ms;
    out->reaction_count = from->reaction_count;
    memcpy(out->reactions, from->reactions, sizeof from->reactions);
    out->text_len = strlen(from->text);
    memcpy(out->text, from->text, out->text_len + 1);
}

enum yr_err yr_node_message(struct yr_node *node, const uint8_t id[YR_MSG_ID_LEN],
                            struct yr_message *out)
{
    node->message_reads++;
    for (size_t i = 0; i < node->message_count; i++)
        if (memcmp(node->messages[i].id, id, YR_MSG_ID_LEN) == 0) {
            fake_fill(&node->messages[i], out);
            out->room = fake_is_room(node, out->conv);
            return YR_OK;
        }
    return YR_ENOENT;
}

static bool fake_fits(int order, enum yr_seek how)
{
    switch (how) {
    case YR_SEEK_GE: return order >= 0;
    case YR_SEEK_GT: return order > 0;
    case YR_SEEK_LE: return order <= 0;
    case YR_SEEK_LT: return order < 0;
    }
    return false;
}

enum yr_err yr_node_history(struct yr_node *node, const uint8_t conv[YR_ID_LEN], enum yr_seek how,
                            struct yr_place *key, struct yr_message *out)
{
    const bool up = how == YR_SEEK_GE || how == YR_SEEK_GT;
    const struct fake_message *best = NULL;

    node->history_reads++;
    for (size_t i = 0; i < node->message_count; i++) {
        const struct fake_message *msg = &node->messages[i];
        if (memcmp(msg->conv, conv, YR_ID_LEN) != 0 ||
            !fake_fits(memcmp(msg->place.key, key->key, sizeof key->key), how))
            continue;
        const int order =
            best == NULL ? 0 : memcmp(msg->place.key, best->place.key, sizeof key->key);
        if (best == NULL || (up ? order < 0 : order > 0))
            best = msg;
    }
    if (best == NULL)
        return YR_ENOENT;
    *key = best->place;
    if (best->damaged)
        return YR_ECORRUPT;
    fake_fill(best, out);
    out->room = fake_is_room(node, out->conv);
    return YR_OK;
}

enum yr_err yr_node_place(struct yr_node *node, const uint8_t id[YR_MSG_ID_LEN],
                          uint8_t conv[YR_ID_LEN], struct yr_place *out)
{
    for (size_t i = 0; i < node->message_count; i++)
        if (memcmp(node->messages[i].id, id, YR_MSG_ID_LEN) == 0) {
            memcpy(conv, node->messages[i].conv, YR_ID_LEN);
            *out = node->messages[i].place;
            return YR_OK;
        }
    return YR_ENOENT;
}

size_t yr_node_message_prefix(struct yr_node *node, const uint8_t prefix[YR_MSG_ID_LEN],
                              size_t bits, uint8_t (*out)[YR_MSG_ID_LEN], size_t cap)
{
    size_t count = 0;
    for (size_t i = 0; i < node->message_count && count < cap; i++) {
        bool same = true;
        for (size_t bit = 0; bit < bits && same; bit++)
            same = ((node->messages[i].id[bit / 8] ^ prefix[bit / 8]) & 0x80 >> bit % 8) == 0;
        if (same)
            memcpy(out[count++], node->messages[i].id, YR_MSG_ID_LEN);
    }
    return count;
}

void yr_node_unread(struct yr_node *node, const uint8_t conv[YR_ID_LEN], struct yr_unread *out)
{
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < node->message_count; i++) {
        const struct fake_message *msg = &node->messages[i];
        if (!msg->unread || memcmp(msg->conv, conv, YR_ID_LEN) != 0)
            continue;
        if (out->count++ == 0)
            memcpy(out->first, msg->id, YR_MSG_ID_LEN);
        out->mentions += msg->mention;
    }
}

enum yr_err yr_node_event_after(struct yr_node *node, uint64_t cursor, struct yr_event *out,
                                bool *gap)
{
    *gap = cursor + 1 < node->oldest;
    for (size_t i = 0; i < node->event_count; i++)
        if (node->events[i].cursor > cursor && node->events[i].cursor >= node->oldest) {
            *out = node->events[i];
            return YR_OK;
        }
    return YR_ENOENT;
}

enum yr_err yr_node_why(struct yr_node *node, struct yr_now now, const uint8_t conv[YR_ID_LEN],
                        const uint8_t msg[YR_MSG_ID_LEN], struct yr_why *out, size_t cap,
                        size_t *count, yr_ms *next_ms)
{
    (void)conv, (void)msg, (void)cap;
    *next_ms = now.wall_ms + 40000;
    *count = node->why_count;
    for (size_t i = 0; i < *count; i++)
        out[i] = node->whys[i];
    if (*count > 0)
        return YR_OK;
    memset(out, 0, sizeof *out);
    out[0].time_ms = now.wall_ms;
    out[0].code = "no_answer";
    strcpy(out[0].text, "no answer at 2 addresses");
    *count = 1;
    return YR_OK;
}

enum yr_err yr_node_command(struct yr_node *node, struct yr_now now, const struct yr_cmd *cmd,
                            uint64_t ticket)
{
    const size_t n = node->command_count;

    (void)now;
    if (node->refuse != YR_OK || n == FAKE_COMMANDS)
        return node->refuse;
    node->commands[n].cmd = *cmd;
    node->commands[n].ticket = ticket;
    snprintf(node->commands[n].text, sizeof node->commands[n].text, "%.*s", (int)cmd->text_len,
             cmd->text != NULL ? cmd->text : "");
    snprintf(node->commands[n].name, sizeof node->commands[n].name, "%.*s", (int)cmd->name_len,
             cmd->name != NULL ? cmd->name : "");
    snprintf(node->commands[n].body, sizeof node->commands[n].body, "%.*s", (int)cmd->body_len,
             cmd->body != NULL ? cmd->body : "");
    node->command_count++;
    return YR_OK;
}

void yr_id_text(char *out, const uint8_t *src, size_t len)
{
    yr_base32_encode(out, src, len);
}

enum yr_err yr_id_parse(uint8_t *out, size_t *out_len, const char *text, size_t text_len)
{
    return yr_base32_decode(out, out_len, text, text_len);
}

/** The one good link is of the identity 9. */
enum yr_err yr_link_check(const char *link, size_t len, char id8[9], uint8_t inviter[YR_ID_LEN],
                          bool *qr)
{
    if (len != strlen("yaari:i/good") || memcmp(link, "yaari:i/good", len) != 0)
        return YR_EPROTO;
    strcpy(id8, "goodgood");
    fake_id(inviter, 9);
    *qr = false;
    return YR_OK;
}

/** "yaari:i/" and a digit: so many. */
size_t yr_link_hints(const char *link, size_t len, struct yr_addr out[3])
{
    const size_t count = len == 9 && link[8] >= '0' && link[8] <= '3' ? (size_t)(link[8] - '0') : 0;

    for (size_t i = 0; i < count; i++)
        out[i] = (struct yr_addr){.family = 4, .ip = {192, 0, 2, (uint8_t)(i + 1)}, .port = 7722};
    return count;
}

#endif
