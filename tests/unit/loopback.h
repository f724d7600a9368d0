/* loopback.h - a small HTTP server on 127.0.0.1 for tests, plain or TLS, a thread per connection.
 *
 * Its paths: /echo (the body back), /head (the request's header back), /slow/<ms> (then as /echo),
 * /stall (never answers), /cut (half a reply), /drop (no reply), /huge (200 KB), /endless (200 KB
 * of header lines), /redirect (302 to /echo), /status/<n>, /once (as /echo, then hangs up without
 * saying so), /bye (TLS only: as /echo, then says that it hangs up, and does).
 */
#ifndef WXPAY_TEST_LOOPBACK_H
#define WXPAY_TEST_LOOPBACK_H

#include <apr_pools.h>

typedef struct loopback_t loopback_t;

/* Lives until loopback_stop(). tls: with a certificate of its own for 127.0.0.1. */
loopback_t *loopback_start(apr_pool_t *pool, int tls);
const char *loopback_url(const loopback_t *server, const char *path);
const char *loopback_ca_pem(const loopback_t *server);
int loopback_connections(loopback_t *server); /* accepted so far */
int loopback_requests(loopback_t *server);    /* read so far */
void loopback_stop(loopback_t *server);

#endif
