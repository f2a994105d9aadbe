/* cli/completion.c: see completion.h.
 *
 * Verbs and flags are in the script itself; names come from `yaari __complete KIND PREFIX`, which
 * gives up after 300 ms and then says nothing. */
#include "cli/completion.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name, *kind;
} kinds[] = {
    {"TARGET", "target"},
    {"F", "friend"},
    {"R", "room"},
    {"MSG", "message"},
    {"MSG|F", "friend"},
    {"INVITE", "invite"},
    {"PEER", "peer"},
    {"KEY", "key"},
    {"FILE", "file"},
    {"F|me", "friend"},
    {"REQUEST", "request"},
    {"WHEN", "auto always never"},
    {"MODE", "auto ascii invert no"},
    {"STATE", "accepted delivered read"},
    {"FMT", "iso short unix rel"},
    {"PATH", "file"},
    {"METHOD", "method"},
};

/** What completes an operand or a flag's argument: a kind of the `complete` method ("target",
 *  "friend", "room", "message", "invite", "peer", "key"), "file", a list of words ("bash|zsh|fish"
 * gives "bash zsh fish"), or "": nothing is known.  name as in the table, without brackets and
 * dots. */
static void completes_of(const char *name, char *out, size_t size)
{
    size_t len = 0;
    bool words = strchr(name, '|') != NULL;

    out[0] = '\0';
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i].name, name) == 0) {
            snprintf(out, size, "%s", kinds[i].kind);
            return;
        }
    for (const char *c = name; *c != '\0'; c++)
        words = words && (islower((unsigned char)*c) || *c == '|');
    for (const char *c = name; words && *c != '\0' && len + 1 < size; c++) {
        out[len++] = *c == '|' ? ' ' : *c;
        out[len] = '\0';
    }
}

/** A list of words rather than a kind to ask the node for? */
static bool is_words(const char *completes)
{
    return strchr(completes, ' ') != NULL;
}

static bool hidden(int id)
{
    return (yr_commands[id].traits & YR_T_HIDDEN) != 0;
}

/** The operand at place `index` of a command, or the last one if it repeats; false: none. */
static bool operand_at(enum yr_command_id id, int index, struct yr_operand *out)
{
    size_t at = 0;

    for (int i = 0; yr_operand_next(yr_commands[id].operands, &at, out); i++)
        if (i == index || out->many)
            return true;
    return false;
}

#define OPERANDS_MAX 2 /* places worth completing */

static void top_words(struct yr_buf *out)
{
    for (int i = YR_CMD_any + 1; i < YR_CMD_COUNT; i++)
        if (yr_commands[i].group == YR_GROUP_none && !hidden(i))
            yr_buf_addf(out, "%s ", yr_commands[i].name);
    for (int i = YR_GROUP_none + 1; i < YR_GROUP_COUNT; i++)
        yr_buf_addf(out, "%s ", yr_groups[i].name);
    yr_buf_cut(out, out->len - 1);
}

static void group_words(struct yr_buf *out, enum yr_group_id group)
{
    for (int i = YR_CMD_any + 1; i < YR_CMD_COUNT; i++)
        if (yr_commands[i].group == group)
            yr_buf_addf(out, "%s ", yr_commands[i].name);
    yr_buf_cut(out, out->len - 1);
}

static void flag_words(struct yr_buf *out, enum yr_command_id owner)
{
    for (int i = 0; i < YR_F_COUNT; i++) {
        if (yr_flags[i].owner != owner)
            continue;
        if (yr_flags[i].letter != '\0')
            yr_buf_addf(out, "-%c ", yr_flags[i].letter);
        yr_buf_addf(out, "--%s ", yr_flags[i].name);
    }
}

/** The pattern of all flags that take an argument: "-P|--profile|..." */
static void flags_with_arg(struct yr_buf *out)
{
    bool first = true;

    for (int i = 0; i < YR_F_COUNT; i++) {
        if (yr_flags[i].arg == NULL)
            continue;
        yr_buf_addf(out, "%s--%s", first ? "" : "|", yr_flags[i].name);
        if (yr_flags[i].letter != '\0')
            yr_buf_addf(out, "|-%c", yr_flags[i].letter);
        first = false;
    }
}

/** One `case` arm a command: its flags, and what its operands are.  bash and zsh share it; the
 *  words set f (flags), o0 and o1 (operands: words or a kind). */
static void command_arms(struct yr_buf *out)
{
    for (int i = YR_CMD_any + 1; i < YR_CMD_COUNT; i++) {
        char words[64];

        if (hidden(i))
            continue;
        yr_command_words((enum yr_command_id)i, words, sizeof words);
        if (yr_commands[i].group != YR_GROUP_none &&
            yr_groups[yr_commands[i].group].bare == (enum yr_command_id)i)
            yr_buf_addf(out, "    '%s'|'%s')", words, yr_groups[yr_commands[i].group].name);
        else
            yr_buf_addf(out, "    '%s')", words);
        yr_buf_adds(out, " f='");
        flag_words(out, (enum yr_command_id)i);
        yr_buf_addc(out, '\'');
        for (int n = 0; n < OPERANDS_MAX; n++) {
            struct yr_operand operand;
            char completes[64];

            if (!operand_at((enum yr_command_id)i, n, &operand))
                break;
            completes_of(operand.name, completes, sizeof completes);
            yr_buf_addf(out, " o%d='%s'", n, completes);
        }
        yr_buf_adds(out, " ;;\n");
    }
}

/** One pattern of an arm: the words of a command (NULL: of any) and the flag as typed. */
static void argument_pattern(struct yr_buf *out, const char *words, const char *dashes,
                             const char *flag)
{
    if (out->at[out->len - 1] != ' ')
        yr_buf_addc(out, '|');
    if (words == NULL)
        yr_buf_addf(out, "*\" %s%s\"", dashes, flag);
    else
        yr_buf_addf(out, "\"%s %s%s\"", words, dashes, flag);
}

static void argument_patterns(struct yr_buf *out, const char *words,
                              const struct yr_flag_desc *flag)
{
    argument_pattern(out, words, "--", flag->name);
    if (flag->letter != '\0')
        argument_pattern(out, words, "-", (const char[]){flag->letter, '\0'});
}

/** What completes the argument of a flag, as arms of a case over "COMMAND --flag". */
static void argument_arms(struct yr_buf *out)
{
    for (int i = 0; i < YR_F_COUNT; i++) {
        const struct yr_flag_desc *flag = &yr_flags[i];
        const enum yr_group_id group = yr_commands[flag->owner].group;
        char completes[64], words[64];

        if (flag->arg == NULL)
            continue;
        completes_of(flag->arg, completes, sizeof completes);
        if (completes[0] == '\0')
            continue;
        yr_buf_adds(out, "    ");
        yr_command_words(flag->owner, words, sizeof words);
        argument_patterns(out, flag->owner == YR_CMD_any ? NULL : words, flag);
        if (group != YR_GROUP_none && yr_groups[group].bare == flag->owner)
            argument_patterns(out, yr_groups[group].name, flag);
        yr_buf_addf(out, ") o='%s' ;;\n", completes);
    }
}

/** The part bash and zsh share: from the words before the cursor (array w, without the program) and
 *  the word under it (cur) to a reply in o: words, or KIND to ask for. */
static void shell_core(struct yr_buf *out)
{
    yr_buf_adds(out, "__yaari_find() {\n"
                     "  local i=0 n=0 prev='' opts=1 sub=''\n"
                     "  cmd='' o='' f='' o0='' o1=''\n"
                     "  local -a rest\n"
                     "  for prev in \"${w[@]}\"; do\n"
                     "    if [ \"$i\" = 1 ]; then i=0; continue; fi\n"
                     "    if [ \"$opts\" = 1 ]; then\n"
                     "      case \"$prev\" in\n"
                     "      --) opts=0; continue ;;\n"
                     "      ");
    flags_with_arg(out);
    yr_buf_adds(out, ") i=1; continue ;;\n"
                     "      -?*) continue ;;\n"
                     "      esac\n"
                     "    fi\n"
                     "    if [ -z \"$cmd\" ]; then cmd=$prev; continue; fi\n"
                     "    if [ -z \"$sub\" ]; then\n"
                     "      sub=-\n"
                     "      case \"$cmd $prev\" in\n"
                     "      ");
    for (int i = YR_CMD_any + 1, first = 1; i < YR_CMD_COUNT; i++) {
        char words[64];

        if (yr_commands[i].group == YR_GROUP_none)
            continue;
        yr_command_words((enum yr_command_id)i, words, sizeof words);
        yr_buf_addf(out, "%s'%s'", first ? "" : "|", words);
        first = 0;
    }
    yr_buf_adds(out, ") cmd=\"$cmd $prev\"; continue ;;\n"
                     "      esac\n"
                     "    fi\n"
                     "    n=$((n + 1))\n"
                     "  done\n"
                     "  if [ \"$i\" = 1 ]; then\n"
                     "    case \"$cmd $prev\" in\n");
    argument_arms(out);
    yr_buf_adds(out, "    esac\n"
                     "    return\n"
                     "  fi\n"
                     "  case \"$cmd\" in\n");
    command_arms(out);
    yr_buf_adds(out, "  esac\n"
                     "  case \"$cur\" in\n"
                     "  -*) if [ \"$opts\" = 1 ]; then o=\"$f");
    flag_words(out, YR_CMD_any);
    yr_buf_adds(out, "\"; return; fi ;;\n"
                     "  esac\n"
                     "  case \"$cmd\" in\n"
                     "  '') o='");
    top_words(out);
    yr_buf_adds(out, "'; return ;;\n");
    for (int i = YR_GROUP_none + 1; i < YR_GROUP_COUNT; i++) {
        yr_buf_addf(out, "  '%s') o='", yr_groups[i].name);
        group_words(out, (enum yr_group_id)i);
        yr_buf_adds(out, "'; return ;;\n");
    }
    yr_buf_adds(out, "  esac\n"
                     "  if [ \"$n\" = 0 ]; then o=$o0; else o=$o1; fi\n"
                     "}\n");
}

static void bash_script(struct yr_buf *out)
{
    yr_buf_adds(out, "# completion of yaari for bash: yaari completion bash\n");
    shell_core(out);
    yr_buf_adds(
        out, "_yaari() {\n"
             "  local cur=${COMP_WORDS[COMP_CWORD]} cmd o f o0 o1 IFS=$' \\t\\n'\n"
             "  local -a w=(\"${COMP_WORDS[@]:1:COMP_CWORD-1}\")\n"
             "  COMPREPLY=()\n"
             "  __yaari_find\n"
             "  case \"$o\" in\n"
             "  '') ;;\n"
             "  file) compopt -o filenames 2>/dev/null\n"
             "     mapfile -t COMPREPLY < <(compgen -f -- \"$cur\") ;;\n"
             "  *' '*) COMPREPLY=($(compgen -W \"$o\" -- \"$cur\")) ;;\n"
             // what friends call themselves must not be a command of the shell: quoted
             "  *) local -a found\n"
             "     local one\n"
             "     mapfile -t found < <(\"${COMP_WORDS[0]}\" __complete \"$o\" \"${cur//\\\\/}\" "
             "2>/dev/null)\n"
             "     for one in \"${found[@]}\"; do printf -v one %q \"$one\"; "
             "COMPREPLY+=(\"$one\"); done ;;\n"
             "  esac\n"
             "}\n"
             "complete -F _yaari yaari\n");
}

static void zsh_script(struct yr_buf *out)
{
    yr_buf_adds(out, "#compdef yaari\n# completion of yaari for zsh: yaari completion zsh\n");
    shell_core(out);
    yr_buf_adds(
        out,
        "_yaari() {\n"
        "  emulate -L zsh -o sh_word_split\n"
        "  local cur=${words[CURRENT]} cmd o f o0 o1\n"
        "  local -a w reply_words\n"
        "  w=(\"${words[@]:1:$((CURRENT - 2))}\")\n"
        "  __yaari_find\n"
        "  case \"$o\" in\n"
        "  '') ;;\n"
        "  file) _files ;;\n"
        "  *' '*) reply_words=($o); compadd -- \"${reply_words[@]}\" ;;\n"
        "  *) reply_words=(\"${(@f)$(\"${words[1]}\" __complete \"$o\" \"$cur\" 2>/dev/null)}\")\n"
        "     compadd -- \"${reply_words[@]}\" ;;\n"
        "  esac\n"
        "}\n"
        "if [ \"$funcstack[1]\" = _yaari ]; then _yaari \"$@\"; else compdef _yaari yaari; fi\n");
}

/** Text inside single quotes of fish. */
static void fish_quoted(struct yr_buf *out, const char *text)
{
    yr_buf_addc(out, '\'');
    for (; *text != '\0'; text++) {
        if (*text == '\'' || *text == '\\')
            yr_buf_addc(out, '\\');
        yr_buf_addc(out, *text);
    }
    yr_buf_addc(out, '\'');
}

static void fish_argument(struct yr_buf *out, const char *completes)
{
    if (strcmp(completes, "file") == 0)
        yr_buf_adds(out, " -F");
    else if (is_words(completes))
        yr_buf_addf(out, " -a '%s'", completes);
    else if (completes[0] != '\0')
        yr_buf_addf(out, " -a '(yaari __complete %s (commandline -ct) 2>/dev/null)'", completes);
}

static void fish_flag(struct yr_buf *out, const struct yr_flag_desc *flag, const char *condition)
{
    char completes[64] = "";

    if (flag->arg != NULL)
        completes_of(flag->arg, completes, sizeof completes);
    yr_buf_addf(out, "complete -c yaari%s%s", strcmp(completes, "file") == 0 ? "" : " -f",
                condition);
    if (flag->letter != '\0')
        yr_buf_addf(out, " -s %c", flag->letter);
    yr_buf_addf(out, " -l %s", flag->name);
    if (flag->arg != NULL) {
        yr_buf_adds(out, " -r");
        fish_argument(out, completes);
    }
    yr_buf_adds(out, " -d ");
    fish_quoted(out, flag->help);
    yr_buf_addc(out, '\n');
}

static void fish_command(struct yr_buf *out, enum yr_command_id id)
{
    const struct yr_command_desc *command = &yr_commands[id];
    const char *group = command->group == YR_GROUP_none ? NULL : yr_groups[command->group].name;
    const bool bare = group != NULL && yr_groups[command->group].bare == id;
    char words[64], condition[96];
    struct yr_operand operand;

    yr_command_words(id, words, sizeof words);
    if (group == NULL)
        yr_buf_adds(out, "complete -c yaari -f -n '__yaari_at \"\"' -a ");
    else
        yr_buf_addf(out, "complete -c yaari -f -n '__yaari_at %s' -a ", group);
    yr_buf_addf(out, "%s -d ", command->name);
    fish_quoted(out, command->help);
    yr_buf_addc(out, '\n');
    snprintf(condition, sizeof condition, " -n '__yaari_at \"%s\"%s%s%s'", words, bare ? " \"" : "",
             bare ? group : "", bare ? "\"" : "");
    for (int i = 0; i < YR_F_COUNT; i++)
        if (yr_flags[i].owner == id)
            fish_flag(out, &yr_flags[i], condition);
    if (operand_at(id, 0, &operand)) {
        char completes[64];

        completes_of(operand.name, completes, sizeof completes);
        if (completes[0] != '\0') {
            yr_buf_addf(out, "complete -c yaari%s%s", strcmp(completes, "file") == 0 ? "" : " -f",
                        condition);
            fish_argument(out, completes);
            yr_buf_addc(out, '\n');
        }
    }
}

static void fish_script(struct yr_buf *out)
{
    yr_buf_adds(out, "# completion of yaari for fish: yaari completion fish\n"
                     "# __yaari_at WORDS...: is one of these the command on the line?\n"
                     "function __yaari_at\n"
                     "    set -l found ''\n"
                     "    for word in (commandline -opc)[2..-1]\n"
                     "        switch $word\n"
                     "            case '-*'\n"
                     "                continue\n"
                     "        end\n"
                     "        if test -z \"$found\"\n"
                     "            set found $word\n"
                     "        else\n"
                     "            switch \"$found $word\"\n"
                     "                case ");
    for (int i = YR_CMD_any + 1; i < YR_CMD_COUNT; i++) {
        char words[64];

        if (yr_commands[i].group == YR_GROUP_none)
            continue;
        yr_command_words((enum yr_command_id)i, words, sizeof words);
        yr_buf_addf(out, "'%s' ", words);
    }
    yr_buf_adds(out, "\n                    set found \"$found $word\"\n"
                     "            end\n"
                     "            break\n"
                     "        end\n"
                     "    end\n"
                     "    contains -- \"$found\" $argv\n"
                     "end\n");
    for (int i = 0; i < YR_F_COUNT; i++)
        if (yr_flags[i].owner == YR_CMD_any)
            fish_flag(out, &yr_flags[i], "");
    for (int i = YR_GROUP_none + 1; i < YR_GROUP_COUNT; i++) {
        yr_buf_addf(out, "complete -c yaari -f -n '__yaari_at \"\"' -a %s -d ", yr_groups[i].name);
        fish_quoted(out, yr_groups[i].help);
        yr_buf_addc(out, '\n');
    }
    for (int i = YR_CMD_any + 1; i < YR_CMD_COUNT; i++)
        if (!hidden(i))
            fish_command(out, (enum yr_command_id)i);
}

bool yr_completion_script(struct yr_buf *out, const char *shell)
{
    if (strcmp(shell, "bash") == 0)
        bash_script(out);
    else if (strcmp(shell, "zsh") == 0)
        zsh_script(out);
    else if (strcmp(shell, "fish") == 0)
        fish_script(out);
    else
        return false;
    return true;
}
