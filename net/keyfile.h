/* net/keyfile.h: the two key files on disk, vault.key and shred.key (B.11).  Their bytes are
 * core/crypto/vault.h's.
 *
 * A file appears whole or not at all: it is written under another name, made durable and linked.
 * Reading makes durable what is read, for a process may have been killed between writing and
 * syncing, and rows are about to depend on it.  A file or link that is not ours alone (owner, mode
 * beyond 0600, not a plain file) is refused.  All calls block. */
#ifndef YR_KEYFILE_H
#define YR_KEYFILE_H

#include "core/crypto/vault.h"

/** Read vault.key.  *len: its length.
 *  Errors: YR_ENOENT; YR_EDENIED; YR_ECORRUPT: longer than any we write, or empty; YR_EIO. */
YR_MUST_USE enum yr_err yr_keyfile_read_vault(const char *path, uint8_t out[YR_VAULT_FILE_MAX],
                                              size_t *len);
/** Make vault.key, durable on return, mode 0600.  Never overwrites.
 *  len: 1..YR_VAULT_FILE_MAX.  One process at a time (the profile's lock).
 *  Errors: YR_EEXIST; YR_EDENIED; YR_ENOSPC; YR_ENOENT: no such folder; YR_EIO. */
YR_MUST_USE enum yr_err yr_keyfile_make_vault(const char *path, const uint8_t *bytes, size_t len);

/** Read both slots of shred.key.
 *  Errors: YR_ENOENT; YR_EDENIED; YR_ECORRUPT: not of our length; YR_EIO. */
YR_MUST_USE enum yr_err yr_keyfile_read_shred(const char *path, uint8_t out[YR_SHRED_FILE_LEN]);
/** Write one slot (0 or 1) in place, durable on return; makes the file if there is none.
 *  Errors: YR_EDENIED; YR_ECORRUPT: a file not of our length is there, nothing written; YR_ENOSPC;
 *  YR_ENOENT: no such folder; YR_EIO. */
YR_MUST_USE enum yr_err yr_keyfile_write_slot(const char *path, unsigned slot,
                                              const uint8_t bytes[YR_SHRED_SLOT_LEN]);

#endif
