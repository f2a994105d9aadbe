/* chat.c: `yaari chat`: life, terminal, the loop, the connection.  What it looks like:
 * yaari-chat(7).
 *
 *     connect -> subscribe -> friends -> open a conversation -> keys and events in turn -> leave
 *                    ^                                              |
 *                    +---- the node is back <- waits <- it went away
 *
 * The terminal is given back on every way out: by leaving, by atexit, and by the handlers of the
 * signals that end a program. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "cli/chat_int.h"
#include "cli/common/text_safe.h"

#define RETRY_MS_MIN 250
#define RETRY_MS_MAX 4000
#define CALL_MS      10000 /* for a call, unless --timeout says otherwise */
#define SILENT_MS    1000  /* of a call: then it is said that the node does not answer */
#define BELL_MS      3000  /* at most one in this time */
#define SLICE_MS     200   /* of a call: after it somebody may have given up */

/* ---- the terminal: process-wide, as signal handlers need it ---- */

static struct termios cooked;
static volatile sig_atomic_t raw;        // the terminal is ours and must be given back
static volatile sig_atomic_t got_signal; // the first that asks to end
static volatile sig_atomic_t got_resize, got_continue, got_suspend;
static int wake_pipe[2] = {-1, -1};

static void give_back(void)
{
    static const char off[] = "\r\x1b[J\x1b[?2004l";

    if (!raw)
        return;
    raw = 0;
    if (write(STDOUT_FILENO, off, sizeof off - 1) < 0) {
        // the terminal is gone: there is nothing to give back
    }
    tcsetattr(STDIN_FILENO, TCSADRAIN, &cooked);
}

static void make_raw(void)
{
    struct termios mode = cooked;

    mode.c_iflag &= (tcflag_t) ~(ICRNL | INLCR | IGNCR | IXON | ISTRIP | BRKINT | PARMRK);
    mode.c_oflag &= (tcflag_t)~OPOST;
    mode.c_lflag &= (tcflag_t) ~(ICANON | ECHO | ECHONL | ISIG | IEXTEN);
    mode.c_cc[VMIN] = 1;
    mode.c_cc[VTIME] = 0;
    raw = 1;
    tcsetattr(STDIN_FILENO, TCSADRAIN, &mode);
}

static void on_signal(int number)
{
    const int saved = errno;

    if (number == SIGWINCH)
        got_resize = 1;
    else if (number == SIGCONT)
        got_continue = 1;
    else if (number == SIGTSTP)
        got_suspend = 1;
    else if (got_signal == 0)
        got_signal = number;
    if (write(wake_pipe[1], "", 1) < 0) {
        // full: it wakes already
    }
    errno = saved;
}

/** A bug ends us: still, the shell gets a terminal it can use. */
static void on_fault(int number)
{
    give_back();
    signal(number, SIG_DFL);
    raise(number);
}

static bool catch_signals(void)
{
    static const int caught[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH, SIGCONT, SIGTSTP};
#ifdef YAARI_SANITIZED // the sanitizers want these for their reports
    static const int faults[] = {SIGABRT};
#else
    static const int faults[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};
#endif
    struct sigaction action;

    if (pipe2(wake_pipe, O_CLOEXEC | O_NONBLOCK) != 0)
        return false;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    for (size_t i = 0; i < sizeof caught / sizeof caught[0]; i++)
        sigaction(caught[i], &action, NULL);
    action.sa_handler = on_fault;
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
        sigaction(faults[i], &action, NULL);
    signal(SIGPIPE, SIG_IGN); // a terminal that is gone is told by write
    return true;
}

static size_t terminal_columns(void)
{
    struct winsize size;

    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 0;
}

/* ---- output ---- */

yr_ms yr_talk_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (yr_ms)now.tv_sec * 1000 + now.tv_nsec / 1000000 + 1; // never 0
}

void yr_talk_flush(struct yr_talk *chat)
{
    size_t done = 0;

    while (done < chat->screen.len) {
        const ssize_t put = write(STDOUT_FILENO, chat->screen.at + done, chat->screen.len - done);

        if (put < 0 && errno != EINTR) {
            chat->leave = true; // nobody reads any more
            if (chat->exit == YR_EXIT_OK && errno != EIO && errno != EPIPE)
                chat->exit = YR_EXIT_IOERR;
            break;
        }
        done += put > 0 ? (size_t)put : 0;
    }
    yr_buf_cut(&chat->screen, 0);
}

size_t yr_talk_columns(const struct yr_talk *chat)
{
    return chat->plain ? 0 : chat->cli->out.columns;
}

void yr_talk_print(struct yr_talk *chat, const char *text)
{
    yr_edit_print(chat->edit, text, &chat->screen);
}

void yr_talk_ring(struct yr_talk *chat)
{
    const yr_ms now = yr_talk_now();

    if (chat->plain || !yr_config_bool(&chat->cli->config, YR_CFG_UI_BELL) ||
        (chat->bell_at > 0 && now - chat->bell_at < BELL_MS))
        return;
    chat->bell_at = now;
    yr_buf_addc(&chat->screen, '\a');
}

static void say_as(struct yr_talk *chat, enum yr_role role, const char *lead, const char *text)
{
    struct yr_buf line = {0}, folded = {0};

    yr_talk_fold(&folded, lead, strlen(lead), text, yr_talk_columns(chat), 3);
    yr_paint(&chat->cli->out, &line, role);
    yr_buf_adds(&line, yr_buf_str(&folded));
    yr_unpaint(&chat->cli->out, &line, role);
    yr_talk_print(chat, yr_buf_str(&line));
    yr_buf_clear(&line);
    yr_buf_clear(&folded);
}

__attribute__((format(printf, 1, 0))) static char *formatted(const char *format, va_list args)
{
    char *text = NULL;

    return vasprintf(&text, format, args) < 0 ? yr_strdup("") : text;
}

void yr_talk_say(struct yr_talk *chat, const char *format, ...)
{
    va_list args;
    char *text;

    va_start(args, format);
    text = formatted(format, args);
    va_end(args);
    say_as(chat, YR_ROLE_SYSTEM, "-- ", text);
    free(text);
}

void yr_talk_fail(struct yr_talk *chat, const char *hint, const char *format, ...)
{
    struct yr_buf safe = {0};
    va_list args;
    char *text;

    va_start(args, format);
    text = formatted(format, args);
    va_end(args);
    yr_safe_line(&safe, text, strlen(text));
    say_as(chat, YR_ROLE_ERROR, "yaari: ", yr_buf_str(&safe));
    if (hint != NULL && hint[0] != '\0') {
        yr_buf_cut(&safe, 0);
        yr_safe_line(&safe, hint, strlen(hint));
        say_as(chat, YR_ROLE_SYSTEM, "hint: ", yr_buf_str(&safe));
    }
    yr_buf_clear(&safe);
    free(text);
}

void yr_talk_release(struct yr_talk *chat)
{
    yr_edit_hide(chat->edit, &chat->screen);
    yr_talk_flush(chat);
    if (!chat->plain)
        give_back();
}

void yr_talk_take(struct yr_talk *chat)
{
    if (!chat->plain)
        make_raw();
    yr_edit_show(chat->edit, &chat->screen);
    yr_talk_flush(chat);
}

/* ---- the node ---- */

static void lost(struct yr_talk *chat)
{
    if (!chat->connected)
        return;
    chat->connected = false;
    chat->retry_ms = RETRY_MS_MIN;
    chat->retry_at = yr_talk_now() + RETRY_MS_MIN;
    yr_client_close(chat->cli->client);
    chat->cli->client = NULL;
    yr_talk_say(chat, "the node went away; waiting for it (yaari daemon start)");
}

static void fail_with(struct yr_talk *chat, struct yr_client_error *err)
{
    const bool gone = strcmp(err->name, "daemon_gone") == 0;

    if (!chat->running && err->exit != 0) {
        chat->exit = yr_cli_error(chat->cli, err);
        return;
    }
    if (!gone && err->exit != 0)
        yr_talk_fail(chat, err->hint, "%s", err->message);
    yr_client_error_clear(err);
    if (gone)
        lost(chat);
}

/** Keys that came while the node was to answer wait for their turn.  true: Ctrl-C is among them. */
static bool given_up(struct yr_talk *chat)
{
    struct pollfd keys = {.fd = STDIN_FILENO, .events = POLLIN};
    const char *interrupt;
    char bytes[4096];
    ssize_t got;

    if (got_signal != 0)
        return true;
    if (chat->plain || poll(&keys, 1, 0) != 1 || (keys.revents & POLLIN) == 0 ||
        (got = read(STDIN_FILENO, bytes, sizeof bytes)) <= 0)
        return false;
    interrupt = memchr(bytes, 3, (size_t)got);
    yr_edit_feed(chat->edit, bytes, interrupt != NULL ? (size_t)(interrupt - bytes) : (size_t)got);
    return interrupt != NULL;
}

/** Wait for the answer to a call, in slices: who sits there is told when it takes long, and may
 * give up. */
static json_t *wait_answer(struct yr_talk *chat, int64_t id, struct yr_client_error *err)
{
    const yr_ms begun = yr_talk_now();
    bool said = false, end = false;
    json_t *result = NULL;

    yr_client_set_timeout(chat->cli->client, SLICE_MS);
    while (!end) {
        const yr_ms took = yr_talk_now() - begun;

        result = yr_client_finish(chat->cli->client, id, err);
        end = result != NULL || err->code != 0 || err->exit != YR_EXIT_TEMPFAIL ||
              (chat->call_ms >= 0 && took >= chat->call_ms);
        if (!end)
            end = chat->running ? given_up(chat) : got_signal != 0;
        if (!end && !said && chat->running && took >= SILENT_MS) {
            yr_talk_say(chat, chat->plain ? "the node does not answer; waiting for it"
                                          : "the node does not answer; Ctrl-C stops waiting");
            yr_talk_flush(chat);
            said = true;
        }
    }
    yr_client_set_timeout(chat->cli->client, chat->call_ms > 0 ? (unsigned)chat->call_ms : 0);
    return result;
}

json_t *yr_talk_call(struct yr_talk *chat, const char *method, json_t *params)
{
    struct yr_client_error err = {0};
    json_t *result = NULL;
    int64_t id;

    if (!chat->connected) {
        json_decref(params);
        yr_talk_fail(chat, NULL, "the node is not there; waiting for it");
        return NULL;
    }
    id = yr_client_start(chat->cli->client, method, params, &err);
    if (id != 0)
        result = wait_answer(chat, id, &err);
    if (result == NULL)
        fail_with(chat, &err);
    yr_client_error_clear(&err);
    return result;
}

/** since: the last event that was seen; 0: from now on.  false: it was said why. */
static bool subscribe(struct yr_talk *chat, uint64_t since)
{
    json_t *params = json_object(), *result;

    if (since > 0)
        json_object_set_new(params, "since", json_integer((json_int_t)since));
    result = yr_talk_call(chat, "events.subscribe", params);
    if (result == NULL)
        return false;
    if (since == 0)
        chat->cursor = (uint64_t)yr_json_int(result, "cursor", 0);
    json_decref(result);
    return true;
}

/** All events that are here.  Any call may have set some aside, which no poll would tell of: so
 * this comes before every wait, and once more after its own call. */
static void take_events(struct yr_talk *chat)
{
    struct yr_client_error err = {0};
    json_t *event;

    while (chat->connected) {
        event = yr_client_next_event(chat->cli->client, 0, &err);
        if (event != NULL)
            yr_talk_event(chat, event);
        else if (chat->current != NULL && chat->current->to_mark)
            yr_talk_conv_mark(chat, chat->current);
        else
            break;
        json_decref(event);
    }
    if (chat->connected && err.exit != 0 && err.exit != YR_EXIT_TEMPFAIL)
        fail_with(chat, &err);
    yr_client_error_clear(&err);
}

static void reconnect(struct yr_talk *chat)
{
    const struct yr_client_opts opts = {
        .socket = chat->cli->paths.sock, .name = "yaari " YAARI_VERSION, .timeout_ms = SILENT_MS};
    struct yr_client_error err = {0};

    chat->retry_ms = chat->retry_ms * 2 > RETRY_MS_MAX ? RETRY_MS_MAX : chat->retry_ms * 2;
    chat->retry_at = yr_talk_now() + chat->retry_ms;
    if (yr_client_open(&chat->cli->client, &opts, &err) != YR_OK) {
        yr_client_error_clear(&err);
        chat->cli->client = NULL;
        return;
    }
    if (strcmp(yr_json_str(yr_client_hello(chat->cli->client), "state", ""), "locked") == 0) {
        yr_client_close(chat->cli->client); // not of use until somebody unlocks it
        chat->cli->client = NULL;
        return;
    }
    yr_client_set_timeout(chat->cli->client, chat->call_ms > 0 ? (unsigned)chat->call_ms : 0);
    chat->connected = true;
    yr_talk_say(chat, "the node is back");
    if (subscribe(chat, chat->cursor) && yr_talk_convs_load(chat, false))
        take_events(chat);
}

/* ---- the loop ---- */

static void suspend(struct yr_talk *chat)
{
    struct sigaction action = {.sa_handler = SIG_DFL}, ours;

    yr_talk_release(chat);
    sigaction(SIGTSTP, &action, &ours);
    kill(0, SIGTSTP); // the whole job, as the terminal would
    sigaction(SIGTSTP, &ours, NULL);
    yr_talk_take(chat);
    got_continue = got_suspend = 0;
}

static void on_edit(struct yr_talk *chat, enum yr_edit_event event)
{
    struct yr_talk_conv *next;

    switch (event) {
    case YR_EDIT_MORE: break;
    case YR_EDIT_LINE: yr_talk_entered(chat, yr_edit_line(chat->edit)); break;
    case YR_EDIT_LEAVE: chat->leave = true; break;
    case YR_EDIT_SUSPEND: suspend(chat); break;
    case YR_EDIT_UNREAD:
        next = yr_talk_conv_next_unread(chat);
        if (next != NULL)
            yr_talk_conv_open(chat, next);
        else
            yr_talk_say(chat, "nothing unread");
        break;
    case YR_EDIT_EARLIER: yr_talk_earlier(chat); break;
    case YR_EDIT_TOO_LONG: yr_talk_fail(chat, NULL, "too long: 16 KiB can be sent"); break;
    }
}

static void take_keys(struct yr_talk *chat)
{
    enum yr_edit_event event;

    while (!chat->leave && (event = yr_edit_next(chat->edit, &chat->screen)) != YR_EDIT_MORE) {
        on_edit(chat, event);
        if (chat->connected)
            take_events(chat); // what was sent is shown before the next line is
    }
    if (!chat->leave)
        yr_talk_composing(chat);
}

static void read_keys(struct yr_talk *chat)
{
    char bytes[4096];
    const ssize_t got = read(STDIN_FILENO, bytes, sizeof bytes);

    if (got > 0) {
        yr_edit_feed(chat->edit, bytes, (size_t)got);
        take_keys(chat);
    } else if (got == 0 || errno != EINTR) {
        yr_edit_end(chat->edit);
        take_keys(chat);
        chat->leave = true;
    }
}

static void after_signals(struct yr_talk *chat)
{
    char bytes[64];

    while (read(wake_pipe[0], bytes, sizeof bytes) > 0)
        ;
    if (got_suspend)
        suspend(chat);
    if (got_continue && !chat->plain && chat->edit != NULL) {
        // stopped by another than our own Ctrl-Z: the shell has changed the terminal meanwhile
        got_continue = 0;
        make_raw();
        yr_edit_hide(chat->edit, &chat->screen);
        yr_edit_show(chat->edit, &chat->screen);
    }
    if (got_resize && !chat->plain) {
        const size_t columns = terminal_columns();

        got_resize = 0;
        if (columns > 0)
            chat->cli->out.columns = (unsigned)columns;
        yr_edit_resize(chat->edit, columns, &chat->screen);
    }
    if (got_signal != 0) {
        chat->leave = true;
        chat->exit = (enum yr_exit)(128 + got_signal);
    }
}

static int sooner(int a, int b)
{
    return a < 0 ? b : b < 0 || a < b ? a : b;
}

/** How long nothing needs to be done, in ms; -1: for ever. */
static int patience(struct yr_talk *chat)
{
    int wait = sooner(yr_talk_unread_line(chat, false), yr_talk_overdue(chat));

    if (yr_edit_waiting(chat->edit))
        wait = sooner(wait, YR_EDIT_IDLE_MS);
    if (!chat->connected) {
        const yr_ms left = chat->retry_at - yr_talk_now();

        wait = sooner(wait, left > 0 ? (int)left : 0);
    }
    return wait;
}

static void turn(struct yr_talk *chat)
{
    struct pollfd fds[3] = {
        {.fd = STDIN_FILENO, .events = POLLIN},
        {.fd = wake_pipe[0], .events = POLLIN},
        {.fd = -1, .events = POLLIN},
    };
    int ready, wait;

    take_events(chat);
    wait = patience(chat);
    yr_talk_flush(chat);
    if (chat->leave)
        return;
    if (chat->connected)
        fds[2].fd = yr_client_fd(chat->cli->client);
    ready = poll(fds, 3, wait);
    after_signals(chat);
    if (chat->leave)
        return;
    if (ready == 0 && yr_edit_waiting(chat->edit)) {
        yr_edit_idle(chat->edit);
        take_keys(chat);
    }
    if (ready > 0 && fds[0].revents != 0)
        read_keys(chat);
    if (!chat->connected && yr_talk_now() >= chat->retry_at)
        reconnect(chat);
}

/* ---- start and end ---- */

/** Where to begin without a TARGET: unread, else spoken with last, else the only friend. */
static struct yr_talk_conv *first_conv(struct yr_talk *chat)
{
    struct yr_talk_conv *conv = yr_talk_conv_next_unread(chat);
    json_t *result, *message;

    if (conv != NULL)
        return conv;
    result = yr_talk_call(chat, "message.list", json_pack("{s:i}", "limit", 1));
    message = json_array_get(json_object_get(result, "messages"), 0);
    if (message != NULL)
        conv = yr_talk_conv_of(chat, json_object_get(message, "target"));
    json_decref(result);
    for (size_t i = 0; i < chat->conv_count && conv == NULL; i++)
        if (!chat->convs[i]->gone &&
            (chat->convs[i]->room == NULL || chat->convs[i]->room->state == YR_TALK_ACTIVE))
            conv = chat->convs[i];
    return conv;
}

static enum yr_exit begin(struct yr_talk *chat)
{
    const char *target = yr_operand(chat->cli, 0);
    struct yr_talk_conv *conv = NULL;

    chat->connected = true;
    if (!subscribe(chat, 0) || !yr_talk_convs_load(chat, true))
        return chat->exit != YR_EXIT_OK ? chat->exit : YR_EXIT_UNAVAILABLE;
    if (target == NULL) {
        conv = first_conv(chat);
    } else {
        conv = yr_talk_conv_resolve(chat, target);
        if (conv == NULL)
            return chat->exit != YR_EXIT_OK ? chat->exit : YR_EXIT_UNAVAILABLE;
    }
    chat->running = true;
    if (!chat->plain) {
        tcgetattr(STDIN_FILENO, &cooked);
        atexit(give_back);
        make_raw();
    }
    yr_talk_conv_open(chat, conv);
    if (conv == NULL)
        yr_talk_say(chat,
                    "no friends yet: /invite makes a link for one person, /add LINK uses one");
    yr_talk_say_invitations(chat, NULL);
    for (size_t i = 0; i < chat->conv_count; i++)
        chat->unread_due = chat->unread_due || yr_talk_conv_news(chat->convs[i]) > 0;
    yr_edit_show(chat->edit, &chat->screen);
    return YR_EXIT_OK;
}

enum yr_exit yr_cmd_chat(struct yr_cli *cli)
{
    const char *term = getenv("TERM");
    struct yr_talk chat = {.cli = cli};
    struct yr_edit_opts opts = {.complete = yr_talk_complete, .ctx = &chat};
    enum yr_exit exit;

    if (cli->out.json)
        return yr_cli_fail(cli, YR_EXIT_USAGE, "usage", "yaari events",
                           "chat is for people, it has no JSON");
    exit = yr_cli_connect(cli);
    if (exit != YR_EXIT_OK)
        return exit;
    chat.call_ms = !cli->timeout_given ? CALL_MS : cli->timeout_ms == 0 ? -1 : (int)cli->timeout_ms;
    yr_client_set_timeout(cli->client, chat.call_ms > 0 ? (unsigned)chat.call_ms : 0);
    if (!catch_signals())
        return yr_cli_fail(cli, YR_EXIT_OSERR, "os_error", NULL, "pipe: %s", strerror(errno));
    chat.plain =
        isatty(STDIN_FILENO) != 1 || !cli->out.tty || term == NULL || strcmp(term, "dumb") == 0;
    chat.numbered = json_array();
    opts.plain = chat.plain;
    opts.utf8 = cli->out.utf8;
    opts.columns = cli->out.columns;
    chat.edit = yr_edit_new(&opts);
    exit = begin(&chat);
    while (exit == YR_EXIT_OK && !chat.leave)
        turn(&chat);
    yr_talk_release(&chat);
    yr_talk_convs_clear(&chat);
    yr_edit_free(chat.edit);
    json_decref(chat.numbered);
    yr_buf_clear(&chat.screen);
    free(chat.self_name);
    free(chat.guarded);
    free(chat.unsure);
    if (got_signal != 0)
        return (enum yr_exit)(128 + got_signal);
    return exit != YR_EXIT_OK ? exit : chat.exit;
}
