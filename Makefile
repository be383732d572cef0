# make         build build/lacuna                make test    everything a contributor needs
# make demo    phantom -> train -> report.html   make bench   figures against PyTorch, MONAI, medpy
# make sweep-demo   four runs as jobs of a private SLURM cluster -> sweep-demo/sweep/report.html
# make monitoring-demo   a Prometheus that watches a training on phantoms
# make compare  every method on one phantom cohort, one table
# make asan    the tests under sanitizers        make format  make lint
# make tsan    the torch-free layers and comm under ThreadSanitizer
# make fuzz    everything that reads files, 10 minutes of made-up bytes each (SECONDS=N)
# make site    the documentation as a static site, links checked
# make soak    200 jobs of two ranks, started and stopped: what do they leave behind?
BUILD ?= build
JOBS ?= $(shell nproc)
export LACUNA_DEPS ?= $(CURDIR)/.deps

.PHONY: all build demo sweep-demo monitoring-demo test bench compare bundle asan tsan fuzz soak format lint docs-check site clean
all: build

build:
	@tools/setup build
	@tools/build $(BUILD) $(JOBS) lacuna

demo: build
	@$(BUILD)/lacuna demo --out demo

sweep-demo: build
	@tools/sweep-demo $(BUILD) sweep-demo

monitoring-demo:
	@tools/setup test
	@tools/build $(BUILD) $(JOBS) lacuna
	@tools/monitoring-demo $(BUILD)

test:
	@tools/setup test
	@tools/build $(BUILD) $(JOBS) all
	@tools/run-tests $(BUILD)

bench:
	@tools/setup bench
	@tools/build $(BUILD) $(JOBS) lacuna
	@bench/run $(BUILD)

# Every method built in: same phantom cohort, same budget, 15 subsets. STEPS=N, WIDTH=F.
compare: build
	@tools/compare $(BUILD) $(if $(STEPS),--steps $(STEPS)) $(if $(WIDTH),--width $(WIDTH))

# A relocatable tarball in $(BUILD); TESTS=1: the test programs as well.
bundle: build
	@[ "$(TESTS)" != 1 ] || tools/build $(BUILD) $(JOBS) all
	@TESTS=$(TESTS) tools/bundle $(BUILD)

asan:
	@tools/setup test
	@tools/build $(BUILD)-asan $(JOBS) all -DLACUNA_SANITIZE=ON -DCMAKE_BUILD_TYPE=RelWithDebInfo \
	  -DCMAKE_CXX_FLAGS_RELWITHDEBINFO="-O1 -g1 -DNDEBUG"
	@tools/run-tests $(BUILD)-asan

# What threads share, layer by layer; comm with one rank and with fakes, since MPI is not built for it.
tsan:
	@tools/setup test
	@tools/build $(BUILD)-tsan $(JOBS) "test_base test_data test_coordinator test_comm" \
	  -DLACUNA_SANITIZE=thread -DCMAKE_BUILD_TYPE=RelWithDebInfo \
	  -DCMAKE_CXX_FLAGS_RELWITHDEBINFO="-O1 -g1 -DNDEBUG"
	@OMP_NUM_THREADS=1 GTEST_FILTER='-Mpi.*:Staged.SumsOver*:*.RealRanks*:*DeathTest.*' \
	  tools/run-tests $(BUILD)-tsan base data coordinator comm

fuzz:
	@tools/setup test
	@JOBS=$(JOBS) tools/fuzz $(BUILD)-fuzz $(or $(SECONDS),600) $(TARGETS)

soak: build
	@tools/soak $(BUILD)

format:
	@git ls-files '*.h' '*.cpp' | xargs clang-format -i

lint:
	@tools/lint $(BUILD)

# The user documentation as a static site, links checked: build/site/index.html.
site:
	@tools/setup site
	@$(LACUNA_DEPS)/venv/bin/mkdocs build --quiet
	@echo "site: build/site/index.html"

docs-check: build
	@tools/docs-check $(BUILD)

clean:
	rm -rf $(BUILD) $(BUILD)-asan $(BUILD)-tsan $(BUILD)-fuzz
