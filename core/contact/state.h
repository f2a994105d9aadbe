/* core/contact/state.h: what the machines of first contact share.  Private to core/contact. */
#ifndef YR_CONTACT_STATE_H
#define YR_CONTACT_STATE_H

#include "core/base/mem.h"
#include "core/contact/contacts.h"

#define VERSION     1
#define KIND_INVITE 1
#define SUITE       1
#define INIT_LEN    132
#define INIT_MAC_AT (INIT_LEN - 16)
#define RESP_LEN    (4 + 4 + 4 + 32 + 16)
#define FIN_HEAD    12
#define DATA_HEAD   8
#define M1_PAYLOAD  20 /* tai64n 12 | nonce u64 */
#define CANDIDATES  (YR_HINTS_MAX + YR_FC_FOUND_MAX + YR_RV_ADDRS_MAX + 1 + YR_PEERS_MAX)

#define INVITE_ROOM (YR_INVITES_MAX + YR_SPENT_MAX)

enum packet { FC_INIT = 0x05, FC_RESP = 0x06, FC_FIN = 0x07, FC_DATA = 0x08 };
enum verdict { REFUSED = 0, ACCEPTED = 1 };
enum reason { NO_REASON = 0, SPENT = 1, REVOKED = 2, FULL = 3 };

struct yr_fc_invite {
    bool used;
    struct yr_invite in;
    struct yr_invite_keys keys;
    char petname[YR_NICK_MAX + 1];
    yr_ms created_ms;
    enum yr_invite_state state; // EXPIRED is worked out, never stored
    bool settled;               // its friend has the verdict on disk: the pair is final
    uint8_t by_id[32], by_dev[32];
    struct yr_clock clock; // the highest message 1 has shown
    double tokens;
    yr_us tokens_at;
    yr_us expiry_us;                 // when an open one has to be looked at; YR_NEVER: told
    uint8_t seen[YR_FC_SEEN_MAX][8]; // hints of the last message 1s: a copy costs no token
    unsigned seen_count;
};

// One answered message 1, on the inviter's side.
struct yr_fc_meeting {
    bool used, done;
    unsigned fins; // message 3s read for it
    struct yr_fc_invite *invite;
    struct yr_noise noise;
    uint32_t own_index, peer_index, day;
    yr_us begun_us, until_us;
    struct yr_addr fin_from;
    uint8_t fin_hash[YR_HASH_LEN];
    uint8_t data[DATA_HEAD + YR_FC_HELLO_MAX + YR_TAG_LEN];
    size_t data_len;
};

struct yr_fc_add {
    bool used;
    struct yr_invite in;
    struct yr_invite_keys keys;
    char petname[YR_NICK_MAX + 1], greeting[YR_GREETING_MAX + 1];
    bool verified;
    yr_ms created_ms;
    enum yr_add_state state;
    enum yr_err why;
    struct yr_addr found[YR_FC_FOUND_MAX]; // heard on the LAN, newest last
    size_t found_count;
    struct yr_addr dht[YR_RV_ADDRS_MAX + 1]; // as the inviter's record says; a signal last
    size_t dht_count;
    struct yr_addr tried;
    struct yr_noise noise;
    bool asked; // message 1 is out
    uint32_t own_index, peer_index, day;
    uint8_t r2i[32];
    uint8_t fin[FIN_HEAD + 48 + YR_FC_HELLO_MAX + YR_TAG_LEN];
    size_t fin_len;
    struct yr_addr fin_to;
    unsigned tries;
    yr_us asked_us, next_us;
};

struct yr_fc_packet_out {
    struct yr_addr to;
    uint64_t token; // leaves when this is durable
    size_t len;
    uint8_t bytes[YR_DATAGRAM_MAX];
};

enum counter {
    SENT,
    DROP_FORM,
    DROP_HINT,
    DROP_MAC,
    DROP_BUCKET,
    DROP_NOISE,
    DROP_CLOCK,
    DROP_ROOM,
    COUNTERS
};

struct yr_contacts {
    struct yr_mem *mem;
    struct yr_rows *rows;
    const struct yr_rng *rng;
    struct yr_contact_ops ops;
    const struct yr_identity *self;
    struct yr_fc_invite invites[INVITE_ROOM];
    struct yr_fc_add adds[YR_ADDS_MAX];
    struct yr_fc_meeting meetings[YR_FC_MEETINGS_MAX];
    struct yr_addr peers[YR_PEERS_MAX];
    size_t peer_count;
    struct yr_fc_packet_out queue[YR_FC_QUEUE_MAX]; // in order; first queue_count are taken
    size_t queue_count;
    struct yr_clock last_clock; // of our own message 1s
    uint64_t counters[COUNTERS];
};

bool yr_fc_expired(const struct yr_invite *in, struct yr_now now);
struct yr_fc_packet_out *yr_fc_queue_packet(struct yr_contacts *c, const struct yr_addr *to,
                                            uint64_t token);
void yr_fc_queue_bytes(struct yr_contacts *c, const struct yr_addr *to, uint64_t token,
                       const uint8_t *bytes, size_t len);
void yr_fc_noise_start(struct yr_noise *noise, bool initiator, const struct yr_keypair *s,
                       const struct yr_invite *in, const struct yr_invite_keys *keys);
uint32_t yr_fc_clock_day(const struct yr_clock *clock);
void yr_fc_next_clock(struct yr_contacts *c, struct yr_now now, struct yr_clock *out);
void yr_fc_contact_keys(struct yr_contact *k, const struct yr_noise *noise);
void yr_fc_changed(struct yr_contacts *c, struct yr_now now, const char *id);
enum yr_err yr_fc_store_invite(struct yr_contacts *c, const struct yr_fc_invite *i);
enum yr_err yr_fc_store_add(struct yr_contacts *c, const struct yr_fc_add *a);
void yr_fc_end_meetings(struct yr_contacts *c, const struct yr_fc_invite *in);
void yr_fc_recv_init(struct yr_contacts *c, struct yr_now now, const struct yr_addr *from,
                     const uint8_t *packet, size_t len);
struct yr_fc_add *yr_fc_own_add(struct yr_contacts *c, const uint8_t id[32]);
void yr_fc_recv_fin(struct yr_contacts *c, struct yr_now now, const struct yr_addr *from,
                    const uint8_t *packet, size_t len);
void yr_fc_fail_add(struct yr_contacts *c, struct yr_now now, struct yr_fc_add *a, enum yr_err why);
void yr_fc_finish_add(struct yr_contacts *c, struct yr_now now, struct yr_fc_add *a);
void yr_fc_ask(struct yr_contacts *c, struct yr_now now, struct yr_fc_add *a);
void yr_fc_recv_resp(struct yr_contacts *c, struct yr_now now, const struct yr_addr *from,
                     const uint8_t *packet, size_t len);
void yr_fc_recv_data(struct yr_contacts *c, struct yr_now now, const struct yr_addr *from,
                     const uint8_t *packet, size_t len);

#endif
