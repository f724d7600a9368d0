#include "store_events.h"

#include "store_sql.h"
#include "store_values.h"

wxpay_rc_e wxpay_row_event_insert(wxpay_tx_t *tx, const wxpay_event_t *e, wxpay_error_t *err)
{
    wxpay_value_t v[11];
    int i = 0;

    v[i++] = wxpay_value_text(e->id);
    v[i++] = wxpay_value_text(e->mch_id);
    v[i++] = wxpay_value_text(e->out_trade_no);
    v[i++] = wxpay_value_text(e->site);
    v[i++] = wxpay_value_text(e->type);
    v[i++] = wxpay_value_int(e->created_at);
    v[i++] = wxpay_value_text(e->body);
    v[i++] = wxpay_value_text(e->state);
    v[i++] = wxpay_value_int(e->next_at);
    v[i++] = wxpay_value_text(e->lease_owner);
    v[i++] = wxpay_value_int(e->lease_until);
    return wxpay_tx_exec(tx, wxpay_sql_event_insert, v, i, NULL, err);
}
