#include "tests/support/hex.h"

#include "tests/support/test.h"

static unsigned digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c != '\0' ? strchr(digits, c) : NULL;

    if (at == NULL)
        fail_msg("not a hex digit: '%c'", c);
    return at != NULL ? (unsigned)(at - digits) : 0;
}

size_t unhex(uint8_t *out, size_t cap, const char *hex)
{
    size_t len = 0;

    for (; *(hex += strspn(hex, " \n")) != '\0'; hex += 2) {
        if (len == cap)
            fail_msg("more than %zu bytes", cap);
        out[len++] = (uint8_t)(digit(hex[0]) << 4 | digit(hex[1]));
    }
    return len;
}
