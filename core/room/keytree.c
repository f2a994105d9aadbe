#include "core/room/keytree.h"

#include "core/crypto/kdf.h"

uint32_t yr_tree_place(const uint8_t mid[YR_MID_LEN])
{
    return (uint32_t)mid[0] << 24 | (uint32_t)mid[1] << 16 | (uint32_t)mid[2] << 8 | mid[3];
}

// The first `level` bits.
static uint32_t mask_of(unsigned level)
{
    return level == 0 ? 0 : UINT32_MAX << (YR_TREE_DEPTH - level);
}

static void child(uint8_t out[32], const uint8_t key[32], unsigned bit)
{
    const uint8_t ctx = (uint8_t)bit;

    yr_kdf(out, 32, key, YR_LABEL_ROOM_NODE, &ctx, 1);
}

static unsigned bit_at(uint32_t place, unsigned level)
{
    return place >> (YR_TREE_DEPTH - 1 - level) & 1;
}

void yr_keytree_init(struct yr_keytree *tree, const uint8_t root[32])
{
    tree->count = 1;
    tree->nodes[0].level = 0;
    tree->nodes[0].prefix = 0;
    memcpy(tree->nodes[0].key, root, 32);
}

void yr_keytree_clear(struct yr_keytree *tree)
{
    yr_wipe(tree, sizeof *tree);
}

// Is there a member under this node?
static bool peopled(const uint8_t (*mids)[YR_MID_LEN], size_t count, uint32_t prefix,
                    unsigned level)
{
    size_t low = 0, high = count;

    while (low < high) {
        const size_t mid = (low + high) / 2;

        if (yr_tree_place(mids[mid]) < prefix)
            low = mid + 1;
        else
            high = mid;
    }
    return low < count && (yr_tree_place(mids[low]) & mask_of(level)) == prefix;
}

enum yr_err yr_keytree_take(struct yr_keytree *tree, const uint8_t (*mids)[YR_MID_LEN],
                            size_t count, uint32_t place, uint8_t leaf[32])
{
    struct yr_tree_node at;
    size_t i = 0;

    while (i < tree->count && (place & mask_of(tree->nodes[i].level)) != tree->nodes[i].prefix)
        i++;
    if (i == tree->count)
        return YR_ENOENT;
    at = tree->nodes[i];
    tree->nodes[i] = tree->nodes[--tree->count];
    yr_wipe(&tree->nodes[tree->count], sizeof tree->nodes[0]);
    for (; at.level < YR_TREE_DEPTH; at.level++) {
        const unsigned bit = bit_at(place, at.level);
        const uint32_t own = place & mask_of(at.level + 1u);
        const uint32_t other = own ^ (uint32_t)1 << (YR_TREE_DEPTH - 1 - at.level);

        if (peopled(mids, count, other, at.level + 1u)) {
            struct yr_tree_node *sibling = &tree->nodes[tree->count++];

            sibling->level = (uint8_t)(at.level + 1);
            sibling->prefix = other;
            child(sibling->key, at.key, !bit);
        }
        child(at.key, at.key, bit);
    }
    memcpy(leaf, at.key, 32);
    yr_wipe(&at, sizeof at);
    YR_ASSERT(tree->count <= YR_TREE_NODES_MAX);
    return YR_OK;
}

void yr_tree_leaf(uint8_t leaf[32], const uint8_t root[32], uint32_t place)
{
    uint8_t key[32];

    memcpy(key, root, 32);
    for (unsigned level = 0; level < YR_TREE_DEPTH; level++)
        child(key, key, bit_at(place, level));
    memcpy(leaf, key, 32);
    yr_wipe(key, sizeof key);
}

size_t yr_keytree_encode(const struct yr_keytree *tree, uint8_t out[YR_TREE_LEN_MAX])
{
    struct yr_wr wr = yr_wr_init(out, YR_TREE_LEN_MAX);

    yr_wr_u16(&wr, (uint16_t)tree->count);
    for (size_t i = 0; i < tree->count; i++) {
        yr_wr_u8(&wr, tree->nodes[i].level);
        yr_wr_u32(&wr, tree->nodes[i].prefix);
        yr_wr_bytes(&wr, tree->nodes[i].key, 32);
    }
    YR_ASSERT(yr_wr_ok(&wr));
    return yr_wr_len(&wr);
}

enum yr_err yr_keytree_decode(struct yr_keytree *out, const uint8_t *src, size_t len)
{
    struct yr_rd rd = yr_rd_init(src, len);
    const size_t count = yr_rd_u16(&rd);

    if (rd.bad || yr_rd_left(&rd) != count * YR_TREE_NODE_LEN || count > YR_TREE_NODES_MAX)
        return YR_EPROTO;
    for (size_t i = 0; i < count; i++) { // places are disjoint where rows are ours
        out->nodes[i].level = yr_rd_u8(&rd);
        out->nodes[i].prefix = yr_rd_u32(&rd);
        yr_rd_copy(&rd, out->nodes[i].key, 32);
        if (out->nodes[i].level > YR_TREE_DEPTH ||
            (out->nodes[i].prefix & ~mask_of(out->nodes[i].level)) != 0) {
            yr_keytree_clear(out);
            return YR_EPROTO;
        }
    }
    out->count = count;
    return YR_OK;
}
