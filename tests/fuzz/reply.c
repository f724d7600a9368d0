/* reply.c - fuzz target: what a gateway answers. The first byte chooses the call (u, q, c; U, Q, C:
 * the same by HMAC-SHA256), the second whether the rest comes as it is or, with 'S', gets a genuine
 * signature and what every reply repeats. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>

#include "api.h"
#include "sign.h"

#define KEY "0123456789abcdefABCDEF9876543210"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct fuzz_t {
    apr_pool_t *pool;
    wxpay_xml_t *xml;
    wxpay_account_t account;
    wxpay_op_e op;
    wxpay_fields_t *request;
} fuzz_t;

static void make_request(fuzz_t *fuzz, uint8_t which)
{
    wxpay_error_t err;

    fuzz->op = which == 'q' || which == 'Q'   ? WXPAY_OP_ORDERQUERY
               : which == 'c' || which == 'C' ? WXPAY_OP_CLOSEORDER
                                              : WXPAY_OP_UNIFIEDORDER;
    fuzz->account.sign_type = which < 'a' ? WXPAY_SIGN_HMAC_SHA256 : WXPAY_SIGN_MD5;
    if (wxpay_api_number_request(&fuzz->account, NULL, "A1001", fuzz->pool, &fuzz->request, &err) !=
        WXPAY_OK) {
        abort();
    }
    if (fuzz->op == WXPAY_OP_UNIFIEDORDER) {
        wxpay_fields_add_ref(fuzz->request, "trade_type", "NATIVE", &err);
    }
}

/* What was believed is whole. */
static void check_believed(const fuzz_t *fuzz, const wxpay_api_result_t *result)
{
    const char *number = wxpay_fields_get(result->fields, "out_trade_no");

    if (number && *number && strcmp(number, "A1001") != 0) {
        abort();
    }
    if (result->err.code == WXPAY_EGATEWAY) {
        if (!*result->err.err_code || result->prepay_id || result->code_url) {
            abort();
        }
        return;
    }
    if (result->err.code != WXPAY_OK) {
        abort();
    }
    if (fuzz->op == WXPAY_OP_UNIFIEDORDER && (!result->prepay_id || !*result->prepay_id ||
                                              strncasecmp(result->code_url, "weixin:", 7))) {
        abort();
    }
    if (result->trade_state == WXPAY_TRADE_SUCCESS &&
        (fuzz->op != WXPAY_OP_ORDERQUERY || !wxpay_fields_get(result->fields, "total_fee") ||
         !wxpay_fields_get(result->fields, "transaction_id"))) {
        abort();
    }
}

static void interpret(fuzz_t *fuzz, const char *body, apr_size_t len, int is_signed)
{
    wxpay_api_result_t result;

    wxpay_api_interpret(fuzz->xml, &fuzz->account, fuzz->op, fuzz->request, body, len, fuzz->pool,
                        &result);
    if (result.fields) {
        if (!is_signed) {
            abort(); /* nobody else has the key */
        }
        check_believed(fuzz, &result);
    }
    else if (result.err.code == WXPAY_OK || !(result.err.flags & WXPAY_ERR_AMBIGUOUS) ||
             result.prepay_id || result.code_url || result.trade_state != WXPAY_TRADE_UNKNOWN) {
        abort();
    }
}

static void put(wxpay_fields_t *fields, const char *name, const char *value)
{
    if (!wxpay_fields_get(fields, name)) {
        wxpay_fields_add_ref(fields, name, value, NULL);
    }
}

static void interpret_signed(fuzz_t *fuzz, const char *text, apr_size_t len)
{
    wxpay_fields_t *fields, *whole = wxpay_fields_create(fuzz->pool);
    char sign[WXPAY_SIGN_SIZE];
    wxpay_error_t err;
    wxpay_buf_t body;

    if (wxpay_xml_read(fuzz->xml, fuzz->pool, "xml", text, len, &fields, &err) != WXPAY_OK) {
        return;
    }
    for (int i = 0; i < fields->count; i++) {
        if (strcmp(fields->items[i].name, "sign") != 0) {
            wxpay_fields_add_ref(whole, fields->items[i].name, fields->items[i].value, &err);
        }
    }
    put(whole, "return_code", "SUCCESS");
    put(whole, "appid", fuzz->account.appid);
    put(whole, "mch_id", fuzz->account.mch_id);
    put(whole, "nonce_str", "5K8264ILTKCH16CQ2502SI8ZNMTM67VS");
    put(whole, "result_code", "SUCCESS");
    if (wxpay_sign_make(whole, fuzz->account.key, fuzz->account.sign_type, sign, &err) !=
            WXPAY_OK ||
        wxpay_fields_add_ref(whole, "sign", sign, &err) != WXPAY_OK) {
        return;
    }
    wxpay_buf_init(&body, fuzz->pool, WXPAY_XML_MAX);
    if (wxpay_xml_write(whole, &body, &err) == WXPAY_OK) {
        interpret(fuzz, body.data, body.len, 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_t fuzz;

    if (size < 2) {
        return 0;
    }
    memset(&fuzz, 0, sizeof(fuzz));
    apr_initialize();
    apr_pool_create(&fuzz.pool, NULL);
    fuzz.xml = wxpay_xml_create(fuzz.pool);
    fuzz.account.appid = "wx0123456789abcdef";
    fuzz.account.mch_id = "1900000109";
    fuzz.account.key = wxpay_secret_create(fuzz.pool, KEY, strlen(KEY));
    make_request(&fuzz, data[0]);
    if (data[1] == 'S') {
        interpret_signed(&fuzz, (const char *)data + 2, size - 2);
    }
    else {
        interpret(&fuzz, (const char *)data + 2, size - 2, 0);
    }
    apr_pool_destroy(fuzz.pool);
    apr_terminate();
    return 0;
}
