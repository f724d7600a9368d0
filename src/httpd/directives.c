#include "directives.h"
#include "config.h"
#include "secret_source.h"
#include <apr_strings.h>
#include <assert.h>
#include <stddef.h>

static const char *set(cmd_parms *cmd, void *dirconf, int argc, char *const argv[])
{
    const mod_wxpay_row_t *row = cmd->cmd->cmd_data;
    int n = (int)(cmd->cmd - mod_wxpay_directives);
    const char *where =
        apr_psprintf(cmd->pool, "%s:%d", cmd->directive->filename, cmd->directive->line_num);
    const char *err;

    mod_wxpay_config_note(cmd->pool);
    if (row->flags & MOD_WXPAY_ROW_SECRET) {
        mod_wxpay_secret_redact(cmd, argc, argv);
    }
    err = ap_check_cmd_context(cmd, row->flags & MOD_WXPAY_ROW_GLOBAL
                                        ? GLOBAL_ONLY
                                        : NOT_IN_HTACCESS | NOT_IN_LIMIT | NOT_IN_FILES);
    if (err) {
        return err;
    }
    if (argc < row->min_args || (row->max_args >= 0 && argc > row->max_args)) {
        return apr_psprintf(cmd->pool, "WXP0100: %s has %d argument%s; write: %s", cmd->cmd->name,
                            argc, argc == 1 ? "" : "s", cmd->cmd->errmsg);
    }
    if (row->flags & MOD_WXPAY_ROW_DIR) {
        mod_wxpay_dir_t *dir = dirconf;

        dir->where[n] = where;
        return row->parse(cmd, (char *)dir + row->offset, argc, argv);
    }
    else {
        mod_wxpay_server_t *cfg = ap_get_module_config(cmd->server->module_config, &wxpay_module);

        cfg->where[n] = where;
        cfg->shown[n] =
            row->flags & MOD_WXPAY_ROW_SECRET ? mod_wxpay_secret_origin(cmd, argc, argv) : argv[0];
        cfg->own |= APR_UINT64_C(1) << n;
        return row->parse(cmd, (char *)cfg + row->offset, argc, argv);
    }
}

#define SERVER(m) offsetof(mod_wxpay_server_t, m), sizeof(((mod_wxpay_server_t *)0)->m)
#define DIR_(m) offsetof(mod_wxpay_dir_t, m), sizeof(((mod_wxpay_dir_t *)0)->m)
#define GLOBAL MOD_WXPAY_ROW_GLOBAL
#define MERCHANT MOD_WXPAY_ROW_MERCHANT
#define SITE MOD_WXPAY_ROW_SITE
#define SECRET MOD_WXPAY_ROW_SECRET
#define BOTH (RSRC_CONF | ACCESS_CONF)

#define ROW(name, context, member, parse, min, max, flags, help)                                   \
    AP_INIT_TAKE_ARGV(name, set,                                                                   \
                      ((void *)&(const mod_wxpay_row_t){member, parse, min, max, flags}), context, \
                      name " " help)

const command_rec mod_wxpay_directives[] = {
    ROW("WxPayAppId", RSRC_CONF, SERVER(appid), mod_wxpay_value_appid, 1, 1, MERCHANT,
        "id: the public account's or app's id, such as wx2421b1c4370ec43b"),
    ROW("WxPayMchId", RSRC_CONF, SERVER(mch_id), mod_wxpay_value_mch_id, 1, 1, MERCHANT,
        "number: the merchant number, such as 1230000109"),
    ROW("WxPayKey", RSRC_CONF, SERVER(key), mod_wxpay_secret_key, 1, 1, MERCHANT | SECRET,
        "secret: the API v2 key, 32 bytes: file:path, \"exec:program args\" or the key itself"),
    ROW("WxPayKeyPrevious", RSRC_CONF, SERVER(key_previous), mod_wxpay_secret_key_previous, 2, 2,
        MERCHANT | SECRET,
        "secret until=RFC3339: the key before this one, for notifications signed with it until "
        "then"),
    ROW("WxPaySubAppId", RSRC_CONF, SERVER(sub_appid), mod_wxpay_value_appid, 1, 1, MERCHANT,
        "id: the sub-merchant's own app id, in service-provider mode"),
    ROW("WxPaySubMchId", RSRC_CONF, SERVER(sub_mch_id), mod_wxpay_value_mch_id, 1, 1, MERCHANT,
        "number: the sub-merchant, in service-provider mode"),
    ROW("WxPaySignType", RSRC_CONF, SERVER(sign_type), mod_wxpay_value_sign_type, 1, 1, MERCHANT,
        "MD5|HMAC-SHA256: how requests are signed"),
    ROW("WxPayPublicURL", RSRC_CONF, SERVER(public_url), mod_wxpay_value_public_url, 1, 1, SITE,
        "scheme://host[:port]: where buyers and WeChat reach this site"),
    ROW("WxPaySiteId", RSRC_CONF, SERVER(site_id), mod_wxpay_value_site_id, 1, 1, SITE,
        "id: names the site in stored orders, so that WxPayPublicURL may change"),
    ROW("WxPayMerchantName", RSRC_CONF, SERVER(merchant_name), mod_wxpay_value_merchant_name, 1, 1,
        SITE, "text: who is paid, as the payment page says it"),
    ROW("WxPaySupport", RSRC_CONF, SERVER(support), mod_wxpay_value_support, 1, 1, SITE,
        "phone|mail|url: where buyers get help, as the payment page says it"),
    ROW("WxPayLanguage", RSRC_CONF, SERVER(language), mod_wxpay_value_language, 1, 1, 0,
        "zh-CN|zh-TW|en|auto: the language of the payment pages"),
    ROW("WxPayNotifyPath", RSRC_CONF, SERVER(notify_path), mod_wxpay_value_path, 1, 1, 0,
        "/path: where WeChat sends payment notifications"),
    ROW("WxPayCheckoutPath", RSRC_CONF, SERVER(checkout_path), mod_wxpay_value_path, 1, 1, 0,
        "/path: the buyers' payment pages"),
    ROW("WxPayApiPath", RSRC_CONF, SERVER(api_path), mod_wxpay_value_path, 1, 1, 0,
        "/path: the HTTP API for backends"),
    ROW("WxPayApiKey", RSRC_CONF, SERVER(api_key), mod_wxpay_secret_api_key, 1, 2, SITE | SECRET,
        "secret [previous-secret]: the API's bearer key: file:path, \"exec:program args\" or text"),
    ROW("WxPayApiAllow", RSRC_CONF, SERVER(api_allow), mod_wxpay_value_api_allow, 1, -1, 0,
        "create query close: what the API may be used for"),
    ROW("WxPayLinkKey", RSRC_CONF, SERVER(link_key), mod_wxpay_secret_link_key, 1, 2, SITE | SECRET,
        "secret [previous-secret]: signs payment links: file:path, \"exec:program args\" or text"),
    ROW("WxPayConfirmByQuery", RSRC_CONF, SERVER(confirm_min_fen), mod_wxpay_value_confirm, 1, 1, 0,
        "Off|Always|over=amount: which notifications the gateway must confirm first"),
    ROW("WxPayOrphans", RSRC_CONF, SERVER(deliver_orphans), mod_wxpay_value_orphans, 1, 1, 0,
        "Refuse|Deliver: authentic notifications for orders that are not known here"),
    ROW("WxPayGateway", RSRC_CONF, SERVER(gateway), mod_wxpay_value_gateway, 1, 2, 0,
        "url [backup-url]: the WeChat Pay gateway"),
    ROW("WxPayGatewayCAFile", RSRC_CONF, SERVER(gateway_ca_pem), mod_wxpay_value_pem, 1, 1, 0,
        "file: PEM file of the CAs that may vouch for the gateway"),
    ROW("WxPayGatewayProxy", RSRC_CONF, SERVER(gateway_proxy), mod_wxpay_value_proxy, 1, 1, 0,
        "http://host:port: the HTTP proxy on the way to the gateway"),
    ROW("WxPayGatewayTimeout", RSRC_CONF, SERVER(gateway_timeout), mod_wxpay_value_timeout, 1, 2, 0,
        "total [connect]: how long a call may take per gateway host"),
    ROW("WxPayStateDir", RSRC_CONF, SERVER(state_dir), mod_wxpay_value_state_dir, 1, 1, GLOBAL,
        "directory: where the state secret and the database live"),
    ROW("WxPayStore", RSRC_CONF, SERVER(store_path), mod_wxpay_value_store, 1, 2, GLOBAL,
        "sqlite3 [path]: where orders are recorded"),
    ROW("WxPayOrderTTL", RSRC_CONF, SERVER(order_ttl), mod_wxpay_value_order_ttl, 1, 1, 0,
        "time: how long an order can be paid, 6min to 7d"),
    ROW("WxPayMaxCalls", RSRC_CONF, SERVER(max_calls), mod_wxpay_value_max_calls, 1, 1, GLOBAL,
        "number: gateway calls under way at once, per process"),
    ROW("WxPayMaxWait", RSRC_CONF, SERVER(max_wait), mod_wxpay_value_max_wait, 1, 1, 0,
        "time: how long a buyer's request may wait for the gateway"),
    ROW("WxPayReturnURL", BOTH, DIR_(return_url), mod_wxpay_value_return_url, 1, 1,
        MOD_WXPAY_ROW_DIR, "url|/path: where the buyer goes after paying"),
    ROW("WxPayReturnHosts", BOTH, DIR_(return_hosts), mod_wxpay_value_return_hosts, 1, -1,
        MOD_WXPAY_ROW_DIR, "host ...: hosts that an order's return_url may name"),
    ROW("WxPayHandoff", BOTH, DIR_(handoff), mod_wxpay_value_flag, 1, 1, MOD_WXPAY_ROW_DIR,
        "On|Off: an X-WxPay-Order header in a response from here starts a payment"),
    ROW("WxPayHandoffMax", BOTH, DIR_(handoff_max), mod_wxpay_value_amount, 1, 1, MOD_WXPAY_ROW_DIR,
        "amount: a hand-off of more than that is refused, such as 500.00"),
    ROW("WxPayDeliverTo", RSRC_CONF, SERVER(deliver), mod_wxpay_value_deliver_to, 1, -1, SITE,
        "url|/path [types ...]: the script that is told when an order is paid"),
    ROW("WxPayDeliverKey", RSRC_CONF, SERVER(deliver_key), mod_wxpay_secret_deliver_key, 1, 2,
        SITE | SECRET,
        "secret [previous-secret]: signs deliveries: whsec_... by file:path, \"exec:program args\" "
        "or itself"),
    ROW("WxPayDeliverCAFile", RSRC_CONF, SERVER(deliver_ca_pem), mod_wxpay_value_pem, 1, 1, 0,
        "file: PEM file of the CAs that may vouch for the host of WxPayDeliverTo"),
    ROW("WxPayVerifyDelivery", BOTH, DIR_(verify_delivery), mod_wxpay_value_flag, 1, 1,
        MOD_WXPAY_ROW_DIR, "On|Off: only verified deliveries may enter here"),
    ROW("WxPayRetention", RSRC_CONF, SERVER(retention), mod_wxpay_value_retention, 1, 2, GLOBAL,
        "notices=time orders=time: when personal data is erased"),
    {NULL, {NULL}, NULL, 0, RAW_ARGS, NULL}};

static_assert(sizeof(mod_wxpay_directives) / sizeof(mod_wxpay_directives[0]) <=
                  MOD_WXPAY_DIRECTIVES_MAX,
              "where[] and own must have a place for every directive");

const mod_wxpay_row_t *mod_wxpay_row(int n)
{
    return mod_wxpay_directives[n].name ? mod_wxpay_directives[n].cmd_data : NULL;
}

int mod_wxpay_directive_index(const char *name)
{
    int n = 0;

    while (strcmp(mod_wxpay_directives[n].name, name) != 0) {
        n++;
    }
    return n;
}
