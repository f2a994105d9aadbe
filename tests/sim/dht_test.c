/* Some hundred nodes of the DHT and nothing else, on one virtual clock: bootstrap from one node,
 * records put and got by clients, churn, colluders.  Same seed, same run. */
#include "tests/support/test.h"

#include <stdio.h>

#include "core/crypto/identity.h"
#include "core/dht/dht.h"
#include "core/dht/state.h"
#include "tests/support/seeded.h"

#define NODES   170
#define PACKETS 60000

struct net;

struct member {
    struct net *net;
    unsigned index;
    struct test_mem mem;
    struct seeded rng;
    struct yr_dht *dht;
    struct yr_addr addr;
    bool dead, liar;
    yr_us alarm_us; /* the newest ALARM in the heap */
    /* what the present search came to */
    bool done, found;
    struct yr_dht_result result;
    uint8_t record[YR_DHT_RECORD_MAX];
    size_t record_len;
    yr_us found_us;
};

struct event {
    yr_us at_us;
    uint64_t seq;
    unsigned node;
    struct yr_addr from;
    size_t len; /* 0: an alarm */
    uint8_t *bytes;
};

struct net {
    struct seeded rng;
    struct member members[NODES];
    struct event *heap;
    size_t count;
    uint64_t seq, hash, packets, bytes;
    yr_us now_us;
};

static struct net *net;

static struct yr_now at(const struct net *n)
{
    return (struct yr_now){.mono_us = n->now_us,
                           .wall_ms = 1800000000000 + (yr_ms)(n->now_us / 1000)};
}

static bool before(const struct event *a, const struct event *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->seq < b->seq;
}

static void push(struct net *n, struct event e)
{
    size_t i = n->count++;

    assert_true(i < PACKETS);
    e.seq = n->seq++;
    for (; i > 0 && before(&e, &n->heap[(i - 1) / 2]); i = (i - 1) / 2)
        n->heap[i] = n->heap[(i - 1) / 2];
    n->heap[i] = e;
}

static struct event pop(struct net *n)
{
    const struct event top = n->heap[0], last = n->heap[--n->count];
    size_t i = 0, child;

    while ((child = 2 * i + 1) < n->count) {
        if (child + 1 < n->count && before(&n->heap[child + 1], &n->heap[child]))
            child++;
        if (!before(&n->heap[child], &last))
            break;
        n->heap[i] = n->heap[child];
        i = child;
    }
    n->heap[i] = last;
    return top;
}

static unsigned member_at(const struct net *n, const struct yr_addr *addr)
{
    const unsigned i = (unsigned)addr->ip[1] << 8 | addr->ip[2];

    return i < NODES && yr_addr_eq(&n->members[i].addr, addr) ? i : NODES;
}

// 20 to 80 ms one way, the same pair always about the same.
static yr_us delay(struct net *n, unsigned a, unsigned b)
{
    const uint64_t pair = (uint64_t)YR_MIN(a, b) * 2654435761u ^ (uint64_t)YR_MAX(a, b) * 40503u;

    return (20 + pair % 60) * YR_MS + seeded_below(&n->rng, 2000);
}

static void drain(struct net *n, struct member *m)
{
    uint8_t buf[YR_DATAGRAM_MAX];
    struct yr_addr to;
    size_t len;

    while ((len = yr_dht_poll(m->dht, &to, buf, sizeof buf)) > 0) {
        const unsigned dst = member_at(n, &to);
        struct event e = {.node = dst, .from = m->addr, .len = len};

        n->packets++;
        n->bytes += len + 28;
        for (size_t i = 0; i < len; i += 16)
            n->hash = (n->hash ^ buf[i] ^ len) * 0x100000001b3u;
        if (dst == NODES || n->members[dst].dead || m->dead)
            continue;
        e.at_us = n->now_us + delay(n, m->index, dst);
        e.bytes = malloc(len);
        memcpy(e.bytes, buf, len);
        push(n, e);
    }
    {
        const yr_us next = YR_MAX(yr_dht_deadline(m->dht), n->now_us);

        if (next != YR_NEVER && (m->alarm_us <= n->now_us || next < m->alarm_us)) {
            m->alarm_us = YR_MAX(next, n->now_us + 1);
            push(n, (struct event){.at_us = m->alarm_us, .node = m->index});
        }
    }
}

// A liar's table and store while it answers: colluders only, the nearest of them, and no records.
static void lie(struct net *n, struct member *m, const struct event *e)
{
    struct yr_dht_table mine = m->dht->tables[0];
    struct yr_dht_records held = m->dht->records;

    yr_dht_table_init(&m->dht->tables[0], &m->mem.mem, m->dht->own_id, 4, false);
    yr_dht_records_init(&m->dht->records, &m->mem.mem, &m->rng.rng, m->dht->own_id, n->now_us);
    for (unsigned i = 0; i < NODES; i++) {
        struct yr_dht_contact c = {.addr = n->members[i].addr};

        if (!n->members[i].liar || i == m->index)
            continue;
        memcpy(c.pk, yr_dht_pk(n->members[i].dht), 32);
        (void)!yr_dht_table_seen(&m->dht->tables[0], &c, 1, n->now_us);
    }
    yr_dht_recv(m->dht, at(n), &e->from, e->bytes, e->len);
    yr_dht_table_clear(&m->dht->tables[0]);
    yr_dht_records_clear(&m->dht->records);
    m->dht->tables[0] = mine;
    m->dht->records = held;
}

static void run(struct net *n, yr_us for_us)
{
    const yr_us until = n->now_us + for_us;

    while (n->count > 0 && n->heap[0].at_us <= until) {
        const struct event e = pop(n);
        struct member *m = &n->members[e.node];

        n->now_us = e.at_us;
        if (m->dht != NULL && !m->dead) {
            if (e.len > 0 && m->liar)
                lie(n, m, &e);
            else if (e.len > 0)
                yr_dht_recv(m->dht, at(n), &e.from, e.bytes, e.len);
            else if (e.at_us == m->alarm_us)
                yr_dht_tick(m->dht, at(n));
            drain(n, m);
        }
        free(e.bytes);
    }
    n->now_us = until;
}

static void on_found(void *ctx, uint64_t search, const uint8_t *record, size_t len)
{
    struct member *m = ctx;

    if (!m->found)
        m->found_us = m->net->now_us;
    m->found = true;
    memcpy(m->record, record, len);
    m->record_len = len;
}

static void on_done(void *ctx, uint64_t search, const struct yr_dht_result *result)
{
    struct member *m = ctx;

    m->done = true;
    m->result = *result;
}

static void on_signal(void *ctx, const uint8_t id[YR_DHT_SIGNAL_LEN], const uint8_t *bytes,
                      size_t len)
{
    struct member *m = ctx;

    m->found = true;
    memcpy(m->record, bytes, len);
    m->record_len = len;
}

static void add(struct net *n, unsigned i, enum yr_dht_role role)
{
    struct member *m = &n->members[i];
    const struct yr_dht_opts opts = {.role = role};
    const struct yr_dht_calls calls = {
        .found = on_found, .done = on_done, .signal = on_signal, .ctx = m};

    m->net = n;
    m->index = i;
    m->addr = (struct yr_addr){.family = 4, .port = 7000};
    m->addr.ip[0] = (uint8_t)(20 + i % 37); // networks far apart
    m->addr.ip[1] = (uint8_t)(i >> 8);
    m->addr.ip[2] = (uint8_t)i;
    m->addr.ip[3] = 1;
    test_mem_init(&m->mem, 4U << 20);
    seeded_init(&m->rng, seeded_u64(&n->rng));
    assert_int_equal(yr_dht_new(&m->dht, &m->mem.mem, &m->rng.rng, &opts, &calls, at(n)), YR_OK);
    if (i > 0) {
        struct yr_dht_contact first = {.addr = n->members[0].addr};

        memcpy(first.pk, yr_dht_pk(n->members[0].dht), 32);
        yr_dht_bootstrap(m->dht, &first, 1, at(n));
    }
    yr_dht_tick(m->dht, at(n));
    drain(n, m);
}

static struct net *new_net(uint64_t seed, unsigned servers, unsigned clients)
{
    struct net *n = calloc(1, sizeof *n);

    n->heap = calloc(PACKETS, sizeof *n->heap);
    seeded_init(&n->rng, seed);
    n->now_us = YR_S;
    for (unsigned i = 0; i < servers + clients; i++) {
        add(n, i, i < servers ? YR_DHT_AS_SERVER : YR_DHT_AS_CLIENT);
        run(n, 50 * YR_MS);
    }
    return n;
}

static void free_net(struct net *n)
{
    for (unsigned i = 0; i < NODES; i++) {
        yr_dht_free(n->members[i].dht);
        if (n->members[i].dht != NULL)
            assert_int_equal(n->members[i].mem.live, 0);
    }
    while (n->count > 0)
        free(pop(n).bytes);
    free(n->heap);
    free(n);
}

static size_t make_record(struct net *n, uint8_t out[YR_DHT_RECORD_MAX], uint8_t pk[32])
{
    uint8_t seed[32], sk[64], value[YR_DHT_VALUE_MAX];

    yr_random(&n->rng.rng, seed, sizeof seed);
    yr_random(&n->rng.rng, value, sizeof value);
    yr_sign_keypair(pk, sk, seed);
    return yr_dht_record_make(out, pk, sk, 1, 7200, value, sizeof value);
}

static bool put(struct net *n, unsigned who, const uint8_t *record, size_t len)
{
    struct member *m = &n->members[who];
    uint64_t search;

    m->done = false;
    assert_int_equal(yr_dht_put(m->dht, at(n), record, len, false, &search), YR_OK);
    drain(n, m);
    for (int i = 0; i < 310 && !m->done; i++)
        run(n, 100 * YR_MS);
    assert_true(m->done);
    return m->result.answered > 0;
}

static bool get(struct net *n, unsigned who, const uint8_t pk[32], bool hard)
{
    struct member *m = &n->members[who];
    uint64_t search;

    m->done = m->found = false;
    assert_int_equal(yr_dht_get(m->dht, at(n), pk, hard, &search), YR_OK);
    drain(n, m);
    for (int i = 0; i < 310 && !m->done; i++)
        run(n, 100 * YR_MS);
    assert_true(m->done);
    return m->found;
}

#define SERVERS 140
#define CLIENTS 30
#define RECORDS 30

static uint8_t records[RECORDS][YR_DHT_RECORD_MAX], pks[RECORDS][32];

struct sums {
    unsigned put, got, stored, hops, requests, direct;
    double known_ms, found_ms;
};

static void put_all(struct net *n, struct sums *sum)
{
    for (unsigned i = 0; i < RECORDS; i++) {
        const unsigned who = SERVERS + i % CLIENTS;

        sum->put += put(n, who, records[i], make_record(n, records[i], pks[i]));
        sum->stored += n->members[who].result.answered;
    }
}

static void get_all(struct net *n, struct sums *sum)
{
    for (unsigned i = 0; i < RECORDS; i++) {
        const unsigned who = SERVERS + (i + 7) % CLIENTS;
        const yr_us from = n->now_us;
        bool ok = get(n, who, pks[i], false);

        sum->hops += n->members[who].result.hops;
        sum->requests += n->members[who].result.requests;
        sum->known_ms += (double)n->members[who].result.known_us / 1000;
        if (!ok)
            ok = get(n, who, pks[i], true);
        else
            sum->found_ms += (double)(n->members[who].found_us - from) / 1000;
        sum->direct += n->members[who].result.direct;
        if (ok)
            assert_memory_equal(n->members[who].record, records[i], YR_DHT_RECORD_MAX);
        sum->got += ok;
    }
}

static void show(const char *what, const struct sums *s)
{
    print_message("%s: put %u/%u (%.1f nodes), got %u/%u, hops %.2f, requests %.1f, first storing "
                  "node known after %.0f ms, record after %.0f ms\n",
                  what, s->put, RECORDS, (double)s->stored / RECORDS, s->got, RECORDS,
                  (double)s->hops / RECORDS, (double)s->requests / RECORDS, s->known_ms / RECORDS,
                  s->found_ms / RECORDS);
}

static int setup(void **state)
{
    net = new_net(seeded_seed("dht", 4), SERVERS, CLIENTS);
    run(net, 20 * YR_S);
    return 0;
}

static int teardown(void **state)
{
    free_net(net);
    return 0;
}

static void from_one_known_node_everybody_joins_and_clients_are_in_no_table(void **state)
{
    size_t least = SIZE_MAX, all = 0;

    for (unsigned i = 0; i < SERVERS + CLIENTS; i++) {
        const size_t known = yr_dht_known(net->members[i].dht);
        struct yr_dht_contact nodes[200];
        const size_t n = yr_dht_export(net->members[i].dht, nodes, 200);

        least = YR_MIN(least, known);
        all += known;
        for (size_t j = 0; j < n; j++)
            assert_true(member_at(net, &nodes[j].addr) < SERVERS);
    }
    print_message("known: least %zu, mean %zu of %d\n", least, all / (SERVERS + CLIENTS), SERVERS);
    assert_true(least >= 32);
}

static void records_are_found_by_whoever_has_the_key(void **state)
{
    struct sums sum = {0};

    put_all(net, &sum);
    get_all(net, &sum);
    show("healthy", &sum);
    assert_int_equal(sum.put, RECORDS);
    assert_int_equal(sum.got, RECORDS);
    assert_true(sum.stored >= 7 * RECORDS);
    assert_true(sum.hops <= RECORDS * 16 / 10);
    assert_int_equal(sum.direct, 0);
}

static void idle_nodes_are_nearly_silent(void **state)
{
    uint64_t bytes;

    bytes = net->bytes; // every entry is asked twice, every bucket looked through
    run(net, 1200 * YR_S);
    bytes = (net->bytes - bytes) * 2 / 1200 / (SERVERS + CLIENTS);
    print_message("idle: %llu bytes/s a node, in and out\n", (unsigned long long)bytes);
    assert_true(bytes <= 150);
}

static void a_third_of_the_nodes_may_vanish_after_the_put(void **state)
{
    struct sums sum = {0};

    put_all(net, &sum);
    for (unsigned i = 1; i < SERVERS; i++)
        net->members[i].dead = seeded_below(&net->rng, 10) < 3;
    get_all(net, &sum);
    show("30 % churn", &sum);
    assert_int_equal(sum.got, RECORDS);
    for (unsigned i = 1; i < SERVERS; i++) {
        net->members[i].dead = false;
        net->members[i].alarm_us = 0;
        yr_dht_tick(net->members[i].dht, at(net));
        drain(net, &net->members[i]);
    }
    run(net, 30 * YR_S);
}

// From now on these name only each other, and have nothing.
static void a_fifth_of_the_nodes_may_lie(void **state)
{
    struct sums sum = {0};

    for (unsigned i = 1; i < SERVERS; i++)
        net->members[i].liar = seeded_below(&net->rng, 5) == 0;
    put_all(net, &sum);
    get_all(net, &sum);
    show("20 % colluding", &sum);
    for (unsigned i = 1; i < SERVERS; i++)
        net->members[i].liar = false;
    assert_int_equal(sum.got, RECORDS);
}

static void a_signal_reaches_who_listens_at_a_relay(void **state)
{
    struct member *a = &net->members[SERVERS], *b = &net->members[SERVERS + 1];
    struct yr_dht_contact relay = {.addr = net->members[5].addr};
    const uint8_t id[YR_DHT_SIGNAL_LEN] = {1, 2, 3}, other[YR_DHT_SIGNAL_LEN] = {9};

    memcpy(relay.pk, yr_dht_pk(net->members[5].dht), 32);
    a->found = false;
    yr_dht_listen(a->dht, at(net), &relay, id);
    drain(net, a);
    run(net, YR_S);
    yr_dht_signal(b->dht, at(net), &relay, other, (const uint8_t *)"no", 2);
    drain(net, b);
    run(net, YR_S);
    assert_false(a->found);
    yr_dht_signal(b->dht, at(net), &relay, id, (const uint8_t *)"knock", 5);
    drain(net, b);
    run(net, YR_S);
    assert_true(a->found);
    assert_memory_equal(a->record, "knock", 5);
}

static void the_smallest_network_works_and_says_that_it_shows_who_asks(void **state)
{
    struct net *n = new_net(3, 1, 2);
    uint8_t record[YR_DHT_RECORD_MAX], pk[32];

    run(n, 5 * YR_S);
    assert_true(put(n, 1, record, make_record(n, record, pk)));
    assert_true(n->members[1].result.direct);
    assert_true(get(n, 2, pk, false));
    assert_true(n->members[2].result.direct);
    n->members[0].dead = true; // and without it nothing does, in finite time
    assert_false(get(n, 2, pk, true));
    free_net(n);
}

static uint64_t hash_of_run(uint64_t seed)
{
    struct net *n = new_net(seed, 30, 4);
    uint8_t record[YR_DHT_RECORD_MAX], pk[32];
    uint64_t hash;

    run(n, 5 * YR_S);
    put(n, 31, record, make_record(n, record, pk));
    get(n, 32, pk, false);
    hash = n->hash;
    free_net(n);
    return hash;
}

static void the_same_seed_is_the_same_run(void **state)
{
    const uint64_t first = hash_of_run(7);

    assert_true(first == hash_of_run(7));
    assert_false(first == hash_of_run(8));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(from_one_known_node_everybody_joins_and_clients_are_in_no_table),
        cmocka_unit_test(records_are_found_by_whoever_has_the_key),
        cmocka_unit_test(idle_nodes_are_nearly_silent),
        cmocka_unit_test(a_signal_reaches_who_listens_at_a_relay),
        cmocka_unit_test(a_fifth_of_the_nodes_may_lie),
        cmocka_unit_test(a_third_of_the_nodes_may_vanish_after_the_put),
        cmocka_unit_test(the_smallest_network_works_and_says_that_it_shows_who_asks),
        cmocka_unit_test(the_same_seed_is_the_same_run),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
