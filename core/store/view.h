/* core/store/view.h: what the core and a store back end say to each other.  DESIGN: writes leave as
 * transactions with a token and come back as `stored`; reads go through a view of the last commit.
 * Two back ends (LMDB in net/, memory in tests/) pass one conformance suite. */
#ifndef YR_VIEW_H
#define YR_VIEW_H

#include "yaari/store.h"

#endif
