/* transport.h - one outbound HTTP POST, asynchronously. The engine is the real one; tests plug in a
 * scripted one. */
#ifndef WXPAY_TRANSPORT_H
#define WXPAY_TRANSPORT_H

#include <apr_pools.h>
#include <apr_time.h>
#include "error.h"

typedef struct wxpay_http_request_t {
    const char *url;
    const char *content_type;
    const char *body;
    apr_size_t body_len;
    /* Further header lines, "Name: value", ends with NULL; NULL: none. */
    const char *const *headers;
    /* "address:port" of a listener of this very server (an IPv6 address in brackets): connect
     * there, whatever host url names, and don't check its certificate, since the way there leaves
     * no host. Plain http is allowed then, and the connection is not kept. NULL: url's own host. */
    const char *connect_to;
    const char *ca_pem; /* NULL: the system's CAs; must live as long as the transport */
    const char *proxy;  /* http://host:port to tunnel through, or NULL; lives as ca_pem does */
    apr_interval_time_t timeout;         /* whole exchange */
    apr_interval_time_t connect_timeout; /* resolve, connect and TLS */
    apr_time_t start_by;  /* not begun by then for want of a place: WXPAY_EBUSY; 0: no limit */
    apr_size_t max_reply; /* bytes; more is an error */
} wxpay_http_request_t;

typedef struct wxpay_http_reply_t {
    int status;       /* 0: no reply */
    const char *body; /* NUL-terminated; valid during the callback only */
    apr_size_t body_len;
    const char *request_id; /* the gateway's Request-ID header, "" if none */
    apr_time_t date;        /* its Date header, 0 if none */
    int sent;               /* 0: certainly nothing of the request left this host */
    int tls;                /* 1: no reply for the sake of TLS: its handshake, or a certificate */
    apr_interval_time_t elapsed;
    const char *host; /* host:port asked, for the log */
} wxpay_http_reply_t;

/* Called exactly once per accepted request, on the transport's thread: must not block for long.
 * err->code is WXPAY_OK when a complete reply of any status arrived, else WXPAY_ENET (RETRY;
 * AMBIGUOUS unless reply->sent is 0), or WXPAY_EBUSY (RETRY) when start_by passed first, or
 * WXPAY_EINTERNAL; nothing was sent then. Not called any more once the transport is being stopped.
 * May submit further requests. */
typedef void wxpay_http_done_fn(void *baton, const wxpay_http_reply_t *reply,
                                const wxpay_error_t *err);

typedef struct wxpay_transport_t {
    /* Queue a request. Its strings must live until `done`. Any thread.
     * Errors (done is not called): WXPAY_EBUSY (queue full, or stopping; RETRY), WXPAY_EINPUT (an
     * URL that is not https, nor http to a loopback host or with connect_to; a header that is not
     * one line), WXPAY_EINTERNAL. */
    wxpay_rc_e (*submit)(void *impl, const wxpay_http_request_t *request, wxpay_http_done_fn *done,
                         void *baton, wxpay_error_t *err);
    void *impl;
} wxpay_transport_t;

#endif
