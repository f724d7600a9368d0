/* account.h - one merchant account as the core sees it: filled by the glue from the
 * configuration, const afterwards.
 */
#ifndef WXPAY_ACCOUNT_H
#define WXPAY_ACCOUNT_H

#include <apr_time.h>
#include "secret.h"
#include "sign.h"
#include "target.h"

typedef struct wxpay_account_t {
    const char *site;       /* the owner of orders: WxPaySiteId, else public_url */
    const char *public_url; /* scheme://host[:port]: where buyers and WeChat come */
    const char *appid;
    const char *mch_id;
    const char *sub_appid;              /* NULL unless service-provider mode */
    const char *sub_mch_id;             /* NULL unless service-provider mode */
    const wxpay_secret_t *key;          /* API v2 key, 32 bytes */
    const wxpay_secret_t *previous_key; /* while keys change over; NULL: none */
    apr_time_t previous_until;          /* from then on previous_key is worth nothing */
    wxpay_sign_e sign_type;             /* what we send */
    const char *notify_url; /* absolute, no query; NULL when the site has no notify path */
    const char *server_ip;  /* spbill_create_ip of NATIVE orders: this server's address */
    const char *gateway[2]; /* base URLs; [1] may be NULL */
    const char
        *gateway_ca_pem; /* PEM text, read as root: children cannot; NULL: the system's CAs */
    apr_interval_time_t gateway_timeout; /* per host, whole call */
    apr_interval_time_t gateway_connect_timeout;
    apr_interval_time_t order_ttl;
    const char *gateway_proxy; /* http://host:port; NULL: the gateway is asked directly */
    /* Notifications of at least this much are confirmed by orderquery; -1: none, 0: all. */
    apr_int64_t confirm_min_fen;
    int deliver_orphans;          /* WxPayOrphans Deliver */
    const wxpay_target_t *target; /* who is told about its orders; NULL: nobody */
} wxpay_account_t;

/* Signature types a message may carry when nothing else is known about its order: HMAC configured
 * refuses MD5 (no downgrade), MD5 configured takes both. Bit set for wxpay_sign_verify(). */
unsigned wxpay_account_sign_allowed(const wxpay_account_t *account);

/* The appid of an attempt, which keeps the one it was made with when the account's changes; NULL or
 * empty: the account's. */
const char *wxpay_account_appid(const wxpay_account_t *account, const char *attempts);

/* Longest time one call can take over all hosts. */
apr_interval_time_t wxpay_account_deadline(const wxpay_account_t *account);

#endif
