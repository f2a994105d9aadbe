/* core/node/presence.c: what friends who are linked tell each other of the people in front of the
 * nodes: away or not and why, when somebody was last there, and that somebody is writing.  Told
 * only to those whom our settings or their row allow; without that nothing is told but the link
 * itself.  docs/protocol.md "Presence".
 *
 *     said, allowed or linked -> due -> told, YR_PRESENCE_GAP_MS at the earliest after the last
 *     frame -> taken, likewise -> in the friend's row: it stands while the link is down */
#include "core/node/state.h"

#define ROW_KEY     "presence"
#define ROW_VERSION 1
#define MINUTE_S    60
#define GAP_US      ((yr_us)YR_PRESENCE_GAP_MS * YR_MS)

/* ---- our own ---- */

static void store_own(struct yr_node *n)
{
    uint8_t row[1 + 1 + 8 + 2 + YR_STATUS_MAX];
    struct yr_wr wr = yr_wr_init(row, sizeof row);

    yr_wr_u8(&wr, ROW_VERSION);
    yr_wr_u8(&wr, n->own.away);
    yr_wr_u64(&wr, (uint64_t)n->own.since_ms);
    yr_wr_text16(&wr, n->own.text);
    YR_ASSERT(yr_wr_ok(&wr));
    yr_rows_put(n->rows, YR_TABLE_SELF, NULL, 0, ROW_KEY, sizeof ROW_KEY - 1, row, yr_wr_len(&wr));
}

enum yr_err yr_presence_load(struct yr_node *n)
{
    uint8_t row[1 + 1 + 8 + 2 + YR_STATUS_MAX + 64], version;
    struct yr_rd rd;
    size_t len;
    enum yr_err err;

    memset(&n->own, 0, sizeof n->own);
    n->presence_us = 0;
    err = yr_rows_get(n->rows, YR_TABLE_SELF, NULL, 0, ROW_KEY, sizeof ROW_KEY - 1, row, sizeof row,
                      &len);
    if (err != YR_OK)
        return err == YR_ENOENT ? YR_OK : err;
    rd = yr_rd_init(row, len);
    version = yr_rd_u8(&rd);
    n->own.away = yr_rd_u8(&rd) != 0;
    n->own.since_ms = (yr_ms)yr_rd_u64(&rd);
    yr_rd_text16(&rd, n->own.text, sizeof n->own.text);
    return yr_rd_done(&rd) && version == ROW_VERSION ? YR_OK : YR_ECORRUPT;
}

// To be told soon: all friends who are linked, if they may know.
static void due_all(struct yr_node *n)
{
    for (size_t i = 0; i < YR_FRIENDS_MAX; i++)
        n->friends[i].tell_due |= n->friends[i].used;
    n->presence_us = 0;
}

void yr_presence_set(struct yr_node *n, bool away, const char *text, size_t len)
{
    n->own.away = away;
    n->own.since_ms = away ? n->now.wall_ms : 0;
    memset(n->own.text, 0, sizeof n->own.text);
    if (away && len > 0)
        memcpy(n->own.text, text, YR_MIN(len, (size_t)YR_STATUS_MAX));
    store_own(n);
    due_all(n);
}

void yr_node_set_presence(struct yr_node *n, struct yr_now now, enum yr_presence_mode presence,
                          bool typing)
{
    n->now = now;
    n->opts.presence = presence;
    n->opts.typing = typing;
    due_all(n);
}

void yr_presence_due(struct yr_node *n, struct yr_friend *f)
{
    f->tell_due = true;
    n->presence_us = 0;
}

void yr_presence_active(struct yr_node *n)
{
    const yr_ms before = n->own.active_ms, now_ms = n->now.wall_ms;

    // In steps, so that who is linked all the time is not told of every text.
    if (before != 0 && before <= now_ms && now_ms - before < YR_PRESENCE_ACTIVE_S * 1000)
        return;
    n->own.active_ms = now_ms;
    due_all(n);
}

/* ---- telling ---- */

static bool may_know(const struct yr_node *n, const struct yr_friend *f)
{
    if (f->presence != YR_UNKNOWN)
        return f->presence == YR_YES;
    return n->opts.presence == YR_PRESENCE_FRIENDS ||
           (n->opts.presence == YR_PRESENCE_VERIFIED && f->trust == YR_TRUST_VERIFIED);
}

static bool says_something(const struct yr_presence *p)
{
    return p->away || p->active_ms != 0;
}

// Whatever our clock says, what we tell can be told.
static uint64_t seconds(yr_ms time_ms)
{
    return YR_MIN((uint64_t)YR_MAX(time_ms, 0) / 1000, YR_PRESENCE_S_MAX);
}

// What this friend may know; all zero is nothing.
static void tell(struct yr_node *n, struct yr_friend *f)
{
    static const struct yr_presence nothing;
    const struct yr_presence *p = may_know(n, f) ? &n->own : &nothing;
    uint8_t body[YR_PRESENCE_BODY_MAX];
    size_t len;

    f->tell_due = false;
    if (!says_something(p) && !f->told)
        return; // and never was told anything
    len = yr_presence_encode(body, p->away, seconds(p->active_ms) / MINUTE_S * MINUTE_S,
                             seconds(p->since_ms), p->text, strlen(p->text));
    f->tell_us = n->now.mono_us + GAP_US;
    if (yr_links_send(n->links, yr_friend_slot(n, f), YR_CHANNEL_CONTROL, YR_FRAME_PRESENCE, body,
                      len) != YR_OK) {
        f->tell_due = true; // the channel is full, or going down
        return;
    }
    if (f->told != says_something(p)) {
        f->told = says_something(p);
        yr_friend_store(n, f);
    }
}

/* ---- being told ---- */

static void told(struct yr_node *n, const struct yr_friend *f)
{
    struct yr_event event = {.kind = YR_EV_PRESENCE, .online = f->online};

    memcpy(event.conv, f->id, 32);
    yr_node_event(n, &event);
}

// Believe what came last.
static void take(struct yr_node *n, struct yr_friend *f)
{
    const bool seen = f->theirs.away != f->heard.away || f->theirs.since_ms != f->heard.since_ms ||
                      strcmp(f->theirs.text, f->heard.text) != 0;
    const bool changed = seen || f->theirs.active_ms != f->heard.active_ms;

    f->heard_waits = false;
    f->take_us = n->now.mono_us + GAP_US;
    f->theirs = f->heard;
    if (changed)
        yr_friend_store(n, f);
    if (seen)
        told(n, f);
}

static enum yr_err got_presence(struct yr_node *n, struct yr_friend *f, const uint8_t *body,
                                size_t len)
{
    struct yr_presence_said said;

    if (yr_presence_decode(&said, body, len) != YR_OK)
        return YR_EPROTO;
    memset(&f->heard, 0, sizeof f->heard);
    f->heard.away = said.away;
    f->heard.active_ms = (yr_ms)(said.active_s * 1000);
    f->heard.since_ms = (yr_ms)(said.since_s * 1000);
    if (said.text_len > 0)
        memcpy(f->heard.text, said.text, said.text_len);
    if (n->now.mono_us >= f->take_us) {
        take(n, f);
    } else {
        f->heard_waits = true;
        n->presence_us = YR_MIN(n->presence_us, f->take_us);
    }
    return YR_OK;
}

/* ---- writing ---- */

static bool may_know_writing(const struct yr_node *n, const struct yr_friend *f)
{
    return f->typing == YR_UNKNOWN ? n->opts.typing : f->typing == YR_YES;
}

void yr_presence_write(struct yr_node *n, struct yr_friend *f, bool on)
{
    const yr_us now = n->now.mono_us;
    const bool shown = f->wrote && now < f->wrote_us + YR_TYPING_SHOWN_S * YR_S;
    const uint8_t flags = on ? YR_TYPING_ON : 0;

    if (!f->online || (on && !may_know_writing(n, f)))
        return;
    if (on ? f->wrote_us != 0 && now < f->wrote_us + YR_TYPING_S * YR_S : !shown)
        return;
    f->wrote = on;
    if (on)
        f->wrote_us = now;
    (void)!yr_links_send(n->links, yr_friend_slot(n, f), YR_CHANNEL_CONTROL, YR_FRAME_TYPING,
                         &flags, 1);
}

static void writes(struct yr_node *n, struct yr_friend *f, bool on)
{
    struct yr_event event = {.kind = YR_EV_TYPING, .online = on};

    if (f->writes == on)
        return;
    f->writes = on;
    memcpy(event.conv, f->id, 32);
    yr_node_event(n, &event);
}

static enum yr_err got_typing(struct yr_node *n, struct yr_friend *f, const uint8_t *body,
                              size_t len)
{
    const bool on = len > 0 && (body[0] & YR_TYPING_ON) != 0;

    if (len == 0)
        return YR_EPROTO;
    if (on && !f->writes && n->now.mono_us < f->writes_next_us)
        return YR_OK; // too often to be told each time
    if (on) {
        f->writes_us = n->now.mono_us + YR_TYPING_SHOWN_S * YR_S;
        f->writes_next_us = n->now.mono_us + YR_S;
        n->presence_us = YR_MIN(n->presence_us, f->writes_us);
    }
    writes(n, f, on);
    return YR_OK;
}

/* ---- a friend's link ---- */

void yr_presence_up(struct yr_node *n, struct yr_friend *f)
{
    f->wrote = false;
    yr_presence_due(n, f);
}

void yr_presence_down(struct yr_node *n, struct yr_friend *f)
{
    if (f->heard_waits)
        take(n, f);
    f->wrote = false;
    writes(n, f, false);
}

void yr_presence_texted(struct yr_node *n, struct yr_friend *f)
{
    writes(n, f, false);
}

enum yr_err yr_presence_frame(struct yr_node *n, unsigned slot, uint8_t type, const uint8_t *body,
                              size_t len)
{
    struct yr_friend *f = &n->friends[slot];

    return type == YR_FRAME_TYPING ? got_typing(n, f, body, len) : got_presence(n, f, body, len);
}

void yr_presence_tick(struct yr_node *n)
{
    yr_us next = YR_NEVER;

    if (n->now.mono_us < n->presence_us)
        return;
    for (size_t i = 0; i < YR_FRIENDS_MAX; i++) {
        struct yr_friend *f = &n->friends[i];
        if (!f->used || !f->online)
            continue;
        if (f->tell_due && n->now.mono_us >= f->tell_us)
            tell(n, f);
        if (f->heard_waits && n->now.mono_us >= f->take_us)
            take(n, f);
        if (f->writes && n->now.mono_us >= f->writes_us)
            writes(n, f, false);
        if (f->tell_due)
            next = YR_MIN(next, f->tell_us);
        if (f->heard_waits)
            next = YR_MIN(next, f->take_us);
        if (f->writes)
            next = YR_MIN(next, f->writes_us);
    }
    n->presence_us = next;
}

void yr_presence_info(const struct yr_node *n, const struct yr_friend *f,
                      struct yr_friend_info *out)
{
    const yr_ms now_ms = n->now.wall_ms; // a friend's clock may say what it likes

    out->away = f->theirs.away;
    memcpy(out->away_text, f->theirs.text, sizeof out->away_text);
    out->away_ms = YR_MIN(f->theirs.since_ms, now_ms);
    out->active_ms = YR_MIN(f->theirs.active_ms, now_ms);
    out->writing = f->writes;
}
