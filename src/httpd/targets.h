/* targets.h - where WxPayDeliverTo leads: from a path of this very server to an address that can be
 * connected to, and from a stored order back to the server that speaks for it.
 *
 * Threads: everything is settled before children are made, const afterwards.
 * Source: design 3.1, 3.4.
 */
#ifndef MOD_WXPAY_TARGETS_H
#define MOD_WXPAY_TARGETS_H

#include <httpd.h>
#include "config.h"
#include "secret.h"
#include "sites.h"

/* The delivery target of a server with a merchant (its public URL given), or NULL: nobody is to be
 * told, or a path of this server cannot be connected to; then *problem says why, in words that go
 * on after "this server's own address is not clear: ". The key is NULL where it is to be derived
 * (mod_wxpay_targets_keys). cfg->name of all servers must be there already. In p. */
wxpay_target_t *mod_wxpay_target_make(apr_pool_t *p, const server_rec *main_server,
                                      const server_rec *s, const char *public_url,
                                      const char **problem);

/* Give every target without a WxPayDeliverKey a key derived from the state secret and its site.
 * Errors: WXPAY_EINTERNAL. */
wxpay_rc_e mod_wxpay_targets_keys(apr_pool_t *p, server_rec *main_server,
                                  const wxpay_secret_t *state_secret, wxpay_error_t *err);

/* wxpay_sites_t.find; baton is the main server's server_rec. */
const wxpay_account_t *mod_wxpay_sites_find(void *main_server, const char *mch_id,
                                            const char *site);

#endif
