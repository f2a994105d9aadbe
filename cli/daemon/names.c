#include "cli/daemon/names.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/common/buf.h"
#include "cli/common/text_safe.h"

#define PREFIX_MIN 6 /* characters of an id that may stand for it */

void yr_names_clear(struct yr_names *names)
{
    free(names->rows);
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

static bool taken(const struct yr_names *names, const struct yr_name *self, const char *look)
{
    static const char *const reserved[] = {"me", "self"};

    for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++) {
        char reserved_look[YR_LOOK_MAX];
        look_of(reserved_look, reserved[i]);
        if (strcmp(look, reserved_look) == 0)
            return true;
    }
    for (size_t i = 0; i < names->count; i++)
        if (&names->rows[i] != self && names->rows[i].look[0] != '\0' &&
            strcmp(names->rows[i].look, look) == 0)
            return true;
    return false;
}

/* Give a row the first of base, base~2, base~3, ... that nobody has. */
static void settle(struct yr_names *names, struct yr_name *row, const char *base)
{
    char look[YR_LOOK_MAX];

    snprintf(row->name, sizeof row->name, "%s", base);
    look_of(look, row->name);
    for (unsigned n = 2; taken(names, row, look); n++) {
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

void yr_names_read(struct yr_names *names, const struct yr_node *node)
{
    struct yr_friend_info info;
    struct {
        char petname[YR_NAME_MAX], nick[YR_NAME_MAX];
    } *bases = NULL;

    if (names->fresh && names->version == yr_node_friends_version(node))
        return;
    names->version = yr_node_friends_version(node);
    read_self(names, node);
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
    for (size_t i = 0; i < names->count; i++)
        if (names->rows[i].petname)
            settle(names, &names->rows[i], bases[i].petname);
    for (size_t i = 0; i < names->count; i++) {
        struct yr_name *row = &names->rows[i];
        char short_id[9];
        snprintf(short_id, sizeof short_id, "%.8s", row->id_text);
        if (!row->petname)
            settle(names, row, bases[i].nick[0] != '\0' ? bases[i].nick : short_id);
    }
    free(bases);
    names->fresh = true;
}

const struct yr_name *yr_names_by_id(const struct yr_names *names, const uint8_t id[YR_ID_LEN])
{
    for (size_t i = 0; i < names->count; i++)
        if (memcmp(names->rows[i].id, id, YR_ID_LEN) == 0)
            return &names->rows[i];
    return NULL;
}

const struct yr_name *yr_names_by_name(const struct yr_names *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++)
        if (strcmp(names->rows[i].name, name) == 0)
            return &names->rows[i];
    return NULL;
}

/* ---- what a user wrote ---- */

/* The start of an id as it is printed; false: these characters are in no id. */
static bool id_prefix(char out[53], const char *text)
{
    size_t len = 0;
    for (; *text != '\0'; text++) {
        char c = (char)tolower((unsigned char)*text);
        if (c == 'o')
            c = '0';
        if (c == 'i' || c == 'l')
            c = '1';
        if (len == 52 || strchr("0123456789abcdefghjkmnpqrstvwxyz", c) == NULL)
            return false;
        out[len++] = c;
    }
    out[len] = '\0';
    return len >= PREFIX_MIN;
}

enum yr_names_end yr_names_resolve(const struct yr_names *names, const char *text, bool friend_only,
                                   uint8_t out[YR_ID_LEN], const struct yr_name **matches,
                                   size_t cap, size_t *match_count)
{
    const bool forced = text[0] == '@';
    const struct yr_name *found = NULL;
    bool self = !friend_only && (strcmp(text, "@me") == 0 || strcmp(text, "self") == 0);
    size_t fits = 0;
    char prefix[53];

    *match_count = 0;
    if (!self) {
        text += forced;
        found = yr_names_by_name(names, text);
        if (found == NULL && text[0] == '~')
            found = yr_names_by_name(names, text + 1); // as lists show a nick
        if (found != NULL) {
            fits = 1;
            if (cap > 0)
                matches[0] = found;
        }
        if (id_prefix(prefix, text)) {
            const size_t len = strlen(prefix);
            const bool whole = len == 52;
            for (size_t i = 0; i < names->count; i++) {
                const struct yr_name *row = &names->rows[i];
                if (row == found || strncmp(row->id_text, prefix, len) != 0)
                    continue;
                if (whole) { // nobody can take the id of another for a nick
                    memcpy(out, row->id, YR_ID_LEN);
                    return YR_NAMES_FOUND;
                }
                if (fits < cap)
                    matches[fits] = row;
                fits++;
                if (fits == 1)
                    found = row;
            }
            if (fits == 0 && !friend_only && !forced && strncmp(names->self_text, prefix, len) == 0)
                self = true;
        }
    }
    *match_count = fits < cap ? fits : cap;
    if (fits > 1)
        return YR_NAMES_MANY;
    if (!self && fits == 0)
        return YR_NAMES_NONE;
    memcpy(out, self ? names->self : found->id, YR_ID_LEN);
    return YR_NAMES_FOUND;
}
