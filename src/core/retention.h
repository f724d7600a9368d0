/* retention.h - erasing what nobody needs any more: who paid, and what was written beside it.
 *
 * Erased (SQL NULL) are the bodies of notifications, and of orders that are over (PAID, CLOSED,
 * EXPIRED): openid, payer_openid, attach, detail, scene_info, spbill_create_ip, user_creid,
 * user_truename, fingerprint; of their attempts
 * openid, client_ip, params, prepay_id, code_url, mweb_url; and the bodies of events as old as that
 * which are not waiting to be sent (they cannot be sent again then). What is left behind because no
 * server speaks for its site any more, or nobody is told of it, goes the same way: orders whose
 * time was over then, whatever their state, and events that wait but that nobody tried since, which
 * are parked so that they are not sent years later by surprise. Numbers, amounts, titles,
 * transaction ids, states and times stay: what comes late still finds its order, a repeat is still
 * a duplicate, and the books still balance. Source: design 3.1 (WxPayRetention), 3.6.
 */
#ifndef WXPAY_RETENTION_H
#define WXPAY_RETENTION_H

#include <apr_time.h>
#include "error.h"
#include "store.h"

/* Erase what came, or was made, before these times (0: nothing of it), the oldest first: at most
 * `limit` rows of each kind in one commit, so that the store is never held for long. To be called
 * again while *erased (rows of all kinds) is not 0. Where nothing is left that costs five looks at
 * an index, and no commit. Waits for the commit; any thread. Errors: WXPAY_ESTORE, WXPAY_EBUSY. */
wxpay_rc_e wxpay_retention_erase(wxpay_store_t *store, apr_time_t notices_before,
                                 apr_time_t orders_before, int limit, int *erased,
                                 wxpay_error_t *err);

#endif
