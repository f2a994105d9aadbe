/* core/limits.h: every maximum, quota and lifetime, with its unit and its reason.  A name ends in
 * its unit (_S seconds, _MS, _DAYS, _MIB) where it is neither bytes nor a number of things. */
#ifndef YR_LIMITS_H
#define YR_LIMITS_H

#define YR_FRIENDS_MAX   256 /* hint scan of a stranger's packet stays at 5 us */
#define YR_INVITES_MAX   8   /* open at once; each is looked for in every beacon */
#define YR_SPENT_MAX     64  /* spent and revoked invites remembered until they expire */
#define YR_ADDS_MAX      16  /* links being added at once */
#define YR_PEERS_MAX     32  /* configured bootstrap peers */
#define YR_ADDRS_MAX     16  /* candidate addresses of one friend */
#define YR_OWN_ADDRS_MAX 16  /* own addresses told to friends: as many as they keep */
#define YR_HINTS_MAX     3   /* addresses in an invite */

#define YR_TEXT_MAX         16384 /* bytes of UTF-8 in one text */
#define YR_NICK_MAX         64    /* bytes */
#define YR_STATUS_MAX       256   /* bytes */
#define YR_EMOJI_MAX        16    /* bytes of a reaction */
#define YR_GREETING_MAX     256   /* bytes: text of a first contact */
#define YR_PARENTS_MAX      4     /* parent ids of a message */
#define YR_ACKS_MAX         512   /* message ids in one receipt */
#define YR_PLAIN_ACKS_MAX   32    /* acks beside a body; receipts of their own take ACKS_MAX */
#define YR_REACTIONS_MAX    64    /* different (author, emoji) pairs kept for one message ... */
#define YR_REACTION_EACH    32    /* ... and of one author; a direct conversation has two */
#define YR_ORPHANS_MAX      10000 /* operations per conversation whose target is not known yet */
#define YR_EDGES_MAX        1024 /* (ancestor, message) pairs of a conversation: who waits for it */
#define YR_HEADS_MAX        8    /* messages not cited yet that are kept; the lowest leave first */
#define YR_SKIPPED_READ_MAX 64   /* unread ones above the read marker; the oldest leave first */
#define YR_RECENT_MAX       32   /* messages whose place is kept in memory: spares reads */

#define YR_SOCKETS_MAX   256  /* beside the main ones: 1,024 probes to them hit 98 % of hard NATs */
#define YR_DATAGRAM_MAX  1232 /* our own packets: IPv6 minimum MTU 1,280 - 48 */
#define YR_PACKET_MAX    1500 /* any UDP payload we send or accept */
#define YR_FRAME_MAX     40000 /* body of one link frame: the largest envelope and its header */
#define YR_ENVELOPE_MIN  256   /* bytes: smallest size bucket; they double */
#define YR_ENVELOPE_MAX  32768 /* bytes: largest one; so a size shows within a factor of 2 */
#define YR_PLAIN_MAX     20000 /* msgpack of one direct message */
#define YR_MSGPACK_DEPTH 8     /* of nesting: our maps need 3 */
#define YR_MSGPACK_ITEMS 1024  /* elements of one map, all levels together */
#define YR_MSGPACK_MAX   65536 /* bytes of one map */

#define YR_LINK_FIRST_MIN       1200    /* UDP payload of a datagram with an Initial packet */
#define YR_LINK_CRYPTO_MAX      1200    /* bytes of one handshake message: it fits one packet */
#define YR_LINK_PAYLOAD_MAX     600     /* bytes of its Noise payload */
#define YR_LINK_DATAGRAM_MAX    1452    /* path MTU discovery ends here: Ethernet with IPv6 */
#define YR_LINK_DATAGRAM_SAFE   1200    /* where nothing is known of the path */
#define YR_LINK_CIDS_MAX        16      /* own connection ids at once, those retired lately too */
#define YR_LINK_CONNS_MAX       1024    /* connections at once: 4 for each friend */
#define YR_LINK_STREAM_WINDOW   2097152 /* bytes on their way in one stream: 167 Mbit/s at 100 ms */
#define YR_LINK_WINDOW          4194304 /* bytes on their way in all streams of a connection */
#define YR_LINK_MEM_MAX         8388608 /* bytes ngtcp2 may hold: twice the window */
#define YR_LINK_DIALS_BURST     10  /* first packets of a friend, then 1 a second: 120 us each */
#define YR_LINK_DIAL_S          10  /* until a handshake that does not end is given up */
#define YR_LINK_SILENCE_S       90  /* without a packet: the link is lost; three keepalives */
#define YR_LINK_KEEPALIVE_S     25  /* NATs forget a UDP mapping after 30 s */
#define YR_LINK_KEEPALIVE_S_MIN 10  /* ... and the shortest learned for one that is worse */
#define YR_LINK_KEEPALIVE_S_MAX 180 /* ... longer ones save nothing that can be noticed */
#define YR_LINK_LATE_S          5   /* the friend's own keepalive is late: we ask him */
#define YR_LINK_DYING_S         30  /* from an unanswered keepalive to the end of the link */
#define YR_LINK_IDLE_S          300 /* QUIC's own limit, beyond all of ours */
#define YR_LINK_DIRECT_S        3   /* a way silent for so long is left for a circuit */
#define YR_LINK_DOUBT_S         1   /* without an answer, and at least two probe timeouts */
#define YR_LINK_DOUBT_AGAIN_S   2   /* ... and as long as it lasts */
#define YR_LINK_VIA_MAX         1152 /* bytes of a packet over a circuit: it goes whole over any link */
#define YR_LINK_MTU_CALM_S      1   /* from a move to the first probe of what the new way carries */
#define YR_LINK_MTU_STALL_S     10  /* ... and from packets that were too long */
#define YR_LINK_MTU_WAIT_S      3   /* for one probe */
#define YR_LINK_MTU_GAP_MS      200 /* to the next smaller one */
#define YR_LINK_DATAGRAM_MS     1000 /* a datagram that has waited so long is of no more use */
#define YR_LINK_STALL_S         2    /* without any acknowledgement: packets may be too large */
#define YR_LINK_STAND_S         5  /* data that waits with nothing on its way: another connection */
#define YR_LINK_ACK_MS          20 /* a packet waits for a second; the peer allows 25 */
#define YR_LINK_REKEY_S         600 /* new traffic keys: what a stolen one opens is 10 minutes */
#define YR_LINK_REKEY_PACKETS   1048576 /* ... or after so many; the AEAD allows far more */
#define YR_LINK_REPLACE_S       43200   /* a new handshake with new DH, every 12 hours */
#define YR_LINK_REPLACE_GRACE_S 300     /* the side that did not dial waits this much longer */
#define YR_LINK_REPLACE_RETRY_S 60      /* until a replacement that failed is tried again */
#define YR_LINK_GOODBYES        4       /* times CONNECTION_CLOSE is sent: nobody confirms it */
#define YR_LINK_GOODBYE_MS      250     /* from the first to the next, and double */
#define YR_LINK_GOODBYE_MAX     128     /* bytes of one */

#define YR_QUEUE_CONTROL  65536   /* bytes a channel's queue holds: PINGs, ADDRS, prekeys */
#define YR_QUEUE_CHAT     524288  /* a burst, and what a long path has in flight */
#define YR_QUEUE_ROOMS    524288  /* as chat */
#define YR_QUEUE_BULK     1048576 /* a transfer's next second at 8 Mbit/s */
#define YR_QUEUE_DATAGRAM 65536   /* a second of what is carried for one friend */

#define YR_PRESENCE_GAP_MS   1000 /* between two told to a friend, or taken: each is a commit */
#define YR_PRESENCE_ACTIVE_S 600  /* until a friend is told again that somebody is there */
#define YR_TYPING_S          3    /* between two told to a friend while somebody writes */
#define YR_TYPING_SHOWN_S    10   /* until one counts no more */
#define YR_MAIL_HOLDERS_MAX  5    /* friends that keep one envelope at once */
#define YR_EXPIRY_GRACE_S    600  /* a text so long after its time is not shown: clocks differ */
#define YR_EXPIRY_S_MAX      31622400 /* how far the time of a text may lie ahead: a year */

#define YR_PING_BURST 10 /* PINGs of a friend answered at once, then 1 a second */
#define YR_PINGS_MAX  32 /* own PINGs not answered yet */
#define YR_PING_S     10 /* until one is given up */

#define YR_PROBE_BURST      32   /* probes of a friend answered at once: 16 addresses, twice ... */
#define YR_PROBE_RATE       8    /* ... then so many a second */
#define YR_PROBE_QUEUE_MAX  128  /* probes and answers that wait to leave; rounds wait for room */
#define YR_PROBES_OUT_MAX   2048 /* probes whose answers count: twice a birthday */
#define YR_PROBE_WINDOW     1024 /* clock values, ms: a probe may come so much late */
#define YR_PROBE_LEASE_MS   4000 /* of clock made durable ahead: a round is no commit */
#define YR_PROBE_HURRY_S    2    /* between two rounds asked for at once */
#define YR_PROBE_FRESH_S    30   /* an answer to an older probe is late */
#define YR_PATH_SILENT_MS   400  /* without an answer: a circuit, the DHT are asked too */
#define YR_TELL_S           5    /* until friends are told again where we are seen; doubled ... */
#define YR_TELLS_MAX        7    /* ... so often: ten minutes */
#define YR_RENEWALS_OUT     32   /* packets with certificates that wait to leave */
#define YR_RENEWAL_S        60   /* who is no more, or not known, is told so often */
#define YR_RENEWAL_BURST    4    /* certificates of a friend looked at at once ... */
#define YR_RENEWAL_CHECK_MS 200  /* ... then one so often */
#define YR_OFFER_BURST      8    /* offers of a friend acted on at once: of two who both seek ... */
#define YR_OFFER_S          5    /* ... then one so often: at most 6 rounds to 16 addresses each */
#define YR_OFFERS_HELD      8    /* signals that wait for their clocks to be durable */
#define YR_OFFER_RELAYS_MAX 8    /* blinded names of friends in one */
#define YR_SIGNAL_ADDRS_MAX 8    /* addresses in one that travels as a signal */
#define YR_SIGNAL_BYTES     640  /* of every signal between friends: its size says nothing */
#define YR_LATE_MAX         2    /* answers that a friend has asked us to give later */
#define YR_LATE_S_MAX       200  /* how much later */
#define YR_SOCKETS_MAX      256  /* opened for a birthday or a test; each is a port of the NAT */
#define YR_TRIES_KEPT       32   /* attempts to reach a friend that can be shown */

#define YR_NAT_NETWORKS      3    /* that must agree on where we are: one may lie */
#define YR_NAT_REPORTS_MAX   16   /* of where we are seen */
#define YR_NAT_CHANGE_S      60   /* within which two networks must see us elsewhere */
#define YR_NAT_SENT_MAX      1024 /* places we sent to: an older one counts as never */
#define YR_NAT_SENT_S        900  /* no NAT remembers longer where we sent to */
#define YR_NAT_WAIT_S        5    /* for a stranger's packet that was asked for */
#define YR_NAT_HAIRPIN_S     2    /* for our own packet to come back */
#define YR_NAT_MAPPED_S      300  /* a port mapping by which nobody came for so long is not told */
#define YR_NAT_ASK_S         120  /* ... so a friend is asked to try it twice in that time */
#define YR_NETWORKS_MAX      16   /* networks whose keepalive is remembered */
#define YR_KEEPALIVE_TESTS   6    /* that find it out, for each network, ever */
#define YR_KEEPALIVE_WAIT_S  3    /* for an answer beyond its time */
#define YR_KEEPALIVE_FRIENDS 3    /* asked until one can be reached from another port */
#define YR_KEEPALIVE_CALM_S  60   /* in one place, and of a link, before that is looked for */
#define YR_BIRTHDAY_S        10   /* one lasts */
#define YR_BIRTHDAY_PROBES   1024 /* of it: 256 open ports of 64,512 are met with 98 % */
#define YR_BIRTHDAY_SOCKETS  256  /* as many ports of the NAT, for so long */
#define YR_BIRTHDAY_GAP_MS   10   /* between two probes at random ports: 100 a second */
#define YR_BIRTHDAY_OPEN_MS  3    /* between two sockets: all are open within a second */
#define YR_BIRTHDAY_AGAIN_S  30   /* until the second for a friend: one in 50 has no luck ... */
#define YR_BIRTHDAY_REST_S   1800 /* ... and until others */
#define YR_STIR_S            300  /* between two times that a friend heard of is sought anew */

#define YR_RELAY_CIRCUITS_MAX  32        /* that we carry; 2 MB/s if all are busy */
#define YR_RELAY_CIRCUITS_EACH 8         /* ... with one friend as an end */
#define YR_RELAY_CIRCUITS_PAIR 2         /* ... between the same two: both may ask at once */
#define YR_RELAY_ENDS_MAX      64        /* circuits of our own: 2 KB each */
#define YR_RELAY_ENDS_EACH     2         /* ... to one friend */
#define YR_RELAY_RATE          65536     /* bytes a second carried from one end to the other ... */
#define YR_RELAY_BURST         65536     /* ... after so many at once */
#define YR_RELAY_DAY_EACH      536870912 /* bytes a day carried for one friend: 50 kbit/s all day */
#define YR_RELAY_DAY_ALL       2147483648 /* ... and for all */
#define YR_RELAY_ASKS_BURST    16         /* circuits a friend asks for at once, then 1 a second */
#define YR_RELAY_ASK_S         4          /* until a relay that does not answer is given up */
#define YR_RELAY_IDLE_S        120 /* without a packet: a circuit ends; keepalives are 25 s */
#define YR_RELAY_HALF_MS       500 /* until the second half of a packet comes no more */
#define YR_RELAY_REFUSED_S     30  /* who refused is not asked again for that friend ... */
#define YR_RELAY_DENIED_S      600 /* ... or, if we may not ask him at all, for any */
#define YR_RELAY_REFUSALS_MAX  128 /* such refusals remembered */
#define YR_RELAY_PATIENCE_MS   400 /* a friend is looked for so long before one is asked */
#define YR_RELAY_DEAF_S \
    15 /* a circuit through which no link comes up is given back: a dial and a half */
#define YR_RELAY_AGAIN_MS   700 /* until one more is asked, ... */
#define YR_RELAY_TRIES      8 /* ... so often when a friend was lost, once when somebody came, ... */
#define YR_RELAY_CALM_S     600  /* ... then so seldom: who comes back asks for us */
#define YR_RELAY_INBOX_MAX  32   /* packets out of circuits in one packet of a link */
#define YR_RELAY_TELL_MS    1000 /* from a new link, or set of relays, to the list ... */
#define YR_RELAY_TELL_BURST 4    /* ... so often at first, then less: */
#define YR_RELAY_TELL_S     600  /* between two lists told to one friend */

#define YR_BEACON_S          30 /* between two beacons */
#define YR_BEACON_GAP_S      1  /* ... at least, and between those of a burst */
#define YR_BEACON_BURST      3  /* at start and after a change: 0, 1 and 2 s */
#define YR_BEACON_HEARD      20 /* beacons of others looked at, then 20 a second */
#define YR_STORE_RETRY_S_MIN 1  /* until a store that failed is tried again, and double ... */
#define YR_STORE_RETRY_S_MAX 30 /* ... up to this */

#define YR_INVITE_DAYS_MAX  366 /* how far an invite's expiry may lie ahead */
#define YR_INVITE_DAYS_KEPT 7   /* an ended invite stays in the list */
#define YR_FC_BURST         8   /* handshakes per invite, then 4 a second */
#define YR_FC_HELLO_MAX     800 /* bytes of plaintext of one side's first words: fits a datagram */
#define YR_FC_SEEN_MAX      16  /* message 1s of an invite that are remembered: copies are free */
#define YR_FC_FINS_MAX      16  /* forged message 3s that one meeting reads */
#define YR_FC_MEETINGS_MAX  16  /* handshakes answered at once */
#define YR_FC_MEETINGS_EACH 2   /* of one invite: who holds one cannot keep the others waiting */
#define YR_FC_FOUND_MAX     8   /* addresses an invite was heard from on the LAN; the newest stay */
#define YR_FC_QUEUE_MAX     64  /* packets that wait to leave */
#define YR_FC_ANSWER_S      10  /* how long message 2 waits for message 3 */
#define YR_FC_DONE_S        60  /* how long the same message 3 gets the same answer */
#define YR_FC_FIN_TRIES     6   /* of message 3: 1, 2, 4, 8, 16 s, then from the start */
#define YR_FC_FAILED_S      3600 /* until an invite that did not work is tried again */
#define YR_FC_GAP_MS        500  /* between two tries: a new one makes late answers worthless */

#define YR_SKIP_MAX          1000 /* message keys skipped at once */
#define YR_SKIPPED_MAX       2000 /* skipped keys kept for a friend */
#define YR_SKIPPED_DAYS      21   /* an envelope lives 14, and a week to spare */
#define YR_CHAINS_MAX        5    /* receiving chains with skipped keys */
#define YR_SESSIONS_MAX      4    /* ratchet sessions kept for a friend */
#define YR_SESSION_DAYS      30   /* that one is kept on which nothing is sent any more */
#define YR_SESSION_FAILS     5    /* mailed messages that do not open until that is told ... */
#define YR_SESSION_FAILS_S   600  /* ... within so long; over the friend's own link one is enough */
#define YR_OPENED_MAX        1024 /* opened messages remembered: no more can come again */
#define YR_OPENED_PARTS      16   /* rows they are in: a commit writes half a KiB of them */
#define YR_OPENED_LEN        8    /* bytes of each */
#define YR_PKH_GAP_S         600  /* between two sessions that we begin with a friend ... */
#define YR_PKH_DAY           6    /* ... and so many in a day: no loops */
#define YR_PKH_WAIT_S        600  /* for the first message of a first contact; then a prekey */
#define YR_PKH_KNOWN_MAX     16   /* begun by a friend within a day; more are not taken */
#define YR_PKH_BURST         16 /* bad headers of a friend looked at, then 1 a second: 3 DH each */
#define YR_SESSION_BAD_S     3600 /* until a friend is told of the same session again */
#define YR_SESSION_BAD_GAP_S 600  /* ... and of another one */
#define YR_SESSION_SCAN_S    60   /* between two searches of the outbox for an unknown session */
#define YR_RESETS_ALARM      4    /* sessions begun anew within a day: somebody has a copy */
#define YR_PREKEYS_MAX       8    /* own prekeys kept for a friend: told, and in 6 beginnings */
#define YR_PREKEY_USED_S     86400 /* that one lives on which has been used: both may begin at once */
#define YR_PREKEY_DAYS       21    /* a prekey lives as long as skipped keys */
#define YR_PREKEY_RENEW_DAYS 7     /* the offered one is never older */
#define YR_TIMEKEY_DAYS      16    /* day keys kept: an envelope lives 14, clocks may differ by 1 */
#define YR_TIMEKEY_REACH     64    /* days that can be derived beyond the oldest kept one */
#define YR_TIMEKEY_STEP      24    /* days ours run ahead of those the friend has opened */
#define YR_TIMEKEY_CATCH     4096  /* days gone after a friend when our store was set back: 20 ms */
#define YR_TIMEKEY_CATCH_S   3600  /* ... so often */
#define YR_TIMEKEY_SEARCHES  32    /* searches over all days, then 1 a second: 2,000 hashes each */
#define YR_ENVELOPE_DAYS     14    /* an envelope expires within so many: two weeks of holiday */
#define YR_ENVELOPE_STEP_S   21600 /* an expiry is a multiple of 6 h: it hides when it was made */
#define YR_RENDEZVOUS_S      7200  /* a pair's epoch: the DHT may forget a record after 2 h */
#define YR_WINDOW_MAX        1024  /* envelopes on the way to one friend, not yet acknowledged */
#define YR_ENV_LOOKS         4194304 /* letters looked at for acks of nothing, and so many in 4 s */
#define YR_ENV_ACK_MAX       1024    /* entries of one ENV_ACK accepted: a full window */
#define YR_ENV_ACKS_SENT     128     /* entries of one we send: 2 KiB */
#define YR_ENV_ACKS_HELD     2048    /* received, not yet durable: an honest friend sends half */

#define YR_MAIL_TAGS_MAX     512    /* tags of a day that a friend may register: two a friend */
#define YR_MAIL_TAGS_ALL     524288 /* ... of all friends and days: 24 MB of memory */
#define YR_MAIL_DAYS         17     /* days registered at once: 14 of an envelope, clocks, today */
#define YR_MAIL_EACH_BYTES   16777216  /* kept for one friend */
#define YR_MAIL_EACH         2000      /* envelopes of these */
#define YR_MAIL_ALL_BYTES    268435456 /* kept for all: a home node's spare room */
#define YR_MAIL_ALL          262144    /* envelopes of these: 15 MB of memory */
#define YR_MAIL_DAY_BYTES    4194304   /* that one friend may leave here in a day ... */
#define YR_MAIL_HOUR         600       /* ... and envelopes in an hour */
#define YR_MAIL_LIFE_DAYS    15        /* an envelope lives 14, and our clock may be behind */
#define YR_MAIL_LIFE_S_MIN   86400 /* one that is over by our clock is kept so long all the same */
#define YR_MAIL_LIST_MAX     256   /* ids in one frame */
#define YR_MAIL_LISTED_MAX   32768 /* ids a friend may list at once, or a day: all a keeper has */
#define YR_MAIL_SEEN_MAX     4096  /* envelopes remembered that came, and that were given out */
#define YR_MAIL_SEEN_S       60    /* between two receipts for a letter that comes again */
#define YR_MAIL_REG_S        60    /* between two registrations with one friend */
#define YR_MAIL_SEND_MAX     32    /* envelopes on the way to their friend at once */
#define YR_MAIL_REG_BURST    4     /* ... but so many may follow each other */
#define YR_MAIL_REGS         256   /* days that a friend registers anew at once, then 1 a second */
#define YR_MAIL_STRANGE      512   /* envelopes of a friend for nobody here, then 1 a second */
#define YR_FORWARDS_MAX      256   /* envelopes handed on, not yet answered; a friend's: 64 */
#define YR_FORWARD_HOP_MAX   64    /* ... at one friend; with our own fewer than MAIL_ACKS_MAX */
#define YR_FORWARD_S         600   /* until an answer goes to nobody */
#define YR_FORWARD_BURST     64    /* at once for one friend: or he spoils us with who keeps ... */
#define YR_FORWARD_EVERY_S   10    /* ... then one in so many seconds */
#define YR_FORWARD_DAY_BYTES 1048576 /* handed on for one friend in a day */
#define YR_MAIL_ACKS_MAX     128     /* answers to one depositor that wait for a commit */

#define YR_POST_PATIENCE_MS   2000 /* a friend is sought so long before others are given its mail */
#define YR_POST_MUTE_MS       4000 /* a linked friend who confirms nothing so long is as one away */
#define YR_POST_RECEIPT_S_MIN 2    /* ... and a receipt waits so long at least, ... */
#define YR_POST_RECEIPT_S_MAX 60   /* ... so long at most: when it came says little */
#define YR_POST_OUT_MAX       32   /* questions to one holder that wait for an answer */
#define YR_POST_ANSWER_S      60   /* ... so long: then somebody else is asked too */
#define YR_POST_KEEPER        16   /* times as much as others: who offers that is always there */
#define YR_POST_HOLDERS_SEEN  16   /* friends looked at, best first, who may keep a letter */
#define YR_POST_SILENT_S      172800 /* who was not linked for so long may have lost what he kept */
#define YR_POST_AGAIN_S       86400 /* fetched, but no receipt: it is left elsewhere after so long */
#define YR_POST_FULL_S        600   /* until a full holder is asked for that friend again, ... */
#define YR_POST_FULL_S_MAX    3600  /* ... doubled each time up to this: quotas are of an hour */
#define YR_POST_NO_TAG_S      900   /* ... one where nobody waits for it, doubled up to: */
#define YR_POST_NOBODY_S      86400 /* ... one that the friend never named */
#define YR_POST_DAYS          13 /* an envelope that nobody keeps is not left again when as old */
#define YR_POST_DOUBT_S       10 /* between two questions to a holder who says that he may have less */
#define YR_POST_NOTED_S       21600 /* that a holder still has it is written down so often */
#define YR_RECEIPT_DAYS       14 /* receipts that nobody confirms: as long as an envelope lives */

#define YR_PWHASH_OPS     3    /* Argon2id passes of a new vault: 0.42 s with 256 MiB */
#define YR_PWHASH_OPS_MIN 3    /* ... and accepted: fewer is a file made weak */
#define YR_PWHASH_OPS_MAX 64   /* ... more is a damaged file, not a wish */
#define YR_PWHASH_MIB     256  /* Argon2id memory of a new vault */
#define YR_PWHASH_MIB_MIN 64   /* ... where a machine has less than 1 GiB; the least accepted */
#define YR_PWHASH_MIB_MAX 4096 /* ... more is a damaged file, not a wish */

#define YR_ROOMS_MAX          64   /* a conversation each, in memory */
#define YR_ROOM_TEXT_MAX      4096 /* bytes of one text in a room: every member stores it */
#define YR_ROOM_REACTION_EACH 8    /* (author, emoji) pairs of a member kept for one message */

#define YR_ROOM_RECORD_MAX  16384 /* bytes of one record of a room, signature and all */
#define YR_ROOM_DEPS_MAX    8     /* records one cites beside its author's previous one */
#define YR_ROOM_MEMBERS_MAX 1000  /* a new epoch for all of them is 53 KB */
#define YR_ROOM_OPS_MAX     16384 /* control records of one room: bounds what a state costs */
#define YR_ROOM_HIST_DAYS   30    /* history a room may grant to who joins later */
#define YR_ROOM_NAME_MAX    64    /* bytes */
#define YR_ROOM_VALUE_MAX   1024  /* bytes of one setting */
#define YR_ROOM_SEALED_MAX  256   /* recipients in one part of a new epoch */
#define YR_ROOM_EPOCHS_MAX  32    /* old epochs handed over in one record */

#define YR_ROOM_EPOCH_DAYS     7    /* until a new epoch: then a stolen key opens no more */
#define YR_ROOM_EPOCH_MESSAGES 5000 /* ... or after so many */
#define YR_ROOM_REKEY_S        60   /* between two epochs that one member makes */
#define YR_ROOM_REKEYS_DAY     10   /* epochs one member makes in a day: 0.5 MB in a full room */
#define YR_ROOM_RX_DAYS        14 /* that an own key for epochs is kept after its successor came */
#define YR_ROOM_CHAINS_DAYS    30 /* keys of an epoch are kept after its successor: late messages */
#define YR_ROOM_EPOCHS_KEPT    1024 /* epochs of one room: 300 bytes in memory each */
#define YR_ROOM_EPOCHS_EACH    64   /* ... made by REKEYs of one member: a month of honest ones */
#define YR_ROOM_PARTIALS_MAX   32   /* epochs of which parts are missing: one of an author */
#define YR_ROOM_PARTS_MAX      128  /* parts of one REKEY: 1,000 members are 4, each cites heads */
#define YR_ROOM_JUMP_MAX       4096 /* indices skipped over pruned messages: 2 ms of hashing */
#define YR_ROOM_REKEY_SLOT_MS  500  /* unit of the wait before a REKEY: news cross a room in it */
#define YR_ROOM_NEEDS_MAX      32   /* members whose NEEDKEY was heard today, remembered */
#define YR_ROOM_ANSWER_MS      10000 /* who is no moderator leaves the answer to a NEEDKEY to those */
#define YR_ROOM_CREATE_MAX     512   /* bytes of the first record of a room */
#define YR_RECEIPTS_MAX        500   /* chains in one receipt: 16 KB; the newest */
#define YR_ROOM_INVITES_MAX    16    /* to rooms, not answered yet */
#define YR_ROOM_INVITERS       4     /* friends remembered of one such */
#define YR_ROOM_SEALS_MAX      6     /* own keys for epoch secrets: of three weeks, and lost ones */

#define YR_ROOM_HELD_MAX      4096     /* records of a room that wait for their ancestors ... */
#define YR_ROOM_HELD_BYTES    16777216 /* ... and what they take */
#define YR_ROOM_HELD_EACH     256      /* ... of one author; more come again when these are in */
#define YR_ROOM_HELD_S        600      /* then they are asked for again */
#define YR_ROOM_STRANGE_MAX   1024     /* records whose author is not known, so not verified ... */
#define YR_ROOM_STRANGE_BYTES 4194304  /* ... and what they take */
#define YR_ROOM_STRANGE_EACH  64       /* ... from one friend */
#define YR_ROOM_BURST         500      /* records of an author and class at once ... */
#define YR_ROOM_RATE_MS       100      /* ... then one so often */
#define YR_ROOM_INCARNATIONS  64       /* chains of an author and class that nobody else cites */
#define YR_ROOM_HEADS_MAX     64 /* message records nobody cites yet; the lowest leave first */
#define YR_ROOM_CITED_MAX     4  /* of those, and of control records, that a message cites */

#define YR_ROOM_TAGS_MAX   256  /* rooms, padding too, that one friend tells */
#define YR_ROOM_ROUTES_MAX 64   /* rooms shared with one friend: as many as there may be */
#define YR_ROOM_NODES_MAX  512  /* parts of a room's chains asked for in one round */
#define YR_ROOM_LIST_MAX   8    /* chains of a part that are listed; more are split in 16 parts */
#define YR_ROOM_WANTS_MAX  4096 /* ranges asked for in one round: four chains for each member */
#define YR_ROOM_GETS_MAX   256  /* single records asked for and not sent yet; ids in one frame */
#define YR_ROOM_PAGE_MAX   256  /* ids of a chain in one frame */
#define YR_ROOM_FORKS_MAX  16   /* forked chains compared in one round */
#define YR_ROOM_LATE_MAX   32   /* chains whose rest we do not take, remembered for each session */
#define YR_ROOM_HEARD_MAX  256  /* records announced in one room that have not come yet ... */
#define YR_ROOM_HEARD_EACH 64   /* ... and of those first announced by one friend */
#define YR_ROOM_LOST_MAX   64   /* missing ancestors asked for at once in one room */
#define YR_ROOM_SEEN_MAX   256  /* records that came and were not kept: not fetched again */
#define YR_ROOM_TELL_MAX   64   /* announcements in one frame */
#define YR_ROOM_TELL_MS    100  /* from the first one to when it leaves */
#define YR_ROOM_GRAFT_MS   150  /* from an announcement, or a missing ancestor, until we ask */
#define YR_ROOM_REGRAFT_MS 500  /* ... and until the next one who announced it is asked */
#define YR_ROOM_CALM_MS    300  /* what is on its way may still come before logs are compared */
#define YR_ROOM_STALL_S    5    /* without progress: another neighbour is asked */
#define YR_ROOM_QUIET_S    5    /* after the last record neighbours compare once more */
#define YR_ROOM_FUTILE_MAX 3    /* rounds that brought nothing, until something changes */
#define YR_ROOM_SERVE_MAX  64   /* frames of records in one go: others get their turn */
#define YR_ROOM_WORK_MAX   8192 /* what a friend may make us do at once, in ids looked up ... */
#define YR_ROOM_WORK_RATE  512  /* ... and a second */

#define YR_DHT_SHOWN          12   /* nodes in one answer: 612 bytes of IPv6 */
#define YR_DHT_RECORD_HEAD    41   /* bytes before a record's value */
#define YR_DHT_VALUE_MAX      512  /* bytes of it: a record fits a datagram within a datagram */
#define YR_DHT_RECORD_MAX     617  /* with head and signature */
#define YR_DHT_RECORD_TTL_S   7500 /* an epoch of two hours, and 5 min of clocks that differ */
#define YR_DHT_INNER_MAX      900  /* bytes of a datagram that is forwarded in another */
#define YR_DHT_SIGNAL_MAX     700  /* bytes of a signal: an offer to punch, first contact */
#define YR_DHT_KEYS_MAX       4096 /* keys shared with others, 40 us each: 500 KB */
#define YR_DHT_KEYS_KEPT      384  /* ... when not that many were used within a minute: 50 KB */
#define YR_DHT_KEYS_S         960  /* ... and no longer than so long unused */
#define YR_DHT_BUCKET         16   /* nodes of a bucket; the first three take 68, 34 and 17 */
#define YR_DHT_BUCKET_FIRST   68   /* ... half of all nodes are there: a first hop goes further */
#define YR_DHT_BUCKETS        40   /* prefixes told apart; 2^40 nodes are nowhere */
#define YR_DHT_SPARES         8    /* nodes of a bucket that wait for a place in it */
#define YR_DHT_NET_BUCKET     2    /* nodes of one /24 or /48 in a bucket and in a result */
#define YR_DHT_NET_TABLE      8    /* ... in the table, and known to a lookup */
#define YR_DHT_FRESH_S        900  /* a node heard of within so long need not be asked */
#define YR_DHT_LOST           16 /* nodes that fell silent and are asked again: after a partition */
#define YR_DHT_PROVEN_S       600  /* an answer from an address proves it so long */
#define YR_DHT_FAILS_MAX      2    /* requests unanswered in a row until a node leaves */
#define YR_DHT_RECORDS_MAX    8192 /* stored; the nearest stay: 5 MiB */
#define YR_DHT_RECORDS_EACH   512  /* ... that one /24 or /56 has brought */
#define YR_RV_ADDRS_MAX       8    /* addresses in a pair's record */
#define YR_RV_RELAYS_MAX      3    /* nodes in it that pass signals on */
#define YR_DHT_PATHS          4    /* disjoint ways a lookup goes at once */
#define YR_DHT_PATHS_HARD     8    /* ... after one that failed */
#define YR_DHT_RESULT         16   /* nearest nodes a lookup makes sure of */
#define YR_DHT_STORE          8    /* ... of which the nearest store */
#define YR_DHT_WIDE           32   /* ... or so many where nodes crowd around a key */
#define YR_DHT_CANDIDATES     128  /* nodes a lookup knows at once; the nearest stay */
#define YR_DHT_SOFT_MS_MIN    150  /* until a path asks the next node; the answer may come later */
#define YR_DHT_SOFT_MS_MAX    600
#define YR_DHT_HARD_MS        2000 /* until a request is given up */
#define YR_DHT_FWD_MS         4500 /* ... that is forwarded: the forwarder asks twice */
#define YR_DHT_REQUESTS_MAX   256  /* on their way at once */
#define YR_DHT_SEARCHES_MAX   24   /* lookups at once: 14 KB each at most */
#define YR_DHT_QUEUE_MAX      256  /* datagrams that wait to leave */
#define YR_DHT_RATE           20   /* requests a second answered to one IP or /56 ... */
#define YR_DHT_BURST          60   /* ... after so many at once */
#define YR_DHT_NEW_KEYS       200  /* Diffie-Hellmans a second for strangers: 1 % of a core */
#define YR_DHT_SOURCES        256  /* sources whose rate is remembered: 4 KB; they share places */
#define YR_DHT_BOOTSTRAP_MAX  64   /* contacts to start from */
#define YR_DHT_SIGNALS_MAX    512  /* registrations kept for others */
#define YR_DHT_SIGNAL_S       120  /* each so long: NATs forget in about that */
#define YR_DHT_DIALBACKS      3    /* networks that must have reached us before we serve ... */
#define YR_DHT_STABLE_S       1200 /* ... and so long since the first: laptops come and go */
#define YR_DHT_QUIET_S        180  /* to twice that: who was sent nothing so long passes filters */
#define YR_DHT_UNREACHED_S    280  /* nobody did, though asked to: we serve no more */
#define YR_DHT_REFRESH_S      3600 /* the first bucket with room is looked through: 15 KB each time */
#define YR_DHT_KEY_S          86400 /* a client is somebody else each day */
#define YR_DHT_KEY_LATE_S     90000 /* ... even if it has always something to do */
#define YR_RENDEZVOUS_EDGE_S  1200  /* near an epoch's edge: clocks may differ by 20 min */
#define YR_MEET_JOBS_MAX      12    /* records put or looked for at once: half of all searches */
#define YR_MEET_BURST         64    /* ... and so many in a row, 20 KB each ... */
#define YR_MEET_SEARCH_S      2     /* ... then one so often: 256 friends in ten minutes */
#define YR_MEET_PAUSE_S       3600  /* rest after our clock went back: nobody knows the time */
#define YR_MEET_SPARES        2     /* nodes where we shall listen when our network changes */
#define YR_MEET_SPARE_S       21600 /* ... others every six hours: these may be gone */
#define YR_MEET_WAYS_MAX      16    /* people in first contact by signals; two of one invite */
#define YR_MEET_HEARD_MAX     64    /* signals remembered: each comes by up to three nodes */
#define YR_MEET_SIGNALS_BURST 60    /* signals looked at at once ... */
#define YR_MEET_SIGNALS_RATE  20    /* ... then so many a second: 100 hints and one AEAD each */
#define YR_MEET_POKES_MAX     16    /* packets that open our NAT and wait to leave ... */
#define YR_MEET_POKE_MAX      64    /* ... and their bytes: message 2 of a first contact */
#define YR_DHT_KEPT_MAX       32    /* nodes kept over a restart: one of them will be there */
#define YR_DHT_SAVE_S         1800  /* ... written so often: a crash loses half an hour */
#define YR_DHT_TOKEN_S        300   /* a new secret; tokens of the one before are still good */

#define YR_AGE_LOGN          18  /* work factor of a backup: 256 MiB, about a second */
#define YR_AGE_LOGN_MAX      22  /* ... of one that is read: 4 GiB, as age itself allows */
#define YR_AGE_FILE_HEAD_MAX 256 /* bytes of an age file before its first chunk */

#define YR_ROW_MAX       65536  /* plaintext of one stored row */
#define YR_KEY_MAX       48     /* bytes of a stored key */
#define YR_OWNER_MAX     64     /* bytes of what a row belongs to, before it is hashed */
#define YR_RECORD_MAX    22000  /* bytes of a message's row */
#define YR_CONV_MAX      4096   /* bytes of a conversation's row */
#define YR_EVENTS_KEPT   100000 /* events that can be replayed */
#define YR_CLOCK_SKEW_MS 120000 /* how far a received clock moves our own */

#endif
