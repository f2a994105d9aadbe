#include "core/wire/messages.h"

#include <msgpack.h>

#include "core/wire/value.h"

enum kind { UINT, BOOL, BIN, BLOB, STR, IDS, NIL };
enum { OPT, NEED };
enum form { VALUE, MAP };

// One row of the tables, with where its member is.
struct field {
    uint64_t min, max;
    uint16_t at;    // offset of the number, pointer or array of pointers
    uint16_t at_nr; // offset of the length or count that goes with it
    uint8_t key, kind, need;
    uint8_t size; // bytes of a number
};

struct layout {
    const struct field *fields;
    size_t count;
};

#define AT_UINT(owner, m) .at = offsetof(owner, m), .size = sizeof(((owner *)0)->m)
#define AT_BOOL(owner, m) .at = offsetof(owner, m), .size = sizeof(((owner *)0)->m)
#define AT_BIN(owner, m)  .at = offsetof(owner, m)
#define AT_BLOB(owner, m) .at = offsetof(owner, m), .at_nr = offsetof(owner, m##_len)
#define AT_STR(owner, m)  .at = offsetof(owner, m), .at_nr = offsetof(owner, m##_len)
#define AT_IDS(owner, m)  .at = offsetof(owner, m##s), .at_nr = offsetof(owner, m##_count)
#define AT_NIL(owner, m)  .at = 0
#define F(owner, k, member, KIND, least, most, must) \
    {.min = (least),                                 \
     .max = (most),                                  \
     .key = (k),                                     \
     .kind = (KIND),                                 \
     .need = (must),                                 \
     AT_##KIND(struct yr_##owner, member)},

static const struct field plain_fields[] = {YR_PLAIN_FIELDS(F)};
static const struct field room_fields[] = {YR_ROOM_PLAIN_FIELDS(F)};
static const struct field hello_fields[] = {YR_HELLO_FIELDS(F)};
static const struct field hello_prekey_fields[] = {YR_PREKEY_FIELDS(F, hello)};
#define X(name, type, form, meaning) \
    static const struct field body_fields_##name[] = {YR_BODY_##name(F)};
YR_PLAIN_MAP(X)
#undef X

static const struct layout plain_layout = {plain_fields, YR_COUNT(plain_fields)};
static const struct layout room_layout = {room_fields, YR_COUNT(room_fields)};
static const struct layout hello_layout = {hello_fields, YR_COUNT(hello_fields)};
static const struct layout hello_prekey = {hello_prekey_fields, YR_COUNT(hello_prekey_fields)};

static const struct body {
    uint64_t type;
    const char *name;
    enum form form;
    struct layout layout;
} bodies[] = {
#define X(name, type, form, meaning) \
    {type, #name, form, {body_fields_##name, YR_COUNT(body_fields_##name)}},
    YR_PLAIN_MAP(X)
#undef X
};

static_assert(YR_COUNT(plain_fields) < 32 && YR_COUNT(hello_fields) < 32, "one bit a field");

static const struct body *find_body(uint64_t type)
{
    for (size_t i = 0; i < YR_COUNT(bodies); i++)
        if (bodies[i].type == type)
            return &bodies[i];
    return NULL;
}

// What is said in rooms; the rest is between two.
static const struct body *find_room_body(uint64_t type)
{
    switch ((enum yr_plain_type)type) {
    case YR_PLAIN_TEXT:
    case YR_PLAIN_EDIT:
    case YR_PLAIN_DELETE:
    case YR_PLAIN_REACTION: return find_body(type);
    case YR_PLAIN_DELIVERED:
    case YR_PLAIN_READ:
    case YR_PLAIN_PROFILE:
    case YR_PLAIN_RELAYS:
    case YR_PLAIN_PREKEY:
    case YR_PLAIN_ROOM_INVITE:
    case YR_PLAIN_ROOM_JOIN:
    case YR_PLAIN_NOOP:
    case YR_PLAIN_COUNT: break;
    }
    return NULL;
}

const char *yr_plain_name(uint64_t type)
{
    const struct body *body = find_body(type);

    return body != NULL ? body->name : "?";
}

/* ---- members of a struct, reached by offset ---- */

static uint64_t get_number(const struct field *field, const uint8_t *in)
{
    uint64_t u64;
    uint32_t u32;

    switch (field->size) {
    case 8: memcpy(&u64, in + field->at, sizeof u64); return u64;
    case 4: memcpy(&u32, in + field->at, sizeof u32); return u32;
    default: return in[field->at];
    }
}

static void set_number(const struct field *field, uint8_t *out, uint64_t v)
{
    const uint32_t u32 = (uint32_t)v;

    switch (field->size) {
    case 8: memcpy(out + field->at, &v, sizeof v); return;
    case 4: memcpy(out + field->at, &u32, sizeof u32); return;
    default: out[field->at] = (uint8_t)v;
    }
}

static const uint8_t *get_pointer(const uint8_t *in, size_t at)
{
    const uint8_t *ptr;

    memcpy(&ptr, in + at, sizeof ptr);
    return ptr;
}

static void set_pointer(uint8_t *out, size_t at, const uint8_t *ptr)
{
    memcpy(out + at, &ptr, sizeof ptr);
}

static size_t get_size(const uint8_t *in, size_t at)
{
    size_t size;

    memcpy(&size, in + at, sizeof size);
    return size;
}

static void set_size(uint8_t *out, size_t at, size_t size)
{
    memcpy(out + at, &size, sizeof size);
}

static size_t nth_pointer(const struct field *field, size_t i)
{
    return field->at + i * sizeof(const uint8_t *);
}

/* ---- decode: over bytes that yr_value_check has seen; a bad field sets rd->bad ---- */

static void read_ids(struct yr_rd *rd, const struct field *field, uint64_t count, uint8_t *out)
{
    for (size_t i = 0; i < count; i++) {
        const struct yr_value id = yr_value_next(rd);

        if (id.kind != YR_VALUE_BIN || id.len != YR_MSG_ID_LEN)
            rd->bad = true;
        if (rd->bad)
            return;
        set_pointer(out, nth_pointer(field, i), id.data);
    }
    set_size(out, field->at_nr, (size_t)count);
}

static void read_field(struct yr_rd *rd, const struct field *field, uint8_t *out)
{
    static const enum yr_value_kind kinds[] = {
        [UINT] = YR_VALUE_UINT, [BOOL] = YR_VALUE_BOOL, [BIN] = YR_VALUE_BIN, [BLOB] = YR_VALUE_BIN,
        [STR] = YR_VALUE_STR,   [IDS] = YR_VALUE_ARRAY, [NIL] = YR_VALUE_NIL};
    const struct yr_value value = yr_value_next(rd);
    const bool sized = field->kind == BIN || field->kind == BLOB || field->kind == STR;
    const uint64_t size = sized ? value.len : value.number;

    if (value.kind != kinds[field->kind] || size < field->min || size > field->max)
        rd->bad = true;
    if (rd->bad)
        return;
    switch ((enum kind)field->kind) {
    case UINT:
    case BOOL: set_number(field, out, value.number); return;
    case BIN: set_pointer(out, field->at, value.data); return;
    case BLOB:
    case STR:
        set_pointer(out, field->at, value.data);
        set_size(out, field->at_nr, value.len);
        return;
    case IDS: read_ids(rd, field, value.number, out); return;
    case NIL: return;
    }
}

static const struct field *find_field(const struct layout *layout, uint64_t key)
{
    for (size_t i = 0; i < layout->count; i++)
        if (layout->fields[i].key == key)
            return &layout->fields[i];
    return NULL;
}

// A map of fields in any order.  What stands under `apart` is left to the caller: *inner is set to
// it, or stays as it was when the key is absent.
static void read_map(struct yr_rd *rd, const struct layout *layout, uint8_t *out, uint64_t apart,
                     struct yr_rd *inner)
{
    const struct yr_value map = yr_value_next(rd);
    uint32_t seen = 0;

    if (map.kind != YR_VALUE_MAP)
        rd->bad = true;
    for (uint64_t i = 0; i < map.number && !rd->bad; i++) {
        const struct yr_value key = yr_value_next(rd);
        const struct field *field = find_field(layout, key.number);

        if (field != NULL) {
            read_field(rd, field, out);
            seen |= UINT32_C(1) << (field - layout->fields);
        } else if (inner != NULL && key.number == apart) {
            *inner = *rd;
            yr_value_skip(rd);
        } else {
            yr_value_skip(rd);
        }
    }
    for (size_t i = 0; i < layout->count; i++)
        if (layout->fields[i].need == NEED && (seen >> i & 1) == 0)
            rd->bad = true;
}

static void read_body(struct yr_rd *rd, const struct body *body, struct yr_plain *plain)
{
    uint8_t *out = (uint8_t *)plain;

    if (body->form == MAP)
        read_map(rd, &body->layout, out, 0, NULL);
    else if (rd->at != NULL) // the key is there
        read_field(rd, body->layout.fields, out);
    else if (body->layout.fields[0].need == NEED)
        rd->bad = true;
}

typedef const struct body *(*find_fn)(uint64_t type);

static enum yr_err decode_plain(struct yr_plain *out, const struct layout *layout, find_fn find,
                                const uint8_t *src, size_t len)
{
    struct yr_rd rd = yr_rd_init(src, len), inner = yr_rd_init(NULL, 0);
    struct yr_plain plain = {0};
    const struct body *body;

    if (!yr_value_check(src, len))
        return YR_EPROTO;
    read_map(&rd, layout, (uint8_t *)&plain, YR_PLAIN_BODY_KEY, &inner);
    if (rd.bad)
        return YR_EPROTO;
    body = find(plain.type);
    if (body != NULL) {
        read_body(&inner, body, &plain);
        plain.known = true;
    }
    if (inner.bad)
        return YR_EPROTO;
    *out = plain;
    return YR_OK;
}

enum yr_err yr_plain_decode(struct yr_plain *out, const uint8_t *src, size_t len)
{
    return decode_plain(out, &plain_layout, find_body, src, len);
}

enum yr_err yr_plain_decode_room(struct yr_plain *out, const uint8_t *src, size_t len)
{
    struct yr_plain plain;

    if (decode_plain(&plain, &room_layout, find_room_body, src, len) != YR_OK ||
        plain.text_len > YR_ROOM_TEXT_MAX)
        return YR_EPROTO;
    *out = plain;
    return YR_OK;
}

enum yr_err yr_hello_decode(struct yr_hello *out, const uint8_t *src, size_t len)
{
    struct yr_rd rd = yr_rd_init(src, len), inner = yr_rd_init(NULL, 0);
    struct yr_hello hello = {0};

    if (!yr_value_check(src, len))
        return YR_EPROTO;
    read_map(&rd, &hello_layout, (uint8_t *)&hello, YR_HELLO_PREKEY_KEY, &inner);
    if (inner.at != NULL)
        read_map(&inner, &hello_prekey, (uint8_t *)&hello, 0, NULL);
    if (rd.bad || inner.bad)
        return YR_EPROTO;
    *out = hello;
    return YR_OK;
}

/* ---- encode: everything is checked first, then msgpack-c's packer writes ---- */

static int append(void *ctx, const char *bytes, size_t len)
{
    yr_wr_bytes(ctx, bytes, len);
    return 0; // a full buffer is remembered by the cursor
}

static bool present(const struct field *field, const uint8_t *in)
{
    if (field->need == NEED)
        return true;
    switch ((enum kind)field->kind) {
    case UINT:
    case BOOL: return get_number(field, in) != 0;
    case BIN:
    case BLOB:
    case STR: return get_pointer(in, field->at) != NULL;
    case IDS: return get_size(in, field->at_nr) > 0;
    case NIL: return true;
    }
    return false;
}

static enum yr_err check_str(const struct field *field, const uint8_t *in)
{
    const uint8_t *text = get_pointer(in, field->at);
    const size_t len = get_size(in, field->at_nr);

    if (len < field->min || len > field->max)
        return YR_ESIZE;
    return len == 0 || (text != NULL && yr_utf8_ok(text, len)) ? YR_OK : YR_EINVAL;
}

static enum yr_err check_blob(const struct field *field, const uint8_t *in)
{
    const size_t len = get_size(in, field->at_nr);

    if (len < field->min || len > field->max)
        return YR_ESIZE;
    return get_pointer(in, field->at) != NULL ? YR_OK : YR_EINVAL;
}

static enum yr_err check_ids(const struct field *field, const uint8_t *in)
{
    const size_t count = get_size(in, field->at_nr);

    if (count < field->min || count > field->max)
        return YR_ESIZE;
    for (size_t i = 0; i < count; i++)
        if (get_pointer(in, nth_pointer(field, i)) == NULL)
            return YR_EINVAL;
    return YR_OK;
}

static enum yr_err check_field(const struct field *field, const uint8_t *in)
{
    if (!present(field, in))
        return YR_OK;
    switch ((enum kind)field->kind) {
    case UINT:
        if (get_number(field, in) < field->min)
            return YR_EINVAL;
        return get_number(field, in) <= field->max ? YR_OK : YR_ESIZE;
    case BIN: return get_pointer(in, field->at) != NULL ? YR_OK : YR_EINVAL;
    case BLOB: return check_blob(field, in);
    case STR: return check_str(field, in);
    case IDS: return check_ids(field, in);
    case BOOL:
    case NIL: break;
    }
    return YR_OK;
}

// Checks a layout; *count: how many of its fields are present.
static enum yr_err check_layout(const struct layout *layout, const void *in, size_t *count)
{
    *count = 0;
    for (size_t i = 0; i < layout->count; i++) {
        const enum yr_err err = check_field(&layout->fields[i], in);

        if (err != YR_OK)
            return err;
        *count += present(&layout->fields[i], in) ? 1 : 0;
    }
    return YR_OK;
}

static void pack_bin(msgpack_packer *pk, const void *data, size_t len)
{
    msgpack_pack_bin(pk, len);
    msgpack_pack_bin_body(pk, data, len);
}

static void pack_field(msgpack_packer *pk, const struct field *field, const uint8_t *in)
{
    const size_t nr = field->at_nr != 0 ? get_size(in, field->at_nr) : 0;

    switch ((enum kind)field->kind) {
    case UINT: msgpack_pack_uint64(pk, get_number(field, in)); return;
    case BOOL:
        if (get_number(field, in) != 0)
            msgpack_pack_true(pk);
        else
            msgpack_pack_false(pk);
        return;
    case BIN: pack_bin(pk, get_pointer(in, field->at), (size_t)field->max); return;
    case BLOB: pack_bin(pk, get_pointer(in, field->at), nr); return;
    case STR:
        msgpack_pack_str(pk, nr);
        msgpack_pack_str_body(pk, get_pointer(in, field->at), nr);
        return;
    case IDS:
        msgpack_pack_array(pk, nr);
        for (size_t i = 0; i < nr; i++)
            pack_bin(pk, get_pointer(in, nth_pointer(field, i)), YR_MSG_ID_LEN);
        return;
    case NIL: msgpack_pack_nil(pk); return;
    }
}

// The present fields of a layout as `key value` pairs; the head of the map is the caller's.
static void pack_fields(msgpack_packer *pk, const struct layout *layout, const void *in)
{
    for (size_t i = 0; i < layout->count; i++)
        if (present(&layout->fields[i], in)) {
            msgpack_pack_uint8(pk, layout->fields[i].key);
            pack_field(pk, &layout->fields[i], in);
        }
}

static enum yr_err encode_plain(const struct yr_plain *plain, const struct layout *layout,
                                const struct body *body, uint8_t *dst, size_t cap, size_t *len)
{
    struct yr_wr wr = yr_wr_init(dst, cap);
    size_t count, body_count;
    msgpack_packer pk;
    enum yr_err err;

    if (body == NULL)
        return YR_EINVAL;
    if ((err = check_layout(layout, plain, &count)) != YR_OK ||
        (err = check_layout(&body->layout, plain, &body_count)) != YR_OK)
        return err;
    msgpack_packer_init(&pk, &wr, append);
    msgpack_pack_map(&pk, count + 1);
    pack_fields(&pk, layout, plain);
    msgpack_pack_uint8(&pk, YR_PLAIN_BODY_KEY);
    if (body->form == MAP) {
        msgpack_pack_map(&pk, body_count);
        pack_fields(&pk, &body->layout, plain);
    } else {
        pack_field(&pk, body->layout.fields, (const uint8_t *)plain);
    }
    if (!yr_wr_ok(&wr))
        return YR_ESIZE;
    *len = yr_wr_len(&wr);
    return YR_OK;
}

enum yr_err yr_plain_encode(const struct yr_plain *plain, uint8_t *dst, size_t cap, size_t *len)
{
    return encode_plain(plain, &plain_layout, find_body(plain->type), dst, cap, len);
}

enum yr_err yr_plain_encode_room(const struct yr_plain *plain, uint8_t *dst, size_t cap,
                                 size_t *len)
{
    const struct body *body = find_room_body(plain->type);

    if (body != NULL && plain->text_len > YR_ROOM_TEXT_MAX)
        return YR_ESIZE;
    return encode_plain(plain, &room_layout, body, dst, cap, len);
}

enum yr_err yr_hello_encode(const struct yr_hello *hello, uint8_t *dst, size_t cap, size_t *len)
{
    struct yr_wr wr = yr_wr_init(dst, cap);
    size_t count, prekey_count = 0;
    msgpack_packer pk;
    enum yr_err err;

    if ((err = check_layout(&hello_layout, hello, &count)) != YR_OK ||
        (hello->prekey != NULL &&
         (err = check_layout(&hello_prekey, hello, &prekey_count)) != YR_OK))
        return err;
    msgpack_packer_init(&pk, &wr, append);
    msgpack_pack_map(&pk, count + (hello->prekey != NULL ? 1 : 0));
    pack_fields(&pk, &hello_layout, hello);
    if (hello->prekey != NULL) {
        msgpack_pack_uint8(&pk, YR_HELLO_PREKEY_KEY);
        msgpack_pack_map(&pk, prekey_count);
        pack_fields(&pk, &hello_prekey, hello);
    }
    if (!yr_wr_ok(&wr))
        return YR_ESIZE;
    *len = yr_wr_len(&wr);
    return YR_OK;
}
