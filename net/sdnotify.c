#include "net/sdnotify.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static void notify(const char *text)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    const size_t len = path != NULL ? strlen(path) : 0;
    int fd;

    if (len < 2 || len >= sizeof to.sun_path || (path[0] != '/' && path[0] != '@'))
        return;
    memcpy(to.sun_path, path, len);
    if (path[0] == '@')
        to.sun_path[0] = '\0'; // the abstract namespace
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    // Never waits: a manager that does not read must not stop a messenger.
    (void)!sendto(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&to,
                  (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
    close(fd);
}

static void notify_status(const char *before, const char *status)
{
    char text[512];

    // One line: a newline would begin a variable of its own.
    snprintf(text, sizeof text, "%sSTATUS=%.400s", before, status);
    text[strlen(before) + strcspn(text + strlen(before), "\n")] = '\0';
    notify(text);
}

void yr_sdnotify_ready(const char *status)
{
    if (status == NULL)
        notify("READY=1");
    else
        notify_status("READY=1\n", status);
}

void yr_sdnotify_status(const char *status)
{
    notify_status("", status);
}

void yr_sdnotify_reloading(void)
{
    struct timespec t;
    char text[64];

    clock_gettime(CLOCK_MONOTONIC, &t);
    snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%lld",
             (long long)t.tv_sec * 1000000 + t.tv_nsec / 1000);
    notify(text);
}

void yr_sdnotify_stopping(void)
{
    notify("STOPPING=1");
}

void yr_sdnotify_watchdog(void)
{
    notify("WATCHDOG=1");
}

uint64_t yr_sdnotify_watchdog_ms(void)
{
    const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
    char *end = NULL;

    if (usec == NULL || (pid != NULL && strtol(pid, NULL, 10) != (long)getpid()))
        return 0; // meant for another process, whose environment we inherited
    const unsigned long long n = strtoull(usec, &end, 10);
    return *usec == '\0' || *end != '\0' || n > UINT64_MAX / 2 ? 0 : (uint64_t)n / 2000;
}

bool yr_ready_fd(int fd)
{
    ssize_t done;

    do
        done = write(fd, "\n", 1);
    while (done < 0 && errno == EINTR);
    close(fd);
    return done == 1;
}
