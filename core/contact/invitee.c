/* core/contact/invitee.c: message 1 to wherever the inviter may be, message 3, the verdict. */
#include "core/contact/state.h"

/* ---- the invitee ---- */

void yr_fc_fail_add(struct yr_contacts *c, struct yr_now now, struct yr_fc_add *a, enum yr_err why)
{
    a->state = YR_ADD_FAILED;
    a->why = why;
    a->next_us = now.mono_us + YR_FC_FAILED_S * YR_S;
    a->asked = false;
    (void)yr_rows_del(c->rows, YR_TABLE_ADD, NULL, 0, a->keys.id, YR_INVITE_ID_LEN);
    yr_fc_changed(c, now, a->keys.id);
}

void yr_fc_finish_add(struct yr_contacts *c, struct yr_now now, struct yr_fc_add *a)
{
    char id[YR_INVITE_ID_LEN + 1];

    memcpy(id, a->keys.id, sizeof id);
    (void)yr_rows_del(c->rows, YR_TABLE_ADD, NULL, 0, id, YR_INVITE_ID_LEN);
    yr_wipe(a, sizeof *a);
    yr_fc_changed(c, now, id);
}

static size_t candidates(const struct yr_contacts *c, const struct yr_fc_add *a,
                         struct yr_addr *out)
{
    size_t n = 0;

    for (unsigned i = 0; i < a->in.hint_count; i++)
        out[n++] = a->in.hints[i];
    for (size_t i = 0; i < a->found_count && n < CANDIDATES; i++)
        out[n++] = a->found[i];
    for (size_t i = 0; i < a->dht_count && n < CANDIDATES; i++)
        out[n++] = a->dht[i];
    for (size_t i = 0; i < c->peer_count && n < CANDIDATES; i++)
        out[n++] = c->peers[i];
    return n;
}

// One message 1 to every address where the inviter may be; each try is a new handshake.
void yr_fc_ask(struct yr_contacts *c, struct yr_now now, struct yr_fc_add *a)
{
    struct yr_addr to[CANDIDATES];
    const size_t count = candidates(c, a, to);
    uint8_t seed[32], payload[M1_PAYLOAD] = {0}, msg[32 + M1_PAYLOAD + YR_TAG_LEN];
    uint8_t packet[INIT_LEN], hint[8], index[4], mac[16];
    struct yr_wr wr = yr_wr_init(packet, sizeof packet);
    struct yr_clock clock;
    size_t n;

    a->state = YR_ADD_SEARCHING;
    a->asked_us = now.mono_us;
    a->asked = false;
    a->fin_len = 0;
    if (count == 0)
        return;
    yr_fc_next_clock(c, now, &clock);
    memcpy(payload, clock.bytes, sizeof clock.bytes);
    yr_random(c->rng, seed, sizeof seed);
    yr_random(c->rng, index, sizeof index);
    memcpy(&a->own_index, index, sizeof index);
    yr_fc_noise_start(&a->noise, true, &c->self->device, &a->in, &a->keys);
    if (yr_noise_write(&a->noise, seed, payload, sizeof payload, msg, sizeof msg, &n) != YR_OK)
        return;
    yr_siphash(hint, a->keys.hint, msg, 32);
    yr_wr_u8(&wr, FC_INIT);
    yr_wr_u8(&wr, VERSION);
    yr_wr_u8(&wr, KIND_INVITE);
    yr_wr_u8(&wr, 0);
    yr_wr_u32(&wr, a->own_index);
    yr_wr_bytes(&wr, hint, sizeof hint);
    yr_wr_bytes(&wr, msg, 32);
    yr_wr_zero(&wr, 32); // cookie: public addresses only
    yr_wr_bytes(&wr, msg + 32, n - 32);
    yr_mac16(mac, a->keys.mac, packet, yr_wr_len(&wr));
    yr_wr_bytes(&wr, mac, sizeof mac);
    YR_ASSERT(yr_wr_ok(&wr) && yr_wr_len(&wr) == INIT_LEN);
    a->day = yr_fc_clock_day(&clock);
    a->asked = true;
    for (size_t i = 0; i < count; i++)
        yr_fc_queue_bytes(c, &to[i], 0, packet, sizeof packet);
    for (size_t i = count; i-- > 0;)
        if (yr_addr_udp(&to[i]))
            a->tried = to[i];
    yr_wipe(seed, sizeof seed);
}

// Message 3, after the pair it makes is on disk.
static enum yr_err answer_resp(struct yr_contacts *c, struct yr_now now, struct yr_fc_add *a,
                               const struct yr_addr *from)
{
    uint8_t seed[32], payload[YR_FC_HELLO_MAX];
    struct yr_contact k;
    struct yr_hello hello;
    struct yr_wr wr = yr_wr_init(a->fin, sizeof a->fin);
    size_t len, n;
    enum yr_err err;

    memset(&k, 0, sizeof k);
    memset(&hello, 0, sizeof hello);
    if ((err = c->ops.hello(c->ops.ctx, a->in.id, &hello)) != YR_OK)
        return err;
    hello.text = (const uint8_t *)a->greeting;
    hello.text_len = strlen(a->greeting);
    if ((err = yr_hello_encode(&hello, payload, sizeof payload, &len)) != YR_OK)
        return err;
    yr_random(c->rng, seed, sizeof seed);
    yr_wr_u8(&wr, FC_FIN);
    yr_wr_u8(&wr, VERSION);
    yr_wr_u16(&wr, 0);
    yr_wr_u32(&wr, a->own_index);
    yr_wr_u32(&wr, a->peer_index);
    err = yr_noise_write(&a->noise, seed, payload, len, wr.at, sizeof a->fin - FIN_HEAD, &n);
    if (err != YR_OK)
        goto out;
    a->fin_len = FIN_HEAD + n;
    a->fin_to = *from;
    memcpy(k.id, a->in.id, 32);
    memcpy(k.dev, a->in.dev, 32);
    k.gen = a->in.gen;
    memcpy(k.ratchet_remote, a->noise.re, 32);
    k.day = a->day;
    k.begun_us = now.mono_us;
    k.addr = *from;
    k.verified = a->verified;
    memcpy(k.petname, a->petname, sizeof k.petname);
    memcpy(k.invite_id, a->keys.id, sizeof k.invite_id);
    yr_fc_contact_keys(&k, &a->noise);
    yr_noise_split(&a->noise, NULL, a->r2i, NULL);
    err = c->ops.met(c->ops.ctx, now, &k);
out:
    yr_wipe(&k, sizeof k);
    yr_wipe(payload, sizeof payload);
    yr_wipe(seed, sizeof seed);
    return err;
}

static struct yr_fc_add *find_add(struct yr_contacts *c, uint32_t index)
{
    for (size_t i = 0; i < YR_ADDS_MAX; i++)
        if (c->adds[i].used && c->adds[i].asked && c->adds[i].own_index == index)
            return &c->adds[i];
    return NULL;
}

void yr_fc_recv_resp(struct yr_contacts *c, struct yr_now now, const struct yr_addr *from,
                     const uint8_t *packet, size_t len)
{
    struct yr_rd rd = yr_rd_init(packet, len);
    struct yr_noise noise;
    struct yr_fc_add *a;
    uint32_t peer_index, own_index;
    enum yr_err err;
    size_t n;

    yr_rd_skip(&rd, 4);
    peer_index = yr_rd_u32(&rd);
    own_index = yr_rd_u32(&rd);
    if (rd.bad || (a = find_add(c, own_index)) == NULL || a->fin_len > 0) {
        c->counters[DROP_FORM]++;
        return;
    }
    noise = a->noise;
    if (yr_noise_read(&noise, packet + 12, len - 12, NULL, 0, &n) != YR_OK) {
        c->counters[DROP_NOISE]++;
        yr_wipe(&noise, sizeof noise);
        return;
    }
    a->noise = noise;
    a->peer_index = peer_index;
    yr_wipe(&noise, sizeof noise);
    err = answer_resp(c, now, a, from);
    if (err != YR_OK) {
        a->fin_len = 0;
        a->asked = false;
        if (err == YR_EFULL)
            yr_fc_fail_add(c, now, a, YR_EFULL);
        return;
    }
    a->state = YR_ADD_WAITING;
    a->tries = 0;
    a->next_us = now.mono_us + yr_backoff(0);
    yr_fc_queue_bytes(c, from, yr_rows_pending(c->rows), a->fin, a->fin_len);
    yr_fc_changed(c, now, a->keys.id);
}

static enum yr_err reason_err(uint8_t reason)
{
    return reason == REVOKED ? YR_EREVOKED : reason == FULL ? YR_EFULL : YR_ESPENT;
}

void yr_fc_recv_data(struct yr_contacts *c, struct yr_now now, const struct yr_addr *from,
                     const uint8_t *packet, size_t len)
{
    struct yr_rd rd = yr_rd_init(packet, len);
    uint8_t plain[YR_DATAGRAM_MAX], nonce[12] = {0}, inviter[32];
    struct yr_hello hello;
    struct yr_cert cert;
    struct yr_fc_add *a;
    uint32_t index;

    yr_rd_skip(&rd, 4);
    index = yr_rd_u32(&rd);
    if (rd.bad || len > YR_DATAGRAM_MAX || (a = find_add(c, index)) == NULL || a->fin_len == 0) {
        c->counters[DROP_FORM]++;
        return;
    }
    if (yr_unseal_c(plain, a->r2i, nonce, packet, DATA_HEAD, packet + DATA_HEAD, len - DATA_HEAD) !=
            YR_OK ||
        yr_hello_decode(&hello, plain, len - DATA_HEAD - YR_TAG_LEN) != YR_OK) {
        c->counters[DROP_NOISE]++;
        return;
    }
    if (hello.verdict == ACCEPTED &&
        (hello.cert == NULL || yr_cert_open(&cert, hello.cert) != YR_OK ||
         memcmp(cert.id, a->in.id, 32) != 0 || memcmp(cert.dev, a->in.dev, 32) != 0)) {
        hello.verdict = REFUSED; // not who the link names
        yr_fc_fail_add(c, now, a, YR_EAUTH);
    } else if (hello.verdict != ACCEPTED) {
        yr_fc_fail_add(c, now, a, reason_err(hello.reason));
    }
    memcpy(inviter, a->in.id, 32);
    if (hello.verdict == ACCEPTED)
        yr_fc_finish_add(c, now, a);
    c->ops.verdict(c->ops.ctx, now, inviter, &hello, from);
    yr_wipe(plain, sizeof plain);
}

void yr_contacts_linked(struct yr_contacts *c, struct yr_now now, const uint8_t id[32])
{
    struct yr_fc_add *a;

    while ((a = yr_fc_own_add(c, id)) != NULL)
        yr_fc_finish_add(c, now, a);
}

void yr_contacts_settled(struct yr_contacts *c, const uint8_t id[32])
{
    for (size_t i = 0; i < INVITE_ROOM; i++) {
        struct yr_fc_invite *in = &c->invites[i];
        if (in->used && !in->settled &&
            (in->state == YR_INVITE_USED || in->state == YR_INVITE_LEAKED) &&
            memcmp(in->by_id, id, 32) == 0) {
            in->settled = true;
            (void)yr_fc_store_invite(c, in);
        }
    }
}

void yr_contacts_removed(struct yr_contacts *c, const uint8_t id[32])
{
    yr_contacts_settled(c, id);
    for (size_t i = 0; i < INVITE_ROOM; i++)
        if (c->invites[i].used && memcmp(c->invites[i].by_id, id, 32) == 0)
            yr_fc_end_meetings(c, &c->invites[i]); // their answer said "friends"
}
