/* api.h - one exchange with the v2 gateway: sign, send, fail over, parse, verify, bind the reply
 * to the request, typed result.
 *
 * Source: protocol dossier, sections 1, 2, 4, 7, 8.
 */
#ifndef WXPAY_API_H
#define WXPAY_API_H

#include <stdatomic.h>
#include <apr_pools.h>
#include <apr_time.h>
#include "account.h"
#include "error.h"
#include "fields.h"
#include "log.h"
#include "transport.h"
#include "xml.h"

typedef enum wxpay_op_e {
    WXPAY_OP_UNIFIEDORDER,
    WXPAY_OP_ORDERQUERY,
    WXPAY_OP_CLOSEORDER
} wxpay_op_e;
#define WXPAY_OPS 3

typedef enum wxpay_trade_state_e {
    WXPAY_TRADE_UNKNOWN = 0, /* anything we do not know: unpaid, ask again */
    WXPAY_TRADE_SUCCESS,
    WXPAY_TRADE_REFUND, /* it was paid */
    WXPAY_TRADE_NOTPAY, /* also USERPAYING, ACCEPT, PAYERROR */
    WXPAY_TRADE_CLOSED  /* also REVOKED */
} wxpay_trade_state_e;

/* A call never waits longer for its turn in the transport, over all hosts. */
#define WXPAY_API_QUEUE_WAIT apr_time_from_sec(5)

/* What the calls of a process learn from each other. Zeroed at first; lock-free. */
typedef struct wxpay_api_memory_t {
    _Atomic apr_time_t avoid_until; /* the first host could not be reached: begin with the backup */
    atomic_int skew_warned;
} wxpay_api_memory_t;

/* Somebody who counts calls. Told of the beginning of each, and of its end (but not of calls that a
 * stop of the transport cuts off): on the thread that runs them, in between nobody else's. */
typedef struct wxpay_api_watch_t {
    void (*began)(void *baton);
    void (*ended)(void *baton, wxpay_op_e op, const wxpay_error_t *err);
    void *baton;
} wxpay_api_watch_t;

typedef struct wxpay_api_t {
    const wxpay_transport_t *transport;
    wxpay_xml_t *xml;
    const wxpay_log_t *log;
    wxpay_api_memory_t *memory;     /* NULL: every call stands alone */
    const wxpay_api_watch_t *watch; /* NULL: nobody */
} wxpay_api_t;

typedef struct wxpay_api_result_t {
    /* WXPAY_OK: signed, ours, result_code SUCCESS.
     * WXPAY_EGATEWAY: err.err_code names the refusal: signed result_code FAIL, or the unsigned
     *   return_code FAIL (then AMBIGUOUS is set and err_code is "": it proves nothing). RETRY for
     *   SYSTEMERROR and rate limits.
     * WXPAY_ENET / WXPAY_EPARSE / WXPAY_ESIGN / WXPAY_EMISMATCH: no believable reply; AMBIGUOUS
     *   unless nothing was sent to any host.
     * WXPAY_EBUSY: no turn within WXPAY_API_QUEUE_WAIT; nothing was sent, RETRY. */
    wxpay_error_t err;
    const wxpay_fields_t *fields; /* verified reply; NULL unless OK or a signed refusal */
    const char *prepay_id;        /* unifiedorder */
    const char *code_url;         /* unifiedorder NATIVE */
    const char *mweb_url;
    wxpay_trade_state_e trade_state; /* orderquery */
    apr_interval_time_t clock_skew;  /* gateway's Date minus ours; 0 if unknown */
} wxpay_api_result_t;

/* Called once, on the transport's thread; result lives in the call's pool. */
typedef void wxpay_api_done_fn(void *baton, const wxpay_api_result_t *result);

/* Start an exchange. params: the complete request but nonce_str and sign; both are added here (the
 * type of the signature is that of its sign_type, MD5 without one). The same bytes go to the backup
 * host when the first gives no HTTP 200 in time: all v2 calls we make are idempotent per number
 * (dossier 1.1). pool: the call's own pool, used from the transport's thread until done returns;
 * nobody else may allocate from it meanwhile. account and params must outlive the call.
 * Errors (done is not called): WXPAY_EBUSY, WXPAY_EINPUT, WXPAY_EINTERNAL. */
wxpay_rc_e wxpay_api_call(const wxpay_api_t *api, const wxpay_account_t *account, wxpay_op_e op,
                          const wxpay_fields_t *params, apr_pool_t *pool, wxpay_api_done_fn *done,
                          void *baton, wxpay_error_t *err);

/* Requests of orderquery and closeorder for a gateway number. appid: the one its attempt was made
 * with; NULL or empty: the account's. */
wxpay_rc_e wxpay_api_number_request(const wxpay_account_t *account, const char *appid,
                                    const char *gateway_no, apr_pool_t *pool,
                                    wxpay_fields_t **fields, wxpay_error_t *err);

/* Pure: interpret the body of a reply to `request`. Used by the above and by tests and fuzzers. */
void wxpay_api_interpret(wxpay_xml_t *xml, const wxpay_account_t *account, wxpay_op_e op,
                         const wxpay_fields_t *request, const char *body, apr_size_t len,
                         apr_pool_t *pool, wxpay_api_result_t *result);

/* 1 if a signed refusal with this err_code is part of everyday business, nothing for an admin. */
int wxpay_api_is_everyday(const char *err_code);

const char *wxpay_op_name(wxpay_op_e op); /* "unifiedorder", ... */

#endif
