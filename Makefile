# Bough's only Makefile.  `make help` prints the targets.
#
#   settings   what the command line may change
#   flags      compiler, warnings, variants
#   sources    found by folder and name; a new file needs no line here
#   products   libraries, the program, the script runner
#   tests      a binary a file; tests/run runs them and sums up
#   targets    the words for people
#
#   make VARIANT=asan check-unit            the same tests under ASan and UBSan
#   make CC=clang                           another compiler, in objects of its own
#   make FOLDERS="base block" check-unit    a part of the house alone
#   make V=1                                show the commands
#   make WERROR=                            warnings do not stop the build

# --- settings

B        ?= build
VARIANT  ?= release
WERROR   ?= -Werror
PREFIX   ?= /usr/local
JOBS     ?= 2
FUZZ_SECONDS ?= 60
STORE    ?= bough.img

ALL_FOLDERS := base block git store store/log repo merge sync kv fat tar
FOLDERS  ?= $(ALL_FOLDERS)

ifeq ($(origin CC),default)
CC := gcc
endif

MAKEFLAGS += --no-builtin-rules --no-print-directory
.SUFFIXES:
.SECONDARY:
.DELETE_ON_ERROR:

# What a recipe prints: the whole command with V=1, else a word and the file.
AR  := ar
say = $(if $(V),,@echo '  $(1)$(cc) $(or $(2),$(VARIANT)) $@';) $($(1))

# --- flags

WARN := -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wvla -Wundef -Wcast-qual \
        -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings -Wcast-function-type $(WERROR)

# (with sanitizers gcc sees uninitialised variables where there are none)
VARIANT_release := -O2
VARIANT_asan    := -O1 -Wno-maybe-uninitialized -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
VARIANT_tsan    := -O1 -Wno-maybe-uninitialized -fsanitize=thread -fno-omit-frame-pointer
VARIANT_fuzz    := -O1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all \
                   -fno-omit-frame-pointer
ifndef VARIANT_$(VARIANT)
$(error VARIANT is release, asan, tsan or fuzz)
endif
ifeq ($(VARIANT),fuzz)
override CC := clang
endif

# Before tools/deps has run there is no pkg-config; then these are empty and only `deps` can be made.
pkg_has = $(shell pkg-config --exists $(1) 2>/dev/null && echo $(1))
PKGS    := $(foreach p,libuv libmicrohttpd jansson libxxhash libcurl libgit2 lmdb,$(call pkg_has,$(p)))
DEFLATE := $(call pkg_has,libdeflate)

CFLAGS  ?= -g
STD     := -std=c11 -D_GNU_SOURCE -I.
HOSTED  := $(STD) $(WARN) $(VARIANT_$(VARIANT)) $(CFLAGS) $(if $(DEFLATE),-DBOUGH_LIBDEFLATE)
CORE    := -std=c11 -I. $(WARN) -O2 $(CFLAGS) -ffreestanding -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=0
LINK    := $(VARIANT_$(VARIANT)) $(CFLAGS) $(LDFLAGS) -Wl,--as-needed
LIBS    := -lz $(if $(DEFLATE),-ldeflate) $(if $(PKGS),$(shell pkg-config --libs $(PKGS) 2>/dev/null))

# --- sources

WHOLE := $(if $(filter-out $(FOLDERS),$(ALL_FOLDERS)),,yes)
cc    := $(if $(findstring clang,$(CC)),-clang)
empty :=
part  := $(if $(WHOLE),,-$(subst /,.,$(subst $(empty) ,+,$(strip $(FOLDERS)))))
O     := $(B)/$(VARIANT)$(cc)
# What depends on the choice of folders is kept apart, so that a part never replaces the whole.
P     := $(O)$(part)

# (the log engine is a folder of rooms, chosen together)
ROOMS     := $(if $(filter store/log,$(FOLDERS)),$(patsubst %/,%,$(wildcard store/log/*/)))
LIB_SRC   := $(wildcard $(addsuffix /*.c,$(sort base $(FOLDERS) $(ROOMS))))
CORE_SRC  := $(filter-out %_posix.c,$(LIB_SRC))
FRONT_SRC := $(if $(or $(WHOLE),$(filter server cli,$(FOLDERS))),$(filter-out cli/main.c,$(wildcard server/*.c cli/*.c)))
MAIN_SRC  := $(if $(WHOLE),$(wildcard cli/main.c))
HELP_SRC  := $(wildcard tests/lib/*.c)
SIM_SRC   := $(filter-out tests/sim/test_%,$(wildcard tests/sim/*.c))
RUNNER_SRC := $(if $(WHOLE),$(wildcard tests/conform/runner*.c))
FUZZ_SRC  := $(wildcard tests/fuzz/fuzz_*.c)
BENCH_SRC := $(wildcard bench/*.c)

# With a choice of folders: only the tests whose names begin with them.
tops      := $(sort $(foreach f,$(FOLDERS),$(firstword $(subst /, ,$(f)))))
tests_in  = $(if $(WHOLE),$(wildcard $(1)/test_*.c),$(foreach f,$(tops),$(wildcard $(1)/test_$(f)_*.c)))
UNIT_SRC  := $(call tests_in,tests/unit)
SIMT_SRC  := $(call tests_in,tests/sim)
CONF_SRC  := $(call tests_in,tests/conform)

HEADERS   := $(filter-out %inner.h %_inner.h,$(wildcard $(addsuffix /*.h,$(ALL_FOLDERS))))
KVT       := $(wildcard tests/conform/*.kvt)
INTEROP   := $(wildcard tests/interop/*.sh) $(patsubst %.c,$(P)/%,$(wildcard tests/interop/test_*.c))

objects = $(patsubst %.c,$(O)/%.o,$(1))
binaries = $(patsubst %.c,$(P)/%,$(1))
UNIT := $(call binaries,$(UNIT_SRC))
SIM  := $(call binaries,$(SIMT_SRC))
CONF := $(call binaries,$(CONF_SRC))

# --- products

ifeq ($(P),$(B)/release)
LIB     := libbough.a
PROGRAM := $(if $(MAIN_SRC),bough)
RUNNER  := $(if $(RUNNER_SRC),$(B)/conform)
else
LIB     := $(P)/libbough.a
PROGRAM := $(if $(MAIN_SRC),$(P)/bough)
RUNNER  := $(if $(RUNNER_SRC),$(P)/conform)
endif
FRONT    := $(if $(FRONT_SRC),$(P)/libfront.a)
CORE_LIB := $(if $(WHOLE),,$(P)/)libbough-core.a

.PHONY: all
all: $(LIB) $(CORE_LIB) $(PROGRAM) ## build ./bough, libbough.a, libbough-core.a

# A stamp changes when its text does; what was made with other flags or from other files is made again.
define stamp
$(1): FORCE
	@mkdir -p $$(@D)
	@printf '%s\n' '$(2)' | cmp -s - $$@ || printf '%s\n' '$(2)' > $$@
endef
.PHONY: FORCE
FORCE:
$(eval $(call stamp,$(O)/flags,$(CC) $(HOSTED)))
$(eval $(call stamp,$(B)/core$(cc)/flags,$(CC) $(CORE)))
$(eval $(call stamp,$(P)/lib.list,$(LIB_SRC)))
$(eval $(call stamp,$(P)/front.list,$(FRONT_SRC)))
$(eval $(call stamp,$(B)/core$(cc)/list$(part),$(CORE_SRC)))

$(O)/%.o: %.c $(O)/flags
	@mkdir -p $(@D)
	$(call say,CC) $(HOSTED) -MMD -MP -c -o $@ $<

$(B)/core$(cc)/%.o: %.c $(B)/core$(cc)/flags
	@mkdir -p $(@D)
	$(call say,CC,core) $(CORE) -MMD -MP -c -o $@ $<

define archive
	@mkdir -p $(@D)
	@rm -f $@
	$(call say,AR) rcs $@ $(filter %.o,$^)
endef

$(LIB): $(call objects,$(LIB_SRC)) $(P)/lib.list
	$(archive)

$(P)/libfront.a: $(call objects,$(FRONT_SRC)) $(P)/front.list
	$(archive)

$(CORE_LIB): $(patsubst %.c,$(B)/core$(cc)/%.o,$(CORE_SRC)) $(B)/core$(cc)/list$(part)
	$(archive)

link = $(call say,CC) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LINK)

ifneq ($(PROGRAM),)
$(PROGRAM): $(call objects,$(MAIN_SRC)) $(FRONT) $(LIB)
	$(link) $(LIBS)
endif

ifneq ($(RUNNER),)
$(RUNNER): $(call objects,$(RUNNER_SRC) $(SIM_SRC)) $(FRONT) $(LIB)
	$(link) $(LIBS)
endif

# --- tests

HELP_OBJ := $(call objects,$(HELP_SRC))
SIM_OBJ  := $(call objects,$(SIM_SRC))

$(P)/tests/unit/%: $(O)/tests/unit/%.o $(HELP_OBJ) $(FRONT) $(LIB)
	@mkdir -p $(@D)
	$(link) -lcmocka $(LIBS)

$(P)/tests/sim/%: $(O)/tests/sim/%.o $(HELP_OBJ) $(SIM_OBJ) $(FRONT) $(LIB)
	@mkdir -p $(@D)
	$(link) -lcmocka $(LIBS)

$(P)/tests/sim/test_model: private LIBS += -lsqlite3

$(P)/tests/conform/%: $(O)/tests/conform/%.o $(HELP_OBJ) $(SIM_OBJ) $(FRONT) $(LIB)
	@mkdir -p $(@D)
	$(link) -lcmocka $(LIBS)

$(P)/tests/interop/%: $(O)/tests/interop/%.o $(HELP_OBJ) $(SIM_OBJ) $(FRONT) $(LIB)
	@mkdir -p $(@D)
	$(link) -lcmocka $(LIBS)

$(P)/tests/fuzz/%: $(O)/tests/fuzz/%.o $(HELP_OBJ) $(SIM_OBJ) $(FRONT) $(LIB)
	@mkdir -p $(@D)
	$(link) -fsanitize=fuzzer -lcmocka $(LIBS)

$(P)/bench/bench: $(call objects,$(BENCH_SRC)) $(LIB)
	@mkdir -p $(@D)
	$(link) $(LIBS) -lsqlite3 -lrocksdb

# Suites whose stores are of the kind that $$GIT_DEFAULT_HASH names, by themselves or by their bed, run twice; the others
# try both or are about one.
ALGO_BED := $(shell grep -l 'test_algo()' tests/*/*.h)
ANY_ALGO := $(shell grep -lF -e 'test_algo()' $(addprefix -e ,$(ALGO_BED)) $(UNIT_SRC) $(SIMT_SRC) /dev/null) $(patsubst %,tests/interop/%.sh, \
    cli copy git_cut git_server hostile kill9 redis redis_wire)
twice = $(1) $(addprefix sha256:,$(filter $(ANY_ALGO) $(patsubst %.c,$(P)/%,$(ANY_ALGO)),$(1)))

RUN = $(if $(RUNNER),CONFORM=$(RUNNER)) tests/run -j $(JOBS)

.PHONY: check-unit check-sim check-conform check-interop test-binaries
check-unit: $(UNIT) ## unit tests (VARIANT=asan, FOLDERS="base block")
	@$(RUN) $(call twice,$(UNIT))

check-sim: $(SIM) ## power cuts, failing devices and memory, short
	@$(RUN) $(call twice,$(SIM))

check-conform: $(CONF) $(RUNNER) ## the suites and scripts that every implementation must pass
	@$(RUN) $(CONF) $(if $(RUNNER),tests/conform/run.sh)

check-interop: all $(RUNNER) $(INTEROP) ## against stock git, redis clients and others
	@$(RUN) $(call twice,$(INTEROP))

test-binaries: $(UNIT) $(SIM) $(CONF) $(filter $(P)/%,$(INTEROP)) $(RUNNER)

.PHONY: fuzz-binaries
fuzz-binaries: $(call binaries,$(FUZZ_SRC))

# --- targets

# A fresh machine has make and git only: install first, then look again with a make that sees it all.
.PHONY: deps
deps: ## install the Debian packages that are missing
	tools/deps --install

.PHONY: run
run: all ## serve ./bough.img in the foreground (STORE=..., ARGS="--redis 6380")
	@[ -e "$(STORE)" ] || ./bough init "$(STORE)"
	./bough -s "$(STORE)" serve $(ARGS)

.PHONY: demo
demo: deps ## build, then see the main job done on real input
	$(MAKE) all
	examples/demo.sh

# Everything is built first; then one run of tests/run, so that one line sums up.
ASAN_UNIT = $(patsubst %.c,$(B)/asan/%,$(UNIT_SRC))
FUZZ_NOW  = $(patsubst %.c,$(B)/fuzz-clang/%,$(FUZZ_SRC))
SCRIPTS   = $(wildcard tests/conform/run.sh tests/model/run.sh)

.PHONY: check check-built
check: deps ## what a change must pass: all tests short, tidy, freestanding, asan (under ten minutes)
	$(MAKE) all test-binaries
	$(MAKE) VARIANT=asan unit-binaries
	$(MAKE) VARIANT=fuzz fuzz-binaries
	$(MAKE) check-built

check-built:
	@$(RUN) tools/tidy 'tools/freestanding $(CORE_LIB)' $(call twice,$(UNIT)) $(call twice,$(SIM)) $(CONF) $(SCRIPTS) \
	    $(call twice,$(INTEROP)) \
	    $(addprefix asan:,$(ASAN_UNIT)) $(addprefix corpus:,$(FUZZ_NOW))

.PHONY: unit-binaries sim-binaries
unit-binaries: $(UNIT)
sim-binaries: $(SIM)

.PHONY: check-all
check-all: check ## check, and clang, asan and tsan everywhere, long simulations, fuzzing
	$(MAKE) CC=clang all test-binaries
	$(MAKE) VARIANT=asan check-sim check-conform
	$(MAKE) VARIANT=tsan check-unit
	LONG=1 $(MAKE) check-sim check-conform check-interop
	$(MAKE) fuzz

.PHONY: conform
conform: $(RUNNER) $(CONF) ## build the script runner and run every script
	$(MAKE) check-conform

.PHONY: freestanding
freestanding: $(CORE_LIB) ## the core needs mem*, zlib and the hooks only
	tools/freestanding $(CORE_LIB)

.PHONY: tidy
tidy: ## the rules of the house: include edges, sizes, headers alone, clang-format
	tools/tidy

.PHONY: lint
lint: compile_commands ## clang-tidy, cppcheck, gcc -fanalyzer, as far as they are installed
	tools/lint $(LIB_SRC) $(FRONT_SRC) $(MAIN_SRC)

.PHONY: sim
sim: $(SIM) ## long simulations (SEED=n replays one run; ONLY=test_model; SIM_SECONDS=600 of it)
	LONG=1 $(RUN) -t 3600 $(if $(ONLY),$(filter %/$(ONLY),$(SIM)),$(SIM))

.PHONY: mutants
mutants: ## put deliberate bugs in, one at a time, and see that the tests notice (half an hour)
	tools/mutate -j $(JOBS)

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZ_SECONDS
	$(MAKE) VARIANT=fuzz fuzz-binaries
	tools/fuzz $(FUZZ_SECONDS) $(FUZZ_NOW)

.PHONY: curves
curves: $(P)/bench/bench ## how cost follows size: docs/curves.md, docs/curves.svg (an hour)
	BENCH=$(P)/bench/bench bench/curves $(ARGS)

.PHONY: bench
bench: all $(P)/bench/bench ## against the peers, side by side
	BENCH=$(P)/bench/bench bench/run $(ARGS)

.PHONY: install
install: all ## PREFIX=/usr/local, DESTDIR
	tools/install '$(DESTDIR)$(PREFIX)' '$(PREFIX)' $(HEADERS)

.PHONY: compile_commands
compile_commands: ## compile_commands.json for editors and clang-tidy
	@for f in $(LIB_SRC) $(FRONT_SRC) $(MAIN_SRC) $(wildcard tests/*/*.c bench/*.c); do \
	    printf '%s{"directory": "%s", "file": "%s", "command": "%s"}' \
	        "$$sep" "$(CURDIR)" "$$f" '$(CC) $(HOSTED) -c $(empty)'"$$f"; sep=', '; \
	done | sed 's/^/[/; s/$$/]/' | sed 's/}, {/},\n{/g' > compile_commands.json

.PHONY: clean
clean: ## remove what was built
	rm -rf $(B) bough ogit git2fat libbough.a libbough-core.a compile_commands.json

.PHONY: help
help: ## print this
	@sed -n 's/^\([a-z][a-z_-]*\):.*## \(.*\)/\1|\2/p' Makefile | \
	    while IFS='|' read -r name text; do printf '  %-18s %s\n' "$$name" "$$text"; done

-include $(shell find $(B) -name '*.d' 2>/dev/null)
