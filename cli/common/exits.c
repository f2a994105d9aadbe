#include "cli/common/exits.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    int code;
    const char *name, *meaning;
} exits[] = {
#define X(name, code, label, meaning) {code, label, meaning},
    YR_EXIT_MAP(X)
#undef X
};

static const struct {
    int code;
    const char *name;
    enum yr_exit exit;
} rpc_errs[] = {
#define X(name, code, label, exit) {code, label, YR_EXIT_##exit},
    YR_RPC_ERR_MAP(X)
#undef X
};

const char *yr_rpc_err_name(int code)
{
    for (size_t i = 0; i < sizeof rpc_errs / sizeof rpc_errs[0]; i++)
        if (rpc_errs[i].code == code)
            return rpc_errs[i].name;
    return "internal";
}

enum yr_exit yr_rpc_err_exit(int code)
{
    for (size_t i = 0; i < sizeof rpc_errs / sizeof rpc_errs[0]; i++)
        if (rpc_errs[i].code == code)
            return rpc_errs[i].exit;
    return YR_EXIT_SOFTWARE;
}

const char *yr_exit_name(int code)
{
    for (size_t i = 0; i < sizeof exits / sizeof exits[0]; i++)
        if (exits[i].code == code)
            return exits[i].name;
    return "";
}

const char *yr_exit_meaning(int code)
{
    for (size_t i = 0; i < sizeof exits / sizeof exits[0]; i++)
        if (exits[i].code == code)
            return exits[i].meaning;
    return "";
}

enum yr_exit yr_fail(struct yr_fail *fail, enum yr_exit exit, const char *format, ...)
{
    va_list args;

    if (fail == NULL)
        return exit;
    fail->exit = exit;
    fail->hint[0] = '\0';
    va_start(args, format);
    vsnprintf(fail->what, sizeof fail->what, format, args);
    va_end(args);
    return exit;
}

enum yr_exit yr_fail_errno(struct yr_fail *fail, enum yr_exit exit, int errnum, const char *format,
                           ...)
{
    va_list args;
    size_t len;

    if (fail == NULL)
        return exit;
    fail->exit = exit;
    fail->hint[0] = '\0';
    va_start(args, format);
    vsnprintf(fail->what, sizeof fail->what, format, args);
    va_end(args);
    len = strlen(fail->what);
    snprintf(fail->what + len, sizeof fail->what - len, ": %s", strerror(errnum));
    return exit;
}

void yr_fail_hint(struct yr_fail *fail, const char *format, ...)
{
    va_list args;

    if (fail == NULL)
        return;
    va_start(args, format);
    vsnprintf(fail->hint, sizeof fail->hint, format, args);
    va_end(args);
}
