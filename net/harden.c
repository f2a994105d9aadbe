#include <sys/prctl.h>
#include <sys/resource.h>

#include "yaari/host.h"

void yr_harden(void)
{
#ifndef YAARI_SANITIZED
    const struct rlimit none = {0, 0};

    (void)setrlimit(RLIMIT_CORE, &none);
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
}
