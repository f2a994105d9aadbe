/* The client's connection, against a small server that does what its method's name says. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/client.h"

static struct server {
    char dir[64], path[96];
    int listen_fd;
    int api;
    pthread_t thread;
} server;

static void send_text(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static void send_json(int fd, json_t *object)
{
    char *text = json_dumps(object, JSON_COMPACT);

    send_text(fd, text);
    send_text(fd, "\n");
    free(text);
    json_decref(object);
}

static void send_event(int fd, int cursor)
{
    send_json(fd, json_pack("{s:s, s:s, s:{s:i, s:s, s:i}}", "jsonrpc", "2.0", "method", "event",
                            "params", "sub", 1, "type", "event", "cursor", cursor));
}

static void answer(int fd, json_t *id, json_t *result)
{
    send_json(fd, json_pack("{s:s, s:O, s:o}", "jsonrpc", "2.0", "id", id, "result", result));
}

/** false: the connection is to be closed. */
static bool serve_line(int fd, const char *line)
{
    json_t *request = json_loads(line, 0, NULL);
    const char *method = json_string_value(json_object_get(request, "method"));
    json_t *id = json_object_get(request, "id");
    bool open = true;

    if (strcmp(method, "hello") == 0)
        answer(fd, id, json_pack("{s:i, s:s}", "api", server.api, "state", "ok"));
    else if (strcmp(method, "echo") == 0)
        answer(fd, id, json_incref(json_object_get(request, "params")));
    else if (strcmp(method, "long") == 0)
        answer(fd, id, json_sprintf("%0300000d", 7));
    else if (strcmp(method, "fail") == 0)
        send_json(fd, json_pack("{s:s, s:O, s:{s:i, s:s, s:{s:s, s:i, s:s, s:[s]}}}", "jsonrpc",
                                "2.0", "id", id, "error", "code", -32001, "message",
                                "no friend named 'bbo'", "data", "name", "no_such_target", "exit",
                                67, "hint", "did you mean 'bob'?", "candidates", "bob"));
    else if (strcmp(method, "bare fail") == 0)
        send_json(fd, json_pack("{s:s, s:O, s:{s:i, s:s}}", "jsonrpc", "2.0", "id", id, "error",
                                "code", -32603, "message", "oops"));
    else if (strcmp(method, "garbage") == 0)
        send_text(fd, "]]]\n");
    else if (strcmp(method, "close") == 0)
        open = false;
    else if (strcmp(method, "events.subscribe") == 0) {
        send_event(fd, 1);
        answer(fd, id, json_pack("{s:i, s:i}", "sub", 1, "cursor", 41));
        send_event(fd, 2);
    } else if (strcmp(method, "event later") == 0) {
        answer(fd, id, json_object());
        usleep(30000);
        send_event(fd, 3);
    } // "silence" has no answer
    json_decref(request);
    return open;
}

static void *serve(void *ctx)
{
    const int fd = accept(server.listen_fd, NULL, NULL);
    FILE *in = fdopen(fd, "r");
    char *line = NULL;
    size_t cap = 0;

    while (getline(&line, &cap, in) > 0 && serve_line(fd, line))
        continue;
    free(line);
    fclose(in);
    return ctx;
}

static int start_server(void **state)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};

    server.api = 1;
    snprintf(server.dir, sizeof server.dir, "/tmp/yaari-client-XXXXXX");
    if (mkdtemp(server.dir) == NULL)
        return -1;
    snprintf(server.path, sizeof server.path, "%s/sock", server.dir);
    snprintf(addr.sun_path, sizeof addr.sun_path, "%s", server.path);
    server.listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(server.listen_fd, (struct sockaddr *)&addr, sizeof addr) != 0 ||
        listen(server.listen_fd, 1) != 0)
        return -1;
    return pthread_create(&server.thread, NULL, serve, NULL);
}

static int stop_server(void **state)
{
    pthread_join(server.thread, NULL);
    close(server.listen_fd);
    unlink(server.path);
    return rmdir(server.dir);
}

static struct yr_client *connect_to_it(unsigned timeout_ms)
{
    const struct yr_client_opts opts = {
        .socket = server.path, .name = "test", .timeout_ms = timeout_ms};
    struct yr_client_error err = {0};
    struct yr_client *client = NULL;

    assert_int_equal(yr_client_open(&client, &opts, &err), YR_OK);
    return client;
}

static void a_call_gives_its_result(void **state)
{
    struct yr_client *client = connect_to_it(5000);
    struct yr_client_error err = {0};
    json_t *result = yr_client_call(client, "echo", json_pack("{s:s}", "a", "caf\u00e9"), &err);

    assert_string_equal(json_string_value(json_object_get(result, "a")), "caf\u00e9");
    json_decref(result);
    assert_string_equal(json_string_value(json_object_get(yr_client_hello(client), "state")), "ok");
    yr_client_close(client);
}

static void a_long_answer_is_read_whole(void **state)
{
    struct yr_client *client = connect_to_it(5000);
    struct yr_client_error err = {0};
    json_t *result = yr_client_call(client, "long", NULL, &err);

    assert_int_equal(json_string_length(result), 300000);
    json_decref(result);
    yr_client_close(client);
}

static void an_error_is_told_whole(void **state)
{
    struct yr_client *client = connect_to_it(5000);
    struct yr_client_error err = {0};

    assert_null(yr_client_call(client, "fail", NULL, &err));
    assert_int_equal(err.exit, 67);
    assert_int_equal(err.code, -32001);
    assert_string_equal(err.name, "no_such_target");
    assert_string_equal(err.message, "no friend named 'bbo'");
    assert_string_equal(err.hint, "did you mean 'bob'?");
    assert_int_equal(json_array_size(json_object_get(err.data, "candidates")), 1);
    assert_null(yr_client_call(client, "bare fail", NULL, &err));
    assert_int_equal(err.exit, 70);
    assert_string_equal(err.hint, "");
    yr_client_error_clear(&err);
    yr_client_close(client);
}

static void silence_ends_a_call_with_75(void **state)
{
    struct yr_client *client = connect_to_it(50);
    struct yr_client_error err = {0};
    json_t *result;

    assert_null(yr_client_call(client, "silence", NULL, &err));
    assert_int_equal(err.exit, 75);
    yr_client_set_timeout(client, 5000);
    result = yr_client_call(client, "echo", json_object(), &err); // and the line is still good
    assert_non_null(result);
    json_decref(result);
    yr_client_error_clear(&err);
    yr_client_close(client);
}

static void a_connection_that_ends_is_69(void **state)
{
    struct yr_client *client = connect_to_it(5000);
    struct yr_client_error err = {0};

    assert_null(yr_client_call(client, "close", NULL, &err));
    assert_int_equal(err.exit, 69);
    assert_null(yr_client_next_event(client, 1000, &err));
    assert_int_equal(err.exit, 69);
    yr_client_error_clear(&err);
    yr_client_close(client);
}

static void an_answer_that_is_no_json_is_76(void **state)
{
    struct yr_client *client = connect_to_it(5000);
    struct yr_client_error err = {0};

    assert_null(yr_client_call(client, "garbage", NULL, &err));
    assert_int_equal(err.exit, 76);
    yr_client_error_clear(&err);
    yr_client_close(client);
}

static int cursor_of(json_t *event)
{
    const int cursor = (int)json_integer_value(json_object_get(event, "cursor"));

    json_decref(event);
    return cursor;
}

static void events_between_answers_are_kept_in_order(void **state)
{
    struct yr_client *client = connect_to_it(5000);
    struct yr_client_error err = {0};
    uint64_t cursor = 0;

    assert_true(yr_client_subscribe(client, NULL, &cursor, &err));
    assert_int_equal(cursor, 41);
    json_decref(yr_client_call(client, "echo", json_object(), &err));
    assert_int_equal(cursor_of(yr_client_next_event(client, 1000, &err)), 1);
    assert_int_equal(cursor_of(yr_client_next_event(client, 1000, &err)), 2);
    assert_null(yr_client_next_event(client, 0, &err));
    assert_int_equal(err.exit, 75);
    json_decref(yr_client_call(client, "event later", NULL, &err));
    assert_int_equal(cursor_of(yr_client_next_event(client, 5000, &err)), 3);
    yr_client_error_clear(&err);
    yr_client_close(client);
}

static void answers_may_come_in_another_order(void **state)
{
    struct yr_client *client = connect_to_it(5000);
    struct yr_client_error err = {0};
    int64_t first, second;
    json_t *result;

    first = yr_client_start(client, "echo", json_pack("{s:i}", "n", 1), &err);
    second = yr_client_start(client, "echo", json_pack("{s:i}", "n", 2), &err);
    assert_true(first > 0 && second > first);
    result = yr_client_finish(client, second, &err); // the answer to the first comes before
    assert_int_equal(json_integer_value(json_object_get(result, "n")), 2);
    json_decref(result);
    result = yr_client_finish(client, first, &err);
    assert_int_equal(json_integer_value(json_object_get(result, "n")), 1);
    json_decref(result);
    yr_client_close(client);
}

static void another_api_is_76(void **state)
{
    const struct yr_client_opts opts = {.socket = server.path, .name = "test", .timeout_ms = 5000};
    struct yr_client_error err = {0};
    struct yr_client *client = NULL;

    server.api = 2;
    assert_int_equal(yr_client_open(&client, &opts, &err), YR_EVERSION);
    assert_int_equal(err.exit, 76);
    assert_null(client);
    yr_client_error_clear(&err);
}

static void no_socket_is_69_with_a_hint(void **state)
{
    const struct yr_client_opts opts = {.socket = "/nonexistent/sock", .name = "test"};
    struct yr_client_error err = {0};
    struct yr_client *client = NULL;

    assert_int_equal(yr_client_open(&client, &opts, &err), YR_ENOENT);
    assert_int_equal(err.exit, 69);
    assert_string_equal(err.hint, "yaari daemon start");
    yr_client_error_clear(&err);
}

static void a_path_that_is_too_long_is_78(void **state)
{
    char path[200];
    const struct yr_client_opts opts = {.socket = path, .name = "test"};
    struct yr_client_error err = {0};
    struct yr_client *client = NULL;

    memset(path, 'a', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    assert_int_equal(yr_client_open(&client, &opts, &err), YR_EINVAL);
    assert_int_equal(err.exit, 78);
    yr_client_error_clear(&err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_call_gives_its_result, start_server, stop_server),
        cmocka_unit_test_setup_teardown(a_long_answer_is_read_whole, start_server, stop_server),
        cmocka_unit_test_setup_teardown(an_error_is_told_whole, start_server, stop_server),
        cmocka_unit_test_setup_teardown(silence_ends_a_call_with_75, start_server, stop_server),
        cmocka_unit_test_setup_teardown(a_connection_that_ends_is_69, start_server, stop_server),
        cmocka_unit_test_setup_teardown(an_answer_that_is_no_json_is_76, start_server, stop_server),
        cmocka_unit_test_setup_teardown(events_between_answers_are_kept_in_order, start_server,
                                        stop_server),
        cmocka_unit_test_setup_teardown(answers_may_come_in_another_order, start_server,
                                        stop_server),
        cmocka_unit_test_setup_teardown(another_api_is_76, start_server, stop_server),
        cmocka_unit_test(no_socket_is_69_with_a_hint),
        cmocka_unit_test(a_path_that_is_too_long_is_78),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
