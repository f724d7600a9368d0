/* api_reply.c - what the gateway's reply means, and whether it answers our request. */
#include "api_int.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <apr_lib.h>
#include <apr_strings.h>

#define MAX_PREPAY_ID 128
#define MAX_URL 512

/* Protocol dossier, sections 4.3, 7 and 8: what is not listed is final and wants an admin's eye. */
static const struct {
    const char *name;
    unsigned flags;
    int everyday;
} err_codes[] = {
    {"SYSTEMERROR", WXPAY_ERR_RETRY, 0},
    {"BIZERR_NEED_RETRY", WXPAY_ERR_RETRY, 0},
    {"FREQUENCY_LIMITED", WXPAY_ERR_RETRY, 0},
    {"FREQ_LIMIT", WXPAY_ERR_RETRY, 0},
    {"RULELIMIT", WXPAY_ERR_RETRY, 0},
    {"ORDERPAID", 0, 1},
    {"ORDERCLOSED", 0, 1},
    {"ORDERNOTEXIST", 0, 1},
    {"TRADE_STATE_ERROR", 0, 1},
    {"NOTENOUGH", 0, 1},
};

static const struct {
    const char *name;
    wxpay_trade_state_e state;
} trade_states[] = {
    {"SUCCESS", WXPAY_TRADE_SUCCESS}, {"REFUND", WXPAY_TRADE_REFUND},
    {"NOTPAY", WXPAY_TRADE_NOTPAY},   {"USERPAYING", WXPAY_TRADE_NOTPAY},
    {"ACCEPT", WXPAY_TRADE_NOTPAY},   {"PAYERROR", WXPAY_TRADE_NOTPAY},
    {"CLOSED", WXPAY_TRADE_CLOSED},   {"REVOKED", WXPAY_TRADE_CLOSED},
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* What the checks below pass along. */
typedef struct reading_t {
    const wxpay_account_t *account;
    wxpay_op_e op;
    const wxpay_fields_t *request;
    const wxpay_fields_t *reply;
    wxpay_api_result_t *result;
} reading_t;

void wxpay_api_fail(wxpay_api_result_t *result, wxpay_op_e op, wxpay_rc_e code, unsigned flags,
                    const char *fmt, ...)
{
    char detail[sizeof(result->err.detail)];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(detail, sizeof(detail), fmt, args);
    va_end(args);
    wxpay_error_set(&result->err, code, wxpay_op_name(op), "%s", detail);
    result->err.flags = flags;
}

int wxpay_api_looks_like_xml(const char *body, apr_size_t len)
{
    if (len >= 3 && !memcmp(body, "\xef\xbb\xbf", 3)) {
        body += 3;
        len -= 3;
    }
    for (; len && apr_isspace(*body); body++, len--) {
    }
    return len > 5 && (!strncmp(body, "<xml", 4) || !strncmp(body, "<?xml", 5));
}

int wxpay_api_is_everyday(const char *err_code)
{
    size_t i;

    for (i = 0; i < COUNT(err_codes); i++) {
        if (!strcmp(err_codes[i].name, err_code)) {
            return err_codes[i].everyday;
        }
    }
    return 0;
}

/* Nothing that was said counts. Returns 0, so that checks can be chained. */
static int unbelievable(reading_t *r, wxpay_rc_e code, const char *field, const char *why)
{
    wxpay_error_named(&r->result->err, code, wxpay_op_name(r->op), field, "%s%s%s", why,
                      field[0] ? ": " : "", field);
    r->result->err.flags = WXPAY_ERR_AMBIGUOUS;
    return 0;
}

static const char *text(const wxpay_fields_t *fields, const char *name)
{
    const char *value = wxpay_fields_get(fields, name);

    return value ? value : "";
}

/* The reply repeats what the request said. `always`: it has to, else only if it names it at all. */
static int same(reading_t *r, const char *name, int always)
{
    const char *got = text(r->reply, name);

    if (!*got && !always) {
        return 1;
    }
    if (strcmp(got, text(r->request, name))) {
        return unbelievable(r, WXPAY_EMISMATCH, name, "the reply does not answer this request");
    }
    return 1;
}

static int printable(const char *value, apr_size_t max)
{
    apr_size_t i;

    for (i = 0; value[i]; i++) {
        if (i >= max || value[i] <= ' ' || value[i] > '~') {
            return 0;
        }
    }
    return i > 0;
}

static int all_digits(const char *value)
{
    apr_size_t len = strlen(value);

    return len > 0 && len <= 18 && strspn(value, "0123456789") == len;
}

static int bad(reading_t *r, const char *field)
{
    return unbelievable(r, WXPAY_EPARSE, field, "the reply lacks a usable value");
}

static int ours(reading_t *r)
{
    /* sub_appid is optional in replies of every kind; sub_mch_id is not. */
    if (!same(r, "appid", 1) || !same(r, "mch_id", 1) || !same(r, "sub_mch_id", 1) ||
        !same(r, "sub_appid", 0) || !same(r, "out_trade_no", 0)) {
        return 0;
    }
    return *text(r->reply, "nonce_str") ? 1 : bad(r, "nonce_str");
}

static int no_recut(reading_t *r)
{
    const wxpay_field_t *field;
    int i;

    for (i = 0; i < r->reply->count; i++) {
        field = &r->reply->items[i];
        if (wxpay_fields_recuttable(field->value, field->value_len, NULL)) {
            return unbelievable(r, WXPAY_EPARSE, field->name,
                                "a value of the reply reads like further fields");
        }
    }
    return 1;
}

static wxpay_sign_e request_sign_type(const wxpay_fields_t *request)
{
    const char *name = text(request, "sign_type");

    return *name ? wxpay_sign_by_name(name) : WXPAY_SIGN_MD5;
}

static int authentic(reading_t *r)
{
    wxpay_error_t err;
    wxpay_sign_e used;

    if (wxpay_sign_verify(r->reply, r->account->key, request_sign_type(r->request), &used, &err) !=
        WXPAY_OK) {
        r->result->err = err;
        apr_cpystrn(r->result->err.step, wxpay_op_name(r->op), sizeof(err.step));
        r->result->err.flags = WXPAY_ERR_AMBIGUOUS;
        return 0;
    }
    return 1;
}

static int ordered(reading_t *r)
{
    const char *trade_type = text(r->request, "trade_type");
    const char *code_url = text(r->reply, "code_url"), *mweb_url = text(r->reply, "mweb_url");

    if (!same(r, "trade_type", 1)) {
        return 0;
    }
    r->result->prepay_id = text(r->reply, "prepay_id");
    if (!printable(r->result->prepay_id, MAX_PREPAY_ID)) {
        return bad(r, "prepay_id");
    }
    if (!strcmp(trade_type, "NATIVE")) {
        if (strncasecmp(code_url, "weixin://", 9) || !printable(code_url, MAX_URL)) {
            return bad(r, "code_url");
        }
        r->result->code_url = code_url;
    }
    if (!strcmp(trade_type, "MWEB")) {
        if (strncasecmp(mweb_url, "https://", 8) || !printable(mweb_url, MAX_URL)) {
            return bad(r, "mweb_url");
        }
        r->result->mweb_url = mweb_url;
    }
    return 1;
}

static int queried(reading_t *r)
{
    const char *state = text(r->reply, "trade_state");
    wxpay_trade_state_e known = WXPAY_TRADE_UNKNOWN;
    size_t i;

    if (!same(r, "out_trade_no", 1)) {
        return 0;
    }
    for (i = 0; i < COUNT(trade_states); i++) {
        if (!strcmp(trade_states[i].name, state)) {
            known = trade_states[i].state;
        }
    }
    if (!printable(state, 32)) {
        return bad(r, "trade_state");
    }
    if (known == WXPAY_TRADE_SUCCESS || known == WXPAY_TRADE_REFUND) {
        if (!all_digits(text(r->reply, "total_fee"))) {
            return bad(r, "total_fee");
        }
        if (!printable(text(r->reply, "transaction_id"), 32)) {
            return bad(r, "transaction_id");
        }
    }
    r->result->trade_state = known;
    return 1;
}

/* A signed result_code FAIL. */
static void refused(reading_t *r)
{
    wxpay_error_t *err = &r->result->err;
    const char *err_code = text(r->reply, "err_code"), *des = text(r->reply, "err_code_des");
    size_t i;

    if (!printable(err_code, sizeof(err->err_code) - 1)) {
        bad(r, "err_code");
        return;
    }
    wxpay_api_fail(r->result, r->op, WXPAY_EGATEWAY, 0, "%s", *des ? des : err_code);
    apr_cpystrn(err->err_code, err_code, sizeof(err->err_code));
    for (i = 0; i < COUNT(err_codes); i++) {
        if (!strcmp(err_codes[i].name, err_code)) {
            err->flags = err_codes[i].flags;
        }
    }
    r->result->fields = r->reply;
}

/* The gateway did not take part in it (return_code FAIL): nobody signed this. */
static void not_taken(reading_t *r)
{
    const char *why = text(r->reply, "return_msg");

    if (!*why) {
        why = text(r->reply, "retmsg");
    }
    wxpay_api_fail(r->result, r->op, WXPAY_EGATEWAY, WXPAY_ERR_AMBIGUOUS,
                   "the gateway refuses the request: %s", *why ? why : "it gives no reason");
}

static void understand(reading_t *r)
{
    const char *result_code;
    int believed;

    if (!strcmp(text(r->reply, "return_code"), "FAIL")) {
        not_taken(r);
        return;
    }
    if (strcmp(text(r->reply, "return_code"), "SUCCESS")) {
        bad(r, "return_code");
        return;
    }
    if (!authentic(r) || !no_recut(r) || !ours(r)) {
        return;
    }
    result_code = text(r->reply, "result_code");
    if (!strcmp(result_code, "FAIL")) {
        refused(r);
        return;
    }
    if (strcmp(result_code, "SUCCESS")) {
        bad(r, "result_code");
        return;
    }
    believed = r->op == WXPAY_OP_UNIFIEDORDER ? ordered(r)
               : r->op == WXPAY_OP_ORDERQUERY ? queried(r)
                                              : 1;
    if (believed) {
        r->result->fields = r->reply;
    }
}

void wxpay_api_interpret(wxpay_xml_t *xml, const wxpay_account_t *account, wxpay_op_e op,
                         const wxpay_fields_t *request, const char *body, apr_size_t len,
                         apr_pool_t *pool, wxpay_api_result_t *result)
{
    reading_t r = {.account = account, .op = op, .request = request, .result = result};
    wxpay_fields_t *reply = NULL;

    memset(result, 0, sizeof(*result));
    if (wxpay_xml_read(xml, pool, "xml", body, len, &reply, &result->err) != WXPAY_OK) {
        apr_cpystrn(result->err.step, wxpay_op_name(op), sizeof(result->err.step));
        result->err.flags = WXPAY_ERR_AMBIGUOUS;
        return;
    }
    r.reply = reply;
    understand(&r);
    if (!result->fields) { /* what was read before a check failed is nobody's business */
        result->prepay_id = result->code_url = result->mweb_url = NULL;
        result->trade_state = WXPAY_TRADE_UNKNOWN;
    }
}
