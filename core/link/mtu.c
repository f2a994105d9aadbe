/* How long packets may be on a way that the link has been moved to (RFC 8899): ngtcp2 looks once,
 * where the link began, and not at all if that was a circuit.
 *
 *     moved --a second later--> largest size out --acknowledged--> known
 *                                   \--lost, or 3 s--> next smaller size out ... --> the safe one
 *
 * A probe is a DATAGRAM of padding, which the peer ignores. */
#include "core/link/conn.h"

static const uint16_t sizes[] = {YR_LINK_DATAGRAM_MAX, 1392, 1340, 1252};

static const uint8_t padding[YR_LINK_DATAGRAM_MAX] = {YR_DATAGRAM_PADDING};

void yr_mtu_start(struct yr_conn *conn, yr_us delay)
{
    conn->mtu_step = 0;
    conn->mtu_out = 0;
    conn->mtu_us = conn->links->now.mono_us + delay;
}

static void next_size(struct yr_conn *conn)
{
    conn->mtu_out = 0;
    conn->mtu_step++;
    conn->mtu_us = conn->mtu_step < YR_COUNT(sizes)
                       ? conn->links->now.mono_us + YR_LINK_MTU_GAP_MS * YR_MS
                       : 0;
}

void yr_mtu_tick(struct yr_conn *conn)
{
    if (conn->mtu_us != 0 && conn->mtu_out != 0 && conn->links->now.mono_us >= conn->mtu_us)
        next_size(conn);
}

// While the way is in doubt, or a circuit, there is nothing to find out.
static bool waits(const struct yr_conn *conn)
{
    return conn->mtu_us == 0 || conn->state != YR_CONN_UP || !conn->confirmed || conn->in_doubt ||
           !yr_addr_udp(&conn->addr);
}

bool yr_mtu_due(const struct yr_conn *conn)
{
    return !waits(conn) && conn->mtu_out == 0 && conn->links->now.mono_us >= conn->mtu_us;
}

yr_us yr_mtu_deadline(const struct yr_conn *conn)
{
    return waits(conn) ? YR_NEVER : conn->mtu_us;
}

ngtcp2_ssize yr_mtu_write(struct yr_conn *conn, uint8_t *buf, size_t cap)
{
    const size_t most = ngtcp2_conn_get_path_max_tx_udp_payload_size(conn->quic);
    const size_t size = YR_MIN((size_t)sizes[conn->mtu_step], most);
    const ngtcp2_vec vec = {(uint8_t *)(uintptr_t)padding, size - YR_DATAGRAM_OVERHEAD};
    ngtcp2_path_storage path;
    ngtcp2_pkt_info info;
    ngtcp2_ssize n;
    int taken = 0;

    if (size <= conn->payload_max || size > cap) {
        next_size(conn);
        return 0;
    }
    ngtcp2_path_storage_zero(&path);
    n = ngtcp2_conn_writev_datagram(conn->quic, &path.path, &info, buf, size, &taken,
                                    NGTCP2_WRITE_DATAGRAM_FLAG_NONE, size, &vec, 1,
                                    yr_quic_ns(conn->links->now.mono_us));
    if (taken != 0 && n > 0) {
        conn->mtu_out = size;
        conn->mtu_len = (size_t)n; // up to three bytes less: packet numbers are short at first
    }
    if (taken != 0 || n <= 0) // sent, or there is no room now
        conn->mtu_us = conn->links->now.mono_us + YR_LINK_MTU_WAIT_S * YR_S;
    return yr_conn_result(conn, n);
}

int yr_mtu_on_acked(ngtcp2_conn *quic, uint64_t id, void *ctx)
{
    struct yr_conn *conn = ctx;

    (void)quic;
    if (id == 0 || id != conn->mtu_out)
        return 0;
    conn->payload_max = YR_MAX(conn->mtu_len, (size_t)YR_LINK_DATAGRAM_SAFE);
    conn->mtu_us = 0;
    conn->mtu_out = 0;
    return 0;
}

int yr_mtu_on_lost(ngtcp2_conn *quic, uint64_t id, void *ctx)
{
    struct yr_conn *conn = ctx;

    (void)quic;
    if (id != 0 && id == conn->mtu_out)
        next_size(conn);
    return 0;
}
