/* tests/support/roomies.h: a room without its log.  All that was ever said in it lies in one list,
 * sealed and signed by nobody; the test gives any of it to any member in any order. */
#ifndef TEST_ROOMIES_H
#define TEST_ROOMIES_H

#include "tests/support/chats.h"

#define ROOM_RECORDS 1200

struct room_record {
    uint8_t id[YR_MSG_ID_LEN], mid[YR_MID_LEN], incarnation[YR_INCARNATION_LEN];
    uint64_t hlc, seq, eff, fork; /* fork: set by the test */
    uint8_t plain[YR_ROOM_TEXT_MAX + 128];
    size_t len;
};

struct room {
    uint8_t id[YR_ID_LEN];
    struct room_record *records[ROOM_RECORDS]; /* owned */
    size_t count;
};
void room_init(struct room *room, char name);
void room_clear(struct room *room);
/** Say something in it, at `ms` by the author's clock and behind the record `after` (NULL: none);
 *  seq is the number of this record in the room.  Lent until room_clear. */
struct room_record *room_write(struct room *room, char author, yr_ms ms,
                               const struct room_record *after, const struct yr_plain *plain);
/** The same of a text, and of bytes that need not be a plaintext. */
struct room_record *room_text(struct room *room, char author, yr_ms ms,
                              const struct room_record *after, const char *text);
struct room_record *room_bytes(struct room *room, char author, yr_ms ms,
                               const struct room_record *after, const void *bytes, size_t len);

/** A member: a talker with a room. */
struct roomie {
    struct talker talker; /* first: the ctx of its ops */
    struct room *room;
    char name;
    struct room_record *meanwhile; /* comes in while we are saying something; NULL: nothing does */
    size_t said;                   /* calls of ops->say that succeeded */
    uint64_t seen[256];            /* highest seq seen, by the first byte of the author */
    size_t seen_count, read_count; /* calls of ops->seen and ops->read */
    struct yr_place marker;        /* of the last read */
};
/** In the room, called as `nick`; its mid is `name` repeated. */
void roomie_init(struct roomie *r, struct room *room, char name, const char *nick);
void roomie_clear(struct roomie *r);
/** Power fails; the room is open again. */
void roomie_crash(struct roomie *r, const char *nick);
/** As talker_reset. */
enum yr_err roomie_reset(struct roomie *r, const char *nick);
enum yr_err roomie_take(struct roomie *r, const struct room_record *record);
/** A mid as an author. */
void roomie_author(uint8_t out[YR_ID_LEN], char name);

#endif
