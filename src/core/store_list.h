/* store_list.h - a page of a site's orders, newest first.
 *
 * Pages are cut by a cursor (when the last order came in, and its number), so orders that come in
 * while somebody turns pages neither repeat nor hide any.
 * Threads: as wxpay_store_read().
 * Source: design 3.3.
 */
#ifndef WXPAY_STORE_LIST_H
#define WXPAY_STORE_LIST_H

#include <apr_pools.h>
#include <apr_time.h>
#include "error.h"
#include "order.h"
#include "store.h"

#define WXPAY_LIST_MAX 100

/* What to look for. */
typedef struct wxpay_list_t {
    const char *mch_id;
    const char *site;
    const char *state; /* name of an order's state, or "" for any */
    const char *flag;  /* as an order's JSON names it (wxpay_list_is_flag), or "" for any or none */
    apr_time_t since;  /* came in then or later; 0: whenever */
    const char *after; /* wxpay_list_page_t.next of the page before, or NULL: the first page */
    int limit;         /* 1 to WXPAY_LIST_MAX */
} wxpay_list_t;

typedef struct wxpay_list_item_t {
    wxpay_order_t *order;
    wxpay_attempt_t **attempts; /* oldest first */
    int count;
} wxpay_list_item_t;

typedef struct wxpay_list_page_t {
    wxpay_list_item_t items[WXPAY_LIST_MAX];
    int count;
    const char *next; /* opaque, of [0-9a-f]; NULL: this is the last page */
} wxpay_list_page_t;

/* "quarantined", "overpaid", "attach_differs", "closing". */
int wxpay_list_is_flag(const char *name);

/* One snapshot of the store. *page and all in it live in pool. Errors: WXPAY_EINPUT with field
 * "after" when that is no cursor of ours; those of wxpay_store_read(). */
wxpay_rc_e wxpay_store_list(wxpay_store_t *store, const wxpay_list_t *wanted, apr_pool_t *pool,
                            wxpay_list_page_t **page, wxpay_error_t *err);

#endif
