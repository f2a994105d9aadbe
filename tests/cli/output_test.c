/* How the client speaks: records as TSV and JSON, tables, errors, colours, times. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/common/columns.h"
#include "cli/common/json.h"
#include "cli/message.h"
#include "cli/output.h"

/** What a function wrote to one of our descriptors. */
struct capture {
    FILE *file;
    int fd, saved;
    char text[8192];
};

static void begin(struct capture *capture, int fd)
{
    fflush(fd == STDOUT_FILENO ? stdout : stderr);
    capture->fd = fd;
    capture->saved = dup(fd);
    capture->file = tmpfile();
    dup2(fileno(capture->file), fd);
}

static const char *end(struct capture *capture)
{
    size_t len;

    fflush(capture->fd == STDOUT_FILENO ? stdout : stderr);
    dup2(capture->saved, capture->fd);
    close(capture->saved);
    rewind(capture->file);
    len = fread(capture->text, 1, sizeof capture->text - 1, capture->file);
    capture->text[len] = '\0';
    fclose(capture->file);
    return capture->text;
}

static struct yr_out pipe_out(void)
{
    struct yr_out out = {.columns = 80, .rows = 24, .utf8 = true};

    out.time.format = "short";
    return out;
}

static json_t *message(const char *text)
{
    return json_pack("{s:s, s:s, s:i, s:{s:s,s:s,s:s}, s:{s:s,s:s,s:s}, s:s, s:s, s:s, s:b, s:s}",
                     "type", "message", "id", "d0w8rk5c9zzzzzzzzzzzzzzzzz", "cursor", 1042,
                     "target", "kind", "friend", "id", "b", "name", "bob", "from", "kind", "self",
                     "id", "a", "name", "alice", "kind", "text", "text", text, "time",
                     "2026-11-22T15:46:35.123Z", "own", 1, "state", "delivered");
}

/* ---- TSV ---- */

static void tsv_has_the_fields_in_their_order(void **state)
{
    struct yr_out out = pipe_out();
    struct capture capture;
    json_t *config = json_pack("{s:s, s:s, s:s, s:s}", "type", "config", "origin", "default",
                               "value", "yes", "key", "net.lan");

    begin(&capture, STDOUT_FILENO);
    yr_out_record(&out, config);
    assert_string_equal(end(&capture), "net.lan\tyes\tdefault\n");
    json_decref(config);
}

static void tsv_escapes_tab_newline_and_backslash(void **state)
{
    struct yr_out out = pipe_out();
    struct capture capture;
    json_t *record = message("a\tb\nc\\d");

    out.time.utc = true;
    begin(&capture, STDOUT_FILENO);
    yr_out_record(&out, record);
    assert_string_equal(end(&capture),
                        "d0w8rk5c9zzzzzzzzzzzzzzzzz\t1042\tbob\talice\ttext\ta\\tb\\nc\\\\d\t"
                        "2026-11-22T15:46:35+00:00\t\t\t\t\t\ttrue\tdelivered\t\t\t\t\t\t\t\t\n");
    json_decref(record);
}

static void an_absent_field_is_an_empty_column(void **state)
{
    struct yr_out out = pipe_out();
    const char *const *fields = yr_record_fields("friend");
    size_t columns = 0, tabs = 0;
    struct capture capture;
    json_t *record = json_pack("{s:s, s:s}", "type", "friend", "id", "x");

    while (fields[columns] != NULL)
        columns++;
    begin(&capture, STDOUT_FILENO);
    yr_out_record(&out, record);
    for (const char *c = end(&capture); *c != '\0'; c++)
        tabs += *c == '\t';
    assert_int_equal(tabs, columns - 1);
    json_decref(record);
}

static void tsv_makes_text_safe_unless_raw(void **state)
{
    struct yr_out out = pipe_out();
    struct capture capture;
    json_t *record = message("\033[31mred\u202e");

    begin(&capture, STDOUT_FILENO);
    yr_out_record(&out, record);
    assert_null(strchr(end(&capture), '\033'));
    assert_null(strstr(capture.text, "\u202e"));
    assert_non_null(strstr(capture.text, "[31mred"));
    begin(&capture, STDOUT_FILENO);
    yr_out_record_raw(&out, record);
    assert_non_null(strstr(end(&capture), "\033[31mred"));
    json_decref(record);
}

/** The schema of a record type, docs/schema/TYPE.json. */
static json_t *schema_of(const char *type)
{
    char path[256];

    snprintf(path, sizeof path, YAARI_SOURCE_DIR "/docs/schema/%s.json", type);
    return json_load_file(path, 0, NULL);
}

static void every_field_of_a_listed_record_is_a_column(void **state)
{
    static const char *const types[] = {"friend",  "room",   "member", "message", "invite",
                                        "request", "unread", "peer",   "config"};
    static const char *const elsewhere[] = {"type", "steps", "fingerprint", "qr",
                                            "invited"}; // of one record

    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        json_t *schema = schema_of(types[i]), *value;
        const char *const *fields = yr_record_fields(types[i]);
        size_t columns = 0, properties = 0;
        const char *key;

        assert_non_null(schema);
        for (; fields[columns] != NULL; columns++)
            assert_non_null(
                json_object_get(json_object_get(schema, "properties"), fields[columns]));
        json_object_foreach(json_object_get(schema, "properties"), key, value)
        {
            bool column = true;

            for (size_t k = 0; k < sizeof elsewhere / sizeof elsewhere[0]; k++)
                column = column && strcmp(key, elsewhere[k]) != 0;
            properties += column;
        }
        assert_int_equal(columns, properties);
        json_decref(schema);
    }
}

/* ---- JSON ---- */

static void json_is_one_line_with_unsafe_code_points_escaped(void **state)
{
    struct yr_out out = pipe_out();
    struct capture capture;
    json_t *record = message("a\nb\xc2\x9b\u202e\u2028 caf\u00e9"), *again;

    out.json = true;
    begin(&capture, STDOUT_FILENO);
    yr_out_record(&out, record);
    end(&capture);
    assert_ptr_equal(strchr(capture.text, '\n'), capture.text + strlen(capture.text) - 1);
    assert_non_null(strstr(capture.text, "a\\nb\\u009B\\u202E\\u2028 caf\u00e9"));
    again = json_loads(capture.text, 0, NULL);
    assert_true(json_equal(again, record));
    json_decref(again);
    json_decref(record);
}

static void with_json_nothing_is_said_to_people(void **state)
{
    struct yr_out out = pipe_out();
    struct capture capture;

    out.json = true;
    out.err_tty = true;
    begin(&capture, STDOUT_FILENO);
    yr_out_say(&out, "%s", "hello");
    assert_string_equal(end(&capture), "");
    begin(&capture, STDERR_FILENO);
    yr_out_note(&out, "%s", "hello");
    yr_out_next(&out, "%s", "hello");
    assert_string_equal(end(&capture), "");
}

/* ---- errors ---- */

static void an_error_is_a_line_and_a_hint(void **state)
{
    struct yr_out out = pipe_out();
    struct capture capture;

    begin(&capture, STDERR_FILENO);
    yr_out_error(&out, 67, -32001, "no_such_target", "no friend named 'b\nb\033o'",
                 "did you mean 'bob'?", NULL);
    assert_string_equal(end(&capture),
                        "yaari: no friend named 'b b\u241bo'\nhint: did you mean 'bob'?\n");
    begin(&capture, STDERR_FILENO);
    yr_out_error(&out, 64, 0, "usage", "send: missing TARGET", NULL, NULL);
    assert_string_equal(end(&capture), "yaari: send: missing TARGET\n");
}

static void an_error_as_json_has_all_its_members(void **state)
{
    struct yr_out out = pipe_out();
    struct capture capture;
    json_t *data = json_pack("{s:[s], s:s, s:i}", "candidates", "bob", "id", "d0w8", "exit", 67);

    out.json = true;
    begin(&capture, STDERR_FILENO);
    yr_out_error(&out, 67, -32001, "no_such_target", "no friend named 'bbo'", "did you mean 'bob'?",
                 data);
    assert_string_equal(
        end(&capture),
        "{\"type\":\"error\",\"exit\":67,\"code\":-32001,\"name\":\"no_such_target\","
        "\"message\":\"no friend named 'bbo'\",\"hint\":\"did you mean 'bob'?\","
        "\"candidates\":[\"bob\"],\"id\":\"d0w8\"}\n");
    json_decref(data);
}

/* ---- tables ---- */

static void a_table_is_aligned_by_terminal_columns(void **state)
{
    static const char *const heads[] = {"NAME", "STATE"};
    struct yr_table table = yr_table_init(2, heads);
    struct yr_out out = pipe_out();
    struct capture capture;

    yr_table_add(&table, YR_ROLE_NICK, "bob");
    yr_table_add(&table, YR_ROLE_NONE, "online");
    yr_table_add(&table, YR_ROLE_NICK, "\u6f22\u5b57\u6f22\u5b57");
    yr_table_add(&table, YR_ROLE_NONE, "");
    begin(&capture, STDOUT_FILENO);
    yr_table_print(&out, &table);
    assert_string_equal(end(&capture), "NAME      STATE\nbob       online\n"
                                       "\u6f22\u5b57\u6f22\u5b57\n");
}

static void an_empty_table_prints_nothing(void **state)
{
    static const char *const heads[] = {"NAME"};
    struct yr_table table = yr_table_init(1, heads);
    struct yr_out out = pipe_out();
    struct capture capture;

    begin(&capture, STDOUT_FILENO);
    yr_table_print(&out, &table);
    assert_string_equal(end(&capture), "");
}

static void colours_are_our_own_sequences_and_end(void **state)
{
    struct yr_table table = yr_table_init(1, NULL);
    struct yr_out out = pipe_out();
    struct yr_config config;
    struct capture capture;

    yr_config_init(&config);
    yr_out_configure(&out, &config);
    yr_config_clear(&config);
    out.color = true;
    yr_table_add(&table, YR_ROLE_NICK, "bob");
    begin(&capture, STDOUT_FILENO);
    yr_table_print(&out, &table);
    assert_string_equal(end(&capture), "\033[36mbob\033[0m\n");
}

static void a_terminal_that_is_not_utf8_gets_question_marks(void **state)
{
    struct yr_out out = pipe_out();
    struct capture capture;

    out.tty = true;
    out.utf8 = false;
    begin(&capture, STDOUT_FILENO);
    yr_out_say(&out, "caf\u00e9 \033[1mx\033[0m");
    assert_string_equal(end(&capture), "caf? \033[1mx\033[0m\n");
}

/* ---- colour choice ---- */

static bool colored(const char *when, const char *no_color, const char *force, const char *term)
{
    struct yr_out out = {0};
    struct capture capture;

    no_color == NULL ? unsetenv("NO_COLOR") : setenv("NO_COLOR", no_color, 1);
    force == NULL ? unsetenv("CLICOLOR_FORCE") : setenv("CLICOLOR_FORCE", force, 1);
    setenv("TERM", term, 1);
    begin(&capture, STDOUT_FILENO); // a file: no terminal
    yr_out_init(&out, when);
    end(&capture);
    unsetenv("NO_COLOR");
    unsetenv("CLICOLOR_FORCE");
    return out.color;
}

static void colour_follows_flag_then_environment(void **state)
{
    assert_false(colored("auto", NULL, NULL, "xterm")); // no terminal
    assert_true(colored("always", NULL, NULL, "dumb"));
    assert_true(colored("always", "1", NULL, "xterm"));
    assert_true(colored("auto", NULL, "1", "xterm"));
    assert_false(colored("auto", NULL, "0", "xterm"));
    assert_false(colored("auto", "1", "1", "xterm"));
    assert_true(colored("auto", "", "1", "xterm"));
    assert_false(colored("never", NULL, "1", "xterm"));
}

/* ---- messages ---- */

static const char *line_of(struct yr_buf *buf, const struct yr_out *out, const json_t *record,
                           const struct yr_message_style *style)
{
    yr_buf_cut(buf, 0);
    yr_message_add(out, buf, record, style);
    return yr_buf_str(buf);
}

static void a_message_is_time_id_name_text_state(void **state)
{
    struct yr_out out = pipe_out();
    struct yr_message_style style = {.ids = true, .name_width = 7};
    struct yr_buf buf = {0};
    json_t *record = message("is the build green?");

    out.time.utc = true;
    assert_string_equal(line_of(&buf, &out, record, &style),
                        "15:46  d0w8rk  alice    is the build green?  delivered\n");
    style = (struct yr_message_style){.targets = true};
    assert_string_equal(line_of(&buf, &out, record, &style),
                        "15:46  alice \u2192 bob  is the build green?  delivered\n");
    json_object_set_new(record, "own", json_false());
    assert_string_equal(line_of(&buf, &out, record, &style), "15:46  alice  is the build green?\n");
    yr_buf_clear(&buf);
    json_decref(record);
}

static void marks_of_a_message_are_words(void **state)
{
    struct yr_out out = pipe_out();
    const struct yr_message_style style = {0};
    struct yr_buf buf = {0};
    json_t *record = message("waves");

    out.time.utc = true;
    json_object_set_new(record, "own", json_false());
    json_object_set_new(record, "kind", json_string("action"));
    json_object_set_new(record, "edited", json_string("2026-11-22T15:47:00.000Z"));
    json_object_set_new(record, "late", json_true());
    json_object_set_new(record, "reply_to", json_string("7kq2mxzzzzzzzzzzzzzzzzzzzz"));
    json_object_set_new(record, "reactions",
                        json_pack("[{s:s,s:[s]}]", "emoji", "\U0001f44d", "from", "carol"));
    assert_string_equal(
        line_of(&buf, &out, record, &style),
        "15:46  * alice re 7kq2mx: waves  (edited)  \U0001f44d carol  (arrived late)\n");
    json_object_set_new(record, "deleted", json_true());
    assert_non_null(strstr(line_of(&buf, &out, record, &style), "(deleted)"));
    yr_buf_clear(&buf);
    json_decref(record);
}

/* A message of this member in #garden. */
static json_t *room_message(const char *text, const char *name, bool friend)
{
    json_t *record = message(text);

    json_object_set_new(record, "own", json_false());
    json_object_set_new(record, "target",
                        json_pack("{s:s, s:s, s:s}", "kind", "room", "id", "r", "name", "garden"));
    json_object_set_new(record, "from",
                        json_pack("{s:s, s:s, s:s, s:b}", "kind", "member", "id", "m", "name", name,
                                  "friend", (int)friend));
    return record;
}

static void a_line_of_a_room_says_whose_and_who_is_no_friend(void **state)
{
    struct yr_out out = pipe_out();
    const struct yr_message_style alone = {0}, among = {.targets = true};
    struct yr_buf buf = {0};
    json_t *bob = room_message("hi", "bob", true), *zed = room_message("ho", "zed", false);

    out.time.utc = true;
    assert_string_equal(line_of(&buf, &out, bob, &alone), "15:46  bob  hi\n");
    assert_string_equal(line_of(&buf, &out, zed, &alone), "15:46  ~zed  ho\n");
    assert_string_equal(line_of(&buf, &out, zed, &among), "15:46  ~zed \u2192 #garden  ho\n");
    json_object_set_new(bob, "reactions",
                        json_pack("[{s:s,s:[s,s],s:[b,b]}]", "emoji", "+", "from", "carol", "bob",
                                  "friends", 1, 0));
    assert_string_equal(line_of(&buf, &out, bob, &alone), "15:46  bob  hi  + carol ~bob\n");
    json_object_set_new(zed, "kind", json_string("system"));
    assert_string_equal(line_of(&buf, &out, zed, &alone), "15:46  --  ho\n");
    assert_string_equal(line_of(&buf, &out, zed, &among), "15:46  -- #garden  ho\n");
    yr_buf_clear(&buf);
    json_decref(bob);
    json_decref(zed);
}

static void an_own_line_of_a_room_says_how_far_it_got(void **state)
{
    struct yr_out out = pipe_out();
    const struct yr_message_style style = {0};
    struct yr_buf buf = {0};
    json_t *record = room_message("hi", "alice", true);

    out.time.utc = true;
    json_object_set_new(record, "own", json_true());
    json_object_set_new(record, "state", json_string("accepted"));
    json_object_set_new(record, "per_member",
                        json_pack("{s:i,s:i,s:i}", "delivered", 3, "read", 1, "of", 4));
    assert_string_equal(line_of(&buf, &out, record, &style),
                        "15:46  alice  hi  delivered to 3 of 4\n");
    json_object_set_new(record, "state", json_string("read"));
    assert_string_equal(line_of(&buf, &out, record, &style), "15:46  alice  hi  read\n");
    yr_buf_clear(&buf);
    json_decref(record);
}

static void names_of_rooms_and_members_are_made_safe(void **state)
{
    struct yr_out out = pipe_out();
    const struct yr_message_style style = {.targets = true};
    struct yr_buf buf = {0}, field = {0};
    json_t *record = room_message("hi", "z\033[31med\u202e\n", false);

    out.time.utc = true;
    json_object_set_new(json_object_get(record, "target"), "name",
                        json_string("gar\033]0;x\a\nden\u2028"));
    assert_string_equal(line_of(&buf, &out, record, &style),
                        "15:46  ~z[31med \u2192 #gar]0;x den  hi\n");
    yr_tsv_field(&field, json_object_get(record, "target"), false);
    assert_string_equal(yr_buf_str(&field), "#gar]0;x den");
    yr_buf_cut(&field, 0);
    yr_tsv_field(&field, json_object_get(record, "from"), false);
    assert_string_equal(yr_buf_str(&field), "z[31med"); // the mark is for people
    yr_buf_clear(&field);
    yr_buf_clear(&buf);
    json_decref(record);
}

static void further_lines_of_a_text_are_indented(void **state)
{
    struct yr_out out = pipe_out();
    const struct yr_message_style style = {0};
    struct yr_buf buf = {0};
    json_t *record = message("one\ntwo");

    out.time.utc = true;
    json_object_set_new(record, "own", json_false());
    assert_string_equal(line_of(&buf, &out, record, &style), "15:46  alice  one\n"
                                                             "              two\n");
    yr_buf_clear(&buf);
    json_decref(record);
}

static void a_hostile_message_line_has_no_control_bytes(void **state)
{
    struct yr_out out = pipe_out();
    const struct yr_message_style style = {.ids = true, .targets = true};
    struct yr_buf buf = {0};
    json_t *record = message("\033]0;x\a\xc2\x9b"
                             "2J\u202egnp\r");

    json_object_set_new(json_object_get(record, "from"), "name", json_string("e\033[2Jve\n"));
    for (const char *c = line_of(&buf, &out, record, &style); *c != '\0'; c++)
        assert_true((unsigned char)*c >= 0x20 || (*c == '\n' && c[1] == '\0'));
    assert_null(strstr(yr_buf_str(&buf), "\u202e"));
    assert_null(strstr(yr_buf_str(&buf), "\xc2\x9b"));
    yr_buf_clear(&buf);
    json_decref(record);
}

static void a_fingerprint_is_two_lines_of_six_groups(void **state)
{
    struct yr_buf buf = {0};

    yr_add_fingerprint(&buf,
                       "00001 00002 00003 00004 00005 00006 00007 00008 00009 00010 00011 00012");
    assert_string_equal(yr_buf_str(&buf), "  00001 00002 00003   00004 00005 00006\n"
                                          "  00007 00008 00009   00010 00011 00012");
    yr_buf_clear(&buf);
}

static int take_locale(void **state)
{
    setenv("LC_ALL", "C.UTF-8", 1);
    setenv("TZ", "UTC", 1);
    return yr_locale_init() ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tsv_has_the_fields_in_their_order),
        cmocka_unit_test(tsv_escapes_tab_newline_and_backslash),
        cmocka_unit_test(an_absent_field_is_an_empty_column),
        cmocka_unit_test(tsv_makes_text_safe_unless_raw),
        cmocka_unit_test(every_field_of_a_listed_record_is_a_column),
        cmocka_unit_test(json_is_one_line_with_unsafe_code_points_escaped),
        cmocka_unit_test(with_json_nothing_is_said_to_people),
        cmocka_unit_test(an_error_is_a_line_and_a_hint),
        cmocka_unit_test(an_error_as_json_has_all_its_members),
        cmocka_unit_test(a_table_is_aligned_by_terminal_columns),
        cmocka_unit_test(an_empty_table_prints_nothing),
        cmocka_unit_test(colours_are_our_own_sequences_and_end),
        cmocka_unit_test(a_terminal_that_is_not_utf8_gets_question_marks),
        cmocka_unit_test(colour_follows_flag_then_environment),
        cmocka_unit_test(a_message_is_time_id_name_text_state),
        cmocka_unit_test(marks_of_a_message_are_words),
        cmocka_unit_test(a_line_of_a_room_says_whose_and_who_is_no_friend),
        cmocka_unit_test(an_own_line_of_a_room_says_how_far_it_got),
        cmocka_unit_test(names_of_rooms_and_members_are_made_safe),
        cmocka_unit_test(further_lines_of_a_text_are_indented),
        cmocka_unit_test(a_hostile_message_line_has_no_control_bytes),
        cmocka_unit_test(a_fingerprint_is_two_lines_of_six_groups),
    };
    return cmocka_run_group_tests(tests, take_locale, NULL);
}
