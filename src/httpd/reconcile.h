/* reconcile.h - what has to happen although nobody asks: one thread of one process of the server
 * (mod_watchdog's singleton) looks every second whether something is due in the store, and starts
 * it on its process's engine. Which process that is doesn't matter: leases in the store decide.
 * Source: design 2, 3.4, 5.
 */
#ifndef MOD_WXPAY_RECONCILE_H
#define MOD_WXPAY_RECONCILE_H

#include <httpd.h>

/* In post_config, before mod_watchdog's own. Without mod_watchdog nothing happens (check_config has
 * refused that already). */
apr_status_t mod_wxpay_reconcile_register(apr_pool_t *pconf, server_rec *main_server);

#endif
