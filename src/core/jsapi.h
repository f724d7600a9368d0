/* jsapi.h - what WeChat's browser needs to ask its user for the payment: the six parameters of
 * WeixinJSBridge's getBrandWCPayRequest.
 *
 * They pay nothing by themselves: WeChat takes them only from the buyer whose openid the attempt
 * was opened for, and its "ok" proves nothing either. paySign is a signature under the API key that
 * browsers see, so nothing but our own and the gateway's values is ever in it.
 * Source: protocol dossier, sections 2.1 and 5.1. Ownership: strings live in the pool given.
 * Threads: any.
 */
#ifndef WXPAY_JSAPI_H
#define WXPAY_JSAPI_H

#include "json.h"
#include "order.h"

typedef struct wxpay_jsapi_t {
    const char *app_id;     /* the appid whose openid pays: the sub_appid where that was it */
    const char *time_stamp; /* seconds since 1970: a string, as some clients refuse a number */
    const char *nonce_str;
    const char *package; /* "prepay_id=..." */
    const char *sign_type;
    const char *pay_sign;
} wxpay_jsapi_t;

/* Parameters with a nonce of their own, signed the way the attempt was. Errors: WXPAY_EINPUT: not a
 * JSAPI attempt with a prepay_id of plain characters; WXPAY_EINTERNAL. */
wxpay_rc_e wxpay_jsapi_params(const wxpay_account_t *account, const wxpay_attempt_t *attempt,
                              apr_time_t now, apr_pool_t *pool, wxpay_jsapi_t *params,
                              wxpay_error_t *err);

/* Sets pay_sign over the other five; sign_type says how. Errors: WXPAY_EINPUT. */
wxpay_rc_e wxpay_jsapi_sign(wxpay_jsapi_t *params, const wxpay_secret_t *key, apr_pool_t *pool,
                            wxpay_error_t *err);

/* {"appId","timeStamp","nonceStr","package","signType","paySign"}, all strings. */
json_t *wxpay_jsapi_json(apr_pool_t *pool, const wxpay_jsapi_t *params);

#endif
