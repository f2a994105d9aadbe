/* core/node/self.c: our identity and profile, and their row. */
#include "core/node/backup.h"
#include "core/node/state.h"

#define YR_SELF_ROW_VERSION 1
#define ROW_RESTORED        "restored" /* ... and not opened since */

void yr_self_store(struct yr_node *n)
{
    uint8_t row[1 + 64 + 4 + 8 + 4 + YR_NICK_MAX + YR_STATUS_MAX];
    struct yr_wr wr = yr_wr_init(row, sizeof row);

    yr_wr_u8(&wr, YR_SELF_ROW_VERSION);
    yr_wr_bytes(&wr, n->self.root, 32);
    yr_wr_bytes(&wr, n->self.device.secret_key, 32);
    yr_wr_u32(&wr, n->self.gen);
    yr_wr_u64(&wr, (uint64_t)n->self.created_ms);
    yr_wr_text16(&wr, n->nick);
    yr_wr_text16(&wr, n->status);
    YR_ASSERT(yr_wr_ok(&wr));
    yr_rows_put(n->rows, YR_TABLE_SELF, NULL, 0, YR_SELF_ROW_KEY, sizeof YR_SELF_ROW_KEY - 1, row,
                yr_wr_len(&wr));
    yr_wipe(row, sizeof row);
}

enum yr_err yr_self_load(struct yr_node *n)
{
    struct yr_self_row self;
    enum yr_err err = yr_self_read(n->rows, &self);

    n->has_identity = false;
    if (err != YR_OK)
        return err == YR_ENOENT ? YR_OK : err;
    yr_identity_from(&n->self, self.root, self.device, self.gen, self.created_ms);
    memcpy(n->nick, self.nick, sizeof n->nick);
    memcpy(n->status, self.status, sizeof n->status);
    n->has_identity = true;
    yr_wipe(&self, sizeof self);
    return YR_OK;
}

void yr_self_restored(struct yr_node *n)
{
    static const uint8_t one = 1;

    yr_rows_put(n->rows, YR_TABLE_SELF, NULL, 0, ROW_RESTORED, sizeof ROW_RESTORED - 1, &one, 1);
}

// The first start after a restore: what was written before was written by another copy.
static enum yr_err after_restore(struct yr_node *n)
{
    uint8_t row[8];
    size_t len;
    enum yr_err err = yr_rows_get(n->rows, YR_TABLE_SELF, NULL, 0, ROW_RESTORED,
                                  sizeof ROW_RESTORED - 1, row, sizeof row, &len);

    if (err != YR_OK)
        return err == YR_ENOENT ? YR_OK : err;
    yr_rows_del(n->rows, YR_TABLE_SELF, NULL, 0, ROW_RESTORED, sizeof ROW_RESTORED - 1);
    return yr_rooms_restored(n->rooms, n->now);
}

// The identity is known: everything that needs it starts.
enum yr_err yr_self_start(struct yr_node *n)
{
    uint8_t pad[32];
    enum yr_err err;

    yr_cert_make(n->cert, &n->self);
    if ((err = yr_renew_load_self(n)) != YR_OK)
        return err;
    yr_links_identity(n->links, &n->self);
    yr_kdf(pad, sizeof pad, n->self.root, YR_LABEL_RELAY_PAD, NULL, 0);
    yr_relay_pad(n->relay, pad);
    yr_wipe(pad, sizeof pad);
    yr_relay_allow(n->relay, n->opts.relay, n->now);
    n->expire_us = 0;
    if ((err = yr_chats_start(n->chats, n->now, n->self.id)) != YR_OK ||
        (err = yr_presence_load(n)) != YR_OK)
        return err;
    if ((err = yr_age_load(&n->age, n->rows, n->now)) != YR_OK ||
        (err = yr_friends_load(n)) != YR_OK || (err = yr_delivery_start(n->delivery)) != YR_OK ||
        (err = yr_mailbox_start(n->mailbox)) != YR_OK ||
        (err = yr_rooms_start(n->rooms, n->now)) != YR_OK || (err = after_restore(n)) != YR_OK)
        return err;
    return yr_contacts_start(n->contacts, n->now, &n->self);
}
