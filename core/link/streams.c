#include "core/link/conn.h"
#include "core/wire/messages.h"

// Bytes a channel's queue holds: room for a burst, and for what a long path has in flight.
static const size_t queue_max[YR_CHANNEL_COUNT] = {
    [YR_CHANNEL_CONTROL] = YR_QUEUE_CONTROL,
    [YR_CHANNEL_CHAT] = YR_QUEUE_CHAT,
    [YR_CHANNEL_ROOMS] = YR_QUEUE_ROOMS,
    [YR_CHANNEL_BULK] = YR_QUEUE_BULK,
};

void yr_streams_init(struct yr_conn *conn)
{
    for (size_t i = 0; i < YR_CHANNEL_COUNT; i++) {
        yr_sendq_init(&conn->channels[i].out, queue_max[i]);
        conn->channels[i].stream = -1;
    }
}

void yr_streams_clear(struct yr_conn *conn)
{
    for (size_t i = 0; i < YR_CHANNEL_COUNT; i++) {
        yr_sendq_clear(&conn->channels[i].out, conn->links->mem);
        yr_assembler_clear(&conn->in[i], conn->links->mem);
    }
}

/* ---- streams in ---- */

// The peer tells how long he lets the link be quiet.
static void on_keepalive(struct yr_conn *conn, const uint8_t *body, size_t len)
{
    struct yr_rd rd = yr_rd_init(body, len);
    const unsigned seconds = yr_rd_u16(&rd);

    if (!yr_rd_done(&rd))
        return;
    conn->peer_keepalive_s =
        YR_MIN(YR_MAX(seconds, YR_LINK_KEEPALIVE_S_MIN), YR_LINK_KEEPALIVE_S_MAX);
    conn->rearm = true; // not in the middle of reading a packet
}

static bool on_frame(void *ctx, uint8_t channel, uint8_t type, const uint8_t *body, size_t len)
{
    struct yr_conn *conn = ctx;
    struct yr_links *links = conn->links;
    struct yr_link *link = conn->link;

    if (link != NULL && link->unsettled)
        yr_link_settle(links, link); // "up" comes before the first frame
    if (conn->state != YR_CONN_UP || conn->link == NULL)
        return false;
    if (channel == YR_CHANNEL_CONTROL && type == YR_FRAME_KEEPALIVE) {
        on_keepalive(conn, body, len);
        return true;
    }
    links->ops.frame(links->ops.ctx, link->slot, channel, type, body, len);
    return conn->state == YR_CONN_UP;
}

// A channel's stream is opened once by each end and lives as long as the connection.
static bool claim(struct yr_conn *conn, const struct yr_assembler *in, bool was_open)
{
    if (was_open || !in->open)
        return true;
    if (conn->channels[in->channel].claimed)
        return false;
    return conn->channels[in->channel].claimed = true;
}

int yr_streams_on_data(ngtcp2_conn *quic, uint32_t flags, int64_t stream, uint64_t offset,
                       const uint8_t *data, size_t len, void *ctx, void *stream_ctx)
{
    struct yr_conn *conn = ctx;
    const uint64_t index = (uint64_t)stream / 4;
    struct yr_assembler *in;
    size_t first;
    bool was_open;
    enum yr_err err;

    (void)offset;
    (void)stream_ctx;
    conn->fed = true;
    if (conn->state != YR_CONN_UP)
        return 0;
    if (ngtcp2_conn_is_local_stream(quic, stream) || !ngtcp2_is_bidi_stream(stream) ||
        index >= YR_CHANNEL_COUNT || (flags & NGTCP2_STREAM_DATA_FLAG_FIN) != 0) {
        yr_conn_break(conn, 0);
        return 0;
    }
    if (len == 0)
        return 0;
    in = &conn->in[index];
    was_open = in->open;
    first = was_open ? 0 : 1; // the channel alone: it must be nobody's yet
    err = yr_assembler_feed(in, conn->links->mem, YR_CHANNEL_COUNT, data, first, on_frame, conn);
    if (err == YR_OK && !claim(conn, in, was_open))
        err = YR_EPROTO;
    if (err == YR_OK)
        err = yr_assembler_feed(in, conn->links->mem, YR_CHANNEL_COUNT, data + first, len - first,
                                on_frame, conn);
    if (err == YR_ENOMEM) { // ours alone: ngtcp2 can still say goodbye
        yr_links_count(conn->links, YR_LINK_N_NOMEM);
        yr_conn_end(conn, YR_LINK_DROPPED);
        return 0;
    }
    if (err != YR_OK) {
        yr_conn_break(conn, 0);
        return 0;
    }
    if (ngtcp2_conn_extend_max_stream_offset(quic, stream, len) != 0)
        return NGTCP2_ERR_CALLBACK_FAILURE;
    ngtcp2_conn_extend_max_offset(quic, len);
    return 0;
}

int yr_streams_on_reset(ngtcp2_conn *quic, int64_t stream, uint64_t size, uint64_t code, void *ctx,
                        void *stream_ctx)
{
    (void)quic;
    (void)stream;
    (void)size;
    (void)code;
    (void)stream_ctx;
    yr_conn_break(ctx, 0);
    return 0;
}

int yr_streams_on_stop(ngtcp2_conn *quic, int64_t stream, uint64_t code, void *ctx,
                       void *stream_ctx)
{
    return yr_streams_on_reset(quic, stream, 0, code, ctx, stream_ctx);
}

/* ---- streams out ---- */

static struct yr_conn_channel *channel_of(struct yr_conn *conn, int64_t stream)
{
    for (size_t i = 0; i < YR_CHANNEL_COUNT; i++)
        if (conn->channels[i].stream == stream)
            return &conn->channels[i];
    return NULL;
}

int yr_streams_on_acked(ngtcp2_conn *quic, int64_t stream, uint64_t offset, uint64_t len, void *ctx,
                        void *stream_ctx)
{
    struct yr_conn *conn = ctx;
    struct yr_conn_channel *channel = channel_of(conn, stream);

    (void)quic;
    (void)stream_ctx;
    if (channel == NULL)
        return 0;
    yr_sendq_acked(&channel->out, conn->links->mem, offset + len);
    conn->acked_us = conn->links->now.mono_us;
    if (channel->refused && channel->out.end - channel->out.acked <= channel->out.max / 2) {
        channel->refused = false;
        channel->room = true;
        if (conn->link != NULL)
            yr_link_unsettle(conn->links, conn->link);
    }
    return 0;
}

int yr_streams_on_more_data(ngtcp2_conn *quic, int64_t stream, uint64_t max, void *ctx,
                            void *stream_ctx)
{
    struct yr_conn_channel *channel = channel_of(ctx, stream);

    (void)quic;
    (void)max;
    (void)stream_ctx;
    if (channel != NULL)
        channel->blocked = false;
    return 0;
}

int yr_streams_on_more(ngtcp2_conn *quic, uint64_t max, void *ctx)
{
    struct yr_conn *conn = ctx;

    (void)quic;
    (void)max;
    for (size_t i = 0; i < YR_CHANNEL_COUNT; i++)
        if (conn->channels[i].stream < 0)
            conn->channels[i].blocked = false;
    return 0;
}

/* ---- packets ---- */

static bool open_stream(struct yr_conn *conn, struct yr_conn_channel *channel)
{
    int rv;

    if (channel->stream >= 0)
        return true;
    rv = ngtcp2_conn_open_bidi_stream(conn->quic, &channel->stream, NULL);
    if (rv == 0)
        return true;
    channel->stream = -1;
    channel->blocked = true; // the peer allows fewer streams than there are channels
    if (rv != NGTCP2_ERR_STREAM_ID_BLOCKED)
        yr_conn_fail(conn, rv);
    return false;
}

// Open what has frames waiting; not while a packet is half written.
static void open_streams(struct yr_conn *conn)
{
    for (size_t i = 0; i < YR_CHANNEL_COUNT && conn->state == YR_CONN_UP; i++)
        if (yr_sendq_has(&conn->channels[i].out) && !conn->channels[i].blocked)
            (void)open_stream(conn, &conn->channels[i]);
}

// Channels in the order of their numbers: control (then datagrams), chat, rooms, bulk.
static struct yr_conn_channel *next_channel(struct yr_conn *conn)
{
    for (size_t i = 0; i < YR_CHANNEL_COUNT; i++) {
        struct yr_conn_channel *channel = &conn->channels[i];

        if (yr_sendq_has(&channel->out) && !channel->blocked && channel->stream >= 0)
            return channel;
    }
    return NULL;
}

bool yr_streams_in_flight(const struct yr_conn *conn)
{
    for (size_t i = 0; i < YR_CHANNEL_COUNT; i++)
        if (conn->channels[i].out.acked < conn->channels[i].out.sent)
            return true;
    return false;
}

bool yr_streams_stand(const struct yr_conn *conn)
{
    bool waits = false;

    for (size_t i = 0; i < YR_CHANNEL_COUNT; i++)
        waits = waits || (!conn->channels[i].blocked &&
                          conn->channels[i].out.sent < conn->channels[i].out.end);
    return waits && !yr_streams_in_flight(conn);
}

bool yr_streams_idle(const struct yr_conn *conn)
{
    for (size_t i = 0; i < YR_CHANNEL_COUNT; i++)
        if (conn->channels[i].out.acked < conn->channels[i].out.end)
            return false;
    return true;
}

// One call of ngtcp2: the channel's next bytes, or whatever else is due.
static ngtcp2_ssize write_some(struct yr_conn *conn, struct yr_conn_channel *channel, uint8_t *buf,
                               size_t cap)
{
    const ngtcp2_tstamp now = yr_quic_ns(conn->links->now.mono_us);
    ngtcp2_path_storage path;
    ngtcp2_pkt_info info;
    ngtcp2_vec vec[2];
    struct yr_piece piece[2];
    ngtcp2_ssize taken = -1, n;

    ngtcp2_path_storage_zero(&path);
    if (channel == NULL) {
        n = ngtcp2_conn_writev_stream(conn->quic, &path.path, &info, buf, cap, NULL, 0, -1, NULL, 0,
                                      now);
        return yr_conn_result(conn, n);
    }
    yr_sendq_next(&channel->out, piece);
    for (size_t i = 0; i < 2; i++) {
        vec[i].base = (uint8_t *)(uintptr_t)piece[i].at; // it only reads
        vec[i].len = piece[i].len;
    }
    if (!yr_streams_in_flight(conn))
        conn->acked_us = conn->links->now.mono_us;
    n = ngtcp2_conn_writev_stream(conn->quic, &path.path, &info, buf, cap, &taken,
                                  NGTCP2_WRITE_STREAM_FLAG_MORE, channel->stream, vec,
                                  piece[1].len > 0 ? 2 : 1, now);
    if (taken > 0)
        yr_sendq_sent(&channel->out, (size_t)taken);
    return yr_conn_result(conn, n);
}

size_t yr_streams_write(struct yr_conn *conn, uint8_t *buf, size_t cap)
{
    if (conn->state == YR_CONN_UP)
        open_streams(conn);
    while (conn->state == YR_CONN_HANDSHAKE || conn->state == YR_CONN_UP) {
        struct yr_conn_channel *channel = conn->state == YR_CONN_UP ? next_channel(conn) : NULL;
        const bool control = channel == &conn->channels[YR_CHANNEL_CONTROL];
        const bool datagram = conn->state == YR_CONN_UP && !control && yr_datagrams_due(conn, cap);
        const ngtcp2_ssize n =
            datagram ? yr_datagrams_write(conn, buf, cap) : write_some(conn, channel, buf, cap);

        if (n >= 0)
            return (size_t)n;
        if (n == NGTCP2_ERR_WRITE_MORE)
            continue;
        if (n == NGTCP2_ERR_STREAM_DATA_BLOCKED && channel != NULL && !datagram)
            channel->blocked = true;
        else
            yr_conn_fail(conn, (int)n);
    }
    return 0;
}
