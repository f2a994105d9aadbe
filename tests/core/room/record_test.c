#include "core/room/record.h"

#include "core/crypto/identity.h"
#include "tests/support/seeded.h"
#include "tests/support/test.h"

#define NOW_MS 1700000000000

static const uint8_t bytes[64] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+";
static uint8_t list[YR_RECEIPT_LEN * YR_RECEIPTS_MAX], data[YR_ROOM_BODY_MAX];

// A body of each kind: the longest there is, or the shortest.
static struct yr_room_body sample(enum yr_room_kind kind, bool longest)
{
    struct yr_room_body body = {.kind = kind, .known = true};

#define FILL_U8(b, member, min, max)     b.member = longest ? max : min
#define FILL_U16(b, member, min, max)    b.member = longest ? max : min
#define FILL_U32(b, member, min, max)    b.member = longest ? max : min
#define FILL_BIN(b, member, min, max)    b.member = bytes
#define FILL_STR(b, member, min, max)    b.member = data, b.member##_len = longest ? max : min
#define FILL_TEXT(b, member, min, max)   FILL_STR(b, member, min, max)
#define FILL_REST(b, member, min, max)   FILL_STR(b, member, min, max)
#define FILL_LIST8(b, member, min, max)  b.member = list, b.member##_count = longest ? max : 1
#define FILL_LIST16(b, member, min, max) FILL_LIST8(b, member, min, max)
#define F(name, form, member, min, max)  FILL_##form(body, member, min, max);
    switch (kind) {
#define X(name, class, type, meaning) \
    case YR_ROOM_##name: YR_FIELDS_##name(F) break;
        YR_BODY_MAP(X)
#undef X
    case YR_ROOM_KIND_COUNT: fail();
    }
    if (kind == YR_ROOM_CONTENT && longest) // what comes before it takes some of the room
        body.data_len = YR_ROOM_BODY_MAX - (1 + 16 + 4 + 32 + 24);
    return body;
}

struct author {
    uint8_t room_id[32], mid[16];
    struct yr_identity keys;
};

static struct yr_room_record draft(const struct author *author, uint8_t class, const uint8_t *body,
                                   size_t len)
{
    struct yr_room_record r = {.class = class, .seq = 1, .hlc = 77, .body = body, .body_len = len};

    memcpy(r.room_id, author->room_id, sizeof r.room_id);
    memcpy(r.author, author->mid, sizeof r.author);
    memcpy(r.incarnation, bytes, sizeof r.incarnation);
    return r;
}

// A founder with its room's CREATE.
static size_t found(struct author *author, struct seeded *rnd, uint8_t create[1024])
{
    struct yr_room_body body = sample(YR_ROOM_CREATE, false);
    struct yr_room_record r;
    uint8_t bin[256];
    size_t len;

    memset(author, 0, sizeof *author);
    yr_identity_new(&author->keys, &rnd->rng, NOW_MS);
    body.sign_pk = author->keys.id;
    assert_int_equal(yr_room_body_encode(&body, bin, sizeof bin, &len), YR_OK);
    r = draft(author, YR_CLASS_CONTROL, bin, len);
    assert_int_equal(yr_room_record_encode(&r, author->keys.sign_sk, create, 1024, &len), YR_OK);
    assert_int_equal(yr_room_record_decode(&r, create, len), YR_OK);
    memcpy(author->room_id, r.room_id, sizeof r.room_id);
    memcpy(author->mid, r.author, sizeof r.author);
    return len;
}

static int setup(void **state)
{
    for (size_t i = 0; i < sizeof list; i++)
        list[i] = (uint8_t)i;
    memset(data, 'x', sizeof data);
    return 0;
}

static void a_room_is_named_by_its_create_and_a_member_by_room_and_key(void **state)
{
    struct author author;
    struct seeded rnd;
    struct yr_room_record r;
    uint8_t create[1024], both[12 + 1024], want[32], key[64];
    size_t len;

    seeded_init(&rnd, 1);
    len = found(&author, &rnd, create);
    assert_int_equal(yr_room_record_decode(&r, create, len), YR_OK);
    assert_true(r.create && r.known);
    memcpy(both, "yaari/1/room", 12);
    memcpy(both + 12, create, len - 64);
    yr_hash(want, both, 12 + len - 64);
    assert_memory_equal(r.room_id, want, 32);
    memcpy(key, want, 32);
    memcpy(key + 32, author.keys.id, 32);
    yr_hash16(want, key, 64);
    assert_memory_equal(r.author, want, 16);
    yr_hash(want, create, len - 64);
    assert_memory_equal(r.id, want, 32);
    assert_int_equal(yr_room_record_verify(&r, author.keys.id), YR_OK);
}

static void every_body_comes_back_as_it_went(void **state)
{
    struct yr_room_body out, body;
    uint8_t once[YR_ROOM_BODY_MAX], twice[YR_ROOM_BODY_MAX];
    size_t len, len2;

    for (int kind = 0; kind < YR_ROOM_KIND_COUNT; kind++) {
        for (int longest = 0; longest < 2; longest++) {
            body = sample((enum yr_room_kind)kind, longest);
            assert_int_equal(yr_room_body_encode(&body, once, sizeof once, &len), YR_OK);
            assert_int_equal(
                yr_room_body_decode(&out, (uint8_t)yr_room_kind_class(body.kind), once, len),
                YR_OK);
            assert_true(out.known && out.kind == body.kind);
            assert_int_equal(out.text_len, body.text_len);
            assert_int_equal(out.list_count, body.list_count);
            assert_int_equal(out.rank, body.rank);
            assert_int_equal(yr_room_body_encode(&out, twice, sizeof twice, &len2), YR_OK);
            assert_int_equal(len, len2);
            assert_memory_equal(once, twice, len);
            assert_int_equal(yr_room_body_encode(&out, twice, len - 1, &len2), YR_ESIZE);
        }
    }
}

static void no_body_can_be_cut_or_lengthened_past_its_bounds(void **state)
{
    struct yr_room_body out, untouched, body;
    uint8_t bin[YR_ROOM_BODY_MAX + 1] = {0};
    size_t len;

    memset(&untouched, 0xa5, sizeof untouched);
    for (int kind = 0; kind < YR_ROOM_KIND_COUNT; kind++) {
        const uint8_t class = (uint8_t)yr_room_kind_class((enum yr_room_kind)kind);
        body = sample((enum yr_room_kind)kind, false);
        assert_int_equal(yr_room_body_encode(&body, bin, sizeof bin, &len), YR_OK);
        for (size_t cut = 0; cut < len; cut++) {
            out = untouched;
            assert_int_equal(yr_room_body_decode(&out, class, bin, cut), YR_EPROTO);
            assert_memory_equal(&out, &untouched, sizeof out);
        }
        body = sample((enum yr_room_kind)kind, true);
        assert_int_equal(yr_room_body_encode(&body, bin, sizeof bin, &len), YR_OK);
        if (kind == YR_ROOM_CONTENT)
            continue; // the record's bound is its own
        bin[len] = 'x';
        assert_int_equal(yr_room_body_decode(&out, class, bin, len + 1), YR_EPROTO);
    }
}

static void numbers_and_texts_have_bounds(void **state)
{
    struct yr_room_body body;
    uint8_t bin[1024];
    size_t len;

#define REFUSED(KIND, set)                                                              \
    do {                                                                                \
        body = sample(YR_ROOM_##KIND, false);                                           \
        set;                                                                            \
        assert_int_equal(yr_room_body_encode(&body, bin, sizeof bin, &len), YR_EINVAL); \
    } while (0)
    REFUSED(CREATE, body.max_members = 1001);
    REFUSED(CREATE, body.max_members = 0);
    REFUSED(CREATE, body.hist_days = 31);
    REFUSED(CREATE, body.invite_min = 0);
    REFUSED(CREATE, body.text_len = 65);
    REFUSED(CREATE, body.text_len = 0);
    REFUSED(CREATE, body.sign_pk = NULL);
    REFUSED(CREATE, body.text = (const uint8_t *)"\xff");
    REFUSED(ADD, body.rank = 100);
    REFUSED(ADD, body.rank = 0);
    REFUSED(ROLE, body.rank = 100);
    REFUSED(REKEY, (body.part = 2, body.parts = 2));
    REFUSED(REKEY, body.list_count = 0);
    REFUSED(REKEY, body.list_count = YR_ROOM_SEALED_MAX + 1);
    REFUSED(HIST, body.list_count = 256 + 1); // not cut to a byte
    REFUSED(SET, body.key = 0);
    REFUSED(PROFILE, body.text_len = 256 + 1);
    body.kind = YR_ROOM_KIND_COUNT;
    assert_int_equal(yr_room_body_encode(&body, bin, sizeof bin, &len), YR_EINVAL);
}

static void a_kind_or_class_of_a_later_version_is_known_to_be_unknown(void **state)
{
    static const uint8_t later[] = {200, 1, 2, 3};
    struct yr_room_record r;
    struct yr_room_body body;
    struct author author;
    struct seeded rnd;
    uint8_t bin[1024];
    size_t len;

    for (uint8_t class = 1; class < 9; class ++) {
        assert_int_equal(yr_room_body_decode(&body, class, later, sizeof later), YR_OK);
        assert_false(body.known);
    }
    seeded_init(&rnd, 2);
    found(&author, &rnd, bin);
    r = draft(&author, 9, later, sizeof later);
    assert_int_equal(yr_room_record_encode(&r, author.keys.sign_sk, bin, sizeof bin, &len), YR_OK);
    assert_int_equal(yr_room_record_decode(&r, bin, len), YR_OK);
    assert_false(r.known);
    assert_int_equal(yr_room_record_verify(&r, author.keys.id), YR_OK);
    bin[2] = 2;
    assert_int_equal(yr_room_record_decode(&r, bin, len), YR_EVERSION);
}

// The founder's second control record, with `deps` of them.
static size_t second(const struct author *author, size_t deps, uint8_t out[1024])
{
    static const uint8_t leave[] = {6};
    struct yr_room_record r = draft(author, YR_CLASS_CONTROL, leave, sizeof leave);
    size_t len;

    r.seq = 2;
    memset(r.prev, 3, sizeof r.prev);
    r.dep_count = deps;
    for (size_t i = 0; i < deps; i++)
        memset(r.deps[i], (int)(100 - i), YR_REC_ID_LEN); // falling: encode puts them in order
    assert_int_equal(yr_room_record_encode(&r, author->keys.sign_sk, out, 1024, &len), YR_OK);
    return len;
}

static void records_are_refused_cut_flipped_and_lengthened(void **state)
{
    struct yr_room_record r, untouched;
    struct author author;
    struct seeded rnd;
    uint8_t bin[1025], kept[YR_REC_ID_LEN];
    size_t len;

    seeded_init(&rnd, 3);
    memset(&untouched, 0xa5, sizeof untouched);
    for (size_t deps = 0; deps <= 9; deps++) {
        len = found(&author, &rnd, bin); // of a CREATE last
        if (deps < 9)
            len = second(&author, deps, bin);
        assert_int_equal(yr_room_record_decode(&r, bin, len), YR_OK);
        assert_int_equal(yr_room_record_verify(&r, author.keys.id), YR_OK);
        memcpy(kept, r.id, sizeof kept);
        for (size_t cut = 0; cut <= len; cut++) {
            r = untouched;
            bin[len] = 0;
            assert_int_equal(yr_room_record_decode(&r, bin, cut < len ? cut : len + 1), YR_EPROTO);
            assert_memory_equal(&r, &untouched, sizeof r);
        }
        for (size_t bit = 0; bit < 8 * len; bit++) {
            bin[bit / 8] ^= (uint8_t)(1 << bit % 8);
            if (yr_room_record_decode(&r, bin, len) == YR_OK) {
                assert_int_equal(yr_room_record_verify(&r, author.keys.id), YR_EAUTH);
                assert_int_equal(memcmp(r.id, kept, sizeof kept) == 0, bit / 8 >= len - 64);
            }
            bin[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
    }
}

static void the_place_in_a_log_must_make_sense(void **state)
{
    static const uint8_t leave[] = {6};
    struct author author;
    struct yr_room_record r, good;
    struct seeded rnd;
    uint8_t bin[1024], create[1024];
    size_t len, create_len;

    seeded_init(&rnd, 4);
    create_len = found(&author, &rnd, create);
    good = draft(&author, YR_CLASS_CONTROL, leave, sizeof leave);
#define PLACE(want, set)                                                                        \
    do {                                                                                        \
        r = good;                                                                               \
        set;                                                                                    \
        assert_int_equal(yr_room_record_encode(&r, author.keys.sign_sk, bin, sizeof bin, &len), \
                         want);                                                                 \
    } while (0)
    PLACE(YR_OK, (void)0);
    PLACE(YR_EINVAL, r.seq = 0);
    PLACE(YR_EINVAL, r.seq = 2);     // no prev
    PLACE(YR_EINVAL, r.prev[0] = 1); // a prev before the first
    PLACE(YR_EINVAL, r.class = 0);
    PLACE(YR_EINVAL, r.body_len = 0);
    PLACE(YR_EINVAL, memset(r.room_id, 0, sizeof r.room_id));
    PLACE(YR_ESIZE, r.dep_count = 9);
    PLACE(YR_EINVAL, r.dep_count = 1);                          // of zeros
    PLACE(YR_EINVAL, (r.dep_count = 2, memset(r.deps, 1, 64))); // the same twice
    PLACE(YR_ESIZE, r.body_len = YR_ROOM_BODY_MAX + 1);
    // A second CREATE cannot stand anywhere in a log.
    assert_int_equal(yr_room_record_decode(&r, create, create_len), YR_OK);
    good = r;
    PLACE(YR_OK, (void)0);
    assert_int_equal(len, create_len);
    assert_memory_equal(bin, create, len);
    PLACE(YR_EINVAL, (r.seq = 2, r.prev[3] = 1));
    PLACE(YR_EINVAL, (r.dep_count = 1, r.deps[0][0] = 1));
    // Nor with deps out of order, which only others write.
    len = second(&author, 2, bin);
    assert_int_equal(yr_room_record_decode(&r, bin, len), YR_OK);
    for (size_t i = 0; i < YR_REC_ID_LEN; i++)
        bin[93 + i] = (uint8_t)(bin[93 + i] + 50);
    assert_int_equal(yr_room_record_decode(&r, bin, len), YR_EPROTO);
}

static void a_record_may_be_16_kib_and_no_more(void **state)
{
    static uint8_t bin[YR_ROOM_RECORD_MAX + 32], body_bin[YR_ROOM_BODY_MAX];
    struct yr_room_body body = sample(YR_ROOM_CONTENT, true);
    struct author author;
    struct yr_room_record r;
    struct seeded rnd;
    size_t len;

    seeded_init(&rnd, 5);
    found(&author, &rnd, bin);
    assert_int_equal(yr_room_body_encode(&body, body_bin, sizeof body_bin, &len), YR_OK);
    r = draft(&author, YR_CLASS_MESSAGE, body_bin, len);
    assert_int_equal(yr_room_record_encode(&r, author.keys.sign_sk, bin, sizeof bin, &len), YR_OK);
    assert_int_equal(len, YR_ROOM_RECORD_MAX);
    assert_int_equal(yr_room_record_decode(&r, bin, len), YR_OK);
    r.body = body_bin;
    r.dep_count = 1;
    r.deps[0][0] = 1;
    assert_int_equal(yr_room_record_encode(&r, author.keys.sign_sk, bin, sizeof bin, &len),
                     YR_ESIZE);
    // The same, written by someone who does not care.
    bin[92] = 1;
    assert_int_equal(yr_room_record_decode(&r, bin, YR_ROOM_RECORD_MAX + 32), YR_EPROTO);
}

static void nobody_signs_for_another(void **state)
{
    struct author author, other;
    struct yr_room_record r;
    struct seeded rnd;
    uint8_t bin[1024];
    size_t len;

    seeded_init(&rnd, 6);
    found(&other, &rnd, bin);
    found(&author, &rnd, bin);
    len = second(&author, 1, bin);
    assert_int_equal(yr_room_record_decode(&r, bin, len), YR_OK);
    assert_int_equal(yr_room_record_verify(&r, other.keys.id), YR_EAUTH);
    r.body = bytes + 10;
    memcpy(r.author, other.mid, sizeof r.author); // a true key, another's name
    assert_int_equal(yr_room_record_verify(&r, author.keys.id), YR_EAUTH);
}

static void a_join_is_for_one_room_one_inviter_and_one_pair_of_keys(void **state)
{
    struct author author;
    struct seeded rnd;
    uint8_t bin[1024], sig[64], room[32], keys[64], inviter[16];

    seeded_init(&rnd, 7);
    found(&author, &rnd, bin);
    memcpy(room, author.room_id, 32);
    memcpy(keys, author.keys.id, 32);
    memcpy(keys + 32, bytes, 32);
    memcpy(inviter, author.mid, 16);
    yr_room_join_sign(sig, author.keys.sign_sk, room, keys, keys + 32, inviter);
#define JOIN() yr_room_join_verify(sig, room, keys, keys + 32, inviter)
    assert_int_equal(JOIN(), YR_OK);
    room[0] ^= 1;
    assert_int_equal(JOIN(), YR_EAUTH);
    room[0] ^= 1;
    inviter[15] ^= 1;
    assert_int_equal(JOIN(), YR_EAUTH);
    inviter[15] ^= 1;
    keys[63] ^= 1;
    assert_int_equal(JOIN(), YR_EAUTH);
    keys[63] ^= 1;
    sig[63] ^= 1;
    assert_int_equal(JOIN(), YR_EAUTH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_room_is_named_by_its_create_and_a_member_by_room_and_key),
        cmocka_unit_test(every_body_comes_back_as_it_went),
        cmocka_unit_test(no_body_can_be_cut_or_lengthened_past_its_bounds),
        cmocka_unit_test(numbers_and_texts_have_bounds),
        cmocka_unit_test(a_kind_or_class_of_a_later_version_is_known_to_be_unknown),
        cmocka_unit_test(records_are_refused_cut_flipped_and_lengthened),
        cmocka_unit_test(the_place_in_a_log_must_make_sense),
        cmocka_unit_test(a_record_may_be_16_kib_and_no_more),
        cmocka_unit_test(nobody_signs_for_another),
        cmocka_unit_test(a_join_is_for_one_room_one_inviter_and_one_pair_of_keys),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
