/* order_request.c - an attempt to have an order paid, as the gateway is asked for it. */
#include "order.h"

#include <string.h>

#include <apr_strings.h>

#include "clock.h"
#include "token.h"

#define STEP "unifiedorder request"
#define NUMBER_MAX 32

wxpay_rc_e wxpay_attempt_number(const wxpay_order_t *order, int n, apr_pool_t *pool,
                                const char **number, wxpay_error_t *err)
{
    char random[27];

    *number = n == 1 ? order->out_trade_no : apr_psprintf(pool, "%s*%d", order->out_trade_no, n);
    if (strlen(*number) <= NUMBER_MAX) {
        return WXPAY_OK;
    }
    if (wxpay_token_chars("abcdefghijklmnopqrstuvwxyz0123456789", random, sizeof(random), err) !=
        WXPAY_OK) {
        return WXPAY_EINTERNAL;
    }
    *number = apr_pstrcat(pool, "w*", random, NULL);
    return WXPAY_OK;
}

/* Absent and empty values are left out; the first error sticks in *rc. */
static void add(wxpay_fields_t *fields, const char *name, const char *value, wxpay_rc_e *rc,
                wxpay_error_t *err)
{
    if (*rc == WXPAY_OK && value && *value) {
        *rc = wxpay_fields_add(fields, name, strlen(name), value, strlen(value), err);
    }
}

static wxpay_rc_e add_parties(wxpay_fields_t *fields, const wxpay_attempt_t *attempt,
                              const wxpay_account_t *account, wxpay_error_t *err)
{
    wxpay_rc_e rc = WXPAY_OK;

    add(fields, "appid", attempt->appid, &rc, err);
    add(fields, "mch_id", account->mch_id, &rc, err);
    add(fields, "sub_appid", account->sub_appid, &rc, err);
    add(fields, "sub_mch_id", account->sub_mch_id, &rc, err);
    /* MD5 is what its absence means */
    if (attempt->sign_type == WXPAY_SIGN_HMAC_SHA256) {
        add(fields, "sign_type", wxpay_sign_name(attempt->sign_type), &rc, err);
    }
    add(fields, "notify_url", account->notify_url, &rc, err);
    return rc;
}

static wxpay_rc_e add_facts(wxpay_fields_t *fields, const wxpay_order_t *order,
                            const wxpay_attempt_t *attempt, wxpay_error_t *err)
{
    wxpay_rc_e rc = wxpay_fields_add_int(fields, "total_fee", order->total_fee, err);

    add(fields, "fee_type", order->fee_type, &rc, err);
    add(fields, "body", order->body, &rc, err);
    add(fields, "detail", order->detail, &rc, err);
    add(fields, "attach", order->attach, &rc, err);
    add(fields, "out_trade_no", attempt->gateway_no, &rc, err);
    add(fields, "goods_tag", order->goods_tag, &rc, err);
    add(fields, "limit_pay", order->limit_pay, &rc, err);
    add(fields, "receipt", order->receipt, &rc, err);
    add(fields, "profit_sharing", order->profit_sharing, &rc, err);
    add(fields, "scene_info", order->scene_info, &rc, err);
    add(fields, "device_info", order->device_info ? order->device_info : "WEB", &rc, err);
    add(fields, "version", order->version, &rc, err);
    add(fields, "user_type", order->user_type, &rc, err);
    add(fields, "user_creid", order->user_creid, &rc, err);
    add(fields, "user_truename", order->user_truename, &rc, err);
    add(fields, "fingerprint", order->fingerprint, &rc, err);
    return rc;
}

static wxpay_rc_e add_trade(wxpay_fields_t *fields, const wxpay_order_t *order,
                            const wxpay_attempt_t *attempt, const wxpay_account_t *account,
                            wxpay_error_t *err)
{
    int native = attempt->trade_type == WXPAY_TRADE_NATIVE;
    int jsapi = attempt->trade_type == WXPAY_TRADE_JSAPI;
    const char *product_id = order->product_id;
    const char *ip = attempt->client_ip;
    wxpay_rc_e rc = WXPAY_OK;

    /* the dossier's "required when NATIVE" */
    if (!product_id && native) {
        product_id = order->out_trade_no;
    }
    if (!ip && native) {
        ip = account->server_ip;
    }
    add(fields, "trade_type", wxpay_trade_name(attempt->trade_type), &rc, err);
    add(fields, "product_id", product_id, &rc, err);
    add(fields, "spbill_create_ip", ip, &rc, err);
    if (jsapi) {
        /* known under the appid the page runs with: the sub-merchant's, if it has one */
        add(fields, account->sub_appid ? "sub_openid" : "openid", attempt->openid, &rc, err);
    }
    return rc;
}

static wxpay_rc_e add_times(wxpay_fields_t *fields, apr_time_t start, apr_time_t expire,
                            wxpay_error_t *err)
{
    char text[WXPAY_BEIJING_SIZE];
    wxpay_rc_e rc = WXPAY_OK;

    wxpay_clock_beijing(start, text);
    add(fields, "time_start", text, &rc, err);
    wxpay_clock_beijing(expire, text);
    add(fields, "time_expire", text, &rc, err);
    return rc;
}

/* What the gateway requires and what no validation of an order's facts can have promised. */
static wxpay_rc_e check_complete(const wxpay_fields_t *fields, const wxpay_account_t *account,
                                 wxpay_trade_e trade, wxpay_error_t *err)
{
    const char *const required[] = {"notify_url",
                                    "appid",
                                    "mch_id",
                                    "out_trade_no",
                                    "body",
                                    "trade_type",
                                    "spbill_create_ip",
                                    trade != WXPAY_TRADE_JSAPI ? "trade_type"
                                    : account->sub_appid       ? "sub_openid"
                                                               : "openid"};

    for (apr_size_t i = 0; i < sizeof(required) / sizeof(required[0]); i++) {
        if (!wxpay_fields_get(fields, required[i])) {
            return wxpay_error_field(err, STEP, required[i],
                                     "%s is missing: the gateway cannot be asked without it",
                                     required[i]);
        }
    }
    return WXPAY_OK;
}

wxpay_rc_e wxpay_attempt_request(const wxpay_order_t *order, const wxpay_attempt_t *attempt,
                                 const wxpay_account_t *account, apr_time_t expires_at,
                                 apr_pool_t *pool, wxpay_fields_t **fields, wxpay_error_t *err)
{
    wxpay_fields_t *made = wxpay_fields_create(pool);
    wxpay_rc_e rc = add_parties(made, attempt, account, err);

    if (rc == WXPAY_OK) {
        rc = add_facts(made, order, attempt, err);
    }
    if (rc == WXPAY_OK) {
        rc = add_trade(made, order, attempt, account, err);
    }
    if (rc == WXPAY_OK) {
        rc = add_times(made, attempt->created_at, expires_at, err);
    }
    if (rc == WXPAY_OK) {
        rc = check_complete(made, account, attempt->trade_type, err);
    }
    if (rc == WXPAY_OK) {
        *fields = made;
    }
    return rc;
}
