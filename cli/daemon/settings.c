/* settings.c: the configuration at start and when it is read again. */
#include <stdlib.h>
#include <string.h>

#include "cli/daemon/daemon.h"
#include "net/sdnotify.h"

static enum yr_exit flag(struct yr_config *config, enum yr_config_key key, const char *value,
                         const char *where, struct yr_buf *errors)
{
    struct yr_fail fail;
    const enum yr_exit end = yr_config_override(config, key, value, YR_CONFIG_FLAG, where, &fail);

    if (end != YR_EXIT_OK)
        yr_buf_addf(errors, "%s: %s\n", where, fail.what);
    return end;
}

static enum yr_exit list_flag(struct yr_config *config, enum yr_config_key key,
                              const char *const *items, size_t count, const char *where,
                              struct yr_buf *errors)
{
    struct yr_buf list = {0};
    enum yr_exit end;

    if (count == 0)
        return YR_EXIT_OK;
    for (size_t i = 0; i < count; i++)
        yr_buf_addf(&list, "%s%s", i > 0 ? ", " : "", items[i]);
    end = flag(config, key, yr_buf_str(&list), where, errors);
    yr_buf_clear(&list);
    return end;
}

enum yr_exit yr_settings_load(struct yr_config *out, const struct yr_paths *paths,
                              const struct yr_args *args, struct yr_buf *errors)
{
    const char *env = getenv("YAARI_CONFIG");
    const bool named = args->paths.config != NULL || (env != NULL && env[0] != '\0');
    struct yr_config config;
    enum yr_exit end = yr_config_load(&config, paths, named, errors);

    if (list_flag(&config, YR_CFG_NET_LISTEN, args->listen, args->listen_count, "--listen",
                  errors) != YR_EXIT_OK ||
        list_flag(&config, YR_CFG_NET_BOOTSTRAP, args->bootstrap, args->bootstrap_count,
                  "--bootstrap", errors) != YR_EXIT_OK ||
        (args->dht != NULL &&
         flag(&config, YR_CFG_NET_DHT, args->dht, "--dht", errors) != YR_EXIT_OK) ||
        (args->keeper &&
         flag(&config, YR_CFG_MAIL_KEEPER, "yes", "--keeper", errors) != YR_EXIT_OK) ||
        (args->no_lan && flag(&config, YR_CFG_NET_LAN, "no", "--no-lan", errors) != YR_EXIT_OK) ||
        (args->no_port_mapping &&
         flag(&config, YR_CFG_NET_PORT_MAPPING, "no", "--no-port-mapping", errors) != YR_EXIT_OK) ||
        (args->verbose > 0 && args->log == NULL &&
         flag(&config, YR_CFG_LOG_LEVEL, args->verbose > 1 ? "trace" : "debug", "--verbose",
              errors) != YR_EXIT_OK) ||
        (args->log != NULL &&
         flag(&config, YR_CFG_LOG_LEVEL, args->log, "--log", errors) != YR_EXIT_OK))
        end = YR_EXIT_CONFIG;
    if (end == YR_EXIT_OK)
        *out = config;
    else
        yr_config_clear(&config);
    return end;
}

/* Say of a key that changed that it counts only from the next start on. */
static void warn_restart(struct yr_daemon *daemon, const struct yr_config *next,
                         enum yr_config_key key)
{
    char *before = yr_config_text(&daemon->config, key), *after = yr_config_text(next, key);

    if (strcmp(before, after) != 0)
        yr_say(daemon, YR_LOG_WARN, "%s has changed: restart the daemon to apply it",
               yr_config_descs[key].name);
    free(before);
    free(after);
}

enum yr_dht_mode yr_settings_dht(const struct yr_config *config)
{
    const char *word = yr_config_str(config, YR_CFG_NET_DHT);

    return strcmp(word, "server") == 0   ? YR_ROLE_SERVER
           : strcmp(word, "client") == 0 ? YR_ROLE_CLIENT
           : strcmp(word, "off") == 0    ? YR_ROLE_OFF
                                         : YR_ROLE_AUTO;
}

bool yr_settings_relay(const struct yr_config *config)
{
    return strcmp(yr_config_str(config, YR_CFG_NET_RELAY), "off") != 0;
}

enum yr_presence_mode yr_settings_presence(const struct yr_config *config)
{
    const char *word = yr_config_str(config, YR_CFG_PRIVACY_PRESENCE);

    return strcmp(word, "friends") == 0    ? YR_PRESENCE_FRIENDS
           : strcmp(word, "verified") == 0 ? YR_PRESENCE_VERIFIED
                                           : YR_PRESENCE_OFF;
}

void yr_settings_mail(const struct yr_config *config, struct yr_mail_opts *out)
{
    const char *quota = yr_config_str(config, YR_CFG_MAIL_QUOTA);

    out->hold = strcmp(yr_config_str(config, YR_CFG_MAIL_HOLD), "off") != 0;
    out->keeper = yr_config_bool(config, YR_CFG_MAIL_KEEPER);
    out->bytes = strcmp(quota, "auto") == 0 ? 0 : (uint64_t)strtoul(quota, NULL, 10) << 20;
}

static void apply(struct yr_daemon *daemon, struct yr_config *next)
{
    struct yr_mail_opts mail;
    const bool receipts = yr_config_bool(next, YR_CFG_PRIVACY_READ_RECEIPTS);

    warn_restart(daemon, next, YR_CFG_NET_LISTEN);
    warn_restart(daemon, next, YR_CFG_NET_LAN);
    warn_restart(daemon, next, YR_CFG_RPC_ALLOW_UID);
    yr_config_clear(&daemon->config);
    daemon->config = *next;
    yr_log_levels(&daemon->log, &daemon->config.values[YR_CFG_LOG_LEVEL]);
    yr_node_set_read_receipts(yr_host_node(daemon->host), receipts);
    yr_rpc_set_read_receipts(daemon->rpc, receipts);
    yr_host_set_dht(daemon->host, yr_settings_dht(&daemon->config));
    yr_host_set_relay(daemon->host, yr_settings_relay(&daemon->config));
    yr_host_set_presence(daemon->host, yr_settings_presence(&daemon->config),
                         yr_config_bool(&daemon->config, YR_CFG_PRIVACY_TYPING));
    yr_settings_mail(&daemon->config, &mail);
    yr_host_set_mail(daemon->host, &mail);
    yr_host_set_port_mapping(daemon->host,
                             yr_config_bool(&daemon->config, YR_CFG_NET_PORT_MAPPING));
    yr_peers_apply_config(daemon);
}

enum yr_exit yr_daemon_reload(struct yr_daemon *daemon, struct yr_fail *fail)
{
    struct yr_buf errors = {0};
    struct yr_config next;
    enum yr_exit end;

    if (daemon->stopping)
        return yr_fail(fail, YR_EXIT_UNAVAILABLE, "the daemon is being stopped");
    yr_sdnotify_reloading();
    end = yr_settings_load(&next, &daemon->paths, &daemon->args, &errors);
    if (end == YR_EXIT_OK) {
        apply(daemon, &next);
        yr_say(daemon, YR_LOG_INFO, "configuration read again");
    } else {
        const char *text = yr_buf_str(&errors);
        yr_fail(fail, end, "%.*s", (int)strcspn(text, "\n"), text);
        yr_fail_hint(fail, "the old configuration stays in force: yaari config check");
        for (; *text != '\0'; text += text[strcspn(text, "\n")] == '\n') {
            yr_say(daemon, YR_LOG_WARN, "%.*s", (int)strcspn(text, "\n"), text);
            text += strcspn(text, "\n");
        }
        yr_say(daemon, YR_LOG_WARN, "the old configuration stays in force");
    }
    yr_sdnotify_ready(NULL);
    yr_buf_clear(&errors);
    return end;
}
