/* store_schema.h - the tables, their version and the steps from one version to the next. */
#ifndef WXPAY_STORE_SCHEMA_H
#define WXPAY_STORE_SCHEMA_H

#define WXPAY_SCHEMA_VERSION 1

/* Statements that lead from version `from` to from + 1, NULL-terminated; from 0 is the empty
 * database. Each step writes its version into wxpay_meta itself. NULL if there is no such step. */
const char *const *wxpay_schema_step(int from);

#endif
