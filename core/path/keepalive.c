#include "core/path/keepalive.h"

void yr_keepalive_init(struct yr_keepalive *k)
{
    *k = (struct yr_keepalive){.high = YR_LINK_KEEPALIVE_S_MAX + 1};
}

void yr_keepalive_known(struct yr_keepalive *k, unsigned seconds)
{
    yr_keepalive_init(k);
    k->known = true;
    k->low = YR_MIN(YR_MAX(seconds, (unsigned)YR_LINK_KEEPALIVE_S_MIN),
                    (unsigned)YR_LINK_KEEPALIVE_S_MAX);
}

unsigned yr_keepalive_s(const struct yr_keepalive *k)
{
    return k->known ? k->low : YR_LINK_KEEPALIVE_S;
}

bool yr_keepalive_asks(const struct yr_keepalive *k)
{
    return !k->known && !k->asking && k->tests < YR_KEEPALIVE_TESTS &&
           k->friends < YR_KEEPALIVE_FRIENDS;
}

// Half way as shares go: 40 s from 30 matter as much as 160 s from 120.
static unsigned between(unsigned low, unsigned high)
{
    unsigned mid = low;

    while (mid * mid < low * high)
        mid++;
    return mid;
}

unsigned yr_keepalive_ask(struct yr_keepalive *k, yr_us now)
{
    // The first question about time is for the longest: most networks that remember long remember
    // very long, and one test is all it takes then.
    if (k->low == 0)
        k->ask_s = 0;
    else if (k->tests == 1)
        k->ask_s = YR_LINK_KEEPALIVE_S_MAX;
    else
        k->ask_s = between(k->low, k->high);
    k->asking = true;
    k->asked_us = now;
    k->tests++;
    return k->ask_s;
}

// Nothing is left to ask: 20 % to spare.
static bool conclude(struct yr_keepalive *k)
{
    if (k->tests < YR_KEEPALIVE_TESTS && 6 * (k->high - k->low) > k->low)
        return false;
    k->low = YR_MAX(k->low * 5 / 6, (unsigned)YR_LINK_KEEPALIVE_S_MIN);
    k->known = true;
    return true;
}

bool yr_keepalive_answer(struct yr_keepalive *k, yr_us now)
{
    if (!k->asking || now < k->asked_us + k->ask_s * YR_S)
        return false; // before its time: it says nothing
    k->asking = false;
    k->low = YR_MAX(k->ask_s, (unsigned)YR_LINK_KEEPALIVE_S_MIN);
    if (k->ask_s == YR_LINK_KEEPALIVE_S_MAX)
        k->high = k->low;
    return conclude(k);
}

yr_us yr_keepalive_deadline(const struct yr_keepalive *k)
{
    return k->asking ? k->asked_us + (k->ask_s + YR_KEEPALIVE_WAIT_S) * YR_S : YR_NEVER;
}

bool yr_keepalive_tick(struct yr_keepalive *k, yr_us now, bool *next)
{
    *next = false;
    if (now < yr_keepalive_deadline(k))
        return false;
    k->asking = false;
    if (k->low == 0) { // not even at once: another friend may be nearer
        k->tests = 0;
        k->friends++;
        *next = true;
        return false;
    }
    k->high = k->ask_s;
    return conclude(k);
}
