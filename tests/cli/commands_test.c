/* The table of commands, and all that is said from it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/commands.h"
#include "cli/common/buf.h"
#include "cli/common/paths.h"
#include "cli/completion.h"
#include "cli/help.h"

static bool hidden(int id)
{
    return (yr_commands[id].traits & YR_T_HIDDEN) != 0;
}

/** Is `word` in the text as a word of its own? */
static bool has_word(const char *text, const char *word)
{
    const size_t len = strlen(word);

    for (const char *at = text; (at = strstr(at, word)) != NULL; at++) {
        const char before = at == text ? ' ' : at[-1], after = at[len];

        if (strchr(" \n\t'\"[|(*", before) != NULL &&
            (after == '\0' || strchr(" \n\t'\",]|=)*:", after) != NULL))
            return true;
    }
    return false;
}

/* ---- the table ---- */

static void every_command_has_a_name_a_sentence_and_a_function(void **state)
{
    for (int i = YR_CMD_any + 1; i < YR_CMD_COUNT; i++) {
        assert_non_null(yr_commands[i].run);
        assert_true(yr_commands[i].name[0] != '\0');
        assert_true(hidden(i) || yr_commands[i].help[0] != '\0');
    }
}

static void no_two_commands_have_the_same_words(void **state)
{
    for (int i = YR_CMD_any + 1; i < YR_CMD_COUNT; i++)
        for (int k = i + 1; k < YR_CMD_COUNT; k++)
            assert_false(yr_commands[i].group == yr_commands[k].group &&
                         strcmp(yr_commands[i].name, yr_commands[k].name) == 0);
    for (int i = YR_GROUP_none + 1; i < YR_GROUP_COUNT; i++)
        for (int k = YR_CMD_any + 1; k < YR_CMD_COUNT; k++)
            assert_false(yr_commands[k].group == YR_GROUP_none &&
                         strcmp(yr_commands[k].name, yr_groups[i].name) == 0);
}

static void flags_of_one_line_never_collide(void **state)
{
    for (int i = 0; i < YR_F_COUNT; i++)
        for (int k = i + 1; k < YR_F_COUNT; k++) {
            const struct yr_flag_desc *a = &yr_flags[i], *b = &yr_flags[k];

            if (a->owner != b->owner && a->owner != YR_CMD_any && b->owner != YR_CMD_any)
                continue;
            assert_string_not_equal(a->name, b->name);
            assert_false(a->letter != '\0' && a->letter == b->letter);
        }
}

static void flags_of_one_name_in_a_group_agree_on_their_argument(void **state)
{
    for (int i = 0; i < YR_F_COUNT; i++)
        for (int k = i + 1; k < YR_F_COUNT; k++)
            if (yr_flags[i].owner != YR_CMD_any && yr_flags[k].owner != YR_CMD_any &&
                yr_commands[yr_flags[i].owner].group != YR_GROUP_none &&
                yr_commands[yr_flags[i].owner].group == yr_commands[yr_flags[k].owner].group &&
                strcmp(yr_flags[i].name, yr_flags[k].name) == 0)
                assert_int_equal(yr_flags[i].arg == NULL, yr_flags[k].arg == NULL);
}

static void exits_of_the_table_are_codes_that_exist(void **state)
{
    for (int i = YR_CMD_any + 1; i < YR_CMD_COUNT; i++)
        for (const char *at = yr_commands[i].exits; *at != '\0';) {
            char *end;
            const long code = strtol(at, &end, 10);

            assert_true(end != at);
            assert_true(yr_exit_meaning((int)code)[0] != '\0');
            assert_false(code == 64 || (code >= 69 && code <= 71) || code == 74 || code >= 76);
            at = end + strspn(end, " ");
        }
}

static void every_operand_is_read_whole(void **state)
{
    for (int id = YR_CMD_none + 1; id < YR_CMD_COUNT; id++) {
        struct yr_operand operand;
        size_t at = 0;

        while (yr_commands[id].operands != NULL &&
               yr_operand_next(yr_commands[id].operands, &at, &operand)) // else help lacks its end
            assert_true(strlen(operand.name) < sizeof operand.name - 1);
    }
}

static void what_belongs_to_later_features_is_absent(void **state)
{
    static const char *const later[] = {"file", "irc",  "web",    "pair",
                                        "tui",  "pipe", "search", "export"};
    enum yr_command_id command;
    enum yr_group_id group;

    for (size_t i = 0; i < sizeof later / sizeof later[0]; i++)
        assert_false(yr_command_find(later[i], NULL, &command, &group));
    assert_false(yr_command_find("friend", "introduce", &command, &group));
    assert_false(yr_command_find("room", "ban", &command, &group));
    assert_false(yr_command_find("room", "unban", &command, &group));
    assert_false(yr_command_find("me", "address", &command, &group));
    assert_false(yr_command_find("key", "destroy", &command, &group));
}

/* ---- what is said from it ---- */

static void help_of_a_command_names_all_its_flags_and_operands(void **state)
{
    for (int i = YR_CMD_any + 1; i < YR_CMD_COUNT; i++) {
        struct yr_buf help = {0};
        struct yr_operand operand;
        size_t at = 0;

        if (hidden(i))
            continue;
        yr_help_command(&help, (enum yr_command_id)i);
        for (int k = 0; k < YR_F_COUNT; k++) {
            char name[64];

            if (yr_flags[k].owner != (enum yr_command_id)i)
                continue;
            snprintf(name, sizeof name, "--%s", yr_flags[k].name);
            assert_true(has_word(yr_buf_str(&help), name));
        }
        while (yr_operand_next(yr_commands[i].operands, &at, &operand))
            assert_non_null(memmem(help.at, help.len, operand.name, strcspn(operand.name, "|")));
        yr_buf_clear(&help);
    }
}

static void the_overview_names_every_command_and_global_flag(void **state)
{
    struct yr_buf help = {0};

    yr_help_overview(&help);
    for (int i = YR_CMD_any + 1; i < YR_CMD_COUNT; i++)
        assert_int_equal(has_word(yr_buf_str(&help), yr_commands[i].name), !hidden(i));
    for (int i = YR_GROUP_none + 1; i < YR_GROUP_COUNT; i++)
        assert_true(has_word(yr_buf_str(&help), yr_groups[i].name));
    for (int i = 0; i < YR_F_COUNT; i++)
        if (yr_flags[i].owner == YR_CMD_any)
            assert_true(has_word(yr_buf_str(&help) + 2, yr_flags[i].name) ||
                        strstr(yr_buf_str(&help), yr_flags[i].name) != NULL);
    yr_buf_clear(&help);
}

static void help_fits_80_columns(void **state)
{
    struct yr_buf help = {0};

    yr_help_overview(&help);
    for (int i = YR_CMD_any + 1; i < YR_CMD_COUNT; i++)
        if (!hidden(i))
            yr_help_command(&help, (enum yr_command_id)i);
    for (int i = YR_GROUP_none + 1; i < YR_GROUP_COUNT; i++)
        yr_help_group(&help, (enum yr_group_id)i);
    for (const char *line = yr_buf_str(&help); *line != '\0';
         line += strcspn(line, "\n") + (line[strcspn(line, "\n")] == '\n'))
        assert_true(strcspn(line, "\n") < 80);
    yr_buf_clear(&help);
}

static void every_topic_has_a_text(void **state)
{
    for (size_t i = 0; yr_help_topic_at(i) != NULL; i++) {
        struct yr_buf text = {0};

        assert_true(yr_help_topic(&text, yr_help_topic_at(i)));
        assert_true(text.len > 100);
        yr_buf_clear(&text);
    }
}

static void the_completion_of_each_shell_knows_every_command_and_flag(void **state)
{
    static const char *const shells[] = {"bash", "zsh", "fish"};

    for (size_t s = 0; s < 3; s++) {
        struct yr_buf script = {0};

        assert_true(yr_completion_script(&script, shells[s]));
        for (int i = YR_CMD_any + 1; i < YR_CMD_COUNT; i++)
            if (!hidden(i))
                assert_true(has_word(yr_buf_str(&script), yr_commands[i].name));
        for (int i = 0; i < YR_F_COUNT; i++) {
            char name[64];

            snprintf(name, sizeof name, s == 2 ? "-l %s" : "--%s", yr_flags[i].name);
            assert_true(has_word(yr_buf_str(&script), name));
        }
        yr_buf_clear(&script);
    }
}

static void the_manual_says_what_the_table_says(void **state)
{
    struct yr_buf text = {0};
    struct yr_fail fail;
    char *manual = NULL;
    size_t len;

    assert_int_equal(
        yr_read_file(YAARI_SOURCE_DIR "/docs/yaari.1.scd", 1 << 20, &manual, &len, &fail),
        YR_EXIT_OK);
    yr_help_man(&text);
    assert_non_null(strstr(manual, yr_buf_str(&text))); // else: put what `yaari __man` prints there
    yr_buf_clear(&text);
    free(manual);
}

/* ---- reading a line ---- */

#define WORDS_MAX 16

/** A command line, cut at blanks. */
struct words {
    char text[256];
    char *argv[WORDS_MAX];
    int argc;
};

static enum yr_exit parse(struct yr_line *line, struct words *words, const char *text)
{
    snprintf(words->text, sizeof words->text, "yaari %s", text);
    words->argc = 0;
    for (char *word = strtok(words->text, " "); word != NULL; word = strtok(NULL, " "))
        words->argv[words->argc++] = word;
    words->argv[words->argc] = NULL;
    return yr_line_parse(line, words->argc, words->argv);
}

static void lines_that_are_right_are_read(void **state)
{
    static const struct {
        const char *text;
        enum yr_command_id command;
        int operands;
    } lines[] = {
        {"", YR_CMD_none, 0},
        {"status", YR_CMD_status, 0},
        {"-j status", YR_CMD_status, 0},
        {"status -j", YR_CMD_status, 0},
        {"-P work --json friend list --online", YR_CMD_friend_list, 0},
        {"friend --online list", YR_CMD_friend_list, 0},
        {"friend -j list", YR_CMD_friend_list, 0},
        {"invite", YR_CMD_invite_new, 0},
        {"invite new", YR_CMD_invite_new, 0},
        {"invite --expires 2h", YR_CMD_invite_new, 0},
        {"invite --name list", YR_CMD_invite_new, 0},
        {"invite --name list list", YR_CMD_invite_list, -1},
        {"invite list", YR_CMD_invite_list, 0},
        {"me", YR_CMD_me_show, 0},
        {"me set status so so", YR_CMD_me_set, 3},
        {"send bob one two --action three", YR_CMD_send, 4},
        {"send -- bob --action", YR_CMD_send, 2},
        {"send bob -", YR_CMD_send, 2},
        {"log -n5 bob", YR_CMD_log, 1},
        {"log --count=5", YR_CMD_log, 0},
        {"log --since -2h bob", YR_CMD_log, 1},
        {"tail", YR_CMD_tail, 0},
        {"tail a b c", YR_CMD_tail, 3},
        {"delete abcd efgh", YR_CMD_delete, 2},
        {"rpc", YR_CMD_rpc, 0},
        {"rpc --stdio", YR_CMD_rpc, 0},
        {"why", YR_CMD_why, 0},
        {"room list --all", YR_CMD_room_list, 0},
        {"room new garden --members bob,carol --history 7 --topic x", YR_CMD_room_new, 1},
        {"room invite +garden bob carol", YR_CMD_room_invite, 3},
        {"room role +garden ~zed mod", YR_CMD_room_role, 3},
        {"room topic +garden", YR_CMD_room_topic, 1},
        {"room topic +garden so so", YR_CMD_room_topic, 3},
        {"room set +garden mentions yes", YR_CMD_room_set, 3},
        {"request accept 3", YR_CMD_request_accept, 1},
        {"help friend list", YR_CMD_help, 2},
    };

    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct yr_line line;
        struct words words;
        const enum yr_exit exit = parse(&line, &words, lines[i].text);

        if (lines[i].operands < 0) { // a flag of another subcommand
            assert_int_equal(exit, YR_EXIT_USAGE);
            continue;
        }
        assert_int_equal(exit, YR_EXIT_OK);
        assert_int_equal(line.command, lines[i].command);
        assert_int_equal(line.operand_count, lines[i].operands);
    }
}

static void lines_that_are_wrong_say_what_and_what_to_do(void **state)
{
    static const struct {
        const char *text, *what, *hint;
    } lines[] = {
        {"lgo", "unknown command 'lgo'", "did you mean 'log'?"},
        {"Status", "unknown command 'Status'", "did you mean 'status'?"},
        {"qwertz", "unknown command 'qwertz'", "yaari help"},
        {"file list", "unknown command 'file'", "yaari help"},
        {"room", "room: missing subcommand",
         "one of: list, new, show, members, invite, join, leave, kick, role, topic, rename, mute, "
         "set"},
        {"room mebers", "room: unknown subcommand 'mebers'", "did you mean 'members'?"},
        {"room invite garden", "room invite: missing F", "yaari help room invite"},
        {"room kick +garden zed --reason x", "room kick: unknown flag '--reason'",
         "yaari help room kick"},
        {"friend", "friend: missing subcommand",
         "one of: list, show, rename, verify, block, unblock, mute, set, remove"},
        {"friend lst", "friend: unknown subcommand 'lst'", "did you mean 'list'?"},
        {"friend introduce a b", "friend: unknown subcommand 'introduce'",
         "one of: list, show, rename, verify, block, unblock, mute, set, remove"},
        {"invite lst", "invite: unknown subcommand 'lst'", "did you mean 'list'?"},
        {"send", "send: missing TARGET", "yaari help send"},
        {"send bob -f x", "send: unknown flag '-f'", "yaari help send"},
        {"send bob --expires", "send: flag '--expires' needs DUR", "yaari help send"},
        {"back now", "back: unexpected argument 'now'", "yaari help back"},
        {"react abcd", "react: missing EMOJI", "yaari help react"},
        {"status now", "status: unexpected argument 'now'", "yaari help status"},
        {"friend show a b", "friend show: unexpected argument 'b'", "yaari help friend show"},
        {"log --ids=yes", "log: flag '--ids' takes no argument", "yaari help log"},
        {"log -n", "log: flag '--count' needs N", "yaari help log"},
        {"log --since", "log: flag '--since' needs T", "yaari help log"},
        {"log --rev", "log: unknown flag '--rev'", "did you mean '--yes'?"},
        {"log --revers", "log: unknown flag '--revers'", "did you mean '--reverse'?"},
        {"--js status", "unknown flag '--js'", "yaari help"},
        {"-vZ status", "unknown flag '-Z'", "yaari help"},
        {"status --json -Z", "status: unknown flag '-Z'", "yaari help status"},
        {"invite --frob", "invite: unknown flag '--frob'", "yaari help invite"},
    };

    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct yr_line line;
        struct words words;

        assert_int_equal(parse(&line, &words, lines[i].text), YR_EXIT_USAGE);
        assert_string_equal(line.fail.what, lines[i].what);
        assert_string_equal(line.fail.hint, lines[i].hint);
    }
}

static void flags_are_kept_with_their_arguments(void **state)
{
    struct yr_line line;
    struct words words;

    assert_int_equal(parse(&line, &words, "-P work send bob hi --reply abcd -v"), YR_EXIT_OK);
    assert_string_equal(line.flag[YR_F_any_profile], "work");
    assert_string_equal(line.flag[YR_F_send_reply], "abcd");
    assert_string_equal(line.flag[YR_F_any_verbose], "");
    assert_null(line.flag[YR_F_send_action]);
    assert_string_equal(line.operands[0], "bob");
    assert_string_equal(line.operands[1], "hi");
}

static void of_a_flag_and_its_opposite_the_last_one_stands(void **state)
{
    struct yr_line line;
    struct words words;

    assert_int_equal(parse(&line, &words, "invite --wait --no-wait"), YR_EXIT_OK);
    assert_null(line.flag[YR_F_invite_new_wait]);
    assert_non_null(line.flag[YR_F_invite_new_no_wait]);
    assert_int_equal(parse(&line, &words, "--no-autostart invite --autostart"), YR_EXIT_OK);
    assert_null(line.flag[YR_F_any_no_autostart]);
    assert_non_null(line.flag[YR_F_any_autostart]);
}

static void exec_takes_the_rest_of_the_line(void **state)
{
    struct yr_line line;
    struct words words;

    assert_int_equal(parse(&line, &words, "tail bob -C 2 --exec cat -n --json"), YR_EXIT_OK);
    assert_int_equal(line.operand_count, 1);
    assert_string_equal(line.operands[0], "bob");
    assert_int_equal(line.rest_count, 3);
    assert_string_equal(line.rest[0], "cat");
    assert_string_equal(line.rest[2], "--json");
    assert_null(line.flag[YR_F_any_json]);
}

static void help_is_not_refused_for_want_of_operands(void **state)
{
    struct yr_line line;
    struct words words;

    assert_int_equal(parse(&line, &words, "send --help"), YR_EXIT_OK);
    assert_true(line.help);
    assert_int_equal(parse(&line, &words, "friend -h"), YR_EXIT_OK);
    assert_true(line.help);
    assert_int_equal(line.group, YR_GROUP_friend);
    assert_int_equal(parse(&line, &words, "--help"), YR_EXIT_OK);
    assert_true(line.help);
    assert_int_equal(parse(&line, &words, "-V"), YR_EXIT_OK);
    assert_true(line.version);
}

static void a_posix_environment_changes_nothing(void **state)
{
    struct yr_line line;
    struct words words;

    setenv("POSIXLY_CORRECT", "1", 1);
    assert_int_equal(parse(&line, &words, "send bob hi --action"), YR_EXIT_OK);
    unsetenv("POSIXLY_CORRECT");
    assert_non_null(line.flag[YR_F_send_action]);
    assert_int_equal(line.operand_count, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_command_has_a_name_a_sentence_and_a_function),
        cmocka_unit_test(no_two_commands_have_the_same_words),
        cmocka_unit_test(flags_of_one_line_never_collide),
        cmocka_unit_test(flags_of_one_name_in_a_group_agree_on_their_argument),
        cmocka_unit_test(exits_of_the_table_are_codes_that_exist),
        cmocka_unit_test(every_operand_is_read_whole),
        cmocka_unit_test(what_belongs_to_later_features_is_absent),
        cmocka_unit_test(help_of_a_command_names_all_its_flags_and_operands),
        cmocka_unit_test(the_overview_names_every_command_and_global_flag),
        cmocka_unit_test(help_fits_80_columns),
        cmocka_unit_test(every_topic_has_a_text),
        cmocka_unit_test(the_completion_of_each_shell_knows_every_command_and_flag),
        cmocka_unit_test(the_manual_says_what_the_table_says),
        cmocka_unit_test(lines_that_are_right_are_read),
        cmocka_unit_test(lines_that_are_wrong_say_what_and_what_to_do),
        cmocka_unit_test(flags_are_kept_with_their_arguments),
        cmocka_unit_test(of_a_flag_and_its_opposite_the_last_one_stands),
        cmocka_unit_test(exec_takes_the_rest_of_the_line),
        cmocka_unit_test(help_is_not_refused_for_want_of_operands),
        cmocka_unit_test(a_posix_environment_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
