#include "net/backup_file.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "core/base/base.h"
#include "core/crypto/kdf.h"
#include "net/random.h"

static const char magic[] = "yaari backup\n";
#define MAGIC_LEN (sizeof magic - 1)

/* ---- out ---- */

static enum yr_err write_all(struct yr_backup_out *out, const uint8_t *bytes, size_t len,
                             struct yr_net_fail *fail)
{
    out->bytes += len;
    while (len > 0) {
        const ssize_t n = write(out->fd, bytes, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return yr_net_fail(fail, yr_errno_err(errno), errno, "cannot write the backup");
        bytes += n;
        len -= (size_t)n;
    }
    return YR_OK;
}

static enum yr_err seal(struct yr_backup_out *out, bool last, struct yr_net_fail *fail)
{
    const size_t len = out->fill;

    yr_age_seal_chunk(&out->age, out->chunk, out->chunk, len, last);
    out->fill = 0;
    return write_all(out, out->chunk, len + YR_AGE_OVERHEAD, fail);
}

static enum yr_err add(struct yr_backup_out *out, const void *src, size_t len,
                       struct yr_net_fail *fail)
{
    const uint8_t *at = src;
    enum yr_err err;

    while (len > 0) {
        const size_t n = YR_MIN(len, YR_AGE_CHUNK - out->fill);

        memcpy(out->chunk + out->fill, at, n);
        out->fill += n;
        at += n;
        len -= n;
        // A full one is sealed when there is more to come: the last must say that it is.
        if (out->fill == YR_AGE_CHUNK && len > 0 && (err = seal(out, false, fail)) != YR_OK)
            return err;
    }
    return YR_OK;
}

enum yr_err yr_backup_out_begin(struct yr_backup_out *out, int fd, const char *passphrase,
                                size_t passphrase_len, struct yr_net_fail *fail)
{
    uint8_t head[YR_AGE_HEAD_MAX];
    size_t len;
    enum yr_err err;

    memset(out, 0, sizeof *out);
    out->fd = fd;
    err = yr_age_seal_begin(&out->age, head, &len, passphrase, passphrase_len, YR_AGE_LOGN,
                            yr_rng_system());
    if (err != YR_OK)
        return yr_net_fail(fail, err, 0, "no memory to seal the backup with its passphrase");
    if ((err = write_all(out, head, len, fail)) != YR_OK)
        return err;
    return add(out, magic, MAGIC_LEN, fail);
}

enum yr_err yr_backup_out_put(struct yr_backup_out *out, const uint8_t *record, size_t len,
                              struct yr_net_fail *fail)
{
    const uint8_t head[4] = {(uint8_t)len, (uint8_t)(len >> 8), (uint8_t)(len >> 16), 0};
    enum yr_err err;

    YR_ASSERT(len <= YR_BACKUP_RECORD_MAX);
    // As in add(), for what was there before: a chunk that is full is not the last.
    if (out->fill == YR_AGE_CHUNK && (err = seal(out, false, fail)) != YR_OK)
        return err;
    yr_hash2(out->hash, out->hash, sizeof out->hash, record, len);
    if ((err = add(out, head, sizeof head, fail)) != YR_OK)
        return err;
    if (out->fill == YR_AGE_CHUNK && (err = seal(out, false, fail)) != YR_OK)
        return err;
    return add(out, record, len, fail);
}

enum yr_err yr_backup_out_end(struct yr_backup_out *out, struct yr_net_fail *fail)
{
    enum yr_err err = seal(out, true, fail);

    if (err == YR_OK && fsync(out->fd) != 0 && errno != EINVAL && errno != EROFS)
        err = yr_net_fail(fail, yr_errno_err(errno), errno, "cannot write the backup");
    return err;
}

/* ---- in ---- */

// Have at least `want` bytes of the file, or all that are left.
static enum yr_err fetch(struct yr_backup_in *in, size_t want, struct yr_net_fail *fail)
{
    while (in->raw_len < want) {
        const ssize_t n = read(in->fd, in->raw + in->raw_len, want - in->raw_len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return yr_net_fail(fail, yr_errno_err(errno), errno, "cannot read the backup");
        if (n == 0)
            break;
        in->raw_len += (size_t)n;
        in->bytes += (size_t)n;
    }
    return YR_OK;
}

static void drop(struct yr_backup_in *in, size_t len)
{
    in->raw_len -= len;
    memmove(in->raw, in->raw + len, in->raw_len);
}

static enum yr_err damaged(struct yr_net_fail *fail)
{
    return yr_net_fail(fail, YR_EPROTO, 0, "the backup is damaged, or cut short");
}

static enum yr_err next_chunk(struct yr_backup_in *in, struct yr_net_fail *fail)
{
    const size_t full = YR_AGE_CHUNK + YR_AGE_OVERHEAD;
    size_t len;
    enum yr_err err;

    if (in->last)
        return damaged(fail);
    if ((err = fetch(in, full + 1, fail)) != YR_OK)
        return err;
    in->last = in->raw_len <= full;
    len = YR_MIN(in->raw_len, full);
    if (len < YR_AGE_OVERHEAD ||
        yr_age_open_chunk(&in->age, in->chunk, in->raw, len, in->last) != YR_OK)
        return damaged(fail);
    drop(in, len);
    in->at = 0;
    in->have = len - YR_AGE_OVERHEAD;
    return YR_OK;
}

static enum yr_err take(struct yr_backup_in *in, void *dst, size_t len, struct yr_net_fail *fail)
{
    uint8_t *to = dst;
    enum yr_err err;

    while (len > 0) {
        const size_t n = YR_MIN(len, in->have - in->at);

        if (n == 0 && (err = next_chunk(in, fail)) != YR_OK)
            return err;
        if (n == 0)
            continue;
        memcpy(to, in->chunk + in->at, n);
        in->at += n;
        to += n;
        len -= n;
    }
    return YR_OK;
}

static enum yr_err worded(enum yr_err err, struct yr_net_fail *fail)
{
    switch ((int)err) {
    case YR_EAUTH: return yr_net_fail(fail, err, 0, "wrong passphrase");
    case YR_ENOMEM: return yr_net_fail(fail, err, 0, "no memory to try the passphrase");
    case YR_ESIZE:
        return yr_net_fail(fail, err, 0, "its passphrase takes more work to try than ours do");
    case YR_EVERSION:
        return yr_net_fail(fail, err, 0, "it is an age file, but not one for a passphrase");
    default: return yr_net_fail(fail, YR_EPROTO, 0, "it is no backup: not an age file");
    }
}

enum yr_err yr_backup_in_begin(struct yr_backup_in *in, int fd, const char *passphrase,
                               size_t passphrase_len, struct yr_net_fail *fail)
{
    char begin[MAGIC_LEN];
    size_t used;
    enum yr_err err;

    memset(in, 0, sizeof *in);
    in->fd = fd;
    if ((err = fetch(in, YR_AGE_FILE_HEAD_MAX, fail)) != YR_OK)
        return err;
    err = yr_age_open_begin(&in->age, in->raw, in->raw_len, &used, passphrase, passphrase_len);
    if (err != YR_OK)
        return worded(err, fail);
    drop(in, used);
    if ((err = take(in, begin, sizeof begin, fail)) != YR_OK)
        return err;
    if (memcmp(begin, magic, MAGIC_LEN) != 0)
        return yr_net_fail(fail, YR_EPROTO, 0, "it is an age file, but no backup of yaari");
    return YR_OK;
}

enum yr_err yr_backup_in_next(struct yr_backup_in *in, uint8_t *dst, size_t *len,
                              struct yr_net_fail *fail)
{
    uint8_t head[4];
    size_t n;
    enum yr_err err;

    if (in->info.ended)
        return in->last && in->at == in->have ? YR_ENOENT : damaged(fail);
    if ((err = take(in, head, sizeof head, fail)) != YR_OK)
        return err;
    n = head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16 | (size_t)head[3] << 24;
    if (n > YR_BACKUP_RECORD_MAX)
        return damaged(fail);
    if ((err = take(in, dst, n, fail)) != YR_OK)
        return err;
    err = yr_backup_check(&in->info, dst, n);
    if (err == YR_EVERSION)
        return yr_net_fail(fail, err, 0, "the backup is of a later version of yaari");
    if (err != YR_OK)
        return damaged(fail);
    yr_hash2(in->hash, in->hash, sizeof in->hash, dst, n);
    *len = n;
    return YR_OK;
}
