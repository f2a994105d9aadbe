/* What others wrote, made fit to show: one row a rule of the table in text_safe.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "cli/common/text_safe.h"
#include "cli/common/utf8.h"

struct row {
    const char *what, *in, *out;
};

static const struct row bodies[] = {
    {"ASCII stays", "hello, world", "hello, world"},
    {"line ends and tabs stay", "a\n\tb", "a\n\tb"},
    {"Devanagari stays", "यारी", "यारी"},
    {"an escape becomes visible", "\x1b[31mred", "\xE2\x90\x9B[31mred"},
    {"an OSC keeps its payload", "\x1b]0;title\x07", "\xE2\x90\x9B]0;title\xE2\x90\x87"},
    {"a carriage return becomes visible", "a\rb",
     "a\xE2\x90\x8D"
     "b"},
    {"a bell becomes visible", "\x07", "\xE2\x90\x87"},
    {"a backspace becomes visible", "a\bb",
     "a\xE2\x90\x88"
     "b"},
    {"DEL becomes visible", "\x7F", "\xE2\x90\xA1"},
    {"C1 CSI is replaced",
     "\xC2\x9B"
     "31m",
     "\xEF\xBF\xBD"
     "31m"},
    {"C1 NEL is replaced", "\xC2\x85", "\xEF\xBF\xBD"},
    {"a stray continuation byte is replaced", "a\x80z", "a\xEF\xBF\xBDz"},
    {"a cut sequence is replaced once", "a\xE2\x82", "a\xEF\xBF\xBD"},
    {"an overlong slash is replaced", "\xC0\xAF", "\xEF\xBF\xBD\xEF\xBF\xBD"},
    {"a surrogate is replaced", "\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
    {"above U+10FFFF is replaced", "\xF4\x90\x80\x80",
     "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
    {"noncharacter U+FFFE is replaced", "\xEF\xBF\xBE", "\xEF\xBF\xBD"},
    {"noncharacter U+FDD0 is replaced", "\xEF\xB7\x90", "\xEF\xBF\xBD"},
    {"noncharacter U+1FFFF is replaced", "\xF0\x9F\xBF\xBF", "\xEF\xBF\xBD"},
    {"line and paragraph separators are line ends",
     "a\xE2\x80\xA8"
     "b\xE2\x80\xA9"
     "c",
     "a\nb\nc"},
    {"RLO is removed",
     "abc\xE2\x80\xAE"
     "fed",
     "abcfed"},
    {"embeddings and their end are removed", "\xE2\x80\xAA\xE2\x80\xAB\xE2\x80\xAC\xE2\x80\xADx",
     "x"},
    {"an isolate stays", "\xE2\x81\xA6x\xE2\x81\xA9", "\xE2\x81\xA6x\xE2\x81\xA9"},
    {"an open isolate is closed at the end", "a\xE2\x81\xA7x", "a\xE2\x81\xA7x\xE2\x81\xA9"},
    {"an open isolate is closed at the line's end", "\xE2\x81\xA8x\ny",
     "\xE2\x81\xA8x\xE2\x81\xA9\ny"},
    {"a close without an isolate is removed", "a\xE2\x81\xA9z", "az"},
    {"LRM, RLM and ALM stay", "\xE2\x80\x8E\xE2\x80\x8F\xD8\x9C",
     "\xE2\x80\x8E\xE2\x80\x8F\xD8\x9C"},
    {"a zero width space is removed",
     "a\xE2\x80\x8B"
     "b",
     "ab"},
    {"a word joiner is removed",
     "a\xE2\x81\xA0"
     "b",
     "ab"},
    {"a byte order mark is removed", "\xEF\xBB\xBFx", "x"},
    {"a soft hyphen is removed",
     "a\xC2\xAD"
     "b",
     "ab"},
    {"U+034F is removed",
     "a\xCD\x8F"
     "b",
     "ab"},
    {"U+180E is removed",
     "a\xE1\xA0\x8E"
     "b",
     "ab"},
    {"Hangul fillers are removed", "\xE1\x85\x9F\xE1\x85\xA0\xE3\x85\xA4x", "x"},
    {"ZWJ stays in an emoji", "👨‍👩‍👧", "👨‍👩‍👧"},
    {"ZWNJ stays in Persian", "می‌خواهم", "می‌خواهم"},
    {"8 marks stay", "a\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301",
     "a\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301"},
    {"the 9th mark is removed", "a\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301z",
     "a\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301z"},
    {"a ZWJ does not start the count again",
     "a\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u200D\u0301z",
     "a\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301z"},
    {"the flag of Scotland stays",
     "🏴\U000E0067\U000E0062\U000E0073\U000E0063\U000E0074\U000E007F",
     "🏴\U000E0067\U000E0062\U000E0073\U000E0063\U000E0074\U000E007F"},
    {"tags without a flag are removed", "a\U000E0067\U000E007Fz", "az"},
    {"tags without an end are removed", "🏴\U000E0067\U000E0062z", "🏴z"},
    {"a text inside of tags is removed", "🏴\U000E0067z\U000E007F", "🏴z"},
    {"private use stays", "\xEE\x80\x80", "\xEE\x80\x80"},
    {"empty stays empty", "", ""},
};

static const struct row names[] = {
    {"a plain name stays", "bob", "bob"},
    {"an accent is composed", "Rene\u0301", "Ren\u00E9"},
    {"a control is removed", "b\x1b[1mob", "b[1mob"},
    {"DEL and C1 are removed", "b\x7F\xC2\x9Bob", "bob"},
    {"white space is one space", "  bob \t\n\u00A0\u3000smith ", "bob smith"},
    {"separators are spaces", "a\u2028b", "a b"},
    {"isolates and overrides are removed", "\u2067bob\u2069\u202E", "bob"},
    {"LRM, RLM and ALM are removed",
     "\u200E\u200F\u061C"
     "bob",
     "bob"},
    {"invisible characters are removed", "b\u200B\u2060\uFEFF\u00ADob\u3164", "bob"},
    {"ZWNJ between letters stays", "می‌خواهم", "می‌خواهم"},
    {"ZWJ after a virama stays", "क्‍ष", "क्‍ष"},
    {"ZWJ at an end is removed",
     "\u200D"
     "bob\u200D",
     "bob"},
    {"ZWJ between emoji is removed", "👨‍👩", "👨👩"},
    {"the 4th mark is removed", "q\u0301\u0302\u0303\u0304z", "q\u0301\u0302\u0303z"},
    {"a mark with nothing to stand on is removed",
     "\u0301 \u0302"
     "bob",
     "bob"},
    {"tags are removed", "🏴\U000E0067\U000E0062\U000E007F", "🏴"},
    {"invalid bytes are replaced", "b\xFFob", "b\uFFFDob"},
    {"a name of nothing is empty", "\u200B \x01", ""},
    {"64 bytes stay", "0123456789012345678901234567890123456789012345678901234567890123",
     "0123456789012345678901234567890123456789012345678901234567890123"},
    {"the 65th byte is removed",
     "0123456789012345678901234567890123456789012345678901234567890123x",
     "0123456789012345678901234567890123456789012345678901234567890123"},
    {"a cut is between clusters",
     "012345678901234567890123456789012345678901234567890123456789012"
     "\u00E9",
     "012345678901234567890123456789012345678901234567890123456789012"},
};

typedef void safe_fn(struct yr_buf *out, const char *text, size_t len);

static void each_row(const struct row *rows, size_t count, safe_fn *safe)
{
    for (size_t i = 0; i < count; i++) {
        struct yr_buf out = {0};

        safe(&out, rows[i].in, strlen(rows[i].in));
        if (strcmp(yr_buf_str(&out), rows[i].out) != 0)
            fail_msg("%s: got '%s', want '%s'", rows[i].what, yr_buf_str(&out), rows[i].out);
        yr_buf_clear(&out);
    }
}

static void bodies_follow_the_table(void **state)
{
    each_row(bodies, sizeof bodies / sizeof bodies[0], yr_safe_body);
}

static void names_follow_the_table(void **state)
{
    each_row(names, sizeof names / sizeof names[0], yr_safe_name);
}

static void a_nul_inside_of_a_body_becomes_visible(void **state)
{
    struct yr_buf out = {0};

    yr_safe_body(&out, "a\0b", 3);
    assert_string_equal(yr_buf_str(&out), "a\xE2\x90\x80"
                                          "b");
    yr_buf_clear(&out);
}

static void one_line_has_no_line_end_and_no_tab(void **state)
{
    struct yr_buf out = {0};

    yr_safe_line(&out, "a\nb\tc\u2029d", 9);
    assert_string_equal(yr_buf_str(&out), "a b c d");
    yr_buf_clear(&out);
}

static void check_promises(safe_fn *safe, const char *text, size_t len, bool body)
{
    struct yr_buf once = {0}, twice = {0};
    size_t used;

    safe(&once, text, len);
    assert_true(once.len <= 3 * len);
    for (size_t i = 0; i < once.len; i += used) {
        const uint32_t cp = yr_utf8_next(once.at + i, once.len - i, &used);

        assert_true(cp != YR_UTF8_BAD);
        assert_true(cp >= 0x20 || (body && (cp == '\n' || cp == '\t')));
        assert_false(cp >= 0x7F && cp <= 0x9F);
        assert_false(cp >= 0x202A && cp <= 0x202E);
    }
    safe(&twice, yr_buf_str(&once), once.len);
    assert_string_equal(yr_buf_str(&twice), yr_buf_str(&once));
    yr_buf_clear(&once);
    yr_buf_clear(&twice);
}

/** Mixtures of what the rules are about, from a small generator. */
static void any_mixture_is_safe_and_safe_again_is_the_same(void **state)
{
    static const char *const parts[] = {
        "a",        "z ",         "\n",         "\t",     "\r",     "\x1b[",  "\x7F",
        "\xC2\x9B", "\xFF",       "\xE2\x82",   "\u0301", "\u0344", "\u0958", "\u200D",
        "\u200C",   "\u2066",     "\u2068",     "\u2069", "\u202E", "\u2028", "\u200B",
        "🏴",     "\U000E0067", "\U000E007F", "👨",      "\u0915", "\u094D", "\u1100",
        "\u1161",   "\u11A8",     "\uFFFE",     "\u00E9", "\u200E", "\u3164", "\uFB2C"};
    uint32_t seed = 1;

    for (unsigned round = 0; round < 20000; round++) {
        struct yr_buf text = {0};

        for (unsigned i = 0; i < 14; i++) {
            seed = seed * 1664525u + 1013904223u;
            yr_buf_adds(&text, parts[(seed >> 16) % (sizeof parts / sizeof parts[0])]);
        }
        check_promises(yr_safe_body, text.at, text.len, true);
        check_promises(yr_safe_line, text.at, text.len, false);
        check_promises(yr_safe_name, text.at, text.len, false);
        yr_buf_clear(&text);
    }
}

static void a_name_is_never_over_64_bytes(void **state)
{
    struct yr_buf text = {0}, out = {0};

    for (unsigned i = 0; i < 5000; i++)
        yr_buf_adds(&text, "क्");
    yr_safe_name(&out, text.at, text.len);
    assert_true(out.len <= YR_SAFE_NAME_MAX && out.len > 50);
    yr_buf_clear(&text);
    yr_buf_clear(&out);
}

static void a_deep_nest_of_isolates_is_held_at_16(void **state)
{
    struct yr_buf text = {0}, out = {0};

    for (unsigned i = 0; i < 100; i++)
        yr_buf_adds(&text, "\u2066");
    for (unsigned i = 0; i < 100; i++)
        yr_buf_adds(&text, "\u2069");
    yr_safe_body(&out, text.at, text.len);
    assert_int_equal(out.len, 2 * 16 * 3);
    yr_buf_clear(&text);
    yr_buf_clear(&out);
}

static void assert_same_skeleton(const char *a, const char *b, bool same)
{
    struct yr_buf one = {0}, two = {0};

    yr_name_skeleton(&one, a, strlen(a));
    yr_name_skeleton(&two, b, strlen(b));
    if ((strcmp(yr_buf_str(&one), yr_buf_str(&two)) == 0) != same)
        fail_msg("'%s' (%s) and '%s' (%s)", a, yr_buf_str(&one), b, yr_buf_str(&two));
    yr_buf_clear(&one);
    yr_buf_clear(&two);
}

static void look_alike_names_have_one_skeleton(void **state)
{
    assert_same_skeleton("bob", "BOB", true);
    assert_same_skeleton("bob", "b0b", true);
    assert_same_skeleton("paul", "pau1", true);
    assert_same_skeleton("paul", "pauI", true);
    assert_same_skeleton("carol", "\u0441\u0430rol", true); // Cyrillic es, a
    assert_same_skeleton("alice", "\u03B1lice", true);      // Greek alpha
    assert_same_skeleton("mark", "rnark", true);
    assert_same_skeleton("wim", "vvim", true);
    assert_same_skeleton("rene", "ren\u00E9", true);
    assert_same_skeleton("bob", "b\u200Bob", true);
    assert_same_skeleton("bob", "ｂｏｂ", true); // full width
    assert_same_skeleton("bob", "bob2", false);
    assert_same_skeleton("alice", "carol", false);
    assert_same_skeleton("यारी", "यार", false); // a vowel sign is no accent
}

static void a_terminal_without_utf8_gets_question_marks(void **state)
{
    struct yr_buf out = {0};
    const char *text = "h\u00E9llo 👨‍👩‍👧 e\u0301";

    yr_safe_ascii(&out, text, strlen(text));
    assert_string_equal(yr_buf_str(&out), "h?llo ? ?");
    yr_buf_clear(&out);
}

static void a_name_is_one_word_of_a_command(void **state)
{
    static const char *const words[][2] = {{"bob", "bob"},
                                           {"bob~2", "bob~2"},
                                           {"\u00e9ve", "\u00e9ve"},
                                           {"ali ce", "'ali ce'"},
                                           {"~root", "'~root'"},
                                           {"-rf", "@-rf"},
                                           {"a;b", "'a;b'"},
                                           {"o'neil", "'o'\\''neil'"},
                                           {"$HOME", "'$HOME'"},
                                           {"-x y", "@'-x y'"},
                                           {"", "''"},
                                           {"#1", "'#1'"}};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        struct yr_buf out = {0};

        yr_shell_word(&out, words[i][0]);
        assert_string_equal(yr_buf_str(&out), words[i][1]);
        yr_buf_clear(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_is_one_word_of_a_command),
        cmocka_unit_test(bodies_follow_the_table),
        cmocka_unit_test(names_follow_the_table),
        cmocka_unit_test(a_nul_inside_of_a_body_becomes_visible),
        cmocka_unit_test(one_line_has_no_line_end_and_no_tab),
        cmocka_unit_test(any_mixture_is_safe_and_safe_again_is_the_same),
        cmocka_unit_test(a_name_is_never_over_64_bytes),
        cmocka_unit_test(a_deep_nest_of_isolates_is_held_at_16),
        cmocka_unit_test(look_alike_names_have_one_skeleton),
        cmocka_unit_test(a_terminal_without_utf8_gets_question_marks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
