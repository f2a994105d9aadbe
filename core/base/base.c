#undef NDEBUG // glibc declares what an assertion calls only without it
#include "core/base/base.h"

// The C library's own, which prints and aborts; NDEBUG hides its declaration.
YR_NORETURN void __assert_fail(const char *cond, const char *file, unsigned line, const char *func);

void yr_assert_failed(const char *cond, const char *file, int line)
{
    __assert_fail(cond, file, (unsigned)line, "YR_ASSERT"); // prints, then aborts
}

static const struct {
    const char *name, *sentence;
} errors[] = {
#define X(name, sentence) [YR_##name] = {#name, sentence},
    YR_ERR_MAP(X)
#undef X
};

const char *yr_strerror(enum yr_err err)
{
    return (unsigned)err < YR_ERR_COUNT ? errors[err].sentence : "unknown error";
}

const char *yr_errname(enum yr_err err)
{
    return (unsigned)err < YR_ERR_COUNT ? errors[err].name : "?";
}
