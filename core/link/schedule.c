/* When which connection is looked at: a heap of all of them by deadline, and a queue of those that
 * may have something to write. */
#include "core/link/conn.h"

static void heap_set(struct yr_links *links, size_t at, struct yr_conn *conn)
{
    links->heap[at] = conn;
    conn->heap_at = at;
}

static void heap_fix(struct yr_links *links, struct yr_conn *conn)
{
    size_t at = conn->heap_at;

    while (at > 0 && conn->deadline < links->heap[(at - 1) / 2]->deadline) {
        heap_set(links, at, links->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    for (;;) {
        size_t child = 2 * at + 1;

        if (child + 1 < links->conn_count &&
            links->heap[child + 1]->deadline < links->heap[child]->deadline)
            child++;
        if (child >= links->conn_count || links->heap[child]->deadline >= conn->deadline)
            break;
        heap_set(links, at, links->heap[child]);
        at = child;
    }
    heap_set(links, at, conn);
}

static void ready_push(struct yr_links *links, struct yr_conn *conn)
{
    conn->ready = true;
    conn->ready_next = NULL;
    *(links->ready_tail == NULL ? &links->ready_head : &links->ready_tail->ready_next) = conn;
    links->ready_tail = conn;
}

static void ready_remove(struct yr_links *links, struct yr_conn *conn)
{
    struct yr_conn **at = &links->ready_head, *before = NULL;

    while (*at != conn) {
        before = *at;
        at = &before->ready_next;
    }
    *at = conn->ready_next;
    if (links->ready_tail == conn)
        links->ready_tail = before;
    conn->ready = false;
}

void yr_links_schedule(struct yr_conn *conn, yr_us deadline)
{
    struct yr_links *links = conn->links;

    if (deadline == 0 && !conn->ready)
        ready_push(links, conn);
    if (deadline != 0 && conn->ready)
        ready_remove(links, conn);
    conn->deadline = deadline == 0 ? YR_NEVER : deadline;
    heap_fix(links, conn);
}

enum yr_err yr_links_enlist(struct yr_links *links, struct yr_link *link, struct yr_conn *conn)
{
    if (links->conn_count == YR_LINK_CONNS_MAX)
        return YR_ENOMEM;
    conn->deadline = YR_NEVER;
    heap_set(links, links->conn_count++, conn);
    conn->link = link;
    conn->next = link->conns;
    link->conns = conn;
    return YR_OK;
}

void yr_links_unlink(struct yr_conn *conn)
{
    struct yr_link *link = conn->link;

    if (link == NULL)
        return;
    for (struct yr_conn **at = &link->conns; *at != NULL; at = &(*at)->next) {
        if (*at != conn)
            continue;
        *at = conn->next;
        break;
    }
    if (link->active == conn)
        link->active = NULL;
    conn->link = NULL;
}

void yr_links_delist(struct yr_conn *conn)
{
    struct yr_links *links = conn->links;
    struct yr_conn *last = links->heap[--links->conn_count];

    if (conn->ready)
        ready_remove(links, conn);
    if (last != conn) {
        heap_set(links, conn->heap_at, last);
        heap_fix(links, last);
    }
    yr_links_unlink(conn);
}
