/* mod_wxpay.c - the module record and its hooks, one reason each. */
#include <httpd.h>
#include <http_config.h>
#include <http_protocol.h>
#include <http_request.h>
#include <mpm_common.h>
#include <mod_status.h>
#include "check.h"
#include "config.h"
#include "directives.h"
#include "dump.h"
#include "handoff.h"
#include "lifecycle.h"
#include "paths.h"
#include "status.h"
#include "verified.h"
#include "verify.h"

#if !AP_MODULE_MAGIC_AT_LEAST(20120211, 110)
#error "mod_wxpay needs httpd 2.4.49 or later (child_stopping, pre_translate_name)"
#endif

/* Whatever else wants to map URIs comes after us. */
static const char *const after_us[] = {"mod_rewrite.c", "mod_alias.c", "mod_proxy.c",
                                       "mod_vhost_alias.c", NULL};

/* RequestHeader hands variables on to a backend. */
static const char *const mod_headers[] = {"mod_headers.c", NULL};

static void register_verify_hooks(void)
{
    /* TRACE: before httpd's core answers it. */
    ap_hook_translate_name(mod_wxpay_verify_translate, NULL, after_us, APR_HOOK_REALLY_FIRST);
    /* Before access control, so that who is not let in learns nothing from it. */
    ap_hook_post_perdir_config(mod_wxpay_verify_post_perdir_config, NULL, NULL,
                               APR_HOOK_REALLY_FIRST);
    /* A delivery has no password; who it comes from is proved. */
    ap_hook_check_authn(mod_wxpay_verify_authn, NULL, NULL, APR_HOOK_REALLY_FIRST,
                        AP_AUTH_INTERNAL_PER_CONF);
    ap_hook_check_authz(mod_wxpay_verify_authz, NULL, NULL, APR_HOOK_REALLY_FIRST,
                        AP_AUTH_INTERNAL_PER_CONF);
    /* Behind SetEnv and whatever else makes variables. */
    ap_hook_fixups(mod_wxpay_verify_fixups, NULL, mod_headers, APR_HOOK_LAST);
    /* Before mod_log_config writes its line. */
    ap_hook_log_transaction(mod_wxpay_verify_log, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_register_input_filter(MOD_WXPAY_VERIFIED_FILTER, mod_wxpay_verified_read, NULL,
                             MOD_WXPAY_VERIFIED_FTYPE);
}

/* X-WxPay-Order, a response header by which a script starts a payment. */
static void register_handoff(void)
{
    /* Right behind the script: what is compressed and cached is our answer, not the script's. */
    ap_register_output_filter(MOD_WXPAY_HANDOFF_FIRST, mod_wxpay_handoff_first, NULL,
                              (ap_filter_type)(AP_FTYPE_RESOURCE - 1));
    /* Behind mod_cache, mod_headers and mod_expires: what they put in. */
    ap_register_output_filter(MOD_WXPAY_HANDOFF_LAST, mod_wxpay_handoff_last, NULL,
                              (ap_filter_type)(AP_FTYPE_PROTOCOL - 1));
    /* Every answer, mod_cache's too, ... */
    ap_hook_insert_filter(mod_wxpay_handoff_insert_filters, NULL, NULL, APR_HOOK_REALLY_LAST);
    /* ... and every error page, where httpd has thrown the filters away. */
    ap_hook_insert_error_filter(mod_wxpay_handoff_insert_error_filters, NULL, NULL,
                                APR_HOOK_REALLY_LAST);
    /* The target of a redirect inside the server must not find the header of the one before. */
    ap_hook_post_read_request(mod_wxpay_handoff_post_read_request, NULL, NULL,
                              APR_HOOK_REALLY_FIRST);
    /* After the accounts were made. */
    ap_hook_check_config(mod_wxpay_handoff_check, NULL, NULL, APR_HOOK_REALLY_LAST);
}

static void register_hooks(apr_pool_t *p)
{
    (void)p;
    /* The Mutex directive must know our name before it is read. */
    ap_hook_pre_config(mod_wxpay_pre_config, NULL, NULL, APR_HOOK_MIDDLE);
    /* The only place where `httpd -t` and a graceful restart can still refuse. */
    ap_hook_check_config(mod_wxpay_check_config, NULL, NULL, APR_HOOK_LAST);
    /* `httpd -t -D DUMP_WXPAY`. */
    ap_hook_test_config(mod_wxpay_dump, NULL, NULL, APR_HOOK_MIDDLE);
    /* Root's work: state directory, shared memory, mutex. */
    ap_hook_post_config(mod_wxpay_post_config, NULL, NULL, APR_HOOK_MIDDLE);
    /* Engine, store and flow belong to a child: no thread or descriptor crosses fork. */
    ap_hook_child_init(mod_wxpay_child_init, NULL, NULL, APR_HOOK_MIDDLE);
    /* Numbers for operators; without mod_status nobody asks. */
    APR_OPTIONAL_HOOK(ap, status_hook, mod_wxpay_status, NULL, NULL, APR_HOOK_MIDDLE);
    /* Waiting requests must not hold up a stop. */
    ap_hook_child_stopping(mod_wxpay_child_stopping, NULL, NULL, APR_HOOK_MIDDLE);

    /* Before anybody reads a header: look-alikes of WXPAY_* go. */
    ap_hook_post_read_request(mod_wxpay_paths_post_read_request, NULL, NULL, APR_HOOK_REALLY_FIRST);
    /* Notifications: before every rule, redirect and login of the site. */
    ap_hook_quick_handler(mod_wxpay_paths_quick_handler, NULL, after_us, APR_HOOK_REALLY_FIRST);
    /* Pages and API: before ProxyPass with mapping=encoded, ... */
    ap_hook_pre_translate_name(mod_wxpay_paths_pre_translate, NULL, after_us,
                               APR_HOOK_REALLY_FIRST);
    /* ... before front controllers, Redirect and ProxyPass, ... */
    ap_hook_translate_name(mod_wxpay_paths_translate, NULL, after_us, APR_HOOK_REALLY_FIRST);
    /* ... without a walk through directories and their .htaccess, ... */
    ap_hook_map_to_storage(mod_wxpay_paths_map_to_storage, NULL, after_us, APR_HOOK_REALLY_FIRST);
    /* ... and whatever SetHandler says. */
    ap_hook_fixups(mod_wxpay_paths_fixups, NULL, NULL, APR_HOOK_REALLY_LAST);
    /* First, because mod_proxy and others look at more than r->handler. */
    ap_hook_handler(mod_wxpay_paths_handler, NULL, after_us, APR_HOOK_REALLY_FIRST);
    register_verify_hooks();
    register_handoff();
}

/* The only symbol the module shows; everything else is hidden. */
__attribute__((visibility("default"))) AP_DECLARE_MODULE(wxpay) = {STANDARD20_MODULE_STUFF,
                                                                   mod_wxpay_config_create_dir,
                                                                   mod_wxpay_config_merge_dir,
                                                                   mod_wxpay_config_create_server,
                                                                   mod_wxpay_config_merge_server,
                                                                   mod_wxpay_directives,
                                                                   register_hooks,
                                                                   AP_MODULE_FLAG_ALWAYS_MERGE};
