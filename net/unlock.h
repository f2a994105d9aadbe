/* net/unlock.h: from vault.key and a passphrase to the vault key (B.11).  Blocks: hashing takes 0.4
 * s and 256 MiB, and what is made is made durable; the host runs it on a worker thread. */
#ifndef YR_UNLOCK_H
#define YR_UNLOCK_H

#include "core/crypto/vault.h"
#include "net/fail.h"

/** One attempt.  All secrets are in locked memory. */
struct yr_unlock {
    const char *path; /* of vault.key; borrowed */
    bool make;        /* there is no vault yet: make one */
    bool small_hash;  /* the floor of the hash's memory, for a vault that is made */
    char *passphrase; /* NULL: none */
    size_t passphrase_len;
    uint8_t *vk;             /* out: 32 bytes */
    bool without;            /* out: the vault has no passphrase */
    struct yr_net_fail fail; /* out: .err YR_OK or why not */
};

/** A passphrase is copied.  Errors: YR_ENOMEM; YR_ESIZE. */
YR_MUST_USE enum yr_err yr_unlock_init(struct yr_unlock *job, const char *passphrase, size_t len);
/** Wipes; one that was never filled but zeroed is fine. */
void yr_unlock_clear(struct yr_unlock *job);

/** Must it be hashed, that is, run on a worker?  Reads the file unless one is to be made. */
bool yr_unlock_is_slow(const struct yr_unlock *job);

/** Do it.  job->fail.err: YR_OK: *vk is the key; YR_ENOENT: no vault.key; YR_ELOCKED: it wants a
 *  passphrase; YR_EAUTH: another one; YR_ECORRUPT; YR_EVERSION; YR_EINVAL: its hash is too weak;
 *  YR_EDENIED; YR_ENOSPC; YR_EIO; YR_ENOMEM. */
void yr_unlock_run(struct yr_unlock *job);

#endif
