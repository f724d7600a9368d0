/* outbox_tell.c - what the log says of deliveries. */
#include "outbox_int.h"

#include <apr_strings.h>
#include <string.h>

/* "host:port" of an URL. */
static const char *host_of(const wxpay_try_t *t)
{
    const char *from = strstr(t->target->url, "://");

    from = from ? from + 3 : t->target->url;
    return apr_pstrmemdup(t->pool, from, strcspn(from, "/?#"));
}

static const char *cause_of_status(int status)
{
    switch (status) {
    case 401:
    case 403:
        return ": a login or an access rule stands before it";
    case 404:
        return ": it is not there, or the delivery was not verified; on another host "
               "WxPayDeliverKey must be the same";
    case 405:
        return ": it does not take POST";
    default:
        break;
    }
    if (status / 100 == 3) {
        return ": a redirect; WxPayDeliverTo must name the final address";
    }
    return status / 100 == 5 ? ": its own error log says why" : "";
}

void wxpay_try_explain(wxpay_try_t *t, const wxpay_http_reply_t *reply, const wxpay_error_t *err)
{
    if (err) {
        apr_snprintf(t->what, sizeof(t->what), "%s%s", err->detail,
                     reply->tls ? ": WxPayDeliverCAFile must vouch for its certificate" : "");
    }
    else {
        apr_snprintf(t->what, sizeof(t->what), "it answers %d%s", reply->status,
                     cause_of_status(reply->status));
    }
}

void wxpay_try_tell_target(const wxpay_try_t *t, int good)
{
    const wxpay_log_t *log = t->outbox->opt.log;
    int was = atomic_exchange(&t->outbox->opt.down[t->target->index], !good);

    if (was && good) {
        wxpay_log(log, WXPAY_LOG_NOTICE, "WXP0602: deliveries to %s arrive again", host_of(t));
    }
    else if (!was && !good) {
        wxpay_log(log, WXPAY_LOG_WARN,
                  "WXP0601: deliveries to %s fail (%s); each is tried again for three days",
                  host_of(t), t->what);
    }
}

void wxpay_try_tell(const wxpay_try_t *t)
{
    const wxpay_log_t *log = t->outbox->opt.log;
    const wxpay_event_t *e = t->event;

    if (!strcmp(e->state, WXPAY_EVENT_DELIVERED)) {
        wxpay_log(log, WXPAY_LOG_INFO, "order %s: %s was delivered to %s", e->out_trade_no, e->type,
                  host_of(t));
    }
    else if (!strcmp(e->state, WXPAY_EVENT_PARKED)) {
        wxpay_log(log, WXPAY_LOG_ERR,
                  "WXP0603: order %s: %s (%s) did not arrive at %s in %d tries over three days, "
                  "lastly: %s; it is kept, and sent again only when somebody asks for it",
                  e->out_trade_no, e->type, e->id, host_of(t), e->tries, t->what);
    }
}
