/* What a friend writes into a stream, cut anywhere: the frame assembler. */
#include "core/link/channel.h"

static void *plain_realloc(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    if (size == 0) {
        free(ptr);
        return NULL;
    }
    return realloc(ptr, size);
}

static bool take(void *ctx, uint8_t channel, uint8_t type, const uint8_t *body, size_t len)
{
    volatile uint8_t sum = (uint8_t)(channel + type);

    YR_ASSERT(channel < 4 && len <= YR_FRAME_MAX);
    for (size_t i = 0; i < len; i++) // all of it must be there
        sum = (uint8_t)(sum + body[i]);
    return (*(unsigned *)ctx)++ < 100;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct yr_mem mem = {.realloc = plain_realloc};
    struct yr_assembler in = {0};
    unsigned frames = 0;
    size_t step;

    if (size < 1)
        return 0;
    mem.cap[YR_MEM_LINK] = YR_FRAME_MAX; // one frame at a time and no more
    step = data[0] + 1U;
    for (size_t at = 1; at < size; at += step)
        if (yr_assembler_feed(&in, &mem, 4, data + at, YR_MIN(step, size - at), take, &frames) !=
            YR_OK)
            break;
    yr_assembler_clear(&in, &mem);
    YR_ASSERT(mem.used[YR_MEM_LINK] == 0);
    return 0;
}
