#include "target.h"

#include <string.h>

static const char *const names[WXPAY_EVENTS] = {
    [WXPAY_EVENT_PAID] = "order.paid",         [WXPAY_EVENT_CLOSED] = "order.closed",
    [WXPAY_EVENT_OVERPAID] = "order.overpaid", [WXPAY_EVENT_QUARANTINED] = "order.quarantined",
    [WXPAY_EVENT_REFUNDED] = "order.refunded", [WXPAY_EVENT_ORPHAN] = "order.orphan"};

const char *wxpay_event_name(wxpay_event_e event)
{
    return names[event];
}

int wxpay_event_by_name(const char *name, wxpay_event_e *event)
{
    int i;

    for (i = 0; i < WXPAY_EVENTS; i++) {
        if (strcmp(names[i], name) == 0) {
            *event = (wxpay_event_e)i;
            return 1;
        }
    }
    return 0;
}
