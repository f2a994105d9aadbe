#include "cli/common/std_fds.h"

#include <fcntl.h>
#include <unistd.h>

bool yr_std_fds(void)
{
    for (int fd = 0; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && // the lowest that is free is this one
            open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
            return false;
    return true;
}
