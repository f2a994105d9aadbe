/* cli/commands.c: see commands.h. */
#include "cli/commands.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/common/suggest.h"

#define YR_SECTION(title)
#define YR_GROUP(id, name, bare, help)
#define YR_COMMAND(id, group, name, operands, help, json, methods, exits, traits)
#define YR_FLAG(command, id, letter, name, arg, help) {YR_CMD_##command, letter, name, arg, help},
#define YR_NOTE(command, text)
const struct yr_flag_desc yr_flags[YR_F_COUNT] = {
#include "cli/commands.def"
};
#undef YR_FLAG
#undef YR_COMMAND
#undef YR_NOTE

#define YR_FLAG(command, id, letter, name, arg, help)
#define YR_COMMAND(id, group, name, operands, help, json, methods, exits, traits)
#define YR_NOTE(command, text) [YR_CMD_##command] = (text),
static const char *const notes[YR_CMD_COUNT] = {
#include "cli/commands.def"
};
#undef YR_COMMAND
#undef YR_NOTE

#define YR_NOTE(command, text)
#define YR_COMMAND(id, group, name, operands, help, json, methods, exits, traits) \
    [YR_CMD_##                                                                    \
        id] = {YR_GROUP_##group, name, operands, help, json, methods, exits, traits, yr_cmd_##id},
const struct yr_command_desc yr_commands[YR_CMD_COUNT] = {
#include "cli/commands.def"
};
#undef YR_COMMAND
#undef YR_GROUP

#define YR_COMMAND(id, group, name, operands, help, json, methods, exits, traits)
#define YR_GROUP(id, name, bare, help) [YR_GROUP_##id] = {name, YR_CMD_##bare, help},
const struct yr_group_desc yr_groups[YR_GROUP_COUNT] = {
#include "cli/commands.def"
};

const char *yr_command_note(enum yr_command_id id)
{
    return notes[id];
}

void yr_command_words(enum yr_command_id id, char *out, size_t size)
{
    const struct yr_command_desc *command = &yr_commands[id];

    if (command->group == YR_GROUP_none)
        snprintf(out, size, "%s", id == YR_CMD_any ? "" : command->name);
    else
        snprintf(out, size, "%s %s", yr_groups[command->group].name, command->name);
}

static enum yr_command_id find_command(enum yr_group_id group, const char *name)
{
    for (int i = YR_CMD_any + 1; i < YR_CMD_COUNT; i++)
        if (yr_commands[i].group == group && strcmp(yr_commands[i].name, name) == 0)
            return (enum yr_command_id)i;
    return YR_CMD_none;
}

static enum yr_group_id find_group(const char *name)
{
    for (int i = YR_GROUP_none + 1; i < YR_GROUP_COUNT; i++)
        if (strcmp(yr_groups[i].name, name) == 0)
            return (enum yr_group_id)i;
    return YR_GROUP_none;
}

bool yr_command_find(const char *first, const char *second, enum yr_command_id *command,
                     enum yr_group_id *group)
{
    *group = find_group(first);
    *command = YR_CMD_none;
    if (*group == YR_GROUP_none && second == NULL)
        *command = find_command(YR_GROUP_none, first);
    else if (*group != YR_GROUP_none && second != NULL)
        *command = find_command(*group, second);
    return *command != YR_CMD_none || (*group != YR_GROUP_none && second == NULL);
}

bool yr_operand_next(const char *operands, size_t *at, struct yr_operand *out)
{
    const char *word = operands + *at + strspn(operands + *at, " ");
    const char *end = word;
    int depth = 0;
    size_t len;

    if (*word == '\0')
        return false;
    for (; *end != '\0' && (depth > 0 || *end != ' '); end++)
        depth += *end == '[' ? 1 : *end == ']' ? -1 : 0;
    *at = (size_t)(end - operands);
    out->optional = *word == '[';
    len = (size_t)(end - word);
    out->many = memmem(word, len, "...", 3) != NULL;
    len = 0;
    for (const char *c = word; c < end && len < sizeof out->name - 1; c++)
        if (strchr("[].", *c) == NULL)
            out->name[len++] = *c;
    out->name[len] = '\0';
    return true;
}

/* ---- reading a line ---- */

/** Whose flags a scan knows: the global ones and those of one command or of a whole group. */
struct scan {
    enum yr_command_id command;
    enum yr_group_id group;
    bool look_only; /* stop at the first operand and keep nothing */
};

static bool knows(const struct scan *scan, const struct yr_flag_desc *flag)
{
    if (flag->owner == YR_CMD_any)
        return true;
    if (scan->group != YR_GROUP_none)
        return yr_commands[flag->owner].group == scan->group;
    return scan->command != YR_CMD_none && flag->owner == scan->command;
}

/** The tables getopt_long wants.  val of a long option: 256 + flag. */
struct getopt_tables {
    struct option longs[YR_F_COUNT + 1];
    char shorts[2 + 2 * YR_F_COUNT + 1];
};

static void fill_tables(struct getopt_tables *tables, const struct scan *scan)
{
    size_t count = 0, len = 0;

    tables->shorts[len++] = '-'; // operands come in order, as code 1
    tables->shorts[len++] = ':'; // a missing argument is told from an unknown flag
    for (int i = 0; i < YR_F_COUNT; i++) {
        const struct yr_flag_desc *flag = &yr_flags[i];

        if (!knows(scan, flag))
            continue;
        tables->longs[count++] = (struct option){
            flag->name, flag->arg == NULL ? no_argument : required_argument, NULL, 256 + i};
        if (flag->letter != '\0') {
            tables->shorts[len++] = flag->letter;
            if (flag->arg != NULL)
                tables->shorts[len++] = ':';
        }
    }
    tables->longs[count] = (struct option){0};
    tables->shorts[len] = '\0';
}

static int flag_by_letter(const struct scan *scan, int letter)
{
    for (int i = 0; i < YR_F_COUNT; i++)
        if (yr_flags[i].letter == letter && knows(scan, &yr_flags[i]))
            return i;
    return -1;
}

/** "send: ", "friend: " or "": where on the line we are. */
static const char *where(const struct scan *scan, char *out, size_t size)
{
    char words[64] = "";

    if (scan->command != YR_CMD_none)
        yr_command_words(scan->command, words, sizeof words);
    else if (scan->group != YR_GROUP_none)
        snprintf(words, sizeof words, "%s", yr_groups[scan->group].name);
    snprintf(out, size, "%s%s", words, words[0] == '\0' ? "" : ": ");
    return out;
}

static void hint_help(struct yr_fail *fail, const struct scan *scan)
{
    char words[64] = "";

    if (scan->command != YR_CMD_none)
        yr_command_words(scan->command, words, sizeof words);
    else if (scan->group != YR_GROUP_none)
        snprintf(words, sizeof words, "%s", yr_groups[scan->group].name);
    yr_fail_hint(fail, "yaari help%s%s", words[0] == '\0' ? "" : " ", words);
}

static enum yr_exit unknown_flag(struct yr_line *line, const struct scan *scan, const char *spelled,
                                 int letter)
{
    char at[72], name[64];
    struct yr_suggest suggest;

    where(scan, at, sizeof at);
    if (letter != 0) {
        yr_fail(&line->fail, YR_EXIT_USAGE, "%sunknown flag '-%c'", at, letter);
        hint_help(&line->fail, scan);
        return YR_EXIT_USAGE;
    }
    snprintf(name, sizeof name, "%.*s", (int)strcspn(spelled + 2, "="), spelled + 2);
    yr_fail(&line->fail, YR_EXIT_USAGE, "%sunknown flag '--%s'", at, name);
    hint_help(&line->fail, scan);
    suggest = yr_suggest_init(name);
    for (int i = 0; i < YR_F_COUNT; i++)
        if (knows(scan, &yr_flags[i]))
            yr_suggest_try(&suggest, yr_flags[i].name);
    if (suggest.best != NULL)
        yr_fail_hint(&line->fail, "did you mean '--%s'?", suggest.best);
    return YR_EXIT_USAGE;
}

/** What getopt_long could not read: code is '?' or ':'. */
static enum yr_exit refused(struct yr_line *line, const struct scan *scan, int code,
                            const char *spelled)
{
    char at[72];
    const bool is_long = optopt == 0 || optopt >= 256;
    const int flag = optopt >= 256 ? optopt - 256 : flag_by_letter(scan, optopt);

    where(scan, at, sizeof at);
    if (code == ':' && flag >= 0) {
        yr_fail(&line->fail, YR_EXIT_USAGE, "%sflag '--%s' needs %s", at, yr_flags[flag].name,
                yr_flags[flag].arg);
        hint_help(&line->fail, scan);
        return YR_EXIT_USAGE;
    }
    if (is_long && optopt >= 256) {
        yr_fail(&line->fail, YR_EXIT_USAGE, "%sflag '--%s' takes no argument", at,
                yr_flags[flag].name);
        hint_help(&line->fail, scan);
        return YR_EXIT_USAGE;
    }
    return unknown_flag(line, scan, spelled, is_long ? 0 : optopt);
}

/** Keep a flag; it takes back what says the opposite: --wait and --no-wait, the last one stands. */
static void keep(struct yr_line *line, int flag, const char *arg)
{
    const char *name = yr_flags[flag].name;

    line->flag[flag] = arg == NULL ? "" : arg;
    for (int i = 0; i < YR_F_COUNT; i++) {
        const char *other = yr_flags[i].name;

        if (yr_flags[i].owner != yr_flags[flag].owner)
            continue;
        if ((strncmp(other, "no-", 3) == 0 && strcmp(other + 3, name) == 0) ||
            (strncmp(name, "no-", 3) == 0 && strcmp(name + 3, other) == 0))
            line->flag[i] = NULL;
    }
}

/** Does this flag take the rest of the line? */
static bool takes_rest(int flag)
{
    return yr_flags[flag].arg != NULL && strstr(yr_flags[flag].arg, "...]") != NULL;
}

/** Read argv[1..argc) by the flags `scan` knows; operands are moved to the front of argv + 1.
 *  *first: with look_only, the index of the first operand, or argc. */
static enum yr_exit scan_flags(struct yr_line *line, const struct scan *scan, int argc, char **argv,
                               int *first)
{
    static struct getopt_tables tables;
    int code, count = 0;

    fill_tables(&tables, scan);
    optind = 0; // glibc: start anew
    opterr = 0;
    line->operands = argv + 1;
    while ((code = getopt_long(argc, argv, tables.shorts, tables.longs, NULL)) != -1) {
        const bool apart = optarg != NULL && optind > 1 && optarg == argv[optind - 1];
        const char *spelled = optind > 1 ? argv[optind - (apart && code != 1 ? 2 : 1)] : "";
        int flag;

        if (code == 1) {
            if (scan->look_only) {
                *first = optind - 1;
                return YR_EXIT_OK;
            }
            line->operands[count++] = optarg;
            continue;
        }
        if (code == '?' || code == ':')
            return refused(line, scan, code, spelled);
        flag = code >= 256 ? code - 256 : flag_by_letter(scan, code);
        // getopt_long takes abbreviations; we do not: they would change meaning with each new flag
        if (code >= 256 && strcspn(spelled + 2, "=") != strlen(yr_flags[flag].name))
            return unknown_flag(line, scan, spelled, 0);
        if (scan->look_only && yr_flags[flag].owner != YR_CMD_any)
            continue;
        keep(line, flag, optarg);
        if (takes_rest(flag)) {
            line->rest = argv + optind - 1;
            line->rest_count = argc - optind + 1;
            optind = argc;
            break;
        }
    }
    if (scan->look_only) {
        *first = optind;
        return YR_EXIT_OK;
    }
    for (int i = optind; i < argc; i++)
        line->operands[count++] = argv[i];
    line->operand_count = count;
    return YR_EXIT_OK;
}

static enum yr_exit check_operands(struct yr_line *line, const struct scan *scan)
{
    const char *operands = yr_commands[scan->command].operands;
    struct yr_operand operand;
    char at[72];
    int given = 0;
    size_t pos = 0;

    where(scan, at, sizeof at);
    while (yr_operand_next(operands, &pos, &operand)) {
        if (given < line->operand_count) {
            given = operand.many ? line->operand_count : given + 1;
        } else if (!operand.optional) {
            yr_fail(&line->fail, YR_EXIT_USAGE, "%smissing %s", at, operand.name);
            hint_help(&line->fail, scan);
            return YR_EXIT_USAGE;
        }
    }
    if (given < line->operand_count) {
        yr_fail(&line->fail, YR_EXIT_USAGE, "%sunexpected argument '%s'", at,
                line->operands[given]);
        hint_help(&line->fail, scan);
        return YR_EXIT_USAGE;
    }
    return YR_EXIT_OK;
}

static enum yr_exit parse_command(struct yr_line *line, enum yr_command_id id, int argc,
                                  char **argv)
{
    const struct scan scan = {.command = id};
    enum yr_exit exit;

    line->command = id;
    exit = scan_flags(line, &scan, argc, argv, NULL);
    line->help = line->flag[YR_F_any_help] != NULL;
    line->version = line->flag[YR_F_any_version] != NULL;
    if (exit == YR_EXIT_OK && !line->help && !line->version)
        exit = check_operands(line, &scan);
    return exit;
}

static void list_subcommands(struct yr_fail *fail, enum yr_group_id group)
{
    char words[192] = "";
    size_t len = 0;

    for (int i = YR_CMD_any + 1; i < YR_CMD_COUNT; i++)
        if (yr_commands[i].group == group && len < sizeof words)
            len += (size_t)snprintf(words + len, sizeof words - len, "%s%s", len == 0 ? "" : ", ",
                                    yr_commands[i].name);
    yr_fail_hint(fail, "one of: %s", words);
}

static enum yr_exit unknown_word(struct yr_line *line, enum yr_group_id group, const char *word)
{
    struct yr_suggest suggest = yr_suggest_init(word);

    for (int i = YR_CMD_any + 1; i < YR_CMD_COUNT; i++)
        if (yr_commands[i].group == group && (yr_commands[i].traits & YR_T_HIDDEN) == 0)
            yr_suggest_try(&suggest, yr_commands[i].name);
    for (int i = YR_GROUP_none + 1; group == YR_GROUP_none && i < YR_GROUP_COUNT; i++)
        yr_suggest_try(&suggest, yr_groups[i].name);
    if (group == YR_GROUP_none) {
        yr_fail(&line->fail, YR_EXIT_USAGE, "unknown command '%s'", word);
        yr_fail_hint(&line->fail, "yaari help");
    } else {
        yr_fail(&line->fail, YR_EXIT_USAGE, "%s: unknown subcommand '%s'", yr_groups[group].name,
                word);
        list_subcommands(&line->fail, group);
    }
    if (suggest.best != NULL)
        yr_fail_hint(&line->fail, "did you mean '%s'?", suggest.best);
    return YR_EXIT_USAGE;
}

/** argv[0] is the group's name. */
static enum yr_exit parse_group(struct yr_line *line, enum yr_group_id group, int argc, char **argv)
{
    const struct scan look = {.group = group, .look_only = true};
    enum yr_command_id id = YR_CMD_none;
    int at = argc;
    enum yr_exit exit = scan_flags(line, &look, argc, argv, &at);

    if (exit != YR_EXIT_OK)
        return exit;
    if (at < argc)
        id = find_command(group, argv[at]);
    if (id != YR_CMD_none) {
        char *word = argv[at];

        memmove(argv + 1, argv,
                (size_t)at * sizeof *argv); // the subcommand's word is the new argv[0]
        argv[1] = word;
        return parse_command(line, id, argc - 1, argv + 1);
    }
    line->group = group;
    line->help = line->flag[YR_F_any_help] != NULL;
    line->version = line->flag[YR_F_any_version] != NULL;
    if (line->help || line->version)
        return YR_EXIT_OK;
    if (at < argc)
        return unknown_word(line, group, argv[at]);
    if (yr_groups[group].bare != YR_CMD_none)
        return parse_command(line, yr_groups[group].bare, argc, argv);
    yr_fail(&line->fail, YR_EXIT_USAGE, "%s: missing subcommand", yr_groups[group].name);
    list_subcommands(&line->fail, group);
    return YR_EXIT_USAGE;
}

enum yr_exit yr_line_parse(struct yr_line *line, int argc, char **argv)
{
    const struct scan globals = {.look_only = true};
    enum yr_command_id id;
    enum yr_group_id group;
    int at = argc;
    enum yr_exit exit;

    memset(line, 0, sizeof *line);
    exit = scan_flags(line, &globals, argc, argv, &at);
    line->help = line->flag[YR_F_any_help] != NULL;
    line->version = line->flag[YR_F_any_version] != NULL;
    if (exit != YR_EXIT_OK || at >= argc)
        return exit;
    if (!yr_command_find(argv[at], NULL, &id, &group))
        return unknown_word(line, YR_GROUP_none, argv[at]);
    if (group != YR_GROUP_none)
        return parse_group(line, group, argc - at, argv + at);
    return parse_command(line, id, argc - at, argv + at);
}
