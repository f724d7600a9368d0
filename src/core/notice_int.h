/* notice_int.h - what the files of the notice module share. Private to notice*.c. */
#ifndef WXPAY_NOTICE_INT_H
#define WXPAY_NOTICE_INT_H

#include "notice.h"

#define WXPAY_NOTICE_STEP "notification"

/* What this key makes of a refund's req_info: the document inside, in pool. A wrong key shows
 * itself by the padding or by the XML. Errors: WXPAY_ESIGN (there is no key), WXPAY_EPARSE and what
 * decrypting and reading return: none of them says that the message is genuine.
 * Source: protocol dossier, section 11. */
wxpay_rc_e wxpay_notice_open(const wxpay_secret_t *key, const char *req_info, wxpay_xml_t *xml,
                             apr_pool_t *pool, wxpay_fields_t **inner, wxpay_error_t *err);

#endif
