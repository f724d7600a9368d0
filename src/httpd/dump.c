#include "dump.h"
#include "clock.h"
#include "config.h"
#include "money.h"
#include <http_config.h>
#include <http_core.h>
#include <apr_strings.h>
#include <apr_uri.h>

typedef struct dump_t {
    apr_file_t *out;
    apr_pool_t *p;
    const mod_wxpay_server_t *cfg;
} dump_t;

static void line(const dump_t *dump, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void line(const dump_t *dump, const char *name, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    apr_file_printf(dump->out, "    %-20s %s\n", name, apr_pvsprintf(dump->p, fmt, args));
    va_end(args);
}

static const char *time_text(apr_pool_t *p, apr_interval_time_t t)
{
    static const struct {
        apr_interval_time_t us;
        const char *unit;
    } units[] = {{APR_INT64_C(86400000000), "d"},
                 {APR_INT64_C(3600000000), "h"},
                 {APR_INT64_C(60000000), "min"},
                 {APR_INT64_C(1000000), "s"}};
    unsigned i;

    for (i = 0; t && i < sizeof(units) / sizeof(units[0]); i++) {
        if (t % units[i].us == 0) {
            return apr_psprintf(p, "%" APR_TIME_T_FMT "%s", t / units[i].us, units[i].unit);
        }
    }
    return apr_psprintf(p, "%" APR_TIME_T_FMT "ms", apr_time_as_msec(t));
}

static const char *shown(const dump_t *dump, const char *directive)
{
    const char *text = mod_wxpay_config_shown(dump->cfg, directive);

    return text ? text : "none";
}

static void dump_merchant(const dump_t *dump)
{
    const mod_wxpay_server_t *cfg = dump->cfg;
    const wxpay_account_t *account = cfg->account;
    char until[WXPAY_RFC3339_SIZE];

    line(dump, "merchant", "%s, app id %s", account->mch_id, account->appid);
    if (account->sub_mch_id) {
        line(dump, "sub-merchant", "%s, app id %s", account->sub_mch_id,
             account->sub_appid ? account->sub_appid : "none of its own");
    }
    line(dump, "API v2 key", "%s", shown(dump, "WxPayKey"));
    if (account->previous_key) {
        wxpay_clock_rfc3339(account->previous_until, until);
        line(dump, "previous key", "%s, until %s%s", shown(dump, "WxPayKeyPrevious"), until,
             account->previous_until <= apr_time_now() ? " (over: ignored)" : "");
    }
    line(dump, "requests signed with", "%s", wxpay_sign_name(account->sign_type));
}

static void dump_gateway(const dump_t *dump)
{
    const wxpay_account_t *account = dump->cfg->account;

    line(dump, "gateway", "%s%s%s", account->gateway[0], account->gateway[1] ? ", then " : "",
         account->gateway[1] ? account->gateway[1] : "");
    line(dump, "gateway's CAs", "%s",
         account->gateway_ca_pem ? shown(dump, "WxPayGatewayCAFile") : "the system's");
    line(dump, "proxy", "%s", account->gateway_proxy ? account->gateway_proxy : "none");
    line(dump, "gateway timeout", "%s per host, %s of it for connecting",
         time_text(dump->p, account->gateway_timeout),
         time_text(dump->p, account->gateway_connect_timeout));
    line(dump, "buyers wait", "%s at most", time_text(dump->p, dump->cfg->max_wait));
}

static void dump_endpoints(const dump_t *dump)
{
    const mod_wxpay_server_t *cfg = dump->cfg;
    const wxpay_account_t *account = cfg->account;

    line(dump, "public URL", "%s", account->public_url);
    line(dump, "orders belong to", "%s", account->site);
    line(dump, "notifications", "%s", account->notify_url ? account->notify_url : "none");
    line(dump, "payment pages", "%s%s", cfg->checkout_path ? account->public_url : "none",
         cfg->checkout_path ? cfg->checkout_path : "");
    line(dump, "signed links", "%s%s", cfg->link_key.current ? "key " : "off",
         cfg->link_key.current ? shown(dump, "WxPayLinkKey") : "");
    line(dump, "API", "%s%s", cfg->api_path ? account->public_url : "none",
         cfg->api_path ? cfg->api_path : "");
    if (cfg->api_path) {
        line(dump, "API key", "%s", shown(dump, "WxPayApiKey"));
        line(dump, "API allows", "%s",
             apr_pstrcat(dump->p, cfg->api_allow & MOD_WXPAY_ALLOW_CREATE ? " create" : "",
                         cfg->api_allow & MOD_WXPAY_ALLOW_QUERY ? " query" : "",
                         cfg->api_allow & MOD_WXPAY_ALLOW_CLOSE ? " close" : "", NULL) +
                 1);
    }
}

static void dump_orders(const dump_t *dump)
{
    const mod_wxpay_server_t *cfg = dump->cfg;
    apr_int64_t confirm = cfg->confirm_min_fen;

    line(dump, "orders can be paid", "%s", time_text(dump->p, cfg->order_ttl));
    line(dump, "unknown orders", "%s",
         cfg->deliver_orphans ? "recorded, answered SUCCESS" : "recorded, answered FAIL");
    line(dump, "confirmed by query", "%s%s",
         confirm < 0   ? "no notification"
         : confirm > 0 ? "notifications from CNY "
                       : "every notification",
         confirm > 0 ? wxpay_money_format(dump->p, confirm) : "");
    line(dump, "pages", "language %s, merchant name %s, support %s",
         cfg->language ? cfg->language : "auto", cfg->merchant_name ? cfg->merchant_name : "none",
         cfg->support.text ? cfg->support.text : "none");
}

static void dump_deliver(const dump_t *dump)
{
    const wxpay_target_t *target = dump->cfg->account->target;
    const char *types = "";
    int event;

    if (!target) {
        line(dump, "told about orders", "nobody");
        return;
    }
    for (event = 0; event < WXPAY_EVENTS; event++) {
        if (target->types & WXPAY_EVENT_BIT(event)) {
            types = apr_pstrcat(dump->p, types, " ", wxpay_event_name(event), NULL);
        }
    }
    line(dump, "told about orders", "%s%s%s,%s", target->url, target->connect_to ? " at " : "",
         target->connect_to ? target->connect_to : "", types);
    line(dump, "deliveries signed by", "%s",
         dump->cfg->deliver_key.current ? shown(dump, "WxPayDeliverKey")
                                        : "a key derived from the state directory's secret");
}

static void dump_return(const dump_t *dump, const server_rec *s)
{
    const mod_wxpay_dir_t *dir = ap_get_module_config(s->lookup_defaults, &wxpay_module);
    const char *hosts = "";
    int i;

    for (i = 0; dir->return_hosts && i < dir->return_hosts->nelts; i++) {
        hosts = apr_pstrcat(dump->p, hosts, i ? " " : "",
                            APR_ARRAY_IDX(dir->return_hosts, i, const char *), NULL);
    }
    line(dump, "after paying", "%s", dir->return_url ? dir->return_url : "the buyer stays");
    line(dump, "return_url may name", "%s", *hosts ? hosts : "the public URL's host");
}

static void dump_registration(const dump_t *dump)
{
    const mod_wxpay_server_t *cfg = dump->cfg;
    const wxpay_account_t *account = cfg->account;
    apr_uri_t uri;

    apr_file_printf(dump->out, "  To register at WeChat Pay:\n");
    line(dump, "notify_url", "nothing: it is sent with each order");
    if (!cfg->checkout_path || apr_uri_parse(dump->p, account->public_url, &uri) != APR_SUCCESS) {
        return;
    }
    line(dump, "JSAPI directory", "%s%s/ (支付授权目录, pay.weixin.qq.com)", account->public_url,
         cfg->checkout_path);
    line(dump, "H5 domain", "%s (H5支付域名, pay.weixin.qq.com)", uri.hostname);
    line(dump, "OAuth domain", "%s (网页授权域名, mp.weixin.qq.com)", uri.hostname);
}

static void dump_server(dump_t *dump, const server_rec *s)
{
    const mod_wxpay_server_t *cfg = mod_wxpay_config_server(s);

    dump->cfg = cfg;
    apr_file_printf(dump->out, "\n%s", cfg->name ? cfg->name : "(no ServerName)");
    if (s->is_virtual) {
        apr_file_printf(dump->out, " (virtual host %s:%d, %s:%u)\n",
                        s->addrs ? s->addrs->virthost : "-", s->addrs ? s->addrs->host_port : 0,
                        s->defn_name, s->defn_line_number);
    }
    else {
        apr_file_printf(dump->out, " (main server)\n");
    }
    if (!cfg->account) {
        line(dump, "merchant", "none: no payments here");
        return;
    }
    dump_merchant(dump);
    dump_endpoints(dump);
    dump_orders(dump);
    dump_return(dump, s);
    dump_deliver(dump);
    dump_gateway(dump);
    dump_registration(dump);
}

void mod_wxpay_dump(apr_pool_t *pconf, server_rec *s)
{
    dump_t dump = {NULL, pconf, mod_wxpay_config_server(s)};
    const mod_wxpay_server_t *main_cfg = dump.cfg;

    if (!ap_exists_config_define("DUMP_WXPAY")) {
        return;
    }
    apr_file_open_stdout(&dump.out, pconf);
    apr_file_printf(dump.out, "mod_wxpay/" MOD_WXPAY_VERSION "\n");
    if (ap_state_query(AP_SQ_RUN_MODE) == AP_SQ_RM_CONFIG_DUMP) {
        apr_file_printf(dump.out, "no keys are read together with -S or other dumps; write: "
                                  "httpd -t -D DUMP_WXPAY\n");
        return;
    }
    if (!mod_wxpay_config_present(pconf)) {
        apr_file_printf(dump.out, "no WxPay directive: the module does nothing\n");
        return;
    }
    line(&dump, "state directory", "%s", main_cfg->state_dir);
    line(&dump, "store", "sqlite3 %s", main_cfg->store_path);
    line(&dump, "gateway calls", "%d at once per process", main_cfg->max_calls);
    for (; s; s = s->next) {
        dump_server(&dump, s);
    }
}
