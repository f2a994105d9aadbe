/* core/link/quic_compat.h: ngtcp2, and all that differs between 0.12.1 (Debian 12) and 1.x. */
#ifndef YR_QUIC_COMPAT_H
#define YR_QUIC_COMPAT_H

#include <ngtcp2/ngtcp2.h>

#if NGTCP2_VERSION_NUM >= 0x010000
typedef ngtcp2_encryption_level yr_quic_level;
typedef ngtcp2_ccerr yr_quic_close;
#define YR_QUIC_INITIAL   NGTCP2_ENCRYPTION_LEVEL_INITIAL
#define YR_QUIC_HANDSHAKE NGTCP2_ENCRYPTION_LEVEL_HANDSHAKE
#else
typedef ngtcp2_crypto_level yr_quic_level;
typedef ngtcp2_connection_close_error yr_quic_close;
#define YR_QUIC_INITIAL   NGTCP2_CRYPTO_LEVEL_INITIAL
#define YR_QUIC_HANDSHAKE NGTCP2_CRYPTO_LEVEL_HANDSHAKE
#endif

/** The handshake (ours, not TLS) is complete. */
static inline void yr_quic_handshake_completed(ngtcp2_conn *quic)
{
#if NGTCP2_VERSION_NUM >= 0x010000
    ngtcp2_conn_tls_handshake_completed(quic);
#else
    ngtcp2_conn_handshake_completed(quic);
#endif
}

/** Take over the peer's transport parameters.  An ngtcp2 error or 0. */
static inline int yr_quic_set_remote_params(ngtcp2_conn *quic, const uint8_t *src, size_t len)
{
#if NGTCP2_VERSION_NUM >= 0x010000
    return ngtcp2_conn_decode_and_set_remote_transport_params(quic, src, len);
#else
    return ngtcp2_conn_decode_remote_transport_params(quic, src, len);
#endif
}

/** Encode transport parameters.  Length or an ngtcp2 error. */
static inline ngtcp2_ssize yr_quic_encode_params(uint8_t *dst, size_t cap,
                                                 ngtcp2_transport_params *params, bool server)
{
#if NGTCP2_VERSION_NUM >= 0x010000
    (void)server;
    params->initial_scid_present = 1;
    return ngtcp2_transport_params_encode(dst, cap, params);
#else
    return ngtcp2_encode_transport_params(dst, cap,
                                          server ? NGTCP2_TRANSPORT_PARAMS_TYPE_ENCRYPTED_EXTENSIONS
                                                 : NGTCP2_TRANSPORT_PARAMS_TYPE_CLIENT_HELLO,
                                          params);
#endif
}

/** A server's parameters name the connection id that the dialler chose first. */
static inline void yr_quic_set_first_cid(ngtcp2_transport_params *params, const ngtcp2_cid *dcid)
{
    params->original_dcid = *dcid;
#if NGTCP2_VERSION_NUM >= 0x010000
    params->original_dcid_present = 1;
#endif
}

/** Smoothed round-trip time, nanoseconds. */
static inline uint64_t yr_quic_rtt_ns(ngtcp2_conn *quic)
{
#if NGTCP2_VERSION_NUM >= 0x010000
    ngtcp2_conn_info info;

    ngtcp2_conn_get_conn_info(quic, &info);
#else
    ngtcp2_conn_stat info;

    ngtcp2_conn_get_conn_stat(quic, &info);
#endif
    return info.smoothed_rtt;
}

/** What a CONNECTION_CLOSE is to say: an application code, or (liberr != 0) ngtcp2's error. */
static inline void yr_quic_close_set(yr_quic_close *out, uint64_t app_code, int liberr)
{
#if NGTCP2_VERSION_NUM >= 0x010000
    ngtcp2_ccerr_default(out);
    if (liberr != 0)
        ngtcp2_ccerr_set_liberr(out, liberr, NULL, 0);
    else
        ngtcp2_ccerr_set_application_error(out, app_code, NULL, 0);
#else
    ngtcp2_connection_close_error_default(out);
    if (liberr != 0)
        ngtcp2_connection_close_error_set_transport_error_liberr(out, liberr, NULL, 0);
    else
        ngtcp2_connection_close_error_set_application_error(out, app_code, NULL, 0);
#endif
}

#endif
