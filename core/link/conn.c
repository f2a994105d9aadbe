#include "core/link/conn.h"

#include <netinet/in.h>

#include "core/link/first.h"

static void enter(struct yr_conn *conn, enum yr_conn_state state)
{
    conn->state = state;
    if (conn->link != NULL)
        yr_link_unsettle(conn->links, conn->link);
}

/* ---- connection ids ---- */

static uint64_t cid_key(const uint8_t *cid)
{
    uint64_t key;

    memcpy(&key, cid, sizeof key); // of a dialler's first id: 8 of its 10 random bytes
    return key != 0 ? key : 1;     // 0 is not a key
}

static enum yr_err cid_add(struct yr_conn *conn, const uint8_t *cid)
{
    const uint64_t key = cid_key(cid);
    enum yr_err err;

    for (size_t i = 0; i < YR_LINK_CIDS_MAX; i++) {
        if (conn->cids[i] != 0)
            continue;
        if ((err = yr_map_put(&conn->links->cids, key, conn)) == YR_OK)
            conn->cids[i] = key;
        return err;
    }
    return YR_EFULL;
}

static void cid_remove(struct yr_conn *conn, const uint8_t *cid)
{
    const uint64_t key = cid_key(cid);

    for (size_t i = 0; i < YR_LINK_CIDS_MAX; i++) {
        if (conn->cids[i] != key)
            continue;
        yr_map_del(&conn->links->cids, key);
        conn->cids[i] = 0;
    }
}

static int on_new_cid(ngtcp2_conn *quic, ngtcp2_cid *cid, uint8_t *token, size_t len, void *ctx)
{
    struct yr_conn *conn = ctx;

    (void)quic;
    cid->datalen = len;
    yr_random(conn->links->rng, cid->data, len);
    yr_random(conn->links->rng, token, NGTCP2_STATELESS_RESET_TOKENLEN); // we never send one
    return cid_add(conn, cid->data) == YR_OK ? 0 : NGTCP2_ERR_CALLBACK_FAILURE;
}

static int on_remove_cid(ngtcp2_conn *quic, const ngtcp2_cid *cid, void *ctx)
{
    (void)quic;
    cid_remove(ctx, cid->data);
    return 0;
}

/* ---- the end ---- */

static void die(struct yr_conn *conn, enum yr_link_end why)
{
    if (conn->state == YR_CONN_DEAD)
        return;
    if (conn->state != YR_CONN_CLOSING && conn->state != YR_CONN_LEAVING)
        conn->why = why;
    enter(conn, YR_CONN_DEAD);
}

void yr_conn_end(struct yr_conn *conn, enum yr_link_end why)
{
    if (conn->state != YR_CONN_HANDSHAKE && conn->state != YR_CONN_UP)
        return;
    // Who dialled needs no goodbye before the answer came; who answered has perhaps been confirmed
    // already by a packet that is still on its way.
    if ((conn->state == YR_CONN_HANDSHAKE && conn->dialled) || yr_conn_held(conn)) {
        die(conn, why);
        return;
    }
    conn->why = why;
    conn->close_code = why == YR_LINK_PROTOCOL   ? YR_CLOSE_PROTOCOL
                       : why == YR_LINK_REPLACED ? YR_CLOSE_REPLACED
                                                 : YR_CLOSE_BYE;
    enter(conn, YR_CONN_CLOSING);
    yr_conn_wake(conn);
}

void yr_conn_break(struct yr_conn *conn, int liberr)
{
    if (conn->state == YR_CONN_UP)
        yr_links_count(conn->links, YR_LINK_N_PROTOCOL);
    conn->liberr = liberr;
    yr_conn_end(conn, YR_LINK_PROTOCOL);
}

void yr_conn_fail(struct yr_conn *conn, int rv)
{
    switch (rv) {
    case NGTCP2_ERR_IDLE_CLOSE:
    case NGTCP2_ERR_HANDSHAKE_TIMEOUT: die(conn, YR_LINK_TIMEOUT); return;
    case NGTCP2_ERR_DRAINING: die(conn, YR_LINK_CLOSED); return;
    case NGTCP2_ERR_CLOSING:
    case NGTCP2_ERR_DROP_CONN:
    case NGTCP2_ERR_RETRY: die(conn, YR_LINK_DROPPED); return;
    case NGTCP2_ERR_NOMEM:
    case NGTCP2_ERR_CALLBACK_FAILURE: // ngtcp2 may stand half changed: nothing more of it
        yr_links_count(conn->links, YR_LINK_N_NOMEM);
        die(conn, YR_LINK_DROPPED);
        return;
    default: yr_conn_break(conn, rv);
    }
}

ngtcp2_ssize yr_conn_result(const struct yr_conn *conn, ngtcp2_ssize rv)
{
    return conn->starved ? NGTCP2_ERR_NOMEM : rv;
}

/* ---- handshake done ---- */

// Both sides have the newest pair generation: the one before it is of no more use.
static void forget_old_pair(struct yr_conn *conn)
{
    struct yr_link *link = conn->link;

    if (link != NULL && link->keys[1].used &&
        yr_equal(conn->hs->init, link->keys[0].init[conn->dialled ? link->out : 1 - link->out], 32))
        yr_link_forget_old_pair(conn->links, link);
}

static int on_completed(ngtcp2_conn *quic, void *ctx)
{
    struct yr_conn *conn = ctx;
    const yr_us now = conn->links->now.mono_us;

    if (!conn->dialled) // from here on his packets carry an id of ours
        cid_remove(conn, ngtcp2_conn_get_client_initial_dcid(quic)->data);
    forget_old_pair(conn);
    yr_noise_clear(&conn->hs->noise);
    yr_free_secret(conn->links->mem, conn->hs);
    conn->hs = NULL;
    conn->confirmed = !conn->dialled; // the dialler waits for HANDSHAKE_DONE
    conn->up_us = conn->heard_us = conn->acked_us = now;
    conn->rekey_us = now + YR_LINK_REKEY_S * YR_S;
    conn->replace_us =
        now + YR_LINK_REPLACE_S * YR_S + (conn->dialled ? 0 : YR_LINK_REPLACE_GRACE_S * YR_S);
    conn->moved = true;
    if (conn->state == YR_CONN_HANDSHAKE)
        enter(conn, YR_CONN_UP);
    return 0;
}

/* ---- the rest of ngtcp2's callbacks ---- */

static int on_confirmed(ngtcp2_conn *quic, void *ctx)
{
    struct yr_conn *conn = ctx;

    (void)quic;
    conn->confirmed = true;
    return 0;
}

static void on_rand(uint8_t *dst, size_t len, const ngtcp2_rand_ctx *ctx)
{
    const struct yr_links *links = ctx->native_handle;

    yr_random(links->rng, dst, len);
}

static int on_path_challenge(ngtcp2_conn *quic, uint8_t *data, void *ctx)
{
    struct yr_conn *conn = ctx;

    (void)quic;
    yr_random(conn->links->rng, data, NGTCP2_PATH_CHALLENGE_DATALEN);
    return 0;
}

static void on_delete_aead(ngtcp2_conn *quic, ngtcp2_crypto_aead_ctx *aead, void *ctx)
{
    struct yr_conn *conn = ctx;

    (void)quic;
    yr_protect_forget(&conn->ring, aead->native_handle);
}

static void on_delete_cipher(ngtcp2_conn *quic, ngtcp2_crypto_cipher_ctx *cipher, void *ctx)
{
    struct yr_conn *conn = ctx;

    (void)quic;
    yr_protect_forget(&conn->ring, cipher->native_handle);
}

// yr_links_recv drops both kinds of packet; ngtcp2 wants these to exist.
static int on_retry(ngtcp2_conn *quic, const ngtcp2_pkt_hd *hd, void *ctx)
{
    (void)quic;
    (void)hd;
    (void)ctx;
    return NGTCP2_ERR_CALLBACK_FAILURE;
}

static int on_version(ngtcp2_conn *quic, uint32_t version, const ngtcp2_cid *dcid, void *ctx)
{
    (void)quic;
    (void)version;
    (void)dcid;
    (void)ctx;
    return NGTCP2_ERR_CALLBACK_FAILURE;
}

static const ngtcp2_callbacks callbacks = {
    .client_initial = yr_handshake_client_initial,
    .recv_client_initial = yr_handshake_recv_client_initial,
    .recv_crypto_data = yr_handshake_recv_crypto,
    .handshake_completed = on_completed,
    .encrypt = yr_protect_encrypt,
    .decrypt = yr_protect_decrypt,
    .hp_mask = yr_protect_mask,
    .recv_stream_data = yr_streams_on_data,
    .acked_stream_data_offset = yr_streams_on_acked,
    .stream_reset = yr_streams_on_reset,
    .stream_stop_sending = yr_streams_on_stop,
    .extend_max_stream_data = yr_streams_on_more_data,
    .extend_max_local_streams_bidi = yr_streams_on_more,
    .recv_retry = on_retry,
    .rand = on_rand,
    .get_new_connection_id = on_new_cid,
    .remove_connection_id = on_remove_cid,
    .update_key = yr_handshake_update_key,
    .delete_crypto_aead_ctx = on_delete_aead,
    .delete_crypto_cipher_ctx = on_delete_cipher,
    .recv_datagram = yr_datagrams_on,
    .ack_datagram = yr_mtu_on_acked,
    .lost_datagram = yr_mtu_on_lost,
    .handshake_confirmed = on_confirmed,
    .get_path_challenge_data = on_path_challenge,
    .version_negotiation = on_version,
};

/* ---- ngtcp2's memory, counted for each connection ---- */

static void *quic_realloc(void *ptr, size_t size, void *ctx)
{
    struct yr_conn *conn = ctx;
    struct yr_mem *mem = conn->links->mem;
    const size_t before = mem->used[YR_MEM_LINK];
    void *fresh;

    fresh =
        size > YR_LINK_MEM_MAX - conn->quic_bytes ? NULL : yr_realloc(mem, YR_MEM_LINK, ptr, size);
    conn->starved = conn->starved || (fresh == NULL && size > 0);
    conn->quic_bytes = conn->quic_bytes + mem->used[YR_MEM_LINK] - before;
    return fresh;
}

static void *quic_malloc(size_t size, void *ctx)
{
    return quic_realloc(NULL, size, ctx);
}

static void *quic_calloc(size_t count, size_t size, void *ctx)
{
    void *ptr = size != 0 && count > SIZE_MAX / size ? NULL : quic_malloc(count * size, ctx);

    if (ptr != NULL)
        memset(ptr, 0, count * size);
    return ptr;
}

static void quic_free(void *ptr, void *ctx)
{
    struct yr_conn *conn = ctx;
    struct yr_mem *mem = conn->links->mem;
    const size_t before = mem->used[YR_MEM_LINK];

    yr_free_secret(mem, ptr); // it keeps traffic secrets, and 0.12.1 wipes nothing
    conn->quic_bytes -= before - mem->used[YR_MEM_LINK];
}

/* ---- birth and death ---- */

// The one path ngtcp2 ever knows; where packets really go is decided below it.
struct fake_path {
    struct sockaddr_in local, remote;
    ngtcp2_path path;
};

static void fake_path_init(struct fake_path *fake)
{
    memset(fake, 0, sizeof *fake);
    fake->local.sin_family = fake->remote.sin_family = AF_INET; // it compares no other families
    fake->local.sin_port = 1;
    fake->remote.sin_port = 2;
    fake->path.local.addr = (ngtcp2_sockaddr *)&fake->local;
    fake->path.local.addrlen = sizeof fake->local;
    fake->path.remote.addr = (ngtcp2_sockaddr *)&fake->remote;
    fake->path.remote.addrlen = sizeof fake->remote;
}

static void settings_init(ngtcp2_settings *settings, struct yr_links *links,
                          const struct yr_addr *addr)
{
    ngtcp2_settings_default(settings);
    // A circuit has no path MTU to discover; where the link is moved to, we look ourselves.
    settings->no_pmtud = settings->no_tx_udp_payload_size_shaping = !yr_addr_udp(addr);
    settings->cc_algo = NGTCP2_CC_ALGO_CUBIC;
    settings->initial_ts = yr_quic_ns(links->now.mono_us);
    settings->initial_rtt = 200 * NGTCP2_MILLISECONDS;
    settings->handshake_timeout = yr_quic_ns(YR_LINK_DIAL_S * YR_S);
    settings->max_tx_udp_payload_size = YR_LINK_DATAGRAM_MAX;
    settings->rand_ctx.native_handle = links;
    // max_stream_window stays 0: 0.12.1 forgets a window it raised when the frame that says so does
    // not fit its packet, and ends the connection when the peer uses it.  So streams start full.
}

static void params_init(ngtcp2_transport_params *params)
{
    ngtcp2_transport_params_default(params);
    params->initial_max_data = YR_LINK_WINDOW;
    params->initial_max_stream_data_bidi_remote = YR_LINK_STREAM_WINDOW;
    params->initial_max_streams_bidi = YR_CHANNEL_COUNT;
    params->max_idle_timeout = yr_quic_ns(YR_LINK_IDLE_S * YR_S);
    params->max_udp_payload_size = YR_PACKET_MAX;
    params->max_datagram_frame_size = YR_PACKET_MAX;
    params->active_connection_id_limit = 2;
    params->disable_active_migration = 1;
}

// A connection without its ngtcp2 half, in the tables.
static enum yr_err conn_new(struct yr_conn **out, struct yr_links *links, struct yr_link *link,
                            unsigned pair, bool dialled, const struct yr_addr *addr)
{
    struct yr_conn *conn = yr_alloc(links->mem, YR_MEM_LINK, sizeof *conn);
    enum yr_err err;

    if (conn == NULL)
        return YR_ENOMEM;
    conn->links = links;
    conn->quic_mem = (ngtcp2_mem){conn, quic_malloc, quic_free, quic_calloc, quic_realloc};
    conn->dialled = dialled;
    conn->pair_gen = link->keys[pair].gen;
    conn->addr = *addr;
    conn->payload_max = yr_addr_udp(addr) ? YR_LINK_DATAGRAM_MAX : YR_LINK_DATAGRAM_SAFE;
    conn->made_us = conn->heard_us = conn->active_us = links->now.mono_us;
    conn->direct_us = links->now.mono_us;
    conn->peer_keepalive_s = YR_LINK_KEEPALIVE_S;
    conn->scid.datalen = YR_CID_LEN;
    yr_random(links->rng, conn->scid.data, YR_CID_LEN);
    yr_keyring_init(&conn->ring);
    yr_streams_init(conn);
    if ((err = yr_links_enlist(links, link, conn)) != YR_OK) {
        yr_free_secret(links->mem, conn);
        return err;
    }
    if ((err = cid_add(conn, conn->scid.data)) == YR_OK &&
        (conn->hs = yr_alloc(links->mem, YR_MEM_LINK, sizeof *conn->hs)) == NULL)
        err = YR_ENOMEM;
    if (err != YR_OK) {
        yr_conn_free(conn);
        return err;
    }
    memcpy(conn->hs->init, link->keys[pair].init[dialled ? link->out : 1 - link->out], 32);
    *out = conn;
    return YR_OK;
}

enum yr_err yr_conn_dial(struct yr_conn **out, struct yr_link *link, struct yr_links *links,
                         const struct yr_addr *addr)
{
    struct yr_link_keys *keys = &link->keys[0];
    struct yr_conn *conn = NULL;
    ngtcp2_transport_params params;
    ngtcp2_settings settings;
    struct fake_path fake;
    ngtcp2_cid dcid = {.datalen = YR_CID1_LEN};
    enum yr_err err;

    if ((err = conn_new(&conn, links, link, 0, true, addr)) != YR_OK)
        return err;
    yr_random(links->rng, dcid.data, YR_CID1_RAND);
    yr_siphash(dcid.data + YR_CID1_RAND, keys->hint[link->out], dcid.data, YR_CID1_RAND);
    yr_handshake_init(&conn->hs->noise, links, link, 0, true);
    fake_path_init(&fake);
    settings_init(&settings, links, addr);
    params_init(&params);
    if (ngtcp2_conn_client_new(&conn->quic, &dcid, &conn->scid, &fake.path, NGTCP2_PROTO_VER_V1,
                               &callbacks, &settings, &params, &conn->quic_mem, conn) != 0) {
        conn->quic = NULL;
        yr_conn_free(conn);
        return YR_ENOMEM;
    }
    yr_conn_keepalive(conn);
    yr_clock_next(&link->ours, links->now.wall_ms);
    conn->mine = link->ours;
    yr_link_commit_clock(link, conn);
    yr_conn_wake(conn);
    *out = conn;
    return YR_OK;
}

enum yr_err yr_conn_answer(struct yr_conn **out, struct yr_links *links, struct yr_first *first,
                           const struct yr_addr *from)
{
    struct yr_link *link = first->link;
    struct yr_conn *conn = NULL;
    ngtcp2_transport_params params;
    ngtcp2_settings settings;
    struct fake_path fake;
    enum yr_err err;

    if ((err = conn_new(&conn, links, link, first->pair, false, from)) != YR_OK)
        return err;
    conn->hs->noise = first->noise;
    memcpy(conn->hs->payload, first->payload, first->payload_len);
    conn->hs->payload_len = first->payload_len;
    fake_path_init(&fake);
    settings_init(&settings, links, from);
    params_init(&params);
    yr_quic_set_first_cid(&params, &first->dcid);
    if ((err = cid_add(conn, first->dcid.data)) != YR_OK ||
        ngtcp2_conn_server_new(&conn->quic, &first->scid, &conn->scid, &fake.path,
                               NGTCP2_PROTO_VER_V1, &callbacks, &settings, &params, &conn->quic_mem,
                               conn) != 0) {
        conn->quic = NULL;
        yr_conn_free(conn);
        return YR_ENOMEM;
    }
    yr_conn_keepalive(conn);
    memcpy(conn->theirs.bytes, first->payload, sizeof conn->theirs.bytes);
    link->theirs = conn->theirs;
    yr_clock_next(&link->ours, links->now.wall_ms);
    conn->mine = link->ours;
    yr_link_commit_clock(link, conn);
    *out = conn;
    return YR_OK;
}

void yr_conn_free(struct yr_conn *conn)
{
    struct yr_links *links;

    if (conn == NULL)
        return;
    links = conn->links;
    for (size_t i = 0; i < YR_LINK_CIDS_MAX; i++)
        if (conn->cids[i] != 0)
            yr_map_del(&links->cids, conn->cids[i]);
    yr_links_delist(conn);
    if (conn->quic != NULL)
        ngtcp2_conn_del(conn->quic); // before the chunks it points into
    YR_ASSERT(conn->quic_bytes == 0);
    yr_streams_clear(conn);
    yr_datagrams_clear(conn);
    if (conn->hs != NULL)
        yr_noise_clear(&conn->hs->noise);
    yr_free_secret(links->mem, conn->hs);
    yr_keyring_clear(&conn->ring);
    yr_free_secret(links->mem, conn);
}

/* ---- keepalive, silence, doubt ---- */

// Seconds of quiet before we ask.  The answerer lets the dialler ask first; and who knows that the
// peer asks more often than he does himself looks soon after that ought to have happened.
static unsigned quiet_s(const struct yr_conn *conn)
{
    const unsigned own = conn->link != NULL ? conn->link->keepalive_s : YR_LINK_KEEPALIVE_S;

    return YR_MIN(own + (conn->dialled ? 0 : 1), conn->peer_keepalive_s + YR_LINK_LATE_S);
}

void yr_conn_keepalive(struct yr_conn *conn)
{
    // 1 ns: what ngtcp2 writes next is a packet that wants an answer.
    ngtcp2_conn_set_keep_alive_timeout(conn->quic,
                                       conn->nudge ? 1 : yr_quic_ns(quiet_s(conn) * YR_S));
}

void yr_conn_nudge(struct yr_conn *conn)
{
    conn->nudge = true;
    yr_conn_keepalive(conn);
    yr_conn_wake(conn);
}

// When a connection that is up ends unless something comes.
static yr_us silence_ends(const struct yr_conn *conn)
{
    const unsigned limit = YR_MAX(YR_LINK_SILENCE_S, quiet_s(conn) + YR_LINK_DYING_S);

    return conn->heard_us + limit * YR_S;
}

// A packet that wants an answer is out.
static void asked(struct yr_conn *conn)
{
    const yr_us now = conn->links->now.mono_us;
    const yr_us pto = ngtcp2_conn_get_pto(conn->quic) / 1000;

    if (conn->asked_us != 0 || conn->state != YR_CONN_UP)
        return;
    conn->asked_us = now;
    conn->doubt_us = now + YR_MAX(YR_LINK_DOUBT_S * YR_S, 2 * pto);
}

// A fresh packet came: an answer, unless what is under way in the streams is still not
// acknowledged.
static void answered(struct yr_conn *conn)
{
    const bool waits = yr_streams_in_flight(conn);

    if (conn->asked_us == 0 || (waits && conn->acked_us != conn->links->now.mono_us))
        return;
    conn->asked_us = 0;
    conn->in_doubt = conn->doubted = false;
    if (waits)
        asked(conn);
}

static void doubt(struct yr_conn *conn)
{
    const yr_us now = conn->links->now.mono_us;

    if (conn->asked_us == 0 || now < conn->doubt_us)
        return;
    conn->doubt_us = now + YR_LINK_DOUBT_AGAIN_S * YR_S;
    conn->in_doubt = conn->doubted = true;
    yr_links_count(conn->links, YR_LINK_N_DOUBT);
    if (conn->link != NULL)
        yr_link_unsettle(conn->links, conn->link);
}

/* ---- in ---- */

static bool same_host(const struct yr_addr *a, const struct yr_addr *b)
{
    struct yr_addr c = *b;

    c.port = a->port;
    c.local = a->local;
    return yr_addr_eq(a, &c);
}

// May a fresh packet from there move it?  Two ends that disagree settle on the UDP address.
static bool may_move(const struct yr_conn *conn, const struct yr_addr *from)
{
    const yr_us now = conn->links->now.mono_us;

    if (yr_addr_udp(from) || !yr_addr_udp(&conn->addr))
        return true;
    return conn->in_doubt || yr_addr_eq(from, &conn->expected) ||
           now - conn->direct_us >= YR_LINK_DIRECT_S * YR_S;
}

void yr_conn_move(struct yr_conn *conn, const struct yr_addr *to)
{
    // What path MTU discovery found holds for the old path only.
    if (conn->state == YR_CONN_UP && !same_host(&conn->addr, to)) {
        conn->payload_max = YR_LINK_DATAGRAM_SAFE;
        yr_mtu_start(conn, YR_LINK_MTU_CALM_S * YR_S);
    }
    if (yr_addr_udp(to) && !yr_addr_udp(&conn->addr))
        conn->direct_us = conn->links->now.mono_us;
    memset(&conn->expected, 0, sizeof conn->expected);
    conn->addr = *to;
    conn->moved = true;
    if (conn->link == NULL || conn->state != YR_CONN_UP)
        return;
    yr_links_count(conn->links, YR_LINK_N_MOVED);
    yr_link_unsettle(conn->links, conn->link);
}

// Sleep until ngtcp2 wants something.
static void doze(struct yr_conn *conn)
{
    const yr_us now = conn->links->now.mono_us;
    // Rounded up, and beyond: 0.12.1 has a timer due at t that it handles only after t.
    const ngtcp2_tstamp expiry = ngtcp2_conn_get_expiry(conn->quic);
    yr_us at = expiry == UINT64_MAX ? YR_NEVER : YR_MAX(expiry / 1000 + 1, now + 1);

    if (conn->state == YR_CONN_UP) {
        if (conn->unanswered_us != 0 && yr_streams_idle(conn))
            at = YR_MAX(at, conn->unanswered_us + YR_LINK_ACK_MS * YR_MS);
        at = YR_MIN(at, silence_ends(conn));
        at = YR_MIN(at, conn->replace_us);
        if (conn->stood_us != 0)
            at = YR_MIN(at, YR_MAX(conn->stood_us + YR_LINK_STAND_S * YR_S, now + 1));
        if (conn->asked_us != 0)
            at = YR_MIN(at, YR_MAX(conn->doubt_us, now + 1));
        at = YR_MIN(at, YR_MAX(yr_mtu_deadline(conn), now + 1));
        if (conn->dialled)
            at = YR_MIN(at, conn->rekey_us);
    }
    yr_links_schedule(conn, at);
}

// A single packet with data for us, and nothing to say: ngtcp2 would acknowledge it an eighth of a
// round trip after it came, which is at once when the friend is near.  Another may come, or an
// answer leave, and do it as well.
static bool may_wait(const struct yr_conn *conn)
{
    return conn->fed && conn->state == YR_CONN_UP && conn->unanswered_us == 0 && !conn->dirty &&
           yr_streams_idle(conn);
}

// What a packet costs with the headers of IP and UDP; on a circuit they are another link's.
static size_t on_the_way(const struct yr_conn *conn, size_t len)
{
    return len + (conn->addr.family == 4 ? 28U : conn->addr.family == 6 ? 48U : 0U);
}

void yr_conn_recv(struct yr_conn *conn, const struct yr_addr *from, const uint8_t *packet,
                  size_t len)
{
    struct yr_links *links = conn->links;
    int64_t before[YR_SPACE_COUNT];
    const uint64_t opened = conn->ring.opened;
    const ngtcp2_pkt_info info = {0};
    struct fake_path fake;
    bool fresh = false, wait;
    int rv;

    fake_path_init(&fake);
    conn->fed = false;
    memcpy(before, conn->ring.highest, sizeof before);
    if (conn->link != NULL)
        conn->link->in_bytes += on_the_way(conn, len);
    links->current = conn;
    rv = ngtcp2_conn_read_pkt(conn->quic, &fake.path, &info, packet, len,
                              yr_quic_ns(links->now.mono_us));
    links->current = NULL;
    rv = (int)yr_conn_result(conn, rv);
    wait = may_wait(conn) && yr_addr_eq(&conn->addr, from);
    // Only what has never been here before counts: a copy of an old packet decrypts too.
    for (size_t i = 0; i < YR_SPACE_COUNT; i++)
        fresh = fresh || conn->ring.highest[i] > before[i];
    if (conn->ring.opened != opened)
        conn->active_us = links->now.mono_us;
    if (fresh) {
        conn->heard_us = links->now.mono_us;
        if (conn->fed && conn->unanswered_us == 0)
            conn->unanswered_us = links->now.mono_us;
        answered(conn);
        if (!yr_addr_eq(&conn->addr, from)) {
            if (may_move(conn, from))
                yr_conn_move(conn, from);
            else
                yr_links_count(links, YR_LINK_N_STRAY);
        }
        if (yr_addr_udp(from))
            conn->direct_us = links->now.mono_us;
    }
    if (rv != 0)
        yr_conn_fail(conn, rv);
    else if (fresh && wait)
        doze(conn);
    else if (conn->ring.opened != opened) // else there is nothing to answer
        yr_conn_wake(conn);
}

/* ---- out ---- */

// The goodbye, and when it is due again.
static size_t write_goodbye(struct yr_conn *conn, uint8_t *buf)
{
    conn->dirty = false;
    conn->goodbyes++;
    yr_links_schedule(conn, conn->links->now.mono_us +
                                (YR_LINK_GOODBYE_MS * YR_MS << (conn->goodbyes - 1)));
    memcpy(buf, conn->goodbye, conn->goodbye_len);
    return conn->goodbye_len;
}

// From here on it only repeats its goodbye: all else is given back.
static size_t leave(struct yr_conn *conn, uint8_t *buf, size_t len)
{
    memcpy(conn->goodbye, buf, len);
    conn->goodbye_len = len;
    ngtcp2_conn_del(conn->quic); // before the chunks it points into
    conn->quic = NULL;
    yr_streams_clear(conn);
    yr_datagrams_clear(conn);
    enter(conn, YR_CONN_LEAVING);
    return write_goodbye(conn, buf);
}

static size_t write_close(struct yr_conn *conn, uint8_t *buf, size_t cap)
{
    ngtcp2_path_storage path;
    ngtcp2_pkt_info info;
    yr_quic_close close;
    ngtcp2_ssize n;

    ngtcp2_path_storage_zero(&path);
    yr_quic_close_set(&close, conn->close_code, conn->liberr);
    n = ngtcp2_conn_write_connection_close(conn->quic, &path.path, &info, buf, cap, &close,
                                           yr_quic_ns(conn->links->now.mono_us));
    // Whoever has replaced it knows; and nobody makes us remember many.
    if (n > 0 && n <= YR_LINK_GOODBYE_MAX && conn->why != YR_LINK_REPLACED &&
        conn->links->conn_count <= YR_LINK_CONNS_MAX / 2)
        return leave(conn, buf, (size_t)n);
    die(conn, conn->why);
    return n > 0 ? (size_t)n : 0;
}

// Nothing more for now: tell the pacer what was sent.
static void rest(struct yr_conn *conn)
{
    conn->burst = 0;
    conn->dirty = false;
    if (conn->state != YR_CONN_UP || !yr_streams_stand(conn))
        conn->stood_us = 0;
    else if (conn->stood_us == 0)
        conn->stood_us = conn->links->now.mono_us;
    ngtcp2_conn_update_pkt_tx_time(conn->quic, yr_quic_ns(conn->links->now.mono_us));
    doze(conn);
}

size_t yr_conn_payload(const struct yr_conn *conn)
{
    const bool via = !yr_addr_udp(&conn->addr) && conn->confirmed;

    return via ? YR_MIN(conn->payload_max, (size_t)YR_LINK_VIA_MAX) : conn->payload_max;
}

// What was written: does it want an answer?  ngtcp2 has sent a PING if it was time for one.
static void wrote(struct yr_conn *conn, size_t n)
{
    const yr_us now = conn->links->now.mono_us;
    const bool pinged = conn->nudge || now >= conn->active_us + quiet_s(conn) * YR_S;

    if (n > 0 && (conn->asking || pinged || yr_streams_in_flight(conn)))
        asked(conn);
    if (n > 0)
        conn->active_us = now;
    if (conn->nudge) {
        conn->nudge = false;
        yr_conn_keepalive(conn);
    }
}

// A probe of the path MTU, if it is written.
static size_t probe_mtu(struct yr_conn *conn, uint8_t *buf, size_t cap)
{
    const ngtcp2_ssize n = yr_mtu_write(conn, buf, cap);

    if (n < 0)
        yr_conn_fail(conn, (int)n);
    return n > 0 ? (size_t)n : 0;
}

size_t yr_conn_write(struct yr_conn *conn, uint8_t *buf, size_t cap)
{
    size_t n, whole;

    if (conn->state == YR_CONN_DEAD || yr_conn_held(conn))
        return 0;
    if (conn->state == YR_CONN_LEAVING)
        return write_goodbye(conn, buf);
    whole = cap;
    cap = YR_MIN(cap, yr_conn_payload(conn));
    if (conn->state == YR_CONN_CLOSING)
        return write_close(conn, buf, cap);
    if (conn->rearm) {
        conn->rearm = false;
        yr_conn_keepalive(conn);
    }
    conn->asking = false;
    n = yr_mtu_due(conn) ? probe_mtu(conn, buf, whole) : 0;
    if (n == 0)
        n = yr_streams_write(conn, buf, cap);
    if (conn->state == YR_CONN_CLOSING)
        return write_close(conn, buf, cap);
    if (conn->state == YR_CONN_DEAD)
        return 0;
    wrote(conn, n);
    if (conn->link != NULL && n > 0)
        conn->link->out_bytes += on_the_way(conn, n);
    conn->burst += n;
    conn->packets += n > 0;
    if (n > 0)
        conn->unanswered_us = 0;
    if (n == 0 || conn->burst >= ngtcp2_conn_get_send_quantum(conn->quic))
        rest(conn);
    return n;
}

void yr_conn_wake(struct yr_conn *conn)
{
    conn->dirty = true;
    if (yr_conn_held(conn)) { // until it is released, only its patience counts
        const yr_us patience =
            conn->state == YR_CONN_UP ? silence_ends(conn) : conn->made_us + YR_LINK_DIAL_S * YR_S;
        yr_links_schedule(conn, patience);
        return;
    }
    yr_links_schedule(conn, 0);
}

/* ---- timers ---- */

// Only the dialler starts key updates: from both ends they can deadlock in 0.12.1.
static void rekey(struct yr_conn *conn)
{
    const yr_us now = conn->links->now.mono_us;

    if (conn->state != YR_CONN_UP || !conn->dialled ||
        (now < conn->rekey_us && conn->packets < YR_LINK_REKEY_PACKETS))
        return;
    if (ngtcp2_conn_initiate_key_update(conn->quic, yr_quic_ns(now)) != 0) {
        conn->rekey_us = now + YR_S; // the one before is not confirmed yet
        return;
    }
    conn->packets = 0;
    conn->rekey_us = now + YR_LINK_REKEY_S * YR_S;
    yr_links_count(conn->links, YR_LINK_N_REKEY);
}

void yr_conn_tick(struct yr_conn *conn)
{
    const yr_us now = conn->links->now.mono_us;
    int rv = 0;

    if (conn->state == YR_CONN_LEAVING && conn->goodbyes < YR_LINK_GOODBYES)
        yr_conn_wake(conn);
    else if (conn->state == YR_CONN_LEAVING)
        die(conn, conn->why);
    if (conn->state != YR_CONN_HANDSHAKE && conn->state != YR_CONN_UP)
        return;
    if (conn->state == YR_CONN_HANDSHAKE ? now >= conn->made_us + YR_LINK_DIAL_S * YR_S
                                         : now >= silence_ends(conn)) {
        die(conn, YR_LINK_TIMEOUT);
        return;
    }
    // 0.12.1 may count bytes for ever that are no more in flight, and then sends nothing but PINGs.
    if (conn->state == YR_CONN_UP && conn->stood_us != 0 &&
        now >= conn->stood_us + YR_LINK_STAND_S * YR_S) {
        die(conn, YR_LINK_TIMEOUT);
        return;
    }
    if (ngtcp2_conn_get_expiry(conn->quic) <= yr_quic_ns(now))
        rv = (int)yr_conn_result(conn, ngtcp2_conn_handle_expiry(conn->quic, yr_quic_ns(now)));
    if (rv != 0) {
        yr_conn_fail(conn, rv);
        return;
    }
    rekey(conn);
    doubt(conn);
    yr_mtu_tick(conn);
    if (conn->state == YR_CONN_UP && yr_streams_in_flight(conn) &&
        now - conn->acked_us >= YR_LINK_STALL_S * YR_S &&
        conn->payload_max > YR_LINK_DATAGRAM_SAFE) {
        conn->payload_max = YR_LINK_DATAGRAM_SAFE;
        yr_mtu_start(conn, YR_LINK_MTU_STALL_S * YR_S);
    }
    yr_conn_wake(conn);
}
