/* tests/support/test.h: cmocka, with what it wants included before it and in that order. */
#ifndef TEST_H
#define TEST_H

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#endif
