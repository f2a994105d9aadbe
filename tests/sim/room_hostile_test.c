/* A member who lies: what it signs twice, forges, cuts and floods reaches nobody's eyes, and the
 * room goes on.  DISTRIBUTED 7: I7, I8, G-9, M6, M10; docs/protocol.md "Records and logs". */
#include "tests/support/test.h"

#include <stdio.h>

#include "core/node/state.h"
#include "core/room/state.h"
#include "core/room/sync_state.h"
#include "tests/support/sim/circle.h"

#define MINUTE  (60 * YR_S)
#define MALLORY 1u

/* ---- mallory ---- */

struct fake {
    struct yr_room_record record;
    uint8_t body[YR_ROOM_BODY_MAX], bytes[YR_ROOM_RECORD_MAX + 1024];
    size_t len;
};

static struct yr_room *room_of(struct circle *c, unsigned node)
{
    struct yr_room *room = yr_rooms_find(sim_node(c->sim, node)->rooms, c->room);

    assert_non_null(room);
    return room;
}

// 0 - 1 - 2 - 3 - 0, mallory is 1; everybody is a member, and each can be reached without her.
static struct circle *four(uint64_t seed)
{
    const struct sim_opts opts = sim_opts_default(seed);
    struct circle *c = circle_new(&opts, 4);

    circle_chain(c, true);
    circle_found(c, 0, 0);
    circle_gather(c, 0);
    for (unsigned i = 0; i < 4; i++) {
        (void)circle_say(c, i, "before mallory turned", NULL);
        sim_run(c->sim, 100 * YR_MS);
    }
    assert_true(circle_settle(c, MINUTE));
    sim_run(c->sim, 15 * YR_S);
    c->hostile[MALLORY] = true;
    return c;
}

// What an honest node would write now.
static void draft(struct circle *c, unsigned node, enum yr_room_class class, struct fake *f)
{
    struct yr_room *room = room_of(c, node);

    memset(f, 0, sizeof *f);
    yr_room_log_prepare(room->log, sim_now(c->sim, node), class, room->self, room->incarnation,
                        false, &f->record);
}

static void sign(struct circle *c, unsigned node, struct fake *f)
{
    assert_int_equal(yr_room_record_encode(&f->record, room_of(c, node)->sign_sk, f->bytes,
                                           sizeof f->bytes, &f->len),
                     YR_OK);
}

static void seal(struct circle *c, unsigned node, struct fake *f, const char *text)
{
    struct yr_plain plain = {.type = YR_PLAIN_TEXT, .known = true};
    uint8_t bytes[512];
    size_t len;

    plain.text = (const uint8_t *)text;
    plain.text_len = strlen(text);
    assert_int_equal(yr_plain_encode_room(&plain, bytes, sizeof bytes, &len), YR_OK);
    assert_int_equal(yr_epochs_seal(room_of(c, node)->epochs, sim_now(c->sim, node).wall_ms,
                                    &f->record, bytes, len, f->body, sizeof f->body),
                     YR_OK);
}

static void draft_text(struct circle *c, unsigned node, struct fake *f, const char *text)
{
    draft(c, node, YR_CLASS_MESSAGE, f);
    seal(c, node, f, text);
    sign(c, node, f);
}

static void put_body(struct circle *c, unsigned node, struct fake *f,
                     const struct yr_room_body *body)
{
    assert_int_equal(yr_room_body_encode(body, f->body, sizeof f->body, &f->record.body_len),
                     YR_OK);
    f->record.body = f->body;
    sign(c, node, f);
}

// After bytes before the signature were changed by hand.
static void sign_again(struct circle *c, unsigned node, struct fake *f)
{
    yr_sign(f->bytes + f->len - 64, room_of(c, node)->sign_sk, "room", f->bytes, f->len - 64);
}

static enum yr_err send(struct circle *c, unsigned from, unsigned to, const uint8_t *bytes,
                        size_t len)
{
    struct yr_node *n = sim_node(c->sim, from);
    struct yr_friend *f = yr_friend_find(n, sim_id(c->sim, to));
    const unsigned slot = yr_friend_slot(n, f);
    const struct yr_sync_link *link = n->rooms->sync->links[slot];
    uint8_t frame[YR_ROOM_RECORD_MAX + 2048];
    struct yr_wr wr = yr_wr_init(frame, sizeof frame);
    enum yr_err err;

    assert_non_null(link);
    assert_true(link->count > 0);
    yr_wr_u16(&wr, link->sessions[0]->route_out);
    yr_wr_bytes(&wr, bytes, len);
    assert_true(yr_wr_ok(&wr));
    n->now = sim_now(c->sim, from);
    err = yr_links_send(n->links, slot, YR_CHANNEL_ROOMS, YR_FRAME_ROOM_NEW, frame, yr_wr_len(&wr));
    sim_drain(c->sim, from);
    return err;
}

static bool has(struct circle *c, unsigned node, const struct fake *f)
{
    struct yr_room_record record;

    return yr_room_record_decode(&record, f->bytes, f->len) == YR_OK &&
           yr_room_log_has(room_of(c, node)->log, record.id);
}

static size_t lines_of(struct circle *c, unsigned node)
{
    size_t count;

    free(circle_history(c, node, &count));
    return count;
}

static void all_say(struct circle *c, const char *text)
{
    for (unsigned i = 0; i < c->count; i++)
        if (!c->hostile[i])
            assert_true(circle_say(c, i, text, NULL) != SIZE_MAX);
}

/* ---- two histories ---- */

static void check_forked(struct circle *c)
{
    struct yr_member_info member;

    for (unsigned i = 0; i < c->count; i++) {
        if (i == MALLORY)
            continue;
        assert_int_equal(yr_node_member(sim_node(c->sim, i), c->room, c->mids[MALLORY], &member),
                         YR_OK);
        if (!member.forked)
            circle_fail(c, "the fork is not known here", i, i);
    }
}

static void who_signs_two_histories_is_known_to_all_and_the_room_goes_on(void **state)
{
    (void)state;
    for (unsigned same_key = 0; same_key < 2; same_key++) {
        struct circle *c = four(1 + same_key);
        struct fake one, other;
        size_t lines;
        draft_text(c, MALLORY, &one, "to alice");
        if (same_key) { // the chain of keys is set back: one key seals two texts
            sim_crash(c->sim, MALLORY);
            sim_restart(c->sim, MALLORY);
            assert_true(sim_run_linked(c->sim, 0, MALLORY, MINUTE));
            assert_true(sim_run_linked(c->sim, 2, MALLORY, MINUTE));
            sim_run(c->sim, 2 * YR_S);
        }
        draft_text(c, MALLORY, &other, "to carol");
        assert_int_equal(send(c, MALLORY, 0, one.bytes, one.len), YR_OK);
        assert_int_equal(send(c, MALLORY, 2, other.bytes, other.len), YR_OK);
        sim_run(c->sim, 10 * YR_S);
        for (unsigned i = 0; i < 4; i++)
            if (i != MALLORY)
                assert_true(has(c, i, &one) && has(c, i, &other));
        check_forked(c);
        all_say(c, "on we go");
        circle_end(c, MINUTE);
        check_forked(c);
        lines = lines_of(c, 0);
        for (unsigned i = 2; i < 4; i++)
            if (lines_of(c, i) != lines)
                circle_fail(c, same_key ? "one key, two texts" : "two keys, two texts", 0, i);
        circle_free(c);
    }
}

/* ---- what is not as it should be ---- */

enum fate { SHUT, STAYS }; // the link

struct bad {
    const char *what;
    enum fate fate;
    const char *counter; // goes up at the receiver; NULL: none that is looked at
    void (*make)(struct circle *c, struct fake *f);
};

static void forged(struct circle *c, struct fake *f)
{
    draft_text(c, MALLORY, f, "bad");
    f->bytes[f->len - 1] ^= 1;
}

static void in_anothers_name(struct circle *c, struct fake *f)
{
    draft(c, 3, YR_CLASS_MESSAGE, f);
    seal(c, MALLORY, f, "bad");
    sign(c, MALLORY, f);
}

static void cut(struct circle *c, struct fake *f)
{
    draft_text(c, MALLORY, f, "bad");
    f->len -= 1 + circle_draw(c, f->len - 1);
}

static void with_bytes_behind(struct circle *c, struct fake *f)
{
    draft_text(c, MALLORY, f, "bad");
    f->bytes[f->len++] = 0;
}

static void of_another_room(struct circle *c, struct fake *f)
{
    draft(c, MALLORY, YR_CLASS_MESSAGE, f);
    f->record.room_id[0] ^= 1;
    seal(c, MALLORY, f, "bad");
    sign(c, MALLORY, f);
}

static void of_no_known_class(struct circle *c, struct fake *f)
{
    draft_text(c, MALLORY, f, "bad");
    f->bytes[3] = 9;
    sign_again(c, MALLORY, f);
}

static void of_another_version(struct circle *c, struct fake *f)
{
    draft_text(c, MALLORY, f, "bad");
    f->bytes[2] = 7;
    sign_again(c, MALLORY, f);
}

static void with_too_many_parents(struct circle *c, struct fake *f)
{
    draft_text(c, MALLORY, f, "bad");
    f->bytes[2 + 1 + 1 + 32 + 16 + 8 + 32] = 200;
    sign_again(c, MALLORY, f);
}

static void with_parents_nobody_has(struct circle *c, struct fake *f)
{
    draft(c, MALLORY, YR_CLASS_MESSAGE, f);
    f->record.dep_count = 1;
    memset(f->record.deps[0], 0xab, sizeof f->record.deps[0]);
    seal(c, MALLORY, f, "bad");
    sign(c, MALLORY, f);
}

static void behind_one_that_nobody_has(struct circle *c, struct fake *f)
{
    draft(c, MALLORY, YR_CLASS_MESSAGE, f);
    f->record.seq += 5;
    memset(f->record.prev, 0xcd, sizeof f->record.prev);
    seal(c, MALLORY, f, "bad");
    sign(c, MALLORY, f);
}

static void with_a_wrong_number(struct circle *c, struct fake *f)
{
    draft(c, MALLORY, YR_CLASS_MESSAGE, f);
    f->record.seq += 5;
    seal(c, MALLORY, f, "bad");
    sign(c, MALLORY, f);
}

static void removing_the_founder(struct circle *c, struct fake *f)
{
    const struct yr_room_body body = {.kind = YR_ROOM_REMOVE, .known = true, .mid = c->mids[0]};

    draft(c, MALLORY, YR_CLASS_CONTROL, f);
    put_body(c, MALLORY, f, &body);
}

// The ADD of 3, as its adder wrote it, now in mallory's name.
static void adding_who_asked_another(struct circle *c, struct fake *f)
{
    static uint8_t bytes[YR_ROOM_RECORD_MAX];
    struct yr_room *room = room_of(c, MALLORY);
    uint8_t add[YR_REC_ID_LEN];
    struct yr_room_record record;
    struct yr_room_entry entry;
    struct yr_room_body body;
    size_t len;

    assert_true(yr_authority_adder(yr_room_log_authority(room->log), c->mids[3], add));
    assert_int_equal(yr_room_log_get(room->log, add, bytes, sizeof bytes, &len, &entry), YR_OK);
    assert_int_equal(yr_room_record_decode(&record, bytes, len), YR_OK);
    assert_int_equal(yr_room_body_decode(&body, record.class, record.body, record.body_len), YR_OK);
    draft(c, MALLORY, YR_CLASS_CONTROL, f);
    put_body(c, MALLORY, f, &body);
}

static void in_an_epoch_nobody_made(struct circle *c, struct fake *f)
{
    draft(c, MALLORY, YR_CLASS_MESSAGE, f);
    seal(c, MALLORY, f, "bad");
    memset(f->body + 1, 0x77, 16);
    sign(c, MALLORY, f);
}

static void sealed_for_nobody(struct circle *c, struct fake *f)
{
    draft(c, MALLORY, YR_CLASS_MESSAGE, f);
    seal(c, MALLORY, f, "bad");
    f->body[f->record.body_len - 1] ^= 1;
    sign(c, MALLORY, f);
}

static void rekeyed_for_other_members(struct circle *c, struct fake *f)
{
    static uint8_t list[2 * 52];
    static const uint8_t some[48] = {9};
    const struct yr_room_body body = {.kind = YR_ROOM_REKEY,
                                      .known = true,
                                      .nonce = some,
                                      .commit = some,
                                      .parts = 1,
                                      .eph = some,
                                      .list = list,
                                      .list_count = 2};

    draft(c, MALLORY, YR_CLASS_MESSAGE, f);
    memcpy(list, c->mids[0], 4);
    memcpy(list + 52, c->mids[MALLORY], 4);
    put_body(c, MALLORY, f, &body);
}

static const struct bad bads[] = {
    {"forged", SHUT, "room.drop.signature", forged},
    {"in another's name", SHUT, "room.drop.signature", in_anothers_name},
    {"cut", SHUT, NULL, cut},
    {"with bytes behind it", SHUT, NULL, with_bytes_behind},
    {"of another room", SHUT, NULL, of_another_room},
    {"of no known class", STAYS, "room.unknown", of_no_known_class},
    {"of another version", STAYS, NULL, of_another_version},
    {"with too many parents", SHUT, NULL, with_too_many_parents},
    {"with parents nobody has", STAYS, "room.held", with_parents_nobody_has},
    {"behind one that nobody has", STAYS, "room.held", behind_one_that_nobody_has},
    {"with a wrong number", SHUT, NULL, with_a_wrong_number},
    {"removing the founder", SHUT, "room.drop.right", removing_the_founder},
    {"adding who asked another", SHUT, "room.drop.right", adding_who_asked_another},
};

static void what_is_bad_goes_no_further(void **state)
{
    (void)state;
    for (size_t i = 0; i < YR_COUNT(bads); i++) {
        struct circle *c = four(100 + i);
        struct yr_node *alice = sim_node(c->sim, 0);
        const size_t lines = lines_of(c, 0);
        struct fake f;
        yr_ms since;
        uint64_t before = bads[i].counter != NULL ? circle_counter(c, 0, bads[i].counter) : 0;
        bool shut;
        bads[i].make(c, &f);
        since = yr_friend_find(alice, sim_id(c->sim, MALLORY))->online_ms;
        assert_int_equal(send(c, MALLORY, 0, f.bytes, f.len), YR_OK);
        sim_run(c->sim, 5 * YR_S);
        shut = yr_friend_find(alice, sim_id(c->sim, MALLORY))->online_ms != since ||
               !sim_linked(c->sim, 0, MALLORY);
        for (unsigned k = 0; k < 4; k++)
            if (k != MALLORY && (has(c, k, &f) || lines_of(c, k) != lines))
                fail_msg("a record %s got to node %u", bads[i].what, k);
        if (shut != (bads[i].fate == SHUT))
            fail_msg("a record %s: the link %s", bads[i].what, shut ? "was shut" : "stayed");
        if (bads[i].counter != NULL && circle_counter(c, 0, bads[i].counter) == before)
            fail_msg("a record %s was not counted", bads[i].what);
        all_say(c, "still here");
        circle_end(c, MINUTE);
        circle_free(c);
    }
}

// The log takes them, since nobody else can tell; nobody is shown anything but that there is a line
// that cannot be read, and all can read each other.
static void what_opens_nothing_is_shown_to_no_one(void **state)
{
    static void (*const make[])(struct circle *, struct fake *) = {
        in_an_epoch_nobody_made, sealed_for_nobody, rekeyed_for_other_members};
    (void)state;
    for (size_t i = 0; i < YR_COUNT(make); i++) {
        struct circle *c = four(200 + i);
        struct fake f;
        make[i](c, &f);
        assert_int_equal(send(c, MALLORY, 0, f.bytes, f.len), YR_OK);
        sim_run(c->sim, 5 * YR_S);
        assert_true(sim_linked(c->sim, 0, MALLORY));
        for (unsigned k = 0; k < 4; k++) {
            char *text = circle_history(c, k, NULL);
            assert_null(strstr(text, "\"bad\""));
            free(text);
        }
        all_say(c, "we read each other");
        circle_end(c, MINUTE);
        circle_free(c);
    }
}

static void a_clock_at_the_end_of_time_pins_nothing(void **state)
{
    struct circle *c = four(300);
    struct fake f;
    char *text, *end, *next;

    (void)state;
    draft(c, MALLORY, YR_CLASS_MESSAGE, &f);
    f.record.hlc = UINT64_MAX;
    seal(c, MALLORY, &f, "for ever last");
    sign(c, MALLORY, &f);
    assert_int_equal(send(c, MALLORY, 0, f.bytes, f.len), YR_OK);
    sim_run(c->sim, 5 * YR_S);
    assert_true(has(c, 3, &f));
    all_say(c, "said after it");
    circle_end(c, MINUTE);
    text = circle_history(c, 3, NULL);
    end = strstr(text, "for ever last");
    next = strstr(text, "said after it");
    assert_true(end != NULL && next != NULL && end < next);
    free(text);
    circle_free(c);
}

/* ---- keys that come a day late ---- */

// Mallory hands 0 what 3 said, and keeps what it stands on to herself for a day.
static void what_comes_a_day_before_its_keys_is_read_then_and_not_before(void **state)
{
    static uint8_t bytes[YR_ROOM_RECORD_MAX];
    struct circle *c = four(400);
    struct yr_room_entry entry;
    const struct yr_message *m;
    size_t said, len;

    (void)state;
    sim_cut(c->sim, 0, 3, true);
    sim_cut(c->sim, 0, 1, true);
    sim_run(c->sim, 2 * MINUTE);
    assert_int_equal(yr_room_rekey(sim_node(c->sim, 3)->rooms, room_of(c, 3)), YR_OK);
    sim_drain(c->sim, 3);
    sim_run(c->sim, 5 * YR_S);
    said = circle_say(c, 3, "in a new epoch", NULL);
    sim_run(c->sim, 5 * YR_S);
    assert_non_null(circle_message(c, 2, said));
    assert_int_equal(yr_room_log_get(room_of(c, MALLORY)->log, c->texts[said].id, bytes,
                                     sizeof bytes, &len, &entry),
                     YR_OK);
    for (unsigned hour = 0; hour < 24; hour++) { // it is forgotten, and comes again
        struct yr_room *room = room_of(c, 0);
        enum yr_put what;
        bool forged_too;
        assert_int_equal(
            yr_room_log_put(room->log, sim_now(c->sim, 0), bytes, len, 0, &what, &forged_too),
            YR_OK);
        assert_int_equal(what, YR_PUT_HELD);
        sim_run(c->sim, 60 * MINUTE);
        assert_null(circle_message(c, 0, said));
    }
    m = circle_message(c, 3, said);
    assert_int_equal(m->delivered_to, 2);
    assert_int_equal(m->of, 3);
    assert_int_equal(m->state, YR_STATE_ACCEPTED);
    circle_heal(c);
    sim_run(c->sim, 5 * MINUTE);
    circle_end(c, MINUTE);
    sim_run(c->sim, MINUTE);
    m = circle_message(c, 3, said);
    assert_int_equal(m->delivered_to, 3);
    assert_int_equal(m->state, YR_STATE_DELIVERED);
    circle_free(c);
}

/* ---- a flood ---- */

#define FLOOD_S  3
#define NOISE_US (300 * YR_MS) // until a missing record is asked for, and comes
#define FLOOD_MEM                                                                   \
    (12u << 20) /* what a flood may make a node keep: far below the caps of records \
                 */

// Her chain of messages, as she goes on writing it past her own node.
struct flood {
    struct circle *c;
    struct fake *f;
    uint64_t seq, sent;
    uint8_t prev[YR_REC_ID_LEN];
    unsigned kind;
};

// One that is good but for its author's haste.
static void flood_chain(struct flood *w, bool unknown_target)
{
    struct yr_room_record record;
    struct yr_plain plain = {.type = unknown_target ? YR_PLAIN_REACTION : YR_PLAIN_TEXT,
                             .known = true,
                             .text = (const uint8_t *)"+1",
                             .text_len = 2};
    uint8_t target[YR_MSG_ID_LEN], bytes[128];
    size_t len;

    draft(w->c, MALLORY, YR_CLASS_MESSAGE, w->f);
    if (w->seq == 0)
        w->seq = w->f->record.seq;
    else
        memcpy(w->f->record.prev, w->prev, sizeof w->prev);
    w->f->record.seq = w->seq++;
    memset(target, 0, sizeof target);
    memcpy(target, &w->seq, sizeof w->seq);
    plain.target = target;
    plain.on = true;
    assert_int_equal(yr_plain_encode_room(&plain, bytes, sizeof bytes, &len), YR_OK);
    assert_int_equal(yr_epochs_seal(room_of(w->c, MALLORY)->epochs,
                                    sim_now(w->c->sim, MALLORY).wall_ms, &w->f->record, bytes, len,
                                    w->f->body, sizeof w->f->body),
                     YR_OK);
    sign(w->c, MALLORY, w->f);
    assert_int_equal(yr_room_record_decode(&record, w->f->bytes, w->f->len), YR_OK);
    memcpy(w->prev, record.id, sizeof w->prev);
}

// One that stands on what nobody has, as large as they get.
static void flood_deep(struct flood *w)
{
    draft(w->c, MALLORY, YR_CLASS_MESSAGE, w->f);
    w->f->record.seq = ++w->seq + 100000;
    w->f->record.dep_count = YR_ROOM_DEPS_MAX;
    for (unsigned i = 0; i < YR_ROOM_DEPS_MAX; i++) {
        memset(w->f->record.deps[i], (int)(i + 1), YR_REC_ID_LEN);
        memcpy(w->f->record.deps[i] + 1, &w->seq, sizeof w->seq);
    }
    memset(w->f->record.prev, 0xee, YR_REC_ID_LEN);
    memset(w->f->body, 1, sizeof w->f->body);
    w->f->record.body = w->f->body;
    w->f->record.body_len = 12000;
    sign(w->c, MALLORY, w->f);
}

// A request for all there is, or a list as long as it gets.
static void flood_frame(struct flood *w, unsigned to)
{
    static const uint8_t types[] = {YR_FRAME_ROOM_ASK, YR_FRAME_ROOM_WANT, YR_FRAME_ROOM_GET,
                                    YR_FRAME_ROOM_IHAVE, YR_FRAME_ROOM_GRAFT};
    struct yr_node *n = sim_node(w->c->sim, MALLORY);
    const unsigned slot = yr_friend_slot(n, yr_friend_find(n, sim_id(w->c->sim, to)));
    const struct yr_sync_link *link = n->rooms->sync->links[slot];
    const uint8_t type = types[w->sent % YR_COUNT(types)];
    uint8_t frame[2 + 33 + 4096];
    struct yr_wr wr = yr_wr_init(frame, sizeof frame);

    if (link == NULL || link->count == 0)
        return;
    yr_wr_u16(&wr, link->sessions[0]->route_out);
    for (unsigned i = 0; i < 32 * 24; i++)
        yr_wr_u8(&wr, (uint8_t)circle_draw(w->c, 256));
    n->now = sim_now(w->c->sim, MALLORY);
    w->sent += YR_OK == yr_links_send(n->links, slot, YR_CHANNEL_ROOMS, type, frame,
                                      2 + (type == YR_FRAME_ROOM_ASK    ? 32 + 4 * 64U
                                           : type == YR_FRAME_ROOM_WANT ? 1 + 24 * 30U
                                                                        : 16 * 48U));
    sim_drain(w->c->sim, MALLORY);
}

static bool reaches(struct circle *c, unsigned to)
{
    struct yr_node *n = sim_node(c->sim, MALLORY);
    const struct yr_sync_link *link =
        n->rooms->sync->links[yr_friend_slot(n, yr_friend_find(n, sim_id(c->sim, to)))];

    return link != NULL && link->count > 0;
}

// A thousand a second; what a link does not take is not sent.
static void flood_one(struct flood *w)
{
    if (w->kind < 2)
        flood_chain(w, w->kind == 1);
    else if (w->kind == 2)
        flood_deep(w);
    for (unsigned to = 0; to < w->c->count; to++)
        if (!w->c->friends[MALLORY][to] || !reaches(w->c, to))
            continue;
        else if (w->kind < 3)
            w->sent += send(w->c, MALLORY, to, w->f->bytes, w->f->len) == YR_OK;
        else
            flood_frame(w, to);
}

static void talk_for(struct circle *c, unsigned seconds, struct flood *w)
{
    for (unsigned k = 0; k < seconds * 10; k++) {
        const unsigned who = k % c->count;
        if (!c->hostile[who])
            (void)circle_say(c, who, "a word among the noise", NULL);
        for (unsigned i = 0; i < 100; i++) {
            if (w != NULL)
                flood_one(w);
            sim_run(c->sim, YR_MS);
        }
    }
}

static void a_flood_slows_nobody_and_fills_nothing(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < 4; kind++) {
        const struct sim_opts opts = sim_opts_default(500 + kind);
        struct circle *c = circle_new(&opts, 6);
        struct flood w = {.c = c, .f = malloc(sizeof *w.f), .kind = kind};
        size_t before[6], first;
        yr_us calm, noisy;
        circle_chain(c, true);
        circle_befriend(c, 0, 3);
        circle_found(c, 0, 0);
        circle_gather(c, 0);
        c->hostile[MALLORY] = true;
        talk_for(c, FLOOD_S, NULL);
        assert_true(circle_settle(c, MINUTE));
        calm = circle_latency(c, 0, 99, NULL);
        for (unsigned i = 0; i < 6; i++)
            before[i] = sim_mem_used(c->sim, i);
        first = c->text_count;
        talk_for(c, FLOOD_S, &w);
        for (unsigned i = 0; i < 6; i++)
            if (i != MALLORY && sim_mem_used(c->sim, i) > before[i] + FLOOD_MEM)
                circle_fail(c, "a flood fills memory", i, i);
        assert_true(circle_settle(c, MINUTE));
        noisy = circle_latency(c, first, 99, NULL);
        print_message(
            "flood %u: %llu sent, p99 %llu ms, without %llu ms; %zu KiB, and %zu before\n", kind,
            (unsigned long long)w.sent, (unsigned long long)(noisy / YR_MS),
            (unsigned long long)(calm / YR_MS), sim_mem_used(c->sim, 0) / 1024, before[0] / 1024);
        // A text that stands on one of the flood's waits until that is fetched, and no longer.
        if (circle_latency(c, first, 50, NULL) > 2 * circle_latency(c, 0, 50, NULL) ||
            noisy > 2 * calm + NOISE_US)
            circle_fail(c, "a flood slows the others", 0, 2);
        circle_end(c, 2 * MINUTE);
        free(w.f);
        circle_free(c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_signs_two_histories_is_known_to_all_and_the_room_goes_on),
        cmocka_unit_test(what_is_bad_goes_no_further),
        cmocka_unit_test(what_opens_nothing_is_shown_to_no_one),
        cmocka_unit_test(a_clock_at_the_end_of_time_pins_nothing),
        cmocka_unit_test(what_comes_a_day_before_its_keys_is_read_then_and_not_before),
        cmocka_unit_test(a_flood_slows_nobody_and_fills_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
