/* edit_keys.h: bytes of a keyboard into keys; pastes whole.  The lower half of edit.h. */
#ifndef YR_EDIT_KEYS_H
#define YR_EDIT_KEYS_H

#include "cli/common/buf.h"

enum yr_edit_key_kind {
    YR_EDIT_KEY_NONE,    /* the queue is empty, or ends in an unfinished sequence */
    YR_EDIT_KEY_IGNORED, /* a sequence that means nothing here */
    YR_EDIT_KEY_CHAR,    /* cp: a character, 0x20 or above */
    YR_EDIT_KEY_CTRL,    /* cp: 'A' for Ctrl-A ... '_' */
    YR_EDIT_KEY_ALT,     /* cp: the ASCII character pressed with Alt */
    YR_EDIT_KEY_ALT_BACKSPACE,
    YR_EDIT_KEY_ENTER,
    YR_EDIT_KEY_NEWLINE, /* Ctrl-J, Alt-Enter */
    YR_EDIT_KEY_TAB,
    YR_EDIT_KEY_BACKTAB,
    YR_EDIT_KEY_BACKSPACE,
    YR_EDIT_KEY_DELETE,
    YR_EDIT_KEY_UP,
    YR_EDIT_KEY_DOWN,
    YR_EDIT_KEY_LEFT,
    YR_EDIT_KEY_RIGHT,
    YR_EDIT_KEY_WORD_LEFT,
    YR_EDIT_KEY_WORD_RIGHT,
    YR_EDIT_KEY_HOME,
    YR_EDIT_KEY_END,
    YR_EDIT_KEY_PAGE_UP,
    YR_EDIT_KEY_ESCAPE,
    YR_EDIT_KEY_PASTE,    /* the text is in keys->paste, line ends as \n */
    YR_EDIT_KEY_TOO_LONG, /* a paste of more than YR_EDIT_KEYS_QUEUE_MAX bytes, dropped */
};
struct yr_edit_key {
    enum yr_edit_key_kind kind;
    uint32_t cp;
};

#define YR_EDIT_KEYS_QUEUE_MAX (256 * 1024) /* bytes; only a paste makes it grow */

/** Zero it before its first use. */
struct yr_edit_keys {
    struct yr_buf queue;
    size_t at;           /* bytes of the queue that are done with */
    struct yr_buf paste; /* of the last YR_EDIT_KEY_PASTE */
    unsigned idles;      /* calls of idle since the last byte came */
    bool overflow;       /* bytes of the present paste were dropped */
};

void yr_edit_keys_clear(struct yr_edit_keys *keys);
void yr_edit_keys_feed(struct yr_edit_keys *keys, const void *bytes, size_t len);
/** No byte came for YR_EDIT_IDLE_MS: settle a lone ESC; end a paste whose end was seen, or that has
 *  been without an end for two seconds. */
void yr_edit_keys_idle(struct yr_edit_keys *keys);
bool yr_edit_keys_waiting(const struct yr_edit_keys *keys);
struct yr_edit_key yr_edit_keys_next(struct yr_edit_keys *keys);

#endif
