/* dump.h - `httpd -t -D DUMP_WXPAY`: the effective configuration of every server, in words, and
 * what has to be registered at WeChat Pay. No secret; only where secrets come from.
 */
#ifndef MOD_WXPAY_DUMP_H
#define MOD_WXPAY_DUMP_H

#include <httpd.h>

/* Hook. Prints to stdout if DUMP_WXPAY is defined. */
void mod_wxpay_dump(apr_pool_t *pconf, server_rec *s);

#endif
