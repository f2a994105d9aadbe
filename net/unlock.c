#include "net/unlock.h"

#include <errno.h>
#include <unistd.h>

#include "core/base/base.h"
#include "core/limits.h"
#include "net/keyfile.h"
#include "net/mem.h"
#include "net/random.h"
#include "yaari/host.h"

enum yr_err yr_unlock_init(struct yr_unlock *job, const char *passphrase, size_t len)
{
    *job = (struct yr_unlock){0};
    if (passphrase != NULL && (len == 0 || len > YR_PASSPHRASE_MAX))
        return YR_ESIZE;
    job->vk = yr_locked_alloc(32);
    job->passphrase = passphrase != NULL ? yr_locked_alloc(len) : NULL;
    if (job->vk == NULL || (passphrase != NULL && job->passphrase == NULL)) {
        yr_unlock_clear(job);
        return YR_ENOMEM;
    }
    if (passphrase != NULL)
        memcpy(job->passphrase, passphrase, len);
    job->passphrase_len = len;
    return YR_OK;
}

void yr_unlock_clear(struct yr_unlock *job)
{
    yr_locked_free(job->vk);
    yr_locked_free(job->passphrase);
    *job = (struct yr_unlock){0};
}

static enum yr_err read_vault(const struct yr_unlock *job, struct yr_vault_file *file,
                              struct yr_net_fail *fail)
{
    uint8_t bytes[YR_VAULT_FILE_MAX];
    size_t len;
    enum yr_err err = yr_keyfile_read_vault(job->path, bytes, &len);

    if (err != YR_OK) {
        yr_net_fail(fail, err, 0, "cannot read %s: %s", job->path, yr_strerror(err));
    } else if ((err = yr_vault_decode(file, bytes, len)) != YR_OK) {
        err = err == YR_EPROTO ? YR_ECORRUPT : err;
        yr_net_fail(fail, err, 0,
                    err == YR_EVERSION ? "%s is of a newer version than this program"
                    : err == YR_EINVAL ? "%s has a passphrase hash outside of what is allowed"
                                       : "%s is damaged",
                    job->path);
    }
    explicit_bzero(bytes, sizeof bytes);
    return err;
}

bool yr_unlock_is_slow(const struct yr_unlock *job)
{
    struct yr_vault_file file;
    struct yr_net_fail fail;
    bool slow = job->passphrase != NULL;

    if (slow && !job->make) {
        slow = read_vault(job, &file, &fail) == YR_OK && file.has_passphrase;
        explicit_bzero(&file, sizeof file);
    }
    return slow;
}

/** KEK into locked memory.  Errors: YR_ENOMEM. */
static enum yr_err hash(const struct yr_unlock *job, const struct yr_pwhash *pwhash, uint8_t **kek,
                        struct yr_net_fail *fail)
{
    enum yr_err err = YR_ENOMEM;

    *kek = yr_locked_alloc(32);
    if (*kek != NULL)
        err = yr_vault_kek(*kek, pwhash, job->passphrase, job->passphrase_len);
    if (err != YR_OK)
        yr_net_fail(fail, err, 0, "not enough memory to hash the passphrase (%llu MiB)",
                    (unsigned long long)pwhash->mem_bytes >> 20);
    return err;
}

static uint64_t hash_bytes(bool small)
{
    const long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);

    if (small || pages <= 0 || size <= 0 || (uint64_t)pages * (uint64_t)size < (1ull << 30))
        return (uint64_t)YR_PWHASH_MIB_MIN << 20;
    return (uint64_t)YR_PWHASH_MIB << 20;
}

static enum yr_err make(struct yr_unlock *job, struct yr_net_fail *fail)
{
    struct yr_pwhash pwhash = {.ops = YR_PWHASH_OPS, .mem_bytes = hash_bytes(job->small_hash)};
    struct yr_vault_file file;
    uint8_t bytes[YR_VAULT_FILE_MAX], *kek = NULL;
    enum yr_err err = YR_OK;
    size_t len;

    yr_random(yr_rng_system(), pwhash.salt, sizeof pwhash.salt);
    if (job->passphrase != NULL)
        err = hash(job, &pwhash, &kek, fail);
    if (err == YR_OK) {
        yr_vault_make(&file, job->vk, &pwhash, kek, yr_rng_system());
        yr_vault_encode(&file, bytes, &len);
        err = yr_keyfile_make_vault(job->path, bytes, len);
        if (err != YR_OK)
            yr_net_fail(fail, err, 0, "cannot make %s: %s", job->path, yr_strerror(err));
        explicit_bzero(&file, sizeof file);
        explicit_bzero(bytes, sizeof bytes);
    }
    yr_locked_free(kek);
    return err;
}

static enum yr_err unlock(struct yr_unlock *job, struct yr_net_fail *fail)
{
    struct yr_vault_file file;
    uint8_t *kek = NULL;
    enum yr_err err = read_vault(job, &file, fail);

    if (err != YR_OK)
        return err;
    job->without = !file.has_passphrase;
    if (file.has_passphrase && job->passphrase == NULL)
        err = yr_net_fail(fail, YR_ELOCKED, 0, "%s wants a passphrase", job->path);
    else if (file.has_passphrase)
        err = hash(job, &file.pwhash, &kek, fail);
    if (err == YR_OK && (err = yr_vault_unlock(job->vk, &file, kek)) != YR_OK)
        yr_net_fail(fail, err, 0, "wrong passphrase for %s", job->path);
    explicit_bzero(&file, sizeof file);
    yr_locked_free(kek);
    return err;
}

void yr_unlock_run(struct yr_unlock *job)
{
    job->fail = (struct yr_net_fail){0};
    job->without = job->passphrase == NULL;
    job->fail.err = job->make ? make(job, &job->fail) : unlock(job, &job->fail);
}
