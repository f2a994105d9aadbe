/* args.h: the command line of yaarid.  Manual: yaarid(8). */
#ifndef YR_ARGS_H
#define YR_ARGS_H

#include "cli/common/buf.h"
#include "cli/common/paths.h"

#define YR_ARGS_LIST_MAX 32 /* times --listen or --bootstrap may be given */

/*    X(id, letter or 0, "name", argument or NULL, help) */
#define YR_ARG_MAP(X)                                                                            \
    X(profile, 'P', "profile", "NAME", "use this profile (default: default)")                    \
    X(config, 0, "config", "FILE", "read this configuration file")                               \
    X(home, 0, "home", "DIR", "keep everything under DIR (as YAARI_HOME)")                       \
    X(listen, 0, "listen", "ADDR[:PORT]", "listen here; may be repeated")                        \
    X(bootstrap, 0, "bootstrap", "HOST:PORT[/KEY]",                                              \
      "start from this node of the DHT; may be repeated")                                        \
    X(dht, 0, "dht", "MODE", "auto (default), server, client or off: part in the DHT")           \
    X(keeper, 0, "keeper", NULL, "this node is nearly always on: keep much mail for friends")    \
    X(no_lan, 0, "no-lan", NULL, "no beacon in the local network")                               \
    X(no_port_mapping, 0, "no-port-mapping", NULL, "ask no router to let others in")             \
    X(offline, 0, "offline", NULL, "open no network socket")                                     \
    X(socket, 0, "socket", "PATH", "control socket")                                             \
    X(log, 0, "log", "SPEC", "error, warn, info, debug, trace; and ROOM=LEVEL: info,net=debug")  \
    X(log_file, 0, "log-file", "PATH", "log there; SIGHUP opens it again")                       \
    X(scrub_log, 0, "scrub-log", NULL, "no addresses and names in the log")                      \
    X(passphrase_fd, 0, "passphrase-fd", "N", "read the vault's passphrase from descriptor N")   \
    X(ready_fd, 0, "ready-fd", "N", "write a newline to descriptor N when ready")                \
    X(check_config, 0, "check-config", NULL, "read the configuration, say what is wrong, end")   \
    X(print_defaults, 0, "print-defaults", NULL, "print a configuration with all defaults, end") \
    X(verbose, 'v', "verbose", NULL, "log more: -v debug, -vv trace")                            \
    X(version, 'V', "version", NULL, "print the version, end")                                   \
    X(help, 'h', "help", NULL, "print this, end")

struct yr_args {
    struct yr_paths_opts paths;
    const char *listen[YR_ARGS_LIST_MAX], *bootstrap[YR_ARGS_LIST_MAX]; /* lent from argv */
    size_t listen_count, bootstrap_count;
    const char *dht;             /* NULL: not given */
    const char *log, *log_file;  /* likewise */
    int passphrase_fd, ready_fd; /* -1: not given */
    int verbose;
    bool keeper, no_lan, no_port_mapping, offline, scrub_log, check_config, print_defaults, version,
        help;
};

/** Read argv; argv[0] is the program.  Long names are not abbreviated.
 *  Errors: YR_EXIT_USAGE, with a hint where a name was nearly right. */
YR_MUST_USE enum yr_exit yr_args_read(struct yr_args *out, int argc, char *const *argv,
                                      struct yr_fail *fail);
/** What --help prints. */
void yr_args_help(struct yr_buf *out);

#endif
