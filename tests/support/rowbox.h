/* tests/support/rowbox.h: rows over a memory store, with the test in between as their host. */
#ifndef TEST_ROWBOX_H
#define TEST_ROWBOX_H

#include "core/store/rows.h"
#include "tests/support/seeded.h"
#include "tests/support/store_memory.h"

struct rowbox {
    struct test_mem mem;
    struct seeded rng;
    struct yr_memstore *store;
    struct yr_rows *rows;
    uint8_t vk[32];
};

/** An empty store and locked rows. */
void rowbox_init(struct rowbox *box, uint64_t seed);
/** The same, unlocked, with the first key in its file. */
void rowbox_open(struct rowbox *box, uint64_t seed);
/** Fails the test if the rows have not given back all memory. */
void rowbox_close(struct rowbox *box);

/** Unlock with the key file as it is. */
enum yr_err rowbox_unlock(struct rowbox *box);
/** Hand what the rows have to do to the store's queue; how many things. */
size_t rowbox_pump(struct rowbox *box);
/** Let the store carry out one thing of its queue and answer it; false: the queue is empty. */
bool rowbox_answer(struct rowbox *box);
/** Both, until nothing is left to do. */
void rowbox_settle(struct rowbox *box);
/** A crash: the queue and the rows are lost; new rows, unlocked.  Errors: those of unlocking. */
enum yr_err rowbox_crash(struct rowbox *box);

/** A row of text. */
enum yr_err rowbox_put(struct rowbox *box, enum yr_table table, const char *owner,
                       const char *suffix, const char *text);
enum yr_err rowbox_del(struct rowbox *box, enum yr_table table, const char *owner,
                       const char *suffix);
/** Its text, "-" when there is none, or the name of the error.  Lent until the next call. */
const char *rowbox_get(struct rowbox *box, enum yr_table table, const char *owner,
                       const char *suffix);
/** All of one owner's rows as "suffix=text ...", up or down, or what there was before an error and
 *  its name.  Lent until the next call. */
const char *rowbox_walk(struct rowbox *box, enum yr_table table, const char *owner, bool up);

#endif
