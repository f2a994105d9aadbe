/* Alice is away, bob leaves letters for her, carol's mailbox is tested; dave is another friend of
 * carol's. */
#include "core/delivery/mailbox.h"

#include "tests/support/rowbox.h"
#include "tests/support/test.h"

#define NOW_S 1700006400u
#define DAY   (NOW_S / 86400u)
#define LATER (NOW_S + 86400)

enum { ALICE, BOB, DAVE, FRIENDS };

static const uint8_t tag_a[16] = {0xa}, tag_b[16] = {0xb};

struct sent {
    unsigned slot;
    uint8_t type;
    size_t len;
    uint8_t body[8192];
};

struct world {
    struct rowbox box;
    struct yr_mailbox *mb;
    struct yr_mailbox_quota quota;
    struct sent log[64];
    size_t count;
    size_t room; // frames that are still taken
    yr_us now_us;
    uint8_t ids[FRIENDS][32];
};

static enum yr_err take_frame(void *ctx, unsigned slot, uint8_t type, const uint8_t *body,
                              size_t len)
{
    struct world *w = ctx;
    struct sent *s = &w->log[w->count];

    if (w->room == 0)
        return YR_EFULL;
    w->room--;
    assert_true(w->count < YR_COUNT(w->log) && len <= sizeof s->body);
    s->slot = slot;
    s->type = type;
    s->len = len;
    memcpy(s->body, body, len);
    w->count++;
    return YR_OK;
}

static void open_mailbox(struct world *w)
{
    const struct yr_mailbox_ops ops = {take_frame, w};

    assert_int_equal(
        yr_mailbox_new(&w->mb, &w->box.mem.mem, w->box.rows, &w->box.rng.rng, &w->quota, &ops),
        YR_OK);
    for (unsigned i = 0; i < FRIENDS; i++)
        assert_int_equal(yr_mailbox_enter(w->mb, i, w->ids[i], true), YR_OK);
}

static struct world *begin_with(const struct yr_mailbox_quota *quota)
{
    struct world *w = calloc(1, sizeof *w);

    assert_non_null(w);
    rowbox_open(&w->box, 1);
    w->quota = *quota;
    w->room = SIZE_MAX;
    w->now_us = YR_S;
    for (unsigned i = 0; i < FRIENDS; i++)
        memset(w->ids[i], (int)i + 1, 32);
    open_mailbox(w);
    return w;
}

static struct world *begin(void)
{
    const struct yr_mailbox_quota quota = yr_mailbox_quota(false);

    return begin_with(&quota);
}

static void end(struct world *w)
{
    yr_mailbox_free(w->mb);
    rowbox_close(&w->box);
    free(w);
}

static void commit(struct world *w)
{
    yr_mailbox_flush(w->mb);
    rowbox_settle(&w->box);
    yr_mailbox_release(w->mb, yr_rows_durable(w->box.rows));
}

// Power fails; what was not committed is gone.
static void crash(struct world *w)
{
    yr_mailbox_free(w->mb);
    assert_int_equal(rowbox_crash(&w->box), YR_OK);
    open_mailbox(w);
    w->count = 0;
}

// The next frame, which must be of this type and to this friend.  Lent until the next one.
static const struct sent *expect(struct world *w, unsigned slot, uint8_t type)
{
    static struct sent first;

    assert_true(w->count > 0);
    first = w->log[0];
    memmove(&w->log[0], &w->log[1], (--w->count) * sizeof first);
    assert_int_equal(first.slot, slot);
    assert_int_equal(first.type, type);
    return &first;
}

static void expect_answer(struct world *w, unsigned slot, enum yr_env_status status,
                          const uint8_t *eid)
{
    const struct sent *s = expect(w, slot, YR_FRAME_ENV_ACK);

    assert_int_equal(s->len, 17);
    assert_int_equal(s->body[0], status);
    assert_memory_equal(s->body + 1, eid, YR_EID_LEN);
}

static void up(struct world *w, unsigned slot)
{
    yr_mailbox_up(w->mb, slot);
    assert_int_equal(expect(w, slot, YR_FRAME_MBX_OFFER)->len, 5);
}

static void reg(struct world *w, unsigned slot, uint32_t day, const uint8_t tag[16])
{
    uint8_t body[4 + 16];
    struct yr_wr wr = yr_wr_init(body, sizeof body);

    yr_wr_u32(&wr, day);
    yr_wr_bytes(&wr, tag, 16);
    assert_int_equal(yr_mailbox_frame(w->mb, (struct yr_now){.mono_us = w->now_us}, slot,
                                      YR_FRAME_MBX_REG, body, sizeof body),
                     YR_OK);
}

struct letter {
    uint8_t bytes[YR_ENVELOPE_MAX], eid[YR_EID_LEN];
    size_t len;
};

// No two are equal.
static void make(struct world *w, struct letter *l, const uint8_t tag[16], size_t body_len,
                 uint32_t exp_s)
{
    static const uint8_t key[32] = {9}, body[YR_ENVELOPE_BODY_MAX];

    assert_int_equal(yr_envelope_seal(l->bytes, sizeof l->bytes, &l->len, key, tag, exp_s,
                                      YR_ENV_MESSAGE, body, body_len, &w->box.rng.rng),
                     YR_OK);
    yr_envelope_id(l->eid, l->bytes, l->len);
}

static enum yr_err deposit(struct world *w, unsigned from, const struct letter *l)
{
    const struct yr_now now = {.mono_us = w->now_us};

    return yr_mailbox_deposit(w->mb, now, NOW_S, from, l->bytes, l->len);
}

// Deposit, commit: what came of it is told.
static void leave(struct world *w, unsigned from, const struct letter *l, enum yr_env_status status)
{
    assert_int_equal(deposit(w, from, l), YR_OK);
    commit(w);
    expect_answer(w, from, status, l->eid);
}

static void leave_new(struct world *w, unsigned from, struct letter *l, const uint8_t tag[16])
{
    make(w, l, tag, 10, LATER);
    leave(w, from, l, YR_ENV_CUSTODY);
}

static void ask(struct world *w, unsigned slot, uint8_t type, const uint8_t eid[YR_EID_LEN])
{
    assert_int_equal(
        yr_mailbox_frame(w->mb, (struct yr_now){.mono_us = w->now_us}, slot, type, eid, YR_EID_LEN),
        YR_OK);
}

static size_t kept(const struct world *w, unsigned slot)
{
    struct yr_mailbox_info info;

    yr_mailbox_info(w->mb, slot, &info);
    return info.kept;
}

/* ---- */

static void custody_is_told_only_when_it_is_on_disk(void **state)
{
    struct world *w = begin();
    struct letter l;

    (void)state;
    reg(w, ALICE, DAY, tag_a);
    commit(w);
    up(w, BOB);
    make(w, &l, tag_a, 100, LATER);
    assert_int_equal(deposit(w, BOB, &l), YR_OK);
    assert_int_equal(w->count, 0);
    commit(w);
    expect_answer(w, BOB, YR_ENV_CUSTODY, l.eid);
    crash(w);
    assert_int_equal(kept(w, ALICE), 1);
    end(w);
}

static void what_was_not_committed_was_not_promised(void **state)
{
    struct world *w = begin();
    struct letter l;

    (void)state;
    reg(w, ALICE, DAY, tag_a);
    commit(w);
    up(w, BOB);
    make(w, &l, tag_a, 100, LATER);
    assert_int_equal(deposit(w, BOB, &l), YR_OK);
    assert_int_equal(w->count, 0);
    crash(w);
    assert_int_equal(kept(w, ALICE), 0);
    end(w);
}

static void a_letter_waits_for_its_friend_over_restarts(void **state)
{
    struct world *w = begin();
    struct letter l;
    const struct sent *s;

    (void)state;
    reg(w, ALICE, DAY, tag_a);
    up(w, BOB);
    make(w, &l, tag_a, 3000, LATER);
    leave(w, BOB, &l, YR_ENV_CUSTODY);
    crash(w);

    up(w, ALICE);
    s = expect(w, ALICE, YR_FRAME_MBX_LIST);
    assert_int_equal(s->len, YR_EID_LEN);
    assert_memory_equal(s->body, l.eid, YR_EID_LEN);
    ask(w, ALICE, YR_FRAME_MBX_GET, l.eid);
    s = expect(w, ALICE, YR_FRAME_ENV_PUT);
    assert_int_equal(s->len, l.len);
    assert_memory_equal(s->body, l.bytes, l.len);
    yr_mailbox_acked(w->mb, ALICE, l.eid);
    commit(w);
    crash(w);
    up(w, ALICE);
    assert_int_equal(w->count, 0);
    end(w);
}

static void what_she_has_already_is_not_sent(void **state)
{
    struct world *w = begin();
    struct letter l;

    (void)state;
    reg(w, ALICE, DAY, tag_a);
    up(w, BOB);
    leave_new(w, BOB, &l, tag_a);
    up(w, ALICE);
    expect(w, ALICE, YR_FRAME_MBX_LIST);
    yr_mailbox_acked(w->mb, ALICE, l.eid);
    assert_int_equal(kept(w, ALICE), 0);
    ask(w, ALICE, YR_FRAME_MBX_GET, l.eid);
    assert_int_equal(w->count, 0);
    end(w);
}

static void a_letter_that_comes_while_she_is_here_is_listed_once_it_is_on_disk(void **state)
{
    struct world *w = begin();
    struct letter l;

    (void)state;
    reg(w, ALICE, DAY, tag_a);
    commit(w);
    up(w, ALICE);
    up(w, BOB);
    make(w, &l, tag_a, 10, LATER);
    assert_int_equal(deposit(w, BOB, &l), YR_OK);
    assert_int_equal(w->count, 0);
    commit(w);
    expect(w, ALICE, YR_FRAME_MBX_LIST);
    expect_answer(w, BOB, YR_ENV_CUSTODY, l.eid);
    end(w);
}

static void nothing_is_kept_that_nobody_registered(void **state)
{
    struct world *w = begin();
    struct letter l;

    (void)state;
    reg(w, ALICE, DAY, tag_a);
    up(w, ALICE);
    up(w, BOB);
    make(w, &l, tag_b, 10, LATER);
    leave(w, BOB, &l, YR_ENV_NO_TAG);
    make(w, &l, tag_a, 10, LATER); // nor by whom it is for
    leave(w, ALICE, &l, YR_ENV_NO_TAG);
    assert_int_equal(kept(w, ALICE), 0);
    end(w);
}

static void the_same_letter_is_kept_once_and_answered_each_time(void **state)
{
    struct world *w = begin();
    struct letter l;

    (void)state;
    reg(w, ALICE, DAY, tag_a);
    up(w, BOB);
    up(w, DAVE);
    make(w, &l, tag_a, 10, LATER);
    assert_int_equal(deposit(w, BOB, &l), YR_OK);
    assert_int_equal(deposit(w, DAVE, &l), YR_OK); // it may come through another friend
    assert_int_equal(w->count, 0);
    commit(w);
    expect_answer(w, BOB, YR_ENV_CUSTODY, l.eid);
    expect_answer(w, DAVE, YR_ENV_CUSTODY, l.eid);
    assert_int_equal(kept(w, ALICE), 1);
    end(w);
}

static void a_full_mailbox_refuses_and_keeps_what_it_has(void **state)
{
    struct yr_mailbox_quota quota = yr_mailbox_quota(false);
    struct letter l[3], other;
    struct world *w;

    (void)state;
    quota.each = 4;
    w = begin_with(&quota);
    reg(w, ALICE, DAY, tag_a);
    up(w, BOB);
    up(w, DAVE);
    leave_new(w, BOB, &l[0], tag_a);
    leave_new(w, BOB, &l[1], tag_a);
    make(w, &l[2], tag_a, 10, LATER);
    leave(w, BOB, &l[2], YR_ENV_FULL); // half of it is for others
    leave_new(w, DAVE, &other, tag_a);
    leave_new(w, DAVE, &other, tag_a);
    leave(w, BOB, &l[2], YR_ENV_FULL);
    assert_int_equal(kept(w, ALICE), 4);
    up(w, ALICE);
    expect(w, ALICE, YR_FRAME_MBX_LIST);
    yr_mailbox_acked(w->mb, ALICE, l[0].eid);
    yr_mailbox_down(w->mb, ALICE);
    leave(w, BOB, &l[2], YR_ENV_CUSTODY);
    end(w);
}

static void bytes_count_as_much_as_letters(void **state)
{
    struct yr_mailbox_quota quota = yr_mailbox_quota(false);
    struct letter l;
    struct world *w;

    (void)state;
    quota.all_bytes = 40000;
    w = begin_with(&quota);
    reg(w, ALICE, DAY, tag_a);
    reg(w, DAVE, DAY, tag_b);
    up(w, BOB);
    make(w, &l, tag_a, 20000, LATER); // 32 KiB
    leave(w, BOB, &l, YR_ENV_CUSTODY);
    make(w, &l, tag_b, 8000, LATER); // 16
    leave(w, BOB, &l, YR_ENV_FULL);
    leave_new(w, BOB, &l, tag_b);
    end(w);
}

static void one_friend_cannot_leave_more_than_his_share(void **state)
{
    struct yr_mailbox_quota quota = yr_mailbox_quota(false);
    struct letter l;
    struct world *w;

    (void)state;
    quota.hour = 10;
    w = begin_with(&quota);
    reg(w, ALICE, DAY, tag_a);
    up(w, BOB);
    up(w, DAVE);
    for (size_t i = 0; i < 10; i++)
        leave_new(w, BOB, &l, tag_a);
    make(w, &l, tag_a, 10, LATER);
    leave(w, BOB, &l, YR_ENV_FULL);
    leave(w, DAVE, &l, YR_ENV_CUSTODY); // another still can
    w->now_us += 3600 * YR_S / 10;
    leave_new(w, BOB, &l, tag_a);
    make(w, &l, tag_a, 10, LATER);
    leave(w, BOB, &l, YR_ENV_FULL);
    end(w);
}

static void who_left_a_letter_is_told_the_truth_about_it(void **state)
{
    static const uint8_t other[YR_EID_LEN] = {1};
    struct world *w = begin();
    struct letter l;

    (void)state;
    reg(w, ALICE, DAY, tag_a);
    up(w, BOB);
    leave_new(w, BOB, &l, tag_a);
    ask(w, BOB, YR_FRAME_MBX_ASK, l.eid);
    expect_answer(w, BOB, YR_ENV_CUSTODY, l.eid);
    ask(w, BOB, YR_FRAME_MBX_ASK, other);
    expect_answer(w, BOB, YR_ENV_GONE, other);
    yr_mailbox_consent(w->mb, ALICE, false);
    assert_int_equal(expect(w, BOB, YR_FRAME_MBX_OFFER)->len, 5); // so that he asks
    ask(w, BOB, YR_FRAME_MBX_ASK, l.eid);
    assert_int_equal(w->count, 0); // not before it is really gone
    commit(w);
    expect_answer(w, BOB, YR_ENV_GONE, l.eid);
    yr_mailbox_consent(w->mb, ALICE, true);
    yr_mailbox_consent(w->mb, ALICE, false);
    assert_int_equal(w->count, 0); // nothing of hers was kept: it is nothing to him
    crash(w);
    assert_int_equal(kept(w, ALICE), 0);
    end(w);
}

static void letters_go_at_their_time_and_not_before(void **state)
{
    struct world *w = begin();
    struct letter l;

    (void)state;
    reg(w, ALICE, DAY, tag_a);
    up(w, BOB);
    make(w, &l, tag_a, 10, NOW_S + 2 * 86400);
    leave(w, BOB, &l, YR_ENV_CUSTODY);
    make(w, &l, tag_a, 10, NOW_S - 365 * 86400); // by a clock that is a year behind
    leave(w, BOB, &l, YR_ENV_CUSTODY);
    make(w, &l, tag_a, 10, NOW_S + 365 * 86400); // ... ahead
    leave(w, BOB, &l, YR_ENV_CUSTODY);
    yr_mailbox_expire(w->mb, NOW_S + 86400 - 1);
    assert_int_equal(kept(w, ALICE), 3);
    yr_mailbox_expire(w->mb, NOW_S + 86400);
    assert_int_equal(kept(w, ALICE), 2);
    yr_mailbox_expire(w->mb, NOW_S + 2 * 86400);
    assert_int_equal(kept(w, ALICE), 1);
    yr_mailbox_expire(w->mb, NOW_S + 15 * 86400);
    assert_int_equal(kept(w, ALICE), 0);
    end(w);
}

static void at_most_a_window_is_on_its_way(void **state)
{
    struct world *w = begin();
    struct letter l[YR_MAIL_SEND_MAX + 8];

    (void)state;
    reg(w, ALICE, DAY, tag_a);
    up(w, BOB);
    for (size_t i = 0; i < YR_COUNT(l); i++)
        leave_new(w, BOB, &l[i], tag_a);
    up(w, ALICE);
    assert_int_equal(expect(w, ALICE, YR_FRAME_MBX_LIST)->len, YR_COUNT(l) * YR_EID_LEN);
    for (size_t i = 0; i < YR_COUNT(l); i++)
        ask(w, ALICE, YR_FRAME_MBX_GET, l[i].eid);
    assert_int_equal(w->count, YR_MAIL_SEND_MAX);
    for (size_t i = 0; i < YR_MAIL_SEND_MAX; i++)
        assert_memory_equal(expect(w, ALICE, YR_FRAME_ENV_PUT)->body, l[i].bytes, l[i].len);
    yr_mailbox_acked(w->mb, ALICE, l[0].eid);
    assert_memory_equal(expect(w, ALICE, YR_FRAME_ENV_PUT)->body, l[YR_MAIL_SEND_MAX].bytes,
                        l[YR_MAIL_SEND_MAX].len);
    end(w);
}

static void a_queue_that_is_full_loses_nothing(void **state)
{
    struct world *w = begin();
    struct letter l;

    (void)state;
    reg(w, ALICE, DAY, tag_a);
    up(w, BOB);
    make(w, &l, tag_a, 10, LATER);
    w->room = 0;
    assert_int_equal(deposit(w, BOB, &l), YR_OK);
    commit(w);
    w->room = 1;
    yr_mailbox_room(w->mb, BOB);
    expect_answer(w, BOB, YR_ENV_CUSTODY, l.eid);
    w->room = 1;
    up(w, ALICE);
    assert_int_equal(w->count, 0); // the list found no room
    w->room = 1;
    yr_mailbox_room(w->mb, ALICE);
    expect(w, ALICE, YR_FRAME_MBX_LIST);
    ask(w, ALICE, YR_FRAME_MBX_GET, l.eid);
    assert_int_equal(w->count, 0);
    w->room = 1;
    yr_mailbox_room(w->mb, ALICE);
    expect(w, ALICE, YR_FRAME_ENV_PUT);
    end(w);
}

static void others_can_neither_take_nor_delete_it(void **state)
{
    struct world *w = begin();
    struct letter l;

    (void)state;
    reg(w, ALICE, DAY, tag_a);
    up(w, BOB);
    up(w, DAVE);
    leave_new(w, BOB, &l, tag_a);
    up(w, ALICE);
    expect(w, ALICE, YR_FRAME_MBX_LIST);
    ask(w, DAVE, YR_FRAME_MBX_GET, l.eid);
    assert_int_equal(w->count, 0);
    yr_mailbox_acked(w->mb, DAVE, l.eid);
    assert_int_equal(kept(w, ALICE), 1);
    yr_mailbox_down(w->mb, ALICE);
    reg(w, DAVE, DAY, tag_a); // the tag of another: who came first has it
    leave_new(w, BOB, &l, tag_a);
    assert_int_equal(kept(w, ALICE), 2);
    assert_int_equal(kept(w, DAVE), 0);
    end(w);
}

static void a_registration_replaces_the_one_of_its_day(void **state)
{
    struct world *w = begin();
    struct letter l;

    (void)state;
    reg(w, ALICE, DAY, tag_a);
    reg(w, ALICE, DAY, tag_b);
    commit(w);
    crash(w);
    up(w, BOB);
    make(w, &l, tag_a, 10, LATER);
    leave(w, BOB, &l, YR_ENV_NO_TAG);
    leave_new(w, BOB, &l, tag_b);
    for (uint32_t i = 1; i <= YR_MAIL_DAYS; i++) // so many days and no more: the oldest goes
        reg(w, ALICE, DAY + i, tag_a);
    commit(w);
    crash(w);
    up(w, BOB);
    make(w, &l, tag_b, 10, LATER);
    leave(w, BOB, &l, YR_ENV_NO_TAG);
    leave_new(w, BOB, &l, tag_a);
    end(w);
}

// A friend whose sender's clock is behind expects the same under two days.
static void a_tag_that_stands_in_two_days_ends_with_the_later_one(void **state)
{
    struct world *w = begin();
    struct letter l;

    (void)state;
    up(w, BOB);
    reg(w, ALICE, DAY, tag_a);
    reg(w, ALICE, DAY + 2, tag_a);
    commit(w);
    reg(w, ALICE, DAY + YR_MAIL_DAYS, tag_b); // in place of the first
    commit(w);
    leave_new(w, BOB, &l, tag_a);
    end(w);
}

static void frames_of_the_wrong_form_end_the_link(void **state)
{
    static const uint8_t zeros[4 + (YR_MAIL_TAGS_MAX + 1) * 16];
    static const struct {
        uint8_t type;
        size_t len;
    } bad[] = {
        {YR_FRAME_MBX_REG, 0},
        {YR_FRAME_MBX_REG, 3},
        {YR_FRAME_MBX_REG, 5},
        {YR_FRAME_MBX_REG, sizeof zeros},
        {YR_FRAME_MBX_GET, 0},
        {YR_FRAME_MBX_GET, 17},
        {YR_FRAME_MBX_GET, (YR_MAIL_LIST_MAX + 1) * YR_EID_LEN},
        {YR_FRAME_MBX_ASK, 0},
        {YR_FRAME_MBX_ASK, 15},
        {YR_FRAME_MBX_ASK, (YR_MAIL_ACKS_MAX + 1) * YR_EID_LEN},
    };
    struct world *w = begin();

    (void)state;
    for (size_t i = 0; i < YR_COUNT(bad); i++)
        assert_int_equal(yr_mailbox_frame(w->mb, (struct yr_now){.mono_us = w->now_us}, BOB,
                                          bad[i].type, zeros, bad[i].len),
                         YR_EPROTO);
    end(w);
}

static void who_does_not_wait_for_answers_is_cut_off(void **state)
{
    struct world *w = begin();
    struct letter l;
    size_t n = 0;

    (void)state;
    reg(w, ALICE, DAY, tag_a);
    up(w, BOB);
    w->room = 0;
    do
        make(w, &l, tag_a, 10, LATER);
    while (deposit(w, BOB, &l) == YR_OK && ++n < 1000);
    assert_int_equal(n, YR_MAIL_ACKS_MAX);
    end(w);
}

static void memory_that_is_refused_costs_no_letter_that_was_promised(void **state)
{
    struct world *w = begin();
    struct letter first, l;

    (void)state;
    reg(w, ALICE, DAY, tag_a);
    up(w, BOB);
    leave_new(w, BOB, &first, tag_a);
    for (size_t left = 0; left < 8; left++) {
        make(w, &l, tag_a, 10, LATER);
        w->box.mem.left = left;
        (void)!deposit(w, BOB, &l);
        w->box.mem.left = SIZE_MAX;
        crash(w);
        up(w, BOB);
        ask(w, BOB, YR_FRAME_MBX_ASK, first.eid);
        expect_answer(w, BOB, YR_ENV_CUSTODY, first.eid);
    }
    end(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(custody_is_told_only_when_it_is_on_disk),
        cmocka_unit_test(what_was_not_committed_was_not_promised),
        cmocka_unit_test(a_letter_waits_for_its_friend_over_restarts),
        cmocka_unit_test(what_she_has_already_is_not_sent),
        cmocka_unit_test(a_letter_that_comes_while_she_is_here_is_listed_once_it_is_on_disk),
        cmocka_unit_test(nothing_is_kept_that_nobody_registered),
        cmocka_unit_test(the_same_letter_is_kept_once_and_answered_each_time),
        cmocka_unit_test(a_full_mailbox_refuses_and_keeps_what_it_has),
        cmocka_unit_test(bytes_count_as_much_as_letters),
        cmocka_unit_test(one_friend_cannot_leave_more_than_his_share),
        cmocka_unit_test(who_left_a_letter_is_told_the_truth_about_it),
        cmocka_unit_test(letters_go_at_their_time_and_not_before),
        cmocka_unit_test(at_most_a_window_is_on_its_way),
        cmocka_unit_test(a_queue_that_is_full_loses_nothing),
        cmocka_unit_test(others_can_neither_take_nor_delete_it),
        cmocka_unit_test(a_registration_replaces_the_one_of_its_day),
        cmocka_unit_test(a_tag_that_stands_in_two_days_ends_with_the_later_one),
        cmocka_unit_test(frames_of_the_wrong_form_end_the_link),
        cmocka_unit_test(who_does_not_wait_for_answers_is_cut_off),
        cmocka_unit_test(memory_that_is_refused_costs_no_letter_that_was_promised),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
