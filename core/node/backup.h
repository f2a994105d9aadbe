/* core/node/backup.h: a record of a backup, decoded.  Private to core/node. */
#ifndef YR_NODE_BACKUP_H
#define YR_NODE_BACKUP_H

#include "core/store/rows.h"
#include "core/wire/value.h"
#include "yaari/backup.h"

enum yr_record_kind { YR_RECORD_HEAD = 1, YR_RECORD_ROW = 2, YR_RECORD_END = 3 };

#define YR_RECORD_KEYS 8

/** The values of keys it has, lent from the source; of a row: its table. */
struct yr_backup_record {
    enum yr_record_kind kind;
    bool has[YR_RECORD_KEYS];
    struct yr_value values[YR_RECORD_KEYS];
    enum yr_table table;
};

/** Total: form, and that all values are there.  Errors: YR_EPROTO; YR_EVERSION. */
YR_MUST_USE enum yr_err yr_backup_decode(struct yr_backup_record *out, const uint8_t *src,
                                         size_t len);
/** Is it the next one?  Errors, after which *info is as it was: YR_EPROTO. */
YR_MUST_USE enum yr_err yr_backup_follow(struct yr_backup_info *info,
                                         const struct yr_backup_record *record);

/** What is on disk of ourselves.  Secret. */
struct yr_self_row {
    uint8_t root[32], device[32];
    uint32_t gen;
    yr_ms created_ms;
    char nick[YR_NICK_MAX + 1], status[YR_STATUS_MAX + 1];
};
#define YR_SELF_ROW_VERSION 1
#define YR_SELF_ROW_KEY     "identity"
/** Errors: YR_ENOENT: there is no identity; YR_ECORRUPT; of the store. */
YR_MUST_USE enum yr_err yr_self_read(struct yr_rows *rows, struct yr_self_row *out);

#endif
