#include "cli/daemon/args.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "cli/common/suggest.h"

enum arg_id {
#define X(id, letter, name, arg, help) ARG_##id,
    YR_ARG_MAP(X)
#undef X
        ARG_COUNT
};

static const struct {
    char letter;
    const char *name, *arg, *help;
} descs[ARG_COUNT] = {
#define X(id, letter, name, arg, help) [ARG_##id] = {letter, name, arg, help},
    YR_ARG_MAP(X)
#undef X
};

static enum yr_exit number(const char *text, const char *name, int *out, struct yr_fail *fail)
{
    char *end;
    errno = 0;
    const long n = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || n < 0 || n > INT_MAX)
        return yr_fail(fail, YR_EXIT_USAGE, "--%s: '%.40s' is no descriptor number", name, text);
    *out = (int)n;
    return YR_EXIT_OK;
}

static enum yr_exit add(const char **list, size_t *count, const char *value, const char *name,
                        struct yr_fail *fail)
{
    if (*count == YR_ARGS_LIST_MAX)
        return yr_fail(fail, YR_EXIT_USAGE, "--%s is given more than %d times", name,
                       YR_ARGS_LIST_MAX);
    list[(*count)++] = value;
    return YR_EXIT_OK;
}

static enum yr_exit apply(struct yr_args *args, enum arg_id id, const char *value,
                          struct yr_fail *fail)
{
    const char *name = descs[id].name;

    switch (id) {
    case ARG_profile: args->paths.profile = value; break;
    case ARG_config: args->paths.config = value; break;
    case ARG_home: args->paths.home = value; break;
    case ARG_socket: args->paths.socket = value; break;
    case ARG_listen: return add(args->listen, &args->listen_count, value, name, fail);
    case ARG_bootstrap: return add(args->bootstrap, &args->bootstrap_count, value, name, fail);
    case ARG_dht: args->dht = value; break;
    case ARG_keeper: args->keeper = true; break;
    case ARG_no_lan: args->no_lan = true; break;
    case ARG_no_port_mapping: args->no_port_mapping = true; break;
    case ARG_offline: args->offline = true; break;
    case ARG_log: args->log = value; break;
    case ARG_log_file: args->log_file = value; break;
    case ARG_scrub_log: args->scrub_log = true; break;
    case ARG_passphrase_fd: return number(value, name, &args->passphrase_fd, fail);
    case ARG_ready_fd: return number(value, name, &args->ready_fd, fail);
    case ARG_check_config: args->check_config = true; break;
    case ARG_print_defaults: args->print_defaults = true; break;
    case ARG_verbose: args->verbose++; break;
    case ARG_version: args->version = true; break;
    case ARG_help: args->help = true; break;
    case ARG_COUNT: break;
    }
    return YR_EXIT_OK;
}

static enum yr_exit unknown(const char *name, struct yr_fail *fail)
{
    struct yr_suggest near = yr_suggest_init(name);

    for (size_t i = 0; i < ARG_COUNT; i++)
        yr_suggest_try(&near, descs[i].name);
    const enum yr_exit err = yr_fail(fail, YR_EXIT_USAGE, "unknown option '--%.60s'", name);
    if (near.best != NULL)
        yr_fail_hint(fail, "did you mean '--%s'?", near.best);
    else
        yr_fail_hint(fail, "yaarid --help");
    return err;
}

/* `--name`, `--name=value` or `--name value`; *at is the index in argv. */
static enum yr_exit long_option(struct yr_args *args, int argc, char *const *argv, int *at,
                                struct yr_fail *fail)
{
    char name[64];
    const char *text = argv[*at] + 2, *equals = strchr(text, '=');
    const size_t len = equals != NULL ? (size_t)(equals - text) : strlen(text);
    enum arg_id id = 0;

    if (len >= sizeof name)
        return unknown("...", fail);
    memcpy(name, text, len);
    name[len] = '\0';
    while (id < ARG_COUNT && strcmp(descs[id].name, name) != 0)
        id++;
    if (id == ARG_COUNT)
        return unknown(name, fail);
    if (descs[id].arg == NULL && equals != NULL)
        return yr_fail(fail, YR_EXIT_USAGE, "option '--%s' takes no argument", name);
    if (descs[id].arg != NULL && equals == NULL && ++*at == argc)
        return yr_fail(fail, YR_EXIT_USAGE, "option '--%s' needs %s", name, descs[id].arg);
    return apply(args, id, equals != NULL ? equals + 1 : argv[*at], fail);
}

/* `-v`, `-vv`, `-PNAME` or `-P NAME`. */
static enum yr_exit short_options(struct yr_args *args, int argc, char *const *argv, int *at,
                                  struct yr_fail *fail)
{
    for (const char *c = argv[*at] + 1; *c != '\0'; c++) {
        enum arg_id id = 0;
        enum yr_exit err;
        while (id < ARG_COUNT && descs[id].letter != *c)
            id++;
        if (id == ARG_COUNT) {
            err = yr_fail(fail, YR_EXIT_USAGE, "unknown option '-%c'", *c);
            yr_fail_hint(fail, "yaarid --help");
            return err;
        }
        if (descs[id].arg != NULL) {
            if (c[1] == '\0' && ++*at == argc)
                return yr_fail(fail, YR_EXIT_USAGE, "option '-%c' needs %s", *c, descs[id].arg);
            return apply(args, id, c[1] != '\0' ? c + 1 : argv[*at], fail);
        }
        if ((err = apply(args, id, NULL, fail)) != YR_EXIT_OK)
            return err;
    }
    return YR_EXIT_OK;
}

enum yr_exit yr_args_read(struct yr_args *out, int argc, char *const *argv, struct yr_fail *fail)
{
    struct yr_args args = {.passphrase_fd = -1, .ready_fd = -1};

    for (int at = 1; at < argc; at++) {
        const char *arg = argv[at];
        enum yr_exit err = YR_EXIT_OK;
        if (strcmp(arg, "--") == 0 && at + 1 == argc)
            break;
        if (strncmp(arg, "--", 2) == 0 && arg[2] != '\0')
            err = long_option(&args, argc, argv, &at, fail);
        else if (arg[0] == '-' && arg[1] != '\0' && strcmp(arg, "--") != 0)
            err = short_options(&args, argc, argv, &at, fail);
        else
            err = yr_fail(fail, YR_EXIT_USAGE, "yaarid takes no argument '%.60s'",
                          strcmp(arg, "--") == 0 ? argv[at + 1] : arg);
        if (err != YR_EXIT_OK)
            return err;
    }
    *out = args;
    return YR_EXIT_OK;
}

void yr_args_help(struct yr_buf *out)
{
    yr_buf_adds(out, "Usage: yaarid [OPTION]...\n"
                     "The node of yaari: runs in the foreground until it is told to stop.\n\n");
    for (size_t i = 0; i < ARG_COUNT; i++) {
        struct yr_buf left = {0};
        if (descs[i].letter != 0)
            yr_buf_addf(&left, "  -%c, ", descs[i].letter);
        else
            yr_buf_adds(&left, "      ");
        yr_buf_addf(&left, "--%s%s%s", descs[i].name, descs[i].arg != NULL ? " " : "",
                    descs[i].arg != NULL ? descs[i].arg : "");
        yr_buf_addf(out, "%-34s%s%s\n", yr_buf_str(&left), left.len >= 34 ? "  " : "",
                    descs[i].help);
        yr_buf_clear(&left);
    }
    yr_buf_adds(out, "\nManual: yaarid(8), yaari-config(5), yaari-rpc(7).\n");
}
