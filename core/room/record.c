#include "core/room/record.h"

#include "core/crypto/identity.h"

#define VERSION     1
#define SIGN_LABEL  "room"
#define JOIN_LABEL  "room/join"
#define ROOM_DOMAIN "yaari/1/room"

static const uint8_t zeros[YR_ROOM_ID_LEN];

static_assert(YR_ROOM_SIGNED_MIN == 113, "layout of B.9.1");
static_assert(YR_REC_ID_LEN == YR_HASH_LEN && YR_ROOM_ID_LEN == YR_HASH_LEN, "ids are hashes");

static bool is_zero(const uint8_t *bytes, size_t len)
{
    return memcmp(bytes, zeros, len) == 0;
}

void yr_room_mid(uint8_t out[YR_MID_LEN], const uint8_t room_id[YR_ROOM_ID_LEN],
                 const uint8_t sign_pk[32])
{
    uint8_t full[YR_HASH_LEN];

    yr_hash2(full, room_id, YR_ROOM_ID_LEN, sign_pk, 32);
    memcpy(out, full, YR_MID_LEN);
}

/* ---- bodies ---- */

enum form { U8, U16, U32, BIN, STR, TEXT, REST, LIST8, LIST16 };

struct field {
    enum form form;
    size_t at;    // of the member
    size_t count; // of the member that says how much
    uint32_t min, max;
};

#define COUNT_U8(member)     0
#define COUNT_U16(member)    0
#define COUNT_U32(member)    0
#define COUNT_BIN(member)    0
#define COUNT_STR(member)    offsetof(struct yr_room_body, member##_len)
#define COUNT_TEXT(member)   offsetof(struct yr_room_body, member##_len)
#define COUNT_REST(member)   offsetof(struct yr_room_body, member##_len)
#define COUNT_LIST8(member)  offsetof(struct yr_room_body, member##_count)
#define COUNT_LIST16(member) offsetof(struct yr_room_body, member##_count)

// The member has the type its form wants.
#define TYPE_U8     uint8_t
#define TYPE_U16    uint16_t
#define TYPE_U32    uint32_t
#define TYPE_BIN    const uint8_t *
#define TYPE_STR    const uint8_t *
#define TYPE_TEXT   const uint8_t *
#define TYPE_REST   const uint8_t *
#define TYPE_LIST8  const uint8_t *
#define TYPE_LIST16 const uint8_t *

#define F(body, form, member, min, max)                                                       \
    static_assert(_Generic(((struct yr_room_body *)0)->member, TYPE_##form : 1, default : 0), \
                  #body "." #member);
#define X(name, class, kind, meaning) YR_FIELDS_##name(F)
YR_BODY_MAP(X)
#undef X
#undef F

#define F(body, form, member, min, max) \
    {form, offsetof(struct yr_room_body, member), COUNT_##form(member), min, max},
#define X(name, class, kind, meaning)             \
    static const struct field fields_##name[] = { \
        YR_FIELDS_##name(F){U8, 0, 0, 0, 0}}; // the last ends it and is no field
YR_BODY_MAP(X)
#undef X
#undef F

static const struct desc {
    const char *name;
    uint8_t class, kind;
    const struct field *fields;
    size_t field_count;
} descs[] = {
#define X(name, class, kind, meaning) \
    [YR_ROOM_##name] = {#name, YR_CLASS_##class, kind, fields_##name, YR_COUNT(fields_##name) - 1},
    YR_BODY_MAP(X)
#undef X
};

const char *yr_room_kind_name(enum yr_room_kind kind)
{
    return (size_t)kind < YR_COUNT(descs) ? descs[kind].name : "?";
}

enum yr_room_class yr_room_kind_class(enum yr_room_kind kind)
{
    YR_ASSERT((size_t)kind < YR_COUNT(descs));
    return (enum yr_room_class)descs[kind].class;
}

uint8_t yr_room_kind_number(enum yr_room_kind kind)
{
    YR_ASSERT((size_t)kind < YR_COUNT(descs));
    return descs[kind].kind;
}

static const struct desc *find(uint8_t class, uint8_t kind)
{
    for (size_t i = 0; i < YR_COUNT(descs); i++)
        if (descs[i].class == class && descs[i].kind == kind)
            return &descs[i];
    return NULL;
}

static void *member(struct yr_room_body *body, size_t at)
{
    return (uint8_t *)body + at;
}

static uint32_t read_number(struct yr_rd *rd, enum form form)
{
    return form == U8 ? yr_rd_u8(rd) : form == U16 ? yr_rd_u16(rd) : yr_rd_u32(rd);
}

// A counted run of bytes: `count` things of `size` each.
static const uint8_t *read_run(struct yr_rd *rd, const struct field *field, size_t *count)
{
    const bool list = field->form == LIST8 || field->form == LIST16;
    const size_t size = list ? field->min : 1, least = list ? 1 : field->min;

    if (field->form == STR || field->form == LIST8)
        *count = yr_rd_u8(rd);
    else if (field->form == LIST16)
        *count = yr_rd_u16(rd);
    else
        *count = yr_rd_left(rd);
    if (*count < least || *count > field->max)
        rd->bad = true;
    return yr_rd_bytes(rd, *count * size);
}

static void read_field(struct yr_rd *rd, const struct field *field, struct yr_room_body *body)
{
    const uint8_t *at;
    uint32_t number;
    size_t count;

    switch (field->form) {
    case U8:
    case U16:
    case U32:
        number = read_number(rd, field->form);
        if (number < field->min || number > field->max)
            rd->bad = true;
        if (field->form == U8)
            *(uint8_t *)member(body, field->at) = (uint8_t)number;
        else if (field->form == U16)
            *(uint16_t *)member(body, field->at) = (uint16_t)number;
        else
            *(uint32_t *)member(body, field->at) = number;
        return;
    case BIN: *(const uint8_t **)member(body, field->at) = yr_rd_bytes(rd, field->max); return;
    case STR:
    case TEXT:
    case REST:
    case LIST8:
    case LIST16:
        at = read_run(rd, field, &count);
        if (rd->bad || ((field->form == STR || field->form == TEXT) && !yr_utf8_ok(at, count))) {
            rd->bad = true;
            return;
        }
        *(const uint8_t **)member(body, field->at) = at;
        *(size_t *)member(body, field->count) = count;
    }
}

// What no single field tells.
static bool body_ok(const struct yr_room_body *body)
{
    return body->kind != YR_ROOM_REKEY || body->part < body->parts;
}

enum yr_err yr_room_body_decode(struct yr_room_body *out, uint8_t class, const uint8_t *src,
                                size_t len)
{
    struct yr_rd rd = yr_rd_init(src, len);
    const uint8_t kind = yr_rd_u8(&rd);
    const struct desc *desc = find(class, kind);
    struct yr_room_body body = {.kind = YR_ROOM_KIND_COUNT};

    if (rd.bad || kind == 0)
        return YR_EPROTO;
    if (desc != NULL) {
        body.known = true;
        body.kind = (enum yr_room_kind)(desc - descs);
        for (size_t i = 0; i < desc->field_count; i++)
            read_field(&rd, &desc->fields[i], &body);
        if (!yr_rd_done(&rd) || !body_ok(&body))
            return YR_EPROTO;
    }
    *out = body;
    return YR_OK;
}

static void write_field(struct yr_wr *wr, const struct field *field, struct yr_room_body *body)
{
    const uint8_t *at;
    size_t count;

    switch (field->form) {
    case U8: yr_wr_u8(wr, *(uint8_t *)member(body, field->at)); return;
    case U16: yr_wr_u16(wr, *(uint16_t *)member(body, field->at)); return;
    case U32: yr_wr_u32(wr, *(uint32_t *)member(body, field->at)); return;
    case BIN: yr_wr_bytes(wr, *(const uint8_t **)member(body, field->at), field->max); return;
    case STR:
    case TEXT:
    case REST:
    case LIST8:
    case LIST16:
        at = *(const uint8_t **)member(body, field->at);
        count = *(size_t *)member(body, field->count);
        if (field->form == STR || field->form == LIST8)
            yr_wr_u8(wr, (uint8_t)count);
        else if (field->form == LIST16)
            yr_wr_u16(wr, (uint16_t)count);
        yr_wr_bytes(wr, at, count * (field->form >= LIST8 ? field->min : 1));
    }
}

// Every member a field needs is there, and no count is past its maximum.
static bool complete(const struct desc *desc, struct yr_room_body *body)
{
    for (size_t i = 0; i < desc->field_count; i++) {
        const struct field *field = &desc->fields[i];
        const bool counted = field->count != 0;
        const size_t count = counted ? *(size_t *)member(body, field->count) : 1;

        if (field->form <= U32)
            continue;
        if (counted && count > field->max)
            return false;
        if (count > 0 && *(const uint8_t **)member(body, field->at) == NULL)
            return false;
    }
    return true;
}

enum yr_err yr_room_body_encode(const struct yr_room_body *in, uint8_t *dst, size_t cap,
                                size_t *len)
{
    struct yr_wr wr = yr_wr_init(dst, cap);
    struct yr_room_body body = *in, check;
    const struct desc *desc;

    if ((size_t)body.kind >= YR_COUNT(descs) || !complete(&descs[body.kind], &body))
        return YR_EINVAL;
    desc = &descs[body.kind];
    yr_wr_u8(&wr, desc->kind);
    for (size_t i = 0; i < desc->field_count; i++)
        write_field(&wr, &desc->fields[i], &body);
    if (!yr_wr_ok(&wr) || yr_wr_len(&wr) > YR_ROOM_BODY_MAX)
        return YR_ESIZE;
    if (yr_room_body_decode(&check, desc->class, dst, yr_wr_len(&wr)) != YR_OK)
        return YR_EINVAL;
    *len = yr_wr_len(&wr);
    return YR_OK;
}

/* ---- records ---- */

static bool class_known(uint8_t class)
{
#define X(name, class, meaning) [class] = true,
    static const bool known[] = {YR_CLASS_MAP(X)};
#undef X
    return class < sizeof known && known[class];
}

static bool is_create(uint8_t class, const uint8_t *body, size_t body_len)
{
    return class == YR_CLASS_CONTROL && body_len > 0 && body[0] == descs[YR_ROOM_CREATE].kind;
}

// The first of a chain has no prev and every other one has; a CREATE is the first of everything.
static bool place_ok(const struct yr_room_record *r)
{
    const bool first = is_zero(r->prev, sizeof r->prev);

    if (r->class == 0 || r->seq == 0 || (r->seq == 1) != first)
        return false;
    return !r->create || (first && r->dep_count == 0);
}

static bool deps_rise(const struct yr_room_record *r)
{
    const uint8_t *last = zeros; // no record's id

    for (size_t i = 0; i < r->dep_count; last = r->deps[i++])
        if (memcmp(last, r->deps[i], YR_REC_ID_LEN) >= 0)
            return false;
    return true;
}

// A CREATE carries zeros where others carry what comes from it.
static enum yr_err fill_in(struct yr_room_record *r)
{
    struct yr_room_body body;

    if (!r->create)
        return is_zero(r->room_id, sizeof r->room_id) ? YR_EPROTO : YR_OK;
    if (!is_zero(r->room_id, sizeof r->room_id) || !is_zero(r->author, sizeof r->author) ||
        yr_room_body_decode(&body, r->class, r->body, r->body_len) != YR_OK)
        return YR_EPROTO;
    yr_hash2(r->room_id, ROOM_DOMAIN, sizeof ROOM_DOMAIN - 1, r->src, r->signed_len);
    yr_room_mid(r->author, r->room_id, body.sign_pk);
    return YR_OK;
}

enum yr_err yr_room_record_decode(struct yr_room_record *out, const uint8_t *src, size_t len)
{
    struct yr_rd rd = yr_rd_init(src, len);
    struct yr_room_record r;
    uint32_t body_len;
    uint8_t magic[2], version;
    enum yr_err err;

    memset(&r, 0, sizeof r);
    yr_rd_copy(&rd, magic, sizeof magic);
    version = yr_rd_u8(&rd);
    if (rd.bad || len > YR_ROOM_RECORD_MAX || magic[0] != 'Y' || magic[1] != 'r')
        return YR_EPROTO;
    if (version != VERSION)
        return YR_EVERSION;
    r.class = yr_rd_u8(&rd);
    yr_rd_copy(&rd, r.room_id, sizeof r.room_id);
    yr_rd_copy(&rd, r.author, sizeof r.author);
    r.seq = yr_rd_u64(&rd);
    yr_rd_copy(&rd, r.prev, sizeof r.prev);
    r.dep_count = yr_rd_u8(&rd);
    if (r.dep_count > YR_ROOM_DEPS_MAX)
        return YR_EPROTO;
    for (size_t i = 0; i < r.dep_count; i++)
        yr_rd_copy(&rd, r.deps[i], YR_REC_ID_LEN);
    r.hlc = yr_rd_u64(&rd);
    yr_rd_copy(&rd, r.incarnation, sizeof r.incarnation);
    body_len = yr_rd_u32(&rd);
    r.body = yr_rd_bytes(&rd, body_len);
    r.body_len = body_len;
    r.src = src;
    r.signed_len = len - yr_rd_left(&rd);
    (void)yr_rd_bytes(&rd, YR_SIG_LEN);
    if (!yr_rd_done(&rd) || body_len == 0)
        return YR_EPROTO;
    r.known = class_known(r.class);
    r.create = is_create(r.class, r.body, r.body_len);
    if (!place_ok(&r) || !deps_rise(&r))
        return YR_EPROTO;
    if ((err = fill_in(&r)) != YR_OK)
        return err;
    yr_hash(r.id, src, r.signed_len);
    *out = r;
    return YR_OK;
}

// Write the deps in rising order.
static void write_deps(struct yr_wr *wr, const struct yr_room_record *r)
{
    const uint8_t *last = zeros;

    for (size_t n = 0; n < r->dep_count; n++) {
        const uint8_t *next = NULL;

        for (size_t i = 0; i < r->dep_count; i++)
            if (memcmp(r->deps[i], last, YR_REC_ID_LEN) > 0 &&
                (next == NULL || memcmp(r->deps[i], next, YR_REC_ID_LEN) < 0))
                next = r->deps[i];
        if (next == NULL) { // one is named twice
            wr->bad = true;
            return;
        }
        yr_wr_bytes(wr, next, YR_REC_ID_LEN);
        last = next;
    }
}

static void write_head(struct yr_wr *wr, const struct yr_room_record *r, bool create)
{
    yr_wr_bytes(wr, "Yr", 2);
    yr_wr_u8(wr, VERSION);
    yr_wr_u8(wr, r->class);
    yr_wr_bytes(wr, create ? zeros : r->room_id, YR_ROOM_ID_LEN);
    yr_wr_bytes(wr, create ? zeros : r->author, YR_MID_LEN);
    yr_wr_u64(wr, r->seq);
    yr_wr_bytes(wr, r->prev, YR_REC_ID_LEN);
    yr_wr_u8(wr, (uint8_t)r->dep_count);
    write_deps(wr, r);
    yr_wr_u64(wr, r->hlc);
    yr_wr_bytes(wr, r->incarnation, sizeof r->incarnation);
    yr_wr_u32(wr, (uint32_t)r->body_len);
}

enum yr_err yr_room_record_head(const struct yr_room_record *r, uint8_t *dst, size_t cap,
                                size_t *len)
{
    struct yr_wr wr = yr_wr_init(dst, cap);

    if (r->dep_count > YR_ROOM_DEPS_MAX || r->body_len > YR_ROOM_BODY_MAX)
        return YR_ESIZE;
    if (cap < YR_ROOM_SIGNED_MIN + r->dep_count * YR_REC_ID_LEN)
        return YR_ESIZE;
    write_head(&wr, r, false);
    if (!yr_wr_ok(&wr))
        return YR_EINVAL;
    *len = yr_wr_len(&wr);
    return YR_OK;
}

enum yr_err yr_room_record_encode(const struct yr_room_record *r, const uint8_t sign_sk[64],
                                  uint8_t *dst, size_t cap, size_t *len)
{
    struct yr_wr wr = yr_wr_init(dst, cap);
    const bool create = is_create(r->class, r->body, r->body_len);
    struct yr_room_record check;
    size_t signed_len;
    uint8_t *sig;

    if (r->dep_count > YR_ROOM_DEPS_MAX || r->body_len > YR_ROOM_BODY_MAX)
        return YR_ESIZE;
    if (cap < YR_ROOM_SIGNED_MIN + r->dep_count * YR_REC_ID_LEN + r->body_len + YR_SIG_LEN)
        return YR_ESIZE;
    write_head(&wr, r, create);
    yr_wr_bytes(&wr, r->body, r->body_len);
    signed_len = yr_wr_len(&wr);
    if (signed_len + YR_SIG_LEN > YR_ROOM_RECORD_MAX)
        return YR_ESIZE;
    if ((sig = yr_wr_room(&wr, YR_SIG_LEN)) == NULL)
        return YR_EINVAL;
    yr_sign(sig, sign_sk, SIGN_LABEL, dst, signed_len);
    if (yr_room_record_decode(&check, dst, yr_wr_len(&wr)) != YR_OK)
        return YR_EINVAL;
    *len = yr_wr_len(&wr);
    return YR_OK;
}

enum yr_err yr_room_record_verify(const struct yr_room_record *record, const uint8_t sign_pk[32])
{
    uint8_t mid[YR_MID_LEN];

    yr_room_mid(mid, record->room_id, sign_pk);
    if (memcmp(mid, record->author, sizeof mid) != 0)
        return YR_EAUTH;
    return yr_verify(record->src + record->signed_len, sign_pk, SIGN_LABEL, record->src,
                     record->signed_len);
}

/* ---- joining ---- */

#define JOIN_LEN (YR_ROOM_ID_LEN + 32 + 32 + YR_MID_LEN)

static void join_bytes(uint8_t out[JOIN_LEN], const uint8_t room_id[YR_ROOM_ID_LEN],
                       const uint8_t sign_pk[32], const uint8_t seal_pk[32],
                       const uint8_t inviter[YR_MID_LEN])
{
    struct yr_wr wr = yr_wr_init(out, JOIN_LEN);

    yr_wr_bytes(&wr, room_id, YR_ROOM_ID_LEN);
    yr_wr_bytes(&wr, sign_pk, 32);
    yr_wr_bytes(&wr, seal_pk, 32);
    yr_wr_bytes(&wr, inviter, YR_MID_LEN);
    YR_ASSERT(yr_wr_ok(&wr) && yr_wr_len(&wr) == JOIN_LEN);
}

void yr_room_join_sign(uint8_t sig[YR_SIG_LEN], const uint8_t sign_sk[64],
                       const uint8_t room_id[YR_ROOM_ID_LEN], const uint8_t sign_pk[32],
                       const uint8_t seal_pk[32], const uint8_t inviter[YR_MID_LEN])
{
    uint8_t bytes[JOIN_LEN];

    join_bytes(bytes, room_id, sign_pk, seal_pk, inviter);
    yr_sign(sig, sign_sk, JOIN_LABEL, bytes, sizeof bytes);
}

enum yr_err yr_room_join_verify(const uint8_t sig[YR_SIG_LEN],
                                const uint8_t room_id[YR_ROOM_ID_LEN], const uint8_t sign_pk[32],
                                const uint8_t seal_pk[32], const uint8_t inviter[YR_MID_LEN])
{
    uint8_t bytes[JOIN_LEN];

    join_bytes(bytes, room_id, sign_pk, seal_pk, inviter);
    return yr_verify(sig, sign_pk, JOIN_LABEL, bytes, sizeof bytes);
}
