/* handoff_check.c - WxPayHandoff On where no order could ever be stored. */
#include "config.h"
#include "module.h"
#include "directives.h"
#include "handoff.h"

#include <http_core.h>

/* "file:line" of the WxPayHandoff On in force for this section, or NULL. */
static const char *switched_on(ap_conf_vector_t *section)
{
    const mod_wxpay_dir_t *dir = ap_get_module_config(section, &wxpay_module);

    return dir && dir->handoff ? dir->where[mod_wxpay_directive_index("WxPayHandoff")] : NULL;
}

/* A section of the main server holds for all hosts: one of them must be able to take orders. */
static void note(apr_table_t *places, ap_conf_vector_t *section, const mod_wxpay_server_t *cfg)
{
    const char *where = switched_on(section);

    if (where && cfg->account && cfg->checkout_path) {
        apr_table_setn(places, where, "served");
    }
    else if (where && !apr_table_get(places, where)) {
        apr_table_setn(places, where, "");
    }
}

static void note_all(apr_table_t *places, const apr_array_header_t *sections,
                     const mod_wxpay_server_t *cfg)
{
    int i;

    for (i = 0; i < sections->nelts; i++) {
        note(places, APR_ARRAY_IDX(sections, i, ap_conf_vector_t *), cfg);
    }
}

int mod_wxpay_handoff_check(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    int style = ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_CONFIG ? 0 : APLOG_STARTUP;
    apr_table_t *places = apr_table_make(ptemp, 4);
    const apr_array_header_t *found = apr_table_elts(places);
    int i, status = OK;

    (void)plog;
    if (!mod_wxpay_config_present(pconf)) {
        return OK;
    }
    for (; s; s = s->next) {
        const core_server_config *core = ap_get_core_module_config(s->module_config);
        const mod_wxpay_server_t *cfg = mod_wxpay_config_server(s);

        note(places, s->lookup_defaults, cfg);
        note_all(places, core->sec_dir, cfg);
        note_all(places, core->sec_url, cfg);
    }
    for (i = 0; i < found->nelts; i++) {
        apr_table_entry_t *place = &APR_ARRAY_IDX(found, i, apr_table_entry_t);

        if (!*place->val) {
            status = HTTP_INTERNAL_SERVER_ERROR;
            ap_log_error(APLOG_MARK, style | APLOG_ERR, 0, NULL,
                         "WXP0225: [%s] WxPayHandoff is On, but orders from here have no merchant "
                         "or no payment pages: write \"WxPayCheckoutPath /wxpay/pay\" (and "
                         "WxPayAppId, WxPayMchId, WxPayKey) for this server",
                         place->key);
        }
    }
    return status;
}
