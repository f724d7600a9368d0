/* notice.h - what arrives at the notify endpoint, verified and typed; protocol-neutral towards
 * flow, so that API v3 can arrive at the same path later.
 *
 * Source: protocol dossier, sections 6 and 11 (order of verification), design 3.5.
 * Threads: pure function; xml is shared.
 */
#ifndef WXPAY_NOTICE_H
#define WXPAY_NOTICE_H

#include <apr_pools.h>
#include <apr_time.h>
#include "account.h"
#include "error.h"
#include "fields.h"
#include "xml.h"

typedef enum wxpay_notice_e {
    WXPAY_NOTICE_PAYMENT,
    WXPAY_NOTICE_NOTPAID, /* authentic, but return_code or result_code is not SUCCESS */
    WXPAY_NOTICE_REFUND   /* req_info decrypted with our key; proves little: ask refundquery */
} wxpay_notice_e;

typedef struct wxpay_notice_t {
    wxpay_notice_e kind;
    wxpay_sign_e sign_type; /* 0 for refunds */
    int previous_key;       /* only account->previous_key verifies (or decrypts) it: whether that
                               still counts, and that it alone proves nothing, is flow's to see to */
    const char *appid;      /* as the message names it; NULL for refunds. A payment's may be the one
                               of before, which is flow's to see to */
    const char *mch_id;
    const char *sub_mch_id; /* as the message names them; NULL when absent or empty */
    const char *sub_appid;
    const char *gateway_no; /* the wire's out_trade_no; may be NULL for NOTPAID */
    const char *transaction_id;
    apr_int64_t total_fee; /* fen */
    const char *fee_type;  /* never NULL: absent means "CNY" */
    const char *trade_type;
    const char *openid;   /* sub_openid where openid is absent */
    const char *attach;   /* NULL when absent or empty */
    apr_time_t time_end;  /* 0 when absent (NOTPAID) */
    const char *err_code; /* NOTPAID */
    /* refunds */
    const char *out_refund_no;
    const char *refund_id;
    const char *refund_status;
    apr_int64_t refund_fee;
    const wxpay_fields_t *fields; /* everything received, or the decrypted refund */
    const char *raw;              /* the body as received, for the journal */
    apr_size_t raw_len;
} wxpay_notice_t;

/* Read one body. Order: size, NUL, UTF-8, XML, then for `req_info` decryption, else signature, then
 * return_code/result_code present and spelt SUCCESS/FAIL, then appid and mch_id against the
 * account, then required members and digits, then values that could be re-cut. The key is the
 * account's, and where that does not fit, its previous one. Left to flow, which knows the order:
 * both signature types verify here, but MD5 is refused where the order was opened with HMAC-SHA256,
 * and for unknown orders what wxpay_account_sign_allowed() leaves out; a payment's appid (it must
 * have one), sub_mch_id and sub_appid are only taken over; the previous key's time. Messages
 * without a payment must name the account's own appid and sub-merchant (absent = not configured; a
 * sub_appid may be left out). Strings live in pool; raw points at body (not copied). A refund's
 * outer document is unsigned: of it only return_code, appid, mch_id and sub_* are compared, and
 * none of it is kept. Errors: WXPAY_EPARSE, WXPAY_ESIGN, WXPAY_EMISMATCH (all of them mean:
 * refused). */
wxpay_rc_e wxpay_notice_read(wxpay_xml_t *xml, const wxpay_account_t *account, const char *body,
                             apr_size_t len, apr_pool_t *pool, wxpay_notice_t **notice,
                             wxpay_error_t *err);

/* A payment as an orderquery reply tells it (trade_state SUCCESS or REFUND), bound to the request
 * already; same checks on members as above, but time_end may be absent. appid: the one that was
 * asked with, which the reply must name; NULL or empty: the account's. raw is NULL. The notice
 * refers to reply, which must live as long.
 * Errors: WXPAY_EMISMATCH, WXPAY_EPARSE, WXPAY_ESIGN (a value that could be re-cut). */
wxpay_rc_e wxpay_notice_from_query(const wxpay_fields_t *reply, const wxpay_account_t *account,
                                   const char *appid, apr_pool_t *pool, wxpay_notice_t **notice,
                                   wxpay_error_t *err);

/* The answer to the gateway in the compact CDATA form it understands (static text). */
const char *wxpay_notice_answer(int success);

#endif
