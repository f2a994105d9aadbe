/* What a fifth of all nodes of the DHT learn when they pool everything they see: no identity,
 * nothing of a record, and of how many pairs of friends both addresses at one key. */
#include "tests/support/test.h"

#include <stdio.h>

#include "core/dht/rendezvous.h"
#include "tests/support/dhtnet.h"

#define SERVERS 150
#define CLIENTS 40
#define PAIRS   100
#define SHARE   20
#define CANARY  16

static const uint8_t canary[8] = {0xca, 0x4a, 0x51, 0xe5, 0xca, 0x4a, 0x51, 0xe5};

struct pair {
    uint32_t a, b;
    struct yr_rendezvous ab, ba;
    uint8_t keys[2][32];
    struct dhtnet_job jobs[2];
};

struct sums {
    unsigned forwarded; /* pairs whose addresses are both tied to one key */
    unsigned one;       /* ... of which one is */
    unsigned by_time;   /* ... both, by who looked for something like it at that time */
    uint64_t datagrams, opened, canaries;
};

static struct pair pairs[PAIRS];

static void look(const uint8_t *bytes, size_t len, struct sums *sums)
{
    sums->canaries += memmem(bytes, len, canary, sizeof canary) != NULL;
}

static void on_datagram(void *ctx, uint32_t from, uint32_t to, const uint8_t *bytes, size_t len)
{
    struct sums *sums = ctx;

    sums->datagrams++;
    look(bytes, len, sums);
}

static void on_opened(void *ctx, uint32_t liar, const uint8_t *plain, size_t len)
{
    struct sums *sums = ctx;

    sums->opened++;
    look(plain, len, sums);
}

// A friend's record: its certificate and address carry canaries, as does the time key of the pair.
static void put(struct dhtnet *net, uint32_t who, const struct yr_rendezvous *rv,
                struct dhtnet_job *job)
{
    struct yr_whereabouts where = {.unix_s = 1800000000, .addr_count = 1};
    uint8_t record[YR_DHT_RECORD_MAX];
    size_t len;

    where.addrs[0] = net->nodes[who].addr;
    memcpy(where.cert + 14, canary, sizeof canary); // where the identity is
    memcpy(where.cert + 50, canary, sizeof canary);
    len = yr_rendezvous_make(record, rv, &where, 1, 7200, &net->nodes[who].rng);
    dhtnet_put(net, who, record, len, false, job);
    dhtnet_run(net, 300 * YR_MS);
}

static void make_pair(struct dhtnet *net, struct pair *p, uint32_t i)
{
    struct yr_timekey time = {.day = 20000};
    uint32_t off = (uint32_t)(dhtnet_draw(net, 200, i, 0) % YR_RENDEZVOUS_S);
    const uint64_t epoch = yr_rendezvous_epoch(20001ULL * YR_DAY_S, off);

    memcpy(time.key, canary, sizeof canary);
    memcpy(time.key + 8, &i, sizeof i);
    p->a = SERVERS + (uint32_t)(dhtnet_draw(net, 201, i, 0) % CLIENTS);
    do
        p->b = SERVERS + (uint32_t)(dhtnet_draw(net, 202, i, off++) % CLIENTS);
    while (p->b == p->a);
    assert_int_equal(yr_rendezvous_derive(&p->ab, &time, 0, epoch, 0), YR_OK);
    assert_int_equal(yr_rendezvous_derive(&p->ba, &time, 1, epoch, 0), YR_OK);
    yr_dht_record_key(p->keys[0], p->ab.pk);
    yr_dht_record_key(p->keys[1], p->ba.pk);
}

// Is this address tied to the key: seen at it, or as the asker of what was sent there?
static bool tied(const struct dhtnet *net, const struct yr_addr *who, const uint8_t key[32])
{
    static const uint8_t none[16];

    for (size_t i = 0; i < net->sight_count; i++) {
        const struct dhtnet_sight *at = &net->sights[i];

        if ((at->what != DHTNET_SAW_GET && at->what != DHTNET_SAW_PUT) ||
            memcmp(at->key, key, 32) != 0)
            continue;
        if (memcmp(at->inner, none, 16) == 0) {
            if (yr_addr_eq(&at->who, who))
                return true;
            continue;
        }
        for (size_t j = 0; j < net->sight_count; j++)
            if (net->sights[j].what == DHTNET_SAW_FWD && yr_addr_eq(&net->sights[j].who, who) &&
                memcmp(net->sights[j].inner, at->inner, 16) == 0)
                return true;
    }
    return false;
}

// Did it look for something that begins like the key just before the key was asked for or written?
static bool timed(const struct dhtnet *net, const struct yr_addr *who, const uint8_t key[32])
{
    for (size_t i = 0; i < net->sight_count; i++) {
        const struct dhtnet_sight *at = &net->sights[i];

        if ((at->what != DHTNET_SAW_GET && at->what != DHTNET_SAW_PUT) ||
            memcmp(at->key, key, 32) != 0)
            continue;
        for (size_t j = i; j-- > 0 && at->at_us - net->sights[j].at_us < 2 * YR_S;)
            if (net->sights[j].what == DHTNET_SAW_FIND && yr_addr_eq(&net->sights[j].who, who) &&
                yr_dht_common(net->sights[j].key, key) >= 6)
                return true;
    }
    return false;
}

static void observe(bool direct, struct sums *sums)
{
    const struct dhtnet_opts opts = {.seed = 5, .nodes_max = SERVERS + CLIENTS, .direct = direct};
    struct dhtnet *net = dhtnet_new(&opts);
    unsigned found = 0;

    memset(sums, 0, sizeof *sums);
    for (uint32_t i = 0; i < SERVERS + CLIENTS; i++) {
        dhtnet_add(net, i < SERVERS ? YR_DHT_AS_SERVER : YR_DHT_AS_CLIENT, i == 0 ? UINT32_MAX : 0);
        if (i > 0 && i < SERVERS && dhtnet_draw(net, 203, i, 0) % 100 < SHARE)
            net->nodes[i].kind = DHTNET_LIAR;
        net->pooling = true; // they lie about nothing, so that nobody notices
        dhtnet_run(net, 20 * YR_MS);
    }
    dhtnet_run(net, 60 * YR_S);
    net->sight_count = 0;
    net->tap = on_datagram;
    net->opened = on_opened;
    net->ctx = sums;
    for (uint32_t i = 0; i < PAIRS; i++) {
        make_pair(net, &pairs[i], i);
        put(net, pairs[i].a, &pairs[i].ab, &pairs[i].jobs[0]);
        put(net, pairs[i].b, &pairs[i].ba, &pairs[i].jobs[1]);
    }
    dhtnet_run(net, 31 * YR_S);
    for (uint32_t i = 0; i < PAIRS; i++) {
        dhtnet_get(net, pairs[i].a, pairs[i].ba.pk, false, &pairs[i].jobs[1]);
        dhtnet_run(net, 300 * YR_MS);
        dhtnet_get(net, pairs[i].b, pairs[i].ab.pk, false, &pairs[i].jobs[0]);
        dhtnet_run(net, 300 * YR_MS);
    }
    dhtnet_run(net, 31 * YR_S);
    for (uint32_t i = 0; i < PAIRS; i++) {
        const struct yr_addr *a = &net->nodes[pairs[i].a].addr, *b = &net->nodes[pairs[i].b].addr;
        bool both = false, one = false, time = false;

        for (int k = 0; k < 2; k++) {
            const bool at = tied(net, a, pairs[i].keys[k]), bt = tied(net, b, pairs[i].keys[k]);

            both |= at && bt;
            one |= at || bt;
            time |= timed(net, a, pairs[i].keys[k]) && timed(net, b, pairs[i].keys[k]);
            found += pairs[i].jobs[k].found;
        }
        sums->forwarded += both;
        sums->one += one;
        sums->by_time += time;
    }
    assert_true(found >= 2 * PAIRS - 2);
    dhtnet_free(net);
}

static void show(const char *what, const struct sums *s)
{
    print_message(
        "%s: of %d %% of pairs both addresses are tied to one key, of %d %% one is; by time "
        "and prefix of lookups: %d %% (%llu datagrams seen, %llu opened by liars)\n",
        what, s->forwarded * 100 / PAIRS, s->one * 100 / PAIRS, s->by_time * 100 / PAIRS,
        (unsigned long long)s->datagrams, (unsigned long long)s->opened);
}

static void a_fifth_that_pool_all_they_see_learn_no_identity(void **state)
{
    struct sums with, without;

    observe(false, &with);
    show("through forwarders", &with);
    assert_true(with.opened > 1000);
    assert_int_equal(with.canaries, 0);
    observe(true, &without);
    show("without", &without);
    assert_int_equal(without.canaries, 0);
    // Both forwarders and a storing node must be theirs: 0.2 x 0.2 x 0.83 for each of two keys.
    assert_true(with.forwarded * 100 <= 15 * PAIRS);
    assert_true(without.forwarded * 100 >= 60 * PAIRS);
}

static void the_canary_would_be_seen(void **state)
{
    struct sums sums = {0};
    uint8_t bytes[64] = {0};

    memcpy(bytes + 9, canary, sizeof canary);
    on_opened(&sums, 0, bytes, sizeof bytes);
    assert_int_equal(sums.canaries, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_canary_would_be_seen),
        cmocka_unit_test(a_fifth_that_pool_all_they_see_learn_no_identity),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
