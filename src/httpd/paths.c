#include "paths.h"
#include "lifecycle.h"
#include <http_request.h>
#include <apr_lib.h>
#include <apr_strings.h>

#define AUTHORIZATION "mod_wxpay:authorization" /* in the request's pool */

const char *mod_wxpay_path_rest(const char *path, const char *uri)
{
    apr_size_t len;

    if (!path || !uri) {
        return NULL;
    }
    len = strlen(path);
    if (strncmp(uri, path, len) != 0 || (uri[len] != '\0' && uri[len] != '/')) {
        return NULL;
    }
    return uri + len;
}

/* The handler that a URI belongs to, or NULL. */
static const char *handler_of(const mod_wxpay_server_t *cfg, const char *uri, const char **rest)
{
    if (!cfg->account) {
        return NULL;
    }
    if ((*rest = mod_wxpay_path_rest(cfg->checkout_path, uri)) != NULL) {
        return MOD_WXPAY_HANDLER_CHECKOUT;
    }
    if ((*rest = mod_wxpay_path_rest(cfg->api_path, uri)) != NULL) {
        return MOD_WXPAY_HANDLER_API;
    }
    return NULL;
}

/* Every character but letters and digits counts as '_', as for what turns names into variables. */
static int folds_to(const char *name, const char *prefix)
{
    int i;

    for (i = 0; prefix[i]; i++) {
        char c = apr_isalnum(name[i]) ? (char)apr_toupper(name[i]) : name[i] ? '_' : '\0';

        if (c != prefix[i]) {
            return 0;
        }
    }
    return 1;
}

int mod_wxpay_is_variable(const char *name)
{
    return folds_to(name, "WXPAY_");
}

void mod_wxpay_paths_drop_look_alikes(request_rec *r)
{
    const apr_array_header_t *headers = apr_table_elts(r->headers_in);
    int i;

    for (i = headers->nelts - 1; i >= 0; i--) {
        const char *name = APR_ARRAY_IDX(headers, i, apr_table_entry_t).key;

        if (mod_wxpay_is_variable(name) || folds_to(name, "X_WXPAY_")) {
            apr_table_unset(r->headers_in, name);
            i = headers->nelts; /* unsetting may remove more than one */
        }
    }
}

/* httpd writes all request headers into its log at level trace4, and this one holds WxPayApiKey. */
static void put_key_away(request_rec *r)
{
    const char *value = apr_table_get(r->headers_in, "Authorization");

    if (value && ap_cstr_casecmpn(value, "Bearer ", 7) == 0 &&
        mod_wxpay_path_rest(mod_wxpay_config_server(r->server)->api_path, r->uri)) {
        apr_pool_userdata_setn(value, AUTHORIZATION, NULL, r->pool);
        apr_table_unset(r->headers_in, "Authorization");
    }
}

const char *mod_wxpay_authorization(request_rec *r)
{
    void *value = NULL;

    apr_pool_userdata_get(&value, AUTHORIZATION, r->pool);
    return value ? value : apr_table_get(r->headers_in, "Authorization");
}

int mod_wxpay_paths_post_read_request(request_rec *r)
{
    if (!mod_wxpay_active()) {
        return DECLINED;
    }
    mod_wxpay_paths_drop_look_alikes(r);
    put_key_away(r);
    return DECLINED;
}

int mod_wxpay_paths_quick_handler(request_rec *r, int lookup)
{
    const mod_wxpay_server_t *cfg = mod_wxpay_config_server(r->server);
    int status;

    if (lookup || r->main || r->proxyreq || !cfg->account || !cfg->notify_path ||
        strcmp(r->uri, cfg->notify_path) != 0) {
        return DECLINED;
    }
    mod_wxpay_work_begin(MOD_WXPAY_REQUEST);
    status = mod_wxpay_notify(r, cfg);
    mod_wxpay_work_end(MOD_WXPAY_REQUEST);
    return status;
}

/* Only keeps mod_proxy's early mapping (mapping=encoded) away: translate_name still follows. */
int mod_wxpay_paths_pre_translate(request_rec *r)
{
    const char *rest;

    return !r->proxyreq && handler_of(mod_wxpay_config_server(r->server), r->uri, &rest) ? OK
                                                                                         : DECLINED;
}

static void claim(request_rec *r, const char *handler)
{
    r->handler = handler;
    r->filename = apr_pstrcat(r->pool, handler, ":", r->uri, NULL);
    ap_set_module_config(r->request_config, &wxpay_module, (void *)handler);
}

static int claimed(request_rec *r)
{
    return ap_get_module_config(r->request_config, &wxpay_module) != NULL;
}

int mod_wxpay_paths_translate(request_rec *r)
{
    const char *rest;
    const char *handler =
        r->proxyreq ? NULL : handler_of(mod_wxpay_config_server(r->server), r->uri, &rest);

    if (!handler) {
        return DECLINED;
    }
    claim(r, handler);
    return OK;
}

int mod_wxpay_paths_map_to_storage(request_rec *r)
{
    /* OK ends the directory walk before it begins: no <Directory>, no .htaccess. */
    return claimed(r) ? OK : DECLINED;
}

int mod_wxpay_paths_fixups(request_rec *r)
{
    /* A SetHandler or AddHandler of the site, for everything below "/", must not win. */
    if (claimed(r)) {
        r->handler = ap_get_module_config(r->request_config, &wxpay_module);
    }
    return DECLINED;
}

int mod_wxpay_paths_handler(request_rec *r)
{
    const mod_wxpay_server_t *cfg = mod_wxpay_config_server(r->server);
    const char *rest, *handler;
    int status;

    if (!r->handler || !claimed(r)) {
        return DECLINED;
    }
    handler = handler_of(cfg, r->uri, &rest);
    if (!handler || strcmp(r->handler, handler) != 0) {
        return DECLINED;
    }
    mod_wxpay_work_begin(MOD_WXPAY_REQUEST);
    status = strcmp(handler, MOD_WXPAY_HANDLER_API) == 0 ? mod_wxpay_api(r, cfg, rest)
                                                         : mod_wxpay_checkout(r, cfg, rest);
    mod_wxpay_work_end(MOD_WXPAY_REQUEST);
    return status;
}
