/* names.h: what friends and rooms are called here.
 *
 * A friend's name is the petname I gave, else the nick it gave itself, made safe to show; names
 * that look alike become `bob`, `bob~2`, ..., petnames first, then in order of addition.  The
 * result is one word list in which each name is an argument that means one friend.
 *
 * Rooms have a list of their own, made in the same way.  Who renames a room must not catch what is
 * meant for another one: a room we are in keeps the name it had here as long as it is called so. */
#ifndef YR_NAMES_H
#define YR_NAMES_H

#include "yaari/node.h"

#define YR_NAME_MAX 80  /* bytes of a unique name, its NUL included: 64, ~ and a number */
#define YR_LOOK_MAX 240 /* bytes of what it looks like */

struct yr_name {
    uint8_t id[YR_ID_LEN];
    char id_text[53];
    char name[YR_NAME_MAX];
    char look[YR_LOOK_MAX];       /* what it looks like: equal for names easily mistaken */
    bool petname;                 /* chosen by me */
    bool room;                    /* and of a room: */
    enum yr_room_state state;     /* as read */
    uint8_t (*alike)[YR_MID_LEN]; /* owned; members who are no friends and look like another one, by
                                     mid; NULL: none, or not looked for yet */
    size_t alike_count;
    bool alike_known;
    bool quiet; /* a room we were only invited to, or are no longer in: its plain name is taken for
                   nothing else that has it */
};

struct yr_names {
    struct yr_name *rows; /* friends; owned; in order of addition */
    size_t count, cap;
    struct yr_name *rooms; /* owned; in order of creation or invitation */
    size_t room_count;
    uint8_t self[YR_ID_LEN];
    char self_text[53], self_name[YR_NAME_MAX];
    bool fresh, rooms_read;          /* false: read again from the node before use */
    uint64_t version, rooms_version; /* of the node's friends and rooms, as read */
};

/** All zeroes is an empty table that reads itself at first use. */
void yr_names_clear(struct yr_names *names);
/** Friends or the own name have changed; that rooms have is seen without this. */
void yr_names_stale(struct yr_names *names);
/** Read friends, rooms and own name if stale. */
void yr_names_read(struct yr_names *names, struct yr_node *node);

/** NULL: no friend.  Lent until the next read. */
const struct yr_name *yr_names_by_id(const struct yr_names *names, const uint8_t id[YR_ID_LEN]);
const struct yr_name *yr_names_by_name(const struct yr_names *names, const char *name);
/** The same of rooms. */
const struct yr_name *yr_names_room(const struct yr_names *names, const uint8_t id[YR_ID_LEN]);
const struct yr_name *yr_names_room_by_name(const struct yr_names *names, const char *name);
/** Does somebody else in this room, who is no friend either, have a nick that looks the same?
 *  room: a row of this table. */
bool yr_names_alike(struct yr_names *names, struct yr_node *node, const struct yr_name *room,
                    const uint8_t mid[YR_MID_LEN]);

enum yr_names_end { YR_NAMES_FOUND, YR_NAMES_NONE, YR_NAMES_MANY };
/* What may be meant. */
enum { YR_NAMES_FRIENDS = 1, YR_NAMES_ROOMS = 2, YR_NAMES_SELF = 4, YR_NAMES_ANY = 7 };
/** Resolve what a user wrote: a name (of a friend also with a leading `~`), `@name` for a friend,
 *  `+name` or `#name` for a room, `@me` and `self`, an id, or an id's prefix of at least 6
 *  characters.  kinds: YR_NAMES_...
 *  matches receives up to `cap` rows that fit when there are MANY, *match_count how many. */
enum yr_names_end yr_names_resolve(const struct yr_names *names, const char *text, unsigned kinds,
                                   uint8_t out[YR_ID_LEN], const struct yr_name **matches,
                                   size_t cap, size_t *match_count);
/** The start of an id of up to `max` characters as it is printed, from what a user wrote; false:
 *  too short to stand for one, or no id begins so. */
bool yr_id_prefix(char out[53], const char *text, size_t max);

/** `text` as a name: safe to show, at most 64 bytes, and without what arguments begin with; may end
 *  up empty. */
void yr_name_clean(char out[YR_NAME_MAX], const char *text, size_t len);

#endif
