/* api_problem.c - errors of the core as RFC 9457 problems. */
#include "api_call.h"

#include <apr_strings.h>

#include "io.h"

#define SAFE "repeat the same request, it is safe"

int mod_wxpay_api_problem(request_rec *r, int status, const char *code, const char *detail)
{
    mod_wxpay_problem_t problem = {status, code, detail, NULL, NULL, 0};

    return mod_wxpay_send_problem(r, &problem);
}

static int send_error(request_rec *r, int status, const char *code, const char *detail,
                      int retry_after, const wxpay_error_t *err)
{
    mod_wxpay_problem_t problem = {status, code, detail, err->field, err->err_code, retry_after};

    return mod_wxpay_send_problem(r, &problem);
}

int mod_wxpay_api_refused(request_rec *r, const wxpay_error_t *err)
{
    switch (err->code) {
    case WXPAY_EPARSE:
        return send_error(r, HTTP_BAD_REQUEST, "malformed", err->detail, 0, err);
    case WXPAY_EINPUT:
        return send_error(r, HTTP_UNPROCESSABLE_ENTITY, "invalid_member", err->detail, 0, err);
    default:
        return mod_wxpay_api_failed(r, err);
    }
}

int mod_wxpay_api_conflict(request_rec *r, const char *code, const wxpay_error_t *err)
{
    return send_error(r, HTTP_CONFLICT, code, err->detail, 0, err);
}

int mod_wxpay_api_failed(request_rec *r, const wxpay_error_t *err)
{
    const char *again = apr_pstrcat(r->pool, err->detail, "; " SAFE, NULL);

    switch (err->code) {
    case WXPAY_ENOTFOUND:
        return send_error(r, HTTP_NOT_FOUND, "order_not_found", "there is no such order", 0, err);
    case WXPAY_EINPUT:
        return mod_wxpay_api_refused(r, err);
    case WXPAY_EBUSY:
        return send_error(r, HTTP_SERVICE_UNAVAILABLE, "busy", again, 1, err);
    case WXPAY_ESTORE:
        return send_error(r, HTTP_SERVICE_UNAVAILABLE, "store_unavailable", again, 5, err);
    case WXPAY_EGATEWAY:
        if (!(err->flags & WXPAY_ERR_AMBIGUOUS)) {
            return send_error(r, HTTP_BAD_GATEWAY, "gateway_refused", err->detail, 0, err);
        }
        return send_error(r, HTTP_GATEWAY_TIME_OUT, "gateway_unclear", again, 1, err);
    case WXPAY_ENET:
        return send_error(r, HTTP_GATEWAY_TIME_OUT, "gateway_unreachable", again, 1, err);
    case WXPAY_EPARSE:
    case WXPAY_ESIGN:
    case WXPAY_EMISMATCH: /* of a reply: what the gateway did is unknown */
        return send_error(r, HTTP_GATEWAY_TIME_OUT, "gateway_unclear", again, 1, err);
    default:
        return send_error(r, HTTP_INTERNAL_SERVER_ERROR, "internal", err->detail, 0, err);
    }
}
