#include "lifecycle.h"
#include "module.h"
#include "paths.h"

#include <apr_strings.h>
#include "io.h"
#include "log_limit.h"
#include "notice.h"

/* WeChat gives up after 5 s; design 3.5 wants the answer within 3 s of a complete body. */
#define COMMIT_WAIT apr_time_from_msec(2800)

static int answer(request_rec *r, int success)
{
    const char *xml = wxpay_notice_answer(success);

    return mod_wxpay_send(r, HTTP_OK, "text/xml; charset=utf-8", xml, strlen(xml), NULL);
}

static void note(request_rec *r, const char *verdict, const char *number)
{
    apr_table_setn(r->subprocess_env, "WXPAY_VERDICT", verdict);
    if (mod_wxpay_counters()) {
        mod_wxpay_count_notice(mod_wxpay_counters(), verdict);
    }
    if (number) {
        apr_table_set(r->subprocess_env, "WXPAY_OUT_TRADE_NO", number);
    }
}

/* Anybody can send these: a handful of lines a minute, and nothing in them that was sent. */
static int refuse(request_rec *r, const mod_wxpay_child_t *child, const wxpay_error_t *err,
                  const char *advice)
{
    unsigned unsaid;

    note(r, wxpay_verdict_name(WXPAY_VERDICT_REFUSED), NULL);
    if (mod_wxpay_log_limit(child->refused, apr_time_now(), &unsaid)) {
        if (unsaid) {
            ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r,
                          "WXP0301: %u more notifications were refused without a line", unsaid);
        }
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r, "WXP0302: notification refused (%s): %s%s",
                      wxpay_rc_name(err->code), err->detail, advice);
    }
    return answer(r, 0);
}

static int store_failed(request_rec *r, const wxpay_notice_t *notice, const wxpay_error_t *err)
{
    note(r, "unrecorded", notice->gateway_no);
    ap_log_rerror(
        APLOG_MARK, APLOG_ERR, 0, r,
        "WXP0303: notification for number %s could not be recorded, answered FAIL (WeChat "
        "Pay will repeat it): %s",
        notice->gateway_no ? notice->gateway_no : "-", err->detail);
    return answer(r, 0);
}

static int handle_body(request_rec *r, const mod_wxpay_server_t *cfg,
                       const mod_wxpay_child_t *child, const char *body, apr_size_t len)
{
    wxpay_notice_t *notice;
    wxpay_verdict_e verdict;
    wxpay_error_t err;
    int success;

    wxpay_error_clear(&err);
    if (wxpay_notice_read(child->xml, cfg->account, body, len, r->pool, &notice, &err) !=
        WXPAY_OK) {
        return refuse(r, child, &err,
                      err.code == WXPAY_ESIGN ? "; if it came from WeChat Pay, WxPayKey is not the "
                                                "merchant account's API v2 key"
                                              : "");
    }
    switch (wxpay_flow_notice(child->flow, cfg->account, notice, COMMIT_WAIT, r->pool, &verdict,
                              &success, &err)) {
    case WXPAY_OK:
        note(r, wxpay_verdict_name(verdict), notice->gateway_no);
        return answer(r, success);
    case WXPAY_ESIGN:     /* the key is known, but it does not count for this one */
    case WXPAY_EMISMATCH: /* nor does the appid */
        return refuse(r, child, &err, "");
    default:
        return store_failed(r, notice, &err);
    }
}

int mod_wxpay_notify(request_rec *r, const mod_wxpay_server_t *cfg)
{
    const mod_wxpay_child_t *child = mod_wxpay_child();
    const char *body;
    apr_size_t len;
    int status;

    if (!mod_wxpay_method_allowed(r, "POST")) {
        return mod_wxpay_send(r, HTTP_METHOD_NOT_ALLOWED, "text/plain; charset=utf-8", "", 0, NULL);
    }
    status = mod_wxpay_read_body(r, MOD_WXPAY_BODY_MAX, &body, &len);
    if (status == AP_FILTER_ERROR) {
        return status; /* httpd has answered already */
    }
    if (!child) {
        note(r, "unrecorded", NULL);
        return answer(r, 0);
    }
    if (status != OK) {
        wxpay_error_t err;

        wxpay_error_set(&err, WXPAY_EPARSE, "read notification",
                        status == HTTP_REQUEST_ENTITY_TOO_LARGE ? "the body is over 64 KiB"
                                                                : "the body was cut or broken");
        return refuse(r, child, &err, "");
    }
    return handle_body(r, cfg, child, body, len);
}
