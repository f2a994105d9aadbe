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

bool yr_addr_loopback(const struct yr_addr *addr)
{
    static const uint8_t one[16] = {[15] = 1};

    return (addr->family == 4 && addr->ip[0] == 127) ||
           (addr->family == 6 && memcmp(addr->ip, one, 16) == 0);
}

bool yr_addr_multicast(const struct yr_addr *addr)
{
    return (addr->family == 4 && (addr->ip[0] & 0xf0) == 0xe0) ||
           (addr->family == 6 && addr->ip[0] == 0xff);
}
