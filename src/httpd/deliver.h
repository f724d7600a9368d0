/* deliver.h - deliveries as the configuration wants them.
 * Source: design 3.1 (WxPayDeliverTo, WxPayDeliverKey), 3.4.
 */
#ifndef MOD_WXPAY_DELIVER_H
#define MOD_WXPAY_DELIVER_H

#include "config.h"

/* The keys of this server: what signs its deliveries, and what verifies those that arrive.
 * *previous may be NULL. 0: there are none. */
int mod_wxpay_deliver_keys(const mod_wxpay_server_t *cfg, const wxpay_secret_t **key,
                           const wxpay_secret_t **previous);

#endif
