#include "core/delivery/delivery_state.h"
#include "core/wire/frames.h"

void yr_acks_send(struct yr_delivery *d, struct yr_box *b, unsigned slot)
{
    uint8_t body[YR_ENV_ACKS_SENT * (1 + YR_HASH16)];
    size_t sent = 0;

    while (b->up && sent < b->ack_count && b->acks[sent].token <= d->durable) {
        struct yr_wr wr = yr_wr_init(body, sizeof body);
        size_t n = 0;
        while (sent + n < b->ack_count && n < YR_ENV_ACKS_SENT &&
               b->acks[sent + n].token <= d->durable) {
            yr_env_ack_put(&wr, (enum yr_env_status)b->acks[sent + n].status,
                           b->acks[sent + n].eid);
            n++;
        }
        if (d->ops.frame(d->ops.ctx, slot, YR_FRAME_ENV_ACK, body, yr_wr_len(&wr)) != YR_OK)
            break;
        sent += n;
    }
    b->ack_count -= sent;
    if (sent > 0)
        memmove(b->acks, b->acks + sent, b->ack_count * sizeof *b->acks);
}

static enum yr_err add_ack(struct yr_delivery *d, struct yr_box *b, enum yr_env_status status,
                           const uint8_t eid[YR_HASH16], uint64_t token)
{
    struct yr_ack *ack;

    if (b->acks == NULL &&
        (b->acks = yr_alloc(d->mem, YR_MEM_CHAT, YR_ENV_ACKS_HELD * sizeof *b->acks)) == NULL)
        return YR_ENOMEM;
    if (b->ack_count == YR_ENV_ACKS_HELD)
        return YR_EPROTO;
    ack = &b->acks[b->ack_count++];
    ack->status = (uint8_t)status;
    memcpy(ack->eid, eid, YR_HASH16);
    ack->token = token;
    return YR_OK;
}

// To whoever brought it.
static enum yr_err tell(struct yr_delivery *d, unsigned link, enum yr_env_status status,
                        const uint8_t eid[YR_HASH16], uint64_t token)
{
    struct yr_box *b = yr_box_of(d, link);
    enum yr_err err;

    if (b == NULL)
        return YR_OK;
    if ((err = add_ack(d, b, status, eid, token)) == YR_OK && token <= d->durable)
        yr_acks_send(d, b, link); // a duplicate: no commit need come after it
    return err;
}

enum yr_err yr_delivery_refuse(struct yr_delivery *d, unsigned link, const uint8_t eid[YR_HASH16])
{
    d->counters[YR_ENV_N_REFUSED]++;
    return tell(d, link, YR_ENV_REFUSED, eid, 0);
}

/* ---- what came already ---- */

// Its author may not know: but no friend has us say so for ever.
static void again(struct yr_delivery *d, struct yr_now now, struct yr_seen *seen)
{
    d->counters[YR_ENV_N_AGAIN]++;
    if (seen->kind == YR_SEEN_NOTHING ||
        (seen->told_us != 0 && now.mono_us < seen->told_us + YR_MAIL_SEEN_S * YR_S))
        return;
    seen->told_us = now.mono_us;
    for (unsigned slot = 0; slot < YR_FRIENDS_MAX; slot++)
        if (d->boxes[slot] != NULL && memcmp(d->boxes[slot]->id, seen->who, YR_HASH16) == 0)
            d->ops.again(d->ops.ctx, now, slot, seen);
}

size_t yr_delivery_listed(struct yr_delivery *d, struct yr_now now, unsigned link,
                          const uint8_t *eids, size_t count, uint8_t *get)
{
    struct yr_box *b = yr_box_of(d, link);
    size_t wanted = 0;

    if (b == NULL)
        return 0;
    for (size_t i = 0; i < count; i++) {
        struct yr_seen *seen = yr_eids_find(&d->mailed, eids + i * YR_HASH16);
        if (seen == NULL) {
            memmove(get + wanted++ * YR_HASH16, eids + i * YR_HASH16, YR_HASH16);
            continue;
        }
        again(d, now, seen);
        (void)!add_ack(d, b, YR_ENV_DONE, seen->eid, seen->token); // no room: with the next link
    }
    yr_acks_send(d, b, link);
    return wanted;
}

// What is told to its author, of a plaintext that has just been taken.
static enum yr_seen_kind told_kind(const struct yr_plain *plain)
{
    if (!plain->known)
        return YR_SEEN_LETTER;
    if (plain->type == YR_PLAIN_TEXT)
        return YR_SEEN_TEXT;
    return plain->type == YR_PLAIN_DELIVERED ||
                   (plain->type == YR_PLAIN_NOOP && plain->ack_count > 0)
               ? YR_SEEN_NOTHING
               : YR_SEEN_LETTER;
}

static void remember(struct yr_delivery *d, const struct yr_box *b, const uint8_t eid[YR_HASH16],
                     const struct yr_plain *plain)
{
    struct yr_seen seen = {.kind = YR_SEEN_NOTHING};

    memcpy(seen.eid, eid, sizeof seen.eid);
    memcpy(seen.who, b->id, sizeof seen.who);
    if (plain != NULL) {
        seen.kind = told_kind(plain);
        memcpy(seen.msg, plain->id, sizeof seen.msg);
    }
    yr_eids_add(&d->mailed, &seen);
}

/* ---- what comes ---- */

static enum yr_err open_message(struct yr_delivery *d, struct yr_box *b, unsigned slot,
                                struct yr_now now, enum yr_envelope_kind kind, const uint8_t *body,
                                size_t len, const uint8_t *mailed_eid)
{
    struct yr_plain plain;
    size_t n;
    enum yr_err err = yr_sessions_open(d, b, slot, now, kind, body, len, mailed_eid == NULL, &n);

    if (err != YR_OK)
        return err;
    err = d->ops.plain(d->ops.ctx, now, slot, d->plain, n, mailed_eid != NULL);
    if (err == YR_EEXIST || err == YR_EPROTO)
        err = YR_OK;
    if (err == YR_OK)
        yr_receipts_take(d, b, d->plain, n);
    if (err == YR_OK && mailed_eid != NULL)
        remember(d, b, mailed_eid, yr_plain_decode(&plain, d->plain, n) == YR_OK ? &plain : NULL);
    yr_wipe(d->plain, n);
    return err;
}

// The envelope is the author's: what is inside, by its kind.  Errors: as open_message.
static enum yr_err take(struct yr_delivery *d, struct yr_box *b, unsigned slot, struct yr_now now,
                        enum yr_envelope_kind kind, const uint8_t *body, size_t body_len,
                        const uint8_t *mailed_eid)
{
    if (kind == YR_ENV_COVER)
        return YR_EEXIST;
    if (kind == YR_ENV_MESSAGE || kind == YR_ENV_PREKEY)
        return open_message(d, b, slot, now, kind, body, body_len, mailed_eid);
    if (kind == YR_ENV_SESSION_BAD)
        return yr_resets_take(d, b, now, body, body_len);
    if (kind == YR_ENV_CERT && d->ops.cert != NULL) {
        const enum yr_err err = d->ops.cert(d->ops.ctx, slot, body, body_len);
        const bool bad = err == YR_EPROTO || err == YR_EVERSION || err == YR_EDENIED;
        return bad ? YR_EAUTH : err;
    }
    d->counters[YR_ENV_N_DROP_KIND]++;
    return YR_EAUTH;
}

enum yr_err yr_delivery_receive(struct yr_delivery *d, struct yr_now now, unsigned link,
                                unsigned author, const uint8_t *envelope, size_t len)
{
    struct yr_box *b = yr_box_of(d, author);
    const bool mailed = link != author;
    enum yr_envelope_kind kind;
    uint8_t tag[16], eid[YR_HASH16];
    struct yr_seen *seen;
    const uint8_t *body;
    size_t body_len;
    enum yr_err err;

    if (b == NULL || yr_envelope_peek(envelope, len, NULL, tag) != YR_OK || !b->in_keys.valid ||
        !yr_equal(b->in_keys.tag, tag, sizeof tag)) {
        d->counters[YR_ENV_N_DROP_FORM]++;
        return YR_OK;
    }
    yr_envelope_id(eid, envelope, len);
    if (mailed && (seen = yr_eids_find(&d->mailed, eid)) != NULL) {
        again(d, now, seen);
        return tell(d, link, YR_ENV_DONE, eid, seen->token);
    }
    if (yr_envelope_open(b->in_keys.env, envelope, len, d->opened, sizeof d->opened, &kind, &body,
                         &body_len) != YR_OK) {
        d->counters[YR_ENV_N_DROP_AEAD]++;
        return mailed ? yr_delivery_refuse(d, link, eid) : YR_OK;
    }
    d->counters[YR_ENV_N_MAILED] += mailed;
    yr_days_heard(d, b, b->in_keys.day);
    err = take(d, b, author, now, kind, body, body_len, mailed ? eid : NULL);
    if (err == YR_OK)
        b->received_token = yr_rows_pending(d->rows);
    else if (err != YR_EAUTH && err != YR_EEXIST)
        return err;
    yr_resets_pump(d, b, author, now);
    if (err == YR_EAUTH) // over its own link it is not acknowledged: it may be read one day
        return mailed ? yr_delivery_refuse(d, link, eid) : YR_OK;
    yr_letters_pump(d, b, author, now); // the first message received opens our own sending chain
    return tell(d, link, YR_ENV_DONE, eid, kind == YR_ENV_COVER ? 0 : b->received_token);
}
