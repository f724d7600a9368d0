/* verify.h - places that only verified deliveries may enter: WxPayVerifyDelivery On, and the path
 * of WxPayDeliverTo with what lies below it. Everybody else gets httpd's own 404, whatever the
 * method.
 *
 * Every request is looked at as soon as its place is known, before the site's access control,
 * sub-requests and internal redirects included. What was verified is known for the whole chain of
 * requests that follows from it: each of them can read the body again, passes logins (but not
 * `Require ip`, `Require all denied` and the like), and has the facts in its environment. In all
 * other requests there is no variable WXPAY_* at all when their handler begins.
 * Needs no merchant, no store and no mod_wxpay_child().
 * Threads: one request, one thread. Source: design 3.1 (WxPayVerifyDelivery), 3.4.
 */
#ifndef MOD_WXPAY_VERIFY_H
#define MOD_WXPAY_VERIFY_H

#include <httpd.h>

/* Hooks. */
int mod_wxpay_verify_translate(request_rec *r);
int mod_wxpay_verify_post_perdir_config(request_rec *r);
int mod_wxpay_verify_authn(request_rec *r);
int mod_wxpay_verify_authz(request_rec *r);
int mod_wxpay_verify_fixups(request_rec *r);
int mod_wxpay_verify_log(request_rec *r);

#endif
