/* net/upnp.h: one port mapping by UPnP, in a process of its own (net/upnp/helper.c says why).
 *
 * What comes back is believed as far as its form goes: the gateway may have put it there. */
#ifndef YR_UPNP_H
#define YR_UPNP_H

#include <uv.h>

#include "yaari/error.h"

#define YR_UPNP_URL      256   /* bytes of a description's URL and a NUL */
#define YR_UPNP_LINE_MAX 512   /* bytes the process may say */
#define YR_UPNP_MS       20000 /* it is ended then */
#define YR_UPNP_LAST_MS  2000  /* ... when we want to close */

struct yr_upnp_answer {
    bool mapped, deleted;
    struct yr_addr outside; /* mapped: what others reach; family 4 */
    uint32_t lifetime_s;    /* mapped; 0: for ever */
    char url[YR_UPNP_URL];  /* mapped: for the next time */
    char why[96];           /* neither: a sentence without a full stop */
};

/** Total: what is no line of the process is an answer with a reason, too. */
void yr_upnp_parse(struct yr_upnp_answer *out, const char *line, size_t len);

struct yr_upnp_ask {
    uv_loop_t *loop;
    const char *program;                 /* all borrowed for the call */
    const struct yr_addr *gateway, *own; /* IPv4; own: with the port that is to be mapped */
    uint16_t outside;                    /* port wished for, or to be deleted */
    uint32_t lifetime_s;
    const char *url; /* "": not known yet; needed to delete */
    bool erase;
    void (*on_answer)(void *ctx, const struct yr_upnp_answer *answer); /* lent for the call */
    void *ctx;
};
struct yr_upnp;

/** Start the process.  *out: until on_answer comes, for yr_upnp_hurry.
 *  Errors: YR_ENOENT: there is no such program; YR_EIO; YR_ENOMEM. */
YR_MUST_USE enum yr_err yr_upnp_start(struct yr_upnp **out, const struct yr_upnp_ask *ask);
/** It has `ms` more; 0: none.  The answer comes all the same. */
void yr_upnp_hurry(struct yr_upnp *job, uint64_t ms);

/** The program beside the running one (a build), or in ../libexec/yaari of it.  false: neither. */
bool yr_upnp_find(char *out, size_t cap);

#endif
