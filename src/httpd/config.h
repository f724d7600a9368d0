/* config.h - what the configuration says: one structure per server and one per directory.
 *
 * Filled by the directive handlers, merged, completed once with defaults and derived values in
 * check_config (mod_wxpay_config_resolve), const afterwards. Whether a member was written is known
 * by `where`, never by its value. Everything lives in pconf, which outlives every request and pool
 * of a child.
 * Threads: const while serving.
 * Source: design 3.1.
 */
#ifndef MOD_WXPAY_CONFIG_H
#define MOD_WXPAY_CONFIG_H

#include <httpd.h>
#include <http_config.h>
#include <apr_tables.h>
#include "account.h"
#include "secret.h"
#include "sign.h"

#define MOD_WXPAY_VERSION "0.1.0"

/* More than the directives there are; directives.c asserts it at compile time. */
#define MOD_WXPAY_DIRECTIVES_MAX 64

/* WxPayApiAllow: a bit set. */
#define MOD_WXPAY_ALLOW_CREATE 0x01u
#define MOD_WXPAY_ALLOW_QUERY 0x02u
#define MOD_WXPAY_ALLOW_CLOSE 0x04u

typedef struct mod_wxpay_secrets_t {
    const wxpay_secret_t *current;
    const wxpay_secret_t *previous; /* NULL: none */
} mod_wxpay_secrets_t;

typedef struct mod_wxpay_previous_key_t {
    const wxpay_secret_t *key;
    apr_time_t until; /* ignored from then on */
} mod_wxpay_previous_key_t;

typedef struct mod_wxpay_support_t {
    const char *text; /* to be shown; NULL: there is none */
    const char *href; /* tel:, mailto: or https: URL of it */
} mod_wxpay_support_t;

typedef struct mod_wxpay_gateway_t {
    const char *url[2]; /* no slash at the end; [1] may be NULL */
} mod_wxpay_gateway_t;

typedef struct mod_wxpay_timeout_t {
    apr_interval_time_t total;   /* microseconds, per host */
    apr_interval_time_t connect; /* microseconds */
} mod_wxpay_timeout_t;

typedef struct mod_wxpay_deliver_t {
    const char *url;  /* absolute; NULL: path says where on this very server */
    const char *path; /* NULL: url */
    unsigned types;   /* WXPAY_EVENT_BIT()s */
} mod_wxpay_deliver_t;

typedef struct mod_wxpay_retention_t {
    apr_interval_time_t notices; /* 0: for ever */
    apr_interval_time_t orders;  /* 0: for ever */
} mod_wxpay_retention_t;

typedef struct mod_wxpay_server_t {
    /* As written, or inherited; see directives.c. NULL paths are endpoints that do not exist. */
    const char *appid;
    const char *mch_id;
    const char *sub_appid;
    const char *sub_mch_id;
    const wxpay_secret_t *key;
    mod_wxpay_previous_key_t key_previous;
    wxpay_sign_e sign_type;
    const char *public_url;    /* as written; use account->public_url */
    const char *site_id;       /* as written; use account->site */
    const char *merchant_name; /* UTF-8; NULL: not said */
    mod_wxpay_support_t support;
    const char *language; /* "zh-CN", "zh-TW" or "en"; NULL: the buyer's Accept-Language decides */
    const char *notify_path;
    const char *checkout_path;
    const char *api_path;
    mod_wxpay_secrets_t api_key;
    unsigned api_allow;           /* MOD_WXPAY_ALLOW_* */
    mod_wxpay_secrets_t link_key; /* current is NULL: no signed links */
    apr_int64_t confirm_min_fen;  /* notifications from this amount on are confirmed; -1: none */
    int deliver_orphans;
    mod_wxpay_deliver_t deliver; /* url and path are NULL: nobody is told */
    mod_wxpay_secrets_t deliver_key;
    const char *deliver_ca_pem;      /* what is in WxPayDeliverCAFile; NULL: the system's CAs */
    mod_wxpay_retention_t retention; /* the main server's */
    mod_wxpay_gateway_t gateway;
    const char *gateway_ca_pem; /* what is in WxPayGatewayCAFile; NULL: the system's CAs */
    const char *gateway_proxy;  /* http://host:port; NULL: none */
    mod_wxpay_timeout_t gateway_timeout;
    const char *state_dir;  /* absolute; the main server's */
    const char *store_path; /* absolute; the main server's */
    apr_interval_time_t order_ttl;
    int max_calls; /* the main server's */
    apr_interval_time_t max_wait;

    /* "file:line" of the directive that set the member, by its place in mod_wxpay_directives;
     * NULL: not written. Inherited members keep the place of the server they come from. */
    const char *where[MOD_WXPAY_DIRECTIVES_MAX];
    apr_uint64_t own; /* bit n: this very server wrote directive n */
    /* As where: its first argument, fit to be shown: of a secret only where it comes from. */
    const char *shown[MOD_WXPAY_DIRECTIVES_MAX];

    /* Derived, once. */
    int index;                      /* 0, 1, ...: this server's place among all servers */
    const char *name;               /* the ServerName written for this very server, or NULL */
    const wxpay_account_t *account; /* NULL: no merchant here, so no endpoint answers */
    wxpay_target_t *target;         /* account->target; its key is filled in before forking */
    const char *target_problem;     /* why WxPayDeliverTo's path cannot be delivered to, or NULL */
} mod_wxpay_server_t;

typedef struct mod_wxpay_dir_t {
    const char *return_url; /* absolute URL or /path; NULL: stay on the paid page */
    /* Of const char *, lower case, host or host:port; NULL: only the public URL's own host. */
    const apr_array_header_t *return_hosts;
    int handoff;             /* X-WxPay-Order response headers are honoured here */
    apr_int64_t handoff_max; /* fen; meaningful where it was written, see where */
    int verify_delivery;     /* only verified deliveries may enter */
    const char *where[MOD_WXPAY_DIRECTIVES_MAX];
} mod_wxpay_dir_t;

extern module AP_MODULE_DECLARE_DATA wxpay_module;

/* Never NULL. */
const mod_wxpay_server_t *mod_wxpay_config_server(const server_rec *s);
/* The configuration of the place the request was mapped to. Never NULL. */
const mod_wxpay_dir_t *mod_wxpay_config_dir(const request_rec *r);

/* How many servers there are, this one and those behind it. */
int mod_wxpay_config_servers(const server_rec *s);

/* 1 if the configuration read into pconf contains any WxPay directive, wherever. */
int mod_wxpay_config_present(apr_pool_t *pconf);
void mod_wxpay_config_note(apr_pool_t *pconf);
/* Something an admin should know, to be said once, although the configuration is read several
 * times: by check_config under `httpd -t`, by post_config when the server starts. text is copied.
 */
void mod_wxpay_config_warn(apr_pool_t *pconf, const char *text);
/* Of const char *, or NULL. */
const apr_array_header_t *mod_wxpay_config_warnings(apr_pool_t *pconf);

/* 1 if return_url may be used from this place: a path not starting with "//" or "/\", or http(s) on
 * one of WxPayReturnHosts (default: the public URL's host); no control characters. */
int mod_wxpay_config_return_allowed(const mod_wxpay_server_t *cfg, const mod_wxpay_dir_t *dir,
                                    apr_pool_t *pool, const char *url);

/* 1 if this very server wrote a directive of the merchant group: it is a merchant of its own. */
int mod_wxpay_config_own_merchant(const mod_wxpay_server_t *cfg);
/* "file:line" where a directive was written, for this server or the one it inherits from, or NULL.
 */
const char *mod_wxpay_config_where(const mod_wxpay_server_t *cfg, const char *directive);
/* What to show of it, or NULL if it was not written. */
const char *mod_wxpay_config_shown(const mod_wxpay_server_t *cfg, const char *directive);
/* 1 if this very server wrote it. */
int mod_wxpay_config_own(const mod_wxpay_server_t *cfg, const char *directive);

/* Apply defaults and derive the account of every server. Values only, no side effect outside pconf;
 * may run again with a better local_ip (this host's address, for orders whose vhost listens on no
 * address of its own). Accounts are made only where the merchant group and the public URL are
 * there. */
void mod_wxpay_config_resolve(apr_pool_t *pconf, server_rec *main_server, const char *local_ip);

/* Hooks of the module record. */
void *mod_wxpay_config_create_server(apr_pool_t *p, server_rec *s);
void *mod_wxpay_config_merge_server(apr_pool_t *p, void *base, void *add);
void *mod_wxpay_config_create_dir(apr_pool_t *p, char *path);
void *mod_wxpay_config_merge_dir(apr_pool_t *p, void *base, void *add);

#endif
