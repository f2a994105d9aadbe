#include <dirent.h>
#include <jansson.h>
#include <stdio.h>

#include "core/crypto/aead.h"
#include "core/crypto/noise.h"
#include "tests/support/hex.h"
#include "tests/support/seeded.h"
#include "tests/support/test.h"

#define FLYNN "/usr/share/gocode/src/github.com/flynn/noise/vectors.txt"

#define MESSAGES_MAX 10

struct bytes {
    uint8_t at[256];
    size_t len;
    bool given;
};

// One published handshake, whatever file it came from.
struct vector {
    char name[64];
    struct bytes prologue, init_static, resp_static, init_ephemeral, resp_ephemeral, psk;
    struct bytes hash, exporter; // not in every file
    struct {
        struct bytes payload, ciphertext;
    } messages[MESSAGES_MAX];
    size_t message_count;
    bool first_key_first; // transport starts with the initiator's key, whoever sent last (flynn)
};

static void from_hex(struct bytes *out, const char *hex)
{
    out->len = unhex(out->at, sizeof out->at, hex);
    out->given = true;
}

static bool find_pattern(const char *name, enum yr_noise_pattern *out)
{
    static const char *const names[] = {
#define X(name, text, pre, ...) [YR_NOISE_##name] = "Noise_" text "_25519_ChaChaPoly_BLAKE2b",
        YR_NOISE_MAP(X)
#undef X
    };

    for (size_t i = 0; i < YR_COUNT(names); i++) {
        if (strcmp(names[i], name) == 0) {
            *out = (enum yr_noise_pattern)i;
            return true;
        }
    }
    return false;
}

static void start(struct yr_noise hs[2], const struct vector *v)
{
    enum yr_noise_pattern pattern = YR_NOISE_COUNT;
    struct yr_keypair s[2];
    const bool xk = strncmp(v->name, "Noise_XK", 8) == 0;
    const uint8_t *psk;

    assert_true(find_pattern(v->name, &pattern));
    psk = strstr(v->name, "psk") != NULL ? v->psk.at : NULL;
    assert_true(psk == NULL || v->psk.len == 32);
    yr_keypair_from_seed(&s[0], v->init_static.at);
    yr_keypair_from_seed(&s[1], v->resp_static.at);
    yr_noise_init(&hs[0], pattern, true, &s[0], s[1].public_key, psk, v->prologue.at,
                  v->prologue.len);
    yr_noise_init(&hs[1], pattern, false, &s[1], xk ? NULL : s[0].public_key, psk, v->prologue.at,
                  v->prologue.len);
}

static void check_transport(const struct yr_noise hs[2], const struct vector *v, size_t first)
{
    uint8_t keys[2][32], again[2][32], exporter[2][32], out[sizeof v->messages[0].payload.at + 16];
    uint64_t counters[2] = {0, 0};

    yr_noise_split(&hs[0], keys[0], keys[1], exporter[0]);
    yr_noise_split(&hs[1], again[0], again[1], exporter[1]);
    assert_memory_equal(keys, again, sizeof keys);
    assert_memory_equal(exporter[0], exporter[1], 32);
    assert_memory_equal(hs[0].hash, hs[1].hash, sizeof hs[0].hash);
    if (v->hash.given)
        assert_memory_equal(hs[0].hash, v->hash.at, sizeof hs[0].hash);
    if (v->exporter.given)
        assert_memory_equal(exporter[0], v->exporter.at, 32);
    for (size_t i = first; i < v->message_count; i++) {
        const size_t dir = v->first_key_first ? (i - first) % 2 : i % 2;
        const struct bytes *payload = &v->messages[i].payload;
        uint8_t nonce[12] = {[4] = (uint8_t)counters[dir]++};
        assert_int_equal(payload->len + 16, v->messages[i].ciphertext.len);
        yr_seal_c(out, keys[dir], nonce, NULL, 0, payload->at, payload->len);
        assert_memory_equal(out, v->messages[i].ciphertext.at, payload->len + 16);
    }
}

static void run_vector(const struct vector *v)
{
    struct yr_noise hs[2];
    uint8_t msg[sizeof v->messages[0].ciphertext.at], payload[sizeof msg];
    size_t msg_len, payload_len, i = 0;

    start(hs, v);
    for (; i < v->message_count && !yr_noise_done(&hs[0]); i++) {
        const struct bytes *want = &v->messages[i].ciphertext, *plain = &v->messages[i].payload;
        assert_int_equal(yr_noise_write(&hs[i % 2],
                                        i % 2 == 0 ? v->init_ephemeral.at : v->resp_ephemeral.at,
                                        plain->at, plain->len, msg, sizeof msg, &msg_len),
                         YR_OK);
        assert_int_equal(msg_len, want->len);
        assert_memory_equal(msg, want->at, msg_len);
        assert_int_equal(
            yr_noise_read(&hs[1 - i % 2], msg, msg_len, payload, sizeof payload, &payload_len),
            YR_OK);
        assert_int_equal(payload_len, plain->len);
        assert_memory_equal(payload, plain->at, payload_len);
    }
    assert_true(yr_noise_done(&hs[0]) && yr_noise_done(&hs[1]));
    check_transport(hs, v, i);
    yr_noise_clear(&hs[0]);
    yr_noise_clear(&hs[1]);
}

/* ---- flynn: key=value blocks parted by blank lines ---- */

static void flynn_field(struct vector *v, const char *key, const char *value)
{
    struct bytes *field = NULL;
    unsigned n;
    int end = 0;

    if (strcmp(key, "handshake") == 0) {
        assert_true(strlen(value) < sizeof v->name);
        memcpy(v->name, value, strlen(value));
        return;
    }
    if (sscanf(key, "msg_%u_%n", &n, &end) == 1 && end > 0) {
        assert_true(n < MESSAGES_MAX);
        v->message_count = YR_MAX(v->message_count, (size_t)n + 1);
        field = strcmp(key + end, "payload") == 0 ? &v->messages[n].payload
                                                  : &v->messages[n].ciphertext;
    } else if (strcmp(key, "init_static") == 0) {
        field = &v->init_static;
    } else if (strcmp(key, "resp_static") == 0) {
        field = &v->resp_static;
    } else if (strcmp(key, "gen_init_ephemeral") == 0) {
        field = &v->init_ephemeral;
    } else if (strcmp(key, "gen_resp_ephemeral") == 0) {
        field = &v->resp_ephemeral;
    } else if (strcmp(key, "prologue") == 0) {
        field = &v->prologue;
    } else if (strcmp(key, "preshared_key") == 0) {
        field = &v->psk;
    }
    if (field == NULL)
        fail_msg("%s: unknown key %s", FLYNN, key);
    from_hex(field, value);
}

static void flynns_vectors_pass(void **state)
{
    FILE *file = fopen(FLYNN, "r");
    struct vector v = {.first_key_first = true};
    enum yr_noise_pattern pattern;
    char line[4096];
    size_t ran = 0;

    if (file == NULL)
        fail_msg("%s is missing: apt-get install golang-github-flynn-noise-dev", FLYNN);
    for (bool more = true; more;) {
        char *value;
        size_t len;
        more = fgets(line, sizeof line, file) != NULL;
        len = more ? strcspn(line, "\n") : 0;
        line[len] = '\0';
        if (len > 0) {
            // the published lines are far shorter; a cut one would be taken for two
            assert_true(len < sizeof line - 1);
            value = strchr(line, '=');
            assert_non_null(value);
            *value++ = '\0';
            if (strcmp(line, "handshake") != 0 && !find_pattern(v.name, &pattern))
                continue;
            flynn_field(&v, line, value);
            continue;
        }
        if (find_pattern(v.name, &pattern)) {
            run_vector(&v);
            ran++;
        }
        v = (struct vector){.first_key_first = true};
    }
    fclose(file);
    // four of each: KK, KKpsk0, XK, XKpsk0
    assert_int_equal(ran, 16);
}

/* ---- cacophony, snow, noise-c and our own: JSON ---- */

static void json_field(struct bytes *out, const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    if (value != NULL)
        from_hex(out, json_string_value(value));
}

static bool json_vector(struct vector *v, const json_t *object)
{
    const json_t *name = json_object_get(object, "protocol_name");
    const json_t *list = json_object_get(object, "messages");
    const json_t *psk = json_array_get(json_object_get(object, "init_psks"), 0);
    enum yr_noise_pattern pattern;

    memset(v, 0, sizeof *v);
    if (name == NULL)
        name = json_object_get(object, "name");
    if (!json_is_string(name) || !find_pattern(json_string_value(name), &pattern))
        return false;
    memcpy(v->name, json_string_value(name), json_string_length(name));
    json_field(&v->prologue, object, "init_prologue");
    json_field(&v->init_static, object, "init_static");
    json_field(&v->resp_static, object, "resp_static");
    json_field(&v->init_ephemeral, object, "init_ephemeral");
    json_field(&v->resp_ephemeral, object, "resp_ephemeral");
    json_field(&v->hash, object, "handshake_hash");
    json_field(&v->exporter, object, "exporter_o3_first32");
    if (psk != NULL)
        from_hex(&v->psk, json_string_value(psk));
    v->message_count = json_array_size(list);
    assert_true(v->message_count <= MESSAGES_MAX);
    for (size_t i = 0; i < v->message_count; i++) {
        json_field(&v->messages[i].payload, json_array_get(list, i), "payload");
        json_field(&v->messages[i].ciphertext, json_array_get(list, i), "ciphertext");
    }
    return true;
}

static size_t run_json(const char *path)
{
    json_error_t error;
    json_t *root = json_load_file(path, 0, &error), *object;
    struct vector v;
    size_t i, ran = 0;

    if (root == NULL)
        fail_msg("%s:%d: %s", path, error.line, error.text);
    json_array_foreach(json_object_get(root, "vectors"), i, object)
    {
        if (json_vector(&v, object)) {
            run_vector(&v);
            ran++;
        }
    }
    json_decref(root);
    return ran;
}

static void our_own_vectors_pass_with_their_exporter(void **state)
{
    assert_int_equal(run_json(YAARI_SOURCE_DIR "/tests/vectors/noise.json"), 3);
}

static void the_json_sets_pass_where_they_are(void **state)
{
    const char *folder = getenv("YAARI_NOISE_VECTORS");
    char path[4096];
    struct dirent *entry;
    DIR *dir;
    size_t ran = 0;

    if (folder == NULL) {
        print_message("YAARI_NOISE_VECTORS names no folder: cacophony and snow are not run\n");
        skip();
    }
    dir = opendir(folder);
    if (dir == NULL)
        fail_msg("YAARI_NOISE_VECTORS: cannot open %s", folder);
    while ((entry = readdir(dir)) != NULL) {
        const size_t len = strlen(entry->d_name);
        if (len < 5 || strcmp(entry->d_name + len - 5, ".json") != 0)
            continue;
        assert_true(snprintf(path, sizeof path, "%s/%s", folder, entry->d_name) < (int)sizeof path);
        ran += run_json(path);
    }
    closedir(dir);
    print_message("%zu vectors from %s\n", ran, folder);
    assert_true(ran > 0);
}

/* ---- what the vectors do not say ---- */

static const enum yr_noise_pattern all_patterns[] = {
#define X(name, text, pre, ...) YR_NOISE_##name,
    YR_NOISE_MAP(X)
#undef X
};

static bool uses_psk(enum yr_noise_pattern p)
{
    return p == YR_NOISE_KKPSK0 || p == YR_NOISE_KK1PSK2 || p == YR_NOISE_XKPSK0;
}

static void pair_up(struct yr_noise hs[2], enum yr_noise_pattern pattern, struct seeded *rnd)
{
    const bool xk = pattern == YR_NOISE_XK || pattern == YR_NOISE_XKPSK0;
    struct yr_keypair s[2];
    uint8_t seed[2][32], psk[32];

    yr_random(&rnd->rng, seed, sizeof seed);
    yr_random(&rnd->rng, psk, sizeof psk);
    for (size_t i = 0; i < 2; i++)
        yr_keypair_from_seed(&s[i], seed[i]);
    for (size_t i = 0; i < 2; i++)
        yr_noise_init(&hs[i], pattern, i == 0, &s[i], i == 1 && xk ? NULL : s[1 - i].public_key,
                      uses_psk(pattern) ? psk : NULL, "pro", 3);
}

static void write_next(struct yr_noise *hs, struct seeded *rnd, uint8_t *msg, size_t *len)
{
    uint8_t e[32];

    yr_random(&rnd->rng, e, sizeof e);
    assert_int_equal(yr_noise_write(hs, e, "payload", 7, msg, 256, len), YR_OK);
}

// In patterns whose first message is in the clear a flipped bit is noticed one message later.
static bool in_the_clear(enum yr_noise_pattern pattern, size_t step)
{
    return pattern == YR_NOISE_KK1 && step == 0;
}

static void every_flipped_bit_and_every_cut_of_a_message_is_refused(void **state)
{
    struct yr_noise hs[2], copy;
    uint8_t msg[256], bad[256], payload[256], untouched[256];
    size_t len, payload_len;
    struct seeded rnd;

    seeded_init(&rnd, 3);
    memset(untouched, 0xa5, sizeof untouched);
    for (size_t p = 0; p < YR_COUNT(all_patterns); p++) {
        pair_up(hs, all_patterns[p], &rnd);
        for (size_t step = 0; !yr_noise_done(&hs[0]); step++) {
            write_next(&hs[step % 2], &rnd, msg, &len);
            for (size_t bit = 0; bit < 8 * len && !in_the_clear(all_patterns[p], step); bit++) {
                memcpy(bad, msg, len);
                bad[bit / 8] ^= (uint8_t)(1 << bit % 8);
                memset(payload, 0xa5, sizeof payload);
                payload_len = 77;
                copy = hs[1 - step % 2];
                // the top bit of a public key is no part of it, but of the transcript
                assert_int_equal(yr_noise_read(&copy, bad, len, payload, 256, &payload_len),
                                 YR_EAUTH);
                assert_memory_equal(payload, untouched, sizeof payload);
                assert_int_equal(payload_len, 77);
                assert_false(yr_noise_done(&copy));
                // and then it is over, even for the true message
                assert_int_equal(yr_noise_read(&copy, msg, len, payload, 256, &payload_len),
                                 YR_EAUTH);
            }
            for (size_t cut = 0; cut < len && !in_the_clear(all_patterns[p], step); cut++) {
                copy = hs[1 - step % 2];
                assert_int_equal(yr_noise_read(&copy, msg, cut, payload, 256, &payload_len),
                                 YR_EAUTH);
            }
            assert_int_equal(yr_noise_read(&hs[1 - step % 2], msg, len, payload, 256, &payload_len),
                             YR_OK);
        }
    }
}

static void both_must_hold_the_same_psk_and_prologue(void **state)
{
    struct yr_noise hs[2];
    uint8_t msg[256], payload[256];
    size_t len, payload_len;
    struct seeded rnd;

    seeded_init(&rnd, 4);
    pair_up(hs, YR_NOISE_KKPSK0, &rnd);
    hs[1].psk[31] ^= 1;
    write_next(&hs[0], &rnd, msg, &len);
    assert_int_equal(yr_noise_read(&hs[1], msg, len, payload, 256, &payload_len), YR_EAUTH);

    pair_up(hs, YR_NOISE_KKPSK0, &rnd);
    yr_noise_init(&hs[1], YR_NOISE_KKPSK0, false, &hs[1].s, hs[1].rs, hs[1].psk, "prp", 3);
    write_next(&hs[0], &rnd, msg, &len);
    assert_int_equal(yr_noise_read(&hs[1], msg, len, payload, 256, &payload_len), YR_EAUTH);
}

static void messages_out_of_turn_end_the_handshake(void **state)
{
    struct yr_noise hs[2];
    uint8_t msg[256], payload[256], e[32] = {1};
    size_t len, payload_len;
    struct seeded rnd;

    seeded_init(&rnd, 5);
    pair_up(hs, YR_NOISE_KK, &rnd);
    assert_int_equal(yr_noise_write(&hs[1], e, NULL, 0, msg, 256, &len), YR_EAUTH);
    assert_int_equal(yr_noise_read(&hs[0], msg, 96, payload, 256, &payload_len), YR_EAUTH);
    assert_int_equal(yr_noise_write(&hs[0], e, NULL, 0, msg, 256, &len), YR_EAUTH);
}

static void too_little_room_is_said_and_nothing_is_written_beyond(void **state)
{
    struct yr_noise hs[2], copy;
    uint8_t msg[256], payload[256], e[32] = {1};
    size_t len, n;
    struct seeded rnd;

    seeded_init(&rnd, 6);
    pair_up(hs, YR_NOISE_XKPSK0, &rnd);
    copy = hs[0];
    assert_int_equal(yr_noise_write(&copy, e, "payload", 7, msg, sizeof msg, &len), YR_OK);
    for (size_t cap = 0; cap < len; cap++) {
        memset(msg, 0xa5, sizeof msg);
        copy = hs[0];
        assert_int_equal(yr_noise_write(&copy, e, "payload", 7, msg, cap, &n), YR_ESIZE);
        for (size_t i = cap; i < sizeof msg; i++)
            assert_int_equal(msg[i], 0xa5);
    }
    assert_int_equal(yr_noise_write(&hs[0], e, "payload", 7, msg, len, &n), YR_OK);
    copy = hs[1];
    assert_int_equal(yr_noise_read(&copy, msg, len, payload, 6, &n), YR_ESIZE);
    assert_int_equal(yr_noise_read(&hs[1], msg, len, payload, 7, &n), YR_OK);
    assert_int_equal(n, 7);
}

static void a_key_of_small_order_is_refused(void **state)
{
    static const uint8_t bad[][32] = {{0}, {1}, {0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae,
                                                 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a,
                                                 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd,
                                                 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00}};
    uint8_t out[32], untouched[32], secret[32] = {9};

    memset(out, 0xa5, sizeof out);
    memset(untouched, 0xa5, sizeof untouched);
    for (size_t i = 0; i < YR_COUNT(bad); i++)
        assert_int_equal(yr_dh(out, secret, bad[i]), YR_EAUTH);
    assert_memory_equal(out, untouched, sizeof out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flynns_vectors_pass),
        cmocka_unit_test(our_own_vectors_pass_with_their_exporter),
        cmocka_unit_test(the_json_sets_pass_where_they_are),
        cmocka_unit_test(every_flipped_bit_and_every_cut_of_a_message_is_refused),
        cmocka_unit_test(both_must_hold_the_same_psk_and_prologue),
        cmocka_unit_test(messages_out_of_turn_end_the_handshake),
        cmocka_unit_test(too_little_room_is_said_and_nothing_is_written_beyond),
        cmocka_unit_test(a_key_of_small_order_is_refused),
    };

    return cmocka_run_group_tests_name("noise", tests, NULL, NULL);
}
