/* config.h: the settings: one table, an INI reader that lists every mistake, and an editor that
 * keeps comments and order.  docs/yaari-config.5.scd.
 *
 * Sources, the stronger first: flag, environment, the profile's file, /etc/yaari/yaari.conf,
 * default. A list in a stronger source replaces the weaker one's whole. */
#ifndef YR_CLI_CONFIG_H
#define YR_CLI_CONFIG_H

#include "cli/common/buf.h"
#include "cli/common/exits.h"
#include "cli/common/paths.h"

#define YR_CONFIG_FILE_MAX  (1024 * 1024) /* bytes of a file */
#define YR_CONFIG_LINE_MAX  4096          /* bytes of a line */
#define YR_CONFIG_ITEMS_MAX 64            /* entries of a list */
#define YR_CONFIG_ERRS_MAX  100           /* mistakes listed, the rest is counted */

enum yr_config_type { YR_CONFIG_BOOL, YR_CONFIG_WORD, YR_CONFIG_TEXT, YR_CONFIG_LIST };

/*    X(NAME, section, key, type, default, check, what a good value looks like, meaning) */
#define YR_CONFIG_MAP(X)                                                                          \
    X(NET_LISTEN, "net", "listen", LIST, "0.0.0.0:0, [::]:0", listen,                             \
      "ADDRESS[:PORT], such as 0.0.0.0:0 or [::1]:7722",                                          \
      "addresses and UDP ports to listen on; port 0 is chosen once and kept")                     \
    X(NET_BOOTSTRAP, "net", "bootstrap", LIST, "", peer, "HOST:PORT or HOST:PORT/KEY",            \
      "nodes of the DHT to start from; friends and open invites are tried there too")             \
    X(NET_DHT, "net", "dht", WORD, "auto", dht, "auto, server, client or off",                    \
      "what this node does in the DHT, by which friends find each other anywhere")                \
    X(NET_LAN, "net", "lan", BOOL, "yes", bool, "yes or no",                                      \
      "find friends in the local network by a beacon only they can recognise")                    \
    X(NET_PORT_MAPPING, "net", "port_mapping", BOOL, "no", bool, "yes or no",                     \
      "ask the router to let others in (PCP, NAT-PMP, UPnP)")                                     \
    X(NET_RELAY, "net", "relay", WORD, "friends", relay, "friends or off",                        \
      "carry sealed packets between two friends of mine who cannot reach each other")             \
    X(MAIL_HOLD, "mail", "hold", WORD, "friends", relay, "friends or off",                        \
      "keep sealed mail for friends who are away")                                                \
    X(MAIL_KEEPER, "mail", "keeper", BOOL, "no", bool, "yes or no",                               \
      "this node is nearly always on: keep sixteen times as much, and say so to friends")         \
    X(MAIL_QUOTA, "mail", "quota", WORD, "auto", quota, "auto, or a number of MiB",               \
      "disk for the mail of all friends together; auto: 256, of a keeper 4096")                   \
    X(PRIVACY_PRESENCE, "privacy", "presence", WORD, "off", presence, "off, friends or verified", \
      "whom to tell that I am away and why, and when I was last here")                            \
    X(PRIVACY_TYPING, "privacy", "typing", BOOL, "no", bool, "yes or no",                         \
      "tell a friend that I am writing to them")                                                  \
    X(PRIVACY_READ_RECEIPTS, "privacy", "read_receipts", BOOL, "no", bool, "yes or no",           \
      "tell friends which of their messages were read, and see which of mine were")               \
    X(UI_TIME, "ui", "time", WORD, "short", time, "short, iso, unix, rel or +FORMAT",             \
      "how times are shown to people")                                                            \
    X(UI_BELL, "ui", "bell", BOOL, "yes", bool, "yes or no",                                      \
      "chat rings the terminal's bell for a message to me")                                       \
    X(UI_COLOR, "ui", "color", WORD, "auto", when, "auto, always or never",                       \
      "when output is coloured")                                                                  \
    X(UI_COLOR_NICK, "ui", "color.nick", LIST, "cyan", color, YR_CONFIG_COLORS,                   \
      "colour of friends' names")                                                                 \
    X(UI_COLOR_SELF, "ui", "color.self", LIST, "green", color, YR_CONFIG_COLORS,                  \
      "colour of my own name")                                                                    \
    X(UI_COLOR_SYSTEM, "ui", "color.system", LIST, "blue", color, YR_CONFIG_COLORS,               \
      "colour of yaari's own lines")                                                              \
    X(UI_COLOR_TIME, "ui", "color.time", LIST, "", color, YR_CONFIG_COLORS, "colour of times")    \
    X(UI_COLOR_UNREAD, "ui", "color.unread", LIST, "yellow, bold", color, YR_CONFIG_COLORS,       \
      "colour of what is unread")                                                                 \
    X(UI_COLOR_MENTION, "ui", "color.mention", LIST, "yellow, bold", color, YR_CONFIG_COLORS,     \
      "colour of what mentions me")                                                               \
    X(UI_COLOR_ERROR, "ui", "color.error", LIST, "red", color, YR_CONFIG_COLORS,                  \
      "colour of errors")                                                                         \
    X(LOG_LEVEL, "log", "level", LIST, "info", log,                                               \
      "error, warn, info, debug or trace, and ROOM=LEVEL, such as info, net=debug",               \
      "how much the daemon logs")                                                                 \
    X(RPC_ALLOW_UID, "rpc", "allow_uid", LIST, "", uid, "a number",                               \
      "other users who may use the control socket, by uid")

#define YR_CONFIG_COLORS \
    "default, black, red, green, yellow, blue, magenta, cyan, white, bold, dim or underline"

enum yr_config_key {
#define X(NAME, section, key, type, def, check, form, meaning) YR_CFG_##NAME,
    YR_CONFIG_MAP(X)
#undef X
        YR_CFG_COUNT
};

enum yr_config_origin {
    YR_CONFIG_DEFAULT,
    YR_CONFIG_SITE,
    YR_CONFIG_PROFILE,
    YR_CONFIG_ENV,
    YR_CONFIG_FLAG
};

struct yr_config_desc {
    const char *name; /* "net.listen" */
    const char *section, *key, *def, *form, *meaning;
    enum yr_config_type type;
};
extern const struct yr_config_desc yr_config_descs[YR_CFG_COUNT];

struct yr_config_value {
    char **items; /* each NUL-terminated UTF-8; a scalar has exactly one */
    size_t count;
    enum yr_config_origin origin;
    char *where; /* "FILE:LINE", "YAARI_LOG", "--listen"; NULL for a default */
};
struct yr_config {
    struct yr_config_value values[YR_CFG_COUNT];
};

/** All defaults.  Owned by the caller: clear it. */
void yr_config_init(struct yr_config *config);
void yr_config_clear(struct yr_config *config);

/** The key named "section.key", or YR_CFG_COUNT. */
enum yr_config_key yr_config_find(const char *name);
/** The known name nearest to a wrong one, or NULL. */
const char *yr_config_nearest(const char *name);

/** A scalar's text, or a list's first item ("" when it is empty); lent until the value changes. */
const char *yr_config_str(const struct yr_config *config, enum yr_config_key key);
bool yr_config_bool(const struct yr_config *config, enum yr_config_key key);
/** The value as one would write it into the file, owned by the caller (free). */
char *yr_config_text(const struct yr_config *config, enum yr_config_key key);
/** "default", "/path/default.conf:12", "YAARI_LOG", "--listen"; lent until the value changes. */
const char *yr_config_where(const struct yr_config *config, enum yr_config_key key);

/** Read one file's bytes.  Values go into `config` only where nothing stronger is set, and only if
 *  the whole file is right.  `file`: its path, for origins; mistakes name its last part only.
 *  Returns how many mistakes there are; `errors` (NULL or a buffer) gets one line for each of the
 *  first 100, "default.conf:14:1: unknown key 'lisetn' in [net] (did you mean 'listen'?)\n". */
size_t yr_config_parse(struct yr_config *config, const char *file, enum yr_config_origin origin,
                       const char *bytes, size_t len, struct yr_buf *errors);

/** Set a value from a flag or the environment, unless a stronger one is there.  `where`:
 * "--listen". Errors: YR_EXIT_CONFIG with the reason. */
YR_MUST_USE enum yr_exit yr_config_override(struct yr_config *config, enum yr_config_key key,
                                            const char *value, enum yr_config_origin origin,
                                            const char *where, struct yr_fail *fail);

/** Init, then read /etc/yaari/yaari.conf (not in portable places), the profile's file and the
 *  environment.  A missing file is no error, unless --config or YAARI_CONFIG names it
 * (`must_exist`). Errors: YR_EXIT_CONFIG; `errors` then has the lines to print, one or more.
 * *config is all defaults after an error. */
YR_MUST_USE enum yr_exit yr_config_load(struct yr_config *config, const struct yr_paths *paths,
                                        bool must_exist, struct yr_buf *errors);

/** Change one key in a file's text; pure.  value NULL: unset.  Comments, blank lines, order and
 * line ends stay; further lines of the same key go.  *out: the new text, appended. Errors:
 * YR_EXIT_CONFIG when the value is bad or the text is no configuration. */
YR_MUST_USE enum yr_exit yr_config_edit(const char *bytes, size_t len, enum yr_config_key key,
                                        const char *value, struct yr_buf *out,
                                        struct yr_fail *fail);

/** The same on the profile's file, which is made (0600) if missing and replaced whole or not at
 *  all.  Errors also: YR_EXIT_CANTCREAT, YR_EXIT_IOERR. */
YR_MUST_USE enum yr_exit yr_config_set(const struct yr_paths *paths, enum yr_config_key key,
                                       const char *value, struct yr_fail *fail);

/** Every key with its default and meaning, as a file that parses: `yaarid --print-defaults`. */
void yr_config_print_defaults(struct yr_buf *out);

#endif
