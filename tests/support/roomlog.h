/* tests/support/roomlog.h: people who write records, and logs that take them. */
#ifndef TEST_ROOMLOG_H
#define TEST_ROOMLOG_H

#include "core/crypto/identity.h"
#include "core/room/log.h"
#include "tests/support/rowbox.h"

#define ROOMLOG_START_MS INT64_C(1700000000000)

/** Somebody's keys in one room. */
struct scribe {
    struct yr_identity keys; /* id: RS */
    uint8_t seal_pk[32], mid[YR_MID_LEN], incarnation[8];
};

/** A record as bytes. */
struct slip {
    uint8_t id[YR_REC_ID_LEN];
    uint8_t *bytes;
    size_t len;
};

/** A pile of them. */
struct pile {
    struct slip *slips;
    size_t count, cap;
};
/** Copied. */
void pile_add(struct pile *pile, const uint8_t *bytes, size_t len);
void pile_clear(struct pile *pile);
/** In random order. */
void pile_shuffle(struct pile *pile, struct seeded *rnd);

/** What was told of an accepted record. */
struct told {
    struct yr_room_entry entry;
    uint8_t author[YR_MID_LEN];
    uint8_t class;
};

/** One node's log on a store in memory. */
struct keeper {
    struct rowbox box;
    struct yr_room_log *log;
    struct yr_room_log_ops ops;
    struct yr_now now; /* set by the test */
    struct told *told;
    size_t told_count, told_cap;
    enum yr_err refuse; /* what `accepted` answers, unless YR_OK */
    bool forged;        /* of the last put */
};

/** An empty store; nothing is loaded. */
void keeper_init(struct keeper *k, uint64_t seed);
/** Fails the test if the log has not given back all memory. */
void keeper_clear(struct keeper *k);
/** A log that begins with this record. */
void keeper_begin(struct keeper *k, const struct slip *create);
/** Everything durable. */
void keeper_commit(struct keeper *k);
/** Power fails: only what is durable is read again. */
void keeper_crash(struct keeper *k);
/** Put, from slot 1; the test fails on an error. */
enum yr_put keeper_put(struct keeper *k, const struct slip *slip);
enum yr_put keeper_put_from(struct keeper *k, const uint8_t *bytes, size_t len, unsigned slot);
/** Put, expecting to hear this. */
#define KEEPER_SEES(k, slip, what) assert_int_equal(keeper_put((k), (slip)), (what))
/** Let time pass, by both clocks. */
void keeper_wait(struct keeper *k, yr_ms ms);
uint64_t keeper_counter(const struct keeper *k, const char *name);
/** Two logs hold the same. */
void keeper_assert_equal(struct keeper *a, struct keeper *b);

/** New keys. */
void scribe_init(struct scribe *s, struct seeded *rnd);
/** Their mid in this room. */
void scribe_enter(struct scribe *s, const uint8_t room_id[YR_ROOM_ID_LEN]);
/** The CREATE of a room anybody may add members to; enters it. */
void scribe_found(struct scribe *s, struct slip *out);

/** What comes next from this author by what this log has; nothing is put.  body: to be encoded. */
void scribe_draft(struct scribe *s, struct keeper *k, enum yr_room_class class,
                  struct yr_room_record *out);
/** Sign a draft with this body. */
void scribe_sign(const struct scribe *s, struct yr_room_record *draft,
                 const struct yr_room_body *body, struct slip *out);
void scribe_sign_bytes(const struct scribe *s, struct yr_room_record *draft, const uint8_t *body,
                       size_t len, struct slip *out);
/** Draft and sign, and, unless `out` wants it for later, put it into the log as our own.
 *  The body of a CONTENT is the text. */
void scribe_body(struct scribe *s, struct keeper *k, const struct yr_room_body *body,
                 struct slip *out);
void scribe_text(struct scribe *s, struct keeper *k, const char *text, struct slip *out);
void scribe_add(struct scribe *s, struct keeper *k, const struct scribe *whom, uint8_t rank,
                struct slip *out);
void scribe_remove(struct scribe *s, struct keeper *k, const struct scribe *whom, struct slip *out);
void scribe_set(struct scribe *s, struct keeper *k, const char *name, struct slip *out);
void scribe_key(struct scribe *s, struct keeper *k, const uint8_t seal_pk[32], struct slip *out);
/** Put as our own; it must be new. */
void scribe_keep(struct keeper *k, const struct slip *slip);
void slip_clear(struct slip *slip);

#endif
