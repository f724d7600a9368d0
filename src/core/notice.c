/* notice.c - what arrives at the notify endpoint, verified and typed. */
#include "notice_int.h"

#include <string.h>

#include <apr_lib.h>

#include "clock.h"
#include "money.h"
#include "sign.h"

#define STEP WXPAY_NOTICE_STEP
#define NUMBER_MAX 32
#define REFUND_NUMBER_MAX 64

/* The value of a member that has one; absent and empty are the same to the protocol. */
static const char *value_of(const wxpay_fields_t *fields, const char *name)
{
    const char *value = wxpay_fields_get(fields, name);

    return value && *value ? value : NULL;
}

static wxpay_rc_e require_same(const wxpay_fields_t *fields, const char *name, const char *expected,
                               wxpay_error_t *err)
{
    const char *value = value_of(fields, name);

    if (!value && !expected) {
        return WXPAY_OK;
    }
    if (!value || !expected || strcmp(value, expected) != 0) {
        return wxpay_error_named(err, WXPAY_EMISMATCH, STEP, name,
                                 "%s is not the one of this merchant account", name);
    }
    return WXPAY_OK;
}

static wxpay_rc_e require_ours(const wxpay_fields_t *fields, const wxpay_account_t *account,
                               const char *appid, wxpay_error_t *err)
{
    wxpay_rc_e rc = require_same(fields, "appid", wxpay_account_appid(account, appid), err);

    return rc == WXPAY_OK ? require_same(fields, "mch_id", account->mch_id, err) : rc;
}

static wxpay_rc_e require_our_sub(const wxpay_fields_t *fields, const wxpay_account_t *account,
                                  wxpay_error_t *err)
{
    wxpay_rc_e rc = require_same(fields, "sub_mch_id", account->sub_mch_id, err);

    /* the gateway may leave it out of all it says */
    return rc == WXPAY_OK && value_of(fields, "sub_appid")
               ? require_same(fields, "sub_appid", account->sub_appid, err)
               : rc;
}

/* An order, transaction or refund number: visible ASCII of at most max characters. */
static wxpay_rc_e require_number(const wxpay_fields_t *fields, const char *name, apr_size_t max,
                                 const char **number, wxpay_error_t *err)
{
    const char *value = value_of(fields, name), *at;

    if (!value) {
        return wxpay_error_named(err, WXPAY_EPARSE, STEP, name, "%s is missing", name);
    }
    for (at = value; apr_isgraph(*at) && (unsigned char)*at < 0x80; at++) {
    }
    if (*at || (apr_size_t)(at - value) > max) {
        return wxpay_error_named(err, WXPAY_EPARSE, STEP, name, "%s is malformed", name);
    }
    *number = value;
    return WXPAY_OK;
}

static wxpay_rc_e require_fee(const wxpay_fields_t *fields, const char *name, apr_int64_t *fen,
                              wxpay_error_t *err)
{
    const wxpay_field_t *field = wxpay_fields_find(fields, name);

    if (!field || field->value_len == 0) {
        return wxpay_error_named(err, WXPAY_EPARSE, STEP, name, "%s is missing", name);
    }
    if (wxpay_money_parse_fen(field->value, field->value_len, fen, NULL) != WXPAY_OK) {
        return wxpay_error_named(err, WXPAY_EPARSE, STEP, name, "%s is not a whole number of fen",
                                 name);
    }
    return WXPAY_OK;
}

static wxpay_rc_e require_numbers(wxpay_notice_t *notice, wxpay_error_t *err)
{
    const wxpay_fields_t *fields = notice->fields;
    wxpay_rc_e rc;

    rc = require_number(fields, "transaction_id", NUMBER_MAX, &notice->transaction_id, err);
    if (rc == WXPAY_OK) {
        rc = require_number(fields, "out_trade_no", NUMBER_MAX, &notice->gateway_no, err);
    }
    if (rc == WXPAY_OK) {
        rc = require_fee(fields, "total_fee", &notice->total_fee, err);
    }
    return rc;
}

static wxpay_rc_e read_time_end(wxpay_notice_t *notice, int required, wxpay_error_t *err)
{
    const char *text = value_of(notice->fields, "time_end");

    if (!text && !required) {
        return WXPAY_OK;
    }
    if (!text ||
        wxpay_clock_parse_beijing(text, strlen(text), &notice->time_end, NULL) != WXPAY_OK) {
        return wxpay_error_named(err, WXPAY_EPARSE, STEP, "time_end",
                                 "time_end is missing or no time");
    }
    return WXPAY_OK;
}

/* A signature over such a value fits other facts as well: protocol dossier, section 2.1. */
static wxpay_rc_e refuse_recuttable(const wxpay_fields_t *fields, wxpay_error_t *err)
{
    const wxpay_field_t *field;
    const char *other;
    int i;

    for (i = 0; i < fields->count; i++) {
        field = &fields->items[i];
        if (wxpay_fields_recuttable(field->value, field->value_len, &other)) {
            return wxpay_error_named(err, WXPAY_ESIGN, STEP, field->name,
                                     "%s holds \"&%s=\", so that the signature proves nothing",
                                     field->name, other);
        }
    }
    return WXPAY_OK;
}

static void read_optional(wxpay_notice_t *notice)
{
    const wxpay_fields_t *fields = notice->fields;

    notice->appid = value_of(fields, "appid");
    notice->sub_mch_id = value_of(fields, "sub_mch_id");
    notice->sub_appid = value_of(fields, "sub_appid");
    notice->fee_type = value_of(fields, "fee_type");
    if (!notice->fee_type) {
        notice->fee_type = "CNY";
    }
    notice->trade_type = value_of(fields, "trade_type");
    notice->openid = value_of(fields, "openid");
    if (!notice->openid) {
        notice->openid = value_of(fields, "sub_openid");
    }
    notice->attach = value_of(fields, "attach");
}

/* Of a message that reports no payment nothing but its subject is taken over. */
static void read_notpaid(wxpay_notice_t *notice)
{
    notice->kind = WXPAY_NOTICE_NOTPAID;
    notice->gateway_no = value_of(notice->fields, "out_trade_no");
    notice->transaction_id = value_of(notice->fields, "transaction_id");
    notice->err_code = value_of(notice->fields, "err_code");
    read_optional(notice);
}

static wxpay_rc_e read_outcome(const wxpay_fields_t *fields, const char *name, int *success,
                               wxpay_error_t *err)
{
    const char *value = value_of(fields, name);

    if (!value || (strcmp(value, "SUCCESS") != 0 && strcmp(value, "FAIL") != 0)) {
        return wxpay_error_named(err, WXPAY_EPARSE, STEP, name, "%s is neither SUCCESS nor FAIL",
                                 name);
    }
    if (strcmp(value, "FAIL") == 0) {
        *success = 0;
    }
    return WXPAY_OK;
}

/* Which type it had to be stands with its order, which only the flow knows: WxPaySignType may have
 * changed since the order was opened. */
static wxpay_rc_e verify(wxpay_notice_t *notice, const wxpay_account_t *account, wxpay_error_t *err)
{
    const unsigned any = WXPAY_SIGN_MD5 | WXPAY_SIGN_HMAC_SHA256;
    wxpay_rc_e rc = wxpay_sign_verify(notice->fields, account->key, any, &notice->sign_type, err);

    if (rc == WXPAY_ESIGN && account->previous_key &&
        wxpay_sign_verify(notice->fields, account->previous_key, any, &notice->sign_type, NULL) ==
            WXPAY_OK) {
        notice->previous_key = 1;
        wxpay_error_clear(err);
        rc = WXPAY_OK;
    }
    return rc;
}

static wxpay_rc_e read_payment(wxpay_notice_t *notice, const wxpay_account_t *account,
                               wxpay_error_t *err)
{
    const wxpay_fields_t *fields = notice->fields;
    int success = 1;
    wxpay_rc_e rc = verify(notice, account, err);

    if (rc == WXPAY_OK) {
        rc = read_outcome(fields, "return_code", &success, err);
    }
    if (rc == WXPAY_OK) {
        rc = read_outcome(fields, "result_code", &success, err);
    }
    if (rc == WXPAY_OK) {
        /* a payment's stands with its order, as the type of its signature does */
        rc = require_ours(fields, account, success ? value_of(fields, "appid") : NULL, err);
    }
    if (rc == WXPAY_OK && !success) {
        rc = require_our_sub(fields, account, err);
    }
    if (rc == WXPAY_OK && success) {
        rc = require_numbers(notice, err);
    }
    if (rc == WXPAY_OK && success) {
        rc = read_time_end(notice, 1, err);
    }
    if (rc == WXPAY_OK) {
        rc = refuse_recuttable(fields, err);
    }
    if (rc == WXPAY_OK && success) {
        notice->kind = WXPAY_NOTICE_PAYMENT;
        read_optional(notice);
    }
    else if (rc == WXPAY_OK) {
        read_notpaid(notice);
    }
    return rc;
}

static wxpay_rc_e read_refund_members(wxpay_notice_t *notice, wxpay_error_t *err)
{
    const wxpay_fields_t *fields = notice->fields;
    wxpay_rc_e rc = require_numbers(notice, err);

    if (rc == WXPAY_OK) {
        rc =
            require_number(fields, "out_refund_no", REFUND_NUMBER_MAX, &notice->out_refund_no, err);
    }
    if (rc == WXPAY_OK) {
        rc = require_number(fields, "refund_id", NUMBER_MAX, &notice->refund_id, err);
    }
    if (rc == WXPAY_OK) {
        rc = require_number(fields, "refund_status", NUMBER_MAX, &notice->refund_status, err);
    }
    if (rc == WXPAY_OK) {
        rc = require_fee(fields, "refund_fee", &notice->refund_fee, err);
    }
    return rc;
}

static wxpay_rc_e read_refund(wxpay_notice_t *notice, const char *req_info, wxpay_xml_t *xml,
                              const wxpay_account_t *account, apr_pool_t *pool, wxpay_error_t *err)
{
    const wxpay_fields_t *outer = notice->fields;
    wxpay_fields_t *inner;
    int success = 1;
    wxpay_rc_e rc = wxpay_notice_open(account->key, req_info, xml, pool, &inner, err);

    if (rc != WXPAY_OK && account->previous_key &&
        wxpay_notice_open(account->previous_key, req_info, xml, pool, &inner, NULL) == WXPAY_OK) {
        notice->previous_key = 1;
        wxpay_error_clear(err);
        rc = WXPAY_OK;
    }
    if (rc == WXPAY_OK) {
        rc = read_outcome(outer, "return_code", &success, err);
    }
    if (rc == WXPAY_OK && !success) {
        rc = wxpay_error_named(err, WXPAY_EPARSE, STEP, "return_code",
                               "return_code is FAIL in a refund notification");
    }
    if (rc == WXPAY_OK) {
        rc = require_ours(outer, account, NULL, err);
    }
    if (rc == WXPAY_OK) {
        rc = require_our_sub(outer, account, err);
    }
    if (rc == WXPAY_OK) {
        notice->kind = WXPAY_NOTICE_REFUND;
        notice->fields = inner;
        notice->fee_type = "CNY";
        rc = read_refund_members(notice, err);
    }
    return rc;
}

wxpay_rc_e wxpay_notice_read(wxpay_xml_t *xml, const wxpay_account_t *account, const char *body,
                             apr_size_t len, apr_pool_t *pool, wxpay_notice_t **notice,
                             wxpay_error_t *err)
{
    wxpay_notice_t *read = apr_pcalloc(pool, sizeof(*read));
    wxpay_fields_t *fields;
    const char *req_info;
    wxpay_rc_e rc;

    rc = wxpay_xml_read(xml, pool, "xml", body, len, &fields, err);
    if (rc != WXPAY_OK) {
        return rc;
    }
    read->fields = fields;
    read->raw = body;
    read->raw_len = len;
    read->mch_id = account->mch_id;
    req_info = value_of(fields, "req_info");
    if (req_info) {
        rc = read_refund(read, req_info, xml, account, pool, err);
    }
    else {
        rc = read_payment(read, account, err);
    }
    if (rc == WXPAY_OK) {
        *notice = read;
    }
    return rc;
}

wxpay_rc_e wxpay_notice_from_query(const wxpay_fields_t *reply, const wxpay_account_t *account,
                                   const char *appid, apr_pool_t *pool, wxpay_notice_t **notice,
                                   wxpay_error_t *err)
{
    wxpay_notice_t *read = apr_pcalloc(pool, sizeof(*read));
    const char *state = value_of(reply, "trade_state");
    const char *sign = value_of(reply, "sign");
    wxpay_rc_e rc;

    if (!state || (strcmp(state, "SUCCESS") != 0 && strcmp(state, "REFUND") != 0)) {
        return wxpay_error_named(err, WXPAY_EMISMATCH, STEP, "trade_state",
                                 "trade_state does not say that the order was paid");
    }
    read->kind = WXPAY_NOTICE_PAYMENT;
    read->sign_type = sign && strlen(sign) == 64 ? WXPAY_SIGN_HMAC_SHA256 : WXPAY_SIGN_MD5;
    read->fields = reply;
    read->mch_id = account->mch_id;
    rc = require_ours(reply, account, appid, err);
    if (rc == WXPAY_OK) {
        rc = require_our_sub(reply, account, err);
    }
    if (rc == WXPAY_OK) {
        rc = require_numbers(read, err);
    }
    if (rc == WXPAY_OK) {
        rc = read_time_end(read, 0, err);
    }
    if (rc == WXPAY_OK) {
        rc = refuse_recuttable(reply, err);
    }
    if (rc == WXPAY_OK) {
        read_optional(read);
        *notice = read;
    }
    return rc;
}

const char *wxpay_notice_answer(int success)
{
    return success ? "<xml><return_code><![CDATA[SUCCESS]]></return_code>"
                     "<return_msg><![CDATA[OK]]></return_msg></xml>"
                   : "<xml><return_code><![CDATA[FAIL]]></return_code>"
                     "<return_msg><![CDATA[FAIL]]></return_msg></xml>";
}
