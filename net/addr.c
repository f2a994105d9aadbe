#include "net/addr.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static size_t ip_len(const struct yr_addr *addr)
{
    return addr->family == 4 ? 4 : addr->family == 6 ? 16 : 0;
}

socklen_t yr_addr_to_sys(const struct yr_addr *addr, struct sockaddr_storage *out)
{
    memset(out, 0, sizeof *out);
    if (addr->family == 4) {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(addr->port)};
        memcpy(&in.sin_addr, addr->ip, 4);
        memcpy(out, &in, sizeof in);
        return sizeof in;
    }
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(addr->port)};
    memcpy(&in6.sin6_addr, addr->ip, 16);
    in6.sin6_scope_id = addr->scope;
    memcpy(out, &in6, sizeof in6);
    return sizeof in6;
}

struct yr_addr yr_addr_from_sys(const struct sockaddr *sys)
{
    struct yr_addr addr;

    memset(&addr, 0, sizeof addr);
    if (sys->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, sys, sizeof in);
        addr.family = 4;
        memcpy(addr.ip, &in.sin_addr, 4);
        addr.port = ntohs(in.sin_port);
    } else if (sys->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, sys, sizeof in6);
        addr.family = 6;
        memcpy(addr.ip, &in6.sin6_addr, 16);
        addr.port = ntohs(in6.sin6_port);
        addr.scope = yr_addr_link_local(&addr) ? in6.sin6_scope_id : 0;
    }
    return addr;
}

void yr_addr_text(char out[YR_ADDR_TEXT], const struct yr_addr *addr)
{
    char ip[INET6_ADDRSTRLEN] = "", name[IF_NAMESIZE] = "";

    if (addr->family != 4 && addr->family != 6) {
        snprintf(out, YR_ADDR_TEXT, "none");
        return;
    }
    inet_ntop(addr->family == 4 ? AF_INET : AF_INET6, addr->ip, ip, sizeof ip);
    if (addr->family == 4)
        snprintf(out, YR_ADDR_TEXT, "%s:%u", ip, addr->port);
    else if (addr->scope == 0)
        snprintf(out, YR_ADDR_TEXT, "[%s]:%u", ip, addr->port);
    else if (if_indextoname(addr->scope, name) != NULL)
        snprintf(out, YR_ADDR_TEXT, "[%s%%%s]:%u", ip, name, addr->port);
    else
        snprintf(out, YR_ADDR_TEXT, "[%s%%%u]:%u", ip, (unsigned)addr->scope, addr->port);
}

/** A decimal number of 1..10 digits up to `max`, and nothing else. */
static bool number(const char *text, uint32_t max, uint32_t *out)
{
    uint64_t n = 0;
    size_t len = strlen(text);

    if (len == 0 || len > 10)
        return false;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9')
            return false;
        n = n * 10 + (uint64_t)(*text - '0');
    }
    *out = (uint32_t)n;
    return n <= max;
}

static bool scope_of(const char *text, uint32_t *out)
{
    const unsigned index = if_nametoindex(text);

    *out = index;
    return index != 0 || (number(text, UINT32_MAX, out) && *out != 0);
}

enum yr_err yr_addr_parse(struct yr_addr *out, const char *text, uint16_t port)
{
    char copy[YR_ADDR_TEXT];
    char *ip = copy, *after = NULL, *zone = NULL;
    struct yr_addr addr;
    uint32_t n = port;

    memset(&addr, 0, sizeof addr);
    if (strlen(text) >= sizeof copy)
        return YR_EINVAL;
    strcpy(copy, text); // fits, just checked
    if (copy[0] == '[') {
        ip = copy + 1;
        char *end = strchr(copy, ']');
        if (end == NULL || (end[1] != '\0' && end[1] != ':'))
            return YR_EINVAL;
        after = end[1] == ':' ? end + 2 : NULL;
        *end = '\0';
        addr.family = 6;
    } else if (strchr(copy, ':') != strrchr(copy, ':')) {
        addr.family = 6; // "::1": more than one colon, so none of them is a port's
    } else {
        addr.family = 4;
        after = strchr(copy, ':');
        if (after != NULL)
            *after++ = '\0';
    }
    if (after != NULL && !number(after, UINT16_MAX, &n))
        return YR_EINVAL;
    addr.port = (uint16_t)n;
    if (addr.family == 6 && (zone = strchr(ip, '%')) != NULL)
        *zone++ = '\0';
    if (inet_pton(addr.family == 4 ? AF_INET : AF_INET6, ip, addr.ip) != 1)
        return YR_EINVAL;
    if (zone != NULL && (!yr_addr_link_local(&addr) || !scope_of(zone, &addr.scope)))
        return YR_EINVAL;
    *out = addr;
    return YR_OK;
}

bool yr_addr_wildcard(const struct yr_addr *addr)
{
    for (size_t i = 0; i < ip_len(addr); i++)
        if (addr->ip[i] != 0)
            return false;
    return addr->family != 0;
}

bool yr_addr_link_local(const struct yr_addr *addr)
{
    if (addr->family == 4)
        return addr->ip[0] == 169 && addr->ip[1] == 254;
    return addr->family == 6 &&
           ((addr->ip[0] == 0xfe && (addr->ip[1] & 0xc0) == 0x80) || // fe80::/10
            (addr->ip[0] == 0xff && (addr->ip[1] & 0x0f) == 0x02));  // multicast of that scope
}

bool yr_addr_same_ip(const struct yr_addr *a, const struct yr_addr *b)
{
    return a->family == b->family && a->scope == b->scope && memcmp(a->ip, b->ip, ip_len(a)) == 0;
}
