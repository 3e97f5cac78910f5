/* From parts to what submission.h takes; see send.h. */

#include <sysexits.h>

#include "cli/send.h"

#define HEADER_MAX (16u << 20)

int send_build(struct send_call *c, struct compose *mail, struct span text,
	       struct span html, struct send_built *b, struct err *err) {
	int r;
	buf_init(&b->header, HEADER_MAX);
	buf_init(&b->encoded, SIZE_MAX / 4);
	if (send_content_is_text(&c->content, html)) {
		r = compose_finish(mail, text, &b->header, &b->encoded, &c->s.body, err);
	} else {
		r = compose_head(mail, &b->header, err) != 0 ||
				    send_content_begin(&c->content, text, html,
						       &b->header, err) != 0
			    ? -1
			    : 0;
		c->s.source = (struct intake_source){ send_content_read, &c->content };
	}
	c->s.header = buf_span(&b->header);
	if (r == 0)
		return EX_OK;
	return err->kind == ERR_MEMORY || err->kind == ERR_SYSTEM ? EX_TEMPFAIL
								  : EX_DATAERR;
}

void send_built_release(struct send_built *b) {
	buf_release(&b->header);
	buf_release(&b->encoded);
}
