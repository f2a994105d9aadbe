/* core/dht/lately.h: have we sent anything to this address lately?  Whoever reaches us though we
 * have not came past every filter of a NAT: keys are forgotten sooner than NATs forget.
 *
 * Two fields of bits, each good for YR_DHT_QUIET_S and then emptied in turn.  Now and then it says
 * yes where no is right; never the other way. */
#ifndef YR_DHT_LATELY_H
#define YR_DHT_LATELY_H

#include "core/base/base.h"
#include "yaari/api.h"

#define YR_DHT_LATELY_WORDS 64 /* 4,096 bits: of 500 addresses one in 20 is taken for known */

struct yr_dht_lately {
    uint64_t bits[2][YR_DHT_LATELY_WORDS];
    unsigned current;
    yr_us turn_us; /* when the other one is emptied and becomes current */
};

/** key: 16 secret bytes, always the same.  port: tell ports of one address apart. */
void yr_dht_lately_sent(struct yr_dht_lately *lately, const uint8_t key[16],
                        const struct yr_addr *to, bool port, yr_us now);
/** In the last YR_DHT_QUIET_S, or up to twice that. */
bool yr_dht_lately_has(struct yr_dht_lately *lately, const uint8_t key[16],
                       const struct yr_addr *addr, bool port, yr_us now);

#endif
