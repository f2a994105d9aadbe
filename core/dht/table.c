#include "core/dht/table.h"

void yr_dht_table_init(struct yr_dht_table *table, struct yr_mem *mem, const uint8_t own_id[32],
                       uint8_t family, bool lax)
{
    *table = (struct yr_dht_table){.mem = mem, .family = family, .lax = lax};
    memcpy(table->own_id, own_id, 32);
}

void yr_dht_table_clear(struct yr_dht_table *table)
{
    for (size_t i = 0; i < YR_DHT_BUCKETS; i++) {
        yr_free(table->mem, table->buckets[i].in);
        yr_free(table->mem, table->buckets[i].spares);
        table->buckets[i] = (struct yr_dht_bucket){0};
    }
    table->count = 0;
}

static size_t bucket_max(size_t i)
{
    return YR_MAX((size_t)YR_DHT_BUCKET, (size_t)YR_DHT_BUCKET_FIRST >> YR_MIN(i, (size_t)8));
}

static size_t index_of(const struct yr_dht_table *table, uint64_t place)
{
    uint64_t differ = place ^ yr_dht_place(table->own_id);
    size_t i = 0;

    for (; i < YR_DHT_BUCKETS - 1 && differ >> 63 == 0; i++)
        differ <<= 1;
    return i;
}

static struct yr_dht_entry *find_in(struct yr_dht_entry *list, size_t n, const uint8_t pk[32])
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(list[i].contact.pk, pk, 32) == 0)
            return &list[i];
    return NULL;
}

static void take_out(struct yr_dht_entry *list, uint8_t *n, const struct yr_dht_entry *e)
{
    const size_t at = (size_t)(e - list);

    memmove(&list[at], &list[at + 1], (*n - at - 1) * sizeof *list);
    (*n)--;
}

static enum yr_err grow(struct yr_dht_table *table, struct yr_dht_entry **list, uint8_t *cap,
                        size_t need, size_t max)
{
    size_t more = YR_MIN(max, YR_MAX((size_t)4, (size_t)*cap * 2));
    void *next;

    if (need <= *cap)
        return YR_OK;
    next = yr_realloc(table->mem, YR_MEM_DHT, *list, more * sizeof **list);
    if (next == NULL)
        return YR_ENOMEM;
    *list = next;
    *cap = (uint8_t)more;
    return YR_OK;
}

static bool same_ip(const struct yr_addr *a, const struct yr_addr *b)
{
    return a->family == b->family && memcmp(a->ip, b->ip, a->family == 4 ? 4 : 16) == 0;
}

// As yr_dht_net says; each newcomer is compared with all.
static bool same_net(const struct yr_addr *a, const struct yr_addr *b)
{
    return a->family == b->family && memcmp(a->ip, b->ip, a->family == 4 ? 3 : 6) == 0;
}

// May a node at `addr` enter bucket `at`?  *holder: who has its IP.
static bool diverse(struct yr_dht_table *table, size_t at, const struct yr_addr *addr,
                    struct yr_dht_entry **holder)
{
    size_t here = 0, all = 0;

    *holder = NULL;
    if (table->lax)
        return true;
    for (size_t i = 0, left = table->count; left > 0; left -= table->buckets[i++].in_count)
        for (size_t j = 0; j < table->buckets[i].in_count; j++) {
            struct yr_dht_entry *e = &table->buckets[i].in[j];

            if (!same_net(&e->contact.addr, addr))
                continue;
            if (same_ip(&e->contact.addr, addr))
                *holder = e;
            all++;
            here += i == at;
        }
    return *holder == NULL && here < YR_DHT_NET_BUCKET && all < YR_DHT_NET_TABLE;
}

// The newest spare that may enter does.
static void promote(struct yr_dht_table *table, size_t at)
{
    struct yr_dht_bucket *b = &table->buckets[at];
    struct yr_dht_entry *holder;

    for (size_t i = b->spare_count; i-- > 0 && b->in_count < bucket_max(at);)
        if (diverse(table, at, &b->spares[i].contact.addr, &holder) &&
            grow(table, &b->in, &b->in_cap, b->in_count + 1U, bucket_max(at)) == YR_OK) {
            b->in[b->in_count++] = b->spares[i];
            b->due_us = 0;
            table->count++;
            take_out(b->spares, &b->spare_count, &b->spares[i]);
            return;
        }
}

static void remove_entry(struct yr_dht_table *table, size_t at, const struct yr_dht_entry *e)
{
    take_out(table->buckets[at].in, &table->buckets[at].in_count, e);
    table->count--;
    promote(table, at);
}

static void add_spare(struct yr_dht_table *table, size_t at, const struct yr_dht_entry *e)
{
    struct yr_dht_bucket *b = &table->buckets[at];
    struct yr_dht_entry *old = find_in(b->spares, b->spare_count, e->contact.pk);

    if (old == NULL && b->spare_count == YR_DHT_SPARES)
        old = &b->spares[0];
    if (old != NULL)
        take_out(b->spares, &b->spare_count, old);
    if (grow(table, &b->spares, &b->spare_cap, b->spare_count + 1U, YR_DHT_SPARES) == YR_OK)
        b->spares[b->spare_count++] = *e;
}

static void doubt(struct yr_dht_table *table, struct yr_dht_entry *e)
{
    e->doubted = true;
    table->buckets[index_of(table, e->place)].due_us = 0;
}

enum yr_err yr_dht_table_seen(struct yr_dht_table *table, const struct yr_dht_contact *contact,
                              uint32_t rtt_us, yr_us now)
{
    struct yr_dht_entry new = {
        .contact = *contact, .added_us = now, .seen_us = now, .asked_us = now, .rtt_us = rtt_us};
    struct yr_dht_entry *e, *holder;
    struct yr_dht_bucket *b;
    uint8_t id[32];
    size_t at;

    yr_dht_id(id, contact->pk);
    new.place = yr_dht_place(id);
    at = index_of(table, new.place);
    b = &table->buckets[at];
    if (contact->addr.family != table->family || memcmp(id, table->own_id, 32) == 0)
        return YR_EDENIED;
    e = find_in(b->in, b->in_count, contact->pk);
    if (e != NULL && yr_addr_eq(&e->contact.addr, &contact->addr)) {
        e->seen_us = e->asked_us = now;
        e->rtt_us = rtt_us;
        e->fails = 0;
        e->doubted = false;
        return YR_OK;
    }
    if (e != NULL) { // it has moved: its place is that of a newcomer
        take_out(b->in, &b->in_count, e);
        table->count--;
    }
    if (!diverse(table, at, &contact->addr, &holder)) {
        if (holder != NULL)
            doubt(table, holder);
        else
            return YR_EDENIED;
        add_spare(table, at, &new);
        return YR_EEXIST;
    }
    if (b->in_count >= bucket_max(at)) {
        add_spare(table, at, &new);
        return YR_EFULL;
    }
    if (grow(table, &b->in, &b->in_cap, b->in_count + 1U, bucket_max(at)) != YR_OK)
        return YR_ENOMEM;
    b->in[b->in_count++] = new;
    b->due_us = 0;
    table->count++;
    e = find_in(b->spares, b->spare_count, contact->pk);
    if (e != NULL)
        take_out(b->spares, &b->spare_count, e);
    return YR_OK;
}

void yr_dht_table_rebase(struct yr_dht_table *table, const uint8_t own_id[32])
{
    struct yr_dht_table old = *table;

    yr_dht_table_init(table, old.mem, own_id, old.family, old.lax);
    for (size_t i = 0; i < YR_DHT_BUCKETS; i++)
        for (size_t j = 0; j < old.buckets[i].in_count; j++) {
            const struct yr_dht_entry *e = &old.buckets[i].in[j];
            const size_t at = index_of(table, e->place);
            struct yr_dht_bucket *b = &table->buckets[at];
            struct yr_dht_entry *holder;

            if (b->in_count < bucket_max(at) && diverse(table, at, &e->contact.addr, &holder) &&
                grow(table, &b->in, &b->in_cap, b->in_count + 1U, bucket_max(at)) == YR_OK) {
                b->in[b->in_count++] = *e;
                table->count++;
            }
        }
    yr_dht_table_clear(&old);
}

static struct yr_dht_entry *lookup(const struct yr_dht_table *table, const uint8_t pk[32],
                                   size_t *at)
{
    uint8_t id[32];

    yr_dht_id(id, pk);
    *at = index_of(table, yr_dht_place(id));
    return find_in(table->buckets[*at].in, table->buckets[*at].in_count, pk);
}

void yr_dht_table_failed(struct yr_dht_table *table, const uint8_t pk[32])
{
    size_t at;
    struct yr_dht_entry *e = lookup(table, pk, &at);

    if (e == NULL)
        return;
    table->buckets[at].due_us = 0;
    if (++e->fails >= YR_DHT_FAILS_MAX)
        remove_entry(table, at, e);
}

void yr_dht_table_remove(struct yr_dht_table *table, const uint8_t pk[32])
{
    size_t at;
    struct yr_dht_entry *e = lookup(table, pk, &at);

    if (e != NULL)
        remove_entry(table, at, e);
}

const struct yr_dht_entry *yr_dht_table_find(const struct yr_dht_table *table, const uint8_t pk[32])
{
    size_t at;

    return lookup(table, pk, &at);
}

struct nearest {
    uint64_t target;
    const struct yr_dht_entry *best[4 * YR_DHT_BUCKET];
    size_t count, max;
};

static void consider(struct nearest *n, const struct yr_dht_bucket *b)
{
    for (size_t i = 0; i < b->in_count; i++) {
        const struct yr_dht_entry *e = &b->in[i];
        size_t at = n->count;

        while (at > 0 && (e->fails != n->best[at - 1]->fails
                              ? e->fails < n->best[at - 1]->fails
                              : (e->place ^ n->target) < (n->best[at - 1]->place ^ n->target)))
            at--;
        if (at >= n->max)
            continue;
        n->count += n->count < n->max;
        memmove(&n->best[at + 1], &n->best[at], (n->count - at - 1) * sizeof *n->best);
        n->best[at] = e;
    }
}

static bool enough(const struct nearest *n)
{
    return n->count == n->max && (n->max == 0 || n->best[n->max - 1]->fails == 0);
}

// Who is in the target's own bucket is nearer than all others, then come all who are nearer to us
// than that bucket is, then bucket by bucket those that are further away.
size_t yr_dht_table_closest(const struct yr_dht_table *table, const uint8_t target[32],
                            struct yr_dht_contact *out, size_t max)
{
    struct nearest n = {.target = yr_dht_place(target)};
    size_t own = index_of(table, n.target);

    n.max = YR_MIN(max, YR_COUNT(n.best));
    consider(&n, &table->buckets[own]);
    for (size_t i = enough(&n) ? YR_DHT_BUCKETS : own + 1; i < YR_DHT_BUCKETS; i++)
        consider(&n, &table->buckets[i]);
    while (own-- > 0 && !enough(&n))
        consider(&n, &table->buckets[own]);
    for (size_t i = 0; i < n.count; i++)
        out[i] = n.best[i]->contact;
    return n.count;
}

const struct yr_dht_entry *yr_dht_table_at(const struct yr_dht_table *table, size_t i)
{
    YR_ASSERT(i < table->count);
    for (size_t b = 0;; i -= table->buckets[b++].in_count)
        if (i < table->buckets[b].in_count)
            return &table->buckets[b].in[i];
}

// How long after it was asked it is to be asked again.
static yr_us patience(const struct yr_dht_entry *e, yr_us fresh_us)
{
    return e->doubted || e->fails > 0 ? YR_MIN(fresh_us, 10 * YR_S) : fresh_us;
}

yr_us yr_dht_table_due(const struct yr_dht_table *table)
{
    yr_us first = YR_NEVER;

    for (size_t i = 0, left = table->count; left > 0; left -= table->buckets[i++].in_count)
        if (table->buckets[i].in_count > 0)
            first = YR_MIN(first, table->buckets[i].due_us);
    return first;
}

// Who of a bucket is to be asked and has not been for longest, or NULL; *then: when the next one
// is.
static struct yr_dht_entry *stalest(struct yr_dht_bucket *b, yr_us fresh_us, yr_us now, yr_us *then)
{
    struct yr_dht_entry *worst = NULL;
    yr_us first = YR_NEVER; // when the worst was to be asked

    *then = YR_NEVER;
    for (size_t i = 0; i < b->in_count; i++) {
        struct yr_dht_entry *e = &b->in[i];
        yr_us due = e->asked_us + patience(e, fresh_us);

        if (due <= now && (worst == NULL || e->asked_us < worst->asked_us)) {
            const yr_us other = first;

            worst = e;
            first = due;
            due = other;
        }
        *then = YR_MIN(*then, due);
    }
    b->due_us = YR_MIN(*then, first);
    return worst;
}

bool yr_dht_table_stale(struct yr_dht_table *table, yr_us fresh_us, yr_us now,
                        struct yr_dht_contact *out)
{
    struct yr_dht_entry *worst = NULL, *e;
    yr_us then = YR_NEVER, next;
    size_t at = 0;

    for (size_t i = 0, left = table->count; left > 0; left -= table->buckets[i++].in_count) {
        struct yr_dht_bucket *b = &table->buckets[i];

        if (b->in_count == 0 || b->due_us > now || (e = stalest(b, fresh_us, now, &next)) == NULL ||
            (worst != NULL && e->asked_us >= worst->asked_us))
            continue;
        worst = e;
        then = next;
        at = i;
    }
    if (worst == NULL)
        return false;
    worst->asked_us = now;
    table->buckets[at].due_us = YR_MIN(then, now + patience(worst, fresh_us));
    *out = worst->contact;
    return true;
}

bool yr_dht_table_refresh(struct yr_dht_table *table, const struct yr_rng *rng, yr_us age_us,
                          yr_us now, uint8_t target[32])
{
    size_t depth = 0, worst = YR_DHT_BUCKETS;

    for (size_t i = 0; i < YR_DHT_BUCKETS; i++)
        if (table->buckets[i].in_count > 0)
            depth = i;
    for (size_t i = 0; i <= depth && worst == YR_DHT_BUCKETS; i++)
        if (table->buckets[i].refreshed_us == 0)
            worst = i;
    for (size_t i = 0; i <= depth && worst == YR_DHT_BUCKETS; i++)
        if (table->buckets[i].in_count < bucket_max(i)) {
            if (now - table->buckets[i].refreshed_us >= age_us)
                worst = i;
            break;
        }
    if (worst == YR_DHT_BUCKETS)
        return false;
    table->buckets[worst].refreshed_us = now;
    yr_random(rng, target, 32);
    for (size_t bit = 0; bit <= worst; bit++) { // ours up to the bit that differs
        const uint8_t mask = (uint8_t)(0x80 >> bit % 8);
        const uint8_t want = table->own_id[bit / 8] ^ (bit == worst ? mask : 0);

        target[bit / 8] = (uint8_t)((target[bit / 8] & ~mask) | (want & mask));
    }
    return true;
}

double yr_dht_table_estimate(const struct yr_dht_table *table)
{
    size_t deeper = table->count, i = 0;
    double share = 1;

    // All nodes of a bucket fit in while it is not full.
    for (; i < YR_DHT_BUCKETS && table->buckets[i].in_count >= bucket_max(i) * 3 / 4; i++) {
        deeper -= table->buckets[i].in_count;
        share *= 2;
    }
    return YR_MAX(1.0, (double)(deeper + 1) * share);
}

size_t yr_dht_table_export(const struct yr_dht_table *table, struct yr_dht_contact *out, size_t max)
{
    const struct yr_dht_entry *best[UINT8_MAX];
    size_t n = 0;

    max = YR_MIN(max, YR_COUNT(best));
    for (size_t i = 0; i < table->count && max > 0; i++) {
        const struct yr_dht_entry *e = yr_dht_table_at(table, i);
        size_t at = n;

        while (at > 0 && e->added_us < best[at - 1]->added_us)
            at--;
        if (e->fails > 0 || at >= max)
            continue;
        n += n < max;
        memmove(&best[at + 1], &best[at], (n - at - 1) * sizeof *best);
        best[at] = e;
    }
    for (size_t i = 0; i < n; i++)
        out[i] = best[i]->contact;
    return n;
}

enum yr_err yr_dht_contacts_encode(const struct yr_dht_contact *list, size_t count, uint8_t *dst,
                                   size_t cap, size_t *len)
{
    struct yr_wr wr = yr_wr_init(dst, cap);

    if (count > UINT8_MAX)
        return YR_ESIZE;
    yr_wr_u8(&wr, (uint8_t)count);
    for (size_t i = 0; i < count; i++) {
        yr_wr_addr(&wr, &list[i].addr, false);
        yr_wr_bytes(&wr, list[i].pk, 32);
    }
    if (!yr_wr_ok(&wr))
        return YR_ESIZE;
    *len = yr_wr_len(&wr);
    return YR_OK;
}

enum yr_err yr_dht_contacts_decode(struct yr_dht_contact *list, size_t max, size_t *count,
                                   const uint8_t *src, size_t len)
{
    for (int pass = 0; pass < 2; pass++) { // look at everything, then write
        struct yr_rd rd = yr_rd_init(src, len);
        const size_t n = yr_rd_u8(&rd);

        for (size_t i = 0; i < n && !rd.bad; i++) {
            struct yr_dht_contact c;
            bool flag = false;

            yr_rd_addr(&rd, &c.addr, &flag);
            yr_rd_copy(&rd, c.pk, 32);
            rd.bad |= flag || i >= max;
            if (pass == 1)
                list[i] = c;
        }
        if (!yr_rd_done(&rd))
            return YR_EPROTO;
        *count = n;
    }
    return YR_OK;
}
