#include "tests/support/sim/oracle.h"

void oracle_init(struct oracle *o, const struct contacts *contacts, unsigned from, unsigned to)
{
    memset(o, 0, sizeof *o);
    o->contacts = contacts;
    o->kind = CONTACT_COULD;
    o->least = ORACLE_LEAST;
    o->move[from][to] = true;
}

void oracle_holder(struct oracle *o, unsigned from, unsigned holder, unsigned to)
{
    o->move[from][holder] = o->move[holder][to] = true;
}

yr_us oracle_arrival(const struct oracle *o, unsigned from, unsigned to, yr_us at)
{
    yr_us best[CONTACTS_MAX];
    bool settled[CONTACTS_MAX] = {false};

    for (unsigned i = 0; i < CONTACTS_MAX; i++)
        best[i] = YR_NEVER;
    best[from] = at;
    for (;;) {
        unsigned node = CONTACTS_MAX;
        for (unsigned i = 0; i < CONTACTS_MAX; i++)
            if (!settled[i] && best[i] != YR_NEVER &&
                (node == CONTACTS_MAX || best[i] < best[node]))
                node = i;
        if (node == CONTACTS_MAX || node == to)
            return best[to];
        settled[node] = true;
        for (unsigned i = 0; i < CONTACTS_MAX; i++)
            if (o->move[node][i]) {
                const yr_us then =
                    spans_next(contacts_of(o->contacts, o->kind, node, i), best[node], o->least);
                best[i] = YR_MIN(best[i], then);
            }
    }
}
