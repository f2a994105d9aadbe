/* core/contact/contacts.h: how two strangers with an invite become friends: Noise XKpsk0 in small
 * packets of its own.  docs/protocol.md "First contact" (B.5).
 *
 *   inviter   OPEN --good m1, clock durable--> answered (10 s) --good m3, pair durable--> USED
 *   invitee   SEARCHING --m1 to every candidate, m2 back, pair durable--> m3 --verdict--> gone
 *
 * Only the verdict makes the invitee's friend: it carries the certificate that binds the device key
 * to the identity which the link names.  A link alone proves the device key, and whoever made the
 * link could have put his own beside anybody's identity.
 *
 * Two who add each other at once agree on one pair without another packet: the invite of the lower
 * identity counts.
 *
 * Nothing is answered to anyone who does not hold the invite.  Keys of a spent or revoked invite
 * live until its expiry, so that a second use gets a refusal and is noticed. */
#ifndef YR_CONTACTS_H
#define YR_CONTACTS_H

#include "core/contact/invite.h"
#include "core/crypto/identity.h"
#include "core/link/links.h"
#include "core/store/rows.h"
#include "core/wire/messages.h"
#include "yaari/node.h"

/** A new friend, as both ends know them after Noise message 2 (invitee) or 3 (inviter). */
struct yr_contact {
    uint8_t id[32], dev[32];
    uint32_t gen;
    uint8_t pair[32];               /* PAIR_0 */
    uint8_t exporter[32], hash[64]; /* of the handshake: the first ratchet session starts here */
    bool inviter;                   /* we are */
    struct yr_keypair ratchet;      /* inviter: its ephemeral of message 2, the first ratchet key */
    uint8_t ratchet_remote[32];     /* invitee: the same, public */
    uint32_t day;                   /* of message 1, minus 1: where the time keys begin */
    yr_us begun_us;                 /* when message 1 came (inviter), message 2 (invitee) */
    struct yr_hello hello;          /* inviter: what message 3 said; lent for the call */
    char petname[YR_NICK_MAX + 1];  /* chosen beforehand, may be empty */
    char invite_id[YR_INVITE_ID_LEN + 1];
    bool verified; /* the invitee scanned it from the inviter's screen */
    struct yr_addr addr;
};

struct yr_contact_ops {
    /** Our own words for FC_FIN and FC_DATA: nick, certificate, a prekey for `id`.  What it points
     *  to lives until the next call.  Errors: YR_ENOMEM. */
    enum yr_err (*hello)(void *ctx, const uint8_t id[32], struct yr_hello *out);
    /** Inviter: message 3 was good.  Invitee: message 2 was good, message 3 is about to leave.
     *  Store the pair in the present transaction.  The invitee's friend counts only from `verdict`
     *  on.  Errors: YR_EFULL (refused with reason 3); YR_EDENIED (refused with reason 1); others:
     *  stay silent. */
    enum yr_err (*met)(void *ctx, struct yr_now now, const struct yr_contact *contact);
    /** Invitee: the inviter answered.  verdict 1: friends; else undo what `met` stored. */
    void (*verdict)(void *ctx, struct yr_now now, const uint8_t inviter[32],
                    const struct yr_hello *hello, const struct yr_addr *from);
    /** An invite or add changed state: tell the user (its rows are in the present transaction). */
    void (*changed)(void *ctx, struct yr_now now, const char *invite_id);
    void *ctx;
};

struct yr_contacts;

YR_MUST_USE enum yr_err yr_contacts_new(struct yr_contacts **out, struct yr_mem *mem,
                                        struct yr_rows *rows, const struct yr_rng *rng,
                                        const struct yr_contact_ops *ops);
void yr_contacts_free(struct yr_contacts *contacts);
/** Read invites and adds from their rows; replaces what is in memory. */
YR_MUST_USE enum yr_err yr_contacts_start(struct yr_contacts *contacts, struct yr_now now,
                                          const struct yr_identity *self);
/** Forget what is in memory (locked, or after a failed commit). */
void yr_contacts_reset(struct yr_contacts *contacts);

/** A new invite in the present transaction.  Errors: YR_EFULL at YR_INVITES_MAX; YR_ESIZE;
 * YR_EINVAL (expiry not within 1 s .. 366 days). */
YR_MUST_USE enum yr_err yr_contacts_invite(struct yr_contacts *contacts, struct yr_now now,
                                           yr_ms expires_ms, const char *petname,
                                           size_t petname_len, const struct yr_addr *hints,
                                           size_t hint_count, char id[YR_INVITE_ID_LEN + 1]);
/** Errors: YR_ENOENT; YR_ESPENT when it is not open. */
YR_MUST_USE enum yr_err yr_contacts_revoke(struct yr_contacts *contacts, struct yr_now now,
                                           const char *id, size_t len);
/** Start adding a link.  Errors: YR_EPROTO, YR_EVERSION, YR_EEXPIRED, YR_EOWN, YR_ESPENT,
 *  YR_EREVOKED, YR_EFULL, YR_ESIZE.  The same link again goes on with the add there is (YR_OK). */
YR_MUST_USE enum yr_err yr_contacts_add(struct yr_contacts *contacts, struct yr_now now,
                                        const char *link, size_t link_len, const char *petname,
                                        size_t petname_len, const char *greeting,
                                        size_t greeting_len, bool verified,
                                        char id[YR_INVITE_ID_LEN + 1], uint8_t inviter[32]);
/** Stop trying.  Errors: YR_ENOENT. */
YR_MUST_USE enum yr_err yr_contacts_cancel(struct yr_contacts *contacts, struct yr_now now,
                                           const char *id, size_t len, uint8_t inviter[32]);
/** A friend of this identity is linked: adds that still look for it have nothing left to do. */
void yr_contacts_linked(struct yr_contacts *contacts, struct yr_now now, const uint8_t id[32]);
/** The first ratchet message of this invitee came, so it has the verdict on disk: from now on no
 *  new handshake on its invite replaces the pair. */
void yr_contacts_settled(struct yr_contacts *contacts, const uint8_t id[32]);
/** This friend is removed: an invite it used does not bring it back. */
void yr_contacts_removed(struct yr_contacts *contacts, const uint8_t id[32]);

/** A configured peer's address: every add is tried there too.  Replaces the list. */
void yr_contacts_peers(struct yr_contacts *contacts, struct yr_now now, const struct yr_addr *addrs,
                       size_t count);

/** A packet whose first byte is 0x05..0x08. */
void yr_contacts_recv(struct yr_contacts *contacts, struct yr_now now, const struct yr_addr *from,
                      const uint8_t *packet, size_t len);
size_t yr_contacts_poll(struct yr_contacts *contacts, struct yr_addr *to, uint8_t *buf, size_t cap);
void yr_contacts_tick(struct yr_contacts *contacts, struct yr_now now);
yr_us yr_contacts_deadline(const struct yr_contacts *contacts);

/** LAN beacon: the i-th open invite's or add's hint key; false past the end. */
bool yr_contacts_lan_key(const struct yr_contacts *contacts, size_t i, uint8_t key[16]);
/** Someone with the i-th key was heard at `from`.  true: an own beacon helps them. */
bool yr_contacts_lan_heard(struct yr_contacts *contacts, struct yr_now now, size_t i,
                           const struct yr_addr *from);

/* ---- the DHT ---- */

/** An invite that has not expired, or an add. */
struct yr_contact_rv {
    char id[YR_INVITE_ID_LEN + 1];
    bool add;              /* we look for the inviter; else we are the inviter ... */
    bool open;             /* ... and leave word while it is open; an add is */
    uint8_t f_rv[32];      /* secret */
    uint32_t off;          /* of its epochs, s */
    uint8_t hint[16];      /* secret: of signals, with SipHash over their nonce */
    uint8_t signal[2][32]; /* secret: as struct yr_invite_keys */
};
/** The next one from *at on, which begins at 0; false: no more.  Wipe *out. */
bool yr_contacts_rv_next(const struct yr_contacts *contacts, struct yr_now now, size_t *at,
                         struct yr_contact_rv *out);
/** Where the DHT says the inviter of this add is: replaces what it said before; it is tried at
 *  once.  way: family 0, or YR_FAMILY_SIGNAL.  Errors: YR_ENOENT: no such add; YR_EAUTH: the
 *  certificate is not the inviter's. */
YR_MUST_USE enum yr_err yr_contacts_found(struct yr_contacts *contacts, struct yr_now now,
                                          const char *id, const uint8_t cert[YR_CERT_LEN],
                                          const struct yr_addr *addrs, size_t count,
                                          const struct yr_addr *way);

bool yr_contacts_invite_at(const struct yr_contacts *contacts, size_t i,
                           struct yr_invite_info *out);
bool yr_contacts_add_at(const struct yr_contacts *contacts, size_t i, struct yr_add_info *out);
struct yr_counter yr_contacts_counter(const struct yr_contacts *contacts, size_t i);

#endif
