#include <time.h>
#include <unistd.h>

#include "tests/core/room/epoch_world.h"

#define MODEL YAARI_SOURCE_DIR "/tests/models/room_epoch_model.py"
#define ROOMS 1200

/* ---- against the model ---- */

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void tell_read(struct world *w, const struct person *p)
{
    static char ids[RECORDS][9];
    size_t n = 0;
    const char *comma = "";

    say(w, "[\"read\",\"%s\"]", hex8(p->mid));
    for (size_t i = 0; i < w->count; i++)
        if (p->read[i])
            snprintf(ids[n++], sizeof ids[0], "%.8s", hex8(w->r[i].record.id));
    qsort(ids, n, sizeof ids[0], by_text);
    tell(w, "%s", n == 0 ? "none" : "");
    if (n > 0)
        w->at--; // the blank before nothing
    if (n > 0)
        *w->at++ = ' ';
    for (size_t i = 0; i < n; i++, comma = ",")
        w->at += sprintf(w->at, "%s%s", comma, ids[i]);
    assert_true(w->at < w->out + LINE - 512);
}

static void step(struct world *w)
{
    static const unsigned ranks[] = {10, 10, 50, 75};
    struct person *p = &w->p[seeded_below(&w->rnd, PEOPLE)];
    struct person *other = &w->p[seeded_below(&w->rnd, PEOPLE)];
    const size_t what = seeded_below(&w->rnd, 100);
    static const yr_ms spans[] = {0, 1000, 60000, YR_DAY_MS / 4, YR_DAY_MS};
    struct held *h;

    w->now += spans[seeded_below(&w->rnd, YR_COUNT(spans))];
    if (what < 28) {
        write_text(w, p);
    } else if (what < 46) {
        h = act(w, p, YR_ROOM_ADD, other, ranks[seeded_below(&w->rnd, YR_COUNT(ranks))]);
        if (h != NULL && seeded_below(&w->rnd, 3) > 0)
            history(w, p, other);
    } else if (what < 52) {
        h = act(w, p, YR_ROOM_REMOVE, other, 0);
        if (h != NULL && seeded_below(&w->rnd, 4) > 0)
            rekey(w, p);
    } else if (what < 54) {
        act(w, p, YR_ROOM_LEAVE, p, 0);
    } else if (what < 58) {
        act(w, p, YR_ROOM_SET, p, 0);
    } else if (what < 62) {
        rekey_as(w, p, 1 + (unsigned)seeded_below(&w->rnd, 3), HONEST);
    } else if (what < 66) {
        rekey_as(w, p, 1 + (unsigned)seeded_below(&w->rnd, 3),
                 (enum malice)(1 + seeded_below(&w->rnd, MALICE - 1)));
    } else if (what < 67) {
        say(w, "[\"restart\",\"%s\"]", hex8(p->mid));
        assert_int_equal(yr_epochs_restart(p->epochs), YR_OK);
    } else if (what < 70) { // a start from the rows
        yr_epochs_free(p->epochs);
        epochs_open(w, p);
    } else if (what < 73 && w->hist_days == 0) {
        assert_int_equal(yr_epochs_tick(p->epochs, w->now), YR_OK);
    } else if (p != other) {
        sync_one(w, (size_t)(p - w->p), (size_t)(other - w->p), (unsigned)seeded_below(&w->rnd, 4));
    }
}

static void random_room(struct world *w, size_t number)
{
    const size_t steps = 12 + seeded_below(&w->rnd, 40);

    w->comma = false;
    founded(w, number % 3 == 0 ? 3 : 0);
    for (size_t i = 1; i < 3 + number % 3; i++) {
        act(w, &w->p[0], YR_ROOM_ADD, &w->p[i], i == 1 ? 75 : i == 2 ? 50 : 10);
        sync_one(w, 0, i, 0);
    }
    for (size_t i = 0; i < steps && w->count < RECORDS - 60 && w->now < T0 + 25 * YR_DAY_MS; i++)
        step(w);
    sync_all(w);
    for (size_t i = 0; i < PEOPLE; i++) {
        choice(w, &w->p[i]);
        tell_read(w, &w->p[i]);
    }
    for (size_t i = 0; i < PEOPLE; i++) { // and then they come together
        write_text(w, &w->p[i]);
        sync_all(w);
    }
    for (size_t i = 0; i < PEOPLE; i++)
        if (is_member(&w->p[i]))
            choice(w, &w->p[i]);
}

static void who_can_open_what_is_what_the_model_says(void **state)
{
    static struct world w;
    const uint64_t seed = seeded_seed("epochs", 20261122);
    char path[] = "/tmp/yaari-epochs-XXXXXX", command[256];
    char *want = malloc(LINE), **lines = calloc(ROOMS, sizeof *lines);
    size_t opened = 0, shut = 0;
    FILE *file;
    int fd;

    assert_true(want != NULL && lines != NULL);
    assert_true((fd = mkstemp(path)) >= 0);
    world_init(&w, seed);
    assert_non_null(w.trace = fdopen(fd, "w"));
    for (size_t number = 0; number < ROOMS; number++) {
        fprintf(w.trace, "{\"invite_min\":10,\"hist_days\":%u,\"events\":[",
                number % 3 == 0 ? 3u : 0u);
        random_room(&w, number);
        fputs("]}\n", w.trace);
        *w.at = '\0';
        assert_non_null(lines[number] = strdup(w.out));
    }
    assert_int_equal(fclose(w.trace), 0);
    w.trace = NULL;
    snprintf(command, sizeof command, "python3 '%s' '%s'", MODEL, path);
    assert_non_null(file = popen(command, "r"));
    for (size_t number = 0; number < ROOMS; number++) {
        assert_non_null(fgets(want, LINE, file));
        want[strcspn(want, "\n")] = '\0';
        if (strcmp(lines[number], want) != 0)
            print_message("room %zu of %s\nmodel %s\nhere  %s\n", number, path, want,
                          lines[number]);
        assert_string_equal(lines[number], want);
        for (const char *c = want; *c != '\0'; c++) {
            opened += *c == '+';
            shut += *c == '-';
        }
        free(lines[number]);
    }
    assert_int_equal(pclose(file), 0);
    unlink(path);
    print_message("%d rooms: %zu messages opened as they came, %zu not\n", ROOMS, opened, shut);
    assert_true(opened > 4 * ROOMS && shut > ROOMS);
    free(want);
    free(lines);
    world_end(&w);
}

static void the_model_has_the_properties_it_promises(void **state)
{
    char command[256];

    snprintf(command, sizeof command, "python3 '%s' --fuzz 1500", MODEL);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_model_has_the_properties_it_promises),
        cmocka_unit_test(who_can_open_what_is_what_the_model_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
