/* buf.h - a growing byte buffer with a maximum from birth; fails closed.
 *
 * Ownership: memory is the pool's. After a failed append the buffer is `broken`, holds nothing
 * more and every later append fails too, so that callers may check once, at the end.
 * Threads: one at a time.
 */
#ifndef WXPAY_BUF_H
#define WXPAY_BUF_H

#include <apr_pools.h>

typedef struct wxpay_buf_t {
    apr_pool_t *pool;
    char *data;     /* always NUL-terminated, also when empty */
    apr_size_t len; /* without the NUL */
    apr_size_t cap;
    apr_size_t max; /* len never exceeds this */
    int broken;
} wxpay_buf_t;

void wxpay_buf_init(wxpay_buf_t *buf, apr_pool_t *pool, apr_size_t max);
/* Each returns 1, or 0 when the maximum would be exceeded (and then forever). */
int wxpay_buf_add(wxpay_buf_t *buf, const char *bytes, apr_size_t len);
int wxpay_buf_puts(wxpay_buf_t *buf, const char *text);
int wxpay_buf_printf(wxpay_buf_t *buf, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
