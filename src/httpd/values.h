/* values.h - one parser per kind of directive value. Pure but for files named by secrets.
 *
 * Each takes the place to fill in and the arguments, and returns NULL or a sentence that says what
 * is wrong and what to write instead, with an id. Memory is cmd->pool's (pconf).
 */
#ifndef MOD_WXPAY_VALUES_H
#define MOD_WXPAY_VALUES_H

#include <httpd.h>
#include <http_config.h>
#include <apr_uri.h>

typedef const char *mod_wxpay_value_fn(cmd_parms *cmd, void *member, int argc, char *const argv[]);

mod_wxpay_value_fn mod_wxpay_value_appid;         /* const char * */
mod_wxpay_value_fn mod_wxpay_value_mch_id;        /* const char * */
mod_wxpay_value_fn mod_wxpay_value_sign_type;     /* wxpay_sign_e */
mod_wxpay_value_fn mod_wxpay_value_public_url;    /* const char * */
mod_wxpay_value_fn mod_wxpay_value_site_id;       /* const char * */
mod_wxpay_value_fn mod_wxpay_value_merchant_name; /* const char * */
mod_wxpay_value_fn mod_wxpay_value_support;       /* mod_wxpay_support_t */
mod_wxpay_value_fn mod_wxpay_value_language;      /* const char *, NULL for auto */
mod_wxpay_value_fn mod_wxpay_value_confirm;       /* apr_int64_t: fen, -1 for Off */
mod_wxpay_value_fn mod_wxpay_value_proxy;         /* const char * */
mod_wxpay_value_fn mod_wxpay_value_path;          /* const char * */
mod_wxpay_value_fn mod_wxpay_value_api_allow;     /* unsigned */
mod_wxpay_value_fn mod_wxpay_value_orphans;       /* int */
mod_wxpay_value_fn mod_wxpay_value_gateway;       /* mod_wxpay_gateway_t */
mod_wxpay_value_fn mod_wxpay_value_timeout;       /* mod_wxpay_timeout_t */
mod_wxpay_value_fn mod_wxpay_value_pem;           /* const char *: a PEM file's text */
mod_wxpay_value_fn mod_wxpay_value_state_dir;     /* const char *, absolute */
mod_wxpay_value_fn mod_wxpay_value_store;         /* const char *, absolute */
mod_wxpay_value_fn mod_wxpay_value_order_ttl;     /* apr_interval_time_t */
mod_wxpay_value_fn mod_wxpay_value_max_calls;     /* int */
mod_wxpay_value_fn mod_wxpay_value_max_wait;      /* apr_interval_time_t */
mod_wxpay_value_fn mod_wxpay_value_return_url;    /* const char * */
mod_wxpay_value_fn mod_wxpay_value_return_hosts;  /* const apr_array_header_t * of const char * */
mod_wxpay_value_fn mod_wxpay_value_flag;          /* int: On or Off */
mod_wxpay_value_fn mod_wxpay_value_amount;        /* apr_int64_t: fen */
mod_wxpay_value_fn mod_wxpay_value_deliver_to;    /* mod_wxpay_deliver_t */
mod_wxpay_value_fn mod_wxpay_value_retention;     /* mod_wxpay_retention_t */

/* A path that reads the same before and after URL decoding: what is wrong with it, or NULL. */
const char *mod_wxpay_bad_path(const char *path);

/* 1 if host names this machine only: localhost, 127.0.0.0/8, ::1 (with or without brackets). */
int mod_wxpay_host_is_loopback(const char *host);

/* An absolute http(s) URL without user, query and fragment: what is wrong with it, or NULL. Scheme
 * and host are made lower case. */
const char *mod_wxpay_base_url(apr_pool_t *p, const char *text, apr_uri_t *uri);
/* Its scheme://host[:port], without the scheme's default port, so that one site has one spelling.
 */
const char *mod_wxpay_origin(apr_pool_t *p, const apr_uri_t *uri);

/* Digits and ms, s, min, h or d; without a unit: seconds. Returns 0 if it is nothing like that. */
int mod_wxpay_parse_time(const char *text, apr_interval_time_t *t);

#endif
