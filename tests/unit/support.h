/* support.h - what the unit tests share. */
#ifndef WXPAY_TEST_SUPPORT_H
#define WXPAY_TEST_SUPPORT_H

/* cmocka.h wants these four before it */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <apr_pools.h>
#include <jansson.h>

/* cmocka set-up and tear-down of one test: *state is a fresh apr_pool_t. */
int support_setup(void **state);
int support_teardown(void **state);

#define support_test(function)                                                                     \
    cmocka_unit_test_setup_teardown(function, support_setup, support_teardown)

/* tests/vectors/<name>, released with the pool; fails the test when it is not there. */
json_t *support_vectors(apr_pool_t *pool, const char *name);

/* A string member, or NULL. */
const char *support_text(const json_t *object, const char *member);

#endif
