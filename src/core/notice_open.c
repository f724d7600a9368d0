/* notice_open.c - the encrypted part of a refund notification. */
#include "notice_int.h"

#include <string.h>

#include "crypt.h"

/* AES-256-ECB under the lower-case hex text of MD5(key): protocol dossier, section 11. */
static wxpay_rc_e decrypt(const wxpay_secret_t *key, const char *req_info, apr_pool_t *pool,
                          char **text, apr_size_t *len, wxpay_error_t *err)
{
    unsigned char digest[WXPAY_MD5_LEN], *bytes;
    char hex[2 * WXPAY_MD5_LEN + 1];
    apr_size_t bytes_len;
    wxpay_rc_e rc;

    rc = wxpay_crypt_base64_decode(pool, req_info, strlen(req_info), &bytes, &bytes_len, err);
    if (rc != WXPAY_OK) {
        return rc;
    }
    rc = wxpay_crypt_md5(wxpay_secret_bytes(key), wxpay_secret_len(key), digest, err);
    if (rc == WXPAY_OK) {
        wxpay_crypt_hex(digest, sizeof(digest), 0, hex);
        rc = wxpay_crypt_aes256_ecb_decrypt(pool, (const unsigned char *)hex, bytes, bytes_len,
                                            text, len, err);
    }
    wxpay_secret_wipe(digest, sizeof(digest));
    wxpay_secret_wipe(hex, sizeof(hex));
    return rc;
}

wxpay_rc_e wxpay_notice_open(const wxpay_secret_t *key, const char *req_info, wxpay_xml_t *xml,
                             apr_pool_t *pool, wxpay_fields_t **inner, wxpay_error_t *err)
{
    apr_size_t len;
    char *text;
    wxpay_rc_e rc;

    if (!key || wxpay_secret_len(key) == 0) {
        return wxpay_error_set(err, WXPAY_ESIGN, WXPAY_NOTICE_STEP,
                               "there is no key to decrypt with");
    }
    rc = decrypt(key, req_info, pool, &text, &len, err);
    return rc == WXPAY_OK ? wxpay_xml_read(xml, pool, "root", text, len, inner, err) : rc;
}
