#include "core/seal/skipped.h"

#include "core/base/bytes.h"

#define ROW_VERSION 1
#define SEQ_MAX     (UINT64_MAX / 2) /* of a stored key: more will be added to it */

struct yr_skipped_key {
    struct yr_chain_tag tag;
    uint32_t n, day; // number in its chain; when it was skipped
    uint64_t seq;    // order of coming; 0: the slot is free
    uint8_t mk[32];
};

static_assert(YR_SKIPPED_PARTS <= 8 * sizeof(unsigned), "a bit for each part");

struct yr_chain_tag yr_chain_tag(const uint8_t sid[YR_SID_LEN], const uint8_t dh[32])
{
    struct yr_chain_tag tag;

    memcpy(tag.bytes, sid, 8);
    memcpy(tag.bytes + 8, dh, 16);
    return tag;
}

static uint32_t day_of(uint64_t now_s)
{
    return (uint32_t)(now_s / YR_DAY_S);
}

void yr_skipped_init(struct yr_skipped *skipped, struct yr_mem *mem)
{
    *skipped = (struct yr_skipped){.mem = mem, .next_seq = 1};
}

void yr_skipped_clear(struct yr_skipped *skipped)
{
    unsigned changed = skipped->changed;

    if (skipped->mem == NULL)
        return;
    for (size_t p = 0; p < YR_SKIPPED_PARTS; p++) {
        changed |= skipped->part_count[p] > 0 ? 1u << p : 0;
        yr_free_secret(skipped->mem, skipped->parts[p]);
    }
    yr_skipped_init(skipped, skipped->mem);
    skipped->changed = changed;
}

/* ---- chains ---- */

// Its place in the table; YR_CHAINS_MAX when it has no keys.
static size_t find_chain(const struct yr_skipped *skipped, const struct yr_chain_tag *tag)
{
    size_t c = 0;

    while (c < YR_CHAINS_MAX &&
           (skipped->chains[c].count == 0 ||
            memcmp(skipped->chains[c].tag, tag->bytes, sizeof tag->bytes) != 0))
        c++;
    return c;
}

// An unused place in the table; YR_CHAINS_MAX when there is none.
static size_t free_chain(const struct yr_skipped *skipped)
{
    size_t c = 0;

    while (c < YR_CHAINS_MAX && skipped->chains[c].count > 0)
        c++;
    return c;
}

// Enter one key into the table of chains; false when it is full.
static bool count_key(struct yr_skipped *skipped, const struct yr_skipped_key *key)
{
    size_t c = find_chain(skipped, &key->tag);

    if (c == YR_CHAINS_MAX) {
        if ((c = free_chain(skipped)) == YR_CHAINS_MAX)
            return false;
        memcpy(skipped->chains[c].tag, key->tag.bytes, sizeof key->tag.bytes);
        skipped->chains[c].newest = 0;
    }
    skipped->chains[c].count++;
    skipped->chains[c].newest = YR_MAX(skipped->chains[c].newest, key->seq);
    return true;
}

/* ---- keys ---- */

static struct yr_skipped_key *find_key(const struct yr_skipped *skipped,
                                       const struct yr_chain_tag *tag, uint32_t n, size_t *part)
{
    if (find_chain(skipped, tag) == YR_CHAINS_MAX)
        return NULL;
    for (size_t p = 0; p < YR_SKIPPED_PARTS; p++) {
        for (size_t i = 0; skipped->part_count[p] > 0 && i < YR_SKIPPED_PER_PART; i++) {
            struct yr_skipped_key *key = &skipped->parts[p][i];
            if (key->seq != 0 && key->n == n && memcmp(&key->tag, tag, sizeof *tag) == 0) {
                *part = p;
                return key;
            }
        }
    }
    return NULL;
}

static void remove_key(struct yr_skipped *skipped, size_t part, struct yr_skipped_key *key)
{
    skipped->chains[find_chain(skipped, &key->tag)].count--;
    yr_wipe(key, sizeof *key);
    skipped->part_count[part]--;
    skipped->count--;
    skipped->changed |= 1u << part;
}

// Which keys go: those that `goes` says so of.
static size_t remove_where(struct yr_skipped *skipped,
                           bool (*goes)(const struct yr_skipped_key *, const void *),
                           const void *ctx)
{
    const size_t before = skipped->count;

    for (size_t p = 0; p < YR_SKIPPED_PARTS; p++) {
        for (size_t i = 0; skipped->part_count[p] > 0 && i < YR_SKIPPED_PER_PART; i++) {
            struct yr_skipped_key *key = &skipped->parts[p][i];
            if (key->seq != 0 && goes(key, ctx))
                remove_key(skipped, p, key);
        }
    }
    return before - skipped->count;
}

static bool is_too_old(const struct yr_skipped_key *key, const void *today)
{
    const uint32_t day = *(const uint32_t *)today;

    return day > key->day && day - key->day > YR_SKIPPED_DAYS;
}

static bool is_of_session(const struct yr_skipped_key *key, const void *sid)
{
    return memcmp(key->tag.bytes, sid, 8) == 0;
}

static bool is_of_chain(const struct yr_skipped_key *key, const void *tag)
{
    return memcmp(key->tag.bytes, tag, sizeof key->tag.bytes) == 0;
}

static bool came_before(const struct yr_skipped_key *key, const void *seq)
{
    return key->seq < *(const uint64_t *)seq;
}

size_t yr_skipped_expire(struct yr_skipped *skipped, uint64_t now_s)
{
    const uint32_t today = day_of(now_s);
    const size_t gone = remove_where(skipped, is_too_old, &today);

    skipped->expired_day = today;
    yr_skipped_trim(skipped);
    return gone;
}

void yr_skipped_tick(struct yr_skipped *skipped, uint64_t now_s)
{
    if (skipped->expired_day != day_of(now_s))
        (void)yr_skipped_expire(skipped, now_s);
}

size_t yr_skipped_forget(struct yr_skipped *skipped, const uint8_t sid[YR_SID_LEN])
{
    const size_t gone = remove_where(skipped, is_of_session, sid);

    yr_skipped_trim(skipped);
    return gone;
}

bool yr_skipped_find(const struct yr_skipped *skipped, const struct yr_chain_tag *tag, uint32_t n,
                     uint8_t mk[32])
{
    size_t part;
    const struct yr_skipped_key *key = find_key(skipped, tag, n, &part);

    if (key == NULL)
        return false;
    memcpy(mk, key->mk, sizeof key->mk);
    return true;
}

void yr_skipped_use(struct yr_skipped *skipped, const struct yr_chain_tag *tag, uint32_t n)
{
    size_t part;
    struct yr_skipped_key *key = find_key(skipped, tag, n, &part);

    YR_ASSERT(key != NULL);
    remove_key(skipped, part, key);
    yr_skipped_trim(skipped);
}

/* ---- room ---- */

enum yr_err yr_skipped_reserve(struct yr_skipped *skipped, size_t count)
{
    const size_t want = YR_MIN(skipped->count + count, (size_t)YR_SKIPPED_MAX);
    size_t have = 0;

    for (size_t p = 0; p < YR_SKIPPED_PARTS; p++)
        have += skipped->parts[p] != NULL ? YR_SKIPPED_PER_PART : 0;
    for (size_t p = 0; p < YR_SKIPPED_PARTS && have < want; p++) {
        if (skipped->parts[p] != NULL)
            continue;
        skipped->parts[p] =
            yr_alloc(skipped->mem, YR_MEM_NODE, YR_SKIPPED_PER_PART * sizeof *skipped->parts[p]);
        if (skipped->parts[p] == NULL) {
            yr_skipped_trim(skipped);
            return YR_ENOMEM;
        }
        have += YR_SKIPPED_PER_PART;
    }
    return YR_OK;
}

void yr_skipped_trim(struct yr_skipped *skipped)
{
    for (size_t p = 0; p < YR_SKIPPED_PARTS; p++) {
        if (skipped->part_count[p] == 0) {
            yr_free_secret(skipped->mem, skipped->parts[p]);
            skipped->parts[p] = NULL;
        }
    }
}

static size_t count_before(const struct yr_skipped *skipped, uint64_t seq)
{
    size_t count = 0;

    for (size_t p = 0; p < YR_SKIPPED_PARTS; p++)
        for (size_t i = 0; skipped->part_count[p] > 0 && i < YR_SKIPPED_PER_PART; i++)
            count += skipped->parts[p][i].seq != 0 && skipped->parts[p][i].seq < seq;
    return count;
}

// Delete the `count` keys that came first.
static void remove_oldest(struct yr_skipped *skipped, size_t count)
{
    uint64_t low = 0, high = skipped->next_seq; // so many came before high, fewer before low

    while (high - low > 1) {
        const uint64_t mid = low + (high - low) / 2;
        if (count_before(skipped, mid) >= count)
            high = mid;
        else
            low = mid;
    }
    remove_where(skipped, came_before, &high);
}

static void remove_oldest_chain(struct yr_skipped *skipped)
{
    const struct yr_skipped_chain *oldest = &skipped->chains[0];
    struct yr_chain_tag tag;

    for (size_t c = 1; c < YR_CHAINS_MAX; c++)
        if (skipped->chains[c].newest < oldest->newest)
            oldest = &skipped->chains[c];
    memcpy(tag.bytes, oldest->tag, sizeof tag.bytes);
    remove_where(skipped, is_of_chain, tag.bytes);
}

void yr_skipped_make_room(struct yr_skipped *skipped, const struct yr_chain_tag *tag, size_t count,
                          uint64_t now_s)
{
    const uint32_t today = day_of(now_s);

    YR_ASSERT(count <= YR_SKIPPED_MAX);
    remove_where(skipped, is_too_old, &today);
    if (skipped->count + count > YR_SKIPPED_MAX)
        remove_oldest(skipped, skipped->count + count - YR_SKIPPED_MAX);
    if (count > 0 && find_chain(skipped, tag) == YR_CHAINS_MAX &&
        free_chain(skipped) == YR_CHAINS_MAX)
        remove_oldest_chain(skipped);
}

void yr_skipped_put(struct yr_skipped *skipped, const struct yr_chain_tag *tag, uint32_t n,
                    const uint8_t mk[32], uint64_t now_s)
{
    struct yr_skipped_key *key = NULL;
    bool known;
    size_t p = 0;

    while (p < YR_SKIPPED_PARTS &&
           (skipped->parts[p] == NULL || skipped->part_count[p] == YR_SKIPPED_PER_PART))
        p++;
    YR_ASSERT(p < YR_SKIPPED_PARTS); // room was made
    for (key = skipped->parts[p]; key->seq != 0;)
        key++;
    key->tag = *tag;
    key->n = n;
    key->day = day_of(now_s);
    key->seq = skipped->next_seq++;
    memcpy(key->mk, mk, sizeof key->mk);
    known = count_key(skipped, key);
    YR_ASSERT(known);
    skipped->part_count[p]++;
    skipped->count++;
    skipped->changed |= 1u << p;
}

/* ---- rows ---- */

unsigned yr_skipped_changed(struct yr_skipped *skipped)
{
    const unsigned changed = skipped->changed;

    skipped->changed = 0;
    return changed;
}

size_t yr_skipped_encode(const struct yr_skipped *skipped, unsigned part,
                         uint8_t out[YR_SKIPPED_ROW_MAX])
{
    struct yr_wr wr = yr_wr_init(out, YR_SKIPPED_ROW_MAX);

    YR_ASSERT(part < YR_SKIPPED_PARTS);
    if (skipped->part_count[part] == 0)
        return 0;
    yr_wr_u8(&wr, ROW_VERSION);
    yr_wr_u16(&wr, (uint16_t)skipped->part_count[part]);
    for (size_t i = 0; i < YR_SKIPPED_PER_PART; i++) {
        const struct yr_skipped_key *key = &skipped->parts[part][i];
        if (key->seq == 0)
            continue;
        yr_wr_bytes(&wr, key->tag.bytes, sizeof key->tag.bytes);
        yr_wr_u32(&wr, key->n);
        yr_wr_u32(&wr, key->day);
        yr_wr_u64(&wr, key->seq);
        yr_wr_bytes(&wr, key->mk, sizeof key->mk);
    }
    YR_ASSERT(yr_wr_ok(&wr));
    return yr_wr_len(&wr);
}

static void read_key(struct yr_rd *rd, struct yr_skipped_key *key)
{
    yr_rd_copy(rd, key->tag.bytes, sizeof key->tag.bytes);
    key->n = yr_rd_u32(rd);
    key->day = yr_rd_u32(rd);
    key->seq = yr_rd_u64(rd);
    yr_rd_copy(rd, key->mk, sizeof key->mk);
    if (key->seq == 0 || key->seq > SEQ_MAX)
        rd->bad = true;
}

// Count all keys anew; false when they are of too many chains.
static bool recount(struct yr_skipped *skipped)
{
    bool fits = true;

    memset(skipped->chains, 0, sizeof skipped->chains);
    skipped->count = 0;
    skipped->next_seq = 1;
    for (size_t p = 0; p < YR_SKIPPED_PARTS; p++) {
        skipped->part_count[p] = 0;
        for (size_t i = 0; skipped->parts[p] != NULL && i < YR_SKIPPED_PER_PART; i++) {
            const struct yr_skipped_key *key = &skipped->parts[p][i];
            if (key->seq == 0)
                continue;
            skipped->part_count[p]++;
            skipped->count++;
            skipped->next_seq = YR_MAX(skipped->next_seq, key->seq + 1);
            fits &= count_key(skipped, key);
        }
    }
    return fits;
}

enum yr_err yr_skipped_decode(struct yr_skipped *skipped, unsigned part, const void *src,
                              size_t len)
{
    struct yr_rd rd = yr_rd_init(src, len);
    const uint8_t version = yr_rd_u8(&rd);
    const size_t count = yr_rd_u16(&rd);
    struct yr_skipped_key *keys, *old;
    bool fits;

    YR_ASSERT(part < YR_SKIPPED_PARTS);
    if (len > 0 && version != ROW_VERSION)
        return YR_EVERSION;
    if (rd.bad || count == 0 || count > YR_SKIPPED_PER_PART ||
        yr_rd_left(&rd) != count * YR_SKIPPED_KEY_LEN)
        return YR_EPROTO;
    keys = yr_alloc(skipped->mem, YR_MEM_NODE, YR_SKIPPED_PER_PART * sizeof *keys);
    if (keys == NULL)
        return YR_ENOMEM;
    for (size_t i = 0; i < count; i++)
        read_key(&rd, &keys[i]);

    old = skipped->parts[part];
    fits = yr_rd_done(&rd);
    if (fits) {
        skipped->parts[part] = keys;
        if (!(fits = recount(skipped))) {
            skipped->parts[part] = old;
            (void)recount(skipped);
        }
    }
    yr_free_secret(skipped->mem, fits ? old : keys);
    return fits ? YR_OK : YR_EPROTO;
}
