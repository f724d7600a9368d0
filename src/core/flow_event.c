/* flow_event.c - events that a transaction of flow writes, and their start once it is committed. */
#include "flow_int.h"

#include "order_json.h"

wxpay_rc_e wxpay_flow_write_event(const wxpay_flow_t *flow, wxpay_tx_t *tx,
                                  const wxpay_outbox_event_t *event, apr_pool_t *pool,
                                  wxpay_started_t *started, wxpay_error_t *err)
{
    const char *id;
    wxpay_rc_e rc = wxpay_outbox_write(flow->outbox, tx, event, pool, &id, err);

    /* One without a place in the list is sent as well, when its lease ends. */
    if (rc == WXPAY_OK && id && started->count < WXPAY_STARTED_MAX) {
        started->ids[started->count++] = id;
    }
    return rc;
}

wxpay_rc_e wxpay_flow_event(const wxpay_flow_t *flow, wxpay_tx_t *tx, const wxpay_snapshot_t *snap,
                            wxpay_event_e type, apr_pool_t *pool, wxpay_started_t *started,
                            wxpay_error_t *err)
{
    wxpay_outbox_event_t event = {0};

    event.type = type;
    event.mch_id = snap->order->mch_id;
    event.out_trade_no = snap->order->out_trade_no;
    event.site = snap->order->site;
    event.data = wxpay_order_json(pool, snap->order, (const wxpay_attempt_t *const *)snap->attempts,
                                  snap->count, NULL, flow->now());
    return wxpay_flow_write_event(flow, tx, &event, pool, started, err);
}

void wxpay_flow_start_events(const wxpay_flow_t *flow, const wxpay_started_t *started)
{
    int i;

    for (i = 0; flow->outbox && i < started->count; ++i) {
        wxpay_outbox_start(flow->outbox, started->ids[i]);
    }
}
