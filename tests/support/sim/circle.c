#include "tests/support/sim/circle.h"

#include <stdio.h>

#include "core/base/map.h"
#include "tests/support/test.h"

#define MINUTE      (60 * YR_S)
#define STREAM_TEST 77

/* ---- people ---- */

static void on_event(void *ctx, unsigned node, const struct yr_event *event);

struct circle *circle_new(const struct sim_opts *opts, unsigned count)
{
    struct circle *c = calloc(1, sizeof *c);
    char nick[16];

    assert_true(count <= CIRCLE_MAX);
    c->seed = opts->seed;
    c->sim = sim_new(opts);
    c->count = count;
    for (unsigned i = 0; i < count; i++) {
        snprintf(nick, sizeof nick, "n%u", i);
        assert_int_equal(sim_add(c->sim, nick), i);
    }
    sim_watch(c->sim, on_event, c);
    return c;
}

void circle_free(struct circle *c)
{
    sim_free(c->sim);
    free(c->texts);
    free(c->index);
    free(c);
}

unsigned circle_draw(struct circle *c, uint64_t below)
{
    return (unsigned)(sim_draw(c->sim, STREAM_TEST) % below);
}

void circle_befriend(struct circle *c, unsigned a, unsigned b)
{
    if (a == b || c->friends[a][b])
        return;
    sim_befriend(c->sim, a, b);
    c->friends[a][b] = c->friends[b][a] = true;
}

void circle_graph(struct circle *c, unsigned more)
{
    for (unsigned i = 1; i < c->count; i++)
        circle_befriend(c, circle_draw(c, i), i);
    for (unsigned i = 0; i < more * c->count; i++) {
        const unsigned a = circle_draw(c, c->count);
        circle_befriend(c, a, circle_draw(c, c->count));
    }
}

void circle_chain(struct circle *c, bool closed)
{
    for (unsigned i = 1; i < c->count; i++)
        circle_befriend(c, i - 1, i);
    if (closed && c->count > 2)
        circle_befriend(c, c->count - 1, 0);
}

/* ---- their room ---- */

enum yr_room_state circle_state(struct circle *c, unsigned node, struct yr_room_info *info)
{
    struct yr_room_info own;

    if (info == NULL)
        info = &own;
    if (c->gone[node] || !sim_alive(c->sim, node) ||
        yr_node_room(sim_node(c->sim, node), c->room, info) != YR_OK)
        return YR_ROOM_GONE;
    if (info->state != YR_ROOM_INVITED)
        memcpy(c->mids[node], info->self, YR_MID_LEN);
    return info->state;
}

bool circle_in(struct circle *c, unsigned node)
{
    const enum yr_room_state state = circle_state(c, node, NULL);

    return state == YR_ROOM_ACTIVE || state == YR_ROOM_KEYLESS;
}

struct yr_cmd circle_cmd(const struct circle *c, enum yr_cmd_kind kind)
{
    struct yr_cmd cmd = {.kind = kind};

    memcpy(cmd.conv, c->room, YR_ID_LEN);
    return cmd;
}

void circle_who(struct circle *c, struct yr_cmd *cmd, unsigned node)
{
    memset(cmd->who, 0, sizeof cmd->who);
    memcpy(cmd->who, c->mids[node], YR_MID_LEN);
}

void circle_found(struct circle *c, unsigned founder, unsigned hist_days)
{
    struct yr_cmd cmd = {
        .kind = YR_CMD_ROOM_NEW, .text = "circle", .text_len = 6, .number = hist_days};
    const struct yr_event done = sim_do(c->sim, founder, &cmd);

    memcpy(c->room, done.conv, YR_ID_LEN);
    c->hist_days = hist_days;
    assert_int_equal(circle_state(c, founder, NULL), YR_ROOM_ACTIVE);
}

struct wanted {
    struct circle *c;
    unsigned node;
    enum yr_room_state state;
    size_t members;
};

static bool is_state(struct sim *sim, void *ctx)
{
    const struct wanted *w = ctx;
    struct yr_room_info info;

    (void)sim;
    return circle_state(w->c, w->node, &info) == w->state &&
           (w->members == 0 || info.members == w->members);
}

static void run_state(struct circle *c, unsigned node, enum yr_room_state state, size_t members)
{
    struct wanted w = {c, node, state, members};

    if (!sim_run_until(c->sim, 3 * MINUTE, is_state, &w))
        circle_fail(c, "never got into the room", node, (unsigned)state);
}

void circle_bring(struct circle *c, unsigned a, unsigned b)
{
    struct yr_cmd invite = circle_cmd(c, YR_CMD_ROOM_INVITE);
    const struct yr_cmd join = circle_cmd(c, YR_CMD_ROOM_JOIN);

    memcpy(invite.who, sim_id(c->sim, b), YR_ID_LEN);
    (void)sim_do(c->sim, a, &invite);
    run_state(c, b, YR_ROOM_INVITED, 0);
    (void)sim_do(c->sim, b, &join);
    run_state(c, b, YR_ROOM_ACTIVE, 0);
}

void circle_gather(struct circle *c, unsigned founder)
{
    bool in[CIRCLE_MAX] = {false};
    unsigned members = 1;

    in[founder] = true;
    for (bool more = true; more;) {
        more = false;
        for (unsigned a = 0; a < c->count; a++)
            for (unsigned b = 0; in[a] && b < c->count; b++)
                if (!in[b] && c->friends[a][b]) {
                    circle_bring(c, a, b);
                    more = in[b] = true;
                    members++;
                }
    }
    for (unsigned i = 0; i < c->count; i++)
        if (in[i])
            run_state(c, i, YR_ROOM_ACTIVE, members);
}

/* ---- what is said ---- */

static size_t spot_of(const struct circle *c, const uint8_t id[YR_MSG_ID_LEN])
{
    uint64_t hash;
    size_t i;

    memcpy(&hash, id, sizeof hash);
    for (i = hash & (c->index_cap - 1);
         c->index[i] != 0 && memcmp(c->texts[c->index[i] - 1].id, id, YR_MSG_ID_LEN) != 0;
         i = (i + 1) & (c->index_cap - 1))
        ;
    return i;
}

static struct circle_text *text_of(const struct circle *c, const uint8_t id[YR_MSG_ID_LEN])
{
    size_t i;

    if (c->index_cap == 0)
        return NULL;
    i = spot_of(c, id);
    return c->index[i] != 0 ? &c->texts[c->index[i] - 1] : NULL;
}

static void index_texts(struct circle *c)
{
    free(c->index);
    c->index_cap = 4 * c->text_cap;
    c->index = calloc(c->index_cap, sizeof *c->index);
    for (size_t i = 0; i < c->text_count; i++)
        if (c->texts[i].accepted)
            c->index[spot_of(c, c->texts[i].id)] = (uint32_t)i + 1;
}

static void on_done(struct circle *c, unsigned node, const struct yr_event *event)
{
    for (size_t i = c->text_count; i-- > 0;) {
        struct circle_text *t = &c->texts[i];
        if (t->from != node || t->ticket != event->ticket)
            continue;
        if (event->err != YR_OK || t->accepted)
            return;
        t->accepted = true;
        memcpy(t->id, event->msg, YR_MSG_ID_LEN);
        c->index[spot_of(c, t->id)] = (uint32_t)i + 1;
        t->shown[node] = sim_time(c->sim);
        return;
    }
}

static void on_event(void *ctx, unsigned node, const struct yr_event *event)
{
    struct circle *c = ctx;
    struct circle_text *t = text_of(c, event->msg);

    if (event->kind == YR_EV_DONE)
        on_done(c, node, event);
    if (t == NULL || c->hostile[node])
        return;
    if (event->kind == YR_EV_MESSAGE && node != t->from) {
        if (t->told[node])
            c->wrong = "a text was told twice";
        t->told[node] = true;
        t->shown[node] = sim_time(c->sim);
    }
    if (event->kind == YR_EV_STATE && node == t->from) {
        if (event->state < t->state)
            c->wrong = "a state went back";
        t->state = event->state;
    }
}

static void note_readers(struct circle *c, struct circle_text *t)
{
    struct yr_member_info member;

    for (size_t i = 0; yr_node_member_at(sim_node(c->sim, t->from), c->room, i, &member); i++)
        if (member.rank > 0 && t->reader_count < CIRCLE_MAX)
            memcpy(t->readers[t->reader_count++], member.mid, YR_MID_LEN);
}

bool circle_reader(const struct circle *c, const struct circle_text *t, unsigned node)
{
    for (unsigned i = 0; i < t->reader_count; i++)
        if (memcmp(t->readers[i], c->mids[node], YR_MID_LEN) == 0)
            return true;
    return false;
}

size_t circle_say(struct circle *c, unsigned node, const char *text, enum yr_err *err)
{
    static struct yr_message shown;
    struct yr_cmd cmd = circle_cmd(c, YR_CMD_SEND);
    struct yr_place place;
    struct circle_text *t;
    enum yr_err ignored;

    if (err == NULL)
        err = &ignored;
    if (c->text_count == c->text_cap) {
        c->text_cap = c->text_cap > 0 ? c->text_cap * 2 : 256;
        c->texts = realloc(c->texts, c->text_cap * sizeof *c->texts);
        index_texts(c);
    }
    t = &c->texts[c->text_count];
    memset(t, 0, sizeof *t);
    t->from = node;
    t->at = sim_time(c->sim);
    memset(&place, 0xff, sizeof place);
    if (!sim_alive(c->sim, node)) {
        *err = YR_EAGAIN;
        return SIZE_MAX;
    }
    if (yr_node_history(sim_node(c->sim, node), c->room, YR_SEEK_LE, &place, &shown) == YR_OK)
        memcpy(t->last, shown.id, YR_MSG_ID_LEN);
    note_readers(c, t);
    cmd.body = text;
    cmd.body_len = strlen(text);
    c->text_count++;
    t->ticket = sim_command(c->sim, node, &cmd, err);
    if (*err == YR_OK)
        return c->text_count - 1;
    c->text_count--;
    return SIZE_MAX;
}

const struct yr_message *circle_message(struct circle *c, unsigned node, size_t text)
{
    static struct yr_message m;

    if (!c->texts[text].accepted || !sim_alive(c->sim, node) ||
        yr_node_message(sim_node(c->sim, node), c->texts[text].id, &m) != YR_OK)
        return NULL;
    return &m;
}

static int by_value(const void *a, const void *b)
{
    const yr_us *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

yr_us circle_latency(const struct circle *c, size_t first, double percentile, size_t *count)
{
    const size_t cap = (c->text_count - first) * c->count;
    yr_us *all = calloc(cap + 1, sizeof *all), out;
    size_t n = 0;

    for (size_t k = first; k < c->text_count; k++)
        for (unsigned i = 0; i < c->count; i++)
            if (i != c->texts[k].from && c->texts[k].shown[i] != 0)
                all[n++] = c->texts[k].shown[i] - c->texts[k].at;
    qsort(all, n, sizeof *all, by_value);
    out = n > 0 ? all[(size_t)((double)(n - 1) * percentile / 100)] : 0;
    if (count != NULL)
        *count = n;
    free(all);
    return out;
}

void circle_part(struct circle *c, const unsigned side[CIRCLE_MAX])
{
    for (unsigned a = 0; a < c->count; a++)
        for (unsigned b = 0; b < a; b++)
            sim_cut(c->sim, a, b, side[a] != side[b]);
}

void circle_heal(struct circle *c)
{
    for (unsigned a = 0; a < c->count; a++) {
        for (unsigned b = 0; b < a; b++)
            sim_cut(c->sim, a, b, false);
        if (c->gone[a])
            continue;
        sim_crash_at(c->sim, a, 0, false);
        sim_refuse_at(c->sim, a, 0);
        yr_memstore_fail(sim_store(c->sim, a), YR_OK, 0);
        if (!sim_alive(c->sim, a))
            sim_restart(c->sim, a);
    }
}

uint64_t circle_counter(struct circle *c, unsigned node, const char *name)
{
    struct yr_counter counter;

    for (size_t i = 0; (counter = yr_node_counter(sim_node(c->sim, node), i)).name != NULL; i++)
        if (strcmp(counter.name, name) == 0)
            return counter.value;
    fail_msg("no counter %s", name);
    return 0;
}

/* ---- what is shown ---- */

struct line {
    uint8_t id[YR_MSG_ID_LEN], author[YR_MID_LEN], incarnation[8];
    uint64_t seq, sum; /* sum: of all that is shown of it */
};

struct view {
    struct line *lines;
    size_t count;
    uint32_t *index; /* by id: line + 1 */
    size_t index_cap;
};

static size_t spot_in(const struct view *v, const uint8_t id[YR_MSG_ID_LEN])
{
    uint64_t hash;
    size_t i;

    memcpy(&hash, id, sizeof hash);
    for (i = hash & (v->index_cap - 1);
         v->index[i] != 0 && memcmp(v->lines[v->index[i] - 1].id, id, YR_MSG_ID_LEN) != 0;
         i = (i + 1) & (v->index_cap - 1))
        ;
    return i;
}

// The line with this id, counted from 1; 0: none.
static size_t line_of(const struct view *v, const uint8_t id[YR_MSG_ID_LEN])
{
    return v->index[spot_in(v, id)];
}

static int print_message_line(char *out, size_t cap, const struct yr_message *m)
{
    char author[27];
    int len;

    yr_id_text(author, m->author, YR_MID_LEN);
    len = snprintf(out, cap, "%.6s %lld%s%s \"%.60s\"", author, (long long)m->time_ms,
                   m->edited ? " edited" : "", m->deleted ? " deleted" : "", m->text);
    for (size_t i = 0; i < m->reaction_count && (size_t)len < cap; i++) {
        yr_id_text(author, m->reactions[i].author, YR_MID_LEN);
        len += snprintf(out + len, cap - (size_t)len, " %.6s:%s", author, m->reactions[i].emoji);
    }
    return YR_MIN(len, (int)cap - 1);
}

static void each_message(struct circle *c, unsigned node,
                         void (*take)(void *, const struct yr_message *), void *ctx)
{
    struct yr_message *m = malloc(sizeof *m);
    struct yr_place place = {{0}};
    enum yr_seek how = YR_SEEK_GE;

    for (; yr_node_history(sim_node(c->sim, node), c->room, how, &place, m) == YR_OK;
         how = YR_SEEK_GT)
        if (m->kind != YR_MSG_SYSTEM)
            take(ctx, m);
    free(m);
}

static void take_line(void *ctx, const struct yr_message *m)
{
    static const uint8_t key[16] = "yaari circle";
    struct view *v = ctx;
    struct line *line;
    char text[4096];
    int len;

    if ((v->count & (v->count - 1)) == 0)
        v->lines = realloc(v->lines, YR_MAX(2 * v->count, 1) * sizeof *v->lines);
    line = &v->lines[v->count++];
    memcpy(line->id, m->id, YR_MSG_ID_LEN);
    memcpy(line->author, m->author, YR_MID_LEN);
    memcpy(line->incarnation, m->incarnation, sizeof line->incarnation);
    line->seq = m->seq;
    len = print_message_line(text, sizeof text, m);
    yr_siphash((uint8_t *)&line->sum, key, text, (size_t)len);
}

static void view_load(struct circle *c, unsigned node, struct view *v)
{
    memset(v, 0, sizeof *v);
    each_message(c, node, take_line, v);
    for (v->index_cap = 64; v->index_cap < 2 * v->count; v->index_cap *= 2)
        ;
    v->index = calloc(v->index_cap, sizeof *v->index);
    for (size_t i = 0; i < v->count; i++)
        v->index[spot_in(v, v->lines[i].id)] = (uint32_t)i + 1;
}

static void view_clear(struct view *v)
{
    free(v->lines);
    free(v->index);
    memset(v, 0, sizeof *v);
}

struct page {
    char *at;
    size_t len, cap, count;
};

static void take_text(void *ctx, const struct yr_message *m)
{
    struct page *p = ctx;

    if (p->cap - p->len < 4098) {
        p->cap = 2 * p->cap + 8192;
        p->at = realloc(p->at, p->cap);
    }
    p->len += (size_t)print_message_line(p->at + p->len, 4096, m);
    p->at[p->len++] = '\n';
    p->at[p->len] = '\0';
    p->count++;
}

char *circle_history(struct circle *c, unsigned node, size_t *count)
{
    struct page p = {.at = calloc(1, 1), .cap = 1};

    each_message(c, node, take_text, &p);
    if (count != NULL)
        *count = p.count;
    return p.at;
}

/* ---- what must hold ---- */

static bool looked_at(const struct circle *c, unsigned node)
{
    return !c->gone[node] && !c->hostile[node] && sim_alive(c->sim, node);
}

static bool holds(struct circle *c, unsigned node)
{
    return looked_at(c, node) && circle_in(c, node);
}

// A crash may have eaten the event: then the store is asked.
static bool is_told(struct circle *c, unsigned node, size_t text)
{
    struct circle_text *t = &c->texts[text];

    if (t->shown[node] == 0 && circle_message(c, node, text) != NULL)
        t->shown[node] = sim_time(c->sim);
    return t->shown[node] != 0;
}

// Has everybody been shown what they can read?  Costs little compared with reading it all.
static bool all_told(struct circle *c)
{
    bool in[CIRCLE_MAX];

    for (unsigned i = 0; i < c->count; i++)
        in[i] = holds(c, i);
    for (size_t k = 0; k < c->text_count; k++)
        for (unsigned i = 0; c->texts[k].accepted && i < c->count; i++)
            if (in[i] && circle_reader(c, &c->texts[k], i) && !is_told(c, i, k))
                return false;
    return true;
}

// What two show in common, each in its own order: the same lines?
static const char *compare(const struct view *a, const struct view *b)
{
    size_t last = 0;

    for (size_t i = 0; i < a->count; i++) {
        const size_t at = line_of(b, a->lines[i].id);
        if (at == 0)
            continue;
        if (at <= last)
            return "two orders";
        if (a->lines[i].sum != b->lines[at - 1].sum)
            return "a message is shown in two ways";
        last = at;
    }
    return NULL;
}

static bool by_hostile(const struct circle *c, const struct line *line)
{
    for (unsigned i = 0; i < c->count; i++)
        if (c->hostile[i] && memcmp(c->mids[i], line->author, YR_MID_LEN) == 0)
            return true;
    return false;
}

static const char *check_view(struct circle *c, unsigned node, const struct view *v)
{
    for (size_t i = 0; i < v->count; i++) {
        if (line_of(v, v->lines[i].id) != i + 1)
            return "a text is there twice";
        for (size_t k = by_hostile(c, &v->lines[i]) ? 0 : i;
             k-- > 0;) // back to this author's last one
            if (memcmp(v->lines[k].author, v->lines[i].author, YR_MID_LEN) == 0) {
                if (memcmp(v->lines[k].incarnation, v->lines[i].incarnation, 8) == 0 &&
                    v->lines[k].seq >= v->lines[i].seq)
                    return "an author's texts are out of order";
                break;
            }
    }
    for (size_t k = 0; k < c->text_count; k++) {
        const struct circle_text *t = &c->texts[k];
        const size_t at = t->accepted ? line_of(v, t->id) : 0, last = at ? line_of(v, t->last) : 0;
        if (t->accepted && at == 0 && circle_reader(c, t, node) && holds(c, node))
            return "an accepted text is not there";
        if (at != 0 && t->reader_count > 0 && !circle_reader(c, t, node) && c->hist_days == 0) {
            print_error("text %zu of node %u, %u readers\n", k, t->from, t->reader_count);
            return "a text is shown to who should not read it";
        }
        if (last != 0 && last >= at)
            return "a text stands before what its author had seen";
    }
    return NULL;
}

const char *circle_wrong(struct circle *c, unsigned *a, unsigned *b)
{
    struct view *views = calloc(c->count, sizeof *views);
    const char *wrong = c->wrong;
    unsigned i, k;

    for (i = 0; i < c->count; i++)
        if (looked_at(c, i))
            view_load(c, i, &views[i]);
    for (i = k = 0; wrong == NULL && i < c->count; i++) {
        if (!looked_at(c, i))
            continue;
        wrong = check_view(c, i, &views[i]);
        for (k = 0; wrong == NULL && k < i; k++)
            if (looked_at(c, k) && circle_in(c, i) && circle_in(c, k))
                wrong = compare(&views[i], &views[k]);
    }
    if (a != NULL && i > 0)
        *a = i - 1;
    if (b != NULL)
        *b = k > 0 ? k - 1 : 0;
    for (i = 0; i < c->count; i++)
        view_clear(&views[i]);
    free(views);
    return wrong;
}

bool circle_settle(struct circle *c, yr_us limit)
{
    const yr_us end = sim_time(c->sim) + limit;
    yr_us step = 50 * YR_MS;

    while (!all_told(c) || circle_wrong(c, NULL, NULL) != NULL) {
        if (sim_time(c->sim) >= end)
            return false;
        if (all_told(c))
            step *= 2;
        sim_run(c->sim, YR_MIN(step, end - sim_time(c->sim)));
    }
    return true;
}

static void print_node(struct circle *c, unsigned node)
{
    struct yr_room_info info = {.state = YR_ROOM_GONE};
    struct yr_counter counter;
    size_t count;
    char *text, mid[27];

    if (node >= c->count || c->gone[node] || !sim_alive(c->sim, node))
        return;
    (void)circle_state(c, node, &info);
    yr_id_text(mid, c->mids[node], YR_MID_LEN);
    text = circle_history(c, node, &count);
    print_error("node %u (%.6s): state %d, %zu members, %zu waiting, %zu messages\n", node, mid,
                info.state, info.members, info.waiting, count);
    for (size_t i = 0; (counter = yr_node_counter(sim_node(c->sim, node), i)).name != NULL; i++)
        if (counter.value != 0 && strncmp(counter.name, "room", 4) == 0)
            print_error(" %s=%llu", counter.name, (unsigned long long)counter.value);
    print_error("\n");
    if (getenv("DUMP") != NULL)
        print_error("%s", text);
    free(text);
}

void circle_fail(struct circle *c, const char *what, unsigned a, unsigned b)
{
    print_error("seed %llu, %llu s: %s, nodes %u and %u\n", (unsigned long long)c->seed,
                (unsigned long long)(sim_time(c->sim) / YR_S), what, a, b);
    for (size_t k = 0, shown = 0; k < c->text_count && shown < 20; k++)
        for (unsigned i = 0; c->texts[k].accepted && i < c->count; i++)
            if (circle_reader(c, &c->texts[k], i) && c->texts[k].shown[i] == 0 && holds(c, i) &&
                shown++ < 20)
                print_error("text %zu of node %u is not shown to node %u\n", k, c->texts[k].from,
                            i);
    for (unsigned i = 0; i < c->count; i++)
        if (i == a || i == b || getenv("DUMP") != NULL)
            print_node(c, i);
    fail();
}

static void fail_member(struct circle *c, const struct yr_member_info *one,
                        const struct yr_member_info *other, unsigned a, unsigned b)
{
    char mid[27];

    yr_id_text(mid, one->mid, YR_MID_LEN);
    print_error("%.6s: \"%s\" of rank %u, \"%s\" of rank %u\n", mid, one->nick, one->rank,
                other->nick, other->rank);
    circle_fail(c, "a member is seen in two ways", a, b);
}

// Name, topic, members and ranks, as one member sees them.
static void check_room(struct circle *c, unsigned a, unsigned b)
{
    struct yr_room_info one = {.members = 0}, other = {.members = 0};
    struct yr_member_info member, same = {.rank = 0};

    (void)circle_state(c, a, &one);
    (void)circle_state(c, b, &other);
    if (strcmp(one.name, other.name) != 0 || strcmp(one.topic, other.topic) != 0 ||
        one.members != other.members)
        circle_fail(c, "two rooms", a, b);
    for (size_t i = 0; yr_node_member_at(sim_node(c->sim, a), c->room, i, &member); i++)
        if (member.rank > 0 &&
            (yr_node_member(sim_node(c->sim, b), c->room, member.mid, &same) != YR_OK ||
             same.rank != member.rank || strcmp(same.nick, member.nick) != 0))
            fail_member(c, &member, &same, a, b);
}

static void check_from_disk(struct circle *c)
{
    for (unsigned i = 0; i < c->count; i++) {
        struct view before, after;
        const char *wrong;
        if (c->gone[i])
            continue;
        view_load(c, i, &before);
        sim_crash(c->sim, i);
        sim_restart(c->sim, i);
        view_load(c, i, &after);
        wrong = before.count != after.count ? "from disk it is another history"
                                            : compare(&before, &after);
        if (wrong != NULL)
            circle_fail(c, wrong, i, i);
        view_clear(&before);
        view_clear(&after);
    }
}

void circle_end(struct circle *c, yr_us limit)
{
    unsigned a = 0, b = 0;

    if (!circle_settle(c, limit)) {
        const char *wrong = circle_wrong(c, &a, &b);
        circle_fail(c, wrong != NULL ? wrong : "somebody was not told", a, b);
    }
    sim_run(c->sim, 15 * YR_S); // names and ranks come after
    if (circle_wrong(c, &a, &b) != NULL)
        circle_fail(c, circle_wrong(c, &a, &b), a, b);
    for (a = 0; a < c->count; a++)
        for (b = 0; b < a; b++)
            if (holds(c, a) && holds(c, b)) {
                check_room(c, a, b);
                break; // with one other is enough
            }
    check_from_disk(c);
}
