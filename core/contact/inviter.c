/* core/contact/inviter.c: message 1 in, message 2 out; message 3 in, the verdict out. */
#include "core/contact/state.h"

/* ---- the inviter ---- */

static struct yr_fc_invite *find_by_hint(struct yr_contacts *c, const uint8_t hint[8],
                                         const uint8_t e[32], struct yr_now now)
{
    uint8_t want[8];

    for (size_t i = 0; i < INVITE_ROOM; i++) {
        struct yr_fc_invite *in = &c->invites[i];
        if (!in->used || yr_fc_expired(&in->in, now))
            continue;
        yr_siphash(want, in->keys.hint, e, 32);
        if (yr_equal(want, hint, sizeof want))
            return in;
    }
    return NULL;
}

static bool take_token(struct yr_fc_invite *in, struct yr_now now)
{
    in->tokens += (double)(now.mono_us - in->tokens_at) * 4 / (double)YR_S;
    in->tokens_at = now.mono_us;
    if (in->tokens > YR_FC_BURST)
        in->tokens = YR_FC_BURST;
    if (in->tokens < 1)
        return false;
    in->tokens--;
    return true;
}

// A place for one more of this invite: at its bound the one of its own that ends first makes room,
// else the oldest that is done: whoever still waits for its answer asks again.
static struct yr_fc_meeting *free_meeting(struct yr_contacts *c, const struct yr_fc_invite *in,
                                          struct yr_now now)
{
    struct yr_fc_meeting *place = NULL, *first = NULL, *done = NULL;
    size_t own = 0;

    for (size_t i = 0; i < YR_FC_MEETINGS_MAX; i++) {
        struct yr_fc_meeting *m = &c->meetings[i];
        if (!m->used || m->until_us <= now.mono_us) {
            place = m;
            continue;
        }
        if (m->done && (done == NULL || m->until_us < done->until_us))
            done = m;
        if (m->invite != in)
            continue;
        own++;
        if (first == NULL || m->until_us < first->until_us)
            first = m;
    }
    if (own >= YR_FC_MEETINGS_EACH)
        place = first;
    if (place == NULL)
        place = done;
    if (place != NULL)
        yr_wipe(place, sizeof *place);
    return place;
}

void yr_fc_end_meetings(struct yr_contacts *c, const struct yr_fc_invite *in)
{
    for (size_t i = 0; i < YR_FC_MEETINGS_MAX; i++)
        if (c->meetings[i].used && c->meetings[i].invite == in)
            yr_wipe(&c->meetings[i], sizeof c->meetings[i]);
}

// Message 2 leaves once the clock of message 1 is durable: a replay after a crash finds it used.
static void answer_init(struct yr_contacts *c, struct yr_now now, struct yr_fc_meeting *m,
                        const struct yr_addr *from)
{
    uint8_t seed[32], e_and_tag[48], index[4];
    struct yr_fc_packet_out *p;
    struct yr_wr wr;
    size_t len;

    yr_random(c->rng, seed, sizeof seed);
    yr_random(c->rng, index, sizeof index);
    memcpy(&m->own_index, index, sizeof index);
    if (yr_noise_write(&m->noise, seed, NULL, 0, e_and_tag, sizeof e_and_tag, &len) != YR_OK ||
        yr_fc_store_invite(c, m->invite) != YR_OK ||
        (p = yr_fc_queue_packet(c, from, yr_rows_pending(c->rows))) == NULL) {
        yr_wipe(seed, sizeof seed);
        yr_wipe(m, sizeof *m);
        return;
    }
    wr = yr_wr_init(p->bytes, sizeof p->bytes);
    yr_wr_u8(&wr, FC_RESP);
    yr_wr_u8(&wr, VERSION);
    yr_wr_u16(&wr, 0);
    yr_wr_u32(&wr, m->own_index);
    yr_wr_u32(&wr, m->peer_index);
    yr_wr_bytes(&wr, e_and_tag, len);
    p->len = yr_wr_len(&wr);
    m->used = true;
    m->begun_us = now.mono_us;
    m->until_us = now.mono_us + YR_FC_ANSWER_S * YR_S;
    yr_wipe(seed, sizeof seed);
}

// Whoever watches the network can send a message 1 again and again: it must not empty the bucket of
// those who hold the invite.
static bool seen_before(struct yr_fc_invite *in, const uint8_t hint[8])
{
    for (size_t i = 0; i < YR_FC_SEEN_MAX; i++)
        if (i < in->seen_count && memcmp(in->seen[i], hint, 8) == 0)
            return true;
    memcpy(in->seen[in->seen_count++ % YR_FC_SEEN_MAX], hint, 8);
    return false;
}

void yr_fc_recv_init(struct yr_contacts *c, struct yr_now now, const struct yr_addr *from,
                     const uint8_t *packet, size_t len)
{
    struct yr_rd rd = yr_rd_init(packet, len);
    uint8_t cookie[32], zero[32] = {0}, mac[16], payload[M1_PAYLOAD];
    const uint8_t *hint, *e, *sealed;
    uint8_t noise_msg[32 + M1_PAYLOAD + YR_TAG_LEN];
    struct yr_clock clock;
    struct yr_fc_invite *in;
    struct yr_fc_meeting *m;
    struct yr_noise noise;
    uint32_t peer_index;
    size_t n;

    yr_rd_skip(&rd, 4); // type, version, kind, reserved: checked by the caller
    peer_index = yr_rd_u32(&rd);
    hint = yr_rd_bytes(&rd, 8);
    e = yr_rd_bytes(&rd, 32);
    yr_rd_copy(&rd, cookie, sizeof cookie);
    sealed = yr_rd_bytes(&rd, M1_PAYLOAD + YR_TAG_LEN);
    yr_rd_skip(&rd, 16);
    if (!yr_rd_done(&rd) || packet[2] != KIND_INVITE || !yr_equal(cookie, zero, sizeof zero)) {
        c->counters[DROP_FORM]++;
        return;
    }
    if ((in = find_by_hint(c, hint, e, now)) == NULL) {
        c->counters[DROP_HINT]++;
        return;
    }
    yr_mac16(mac, in->keys.mac, packet, INIT_MAC_AT);
    if (!yr_equal(mac, packet + INIT_MAC_AT, sizeof mac)) {
        c->counters[DROP_MAC]++;
        return;
    }
    if (seen_before(in, hint)) {
        c->counters[DROP_CLOCK]++;
        return;
    }
    if (!take_token(in, now)) {
        c->counters[DROP_BUCKET]++;
        return;
    }
    memcpy(noise_msg, e, 32);
    memcpy(noise_msg + 32, sealed, M1_PAYLOAD + YR_TAG_LEN);
    yr_fc_noise_start(&noise, false, &c->self->device, &in->in, &in->keys);
    if (yr_noise_read(&noise, noise_msg, sizeof noise_msg, payload, sizeof payload, &n) != YR_OK ||
        n != sizeof payload) {
        c->counters[DROP_NOISE]++;
        goto out;
    }
    memcpy(clock.bytes, payload, sizeof clock.bytes);
    if (memcmp(clock.bytes, in->clock.bytes, sizeof clock.bytes) <= 0) {
        c->counters[DROP_CLOCK]++;
        goto out;
    }
    if ((m = free_meeting(c, in, now)) == NULL) {
        c->counters[DROP_ROOM]++;
        goto out;
    }
    in->clock = clock;
    m->noise = noise;
    m->invite = in;
    m->peer_index = peer_index;
    m->day = yr_fc_clock_day(&clock);
    answer_init(c, now, m, from);
out:
    yr_wipe(&noise, sizeof noise);
}

// May whoever finished this handshake use the invite?
static enum reason judge(const struct yr_contacts *c, const struct yr_fc_invite *in,
                         const struct yr_cert *cert)
{
    if (memcmp(cert->id, c->self->id, 32) == 0)
        return SPENT;
    if (in->state == YR_INVITE_OPEN)
        return NO_REASON;
    if (in->state == YR_INVITE_REVOKED)
        return REVOKED;
    if (!in->settled && memcmp(cert->id, in->by_id, 32) == 0 &&
        memcmp(cert->dev, in->by_dev, 32) == 0)
        return NO_REASON; // its answer was lost: the new handshake replaces the pair
    return SPENT;
}

static bool same_user(const struct yr_fc_invite *in, const struct yr_cert *cert)
{
    return memcmp(cert->id, in->by_id, 32) == 0 && memcmp(cert->dev, in->by_dev, 32) == 0;
}

static enum yr_err make_friend(struct yr_contacts *c, struct yr_now now, struct yr_fc_meeting *m,
                               const struct yr_cert *cert, const struct yr_hello *hello,
                               const struct yr_addr *from)
{
    struct yr_contact k;
    struct yr_fc_invite *in = m->invite;
    enum yr_err err;

    memset(&k, 0, sizeof k);
    memcpy(k.id, cert->id, 32);
    memcpy(k.dev, cert->dev, 32);
    k.gen = cert->gen;
    k.inviter = true;
    k.ratchet = m->noise.e;
    k.day = m->day;
    k.begun_us = m->begun_us;
    k.hello = *hello;
    k.addr = *from;
    memcpy(k.petname, in->petname, sizeof k.petname);
    memcpy(k.invite_id, in->keys.id, sizeof k.invite_id);
    yr_fc_contact_keys(&k, &m->noise);
    err = c->ops.met(c->ops.ctx, now, &k);
    if (err == YR_OK) {
        if (in->state == YR_INVITE_OPEN) // a leaked one stays marked
            in->state = YR_INVITE_USED;
        memcpy(in->by_id, cert->id, 32);
        memcpy(in->by_dev, cert->dev, 32);
        err = yr_fc_store_invite(c, in);
    }
    yr_wipe(&k, sizeof k);
    return err;
}

// FC_DATA: the verdict with our own words, under the key of our direction.
static bool write_data(struct yr_contacts *c, struct yr_fc_meeting *m, const uint8_t id[32],
                       enum verdict verdict, enum reason reason)
{
    uint8_t plain[YR_FC_HELLO_MAX], key[32], nonce[12] = {0};
    struct yr_hello hello;
    struct yr_wr wr = yr_wr_init(m->data, sizeof m->data);
    size_t len;
    bool ok = false;

    memset(&hello, 0, sizeof hello);
    if (verdict == ACCEPTED && c->ops.hello(c->ops.ctx, id, &hello) != YR_OK)
        return false;
    hello.verdict = (uint8_t)verdict;
    hello.reason = (uint8_t)reason;
    if (yr_hello_encode(&hello, plain, sizeof plain, &len) == YR_OK) {
        yr_wr_u8(&wr, FC_DATA);
        yr_wr_u8(&wr, VERSION);
        yr_wr_u16(&wr, 0);
        yr_wr_u32(&wr, m->peer_index);
        yr_noise_split(&m->noise, NULL, key, NULL);
        yr_seal_c(m->data + DATA_HEAD, key, nonce, m->data, DATA_HEAD, plain, len);
        m->data_len = DATA_HEAD + len + YR_TAG_LEN;
        ok = true;
    }
    yr_wipe(key, sizeof key);
    yr_wipe(plain, sizeof plain);
    return ok;
}

// Our own unfinished add for this person, who is adding us.
struct yr_fc_add *yr_fc_own_add(struct yr_contacts *c, const uint8_t id[32])
{
    for (size_t i = 0; i < YR_ADDS_MAX; i++)
        if (c->adds[i].used && c->adds[i].state != YR_ADD_FAILED &&
            memcmp(c->adds[i].in.id, id, 32) == 0)
            return &c->adds[i];
    return NULL;
}

static void conclude(struct yr_contacts *c, struct yr_now now, struct yr_fc_meeting *m,
                     const struct yr_cert *cert, const struct yr_hello *hello,
                     const struct yr_addr *from)
{
    struct yr_fc_invite *in = m->invite;
    enum reason reason = judge(c, in, cert);
    struct yr_fc_add *own = yr_fc_own_add(c, cert->id);
    enum yr_err err = YR_OK;
    bool leaked = false;

    if (reason == NO_REASON) {
        // Both add each other: our message 3 is out, and theirs counts only if our identity is
        // the lower one.  They decide the same way, so both keep the same pair.
        if (own != NULL && own->state == YR_ADD_WAITING && memcmp(c->self->id, cert->id, 32) > 0)
            return;
        err = make_friend(c, now, m, cert, hello, from);
        if (err == YR_EFULL)
            reason = FULL;
        else if (err == YR_EDENIED)
            reason = SPENT;
        else if (err != YR_OK)
            return; // silence: message 3 comes again
        else if (own != NULL)
            yr_fc_finish_add(c, now, own);
    } else if (in->state == YR_INVITE_USED && !same_user(in, cert)) {
        in->state = YR_INVITE_LEAKED;
        leaked = true;
        if (yr_fc_store_invite(c, in) != YR_OK)
            return;
    }
    if (!write_data(c, m, cert->id, reason == NO_REASON ? ACCEPTED : REFUSED, reason))
        return;
    m->done = true;
    m->until_us = now.mono_us + YR_FC_DONE_S * YR_S;
    yr_wipe(&m->noise, sizeof m->noise); // the answer is sealed already
    yr_fc_queue_bytes(c, from, yr_rows_pending(c->rows), m->data, m->data_len);
    if (reason == NO_REASON || leaked)
        yr_fc_changed(c, now, in->keys.id);
}

static struct yr_fc_meeting *find_meeting(struct yr_contacts *c, uint32_t index, struct yr_now now)
{
    for (size_t i = 0; i < YR_FC_MEETINGS_MAX; i++)
        if (c->meetings[i].used && c->meetings[i].own_index == index &&
            c->meetings[i].until_us > now.mono_us)
            return &c->meetings[i];
    return NULL;
}

void yr_fc_recv_fin(struct yr_contacts *c, struct yr_now now, const struct yr_addr *from,
                    const uint8_t *packet, size_t len)
{
    struct yr_rd rd = yr_rd_init(packet, len);
    uint8_t payload[YR_DATAGRAM_MAX], hash[YR_HASH_LEN];
    struct yr_noise noise, before;
    struct yr_hello hello;
    struct yr_cert cert;
    struct yr_fc_meeting *m;
    uint32_t index;
    size_t n;

    yr_rd_skip(&rd, 8);
    index = yr_rd_u32(&rd);
    if (rd.bad || len > YR_DATAGRAM_MAX || (m = find_meeting(c, index, now)) == NULL) {
        c->counters[DROP_FORM]++;
        return;
    }
    yr_hash(hash, packet, len);
    if (m->done) { // the same words from the same place get the same answer
        if (yr_equal(hash, m->fin_hash, sizeof hash) && yr_addr_eq(from, &m->fin_from) &&
            take_token(m->invite, now))
            yr_fc_queue_bytes(c, from, yr_rows_pending(c->rows), m->data, m->data_len);
        return;
    }
    if (++m->fins > YR_FC_FINS_MAX) { // counted per meeting: forgeries cost the invite nothing
        c->counters[DROP_BUCKET]++;
        return;
    }
    noise = m->noise; // a forged message 3 must not spoil the real one
    if (yr_noise_read(&noise, packet + FIN_HEAD, len - FIN_HEAD, payload, sizeof payload, &n) !=
            YR_OK ||
        yr_hello_decode(&hello, payload, n) != YR_OK || hello.cert == NULL ||
        yr_cert_open(&cert, hello.cert) != YR_OK || memcmp(cert.dev, noise.rs, 32) != 0) {
        c->counters[DROP_NOISE]++;
        goto out;
    }
    before = m->noise;
    m->noise = noise;
    memcpy(m->fin_hash, hash, sizeof hash);
    m->fin_from = *from;
    conclude(c, now, m, &cert, &hello, from);
    if (!m->done)
        m->noise = before; // the same message 3 may come again
    yr_wipe(&before, sizeof before);
out:
    yr_wipe(&noise, sizeof noise);
    yr_wipe(payload, sizeof payload);
}
