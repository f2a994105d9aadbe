/* rpc_target.c: what users name: friends, conversations, messages, links being added. */
#include <stdio.h>

#include "cli/common/suggest.h"
#include "cli/daemon/rpc_internal.h"

#define MATCHES_MAX 8 /* candidates told */

bool yr_call_target(struct yr_call *call, const char *text, bool friend_only,
                    uint8_t out[YR_ID_LEN])
{
    const struct yr_name *matches[MATCHES_MAX];
    const struct yr_names *names = &call->rpc->names;
    size_t count;

    switch (yr_names_resolve(names, text, friend_only, out, matches, MATCHES_MAX, &count)) {
    case YR_NAMES_FOUND: return true;
    case YR_NAMES_MANY:
        yr_call_fail(call, YR_RPC_AMBIGUOUS, "'%.128s' fits more than one friend", text);
        call->fail.candidates = json_array();
        for (size_t i = 0; i < count; i++)
            json_array_append_new(call->fail.candidates, json_string(matches[i]->name));
        yr_call_hint(call, "write more of the id: yaari friend list");
        return false;
    case YR_NAMES_NONE: break;
    }
    struct yr_suggest near = yr_suggest_init(text[0] == '@' ? text + 1 : text);
    for (size_t i = 0; i < names->count; i++)
        yr_suggest_try(&near, names->rows[i].name);
    yr_call_fail(call, YR_RPC_NO_SUCH_TARGET, "no friend named '%.128s'", text);
    call->fail.candidates = json_array();
    if (near.best != NULL) {
        json_array_append_new(call->fail.candidates, json_string(near.best));
        yr_call_hint(call, "did you mean '%s'? all names: yaari friend list", near.best);
    } else {
        yr_call_hint(call, "all names: yaari friend list");
    }
    return false;
}

/* The bits an id's text begins with; 0: no id begins so. */
static size_t id_bits(const char *text, uint8_t out[YR_MSG_ID_LEN])
{
    static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";
    size_t bits = 0;

    memset(out, 0, YR_MSG_ID_LEN);
    for (; *text != '\0'; text++) {
        char c = *text;
        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        c = (char)(c == 'o' ? '0' : c == 'i' || c == 'l' ? '1' : c);
        const char *at = strchr(alphabet, c);
        if (at == NULL)
            return 0;
        for (unsigned bit = 5; bit-- > 0; bits++) {
            const bool set = (((size_t)(at - alphabet)) >> bit & 1) != 0;
            if (bits >= 8 * YR_MSG_ID_LEN) {
                if (set || bits >= 130)
                    return 0; // the last character has two bits that are not the id's
            } else if (set) {
                out[bits / 8] = (uint8_t)(out[bits / 8] | 0x80 >> bits % 8);
            }
        }
    }
    return bits > 8 * YR_MSG_ID_LEN ? 8 * YR_MSG_ID_LEN : bits;
}

bool yr_call_message(struct yr_call *call, const char *text, uint8_t out[YR_MSG_ID_LEN])
{
    uint8_t prefix[YR_MSG_ID_LEN], found[MATCHES_MAX][YR_MSG_ID_LEN];
    const size_t bits = id_bits(text, prefix);
    const size_t count =
        bits == 0 ? 0 : yr_node_message_prefix(call->rpc->node, prefix, bits, found, MATCHES_MAX);

    if (count == 1) {
        memcpy(out, found[0], YR_MSG_ID_LEN);
        return true;
    }
    if (count == 0) {
        yr_call_fail(call, YR_RPC_NO_SUCH_OBJECT, "no message '%.26s'", text);
        return false;
    }
    yr_call_fail(call, YR_RPC_AMBIGUOUS, "'%.26s' begins more than one message id", text);
    yr_call_hint(call, "write more of the id: yaari log --ids");
    call->fail.candidates = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(call->fail.candidates, yr_json_id(found[i], YR_MSG_ID_LEN));
    return false;
}

int64_t yr_request_id(struct yr_rpc *rpc, const char invite[9])
{
    for (size_t i = 0; i < rpc->request_count; i++)
        if (strcmp(rpc->request_ids[i].invite, invite) == 0)
            return rpc->request_ids[i].id;
    if (rpc->request_count == YR_REQUEST_IDS) {
        memmove(rpc->request_ids, rpc->request_ids + 1,
                (YR_REQUEST_IDS - 1) * sizeof rpc->request_ids[0]);
        rpc->request_count--;
    }
    snprintf(rpc->request_ids[rpc->request_count].invite, 9, "%s", invite);
    return rpc->request_ids[rpc->request_count++].id = ++rpc->last_request;
}

const char *yr_request_invite(const struct yr_rpc *rpc, int64_t id)
{
    for (size_t i = 0; i < rpc->request_count; i++)
        if (rpc->request_ids[i].id == id)
            return rpc->request_ids[i].invite;
    return NULL;
}

bool yr_rpc_invite(struct yr_rpc *rpc, const char *id, struct yr_invite_info *out)
{
    for (size_t i = 0; yr_node_invite_at(rpc->node, i, out); i++)
        if (strcmp(out->id, id) == 0)
            return true;
    return false;
}

bool yr_rpc_add(struct yr_rpc *rpc, const char *id, struct yr_add_info *out)
{
    for (size_t i = 0; yr_node_add_at(rpc->node, i, out); i++)
        if (strcmp(out->id, id) == 0)
            return true;
    return false;
}
