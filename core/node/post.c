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

// Keepers first, then who is there when the friend is; who keeps nothing for us may keep nothing
// for others.
static double worth(const struct yr_node *n, unsigned slot, unsigned holder)
{
    const uint32_t bytes = yr_mail_offer(n, holder);
    const double meets = yr_habit_meets(&n->friends[slot].habit, &n->friends[holder].habit);

    return meets + (bytes / YR_MAIL_EACH_BYTES >= YR_POST_KEEPER ? 2 : bytes > 0 ? 1 : 0);
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

// Who may hand a letter on to this holder, so that he does not learn whose it is; none:
// YR_FRIENDS_MAX.
static unsigned between(const struct yr_node *n, unsigned slot, unsigned holder)
{
    unsigned best = YR_FRIENDS_MAX;
    double most = -1;

    for (unsigned x = 0; x < YR_FRIENDS_MAX; x++) {
        const struct yr_friend *f = &n->friends[x];
        double meets;
        if (x == slot || x == holder || !open_to(f) || !f->online ||
            yr_relay_named(n->relay, x, holder) != YR_YES)
            continue;
        meets = yr_habit_meets(&n->friends[holder].habit, &f->habit);
        if (meets > most) {
            most = meets;
            best = x;
        }
    }
    return best;
}

// false: nothing can be left with this friend now.
static bool choice_of(const struct yr_node *n, unsigned slot, unsigned m, bool blind,
                      struct choice *out)
{
    const enum yr_tri told = yr_relay_named(n->relay, slot, m);
    const enum yr_tri named = m == slot ? YR_NO : told == YR_NO && blind ? YR_UNKNOWN : told;
    const bool anon = n->friends[slot].anon == YR_YES;

    if (named == YR_NO || (anon && named != YR_YES) || !open_to(&n->friends[m]))
        return false;
    out->holder.slot = m;
    out->holder.via = anon ? between(n, slot, m) : m;
    out->holder.named = named == YR_YES;
    if (out->holder.via == YR_FRIENDS_MAX || !n->friends[out->holder.via].online)
        return false;
    out->worth = worth(n, slot, m);
    return true;
}

// A list that names none of our friends may be older than a common one: then all are asked,
// seldom, as when there is none.
static bool names_nobody(const struct yr_node *n, unsigned slot)
{
    for (unsigned m = 0; m < YR_FRIENDS_MAX; m++)
        if (m != slot && open_to(&n->friends[m]) && yr_relay_named(n->relay, slot, m) == YR_YES)
            return false;
    return true;
}

size_t yr_post_holders(void *ctx, unsigned slot, struct yr_holder *out, size_t max)
{
    struct choice best[YR_POST_HOLDERS_SEEN], c;
    const struct yr_node *n = ctx;
    const bool blind = names_nobody(n, slot);
    size_t count = 0;

    max = YR_MIN(max, (size_t)YR_POST_HOLDERS_SEEN);
    for (unsigned m = 0; open_to(&n->friends[slot]) && m < YR_FRIENDS_MAX; m++)
        if (choice_of(n, slot, m, blind, &c))
            rank(best, &count, max, &c);
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
    ops->holders = yr_post_holders;
    ops->held = post_held;
}

/* ---- habits ---- */

enum yr_err yr_post_enter_friend(struct yr_node *n, struct yr_friend *f)
{
    uint8_t row[YR_HABIT_ROW_LEN + 64];
    size_t len;
    enum yr_err err =
        yr_rows_get(n->rows, YR_TABLE_HABIT, NULL, 0, f->id, 32, row, sizeof row, &len);

    yr_habit_init(&f->habit, n->now.wall_ms);
    if (err == YR_OK && yr_habit_decode(&f->habit, n->now.wall_ms, row, len) != YR_OK)
        return YR_ECORRUPT;
    return err == YR_ENOENT ? YR_OK : err;
}

// Its link comes or goes: that is written down anyway, and this with it, once an hour.
void yr_post_linked(struct yr_node *n, struct yr_friend *f, bool was)
{
    uint8_t row[YR_HABIT_ROW_LEN];

    yr_habit_note(&f->habit, n->now.wall_ms, was);
    f->habit.seen |= f->online;
    if (!f->habit.changed || f->habit.kept == f->habit.at)
        return;
    f->habit.changed = false;
    f->habit.kept = f->habit.at;
    yr_habit_encode(row, &f->habit);
    yr_rows_put(n->rows, YR_TABLE_HABIT, NULL, 0, f->id, 32, row, sizeof row);
}

void yr_post_forget_friend(struct yr_node *n, const uint8_t id[32])
{
    yr_rows_del(n->rows, YR_TABLE_HABIT, NULL, 0, id, 32);
}
