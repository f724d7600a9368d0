/* secret.h - bytes that cannot be printed: opaque, wiped when their pool dies, compared in
 * constant time.
 *
 * Ownership: a wxpay_secret_t lives in the pool it was made in; a pool cleanup overwrites it.
 * Threads: const after creation.
 */
#ifndef WXPAY_SECRET_H
#define WXPAY_SECRET_H

#include <apr_pools.h>

typedef struct wxpay_secret_t wxpay_secret_t;

/* Copy len bytes (may be 0). The caller wipes its own copy with wxpay_secret_wipe(). */
wxpay_secret_t *wxpay_secret_create(apr_pool_t *pool, const void *bytes, apr_size_t len);

apr_size_t wxpay_secret_len(const wxpay_secret_t *secret);

/* For digest functions only: the bytes, valid as long as the secret. Never for a formatter. */
const unsigned char *wxpay_secret_bytes(const wxpay_secret_t *secret);

/* 1 if text is exactly the secret. Time depends on the length of text only. An empty secret equals
 * nothing. */
int wxpay_secret_equals(const wxpay_secret_t *secret, const char *text, apr_size_t len);

/* 1 if both memory areas of len bytes are equal; constant time. */
int wxpay_secret_memeq(const void *a, const void *b, apr_size_t len);

/* Overwrite memory in a way the compiler does not remove. */
void wxpay_secret_wipe(void *bytes, apr_size_t len);

#endif
