/* check_deliver.c - what contradicts itself about the site's own script. */
#include "check_int.h"

#include <string.h>

#include <apr_strings.h>
#include <http_config.h>
#include <http_log.h>

#include "paths.h"

static void check_orphans(mod_wxpay_check_t *check, const server_rec *s,
                          const mod_wxpay_server_t *cfg)
{
    const char *where = mod_wxpay_config_where(cfg, "WxPayOrphans");
    int told = (cfg->deliver.types & WXPAY_EVENT_BIT(WXPAY_EVENT_ORPHAN)) != 0;

    if (cfg->deliver_orphans && !cfg->notify_path) {
        mod_wxpay_report(
            check, APLOG_ERR, "WXP0209", s, where,
            "WxPayOrphans is about notifications, but there is no place for them: write "
            "\"WxPayNotifyPath /wxpay/notify\"");
    }
    if (cfg->deliver_orphans && !told) {
        mod_wxpay_report(check, APLOG_WARNING, "WXP0220", s, where,
                         "payments of orders that were not made here are answered SUCCESS, but "
                         "nobody is told of them: write \"WxPayDeliverTo /hooks/paid.php "
                         "order.paid order.orphan\"");
    }
    if (!cfg->deliver_orphans && told && mod_wxpay_config_own(cfg, "WxPayDeliverTo")) {
        mod_wxpay_report(check, APLOG_WARNING, "WXP0221", s,
                         mod_wxpay_config_where(cfg, "WxPayDeliverTo"),
                         "order.orphan never happens here, as such payments are refused: write "
                         "\"WxPayOrphans Deliver\", or remove order.orphan");
    }
}

/* A path that is ours never reaches a script. */
static const char *own_endpoint(const mod_wxpay_server_t *cfg, const char *path)
{
    if (cfg->notify_path && strcmp(cfg->notify_path, path) == 0) {
        return "WxPayNotifyPath";
    }
    if (mod_wxpay_path_rest(cfg->checkout_path, path)) {
        return "WxPayCheckoutPath";
    }
    return mod_wxpay_path_rest(cfg->api_path, path) ? "WxPayApiPath" : NULL;
}

static void check_target(mod_wxpay_check_t *check, const server_rec *s,
                         const mod_wxpay_server_t *cfg)
{
    const char *where = mod_wxpay_config_where(cfg, "WxPayDeliverTo");
    const char *ours = cfg->deliver.path ? own_endpoint(cfg, cfg->deliver.path) : NULL;

    if (ours) {
        mod_wxpay_report(check, APLOG_ERR, "WXP0222", s, where,
                         "WxPayDeliverTo \"%s\" is a place of %s, where no script can be: write "
                         "the path of your own script, such as /hooks/paid.php",
                         cfg->deliver.path, ours);
    }
    else if (cfg->target_problem) {
        mod_wxpay_report(check, APLOG_ERR, "WXP0223", s, where,
                         "how to reach \"%s\" on this server is not clear: %s; write the whole "
                         "address instead, such as: WxPayDeliverTo https://%s%s, and "
                         "\"WxPayVerifyDelivery On\" in <Location \"%s\">",
                         cfg->deliver.path, cfg->target_problem,
                         cfg->name ? cfg->name : "shop.example", cfg->deliver.path,
                         cfg->deliver.path);
    }
    if (mod_wxpay_config_own(cfg, "WxPayDeliverKey") && !where) {
        mod_wxpay_report(check, APLOG_WARNING, "WXP0224", s,
                         mod_wxpay_config_where(cfg, "WxPayDeliverKey"),
                         "WxPayDeliverKey signs nothing here, as nobody is told, and verifies only "
                         "where WxPayVerifyDelivery is On: write \"WxPayDeliverTo "
                         "/hooks/paid.php\", or remove it where nothing is verified");
    }
}

static int same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : !a && !b;
}

static int same_teller(const mod_wxpay_server_t *a, const mod_wxpay_server_t *b)
{
    return same_text(a->deliver.url, b->deliver.url) &&
           same_text(a->deliver.path, b->deliver.path) && a->deliver.types == b->deliver.types &&
           (a->deliver_key.current == b->deliver_key.current ||
            mod_wxpay_same_secret(a->deliver_key.current, b->deliver_key.current));
}

/* Orders know their site only: which of two scripts would be told of them? */
static void check_same_site(mod_wxpay_check_t *check, const server_rec *s,
                            const mod_wxpay_server_t *cfg)
{
    const server_rec *other;

    for (other = check->main_server; cfg->account && cfg->target && other != s;
         other = other->next) {
        const mod_wxpay_server_t *theirs = mod_wxpay_config_server(other);

        if (theirs->account && theirs->target &&
            strcmp(theirs->account->mch_id, cfg->account->mch_id) == 0 &&
            strcmp(theirs->account->site, cfg->account->site) == 0 && !same_teller(cfg, theirs)) {
            mod_wxpay_report(
                check, APLOG_ERR, "WXP0228", s, mod_wxpay_config_where(cfg, "WxPayDeliverTo"),
                "this server and another one (%s) keep their orders as the same site \"%s\", but "
                "tell another script of them, or sign with another key: write WxPayDeliverTo and "
                "WxPayDeliverKey once, for both",
                mod_wxpay_config_where(theirs, "WxPayDeliverTo"), cfg->account->site);
        }
    }
}

void mod_wxpay_check_deliver(mod_wxpay_check_t *check, const server_rec *s,
                             const mod_wxpay_server_t *cfg)
{
    if (mod_wxpay_has_merchant(cfg)) {
        check_orphans(check, s, cfg);
        check_target(check, s, cfg);
        check_same_site(check, s, cfg);
    }
}

void mod_wxpay_check_modules(mod_wxpay_check_t *check, const mod_wxpay_server_t *main_cfg)
{
    const char *where = mod_wxpay_config_where(main_cfg, "WxPayMchId");

    if (!ap_find_linked_module("mod_watchdog.c")) {
        mod_wxpay_report(check, APLOG_ERR, "WXP0226", check->main_server,
                         where ? where : "a virtual host",
                         "without mod_watchdog no lost notification is ever found and no delivery "
                         "repeated: write \"LoadModule watchdog_module modules/mod_watchdog.so\" "
                         "before mod_wxpay's");
    }
}
