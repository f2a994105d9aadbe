/* core/node/forward.c: envelopes that a friend has us leave with another friend of ours, who then
 * does not learn whose they are.  docs/protocol.md "Mail". */
#include "core/node/state.h"

static const char *const counter_names[YR_FORWARD_COUNTERS] = {"mail.forward", "mail.forward.full",
                                                               "mail.forward.refused"};

struct yr_counter yr_forward_counter(const struct yr_node *n, size_t i)
{
    if (i >= YR_FORWARD_COUNTERS)
        return (struct yr_counter){NULL, 0};
    return (struct yr_counter){counter_names[i], n->forwards.counters[i]};
}

static bool shut(const struct yr_friend *f)
{
    return !f->used || f->blocked || f->pending;
}

// It is carrying, as circuits are.
static bool allowed(const struct yr_node *n, unsigned slot)
{
    const enum yr_tri consent = n->circuits[slot].consent;

    return !shut(&n->friends[slot]) && (consent == YR_UNKNOWN ? n->opts.relay : consent == YR_YES);
}

static unsigned find_hop(const struct yr_node *n, unsigned asker, const uint8_t hop[YR_HASH16])
{
    uint8_t hash[YR_HASH16];

    for (unsigned slot = 0; slot < YR_FRIENDS_MAX; slot++) {
        const struct yr_friend *f = &n->friends[slot];
        if (shut(f) || !f->online || slot == asker)
            continue;
        yr_hash16(hash, f->id, sizeof f->id);
        if (yr_equal(hash, hop, sizeof hash))
            return slot;
    }
    return YR_FRIENDS_MAX;
}

static bool within_day(struct yr_node *n, unsigned slot, size_t len)
{
    struct yr_forward_with *w = &n->forwards.with[slot];
    const double all = YR_FORWARD_DAY_BYTES;
    const double seconds = (double)(n->now.mono_us - w->since_us) / (double)YR_S;

    w->left = w->since_us == 0 ? all : YR_MIN(all, w->left + seconds * all / YR_DAY_S);
    w->count = w->since_us == 0 ? YR_FORWARD_BURST
                                : YR_MIN(YR_FORWARD_BURST, w->count + seconds / YR_FORWARD_EVERY_S);
    w->since_us = YR_MAX(n->now.mono_us, 1);
    if (w->left < (double)len || w->count < 1)
        return false;
    w->left -= (double)len;
    w->count--;
    w->bytes += len;
    return true;
}

static struct yr_forward *find(struct yr_node *n, unsigned hop, const uint8_t eid[YR_EID_LEN])
{
    for (size_t i = 0; i < YR_FORWARDS_MAX; i++) {
        struct yr_forward *w = &n->forwards.waiting[i];
        if (w->until_us > n->now.mono_us && w->hop == hop && memcmp(w->eid, eid, YR_EID_LEN) == 0)
            return w;
    }
    return NULL;
}

// Nobody waits there any more; of one friend not more than a quarter wait, nor of all of them at
// one who would end our link for it.
static struct yr_forward *room_for(struct yr_node *n, unsigned asker, unsigned hop)
{
    struct yr_forward *room = NULL;
    size_t his = 0, there = 0;

    for (size_t i = 0; i < YR_FORWARDS_MAX; i++) {
        struct yr_forward *w = &n->forwards.waiting[i];
        if (w->until_us <= n->now.mono_us) {
            room = w;
            continue;
        }
        his += w->asker == asker;
        there += w->hop == hop;
    }
    return his < YR_FORWARDS_MAX / 4 && there < YR_FORWARD_HOP_MAX ? room : NULL;
}
static_assert(YR_FORWARD_HOP_MAX + YR_POST_OUT_MAX < YR_MAIL_ACKS_MAX, "and our own questions");

static enum yr_err answer(struct yr_node *n, unsigned slot, enum yr_env_status status,
                          const uint8_t eid[YR_EID_LEN])
{
    uint8_t body[1 + YR_EID_LEN];
    struct yr_wr wr = yr_wr_init(body, sizeof body);

    yr_env_ack_put(&wr, status, eid);
    // Who hears nothing tries another way.
    (void)!yr_links_send(n->links, slot, YR_CHANNEL_CHAT, YR_FRAME_ENV_ACK, body, sizeof body);
    return YR_OK;
}

enum yr_err yr_forward_frame(struct yr_node *n, unsigned slot, const uint8_t *body, size_t len)
{
    const uint8_t *envelope = body + YR_HASH16;
    uint8_t eid[YR_EID_LEN];
    struct yr_forward *w;
    unsigned hop;

    if (len < YR_HASH16 || yr_envelope_peek(envelope, len - YR_HASH16, NULL, NULL) != YR_OK)
        return YR_EPROTO;
    len -= YR_HASH16;
    yr_envelope_id(eid, envelope, len);
    hop = allowed(n, slot) ? find_hop(n, slot, body) : YR_FRIENDS_MAX;
    if (hop == YR_FRIENDS_MAX) {
        n->forwards.counters[YR_FORWARD_N_REFUSED]++;
        return answer(n, slot, YR_ENV_NO_TAG, eid);
    }
    w = find(n, hop, eid);
    if (w != NULL && w->asker != slot) { // two who have the same envelope: one of them is lying
        n->forwards.counters[YR_FORWARD_N_REFUSED]++;
        return answer(n, slot, YR_ENV_NO_TAG, eid);
    }
    if ((w == NULL && (w = room_for(n, slot, hop)) == NULL) || !within_day(n, slot, len) ||
        yr_links_send(n->links, hop, YR_CHANNEL_CHAT, YR_FRAME_ENV_PUT, envelope, len) != YR_OK) {
        n->forwards.counters[YR_FORWARD_N_FULL]++;
        return answer(n, slot, YR_ENV_FULL, eid);
    }
    n->forwards.counters[YR_FORWARD_N_DONE]++;
    w->asker = slot;
    w->hop = hop;
    w->until_us = n->now.mono_us + YR_FORWARD_S * YR_S;
    memcpy(w->eid, eid, sizeof w->eid);
    return YR_OK;
}

void yr_forward_acked(struct yr_node *n, unsigned slot, uint8_t status,
                      const uint8_t eid[YR_EID_LEN])
{
    struct yr_forward *w = find(n, slot, eid);

    if (w == NULL)
        return;
    w->until_us = 0;
    (void)!answer(n, w->asker, (enum yr_env_status)status, eid);
}

void yr_forward_forget(struct yr_node *n, unsigned slot)
{
    for (size_t i = 0; i < YR_FORWARDS_MAX; i++)
        if (n->forwards.waiting[i].asker == slot || n->forwards.waiting[i].hop == slot)
            n->forwards.waiting[i].until_us = 0;
}
