/* log_limit.h - at most a handful of lines a minute about things that anybody on the internet can
 * cause, such as forged notifications. Lives in memory shared by all processes.
 */
#ifndef MOD_WXPAY_LOG_LIMIT_H
#define MOD_WXPAY_LOG_LIMIT_H

#include <apr_atomic.h>
#include <apr_time.h>

/* All zero at birth. */
typedef struct mod_wxpay_log_limit_t {
    volatile apr_uint32_t minute;
    volatile apr_uint32_t count; /* since the minute began, logged or not */
} mod_wxpay_log_limit_t;

/* 1 if this one may be logged: the first three of a minute. *unsaid is how many of the last minute
 * with any were not. Threads: any, any process. */
int mod_wxpay_log_limit(mod_wxpay_log_limit_t *limit, apr_time_t now, unsigned *unsaid);

#endif
