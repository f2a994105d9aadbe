/* What tests say often: friends, links, texts, what a conversation looks like. */
#include <stdarg.h>
#include <stdio.h>

#include "tests/support/sim/state.h"

bool sim_linked(struct sim *sim, unsigned a, unsigned b)
{
    struct yr_friend_info info;

    return sim_alive(sim, a) && sim_alive(sim, b) &&
           yr_node_friend(sim_node(sim, a), sim_id(sim, b), &info) == YR_OK && info.online &&
           yr_node_friend(sim_node(sim, b), sim_id(sim, a), &info) == YR_OK && info.online;
}

static bool pair_linked(struct sim *sim, void *ctx)
{
    const unsigned *pair = ctx;

    return sim_linked(sim, pair[0], pair[1]);
}

bool sim_run_linked(struct sim *sim, unsigned a, unsigned b, yr_us limit_us)
{
    unsigned pair[2] = {a, b};

    return sim_run_until(sim, limit_us, pair_linked, pair);
}

void sim_befriend(struct sim *sim, unsigned a, unsigned b)
{
    struct yr_cmd invite = {.kind = YR_CMD_INVITE_NEW,
                            .flags = YR_FLAG_HINTS,
                            .expires_ms = sim_now(sim, a).wall_ms + 3600 * 1000};
    struct yr_event done = sim_do(sim, a, &invite);
    struct yr_invite_info info;
    size_t i = 0;

    while (yr_node_invite_at(sim_node(sim, a), i, &info) && strcmp(info.id, done.text) != 0)
        i++;
    struct yr_cmd add = {.kind = YR_CMD_ADD, .text = info.link, .text_len = strlen(info.link)};
    (void)sim_do(sim, b, &add);
    sim_check(sim_run_linked(sim, a, b, 60 * YR_S), "two friends found no link");
}

void sim_text(struct sim *sim, unsigned from, unsigned to, const char *text,
              uint8_t id[YR_MSG_ID_LEN])
{
    struct yr_cmd cmd = {.kind = YR_CMD_SEND, .body = text, .body_len = strlen(text)};
    struct yr_event done;

    memcpy(cmd.conv, sim_id(sim, to), YR_ID_LEN);
    done = sim_do(sim, from, &cmd);
    if (id != NULL)
        memcpy(id, done.msg, YR_MSG_ID_LEN);
}

struct text {
    char *at;
    size_t len, cap;
};

static void __attribute__((format(printf, 2, 3))) add(struct text *t, const char *format, ...)
{
    va_list args;
    int n;

    for (;;) {
        va_start(args, format);
        n = vsnprintf(t->at + t->len, t->cap - t->len, format, args);
        va_end(args);
        if ((size_t)n < t->cap - t->len)
            break;
        t->cap = t->cap * 2 + (size_t)n;
        t->at = realloc(t->at, t->cap);
    }
    t->len += (size_t)n;
}

static void add_message(struct text *t, const struct yr_message *m, bool state)
{
    char id[27], author[53];

    yr_id_text(id, m->id, sizeof m->id);
    yr_id_text(author, m->author, sizeof m->author);
    add(t, "%s %.8s k%d%s%s %lld \"%s\"", id, author, m->kind, m->edited ? " edited" : "",
        m->deleted ? " deleted" : "", (long long)m->time_ms, m->text);
    for (size_t i = 0; i < m->reaction_count; i++) {
        yr_id_text(author, m->reactions[i].author, sizeof m->reactions[i].author);
        add(t, " %.8s:%s", author, m->reactions[i].emoji);
    }
    if (state)
        add(t, " s%d", m->state);
    add(t, "\n");
}

char *sim_history(struct sim *sim, unsigned a, unsigned b, bool state)
{
    struct text t = {.at = calloc(1, 4096), .cap = 4096};
    struct yr_message *m = malloc(sizeof *m);
    struct yr_place place = {{0}};
    enum yr_seek how = YR_SEEK_GE;

    while (yr_node_history(sim_node(sim, a), sim_id(sim, b), how, &place, m) == YR_OK) {
        how = YR_SEEK_GT;
        if (m->kind != YR_MSG_SYSTEM)
            add_message(&t, m, state);
    }
    free(m);
    return t.at;
}

size_t sim_history_count(struct sim *sim, unsigned a, unsigned b)
{
    char *history = sim_history(sim, a, b, false);
    size_t n = 0;

    for (const char *c = history; *c != '\0'; c++)
        n += *c == '\n';
    free(history);
    return n;
}
