/* Any bytes as a configuration: the reader ends, and what it accepts can be edited and read again.
 */
#include <stdint.h>
#include <stdlib.h>

#include "cli/common/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void edit_again(const char *bytes, size_t len, enum yr_config_key key, const char *value)
{
    struct yr_buf out = {0}, errors = {0};
    struct yr_config config;
    struct yr_fail fail;

    if (yr_config_edit(bytes, len, key, value, &out, &fail) == YR_EXIT_OK) {
        yr_config_init(&config);
        if (yr_config_parse(&config, "f", YR_CONFIG_PROFILE, yr_buf_str(&out), out.len, &errors) !=
            0)
            abort();
        if (value != NULL && config.values[key].origin != YR_CONFIG_PROFILE)
            abort();
        if (value == NULL && config.values[key].origin != YR_CONFIG_DEFAULT)
            abort();
        yr_config_clear(&config);
    } else if (out.len != 0) {
        abort();
    }
    yr_buf_clear(&out);
    yr_buf_clear(&errors);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct yr_config config;
    struct yr_buf errors = {0};
    size_t bad;

    yr_config_init(&config);
    bad = yr_config_parse(&config, "/a/f", YR_CONFIG_PROFILE, text, size, &errors);
    if ((bad > 0) != (errors.len > 0))
        abort();
    for (size_t i = 0; i < YR_CFG_COUNT; i++) {
        char *value = yr_config_text(&config, (enum yr_config_key)i);

        if (bad > 0 && config.values[i].origin != YR_CONFIG_DEFAULT)
            abort();
        if (bad == 0) // what is shown can be written
            edit_again("", 0, (enum yr_config_key)i, value);
        free(value);
    }
    if (bad == 0) {
        edit_again(text, size, YR_CFG_NET_LISTEN, "1.2.3.4:5, [::1]:6");
        edit_again(text, size, YR_CFG_NET_LISTEN, NULL);
        edit_again(text, size, YR_CFG_UI_TIME, "+%H, %M");
    }
    yr_buf_clear(&errors);
    yr_config_clear(&config);
    return 0;
}
