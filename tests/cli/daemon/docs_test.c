/* The manual says of the interface and of the options what the tables say. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/common/paths.h"
#include "cli/daemon/args.h"
#include "cli/daemon/rpc_internal.h"
#include "tests/support/test.h"

static char *page(const char *name)
{
    char path[512], *text;
    struct yr_fail fail;
    size_t len;

    snprintf(path, sizeof path, "%s/docs/%s", YAARI_SOURCE_DIR, name);
    assert_int_equal(yr_read_file(path, 1 << 20, &text, &len, &fail), YR_EXIT_OK);
    return text;
}

/* Where `what` first stands in `text`; fails the test when it does not. */
static const char *find(const char *text, const char *what)
{
    const char *at = strstr(text, what);
    if (at == NULL)
        print_error("not in the manual: %s\n", what);
    assert_non_null(at);
    return at;
}

static void every_method_and_parameter_is_in_the_manual(void **state)
{
    char *text = page("yaari-rpc.7.scd"), what[128];
    const char *methods = find(text, "\n# METHODS\n"), *last = methods;
    const struct yr_method *method;

    for (size_t i = 0; (method = yr_method_at(i)) != NULL; i++) {
        snprintf(what, sizeof what, "\n*%s*\n", method->name);
        const char *at = find(methods, what);
        assert_true(at >= last); // in the order of the table
        last = at;
        const char *end = strstr(at, "\n\n");
        for (const struct yr_param *param = method->params; param->name != NULL; param++) {
            snprintf(what, sizeof what, "\n_%s_ (", param->name);
            assert_true(find(at, what) < end);
        }
    }
    free(text);
}

static void every_error_is_in_the_manual(void **state)
{
    char *text = page("yaari-rpc.7.scd"), what[128];
    const char *errors = find(text, "\n# ERRORS\n");
    static const int codes[] = {
#define X(id, code, name, exit) code,
        YR_RPC_ERR_MAP(X)
#undef X
    };

    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        snprintf(what, sizeof what, ", %d, exit %d\n", codes[i], (int)yr_rpc_err_exit(codes[i]));
        find(errors, what);
    }
    free(text);
}

static void every_event_is_in_the_manual(void **state)
{
    char *text = page("yaari-rpc.7.scd"), what[64];
    const char *events = find(text, "\n# EVENTS\n");

    for (unsigned kind = 0; kind < YR_EV_KIND_COUNT; kind++) {
        const char *name = yr_event_name((enum yr_event_kind)kind);
        if (name == NULL)
            continue;
        snprintf(what, sizeof what, "*%s*", name);
        find(events, what);
    }
    free(text);
}

static void every_option_is_in_the_manual(void **state)
{
    char *text = page("yaarid.8.scd"), what[128];
    static const struct {
        const char *name, *arg;
    } options[] = {
#define X(id, letter, name, arg, help) {name, arg},
        YR_ARG_MAP(X)
#undef X
    };

    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        const bool has_arg = options[i].arg != NULL;
        snprintf(what, sizeof what, "*--%s*%s%s\n", options[i].name, has_arg ? " " : "",
                 has_arg ? options[i].arg : "");
        find(text, what);
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_method_and_parameter_is_in_the_manual),
        cmocka_unit_test(every_error_is_in_the_manual),
        cmocka_unit_test(every_event_is_in_the_manual),
        cmocka_unit_test(every_option_is_in_the_manual),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
