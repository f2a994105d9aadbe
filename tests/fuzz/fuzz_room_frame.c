/* What a member may say on the rooms channel, in any order and at any time, to a node that shares a
 * room with him.  The log behind it is a list of records that never changes: what came is judged by
 * its last byte.  The input is a list of deeds: a frame, one the other node really says (as it is
 * or with a byte changed), time that passes, a channel that is full or not, links that come and go.
 */
#include "core/crypto/identity.h"
#include "core/room/sync.h"
#include "core/wire/frames.h"

#define RECORDS    10
#define MAIL_MAX   64
#define DEEDS_MAX  300
#define MEMORY_MAX ((size_t)4 << 20)

struct entry {
    uint8_t bytes[512], id[YR_REC_ID_LEN];
    size_t len;
};

struct yr_room_log {
    size_t count; /* of the room's records, how many are here */
    bool odd;     /* chain 2 has another digest than the other log's */
};

static struct room {
    bool made;
    struct yr_identity founder, guest;
    uint8_t id[YR_ROOM_ID_LEN], mids[2][YR_MID_LEN];
    struct entry records[RECORDS]; /* CREATE, ADD of the guest, messages of the founder */
} room;

struct mail {
    uint8_t type;
    size_t len;
    uint8_t body[YR_FRAME_MAX];
};

struct node {
    struct yr_room_log log;
    struct yr_authority *authority;
    struct yr_mem mem;
    struct yr_rng rng;
    uint64_t drawn;
    struct yr_room_sync *sync;
    size_t no;
    bool full, up;
    struct mail *mail; /* to the other, oldest first */
    size_t count;
};

static struct node nodes[2];
static struct yr_now now;

static void *plain_realloc(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    if (size == 0) {
        free(ptr);
        return NULL;
    }
    return realloc(ptr, size);
}

static void draw(void *ctx, void *out, size_t len)
{
    uint64_t *drawn = ctx;

    for (size_t i = 0; i < len; i++)
        ((uint8_t *)out)[i] = (uint8_t)((*drawn = *drawn * 6364136223846793005u + 1) >> 56);
}

/* ---- the room ---- */

static void add_record(size_t at, struct yr_room_record *r, const struct yr_room_body *body)
{
    static uint8_t bytes[512];
    struct yr_room_record out;

    YR_ASSERT(yr_room_body_encode(body, bytes, sizeof bytes, &r->body_len) == YR_OK);
    r->body = bytes;
    YR_ASSERT(yr_room_record_encode(r, room.founder.sign_sk, room.records[at].bytes, 512,
                                    &room.records[at].len) == YR_OK);
    YR_ASSERT(yr_room_record_decode(&out, room.records[at].bytes, room.records[at].len) == YR_OK);
    memcpy(room.records[at].id, out.id, YR_REC_ID_LEN);
    memcpy(room.id, out.room_id, YR_ROOM_ID_LEN);
}

static void make_room(void)
{
    static const uint8_t some[64];
    uint64_t drawn = 7;
    const struct yr_rng rng = {draw, &drawn};
    struct yr_room_record r = {.class = YR_CLASS_CONTROL, .seq = 1};
    struct yr_room_body body = {.kind = YR_ROOM_CREATE, .seal_pk = some};

    yr_identity_new(&room.founder, &rng, 1);
    yr_identity_new(&room.guest, &rng, 1);
    body.sign_pk = room.founder.id;
    body.invite_min = 10;
    body.max_members = 10;
    body.text = (const uint8_t *)"x";
    body.text_len = 1;
    add_record(0, &r, &body);
    yr_room_mid(room.mids[0], room.id, room.founder.id);
    yr_room_mid(room.mids[1], room.id, room.guest.id);
    memcpy(r.room_id, room.id, sizeof room.id);
    memcpy(r.author, room.mids[0], YR_MID_LEN);
    r.seq = 2;
    memcpy(r.prev, room.records[0].id, YR_REC_ID_LEN);
    body = (struct yr_room_body){.kind = YR_ROOM_ADD,
                                 .sign_pk = room.guest.id,
                                 .seal_pk = some,
                                 .rank = 10,
                                 .join_sig = some,
                                 .epoch = some,
                                 .nonce = some,
                                 .eph = some,
                                 .sealed = some};
    add_record(1, &r, &body);
    r.class = YR_CLASS_MESSAGE;
    body = (struct yr_room_body){.kind = YR_ROOM_CONTENT,
                                 .epoch = some,
                                 .commit = some,
                                 .nonce = some,
                                 .data = some,
                                 .data_len = 32};
    memset(r.prev, 0, sizeof r.prev);
    for (size_t i = 2; i < RECORDS; i++) {
        r.seq = i - 1;
        add_record(i, &r, &body);
        memcpy(r.prev, room.records[i].id, YR_REC_ID_LEN);
    }
    room.made = true;
}

/* ---- the log, as far as sync asks ---- */

const uint8_t *yr_room_log_id(const struct yr_room_log *log)
{
    (void)log;
    return room.id;
}

struct yr_authority *yr_room_log_authority(struct yr_room_log *log)
{
    return log == &nodes[0].log ? nodes[0].authority : nodes[1].authority;
}

enum yr_err yr_room_log_at(struct yr_room_log *log, uint64_t arrival, uint8_t *bytes, size_t cap,
                           size_t *len, struct yr_room_entry *entry)
{
    if (arrival == 0 || arrival > log->count)
        return YR_ENOENT;
    *len = room.records[arrival - 1].len;
    YR_ASSERT(cap >= *len);
    memcpy(bytes, room.records[arrival - 1].bytes, *len);
    memset(entry, 0, sizeof *entry);
    memcpy(entry->id, room.records[arrival - 1].id, YR_REC_ID_LEN);
    entry->arrival = arrival;
    return YR_OK;
}

enum yr_err yr_room_log_get(struct yr_room_log *log, const uint8_t id[16], uint8_t *bytes,
                            size_t cap, size_t *len, struct yr_room_entry *entry)
{
    for (size_t i = 0; i < log->count; i++)
        if (memcmp(room.records[i].id, id, 16) == 0)
            return yr_room_log_at(log, i + 1, bytes, cap, len, entry);
    return YR_ENOENT;
}

uint64_t yr_room_log_end(const struct yr_room_log *log)
{
    return log->count;
}

bool yr_room_log_chain(const struct yr_room_log *log, size_t i, struct yr_chain_info *out)
{
    memset(out, 0, sizeof *out);
    memcpy(out->key.mid, room.mids[0], YR_MID_LEN);
    out->key.class = (uint8_t)(1 + i);
    out->seq = i == 0   ? YR_MIN(log->count, (size_t)2)
               : i == 1 ? YR_MAX(log->count, (size_t)2) - 2
                        : 77;
    out->digest[0] = (uint8_t)(out->seq + (i == 1 && log->odd));
    if (i == 2)
        out->key.incarnation[0] = 1;
    return i < 3 && out->seq > 0;
}

enum yr_err yr_room_log_range(struct yr_room_log *log, const struct yr_chain_key *key,
                              uint64_t from, uint64_t to, uint64_t *arrivals, size_t cap,
                              size_t *count, uint64_t *next)
{
    const uint64_t before = key->class == YR_CLASS_CONTROL ? 0 : 2;
    const uint64_t end = key->class == YR_CLASS_CONTROL ? 2 : YR_MAX(log->count, (size_t)2) - 2;

    YR_ASSERT(cap > 0);
    *count = 0;
    *next = 0;
    for (uint64_t seq = YR_MAX(from, (uint64_t)1); seq <= to && seq <= end; seq++) {
        if (*count == cap) {
            *next = seq;
            break;
        }
        arrivals[(*count)++] = seq + before;
    }
    return YR_OK;
}

void yr_room_log_digest(struct yr_room_log *log, uint8_t out[32])
{
    memset(out, (int)log->count, 32);
    out[0] = log->odd;
}

size_t yr_room_log_missing(const struct yr_room_log *log, uint8_t (*ids)[16], unsigned *slots,
                           size_t cap)
{
    size_t count = 0;

    for (size_t i = log->count; i < RECORDS && count < cap; i++, count++) {
        memcpy(ids[count], room.records[i].id, 16);
        slots[count] = 0;
    }
    return count;
}

bool yr_room_log_keys(const struct yr_room_log *log, const uint8_t mid[YR_MID_LEN],
                      const uint8_t **sign_pk, const uint8_t **seal_pk)
{
    const bool founder = memcmp(mid, room.mids[0], YR_MID_LEN) == 0;

    (void)seal_pk;
    *sign_pk = founder ? room.founder.id : room.guest.id;
    return founder || (log->count > 1 && memcmp(mid, room.mids[1], YR_MID_LEN) == 0);
}

enum yr_err yr_room_log_state(struct yr_room_log *log, const uint8_t mid[YR_MID_LEN],
                              enum yr_room_kind kind, uint8_t *bytes, size_t cap, size_t *len)
{
    struct yr_room_entry entry;

    (void)mid;
    return kind == YR_ROOM_KEY ? yr_room_log_at(log, 1, bytes, cap, len, &entry) : YR_ENOENT;
}

/* ---- two nodes ---- */

static enum yr_err op_frame(void *ctx, unsigned slot, uint8_t type, const uint8_t *body, size_t len)
{
    struct node *node = ctx;

    YR_ASSERT(slot == 0 && len <= YR_FRAME_MAX);
    if (!node->up)
        return YR_EAGAIN;
    if (node->full || node->count == MAIL_MAX)
        return YR_EFULL;
    node->mail[node->count].type = type;
    node->mail[node->count].len = len;
    memcpy(node->mail[node->count++].body, body, len);
    return YR_OK;
}

static bool op_room(void *ctx, size_t i, struct yr_room_view *out)
{
    struct node *node = ctx;

    out->log = &node->log;
    out->self = room.mids[node->no];
    out->sign_sk = node->no == 0 ? room.founder.sign_sk : room.guest.sign_sk;
    return i == 0;
}

static const uint8_t *op_pair(void *ctx, unsigned slot, uint8_t *out_dir)
{
    static const uint8_t pair[32] = {1};
    const struct node *node = ctx;

    (void)slot;
    *out_dir = (uint8_t)node->no;
    return pair;
}

static enum yr_err op_record(void *ctx, struct yr_now at, size_t number, unsigned slot,
                             const uint8_t *bytes, size_t len, enum yr_put *what, bool *forged)
{
    struct node *node = ctx;
    struct yr_room_record record;

    YR_ASSERT(number == 0 && slot == 0 && len > 0);
    *what = (enum yr_put)(bytes[len - 1] % 6);
    *forged = bytes[len - 1] == 0xff;
    if (yr_room_record_decode(&record, bytes, len) == YR_OK && *what == YR_PUT_NEW)
        yr_room_sync_spread(node->sync, at, 0, &record, slot);
    if (bytes[len - 1] % 7 == 0)
        yr_room_sync_members(node->sync, at, 0);
    if (bytes[len - 1] % 11 == 0)
        yr_room_sync_rooms(node->sync, at);
    return YR_OK;
}

static void op_neighbour(void *ctx, struct yr_now at, size_t number, unsigned slot,
                         const uint8_t mid[YR_MID_LEN], bool on)
{
    struct node *node = ctx;

    (void)at;
    (void)mid;
    (void)on;
    YR_ASSERT(number == 0 && slot == 0 && node->sync != NULL);
}

static void begin(size_t no, size_t count)
{
    struct node *node = &nodes[no];
    const struct yr_room_sync_ops ops = {op_frame, op_room, op_pair, op_record, op_neighbour, node};
    struct yr_room_record record;
    struct yr_room_body body;
    struct mail *mail = node->mail;

    memset(node, 0, sizeof *node);
    node->mail = mail != NULL ? mail : malloc(MAIL_MAX * sizeof *mail);
    node->no = no;
    node->log.count = count;
    node->drawn = no + 1;
    node->rng = (struct yr_rng){draw, &node->drawn};
    node->mem.realloc = plain_realloc;
    node->mem.cap[YR_MEM_ROOM] = MEMORY_MAX;
    YR_ASSERT(node->mail != NULL);
    YR_ASSERT(yr_authority_new(&node->authority, &node->mem, room.records[0].id, room.mids[0],
                               10) == YR_OK);
    if (count > 1) {
        struct yr_room_op op;

        YR_ASSERT(yr_room_record_decode(&record, room.records[1].bytes, room.records[1].len) ==
                  YR_OK);
        YR_ASSERT(yr_room_body_decode(&body, record.class, record.body, record.body_len) == YR_OK);
        yr_room_op_from(&op, &record, &body);
        YR_ASSERT(yr_authority_add(node->authority, &op) == YR_OK);
    }
    YR_ASSERT(yr_room_sync_new(&node->sync, &node->mem, &node->rng, &ops) == YR_OK);
    yr_room_sync_rooms(node->sync, now);
}

static void end(size_t no)
{
    yr_room_sync_free(nodes[no].sync);
    yr_authority_free(nodes[no].authority);
    YR_ASSERT(nodes[no].mem.used[YR_MEM_ROOM] == 0);
}

static void set_link(bool up)
{
    for (size_t i = 0; i < 2; i++) {
        nodes[i].up = up;
        nodes[i].count = 0;
        if (up)
            yr_room_sync_up(nodes[i].sync, now, 0);
        else
            yr_room_sync_down(nodes[i].sync, now, 0);
    }
}

static void hear(size_t no, uint8_t type, const uint8_t *body, size_t len)
{
    const enum yr_err err = yr_room_sync_frame(nodes[no].sync, now, 0, type, body, len);

    YR_ASSERT(err == YR_OK || err == YR_EPROTO);
    if (err != YR_EPROTO)
        return;
    set_link(false);
    set_link(true);
}

// The oldest thing that `no` said arrives, with a byte changed or not.
static void pass(size_t no, size_t at, uint8_t change)
{
    static struct mail mail;
    struct node *node = &nodes[no];

    if (node->count == 0)
        return;
    mail = node->mail[0];
    memmove(node->mail, node->mail + 1, --node->count * sizeof *node->mail);
    if (mail.len > 0)
        mail.body[at % mail.len] ^= change;
    hear(1 - no, mail.type, mail.body, mail.len);
}

static void deed(struct yr_rd *rd)
{
    const uint8_t what = yr_rd_u8(rd);
    size_t at;

    if (what < 0x80) {
        size_t len = yr_rd_u16(rd);

        len = YR_MIN(len, yr_rd_left(rd));

        at = what % (YR_FRAME_ROOM_IDS - YR_FRAME_ROOM_TAGS + 2);
        hear(0, (uint8_t)(YR_FRAME_ROOM_TAGS + at), yr_rd_bytes(rd, len), len);
        return;
    }
    switch (what & 7) {
    case 0:
        now.mono_us += (yr_us)yr_rd_u16(rd) * YR_MS;
        for (size_t i = 0; i < 2; i++)
            YR_ASSERT(yr_room_sync_tick(nodes[i].sync, now) == YR_OK);
        break;
    case 1:
        nodes[0].full = !nodes[0].full;
        if (!nodes[0].full)
            yr_room_sync_space(nodes[0].sync, now, 0);
        break;
    case 2:
    case 3: pass(what & 1, 0, 0); break;
    case 4:
        at = yr_rd_u16(rd);
        pass(1, at, yr_rd_u8(rd));
        break;
    case 5:
        for (size_t i = 0; i < MAIL_MAX; i++) {
            pass(0, 0, 0);
            pass(1, 0, 0);
        }
        break;
    case 6:
        set_link(false);
        set_link(true);
        break;
    default: yr_room_sync_members(nodes[0].sync, now, 0); break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct yr_rd rd = yr_rd_init(data, size);
    uint8_t first;

    if (size == 0)
        return 0;
    if (!room.made)
        make_room();
    now = (struct yr_now){YR_S, 1};
    first = yr_rd_u8(&rd);
    begin(0, 2 + first % (RECORDS - 1)); // has at least the ADD
    begin(1, 1 + (first >> 4) % RECORDS);
    nodes[0].log.odd = (first & 8) != 0;
    set_link(true);
    for (size_t i = 0; i < 8; i++) { // tags and proofs
        pass(0, 0, 0);
        pass(1, 0, 0);
    }
    for (size_t i = 0; i < DEEDS_MAX && yr_rd_left(&rd) > 0; i++)
        deed(&rd);
    end(0);
    end(1);
    return 0;
}
