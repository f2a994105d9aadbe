/* core/node/beacon.c: LAN beacons that only friends and holders of an open invite recognise.
 *
 * 0x23 | nonce 16 | n x SipHash(key, nonce), shuffled and filled up with random values to 16, 64
 * or 128 entries; key = KDF(PAIR,"lan",dir) of an unlinked friend, or F_hint of an invite. */
#include "core/node/state.h"

#define TYPE      0x23
#define NONCE_LEN 16
#define HEAD_LEN  (1 + NONCE_LEN)
#define ENTRY_LEN 8
#define ENTRIES   128

static bool to_be_found(const struct yr_node *n, const struct yr_friend *f)
{
    return f->used && !f->blocked && !f->pending && yr_paths_lost(n->paths, yr_friend_slot(n, f));
}

static bool somebody(const struct yr_node *n)
{
    uint8_t key[16];

    for (size_t i = 0; i < YR_FRIENDS_MAX; i++)
        if (to_be_found(n, &n->friends[i]))
            return true;
    return yr_contacts_lan_key(n->contacts, 0, key);
}

static bool active(const struct yr_node *n)
{
    return n->opts.lan && n->opts.online && n->has_identity && !n->failing && n->tripped == YR_OK;
}

void yr_beacon_hurry(struct yr_node *n)
{
    n->beacon_count = 0;
    n->beacon_us = YR_MAX(n->now.mono_us, n->beacon_last_us + YR_BEACON_GAP_S * YR_S);
}

yr_us yr_beacon_deadline(const struct yr_node *n)
{
    return active(n) && somebody(n) ? n->beacon_us : YR_NEVER;
}

void yr_beacon_tick(struct yr_node *n)
{
    if (!active(n) || !somebody(n) || n->beacon_us > n->now.mono_us)
        return;
    n->beacon_due = true;
    n->beacon_last_us = n->now.mono_us;
    n->beacon_us = n->now.mono_us + (++n->beacon_count < YR_BEACON_BURST ? YR_BEACON_GAP_S * YR_S
                                                                         : YR_BEACON_S * YR_S);
}

static size_t add_entry(struct yr_wr *wr, const uint8_t key[16], const uint8_t *nonce, size_t count)
{
    uint8_t *room = count < ENTRIES ? yr_wr_room(wr, ENTRY_LEN) : NULL;

    if (room == NULL)
        return count;
    yr_siphash(room, key, nonce, NONCE_LEN);
    return count + 1;
}

// Fisher and Yates; the order of friends must not show.
static void shuffle(const struct yr_rng *rng, uint8_t *entries, size_t count)
{
    uint8_t tmp[ENTRY_LEN];
    uint32_t r;

    for (size_t i = count; i > 1; i--) {
        yr_random(rng, &r, sizeof r);
        size_t j = r % i;
        memcpy(tmp, entries + (i - 1) * ENTRY_LEN, ENTRY_LEN);
        memcpy(entries + (i - 1) * ENTRY_LEN, entries + j * ENTRY_LEN, ENTRY_LEN);
        memcpy(entries + j * ENTRY_LEN, tmp, ENTRY_LEN);
    }
}

size_t yr_beacon_poll(struct yr_node *n, uint8_t *buf, size_t cap)
{
    struct yr_wr wr = yr_wr_init(buf, cap);
    uint8_t *nonce, key[16];
    size_t count = 0, padded;
    uint32_t start;

    if (!n->beacon_due)
        return 0;
    n->beacon_due = false;
    yr_wr_u8(&wr, TYPE);
    nonce = yr_wr_room(&wr, NONCE_LEN);
    if (nonce == NULL)
        return 0;
    yr_random(n->rng, nonce, NONCE_LEN);
    memcpy(n->beacon_nonce, nonce, NONCE_LEN);
    for (size_t i = 0; yr_contacts_lan_key(n->contacts, i, key); i++)
        count = add_entry(&wr, key, nonce, count);
    yr_random(n->rng, &start, sizeof start); // more friends than entries: others next time
    for (size_t i = 0; i < YR_FRIENDS_MAX; i++) {
        const struct yr_friend *f = &n->friends[(start + i) % YR_FRIENDS_MAX];
        if (to_be_found(n, f))
            count = add_entry(&wr, f->pair.lan[f->pair.out], nonce, count);
    }
    padded = count <= 16 ? 16 : count <= 64 ? 64 : ENTRIES;
    while (count < padded) {
        uint8_t *room = yr_wr_room(&wr, ENTRY_LEN);
        if (room == NULL)
            return 0;
        yr_random(n->rng, room, ENTRY_LEN);
        count++;
    }
    shuffle(n->rng, buf + HEAD_LEN, count);
    return yr_wr_len(&wr);
}

static bool contains(const uint8_t *entries, size_t count, const uint8_t key[16],
                     const uint8_t *nonce)
{
    uint8_t want[ENTRY_LEN];

    yr_siphash(want, key, nonce, NONCE_LEN);
    for (size_t i = 0; i < count; i++)
        if (memcmp(entries + i * ENTRY_LEN, want, ENTRY_LEN) == 0)
            return true;
    return false;
}

static bool may_look(struct yr_node *n)
{
    n->beacon_tokens +=
        (double)(n->now.mono_us - n->beacon_tokens_us) * YR_BEACON_HEARD / (double)YR_S;
    n->beacon_tokens_us = n->now.mono_us;
    if (n->beacon_tokens > YR_BEACON_HEARD)
        n->beacon_tokens = YR_BEACON_HEARD;
    if (n->beacon_tokens < 1)
        return false;
    n->beacon_tokens--;
    return true;
}

void yr_beacon_recv(struct yr_node *n, const struct yr_addr *from, const uint8_t *packet,
                    size_t len)
{
    const size_t count = len > HEAD_LEN ? (len - HEAD_LEN) / ENTRY_LEN : 0;
    const uint8_t *nonce = packet + 1, *entries = packet + HEAD_LEN;
    uint8_t key[16];
    bool answer = false;

    if (len > HEAD_LEN && memcmp(nonce, n->beacon_nonce, NONCE_LEN) == 0)
        return; // our own, looped back
    if (!active(n) || (count != 16 && count != 64 && count != ENTRIES) ||
        len != HEAD_LEN + count * ENTRY_LEN || !may_look(n)) {
        n->dropped++;
        return;
    }
    for (size_t i = 0; yr_contacts_lan_key(n->contacts, i, key); i++)
        if (contains(entries, count, key, nonce))
            answer |= yr_contacts_lan_heard(n->contacts, n->now, i, from);
    for (size_t i = 0; i < YR_FRIENDS_MAX; i++) {
        const struct yr_friend *f = &n->friends[i];
        if (to_be_found(n, f) && contains(entries, count, f->pair.lan[1 - f->pair.out], nonce))
            yr_paths_learn(n->paths, (unsigned)i, from, YR_ADDR_LAN, n->now);
    }
    if (answer && n->beacon_us > n->beacon_last_us + YR_BEACON_GAP_S * YR_S)
        n->beacon_us = n->beacon_last_us + YR_BEACON_GAP_S * YR_S;
}
