#include "core/path/birthday.h"

#define PORT_FIRST 1024u
#define PORTS      (65536u - PORT_FIRST)

void yr_birthday_start(struct yr_birthday *b, const struct yr_rng *rng, unsigned slot, bool hard,
                       const struct yr_addr *at, yr_us now)
{
    uint32_t r[2];

    yr_random(rng, r, sizeof r);
    *b = (struct yr_birthday){.on = true,
                              .hard = hard,
                              .slot = slot,
                              .at = *at,
                              .from_us = now,
                              .next_us = now,
                              .place = r[0] % PORTS,
                              .step = r[1] % PORTS};
    // 64,512 = 2^10 * 3^2 * 7: a step without these factors comes by every port once.
    while (b->step % 2 == 0 || b->step % 3 == 0 || b->step % 7 == 0)
        b->step++;
}

static unsigned most(const struct yr_birthday *b)
{
    return b->hard ? YR_BIRTHDAY_SOCKETS : YR_BIRTHDAY_PROBES;
}

bool yr_birthday_next(struct yr_birthday *b, yr_us now, uint16_t *port)
{
    if (!b->on || b->sent >= most(b) || now < b->next_us || yr_birthday_over(b, now))
        return false;
    b->sent++;
    b->next_us += (b->hard ? YR_BIRTHDAY_OPEN_MS : YR_BIRTHDAY_GAP_MS) * YR_MS;
    b->place = (b->place + b->step) % PORTS;
    *port = (uint16_t)(PORT_FIRST + b->place);
    return true;
}

yr_us yr_birthday_deadline(const struct yr_birthday *b)
{
    if (!b->on)
        return YR_NEVER;
    return b->sent < most(b) ? b->next_us : b->from_us + YR_BIRTHDAY_S * YR_S;
}

bool yr_birthday_over(const struct yr_birthday *b, yr_us now)
{
    return now >= b->from_us + YR_BIRTHDAY_S * YR_S;
}
