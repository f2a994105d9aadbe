/* core/node/post.c: which friends are asked to keep a letter for one who is away, and what becomes
 * known of that.  docs/protocol.md "Mail". */
#include "core/node/state.h"

/* How good a holder somebody is for a friend. */
struct choice {
    struct yr_holder holder;
    double worth;
};

static bool open_to(const struct yr_friend *f)
{
    return f->used && !f->pending && !f->blocked;
}

// Keepers first, then those who said that they keep for us: they do for others too.
static double worth(const struct yr_node *n, unsigned holder)
{
    const uint32_t bytes = yr_mail_offer(n, holder);

    return bytes / YR_MAIL_EACH_BYTES >= YR_POST_KEEPER ? 2 : bytes > 0 ? 1 : 0;
}

// Among the best `max`, best first.
static void rank(struct choice *best, size_t *count, size_t max, const struct choice *c)
{
    size_t at;

    if (*count == max && best[max - 1].worth >= c->worth)
        return;
    at = *count < max ? (*count)++ : max - 1;
    for (; at > 0 && best[at - 1].worth < c->worth; at--)
        best[at] = best[at - 1];
    best[at] = *c;
}

static size_t post_holders(void *ctx, unsigned slot, struct yr_holder *out, size_t max)
{
    struct choice best[YR_POST_HOLDERS_SEEN];
    struct yr_node *n = ctx;
    size_t count = 0;

    max = YR_MIN(max, (size_t)YR_POST_HOLDERS_SEEN);
    for (unsigned m = 0; open_to(&n->friends[slot]) && m < YR_FRIENDS_MAX; m++) {
        const enum yr_tri named = m != slot ? yr_relay_named(n->relay, slot, m) : YR_NO;
        struct choice c = {.holder = {.slot = m, .via = m, .named = named == YR_YES}};
        if (named == YR_NO || !open_to(&n->friends[m]) || !n->friends[m].online)
            continue;
        c.worth = worth(n, m);
        rank(best, &count, max, &c);
    }
    for (size_t i = 0; i < count; i++)
        out[i] = best[i].holder;
    return count;
}

static void post_held(void *ctx, struct yr_now now, unsigned slot, const uint8_t id[YR_MSG_ID_LEN])
{
    struct yr_node *n = ctx;

    yr_node_trip(n, yr_chat_held(n->chats, now, n->friends[slot].id, id));
}

void yr_post_ops(struct yr_delivery_ops *ops)
{
    ops->holders = post_holders;
    ops->held = post_held;
}
