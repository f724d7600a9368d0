#include "config.h"
#include "directives.h"
#include "targets.h"
#include "values.h"
#include <apr_lib.h>
#include <apr_strings.h>
#include <apr_uri.h>

#ifndef WXPAY_STATEDIR
#define WXPAY_STATEDIR "/var/lib/wxpay"
#endif

#define PRESENT_KEY "mod_wxpay_present"
#define WARNINGS_KEY "mod_wxpay_warnings"

void *mod_wxpay_config_create_server(apr_pool_t *p, server_rec *s)
{
    (void)s;
    return apr_pcalloc(p, sizeof(mod_wxpay_server_t));
}

void *mod_wxpay_config_create_dir(apr_pool_t *p, char *path)
{
    (void)path;
    return apr_pcalloc(p, sizeof(mod_wxpay_dir_t));
}

static void take(void *to, const void *from, const mod_wxpay_row_t *row)
{
    memcpy((char *)to + row->offset, (const char *)from + row->offset, row->size);
}

void *mod_wxpay_config_merge_server(apr_pool_t *p, void *basev, void *addv)
{
    const mod_wxpay_server_t *add = addv;
    mod_wxpay_server_t *merged = apr_pmemdup(p, basev, sizeof(*merged));
    const mod_wxpay_row_t *row;
    unsigned alone =
        mod_wxpay_config_own_merchant(add) ? MOD_WXPAY_ROW_MERCHANT | MOD_WXPAY_ROW_SITE : 0;
    int n;

    for (n = 0; (row = mod_wxpay_row(n)) != NULL; n++) {
        if (!(row->flags & MOD_WXPAY_ROW_DIR) && (add->where[n] || (row->flags & alone))) {
            take(merged, add, row);
            merged->where[n] = add->where[n];
            merged->shown[n] = add->shown[n];
        }
    }
    merged->own = add->own;
    return merged;
}

void *mod_wxpay_config_merge_dir(apr_pool_t *p, void *basev, void *addv)
{
    const mod_wxpay_dir_t *add = addv;
    mod_wxpay_dir_t *merged = apr_pmemdup(p, basev, sizeof(*merged));
    const mod_wxpay_row_t *row;
    int n;

    for (n = 0; (row = mod_wxpay_row(n)) != NULL; n++) {
        if ((row->flags & MOD_WXPAY_ROW_DIR) && add->where[n]) {
            take(merged, add, row);
            merged->where[n] = add->where[n];
        }
    }
    return merged;
}

const mod_wxpay_server_t *mod_wxpay_config_server(const server_rec *s)
{
    return ap_get_module_config(s->module_config, &wxpay_module);
}

int mod_wxpay_config_servers(const server_rec *s)
{
    int n = 0;

    for (; s; s = s->next) {
        n++;
    }
    return n;
}

const mod_wxpay_dir_t *mod_wxpay_config_dir(const request_rec *r)
{
    return ap_get_module_config(r->per_dir_config, &wxpay_module);
}

void mod_wxpay_config_note(apr_pool_t *pconf)
{
    apr_pool_userdata_setn("", PRESENT_KEY, NULL, pconf);
}

int mod_wxpay_config_present(apr_pool_t *pconf)
{
    void *noted = NULL;

    apr_pool_userdata_get(&noted, PRESENT_KEY, pconf);
    return noted != NULL;
}

void mod_wxpay_config_warn(apr_pool_t *pconf, const char *text)
{
    void *found = NULL;
    apr_array_header_t *list;

    apr_pool_userdata_get(&found, WARNINGS_KEY, pconf);
    list = found ? found : apr_array_make(pconf, 2, sizeof(const char *));
    APR_ARRAY_PUSH(list, const char *) = apr_pstrdup(pconf, text);
    apr_pool_userdata_setn(list, WARNINGS_KEY, NULL, pconf);
}

const apr_array_header_t *mod_wxpay_config_warnings(apr_pool_t *pconf)
{
    void *found = NULL;

    apr_pool_userdata_get(&found, WARNINGS_KEY, pconf);
    return found;
}

int mod_wxpay_config_own_merchant(const mod_wxpay_server_t *cfg)
{
    const mod_wxpay_row_t *row;
    int n;

    for (n = 0; (row = mod_wxpay_row(n)) != NULL; n++) {
        if ((row->flags & MOD_WXPAY_ROW_MERCHANT) && (cfg->own & (APR_UINT64_C(1) << n))) {
            return 1;
        }
    }
    return 0;
}

const char *mod_wxpay_config_where(const mod_wxpay_server_t *cfg, const char *directive)
{
    return cfg->where[mod_wxpay_directive_index(directive)];
}

const char *mod_wxpay_config_shown(const mod_wxpay_server_t *cfg, const char *directive)
{
    return cfg->shown[mod_wxpay_directive_index(directive)];
}

int mod_wxpay_config_own(const mod_wxpay_server_t *cfg, const char *directive)
{
    return (cfg->own & (APR_UINT64_C(1) << mod_wxpay_directive_index(directive))) != 0;
}

/* httpd fills s->server_hostname by reverse DNS where no ServerName is written, so only the
 * configuration tree tells the two apart. */
static int server_name_written(const server_rec *s)
{
    const ap_directive_t *node = ap_conftree;

    if (s->is_virtual) {
        while (node && !(node->line_num == (int)s->defn_line_number &&
                         ap_cstr_casecmp(node->directive, "<VirtualHost") == 0 &&
                         strcmp(node->filename, s->defn_name) == 0)) {
            node = node->next;
        }
        node = node ? node->first_child : NULL;
    }
    for (; node; node = node->next) {
        if (ap_cstr_casecmp(node->directive, "ServerName") == 0) {
            return 1;
        }
    }
    return 0;
}

static void apply_defaults(apr_pool_t *p, mod_wxpay_server_t *cfg)
{
    if (!mod_wxpay_config_where(cfg, "WxPaySignType")) {
        cfg->sign_type = WXPAY_SIGN_MD5;
    }
    if (!mod_wxpay_config_where(cfg, "WxPayApiAllow")) {
        cfg->api_allow = MOD_WXPAY_ALLOW_CREATE | MOD_WXPAY_ALLOW_QUERY | MOD_WXPAY_ALLOW_CLOSE;
    }
    if (!mod_wxpay_config_where(cfg, "WxPayGateway")) {
        cfg->gateway.url[0] = "https://api.mch.weixin.qq.com";
        cfg->gateway.url[1] = "https://api2.mch.weixin.qq.com";
    }
    if (!mod_wxpay_config_where(cfg, "WxPayGatewayTimeout")) {
        cfg->gateway_timeout.total = apr_time_from_sec(8);
        cfg->gateway_timeout.connect = apr_time_from_sec(3);
    }
    if (!mod_wxpay_config_where(cfg, "WxPayConfirmByQuery")) {
        cfg->confirm_min_fen = -1;
    }
    if (!mod_wxpay_config_where(cfg, "WxPayStateDir")) {
        cfg->state_dir = WXPAY_STATEDIR;
    }
    if (!cfg->store_path) {
        cfg->store_path = apr_pstrcat(p, cfg->state_dir, "/db/wxpay.db", NULL);
    }
    if (!mod_wxpay_config_where(cfg, "WxPayOrderTTL")) {
        cfg->order_ttl = apr_time_from_sec(2 * 3600);
    }
    if (!mod_wxpay_config_where(cfg, "WxPayMaxCalls")) {
        cfg->max_calls = 64;
    }
    if (!mod_wxpay_config_where(cfg, "WxPayMaxWait")) {
        cfg->max_wait = apr_time_from_msec(400);
    }
}

/* The address a vhost was given to listen on, unless it is "any" or this machine's own loop. */
static const char *listen_ip(apr_pool_t *p, const server_rec *s)
{
    const server_addr_rec *addr;

    for (addr = s->is_virtual ? s->addrs : NULL; addr; addr = addr->next) {
        char *ip = NULL;

        if (addr->host_addr && !apr_sockaddr_is_wildcard(addr->host_addr) &&
            apr_sockaddr_ip_get(&ip, addr->host_addr) == APR_SUCCESS &&
            !mod_wxpay_host_is_loopback(ip) && strcmp(ip, "255.255.255.255") != 0) {
            return apr_pstrdup(p, ip);
        }
    }
    return NULL;
}

static wxpay_account_t *account_of(apr_pool_t *p, const server_rec *s,
                                   const mod_wxpay_server_t *cfg,
                                   const mod_wxpay_server_t *main_cfg, const char *local_ip)
{
    const mod_wxpay_server_t *owner = mod_wxpay_config_own_merchant(cfg) ? cfg : main_cfg;
    const char *ip = listen_ip(p, s);
    wxpay_account_t *account;

    if (!cfg->appid || !cfg->mch_id || !cfg->key || !(cfg->public_url || owner->name)) {
        return NULL;
    }
    account = apr_pcalloc(p, sizeof(*account));
    account->public_url =
        cfg->public_url ? cfg->public_url : apr_pstrcat(p, "https://", owner->name, NULL);
    account->site = cfg->site_id ? cfg->site_id : account->public_url;
    account->appid = cfg->appid;
    account->mch_id = cfg->mch_id;
    account->sub_appid = cfg->sub_appid;
    account->sub_mch_id = cfg->sub_mch_id;
    account->key = cfg->key;
    account->previous_key = cfg->key_previous.key;
    account->previous_until = cfg->key_previous.until;
    account->sign_type = cfg->sign_type;
    account->notify_url =
        cfg->notify_path ? apr_pstrcat(p, account->public_url, cfg->notify_path, NULL) : NULL;
    account->server_ip = ip ? ip : local_ip;
    account->gateway[0] = cfg->gateway.url[0];
    account->gateway[1] = cfg->gateway.url[1];
    account->gateway_ca_pem = cfg->gateway_ca_pem;
    account->gateway_proxy = cfg->gateway_proxy;
    account->gateway_timeout = cfg->gateway_timeout.total;
    account->gateway_connect_timeout = cfg->gateway_timeout.connect;
    account->order_ttl = cfg->order_ttl;
    account->confirm_min_fen = cfg->confirm_min_fen;
    account->deliver_orphans = cfg->deliver_orphans;
    return account;
}

void mod_wxpay_config_resolve(apr_pool_t *pconf, server_rec *main_server, const char *local_ip)
{
    const mod_wxpay_server_t *main_cfg = mod_wxpay_config_server(main_server);
    server_rec *s;
    int index = 0;

    for (s = main_server; s; s = s->next) {
        mod_wxpay_server_t *cfg = ap_get_module_config(s->module_config, &wxpay_module);

        cfg->index = index++;
        if (s->server_hostname && server_name_written(s)) {
            char *name = apr_pstrdup(pconf, s->server_hostname);

            ap_str_tolower(name);
            cfg->name = name;
        }
        apply_defaults(pconf, cfg);
    }
    for (s = main_server; s; s = s->next) { /* knowing all their names */
        mod_wxpay_server_t *cfg = ap_get_module_config(s->module_config, &wxpay_module);
        wxpay_account_t *account = account_of(pconf, s, cfg, main_cfg, local_ip);

        cfg->target = account ? mod_wxpay_target_make(pconf, main_server, s, account->public_url,
                                                      &cfg->target_problem)
                              : NULL;
        if (account) {
            account->target = cfg->target;
        }
        cfg->account = account;
    }
}

static int host_listed(const char *entry, const apr_uri_t *uri)
{
    apr_size_t len = strlen(uri->hostname);

    if (strncmp(entry, uri->hostname, len) != 0) {
        return 0;
    }
    /* An entry without a port stands for every port of its host. */
    return entry[len] == '\0' ||
           (entry[len] == ':' && uri->port_str && strcmp(entry + len + 1, uri->port_str) == 0);
}

int mod_wxpay_config_return_allowed(const mod_wxpay_server_t *cfg, const mod_wxpay_dir_t *dir,
                                    apr_pool_t *pool, const char *url)
{
    const char *c;
    apr_uri_t uri, own;
    int i;

    for (c = url; *c; c++) {
        if (apr_iscntrl(*c) || *c == '\\' || *c == ' ') {
            return 0;
        }
    }
    if (url[0] == '/') {
        return url[1] != '/';
    }
    if (apr_uri_parse(pool, url, &uri) != APR_SUCCESS || !uri.scheme || !uri.hostname ||
        !*uri.hostname || uri.user || uri.password ||
        (ap_cstr_casecmp(uri.scheme, "http") != 0 && ap_cstr_casecmp(uri.scheme, "https") != 0)) {
        return 0;
    }
    ap_str_tolower(uri.hostname);
    for (i = 0; dir->return_hosts && i < dir->return_hosts->nelts; i++) {
        if (host_listed(APR_ARRAY_IDX(dir->return_hosts, i, const char *), &uri)) {
            return 1;
        }
    }
    return !dir->return_hosts && cfg->account &&
           apr_uri_parse(pool, cfg->account->public_url, &own) == APR_SUCCESS &&
           strcmp(own.hostname, uri.hostname) == 0;
}
