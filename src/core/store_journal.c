#include "store_rows.h"

#include "store_sql.h"
#include "store_values.h"

wxpay_rc_e wxpay_row_notice_again(wxpay_tx_t *tx, const wxpay_journal_t *j, int *known,
                                  wxpay_error_t *err)
{
    wxpay_value_t v[5];
    wxpay_rc_e rc;
    int affected = 0;
    int i = 0;

    v[i++] = wxpay_value_int(j->at);
    v[i++] = wxpay_value_text(j->mch_id);
    v[i++] = wxpay_value_text(j->ref);
    v[i++] = wxpay_value_text(j->verdict);
    v[i++] = wxpay_value_text(j->reason);
    rc = wxpay_tx_exec(tx, wxpay_sql_notice_again, v, i, &affected, err);
    *known = rc == WXPAY_OK && affected > 0;
    return rc;
}

wxpay_rc_e wxpay_row_notice_record(wxpay_tx_t *tx, const wxpay_journal_t *j, int *first,
                                   wxpay_error_t *err)
{
    wxpay_value_t v[10];
    int known;
    int i = 0;
    /* UPDATE first: a repeat is the common case where it matters, and a failed INSERT would have to
     * be undone on databases where an error ends the transaction. */
    wxpay_rc_e rc = wxpay_row_notice_again(tx, j, &known, err);

    *first = 0;
    if (rc != WXPAY_OK || known) {
        return rc;
    }
    v[i++] = wxpay_value_text(j->mch_id);
    v[i++] = wxpay_value_text(j->ref);
    v[i++] = wxpay_value_text(j->verdict);
    v[i++] = wxpay_value_text(j->reason);
    v[i++] = wxpay_value_text(j->out_trade_no);
    v[i++] = wxpay_value_text(j->gateway_no);
    v[i++] = wxpay_value_text(j->site);
    v[i++] = wxpay_value_int(j->at);
    v[i++] = wxpay_value_int(j->at);
    v[i] = wxpay_value_text(j->body);
    v[i++].len = j->body ? j->body_len : 0;
    *first = 1;
    return wxpay_tx_exec(tx, wxpay_sql_notice_insert, v, i, NULL, err);
}

wxpay_rc_e wxpay_row_notice_count(wxpay_tx_t *tx, const char *mch_id, const char *ref, int more,
                                  apr_time_t at, wxpay_error_t *err)
{
    wxpay_value_t v[4];

    v[0] = wxpay_value_int(more);
    v[1] = wxpay_value_int(at);
    v[2] = wxpay_value_text(mch_id);
    v[3] = wxpay_value_text(ref);
    return wxpay_tx_exec(tx, wxpay_sql_notice_count, v, 4, NULL, err);
}
