/* api.h: what every public header needs: visibility, attributes, time, memory, randomness,
 * addresses. */
#ifndef YAARI_API_H
#define YAARI_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define YR_API       __attribute__((visibility("default")))
#define YR_MUST_USE  __attribute__((warn_unused_result))
#define YR_NORETURN  __attribute__((noreturn))
#define YR_PRINTF(f) __attribute__((format(printf, f, f + 1)))

#define YR_ID_LEN     32 /* an identity's public key (Ed25519) */
#define YR_MSG_ID_LEN 16 /* a message's permanent id */
#define YR_MID_LEN    16 /* a member of a room: a key of its own there, linked to no identity */

/* Ranks in a room.  Who has one gives and takes only lower ones. */
#define YR_RANK_FOUNDER 100
#define YR_RANK_ADMIN   75 /* gives and takes ranks below its own */
#define YR_RANK_MOD     50 /* removes members below it, changes settings */
#define YR_RANK_MEMBER  10

typedef uint64_t yr_us; /* monotonic microseconds */
typedef int64_t yr_ms;  /* wall-clock milliseconds since the epoch */
#define YR_NEVER UINT64_MAX

/** One moment, the same for all that one call does.  `mono_us` never goes back and alone sets
 *  deadlines; `wall_ms` stamps messages and picks days, and may jump. */
struct yr_now {
    yr_us mono_us;
    yr_ms wall_ms;
};

/** A source of random bytes, given at creation; the only one the core ever uses. */
struct yr_rng {
    void (*fill)(void *ctx, void *out, size_t len); /* cannot fail */
    void *ctx;
};

/** What memory is for; each purpose has a hard cap of its own. */
enum yr_mem_purpose {
    YR_MEM_NODE,  /* the node and its tables */
    YR_MEM_LINK,  /* connections, ngtcp2, send queues */
    YR_MEM_STORE, /* transactions not yet committed */
    YR_MEM_CHAT,  /* conversations, outbox */
    YR_MEM_ROOM,  /* rooms: who is a member, the log, epochs */
    YR_MEM_DHT,   /* routing tables, stored records, keys of other nodes */
    YR_MEM_COUNT
};

/** The allocator of one node: caps per purpose over the C library or over what a test injects. */
struct yr_mem {
    void *(*realloc)(void *ctx, void *ptr, size_t size); /* size 0 frees; NULL refuses */
    void *ctx;
    size_t used[YR_MEM_COUNT], cap[YR_MEM_COUNT]; /* bytes */
    /** Keep a block with long-lived secrets out of swap until it is freed; false: it may get there.
     *  NULL: nothing is kept out. */
    bool (*lock)(void *ctx, void *ptr, size_t size);
    size_t unlocked; /* bytes for which it said false */
};

/** Families of struct yr_addr beside 4 and 6 (IPv4, IPv6) and 0 (none): ways that are no UDP
 * address of their own.  They exist inside one node only, never on the wire nor in the store. */
#define YR_FAMILY_VIA    1 /* a circuit through a friend; ip[0..3]: its handle, big-endian; port 1 */
#define YR_FAMILY_SIGNAL 2 /* by way of a node of the DHT; likewise */

/** A way to somebody: an IP address and UDP port.  IPv4 uses the first four bytes of `ip`. */
struct yr_addr {
    uint8_t family; /* 4, 6, a YR_FAMILY_..., or 0: none */
    uint8_t ip[16];
    uint16_t port;  /* host order */
    uint16_t local; /* which of our sockets: 0: the main one, else one opened by YR_FX_OPEN */
    uint32_t scope; /* interface index of a link-local IPv6 address, else 0 */
};

#endif
