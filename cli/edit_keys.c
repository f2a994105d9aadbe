#include "cli/edit_keys.h"

#include <string.h>

#include "cli/common/utf8.h"

#define ESC         '\x1b'
#define PASTE_START "\x1b[200~"
#define PASTE_END   "\x1b[201~"
#define PASTE_LEN   6
#define PASTE_IDLES 40 /* of 50 ms: a paste over a bad line may stall, but not for ever */

void yr_edit_keys_clear(struct yr_edit_keys *keys)
{
    yr_buf_clear(&keys->queue);
    yr_buf_clear(&keys->paste);
    *keys = (struct yr_edit_keys){0};
}

void yr_edit_keys_feed(struct yr_edit_keys *keys, const void *bytes, size_t len)
{
    if (keys->at > 0) {
        yr_buf_splice(&keys->queue, 0, keys->at, NULL, 0);
        keys->at = 0;
    }
    keys->idles = 0;
    if (keys->queue.len == 0)
        keys->overflow = false;
    if (keys->queue.len + len > YR_EDIT_KEYS_QUEUE_MAX) {
        // only an endless paste comes here: forget its middle, keep looking for its end
        if (keys->queue.len > 2 * PASTE_LEN)
            yr_buf_splice(&keys->queue, PASTE_LEN, keys->queue.len - 2 * PASTE_LEN + 1, NULL, 0);
        if (len > YR_EDIT_KEYS_QUEUE_MAX / 2) {
            bytes = (const char *)bytes + (len - YR_EDIT_KEYS_QUEUE_MAX / 2);
            len = YR_EDIT_KEYS_QUEUE_MAX / 2;
        }
        keys->overflow = true;
    }
    yr_buf_add(&keys->queue, bytes, len);
}

void yr_edit_keys_idle(struct yr_edit_keys *keys)
{
    keys->idles++;
}

bool yr_edit_keys_waiting(const struct yr_edit_keys *keys)
{
    return keys->at < keys->queue.len;
}

static struct yr_edit_key take(struct yr_edit_keys *keys, size_t len, enum yr_edit_key_kind kind,
                               uint32_t cp)
{
    keys->at += len;
    if (yr_edit_keys_waiting(keys) && keys->idles > 1)
        keys->idles = 1; // what follows has waited as long
    return (struct yr_edit_key){kind, cp};
}

static struct yr_edit_key none(void)
{
    return (struct yr_edit_key){YR_EDIT_KEY_NONE, 0};
}

/* ---- pastes ---- */

/** The last PASTE_END at or behind `from`, or NULL.  A text that holds the sequence itself must not
 *  end its paste and have the rest read as keys: so what comes in one burst is one paste. */
static const char *last_end(const char *from, size_t len)
{
    const char *found = NULL, *next;

    while ((next = memmem(from, len, PASTE_END, PASTE_LEN)) != NULL) {
        found = next;
        len -= (size_t)(next + PASTE_LEN - from);
        from = next + PASTE_LEN;
    }
    return found;
}

/** Copy without inner brackets, line ends as \n. */
static void copy_paste(struct yr_buf *out, const char *text, size_t len)
{
    yr_buf_cut(out, 0);
    for (size_t i = 0; i < len; i++) {
        if (len - i >= PASTE_LEN && (memcmp(text + i, PASTE_END, PASTE_LEN) == 0 ||
                                     memcmp(text + i, PASTE_START, PASTE_LEN) == 0))
            i += PASTE_LEN - 1;
        else if (text[i] != '\r')
            yr_buf_addc(out, text[i]);
        else if (i + 1 == len || text[i + 1] != '\n')
            yr_buf_addc(out, '\n');
    }
}

static struct yr_edit_key next_paste(struct yr_edit_keys *keys, const char *at, size_t len)
{
    const char *text = at + PASTE_LEN;
    const size_t text_len = len - PASTE_LEN;
    const char *end = last_end(text, text_len);
    size_t used = len;

    if (keys->idles == 0 || (end == NULL && keys->idles < PASTE_IDLES))
        return none();
    if (end != NULL)
        used = (size_t)(end - at) + PASTE_LEN;
    if (keys->overflow) {
        keys->overflow = false;
        return take(keys, used, YR_EDIT_KEY_TOO_LONG, 0);
    }
    copy_paste(&keys->paste, text, end != NULL ? (size_t)(end - text) : text_len);
    return take(keys, used, YR_EDIT_KEY_PASTE, 0);
}

/* ---- sequences ---- */

static enum yr_edit_key_kind arrow(char final, unsigned modifier)
{
    const bool word = modifier == 3 || modifier == 5; // Alt, Ctrl

    switch (final) {
    case 'A': return YR_EDIT_KEY_UP;
    case 'B': return YR_EDIT_KEY_DOWN;
    case 'C': return word ? YR_EDIT_KEY_WORD_RIGHT : YR_EDIT_KEY_RIGHT;
    case 'D': return word ? YR_EDIT_KEY_WORD_LEFT : YR_EDIT_KEY_LEFT;
    case 'H': return YR_EDIT_KEY_HOME;
    case 'F': return YR_EDIT_KEY_END;
    case 'Z': return YR_EDIT_KEY_BACKTAB;
    default: return YR_EDIT_KEY_IGNORED;
    }
}

static enum yr_edit_key_kind numbered(unsigned number)
{
    switch (number) {
    case 1:
    case 7: return YR_EDIT_KEY_HOME;
    case 4:
    case 8: return YR_EDIT_KEY_END;
    case 3: return YR_EDIT_KEY_DELETE;
    case 5: return YR_EDIT_KEY_PAGE_UP;
    default: return YR_EDIT_KEY_IGNORED;
    }
}

/** ESC [ parameters final. */
static struct yr_edit_key next_csi(struct yr_edit_keys *keys, const char *at, size_t len)
{
    unsigned number[2] = {0, 0}, index = 0;
    size_t i = 2;

    if (len > 2 && at[2] == '[') { // the Linux console's function keys: ESC [ [ A
        if (len > 3)
            return take(keys, 4, YR_EDIT_KEY_IGNORED, 0);
    } else {
        for (; i < len && at[i] >= 0x20 && at[i] <= 0x3F; i++) {
            if (at[i] == ';')
                index = 1;
            else if (at[i] >= '0' && at[i] <= '9' && number[index] < 1000)
                number[index] = number[index] * 10 + (unsigned)(at[i] - '0');
        }
        if (i < len && (at[i] < 0x40 || at[i] > 0x7E))
            return take(keys, i, YR_EDIT_KEY_IGNORED, 0); // broken off
        if (i < len && at[i] == '~' && number[0] == 200 && i + 1 == PASTE_LEN)
            return next_paste(keys, at, len);
        if (i < len)
            return take(keys, i + 1, at[i] == '~' ? numbered(number[0]) : arrow(at[i], number[1]),
                        0);
    }
    return keys->idles > 0 ? take(keys, len, YR_EDIT_KEY_IGNORED, 0) : none();
}

static struct yr_edit_key next_escape(struct yr_edit_keys *keys, const char *at, size_t len)
{
    if (len == 1)
        return keys->idles > 0 ? take(keys, 1, YR_EDIT_KEY_ESCAPE, 0) : none();
    switch (at[1]) {
    case '[': return next_csi(keys, at, len);
    case 'O':
        if (len > 2)
            return take(keys, 3, arrow(at[2], 0), 0);
        return keys->idles > 0 ? take(keys, 2, YR_EDIT_KEY_IGNORED, 0) : none();
    case '\r':
    case '\n': return take(keys, 2, YR_EDIT_KEY_NEWLINE, 0);
    case '\b':
    case 0x7F: return take(keys, 2, YR_EDIT_KEY_ALT_BACKSPACE, 0);
    default: break;
    }
    if (at[1] >= 0x20 && at[1] < 0x7F)
        return take(keys, 2, YR_EDIT_KEY_ALT, (uint32_t)at[1]);
    return take(keys, 1, YR_EDIT_KEY_ESCAPE, 0);
}

static struct yr_edit_key next_control(struct yr_edit_keys *keys, char c)
{
    switch (c) {
    case '\r': return take(keys, 1, YR_EDIT_KEY_ENTER, 0);
    case '\n': return take(keys, 1, YR_EDIT_KEY_NEWLINE, 0);
    case '\t': return take(keys, 1, YR_EDIT_KEY_TAB, 0);
    case '\b':
    case 0x7F: return take(keys, 1, YR_EDIT_KEY_BACKSPACE, 0);
    default: return take(keys, 1, YR_EDIT_KEY_CTRL, (uint32_t)c + '@');
    }
}

struct yr_edit_key yr_edit_keys_next(struct yr_edit_keys *keys)
{
    const size_t len = keys->queue.len - keys->at;
    const char *at = yr_buf_str(&keys->queue) + keys->at;
    const unsigned char lead = (unsigned char)at[0];
    const size_t whole = lead < 0xC2 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    size_t used;
    uint32_t cp;

    if (len == 0)
        return none();
    if (lead == ESC)
        return next_escape(keys, at, len);
    if (lead < 0x20 || lead == 0x7F)
        return next_control(keys, at[0]);
    cp = yr_utf8_next(at, len, &used);
    if (cp == YR_UTF8_BAD && used == len && len < whole && keys->idles == 0)
        return none(); // the rest is on its way
    return take(keys, used, cp == YR_UTF8_BAD ? YR_EDIT_KEY_IGNORED : YR_EDIT_KEY_CHAR, cp);
}
