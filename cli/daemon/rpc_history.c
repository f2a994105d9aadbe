/* rpc_history.c: message.list: a walk over one conversation or over all of them at once.
 *
 * Places of different conversations compare bytewise and begin with a time (yr_place), so all
 * conversations together are one ordered list, and `before` and `after` mean the same in all. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/common/json.h"
#include "cli/common/times.h"
#include "cli/daemon/rpc_internal.h"

#define LIMIT_DEFAULT 1000
#define EXAMINED_MAX  5000                    /* messages looked at for one answer */
#define SIZE_MAX_SUM  (YR_RPC_ANSWER_MAX / 2) /* estimated bytes of one answer */
#define RECORD_SIZE   700                     /* of a message record besides its text */
#define REACTION_SIZE 130
#define SLACK_MS      86400000 /* a place's time may be so far past its message's own */

struct head {
    uint8_t conv[YR_ID_LEN];
    struct yr_place at;
    bool done;
};

struct walk {
    struct yr_rpc *rpc;
    bool forward;
    struct yr_place low, high; /* exclusive bounds */
    size_t count;
    struct head *heads;  /* owned; where each conversation stands */
    bool damaged;        /* some message could not be read */
    struct head *loaded; /* whose message is in rpc->msg */
    struct head *given;  /* whose message was given last */
};

struct filter {
    bool all, unread, has_since, has_until;
    enum { BY_ANYONE, BY_ME, BY_FRIEND, BY_MEMBER } by;
    uint8_t author[YR_ID_LEN]; /* of a member: his mid */
    yr_ms since_ms, until_ms;
};

/* ---- the walk ---- */

static bool in_bounds(const struct walk *walk, const struct yr_place *at)
{
    return memcmp(at->key, walk->low.key, sizeof at->key) > 0 &&
           memcmp(at->key, walk->high.key, sizeof at->key) < 0;
}

/* Step a head; its new message is then in rpc->msg. */
static void step(struct walk *walk, struct head *head, enum yr_seek how)
{
    struct yr_place before;
    enum yr_err err;

    do { // a damaged row is passed over, and told
        before = head->at;
        err = yr_node_history(walk->rpc->node, head->conv, how, &head->at, &walk->rpc->msg);
        walk->damaged |= err != YR_OK && err != YR_ENOENT;
    } while (err == YR_ECORRUPT && how != YR_SEEK_GE &&
             memcmp(&before, &head->at, sizeof before) != 0);
    head->done = err != YR_OK || !in_bounds(walk, &head->at);
    walk->loaded = head->done ? NULL : head;
}

static void walk_begin(struct walk *walk, const uint8_t *conv)
{
    const struct yr_names *names = &walk->rpc->names;

    walk->count = conv != NULL ? 1 : names->count + names->room_count + 1;
    walk->heads = yr_xrealloc(NULL, walk->count * sizeof *walk->heads);
    for (size_t i = 0; i < walk->count; i++) {
        struct head *head = &walk->heads[i];
        const uint8_t *id = conv != NULL           ? conv
                            : i < names->count     ? names->rows[i].id
                            : i + 1 == walk->count ? names->self
                                                   : names->rooms[i - names->count].id;
        memcpy(head->conv, id, YR_ID_LEN);
        head->at = walk->forward ? walk->low : walk->high;
        step(walk, head, walk->forward ? YR_SEEK_GT : YR_SEEK_LT);
    }
}

/* The next message of all, in rpc->msg; false: no more, or it cannot be read. */
static bool walk_next(struct walk *walk)
{
    struct head *best = NULL;

    if (walk->given != NULL)
        step(walk, walk->given, walk->forward ? YR_SEEK_GT : YR_SEEK_LT);
    for (size_t i = 0; i < walk->count; i++) {
        struct head *head = &walk->heads[i];
        if (head->done)
            continue;
        const int order =
            best == NULL ? 0 : memcmp(head->at.key, best->at.key, sizeof head->at.key);
        if (best == NULL || (walk->forward ? order < 0 : order > 0))
            best = head;
    }
    walk->given = best;
    if (best == NULL)
        return false;
    if (walk->loaded != best)
        step(walk, best, YR_SEEK_GE);
    return !best->done;
}

/* ---- what is asked for ---- */

/* The first place of a moment: its milliseconds, big-endian, in six bytes. */
static struct yr_place place_of(yr_ms ms)
{
    struct yr_place place = {{0}};
    const uint64_t t = ms < 0 ? 0 : (uint64_t)ms;

    for (unsigned i = 0; i < 6; i++)
        place.key[i] = (uint8_t)(t >> (40 - 8 * i));
    return place;
}

static void raise_low(struct walk *walk, const struct yr_place *to)
{
    if (memcmp(to->key, walk->low.key, sizeof to->key) > 0)
        walk->low = *to;
}

static void lower_high(struct walk *walk, const struct yr_place *to)
{
    if (memcmp(to->key, walk->high.key, sizeof to->key) < 0)
        walk->high = *to;
}

static bool read_time(struct yr_call *call, const char *name, bool *has, yr_ms *out)
{
    const char *text = yr_call_str(call, name);

    *has = text != NULL;
    if (text == NULL || yr_rfc3339_read(text, out))
        return true;
    yr_call_fail(call, YR_RPC_INVALID_PARAMS,
                 "%s must be an RFC 3339 time, such as "
                 "2026-11-22T15:46:00Z",
                 name);
    return false;
}

static bool read_place(struct yr_call *call, const char *name, bool *has, struct yr_place *out)
{
    const char *text = yr_call_str(call, name);
    uint8_t id[YR_MSG_ID_LEN], conv[YR_ID_LEN];

    *has = text != NULL;
    if (text == NULL)
        return true;
    if (!yr_call_message(call, text, id))
        return false;
    const enum yr_err err = yr_node_place(call->rpc->node, id, conv, out);
    if (err != YR_OK)
        yr_call_err(call, err);
    return err == YR_OK;
}

/* Whose messages are wanted; conv NULL: of all conversations. */
static bool read_author(struct yr_call *call, const uint8_t *conv, struct filter *filter)
{
    const char *from = yr_call_str(call, "from");

    filter->by = from == NULL ? BY_ANYONE : BY_ME;
    if (from == NULL || strcmp(from, "me") == 0 || strcmp(from, "@me") == 0)
        return true;
    if (conv != NULL && yr_names_room(&call->rpc->names, conv) != NULL) {
        filter->by = BY_MEMBER;
        return yr_call_member(call, conv, from, filter->author);
    }
    filter->by = BY_FRIEND;
    return yr_call_target(call, from, YR_NAMES_FRIENDS, filter->author);
}

/* Bounds of the walk and the filter from the request; false: call->fail says what is wrong. */
static bool read_request(struct yr_call *call, const uint8_t *conv, struct walk *walk,
                         struct filter *filter)
{
    struct yr_place place;
    bool has;

    memset(walk->high.key, 0xff, sizeof walk->high.key);
    filter->all = yr_call_bool(call, "all", false);
    filter->unread = yr_call_bool(call, "unread", false);
    if (!read_author(call, conv, filter))
        return false;
    if (!read_time(call, "since", &filter->has_since, &filter->since_ms) ||
        !read_time(call, "until", &filter->has_until, &filter->until_ms))
        return false;
    if (filter->has_since) { // a place's time is never before its message's
        place = place_of(filter->since_ms);
        raise_low(walk, &place);
    }
    if (filter->has_until) {
        place = place_of(filter->until_ms + SLACK_MS);
        lower_high(walk, &place);
    }
    if (!read_place(call, "before", &has, &place))
        return false;
    if (has)
        lower_high(walk, &place);
    if (!read_place(call, "after", &has, &place))
        return false;
    if (has)
        raise_low(walk, &place);
    return true;
}

static bool is_by(struct yr_rpc *rpc, const struct filter *filter, const struct yr_message *msg)
{
    struct yr_member_info member;

    switch (filter->by) {
    case BY_ANYONE: return true;
    case BY_ME: return msg->own;
    case BY_MEMBER: return memcmp(msg->author, filter->author, YR_MID_LEN) == 0;
    case BY_FRIEND:
        if (!msg->room)
            return memcmp(msg->author, filter->author, YR_ID_LEN) == 0;
        return yr_node_member(rpc->node, msg->conv, msg->author, &member) == YR_OK &&
               member.friend && memcmp(member.friend_id, filter->author, YR_ID_LEN) == 0;
    }
    return false;
}

static bool passes(struct yr_rpc *rpc, const struct filter *filter, const struct yr_message *msg)
{
    return (filter->all || msg->kind != YR_MSG_SYSTEM) && (!filter->unread || msg->unread) &&
           (!filter->has_since || msg->time_ms >= filter->since_ms) &&
           (!filter->has_until || msg->time_ms <= filter->until_ms) && is_by(rpc, filter, msg);
}

/* Only unread ones are wanted: start at the first of each conversation, leave out those without. */
static void skip_read(struct walk *walk)
{
    struct yr_unread unread;

    for (size_t i = 0; i < walk->count; i++) {
        yr_node_unread(walk->rpc->node, walk->heads[i].conv, &unread);
        walk->heads[i].done |= unread.count == 0;
    }
}

/* ---- the answer ---- */

static json_t *list_messages(struct walk *walk, const struct filter *filter, int64_t limit)
{
    const struct yr_message *msg = &walk->rpc->msg;
    json_t *list = json_array(), *result;
    size_t examined = 0, size = 0;
    char last[YR_MSG_ID_TEXT] = "";
    bool more = false;

    while (!more && walk_next(walk)) {
        yr_id_text(last, msg->id, YR_MSG_ID_LEN);
        if (passes(walk->rpc, filter, msg)) {
            json_array_append_new(list, yr_record_message(walk->rpc, msg));
            size += msg->text_len + RECORD_SIZE + msg->reaction_count * REACTION_SIZE;
        }
        more = ++examined == EXAMINED_MAX || size >= SIZE_MAX_SUM ||
               (int64_t)json_array_size(list) == limit;
    }
    if (!walk->forward) {
        json_t *turned = json_array();
        for (size_t i = json_array_size(list); i-- > 0;)
            json_array_append(turned, json_array_get(list, i));
        json_decref(list);
        list = turned;
    }
    more = more && walk_next(walk);
    result = json_pack("{s:o, s:b}", "messages", list, "more", more);
    if (more)
        json_object_set_new(result, "resume", json_string(last));
    if (walk->damaged)
        json_object_set_new(result, "damaged", json_true());
    return result;
}

enum yr_end yr_rpc_message_list(struct yr_call *call)
{
    struct walk walk = {.rpc = call->rpc, .forward = yr_call_bool(call, "first", false)};
    const char *target = yr_call_str(call, "target");
    struct filter filter = {0};
    uint8_t conv[YR_ID_LEN];
    json_t *result;

    if ((target != NULL && !yr_call_target(call, target, YR_NAMES_ANY, conv)) ||
        !read_request(call, target != NULL ? conv : NULL, &walk, &filter))
        return YR_END_FAILED;
    walk_begin(&walk, target != NULL ? conv : NULL);
    if (filter.unread)
        skip_read(&walk);
    result = list_messages(&walk, &filter, yr_call_int(call, "limit", LIMIT_DEFAULT));
    free(walk.heads);
    return yr_call_ok(call, result);
}

void yr_rpc_recent(struct yr_rpc *rpc, size_t limit, json_t *ids)
{
    struct walk walk = {.rpc = rpc};

    memset(walk.high.key, 0xff, sizeof walk.high.key);
    walk_begin(&walk, NULL);
    while (json_array_size(ids) < limit && walk_next(&walk))
        json_array_append_new(ids, yr_json_id(rpc->msg.id, YR_MSG_ID_LEN));
    free(walk.heads);
}
