/* core/node/ears.c: signals: how a few sealed bytes reach somebody behind a NAT.
 *
 * We ask up to three nodes of the DHT to pass on what comes for a random id (an ear), and keep the
 * way to them open while somebody may use it.  Where an ear is, our word in the DHT says, and a
 * link's friend is told; he is also told where we shall listen once we have moved, so that two who
 * move at once find each other.
 *
 * Two kinds of bytes come by an ear: 0x20, an offer of a friend (core/path/punch.h), and
 *
 *     25 | hint 8 | nonce 24 | AEAD_X(KDF(secret,"fc/signal",dir); unix ms 8 | tag 4 | m u8 | m x
 * (node | id) | n u8 | n x address | packet of first contact)
 *
 * hint = SipHash(F_hint, nonce), AD = the first 33 bytes; dir 0 to the inviter, 1 back. */
#include "core/crypto/aead.h"
#include "core/node/state.h"

#define TYPE_OFFER   0x20
#define TYPE_CONTACT 0x25
#define HEAD_LEN     (1 + 8 + YR_NONCE_LEN)
#define ASK_US       ((YR_DHT_SIGNAL_S - 20) * YR_S)
#define EARS_US      (400 * YR_MS) /* word waits so long for an ear */
#define FC_INIT      0x05
#define FC_RESP      0x06

/* ---- our own ---- */

static bool have(const struct yr_meet *m, const struct yr_dht_contact *node)
{
    for (size_t i = 0; i < YR_RV_RELAYS_MAX; i++)
        if (m->ears[i].used && memcmp(m->ears[i].at.node.pk, node->pk, 32) == 0)
            return true;
    for (size_t i = 0; i < m->spare_count; i++)
        if (memcmp(m->spares[i].node.pk, node->pk, 32) == 0)
            return true;
    return false;
}

// A node of another provider than those we have, if there is one.
static bool choose(struct yr_node *n, struct yr_dht_ear *out)
{
    struct yr_dht_contact list[YR_DHT_BOOTSTRAP_MAX];
    const size_t count = yr_dht_export(n->dht, list, YR_COUNT(list));
    uint32_t r;

    yr_random(n->rng, &r, sizeof r);
    for (size_t pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < count; i++) {
            const struct yr_dht_contact *c = &list[(r + i) % count];
            bool near = false;

            for (size_t k = 0; k < YR_RV_RELAYS_MAX; k++)
                near |= n->meet->ears[k].used && yr_dht_wide_net(&n->meet->ears[k].at.node.addr) ==
                                                     yr_dht_wide_net(&c->addr);
            if (have(n->meet, c) || (near && pass == 0))
                continue;
            out->node = *c;
            yr_random(n->rng, out->id, sizeof out->id);
            return true;
        }
    return false;
}

// As often as links need it here.
static yr_us touch_us(const struct yr_node *n)
{
    bool learned;

    return yr_paths_keepalive(n->paths, &learned) * YR_S;
}

static void renew(struct yr_node *n, struct yr_ear *e)
{
    if (e->asked_us == 0 || n->now.mono_us >= e->asked_us + ASK_US) {
        e->asked_us = e->touched_us = n->now.mono_us;
        yr_dht_listen(n->dht, n->now, &e->at.node, e->at.id);
    } else if (e->ok && n->now.mono_us >= e->touched_us + touch_us(n)) {
        e->touched_us = n->now.mono_us;
        yr_dht_touch(n->dht, n->now, &e->at.node);
    }
}

// Friends with a link know where we listen, and shall listen.
static void tell_friends(struct yr_node *n)
{
    struct yr_meet *m = n->meet;

    if (!m->tell || n->now.mono_us < m->tell_us)
        return;
    m->tell = false;
    m->tell_us = n->now.mono_us + YR_TELL_S * YR_S;
    for (unsigned slot = 0; slot < YR_FRIENDS_MAX; slot++)
        if (n->friends[slot].used && n->friends[slot].online)
            yr_paths_tell(n->paths, slot, n->now);
}

void yr_ears_tick(struct yr_node *n, size_t want)
{
    struct yr_meet *m = n->meet;

    if (!m->joined)
        return;
    if (yr_dht_serves(n->dht) || (want == 1 && yr_nat_reachable(&n->nat, n->now, 4) == YR_YES))
        want = 0;              // anybody reaches us
    if (want > m->ears_wanted) // what is put now would have to be put again
        m->settle_us = n->now.mono_us + EARS_US;
    m->ears_wanted = want;
    for (size_t i = 0; i < YR_RV_RELAYS_MAX; i++) {
        struct yr_ear *e = &m->ears[i];

        if (i >= want) {
            e->used = false;
            continue;
        }
        if (!e->used) {
            *e = (struct yr_ear){0};
            if (n->now.mono_us < m->choose_us || !choose(n, &e->at))
                continue;
            e->used = true;
        }
        renew(n, e);
    }
    if (n->now.mono_us >= m->spares_us + YR_MEET_SPARE_S * YR_S)
        m->spare_count = 0; // are they still there?
    while (want > 0 && m->spare_count < YR_MEET_SPARES && choose(n, &m->spares[m->spare_count])) {
        m->spare_count++;
        m->spares_us = n->now.mono_us;
        m->tell = true;
    }
    tell_friends(n);
}

yr_us yr_ears_deadline(const struct yr_node *n)
{
    yr_us due = YR_NEVER;

    if (n->meet->choose_us > n->now.mono_us)
        due = n->meet->choose_us;
    if (n->meet->tell && n->meet->joined)
        due = YR_MIN(due, n->meet->tell_us);
    for (size_t i = 0; n->meet->joined && i < YR_RV_RELAYS_MAX; i++) {
        const struct yr_ear *e = &n->meet->ears[i];

        if (!e->used)
            continue;
        due = YR_MIN(due, e->asked_us > 0 ? e->asked_us + ASK_US : 0);
        if (e->ok)
            due = YR_MIN(due, e->touched_us + touch_us(n));
    }
    return due;
}

void yr_meet_listens(struct yr_node *n, const struct yr_dht_contact *relay, bool ok)
{
    struct yr_meet *m = n->meet;
    size_t working = 0;

    for (size_t i = 0; i < YR_RV_RELAYS_MAX; i++) {
        struct yr_ear *e = &m->ears[i];

        if (!e->used || memcmp(e->at.node.pk, relay->pk, 32) != 0)
            continue;
        m->tell |= ok && !e->ok;
        e->ok = ok;
        if (ok)
            continue;
        e->used = false; // another one, but not all of them in a row
        m->choose_us = n->now.mono_us + YR_S;
    }
    for (size_t i = 0; i < YR_RV_RELAYS_MAX; i++)
        working += m->ears[i].used && m->ears[i].ok;
    if (working >= m->ears_wanted)
        m->settle_us = n->now.mono_us;
}

// Where we said we would listen, there we do: nobody has registered those ids before.
void yr_ears_moved(struct yr_node *n)
{
    struct yr_meet *m = n->meet;

    memset(m->ears, 0, sizeof m->ears);
    for (size_t i = 0; i < m->spare_count && i < YR_RV_RELAYS_MAX; i++) {
        m->ears[i].used = true;
        m->ears[i].at = m->spares[i];
    }
    m->spare_count = 0;
    m->choose_us = 0;
}

size_t yr_ears_ok(const struct yr_node *n, struct yr_dht_ear out[YR_RV_RELAYS_MAX])
{
    size_t count = 0;

    for (size_t i = 0; i < YR_RV_RELAYS_MAX; i++)
        if (n->meet->ears[i].used && n->meet->ears[i].ok)
            out[count++] = n->meet->ears[i].at;
    return count;
}

size_t yr_meet_here(const struct yr_node *n, unsigned slot, struct yr_dht_ear out[YR_RV_RELAYS_MAX])
{
    struct yr_dht_ear ok[YR_RV_RELAYS_MAX];
    const size_t have_ok = yr_ears_ok(n, ok);
    // Who has a link needs one for now, and those for when we have moved.
    const size_t now = n->friends[slot].online ? 1 : YR_RV_RELAYS_MAX;
    size_t count = 0;

    for (size_t i = 0; i < have_ok && i < now; i++)
        out[count++] = ok[i];
    for (size_t i = 0; i < n->meet->spare_count && count < YR_RV_RELAYS_MAX; i++)
        if (n->friends[slot].online)
            out[count++] = n->meet->spares[i];
    return count;
}

/* ---- a friend's ---- */

static bool usable(const struct yr_node *n, const struct yr_dht_ear *ear)
{
    return yr_dht_addr_ok(&ear->node.addr, n->dht_lax);
}

static size_t take(const struct yr_node *n, struct yr_dht_ear *out, const struct yr_dht_ear *ears,
                   size_t count)
{
    size_t kept = 0;

    for (size_t i = 0; i < count && kept < YR_RV_RELAYS_MAX; i++)
        if (usable(n, &ears[i]))
            out[kept++] = ears[i];
    return kept;
}

void yr_meet_told(struct yr_node *n, unsigned slot, const struct yr_dht_ear *ears, size_t count,
                  uint64_t unix_ms)
{
    struct yr_rv *rv = &n->meet->rvs[slot];
    struct yr_dht_ear good[YR_RV_RELAYS_MAX];
    const size_t kept = take(n, good, ears, count);

    // An old record must not replace what it told since, unless by a clock that ran ahead.
    if (kept == 0 || (unix_ms < rv->ears_ms &&
                      rv->ears_ms <= (uint64_t)YR_MAX(n->now.wall_ms + yr_meet_clock_offset(n), 0) +
                                         YR_RENDEZVOUS_EDGE_S * 1000))
        return;
    memcpy(rv->ears, good, sizeof good);
    rv->ear_count = kept;
    rv->ears_ms = unix_ms;
}

static void signal_to(struct yr_node *n, const struct yr_dht_ear *ears, size_t count,
                      const uint8_t *bytes, size_t len)
{
    const uint8_t *own = yr_dht_pk(n->dht);

    for (size_t i = 0; i < count; i++)
        if (memcmp(ears[i].node.pk, own, 32) != 0) {
            yr_dht_signal(n->dht, n->now, &ears[i].node, ears[i].id, bytes, len);
            n->meet->signals_out++;
        }
}

bool yr_meet_can_signal(const struct yr_node *n, unsigned slot)
{
    return n->dht != NULL && n->meet->rvs[slot].ear_count > 0;
}

bool yr_meet_signal(struct yr_node *n, unsigned slot, const uint8_t *bytes, size_t len)
{
    const struct yr_rv *rv = &n->meet->rvs[slot];

    if (!yr_meet_can_signal(n, slot))
        return false;
    signal_to(n, rv->ears, rv->ear_count, bytes, len);
    return true;
}

/* ---- first contact ---- */

enum yr_err yr_fc_signal_encode(const struct yr_fc_signal *s, uint8_t *dst, size_t cap, size_t *len)
{
    struct yr_wr wr = yr_wr_init(dst, cap);

    yr_wr_u64(&wr, s->ms);
    yr_wr_bytes(&wr, s->tag, sizeof s->tag);
    yr_wr_u8(&wr, (uint8_t)s->ear_count);
    for (size_t i = 0; i < s->ear_count; i++) {
        yr_wr_addr(&wr, &s->ears[i].node.addr, false);
        yr_wr_bytes(&wr, s->ears[i].node.pk, 32);
        yr_wr_bytes(&wr, s->ears[i].id, YR_DHT_SIGNAL_LEN);
    }
    yr_wr_u8(&wr, (uint8_t)s->addr_count);
    for (size_t i = 0; i < s->addr_count; i++)
        yr_wr_addr(&wr, &s->addrs[i], false);
    yr_wr_bytes(&wr, s->packet, s->packet_len);
    if (!yr_wr_ok(&wr))
        return YR_ESIZE;
    *len = yr_wr_len(&wr);
    return YR_OK;
}

enum yr_err yr_fc_signal_decode(struct yr_fc_signal *out, const uint8_t *src, size_t len)
{
    struct yr_rd rd = yr_rd_init(src, len);
    struct yr_fc_signal s;
    bool flag = false;

    memset(&s, 0, sizeof s);
    s.ms = yr_rd_u64(&rd);
    yr_rd_copy(&rd, s.tag, sizeof s.tag);
    s.ear_count = yr_rd_u8(&rd);
    rd.bad |= s.ear_count > YR_RV_RELAYS_MAX;
    for (size_t i = 0; i < s.ear_count && !rd.bad; i++) {
        yr_rd_addr(&rd, &s.ears[i].node.addr, &flag);
        rd.bad |= flag;
        yr_rd_copy(&rd, s.ears[i].node.pk, 32);
        yr_rd_copy(&rd, s.ears[i].id, YR_DHT_SIGNAL_LEN);
    }
    s.addr_count = yr_rd_u8(&rd);
    rd.bad |= s.addr_count > YR_RV_ADDRS_MAX;
    for (size_t i = 0; i < s.addr_count && !rd.bad; i++) {
        yr_rd_addr(&rd, &s.addrs[i], &flag);
        rd.bad |= flag;
    }
    s.packet_len = yr_rd_left(&rd);
    s.packet = yr_rd_bytes(&rd, s.packet_len);
    if (!yr_rd_done(&rd) || s.packet_len == 0)
        return YR_EPROTO;
    *out = s;
    return YR_OK;
}

static struct yr_ear_way *way_of(struct yr_node *n, const struct yr_addr *addr)
{
    struct yr_rd rd = yr_rd_init(addr->ip, 4);
    const uint32_t handle = (uint32_t)yr_rd_u16be(&rd) << 16 | yr_rd_u16be(&rd);

    for (size_t i = 0; handle != 0 && i < YR_MEET_WAYS_MAX; i++)
        if (n->meet->ways[i].handle == handle)
            return &n->meet->ways[i];
    return NULL;
}

static struct yr_addr address_of(const struct yr_ear_way *way)
{
    struct yr_addr addr = {.family = YR_FAMILY_SIGNAL, .port = 1};
    struct yr_wr wr = yr_wr_init(addr.ip, 4);

    yr_wr_u16be(&wr, (uint16_t)(way->handle >> 16));
    yr_wr_u16be(&wr, (uint16_t)way->handle);
    return addr;
}

// tag NULL: the one to the inviter of this add, however it is marked.
static struct yr_ear_way *find_way(struct yr_node *n, const char *invite, bool inviter,
                                   const uint8_t *tag)
{
    for (size_t i = 0; i < YR_MEET_WAYS_MAX; i++) {
        struct yr_ear_way *w = &n->meet->ways[i];

        if (w->handle != 0 && w->inviter == inviter && strcmp(w->invite, invite) == 0 &&
            (tag == NULL || memcmp(w->tag, tag, sizeof w->tag) == 0))
            return w;
    }
    return NULL;
}

// The one used longest ago makes room; one who holds an invite has no more than two.
static struct yr_ear_way *new_way(struct yr_node *n, const char *invite, bool inviter,
                                  const uint8_t tag[4])
{
    struct yr_ear_way *place = &n->meet->ways[0], *own = NULL;
    size_t same = 0;

    for (size_t i = 0; i < YR_MEET_WAYS_MAX; i++) {
        struct yr_ear_way *w = &n->meet->ways[i];

        if (w->handle != 0 && strcmp(w->invite, invite) == 0 && ++same > 0 &&
            (own == NULL || w->used_us < own->used_us))
            own = w;
        if (w->handle == 0 ? place->handle != 0 : place->handle != 0 && w->used_us < place->used_us)
            place = w;
    }
    if (same >= YR_FC_MEETINGS_EACH)
        place = own;
    memset(place, 0, sizeof *place);
    if (++n->meet->next_handle == 0)
        n->meet->next_handle = 1;
    place->handle = n->meet->next_handle;
    memcpy(place->invite, invite, sizeof place->invite);
    place->inviter = inviter;
    memcpy(place->tag, tag, sizeof place->tag);
    place->used_us = n->now.mono_us;
    return place;
}

static void fill_way(const struct yr_node *n, struct yr_ear_way *w, const struct yr_dht_ear *ears,
                     size_t ear_count, const struct yr_addr *addrs, size_t addr_count)
{
    w->ear_count = take(n, w->ears, ears, ear_count);
    w->addr_count = 0;
    for (size_t i = 0; i < addr_count && w->addr_count < YR_RV_ADDRS_MAX; i++)
        if (yr_dht_addr_ok(&addrs[i], true) && (n->dht_lax || !yr_addr_loopback(&addrs[i])))
            w->addrs[w->addr_count++] = addrs[i];
}

struct yr_addr yr_meet_way(struct yr_node *n, const char *invite, const struct yr_dht_ear *ears,
                           size_t ear_count, const struct yr_addr *addrs, size_t addr_count)
{
    struct yr_ear_way *w = find_way(n, invite, false, NULL);
    uint8_t tag[4];

    if (w == NULL) {
        yr_random(n->rng, tag, sizeof tag);
        w = new_way(n, invite, false, tag);
    }
    fill_way(n, w, ears, ear_count, addrs, addr_count);
    return address_of(w);
}

static bool keys_of(const struct yr_node *n, const char *invite, struct yr_contact_rv *out)
{
    for (size_t at = 0; yr_contacts_rv_next(n->contacts, n->now, &at, out);)
        if (strcmp(out->id, invite) == 0)
            return true;
    return false;
}

// Packets straight to where the invitee says it is: they open our NAT for its own.
static void poke(struct yr_node *n, const struct yr_ear_way *w, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < w->addr_count; i++) {
        struct yr_poke *p = &n->meet->pokes[n->meet->poke_count];

        if (n->meet->poke_count == YR_MEET_POKES_MAX || len > sizeof p->bytes)
            return;
        p->to = w->addrs[i];
        p->len = len;
        memcpy(p->bytes, bytes, len);
        n->meet->poke_count++;
    }
}

size_t yr_meet_poll(struct yr_node *n, struct yr_addr *to, uint8_t *buf, size_t cap)
{
    struct yr_poke *p;

    if (n->meet->poke_count == 0)
        return 0;
    p = &n->meet->pokes[--n->meet->poke_count];
    YR_ASSERT(p->len <= cap);
    *to = p->to;
    memcpy(buf, p->bytes, p->len);
    return p->len;
}

void yr_meet_send(struct yr_node *n, const struct yr_addr *to, const uint8_t *bytes, size_t len)
{
    struct yr_ear_way *w = way_of(n, to);
    uint8_t plain[YR_DHT_SIGNAL_MAX], out[YR_DHT_SIGNAL_MAX];
    struct yr_fc_signal s = {.packet = bytes, .packet_len = len};
    struct yr_whereabouts here;
    struct yr_contact_rv keys;
    size_t plain_len;

    if (w == NULL || n->dht == NULL || w->ear_count == 0 || !keys_of(n, w->invite, &keys))
        return;
    w->ms = s.ms = YR_MAX(w->ms + 1, (uint64_t)YR_MAX(n->now.wall_ms, 0));
    memcpy(s.tag, w->tag, sizeof s.tag);
    if (bytes[0] == FC_INIT) { // the first one says where the answer goes
        yr_meet_whereabouts(n, &here);
        s.ear_count = here.relay_count;
        memcpy(s.ears, here.relays, sizeof s.ears);
        s.addr_count = here.addr_count;
        memcpy(s.addrs, here.addrs, sizeof s.addrs);
    }
    if (yr_fc_signal_encode(&s, plain, sizeof plain - HEAD_LEN - YR_TAG_LEN, &plain_len) == YR_OK) {
        out[0] = TYPE_CONTACT;
        yr_random(n->rng, out + 9, YR_NONCE_LEN);
        yr_siphash(out + 1, keys.hint, out + 9, YR_NONCE_LEN);
        yr_seal_x(out + HEAD_LEN, keys.signal[w->inviter], out + 9, out, HEAD_LEN, plain,
                  plain_len);
        signal_to(n, w->ears, w->ear_count, out, HEAD_LEN + plain_len + YR_TAG_LEN);
        w->used_us = n->now.mono_us;
    }
    if (bytes[0] == FC_RESP && w->inviter)
        poke(n, w, bytes, len);
    yr_wipe(&keys, sizeof keys);
}

void yr_meet_met(struct yr_node *n, unsigned slot, const struct yr_addr *way)
{
    const struct yr_ear_way *w = way->family == YR_FAMILY_SIGNAL ? way_of(n, way) : NULL;

    if (w == NULL)
        return;
    yr_meet_told(n, slot, w->ears, w->ear_count, n->meet->rvs[slot].ears_ms);
    yr_paths_told(n->paths, slot, w->addrs, w->addr_count, YR_ADDR_DHT, n->dht_lax, n->now);
}

// One signal comes by up to three ears.
static bool heard_before(struct yr_meet *m, const uint8_t *nonce)
{
    for (size_t i = 0; i < YR_MEET_HEARD_MAX; i++)
        if (memcmp(m->heard[i], nonce, sizeof m->heard[i]) == 0)
            return true;
    memcpy(m->heard[m->heard_next++ % YR_MEET_HEARD_MAX], nonce, sizeof m->heard[0]);
    return false;
}

static bool may_open(struct yr_node *n)
{
    struct yr_meet *m = n->meet;
    const uint64_t more =
        m->heard_milli + (n->now.mono_us - m->heard_us) * YR_MEET_SIGNALS_RATE / 1000;

    m->heard_milli = (uint32_t)YR_MIN(more, (uint64_t)YR_MEET_SIGNALS_BURST * 1000);
    m->heard_us = n->now.mono_us;
    if (m->heard_milli < 1000)
        return false;
    m->heard_milli -= 1000;
    return true;
}

static bool open_contact(struct yr_node *n, const struct yr_contact_rv *keys, const uint8_t *bytes,
                         size_t len)
{
    const bool inviter = !keys->add;
    uint8_t plain[YR_DHT_SIGNAL_MAX], hint[8];
    struct yr_fc_signal s;
    struct yr_ear_way *w;
    struct yr_addr from;

    yr_siphash(hint, keys->hint, bytes + 9, YR_NONCE_LEN);
    if (memcmp(hint, bytes + 1, sizeof hint) != 0 ||
        yr_unseal_x(plain, keys->signal[keys->add], bytes + 9, bytes, HEAD_LEN, bytes + HEAD_LEN,
                    len - HEAD_LEN) != YR_OK ||
        yr_fc_signal_decode(&s, plain, len - HEAD_LEN - YR_TAG_LEN) != YR_OK ||
        s.packet[0] < 0x05 || s.packet[0] > 0x08)
        return false;
    w = find_way(n, keys->id, inviter, s.tag);
    if (w == NULL && (!inviter || s.packet[0] != FC_INIT))
        return false;
    if (w == NULL)
        w = new_way(n, keys->id, true, s.tag);
    if (inviter && s.packet[0] == FC_INIT) {
        if (s.ms <= w->ms)
            return true; // a copy: it must not lead back to where he was
        w->ms = s.ms;
        fill_way(n, w, s.ears, s.ear_count, s.addrs, s.addr_count);
    }
    w->used_us = n->now.mono_us;
    from = address_of(w);
    yr_node_datagram(n, &from, s.packet, s.packet_len);
    return true;
}

void yr_meet_heard(struct yr_node *n, const uint8_t *bytes, size_t len)
{
    const struct yr_addr from = {.family = YR_FAMILY_SIGNAL, .port = 1};
    struct yr_contact_rv keys;
    bool opened = false;

    n->meet->signals_in++;
    if (len <= HEAD_LEN + YR_TAG_LEN || len > YR_DHT_SIGNAL_MAX || !n->has_identity ||
        heard_before(n->meet, bytes + 9) || !may_open(n))
        return;
    if (bytes[0] == TYPE_OFFER || bytes[0] == YR_RENEWAL_TYPE) {
        yr_node_datagram(n, &from, bytes, len);
        return;
    }
    for (size_t at = 0; bytes[0] == TYPE_CONTACT && !opened &&
                        yr_contacts_rv_next(n->contacts, n->now, &at, &keys);)
        opened = open_contact(n, &keys, bytes, len);
    n->meet->signals_bad += !opened;
    yr_wipe(&keys, sizeof keys);
}
