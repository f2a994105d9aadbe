#include "core/chat/events.h"

#include "core/limits.h"

#define VERSION    1
#define CURSOR_LEN 8
#define HEAD_LEN   (1 + 1 + 1 + 1 + 8 + YR_ID_LEN + YR_MSG_ID_LEN)
#define ROW_MAX    (HEAD_LEN + sizeof(((struct yr_event *)0)->text))
#define QUEUE_MIN  64

// An event that waits to be told: struct yr_event without its 512 bytes of text.
struct waiting {
    uint64_t token; // told when this is durable; 0: at once
    bool kept, gone, online, skip;
    enum yr_event_kind kind;
    enum yr_state state;
    enum yr_err err;
    uint64_t cursor, ticket, value_us;
    yr_ms time_ms;
    uint8_t conv[YR_ID_LEN], msg[YR_MSG_ID_LEN];
    char *text; // owned; NULL: empty
};

// First in, first out; cap is a power of two.
struct queue {
    struct waiting *slots;
    size_t cap, head, count;
};

struct yr_events {
    struct yr_mem *mem;
    struct yr_rows *rows;
    uint64_t first, last; // kept events; last 0: there was none ever
    uint64_t told;        // the last kept one that yr_events_next gave out
    struct queue durable; // in order of append, behind the transactions they are part of
    struct queue at_once;
};

enum yr_err yr_events_new(struct yr_events **out, struct yr_mem *mem, struct yr_rows *rows)
{
    struct yr_events *events = yr_alloc(mem, YR_MEM_CHAT, sizeof *events);

    if (events == NULL)
        return YR_ENOMEM;
    events->mem = mem;
    events->rows = rows;
    *out = events;
    return YR_OK;
}

// ---- queues ----

static enum yr_err grow(struct yr_mem *mem, struct queue *queue)
{
    const size_t cap = queue->cap > 0 ? 2 * queue->cap : QUEUE_MIN;
    struct waiting *slots = yr_alloc(mem, YR_MEM_CHAT, cap * sizeof *slots);

    if (slots == NULL)
        return YR_ENOMEM;
    for (size_t i = 0; i < queue->count; i++)
        slots[i] = queue->slots[(queue->head + i) & (queue->cap - 1)];
    yr_free(mem, queue->slots);
    *queue = (struct queue){slots, cap, 0, queue->count};
    return YR_OK;
}

static struct waiting *nth(const struct queue *queue, size_t i)
{
    return &queue->slots[(queue->head + i) & (queue->cap - 1)];
}

// A copy of the event at the end of the queue.
static enum yr_err push(struct yr_mem *mem, struct queue *queue, const struct yr_event *event,
                        uint64_t token, bool kept)
{
    const size_t text_len = strnlen(event->text, sizeof event->text - 1);
    struct waiting *slot;
    char *text = NULL;

    if (queue->count == queue->cap && grow(mem, queue) != YR_OK)
        return YR_ENOMEM;
    if (text_len > 0) {
        if ((text = yr_alloc(mem, YR_MEM_CHAT, text_len + 1)) == NULL)
            return YR_ENOMEM;
        memcpy(text, event->text, text_len);
    }
    queue->count++;
    slot = nth(queue, queue->count - 1);
    *slot = (struct waiting){.token = token,
                             .kept = kept,
                             .gone = event->gone,
                             .online = event->online,
                             .kind = event->kind,
                             .state = event->state,
                             .err = event->err,
                             .cursor = event->cursor,
                             .ticket = event->ticket,
                             .value_us = event->value_us,
                             .time_ms = event->time_ms,
                             .text = text};
    memcpy(slot->conv, event->conv, YR_ID_LEN);
    memcpy(slot->msg, event->msg, YR_MSG_ID_LEN);
    return YR_OK;
}

static struct waiting *front(const struct queue *queue)
{
    return queue->count > 0 ? nth(queue, 0) : NULL;
}

static void drop_front(struct yr_mem *mem, struct queue *queue)
{
    yr_free(mem, queue->slots[queue->head].text);
    queue->head = (queue->head + 1) & (queue->cap - 1);
    queue->count--;
}

static void pop(struct yr_mem *mem, struct queue *queue, struct yr_event *out)
{
    const struct waiting *slot = front(queue);

    memset(out, 0, sizeof *out);
    out->kind = slot->kind;
    out->cursor = slot->cursor;
    out->time_ms = slot->time_ms;
    out->ticket = slot->ticket;
    out->err = slot->err;
    memcpy(out->conv, slot->conv, YR_ID_LEN);
    memcpy(out->msg, slot->msg, YR_MSG_ID_LEN);
    out->state = slot->state;
    out->online = slot->online;
    out->gone = slot->gone;
    out->value_us = slot->value_us;
    if (slot->text != NULL)
        memcpy(out->text, slot->text, strlen(slot->text));
    drop_front(mem, queue);
}

static void clear(struct yr_mem *mem, struct queue *queue)
{
    while (queue->count > 0)
        drop_front(mem, queue);
    yr_free(mem, queue->slots);
    *queue = (struct queue){0};
}

void yr_events_free(struct yr_events *events)
{
    if (events == NULL)
        return;
    clear(events->mem, &events->durable);
    clear(events->mem, &events->at_once);
    yr_free(events->mem, events);
}

// ---- rows ----

static void cursor_key(uint8_t key[CURSOR_LEN], uint64_t cursor)
{
    struct yr_wr wr = yr_wr_init(key, CURSOR_LEN);

    yr_wr_u64be(&wr, cursor);
}

static size_t encode(const struct yr_event *event, uint8_t row[ROW_MAX])
{
    struct yr_wr wr = yr_wr_init(row, ROW_MAX);

    yr_wr_u8(&wr, VERSION);
    yr_wr_u8(&wr, (uint8_t)event->kind);
    yr_wr_u8(&wr, (uint8_t)event->state);
    yr_wr_u8(&wr, (uint8_t)((event->online ? 1 : 0) | (event->gone ? 2 : 0)));
    yr_wr_u64(&wr, (uint64_t)event->time_ms);
    yr_wr_bytes(&wr, event->conv, YR_ID_LEN);
    yr_wr_bytes(&wr, event->msg, YR_MSG_ID_LEN);
    if (event->kind == YR_EV_MEMBER)
        yr_wr_bytes(&wr, event->who, YR_ID_LEN);
    yr_wr_bytes(&wr, event->text, strnlen(event->text, sizeof event->text - 1));
    YR_ASSERT(yr_wr_ok(&wr));
    return yr_wr_len(&wr);
}

static enum yr_err decode(struct yr_event *out, uint64_t cursor, const uint8_t *row, size_t len)
{
    struct yr_rd rd = yr_rd_init(row, len);
    struct yr_event event = {.cursor = cursor};
    const unsigned version = yr_rd_u8(&rd), kind = yr_rd_u8(&rd), state = yr_rd_u8(&rd);
    const unsigned bits = yr_rd_u8(&rd);

    event.time_ms = (yr_ms)yr_rd_u64(&rd);
    yr_rd_copy(&rd, event.conv, YR_ID_LEN);
    yr_rd_copy(&rd, event.msg, YR_MSG_ID_LEN);
    if (kind == YR_EV_MEMBER)
        yr_rd_copy(&rd, event.who, YR_ID_LEN);
    if (yr_rd_left(&rd) < sizeof event.text)
        yr_rd_copy(&rd, event.text, yr_rd_left(&rd));
    if (!yr_rd_done(&rd) || version != VERSION || kind >= YR_EV_KIND_COUNT ||
        state > YR_STATE_CANCELLED)
        return YR_ECORRUPT;
    event.kind = (enum yr_event_kind)kind;
    event.state = (enum yr_state)state;
    event.online = (bits & 1) != 0;
    event.gone = (bits & 2) != 0;
    *out = event;
    return YR_OK;
}

// The cursor of the oldest (YR_SEEK_GE) or newest (YR_SEEK_LE) kept event; 0 when there is none.
static enum yr_err read_end(struct yr_events *events, enum yr_seek how, uint64_t *out)
{
    struct yr_row at = {.suffix_len = how == YR_SEEK_LE ? CURSOR_LEN : 0};
    enum yr_err err;
    struct yr_rd rd;

    memset(at.suffix, 0xff, CURSOR_LEN);
    err = yr_rows_seek(events->rows, YR_TABLE_EVENT, NULL, 0, how, &at, NULL, 0);
    if (err == YR_ENOENT)
        *out = 0;
    if (err != YR_OK)
        return err == YR_ENOENT ? YR_OK : err;
    rd = yr_rd_init(at.suffix, at.suffix_len);
    *out = yr_rd_u64be(&rd);
    return yr_rd_done(&rd) && *out != 0 ? YR_OK : YR_ECORRUPT;
}

enum yr_err yr_events_start(struct yr_events *events)
{
    uint64_t first, last;
    enum yr_err err;

    if ((err = read_end(events, YR_SEEK_GE, &first)) != YR_OK ||
        (err = read_end(events, YR_SEEK_LE, &last)) != YR_OK)
        return err;
    events->first = last > 0 ? first : 1;
    events->last = events->told = last;
    for (size_t i = 0; i < events->durable.count; i++) { // durable, and not told before a reset
        const struct waiting *slot = nth(&events->durable, i);

        if (slot->kept && !slot->skip) {
            events->told = slot->cursor - 1;
            break;
        }
    }
    return YR_OK;
}

static bool is_kept(enum yr_event_kind kind)
{
    return kind != YR_EV_DONE && kind != YR_EV_PRESENCE && kind != YR_EV_NET &&
           kind != YR_EV_TYPING;
}

// One old event leaves for each that comes; two while a store from a larger limit shrinks.
static enum yr_err trim(struct yr_events *events)
{
    uint8_t key[CURSOR_LEN];
    enum yr_err err;

    for (int i = 0; i < 2 && events->last - events->first >= YR_EVENTS_KEPT; i++) {
        cursor_key(key, events->first);
        err = yr_rows_del(events->rows, YR_TABLE_EVENT, NULL, 0, key, sizeof key);
        if (err != YR_OK)
            return err;
        events->first++;
    }
    return YR_OK;
}

static enum yr_err keep(struct yr_events *events, struct yr_event *event)
{
    uint8_t row[ROW_MAX], key[CURSOR_LEN];
    struct waiting *slot;
    enum yr_err err;

    event->cursor = events->last + 1;
    cursor_key(key, event->cursor);
    if ((err = push(events->mem, &events->durable, event, YR_NEVER, true)) != YR_OK)
        return err;
    slot = nth(&events->durable, events->durable.count - 1);
    events->last = event->cursor; // from here on a failure is one of the rows, which ask for reset
    err = yr_rows_put(events->rows, YR_TABLE_EVENT, NULL, 0, key, sizeof key, row,
                      encode(event, row));
    if (err != YR_OK)
        return err;
    slot->token = yr_rows_pending(events->rows);
    return trim(events);
}

enum yr_err yr_events_append(struct yr_events *events, struct yr_event *event)
{
    if (is_kept(event->kind))
        return keep(events, event);
    event->cursor = events->last;
    if (event->kind != YR_EV_DONE)
        return push(events->mem, &events->at_once, event, 0, false);
    return push(events->mem, &events->durable, event, yr_rows_pending(events->rows), false);
}

bool yr_events_next(struct yr_events *events, struct yr_event *out)
{
    struct queue *queue = &events->durable;
    bool kept;

    if (events->at_once.count > 0) {
        pop(events->mem, &events->at_once, out);
        out->cursor = events->told; // whoever resumes from it must not miss what is not told yet
        return true;
    }
    while (queue->count > 0 && front(queue)->skip)
        drop_front(events->mem, queue);
    if (queue->count == 0 || front(queue)->token > yr_rows_durable(events->rows))
        return false;
    kept = front(queue)->kept;
    pop(events->mem, queue, out);
    if (kept)
        events->told = out->cursor;
    out->cursor = events->told;
    return true;
}

void yr_events_fail(struct yr_events *events, enum yr_err err)
{
    for (size_t i = 0; i < events->durable.count; i++) {
        struct waiting *slot = nth(&events->durable, i);

        if (slot->token <= yr_rows_durable(events->rows))
            continue; // made it before the failure
        if (slot->kept) {
            slot->skip = true;
        } else {
            slot->err = err;
            slot->token = 0;
            memset(slot->msg, 0, sizeof slot->msg); // it names what is not there
        }
    }
}

uint64_t yr_events_cursor(const struct yr_events *events)
{
    return events->told;
}

enum yr_err yr_events_after(struct yr_events *events, uint64_t cursor, struct yr_event *out,
                            bool *gap)
{
    uint8_t row[ROW_MAX + 64], key[CURSOR_LEN];
    uint64_t next;
    size_t len;
    enum yr_err err;

    if (cursor >= events->told)
        return YR_ENOENT;
    next = YR_MAX(cursor + 1, events->first);
    cursor_key(key, next);
    err =
        yr_rows_get(events->rows, YR_TABLE_EVENT, NULL, 0, key, sizeof key, row, sizeof row, &len);
    if (err == YR_OK)
        err = decode(out, next, row, len);
    if (err != YR_OK)
        return err == YR_ENOENT ? YR_ECORRUPT : err; // kept cursors have no holes
    *gap = next != cursor + 1;
    return YR_OK;
}
