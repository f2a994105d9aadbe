/* tests/support/two_friends.h: two sides of a ratchet session and the messages between them. */
#ifndef TEST_TWO_FRIENDS_H
#define TEST_TWO_FRIENDS_H

#include "core/seal/ratchet.h"
#include "tests/support/seeded.h"

#define NOW_S   1700000000u
#define DAY     19675u
#define MSG_MAX 256

/** One side: what it has in memory. */
struct side {
    struct yr_session session;
    struct yr_skipped skipped;
};

struct two {
    struct seeded rnd;
    struct test_mem mem;
    struct side sides[2]; /* [0] starts as sender, [1] owns the prekey */
};
/** A fresh session; stays where it is. */
void two_init(struct two *t, uint64_t seed);
/** Wipe; fails the test when memory was not given back. */
void two_clear(struct two *t);

/** A message on its way; its plaintext is its number. */
struct msg {
    uint8_t at[MSG_MAX];
    size_t len;
    uint32_t number;
};
/** Encrypt at one side; must succeed. */
void send_from(struct two *t, size_t who, uint32_t number, struct msg *out);
/** Encrypt `count` messages that nobody gets. */
void lose(struct two *t, size_t who, size_t count);
/** Decrypt at one side, which moves on when it opens.  Fails the test when another text came out,
 * or any although the message was refused. */
enum yr_err deliver(struct two *t, size_t who, const struct msg *m);

#define TWO_SKIPPED_LEN (YR_SKIPPED_PARTS * YR_SKIPPED_ROW_MAX)
/** All rows of a store, one behind the other; the length. */
size_t encode_skipped(const struct yr_skipped *skipped, uint8_t out[TWO_SKIPPED_LEN]);

#endif
