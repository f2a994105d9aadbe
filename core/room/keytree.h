/* core/room/keytree.h: a key for each member from one root, each to be had once.  B.9.3.
 *
 * A binary tree over the first 32 bits of mids: a node's children are KDF(node, "room/node", bit).
 * What is kept at first is the root.  Taking a leaf replaces the node above it by the siblings
 * along the way, so that this leaf cannot be derived any more and all others can; siblings under
 * which there is no member are left out.  So an epoch in which few speak is small, whomever it
 * covers. */
#ifndef YR_KEYTREE_H
#define YR_KEYTREE_H

#include "core/base/bytes.h"
#include "core/base/mem.h"
#include "core/room/record.h"

#define YR_TREE_DEPTH    32
#define YR_TREE_NODE_LEN (1 + 4 + 32)
/** Nodes kept at once: under each is a member whose leaf was not taken. */
#define YR_TREE_NODES_MAX YR_ROOM_MEMBERS_MAX
#define YR_TREE_LEN_MAX   (2 + YR_TREE_NODES_MAX * YR_TREE_NODE_LEN)

static_assert(YR_TREE_LEN_MAX <= YR_ROW_MAX, "a tree is a row");

/** The nodes that are kept.  Wipe with yr_keytree_clear. */
struct yr_keytree {
    size_t count;
    struct yr_tree_node {
        uint8_t level;   /* bits of the prefix: 0..32 */
        uint32_t prefix; /* its bits first, the rest zero */
        uint8_t key[32];
    } nodes[YR_TREE_NODES_MAX + YR_TREE_DEPTH];
};

/** What the tree is of mids' first 32 bits. */
uint32_t yr_tree_place(const uint8_t mid[YR_MID_LEN]);
/** A whole tree. */
void yr_keytree_init(struct yr_keytree *tree, const uint8_t root[32]);
void yr_keytree_clear(struct yr_keytree *tree);
/** Take the leaf of a place: those of all members who have it, which are few and mostly one.
 *  mids: the members, sorted.  Errors: YR_ENOENT: it was taken, nothing changed. */
YR_MUST_USE enum yr_err yr_keytree_take(struct yr_keytree *tree, const uint8_t (*mids)[YR_MID_LEN],
                                        size_t count, uint32_t place, uint8_t leaf[32]);
/** The leaf of a place straight from the root. */
void yr_tree_leaf(uint8_t leaf[32], const uint8_t root[32], uint32_t place);

/** count u16 | nodes: level u8 | prefix u32 | key 32.  Returns the length. */
size_t yr_keytree_encode(const struct yr_keytree *tree, uint8_t out[YR_TREE_LEN_MAX]);
/** Total.  Errors: YR_EPROTO. */
YR_MUST_USE enum yr_err yr_keytree_decode(struct yr_keytree *out, const uint8_t *src, size_t len);

#endif
