/* cli/cmd_help.c: help, completion, version, and what completion asks. */
#include <qrencode.h>
#include <string.h>
#include <utf8proc.h>

#include "cli/cli.h"
#include "cli/common/json.h"
#include "cli/completion.h"
#include "cli/help.h"

#define COMPLETE_MS 300 /* a shell waits no longer for names */

static enum yr_exit print(struct yr_cli *cli, struct yr_buf *text)
{
    yr_out_write(&cli->out, yr_buf_str(text), text->len);
    yr_buf_clear(text);
    return YR_EXIT_OK;
}

enum yr_exit yr_cmd_help(struct yr_cli *cli)
{
    const char *first = yr_operand(cli, 0), *second = yr_operand(cli, 1);
    enum yr_command_id command;
    enum yr_group_id group;
    struct yr_buf text = {0};

    if (first == NULL)
        yr_help_overview(&text);
    else if (yr_command_find(first, second, &command, &group) && command != YR_CMD_none)
        yr_help_command(&text, command);
    else if (second == NULL && group != YR_GROUP_none)
        yr_help_group(&text, group);
    else if (second != NULL || !yr_help_topic(&text, first))
        return yr_cli_fail(cli, YR_EXIT_USAGE, "usage", "yaari help",
                           "no command or topic '%s%s%s'", first, second == NULL ? "" : " ",
                           second == NULL ? "" : second);
    return print(cli, &text);
}

enum yr_exit yr_cmd_completion(struct yr_cli *cli)
{
    struct yr_buf text = {0};

    if (!yr_completion_script(&text, yr_operand(cli, 0)))
        return yr_cli_fail(cli, YR_EXIT_USAGE, "usage", "one of: bash, zsh, fish",
                           "completion: unknown shell '%s'", yr_operand(cli, 0));
    return print(cli, &text);
}

enum yr_exit yr_cmd_man(struct yr_cli *cli)
{
    struct yr_buf text = {0};

    yr_help_man(&text);
    return print(cli, &text);
}

enum yr_exit yr_cmd_version(struct yr_cli *cli)
{
    json_t *record =
        json_pack("{s:s, s:s, s:i, s:i, s:s, s:s, s:s}", "type", "version", "version",
                  YAARI_VERSION, "api", 1, "protocol", 1, "jansson", jansson_version_str(),
                  "utf8proc", utf8proc_version(), "qrencode", QRcode_APIVersionString());

    yr_out_json(&cli->out, record);
    yr_out_say(&cli->out, "yaari %s (api 1, protocol 1)  jansson %s utf8proc %s qrencode %s",
               YAARI_VERSION, jansson_version_str(), utf8proc_version(), QRcode_APIVersionString());
    json_decref(record);
    return YR_EXIT_OK;
}

/* ---- __complete: silent when it cannot help ---- */

static void print_word(struct yr_cli *cli, const char *word, const char *prefix)
{
    struct yr_buf line = {0};

    if (word == NULL || strncmp(word, prefix, strlen(prefix)) != 0)
        return;
    yr_add_flat(&line, word);
    yr_buf_addc(&line, '\n');
    yr_out_write(&cli->out, yr_buf_str(&line), line.len);
    yr_buf_clear(&line);
}

static void print_words(struct yr_cli *cli, const json_t *list, const char *key, const char *prefix)
{
    const json_t *item;
    size_t i;

    json_array_foreach(list, i, item)
    {
        const json_t *word = key == NULL ? item : json_object_get(item, key);
        char number[24];

        snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(word));
        print_word(cli, json_is_integer(word) ? number : json_string_value(word), prefix);
    }
}

/** A call that fails without a word. */
static json_t *ask(struct yr_cli *cli, const char *method, json_t *params)
{
    struct yr_client_error err = {0};
    json_t *result = yr_client_call(cli->client, method, params, &err);

    yr_client_error_clear(&err);
    return result;
}

static void complete_by_node(struct yr_cli *cli, const char *kind, const char *prefix)
{
    const struct yr_client_opts opts = {
        .socket = cli->paths.sock, .name = "yaari completion", .timeout_ms = COMPLETE_MS};
    struct yr_client_error err = {0};
    json_t *answer;

    if (yr_client_open(&cli->client, &opts, &err) != YR_OK) {
        yr_client_error_clear(&err);
        return;
    }
    if (strcmp(kind, "request") == 0) {
        answer = ask(cli, "request.list", NULL);
        print_words(cli, json_object_get(answer, "requests"), "id", prefix);
    } else if (strcmp(kind, "method") == 0) {
        answer = ask(cli, "rpc.list", NULL);
        print_words(cli, json_object_get(answer, "methods"), NULL, prefix);
    } else {
        answer = ask(cli, "complete", json_pack("{s:s, s:s}", "kind", kind, "prefix", prefix));
        print_words(cli, json_object_get(answer, "words"), NULL, "");
    }
    json_decref(answer);
}

enum yr_exit yr_cmd_complete(struct yr_cli *cli)
{
    const char *kind = yr_operand(cli, 0);
    const char *prefix = yr_operand(cli, 1) == NULL ? "" : yr_operand(cli, 1);

    if (strcmp(kind, "key") == 0)
        for (int i = 0; i < YR_CFG_COUNT; i++)
            print_word(cli, yr_config_descs[i].name, prefix);
    else
        complete_by_node(cli, kind, prefix);
    return YR_EXIT_OK;
}
