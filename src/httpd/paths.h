/* paths.h - which requests are ours, and what gets them there whatever else a site has set up.
 *
 * notify is answered in quick_handler: no rewriting, login, redirect or .htaccess of the site is
 * asked. checkout and API claim their URIs before mod_rewrite, mod_alias and mod_proxy see them and
 * stop the directory walk; <Location> settings and Require stay in force. Source: feasibility E.
 */
#ifndef MOD_WXPAY_PATHS_H
#define MOD_WXPAY_PATHS_H

#include <httpd.h>
#include "config.h"

#define MOD_WXPAY_HANDLER_CHECKOUT "wxpay-checkout"
#define MOD_WXPAY_HANDLER_API "wxpay-api"

/* The endpoints, each in a file of its own. cfg->account is not NULL. rest is the decoded URI
 * minus the configured path: "" or "/...". They check mod_wxpay_child() themselves. */
int mod_wxpay_notify(request_rec *r, const mod_wxpay_server_t *cfg);
int mod_wxpay_checkout(request_rec *r, const mod_wxpay_server_t *cfg, const char *rest);
int mod_wxpay_api(request_rec *r, const mod_wxpay_server_t *cfg, const char *rest);

/* If uri is path itself or below it: what follows it ("" or "/..."). Else NULL. path may be NULL.
 */
const char *mod_wxpay_path_rest(const char *path, const char *uri);

/* The request's Authorization header, or NULL: also where post_read_request took it out of sight.
 */
const char *mod_wxpay_authorization(request_rec *r);

/* 1 if a variable of this name is, or becomes in a script's environment, one of WXPAY_*. */
int mod_wxpay_is_variable(const char *name);
/* Removes request headers that a backend could take for WXPAY_* or, where httpd's configuration
 * hands these on as headers, for X-WXPAY-*. */
void mod_wxpay_paths_drop_look_alikes(request_rec *r);

/* Hooks. */
/* Removes look-alikes, and hides the API's key from whatever shows request headers. */
int mod_wxpay_paths_post_read_request(request_rec *r);
int mod_wxpay_paths_quick_handler(request_rec *r, int lookup);
int mod_wxpay_paths_pre_translate(request_rec *r);
int mod_wxpay_paths_translate(request_rec *r);
int mod_wxpay_paths_map_to_storage(request_rec *r);
int mod_wxpay_paths_fixups(request_rec *r);
int mod_wxpay_paths_handler(request_rec *r);

#endif
