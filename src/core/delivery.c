#include "delivery.h"

#include <string.h>

#include "crypt.h"

#define STEP "delivery"
#define KEY_PREFIX "whsec_"

wxpay_rc_e wxpay_delivery_key(apr_pool_t *pool, const char *text, apr_size_t len,
                              const wxpay_secret_t **key, wxpay_error_t *err)
{
    apr_size_t skip = strlen(KEY_PREFIX);
    unsigned char *bytes = NULL;
    apr_size_t count = 0;
    int good = len > skip && memcmp(text, KEY_PREFIX, skip) == 0 &&
               wxpay_crypt_base64_decode(pool, text + skip, len - skip, &bytes, &count, NULL) ==
                   WXPAY_OK &&
               count >= 24 && count <= 64;

    if (good) {
        *key = wxpay_secret_create(pool, bytes, count);
    }
    if (bytes) {
        wxpay_secret_wipe(bytes, count);
    }
    return good ? WXPAY_OK
                : wxpay_error_set(err, WXPAY_EINPUT, STEP,
                                  "not whsec_ and the base64 of 24 to 64 bytes");
}
