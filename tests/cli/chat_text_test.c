/* What a typed line means, and what a message looks like. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/chat_int.h"
#include "cli/common/columns.h"

static void a_line_is_a_text_a_command_or_neither(void **state)
{
    static const struct {
        const char *line;
        enum yr_talk_kind kind;
        const char *name, *text;
    } rows[] = {
        {"hello", YR_TALK_TEXT, "", "hello"},
        {"  hello /me", YR_TALK_TEXT, "", "  hello /me"},
        {"", YR_TALK_EMPTY, "", NULL},
        {" \t\n ", YR_TALK_EMPTY, "", NULL},
        {"/me waves twice", YR_TALK_COMMAND, "me", "waves twice"},
        {"/me   waves", YR_TALK_COMMAND, "me", "waves"},
        {"/me\nwaves\nagain", YR_TALK_COMMAND, "me", "waves\nagain"},
        {"/list", YR_TALK_COMMAND, "list", ""},
        {"/", YR_TALK_COMMAND, "", ""},
        {"//etc/passwd", YR_TALK_TEXT, "", "/etc/passwd"},
        {"//", YR_TALK_TEXT, "", "/"},
        {" /quit", YR_TALK_GUARD, "", NULL},
        {"\n/quit", YR_TALK_GUARD, "", NULL},
        {"/this-name-is-longer-than-any-command-could-be x", YR_TALK_COMMAND,
         "this-name-is-longer-than-any-co", "x"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct yr_talk_line read = yr_talk_read(rows[i].line);

        assert_int_equal(read.kind, rows[i].kind);
        assert_string_equal(read.name, rows[i].name);
        if (rows[i].text != NULL)
            assert_string_equal(read.text, rows[i].text);
    }
}

static void a_substitution_is_only_what_looks_exactly_like_one(void **state)
{
    static const struct {
        const char *line, *text;
        enum yr_talk_subst result;
        const char *out;
    } rows[] = {
        {"s/teh/the/", "teh cat teh", YR_TALK_SUBST_DONE, "the cat teh"},
        {"s/teh/the/g", "teh cat teh", YR_TALK_SUBST_DONE, "the cat the"},
        {"s/ cat//", "the cat", YR_TALK_SUBST_DONE, "the"},
        {"s/a\\/b/c/", "a/b", YR_TALK_SUBST_DONE, "c"},
        {"s/x/\\//", "axb", YR_TALK_SUBST_DONE, "a/b"},
        {"s/./!/", "a.b", YR_TALK_SUBST_DONE, "a!b"},
        {"s/a/aa/g", "aaa", YR_TALK_SUBST_DONE, "aaaaaa"},
        {"s/dog/cat/", "the cat", YR_TALK_SUBST_ABSENT, ""},
        {"s//x/", "text", YR_TALK_SUBST_NONE, ""},
        {"s/a/b", "a", YR_TALK_SUBST_NONE, ""},
        {"s/a/b/c", "a", YR_TALK_SUBST_NONE, ""},
        {"s/a/b/ ", "a", YR_TALK_SUBST_NONE, ""},
        {"so/a/b/", "a", YR_TALK_SUBST_NONE, ""},
        {"s/a\n/b/", "a", YR_TALK_SUBST_NONE, ""},
        {"see s/a/b/", "a", YR_TALK_SUBST_NONE, ""},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct yr_buf out = {0};

        if (yr_talk_substitute(rows[i].line, rows[i].text, &out) != rows[i].result)
            fail_msg("%s", rows[i].line);
        assert_string_equal(yr_buf_str(&out), rows[i].out);
        yr_buf_clear(&out);
    }
}

static void assert_fold(const char *lead, const char *text, size_t columns, size_t indent,
                        const char *want)
{
    struct yr_buf out = {0};

    yr_talk_fold(&out, lead, strlen(lead), text, columns, indent);
    assert_string_equal(yr_buf_str(&out), want);
    yr_buf_clear(&out);
}

static void rows_are_folded_between_words_behind_an_indent(void **state)
{
    assert_fold("bob: ", "one two three four", 14, 4, "bob: one two\n    three four");
    assert_fold("bob: ", "one two three four", 0, 4, "bob: one two three four");
    assert_fold("bob: ", "a\n  b\n\nc", 40, 4, "bob: a\n      b\n    \n    c");
    assert_fold("bob: ", "a\tb", 40, 4, "bob: a    b");
    assert_fold("bob: ", "", 40, 4, "bob: ");
}

static void a_word_wider_than_a_row_is_cut_between_clusters(void **state)
{
    assert_fold("b: ", "0123456789abcdefghij", 12, 2, "b: 012345678\n  9abcdefghi\n  j");
    assert_fold("b: ", "日本語日本語", 8, 2, "b: 日本\n  語日本\n  語");
    assert_fold("b: ", "👨‍👩‍👧👨‍👩‍👧", 8, 2,
                "b: \n  👨‍👩‍👧\n  👨‍👩‍👧");
}

/** Whatever is written, only our own rows start at the first column. */
static void no_text_can_start_a_row_of_its_own(void **state)
{
    const char *text = "x\n15:45 carol: I owe you                                    "
                       "15:46 carol: really";

    for (size_t columns = 8; columns < 90; columns++) {
        struct yr_buf out = {0};

        yr_talk_fold(&out, "15:44 bob: ", 11, text, columns, 6);
        for (const char *row = strchr(out.at, '\n'); row != NULL; row = strchr(row + 1, '\n'))
            assert_int_equal(row[1], ' ');
        for (const char *row = out.at; row != NULL;) {
            const char *end = strchrnul(row, '\n');

            if (row != out.at)
                assert_true(yr_columns(row, (size_t)(end - row)) <= columns);
            row = *end != '\0' ? end + 1 : NULL;
        }
        yr_buf_clear(&out);
    }
}

static void assert_message(json_t *message, const char *speaker, const char *reply, unsigned number,
                           const char *want)
{
    const struct yr_out options = {.utf8 = true, .time = {"short", true}};
    const struct yr_talk_style style = {&options, 40, speaker, "id1", NULL, reply, number};
    struct yr_buf out = {0};

    assert_non_null(message);
    yr_talk_message(&out, message, &style);
    assert_string_equal(yr_buf_str(&out), want);
    yr_buf_clear(&out);
    json_decref(message);
}

static json_t *message(const char *text)
{
    return json_pack("{s:s,s:s,s:s,s:b,s:s}", "kind", "text", "text", text, "time",
                     "2026-11-22T15:44:35.123Z", "own", 0, "state", "delivered");
}

static json_t *with(json_t *record, const char *key, json_t *value)
{
    json_object_set_new(record, key, value);
    return record;
}

static void a_message_is_time_speaker_and_text(void **state)
{
    assert_message(message("did it arrive?"), "bob", NULL, 0, "15:44 bob: did it arrive?");
    assert_message(message("did it arrive?"), "bob", NULL, 7, "15:44 %7 bob: did it arrive?");
    assert_message(with(message("waves"), "kind", json_string("action")), "bob", NULL, 0,
                   "15:44 * bob waves");
    assert_message(with(message("a new device key"), "kind", json_string("system")), "bob", NULL, 0,
                   "15:44 -- a new device key");
    assert_message(message("two\nlines"), "bob", NULL, 0, "15:44 bob: two\n      lines");
}

static void marks_say_what_became_of_it(void **state)
{
    json_t *reactions = json_pack("[{s:s,s:[s,s],s:[s,s]}]", "emoji", "👍", "from", "alice", "dave",
                                  "ids", "id1", "id2");

    assert_message(with(message("x"), "edited", json_string("2026-11-22T15:50:00.000Z")), "bob",
                   NULL, 0, "15:44 bob: x (edited)");
    assert_message(with(message("secret"), "deleted", json_true()), "bob", NULL, 0,
                   "15:44 bob: (deleted)");
    assert_message(with(message("x"), "late", json_true()), "bob", NULL, 0,
                   "15:44 bob: x (arrived late)");
    assert_message(with(message("yes"), "reply_to", json_string("abc")), "bob", "did it?", 0,
                   "15:44 bob: (re: did it?) yes");
    assert_message(with(message("yes"), "reply_to", json_string("abc")), "bob", NULL, 0,
                   "15:44 bob: (re: ...) yes");
    assert_message(with(message("x"), "reactions", reactions), "bob", NULL, 0,
                   "15:44 bob: x  👍 me dave");
    assert_message(with(with(message("x"), "own", json_true()), "state", json_string("failed")),
                   "me", NULL, 0, "15:44 me: x (not delivered)");
    assert_message(with(message("x"), "own", json_true()), "me", NULL, 0, "15:44 me: x");
}

static void what_others_wrote_is_made_safe(void **state)
{
    assert_message(message("\x1b]0;title\x07 \u202Egpj"), "bob", NULL, 0,
                   "15:44 bob: ␛]0;title␇ gpj");
    assert_message(with(message("x"), "reactions",
                        json_pack("[{s:s,s:[s]}]", "emoji", "\x1b[2J", "from", "ca\x1brol")),
                   "bob", NULL, 0, "15:44 bob: x  ␛[2J carol");
}

static void a_snippet_is_one_line_and_says_that_it_is_cut(void **state)
{
    struct yr_buf out = {0};

    yr_talk_snippet(&out, "one\ntwo three four", 9);
    assert_string_equal(out.at, "one two t...");
    yr_buf_cut(&out, 0);
    yr_talk_snippet(&out, "日本語", 5);
    assert_string_equal(out.at, "日本...");
    yr_buf_cut(&out, 0);
    yr_talk_snippet(&out, "short", 9);
    assert_string_equal(out.at, "short");
    yr_buf_clear(&out);
}

static void the_manual_has_every_command(void **state)
{
    char *manual = NULL;
    struct yr_fail why;
    size_t len = 0;

    assert_int_equal(
        yr_read_file(YAARI_SOURCE_DIR "/docs/yaari-chat.7.scd", 1 << 20, &manual, &len, &why),
        YR_EXIT_OK);
    for (size_t i = 0; i < yr_talk_command_count; i++) {
        const struct yr_talk_command *command = &yr_talk_commands[i];
        struct yr_buf text = {0};

        yr_buf_addf(&text, "*/%s*%s%s", command->name, command->operands[0] != '\0' ? " " : "",
                    command->operands);
        if (strstr(manual, text.at) == NULL)
            fail_msg("'%s' is not in yaari-chat(7)", text.at);
        yr_buf_clear(&text);
    }
    free(manual);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_a_text_a_command_or_neither),
        cmocka_unit_test(a_substitution_is_only_what_looks_exactly_like_one),
        cmocka_unit_test(rows_are_folded_between_words_behind_an_indent),
        cmocka_unit_test(a_word_wider_than_a_row_is_cut_between_clusters),
        cmocka_unit_test(no_text_can_start_a_row_of_its_own),
        cmocka_unit_test(a_message_is_time_speaker_and_text),
        cmocka_unit_test(marks_say_what_became_of_it),
        cmocka_unit_test(what_others_wrote_is_made_safe),
        cmocka_unit_test(the_manual_has_every_command),
        cmocka_unit_test(a_snippet_is_one_line_and_says_that_it_is_cut),
    };

    setlocale(LC_ALL, "C.UTF-8");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
