/* text.c - making text from outside fit for one line of a log or a reply. */
#include "text.h"

#include <string.h>

static size_t sequence_length(unsigned char lead)
{
    if (lead >= 0xf0) {
        return 4;
    }
    if (lead >= 0xe0) {
        return 3;
    }
    return lead >= 0xc0 ? 2 : 1;
}

void wxpay_text_tidy(char *text)
{
    unsigned char *byte;
    size_t len, lead;

    for (byte = (unsigned char *)text; *byte; byte++) {
        if (*byte < 0x20 || *byte == 0x7f) {
            *byte = '?';
        }
    }
    len = (size_t)((char *)byte - text);
    if (len == 0) {
        return;
    }
    lead = len - 1;
    while (lead > 0 && ((unsigned char)text[lead] & 0xc0) == 0x80) {
        lead--;
    }
    if (len - lead < sequence_length((unsigned char)text[lead])) {
        text[lead] = '\0';
    }
}
