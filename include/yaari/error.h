/* error.h: every error the library returns, declared once. */
#ifndef YAARI_ERROR_H
#define YAARI_ERROR_H

#include "yaari/api.h"

/*    X(NAME, sentence) */
#define YR_ERR_MAP(X)                                               \
    X(OK, "no error")                                               \
    X(ENOMEM, "out of memory")                                      \
    X(EIO, "input or output failed")                                \
    X(ENOSPC, "no space left on the device")                        \
    X(EFULL, "a limit is reached")                                  \
    X(ESIZE, "too long or too short")                               \
    X(EPROTO, "malformed data")                                     \
    X(EAUTH, "authentication failed")                               \
    X(ECORRUPT, "a stored row is damaged")                          \
    X(EINVAL, "not a valid value")                                  \
    X(ENOENT, "no such thing")                                      \
    X(ENOFRIEND, "no such friend")                                  \
    X(EEXIST, "it exists already")                                  \
    X(ELOCKED, "the vault is locked")                               \
    X(ENOID, "there is no identity yet")                            \
    X(EEXPIRED, "the invite has expired")                           \
    X(ESPENT, "the invite has been used")                           \
    X(EREVOKED, "the invite was revoked")                           \
    X(EOWN, "the invite is one's own")                              \
    X(EDENIED, "not allowed")                                       \
    X(ERETIRED, "this copy was restored elsewhere and has stopped") \
    X(EAGAIN, "not now, try again")                                 \
    X(EVERSION, "a version that is not understood")

enum yr_err {
#define X(name, sentence) YR_##name,
    YR_ERR_MAP(X)
#undef X
        YR_ERR_COUNT
};

/** The sentence of an error: a constant, never NULL, without a full stop. */
YR_API const char *yr_strerror(enum yr_err err);

/** The name of an error without its prefix ("ENOMEM"): a constant, never NULL. */
YR_API const char *yr_errname(enum yr_err err);

#endif
