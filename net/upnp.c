#include "net/upnp.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/base.h"
#include "net/addr.h"

// ---- what it says ----

/** The next word, by the single space behind it; false: there is none, or it is too long. */
static bool word(const char **at, const char *end, char *out, size_t cap)
{
    const char *space = memchr(*at, ' ', (size_t)(end - *at));
    const size_t len = (size_t)((space != NULL ? space : end) - *at);

    if (len == 0 || len >= cap)
        return false;
    memcpy(out, *at, len);
    out[len] = '\0';
    *at += len + (space != NULL);
    return true;
}

/** A decimal number up to `max`. */
static bool number(const char *text, uint32_t max, uint32_t *out)
{
    uint64_t n = 0;

    for (size_t i = 0; text[i] != '\0'; i++) {
        if (text[i] < '0' || text[i] > '9' || i == 10)
            return false;
        n = n * 10 + (uint64_t)(text[i] - '0');
    }
    *out = (uint32_t)n;
    return n <= max;
}

static bool parse_mapped(struct yr_upnp_answer *out, const char *at, const char *end)
{
    char ip[24], port[8], seconds[12];
    uint32_t n;

    if (!word(&at, end, ip, sizeof ip) || !word(&at, end, port, sizeof port) ||
        !word(&at, end, seconds, sizeof seconds) || !word(&at, end, out->url, sizeof out->url) ||
        at != end || strchr(ip, ':') != NULL || yr_addr_parse(&out->outside, ip, 0) != YR_OK ||
        out->outside.family != 4 || !number(port, UINT16_MAX, &n) ||
        !number(seconds, UINT32_MAX, &out->lifetime_s))
        return false;
    out->outside.port = (uint16_t)n;
    return true;
}

/** What "none WORD NUMBER" means. */
static const char *reason(const char *said)
{
    static const char *const rows[][2] = {
        {"silent", "the gateway does not answer UPnP"},
        {"address", "the gateway does not know its outside address"},
        {"refused", "the gateway refuses a mapping by UPnP"},
    };

    for (size_t i = 0; i < YR_COUNT(rows); i++)
        if (strcmp(said, rows[i][0]) == 0)
            return rows[i][1];
    return "asking by UPnP failed";
}

void yr_upnp_parse(struct yr_upnp_answer *out, const char *line, size_t len)
{
    const char *end = memchr(line, '\n', len), *at = line;
    char verb[16], what[16] = "", code[12];
    uint32_t n = 0;

    memset(out, 0, sizeof *out);
    if (end != NULL && memchr(line, '\0', len) == NULL && word(&at, end, verb, sizeof verb)) {
        out->mapped = strcmp(verb, "mapped") == 0 && parse_mapped(out, at, end);
        out->deleted = strcmp(verb, "deleted") == 0;
        if (out->mapped || out->deleted)
            return;
        memset(out, 0, sizeof *out);
        if (strcmp(verb, "none") != 0 || !word(&at, end, what, sizeof what))
            what[0] = '\0';
        else if (!word(&at, end, code, sizeof code) || !number(code, UINT32_MAX, &n))
            n = 0;
    }
    if (n != 0)
        snprintf(out->why, sizeof out->why, "%s (error %u)", reason(what), (unsigned)n);
    else
        snprintf(out->why, sizeof out->why, "%s", reason(what));
}

// ---- the process ----

struct yr_upnp {
    uv_process_t process;
    uv_pipe_t pipe;
    uv_timer_t timer;
    struct yr_upnp_ask ask;
    unsigned open; // handles
    bool exited, ended;
    size_t len;
    char line[YR_UPNP_LINE_MAX];
};

static void on_handle_closed(uv_handle_t *handle)
{
    struct yr_upnp *job = handle->data;
    struct yr_upnp_answer answer;
    struct yr_upnp_ask ask;

    if (--job->open > 0)
        return;
    yr_upnp_parse(&answer, job->line, job->len);
    ask = job->ask;
    free(job);
    ask.on_answer(ask.ctx, &answer);
}

/** It has exited, and said all that it will. */
static void end_when_done(struct yr_upnp *job)
{
    if (!job->exited || !job->ended)
        return;
    uv_close((uv_handle_t *)&job->process, on_handle_closed);
    uv_close((uv_handle_t *)&job->pipe, on_handle_closed);
    uv_close((uv_handle_t *)&job->timer, on_handle_closed);
}

static void on_exited(uv_process_t *process, int64_t status, int signal)
{
    struct yr_upnp *job = process->data;

    (void)status;
    (void)signal;
    job->exited = true;
    end_when_done(job);
}

static void on_room(uv_handle_t *handle, size_t want, uv_buf_t *buf)
{
    struct yr_upnp *job = handle->data;

    (void)want;
    *buf = uv_buf_init(job->line + job->len, (unsigned)(sizeof job->line - job->len));
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buf)
{
    struct yr_upnp *job = stream->data;

    (void)buf;
    if (count > 0)
        job->len += (size_t)count;
    if (count == 0 || (count > 0 && job->len < sizeof job->line))
        return;
    uv_read_stop(stream); // the end, or more than it may say
    job->ended = true;
    if (!job->exited)
        (void)uv_process_kill(&job->process, SIGKILL);
    end_when_done(job);
}

static void on_late(uv_timer_t *timer)
{
    struct yr_upnp *job = timer->data;

    if (!job->exited)
        (void)uv_process_kill(&job->process, SIGKILL);
}

void yr_upnp_hurry(struct yr_upnp *job, uint64_t ms)
{
    if (ms == 0)
        on_late(&job->timer);
    else if (uv_timer_get_due_in(&job->timer) > ms)
        uv_timer_start(&job->timer, on_late, ms, 0);
}

/** 0, or libuv's error; either way job->process is a handle now. */
static int spawn(struct yr_upnp *job, const struct yr_upnp_ask *ask, char *program, char *url)
{
    char gateway[YR_ADDR_TEXT], own[YR_ADDR_TEXT], port[8], outside[8], seconds[12];
    char add[] = "add", del[] = "delete", *no_env[] = {NULL};
    char *args[] = {program, ask->erase ? del : add,      gateway, own, port, outside,
                    seconds, url[0] != '\0' ? url : NULL, NULL};
    uv_stdio_container_t stdio[3] = {
        {.flags = UV_IGNORE},
        {.flags = (uv_stdio_flags)(UV_CREATE_PIPE | UV_WRITABLE_PIPE),
         .data.stream = (uv_stream_t *)&job->pipe},
        {.flags = UV_IGNORE},
    };
    const uv_process_options_t opts = {.exit_cb = on_exited,
                                       .file = program,
                                       .args = args,
                                       .env = no_env,
                                       .stdio = stdio,
                                       .stdio_count = 3};

    yr_addr_text(gateway, ask->gateway);
    yr_addr_text(own, ask->own);
    *strchrnul(gateway, ':') = *strchrnul(own, ':') = '\0'; // without the ports
    snprintf(port, sizeof port, "%u", ask->own->port);
    snprintf(outside, sizeof outside, "%u", ask->outside);
    snprintf(seconds, sizeof seconds, "%u", (unsigned)ask->lifetime_s);
    return uv_spawn(ask->loop, &job->process, &opts);
}

static void on_failed_closed(uv_handle_t *handle)
{
    struct yr_upnp *job = handle->data;

    if (--job->open == 0)
        free(job);
}

enum yr_err yr_upnp_start(struct yr_upnp **out, const struct yr_upnp_ask *ask)
{
    struct yr_upnp *job = calloc(1, sizeof *job);
    char *program = strdup(ask->program), *url = strdup(ask->url);
    enum yr_err err = YR_ENOMEM;
    int sys;

    if (job == NULL || program == NULL || url == NULL)
        goto out;
    job->ask = *ask;
    job->ask.program = job->ask.url = NULL; // were borrowed for this call
    job->ask.gateway = job->ask.own = NULL;
    job->open = 3;
    (void)uv_pipe_init(ask->loop, &job->pipe, 0); // neither can fail
    (void)uv_timer_init(ask->loop, &job->timer);
    sys = spawn(job, ask, program, url);
    job->process.data = job->pipe.data = job->timer.data = job;
    if (sys != 0) {
        err = sys == UV_ENOENT || sys == UV_EACCES ? YR_ENOENT : YR_EIO;
        uv_close((uv_handle_t *)&job->process, on_failed_closed);
        uv_close((uv_handle_t *)&job->pipe, on_failed_closed);
        uv_close((uv_handle_t *)&job->timer, on_failed_closed);
        job = NULL; // the last of them frees it
        goto out;
    }
    uv_timer_start(&job->timer, on_late, YR_UPNP_MS, 0);
    if (uv_read_start((uv_stream_t *)&job->pipe, on_room, on_read) != 0) {
        job->ended = true; // it will not be heard
        on_late(&job->timer);
    }
    *out = job;
    job = NULL; // taken
    err = YR_OK;
out:
    free(job);
    free(program);
    free(url);
    return err;
}

bool yr_upnp_find(char *out, size_t cap)
{
    static const char *const places[] = {"yaari-upnp", "../libexec/yaari/yaari-upnp"};
    char self[PATH_MAX];
    const ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
    char *slash;

    self[len > 0 ? len : 0] = '\0';
    if ((slash = strrchr(self, '/')) == NULL)
        return false;
    *slash = '\0';
    for (size_t i = 0; i < YR_COUNT(places); i++) {
        const int n = snprintf(out, cap, "%s/%s", self, places[i]);
        if (n > 0 && (size_t)n < cap && access(out, X_OK) == 0)
            return true;
    }
    return false;
}
