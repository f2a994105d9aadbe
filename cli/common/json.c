#include "cli/common/json.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/common/times.h"
#include "cli/common/utf8.h"

static void wiping_free(void *ptr)
{
    if (ptr == NULL)
        return;
    explicit_bzero(ptr, malloc_usable_size(ptr));
    free(ptr);
}

void yr_json_wipe_freed(void)
{
    json_set_alloc_funcs(malloc, wiping_free);
}

/** Code points that must not appear as they are; jansson escapes C0 itself. */
static bool unsafe(uint32_t cp)
{
    return cp < 0x20 || (cp >= 0x7F && cp <= 0x9F) || cp == 0x061C || cp == 0x200E ||
           cp == 0x200F || (cp >= 0x2028 && cp <= 0x202E) || (cp >= 0x2066 && cp <= 0x2069);
}

void yr_json_dump(struct yr_buf *out, const json_t *json)
{
    const size_t flags = JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15);
    char *text = json_dumps(json, flags);
    size_t len, used, done = 0;

    if (text == NULL) { // only memory can lack: what is in a json_t is UTF-8
        yr_buf_adds(out, "null");
        return;
    }
    len = strlen(text);
    // outside of strings JSON is ASCII, so whatever is unsafe is in a string and may be escaped
    for (size_t i = 0; i < len; i += used) {
        uint32_t cp;

        used = 1;
        if ((unsigned char)text[i] < 0x7F)
            continue;
        cp = yr_utf8_next(text + i, len - i, &used);
        if (!unsafe(cp))
            continue;
        yr_buf_add(out, text + done, i - done);
        yr_buf_addf(out, "\\u%04X", (unsigned)cp);
        done = i + used;
    }
    yr_buf_add(out, text + done, len - done);
    explicit_bzero(text, len); // jansson's own, but given back by us
    free(text);
}

bool yr_json_print(const json_t *json, FILE *file)
{
    struct yr_buf line = {0};
    bool good;

    yr_json_dump(&line, json);
    yr_buf_addc(&line, '\n');
    good = fwrite(line.at, 1, line.len, file) == line.len;
    yr_buf_clear(&line);
    return good;
}

json_t *yr_json_read(const char *text, size_t len, char *why, size_t cap)
{
    json_error_t error;
    json_t *json = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);

    if (json == NULL && why != NULL)
        snprintf(why, cap, "not JSON at byte %d: %s", error.position, error.text);
    return json;
}

const char *yr_json_str(const json_t *object, const char *key, const char *fallback)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text != NULL ? text : fallback;
}

int64_t yr_json_int(const json_t *object, const char *key, int64_t fallback)
{
    const json_t *value = json_object_get(object, key);

    return json_is_integer(value) ? json_integer_value(value) : fallback;
}

bool yr_json_bool(const json_t *object, const char *key, bool fallback)
{
    const json_t *value = json_object_get(object, key);

    return json_is_boolean(value) ? json_is_true(value) : fallback;
}

void yr_json_put_str(json_t *object, const char *key, const char *text)
{
    struct yr_buf mended = {0};
    size_t len, used;

    if (text == NULL)
        return;
    if (json_object_set_new(object, key, json_string(text)) == 0)
        return;
    len = strlen(text);
    for (size_t i = 0; i < len; i += used) {
        const uint32_t cp = yr_utf8_next(text + i, len - i, &used);

        yr_buf_addu(&mended, cp == YR_UTF8_BAD ? 0xFFFD : cp);
    }
    json_object_set_new(object, key, json_string(yr_buf_str(&mended)));
    yr_buf_clear(&mended);
}

void yr_json_put_time(json_t *object, const char *key, yr_ms time_ms)
{
    char text[YR_RFC3339_LEN + 1];

    yr_rfc3339(text, time_ms);
    json_object_set_new(object, key, json_string(text));
}

void yr_tsv_add(struct yr_buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '\t': yr_buf_adds(out, "\\t"); break;
        case '\n': yr_buf_adds(out, "\\n"); break;
        case '\\': yr_buf_adds(out, "\\\\"); break;
        default: yr_buf_addc(out, *text); break;
        }
    }
}
