/* error.h - what failed, doing what, and how to go on.
 *
 * One wxpay_error_t lives on the caller's stack; every function that can fail takes it last and
 * returns its code. It never holds a secret, a raw body or an openid: it may be logged and shown
 * to a merchant's backend (buyers get the page's own sentences).
 * Threads: an error object belongs to one thread at a time.
 */
#ifndef WXPAY_ERROR_H
#define WXPAY_ERROR_H

typedef enum wxpay_rc_e {
    WXPAY_OK = 0,
    WXPAY_EINPUT,    /* a value given to us is not acceptable; error.field names it */
    WXPAY_EPARSE,    /* bytes received are not well-formed or over a limit */
    WXPAY_ESIGN,     /* signature missing or wrong: nothing in the message may be believed */
    WXPAY_EMISMATCH, /* authentic, but not ours or not the answer to our request */
    WXPAY_EGATEWAY,  /* the gateway's definite, signed refusal; error.err_code names it */
    WXPAY_ENET,      /* no usable answer; WXPAY_ERR_AMBIGUOUS: the call may have taken effect */
    WXPAY_EBUSY,     /* no place or no lock in time; nothing was done, unless AMBIGUOUS */
    WXPAY_ENOTFOUND, /* no such thing */
    WXPAY_ECONFLICT, /* known, but with other facts or in a state that forbids it */
    WXPAY_ESTORE,    /* the store cannot do it; nothing was acknowledged */
    WXPAY_EINTERNAL  /* a library refused to work (memory, OpenSSL) */
} wxpay_rc_e;

#define WXPAY_ERR_RETRY 0x01u     /* the same call may succeed later */
#define WXPAY_ERR_AMBIGUOUS 0x02u /* the other side may have acted: query, never assume failure */

typedef struct wxpay_error_t {
    wxpay_rc_e code;
    unsigned flags;
    char step[32];     /* what we were doing: "unifiedorder", "parse notification" */
    char field[40];    /* the member, directive or XML field at fault, or "" */
    char err_code[48]; /* the gateway's err_code, or "" */
    char detail[256];  /* one sentence for a person, UTF-8, no secrets */
} wxpay_error_t;

/* Forget everything: code WXPAY_OK, all texts empty. */
void wxpay_error_clear(wxpay_error_t *err);

/* Fill in code, step and a printf-style detail (cut at a character boundary if too long; control
 * characters become '?'). Other members are cleared. err may be NULL. Returns code, so that
 * callers can write `return wxpay_error_set(err, ...)`. */
wxpay_rc_e wxpay_error_set(wxpay_error_t *err, wxpay_rc_e code, const char *step, const char *fmt,
                           ...) __attribute__((format(printf, 4, 5)));

/* WXPAY_EINPUT about one named field. Same rules as wxpay_error_set. */
wxpay_rc_e wxpay_error_field(wxpay_error_t *err, const char *step, const char *field,
                             const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* Any other code about one named field. Same rules as wxpay_error_set. */
wxpay_rc_e wxpay_error_named(wxpay_error_t *err, wxpay_rc_e code, const char *step,
                             const char *field, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

/* Stable lower-case name of a code ("input", "sign", ...), for logs and JSON. Never NULL. */
const char *wxpay_rc_name(wxpay_rc_e code);

#endif
