/* Datagrams of a connection: sent once, behind control and before everything else, or dropped. */
#include "core/link/conn.h"

static_assert(YR_DATAGRAM_LEN_MAX == YR_LINK_DATAGRAM_SAFE - YR_DATAGRAM_OVERHEAD,
              "fits any packet");

struct yr_dgram {
    struct yr_dgram *next;
    yr_us at;
    size_t len;
    uint8_t bytes[];
};

static void pop(struct yr_conn *conn)
{
    struct yr_dgram *first = conn->dgram_head;

    conn->dgram_head = first->next;
    if (conn->dgram_head == NULL)
        conn->dgram_tail = NULL;
    conn->dgram_bytes -= first->len;
    yr_free(conn->links->mem, first);
}

void yr_datagrams_clear(struct yr_conn *conn)
{
    while (conn->dgram_head != NULL)
        pop(conn);
}

enum yr_err yr_datagrams_push(struct yr_conn *conn, const uint8_t *bytes, size_t len)
{
    struct yr_dgram *fresh;

    if (len == 0 || len > YR_DATAGRAM_LEN_MAX)
        return YR_ESIZE;
    if (conn->dgram_bytes + len > YR_QUEUE_DATAGRAM) {
        yr_links_count(conn->links, YR_LINK_N_DATAGRAM_FULL);
        return YR_EFULL;
    }
    fresh = yr_realloc(conn->links->mem, YR_MEM_LINK, NULL, sizeof *fresh + len);
    if (fresh == NULL)
        return YR_ENOMEM;
    fresh->next = NULL;
    fresh->at = conn->links->now.mono_us;
    fresh->len = len;
    memcpy(fresh->bytes, bytes, len);
    *(conn->dgram_tail == NULL ? &conn->dgram_head : &conn->dgram_tail->next) = fresh;
    conn->dgram_tail = fresh;
    conn->dgram_bytes += len;
    return YR_OK;
}

// 0.12.1 neither writes nor refuses one that is longer than the packet: the queue would stand
// still.
bool yr_datagrams_due(struct yr_conn *conn, size_t cap)
{
    const yr_us now = conn->links->now.mono_us;

    while (conn->dgram_head != NULL && (conn->dgram_head->len + YR_DATAGRAM_OVERHEAD > cap ||
                                        now - conn->dgram_head->at > YR_LINK_DATAGRAM_MS * YR_MS)) {
        yr_links_count(conn->links, YR_LINK_N_DATAGRAM_LATE);
        pop(conn);
    }
    return conn->dgram_head != NULL;
}

ngtcp2_ssize yr_datagrams_write(struct yr_conn *conn, uint8_t *buf, size_t cap)
{
    struct yr_dgram *first = conn->dgram_head;
    const ngtcp2_vec vec = {first->bytes, first->len};
    ngtcp2_path_storage path;
    ngtcp2_pkt_info info;
    ngtcp2_ssize n;
    int taken = 0;

    ngtcp2_path_storage_zero(&path);
    n = ngtcp2_conn_writev_datagram(conn->quic, &path.path, &info, buf, cap, &taken,
                                    NGTCP2_WRITE_DATAGRAM_FLAG_MORE, 0, &vec, 1,
                                    yr_quic_ns(conn->links->now.mono_us));
    if (taken != 0) {
        conn->asking = true;
        if (conn->link != NULL)
            conn->link->datagrams_out += first->len;
        pop(conn);
    } else if (n == NGTCP2_ERR_INVALID_STATE || n == NGTCP2_ERR_INVALID_ARGUMENT) {
        yr_links_count(conn->links, YR_LINK_N_DATAGRAM_LATE); // the peer takes none, or no such
        pop(conn);
        n = NGTCP2_ERR_WRITE_MORE;
    }
    return yr_conn_result(conn, n);
}

int yr_datagrams_on(ngtcp2_conn *quic, uint32_t flags, const uint8_t *data, size_t len, void *ctx)
{
    struct yr_conn *conn = ctx;
    struct yr_links *links = conn->links;
    struct yr_link *link = conn->link;

    (void)quic;
    (void)flags;
    conn->fed = true;
    if (link != NULL && link->unsettled)
        yr_link_settle(links, link); // "up" comes before the first datagram
    if (conn->state != YR_CONN_UP || conn->link == NULL || len == 0 ||
        data[0] == YR_DATAGRAM_PADDING)
        return 0;
    link->datagrams_in += len;
    links->ops.datagram(links->ops.ctx, link->slot, data, len);
    return 0;
}
