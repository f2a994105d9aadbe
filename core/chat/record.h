/* core/chat/record.h: a message as its row holds it, and what operations make of it.
 *
 * Operations merge in any order: an edit is a register that the highest (hlc, seq, text) wins, a
 * reaction one register per (author, emoji), a deletion is final and takes text and reactions with
 * it.  In a room the chain (incarnation) of an author counts, too: an edit is of the chain that
 * said the text, and a reaction a register of (author, emoji, chain), of which the last is shown;
 * so what a chain did can be taken back as a whole when it turns out to fork.  Of an author's
 * registers those of the YR_REACTION_EACH bytewise lowest emoji are kept (in a room
 * YR_ROOM_REACTION_EACH), of all those of the YR_REACTIONS_MAX lowest (author, emoji): one that is
 * kept in the end was among the lowest at any time, so no write to it was lost, whatever came
 * first.  Two sets of the same operations therefore end in the same record. */
#ifndef YR_RECORD_H
#define YR_RECORD_H

#include "core/chat/hlc.h"
#include "core/limits.h"
#include "core/wire/messages.h"
#include "yaari/node.h"

/** Bytes of the longest record; buffers that rows are read into have some to spare (rows.h). */
#define YR_RECORD_BUF (YR_RECORD_MAX + 64)

/** A register of (author, emoji), in a room of (author, emoji, incarnation). */
struct yr_mark {
    uint8_t author[YR_ID_LEN], incarnation[YR_INCARNATION_LEN]; /* not in a room: zero */
    uint64_t hlc, seq;         /* of the operation that wrote it last ... */
    uint8_t id[YR_MSG_ID_LEN]; /* ... and that itself */
    bool on;
    uint8_t emoji_len;
    uint8_t emoji[YR_EMOJI_MAX];
};

struct yr_record {
    uint8_t id[YR_MSG_ID_LEN], author[YR_ID_LEN], incarnation[YR_INCARNATION_LEN];
    uint8_t reply_to[YR_MSG_ID_LEN]; /* zero: none */
    uint8_t parents[YR_PARENTS_MAX][YR_MSG_ID_LEN];
    size_t parent_count;
    enum yr_msg_kind kind;
    enum yr_state state;
    bool own, deleted, edited;
    bool here_only; /* our own, deleted here: others may still have it */
    bool seen;      /* not unread, although it may stand below the read marker */
    bool changed; /* text is no longer the one sent; first_text is its hash, in a room `first` it */
    bool room;    /* said in a room: author is a mid and zero bytes */
    bool mention; /* of ourselves, as it was sent; edits do not change it */
    uint64_t hlc, seq, cursor;
    uint64_t edit_hlc, edit_seq;
    uint8_t edit_id[YR_MSG_ID_LEN]; /* the operation */
    uint8_t first_text[16];
    yr_ms received_ms, delivered_ms, read_ms;
    yr_ms held_ms;    /* since when friends keep it for the one it is for; 0: none ever did */
    yr_ms expires_ms; /* as sent: it is given up then; 0: never */
    yr_ms failed_ms; /* when that happened; another's: when it came, too late to be shown; else 0 */
    const uint8_t *text; /* lent from the row, or from whoever filled the record */
    size_t text_len;
    const uint8_t *first; /* lent likewise; in a room, if changed and not deleted */
    size_t first_len;
    size_t mark_count;
    struct yr_mark
        marks[YR_REACTIONS_MAX]; /* sorted by author, emoji, incarnation; last: not cleared */
};

/** All zero, but for the marks past mark_count. */
void yr_record_clear(struct yr_record *record);

/** *len <= YR_RECORD_MAX bytes written. */
void yr_record_encode(const struct yr_record *record, uint8_t out[YR_RECORD_MAX], size_t *len);
/** Total; text lent from src.  Errors: YR_ECORRUPT. */
YR_MUST_USE enum yr_err yr_record_decode(struct yr_record *out, const uint8_t *src, size_t len);

/** The record as front ends see it. */
void yr_record_show(const struct yr_record *record, const uint8_t conv[YR_ID_LEN], bool unread,
                    struct yr_message *out);

/** Does this text, received (again), say what the record was made from? */
bool yr_record_same(const struct yr_record *record, const struct yr_plain *plain);

/** An operation on a message, by whoever it came from. */
struct yr_change {
    enum yr_plain_type type;                                    /* EDIT DELETE REACTION */
    uint8_t author[YR_ID_LEN], incarnation[YR_INCARNATION_LEN]; /* not in a room: zero */
    uint8_t id[YR_MSG_ID_LEN], target[YR_MSG_ID_LEN];
    uint64_t hlc, seq;
    bool on;
    const uint8_t *text; /* EDIT, REACTION; lent */
    size_t text_len;
};

/** As a row of its own, while it waits for its target: <= YR_CHANGE_MAX bytes. */
#define YR_CHANGE_MAX (YR_TEXT_MAX + 128)
void yr_change_encode(const struct yr_change *change, uint8_t out[YR_CHANGE_MAX], size_t *len);
/** id and target stay as they are: the row's key has them.  Errors: YR_ECORRUPT. */
YR_MUST_USE enum yr_err yr_change_decode(struct yr_change *out, const uint8_t *src, size_t len);

/** Merge one operation.  *visible: the message looks different now, *stored: its row does.
 *  The text of a winning edit is lent from the change.
 *  Errors, nothing changed: YR_EDENIED: not the author's to do (in a room an edit: not in that
 *  chain), or a line of no author;
 *  YR_EFULL: a reaction that is not kept, here or anywhere. */
YR_MUST_USE enum yr_err yr_record_apply(struct yr_record *record, const struct yr_change *change,
                                        bool *visible, bool *stored);

/** Would this reaction be one more than are kept? */
bool yr_record_full(const struct yr_record *record, const struct yr_change *change);

/** The operation that wrote the register last that this one writes, or NULL. */
const uint8_t *yr_record_reaction(const struct yr_record *record, const struct yr_change *change);

/** Make it a tombstone. */
void yr_record_erase(struct yr_record *record);
/** Make it a line of kind SYSTEM, whatever it was; text is lent. */
void yr_record_void(struct yr_record *record, const char *text);
/** Take back what operations of this chain made of it: its text is the first one again, its
 *  reactions are gone.  *edited, *reacted: that is to be seen; false: nothing was there. */
bool yr_record_disown(struct yr_record *record, const uint8_t author[YR_ID_LEN],
                      const uint8_t incarnation[YR_INCARNATION_LEN], bool *edited, bool *reacted);

#endif
