/* yaari-upnp: ask one UPnP gateway for one port mapping, in a process of its own.
 *
 *     yaari-upnp add GATEWAY OWN PORT OUTSIDE SECONDS [URL]   -> "mapped IP PORT SECONDS URL"
 *     yaari-upnp delete GATEWAY OWN PORT OUTSIDE SECONDS URL  -> "deleted"
 *     either                                                  -> "none WORD [NUMBER]"
 *
 * One line on standard output, exit code 0.  GATEWAY, OWN: IPv4 addresses; OUTSIDE: the port wished
 * for; URL: the gateway's description as an earlier run found it.
 *
 * miniupnpc knows the habits of many devices, but it blocks, and reads as much as a device sends
 * for as long as it likes.  So it runs here: with little memory, few seconds, no keys and no
 * right to write a file; whoever started us ends us when we take too long.  Only the default
 * gateway is asked: any machine of a network may answer the search. */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#include <miniupnpc/miniupnpc.h>
#include <miniupnpc/upnpcommands.h>

#define SEARCH_MS 2000
#define MEMORY    (64u << 20)
#define TRIES     4 /* outside ports, when others have them */

#define ONLY_PERMANENT 725 /* errors of AddPortMapping */
#define CONFLICT       718
#define SAME_PORT_ONLY 724

static void limit(int what, rlim_t to)
{
    const struct rlimit value = {to, to};
    (void)setrlimit((__rlimit_resource_t)what, &value);
}

static void confine(void)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_DUMPABLE, 0);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
#ifndef YAARI_SANITIZED // its shadow memory alone is larger
    limit(RLIMIT_AS, MEMORY);
#endif
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_CPU, 5);
    limit(RLIMIT_FSIZE, 4096); // its line may go to a file
    limit(RLIMIT_NOFILE, 16);
}

static int none(const char *word, int number)
{
    printf(number != 0 ? "none %s %d\n" : "none %s\n", word, number);
    return 0;
}

/** Does an URL lead to this machine, and nowhere else? */
static int leads_to(const char *url, const char *ip)
{
    static const char scheme[] = "http://";
    const size_t len = strlen(ip);

    if (url == NULL || strlen(url) >= 256 || strncmp(url, scheme, sizeof scheme - 1) != 0)
        return 0;
    for (const char *c = url; *c != '\0'; c++)
        if (*c <= ' ' || *c > '~')
            return 0;
    url += sizeof scheme - 1;
    return strncmp(url, ip, len) == 0 && (url[len] == ':' || url[len] == '/');
}

struct gateway {
    struct UPNPUrls urls;
    struct IGDdatas data;
    char url[256];
};

/** Read the description at an URL.  0: it is not one of a gateway, or leads elsewhere. */
static int describe(struct gateway *gateway, const char *url, const char *ip)
{
    char lan[64];

    if (!leads_to(url, ip))
        return 0;
    memset(gateway, 0, sizeof *gateway);
    if (UPNP_GetIGDFromUrl(url, &gateway->urls, &gateway->data, lan, sizeof lan) != 1)
        return 0;
    snprintf(gateway->url, sizeof gateway->url, "%s", url);
    if (leads_to(gateway->urls.controlURL, ip) && gateway->data.first.servicetype[0] != '\0')
        return 1;
    FreeUPNPUrls(&gateway->urls);
    return 0;
}

static int search(struct gateway *gateway, const char *ip, const char *own)
{
    static const char *const kinds[] = {"urn:schemas-upnp-org:device:InternetGatewayDevice:1",
                                        "urn:schemas-upnp-org:device:InternetGatewayDevice:2",
                                        "urn:schemas-upnp-org:service:WANIPConnection:1",
                                        "urn:schemas-upnp-org:service:WANPPPConnection:1", NULL};
    int err = 0, found = 0;
    struct UPNPDev *all =
        upnpDiscoverDevices(kinds, SEARCH_MS, own, NULL, UPNP_LOCAL_PORT_ANY, 0, 2, &err, 1);

    for (struct UPNPDev *device = all; device != NULL && !found; device = device->pNext)
        found = describe(gateway, device->descURL, ip);
    freeUPNPDevlist(all);
    return found;
}

/** Any port but those of the system. */
static unsigned other_port(void)
{
    unsigned short port = 0;

    if (getrandom(&port, sizeof port, 0) != (ssize_t)sizeof port)
        return 0;
    return 1024u + port % (65536u - 1024u);
}

/** 0, or what the gateway answered.  outside: the wish, and what it became. */
static int map_one(const struct gateway *gateway, const char *own, const char *port,
                   char outside[8], const char *seconds)
{
    const char *type = gateway->data.first.servicetype;
    const size_t len = strlen(type);
    char reserved[8] = "";
    int err;

    if (len > 2 && strcmp(type + len - 2, ":2") == 0) { // the second version picks a free one
        err = UPNP_AddAnyPortMapping(gateway->urls.controlURL, type, outside, port, own, "udp",
                                     "UDP", NULL, seconds, reserved);
        if (err == UPNPCOMMAND_SUCCESS && reserved[0] != '\0') {
            snprintf(outside, 8, "%.6s", reserved);
            return 0;
        }
    }
    return UPNP_AddPortMapping(gateway->urls.controlURL, type, outside, port, own, "udp", "UDP",
                               NULL, seconds);
}

static int add(const struct gateway *gateway, char *const args[])
{
    char ip[40] = "", outside[8];
    const char *seconds = args[4];
    struct in_addr parsed;
    int err;

    err = UPNP_GetExternalIPAddress(gateway->urls.controlURL, gateway->data.first.servicetype, ip);
    if (err != UPNPCOMMAND_SUCCESS || inet_pton(AF_INET, ip, &parsed) != 1)
        return none("address", err);
    snprintf(outside, sizeof outside, "%s", args[3]);
    for (int i = 0; i < TRIES; i++) {
        err = map_one(gateway, args[1], args[2], outside, seconds);
        if (err == ONLY_PERMANENT)
            seconds = "0";
        else if (err == SAME_PORT_ONLY)
            snprintf(outside, sizeof outside, "%s", args[2]);
        else if (err == CONFLICT)
            snprintf(outside, sizeof outside, "%u", other_port());
        else
            break;
    }
    if (err != 0)
        return none("refused", err > 0 ? err : 0);
    printf("mapped %s %s %s %s\n", ip, outside, seconds, gateway->url);
    return 0;
}

static int erase(const struct gateway *gateway, char *const args[])
{
    const int err = UPNP_DeletePortMapping(gateway->urls.controlURL,
                                           gateway->data.first.servicetype, args[3], "UDP", NULL);

    if (err != UPNPCOMMAND_SUCCESS)
        return none("refused", err > 0 ? err : 0);
    puts("deleted");
    return 0;
}

int main(int argc, char **argv)
{
    char *const *args = argv + 2;
    const char *url = argc == 8 ? argv[7] : NULL;
    struct gateway gateway;
    int adds, code;

    if (argc < 7 || argc > 8 ||
        (!(adds = strcmp(argv[1], "add") == 0) && strcmp(argv[1], "delete") != 0)) {
        fputs("usage: yaari-upnp add|delete GATEWAY OWN PORT OUTSIDE SECONDS [URL]\n", stderr);
        return 64;
    }
    confine();
    if (!(url != NULL && describe(&gateway, url, args[0])) &&
        !(adds && search(&gateway, args[0], args[1])))
        return none("silent", 0);
    code = adds ? add(&gateway, args) : erase(&gateway, args);
    FreeUPNPUrls(&gateway.urls);
    return code;
}
