#include "cli/common/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/common/exits.h"

void *yr_xrealloc(void *ptr, size_t size)
{
    void *grown = realloc(ptr, size > 0 ? size : 1);

    if (grown == NULL) {
        fputs("yaari: out of memory\n", stderr);
        exit(YR_EXIT_OSERR);
    }
    return grown;
}

char *yr_strndup(const char *text, size_t len)
{
    char *copy = yr_xrealloc(NULL, len + 1);

    if (len > 0)
        memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

char *yr_strdup(const char *text)
{
    return yr_strndup(text, strlen(text));
}

static void reserve(struct yr_buf *buf, size_t more)
{
    size_t cap = buf->cap > 0 ? buf->cap : 64;

    if (buf->len + more + 1 <= buf->cap)
        return;
    while (cap < buf->len + more + 1)
        cap *= 2;
    buf->at = yr_xrealloc(buf->at, cap);
    buf->cap = cap;
}

void yr_buf_add(struct yr_buf *buf, const void *bytes, size_t len)
{
    reserve(buf, len);
    if (len > 0)
        memcpy(buf->at + buf->len, bytes, len);
    buf->len += len;
    buf->at[buf->len] = '\0';
}

void yr_buf_adds(struct yr_buf *buf, const char *text)
{
    yr_buf_add(buf, text, strlen(text));
}

void yr_buf_addc(struct yr_buf *buf, char c)
{
    yr_buf_add(buf, &c, 1);
}

void yr_buf_addf(struct yr_buf *buf, const char *format, ...)
{
    va_list args, again;
    int len;

    va_start(args, format);
    va_copy(again, args);
    len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (len > 0) {
        reserve(buf, (size_t)len);
        vsnprintf(buf->at + buf->len, (size_t)len + 1, format, again);
        buf->len += (size_t)len;
    }
    va_end(again);
}

void yr_buf_addu(struct yr_buf *buf, uint32_t cp)
{
    char out[4];
    size_t len = 0;

    if (cp < 0x80) {
        out[len++] = (char)cp;
    } else if (cp < 0x800) {
        out[len++] = (char)(0xC0 | (cp >> 6));
        out[len++] = (char)(0x80 | (cp & 0x3F));
    } else if (cp < 0x10000) {
        out[len++] = (char)(0xE0 | (cp >> 12));
        out[len++] = (char)(0x80 | ((cp >> 6) & 0x3F));
        out[len++] = (char)(0x80 | (cp & 0x3F));
    } else {
        out[len++] = (char)(0xF0 | ((cp >> 18) & 0x07));
        out[len++] = (char)(0x80 | ((cp >> 12) & 0x3F));
        out[len++] = (char)(0x80 | ((cp >> 6) & 0x3F));
        out[len++] = (char)(0x80 | (cp & 0x3F));
    }
    yr_buf_add(buf, out, len);
}

void yr_buf_splice(struct yr_buf *buf, size_t at, size_t cut, const void *bytes, size_t len)
{
    reserve(buf, len);
    memmove(buf->at + at + len, buf->at + at + cut, buf->len - at - cut);
    if (len > 0)
        memcpy(buf->at + at, bytes, len);
    buf->len = buf->len - cut + len;
    buf->at[buf->len] = '\0';
}

void yr_buf_cut(struct yr_buf *buf, size_t len)
{
    if (len >= buf->len)
        return;
    buf->len = len;
    buf->at[len] = '\0';
}

const char *yr_buf_str(const struct yr_buf *buf)
{
    return buf->at != NULL ? buf->at : "";
}

char *yr_buf_take(struct yr_buf *buf)
{
    char *text = buf->at != NULL ? buf->at : yr_strndup("", 0);

    *buf = (struct yr_buf){0};
    return text;
}

void yr_buf_clear(struct yr_buf *buf)
{
    free(buf->at);
    *buf = (struct yr_buf){0};
}
