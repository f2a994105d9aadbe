/* The Noise handshake inside QUIC's CRYPTO frames:
 *
 *     -> Initial    len u16be | clock 12 | Noise 1 (clock 12 | caps u32 | pair generation u8 |
 * params)
 *     <- Initial    len u16be | Noise 2 (clock 12 | caps u32 | params)
 *     <- Handshake  02        -> Handshake  01      each shows that it has the keys */
#include "core/base/bytes.h"
#include "core/link/conn.h"

#define TAI_EPOCH                                                                  \
    ((1ULL << 62) + 10) /* TAI64 of 1970-01-01 00:00:00 UTC as everybody writes it \
                         */

static const char prologue_head[] = "yaari/1/link";
#define SUITE 1 /* 25519_ChaChaPoly_BLAKE2b */

void yr_clock_next(struct yr_clock *clock, yr_ms wall_ms)
{
    const uint64_t ms = wall_ms > 0 ? (uint64_t)wall_ms : 0;
    struct yr_clock now;
    struct yr_wr wr = yr_wr_init(now.bytes, sizeof now.bytes);
    const uint32_t ns = (uint32_t)(ms % 1000) * 1000000;

    yr_wr_u64be(&wr, TAI_EPOCH + ms / 1000);
    yr_wr_u16be(&wr, (uint16_t)(ns >> 16));
    yr_wr_u16be(&wr, (uint16_t)ns);
    YR_ASSERT(yr_wr_ok(&wr));
    if (yr_clock_above(&now, clock))
        *clock = now;
    else
        yr_increment_be(clock->bytes, sizeof clock->bytes);
}

void yr_handshake_init(struct yr_noise *noise, const struct yr_links *links,
                       const struct yr_link *link, unsigned pair, bool initiator)
{
    uint8_t prologue[sizeof prologue_head - 1 + 1 + 32 + 32 + 4 + 4];
    struct yr_wr wr = yr_wr_init(prologue, sizeof prologue);

    yr_wr_bytes(&wr, prologue_head, sizeof prologue_head - 1);
    yr_wr_u8(&wr, SUITE);
    yr_wr_bytes(&wr, initiator ? links->self_id : link->id, 32);
    yr_wr_bytes(&wr, initiator ? link->id : links->self_id, 32);
    yr_wr_u32(&wr, initiator ? links->self_gen : link->gen);
    yr_wr_u32(&wr, initiator ? link->gen : links->self_gen);
    YR_ASSERT(yr_wr_ok(&wr) && yr_wr_len(&wr) == sizeof prologue);
    yr_noise_init(noise, YR_NOISE_KKPSK0, initiator, &links->self_device, link->device,
                  link->keys[pair].psk, prologue, sizeof prologue);
}

// Not through ngtcp2's own encoder: a responder's parameters are not committed before its Handshake
// keys exist, and those come after this.
static ngtcp2_ssize write_params(struct yr_conn *conn, uint8_t *dst, size_t cap)
{
    ngtcp2_transport_params params = *ngtcp2_conn_get_local_transport_params(conn->quic);

    params.initial_scid = conn->scid;
    params.grease_quic_bit = 0;      // we tell QUIC from our other packets by that bit
    params.version_info_present = 0; // there is one version
    return yr_quic_encode_params(dst, cap, &params, !conn->dialled);
}

// Our Noise message into the CRYPTO stream at Initial level.
static int submit(struct yr_conn *conn)
{
    uint8_t payload[YR_LINK_PAYLOAD_MAX], out[YR_LINK_CRYPTO_MAX], seed[32];
    struct yr_wr wr = yr_wr_init(payload, sizeof payload), head = yr_wr_init(out, 2 + 12);
    size_t msg_len = 0;
    ngtcp2_ssize n;
    enum yr_err err;

    yr_wr_bytes(&wr, conn->mine.bytes, sizeof conn->mine.bytes);
    yr_wr_u32(&wr, YR_LINK_CAPS);
    if (conn->dialled)
        yr_wr_u8(&wr, conn->pair_gen);
    n = write_params(conn, wr.at, (size_t)(wr.end - wr.at));
    if (n < 0)
        return (int)n;
    (void)yr_wr_room(&wr, (size_t)n);

    yr_wr_u16be(&head, 0);
    if (conn->dialled) // under the Initial's AEAD only: an old packet is refused before any DH
        yr_wr_bytes(&head, conn->mine.bytes, sizeof conn->mine.bytes);
    yr_random(conn->links->rng, seed, sizeof seed);
    err = yr_noise_write(&conn->hs->noise, seed, payload, yr_wr_len(&wr), head.at,
                         sizeof out - yr_wr_len(&head), &msg_len);
    yr_wipe(seed, sizeof seed);
    if (err != YR_OK)
        return NGTCP2_ERR_CALLBACK_FAILURE;
    msg_len += yr_wr_len(&head);
    out[0] = (uint8_t)((msg_len - 2) >> 8);
    out[1] = (uint8_t)(msg_len - 2);
    return ngtcp2_conn_submit_crypto_data(conn->quic, YR_QUIC_INITIAL, out, msg_len);
}

static int install_initial(struct yr_conn *conn, const ngtcp2_cid *dcid)
{
    const ngtcp2_crypto_ctx ctx = yr_crypto_ctx();
    struct yr_direction rx, tx;
    uint8_t secrets[2][32];
    int rv = NGTCP2_ERR_CALLBACK_FAILURE;

    yr_initial_secrets(secrets, conn->hs->init, dcid->data, dcid->datalen);
    if (yr_direction_init(&rx, &conn->ring, YR_SPACE_INITIAL, secrets[conn->dialled]) == YR_OK &&
        yr_direction_init(&tx, &conn->ring, YR_SPACE_INITIAL, secrets[!conn->dialled]) == YR_OK) {
        ngtcp2_conn_set_initial_crypto_ctx(conn->quic, &ctx);
        rv = ngtcp2_conn_install_initial_key(conn->quic, &rx.aead, rx.iv, &rx.hp, &tx.aead, tx.iv,
                                             &tx.hp, sizeof rx.iv);
    }
    yr_wipe(secrets, sizeof secrets);
    return rv;
}

static int install_handshake(struct yr_conn *conn, const uint8_t rx_key[32],
                             const uint8_t tx_key[32])
{
    struct yr_direction rx, tx;
    uint8_t secret[2][32];
    int rv = NGTCP2_ERR_CALLBACK_FAILURE;

    yr_kdf(secret[0], 32, rx_key, YR_LABEL_QUIC_HS, NULL, 0);
    yr_kdf(secret[1], 32, tx_key, YR_LABEL_QUIC_HS, NULL, 0);
    if (yr_direction_init(&rx, &conn->ring, YR_SPACE_HANDSHAKE, secret[0]) == YR_OK &&
        yr_direction_init(&tx, &conn->ring, YR_SPACE_HANDSHAKE, secret[1]) == YR_OK &&
        (rv = ngtcp2_conn_install_rx_handshake_key(conn->quic, &rx.aead, rx.iv, sizeof rx.iv,
                                                   &rx.hp)) == 0)
        rv =
            ngtcp2_conn_install_tx_handshake_key(conn->quic, &tx.aead, tx.iv, sizeof tx.iv, &tx.hp);
    yr_wipe(secret, sizeof secret);
    return rv;
}

static int install_app(struct yr_conn *conn, const uint8_t rx_key[32], const uint8_t tx_key[32])
{
    struct yr_direction rx, tx;
    uint8_t secret[2][32];
    int rv = NGTCP2_ERR_CALLBACK_FAILURE;

    yr_kdf(secret[0], 32, rx_key, YR_LABEL_QUIC_AP, NULL, 0);
    yr_kdf(secret[1], 32, tx_key, YR_LABEL_QUIC_AP, NULL, 0);
    if (yr_direction_init(&rx, &conn->ring, YR_SPACE_APP, secret[0]) == YR_OK &&
        yr_direction_init(&tx, &conn->ring, YR_SPACE_APP, secret[1]) == YR_OK &&
        (rv = ngtcp2_conn_install_rx_key(conn->quic, secret[0], 32, &rx.aead, rx.iv, sizeof rx.iv,
                                         &rx.hp)) == 0)
        rv = ngtcp2_conn_install_tx_key(conn->quic, secret[1], 32, &tx.aead, tx.iv, sizeof tx.iv,
                                        &tx.hp);
    yr_wipe(secret, sizeof secret);
    return rv;
}

// Split: keys for everything that follows the two messages.
static int install_split(struct yr_conn *conn)
{
    const ngtcp2_crypto_ctx ctx = yr_crypto_ctx();
    uint8_t keys[2][32]; // the dialler's, the responder's
    const uint8_t *rx = keys[conn->dialled], *tx = keys[!conn->dialled];
    int rv;

    yr_noise_split(&conn->hs->noise, keys[0], keys[1], NULL);
    ngtcp2_conn_set_crypto_ctx(conn->quic, &ctx);
    if ((rv = install_handshake(conn, rx, tx)) == 0)
        rv = install_app(conn, rx, tx);
    yr_wipe(keys, sizeof keys);
    return rv;
}

int yr_handshake_client_initial(ngtcp2_conn *quic, void *ctx)
{
    struct yr_conn *conn = ctx;
    const int rv = install_initial(conn, ngtcp2_conn_get_dcid(quic));

    return rv != 0 ? rv : submit(conn);
}

int yr_handshake_recv_client_initial(ngtcp2_conn *quic, const ngtcp2_cid *dcid, void *ctx)
{
    (void)quic;
    return install_initial(ctx, dcid);
}

// Gather the Initial level's bytes; 1 when the message is whole, 0 while not, else an error.
static int gather(struct yr_conn *conn, const uint8_t *data, size_t len)
{
    struct yr_handshake *hs = conn->hs;

    if (len > sizeof hs->crypto - hs->crypto_len)
        return NGTCP2_ERR_CRYPTO;
    memcpy(hs->crypto + hs->crypto_len, data, len);
    hs->crypto_len += len;
    return hs->crypto_len >= 2 &&
           hs->crypto_len >= 2U + ((size_t)hs->crypto[0] << 8 | hs->crypto[1]);
}

// Message 2: read it, and let the friend's clock rise.
static int read_answer(struct yr_conn *conn)
{
    struct yr_handshake *hs = conn->hs;
    const size_t len = (size_t)hs->crypto[0] << 8 | hs->crypto[1];

    if (yr_noise_read(&hs->noise, hs->crypto + 2, len, hs->payload, sizeof hs->payload,
                      &hs->payload_len) != YR_OK ||
        hs->payload_len <= YR_PAYLOAD_HEAD)
        return NGTCP2_ERR_CRYPTO;
    memcpy(conn->theirs.bytes, hs->payload, sizeof conn->theirs.bytes);
    if (!yr_clock_above(&conn->theirs, &conn->link->theirs))
        return NGTCP2_ERR_CRYPTO; // a later dial or answer of his has overtaken this one
    conn->link->theirs = conn->theirs;
    yr_link_commit_clock(conn->link, conn);
    return 0;
}

// Both messages are known to this side: parameters, keys, and the byte that confirms them.
static int complete(struct yr_conn *conn)
{
    struct yr_handshake *hs = conn->hs;
    const size_t head = YR_PAYLOAD_HEAD + (conn->dialled ? 0 : 1);
    struct yr_rd rd = yr_rd_init(hs->payload + 12, 4);
    const uint8_t confirm = conn->dialled ? 1 : 2;
    int rv;

    conn->caps = yr_rd_u32(&rd);
    if ((rv = yr_quic_set_remote_params(conn->quic, hs->payload + head, hs->payload_len - head)) !=
        0)
        return rv;
    if (!conn->dialled && (rv = submit(conn)) != 0)
        return rv;
    if ((rv = install_split(conn)) != 0)
        return rv;
    // Without the responder's byte the dialler would never start path MTU discovery.
    return ngtcp2_conn_submit_crypto_data(conn->quic, YR_QUIC_HANDSHAKE, &confirm, 1);
}

int yr_handshake_recv_crypto(ngtcp2_conn *quic, yr_quic_level level, uint64_t offset,
                             const uint8_t *data, size_t len, void *ctx)
{
    struct yr_conn *conn = ctx;
    int rv;

    (void)offset; // ngtcp2 gives them in order
    if (level == YR_QUIC_HANDSHAKE) {
        if (!conn->dialled && conn->hs != NULL)
            yr_quic_handshake_completed(quic);
        return 0;
    }
    // A responder has read message 1 before there was a connection, and answers it once.
    if (level != YR_QUIC_INITIAL || conn->hs == NULL || yr_noise_done(&conn->hs->noise))
        return 0;
    if ((rv = gather(conn, data, len)) <= 0)
        return rv;
    if (conn->dialled && (rv = read_answer(conn)) != 0)
        return rv;
    if ((rv = complete(conn)) != 0)
        return rv;
    if (conn->dialled)
        yr_quic_handshake_completed(quic);
    return 0;
}

int yr_handshake_update_key(ngtcp2_conn *quic, uint8_t *rx_secret, uint8_t *tx_secret,
                            ngtcp2_crypto_aead_ctx *rx, uint8_t *rx_iv, ngtcp2_crypto_aead_ctx *tx,
                            uint8_t *tx_iv, const uint8_t *rx_now, const uint8_t *tx_now,
                            size_t secret_len, void *ctx)
{
    struct yr_conn *conn = ctx;

    (void)quic;
    (void)secret_len;
    if (yr_direction_update(&conn->ring, rx_secret, rx, rx_iv, rx_now) != YR_OK ||
        yr_direction_update(&conn->ring, tx_secret, tx, tx_iv, tx_now) != YR_OK)
        return NGTCP2_ERR_CALLBACK_FAILURE;
    return 0;
}
