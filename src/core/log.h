/* log.h - the core's way to say something: an injected sink, so that the core needs no httpd.
 *
 * Rules for callers: never a secret, a raw body or an openid. WARN and above mean an admin should
 * act; INFO is one line per business event; DEBUG and TRACE are for developers.
 * Threads: the sink must be callable from any thread.
 */
#ifndef WXPAY_LOG_H
#define WXPAY_LOG_H

typedef enum wxpay_log_level_e {
    WXPAY_LOG_ERR,
    WXPAY_LOG_WARN,
    WXPAY_LOG_NOTICE,
    WXPAY_LOG_INFO,
    WXPAY_LOG_DEBUG,
    WXPAY_LOG_TRACE
} wxpay_log_level_e;

typedef struct wxpay_log_t {
    /* Does the sink want this level? NULL means yes. Asked before anything is formatted. */
    int (*wants)(void *baton, wxpay_log_level_e level);
    /* One line, no newline at its end, control characters already replaced. */
    void (*write)(void *baton, wxpay_log_level_e level, const char *line);
    void *baton;
} wxpay_log_t;

/* Format one line (cut at 1 KiB) and hand it to the sink. log may be NULL: then nothing happens. */
void wxpay_log(const wxpay_log_t *log, wxpay_log_level_e level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
