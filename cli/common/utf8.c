#include "cli/common/utf8.h"

uint32_t yr_utf8_next(const char *text, size_t len, size_t *used)
{
    const uint8_t *s = (const uint8_t *)text;
    uint8_t low = 0x80, high = 0xBF; // of the second byte: this is what rules out odd forms
    size_t need;
    uint32_t cp;

    *used = 1;
    if (s[0] < 0x80)
        return s[0];
    if (s[0] < 0xC2 || s[0] > 0xF4)
        return YR_UTF8_BAD;
    if (s[0] < 0xE0) {
        need = 1;
        cp = s[0] & 0x1Fu;
    } else if (s[0] < 0xF0) {
        need = 2;
        cp = s[0] & 0x0Fu;
        low = s[0] == 0xE0 ? 0xA0 : 0x80;
        high = s[0] == 0xED ? 0x9F : 0xBF;
    } else {
        need = 3;
        cp = s[0] & 0x07u;
        low = s[0] == 0xF0 ? 0x90 : 0x80;
        high = s[0] == 0xF4 ? 0x8F : 0xBF;
    }
    for (size_t i = 1; i <= need; i++) {
        if (i >= len || s[i] < low || s[i] > high)
            return YR_UTF8_BAD;
        cp = (cp << 6) | (s[i] & 0x3Fu);
        low = 0x80;
        high = 0xBF;
        *used = i + 1;
    }
    return cp;
}

bool yr_utf8_valid(const char *text, size_t len, bool nul_ok)
{
    size_t used;

    for (size_t i = 0; i < len; i += used) {
        const uint32_t cp = yr_utf8_next(text + i, len - i, &used);

        if (cp == YR_UTF8_BAD || (cp == 0 && !nul_ok))
            return false;
    }
    return true;
}
