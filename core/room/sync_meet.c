#include "core/room/sync_state.h"

#define PEER_LABEL "room/peer"

/* ---- sessions ---- */

static void tell_neighbour(struct yr_room_sync *sync, struct yr_now now,
                           const struct yr_sync_session *s, bool on)
{
    if (!s->room->gone)
        sync->ops.neighbour(sync->ops.ctx, now, s->room->index, s->link->slot, s->mid, on);
}

// He is nothing to the room until he proves something again.
static void silence(struct yr_room_sync *sync, struct yr_now now, struct yr_sync_session *s)
{
    const bool was = s->standing == YR_STANDING_MEMBER;

    s->standing = YR_STANDING_SILENT;
    s->proved = s->told_removal = s->removal_due = false;
    s->have_due = s->have_must = false;
    s->pull_us = s->tell_us = YR_NEVER;
    s->tell_count = 0;
    yr_sync_pull_drop(sync, s->room, s);
    yr_sync_push_drop(s);
    yr_sync_serve_clear(sync, s);
    if (was)
        tell_neighbour(sync, now, s, false);
}

void yr_sync_end_session(struct yr_room_sync *sync, struct yr_now now, struct yr_sync_session *s)
{
    if (s->dead)
        return;
    s->dead = true; // freed when nobody is in the middle of something
    silence(sync, now, s);
}

static void free_session(struct yr_room_sync *sync, struct yr_sync_session *s)
{
    yr_sync_serve_clear(sync, s);
    yr_free(sync->mem, s->asks);
    yr_free(sync->mem, s->gets);
    yr_free_secret(sync->mem, s);
}

void yr_sync_free_dead(struct yr_room_sync *sync, struct yr_sync_link *link)
{
    size_t kept = 0;

    for (size_t i = 0; i < link->count; i++)
        if (link->sessions[i]->dead)
            free_session(sync, link->sessions[i]);
        else
            link->sessions[kept++] = link->sessions[i];
    link->count = kept;
}

static uint16_t free_route(const struct yr_sync_link *link)
{
    for (uint16_t route = 0; route < YR_ROOM_ROUTES_MAX; route++) {
        bool taken = false;

        for (size_t i = 0; i < link->count; i++)
            taken = taken || link->sessions[i]->route_out == route;
        if (!taken)
            return route;
    }
    return YR_SYNC_NO_ROUTE;
}

static void new_session(struct yr_room_sync *sync, struct yr_sync_link *link,
                        struct yr_sync_room *room, const uint8_t *pair)
{
    const uint16_t route = free_route(link);
    struct yr_sync_session *s;

    if (link->count == YR_COUNT(link->sessions) || route == YR_SYNC_NO_ROUTE)
        return;
    if ((s = yr_alloc(sync->mem, YR_MEM_ROOM, sizeof *s)) == NULL) {
        yr_sync_fail_whole(sync);
        return;
    }
    s->room = room;
    s->link = link;
    s->open_due = true;
    s->route_out = route;
    s->route_in = YR_SYNC_NO_ROUTE;
    s->pull_us = s->tell_us = YR_NEVER;
    yr_kdf(s->salt, sizeof s->salt, pair, YR_LABEL_ROOM_VEC, room->id, YR_ROOM_ID_LEN);
    link->sessions[link->count++] = s;
}

/* ---- tags ---- */

static void tag_of(uint8_t tag[16], const uint8_t *pair, uint8_t dir, const uint8_t nonce[16],
                   const uint8_t id[YR_ROOM_ID_LEN])
{
    uint8_t ctx[1 + 16 + YR_ROOM_ID_LEN];

    ctx[0] = dir;
    memcpy(ctx + 1, nonce, 16);
    memcpy(ctx + 17, id, YR_ROOM_ID_LEN);
    yr_kdf(tag, 16, pair, YR_LABEL_ROOM_TAG, ctx, sizeof ctx);
}

static bool told_tag(const struct yr_sync_link *link, const uint8_t tag[16])
{
    for (size_t i = 0; i < link->tag_count; i++)
        if (memcmp(link->tags[i], tag, 16) == 0)
            return true;
    return false;
}

// Which rooms do both have?  Sessions begin and end accordingly.
void yr_sync_match(struct yr_room_sync *sync, struct yr_now now, struct yr_sync_link *link)
{
    uint8_t dir;
    const uint8_t *pair = sync->ops.pair(sync->ops.ctx, link->slot, &dir);

    for (size_t i = 0; i < sync->room_count; i++) {
        struct yr_sync_room *room = sync->rooms[i];
        struct yr_sync_session *s = yr_sync_find(sync, room, link->slot);
        uint8_t tag[16] = {0};
        bool both = false;

        if (pair != NULL && link->heard && !room->gone && room->has_self) {
            tag_of(tag, pair, (uint8_t)(1 - dir), link->nonce_in, room->id);
            both = told_tag(link, tag);
        }
        if (s == NULL && both) {
            new_session(sync, link, room, pair);
            s = yr_sync_find(sync, room, link->slot);
        }
        if (s != NULL && !both)
            yr_sync_end_session(sync, now, s);
        else if (s != NULL)
            memcpy(s->tag_in, tag, sizeof tag);
    }
}

static int by_tag(const void *a, const void *b)
{
    return memcmp(a, b, 16);
}

// Random tags between true ones; sorted, so that their order says nothing either.
bool yr_sync_send_tags(struct yr_room_sync *sync, struct yr_now now, struct yr_sync_link *link)
{
    uint8_t tags[YR_ROOM_TAGS_MAX][16];
    size_t count = 0, padded = 4;
    const uint8_t *pair = sync->ops.pair(sync->ops.ctx, link->slot, &link->dir);
    struct yr_wr wr = yr_wr_init(sync->frame, sizeof sync->frame);

    if (pair == NULL)
        return false;
    yr_random(sync->rng, link->nonce_out, sizeof link->nonce_out);
    for (size_t i = 0; i < sync->room_count; i++)
        if (!sync->rooms[i]->gone && sync->rooms[i]->has_self)
            tag_of(tags[count++], pair, link->dir, link->nonce_out, sync->rooms[i]->id);
    while (padded < count)
        padded *= 4;
    yr_random(sync->rng, tags[count], (padded - count) * 16);
    qsort(tags, padded, 16, by_tag);
    yr_wr_bytes(&wr, link->nonce_out, sizeof link->nonce_out);
    yr_wr_bytes(&wr, tags, padded * 16);
    return yr_sync_end(sync, now, link, YR_FRAME_ROOM_TAGS, &wr);
}

enum yr_err yr_sync_on_tags(struct yr_room_sync *sync, struct yr_now now, struct yr_sync_link *link,
                            struct yr_rd rd)
{
    const uint8_t *nonce = yr_rd_bytes(&rd, 16);
    const size_t count = yr_rd_left(&rd) / 16;
    uint8_t(*tags)[16];

    if (!yr_sync_ids_ok(&rd, YR_ROOM_TAGS_MAX))
        return YR_EPROTO;
    if (!yr_sync_spend(sync, now, link, 4 * YR_ROOM_ROUTES_MAX))
        return YR_OK;
    if ((tags = yr_realloc(sync->mem, YR_MEM_ROOM, link->tags, count * 16)) == NULL) {
        yr_sync_fail_whole(sync);
        return YR_OK;
    }
    link->tags = tags;
    link->tag_count = count;
    memcpy(tags, rd.at, count * 16);
    memcpy(link->nonce_in, nonce, sizeof link->nonce_in);
    link->heard = true;
    yr_sync_match(sync, now, link);
    return YR_OK;
}

/* ---- proofs ---- */

#define PROVED_LEN (YR_ROOM_ID_LEN + YR_MID_LEN + YR_KEY_LEN)

// What a member signs for this friend alone, in this direction alone.
static void proved_bytes(uint8_t out[PROVED_LEN], const uint8_t *pair, uint8_t dir,
                         const uint8_t id[YR_ROOM_ID_LEN], const uint8_t mid[YR_MID_LEN])
{
    uint8_t ctx[1 + YR_ROOM_ID_LEN + YR_MID_LEN];

    ctx[0] = dir;
    memcpy(ctx + 1, id, YR_ROOM_ID_LEN);
    memcpy(ctx + 1 + YR_ROOM_ID_LEN, mid, YR_MID_LEN);
    memcpy(out, ctx + 1, sizeof ctx - 1);
    yr_kdf(out + sizeof ctx - 1, YR_KEY_LEN, pair, YR_LABEL_ROOM_PEER, ctx, sizeof ctx);
}

bool yr_sync_send_open(struct yr_room_sync *sync, struct yr_now now, struct yr_sync_session *s)
{
    struct yr_wr wr = yr_wr_init(sync->frame, sizeof sync->frame);
    uint8_t bytes[PROVED_LEN], sig[YR_SIG_LEN], tag[16], dir;
    const uint8_t *pair = sync->ops.pair(sync->ops.ctx, s->link->slot, &dir);
    struct yr_room_view view;

    if (pair == NULL || !yr_sync_view(sync, s->room, &view) || view.self == NULL)
        return false;
    tag_of(tag, pair, dir, s->link->nonce_out, s->room->id);
    proved_bytes(bytes, pair, dir, s->room->id, view.self);
    yr_sign(sig, view.sign_sk, PEER_LABEL, bytes, sizeof bytes);
    yr_wr_bytes(&wr, tag, sizeof tag);
    yr_wr_u16(&wr, s->route_out);
    yr_wr_bytes(&wr, view.self, YR_MID_LEN);
    yr_wr_bytes(&wr, sig, sizeof sig);
    if (!yr_sync_end(sync, now, s->link, YR_FRAME_ROOM_OPEN, &wr))
        return false;
    s->open_due = false;
    s->opened = true;
    return true;
}

static bool proof_good(struct yr_room_sync *sync, const struct yr_sync_session *s,
                       const uint8_t sign_pk[32])
{
    uint8_t bytes[PROVED_LEN], dir;
    const uint8_t *pair = sync->ops.pair(sync->ops.ctx, s->link->slot, &dir);

    if (pair == NULL)
        return false;
    proved_bytes(bytes, pair, (uint8_t)(1 - dir), s->room->id, s->mid);
    return yr_verify(s->sig, sign_pk, PEER_LABEL, bytes, sizeof bytes) == YR_OK;
}

static enum yr_standing standing_of(struct yr_room_sync *sync, struct yr_sync_session *s,
                                    struct yr_room_log *log)
{
    const uint8_t *sign_pk;

    if (!s->proved) {
        if (!yr_room_log_keys(log, s->mid, &sign_pk, NULL))
            return YR_STANDING_UNKNOWN;
        if (!proof_good(sync, s, sign_pk))
            return YR_STANDING_FALSE;
        s->proved = true;
    }
    return yr_authority_rank(yr_room_log_authority(log), s->mid) > 0 ? YR_STANDING_MEMBER
                                                                     : YR_STANDING_FORMER;
}

static bool has_other_members(const struct yr_room_sync *sync, const struct yr_sync_session *s)
{
    for (unsigned slot = 0; slot < YR_FRIENDS_MAX; slot++) {
        const struct yr_sync_session *other = yr_sync_find(sync, s->room, slot);

        if (other != NULL && other != s && yr_sync_member(other))
            return true;
    }
    return false;
}

void yr_sync_judge(struct yr_room_sync *sync, struct yr_now now, struct yr_sync_session *s)
{
    const enum yr_standing before = s->standing;
    enum yr_standing after;
    struct yr_room_view view;

    if (s->dead || before == YR_STANDING_SILENT || before == YR_STANDING_FALSE ||
        !yr_sync_view(sync, s->room, &view))
        return;
    after = standing_of(sync, s, view.log);
    if (after != before) {
        if (before == YR_STANDING_MEMBER) {
            silence(sync, now, s);
            s->proved = true;
        }
        s->standing = after;
        if (after == YR_STANDING_MEMBER) {
            s->have_due = true;
            s->prune_due = has_other_members(sync, s);
            tell_neighbour(sync, now, s, true);
        } else if (after == YR_STANDING_FALSE) {
            yr_sync_count(sync, YR_SYNC_N_PROOF);
            yr_sync_pull_drop(sync, s->room, s);
        }
    }
    if (after == YR_STANDING_FORMER)
        yr_sync_tell_removal(sync, s, view.log);
}

enum yr_err yr_sync_on_open(struct yr_room_sync *sync, struct yr_now now, struct yr_sync_link *link,
                            struct yr_rd rd)
{
    const uint8_t *tag = yr_rd_bytes(&rd, 16);
    const uint16_t route = yr_rd_u16(&rd);
    const uint8_t *mid = yr_rd_bytes(&rd, YR_MID_LEN);
    const uint8_t *sig = yr_rd_bytes(&rd, YR_SIG_LEN);
    struct yr_sync_session *s = NULL;

    if (!yr_rd_done(&rd) || route >= YR_ROOM_ROUTES_MAX)
        return YR_EPROTO;
    if (!yr_sync_spend(sync, now, link, YR_ROOM_ROUTES_MAX))
        return YR_OK;
    for (size_t i = 0; i < link->count; i++)
        if (!link->sessions[i]->dead && memcmp(link->sessions[i]->tag_in, tag, 16) == 0)
            s = link->sessions[i];
    if (s == NULL) { // we have left it meanwhile
        yr_sync_count(sync, YR_SYNC_N_ROUTE);
        return YR_OK;
    }
    for (size_t i = 0; i < link->count; i++)
        if (link->sessions[i]->route_in == route)
            link->sessions[i]->route_in = YR_SYNC_NO_ROUTE;
    s->route_in = route;
    if (s->standing != YR_STANDING_SILENT)
        silence(sync, now, s);
    s->standing = YR_STANDING_UNKNOWN;
    memcpy(s->mid, mid, YR_MID_LEN);
    memcpy(s->sig, sig, YR_SIG_LEN);
    yr_sync_judge(sync, now, s);
    // How much he may know is looked up anew each time.
    if (s->removal_due && !yr_sync_spend(sync, now, link, 4 * YR_ROOM_GETS_MAX))
        s->removal_due = false;
    return s->standing == YR_STANDING_FALSE ? YR_EPROTO : YR_OK;
}
