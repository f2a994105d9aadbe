/* cli/cli.h: what every command of the client is given, and how it talks to the node and the user.
 *
 * A command returns its exit code.  Whoever finds an error reports it (yr_cli_fail, yr_cli_call)
 * and returns the code; it is reported once. */
#ifndef YR_CLI_H
#define YR_CLI_H

#include "cli/client.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "yaari/node.h"

#define YR_CLI_TEXT_MAX (sizeof((struct yr_message *)NULL)->text - 1) /* bytes of a text */

struct yr_cli {
    struct yr_line line;
    struct yr_out out;
    struct yr_paths paths;
    struct yr_config config;
    struct yr_client *client; /* NULL until yr_cli_connect */
    unsigned timeout_ms;      /* of calls */
    bool timeout_given;       /* --timeout */
    bool started;             /* we started the node */
};

/** A flag's argument ("" if it has none); NULL: not given.  YR_ARG(cli, send_reply) */
#define YR_ARG(cli, id) ((cli)->line.flag[YR_F_##id])
/** The i-th operand; NULL: not given. */
const char *yr_operand(const struct yr_cli *cli, int i);

/** Report a failure of this side and return `exit`.  hint: NULL for none. */
enum yr_exit yr_cli_fail(struct yr_cli *cli, enum yr_exit exit, const char *name, const char *hint,
                         const char *format, ...) YR_PRINTF(5);
/** Report what a function of cli/common said. */
enum yr_exit yr_cli_fail_with(struct yr_cli *cli, const struct yr_fail *fail);
/** Report a failed call and clear it; returns its exit code. */
enum yr_exit yr_cli_error(struct yr_cli *cli, struct yr_client_error *err);

/** Be connected to the node: start it if that is wanted, make an identity if there is none and a
 *  person can be asked (only for commands that start the node by themselves). */
YR_MUST_USE enum yr_exit yr_cli_connect(struct yr_cli *cli);

/** Connect, call, report.  params taken.  The result is owned by the caller; NULL: *exit says how
 * to end. */
YR_MUST_USE json_t *yr_cli_call(struct yr_cli *cli, const char *method, json_t *params,
                                enum yr_exit *exit);
/** The same, for a result that is one record: printed with --json. */
YR_MUST_USE json_t *yr_cli_record(struct yr_cli *cli, const char *method, json_t *params,
                                  enum yr_exit *exit);
/** The same where nothing but success matters; prints the record with --json. */
enum yr_exit yr_cli_do(struct yr_cli *cli, const char *method, json_t *params);

/** Is there a person to ask? */
bool yr_cli_can_ask(const struct yr_cli *cli);
/** Ask for a line.  fallback: the answer to an empty line, may be NULL; *answer owned by the
 * caller. Errors: YR_EXIT_USAGE, reported, when nobody can be asked. */
YR_MUST_USE enum yr_exit yr_cli_ask(struct yr_cli *cli, const char *question, const char *fallback,
                                    char **answer);
/** Ask for a secret without echo.  *answer owned by the caller, who wipes it. */
YR_MUST_USE enum yr_exit yr_cli_ask_secret(struct yr_cli *cli, const char *question, char **answer);
/** "question [y/N] ".  YR_EXIT_OK: yes (also by --yes); YR_EXIT_NOTHING: no; YR_EXIT_USAGE,
 * reported: nobody can be asked. */
YR_MUST_USE enum yr_exit yr_cli_confirm(struct yr_cli *cli, const char *question);

/** A flag's argument as a number of 0..max, or `absent`.  Errors: YR_EXIT_USAGE, reported. */
YR_MUST_USE enum yr_exit yr_cli_number(struct yr_cli *cli, enum yr_flag_id flag, int64_t absent,
                                       int64_t max, int64_t *out);
/** A flag's argument as a duration in milliseconds.  Errors: YR_EXIT_USAGE, reported. */
YR_MUST_USE enum yr_exit yr_cli_duration(struct yr_cli *cli, enum yr_flag_id flag, int64_t absent,
                                         int64_t *out_ms);

/** How long a mute is, in seconds: "off" 0, NULL -1 (for ever), else a duration.  Errors:
 *  YR_EXIT_USAGE, reported. */
YR_MUST_USE enum yr_exit yr_cli_mute(struct yr_cli *cli, const char *how, int64_t *out_s);

/** The text of operands from `first` on, joined by one blank; or, when there is none or it is "-",
 *  all of stdin without one final newline.  *text owned by the caller.
 *  Errors, reported: YR_EXIT_USAGE: stdin is a terminal; YR_EXIT_DATAERR: empty, not UTF-8, or over
 *  16 KiB. */
YR_MUST_USE enum yr_exit yr_cli_text(struct yr_cli *cli, int first, char **text);
/** Is it a text that can be sent? As above. */
YR_MUST_USE enum yr_exit yr_cli_check_text(struct yr_cli *cli, const char *text, size_t len);

/** Read a passphrase: all of descriptor N, one final newline dropped.  Errors, reported. */
YR_MUST_USE enum yr_exit yr_cli_read_passphrase(struct yr_cli *cli, const char *fd_text,
                                                char **out);

/** Overwrite and free a secret; NULL is fine. */
void yr_cli_free_secret(char *secret);

/** Print a QR code of `payload` on stderr if mode ("auto", "ascii", "invert", "no") and size allow.
 *  false: it did not fit. */
bool yr_qr_print(const struct yr_out *out, const char *payload, const char *mode);

/** The last `last` (0: all) messages that message.list gives for these params, oldest first. params
 * is changed.  Owned by the caller, never NULL; *exit: YR_EXIT_OK, or reported. */
YR_MUST_USE json_t *yr_fetch_messages(struct yr_cli *cli, json_t *params, int64_t last,
                                      enum yr_exit *exit);
/** What is unread, one record a conversation, empty ones left out; owned by the caller.  NULL:
 * reported. */
YR_MUST_USE json_t *yr_fetch_inbox(struct yr_cli *cli, enum yr_exit *exit);
/** Append "4" or "4 (1 mention)" of a record that counts what is unread. */
void yr_add_unread(struct yr_buf *text, const json_t *record);
/** Print such a list. */
void yr_show_inbox(struct yr_cli *cli, const json_t *list);
/** "up 6 h 34 min" or "just started". */
void yr_add_uptime(struct yr_buf *text, const json_t *status);
/** "direct", "lan" or "relay(carol)" of a record with path and via; "-" without. */
void yr_add_path(struct yr_buf *text, const json_t *record);
/** Is the link up, of a record with a friend's state? */
bool yr_friend_linked(const json_t *record);
/** Print a status record for people. */
void yr_show_status(struct yr_cli *cli, const json_t *status);

/** The login name, for prompts and defaults: never empty. */
const char *yr_login_name(void);

#endif
