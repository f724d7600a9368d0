/* sign.c - the v2 signature over a bag of fields. */
#include "sign.h"

#include <string.h>

#include "crypt.h"

#define STEP "signature"
#define MD5_DIGITS (2 * WXPAY_MD5_LEN)
#define HMAC_DIGITS (2 * WXPAY_SHA256_LEN)
/* '&', name, '=', value of every field, then "&key=" and the key */
#define MAX_PARTS (4 * WXPAY_FIELDS_MAX + 2)

const char *wxpay_sign_name(wxpay_sign_e type)
{
    return type == WXPAY_SIGN_HMAC_SHA256 ? "HMAC-SHA256" : "MD5";
}

wxpay_sign_e wxpay_sign_by_name(const char *name)
{
    if (name && strcmp(name, "MD5") == 0) {
        return WXPAY_SIGN_MD5;
    }
    if (name && strcmp(name, "HMAC-SHA256") == 0) {
        return WXPAY_SIGN_HMAC_SHA256;
    }
    return (wxpay_sign_e)0;
}

static void add_part(wxpay_crypt_part_t *parts, int *count, const void *data, apr_size_t len)
{
    parts[*count].data = data;
    parts[*count].len = len;
    (*count)++;
}

/* The string to sign, in pieces that point into bag and key: nothing secret is copied. */
static int string_to_sign(const wxpay_fields_t *fields, const wxpay_secret_t *key,
                          wxpay_crypt_part_t parts[MAX_PARTS])
{
    const wxpay_field_t *sorted[WXPAY_FIELDS_MAX];
    int i, count = 0, fields_count = wxpay_fields_signed(fields, sorted);

    for (i = 0; i < fields_count; i++) {
        if (i) {
            add_part(parts, &count, "&", 1);
        }
        add_part(parts, &count, sorted[i]->name, sorted[i]->name_len);
        add_part(parts, &count, "=", 1);
        add_part(parts, &count, sorted[i]->value, sorted[i]->value_len);
    }
    add_part(parts, &count, "&key=", 5);
    add_part(parts, &count, wxpay_secret_bytes(key), wxpay_secret_len(key));
    return count;
}

wxpay_rc_e wxpay_sign_make(const wxpay_fields_t *fields, const wxpay_secret_t *key,
                           wxpay_sign_e type, char out[WXPAY_SIGN_SIZE], wxpay_error_t *err)
{
    wxpay_crypt_part_t parts[MAX_PARTS];
    unsigned char digest[WXPAY_SHA256_LEN];
    wxpay_rc_e rc;
    int count;

    if (!key || wxpay_secret_len(key) == 0) {
        return wxpay_error_set(err, WXPAY_EINPUT, STEP, "there is no key to sign with");
    }
    count = string_to_sign(fields, key, parts);
    if (type == WXPAY_SIGN_HMAC_SHA256) {
        rc = wxpay_crypt_hmac_sha256_parts(wxpay_secret_bytes(key), wxpay_secret_len(key), parts,
                                           count, digest, err);
        wxpay_crypt_hex(digest, rc == WXPAY_OK ? WXPAY_SHA256_LEN : 0, 1, out);
    }
    else {
        rc = wxpay_crypt_md5_parts(parts, count, digest, err);
        wxpay_crypt_hex(digest, rc == WXPAY_OK ? WXPAY_MD5_LEN : 0, 1, out);
    }
    /* For a forged message this is the genuine signature: not to be left on the stack. */
    wxpay_secret_wipe(digest, sizeof(digest));
    return rc;
}

wxpay_rc_e wxpay_sign_verify(const wxpay_fields_t *fields, const wxpay_secret_t *key,
                             unsigned allowed, wxpay_sign_e *used, wxpay_error_t *err)
{
    const wxpay_field_t *sign = wxpay_fields_find(fields, "sign");
    const wxpay_field_t *declared = wxpay_fields_find(fields, "sign_type");
    char expected[WXPAY_SIGN_SIZE];
    wxpay_sign_e type;
    wxpay_rc_e rc;
    int equal;

    if (!sign || sign->value_len == 0) {
        return wxpay_error_set(err, WXPAY_ESIGN, STEP, "the message is not signed");
    }
    if (sign->value_len != MD5_DIGITS && sign->value_len != HMAC_DIGITS) {
        return wxpay_error_set(err, WXPAY_ESIGN, STEP, "the signature has a wrong length");
    }
    type = sign->value_len == MD5_DIGITS ? WXPAY_SIGN_MD5 : WXPAY_SIGN_HMAC_SHA256;
    if (declared && declared->value_len && wxpay_sign_by_name(declared->value) != type) {
        return wxpay_error_set(err, WXPAY_ESIGN, STEP,
                               "sign_type does not fit the signature's length");
    }
    if (!(allowed & type)) {
        return wxpay_error_set(err, WXPAY_ESIGN, STEP, "signed with %s, which is not accepted here",
                               wxpay_sign_name(type));
    }
    rc = wxpay_sign_make(fields, key, type, expected, err);
    if (rc != WXPAY_OK) {
        return wxpay_error_set(err, WXPAY_ESIGN, STEP, "the signature cannot be checked");
    }
    equal = wxpay_secret_memeq(sign->value, expected, sign->value_len);
    wxpay_secret_wipe(expected, sizeof(expected));
    if (!equal) {
        return wxpay_error_set(err, WXPAY_ESIGN, STEP, "the signature is wrong");
    }
    *used = type;
    return WXPAY_OK;
}
