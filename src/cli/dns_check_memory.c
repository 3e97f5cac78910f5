/* The file of --state, read and replaced as a whole. */

#include "cli/dns_check_memory.h"

#include <fcntl.h>
#include <stdio.h>

#include "base/auto.h"
#include "base/codec.h"
#include "base/file.h"

#define FILE_MAX (4u << 20)
#define WORD "mta-sts"

/* Reads a line; false: it is not about that domain. */
static bool take(struct span line, const char *domain, struct span *id, struct span *hash) {
	struct span word, name;
	return span_take_word(&line, &word) && span_eq(word, SPAN(WORD)) &&
	       span_take_word(&line, &name) && span_eq(name, span_str(domain)) &&
	       span_take_word(&line, id) && span_take_word(&line, hash);
}

static int read_file(const char *file, struct buf *out, struct err *err) {
	if (file_read(AT_FDCWD, file, out, err) == 0)
		return 0;
	return err->kind == ERR_MISSING ? 0 : -1;
}

static bool read_hash(struct span text, struct crypto_digest *ret) {
	uint64_t byte;
	for (size_t i = 0; i < sizeof(ret->byte); i++) {
		if (!span_take_hex(&text, 2, &byte))
			return false;
		ret->byte[i] = (uint8_t)byte;
	}
	return text.len == 0;
}

int dns_check_memory_read(const char *file, struct dnscheck *check, struct err *err) {
	AUTO_BUF struct buf text = BUF_INIT(FILE_MAX);
	struct span rest, line, id, hash;
	if (read_file(file, &text, err) != 0)
		return -1;
	for (rest = buf_span(&text); span_take_line(&rest, &line);)
		if (take(line, check->domain, &id, &hash) && id.len <= STS_ID_MAX &&
		    read_hash(hash, &check->sts_before_hash))
			snprintf(check->sts_before_id, sizeof(check->sts_before_id), "%.*s",
				 (int)id.len, id.p);
	return 0;
}

int dns_check_memory_write(const char *file, const struct dnscheck *check, struct err *err) {
	AUTO_BUF struct buf old = BUF_INIT(FILE_MAX), out = BUF_INIT(FILE_MAX);
	struct span rest, line, id, hash;
	const char *status = check->facts.sts_status;
	if (!status || strcmp(status, "valid") != 0)
		return 0;
	if (read_file(file, &old, err) != 0)
		return -1;
	for (rest = buf_span(&old); span_take_line(&rest, &line);)
		if (!take(line, check->domain, &id, &hash))
			buf_addf(&out, "%.*s\n", (int)line.len, line.p);
	/* Under the same id the policy of then stays the one that senders have. */
	bool same = strcmp(check->sts_before_id, check->facts.sts_id) == 0;
	const struct crypto_digest *seen = same ? &check->sts_before_hash
						: &check->facts.sts_hash;
	buf_addf(&out, WORD " %s %s ", check->domain, check->facts.sts_id);
	for (size_t i = 0; i < sizeof(seen->byte); i++)
		buf_addf(&out, "%02x", seen->byte[i]);
	if (buf_addc(&out, '\n') != 0)
		return err_set(err, ERR_LIMIT, "%s has grown too long", file);
	return file_replace(AT_FDCWD, file, 0644, buf_span(&out), err);
}
