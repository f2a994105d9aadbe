/* core/node/rooms.c: the rooms of a node, as user interfaces see them. */
#include "core/node/state.h"

uint64_t yr_node_rooms_version(const struct yr_node *n)
{
    (void)n;
    return 0;
}

bool yr_node_room_at(struct yr_node *n, size_t i, struct yr_room_info *out)
{
    (void)n;
    (void)i;
    (void)out;
    return false;
}

enum yr_err yr_node_room(struct yr_node *n, const uint8_t id[YR_ID_LEN], struct yr_room_info *out)
{
    (void)n;
    (void)id;
    (void)out;
    return YR_ENOENT;
}

bool yr_node_member_at(struct yr_node *n, const uint8_t room[YR_ID_LEN], size_t i,
                       struct yr_member_info *out)
{
    (void)n;
    (void)room;
    (void)i;
    (void)out;
    return false;
}

enum yr_err yr_node_member(struct yr_node *n, const uint8_t room[YR_ID_LEN],
                           const uint8_t mid[YR_MID_LEN], struct yr_member_info *out)
{
    (void)n;
    (void)room;
    (void)mid;
    (void)out;
    return YR_ENOENT;
}
