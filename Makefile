# nightmail: `make` builds, `make demo` shows, `make check` tests. Local choices go into
# config.mk. Everything is found by globs: a new source file or test needs no line here.

-include config.mk

comma := ,
ifeq ($(origin CC),default)
CC = gcc
endif
BUILD ?= build/$(if $(SAN),san-$(subst $(comma),-,$(SAN)),release)
VERSION ?= 0.1
PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
SBINDIR ?= $(PREFIX)/sbin
LIBEXECDIR ?= $(PREFIX)/libexec/nightmail
MANDIR ?= $(PREFIX)/share/man
DATADIR ?= $(PREFIX)/share
SYSTEMDIR ?= $(PREFIX)/lib
SYSCONFDIR ?= /etc/nightmail
STATEDIR ?= /var/spool/nightmail
RUNDIR ?= /run/nightmail
MTA_PREFIX ?= /usr
# A directory that keeps sendmail and mailq away from the names they share with every other MTA:
# where packages want them. Without it they stand in SBINDIR and BINDIR.
MTADIR ?=
MAILQDIR = $(or $(MTADIR),$(BINDIR))
SENDMAILDIR = $(or $(MTADIR),$(SBINDIR))
ZSHDIR ?= $(DATADIR)/zsh/site-functions
DEB_DIR ?= $(BUILD)/packages
DEB_REVISION ?= 1
FUZZ_SECONDS ?= 20

BUILD_PKGS = gcc libc6-dev make pkg-config libgnutls28-dev libgsasl-dev libidn2-dev libjansson-dev \
	libpsl-dev publicsuffix libcurl4-gnutls-dev libsecret-1-dev \
	libncurses-dev libseccomp-dev libunbound-dev libevent-dev
TEST_PKGS = clang libclang-rt-14-dev llvm perl gnutls-bin openssl swaks \
	libnet-ssleay-perl s-nail mutt git git-email libmailtools-perl pmccabe mandoc cppcheck \
	valgrind strace python3 jq procps tmux e2fsprogs xfsprogs btrfs-progs dpkg-dev debootstrap \
	iproute2 nsd unbound ldnsutils gnome-keyring dbus krb5-kdc krb5-admin-server krb5-user \
	python3-dkim python3-nacl libmail-dkim-perl opendkim-tools

PROGRAMS = nightmaild nightmail-deliver nightmail-resolve nightmail-session nightmail-fetch nightmail-secret nightmail-drop send sendmail mailq nightmail dns-check header-trace smtp-probe
MAINS := $(foreach p,$(PROGRAMS),src/bin/$(subst -,_,$p).c)
# FOLDERS="base config" builds an archive of these alone.
FOLDERS ?= *
# tui/ is the dashboard, which an archive of some folders goes without.
LIB_SRCS := $(filter-out $(MAINS),$(wildcard $(FOLDERS:%=src/%/*.c) $(if \
	$(filter *,$(FOLDERS)),tui/*.c)))
LIB_OBJS := $(LIB_SRCS:%.c=$(BUILD)/obj/%.o)
LIB = $(BUILD)/libnightmail.a
TEST_LIB_OBJS := $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard tests/unit/lib/*.c))
UNIT_TESTS := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(wildcard tests/unit/test_*.c))
TOOLS := $(patsubst tests/tools/%.c,$(BUILD)/tools/%,$(wildcard tests/tools/*.c))
FUZZERS := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
SCRIPT_TESTS = $(sort $(wildcard tests/cli/*.t tests/smtp/*.t tests/e2e/*.t))
SCRIPTS = $(wildcard src/etc/*.sh src/etc/debian/nightmail.* tests/*.sh tests/*/*.sh tests/*/*.t .ci/run)

# Libraries. Targets that only prepare or clean do without.
PKGS = libcurl gnutls libgsasl libidn2 jansson libpsl libseccomp ncursesw libunbound
ifneq ($(filter-out clean deps test-deps demo check peers lint format fuzz install-files \
	uninstall install-mta uninstall-mta,$(or $(MAKECMDGOALS),all)),)
MISSING := $(shell for p in $(PKGS) libsecret-1; do pkg-config --exists $$p || echo $$p; done)
ifneq ($(MISSING),)
$(error missing libraries: $(MISSING); 'make deps' says how to install them)
endif
# -D_GNU_SOURCE below says all that these do.
PKG_CFLAGS := $(filter-out -D_%,$(shell pkg-config --cflags $(PKGS)))
LIBS := $(shell pkg-config --libs $(PKGS))
endif

WARN = -Wall -Wextra -Wpedantic -Wshadow -Wvla -Wundef -Wformat=2 -Wcast-qual -Wpointer-arith \
	-Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wwrite-strings \
	-Wswitch-enum -Wimplicit-fallthrough -Wnull-dereference -Wdouble-promotion \
	-Wconversion -Wno-sign-conversion -fno-common
IS_CLANG := $(shell $(CC) --version 2>/dev/null | grep -c clang)
ifeq ($(IS_CLANG),0)
WARN += -Wlogical-op -Wduplicated-cond -Wduplicated-branches
endif
ifeq ($(WERROR),1)
WARN += -Werror
endif
HARDEN = -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fstack-clash-protection
ifeq ($(shell uname -m),x86_64)
HARDEN += -fcf-protection=full
endif
OPTIMIZE ?= -O2
ifneq ($(SAN),)
HARDEN = -fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer -DKEEP_DUMPABLE
OPTIMIZE = -O1
endif
PATHS = -DLIBEXECDIR='"$(LIBEXECDIR)"' -DBINDIR='"$(BINDIR)"' -DMAILQDIR='"$(MAILQDIR)"' -DSYSCONFDIR='"$(SYSCONFDIR)"' \
	-DVERSION='"$(VERSION)"' -DSTATEDIR='"$(STATEDIR)"' -DRUNDIR='"$(RUNDIR)"'
CPPFLAGS += -D_GNU_SOURCE -Isrc -I. $(PATHS) $(PKG_CFLAGS)
COMPILE = $(CC) -std=c11 $(CPPFLAGS) $(OPTIMIZE) -g -fPIE -ffunction-sections \
	-fdata-sections $(WARN) $(HARDEN) $(CFLAGS)
# Started once for every message, where loading libc is half of the work, or there all the time,
# where only what is used of it should be: these bring it along.
STATIC ?= $(if $(SAN),,nightmaild nightmail-drop send sendmail)
# Their relocations in a tenth of the space, where the linker knows how.
RELR := $(shell ld --help 2>/dev/null | grep -q pack-relative-relocs && \
	echo -Wl,-z,pack-relative-relocs)
LINK_MODE = -pie
LINK = $(COMPILE) $(LINK_MODE) -Wl,-z,relro,-z,now -Wl,-z,noexecstack -Wl,--as-needed \
	-Wl,--gc-sections $(LDFLAGS)
SAN_LOG = $(abspath $(BUILD))/findings
# What the leak checker says when its process is killed under its hands, as tests do on purpose.
NO_FINDING = Unable to get registers from thread
TEST_ENV = NIGHTMAIL_BUILD=$(abspath $(BUILD)) \
	ASAN_OPTIONS=detect_stack_use_after_return=1:log_path=$(SAN_LOG)/asan \
	UBSAN_OPTIONS=print_stacktrace=1:log_path=$(SAN_LOG)/ubsan

.DELETE_ON_ERROR:
.PHONY: all tests check check-run analyze lint format fuzz deps test-deps peers demo bench install \
	install-files uninstall install-mta uninstall-mta deb clean FORCE

all: $(PROGRAMS:%=$(BUILD)/%)
tests: $(UNIT_TESTS) $(TOOLS)

# The stamp changes only when the command line of the compiler does.
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' "$$FLAGS_LINE" | cmp -s - $@ || printf '%s\n' "$$FLAGS_LINE" >$@
export FLAGS_LINE = $(LINK) $(LIBS) static: $(STATIC)

$(BUILD)/obj/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(COMPILE) -Itests/unit -MMD -MP -c -o $@ $<
$(LIB): $(LIB_OBJS)
	rm -f $@
	ar rcs $@ $^
define PROGRAM_RULE
$(BUILD)/$(1): $(BUILD)/obj/src/bin/$(subst -,_,$(1)).o $$(LIB)
	$$(LINK) -o $$@ $$^ $$(LIBS)
endef
$(foreach p,$(PROGRAMS),$(eval $(call PROGRAM_RULE,$p)))
# The one program with GLib, whose headers are not of our strictness.
$(BUILD)/nightmail-secret: private LIBS += $(shell pkg-config --libs libsecret-1)
$(BUILD)/obj/src/bin/nightmail_secret.o: private PKG_CFLAGS += $(patsubst -I%,-isystem%,$(shell \
	pkg-config --cflags libsecret-1))
$(STATIC:%=$(BUILD)/%): private LINK_MODE = -static-pie $(RELR)
$(STATIC:%=$(BUILD)/%): private LIBS =
$(filter %/nightmaild,$(STATIC:%=$(BUILD)/%)): private LIBS = -lseccomp
$(BUILD)/tests/%: $(BUILD)/obj/tests/unit/%.o $(TEST_LIB_OBJS) $(LIB)
	@mkdir -p $(@D)
	$(LINK) -o $@ $^ $(LIBS)
$(BUILD)/tools/%: $(BUILD)/obj/tests/tools/%.o $(TEST_LIB_OBJS) $(LIB)
	@mkdir -p $(@D)
	$(LINK) -o $@ $^ $(LIBS)
$(BUILD)/fuzz/%: $(BUILD)/obj/tests/fuzz/%.o $(LIB)
	@mkdir -p $(@D)
	$(LINK) -fsanitize=fuzzer -o $@ $^ $(LIBS)
.SECONDARY:
-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)

check:
	@$(MAKE) --no-print-directory test-deps
	@$(MAKE) --no-print-directory peers
	@$(MAKE) --no-print-directory check-run
check-run: all tests
	rm -rf $(SAN_LOG) && mkdir -p $(SAN_LOG)
	$(TEST_ENV) prove -j4 $(UNIT_TESTS) $(SCRIPT_TESTS)
	@found=$$(grep -lv '$(NO_FINDING)' $(SAN_LOG)/* 2>/dev/null); \
		if [ -n "$$found" ]; then cat $$found; \
		echo 'a sanitizer found the above'; exit 1; fi

# gcc 12 loses track of memory that is owned through a pointer to a pointer: leaks are the
# business of the leak sanitizer, which all tests run under.
ANALYZE_OFF = -Wno-analyzer-malloc-leak -Wno-analyzer-use-of-uninitialized-value
analyze:
	@for f in $(LIB_SRCS) $(MAINS); do echo "$$f"; \
		$(COMPILE) -fanalyzer $(ANALYZE_OFF) -Werror -c -o /dev/null $$f || exit 1; done

# Functions that may be long or branchy: each one is one switch over one enum or one table.
LINT_ALLOW =
# cppcheck knows neither AUTO_FREE nor who checks for NULL across files.
lint:
	pmccabe $(wildcard src/*/*.c tui/*.c) | awk -v allow=" $(LINT_ALLOW) " \
		'($$1 > 25 || $$5 > 120) && !index(allow, " " $$NF " ") \
		{ print "too long or too complex: " $$0; bad = 1 } END { exit bad }'
	$(if $(wildcard man/*),mandoc -Tlint -W warning $(wildcard man/*))
	for f in $(SCRIPTS); do sh=$$(sed -n '1s|^#!.*[/ ]\(ba\)\{0,1\}sh.*|\1sh|p' $$f); \
		test -z "$$sh" || $$sh -n $$f || exit 1; done
	cppcheck -q --std=c11 --error-exitcode=1 --inline-suppr --enable=warning,performance,portability \
		--suppress=missingIncludeSystem --suppress=memleak --suppress=resourceLeak \
		--suppress=ctunullpointer --include=tests/cppcheck.h -D__linux__ -Isrc -I. src tui

# Brings all C files into the shape that .clang-format describes.
format:
	clang-format -i $(wildcard src/*/*.[ch] tui/*.[ch] tests/*/*.[ch] tests/*/*/*.[ch])

fuzz:
	$(MAKE) BUILD=build/fuzz CC=clang SAN=fuzzer-no-link,address,undefined \
		$(FUZZERS:%=build/fuzz/fuzz/%)
	@for f in $(FUZZERS); do echo "$$f"; mkdir -p build/fuzz/corpus/$$f; \
		build/fuzz/fuzz/$$f -max_total_time=$(FUZZ_SECONDS) -verbosity=0 -print_final_stats=1 \
		-artifact_prefix=build/fuzz/$$f- $$(test ! -f tests/fuzz/$$f.dict || \
		echo -dict=tests/fuzz/$$f.dict) build/fuzz/corpus/$$f \
		$$(test ! -d tests/data/$$f || echo tests/data/$$f) || exit 1; done

deps:
	@sh src/etc/deps.sh $(BUILD_PKGS)
test-deps:
	@sh src/etc/deps.sh $(BUILD_PKGS) $(TEST_PKGS)
peers:
	@sh tests/peers.sh
demo:
	@MAKE="$(MAKE)" BUILD_PKGS="$(BUILD_PKGS)" sh tests/demo.sh
bench: all tests
	bash tests/bench/dkim.sh $(abspath $(BUILD))
	bash tests/bench/run.sh $(abspath $(BUILD))

FILL = sed -e 's|@BINDIR@|$(BINDIR)|g' -e 's|@SBINDIR@|$(SBINDIR)|g' -e 's|@STATEDIR@|$(STATEDIR)|g' \
	-e 's|@LIBEXECDIR@|$(LIBEXECDIR)|g' -e 's|@RUNDIR@|$(RUNDIR)|g' -e 's|@SYSCONFDIR@|$(SYSCONFDIR)|g'
# install_filled NAME,DEST: a file of src/etc with the directories filled in.
install_filled = $(FILL) src/etc/$(1) | install -D -m 644 /dev/stdin $(DESTDIR)$(2)
# Set-gid to the group where it is known already; tmpfiles.d does it in the end.
DROP_RIGHTS = $(if $(DESTDIR),-m 2755,$(shell test "$$(id -u)" != 0 && echo -m 755 || \
	{ getent group nightmail-drop >/dev/null && echo -m 2755 -g nightmail-drop || echo -m 755; }))
install: all
	@$(MAKE) --no-print-directory install-files
# Without building: what stands in BUILD.
install-files:
	install -d $(addprefix $(DESTDIR),$(BINDIR) $(SBINDIR) $(LIBEXECDIR) $(SYSCONFDIR))
	install -m 755 $(addprefix $(BUILD)/,send nightmail dns-check header-trace smtp-probe) $(DESTDIR)$(BINDIR)
	install -m 755 $(BUILD)/nightmaild $(DESTDIR)$(SBINDIR)
	install -m 755 -D -t $(DESTDIR)$(MAILQDIR) $(BUILD)/mailq
	install -m 755 -D -t $(DESTDIR)$(SENDMAILDIR) $(BUILD)/sendmail
	install -m 755 $(addprefix $(BUILD)/,nightmail-deliver nightmail-resolve nightmail-session nightmail-fetch nightmail-secret) $(DESTDIR)$(LIBEXECDIR)
	install $(DROP_RIGHTS) $(BUILD)/nightmail-drop $(DESTDIR)$(LIBEXECDIR)
	$(call install_filled,nightmail.service,$(SYSTEMDIR)/systemd/system/nightmail.service)
	$(call install_filled,nightmail.socket,$(SYSTEMDIR)/systemd/system/nightmail.socket)
	$(call install_filled,nightmail-user.service,$(SYSTEMDIR)/systemd/user/nightmail.service)
	$(call install_filled,nightmail.sysusers,$(SYSTEMDIR)/sysusers.d/nightmail.conf)
	$(call install_filled,nightmail.tmpfiles,$(SYSTEMDIR)/tmpfiles.d/nightmail.conf)
	$(call install_filled,nightmail.apparmor,$(DATADIR)/doc/nightmail/nightmail.apparmor)
	install -D -m 644 -t $(DESTDIR)$(DATADIR)/doc/nightmail src/etc/nightmail.conf
	for f in man/*; do \
		install -D -m 644 -t $(DESTDIR)$(MANDIR)/man$${f##*.} $$f || exit 1; done
	ln -sf nightmail-send.1 $(DESTDIR)$(MANDIR)/man1/send.1
	for f in completions/*; do n=$$(basename "$${f%.*}"); case $$f in \
		*.bash) t=$(DATADIR)/bash-completion/completions/$$n ;; \
		*.zsh) t=$(ZSHDIR)/_$$n ;; \
		*.fish) t=$(DATADIR)/fish/vendor_completions.d/$$n.fish ;; esac; \
		install -D -m 644 $$f $(DESTDIR)$$t || exit 1; done
	@echo 'users and rights, once installed: systemd-sysusers && systemd-tmpfiles --create'
# Takes away what install puts there, which an installation elsewhere tells, with no need of a
# build; and the links of an MTA, which would lead nowhere.
uninstall: uninstall-mta
	@list=$$(mktemp -d) && mkdir $$list/programs && (cd $$list/programs && touch $(PROGRAMS)) && \
		$(MAKE) -s --no-print-directory install-files BUILD=$$list/programs \
		DESTDIR=$$list/tree >/dev/null && \
		(cd $$list/tree && find . ! -type d) | while read -r file; do \
		rm -f "$(DESTDIR)/$${file#./}"; done; rm -rf "$$list"
	@rmdir $(addprefix $(DESTDIR),$(LIBEXECDIR) $(DATADIR)/doc/nightmail $(SYSCONFDIR)) \
		2>/dev/null; :
	@echo 'queue and configuration stay: $(STATEDIR), $(SYSCONFDIR)'

# sendmail, mailq and their kin below MTA_PREFIX, where every program looks for them.
install-mta uninstall-mta:
	@DESTDIR=$(DESTDIR) sh src/etc/mta-links.sh $(@:-mta=) $(MTA_PREFIX) \
		$(SENDMAILDIR) $(MAILQDIR)

# Debian packages in DEB_DIR, of programs built for below /usr; src/etc/debian/README.Debian
# says what is in which.
DEB_LAYOUT = BUILD=$(DEB_DIR)/programs WERROR= SAN= PREFIX=/usr MTADIR=/usr/libexec/nightmail \
	ZSHDIR=/usr/share/zsh/vendor-completions CFLAGS='$(CFLAGS) -ffile-prefix-map=$(CURDIR)=.'
deb:
	@$(MAKE) --no-print-directory -s $(DEB_LAYOUT) all >&2
	@rm -rf $(DEB_DIR)/tree
	@$(MAKE) --no-print-directory -s $(DEB_LAYOUT) DESTDIR=$(abspath $(DEB_DIR))/tree \
		install-files >/dev/null
	@sh src/etc/deb.sh $(DEB_DIR) $(VERSION)-$(DEB_REVISION)

clean:
	rm -rf build/release build/san-* build/fuzz
