/* cli/commands.h: the table of commands.def, and the parser that reads a command line by it. */
#ifndef YR_COMMANDS_H
#define YR_COMMANDS_H

#include "cli/common/exits.h"
#include "yaari/api.h"

struct yr_cli;

enum yr_trait {
    YR_T_AUTOSTART = 1, /* starts the node by itself on a terminal */
    YR_T_PAGED = 2,     /* long output goes to the pager */
    YR_T_LOCAL = 4,     /* never talks to the node, needs no profile */
    YR_T_HIDDEN = 8     /* in no help */
};

enum yr_group_id {
    YR_GROUP_none,
#define YR_SECTION(title)
#define YR_GROUP(id, name, bare, help) YR_GROUP_##id,
#define YR_COMMAND(id, group, name, operands, help, json, methods, exits, traits)
#define YR_FLAG(command, id, letter, name, arg, help)
#define YR_NOTE(command, text)
#include "cli/commands.def"
#undef YR_GROUP
#undef YR_COMMAND
    YR_GROUP_COUNT
};

enum yr_command_id {
    YR_CMD_any, /* owner of the global flags */
    YR_CMD_none = YR_CMD_any,
#define YR_GROUP(id, name, bare, help)
#define YR_COMMAND(id, group, name, operands, help, json, methods, exits, traits) YR_CMD_##id,
#include "cli/commands.def"
#undef YR_COMMAND
#undef YR_FLAG
    YR_CMD_COUNT
};

/** One for each flag of each command: YR_F_send_reply; of the global ones: YR_F_any_json. */
enum yr_flag_id {
#define YR_COMMAND(id, group, name, operands, help, json, methods, exits, traits)
#define YR_FLAG(command, id, letter, name, arg, help) YR_F_##command##_##id,
#include "cli/commands.def"
#undef YR_COMMAND
#undef YR_FLAG
#undef YR_SECTION
#undef YR_GROUP
#undef YR_NOTE
    YR_F_COUNT
};

struct yr_flag_desc {
    enum yr_command_id owner;
    char letter; /* 0: none */
    const char *name;
    const char *arg; /* NULL: takes none */
    const char *help;
};
extern const struct yr_flag_desc yr_flags[YR_F_COUNT];

struct yr_command_desc {
    enum yr_group_id group;
    const char *name; /* of the last word */
    const char *operands, *help;
    const char *json, *methods, *exits; /* words, separated by blanks */
    unsigned traits;
    enum yr_exit (*run)(struct yr_cli *cli);
};
extern const struct yr_command_desc yr_commands[YR_CMD_COUNT]; /* [YR_CMD_none] is zero */

struct yr_group_desc {
    const char *name;
    enum yr_command_id bare; /* YR_CMD_none: a subcommand is needed */
    const char *help;
};
extern const struct yr_group_desc yr_groups[YR_GROUP_COUNT]; /* [YR_GROUP_none] is zero */

/** A command line, read. */
struct yr_line {
    enum yr_command_id command;   /* YR_CMD_none: bare `yaari` */
    enum yr_group_id group;       /* with command none: help was asked for this group */
    const char *flag[YR_F_COUNT]; /* argument; "" where given without one; NULL: not given */
    int operand_count;
    char **operands; /* lent from argv, which is reordered */
    int rest_count;  /* of a flag that takes the rest of the line, its own argument first */
    char **rest;
    bool help, version;
    struct yr_fail fail; /* of yr_line_parse, when it did not return 0 */
};

/** Read argv (argv[0] is the program).  --help and --version are not refused for want of operands.
 *  YR_EXIT_OK, or YR_EXIT_USAGE with line->fail filled in; the flags read so far are there. */
enum yr_exit yr_line_parse(struct yr_line *line, int argc, char **argv);

/** "friend list", "send": the words of a command.  size >= 64. */
void yr_command_words(enum yr_command_id id, char *out, size_t size);

/** What --help says below the flags; NULL: nothing. */
const char *yr_command_note(enum yr_command_id id);

/** The command or group of these words ("friend", "friend list", "send"); false: there is none. */
bool yr_command_find(const char *first, const char *second, enum yr_command_id *command,
                     enum yr_group_id *group);

/** One operand of a table row: "MSG...", "[PARAMS|-]". */
struct yr_operand {
    char name[64]; /* without brackets and dots: "PARAMS|-" */
    bool optional, many;
};
/** Step through `operands`; *at starts at 0.  false: no more. */
bool yr_operand_next(const char *operands, size_t *at, struct yr_operand *out);

/* One function a command: cli/cmd_*.c */
#define YR_SECTION(title)
#define YR_GROUP(id, name, bare, help)
#define YR_COMMAND(id, group, name, operands, help, json, methods, exits, traits) \
    enum yr_exit yr_cmd_##id(struct yr_cli *cli);
#define YR_FLAG(command, id, letter, name, arg, help)
#define YR_NOTE(command, text)
#include "cli/commands.def"
#undef YR_SECTION
#undef YR_GROUP
#undef YR_COMMAND
#undef YR_FLAG
#undef YR_NOTE

#endif
