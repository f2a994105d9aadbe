/* core/path/window.h: which clock values of a friend have been taken: each once, those before the
 * newest for as long as they may be late. */
#ifndef YR_WINDOW_H
#define YR_WINDOW_H

#include "core/base/base.h"
#include "core/limits.h"

struct yr_window {
    uint64_t top; /* the highest taken */
    uint64_t bits[YR_PROBE_WINDOW / 64];
};

/** Everything up to `top` is taken: what came before a restart is not known one by one. */
static inline void yr_window_start(struct yr_window *w, uint64_t top)
{
    memset(w->bits, 0xff, sizeof w->bits);
    w->top = top;
}

static inline bool yr_window_fresh(const struct yr_window *w, uint64_t value)
{
    if (value > w->top)
        return true;
    return w->top - value < YR_PROBE_WINDOW &&
           (w->bits[value % YR_PROBE_WINDOW / 64] >> value % 64 & 1) == 0;
}

/** value: fresh. */
static inline void yr_window_take(struct yr_window *w, uint64_t value)
{
    if (value > w->top && value - w->top >= YR_PROBE_WINDOW)
        memset(w->bits, 0, sizeof w->bits);
    else
        for (uint64_t v = w->top + 1; v <= value; v++)
            w->bits[v % YR_PROBE_WINDOW / 64] &= ~(1ULL << v % 64);
    w->bits[value % YR_PROBE_WINDOW / 64] |= 1ULL << value % 64;
    w->top = YR_MAX(w->top, value);
}

#endif
