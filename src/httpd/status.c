#include "status.h"
#include "clock.h"
#include "lifecycle.h"
#include <http_protocol.h>
#include <mod_status.h>
#include <apr_strings.h>

/* Where the numbers go: lines, or rows of a table. */
typedef struct report_t {
    request_rec *r;
    int lines;
} report_t;

static void heading(const report_t *report, const char *text)
{
    if (!report->lines) {
        ap_rprintf(report->r, "<tr><th colspan=\"2\">%s</th></tr>\n", text);
    }
}

/* name is for programs, label for people; neither needs escaping, nor does value. */
static void row(const report_t *report, const char *name, const char *label, const char *value)
{
    if (report->lines) {
        ap_rprintf(report->r, "WeChatPay%s: %s\n", name, value);
    }
    else {
        ap_rprintf(report->r, "<tr><td>%s</td><td>%s</td></tr>\n", label, value);
    }
}

static void number(const report_t *report, const char *name, const char *label, apr_uint64_t value)
{
    row(report, name, label, apr_psprintf(report->r->pool, "%" APR_UINT64_T_FMT, value));
}

static void notices(const report_t *report, mod_wxpay_counters_t *counters)
{
    const char *name;
    int n;

    heading(report, "Notifications");
    for (n = 0; (name = mod_wxpay_notice_name(n)) != NULL; n++) {
        number(report, apr_pstrcat(report->r->pool, "Notice_", name, NULL), name,
               atomic_load(&counters->notices[n]));
    }
}

static void calls(const report_t *report, mod_wxpay_counters_t *counters)
{
    apr_pool_t *p = report->r->pool;
    int op, outcome;

    heading(report, "Gateway calls");
    for (op = 0; op < WXPAY_OPS; op++) {
        for (outcome = 0; outcome < MOD_WXPAY_OUTCOMES; outcome++) {
            const char *called = wxpay_op_name(op), *ended = mod_wxpay_outcome_name(outcome);

            number(report, apr_pstrcat(p, "Call_", called, "_", ended, NULL),
                   apr_pstrcat(p, called, ": ", ended, NULL),
                   atomic_load(&counters->calls[op][outcome]));
        }
    }
}

static void last_error(const report_t *report, mod_wxpay_counters_t *counters)
{
    apr_uint64_t last = atomic_load(&counters->last_error);
    char when[WXPAY_RFC3339_SIZE];

    if (last) {
        wxpay_clock_rfc3339(apr_time_from_sec((apr_time_t)(last >> 16)), when);
        row(report, "LastErrorTime", "newest error", when);
        row(report, "LastErrorCall", "newest error: call", wxpay_op_name((last >> 8) & 0xff));
        row(report, "LastErrorClass", "newest error: class", wxpay_rc_name(last & 0xff));
    }
}

static void load(const report_t *report)
{
    mod_wxpay_load_t now;

    mod_wxpay_load_now(&now);
    number(report, "CallsUnderWay", "under way now", now.calls);
    number(report, "CallsQueued", "queued now", now.queued);
    heading(report, "Requests waiting for the gateway");
    number(report, "Waiting", "waiting now", now.waiting);
}

int mod_wxpay_status(request_rec *r, int flags)
{
    mod_wxpay_counters_t *counters = mod_wxpay_counters();
    report_t report = {r, (flags & AP_STATUS_SHORT) != 0};
    char since[WXPAY_RFC3339_SIZE];

    if (!counters) {
        return DECLINED;
    }
    wxpay_clock_rfc3339(counters->since, since);
    if (!report.lines) {
        ap_rputs("<hr>\n<h2>WeChat Pay</h2>\n<table class=\"wxpay\">\n", r);
    }
    row(&report, "Since", "counted since", since);
    notices(&report, counters);
    calls(&report, counters);
    last_error(&report, counters);
    load(&report);
    number(&report, "Waits_granted", "granted", atomic_load(&counters->waits_granted));
    number(&report, "Waits_refused", "refused, answered at once",
           atomic_load(&counters->waits_refused));
    heading(&report, "Store");
    number(&report, "Store_commits", "commits", atomic_load(&counters->store.commits));
    number(&report, "Store_changes", "changes in them", atomic_load(&counters->store.jobs));
    number(&report, "Store_failures", "failed commits", atomic_load(&counters->store.failures));
    if (!report.lines) {
        ap_rputs("</table>\n", r);
    }
    return OK;
}
