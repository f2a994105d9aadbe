/* Alice and bob, each with a delivery and a store of its own, and every frame, commit and crash
 * between them in the hands of the test. */
#include "core/delivery/delivery_state.h" // which session comes first is seen nowhere else
#include "core/wire/frames.h"
#include "tests/support/rowbox.h"
#include "tests/support/test.h"

#define START_MS   INT64_C(1700006400000)
#define DAY        (YR_DAY_S * YR_S)
#define FRAMES_MAX 64
#define TEXTS_MAX  400
#define SLOT       3 // of the friend, at both

enum { ALICE, BOB };

struct frame {
    uint8_t type;
    size_t len;
    uint8_t body[1024];
};

struct side {
    struct world *world;
    unsigned who;
    struct rowbox box;
    struct yr_delivery *d;
    struct yr_age age;
    struct yr_keypair device;
    uint8_t id[32];
    yr_ms skew_ms;
    struct frame out[FRAMES_MAX]; // on their way to the other
    size_t out_count;
    bool mute; // tells no prekey of its own
    unsigned resets, today;
};

struct text {
    unsigned from;
    uint8_t id[YR_MSG_ID_LEN];
    uint64_t token; // accepted when this is durable
    bool accepted;
};

struct world {
    struct side sides[2];
    struct seeded dice;
    uint8_t pair[32], pkh_psk[32];
    yr_us now_us;
    bool up;
    struct text texts[TEXTS_MAX];
    size_t count;
};

static struct yr_now now_of(const struct side *s)
{
    return (struct yr_now){.mono_us = s->world->now_us,
                           .wall_ms = START_MS + (yr_ms)(s->world->now_us / YR_MS) + s->skew_ms};
}

/* ---- what a delivery asks of its owner ---- */

static enum yr_err give_frame(void *ctx, unsigned slot, uint8_t type, const uint8_t *body,
                              size_t len)
{
    struct side *s = ctx;
    struct frame *f = &s->out[s->out_count];

    assert_int_equal(slot, SLOT);
    if (!s->world->up)
        return YR_EAGAIN;
    if (s->out_count == FRAMES_MAX)
        return YR_EFULL;
    assert_true(len <= sizeof f->body);
    f->type = type;
    f->len = len;
    memcpy(f->body, body, len);
    s->out_count++;
    return YR_OK;
}

// A text has a row by its id: that is what is shown.
static enum yr_err take_plain(void *ctx, struct yr_now now, unsigned slot, const uint8_t *bytes,
                              size_t len, bool mailed)
{
    struct side *s = ctx;
    struct yr_plain plain;
    uint8_t row[8];
    size_t n;

    assert_int_equal(yr_plain_decode(&plain, bytes, len), YR_OK);
    if (plain.type == YR_PLAIN_PREKEY) {
        struct yr_prekey prekey = {.id = plain.prekey_id, .exp_s = plain.prekey_exp_s};
        memcpy(prekey.pk, plain.prekey, 32);
        yr_delivery_their_prekey(s->d, now, slot, &prekey);
    }
    if (plain.type != YR_PLAIN_TEXT)
        return YR_OK;
    if (yr_rows_get(s->box.rows, YR_TABLE_MESSAGE, "got", 3, plain.id, 16, row, sizeof row, &n) ==
        YR_OK)
        return YR_EEXIST;
    yr_rows_put(s->box.rows, YR_TABLE_MESSAGE, "got", 3, plain.id, 16, "x", 1);
    return YR_OK;
}

static void give_pair(void *ctx, unsigned slot, struct yr_pkh_pair *out)
{
    struct side *s = ctx;
    struct side *peer = &s->world->sides[1 - s->who];

    *out = (struct yr_pkh_pair){&s->device, peer->device.public_key, s->id, peer->id,
                                s->world->pkh_psk};
}

static enum yr_err hear_reset(void *ctx, struct yr_now now, unsigned slot, unsigned today)
{
    struct side *s = ctx;

    s->resets++;
    s->today = today;
    return YR_OK;
}

static void push(struct side *s, struct yr_plain *plain)
{
    uint8_t id[YR_MSG_ID_LEN], bytes[256];
    size_t len;

    yr_random(&s->world->dice.rng, id, sizeof id);
    plain->id = id;
    plain->known = true;
    plain->hlc = 1;
    assert_int_equal(yr_plain_encode(plain, bytes, sizeof bytes, &len), YR_OK);
    assert_int_equal(yr_delivery_push(s->d, now_of(s), SLOT, id, bytes, len), YR_OK);
}

static void give_answer(void *ctx, unsigned slot)
{
    struct side *s = ctx;
    struct yr_plain plain = {.type = YR_PLAIN_NOOP};
    struct yr_prekey prekey;
    bool fresh;

    assert_int_equal(yr_delivery_prekey(s->d, now_of(s), SLOT, &prekey, &fresh), YR_OK);
    if (fresh && !s->mute) {
        plain.type = YR_PLAIN_PREKEY;
        plain.prekey_id = prekey.id;
        plain.prekey = prekey.pk;
        plain.prekey_exp_s = prekey.exp_s;
    }
    push(s, &plain);
}

/* ---- a side ---- */

static void open_side(struct side *s)
{
    const struct yr_delivery_ops ops = {.frame = give_frame,
                                        .plain = take_plain,
                                        .pair = give_pair,
                                        .reset = hear_reset,
                                        .answer = give_answer,
                                        .ctx = s};

    assert_int_equal(yr_age_load(&s->age, s->box.rows, now_of(s)), YR_OK);
    assert_int_equal(
        yr_delivery_new(&s->d, &s->box.mem.mem, s->box.rows, &s->box.rng.rng, &s->age, &ops),
        YR_OK);
    assert_int_equal(yr_delivery_start(s->d), YR_OK);
}

static void load_side(struct side *s)
{
    open_side(s);
    assert_int_equal(yr_delivery_load(s->d, SLOT, s->world->sides[1 - s->who].id, (uint8_t)s->who),
                     YR_OK);
}

static void commit(struct side *s)
{
    struct world *w = s->world;

    yr_delivery_settle(s->d, now_of(s));
    yr_delivery_flush(s->d);
    yr_age_flush(&s->age, s->box.rows, now_of(s));
    rowbox_settle(&s->box);
    for (size_t i = 0; i < w->count; i++)
        if (w->texts[i].from == s->who && w->texts[i].token != 0 &&
            w->texts[i].token <= yr_rows_durable(s->box.rows)) {
            w->texts[i].accepted = true;
            w->texts[i].token = 0;
        }
    yr_delivery_release(s->d, now_of(s), yr_rows_durable(s->box.rows));
    yr_delivery_tick(s->d, now_of(s));
}

static void link(struct world *w, bool up)
{
    if (w->up)
        for (unsigned i = 0; i < 2; i++)
            yr_delivery_down(w->sides[i].d, now_of(&w->sides[i]), SLOT);
    w->up = up;
    for (unsigned i = 0; i < 2; i++)
        w->sides[i].out_count = 0;
    for (unsigned i = 0; up && i < 2; i++)
        yr_delivery_up(w->sides[i].d, now_of(&w->sides[i]), SLOT);
}

// What was not committed is gone, and so is the link.
static void crash(struct side *s)
{
    struct world *w = s->world;
    const bool up = w->up;

    link(w, false);
    yr_delivery_free(s->d);
    assert_int_equal(rowbox_crash(&s->box), YR_OK);
    for (size_t i = 0; i < w->count; i++)
        if (w->texts[i].from == s->who)
            w->texts[i].token = 0;
    load_side(s);
    link(w, up);
}

static enum yr_err receive(struct side *s, const uint8_t *envelope, size_t len)
{
    uint8_t tag[16];
    unsigned author;

    assert_int_equal(yr_envelope_peek(envelope, len, NULL, tag), YR_OK);
    if (yr_delivery_author(s->d, now_of(s), SLOT, tag, true, &author) != YR_OK)
        return YR_ENOENT;
    return yr_delivery_receive(s->d, now_of(s), SLOT, author, envelope, len);
}

static void hear(struct side *s, const struct frame *f)
{
    enum yr_err err = YR_OK;

    if (f->type == YR_FRAME_ENV_ACK)
        assert_int_equal(yr_delivery_acked(s->d, now_of(s), SLOT, f->body, f->len), YR_OK);
    else if (f->type == YR_FRAME_ENV_PUT)
        err = receive(s, f->body, f->len);
    assert_true(err == YR_OK || err == YR_ENOENT); // of a day that is not known
}

// The next frame of this side arrives.
static bool pass(struct side *s)
{
    struct frame f;

    if (s->out_count == 0)
        return false;
    f = s->out[0];
    memmove(s->out, s->out + 1, --s->out_count * sizeof s->out[0]);
    hear(&s->world->sides[1 - s->who], &f);
    yr_delivery_room(s->d, now_of(s), SLOT);
    return true;
}

// Until nothing has moved for a while: what leaves may wait for one commit after another.
static void quiet(struct world *w)
{
    for (unsigned i = 0, idle = 0; idle < 3; i++) {
        bool busy = false;
        assert_true(i < 5000); // or they never come to rest
        for (unsigned k = 0; k < 2; k++) {
            commit(&w->sides[k]);
            busy |= pass(&w->sides[k]);
        }
        idle = busy ? 0 : idle + 1;
    }
}

static void wait_us(struct world *w, yr_us us)
{
    w->now_us += us;
}

static void say(struct side *s)
{
    struct world *w = s->world;
    struct text *t = &w->texts[w->count];
    struct yr_plain plain = {.type = YR_PLAIN_TEXT, .seq = w->count + 1};
    uint8_t bytes[256];
    size_t len;

    assert_true(w->count < TEXTS_MAX);
    w->count++;
    t->from = s->who;
    t->accepted = false;
    yr_random(&w->dice.rng, t->id, sizeof t->id);
    plain.id = t->id;
    plain.known = true;
    plain.hlc = 1;
    plain.incarnation = s->id;
    plain.text = (const uint8_t *)"hello";
    plain.text_len = 5;
    assert_int_equal(yr_plain_encode(&plain, bytes, sizeof bytes, &len), YR_OK);
    assert_int_equal(yr_delivery_push(s->d, now_of(s), SLOT, t->id, bytes, len), YR_OK);
    t->token = yr_rows_pending(s->box.rows);
}

static bool has(struct side *s, const uint8_t id[YR_MSG_ID_LEN])
{
    uint8_t row[8];
    size_t n;

    return yr_rows_get(s->box.rows, YR_TABLE_MESSAGE, "got", 3, id, 16, row, sizeof row, &n) ==
           YR_OK;
}

static size_t missing(struct world *w)
{
    size_t n = 0;

    for (size_t i = 0; i < w->count; i++)
        n += w->texts[i].accepted && !has(&w->sides[1 - w->texts[i].from], w->texts[i].id);
    return n;
}

static uint64_t counted(const struct side *s, enum yr_delivery_count what)
{
    return s->d->counters[what];
}

/* ---- two of them ---- */

static struct world *begin(uint64_t seed)
{
    struct world *w = calloc(1, sizeof *w);
    struct yr_contact contacts[2];
    struct yr_pair pair;
    struct seeded *dice = &w->dice;

    assert_non_null(w);
    seeded_init(dice, seed);
    w->now_us = YR_S;
    memset(contacts, 0, sizeof contacts);
    for (unsigned i = 0; i < 2; i++) {
        struct side *s = &w->sides[i];
        uint8_t bytes[32];
        s->world = w;
        s->who = i;
        rowbox_open(&s->box, seed * 2 + i);
        yr_random(&dice->rng, bytes, sizeof bytes);
        yr_keypair_from_seed(&s->device, bytes);
        memset(s->id, (int)i + 1, sizeof s->id);
        open_side(s);
    }
    yr_random(&dice->rng, w->pair, sizeof w->pair);
    yr_pair_derive(&pair, 0, w->pair, w->sides[0].id, w->sides[1].id);
    memcpy(w->pkh_psk, pair.pkh_psk, sizeof w->pkh_psk);
    yr_random(&dice->rng, contacts[0].exporter, 32);
    yr_random(&dice->rng, contacts[0].hash, 64);
    memcpy(contacts[0].pair, w->pair, 32);
    contacts[0].day = (uint32_t)(START_MS / YR_DAY_MS) - 1;
    contacts[1] = contacts[0];
    yr_random(&dice->rng, contacts[0].pair, 32);
    yr_keypair_from_seed(&contacts[ALICE].ratchet, contacts[0].pair);
    memcpy(contacts[0].pair, w->pair, 32);
    contacts[ALICE].inviter = true;
    memcpy(contacts[BOB].ratchet_remote, contacts[ALICE].ratchet.public_key, 32);
    for (unsigned i = 0; i < 2; i++) {
        memcpy(contacts[i].id, w->sides[1 - i].id, 32);
        assert_int_equal(
            yr_delivery_meet(w->sides[i].d, now_of(&w->sides[i]), SLOT, &contacts[i], (uint8_t)i),
            YR_OK);
    }
    return w;
}

static void tell_prekey(struct side *s)
{
    struct yr_prekey prekey;
    bool fresh;

    assert_int_equal(yr_delivery_prekey(s->d, now_of(s), SLOT, &prekey, &fresh), YR_OK);
    yr_delivery_their_prekey(s->world->sides[1 - s->who].d, now_of(s), SLOT, &prekey);
}

// Friends with a session that both have used, and prekeys.
static struct world *friends(uint64_t seed)
{
    struct world *w = begin(seed);

    tell_prekey(&w->sides[ALICE]);
    tell_prekey(&w->sides[BOB]);
    say(&w->sides[BOB]);
    link(w, true);
    quiet(w);
    say(&w->sides[ALICE]);
    quiet(w);
    assert_int_equal(missing(w), 0);
    link(w, false);
    return w;
}

// Friends who have prekeys and no session.
static struct world *strangers(uint64_t seed, bool prekeys)
{
    struct world *w = friends(seed);

    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(yr_delivery_renewed(w->sides[i].d, SLOT), YR_OK);
    for (unsigned i = 0; prekeys && i < 2; i++)
        tell_prekey(&w->sides[i]);
    for (unsigned i = 0; i < 2; i++)
        commit(&w->sides[i]);
    return w;
}

static void end(struct world *w)
{
    for (unsigned i = 0; i < 2; i++) {
        yr_delivery_free(w->sides[i].d);
        rowbox_close(&w->sides[i].box);
    }
    free(w);
}

static const struct yr_box *box_of(const struct side *s)
{
    return s->d->boxes[SLOT];
}

static void assert_one_session(struct world *w)
{
    const struct yr_box *a = box_of(&w->sides[ALICE]), *b = box_of(&w->sides[BOB]);

    assert_true(a->session_count > 0 && b->session_count > 0);
    assert_memory_equal(a->sessions[0].sid, b->sessions[0].sid, YR_SID_LEN);
    assert_false(a->more[0].opening || b->more[0].opening || a->more[0].dead || b->more[0].dead);
}

static struct yr_memstore *copy_of(const struct side *s)
{
    return yr_memstore_copy(s->box.store);
}

static void set_back(struct side *s, struct yr_memstore *copy)
{
    yr_memstore_crash(s->box.store);
    yr_memstore_restore(s->box.store, copy);
    crash(s);
}

/* ---- both at once ---- */

// Each bit of `order` says whose frame arrives next; commits come with it, or later.
static void begin_both(unsigned order, bool late)
{
    struct world *w = strangers(1 + order, true);

    say(&w->sides[ALICE]);
    say(&w->sides[BOB]);
    say(&w->sides[ALICE]);
    link(w, true);
    for (unsigned bit = 0; bit < 8; bit++) {
        struct side *s = &w->sides[order >> bit & 1];
        commit(s);
        (void)pass(s);
        if (!late)
            commit(&w->sides[1 - s->who]);
    }
    quiet(w);
    assert_int_equal(missing(w), 0);
    for (unsigned i = 0; i < 2; i++) { // and an answer each
        say(&w->sides[i]);
        quiet(w);
    }
    assert_int_equal(missing(w), 0);
    assert_one_session(w);
    for (unsigned i = 0; i < 2; i++) {
        assert_in_range(counted(&w->sides[i], YR_ENV_N_BEGUN), 0, 1);
        assert_int_equal(counted(&w->sides[i], YR_ENV_N_BAD_SENT), 0);
        assert_int_equal(w->sides[i].resets, 0); // there was none before
    }
    end(w);
}

static void both_begin_at_once_and_agree_in_any_order(void **state)
{
    for (unsigned order = 0; order < 256; order++)
        begin_both(order, order % 3 == 0);
}

static void both_reset_at_once_and_agree(void **state)
{
    for (unsigned order = 0; order < 32; order++) {
        struct world *w = friends(300 + order);
        struct yr_memstore *copies[2] = {copy_of(&w->sides[0]), copy_of(&w->sides[1])};

        link(w, true);
        for (unsigned i = 0; i < 4; i++) {
            say(&w->sides[i % 2]);
            quiet(w);
        }
        w->count = 0; // where those were
        set_back(&w->sides[order & 1], copies[order & 1]);
        say(&w->sides[ALICE]);
        say(&w->sides[BOB]);
        for (unsigned bit = 1; bit < 5; bit++) {
            struct side *s = &w->sides[order >> bit & 1];
            commit(s);
            (void)pass(s);
        }
        quiet(w);
        assert_int_equal(missing(w), 0);
        say(&w->sides[ALICE]);
        quiet(w);
        say(&w->sides[BOB]);
        quiet(w);
        assert_int_equal(missing(w), 0);
        assert_one_session(w);
        for (unsigned i = 0; i < 2; i++) {
            assert_in_range(w->sides[i].resets, 0, 1);
            yr_memstore_free(copies[i]);
        }
        end(w);
    }
}

/* ---- anything in any order ---- */

static void no_order_of_crashes_and_frames_loses_a_text(void **state)
{
    const uint64_t first = seeded_seed("session", 1000);

    for (uint64_t seed = first; seed < first + 300; seed++) {
        struct world *w = seed % 2 == 0 ? strangers(seed, seed % 4 == 0) : friends(seed);

        link(w, true);
        for (unsigned step = 0; step < 60; step++) {
            struct side *s = &w->sides[seeded_below(&w->dice, 2)];
            switch (seeded_below(&w->dice, 10)) {
            case 0:
            case 1: say(s); break;
            case 2:
            case 3:
            case 4: (void)pass(s); break;
            case 5:
            case 6:
            case 7: commit(s); break;
            case 8:
                if (seeded_below(&w->dice, 4) == 0)
                    crash(s);
                break;
            default:
                if (seeded_below(&w->dice, 4) == 0)
                    link(w, true);
                wait_us(w, seeded_below(&w->dice, 3) == 0 ? 700 * YR_S : YR_S);
            }
        }
        for (unsigned round = 0; round < 4 && (round == 0 || missing(w) > 0); round++) {
            link(w, true);
            quiet(w);
            wait_us(w, 3700 * YR_S);
        }
        if (missing(w) > 0)
            fail_msg("seed %llu: %zu texts are missing", (unsigned long long)seed, missing(w));
        for (unsigned i = 0; i < 2; i++) {
            say(&w->sides[i]);
            quiet(w);
        }
        assert_int_equal(missing(w), 0);
        assert_one_session(w);
        if (seed % 2 != 0) // they had one, and nothing happened to it
            for (unsigned i = 0; i < 2; i++)
                assert_int_equal(w->sides[i].resets, 0);
        end(w);
    }
}

// A crash before each commit, one after the other, of a story with a reset in it.
static void a_crash_before_any_commit_of_a_reset_loses_nothing(void **state)
{
    for (unsigned at = 0; at < 24; at++) {
        struct world *w = friends(500);
        struct yr_memstore *copy = copy_of(&w->sides[BOB]);
        unsigned commits = 0;

        link(w, true);
        for (unsigned i = 0; i < 4; i++) {
            say(&w->sides[i % 2]);
            quiet(w);
        }
        w->count = 0;
        set_back(&w->sides[BOB], copy);
        say(&w->sides[ALICE]);
        commit(&w->sides[ALICE]);
        say(&w->sides[BOB]);
        commit(&w->sides[BOB]);
        for (unsigned i = 0; i < 40; i++) {
            struct side *s = &w->sides[i % 2];
            if (commits++ == at)
                crash(s);
            else
                commit(s);
            (void)pass(s);
        }
        for (unsigned round = 0; round < 3 && (round == 0 || missing(w) > 0); round++) {
            wait_us(w, 3700 * YR_S);
            link(w, true);
            quiet(w);
        }
        assert_int_equal(missing(w), 0);
        assert_int_equal(w->count, 2);
        yr_memstore_free(copy);
        end(w);
    }
}

/* ---- prekeys ---- */

static void without_any_prekey_a_session_begins_at_the_next_link(void **state)
{
    for (unsigned who = 0; who < 3; who++) {
        struct world *w = strangers(600 + who, false);

        for (unsigned i = 0; i < 2; i++)
            if (who == i || who == 2)
                say(&w->sides[i]);
        link(w, true);
        quiet(w);
        assert_int_equal(missing(w), 0);
        for (unsigned i = 0; i < 2; i++) {
            say(&w->sides[i]);
            quiet(w);
        }
        assert_int_equal(missing(w), 0);
        assert_one_session(w);
        end(w);
    }
}

static void a_prekey_that_is_withheld_stops_nobody(void **state)
{
    struct world *w = strangers(610, false);

    w->sides[BOB].mute = true;
    say(&w->sides[ALICE]);
    link(w, true);
    quiet(w);
    assert_int_equal(missing(w), 0);
    end(w);
}

// The owner forgot it: its store was set back to before it was made.
static void a_prekey_that_is_not_known_is_replaced(void **state)
{
    struct world *w = strangers(620, true);
    struct side *bob = &w->sides[BOB];

    memset(bob->d->boxes[SLOT]->own, 0, sizeof bob->d->boxes[SLOT]->own);
    bob->d->boxes[SLOT]->own_count = 0;
    bob->d->boxes[SLOT]->prekeys_dirty = true;
    commit(bob);
    say(&w->sides[ALICE]);
    link(w, true);
    quiet(w);
    assert_int_equal(missing(w), 1);
    assert_int_equal(counted(bob, YR_ENV_N_BAD_SENT), 1);
    wait_us(w, (YR_PKH_GAP_S + 2) * YR_S); // not at once again, and no word is needed for it
    quiet(w);
    assert_int_equal(missing(w), 0);
    end(w);
}

static void a_prekey_past_its_time_begins_nothing(void **state)
{
    struct world *w = strangers(630, true);
    struct side *bob = &w->sides[BOB];
    uint32_t id = box_of(bob)->own[0].key.id;

    wait_us(w, 22 * DAY);
    assert_null(yr_prekeys_find(bob->d, bob->d->boxes[SLOT], now_of(bob), id));
    assert_false(
        yr_prekeys_theirs(w->sides[ALICE].d, box_of(&w->sides[ALICE]), now_of(&w->sides[ALICE])));
    say(&w->sides[ALICE]);
    link(w, true);
    quiet(w);
    assert_int_equal(missing(w), 0); // on another one
    end(w);
}

static void a_prekey_that_was_used_dies_a_day_later(void **state)
{
    struct world *w = strangers(640, true);
    struct side *bob = &w->sides[BOB];
    const uint32_t id = box_of(bob)->own[0].key.id;
    struct frame first;

    say(&w->sides[ALICE]);
    link(w, true);
    commit(&w->sides[ALICE]);
    commit(&w->sides[ALICE]);
    assert_true(w->sides[ALICE].out_count > 0);
    first = w->sides[ALICE].out[0];
    quiet(w);
    assert_int_equal(counted(bob, YR_ENV_N_ACCEPTED), 1);
    assert_int_equal(box_of(bob)->known_count, 1);
    assert_int_not_equal(box_of(bob)->own[0].key.id, id); // another one was told
    assert_non_null(yr_prekeys_find(bob->d, bob->d->boxes[SLOT], now_of(bob), id));
    wait_us(w, DAY + 2 * YR_S);
    yr_delivery_daily(bob->d, now_of(bob));
    assert_null(yr_prekeys_find(bob->d, bob->d->boxes[SLOT], now_of(bob), id));
    assert_int_equal(box_of(bob)->known_count, 0);
    crash(bob);
    hear(bob, &first); // it comes again when all of it is forgotten
    assert_int_equal(counted(bob, YR_ENV_N_ACCEPTED), 0);
    assert_int_equal(missing(w), 0);
    end(w);
}

/* ---- who means harm ---- */

// An envelope as the other would make it.
static size_t forge(const struct side *from, enum yr_envelope_kind kind, const uint8_t *body,
                    size_t len, uint8_t *out)
{
    const struct yr_now now = now_of(from);
    uint8_t env[32], tag[16];
    size_t n;

    assert_int_equal(yr_envelope_keys(yr_delivery_timekey(from->d, SLOT), (uint8_t)from->who,
                                      (uint32_t)(now.wall_ms / YR_DAY_MS), env, tag),
                     YR_OK);
    assert_int_equal(yr_envelope_seal(out, YR_ENVELOPE_MAX, &n, env, tag,
                                      yr_envelope_exp((uint64_t)now.wall_ms / 1000), kind, body,
                                      len, &from->world->dice.rng),
                     YR_OK);
    return n;
}

static void forge_bad(struct side *from, const uint8_t sid8[8], uint32_t prekey_id)
{
    static uint8_t envelope[YR_ENVELOPE_MAX];
    struct side *to = &from->world->sides[1 - from->who];
    uint8_t body[8 + YR_PREKEY_LEN];
    struct yr_prekey_own own;
    struct yr_prekey prekey;

    yr_prekey_new(&own, prekey_id, UINT32_MAX, &from->world->dice.rng);
    yr_prekey_public(&prekey, &own);
    memcpy(body, sid8, 8);
    yr_prekey_encode(body + 8, &prekey);
    assert_int_equal(
        receive(to, envelope, forge(from, YR_ENV_SESSION_BAD, body, sizeof body, envelope)), YR_OK);
}

static void a_flood_of_session_bad_costs_little_and_breaks_nothing(void **state)
{
    struct world *w = friends(700);
    struct side *alice = &w->sides[ALICE];
    size_t rows, live;

    say(alice);
    commit(alice);
    rows = yr_memstore_count(alice->box.store, YR_DB_MAIN) +
           yr_memstore_count(alice->box.store, YR_DB_SHRED);
    link(w, true);
    live = alice->box.mem.live;
    for (unsigned i = 0; i < 3000; i++) { // of sessions that never were
        uint8_t sid8[8] = {1, (uint8_t)i, (uint8_t)(i >> 8)};
        forge_bad(&w->sides[BOB], sid8, i);
        if (i % 50 == 0)
            commit(alice);
        alice->out_count = 0;
    }
    commit(alice);
    assert_int_equal(counted(alice, YR_ENV_N_BEGUN), 0);
    assert_int_equal(yr_memstore_count(alice->box.store, YR_DB_MAIN) +
                         yr_memstore_count(alice->box.store, YR_DB_SHRED),
                     rows);
    assert_in_range(alice->box.mem.live, 0, live + 4);
    link(w, true);
    quiet(w);
    assert_int_equal(missing(w), 0);
    assert_int_equal(alice->resets, 0);
    end(w);
}

static void each_session_dies_once_and_few_are_begun_in_a_day(void **state)
{
    struct world *w = friends(710);
    struct side *alice = &w->sides[ALICE];
    uint8_t first[8];

    memcpy(first, box_of(alice)->sessions[0].sid, 8);
    for (unsigned i = 0; i < 200; i++) { // of the one that alice sends on, whenever there is one
        uint8_t sid8[8];
        memcpy(sid8, box_of(alice)->sessions[0].sid, 8);
        forge_bad(&w->sides[BOB], sid8, 1000 + i);
        forge_bad(&w->sides[BOB], first, 1); // said again: nothing
        say(alice);
        link(w, true);
        commit(alice);
        commit(alice);
        link(w, false);
        wait_us(w, 5 * 60 * YR_S);
    }
    // 1,000 minutes: six
    assert_int_equal(counted(alice, YR_ENV_N_BEGUN), YR_PKH_DAY);
    assert_int_equal(box_of(alice)->session_count, YR_SESSIONS_MAX);
    assert_in_range(box_of(alice)->own_count, 1, YR_PREKEYS_MAX);
    assert_in_range(alice->today, YR_RESETS_ALARM, YR_PKH_DAY);
    wait_us(w, 2 * DAY);
    for (unsigned round = 0; round < 3 && missing(w) > 0; round++) { // and it heals all the same
        link(w, true);
        quiet(w);
        wait_us(w, 3700 * YR_S);
    }
    assert_int_equal(missing(w), 0);
    end(w);
}

static void a_flood_of_beginnings_is_taken_in_part(void **state)
{
    static uint8_t envelope[YR_ENVELOPE_MAX];
    struct world *w = friends(720);
    struct side *alice = &w->sides[ALICE], *bob = &w->sides[BOB];
    struct yr_prekey theirs = box_of(bob)->theirs;
    struct yr_pkh_pair pair;
    unsigned taken;

    give_pair(bob, SLOT, &pair);
    for (unsigned i = 0; i < 60; i++) {
        struct yr_plain plain = {.type = YR_PLAIN_NOOP, .known = true, .hlc = 1};
        uint8_t body[512], bytes[64], id[YR_MSG_ID_LEN] = {(uint8_t)i, 9};
        struct yr_session session;
        struct yr_prekey_own own;
        struct yr_prekey fresh;
        size_t len, n;
        yr_prekey_new(&own, UINT32_MAX / 2 + i, UINT32_MAX, &w->dice.rng);
        yr_prekey_public(&fresh, &own);
        plain.id = id;
        assert_int_equal(yr_plain_encode(&plain, bytes, sizeof bytes, &len), YR_OK);
        assert_int_equal(yr_pkh_start(&session, body, &pair, &theirs, &fresh, 1, &w->dice.rng),
                         YR_OK);
        assert_int_equal(yr_session_encrypt(&session, &w->dice.rng, bytes, len, body + YR_PKH_LEN,
                                            sizeof body - YR_PKH_LEN, &n),
                         YR_OK);
        if (i % 3 == 2)
            body[40] ^= 1; // a bad header
        assert_int_equal(
            receive(alice, envelope, forge(bob, YR_ENV_PREKEY, body, YR_PKH_LEN + n, envelope)),
            YR_OK);
        commit(alice);
        wait_us(w, 20 * YR_S);
    }
    taken = (unsigned)counted(alice, YR_ENV_N_ACCEPTED);
    assert_int_equal(taken, YR_PKH_KNOWN_MAX);
    assert_int_equal(box_of(alice)->session_count, YR_SESSIONS_MAX);
    assert_int_equal(box_of(alice)->known_count, YR_PKH_KNOWN_MAX);
    assert_int_equal(alice->resets, YR_PKH_KNOWN_MAX);
    end(w);
}

// Carol has had letters for bob, who got them over the link; she keeps them, until he knows them no
// more, and hands them out.
static void what_a_holder_kept_for_days_resets_nothing(void **state)
{
    struct world *w = friends(730);
    struct side *bob = &w->sides[BOB];
    struct frame kept[8];
    uint64_t dropped;
    size_t count = 0;

    link(w, true);
    for (unsigned i = 0; i < 8; i++) {
        say(&w->sides[ALICE]);
        commit(&w->sides[ALICE]);
        commit(&w->sides[ALICE]);
        for (size_t k = 0; k < w->sides[ALICE].out_count && count < 8; k++)
            if (w->sides[ALICE].out[k].type == YR_FRAME_ENV_PUT)
                kept[count++] = w->sides[ALICE].out[k];
        quiet(w);
    }
    assert_int_equal(count, 8);
    for (unsigned i = 0; i < 22; i++) {
        for (unsigned k = 0; k < 50; k++) {
            struct yr_plain plain = {.type = YR_PLAIN_NOOP};
            push(&w->sides[ALICE], &plain);
        }
        quiet(w);
    }
    wait_us(w, 3 * DAY);
    link(w, true);
    say(&w->sides[ALICE]);
    quiet(w);
    dropped = counted(bob, YR_ENV_N_DROP_SESSION);
    for (unsigned i = 0; i < 8; i++) {
        uint8_t tag[16];
        unsigned author;
        assert_int_equal(yr_envelope_peek(kept[i].body, kept[i].len, NULL, tag), YR_OK);
        assert_int_equal(yr_delivery_author(bob->d, now_of(bob), SLOT, tag, false, &author), YR_OK);
        assert_int_equal(
            yr_delivery_receive(bob->d, now_of(bob), SLOT + 1, author, kept[i].body, kept[i].len),
            YR_OK);
    }
    assert_int_equal(counted(bob, YR_ENV_N_DROP_SESSION), dropped + 8);
    assert_false(box_of(bob)->note.due);
    quiet(w);
    assert_int_equal(counted(&w->sides[ALICE], YR_ENV_N_BEGUN), 0);
    end(w);
}

// A month after a reset the old session goes, and nothing of the other with it.
static void a_session_that_is_not_used_goes_alone(void **state)
{
    struct world *w = friends(740);
    struct side *alice = &w->sides[ALICE], *bob = &w->sides[BOB];
    uint8_t old[8];
    struct frame late;

    memcpy(old, box_of(alice)->sessions[0].sid, 8);
    forge_bad(bob, old, 1);
    alice->d->boxes[SLOT]->has_theirs = false; // the one in it was nobody's
    tell_prekey(bob);
    say(alice);
    link(w, true);
    quiet(w);
    assert_int_equal(missing(w), 0);
    assert_int_equal(box_of(bob)->session_count, 2);
    wait_us(w, 31 * DAY);
    link(w, true);
    quiet(w);
    say(alice);
    say(alice);
    for (unsigned i = 0; i < 3; i++)
        commit(alice);
    assert_true(alice->out_count >= 2);
    late = alice->out[0];
    alice->out_count--;
    memmove(alice->out, alice->out + 1, alice->out_count * sizeof alice->out[0]);
    quiet(w);
    assert_int_equal(missing(w), 1);
    assert_int_equal(box_of(bob)->skipped.count, 1);
    yr_delivery_daily(bob->d, now_of(bob));
    assert_int_equal(box_of(bob)->session_count, 1);
    assert_int_equal(box_of(bob)->skipped.count, 1);
    hear(bob, &late);
    assert_int_equal(missing(w), 0);
    end(w);
}

/* ---- clocks ---- */

static void a_clock_that_is_a_year_off_stops_nobody(void **state)
{
    for (unsigned i = 0; i < 8; i++) {
        struct world *w = i < 4 ? friends(800 + i) : strangers(800 + i, i % 2 == 0);
        struct yr_memstore *copy = copy_of(&w->sides[BOB]);
        struct side *wrong = &w->sides[i & 1];

        wrong->skew_ms = (i & 2 ? -1 : 1) * INT64_C(365) * YR_DAY_MS;
        crash(wrong); // the age is read at a start
        link(w, true);
        say(&w->sides[ALICE]);
        quiet(w);
        assert_int_equal(missing(w), 0);
        w->count = 0;
        set_back(&w->sides[BOB], copy);
        say(&w->sides[ALICE]);
        say(&w->sides[BOB]);
        quiet(w);
        for (unsigned round = 0; round < 3 && missing(w) > 0; round++) {
            wait_us(w, 3700 * YR_S);
            link(w, true);
            quiet(w);
        }
        assert_int_equal(missing(w), 0);
        yr_memstore_free(copy);
        end(w);
    }
}

// An image of the disk, a hundred days old: the days' keys have gone on without it.
static void a_store_of_long_ago_heals(void **state)
{
    for (unsigned who = 0; who < 3; who++) {
        struct world *w = friends(850 + who);
        struct side *bob = &w->sides[BOB];
        struct yr_memstore *copy = copy_of(bob);

        for (unsigned i = 0; i < 20; i++) {
            wait_us(w, 5 * DAY);
            for (unsigned k = 0; k < 2; k++) {
                yr_delivery_daily(w->sides[k].d, now_of(&w->sides[k]));
                say(&w->sides[k]);
            }
            link(w, true);
            quiet(w);
            assert_int_equal(missing(w), 0);
        }
        w->count = 0;
        set_back(bob, copy);
        for (unsigned k = 0; k < 2; k++)
            if (who == k || who == 2)
                say(&w->sides[k]);
        for (unsigned round = 0; round < 4 && (round == 0 || missing(w) > 0); round++) {
            link(w, true);
            quiet(w);
            wait_us(w, 3700 * YR_S);
        }
        assert_int_equal(missing(w), 0);
        for (unsigned k = 0; k < 2; k++) {
            say(&w->sides[k]);
            quiet(w);
        }
        assert_int_equal(missing(w), 0);
        assert_one_session(w);
        yr_memstore_free(copy);
        end(w);
    }
}

// First contact was made, and then the invitee never came to say its first word.
static void an_inviter_does_not_wait_for_ever(void **state)
{
    struct world *w = begin(900);
    struct side *alice = &w->sides[ALICE];

    tell_prekey(&w->sides[BOB]);
    say(alice);
    link(w, true);
    commit(alice);
    commit(alice);
    assert_int_equal(counted(alice, YR_ENV_N_BEGUN), 0);
    wait_us(w, (YR_PKH_WAIT_S + 2) * YR_S);
    quiet(w);
    assert_int_equal(counted(alice, YR_ENV_N_BEGUN), 1);
    assert_int_equal(missing(w), 0);
    assert_int_equal(alice->resets, 0);
    end(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_begin_at_once_and_agree_in_any_order),
        cmocka_unit_test(both_reset_at_once_and_agree),
        cmocka_unit_test(no_order_of_crashes_and_frames_loses_a_text),
        cmocka_unit_test(a_crash_before_any_commit_of_a_reset_loses_nothing),
        cmocka_unit_test(without_any_prekey_a_session_begins_at_the_next_link),
        cmocka_unit_test(a_prekey_that_is_withheld_stops_nobody),
        cmocka_unit_test(a_prekey_that_is_not_known_is_replaced),
        cmocka_unit_test(a_prekey_past_its_time_begins_nothing),
        cmocka_unit_test(a_prekey_that_was_used_dies_a_day_later),
        cmocka_unit_test(a_flood_of_session_bad_costs_little_and_breaks_nothing),
        cmocka_unit_test(each_session_dies_once_and_few_are_begun_in_a_day),
        cmocka_unit_test(a_flood_of_beginnings_is_taken_in_part),
        cmocka_unit_test(what_a_holder_kept_for_days_resets_nothing),
        cmocka_unit_test(a_session_that_is_not_used_goes_alone),
        cmocka_unit_test(a_clock_that_is_a_year_off_stops_nobody),
        cmocka_unit_test(a_store_of_long_ago_heals),
        cmocka_unit_test(an_inviter_does_not_wait_for_ever),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
