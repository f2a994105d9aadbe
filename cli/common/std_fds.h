/* std_fds.h: the three descriptors that every program takes for granted. */
#ifndef YR_CLI_STD_FDS_H
#define YR_CLI_STD_FDS_H

#include <stdbool.h>

/** Fill what the caller closed of 0, 1 and 2, so that no socket, lock or store gets one of these
 *  numbers and then what we print.  Reading there and writing there fails, as it did.  First thing
 *  in main.  false: it cannot be done, and nothing must be opened. */
bool yr_std_fds(void);

#endif
