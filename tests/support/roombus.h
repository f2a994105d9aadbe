/* tests/support/roombus.h: the rooms of some people, and a bus in memory that carries their frames
 * and direct plaintexts; each has a store of its own. */
#ifndef TEST_ROOMBUS_H
#define TEST_ROOMBUS_H

#include "core/room/rooms.h"
#include "tests/support/rowbox.h"

#define BUS_PEOPLE   6
#define BUS_START_MS INT64_C(1790000000000)

// A frame or a direct plaintext on its way.
struct bus_item {
    struct bus_item *next;
    unsigned from, to;
    bool plain;
    uint8_t type;
    size_t len;
    uint8_t bytes[];
};

struct bus;

struct bus_person {
    struct bus *w;
    unsigned no;
    uint8_t id[YR_ID_LEN];
    char nick[16];
    struct rowbox box;
    struct yr_events *events;
    struct yr_chats *chats;
    struct yr_chat_ops chat_ops;
    struct yr_age age;
    struct yr_rooms *rooms;
    bool friend[BUS_PEOPLE];
    size_t frames; /* sent */
    bool full;     /* his channels take none */
};

struct bus {
    struct bus_person people[BUS_PEOPLE];
    struct yr_now now;
    struct bus_item *first, **last;
};

void bus_init(struct bus *w);
void bus_clear(struct bus *w);
/** Friends from now on, with a link. */
void bus_befriend(struct bus *w, unsigned a, unsigned b);
/** Everything of his is durable. */
void bus_commit(struct bus *w, unsigned no);
/** Power fails, and he is back: with what was durable, or with the backup, but without links. */
void bus_crash(struct bus *w, unsigned no, const struct yr_memstore *backup);
/** The next thing on the bus arrives. */
void bus_hand_over(struct bus *w);
/** Let this much time pass, everybody doing what is due. */
void bus_pass(struct bus *w, unsigned seconds);
uint64_t bus_counter(struct bus *w, unsigned no, const char *name);
void bus_found(struct bus *w, unsigned no, const char *name, uint8_t id[YR_ROOM_ID_LEN]);
bool bus_has_room(struct bus *w, unsigned no, const uint8_t *id, enum yr_room_state state);
/** a invites b, who joins. */
void bus_bring(struct bus *w, unsigned a, unsigned b, const uint8_t *id);
enum yr_err bus_say(struct bus *w, unsigned no, const uint8_t *id, const char *text);
/** How many texts of the room he has. */
size_t bus_texts(struct bus *w, unsigned no, const uint8_t *id);

#endif
