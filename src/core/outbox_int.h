/* outbox_int.h - shared by the files of outbox only. */
#ifndef WXPAY_OUTBOX_INT_H
#define WXPAY_OUTBOX_INT_H

#include <stdatomic.h>
#include "outbox.h"
#include "store_events.h"

struct wxpay_outbox_t {
    wxpay_outbox_options_t opt;
    const char *name; /* of this process, in leases */
    atomic_int stopping;
};

#endif
