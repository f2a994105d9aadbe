/* Alice has letters for bob, who is away; the test is the friends that may keep them.  Bob is a
 * delivery too, so that what they are given is looked at by whom it is for. */
#include "core/delivery/delivery.h"
#include "core/delivery/habit.h"
#include "core/wire/frames.h"

#include "tests/support/rowbox.h"
#include "tests/support/test.h"

#define START_MS   INT64_C(1700006400000)
#define HOLDERS    7
#define FRAMES_MAX 6000

enum { BOB, CAROL, DAVE, ERIN, FRIENDS = 1 + HOLDERS };

struct frame {
    unsigned slot;
    uint8_t type;
    size_t len;
    uint8_t *body;
};

struct world {
    struct rowbox box, bobs_box;
    struct yr_delivery *alice, *bob;
    struct yr_age age, bobs_age;
    struct yr_now now;
    struct frame frames[FRAMES_MAX];
    size_t count;
    size_t room; // frames that are still taken
    bool up[FRIENDS];
    struct yr_holder holders[FRIENDS];
    size_t holder_count;
    size_t held; // times that it was told
    uint8_t ids[FRIENDS][32], alices_id[32];
    struct yr_contact contacts[FRIENDS];
    uint64_t commits, crash_at; // crash before this commit; 0: never
    bool crashed;
    // bob
    size_t got;
    uint8_t got_id[YR_MSG_ID_LEN];
    uint8_t bobs_frame[YR_FRAME_MAX];
    size_t bobs_len;
};

/* ---- alice's side ---- */

static enum yr_err take_frame(void *ctx, unsigned slot, uint8_t type, const uint8_t *body,
                              size_t len)
{
    struct world *w = ctx;
    struct frame *f = &w->frames[w->count];

    if (!w->up[slot])
        return YR_EAGAIN;
    if (w->room == 0)
        return YR_EFULL;
    w->room--;
    assert_true(w->count < FRAMES_MAX);
    *f = (struct frame){slot, type, len, malloc(len)};
    assert_non_null(f->body);
    memcpy(f->body, body, len);
    w->count++;
    return YR_OK;
}

static enum yr_err take_plain(void *ctx, struct yr_now now, unsigned slot, const uint8_t *plain,
                              size_t len, bool mailed)
{
    (void)ctx;
    return YR_OK;
}

static void come_again(void *ctx, struct yr_now now, unsigned slot, const struct yr_seen *seen)
{
    (void)ctx;
}

static size_t list_holders(void *ctx, unsigned slot, struct yr_holder *out, size_t max)
{
    struct world *w = ctx;
    size_t n = 0;

    for (size_t i = 0; slot == BOB && i < w->holder_count && n < max; i++)
        if (w->up[w->holders[i].via])
            out[n++] = w->holders[i];
    return n;
}

static void tell_held(void *ctx, struct yr_now now, unsigned slot, const uint8_t *id)
{
    struct world *w = ctx;

    assert_int_equal(slot, BOB);
    w->held++;
}

static void open_alice(struct world *w)
{
    const struct yr_delivery_ops ops = {.frame = take_frame,
                                        .plain = take_plain,
                                        .again = come_again,
                                        .holders = list_holders,
                                        .held = tell_held,
                                        .ctx = w};

    assert_int_equal(yr_age_load(&w->age, w->box.rows, w->now), YR_OK);
    assert_int_equal(
        yr_delivery_new(&w->alice, &w->box.mem.mem, w->box.rows, &w->box.rng.rng, &w->age, &ops),
        YR_OK);
}

static void load_alice(struct world *w)
{
    open_alice(w);
    assert_int_equal(yr_delivery_start(w->alice), YR_OK);
    for (unsigned i = 0; i < FRIENDS; i++) {
        w->up[i] = false;
        assert_int_equal(yr_delivery_load(w->alice, i, w->ids[i], 0), YR_OK);
    }
}

/* ---- bob's side: he opens what he is given ---- */

static enum yr_err bob_frame(void *ctx, unsigned slot, uint8_t type, const uint8_t *body,
                             size_t len)
{
    struct world *w = ctx;

    if (type == YR_FRAME_ENV_PUT) {
        memcpy(w->bobs_frame, body, len);
        w->bobs_len = len;
    }
    return YR_OK;
}

static enum yr_err bob_plain(void *ctx, struct yr_now now, unsigned slot, const uint8_t *bytes,
                             size_t len, bool mailed)
{
    struct world *w = ctx;
    struct yr_plain plain;

    assert_int_equal(yr_plain_decode(&plain, bytes, len), YR_OK);
    memcpy(w->got_id, plain.id, sizeof w->got_id);
    w->got++;
    return YR_OK;
}

static void open_bob(struct world *w)
{
    const struct yr_delivery_ops ops = {
        .frame = bob_frame, .plain = bob_plain, .again = come_again, .ctx = w};
    struct yr_contact c = w->contacts[BOB];

    rowbox_open(&w->bobs_box, 2);
    assert_int_equal(yr_age_load(&w->bobs_age, w->bobs_box.rows, w->now), YR_OK);
    assert_int_equal(yr_delivery_new(&w->bob, &w->bobs_box.mem.mem, w->bobs_box.rows,
                                     &w->bobs_box.rng.rng, &w->bobs_age, &ops),
                     YR_OK);
    assert_int_equal(yr_delivery_start(w->bob), YR_OK);
    memcpy(c.id, w->alices_id, 32);
    c.inviter = true;
    assert_int_equal(yr_delivery_meet(w->bob, w->now, 0, &c, 1), YR_OK);
    c = w->contacts[CAROL];
    assert_int_equal(yr_delivery_meet(w->bob, w->now, 1, &c, 1), YR_OK);
    yr_delivery_flush(w->bob);
    rowbox_settle(&w->bobs_box);
}

static void bob_settles(struct world *w)
{
    yr_delivery_flush(w->bob);
    rowbox_settle(&w->bobs_box);
    yr_delivery_release(w->bob, w->now, yr_rows_durable(w->bobs_box.rows));
}

// A holder gives it to bob: how many messages he has then.
static size_t give(struct world *w, const uint8_t *envelope, size_t len)
{
    uint8_t tag[16];
    unsigned author;

    assert_int_equal(yr_envelope_peek(envelope, len, NULL, tag), YR_OK);
    assert_int_equal(yr_delivery_author(w->bob, w->now, 1, tag, false, &author), YR_OK);
    assert_int_equal(author, 0);
    assert_int_equal(yr_delivery_receive(w->bob, w->now, 1, author, envelope, len), YR_OK);
    bob_settles(w);
    return w->got;
}

/* ---- the world ---- */

static struct world *begin(void)
{
    struct world *w = calloc(1, sizeof *w);

    assert_non_null(w);
    rowbox_open(&w->box, 1);
    w->now = (struct yr_now){.mono_us = YR_S, .wall_ms = START_MS};
    w->room = SIZE_MAX;
    memset(w->alices_id, 0x11, 32);
    open_alice(w);
    assert_int_equal(yr_delivery_start(w->alice), YR_OK);
    for (unsigned i = 0; i < FRIENDS; i++) {
        struct yr_contact *c = &w->contacts[i];
        memset(w->ids[i], (int)i + 0x20, 32);
        memcpy(c->id, w->ids[i], 32);
        memset(c->pair, (int)i + 1, sizeof c->pair);
        memset(c->exporter, (int)i + 2, sizeof c->exporter);
        yr_keypair_from_seed(&c->ratchet, w->ids[i]);
        memcpy(c->ratchet_remote, c->ratchet.public_key, 32);
        c->day = (uint32_t)(START_MS / 86400000) - 1;
        assert_int_equal(yr_delivery_meet(w->alice, w->now, i, c, 0), YR_OK);
        w->holders[i] = (struct yr_holder){i + 1, i + 1, true};
    }
    w->holder_count = 1;
    yr_delivery_flush(w->alice);
    rowbox_settle(&w->box);
    yr_delivery_release(w->alice, w->now, yr_rows_durable(w->box.rows));
    open_bob(w);
    return w;
}

static void drop_frames(struct world *w)
{
    for (size_t i = 0; i < w->count; i++)
        free(w->frames[i].body);
    w->count = 0;
}

static void end(struct world *w)
{
    drop_frames(w);
    yr_delivery_free(w->alice);
    yr_delivery_free(w->bob);
    rowbox_close(&w->box);
    rowbox_close(&w->bobs_box);
    free(w);
}

// Power fails; what was not committed is gone.
static void crash(struct world *w)
{
    yr_delivery_free(w->alice);
    assert_int_equal(rowbox_crash(&w->box), YR_OK);
    drop_frames(w);
    load_alice(w);
    w->crashed = true;
}

static void settle(struct world *w)
{
    for (int i = 0; i < 20; i++) {
        yr_delivery_flush(w->alice);
        if (rowbox_pump(&w->box) > 0 && w->crash_at != 0 && ++w->commits == w->crash_at) {
            crash(w);
            return;
        }
        rowbox_settle(&w->box);
        yr_delivery_release(w->alice, w->now, yr_rows_durable(w->box.rows));
        if (yr_delivery_deadline(w->alice) <= w->now.mono_us)
            yr_delivery_tick(w->alice, w->now);
    }
}

static void pass(struct world *w, yr_us us)
{
    const yr_us until = w->now.mono_us + us;

    settle(w);
    while (w->now.mono_us < until) {
        const yr_us next =
            YR_MIN(YR_MAX(yr_delivery_deadline(w->alice), w->now.mono_us + YR_MS), until);
        w->now.wall_ms += (yr_ms)((next - w->now.mono_us) / YR_MS);
        w->now.mono_us = next;
        if (yr_delivery_deadline(w->alice) <= next)
            yr_delivery_tick(w->alice, w->now);
        settle(w);
    }
}

static void go_up(struct world *w, unsigned slot)
{
    w->up[slot] = true;
    yr_delivery_up(w->alice, w->now, slot);
}

static void go_down(struct world *w, unsigned slot)
{
    w->up[slot] = false;
    yr_delivery_down(w->alice, w->now, slot);
}

static void make_id(uint8_t id[YR_MSG_ID_LEN], unsigned n)
{
    memset(id, 0x77, YR_MSG_ID_LEN);
    id[8] = (uint8_t)(n >> 8);
    id[9] = (uint8_t)n;
}

static void push(struct world *w, struct yr_plain *plain, unsigned n)
{
    uint8_t id[YR_MSG_ID_LEN], bytes[YR_PLAIN_MAX];
    size_t len;

    make_id(id, n);
    plain->id = id;
    plain->known = true;
    assert_int_equal(yr_plain_encode(plain, bytes, sizeof bytes, &len), YR_OK);
    assert_int_equal(yr_delivery_push(w->alice, w->now, BOB, id, bytes, len), YR_OK);
}

static void write_letter(struct world *w, unsigned n)
{
    struct yr_plain plain = {
        .type = YR_PLAIN_TEXT, .text = (const uint8_t *)"come home", .text_len = 9};

    push(w, &plain, n);
}

static size_t count_frames(const struct world *w, unsigned slot, uint8_t type)
{
    size_t n = 0;

    for (size_t i = 0; i < w->count; i++)
        n += w->frames[i].slot == slot && w->frames[i].type == type;
    return n;
}

// The n-th frame of this type to this friend; lent.
static const struct frame *frame_at(const struct world *w, unsigned slot, uint8_t type, size_t n)
{
    for (size_t i = 0; i < w->count; i++)
        if (w->frames[i].slot == slot && w->frames[i].type == type && n-- == 0)
            return &w->frames[i];
    fail_msg("no frame of type %02x", type);
    return NULL;
}

static void answer(struct world *w, unsigned from, uint8_t status, const uint8_t *eid)
{
    uint8_t body[1 + YR_EID_LEN];

    body[0] = status;
    memcpy(body + 1, eid, YR_EID_LEN);
    assert_int_equal(yr_delivery_acked(w->alice, w->now, from, body, sizeof body), YR_OK);
}

static void eid_of(const struct frame *f, uint8_t eid[YR_EID_LEN])
{
    yr_envelope_id(eid, f->body, f->len);
}

static void answer_put(struct world *w, unsigned from, uint8_t status, size_t n)
{
    uint8_t eid[YR_EID_LEN];

    eid_of(frame_at(w, from, YR_FRAME_ENV_PUT, n), eid);
    answer(w, from, status, eid);
    settle(w);
}

static struct yr_held held(const struct world *w, unsigned n)
{
    uint8_t id[YR_MSG_ID_LEN];
    struct yr_held out;

    make_id(id, n);
    yr_delivery_held(w->alice, BOB, id, &out);
    return out;
}

// Bob's receipt for letter n, in a letter of his own that comes over carol's link.
static void receipt(struct world *w, unsigned n, enum yr_plain_type type)
{
    struct yr_plain plain = {.type = type, .known = true};
    uint8_t id[YR_MSG_ID_LEN], bytes[1024], tag[16];
    unsigned author;
    size_t len;

    make_id(id, n);
    plain.id = (const uint8_t *)"bob's receipt...";
    if (type == YR_PLAIN_DELIVERED)
        plain.ids[plain.id_count++] = id;
    else
        plain.acks[plain.ack_count++] = id;
    if (type == YR_PLAIN_TEXT) {
        plain.text = (const uint8_t *)"thanks";
        plain.text_len = 6;
    }
    assert_int_equal(yr_plain_encode(&plain, bytes, sizeof bytes, &len), YR_OK);
    yr_delivery_up(w->bob, w->now, 0);
    assert_int_equal(yr_delivery_push(w->bob, w->now, 0, plain.id, bytes, len), YR_OK);
    w->bobs_len = 0;
    bob_settles(w);
    bob_settles(w);
    yr_delivery_down(w->bob, w->now, 0);
    assert_true(w->bobs_len > 0);
    assert_int_equal(yr_envelope_peek(w->bobs_frame, w->bobs_len, NULL, tag), YR_OK);
    assert_int_equal(yr_delivery_author(w->alice, w->now, CAROL, tag, false, &author), YR_OK);
    assert_int_equal(
        yr_delivery_receive(w->alice, w->now, CAROL, author, w->bobs_frame, w->bobs_len), YR_OK);
    settle(w);
}

// Carol is linked and one letter is with her.
static struct world *begin_kept(void)
{
    struct world *w = begin();

    go_up(w, CAROL);
    write_letter(w, 1);
    pass(w, 5 * YR_S);
    answer_put(w, CAROL, YR_ENV_CUSTODY, 0);
    return w;
}

/* ---- leaving ---- */

static void a_letter_is_left_when_it_is_on_disk_and_bob_can_read_it(void **state)
{
    struct world *w = begin();

    (void)state;
    go_up(w, CAROL);
    write_letter(w, 1);
    w->now.mono_us += 10 * YR_S;
    w->now.wall_ms += 10000;
    yr_delivery_tick(w->alice, w->now); // patience begins with the first look ...
    w->now.mono_us += 10 * YR_S;
    w->now.wall_ms += 10000;
    yr_delivery_tick(w->alice, w->now); // ... and has ended: sealed
    assert_int_equal(w->count, 0);
    settle(w);
    assert_int_equal(count_frames(w, CAROL, YR_FRAME_ENV_PUT), 1);
    const struct frame *f = frame_at(w, CAROL, YR_FRAME_ENV_PUT, 0);
    assert_int_equal(give(w, f->body, f->len), 1);
    end(w);
}

static void nothing_is_left_while_bob_may_still_come(void **state)
{
    struct world *w = begin();

    (void)state;
    go_up(w, CAROL);
    go_up(w, BOB);
    go_down(w, BOB);
    write_letter(w, 1);
    pass(w, YR_POST_PATIENCE_MS * YR_MS - 10 * YR_MS);
    assert_int_equal(w->count, 0);
    pass(w, 20 * YR_MS);
    assert_int_equal(count_frames(w, CAROL, YR_FRAME_ENV_PUT), 1);
    end(w);
}

static void held_is_told_with_the_row_that_says_so(void **state)
{
    struct world *w = begin();
    uint8_t eid[YR_EID_LEN];

    (void)state;
    go_up(w, CAROL);
    write_letter(w, 1);
    pass(w, 5 * YR_S);
    eid_of(frame_at(w, CAROL, YR_FRAME_ENV_PUT, 0), eid);
    answer(w, CAROL, YR_ENV_CUSTODY, eid);
    assert_int_equal(w->held, 1);
    assert_int_equal(held(w, 1).kept, 1);
    crash(w); // that was not on disk: carol is asked again
    assert_int_equal(held(w, 1).kept, 0);
    go_up(w, CAROL);
    pass(w, 5 * YR_S);
    assert_int_equal(count_frames(w, CAROL, YR_FRAME_ENV_PUT), 1);
    answer_put(w, CAROL, YR_ENV_CUSTODY, 0);
    crash(w);
    assert_int_equal(held(w, 1).kept, 1);
    assert_true(held(w, 1).until_ms > w->now.wall_ms);
    end(w);
}

static void the_same_envelope_is_made_again(void **state)
{
    struct world *w = begin_kept();
    uint8_t first[YR_EID_LEN], again[YR_EID_LEN];
    const struct frame *f;

    (void)state;
    eid_of(frame_at(w, CAROL, YR_FRAME_ENV_PUT, 0), first);
    crash(w);
    w->holder_count = 2;
    go_up(w, DAVE);
    pass(w, 5 * YR_S);
    eid_of(frame_at(w, DAVE, YR_FRAME_ENV_PUT, 0), again);
    assert_memory_equal(first, again, sizeof first);
    // ... and over the link with bob, who is told by carol that she has it.
    go_up(w, BOB);
    settle(w);
    f = frame_at(w, BOB, YR_FRAME_ENV_PUT, 0);
    eid_of(f, again);
    assert_memory_equal(first, again, sizeof first);
    assert_int_equal(give(w, f->body, f->len), 1);
    assert_int_equal(give(w, f->body, f->len), 1);
    end(w);
}

static void the_first_one_goes_alone_and_then_not_more_than_a_few(void **state)
{
    struct world *w = begin();

    (void)state;
    go_up(w, CAROL);
    for (unsigned i = 0; i < 100; i++)
        write_letter(w, i);
    pass(w, 5 * YR_S);
    assert_int_equal(count_frames(w, CAROL, YR_FRAME_ENV_PUT), 1);
    answer_put(w, CAROL, YR_ENV_CUSTODY, 0);
    pass(w, YR_S);
    assert_int_equal(count_frames(w, CAROL, YR_FRAME_ENV_PUT), 1 + YR_POST_OUT_MAX);
    for (size_t i = 1; i < 100; i++)
        answer_put(w, CAROL, YR_ENV_CUSTODY, i);
    assert_int_equal(count_frames(w, CAROL, YR_FRAME_ENV_PUT), 100);
    for (size_t i = 0; i < 100; i++) { // in the order they were written
        const struct frame *f = frame_at(w, CAROL, YR_FRAME_ENV_PUT, i);
        assert_int_equal(give(w, f->body, f->len), i + 1);
        assert_int_equal(w->got_id[9], i);
    }
    assert_int_equal(w->held, 100);
    end(w);
}

static void no_more_than_a_window_is_sealed(void **state)
{
    struct world *w = begin();
    const unsigned more = 100;
    uint8_t id[YR_MSG_ID_LEN];
    size_t put = 0;

    (void)state;
    go_up(w, CAROL);
    for (unsigned i = 0; i < YR_WINDOW_MAX + more; i++)
        write_letter(w, i);
    pass(w, 5 * YR_S);
    for (; put < count_frames(w, CAROL, YR_FRAME_ENV_PUT); put++)
        answer_put(w, CAROL, YR_ENV_CUSTODY, put);
    assert_int_equal(put, YR_WINDOW_MAX);
    make_id(id, YR_WINDOW_MAX); // the next one can still be taken back
    assert_true(yr_delivery_recall(w->alice, BOB, id));
    for (size_t i = 0; i < 10; i++) {
        const struct frame *f = frame_at(w, CAROL, YR_FRAME_ENV_PUT, i);
        assert_int_equal(give(w, f->body, f->len), i + 1);
    }
    for (unsigned i = 0; i < 10; i++)
        receipt(w, i, YR_PLAIN_DELIVERED);
    pass(w, 5 * YR_S);
    assert_int_equal(count_frames(w, CAROL, YR_FRAME_ENV_PUT), YR_WINDOW_MAX + 10);
    assert_int_equal(yr_delivery_queued(w->alice, BOB), YR_WINDOW_MAX + more - 11);
    end(w);
}

static void at_most_five_friends_keep_one(void **state)
{
    struct world *w = begin();

    (void)state;
    w->holder_count = HOLDERS;
    for (unsigned i = CAROL; i < FRIENDS; i++)
        go_up(w, i);
    write_letter(w, 1);
    pass(w, 5 * YR_S);
    for (unsigned i = CAROL; i < CAROL + 5; i++)
        answer_put(w, i, YR_ENV_CUSTODY, 0);
    pass(w, 3600 * YR_S);
    assert_int_equal(w->count, 5);
    assert_int_equal(held(w, 1).kept, 5);
    assert_int_equal(w->held, 5);
    end(w);
}

static void when_all_is_done_nobody_is_woken(void **state)
{
    struct world *w = begin();

    (void)state;
    assert_true(yr_delivery_deadline(w->alice) == YR_NEVER);
    write_letter(w, 1);
    pass(w, 10 * YR_S);
    assert_true(yr_delivery_deadline(w->alice) == YR_NEVER); // nobody is there to be asked
    go_up(w, CAROL);
    pass(w, 10 * YR_S);
    answer_put(w, CAROL, YR_ENV_CUSTODY, 0);
    pass(w, 60 * YR_S);
    assert_true(yr_delivery_deadline(w->alice) > w->now.mono_us + 3600 * YR_S);
    const struct frame *f = frame_at(w, CAROL, YR_FRAME_ENV_PUT, 0);
    assert_int_equal(give(w, f->body, f->len), 1);
    receipt(w, 1, YR_PLAIN_DELIVERED);
    pass(w, 10 * YR_S);
    assert_int_equal(yr_delivery_queued(w->alice, BOB), 0);
    go_down(w, CAROL);
    pass(w, 2 * YR_POST_SILENT_S * YR_S); // when she would have been given up
    assert_true(yr_delivery_deadline(w->alice) == YR_NEVER);
    end(w);
}

/* ---- what holders say ---- */

static void a_full_holder_is_asked_again_later(void **state)
{
    struct world *w = begin();

    (void)state;
    go_up(w, CAROL);
    write_letter(w, 1);
    write_letter(w, 2);
    pass(w, 5 * YR_S);
    answer_put(w, CAROL, YR_ENV_FULL, 0);
    assert_int_equal(held(w, 1).status[0], YR_HELD_FULL);
    assert_true(yr_delivery_shunned(w->alice, BOB, CAROL));
    pass(w, YR_POST_FULL_S / 2 * YR_S);
    assert_int_equal(w->count, 1);
    pass(w, YR_POST_FULL_S * YR_S);
    assert_int_equal(w->count, 2);
    answer_put(w, CAROL, YR_ENV_CUSTODY, 1);
    pass(w, YR_S);
    assert_int_equal(w->count, 3);
    end(w);
}

static void where_nobody_waits_for_it_is_not_asked_for_a_while(void **state)
{
    struct world *w = begin();

    (void)state;
    w->holder_count = 2;
    w->holders[1].named = false;
    go_up(w, CAROL);
    go_up(w, DAVE);
    write_letter(w, 1);
    pass(w, 5 * YR_S);
    answer_put(w, CAROL, YR_ENV_NO_TAG, 0);
    answer_put(w, DAVE, YR_ENV_NO_TAG, 0);
    write_letter(w, 2);
    pass(w, (YR_POST_NO_TAG_S - 60) * YR_S);
    assert_int_equal(w->count, 2);
    pass(w, 120 * YR_S);
    assert_int_equal(count_frames(w, CAROL, YR_FRAME_ENV_PUT), 2);
    assert_int_equal(count_frames(w, DAVE, YR_FRAME_ENV_PUT), 1);
    pass(w, 86400 * YR_S);
    assert_int_equal(count_frames(w, DAVE, YR_FRAME_ENV_PUT), 2);
    end(w);
}

static void who_refuses_for_weeks_is_asked_ever_less(void **state)
{
    struct world *w = begin();

    (void)state;
    go_up(w, CAROL);
    write_letter(w, 1);
    for (size_t hour = 0, n = 0; hour < 30 * 24; hour++) {
        pass(w, 3600 * YR_S);
        for (; n < w->count; n++)
            answer_put(w, CAROL, YR_ENV_NO_TAG, n);
    }
    assert_in_range(w->count, 30, 45);
    go_up(w, BOB); // he has been here
    settle(w);
    go_down(w, BOB);
    drop_frames(w);
    pass(w, 5 * YR_S);
    assert_int_equal(count_frames(w, CAROL, YR_FRAME_ENV_PUT), 1);
    end(w);
}

static void who_does_not_answer_keeps_nobody_waiting(void **state)
{
    struct world *w = begin();

    (void)state;
    w->holder_count = HOLDERS;
    for (unsigned i = CAROL; i < FRIENDS; i++)
        go_up(w, i);
    write_letter(w, 1);
    pass(w, 5 * YR_S);
    assert_int_equal(w->count, 5);
    pass(w, (YR_POST_ANSWER_S + 5) * YR_S);
    assert_int_equal(w->count, HOLDERS);
    pass(w, 3600 * YR_S);
    assert_int_equal(w->count, HOLDERS);
    end(w);
}

static void what_is_gone_is_left_elsewhere_and_never_there_again(void **state)
{
    struct world *w = begin_kept();
    uint8_t eid[YR_EID_LEN];

    (void)state;
    eid_of(frame_at(w, CAROL, YR_FRAME_ENV_PUT, 0), eid);
    go_down(w, CAROL);
    pass(w, 60 * YR_S);
    w->holder_count = 2;
    go_up(w, CAROL);
    settle(w);
    assert_int_equal(count_frames(w, CAROL, YR_FRAME_MBX_ASK), 1);
    assert_memory_equal(frame_at(w, CAROL, YR_FRAME_MBX_ASK, 0)->body, eid, sizeof eid);
    answer(w, CAROL, YR_ENV_GONE, eid);
    pass(w, 3600 * YR_S);
    assert_int_equal(count_frames(w, CAROL, YR_FRAME_ENV_PUT), 1);
    assert_int_equal(held(w, 1).kept, 0);
    go_up(w, DAVE);
    pass(w, 60 * YR_S);
    assert_int_equal(count_frames(w, DAVE, YR_FRAME_ENV_PUT), 1);
    end(w);
}

static void who_may_have_dropped_some_is_asked_but_not_all_the_time(void **state)
{
    struct world *w = begin_kept();
    uint8_t eid[YR_EID_LEN];

    (void)state;
    eid_of(frame_at(w, CAROL, YR_FRAME_ENV_PUT, 0), eid);
    for (unsigned i = 0; i < 1000; i++) { // twenty seconds of saying so
        yr_delivery_doubt(w->alice, w->now, CAROL);
        pass(w, 20 * YR_MS);
        for (size_t k = count_frames(w, CAROL, YR_FRAME_MBX_ASK); k-- > 0 && i < 600;)
            answer(w, CAROL, YR_ENV_CUSTODY, eid);
    }
    assert_in_range(count_frames(w, CAROL, YR_FRAME_MBX_ASK), 2, 20 / YR_POST_DOUBT_S + 1);
    answer(w, CAROL, YR_ENV_GONE, eid);
    settle(w);
    assert_int_equal(held(w, 1).kept, 0);
    assert_int_equal(held(w, 1).status[0], YR_HELD_GONE);
    go_down(w, CAROL);
    yr_delivery_doubt(w->alice, w->now, CAROL); // it says so no more
    pass(w, 3600 * YR_S);
    end(w);
}

static void what_nobody_keeps_goes_in_another_envelope_on_another_day(void **state)
{
    struct world *w = begin_kept();
    uint8_t first[YR_EID_LEN], second[YR_EID_LEN];
    const struct frame *f;

    (void)state;
    eid_of(frame_at(w, CAROL, YR_FRAME_ENV_PUT, 0), first);
    answer(w, CAROL, YR_ENV_GONE, first);
    pass(w, 3600 * YR_S);
    assert_int_equal(w->count, 1);
    pass(w, 86400 * YR_S);
    assert_true(w->count > 1);
    f = frame_at(w, CAROL, YR_FRAME_ENV_PUT, 1);
    eid_of(f, second);
    assert_memory_not_equal(first, second, sizeof first);
    assert_int_equal(give(w, f->body, f->len), 1);
    f = frame_at(w, CAROL, YR_FRAME_ENV_PUT, 0);
    assert_int_equal(give(w, f->body, f->len), 1);
    end(w);
}

static void what_has_been_kept_long_enough_is_left_again(void **state)
{
    struct world *w = begin_kept();
    uint8_t first[YR_EID_LEN], second[YR_EID_LEN];

    (void)state;
    eid_of(frame_at(w, CAROL, YR_FRAME_ENV_PUT, 0), first);
    pass(w, (yr_us)YR_ENVELOPE_DAYS * 86400 * YR_S - 60 * YR_S); // carol is there all the time
    assert_int_equal(w->count, 1);
    assert_int_equal(held(w, 1).kept, 1);
    pass(w, 120 * YR_S);
    assert_int_equal(w->count, 2);
    eid_of(frame_at(w, CAROL, YR_FRAME_ENV_PUT, 1), second);
    assert_memory_not_equal(first, second, sizeof first);
    assert_int_equal(held(w, 1).kept, 0);
    answer_put(w, CAROL, YR_ENV_CUSTODY, 1);
    assert_int_equal(held(w, 1).kept, 1);
    end(w);
}

static void who_was_long_away_is_not_counted_on(void **state)
{
    struct world *w = begin_kept();

    (void)state;
    go_down(w, CAROL);
    w->holder_count = 2;
    pass(w, (YR_POST_SILENT_S - 60) * YR_S);
    go_up(w, DAVE);
    pass(w, 10 * YR_S);
    answer_put(w, DAVE, YR_ENV_CUSTODY, 0);
    assert_int_equal(held(w, 1).kept, 2);
    pass(w, 120 * YR_S);
    assert_int_equal(held(w, 1).kept, 1);
    go_up(w, CAROL);
    settle(w);
    answer(w, CAROL, YR_ENV_CUSTODY, frame_at(w, CAROL, YR_FRAME_MBX_ASK, 0)->body);
    assert_int_equal(held(w, 1).kept, 2);
    end(w);
}

static void what_was_sealed_once_is_not_taken_back_though_it_is_plain_again(void **state)
{
    struct world *w = begin_kept();
    uint8_t id[YR_MSG_ID_LEN];

    (void)state;
    make_id(id, 1);
    assert_int_equal(yr_delivery_renewed(w->alice, BOB), YR_OK);
    assert_false(yr_delivery_recall(w->alice, BOB, id));
    end(w);
}

static void acks_of_nothing_cost_their_sender_the_link(void **state)
{
    struct world *w = begin();
    uint8_t body[YR_ENV_ACK_MAX * 17];
    unsigned frames = 0;

    (void)state;
    for (unsigned i = 1; i <= 200; i++)
        write_letter(w, i);
    go_up(w, BOB);
    settle(w);
    for (size_t i = 0; i < sizeof body; i++)
        body[i] = i % 17 == 0 ? YR_ENV_DONE : (uint8_t)(i * 31 / 7);
    while (frames < 100 && yr_delivery_acked(w->alice, w->now, BOB, body, sizeof body) == YR_OK)
        frames++;
    assert_in_range(frames, 4, 40); // 200 letters x 1,024 ids x 20 are allowed at once
    end(w);
}

// Who says that it was fetched may lie, but for nobody else.
static void what_was_fetched_is_not_left_there_again_for_a_day(void **state)
{
    struct world *w = begin_kept();
    uint8_t eid[YR_EID_LEN];

    (void)state;
    eid_of(frame_at(w, CAROL, YR_FRAME_ENV_PUT, 0), eid);
    answer(w, CAROL, YR_ENV_DONE, eid);
    settle(w);
    pass(w, (YR_POST_AGAIN_S - 60) * YR_S);
    assert_int_equal(count_frames(w, CAROL, YR_FRAME_ENV_PUT), 1);
    w->holder_count = 2;
    go_up(w, DAVE);
    pass(w, 10 * YR_S);
    assert_int_equal(count_frames(w, DAVE, YR_FRAME_ENV_PUT), 1);
    end(w);
}

// His receipt may be lost for good, and what is in the same ratchet message tells him nothing.
static void what_was_fetched_and_never_receipted_comes_as_a_new_message(void **state)
{
    struct world *w = begin_kept();
    const struct frame *f = frame_at(w, CAROL, YR_FRAME_ENV_PUT, 0);
    uint8_t eid[YR_EID_LEN], id[YR_MSG_ID_LEN];

    (void)state;
    assert_int_equal(give(w, f->body, f->len), 1);
    eid_of(f, eid);
    answer(w, CAROL, YR_ENV_DONE, eid);
    pass(w, (YR_POST_AGAIN_S + 86400) * YR_S);
    f = frame_at(w, CAROL, YR_FRAME_ENV_PUT, 1);
    assert_int_equal(give(w, f->body, f->len), 2);
    make_id(id, 1);
    assert_memory_equal(w->got_id, id, sizeof id);
    end(w);
}

// Neither has heard of the other for so long that the days of both have stopped.
static void who_was_away_for_very_long_still_waits_for_what_is_written_now(void **state)
{
    struct world *w = begin();
    const struct frame *f;
    uint8_t tag[16], tags[2][16];
    bool registered = false;
    uint32_t today;
    unsigned author;

    (void)state;
    w->now.mono_us += (yr_us)60 * 86400 * YR_S;
    w->now.wall_ms += (yr_ms)60 * 86400000;
    go_up(w, CAROL);
    write_letter(w, 1);
    pass(w, 5 * YR_S);
    f = frame_at(w, CAROL, YR_FRAME_ENV_PUT, 0);
    assert_int_equal(yr_envelope_peek(f->body, f->len, NULL, tag), YR_OK);
    today = (uint32_t)(w->now.wall_ms / 86400000);
    for (uint32_t i = 0; i < YR_MAIL_DAYS; i++)
        for (size_t k = yr_delivery_tags(w->bob, w->now, 0, today - 1 + i, tags); k-- > 0;)
            registered |= memcmp(tags[k], tag, sizeof tag) == 0;
    assert_int_equal(yr_delivery_author(w->bob, w->now, 1, tag, false, &author), YR_OK);
    assert_true(registered);
    end(w);
}

static void a_holder_speaks_for_itself_only(void **state)
{
    struct world *w = begin_kept();
    static const uint8_t strange[YR_EID_LEN] = {1, 2, 3};
    uint8_t eid[YR_EID_LEN];

    (void)state;
    go_up(w, DAVE); // he was asked for nothing
    settle(w);
    eid_of(frame_at(w, CAROL, YR_FRAME_ENV_PUT, 0), eid);
    for (unsigned status = 0; status < 256; status++) {
        answer(w, DAVE, (uint8_t)status, eid);
        answer(w, DAVE, (uint8_t)status, strange);
        answer(w, CAROL, (uint8_t)status, strange);
    }
    assert_int_equal(held(w, 1).count, 1);
    assert_int_equal(held(w, 1).kept, 1);
    assert_int_equal(yr_delivery_queued(w->alice, BOB), 1);
    // Carol may say that it is there no more, but not, unasked, that it is there again.
    answer(w, CAROL, YR_ENV_GONE, eid);
    for (unsigned status = 0; status < 256; status++)
        answer(w, CAROL, (uint8_t)status, eid);
    assert_int_equal(held(w, 1).kept, 0);
    assert_int_equal(held(w, 1).status[0], YR_HELD_GONE);
    assert_int_equal(w->held, 1);
    assert_int_equal(yr_delivery_queued(w->alice, BOB), 1);
    end(w);
}

static void answers_that_make_no_sense_have_nobody_run_in_circles(void **state)
{
    (void)state;
    for (unsigned status = 0; status < 256; status += status < 8 ? 1 : 31) {
        struct world *w = begin();
        size_t answered = 0;
        go_up(w, CAROL);
        for (unsigned i = 0; i < 40; i++)
            write_letter(w, i);
        for (int minute = 0; minute < 240; minute++) {
            pass(w, 60 * YR_S);
            for (; answered < count_frames(w, CAROL, YR_FRAME_ENV_PUT); answered++)
                answer_put(w, CAROL, (uint8_t)status, answered);
        }
        assert_true(w->count <= 100); // four hours
        end(w);
    }
}

static void a_flood_of_answers_changes_nothing(void **state)
{
    struct world *w = begin_kept();
    uint8_t body[YR_ENV_ACK_MAX * (1 + YR_EID_LEN)];
    struct yr_wr wr = yr_wr_init(body, sizeof body);
    uint8_t eid[YR_EID_LEN];

    (void)state;
    eid_of(frame_at(w, CAROL, YR_FRAME_ENV_PUT, 0), eid);
    for (unsigned i = 0; i < YR_ENV_ACK_MAX; i++) {
        eid[15] = (uint8_t)(eid[15] + (i > 0));
        yr_env_ack_put(&wr, (enum yr_env_status)(i % 7), eid);
    }
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(yr_delivery_acked(w->alice, w->now, DAVE, body, sizeof body), YR_OK);
    assert_int_equal(yr_delivery_acked(w->alice, w->now, CAROL, body, sizeof body - 1), YR_EPROTO);
    assert_int_equal(held(w, 1).kept, 1);
    pass(w, 60 * YR_S);
    assert_int_equal(w->count, 1);
    end(w);
}

static void questions_come_back_over_the_next_link(void **state)
{
    struct world *w = begin();

    (void)state;
    go_up(w, CAROL);
    for (unsigned i = 0; i < 80; i++)
        write_letter(w, i);
    pass(w, 5 * YR_S);
    for (size_t i = 0; i < 80; i++)
        answer_put(w, CAROL, YR_ENV_CUSTODY, i);
    assert_int_equal(held(w, 79).kept, 1);
    go_down(w, CAROL);
    drop_frames(w);
    for (int times = 0; times < 3; times++) {
        size_t asked = 0;
        go_up(w, CAROL);
        settle(w);
        for (size_t k = 0; k < count_frames(w, CAROL, YR_FRAME_MBX_ASK); k++) {
            const struct frame *f = frame_at(w, CAROL, YR_FRAME_MBX_ASK, k);
            assert_true(f->len / YR_EID_LEN <= YR_POST_OUT_MAX);
            for (size_t at = 0; times > 0 && at < f->len; at += YR_EID_LEN)
                answer(w, CAROL, YR_ENV_CUSTODY, f->body + at);
            asked += f->len / YR_EID_LEN;
            settle(w);
        }
        assert_int_equal(asked, times > 0 ? 80 : YR_POST_OUT_MAX);
        go_down(w, CAROL);
        drop_frames(w);
    }
    end(w);
}

static void a_link_that_takes_no_more_is_asked_when_it_does(void **state)
{
    struct world *w = begin();

    (void)state;
    w->room = 0;
    go_up(w, CAROL);
    write_letter(w, 1);
    pass(w, 60 * YR_S);
    assert_int_equal(w->count, 0);
    w->room = SIZE_MAX;
    yr_delivery_room(w->alice, w->now, CAROL);
    settle(w);
    assert_int_equal(w->count, 1);
    end(w);
}

/* ---- through another ---- */

static void who_hands_it_on_is_told_to_whom(void **state)
{
    struct world *w = begin();
    uint8_t hop[YR_HASH16], eid[YR_EID_LEN];
    const struct frame *f;

    (void)state;
    w->holders[0] = (struct yr_holder){CAROL, ERIN, true};
    go_up(w, ERIN);
    write_letter(w, 1);
    pass(w, 5 * YR_S);
    f = frame_at(w, ERIN, YR_FRAME_ENV_FWD, 0);
    yr_hash16(hop, w->ids[CAROL], 32);
    assert_memory_equal(f->body, hop, sizeof hop);
    assert_int_equal(give(w, f->body + sizeof hop, f->len - sizeof hop), 1);
    yr_envelope_id(eid, f->body + sizeof hop, f->len - sizeof hop);
    answer(w, CAROL, YR_ENV_CUSTODY, eid); // she was not asked by us
    assert_int_equal(held(w, 1).kept, 0);
    answer(w, ERIN, YR_ENV_CUSTODY, eid);
    settle(w);
    assert_int_equal(held(w, 1).kept, 1);
    assert_memory_equal(held(w, 1).holder[0], w->ids[CAROL], 16);
    crash(w);
    assert_int_equal(held(w, 1).kept, 1);
    go_up(w, CAROL); // and is not asked what would tell her whose it is
    go_up(w, ERIN);
    pass(w, 60 * YR_S);
    assert_int_equal(w->count, 0);
    end(w);
}

/* ---- receipts ---- */

static void bobs_own_word_ends_a_letter(void **state)
{
    static const enum yr_plain_type types[] = {YR_PLAIN_DELIVERED, YR_PLAIN_NOOP, YR_PLAIN_TEXT};

    (void)state;
    for (size_t i = 0; i < YR_COUNT(types); i++) {
        struct world *w = begin_kept();
        const struct frame *f = frame_at(w, CAROL, YR_FRAME_ENV_PUT, 0);
        uint8_t eid[YR_EID_LEN];
        assert_int_equal(give(w, f->body, f->len), 1);
        eid_of(f, eid);
        receipt(w, 2, types[i]); // of another
        assert_int_equal(yr_delivery_queued(w->alice, BOB), 1);
        receipt(w, 1, types[i]);
        assert_int_equal(yr_delivery_queued(w->alice, BOB), 0);
        answer(w, CAROL, YR_ENV_GONE, eid);
        crash(w);
        assert_int_equal(yr_delivery_queued(w->alice, BOB), 0);
        assert_int_equal(held(w, 1).count, 0);
        end(w);
    }
}

static void push_receipt(struct world *w, unsigned n, unsigned first, unsigned count)
{
    struct yr_plain plain = {.type = YR_PLAIN_DELIVERED};
    static uint8_t ids[YR_ACKS_MAX][YR_MSG_ID_LEN];

    for (unsigned i = 0; i < count; i++) {
        make_id(ids[i], first + i);
        plain.ids[plain.id_count++] = ids[i];
    }
    push(w, &plain, n);
}

static void receipts_wait_for_each_other(void **state)
{
    struct world *w = begin();

    (void)state;
    go_up(w, CAROL);
    push_receipt(w, 7, 100, 3);
    pass(w, YR_S);
    push_receipt(w, 8, 102, 3);
    assert_int_equal(yr_delivery_queued(w->alice, BOB), 1);
    push_receipt(w, 9, 200, YR_ACKS_MAX); // too many for one
    assert_int_equal(yr_delivery_queued(w->alice, BOB), 2);
    pass(w, (YR_POST_RECEIPT_S_MIN - 1) * YR_S - 10 * YR_MS);
    assert_int_equal(w->count, 0);
    pass(w, YR_POST_RECEIPT_S_MAX * YR_S);
    answer_put(w, CAROL, YR_ENV_CUSTODY, 0);
    pass(w, YR_S);
    assert_int_equal(w->count, 2);
    const struct frame *f = frame_at(w, CAROL, YR_FRAME_ENV_PUT, 0);
    assert_int_equal(give(w, f->body, f->len), 1);
    push_receipt(w, 10, 900, 1); // what is sealed is not touched
    assert_int_equal(yr_delivery_queued(w->alice, BOB), 3);
    end(w);
}

static void receipts_leave_at_once_over_a_link(void **state)
{
    struct world *w = begin();

    (void)state;
    push_receipt(w, 7, 100, 3);
    push_receipt(w, 8, 200, 3);
    settle(w);
    go_up(w, BOB);
    push_receipt(w, 9, 300, 3);
    settle(w);
    assert_int_equal(count_frames(w, BOB, YR_FRAME_ENV_PUT), 2);
    end(w);
}

static void receipts_that_nobody_confirms_go_by_themselves(void **state)
{
    struct world *w = begin();

    (void)state;
    push_receipt(w, 7, 100, 3);
    write_letter(w, 1);
    pass(w, 13 * 86400 * YR_S);
    yr_delivery_daily(w->alice, w->now);
    assert_int_equal(yr_delivery_queued(w->alice, BOB), 2);
    pass(w, 2 * 86400 * YR_S);
    yr_delivery_daily(w->alice, w->now);
    assert_int_equal(yr_delivery_queued(w->alice, BOB), 1);
    end(w);
}

/* ---- taking back, time ---- */

static void a_text_can_be_taken_back_until_it_is_sealed(void **state)
{
    struct world *w = begin();
    uint8_t id[YR_MSG_ID_LEN];

    (void)state;
    go_up(w, CAROL);
    write_letter(w, 1);
    pass(w, YR_S);
    make_id(id, 1);
    assert_true(yr_delivery_recall(w->alice, BOB, id));
    write_letter(w, 2);
    pass(w, 5 * YR_S);
    make_id(id, 2);
    assert_false(yr_delivery_recall(w->alice, BOB, id));
    assert_int_equal(yr_delivery_queued(w->alice, BOB), 1);
    assert_int_equal(w->count, 1);
    end(w);
}

static void a_text_with_a_time_is_not_kept_for_longer(void **state)
{
    struct world *w = begin();
    struct yr_plain plain = {
        .type = YR_PLAIN_TEXT, .text = (const uint8_t *)"now or never", .text_len = 12};
    uint32_t exp_s;

    (void)state;
    plain.expires_s = (uint64_t)START_MS / 1000 + 3600;
    go_up(w, CAROL);
    push(w, &plain, 1);
    pass(w, 5 * YR_S);
    const struct frame *f = frame_at(w, CAROL, YR_FRAME_ENV_PUT, 0);
    assert_int_equal(yr_envelope_peek(f->body, f->len, &exp_s, NULL), YR_OK);
    assert_true(exp_s >= plain.expires_s && exp_s - plain.expires_s < YR_ENVELOPE_STEP_S);
    push(w, &plain, 2);
    pass(w, 4000 * YR_S); // the second waits for the answer to the first, and then is over
    answer_put(w, CAROL, YR_ENV_CUSTODY, 0);
    pass(w, 60 * YR_S);
    assert_int_equal(w->count, 1);
    end(w);
}

/* ---- crashes ---- */

// A story with one letter; false: it had fewer commits than that.
static bool live_through(uint64_t crash_at)
{
    struct world *w = begin();
    const struct frame *f;
    bool crashed;

    w->crash_at = crash_at;
    w->holder_count = 2;
    go_up(w, CAROL);
    write_letter(w, 1);
    settle(w);
    if (yr_delivery_queued(w->alice, BOB) == 0) { // it was never accepted
        assert_true(w->crashed);
        end(w);
        return true;
    }
    for (int turn = 0; turn < 4; turn++) {
        pass(w, 5 * YR_S);
        if (!w->up[CAROL])
            go_up(w, CAROL);
        for (size_t i = 0; i < count_frames(w, CAROL, YR_FRAME_ENV_PUT); i++)
            answer_put(w, CAROL, YR_ENV_CUSTODY, i);
        for (size_t i = 0; i < count_frames(w, CAROL, YR_FRAME_MBX_ASK); i++)
            answer(w, CAROL, YR_ENV_CUSTODY, frame_at(w, CAROL, YR_FRAME_MBX_ASK, i)->body);
    }
    assert_int_equal(held(w, 1).kept, 1);
    assert_true(w->held > 0);
    go_up(w, DAVE);
    pass(w, 5 * YR_S);
    if (!w->up[DAVE]) {
        go_up(w, DAVE);
        pass(w, 5 * YR_S);
    }
    f = frame_at(w, DAVE, YR_FRAME_ENV_PUT, 0);
    assert_int_equal(give(w, f->body, f->len), 1);
    receipt(w, 1, YR_PLAIN_DELIVERED);
    crashed = w->crashed;
    if (yr_delivery_queued(w->alice, BOB) > 0) { // bob says it again
        assert_true(crashed);
        receipt(w, 1, YR_PLAIN_DELIVERED);
    }
    assert_int_equal(yr_delivery_queued(w->alice, BOB), 0);
    end(w);
    return crashed;
}

static void a_crash_before_any_commit_loses_nothing_accepted(void **state)
{
    uint64_t k = 1;

    (void)state;
    while (live_through(k))
        k++;
    assert_true(k > 4);
}

static void whatever_memory_is_refused_nothing_is_left_that_is_not_on_disk(void **state)
{
    bool refused = true;

    (void)state;
    for (size_t left = 0; refused; left++) {
        struct world *w = begin();
        go_up(w, CAROL);
        for (unsigned i = 0; i < 20; i++)
            write_letter(w, i);
        settle(w);
        w->box.mem.left = left;
        for (int i = 0; i < 5; i++) {
            w->now.mono_us += 3 * YR_S;
            w->now.wall_ms += 3000;
            yr_delivery_tick(w->alice, w->now);
            if (yr_rows_broken(w->box.rows))
                break; // the node would read everything again
            settle(w);
            for (size_t k = 0; k < w->count; k++) {
                uint8_t eid[YR_EID_LEN];
                eid_of(&w->frames[k], eid);
                answer(w, CAROL, YR_ENV_CUSTODY, eid);
            }
        }
        refused = w->box.mem.left == 0;
        w->box.mem.left = SIZE_MAX;
        crash(w);
        go_up(w, CAROL);
        for (unsigned turn = 0; turn < 25; turn++) {
            pass(w, 5 * YR_S);
            for (size_t k = 0; k < count_frames(w, CAROL, YR_FRAME_ENV_PUT); k++)
                answer_put(w, CAROL, YR_ENV_CUSTODY, k);
        }
        for (unsigned i = 0; i < 20; i++)
            assert_int_equal(held(w, i).kept, 1);
        end(w);
    }
}

/* ---- habits ---- */

static void habits_follow_what_is_seen(void **state)
{
    struct yr_habit early, late, always;
    uint8_t row[YR_HABIT_ROW_LEN];
    yr_ms ms = START_MS;

    (void)state;
    yr_habit_init(&early, ms);
    yr_habit_init(&late, ms);
    yr_habit_init(&always, ms);
    for (unsigned hour = 0; hour < 30 * 24; hour++, ms += 3600000) {
        const unsigned of_day = (unsigned)(ms / 3600000 % 24);
        yr_habit_note(&early, ms, of_day > 6 && of_day <= 12);
        yr_habit_note(&late, ms, of_day > 18);
        yr_habit_note(&always, ms, true);
    }
    assert_true(yr_habit_meets(&early, &always) > 0.9);
    assert_true(yr_habit_meets(&early, &early) > 0.8);
    assert_true(yr_habit_meets(&early, &late) < 0.2);
    yr_habit_encode(row, &early);
    assert_int_equal(yr_habit_decode(&always, ms, row, sizeof row), YR_OK);
    assert_memory_equal(always.part, early.part, sizeof early.part);
    assert_int_equal(yr_habit_decode(&always, ms, row, sizeof row - 1), YR_EPROTO);
    yr_habit_note(&late, ms + INT64_C(10) * 365 * 86400000, true); // a clock that leaps
    yr_habit_note(&late, ms, true);
    assert_true(yr_habit_meets(&early, &late) < 0.2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_letter_is_left_when_it_is_on_disk_and_bob_can_read_it),
        cmocka_unit_test(nothing_is_left_while_bob_may_still_come),
        cmocka_unit_test(held_is_told_with_the_row_that_says_so),
        cmocka_unit_test(the_same_envelope_is_made_again),
        cmocka_unit_test(the_first_one_goes_alone_and_then_not_more_than_a_few),
        cmocka_unit_test(no_more_than_a_window_is_sealed),
        cmocka_unit_test(at_most_five_friends_keep_one),
        cmocka_unit_test(when_all_is_done_nobody_is_woken),
        cmocka_unit_test(a_full_holder_is_asked_again_later),
        cmocka_unit_test(where_nobody_waits_for_it_is_not_asked_for_a_while),
        cmocka_unit_test(who_refuses_for_weeks_is_asked_ever_less),
        cmocka_unit_test(who_does_not_answer_keeps_nobody_waiting),
        cmocka_unit_test(what_is_gone_is_left_elsewhere_and_never_there_again),
        cmocka_unit_test(who_may_have_dropped_some_is_asked_but_not_all_the_time),
        cmocka_unit_test(what_nobody_keeps_goes_in_another_envelope_on_another_day),
        cmocka_unit_test(what_has_been_kept_long_enough_is_left_again),
        cmocka_unit_test(who_was_long_away_is_not_counted_on),
        cmocka_unit_test(acks_of_nothing_cost_their_sender_the_link),
        cmocka_unit_test(what_was_sealed_once_is_not_taken_back_though_it_is_plain_again),
        cmocka_unit_test(what_was_fetched_is_not_left_there_again_for_a_day),
        cmocka_unit_test(what_was_fetched_and_never_receipted_comes_as_a_new_message),
        cmocka_unit_test(who_was_away_for_very_long_still_waits_for_what_is_written_now),
        cmocka_unit_test(a_holder_speaks_for_itself_only),
        cmocka_unit_test(answers_that_make_no_sense_have_nobody_run_in_circles),
        cmocka_unit_test(a_flood_of_answers_changes_nothing),
        cmocka_unit_test(questions_come_back_over_the_next_link),
        cmocka_unit_test(a_link_that_takes_no_more_is_asked_when_it_does),
        cmocka_unit_test(who_hands_it_on_is_told_to_whom),
        cmocka_unit_test(bobs_own_word_ends_a_letter),
        cmocka_unit_test(receipts_wait_for_each_other),
        cmocka_unit_test(receipts_leave_at_once_over_a_link),
        cmocka_unit_test(receipts_that_nobody_confirms_go_by_themselves),
        cmocka_unit_test(a_text_can_be_taken_back_until_it_is_sealed),
        cmocka_unit_test(a_text_with_a_time_is_not_kept_for_longer),
        cmocka_unit_test(a_crash_before_any_commit_loses_nothing_accepted),
        cmocka_unit_test(whatever_memory_is_refused_nothing_is_left_that_is_not_on_disk),
        cmocka_unit_test(habits_follow_what_is_seen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
