/* The invite as bytes, link and QR. */
#include "core/contact/invite.h"

#include "tests/support/seeded.h"
#include "tests/support/test.h"

static void sample(struct yr_invite *in, unsigned hints)
{
    struct seeded s;

    memset(in, 0, sizeof *in);
    seeded_init(&s, 7 + hints);
    in->exp_s = 1800000000;
    yr_random(&s.rng, in->secret, sizeof in->secret);
    yr_random(&s.rng, in->id, sizeof in->id);
    yr_random(&s.rng, in->dev, sizeof in->dev);
    in->gen = 1;
    in->hint_count = hints;
    for (unsigned i = 0; i < hints; i++) {
        in->hints[i].family = i % 2 == 0 ? 4 : 6;
        yr_random(&s.rng, in->hints[i].ip, in->hints[i].family == 4 ? 4 : 16);
        in->hints[i].port = (uint16_t)(7000 + i);
    }
}

static void a_link_comes_back_as_it_went(void **state)
{
    for (unsigned hints = 0; hints <= YR_HINTS_MAX; hints++) {
        struct yr_invite in, out;
        char link[YR_LINK_MAX + 1];
        sample(&in, hints);
        yr_invite_encode(link, &in, false);
        assert_true(strlen(link) <= YR_LINK_MAX);
        assert_int_equal(yr_invite_decode(&out, link, strlen(link)), YR_OK);
        assert_memory_equal(&in, &out, sizeof in);
    }
}

static void the_qr_form_is_upper_case_small_and_without_hints(void **state)
{
    struct yr_invite in, out;
    char qr[YR_LINK_MAX + 1];

    sample(&in, 3);
    yr_invite_encode(qr, &in, true);
    assert_int_equal(strlen(qr), 186); // 45 x 23 in half blocks with its quiet zone
    for (const char *c = qr; *c != '\0'; c++)
        assert_false(*c >= 'a' && *c <= 'z');
    assert_int_equal(yr_invite_decode(&out, qr, strlen(qr)), YR_OK);
    assert_int_equal(out.hint_count, 0);
    assert_int_equal(out.flags, YR_INVITE_FLAG_QR);
    assert_memory_equal(in.secret, out.secret, 32);
}

static void case_and_blanks_around_do_not_matter(void **state)
{
    struct yr_invite in, out;
    char link[YR_LINK_MAX + 8];

    sample(&in, 1);
    link[0] = ' ';
    link[1] = '\n';
    yr_invite_encode(link + 2, &in, false);
    for (char *c = link + 2; *c != '\0'; c += 2)
        if (*c >= 'a' && *c <= 'z')
            *c = (char)(*c - 'a' + 'A');
    strcat(link, "\r\n");
    assert_int_equal(yr_invite_decode(&out, link, strlen(link)), YR_OK);
    assert_memory_equal(&in, &out, sizeof in);
}

static void every_truncation_and_every_changed_character_is_refused(void **state)
{
    struct yr_invite in, out, untouched;
    char link[YR_LINK_MAX + 1], bad[YR_LINK_MAX + 1];
    size_t len;

    memset(&untouched, 0xa5, sizeof untouched);
    sample(&in, 3);
    yr_invite_encode(link, &in, false);
    len = strlen(link);
    for (size_t cut = 0; cut < len; cut++) {
        out = untouched;
        assert_int_not_equal(yr_invite_decode(&out, link, cut), YR_OK);
        assert_memory_equal(&out, &untouched, sizeof out);
    }
    for (size_t i = 0; i < len; i++) {
        memcpy(bad, link, len + 1);
        bad[i] = bad[i] == '0' ? '1' : '0';
        if (bad[i] == link[i])
            continue;
        out = untouched;
        assert_int_not_equal(yr_invite_decode(&out, bad, len), YR_OK);
        assert_memory_equal(&out, &untouched, sizeof out);
    }
    assert_int_equal(yr_invite_decode(&out, "https://example.org", 19), YR_EPROTO);
    assert_int_equal(yr_invite_decode(&out, "", 0), YR_EPROTO);
}

static void another_version_is_named_as_such(void **state)
{
    struct yr_invite out;
    uint8_t bytes[111] = {2};
    char link[8 + YR_BASE32_LEN(sizeof bytes) + 1] = "yaari:i/";

    yr_base32_encode(link + 8, bytes, sizeof bytes);
    assert_int_equal(yr_invite_decode(&out, link, strlen(link)), YR_EVERSION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_link_comes_back_as_it_went),
        cmocka_unit_test(the_qr_form_is_upper_case_small_and_without_hints),
        cmocka_unit_test(case_and_blanks_around_do_not_matter),
        cmocka_unit_test(every_truncation_and_every_changed_character_is_refused),
        cmocka_unit_test(another_version_is_named_as_such),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
