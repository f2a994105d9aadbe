#include "tests/support/sim/cell.h"

#include <stdio.h>

#include "core/node/state.h"
#include "tests/support/test.h"

#define STREAM_CELL 78

/* ---- what is told ---- */

static struct cell_text *by_ticket(struct cell *c, unsigned node, uint64_t ticket)
{
    for (size_t i = c->text_count; i-- > 0;)
        if (c->texts[i].from == node && c->texts[i].ticket == ticket)
            return &c->texts[i];
    return NULL;
}

static struct cell_text *by_id(struct cell *c, const uint8_t id[YR_MSG_ID_LEN])
{
    for (size_t i = c->text_count; i-- > 0;)
        if (c->texts[i].accepted && memcmp(c->texts[i].id, id, YR_MSG_ID_LEN) == 0)
            return &c->texts[i];
    return NULL;
}

static void found_wrong(struct cell *c, const char *what, const struct cell_text *t)
{
    if (c->wrong == NULL) {
        c->wrong = what;
        c->wrong_text = (size_t)(t - c->texts);
    }
}

static void on_state(struct cell *c, struct cell_text *t, enum yr_state state)
{
    if (state < t->state)
        found_wrong(c, "a state went back", t);
    t->state = state;
    if (state >= YR_STATE_HELD && state <= YR_STATE_READ && t->held == 0)
        t->held = sim_time(c->sim);
    if (state >= YR_STATE_DELIVERED && state <= YR_STATE_READ && t->delivered == 0)
        t->delivered = sim_time(c->sim);
}

static void on_event(void *ctx, unsigned node, const struct yr_event *event)
{
    struct cell *c = ctx;
    struct cell_text *t;

    if (event->kind == YR_EV_DONE && (t = by_ticket(c, node, event->ticket)) != NULL &&
        event->err == YR_OK) {
        t->accepted = true;
        memcpy(t->id, event->msg, YR_MSG_ID_LEN);
    }
    if ((event->kind != YR_EV_MESSAGE && event->kind != YR_EV_STATE) ||
        (t = by_id(c, event->msg)) == NULL)
        return;
    if (event->kind == YR_EV_MESSAGE && node == t->to) {
        if (t->shown != 0)
            found_wrong(c, "a text was told twice", t);
        t->shown = sim_time(c->sim);
    }
    if (event->kind == YR_EV_STATE && node == t->from)
        on_state(c, t, event->state);
}

// A crash may have eaten the event: then the store is asked.
static void ask_store(struct cell *c, struct cell_text *t)
{
    static struct yr_message m;

    if (!t->accepted)
        return;
    if (t->shown == 0 && sim_alive(c->sim, t->to) &&
        yr_node_message(sim_node(c->sim, t->to), t->id, &m) == YR_OK)
        t->shown = sim_time(c->sim);
    if (sim_alive(c->sim, t->from) && t->delivered == 0) {
        if (yr_node_message(sim_node(c->sim, t->from), t->id, &m) != YR_OK)
            found_wrong(c, "an accepted text is gone at who said it", t);
        else if (m.state < t->state)
            found_wrong(c, "a state that was told went back", t);
        else if (m.state >= YR_STATE_DELIVERED && m.state <= YR_STATE_READ)
            t->delivered = sim_time(c->sim);
    }
}

/* ---- a cell ---- */

struct cell *cell_new(const struct sim_opts *opts, unsigned holders)
{
    struct cell *c = calloc(1, sizeof *c);
    char nick[16];

    c->seed = opts->seed;
    c->least = ORACLE_LEAST;
    c->count = CELL_HOLD + holders;
    assert_true(c->count <= CELL_MAX);
    c->texts = calloc(CELL_TEXTS, sizeof *c->texts);
    c->sim = sim_new(opts);
    for (unsigned i = 0; i < c->count; i++) {
        snprintf(nick, sizeof nick, "%s%u", i == CELL_FROM ? "s" : i == CELL_TO ? "r" : "m", i);
        assert_int_equal(sim_add(c->sim, nick), i);
    }
    sim_befriend(c->sim, CELL_FROM, CELL_TO);
    for (unsigned i = CELL_HOLD; i < c->count; i++) {
        sim_befriend(c->sim, CELL_FROM, i);
        sim_befriend(c->sim, CELL_TO, i);
    }
    sim_run(c->sim, 3 * YR_MIN_US);
    sim_watch(c->sim, on_event, c);
    c->contacts = contacts_new(c->sim);
    return c;
}

void cell_free(struct cell *c)
{
    contacts_free(c->contacts);
    sim_free(c->sim);
    free(c->texts);
    free(c);
}

void cell_go(struct cell *c, unsigned node, bool sudden)
{
    if (!sim_alive(c->sim, node))
        return;
    if (sudden)
        sim_crash(c->sim, node);
    else
        sim_leave(c->sim, node);
}

void cell_come(struct cell *c, unsigned node)
{
    if (!sim_alive(c->sim, node) && !c->gone[node])
        sim_restart(c->sim, node);
}

static void follow(struct cell *c, unsigned node)
{
    if (c->habits[node].there)
        cell_come(c, node);
    else
        cell_go(c, node, c->sudden || sim_draw(c->sim, STREAM_CELL) % 2 == 0);
}

void cell_habit(struct cell *c, unsigned node, const struct habit_profile *profile)
{
    c->lives[node] = profile != NULL;
    if (profile == NULL)
        return;
    habit_init(&c->habits[node], profile, c->seed, node, sim_time(c->sim));
    follow(c, node);
}

void cell_run(struct cell *c, yr_us duration)
{
    const yr_us end = sim_time(c->sim) + duration;

    for (;;) {
        unsigned next = c->count;
        for (unsigned i = 0; i < c->count; i++)
            if (c->lives[i] && !c->gone[i] && c->habits[i].until < end &&
                (next == c->count || c->habits[i].until < c->habits[next].until))
                next = i;
        if (next == c->count)
            break;
        if (c->habits[next].until > sim_time(c->sim))
            sim_run(c->sim, c->habits[next].until - sim_time(c->sim));
        habit_next(&c->habits[next]);
        follow(c, next);
    }
    if (end > sim_time(c->sim))
        sim_run(c->sim, end - sim_time(c->sim));
}

size_t cell_say(struct cell *c, unsigned from, unsigned to)
{
    struct cell_text *t = &c->texts[c->text_count];
    struct yr_cmd cmd = {.kind = YR_CMD_SEND};
    enum yr_err err;
    char body[64];

    assert_true(c->text_count < CELL_TEXTS);
    cmd.body_len = (size_t)snprintf(body, sizeof body, "canary-of-a-text %zu from %u to %u",
                                    c->text_count, from, to);
    cmd.body = body;
    memcpy(cmd.conv, sim_id(c->sim, to), YR_ID_LEN);
    *t = (struct cell_text){.from = from, .to = to, .at = sim_time(c->sim)};
    c->text_count++;
    t->ticket = sim_command(c->sim, from, &cmd, &err);
    if (err == YR_OK)
        return c->text_count - 1;
    c->text_count--;
    return SIZE_MAX;
}

/* ---- what must hold ---- */

static void give_up(struct cell *c, const char *what, unsigned a, unsigned b)
{
    print_error("seed %llu, %.3f s: %s, nodes %u and %u\n", (unsigned long long)c->seed,
                (double)sim_time(c->sim) / 1e6, what, a, b);
    for (size_t i = 0, told = 0; i < c->text_count && told < 20; i++) {
        const struct cell_text *t = &c->texts[i];
        if (t->accepted && (t->shown == 0 || t->delivered == 0 || i == c->wrong_text) && ++told)
            print_error("text %zu from %u to %u at %.3f s: state %d, held %.3f, shown %.3f, "
                        "delivered %.3f\n",
                        i, t->from, t->to, (double)t->at / 1e6, (int)t->state,
                        (double)t->held / 1e6, (double)t->shown / 1e6, (double)t->delivered / 1e6);
    }
    if (getenv("DUMP") != NULL && sim_alive(c->sim, a) && sim_alive(c->sim, b)) {
        char *of_a = sim_history(c->sim, a, b, true), *of_b = sim_history(c->sim, b, a, true);
        print_error("%s--\n%s", of_a, of_b);
        free(of_a);
        free(of_b);
    }
    fail();
}

size_t cell_missing(struct cell *c)
{
    size_t missing = 0;

    for (size_t i = 0; i < c->text_count; i++) {
        ask_store(c, &c->texts[i]);
        missing += c->texts[i].accepted && c->texts[i].shown == 0;
    }
    return missing;
}

// Histories of two, as lists of ids: is one's order the other's, and nothing twice?
struct shown {
    uint8_t (*ids)[YR_MSG_ID_LEN];
    size_t count;
};

static struct shown show(struct cell *c, unsigned a, unsigned b)
{
    struct yr_message *m = malloc(sizeof *m);
    struct yr_place place = {{0}};
    struct shown s = {NULL, 0};
    enum yr_seek how = YR_SEEK_GE;

    for (; yr_node_history(sim_node(c->sim, a), sim_id(c->sim, b), how, &place, m) == YR_OK;
         how = YR_SEEK_GT) {
        if (m->kind == YR_MSG_SYSTEM)
            continue;
        if ((s.count & (s.count - 1)) == 0)
            s.ids = realloc(s.ids, YR_MAX(2 * s.count, 1) * sizeof *s.ids);
        memcpy(s.ids[s.count++], m->id, YR_MSG_ID_LEN);
    }
    free(m);
    return s;
}

static size_t place_of(const struct shown *s, const uint8_t id[YR_MSG_ID_LEN])
{
    for (size_t i = 0; i < s->count; i++)
        if (memcmp(s->ids[i], id, YR_MSG_ID_LEN) == 0)
            return i + 1;
    return 0;
}

static const char *compare(const struct shown *a, const struct shown *b)
{
    size_t last = 0;

    for (size_t i = 0; i < a->count; i++) {
        const size_t at = place_of(b, a->ids[i]);
        if (place_of(a, a->ids[i]) != i + 1)
            return "a text is there twice";
        if (at != 0 && at <= last)
            return "two orders";
        last = at != 0 ? at : last;
    }
    return NULL;
}

void cell_check(struct cell *c)
{
    (void)cell_missing(c);
    if (c->wrong != NULL)
        give_up(c, c->wrong, c->texts[c->wrong_text].from, c->texts[c->wrong_text].to);
    for (unsigned a = 0; a < c->count; a++)
        for (unsigned b = 0; b < c->count; b++) {
            struct shown of_a, of_b;
            const char *wrong;
            if (a == b || !sim_alive(c->sim, a) || !sim_alive(c->sim, b))
                continue;
            of_a = show(c, a, b);
            of_b = show(c, b, a);
            wrong = compare(&of_a, &of_b);
            free(of_a.ids);
            free(of_b.ids);
            if (wrong != NULL)
                give_up(c, wrong, a, b);
        }
}

static bool at_rest(struct sim *sim, void *ctx)
{
    const struct cell *c = ctx;

    for (size_t i = 0; i < c->text_count; i++) {
        const struct cell_text *t = &c->texts[i];
        if (t->accepted && !c->gone[t->to] &&
            (t->shown == 0 || (t->delivered == 0 && !c->gone[t->from])))
            return false;
    }
    (void)sim;
    return true;
}

void cell_end(struct cell *c, yr_us limit)
{
    for (unsigned i = 0; i < c->count; i++) {
        c->lives[i] = false;
        cell_come(c, i);
    }
    (void)cell_missing(c); // what events of before a crash did not tell
    if (!sim_run_until(c->sim, limit, at_rest, c)) {
        (void)cell_missing(c);
        if (!at_rest(c->sim, c))
            give_up(c, "an accepted text is not there, or not told to be", CELL_FROM, CELL_TO);
    }
    cell_check(c);
}

/* ---- what holders keep ---- */

// How many rows of a table; perhaps they are deleted.
static size_t each_row(struct cell *c, unsigned node, unsigned of, enum yr_table table, bool forget)
{
    struct yr_rows *rows = sim_node(c->sim, node)->rows;
    const uint8_t *id = sim_id(c->sim, of);
    struct yr_row at = {.suffix_len = 0};
    enum yr_seek how = YR_SEEK_GE;
    size_t count = 0;

    for (; yr_rows_seek(rows, table, id, YR_ID_LEN, how, &at, NULL, 0) == YR_OK;
         how = YR_SEEK_GT, count++)
        if (forget)
            assert_int_equal(yr_rows_del(rows, table, id, YR_ID_LEN, at.suffix, at.suffix_len),
                             YR_OK);
    return count;
}

size_t cell_kept(struct cell *c, unsigned node, unsigned of)
{
    return each_row(c, node, of, YR_TABLE_MAIL, false);
}

void cell_lose_mail(struct cell *c, unsigned node, unsigned of)
{
    (void)each_row(c, node, of, YR_TABLE_MAIL, true);
    (void)each_row(c, node, of, YR_TABLE_MAILINDEX, true);
    sim_drain(c->sim, node);
    sim_run(c->sim, 50 * YR_MS); // one commit may be under way, and this is in the next
    sim_crash(c->sim, node);
    sim_restart(c->sim, node);
    assert_int_equal(cell_kept(c, node, of), 0);
}

yr_us cell_oracle(const struct cell *c, const struct cell_text *t, bool direct)
{
    struct oracle o;

    oracle_init(&o, c->contacts, t->from, t->to);
    o.least = c->least;
    for (unsigned i = CELL_HOLD; !direct && i < c->count; i++)
        if (i != t->from && i != t->to)
            oracle_holder(&o, t->from, i, t->to);
    return oracle_arrival(&o, t->from, t->to, t->at);
}
