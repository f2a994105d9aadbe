/* protocol-tables LIMITS_H: the tables of docs/protocol.md, printed from the rows the code expands
 * from.  Each stands between "<!-- table NAME -->" and "<!-- end NAME -->"; tests/docs/tables
 * compares them with the document, and `tests/docs/tables PROGRAM write` puts them there. */
#include <stdio.h>
#include <string.h>

#include "core/crypto/kdf.h"
#include "core/dht/rpc.h"
#include "core/room/record.h"
#include "core/store/rows.h"
#include "core/wire/messages.h"

static void begin(const char *name, const char *head, unsigned columns)
{
    printf("<!-- table %s -->\n%s\n|", name, head);
    for (unsigned i = 0; i < columns; i++)
        printf("---|");
    printf("\n");
}

static void end(const char *name)
{
    printf("<!-- end %s -->\n", name);
}

// A line of cells; a bar inside one would end it.
static void row_of(const char *const cells[])
{
    for (; *cells != NULL; cells++) {
        printf("| ");
        for (const char *c = *cells; *c != '\0'; c++)
            if (*c == '|')
                printf("\\|");
            else
                putchar(*c);
        printf(" ");
    }
    printf("|\n");
}

static void labels(void)
{
    begin("labels", "| label | key it is used with |", 2);
#define X(name, text, key) printf("| `yaari/1/%s` | %s |\n", text, key);
    YR_LABEL_MAP(X)
#undef X
    end("labels");
}

static void frames(void)
{
    begin("frames", "| type | name | channel | body |", 4);
#define X(name, type, channel, body) row_of((const char *[]){#type, #name, #channel, body, NULL});
    YR_FRAME_MAP(X)
#undef X
    end("frames");
}

static void plaintexts(void)
{
    begin("plaintexts", "| type | name | meaning |", 3);
#define X(name, type, form, meaning) printf("| %u | %s | %s |\n", (unsigned)(type), #name, meaning);
    YR_PLAIN_MAP(X)
#undef X
    end("plaintexts");
}

// One row of a map's fields: key, what it holds, how large, whether it must be there.
static void field(unsigned key, const char *member, const char *kind, unsigned long long min,
                  unsigned long long max, const char *need)
{
    printf("| %u | %s | ", key, member);
    if (strcmp(kind, "UINT") == 0 && max == UINT64_MAX)
        printf("u64");
    else if (strcmp(kind, "UINT") == 0)
        printf("%llu to %llu", min, max);
    else if (strcmp(kind, "BIN") == 0)
        printf("%llu bytes", max);
    else if (strcmp(kind, "BLOB") == 0)
        printf("%llu to %llu bytes", min, max);
    else if (strcmp(kind, "STR") == 0)
        printf("text, %llu to %llu bytes", min, max);
    else if (strcmp(kind, "IDS") == 0)
        printf("up to %llu ids", max);
    else if (strcmp(kind, "BOOL") == 0)
        printf("true or false");
    else
        printf("nil");
    printf(" | %s |\n", strcmp(need, "NEED") == 0 ? "yes" : "no");
}

#define FIELD(owner, key, member, kind, min, max, need) field(key, #member, #kind, min, max, #need);
#define FIELD_HEAD                                      "| key | field | holds | must be there |"

static void fields(void)
{
    begin("plaintext-fields", FIELD_HEAD, 4);
    YR_PLAIN_FIELDS(FIELD)
    end("plaintext-fields");
    begin("room-plaintext-fields", FIELD_HEAD, 4);
    YR_ROOM_PLAIN_FIELDS(FIELD)
    end("room-plaintext-fields");
    begin("edit-fields", FIELD_HEAD, 4);
    YR_BODY_EDIT(FIELD)
    end("edit-fields");
    begin("delete-fields", FIELD_HEAD, 4);
    YR_BODY_DELETE(FIELD)
    end("delete-fields");
    begin("reaction-fields", FIELD_HEAD, 4);
    YR_BODY_REACTION(FIELD)
    end("reaction-fields");
    begin("profile-fields", FIELD_HEAD, 4);
    YR_BODY_PROFILE(FIELD)
    end("profile-fields");
    begin("prekey-fields", FIELD_HEAD, 4);
    YR_BODY_PREKEY(FIELD)
    end("prekey-fields");
    begin("room-invite-fields", FIELD_HEAD, 4);
    YR_BODY_ROOM_INVITE(FIELD)
    end("room-invite-fields");
    begin("room-join-fields", FIELD_HEAD, 4);
    YR_BODY_ROOM_JOIN(FIELD)
    end("room-join-fields");
    begin("hello-fields", FIELD_HEAD, 4);
    YR_HELLO_FIELDS(FIELD)
    end("hello-fields");
}

// One field of a record's body, where it stands among the others.
static void body_field(size_t *count, const char *member, const char *form, unsigned long long min,
                       unsigned long long max)
{
    printf("%s%s", (*count)++ > 0 ? ", " : "", member);
    if (strcmp(form, "BIN") == 0)
        printf(" %llu", max);
    else if (strcmp(form, "STR") == 0)
        printf(" (u8 length, text of %llu to %llu)", min, max);
    else if (strcmp(form, "TEXT") == 0)
        printf(" (the rest: text of %llu to %llu)", min, max);
    else if (strcmp(form, "REST") == 0)
        printf(" (the rest: %llu to %llu)", min, max);
    else if (strncmp(form, "LIST", 4) == 0)
        printf(" (u%s count, 1 to %llu times %llu)", form + 4, max, min);
    else if (min == 0 && max == UINT32_MAX)
        printf(" u%s", form + 1);
    else
        printf(" u%s (%llu to %llu)", form + 1, min, max);
}

static void room_bodies(void)
{
    size_t count;

    begin("room-bodies", "| class | kind | name | fields, in the order of the bytes | meaning |",
          5);
#define F(body, form, member, min, max) body_field(&count, #member, #form, min, max);
#define X(name, class, kind, meaning)                                                 \
    printf("| %u | %u | %s | ", (unsigned)YR_CLASS_##class, (unsigned)(kind), #name); \
    count = 0;                                                                        \
    YR_FIELDS_##name(F) printf("%s | %s |\n", count == 0 ? "none" : "", meaning);
    YR_BODY_MAP(X)
#undef X
#undef F
    end("room-bodies");
}

// "owner -> suffix: what it holds"
static void row(const char *name, const char *db, const char *meaning)
{
    const char *arrow = strstr(meaning, " -> "), *colon = strstr(meaning, ": ");

    printf("| %s | %s | %.*s | %.*s | %s |\n", name,
           strcmp(db, "MAIN") == 0 ? "vault key" : "erasable key", (int)(arrow - meaning), meaning,
           (int)(colon - arrow - 4), arrow + 4, colon + 2);
}

static void dht_ops(void)
{
    begin("dht-ops", "| op | code | at least | request | reply |", 5);
#define X(name, op, least, request, reply) \
    row_of((const char *[]){#name, #op, #least, request, reply, NULL});
    YR_DHT_OP_MAP(X)
#undef X
    end("dht-ops");
}

static void rows(void)
{
    begin("rows", "| table | sealed under | owner | suffix | holds |", 5);
#define X(name, text, db, meaning) row(text, #db, meaning);
    YR_TABLE_MAP(X)
#undef X
    end("rows");
}

// The header's own lines: #define YR_NAME VALUE /* reason */
static int limits(const char *path)
{
    FILE *in = fopen(path, "r");
    char line[256], name[64], value[64];

    if (in == NULL) {
        perror(path);
        return 66;
    }
    begin("limits", "| limit | value | of what, and why |", 3);
    while (fgets(line, sizeof line, in) != NULL) {
        char *why = strstr(line, "/*"), *stop = strstr(line, "*/");

        if (sscanf(line, "#define YR_%63s %63s", name, value) != 2)
            continue;
        if (why != NULL && stop != NULL && stop > why + 3)
            *(stop - 1) = '\0';
        else
            why = NULL;
        row_of((const char *[]){name, value, why != NULL ? why + 3 : "", NULL});
    }
    end("limits");
    (void)fclose(in);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: protocol-tables core/limits.h\n");
        return 64;
    }
    labels();
    frames();
    plaintexts();
    fields();
    room_bodies();
    dht_ops();
    rows();
    return limits(argv[1]);
}
