#include "net/alarm.h"

#include <stdlib.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "core/base/base.h"

struct yr_alarm {
    uv_poll_t poll;
    int fd;
    bool handle;
    yr_us at;    // YR_NEVER: not set
    yr_us timer; // when the timerfd goes off, never after `at`; YR_NEVER: not at all
    void (*on_alarm)(void *ctx);
    void *ctx;
    void (*on_closed)(void *ctx);
    void *closed_ctx;
};

struct yr_now yr_clock_now(void)
{
    struct timespec mono, wall;

    clock_gettime(CLOCK_BOOTTIME, &mono);
    clock_gettime(CLOCK_REALTIME, &wall);
    return (struct yr_now){
        .mono_us = (yr_us)mono.tv_sec * YR_S + (yr_us)mono.tv_nsec / 1000,
        .wall_ms = (yr_ms)wall.tv_sec * 1000 + (yr_ms)wall.tv_nsec / 1000000,
    };
}

yr_us yr_clock_slept(void)
{
    struct timespec awake, all;

    clock_gettime(CLOCK_MONOTONIC, &awake); // first: what passes in between is no sleep
    clock_gettime(CLOCK_BOOTTIME, &all);
    return (yr_us)(all.tv_sec - awake.tv_sec) * YR_S + (yr_us)(all.tv_nsec / 1000) -
           (yr_us)(awake.tv_nsec / 1000);
}

static void set_timer(struct yr_alarm *alarm, yr_us at)
{
    struct itimerspec spec = {0};

    spec.it_value.tv_sec = (time_t)(at / YR_S);
    spec.it_value.tv_nsec = (long)(at % YR_S) * 1000;
    if (at == 0)
        spec.it_value.tv_nsec = 1; // zero would disarm it
    YR_ASSERT(timerfd_settime(alarm->fd, TFD_TIMER_ABSTIME, &spec, NULL) == 0);
    alarm->timer = at;
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct yr_alarm *alarm = poll->data;
    uint64_t times;

    (void)events;
    // Nothing to read: it was set again in the same turn of the loop.
    if (status < 0 || read(alarm->fd, &times, sizeof times) != (ssize_t)sizeof times)
        return;
    alarm->timer = YR_NEVER;
    if (alarm->at == YR_NEVER)
        return;
    if (yr_clock_now().mono_us < alarm->at) {
        set_timer(alarm, alarm->at);
        return;
    }
    alarm->at = YR_NEVER;
    alarm->on_alarm(alarm->ctx);
}

void yr_alarm_set(struct yr_alarm *alarm, yr_us at)
{
    alarm->at = at;
    // Most alarms are put off by the next packet: the timer stays, and looks again when it goes
    // off.  Setting it each time costs 4 % of a busy node.
    if (at < alarm->timer)
        set_timer(alarm, at);
}

enum yr_err yr_alarm_open(struct yr_alarm **out, uv_loop_t *loop, void (*on_alarm)(void *ctx),
                          void *ctx)
{
    struct yr_alarm *alarm = calloc(1, sizeof *alarm);

    if (alarm == NULL)
        return YR_ENOMEM;
    alarm->on_alarm = on_alarm;
    alarm->ctx = ctx;
    alarm->at = alarm->timer = YR_NEVER;
    alarm->fd = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
    if (alarm->fd < 0 || uv_poll_init(loop, &alarm->poll, alarm->fd) != 0)
        goto fail;
    alarm->poll.data = alarm;
    alarm->handle = true;
    if (uv_poll_start(&alarm->poll, UV_READABLE, on_poll) != 0)
        goto fail;
    *out = alarm;
    return YR_OK;
fail:
    yr_alarm_close(alarm, NULL, NULL);
    return YR_EIO;
}

static void finish(struct yr_alarm *alarm)
{
    void (*on_closed)(void *) = alarm->on_closed;
    void *ctx = alarm->closed_ctx;

    if (alarm->fd >= 0)
        close(alarm->fd);
    free(alarm);
    if (on_closed != NULL)
        on_closed(ctx);
}

static void on_handle_closed(uv_handle_t *handle)
{
    finish(handle->data);
}

void yr_alarm_close(struct yr_alarm *alarm, void (*on_closed)(void *ctx), void *ctx)
{
    if (alarm == NULL) {
        if (on_closed != NULL)
            on_closed(ctx);
        return;
    }
    alarm->on_closed = on_closed;
    alarm->closed_ctx = ctx;
    if (alarm->handle)
        uv_close((uv_handle_t *)&alarm->poll, on_handle_closed);
    else
        finish(alarm);
}
