/* api_deliveries.c - what the site's application was told about an order: told again on demand. */
#include "api_call.h"

#include "io.h"

/* The number may be an orphan's, which is no order here. */
int mod_wxpay_api_resend(const mod_wxpay_api_call_t *call)
{
    const mod_wxpay_child_t *child = call->child;
    const wxpay_account_t *account = call->cfg->account;
    json_t *deliveries;
    json_t *answer;
    wxpay_error_t err;
    wxpay_rc_e rc;

    wxpay_error_clear(&err);
    rc = wxpay_outbox_resend(child->outbox, account, call->number, call->event, &err);
    if (rc == WXPAY_ECONFLICT) {
        return mod_wxpay_api_conflict(call->r, "not_resendable", &err);
    }
    if (rc == WXPAY_ENOTFOUND) {
        return mod_wxpay_api_problem(call->r, HTTP_NOT_FOUND, "event_not_found",
                                     "there is no such event of this order");
    }
    if (rc != WXPAY_OK || wxpay_outbox_list(child->store, account->mch_id, call->number,
                                            call->r->pool, &deliveries, &err) != WXPAY_OK) {
        return mod_wxpay_api_failed(call->r, &err);
    }
    answer = wxpay_json_object(call->r->pool);
    json_object_set(answer, "deliveries", deliveries);
    return mod_wxpay_send_json(call->r, HTTP_ACCEPTED, answer);
}
