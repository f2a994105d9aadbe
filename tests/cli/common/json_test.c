#undef _FORTIFY_SOURCE // whose headers make explicit_bzero, defined below, an inline function
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "cli/common/json.h"

static void assert_dump(json_t *json, const char *want)
{
    struct yr_buf line = {0};

    assert_non_null(json);
    yr_json_dump(&line, json);
    assert_string_equal(yr_buf_str(&line), want);
    yr_buf_clear(&line);
    json_decref(json);
}

static void members_keep_their_order_on_one_compact_line(void **state)
{
    assert_dump(json_pack("{s:s,s:b,s:I,s:f,s:[]}", "type", "x", "b", 1, "a",
                          (json_int_t)9007199254740993, "ms", 1.2, "list"),
                "{\"type\":\"x\",\"b\":true,\"a\":9007199254740993,\"ms\":1.2,\"list\":[]}");
}

static void text_is_literal_utf8_but_for_what_a_terminal_obeys(void **state)
{
    assert_dump(json_string("यारी é 👍"), "\"यारी é 👍\"");
    assert_dump(json_string("a\x1b[31m\n\t\"\\\x7F"), "\"a\\u001B[31m\\n\\t\\\"\\\\\\u007F\"");
    assert_dump(json_string("\xC2\x80\xC2\x9F\xC2\xA0"), "\"\\u0080\\u009F\xC2\xA0\"");
    assert_dump(json_string("\u202A\u202E\u2066\u2069\u200E\u200F\u061C"),
                "\"\\u202A\\u202E\\u2066\\u2069\\u200E\\u200F\\u061C\"");
    assert_dump(json_string("\u2027\u2028\u2029\u202F"), "\"\u2027\\u2028\\u2029\u202F\"");
    assert_dump(json_pack("{s:i}", "k\u202E", 1), "{\"k\\u202E\":1}");
}

static void every_code_point_comes_back_as_it_was(void **state)
{
    for (uint32_t cp = 1; cp < 0x3000; cp++) {
        struct yr_buf text = {0}, line = {0};
        json_t *json, *back;

        yr_buf_addu(&text, cp);
        json = json_string(text.at);
        assert_non_null(json);
        yr_json_dump(&line, json);
        back = yr_json_read(line.at, line.len, NULL, 0);
        assert_true(json_equal(json, back));
        for (size_t i = 0; i < line.len; i++)
            assert_true((unsigned char)line.at[i] >= 0x20 && line.at[i] != 0x7F);
        json_decref(json);
        json_decref(back);
        yr_buf_clear(&text);
        yr_buf_clear(&line);
    }
}

static void reading_is_strict_and_says_where(void **state)
{
    char why[100];
    json_t *json;

    assert_null(yr_json_read("{\"a\":1,\"a\":2}", 13, why, sizeof why));
    assert_null(yr_json_read("{} x", 4, why, sizeof why));
    assert_null(yr_json_read("\"\xFF\"", 3, why, sizeof why));
    assert_null(yr_json_read("\"\\ud800\"", 8, why, sizeof why));
    assert_null(yr_json_read("", 0, why, sizeof why));
    assert_null(yr_json_read("{", 1, why, sizeof why));
    assert_non_null(strstr(why, "not JSON at byte 1"));
    json = yr_json_read(" 3 ", 3, why, sizeof why);
    assert_int_equal(json_integer_value(json), 3);
    json_decref(json);
}

static void members_fall_back_when_absent_or_of_another_type(void **state)
{
    json_t *json = json_pack("{s:s,s:i,s:b}", "s", "x", "i", 7, "b", 1);

    assert_string_equal(yr_json_str(json, "s", "no"), "x");
    assert_string_equal(yr_json_str(json, "i", "no"), "no");
    assert_null(yr_json_str(json, "none", NULL));
    assert_int_equal(yr_json_int(json, "i", 1), 7);
    assert_int_equal(yr_json_int(json, "s", 1), 1);
    assert_true(yr_json_bool(json, "b", false));
    assert_true(yr_json_bool(json, "none", true));
    json_decref(json);
}

static void bad_utf8_becomes_a_replacement_and_null_no_member(void **state)
{
    json_t *json = json_object();

    yr_json_put_str(json, "a", "x\xFFy");
    yr_json_put_str(json, "b", NULL);
    yr_json_put_str(json, "c", "ok");
    yr_json_put_time(json, "t", INT64_C(1795362395123));
    assert_dump(json, "{\"a\":\"x\uFFFDy\",\"c\":\"ok\",\"t\":\"2026-11-22T15:46:35.123Z\"}");
}

// Stands before the C library's, so that a test sees what is wiped.
static bool saw_secret;
void explicit_bzero(void *ptr, size_t len)
{
    const void *volatile before = ptr; // gcc takes it for one that only writes

    saw_secret = saw_secret || memmem((const void *)before, len, "open sesame", 11) != NULL;
    memset(ptr, 0, len);
}

static void what_a_value_occupied_is_wiped_before_it_is_given_back(void **state)
{
    static const char line[] = "{\"passphrase\":\"open sesame\"}";
    struct yr_buf out = {0};
    json_malloc_t make;
    json_free_t unmake;
    json_t *json;

    json_get_alloc_funcs(&make, &unmake);
    json = yr_json_read(line, sizeof line - 1, NULL, 0);
    json_decref(json);
    assert_false(saw_secret);
    yr_json_wipe_freed();
    json = yr_json_read(line, sizeof line - 1, NULL, 0);
    saw_secret = false; // the reader's own copies; now the value's
    json_decref(json);
    assert_true(saw_secret);
    json = json_string("open sesame");
    saw_secret = false;
    yr_json_dump(&out, json); // its text is wiped as well
    assert_true(saw_secret);
    json_decref(json);
    yr_buf_clear(&out);
    json_set_alloc_funcs(make, unmake);
}

static void a_tsv_field_has_no_tab_and_no_line_end(void **state)
{
    struct yr_buf out = {0};

    yr_tsv_add(&out, "a\tb\nc\\d");
    assert_string_equal(yr_buf_str(&out), "a\\tb\\nc\\\\d");
    yr_buf_clear(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_keep_their_order_on_one_compact_line),
        cmocka_unit_test(text_is_literal_utf8_but_for_what_a_terminal_obeys),
        cmocka_unit_test(every_code_point_comes_back_as_it_was),
        cmocka_unit_test(reading_is_strict_and_says_where),
        cmocka_unit_test(members_fall_back_when_absent_or_of_another_type),
        cmocka_unit_test(bad_utf8_becomes_a_replacement_and_null_no_member),
        cmocka_unit_test(what_a_value_occupied_is_wiped_before_it_is_given_back),
        cmocka_unit_test(a_tsv_field_has_no_tab_and_no_line_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
