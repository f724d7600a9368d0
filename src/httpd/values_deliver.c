/* values_deliver.c - the values of hand-off, deliveries and retention. */
#include "values.h"
#include "config.h"
#include "fields.h"
#include "money.h"
#include <apr_lib.h>
#include <apr_strings.h>

#define DAY apr_time_from_sec(24 * 3600)
#define URL_MAX_BYTES 1024

const char *mod_wxpay_value_flag(cmd_parms *cmd, void *member, int argc, char *const argv[])
{
    (void)argc;
    if (ap_cstr_casecmp(argv[0], "On") != 0 && ap_cstr_casecmp(argv[0], "Off") != 0) {
        return apr_psprintf(cmd->pool, "WXP0136: \"%s\" is neither; write: %s On (or Off)", argv[0],
                            cmd->cmd->name);
    }
    *(int *)member = ap_cstr_casecmp(argv[0], "On") == 0;
    return NULL;
}

const char *mod_wxpay_value_amount(cmd_parms *cmd, void *member, int argc, char *const argv[])
{
    wxpay_error_t err;

    (void)argc;
    if (wxpay_money_parse_yuan(argv[0], member, &err) != WXPAY_OK || *(apr_int64_t *)member < 1) {
        return apr_psprintf(cmd->pool,
                            "WXP0137: \"%s\" is no amount with two decimals; write for example: "
                            "%s 500.00",
                            argv[0], cmd->cmd->name);
    }
    return NULL;
}

/* What is wrong with the address of another host's (or loopback) script, or NULL. *url: the same
 * with scheme and host in lower case. */
static const char *bad_url(apr_pool_t *p, const char *text, const char **url)
{
    apr_size_t base = strcspn(text, "?");
    apr_uri_t uri;
    const char *wrong = mod_wxpay_base_url(p, apr_pstrmemdup(p, text, base), &uri);

    if (!wrong && (strchr(text, '#') || strpbrk(text + base, " \t\r\n\\\"<>"))) {
        wrong = "holds a fragment, blank or quote";
    }
    if (!wrong && strlen(text) > URL_MAX_BYTES) {
        wrong = "is longer than 1024 bytes";
    }
    if (!wrong && strcmp(uri.scheme, "http") == 0 && !mod_wxpay_host_is_loopback(uri.hostname)) {
        wrong = "would show every order to the network (http is for loopback hosts only)";
    }
    if (!wrong) {
        *url =
            apr_pstrcat(p, mod_wxpay_origin(p, &uri), uri.path ? uri.path : "", text + base, NULL);
    }
    return wrong;
}

static const char *types_of(cmd_parms *cmd, mod_wxpay_deliver_t *deliver, int argc,
                            char *const argv[])
{
    wxpay_event_e event;
    int i;

    deliver->types = argc > 1 ? 0 : WXPAY_EVENT_BIT(WXPAY_EVENT_PAID);
    for (i = 1; i < argc; i++) {
        if (!wxpay_event_by_name(argv[i], &event)) {
            return apr_psprintf(cmd->pool,
                                "WXP0139: there are no events \"%s\"; write some of: order.paid "
                                "order.closed order.overpaid order.quarantined order.refunded "
                                "order.orphan",
                                argv[i]);
        }
        deliver->types |= WXPAY_EVENT_BIT(event);
    }
    return NULL;
}

const char *mod_wxpay_value_deliver_to(cmd_parms *cmd, void *member, int argc, char *const argv[])
{
    mod_wxpay_deliver_t *deliver = member;
    int local = argv[0][0] == '/';
    const char *url = NULL;
    const char *wrong = local ? mod_wxpay_bad_path(argv[0]) : bad_url(cmd->pool, argv[0], &url);

    if (wrong) {
        return apr_psprintf(cmd->pool,
                            "WXP0138: \"%s\" %s; write a path of this server or a URL: "
                            "WxPayDeliverTo /hooks/paid.php (or https://app.example/paid)",
                            argv[0], wrong);
    }
    deliver->url = url;
    deliver->path = local ? argv[0] : NULL;
    return types_of(cmd, deliver, argc, argv);
}

const char *mod_wxpay_value_retention(cmd_parms *cmd, void *member, int argc, char *const argv[])
{
    mod_wxpay_retention_t *retention = member;
    int i;

    retention->notices = 0;
    retention->orders = 0;
    for (i = 0; i < argc; i++) {
        const char *value = ap_strchr_c(argv[i], '=');
        apr_size_t len = value ? (apr_size_t)(value - argv[i]) : 0;
        apr_interval_time_t *time =
            len == 7 && strncmp(argv[i], "notices", len) == 0  ? &retention->notices
            : len == 6 && strncmp(argv[i], "orders", len) == 0 ? &retention->orders
                                                               : NULL;

        if (!time || *time || !mod_wxpay_parse_time(value + 1, time) || *time < DAY) {
            return apr_psprintf(cmd->pool,
                                "WXP0141: \"%s\" is not notices= or orders= with a time from 1d to "
                                "3660d; write for example: WxPayRetention notices=90d orders=1095d",
                                argv[i]);
        }
    }
    return NULL;
}
