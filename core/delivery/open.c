#include "core/delivery/delivery_state.h"

void yr_acks_send(struct yr_delivery *d, struct yr_box *b, unsigned slot)
{
    uint8_t body[YR_ENV_ACKS_SENT * (1 + YR_HASH16)];
    size_t sent = 0;

    while (b->up && sent < b->ack_count && b->acks[sent].token <= d->durable) {
        struct yr_wr wr = yr_wr_init(body, sizeof body);
        size_t n = 0;
        while (sent + n < b->ack_count && n < YR_ENV_ACKS_SENT &&
               b->acks[sent + n].token <= d->durable) {
            yr_wr_u8(&wr, YR_ENV_DONE);
            yr_wr_bytes(&wr, b->acks[sent + n].eid, YR_HASH16);
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

static enum yr_err add_ack(struct yr_delivery *d, struct yr_box *b, unsigned slot,
                           const uint8_t *envelope, size_t len, uint64_t token)
{
    if (b->acks == NULL &&
        (b->acks = yr_alloc(d->mem, YR_MEM_CHAT, YR_ENV_ACKS_HELD * sizeof *b->acks)) == NULL)
        return YR_ENOMEM;
    if (b->ack_count == YR_ENV_ACKS_HELD)
        return YR_EPROTO;
    yr_envelope_id(b->acks[b->ack_count].eid, envelope, len);
    b->acks[b->ack_count++].token = token;
    if (token <= d->durable)
        yr_acks_send(d, b, slot); // a duplicate: no commit need come after it
    return YR_OK;
}

static enum yr_err open_message(struct yr_delivery *d, struct yr_box *b, unsigned slot,
                                struct yr_now now, const uint8_t *msg, size_t len)
{
    size_t n;
    enum yr_err err = yr_sessions_open(d, b, now, msg, len, &n);

    if (err != YR_OK)
        return err;
    err = d->ops.plain(d->ops.ctx, now, slot, d->plain, n);
    yr_wipe(d->plain, n);
    return err == YR_EEXIST || err == YR_EPROTO ? YR_OK : err;
}

enum yr_err yr_delivery_receive(struct yr_delivery *d, struct yr_now now, unsigned slot,
                                const uint8_t *envelope, size_t len)
{
    struct yr_box *b = yr_box_of(d, slot);
    enum yr_envelope_kind kind;
    const uint8_t *body;
    uint8_t tag[16];
    size_t body_len;
    enum yr_err err;

    if (b == NULL || yr_envelope_peek(envelope, len, NULL, tag) != YR_OK) {
        d->counters[YR_ENV_N_DROP_FORM]++;
        return YR_OK;
    }
    if ((err = yr_days_find(b, now, tag)) != YR_OK) {
        d->counters[YR_ENV_N_DROP_TAG]++;
        return err == YR_EPROTO ? err : YR_OK;
    }
    if (yr_envelope_open(b->in_keys.env, envelope, len, d->opened, sizeof d->opened, &kind, &body,
                         &body_len) != YR_OK) {
        d->counters[YR_ENV_N_DROP_AEAD]++;
        return YR_OK;
    }
    yr_days_heard(b, b->in_keys.day);
    if (kind == YR_ENV_COVER)
        return add_ack(d, b, slot, envelope, len, 0);
    if (kind != YR_ENV_MESSAGE) {
        d->counters[YR_ENV_N_DROP_KIND]++;
        return YR_OK;
    }
    err = open_message(d, b, slot, now, body, body_len);
    if (err == YR_OK)
        b->received_token = yr_rows_pending(d->rows);
    else if (err == YR_EAUTH)
        return YR_OK; // not acknowledged: it may be read one day
    else if (err != YR_EEXIST)
        return err;
    yr_letters_pump(d, b, slot, now); // the first message received opens our own sending chain
    return add_ack(d, b, slot, envelope, len, b->received_token);
}
