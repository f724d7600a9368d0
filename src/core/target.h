/* target.h - what a site's application is told about, and where it is told.
 *
 * Filled by the glue from the configuration before children are made, const afterwards.
 * Source: design 3.1 (WxPayDeliverTo, WxPayDeliverKey, WxPayDeliverCAFile), 3.4.
 */
#ifndef WXPAY_TARGET_H
#define WXPAY_TARGET_H

#include "secret.h"

typedef enum wxpay_event_e {
    WXPAY_EVENT_PAID,
    WXPAY_EVENT_CLOSED, /* CLOSED or EXPIRED: it will not be paid any more (but see `late`) */
    WXPAY_EVENT_OVERPAID,
    WXPAY_EVENT_QUARANTINED,
    WXPAY_EVENT_REFUNDED,
    WXPAY_EVENT_ORPHAN,
    WXPAY_EVENTS
} wxpay_event_e;

#define WXPAY_EVENT_BIT(event) (1u << (event))

typedef struct wxpay_target_t {
    int index;              /* of the server: 0, 1, ... */
    unsigned types;         /* WXPAY_EVENT_BIT()s that are wanted; others are never sent */
    const char *url;        /* absolute */
    const char *connect_to; /* "address:port" of this very server's own listener, to connect to
                               whatever url names; its certificate isn't checked, as the signature
                               is what counts there. NULL: url's own host, verified */
    const char *ca_pem;     /* PEM text; NULL: the system's CAs */
    const wxpay_secret_t *key;
    const wxpay_secret_t *previous_key; /* while keys change over; NULL: none */
} wxpay_target_t;

/* "order.paid", ... */
const char *wxpay_event_name(wxpay_event_e event);
/* 1 and *event, or 0 if there is no such type. */
int wxpay_event_by_name(const char *name, wxpay_event_e *event);

#endif
