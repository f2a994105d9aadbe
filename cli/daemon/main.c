/* main.c: yaarid, the node as a program.  Manual: yaarid(8). */
#include <stdio.h>

#include "cli/common/json.h"
#include "cli/common/std_fds.h"
#include "cli/daemon/daemon.h"

static int refuse(enum yr_exit end, const struct yr_fail *fail)
{
    fprintf(stderr, "yaarid: %s\n", fail->what);
    if (fail->hint[0] != '\0')
        fprintf(stderr, "hint: %s\n", fail->hint);
    return (int)end;
}

int main(int argc, char **argv)
{
    struct yr_args args;
    struct yr_fail fail = {0};
    enum yr_exit end;

    if (!yr_std_fds())
        return YR_EXIT_OSERR;
    yr_json_wipe_freed(); // requests may have passphrases in them
    end = yr_args_read(&args, argc, argv, &fail);
    if (end != YR_EXIT_OK)
        return refuse(end, &fail);
    if (args.help) {
        struct yr_buf help = {0};
        yr_args_help(&help);
        fputs(yr_buf_str(&help), stdout);
        yr_buf_clear(&help);
        return YR_EXIT_OK;
    }
    if (args.version) {
        printf("yaarid %s (api 1, protocol 1)\n", YAARI_VERSION);
        return YR_EXIT_OK;
    }
    if (args.print_defaults) {
        struct yr_buf defaults = {0};
        yr_config_print_defaults(&defaults);
        fputs(yr_buf_str(&defaults), stdout);
        yr_buf_clear(&defaults);
        return YR_EXIT_OK;
    }
    return yr_daemon_run(&args);
}
