/* core/node/queries.c: what a user interface may ask a node; nothing here changes anything. */
#include "core/node/state.h"

#include <stdarg.h>
#include <stdio.h>

void yr_node_self(const struct yr_node *n, struct yr_self *out)
{
    memset(out, 0, sizeof *out);
    out->unlocked = n->unlocked;
    out->has_identity = n->has_identity;
    out->store_failing = n->failing;
    out->cursor = yr_events_cursor(n->events);
    if (!n->has_identity)
        return;
    memcpy(out->id, n->self.id, 32);
    memcpy(out->nick, n->nick, sizeof n->nick);
    memcpy(out->status, n->status, sizeof n->status);
    out->away = n->own.away;
    memcpy(out->away_text, n->own.text, sizeof out->away_text);
    out->away_ms = n->own.since_ms;
    out->created_ms = n->self.created_ms;
    out->gen = n->self.gen;
    out->retired_gen = n->retired_gen;
    for (unsigned slot = 0; slot < YR_FRIENDS_MAX; slot++) {
        const struct yr_friend *f = &n->friends[slot];
        if (!f->used || f->pending)
            continue;
        out->friends++;
        out->friends_online += f->online;
        out->queued += yr_delivery_queued(n->delivery, slot);
    }
}

uint64_t yr_node_friends_version(const struct yr_node *n)
{
    return n->friends_version;
}

static void friend_info(const struct yr_node *n, unsigned slot, struct yr_friend_info *out)
{
    const struct yr_friend *f = &n->friends[slot];
    struct yr_link_info link;
    struct yr_unread unread;
    enum yr_addr_source source;
    struct yr_addr addr;

    memset(out, 0, sizeof *out);
    memcpy(out->id, f->id, 32);
    memcpy(out->petname, f->petname, sizeof f->petname);
    memcpy(out->nick, f->nick, sizeof f->nick);
    memcpy(out->status, f->status, sizeof f->status);
    out->trust = f->trust;
    out->online = f->online;
    out->blocked = f->blocked;
    out->created_ms = f->created_ms;
    out->last_seen_ms = f->online ? n->now.wall_ms : f->last_seen_ms;
    out->muted_until_ms = f->muted_until_ms;
    out->mail = f->mail;
    out->presence = f->presence;
    out->typing = f->typing;
    out->receipts = f->receipts;
    out->anon = f->anon;
    yr_presence_info(n, f, out);
    out->tells_receipts = yr_friend_tells_receipts(n, f);
    out->queued = yr_delivery_queued(n->delivery, slot);
    yr_delivery_held_all(n->delivery, slot, &out->held, &out->held_at);
    yr_links_info(n->links, slot, &link);
    out->addr = link.addr;
    out->rtt_us = link.rtt_us;
    out->in_bytes = link.in_bytes;
    out->out_bytes = link.out_bytes;
    out->lan = yr_addr_private(&link.addr) && !yr_addr_loopback(&link.addr);
    for (size_t i = 0; yr_paths_candidate(n->paths, slot, i, &addr, &source); i++)
        if (source == YR_ADDR_LAN && yr_addr_eq(&addr, &link.addr))
            out->lan = true;
    yr_circuit_info(n, slot, out);
    yr_mail_ledger(n, slot, &out->ledger);
    yr_chat_unread(n->chats, f->id, &unread);
    out->unread = unread.count;
    yr_fingerprint(out->fingerprint, n->self.id, f->id);
}

bool yr_node_friend_at(const struct yr_node *n, size_t i, struct yr_friend_info *out)
{
    struct {
        uint32_t order;
        unsigned slot;
    } sorted[YR_FRIENDS_MAX];
    size_t count = 0;

    for (unsigned slot = 0; slot < YR_FRIENDS_MAX; slot++) { // slots are reused, else in order
        const struct yr_friend *f = &n->friends[slot];
        size_t at = count;
        if (!f->used || f->pending)
            continue;
        for (; at > 0 && sorted[at - 1].order > f->order; at--)
            sorted[at] = sorted[at - 1];
        sorted[at].order = f->order;
        sorted[at].slot = slot;
        count++;
    }
    if (i >= count)
        return false;
    friend_info(n, sorted[i].slot, out);
    return true;
}

enum yr_err yr_node_friend(const struct yr_node *n, const uint8_t id[YR_ID_LEN],
                           struct yr_friend_info *out)
{
    for (unsigned slot = 0; slot < YR_FRIENDS_MAX; slot++) {
        const struct yr_friend *f = &n->friends[slot];
        if (f->used && !f->pending && memcmp(f->id, id, 32) == 0) {
            friend_info(n, slot, out);
            return YR_OK;
        }
    }
    return YR_ENOFRIEND;
}

enum yr_tri yr_node_receipts(const struct yr_node *n, const uint8_t id[YR_ID_LEN])
{
    for (unsigned slot = 0; slot < YR_FRIENDS_MAX; slot++)
        if (n->friends[slot].used && memcmp(n->friends[slot].id, id, YR_ID_LEN) == 0)
            return n->friends[slot].receipts;
    return YR_UNKNOWN;
}

bool yr_node_invite_at(const struct yr_node *n, size_t i, struct yr_invite_info *out)
{
    if (!yr_contacts_invite_at(n->contacts, i, out))
        return false;
    if (out->state == YR_INVITE_OPEN && n->now.wall_ms >= out->expires_ms) {
        out->state = YR_INVITE_EXPIRED;
        out->link[0] = out->qr[0] = '\0';
    }
    return true;
}

bool yr_node_add_at(const struct yr_node *n, size_t i, struct yr_add_info *out)
{
    return yr_contacts_add_at(n->contacts, i, out);
}

bool yr_node_peer_at(const struct yr_node *n, size_t i, struct yr_peer_info *out)
{
    for (size_t k = 0; k < YR_PEERS_MAX; k++) {
        if (!n->peers[k].used || i-- > 0)
            continue;
        memcpy(out->name, n->peers[k].name, sizeof out->name);
        out->addr = n->peers[k].addr;
        out->keyed = n->peers[k].keyed;
        out->answered = yr_node_peer_answered(n, &n->peers[k]);
        out->rtt_us = out->keyed && n->dht != NULL ? yr_dht_rtt_us(n->dht, n->peers[k].pk) : 0;
        return true;
    }
    return false;
}

/* ---- messages ---- */

// Who keeps a text of ours that is not there yet.
static bool held_of(struct yr_node *n, const struct yr_message *m, struct yr_held *out)
{
    const struct yr_friend *f;

    if (!m->own || m->room || m->kind == YR_MSG_SYSTEM || m->state > YR_STATE_HELD ||
        (f = yr_friend_find(n, m->conv)) == NULL)
        return false;
    yr_delivery_held(n->delivery, yr_friend_slot(n, f), m->id, out);
    return true;
}

static void add_held(struct yr_node *n, struct yr_message *m)
{
    struct yr_held held;

    if (!held_of(n, m, &held))
        return;
    m->held_by = held.kept;
    m->held_until_ms = held.until_ms;
}

#define QUEUE_LOOKED_AT 64  /* letters of one friend ... */
#define WALK_LOOKED_AT  512 /* ... and of all: three rows are read for each */
#define HOLDERS_COUNTED 16

struct holders {
    uint8_t id[HOLDERS_COUNTED][16];
    unsigned count;
};

static void count_holders(struct holders *holders, const struct yr_held *held)
{
    for (unsigned i = 0; i < held->count; i++) {
        unsigned k = 0;
        while (k < holders->count && memcmp(holders->id[k], held->holder[i], 16) != 0)
            k++;
        if (held->status[i] == YR_HELD_CUSTODY && k == holders->count && k < HOLDERS_COUNTED)
            memcpy(holders->id[holders->count++], held->holder[i], 16);
    }
}

static void queue_of(struct yr_node *n, unsigned slot, unsigned *looked, struct yr_queue_info *out)
{
    struct yr_message *m = n->scratch;
    uint8_t id[YR_MSG_ID_LEN];
    struct holders holders = {.count = 0};
    struct yr_held held;
    uint64_t order = 0;
    size_t letters = 0;

    memset(out, 0, sizeof *out);
    memcpy(out->id, n->friends[slot].id, YR_ID_LEN);
    while (letters < QUEUE_LOOKED_AT && *looked < WALK_LOOKED_AT &&
           yr_delivery_letter(n->delivery, slot, &order, id)) {
        letters++;
        ++*looked;
        if (yr_chat_message(n->chats, id, m) != YR_OK || !held_of(n, m, &held))
            continue; // a receipt, or something else that is no text
        out->texts++;
        out->held += held.kept > 0;
        count_holders(&holders, &held);
        if (out->oldest_ms == 0 || m->received_ms < out->oldest_ms)
            out->oldest_ms = m->received_ms;
    }
    out->held_at = holders.count;
    if (letters == QUEUE_LOOKED_AT || *looked == WALK_LOOKED_AT)
        out->texts += yr_delivery_queued(n->delivery, slot) - letters;
}

bool yr_node_queue_next(struct yr_node *n, struct yr_queue_walk *walk, struct yr_queue_info *out)
{
    while (n->has_identity && walk->slot < YR_FRIENDS_MAX) {
        const unsigned slot = walk->slot++;
        const struct yr_friend *f = &n->friends[slot];
        if (!f->used || f->pending || yr_delivery_queued(n->delivery, slot) == 0)
            continue;
        queue_of(n, slot, &walk->looked, out);
        if (out->texts > 0)
            return true;
    }
    return false;
}

enum yr_err yr_node_message(struct yr_node *n, const uint8_t id[YR_MSG_ID_LEN],
                            struct yr_message *out)
{
    enum yr_err err = n->has_identity ? yr_chat_message(n->chats, id, out) : YR_ENOENT;

    if (err == YR_OK)
        add_held(n, out);
    return err;
}

enum yr_err yr_node_history(struct yr_node *n, const uint8_t conv[YR_ID_LEN], enum yr_seek how,
                            struct yr_place *key, struct yr_message *out)
{
    enum yr_err err = n->has_identity ? yr_chat_history(n->chats, conv, how, key, out) : YR_ENOENT;

    if (err == YR_OK)
        add_held(n, out);
    return err;
}

enum yr_err yr_node_place(struct yr_node *n, const uint8_t id[YR_MSG_ID_LEN],
                          uint8_t conv[YR_ID_LEN], struct yr_place *out)
{
    return n->has_identity ? yr_chat_place(n->chats, id, conv, out) : YR_ENOENT;
}

size_t yr_node_message_prefix(struct yr_node *n, const uint8_t prefix[YR_MSG_ID_LEN], size_t bits,
                              uint8_t (*out)[YR_MSG_ID_LEN], size_t cap)
{
    return n->has_identity ? yr_chat_prefix(n->chats, prefix, bits, out, cap) : 0;
}

void yr_node_unread(struct yr_node *n, const uint8_t conv[YR_ID_LEN], struct yr_unread *out)
{
    memset(out, 0, sizeof *out);
    if (n->has_identity)
        yr_chat_unread(n->chats, conv, out);
}

enum yr_err yr_node_event_after(struct yr_node *n, uint64_t cursor, struct yr_event *out, bool *gap)
{
    return n->unlocked ? yr_events_after(n->events, cursor, out, gap) : YR_ENOENT;
}

/* ---- why ---- */

// The steps as they are written: the first `cap` of them.
struct steps {
    struct yr_why *out;
    size_t cap, count;
};

static void __attribute__((format(printf, 4, 5)))
step(struct steps *s, yr_ms time_ms, const char *code, const char *format, ...)
{
    va_list args;

    if (s->count == s->cap)
        return;
    memset(&s->out[s->count], 0, sizeof s->out[s->count]);
    s->out[s->count].time_ms = time_ms;
    s->out[s->count].code = code;
    va_start(args, format);
    vsnprintf(s->out[s->count].text, sizeof s->out[s->count].text, format, args);
    va_end(args);
    s->count++;
}

static void why_friend(const struct yr_node *n, unsigned slot, struct steps *s, yr_ms *next_ms)
{
    const struct yr_friend *f = &n->friends[slot];
    struct yr_path_info path;
    struct yr_link_info link;

    yr_paths_info(n->paths, slot, &path);
    yr_links_info(n->links, slot, &link);
    if (f->blocked) {
        step(s, 0, "blocked", "blocked here: no link is made");
        return;
    }
    if (f->online) {
        step(s, f->online_ms, "linked", "%s link, round trip %llu.%01llu ms",
             link.addr.family == YR_FAMILY_VIA ? "relayed" : "direct",
             (unsigned long long)(link.rtt_us / 1000),
             (unsigned long long)(link.rtt_us % 1000 / 100));
        return;
    }
    if (f->last_seen_ms != 0)
        step(s, f->last_seen_ms, "last_seen", "last seen");
    if (f->theirs.away)
        step(s, YR_MIN(f->theirs.since_ms, n->now.wall_ms), "away", "away, they said%s%.160s",
             f->theirs.text[0] != '\0' ? ": " : "", f->theirs.text);
    if (!n->opts.online)
        step(s, 0, "offline", "this node is offline by its settings");
    else if (path.candidates == 0)
        step(s, 0, "no_address", "no address is known: waiting to hear from them");
    if (path.asked_ms != 0 && path.rounds > 0)
        step(s, path.asked_ms, "no_answer", "direct: no answer at %u address%s", path.candidates,
             path.candidates == 1 ? "" : "es");
    if (f->failed_ms > path.asked_ms && f->failed_ms != 0)
        step(s, f->failed_ms, "dial_failed", "an address answered, but no link came up");
    if (path.next_us != YR_NEVER)
        *next_ms =
            n->now.wall_ms +
            (yr_ms)((path.next_us > n->now.mono_us ? path.next_us - n->now.mono_us : 0) / 1000);
}

// Who may keep letters for a friend: common friends that he named to us.
static void why_keepers(const struct yr_node *n, unsigned slot, struct steps *s)
{
    bool told = true, any = false;

    if (n->friends[slot].blocked)
        return;
    for (unsigned who = 0; who < YR_FRIENDS_MAX; who++) {
        const struct yr_friend *f = &n->friends[who];
        const enum yr_tri named = who != slot ? yr_relay_named(n->relay, slot, who) : YR_NO;
        const size_t at = s->count;
        told = told && named != YR_UNKNOWN;
        if (!f->used || f->pending || f->blocked || named != YR_YES)
            continue;
        any = true;
        step(s, 0, "keeper", "%s",
             !f->online ? "may keep mail for them, but is not online"
             : yr_delivery_shunned(n->delivery, slot, who)
                 ? "may keep mail for them, but refused lately; it is asked again"
                 : "may keep mail for them");
        if (s->count > at)
            memcpy(s->out[at].who, f->id, YR_ID_LEN);
    }
    if (told && !any)
        step(s, 0, "no_keeper", "no friend of yours is one who keeps mail for them");
}

// Where a member can be found: he is a friend, or behind one.
static void why_member(struct yr_node *n, const struct yr_message *m, const uint8_t mid[YR_MID_LEN],
                       struct steps *s)
{
    struct yr_member_info member;
    const struct yr_friend *f;

    if (yr_rooms_member(n->rooms, n->now, m->conv, mid, &member) != YR_OK)
        return;
    f = member.friend    ? yr_friend_find(n, member.friend_id)
        : member.reached ? yr_friend_find(n, member.via)
                         : NULL;
    if (member.friend && f != NULL)
        step(s, member.seen_ms, "missing", "%s has it not: %s",
             f->petname[0] != '\0' ? f->petname : f->nick,
             f->online ? "linked, it is on its way" : "no link");
    else if (f != NULL)
        step(s, member.seen_ms, "missing", "~%s has it not: reached over %s, who is %s",
             member.nick, f->petname[0] != '\0' ? f->petname : f->nick,
             f->online ? "linked" : "away");
    else
        step(s, member.seen_ms, "missing", "~%s has it not: nobody is known on the way to it",
             member.nick);
}

static void why_room(struct yr_node *n, const struct yr_message *m, struct steps *s)
{
    uint8_t mid[YR_MID_LEN];

    if (!m->own) {
        step(s, m->time_ms, "sent", "sent by its author");
        step(s, m->received_ms, "received", "received here%s", m->late ? ", late" : "");
        return;
    }
    step(s, m->received_ms, "accepted", "accepted here");
    step(s, m->delivered_ms, "delivered", "delivered to %u of %u", m->delivered_to, m->of);
    if (m->read_by > 0)
        step(s, m->read_ms, "read", "read by %u of %u", m->read_by, m->of);
    for (size_t i = 0; yr_rooms_missing(n->rooms, m->conv, m->seq, m->incarnation, i, mid); i++)
        why_member(n, m, mid, s);
}

// The friends with whom a letter was left, and what became of it there.
static void why_held(const struct yr_node *n, const struct yr_held *held, struct steps *s)
{
    static const struct {
        const char *code, *text;
    } words[] = {
        [YR_HELD_ASKED] = {"asked", "asked to hold it, no answer yet"},
        [YR_HELD_CUSTODY] = {"held", "custody acknowledged"},
        [YR_HELD_REFUSED] = {"refused", "does not hold it: nobody waits for it there"},
        [YR_HELD_TAKEN] = {"taken", "has given it out; word that it arrived is still to come"},
        [YR_HELD_GONE] = {"gone", "does not hold it any more"},
        [YR_HELD_FULL] = {"full", "does not hold it: no room for more of yours, or of theirs"}};

    for (unsigned i = 0; i < held->count; i++) {
        const size_t at = s->count;
        step(s, held->since_ms[i], words[held->status[i]].code, "%s", words[held->status[i]].text);
        if (s->count == at)
            return;
        for (unsigned slot = 0; slot < YR_FRIENDS_MAX; slot++)
            if (n->friends[slot].used && memcmp(n->friends[slot].id, held->holder[i], 16) == 0)
                memcpy(s->out[at].who, n->friends[slot].id, YR_ID_LEN);
        if (held->status[i] == YR_HELD_CUSTODY)
            s->out[at].until_ms = held->until_ms;
    }
}

// What becomes of one that has a time.
static void why_expires(const struct yr_node *n, const struct yr_message *m, struct steps *s)
{
    size_t at = s->count;

    if (m->expires_ms == 0 || m->deleted)
        return;
    if (m->state == YR_STATE_FAILED)
        step(s, m->failed_ms, "expired", "given up: it had not arrived in time");
    else if (m->state <= YR_STATE_HELD && m->expires_ms > n->now.wall_ms)
        step(s, 0, "expires", "given up unless it is there");
    else if (m->state <= YR_STATE_HELD)
        step(s, m->expires_ms, "expires", "its time is over; word that it arrived may still come");
    if (s->count > at && m->state <= YR_STATE_HELD && m->expires_ms > n->now.wall_ms)
        s->out[at].until_ms = m->expires_ms;
}

static void why_message(struct yr_node *n, const struct yr_message *m, struct steps *s,
                        yr_ms *next_ms)
{
    struct yr_friend *f = yr_friend_find(n, m->conv);
    struct yr_held held = {0};

    if (!m->own) {
        step(s, m->time_ms, "sent", "sent by them");
        step(s, m->received_ms, "received", "received here%s", m->late ? ", late" : "");
        return;
    }
    step(s, m->received_ms, "accepted", "accepted here");
    if (m->state == YR_STATE_CANCELLED)
        step(s, 0, "cancelled", "taken back before anybody had it");
    if (m->delivered_ms != 0)
        step(s, m->delivered_ms, "delivered", "delivered: on their disk");
    if (m->read_ms != 0)
        step(s, m->read_ms, "read", "read");
    if (m->held_ms != 0 && m->state != YR_STATE_HELD)
        step(s, m->held_ms, "was_held", "held by a friend for them");
    if (held_of(n, m, &held))
        why_held(n, &held, s);
    if (m->state <= YR_STATE_HELD && f == NULL)
        step(s, 0, "no_friend", "they are no longer a friend: it is not sent");
    else if (m->state <= YR_STATE_HELD)
        why_friend(n, yr_friend_slot(n, f), s, next_ms);
    if (m->state == YR_STATE_ACCEPTED && f != NULL && !f->online && held.count == 0)
        why_keepers(n, yr_friend_slot(n, f), s);
    why_expires(n, m, s);
}

enum yr_err yr_node_why(struct yr_node *n, struct yr_now now, const uint8_t conv[YR_ID_LEN],
                        const uint8_t msg[YR_MSG_ID_LEN], struct yr_why *out, size_t cap,
                        size_t *count, yr_ms *next_ms)
{
    static const uint8_t none[YR_MSG_ID_LEN];
    struct steps s = {out, cap, 0};
    struct yr_friend *f;
    enum yr_err err;

    n->now = now;
    *next_ms = 0;
    *count = 0;
    if (!n->has_identity)
        return YR_ENOID;
    if (memcmp(msg, none, sizeof none) != 0) {
        if ((err = yr_chat_message(n->chats, msg, n->scratch)) != YR_OK)
            return err;
        if (n->scratch->room)
            why_room(n, n->scratch, &s);
        else
            why_message(n, n->scratch, &s, next_ms);
    } else {
        f = yr_friend_find(n, conv);
        if (f == NULL || f->pending)
            return YR_ENOFRIEND;
        why_friend(n, yr_friend_slot(n, f), &s, next_ms);
        why_keepers(n, yr_friend_slot(n, f), &s);
    }
    *count = s.count;
    return YR_OK;
}

struct yr_counter yr_node_counter(const struct yr_node *n, size_t i)
{
    struct yr_counter c;
    size_t k;

    if (i == 0)
        return (struct yr_counter){"node.received", n->received};
    if (i == 1)
        return (struct yr_counter){"node.dropped", n->dropped};
    i -= 2;
    for (k = 0; yr_links_counter(n->links, k).name != NULL; k++)
        if (k == i) {
            struct yr_counter_ref ref = yr_links_counter(n->links, k);
            return (struct yr_counter){ref.name, ref.value};
        }
    i -= k;
#define PART(call)                            \
    for (k = 0; (c = call).name != NULL; k++) \
        if (k == i)                           \
            return c;                         \
    i -= k
    PART(yr_renew_counter(n, k));
    PART(yr_paths_counter(n->paths, k));
    PART(yr_relay_counter(n->relay, k));
    PART(yr_contacts_counter(n->contacts, k));
    PART(yr_delivery_counter(n->delivery, k));
    PART(yr_mailbox_counter(n->mailbox, k));
    PART(yr_forward_counter(n, k));
    PART(yr_chats_counter(n->chats, k));
    PART(yr_rooms_counter(n->rooms, k));
    if (n->dht != NULL) {
        PART(yr_dht_counter(n->dht, k));
    }
#undef PART
    return (struct yr_counter){NULL, 0};
}

/* ---- helpers ---- */

enum yr_err yr_link_check(const char *link, size_t len, char id8[9], uint8_t inviter[YR_ID_LEN],
                          bool *qr)
{
    struct yr_invite invite;
    struct yr_invite_keys keys;
    enum yr_err err = yr_invite_decode(&invite, link, len);

    if (err != YR_OK)
        return err;
    yr_invite_keys(&keys, invite.secret);
    memcpy(id8, keys.id, sizeof keys.id);
    memcpy(inviter, invite.id, 32);
    *qr = (invite.flags & YR_INVITE_FLAG_QR) != 0;
    yr_wipe(&invite, sizeof invite);
    yr_wipe(&keys, sizeof keys);
    return YR_OK;
}

size_t yr_link_hints(const char *link, size_t len, struct yr_addr out[3])
{
    struct yr_invite invite;
    size_t count;

    static_assert(YR_HINTS_MAX == 3, "what node.h says");
    if (yr_invite_decode(&invite, link, len) != YR_OK)
        return 0;
    count = invite.hint_count;
    memcpy(out, invite.hints, count * sizeof out[0]);
    yr_wipe(&invite, sizeof invite);
    return count;
}

void yr_id_text(char *out, const uint8_t *src, size_t len)
{
    yr_base32_encode(out, src, len);
}

enum yr_err yr_id_parse(uint8_t *out, size_t *out_len, const char *text, size_t text_len)
{
    return yr_base32_decode(out, out_len, text, text_len);
}
