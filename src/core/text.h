/* text.h - making text from outside fit for one line of a log or a reply.
 *
 * Threads: pure function.
 */
#ifndef WXPAY_TEXT_H
#define WXPAY_TEXT_H

/* In place: control characters become '?', a UTF-8 sequence cut off at the end is dropped. */
void wxpay_text_tidy(char *text);

#endif
