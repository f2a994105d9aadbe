#include "core/delivery/delivery_state.h"

unsigned yr_receipt_kind(const struct yr_plain *plain)
{
    if (plain->type == YR_PLAIN_DELIVERED)
        return 0;
    if (plain->type == YR_PLAIN_READ)
        return 1;
    return plain->type == YR_PLAIN_NOOP && plain->ack_count > 0 ? 2 : YR_RECEIPT_KINDS;
}

/* ---- ours, while they wait ---- */

// Ids that one receipt may have more than another already has: into the first.
static bool add_ids(const uint8_t **ids, size_t *count, size_t max, const uint8_t *const *more,
                    size_t more_count)
{
    for (size_t i = 0; i < more_count; i++) {
        bool known = false;
        for (size_t k = 0; k < *count && !known; k++)
            known = memcmp(ids[k], more[i], YR_MSG_ID_LEN) == 0;
        if (known)
            continue;
        if (*count == max)
            return false;
        ids[(*count)++] = more[i];
    }
    return true;
}

// Put other bytes in place of a letter's that is not sealed yet.
static bool replace(struct yr_delivery *d, struct yr_box *b, const struct yr_stored *s)
{
    struct yr_letter *l = yr_letter_of(b, s->order);
    uint8_t *copy = NULL;

    if (l != NULL && (copy = yr_alloc(d->mem, YR_MEM_CHAT, s->plain_len)) == NULL)
        return false;
    if (yr_letter_put(d, b, s) != YR_OK) {
        yr_free(d->mem, copy);
        return false;
    }
    if (l == NULL)
        return true;
    memcpy(copy, s->plain, s->plain_len);
    yr_free_secret(d->mem, l->plain);
    l->plain = copy;
    l->plain_len = s->plain_len;
    return true;
}

// The one that waits keeps its id and its moment.
bool yr_receipt_merge(struct yr_delivery *d, struct yr_box *b, unsigned kind,
                      const struct yr_plain *plain)
{
    struct yr_stored s;
    struct yr_plain all;
    uint8_t id[YR_MSG_ID_LEN], *bytes = NULL;
    bool done = false;
    size_t len;

    if (b->receipts[kind] == 0 || yr_letter_get(d, b, b->receipts[kind], &s) != YR_OK ||
        s.sealed_len > 0 || yr_plain_decode(&all, s.plain, s.plain_len) != YR_OK || !all.known)
        return false;
    memcpy(id, s.id, sizeof id);
    s.id = id;
    if (add_ids(all.ids, &all.id_count, YR_ACKS_MAX, plain->ids, plain->id_count) &&
        add_ids(all.acks, &all.ack_count, YR_PLAIN_ACKS_MAX, plain->acks, plain->ack_count) &&
        (bytes = yr_alloc(d->mem, YR_MEM_CHAT, YR_PLAIN_MAX)) != NULL &&
        yr_plain_encode(&all, bytes, YR_PLAIN_MAX, &len) == YR_OK) {
        s.plain = bytes;
        s.plain_len = len;
        s.sealed = NULL;
        done = replace(d, b, &s);
    }
    yr_free_secret(d->mem, bytes);
    if (!done)
        b->receipts[kind] = 0; // full: the next one waits for itself
    return done;
}

// Nobody confirms them, so they go by themselves.
void yr_receipts_expire(struct yr_delivery *d, struct yr_box *b)
{
    const uint64_t now_ms = (uint64_t)yr_age_ms_of(d, d->now);
    const uint64_t life_ms = (uint64_t)YR_RECEIPT_DAYS * YR_DAY_MS;
    struct yr_stored s;
    uint64_t order = 0;

    while (yr_letter_next(d, b, order, &s) == YR_OK) {
        struct yr_letter *l;
        order = s.order;
        if ((s.type != YR_PLAIN_DELIVERED && s.type != YR_PLAIN_NOOP) || s.made_ms > now_ms ||
            now_ms - s.made_ms < life_ms)
            continue;
        if ((l = yr_letter_of(b, order)) != NULL)
            yr_letter_done(d, b, l, 0);
        else
            yr_letter_del(d, b, order);
    }
}

/* ---- theirs ---- */

void yr_receipts_take(struct yr_delivery *d, struct yr_box *b, const uint8_t *bytes, size_t len)
{
    struct yr_plain plain;

    if (b->queued == 0 || yr_plain_decode(&plain, bytes, len) != YR_OK)
        return;
    if (plain.ack_count == 0 && plain.type != YR_PLAIN_DELIVERED)
        return;
    (void)!yr_letters_fill(d, b); // what is sealed is in the window then
    for (size_t i = 0; i < plain.ack_count; i++)
        yr_letter_receipted(d, b, plain.acks[i]);
    for (size_t i = 0; plain.known && plain.type == YR_PLAIN_DELIVERED && i < plain.id_count; i++)
        yr_letter_receipted(d, b, plain.ids[i]);
}
