// A locked node: no key of its own or of its friends is left in what it holds or gave back.
#include "tests/support/test.h"

#include <malloc.h>
#include <stdlib.h>

#include "core/node/state.h"
#include "tests/support/sim/sim.h"

#define SECRETS_MAX 16
#define BLOCKS_MAX  20000

static struct {
    uint8_t bytes[SECRETS_MAX][16];
    const char *names[SECRETS_MAX];
    size_t count;
    void *blocks[BLOCKS_MAX];
    size_t block_count;
    bool look_at_freed;
    const char *found;
    void *(*realloc)(void *ctx, void *ptr, size_t size);
} spy;

static void look(const void *ptr)
{
    for (size_t i = 0; ptr != NULL && i < spy.count; i++)
        if (memmem(ptr, malloc_usable_size((void *)(uintptr_t)ptr), spy.bytes[i], 16) != NULL)
            spy.found = spy.names[i];
}

static void *spying_realloc(void *ctx, void *ptr, size_t size)
{
    void *next;

    if (size == 0 && spy.look_at_freed)
        look(ptr);
    next = spy.realloc(ctx, ptr, size);
    if (ptr != NULL && (size == 0 || next != NULL))
        for (size_t i = 0; i < spy.block_count; i++)
            if (spy.blocks[i] == ptr)
                spy.blocks[i] = NULL;
    if (next != NULL) {
        size_t at = 0;
        while (at < spy.block_count && spy.blocks[at] != NULL)
            at++;
        assert_true(at < BLOCKS_MAX);
        spy.blocks[at] = next;
        spy.block_count = YR_MAX(spy.block_count, at + 1);
    }
    return next;
}

static void note(const char *name, const uint8_t *secret)
{
    assert_true(spy.count < SECRETS_MAX);
    spy.names[spy.count] = name;
    memcpy(spy.bytes[spy.count++], secret, 16);
}

static const struct yr_friend *first_friend(const struct yr_node *n)
{
    for (size_t i = 0; i < YR_FRIENDS_MAX; i++)
        if (n->friends[i].used)
            return &n->friends[i];
    return NULL;
}

static void a_locked_node_holds_no_key(void **state)
{
    struct sim_opts opts = sim_opts_default(5);
    struct sim *sim = sim_new(&opts);
    const unsigned a = sim_add(sim, "alice"), b = sim_add(sim, "bob");
    struct yr_node *n = sim_node(sim, a);
    const struct yr_friend *f;

    memset(&spy, 0, sizeof spy);
    spy.realloc = n->mem->realloc;
    n->mem->realloc = spying_realloc;
    sim_crash(sim, a);
    sim_restart(sim, a); // a new node, all of whose blocks are seen
    n = sim_node(sim, a);
    sim_befriend(sim, a, b);
    sim_text(sim, a, b, "hello bob", NULL);
    sim_text(sim, b, a, "hello alice", NULL);
    sim_run(sim, 5 * YR_S);

    assert_non_null(f = first_friend(n));
    note("identity root", n->self.root);
    note("identity signing key", n->self.sign_sk);
    note("device key", n->self.device.secret_key);
    note("link psk", f->pair.link_psk);
    note("link init", f->pair.link_init[0]);
    note("link hint", f->pair.link_hint[0]);
    note("probe key", f->pair.probe[0]);
    note("lan key", f->pair.lan[0]);
    note("prekey handshake psk", f->pair.pkh_psk);
    note("next pair", f->pair.next);
    for (size_t i = 0; i < spy.block_count; i++)
        look(spy.blocks[i]);
    assert_non_null(spy.found); // it would be seen
    spy.found = NULL;

    spy.look_at_freed = true;
    yr_node_lock(n, sim_now(sim, a));
    for (size_t i = 0; i < spy.block_count; i++)
        look(spy.blocks[i]);
    if (spy.found != NULL)
        fail_msg("left behind: %s", spy.found);
    spy.look_at_freed = false;
    sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_locked_node_holds_no_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
