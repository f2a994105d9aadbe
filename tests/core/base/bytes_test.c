#include "core/base/bytes.h"
#include "tests/support/seeded.h"
#include "tests/support/test.h"

/* ---- cursors ---- */

static const struct yr_addr addr4 = {.family = 4, .ip = {192, 0, 2, 7}, .port = 65001};
static const struct yr_addr addr6 = {.family = 6, .ip = {0x20, 1, 0xd, 0xb8, [15] = 9}, .port = 7};

static void write_sample(struct yr_wr *wr)
{
    yr_wr_u8(wr, 0x01);
    yr_wr_u16(wr, 0x0203);
    yr_wr_u32(wr, 0x04050607);
    yr_wr_u64(wr, 0x08090a0b0c0d0e0f);
    yr_wr_u16be(wr, 0x1011);
    yr_wr_u64be(wr, 0x1213141516171819);
    yr_wr_bytes(wr, "abc", 3);
    yr_wr_zero(wr, 2);
    yr_wr_addr(wr, &addr4, true);
    yr_wr_addr(wr, &addr6, false);
}

// What was read, all of it.
struct sample {
    uint8_t u8;
    uint16_t u16, u16be;
    uint32_t u32;
    uint64_t u64, u64be;
    uint8_t abc[3];
    struct yr_addr addr4, addr6;
    bool flag4, flag6;
};

static bool read_sample(struct yr_rd *rd, struct sample *s)
{
    memset(s, 0, sizeof *s);
    s->u8 = yr_rd_u8(rd);
    s->u16 = yr_rd_u16(rd);
    s->u32 = yr_rd_u32(rd);
    s->u64 = yr_rd_u64(rd);
    s->u16be = yr_rd_u16be(rd);
    s->u64be = yr_rd_u64be(rd);
    yr_rd_copy(rd, s->abc, sizeof s->abc);
    yr_rd_skip(rd, 2);
    yr_rd_addr(rd, &s->addr4, &s->flag4);
    yr_rd_addr(rd, &s->addr6, &s->flag6);
    return yr_rd_done(rd);
}

static void what_is_written_is_read_and_integers_are_little_endian(void **state)
{
    static const uint8_t head[] = {0x01, 0x03, 0x02, 0x07, 0x06, 0x05, 0x04, 0x0f, 0x0e, 0x0d,
                                   0x0c, 0x0b, 0x0a, 0x09, 0x08, 0x10, 0x11, 0x12, 0x13};
    uint8_t buf[128];
    struct yr_wr wr = yr_wr_init(buf, sizeof buf);
    struct sample s;
    struct yr_rd rd;

    write_sample(&wr);
    assert_true(yr_wr_ok(&wr));
    assert_memory_equal(buf, head, sizeof head);
    rd = yr_rd_init(buf, yr_wr_len(&wr));
    assert_true(read_sample(&rd, &s));
    assert_int_equal(s.u8, 1);
    assert_int_equal(s.u16, 0x0203);
    assert_int_equal(s.u32, 0x04050607);
    assert_true(s.u64 == 0x08090a0b0c0d0e0f && s.u64be == 0x1213141516171819);
    assert_int_equal(s.u16be, 0x1011);
    assert_memory_equal(s.abc, "abc", 3);
    assert_true(yr_addr_eq(&s.addr4, &addr4) && s.flag4);
    assert_true(yr_addr_eq(&s.addr6, &addr6) && !s.flag6);
}

static void every_truncation_is_noticed_and_reads_nothing_beyond(void **state)
{
    uint8_t buf[128];
    struct yr_wr wr = yr_wr_init(buf, sizeof buf);
    struct sample s;

    write_sample(&wr);
    for (size_t cut = 0; cut < yr_wr_len(&wr); cut++) {
        uint8_t *copy = malloc(cut + 1); // exact: the sanitizer sees a byte too far
        struct yr_rd rd;
        assert_non_null(copy);
        memcpy(copy, buf, cut);
        rd = yr_rd_init(copy, cut);
        assert_false(read_sample(&rd, &s));
        assert_int_equal(yr_rd_left(&rd), 0);
        assert_null(yr_rd_bytes(&rd, 0)); // once bad, always bad
        free(copy);
    }
}

static void bytes_left_over_are_not_done(void **state)
{
    struct yr_rd rd = yr_rd_init("ab", 2);

    assert_int_equal(yr_rd_u8(&rd), 'a');
    assert_false(yr_rd_done(&rd));
    assert_int_equal(yr_rd_left(&rd), 1);
    yr_rd_skip(&rd, 1);
    assert_true(yr_rd_done(&rd));
}

static void a_writer_without_room_writes_nothing_more(void **state)
{
    uint8_t full[128], buf[128];
    struct yr_wr wr = yr_wr_init(full, sizeof full);
    size_t len;

    write_sample(&wr);
    len = yr_wr_len(&wr);
    for (size_t cap = 0; cap < len; cap++) {
        memset(buf, 0xa5, sizeof buf);
        wr = yr_wr_init(cap > 0 ? buf : NULL, cap);
        write_sample(&wr);
        assert_false(yr_wr_ok(&wr));
        assert_null(yr_wr_room(&wr, 0));
        for (size_t i = cap; i < sizeof buf; i++)
            assert_int_equal(buf[i], 0xa5);
        assert_memory_equal(buf, full, yr_wr_len(&wr));
    }
}

static void an_empty_source_is_done_at_once(void **state)
{
    struct yr_rd rd = yr_rd_init(NULL, 0);

    assert_true(yr_rd_done(&rd));
    assert_int_equal(yr_rd_u64(&rd), 0);
    assert_false(yr_rd_done(&rd));
}

static void a_text_comes_back_as_it_was_written(void **state)
{
    static const char *const texts[] = {"", "x", "\xe0\xa4\xaf\xe0\xa4\xbe\xe0\xa4\xb0"};

    for (size_t i = 0; i < YR_COUNT(texts); i++) {
        const size_t len = strlen(texts[i]);
        char buf[16], out[16];
        struct yr_wr wr = yr_wr_init(buf, 2 + len);
        struct yr_rd rd;

        yr_wr_text16(&wr, texts[i]);
        assert_true(yr_wr_ok(&wr));
        assert_int_equal(yr_wr_len(&wr), 2 + len);
        rd = yr_rd_init(buf, 2 + len);
        memset(out, 'q', sizeof out);
        yr_rd_text16(&rd, out, len + 1); // the NUL just fits
        assert_true(yr_rd_done(&rd));
        assert_string_equal(out, texts[i]);
        assert_true(out[len + 1] == 'q');

        wr = yr_wr_init(buf, 1 + len);
        yr_wr_text16(&wr, texts[i]);
        assert_false(yr_wr_ok(&wr));
    }
}

static void a_text_that_is_cut_or_too_long_or_has_a_nul_in_it_is_refused(void **state)
{
    static const uint8_t bytes[] = {4, 0, 'a', 'b', 'c', 'd'};
    static const uint8_t with_nul[] = {2, 0, 'a', 0};
    char out[8];
    struct yr_rd rd;

    for (size_t cut = 0; cut < sizeof bytes; cut++) {
        rd = yr_rd_init(bytes, cut);
        strcpy(out, "before");
        yr_rd_text16(&rd, out, sizeof out);
        assert_true(rd.bad);
        assert_string_equal(out, "");
    }
    for (size_t cap = 1; cap <= 4; cap++) {
        rd = yr_rd_init(bytes, sizeof bytes);
        memset(out, 'q', sizeof out);
        yr_rd_text16(&rd, out, cap);
        assert_true(rd.bad);
        assert_string_equal(out, "");
        assert_true(out[1] == 'q');
    }
    rd = yr_rd_init(with_nul, sizeof with_nul);
    yr_rd_text16(&rd, out, sizeof out);
    assert_true(rd.bad);
}

static void a_text_of_more_than_its_length_can_say_is_not_written(void **state)
{
    static char text[UINT16_MAX + 2], buf[UINT16_MAX + 16];
    struct yr_wr wr = yr_wr_init(buf, sizeof buf);

    memset(text, 'x', UINT16_MAX + 1);
    yr_wr_text16(&wr, text);
    assert_false(yr_wr_ok(&wr));
    assert_int_equal(yr_wr_len(&wr), 0);
    text[UINT16_MAX] = '\0';
    wr = yr_wr_init(buf, sizeof buf);
    yr_wr_text16(&wr, text);
    assert_true(yr_wr_ok(&wr));
    assert_int_equal(yr_wr_len(&wr), 2 + UINT16_MAX);
}

static void an_address_of_an_unknown_family_is_refused(void **state)
{
    uint8_t bytes[19] = {0};
    struct yr_addr addr;
    bool flag;

    for (unsigned kind = 0; kind < 256; kind++) {
        struct yr_rd rd;
        bytes[0] = (uint8_t)kind;
        rd = yr_rd_init(bytes, (kind & 0x7f) == 4 ? 7 : 19);
        yr_rd_addr(&rd, &addr, &flag);
        assert_int_equal(yr_rd_done(&rd), (kind & 0x7f) == 4 || (kind & 0x7f) == 6);
        if (!yr_rd_done(&rd))
            assert_int_equal(addr.family, 0);
    }
}

/* ---- UTF-8 ---- */

static size_t utf8_put(uint8_t *out, uint32_t c)
{
    if (c < 0x80) {
        out[0] = (uint8_t)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (uint8_t)(0xc0 | c >> 6);
        out[1] = (uint8_t)(0x80 | (c & 63));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (uint8_t)(0xe0 | c >> 12);
        out[1] = (uint8_t)(0x80 | (c >> 6 & 63));
        out[2] = (uint8_t)(0x80 | (c & 63));
        return 3;
    }
    out[0] = (uint8_t)(0xf0 | c >> 18);
    out[1] = (uint8_t)(0x80 | (c >> 12 & 63));
    out[2] = (uint8_t)(0x80 | (c >> 6 & 63));
    out[3] = (uint8_t)(0x80 | (c & 63));
    return 4;
}

static void every_code_point_but_nul_and_surrogates_is_utf8(void **state)
{
    uint8_t buf[4];

    for (uint32_t c = 0; c < 0x120000; c++) {
        const bool want = c != 0 && (c < 0xd800 || c > 0xdfff) && c <= 0x10ffff;
        if (yr_utf8_ok(buf, utf8_put(buf, c)) != want)
            fail_msg("U+%04X", (unsigned)c);
    }
}

static void overlong_and_cut_sequences_are_not_utf8(void **state)
{
    static const char *const bad[] = {"\xc0\xaf",
                                      "\xc1\xbf",
                                      "\xe0\x80\xaf",
                                      "\xe0\x9f\xbf",
                                      "\xf0\x80\x80\xaf",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf8\x88\x80\x80\x80",
                                      "\xff",
                                      "\xfe",
                                      "\x80",
                                      "\xbf",
                                      "a\x80",
                                      "\xc3",
                                      "\xe2\x82",
                                      "\xf0\x9f\x99",
                                      "\xe2\x28\xa1",
                                      "\xf0\x28\x8c\xbc",
                                      "\xf0\x90\x28\xbc"};

    for (size_t i = 0; i < YR_COUNT(bad); i++)
        assert_false(yr_utf8_ok(bad[i], strlen(bad[i])));
    assert_true(yr_utf8_ok(NULL, 0));
    assert_true(yr_utf8_ok("यारी 🙂", strlen("यारी 🙂")));
    assert_false(yr_utf8_ok("a\0b", 3));
}

static void a_bad_byte_is_found_wherever_it_stands(void **state)
{
    static const uint8_t bad[] = {0x00, 0x80, 0xbf, 0xc3, 0xff};
    uint8_t text[40];

    for (size_t len = 1; len <= sizeof text; len++)
        for (size_t at = 0; at < len; at++)
            for (size_t i = 0; i < sizeof bad; i++) {
                for (size_t k = 0; k < len; k++)
                    text[k] = (uint8_t)(k % 0x7f + 1); // \x01 too, next to a NUL
                assert_true(yr_utf8_ok(text, len));
                text[at] = bad[i];
                assert_false(yr_utf8_ok(text, len));
            }
}

/* ---- base32 ---- */

static void base32_gives_crockfords_symbols(void **state)
{
    static const struct {
        const char *bytes, *text;
    } known[] = {{"", ""},
                 {"f", "cr"},
                 {"fo", "csqg"},
                 {"foo", "csqpy"},
                 {"foob", "csqpyrg"},
                 {"fooba", "csqpyrk1"},
                 {"foobar", "csqpyrk1e8"}};
    char text[64];
    uint8_t back[64];
    size_t len;

    for (size_t i = 0; i < YR_COUNT(known); i++) {
        yr_base32_encode(text, known[i].bytes, strlen(known[i].bytes));
        assert_string_equal(text, known[i].text);
        assert_int_equal(strlen(text), YR_BASE32_LEN(strlen(known[i].bytes)));
        len = sizeof back;
        assert_int_equal(yr_base32_decode(back, &len, text, strlen(text)), YR_OK);
        assert_int_equal(len, strlen(known[i].bytes));
        assert_memory_equal(back, known[i].bytes, len);
    }
}

static void base32_round_trips_at_every_length_in_any_case(void **state)
{
    struct seeded rnd;
    uint8_t src[300], back[300];
    char text[YR_BASE32_LEN(300) + 1];

    seeded_init(&rnd, 1);
    for (size_t len = 0; len <= sizeof src; len++) {
        size_t back_len = len;
        yr_random(&rnd.rng, src, len);
        yr_base32_encode(text, src, len);
        for (char *c = text; *c != '\0'; c++) {
            if (seeded_below(&rnd, 2) == 0 && *c >= 'a')
                *c = (char)(*c - 'a' + 'A');
            if (*c == '0' && seeded_below(&rnd, 2) == 0)
                *c = "oO"[seeded_below(&rnd, 2)];
            if (*c == '1')
                *c = "1iIlL"[seeded_below(&rnd, 5)];
        }
        assert_int_equal(yr_base32_decode(back, &back_len, text, strlen(text)), YR_OK);
        assert_int_equal(back_len, len);
        assert_memory_equal(back, src, len);
    }
}

static void base32_refuses_foreign_symbols_lone_ones_and_set_bits_left_over(void **state)
{
    uint8_t out[16], untouched[16];
    size_t len;

    memset(out, 0xa5, sizeof out);
    memset(untouched, 0xa5, sizeof untouched);
    for (unsigned c = 0; c < 256; c++) {
        const char text[2] = {'0', (char)c};
        const bool known = c != 0 && strchr("0123456789abcdefghjkmnpqrstvwxyzABCDEFGHJKMNPQRSTVWXYZ"
                                            "oOiIlL",
                                            (int)c) != NULL;
        len = sizeof out;
        if (!known)
            assert_int_equal(yr_base32_decode(out, &len, text, 2), YR_EPROTO);
    }
    len = sizeof out;
    assert_int_equal(yr_base32_decode(out, &len, "0", 1), YR_EPROTO);
    assert_int_equal(yr_base32_decode(out, &len, "000", 3), YR_EPROTO);
    assert_int_equal(yr_base32_decode(out, &len, "000000", 6), YR_EPROTO);
    assert_int_equal(yr_base32_decode(out, &len, "01", 2), YR_EPROTO);
    assert_int_equal(yr_base32_decode(out, &len, "0003", 4), YR_EPROTO);
    len = 4;
    assert_int_equal(yr_base32_decode(out, &len, "00000000", 8), YR_ESIZE);
    assert_int_equal(len, 4);
    assert_memory_equal(out, untouched, sizeof out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_and_integers_are_little_endian),
        cmocka_unit_test(every_truncation_is_noticed_and_reads_nothing_beyond),
        cmocka_unit_test(bytes_left_over_are_not_done),
        cmocka_unit_test(a_writer_without_room_writes_nothing_more),
        cmocka_unit_test(an_empty_source_is_done_at_once),
        cmocka_unit_test(a_text_comes_back_as_it_was_written),
        cmocka_unit_test(a_text_that_is_cut_or_too_long_or_has_a_nul_in_it_is_refused),
        cmocka_unit_test(a_text_of_more_than_its_length_can_say_is_not_written),
        cmocka_unit_test(an_address_of_an_unknown_family_is_refused),
        cmocka_unit_test(every_code_point_but_nul_and_surrogates_is_utf8),
        cmocka_unit_test(overlong_and_cut_sequences_are_not_utf8),
        cmocka_unit_test(a_bad_byte_is_found_wherever_it_stands),
        cmocka_unit_test(base32_gives_crockfords_symbols),
        cmocka_unit_test(base32_round_trips_at_every_length_in_any_case),
        cmocka_unit_test(base32_refuses_foreign_symbols_lone_ones_and_set_bits_left_over),
    };

    return cmocka_run_group_tests_name("bytes", tests, NULL, NULL);
}
