/* jsapi.c - the parameters of getBrandWCPayRequest. */
#include "jsapi.h"

#include <string.h>

#include <apr_strings.h>

#include "order_json.h"
#include "token.h"

#define STEP "jsapi parameters"

static const char plain[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_-";

/* The appid that the attempt's openid belongs to, as the request said it: the configuration may
 * have changed since. */
static const char *payer_appid(const wxpay_attempt_t *attempt, apr_pool_t *pool)
{
    wxpay_fields_t *sent;
    wxpay_error_t err;

    wxpay_error_clear(&err);
    if (attempt->params && wxpay_params_parse(pool, attempt->params, &sent, &err) == WXPAY_OK &&
        wxpay_fields_get(sent, "sub_openid") && wxpay_fields_get(sent, "sub_appid")) {
        return wxpay_fields_get(sent, "sub_appid");
    }
    return attempt->appid;
}

wxpay_rc_e wxpay_jsapi_sign(wxpay_jsapi_t *params, const wxpay_secret_t *key, apr_pool_t *pool,
                            wxpay_error_t *err)
{
    const char *const set[][2] = {{"appId", params->app_id},
                                  {"timeStamp", params->time_stamp},
                                  {"nonceStr", params->nonce_str},
                                  {"package", params->package},
                                  {"signType", params->sign_type}};
    wxpay_sign_e type = wxpay_sign_by_name(params->sign_type);
    wxpay_fields_t *fields = wxpay_fields_create(pool);
    char *sign = apr_palloc(pool, WXPAY_SIGN_SIZE);
    wxpay_rc_e rc = WXPAY_OK;

    if (!type) {
        return wxpay_error_set(err, WXPAY_EINPUT, STEP, "unknown signType");
    }
    for (apr_size_t i = 0; i < sizeof(set) / sizeof(set[0]) && rc == WXPAY_OK; i++) {
        rc = wxpay_fields_add_ref(fields, set[i][0], set[i][1], err);
    }
    if (rc == WXPAY_OK) {
        rc = wxpay_sign_make(fields, key, type, sign, err);
    }
    params->pay_sign = sign;
    return rc;
}

wxpay_rc_e wxpay_jsapi_params(const wxpay_account_t *account, const wxpay_attempt_t *attempt,
                              apr_time_t now, apr_pool_t *pool, wxpay_jsapi_t *params,
                              wxpay_error_t *err)
{
    const char *prepay_id = attempt->prepay_id;
    char *nonce = apr_palloc(pool, 33);

    memset(params, 0, sizeof(*params));
    /* '&' or '=' in a set whose signature is public would let it be re-cut */
    if (attempt->trade_type != WXPAY_TRADE_JSAPI || !prepay_id || !*prepay_id ||
        prepay_id[strspn(prepay_id, plain)]) {
        return wxpay_error_set(err, WXPAY_EINPUT, STEP, "no prepay_id that could be signed");
    }
    if (wxpay_token_nonce_str(nonce, err) != WXPAY_OK) {
        return WXPAY_EINTERNAL;
    }
    params->app_id = payer_appid(attempt, pool);
    params->time_stamp = apr_psprintf(pool, "%" APR_INT64_T_FMT, apr_time_sec(now));
    params->nonce_str = nonce;
    params->package = apr_pstrcat(pool, "prepay_id=", prepay_id, NULL);
    params->sign_type = wxpay_sign_name(attempt->sign_type);
    return wxpay_jsapi_sign(params, account->key, pool, err);
}

json_t *wxpay_jsapi_json(apr_pool_t *pool, const wxpay_jsapi_t *params)
{
    json_t *json = wxpay_json_object(pool);

    json_object_set_new(json, "appId", json_string(params->app_id));
    json_object_set_new(json, "timeStamp", json_string(params->time_stamp));
    json_object_set_new(json, "nonceStr", json_string(params->nonce_str));
    json_object_set_new(json, "package", json_string(params->package));
    json_object_set_new(json, "signType", json_string(params->sign_type));
    json_object_set_new(json, "paySign", json_string(params->pay_sign));
    return json;
}
