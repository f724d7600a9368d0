/* module.h - ties the log lines of a source file to this module. Included by every .c that logs,
 * never by mod_wxpay.c: AP_DECLARE_MODULE there says the same, and both do not compile together.
 */
#ifndef MOD_WXPAY_MODULE_H
#define MOD_WXPAY_MODULE_H

#include <httpd.h>
#include <http_config.h>
#include <http_log.h>

APLOG_USE_MODULE(wxpay);

#endif
