/* order.h - orders and attempts: what a site asked for, and what we asked the gateway for.
 * Typed records and pure functions; nothing here talks to store or gateway.
 *
 * Source: design sections 2.1, 2.2, 3.3; protocol dossier, sections 3 and 4.
 * Ownership: strings belong to the pool of whoever filled the record. NULL means absent.
 */
#ifndef WXPAY_ORDER_H
#define WXPAY_ORDER_H

#include <apr_pools.h>
#include <apr_time.h>
#include "account.h"
#include "error.h"
#include "fields.h"

typedef enum wxpay_order_state_e {
    WXPAY_ORDER_NEW,
    WXPAY_ORDER_PENDING, /* some attempt is SENT, OPEN or CLOSING */
    WXPAY_ORDER_PAID,
    WXPAY_ORDER_CLOSED,
    WXPAY_ORDER_EXPIRED /* no attempt ever left RESERVED */
} wxpay_order_state_e;

typedef enum wxpay_attempt_state_e {
    WXPAY_ATTEMPT_RESERVED,
    WXPAY_ATTEMPT_SENT, /* committed before the bytes leave: the gateway may know it */
    WXPAY_ATTEMPT_OPEN,
    WXPAY_ATTEMPT_CLOSING,
    WXPAY_ATTEMPT_CLOSED,
    WXPAY_ATTEMPT_FAILED, /* a signed, definite refusal */
    WXPAY_ATTEMPT_PAID
} wxpay_attempt_state_e;

typedef enum wxpay_trade_e {
    WXPAY_TRADE_NONE = 0, /* not asked for: the page decides */
    WXPAY_TRADE_NATIVE,
    WXPAY_TRADE_JSAPI,
    WXPAY_TRADE_MWEB,
    WXPAY_TRADE_APP
} wxpay_trade_e;

typedef struct wxpay_order_t {
    /* who it belongs to */
    const char *mch_id;
    const char *sub_mch_id;
    const char *site;
    /* the facts, as the site gave them; fixed for ever */
    const char *out_trade_no;
    apr_int64_t total_fee; /* fen */
    const char *fee_type;  /* "CNY" */
    const char *body;
    const char *attach;
    const char *detail;
    const char *product_id;
    const char *goods_tag;
    const char *limit_pay;
    const char *scene_info;
    const char *profit_sharing;
    const char *receipt;
    const char *device_info; /* NULL: "WEB" is sent */
    const char *version;     /* "1.0": detail is about single-item promotions */
    const char *user_type;   /* who alone may pay, with the next two */
    const char *user_creid;
    const char *user_truename;
    const char *fingerprint;
    const char *openid;
    const char *spbill_create_ip;
    const char *return_url;
    const char *time_expire; /* as given; NULL: from order_ttl */
    wxpay_trade_e trade_type;
    /* ours */
    const char *pay_id; /* 128 random bits, base64url: the page's unguessable name */
    wxpay_order_state_e state;
    apr_int64_t rev; /* rises with every change a page may want to show */
    apr_time_t created_at;
    apr_time_t expires_at;
    int close_wanted;   /* the site asked to close it: no new attempts */
    int late;           /* paid after it was closed */
    int quarantined;    /* authentic money that does not match: a person must look */
    int overpaid;       /* more than one payment */
    int attach_differs; /* the notification's attach was not ours (informational) */
    /* the payment */
    const char *transaction_id;
    const char *payer_openid;
    const char *paid_gateway_no;
    apr_time_t paid_at; /* time_end of the payment; 0 if unpaid */
    apr_int64_t refunded_fee;
    /* upkeep */
    apr_time_t sweep_at; /* its time is over then, and reconciling sees to it; 0: it has */
    int erased;          /* its personal facts are gone (retention.h) */
} wxpay_order_t;

/* The next gateway call an attempt needs. */
typedef enum wxpay_todo_e {
    WXPAY_TODO_NONE,
    WXPAY_TODO_SEND,
    WXPAY_TODO_QUERY,
    WXPAY_TODO_CLOSE
} wxpay_todo_e;

typedef struct wxpay_attempt_t {
    const char *mch_id;
    const char *gateway_no; /* the number at the gateway; unique per mch_id */
    const char *out_trade_no;
    int n; /* 1, 2, ... */
    wxpay_trade_e trade_type;
    const char *appid;
    const char *openid;     /* JSAPI */
    const char *client_ip;  /* spbill_create_ip sent */
    wxpay_sign_e sign_type; /* what its notification must use */
    wxpay_attempt_state_e state;
    const char *params; /* JSON: the complete request but nonce_str and sign, for exact repeats */
    const char *prepay_id;
    const char *code_url;
    const char *mweb_url;
    apr_time_t url_at; /* when prepay_id/code_url were obtained */
    apr_time_t created_at;
    apr_time_t sent_at;  /* 0: never, for certain */
    apr_time_t close_at; /* closeorder was refused as too early: not before this; 0: may be tried */
    wxpay_todo_e todo;
    apr_time_t next_at; /* todo not before this */
    int tries;          /* of todo */
    const char *lease_owner;
    apr_time_t lease_until;
    const char *transaction_id;
    const char *err_code; /* of the last refusal or failure */
    const char *err_detail;
    apr_time_t closed_at; /* found or made CLOSED at the gateway; 0: not, or never sent */
    apr_time_t ask_at;    /* reconciling queries it then; 0: never again */
    apr_time_t asked_at;  /* the last query left, whoever wanted it */
} wxpay_attempt_t;

const char *wxpay_order_state_name(wxpay_order_state_e state);
wxpay_rc_e wxpay_order_state_by_name(const char *name, wxpay_order_state_e *state);
const char *wxpay_attempt_state_name(wxpay_attempt_state_e state);
wxpay_rc_e wxpay_attempt_state_by_name(const char *name, wxpay_attempt_state_e *state);
/* "NATIVE", ...; "" for NONE. by_name: WXPAY_TRADE_NONE for NULL, "" and unknown names. */
const char *wxpay_trade_name(wxpay_trade_e trade);
wxpay_trade_e wxpay_trade_by_name(const char *name);

/* The table of legal transitions (design 2.1). 1 if from -> to is legal. */
int wxpay_order_may_become(wxpay_order_state_e from, wxpay_order_state_e to);
int wxpay_attempt_may_become(wxpay_attempt_state_e from, wxpay_attempt_state_e to);

/* Site facts (names as in design 3.3, POST /orders) -> order. Every limit of the dossier's
 * unifiedorder chapter is checked, in bytes, before anything is stored or sent: unknown names,
 * missing ones, lengths, digits, characters, 4-byte UTF-8, control characters, re-cuttable values,
 * numbers ending in '*<digits>', JSAPI without openid, spbill_create_ip missing with JSAPI, APP and
 * MWEB, time_expire not at least 6 minutes and at most 7 days ahead of now. return_url is only
 * checked for form here (http(s) or an absolute path not starting with "//" or "/\", no control
 * characters, <= 512 bytes); which hosts it may name is the glue's question.
 * trade_type APP and MWEB are refused as "not available yet" by field trade_type.
 * expires_at is set (order_ttl or time_expire); state NEW; pay_id is left NULL.
 * Errors: WXPAY_EINPUT with err->field. */
wxpay_rc_e wxpay_order_from_fields(const wxpay_fields_t *fields, const wxpay_account_t *account,
                                   apr_time_t now, apr_pool_t *pool, wxpay_order_t **order,
                                   wxpay_error_t *err);

/* A number a site may use: 1-32 of [0-9A-Za-z_|*-], not ending in '*<digits>', not "w*..." + 26
 * characters (our own form). Errors: WXPAY_EINPUT, field out_trade_no. */
wxpay_rc_e wxpay_order_check_number(const char *number, apr_size_t len, wxpay_error_t *err);

/* time_expire as a site may write it: Beijing yyyyMMddHHmmss like the wire, or RFC 3339.
 * Errors: WXPAY_EINPUT. */
wxpay_rc_e wxpay_order_parse_expiry(const char *text, apr_time_t *t, wxpay_error_t *err);

/* 1 if both say the same facts; else 0 and *field names the first that differs (static text).
 * trade_type and spbill_create_ip count only if both give them; a product_id equal to out_trade_no
 * equals an absent one. Where either is erased, what erasing takes (openid, attach, detail,
 * scene_info) cannot be compared and says nothing: the same order sent once more, years later, is
 * still the same. */
int wxpay_order_same_facts(const wxpay_order_t *a, const wxpay_order_t *b, const char **field);

/* The number of attempt n at the gateway: the order's own for n == 1; "<no>*n", or where that
 * exceeds 32 characters "w*" and 26 random [a-z0-9]. Errors: WXPAY_EINTERNAL (no randomness). */
wxpay_rc_e wxpay_attempt_number(const wxpay_order_t *order, int n, apr_pool_t *pool,
                                const char **number, wxpay_error_t *err);

/* The complete unifiedorder request of an attempt, without nonce_str and sign (the API adds both):
 * appid, mch_id, sub_*, device_info=WEB, sign_type (only when HMAC-SHA256), body, detail, attach,
 * out_trade_no = attempt->gateway_no, fee_type, total_fee, spbill_create_ip, time_start =
 * created_at, time_expire, goods_tag, notify_url, trade_type, product_id (NATIVE: out_trade_no by
 * default), limit_pay, openid, receipt, profit_sharing, scene_info. In service-provider mode with a
 * sub_appid the openid travels as sub_openid. expires_at: time_expire on the wire. */
wxpay_rc_e wxpay_attempt_request(const wxpay_order_t *order, const wxpay_attempt_t *attempt,
                                 const wxpay_account_t *account, apr_time_t expires_at,
                                 apr_pool_t *pool, wxpay_fields_t **fields, wxpay_error_t *err);

#endif
