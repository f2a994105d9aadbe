/* core/node/expire.c: texts that are given up when their time has come.  It is a time of the wall
 * clock, so it is looked at again once a minute: that clock may be set. */
#include "core/node/state.h"

#define AGAIN_MS 60000

static yr_us wait_until(const struct yr_node *n, yr_ms at_ms)
{
    const yr_ms wait_ms = at_ms > n->now.wall_ms ? at_ms - n->now.wall_ms : 0;

    return n->now.mono_us + (yr_us)YR_MIN(wait_ms, AGAIN_MS) * YR_MS;
}

void yr_expire_at(struct yr_node *n, yr_ms at_ms)
{
    n->expire_us = YR_MIN(n->expire_us, wait_until(n, at_ms));
}

void yr_expire_tick(struct yr_node *n)
{
    yr_ms next_ms = INT64_MAX;
    enum yr_err err;

    if (n->now.mono_us < n->expire_us)
        return;
    err = yr_chats_expire(n->chats, n->now, &next_ms);
    yr_node_trip(n, err);
    n->expire_us = next_ms == INT64_MAX ? YR_NEVER : wait_until(n, next_ms);
}
