#include "core/delivery/mailbox_state.h"

#define KEEPER 16

static const char *const counter_names[YR_MB_COUNTERS] = {
    "mail.kept", "mail.duplicate", "mail.refused.tag", "mail.refused.full", "mail.refused.rate",
    "mail.sent", "mail.taken",     "mail.expired",     "mail.withdrawn"};

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
    yr_eids_init(&mb->given, mem, rows, rng, YR_EIDS_GIVEN);
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

static void forget_day(struct yr_mailbox *mb, struct yr_mb_friend *f, size_t at)
{
    struct yr_mb_day *day = f->days[at];

    if (day == NULL)
        return;
    for (size_t i = 0; i < day->count; i++) {
        const uint64_t key = hash16(mb, day->tags[i]);
        if (yr_map_get(&mb->tags, key) == day)
            yr_map_del(&mb->tags, key);
    }
    mb->tag_count -= day->count;
    yr_free(mb->mem, day);
    f->days[at] = NULL;
}

// Tags that somebody has registered already stay his: whoever shares one with him can only lose his
// own letters.
enum yr_err yr_mb_take_day(struct yr_mailbox *mb, unsigned slot, uint32_t number,
                           const uint8_t *tags, size_t count)
{
    struct yr_mb_friend *f = mb->friends[slot];
    const size_t at = number % YR_MAIL_DAYS;
    struct yr_mb_day *day;

    forget_day(mb, f, at);
    if (mb->tag_count + count > YR_MAIL_TAGS_ALL)
        return YR_EFULL;
    if ((day = yr_alloc(mb->mem, YR_MEM_CHAT, sizeof *day + count * 16)) == NULL)
        return YR_ENOMEM;
    mb->tag_count += count;
    day->slot = slot;
    day->day = number;
    day->count = count;
    memcpy(day->tags, tags, count * 16);
    f->days[at] = day;
    for (size_t i = 0; i < count; i++) {
        const uint64_t key = hash16(mb, day->tags[i]);
        const struct yr_mb_day *had = yr_map_get(&mb->tags, key);
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
    const struct yr_mb_day *day = yr_map_get(&mb->tags, hash16(mb, tag));

    for (size_t i = 0; day != NULL && i < day->count; i++)
        if (memcmp(day->tags[i], tag, 16) == 0)
            return day->slot;
    return YR_FRIENDS_MAX;
}

// One from a bucket of `max` that fills by one a second.
static bool may(double *left, yr_us *at, double max, struct yr_now now)
{
    *left = YR_MIN(max, *left + (double)(now.mono_us - *at) / (double)YR_S);
    *at = now.mono_us;
    if (*left < 1)
        return false;
    --*left;
    return true;
}

// The days are the friend's: a clock that is wrong, his or ours, costs nothing.
static enum yr_err got_reg(struct yr_mailbox *mb, struct yr_now now, unsigned slot,
                           const uint8_t *body, size_t len)
{
    struct yr_mb_friend *f = mb->friends[slot];
    struct yr_rd rd = yr_rd_init(body, len);
    const uint32_t day = yr_rd_u32(&rd);
    const size_t left = yr_rd_left(&rd), count = left / 16;
    const uint8_t *tags = yr_rd_bytes(&rd, left);
    const struct yr_mb_day *old;
    enum yr_err err;

    if (rd.bad || left % 16 != 0 || count > YR_MAIL_TAGS_MAX)
        return YR_EPROTO;
    if (!f->consent)
        return YR_OK;
    old = f->days[day % YR_MAIL_DAYS];
    if (old != NULL && old->day == day && old->count == count && memcmp(old->tags, tags, left) == 0)
        return YR_OK; // as it is told over each new link
    if (!may(&f->regs, &f->regs_us, YR_MAIL_REGS, now))
        return YR_EPROTO;
    if (old != NULL && old->day != day)
        yr_mb_day_del(mb, f, old->day);
    if ((err = yr_mb_take_day(mb, slot, day, tags, count)) != YR_OK) {
        yr_mb_day_del(mb, f, day);
        return err == YR_EFULL ? YR_OK : err;
    }
    return yr_mb_day_put(mb, f, day, tags, count);
}

/* ---- what is kept ---- */

static struct yr_mb_kept *find_kept(const struct yr_mailbox *mb, const uint8_t *eid)
{
    struct yr_mb_kept *k = yr_map_get(&mb->eids, hash16(mb, eid));

    return k != NULL && memcmp(k->eid, eid, YR_EID_LEN) == 0 ? k : NULL;
}

enum yr_err yr_mb_add(struct yr_mailbox *mb, unsigned slot, struct yr_mb_kept *k)
{
    struct yr_mb_friend *f = mb->friends[slot];
    const size_t cap = f->cap == 0 ? 8 : 2 * f->cap;

    if (f->count == f->cap) {
        struct yr_mb_kept **more = yr_realloc(mb->mem, YR_MEM_CHAT, f->kept, cap * sizeof *more);
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

static void free_kept(struct yr_mailbox *mb, struct yr_mb_kept *k)
{
    if (yr_map_get(&mb->eids, hash16(mb, k->eid)) == k)
        yr_map_del(&mb->eids, hash16(mb, k->eid));
    yr_free(mb->mem, k);
}

static void drop_kept(struct yr_mailbox *mb, struct yr_mb_kept *k)
{
    struct yr_mb_friend *f = mb->friends[k->slot];
    size_t low = 0, high = f->count;

    while (low + 1 < high) {
        const size_t mid = low + (high - low) / 2;
        if (f->kept[mid]->order <= k->order)
            low = mid;
        else
            high = mid;
    }
    YR_ASSERT(f->kept[low] == k);
    yr_mb_mail_del(mb, f, k);
    f->told -= low < f->told;
    f->next_send -= low < f->next_send;
    f->sending -= k->sent;
    f->bytes -= k->len;
    mb->bytes -= k->len;
    mb->count--;
    memmove(&f->kept[low], &f->kept[low + 1], (f->count - low - 1) * sizeof f->kept[0]);
    f->count--;
    free_kept(mb, k);
}

/* ---- friends ---- */

static void free_friend(struct yr_mailbox *mb, unsigned slot)
{
    struct yr_mb_friend *f = mb->friends[slot];

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

static void erase(struct yr_mailbox *mb, struct yr_mb_friend *f)
{
    mb->counters[YR_MB_N_WITHDRAWN] += f->count;
    while (f->count > 0)
        drop_kept(mb, f->kept[f->count - 1]);
    for (size_t i = 0; i < YR_MAIL_DAYS; i++) {
        if (f->days[i] == NULL)
            continue;
        yr_mb_day_del(mb, f, f->days[i]->day);
        forget_day(mb, f, i);
    }
}

enum yr_err yr_mailbox_enter(struct yr_mailbox *mb, unsigned slot, const uint8_t id[32],
                             bool consent)
{
    struct yr_mb_friend *f;
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
    f->regs = YR_MAIL_REGS;
    mb->friends[slot] = f;
    err = yr_mb_load(mb, slot);
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
    yr_mailbox_flush(mb);
    free_friend(mb, slot);
}

void yr_mailbox_reset(struct yr_mailbox *mb)
{
    for (unsigned slot = 0; slot < YR_FRIENDS_MAX; slot++)
        free_friend(mb, slot);
    yr_eids_clear(&mb->given);
}

enum yr_err yr_mailbox_start(struct yr_mailbox *mb)
{
    return yr_eids_load(&mb->given);
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
    const struct yr_mb_friend *f = mb->friends[slot];
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
    struct yr_mb_friend *f = mb->friends[slot];
    uint8_t body[YR_MAIL_LIST_MAX * YR_EID_LEN];

    while (f->up && f->listed_token <= mb->durable && f->told < f->count) {
        struct yr_wr wr = yr_wr_init(body, sizeof body);
        const size_t first = f->told;
        size_t at = first;

        while (at < f->count && yr_wr_len(&wr) < sizeof body)
            yr_wr_bytes(&wr, f->kept[at++]->eid, YR_EID_LEN);
        if (mb->ops.frame(mb->ops.ctx, slot, YR_FRAME_MBX_LIST, body, yr_wr_len(&wr)) != YR_OK)
            return; // when there is room again
        for (size_t i = first; i < at; i++)
            f->kept[i]->listed = true;
        f->told = at;
    }
}

static void tell_answers(struct yr_mailbox *mb, unsigned slot)
{
    struct yr_mb_friend *f = mb->friends[slot];
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
    struct yr_mb_friend *f = mb->friends[slot];

    if (f->answers == NULL &&
        (f->answers = yr_alloc(mb->mem, YR_MEM_CHAT, YR_MAIL_ACKS_MAX * sizeof *f->answers)) ==
            NULL)
        return YR_ENOMEM;
    if (f->answer_count == YR_MAIL_ACKS_MAX)
        return YR_EPROTO;
    struct yr_mb_answer *a = &f->answers[f->answer_count++];
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
    struct yr_mb_friend *f = mb->friends[slot];
    const uint8_t *envelope;
    size_t len;

    for (; f->up && f->next_send < f->count && f->sending < YR_MAIL_SEND_MAX; f->next_send++) {
        struct yr_mb_kept *k = f->kept[f->next_send];
        if (!k->wanted || k->sent)
            continue;
        const enum yr_err err = yr_mb_mail_get(mb, f, k, &envelope, &len);
        if (err != YR_OK)
            return err;
        if (mb->ops.frame(mb->ops.ctx, slot, YR_FRAME_ENV_PUT, envelope, len) != YR_OK)
            return YR_OK;
        k->sent = true;
        f->sending++;
        mb->counters[YR_MB_N_SENT]++;
    }
    return YR_OK;
}

void yr_mailbox_up(struct yr_mailbox *mb, unsigned slot)
{
    struct yr_mb_friend *f = mb->friends[slot];

    if (f == NULL)
        return;
    f->up = true;
    f->answer_count = 0; // for questions over the last link, which come again by this one
    f->sending = f->told = f->next_send = 0;
    for (size_t i = 0; i < f->count; i++)
        f->kept[i]->listed = f->kept[i]->wanted = f->kept[i]->sent = false;
    if (f->consent)
        tell_offer(mb, slot);
    tell_list(mb, slot);
}

void yr_mailbox_down(struct yr_mailbox *mb, unsigned slot)
{
    struct yr_mb_friend *f = mb->friends[slot];

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
    struct yr_mb_friend *f = mb->friends[slot];
    const size_t dropped = f != NULL && !consent ? f->count : 0;

    if (f == NULL || f->consent == consent)
        return;
    f->consent = consent;
    if (!consent)
        erase(mb, f);
    for (unsigned i = 0; i < YR_FRIENDS_MAX; i++) // who left it is not known: whoever did, asks
        if (i == slot || (dropped > 0 && mb->friends[i] != NULL))
            tell_offer(mb, i);
}

/* ---- frames ---- */

static enum yr_err got_get(struct yr_mailbox *mb, unsigned slot, const uint8_t *body, size_t len)
{
    if (len == 0 || len % YR_EID_LEN != 0 || len / YR_EID_LEN > YR_MAIL_LIST_MAX)
        return YR_EPROTO;
    for (size_t at = 0; at < len; at += YR_EID_LEN) {
        struct yr_mb_kept *k = find_kept(mb, body + at);
        if (k != NULL && k->slot == slot && k->listed)
            k->wanted = true;
    }
    mb->friends[slot]->next_send = 0;
    return send_wanted(mb, slot);
}

// A depositor may ask for any id: it tells him only what he knows already, that it exists.
static enum yr_err got_ask(struct yr_mailbox *mb, unsigned slot, const uint8_t *body, size_t len)
{
    enum yr_err err = YR_OK;

    if (len == 0 || len % YR_EID_LEN != 0 || len / YR_EID_LEN > YR_MAIL_ACKS_MAX)
        return YR_EPROTO;
    for (size_t at = 0; err == YR_OK && at < len; at += YR_EID_LEN) {
        const enum yr_env_status status = find_kept(mb, body + at) != NULL ? YR_ENV_CUSTODY
                                          : yr_eids_find(&mb->given, body + at) != NULL
                                              ? YR_ENV_DONE
                                              : YR_ENV_GONE;
        err = answer(mb, slot, status, body + at, yr_rows_pending(mb->rows));
    }
    return err;
}

enum yr_err yr_mailbox_frame(struct yr_mailbox *mb, struct yr_now now, unsigned slot, uint8_t type,
                             const uint8_t *body, size_t len)
{
    YR_ASSERT(slot < YR_FRIENDS_MAX);
    if (mb->friends[slot] == NULL)
        return YR_OK;
    switch (type) {
    case YR_FRAME_MBX_REG: return got_reg(mb, now, slot, body, len);
    case YR_FRAME_MBX_GET: return got_get(mb, slot, body, len);
    case YR_FRAME_MBX_ASK: return got_ask(mb, slot, body, len);
    default: return YR_OK;
    }
}

/* ---- deposits ---- */

static bool within_rate(struct yr_mailbox *mb, struct yr_mb_friend *f, struct yr_now now,
                        size_t len)
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

// When a box is more than half full, nobody gets more of it than half: one friend's friend cannot
// keep the others' letters out.
static bool over_share(const struct yr_mailbox *mb, const struct yr_mb_friend *to, unsigned from,
                       size_t len)
{
    uint64_t bytes = len;
    size_t count = 1;

    if (to->count < mb->quota.each / 2 && to->bytes + len <= mb->quota.each_bytes / 2)
        return false;
    for (size_t i = 0; i < to->count; i++)
        if (to->kept[i]->from == from) {
            bytes += to->kept[i]->len;
            count++;
        }
    return count > mb->quota.each / 2 || bytes > mb->quota.each_bytes / 2;
}

static enum yr_err keep(struct yr_mailbox *mb, uint64_t now_s, unsigned slot, unsigned from,
                        const uint8_t eid[YR_EID_LEN], const uint8_t *envelope, size_t len,
                        uint32_t exp_s)
{
    const uint64_t least = now_s + YR_MAIL_LIFE_S_MIN;
    const uint64_t most = now_s + (uint64_t)YR_MAIL_LIFE_DAYS * YR_DAY_S;
    struct yr_mb_friend *to = mb->friends[slot];
    struct yr_mb_kept *k = yr_alloc(mb->mem, YR_MEM_CHAT, sizeof *k);

    if (k == NULL)
        return YR_ENOMEM;
    k->order = to->next_order;
    k->from = from;
    k->len = (uint32_t)len;
    k->until_s = YR_MIN(YR_MAX((uint64_t)exp_s, least), most);
    memcpy(k->eid, eid, sizeof k->eid);
    if (yr_mb_add(mb, slot, k) != YR_OK)
        return YR_ENOMEM;
    mb->counters[YR_MB_N_KEPT]++;
    to->listed_token = yr_rows_pending(mb->rows);
    return yr_mb_mail_put(mb, to, k, envelope);
}

enum yr_err yr_mailbox_deposit(struct yr_mailbox *mb, struct yr_now now, uint64_t now_s,
                               unsigned slot, const uint8_t *envelope, size_t len)
{
    struct yr_mb_friend *from = mb->friends[slot];
    const struct yr_mb_friend *to;
    uint8_t tag[16], eid[YR_EID_LEN];
    uint32_t exp_s;
    unsigned at;
    enum yr_err err;

    if (from == NULL || yr_envelope_peek(envelope, len, &exp_s, tag) != YR_OK)
        return YR_OK;
    yr_envelope_id(eid, envelope, len);
    at = receiver(mb, tag);
    if (at == YR_FRIENDS_MAX || at == slot) {
        mb->counters[YR_MB_N_NO_TAG]++;
        // An honest friend finds that out and remembers.
        if (!may(&from->strange, &from->strange_us, YR_MAIL_STRANGE, now))
            return YR_EPROTO;
        return answer(mb, slot, YR_ENV_NO_TAG, eid, 0);
    }
    if (find_kept(mb, eid) != NULL) {
        mb->counters[YR_MB_N_DUPLICATE]++;
        return answer(mb, slot, YR_ENV_CUSTODY, eid, yr_rows_pending(mb->rows));
    }
    to = mb->friends[at];
    if (to->count >= mb->quota.each || to->bytes + len > mb->quota.each_bytes ||
        mb->count >= mb->quota.all || mb->bytes + len > mb->quota.all_bytes ||
        over_share(mb, to, slot, len)) {
        mb->counters[YR_MB_N_FULL]++;
        from->refused++;
        return answer(mb, slot, YR_ENV_FULL, eid, 0);
    }
    if (!within_rate(mb, from, now, len)) {
        mb->counters[YR_MB_N_RATE]++;
        from->refused++;
        return answer(mb, slot, YR_ENV_FULL, eid, 0);
    }
    if ((err = keep(mb, now_s, at, slot, eid, envelope, len, exp_s)) != YR_OK)
        return err;
    from->left++;
    from->left_bytes += len;
    return answer(mb, slot, YR_ENV_CUSTODY, eid, yr_rows_pending(mb->rows));
}

void yr_mailbox_acked(struct yr_mailbox *mb, unsigned slot, const uint8_t eid[YR_EID_LEN])
{
    struct yr_mb_kept *k = find_kept(mb, eid);
    struct yr_seen seen = {.kind = YR_SEEN_NOTHING};

    if (k == NULL || k->slot != slot || !k->listed)
        return;
    memcpy(seen.eid, eid, sizeof seen.eid);
    yr_eids_add(&mb->given, &seen);
    mb->counters[YR_MB_N_TAKEN]++;
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
        const struct yr_mb_friend *f = mb->friends[slot];
        for (size_t i = f != NULL ? f->count : 0; i-- > 0;)
            if (f->kept[i]->until_s <= now_s) {
                drop_kept(mb, f->kept[i]);
                mb->counters[YR_MB_N_EXPIRED]++;
            }
    }
}

void yr_mailbox_info(const struct yr_mailbox *mb, unsigned slot, struct yr_mailbox_info *out)
{
    const struct yr_mb_friend *f = mb->friends[slot];

    memset(out, 0, sizeof *out);
    if (f == NULL)
        return;
    out->consent = f->consent;
    out->kept = f->count;
    out->bytes = f->bytes;
    out->left = f->left;
    out->left_bytes = f->left_bytes;
    out->refused = f->refused;
    for (size_t i = 0; i < YR_MAIL_DAYS; i++)
        out->registered |= f->days[i] != NULL && f->days[i]->count > 0;
}

struct yr_counter yr_mailbox_counter(const struct yr_mailbox *mb, size_t i)
{
    if (i >= YR_COUNT(counter_names))
        return (struct yr_counter){NULL, 0};
    return (struct yr_counter){counter_names[i], mb->counters[i]};
}
