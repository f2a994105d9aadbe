/* cli/befriend.c: see befriend.h. */
#include "cli/befriend.h"

#include <signal.h>
#include <string.h>

#include "cli/common/json.h"
#include "cli/common/text_safe.h"

static volatile sig_atomic_t interrupted;

static void on_interrupt(int sig)
{
    (void)sig;
    interrupted = 1;
}

void yr_catch_interrupt(void)
{
    struct sigaction action = {.sa_handler = on_interrupt};

    sigaction(SIGINT, &action, NULL);
}

void yr_say_added(struct yr_cli *cli, const json_t *friend)
{
    struct yr_buf name = {0}, word = {0};

    yr_add_name(&name, yr_json_str(friend, "name", "?"));
    yr_shell_word(&word, yr_buf_str(&name));
    yr_out_json(&cli->out, friend);
    yr_out_say(&cli->out, "%s added (trust: %s).", yr_buf_str(&name),
               yr_json_str(friend, "trust", "?"));
    yr_out_next(&cli->out, "Next: yaari chat %s", yr_buf_str(&word));
    yr_buf_clear(&name);
    yr_buf_clear(&word);
}

enum yr_exit yr_befriend_subscribe(struct yr_cli *cli)
{
    json_t *params = json_pack("{s:[s,s]}", "types", "request", "friend");
    struct yr_client_error err = {0};

    return yr_client_subscribe(cli->client, params, NULL, &err) ? YR_EXIT_OK
                                                                : yr_cli_error(cli, &err);
}

enum yr_exit yr_befriend_wait(struct yr_cli *cli, yr_ms deadline_ms)
{
    struct yr_client_error err = {0};
    int wait_ms = 1000; // looks again by itself too: an expiry is no event
    json_t *event;

    if (deadline_ms > 0) {
        const yr_ms left = deadline_ms - yr_wall_ms();

        if (left <= 0)
            return YR_EXIT_TEMPFAIL;
        if (left < wait_ms)
            wait_ms = (int)left;
    }
    if (interrupted)
        return YR_INTERRUPTED;
    event = yr_client_next_event(cli->client, wait_ms, &err);
    json_decref(event);
    if (event == NULL && err.exit == YR_EXIT_UNAVAILABLE)
        return yr_cli_error(cli, &err);
    yr_client_error_clear(&err);
    return interrupted ? YR_INTERRUPTED : YR_EXIT_OK;
}
