#include "counters.h"
#include "flow.h"
#include "retained.h"
#include <assert.h>
#include <string.h>

static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "processes share these numbers without a lock");

/* What a notification can be answered with; queries that find a payment are no notifications. */
static const char *const notices[] = {"paid",    "duplicate",  "notpaid", "overpaid",
                                      "orphan",  "quarantine", "refund",  "unconfirmed",
                                      "refused", "unrecorded", NULL};

static_assert(sizeof(notices) / sizeof(notices[0]) <= MOD_WXPAY_NOTICES, "a place for each");

mod_wxpay_counters_t *mod_wxpay_counters_find(void)
{
    mod_wxpay_counters_t *counters = mod_wxpay_retained("mod_wxpay_counters", sizeof(*counters));

    if (counters && counters->since == 0) {
        counters->since = apr_time_now();
    }
    return counters;
}

const char *mod_wxpay_notice_name(int n)
{
    return notices[n];
}

void mod_wxpay_count_notice(mod_wxpay_counters_t *counters, const char *verdict)
{
    int n = 0;

    while (notices[n] && strcmp(notices[n], verdict) != 0) {
        n++;
    }
    if (notices[n]) {
        atomic_fetch_add(&counters->notices[n], 1);
    }
}

static mod_wxpay_outcome_e outcome_of(const wxpay_error_t *err)
{
    if (err->code == WXPAY_OK) {
        return MOD_WXPAY_CALL_OK;
    }
    if (err->flags & WXPAY_ERR_AMBIGUOUS) {
        return MOD_WXPAY_CALL_UNCLEAR;
    }
    if (err->code == WXPAY_EGATEWAY) {
        return MOD_WXPAY_CALL_REFUSED;
    }
    return err->code == WXPAY_EBUSY ? MOD_WXPAY_CALL_BUSY : MOD_WXPAY_CALL_UNREACHABLE;
}

void mod_wxpay_count_call(mod_wxpay_counters_t *counters, wxpay_op_e op, const wxpay_error_t *err,
                          apr_time_t now)
{
    mod_wxpay_outcome_e outcome = outcome_of(err);

    atomic_fetch_add(&counters->calls[op][outcome], 1);
    if (outcome != MOD_WXPAY_CALL_OK &&
        !(outcome == MOD_WXPAY_CALL_REFUSED && wxpay_api_is_everyday(err->err_code))) {
        atomic_store(&counters->last_error, (unsigned long long)apr_time_sec(now) << 16 |
                                                (unsigned long long)op << 8 |
                                                (unsigned long long)err->code);
    }
}

const char *mod_wxpay_outcome_name(mod_wxpay_outcome_e outcome)
{
    static const char *const names[] = {"ok", "refused", "unclear", "unreachable", "busy"};

    return names[outcome];
}
