#include "log_limit.h"

#define LINES_A_MINUTE 3

int mod_wxpay_log_limit(mod_wxpay_log_limit_t *limit, apr_time_t now, unsigned *unsaid)
{
    apr_uint32_t minute = (apr_uint32_t)(apr_time_sec(now) / 60);
    apr_uint32_t was = apr_atomic_read32(&limit->minute);

    *unsaid = 0;
    if (was != minute && apr_atomic_cas32(&limit->minute, minute, was) == was) {
        apr_uint32_t count = apr_atomic_xchg32(&limit->count, 0);

        *unsaid = count > LINES_A_MINUTE ? count - LINES_A_MINUTE : 0;
    }
    return apr_atomic_inc32(&limit->count) < LINES_A_MINUTE;
}
