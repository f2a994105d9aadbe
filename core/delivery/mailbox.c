#include "core/delivery/mailbox.h"

#include "core/base/map.h"

#define ROW_VERSION 1
#define MAIL_HEAD   (1 + 8) // version, until
#define KEY_LEN     (8 + YR_EID_LEN)
#define KEEPER      16

static const char *const counter_names[] = {
    "mail.kept",         "mail.duplicate", "mail.refused.tag", "mail.refused.full",
    "mail.refused.rate", "mail.sent",      "mail.taken",       "mail.expired"};
enum count { KEPT, DUPLICATE, NO_TAG, FULL, RATE, SENT, TAKEN, EXPIRED };

/* The tags of one day that one friend registered. */
struct day {
    unsigned slot;
    uint32_t day;
    size_t count;
    uint8_t tags[][16];
};

struct kept {
    unsigned slot; // of whom it is for
    uint64_t order, until_s;
    uint32_t len;
    bool listed, wanted, sent; // over the present link
    uint8_t eid[YR_EID_LEN];
};

struct answer {
    uint8_t status, eid[YR_EID_LEN];
    uint64_t token;
};

struct friend_mail {
    uint8_t id[32];
    bool consent, up;
    struct day *days[YR_MAIL_DAYS]; // by day modulo
    struct kept **kept;             // by order
    size_t count, cap;
    uint64_t bytes, next_order;
    uint64_t listed_token; // what came after it is not told yet
    size_t sending;
    // as a depositor
    double day_bytes, hour, strange;
    yr_us refilled_us, strange_us;
    struct answer *answers;
    size_t answer_count;
};

struct yr_mailbox {
    struct yr_mem *mem;
    struct yr_rows *rows;
    const struct yr_rng *rng;
    struct yr_mailbox_quota quota;
    struct yr_mailbox_ops ops;
    uint8_t secret[16];
    struct yr_map tags, eids; // SipHash of a tag -> its day; of an id -> what is kept
    struct friend_mail *friends[YR_FRIENDS_MAX];
    uint64_t bytes, durable;
    size_t count;
    uint64_t counters[YR_COUNT(counter_names)];
    uint8_t row[MAIL_HEAD + YR_ENVELOPE_MAX];
};

struct yr_mailbox_quota yr_mailbox_quota(bool keeper)
{
    const size_t times = keeper ? KEEPER : 1;

    return (struct yr_mailbox_quota){.each_bytes = YR_MAIL_EACH_BYTES * times,
                                     .all_bytes = (uint64_t)YR_MAIL_ALL_BYTES * times,
                                     .day_bytes = YR_MAIL_DAY_BYTES * times,
                                     .each = YR_MAIL_EACH * times,
                                     .all = YR_MAIL_ALL,
                                     .hour = YR_MAIL_HOUR * times};
}

enum yr_err yr_mailbox_new(struct yr_mailbox **out, struct yr_mem *mem, struct yr_rows *rows,
                           const struct yr_rng *rng, const struct yr_mailbox_quota *quota,
                           const struct yr_mailbox_ops *ops)
{
    struct yr_mailbox *mb = yr_alloc(mem, YR_MEM_CHAT, sizeof *mb);

    if (mb == NULL)
        return YR_ENOMEM;
    mb->mem = mem;
    mb->rows = rows;
    mb->rng = rng;
    mb->quota = *quota;
    mb->ops = *ops;
    yr_random(rng, mb->secret, sizeof mb->secret);
    yr_map_init(&mb->tags, mem, YR_MEM_CHAT);
    yr_map_init(&mb->eids, mem, YR_MEM_CHAT);
    *out = mb;
    return YR_OK;
}

/* ---- tags ---- */

// Friends choose tags and ids: under a secret they cannot choose where they go.
static uint64_t hash16(const struct yr_mailbox *mb, const uint8_t tag_or_id[16])
{
    uint8_t out[8];
    struct yr_rd rd;
    uint64_t key;

    yr_siphash(out, mb->secret, tag_or_id, 16);
    rd = yr_rd_init(out, sizeof out);
    key = yr_rd_u64(&rd);
    return key != 0 ? key : 1;
}

static void forget_day(struct yr_mailbox *mb, struct friend_mail *f, size_t at)
{
    struct day *day = f->days[at];

    if (day == NULL)
        return;
    for (size_t i = 0; i < day->count; i++) {
        const uint64_t key = hash16(mb, day->tags[i]);
        if (yr_map_get(&mb->tags, key) == day)
            yr_map_del(&mb->tags, key);
    }
    yr_free(mb->mem, day);
    f->days[at] = NULL;
}

// Tags that somebody has registered already stay his: whoever shares one with him can only lose his
// own letters.
static enum yr_err take_day(struct yr_mailbox *mb, unsigned slot, uint32_t number,
                            const uint8_t *tags, size_t count)
{
    struct friend_mail *f = mb->friends[slot];
    const size_t at = number % YR_MAIL_DAYS;
    struct day *day = yr_alloc(mb->mem, YR_MEM_CHAT, sizeof *day + count * 16);

    if (day == NULL)
        return YR_ENOMEM;
    forget_day(mb, f, at);
    day->slot = slot;
    day->day = number;
    day->count = count;
    memcpy(day->tags, tags, count * 16);
    f->days[at] = day;
    for (size_t i = 0; i < count; i++) {
        const uint64_t key = hash16(mb, day->tags[i]);
        const struct day *had = yr_map_get(&mb->tags, key);
        // One that stands in two of his own days (a sender's clock is wrong) is the later one's,
        // which is kept for longer.
        if ((had == NULL || had->slot == slot) && yr_map_put(&mb->tags, key, day) != YR_OK) {
            forget_day(mb, f, at);
            return YR_ENOMEM;
        }
    }
    return YR_OK;
}

// Whose letter it is; YR_FRIENDS_MAX: nobody's here.
static unsigned receiver(const struct yr_mailbox *mb, const uint8_t tag[16])
{
    const struct day *day = yr_map_get(&mb->tags, hash16(mb, tag));

    for (size_t i = 0; day != NULL && i < day->count; i++)
        if (memcmp(day->tags[i], tag, 16) == 0)
            return day->slot;
    return YR_FRIENDS_MAX;
}

static void day_suffix(uint8_t out[4], uint32_t day)
{
    out[0] = (uint8_t)(day >> 24);
    out[1] = (uint8_t)(day >> 16);
    out[2] = (uint8_t)(day >> 8);
    out[3] = (uint8_t)day;
}

// The days are the friend's: a clock that is wrong, his or ours, costs nothing.
static enum yr_err got_reg(struct yr_mailbox *mb, unsigned slot, const uint8_t *body, size_t len)
{
    struct friend_mail *f = mb->friends[slot];
    struct yr_rd rd = yr_rd_init(body, len);
    const uint32_t day = yr_rd_u32(&rd);
    const size_t left = yr_rd_left(&rd), count = left / 16;
    const uint8_t *tags = yr_rd_bytes(&rd, left);
    uint8_t row[1 + YR_MAIL_TAGS_MAX * 16], suffix[4];
    struct yr_wr wr = yr_wr_init(row, sizeof row);
    const struct day *old;
    enum yr_err err;

    if (rd.bad || left % 16 != 0 || count > YR_MAIL_TAGS_MAX)
        return YR_EPROTO;
    if (!f->consent)
        return YR_OK;
    old = f->days[day % YR_MAIL_DAYS];
    if (old != NULL && old->day == day && old->count == count && memcmp(old->tags, tags, left) == 0)
        return YR_OK; // as it is told over each new link
    if (old != NULL && old->day != day) {
        day_suffix(suffix, old->day);
        yr_rows_del(mb->rows, YR_TABLE_MAILTAG, f->id, 32, suffix, sizeof suffix);
    }
    if ((err = take_day(mb, slot, day, tags, count)) != YR_OK)
        return err;
    yr_wr_u8(&wr, ROW_VERSION);
    yr_wr_bytes(&wr, tags, left);
    day_suffix(suffix, day);
    return yr_rows_put(mb->rows, YR_TABLE_MAILTAG, f->id, 32, suffix, sizeof suffix, row,
                       yr_wr_len(&wr));
}

/* ---- what is kept ---- */

static void mail_suffix(uint8_t out[KEY_LEN], const struct kept *k)
{
    struct yr_wr wr = yr_wr_init(out, KEY_LEN);

    yr_wr_u64be(&wr, k->order);
    yr_wr_bytes(&wr, k->eid, YR_EID_LEN);
}

static struct kept *find_kept(const struct yr_mailbox *mb, const uint8_t *eid)
{
    struct kept *k = yr_map_get(&mb->eids, hash16(mb, eid));

    return k != NULL && memcmp(k->eid, eid, YR_EID_LEN) == 0 ? k : NULL;
}

// Takes over k.
static enum yr_err add_kept(struct yr_mailbox *mb, unsigned slot, struct kept *k)
{
    struct friend_mail *f = mb->friends[slot];
    const size_t cap = f->cap == 0 ? 8 : 2 * f->cap;

    if (f->count == f->cap) {
        struct kept **more = yr_realloc(mb->mem, YR_MEM_CHAT, f->kept, cap * sizeof *more);
        if (more == NULL) {
            yr_free(mb->mem, k);
            return YR_ENOMEM;
        }
        f->kept = more;
        f->cap = cap;
    }
    if (yr_map_put(&mb->eids, hash16(mb, k->eid), k) != YR_OK) {
        yr_free(mb->mem, k);
        return YR_ENOMEM;
    }
    k->slot = slot;
    f->kept[f->count++] = k;
    f->next_order = YR_MAX(f->next_order, k->order + 1);
    f->bytes += k->len;
    mb->bytes += k->len;
    mb->count++;
    return YR_OK;
}

static void free_kept(struct yr_mailbox *mb, struct kept *k)
{
    if (yr_map_get(&mb->eids, hash16(mb, k->eid)) == k)
        yr_map_del(&mb->eids, hash16(mb, k->eid));
    yr_free(mb->mem, k);
}

static void drop_kept(struct yr_mailbox *mb, struct kept *k)
{
    struct friend_mail *f = mb->friends[k->slot];
    size_t low = 0, high = f->count;
    uint8_t suffix[KEY_LEN];

    while (low + 1 < high) {
        const size_t mid = low + (high - low) / 2;
        if (f->kept[mid]->order <= k->order)
            low = mid;
        else
            high = mid;
    }
    YR_ASSERT(f->kept[low] == k);
    mail_suffix(suffix, k);
    yr_rows_del(mb->rows, YR_TABLE_MAIL, f->id, 32, suffix, sizeof suffix);
    f->sending -= k->sent;
    f->bytes -= k->len;
    mb->bytes -= k->len;
    mb->count--;
    memmove(&f->kept[low], &f->kept[low + 1], (f->count - low - 1) * sizeof f->kept[0]);
    f->count--;
    free_kept(mb, k);
}

/* ---- friends ---- */

static enum yr_err load_days(struct yr_mailbox *mb, unsigned slot)
{
    struct friend_mail *f = mb->friends[slot];
    struct yr_row at = {.suffix_len = 0};
    enum yr_seek how = YR_SEEK_GE;
    enum yr_err err;

    while ((err = yr_rows_seek(mb->rows, YR_TABLE_MAILTAG, f->id, 32, how, &at, mb->row,
                               sizeof mb->row)) == YR_OK) {
        struct yr_rd key = yr_rd_init(at.suffix, at.suffix_len);
        const uint32_t high = yr_rd_u16be(&key), day = high << 16 | yr_rd_u16be(&key);
        how = YR_SEEK_GT;
        if (!yr_rd_done(&key) || at.value_len == 0 || mb->row[0] != ROW_VERSION ||
            (at.value_len - 1) % 16 != 0 || (at.value_len - 1) / 16 > YR_MAIL_TAGS_MAX)
            return YR_ECORRUPT;
        if ((err = take_day(mb, slot, day, mb->row + 1, (at.value_len - 1) / 16)) != YR_OK)
            return err;
    }
    return err == YR_ENOENT ? YR_OK : err;
}

static enum yr_err load_one(struct yr_mailbox *mb, unsigned slot, const struct yr_row *at)
{
    struct yr_rd key = yr_rd_init(at->suffix, at->suffix_len);
    struct yr_rd rd = yr_rd_init(mb->row, at->value_len);
    struct kept *k = yr_alloc(mb->mem, YR_MEM_CHAT, sizeof *k);
    const uint8_t version = yr_rd_u8(&rd);

    if (k == NULL)
        return YR_ENOMEM;
    k->order = yr_rd_u64be(&key);
    yr_rd_copy(&key, k->eid, sizeof k->eid);
    k->until_s = yr_rd_u64(&rd);
    k->len = (uint32_t)yr_rd_left(&rd);
    if (!yr_rd_done(&key) || rd.bad || version != ROW_VERSION || k->len == 0) {
        yr_free(mb->mem, k);
        return YR_ECORRUPT;
    }
    return add_kept(mb, slot, k);
}

static enum yr_err load_mail(struct yr_mailbox *mb, unsigned slot)
{
    const struct friend_mail *f = mb->friends[slot];
    struct yr_row at = {.suffix_len = 0};
    enum yr_seek how = YR_SEEK_GE;
    enum yr_err err;

    while ((err = yr_rows_seek(mb->rows, YR_TABLE_MAIL, f->id, 32, how, &at, mb->row,
                               sizeof mb->row)) == YR_OK) {
        how = YR_SEEK_GT;
        if ((err = load_one(mb, slot, &at)) != YR_OK)
            break;
    }
    return err == YR_ENOENT ? YR_OK : err;
}

static void free_friend(struct yr_mailbox *mb, unsigned slot)
{
    struct friend_mail *f = mb->friends[slot];

    if (f == NULL)
        return;
    for (size_t i = 0; i < YR_MAIL_DAYS; i++)
        forget_day(mb, f, i);
    for (size_t i = 0; i < f->count; i++)
        free_kept(mb, f->kept[i]);
    mb->bytes -= f->bytes;
    mb->count -= f->count;
    yr_free(mb->mem, f->kept);
    yr_free(mb->mem, f->answers);
    yr_free(mb->mem, f);
    mb->friends[slot] = NULL;
}

static void erase(struct yr_mailbox *mb, struct friend_mail *f)
{
    uint8_t suffix[4];

    while (f->count > 0)
        drop_kept(mb, f->kept[f->count - 1]);
    for (size_t i = 0; i < YR_MAIL_DAYS; i++) {
        if (f->days[i] == NULL)
            continue;
        day_suffix(suffix, f->days[i]->day);
        yr_rows_del(mb->rows, YR_TABLE_MAILTAG, f->id, 32, suffix, sizeof suffix);
        forget_day(mb, f, i);
    }
}

enum yr_err yr_mailbox_enter(struct yr_mailbox *mb, unsigned slot, const uint8_t id[32],
                             bool consent)
{
    struct friend_mail *f;
    enum yr_err err;

    YR_ASSERT(slot < YR_FRIENDS_MAX);
    free_friend(mb, slot);
    if ((f = yr_alloc(mb->mem, YR_MEM_CHAT, sizeof *f)) == NULL)
        return YR_ENOMEM;
    memcpy(f->id, id, sizeof f->id);
    f->consent = consent;
    f->next_order = 1;
    f->day_bytes = (double)mb->quota.day_bytes;
    f->hour = (double)mb->quota.hour;
    f->strange = YR_MAIL_STRANGE;
    mb->friends[slot] = f;
    err = load_days(mb, slot);
    if (err == YR_OK)
        err = load_mail(mb, slot);
    if (err != YR_OK)
        free_friend(mb, slot);
    else if (!consent)
        erase(mb, f); // it was withdrawn while we were not there
    return err;
}

void yr_mailbox_remove(struct yr_mailbox *mb, unsigned slot)
{
    YR_ASSERT(slot < YR_FRIENDS_MAX);
    if (mb->friends[slot] == NULL)
        return;
    erase(mb, mb->friends[slot]);
    free_friend(mb, slot);
}

void yr_mailbox_reset(struct yr_mailbox *mb)
{
    for (unsigned slot = 0; slot < YR_FRIENDS_MAX; slot++)
        free_friend(mb, slot);
}

void yr_mailbox_free(struct yr_mailbox *mb)
{
    if (mb == NULL)
        return;
    yr_mailbox_reset(mb);
    yr_map_clear(&mb->tags);
    yr_map_clear(&mb->eids);
    yr_free(mb->mem, mb);
}

/* ---- telling ---- */

static void tell_offer(struct yr_mailbox *mb, unsigned slot)
{
    const struct friend_mail *f = mb->friends[slot];
    uint8_t body[5];
    struct yr_wr wr = yr_wr_init(body, sizeof body);

    if (!f->up)
        return;
    yr_wr_u32(&wr, f->consent ? (uint32_t)YR_MIN(mb->quota.each_bytes, (uint64_t)UINT32_MAX) : 0);
    yr_wr_u8(&wr, f->consent ? YR_ENVELOPE_DAYS : 0);
    (void)!mb->ops.frame(mb->ops.ctx, slot, YR_FRAME_MBX_OFFER, body, sizeof body);
}

// What is new and durable, oldest first.
static void tell_list(struct yr_mailbox *mb, unsigned slot)
{
    struct friend_mail *f = mb->friends[slot];
    uint8_t body[YR_MAIL_LIST_MAX * YR_EID_LEN];
    size_t at = 0;

    if (!f->up || f->listed_token > mb->durable)
        return;
    while (at < f->count) {
        struct yr_wr wr = yr_wr_init(body, sizeof body);
        const size_t first = at;
        while (at < f->count && yr_wr_len(&wr) < sizeof body) {
            if (!f->kept[at]->listed)
                yr_wr_bytes(&wr, f->kept[at]->eid, YR_EID_LEN);
            at++;
        }
        if (yr_wr_len(&wr) == 0)
            return;
        if (mb->ops.frame(mb->ops.ctx, slot, YR_FRAME_MBX_LIST, body, yr_wr_len(&wr)) != YR_OK)
            return; // when there is room again
        for (size_t i = first; i < at; i++)
            f->kept[i]->listed = true;
    }
}

static void tell_answers(struct yr_mailbox *mb, unsigned slot)
{
    struct friend_mail *f = mb->friends[slot];
    uint8_t body[YR_MAIL_ACKS_MAX * (1 + YR_EID_LEN)];
    struct yr_wr wr = yr_wr_init(body, sizeof body);
    size_t n = 0;

    while (n < f->answer_count && f->answers[n].token <= mb->durable) {
        yr_env_ack_put(&wr, (enum yr_env_status)f->answers[n].status, f->answers[n].eid);
        n++;
    }
    if (n == 0 || !f->up ||
        mb->ops.frame(mb->ops.ctx, slot, YR_FRAME_ENV_ACK, body, yr_wr_len(&wr)) != YR_OK)
        return;
    f->answer_count -= n;
    memmove(f->answers, f->answers + n, f->answer_count * sizeof *f->answers);
}

static enum yr_err answer(struct yr_mailbox *mb, unsigned slot, enum yr_env_status status,
                          const uint8_t eid[YR_EID_LEN], uint64_t token)
{
    struct friend_mail *f = mb->friends[slot];

    if (f->answers == NULL &&
        (f->answers = yr_alloc(mb->mem, YR_MEM_CHAT, YR_MAIL_ACKS_MAX * sizeof *f->answers)) ==
            NULL)
        return YR_ENOMEM;
    if (f->answer_count == YR_MAIL_ACKS_MAX)
        return YR_EPROTO;
    struct answer *a = &f->answers[f->answer_count++];
    a->status = (uint8_t)status;
    memcpy(a->eid, eid, sizeof a->eid);
    // In the order they were asked for: those behind one that waits wait too.
    a->token = token;
    tell_answers(mb, slot);
    return YR_OK;
}

// Send what was asked for, oldest first.
static enum yr_err send_wanted(struct yr_mailbox *mb, unsigned slot)
{
    struct friend_mail *f = mb->friends[slot];
    uint8_t suffix[KEY_LEN];
    size_t len;

    for (size_t i = 0; f->up && i < f->count && f->sending < YR_MAIL_SEND_MAX; i++) {
        struct kept *k = f->kept[i];
        if (!k->wanted || k->sent)
            continue;
        mail_suffix(suffix, k);
        const enum yr_err err = yr_rows_get(mb->rows, YR_TABLE_MAIL, f->id, 32, suffix,
                                            sizeof suffix, mb->row, sizeof mb->row, &len);
        if (err != YR_OK)
            return err == YR_ENOENT ? YR_ECORRUPT : err;
        if (mb->ops.frame(mb->ops.ctx, slot, YR_FRAME_ENV_PUT, mb->row + MAIL_HEAD,
                          len - MAIL_HEAD) != YR_OK)
            return YR_OK;
        k->sent = true;
        f->sending++;
        mb->counters[SENT]++;
    }
    return YR_OK;
}

void yr_mailbox_up(struct yr_mailbox *mb, unsigned slot)
{
    struct friend_mail *f = mb->friends[slot];

    if (f == NULL)
        return;
    f->up = true;
    f->answer_count = 0; // for questions over the last link, which come again by this one
    f->sending = 0;
    for (size_t i = 0; i < f->count; i++)
        f->kept[i]->listed = f->kept[i]->wanted = f->kept[i]->sent = false;
    if (f->consent)
        tell_offer(mb, slot);
    tell_list(mb, slot);
}

void yr_mailbox_down(struct yr_mailbox *mb, unsigned slot)
{
    struct friend_mail *f = mb->friends[slot];

    if (f == NULL)
        return;
    f->up = false;
    yr_free(mb->mem, f->answers);
    f->answers = NULL;
    f->answer_count = 0;
}

void yr_mailbox_room(struct yr_mailbox *mb, unsigned slot)
{
    if (mb->friends[slot] == NULL)
        return;
    tell_answers(mb, slot);
    tell_list(mb, slot);
    (void)!send_wanted(mb, slot);
}

void yr_mailbox_limit(struct yr_mailbox *mb, const struct yr_mailbox_quota *quota)
{
    const bool told = mb->quota.each_bytes == quota->each_bytes;

    mb->quota = *quota;
    for (unsigned slot = 0; !told && slot < YR_FRIENDS_MAX; slot++)
        if (mb->friends[slot] != NULL && mb->friends[slot]->consent)
            tell_offer(mb, slot);
}

bool yr_mailbox_waits(const struct yr_mailbox *mb, const uint8_t tag[16])
{
    return receiver(mb, tag) != YR_FRIENDS_MAX;
}

void yr_mailbox_consent(struct yr_mailbox *mb, unsigned slot, bool consent)
{
    struct friend_mail *f = mb->friends[slot];

    if (f == NULL || f->consent == consent)
        return;
    f->consent = consent;
    if (!consent)
        erase(mb, f);
    tell_offer(mb, slot);
}

/* ---- frames ---- */

static enum yr_err got_get(struct yr_mailbox *mb, unsigned slot, const uint8_t *body, size_t len)
{
    if (len == 0 || len % YR_EID_LEN != 0 || len / YR_EID_LEN > YR_MAIL_LIST_MAX)
        return YR_EPROTO;
    for (size_t at = 0; at < len; at += YR_EID_LEN) {
        struct kept *k = find_kept(mb, body + at);
        if (k != NULL && k->slot == slot && k->listed)
            k->wanted = true;
    }
    return send_wanted(mb, slot);
}

// A depositor may ask for any id: it tells him only what he knows already, that it exists.
static enum yr_err got_ask(struct yr_mailbox *mb, unsigned slot, const uint8_t *body, size_t len)
{
    enum yr_err err = YR_OK;

    if (len == 0 || len % YR_EID_LEN != 0 || len / YR_EID_LEN > YR_MAIL_ACKS_MAX)
        return YR_EPROTO;
    for (size_t at = 0; err == YR_OK && at < len; at += YR_EID_LEN) {
        const bool here = find_kept(mb, body + at) != NULL;
        err = answer(mb, slot, here ? YR_ENV_CUSTODY : YR_ENV_GONE, body + at,
                     yr_rows_pending(mb->rows));
    }
    return err;
}

enum yr_err yr_mailbox_frame(struct yr_mailbox *mb, unsigned slot, uint8_t type,
                             const uint8_t *body, size_t len)
{
    YR_ASSERT(slot < YR_FRIENDS_MAX);
    if (mb->friends[slot] == NULL)
        return YR_OK;
    switch (type) {
    case YR_FRAME_MBX_REG: return got_reg(mb, slot, body, len);
    case YR_FRAME_MBX_GET: return got_get(mb, slot, body, len);
    case YR_FRAME_MBX_ASK: return got_ask(mb, slot, body, len);
    default: return YR_OK;
    }
}

/* ---- deposits ---- */

static bool within_rate(struct yr_mailbox *mb, struct friend_mail *f, struct yr_now now, size_t len)
{
    const double seconds = (double)(now.mono_us - f->refilled_us) / (double)YR_S;
    const double bytes = (double)mb->quota.day_bytes, hour = (double)mb->quota.hour;

    f->refilled_us = now.mono_us;
    f->day_bytes = YR_MIN(bytes, f->day_bytes + seconds * bytes / YR_DAY_S);
    f->hour = YR_MIN(hour, f->hour + seconds * hour / 3600);
    if (f->hour < 1 || f->day_bytes < (double)len)
        return false;
    f->hour--;
    f->day_bytes -= (double)len;
    return true;
}

// For whom nobody here waits: an honest friend finds that out and remembers.
static bool may_err(struct friend_mail *f, struct yr_now now)
{
    f->strange =
        YR_MIN(YR_MAIL_STRANGE, f->strange + (double)(now.mono_us - f->strange_us) / (double)YR_S);
    f->strange_us = now.mono_us;
    if (f->strange < 1)
        return false;
    f->strange--;
    return true;
}

static enum yr_err keep(struct yr_mailbox *mb, uint64_t now_s, unsigned slot,
                        const uint8_t eid[YR_EID_LEN], const uint8_t *envelope, size_t len,
                        uint32_t exp_s)
{
    const uint64_t least = now_s + YR_MAIL_LIFE_S_MIN;
    const uint64_t most = now_s + (uint64_t)YR_MAIL_LIFE_DAYS * YR_DAY_S;
    struct friend_mail *to = mb->friends[slot];
    struct kept *k = yr_alloc(mb->mem, YR_MEM_CHAT, sizeof *k);
    struct yr_wr wr = yr_wr_init(mb->row, sizeof mb->row);
    uint8_t suffix[KEY_LEN];

    if (k == NULL)
        return YR_ENOMEM;
    k->order = to->next_order;
    k->len = (uint32_t)len;
    k->until_s = YR_MIN(YR_MAX((uint64_t)exp_s, least), most);
    memcpy(k->eid, eid, sizeof k->eid);
    yr_wr_u8(&wr, ROW_VERSION);
    yr_wr_u64(&wr, k->until_s);
    yr_wr_bytes(&wr, envelope, len);
    YR_ASSERT(yr_wr_ok(&wr));
    mail_suffix(suffix, k);
    if (add_kept(mb, slot, k) != YR_OK)
        return YR_ENOMEM;
    mb->counters[KEPT]++;
    to->listed_token = yr_rows_pending(mb->rows);
    return yr_rows_put(mb->rows, YR_TABLE_MAIL, to->id, 32, suffix, sizeof suffix, mb->row,
                       yr_wr_len(&wr));
}

enum yr_err yr_mailbox_deposit(struct yr_mailbox *mb, struct yr_now now, uint64_t now_s,
                               unsigned slot, const uint8_t *envelope, size_t len)
{
    struct friend_mail *from = mb->friends[slot];
    const struct friend_mail *to;
    uint8_t tag[16], eid[YR_EID_LEN];
    uint32_t exp_s;
    unsigned at;
    enum yr_err err;

    if (from == NULL || yr_envelope_peek(envelope, len, &exp_s, tag) != YR_OK)
        return YR_OK;
    yr_envelope_id(eid, envelope, len);
    at = receiver(mb, tag);
    if (at == YR_FRIENDS_MAX || at == slot) {
        mb->counters[NO_TAG]++;
        if (!may_err(from, now))
            return YR_EPROTO;
        return answer(mb, slot, YR_ENV_NO_TAG, eid, 0);
    }
    if (find_kept(mb, eid) != NULL) {
        mb->counters[DUPLICATE]++;
        return answer(mb, slot, YR_ENV_CUSTODY, eid, yr_rows_pending(mb->rows));
    }
    to = mb->friends[at];
    if (to->count >= mb->quota.each || to->bytes + len > mb->quota.each_bytes ||
        mb->count >= mb->quota.all || mb->bytes + len > mb->quota.all_bytes) {
        mb->counters[FULL]++;
        return answer(mb, slot, YR_ENV_FULL, eid, 0);
    }
    if (!within_rate(mb, from, now, len)) {
        mb->counters[RATE]++;
        return answer(mb, slot, YR_ENV_FULL, eid, 0);
    }
    if ((err = keep(mb, now_s, at, eid, envelope, len, exp_s)) != YR_OK)
        return err;
    return answer(mb, slot, YR_ENV_CUSTODY, eid, yr_rows_pending(mb->rows));
}

void yr_mailbox_acked(struct yr_mailbox *mb, unsigned slot, const uint8_t eid[YR_EID_LEN])
{
    struct kept *k = find_kept(mb, eid);

    if (k == NULL || k->slot != slot || !k->listed)
        return;
    mb->counters[TAKEN]++;
    drop_kept(mb, k);
    (void)!send_wanted(mb, slot);
}

/* ---- time ---- */

void yr_mailbox_release(struct yr_mailbox *mb, uint64_t durable)
{
    mb->durable = durable;
    for (unsigned slot = 0; slot < YR_FRIENDS_MAX; slot++) {
        if (mb->friends[slot] == NULL || !mb->friends[slot]->up)
            continue;
        tell_answers(mb, slot);
        tell_list(mb, slot);
    }
}

void yr_mailbox_expire(struct yr_mailbox *mb, uint64_t now_s)
{
    for (unsigned slot = 0; slot < YR_FRIENDS_MAX; slot++) {
        const struct friend_mail *f = mb->friends[slot];
        for (size_t i = f != NULL ? f->count : 0; i-- > 0;)
            if (f->kept[i]->until_s <= now_s) {
                drop_kept(mb, f->kept[i]);
                mb->counters[EXPIRED]++;
            }
    }
}

void yr_mailbox_info(const struct yr_mailbox *mb, unsigned slot, struct yr_mailbox_info *out)
{
    const struct friend_mail *f = mb->friends[slot];

    memset(out, 0, sizeof *out);
    if (f == NULL)
        return;
    out->consent = f->consent;
    out->kept = f->count;
    out->bytes = f->bytes;
    for (size_t i = 0; i < YR_MAIL_DAYS; i++)
        out->registered |= f->days[i] != NULL && f->days[i]->count > 0;
}

struct yr_counter yr_mailbox_counter(const struct yr_mailbox *mb, size_t i)
{
    if (i >= YR_COUNT(counter_names))
        return (struct yr_counter){NULL, 0};
    return (struct yr_counter){counter_names[i], mb->counters[i]};
}
