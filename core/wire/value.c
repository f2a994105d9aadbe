#include "core/wire/value.h"

static uint64_t read_be(struct yr_rd *rd, unsigned bytes)
{
    uint64_t v = 0;

    while (bytes-- > 0)
        v = v << 8 | yr_rd_u8(rd);
    return v;
}

static struct yr_value number(enum yr_value_kind kind, uint64_t v)
{
    return (struct yr_value){.kind = kind, .number = v};
}

static struct yr_value string(struct yr_rd *rd, enum yr_value_kind kind, uint64_t len)
{
    struct yr_value value = {.kind = kind, .len = (size_t)len};

    value.data = yr_rd_bytes(rd, value.len);
    return value;
}

// int8..int64: sign-extended from `bytes` bytes; only the sign decides between the two kinds.
static struct yr_value integer(struct yr_rd *rd, unsigned bytes)
{
    const uint64_t v = read_be(rd, bytes);

    return number(v >> (8 * bytes - 1) != 0 ? YR_VALUE_NEGATIVE : YR_VALUE_UINT, v);
}

static struct yr_value refuse(struct yr_rd *rd)
{
    rd->bad = true;
    return number(YR_VALUE_NIL, 0);
}

struct yr_value yr_value_next(struct yr_rd *rd)
{
    const uint8_t head = yr_rd_u8(rd);
    struct yr_value value;

    if (rd->bad)
        return refuse(rd);
    if (head <= 0x7f)
        return number(YR_VALUE_UINT, head);
    if (head >= 0xe0)
        return number(YR_VALUE_NEGATIVE, head);
    if (head <= 0x8f)
        return number(YR_VALUE_MAP, head & 0x0fU);
    if (head <= 0x9f)
        return number(YR_VALUE_ARRAY, head & 0x0fU);
    if (head <= 0xbf)
        value = string(rd, YR_VALUE_STR, head & 0x1fU);
    else
        switch (head) {
        case 0xc0: value = number(YR_VALUE_NIL, 0); break;
        case 0xc2: value = number(YR_VALUE_BOOL, 0); break;
        case 0xc3: value = number(YR_VALUE_BOOL, 1); break;
        case 0xc4: value = string(rd, YR_VALUE_BIN, read_be(rd, 1)); break;
        case 0xc5: value = string(rd, YR_VALUE_BIN, read_be(rd, 2)); break;
        case 0xc6: value = string(rd, YR_VALUE_BIN, read_be(rd, 4)); break;
        case 0xcc: value = number(YR_VALUE_UINT, read_be(rd, 1)); break;
        case 0xcd: value = number(YR_VALUE_UINT, read_be(rd, 2)); break;
        case 0xce: value = number(YR_VALUE_UINT, read_be(rd, 4)); break;
        case 0xcf: value = number(YR_VALUE_UINT, read_be(rd, 8)); break;
        case 0xd0: value = integer(rd, 1); break;
        case 0xd1: value = integer(rd, 2); break;
        case 0xd2: value = integer(rd, 4); break;
        case 0xd3: value = integer(rd, 8); break;
        case 0xd9: value = string(rd, YR_VALUE_STR, read_be(rd, 1)); break;
        case 0xda: value = string(rd, YR_VALUE_STR, read_be(rd, 2)); break;
        case 0xdb: value = string(rd, YR_VALUE_STR, read_be(rd, 4)); break;
        case 0xdc: value = number(YR_VALUE_ARRAY, read_be(rd, 2)); break;
        case 0xdd: value = number(YR_VALUE_ARRAY, read_be(rd, 4)); break;
        case 0xde: value = number(YR_VALUE_MAP, read_be(rd, 2)); break;
        case 0xdf: value = number(YR_VALUE_MAP, read_be(rd, 4)); break;
        default: return refuse(rd); // floats, ext, 0xc1
        }
    return rd->bad ? refuse(rd) : value;
}

// How many values stand directly inside this one.
static uint64_t inside(const struct yr_value *value)
{
    switch (value->kind) {
    case YR_VALUE_ARRAY: return value->number;
    case YR_VALUE_MAP: return 2 * value->number;
    case YR_VALUE_NIL:
    case YR_VALUE_BOOL:
    case YR_VALUE_UINT:
    case YR_VALUE_NEGATIVE:
    case YR_VALUE_BIN:
    case YR_VALUE_STR: break;
    }
    return 0;
}

void yr_value_skip(struct yr_rd *rd)
{
    for (uint64_t left = 1; left > 0 && !rd->bad; left--) {
        const struct yr_value value = yr_value_next(rd);

        left += inside(&value); // at most 2^33 a head, and every head takes a byte: no overflow
    }
}

// An array or map that is being walked.
struct level {
    uint64_t left; // values still to come
    bool map;
    uint64_t seen[(YR_MAP_KEY_MAX + 1) / 64];
};

// Is it a key not seen before in its map?
static bool new_key(struct level *level, const struct yr_value *value)
{
    uint64_t *word, bit;

    if (value->kind != YR_VALUE_UINT || value->number > YR_MAP_KEY_MAX)
        return false;
    word = &level->seen[value->number / 64];
    bit = UINT64_C(1) << value->number % 64;
    if ((*word & bit) != 0)
        return false;
    *word |= bit;
    return true;
}

bool yr_value_check(const void *src, size_t len)
{
    struct level levels[YR_MSGPACK_DEPTH];
    struct yr_rd rd = yr_rd_init(src, len);
    size_t depth = 0, items = 0;

    if (len > YR_MSGPACK_MAX)
        return false;
    do {
        const struct yr_value value = yr_value_next(&rd);
        struct level *level = depth > 0 ? &levels[depth - 1] : NULL;

        if (rd.bad || ++items > YR_MSGPACK_ITEMS)
            return false;
        if (level != NULL && level->map && level->left % 2 == 0 && !new_key(level, &value))
            return false;
        if (level != NULL)
            level->left--;
        if (value.kind == YR_VALUE_STR && !yr_utf8_ok(value.data, value.len))
            return false;
        if (value.kind == YR_VALUE_ARRAY || value.kind == YR_VALUE_MAP) {
            // a head that claims more than may still come is refused here, not after a long walk
            if (depth == YR_MSGPACK_DEPTH || inside(&value) > YR_MSGPACK_ITEMS - items)
                return false;
            levels[depth++] = (struct level){inside(&value), value.kind == YR_VALUE_MAP, {0}};
        }
        while (depth > 0 && levels[depth - 1].left == 0)
            depth--;
    } while (depth > 0);
    return yr_rd_done(&rd);
}
