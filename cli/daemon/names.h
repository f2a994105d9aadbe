/* names.h: what friends are called here.
 *
 * A friend's name is the petname I gave, else the nick it gave itself, made safe to show; names
 * that look alike become `bob`, `bob~2`, ..., petnames first, then in order of addition.  The
 * result is one word list in which each name is an argument that means one friend. */
#ifndef YR_NAMES_H
#define YR_NAMES_H

#include "yaari/node.h"

#define YR_NAME_MAX 80  /* bytes of a unique name, its NUL included: 64, ~ and a number */
#define YR_LOOK_MAX 240 /* bytes of what it looks like */

struct yr_name {
    uint8_t id[YR_ID_LEN];
    char id_text[53];
    char name[YR_NAME_MAX];
    char look[YR_LOOK_MAX]; /* what it looks like: equal for names easily mistaken */
    bool petname;           /* chosen by me */
};

struct yr_names {
    struct yr_name *rows; /* owned; in order of addition */
    size_t count, cap;
    uint8_t self[YR_ID_LEN];
    char self_text[53], self_name[YR_NAME_MAX];
    bool fresh;       /* false: read again from the node before use */
    uint64_t version; /* of the node's friends, as read */
};

/** All zeroes is an empty table that reads itself at first use. */
void yr_names_clear(struct yr_names *names);
/** Friends or names have changed. */
void yr_names_stale(struct yr_names *names);
/** Read friends and own name if stale. */
void yr_names_read(struct yr_names *names, const struct yr_node *node);

/** NULL: no friend.  Lent until the next read. */
const struct yr_name *yr_names_by_id(const struct yr_names *names, const uint8_t id[YR_ID_LEN]);
const struct yr_name *yr_names_by_name(const struct yr_names *names, const char *name);

enum yr_names_end { YR_NAMES_FOUND, YR_NAMES_NONE, YR_NAMES_MANY };
/** Resolve what a user wrote: a name (also with a leading `~`), `@name`, `@me` and `self` (unless
 *  friend_only), an id, or an id's prefix of at least 6 characters.
 *  matches receives up to `cap` rows that fit when there are MANY, *match_count how many. */
enum yr_names_end yr_names_resolve(const struct yr_names *names, const char *text, bool friend_only,
                                   uint8_t out[YR_ID_LEN], const struct yr_name **matches,
                                   size_t cap, size_t *match_count);

/** `text` as a name: safe to show, at most 64 bytes, and without what arguments begin with; may end
 *  up empty. */
void yr_name_clean(char out[YR_NAME_MAX], const char *text, size_t len);

#endif
