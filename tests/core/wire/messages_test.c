/* Plaintexts and first-contact payloads: one codec from one table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <msgpack.h>

#include "core/wire/messages.h"

#define BUF_MAX 40000

static uint8_t ids[YR_ACKS_MAX][YR_MSG_ID_LEN];
static uint8_t longest_text[YR_TEXT_MAX];
static const uint8_t key32[32] = {7, 7, 7}, cert142[142] = {1, 4, 2}, log8[8] = {9};

static const uint64_t types[] = {
#define X(name, type, form, meaning) type,
    YR_PLAIN_MAP(X)
#undef X
};

static int fill(void **state)
{
    for (size_t i = 0; i < YR_ACKS_MAX; i++)
        for (size_t k = 0; k < YR_MSG_ID_LEN; k++)
            ids[i][k] = (uint8_t)(i * 31 + k + 1);
    memset(longest_text, 'a', sizeof longest_text);
    return 0;
}

// Every member of this type that may be there is there, as long as it may be (`longest`) or short.
static struct yr_plain sample(uint64_t type, bool longest)
{
    struct yr_plain p = {.type = type,
                         .known = true,
                         .id = ids[0],
                         .hlc = 0x0123456789abcdef,
                         .seq = longest ? UINT64_MAX : 1,
                         .expires_s = 1790000000,
                         .flags = 1,
                         .incarnation = log8,
                         .reply_to = ids[9]};
    const size_t many = longest ? YR_ACKS_MAX : 2;

    p.parent_count = longest ? YR_PARENTS_MAX : 1;
    for (size_t i = 0; i < p.parent_count; i++)
        p.parents[i] = ids[i + 10];
    p.ack_count = longest ? YR_PLAIN_ACKS_MAX : 1;
    for (size_t i = 0; i < p.ack_count; i++)
        p.acks[i] = ids[i + 20];
    if (type == YR_PLAIN_EDIT || type == YR_PLAIN_DELETE || type == YR_PLAIN_REACTION)
        p.target = ids[3];
    if (type == YR_PLAIN_TEXT || type == YR_PLAIN_EDIT)
        p.text = longest_text, p.text_len = longest ? YR_TEXT_MAX : 5;
    if (type == YR_PLAIN_REACTION)
        p.text = longest_text, p.text_len = longest ? YR_EMOJI_MAX : 1, p.on = longest;
    if (type == YR_PLAIN_PROFILE) {
        p.text = longest_text, p.text_len = longest ? YR_NICK_MAX : 1;
        p.text2 = longest_text, p.text2_len = longest ? YR_STATUS_MAX : 0;
    }
    if (type == YR_PLAIN_DELIVERED || type == YR_PLAIN_READ)
        for (p.id_count = 0; p.id_count < many; p.id_count++)
            p.ids[p.id_count] = ids[p.id_count];
    if (type == YR_PLAIN_RELAYS)
        for (p.id_count = 0; p.id_count < 8; p.id_count++)
            p.ids[p.id_count] = ids[p.id_count];
    if (type == YR_PLAIN_PREKEY)
        p.prekey = key32, p.prekey_id = UINT32_MAX, p.prekey_exp_s = longest ? UINT32_MAX : 1;
    if (type == YR_PLAIN_ROOM_INVITE) {
        p.create = longest_text, p.create_len = longest ? YR_ROOM_CREATE_MAX : 3;
        p.mid = ids[5], p.members = longest ? YR_ROOM_MEMBERS_MAX : 1;
        p.text = longest_text, p.text_len = longest ? YR_ROOM_NAME_MAX : 1;
    }
    if (type == YR_PLAIN_ROOM_JOIN) {
        p.room = p.sign_pk = p.seal_pk = key32, p.join_sig = cert142;
        p.text = longest_text, p.text_len = longest ? YR_NICK_MAX : 0;
    }
    return p;
}

static struct yr_hello sample_hello(void)
{
    return (struct yr_hello){.cert = cert142,
                             .prekey_id = 5,
                             .prekey_exp_s = 1790000000,
                             .prekey = key32,
                             .nick = longest_text,
                             .nick_len = YR_NICK_MAX,
                             .text = longest_text,
                             .text_len = YR_GREETING_MAX,
                             .caps = UINT32_MAX,
                             .verdict = 2,
                             .reason = 255};
}

static size_t encode(const struct yr_plain *p, uint8_t buf[BUF_MAX])
{
    size_t len = 0;

    assert_int_equal(yr_plain_encode(p, buf, BUF_MAX, &len), YR_OK);
    return len;
}

static void same_bytes(const uint8_t *a, const uint8_t *b, size_t len)
{
    assert_int_equal(a == NULL, b == NULL);
    if (a != NULL)
        assert_memory_equal(a, b, len);
}

static void same_ids(const uint8_t *const *a, size_t a_count, const uint8_t *const *b,
                     size_t b_count)
{
    assert_int_equal(a_count, b_count);
    for (size_t i = 0; i < a_count; i++)
        assert_memory_equal(a[i], b[i], YR_MSG_ID_LEN);
}

static void same_plain(const struct yr_plain *a, const struct yr_plain *b)
{
    assert_true(a->type == b->type && a->hlc == b->hlc && a->seq == b->seq);
    assert_true(a->expires_s == b->expires_s && a->flags == b->flags && a->on == b->on);
    assert_int_equal(a->known, b->known);
    same_bytes(a->id, b->id, YR_MSG_ID_LEN);
    same_bytes(a->incarnation, b->incarnation, YR_INCARNATION_LEN);
    same_bytes(a->reply_to, b->reply_to, YR_MSG_ID_LEN);
    same_bytes(a->target, b->target, YR_MSG_ID_LEN);
    same_bytes(a->prekey, b->prekey, 32);
    assert_int_equal(a->prekey_id, b->prekey_id);
    assert_int_equal(a->prekey_exp_s, b->prekey_exp_s);
    assert_int_equal(a->text_len, b->text_len);
    same_bytes(a->text, b->text, a->text_len);
    assert_int_equal(a->text2_len, b->text2_len);
    same_bytes(a->text2, b->text2, a->text2_len);
    assert_int_equal(a->create_len, b->create_len);
    same_bytes(a->create, b->create, a->create_len);
    same_bytes(a->mid, b->mid, YR_MID_LEN);
    assert_int_equal(a->members, b->members);
    same_bytes(a->room, b->room, 32);
    same_bytes(a->sign_pk, b->sign_pk, 32);
    same_bytes(a->seal_pk, b->seal_pk, 32);
    same_bytes(a->join_sig, b->join_sig, 64);
    same_ids(a->parents, a->parent_count, b->parents, b->parent_count);
    same_ids(a->acks, a->ack_count, b->acks, b->ack_count);
    same_ids(a->ids, a->id_count, b->ids, b->id_count);
}

static void every_plaintext_comes_back_as_sent(void **state)
{
    static uint8_t buf[BUF_MAX];

    for (size_t i = 0; i < YR_COUNT(types); i++)
        for (int longest = 0; longest < 2; longest++) {
            const struct yr_plain in = sample(types[i], longest == 1);
            const size_t len = encode(&in, buf);
            struct yr_plain out;

            assert_true(len <= YR_PLAIN_MAX);
            assert_int_equal(yr_plain_decode(&out, buf, len), YR_OK);
            same_plain(&in, &out);
        }
}

static void what_is_absent_stays_absent(void **state)
{
    const struct yr_plain in = {.type = YR_PLAIN_NOOP, .known = true, .id = ids[0], .hlc = 0};
    uint8_t buf[64];
    struct yr_plain out;
    size_t len;

    assert_int_equal(yr_plain_encode(&in, buf, sizeof buf, &len), YR_OK);
    assert_int_equal(len, 1 + 2 + 1 + 18 + 2); // map head, type, id, nil body
    assert_int_equal(yr_plain_decode(&out, buf, len), YR_OK);
    same_plain(&in, &out);
}

static void decode_refuses_every_truncation_and_writes_nothing(void **state)
{
    static uint8_t buf[BUF_MAX];
    struct yr_plain out, untouched;

    memset(&untouched, 0xa5, sizeof untouched);
    for (size_t i = 0; i < YR_COUNT(types); i++) {
        const struct yr_plain in = sample(types[i], false);
        const size_t len = encode(&in, buf);

        memset(&out, 0xa5, sizeof out);
        for (size_t cut = 0; cut < len; cut++) {
            uint8_t *exact = malloc(cut > 0 ? cut : 1); // so that a read past the end is seen

            assert_non_null(exact);
            memcpy(exact, buf, cut);
            assert_int_equal(yr_plain_decode(&out, exact, cut), YR_EPROTO);
            free(exact);
            assert_memory_equal(&out, &untouched, sizeof out);
        }
        assert_int_equal(yr_plain_decode(&out, buf, len + 1), YR_EPROTO);
        assert_memory_equal(&out, &untouched, sizeof out);
    }
}

static void every_byte_changed_to_every_value_is_decoded_or_refused_whole(void **state)
{
    static uint8_t buf[BUF_MAX], again[BUF_MAX];
    struct yr_plain out, untouched;
    size_t refused = 0;

    memset(&untouched, 0xa5, sizeof untouched);
    for (size_t i = 0; i < YR_COUNT(types); i++) {
        const struct yr_plain in = sample(types[i], false);
        const size_t len = encode(&in, buf);

        for (size_t at = 0; at < len; at++)
            for (int value = 0; value < 256; value++) {
                const uint8_t before = buf[at];
                size_t again_len;

                buf[at] = (uint8_t)value;
                memset(&out, 0xa5, sizeof out);
                if (yr_plain_decode(&out, buf, len) != YR_OK) {
                    assert_memory_equal(&out, &untouched, sizeof out);
                    refused++;
                } else if (out.known) {
                    assert_int_equal(yr_plain_encode(&out, again, sizeof again, &again_len), YR_OK);
                }
                buf[at] = before;
            }
    }
    assert_true(refused > 10000);
}

static void encode_needs_exactly_the_room_it_says(void **state)
{
    static uint8_t buf[BUF_MAX];

    for (size_t i = 0; i < YR_COUNT(types); i++) {
        const struct yr_plain in = sample(types[i], false);
        const size_t len = encode(&in, buf);
        size_t out_len = 12345;

        for (size_t cap = 0; cap < len; cap++) {
            assert_int_equal(yr_plain_encode(&in, buf, cap, &out_len), YR_ESIZE);
            assert_int_equal(out_len, 12345);
        }
        assert_int_equal(yr_plain_encode(&in, buf, len, &out_len), YR_OK);
        assert_int_equal(out_len, len);
    }
}

static enum yr_err try_encode(struct yr_plain p)
{
    static uint8_t buf[BUF_MAX];
    size_t len;

    return yr_plain_encode(&p, buf, sizeof buf, &len);
}

static void encode_refuses_what_decode_would_refuse(void **state)
{
    struct yr_plain p = sample(YR_PLAIN_TEXT, true);

    p.id = NULL;
    assert_int_equal(try_encode(p), YR_EINVAL);
    p = sample(YR_PLAIN_TEXT, true);
    p.type = 200;
    assert_int_equal(try_encode(p), YR_EINVAL);
    p.type = 0;
    assert_int_equal(try_encode(p), YR_EINVAL);
    p = sample(YR_PLAIN_TEXT, true);
    p.text_len = YR_TEXT_MAX + 1;
    assert_int_equal(try_encode(p), YR_ESIZE);
    p.text_len = 0;
    assert_int_equal(try_encode(p), YR_ESIZE);
    p = sample(YR_PLAIN_TEXT, false);
    p.text = (const uint8_t *)"\xff....";
    assert_int_equal(try_encode(p), YR_EINVAL);
    p = sample(YR_PLAIN_TEXT, false);
    p.parent_count = YR_PARENTS_MAX + 1;
    assert_int_equal(try_encode(p), YR_ESIZE);
    p = sample(YR_PLAIN_TEXT, false);
    p.parents[0] = NULL;
    assert_int_equal(try_encode(p), YR_EINVAL);
    p = sample(YR_PLAIN_READ, true);
    p.id_count++;
    assert_int_equal(try_encode(p), YR_ESIZE);
    p = sample(YR_PLAIN_DELETE, true);
    p.target = NULL;
    assert_int_equal(try_encode(p), YR_EINVAL);
    p = sample(YR_PLAIN_REACTION, true);
    p.text_len++;
    assert_int_equal(try_encode(p), YR_ESIZE);
}

// {1: type, 2: id, and what `rest` says}, written by msgpack-c: what another program may send.
struct raw {
    msgpack_sbuffer buf;
    msgpack_packer pk;
};

static void raw_start(struct raw *raw, size_t pairs, uint64_t type)
{
    msgpack_sbuffer_init(&raw->buf);
    msgpack_packer_init(&raw->pk, &raw->buf, msgpack_sbuffer_write);
    msgpack_pack_map(&raw->pk, pairs);
    msgpack_pack_int(&raw->pk, 1);
    msgpack_pack_uint64(&raw->pk, type);
    msgpack_pack_int(&raw->pk, 2);
    msgpack_pack_bin(&raw->pk, YR_MSG_ID_LEN);
    msgpack_pack_bin_body(&raw->pk, ids[0], YR_MSG_ID_LEN);
}

static void raw_str(struct raw *raw, int key, const char *text)
{
    msgpack_pack_int(&raw->pk, key);
    msgpack_pack_str(&raw->pk, strlen(text));
    msgpack_pack_str_body(&raw->pk, text, strlen(text));
}

static enum yr_err raw_decode(struct raw *raw, struct yr_plain *out)
{
    static uint8_t copy[BUF_MAX];

    assert_true(raw->buf.size <= sizeof copy);
    memcpy(copy, raw->buf.data, raw->buf.size);
    msgpack_sbuffer_destroy(&raw->buf);
    return yr_plain_decode(out, copy, raw->buf.size);
}

static void unknown_keys_are_ignored_wherever_they_stand(void **state)
{
    struct yr_plain out;
    struct raw raw;

    raw_start(&raw, 5, YR_PLAIN_EDIT);
    raw_str(&raw, 99, "from a later version");
    msgpack_pack_int(&raw.pk, YR_PLAIN_BODY_KEY);
    msgpack_pack_map(&raw.pk, 3);
    msgpack_pack_int(&raw.pk, 50);
    msgpack_pack_array(&raw.pk, 1);
    msgpack_pack_nil(&raw.pk);
    msgpack_pack_int(&raw.pk, 1);
    msgpack_pack_bin(&raw.pk, YR_MSG_ID_LEN);
    msgpack_pack_bin_body(&raw.pk, ids[4], YR_MSG_ID_LEN);
    raw_str(&raw, 2, "new");
    msgpack_pack_int(&raw.pk, 100);
    msgpack_pack_map(&raw.pk, 1);
    msgpack_pack_int(&raw.pk, 1);
    msgpack_pack_int(&raw.pk, -5);
    assert_int_equal(raw_decode(&raw, &out), YR_OK);
    assert_memory_equal(out.target, ids[4], YR_MSG_ID_LEN);
    assert_int_equal(out.text_len, 3);
}

static void keys_may_come_in_any_order(void **state)
{
    struct yr_plain out;
    struct raw raw;

    msgpack_sbuffer_init(&raw.buf);
    msgpack_packer_init(&raw.pk, &raw.buf, msgpack_sbuffer_write);
    msgpack_pack_map(&raw.pk, 3);
    raw_str(&raw, YR_PLAIN_BODY_KEY, "body first");
    msgpack_pack_int(&raw.pk, 2);
    msgpack_pack_bin(&raw.pk, YR_MSG_ID_LEN);
    msgpack_pack_bin_body(&raw.pk, ids[0], YR_MSG_ID_LEN);
    msgpack_pack_int(&raw.pk, 1);
    msgpack_pack_int(&raw.pk, YR_PLAIN_TEXT);
    assert_int_equal(raw_decode(&raw, &out), YR_OK);
    assert_memory_equal(out.text, "body first", 10);
}

static void an_unknown_type_decodes_as_unknown_whatever_its_body(void **state)
{
    struct yr_plain out;
    struct raw raw;

    raw_start(&raw, 3, 77);
    msgpack_pack_int(&raw.pk, YR_PLAIN_BODY_KEY);
    msgpack_pack_array(&raw.pk, 1);
    msgpack_pack_true(&raw.pk);
    assert_int_equal(raw_decode(&raw, &out), YR_OK);
    assert_false(out.known);
    assert_int_equal(out.type, 77);
    assert_non_null(out.id);
    raw_start(&raw, 2, UINT64_MAX);
    assert_int_equal(raw_decode(&raw, &out), YR_OK);
    assert_false(out.known);
}

static void a_known_type_with_another_body_is_refused(void **state)
{
    struct yr_plain out;
    struct raw raw;

    raw_start(&raw, 2, YR_PLAIN_TEXT); // no body
    assert_int_equal(raw_decode(&raw, &out), YR_EPROTO);
    raw_start(&raw, 3, YR_PLAIN_TEXT);
    raw_str(&raw, YR_PLAIN_BODY_KEY, ""); // an empty text
    assert_int_equal(raw_decode(&raw, &out), YR_EPROTO);
    raw_start(&raw, 3, YR_PLAIN_TEXT);
    msgpack_pack_int(&raw.pk, YR_PLAIN_BODY_KEY);
    msgpack_pack_int(&raw.pk, 5);
    assert_int_equal(raw_decode(&raw, &out), YR_EPROTO);
    raw_start(&raw, 3, YR_PLAIN_DELETE);
    msgpack_pack_int(&raw.pk, YR_PLAIN_BODY_KEY);
    msgpack_pack_map(&raw.pk, 0);
    assert_int_equal(raw_decode(&raw, &out), YR_EPROTO);
    raw_start(&raw, 3, YR_PLAIN_READ);
    msgpack_pack_int(&raw.pk, YR_PLAIN_BODY_KEY);
    msgpack_pack_array(&raw.pk, 1);
    msgpack_pack_bin(&raw.pk, 15);
    msgpack_pack_bin_body(&raw.pk, ids[0], 15);
    assert_int_equal(raw_decode(&raw, &out), YR_EPROTO);
    raw_start(&raw, 2, YR_PLAIN_NOOP); // a body of nothing may be left out
    assert_int_equal(raw_decode(&raw, &out), YR_OK);
}

static void decode_refuses_lists_and_texts_over_their_maximum(void **state)
{
    struct yr_plain out;
    struct raw raw;

    raw_start(&raw, 3, YR_PLAIN_READ);
    msgpack_pack_int(&raw.pk, YR_PLAIN_BODY_KEY);
    msgpack_pack_array(&raw.pk, YR_ACKS_MAX + 1);
    for (size_t i = 0; i <= YR_ACKS_MAX; i++) {
        msgpack_pack_bin(&raw.pk, YR_MSG_ID_LEN);
        msgpack_pack_bin_body(&raw.pk, ids[0], YR_MSG_ID_LEN);
    }
    assert_int_equal(raw_decode(&raw, &out), YR_EPROTO);

    raw_start(&raw, 3, YR_PLAIN_TEXT);
    msgpack_pack_int(&raw.pk, YR_PLAIN_BODY_KEY);
    msgpack_pack_str(&raw.pk, YR_TEXT_MAX + 1);
    msgpack_pack_str_body(&raw.pk, longest_text, YR_TEXT_MAX);
    msgpack_pack_str_body(&raw.pk, "b", 1);
    assert_int_equal(raw_decode(&raw, &out), YR_EPROTO);
}

static void no_type_or_no_id_is_refused(void **state)
{
    struct yr_plain out;

    assert_int_equal(yr_plain_decode(&out, (const uint8_t *)"\x80", 1), YR_EPROTO);
    assert_int_equal(yr_plain_decode(&out, (const uint8_t *)"\x81\x01\x11", 3), YR_EPROTO);
    assert_int_equal(yr_plain_decode(&out, (const uint8_t *)"\x01", 1), YR_EPROTO);
    assert_int_equal(yr_plain_decode(&out, NULL, 0), YR_EPROTO);
}

static const uint64_t said_in_rooms[] = {YR_PLAIN_TEXT, YR_PLAIN_EDIT, YR_PLAIN_DELETE,
                                         YR_PLAIN_REACTION};

static struct yr_plain room_sample(uint64_t type, bool longest)
{
    struct yr_plain p = sample(type, longest);

    if (type == YR_PLAIN_TEXT || type == YR_PLAIN_EDIT)
        p.text_len = longest ? YR_ROOM_TEXT_MAX : 5;
    return p;
}

static void what_is_said_in_a_room_leaves_out_what_its_record_says(void **state)
{
    static uint8_t bytes[BUF_MAX];

    for (size_t i = 0; i < YR_COUNT(said_in_rooms); i++)
        for (int longest = 0; longest < 2; longest++) {
            struct yr_plain p = room_sample(said_in_rooms[i], longest != 0), back;
            size_t len, direct_len;

            assert_int_equal(yr_plain_encode(&p, bytes, sizeof bytes, &direct_len), YR_OK);
            assert_int_equal(yr_plain_decode_room(&back, bytes, direct_len), YR_OK);
            assert_null(back.id); // it is there, and nobody's business
            assert_int_equal(yr_plain_encode_room(&p, bytes, sizeof bytes, &len), YR_OK);
            assert_true(len < direct_len);
            assert_int_equal(yr_plain_decode_room(&back, bytes, len), YR_OK);
            p.id = p.incarnation = NULL;
            p.hlc = p.seq = 0;
            p.ack_count = p.parent_count = 0;
            same_plain(&p, &back);
            assert_int_equal(yr_plain_decode(&back, bytes, len), YR_EPROTO); // no id
        }
}

static void decode_room_refuses_every_truncation_and_writes_nothing(void **state)
{
    static uint8_t bytes[BUF_MAX];
    struct yr_plain out, untouched;

    memset(&untouched, 0xa5, sizeof untouched);
    for (size_t i = 0; i < YR_COUNT(said_in_rooms); i++) {
        const struct yr_plain p = room_sample(said_in_rooms[i], true);
        size_t len;

        assert_int_equal(yr_plain_encode_room(&p, bytes, sizeof bytes, &len), YR_OK);
        for (size_t cut = 0; cut < len; cut++) {
            uint8_t *exact = malloc(cut + 1); // a byte beyond it is the sanitiser's to see

            assert_non_null(exact);
            memcpy(exact, bytes, cut);
            out = untouched;
            assert_int_equal(yr_plain_decode_room(&out, exact, cut), YR_EPROTO);
            assert_memory_equal(&out, &untouched, sizeof out);
            free(exact);
        }
    }
}

static void a_room_knows_four_types_and_shorter_texts(void **state)
{
    static uint8_t bytes[BUF_MAX];
    size_t len;

    for (size_t i = 0; i < YR_COUNT(types); i++) {
        const struct yr_plain p = sample(types[i], false);
        struct yr_plain back;
        bool known = false;

        for (size_t k = 0; k < YR_COUNT(said_in_rooms); k++)
            known = known || said_in_rooms[k] == types[i];
        assert_int_equal(yr_plain_encode(&p, bytes, sizeof bytes, &len), YR_OK);
        assert_int_equal(yr_plain_decode_room(&back, bytes, len), YR_OK);
        assert_true(back.known == known && back.type == types[i]);
        assert_int_equal(yr_plain_encode_room(&p, bytes, sizeof bytes, &len),
                         known ? YR_OK : YR_EINVAL);
    }
    for (size_t i = 0; i < 2; i++) { // TEXT, EDIT
        struct yr_plain p = room_sample(said_in_rooms[i], true), back;

        p.text_len++;
        assert_int_equal(yr_plain_encode_room(&p, bytes, sizeof bytes, &len), YR_ESIZE);
        assert_int_equal(yr_plain_encode(&p, bytes, sizeof bytes, &len), YR_OK);
        assert_int_equal(yr_plain_decode_room(&back, bytes, len), YR_EPROTO);
    }
}

static void every_hello_comes_back_as_sent(void **state)
{
    const struct yr_hello in = sample_hello();
    uint8_t buf[2048];
    struct yr_hello out;
    size_t len;

    assert_int_equal(yr_hello_encode(&in, buf, sizeof buf, &len), YR_OK);
    assert_int_equal(yr_hello_decode(&out, buf, len), YR_OK);
    assert_memory_equal(out.cert, in.cert, 142);
    assert_memory_equal(out.prekey, in.prekey, 32);
    assert_int_equal(out.prekey_id, in.prekey_id);
    assert_int_equal(out.prekey_exp_s, in.prekey_exp_s);
    assert_int_equal(out.nick_len, in.nick_len);
    assert_memory_equal(out.nick, in.nick, in.nick_len);
    assert_int_equal(out.text_len, in.text_len);
    assert_memory_equal(out.text, in.text, in.text_len);
    assert_int_equal(out.caps, in.caps);
    assert_int_equal(out.verdict, in.verdict);
    assert_int_equal(out.reason, in.reason);
}

static void a_hello_may_be_a_refusal_and_nothing_else(void **state)
{
    const struct yr_hello in = {.reason = 2};
    uint8_t buf[16];
    struct yr_hello out;
    size_t len;

    assert_int_equal(yr_hello_encode(&in, buf, sizeof buf, &len), YR_OK);
    assert_int_equal(len, 3);
    assert_int_equal(yr_hello_decode(&out, buf, len), YR_OK);
    assert_null(out.cert);
    assert_null(out.prekey);
    assert_null(out.nick);
    assert_int_equal(out.reason, 2);
}

static void hello_refuses_every_truncation_and_writes_nothing(void **state)
{
    const struct yr_hello in = sample_hello();
    struct yr_hello out, untouched;
    uint8_t buf[2048];
    size_t len;

    memset(&out, 0xa5, sizeof out);
    memset(&untouched, 0xa5, sizeof untouched);
    assert_int_equal(yr_hello_encode(&in, buf, sizeof buf, &len), YR_OK);
    for (size_t cut = 0; cut < len; cut++) {
        assert_int_equal(yr_hello_decode(&out, buf, cut), YR_EPROTO);
        assert_memory_equal(&out, &untouched, sizeof out);
        assert_int_equal(yr_hello_encode(&in, buf, cut, &(size_t){0}), YR_ESIZE);
        assert_int_equal(yr_hello_encode(&in, buf, sizeof buf, &len), YR_OK);
    }
}

static void hello_refuses_values_over_their_maximum(void **state)
{
    struct yr_hello in = sample_hello(), out;
    uint8_t buf[2048];
    size_t len;

    in.verdict = 3;
    assert_int_equal(yr_hello_encode(&in, buf, sizeof buf, &len), YR_ESIZE);
    in = sample_hello();
    in.nick_len = YR_NICK_MAX + 1;
    assert_int_equal(yr_hello_encode(&in, buf, sizeof buf, &len), YR_ESIZE);
    assert_int_equal(yr_hello_decode(&out, (const uint8_t *)"\x81\x06\x03", 3), YR_EPROTO);
    assert_int_equal(yr_hello_decode(&out, (const uint8_t *)"\x81\x07\xcd\x01\x00", 5), YR_EPROTO);
    assert_int_equal(yr_hello_decode(&out, (const uint8_t *)"\x81\x02\x80", 3), YR_EPROTO);
}

static void msgpack_c_reads_what_we_write(void **state)
{
    static uint8_t buf[BUF_MAX];

    for (size_t i = 0; i < YR_COUNT(types); i++) {
        const struct yr_plain in = sample(types[i], true);
        const size_t len = encode(&in, buf);
        msgpack_unpacked result;
        size_t at = 0, seen = 0;

        msgpack_unpacked_init(&result);
        assert_int_equal(msgpack_unpack_next(&result, (const char *)buf, len, &at),
                         MSGPACK_UNPACK_SUCCESS);
        assert_int_equal(at, len);
        assert_int_equal(result.data.type, MSGPACK_OBJECT_MAP);
        for (uint32_t k = 0; k < result.data.via.map.size; k++) {
            const msgpack_object_kv *kv = &result.data.via.map.ptr[k];

            assert_int_equal(kv->key.type, MSGPACK_OBJECT_POSITIVE_INTEGER);
            if (kv->key.via.u64 == 1)
                assert_true(kv->val.via.u64 == types[i]);
            if (kv->key.via.u64 == 2)
                assert_memory_equal(kv->val.via.bin.ptr, ids[0], YR_MSG_ID_LEN);
            if (kv->key.via.u64 == 3)
                assert_true(kv->val.via.u64 == in.hlc);
            if (kv->key.via.u64 == 8)
                assert_int_equal(kv->val.via.array.size, YR_PARENTS_MAX);
            seen |= (size_t)1 << kv->key.via.u64;
        }
        assert_int_equal(seen, 0xffe); // keys 1..11, each once
        msgpack_unpacked_destroy(&result);
    }
}

static void plaintexts_have_names(void **state)
{
    assert_string_equal(yr_plain_name(YR_PLAIN_TEXT), "TEXT");
    assert_string_equal(yr_plain_name(YR_PLAIN_NOOP), "NOOP");
    assert_string_equal(yr_plain_name(15), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_plaintext_comes_back_as_sent),
        cmocka_unit_test(what_is_absent_stays_absent),
        cmocka_unit_test(decode_refuses_every_truncation_and_writes_nothing),
        cmocka_unit_test(every_byte_changed_to_every_value_is_decoded_or_refused_whole),
        cmocka_unit_test(encode_needs_exactly_the_room_it_says),
        cmocka_unit_test(encode_refuses_what_decode_would_refuse),
        cmocka_unit_test(unknown_keys_are_ignored_wherever_they_stand),
        cmocka_unit_test(keys_may_come_in_any_order),
        cmocka_unit_test(an_unknown_type_decodes_as_unknown_whatever_its_body),
        cmocka_unit_test(a_known_type_with_another_body_is_refused),
        cmocka_unit_test(decode_refuses_lists_and_texts_over_their_maximum),
        cmocka_unit_test(no_type_or_no_id_is_refused),
        cmocka_unit_test(what_is_said_in_a_room_leaves_out_what_its_record_says),
        cmocka_unit_test(decode_room_refuses_every_truncation_and_writes_nothing),
        cmocka_unit_test(a_room_knows_four_types_and_shorter_texts),
        cmocka_unit_test(every_hello_comes_back_as_sent),
        cmocka_unit_test(a_hello_may_be_a_refusal_and_nothing_else),
        cmocka_unit_test(hello_refuses_every_truncation_and_writes_nothing),
        cmocka_unit_test(hello_refuses_values_over_their_maximum),
        cmocka_unit_test(msgpack_c_reads_what_we_write),
        cmocka_unit_test(plaintexts_have_names),
    };

    return cmocka_run_group_tests(tests, fill, NULL);
}
