/* core/node/friends.c: the friends and what binds the machines of one friend together: link, path,
 * first contact, delivery and conversation report here, and act on each other only through here. */
#include "core/node/state.h"

#include <stdio.h>

unsigned yr_friend_slot(const struct yr_node *n, const struct yr_friend *f)
{
    return (unsigned)(f - n->friends);
}

struct yr_friend *yr_friend_find(struct yr_node *n, const uint8_t id[32])
{
    for (size_t i = 0; i < YR_FRIENDS_MAX; i++)
        if (n->friends[i].used && memcmp(n->friends[i].id, id, 32) == 0)
            return &n->friends[i];
    return NULL;
}

void yr_friend_changed(struct yr_node *n, const struct yr_friend *f, bool gone)
{
    struct yr_event event = {.kind = YR_EV_FRIEND, .gone = gone};

    n->friends_version++;
    memcpy(event.conv, f->id, 32);
    yr_node_event(n, &event);
}

static void presence(struct yr_node *n, const struct yr_friend *f)
{
    struct yr_event event = {.kind = YR_EV_PRESENCE, .online = f->online};

    if (f->pending)
        return;
    memcpy(event.conv, f->id, 32);
    yr_node_event(n, &event);
}

/* ---- a friend in the machines ---- */

// A blocked friend gets no link; nor does one whose certificate we have not seen.
static void admit(struct yr_node *n, const struct yr_friend *f)
{
    const unsigned slot = yr_friend_slot(n, f);
    const bool shut = f->blocked || f->pending;

    yr_links_block(n->links, slot, shut, n->now);
    yr_circuit_admit(n, slot);
    yr_mail_admit(n, slot);
    yr_paths_block(n->paths, slot, shut, n->now);
}

// Enter a friend into the machines below.
static enum yr_err enter(struct yr_node *n, struct yr_friend *f)
{
    const unsigned slot = yr_friend_slot(n, f);
    enum yr_err err = yr_links_set(n->links, slot, f->id, f->dev, f->gen, &f->pair,
                                   &f->clock_theirs, &f->clock_ours);
    bool learned;

    if (err != YR_OK)
        return err;
    yr_links_keepalive(n->links, slot, yr_paths_keepalive(n->paths, &learned), n->now);
    yr_paths_set(n->paths, slot, &f->pair, &f->probe_clock, n->now);
    yr_circuit_enter(n, slot);
    admit(n, f);
    f->pings = YR_PING_BURST;
    f->pings_us = n->now.mono_us;
    return YR_OK;
}

static enum yr_err load_friend(struct yr_node *n, struct yr_friend *f)
{
    enum yr_err err;

    if ((err = yr_friend_load_clocks(n, f)) != YR_OK || (err = enter(n, f)) != YR_OK ||
        (err = yr_renew_load(n, yr_friend_slot(n, f))) != YR_OK ||
        (err = yr_friend_load_addrs(n, f)) != YR_OK ||
        (err = yr_circuit_load(n, yr_friend_slot(n, f))) != YR_OK ||
        (err = yr_post_enter_friend(n, f)) != YR_OK ||
        (err = yr_delivery_load(n->delivery, yr_friend_slot(n, f), f->id, f->pair.out)) != YR_OK ||
        (err = yr_mail_enter(n, yr_friend_slot(n, f))) != YR_OK)
        return err;
    return yr_chat_open(n->chats, f->id);
}

enum yr_err yr_friends_load(struct yr_node *n)
{
    uint8_t value[YR_FRIEND_ROW_MAX];
    struct yr_row at = {.suffix_len = 0};
    enum yr_seek how = YR_SEEK_GE;
    enum yr_err err;

    for (size_t i = 0;; i++) {
        err = yr_rows_seek(n->rows, YR_TABLE_FRIEND, NULL, 0, how, &at, value, sizeof value);
        if (err != YR_OK)
            break;
        how = YR_SEEK_GT;
        if (i >= YR_FRIENDS_MAX || at.suffix_len != 32) {
            err = YR_ECORRUPT;
            break;
        }
        struct yr_friend *f = &n->friends[i];
        memset(f, 0, sizeof *f);
        memcpy(f->id, at.suffix, 32);
        if ((err = yr_friend_decode(f, value, at.value_len)) != YR_OK ||
            (err = load_friend(n, f)) != YR_OK)
            break;
        n->next_order = YR_MAX(n->next_order, f->order + 1);
    }
    yr_wipe(value, sizeof value);
    return err == YR_ENOENT ? YR_OK : err;
}

void yr_friend_remove(struct yr_node *n, struct yr_friend *f, bool history)
{
    const unsigned slot = yr_friend_slot(n, f);
    uint8_t id[32];

    memcpy(id, f->id, 32);
    yr_rooms_down(n->rooms, n->now, slot);
    yr_rooms_unfriend(n->rooms, n->now, id);
    yr_circuit_remove(n, slot);
    yr_links_remove(n->links, slot, n->now);
    yr_paths_remove(n->paths, slot);
    yr_traces_forget(n->traces, slot);
    yr_meet_forget(n, slot);
    yr_renew_forget(n, slot);
    yr_delivery_remove(n->delivery, slot);
    yr_mail_remove(n, slot);
    yr_node_trip(n, yr_chat_drop(n->chats, id, history));
    yr_rows_del(n->rows, YR_TABLE_FRIEND, NULL, 0, id, 32);
    yr_rows_del(n->rows, YR_TABLE_CLOCK, NULL, 0, id, 32);
    yr_rows_del(n->rows, YR_TABLE_ADDR, NULL, 0, id, 32);
    yr_post_forget_friend(n, id);
    for (size_t i = 0; i < YR_PINGS_MAX; i++)
        if (n->pings[i].used && n->pings[i].slot == slot)
            n->pings[i].sent_us = 0; // answered as lost at the next tick
    yr_wipe(f, sizeof *f);
}

void yr_friend_block(struct yr_node *n, struct yr_friend *f, bool blocked)
{
    f->blocked = blocked;
    yr_friend_store(n, f);
    admit(n, f);
    yr_delivery_holders(n->delivery, yr_friend_slot(n, f));
    yr_friend_changed(n, f, false);
}

/* ---- telling ---- */

void yr_friend_seek(struct yr_node *n, const struct yr_friend *f)
{
    if (f->online)
        return;
    yr_paths_hurry(n->paths, yr_friend_slot(n, f), n->now);
    yr_meet_hurry(n, yr_friend_slot(n, f));
}

bool yr_friend_tells_receipts(const struct yr_node *n, const struct yr_friend *f)
{
    return f->receipts == YR_UNKNOWN ? n->opts.read_receipts : f->receipts == YR_YES;
}

enum yr_err yr_friend_push(struct yr_node *n, struct yr_friend *f, struct yr_plain *plain)
{
    uint8_t id[YR_MSG_ID_LEN], bytes[1024];
    size_t len;
    enum yr_err err;

    yr_random(n->rng, id, sizeof id);
    plain->id = id;
    plain->hlc = (uint64_t)YR_MAX(n->now.wall_ms, 0) << 16;
    if ((err = yr_plain_encode(plain, bytes, sizeof bytes, &len)) != YR_OK)
        return err;
    err = yr_delivery_push(n->delivery, n->now, yr_friend_slot(n, f), id, bytes, len);
    if (err == YR_OK)
        yr_friend_seek(n, f);
    return err;
}

static void push_plain(struct yr_node *n, struct yr_friend *f, struct yr_plain *plain)
{
    yr_node_trip(n, yr_friend_push(n, f, plain));
}

void yr_friend_tell_profile(struct yr_node *n, struct yr_friend *f)
{
    struct yr_plain plain = {.type = YR_PLAIN_PROFILE, .known = true};

    plain.text = (const uint8_t *)n->nick;
    plain.text_len = strlen(n->nick);
    plain.text2 = (const uint8_t *)n->status;
    plain.text2_len = strlen(n->status);
    push_plain(n, f, &plain);
}

// Whether there was one to tell.
static bool tell_prekey(struct yr_node *n, struct yr_friend *f)
{
    struct yr_plain plain = {.type = YR_PLAIN_PREKEY, .known = true};
    struct yr_prekey prekey;
    bool fresh;

    if (yr_delivery_prekey(n->delivery, n->now, yr_friend_slot(n, f), &prekey, &fresh) != YR_OK ||
        !fresh)
        return false;
    plain.prekey_id = prekey.id;
    plain.prekey = prekey.pk;
    plain.prekey_exp_s = prekey.exp_s;
    push_plain(n, f, &plain);
    return true;
}

// The first message of a session is the invitee's: until it came, the inviter cannot send.
static void say_hello(struct yr_node *n, struct yr_friend *f)
{
    struct yr_plain plain = {.type = YR_PLAIN_NOOP, .known = true};

    push_plain(n, f, &plain);
}

/* ---- link ---- */

static uint64_t link_clock(void *ctx, unsigned slot, const struct yr_clock *theirs,
                           const struct yr_clock *ours)
{
    struct yr_node *n = ctx;
    struct yr_friend *f = &n->friends[slot];

    if (memcmp(theirs->bytes, f->clock_theirs.bytes, sizeof theirs->bytes) > 0)
        yr_meet_clock(n, slot, theirs); // it has just come
    f->clock_theirs = *theirs;
    f->clock_ours = *ours;
    yr_friend_store_clocks(n, f);
    return yr_rows_pending(n->rows);
}

// The inviter has answered, and its certificate was good.
static void activate(struct yr_node *n, struct yr_friend *f)
{
    if (!f->pending)
        return;
    f->pending = false;
    yr_friend_store(n, f);
    admit(n, f);
    yr_friend_changed(n, f, false);
    say_hello(n, f);
}

static void link_up(void *ctx, unsigned slot)
{
    struct yr_node *n = ctx;
    struct yr_friend *f = &n->friends[slot];
    const bool was_online = f->online; // another connection took over: all is sent again

    struct yr_link_info link;

    f->online = true;
    yr_post_linked(n, f, was_online);
    f->online_ms = f->last_seen_ms = n->now.wall_ms;
    yr_renew_known(n, slot);
    yr_contacts_linked(n->contacts, n->now, f->id);
    yr_links_info(n->links, slot, &link);
    yr_paths_linked(n->paths, slot, &link.addr, n->now);
    yr_circuit_linked(n, slot);
    (void)tell_prekey(n, f);
    yr_delivery_up(n->delivery, n->now, slot);
    yr_mail_linked(n, slot);
    yr_node_trip(n, yr_rooms_up(n->rooms, n->now, slot));
    yr_paths_tell(n->paths, slot, n->now);
    yr_presence_up(n, f);
    if (!was_online)
        presence(n, f);
}

static void link_down(void *ctx, unsigned slot, enum yr_link_end why)
{
    struct yr_node *n = ctx;
    struct yr_friend *f = &n->friends[slot];

    (void)why;
    yr_presence_down(n, f);
    yr_post_linked(n, f, true);
    f->online = f->close_soon = false;
    f->last_seen_ms = n->now.wall_ms;
    yr_friend_store(n, f);
    yr_delivery_down(n->delivery, n->now, slot);
    yr_mail_lost(n, slot);
    yr_rooms_down(n->rooms, n->now, slot);
    yr_paths_linked(n->paths, slot, NULL, n->now);
    yr_circuit_lost(n, slot);
    for (size_t i = 0; i < YR_PINGS_MAX; i++)
        if (n->pings[i].used && n->pings[i].slot == slot)
            n->pings[i].sent_us = 0;
    presence(n, f);
    yr_beacon_hurry(n);
}

static void link_dial_failed(void *ctx, unsigned slot)
{
    struct yr_node *n = ctx;

    n->friends[slot].failed_ms = n->now.wall_ms;
}

static void got_ping(struct yr_node *n, struct yr_friend *f, const uint8_t *body, size_t len)
{
    f->pings += (double)(n->now.mono_us - f->pings_us) / (double)YR_S;
    f->pings_us = n->now.mono_us;
    if (f->pings > YR_PING_BURST)
        f->pings = YR_PING_BURST;
    if (len != 8 || f->pings < 1)
        return;
    f->pings--;
    (void)!yr_links_send(n->links, yr_friend_slot(n, f), YR_CHANNEL_CONTROL, YR_FRAME_PONG, body,
                         len);
}

static void got_pong(struct yr_node *n, unsigned slot, const uint8_t *body, size_t len)
{
    struct yr_rd rd = yr_rd_init(body, len);
    const uint64_t nonce = yr_rd_u64(&rd);

    for (size_t i = 0; i < YR_PINGS_MAX && yr_rd_done(&rd); i++) {
        struct yr_ping_wait *p = &n->pings[i];
        if (!p->used || p->slot != slot || p->nonce != nonce || p->sent_us == 0)
            continue;
        struct yr_event event = {.kind = YR_EV_DONE, .ticket = p->ticket};
        event.value_us = n->now.mono_us - p->sent_us;
        memcpy(event.conv, n->friends[slot].id, 32);
        p->used = false;
        yr_node_event(n, &event);
        return;
    }
}

static void link_frame(void *ctx, unsigned slot, enum yr_channel channel, uint8_t type,
                       const uint8_t *body, size_t len)
{
    struct yr_node *n = ctx;
    struct yr_friend *f = &n->friends[slot];
    enum yr_err err = YR_OK;

    if (channel == YR_CHANNEL_CONTROL) {
        if (type == YR_FRAME_PING)
            got_ping(n, f, body, len);
        else if (type == YR_FRAME_PONG)
            got_pong(n, slot, body, len);
        else if (type == YR_FRAME_ADDRS)
            err = yr_paths_frame(n->paths, slot, body, len, n->now);
        else if (type == YR_FRAME_PRESENCE || type == YR_FRAME_TYPING)
            err = yr_presence_frame(n, slot, type, body, len);
        else
            err = yr_circuit_frame(n, slot, type, body, len);
    } else if (channel == YR_CHANNEL_CHAT) {
        err = yr_mail_frame(n, slot, type, body, len);
    } else if (channel == YR_CHANNEL_ROOMS) {
        err = yr_rooms_frame(n->rooms, n->now, slot, type, body, len);
        yr_node_trip(n, err);
    }
    // What we could not take is not acknowledged: the next link brings it again.
    if (err != YR_OK)
        f->close_soon = n->close_due = true;
}

static void link_room(void *ctx, unsigned slot, enum yr_channel channel)
{
    struct yr_node *n = ctx;

    if (channel == YR_CHANNEL_CHAT) {
        yr_delivery_room(n->delivery, n->now, slot);
        yr_mailbox_room(n->mailbox, slot);
    } else if (channel == YR_CHANNEL_ROOMS)
        yr_rooms_space(n->rooms, n->now, slot);
}

static void link_path(void *ctx, unsigned slot, const struct yr_addr *addr)
{
    struct yr_node *n = ctx;

    yr_circuit_linked(n, slot);
    yr_paths_linked(n->paths, slot, addr, n->now);
    if (yr_addr_udp(addr)) // a circuit is nothing that could be dialled another time
        yr_friend_store_addrs(n, &n->friends[slot]);
}

static void link_datagram(void *ctx, unsigned slot, const uint8_t *bytes, size_t len)
{
    struct yr_node *n = ctx;

    yr_relay_datagram(n->relay, slot, bytes, len, n->now);
}

static void link_doubt(void *ctx, unsigned slot)
{
    struct yr_node *n = ctx;

    yr_paths_doubt(n->paths, slot, n->now);
}

static void link_stranger(void *ctx, unsigned slot, const struct yr_addr *addr,
                          const struct yr_clock *clock)
{
    yr_renew_stranger(ctx, slot, addr, clock);
}

void yr_friend_renewed(struct yr_node *n, struct yr_friend *f, const uint8_t dev[32], uint32_t gen)
{
    const unsigned slot = yr_friend_slot(n, f);
    bool learned;
    enum yr_err err;

    yr_links_remove(n->links, slot, n->now);
    if (f->online)
        link_down(n, slot, YR_LINK_DROPPED);
    memcpy(f->dev, dev, sizeof f->dev);
    f->gen = gen;
    f->trust = YR_TRUST_INVITE;
    f->settled = false;
    memset(&f->clock_theirs, 0, sizeof f->clock_theirs); // a series of its own
    err = yr_links_set(n->links, slot, f->id, f->dev, f->gen, &f->pair, &f->clock_theirs,
                       &f->clock_ours);
    if (err == YR_OK)
        err = yr_delivery_renewed(n->delivery, slot);
    if (err == YR_OK)
        err = yr_chat_note(n->chats, n->now, f->id, "device key changed");
    yr_node_trip(n, err);
    yr_links_keepalive(n->links, slot, yr_paths_keepalive(n->paths, &learned), n->now);
    yr_links_block(n->links, slot, f->blocked || f->pending, n->now);
    yr_friend_store_clocks(n, f);
    yr_friend_store(n, f);
    yr_friend_changed(n, f, false);
    yr_friend_seek(n, f);
}

const struct yr_link_ops yr_friend_link_ops = {.clock = link_clock,
                                               .up = link_up,
                                               .down = link_down,
                                               .dial_failed = link_dial_failed,
                                               .frame = link_frame,
                                               .room = link_room,
                                               .path = link_path,
                                               .datagram = link_datagram,
                                               .doubt = link_doubt,
                                               .stranger = link_stranger};

/* ---- first contact ---- */

static struct yr_stash *stash_for(struct yr_node *n, const uint8_t id[32])
{
    struct yr_stash *place = &n->stash[0];

    for (size_t i = 0; i < YR_STASH_MAX; i++) {
        if (n->stash[i].used && memcmp(n->stash[i].id, id, 32) == 0)
            return &n->stash[i];
        if (!n->stash[i].used)
            place = &n->stash[i];
    }
    return place;
}

static enum yr_err contact_hello(void *ctx, const uint8_t id[32], struct yr_hello *out)
{
    static const uint32_t life_s = 21u * 86400u;
    struct yr_node *n = ctx;
    struct yr_friend *f = yr_friend_find(n, id);
    struct yr_stash *s = stash_for(n, id);
    struct yr_prekey prekey;
    bool fresh;

    if (f != NULL) {
        if (yr_delivery_prekey(n->delivery, n->now, yr_friend_slot(n, f), &prekey, &fresh) != YR_OK)
            return YR_ENOMEM;
        if (s->used && memcmp(s->id, id, 32) == 0)
            yr_wipe(s, sizeof *s);
    } else {
        if (!s->used || memcmp(s->id, id, 32) != 0) {
            yr_prekey_new(&s->prekey, 1, (uint32_t)(n->now.wall_ms / 1000) + life_s, n->rng);
            memcpy(s->id, id, 32);
            s->used = true;
        }
        yr_prekey_public(&prekey, &s->prekey);
    }
    memcpy(n->hello_prekey, prekey.pk, sizeof n->hello_prekey);
    out->cert = n->cert;
    out->prekey_id = prekey.id;
    out->prekey_exp_s = prekey.exp_s;
    out->prekey = n->hello_prekey;
    out->nick = (const uint8_t *)n->nick;
    out->nick_len = strlen(n->nick);
    return YR_OK;
}

static void take_hello(struct yr_node *n, struct yr_friend *f, const struct yr_hello *hello)
{
    struct yr_prekey prekey;

    if (hello->nick != NULL && hello->nick_len <= YR_NICK_MAX) {
        memcpy(f->nick, hello->nick, hello->nick_len);
        f->nick[hello->nick_len] = '\0';
    }
    if (hello->prekey != NULL) {
        prekey.id = hello->prekey_id;
        prekey.exp_s = hello->prekey_exp_s;
        memcpy(prekey.pk, hello->prekey, 32);
        yr_delivery_their_prekey(n->delivery, n->now, yr_friend_slot(n, f), &prekey);
    }
}

static struct yr_friend *new_friend(struct yr_node *n, const struct yr_contact *c)
{
    for (size_t i = 0; i < YR_FRIENDS_MAX; i++) {
        struct yr_friend *f = &n->friends[i];
        if (f->used)
            continue;
        memset(f, 0, sizeof *f);
        f->used = true;
        f->pending = !c->inviter;
        f->order = n->next_order++;
        f->created_ms = n->now.wall_ms;
        yr_habit_init(&f->habit, n->now.wall_ms);
        memcpy(f->id, c->id, 32);
        f->trust = c->verified ? YR_TRUST_VERIFIED : YR_TRUST_INVITE;
        memcpy(f->petname, c->petname, sizeof f->petname);
        return f;
    }
    return NULL;
}

static void new_device(struct yr_node *n, struct yr_friend *f, const struct yr_contact *c)
{
    if (f->pending) { // the newest link we were given says how it is to be shown
        f->trust = c->verified ? YR_TRUST_VERIFIED : YR_TRUST_INVITE;
        memcpy(f->petname, c->petname, sizeof f->petname);
        return;
    }
    if (memcmp(f->dev, c->dev, 32) == 0)
        return;
    f->trust = YR_TRUST_INVITE;
    yr_node_trip(n, yr_chat_note(n->chats, n->now, f->id, "device key changed"));
}

// May this handshake replace the pair with a friend we have?
static enum yr_err may_replace(const struct yr_friend *f, const struct yr_contact *c)
{
    const bool other = memcmp(f->dev, c->dev, 32) != 0;

    if (f->pending) // nothing about its device is proven yet
        return YR_OK;
    if (c->gen < f->gen || (c->gen == f->gen && other))
        return YR_EDENIED; // an older device, or a copy of this one's certificate: B.3
    return f->begun_us != 0 && c->begun_us <= f->begun_us ? YR_EEXIST : YR_OK; // came late
}

static enum yr_err contact_met(void *ctx, struct yr_now now, const struct yr_contact *c)
{
    struct yr_node *n = ctx;
    struct yr_friend *f = yr_friend_find(n, c->id);
    const bool known = f != NULL;
    struct yr_stash *s = stash_for(n, c->id);
    enum yr_err err;

    if (!known && (f = new_friend(n, c)) == NULL)
        return YR_EFULL;
    if (known && (err = may_replace(f, c)) != YR_OK)
        return err;
    if (known) { // nothing of the old pair goes on
        yr_links_remove(n->links, yr_friend_slot(n, f), now);
        if (f->online)
            link_down(n, yr_friend_slot(n, f), YR_LINK_DROPPED);
        new_device(n, f, c);
    }
    memcpy(f->dev, c->dev, 32);
    f->gen = c->gen;
    f->begun_us = c->begun_us;
    f->settled = false;
    yr_pair_derive(&f->pair, 0, c->pair, n->self.id, f->id);
    memset(&f->clock_theirs, 0, sizeof f->clock_theirs);
    memset(&f->clock_ours, 0, sizeof f->clock_ours);
    memset(&f->probe_clock, 0, sizeof f->probe_clock);
    if ((err = yr_delivery_meet(n->delivery, now, yr_friend_slot(n, f), c, f->pair.out)) != YR_OK ||
        (err = enter(n, f)) != YR_OK || (err = yr_chat_open(n->chats, f->id)) != YR_OK ||
        (!known && (err = yr_mail_enter(n, yr_friend_slot(n, f))) != YR_OK)) {
        yr_node_trip(n, err);
        if (!known)
            yr_friend_remove(n, f, false);
        return err;
    }
    if (s->used && memcmp(s->id, c->id, 32) == 0) {
        yr_delivery_own_prekey(n->delivery, now, yr_friend_slot(n, f), &s->prekey);
        yr_wipe(s, sizeof *s);
    }
    take_hello(n, f, &c->hello);
    yr_friend_store_clocks(n, f);
    yr_friend_store(n, f);
    yr_renew_known(n, yr_friend_slot(n, f));
    if (yr_addr_udp(&c->addr))
        yr_paths_learn(n->paths, yr_friend_slot(n, f), &c->addr, YR_ADDR_LINKED, now);
    yr_meet_met(n, yr_friend_slot(n, f), &c->addr);
    yr_friend_store_addrs(n, f);
    if (c->inviter) {
        if (f->pending) { // we were adding them too
            f->pending = false;
            yr_friend_store(n, f);
            admit(n, f);
        }
        yr_friend_changed(n, f, false);
        yr_friend_tell_profile(n, f);
        yr_way_dial(n, f, &c->addr);
    }
    return YR_OK;
}

static void contact_verdict(void *ctx, struct yr_now now, const uint8_t inviter[32],
                            const struct yr_hello *hello, const struct yr_addr *from)
{
    struct yr_node *n = ctx;
    struct yr_friend *f = yr_friend_find(n, inviter);

    (void)now;
    if (f == NULL)
        return;
    if (hello->verdict != 1) {
        if (f->pending)
            yr_friend_remove(n, f, false); // there may be a history with them from before
        return;
    }
    take_hello(n, f, hello);
    yr_friend_store(n, f);
    activate(n, f);
    yr_way_dial(n, f, from);
}

static void contact_changed(void *ctx, struct yr_now now, const char *invite_id)
{
    struct yr_node *n = ctx;
    struct yr_event event = {.kind = YR_EV_REQUEST};
    struct yr_invite_info info;

    (void)now;
    snprintf(event.text, sizeof event.text, "%s", invite_id);
    yr_node_event(n, &event);
    for (size_t i = 0; yr_contacts_invite_at(n->contacts, i, &info); i++) {
        if (strcmp(info.id, invite_id) != 0 || info.state != YR_INVITE_LEAKED)
            continue;
        struct yr_event notice = {.kind = YR_EV_NOTICE};
        snprintf(notice.text, sizeof notice.text,
                 "invite %s was used a second time by somebody else: its link has leaked", info.id);
        yr_node_event(n, &notice);
    }
}

const struct yr_contact_ops yr_friend_contact_ops = {.hello = contact_hello,
                                                     .met = contact_met,
                                                     .verdict = contact_verdict,
                                                     .changed = contact_changed};

/* ---- delivery and conversation ---- */

static enum yr_err delivery_frame(void *ctx, unsigned slot, uint8_t type, const uint8_t *body,
                                  size_t len)
{
    struct yr_node *n = ctx;

    return yr_links_send(n->links, slot, YR_CHANNEL_CHAT, type, body, len);
}

static void take_profile(struct yr_node *n, struct yr_friend *f, const struct yr_plain *plain)
{
    if (plain->text != NULL && plain->text_len <= YR_NICK_MAX) {
        memcpy(f->nick, plain->text, plain->text_len);
        f->nick[plain->text_len] = '\0';
    }
    if (plain->text2 != NULL && plain->text2_len <= YR_STATUS_MAX) {
        memcpy(f->status, plain->text2, plain->text2_len);
        f->status[plain->text2_len] = '\0';
    }
    yr_friend_store(n, f);
    yr_friend_changed(n, f, false);
}

// What came through others may have been overtaken by what came later over the link.
static bool is_newest(uint64_t *newest, uint64_t hlc, bool mailed)
{
    if (mailed && hlc < *newest)
        return false;
    *newest = hlc;
    return true;
}

static enum yr_err delivery_plain(void *ctx, struct yr_now now, unsigned slot, const uint8_t *plain,
                                  size_t len, bool mailed)
{
    struct yr_node *n = ctx;
    struct yr_friend *f = &n->friends[slot];
    struct yr_chat_aside aside = {.type = YR_PLAIN_COUNT};
    enum yr_err err = yr_chat_receive(n->chats, now, f->id, f->id, plain, len, &aside);
    struct yr_plain letter;

    if (!f->settled) {
        yr_contacts_settled(n->contacts, f->id);
        f->settled = true;
    }
    // The session has moved on already: a machine that could not keep what it opened must forget
    // that too, or the friend's second copy would count as a duplicate and be acknowledged.
    yr_node_trip(n, err);
    // What makes no sense here is confirmed too, or it would wait at its author's for ever.
    if (mailed && (err == YR_OK || err == YR_EEXIST || err == YR_EPROTO) &&
        yr_plain_decode(&letter, plain, len) == YR_OK)
        yr_mail_came(n, slot, &letter, aside.receipted);
    if (err != YR_OK)
        return err;
    if (aside.receipted)
        yr_presence_texted(n, f);
    if (aside.type == YR_PLAIN_PROFILE) {
        if (is_newest(&f->profile_hlc, aside.plain.hlc, mailed))
            take_profile(n, f, &aside.plain);
    } else if (aside.type == YR_PLAIN_PREKEY && aside.plain.prekey != NULL) {
        struct yr_prekey prekey = {.id = aside.plain.prekey_id, .exp_s = aside.plain.prekey_exp_s};
        memcpy(prekey.pk, aside.plain.prekey, 32);
        yr_delivery_their_prekey(n->delivery, now, slot, &prekey);
    } else if (aside.type == YR_PLAIN_RELAYS) {
        if (is_newest(&f->relays_hlc, aside.plain.hlc, mailed))
            err = yr_circuit_told(n, slot, &aside.plain);
    } else if (aside.type == YR_PLAIN_ROOM_INVITE || aside.type == YR_PLAIN_ROOM_JOIN) {
        err = yr_rooms_plain(n->rooms, now, slot, &aside.plain);
        yr_node_trip(n, err);
    }
    return err;
}

static void delivery_pair(void *ctx, unsigned slot, struct yr_pkh_pair *out)
{
    struct yr_node *n = ctx;
    const struct yr_friend *f = &n->friends[slot];

    out->own = &n->self.device;
    out->own_id = n->self.id;
    out->peer = f->dev;
    out->peer_id = f->id;
    out->pkh_psk = f->pair.pkh_psk;
}

static enum yr_err delivery_reset(void *ctx, struct yr_now now, unsigned slot, unsigned today)
{
    static const char *const warning =
        "again and again: somebody may have a copy of this device or of the friend's";
    struct yr_node *n = ctx;
    const struct yr_friend *f = &n->friends[slot];
    char line[YR_NICK_MAX + 64];
    enum yr_err err;

    if (today > YR_RESETS_ALARM)
        return YR_OK; // it has been said
    snprintf(line, sizeof line, "the secure session with %s was begun anew",
             f->petname[0] != '\0' ? f->petname : f->nick);
    err = yr_chat_note(n->chats, now, f->id, line);
    if (err == YR_OK && today == YR_RESETS_ALARM)
        err = yr_chat_note(n->chats, now, f->id, warning);
    yr_node_trip(n, err);
    return err;
}

static void delivery_answer(void *ctx, unsigned slot)
{
    struct yr_node *n = ctx;
    struct yr_friend *f = &n->friends[slot];

    if (!tell_prekey(n, f))
        say_hello(n, f);
}

static enum yr_err delivery_cert(void *ctx, unsigned slot, const uint8_t *body, size_t len)
{
    return yr_renew_envelope_take(ctx, slot, body, len);
}

const struct yr_delivery_ops yr_friend_delivery_ops = {.cert = delivery_cert,
                                                       .frame = delivery_frame,
                                                       .plain = delivery_plain,
                                                       .pair = delivery_pair,
                                                       .reset = delivery_reset,
                                                       .answer = delivery_answer,
                                                       .again = yr_mail_again};

static enum yr_err chat_deliver(void *ctx, const uint8_t conv[YR_ID_LEN],
                                const uint8_t id[YR_MSG_ID_LEN], const uint8_t *plain, size_t len)
{
    struct yr_node *n = ctx;
    struct yr_friend *f = yr_friend_find(n, conv);
    enum yr_err err;

    if (f == NULL || f->pending)
        return YR_ENOFRIEND;
    err = yr_delivery_push(n->delivery, n->now, yr_friend_slot(n, f), id, plain, len);
    if (err == YR_OK)
        yr_friend_seek(n, f);
    return err;
}

static bool chat_recall(void *ctx, const uint8_t conv[YR_ID_LEN], const uint8_t id[YR_MSG_ID_LEN])
{
    struct yr_node *n = ctx;
    struct yr_friend *f = yr_friend_find(n, conv);

    return f != NULL && yr_delivery_recall(n->delivery, yr_friend_slot(n, f), id);
}

const struct yr_chat_ops yr_friend_chat_ops = {.deliver = chat_deliver,
                                               .recall = chat_recall,
                                               .say = yr_node_room_say,
                                               .incarnation = yr_node_room_incarnation,
                                               .counts = yr_node_room_counts,
                                               .seen = yr_node_room_seen,
                                               .read = yr_node_room_read};
