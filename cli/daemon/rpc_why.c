/* rpc_why.c: message.why: how a message or a friend came to be where it is, what was tried to reach
 * the friend, and what may help. */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "cli/common/json.h"
#include "cli/common/text_safe.h"
#include "cli/common/times.h"
#include "cli/daemon/rpc_internal.h"

#define WHY_STEPS_MAX 64
#define TRIES_MAX     64
#define DAY_MS        86400000

static const struct yr_time_style day_style = {.format = "+%-d %b", .utc = false};

/* ---- what was tried, in words ---- */

/* Steps stand in order of time, behind those before them that always hold. */
static size_t place_of(const json_t *steps, yr_ms time_ms)
{
    size_t at = json_array_size(steps);
    yr_ms before_ms;

    while (time_ms > 0 && at > 0) {
        const char *time = yr_json_str(json_array_get(steps, at - 1), "time", NULL);
        if (time == NULL || !yr_rfc3339_read(time, &before_ms) || before_ms <= time_ms)
            break;
        at--;
    }
    return at;
}

static void put_step(json_t *steps, yr_ms time_ms, const char *code, const char *text)
{
    json_t *step = json_object();
    const size_t at = place_of(steps, time_ms);

    if (time_ms > 0)
        yr_json_put_time(step, "time", time_ms);
    yr_json_put_str(step, "text", text);
    yr_json_put_str(step, "code", code);
    json_array_insert_new(steps, at, step);
}

static void add_when(struct yr_buf *text, const char *word, yr_ms until_ms, yr_ms now_ms)
{
    static const struct yr_time_style style = {.format = "short", .utc = false};

    if (until_ms == 0)
        return;
    yr_buf_addf(text, " %s ", word);
    if (until_ms - now_ms >= 2 * DAY_MS) // the day is enough
        yr_time_add(text, until_ms, now_ms, &day_style);
    else
        yr_time_add(text, until_ms, now_ms, &style);
}

/* A step about a friend: "held by bob until 6 Dec (custody acknowledged)". */
static void add_holder(struct yr_rpc *rpc, json_t *steps, const struct yr_why *why, yr_ms now_ms)
{
    json_t *who = json_object();
    struct yr_buf text = {0};
    const char *name;

    yr_put_name(rpc, who, "who", why->who);
    name = yr_json_str(who, "who", "");
    if (strcmp(why->code, "held") == 0) {
        yr_buf_addf(&text, "held by %s", name);
        add_when(&text, "until", why->until_ms, now_ms);
        yr_buf_addf(&text, " (%s)", why->text);
    } else {
        yr_buf_addf(&text, "%s %s", name, why->text);
    }
    put_step(steps, why->time_ms, why->code, yr_buf_str(&text));
    yr_buf_clear(&text);
    json_decref(who);
}

static void add_why(struct yr_rpc *rpc, json_t *steps, const struct yr_why *why, yr_ms now_ms)
{
    struct yr_buf text = {0};

    if (!yr_is_zero(why->who, sizeof why->who)) {
        add_holder(rpc, steps, why, now_ms);
        return;
    }
    yr_buf_adds(&text, why->text);
    add_when(&text, "by", why->until_ms, now_ms);
    put_step(steps, why->time_ms, why->code, yr_buf_str(&text));
    yr_buf_clear(&text);
}

/* What a way is about; the address or friend follows. */
static const char *const way_words[] = {
    [YR_WAY_CACHED] = "where they were or said to be",
    [YR_WAY_LAN] = "in this network",
    [YR_WAY_PEER] = "at a configured peer",
    [YR_WAY_DHT_PUT] = "leave word in the DHT where this node is",
    [YR_WAY_DHT_GET] = "look for their word in the DHT",
    [YR_WAY_SIGNAL] = "offer through the DHT to punch a hole together",
    [YR_WAY_PUNCH] = "punch a hole",
    [YR_WAY_BIRTHDAY] = "punch a hole at many ports",
    [YR_WAY_RELAY] = "through a common friend",
    [YR_WAY_MOVE] = "move the link to a better path"};
static_assert(YR_COUNT_OF(way_words) == YR_WAY_COUNT, "words for each way");

/* What came of it; the ways whose outcomes want words of their own come first. */
static const char *outcome_words(const struct yr_try *try)
{
    static const char *const words[] = {[YR_OUT_TRYING] = "under way",
                                        [YR_OUT_WORKED] = "worked",
                                        [YR_OUT_SILENT] = "no answer",
                                        [YR_OUT_NOTHING] = "nothing found",
                                        [YR_OUT_REFUSED] = "refused"};

    if (try->outcome == YR_OUT_NOTHING) {
        if (try->way == YR_WAY_DHT_PUT)
            return "no node to leave it with";
        if (try->way == YR_WAY_DHT_GET)
            return "they have left none";
        if (try->way == YR_WAY_RELAY)
            return yr_is_zero(try->via, sizeof try->via) ? "no common friend is online"
                                                         : "has no link with them";
        if (try->way == YR_WAY_CACHED)
            return "no address is known";
    }
    if (try->outcome == YR_OUT_WORKED && try->way == YR_WAY_DHT_PUT)
        return "done";
    if (try->outcome == YR_OUT_WORKED && try->way == YR_WAY_DHT_GET)
        return "found";
    return words[try->outcome];
}

static void add_try(struct yr_rpc *rpc, json_t *steps, const struct yr_try *try)
{
    struct yr_buf text = {0};
    char code[40];

    yr_buf_adds(&text, way_words[try->way]);
    if (!yr_is_zero(try->via, sizeof try->via)) {
        json_t *via = json_object();
        yr_put_name(rpc, via, "via", try->via);
        yr_buf_addf(&text, ", %s", yr_json_str(via, "via", ""));
        json_decref(via);
    }
    if (try->addr.family == 4 || try->addr.family == 6) {
        json_t *addr = yr_json_addr(&try->addr);
        yr_buf_addf(&text, " (%s)", json_string_value(addr));
        json_decref(addr);
    }
    yr_buf_addf(&text, ": %s", outcome_words(try));
    if (try->count > 1)
        yr_buf_addf(&text, ", %u times", try->count);
    snprintf(code, sizeof code, "%s_%s", yr_way_name(try->way), yr_outcome_name(try->outcome));
    for (char *c = code; *c != '\0'; c++)
        if (*c == '-')
            *c = '_';
    put_step(steps, try->at_ms, code, yr_buf_str(&text));
    yr_buf_clear(&text);
}

/* ---- what may help ---- */

/* What was tried, looked over. */
struct tried {
    size_t count;
    bool punched;       /* a hole was punched for, in vain */
    bool no_relay;      /* no common friend was there to go through */
    bool no_word;       /* the DHT had nothing from the friend */
    bool relay_refused; /* a common friend did not want to */
};

static struct tried look_over(const struct yr_try *tries, size_t count)
{
    struct tried t = {.count = count};

    for (size_t i = 0; i < count; i++) {
        const bool vain = tries[i].outcome == YR_OUT_SILENT || tries[i].outcome == YR_OUT_NOTHING;
        switch (tries[i].way) {
        case YR_WAY_PUNCH:
        case YR_WAY_BIRTHDAY: t.punched = t.punched || vain; break;
        case YR_WAY_RELAY:
            t.no_relay = t.no_relay || (tries[i].outcome == YR_OUT_NOTHING &&
                                        yr_is_zero(tries[i].via, sizeof tries[i].via));
            t.relay_refused = t.relay_refused || tries[i].outcome == YR_OUT_REFUSED;
            break;
        case YR_WAY_DHT_GET: t.no_word = t.no_word || tries[i].outcome == YR_OUT_NOTHING; break;
        case YR_WAY_CACHED:
        case YR_WAY_LAN:
        case YR_WAY_PEER:
        case YR_WAY_DHT_PUT:
        case YR_WAY_SIGNAL:
        case YR_WAY_MOVE:
        case YR_WAY_COUNT: break;
        }
    }
    return t;
}

static void hint(json_t *hints, const char *format, ...) YR_PRINTF(2);
static void hint(json_t *hints, const char *format, ...)
{
    char text[400];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    json_array_append_new(hints, yr_json_text(text));
}

static void hint_dht(json_t *hints, const struct yr_net_info *net, const struct tried *t)
{
    const bool none = net->nodes4 + net->nodes6 == 0;

    if (net->dht == YR_ROLE_OFF)
        hint(hints, "the DHT is off here, so a friend who moved is not found: "
                    "yaari config set net.dht auto");
    else if (none && net->bootstraps == 0)
        hint(hints, "no peer is known to start from in the DHT: yaari peer add HOST:PORT/KEY "
                    "(whose node it is finds it with yaari net addrs)");
    else if (none && net->bootstraps_answered == 0)
        hint(hints,
             "no known peer of the DHT answers (%zu known): is this machine online? "
             "another one: yaari peer add HOST:PORT/KEY",
             net->bootstraps);
    else if (t->no_word)
        hint(hints, "they have left no word in the DHT: their node is off, or knows no peer there; "
                    "it is looked for again by itself");
}

static void hint_paths(json_t *hints, const struct yr_friend_info *info,
                       const struct yr_net_info *net, const struct tried *t)
{
    const bool hard = net->mapping == YR_NAT_ADDRESS || net->mapping == YR_NAT_PORT;
    const bool carried = info->online && !yr_is_zero(info->via, sizeof info->via);

    if (carried && hard)
        hint(hints,
             "this network gives every connection another port (symmetric NAT); for a direct "
             "link: yaari config set net.port_mapping yes, or IPv6 on both sides");
    else if (!carried && t->punched && t->no_relay && hard)
        hint(hints,
             "this network gives every connection another port (symmetric NAT), theirs lets "
             "nothing through either, and no common friend is online to go through. Any one "
             "of these helps: yaari config set net.port_mapping yes, here or there; a common "
             "friend who is online; IPv6 on both sides");
    else if (!carried && t->punched && t->no_relay)
        hint(hints, "the networks let nothing through directly, and no common friend is online to "
                    "go through: yaari config set net.port_mapping yes, here or there, or a common "
                    "friend who is online");
    if (!carried && t->relay_refused)
        hint(hints, "a common friend does not carry for one of you (net.relay, friend set relay)");
}

static json_t *hints_for(struct yr_rpc *rpc, const struct yr_friend_info *info,
                         const struct tried *t)
{
    struct yr_rpc_status status;
    struct yr_net_info net;
    json_t *hints = json_array();

    (void)yr_rpc_net(rpc, &net);
    rpc->env.status(rpc->env.ctx, &status);
    if ((info->online && !info->relayed) || info->blocked || status.offline)
        return hints;
    if (!info->online)
        hint_dht(hints, &net, t);
    hint_paths(hints, info, &net, t);
    if (net.clock_offset_ms != 0)
        hint(hints, "this clock differs from those of friends by %" PRId64 " min: set it",
             net.clock_offset_ms / 60000);
    return hints;
}

/* What waits here alone could be with a friend of both, and come from there. */
static void hint_mail(json_t *hints, const struct yr_message *msg)
{
    if (msg->own && !msg->room && msg->state == YR_STATE_ACCEPTED && msg->held_by == 0 &&
        !msg->deleted)
        hint(hints,
             "nobody holds it for them yet: a common friend would who is online and keeps mail "
             "for them (there: mail.hold, yaari friend set F mail yes)");
}

/* ---- the answer ---- */

/* What was tried says more than that nobody answered. */
static bool told_by_tries(const struct yr_why *step)
{
    return strcmp(step->code, "no_answer") == 0 || strcmp(step->code, "no_address") == 0;
}

static void add_relay(struct yr_rpc *rpc, json_t *steps, const struct yr_friend_info *info)
{
    json_t *via = json_object();
    struct yr_buf text = {0};

    yr_put_name(rpc, via, "via", info->via);
    if (yr_is_zero(info->via, sizeof info->via))
        yr_buf_adds(&text, "through a common friend who carries it no more; it ends unless another "
                           "way is found");
    else
        yr_buf_addf(&text, "through %s, who carries it sealed: nothing got through directly so far",
                    yr_json_str(via, "via", ""));
    put_step(steps, 0, "relayed", yr_buf_str(&text));
    yr_buf_clear(&text);
    json_decref(via);
}

static json_t *steps_of(struct yr_rpc *rpc, const struct yr_friend_info *info,
                        const struct yr_why *whys, size_t count, const struct yr_try *tries,
                        size_t try_count)
{
    json_t *steps = json_array();

    for (size_t i = 0; i < count; i++)
        if (try_count == 0 || !told_by_tries(&whys[i]))
            add_why(rpc, steps, &whys[i], rpc->env.now(rpc->env.ctx).wall_ms);
    if (info->online && info->relayed)
        add_relay(rpc, steps, info);
    for (size_t i = try_count; i-- > 0;) // newest first; told oldest first
        add_try(rpc, steps, &tries[i]);
    return steps;
}

/* What was tried for a friend who is not there, or only through another. */
static size_t tries_of(struct yr_rpc *rpc, const struct yr_friend_info *info, struct yr_try *out)
{
    size_t count = 0;

    while ((!info->online || info->relayed) && !info->blocked && count < TRIES_MAX &&
           yr_node_try_at(rpc->node, info->id, count, &out[count]))
        count++;
    return count;
}

/* What waits for a friend. */
static void add_queue(struct yr_rpc *rpc, json_t *steps, const uint8_t id[YR_ID_LEN])
{
    struct yr_queue_walk walk = {0};
    struct yr_queue_info info;
    struct yr_buf text = {0};

    while (yr_node_queue_next(rpc->node, &walk, &info)) {
        if (memcmp(info.id, id, YR_ID_LEN) != 0)
            continue;
        yr_buf_addf(&text, "%zu %s for them since then", info.texts,
                    info.texts == 1 ? "text waits" : "texts wait");
        if (info.held > 0)
            yr_buf_addf(&text, ", %zu held by %u %s", info.held, info.held_at,
                        info.held_at == 1 ? "friend" : "friends");
        put_step(steps, info.oldest_ms, "queued", yr_buf_str(&text));
    }
    yr_buf_clear(&text);
}

enum yr_end yr_rpc_message_why(struct yr_call *call)
{
    struct yr_rpc *rpc = call->rpc;
    const char *id = yr_call_str(call, "id"), *friend = yr_call_str(call, "friend");
    struct yr_why whys[WHY_STEPS_MAX];
    struct yr_try tries[TRIES_MAX];
    uint8_t conv[YR_ID_LEN], msg[YR_MSG_ID_LEN] = {0};
    struct yr_friend_info info = {.online = true};
    size_t count = 0, try_count = 0;
    struct yr_place place;
    yr_ms next_ms = 0;
    enum yr_err err = YR_OK;

    if ((id == NULL) == (friend == NULL))
        return yr_call_fail(call, YR_RPC_INVALID_PARAMS, "message.why needs either id or friend");
    if (friend != NULL && !yr_call_target(call, friend, YR_NAMES_FRIENDS, conv))
        return YR_END_FAILED;
    if (id != NULL && !yr_call_message(call, id, msg))
        return YR_END_FAILED;
    if (id != NULL)
        err = yr_node_place(rpc->node, msg, conv, &place);
    if (err == YR_OK)
        err = yr_node_why(rpc->node, call->now, conv, msg, whys, WHY_STEPS_MAX, &count, &next_ms);
    if (err == YR_OK && id != NULL)
        err = yr_node_message(rpc->node, msg, &rpc->msg);
    if (err == YR_OK && id == NULL)
        err = yr_node_friend(rpc->node, conv, &info);
    if (err != YR_OK)
        return yr_call_err(call, err);
    if (id != NULL && (!rpc->msg.own || rpc->msg.state > YR_STATE_HELD ||
                       yr_node_friend(rpc->node, conv, &info) != YR_OK))
        info = (struct yr_friend_info){.online = true}; // it is not about the way to a friend
    try_count = tries_of(rpc, &info, tries);

    const struct tried tried = look_over(tries, try_count);
    const char *state = id != NULL ? yr_state_name(rpc, rpc->msg.conv, rpc->msg.state, rpc->msg.own)
                                   : yr_friend_state(&info);
    json_t *why =
        json_pack("{s:s, s:o, s:s, s:o, s:o}", "type", "why", "subject",
                  id != NULL ? yr_json_id(msg, YR_MSG_ID_LEN) : yr_json_id(conv, YR_ID_LEN),
                  "state", state, "target", yr_record_ref(rpc, conv), "steps",
                  steps_of(rpc, &info, whys, count, tries, try_count));
    if (id == NULL)
        add_queue(rpc, json_object_get(why, "steps"), conv);
    json_t *hints = hints_for(rpc, &info, &tried);
    if (id != NULL && !info.online && !info.blocked)
        hint_mail(hints, &rpc->msg);
    if (json_array_size(hints) > 0)
        json_object_set(why, "hints", hints);
    json_decref(hints);
    if (next_ms > 0)
        yr_json_put_time(why, "next", next_ms);
    return yr_call_ok(call, why);
}
