/* sites.h - who answers for a stored order: rows name merchant and site, the configuration of today
 * says what account and delivery target that is.
 * Threads: find may be called from any thread; what it returns lives as long as the process serves.
 */
#ifndef WXPAY_SITES_H
#define WXPAY_SITES_H

#include "account.h"

typedef struct wxpay_sites_t {
    /* The account of this merchant and site, of several servers that keep it the one that has a
     * target; where none keeps it any more (its public URL changed), the merchant's only one,
     * unless that is a sub-merchant's. NULL: nobody here can speak for it. */
    const wxpay_account_t *(*find)(void *baton, const char *mch_id, const char *site);
    void *baton;
} wxpay_sites_t;

#endif
