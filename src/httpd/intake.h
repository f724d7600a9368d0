/* intake.h - from what a site says to a stored order: the way that the API, signed links and
 * hand-offs share.
 *
 * Threads: one request, one thread.
 * Source: design 3.2, 3.3.
 */
#ifndef MOD_WXPAY_INTAKE_H
#define MOD_WXPAY_INTAKE_H

#include <httpd.h>
#include "config.h"
#include "flow.h"
#include "lifecycle.h"

typedef struct mod_wxpay_intake_t {
    request_rec *r;
    const mod_wxpay_server_t *cfg;
    const mod_wxpay_child_t *child;
    wxpay_order_t *order;   /* set by mod_wxpay_intake_read() */
    int default_return_url; /* the site named none: it is WxPayReturnURL's, if that is set */
} mod_wxpay_intake_t;

/* The facts, checked and completed, as in->order; WXPAY_OUT_TRADE_NO is set for the access log. May
 * read the store, writes nothing. Errors: WXPAY_EINPUT with the member in err->field. */
wxpay_rc_e mod_wxpay_intake_read(mod_wxpay_intake_t *in, const wxpay_fields_t *fields,
                                 wxpay_error_t *err);

/* wxpay_flow_submit() of in->order. open: NULL to store it only. An order that was stored under
 * another WxPayReturnURL is the same order, when the site names no return_url itself. */
wxpay_rc_e mod_wxpay_intake_submit(const mod_wxpay_intake_t *in, const wxpay_identity_t *open,
                                   apr_interval_time_t wait, wxpay_snapshot_t **snap, int *created,
                                   wxpay_error_t *err);

#endif
