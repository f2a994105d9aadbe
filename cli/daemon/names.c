#include "cli/daemon/names.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/common/buf.h"
#include "cli/common/text_safe.h"

#define PREFIX_MIN 6 /* characters of an id that may stand for it */

static void free_rooms(struct yr_names *names)
{
    for (size_t i = 0; i < names->room_count; i++)
        free(names->rooms[i].alike);
    free(names->rooms);
}

void yr_names_clear(struct yr_names *names)
{
    free(names->rows);
    free_rooms(names);
    memset(names, 0, sizeof *names);
}

void yr_names_stale(struct yr_names *names)
{
    names->fresh = false;
}

void yr_name_clean(char out[YR_NAME_MAX], const char *text, size_t len)
{
    struct yr_buf safe = {0};
    yr_safe_name(&safe, text, len);
    const char *at = yr_buf_str(&safe);
    size_t left = safe.len;

    while (left > 0 && strchr("@+#~- ", *at) != NULL)
        at++, left--;
    memcpy(out, at, left);
    out[left] = '\0';
    for (char *c = out; *c != '\0'; c++)
        if (*c == '~')
            *c = '-'; // "~2" is only ever ours
    yr_buf_clear(&safe);
}

/* What a name looks like: equal for names that are easily mistaken for each other. */
static void look_of(char out[YR_LOOK_MAX], const char *name)
{
    struct yr_buf look = {0};

    yr_name_skeleton(&look, name, strlen(name));
    snprintf(out, YR_LOOK_MAX, "%s", yr_buf_str(&look));
    yr_buf_clear(&look);
}

/* ---- the table ---- */

/* The names some rows have so far. */
struct list {
    struct yr_name *rows;
    size_t count;
};

static bool taken(const struct list *list, const struct yr_name *self, const char *look)
{
    static const char *const reserved[] = {"me", "self"};

    for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++) {
        char reserved_look[YR_LOOK_MAX];
        look_of(reserved_look, reserved[i]);
        if (strcmp(look, reserved_look) == 0)
            return true;
    }
    for (size_t i = 0; i < list->count; i++)
        if (&list->rows[i] != self && list->rows[i].look[0] != '\0' &&
            strcmp(list->rows[i].look, look) == 0)
            return true;
    return false;
}

/* Give a row the first of base, base~2, base~3, ... that nobody has. */
static void settle(const struct list *list, struct yr_name *row, const char *base)
{
    char look[YR_LOOK_MAX];

    snprintf(row->name, sizeof row->name, "%s", base);
    look_of(look, row->name);
    for (unsigned n = 2; taken(list, row, look); n++) {
        snprintf(row->name, sizeof row->name, "%s~%u", base, n);
        look_of(look, row->name);
    }
    memcpy(row->look, look, sizeof look);
}

static void read_self(struct yr_names *names, const struct yr_node *node)
{
    struct yr_self self;
    yr_node_self(node, &self);
    memcpy(names->self, self.id, YR_ID_LEN);
    yr_id_text(names->self_text, self.id, YR_ID_LEN);
    yr_name_clean(names->self_name, self.nick, strlen(self.nick));
}

static void read_friends(struct yr_names *names, const struct yr_node *node)
{
    struct yr_friend_info info;
    struct list list;
    struct {
        char petname[YR_NAME_MAX], nick[YR_NAME_MAX];
    } *bases = NULL;

    names->version = yr_node_friends_version(node);
    names->count = 0;
    for (size_t i = 0; yr_node_friend_at(node, i, &info); i++) {
        if (i == names->cap) {
            names->cap = names->cap == 0 ? 16 : names->cap * 2;
            names->rows = yr_xrealloc(names->rows, names->cap * sizeof *names->rows);
        }
        bases = yr_xrealloc(bases, (i + 1) * sizeof *bases);
        struct yr_name *row = &names->rows[names->count++];
        memset(row, 0, sizeof *row);
        memcpy(row->id, info.id, YR_ID_LEN);
        yr_id_text(row->id_text, info.id, YR_ID_LEN);
        yr_name_clean(bases[i].petname, info.petname, strlen(info.petname));
        yr_name_clean(bases[i].nick, info.nick, strlen(info.nick));
        row->petname = bases[i].petname[0] != '\0';
    }
    list = (struct list){names->rows, names->count};
    for (size_t i = 0; i < names->count; i++)
        if (names->rows[i].petname)
            settle(&list, &names->rows[i], bases[i].petname);
    for (size_t i = 0; i < names->count; i++) {
        struct yr_name *row = &names->rows[i];
        char short_id[9];
        snprintf(short_id, sizeof short_id, "%.8s", row->id_text);
        if (!row->petname)
            settle(&list, row, bases[i].nick[0] != '\0' ? bases[i].nick : short_id);
    }
    free(bases);
}

/* The name a room had here, if it is still called so: base, or base~2, ... */
static void keep_name(struct yr_name *row, const struct list *before, const char *base)
{
    const size_t len = strlen(base);

    for (size_t i = 0; i < before->count; i++) {
        const struct yr_name *old = &before->rows[i];
        if (!old->quiet && memcmp(old->id, row->id, YR_ID_LEN) == 0 &&
            strncmp(old->name, base, len) == 0 &&
            (old->name[len] == '\0' || old->name[len] == '~')) {
            memcpy(row->name, old->name, sizeof row->name);
            memcpy(row->look, old->look, sizeof row->look);
        }
    }
}

static void read_rooms(struct yr_names *names, struct yr_node *node)
{
    const struct list before = {names->rooms, names->room_count};
    struct list list = {0};
    struct yr_room_info info;
    char(*bases)[YR_NAME_MAX] = NULL;

    names->rooms_version = yr_node_rooms_version(node);
    for (size_t i = 0; yr_node_room_at(node, i, &info); i++) {
        list.rows = yr_xrealloc(list.rows, (i + 1) * sizeof *list.rows);
        bases = yr_xrealloc(bases, (i + 1) * sizeof *bases);
        struct yr_name *row = &list.rows[list.count++];
        memset(row, 0, sizeof *row);
        memcpy(row->id, info.id, YR_ID_LEN);
        yr_id_text(row->id_text, info.id, YR_ID_LEN);
        row->room = true;
        row->state = info.state;
        row->quiet = info.state == YR_ROOM_INVITED || info.state == YR_ROOM_GONE;
        yr_name_clean(bases[i], info.name, strlen(info.name));
        if (bases[i][0] == '\0')
            snprintf(bases[i], sizeof bases[i], "%.8s", row->id_text);
        if (!row->quiet)
            keep_name(row, &before, bases[i]);
    }
    for (unsigned quiet = 0; quiet < 2; quiet++) // those we are in choose first
        for (size_t i = 0; i < list.count; i++)
            if (list.rows[i].look[0] == '\0' && list.rows[i].quiet == (quiet == 1))
                settle(&list, &list.rows[i], bases[i]);
    free(bases);
    free_rooms(names);
    names->rooms = list.rows;
    names->room_count = list.count;
}

void yr_names_read(struct yr_names *names, struct yr_node *node)
{
    if (!names->fresh || names->version != yr_node_friends_version(node)) {
        read_self(names, node);
        read_friends(names, node);
    }
    if (!names->rooms_read || names->rooms_version != yr_node_rooms_version(node))
        read_rooms(names, node);
    names->fresh = names->rooms_read = true;
}

static const struct yr_name *by_id(const struct yr_name *rows, size_t count,
                                   const uint8_t id[YR_ID_LEN])
{
    for (size_t i = 0; i < count; i++)
        if (memcmp(rows[i].id, id, YR_ID_LEN) == 0)
            return &rows[i];
    return NULL;
}

static const struct yr_name *by_name(const struct yr_name *rows, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    return NULL;
}

const struct yr_name *yr_names_by_id(const struct yr_names *names, const uint8_t id[YR_ID_LEN])
{
    return by_id(names->rows, names->count, id);
}

const struct yr_name *yr_names_by_name(const struct yr_names *names, const char *name)
{
    return by_name(names->rows, names->count, name);
}

const struct yr_name *yr_names_room(const struct yr_names *names, const uint8_t id[YR_ID_LEN])
{
    return by_id(names->rooms, names->room_count, id);
}

const struct yr_name *yr_names_room_by_name(const struct yr_names *names, const char *name)
{
    return by_name(names->rooms, names->room_count, name);
}

/* ---- members who look alike ---- */

struct seen {
    uint64_t look; /* hash of what the nick looks like */
    uint8_t mid[YR_MID_LEN];
};

static int by_look(const void *a, const void *b)
{
    const struct seen *x = a, *y = b;
    return x->look != y->look ? (x->look < y->look ? -1 : 1) : memcmp(x->mid, y->mid, YR_MID_LEN);
}

static int by_mid(const void *a, const void *b)
{
    return memcmp(a, b, YR_MID_LEN);
}

/* FNV-1a: who makes two looks collide gets a suffix more than needed. */
static uint64_t hash_look(const char *nick)
{
    char clean[YR_NAME_MAX], look[YR_LOOK_MAX];
    uint64_t hash = 0xcbf29ce484222325u;

    yr_name_clean(clean, nick, strlen(nick));
    look_of(look, clean);
    for (const char *c = look; *c != '\0'; c++)
        hash = (hash ^ (uint8_t)*c) * 0x100000001b3u;
    return hash;
}

static void find_alike(struct yr_name *room, struct yr_node *node)
{
    struct yr_member_info member;
    struct seen *seen = NULL;
    size_t count = 0;

    for (size_t i = 0; yr_node_member_at(node, room->id, i, &member); i++) {
        if (member.friend || member.self || member.nick[0] == '\0')
            continue;
        if ((count & (count + 1)) == 0) // full at 0, 1, 3, 7, ...
            seen = yr_xrealloc(seen, (count * 2 + 1) * sizeof *seen);
        seen[count].look = hash_look(member.nick);
        memcpy(seen[count++].mid, member.mid, YR_MID_LEN);
    }
    if (count > 1)
        qsort(seen, count, sizeof *seen, by_look);
    for (size_t i = 0; i < count; i++)
        if ((i > 0 && seen[i - 1].look == seen[i].look) ||
            (i + 1 < count && seen[i + 1].look == seen[i].look)) {
            room->alike = yr_xrealloc(room->alike, (room->alike_count + 1) * sizeof *room->alike);
            memcpy(room->alike[room->alike_count++], seen[i].mid, YR_MID_LEN);
        }
    if (room->alike_count > 1)
        qsort(room->alike, room->alike_count, sizeof *room->alike, by_mid);
    free(seen);
    room->alike_known = true;
}

bool yr_names_alike(struct yr_names *names, struct yr_node *node, const struct yr_name *room,
                    const uint8_t mid[YR_MID_LEN])
{
    struct yr_name *row = &names->rooms[room - names->rooms];

    if (!row->alike_known)
        find_alike(row, node);
    return row->alike_count > 0 &&
           bsearch(mid, row->alike, row->alike_count, sizeof *row->alike, by_mid) != NULL;
}

/* ---- what a user wrote ---- */

bool yr_id_prefix(char out[53], const char *text, size_t max)
{
    size_t len = 0;
    for (; *text != '\0'; text++) {
        char c = (char)tolower((unsigned char)*text);
        if (c == 'o')
            c = '0';
        if (c == 'i' || c == 'l')
            c = '1';
        if (len == max || strchr("0123456789abcdefghjkmnpqrstvwxyz", c) == NULL)
            return false;
        out[len++] = c;
    }
    out[len] = '\0';
    return len >= PREFIX_MIN;
}

/* What fits so far. */
struct fits {
    const struct yr_name **matches;
    size_t cap, count;
    const struct yr_name *first;
};

static void add_fit(struct fits *fits, const struct yr_name *row)
{
    for (size_t i = 0; i < fits->count && i < fits->cap; i++)
        if (fits->matches[i] == row)
            return;
    if (row == fits->first)
        return;
    if (fits->count < fits->cap)
        fits->matches[fits->count] = row;
    if (fits->count++ == 0)
        fits->first = row;
}

/* Add the rows whose id begins so.  A whole id means its row and nothing else: nobody can take the
 * id of another for a name. */
static const struct yr_name *add_by_id(struct fits *fits, const struct yr_name *rows, size_t count,
                                       const char *prefix)
{
    const size_t len = strlen(prefix);

    for (size_t i = 0; i < count; i++) {
        if (strncmp(rows[i].id_text, prefix, len) != 0)
            continue;
        if (len == 52)
            return &rows[i];
        add_fit(fits, &rows[i]);
    }
    return NULL;
}

/* All that fits a name or a prefix of an id; the row of a whole id, or NULL. */
static const struct yr_name *find_fits(struct fits *fits, const struct yr_names *names,
                                       const char *text, unsigned kinds, bool forced)
{
    const struct yr_name *friend = NULL, *room = NULL, *whole = NULL;
    char prefix[53];

    if ((kinds & YR_NAMES_FRIENDS) != 0) {
        friend = yr_names_by_name(names, text);
        if (friend == NULL && text[0] == '~')
            friend = yr_names_by_name(names, text + 1); // as lists show a nick
    }
    if ((kinds & YR_NAMES_ROOMS) != 0)
        room = yr_names_room_by_name(names, text);
    if (friend != NULL)
        add_fit(fits, friend);
    if (room != NULL && (friend == NULL || forced || !room->quiet))
        add_fit(fits, room);
    if (!yr_id_prefix(prefix, text, 52))
        return NULL;
    if ((kinds & YR_NAMES_FRIENDS) != 0)
        whole = add_by_id(fits, names->rows, names->count, prefix);
    if (whole == NULL && (kinds & YR_NAMES_ROOMS) != 0)
        whole = add_by_id(fits, names->rooms, names->room_count, prefix);
    return whole;
}

/* Does our own id begin so? */
static bool is_own(const struct yr_names *names, const char *text)
{
    char prefix[53];
    return yr_id_prefix(prefix, text, 52) && strncmp(names->self_text, prefix, strlen(prefix)) == 0;
}

enum yr_names_end yr_names_resolve(const struct yr_names *names, const char *text, unsigned kinds,
                                   uint8_t out[YR_ID_LEN], const struct yr_name **matches,
                                   size_t cap, size_t *match_count)
{
    const bool as_friend = text[0] == '@', as_room = text[0] == '+' || text[0] == '#';
    struct fits fits = {.matches = matches, .cap = cap};
    const struct yr_name *whole;

    *match_count = 0;
    if ((kinds & YR_NAMES_SELF) != 0 && (strcmp(text, "@me") == 0 || strcmp(text, "self") == 0)) {
        memcpy(out, names->self, YR_ID_LEN);
        return YR_NAMES_FOUND;
    }
    if (as_friend || as_room)
        kinds &= as_friend ? YR_NAMES_FRIENDS : YR_NAMES_ROOMS;
    text += as_friend || as_room;
    whole = find_fits(&fits, names, text, kinds, as_friend || as_room);
    if (whole == NULL && fits.count > 1) {
        *match_count = fits.count < cap ? fits.count : cap;
        return YR_NAMES_MANY;
    }
    if (whole == NULL && fits.count == 0) {
        if ((kinds & YR_NAMES_SELF) == 0 || !is_own(names, text))
            return YR_NAMES_NONE;
        memcpy(out, names->self, YR_ID_LEN);
        return YR_NAMES_FOUND;
    }
    memcpy(out, whole != NULL ? whole->id : fits.first->id, YR_ID_LEN);
    return YR_NAMES_FOUND;
}
