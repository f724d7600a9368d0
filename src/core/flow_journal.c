/* flow_journal.c - verdicts, and the journal of what was decided about notices. */
#include "flow_int.h"

#include <string.h>

static const char *const verdict_names[] = {"paid",        "duplicate",  "notpaid", "overpaid",
                                            "orphan",      "quarantine", "refund",  "reconciled",
                                            "unconfirmed", "refused"};

const char *wxpay_verdict_name(wxpay_verdict_e verdict)
{
    return verdict_names[verdict];
}

int wxpay_flow_differs(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") != 0;
}

static void fill(wxpay_journal_t *entry, const wxpay_flow_t *flow, const wxpay_account_t *account,
                 const wxpay_order_t *order, const wxpay_notice_t *notice, wxpay_verdict_e verdict,
                 const char *reason)
{
    entry->mch_id = account->mch_id;
    entry->ref = notice->transaction_id;
    entry->verdict = wxpay_verdict_name(verdict);
    entry->reason = reason ? reason : "";
    entry->out_trade_no = order ? order->out_trade_no : "";
    entry->gateway_no = notice->gateway_no ? notice->gateway_no : "";
    entry->site = order ? order->site : account->site;
    entry->at = flow->now();
    entry->body = notice->raw;
    entry->body_len = notice->raw_len;
}

wxpay_rc_e wxpay_flow_journal(const wxpay_flow_t *flow, wxpay_tx_t *tx,
                              const wxpay_account_t *account, const wxpay_order_t *order,
                              const wxpay_notice_t *notice, wxpay_verdict_e verdict,
                              const char *ref, const char *reason, int *first, wxpay_error_t *err)
{
    wxpay_journal_t entry;

    fill(&entry, flow, account, order, notice, verdict, reason);
    if (ref) {
        entry.ref = ref;
    }
    return wxpay_row_notice_record(tx, &entry, first, err);
}

wxpay_rc_e wxpay_flow_journal_again(const wxpay_flow_t *flow, wxpay_tx_t *tx,
                                    const wxpay_account_t *account, const wxpay_notice_t *notice,
                                    wxpay_verdict_e verdict, const char *reason, int *known,
                                    wxpay_error_t *err)
{
    wxpay_journal_t entry;

    fill(&entry, flow, account, NULL, notice, verdict, reason);
    return wxpay_row_notice_again(tx, &entry, known, err);
}
