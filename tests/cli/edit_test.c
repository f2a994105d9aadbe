/* The line editor as a function: keys in, what a person sees on a small terminal out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/common/columns.h"
#include "cli/common/utf8.h"
#include "cli/edit.h"
#include "tests/support/screen.h"

#define UP    "\x1b[A"
#define DOWN  "\x1b[B"
#define RIGHT "\x1b[C"
#define LEFT  "\x1b[D"

static struct yr_edit *edit;
static struct yr_screen *screen;
static struct yr_edit_history history;
static struct yr_buf out;
static char *lines[16]; /* that Enter gave */
static size_t line_count;
static enum yr_edit_event last; /* event that was none of those */

static void flush(void)
{
    yr_screen_write(screen, yr_buf_str(&out), out.len);
    yr_buf_cut(&out, 0);
    if (yr_screen_fault(screen) != NULL)
        fail_msg("%s", yr_screen_fault(screen));
}

static void collect(void)
{
    enum yr_edit_event event;

    while ((event = yr_edit_next(edit, &out)) != YR_EDIT_MORE) {
        if (event == YR_EDIT_LINE && line_count < 16)
            lines[line_count++] = yr_strdup(yr_edit_line(edit));
        else
            last = event;
    }
    flush();
}

static void press(const char *keys)
{
    yr_edit_feed(edit, keys, strlen(keys));
    collect();
}

static void wait_a_moment(void)
{
    yr_edit_idle(edit);
    collect();
}

static void print(const char *text)
{
    yr_edit_print(edit, text, &out);
    flush();
}

/** Offers the friends whose names start with the word before the cursor. */
static void complete(void *ctx, const char *text, size_t cursor, struct yr_edit_words *words)
{
    static const char *const names[] = {"bob ", "boris ", "carol "};

    while (words->start > 0 && text[words->start - 1] != ' ')
        words->start--;
    for (size_t i = 0; i < 3; i++)
        if (strncmp(names[i], text + words->start, cursor - words->start) == 0)
            yr_edit_words_add(words, names[i]);
}

static void open_with(size_t columns, bool plain, bool utf8)
{
    const struct yr_edit_opts opts = {plain, utf8, columns, complete, NULL};

    screen = yr_screen_new(10, columns);
    edit = yr_edit_new(&opts);
    yr_edit_use_history(edit, &history);
    yr_edit_prompt(edit, "bob> ", &out);
    yr_edit_show(edit, &out);
    flush();
    last = YR_EDIT_MORE;
}

static void close_all(void)
{
    yr_edit_free(edit);
    yr_screen_free(screen);
    yr_edit_history_clear(&history);
    for (size_t i = 0; i < line_count; i++)
        free(lines[i]);
    line_count = 0;
    edit = NULL;
    screen = NULL;
}

static int set_up(void **state)
{
    open_with(40, false, true);
    return 0;
}

static int tear_down(void **state)
{
    close_all();
    yr_buf_clear(&out);
    return 0;
}

static void reopen(size_t columns, bool plain, bool utf8)
{
    close_all();
    open_with(columns, plain, utf8);
}

/** The text being edited, with '|' where the cursor is. */
static void assert_text(const char *want)
{
    struct yr_buf got = {0};

    yr_buf_adds(&got, yr_edit_text(edit));
    yr_buf_splice(&got, yr_edit_cursor(edit), 0, "|", 1);
    assert_string_equal(got.at, want);
    yr_buf_clear(&got);
}

static void assert_row(size_t row, const char *want, size_t column)
{
    assert_string_equal(yr_screen_row(screen, row), want);
    assert_int_equal(yr_screen_cursor_row(screen), row);
    assert_int_equal(yr_screen_cursor_column(screen), column);
}

/* ---- typing ---- */

static void typed_text_stands_behind_the_prompt(void **state)
{
    assert_row(0, "bob>", 5);
    press("hello");
    assert_row(0, "bob> hello", 10);
    assert_text("hello|");
}

static void typing_at_the_end_writes_only_what_is_typed(void **state)
{
    press("hell");
    yr_edit_feed(edit, "o", 1);
    assert_int_equal(yr_edit_next(edit, &out), YR_EDIT_MORE);
    assert_string_equal(yr_buf_str(&out), "o");
    flush();
    assert_row(0, "bob> hello", 10);
}

static void enter_gives_the_line_and_empties_the_row(void **state)
{
    press("hello\r");
    assert_int_equal(line_count, 1);
    assert_string_equal(lines[0], "hello");
    assert_row(0, "bob>", 5);
    press("one\rtwo\r");
    assert_int_equal(line_count, 3);
    assert_string_equal(lines[2], "two");
}

static void keys_of_one_sequence_may_come_byte_by_byte(void **state)
{
    const char *keys = "ab" LEFT "é" RIGHT "c";

    for (; *keys != '\0'; keys++) {
        const char key[2] = {*keys, '\0'};

        press(key);
    }
    assert_text("aébc|");
    assert_row(0, "bob> aébc", 9);
}

static void the_emacs_keys_move(void **state)
{
    press("one two three\x01");
    assert_text("|one two three");
    assert_row(0, "bob> one two three", 5);
    press("\x06");
    assert_text("o|ne two three");
    press("\x1b"
          "f");
    assert_text("one| two three");
    press("\x1b[1;5C");
    assert_text("one two| three");
    press("\x05");
    assert_text("one two three|");
    press("\x02\x02\x1b"
          "b");
    assert_text("one two |three");
    press("\x1b[1;5D");
    assert_text("one |two three");
    press("\x1b[H" RIGHT RIGHT LEFT);
    assert_text("o|ne two three");
    press("\x1bOF");
    assert_text("one two three|");
    press("\x1b[1~");
    assert_text("|one two three");
    press("\x1b[4~");
    assert_text("one two three|");
    assert_row(0, "bob> one two three", 18);
}

static void the_emacs_keys_delete_and_bring_back(void **state)
{
    press("one two-three four");
    press("\x17");
    assert_text("one two-three |");
    press("\x17");
    assert_text("one |");
    press("\x19");
    assert_text("one two-three four|"); // both pieces, joined
    press("\x1b\x7f");
    assert_text("one two-three |");
    press("\x1b\x7f");
    assert_text("one two-|");
    press("\x01\x1b"
          "d");
    assert_text("| two-");
    press("\x04");
    assert_text("|two-");
    press("\x1b[3~");
    assert_text("|wo-");
    press("\x05\x7f\x08");
    assert_text("w|");
    press(" and more\x01\x06\x0b");
    assert_text("w|");
    press("\x19\x15");
    assert_text("|");
    press("\x19");
    assert_text("w and more|");
    press("\x14");
    assert_text("w and moer|");
    press("\x02\x14");
    assert_text("w and more|");
}

static void one_key_moves_over_and_deletes_a_whole_cluster(void **state)
{
    press("a👨‍👩‍👧e\u0301यारी");
    press(LEFT LEFT);
    assert_text("a👨‍👩‍👧e\u0301|यारी");
    press("\x7f");
    assert_text("a👨‍👩‍👧|यारी");
    press("\x7f");
    assert_text("a|यारी");
    press("\x04");
    assert_text("a|री");
}

static void the_cursor_never_stands_inside_of_a_cluster(void **state)
{
    press("👨👩" LEFT);
    press("\u200D"); // joins the two
    assert_text("👨‍👩|");
    press("\x7f");
    assert_text("|");
}

static void characters_that_would_harm_cannot_be_typed(void **state)
{
    press("a\xC2\x9B\u202E\u2028\uFFFE\xFF"
          "b");
    wait_a_moment();
    assert_text("ab|");
}

static void unknown_sequences_are_nothing(void **state)
{
    press("a\x1b[200;1u\x1b[24~\x1bOP\x1b[[A\x1b[<0;1;1M\x1b[I"
          "b\x1bz");
    assert_text("ab|");
    press("\x1b[");
    wait_a_moment();
    press("c");
    assert_text("abc|");
}

/* ---- long lines, the width of the terminal ---- */

static void a_long_line_scrolls_in_its_row(void **state)
{
    reopen(20, false, true);
    press("abcdefghijklmnopqrstuvwxyz");
    assert_int_equal(yr_screen_cursor_row(screen), 0);
    assert_int_equal(strncmp(yr_screen_row(screen, 0), "bob> <", 6), 0);
    assert_non_null(strstr(yr_screen_row(screen, 0), "xyz"));
    press("\x01");
    assert_row(0, "bob> abcdefghijklm>", 5);
    press("\x05");
    assert_non_null(strstr(yr_screen_row(screen, 0), "xyz"));
    press("\x15");
    assert_row(0, "bob>", 5);
}

/** The cell under the cursor is the cluster behind it, at every place of a long mixed text. */
static void the_cursor_is_shown_where_it_is(void **state)
{
    const char *text =
        "The quick 日本語 fox e\u0301\u0301 jumps 👨‍👩 over यारी the lazy dog";

    for (size_t columns = 4; columns < 60; columns += 3) {
        reopen(columns, false, true);
        press(text);
        for (size_t i = 0; i < 140; i++) {
            const char *row = yr_screen_row(screen, 0), *rest;
            const size_t column = yr_screen_cursor_column(screen), at = yr_edit_cursor(edit);
            size_t cut, end;

            assert_true(column < columns);
            assert_int_equal(yr_screen_cursor_row(screen), 0);
            if (at < strlen(text)) {
                end = yr_cluster_end(text, strlen(text), at);
                cut = yr_columns_cut(row, strlen(row), column);
                rest = row + cut;
                // too wide for the window, it is a mark
                if (yr_columns(text + at, end - at) <= (columns > 10 ? 2 : 1) && text[at] != ' ' &&
                    strncmp(rest, text + at, end - at) != 0)
                    fail_msg("%zu columns, byte %zu: '%s' at %zu", columns, at, row, column);
            }
            press(i < 70 ? LEFT : RIGHT);
        }
    }
}

static void a_resize_draws_the_row_anew(void **state)
{
    press("a text of some length");
    print("something above");
    for (size_t columns = 39; columns > 8; columns--) {
        yr_screen_resize(screen, columns);
        yr_edit_resize(edit, columns, &out);
        flush();
        assert_int_equal(yr_screen_cursor_row(screen), 1);
    }
    yr_screen_resize(screen, 60);
    yr_edit_resize(edit, 60, &out);
    flush();
    assert_row(1, "bob> a text of some length", 26);
}

static void a_terminal_without_utf8_gets_ascii(void **state)
{
    reopen(40, false, false);
    press("h\u00E9llo 👨‍👩‍👧\x1b\rx");
    assert_row(0, "bob> h?llo ?^Jx", 15);
    print("caf\u00E9");
    assert_string_equal(yr_screen_row(screen, 0), "caf?");
}

/* ---- lines printed above ---- */

static void what_arrives_is_printed_above_and_tears_nothing(void **state)
{
    press("hello wor");
    print("15:44 bob: did it arrive?\n15:45 bob: hm");
    press("ld" LEFT LEFT);
    print("15:46 bob: a line that is longer than the terminal is wide, so it has two rows");
    assert_string_equal(yr_screen_text(screen),
                        "15:44 bob: did it arrive?\n"
                        "15:45 bob: hm\n"
                        "15:46 bob: a line that is longer than the terminal is wide, so it has "
                        "two rows\n"
                        "bob> hello world\n");
    assert_row(4, "bob> hello world", 14);
}

static void many_lines_scroll_and_none_is_lost(void **state)
{
    struct yr_buf want = {0};

    press("typing");
    for (unsigned i = 0; i < 100; i++) {
        struct yr_buf line = {0};

        yr_buf_addf(&line, "bob: line %u 日本", i);
        print(line.at);
        yr_buf_addf(&want, "%s\n", line.at);
        yr_buf_clear(&line);
        press(i % 3 == 0 ? "x" : i % 3 == 1 ? LEFT : "\x7f");
    }
    yr_buf_addf(&want, "bob> %s\n", yr_edit_text(edit));
    assert_string_equal(yr_screen_text(screen), want.at);
    yr_buf_clear(&want);
}

static void hidden_it_leaves_an_empty_row(void **state)
{
    press("draft");
    yr_edit_hide(edit, &out);
    yr_edit_print(edit, "above", &out);
    flush();
    assert_row(1, "", 0);
    assert_string_equal(yr_screen_row(screen, 0), "above");
    yr_edit_show(edit, &out);
    flush();
    assert_row(1, "bob> draft", 10);
}

static void the_prompt_may_change_under_a_draft(void **state)
{
    press("draft");
    yr_edit_prompt(edit, "carol> ", &out);
    flush();
    assert_row(0, "carol> draft", 12);
}

static void ctrl_l_clears_the_screen(void **state)
{
    print("one\ntwo");
    press("draft\x0c");
    assert_row(0, "bob> draft", 10);
    assert_string_equal(yr_screen_row(screen, 1), "");
}

/* ---- leaving ---- */

static void ctrl_d_leaves_only_on_an_empty_line(void **state)
{
    press("ab\x01\x04");
    assert_text("|b");
    assert_int_equal(last, YR_EDIT_MORE);
    press("\x04\x04");
    assert_int_equal(last, YR_EDIT_LEAVE);
}

static void ctrl_c_clears_and_twice_on_an_empty_line_leaves(void **state)
{
    press("draft\x03");
    assert_text("|");
    assert_int_equal(last, YR_EDIT_MORE);
    press("\x03");
    assert_int_equal(last, YR_EDIT_MORE);
    assert_string_equal(yr_screen_row(screen, 0), "Ctrl-C again leaves");
    press("x\x7f\x03");
    assert_int_equal(last, YR_EDIT_MORE);
    press("\x03");
    assert_int_equal(last, YR_EDIT_LEAVE);
}

static void ctrl_z_page_up_and_alt_a_are_told(void **state)
{
    press("\x1a");
    assert_int_equal(last, YR_EDIT_SUSPEND);
    press("\x1b[5~");
    assert_int_equal(last, YR_EDIT_EARLIER);
    press("draft\x1b"
          "a");
    assert_int_equal(last, YR_EDIT_UNREAD);
    assert_text("draft|");
}

/* ---- several lines ---- */

static void alt_enter_and_ctrl_j_make_a_line_end(void **state)
{
    press("one\x1b\rtwo\nthree");
    assert_row(0, "bob> one↵two↵three", 18);
    press("\r");
    assert_string_equal(lines[0], "one\ntwo\nthree");
}

static void a_paste_of_several_lines_is_one_draft(void **state)
{
    press("see: ");
    press("\x1b[200~one\r\ntwo\rthree\n\x1b[201~");
    wait_a_moment();
    assert_int_equal(line_count, 0);
    assert_text("see: one\ntwo\nthree|");
    assert_string_equal(yr_screen_row(screen, 0), "Paste 3 lines? Enter send · Esc drop");
    assert_string_equal(yr_screen_row(screen, 1), "bob> see: one↵two↵three");
    press("\r");
    assert_string_equal(lines[0], "see: one\ntwo\nthree");
}

static void esc_drops_the_paste_and_keeps_the_rest(void **state)
{
    press("see: !" LEFT "\x1b[200~one\ntwo\x1b[201~");
    wait_a_moment();
    assert_text("see: one\ntwo|!");
    press("\x1b");
    wait_a_moment();
    assert_text("see: |!");
}

static void a_paste_of_one_line_asks_nothing(void **state)
{
    press("\x1b[200~one line\n\x1b[201~");
    wait_a_moment();
    assert_text("one line|");
    assert_row(0, "bob> one line", 13);
}

static void enter_right_behind_a_paste_sends_it(void **state)
{
    press("\x1b[200~one\ntwo\x1b[201~\r");
    assert_int_equal(line_count, 0);
    wait_a_moment();
    assert_int_equal(line_count, 1);
    assert_string_equal(lines[0], "one\ntwo");
}

static void a_paste_cannot_end_itself_and_go_on_as_keys(void **state)
{
    press("\x1b[200~safe\x1b[201~\r/quit\r\x1b[200~more\x1b[201~");
    wait_a_moment();
    assert_int_equal(line_count, 0);
    assert_text("safe\n/quit\nmore|");
}

static void a_paste_may_come_in_pieces(void **state)
{
    const char *keys = "\x1b[200~one\ntwo\x1b[201~";

    for (; *keys != '\0'; keys++) {
        const char key[2] = {*keys, '\0'};

        press(key);
    }
    wait_a_moment();
    assert_text("one\ntwo|");
}

static void a_paste_without_an_end_ends_after_a_while(void **state)
{
    press("\x1b[200~one");
    assert_true(yr_edit_waiting(edit));
    for (unsigned i = 0; i < 60; i++)
        wait_a_moment();
    assert_text("one|");
    assert_false(yr_edit_waiting(edit));
}

static void escapes_in_a_paste_are_only_text(void **state)
{
    press("\x1b[200~\x1b[31mred\x07\u202E\xC2\x9B\x1b[201~");
    wait_a_moment();
    assert_text("␛[31mred␇\uFFFD|");
}

static void a_paste_over_64_kib_is_refused_whole(void **state)
{
    struct yr_buf text = {0};

    press("draft");
    yr_buf_adds(&text, "\x1b[200~");
    for (unsigned i = 0; i < 70000; i++)
        yr_buf_addc(&text, 'x');
    yr_buf_adds(&text, "\x1b[201~");
    press(text.at);
    wait_a_moment();
    assert_int_equal(last, YR_EDIT_TOO_LONG);
    assert_text("draft|");
    for (unsigned i = 0; i < 20; i++) { // 1.4 MB in pieces: no more memory than the queue
        yr_edit_feed(edit, text.at, i == 0 ? text.len - 6 : text.len);
        collect();
    }
    wait_a_moment();
    assert_int_equal(last, YR_EDIT_TOO_LONG);
    press("!");
    assert_text("draft!|");
    yr_buf_clear(&text);
}

/* ---- history ---- */

static void up_and_down_go_through_what_was_sent(void **state)
{
    yr_edit_history_add(&history, "first");
    yr_edit_history_add(&history, "second");
    yr_edit_history_add(&history, "second");
    assert_int_equal(history.count, 2);
    yr_edit_use_history(edit, &history);
    press("draft" UP);
    assert_text("second|");
    press(UP UP);
    assert_text("first|");
    press(DOWN);
    assert_text("second|");
    press("\x0e");
    assert_text("draft|");
    press("\x10\r");
    assert_string_equal(lines[0], "second");
}

static void the_history_keeps_200_lines(void **state)
{
    for (unsigned i = 0; i < 250; i++) {
        char line[16];

        snprintf(line, sizeof line, "line %u", i);
        yr_edit_history_add(&history, line);
    }
    assert_int_equal(history.count, YR_EDIT_HISTORY_MAX);
    assert_string_equal(history.lines[0], "line 50");
}

static void ctrl_r_searches_as_one_types(void **state)
{
    yr_edit_history_add(&history, "git push");
    yr_edit_history_add(&history, "make test");
    yr_edit_history_add(&history, "git pull");
    yr_edit_use_history(edit, &history);
    press("draft\x12");
    assert_string_equal(yr_screen_row(screen, 0), "search '': draft");
    press("gi");
    assert_row(0, "search 'gi': git pull", 15);
    press("t pu");
    assert_text("git pu|ll");
    press("\x12");
    assert_text("git pu|sh");
    press("zzz");
    assert_string_equal(yr_screen_row(screen, 0), "search 'git pu': git push");
    press("\r"); // takes it; a second one sends
    assert_int_equal(line_count, 0);
    assert_row(0, "bob> git push", 11);
    press("\r");
    assert_string_equal(lines[0], "git push");
    press("new\x12make\x07");
    assert_text("new|");
}

/* ---- completion ---- */

static void tab_goes_through_the_words_and_back_to_what_was_typed(void **state)
{
    press("/to bo\t");
    assert_text("/to bob |");
    press("\t");
    assert_text("/to boris |");
    press("\t");
    assert_text("/to bo|");
    press("\t\x1b[Z\x1b[Z");
    assert_text("/to boris |");
    press("!");
    assert_text("/to boris !|");
    press("\x15"
          "ca\t");
    assert_text("carol |");
    press("\t");
    assert_text("carol bob |"); // one match was enough: this is a new word
}

static void esc_takes_a_completion_back(void **state)
{
    press("bo\t\x1b");
    wait_a_moment();
    assert_text("bo|");
    press("zz\t");
    assert_text("bozz|");
}

/* ---- plain mode ---- */

static void plain_mode_takes_whole_lines_and_writes_no_sequence(void **state)
{
    reopen(40, true, true);
    assert_string_equal(yr_screen_text(screen), "\n");
    press("hel");
    assert_int_equal(line_count, 0);
    assert_false(yr_edit_waiting(edit));
    press("lo\r\n\x1b[Aworld\nrest");
    assert_int_equal(line_count, 2);
    assert_string_equal(lines[0], "hello");
    assert_string_equal(lines[1], "␛[Aworld");
    yr_edit_print(edit, "15:44 bob: hi", &out);
    assert_string_equal(yr_buf_str(&out), "15:44 bob: hi\n");
    yr_edit_end(edit);
    collect();
    assert_string_equal(lines[2], "rest");
}

static void a_plain_line_over_64_kib_is_refused_whole(void **state)
{
    struct yr_buf text = {0};

    reopen(40, true, true);
    for (unsigned i = 0; i < 70000; i++)
        yr_buf_addc(&text, 'x');
    press(text.at);
    assert_int_equal(last, YR_EDIT_TOO_LONG);
    press(text.at);
    press("tail\nnext\n");
    assert_int_equal(line_count, 1);
    assert_string_equal(lines[0], "next");
    yr_buf_clear(&text);
}

/* ---- anything ---- */

static void any_keys_leave_a_whole_text_and_a_cursor_in_it(void **state)
{
    static const char *const keys[] = {
        "a",         " ",       "日",   "👨",    "\u200D", "\u0301", LEFT,       RIGHT,
        UP,          DOWN,      "\x01", "\x05", "\x02",   "\x06",   "\x7f",     "\x04",
        "\x17",      "\x15",    "\x0b", "\x19", "\x14",   "\t",     "\x1b[Z",   "\n",
        "\r",        "\x12",    "\x07", "\x1b", "\x1b[",  "\033d",  "\x1b\x7f", "\x1b[200~p\nq",
        "\x1b[201~", "\x1b[3~", "\xE2", "\x80", "\xFF",   "\x1bO",  "bo",       "🇩",
    };
    uint32_t seed = 7;

    reopen(17, false, true);
    yr_edit_history_add(&history, "an old line");
    yr_edit_use_history(edit, &history);
    for (unsigned i = 0; i < 60000; i++) {
        const char *text;

        seed = seed * 1664525u + 1013904223u;
        if ((seed >> 24) % 8 == 0)
            wait_a_moment();
        else if ((seed >> 24) % 64 == 1)
            print("above");
        else
            press(keys[(seed >> 8) % (sizeof keys / sizeof keys[0])]);
        text = yr_edit_text(edit);
        assert_true(yr_utf8_valid(text, strlen(text), false));
        assert_true(yr_edit_cursor(edit) <= strlen(text));
        if (yr_edit_cursor(edit) > 0) {
            const size_t start = yr_cluster_start(text, strlen(text), yr_edit_cursor(edit));

            assert_int_equal(yr_cluster_end(text, strlen(text), start), yr_edit_cursor(edit));
        }
        assert_true(yr_screen_cursor_column(screen) < 17);
        for (; line_count > 0; line_count--)
            free(lines[line_count - 1]);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(typed_text_stands_behind_the_prompt),
        TEST(typing_at_the_end_writes_only_what_is_typed),
        TEST(enter_gives_the_line_and_empties_the_row),
        TEST(keys_of_one_sequence_may_come_byte_by_byte),
        TEST(the_emacs_keys_move),
        TEST(the_emacs_keys_delete_and_bring_back),
        TEST(one_key_moves_over_and_deletes_a_whole_cluster),
        TEST(the_cursor_never_stands_inside_of_a_cluster),
        TEST(characters_that_would_harm_cannot_be_typed),
        TEST(unknown_sequences_are_nothing),
        TEST(a_long_line_scrolls_in_its_row),
        TEST(the_cursor_is_shown_where_it_is),
        TEST(a_resize_draws_the_row_anew),
        TEST(a_terminal_without_utf8_gets_ascii),
        TEST(what_arrives_is_printed_above_and_tears_nothing),
        TEST(many_lines_scroll_and_none_is_lost),
        TEST(hidden_it_leaves_an_empty_row),
        TEST(the_prompt_may_change_under_a_draft),
        TEST(ctrl_l_clears_the_screen),
        TEST(ctrl_d_leaves_only_on_an_empty_line),
        TEST(ctrl_c_clears_and_twice_on_an_empty_line_leaves),
        TEST(ctrl_z_page_up_and_alt_a_are_told),
        TEST(alt_enter_and_ctrl_j_make_a_line_end),
        TEST(a_paste_of_several_lines_is_one_draft),
        TEST(esc_drops_the_paste_and_keeps_the_rest),
        TEST(a_paste_of_one_line_asks_nothing),
        TEST(enter_right_behind_a_paste_sends_it),
        TEST(a_paste_cannot_end_itself_and_go_on_as_keys),
        TEST(a_paste_may_come_in_pieces),
        TEST(a_paste_without_an_end_ends_after_a_while),
        TEST(escapes_in_a_paste_are_only_text),
        TEST(a_paste_over_64_kib_is_refused_whole),
        TEST(up_and_down_go_through_what_was_sent),
        TEST(the_history_keeps_200_lines),
        TEST(ctrl_r_searches_as_one_types),
        TEST(tab_goes_through_the_words_and_back_to_what_was_typed),
        TEST(esc_takes_a_completion_back),
        TEST(plain_mode_takes_whole_lines_and_writes_no_sequence),
        TEST(a_plain_line_over_64_kib_is_refused_whole),
        TEST(any_keys_leave_a_whole_text_and_a_cursor_in_it),
    };

    setlocale(LC_ALL, "C.UTF-8");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
