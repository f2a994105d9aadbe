#include "core/chat/conv.h"

#define VERSION 2

static_assert(YR_CONV_MAX >=
                  256 + YR_HEADS_MAX * (YR_MSG_ID_LEN + 9) +
                      YR_SKIPPED_READ_MAX * (YR_MSG_ID_LEN + 1 + sizeof(struct yr_place)),
              "the row fits");

void yr_conv_encode(const struct yr_conv *conv, uint8_t out[YR_CONV_MAX], size_t *len)
{
    struct yr_wr wr = yr_wr_init(out, YR_CONV_MAX);

    yr_wr_u8(&wr, VERSION);
    yr_wr_u64(&wr, conv->hlc);
    yr_wr_u64(&wr, conv->seq);
    yr_wr_u64(&wr, conv->note_count);
    yr_wr_u64(&wr, conv->eff_max);
    yr_wr_u32(&wr, conv->epoch);
    yr_wr_u32(&wr, conv->edges);
    yr_wr_u32(&wr, conv->orphans);
    yr_wr_u8(&wr, (uint8_t)conv->head_count);
    for (size_t i = 0; i < conv->head_count; i++) {
        yr_wr_bytes(&wr, conv->heads[i].id, YR_MSG_ID_LEN);
        yr_wr_u64(&wr, conv->heads[i].eff);
        yr_wr_u8(&wr, conv->heads[i].settled);
    }
    yr_wr_bytes(&wr, conv->marker.key, sizeof conv->marker.key);
    yr_wr_bytes(&wr, conv->marker_id, YR_MSG_ID_LEN);
    yr_wr_u64(&wr, conv->below_count);
    yr_wr_u64(&wr, conv->below_mentions);
    yr_wr_bytes(&wr, conv->first.key, sizeof conv->first.key);
    yr_wr_bytes(&wr, conv->first_id, YR_MSG_ID_LEN);
    yr_wr_u8(&wr, (uint8_t)conv->above_count);
    for (size_t i = 0; i < conv->above_count; i++) {
        yr_wr_bytes(&wr, conv->above[i].place.key, sizeof conv->above[i].place.key);
        yr_wr_bytes(&wr, conv->above[i].id, YR_MSG_ID_LEN);
        yr_wr_u8(&wr, conv->above[i].mention);
    }
    yr_wr_u64(&wr, (uint64_t)conv->note_ms);
    YR_ASSERT(yr_wr_ok(&wr));
    *len = yr_wr_len(&wr);
}

enum yr_err yr_conv_decode(struct yr_conv *out, const uint8_t *src, size_t len)
{
    struct yr_rd rd = yr_rd_init(src, len);

    memset(out, 0, sizeof *out);
    if (yr_rd_u8(&rd) != VERSION)
        return YR_ECORRUPT;
    out->hlc = yr_rd_u64(&rd);
    out->seq = yr_rd_u64(&rd);
    out->note_count = yr_rd_u64(&rd);
    out->eff_max = yr_rd_u64(&rd);
    out->epoch = yr_rd_u32(&rd);
    out->edges = yr_rd_u32(&rd);
    out->orphans = yr_rd_u32(&rd);
    out->head_count = yr_rd_u8(&rd);
    if (out->head_count > YR_HEADS_MAX)
        return YR_ECORRUPT;
    for (size_t i = 0; i < out->head_count; i++) {
        yr_rd_copy(&rd, out->heads[i].id, YR_MSG_ID_LEN);
        out->heads[i].eff = yr_rd_u64(&rd);
        out->heads[i].settled = yr_rd_u8(&rd) != 0;
    }
    yr_rd_copy(&rd, out->marker.key, sizeof out->marker.key);
    yr_rd_copy(&rd, out->marker_id, YR_MSG_ID_LEN);
    out->below_count = yr_rd_u64(&rd);
    out->below_mentions = yr_rd_u64(&rd);
    yr_rd_copy(&rd, out->first.key, sizeof out->first.key);
    yr_rd_copy(&rd, out->first_id, YR_MSG_ID_LEN);
    out->above_count = yr_rd_u8(&rd);
    if (out->above_count > YR_SKIPPED_READ_MAX)
        return YR_ECORRUPT;
    for (size_t i = 0; i < out->above_count; i++) {
        yr_rd_copy(&rd, out->above[i].place.key, sizeof out->above[i].place.key);
        yr_rd_copy(&rd, out->above[i].id, YR_MSG_ID_LEN);
        out->above[i].mention = yr_rd_u8(&rd) != 0;
    }
    out->note_ms = (yr_ms)yr_rd_u64(&rd);
    return yr_rd_done(&rd) && out->hlc <= YR_HLC_MAX && out->epoch != 0 ? YR_OK : YR_ECORRUPT;
}

// ---- spots ----

static bool is(const struct yr_spot *spot, const uint8_t id[YR_MSG_ID_LEN])
{
    return memcmp(spot->id, id, YR_MSG_ID_LEN) == 0;
}

static struct yr_spot *find(struct yr_spot *spots, size_t count, const uint8_t id[YR_MSG_ID_LEN])
{
    for (size_t i = 0; i < count; i++)
        if (is(&spots[i], id))
            return &spots[i];
    return NULL;
}

struct yr_spot *yr_conv_spot(struct yr_conv *conv, const uint8_t id[YR_MSG_ID_LEN])
{
    struct yr_spot *spot = find(conv->heads, conv->head_count, id);

    return spot != NULL ? spot : find(conv->recent, conv->recent_count, id);
}

static void add_head(struct yr_conv *conv, const struct yr_spot *spot)
{
    struct yr_spot *slot = &conv->heads[0];

    if (conv->head_count < YR_HEADS_MAX) {
        conv->heads[conv->head_count++] = *spot;
        return;
    }
    for (size_t i = 1; i < conv->head_count; i++)
        if (conv->heads[i].eff < slot->eff)
            slot = &conv->heads[i];
    if (slot->eff < spot->eff)
        *slot = *spot;
}

void yr_conv_add(struct yr_conv *conv, const struct yr_spot *spot, bool head)
{
    if (head)
        add_head(conv, spot);
    conv->recent[conv->recent_next] = *spot;
    conv->recent_next = (conv->recent_next + 1) % YR_RECENT_MAX;
    conv->recent_count = YR_MIN(conv->recent_count + 1, YR_RECENT_MAX);
    conv->dirty = true;
}

void yr_conv_cite(struct yr_conv *conv, const uint8_t id[YR_MSG_ID_LEN])
{
    struct yr_spot *head = find(conv->heads, conv->head_count, id);

    if (head == NULL)
        return;
    *head = conv->heads[--conv->head_count];
    conv->dirty = true;
}

void yr_conv_moved(struct yr_conv *conv, const struct yr_spot *spot)
{
    struct yr_spot *head = find(conv->heads, conv->head_count, spot->id);
    struct yr_spot *recent = find(conv->recent, conv->recent_count, spot->id);

    if (head != NULL)
        *head = *spot;
    if (recent != NULL)
        *recent = *spot;
    conv->dirty = true;
}

void yr_conv_settle_all(struct yr_conv *conv)
{
    for (size_t i = 0; i < conv->head_count; i++)
        conv->heads[i].settled = true;
    for (size_t i = 0; i < conv->recent_count; i++)
        conv->recent[i].settled = true;
    conv->epoch = conv->epoch < UINT32_MAX ? conv->epoch + 1 : 1;
    conv->edges = 0;
    conv->dirty = true;
}
