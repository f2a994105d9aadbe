/* core/node/mail.c: mail in the node: which friends keep ours while we are away, whose we keep, and
 * where the frames of it go.  docs/protocol.md "Mail". */
#include "core/node/state.h"

static struct yr_mail_with *with(struct yr_node *n, unsigned slot)
{
    return &n->mail[slot];
}

static bool shut(const struct yr_friend *f)
{
    return !f->used || f->blocked || f->pending;
}

// Of whom nothing else was said: as configured.
static bool keeps_for(const struct yr_node *n, const struct yr_friend *f)
{
    return !shut(f) && (f->mail == YR_UNKNOWN ? n->opts.mail.hold : f->mail == YR_YES);
}

static uint64_t age_s(const struct yr_node *n)
{
    return (uint64_t)YR_MAX(yr_age_ms(&n->age, n->now), 0) / 1000;
}

/* ---- friends ---- */

enum yr_err yr_mail_enter(struct yr_node *n, unsigned slot)
{
    const struct yr_friend *f = &n->friends[slot];

    *with(n, slot) = (struct yr_mail_with){0};
    return yr_mailbox_enter(n->mailbox, slot, f->id, keeps_for(n, f));
}

void yr_mail_admit(struct yr_node *n, unsigned slot)
{
    yr_mailbox_consent(n->mailbox, slot, keeps_for(n, &n->friends[slot]));
}

void yr_mail_remove(struct yr_node *n, unsigned slot)
{
    size_t left = 0;

    for (size_t i = 0; i < n->owed_count; i++) // or the next friend here would be told
        if (n->owed[i].slot != slot)
            n->owed[left++] = n->owed[i];
    n->owed_count = left;
    yr_mailbox_remove(n->mailbox, slot);
    yr_forward_forget(n, slot);
    n->forwards.with[slot] = (struct yr_forward_with){0};
    *with(n, slot) = (struct yr_mail_with){0};
}

void yr_mail_forget(struct yr_node *n)
{
    yr_mailbox_reset(n->mailbox);
    memset(n->mail, 0, sizeof n->mail);
}

void yr_mail_linked(struct yr_node *n, unsigned slot)
{
    *with(n, slot) = (struct yr_mail_with){0};
    yr_mailbox_up(n->mailbox, slot);
}

void yr_mail_lost(struct yr_node *n, unsigned slot)
{
    *with(n, slot) = (struct yr_mail_with){0};
    yr_forward_forget(n, slot);
    yr_mailbox_down(n->mailbox, slot);
}

uint32_t yr_mail_offer(const struct yr_node *n, unsigned slot)
{
    return n->mail[slot].bytes;
}

void yr_mail_ledger(const struct yr_node *n, unsigned slot, struct yr_mail_ledger *out)
{
    struct yr_mailbox_info info;

    yr_mailbox_info(n->mailbox, slot, &info);
    *out = (struct yr_mail_ledger){.kept = info.kept,
                                   .kept_bytes = info.bytes,
                                   .for_me = yr_delivery_held_by(n->delivery, slot),
                                   .left = info.left,
                                   .left_bytes = info.left_bytes,
                                   .refused = info.refused,
                                   .handed_on_bytes = n->forwards.with[slot].bytes};
}

/* ---- who keeps for us: registering ---- */

static uint32_t today(const struct yr_node *n)
{
    const uint64_t day = (uint64_t)YR_MAX(n->now.wall_ms, 0) / 1000 / YR_DAY_S;

    return day < UINT32_MAX / 2 ? (uint32_t)day : UINT32_MAX / 2;
}

static bool keeps_for_us(const struct yr_node *n, unsigned slot)
{
    return n->mail[slot].bytes > 0 && !shut(&n->friends[slot]) && yr_relay_chosen(n->relay, slot);
}

// The body of a registration: what all friends but this one may send under on that day.
static size_t tags_of(struct yr_node *n, unsigned slot, uint32_t day, uint8_t *body, size_t cap)
{
    struct yr_wr wr = yr_wr_init(body, cap);
    uint8_t tags[2][16];

    yr_wr_u32(&wr, day);
    for (unsigned i = 0; i < YR_FRIENDS_MAX; i++) {
        if (i == slot || shut(&n->friends[i]))
            continue;
        for (size_t k = yr_delivery_tags(n->delivery, n->now, i, day, tags); k-- > 0;)
            yr_wr_bytes(&wr, tags[k], sizeof tags[k]);
    }
    YR_ASSERT(yr_wr_ok(&wr));
    return yr_wr_len(&wr);
}

// false: no room on the link; it goes on when there is.
static bool register_with(struct yr_node *n, unsigned slot)
{
    uint8_t body[4 + YR_MAIL_TAGS_MAX * 16], hash[YR_HASH16];
    const uint32_t first = today(n) > 0 ? today(n) - 1 : 0;
    struct yr_mail_with *m = with(n, slot);

    for (uint32_t i = 0; i < YR_MAIL_DAYS; i++) {
        const size_t len = tags_of(n, slot, first + i, body, sizeof body);
        uint8_t *known = m->told[(first + i) % YR_MAIL_DAYS];
        yr_hash16(hash, body, len);
        if (memcmp(known, hash, sizeof m->told[0]) == 0)
            continue;
        if (yr_links_send(n->links, slot, YR_CHANNEL_CHAT, YR_FRAME_MBX_REG, body, len) != YR_OK)
            return false;
        memcpy(known, hash, sizeof m->told[0]);
    }
    return true;
}
static_assert(YR_MAIL_TAGS_MAX == 2 * YR_FRIENDS_MAX, "two tags a friend");

static uint64_t version(const struct yr_node *n)
{
    return yr_delivery_tags_version(n->delivery) + yr_relay_set_version(n->relay) +
           n->friends_version + today(n);
}

// What is told changes with the friends, with what they send, and with the days.
static void review(struct yr_node *n, unsigned slot)
{
    struct yr_mail_with *m = with(n, slot);
    const yr_us now = n->now.mono_us;

    if (!n->friends[slot].online || !keeps_for_us(n, slot) || m->version == version(n) ||
        now < m->next_us)
        return;
    // A new friend is told at once, and so are a few; what changes again and again waits.
    m->next_us = ++m->times % YR_MAIL_REG_BURST == 0 ? now + YR_MAIL_REG_S * YR_S : now + YR_S;
    if (register_with(n, slot))
        m->version = version(n);
}

static enum yr_err got_offer(struct yr_node *n, unsigned slot, const uint8_t *body, size_t len)
{
    struct yr_rd rd = yr_rd_init(body, len);
    const uint32_t bytes = yr_rd_u32(&rd);
    const uint8_t days = yr_rd_u8(&rd);
    struct yr_mail_with *m = with(n, slot);

    if (!yr_rd_done(&rd))
        return YR_EPROTO;
    // Who keeps nothing any more, and then does again, has forgotten what was registered.
    if (m->bytes == 0 && bytes > 0) {
        m->version = 0;
        memset(m->told, 0, sizeof m->told);
    }
    if (m->offered) // then some of what it kept may be gone
        yr_delivery_doubt(n->delivery, n->now, slot);
    m->offered = true;
    m->bytes = bytes;
    m->days = days;
    yr_circuit_keeper(n, slot, bytes / YR_MAIL_EACH_BYTES >= YR_POST_KEEPER);
    review(n, slot);
    return YR_OK;
}

/* ---- what is kept for us ---- */

// As many in a day as at once: a link may last for months.
static void forgive(struct yr_mail_with *m, struct yr_now now)
{
    const yr_us each_us = YR_DAY_S * YR_S / YR_MAIL_LISTED_MAX;
    const uint64_t passed = (now.mono_us - m->listed_us) / each_us;

    m->listed -= (uint32_t)YR_MIN(passed, (uint64_t)m->listed);
    m->listed_us += passed * each_us;
}

// A friend who lists without end is not listened to.
static enum yr_err got_list(struct yr_node *n, unsigned slot, const uint8_t *body, size_t len)
{
    uint8_t get[YR_MAIL_LIST_MAX * YR_EID_LEN];
    const size_t count = len / YR_EID_LEN;
    struct yr_mail_with *m = with(n, slot);
    size_t wanted;

    if (len == 0 || len % YR_EID_LEN != 0 || count > YR_MAIL_LIST_MAX)
        return YR_EPROTO;
    forgive(m, n->now);
    if (m->listed + count > YR_MAIL_LISTED_MAX)
        return YR_OK;
    m->listed += (uint32_t)count;
    wanted = yr_delivery_listed(n->delivery, n->now, slot, body, count, get);
    if (wanted == 0)
        return YR_OK;
    // No room: it is listed again over the next link.
    (void)!yr_links_send(n->links, slot, YR_CHANNEL_CHAT, YR_FRAME_MBX_GET, get,
                         wanted * YR_EID_LEN);
    return YR_OK;
}

// For us, from the friend himself or kept by him; or for a friend of ours; or for nobody here.
static enum yr_err got_put(struct yr_node *n, unsigned slot, const uint8_t *body, size_t len)
{
    uint8_t tag[16], eid[YR_EID_LEN];
    unsigned author;
    enum yr_err err;

    if (yr_envelope_peek(body, len, NULL, tag) != YR_OK)
        return yr_delivery_receive(n->delivery, n->now, slot, slot, body, len); // dropped there
    err = yr_delivery_author(n->delivery, n->now, slot, tag, !yr_mailbox_waits(n->mailbox, tag),
                             &author);
    if (err != YR_OK)
        return yr_mailbox_deposit(n->mailbox, n->now, age_s(n), slot, body, len);
    if (author != slot && shut(&n->friends[author])) {
        yr_envelope_id(eid, body, len);
        return yr_delivery_refuse(n->delivery, slot, eid);
    }
    return yr_delivery_receive(n->delivery, n->now, slot, author, body, len);
}

static enum yr_err got_ack(struct yr_node *n, unsigned slot, const uint8_t *body, size_t len)
{
    enum yr_err err = yr_delivery_acked(n->delivery, n->now, slot, body, len);
    struct yr_rd rd = yr_rd_init(body, len);
    const uint8_t *eid;
    uint8_t status;

    while (err == YR_OK && yr_env_ack_next(&rd, &status, &eid)) {
        yr_forward_acked(n, slot, status, eid);
        if (status == YR_ENV_DONE || status == YR_ENV_REFUSED)
            yr_mailbox_acked(n->mailbox, slot, eid);
    }
    return err;
}

enum yr_err yr_mail_frame(struct yr_node *n, unsigned slot, uint8_t type, const uint8_t *body,
                          size_t len)
{
    switch (type) {
    case YR_FRAME_ENV_PUT: return got_put(n, slot, body, len);
    case YR_FRAME_ENV_ACK: return got_ack(n, slot, body, len);
    case YR_FRAME_ENV_FWD: return yr_forward_frame(n, slot, body, len);
    case YR_FRAME_MBX_OFFER: return got_offer(n, slot, body, len);
    case YR_FRAME_MBX_LIST: return got_list(n, slot, body, len);
    case YR_FRAME_MBX_REG:
    case YR_FRAME_MBX_GET:
    case YR_FRAME_MBX_ASK: return yr_mailbox_frame(n->mailbox, n->now, slot, type, body, len);
    default: return YR_OK;
    }
}

static enum yr_err mailbox_frame(void *ctx, unsigned slot, uint8_t type, const uint8_t *body,
                                 size_t len)
{
    struct yr_node *n = ctx;

    return yr_links_send(n->links, slot, YR_CHANNEL_CHAT, type, body, len);
}

const struct yr_mailbox_ops yr_mail_mailbox_ops = {.frame = mailbox_frame};

/* ---- receipts of what came through others ---- */

static void owe(struct yr_node *n, unsigned slot, const uint8_t id[YR_MSG_ID_LEN], bool text)
{
    struct yr_mail_owed *owed;

    for (size_t i = 0; i < n->owed_count; i++)
        if (n->owed[i].slot == slot && memcmp(n->owed[i].id, id, YR_MSG_ID_LEN) == 0)
            return;
    if (n->owed_count == YR_COUNT(n->owed))
        yr_mail_flush(n);
    if (n->owed_count == YR_COUNT(n->owed))
        return; // the letter comes again, and is receipted then
    owed = &n->owed[n->owed_count++];
    owed->slot = slot;
    owed->text = text;
    memcpy(owed->id, id, YR_MSG_ID_LEN);
}

void yr_mail_came(struct yr_node *n, unsigned slot, const struct yr_plain *plain, bool receipted)
{
    const bool receipt = plain->known && (plain->type == YR_PLAIN_DELIVERED ||
                                          (plain->type == YR_PLAIN_NOOP && plain->ack_count > 0));

    // Texts that are shown have receipts of their own, and receipts have none.
    if (!receipt && !receipted)
        owe(n, slot, plain->id, false);
}

// Not one that came after its time was over: nobody may believe that it was delivered.
static bool was_shown(struct yr_node *n, const uint8_t id[YR_MSG_ID_LEN])
{
    return yr_chat_message(n->chats, id, n->scratch) != YR_OK || n->scratch->failed_ms == 0;
}

void yr_mail_again(void *ctx, struct yr_now now, unsigned slot, const struct yr_seen *seen)
{
    struct yr_node *n = ctx;

    (void)now;
    if (!shut(&n->friends[slot]))
        owe(n, slot, seen->msg, seen->kind == YR_SEEN_TEXT && was_shown(n, seen->msg));
}

// One plaintext for all that is owed to the friend of the first entry; false: nothing is owed.
static bool pay(struct yr_node *n)
{
    struct yr_plain plain = {.known = true};
    uint8_t ids[YR_PLAIN_ACKS_MAX][YR_MSG_ID_LEN];
    const unsigned slot = n->owed_count > 0 ? n->owed[0].slot : 0;
    const bool text = n->owed_count > 0 && n->owed[0].text;
    size_t left = 0, count = 0;

    if (n->owed_count == 0)
        return false;
    for (size_t i = 0; i < n->owed_count; i++) {
        const struct yr_mail_owed *owed = &n->owed[i];
        if (owed->slot == slot && owed->text == text && count < YR_COUNT(ids))
            memcpy(ids[count++], owed->id, YR_MSG_ID_LEN);
        else
            n->owed[left++] = *owed;
    }
    n->owed_count = left;
    plain.type = text ? YR_PLAIN_DELIVERED : YR_PLAIN_NOOP;
    for (size_t i = 0; i < count; i++)
        *(text ? &plain.ids[i] : &plain.acks[i]) = ids[i];
    *(text ? &plain.id_count : &plain.ack_count) = count;
    if (!shut(&n->friends[slot]))
        yr_node_trip(n, yr_friend_push(n, &n->friends[slot], &plain));
    return true;
}
static_assert(YR_PLAIN_ACKS_MAX <= YR_ACKS_MAX, "as many in either");

void yr_mail_flush(struct yr_node *n)
{
    while (pay(n))
        continue;
    yr_mailbox_flush(n->mailbox);
}

/* ---- time ---- */

void yr_mail_release(struct yr_node *n, uint64_t durable)
{
    yr_mailbox_release(n->mailbox, durable);
}

void yr_mail_tick(struct yr_node *n)
{
    for (unsigned slot = 0; slot < YR_FRIENDS_MAX; slot++)
        if (n->mail[slot].bytes > 0)
            review(n, slot);
    if (n->now.mono_us < n->mail_expire_us)
        return;
    n->mail_expire_us = n->now.mono_us + 3600 * YR_S;
    yr_mailbox_expire(n->mailbox, age_s(n));
}

yr_us yr_mail_deadline(const struct yr_node *n)
{
    yr_us due = n->mail_expire_us;

    for (unsigned slot = 0; slot < YR_FRIENDS_MAX; slot++)
        if (n->mail[slot].bytes > 0 && n->friends[slot].online && keeps_for_us(n, slot) &&
            n->mail[slot].version != version(n))
            due = YR_MIN(due, n->mail[slot].next_us);
    return due;
}

/* ---- settings ---- */

static struct yr_mailbox_quota quota(const struct yr_node *n)
{
    struct yr_mailbox_quota q = yr_mailbox_quota(n->opts.mail.keeper);

    if (n->opts.mail.bytes > 0)
        q.all_bytes = n->opts.mail.bytes;
    return q;
}

enum yr_err yr_mail_new(struct yr_node *n)
{
    struct yr_mailbox_ops ops = yr_mail_mailbox_ops;
    const struct yr_mailbox_quota q = quota(n);

    ops.ctx = n;
    return yr_mailbox_new(&n->mailbox, n->mem, n->rows, n->rng, &q, &ops);
}

void yr_node_set_mail(struct yr_node *n, struct yr_now now, const struct yr_mail_opts *mail)
{
    struct yr_mailbox_quota q;

    n->now = now;
    n->opts.mail = *mail;
    q = quota(n);
    yr_mailbox_limit(n->mailbox, &q);
    for (unsigned slot = 0; slot < YR_FRIENDS_MAX; slot++)
        if (n->friends[slot].used)
            yr_mail_admit(n, slot);
}
