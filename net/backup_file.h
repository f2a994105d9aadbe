/* net/backup_file.h: a backup as a file: records inside an age file (docs/protocol.md "Backup").
 * All of it blocks; a buffer of one chunk is all that is held. */
#ifndef YR_BACKUP_FILE_H
#define YR_BACKUP_FILE_H

#include "core/crypto/age.h"
#include "net/fail.h"
#include "yaari/backup.h"

/** One that is written.  Secret. */
struct yr_backup_out {
    int fd;
    struct yr_age age;
    uint8_t hash[32]; /* of all records so far */
    uint64_t bytes;   /* written */
    size_t fill;
    uint8_t chunk[YR_AGE_CHUNK + YR_AGE_OVERHEAD];
};

/** fd: borrowed, empty, for writing.  Errors, worded: YR_ENOMEM; YR_ENOSPC; YR_EIO. */
YR_MUST_USE enum yr_err yr_backup_out_begin(struct yr_backup_out *out, int fd,
                                            const char *passphrase, size_t passphrase_len,
                                            struct yr_net_fail *fail);
YR_MUST_USE enum yr_err yr_backup_out_put(struct yr_backup_out *out, const uint8_t *record,
                                          size_t len, struct yr_net_fail *fail);
/** After the last record: durable on return. */
YR_MUST_USE enum yr_err yr_backup_out_end(struct yr_backup_out *out, struct yr_net_fail *fail);

/** One that is read.  Secret. */
struct yr_backup_in {
    int fd;
    struct yr_age age;
    uint8_t hash[32];
    uint64_t bytes; /* read */
    struct yr_backup_info info;
    size_t at, have; /* opened bytes of the chunk */
    bool last;
    size_t raw_len;
    uint8_t raw[YR_AGE_FILE_HEAD_MAX + YR_AGE_CHUNK + YR_AGE_OVERHEAD + 1];
    uint8_t chunk[YR_AGE_CHUNK + YR_AGE_OVERHEAD];
};

/** fd: borrowed, at its beginning.  Errors, worded: YR_EAUTH: another passphrase; YR_EPROTO: no age
 *  file; YR_EVERSION: one that no passphrase opens; YR_ESIZE: its passphrase is too slow to try;
 *  YR_EIO; YR_ENOMEM. */
YR_MUST_USE enum yr_err yr_backup_in_begin(struct yr_backup_in *in, int fd, const char *passphrase,
                                           size_t passphrase_len, struct yr_net_fail *fail);
/** The next record, into dst of YR_BACKUP_RECORD_MAX bytes; it has been looked at.
 *  Errors: YR_ENOENT: that was the last, and nothing is missing; worded: YR_EPROTO: damaged, cut
 *  short or no backup; YR_EVERSION; YR_EIO. */
YR_MUST_USE enum yr_err yr_backup_in_next(struct yr_backup_in *in, uint8_t *dst, size_t *len,
                                          struct yr_net_fail *fail);

#endif
