/* tests/support/chats.h: conversations on a store in memory, without links between them: what one
 * says lies in its outbox until the test hands it to another, in any order or not at all. */
#ifndef TEST_CHATS_H
#define TEST_CHATS_H

#include "core/chat/chat.h"
#include "tests/support/seeded.h"
#include "tests/support/store_memory.h"

/** A plaintext that waits to be handed over; recalled: it was taken back. */
struct parcel {
    uint8_t conv[YR_ID_LEN], id[YR_MSG_ID_LEN];
    uint8_t *bytes;
    size_t len;
    bool recalled;
};

struct talker {
    uint8_t id[YR_ID_LEN];
    uint8_t friends[8][YR_ID_LEN];
    size_t friend_count;
    struct yr_now now; /* set by the test */
    struct seeded rng;
    struct test_mem mem;
    struct yr_memstore *store;
    struct yr_rows *rows;
    struct yr_events *events;
    struct yr_chats *chats;
    struct yr_chat_ops ops;
    enum yr_err refuse; /* what deliver answers, unless YR_OK */
    bool recallable;    /* may what is in the outbox be taken back? */
    struct parcel *out;
    size_t out_count, out_cap;
};

/** A fresh store and an open vault; the id is `name` repeated.  Stays where it is. */
void talker_init(struct talker *t, char name, uint64_t seed);
void talker_clear(struct talker *t);
/** Have a conversation with them, also after restarts. */
void talker_befriend(struct talker *t, const struct talker *other);

/** Flush and make everything durable. */
void talker_commit(struct talker *t);
/** As a node does after an error of the machine: forget what is not durable, read the rest again.
 */
enum yr_err talker_reset(struct talker *t);
/** Power fails: whatever is not durable is gone, the outbox included from `out_kept` on. */
void talker_crash(struct talker *t, size_t out_kept);

enum yr_err talker_receive(struct talker *t, const struct talker *from,
                           const struct parcel *parcel);
/** The same, of bytes the test made. */
enum yr_err talker_take(struct talker *t, const struct talker *from, const struct yr_plain *plain);
/** Say something; it must succeed. */
void talker_say(struct talker *t, const struct talker *to, const char *text,
                uint8_t id[YR_MSG_ID_LEN]);

/** Hand over everything from out[*next] on; *next moves. */
void talker_hand_over(struct talker *from, struct talker *to, size_t *next);

uint64_t talker_counter(const struct talker *t, const char *name);
/** The next event that is durable, DONE and the like included; false: none. */
bool talker_event(struct talker *t, struct yr_event *out);

#endif
