/* cli/help.c: see help.h. */
#include "cli/help.h"

#include <stdio.h>
#include <string.h>

#define WIDTH 79 /* columns of help text */

static void pad_to(struct yr_buf *out, size_t line_start, size_t column)
{
    do
        yr_buf_addc(out, ' ');
    while (out->len - line_start < column);
}

/** Add ASCII words, folded at WIDTH; the first line goes on at the present column, later ones start
 *  at `indent`. */
static void fold(struct yr_buf *out, size_t line_start, size_t indent, const char *text)
{
    bool first = true;

    while (*text != '\0') {
        const size_t len = strcspn(text, " "), column = out->len - line_start;

        if (!first && column + 1 + len > WIDTH) {
            yr_buf_addc(out, '\n');
            line_start = out->len;
            for (size_t i = 0; i < indent; i++)
                yr_buf_addc(out, ' ');
        } else if (!first) {
            yr_buf_addc(out, ' ');
        }
        yr_buf_add(out, text, len);
        text += len + (text[len] == ' ');
        first = false;
    }
    yr_buf_addc(out, '\n');
}

/** "  head    text", the text folded beside it. */
static void entry(struct yr_buf *out, const char *head, size_t column, const char *text)
{
    const size_t start = out->len;

    yr_buf_adds(out, head);
    pad_to(out, start, column);
    fold(out, start, column, text);
}

static void flag_head(const struct yr_flag_desc *flag, char *out, size_t size)
{
    snprintf(out, size, "  %c%c%s --%s%s%s", flag->letter == '\0' ? ' ' : '-',
             flag->letter == '\0' ? ' ' : flag->letter, flag->letter == '\0' ? " " : ",",
             flag->name, flag->arg == NULL ? "" : " ", flag->arg == NULL ? "" : flag->arg);
}

static void flags_of(struct yr_buf *out, enum yr_command_id owner)
{
    for (int i = 0; i < YR_F_COUNT; i++) {
        char head[80];

        if (yr_flags[i].owner != owner)
            continue;
        flag_head(&yr_flags[i], head, sizeof head);
        entry(out, head, 28, yr_flags[i].help);
    }
}

/** "yaari send TARGET [TEXT...|-] [--reply MSG] ...", on one line without a newline. */
static void synopsis(struct yr_buf *out, enum yr_command_id id)
{
    const struct yr_command_desc *command = &yr_commands[id];
    char words[64];

    yr_command_words(id, words, sizeof words);
    if (command->group != YR_GROUP_none && yr_groups[command->group].bare == id)
        yr_buf_addf(out, "yaari %s [%s]", yr_groups[command->group].name, command->name);
    else
        yr_buf_addf(out, "yaari %s", words);
    if (command->operands[0] != '\0')
        yr_buf_addf(out, " %s", command->operands);
    for (int i = 0; i < YR_F_COUNT; i++) {
        const struct yr_flag_desc *flag = &yr_flags[i];

        if (flag->owner != id)
            continue;
        if (flag->letter != '\0')
            yr_buf_addf(out, " [-%c", flag->letter);
        else
            yr_buf_addf(out, " [--%s", flag->name);
        yr_buf_addf(out, "%s%s]", flag->arg == NULL ? "" : " ", flag->arg == NULL ? "" : flag->arg);
    }
}

static bool has_flags(enum yr_command_id id)
{
    for (int i = 0; i < YR_F_COUNT; i++)
        if (yr_flags[i].owner == id)
            return true;
    return false;
}

void yr_help_command(struct yr_buf *out, enum yr_command_id id)
{
    const struct yr_command_desc *command = &yr_commands[id];
    struct yr_buf line = {0};
    size_t start = out->len;

    synopsis(&line, id);
    yr_buf_adds(out, "usage: ");
    fold(out, start, 9, yr_buf_str(&line));
    yr_buf_clear(&line);
    yr_buf_addf(out, "\n%s\n", command->help);
    if (has_flags(id)) {
        yr_buf_adds(out, "\nFlags (and those of every command: yaari help)\n");
        flags_of(out, id);
    }
    if (yr_command_note(id) != NULL) {
        yr_buf_addc(out, '\n');
        fold(out, out->len, 0, yr_command_note(id));
    }
    yr_buf_addf(out, "\nexits: 0%s%s, and as any command 64 69-71 74 76-78\n",
                command->exits[0] == '\0' ? "" : " ", command->exits);
    if (command->json[0] != '\0')
        yr_buf_addf(out, "json:  %s\n", command->json);
    if (command->methods[0] != '\0')
        yr_buf_addf(out, "rpc:   %s\n", command->methods);
}

void yr_help_group(struct yr_buf *out, enum yr_group_id group)
{
    if (yr_groups[group].bare != YR_CMD_none) {
        yr_help_command(out, yr_groups[group].bare);
        yr_buf_addf(out, "\nAll of yaari %s\n", yr_groups[group].name);
    } else {
        yr_buf_addf(out, "yaari %s: %s\n\n", yr_groups[group].name, yr_groups[group].help);
    }
    for (int i = YR_CMD_any + 1; i < YR_CMD_COUNT; i++) {
        const struct yr_command_desc *command = &yr_commands[i];
        char head[96];

        if (command->group != group)
            continue;
        snprintf(head, sizeof head, "  yaari %s %s%s%s", yr_groups[group].name, command->name,
                 command->operands[0] == '\0' ? "" : " ", command->operands);
        entry(out, head, 40, command->help);
    }
    yr_buf_addf(out, "\nMore: yaari help %s COMMAND\n", yr_groups[group].name);
}

static void overview_command(struct yr_buf *out, enum yr_command_id id)
{
    const struct yr_command_desc *command = &yr_commands[id];
    char head[96];

    if (command->group != YR_GROUP_none || (command->traits & YR_T_HIDDEN) != 0)
        return;
    snprintf(head, sizeof head, "  %s %s", command->name, command->operands);
    entry(out, head, 28, command->help);
}

static void overview_group(struct yr_buf *out, enum yr_group_id group)
{
    char text[256], head[64];
    size_t len = (size_t)snprintf(text, sizeof text, "%s (", yr_groups[group].help);

    for (int i = YR_CMD_any + 1; i < YR_CMD_COUNT; i++)
        if (yr_commands[i].group == group && len < sizeof text)
            len += (size_t)snprintf(text + len, sizeof text - len, "%s%s",
                                    text[len - 1] == '(' ? "" : " ", yr_commands[i].name);
    if (len < sizeof text)
        snprintf(text + len, sizeof text - len, ")");
    snprintf(head, sizeof head, "  %s ...", yr_groups[group].name);
    entry(out, head, 28, text);
}

void yr_help_overview(struct yr_buf *out)
{
    yr_buf_adds(out, "yaari: talk with friends, no server between\n\n"
                     "usage: yaari [FLAGS] COMMAND [ARGUMENTS] [FLAGS]\n");
#define YR_SECTION(title)              yr_buf_addf(out, "\n%s\n", title);
#define YR_GROUP(id, name, bare, help) overview_group(out, YR_GROUP_##id);
#define YR_COMMAND(id, group, name, operands, help, json, methods, exits, traits) \
    overview_command(out, YR_CMD_##id);
#define YR_FLAG(command, id, letter, name, arg, help)
#define YR_NOTE(command, text)
#include "cli/commands.def"
#undef YR_SECTION
#undef YR_GROUP
#undef YR_COMMAND
#undef YR_FLAG
#undef YR_NOTE
    yr_buf_adds(out, "\nFlags of every command\n");
    flags_of(out, YR_CMD_any);
    yr_buf_adds(out, "\nMore: yaari help COMMAND, yaari help TOPIC\nTopics:");
    for (size_t i = 0; yr_help_topic_at(i) != NULL; i++)
        yr_buf_addf(out, " %s", yr_help_topic_at(i));
    yr_buf_addc(out, '\n');
}

void yr_help_welcome(struct yr_buf *out)
{
    yr_buf_adds(out, "Welcome to yaari. You have no identity yet; the first of these makes one:\n"
                     "  yaari invite      make a link and give it to a friend\n"
                     "  yaari add LINK    use the link that a friend gave you\n"
                     "  yaari chat        then talk\n");
}

/* ---- the manual ---- */

/** Text in scdoc's language: _ and * would be markup. */
static void man_text(struct yr_buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (strchr("_*\\`<[#~", *text) != NULL)
            yr_buf_addc(out, '\\');
        yr_buf_addc(out, *text);
    }
}

static void man_flag(struct yr_buf *out, const struct yr_flag_desc *flag)
{
    if (flag->letter != '\0')
        yr_buf_addf(out, "*-%c*, ", flag->letter);
    yr_buf_addf(out, "*--%s*", flag->name);
    if (flag->arg != NULL) {
        yr_buf_addc(out, ' ');
        man_text(out, flag->arg);
    }
    yr_buf_adds(out, "\n\t");
    man_text(out, flag->help);
    yr_buf_adds(out, ".\n\n");
}

static void man_command(struct yr_buf *out, enum yr_command_id id)
{
    const struct yr_command_desc *command = &yr_commands[id];
    struct yr_buf line = {0};
    char words[64];

    if ((command->traits & YR_T_HIDDEN) != 0)
        return;
    yr_command_words(id, words, sizeof words);
    synopsis(&line, id);
    yr_buf_addf(out, "## yaari %s\n\n", words);
    man_text(out, yr_buf_str(&line));
    yr_buf_clear(&line);
    yr_buf_adds(out, "\n\n\t");
    man_text(out, command->help);
    yr_buf_adds(out, ".\n\n");
    for (int i = 0; i < YR_F_COUNT; i++)
        if (yr_flags[i].owner == id)
            man_flag(out, &yr_flags[i]);
    if (yr_command_note(id) != NULL) {
        man_text(out, yr_command_note(id));
        yr_buf_adds(out, "\n\n");
    }
    if (command->exits[0] != '\0')
        yr_buf_addf(out, "Exits: %s.\n\n", command->exits);
}

void yr_help_man(struct yr_buf *out)
{
    yr_buf_adds(out, "# GLOBAL FLAGS\n\nBefore or after the command.\n\n");
    for (int i = 0; i < YR_F_COUNT; i++)
        if (yr_flags[i].owner == YR_CMD_any)
            man_flag(out, &yr_flags[i]);
    yr_buf_adds(out, "# COMMANDS\n\n");
    for (int i = YR_CMD_any + 1; i < YR_CMD_COUNT; i++)
        man_command(out, (enum yr_command_id)i);
    yr_buf_adds(out,
                "# EXIT CODES\n\nThose of sysexits.h; above, those beyond 0 that a command may "
                "have besides 64, 69 to 71,\n74 and 76 to 78.\n\n");
#define X(name, code, label, meaning) yr_buf_addf(out, "*%d* %s\n\t%s.\n\n", code, label, meaning);
    YR_EXIT_MAP(X)
#undef X
}
