/* status.h - the module's section of mod_status: counters since the server was started, what is
 * under way now, the newest gateway error. As a table, and with ?auto as lines "WeChatPay<Name>:
 * value" whose names stay. No order numbers, openids or amounts: such pages are often open to the
 * world.
 */
#ifndef MOD_WXPAY_STATUS_H
#define MOD_WXPAY_STATUS_H

#include <httpd.h>

/* mod_status's hook; flags are its AP_STATUS_*. */
int mod_wxpay_status(request_rec *r, int flags);

#endif
