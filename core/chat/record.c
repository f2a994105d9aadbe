#include "core/chat/record.h"

#include "core/crypto/kdf.h"

#define VERSION  3
#define LATE_MS  120000
#define MARK_MAX (YR_ID_LEN + 8 + 8 + YR_MSG_ID_LEN + 1 + 1 + YR_EMOJI_MAX)

enum bits {
    OWN = 1,
    DELETED = 2,
    EDITED = 4,
    SEEN = 8,
    CHANGED = 16,
    REPLY = 32,
    DELIVERED = 64,
    READ = 128,
    HERE_ONLY = 256,
    ROOM = 512,
    MENTION = 1024,
    HELD = 2048,
    EXPIRES = 4096,
    FAILED = 8192
};

static_assert(YR_RECORD_MAX >=
                  256 + YR_PARENTS_MAX * YR_MSG_ID_LEN + YR_REACTIONS_MAX * MARK_MAX + YR_TEXT_MAX,
              "the longest record fits");
static_assert(YR_RECORD_MAX >= 256 + YR_REACTIONS_MAX * (MARK_MAX + YR_INCARNATION_LEN) + 2 +
                                   2 * YR_ROOM_TEXT_MAX,
              "and that of a room");
static_assert(YR_RECORD_BUF <= YR_ROW_MAX, "in a row");
static_assert(YR_REACTIONS_MAX ==
                  sizeof((struct yr_message *)0)->reactions / sizeof(struct yr_reaction),
              "a message shows all reactions kept");

static bool is_zero(const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

void yr_record_clear(struct yr_record *record)
{
    memset(record, 0, offsetof(struct yr_record, marks));
}

// ---- the row ----

static unsigned bits_of(const struct yr_record *r)
{
    return (r->own ? OWN : 0U) | (r->deleted ? DELETED : 0U) | (r->edited ? EDITED : 0U) |
           (r->seen ? SEEN : 0U) | (r->changed ? CHANGED : 0U) |
           (is_zero(r->reply_to, sizeof r->reply_to) ? 0U : REPLY) |
           (r->delivered_ms != 0 ? DELIVERED : 0U) | (r->read_ms != 0 ? READ : 0U) |
           (r->here_only ? HERE_ONLY : 0U) | (r->room ? ROOM : 0U) | (r->mention ? MENTION : 0U) |
           (r->held_ms != 0 ? HELD : 0U) | (r->expires_ms != 0 ? EXPIRES : 0U) |
           (r->failed_ms != 0 ? FAILED : 0U);
}

static void write_marks(struct yr_wr *wr, const struct yr_record *r)
{
    yr_wr_u8(wr, (uint8_t)r->mark_count);
    for (size_t i = 0; i < r->mark_count; i++) {
        const struct yr_mark *mark = &r->marks[i];

        yr_wr_bytes(wr, mark->author, YR_ID_LEN);
        if (r->room)
            yr_wr_bytes(wr, mark->incarnation, YR_INCARNATION_LEN);
        yr_wr_u64(wr, mark->hlc);
        yr_wr_u64(wr, mark->seq);
        yr_wr_bytes(wr, mark->id, YR_MSG_ID_LEN);
        yr_wr_u8(wr, mark->on);
        yr_wr_u8(wr, mark->emoji_len);
        yr_wr_bytes(wr, mark->emoji, mark->emoji_len);
    }
}

void yr_record_encode(const struct yr_record *r, uint8_t out[YR_RECORD_MAX], size_t *len)
{
    struct yr_wr wr = yr_wr_init(out, YR_RECORD_MAX);
    const unsigned bits = bits_of(r);

    yr_wr_u8(&wr, VERSION);
    yr_wr_u16(&wr, (uint16_t)bits);
    yr_wr_u8(&wr, (uint8_t)r->kind);
    yr_wr_u8(&wr, (uint8_t)r->state);
    yr_wr_bytes(&wr, r->id, YR_MSG_ID_LEN);
    yr_wr_bytes(&wr, r->author, YR_ID_LEN);
    yr_wr_bytes(&wr, r->incarnation, YR_INCARNATION_LEN);
    yr_wr_u64(&wr, r->hlc);
    yr_wr_u64(&wr, r->seq);
    yr_wr_u64(&wr, r->cursor);
    yr_wr_u64(&wr, (uint64_t)r->received_ms);
    yr_wr_u8(&wr, (uint8_t)r->parent_count);
    for (size_t i = 0; i < r->parent_count; i++)
        yr_wr_bytes(&wr, r->parents[i], YR_MSG_ID_LEN);
    if ((bits & REPLY) != 0)
        yr_wr_bytes(&wr, r->reply_to, YR_MSG_ID_LEN);
    if ((bits & EDITED) != 0) {
        yr_wr_u64(&wr, r->edit_hlc);
        yr_wr_u64(&wr, r->edit_seq);
        yr_wr_bytes(&wr, r->edit_id, YR_MSG_ID_LEN);
    }
    if ((bits & CHANGED) != 0 && r->room) {
        yr_wr_u16(&wr, (uint16_t)r->first_len);
        yr_wr_bytes(&wr, r->first, r->first_len);
    } else if ((bits & CHANGED) != 0) {
        yr_wr_bytes(&wr, r->first_text, sizeof r->first_text);
    }
    if ((bits & DELIVERED) != 0)
        yr_wr_u64(&wr, (uint64_t)r->delivered_ms);
    if ((bits & READ) != 0)
        yr_wr_u64(&wr, (uint64_t)r->read_ms);
    if ((bits & HELD) != 0)
        yr_wr_u64(&wr, (uint64_t)r->held_ms);
    if ((bits & EXPIRES) != 0)
        yr_wr_u64(&wr, (uint64_t)r->expires_ms);
    if ((bits & FAILED) != 0)
        yr_wr_u64(&wr, (uint64_t)r->failed_ms);
    write_marks(&wr, r);
    yr_wr_bytes(&wr, r->text, r->text_len);
    YR_ASSERT(yr_wr_ok(&wr));
    *len = yr_wr_len(&wr);
}

static bool read_marks(struct yr_rd *rd, struct yr_record *r)
{
    r->mark_count = yr_rd_u8(rd);
    if (r->mark_count > YR_REACTIONS_MAX)
        return false;
    for (size_t i = 0; i < r->mark_count; i++) {
        struct yr_mark *mark = &r->marks[i];

        memset(mark, 0, sizeof *mark);
        yr_rd_copy(rd, mark->author, YR_ID_LEN);
        if (r->room)
            yr_rd_copy(rd, mark->incarnation, YR_INCARNATION_LEN);
        mark->hlc = yr_rd_u64(rd);
        mark->seq = yr_rd_u64(rd);
        yr_rd_copy(rd, mark->id, YR_MSG_ID_LEN);
        mark->on = yr_rd_u8(rd) != 0;
        mark->emoji_len = yr_rd_u8(rd);
        if (mark->emoji_len > YR_EMOJI_MAX)
            return false;
        yr_rd_copy(rd, mark->emoji, mark->emoji_len);
    }
    return true;
}

enum yr_err yr_record_decode(struct yr_record *r, const uint8_t *src, size_t len)
{
    struct yr_rd rd = yr_rd_init(src, len);
    const unsigned version = yr_rd_u8(&rd), bits = yr_rd_u16(&rd);
    const unsigned kind = yr_rd_u8(&rd), state = yr_rd_u8(&rd);

    yr_record_clear(r);
    if (version != VERSION || kind > YR_MSG_SYSTEM || state > YR_STATE_CANCELLED)
        return YR_ECORRUPT;
    r->kind = (enum yr_msg_kind)kind;
    r->state = (enum yr_state)state;
    r->own = (bits & OWN) != 0;
    r->deleted = (bits & DELETED) != 0;
    r->edited = (bits & EDITED) != 0;
    r->here_only = (bits & HERE_ONLY) != 0;
    r->seen = (bits & SEEN) != 0;
    r->changed = (bits & CHANGED) != 0;
    r->room = (bits & ROOM) != 0;
    r->mention = (bits & MENTION) != 0;
    yr_rd_copy(&rd, r->id, YR_MSG_ID_LEN);
    yr_rd_copy(&rd, r->author, YR_ID_LEN);
    yr_rd_copy(&rd, r->incarnation, YR_INCARNATION_LEN);
    r->hlc = yr_rd_u64(&rd);
    r->seq = yr_rd_u64(&rd);
    r->cursor = yr_rd_u64(&rd);
    r->received_ms = (yr_ms)yr_rd_u64(&rd);
    r->parent_count = yr_rd_u8(&rd);
    if (r->parent_count > YR_PARENTS_MAX)
        return YR_ECORRUPT;
    for (size_t i = 0; i < r->parent_count; i++)
        yr_rd_copy(&rd, r->parents[i], YR_MSG_ID_LEN);
    if ((bits & REPLY) != 0)
        yr_rd_copy(&rd, r->reply_to, YR_MSG_ID_LEN);
    if ((bits & EDITED) != 0) {
        r->edit_hlc = yr_rd_u64(&rd);
        r->edit_seq = yr_rd_u64(&rd);
        yr_rd_copy(&rd, r->edit_id, YR_MSG_ID_LEN);
    }
    if ((bits & CHANGED) != 0 && r->room) {
        r->first_len = yr_rd_u16(&rd);
        r->first = yr_rd_bytes(&rd, r->first_len);
        if (r->first_len > YR_ROOM_TEXT_MAX)
            return YR_ECORRUPT;
    } else if ((bits & CHANGED) != 0) {
        yr_rd_copy(&rd, r->first_text, sizeof r->first_text);
    }
    if ((bits & DELIVERED) != 0)
        r->delivered_ms = (yr_ms)yr_rd_u64(&rd);
    if ((bits & READ) != 0)
        r->read_ms = (yr_ms)yr_rd_u64(&rd);
    if ((bits & HELD) != 0)
        r->held_ms = (yr_ms)yr_rd_u64(&rd);
    if ((bits & EXPIRES) != 0)
        r->expires_ms = (yr_ms)yr_rd_u64(&rd);
    if ((bits & FAILED) != 0)
        r->failed_ms = (yr_ms)yr_rd_u64(&rd);
    if (!read_marks(&rd, r) || rd.bad ||
        yr_rd_left(&rd) > (r->room ? YR_ROOM_TEXT_MAX : YR_TEXT_MAX))
        return YR_ECORRUPT;
    r->text_len = yr_rd_left(&rd);
    r->text = yr_rd_bytes(&rd, r->text_len);
    return YR_OK;
}

// ---- for front ends ----

static int compare_when(uint64_t hlc, uint64_t seq, uint64_t other_hlc, uint64_t other_seq)
{
    if (hlc != other_hlc)
        return hlc > other_hlc ? 1 : -1;
    return (seq > other_seq) - (seq < other_seq);
}

// Of the registers of one (author, emoji), which begin at `i`, the one written last; *end: behind
// them.
static const struct yr_mark *last_mark(const struct yr_record *r, size_t i, size_t *end)
{
    const struct yr_mark *first = &r->marks[i], *best = first, *mark;

    for (*end = i + 1; *end < r->mark_count; ++*end) {
        mark = &r->marks[*end];
        if (memcmp(mark->author, first->author, YR_ID_LEN) != 0 ||
            mark->emoji_len != first->emoji_len ||
            memcmp(mark->emoji, first->emoji, first->emoji_len) != 0)
            break;
        const int order = compare_when(mark->hlc, mark->seq, best->hlc, best->seq);
        if (order > 0 || (order == 0 && mark->on))
            best = mark;
    }
    return best;
}

static void show_marks(const struct yr_record *r, struct yr_message *out)
{
    for (size_t i = 0; i < r->mark_count;) {
        struct yr_reaction *reaction = &out->reactions[out->reaction_count];
        const struct yr_mark *mark = last_mark(r, i, &i);

        if (!mark->on)
            continue;
        memcpy(reaction->author, mark->author, YR_ID_LEN);
        memcpy(reaction->emoji, mark->emoji, mark->emoji_len);
        out->reaction_count++;
    }
}

void yr_record_show(const struct yr_record *r, const uint8_t conv[YR_ID_LEN], bool unread,
                    struct yr_message *out)
{
    memset(out, 0, sizeof *out);
    memcpy(out->id, r->id, YR_MSG_ID_LEN);
    memcpy(out->conv, conv, YR_ID_LEN);
    memcpy(out->author, r->author, YR_ID_LEN);
    memcpy(out->reply_to, r->reply_to, YR_MSG_ID_LEN);
    out->kind = r->kind;
    out->own = r->own;
    out->edited = r->edited;
    out->deleted = r->deleted;
    out->unread = unread;
    out->room = r->room;
    out->mention = r->mention;
    out->state = r->state;
    out->cursor = r->cursor;
    out->seq = r->seq;
    memcpy(out->incarnation, r->incarnation, YR_INCARNATION_LEN);
    out->time_ms = yr_hlc_time(r->hlc);
    out->received_ms = r->received_ms;
    out->late = !r->own && r->kind != YR_MSG_SYSTEM && r->received_ms > out->time_ms + LATE_MS;
    out->edited_ms = r->edited ? yr_hlc_time(r->edit_hlc) : 0;
    out->delivered_ms = r->delivered_ms;
    out->read_ms = r->read_ms;
    out->held_ms = r->held_ms;
    out->expires_ms = r->expires_ms;
    out->failed_ms = r->failed_ms;
    show_marks(r, out);
    out->text_len = r->text_len;
    if (r->text_len > 0)
        memcpy(out->text, r->text, r->text_len);
}

// ---- once ----

static bool same_text(const struct yr_record *r, const uint8_t *text, size_t len)
{
    uint8_t hash[YR_HASH16];

    if (!r->changed)
        return r->text_len == len && memcmp(r->text, text, len) == 0;
    yr_hash16(hash, text, len);
    return memcmp(hash, r->first_text, sizeof hash) == 0;
}

bool yr_record_same(const struct yr_record *r, const struct yr_plain *plain)
{
    static const uint8_t none[YR_MSG_ID_LEN];
    enum yr_msg_kind kind = (plain->flags & YR_PLAIN_ACTION) != 0 ? YR_MSG_ACTION : YR_MSG_TEXT;

    if (!plain->known) // its body says nothing to this version
        kind = YR_MSG_SYSTEM;
    if (r->kind != kind || r->hlc != plain->hlc || r->seq != plain->seq ||
        r->parent_count != plain->parent_count ||
        memcmp(r->incarnation, plain->incarnation, YR_INCARNATION_LEN) != 0 ||
        memcmp(r->reply_to, plain->reply_to != NULL ? plain->reply_to : none, YR_MSG_ID_LEN) != 0)
        return false;
    for (size_t i = 0; i < r->parent_count; i++)
        if (memcmp(r->parents[i], plain->parents[i], YR_MSG_ID_LEN) != 0)
            return false;
    return !plain->known || same_text(r, plain->text, plain->text_len);
}

// ---- operations ----

void yr_change_encode(const struct yr_change *change, uint8_t out[YR_CHANGE_MAX], size_t *len)
{
    struct yr_wr wr = yr_wr_init(out, YR_CHANGE_MAX);

    yr_wr_u8(&wr, VERSION);
    yr_wr_u8(&wr, (uint8_t)change->type);
    yr_wr_u8(&wr, change->on);
    yr_wr_bytes(&wr, change->author, YR_ID_LEN);
    yr_wr_bytes(&wr, change->incarnation, YR_INCARNATION_LEN);
    yr_wr_u64(&wr, change->hlc);
    yr_wr_u64(&wr, change->seq);
    yr_wr_bytes(&wr, change->text, change->text_len);
    YR_ASSERT(yr_wr_ok(&wr));
    *len = yr_wr_len(&wr);
}

enum yr_err yr_change_decode(struct yr_change *out, const uint8_t *src, size_t len)
{
    struct yr_rd rd = yr_rd_init(src, len);
    const unsigned version = yr_rd_u8(&rd), type = yr_rd_u8(&rd);

    if (version != VERSION ||
        (type != YR_PLAIN_EDIT && type != YR_PLAIN_DELETE && type != YR_PLAIN_REACTION))
        return YR_ECORRUPT;
    out->type = (enum yr_plain_type)type;
    out->on = yr_rd_u8(&rd) != 0;
    yr_rd_copy(&rd, out->author, YR_ID_LEN);
    yr_rd_copy(&rd, out->incarnation, YR_INCARNATION_LEN);
    out->hlc = yr_rd_u64(&rd);
    out->seq = yr_rd_u64(&rd);
    out->text_len = yr_rd_left(&rd);
    out->text = yr_rd_bytes(&rd, out->text_len);
    return rd.bad || out->text_len > (type == YR_PLAIN_REACTION ? YR_EMOJI_MAX : YR_TEXT_MAX)
               ? YR_ECORRUPT
               : YR_OK;
}

static int compare_bytes(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
    const size_t len = YR_MIN(a_len, b_len);
    const int order = len > 0 ? memcmp(a, b, len) : 0;

    return order != 0 ? order : (a_len > b_len) - (a_len < b_len);
}

// Before the text sent is replaced: what is needed to know it again, or to show it again.
static void remember_text(struct yr_record *r)
{
    if (!r->changed && r->room) {
        r->first = r->text;
        r->first_len = r->text_len;
    } else if (!r->changed) {
        yr_hash16(r->first_text, r->text, r->text_len);
    }
    r->changed = true;
}

static void forget_edit(struct yr_record *r)
{
    r->edited = false;
    r->edit_hlc = r->edit_seq = 0;
    memset(r->edit_id, 0, sizeof r->edit_id);
    if (!r->room)
        return;
    r->changed = false;
    r->first = NULL;
    r->first_len = 0;
}

void yr_record_erase(struct yr_record *r)
{
    remember_text(r);
    forget_edit(r);
    r->deleted = true;
    r->text = NULL;
    r->text_len = 0;
    r->mark_count = 0;
}

void yr_record_void(struct yr_record *r, const char *text)
{
    yr_record_erase(r);
    r->deleted = r->here_only = r->mention = false;
    r->kind = YR_MSG_SYSTEM;
    memset(r->reply_to, 0, sizeof r->reply_to);
    r->text = (const uint8_t *)text;
    r->text_len = strlen(text);
}

bool yr_record_disown(struct yr_record *r, const uint8_t author[YR_ID_LEN],
                      const uint8_t incarnation[YR_INCARNATION_LEN], bool *edited, bool *reacted)
{
    size_t kept = 0;

    *edited = r->edited && memcmp(r->author, author, YR_ID_LEN) == 0 &&
              memcmp(r->incarnation, incarnation, YR_INCARNATION_LEN) == 0;
    if (*edited) {
        r->text = r->first;
        r->text_len = r->first_len;
        forget_edit(r);
    }
    for (size_t i = 0; i < r->mark_count; i++)
        if (memcmp(r->marks[i].author, author, YR_ID_LEN) != 0 ||
            memcmp(r->marks[i].incarnation, incarnation, YR_INCARNATION_LEN) != 0)
            r->marks[kept++] = r->marks[i];
    *reacted = kept < r->mark_count;
    r->mark_count = kept;
    return *edited || *reacted;
}

static bool edit(struct yr_record *r, const struct yr_change *change)
{
    int order = 1;

    if (r->edited)
        order = compare_when(change->hlc, change->seq, r->edit_hlc, r->edit_seq);
    if (order == 0) // only a liar says two things with one number; everyone believes the same one
        order = compare_bytes(change->text, change->text_len, r->text, r->text_len);
    if (order <= 0)
        return false;
    remember_text(r);
    r->edited = true;
    r->edit_hlc = change->hlc;
    r->edit_seq = change->seq;
    memcpy(r->edit_id, change->id, YR_MSG_ID_LEN);
    r->text = change->text;
    r->text_len = change->text_len;
    return true;
}

// The register that the change writes, or where it belongs; *found says which.
static size_t find_mark(const struct yr_record *r, const struct yr_change *change, bool *found)
{
    size_t i;

    *found = false;
    for (i = 0; i < r->mark_count; i++) {
        const struct yr_mark *mark = &r->marks[i];
        int order = memcmp(mark->author, change->author, YR_ID_LEN);

        if (order == 0)
            order = compare_bytes(mark->emoji, mark->emoji_len, change->text, change->text_len);
        if (order == 0)
            order = memcmp(mark->incarnation, change->incarnation, YR_INCARNATION_LEN);
        *found = order == 0;
        if (order >= 0)
            break;
    }
    return i;
}

// The author's registers: record->marks[*first] to [*end].
static void find_author(const struct yr_record *r, const uint8_t author[YR_ID_LEN], size_t *first,
                        size_t *end)
{
    size_t i = 0;

    while (i < r->mark_count && memcmp(r->marks[i].author, author, YR_ID_LEN) < 0)
        i++;
    *first = i;
    while (i < r->mark_count && memcmp(r->marks[i].author, author, YR_ID_LEN) == 0)
        i++;
    *end = i;
}

// The author's registers are as many as are kept of one.
static bool author_full(const struct yr_record *r, const uint8_t author[YR_ID_LEN], size_t *end)
{
    size_t first;

    find_author(r, author, &first, end);
    return *end - first >= (r->room ? YR_ROOM_REACTION_EACH : YR_REACTION_EACH);
}

bool yr_record_full(const struct yr_record *r, const struct yr_change *change)
{
    bool found;
    size_t end;

    (void)find_mark(r, change, &found);
    return !found && (author_full(r, change->author, &end) || r->mark_count == YR_REACTIONS_MAX);
}

const uint8_t *yr_record_reaction(const struct yr_record *r, const struct yr_change *change)
{
    bool found;
    const size_t at = find_mark(r, change, &found);

    return found ? r->marks[at].id : NULL;
}

// Is the author seen to react so?
static bool is_shown(const struct yr_record *r, const struct yr_change *change)
{
    for (size_t i = 0; i < r->mark_count;) {
        const struct yr_mark *mark = last_mark(r, i, &i);

        if (memcmp(mark->author, change->author, YR_ID_LEN) == 0 &&
            compare_bytes(mark->emoji, mark->emoji_len, change->text, change->text_len) == 0)
            return mark->on;
    }
    return false;
}

// A register at `at` that is off and was never written; if there are as many as are kept, the
// author's highest makes room for it, or the highest of all.
static enum yr_err add_mark(struct yr_record *r, const struct yr_change *change, size_t at,
                            bool *visible)
{
    struct yr_mark *mark = &r->marks[at];
    size_t end;
    const bool each = author_full(r, change->author, &end);

    if (each || r->mark_count == YR_REACTIONS_MAX) {
        end = each ? end : r->mark_count;
        if (at == end)
            return YR_EFULL;
        *visible = r->marks[end - 1].on;
        memmove(mark + 1, mark, (end - 1 - at) * sizeof *mark);
    } else {
        memmove(mark + 1, mark, (r->mark_count - at) * sizeof *mark);
        r->mark_count++;
    }
    memset(mark, 0, sizeof *mark);
    memcpy(mark->author, change->author, YR_ID_LEN);
    memcpy(mark->incarnation, change->incarnation, YR_INCARNATION_LEN);
    memcpy(mark->emoji, change->text, change->text_len);
    mark->emoji_len = (uint8_t)change->text_len;
    return YR_OK;
}

static enum yr_err react(struct yr_record *r, const struct yr_change *change, bool *visible,
                         bool *stored)
{
    bool found;
    const bool before = is_shown(r, change);
    const size_t at = find_mark(r, change, &found);
    struct yr_mark *mark = &r->marks[at];
    enum yr_err err;

    if (found) {
        const int order = compare_when(change->hlc, change->seq, mark->hlc, mark->seq);

        // of two with one number the one that sets it counts
        if (order < 0 || (order == 0 && (mark->on || !change->on)))
            return YR_OK;
    } else if ((err = add_mark(r, change, at, visible)) != YR_OK) {
        return err;
    }
    mark->hlc = change->hlc;
    mark->seq = change->seq;
    memcpy(mark->id, change->id, YR_MSG_ID_LEN);
    mark->on = change->on;
    *visible = *visible || before != is_shown(r, change);
    *stored = true;
    return YR_OK;
}

enum yr_err yr_record_apply(struct yr_record *r, const struct yr_change *change, bool *visible,
                            bool *stored)
{
    *visible = *stored = false;
    if (r->kind == YR_MSG_SYSTEM ||
        (change->type != YR_PLAIN_REACTION && memcmp(r->author, change->author, YR_ID_LEN) != 0))
        return YR_EDENIED;
    if (r->deleted) {
        *stored = r->here_only && change->type == YR_PLAIN_DELETE;
        r->here_only = r->here_only && !*stored;
        return YR_OK;
    }
    if (change->type == YR_PLAIN_REACTION)
        return react(r, change, visible, stored);
    if (change->type == YR_PLAIN_EDIT && r->room &&
        memcmp(r->incarnation, change->incarnation, YR_INCARNATION_LEN) != 0)
        return YR_EDENIED;
    if (change->type == YR_PLAIN_EDIT) {
        *visible = *stored = edit(r, change);
        return YR_OK;
    }
    yr_record_erase(r);
    *visible = *stored = true;
    return YR_OK;
}
