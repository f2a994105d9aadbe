/* core/limits.h: every maximum, with its unit and its reason. */
#ifndef YR_LIMITS_H
#define YR_LIMITS_H

#define YR_FRIENDS_MAX 256 /* hint scan of a stranger's packet stays at 5 us */
#define YR_INVITES_MAX 8   /* open at once; each is looked for in every beacon */
#define YR_SPENT_MAX   64  /* spent and revoked invites remembered until they expire */
#define YR_ADDS_MAX    16  /* links being added at once */
#define YR_PEERS_MAX   32  /* configured bootstrap peers */
#define YR_ADDRS_MAX   16  /* candidate addresses of one friend */
#define YR_HINTS_MAX   3   /* addresses in an invite */

#define YR_TEXT_MAX      16384 /* bytes of UTF-8 in one text */
#define YR_NICK_MAX      64    /* bytes */
#define YR_STATUS_MAX    256   /* bytes */
#define YR_EMOJI_MAX     16    /* bytes of a reaction */
#define YR_GREETING_MAX  256   /* bytes: text of a first contact */
#define YR_PARENTS_MAX   4     /* parent ids of a message */
#define YR_ACKS_MAX      512   /* message ids in one receipt */
#define YR_REACTIONS_MAX 64    /* different (author, emoji) pairs kept for one message ... */
#define YR_REACTION_EACH 32    /* ... and of one author; a direct conversation has two */
#define YR_ORPHANS_MAX   10000 /* operations per conversation whose target is not known yet */
#define YR_EDGES_MAX     1024  /* (ancestor, message) pairs of a conversation: who waits for whom */

#define YR_DATAGRAM_MAX  1232  /* our own packets: IPv6 minimum MTU 1,280 - 48 */
#define YR_PACKET_MAX    1500  /* any UDP payload we send or accept */
#define YR_FRAME_MAX     40000 /* body of one link frame: the largest envelope and its header */
#define YR_ENVELOPE_MAX  32768 /* largest size bucket */
#define YR_PLAIN_MAX     20000 /* msgpack of one direct message */
#define YR_MSGPACK_DEPTH 8     /* of nesting: our maps need 3 */
#define YR_MSGPACK_ITEMS 1024  /* elements of one map, all levels together */
#define YR_MSGPACK_MAX   65536 /* bytes of one map */

#define YR_SKIP_MAX     1000 /* message keys skipped at once */
#define YR_SKIPPED_MAX  2000 /* skipped keys kept for a friend */
#define YR_SKIPPED_DAYS 21   /* an envelope lives 14, and a week to spare */
#define YR_CHAINS_MAX   5    /* receiving chains with skipped keys */
#define YR_SESSIONS_MAX 4    /* ratchet sessions kept for a friend */
#define YR_TIMEKEY_DAYS 16   /* day keys kept: an envelope lives 14, clocks may differ by a day */
#define YR_WINDOW_MAX   1024 /* envelopes on the way to one friend, not yet acknowledged */

#define YR_ROOM_RECORD_MAX  16384 /* bytes of one record of a room, signature and all */
#define YR_ROOM_DEPS_MAX    8     /* records one cites beside its author's previous one */
#define YR_ROOM_MEMBERS_MAX 1000  /* a new epoch for all of them is 53 KB */
#define YR_ROOM_OPS_MAX     16384 /* control records of one room: bounds what a state costs */
#define YR_ROOM_HIST_DAYS   30    /* history a room may grant to who joins later */
#define YR_ROOM_NAME_MAX    64    /* bytes */
#define YR_ROOM_VALUE_MAX   1024  /* bytes of one setting */
#define YR_ROOM_SEALED_MAX  256   /* recipients in one part of a new epoch */
#define YR_ROOM_EPOCHS_MAX  32    /* old epochs handed over in one record */

#define YR_ROW_MAX       65536  /* plaintext of one stored row */
#define YR_KEY_MAX       48     /* bytes of a stored key */
#define YR_EVENTS_KEPT   100000 /* events that can be replayed */
#define YR_CLOCK_SKEW_MS 120000 /* how far a received clock moves our own */

#endif
