/* MAIL and RCPT with their parameters. */

#include "smtp/command.h"

#include <inttypes.h>

#include "smtp/syntax.h"

int smtp_transaction_check(const struct smtp_transaction *t, struct err *err) {
	bool clean = smtp_is_clean(t->from) && smtp_is_clean(t->ret);
	for (size_t i = 0; clean && i < t->to_count; i++)
		clean = smtp_is_clean(t->to[i].address) && smtp_is_clean(t->to[i].notify);
	if (!clean)
		return err_set(err, ERR_SYNTAX, "envelope with a control character");
	if (t->to_count == 0)
		return err_set(err, ERR_SYNTAX, "envelope without a recipient");
	return 0;
}

int smtp_mail_add(struct buf *out, const struct smtp_transaction *t,
		  const struct smtp_extensions *ext) {
	buf_adds(out, "MAIL FROM:<");
	buf_add(out, t->from);
	buf_adds(out, ">");
	if (ext->size && t->size > 0)
		buf_addf(out, " SIZE=%" PRIu64, t->size);
	if (ext->eightbitmime && t->body_8bit)
		buf_adds(out, " BODY=8BITMIME");
	if (ext->smtputf8 && t->smtputf8)
		buf_adds(out, " SMTPUTF8");
	if (ext->requiretls && t->requiretls)
		buf_adds(out, " REQUIRETLS");
	if (ext->dsn && t->ret.len > 0) {
		buf_adds(out, " RET=");
		buf_add(out, t->ret);
	}
	if (ext->dsn && t->envid.len > 0) {
		buf_adds(out, " ENVID=");
		smtp_xtext_add(out, t->envid);
	}
	return buf_failed(out) ? -1 : 0;
}

int smtp_rcpt_add(struct buf *out, const struct smtp_recipient *to,
		  const struct smtp_extensions *ext) {
	buf_adds(out, "RCPT TO:<");
	buf_add(out, to->address);
	buf_adds(out, ">");
	if (ext->dsn && to->notify.len > 0) {
		buf_adds(out, " NOTIFY=");
		buf_add(out, to->notify);
	}
	if (ext->dsn && to->orcpt.len > 0) {
		size_t before = out->len;
		buf_adds(out, " ORCPT=");
		if (smtp_orcpt_add(out, to->orcpt) != 0 && !buf_failed(out))
			buf_truncate(out, before);
	}
	return buf_failed(out) ? -1 : 0;
}
