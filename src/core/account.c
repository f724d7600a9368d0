/* account.c - one merchant account as the core sees it. */
#include "account.h"

unsigned wxpay_account_sign_allowed(const wxpay_account_t *account)
{
    if (account->sign_type == WXPAY_SIGN_HMAC_SHA256) {
        return WXPAY_SIGN_HMAC_SHA256;
    }
    return WXPAY_SIGN_MD5 | WXPAY_SIGN_HMAC_SHA256;
}

const char *wxpay_account_appid(const wxpay_account_t *account, const char *attempts)
{
    return attempts && *attempts ? attempts : account->appid;
}

apr_interval_time_t wxpay_account_deadline(const wxpay_account_t *account)
{
    return account->gateway[1] ? 2 * account->gateway_timeout : account->gateway_timeout;
}
