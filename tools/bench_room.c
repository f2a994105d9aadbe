/* tools/bench_room.c: a room of many nodes, a process each, on loopback.
 *
 *     bench_room FOLDER MEMBERS TEXTS     prints JSON lines: forming, text to all, bytes sent
 *
 * The members' friendships are a ring with a chord at every second node.  The parent tells the
 * children what to do and hears what they see, a line each way; times are of one clock.
 *
 * A text is at all members when the last of them tells of it: it is on their disks then.  So two
 * commits follow each other in each figure, the author's and those of all others at once, and the
 * baseline is the same with bare LMDB: as many processes, rows as many and as long.  Each author
 * says one text before that counts for nothing, for it goes over all links (who brings it first is
 * heard from then on).  Bytes are those of UDP payload that all members sent from then until 12 s
 * after the last text, receipts and acknowledgements included, by texts and members who got them.
 * With BENCH_COUNTS in the environment the sums of all counters over that time go to stderr. */
#include <fcntl.h>
#include <lmdb.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "yaari/host.h"

#define MEMBERS_MAX 64
#define TEXTS_MAX   10000
#define TEXT_LEN    100
#define ORDER_MAX   400
#define PATIENCE_MS 60000
#define COUNTS_MAX  512
#define BASE_ROWS   12  /* that a text is, at each member */
#define BASE_LEN    240 /* bytes of one, about */
#define BASE_RUNS   100

static void die(const char *what)
{
    fprintf(stderr, "bench_room: %s\n", what);
    exit(1);
}

static uint64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* ---- a member ---- */

struct member {
    uv_loop_t loop;
    struct yr_host *host;
    uv_poll_t orders;
    uv_timer_t timer;
    int fd; /* to the parent */
    char line[ORDER_MAX];
    size_t line_len;
    uint8_t room[YR_ID_LEN];
    bool in_room;
    size_t members, online; /* told last */
    uint64_t ticket;
};

static struct yr_message message; // 20 KiB: not for the stack

static void tell(const struct member *m, const char *text)
{
    if (write(m->fd, text, strlen(text)) < 0)
        exit(1); // the parent has gone
}

static void order(struct member *m, const struct yr_cmd *cmd)
{
    const enum yr_err err = yr_host_command(m->host, cmd, ++m->ticket);

    if (err != YR_OK)
        die(yr_strerror(err));
}

static void invite_link(struct member *m)
{
    struct yr_cmd cmd = {.kind = YR_CMD_INVITE_NEW,
                         .flags = YR_FLAG_HINTS,
                         .expires_ms = yr_host_now(m->host).wall_ms + 3600 * 1000};
    struct yr_invite_info info;
    char text[ORDER_MAX];

    order(m, &cmd);
    for (size_t i = 0; yr_node_invite_at(yr_host_node(m->host), i, &info); i++)
        if (info.state == YR_INVITE_OPEN)
            snprintf(text, sizeof text, "link %s\n", info.link);
    tell(m, text);
}

static void invite_friend(struct member *m, const char *nick)
{
    struct yr_cmd cmd = {.kind = YR_CMD_ROOM_INVITE};
    struct yr_friend_info info;

    memcpy(cmd.conv, m->room, YR_ID_LEN);
    for (size_t i = 0; yr_node_friend_at(yr_host_node(m->host), i, &info); i++)
        if (strcmp(info.nick, nick) == 0)
            memcpy(cmd.who, info.id, YR_ID_LEN);
    order(m, &cmd);
}

static void say(struct member *m)
{
    struct yr_cmd cmd = {.kind = YR_CMD_SEND, .body_len = TEXT_LEN};
    char text[TEXT_LEN];

    memset(text, '.', sizeof text);
    text[snprintf(text, sizeof text, "%llu", (unsigned long long)now_us())] = ' ';
    memcpy(cmd.conv, m->room, YR_ID_LEN);
    cmd.body = text;
    order(m, &cmd);
}

static void tell_count(const struct member *m, const char *name, uint64_t value)
{
    char text[ORDER_MAX];

    snprintf(text, sizeof text, "count %s %llu\n", name, (unsigned long long)value);
    tell(m, text);
}

static void tell_counts(const struct member *m)
{
    struct yr_host_stats stats;
    struct yr_counter counter;

    yr_host_stats(m->host, &stats);
    tell_count(m, "host.tx_bytes", stats.tx_bytes);
    tell_count(m, "host.tx_packets", stats.tx_packets);
    tell_count(m, "host.commits", stats.commits);
    tell_count(m, "host.wakeups", stats.wakeups);
    tell_count(m, "host.cpu_us", (uint64_t)clock() * 1000000 / CLOCKS_PER_SEC);
    for (size_t i = 0; (counter = yr_node_counter(yr_host_node(m->host), i)).name != NULL; i++)
        tell_count(m, counter.name, counter.value);
    tell(m, "counted\n");
}

static void closed(void *ctx)
{
    struct member *m = ctx;

    uv_close((uv_handle_t *)&m->timer, NULL);
    uv_close((uv_handle_t *)&m->orders, NULL);
}

static void obey(struct member *m, const char *line)
{
    struct yr_cmd cmd = {.kind = YR_CMD_ADD, .text = line + 4};

    if (strcmp(line, "link") == 0) {
        invite_link(m);
    } else if (strncmp(line, "add ", 4) == 0) {
        cmd.text_len = strlen(cmd.text);
        order(m, &cmd);
    } else if (strcmp(line, "new") == 0) {
        cmd = (struct yr_cmd){.kind = YR_CMD_ROOM_NEW, .text = "bench", .text_len = 5};
        order(m, &cmd);
    } else if (strncmp(line, "invite ", 7) == 0) {
        invite_friend(m, line + 7);
    } else if (strcmp(line, "say") == 0) {
        say(m);
    } else if (strcmp(line, "count") == 0) {
        tell_counts(m);
    } else {
        yr_host_close(m->host, closed, m);
    }
}

static void on_orders(uv_poll_t *poll, int status, int events)
{
    struct member *m = poll->data;
    const ssize_t n = read(m->fd, m->line + m->line_len, sizeof m->line - 1 - m->line_len);
    char *end;

    (void)events;
    if (status != 0 || n <= 0)
        exit(1);
    m->line_len += (size_t)n;
    m->line[m->line_len] = '\0';
    while ((end = strchr(m->line, '\n')) != NULL) {
        *end = '\0';
        obey(m, m->line);
        m->line_len -= (size_t)(end + 1 - m->line);
        memmove(m->line, end + 1, m->line_len + 1);
    }
}

// How many members this one knows of, and whether it can talk.
static void look_at_room(struct member *m)
{
    struct yr_room_info info;
    char text[ORDER_MAX];

    if (!yr_node_room_at(yr_host_node(m->host), 0, &info))
        return;
    memcpy(m->room, info.id, YR_ID_LEN);
    if (info.state == YR_ROOM_INVITED && !m->in_room) {
        struct yr_cmd cmd = {.kind = YR_CMD_ROOM_JOIN};
        memcpy(cmd.conv, info.id, YR_ID_LEN);
        m->in_room = true;
        order(m, &cmd);
    }
    if (info.state == YR_ROOM_ACTIVE && info.members != m->members) {
        m->members = info.members;
        snprintf(text, sizeof text, "members %zu\n", m->members);
        tell(m, text);
    }
}

static void on_event(void *ctx, const struct yr_event *e)
{
    struct member *m = ctx;
    const uint64_t now = now_us();
    char text[ORDER_MAX];

    if (e->kind == YR_EV_PRESENCE && e->online) {
        tell(m, "online\n");
    } else if (e->kind == YR_EV_ROOM || e->kind == YR_EV_MEMBER) {
        look_at_room(m);
    } else if (e->kind == YR_EV_MESSAGE) {
        if (yr_node_message(yr_host_node(m->host), e->msg, &message) != YR_OK)
            die("a message that was told is not there");
        if (message.own || message.kind != YR_MSG_TEXT)
            return;
        snprintf(text, sizeof text, "seen %llu\n",
                 (unsigned long long)(now - strtoull(message.text, NULL, 10)));
        tell(m, text);
    } else if (e->kind == YR_EV_DONE && e->err != YR_OK) {
        die(yr_strerror(e->err));
    }
}

static void say_ready(uv_timer_t *timer)
{
    struct member *m = timer->data;

    if (yr_host_state(m->host) != YR_HOST_OPEN)
        return;
    uv_timer_stop(timer);
    uv_poll_start(&m->orders, UV_READABLE, on_orders);
    tell(m, "ready\n");
}

static void run_member(const char *folder, const char *nick, int fd)
{
    static struct member member;
    struct member *m = &member;
    struct yr_host_opts opts = yr_host_opts_default();
    const struct yr_addr loopback = {.family = 4, .ip = {127, 0, 0, 1}};
    char dir[512], why[256] = "";
    uint8_t id[YR_ID_LEN];

    snprintf(dir, sizeof dir, "%s/%s", folder, nick);
    if (yr_host_make_identity(dir, nick, NULL, 0, id, why, sizeof why) != YR_OK)
        die(why);
    m->fd = fd;
    uv_loop_init(&m->loop);
    opts.loop = &m->loop;
    opts.data_dir = dir;
    opts.listen = &loopback;
    opts.listen_count = 1;
    opts.lan = false;
    opts.on_event = on_event;
    opts.ctx = m;
    uv_timer_init(&m->loop, &m->timer);
    m->timer.data = m;
    uv_poll_init(&m->loop, &m->orders, fd);
    m->orders.data = m;
    if (yr_host_open(&m->host, &opts) != YR_OK)
        die(yr_host_error(m->host));
    uv_timer_start(&m->timer, say_ready, 1, 5);
    uv_run(&m->loop, UV_RUN_DEFAULT);
}

/* ---- the parent ---- */

static struct child {
    int fd;
    pid_t pid;
    char line[16 * ORDER_MAX];
    size_t line_len;
    size_t ready, online, members, seen;
    size_t counted;
    char link[ORDER_MAX];
} children[MEMBERS_MAX];
static size_t count;

static uint64_t times[MEMBERS_MAX * TEXTS_MAX];
static size_t time_count;

static void tell_child(size_t i, const char *text)
{
    char line[ORDER_MAX + 16];
    const int len = snprintf(line, sizeof line, "%s\n", text);

    if (write(children[i].fd, line, (size_t)len) != len)
        die("a member has gone");
}

/* Sums over all members of what they count, by name. */
static struct count {
    char name[64];
    uint64_t value, before;
} counts[COUNTS_MAX];
static size_t count_count;

static struct count *count_of(const char *name, size_t len)
{
    struct count *c = counts;

    while (c < counts + count_count && (strncmp(c->name, name, len) != 0 || c->name[len] != '\0'))
        c++;
    if (c == counts + count_count) {
        if (count_count++ == COUNTS_MAX || len >= sizeof c->name)
            die("too many counters");
        memcpy(c->name, name, len);
    }
    return c;
}

static void add_count(const char *line)
{
    const char *space = strchr(line, ' ');

    if (space == NULL)
        die("no count");
    count_of(line, (size_t)(space - line))->value += strtoull(space + 1, NULL, 10);
}

static void heard(struct child *c, const char *line)
{
    if (strcmp(line, "ready") == 0) {
        c->ready = 1;
    } else if (strcmp(line, "online") == 0) {
        c->online++;
    } else if (strncmp(line, "link ", 5) == 0) {
        snprintf(c->link, sizeof c->link, "%s", line + 5);
    } else if (strncmp(line, "members ", 8) == 0) {
        c->members = strtoull(line + 8, NULL, 10);
    } else if (strncmp(line, "seen ", 5) == 0) {
        c->seen++;
        times[time_count++] = strtoull(line + 5, NULL, 10);
    } else if (strncmp(line, "count ", 6) == 0) {
        add_count(line + 6);
    } else if (strcmp(line, "counted") == 0) {
        c->counted = 1;
    }
}

static void hear(struct child *c)
{
    const ssize_t n = read(c->fd, c->line + c->line_len, sizeof c->line - 1 - c->line_len);
    char *end;

    if (n <= 0)
        die("a member has gone");
    c->line_len += (size_t)n;
    c->line[c->line_len] = '\0';
    while ((end = strchr(c->line, '\n')) != NULL) {
        *end = '\0';
        heard(c, c->line);
        c->line_len -= (size_t)(end + 1 - c->line);
        memmove(c->line, end + 1, c->line_len + 1);
    }
}

static void wait_until(bool (*there)(size_t want), size_t want, const char *what)
{
    const uint64_t end = now_us() + PATIENCE_MS * 1000;
    struct pollfd fds[MEMBERS_MAX];

    while (!there(want)) {
        for (size_t i = 0; i < count; i++)
            fds[i] = (struct pollfd){.fd = children[i].fd, .events = POLLIN};
        if (now_us() > end || poll(fds, count, PATIENCE_MS) <= 0)
            die(what);
        for (size_t i = 0; i < count; i++)
            if (fds[i].revents != 0)
                hear(&children[i]);
    }
}

static bool all_ready(size_t want)
{
    size_t n = 0;

    for (size_t i = 0; i < count; i++)
        n += children[i].ready;
    return n == want;
}

static bool links_up(size_t want)
{
    size_t n = 0;

    for (size_t i = 0; i < count; i++)
        n += children[i].online;
    return n >= want;
}

static bool has_link(size_t i)
{
    return children[i].link[0] != '\0';
}

static bool all_in(size_t want)
{
    for (size_t i = 0; i < count; i++)
        if (children[i].members != want)
            return false;
    return true;
}

static bool is_in(size_t i)
{
    return children[i].members > 0;
}

static bool all_seen(size_t want)
{
    return time_count == want;
}

static bool all_counted(size_t want)
{
    size_t n = 0;

    for (size_t i = 0; i < count; i++)
        n += children[i].counted;
    return n == want;
}

// What was counted since this was called last.
static void take_counts(void)
{
    for (size_t i = 0; i < count_count; i++) {
        counts[i].before = counts[i].value;
        counts[i].value = 0;
    }
    for (size_t i = 0; i < count; i++) {
        children[i].counted = 0;
        tell_child(i, "count");
    }
    wait_until(all_counted, count, "no figures");
}

static double counted(const char *name)
{
    const struct count *c = count_of(name, strlen(name));

    return (double)(c->value - c->before);
}

static void befriend(size_t a, size_t b, size_t *links)
{
    char text[ORDER_MAX + 8];

    children[a].link[0] = '\0';
    tell_child(a, "link");
    wait_until(has_link, a, "no link");
    snprintf(text, sizeof text, "add %s", children[a].link);
    tell_child(b, text);
    *links += 2;
    wait_until(links_up, *links, "two members do not meet");
}

static void start(const char *folder)
{
    for (size_t i = 0; i < count; i++) {
        int fd[2];
        char nick[16];

        snprintf(nick, sizeof nick, "m%zu", i);
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) != 0)
            die("no socket pair");
        children[i].pid = fork();
        if (children[i].pid == 0) {
            for (size_t k = 0; k <= i; k++)
                close(k < i ? children[k].fd : fd[0]);
            run_member(folder, nick, fd[1]);
            _exit(0);
        }
        close(fd[1]);
        children[i].fd = fd[0];
    }
    wait_until(all_ready, count, "a member does not start");
}

// Along the ring from the founder both ways, each bringing the next.
static double form(void)
{
    const uint64_t begin = now_us();
    size_t up = 0, down = count;
    char text[32];

    tell_child(0, "new");
    wait_until(is_in, 0, "no room");
    while (up + 1 < down) {
        snprintf(text, sizeof text, "invite m%zu", up + 1);
        tell_child(up, text);
        if (up + 1 < down - 1) {
            snprintf(text, sizeof text, "invite m%zu", down - 1);
            tell_child(down % count, text);
            wait_until(is_in, down - 1, "a member does not get in");
            down--;
        }
        wait_until(is_in, up + 1, "a member does not get in");
        up++;
    }
    wait_until(all_in, count, "not all know all");
    return (double)(now_us() - begin) / 1e6;
}

static void print_counts(size_t deliveries)
{
    for (size_t i = 0; i < count_count; i++)
        if (counts[i].value != counts[i].before)
            fprintf(stderr, "%-32s %10.0f %8.3f per delivery\n", counts[i].name,
                    counted(counts[i].name), counted(counts[i].name) / (double)deliveries);
}

static int by_value(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static double commit_ms(const char *folder)
{
    uint64_t took[100];
    char path[512];
    int fd;

    snprintf(path, sizeof path, "%s/baseline", folder);
    fd = open(path, O_RDWR | O_CREAT, 0600);
    for (size_t i = 0; i < 100; i++) {
        const uint64_t t = now_us();
        if (fd < 0 || pwrite(fd, "x", 1, 0) != 1 || fdatasync(fd) != 0)
            die("baseline: cannot write");
        took[i] = now_us() - t;
    }
    close(fd);
    qsort(took, 100, sizeof *took, by_value);
    return (double)took[50] / 1000;
}

static void base_commit(MDB_env *env, uint64_t *no)
{
    char value[BASE_LEN];
    MDB_txn *txn;
    MDB_dbi dbi;

    memset(value, 'x', sizeof value);
    if (mdb_txn_begin(env, NULL, 0, &txn) != 0 || mdb_dbi_open(txn, NULL, 0, &dbi) != 0)
        die("baseline: no transaction");
    for (int i = 0; i < BASE_ROWS; i++, ++*no) { // keys as far apart as those of sealed rows
        uint64_t key[2] = {*no * 0x9e3779b97f4a7c15u, *no};
        MDB_val k = {sizeof key, key}, v = {sizeof value, value};
        if (mdb_put(txn, dbi, &k, &v, 0) != 0)
            die("baseline: cannot put");
    }
    if (mdb_txn_commit(txn) != 0)
        die("baseline: cannot commit");
}

// Commits when told to, until nobody tells it any more.
static void run_base(const char *folder, size_t i, int fd)
{
    uint64_t no = 0;
    char dir[512], byte = 0;
    MDB_env *env;

    snprintf(dir, sizeof dir, "%s/base%zu", folder, i);
    if (mkdir(dir, 0700) != 0 || mdb_env_create(&env) != 0 ||
        mdb_env_set_mapsize(env, 1u << 26) != 0 || mdb_env_open(env, dir, 0, 0600) != 0)
        die("baseline: cannot open LMDB");
    while (read(fd, &byte, 1) == 1) {
        base_commit(env, &no);
        if (write(fd, &byte, 1) != 1)
            break;
    }
    mdb_env_close(env);
}

static void base_tell(int fd)
{
    if (write(fd, "x", 1) != 1)
        die("baseline: a process has gone");
}

static void base_hear(int fd)
{
    char byte;

    if (read(fd, &byte, 1) != 1)
        die("baseline: a process has gone");
}

// Median milliseconds of one commit, and then one of all others at once, in processes of their own.
static double base_ms(const char *folder)
{
    uint64_t took[BASE_RUNS];
    int fds[MEMBERS_MAX], fd[2];

    for (size_t i = 0; i < count; i++) {
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) != 0)
            die("no socket pair");
        if (fork() == 0) {
            for (size_t k = 0; k <= i; k++)
                close(k < i ? fds[k] : fd[0]);
            run_base(folder, i, fd[1]);
            _exit(0);
        }
        close(fd[1]);
        fds[i] = fd[0];
    }
    for (size_t run = 0; run < BASE_RUNS; run++) {
        const uint64_t begin = now_us();
        for (size_t i = 0; i < count; i++) {
            base_tell(fds[i]);
            if (i == 0)
                base_hear(fds[i]);
        }
        for (size_t i = 1; i < count; i++)
            base_hear(fds[i]);
        took[run] = now_us() - begin;
        usleep(2000);
    }
    for (size_t i = 0; i < count; i++)
        close(fds[i]);
    for (size_t i = 0; i < count; i++)
        wait(NULL);
    qsort(took, BASE_RUNS, sizeof *took, by_value);
    return (double)took[BASE_RUNS / 2] / 1000;
}

// Microseconds until all others have it: the slowest decides.
static uint64_t say_one(size_t author)
{
    uint64_t last = 0;

    time_count = 0;
    tell_child(author, "say");
    wait_until(all_seen, count - 1, "a text is not at all members");
    for (size_t k = 0; k < time_count; k++)
        last = times[k] > last ? times[k] : last;
    usleep(2000);
    return last;
}

static void talk(size_t texts, double *p50, double *p99, double *bytes)
{
    static uint64_t last[TEXTS_MAX];

    for (size_t i = 0; i < count; i++)
        (void)say_one(i);
    take_counts();
    for (size_t i = 0; i < texts; i++)
        last[i] = say_one((i * 7 + 3) % count);
    sleep(12); // what follows a text belongs to its cost: acknowledgements, receipts
    take_counts();
    *bytes = counted("host.tx_bytes") / (double)(texts * (count - 1));
    if (getenv("BENCH_COUNTS") != NULL)
        print_counts(texts * (count - 1));
    qsort(last, texts, sizeof *last, by_value);
    *p50 = (double)last[texts / 2] / 1000;
    *p99 = (double)last[texts * 99 / 100] / 1000;
}

int main(int argc, char **argv)
{
    size_t links = 0, texts;
    double formed_s, p50, p99, bytes, base, commits;
    int status;

    if (argc != 4)
        die("usage: bench_room FOLDER MEMBERS TEXTS");
    count = strtoul(argv[2], NULL, 10);
    texts = strtoul(argv[3], NULL, 10);
    if (count < 4 || count > MEMBERS_MAX || texts < 10 || texts > TEXTS_MAX)
        die("4..64 members, 10..10000 texts");
    signal(SIGPIPE, SIG_IGN);
    base = commit_ms(argv[1]);
    commits = base_ms(argv[1]);
    start(argv[1]);
    for (size_t i = 0; i < count; i++)
        befriend(i, (i + 1) % count, &links);
    for (size_t i = 0; i + 3 < count; i += 2)
        befriend(i,
                 (i + count / 2) % count == (i + 1) % count ? i + 2 : (i + count / 2 + 1) % count,
                 &links);
    formed_s = form();
    printf("{\"bench\":\"room_forms\",\"members\":%zu,\"s\":%.2f,\"goal_s\":3,"
           "\"baseline\":\"one commit\",\"baseline_ms\":%.2f,\"ratio\":%.0f}\n",
           count, formed_s, base, formed_s * 1000 / base);
    fflush(stdout);
    talk(texts, &p50, &p99, &bytes);
    printf("{\"bench\":\"room_text_to_all\",\"members\":%zu,\"texts\":%zu,\"p50_ms\":%.2f,"
           "\"p99_ms\":%.2f,\"goal_p50_ms\":5,\"goal_p99_ms\":25,\"baseline\":\"its commits, bare "
           "LMDB\","
           "\"baseline_ms\":%.2f,\"ratio\":%.1f}\n",
           count, texts, p50, p99, commits, p50 / commits);
    printf("{\"bench\":\"room_bytes_per_text\",\"members\":%zu,\"bytes\":%.0f,\"goal_bytes\":900,"
           "\"baseline\":\"the text\",\"baseline_bytes\":%d,\"ratio\":%.1f}\n",
           count, bytes, TEXT_LEN, bytes / TEXT_LEN);
    for (size_t i = 0; i < count; i++)
        tell_child(i, "quit");
    for (size_t i = 0; i < count; i++)
        if (waitpid(children[i].pid, &status, 0) < 0 || status != 0)
            die("a member failed");
    return 0;
}
