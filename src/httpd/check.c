#include "check.h"
#include "check_int.h"
#include "config.h"
#include "module.h"
#include "state.h"
#include "values.h"
#include <http_core.h>
#include <apr_strings.h>
#include <apr_uri.h>

#define NOTIFY_URL_MAX 256 /* of unifiedorder: protocol dossier, section 4.1 */

void mod_wxpay_report(mod_wxpay_check_t *check, int level, const char *id, const server_rec *s,
                      const char *where, const char *fmt, ...)
{
    const char *name = mod_wxpay_config_server(s)->name;
    const char *line;
    va_list args;

    va_start(args, fmt);
    line = apr_psprintf(check->p, "%s: [%s (%s)] %s", id,
                        name            ? name
                        : s->is_virtual ? "virtual host"
                                        : "main server",
                        where, apr_pvsprintf(check->p, fmt, args));
    va_end(args);
    if (level == APLOG_ERR) {
        check->errors++;
        ap_log_error(APLOG_MARK, check->style | APLOG_ERR, 0, NULL, "%s", line);
    }
    else {
        mod_wxpay_config_warn(check->pconf, line);
    }
}

/* The first of the directives that this very server wrote, as "file:line". */
static const char *first_own(const mod_wxpay_server_t *cfg, const char *const *directives)
{
    for (; *directives; directives++) {
        if (mod_wxpay_config_own(cfg, *directives)) {
            return mod_wxpay_config_where(cfg, *directives);
        }
    }
    return NULL;
}

static const char *const group[] = {
    "WxPayMchId",       "WxPayAppId",    "WxPayKey",      "WxPaySignType",
    "WxPayKeyPrevious", "WxPaySubMchId", "WxPaySubAppId", NULL};
static const char *const paths[] = {"WxPayNotifyPath", "WxPayCheckoutPath", "WxPayApiPath", NULL};

static const char *path_of(const mod_wxpay_server_t *cfg, int n)
{
    return n == 0 ? cfg->notify_path : n == 1 ? cfg->checkout_path : cfg->api_path;
}

static void check_merchant(mod_wxpay_check_t *check, const server_rec *s,
                           const mod_wxpay_server_t *cfg)
{
    static const char *const needed[][2] = {
        {"WxPayMchId", "\"WxPayMchId 1230000109\" (the merchant number)"},
        {"WxPayAppId", "\"WxPayAppId wx2421b1c4370ec43b\" (the public account's or app's id)"},
        {"WxPayKey", "\"WxPayKey file:/etc/apache2/wxpay/api.key\" (the 32-byte API v2 key)"}};
    const char *where = first_own(cfg, group);
    int wrote = 0, i;

    while (!mod_wxpay_config_own(cfg, group[wrote])) {
        wrote++;
    }
    for (i = 0; i < 3; i++) {
        if (!mod_wxpay_config_where(cfg, needed[i][0])) {
            mod_wxpay_report(
                check, APLOG_ERR, "WXP0201", s, where,
                "%s is set but %s is missing here (a server that sets one of a merchant's "
                "directives inherits none of them): write %s",
                group[wrote], needed[i][0], needed[i][1]);
        }
    }
    if (!cfg->public_url && !cfg->name) {
        mod_wxpay_report(
            check, APLOG_ERR, "WXP0202", s, where,
            "this server has no public name: write \"WxPayPublicURL https://shop.example\" "
            "(or ServerName) here");
    }
}

int mod_wxpay_same_secret(const wxpay_secret_t *a, const wxpay_secret_t *b)
{
    return a && b &&
           wxpay_secret_equals(a, (const char *)wxpay_secret_bytes(b), wxpay_secret_len(b));
}

static void check_group(mod_wxpay_check_t *check, const server_rec *s,
                        const mod_wxpay_server_t *cfg)
{
    const char *where = mod_wxpay_config_where(cfg, "WxPayKeyPrevious");

    if (cfg->sub_appid && !cfg->sub_mch_id) {
        mod_wxpay_report(
            check, APLOG_ERR, "WXP0214", s, mod_wxpay_config_where(cfg, "WxPaySubAppId"),
            "a sub-merchant's app id needs its number: write \"WxPaySubMchId 1900000109\" here, "
            "or remove WxPaySubAppId if this is no service provider");
    }
    if (mod_wxpay_same_secret(cfg->key_previous.key, cfg->key)) {
        mod_wxpay_report(
            check, APLOG_ERR, "WXP0215", s, where,
            "WxPayKeyPrevious is the same as WxPayKey: put the new key into WxPayKey, or remove "
            "WxPayKeyPrevious");
    }
    if (where && cfg->key_previous.until <= apr_time_now()) {
        mod_wxpay_report(check, APLOG_WARNING, "WXP0216", s, where,
                         "the time of WxPayKeyPrevious is over, so it is ignored: remove it");
    }
}

static void check_public_url(mod_wxpay_check_t *check, const server_rec *s,
                             const mod_wxpay_server_t *cfg)
{
    apr_uri_t uri;

    if (mod_wxpay_config_own(cfg, "WxPayPublicURL") && cfg->public_url &&
        strncmp(cfg->public_url, "http://", 7) == 0 &&
        apr_uri_parse(check->p, cfg->public_url, &uri) == APR_SUCCESS &&
        !mod_wxpay_host_is_loopback(uri.hostname)) {
        mod_wxpay_report(
            check, APLOG_WARNING, "WXP0203", s, mod_wxpay_config_where(cfg, "WxPayPublicURL"),
            "buyers and notifications come over plain http, for everybody on the way to read: "
            "write \"WxPayPublicURL https://%s\"",
            uri.hostname);
    }
}

/* Paths without a merchant are fine on the main server when a virtual host has one: they are that
 * one's defaults. */
static int merchant_elsewhere(const mod_wxpay_check_t *check, const server_rec *s)
{
    const server_rec *other;

    for (other = s->is_virtual ? NULL : check->main_server->next; other; other = other->next) {
        if (mod_wxpay_config_own_merchant(mod_wxpay_config_server(other))) {
            return 1;
        }
    }
    return 0;
}

int mod_wxpay_has_merchant(const mod_wxpay_server_t *cfg)
{
    int i;

    for (i = 0; group[i]; i++) {
        if (mod_wxpay_config_where(cfg, group[i])) {
            return 1;
        }
    }
    return 0;
}

static void check_overlap(mod_wxpay_check_t *check, const server_rec *s,
                          const mod_wxpay_server_t *cfg)
{
    int a, b;

    for (a = 0; a < 3; a++) {
        for (b = 0; b < 3; b++) {
            const char *outer = path_of(cfg, a), *inner = path_of(cfg, b);
            apr_size_t len = outer ? strlen(outer) : 0;

            if (a != b && outer && inner && strncmp(outer, inner, len) == 0 &&
                (inner[len] == '/' || (inner[len] == '\0' && a < b))) {
                mod_wxpay_report(
                    check, APLOG_ERR, "WXP0205", s, mod_wxpay_config_where(cfg, paths[b]),
                    "%s \"%s\" is %s %s \"%s\" (%s): give each a place of its own, such as "
                    "/wxpay/notify, /wxpay/pay and /wxpay/api",
                    paths[b], inner, inner[len] ? "inside" : "the same as", paths[a], outer,
                    mod_wxpay_config_where(cfg, paths[a]));
            }
        }
    }
}

static void check_api_key(mod_wxpay_check_t *check, const server_rec *s,
                          const mod_wxpay_server_t *cfg)
{
    if (cfg->api_path && !mod_wxpay_config_where(cfg, "WxPayApiKey")) {
        mod_wxpay_report(check, APLOG_ERR, "WXP0206", s,
                         mod_wxpay_config_where(cfg, "WxPayApiPath"),
                         "WxPayApiPath is open without a key%s: write \"WxPayApiKey "
                         "file:/etc/apache2/wxpay/site.key\" here",
                         mod_wxpay_config_own_merchant(cfg) && s->is_virtual
                             ? " (a server that is a merchant of its own inherits none)"
                             : "");
    }
    if (mod_wxpay_config_own(cfg, "WxPayApiKey") &&
        mod_wxpay_same_secret(cfg->api_key.current, cfg->key)) {
        mod_wxpay_report(
            check, APLOG_ERR, "WXP0207", s, mod_wxpay_config_where(cfg, "WxPayApiKey"),
            "WxPayApiKey is the same as WxPayKey, which nobody but httpd may know: make one of "
            "its own with: openssl rand -hex 32");
    }
}

static void check_link_key(mod_wxpay_check_t *check, const server_rec *s,
                           const mod_wxpay_server_t *cfg)
{
    const char *where = mod_wxpay_config_where(cfg, "WxPayLinkKey");

    if (where && !cfg->checkout_path) {
        mod_wxpay_report(
            check, APLOG_ERR, "WXP0217", s, where,
            "signed links lead to the payment pages, but there is no place for them: write "
            "\"WxPayCheckoutPath /wxpay/pay\"");
    }
    if (mod_wxpay_config_own(cfg, "WxPayLinkKey") &&
        mod_wxpay_same_secret(cfg->link_key.current, cfg->key)) {
        mod_wxpay_report(
            check, APLOG_ERR, "WXP0218", s, where,
            "WxPayLinkKey is the same as WxPayKey, which nobody but httpd may know: make one "
            "of its own with: openssl rand -hex 32");
    }
}

static void check_endpoints(mod_wxpay_check_t *check, const server_rec *s,
                            const mod_wxpay_server_t *cfg)
{
    const core_dir_config *core = ap_get_core_module_config(s->lookup_defaults);
    int i;

    if (!mod_wxpay_has_merchant(cfg)) {
        const char *where = first_own(cfg, paths);

        if (where && !merchant_elsewhere(check, s)) {
            mod_wxpay_report(
                check, APLOG_ERR, "WXP0204", s, where,
                "there is no merchant for this path: write WxPayAppId, WxPayMchId and WxPayKey "
                "here or in the main server");
        }
        return;
    }
    check_overlap(check, s, cfg);
    check_api_key(check, s, cfg);
    check_link_key(check, s, cfg);
    for (i = 1; i < 3 && !cfg->notify_path; i++) {
        if (path_of(cfg, i)) {
            mod_wxpay_report(check, APLOG_ERR, "WXP0208", s, mod_wxpay_config_where(cfg, paths[i]),
                             "%s is set, but WeChat Pay has no place to report payments to: write "
                             "\"WxPayNotifyPath /wxpay/notify\"",
                             paths[i]);
        }
    }
    if (cfg->account && cfg->account->notify_url &&
        strlen(cfg->account->notify_url) > NOTIFY_URL_MAX) {
        mod_wxpay_report(
            check, APLOG_ERR, "WXP0227", s, mod_wxpay_config_where(cfg, "WxPayNotifyPath"),
            "the address for notifications has %" APR_SIZE_T_FMT " bytes, and WeChat Pay "
            "takes at most %d: write a shorter WxPayNotifyPath",
            strlen(cfg->account->notify_url), NOTIFY_URL_MAX);
    }
    if (cfg->notify_path && core->limit_req_body > 0 && core->limit_req_body < 65536) {
        mod_wxpay_report(
            check, APLOG_WARNING, "WXP0210", s, mod_wxpay_config_where(cfg, "WxPayNotifyPath"),
            "LimitRequestBody %" APR_OFF_T_FMT " of this server can cut notifications off: "
            "write \"LimitRequestBody 65536\" or more",
            core->limit_req_body);
    }
}

static const char *merchant_name(apr_pool_t *p, const mod_wxpay_server_t *cfg)
{
    return cfg->sub_mch_id ? apr_psprintf(p, "%s (sub-merchant %s)", cfg->mch_id, cfg->sub_mch_id)
                           : cfg->mch_id;
}

static int same_merchant(const mod_wxpay_server_t *a, const mod_wxpay_server_t *b)
{
    return strcmp(a->mch_id, b->mch_id) == 0 &&
           strcmp(a->sub_mch_id ? a->sub_mch_id : "", b->sub_mch_id ? b->sub_mch_id : "") == 0;
}

/* WeChat Pay reports to one address; two merchants there means that one never hears of its money.
 * Buyers and backends of a site see its orders; two merchants there means that they cross over. */
static void check_collisions(mod_wxpay_check_t *check, const server_rec *s,
                             const mod_wxpay_server_t *cfg)
{
    const server_rec *other;

    for (other = check->main_server; other != s; other = other->next) {
        const mod_wxpay_server_t *theirs = mod_wxpay_config_server(other);

        if (!cfg->account || !theirs->account || same_merchant(cfg, theirs)) {
            continue;
        }
        if (cfg->account->notify_url && theirs->account->notify_url &&
            strcmp(cfg->account->notify_url, theirs->account->notify_url) == 0) {
            mod_wxpay_report(
                check, APLOG_ERR, "WXP0211", s, mod_wxpay_config_where(cfg, "WxPayMchId"),
                "notifications for merchant %s would go to %s, which is merchant %s (%s): give "
                "this server its own WxPayPublicURL or WxPayNotifyPath",
                merchant_name(check->p, cfg), cfg->account->notify_url,
                merchant_name(check->p, theirs), mod_wxpay_config_where(theirs, "WxPayMchId"));
        }
        else if (strcmp(cfg->account->site, theirs->account->site) == 0) {
            mod_wxpay_report(
                check, APLOG_ERR, "WXP0219", s, mod_wxpay_config_where(cfg, "WxPayMchId"),
                "this server and another one (%s) keep their orders as the same site \"%s\", "
                "but are different merchants: give each its own WxPaySiteId or WxPayPublicURL",
                mod_wxpay_config_where(theirs, "WxPayMchId"), cfg->account->site);
        }
    }
}

static void check_state(mod_wxpay_check_t *check, const server_rec *s,
                        const mod_wxpay_server_t *cfg)
{
    const char *dir_where = mod_wxpay_config_where(cfg, "WxPayStateDir");
    const char *store_where = mod_wxpay_config_where(cfg, "WxPayStore");
    const char *err = mod_wxpay_state_inspect(check->p, cfg->state_dir);
    const char *own_db = apr_pstrcat(check->p, cfg->state_dir, "/db/", NULL);

    if (err) {
        mod_wxpay_report(check, APLOG_ERR, "WXP0212", s,
                         dir_where ? dir_where : "default WxPayStateDir",
                         "the state directory cannot be used: %s", err);
    }
    /* What lies in <statedir>/db is made by the server itself. */
    if (store_where && strncmp(cfg->store_path, own_db, strlen(own_db)) != 0) {
        err = mod_wxpay_state_inspect_store(check->p, cfg->store_path);
        if (err) {
            mod_wxpay_report(check, APLOG_ERR, "WXP0213", s, store_where,
                             "the database cannot be kept at %s: %s", cfg->store_path, err);
        }
    }
}

static void say_warnings(apr_pool_t *pconf)
{
    const apr_array_header_t *list = mod_wxpay_config_warnings(pconf);
    int i;

    for (i = 0; list && i < list->nelts; i++) {
        ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_WARNING, 0, NULL, "%s",
                     APR_ARRAY_IDX(list, i, const char *));
    }
}

int mod_wxpay_check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    int running = ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_CONFIG;
    mod_wxpay_check_t check = {
        .p = ptemp, .pconf = pconf, .main_server = s, .style = running ? 0 : APLOG_STARTUP};
    const server_rec *each;
    int merchants = 0;

    (void)plog;
    if (!mod_wxpay_config_present(pconf)) {
        return OK;
    }
    mod_wxpay_config_resolve(pconf, s, "127.0.0.1");
    for (each = s; each; each = each->next) {
        const mod_wxpay_server_t *cfg = mod_wxpay_config_server(each);

        merchants += mod_wxpay_has_merchant(cfg);
        if (!cfg->own) {
            continue; /* whatever there is to say was said about the server it inherits from */
        }
        if (mod_wxpay_config_own_merchant(cfg)) {
            check_merchant(&check, each, cfg);
            check_group(&check, each, cfg);
        }
        check_public_url(&check, each, cfg);
        check_endpoints(&check, each, cfg);
        mod_wxpay_check_deliver(&check, each, cfg);
        check_collisions(&check, each, cfg);
    }
    if (merchants) {
        check_state(&check, s, mod_wxpay_config_server(s));
        mod_wxpay_check_modules(&check, mod_wxpay_config_server(s));
    }
    if (ap_state_query(AP_SQ_RUN_MODE) == AP_SQ_RM_CONFIG_TEST) {
        say_warnings(pconf);
    }
    return check.errors ? HTTP_INTERNAL_SERVER_ERROR : OK;
}
