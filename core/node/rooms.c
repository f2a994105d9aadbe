/* core/node/rooms.c: the rooms of a node: what binds them to friends and links, the commands and
 * queries of user interfaces. */
#include "core/node/state.h"

/* ---- what rooms ask of the node ---- */

static enum yr_err rooms_frame(void *ctx, unsigned slot, uint8_t type, const uint8_t *body,
                               size_t len)
{
    struct yr_node *n = ctx;

    return yr_links_send(n->links, slot, YR_CHANNEL_ROOMS, type, body, len);
}

static const uint8_t *rooms_pair(void *ctx, unsigned slot, uint8_t *out_dir)
{
    struct yr_node *n = ctx;

    *out_dir = n->friends[slot].pair.out;
    return n->friends[slot].pair.rel;
}

static enum yr_err rooms_tell(void *ctx, unsigned slot, struct yr_plain *plain)
{
    struct yr_node *n = ctx;

    return yr_friend_push(n, &n->friends[slot], plain);
}

static bool rooms_slot_of(void *ctx, const uint8_t id[YR_ID_LEN], unsigned *slot)
{
    struct yr_node *n = ctx;
    const struct yr_friend *f = yr_friend_find(n, id);

    if (f == NULL || f->pending || f->blocked)
        return false;
    *slot = yr_friend_slot(n, f);
    return true;
}

static bool rooms_friend_at(void *ctx, unsigned slot, struct yr_rooms_friend *out)
{
    const struct yr_node *n = ctx;
    const struct yr_friend *f = &n->friends[slot];

    if (!f->used || f->pending || f->blocked)
        return false;
    *out = (struct yr_rooms_friend){
        .id = f->id, .name = f->petname[0] != '\0' ? f->petname : f->nick, .online = f->online};
    return true;
}

static const char *rooms_nick(void *ctx)
{
    const struct yr_node *n = ctx;

    return n->nick;
}

static bool rooms_read_receipts(void *ctx)
{
    const struct yr_node *n = ctx;

    return n->opts.read_receipts;
}

const struct yr_rooms_ops yr_node_rooms_ops = {.frame = rooms_frame,
                                               .pair = rooms_pair,
                                               .tell = rooms_tell,
                                               .slot_of = rooms_slot_of,
                                               .friend_at = rooms_friend_at,
                                               .nick = rooms_nick,
                                               .read_receipts = rooms_read_receipts};

/* ---- what conversations ask of rooms ---- */

enum yr_err yr_node_room_say(void *ctx, struct yr_now now, const uint8_t conv[YR_ID_LEN],
                             const uint8_t *plain, size_t len, uint8_t id[YR_MSG_ID_LEN])
{
    struct yr_node *n = ctx;

    return yr_rooms_say(n->rooms, now, conv, plain, len, id);
}

const uint8_t *yr_node_room_incarnation(void *ctx, const uint8_t conv[YR_ID_LEN])
{
    struct yr_node *n = ctx;

    return yr_rooms_incarnation(n->rooms, conv);
}

void yr_node_room_counts(void *ctx, struct yr_message *message)
{
    struct yr_node *n = ctx;

    yr_rooms_counts(n->rooms, message);
}

void yr_node_room_seen(void *ctx, const uint8_t conv[YR_ID_LEN], const uint8_t mid[YR_MID_LEN],
                       const uint8_t incarnation[YR_INCARNATION_LEN], uint64_t seq)
{
    struct yr_node *n = ctx;

    yr_rooms_seen(n->rooms, conv, mid, incarnation, seq);
}

void yr_node_room_read(void *ctx, struct yr_now now, const uint8_t conv[YR_ID_LEN],
                       const struct yr_place *marker)
{
    struct yr_node *n = ctx;

    (void)marker;
    yr_rooms_read(n->rooms, now, conv);
}

/* ---- commands ---- */

static enum yr_err check_text(const char *text, size_t len)
{
    return len == 0 || yr_utf8_ok(text, len) ? YR_OK : YR_EINVAL;
}

enum yr_err yr_node_room_command(struct yr_node *n, const struct yr_cmd *cmd, struct yr_event *done)
{
    struct yr_rooms *rooms = n->rooms;
    const bool remove = (cmd->flags & YR_FLAG_REMOVE) != 0;
    enum yr_err err;

    if ((err = check_text(cmd->text, cmd->text_len)) != YR_OK ||
        (err = check_text(cmd->body, cmd->body_len)) != YR_OK)
        return err;
    memcpy(done->conv, cmd->conv, sizeof done->conv);
    if (cmd->kind == YR_CMD_ROOM_NEW)
        return yr_rooms_make(rooms, n->now, cmd->text, cmd->text_len, cmd->body, cmd->body_len,
                             cmd->number, done->conv);
    if (cmd->kind == YR_CMD_ROOM_INVITE)
        return yr_rooms_invite(rooms, n->now, cmd->conv, cmd->who);
    if (cmd->kind == YR_CMD_ROOM_JOIN)
        return yr_rooms_join(rooms, n->now, cmd->conv);
    if (cmd->kind == YR_CMD_ROOM_REJECT)
        return yr_rooms_reject(rooms, n->now, cmd->conv);
    if (cmd->kind == YR_CMD_ROOM_LEAVE)
        return yr_rooms_leave(rooms, n->now, cmd->conv, (cmd->flags & YR_FLAG_FORGET) != 0);
    if (cmd->kind == YR_CMD_ROOM_KICK)
        return yr_rooms_kick(rooms, n->now, cmd->conv, cmd->who);
    if (cmd->kind == YR_CMD_ROOM_ROLE)
        return yr_rooms_role(rooms, n->now, cmd->conv, cmd->who, cmd->number);
    if (cmd->kind == YR_CMD_ROOM_NAME)
        return yr_rooms_set(rooms, n->now, cmd->conv, YR_SETTING_NAME, cmd->text, cmd->text_len);
    if (cmd->kind == YR_CMD_ROOM_TOPIC)
        return yr_rooms_set(rooms, n->now, cmd->conv, YR_SETTING_TOPIC, cmd->text, cmd->text_len);
    if (cmd->kind == YR_CMD_ROOM_MUTE)
        return yr_rooms_mute(rooms, n->now, cmd->conv, cmd->expires_ms);
    if (cmd->kind == YR_CMD_ROOM_MENTIONS)
        return yr_rooms_mentions(rooms, n->now, cmd->conv, !remove);
    return YR_EINVAL;
}

/* ---- queries ---- */

uint64_t yr_node_rooms_version(const struct yr_node *n)
{
    return yr_rooms_version(n->rooms) + n->friends_version; // friends have names in rooms
}

bool yr_node_room_at(struct yr_node *n, size_t i, struct yr_room_info *out)
{
    return yr_rooms_at(n->rooms, n->now, i, out);
}

enum yr_err yr_node_room(struct yr_node *n, const uint8_t id[YR_ID_LEN], struct yr_room_info *out)
{
    return yr_rooms_info(n->rooms, n->now, id, out);
}

bool yr_node_member_at(struct yr_node *n, const uint8_t room[YR_ID_LEN], size_t i,
                       struct yr_member_info *out)
{
    return yr_rooms_member_at(n->rooms, n->now, room, i, out);
}

enum yr_err yr_node_member(struct yr_node *n, const uint8_t room[YR_ID_LEN],
                           const uint8_t mid[YR_MID_LEN], struct yr_member_info *out)
{
    return yr_rooms_member(n->rooms, n->now, room, mid, out);
}
