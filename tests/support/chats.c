#include "tests/support/chats.h"

#include "tests/support/test.h"

static const uint8_t vault_key[32] = {1, 2, 3};

static enum yr_err deliver(void *ctx, const uint8_t conv[YR_ID_LEN],
                           const uint8_t id[YR_MSG_ID_LEN], const uint8_t *plain, size_t len)
{
    struct talker *t = ctx;
    struct parcel *parcel;

    if (t->refuse != YR_OK)
        return t->refuse;
    if (t->out_count == t->out_cap) {
        t->out_cap = t->out_cap > 0 ? 2 * t->out_cap : 64;
        t->out = realloc(t->out, t->out_cap * sizeof *t->out);
        assert_non_null(t->out);
    }
    parcel = &t->out[t->out_count++];
    memcpy(parcel->conv, conv, YR_ID_LEN);
    memcpy(parcel->id, id, YR_MSG_ID_LEN);
    parcel->bytes = malloc(len);
    assert_non_null(parcel->bytes);
    memcpy(parcel->bytes, plain, len);
    parcel->len = len;
    parcel->recalled = false;
    return YR_OK;
}

static bool recall(void *ctx, const uint8_t conv[YR_ID_LEN], const uint8_t id[YR_MSG_ID_LEN])
{
    struct talker *t = ctx;

    for (size_t i = 0; t->recallable && i < t->out_count; i++)
        if (!t->out[i].recalled && memcmp(t->out[i].conv, conv, YR_ID_LEN) == 0 &&
            memcmp(t->out[i].id, id, YR_MSG_ID_LEN) == 0)
            return t->out[i].recalled = true;
    return false;
}

static void forget_out(struct talker *t, size_t kept)
{
    while (t->out_count > kept)
        free(t->out[--t->out_count].bytes);
}

static enum yr_err start(struct talker *t)
{
    enum yr_err err;

    if ((err = yr_events_start(t->events)) != YR_OK ||
        (err = yr_chats_start(t->chats, t->now, t->id)) != YR_OK)
        return err;
    for (size_t i = 0; i < t->friend_count; i++)
        if ((err = yr_chat_open(t->chats, t->friends[i])) != YR_OK)
            return err;
    return YR_OK;
}

static void answer_store(struct talker *t)
{
    enum yr_err result;
    uint64_t token;

    while (yr_memstore_commit_next(t->store, &token, &result))
        yr_rows_stored(t->rows, token, result);
}

static void open_store(struct talker *t)
{
    struct yr_keyfile keyfile;

    assert_int_equal(yr_rows_new(&t->rows, &t->mem.mem, &t->rng.rng, yr_memstore_view(t->store)),
                     YR_OK);
    assert_int_equal(yr_rows_unlock(t->rows, vault_key, yr_memstore_shred_file(t->store)), YR_OK);
    if (yr_rows_keyfile(t->rows, &keyfile))
        yr_memstore_submit_keyfile(t->store, keyfile.token, keyfile.slot, keyfile.bytes);
    answer_store(t);
    assert_int_equal(yr_events_new(&t->events, &t->mem.mem, t->rows), YR_OK);
    assert_int_equal(yr_chats_new(&t->chats, &t->mem.mem, t->rows, t->events, &t->rng.rng, &t->ops),
                     YR_OK);
    assert_int_equal(start(t), YR_OK);
}

static void close_store(struct talker *t)
{
    yr_chats_free(t->chats);
    yr_events_free(t->events);
    yr_rows_free(t->rows);
    assert_int_equal(t->mem.live, 0);
}

void talker_init(struct talker *t, char name, uint64_t seed)
{
    memset(t, 0, sizeof *t);
    memset(t->id, name, sizeof t->id);
    t->now = (struct yr_now){1000, INT64_C(1790000000000)};
    t->ops = (struct yr_chat_ops){.deliver = deliver, .recall = recall, .ctx = t};
    seeded_init(&t->rng, seed ^ (uint64_t)(unsigned char)name << 32);
    test_mem_init(&t->mem, SIZE_MAX / 4);
    t->store = yr_memstore_new();
    open_store(t);
}

void talker_clear(struct talker *t)
{
    close_store(t);
    yr_memstore_free(t->store);
    forget_out(t, 0);
    free(t->out);
}

void talker_befriend(struct talker *t, const struct talker *other)
{
    assert_true(t->friend_count < YR_COUNT(t->friends));
    memcpy(t->friends[t->friend_count++], other->id, YR_ID_LEN);
    assert_int_equal(yr_chat_open(t->chats, other->id), YR_OK);
}

void talker_commit(struct talker *t)
{
    const struct yr_txn *txn;

    assert_int_equal(yr_chats_flush(t->chats, t->now), YR_OK);
    while ((txn = yr_rows_take(t->rows)) != NULL) {
        yr_memstore_submit(t->store, txn);
        answer_store(t);
    }
    assert_false(yr_rows_broken(t->rows));
}

enum yr_err talker_reset(struct talker *t)
{
    yr_events_fail(t->events, YR_EIO);
    yr_rows_reset(t->rows);
    yr_chats_reset(t->chats);
    return start(t);
}

void talker_crash(struct talker *t, size_t out_kept)
{
    yr_memstore_crash(t->store);
    close_store(t);
    forget_out(t, out_kept);
    open_store(t);
}

enum yr_err talker_receive(struct talker *t, const struct talker *from, const struct parcel *parcel)
{
    struct yr_chat_aside aside;

    return yr_chat_receive(t->chats, t->now, from->id, from->id, parcel->bytes, parcel->len,
                           &aside);
}

enum yr_err talker_take(struct talker *t, const struct talker *from, const struct yr_plain *plain)
{
    static uint8_t bytes[YR_PLAIN_MAX];
    struct yr_chat_aside aside;
    size_t len;

    assert_int_equal(yr_plain_encode(plain, bytes, sizeof bytes, &len), YR_OK);
    return yr_chat_receive(t->chats, t->now, from->id, from->id, bytes, len, &aside);
}

void talker_say(struct talker *t, const struct talker *to, const char *text,
                uint8_t id[YR_MSG_ID_LEN])
{
    uint8_t unused[YR_MSG_ID_LEN];

    assert_int_equal(yr_chat_send(t->chats, t->now, to->id, false, text, strlen(text), NULL, NULL,
                                  0, id != NULL ? id : unused),
                     YR_OK);
}

void talker_hand_over(struct talker *from, struct talker *to, size_t *next)
{
    for (; *next < from->out_count; ++*next)
        if (!from->out[*next].recalled && memcmp(from->out[*next].conv, to->id, YR_ID_LEN) == 0)
            assert_int_equal(talker_receive(to, from, &from->out[*next]), YR_OK);
}

uint64_t talker_counter(const struct talker *t, const char *name)
{
    struct yr_counter counter;

    for (size_t i = 0; (counter = yr_chats_counter(t->chats, i)).name != NULL; i++)
        if (strcmp(counter.name, name) == 0)
            return counter.value;
    fail_msg("no counter %s", name);
    return 0;
}

bool talker_event(struct talker *t, struct yr_event *out)
{
    return yr_events_next(t->events, out);
}
