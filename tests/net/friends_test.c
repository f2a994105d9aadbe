// Two hosts with real nodes, on one loop and the loopback interface: the whole way from making an
// identity to a text that has been delivered.
#include "loop.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "net/addr.h"
#include "yaari/host.h"

static char base[40];
static bool lan = true; // other nodes of this machine are heard too

struct person {
    struct test_loop *loop;
    struct yr_host *host;
    struct yr_addr listen;
    char dir[64];
    uint64_t ticket; // of the last command
    bool done, friend_came, message_came, delivered, closed;
    enum yr_err err;
    char text[512]; // of the last DONE
    uint8_t conv[YR_ID_LEN], msg[YR_MSG_ID_LEN];
    size_t messages, deliveries;
    bool more; // something happened
    char log[4096];
};

static void on_event(void *ctx, const struct yr_event *event)
{
    struct person *p = ctx;

    switch ((int)event->kind) {
    case YR_EV_DONE:
        if (event->ticket != p->ticket)
            return;
        p->done = true;
        p->err = event->err;
        memcpy(p->text, event->text, sizeof p->text);
        memcpy(p->msg, event->msg, sizeof p->msg);
        return;
    case YR_EV_FRIEND: p->friend_came = true; return;
    case YR_EV_MESSAGE:
        p->message_came = true;
        p->messages++;
        return;
    case YR_EV_STATE: p->delivered = p->delivered || event->state == YR_STATE_DELIVERED; return;
    }
}

static void on_log(void *ctx, enum yr_log_level level, const char *room, const char *text)
{
    struct person *p = ctx;
    const size_t len = strlen(p->log);
    snprintf(p->log + len, sizeof p->log - len, "%s: %s\n", room, text);
}

static void wake(struct person *p, struct test_loop *loop, const char *name)
{
    struct yr_host_opts opts = yr_host_opts_default();

    memset(p, 0, sizeof *p);
    p->loop = loop;
    snprintf(p->dir, sizeof p->dir, "%s/%s", base, name);
    assert_int_equal(yr_addr_parse(&p->listen, "127.0.0.1:0", 0), YR_OK);
    opts.loop = &loop->uv;
    opts.data_dir = p->dir;
    opts.listen = &p->listen;
    opts.listen_count = 1;
    opts.lan = lan;
    opts.on_event = on_event;
    opts.on_log = on_log;
    opts.ctx = p;
    if (yr_host_open(&p->host, &opts) != YR_OK)
        fail_msg("%s", yr_host_error(p->host));
}

static void sleep_well(struct person *p)
{
    yr_host_close(p->host, set_true, &p->closed);
    assert_true(loop_until(p->loop, &p->closed, GUARD_MS));
}

static void wait_for(struct person *p, const bool *flag)
{
    if (!*flag && !loop_until(p->loop, flag, GUARD_MS))
        fail_msg("nothing came; log:\n%s", p->log);
}

static void run(struct person *p, struct yr_cmd *cmd)
{
    p->done = false;
    p->ticket++;
    assert_int_equal(yr_host_command(p->host, cmd, p->ticket), YR_OK);
    wait_for(p, &p->done);
    assert_int_equal(p->err, YR_OK);
}

static void make(const char *name)
{
    char dir[64], why[200];
    uint8_t id[YR_ID_LEN];

    snprintf(dir, sizeof dir, "%s/%s", base, name);
    if (yr_host_make_identity(dir, name, NULL, 0, id, why, sizeof why) != YR_OK)
        fail_msg("%s", why);
}

static void invite(struct person *p, char link[320])
{
    struct yr_cmd cmd = {.kind = YR_CMD_INVITE_NEW, .flags = YR_FLAG_HINTS};
    static struct yr_invite_info info;

    cmd.expires_ms = yr_host_now(p->host).wall_ms + 3600000;
    run(p, &cmd);
    for (size_t i = 0; yr_node_invite_at(yr_host_node(p->host), i, &info); i++)
        if (strcmp(info.id, p->text) == 0)
            snprintf(link, 320, "%s", info.link);
}

static void add(struct person *p, const char *link)
{
    struct yr_cmd cmd = {.kind = YR_CMD_ADD, .text = link, .text_len = strlen(link)};
    run(p, &cmd);
}

/** The conversation with the only friend. */
static void know_friend(struct person *p)
{
    struct yr_friend_info info;

    assert_true(yr_node_friend_at(yr_host_node(p->host), 0, &info));
    memcpy(p->conv, info.id, sizeof p->conv);
}

static void meet(struct person *a, struct person *b)
{
    char link[320] = "";

    invite(a, link);
    add(b, link);
    wait_for(a, &a->friend_came);
    wait_for(b, &b->friend_came);
    know_friend(a);
    know_friend(b);
}

static void send_text(struct person *p, const char *text)
{
    struct yr_cmd cmd = {.kind = YR_CMD_SEND, .body = text, .body_len = strlen(text)};
    memcpy(cmd.conv, p->conv, sizeof cmd.conv);
    run(p, &cmd);
}

static void remove_dir(const char *path)
{
    char line[96];
    snprintf(line, sizeof line, "rm -rf %s", path);
    assert_int_equal(system(line), 0);
}

/** Count the texts of p's conversation that begin with `text`. */
static size_t shown(struct person *p, const char *text)
{
    static struct yr_message message;
    struct yr_place at = {{0}};
    enum yr_seek how = YR_SEEK_GE;
    size_t count = 0;

    while (yr_node_history(yr_host_node(p->host), p->conv, how, &at, &message) == YR_OK) {
        count += strncmp(message.text, text, strlen(text)) == 0;
        how = YR_SEEK_GT;
    }
    return count;
}

static void two_people_meet_and_talk_and_go_on_after_both_restart(void **state)
{
    struct test_loop loop;
    struct person alice, bob;
    struct yr_addr before, after;
    uint64_t begin;

    make("alice");
    make("bob");
    loop_start(&loop);
    wake(&alice, &loop, "alice");
    wake(&bob, &loop, "bob");
    begin = uv_hrtime();
    meet(&alice, &bob);
    send_text(&alice, "salaam");
    wait_for(&bob, &bob.message_came);
    print_message("from add to the first text: %.1f ms\n", (double)(uv_hrtime() - begin) / 1e6);
    wait_for(&alice, &alice.delivered);
    assert_int_equal(shown(&bob, "salaam"), 1);

    assert_int_equal(yr_host_bound(bob.host, &before, 1), 1);
    sleep_well(&bob);
    send_text(&alice, "are you there?"); // waits for him
    sleep_well(&alice);
    wake(&alice, &loop, "alice");
    wake(&bob, &loop, "bob");
    know_friend(&alice);
    know_friend(&bob);
    assert_int_equal(yr_host_bound(bob.host, &after, 1), 1);
    assert_int_equal(after.port, before.port);
    begin = uv_hrtime();
    wait_for(&bob, &bob.message_came);
    print_message("after a restart of both: %.1f ms\n", (double)(uv_hrtime() - begin) / 1e6);
    wait_for(&alice, &alice.delivered);
    assert_int_equal(shown(&bob, "are you there?"), 1);
    assert_int_equal(shown(&bob, "salaam"), 1);
    sleep_well(&alice);
    sleep_well(&bob);
    loop_end(&loop);
}

static void an_idle_link_wakes_nobody_more_than_once_a_second(void **state)
{
    struct test_loop loop;
    struct person alice, bob;
    struct yr_host_stats before, after;

    make("alice");
    make("bob");
    loop_start(&loop);
    lan = false; // whoever else runs here must not wake these two
    wake(&alice, &loop, "alice");
    wake(&bob, &loop, "bob");
    lan = true;
    meet(&alice, &bob);
    send_text(&alice, "good night");
    wait_for(&alice, &alice.delivered);
    loop_for(&loop, 2000); // what a new link still has to say
    yr_host_stats(bob.host, &before);
    loop_for(&loop, 4000);
    yr_host_stats(bob.host, &after);
    print_message("%u wake-ups, %u packets in 4 s\n", (unsigned)(after.wakeups - before.wakeups),
                  (unsigned)(after.rx_packets - before.rx_packets));
    assert_true(after.wakeups - before.wakeups <= 4);
    sleep_well(&alice);
    sleep_well(&bob);
    loop_end(&loop);
}

static void locking_takes_the_link_down_and_unlocking_brings_it_back(void **state)
{
    struct test_loop loop;
    struct person alice, bob;

    make("alice");
    make("bob");
    loop_start(&loop);
    wake(&alice, &loop, "alice");
    wake(&bob, &loop, "bob");
    meet(&alice, &bob);
    send_text(&alice, "one");
    wait_for(&bob, &bob.message_came);
    assert_int_equal(yr_host_lock(bob.host), YR_OK);
    for (int i = 0; i < 1000 && yr_host_state(bob.host) != YR_HOST_LOCKED; i++)
        loop_for(&loop, 1);
    assert_int_equal(yr_host_state(bob.host), YR_HOST_LOCKED);
    bob.message_came = alice.delivered = false;
    send_text(&alice, "two");
    loop_for(&loop, 50);
    assert_false(bob.message_came);
    assert_int_equal(yr_host_unlock(bob.host, NULL, 0), YR_OK);
    wait_for(&bob, &bob.message_came);
    wait_for(&alice, &alice.delivered);
    assert_int_equal(shown(&bob, "two"), 1);
    sleep_well(&alice);
    sleep_well(&bob);
    loop_end(&loop);
}

static void an_identity_made_and_killed_anywhere_can_be_made_again(void **state)
{
    char dir[64], why[200];
    uint8_t id[YR_ID_LEN];
    size_t again = 0;

    snprintf(dir, sizeof dir, "%s/killed", base);
    for (unsigned us = 0; us < 20000; us += 250 + us / 8) {
        enum yr_err err;
        const pid_t pid = fork();
        if (pid == 0)
            _exit(yr_host_make_identity(dir, "carol", NULL, 0, id, why, sizeof why) != YR_OK);
        usleep(us);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        err = yr_host_make_identity(dir, "carol", NULL, 0, id, why, sizeof why);
        if (err != YR_OK && err != YR_EEXIST)
            fail_msg("after %u us: %s", us, why);
        again += err == YR_OK;
        err = yr_host_make_identity(dir, "carol", NULL, 0, id, why, sizeof why);
        assert_int_equal(err, YR_EEXIST);
        remove_dir(dir);
    }
    assert_true(again > 0); // it was hit before the end
}

/** Ask for a note to oneself and wait for the answer. */
static enum yr_err note(struct person *p, const char *text)
{
    struct yr_cmd cmd = {.kind = YR_CMD_SEND, .body = text, .body_len = strlen(text)};
    enum yr_err err;

    memcpy(cmd.conv, p->conv, sizeof cmd.conv);
    p->done = false;
    p->ticket++;
    err = yr_host_command(p->host, &cmd, p->ticket);
    if (err != YR_OK)
        return err;
    wait_for(p, &p->done);
    return p->err;
}

static void know_self(struct person *p)
{
    struct yr_self self;

    yr_node_self(yr_host_node(p->host), &self);
    memcpy(p->conv, self.id, sizeof p->conv);
}

/** In a child whose base is a disk of 2 MiB: the number of the step that failed, or 0. */
static int live_on_a_full_disk(void)
{
    struct test_loop loop;
    struct person carol;
    size_t accepted = 0, refused = 0;
    enum yr_err err = YR_OK;
    char text[1024];

    make("carol");
    loop_start(&loop);
    wake(&carol, &loop, "carol");
    know_self(&carol);
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    for (size_t i = 0; i < 5000 && refused < 5; i++) {
        memcpy(text, "note", 4);
        err = note(&carol, text);
        accepted += err == YR_OK;
        refused += err != YR_OK;
    }
    if (refused < 5 || accepted == 0)
        return 1;
    if (err != YR_ENOSPC)
        return 2;
    struct yr_self self;
    yr_node_self(yr_host_node(carol.host), &self);
    if (!self.store_failing || strstr(carol.log, "write failed") == NULL)
        return 3;
    if (shown(&carol, "note") != accepted)
        return 4; // what was refused is not shown
    char line[128];
    snprintf(line, sizeof line, "mount -o remount,size=64m %s", base);
    if (system(line) != 0)
        return 5;
    for (int i = 0; i < 1000 && note(&carol, "note: room again") != YR_OK; i++)
        loop_for(&loop, 20);
    accepted++;
    sleep_well(&carol);
    wake(&carol, &loop, "carol");
    know_self(&carol);
    if (shown(&carol, "note") != accepted)
        return 6; // nothing accepted was lost, nothing came twice
    sleep_well(&carol);
    loop_end(&loop);
    return 0;
}

static void a_full_disk_is_told_and_loses_nothing_and_passes(void **state)
{
    int status = 0;
    const pid_t pid = fork();

    if (pid == 0) {
        if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
            mount("yaari", base, "tmpfs", 0, "size=2m,mode=700") != 0)
            _exit(99);
        _exit(live_on_a_full_disk());
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 99)
        skip(); // a disk of one's own takes privileges
    assert_int_equal(WEXITSTATUS(status), 0);
}

static int make_base(void **state)
{
    strcpy(base, "/tmp/yaari-friends-XXXXXX");
    return mkdtemp(base) == NULL;
}

static int remove_base(void **state)
{
    remove_dir(base);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_base, remove_base)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(two_people_meet_and_talk_and_go_on_after_both_restart),
        TEST(an_idle_link_wakes_nobody_more_than_once_a_second),
        TEST(locking_takes_the_link_down_and_unlocking_brings_it_back),
        TEST(a_full_disk_is_told_and_loses_nothing_and_passes),
        TEST(an_identity_made_and_killed_anywhere_can_be_made_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
