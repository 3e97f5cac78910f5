/* What counts as a change of a domain, and that what was found is read again. */

#include "deliver/watch_result.h"

#include "lib/spool.h"
#include "tap.h"

#define MX "record\texample.org\tMX\t10 mx1.example.org.\n"
#define SPF "record\texample.org\tTXT\t\"v=spf1 mx -all\"\n"
#define SPF2 "record\texample.org\tTXT\t\"v=spf1 -all\"\n"
#define NO_SPF "record\texample.org\tTXT\t-\n"
#define ANY_SPF "record\texample.org\tTXT\t?\n"
#define NO_STS "record\t_mta-sts.example.org\tTXT\t-\n"
#define STS "record\t_mta-sts.example.org\tTXT\t\"v=STSv1; id=1\"\n"
#define WEAK "warn\tdmarc.p_none\texample.org\tthe policy is none\n"
#define WEAKER "fail\tdmarc.p_none\texample.org\tthe policy is none\n"
#define NO_CAA_ANSWER "record\texample.org\tCAA\t?\n"
#define BAD "fail\tspf.multiple\texample.org\tthere are 2 SPF records\n"
#define LISTED "fail\tbl.listed\t192.0.2.1\tzen.example: SBL: a source of spam\n"
#define LISTED2 "fail\tbl.listed\t192.0.2.1\tpsbl.example: sent to a spam trap\n"
#define FREE(name) "include:" name " (in example.org): nobody has registered " name
#define DANGLING(name) "fail\tspf.dangling\texample.org\t" FREE(name) "\n"
#define ZEN_SILENT "unknown\tbl.refused\tzen.example\tno answer in 5 s\n"
#define DIFFER(what) "the name servers differ in " what
#define DISAGREE(what) "warn\tns.disagree\texample.org\t" DIFFER(what) "\n"
#define MX_DISAGREE "warn\tmx.ns_disagree\texample.org\t" DIFFER("MX") "\n"
#define NS_SILENT "warn\tns.silent\tns2.example.org\tasked directly: no answer\n"
#define NS_SILENT3 "warn\tns.silent\tns3.example.org\tasked directly: no answer\n"
#define OK "ok\tspf.ok\texample.org\tas it should be\ninfo\tcaa.none\texample.org\tnone\n"
#define SOON "warn\ttls.expires_soon\tmx1.example.org\tthe certificate expires in 9 days\n"
#define SOON8 "warn\ttls.expires_soon\tmx1.example.org\tthe certificate expires in 8 days\n"
#define LATE "fail\ttls.expires_soon\tmx1.example.org\tthe certificate expires in 2 days\n"
#define REFUSED "fail\tconn.refused\tmx1.example.org\tcannot connect: refused\n"

struct step {
	const char *dns, *probe; /* dns NULL: it failed; probe NULL: that did */
	enum watch_news news;
	const char *text;
	enum watch_level verdict;
};

#define STEPS_MAX 7
static const struct {
	const char *label;
	struct step step[STEPS_MAX];
} stories[] = {
	{ "the first result is no change",
	  { { MX SPF WEAK OK, "", WATCH_NOTHING, "", WATCH_WARN },
	    { MX SPF WEAK OK, "", WATCH_NOTHING, "", WATCH_WARN } } },
	{ "but what is bad in it is told",
	  { { MX BAD OK, "", WATCH_BAD, "found fail (spf.multiple): there are 2 SPF records",
	      WATCH_FAIL },
	    { MX BAD OK, "", WATCH_NOTHING, "", WATCH_FAIL },
	    { MX OK, "", WATCH_GOOD, "no more fail (spf.multiple): there are 2 SPF records",
	      WATCH_OK } } },
	{ "a second term of SPF that is as bad as the first",
	  { { MX DANGLING("a.example"), "", WATCH_BAD,
	      "found fail (spf.dangling): " FREE("a.example"), WATCH_FAIL },
	    { MX DANGLING("a.example") DANGLING("b.example"), "", WATCH_BAD,
	      "new fail (spf.dangling): " FREE("b.example"), WATCH_FAIL },
	    { MX DANGLING("b.example"), "", WATCH_CHANGED,
	      "no more fail (spf.dangling): " FREE("a.example"), WATCH_FAIL } } },
	{ "a record that changes",
	  { { MX SPF OK, "", WATCH_NOTHING, "", WATCH_OK },
	    { MX SPF2 OK, "", WATCH_CHANGED,
	      "example.org TXT was \"v=spf1 mx -all\", is now \"v=spf1 -all\"", WATCH_OK },
	    { MX SPF2 OK, "", WATCH_NOTHING, "", WATCH_OK },
	    { MX NO_SPF OK, "", WATCH_CHANGED,
	      "example.org TXT was \"v=spf1 -all\", is now not there", WATCH_OK } } },
	{ "one more record, and the order of them",
	  { { SPF SPF2, "", WATCH_NOTHING, "", WATCH_OK },
	    { SPF2 SPF, "", WATCH_NOTHING, "", WATCH_OK },
	    { SPF, "", WATCH_CHANGED,
	      "example.org TXT was \"v=spf1 -all\", \"v=spf1 mx -all\", is now \"v=spf1 mx "
	      "-all\"",
	      WATCH_OK } } },
	{ "a record where none was",
	  { { MX NO_STS, "", WATCH_NOTHING, "", WATCH_OK },
	    { MX STS, "", WATCH_CHANGED,
	      "_mta-sts.example.org TXT was not there, is now \"v=STSv1; id=1\"", WATCH_OK } } },
	{ "a name that is asked for the first time, and one that is not any more",
	  { { MX SPF, "", WATCH_NOTHING, "", WATCH_OK },
	    { MX STS, "", WATCH_NOTHING, "", WATCH_OK } } },
	{ "what changes together is told together",
	  { { MX SPF, "", WATCH_NOTHING, "", WATCH_OK },
	    { MX SPF2 BAD, "", WATCH_BAD,
	      "new fail (spf.multiple): there are 2 SPF records; example.org TXT was "
	      "\"v=spf1 mx -all\", is now \"v=spf1 -all\"",
	      WATCH_FAIL } } },
	{ "a question without an answer is no change",
	  { { MX SPF BAD, "", WATCH_BAD, "found fail (spf.multiple): there are 2 SPF records",
	      WATCH_FAIL },
	    { MX ANY_SPF, "", WATCH_NOTHING, "", WATCH_UNKNOWN },
	    { ANY_SPF, "", WATCH_NOTHING, "", WATCH_UNKNOWN },
	    { MX SPF BAD, "", WATCH_NOTHING, "", WATCH_FAIL } } },
	{ "unless it lasts: then it is told, once, and when it is over",
	  { { MX SPF, "", WATCH_NOTHING, "", WATCH_OK },
	    { MX ANY_SPF, "", WATCH_NOTHING, "", WATCH_UNKNOWN },
	    { NULL, "", WATCH_NOTHING, "", WATCH_UNKNOWN },
	    { MX ANY_SPF, "", WATCH_SILENT,
	      "3 checks in a row did not tell all: no answer to the question for TXT of "
	      "example.org",
	      WATCH_UNKNOWN },
	    { MX ANY_SPF, "", WATCH_NOTHING, "", WATCH_UNKNOWN },
	    { MX SPF, "", WATCH_GOOD, "all questions are answered again", WATCH_OK },
	    { MX SPF, "", WATCH_NOTHING, "", WATCH_OK } } },
	{ "what changed during such a time is told",
	  { { MX SPF, "", WATCH_NOTHING, "", WATCH_OK },
	    { MX ANY_SPF BAD, "", WATCH_BAD, "new fail (spf.multiple): there are 2 SPF records",
	      WATCH_UNKNOWN },
	    { MX SPF2, "", WATCH_GOOD,
	      "no more fail (spf.multiple): there are 2 SPF records; example.org TXT was "
	      "\"v=spf1 mx -all\", is now \"v=spf1 -all\"",
	      WATCH_OK } } },
	{ "nothing is known before the first whole answer",
	  { { MX ANY_SPF BAD, "", WATCH_NOTHING, "", WATCH_UNKNOWN },
	    { NULL, "", WATCH_NOTHING, "", WATCH_UNKNOWN },
	    { NULL, "", WATCH_SILENT, "3 checks in a row did not tell all: broken",
	      WATCH_UNKNOWN },
	    { MX SPF WEAK, "", WATCH_CHANGED, "all questions are answered again",
	      WATCH_WARN } } },
	{ "each blocklist by itself",
	  { { MX, "", WATCH_NOTHING, "", WATCH_OK },
	    { MX LISTED, "", WATCH_BAD,
	      "new fail (bl.listed, 192.0.2.1): zen.example: SBL: a source of spam",
	      WATCH_FAIL },
	    { MX LISTED LISTED2, "", WATCH_BAD,
	      "new fail (bl.listed, 192.0.2.1): psbl.example: sent to a spam trap",
	      WATCH_FAIL },
	    { MX ZEN_SILENT, "", WATCH_CHANGED,
	      "no more fail (bl.listed, 192.0.2.1): psbl.example: sent to a spam trap",
	      WATCH_FAIL },
	    { MX, "", WATCH_GOOD,
	      "no more fail (bl.listed, 192.0.2.1): zen.example: SBL: a source of spam",
	      WATCH_OK } } },
	{ "the days of a certificate are no change, its threshold is",
	  { { MX, SOON, WATCH_NOTHING, "", WATCH_WARN },
	    { MX, SOON8, WATCH_NOTHING, "", WATCH_WARN },
	    { MX, LATE, WATCH_BAD,
	      "now fail (tls.expires_soon, mx1.example.org): the certificate expires in 2 days",
	      WATCH_FAIL },
	    { MX, NULL, WATCH_NOTHING, "", WATCH_FAIL },
	    { MX, REFUSED, WATCH_NOTHING, "", WATCH_FAIL },
	    { MX, "", WATCH_GOOD,
	      "no more fail (tls.expires_soon, mx1.example.org): the certificate expires in 2 "
	      "days",
	      WATCH_OK } } },
	{ "what no server answers to a probe is no trouble of the domain",
	  { { MX, "", WATCH_NOTHING, "", WATCH_OK },
	    { MX, REFUSED, WATCH_NOTHING, "", WATCH_OK } } },
	{ "a server that never answers one sort of question",
	  { { MX SPF NO_CAA_ANSWER, "", WATCH_NOTHING, "", WATCH_OK },
	    { MX SPF2 NO_CAA_ANSWER, "", WATCH_CHANGED,
	      "example.org TXT was \"v=spf1 mx -all\", is now \"v=spf1 -all\"", WATCH_OK } } },
	{ "the same finding twice",
	  { { MX WEAKER WEAK WEAKER, "", WATCH_BAD, "found fail (dmarc.p_none): the policy is none",
	      WATCH_FAIL },
	    { MX WEAKER WEAK, "", WATCH_NOTHING, "", WATCH_FAIL },
	    { MX WEAK WEAKER, "", WATCH_NOTHING, "", WATCH_FAIL } } },
	{ "name servers that differ in one more record",
	  { { MX DISAGREE("SPF"), "", WATCH_NOTHING, "", WATCH_WARN },
	    { MX DISAGREE("SPF") DISAGREE("DMARC"), "", WATCH_BAD,
	      "new warn (ns.disagree): " DIFFER("DMARC"), WATCH_WARN },
	    { MX DISAGREE("DMARC"), "", WATCH_CHANGED,
	      "no more warn (ns.disagree): " DIFFER("SPF"), WATCH_WARN } } },
	{ "a name server that is silent now and then is no change",
	  { { MX DISAGREE("SPF") MX_DISAGREE, "", WATCH_NOTHING, "", WATCH_WARN },
	    { MX NS_SILENT, "", WATCH_NOTHING, "", WATCH_WARN },
	    { MX DISAGREE("SPF") MX_DISAGREE, "", WATCH_NOTHING, "", WATCH_WARN },
	    { MX NS_SILENT DISAGREE("SPF") MX_DISAGREE, "", WATCH_NOTHING, "", WATCH_WARN },
	    { MX NS_SILENT3 DISAGREE("SPF") MX_DISAGREE, "", WATCH_NOTHING, "", WATCH_WARN } } },
	{ "one that is silent twice in a row is",
	  { { MX NS_SILENT, "", WATCH_NOTHING, "", WATCH_OK },
	    { MX, "", WATCH_NOTHING, "", WATCH_OK },
	    { MX NS_SILENT, "", WATCH_NOTHING, "", WATCH_OK },
	    { MX NS_SILENT, "", WATCH_BAD,
	      "new warn (ns.silent, ns2.example.org): asked directly: no answer", WATCH_WARN },
	    { MX NS_SILENT, "", WATCH_NOTHING, "", WATCH_WARN },
	    { MX, "", WATCH_GOOD,
	      "no more warn (ns.silent, ns2.example.org): asked directly: no answer",
	      WATCH_OK } } },
	{ "something better, and something still bad",
	  { { MX BAD WEAK, "", WATCH_BAD, "found fail (spf.multiple): there are 2 SPF records",
	      WATCH_FAIL },
	    { MX WEAK, "", WATCH_CHANGED,
	      "no more fail (spf.multiple): there are 2 SPF records", WATCH_WARN } } },
};

static void take_step(struct watchstate *s, const struct step *p, const char *label, int n) {
	struct watch_round round = { .failed = p->dns ? NULL : "broken" };
	AUTO_BUF struct buf text = BUF_INIT(65536);
	struct err err = ERR_INIT;
	if (p->dns && watch_read_dns(span_str(p->dns), &round, &err) != 0)
		ok(false, "%s, %d: %s", label, n, err.msg);
	if (p->probe && watch_read_probe(span_str(p->probe), &round, &err) != 0)
		ok(false, "%s, %d: %s", label, n, err.msg);
	is_int(watch_compare(s, &round, &text), p->news, "%s, %d: what sort of news", label, n);
	is_str(buf_str(&text), p->text, "%s, %d: in these words", label, n);
	is_int(watch_verdict(s), p->verdict, "%s, %d: the verdict", label, n);
	watch_round_release(&round);
}

/* As over a restart. */
static void write_and_read(struct watchstate *s) {
	AUTO_BUF struct buf bytes = BUF_INIT(1u << 20);
	struct watchstate again;
	if (watchstate_add(&bytes, s) != 0 || watchstate_parse(buf_span(&bytes), &again, 1) != 1) {
		ok(false, "the state can be written and read");
		return;
	}
	watchstate_release(s);
	*s = again;
}

static void test_stories(bool restart) {
	for (size_t i = 0; i < sizeof(stories) / sizeof(stories[0]); i++) {
		struct watchstate s = { .domain = "example.org" };
		for (int n = 0; n < STEPS_MAX && stories[i].step[n].text; n++) {
			take_step(&s, &stories[i].step[n], stories[i].label, n + 1);
			if (restart)
				write_and_read(&s);
		}
		watchstate_release(&s);
	}
}

static void test_output(void) {
	static const struct {
		const char *label, *text;
		bool good;
	} cases[] = {
		{ "nothing", "", true },
		{ "a severity that nobody knows", "bad\tx.y\texample.org\ttext\n", false },
		{ "too few fields", "fail\tx.y\texample.org\n", false },
		{ "too many", "fail\tx.y\texample.org\ttext\tmore\n", false },
		{ "words of another program", "Segmentation fault\n", false },
		{ "a severity for people alone", "n/a\tx.y\texample.org\ttext\n", true },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct watch_round r = { .failed = NULL };
		bool dns = watch_read_dns(span_str(cases[i].text), &r, NULL) == 0;
		bool probe = watch_read_probe(span_str(cases[i].text), &r, NULL) == 0;
		ok(dns == cases[i].good && probe == cases[i].good, "output: %s", cases[i].label);
		watch_round_release(&r);
	}
	struct watch_round r = { .failed = NULL };
	watch_read_dns(SPAN("fail\tx.y\texample.org\t\x1b[31mred\n"), &r, NULL);
	is_str(r.finding.count ? r.finding.at[0].word[WATCH_TEXT] : "", "\\x1b[31mred",
	       "what a terminal obeys is made harmless");
	watch_round_release(&r);
	static const struct {
		const char *label, *text;
		bool want;
	} hosts[] = {
		{ "an MX record", MX, true },
		{ "none", "record\texample.org\tMX\t-\n", false },
		{ "no answer", "record\texample.org\tMX\t?\n", false },
		{ "a null MX", "record\texample.org\tMX\t0 .\n", false },
		{ "that of another name", "record\ta.example.org\tMX\t10 b.\n", false },
	};
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		watch_read_dns(span_str(hosts[i].text), &r, NULL);
		ok(watch_has_mx(&r, "example.org") == hosts[i].want, "takes mail: %s",
		   hosts[i].label);
		watch_round_release(&r);
	}
}

static void test_file(void) {
	struct err err = ERR_INIT;
	struct queue *q = queue_open(spool_make(), &err);
	struct watchstate in = { .domain = "example.org", .known = true, .verdict = WATCH_FAIL,
				 .silent = 2, .why = "no \"answer\" \xff\n 100 %", .changed_s = 77,
				 .checked = { .wall_ms = 5, .boot_ms = 6, .boot_id = 7 } };
	struct watchstate out[3];
	AUTO_BUF struct buf bytes = BUF_INIT(1u << 20);
	in.change = span_dup(SPAN("a = b; \xc3\xa4"));
	watch_items_add(&in.finding, WATCH_FAIL,
			(struct span[]){ SPAN("a.b"), SPAN("s t"), SPAN("") });
	watch_items_add(&in.record, WATCH_OK,
			(struct span[]){ SPAN("n"), SPAN("MX"), SPAN("10 x.") });
	is_int((int64_t)watchstate_read(q, out, 3), 0, "without a file nothing is known");
	is_int(watchstate_add(&bytes, &in), 0, "a domain is written");
	size_t one = bytes.len;
	is_int(watchstate_add(&bytes, &in), 0, "and another one");
	is_int(watchstate_write(q, buf_span(&bytes), &err), 0, "into the file %s", err.msg);
	is_int((int64_t)watchstate_read(q, out, 3), 2, "both are read");
	ok(out[0].known && out[0].verdict == WATCH_FAIL && out[0].silent == 2 &&
		   out[0].changed_s == 77 && out[0].checked.boot_id == 7 &&
		   out[0].finding.count == 1 && out[0].record.count == 1,
	   "with all that is known");
	is_str(out[0].why, in.why, "why not all was told");
	is_str(out[0].change, in.change, "what changed");
	is_str(out[1].finding.at[0].word[WATCH_SUBJECT], "s t", "a finding");
	is_str(out[1].record.at[0].word[WATCH_VALUE], "10 x.", "a record");
	watchstate_release(&out[0]);
	watchstate_release(&out[1]);
	bool whole = true;
	for (size_t cut = 0; cut < bytes.len; cut++) {
		size_t n = watchstate_parse(span_head(buf_span(&bytes), cut), out, 3);
		whole &= n == (cut >= one);
		while (n > 0)
			watchstate_release(&out[--n]);
	}
	ok(whole, "of a file that was cut only what is whole is read");
	watchstate_release(&in);
	queue_free(q);
}

int main(void) {
	test_stories(false);
	test_stories(true);
	test_output();
	test_file();
	return done_testing();
}
