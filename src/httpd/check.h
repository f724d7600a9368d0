/* check.h - check_config: every contradiction of the finished configuration, each with the place
 * that wrote it and what to write instead. Looks only; changes nothing outside pconf.
 */
#ifndef MOD_WXPAY_CHECK_H
#define MOD_WXPAY_CHECK_H

#include <httpd.h>

/* Hook. Says everything that is wrong, then fails if anything is; `httpd -t` shows it, and a
 * graceful restart with it keeps the old server. */
int mod_wxpay_check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s);

#endif
