/* tests/net/loop.h: a libuv loop for one test, bounded in time. */
#ifndef YR_TEST_LOOP_H
#define YR_TEST_LOOP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#define GUARD_MS 10000 /* after this a test that waits has failed */

struct test_loop {
    uv_loop_t uv;
    uv_timer_t guard;
    bool timed_out;
};

static inline void guard_fired(uv_timer_t *timer)
{
    struct test_loop *loop = timer->data;
    loop->timed_out = true;
    uv_stop(&loop->uv);
}

static inline void loop_start(struct test_loop *loop)
{
    memset(loop, 0, sizeof *loop);
    assert_int_equal(uv_loop_init(&loop->uv), 0);
    assert_int_equal(uv_timer_init(&loop->uv, &loop->guard), 0);
    loop->guard.data = loop;
    uv_unref((uv_handle_t *)&loop->guard);
}

/** Run until *done, or fail after `ms`. */
static inline bool loop_until(struct test_loop *loop, const bool *done, unsigned ms)
{
    loop->timed_out = false;
    uv_update_time(&loop->uv);
    uv_timer_start(&loop->guard, guard_fired, ms, 0);
    uv_unref((uv_handle_t *)&loop->guard);
    while (!*done && !loop->timed_out && uv_run(&loop->uv, UV_RUN_ONCE) != 0)
        ;
    uv_timer_stop(&loop->guard);
    return *done;
}

/** Run for `ms` whatever happens. */
static inline void loop_for(struct test_loop *loop, unsigned ms)
{
    const bool never = false;
    uv_ref((uv_handle_t *)&loop->guard);
    (void)loop_until(loop, &never, ms);
}

/** Everything a test opened must be closed: a handle left open fails here. */
static inline void loop_end(struct test_loop *loop)
{
    uv_close((uv_handle_t *)&loop->guard, NULL);
    for (int i = 0; i < 1000 && uv_run(&loop->uv, UV_RUN_NOWAIT) != 0; i++)
        usleep(1000);
    assert_int_equal(uv_loop_close(&loop->uv), 0);
}

static inline void set_true(void *flag)
{
    *(bool *)flag = true;
}

#endif
