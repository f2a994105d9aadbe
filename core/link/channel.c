#include "core/link/channel.h"

#define CHUNK_LEN 4000 /* with its heads just below a page */

struct yr_chunk {
    struct yr_chunk *next;
    uint64_t offset; // of bytes[0] in the stream
    size_t len;
    uint8_t bytes[CHUNK_LEN];
};

void yr_sendq_init(struct yr_sendq *q, size_t max)
{
    *q = (struct yr_sendq){.max = max};
}

static void free_chunks(struct yr_mem *mem, struct yr_chunk *chunk)
{
    while (chunk != NULL) {
        struct yr_chunk *next = chunk->next;

        yr_free(mem, chunk);
        chunk = next;
    }
}

void yr_sendq_clear(struct yr_sendq *q, struct yr_mem *mem)
{
    free_chunks(mem, q->head);
    yr_sendq_init(q, q->max);
}

// Chunks for `len` bytes beyond what the last one has room for; all of them or none.
static enum yr_err reserve(struct yr_mem *mem, size_t len, struct yr_chunk **out)
{
    struct yr_chunk *list = NULL;

    for (size_t got = 0; got < len; got += CHUNK_LEN) {
        struct yr_chunk *chunk = yr_realloc(mem, YR_MEM_LINK, NULL, sizeof *chunk);

        if (chunk == NULL) {
            free_chunks(mem, list);
            return YR_ENOMEM;
        }
        chunk->next = list;
        chunk->len = 0;
        list = chunk;
    }
    *out = list;
    return YR_OK;
}

static void append(struct yr_sendq *q, struct yr_chunk **fresh, const uint8_t *src, size_t len)
{
    while (len > 0) {
        size_t n;

        if (q->tail == NULL || q->tail->len == CHUNK_LEN) {
            struct yr_chunk *chunk = *fresh;

            *fresh = chunk->next;
            chunk->next = NULL;
            chunk->offset = q->end;
            *(q->tail == NULL ? &q->head : &q->tail->next) = chunk;
            q->tail = chunk;
            if (q->at == NULL)
                q->at = chunk;
        }
        n = YR_MIN(len, CHUNK_LEN - q->tail->len);
        memcpy(q->tail->bytes + q->tail->len, src, n);
        q->tail->len += n;
        q->end += n;
        src += n;
        len -= n;
    }
}

enum yr_err yr_sendq_push(struct yr_sendq *q, struct yr_mem *mem, uint8_t channel, uint8_t type,
                          const uint8_t *body, size_t len)
{
    const uint8_t head[1 + YR_FRAME_HEAD] = {channel, type, (uint8_t)len, (uint8_t)(len >> 8)};
    const size_t skip = q->end == 0 ? 0 : 1; // the channel stands once, first of all
    const size_t total = sizeof head - skip + len;
    const size_t room = q->tail != NULL ? CHUNK_LEN - q->tail->len : 0;
    struct yr_chunk *fresh = NULL;
    enum yr_err err;

    if (len > YR_FRAME_MAX)
        return YR_ESIZE;
    if (q->end - q->acked + total > q->max)
        return YR_EFULL;
    if (total > room && (err = reserve(mem, total - room, &fresh)) != YR_OK)
        return err;
    append(q, &fresh, head + skip, sizeof head - skip);
    append(q, &fresh, body, len);
    YR_ASSERT(fresh == NULL);
    return YR_OK;
}

void yr_sendq_next(const struct yr_sendq *q, struct yr_piece out[2])
{
    const struct yr_chunk *chunk = q->at;

    out[0] = out[1] = (struct yr_piece){NULL, 0};
    if (q->sent == q->end)
        return;
    out[0] = (struct yr_piece){chunk->bytes + (q->sent - chunk->offset),
                               (size_t)(chunk->offset + chunk->len - q->sent)};
    if (chunk->next != NULL)
        out[1] = (struct yr_piece){chunk->next->bytes, chunk->next->len};
}

void yr_sendq_sent(struct yr_sendq *q, size_t len)
{
    YR_ASSERT(len <= q->end - q->sent);
    q->sent += len;
    // A chunk is left only once it is full: until then the next byte goes into it.
    while (q->at != NULL && q->sent - q->at->offset >= CHUNK_LEN)
        q->at = q->at->next;
}

void yr_sendq_acked(struct yr_sendq *q, struct yr_mem *mem, uint64_t offset)
{
    YR_ASSERT(offset <= q->sent);
    q->acked = YR_MAX(q->acked, offset);
    while (q->head != NULL && q->acked >= q->head->offset + q->head->len) {
        struct yr_chunk *chunk = q->head;

        q->head = chunk->next;
        if (q->tail == chunk)
            q->tail = NULL;
        if (q->at == chunk)
            q->at = NULL; // the last one, not full, all acknowledged
        yr_free(mem, chunk);
    }
}

static size_t frame_len(const struct yr_assembler *in)
{
    return (size_t)in->head[1] | (size_t)in->head[2] << 8;
}

// The body at `src` if it is whole there, else gathered in in->body.
static enum yr_err take_body(struct yr_assembler *in, struct yr_mem *mem, const uint8_t **src,
                             size_t *len, const uint8_t **body)
{
    const size_t want = frame_len(in), n = YR_MIN(want - in->have, *len);

    *body = NULL;
    if (in->body == NULL && *len >= want) {
        *body = *src;
    } else {
        if (in->body == NULL && (in->body = yr_realloc(mem, YR_MEM_LINK, NULL, want)) == NULL)
            return YR_ENOMEM;
        memcpy(in->body + in->have, *src, n);
        in->have += n;
        if (in->have == want)
            *body = in->body;
    }
    *src += n;
    *len -= n;
    return YR_OK;
}

enum yr_err yr_assembler_feed(struct yr_assembler *in, struct yr_mem *mem, uint8_t channels,
                              const uint8_t *src, size_t len, yr_frame_sink sink, void *ctx)
{
    if (len > 0 && !in->open) {
        if (src[0] >= channels)
            return YR_EPROTO;
        in->channel = src[0];
        in->open = true;
        src++;
        len--;
    }
    while (len > 0) {
        const uint8_t *body = NULL;
        enum yr_err err;
        bool more;

        if (in->head_len < YR_FRAME_HEAD) {
            in->head[in->head_len++] = *src++;
            len--;
            if (in->head_len < YR_FRAME_HEAD)
                continue;
            if (frame_len(in) > YR_FRAME_MAX)
                return YR_EPROTO;
            if (frame_len(in) > 0 && len == 0)
                return YR_OK;
        }
        if ((err = take_body(in, mem, &src, &len, &body)) != YR_OK)
            return err;
        if (body == NULL)
            return YR_OK; // all of it is taken
        in->head_len = in->have = 0;
        more = sink(ctx, in->channel, in->head[0], body, frame_len(in));
        yr_free(mem, in->body);
        in->body = NULL;
        if (!more)
            return YR_OK;
    }
    return YR_OK;
}

void yr_assembler_clear(struct yr_assembler *in, struct yr_mem *mem)
{
    yr_free(mem, in->body);
    *in = (struct yr_assembler){0};
}
