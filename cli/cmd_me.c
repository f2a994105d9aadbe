/* cli/cmd_me.c: me, key: who I am, and the vault. */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/common/json.h"

/* ---- me ---- */

static void add_away(struct yr_cli *cli, struct yr_buf *text, const json_t *me)
{
    const char *why = yr_json_str(me, "away_text", NULL);

    if (!yr_json_bool(me, "away", false))
        return;
    yr_buf_adds(text, "\naway     since ");
    yr_add_time(&cli->out, text, yr_json_str(me, "away_since", NULL));
    if (why != NULL) {
        yr_buf_adds(text, ": ");
        yr_add_flat(text, why);
    }
}

enum yr_exit yr_cmd_me_show(struct yr_cli *cli)
{
    enum yr_exit exit;
    json_t *me = yr_cli_record(cli, "identity.get", NULL, &exit);
    const char *status = yr_json_str(me, "status", NULL);
    struct yr_buf line = {0};

    if (me == NULL)
        return exit;
    yr_buf_adds(&line, "name     ");
    yr_add_name(&line, yr_json_str(me, "name", ""));
    if (status != NULL) {
        yr_buf_adds(&line, "\nstatus   ");
        yr_add_flat(&line, status);
    }
    add_away(cli, &line, me);
    yr_buf_addf(&line, "\nid       %s\ncreated  ", yr_json_str(me, "id", ""));
    yr_add_time(&cli->out, &line, yr_json_str(me, "created", NULL));
    yr_out_say(&cli->out, "%s", yr_buf_str(&line));
    yr_buf_clear(&line);
    json_decref(me);
    return YR_EXIT_OK;
}

enum yr_exit yr_cmd_me_set(struct yr_cli *cli)
{
    const char *what = yr_operand(cli, 0);
    struct yr_buf value = {0};
    enum yr_exit exit;

    if (strcmp(what, "name") != 0 && strcmp(what, "status") != 0)
        return yr_cli_fail(cli, YR_EXIT_USAGE, "usage", "yaari help me set",
                           "me set: '%s' is neither name nor status", what);
    for (int i = 1; i < cli->line.operand_count; i++)
        yr_buf_addf(&value, "%s%s", i > 1 ? " " : "", yr_operand(cli, i));
    exit = yr_cli_do(cli, "identity.set", json_pack("{s:s}", what, yr_buf_str(&value)));
    yr_buf_clear(&value);
    return exit;
}

enum yr_exit yr_cmd_away(struct yr_cli *cli)
{
    struct yr_buf text = {0};
    json_t *params = json_pack("{s:b}", "away", 1);

    for (int i = 0; i < cli->line.operand_count; i++)
        yr_buf_addf(&text, "%s%s", i > 0 ? " " : "", yr_operand(cli, i));
    if (text.len > 0)
        json_object_set_new(params, "text", json_string(yr_buf_str(&text)));
    yr_buf_clear(&text);
    return yr_cli_do(cli, "presence.set", params);
}

enum yr_exit yr_cmd_back(struct yr_cli *cli)
{
    return yr_cli_do(cli, "presence.set", json_pack("{s:b}", "away", 0));
}

enum yr_exit yr_cmd_me_id(struct yr_cli *cli)
{
    enum yr_exit exit;
    json_t *me = yr_cli_record(cli, "identity.get", NULL, &exit);
    struct yr_buf upper = {0};

    if (me == NULL)
        return exit;
    yr_out_say(&cli->out, "%s", yr_json_str(me, "id", ""));
    if (YR_ARG(cli, me_id_qr) != NULL) {
        yr_buf_adds(&upper, yr_json_str(me, "fingerprint_qr", yr_json_str(me, "id", "")));
        for (size_t i = 0; i < upper.len; i++)
            if (upper.at[i] >= 'a' && upper.at[i] <= 'z')
                upper.at[i] = (char)(upper.at[i] - 'a' + 'A');
        if (!yr_qr_print(&cli->out, yr_buf_str(&upper), "auto"))
            yr_out_note(&cli->out, "The terminal is too small for the QR code.");
        yr_buf_clear(&upper);
    }
    json_decref(me);
    return YR_EXIT_OK;
}

/* ---- key ---- */

enum yr_exit yr_cmd_key_show(struct yr_cli *cli)
{
    const char *who = yr_operand(cli, 0);
    const bool me = strcmp(who, "me") == 0 || strcmp(who, "@me") == 0;
    struct yr_buf line = {0};
    enum yr_exit exit;
    json_t *record =
        me ? yr_cli_record(cli, "identity.get", NULL, &exit)
           : yr_cli_record(cli, "friend.get", json_pack("{s:s}", "friend", who), &exit);

    if (record == NULL)
        return exit;
    yr_add_name(&line, yr_json_str(record, "name", ""));
    yr_buf_addf(&line, "  %s", yr_json_str(record, "id", ""));
    if (!me) {
        yr_buf_adds(&line, "\n");
        yr_add_fingerprint(&line, yr_json_str(record, "fingerprint", ""));
    }
    yr_out_say(&cli->out, "%s", yr_buf_str(&line));
    yr_buf_clear(&line);
    json_decref(record);
    return YR_EXIT_OK;
}

enum yr_exit yr_cmd_key_unlock(struct yr_cli *cli)
{
    char *secret = NULL;
    enum yr_exit exit = yr_cli_connect(cli);

    if (exit != YR_EXIT_OK)
        return exit;
    if (YR_ARG(cli, key_unlock_passphrase_fd) != NULL)
        exit = yr_cli_read_passphrase(cli, YR_ARG(cli, key_unlock_passphrase_fd), &secret);
    else
        exit = yr_cli_ask_secret(cli, "Passphrase:", &secret);
    if (exit != YR_EXIT_OK)
        return exit;
    yr_client_set_timeout(cli->client,
                          cli->timeout_given ? cli->timeout_ms : 60000); // the hash is slow
    exit = yr_cli_do(cli, "vault.unlock", json_pack("{s:s}", "passphrase", secret));
    yr_cli_free_secret(secret);
    return exit;
}

enum yr_exit yr_cmd_key_lock(struct yr_cli *cli)
{
    return yr_cli_do(cli, "vault.lock", NULL);
}
