/* notice.c - fuzz target: notifications. The first byte chooses how far the rest gets: as it is,
 * with a genuine signature put on it, or as the decrypted text of a refund notification. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include <openssl/evp.h>

#include "crypt.h"
#include "notice.h"

#define KEY "0123456789abcdefABCDEF9876543210"
#define MAX_PLAIN 32768

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct fuzz_t {
    apr_pool_t *pool;
    wxpay_xml_t *xml;
    wxpay_account_t account;
} fuzz_t;

static void read_body(fuzz_t *fuzz, const char *body, apr_size_t len)
{
    wxpay_notice_t *notice = NULL;
    wxpay_error_t err;
    wxpay_rc_e rc =
        wxpay_notice_read(fuzz->xml, &fuzz->account, body, len, fuzz->pool, &notice, &err);

    if (rc != WXPAY_OK) {
        if (notice || (rc != WXPAY_EPARSE && rc != WXPAY_ESIGN && rc != WXPAY_EMISMATCH)) {
            abort();
        }
        return;
    }
    if (notice->kind != WXPAY_NOTICE_NOTPAID &&
        (!notice->gateway_no || !notice->transaction_id || notice->total_fee < 0 ||
         notice->total_fee > 10000000000 || !notice->fee_type)) {
        abort();
    }
}

static void read_signed(fuzz_t *fuzz, const char *text, apr_size_t len)
{
    wxpay_fields_t *fields, *unsigned_fields = wxpay_fields_create(fuzz->pool);
    char sign[WXPAY_SIGN_SIZE];
    wxpay_error_t err;
    wxpay_buf_t body;
    int i;

    if (wxpay_xml_read(fuzz->xml, fuzz->pool, "xml", text, len, &fields, &err) != WXPAY_OK) {
        return;
    }
    for (i = 0; i < fields->count; i++) {
        if (strcmp(fields->items[i].name, "sign") != 0) {
            wxpay_fields_add_ref(unsigned_fields, fields->items[i].name, fields->items[i].value,
                                 &err);
        }
    }
    if (wxpay_sign_make(unsigned_fields, fuzz->account.key, WXPAY_SIGN_MD5, sign, &err) !=
        WXPAY_OK) {
        abort();
    }
    wxpay_fields_add_ref(unsigned_fields, "sign", sign, &err);
    wxpay_buf_init(&body, fuzz->pool, WXPAY_XML_MAX);
    if (wxpay_xml_write(unsigned_fields, &body, &err) == WXPAY_OK) {
        read_body(fuzz, body.data, body.len);
    }
}

static void read_refund(fuzz_t *fuzz, const uint8_t *plain, int len)
{
    unsigned char digest[WXPAY_MD5_LEN], *out = apr_palloc(fuzz->pool, (apr_size_t)len + 32);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    char hex[2 * WXPAY_MD5_LEN + 1], *text;
    const char *body;
    int done, rest;

    wxpay_crypt_md5(KEY, strlen(KEY), digest, NULL);
    wxpay_crypt_hex(digest, sizeof(digest), 0, hex);
    EVP_EncryptInit_ex2(ctx, EVP_aes_256_ecb(), (unsigned char *)hex, NULL, NULL);
    EVP_EncryptUpdate(ctx, out, &done, plain, len);
    EVP_EncryptFinal_ex(ctx, out + done, &rest);
    EVP_CIPHER_CTX_free(ctx);
    text = apr_palloc(fuzz->pool, (apr_size_t)len * 2 + 64);
    EVP_EncodeBlock((unsigned char *)text, out, done + rest);
    body = apr_pstrcat(fuzz->pool,
                       "<xml><return_code>SUCCESS</return_code><appid>wx0123456789abcdef</appid>"
                       "<mch_id>1900000109</mch_id><req_info>",
                       text, "</req_info></xml>", NULL);
    read_body(fuzz, body, strlen(body));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_t fuzz;

    memset(&fuzz, 0, sizeof(fuzz));
    apr_initialize();
    apr_pool_create(&fuzz.pool, NULL);
    fuzz.xml = wxpay_xml_create(fuzz.pool);
    fuzz.account.appid = "wx0123456789abcdef";
    fuzz.account.mch_id = "1900000109";
    fuzz.account.key = wxpay_secret_create(fuzz.pool, KEY, strlen(KEY));
    fuzz.account.sign_type = WXPAY_SIGN_MD5;
    if (size > 0 && data[0] == 'S') {
        read_signed(&fuzz, (const char *)data + 1, size - 1);
    }
    else if (size > 0 && data[0] == 'R' && size <= MAX_PLAIN) {
        read_refund(&fuzz, data + 1, (int)size - 1);
    }
    else {
        read_body(&fuzz, (const char *)data, size);
    }
    apr_pool_destroy(fuzz.pool);
    apr_terminate();
    return 0;
}
