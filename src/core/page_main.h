/* page_main.h - the <main> element of the buyer's page: all that differs from state to state. The
 * script swaps it whole, so nothing in it is rendered a second time in JavaScript. Threads: any.
 */
#ifndef WXPAY_PAGE_MAIN_H
#define WXPAY_PAGE_MAIN_H

#include "buf.h"
#include "page.h"

void wxpay_page_main(wxpay_buf_t *out, const wxpay_page_view_t *view);

#endif
