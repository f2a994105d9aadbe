/* core/node/commands.c: what a user interface may ask a node to change, one function a command. */
#include "core/node/state.h"

#include <stdio.h>

// A command's work: fills what its DONE event says.
typedef enum yr_err (*command_fn)(struct yr_node *n, const struct yr_cmd *cmd,
                                  struct yr_event *done);

static enum yr_err check_text(const char *text, size_t len, size_t max)
{
    if (len > max)
        return YR_ESIZE;
    return len == 0 || yr_utf8_ok(text, len) ? YR_OK : YR_EINVAL;
}

static void copy_text(char *out, const char *text, size_t len)
{
    if (len > 0)
        memcpy(out, text, len);
    out[len] = '\0';
}

static struct yr_friend *friend_of(struct yr_node *n, const struct yr_cmd *cmd)
{
    struct yr_friend *f = yr_friend_find(n, cmd->conv);

    return f != NULL && !f->pending ? f : NULL;
}

static enum yr_err identity_new(struct yr_node *n, const struct yr_cmd *cmd, struct yr_event *done)
{
    enum yr_err err = check_text(cmd->text, cmd->text_len, YR_NICK_MAX);

    if (err != YR_OK)
        return err;
    if (n->has_identity)
        return YR_EEXIST;
    yr_identity_new(&n->self, n->rng, n->now.wall_ms);
    copy_text(n->nick, cmd->text, cmd->text_len);
    n->status[0] = '\0';
    yr_self_store(n);
    n->has_identity = true;
    memcpy(done->conv, n->self.id, 32);
    err = yr_self_start(n);
    if (err == YR_OK)
        yr_peers_apply(n); // and our part in the DHT begins
    return err;
}

static void tell_profile(struct yr_node *n)
{
    yr_self_store(n);
    for (size_t i = 0; i < YR_FRIENDS_MAX; i++)
        if (n->friends[i].used && !n->friends[i].pending)
            yr_friend_tell_profile(n, &n->friends[i]);
}

static enum yr_err set_nick(struct yr_node *n, const struct yr_cmd *cmd, struct yr_event *done)
{
    enum yr_err err = check_text(cmd->text, cmd->text_len, YR_NICK_MAX);

    (void)done;
    if (err != YR_OK)
        return err;
    copy_text(n->nick, cmd->text, cmd->text_len);
    tell_profile(n);
    return yr_rooms_nick(n->rooms, n->now);
}

static enum yr_err set_status(struct yr_node *n, const struct yr_cmd *cmd, struct yr_event *done)
{
    enum yr_err err = check_text(cmd->text, cmd->text_len, YR_STATUS_MAX);

    (void)done;
    if (err != YR_OK)
        return err;
    copy_text(n->status, cmd->text, cmd->text_len);
    tell_profile(n);
    return YR_OK;
}

static enum yr_err invite_new(struct yr_node *n, const struct yr_cmd *cmd, struct yr_event *done)
{
    const bool hints = (cmd->flags & YR_FLAG_HINTS) != 0;
    struct yr_addr own[YR_OWN_ADDRS_MAX];
    const size_t count = hints ? yr_way_own(n, own, YR_OWN_ADDRS_MAX) : 0;
    char id[YR_INVITE_ID_LEN + 1];
    enum yr_err err = yr_contacts_invite(n->contacts, n->now, cmd->expires_ms, cmd->text,
                                         cmd->text_len, own, count, id);

    if (err == YR_OK) {
        snprintf(done->text, sizeof done->text, "%s", id);
        yr_beacon_hurry(n);
    }
    return err;
}

static enum yr_err invite_revoke(struct yr_node *n, const struct yr_cmd *cmd, struct yr_event *done)
{
    (void)done;
    return yr_contacts_revoke(n->contacts, n->now, cmd->text != NULL ? cmd->text : "",
                              cmd->text_len);
}

static enum yr_err add(struct yr_node *n, const struct yr_cmd *cmd, struct yr_event *done)
{
    char id[YR_INVITE_ID_LEN + 1];
    struct yr_invite invite;
    struct yr_friend *f;
    enum yr_err err = yr_invite_decode(&invite, cmd->text != NULL ? cmd->text : "", cmd->text_len);

    if (err != YR_OK)
        return err;
    memcpy(done->conv, invite.id, 32);
    f = yr_friend_find(n, invite.id);
    yr_wipe(&invite, sizeof invite);
    if (f != NULL && !f->pending)
        return YR_OK; // friends already
    err = yr_contacts_add(n->contacts, n->now, cmd->text, cmd->text_len, cmd->name, cmd->name_len,
                          cmd->body, cmd->body_len, (cmd->flags & YR_FLAG_VERIFIED) != 0, id,
                          done->conv);
    if (err == YR_OK) {
        snprintf(done->text, sizeof done->text, "%s", id);
        yr_beacon_hurry(n);
    }
    return err;
}

static enum yr_err add_cancel(struct yr_node *n, const struct yr_cmd *cmd, struct yr_event *done)
{
    uint8_t inviter[32];
    struct yr_friend *f;
    enum yr_err err = yr_contacts_cancel(n->contacts, n->now, cmd->text != NULL ? cmd->text : "",
                                         cmd->text_len, inviter);

    (void)done;
    if (err != YR_OK)
        return err;
    f = yr_friend_find(n, inviter);
    if (f != NULL && f->pending)
        yr_friend_remove(n, f, false);
    return YR_OK;
}

static enum yr_err send_text(struct yr_node *n, const struct yr_cmd *cmd, struct yr_event *done)
{
    enum yr_err err = yr_chat_send_until(
        n->chats, n->now, cmd->conv, (cmd->flags & YR_FLAG_ACTION) != 0, cmd->body, cmd->body_len,
        cmd->reply_to, cmd->name, cmd->name_len, cmd->expires_ms, done->msg);
    struct yr_friend *f = friend_of(n, cmd);
    struct yr_room_info room;

    if (err == YR_OK && f != NULL)
        yr_presence_write(n, f, false);
    if (err == YR_OK && cmd->expires_ms != 0)
        yr_expire_at(n, cmd->expires_ms);

    memcpy(done->conv, cmd->conv, 32);
    if (err == YR_ENOFRIEND && yr_node_room(n, cmd->conv, &room) == YR_OK)
        return YR_EDENIED;                 // an invitation, not answered yet
    return err == YR_EEXIST ? YR_OK : err; // the same key: the first result
}

static enum yr_err edit(struct yr_node *n, const struct yr_cmd *cmd, struct yr_event *done)
{
    memcpy(done->msg, cmd->msg, sizeof done->msg);
    return yr_chat_edit(n->chats, n->now, cmd->msg, cmd->body != NULL ? cmd->body : "",
                        cmd->body_len);
}

static enum yr_err delete_text(struct yr_node *n, const struct yr_cmd *cmd, struct yr_event *done)
{
    memcpy(done->msg, cmd->msg, sizeof done->msg);
    return yr_chat_delete(n->chats, n->now, cmd->msg, (cmd->flags & YR_FLAG_LOCAL) != 0);
}

static enum yr_err react(struct yr_node *n, const struct yr_cmd *cmd, struct yr_event *done)
{
    memcpy(done->msg, cmd->msg, sizeof done->msg);
    return yr_chat_react(n->chats, n->now, cmd->msg, cmd->body != NULL ? cmd->body : "",
                         cmd->body_len, (cmd->flags & YR_FLAG_REMOVE) != 0);
}

static enum yr_err mark_read(struct yr_node *n, const struct yr_cmd *cmd, struct yr_event *done)
{
    const struct yr_friend *f = friend_of(n, cmd);

    memcpy(done->conv, cmd->conv, 32);
    if (f != NULL)
        yr_friend_seek(n, f);
    return yr_chat_read(n->chats, n->now, cmd->conv, cmd->msg,
                        f != NULL && yr_friend_tells_receipts(n, f));
}

static enum yr_err friend_rename(struct yr_node *n, const struct yr_cmd *cmd, struct yr_event *done)
{
    struct yr_friend *f = friend_of(n, cmd);
    enum yr_err err = check_text(cmd->text, cmd->text_len, YR_NICK_MAX);

    (void)done;
    if (f == NULL)
        return YR_ENOFRIEND;
    if (err != YR_OK)
        return err;
    copy_text(f->petname, cmd->text, cmd->text_len);
    yr_friend_store(n, f);
    yr_friend_changed(n, f, false);
    return YR_OK;
}

static enum yr_err friend_verify(struct yr_node *n, const struct yr_cmd *cmd, struct yr_event *done)
{
    struct yr_friend *f = friend_of(n, cmd);

    (void)done;
    if (f == NULL)
        return YR_ENOFRIEND;
    f->trust = cmd->flags & YR_FLAG_REMOVE ? YR_TRUST_INVITE : YR_TRUST_VERIFIED;
    yr_friend_store(n, f);
    yr_presence_due(n, f);
    yr_friend_changed(n, f, false);
    return YR_OK;
}

static enum yr_err friend_block(struct yr_node *n, const struct yr_cmd *cmd, struct yr_event *done)
{
    struct yr_friend *f = friend_of(n, cmd);

    (void)done;
    if (f == NULL)
        return YR_ENOFRIEND;
    yr_friend_block(n, f, (cmd->flags & YR_FLAG_REMOVE) == 0);
    return YR_OK;
}

static enum yr_err friend_mute(struct yr_node *n, const struct yr_cmd *cmd, struct yr_event *done)
{
    struct yr_friend *f = friend_of(n, cmd);

    (void)done;
    if (f == NULL)
        return YR_ENOFRIEND;
    f->muted_until_ms = cmd->expires_ms;
    yr_friend_store(n, f);
    yr_friend_changed(n, f, false);
    return YR_OK;
}

static enum yr_err friend_relay(struct yr_node *n, const struct yr_cmd *cmd, struct yr_event *done)
{
    struct yr_friend *f = friend_of(n, cmd);

    (void)done;
    if (f == NULL)
        return YR_ENOFRIEND;
    if (cmd->number > YR_YES)
        return YR_EINVAL;
    yr_circuit_consent(n, yr_friend_slot(n, f), (enum yr_tri)cmd->number);
    yr_friend_changed(n, f, false);
    return YR_OK;
}

// Which consent of a friend's row a command sets.
static enum yr_tri *consent_of(struct yr_friend *f, enum yr_cmd_kind kind)
{
    return kind == YR_CMD_FRIEND_MAIL       ? &f->mail
           : kind == YR_CMD_FRIEND_PRESENCE ? &f->presence
           : kind == YR_CMD_FRIEND_TYPING   ? &f->typing
           : kind == YR_CMD_FRIEND_ANON     ? &f->anon
                                            : &f->receipts;
}

static enum yr_err friend_consent(struct yr_node *n, const struct yr_cmd *cmd,
                                  struct yr_event *done)
{
    struct yr_friend *f = friend_of(n, cmd);

    (void)done;
    if (f == NULL)
        return YR_ENOFRIEND;
    if (cmd->number > YR_YES)
        return YR_EINVAL;
    *consent_of(f, cmd->kind) = (enum yr_tri)cmd->number;
    yr_mail_admit(n, yr_friend_slot(n, f));
    yr_delivery_holders(n->delivery, yr_friend_slot(n, f));
    yr_friend_store(n, f);
    yr_presence_due(n, f);
    yr_friend_changed(n, f, false);
    return YR_OK;
}

static enum yr_err set_presence(struct yr_node *n, const struct yr_cmd *cmd, struct yr_event *done)
{
    enum yr_err err = check_text(cmd->text, cmd->text_len, YR_STATUS_MAX);

    (void)done;
    if (err == YR_OK)
        yr_presence_set(n, (cmd->flags & YR_FLAG_REMOVE) == 0, cmd->text, cmd->text_len);
    return err;
}

static enum yr_err set_typing(struct yr_node *n, const struct yr_cmd *cmd, struct yr_event *done)
{
    struct yr_friend *f = friend_of(n, cmd);

    (void)done;
    if (f == NULL)
        return YR_ENOFRIEND;
    yr_presence_write(n, f, (cmd->flags & YR_FLAG_REMOVE) == 0);
    return YR_OK;
}

// Commands that somebody gives who is there.
static bool by_person(enum yr_cmd_kind kind)
{
    return kind == YR_CMD_SEND || kind == YR_CMD_EDIT || kind == YR_CMD_DELETE ||
           kind == YR_CMD_REACT || kind == YR_CMD_READ || kind == YR_CMD_PRESENCE ||
           kind == YR_CMD_TYPING;
}

static enum yr_err friend_remove(struct yr_node *n, const struct yr_cmd *cmd, struct yr_event *done)
{
    struct yr_friend *f = friend_of(n, cmd);

    if (f == NULL)
        return YR_ENOFRIEND;
    memcpy(done->conv, f->id, 32);
    yr_contacts_removed(n->contacts, f->id);
    yr_friend_changed(n, f, true);
    yr_friend_remove(n, f, (cmd->flags & YR_FLAG_FORGET) != 0);
    return YR_OK;
}

static enum yr_err peer_add(struct yr_node *n, const struct yr_cmd *cmd, struct yr_event *done)
{
    (void)done;
    return yr_peer_add(n, cmd);
}

static enum yr_err peer_remove(struct yr_node *n, const struct yr_cmd *cmd, struct yr_event *done)
{
    (void)done;
    return yr_peer_remove(n, cmd);
}

static const struct {
    command_fn run;
    bool without_identity;
} commands[] = {
    [YR_CMD_IDENTITY_NEW] = {identity_new, true},
    [YR_CMD_SET_NICK] = {set_nick, false},
    [YR_CMD_SET_STATUS] = {set_status, false},
    [YR_CMD_INVITE_NEW] = {invite_new, false},
    [YR_CMD_INVITE_REVOKE] = {invite_revoke, false},
    [YR_CMD_ADD] = {add, false},
    [YR_CMD_ADD_CANCEL] = {add_cancel, false},
    [YR_CMD_SEND] = {send_text, false},
    [YR_CMD_EDIT] = {edit, false},
    [YR_CMD_DELETE] = {delete_text, false},
    [YR_CMD_REACT] = {react, false},
    [YR_CMD_READ] = {mark_read, false},
    [YR_CMD_FRIEND_RENAME] = {friend_rename, false},
    [YR_CMD_FRIEND_VERIFY] = {friend_verify, false},
    [YR_CMD_FRIEND_BLOCK] = {friend_block, false},
    [YR_CMD_FRIEND_MUTE] = {friend_mute, false},
    [YR_CMD_FRIEND_RELAY] = {friend_relay, false},
    [YR_CMD_FRIEND_REMOVE] = {friend_remove, false},
    [YR_CMD_FRIEND_MAIL] = {friend_consent, false},
    [YR_CMD_FRIEND_PRESENCE] = {friend_consent, false},
    [YR_CMD_FRIEND_TYPING] = {friend_consent, false},
    [YR_CMD_FRIEND_RECEIPTS] = {friend_consent, false},
    [YR_CMD_FRIEND_ANON] = {friend_consent, false},
    [YR_CMD_PRESENCE] = {set_presence, false},
    [YR_CMD_TYPING] = {set_typing, false},
    [YR_CMD_PEER_ADD] = {peer_add, true},
    [YR_CMD_PEER_REMOVE] = {peer_remove, true},
    [YR_CMD_ROOM_NEW] = {yr_node_room_command, false},
    [YR_CMD_ROOM_INVITE] = {yr_node_room_command, false},
    [YR_CMD_ROOM_JOIN] = {yr_node_room_command, false},
    [YR_CMD_ROOM_REJECT] = {yr_node_room_command, false},
    [YR_CMD_ROOM_LEAVE] = {yr_node_room_command, false},
    [YR_CMD_ROOM_KICK] = {yr_node_room_command, false},
    [YR_CMD_ROOM_ROLE] = {yr_node_room_command, false},
    [YR_CMD_ROOM_NAME] = {yr_node_room_command, false},
    [YR_CMD_ROOM_TOPIC] = {yr_node_room_command, false},
    [YR_CMD_ROOM_MUTE] = {yr_node_room_command, false},
    [YR_CMD_ROOM_MENTIONS] = {yr_node_room_command, false},
};

// What an old copy of us may still do.
static bool concerns_nobody_else(const struct yr_cmd *cmd)
{
    const enum yr_cmd_kind kind = cmd->kind;

    return kind == YR_CMD_READ || kind == YR_CMD_FRIEND_RENAME || kind == YR_CMD_FRIEND_MUTE ||
           kind == YR_CMD_PEER_REMOVE ||
           (kind == YR_CMD_DELETE && (cmd->flags & YR_FLAG_LOCAL) != 0);
}

// A ping is answered by the friend, not by the store.
static enum yr_err ping(struct yr_node *n, const struct yr_cmd *cmd, uint64_t ticket)
{
    struct yr_friend *f = friend_of(n, cmd);
    uint8_t body[8];
    enum yr_err err;

    if (f == NULL)
        return YR_ENOFRIEND;
    if (!f->online)
        return YR_EAGAIN;
    for (size_t i = 0; i < YR_PINGS_MAX; i++) {
        struct yr_ping_wait *p = &n->pings[i];
        if (p->used)
            continue;
        yr_random(n->rng, body, sizeof body);
        err = yr_links_send(n->links, yr_friend_slot(n, f), YR_CHANNEL_CONTROL, YR_FRAME_PING, body,
                            sizeof body);
        if (err != YR_OK)
            return err;
        struct yr_rd rd = yr_rd_init(body, sizeof body);
        *p = (struct yr_ping_wait){.used = true,
                                   .slot = yr_friend_slot(n, f),
                                   .nonce = yr_rd_u64(&rd),
                                   .ticket = ticket,
                                   .sent_us = n->now.mono_us};
        return YR_OK;
    }
    return YR_EFULL;
}

enum yr_err yr_node_command(struct yr_node *n, struct yr_now now, const struct yr_cmd *asked,
                            uint64_t ticket)
{
    struct yr_cmd full = *asked; // NULL texts made empty ones
    const struct yr_cmd *cmd = &full;
    struct yr_event done = {.kind = YR_EV_DONE, .ticket = ticket};
    enum yr_err err;

    full.text = asked->text != NULL ? asked->text : "";
    full.name = asked->name != NULL ? asked->name : "";
    full.body = asked->body != NULL ? asked->body : "";
    n->now = now;
    if (!n->unlocked)
        return YR_ELOCKED;
    if (n->failing)
        return n->fail_err;
    if (n->tripped != YR_OK)
        return n->tripped;
    if (cmd->kind == YR_CMD_PING)
        return !n->has_identity      ? YR_ENOID
               : n->retired_gen != 0 ? YR_ERETIRED
                                     : ping(n, cmd, ticket);
    if ((size_t)cmd->kind >= YR_COUNT(commands) || commands[cmd->kind].run == NULL)
        return YR_EINVAL;
    if (!n->has_identity && !commands[cmd->kind].without_identity)
        return YR_ENOID;
    if (n->retired_gen != 0 && !concerns_nobody_else(cmd))
        return YR_ERETIRED;
    err = commands[cmd->kind].run(n, cmd, &done);
    if (err == YR_OK && by_person(cmd->kind))
        yr_presence_active(n);
    if (err == YR_OK)
        yr_node_event(n, &done);
    yr_node_trip(n, err);
    return err;
}
